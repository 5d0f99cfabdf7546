"""The arithmetic of each kind of layer, forward and backward, as equations with its numbers.

To add a layer: write a subclass of `Arithmetic`, add it to the table at the end. What the table does not
name, such as a layer of your own, is shown with its numbers but not taken apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ganglion.core.activations import Activation
from ganglion.core.layers import (
    Activate,
    BatchNormalization,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LayerNormalization,
    Reshape,
)
from ganglion.core.layers.base import Weights
from ganglion.core.part import Array
from ganglion.errors import ConfigError
from ganglion.insight.trace.equation import Equation, Factor, Function, Sum, Symbol, Term, digits_for

Index = tuple[int, ...]


@dataclass
class LayerTrace:
    """What went through one layer, forward and backward, for each row of the batch.

    `x` comes in, `z` is the pre-activation, `a` the activation; where a layer has no activation the two
    are the same. The gradients of the loss are laid out like what they belong to, None without targets.

    Attributes:
        name: of the layer in the network, such as "dense_1".
        layer: its configuration.
        x, z, a: of shape (n, ...).
        grad_x, grad_z, grad_a: the gradient of the loss with respect to each.
        gradients: that with respect to each parameter of the layer, by name; without penalties.
    """

    name: str
    layer: Layer
    before_activation: Layer
    activation: Activation | None
    weights: Weights
    cache: Any
    x: Array
    z: Array
    a: Array
    training: bool
    input_symbol: Callable[[Index], Symbol]
    grad_x: Array | None = None
    grad_z: Array | None = None
    grad_a: Array | None = None
    gradients: Mapping[str, Array] = field(default_factory=dict)

    def out(self, index: Index, gradient: bool = False) -> Symbol:
        """Return the name of a number that the layer gives before its activation."""
        return Symbol("a" if self.activation is None else "z", self.name, index, gradient)

    def grad_out(self, row: int, index: Index) -> Factor:
        """Return the gradient of the loss with respect to that number."""
        return Factor(self.out(index, gradient=True), float(known(self.grad_z)[(row, *index)]))

    def grad_input(self, index: Index) -> Symbol:
        """Return the name of the gradient with respect to a number that comes in."""
        return dataclasses.replace(self.input_symbol(index), gradient=True)

    def input(self, row: int, index: Index) -> Factor:
        """Return one number that came in."""
        return Factor(self.input_symbol(index), float(self.x[(row, *index)]))

    def own(self, letter: str, index: Index = (), value: float | None = None) -> Factor:
        """Return a parameter, or another number of the layer."""
        number = getattr(self.weights, letter)[index] if value is None else value
        return Factor(Symbol(letter, self.name, index), float(number))


def _square(value: float, mean: float) -> str:
    numbers = {"x": value, "mean": mean}
    digits = digits_for(value - mean, numbers.values())
    return Function(Symbol(""), 0.0, "(x - mean)**2", arguments=numbers, digits=digits).expression


def known(gradient: Array | None) -> Array:
    """Return a gradient, which is there whenever the trace was made with targets."""
    if gradient is None:
        raise ConfigError("gradients need targets", "give y when making the trace")
    return gradient


class Arithmetic:
    """How one kind of layer reckons. This one, for layers not known, only says what came out."""

    def forward(self, part: LayerTrace, row: int, index: Index) -> list[Equation]:
        """Return how the output number `index` of a row came about, that number's equation first."""
        rule = f"what forward of {part.before_activation.name} gives"
        return [Equation(part.out(index), float(part.z[(row, *index)]), rule)]

    def backward(self, part: LayerTrace, row: int, index: Index) -> tuple[list[Equation], Index | None]:
        """Return how the gradient of one input came about, and the output that carries most of it."""
        value = float(known(part.grad_x)[(row, *index)])
        rule = f"what backward of {part.before_activation.name} gives"
        return [Equation(part.grad_input(index), value, rule)], None

    def parameter(self, part: LayerTrace, name: str, index: Index) -> list[tuple[Term, int, Index]] | None:
        """Return the terms of a parameter's gradient, each with the row and the output it comes from."""
        return None


