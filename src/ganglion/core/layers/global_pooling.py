"""Global pooling: each channel of an image or signal is reduced to one number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.core.arithmetic import Arithmetic, Index
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.part import Array, Shape
from ganglion.errors import ShapeError

if TYPE_CHECKING:
    from ganglion.core.arithmetic import TracedStep


@dataclass(frozen=True)
class GlobalPool(Layer):
    """The base class of global pools: one output per channel of an image or signal."""

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2:
            raise ShapeError(
                f"{self.name} needs images or signals with the channels last, got inputs of shape {shape}"
            )
        return shape[-1:]


@dataclass(frozen=True)
class GlobalMaxPool(GlobalPool):
    """a = the maximum of each channel; only that element receives the gradient.

    If several elements are equal, the first is chosen.

    Shapes: x (n, ..., channels), a (n, channels).

    Raises:
        ShapeError: if the inputs are rows of numbers.

    >>> gg.Network([gg.GlobalMaxPool()], inputs=(3, 2)).predict([[[1, 9], [5, 2], [3, 4]]]).tolist()
    [[5.0, 9.0]]
    """

    name = "global_max_pool"

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        flat = x.reshape(len(x), -1, x.shape[-1])
        choice = flat.argmax(axis=1)
        return np.take_along_axis(flat, choice[:, None], axis=1)[:, 0], (choice, x.shape)

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        choice, shape = cache
        places = np.arange(np.prod(shape[1:-1], dtype=np.int64))
        return ((places[:, None] == choice[:, None]) * grad_z[:, None]).reshape(shape), {}


class GlobalMaxPoolArithmetic(Arithmetic):
    """a is the largest number of its channel."""

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        term = step.term(step.input(row, self._chosen(step, row, index)))
        return [
            step.sum(step.out(index), step.z[(row, *index)], "the largest number of the channel", (term,))
        ]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        out = index[-1:]
        is_chosen = self._chosen(step, row, out) == index
        terms = [step.term(step.grad_out(row, out))] if is_chosen else []
        rule = "passed to the chosen number"
        value = float(step.grad_x()[(row, *index)])
        return [step.sum(step.grad_input(index), value, rule, terms)], out if is_chosen else None

    @staticmethod
    def _chosen(step: TracedStep, row: int, index: Index) -> Index:
        place = int(step.cache[0][(row, *index)])
        return (*map(int, np.unravel_index(place, step.x.shape[1:-1])), *index)


GlobalMaxPool.arithmetic = GlobalMaxPoolArithmetic()


@dataclass(frozen=True)
class GlobalAveragePool(GlobalPool):
    """a = the mean of each channel (Lin, Chen and Yan, 2013).

    Shapes: x (n, ..., channels), a (n, channels).

    Raises:
        ShapeError: if the inputs are rows of numbers.

    >>> gg.Network([gg.GlobalAveragePool()], inputs=(3, 2)).predict([[[1, 9], [5, 2], [3, 4]]]).tolist()
    [[3.0, 5.0]]
    """

    name = "global_average_pool"

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        return x.reshape(len(x), -1, x.shape[-1]).mean(axis=1), x.shape

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        count = np.prod(cache[1:-1], dtype=np.int64)
        each = (grad_z / grad_z.dtype.type(count)).reshape(len(grad_z), *[1] * (len(cache) - 2), cache[-1])
        return np.broadcast_to(each, cache), {}


class GlobalAveragePoolArithmetic(Arithmetic):
    """a is a sum over its channel, each number divided by their count."""

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        places = [(*map(int, place), *index) for place in np.ndindex(step.x.shape[1:-1])]
        each = step.factor(f"1/{len(places)}", 1 / len(places))
        terms = [step.term(step.input(row, place), each) for place in places]
        return [step.sum(step.out(index), step.z[(row, *index)], "the mean of the channel", terms)]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        count = int(np.prod(step.x.shape[1:-1]))
        out = index[-1:]
        term = step.term(step.grad_out(row, out), step.factor(f"1/{count}", 1 / count))
        value = float(step.grad_x()[(row, *index)])
        return [step.sum(step.grad_input(index), value, "its fraction of the mean", (term,))], out


GlobalAveragePool.arithmetic = GlobalAveragePoolArithmetic()
