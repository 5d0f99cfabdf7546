"""Layers that change the size of an image and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganglion.core.layers import Upsample2D, ZeroPad2D
from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.files.exports.writing import Writing, numbers


class ResizeWriting(Writing):
    """z has the places of x, moved or repeated, and 0 elsewhere."""

    kernels = """
static void resize(const float *x, float *z, int height, int width, int channels, int rows, int columns,
                   int top, int left, int down, int along) {
    for (int i = 0; i < rows * columns * channels; i++) {
        z[i] = 0.0f;
    }
    for (int i = 0; i < height; i++) {
        for (int j = 0; j < width; j++) {
            for (int m = 0; m < down; m++) {
                for (int n = 0; n < along; n++) {
                    const int y = i * down + m + top;
                    const int at = j * along + n + left;
                    if (y < 0 || y >= rows || at < 0 || at >= columns) {
                        continue;
                    }
                    for (int c = 0; c < channels; c++) {
                        z[(y * columns + at) * channels + c] = x[(i * width + j) * channels + c];
                    }
                }
            }
        }
    }
}
"""

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        return [f"resize({x[0]}, {z}, {numbers(*step.shapes[0], *step.shape[:2], *_moves(step))});"]

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        top, left, down, along = _moves(step)
        (height, width), (rows, columns) = step.shapes[0][:2], step.shape[:2]
        if down > 1 or along > 1:
            return f"{x[0]}.repeat({down}, axis=1).repeat({along}, axis=2)"
        if top < 0 or left < 0 or rows < height or columns < width:
            return f"{x[0]}[:, {-top} : {rows - top}, {-left} : {columns - left}]"
        edges = f"({top}, {rows - height - top}), ({left}, {columns - width - left})"
        return f"np.pad({x[0]}, ((0, 0), {edges}, (0, 0)))"

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        top, left, down, along = _moves(step)
        (height, width), (rows, columns) = step.shapes[0][:2], step.shape[:2]
        if down > 1 or along > 1:
            apart = graph.add("Reshape", x[0], graph.whole([-1, height, 1, width, 1, step.shape[2]]))
            shape = graph.whole([1, 1, down, 1, along, 1])
            return graph.add("Reshape", graph.add("Tile", apart, shape), graph.whole([-1, *step.shape]))
        if top < 0 or left < 0 or rows < height or columns < width:
            ends = graph.whole([-top + rows, -left + columns])
            return graph.add("Slice", x[0], graph.whole([-top, -left]), ends, graph.whole([1, 2]))
        edges = [0, top, left, 0, 0, rows - height - top, columns - width - left, 0]
        return graph.add("Pad", x[0], graph.whole(edges), graph.constant(np.float32(0)))


def _moves(step: Step) -> tuple[int, int, int, int]:
    """Return how far an image moves down and along, and how often each of its places is repeated."""
    layer = step.layer
    if isinstance(layer, Upsample2D):
        down, along = layer.size  # type: ignore[misc]
        return 0, 0, down, along
    sign, margins = (1, layer.padding) if isinstance(layer, ZeroPad2D) else (-1, layer.cropping)  # type: ignore[attr-defined]
    (top, _), (left, _) = margins  # type: ignore[misc]
    return sign * top, sign * left, 1, 1


RESIZE = ResizeWriting()
