"""The layers of the workloads as plain data, which each peer translates. To add one: a class here, and a case
in each peer that can have it.

Images are (height, width, channels), signals (time, channels). Layers that see both move along all axes but
the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A layer without weights that keeps the shape of its input."""

    def output(self, shape: Shape) -> Shape:
        return shape

    def products(self, shape: Shape) -> int:
        """Return the multiplications of one row's forward pass; at the edges, padding counts."""
        return 0

    def start(self, shape: Shape, chance: np.random.Generator, dtype: str) -> list[Array]:
        """Return its initial parameters."""
        return []


@dataclass(frozen=True)
class Dense(Layer):
    """Its weights are (*shape, units): it flattens an image or signal."""

    units: int
    activation: str = "identity"

    def output(self, shape: Shape) -> Shape:
        return (self.units,)

    def products(self, shape: Shape) -> int:
        return math.prod(shape) * self.units

    def start(self, shape: Shape, chance: np.random.Generator, dtype: str) -> list[Array]:
        return [kernel((*shape, self.units), self.units, chance, dtype), np.zeros(self.units, dtype)]


@dataclass(frozen=True)
class Convolution(Layer):
    """Along each axis `padding` places are added on both sides; half the kernel keeps the size."""

    filters: int
    kernel: int
    padding: int
    activation: str = "relu"
    stride: int = 1
    groups: int = 1
    bias: bool = True

    def output(self, shape: Shape) -> Shape:
        sizes = [(size + 2 * self.padding - self.kernel) // self.stride + 1 for size in shape[:-1]]
        return (*sizes, self.filters)

    def products(self, shape: Shape) -> int:
        return math.prod(self.output(shape)[:-1]) * math.prod(self.weight(shape))

    def start(self, shape: Shape, chance: np.random.Generator, dtype: str) -> list[Array]:
        weight = kernel(self.weight(shape), self.filters // self.groups, chance, dtype)
        return [weight, np.zeros(self.filters, dtype)] if self.bias else [weight]

    def weight(self, shape: Shape) -> Shape:
        return (*[self.kernel for _ in shape[:-1]], shape[-1] // self.groups, self.filters)


@dataclass(frozen=True)
class MaxPool(Layer):
    """Windows of `size` along each axis that touch and do not overlap."""

    size: int = 2

    def output(self, shape: Shape) -> Shape:
        return (*[size // self.size for size in shape[:-1]], shape[-1])


@dataclass(frozen=True)
class GlobalAverage(Layer):
    """The mean of each channel."""

    def output(self, shape: Shape) -> Shape:
        return shape[-1:]


@dataclass(frozen=True)
class Activate(Layer):
    """An activation by itself."""

    activation: str


@dataclass(frozen=True)
class BatchNormalization(Layer):
    """Each channel is normalized; running averages keep 0.9 of themselves at each step."""

    def start(self, shape: Shape, chance: np.random.Generator, dtype: str) -> list[Array]:
        return [np.ones(shape[-1], dtype), np.zeros(shape[-1], dtype)]


@dataclass(frozen=True)
class Residual(Layer):
    """Layers whose output, of the same shape as their input, is added to it."""

    layers: tuple[Layer, ...]


def walk(layers: tuple[Layer, ...], shape: Shape) -> Iterator[tuple[Layer, Shape]]:
    """Yield each layer and the shape of its input; in place of a residual layer, the layers inside."""
    for layer in layers:
        if isinstance(layer, Residual):
            yield from walk(layer.layers, shape)
        else:
            yield layer, shape
            shape = layer.output(shape)


def translated(
    layers: tuple[Layer, ...], shape: Shape, translate: Callable[[Layer, Shape], list[Any]]
) -> list[Any]:
    """Return a library's layers, given what makes some for one layer and the shape of its input."""
    made: list[Any] = []
    for layer in layers:
        made += translate(layer, shape)
        shape = layer.output(shape)
    return made


def kernel(shape: Shape, outputs: int, chance: np.random.Generator, dtype: str) -> Array:
    """Return uniform initial weights for so many outputs of each group."""
    inputs = math.prod(shape[:-1])
    return chance.uniform(-1, 1, shape).astype(dtype) * np.sqrt(6 / (inputs + outputs)).astype(dtype)


def dense(activation: str, *units: int) -> tuple[Layer, ...]:
    """Return dense layers, the last of which is linear."""
    return (*[Dense(n, activation) for n in units[:-1]], Dense(units[-1]))


def separable(channels: int, filters: int, stride: int) -> tuple[Layer, ...]:
    """Return a depthwise convolution, and one of 1 x 1 that mixes the channels."""
    return (
        Convolution(channels, 3, 1, "identity", stride, groups=channels, bias=False),
        Convolution(filters, 1, 0),
    )


def normalized(filters: int, stride: int = 1, activation: str = "relu") -> tuple[Layer, ...]:
    """Return a convolution of 3 x 3, batch normalization and the activation."""
    convolution = Convolution(filters, 3, 1, "identity", stride, bias=False)
    return (convolution, BatchNormalization(), Activate(activation))


def basic_blocks(filters: int, count: int) -> tuple[Layer, ...]:
    """Return residual blocks of two convolutions each (He et al., 2015)."""
    inside = (*normalized(filters), *normalized(filters, activation="identity"))
    return (Residual(inside), Activate("relu")) * count
