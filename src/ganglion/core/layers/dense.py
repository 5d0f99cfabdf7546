"""The dense layer: every unit is connected to every input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.activations import Activation
from ganglion.core.arithmetic import Arithmetic, Index
from ganglion.core.initializers import Initializer
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.part import Array, PartField, Shape
from ganglion.errors import ShapeError

if TYPE_CHECKING:
    from ganglion.core.arithmetic import TracedStep
    from ganglion.core.steps import Flow, Lowering


@dataclass(frozen=True)
class Dense(Layer):
    """a = f(x @ W + b), a row of artificial neurons.

    Args:
        units: the number of units.
        activation: f, by name or as an `Activation`; the identity by default.
        weight_initializer: the initializer of W; by default the one that suits the activation
            (`Activation.initializer`). The bias b starts at 0.

    Shapes: x (n, inputs), W (inputs, units), b (units,), a (n, units).

    Raises:
        ConfigError: for fewer than one unit or an unknown name.
        ShapeError: if the input is not a row of numbers; put `Flatten` before the layer.

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

    def lower(self, into: Lowering, flow: Flow) -> int:
        return into.step(self, into.single(flow, self), activation=self.activation)

    def describe(self) -> str:
        return f"{self.units} {self.activation.name}"

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        z = x @ weights.weight + weights.bias
        return z, x

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array | None, Mapping[str, Array]]:
        x = cache
        grad_x = grad_z @ weights.weight.T if context.wants_grad_x else None
        return grad_x, {"weight": x.T @ grad_z, "bias": grad_z.sum(axis=0)}


class DenseArithmetic(Arithmetic):
    """z_j = sum_i x_i w_ij + b_j, and dL/dx_i = sum_j dL/dz_j w_ij."""

    adds_up_inputs = True

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        (unit,) = index
        inputs = range(step.x.shape[1])
        terms = [step.term(step.input(row, (i,)), step.own("weight", (i, unit))) for i in inputs]
        terms.append(step.term(step.own("bias", (unit,))))
        rule = f"sum of input · weight[:, {unit}], + bias[{unit}]"
        return [step.sum(step.out(index), step.z[(row, unit)], rule, terms)]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        (i,) = index
        units = range(step.z.shape[1])
        terms = [step.term(step.grad_out(row, (j,)), step.own("weight", (i, j))) for j in units]
        largest = max(units, key=lambda j: abs(terms[j].value))
        rule = f"the sum over all paths through {step.name}"
        return [step.sum(step.grad_input(index), float(step.grad_x()[(row, i)]), rule, terms)], (largest,)

    def parameter(self, step: TracedStep, name: str, index: Index) -> list[tuple[Any, int, Index]] | None:
        found = []
        for row in range(step.count):
            unit = index[-1:]
            factors = [step.grad_out(row, unit)]
            if name == "weight":
                factors = [step.input(row, index[:1]), *factors]
            found.append((step.term(*factors, note=step.row_note(row)), row, unit))
        return found

    def moved(self, step: TracedStep, name: str, places: Array, moves: Array) -> Array:
        # Changing one weight changes one z, by the change times its input.
        result = np.repeat((step.x @ step.weights.weight + step.weights.bias)[None], len(places), axis=0)
        units = result.shape[-1]
        by = step.x.T[places // units] if name == "weight" else 1.0
        result[np.arange(len(places)), :, places % units] += moves[:, None] * by
        return result


Dense.arithmetic = DenseArithmetic()
