"""Convolutions and transposed convolutions of images; a signal is an image of height 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganglion.core.layers import TransposedConv2D
from ganglion.core.layers.convolution import Convolution
from ganglion.core.layers.windows import Windows
from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.files.exports.writing import Writing, numbers


class ConvolutionWriting(Writing):
    """z is the sum over a window of the input, each number times its weight, and the bias."""

    kernels = """
static void convolution(const float *restrict x, float *restrict z, const float *restrict weight,
                        const float *restrict bias, int height, int width, int channels, int rows,
                        int columns, int filters, int window_height, int window_width, int stride_y,
                        int stride_x, int before_y, int before_x, int dilation_y, int dilation_x,
                        int groups, int own_channels, int own_filters) {
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            const int out = (i * columns + j) * filters;
            for (int f = 0; f < filters; f++) {
                z[out + f] = bias[f];
            }
            for (int m = 0; m < window_height; m++) {
                for (int n = 0; n < window_width; n++) {
                    const int y = i * stride_y + m * dilation_y - before_y;
                    const int at = j * stride_x + n * dilation_x - before_x;
                    if (y < 0 || y >= height || at < 0 || at >= width) {
                        continue;
                    }
                    for (int g = 0; g < groups; g++) {
                        for (int c = 0; c < own_channels; c++) {
                            const float value = x[(y * width + at) * channels + g * own_channels + c];
                            const int from = ((m * window_width + n) * own_channels + c) * filters;
                            for (int f = g * own_filters; f < (g + 1) * own_filters; f++) {
                                z[out + f] += value * weight[from + f];
                            }
                        }
                    }
                }
            }
        }
    }
}
"""
    helpers = '''
def convolution(x, weight, bias, counts, strides, befores, dilations, groups):
    """Return the sum over windows of images x, (n, height, width, channels), times the weights, plus bias."""
    steps = [range(size) for size in weight.shape[:2]]
    ends = [(count - 1) * stride + (size - 1) * dilation + 1
            for count, stride, size, dilation in zip(counts, strides, weight.shape, dilations)]
    around = np.zeros((len(x), *ends, x.shape[3]), x.dtype)
    (top, left), (height, width) = befores, x.shape[1:3]
    inside = x[:, : ends[0] - top, : ends[1] - left]
    around[:, top : top + height, left : left + width] = inside
    z = np.zeros((len(x), *counts, weight.shape[3]), x.dtype) + bias
    for i in steps[0]:
        for j in steps[1]:
            seen = around[:, i * dilations[0] :: strides[0], j * dilations[1] :: strides[1]]
            seen = np.split(seen[:, : counts[0], : counts[1]], groups, axis=-1)
            parts = zip(seen, np.split(weight[i, j], groups, axis=-1))
            z += np.concatenate([part @ own for part, own in parts], axis=-1)
    return z
'''

    def tables(self, step: Step) -> Mapping[str, Array]:
        return _no_bias(step)

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        layer, (height, width) = _convolution(step), _windows(step)
        channels, filters = step.shapes[0][-1], step.shape[-1]
        sizes = numbers(
            *(height.size, width.size, channels, height.count, width.count, filters),
            *(height.window, width.window, height.stride, width.stride, height.before, width.before),
            *(height.dilation, width.dilation),
            *(layer.groups, channels // layer.groups, filters // layer.groups),
        )
        return [f"convolution({x[0]}, {z}, {arrays['weight']}, {arrays['bias']}, {sizes});"]

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        layer, axes = _convolution(step), _windows(step)
        pairs = ", ".join(
            f"({', '.join(str(getattr(axis, name)) for axis in axes)})"
            for name in ("count", "stride", "before", "dilation")
        )
        weight, image = arrays["weight"], x[0]
        if len(step.shape) == 2:
            weight, image = f"{weight}[None]", f"{image}[:, None]"
        called = f"convolution({image}, {weight}, {arrays['bias']}, {pairs}, {layer.groups})"
        return f"{called}[:, 0]" if len(step.shape) == 2 else called

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        layer, windows = _convolution(step), _windows(step)[-(len(step.shape) - 1) :]
        axes = len(windows)
        return _channels_first(
            graph,
            axes,
            x[0],
            lambda image: graph.add(
                "Conv",
                image,
                graph.constant(np.moveaxis(arrays["weight"], (-1, -2), (0, 1))),
                graph.constant(arrays["bias"]),
                strides=[axis.stride for axis in windows],
                dilations=[axis.dilation for axis in windows],
                group=layer.groups,
                pads=[*(axis.before for axis in windows), *(axis.after for axis in windows)],
            ),
        )


class TransposedWriting(Writing):
    """z is the sum over inputs whose windows reach it, each times its weight, and the bias."""

    kernels = """
