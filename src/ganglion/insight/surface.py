"""Surfaces: predictions over two inputs or columns, with all others fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.architecture import Architecture
from ganglion.core.arrays import as_array
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, shortened

RESOLUTION = 48
MARGIN = 0.08  # of the range of the values, on each side


class Network(Protocol):
    """What a surface needs from a network."""

    @property
    def architecture(self) -> Architecture: ...
    def predict(self, X: Any) -> Array: ...


@dataclass(frozen=True)
class Surface:
    """Predictions over two inputs or columns, with all others fixed.

    Attributes:
        names: of the two, that across and that up.
        across, up: their values, in order.
        values: the predictions, (up, across, outputs).
        outputs: the name of each output.
        fixed: the values of all others, by name.
    """

    names: tuple[str, str]
    across: list[Any]
    up: list[Any]
    values: Array
    outputs: list[str]
    fixed: dict[str, Any]


def surface(
    net: Network,
    X: Any,
    inputs: tuple[int, int] = (0, 1),
    row: int | None = None,
    resolution: int = RESOLUTION,
) -> Surface:
    """Return the predictions of a network over two of its inputs, with the others fixed.

    Args:
        net: a network whose input is a row of numbers.
        X: rows, (n, inputs), whose ranges the surface covers.
        inputs: the numbers of the two inputs, that across and that up; (0, 1) by default.
        row: the number of the row whose other inputs are used; None (default) for the means of all rows.
        resolution: points along each side, 48 by default.

    Raises:
        ConfigError: if the network does not take rows of numbers, or for a setting out of range.
        DataError, ShapeError: for rows that break a rule.

    >>> net = gg.Network([gg.Dense(1)], inputs=3)
    >>> net.parameters = [1, 10, 100, 0]
    >>> found = gg.surface(net, [[0, 0, 0], [1, 1, 4]], (0, 1), resolution=3)
    >>> [round(x, 2) for x in found.across], found.values[:, :, 0].round(1).tolist()[1]
    ([-0.08, 0.5, 1.08], [204.9, 205.5, 206.1])
    """
    architecture = net.architecture
    if not architecture.takes_numbers or len(architecture.input_shape) != 1:
        raise ConfigError("a surface needs a network that takes rows of numbers")
    side = check_integer("resolution", resolution, at_least=2, at_most=2000)
    x = as_array("X", X).astype(np.float64)
    count = architecture.input_shape[0]
    if x.ndim != 2 or x.shape[1] != count or not len(x):
        raise DataError(f"X must be at least one row of {count} numbers, got shape {x.shape}")
    first, second = check_pair(inputs, count)
    base = x.mean(axis=0)
    if row is not None:
        base = x[check_integer("row", row, at_least=0, at_most=len(x) - 1)]
    across, up = (margins(x[:, place], side) for place in (first, second))
    places = np.repeat(base[None], side * side, axis=0)
    places[:, first], places[:, second] = np.tile(across, side), np.repeat(up, side)
    values = net.predict(places).reshape(side, side, -1).astype(np.float64)
    names = [f"x[{place}]" for place in range(count)]
    fixed = {name: float(base[i]) for i, name in enumerate(names) if i not in (first, second)}
    outputs = [str(place) for place in range(values.shape[-1])]
    return Surface((names[first], names[second]), across.tolist(), up.tolist(), values, outputs, fixed)


def check_pair(inputs: Any, count: int) -> tuple[int, int]:
    """Return the numbers of two inputs.

    Raises:
        ConfigError: if they are not two different ones of so many.
    """
    given = tuple(inputs) if isinstance(inputs, Sequence) and not isinstance(inputs, str) else ()
    if len(given) != 2 or given[0] == given[1]:
        raise ConfigError(f"inputs must be two different numbers of inputs, got {shortened(inputs)}")
    first, second = (check_integer("each input", each, at_least=0, at_most=count - 1) for each in given)
    return first, second


def margins(values: Array, side: int) -> Array:
    """Return evenly spaced points from just below the lowest to just above the highest value.

    Raises:
        DataError: for values that are too large to be drawn.
    """
    low, high = values.min(), values.max()
    size = max(abs(low), abs(high))
    if not size <= 1e30:
        raise DataError(f"a surface needs inputs of at most 1e30 in size, got {size:g}", "scale them")
    margin = max(MARGIN * (high - low), 1e-5 * size) or 0.5
    return np.linspace(low - margin, high + margin, side)
