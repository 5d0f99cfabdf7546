"""The history of a training run: the measurements of each epoch, and why the run stopped."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ganglion import training
from ganglion.core.part import plain
from ganglion.errors import DataError, amount

SERIES = ("loss", "validation_loss", "learning_rate", "gradient_norm", "seconds")


@dataclass
class History:
    """The measurements of a training run, one entry per epoch in each list.

    Attributes:
        loss: the mean over the epoch's batches, each measured before its update, without penalties.
        validation_loss: on the validation rows, after the epoch; empty without validation.
        metrics: lists by name, measured after the epoch on the validation rows, or on the training rows
            without validation.
        learning_rate: the rate of the epoch's last update.
        gradient_norm: the mean over the epoch's batches, before clipping.
        seconds: the time from the start of the run to the end of the epoch.
        stopped_because: why the run ended, in words.
        ended: the kind of end: "completed", "stopped" (by a callback), "converged", "interrupted" or
            "failed".
        best_epoch: the epoch (from 1) whose weights were restored, or None if the last ones were kept.

    Entries that were not measured are NaN.
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    learning_rate: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stopped_because: str = ""
    ended: str = ""
    best_epoch: int | None = None

    @property
    def epochs(self) -> int:
        """The number of completed epochs."""
        return len(self.loss)

    def series(self, name: str) -> list[float] | None:
        """Return the list that a callback may watch: loss, validation_loss, gradient_norm or a metric."""
        plain = {
            "loss": self.loss,
            "validation_loss": self.validation_loss,
            "gradient_norm": self.gradient_norm,
        }
        return plain.get(name) or self.metrics.get(name)

    def __repr__(self) -> str:
        last = f", loss {self.loss[-1]:.4g}" if self.loss else ""
        if self.validation_loss:
            last += f", validation loss {self.validation_loss[-1]:.4g}"
        return f"<History: {amount(self.epochs, 'epoch')}{last}; stopped because {self.stopped_because}>"

    def plot(self, ax: Any = None) -> Any:
        """Draw the learning curve; see `gg.plot.history`."""
        return training.draw_history(self, ax)

    def extend(self, later: History) -> None:
        """Append the measurements of a later run."""
        before, started = self.epochs, self.seconds[-1] if self.seconds else 0.0
        later_seconds = [value + started for value in later.seconds]
        for name in SERIES:
            values = later_seconds if name == "seconds" else getattr(later, name)
            setattr(self, name, _joined(getattr(self, name), before, values, later.epochs))
        for name in {**self.metrics, **later.metrics}:
            own, new = self.metrics.get(name, []), later.metrics.get(name, [])
            self.metrics[name] = _joined(own, before, new, later.epochs)
        self.stopped_because, self.ended = later.stopped_because, later.ended
        self.best_epoch = None if later.best_epoch is None else before + later.best_epoch

    def to_facts(self) -> dict[str, Any]:
        """Return the history as JSON data, with null for numbers that are not finite."""
        return plain(dataclasses.asdict(self))

    @classmethod
    def from_facts(cls, facts: Any) -> Self:
        """Return the history from the result of `to_facts`.

        Raises:
            DataError: if `facts` has any other form.
        """
        history = cls()
        if not isinstance(facts, Mapping) or set(facts) != {f.name for f in dataclasses.fields(cls)}:
            raise DataError("a history must have the fields of a history")
        for name in SERIES:
            setattr(history, name, _numbers(facts[name]))
        metrics, best = facts["metrics"], facts["best_epoch"]
        if not isinstance(metrics, Mapping) or not all(
            isinstance(facts[name], str) for name in ("stopped_because", "ended")
        ):
            raise DataError("a history must hold metrics and a reason")
        if best is not None and type(best) is not int:
            raise DataError("a history's best epoch must be a whole number")
        history.metrics = {str(name): _numbers(values) for name, values in metrics.items()}
        history.stopped_because, history.ended = facts["stopped_because"], facts["ended"]
        history.best_epoch = best
        series = [*(getattr(history, name) for name in SERIES), *history.metrics.values()]
        if any(len(values) not in (0, history.epochs) for values in series):
            raise DataError("a history's lists must be of equal length")
        return history


def _joined(own: list[float], epochs: int, new: list[float], new_epochs: int) -> list[float]:
    """Return one list for both runs, with NaN for the epochs of a run that did not measure it."""
    if not own and not new:
        return []
    return [*(own or [math.nan] * epochs), *(new or [math.nan] * new_epochs)]


def _numbers(values: Any) -> list[float]:
    if not isinstance(values, list) or not all(
        v is None or (type(v) in (int, float) and abs(v) <= sys.float_info.max) for v in values
    ):
        raise DataError("a history must hold lists of numbers")
    return [math.nan if value is None else float(value) for value in values]
