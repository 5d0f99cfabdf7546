"""Dense layers: z = x @ weight + bias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.files.exports.writing import Writing, literal, numbers, sum_of


class DenseWriting(Writing):
    """z_j = sum_i x_i w_ij + b_j."""

    kernels = """
static void dense(const float *restrict x, float *restrict z, const float *restrict weight,
                  const float *restrict bias, int inputs, int units) {
    for (int j = 0; j < units; j++) {
        z[j] = bias[j];
    }
    for (int i = 0; i < inputs; i++) {
        for (int j = 0; j < units; j++) {
            z[j] += x[i] * weight[i * units + j];
        }
    }
}
"""

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        sizes = numbers(step.shapes[0][0], step.shape[0])
        return [f"dense({x[0]}, {z}, {arrays['weight']}, {arrays['bias']}, {sizes});"]

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        return f"{x[0]} @ {arrays['weight']} + {arrays['bias']}"

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        return graph.add("Gemm", x[0], graph.constant(arrays["weight"]), graph.constant(arrays["bias"]))

    def terms(self, step: Step, x: Sequence[Sequence[str]], arrays: Mapping[str, Array]) -> list[str]:
        return [
            sum_of(
                [
                    literal(bias),
                    *(f"{literal(w)} * {each}" for w, each in zip(weights, x[0], strict=True) if w),
                ]
            )
            for weights, bias in zip(arrays["weight"].T, arrays["bias"], strict=True)
        ]


DENSE = DenseWriting()
