"""The arithmetic of an update: from the gradient of one weight to its change.

The formulas are the ones that training computes: the optimizer's rule, and those of `ganglion.core.update`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ganglion.core import update
from ganglion.core.architecture import Architecture
from ganglion.core.part import Array
from ganglion.core.regularization import Regularization
from ganglion.core.rule import NAMES, Rule, rule_of
from ganglion.core.steps import Entry
from ganglion.errors import ConfigError
from ganglion.insight.trace.equation import Equation, Explanation, Factor, Function, Sum, Symbol, Term
from ganglion.insight.trace.words import update_words
from ganglion.training.optimizer_state import UpdateStart
from ganglion.training.optimizers import StepOptimizer

CHANGE = "change"
UNCLIPPED = {"g_before": "g_raw"}
DECAYED = {CHANGE: "change_and_decay", "change_before": CHANGE, "w": "before"}
AVERAGED = {"w": "after"}


def rule_equations(
    rule: Rule,
    numbers: Mapping[str, float],
    renamed: Mapping[str, str] | None = None,
    note: str = "",
) -> list[Equation]:
    """Return the lines of a rule as equations, the last first.

    Args:
        rule: the lines.
        numbers: the value of every name, a slot's old value under `m_before`.
        renamed: names to replace, with their replacements.
        note: for the last line.
    """
    called = renamed or {}
    equations: list[Equation] = []
    for line in reversed(rule.lines):
        used = [name for name in NAMES.findall(line.text) if name in numbers]
        text = NAMES.sub(lambda m: called.get(m[0], m[0]), line.text)
        arguments = {called.get(name, name): numbers[name] for name in used}
        left = Symbol(called.get(line.name, line.name))
        own = "" if equations else note
        equations.append(Function(left, numbers[line.name], text, arguments=arguments, note=own))
    return equations


class NextUpdate:
    """The next update of a network's parameters, explained one parameter at a time.

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
        visited: Array,
    ) -> None:
        optimizer = moment.optimizer
        if not isinstance(optimizer, StepOptimizer):
            hint = "use another optimizer, such as sgd or adam"
            raise ConfigError(f"{optimizer.name} makes no single updates to explain", hint)
        self.parameters, self.gradient, self.moment, self.optimizer = parameters, gradient, moment, optimizer
        self.max_norm = regularization.max_norm
        self.norm = float(np.linalg.norm(gradient))
        self.clipped = gradient.copy()
        update.clip(optimizer, self.clipped, self.norm)
        slots = moment.slots or dict.fromkeys(optimizer.slots, np.zeros_like(gradient))
        after = {name: slot.astype(np.float64) for name, slot in slots.items()}
        self.numbers: dict[str, Any] = {f"{name}_before": slot.copy() for name, slot in after.items()}
        arguments = (self.clipped, after, moment.update, moment.rate, parameters)
        self.explains = type(optimizer).change is StepOptimizer.change
        if self.explains:
            self.numbers |= optimizer.values(*arguments)
        else:
            self.numbers[CHANGE] = optimizer.change(*arguments)
        self.total = self.numbers[CHANGE].copy()
        update.decay(optimizer, self.total, moment.rate, parameters, architecture.penalized)
        self.moved = parameters - self.total
        self.after = self.moved.copy()
        regularization.limit(architecture, self.after)
        self.visited = visited
        self.after[~visited] = parameters[~visited]  # rows of a table that the batch did not read
        self.mean_before = parameters if moment.mean is None else moment.mean.astype(np.float64)
        self.mean = self.mean_before.copy()
        self.keep = update.average(optimizer, self.mean, moment.update, self.after)

    def explain(self, entry: Entry, place: tuple[int, ...]) -> Explanation:
        """Explain the update of one parameter: the change, and the value after it."""
        at = entry.start + int(np.ravel_multi_index(place, entry.shape))
        own = Symbol(entry.short, entry.owner, place)
        raw, before, after = (float(v[at]) for v in (self.gradient, self.parameters, self.after))
        number = self.moment.update
        title = f"{own} after update {number}"
        if not self.visited[at]:
            words = f"No row of the batch reads it: update {number} leaves {own} as it is."
            return Explanation(title, before, words, (Equation(own, before, note="as before"),))
        decay = self._decayed(at) if entry.penalized else []
        name = str(decay[0].left) if decay else CHANGE
        terms = (
            Term((Factor(Symbol(f"{own} before"), before),)),
            Term((Factor(Symbol(f"-{name}"), -float(self.total[at])),)),
        )
        clipping = self._clipping(at)
        called = "g_raw" if clipping else "g"
        equations: list[Equation] = [
            Sum(Symbol(f"{own} after"), float(self.moved[at]), f"before - {name}", terms),
            *self._limited(entry, place, at),
            *self._averaged(at),
            *decay,
            *self._changed(at),
            *clipping,
            Equation(dataclasses.replace(own, gradient=True), raw, note=f"{called}, the gradient"),
        ]
        words = update_words(str(own), before, after, raw, self.optimizer.name, number)
        return Explanation(title, after, words, tuple(equations))

    def _changed(self, at: int) -> list[Equation]:
        """Return the equations of the change; for a custom optimizer, only its value."""
        if not self.explains:
            value = float(self.numbers[CHANGE][at])
            return [Equation(Symbol(CHANGE), value, f"what change of {self.optimizer.name} gives")]
        numbers = {k: float(v[at] if np.ndim(v) else v) for k, v in self.numbers.items()}
        return rule_equations(rule_of(self.optimizer.rule), numbers)

    def _clipping(self, at: int) -> list[Equation]:
        """Return how clipping scaled the gradient, nothing if it did not."""
        limit = self.optimizer.clip_norm
        if limit is None or not update.clips(self.optimizer, self.norm):
            return []
        numbers = {"g_before": float(self.gradient[at]), "g": float(self.clipped[at])}
        numbers |= {"clip_norm": limit, "norm": self.norm}
        note = "norm is the norm of the whole gradient"
        return rule_equations(update.CLIPPING, numbers, UNCLIPPED, note)

    def _decayed(self, at: int) -> list[Equation]:
        """Return how decoupled weight decay added to the change, nothing without it."""
        if not self.optimizer.weight_decay:
            return []
        numbers = {"change_before": float(self.numbers[CHANGE][at]), CHANGE: float(self.total[at])}
        numbers |= {"rate": self.moment.rate, "weight_decay": self.optimizer.weight_decay}
        return rule_equations(update.DECAY, numbers | {"w": float(self.parameters[at])}, DECAYED)

    def _limited(self, entry: Entry, place: tuple[int, ...], at: int) -> list[Equation]:
        """Return how the max-norm rule scaled the weight, nothing if it did not."""
        moved, after = float(self.moved[at]), float(self.after[at])
        if self.max_norm is None or after == moved:
            return []
        norm = float(np.linalg.norm(entry.of(self.moved).reshape(-1, entry.shape[-1])[:, place[-1]]))
        numbers = {"w": moved, "max_norm": self.max_norm, "norm": norm}
        note = "norm is the norm of all weights into the unit"
        return [Function(Symbol("limited"), after, "w * (max_norm / norm)", arguments=numbers, note=note)]

    def _averaged(self, at: int) -> list[Equation]:
        """Return the running mean of the parameter, used for predicting, if the optimizer keeps one."""
        if self.optimizer.average is None:
            return []
        numbers = {"keep": self.keep, "average": self.optimizer.average, "t": float(self.moment.update)}
        vectors = {"mean_before": self.mean_before, "mean": self.mean, "w": self.after}
        numbers |= {name: float(vector[at]) for name, vector in vectors.items()}
        return rule_equations(update.AVERAGING, numbers, AVERAGED, "the network predicts with it")
