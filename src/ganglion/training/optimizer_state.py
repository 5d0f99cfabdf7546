"""What a network keeps between two calls of `fit`, and what its next update starts from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from ganglion.core.arrays import aligned_copy, aligned_zeros
from ganglion.core.part import Array
from ganglion.training.optimizers import Optimizer, StepOptimizer
from ganglion.training.schedules import Memory


class UpdateStart(NamedTuple):
    """What the next update depends on besides the weights and the batch.

    Attributes:
        seed: of the network.
        step: how many updates it has had.
        optimizer: makes the next one.
        slots: the optimizer's vectors; empty at its start.
        update: the number of the next update of this optimizer, from 1.
        rate: its learning rate.
        raw: the parameters that the optimizer goes on from, where the network has their mean; else None.
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
    """What a network must keep between two calls of `fit` to go on as if there had been one.

    An optimizer that equals the last one goes on with its slots and its schedule; another one starts
    afresh. `raw` holds the parameters as the optimizer left them, where the network was given their mean.
    """

    step: int = 0
    epoch: int = 0
    optimizer: Optimizer | None = None
    slots: dict[str, Array] = field(default_factory=dict)
    update: int = 0
    optimizer_epoch: int = 0
    memory: Memory = ()
    mean: Array | None = None
    raw: Array | None = None

    def copy(self) -> OptimizerState:
        """Return the same with arrays of its own."""
        mean, raw = (None if vector is None else aligned_copy(vector) for vector in (self.mean, self.raw))
        slots = {name: aligned_copy(slot) for name, slot in self.slots.items()}
        return replace(self, slots=slots, mean=mean, raw=raw)

    def start(self, optimizer: StepOptimizer, parameters: Array) -> None:
        """Make ready for steps of an optimizer: go on where it is the last one, else start afresh."""
        if self.optimizer != optimizer:
            self.optimizer, self.update, self.optimizer_epoch = optimizer, 0, 0
            self.slots = {slot: aligned_zeros(parameters.size, parameters.dtype) for slot in optimizer.slots}
            self.memory = optimizer.learning_rate.start()
            self.mean = None
        if optimizer.average is not None and (self.mean is None or not np.array_equal(self.mean, parameters)):
            self.mean, self.raw = parameters.copy(), None  # the user has changed them: start from there

    def next_update(self, optimizer: object, seed: int, parameters: Array) -> UpdateStart:
        """Return what the next update by an optimizer would start from, as it is now."""
        found = Optimizer.find(optimizer)
        goes_on = found == self.optimizer
        memory, epoch, rate = self.memory, self.optimizer_epoch, math.nan
        if isinstance(found, StepOptimizer):
            if not goes_on:
                memory, epoch = found.learning_rate.start(), 0
            rate = float(found.learning_rate.rates(np.array([float(epoch)]), memory)[0])
        slots = {name: slot.copy() for name, slot in self.slots.items()} if goes_on else {}
        averaged = goes_on and self.mean is not None and np.array_equal(self.mean, parameters)
        raw = self.raw.copy() if averaged and self.raw is not None else None
        mean = None if raw is None else parameters.copy()
        return UpdateStart(seed, self.step, found, slots, self.update + 1 if goes_on else 1, rate, raw, mean)
