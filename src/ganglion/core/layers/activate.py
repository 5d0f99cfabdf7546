"""An activation as a separate layer, for example after a normalization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganglion.core.activations import Activation
from ganglion.core.arithmetic import SameNumber
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.part import Array, PartField

if TYPE_CHECKING:
    from ganglion.core.steps import Flow, Lowering


@dataclass(frozen=True)
class Activate(Layer):
    """a = f(x), applied elementwise: `[Dense(16), BatchNormalization(), Activate("relu")]`.

    Args:
        activation: f, by name or as an `Activation`.
    """

    activation: PartField[Activation] = PartField(Activation, "identity")

    name = "activate"

    def lower(self, into: Lowering, flow: Flow) -> int:
        return into.step(self, into.single(flow, self), activation=self.activation)

    def describe(self) -> str:
        return self.activation.name

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        return x, None

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        return grad_z, {}


Activate.arithmetic = SameNumber()
