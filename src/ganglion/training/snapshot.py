"""Snapshots: all that the next update of a run depends on, and its measurements so far.

Order and masks are functions of the seed and the step, so a run that goes on from a snapshot makes the same
bits as one that was never stopped.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ganglion.core.part import Array
from ganglion.training.descending import NOTHING, Descent, Progress
from ganglion.training.history import SERIES, History
from ganglion.training.optimizer_state import OptimizerState


@dataclass(frozen=True)
class Snapshot:
    """A run between two updates.

    Attributes:
        parameters, state: the vectors of the model, with which it predicts.
        optimizer_state: the optimizer's vectors and counts.
        history: the measurements of the epochs so far.
        elapsed: seconds since the run began.
        progress: how far the epoch is.
        callbacks: what each callback that remembers anything kept, in order.
        made: the number of updates before, where they are counted.
    """

    parameters: Array
    state: Array
    optimizer_state: OptimizerState
    history: History
    elapsed: float = 0.0
    progress: Progress = NOTHING
    callbacks: Sequence[Mapping[str, Any]] | None = None
    made: int = 0

    @classmethod
    def of(cls, training: Descent) -> Self:
        """Return a copy of a run that rests between two calls of `advance`."""
        model = training.model
        return cls(
            model.parameters.copy(),
            model.state.copy(),
            training.optimizer_state.copy(),
            _copied(training.history),
            training.elapsed,
            training.progress,
            [copy.deepcopy(callback.remember()) for callback in training.remembering],
        )

    def restore(self, training: Descent) -> None:
        """Put a run that is not open yet where this one was."""
        training.model.parameters[...] = self.parameters
        training.model.state[...] = self.state
        vars(training.optimizer_state).update(vars(self.optimizer_state.copy()))
        history, callbacks = _copied(self.history), copy.deepcopy(self.callbacks)
        training.go_on(history, self.elapsed, callbacks, self.progress)

    @property
    def bytes(self) -> int:
        """The memory of its arrays."""
        own = self.optimizer_state
        vectors = [self.parameters, self.state, *own.slots.values(), own.mean, own.raw, *self.progress[1:]]
        kept = [each for one in self.callbacks or () for each in one.values() if hasattr(each, "nbytes")]
        return sum(each.nbytes for each in (*vectors, *kept) if each is not None)


def _copied(history: History) -> History:
    series: dict[str, Any] = {name: list(getattr(history, name)) for name in SERIES}
    metrics = {name: list(values) for name, values in history.metrics.items()}
    return dataclasses.replace(history, **series, metrics=metrics)
