"""The dense layer: every unit sees every input."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from ganglion.checks import check_integer
from ganglion.core.activations import IDENTITY, Activation
from ganglion.core.initializers import Initializer
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.part import Array, PartField, Shape
from ganglion.errors import ShapeError


@dataclass(frozen=True)
class Dense(Layer):
    """a = f(x @ W + b), a row of artificial neurons.

    Args:
        units: how many.
        activation: f, by name or as an `Activation`; the identity by default.
        weight_initializer: where W starts; by default the one that suits the activation
            (`Activation.initializer`). The bias b starts at 0.

    Shapes: x (n, inputs), W (inputs, units), b (units,), a (n, units).

    Raises:
        ConfigError: for less than one unit or an unknown name.
        ShapeError: when its input is not a row of numbers; put `Flatten` before it.

    >>> Dense(16, "relu")
    Dense(units=16, activation=ReLU(), weight_initializer=None)
    """

    units: int
    activation: PartField[Activation] = PartField(Activation, "identity")
    weight_initializer: PartField[Initializer] = PartField(Initializer, None)

    name = "dense"
    penalized = ("weight",)

    def __post_init__(self) -> None:
        check_integer("units", self.units, at_least=1, at_most=2**31)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ShapeError(
                f"a dense layer needs rows of numbers, got inputs of shape {shape}",
                "put gg.Flatten() before it",
            )
        return (self.units,)

    def parameters(self, shape: Shape) -> Mapping[str, Shape]:
        return {"weight": (shape[0], self.units), "bias": (self.units,)}

    def initializers(self) -> Mapping[str, Initializer]:
        return {"weight": self.weight_initializer or Initializer.find(self.activation.initializer)}

    def split_activation(self) -> tuple[Layer, Activation]:
        return dataclasses.replace(self, activation=IDENTITY), self.activation

    def describe(self) -> str:
        return f"{self.units} {self.activation.name}"

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        z = x @ weights.weight + weights.bias
        a = self.activation.forward(z)
        return a, (x, z, a)

    def backward(
        self, weights: Weights, cache: Cache, grad_a: Array, context: Context
    ) -> tuple[Array | None, Mapping[str, Array]]:
        x, z, a = cache
        grad_z = self.activation.backward(grad_a, z, a)
        grad_x = grad_z @ weights.weight.T if context.wants_grad_x else None
        return grad_x, {"weight": x.T @ grad_z, "bias": grad_z.sum(axis=0)}
