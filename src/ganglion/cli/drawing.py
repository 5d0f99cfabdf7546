"""Small text plots for a terminal, without Matplotlib."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ganglion.core.arrays import as_array
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, ShapeError, shortened

LETTERS = "ABCDEFGHIJ"  # rows of the first class, of the second ...
REGIONS = ".-+=:~^%'*"  # places where the first class is predicted, the second ...


def curve(series: dict[str, Sequence[float]], width: int = 60, height: int = 9) -> str:
    """Return one or two series as a plot: `*` for the first, `o` for the second, `#` where they meet.

    The vertical axis is logarithmic if the values span more than a factor of 20. Values that are not finite
    leave gaps; a series with fewer than two finite values is not drawn.
    """
    drawn = {
        name: values for name, values in series.items() if sum(1 for v in values if math.isfinite(v)) > 1
    }
    if not drawn:
        return ""
    finite = [value for values in drawn.values() for value in values if math.isfinite(value)]
    low, high = min(finite), max(finite)
    logarithmic = low > 0 and math.log(high) - math.log(low) > math.log(20)
    measure: Callable[[float], float] = math.log if logarithmic else lambda value: value / 4
    bottom, top = measure(low), measure(high)

    def scaled(value: float) -> float:
        return (measure(value) - bottom) / (top - bottom) if top > bottom else 0.5

    longest = max(map(len, drawn.values()))
    width = min(width, longest)
    grid = [[" "] * width for _ in range(height)]
    for values, mark in zip(drawn.values(), "*o", strict=False):
        for column in range(width):
            value = values[min(round(column * (longest - 1) / max(width - 1, 1)), len(values) - 1)]
            if math.isfinite(value):
                row = height - 1 - round(scaled(value) * (height - 1))
                grid[row][column] = mark if grid[row][column] == " " else "#"
    labels = [f"{high:.3g}", *[""] * (height - 2), f"{low:.3g}"]
    margin = max(map(len, labels))
    lines = [f"{label:>{margin}} |{''.join(line)}" for label, line in zip(labels, grid, strict=True)]
    axis = f"{'':>{margin}} +{'-' * width}"
    legend = "   ".join(f"{mark} {name}" for name, mark in zip(drawn, "*o", strict=False))
    ends = f"{'':>{margin}}  1{f' {longest} epochs':>{width - 1}}"
    return "\n".join([*lines, axis, ends, f"{'':>{margin}}  {legend}"])


def boundary(
    predict: Callable[[Array], Any],
    rows: Any,
    classes: Any,
    labels: Sequence[str],
    names: Sequence[str] = ("x1", "x2"),
    width: int = 60,
    height: int = 20,
) -> str:
    """Return a text plot of the predicted classes over the plane of two inputs, with the rows on top.

    A character such as `.` or `-` marks the class predicted at its place. A letter marks the most common
    class among the rows at its place: an `A` among `-` is a row of the first class predicted as the second.

    Args:
        predict: maps points, (n, 2), to the number of the class predicted at each, (n,).
        rows: (n, 2); those with a missing or infinite number are not drawn.
        classes: the number of each row's class, (n,).
        labels: the name of each class, at most 10.
        names: names of the horizontal and the vertical input; by default x1 and x2.
        width: width in characters, 60 by default.
        height: height in lines, 20 by default.

    Raises:
        ConfigError: for no class, or more than 10.
        DataError, ShapeError: for invalid rows or classes.

    >>> rows = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> picture = boundary(lambda p: p[:, 0] > 0.5, rows, [0, 0, 1, 1], ["no", "yes"], width=12, height=4)
    >>> print(picture)
       x2
     1 |A.....-----B
       |......------
       |......------
     0 |A.....-----B
       +------------
        0          1  x1
        row A, region .: no
        row B, region -: yes
    """
    if not 1 <= len(labels) <= len(LETTERS):
        raise ConfigError(f"a decision boundary must have 1 to {len(LETTERS)} classes, got {len(labels)}")
    points, numbers = as_array("rows", rows).astype(np.float64), as_array("classes", classes)
    if points.ndim != 2 or points.shape[1] != 2 or numbers.shape != points.shape[:1]:
        raise ShapeError(
            f"rows must have shape (n, 2) and classes (n,), got {points.shape} and {numbers.shape}"
        )
    _check_classes("classes", numbers, len(labels))
    finite = np.isfinite(points).all(axis=1)
    points, numbers = points[finite], numbers[finite].astype(np.int64)
    if not len(points):
        raise DataError("a decision boundary needs at least one row of two finite numbers, got none")
    low, high = points.min(axis=0), points.max(axis=0)
    flat = low == high
    half = np.where(flat, np.maximum(np.abs(low) / 2, 0.5), 0)  # a margin around a column of one value
    low, high = low - half, high + half
    across, up = np.linspace(low[0], high[0], width), np.linspace(high[1], low[1], height)
    predicted = np.asarray(predict(np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)))
    if predicted.shape != (width * height,):
        raise ShapeError(f"predict must return one class for each point, got shape {predicted.shape}")
    _check_classes("predicted classes", predicted, len(labels))
    grid = [
        [REGIONS[number] for number in line] for line in predicted.astype(np.int64).reshape(height, width)
    ]
    places = np.rint((points - low) / (high - low) * [width - 1, height - 1]).astype(np.int64)
    counts = np.zeros((height, width, len(labels)), dtype=np.int64)
    np.add.at(counts, (height - 1 - places[:, 1], places[:, 0], numbers), 1)
    for line, column in np.argwhere(counts.any(axis=2)):
        grid[line][column] = LETTERS[int(counts[line, column].argmax())]
    return _framed(grid, low, high, labels, names)


def _check_classes(what: str, numbers: Array, count: int) -> None:
    whole = numbers.dtype.kind in "biu" or (
        numbers.dtype.kind == "f" and bool((numbers == np.floor(numbers)).all())
    )
    if not whole or (numbers.size and not (numbers.min() >= 0 and numbers.max() < count)):
        raise DataError(f"{what} must be class numbers from 0 to {count - 1}, got {shortened(numbers)}")


def _framed(
    grid: list[list[str]], low: Array, high: Array, labels: Sequence[str], names: Sequence[str]
) -> str:
    """Return the grid with labeled axes and a legend."""
    ends = [f"{high[1]:.3g}", *[""] * (len(grid) - 2), f"{low[1]:.3g}"]
    margin = max(2, *map(len, ends))
    width = len(grid[0])
    left, right = f"{low[0]:.3g}", f"{high[0]:.3g}"
    empty = " " * margin
    return "\n".join(
        [
            f"{empty} {names[1]}",
            *(f"{end:>{margin}} |{''.join(line)}" for end, line in zip(ends, grid, strict=True)),
            f"{empty} +{'-' * width}",
            f"{empty}  {left} {right:>{max(width - len(left) - 1, 0)}}  {names[0]}",
            *(
                f"{empty}  row {LETTERS[number]}, region {REGIONS[number]}: {label}"
                for number, label in enumerate(labels)
            ),
        ]
    )
