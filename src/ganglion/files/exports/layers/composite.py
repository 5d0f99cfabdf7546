"""Layers that join values: residual and parallel layers, and mixtures of answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganglion.core.layers import Mixture
from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.files.exports.writing import Writing, literal, numbers, sum_of


class ResidualWriting(Writing):
    """z = f(x) + x."""

    kernels = """
static void residual(const float *inside, const float *around, float *z, int count) {
    for (int i = 0; i < count; i++) {
        z[i] = inside[i] + around[i];
    }
}
"""

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        return [f"residual({x[0]}, {x[1]}, {z}, {step.outputs});"]

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        return f"{x[0]} + {x[1]}"

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        return graph.add("Add", *x)

    def terms(self, step: Step, x: Sequence[Sequence[str]], arrays: Mapping[str, Array]) -> list[str]:
        return [sum_of(pair) for pair in zip(*x, strict=True)]


class ParallelWriting(Writing):
    """z is the values side by side."""

    kernels = """
static void side_by_side(const float *x, float *z, int rows, int width, int whole, int first) {
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < width; j++) {
            z[i * whole + first + j] = x[i * width + j];
        }
    }
}
"""

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        found, first = [], 0
        for name, shape in zip(x, step.shapes, strict=True):
            sizes = numbers(math.prod(shape[:-1]), shape[-1], step.shape[-1], first)
            found.append(f"side_by_side({name}, {z}, {sizes});")
            first += shape[-1]
        return found

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        return f"np.concatenate([{', '.join(x)}], axis=-1)"

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        return graph.add("Concat", *x, axis=-1)

    def terms(self, step: Step, x: Sequence[Sequence[str]], arrays: Mapping[str, Array]) -> list[str]:
        return [each for part in x for each in part]


class MixtureWriting(Writing):
    """z is the weighted sum of answers that lie side by side."""

    kernels = """
static void mixture(const float *x, float *z, const float *weights, int rows, int answers, int width) {
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < width; j++) {
            float sum = 0.0f;
            for (int k = 0; k < answers; k++) {
                sum += weights[k] * x[(i * answers + k) * width + j];
            }
            z[i * width + j] = sum;
        }
    }
}
"""

    def tables(self, step: Step) -> Mapping[str, Array]:
        return {"weights": np.array(_weights(step), np.float32)}

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        sizes = numbers(math.prod(step.shape[:-1]), len(_weights(step)), step.shape[-1])
        return [f"mixture({x[0]}, {z}, {arrays['weights']}, {sizes});"]

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        shape = ", ".join(map(str, (*step.shape[:-1], len(_weights(step)), step.shape[-1])))
        return f'np.einsum("k,...ko->...o", {arrays["weights"]}, {x[0]}.reshape(-1, {shape}))'

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        shape = [-1, *step.shape[:-1], len(_weights(step)), step.shape[-1]]
        apart = graph.add("Reshape", x[0], graph.whole(shape))
        weighted = graph.add("Mul", apart, graph.constant(arrays["weights"][:, None]))
        return graph.add("ReduceSum", weighted, graph.whole([-2]), keepdims=0)

    def terms(self, step: Step, x: Sequence[Sequence[str]], arrays: Mapping[str, Array]) -> list[str]:
        width = step.shape[-1]
        return [
            sum_of([f"{literal(w)} * {x[0][k * width + j]}" for k, w in enumerate(_weights(step)) if w])
            for j in range(width)
        ]


def _weights(step: Step) -> tuple[float, ...]:
    layer = step.layer
    assert isinstance(layer, Mixture)
    return layer.weights


RESIDUAL, PARALLEL, MIXTURE = ResidualWriting(), ParallelWriting(), MixtureWriting()
