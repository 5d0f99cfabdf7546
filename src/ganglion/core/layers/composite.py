"""Layers made of layers: they lower to the steps of the inner layers and one step that combines them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.core.arithmetic import Arithmetic, Index
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.layers.convolution import Conv1D, Conv2D
from ganglion.core.layers.dense import Dense
from ganglion.core.part import Array, PartsField, Shape
from ganglion.errors import ConfigError, ShapeError, shortened

if TYPE_CHECKING:
    from ganglion.core.arithmetic import TracedStep
    from ganglion.core.steps import Flow, Lowering


@dataclass(frozen=True)
class Residual(Layer):
    """a = x + f(x): the layers of f learn what to add to their input (He et al., 2015).

    If f(x) and x differ in shape, a learned projection replaces x: x @ W + b for rows of numbers; for images
    and signals a convolution with a kernel of 1, without bias, and with the stride that gives f's size.

    Args:
        layers: the layers of f, in order.

    Raises:
        ShapeError: if f changes the shape so that no projection has it: f has more axes or fewer, or an image
            is larger than before, or no stride leads to its size.

    >>> net = gg.Network([gg.Residual([gg.Dense(8, "relu"), gg.Dense(3)]), gg.Dense(1)], inputs=3)
    >>> [step.name for step in net.architecture.steps]
    ['residual_1/dense_1', 'residual_1/dense_2', 'residual_1', 'dense_1']
    """

    layers: PartsField[Layer] = PartsField(Layer)

    name = "residual"

    @property
    def inner(self) -> tuple[Layer, ...]:
        return self.layers

    def lower(self, into: Lowering, flow: Flow) -> int:
        around = into.single(flow, self)
        inside = into.single(into.sequence(self.layers, around), self)
        shape = into.shape(inside)
        if into.shape(around) != shape:
            around = into.step(_projection(into.shape(around), shape), around, suffix="projection")
        return into.step(self, inside, around)

    def describe(self) -> str:
        count = len(self.layers)
        return f"residual of {count} layer{'s' if count != 1 else ''}"

    def output_shape(self, shape: Shape, around: Shape = ()) -> Shape:
        return shape

    def parameters(self, *shapes: Shape) -> Mapping[str, Shape]:
        return {}

    def state(self, *shapes: Shape) -> Mapping[str, Shape]:
        return {}

    def forward(self, weights: Weights, x: Any, context: Context) -> tuple[Array, Cache]:
        inside, around = x
        return inside + around, None

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[tuple[Array, Array], Mapping[str, Array]]:
        return (grad_z, grad_z), {}


def _projection(before: Shape, after: Shape) -> Layer:
    """Return a layer with few weights that changes the shape of x to that of f(x)."""
    if len(before) == len(after) == 1:
        return Dense(after[0])
    if len(before) == len(after) and len(after) in (2, 3):
        convolution = Conv1D if len(after) == 2 else Conv2D
        stride = tuple(-(-size // left) for size, left in zip(before[:-1], after[:-1], strict=True))
        layer = convolution(after[-1], 1, stride=stride, bias=False)
        if layer.output_shape(before) == after:
            return layer
    raise ShapeError(
        f"a residual layer adds its input, of shape {before}, to the output of its layers, of shape {after}",
        "use layers that keep the shape, or that change an image by a stride",
    )


class ResidualArithmetic(Arithmetic):
    """Each output is the sum of two numbers, and the gradient goes to both."""

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        terms = [step.term(step.input(row, index, which)) for which in (0, 1)]
        return [step.sum(step.out(index), step.z[(row, *index)], "output of the layers + input", terms)]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        out = step.grad_out(row, index)
        return [
            step.sum(step.grad_input(index, which), out.value, "the same number", (step.term(out),))
        ], index


Residual.arithmetic = ResidualArithmetic()


@dataclass(frozen=True)
class Parallel(Layer):
    """Parallel branches, whose outputs are concatenated along the last axis.

    All branches read the layer's input. At the start of a network with several inputs, each branch reads the
    input of the same name.

    Args:
        branches: a dict from the name of each branch to its list of layers; an empty list passes the input
            through.

    Raises:
        ConfigError: if, at the start of a network with several inputs, the names of branches and inputs
            differ.
        ShapeError: if the outputs differ in more than the last axis.

    >>> inputs = {"words": gg.IntegerInput(1000), "numbers": 4}
    >>> branches = {"words": [gg.Embedding(1000, 8)], "numbers": [gg.Dense(16, "relu")]}
    >>> net = gg.Network([gg.Parallel(branches), gg.Dense(1)], inputs=inputs)
    >>> net.predict({"words": [3, 999], "numbers": [[1, 2, 3, 4], [5, 6, 7, 8]]}).shape
    (2, 1)
    """

    branches: PartsField[Layer] = PartsField(Layer, named=True)

    name = "parallel"

    @property
    def inner(self) -> tuple[Layer, ...]:
        return tuple(layer for _, layers in self.branches for layer in layers)

    def lower(self, into: Lowering, flow: Flow) -> int:
        names = [name for name, _ in self.branches]
        if isinstance(flow, dict) and set(flow) != set(names):
            raise ConfigError(
                f"the branches must be named like the network's inputs, {', '.join(flow)}, got "
                f"{', '.join(names)}"
            )
        ends = []
        for name, layers in self.branches:
            start: Flow = flow[name] if isinstance(flow, dict) else flow
            ends.append(into.single(into.sequence(layers, start, name) if layers else start, self))
        return into.step(self, *ends)

    def describe(self) -> str:
        return f"{len(self.branches)} branches"

    def output_shape(self, *shapes: Shape) -> Shape:
        if any(shape[:-1] != shapes[0][:-1] or not shape for shape in shapes):
            raise ShapeError(
                f"the outputs of branches may differ in the last axis only, got {shortened(list(shapes))}",
                "put gg.Flatten() at the end of each",
            )
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def parameters(self, *shapes: Shape) -> Mapping[str, Shape]:
        return {}

    def state(self, *shapes: Shape) -> Mapping[str, Shape]:
        return {}

    def forward(self, weights: Weights, x: Any, context: Context) -> tuple[Array, Cache]:
        parts = x if isinstance(x, tuple) else (x,)
        return np.concatenate(parts, axis=-1), [part.shape[-1] for part in parts]

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Any, Mapping[str, Array]]:
        parts = tuple(np.split(grad_z, np.cumsum(cache)[:-1], axis=-1))
        return (parts if len(parts) > 1 else parts[0]), {}


class ParallelArithmetic(Arithmetic):
    """Each output is a copy of one number of one branch."""

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        place, which = index[-1], 0
        while place >= step.cache[which]:
            place -= step.cache[which]
            which += 1
        term = step.term(step.input(row, (*index[:-1], place), which))
        return [step.sum(step.out(index), step.z[(row, *index)], "copied from the input", (term,))]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        place = (*index[:-1], index[-1] + sum(step.cache[:which]))
        out = step.grad_out(row, place)
        return [
            step.sum(step.grad_input(index, which), out.value, "the same number", (step.term(out),))
        ], place


Parallel.arithmetic = ParallelArithmetic()
