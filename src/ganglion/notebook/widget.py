"""The widget that joins the page's parts with a network in the notebook's kernel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ganglion.errors import GanglionError
from ganglion.notebook.answers import Subject, curves
from ganglion.optional import load
from ganglion.training.callbacks import Callback

if TYPE_CHECKING:
    from ganglion.training.run import Training

SECONDS = 0.1  # between two drawings of a run


@cache
def _widget() -> Any:
    """Return the class of the widget: anywidget is imported when the first one is made."""
    anywidget, traitlets = load("anywidget", "notebook"), load("traitlets", "notebook")
    texts = {name: files(__package__).joinpath(name).read_text("utf-8") for name in ("parts.js", "parts.css")}

    class Widget(anywidget.AnyWidget):  # type: ignore[misc, name-defined]  # which is not checked
        _esm, _css = texts["parts.js"], texts["parts.css"]
        subject = traitlets.Dict({}).tag(sync=True)
        curves = traitlets.Dict({}).tag(sync=True)

    return Widget


def explore(
    network: Any, X: Any, y: Any = None, names: Sequence[str] | None = None, classes: Any = None
) -> Any:
    """Return a widget that shows a network on some rows; see `Network.explore`."""
    subject = Subject(network, X, y, names, classes)
    widget = _widget()(subject=subject.begin())

    def answer(_: Any, content: Any, buffers: Any) -> None:
        number = content.get("number") if isinstance(content, dict) else None
        try:
            found = subject.ask(content["question"])
        except (GanglionError, KeyError, TypeError) as error:
            found = {"error": str(error)}
        widget.send({"number": number, "answer": found})

    widget.on_msg(answer)
    return widget


class Live(Callback):
    """Draws the curves of a run in the notebook while it goes on.

    >>> live = gg.Live()  # net.fit(X, y, callbacks=[live])
    """

    def __init__(self) -> None:
        self._drawn = 0.0
        self.widget: Any = None

    def on_train_begin(self, training: Training) -> None:
        self.widget = _widget()(curves=curves(training.history))
        load("IPython.display", "notebook").display(self.widget)

    def on_epoch_end(self, training: Training) -> None:
        if training.elapsed - self._drawn >= SECONDS:
            self._drawn = training.elapsed
            self.widget.curves = curves(training.history)

    def on_train_end(self, training: Training) -> None:
        if self.widget is not None:
            self.widget.curves = curves(training.history)
        self._drawn = 0.0
