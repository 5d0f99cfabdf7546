"""Metrics of answers, and how far chance alone moves them: the bootstrap.

Every metric here is a function of sums over rows. Rows are put into cells, a cell is resampled as a whole,
and the sums of a resampled table are sums of sums of cells. So the cost of a thousand resampled tables does
not depend on the number of rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ganglion.answers.held_out import HeldOut
from ganglion.answers.target import NumberTarget
from ganglion.answers.thresholds import MEAN_COST, POSITIVE_F1, Objective
from ganglion.core.part import Array

CLASSIFICATION: tuple[str, ...] = ("accuracy", "balanced_accuracy", "f1", "auc", "log_loss")
REGRESSION: tuple[str, ...] = ("r2", "rmse", "mae")
OPTIMIZED = (MEAN_COST, POSITIVE_F1, "mcc")  # measured only if a threshold was chosen for it
LESS_IS_BETTER = ("log_loss", "rmse", "mae", MEAN_COST)
REPEATS = 1000
MOST_CELLS = 2000
CONFIDENCE = 0.95
NORMAL = 1.959963984540054  # the quantile of the normal distribution for this confidence


@dataclass(frozen=True)
class Resampling:
    """How often each cell of rows occurs in each of a thousand resampled tables.

    Args:
        cells: the number of each row's cell, (n,). Rows of one unit are in one cell; with up to 2,000 units
            each unit has its own, else they are distributed at random.
        counts: (repeats, cells); the first line is the table itself.
        effective: the number of independent rows: (sum of weights)**2 / (sum of squared weights) of units.
    """

    cells: Array
    counts: Array
    effective: float

    @classmethod
    def of(cls, rows: HeldOut, seed: int = 0, repeats: int = REPEATS) -> Resampling:
        """Return the resampling of held-out rows."""
        random = np.random.default_rng(seed)
        units = rows.units
        count = int(units.max()) + 1
        weights = np.bincount(units, rows.weights)
        effective = float(weights.sum() ** 2 / np.square(weights).sum())
        cells = units
        if count > MOST_CELLS:
            cells, count = (random.permutation(count) % MOST_CELLS)[units], MOST_CELLS
        drawn = random.integers(0, count, (repeats, count)) + count * np.arange(repeats)[:, None]
        counts = np.bincount(drawn.reshape(-1), minlength=repeats * count).reshape(repeats, count)
        return cls(cells, np.vstack([np.ones(count), counts]), effective)

    def sums(self, values: Array) -> Array:
        """Return the sum of each row's value in each resampled table, (repeats + 1,)."""
        return np.asarray(self.counts @ np.bincount(self.cells, values, self.counts.shape[1]))

    def class_sums(self, values: Array, classes: Array, count: int) -> Array:
        """Return the sums by class, (repeats + 1, classes)."""
        places = self.cells * count + classes
        size = self.counts.shape[1] * count
        return np.asarray(self.counts @ np.bincount(places, values, size).reshape(-1, count))


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # diverged networks are judged too
def class_scores(
    resampling: Resampling,
    probabilities: Array,
    chosen: Array,
    truth: Array,
    weights: Array,
    objective: Objective | None = None,
    positive: int = 1,
) -> dict[str, Array]:
    """Return each metric of a classification, (repeats + 1,): of the table, then of each resampled one.

    Args:
        resampling: of the rows.
        probabilities: of the classes, (n, classes).
        chosen: the number of the predicted class, (n,).
        truth: the number of the true class, (n,).
        weights: of the rows, (n,).
        objective: what a threshold was chosen for, which is measured too; None without a threshold.
        positive: the number of its positive class.
    """
    k = probabilities.shape[1]
    total = resampling.sums(weights)
    present = resampling.class_sums(weights, truth, k)
    said = resampling.class_sums(weights, chosen, k)
    hits = resampling.class_sums(weights * (truth == chosen), truth, k)
    own = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    losses = -np.log(np.maximum(own, np.finfo(np.float64).tiny))
    area, influence = auc_influence(probabilities, truth, weights)
    recall = np.where(present > 0, hits / present, math.nan)
    both = present + said
    f1 = np.where(both > 0, 2 * hits / both, math.nan)
    scores = {
        "accuracy": hits.sum(axis=1) / total,
        "balanced_accuracy": _mean(recall),
        "f1": _mean(f1),
        "auc": area + resampling.sums(influence * weights) / total,
        "log_loss": resampling.sums(losses * weights) / total,
    }
    if objective is None:
        return scores
    tp = hits[:, positive]
    fp, fn = said[:, positive] - tp, present[:, positive] - tp
    return {objective.name: objective.measure(tp, fp, fn, total - tp - fp - fn)} | scores


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def number_scores(resampling: Resampling, estimates: Array, truth: Array, weights: Array) -> dict[str, Array]:
    """Return each metric of a regression, (repeats + 1,): of the table, then of each resampled one."""
    total = resampling.sums(weights)
    errors = estimates.astype(np.float64) - truth
    squares = resampling.sums(weights * errors**2) / total
    centered = truth - np.average(truth, weights=weights)
    mean = resampling.sums(weights * centered) / total
    spread = resampling.sums(weights * centered**2) / total - mean**2
    varies = spread > 1e-12 * spread[0]
    return {
        "r2": np.where(varies, 1 - squares / np.where(varies, spread, 1), math.nan),
        "rmse": np.sqrt(squares),
        "mae": resampling.sums(weights * np.abs(errors)) / total,
    }


