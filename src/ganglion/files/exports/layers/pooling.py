"""Pools over windows of images, and over all places of each channel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ganglion.core.layers.pooling import Pool2D
from ganglion.core.layers.windows import Windows
from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.files.exports.writing import Writing, numbers

WINDOWS = """
static void NAME(const float *x, float *z, int height, int width, int channels, int rows, int columns,
                 int window_height, int window_width, int stride_y, int stride_x, int before_y,
                 int before_x) {
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            for (int c = 0; c < channels; c++) {
                float found = START;
                int count = 0;
                for (int m = 0; m < window_height; m++) {
                    for (int n = 0; n < window_width; n++) {
                        const int y = i * stride_y + m - before_y;
                        const int at = j * stride_x + n - before_x;
                        if (y < 0 || y >= height || at < 0 || at >= width) {
                            continue;
                        }
                        const float value = x[(y * width + at) * channels + c];
                        found = STEP;
                        count += 1;
                    }
                }
                z[(i * columns + j) * channels + c] = RESULT;
            }
        }
    }
}
"""
PLACES = """
static void NAME(const float *x, float *z, int count, int channels) {
    for (int c = 0; c < channels; c++) {
        float found = START;
        for (int i = 0; i < count; i++) {
            const float value = x[i * channels + c];
            found = STEP;
        }
        z[c] = RESULT;
    }
}
"""


def _filled(text: str, name: str, start: str, step: str, result: str) -> str:
    return text.replace("NAME", name).replace("START", start).replace("STEP", step).replace("RESULT", result)


LARGEST = "-3.4028235e38f", "fmaxf(found, value)", "count > 0 ? found : 0.0f"
MEAN = "0.0f", "found + value", "found / (float)count"


class PoolWriting(Writing):
    """z is the largest number, or the mean, of each window and channel."""

    def __init__(self, name: str, parts: tuple[str, str, str], operator: str) -> None:
        self.name, self.operator = name, operator
        self.kernels = _filled(WINDOWS, name, *parts)  # type: ignore[misc]

    helpers = '''
def pool(x, counts, windows, strides, befores, reduce):
    """Return `reduce` of each window of images x, (n, height, width, channels); padding does not count."""
    ends = [(count - 1) * stride + window for count, stride, window in zip(counts, strides, windows)]
    around = np.full((len(x), *map(max, ends, np.add(x.shape[1:3], befores)), x.shape[3]), np.nan, x.dtype)
    (top, left), (height, width) = befores, x.shape[1:3]
    around[:, top : top + height, left : left + width] = x
    seen = [around[:, i :: strides[0], j :: strides[1]][:, : counts[0], : counts[1]]
            for i in range(windows[0]) for j in range(windows[1])]
    return reduce(seen, axis=0)
'''

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        height, width = _windows(step)
        sizes = numbers(
            *(*step.shapes[0], height.count, width.count, height.window, width.window),
            *(height.stride, width.stride, height.before, width.before),
        )
        return [f"{self.name}({x[0]}, {z}, {sizes});"]

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        pairs = ", ".join(
            f"({', '.join(str(getattr(axis, name)) for axis in _windows(step))})"
            for name in ("count", "window", "stride", "before")
        )
        return f"pool({x[0]}, {pairs}, {'np.nanmax' if self.name == 'max_pool' else 'np.nanmean'})"

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        windows = _windows(step)
        pooled = graph.add(
            self.operator,
            graph.add("Transpose", x[0], perm=[0, 3, 1, 2]),
            kernel_shape=[axis.window for axis in windows],
            strides=[axis.stride for axis in windows],
            pads=[*(axis.before for axis in windows), *(axis.after for axis in windows)],
        )
        return graph.add("Transpose", pooled, perm=[0, 2, 3, 1])


class GlobalPoolWriting(Writing):
    """z is the largest number, or the mean, of each channel."""

    def __init__(self, name: str, parts: tuple[str, str, str], operator: str) -> None:
        self.name, self.operator = name, operator
        self.kernels = _filled(PLACES, name, *parts)  # type: ignore[misc]

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        return [f"{self.name}({x[0]}, {z}, {numbers(math.prod(step.shapes[0][:-1]), step.shape[0])});"]

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        axes = ", ".join(map(str, range(1, len(step.shapes[0]))))
        return f"{x[0]}.{'max' if self.name == 'global_max' else 'mean'}(axis=({axes},))"

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        return graph.add(self.operator, x[0], graph.whole(range(1, len(step.shapes[0]))), keepdims=0)


def _windows(step: Step) -> list[Windows]:
    layer = step.layer
    assert isinstance(layer, Pool2D)
    return layer.windows(step.shapes[0])


MAX_POOL = PoolWriting("max_pool", LARGEST, "MaxPool")
AVERAGE_POOL = PoolWriting("average_pool", MEAN, "AveragePool")
GLOBAL_MAX_POOL = GlobalPoolWriting("global_max", LARGEST, "ReduceMax")
GLOBAL_AVERAGE_POOL = GlobalPoolWriting("global_average", MEAN, "ReduceMean")
