"""Pooling: each window of an image is reduced to one number per channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.core.arithmetic import Arithmetic, Index
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.layers.windows import (
    Windows,
    check_images,
    describe_window,
    grid_of_window,
    inside,
    padded,
    paddings,
    place_windows,
    sizes,
)
from ganglion.core.part import Array, Shape
from ganglion.errors import ConfigError, ShapeError, shortened

if TYPE_CHECKING:
    from ganglion.core.arithmetic import TracedStep


@dataclass(frozen=True)
class Pool2D(Layer):
    """The base class of pools over windows of an image: it places the windows.

    Args:
        pool: height and width of a window, or one number for both; 2 by default.
        stride: vertical and horizontal distance between windows, or one number for both; by default the
            size of a window.
        padding: "valid", the default, uses whole windows only: floor((size - pool) / stride) + 1 of them.
            "same" uses ceil(size / stride) windows, which may extend beyond the edges by
            max((count - 1) * stride + pool - size, 0) places; the smaller half of these comes first.
    """

    pool: int | tuple[int, int] = 2
    stride: int | tuple[int, int] | None = None
    padding: str = "valid"

    def __post_init__(self) -> None:
        object.__setattr__(self, "pool", sizes("pool", self.pool))
        object.__setattr__(self, "stride", sizes("stride", self.stride or self.pool))
        if not isinstance(self.padding, str):
            raise ConfigError(f"padding must be 'valid' or 'same', got {shortened(self.padding)}")
        paddings(self.padding, ("valid", "same"))

    def settings(self) -> dict[str, float]:
        return super().settings() | {"same": float(self.padding == "same")}

    def windows(self, shape: Shape) -> list[Windows]:
        """Return the windows along height and width."""
        check_images(self.name, shape)
        found = [
            place_windows(size, pool, stride, self.padding)
            for size, pool, stride in zip(shape[:2], self.pool, self.stride, strict=True)  # type: ignore[arg-type]
        ]
        if any(axis.count < 1 for axis in found):
            raise ShapeError(
                f"{self.name} needs images no smaller than its windows, {self.pool}, got {shape[:2]}",
                'use a smaller pool, or padding="same"',
            )
        return found

    def output_shape(self, shape: Shape) -> Shape:
        height, width = self.windows(shape)
        return (height.count, width.count, shape[2])

    def describe(self) -> str:
        size = " x ".join(map(str, self.pool))  # type: ignore[arg-type]
        return f"{self.name.replace('_', ' ')} of {size}"


@dataclass(frozen=True)
class MaxPool2D(Pool2D):
    """a = the maximum of each window, for each channel; only that element receives the gradient.

    If several elements are equal, the first in row order is chosen. Padding is never chosen.

    Args:
        pool: height and width of a window, or one number for both; 2 by default.
        stride: vertical and horizontal distance between windows, or one number for both; by default the
            size of a window.
        padding: "valid", the default, uses whole windows only; "same" uses ceil(size / stride) windows, which
            may extend beyond the edges.

    Shapes: x (n, height, width, channels), a (n, rows of windows, columns of windows, channels).

    Raises:
        ConfigError: for a setting out of range.
        ShapeError: if the inputs are not images, or are smaller than a window.

    >>> net = gg.Network([gg.MaxPool2D(2)], inputs=(4, 4, 1))
    >>> net.predict(np.arange(16.0).reshape(1, 4, 4, 1)).squeeze().tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """

    name = "max_pool_2d"

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        height, width = self.windows(x.shape[1:])
        around = padded(x, [height, width], -np.inf)
        seen = np.stack(
            [
                around[:, height.places(i), width.places(j)]
                for i in range(height.window)
                for j in range(width.window)
            ]
        )
        choice = seen.argmax(axis=0)
        return np.take_along_axis(seen, choice[None], axis=0)[0], (choice, x.shape)

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        choice, shape = cache
        height, width = self.windows(shape[1:])
        grad_x = padded(np.zeros(shape, dtype=grad_z.dtype), [height, width])
        for place in range(height.window * width.window):
            i, j = divmod(place, width.window)
            grad_x[:, height.places(i), width.places(j)] += grad_z * (choice == place)
        return inside(grad_x, [height, width]), {}


class MaxPoolArithmetic(Arithmetic):
    """a is one number of its window; a number's gradient is the sum over the windows that chose it."""

    unit = "channel"

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        term, value = step.term(step.input(row, _chosen(step, row, index))), step.z[(row, *index)]
        windows: list[Windows] = step.layer.windows(step.x.shape[1:])  # type: ignore[attr-defined]
        marked = divmod(int(step.cache[0][(row, *index)]), windows[1].window)
        title = f"its window, {describe_window(step, windows, index, index[-1])}, with the chosen number"
        return [
            step.sum(step.out(index), value, "the largest number in the window", (term,)),
            step.grids(title, value, grid_of_window(step, windows, row, index, index[-1]), marked=marked),
        ]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        places = [place for place in _windows_over(step, index) if _chosen(step, row, place) == index]
        terms = [step.term(step.grad_out(row, place)) for place in places]
        value = float(step.grad_x()[(row, *index)])
        rule = "the sum over the windows that chose it"
        largest = max(places, key=lambda place: abs(step.back[(row, *place)]), default=None)
        return [step.sum(step.grad_input(index), value, rule, terms)], largest