static void transposed(const float *restrict x, float *restrict z, const float *restrict weight,
                       const float *restrict bias, int height, int width, int channels, int rows, int columns,
                       int filters, int window_height, int window_width, int stride_y, int stride_x,
                       int before_y, int before_x) {
    for (int i = 0; i < rows * columns; i++) {
        for (int f = 0; f < filters; f++) {
            z[i * filters + f] = bias[f];
        }
    }
    for (int i = 0; i < height; i++) {
        for (int j = 0; j < width; j++) {
            for (int m = 0; m < window_height; m++) {
                for (int n = 0; n < window_width; n++) {
                    const int y = i * stride_y + m - before_y;
                    const int at = j * stride_x + n - before_x;
                    if (y < 0 || y >= rows || at < 0 || at >= columns) {
                        continue;
                    }
                    for (int c = 0; c < channels; c++) {
                        const float value = x[(i * width + j) * channels + c];
                        const int from = ((m * window_width + n) * channels + c) * filters;
                        for (int f = 0; f < filters; f++) {
                            z[(y * columns + at) * filters + f] += value * weight[from + f];
                        }
                    }
                }
            }
        }
    }
}
"""
    helpers = '''
def transposed(x, weight, bias, shape, strides, befores):
    """Return images in which every input has added its number times the weights, plus bias."""
    reach = [(size - 1) * stride + window for size, stride, window in zip(x.shape[1:], strides, weight.shape)]
    around = np.zeros((len(x), *map(max, reach, np.add(shape, befores)), weight.shape[3]), x.dtype)
    for i in range(weight.shape[0]):
        for j in range(weight.shape[1]):
            rows = slice(i, i + (x.shape[1] - 1) * strides[0] + 1, strides[0])
            columns = slice(j, j + (x.shape[2] - 1) * strides[1] + 1, strides[1])
            around[:, rows, columns] += x @ weight[i, j]
    (top, left), (height, width) = befores, shape
    return around[:, top : top + height, left : left + width] + bias
'''

    def tables(self, step: Step) -> Mapping[str, Array]:
        return _no_bias(step)

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        height, width = _windows(step)
        sizes = numbers(
            *(*step.shapes[0], *step.shape, height.window, width.window),
            *(height.stride, width.stride, height.before, width.before),
        )
        return [f"transposed({x[0]}, {z}, {arrays['weight']}, {arrays['bias']}, {sizes});"]

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        height, width = _windows(step)
        pairs = f"{step.shape[:2]}, {(height.stride, width.stride)}, {(height.before, width.before)}"
        return f"transposed({x[0]}, {arrays['weight']}, {arrays['bias']}, {pairs})"

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        windows = _windows(step)
        ends = [
            (size - 1) * axis.stride + axis.window - axis.before - axis.size
            for size, axis in zip(step.shapes[0], windows, strict=False)
        ]
        return _channels_first(
            graph,
            2,
            x[0],
            lambda image: graph.add(
                "ConvTranspose",
                image,
                graph.constant(np.moveaxis(arrays["weight"], (2, 3), (0, 1))),
                graph.constant(arrays["bias"]),
                strides=[axis.stride for axis in windows],
                pads=[*(axis.before for axis in windows), *(max(end, 0) for end in ends)],
                output_padding=[max(-end, 0) for end in ends],
            ),
        )


def _convolution(step: Step) -> Convolution:
    layer = step.layer
    assert isinstance(layer, Convolution)
    return layer


def _windows(step: Step) -> list[Windows]:
    layer = step.layer
    assert isinstance(layer, Convolution | TransposedConv2D)
    return layer.windows(step.shapes[0])


def _no_bias(step: Step) -> Mapping[str, Array]:
    """Return zeros for a layer without a bias."""
    has_bias = any(entry.short == "bias" for entry in step.parameters)
    return {} if has_bias else {"bias": np.zeros(step.shape[-1], np.float32)}


def _channels_first(graph: Any, axes: int, x: str, convolved: Any) -> str:
    """Add what ONNX computes with the channels before the other axes."""
    there, back = [0, axes + 1, *range(1, axes + 1)], [0, *range(2, axes + 2), 1]
    return graph.add("Transpose", convolved(graph.add("Transpose", x, perm=there)), perm=back)


CONVOLUTION, TRANSPOSED = ConvolutionWriting(), TransposedWriting()
