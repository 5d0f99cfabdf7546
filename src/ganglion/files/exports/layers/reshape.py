"""Layers that pass their numbers on in predictions: dropout, other shapes, and activations by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.files.exports.writing import Writing


class PassedOn(Writing):
    """z = x. Nothing is done, unless an activation follows that would change x in its place."""

    passes_on = True
    kernels = """
static void copied(const float *x, float *z, int count) {
    for (int i = 0; i < count; i++) {
        z[i] = x[i];
    }
}
"""

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        return [f"copied({x[0]}, {z}, {step.outputs});"]

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        return x[0]

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        return x[0]

    def terms(self, step: Step, x: Sequence[Sequence[str]], arrays: Mapping[str, Array]) -> list[str]:
        return list(x[0])


class Reshaped(PassedOn):
    """z has the numbers of x in another shape."""

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        return f"{x[0]}.reshape(len({x[0]}), {', '.join(map(str, step.shape))})"

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        return graph.add("Reshape", x[0], graph.whole([-1, *step.shape]))


PASSED_ON, RESHAPED = PassedOn(), Reshaped()
