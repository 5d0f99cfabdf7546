"""Permutation importance: how much worse the answers become when one column is shuffled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.core.part import Array

BAR = 30


@dataclass(frozen=True)
class Importance:
    """How much a score falls when the values of one column are shuffled among the rows.

    Near 0 the model does without the column, which may still be informative if another column says the same.

    Attributes:
        columns: their names, the most important first.
        means: the mean fall of the score over the repetitions, for each column.
        spreads: the standard deviation over the repetitions, for each column.
        metric: the score, such as "accuracy" or "r2"; larger is better.
        score: its value with all columns in order.
        rows: the number of rows used.
    """

    columns: list[str]
    means: list[float]
    spreads: list[float]
    metric: str
    score: float
    rows: int

    def __str__(self) -> str:
        name = {"r2": "R2"}.get(self.metric, self.metric.replace("_", " "))
        lines = [
            f"fall of the {name}, {self.score:.4g} on {self.rows:,} rows, when a column is shuffled "
            "(± spread):"
        ]
        width = max(map(len, self.columns))
        largest = max((abs(mean) for mean in self.means), default=0.0)
        for column, mean, spread in zip(self.columns, self.means, self.spreads, strict=True):
            bar = "#" * (round(BAR * mean / largest) if mean > 0 else 0)
            lines.append(f"  {column:<{width}}  {mean:>8.4f} ± {spread:.4f}  {bar}".rstrip())
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the importance as plain JSON data."""
        return dict(vars(self))


def permutation_importance(
    predict: Callable[[Array], Array],
    x: Array,
    columns: Mapping[str, slice],
    score: Callable[[Array], float],
    metric: str,
    repeats: int,
    seed: int,
) -> Importance:
    """Return the importance of each column (Breiman, 2001, Random Forests).

    Args:
        predict: returns the outputs for rows.
        x: the rows, (n, features).
        columns: the features of each column, which are shuffled together.
        score: returns the score of outputs; larger is better.
        metric: the name of the score.
        repeats: how often each column is shuffled.
        seed: of the shuffles.
    """
    random = np.random.default_rng(seed)
    whole = score(predict(x))
    orders = [random.permutation(len(x)) for _ in range(repeats)]
    falls = {}
    for name, features in columns.items():
        shuffled = x.copy()
        found = []
        for order in orders:
            shuffled[:, features] = x[order, features]
            found.append(whole - score(predict(shuffled)))
        falls[name] = (float(np.mean(found)), float(np.std(found, ddof=1)) if repeats > 1 else 0.0)
    names = sorted(falls, key=lambda name: -falls[name][0])
    means, spreads = ([falls[name][i] for name in names] for i in (0, 1))
    return Importance(names, means, spreads, metric, whole, len(x))
