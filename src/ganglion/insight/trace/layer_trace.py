"""The numbers of one step of a network, forward and backward, and equations about them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ganglion.core.activations import Activation
from ganglion.core.layers import Layer
from ganglion.core.layers.base import Weights
from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.errors import ConfigError
from ganglion.insight.trace.equation import Equation, Factor, Function, Grids, Sum, Symbol, Term, digits_for

Index = tuple[int, ...]
Namer = Callable[[Index], Symbol]


@dataclass
class LayerTrace:
    """The numbers of one step, forward and backward, for each row of the batch.

    `x` is the input, `z` the pre-activation, `a` the activation. Without an activation function `z` and `a`
    are the same. Each gradient of the loss has the shape of its array; without targets it is None.

    Attributes:
        step: of the lowered network.
        x, z, a: of shape (n, ...); `x` is a tuple where the layer combines several values.
        grads: the gradient with respect to each value that the step reads.
        grad_z, grad_a: the gradient with respect to `z` and `a`.
        gradients: the gradient with respect to each parameter of the layer, by name, without penalties.
    """

    step: Step
    weights: Weights
    cache: Any
    x: Any
    z: Array
    a: Array
    training: bool
    namers: Sequence[Namer]
    grads: tuple[Array | None, ...] = ()
    grad_z: Array | None = None
    grad_a: Array | None = None
    gradients: Mapping[str, Array] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the layer in the network, such as "dense_1"."""
        return self.step.name

    @property
    def layer(self) -> Layer:
        """Its configuration."""
        return self.step.layer

    @property
    def activation(self) -> Activation | None:
        """The function from `z` to `a`, None if they are the same."""
        return self.step.activation

    def section(self, places: slice) -> LayerTrace:
        """Return the numbers of some places of the last axis, with the activation that acts there."""
        f = self.activation
        own = f if f is None else f.section(places.start, self.z.shape[-1])[0]
        arrays: dict[str, Any] = {
            name: None if (value := getattr(self, name)) is None else value[..., places]
            for name in ("z", "a", "grad_z", "grad_a")
        }
        return dataclasses.replace(self, step=self.step._replace(activation=own), **arrays)

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.z)

    @property
    def back(self) -> Array:
        """The gradient with respect to `z`."""
        return required(self.grad_z)

    def grad_x(self, which: int = 0) -> Array:
        """Return the gradient with respect to one of the inputs."""
        return required(self.grads[which] if self.grads else None)

    def series(self) -> dict[str, Any]:
        """Return all arrays by name; several inputs as a list."""
        grads: Any = self.grads or (None,)
        several = isinstance(self.x, tuple)
        return {
            "x": list(self.x) if several else self.x,
            "z": self.z,
            "a": self.a,
            "grad_x": list(grads) if several else grads[0],
            "grad_z": self.grad_z,
            "grad_a": self.grad_a,
        }

    def out(self, index: Index, gradient: bool = False) -> Symbol:
        """Return the name of an output of the layer before the activation function."""
        return Symbol("a" if self.activation is None else "z", self.name, index, gradient)

    def grad_out(self, row: int, index: Index) -> Factor:
        """Return the gradient of the loss with respect to that output."""
        return Factor(self.out(index, gradient=True), float(self.back[(row, *index)]))

    def input_symbol(self, index: Index, which: int = 0) -> Symbol:
        """Return the name of an input number."""
        return self.namers[which](index)

    def grad_input(self, index: Index, which: int = 0) -> Symbol:
        """Return the name of the gradient with respect to an input number."""
        return dataclasses.replace(self.input_symbol(index, which), gradient=True)

    def input(self, row: int, index: Index, which: int = 0) -> Factor:
        """Return one input number."""
        x = self.x[which] if isinstance(self.x, tuple) else self.x
        return Factor(self.input_symbol(index, which), float(x[(row, *index)]))

    def own(
        self, letter: str, index: Index = (), value: float | None = None, gradient: bool = False
    ) -> Factor:
        """Return a parameter, or another number of the layer."""
        number = getattr(self.weights, letter)[index] if value is None else value
        return Factor(Symbol(letter, self.name, index, gradient), float(number))

    def row_note(self, row: int) -> str:
        """Return the row of a number as a note, if there are several rows."""
        return f"row {row}" if self.count > 1 else ""

    @staticmethod
    def factor(name: Symbol | str, value: float) -> Factor:
        """Return a number with a name."""
        return Factor(name if isinstance(name, Symbol) else Symbol(name), float(value))

    @staticmethod
    def term(*factors: Factor, note: str = "") -> Term:
        """Return a product."""
        return Term(factors, note)

    @staticmethod
    def square(name: object, value: float, mean: float) -> Factor:
        """Return the square of a number's distance from the mean."""
        numbers = {"x": value, "mean": mean}
        digits = digits_for(value - mean, numbers.values())
        shown = Function(Symbol(""), 0.0, "(x - mean)**2", arguments=numbers, digits=digits).expression
        return Factor(Symbol(f"({name} - mean)²"), (value - mean) ** 2, shown)

    @staticmethod
    def sum(left: Symbol, value: float, rule: str, terms: Sequence[Term]) -> Sum:
        """Return a sum of products."""
        return Sum(left, float(value), rule, tuple(terms))

    @staticmethod
    def equation(left: Symbol, value: float, rule: str = "", note: str = "") -> Equation:
        """Return a number and the rule that yields it."""
        return Equation(left, float(value), rule, note=note)

    @staticmethod
    def grids(left: str, value: float, *grids: Sequence[Sequence[float | None]], marked: Index = ()) -> Grids:
        """Return grids whose products, place by place, sum to a value, or one with a marked number."""
        numbers = tuple(tuple(map(tuple, grid)) for grid in grids)
        return Grids(Symbol(left), float(value), grids=numbers, marked=marked)

    @staticmethod
    def function(
        left: Symbol, value: float, rule: str, note: str = "", apart: tuple[str, ...] = (), **numbers: float
    ) -> Function:
        """Return a formula of named numbers; `apart` names two whose difference must stay visible."""
        digits = (
            digits_for(numbers[apart[0]] - numbers[apart[1]], [numbers[name] for name in apart])
            if apart
            else 6
        )
        return Function(left, float(value), rule, arguments=numbers, note=note, digits=digits)


def required(gradient: Array | None) -> Array:
    """Return a gradient.

    Raises:
        ConfigError: if the trace was made without targets.
    """
    if gradient is None:
        raise ConfigError("gradients need targets", "pass y when you make the trace")
    return gradient
