"""Callbacks: code that a training run calls at certain moments, and that may stop it.

A run calls `on_train_begin`, then for each epoch `on_epoch_begin`, `on_steps_end` (at least about every tenth
of a second) and `on_epoch_end`, and finally `on_train_end`. Each method receives the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ganglion.errors import ConfigError, shortened
from ganglion.optional import load

if TYPE_CHECKING:
    from ganglion.training.run import Training


class Callback:
    """The base class of callbacks. Subclass it and override the methods you need; by default they do nothing.

    Each method receives the run: `training.history`, the requested `training.epochs`, the completed
    `training.fraction` of the current epoch, `training.elapsed` seconds, the live `training.parameters`, and
    `training.stop(reason)`, which ends the run cleanly. An exception also ends the run; the weights learned
    so far are kept.

    >>> class Print(Callback):
    ...     def on_epoch_end(self, training):
    ...         print(training.history.loss[-1])
    """

    remembers: ClassVar[tuple[str, ...]] = ()
    """The attributes that a checkpoint keeps, as plain JSON data."""

    def remember(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: the attributes named by `remembers`, and arrays by name."""
        return {name: getattr(self, name) for name in self.remembers}

    def recall(self, kept: Mapping[str, Any]) -> None:
        """Go on from what `remember` returned; called after `on_train_begin`."""
        for name in self.remembers:
            setattr(self, name, kept[name])

    def on_train_begin(self, training: Training) -> None:
        """Called before the first epoch."""

    def on_epoch_begin(self, training: Training) -> None:
        """Called before the first step of an epoch."""

    def on_steps_end(self, training: Training) -> None:
        """Called after some steps, when `training.fraction` of the epoch is done."""

    def on_epoch_end(self, training: Training) -> None:
        """Called after an epoch has been entered in `training.history`."""

    def on_train_end(self, training: Training) -> None:
        """Called after the last epoch, even if the run was interrupted."""


def listeners(callbacks: Sequence[Callback], moment: str) -> list[Callable[[Training], None]]:
    """Return the methods of the callbacks that override the one for a moment."""
    methods = [getattr(callback, moment) for callback in callbacks]
    return [
        method for method in methods if getattr(method, "__func__", None) is not getattr(Callback, moment)
    ]


def check_callbacks(callbacks: Any) -> list[Callback]:
    """Return a list of callbacks, given a list or a single callback.

    Raises:
        ConfigError: for anything else.
    """
    given = [callbacks] if isinstance(callbacks, Callback) else callbacks
    if not isinstance(given, tuple | list) or not all(isinstance(c, Callback) for c in given):
        raise ConfigError(
            f"callbacks must be a list of ganglion callbacks, got {shortened(callbacks)}",
            "such as [gg.EarlyStopping()]",
        )
    return list(given)


class ProgressBar(Callback):
    """A progress bar with epoch, losses, metrics, rows per second and time left; silent in a pipe.

    Args:
        label: the text at the start of the line, "training" by default.
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
