"""Metrics: measures of the quality of predictions. Training minimizes the loss, not the metrics.

Each is a function of predictions, targets (encoded by the loss), sample weights and the kind of answer.
To add one: write the function, add it to the table at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ganglion.core.losses import Answers
from ganglion.core.part import Array
from ganglion.errors import ConfigError, one_of, shortened


class Metric(NamedTuple):
    """A named measure of (predictions, targets, sample weights, `Loss.answers`).

    `of` lists the kinds of answers that it can measure.
    """

    name: str
    measure: Callable[[Array, Array, Array | None, Answers], float]
    larger_is_better: bool
    of: tuple[Answers, ...]


CLASSES: tuple[Answers, ...] = ("one_of", "yes_no", "sign")
PROBABILITIES: tuple[Answers, ...] = ("one_of", "yes_no")
NUMBERS: tuple[Answers, ...] = ("number", "one_of", "yes_no", "sign")


def decided(a: Array, y: Array, answers: Answers) -> tuple[Array, Array]:
    """Return predicted and true answers as integers, of shape (n, questions).

    For one of several classes, the class index; otherwise 0 or 1, with the threshold halfway between no and
    yes.
    """
    if answers == "one_of":
        return a.argmax(axis=-1).reshape(len(a), -1), y.argmax(axis=-1).reshape(len(y), -1)
    half = 0.0 if answers == "sign" else 0.5
    return ((v >= half).astype(np.int64).reshape(len(v), -1) for v in (a, y))  # type: ignore[return-value]


def accuracy(a: Array, y: Array, weight: Array | None, answers: Answers) -> float:
    """Return the fraction of correct answers."""
    answer, truth = decided(a, y, answers)
    return float(np.average((answer == truth).mean(axis=1), weights=weight))


def _weights(truth: Array, weight: Array | None) -> Array:
    column = np.ones(len(truth)) if weight is None else weight.astype(np.float64)
    return np.broadcast_to(column[:, None], truth.shape)


def balanced_accuracy(a: Array, y: Array, weight: Array | None, answers: Answers) -> float:
    """Return the mean recall over classes, so that frequent classes do not count more."""
    answer, truth = decided(a, y, answers)
    weights = _weights(truth, weight)
    found = []
    for k in np.unique(truth):
        of_class = weights * (truth == k)
        if of_class.any():
            found.append(float((of_class * (answer == k)).sum() / of_class.sum()))
    return float(np.mean(found))


def f1(a: Array, y: Array, weight: Array | None, answers: Answers) -> float:
    """Return the mean over classes of 2 * precision * recall / (precision + recall)."""
    answer, truth = decided(a, y, answers)
    weights = _weights(truth, weight)
    scores = []
    for k in np.union1d(truth, answer):
        said, is_so = weights * (answer == k), weights * (truth == k)
        if said.any() or is_so.any():
            scores.append(2 * float((said * (truth == k)).sum() / (said.sum() + is_so.sum())))
    return float(np.mean(scores))


def auc(a: Array, y: Array, weight: Array | None, answers: Answers) -> float:
    """Return the area under the ROC curve: of each class against the others, then the mean over classes.

    It is the probability that a row of the class gets a higher score for it than a row of another class; ties
    count half. Only classes with rows of both kinds count (NaN if there are none). Computed from ranks, as in
    Hanley and McNeil (1982).
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


def log_loss(a: Array, y: Array, weight: Array | None, answers: Answers) -> float:
    """Return the mean of -log(probability of the true answer), summed over yes-or-no questions."""
    a, tiny = a.astype(np.float64).reshape(len(a), -1), np.finfo(np.float64).tiny
    y = y.reshape(len(y), -1)
    losses = -(y * np.log(np.maximum(a, tiny)))
    if answers == "yes_no":
        losses -= (1 - y) * np.log(np.maximum(1 - a, tiny))
    return float(np.average(losses.sum(axis=1), weights=weight))


def mean_absolute_error(a: Array, y: Array, weight: Array | None, answers: Answers) -> float:
    """Return the mean of |a - y|."""
    return float(np.average(np.abs(a - y).reshape(len(a), -1).mean(axis=1), weights=weight))


def root_mean_squared_error(a: Array, y: Array, weight: Array | None, answers: Answers) -> float:
    """Return the root of the mean of (a - y)**2."""
    return math.sqrt(np.average(((a - y) ** 2).reshape(len(a), -1).mean(axis=1), weights=weight))


def r2(a: Array, y: Array, weight: Array | None, answers: Answers) -> float:
    """Return 1 - the squared error divided by that of predicting the mean: 1 is perfect.

    If all targets are equal the ratio is undefined, and the result is NaN.
    """
    a, y = (v.reshape(len(v), -1).astype(np.float64) for v in (a, y))
    mean = np.average(y, axis=0, weights=weight)
    spread = np.average((y - mean) ** 2, axis=0, weights=weight)
    error = np.average((a - y) ** 2, axis=0, weights=weight)
    return float(np.mean(1 - error / spread)) if (spread > 0).all() else math.nan


METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", accuracy, True, CLASSES),
        Metric("balanced_accuracy", balanced_accuracy, True, CLASSES),
        Metric("f1", f1, True, CLASSES),
        Metric("auc", auc, True, PROBABILITIES),
        Metric("log_loss", log_loss, False, PROBABILITIES),
        Metric("mae", mean_absolute_error, False, NUMBERS),
        Metric("rmse", root_mean_squared_error, False, NUMBERS),
        Metric("r2", r2, True, NUMBERS),
    )
}


def find_metric(name: Any, answers: Answers) -> Metric:
    """Return a metric by name, for a kind of answer (`Loss.answers`).

    Raises:
        ConfigError: for an unknown name, or a metric for other kinds of answers.
    """
    if not isinstance(name, str) or name not in METRICS:
        raise ConfigError(f"there is no metric {shortened(name)}", one_of(str(name), METRICS))
    metric = METRICS[name]
    if answers not in metric.of:
        fitting = ", ".join(other for other, metric in METRICS.items() if answers in metric.of)
        raise ConfigError(
            f"the metric {name} does not apply to the outputs of this loss", fitting and f"use {fitting}"
        )
    return metric