def _chosen(step: TracedStep, row: int, index: Index) -> Index:
    """Return the place in the input that a window chose."""
    height, width = step.layer.windows(step.x.shape[1:])  # type: ignore[attr-defined]
    i, j = divmod(int(step.cache[0][(row, *index)]), width.window)
    return (
        index[0] * height.stride - height.before + i,
        index[1] * width.stride - width.before + j,
        index[2],
    )


def _windows_over(step: TracedStep, index: Index) -> list[Index]:
    """Return the windows that cover a place in the input."""
    height, width = step.layer.windows(step.x.shape[1:])  # type: ignore[attr-defined]
    return [(i, j, index[2]) for _, i in height.over(index[0]) for _, j in width.over(index[1])]


MaxPool2D.arithmetic = MaxPoolArithmetic()


@dataclass(frozen=True)
class AveragePool2D(Pool2D):
    """a = the mean of each window, for each channel; padding does not count.

    Args:
        pool: height and width of a window, or one number for both; 2 by default.
        stride: vertical and horizontal distance between windows, or one number for both; by default the
            size of a window.
        padding: "valid", the default, uses whole windows only; "same" uses ceil(size / stride) windows, which
            may extend beyond the edges.

    Shapes: x (n, height, width, channels), a (n, rows of windows, columns of windows, channels).

    Raises:
        ConfigError: for a setting out of range.
        ShapeError: if the inputs are not images, or are smaller than a window.

    >>> net = gg.Network([gg.AveragePool2D(2)], inputs=(2, 2, 1))
    >>> net.predict([[[[1], [2]], [[3], [6]]]]).item()
    3.0
    """

    name = "average_pool_2d"

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        height, width = self.windows(x.shape[1:])
        total = _sum_of_windows(padded(x, [height, width]), height, width)
        counted = self.counts(x.shape[1:], x.dtype)
        return total / counted, x.shape

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        height, width = self.windows(cache[1:])
        grad_x = padded(np.zeros(cache, dtype=grad_z.dtype), [height, width])
        each = grad_z / self.counts(cache[1:], grad_z.dtype)
        for i in range(height.window):
            for j in range(width.window):
                grad_x[:, height.places(i), width.places(j)] += each
        return inside(grad_x, [height, width]), {}

    def counts(self, shape: Shape, dtype: Any) -> Array:
        """Return how many numbers each window covers, of shape (rows, columns, 1)."""
        height, width = self.windows(shape)
        ones = np.ones((1, *shape[:2], 1), dtype=dtype)
        return _sum_of_windows(padded(ones, [height, width]), height, width)[0]


def _sum_of_windows(around: Array, height: Windows, width: Windows) -> Array:
    places = [(i, j) for i in range(height.window) for j in range(width.window)]
    total = around[:, height.places(0), width.places(0)]
    for i, j in places[1:]:
        total = total + around[:, height.places(i), width.places(j)]
    return total


class AveragePoolArithmetic(Arithmetic):
    """a is a sum over its window, each number divided by their count."""

    unit = "channel"

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        seen = _seen(step, index)
        each = step.factor(f"1/{len(seen)}", 1 / len(seen))
        terms = [step.term(step.input(row, place), each) for place in seen]
        return [step.sum(step.out(index), step.z[(row, *index)], "the mean of the window", terms)]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        places = _windows_over(step, index)
        terms = []
        for place in places:
            count = len(_seen(step, place))
            terms.append(step.term(step.grad_out(row, place), step.factor(f"1/{count}", 1 / count)))
        value = float(step.grad_x()[(row, *index)])
        largest = max(places, key=lambda place: abs(step.back[(row, *place)]), default=None)
        return [
            step.sum(step.grad_input(index), value, "the sum over the windows it lies in", terms)
        ], largest


def _seen(step: TracedStep, index: Index) -> list[Index]:
    """Return the places in the input that a window covers."""
    height, width = step.layer.windows(step.x.shape[1:])  # type: ignore[attr-defined]
    return [(i, j, index[2]) for _, i in height.seen(index[0]) for _, j in width.seen(index[1])]


AveragePool2D.arithmetic = AveragePoolArithmetic()