class DenseArithmetic(Arithmetic):
    """z_j = sum_i x_i w_ij + b_j, and dL/dx_i = sum_j dL/dz_j w_ij."""

    def forward(self, part: LayerTrace, row: int, index: Index) -> list[Equation]:
        (unit,) = index
        terms = [Term((part.input(row, (i,)), part.own("weight", (i, unit)))) for i in range(part.x.shape[1])]
        terms.append(Term((part.own("bias", (unit,)),)))
        rule = f"sum of input · weight[:, {unit}], + bias[{unit}]"
        return [Sum(part.out(index), part.z[(row, unit)], rule, tuple(terms))]

    def backward(self, part: LayerTrace, row: int, index: Index) -> tuple[list[Equation], Index | None]:
        (i,) = index
        terms = [Term((part.grad_out(row, (j,)), part.own("weight", (i, j)))) for j in range(part.z.shape[1])]
        largest = max(range(len(terms)), key=lambda j: abs(terms[j].value))
        value = float(known(part.grad_x)[(row, i)])
        rule = f"the sum over all paths through {part.name}"
        return [Sum(part.grad_input(index), value, rule, tuple(terms))], (largest,)

    def parameter(self, part: LayerTrace, name: str, index: Index) -> list[tuple[Term, int, Index]] | None:
        found = []
        for row in range(len(part.x)):
            unit = index[-1:]
            factors: tuple[Factor, ...] = (part.grad_out(row, unit),)
            if name == "weight":
                factors = (part.input(row, index[:1]), *factors)
            found.append((Term(factors, _row_note(part, row)), row, unit))
        return found


def _row_note(part: LayerTrace, row: int) -> str:
    return f"row {row}" if len(part.x) > 1 else ""


class SameNumber(Arithmetic):
    """What comes out is a number that came in, perhaps at another place."""

    def forward(self, part: LayerTrace, row: int, index: Index) -> list[Equation]:
        source = self._place(index, part.z.shape[1:], part.x.shape[1:])
        term = Term((part.input(row, source),))
        rule = "the number that comes in"
        return [Sum(part.out(index), part.z[(row, *index)], rule, (term,))]

    def backward(self, part: LayerTrace, row: int, index: Index) -> tuple[list[Equation], Index | None]:
        target = self._place(index, part.x.shape[1:], part.z.shape[1:])
        out = part.grad_out(row, target)
        rule = "the same number"
        return [Sum(part.grad_input(index), out.value, rule, (Term((out,)),))], target

    @staticmethod
    def _place(index: Index, shape: Index, other: Index) -> Index:
        return tuple(int(i) for i in np.unravel_index(np.ravel_multi_index(index, shape), other))


class DropoutArithmetic(Arithmetic):
    """a = x * factor, the factor 0 where the mask drops it and 1 / (1 - rate) elsewhere."""

    def forward(self, part: LayerTrace, row: int, index: Index) -> list[Equation]:
        factor = self._factor(part, row, index)
        term = Term((part.input(row, index), factor))
        return [
            Sum(part.out(index), part.z[(row, *index)], "input · factor", (term,)),
            self._mask(part, factor),
        ]

    def backward(self, part: LayerTrace, row: int, index: Index) -> tuple[list[Equation], Index | None]:
        factor = self._factor(part, row, index)
        term = Term((part.grad_out(row, index), factor))
        return [
            Sum(part.grad_input(index), term.value, "goes through the mask", (term,)),
            self._mask(part, factor),
        ], index

    @staticmethod
    def _factor(part: LayerTrace, row: int, index: Index) -> Factor:
        value = 1.0 if part.cache is None else float(part.cache[(row, *index)])
        return Factor(Symbol("factor", part.name, index), value)

    @staticmethod
    def _mask(part: LayerTrace, factor: Factor) -> Equation:
        if part.cache is None:
            return Equation(factor.symbol, 1.0, note="dropout acts only while training")
        rate = getattr(part.layer, "rate", 0.0)
        arguments = {"mask": float(factor.value != 0), "rate": rate}
        note = "kept" if factor.value else "dropped in this step"
        return Function(factor.symbol, factor.value, "mask / (1 - rate)", arguments=arguments, note=note)


