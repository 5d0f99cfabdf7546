"""The optimizer's state between calls of `fit`, and the starting point of the next update."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from ganglion.core.arrays import aligned_copy, aligned_zeros
from ganglion.core.part import Array
from ganglion.training.optimizers import Optimizer, StepOptimizer
from ganglion.training.schedules import ScheduleState


class UpdateStart(NamedTuple):
    """What the next update depends on besides the weights and the batch.

    Attributes:
        seed: the network's seed.
        step: the number of updates the network has had.
        optimizer: makes the next update.
        slots: the optimizer's vectors; empty before its first update.
        update: the number of the next update of this optimizer, from 1.
        rate: its learning rate.
        raw: the optimizer's own parameters if the network holds their running mean, else None.
        mean: that mean.
    """

    seed: int
    step: int
    optimizer: Optimizer
    slots: dict[str, Array]
    update: int
    rate: float
    raw: Array | None = None
    mean: Array | None = None


@dataclass
class OptimizerState:
    """The state that makes two calls of `fit` equal to one longer call.

    An optimizer equal to the last one continues with its slots and schedule; a different one starts from
    scratch. `raw` holds the optimizer's own parameters if the network was given their running mean.
    """

    step: int = 0
    epoch: int = 0
    optimizer: Optimizer | None = None
    slots: dict[str, Array] = field(default_factory=dict)
    update: int = 0
    optimizer_epoch: int = 0
    schedule_state: ScheduleState = ()
    mean: Array | None = None
    raw: Array | None = None

    def copy(self) -> OptimizerState:
        """Return a copy with its own arrays."""
        mean, raw = (None if vector is None else aligned_copy(vector) for vector in (self.mean, self.raw))
        slots = {name: aligned_copy(slot) for name, slot in self.slots.items()}
        return replace(self, slots=slots, mean=mean, raw=raw)

    def start(self, optimizer: StepOptimizer, parameters: Array) -> None:
        """Prepare for steps of an optimizer: continue if it equals the last one, else start from scratch."""
        if self.optimizer != optimizer:
            self.optimizer, self.update, self.optimizer_epoch = optimizer, 0, 0
            self.slots = {slot: aligned_zeros(parameters.size, parameters.dtype) for slot in optimizer.slots}
            self.schedule_state = optimizer.learning_rate.start()
            self.mean = None
        if optimizer.average is not None and (self.mean is None or not np.array_equal(self.mean, parameters)):
            self.mean, self.raw = parameters.copy(), None  # the user changed them: start from them

    def next_update(
        self, optimizer: object, seed: int, parameters: Array, fraction: float = 0.0
    ) -> UpdateStart:
        """Return the starting point of an optimizer's next update, after a fraction of an epoch."""
        found = Optimizer.find(optimizer)
        goes_on = found == self.optimizer
        schedule_state, epoch, rate = self.schedule_state, self.optimizer_epoch, math.nan
        if isinstance(found, StepOptimizer):
            if not goes_on:
                schedule_state, epoch = found.learning_rate.start(), 0
            rate = float(found.learning_rate.rates(np.array([epoch + fraction]), schedule_state)[0])
        slots = {name: slot.copy() for name, slot in self.slots.items()} if goes_on else {}
        averaged = goes_on and self.mean is not None and np.array_equal(self.mean, parameters)
        raw = self.raw.copy() if averaged and self.raw is not None else None
        mean = None if raw is None else parameters.copy()
        return UpdateStart(seed, self.step, found, slots, self.update + 1 if goes_on else 1, rate, raw, mean)
