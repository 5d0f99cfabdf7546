"""Layers that change the size of an image and compute nothing: enlarging, padding, cropping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.core.arithmetic import Arithmetic, Index
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.layers.windows import check_images, edges, sizes
from ganglion.core.part import Array, Shape
from ganglion.errors import ShapeError

if TYPE_CHECKING:
    from ganglion.core.arithmetic import TracedStep

Margins = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Resize(Layer):
    """The base class of layers whose outputs are copies of their inputs, or 0."""

    def source(self, index: Index, shape: Shape) -> Index | None:
        """Return the place in an input of `shape` that an output copies, None if it is 0."""
        raise NotImplementedError

    def copies(self, index: Index, shape: Shape) -> list[Index]:
        """Return the outputs that copy a place in an input of `shape`."""
        raise NotImplementedError


class ResizeArithmetic(Arithmetic):
    """Each output is a copy or 0, and the gradient of an input is the sum of those of its copies."""

    unit = "channel"

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        source = self._layer(step).source(index, step.x.shape[1:])
        terms = [] if source is None else [step.term(step.input(row, source))]
        rule = "copied from the input" if terms else "padding"
        return [step.sum(step.out(index), step.z[(row, *index)], rule, terms)]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        copies = self._layer(step).copies(index, step.x.shape[1:])
        terms = [step.term(step.grad_out(row, place)) for place in copies]
        rule = "the sum over its copies" if terms else "cut off"
        largest = max(copies, key=lambda place: abs(step.back[(row, *place)]), default=None)
        value = float(step.grad_x()[(row, *index)])
        return [step.sum(step.grad_input(index), value, rule, terms)], largest

    @staticmethod
    def _layer(step: TracedStep) -> Resize:
        return step.layer  # type: ignore[return-value]


Resize.arithmetic = ResizeArithmetic()


@dataclass(frozen=True)
class Upsample2D(Resize):
    """a[i, j] = x[i // height, j // width]: each element of an image is repeated, down and along.

    Args:
        size: how often elements are repeated vertically and horizontally, or one number for both; 2 by
            default.

    Shapes: x (n, height, width, channels), a (n, height * size, width * size, channels).

    Raises:
        ConfigError: for a setting out of range.
        ShapeError: if the inputs are not images.

    >>> net = gg.Network([gg.Upsample2D((1, 2))], inputs=(2, 2, 1))
    >>> net.predict([[[[1], [2]], [[3], [4]]]]).squeeze().tolist()
    [[1.0, 1.0, 2.0, 2.0], [3.0, 3.0, 4.0, 4.0]]
    """

    size: int | tuple[int, int] = 2

    name = "upsample_2d"

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", sizes("size", self.size))

    def output_shape(self, shape: Shape) -> Shape:
        check_images(self.name, shape)
        down, along = self._times
        return (shape[0] * down, shape[1] * along, shape[2])

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        down, along = self._times
        return x.repeat(down, axis=1).repeat(along, axis=2), None

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        down, along = self._times
        rows, height, width, channels = grad_z.shape
        copies = grad_z.reshape(rows, height // down, down, width // along, along, channels)
        return copies.sum(axis=(2, 4)), {}

    def source(self, index: Index, shape: Shape) -> Index:
        down, along = self._times
        return (index[0] // down, index[1] // along, index[2])

    def copies(self, index: Index, shape: Shape) -> list[Index]:
        down, along = self._times
        i, j, channel = index
        return [(i * down + k, j * along + m, channel) for k in range(down) for m in range(along)]

    @property
    def _times(self) -> tuple[int, int]:
        return self.size  # type: ignore[return-value]


@dataclass(frozen=True)
class ZeroPad2D(Resize):
    """Add places around an image that are 0.

    Args:
        padding: the places added: one number for all edges, one for each axis, or (before, after) for each
            axis; 1 by default.

    Shapes: x (n, height, width, channels), a the same with the places added to height and width.

    Raises:
        ConfigError: for a setting out of range.
        ShapeError: if the inputs are not images.

    >>> net = gg.Network([gg.ZeroPad2D(((0, 0), (1, 2)))], inputs=(1, 2, 1))
    >>> net.predict([[[[5], [6]]]]).ravel().tolist()
    [0.0, 5.0, 6.0, 0.0, 0.0]
    """

    padding: int | tuple[Any, Any] = 1

    name = "zero_pad_2d"

    def __post_init__(self) -> None:
        object.__setattr__(self, "padding", edges("padding", self.padding))

    def settings(self) -> dict[str, float]:
        return _before(self._margins)

    def output_shape(self, shape: Shape) -> Shape:
        check_images(self.name, shape)
        return (*(size + sum(pair) for size, pair in zip(shape, self._margins, strict=False)), shape[2])

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        return _put_in(x, self._margins), None

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        return _take_out(grad_z, self._margins), {}

    def source(self, index: Index, shape: Shape) -> Index | None:
        return _inside(index, self._margins, shape)

    def copies(self, index: Index, shape: Shape) -> list[Index]:
        return [_outside(index, self._margins)]

    @property
    def _margins(self) -> Margins:
        return self.padding  # type: ignore[return-value]


@dataclass(frozen=True)
class Crop2D(Resize):
    """Cut off places at the edges of an image.

    Args:
        cropping: the places cut off: one number for all edges, one for each axis, or (before, after) for each
            axis; 1 by default.

    Shapes: x (n, height, width, channels), a the same with the places taken from height and width.

    Raises:
        ConfigError: for a setting out of range.
        ShapeError: if the inputs are not images, or nothing would be left of them.

    >>> net = gg.Network([gg.Crop2D(((0, 0), (1, 2)))], inputs=(1, 5, 1))
    >>> net.predict([[[[5], [6], [7], [8], [9]]]]).ravel().tolist()
    [6.0, 7.0]
    """

    cropping: int | tuple[Any, Any] = 1

    name = "crop_2d"

    def __post_init__(self) -> None:
        object.__setattr__(self, "cropping", edges("cropping", self.cropping))

    def settings(self) -> dict[str, float]:
        return _before(self._margins)

    def output_shape(self, shape: Shape) -> Shape:
        check_images(self.name, shape)
        height, width = (size - sum(pair) for size, pair in zip(shape, self._margins, strict=False))
        if min(height, width) < 1:
            raise ShapeError(
                f"{self.name} must leave something of each image, got images of {shape[0]} x {shape[1]} and "
                f"cropping={self._margins}",
                "use a smaller cropping",
            )
        return (height, width, shape[2])

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        return _take_out(x, self._margins), None

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        return _put_in(grad_z, self._margins), {}

    def source(self, index: Index, shape: Shape) -> Index:
        return _outside(index, self._margins)

    def copies(self, index: Index, shape: Shape) -> list[Index]:
        place = _inside(index, self._margins, self.output_shape(shape))
        return [] if place is None else [place]

    @property
    def _margins(self) -> Margins:
        return self.cropping  # type: ignore[return-value]


def _put_in(images: Array, margins: Margins) -> Array:
    return np.pad(images, ((0, 0), *margins, (0, 0)))


def _take_out(images: Array, margins: Margins) -> Array:
    (top, bottom), (left, right) = margins
    return images[:, top : images.shape[1] - bottom, left : images.shape[2] - right]


def _outside(index: Index, margins: Margins) -> Index:
    """Return the place in the larger image, given that in the smaller one."""
    (top, _), (left, _) = margins
    return (index[0] + top, index[1] + left, index[2])


def _inside(index: Index, margins: Margins, small: Shape) -> Index | None:
    """Return the place in the smaller image, given that in the larger one; None in the margin."""
    (top, _), (left, _) = margins
    i, j = index[0] - top, index[1] - left
    return (i, j, index[2]) if 0 <= i < small[0] and 0 <= j < small[1] else None


def _before(margins: Margins) -> dict[str, float]:
    return {f"before_{axis}": float(before) for axis, (before, _) in enumerate(margins)}
