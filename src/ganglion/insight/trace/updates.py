"""The arithmetic of an update: how an optimizer turns one gradient into one change of one weight.

To add an optimizer: write a function, add it to the table at the end.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ganglion.core.architecture import Architecture
from ganglion.core.part import Array
from ganglion.core.regularization import Regularization
from ganglion.core.steps import Entry
from ganglion.errors import ConfigError
from ganglion.insight.trace.equation import Equation, Explanation, Factor, Function, Sum, Symbol, Term
from ganglion.insight.trace.words import update_words
from ganglion.training.optimizer_state import UpdateStart
from ganglion.training.optimizers import SGD, Adagrad, Adam, AdamW, Lion, RMSprop, StepOptimizer


@dataclass(frozen=True)
class Step:
    """The numbers of one update of one weight.

    Attributes:
        gradient: after clipping.
        slots: the optimizer's memory of this weight before the update.
        after: the same after it.
        update: its number, from 1.
        rate: the learning rate.
        change: what is subtracted, before weight decay.
    """

    gradient: float
    slots: Mapping[str, float]
    after: Mapping[str, float]
    update: int
    rate: float
    change: float

    def function(self, name: str, value: float, rule: str, **numbers: float) -> Function:
        """Return an equation of this step's numbers and some more."""
        own = {"rate": self.rate, "g": self.gradient, "t": float(self.update)}
        return Function(Symbol(name), value, rule, arguments=own | numbers)


CHANGE = "change"


def _sgd(optimizer: SGD, step: Step) -> list[Equation]:
    if not optimizer.momentum:
        return [step.function(CHANGE, step.change, "rate * g")]
    v, momentum = step.after["velocity"], optimizer.momentum
    rule = "rate * (g + momentum * velocity)" if optimizer.nesterov else "rate * velocity"
    return [
        step.function(CHANGE, step.change, rule, momentum=momentum, velocity=v),
        step.function("velocity", v, "momentum * velocity_before + g", momentum=momentum, **_before(step)),
    ]


def _rmsprop(optimizer: RMSprop, step: Step) -> list[Equation]:
    square, epsilon = step.after["square"], optimizer.epsilon
    root = "g / (sqrt(square) + epsilon)"
    decayed = step.function(
        "square", square, "decay * square_before + (1 - decay) * g**2", decay=optimizer.decay, **_before(step)
    )
    if not optimizer.momentum:
        return [step.function(CHANGE, step.change, f"rate * {root}", square=square, epsilon=epsilon), decayed]
    v = step.after["velocity"]
    return [
        step.function(CHANGE, step.change, "rate * velocity", velocity=v),
        step.function(
            "velocity",
            v,
            f"momentum * velocity_before + {root}",
            momentum=optimizer.momentum,
            square=square,
            epsilon=epsilon,
            **_before(step),
        ),
        decayed,
    ]


def _adagrad(optimizer: Adagrad, step: Step) -> list[Equation]:
    square = step.after["square"]
    rule = "rate * g / (sqrt(square) + epsilon)"
    return [
        step.function(CHANGE, step.change, rule, square=square, epsilon=optimizer.epsilon),
        step.function("square", square, "square_before + g**2", **_before(step)),
    ]


def _adam(optimizer: Adam, step: Step) -> list[Equation]:
    m, v, before = step.after["m"], step.after["v"], _before(step)
    one, two = optimizer.beta_1, optimizer.beta_2
    means = [
        step.function("m", m, "beta_1 * m_before + (1 - beta_1) * g", beta_1=one, **before),
        step.function("v", v, "beta_2 * v_before + (1 - beta_2) * g**2", beta_2=two, **before),
    ]
    if optimizer.epsilon_hat:
        rate = step.rate * math.sqrt(1 - two**step.update) / (1 - one**step.update)
        numbers = {"rate_corrected": rate, "m": m, "v": v, "epsilon": optimizer.epsilon}
        rule = "rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)"
        return [
            step.function(CHANGE, step.change, "rate_corrected * m / (sqrt(v) + epsilon)", **numbers),
            step.function("rate_corrected", rate, rule, beta_1=one, beta_2=two),
            *means,
        ]
    corrected_m, corrected_v = m / (1 - one**step.update), v / (1 - two**step.update)
    rule = "rate * m_corrected / (sqrt(v_corrected) + epsilon)"
    numbers = {"m_corrected": corrected_m, "v_corrected": corrected_v, "epsilon": optimizer.epsilon}
    return [
        step.function(CHANGE, step.change, rule, **numbers),
        step.function("m_corrected", corrected_m, "m / (1 - beta_1**t)", m=m, beta_1=one),
        step.function("v_corrected", corrected_v, "v / (1 - beta_2**t)", v=v, beta_2=two),
        *means,
    ]


def _lion(optimizer: Lion, step: Step) -> list[Equation]:
    one, two, before = optimizer.beta_1, optimizer.beta_2, _before(step)
    rule = "rate * sign(beta_1 * m_before + (1 - beta_1) * g)"
    return [
        step.function(CHANGE, step.change, rule, beta_1=one, **before),
        step.function("m", step.after["m"], "beta_2 * m_before + (1 - beta_2) * g", beta_2=two, **before),
    ]


def _before(step: Step) -> dict[str, float]:
    return {f"{name}_before": value for name, value in step.slots.items()}


UPDATES: dict[type[StepOptimizer], Callable[..., list[Equation]]] = {
    SGD: _sgd,
    RMSprop: _rmsprop,
    Adagrad: _adagrad,
    Adam: _adam,
    AdamW: _adam,
    Lion: _lion,
}