def auc_influence(probabilities: Array, truth: Array, weights: Array) -> tuple[float, Array]:
    """Return the AUC and the influence of each row on it, whose weighted mean is 0.

    The influence of a row of a class is the fraction of the other classes' rows that it outranks, minus the
    AUC, divided by the fraction of rows of its class (DeLong et al., 1988).
    """
    n, k = probabilities.shape
    areas, influence = [], np.zeros(n)
    for number in range(k):
        yes = truth == number
        totals = float(weights[yes].sum()), float(weights[~yes].sum())
        if min(totals) <= 0 or (k == 2 and number == 0):  # of two classes, both have the same area
            continue
        values, rank = np.unique(probabilities[:, number], return_inverse=True)
        rank = rank.reshape(-1)
        ours, others = (np.bincount(rank[part], weights[part], len(values)) for part in (yes, ~yes))
        below = (np.cumsum(others) - 0.5 * others)[rank] / totals[1]
        above = ((ours.sum() - np.cumsum(ours)) + 0.5 * ours)[rank] / totals[0]
        area = float(weights[yes] @ below[yes]) / totals[0]
        areas.append(area)
        shares = np.array(totals) / sum(totals)
        influence += np.where(yes, (below - area) / shares[0], (above - area) / shares[1])
    if not areas:
        return math.nan, influence
    return float(np.mean(areas)), influence / len(areas)


def interval(values: Array) -> list[float] | None:
    """Return the 95 % interval of resampled values; None if resampling does not move them."""
    finite = values[np.isfinite(values)]
    if len(finite) < 0.9 * len(values):
        return None
    low, high = (float(v) for v in np.quantile(finite, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]))
    return [low, high] if high - low > 1e-12 * max(1.0, abs(high)) else None


def intervals_of(scores: dict[str, Array], effective: float) -> dict[str, list[float]]:
    """Return the 95 % interval of each metric that has one.

    Accuracy has Wilson's interval, which is right even if no row was wrong; the others are percentiles of
    the resampled tables.
    """
    found = {name: interval(values[1:]) for name, values in scores.items()}
    if "accuracy" in scores:
        found["accuracy"] = wilson(float(scores["accuracy"][0]), effective)
    return {name: pair for name, pair in found.items() if pair is not None}


def wilson(fraction: float, count: float) -> list[float]:
    """Return Wilson's 95 % interval of a fraction of `count` independent rows (Wilson, 1927)."""
    z2 = NORMAL**2 / count
    middle = (fraction + z2 / 2) / (1 + z2)
    half = NORMAL * math.sqrt(fraction * (1 - fraction) / count + z2 / count / 4) / (1 + z2)
    return [max(0.0, middle - half), min(1.0, middle + half)]


def difference(first: Array, second: Array, metric: str) -> list[float] | None:
    """Return the 95 % interval of how much better the first is than the second, in the same tables."""
    return interval(((first - second) * direction(metric))[1:])


def direction(metric: str) -> int:
    """Return 1 for a metric of reports of which more is better, -1 for a loss, an error or a cost."""
    return -1 if metric in LESS_IS_BETTER else 1


def _mean(values: Array) -> Array:
    counted = np.isfinite(values)
    return np.asarray(np.where(counted, values, 0).sum(axis=1) / np.maximum(counted.sum(axis=1), 1))


def in_own_units(target: NumberTarget, numbers: Array) -> Array:
    """Return outputs or encoded targets in the target's units."""
    return np.asarray(numbers.astype(np.float64).reshape(-1) * target.scale + target.center)
