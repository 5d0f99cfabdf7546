"""Schedules: the learning rate as a function of training time.

Time is measured in epochs, with fractions: halfway through the third epoch it is 2.5. A schedule that depends
on past losses keeps its state in a small tuple of numbers, so that a run can resume. A schedule can replace
any learning rate: `gg.Adam(gg.CosineDecay(0.01, epochs=100))`. To add one: write the class, add it to the
list at the end.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ganglion.checks import check_integer, check_number
from ganglion.core.part import Array, Part, built_in

ScheduleState = tuple[float, ...]


@dataclass(frozen=True)
class Schedule(Part):
    """The base class of schedules. To write your own, subclass it and define `rate`.

    Args:
        learning_rate: the initial rate or, for a schedule that warms up, the highest.

    >>> schedule = StepDecay(0.1, every=10, factor=0.5)
    >>> [schedule.rate(epoch, schedule.start()) for epoch in (0, 9.5, 10, 25)]
    [0.1, 0.1, 0.05, 0.025]
    """

    learning_rate: float

    kind: ClassVar[str] = "schedule"
    has_length: ClassVar[bool] = False
    """Whether it has a setting `epochs`, the length of its course, to be made as long as the run."""

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, above=0)

    @classmethod
    def find(cls, value: object) -> Self:
        """Return the schedule that `value` describes; a number means a constant rate."""
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            value = {"name": "constant_rate", "learning_rate": value}
        return super().find(value)

    def start(self) -> ScheduleState:
        """Return the state before the first epoch."""
        return ()

    def observe(self, state: ScheduleState, loss: float) -> ScheduleState:
        """Return the state after an epoch with this loss (the validation loss, if there is one)."""
        return state

    def rate(self, epoch: float, state: ScheduleState) -> float:
        """Return the learning rate at a time, in epochs."""
        raise NotImplementedError(f"{type(self).__name__} needs a method rate")

    def rates(self, epochs: Array, state: ScheduleState) -> Array:
        """Return the learning rate at several times within one epoch."""
        return np.array([self.rate(epoch, state) for epoch in epochs.tolist()], dtype=np.float64)


class ConstantRate(Schedule):
    """The same rate throughout."""

    name = "constant_rate"

    def rate(self, epoch: float, state: ScheduleState) -> float:
        return self.learning_rate

    def rates(self, epochs: Array, state: ScheduleState) -> Array:
        return np.full(len(epochs), self.learning_rate, dtype=np.float64)


@dataclass(frozen=True)
class StepDecay(Schedule):
    """learning_rate * factor**floor(epoch / every).

    Args:
        learning_rate: the initial rate.
        every: epochs between two steps, 30 by default.
        factor: multiplies the rate at each step; 0.1 by default.
    """

    every: float = 30.0
    factor: float = 0.1

    name = "step_decay"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("every", self.every, above=0)
        check_number("factor", self.factor, above=0, at_most=1)

    def rate(self, epoch: float, state: ScheduleState) -> float:
        return float(self.learning_rate * self.factor ** math.floor(epoch / self.every))


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """learning_rate * factor**epoch.

    Args:
        learning_rate: the initial rate.
        factor: multiplies the rate in each epoch; 0.95 by default.
    """

    factor: float = 0.95

    name = "exponential_decay"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("factor", self.factor, above=0, at_most=1)

    def rate(self, epoch: float, state: ScheduleState) -> float:
        return float(self.learning_rate * self.factor**epoch)


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """learning_rate / (1 + epoch)**power.

    Args:
        learning_rate: the initial rate.
        power: 0.5 by default.
    """

    power: float = 0.5

    name = "inverse_scaling"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("power", self.power, above=0)

    def rate(self, epoch: float, state: ScheduleState) -> float:
        return float(self.learning_rate / (1 + epoch) ** self.power)


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """Decay along half a cosine, after a linear warm-up (Loshchilov and Hutter, 2016).

    The rate is learning_rate * (final + (1 - final) * (1 + cos(pi * s)) / 2) after the fraction s of a cycle.

    Args:
        learning_rate: the rate at the start of each cycle and at the end of the warm-up.
        epochs: the length of the first cycle, 100 by default.
        warmup: epochs before the first cycle in which the rate rises linearly to `learning_rate`, 0 by
            default.
        cycles: the number of cycles, 1 by default; afterwards the rate keeps its last value.
        stretch: the ratio of the length of each cycle to the one before, 1 by default.
        final: the fraction of the rate that remains at the end of a cycle, 0 by default.
    """

    epochs: float = 100.0
    warmup: float = 0.0
    cycles: int = 1
    stretch: float = 1.0
    final: float = 0.0

    name = "cosine_decay"
    has_length = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("epochs", self.epochs, above=0)
        check_number("warmup", self.warmup, at_least=0)
        check_integer("cycles", self.cycles, at_least=1, at_most=10_000)
        check_number("stretch", self.stretch, at_least=1)
        check_number("final", self.final, at_least=0, at_most=1)

    def rate(self, epoch: float, state: ScheduleState) -> float:
        if epoch < self.warmup:
            # Never 0, so that the first step changes the weights.
            return self.learning_rate * max(epoch / self.warmup, 1e-3)
        since, length = epoch - self.warmup, self.epochs
        for _ in range(self.cycles - 1):
            if since < length:
                break
            since, length = since - length, length * self.stretch
        along = min(since / length, 1.0)
        return self.learning_rate * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * along)))


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Rise to `learning_rate` and decay to almost 0, each along half a cosine (Smith, 2018).

    The rate starts at learning_rate / start_divisor and ends at learning_rate / (start_divisor * 10000).

    Args:
        learning_rate: the highest rate.
        epochs: the length of the cycle, 100 by default; afterwards the rate keeps its last value.
        rise: the fraction of the cycle in which the rate rises, 0.3 by default.
        start_divisor: the ratio of the highest rate to the first, 25 by default.
    """

    epochs: float = 100.0
    rise: float = 0.3
    start_divisor: float = 25.0

    name = "one_cycle"
    has_length = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("epochs", self.epochs, above=0)
        check_number("rise", self.rise, above=0, below=1)
        check_number("start_divisor", self.start_divisor, at_least=1)

    def rate(self, epoch: float, state: ScheduleState) -> float:
        done = min(epoch / self.epochs, 1.0)
        first, last = 1 / self.start_divisor, 1e-4 / self.start_divisor
        if done < self.rise:
            begin, end, along = first, 1.0, done / self.rise
        else:
            begin, end, along = 1.0, last, (done - self.rise) / (1 - self.rise)
        return self.learning_rate * (end + (begin - end) * 0.5 * (1 + math.cos(math.pi * along)))