def change_equations(optimizer: StepOptimizer, step: Step) -> list[Equation]:
    """Return how the change came about; one of an optimizer of your own is shown, not taken apart."""
    explain = UPDATES.get(type(optimizer))
    if explain is None:
        return [Equation(Symbol(CHANGE), step.change, f"what change of {optimizer.name} gives")]
    return explain(optimizer, step)


class NextUpdate:
    """The next update of a network's parameters, of which one at a time can be explained.

    Raises:
        ConfigError: for L-BFGS, which makes no single updates.
    """

    def __init__(
        self,
        architecture: Architecture,
        parameters: Array,
        gradient: Array,
        regularization: Regularization,
        moment: UpdateStart,
    ) -> None:
        if not isinstance(moment.optimizer, StepOptimizer):
            hint = "take another optimizer, such as sgd or adam"
            raise ConfigError(f"{moment.optimizer.name} makes no single updates to explain", hint)
        self.architecture, self.parameters, self.gradient = architecture, parameters, gradient
        self.regularization, self.moment, self.optimizer = regularization, moment, moment.optimizer
        self.norm = float(np.linalg.norm(gradient))
        limit = self.optimizer.clip_norm
        self.clips = limit is not None and self.norm > limit
        self.clipped = gradient * (limit / self.norm) if limit is not None and self.clips else gradient
        nothing = dict.fromkeys(self.optimizer.slots, np.zeros_like(gradient))
        self.before = {name: slot.astype(np.float64) for name, slot in (moment.slots or nothing).items()}
        self.after = {name: slot.copy() for name, slot in self.before.items()}
        self.change = self.optimizer.change(self.clipped, self.after, moment.update, moment.rate, parameters)

    def explain(self, entry: Entry, place: tuple[int, ...]) -> Explanation:
        """Explain the update of one parameter: what is subtracted, and the value after it."""
        at = entry.start + int(np.ravel_multi_index(place, entry.shape))
        own = Symbol(entry.short, entry.owner, place)
        raw, before, moment = float(self.gradient[at]), float(self.parameters[at]), self.moment
        step = Step(
            gradient=float(self.clipped[at]),
            slots={name: float(slot[at]) for name, slot in self.before.items()},
            after={name: float(slot[at]) for name, slot in self.after.items()},
            update=moment.update,
            rate=moment.rate,
            change=float(self.change[at]),
        )
        change, decay = self._decayed(entry, step, before)
        name = str(decay[0].left) if decay else CHANGE
        terms = (
            Term((Factor(Symbol(f"{own} before"), before),)),
            Term((Factor(Symbol(f"-{name}"), -change),)),
        )
        equations: list[Equation] = [
            Sum(Symbol(f"{own} after"), before - change, f"before - {name}", terms),
            *self._limited(entry, place, before - change),
        ]
        after, called = equations[-1].value, "g_raw" if self.clips else "g"
        equations += [
            *self._averaged(at, before, after),
            *decay,
            *change_equations(self.optimizer, step),
            *self._clipping(raw, step.gradient),
            Equation(dataclasses.replace(own, gradient=True), raw, note=f"{called}, the gradient"),
        ]
        words = update_words(str(own), before, after, raw, self.optimizer.name, moment.update)
        return Explanation(f"{own} after update {moment.update}", after, words, tuple(equations))

    def _clipping(self, raw: float, clipped: float) -> list[Equation]:
        """Return how clipping scaled the gradient, nothing where it did not."""
        if not self.clips or self.optimizer.clip_norm is None:
            return []
        numbers = {"g_raw": raw, "clip_norm": self.optimizer.clip_norm, "norm": self.norm}
        note = "norm is that of the whole gradient"
        return [Function(Symbol("g"), clipped, "g_raw * clip_norm / norm", arguments=numbers, note=note)]

    def _decayed(self, entry: Entry, step: Step, before: float) -> tuple[float, list[Equation]]:
        """Return the change with decoupled weight decay, and how it came about."""
        decay = self.optimizer.weight_decay
        if not (decay and entry.penalized):
            return step.change, []
        numbers = {CHANGE: step.change, "weight_decay": decay, "before": before}
        total = step.change + step.rate * decay * before
        rule = "change + rate * weight_decay * before"
        return total, [step.function("change_and_decay", total, rule, **numbers)]

    def _limited(self, entry: Entry, place: tuple[int, ...], after: float) -> list[Equation]:
        """Return how a limit on the norm of a unit's weights scaled the weight, nothing where it did not."""
        limit = self.regularization.max_norm
        if limit is None or not entry.penalized:
            return []
        decay = self.moment.rate * self.optimizer.weight_decay
        moved = entry.of(self.parameters * (1 - decay) - self.change).reshape(-1, entry.shape[-1])
        norm = float(np.linalg.norm(moved[:, place[-1]]))
        if norm <= limit:
            return []
        numbers = {"w": after, "max_norm": limit, "norm": norm}
        note = "norm is that of all weights into the unit"
        left = Symbol("limited")
        return [Function(left, after * limit / norm, "w * max_norm / norm", arguments=numbers, note=note)]

    def _averaged(self, at: int, before: float, after: float) -> list[Equation]:
        """Return the running mean of the parameter, which predicts, where the optimizer keeps one."""
        if self.optimizer.average is None:
            return []
        update = self.moment.update
        keep = min(self.optimizer.average, update / (update + 9))
        mean_before = before if self.moment.mean is None else float(self.moment.mean[at])
        numbers = {"keep": keep, "mean_before": mean_before, "after": after}
        mean = keep * mean_before + (1 - keep) * after
        rule = "keep * mean_before + (1 - keep) * after"
        return [Function(Symbol("mean"), mean, rule, arguments=numbers, note="the network predicts with it")]
