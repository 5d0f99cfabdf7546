"""Metrics: how good predictions are, in numbers people use. They judge; losses teach.

Each is a function of predictions, targets (encoded by the loss) and sample weights, with a direction.
To add one: write the function, add it to the table at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ganglion.core.part import Array
from ganglion.errors import ConfigError, one_of, shortened


class Metric(NamedTuple):
    """A named measure; `larger_is_better` tells which way is up, `of_classes` what it can judge."""

    name: str
    measure: Callable[[Array, Array, Array | None], float]
    larger_is_better: bool
    of_classes: bool


def answers(a: Array, y: Array) -> tuple[Array, Array]:
    """Return predicted and true answers as whole numbers.

    One of several classes (targets are shares that sum to 1): the class number, of shape (n,). Yes-or-no
    questions: 0 or 1 for each output, of shape (n, outputs), yes from half way between no and yes.
    """
    if y.shape[-1] > 1 and np.allclose(y.sum(axis=-1), 1, atol=1e-3):
        return a.argmax(axis=-1), y.argmax(axis=-1)
    half = 0.0 if y.min(initial=0) < 0 else 0.5
    return (a >= half).astype(np.int64), (y >= half).astype(np.int64)


def accuracy(a: Array, y: Array, weight: Array | None = None) -> float:
    """Return the share of right answers."""
    answer, truth = answers(a, y)
    right = (answer == truth).reshape(len(a), -1).mean(axis=1)
    return float(np.average(right, weights=weight))


def balanced_accuracy(a: Array, y: Array, weight: Array | None = None) -> float:
    """Return the mean over classes of the share that was found: no class counts more for being frequent."""
    answer, truth = answers(a, y)
    weight = np.ones(len(a)) if weight is None else weight
    weights = np.broadcast_to(weight.reshape(-1, *[1] * (truth.ndim - 1)), truth.shape)
    found = [np.average((answer == k)[truth == k], weights=weights[truth == k]) for k in np.unique(truth)]
    return float(np.mean(found))


def f1(a: Array, y: Array, weight: Array | None = None) -> float:
    """Return the mean over classes of 2 * precision * recall / (precision + recall)."""
    answer, truth = answers(a, y)
    weight = np.ones(len(a)) if weight is None else weight
    weights = np.broadcast_to(weight.reshape(-1, *[1] * (truth.ndim - 1)), truth.shape)
    scores = []
    for k in np.union1d(truth, answer):
        right = weights[(answer == k) & (truth == k)].sum()
        scores.append(2 * right / (weights[answer == k].sum() + weights[truth == k].sum()))
    return float(np.mean(scores))


def auc(a: Array, y: Array, weight: Array | None = None) -> float:
    """Return the chance that a row of a class gets a higher share of it than a row of another class.

    The area under the ROC curve, of each class against the others, then the mean over the classes that
    have rows of both kinds (NaN if none has); ties count half. By ranks, as in Hanley and McNeil (1982).
    """
    weight = np.ones(len(a)) if weight is None else weight.astype(np.float64)
    areas = []
    for scores, truth in zip(a.reshape(len(a), -1).T, y.reshape(len(y), -1).T, strict=True):
        yes = truth > 0.5
        _, rank = np.unique(scores, return_inverse=True)
        both = [np.bincount(rank[part], weight[part], rank.max(initial=0) + 1) for part in (yes, ~yes)]
        of_class, of_others = both
        pairs = of_class.sum() * of_others.sum()
        if pairs > 0:
            below = np.cumsum(of_others) - 0.5 * of_others
            areas.append(float(of_class @ below) / pairs)
    return float(np.mean(areas)) if areas else math.nan


def log_loss(a: Array, y: Array, weight: Array | None = None) -> float:
    """Return the mean of -log(share given to the true answer), summed over yes-or-no questions."""
    a, tiny = a.astype(np.float64).reshape(len(a), -1), np.finfo(np.float64).tiny
    y = y.reshape(len(y), -1)
    losses = -(y * np.log(np.maximum(a, tiny)))
    if y.shape[1] == 1 or not np.allclose(y.sum(axis=1), 1, atol=1e-3):
        losses -= (1 - y) * np.log(np.maximum(1 - a, tiny))
    return float(np.average(losses.sum(axis=1), weights=weight))


def mean_absolute_error(a: Array, y: Array, weight: Array | None = None) -> float:
    """Return the mean of |a - y|."""
    return float(np.average(np.abs(a - y).reshape(len(a), -1).mean(axis=1), weights=weight))


def root_mean_squared_error(a: Array, y: Array, weight: Array | None = None) -> float:
    """Return the root of the mean of (a - y)**2."""
    return math.sqrt(np.average(((a - y) ** 2).reshape(len(a), -1).mean(axis=1), weights=weight))


def r2(a: Array, y: Array, weight: Array | None = None) -> float:
    """Return 1 - the squared error over that of always saying the mean: 1 is perfect, 0 no better.

    Where all targets are equal the ratio has no value, and the result is NaN.
    """
    a, y = (v.reshape(len(v), -1).astype(np.float64) for v in (a, y))
    mean = np.average(y, axis=0, weights=weight)
    spread = np.average((y - mean) ** 2, axis=0, weights=weight)
    error = np.average((a - y) ** 2, axis=0, weights=weight)
    return float(np.mean(1 - error / spread)) if (spread > 0).all() else math.nan


METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", accuracy, True, True),
        Metric("balanced_accuracy", balanced_accuracy, True, True),
        Metric("f1", f1, True, True),
        Metric("auc", auc, True, True),
        Metric("log_loss", log_loss, False, True),
        Metric("mae", mean_absolute_error, False, False),
        Metric("rmse", root_mean_squared_error, False, False),
        Metric("r2", r2, True, False),
    )
}


def find_metric(name: Any, targets: Array) -> Metric:
    """Return a metric by name, for encoded targets.

    Raises:
        ConfigError: if there is none of that name, or it judges classes and the targets are numbers.
    """
    if not isinstance(name, str) or name not in METRICS:
        raise ConfigError(f"there is no metric {shortened(name)}", one_of(str(name), METRICS))
    metric = METRICS[name]
    if metric.of_classes and not ((targets >= -1) & (targets <= 1)).all():
        raise ConfigError(f"the metric {name} judges classes, and these targets are numbers", "use r2 or mae")
    return metric
