"""Piecewise-linear encoding: how far a number reaches into each of several bins."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ganglion.core.layers import PiecewiseLinear
from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.files.exports.writing import Writing, literal, numbers


class PiecewiseWriting(Writing):
    """z is each input, then clip((x - low) / (high - low), 0, 1) for each of its bins."""

    kernels = """
static void piecewise_linear(const float *x, float *z, const float *source, const float *low,
                             const float *width, int rows, int inputs, int outputs) {
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < outputs; j++) {
            const float value = x[i * inputs + (int)source[j]];
            z[i * outputs + j] = value;
            if (width[j] > 0.0f) {
                z[i * outputs + j] = fminf(fmaxf((value - low[j]) / width[j], 0.0f), 1.0f);
            }
        }
    }
}
"""

    def tables(self, step: Step) -> Mapping[str, Array]:
        source, low, width = zip(*_outputs(step), strict=True)
        return {name: np.array(each, np.float32) for name, each in
                (("source", source), ("low", low), ("width", width))}  # fmt: skip

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        tables = ", ".join(arrays[name] for name in ("source", "low", "width"))
        sizes = numbers(math.prod(step.shape[:-1]), step.shapes[0][-1], step.shape[-1])
        return [f"piecewise_linear({x[0]}, {z}, {tables}, {sizes});"]

    helpers = '''
def piecewise_linear(x, source, low, width):
    """Return each input, then how full each of its bins is."""
    value = x[..., source.astype(int)]
    return np.where(width > 0, np.clip((value - low) / np.where(width > 0, width, 1), 0, 1), value)
'''

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        return f"piecewise_linear({x[0]}, {', '.join(arrays[name] for name in ('source', 'low', 'width'))})"

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        value = graph.add("Gather", x[0], graph.whole(arrays["source"].astype(np.int64)), axis=-1)
        is_bin = arrays["width"] > 0
        fraction = graph.add(
            "Div",
            graph.add("Sub", value, graph.constant(arrays["low"])),
            graph.constant(np.where(is_bin, arrays["width"], 1).astype(np.float32)),
        )
        full = graph.add("Clip", fraction, graph.constant(np.float32(0)), graph.constant(np.float32(1)))
        return graph.add("Where", graph.constant(is_bin), full, value)

    def terms(self, step: Step, x: Sequence[Sequence[str]], arrays: Mapping[str, Array]) -> list[str]:
        found = []
        for source, low, width in _outputs(step):
            value = x[0][source]
            if width:
                over = f"(({value}) - {literal(low)}) / {literal(width)}"
                value = f"CASE WHEN {over} < 0 THEN 0.0 WHEN {over} > 1 THEN 1.0 ELSE {over} END"
            found.append(value)
        return found


def _outputs(step: Step) -> Iterator[tuple[int, float, float]]:
    """Yield for each output its input, and its bin's lower edge and width, 0 and 0 for none."""
    layer = step.layer
    assert isinstance(layer, PiecewiseLinear)
    for number, own in enumerate(layer.edges):
        edges = np.array(own, np.float32)
        yield number, 0.0, 0.0
        for low, high in pairwise(edges):
            yield number, float(low), float(high - low)


PIECEWISE = PiecewiseWriting()
