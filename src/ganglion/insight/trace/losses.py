"""The arithmetic of a loss: its value, from outputs and targets, its gradient, and that of its penalties."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from ganglion.core.activations import LogSoftmax
from ganglion.core.losses import Both, Joint, Loss
from ganglion.core.losses.joint import row_weights
from ganglion.core.part import Array
from ganglion.core.regularization import Regularization
from ganglion.insight.trace.activations import activation_backward, constants
from ganglion.insight.trace.equation import (
    MOST_TERMS,
    Equation,
    Factor,
    Function,
    Sum,
    Symbol,
    Term,
    digits_for,
    figure,
    unless_one,
)
from ganglion.insight.trace.layer_trace import Index, LayerTrace, required

TINY = 1e-290  # a probability below this is 0, or has lost digits


def penalty_terms(rules: Regularization, w: float, batch_weight: float) -> list[Term]:
    """Return what the L1 and L2 penalties add to the gradient of one weight w."""
    pairs = [("l1", rules.l1, "sign(w)", float(np.sign(w))), ("l2", rules.l2, "w", w)]
    scale = unless_one("1/batch weight", 1 / batch_weight) if rules.per_row else ()
    return [
        Term((Factor(Symbol(name), strength), *scale, Factor(Symbol(of), value)), f"{name} penalty")
        for name, strength, of, value in pairs
        if strength
    ]


class Objective(NamedTuple):
    """A loss, the targets, and the weight of each row.

    Attributes:
        loss: the loss.
        y: encoded targets, of shape (n, *outputs).
        weights: the weight of each row in the mean, of shape (n,); they sum to 1.
        from_z: whether the loss is computed from the pre-activation of the last layer (`Loss.partners`).
        first: the place of the first output, above 0 in the later sections of a joint loss.
    """

    loss: Loss
    y: Array
    weights: Array
    from_z: bool
    first: int = 0

    @property
    def _outputs(self) -> int:
        """The number of losses in each row, whose mean is taken."""
        size = self.y[0].size
        return size // self.y.shape[-1] if self._chooses else size

    @property
    def _chooses(self) -> bool:
        """Whether the outputs along the last axis share one loss."""
        return self.loss.answers == "one_of"

    @property
    def _formula(self) -> str:
        return (self.loss.formula_from_z if self.from_z else "") or self.loss.formula

    @property
    def _factor(self) -> tuple[Factor, ...]:
        return unless_one("factor", self.loss.factor)

    @property
    def _each(self) -> tuple[Factor, ...]:
        """The factors from the loss and gradient of one output to its part in those of the row."""
        return (*unless_one("1/outputs", 1 / self._outputs), *self._factor)

    def judge(self, outputs: Array, y: Array, from_z: bool) -> Both:
        """Return the loss of each row and its gradient, from `a` or from `z`, times the factor."""
        found = self.loss.values_and_gradients_from_z if from_z else self.loss.values_and_gradients
        values, gradients = found(outputs, y)
        return values * self.loss.factor, gradients * self.loss.factor

    def batch_losses(self, outputs: Array) -> Array:
        """Return the mean loss of each of several batches of outputs that follow each other along axis 0."""
        n = len(self.y)
        y = np.tile(self.y, (len(outputs) // n, *[1] * (self.y.ndim - 1)))
        losses: Array = self.judge(outputs, y, self.from_z)[0].reshape(-1, n) @ self.weights
        return losses

    def without_clip(self) -> Objective:
        """Return the objective with a loss whose gradient is its derivative, even where the clip acts."""
        return self._replace(loss=self.loss.without_clip())

    def clips(self, last: LayerTrace) -> bool:
        """Return whether the clip acts: there the loss is flat, but its gradient is not 0."""
        counted = self.loss.smoothed(self.y) != 0 if self._chooses else True
        return bool((counted & (self._moved(last) != 0)).any())

    def _moved(self, last: LayerTrace) -> Array:
        """Return how far the clip moves each probability in the value; the gradient is not clipped."""
        p = _probabilities(last)
        return np.nan_to_num(self.loss.clipped(p) - p) if self.from_z else np.zeros_like(p)

    def _value(self, a: Array, z: Array, y: Array) -> float:
        """Return the loss of one row, (1, *outputs), without its factor, computed as the gradients are."""
        from_z, from_a = self.loss.values_and_gradients_from_z, self.loss.values_and_gradients
        return float((from_z(z, y) if self.from_z else from_a(a, y))[0][0])

    def forward(self, last: LayerTrace, row: int) -> list[Equation]:
        """Return the equations of the loss of one row."""
        rows, left = slice(row, row + 1), Symbol("loss", index=(row,))
        if isinstance(self.loss, Joint) and self.loss.is_built_in:
            return self._joint(self.loss, last, row)
        value = self.loss.factor * self._value(last.a[rows], last.z[rows], self.y[rows])
        if not self.loss.is_built_in:
            return [self._opaque(left, value)]
        times = ", times its factor" if self._factor else ""
        if self._chooses:
            return [Sum(left, value, self._formula + times, self._cross_entropy(last, row))]
        terms, single = [], []
        for place in np.ndindex(self.y.shape[1:]):
            index = tuple(map(int, place))
            part = self._value(*(v[(row, *index)].reshape(1, 1) for v in (last.a, last.z, self.y)))
            name = Symbol("l", index=self._at(index))
            terms.append(Term((Factor(name, part), *self._each)))
            single.append(self._function(name, part, self._formula, last, row, index))
        single.sort(key=lambda equation: -abs(equation.value))
        rule = "the mean over outputs" if self._outputs > 1 else "the loss of its one output"
        return [Sum(left, value, rule + times, tuple(terms)), *single[:MOST_TERMS]]

    def backward(self, last: LayerTrace, row: int, index: Index) -> list[Equation]:
        """Return the equations of the gradient with respect to one activation of the last layer."""
        value = float(required(last.grad_a)[(row, *index)])
        left = Symbol("a", last.name, self._at(index), gradient=True)
        if isinstance(self.loss, Joint) and self.loss.is_built_in:
            return self._in_section(self.loss, last, row, index, left)
        if not self.loss.is_built_in:
            return [self._opaque(left, value)]
        rows, name = slice(row, row + 1), Symbol("slope", index=self._at(index))
        slope = float(self.loss.values_and_gradients(last.a[rows], self.y[rows])[1][(0, *index)])
        made = self._function(name, slope * self._outputs, self.loss.derivative, last, row, index)
        return [self._weighted(left, value, Factor(name, made.value), row), made]

    def shortcut(self, last: LayerTrace, row: int, index: Index) -> list[Equation]:
        """Return the equations of the gradient with respect to one `z` of the last layer, in one step.

        With its partner, a loss has the gradient a - y; the full chain rule yields the same.
        """
        value = float(required(last.grad_z)[(row, *index)])
        left = Symbol("z", last.name, self._at(index), gradient=True)
        if isinstance(self.loss, Joint) and self.loss.is_built_in:
            return self._in_section(self.loss, last, row, index, left)
        if not self.loss.is_built_in:
            return [self._opaque(left, value)]
        rows, name = slice(row, row + 1), Symbol("error", index=self._at(index))
        error = float(self.loss.values_and_gradients_from_z(last.z[rows], self.y[rows])[1][(0, *index)])
        rule = "exp(a) - y" if _gives_logarithms(last) else "a - y"
        numbers = self._numbers(rule, last, row, index)
        digits = digits_for(error * self._outputs, (numbers["a"], numbers["y"]))
        made = Function(name, error * self._outputs, rule, arguments=numbers, digits=digits)
        weighted = self._weighted(left, value, Factor(name, made.value), row)
        return [weighted, made, *self._the_long_way(last, row, index)]

    def _at(self, index: Index) -> Index:
        """Return the place of an output of a section in the whole row."""
        return (*index[:-1], index[-1] + self.first) if self.first else index

    def _sections(self, joint: Joint, last: LayerTrace) -> list[tuple[Objective, LayerTrace, Array]]:
        """Return each section's own objective, its part of the last layer, and each row's weight in it."""
        found = []
        for loss, part in zip(joint.losses, joint.slices(self.y.shape[1]), strict=True):
            y, weight = row_weights(loss, self.y[:, part])
            own = loss_with_factor(loss, joint.factor)
            from_z = self.from_z and bool(loss.partners)
            objective = Objective(own, y, self.weights * weight, from_z, part.start)
            found.append((objective, last.section(part), weight))
        return found

    def _joint(self, joint: Joint, last: LayerTrace, row: int) -> list[Equation]:
        """Return the equations of a joint loss of one row: a sum, and those of each section."""
        terms, equations, total = [], [], 0.0
        for number, (own, part, weight) in enumerate(self._sections(joint, last), 1):
            if weight[row]:
                first, *rest = own.forward(part, row)
                name = Symbol(f"loss of section {number}", index=(row,))
                made = (Factor(name, first.value), *unless_one("weight in the section", float(weight[row])))
                terms.append(Term(made))
                equations += [dataclasses.replace(first, left=name), *rest]
                total += first.value * float(weight[row])
        left = Symbol("loss", index=(row,))
        return [Sum(left, total, "the sum of the losses of its sections", tuple(terms)), *equations]

    def _in_section(
        self, joint: Joint, last: LayerTrace, row: int, index: Index, left: Symbol
    ) -> list[Equation]:
        """Return the equations of a gradient that a joint loss gives, from the loss of its section."""
        sections = self._sections(joint, last)
        own, part, weight = next(each for each in reversed(sections) if each[0].first <= index[-1])
        if not weight[row]:
            return [Equation(left, 0.0, "the row has no target in this section")]
        inside = (*index[:-1], index[-1] - own.first)
        first, *rest = (own.shortcut if own.from_z else own.backward)(part, row, inside)
        return [dataclasses.replace(first, left=left), *rest]

    def _the_long_way(self, last: LayerTrace, row: int, index: Index) -> list[Equation]:
        """Return the same gradient by the full Jacobian, unless a probability is too near 0."""
        activation = last.activation
        if activation is None or not activation.per_row or last.grad_a is None:
            return []
        if last.a[(row, *index[:-1])].min() < TINY:
            return []
        if self.first:
            return []  # the whole row is needed for the places' names
        (jacobian,), largest = activation_backward(last, row, index)
        rule = f"the same by the full Jacobian, {activation.derivative.replace('d', '∂')}"
        return [dataclasses.replace(jacobian, rule=rule), *self.backward(last, row, largest or index)]

    def _opaque(self, left: Symbol, value: float) -> Equation:
        """Return a number of a custom loss, whose formula is unknown."""
        rule = f"what {self.loss.name} gives"
        if not self._factor:
            return Equation(left, value, rule)
        term = Term((Factor(Symbol(rule), value / self.loss.factor), *self._factor))
        return Sum(left, value, f"{rule}, times its factor", (term,))

    def _weighted(self, left: Symbol, value: float, factor: Factor, row: int) -> Equation:
        term = Term((factor, *unless_one(f"weight of row {row}", float(self.weights[row])), *self._each))
        return Sum(left, value, " · ".join(str(f.symbol) for f in term.factors), (term,))

    def _function(
        self, name: Symbol, value: float, rule: str, last: LayerTrace, row: int, index: Index
    ) -> Equation:
        """Return a number as a formula of activation and target, in words where a logarithm was limited."""
        numbers = self._numbers(rule, last, row, index)
        cut = min(numbers["a"], 1 - numbers["a"] if self.loss.answers == "yes_no" else 1.0)
        if "/ a" in self.loss.derivative and not self.from_z and cut < TINY:
            return Equation(name, value, f"what {self.loss.name} gives, with the logarithm of 0 limited")
        digits = digits_for(numbers["a"] - numbers["y"], (numbers["a"], numbers["y"]))
        return Function(name, value, rule, arguments=numbers, digits=digits)

    def _numbers(self, rule: str, last: LayerTrace, row: int, index: Index) -> dict[str, float]:
        place = (row, *index)
        target = float(self.loss.smoothed(self.y)[place])
        own = {"a": float(last.a[place]), "z": float(last.z[place]), "y": target}
        return own | constants(self.loss, rule)

    def _cross_entropy(self, last: LayerTrace, row: int) -> tuple[Term, ...]:
        y, a = self.loss.smoothed(self.y)[row], last.a[row]
        logarithms = np.log(np.maximum(a, np.finfo(np.float64).tiny))
        if self.from_z:
            logarithms = LogSoftmax().forward(last.z[row : row + 1])[0]
        p, moved, terms = _probabilities(last)[row], self._moved(last)[row], []
        for place in np.ndindex(y.shape):
            index = tuple(map(int, place))
            if y[index]:
                text, value = figure(float(a[index])), float(logarithms[index])
                made = text if _gives_logarithms(last) else f"log({text})"
                if a[index] < TINY:  # too small to represent: its logarithm comes from z
                    made = figure(value)
                called = str(Symbol("a", last.name, self._at(index)))
                if moved[index]:
                    called, clipped = "clip" if moved[index] > 0 else "1 - clip", self.loss.clipped(p)[index]
                    made, value = f"log({figure(float(clipped))})", float(np.log(clipped))
                names = (Symbol("-y", index=self._at(index)), Symbol(f"log({called})"))
                factors = Factor(names[0], -float(y[index])), Factor(names[1], value, made)
                terms.append(Term((*factors, *self._each)))
        return tuple(terms)


def loss_with_factor(loss: Loss, factor: float) -> Loss:
    """Return a section's loss that also counts by the factor of the whole."""
    return dataclasses.replace(loss, factor=loss.factor * factor)


def _gives_logarithms(last: LayerTrace) -> bool:
    return last.activation is not None and last.activation.gives_logarithms


def _probabilities(last: LayerTrace) -> Array:
    return last.a if last.activation is None else last.activation.probabilities(last.a)