@dataclass(frozen=True)
class ReduceOnPlateau(Schedule):
    """Reduce the rate by a factor each time the loss has not improved for several epochs.

    This is the validation loss, or the training loss without validation.

    Args:
        learning_rate: the initial rate.
        factor: multiplies the rate at each reduction; 0.5 by default.
        patience: epochs without improvement before a reduction, 5 by default.
        tolerance: only a decrease of the loss by more than this is an improvement; 0 by default.
        minimum: the lowest rate, 1e-6 by default.
    """

    factor: float = 0.5
    patience: int = 5
    tolerance: float = 0.0
    minimum: float = 1e-6

    name = "reduce_on_plateau"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("factor", self.factor, above=0, below=1)
        check_integer("patience", self.patience, at_least=1)
        check_number("tolerance", self.tolerance, at_least=0)
        check_number("minimum", self.minimum, at_least=0)

    def start(self) -> ScheduleState:
        return (math.inf, 0.0, 0.0)

    def observe(self, state: ScheduleState, loss: float) -> ScheduleState:
        best, waited, reductions = state
        if loss < best - self.tolerance:
            return (loss, 0.0, reductions)
        if waited + 1 >= self.patience:
            return (best, 0.0, reductions + 1)
        return (best, waited + 1, reductions)

    def rate(self, epoch: float, state: ScheduleState) -> float:
        return max(self.learning_rate * self.factor ** state[2], min(self.minimum, self.learning_rate))


built_in(
    Schedule,
    [ConstantRate, StepDecay, ExponentialDecay, InverseScaling, CosineDecay, OneCycle, ReduceOnPlateau],
)
