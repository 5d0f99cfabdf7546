"""Callbacks: what happens at certain moments of a run, and what may stop it.

A run calls `on_train_begin`, then for each epoch `on_epoch_begin`, `on_steps_end` now and then (at least
every tenth of a second or so), `on_epoch_end`, and finally `on_train_end`. Each gets the run itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ganglion.errors import ConfigError, shortened
from ganglion.optional import load

if TYPE_CHECKING:
    from ganglion.training.run import Training


class Callback:
    """Does nothing at every moment. Subclass it and override the moments you care for.

    Each gets the run: `training.history`, `training.epochs` asked for, `training.fraction` of the current
    epoch, `training.elapsed` seconds, the live `training.parameters`, and `training.stop(reason)`, which
    ends the run cleanly. An exception ends it too; what was learned until then is kept.

    >>> class Print(Callback):
    ...     def on_epoch_end(self, training):
    ...         print(training.history.loss[-1])
    """

    def on_train_begin(self, training: Training) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, training: Training) -> None:
        """Before an epoch's first step."""

    def on_steps_end(self, training: Training) -> None:
        """After some steps; `training.fraction` of the epoch is done."""

    def on_epoch_end(self, training: Training) -> None:
        """After an epoch was measured; `training.history` holds it."""

    def on_train_end(self, training: Training) -> None:
        """After the last epoch, also when the run was interrupted."""


def listeners(callbacks: Sequence[Callback], moment: str) -> list[Callable[[Training], None]]:
    """Return the methods of those callbacks that do something at a moment."""
    methods = [getattr(callback, moment) for callback in callbacks]
    return [
        method for method in methods if getattr(method, "__func__", None) is not getattr(Callback, moment)
    ]


def check_callbacks(callbacks: Any) -> list[Callback]:
    """Return callbacks as a list, one alone too.

    Raises:
        ConfigError: for anything that is no callback.
    """
    given = [callbacks] if isinstance(callbacks, Callback) else callbacks
    if not isinstance(given, tuple | list) or not all(isinstance(c, Callback) for c in given):
        raise ConfigError(
            f"callbacks must be a list of ganglion callbacks, got {shortened(callbacks)}",
            "such as [gg.EarlyStopping()]",
        )
    return list(given)


class ProgressBar(Callback):
    """A line that shows epoch, loss, validation, samples per second and time left; quiet in a pipe.

    Args:
        label: the first word of the line, "training" by default.
    """

    def __init__(self, label: str = "training") -> None:
        self.label = label
        self.bar: Any = None

    def on_train_begin(self, training: Training) -> None:
        progress = load("rich.progress")
        console = load("rich.console").Console(stderr=True)
        self.bar = progress.Progress(
            progress.TextColumn(self.label),
            progress.TextColumn("{task.fields[numbers]}"),
            progress.BarColumn(bar_width=10),
            progress.TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.bar.start()
        self.task = self.bar.add_task(self.label, total=training.epochs, numbers="")

    def on_steps_end(self, training: Training) -> None:
        history, done = training.history, training.history.epochs + training.fraction
        words = [f"{int(done)}/{training.epochs} epochs"]
        words += [f"loss {history.loss[-1]:.3g}"] if history.loss else []
        words += [f"validation {history.validation_loss[-1]:.3g}"] if history.validation_loss else []
        words += [f"{name} {values[-1]:.3g}" for name, values in history.metrics.items() if values]
        words += [f"{training.rows * done / max(training.elapsed, 1e-9):,.0f}/s"]
        self.bar.update(self.task, completed=done, numbers="  ".join(words))

    def on_train_end(self, training: Training) -> None:
        if self.bar is not None:
            self.bar.stop()