class NormalizationArithmetic(Arithmetic):
    """a = scale * normal + shift, normal = (x - mean) / sqrt(variance + epsilon)."""

    def forward(self, part: LayerTrace, row: int, index: Index) -> list[Equation]:
        normal, channel = part.cache[0][(row, *index)], index[-1:]
        own = part.own("normal", index, normal)
        a = Sum(
            part.out(index),
            part.z[(row, *index)],
            "normal · scale + shift",
            (Term((own, part.own("scale", channel))), Term((part.own("shift", channel),))),
        )
        mean, variance, equations = self._moments(part, row, index)
        epsilon = getattr(part.layer, "epsilon", 0.0)
        arguments = {"x": part.x[(row, *index)], "mean": mean, "variance": variance, "epsilon": epsilon}
        rule = "(x - mean) / sqrt(variance + epsilon)"
        digits = digits_for(arguments["x"] - mean, (arguments["x"], mean))
        return [a, Function(own.symbol, normal, rule, arguments=arguments, digits=digits), *equations]

    def _moments(self, part: LayerTrace, row: int, index: Index) -> tuple[float, float, list[Equation]]:
        x, symbols, where = self._together(part, row, index)
        share = Factor(Symbol(f"1/{len(x)}"), 1 / len(x))
        mean = float(x.mean())
        variance = float(((x - mean) ** 2).mean())
        first, second = Symbol("mean", part.name, where), Symbol("variance", part.name, where)
        means = tuple(Term((Factor(s, v), share)) for s, v in zip(symbols, x, strict=True))
        squares = tuple(
            Term((Factor(Symbol(f"({s} - mean)²"), (v - mean) ** 2, _square(v, mean)), share))
            for s, v in zip(symbols, x, strict=True)
        )
        equations: list[Equation] = [
            Sum(first, mean, f"the mean of {len(x)} numbers", means),
            Sum(second, variance, "the mean of their squared distances from it", squares),
        ]
        return mean, variance, equations

    def _together(self, part: LayerTrace, row: int, index: Index) -> tuple[Array, list[Symbol], Index]:
        """Return the numbers that are normalized together, their names, and whose moments they give."""
        x = part.x[(row, *index[:-1])]
        return x, [part.input_symbol((*index[:-1], i)) for i in range(len(x))], index[:-1]

    def backward(self, part: LayerTrace, row: int, index: Index) -> tuple[list[Equation], Index | None]:
        normal, deviation = part.cache[0], part.cache[1]
        out, scale = part.grad_out(row, index), part.own("scale", index[-1:])
        grad_normal = known(part.grad_z) * part.weights.scale
        own = Factor(Symbol("normal", part.name, index, gradient=True), grad_normal[(row, *index)])
        share = 1 / np.broadcast_to(deviation, normal.shape)[(row, *index)]
        divided = Factor(Symbol("1/deviation"), float(share))
        terms = [Term((own, divided))]
        if self._varies(part):
            axes = self._axes(part)
            mean = np.broadcast_to(grad_normal.mean(axis=axes, keepdims=True), normal.shape)
            along = np.broadcast_to((grad_normal * normal).mean(axis=axes, keepdims=True), normal.shape)
            terms += [
                Term((Factor(Symbol("-mean ∂L/∂normal"), -float(mean[(row, *index)])), divided), "mean"),
                Term(
                    (
                        part.own("normal", index, normal[(row, *index)]),
                        Factor(Symbol("-mean (∂L/∂normal · normal)"), -float(along[(row, *index)])),
                        divided,
                    ),
                    "variance",
                ),
            ]
        left = part.grad_input(index)
        value = known(part.grad_x)[(row, *index)]
        rule = "directly, and through mean and variance" if len(terms) > 1 else "through the normal value"
        return [
            Sum(left, float(value), rule, tuple(terms)),
            Sum(own.symbol, own.value, "what comes back · scale", (Term((out, scale)),)),
        ], index

    def parameter(self, part: LayerTrace, name: str, index: Index) -> list[tuple[Term, int, Index]] | None:
        found = []
        for place in np.ndindex(part.z.shape[:-1]):
            row, where = int(place[0]), (*map(int, place[1:]), *index)
            factors: tuple[Factor, ...] = (part.grad_out(row, where),)
            if name == "scale":
                factors = (*factors, part.own("normal", where, part.cache[0][(row, *where)]))
            found.append((Term(factors, _row_note(part, row)), row, where))
        return found

    def _varies(self, part: LayerTrace) -> bool:
        return True

    def _axes(self, part: LayerTrace) -> Index:
        return (part.x.ndim - 1,)


class BatchNormalizationArithmetic(NormalizationArithmetic):
    """The same with the moments of the batch, or those kept from training."""

    def _moments(self, part: LayerTrace, row: int, index: Index) -> tuple[float, float, list[Equation]]:
        if part.training:
            return super()._moments(part, row, index)
        kept = [part.own(name, index[-1:]) for name in ("mean", "variance")]
        note = "the running average kept from training"
        return kept[0].value, kept[1].value, [Equation(f.symbol, f.value, note=note) for f in kept]

    def _together(self, part: LayerTrace, row: int, index: Index) -> tuple[Array, list[Symbol], Index]:
        places = list(np.ndindex(part.x.shape[:-1]))
        several = len(places) > 1
        symbols = []
        for place in places:
            symbol = part.input_symbol((*map(int, place[1:]), *index[-1:]))
            text = f"{symbol} of row {place[0]}" if several else str(symbol)
            symbols.append(Symbol(text))
        return part.x[..., index[-1]].ravel(), symbols, index[-1:]

    def _varies(self, part: LayerTrace) -> bool:
        return part.training

    def _axes(self, part: LayerTrace) -> Index:
        return tuple(range(part.x.ndim - 1))


ARITHMETIC: dict[type[Layer], Arithmetic] = {
    Dense: DenseArithmetic(),
    Activate: SameNumber(),
    Dropout: DropoutArithmetic(),
    BatchNormalization: BatchNormalizationArithmetic(),
    LayerNormalization: NormalizationArithmetic(),
    Flatten: SameNumber(),
    Reshape: SameNumber(),
}
UNKNOWN = Arithmetic()


def arithmetic_of(layer: Layer) -> Arithmetic:
    """Return how a layer reckons."""
    return ARITHMETIC.get(type(layer), UNKNOWN)
