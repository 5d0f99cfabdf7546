"""Partial dependence: the mean answer as one column takes one value after another in all rows."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.core.part import Array, plain
from ganglion.errors import amount

BAR = 30
MOST_CLASSES = 6


@dataclass(frozen=True)
class Dependence:
    """The mean answer of a model if a column had the same value in all rows.

    Attributes:
        column: its name.
        values: the values of the column, in order; None is a missing value.
        means: for each value, the mean over the rows: of the prediction, or of each class's probability.
        low, high: for each value and answer, the quantiles 0.1 and 0.9 over the rows.
        answers: the name of each answer: the target, or the classes.
        rows: the number of rows used.
        positive: of two classes, the number of the one to show.
    """

    column: str
    values: list[Any]
    means: list[list[float]]
    low: list[list[float]]
    high: list[list[float]]
    answers: list[str]
    rows: int
    positive: int = 1

    @property
    def shown(self) -> list[int]:
        """The numbers of the answers to show: of two classes the positive one, of many the most changed."""
        if len(self.answers) == 2:
            return [self.positive]
        moved = np.ptp(np.array(self.means), axis=0)
        return sorted(np.argsort(-moved, kind="stable")[:MOST_CLASSES].tolist())

    def __str__(self) -> str:
        shown, classes = self.shown, len(self.answers) > 1
        what = "probability" if classes else "prediction"
        names = [self.answers[number] for number in shown]
        of = f" of {names[0]}" if len(names) == 1 else ""
        lines = [f"mean {what}{of} if {self.column!r} had this value in all of {amount(self.rows, 'row')}:"]
        cells = [[label(value), *(f"{means[i]:.4g}" for i in shown)] for value, means in self._pairs()]
        if len(names) > 1:
            cells.insert(0, ["", *names])
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        table = ["  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)) for row in cells]
        if len(names) == 1:
            heights = [means[shown[0]] for means in self.means]
            bottom = 0.0 if classes else min(heights)
            top = max(max(heights) - bottom, 1e-300)
            table = [
                f"{line}  {'#' * round(BAR * (height - bottom) / top)}".rstrip()
                for line, height in zip(table, heights, strict=True)
            ]
        return "\n".join(lines + [f"  {line}" for line in table])

    def _pairs(self) -> list[tuple[Any, list[float]]]:
        return list(zip(self.values, self.means, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return the dependence as plain JSON data; dates as text."""
        values = [
            value if isinstance(value, str | int | float | None) else str(value) for value in self.values
        ]
        return plain({**vars(self), "values": values})


def partial_dependence(
    answer: Callable[[Array], Array],
    x: Array,
    features: slice,
    encoded: Array,
    column: str,
    values: list[Any],
    answers: list[str],
    positive: int = 1,
) -> Dependence:
    """Return the partial dependence of the answers on a column (Friedman, 2001).

    Args:
        answer: returns the answers for rows, (n, answers).
        x: the rows, (n, features).
        features: those of the column.
        encoded: the features of each value, (values, features of the column).
        column: its name.
        values: the values.
        answers: the name of each answer.
        positive: of two classes, the number of the one to show.
    """
    means: list[list[float]] = []
    low: list[list[float]] = []
    high: list[list[float]] = []
    changed = x.copy()
    for numbers in encoded:
        changed[:, features] = numbers
        found = answer(changed).astype(np.float64)
        means.append(found.mean(axis=0).tolist())
        for into, level in ((low, 0.1), (high, 0.9)):
            into.append(np.quantile(found, level, axis=0).tolist())
    return Dependence(column, values, means, low, high, answers, len(x), positive)


def label(value: Any) -> str:
    """Return a value of a column as text."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "minutes").removesuffix(" 00:00")
    return f"{value:.4g}" if isinstance(value, float) else str(value)
