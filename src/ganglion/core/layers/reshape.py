"""Layers that change the shape and keep the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ganglion.checks import check_integer
from ganglion.core.arithmetic import SameNumber
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.part import MOST_AXES, Array, Shape
from ganglion.errors import ConfigError, ShapeError, shortened


@dataclass(frozen=True)
class Reshape(Layer):
    """Change the shape of each input.

    Args:
        shape: the shape of one output, without the batch axis; one size may be -1, to be inferred. The
            default, `(-1,)`, flattens.

    Raises:
        ConfigError: if `shape` is not a tuple of sizes.
        ShapeError: if the input has a different number of elements.
    """

    shape: tuple[int, ...] = (-1,)

    name = "reshape"

    def __post_init__(self) -> None:
        if not isinstance(self.shape, tuple) or self.shape.count(-1) > 1 or len(self.shape) > MOST_AXES:
            raise ConfigError(
                f"shape must be a tuple of at most {MOST_AXES} sizes, one of which may be -1, got "
                f"{shortened(self.shape)}"
            )
        for size in self.shape:
            if size != -1:
                check_integer("each size in shape", size, at_least=1, at_most=2**31)

    def settings(self) -> dict[str, float]:
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        size, known = math.prod(shape), math.prod(s for s in self.shape if s != -1)
        target = tuple(size // known if s == -1 else s for s in self.shape)
        if math.prod(target) != size:
            raise ShapeError(f"cannot reshape {shape}, {size} numbers, to {self.shape}")
        return target

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        return x.reshape(x.shape[0], *self.output_shape(x.shape[1:])), x.shape

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        return grad_z.reshape(cache), {}


class Flatten(Reshape):
    """Flatten each input to one row of numbers, as dense layers require."""

    name = "flatten"

    def __init__(self) -> None:
        super().__init__((-1,))

    def configuration(self) -> dict[str, str]:
        return {"name": self.name}


Reshape.arithmetic = SameNumber()
