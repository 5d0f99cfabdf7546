"""Convolution: the same small kernel of weights looks at every place of an image or signal.

Formulas are written for images, (n, height, width, channels). A signal is an image of height 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ganglion.checks import check_flag, check_integer
from ganglion.core.activations import Activation
from ganglion.core.arithmetic import Arithmetic, Index
from ganglion.core.initializers import Initializer
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.layers.windows import (
    Windows,
    describe_window,
    grid_of_window,
    inside,
    padded,
    paddings,
    place_windows,
    sizes,
)
from ganglion.core.part import Array, PartField, Shape
from ganglion.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from ganglion.core.arithmetic import TracedStep
    from ganglion.core.steps import Flow, Lowering

MOST_FILTERS = 2**20
LARGEST_GRID = 7  # kernels up to this size are drawn in a trace
MOST_GRIDS = 3  # channels of a patch that a trace draws, those that add most


@dataclass(frozen=True)
class Convolution(Layer):
    """The base class of convolutions over images and signals."""

    filters: int
    kernel: int | tuple[int, ...] = 3
    activation: PartField[Activation] = PartField(Activation, "identity")
    stride: int | tuple[int, ...] = 1
    padding: Any = "same"
    dilation: int | tuple[int, ...] = 1
    groups: int = 1
    bias: bool = True
    weight_initializer: PartField[Initializer] = PartField(Initializer, None)

    penalized = ("weight",)
    axes: ClassVar[int]
    """The axes that windows move along: 2 for images, 1 for signals."""
    known_paddings: ClassVar[tuple[str, ...]] = ("same", "valid")

    def __post_init__(self) -> None:
        check_integer("filters", self.filters, at_least=1, at_most=MOST_FILTERS)
        for name in ("kernel", "stride", "dilation"):
            object.__setattr__(self, name, sizes(name, getattr(self, name), self.axes))
        object.__setattr__(self, "padding", paddings(self.padding, self.known_paddings, self.axes))
        check_integer("groups", self.groups, at_least=1, at_most=MOST_FILTERS)
        check_flag("bias", self.bias)
        if self.filters % self.groups:
            raise ConfigError(
                f"filters must be divisible by groups, got {self.filters} filters in {self.groups} groups"
            )

    def windows(self, shape: Shape) -> list[Windows]:
        """Return the windows along height and width; those of a signal have a height of 1."""
        return place_all(shape, self.kernel, self.stride, self.padding, self.dilation)

    def output_shape(self, shape: Shape) -> Shape:
        check_image(self, shape, self.axes)
        if shape[-1] % self.groups:
            raise ShapeError(
                f"{self.name} divides the channels into {self.groups} groups, got {shape[-1]} channels",
                "use groups that divide the channels",
            )
        windows = self.windows(shape)[-self.axes :]
        if any(axis.count < 1 for axis in windows):
            reach = tuple(axis.reach for axis in windows)
            raise ShapeError(
                f"{self.name} needs an input no smaller than its windows, {_across(reach)}, got "
                f"{_across(shape[:-1])}",
                'use a smaller kernel, fewer pools before it, or padding="same"',
            )
        return (*(axis.count for axis in windows), self.filters)

    def settings(self) -> dict[str, float]:
        flat = {"filters": self.filters, "groups": self.groups, "bias": self.bias}
        for name in ("kernel", "stride", "dilation"):
            flat |= {f"{name}_{i}": v for i, v in enumerate(_two(getattr(self, name)))}
        reach = [(k - 1) * d for k, d in zip(_two(self.kernel), _two(self.dilation), strict=True)]
        before = {"same": [-1, -1], "valid": [0, 0], "causal": reach}.get(str(self.padding))
        if before is None:
            before = [pair[0] for pair in _two(self.padding, (0, 0))]
        flat |= {f"before_{i}": v for i, v in enumerate(before)}
        return {name: float(value) for name, value in flat.items()}

    def parameters(self, shape: Shape) -> Mapping[str, Shape]:
        kernel: Any = self.kernel
        weight = {"weight": (*kernel, shape[-1] // self.groups, self.filters)}
        return weight | ({"bias": (self.filters,)} if self.bias else {})

    def initializers(self) -> Mapping[str, Initializer]:
        return {"weight": self.weight_initializer or Initializer.find(self.activation.initializer)}

    def lower(self, into: Lowering, flow: Flow) -> int:
        return into.step(self, read_image(self, into, flow, self.axes), activation=self.activation)

    def describe(self) -> str:
        stride = "" if set(self.stride) == {1} else f", every {_across(self.stride)}"  # type: ignore[arg-type]
        return f"{self.filters} filters of {_across(self.kernel)}{stride} {self.activation.name}"

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        height, width = self.windows(x.shape[1:])
        kernel = weights.weight.reshape(height.window, width.window, -1, self.filters)
        around = padded(as_images(x), [height, width])
        z: Any = weights.bias if self.bias else 0.0
        for i in range(height.window):
            for j in range(width.window):
                seen = around[:, height.places(i), width.places(j)]
                z = z + by_group(np.matmul, seen, kernel[i, j], self.groups)
        return z.reshape(len(x), *self.output_shape(x.shape[1:])), (around, x.shape)

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array | None, Mapping[str, Array]]:
        around, shape = cache
        height, width = self.windows(shape[1:])
        kernel = weights.weight.reshape(height.window, width.window, -1, self.filters)
        grad = as_images(grad_z)
        grad_around, grad_kernel = np.zeros(around.shape, dtype=grad.dtype), np.empty_like(kernel)
        for i in range(height.window):
            for j in range(width.window):
                places = height.places(i), width.places(j)
                grad_kernel[i, j] = by_group(_over_places, around[:, *places], grad, self.groups)
                if context.wants_grad_x:
                    grad_around[:, *places] += by_group(_transposed, grad, kernel[i, j], self.groups)
        gradients = {"weight": grad_kernel.reshape(weights.weight.shape)}
        if self.bias:
            gradients["bias"] = grad.sum(axis=(0, 1, 2))
        return inside(grad_around, [height, width]).reshape(shape), gradients


def by_group(product: Any, a: Array, b: Array, groups: int) -> Array:
    """Return the products of the groups of channels, side by side."""
    parts = zip(np.split(a, groups, axis=-1), np.split(b, groups, axis=-1), strict=True)
    return np.concatenate([product(left, right) for left, right in parts], axis=-1)


def _over_places(x: Array, grad: Array) -> Array:
    """Return the gradient of a matrix (channels, filters), summed over all places."""
    return x.reshape(-1, x.shape[-1]).T @ grad.reshape(-1, grad.shape[-1])


def _transposed(grad: Array, kernel: Array) -> Array:
    return grad @ kernel.T


def place_all(shape: Shape, window: Any, stride: Any, padding: Any, dilation: Any = 1) -> list[Windows]:
    """Return the windows along height and width; a signal is an image of height 1."""
    axes = len(shape) - 1
    around = padding if isinstance(padding, tuple) else (padding,) * axes
    dilations = dilation if isinstance(dilation, tuple) else (dilation,) * axes
    found = [place_windows(*each) for each in zip(shape[:-1], window, stride, around, dilations, strict=True)]
    return found if axes == 2 else [Windows(1, 1, 1, 1, 0), *found]


def check_image(layer: Layer, shape: Shape, axes: int = 2) -> None:
    """Raise `ShapeError` unless the inputs are images or, with one axis, signals, with the channels last."""
    signal = axes == 1
    wanted = "signals of shape (time, channels)" if signal else "images of shape (height, width, channels)"
    got = f"{layer.name} needs {wanted}, got inputs of shape {shape}"
    if len(shape) == axes:
        what = "a signal of one number at a time" if signal else "a grey image"
        raise ShapeError(got, f"{what} has 1 channel: inputs={(*shape, 1)} and x[..., None]")
    if len(shape) != axes + 1:
        raise ShapeError(got, "put gg.Reshape before it, or gg.Flatten and gg.Dense in its place")


def read_image(layer: Layer, into: Lowering, flow: Flow, axes: int = 2) -> int:
    """Return the number of the value that a convolution reads, after checking that it is an image or signal.

    Raises:
        ShapeError: if it is none, or is an input of the network whose channels seem to come first.
    """
    value = into.single(flow, layer)
    shape = into.shape(value)
    check_image(layer, shape, axes)
    if axes == 2 and not any(step.writes == value for step in into.steps):
        channels, height, width = shape
        is_square = height == width or (channels == 3 and max(height, width) <= 2 * min(height, width))
        if channels in (1, 3) and is_square and min(height, width) >= 8:
            raise ShapeError(
                f"{layer.name} needs images of shape (height, width, channels), got inputs of shape {shape}: "
                f"the channels seem to come first",
                "move them to the end: x.transpose(0, 2, 3, 1), inputs=(height, width, channels)",
            )
    return value


def as_images(x: Array) -> Array:
    """Return signals (n, time, channels) as images of height 1."""
    return x if x.ndim == 4 else x[:, None]


def _two(values: Any, first: Any = 1) -> tuple[Any, ...]:
    return tuple(values) if len(values) == 2 else (first, *values)


def _across(values: Any) -> str:
    return " x ".join(map(str, values))


class ConvolutionArithmetic(Arithmetic):
    """z is the sum over a patch of the input, each number times its weight in the kernel, and the bias."""

    adds_up_inputs = True
    unit = "filter"
    shared_over = "windows"

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        layer, filter_ = self._layer(step), index[-1]
        terms: dict[int, list[Any]] = {}
        for element, place, channel in self._patch(step, index):
            factors = step.input(row, place), step.own("weight", (*element, channel, filter_))
            terms.setdefault(place[-1], []).append(step.term(*factors))
        bias = [step.term(step.own("bias", (filter_,)))] if layer.bias else []
        plus = f", + bias[{filter_}]" if layer.bias else ""
        name, z = step.out(index), step.z[(row, *index)]
        together = [term for of_channel in terms.values() for term in of_channel]
        found = [step.sum(name, z, f"sum of patch · weight[..., {filter_}]{plus}", [*together, *bias])]
        sums = {channel: math.fsum(term.value for term in each) for channel, each in terms.items()}
        if math.prod(layer.kernel) == 1:  # type: ignore[arg-type]
            return found
        if len(sums) > 1:
            each = [step.term(step.factor(f"channel {channel}", value)) for channel, value in sums.items()]
            found.append(step.sum(name, z, f"the same, channel by channel{plus}", [*each, *bias]))
        if max(layer.kernel) <= LARGEST_GRID:  # type: ignore[arg-type]
            shown = sorted(sums, key=lambda channel: -abs(sums[channel]))[:MOST_GRIDS]
            found += [self._grids(step, row, index, channel, sums[channel]) for channel in shown]
        return found

    def _grids(self, step: TracedStep, row: int, index: Index, channel: int, value: float) -> Any:
        """Return one channel of the patch, and of the kernel, as grids."""
        windows, own = self._windows(step), channel % step.weights.weight.shape[-2]
        kernel = step.weights.weight[..., own, index[-1]].reshape(-1, windows[-1].window)
        words = f"{step.name}.weight[{':, ' * len(windows)}{own}, {index[-1]}]"
        title = f"{describe_window(step, windows, index, channel)} × {words}"
        return step.grids(title, value, grid_of_window(step, windows, row, index, channel), kernel.tolist())

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        group, channel = divmod(index[-1], step.weights.weight.shape[-2])
        filters = self._layer(step).filters // self._layer(step).groups
        terms, outs = [], []
        for element, window in self._over(step, index):
            for filter_ in range(group * filters, (group + 1) * filters):
                out = (*window, filter_)
                weight = step.own("weight", (*element, channel, filter_))
                terms.append(step.term(step.grad_out(row, out), weight))
                outs.append(out)
        largest = max(range(len(outs)), key=lambda i: abs(terms[i].value), default=None)
        rule = "the sum over all windows that see it, and their filters"
        value = float(step.grad_x()[(row, *index)])
        equation = step.sum(step.grad_input(index), value, rule, terms)
        return [equation], None if largest is None else outs[largest]

    def parameter(self, step: TracedStep, name: str, index: Index) -> list[tuple[Any, int, Index]] | None:
        filter_, group = index[-1], index[-1] // (self._layer(step).filters // self._layer(step).groups)
        windows = [tuple(map(int, window)) for window in np.ndindex(step.z.shape[1:-1])]
        places: dict[Index, Index] = {}
        if name == "weight":
            channel = group * step.weights.weight.shape[-2] + index[-2]
            for window in windows:  # those where this element of the kernel lies on padding add nothing
                axes = zip(self._windows(step), window, index[:-2], strict=True)
                found = [dict(axis.seen(number)).get(element, -1) for axis, number, element in axes]
                if -1 not in found:
                    places[window] = (*found, channel)
            windows = list(places)
        terms = []
        for row in range(step.count):
            note = step.row_note(row)
            for window in windows:
                out = (*window, filter_)
                factors = [step.grad_out(row, out)]
                if name == "weight":
                    factors.insert(0, step.input(row, places[window]))
                where = ", ".join(filter(None, [note, f"at {', '.join(map(str, window))}"]))
                terms.append((step.term(*factors, note=where), row, out))
        return terms

    def moved(self, step: TracedStep, name: str, places: Array, moves: Array) -> Array:
        # A changed weight changes one channel of z, by the change times what its element of the kernel saw.
        layer, shape = self._layer(step), step.weights.weight.shape
        result = np.repeat(as_images(step.z)[None], len(places), axis=0)
        filters = places % layer.filters
        if name == "bias":
            result[np.arange(len(places)), ..., filters] += moves[:, None, None, None]
            return result.reshape(len(places), *step.z.shape)
        height, width = layer.windows(step.x.shape[1:])
        around = padded(as_images(step.x), [height, width])
        elements = zip(*np.unravel_index(places, (height.window, width.window, *shape[-2:])), strict=True)
        for z, move, (i, j, channel, filter_) in zip(result, moves, elements, strict=True):
            group = filter_ // (layer.filters // layer.groups)
            z[..., filter_] += (
                move * around[:, height.places(i), width.places(j), group * shape[-2] + channel]
            )
        return result.reshape(len(places), *step.z.shape)

    @staticmethod
    def _layer(step: TracedStep) -> Convolution:
        return step.layer  # type: ignore[return-value]

    def _windows(self, step: TracedStep) -> list[Windows]:
        layer = self._layer(step)
        return layer.windows(step.x.shape[1:])[-layer.axes :]

    def _over(self, step: TracedStep, index: Index) -> list[tuple[Index, Index]]:
        """Return the elements, and their windows, that lie on a place of the input."""
        axes = [axis.over(place) for axis, place in zip(self._windows(step), index[:-1], strict=True)]
        return _joined(axes)

    def _patch(self, step: TracedStep, index: Index) -> list[tuple[Index, Index, int]]:
        """Return element of the kernel, place in the input and channel of the kernel, for all of a patch."""
        layer, channels = self._layer(step), step.weights.weight.shape[-2]
        first = index[-1] // (layer.filters // layer.groups) * channels
        axes = [axis.seen(number) for axis, number in zip(self._windows(step), index[:-1], strict=True)]
        return [
            (element, (*place, first + channel), channel)
            for element, place in _joined(axes)
            for channel in range(channels)
        ]


def _joined(axes: list[list[tuple[int, int]]]) -> list[tuple[Index, Index]]:
    """Return all combinations of pairs, one from each axis."""
    found: list[tuple[Index, Index]] = [((), ())]
    for pairs in axes:
        found = [((*a, c), (*b, d)) for a, b in found for c, d in pairs]
    return found


Convolution.arithmetic = ConvolutionArithmetic()


@dataclass(frozen=True)
class Conv2D(Convolution):
    """a = f(z), z[i, j] = sum over the kernel of x[patch at i, j] * W, + b: the same weights at every place.

    A filter answers to one small pattern wherever it occurs (LeCun et al., 1989). Its kernel is as deep as
    the channels it sees; the result has one channel per filter.

        x, 4 x 4, padded     kernel 3 x 3        z, 4 x 4
        . . . . . .          1 2 3
        . a b c d .          4 5 6               z[0, 0] = 5a + 6b + 8e + 9f + b
        . e f g h .          7 8 9
        . i j k l .
        . m n o p .
        . . . . . .

    Args:
        filters: the number of filters.
        kernel: height and width of the kernels, or one number for both; 3 by default.
        activation: f, by name or as an `Activation`; the identity by default.
        stride: vertical and horizontal distance between windows, or one number for both; 1 by default.
        padding: "same", the default, has ceil(size / stride) windows along each axis, beyond the edges by
            max((count - 1) * stride + (kernel - 1) * dilation + 1 - size, 0) places in all, the smaller half
            first, as in Keras. "valid" has whole windows only. Numbers are the places added on each side, as
            in PyTorch: one for all, one for each axis, or (before, after) for each axis. Padding is 0.
        dilation: the distance between the elements of a kernel; 1 by default.
        groups: the channels and the filters are divided into so many groups that do not see each other.
        bias: whether there is a bias for each filter.
        weight_initializer: the initializer of W; by default the one that suits the activation. The fans are
            those of one filter: kernel area * channels / groups.

    Shapes: x (n, height, width, channels), W (kernel height, kernel width, channels / groups, filters),
    b (filters,), a (n, rows of windows, columns of windows, filters).

    Raises:
        ConfigError: for a setting out of range.
        ShapeError: if the inputs are not images with the channels last, or smaller than a window.

    >>> net = gg.Network([gg.Conv2D(2, 3, padding="valid", weight_initializer="ones")], inputs=(3, 4, 1))
    >>> net.predict(np.arange(12.0).reshape(1, 3, 4, 1)).tolist()
    [[[[45.0, 45.0], [54.0, 54.0]]]]
    """

    name = "conv_2d"
    axes = 2


@dataclass(frozen=True)
class Conv1D(Convolution):
    """a = f(z), z[t] = sum over the kernel of x[patch at t] * W, + b: the same weights at every time.

    Args:
        filters: the number of filters.
        kernel: the length of the kernels; 3 by default.
        activation: f, by name or as an `Activation`; the identity by default.
        stride: the distance between windows; 1 by default.
        padding: as for `Conv2D`; "causal" adds (kernel - 1) * dilation places before the start and none
            after, so that nothing looks into the future.
        dilation: the distance between the elements of a kernel; 1 by default.
        groups: the channels and the filters are divided into so many groups that do not see each other.
        bias: whether there is a bias for each filter.
        weight_initializer: as for `Conv2D`.

    Shapes: x (n, time, channels), W (kernel, channels / groups, filters), b (filters,),
    a (n, windows, filters).

    Raises:
        ConfigError: for a setting out of range.
        ShapeError: if the inputs are not signals with the channels last, or shorter than a window.

    >>> net = gg.Network([gg.Conv1D(1, 2, padding="causal", weight_initializer="ones")], inputs=(4, 1))
    >>> net.predict([[[1], [2], [3], [4]]]).ravel().tolist()
    [1.0, 3.0, 5.0, 7.0]
    """

    name = "conv_1d"
    axes = 1
    known_paddings = ("same", "valid", "causal")


@dataclass(frozen=True)
class DepthwiseConv2D(Layer):
    """A convolution in which each channel is seen by its own filters alone: `Conv2D` with groups = channels.

    Args:
        kernel: height and width of the kernels, or one number for both; 3 by default.
        activation: f, by name or as an `Activation`; the identity by default.
        stride: as for `Conv2D`.
        padding: as for `Conv2D`.
        dilation: as for `Conv2D`.
        multiplier: the number of filters for each channel; 1 by default.
        bias: whether there is a bias for each filter.
        weight_initializer: as for `Conv2D`.

    Shapes: x (n, height, width, channels), W (kernel height, kernel width, 1, channels * multiplier),
    a (n, rows of windows, columns of windows, channels * multiplier).

    >>> net = gg.Network([gg.DepthwiseConv2D(3)], inputs=(8, 8, 6))
    >>> net.architecture.steps[0].kind, net.architecture.outputs
    ('conv_2d', (8, 8, 6))
    """

    kernel: int | tuple[int, int] = 3
    activation: PartField[Activation] = PartField(Activation, "identity")
    stride: int | tuple[int, int] = 1
    padding: Any = "same"
    dilation: int | tuple[int, int] = 1
    multiplier: int = 1
    bias: bool = True
    weight_initializer: PartField[Initializer] = PartField(Initializer, None)

    name = "depthwise_conv_2d"

    def __post_init__(self) -> None:
        check_integer("multiplier", self.multiplier, at_least=1, at_most=MOST_FILTERS)
        whole = self._convolution(1)
        for field in ("kernel", "stride", "padding", "dilation"):
            object.__setattr__(self, field, getattr(whole, field))

    def _convolution(self, channels: int) -> Conv2D:
        return Conv2D(
            channels * self.multiplier, self.kernel, self.activation, self.stride, self.padding,
            self.dilation, channels, self.bias, self.weight_initializer,
        )  # fmt: skip

    def lower(self, into: Lowering, flow: Flow) -> int:
        value = read_image(self._convolution(1), into, flow)
        layer = self._convolution(into.shape(value)[-1])
        return into.step(layer, value, activation=self.activation)

    def describe(self) -> str:
        return f"a filter of {_across(self.kernel)} for each channel, {self.activation.name}"


@dataclass(frozen=True)
class SeparableConv2D(Layer):
    """A depthwise convolution, then a convolution of 1 x 1 that mixes the channels: far fewer weights.

    Args:
        filters: the number of filters.
        kernel: height and width of the depthwise kernels, or one number for both; 3 by default.
        activation: f after the second step, by name or as an `Activation`; the identity by default.
        stride: as for `Conv2D`.
        padding: as for `Conv2D`.
        dilation: as for `Conv2D`.
        multiplier: the number of depthwise filters for each channel; 1 by default.
        bias: whether there is a bias for each filter.
        weight_initializer: as for `Conv2D`.

    Shapes: x (n, height, width, channels), a (n, rows of windows, columns of windows, filters).

    >>> net = gg.Network([gg.SeparableConv2D(16)], inputs=(8, 8, 6))
    >>> [step.name for step in net.architecture.steps]
    ['separable_conv_2d_1/depthwise', 'separable_conv_2d_1']
    """

    filters: int
    kernel: int | tuple[int, int] = 3
    activation: PartField[Activation] = PartField(Activation, "identity")
    stride: int | tuple[int, int] = 1
    padding: Any = "same"
    dilation: int | tuple[int, int] = 1
    multiplier: int = 1
    bias: bool = True
    weight_initializer: PartField[Initializer] = PartField(Initializer, None)

    name = "separable_conv_2d"

    def __post_init__(self) -> None:
        check_integer("multiplier", self.multiplier, at_least=1, at_most=MOST_FILTERS)
        whole = self._depthwise(1)
        for field in ("kernel", "stride", "padding", "dilation"):
            object.__setattr__(self, field, getattr(whole, field))
        self._pointwise()

    def _depthwise(self, channels: int) -> Conv2D:
        return Conv2D(
            channels * self.multiplier, self.kernel, "identity", self.stride, self.padding, self.dilation,
            channels, bias=False, weight_initializer=self.weight_initializer,
        )  # fmt: skip

    def _pointwise(self) -> Conv2D:
        return Conv2D(
            self.filters, 1, self.activation, bias=self.bias, weight_initializer=self.weight_initializer
        )

    def lower(self, into: Lowering, flow: Flow) -> int:
        value = read_image(self._depthwise(1), into, flow)
        between = into.step(self._depthwise(into.shape(value)[-1]), value, suffix="depthwise")
        return into.step(self._pointwise(), between, activation=self.activation)

    def describe(self) -> str:
        return f"{self.filters} separable filters of {_across(self.kernel)} {self.activation.name}"


DepthwiseConv2D.arithmetic = SeparableConv2D.arithmetic = Convolution.arithmetic
