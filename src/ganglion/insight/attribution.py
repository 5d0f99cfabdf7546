"""Attribution: how much each input moves each prediction away from that of a baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.arrays import as_array, as_numbers
from ganglion.core.model import Model
from ganglion.core.part import Array
from ganglion.errors import ConfigError, one_of, shortened

METHODS = ("integrated_gradients", "gradient_x_input")
TOLERANCE = 1e-6  # of the largest difference from the baseline, for the sum of each row
PIECES = 8
HALVINGS = 9
ROWS_AT_ONCE = 128
GAUSS = (0.5 - 0.5 / np.sqrt(3), 0.5 + 0.5 / np.sqrt(3))  # the two points of Gauss's rule on (0, 1)


@dataclass(frozen=True)
class Attribution:
    """How much each input moved the predictions.

    Attributes:
        values: the contribution of each input to the explained output, of the shape of X.
        outputs: the index of the explained output in each row, of shape (n,).
        predictions: the value of the explained output, of shape (n,).
        baselines: its value for the baseline, of shape (n,).
        method: "integrated_gradients" or "gradient_x_input".
    """

    values: Array
    outputs: Array
    predictions: Array
    baselines: Array
    method: str

    @property
    def residual(self) -> Array:
        """The difference between prediction and baseline that the values do not explain, of shape (n,)."""
        return self.predictions - self.baselines - self.values.sum(axis=tuple(range(1, self.values.ndim)))


@np.errstate(over="ignore", invalid="ignore")
def attribute(model: Model, X: Any, output: int | None, baseline: Any, method: str) -> Attribution:
    """Return how much each input moved the predictions; the arguments are those of `Network.attribute`."""
    if method not in METHODS:
        raise ConfigError(f"there is no method {shortened(method)}", one_of(str(method), METHODS))
    architecture = model.architecture
    if not architecture.takes_numbers:
        raise ConfigError("attribution needs a network with one input of numbers")
    shape = architecture.input_shape
    x = as_numbers("X", X, shape, model.dtype).astype(np.float64)
    start = np.zeros(shape)
    if baseline is not None:
        one = as_array("baseline", baseline)[None]
        start = as_numbers("baseline", one, shape, model.dtype)[0].astype(np.float64)
    units = math.prod(architecture.outputs)
    if output is not None:
        check_integer("output", output, at_least=0, at_most=units - 1)
    if not len(x):
        nothing = np.zeros(0)
        return Attribution(x, nothing.astype(int), nothing, nothing, method)
    pieces = [x[first : first + ROWS_AT_ONCE] for first in range(0, len(x), ROWS_AT_ONCE)]
    function = _Function(model.in_float64(), units)
    found = [_attribute(function, piece, start, output, method) for piece in pieces]
    values, chosen, after, before = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Attribution(values, chosen, after, before, method)


def _attribute(
    function: _Function, x: Array, start: Array, output: int | None, method: str
) -> tuple[Array, Array, Array, Array]:
    outputs = function.all_outputs(x)
    chosen = outputs.argmax(axis=1) if output is None else np.full(len(x), output)
    rows = np.arange(len(x))
    begin = np.broadcast_to(start, x.shape)
    after, before = outputs[rows, chosen], function.all_outputs(begin)[rows, chosen]
    if method == "gradient_x_input":
        return function.gradient(x, chosen) * (x - begin), chosen, after, before
    return _integrate(function, begin, x, chosen, before, after), chosen, after, before


def _integrate(
    function: _Function, begin: Array, end: Array, chosen: Array, before: Array, after: Array
) -> Array:
    """Return (end - begin) times the mean gradient along a straight path, by adaptive integration.

    On each piece of the path the attributions must sum to the difference of the outputs at its ends; pieces
    where they do not, such as those at the kinks of ReLU units, are halved. In the narrowest pieces the
    remaining error is distributed in proportion to the attributions.
    """
    total, way = np.zeros_like(end), end - begin
    allowed = TOLERANCE * max(float(np.abs(after - before).max(initial=0.0)), 1e-12)
    row = np.repeat(np.arange(len(end)), PIECES)
    left, width = np.tile(np.arange(PIECES) / PIECES, len(end)), np.full(len(row), 1 / PIECES)
    at_left = function.output(_at(begin, way, row, left), chosen[row])
    at_right = np.append(at_left[1:], 0.0)
    at_right[PIECES - 1 :: PIECES] = after
    for halvings in range(HALVINGS + 1):
        slope = sum(function.gradient(_at(begin, way, row, left + g * width), chosen[row]) for g in GAUSS) / 2
        parts = (slope * way[row] * _per_row(width, way)).reshape(len(row), way[0].size)
        lack = at_right - at_left - parts.sum(axis=1)
        done = np.abs(lack) <= allowed * np.maximum(width, 1 / 64)
        if halvings == HALVINGS:
            done[:] = True
            size = np.abs(parts)
            flat = size.sum(axis=1) == 0
            size[flat] = np.abs(way[row]).reshape(len(row), way[0].size)[flat]
            parts += size * (lack / np.maximum(size.sum(axis=1), 1e-300))[:, None]
        np.add.at(total, row[done], parts[done].reshape(-1, *way.shape[1:]))
        row, left, width = row[~done], left[~done], width[~done] / 2
        if not len(row):
            break
        middle = function.output(_at(begin, way, row, left + width), chosen[row])
        at_left = np.stack([at_left[~done], middle], axis=1).ravel()
        at_right = np.stack([middle, at_right[~done]], axis=1).ravel()
        row, left, width = (np.repeat(values, 2) for values in (row, left, width))
        left[1::2] += width[1::2]
    return total


def _at(begin: Array, way: Array, row: Array, time: Array) -> Array:
    return begin[row] + way[row] * _per_row(time, way)


def _per_row(values: Array, rows: Array) -> Array:
    """Return one value per row, in a shape that broadcasts against rows."""
    return values.reshape(-1, *[1] * (rows.ndim - 1))


@dataclass(frozen=True)
class _Function:
    """A network in prediction mode as a function of its inputs, in float64."""

    model: Model
    units: int

    def all_outputs(self, x: Array) -> Array:
        return self.model.outputs(x).reshape(len(x), self.units)

    def output(self, x: Array, chosen: Array) -> Array:
        return self.all_outputs(x)[np.arange(len(x)), chosen]

    def gradient(self, x: Array, chosen: Array) -> Array:
        grad = np.zeros((len(x), self.units))
        grad[np.arange(len(x)), chosen] = 1
        grad = grad.reshape(len(x), *self.model.architecture.outputs)
        return np.asarray(self.model.gradient_of_inputs(x, grad))
