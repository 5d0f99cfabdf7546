"""Embeddings: rows of a table, chosen by whole numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganglion.core.layers import EmbeddingBag
from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.files.exports.writing import Writing, numbers

TINY = 1e-30


class EmbeddingWriting(Writing):
    """z = weight[x]."""

    kernels = """
static void embedding(const int *x, float *z, const float *weight, int count, int units) {
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < units; j++) {
            z[i * units + j] = weight[x[i] * units + j];
        }
    }
}
"""

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        sizes = numbers(math.prod(step.shapes[0]), step.shape[-1])
        return [f"embedding({x[0]}, {z}, {arrays['weight']}, {sizes});"]

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        return f"{arrays['weight']}[{x[0]}]"

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        return graph.add("Gather", graph.constant(arrays["weight"]), x[0])


class EmbeddingBagWriting(Writing):
    """z is the sum of the rows of a bag, each times its weight; or their mean."""

    kernels = """
static void embedding_bag(const int *x, const float *weights, int count, float *z, const float *weight,
                          int units, int mean) {
    float total = 0.0f;
    for (int j = 0; j < units; j++) {
        z[j] = 0.0f;
    }
    for (int i = 0; i < count; i++) {
        total += fabsf(weights[i]);
        for (int j = 0; j < units; j++) {
            z[j] += weights[i] * weight[x[i] * units + j];
        }
    }
    for (int j = 0; j < units; j++) {
        z[j] = mean && total > 0.0f ? z[j] / total : z[j];
    }
}
"""

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        sizes = numbers(step.shape[0], int(_bag(step).mode == "mean"))
        return [f"embedding_bag({x[0]}, {x[0]}_weights, {x[0]}_count, {z}, {arrays['weight']}, {sizes});"]

    helpers = '''
def embedding_bag(bags, weight, mean):
    """Return the sum of the rows of each bag, a list of (row, factor), or their mean."""
    sums = np.zeros((len(bags), weight.shape[1]), np.float32)
    for z, bag in zip(sums, bags):
        for row, factor in bag:
            z += np.float32(factor) * weight[row]
        total = sum(abs(factor) for _, factor in bag)
        z /= total if mean and total else 1
    return sums
'''

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        return f"embedding_bag({x[0]}, {arrays['weight']}, mean={_bag(step).mode == 'mean'})"

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        rows = graph.add("Gather", graph.constant(arrays["weight"]), x[0])
        factors = graph.add("Unsqueeze", f"{x[0]}_weights", graph.whole([2]))
        sums = graph.add("ReduceSum", graph.add("Mul", rows, factors), graph.whole([1]), keepdims=0)
        if _bag(step).mode == "sum":
            return graph.add("Identity", sums)
        total = graph.add("ReduceSum", graph.add("Abs", f"{x[0]}_weights"), graph.whole([1]))
        return graph.add("Div", sums, graph.add("Max", total, graph.constant(np.float32(TINY))))


def _bag(step: Step) -> EmbeddingBag:
    layer = step.layer
    assert isinstance(layer, EmbeddingBag)
    return layer


EMBEDDING, EMBEDDING_BAG = EmbeddingWriting(), EmbeddingBagWriting()
