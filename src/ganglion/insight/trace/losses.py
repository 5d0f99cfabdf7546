"""The arithmetic of a loss: how one number came from outputs and targets, and its gradient."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from ganglion.core.activations import LogSoftmax
from ganglion.core.losses import BinaryCrossEntropy, Both, CrossEntropy, Loss
from ganglion.core.part import Array
from ganglion.insight.trace.activations import activation_backward
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
from ganglion.insight.trace.layer_trace import Index, LayerTrace, known

NAMES = ("delta", "quantile", "clip")
CLIPPED = "-(y * log(p) + (1 - y) * log(1 - p)), p = min(max(a, clip), 1 - clip)"
TINY = 1e-290  # below this a share is 0, or has lost digits


class Objective(NamedTuple):
    """What the outputs are judged by: a loss, the targets, and how much each row counts.

    Attributes:
        loss: the loss.
        y: encoded targets, of shape (n, *outputs).
        shares: of each row in the mean, of shape (n,); they sum to 1.
        from_z: whether gradients are taken from the pre-activation of the last layer (`Loss.partners`).
    """

    loss: Loss
    y: Array
    shares: Array
    from_z: bool

    @property
    def _outputs(self) -> int:
        """How many losses each row has, of which the mean is taken."""
        size = self.y[0].size
        return size // self.y.shape[-1] if isinstance(self.loss, CrossEntropy) else size

    @property
    def _clip(self) -> float:
        """How far from 0 and 1 the value keeps shares; the gradient takes them as they are."""
        loss = self.loss
        return loss.clip if self.from_z and isinstance(loss, BinaryCrossEntropy | CrossEntropy) else 0.0

    @property
    def _factor(self) -> tuple[Factor, ...]:
        return unless_one("factor", self.loss.factor)

    @property
    def _each(self) -> tuple[Factor, ...]:
        """What the loss of one output and its gradient are multiplied by in those of the row."""
        return (*unless_one("1/outputs", 1 / self._outputs), *self._factor)

    def judge(self, outputs: Array, y: Array, from_z: bool) -> Both:
        """Return the loss of each row and its gradient, from activations or from `z`, times the factor."""
        found = self.loss.values_and_gradients_from_z if from_z else self.loss.values_and_gradients
        values, gradients = found(outputs, y)
        return values * self.loss.factor, gradients * self.loss.factor

    def without_clip(self) -> Objective:
        """Return the same with the loss whose derivative the gradient is, also where the clip acts."""
        if not isinstance(self.loss, BinaryCrossEntropy | CrossEntropy) or not self.loss.clip:
            return self
        return self._replace(loss=dataclasses.replace(self.loss, clip=0.0))

    def clips(self, last: LayerTrace) -> bool:
        """Return whether the clip acts: there the loss is flat, and its gradient is not."""
        counted = self._smoothed() != 0 if isinstance(self.loss, CrossEntropy) else True
        return bool((counted & self._clipped(last)).any())

    def _clipped(self, last: LayerTrace) -> Array:
        """Return where a bound takes the place of a share in the value."""
        clip, shares = self._clip, _shares(last)
        return (clip > 0) & ((shares < clip) | (shares > 1 - clip))

    def _value(self, a: Array, z: Array, y: Array) -> float:
        """Return the loss of one row, (1, *outputs), without its factor, reckoned as the gradients are."""
        from_z, from_a = self.loss.values_and_gradients_from_z, self.loss.values_and_gradients
        return float((from_z(z, y) if self.from_z else from_a(a, y))[0][0])

    def forward(self, last: LayerTrace, row: int) -> list[Equation]:
        """Return how the loss of one row came about."""
        rows, left = slice(row, row + 1), Symbol("loss", index=(row,))
        value = self.loss.factor * self._value(last.a[rows], last.z[rows], self.y[rows])
        if not self.loss.is_built_in:
            return [self._opaque(left, value)]
        times = ", times its factor" if self._factor else ""
        if isinstance(self.loss, CrossEntropy):
            kept = ", each a_k kept between clip and 1 - clip" if self._clip else ""
            return [Sum(left, value, self.loss.formula + kept + times, self._cross_entropy(last, row))]
        terms, single = [], []
        for place in np.ndindex(self.y.shape[1:]):
            index = tuple(map(int, place))
            part = self._value(*(v[(row, *index)].reshape(1, 1) for v in (last.a, last.z, self.y)))
            name = Symbol("l", index=index)
            terms.append(Term((Factor(name, part), *self._each)))
            formula = (self.loss.formula_from_z if self.from_z else "") or self.loss.formula
            formula = CLIPPED if self._clip else formula
            single.append(self._function(name, part, formula, last, row, index))
        single.sort(key=lambda equation: -abs(equation.value))
        rule = "the mean over outputs" if self._outputs > 1 else "that of its one output"
        return [Sum(left, value, rule + times, tuple(terms)), *single[:MOST_TERMS]]

    def backward(self, last: LayerTrace, row: int, index: Index) -> list[Equation]:
        """Return how the gradient with respect to one activation of the last layer came about."""
        value = float(known(last.grad_a)[(row, *index)])
        left = Symbol("a", last.name, index, gradient=True)
        if not self.loss.is_built_in:
            return [self._opaque(left, value)]
        rows, name = slice(row, row + 1), Symbol("slope", index=index)
        slope = float(self.loss.values_and_gradients(last.a[rows], self.y[rows])[1][(0, *index)])
        made = self._function(name, slope * self._outputs, self.loss.derivative, last, row, index)
        return [self._weighted(left, value, Factor(name, made.value), row), made]

    def shortcut(self, last: LayerTrace, row: int, index: Index) -> list[Equation]:
        """Return how the gradient with respect to one `z` of the last layer came about, in one step.

        Beside its partner, a loss has the gradient a - y, and the full chain rule gives the same.
        """
        value = float(known(last.grad_z)[(row, *index)])
        left = Symbol("z", last.name, index, gradient=True)
        if not self.loss.is_built_in:
            return [self._opaque(left, value)]
        rows, name = slice(row, row + 1), Symbol("error", index=index)
        error = float(self.loss.values_and_gradients_from_z(last.z[rows], self.y[rows])[1][(0, *index)])
        rule = "exp(a) - y" if isinstance(last.activation, LogSoftmax) else "a - y"
        numbers = self._numbers(last, row, index)
        digits = digits_for(error * self._outputs, (numbers["a"], numbers["y"]))
        made = Function(name, error * self._outputs, rule, arguments=numbers, digits=digits)
        weighted = self._weighted(left, value, Factor(name, made.value), row)
        return [weighted, made, *self._the_long_way(last, row, index)]

    def _the_long_way(self, last: LayerTrace, row: int, index: Index) -> list[Equation]:
        """Return the same by the full Jacobian of softmax, unless a share is too near 0 for it."""
        if last.activation is None or last.activation.name != "softmax" or last.grad_a is None:
            return []
        if last.a[(row, *index[:-1])].min() < TINY:
            return []
        (jacobian,), largest = activation_backward(last, row, index)
        rule = "the same by the full Jacobian, ∂a_i/∂z_j = a_i * ((i == j) - a_j)"
        return [dataclasses.replace(jacobian, rule=rule), *self.backward(last, row, largest or index)]

    def _opaque(self, left: Symbol, value: float) -> Equation:
        """Return a number of a loss that cannot be taken apart."""
        rule = f"what {self.loss.name} gives"
        if not self._factor:
            return Equation(left, value, rule)
        term = Term((Factor(Symbol(rule), value / self.loss.factor), *self._factor))
        return Sum(left, value, f"{rule}, times its factor", (term,))

    def _weighted(self, left: Symbol, value: float, factor: Factor, row: int) -> Equation:
        term = Term((factor, *unless_one(f"share of row {row}", float(self.shares[row])), *self._each))
        return Sum(left, value, " · ".join(str(f.symbol) for f in term.factors), (term,))

    def _function(
        self, name: Symbol, value: float, rule: str, last: LayerTrace, row: int, index: Index
    ) -> Equation:
        """Return how a number came from activation and target, in words where a logarithm was cut off."""
        numbers = self._numbers(last, row, index)
        cut = min(numbers["a"], 1 - numbers["a"] if isinstance(self.loss, BinaryCrossEntropy) else 1.0)
        if "/ a" in self.loss.derivative and not self.from_z and cut < TINY:
            return Equation(name, value, f"what {self.loss.name} gives where a share is 0 and cut off")
        digits = digits_for(numbers["a"] - numbers["y"], (numbers["a"], numbers["y"]))
        return Function(name, value, rule, arguments=numbers, digits=digits)

    def _smoothed(self) -> Array:
        smoothing = getattr(self.loss, "label_smoothing", 0.0)
        classes = self.y.shape[-1] if isinstance(self.loss, CrossEntropy) else 2
        return self.y * (1 - smoothing) + smoothing / classes

    def _numbers(self, last: LayerTrace, row: int, index: Index) -> dict[str, float]:
        own = {name: float(getattr(self.loss, name)) for name in NAMES if getattr(self.loss, name, 0.0)}
        target = float(self._smoothed()[(row, *index)])
        place = (row, *index)
        return {"a": float(last.a[place]), "z": float(last.z[place]), "y": target} | own

    def _cross_entropy(self, last: LayerTrace, row: int) -> tuple[Term, ...]:
        y, a = self._smoothed()[row], last.a[row]
        logarithms = np.log(np.maximum(a, np.finfo(np.float64).tiny))
        if self.from_z:
            logarithms = LogSoftmax().forward(last.z[row : row + 1])[0]
        clipped, terms = self._clipped(last)[row], []
        for place in np.ndindex(y.shape):
            index = tuple(map(int, place))
            if y[index]:
                text, value = figure(float(a[index])), float(logarithms[index])
                made = text if isinstance(last.activation, LogSoftmax) else f"log({text})"
                if a[index] < TINY:  # too small to be a number: its logarithm comes from z
                    made = figure(value)
                called = str(Symbol("a", last.name, index))
                if clipped[index]:
                    low, clip = _shares(last)[row][index] < 0.5, self._clip
                    called, kept = ("clip", clip) if low else ("1 - clip", 1 - clip)
                    made, value = f"log({figure(kept)})", float(np.log(kept))
                names = (Symbol("-y", index=index), Symbol(f"log({called})"))
                factors = Factor(names[0], -float(y[index])), Factor(names[1], value, made)
                terms.append(Term((*factors, *self._each)))
        return tuple(terms)


def _shares(last: LayerTrace) -> Array:
    return np.exp(last.a) if isinstance(last.activation, LogSoftmax) else last.a
