"""Normalization: numbers with mean 0 and variance 1, then a learned scale and shift."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganglion.core.layers import GroupNormalization
from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.files.exports.writing import Writing, literal, numbers


class BatchWriting(Writing):
    """z = scale * (x - mean) / sqrt(variance + epsilon) + shift, with the means of training."""

    kernels = """
static void batch_normalization(const float *x, float *z, const float *scale, const float *shift,
                                const float *mean, const float *variance, int rows, int width,
                                float epsilon) {
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < width; j++) {
            const float normal = (x[i * width + j] - mean[j]) / sqrtf(variance[j] + epsilon);
            z[i * width + j] = normal * scale[j] + shift[j];
        }
    }
}
"""
    names = "scale", "shift", "mean", "variance"

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        own = ", ".join(arrays[name] for name in self.names)
        sizes = numbers(math.prod(step.shape[:-1]), step.shape[-1])
        return [f"batch_normalization({x[0]}, {z}, {own}, {sizes}, {_epsilon(step)}f);"]

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        scale, shift, mean, variance = (arrays[name] for name in self.names)
        deviation = f"np.sqrt({variance} + np.float32({_epsilon(step)}))"
        return f"({x[0]} - {mean}) / {deviation} * {scale} + {shift}"

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        factor, shift = _line(step, arrays)
        return graph.add("Add", graph.add("Mul", x[0], graph.constant(factor)), graph.constant(shift))

    def terms(self, step: Step, x: Sequence[Sequence[str]], arrays: Mapping[str, Array]) -> list[str]:
        line = zip(*_line(step, arrays), strict=True)
        return [
            f"({each}) * {literal(factor)} + {literal(shift)}"
            for each, (factor, shift) in zip(x[0], [*line] * math.prod(step.shape[:-1]), strict=True)
        ]


def _line(step: Step, arrays: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return the factor and the shift of each feature."""
    scale, shift, mean, variance = (arrays[name].astype(np.float64) for name in BatchWriting.names)
    factor = scale / np.sqrt(variance + float(_epsilon(step)))
    return factor.astype(np.float32), (shift - mean * factor).astype(np.float32)


def _epsilon(step: Step) -> str:
    return literal(step.settings["epsilon"])


class GroupWriting(Writing):
    """z = scale * (x - mean) / sqrt(variance + epsilon) + shift, over a row's places and a group of channels.

    A layer normalization has a group for each place: its rows are the places.
    """

    kernels = """
static void group_normalization(const float *x, float *z, const float *scale, const float *shift, int rows,
                                int places, int groups, int each, float epsilon) {
    const int width = groups * each;
    for (int row = 0; row < rows; row++) {
        for (int group = 0; group < groups; group++) {
            const int first = row * places * width + group * each;
            float mean = 0.0f;
            float variance = 0.0f;
            for (int i = 0; i < places; i++) {
                for (int j = 0; j < each; j++) {
                    mean += x[first + i * width + j];
                }
            }
            mean /= (float)(places * each);
            for (int i = 0; i < places; i++) {
                for (int j = 0; j < each; j++) {
                    const float centered = x[first + i * width + j] - mean;
                    variance += centered * centered;
                }
            }
            variance /= (float)(places * each);
            for (int i = 0; i < places; i++) {
                for (int j = 0; j < each; j++) {
                    const int place = first + i * width + j;
                    const float normal = (x[place] - mean) / sqrtf(variance + epsilon);
                    z[place] = normal * scale[group * each + j] + shift[group * each + j];
                }
            }
        }
    }
}
"""

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        sizes = numbers(*_sizes(step))
        own = f"{arrays['scale']}, {arrays['shift']}, {sizes}, {_epsilon(step)}f"
        return [f"group_normalization({x[0]}, {z}, {own});"]

    helpers = '''
def group_normalization(x, scale, shift, rows, places, groups, epsilon):
    """Return x with mean 0 and variance 1 over all places and each group of channels, scaled and shifted."""
    apart = x.reshape(len(x) * rows, places, groups, -1)
    centered = apart - apart.mean(axis=(1, 3), keepdims=True)
    variance = (centered * centered).mean(axis=(1, 3), keepdims=True)
    return (centered / np.sqrt(variance + np.float32(epsilon))).reshape(x.shape) * scale + shift
'''

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        rows, places, groups, _ = _sizes(step)
        own = f"{arrays['scale']}, {arrays['shift']}, {rows}, {places}, {groups}, {_epsilon(step)}"
        return f"group_normalization({x[0]}, {own})"

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        _, places, groups, each = _sizes(step)
        apart = graph.add("Reshape", x[0], graph.whole([-1, places, groups, each]))
        axes = graph.whole([1, 3])
        centered = graph.add("Sub", apart, graph.add("ReduceMean", apart, axes))
        variance = graph.add("ReduceMean", graph.add("Mul", centered, centered), axes)
        epsilon = graph.constant(np.float32(step.settings["epsilon"]))
        deviation = graph.add("Sqrt", graph.add("Add", variance, epsilon))
        normal = graph.add("Reshape", graph.add("Div", centered, deviation), graph.whole([-1, *step.shape]))
        scaled = graph.add("Mul", normal, graph.constant(arrays["scale"]))
        return graph.add("Add", scaled, graph.constant(arrays["shift"]))


def _sizes(step: Step) -> tuple[int, int, int, int]:
    """Return how many rows, places, groups and channels of a group are normalized for each row."""
    places, layer = math.prod(step.shape[:-1]), step.layer
    if isinstance(layer, GroupNormalization):
        return 1, places, layer.groups, step.shape[-1] // layer.groups
    return places, 1, 1, step.shape[-1]


BATCH, GROUP = BatchWriting(), GroupWriting()
