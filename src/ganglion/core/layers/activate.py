"""An activation as a layer of its own, for where a normalization comes between."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from ganglion.core.activations import IDENTITY, Activation
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.part import Array, PartField


@dataclass(frozen=True)
class Activate(Layer):
    """a = f(x), element by element: `[Dense(16), BatchNormalization(), Activate("relu")]`.

    Args:
        activation: f, by name or as an `Activation`.
    """

    activation: PartField[Activation] = PartField(Activation, "identity")

    name = "activate"

    def split_activation(self) -> tuple[Layer, Activation]:
        return dataclasses.replace(self, activation=IDENTITY), self.activation

    def describe(self) -> str:
        return self.activation.name

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        a = self.activation.forward(x)
        return a, (x, a)

    def backward(
        self, weights: Weights, cache: Cache, grad_a: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        x, a = cache
        return self.activation.backward(grad_a, x, a), {}
