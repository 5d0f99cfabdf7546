"""Transposed convolution: each number of an image adds a multiple of the kernel to a larger image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.checks import check_flag, check_integer
from ganglion.core.activations import Activation
from ganglion.core.arithmetic import Arithmetic, Index
from ganglion.core.initializers import Initializer
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.layers.convolution import MOST_FILTERS, check_image, read_image
from ganglion.core.layers.windows import Windows, inside, padded, paddings, place_windows, sizes
from ganglion.core.part import Array, PartField, Shape

if TYPE_CHECKING:
    from ganglion.core.arithmetic import TracedStep
    from ganglion.core.steps import Flow, Lowering


@dataclass(frozen=True)
class TransposedConv2D(Layer):
    """a = f(z), z[i * stride + k] = sum over i and k of x[i] * W[k], + b: a convolution that enlarges.

    Each number of the input adds its multiple of the kernel to a window of the output, and these windows lie
    `stride` apart. It is the way back of a convolution with the same windows (Zeiler et al., 2010).

    Args:
        filters: the number of filters.
        kernel: height and width of the kernels, or one number for both; 3 by default. A multiple of the
            stride covers every place equally often, which avoids checkerboard patterns.
        activation: f, by name or as an `Activation`; the identity by default.
        stride: vertical and horizontal distance between windows, or one number for both; 1 by default.
        padding: "same", the default, for outputs of size * stride: of the max(kernel - stride, 0) places that
            the windows reach beyond them, the smaller half lies before. "valid" for outputs of
            (size - 1) * stride + kernel. Both are as in Keras, except that there "valid" adds
            stride - kernel places of b at the end if the stride is the larger one.
        bias: whether there is a bias for each filter.
        weight_initializer: the initializer of W; by default the one that suits the activation. The fans are
            kernel area * channels and kernel area * filters, as for `Conv2D`.

    Shapes: x (n, height, width, channels), W (kernel height, kernel width, channels, filters), b (filters,),
    a (n, larger height, larger width, filters).

    Raises:
        ConfigError: for a setting out of range.
        ShapeError: if the inputs are not images with the channels last.

    >>> layer = gg.TransposedConv2D(1, (1, 3), stride=(1, 2), padding="valid", weight_initializer="ones")
    >>> gg.Network([layer], inputs=(1, 3, 1)).predict([[[[1], [2], [3]]]]).ravel().tolist()
    [1.0, 1.0, 3.0, 2.0, 5.0, 3.0, 3.0]
    """

    filters: int
    kernel: int | tuple[int, int] = 3
    activation: PartField[Activation] = PartField(Activation, "identity")
    stride: int | tuple[int, int] = 1
    padding: str = "same"
    bias: bool = True
    weight_initializer: PartField[Initializer] = PartField(Initializer, None)

    name = "transposed_conv_2d"
    penalized = ("weight",)

    def __post_init__(self) -> None:
        check_integer("filters", self.filters, at_least=1, at_most=MOST_FILTERS)
        for name in ("kernel", "stride"):
            object.__setattr__(self, name, sizes(name, getattr(self, name)))
        paddings(str(self.padding), ("same", "valid"))
        check_flag("bias", self.bias)

    def windows(self, shape: Shape) -> list[Windows]:
        """Return the windows over height and width of the output, one for each place of the input."""
        found, kernel, stride = [], *self._sizes
        for size, reach, step in zip(shape[:2], kernel, stride, strict=True):
            whole = size * step if self.padding == "same" else (size - 1) * step + reach
            found.append(place_windows(whole, reach, step, self.padding))
        return found

    def output_shape(self, shape: Shape) -> Shape:
        check_image(self, shape)
        return (*(axis.size for axis in self.windows(shape)), self.filters)

    def settings(self) -> dict[str, float]:
        flat = {"filters": float(self.filters), "bias": float(self.bias)}
        windows = self.windows((1, 1))
        flat |= {f"kernel_{i}": float(axis.window) for i, axis in enumerate(windows)}
        flat |= {f"stride_{i}": float(axis.stride) for i, axis in enumerate(windows)}
        return flat | {f"before_{i}": float(axis.before) for i, axis in enumerate(windows)}

    def parameters(self, shape: Shape) -> Mapping[str, Shape]:
        weight = {"weight": (*self._sizes[0], shape[-1], self.filters)}
        return weight | ({"bias": (self.filters,)} if self.bias else {})

    def initializers(self) -> Mapping[str, Initializer]:
        return {"weight": self.weight_initializer or Initializer.find(self.activation.initializer)}

    def lower(self, into: Lowering, flow: Flow) -> int:
        return into.step(self, read_image(self, into, flow), activation=self.activation)

    def describe(self) -> str:
        kernel, stride = (" x ".join(map(str, sizes)) for sizes in self._sizes)
        return f"{self.filters} transposed filters of {kernel}, every {stride} {self.activation.name}"

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        height, width = self.windows(x.shape[1:])
        reach = [axis.before + axis.size + axis.after for axis in (height, width)]
        around = np.zeros((len(x), *reach, self.filters), dtype=x.dtype)
        for i in range(height.window):
            for j in range(width.window):
                around[:, height.places(i), width.places(j)] += x @ weights.weight[i, j]
        z = inside(around, [height, width])
        return z + weights.bias if self.bias else z, x

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        x = cache
        height, width = self.windows(x.shape[1:])
        around = padded(grad_z, [height, width])
        grad_x, grad_kernel = np.zeros_like(x), np.empty_like(weights.weight)
        rows = x.reshape(-1, x.shape[-1])
        for i in range(height.window):
            for j in range(width.window):
                grad = around[:, height.places(i), width.places(j)]
                grad_kernel[i, j] = rows.T @ grad.reshape(-1, self.filters)
                grad_x += grad @ weights.weight[i, j].T
        gradients = {"weight": grad_kernel}
        if self.bias:
            gradients["bias"] = grad_z.sum(axis=(0, 1, 2))
        return grad_x, gradients

    @property
    def _sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return self.kernel, self.stride  # type: ignore[return-value]


class TransposedArithmetic(Arithmetic):
    """z is the sum over inputs whose windows reach it, each times its weight in the kernel, and the bias."""

    adds_up_inputs = True
    unit = "filter"
    shared_over = "places"

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        down, along = self._windows(step)
        *place, filter_ = index
        terms = [
            step.term(step.input(row, (i, j, channel)), step.own("weight", (k, m, channel, filter_)))
            for k, i in down.over(place[0])
            for m, j in along.over(place[1])
            for channel in range(step.x.shape[-1])
        ]
        rule = f"sum of inputs · weight[..., {filter_}]"
        if "bias" in vars(step.weights):
            terms.append(step.term(step.own("bias", (filter_,))))
            rule += f", + bias[{filter_}]"
        return [step.sum(step.out(index), step.z[(row, *index)], rule, terms)]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        down, along = self._windows(step)
        *place, channel = index
        terms, outs = [], []
        for k, i in down.seen(place[0]):
            for m, j in along.seen(place[1]):
                for filter_ in range(step.z.shape[-1]):
                    outs.append((i, j, filter_))
                    weight = step.own("weight", (k, m, channel, filter_))
                    terms.append(step.term(step.grad_out(row, outs[-1]), weight))
        largest = max(outs, key=lambda out: abs(step.back[(row, *out)]), default=None)
        value = float(step.grad_x()[(row, *index)])
        rule = "the sum over its window and all filters"
        return [step.sum(step.grad_input(index), value, rule, terms)], largest

    def parameter(self, step: TracedStep, name: str, index: Index) -> list[tuple[Any, int, Index]] | None:
        down, along = self._windows(step)
        terms: list[tuple[Any, int, Index]] = []
        for row in range(step.count):
            for i, j in np.ndindex((step.x if name == "weight" else step.z).shape[1:-1]):
                at, factors = (i, j), []
                if name == "weight":
                    at = dict(down.seen(i)).get(index[0], -1), dict(along.seen(j)).get(index[1], -1)
                    if -1 in at:
                        continue  # cut off at an edge
                    factors.append(step.input(row, (i, j, index[2])))
                out = (*at, index[-1])
                note = ", ".join(filter(None, [step.row_note(row), f"at {at[0]}, {at[1]}"]))
                terms.append((step.term(*factors, step.grad_out(row, out), note=note), row, out))
        return terms

    @staticmethod
    def _windows(step: TracedStep) -> list[Windows]:
        return step.layer.windows(step.x.shape[1:])  # type: ignore[attr-defined]


TransposedConv2D.arithmetic = TransposedArithmetic()
