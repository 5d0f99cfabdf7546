"""Callbacks that end a run early. They can be combined."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ganglion.checks import check_flag, check_integer, check_number
from ganglion.core.part import Array
from ganglion.errors import ConfigError, amount, one_of, shortened
from ganglion.training.callbacks import Callback

if TYPE_CHECKING:
    from ganglion.training.run import Training


class _Watcher(Callback):
    """A callback that reads one series of the history after each epoch."""

    def __init__(self, monitor: str) -> None:
        if not isinstance(monitor, str):
            raise ConfigError(f"monitor must be a name such as 'loss', got {shortened(monitor)}")
        self.monitor = monitor

    def on_train_begin(self, training: Training) -> None:
        self.watched = self.monitor
        if self.monitor == "auto":
            self.watched = "validation_loss" if training.has_validation else "loss"
        known = ["loss", "gradient_norm", *training.history.metrics]
        known += ["validation_loss"] if training.has_validation else []
        if self.watched not in known:
            raise ConfigError(
                f"cannot monitor {self.watched!r}, which this run does not measure",
                one_of(self.watched, [*known, "auto"]),
            )
        upward = any(m.name == self.watched and m.larger_is_better for m in training.plan.metrics)
        self.sign = -1.0 if upward else 1.0

    def value(self, training: Training) -> float:
        """Return the monitored value of the last epoch; NaN before the first."""
        series = training.history.series(self.watched)
        return series[-1] if series else math.nan


class EarlyStopping(_Watcher):
    """Stop when the monitored value has not improved for some epochs, and restore the best weights.

    Args:
        patience: the number of epochs without improvement after which to stop, 10 by default.
        monitor: "loss", "validation_loss", "gradient_norm" or a metric; "auto", the default, means the
            validation loss, or the training loss without validation.
        tolerance: only a larger change is an improvement, 0 by default.
        restore_best: whether to restore the weights of the best epoch at the end, True by default.

    Raises:
        ConfigError: for a setting out of range, or, in `fit`, if the run does not measure `monitor`.

    >>> stop = gg.EarlyStopping(patience=5, monitor="accuracy")
    """

    def __init__(
        self,
        patience: int = 10,
        monitor: str = "auto",
        tolerance: float = 0.0,
        restore_best: bool = True,
    ) -> None:
        super().__init__(monitor)
        self.patience = check_integer("patience", patience, at_least=1)
        self.tolerance = check_number("tolerance", tolerance, at_least=0)
        self.restore_best = check_flag("restore_best", restore_best)
        self.weights: tuple[Array, Array] | None = None

    remembers = ("best", "waited", "best_epoch")

    def remember(self) -> dict[str, Any]:
        names = ("parameters", "network_state")
        held = {} if self.weights is None else dict(zip(names, self.weights, strict=True))
        return super().remember() | held

    def recall(self, kept: Mapping[str, Any]) -> None:
        super().recall(kept)
        if "parameters" in kept:
            self.weights = kept["parameters"], kept["network_state"]

    def on_train_begin(self, training: Training) -> None:
        super().on_train_begin(training)
        self.best, self.waited, self.best_epoch, self.weights = math.inf, 0, 0, None

    def on_epoch_end(self, training: Training) -> None:
        value = self.sign * self.value(training)
        if value < self.best - self.tolerance:
            self.best, self.waited, self.best_epoch = value, 0, training.history.epochs
            self.weights = training.copy_weights() if self.restore_best else None
            return
        self.waited += 1
        if self.waited >= self.patience:
            training.stop(
                f"{self.watched.replace('_', ' ')} had not improved for {amount(self.patience, 'epoch')} "
                f"(best {self.sign * self.best:.4g} in epoch {self.best_epoch})"
            )

    def on_train_end(self, training: Training) -> None:
        # Even if the last complete epoch was the best: part of another may have followed.
        if self.weights is not None:
            training.restore_weights(self.weights)
            training.history.best_epoch = self.best_epoch
        self.weights = None


class TargetReached(_Watcher):
    """Stop when the monitored value reaches a target.

    Args:
        value: the target; a metric such as accuracy reaches it from below, a loss from above.
        monitor: as in `EarlyStopping`.
    """

    def __init__(self, value: float, monitor: str = "auto") -> None:
        super().__init__(monitor)
        self.target = check_number("value", value)

    def on_epoch_end(self, training: Training) -> None:
        if self.sign * self.value(training) <= self.sign * self.target:
            training.stop(f"{self.watched.replace('_', ' ')} reached the target of {self.target:g}")


class GradientNorm(_Watcher):
    """Stop when the mean gradient norm of an epoch is small: at a minimum or on a plateau.

    Args:
        below: the threshold, 1e-4 by default.
    """

    def __init__(self, below: float = 1e-4) -> None:
        super().__init__("gradient_norm")
        self.below = check_number("below", below, above=0)

    def on_epoch_end(self, training: Training) -> None:
        if self.value(training) < self.below:
            training.stop(f"the gradient norm fell below {self.below:g}")


class TimeBudget(Callback):
    """Stop when the time is used up, even in the middle of an epoch.

    Args:
        seconds: the time from the start of the run, more than 0.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = check_number("seconds", seconds, above=0)

    def on_steps_end(self, training: Training) -> None:
        if training.elapsed >= self.seconds:
            training.stop(f"the time budget of {self.seconds:g} seconds was used up")
