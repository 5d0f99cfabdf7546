"""Fit a calibration on held-out rows: the temperature, and the errors that intervals are made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from ganglion.answers.calibration import HOTTEST, MOST_RESIDUALS, TINY, Calibration, log_outputs
from ganglion.answers.held_out import HeldOut
from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.answers.thresholds import Objective, choose_threshold
from ganglion.core.part import Array

FEWEST_ROWS = 50
MOST_ROWS = 20_000
NARROW = 1e-9  # interval in which a root is found
LARGEST = 50.0  # of the logarithm of a factor


def calibrate(
    target: ClassTarget | NumberTarget,
    rows: HeldOut,
    class_weights: tuple[float, ...] = (),
    objective: Objective | None = None,
) -> Calibration:
    """Return the calibration fitted on held-out rows.

    Args:
        target: the target, which for a number gives the units of the errors.
        rows: rows that the network has not learned from.
        class_weights: the weight of each class in training; () if all weigh the same.
        objective: what to choose a threshold for; None for no threshold.
    """
    if isinstance(target, NumberTarget):
        errors = np.abs(rows.outputs.astype(np.float64).reshape(-1) - rows.truth) * target.scale
        levels, residuals = error_levels(errors, rows.weights)
        return Calibration(levels=levels, residuals=residuals)
    temperature = fit_temperature(rows, class_weights)
    if class_weights:
        class_weights = fit_weights(rows, temperature, class_weights, target.shares)
    calibration = Calibration(temperature, class_weights)
    if objective is None:
        return calibration
    positive = objective.positive_class(target)
    scores = calibration.probabilities(rows.outputs)[:, positive]
    threshold = choose_threshold(scores.astype(np.float64), rows.truth == positive, rows.weights, objective)
    return dataclasses.replace(
        calibration,
        positive=positive,
        threshold=threshold,
        purpose=objective.describe(),
        metric=objective.metric or "",
        costs=tuple(objective.costs.get(name, 1.0) for name in ("fn", "fp")) if objective.costs else (),
    )


def error_levels(errors: Array, weights: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return (levels, errors): the fraction of new rows expected to have at most each error.

    The i-th smallest of n errors has level i / (n + 1), where the 1 stands for the new row. With weights,
    these are sums of weights, and the new row has the mean weight. Of many errors, every MOST_RESIDUALS-th
    part is kept, which errs on the wide side.
    """
    errors, weights = errors[weights > 0], weights[weights > 0]
    if not len(errors):
        return (), ()
    total = weights.sum() + weights.mean()
    order = np.argsort(errors, kind="stable")[: np.isfinite(errors).sum()]  # infinite ones come last
    levels = np.cumsum(weights[order]) / total
    count = min(len(order), MOST_RESIDUALS)
    places = np.ceil(np.arange(1, count + 1) * len(order) / max(count, 1)).astype(np.int64) - 1
    return tuple(levels[places].tolist()), tuple(errors[order][places].tolist())


def fit_temperature(rows: HeldOut, class_weights: tuple[float, ...] = ()) -> float:
    """Return the temperature that minimizes the log loss, 1 where the rows do not clearly ask for another.

    It is used only if it helps on rows that it was not fitted on: fitted on each half of the rows, it
    must lower the log loss of the other half by more than one standard error. Fewer than 50 independent
    rows are too few to tell.
    """
    rows = counted(rows)
    units = rows.units
    if not len(rows) or units.max() + 1 < FEWEST_ROWS or not np.isfinite(rows.outputs).all():
        return 1.0
    logs, truth, weights = log_outputs(rows.outputs), rows.truth, rows.weights
    offset = -np.log(np.array(class_weights)) if class_weights else np.zeros(logs.shape[1])
    half = np.random.default_rng(0).permutation(units.max() + 1)[units] % 2 == 0
    gain = np.zeros(len(rows))
    for fitted in (half, ~half):
        sharpness = _sharpness(logs[fitted], offset, truth[fitted], weights[fitted])
        other = logs[~fitted], offset, truth[~fitted]
        gain[~fitted] = _losses(1.0, *other) - _losses(sharpness, *other)
    mean = np.average(gain, weights=weights)
    error = np.sqrt(np.square(np.bincount(units, weights * (gain - mean))).sum()) / weights.sum()
    return float(1 / _sharpness(logs, offset, truth, weights)) if mean > error else 1.0


def counted(rows: HeldOut) -> HeldOut:
    """Return the rows with a weight: of many, MOST_ROWS at even distances."""
    chosen = np.flatnonzero(rows.weights > 0)
    if len(chosen) > MOST_ROWS:
        chosen = chosen[np.linspace(0, len(chosen) - 1, MOST_ROWS).round().astype(np.int64)]
    return rows.part(chosen)


def log_losses(rows: HeldOut, sharpness: float) -> Array:
    """Return the log loss of each row, its probabilities raised to a power."""
    logs = log_outputs(rows.outputs)
    return _losses(sharpness, logs, np.zeros(logs.shape[1]), rows.truth)


def fit_sharpness(rows: HeldOut) -> float:
    """Return the power of the probabilities that minimizes the log loss: 1 / temperature."""
    logs = log_outputs(rows.outputs)
    return _sharpness(logs, np.zeros(logs.shape[1]), rows.truth, rows.weights)


def fit_weights(
    rows: HeldOut, temperature: float, class_weights: tuple[float, ...], shares: tuple[float, ...]
) -> tuple[float, ...]:
    """Return the factors by which a network that learned from balanced classes overstates each class.

    In theory they are the class weights. But regularization moves a network away from the probabilities that
    the weights ask for, so the factors are fitted: divided by them, the mean probability of each class on
    the held-out rows is its fraction of the training rows (Saerens et al., 2002). Truths are not needed,
    which matters where a class has only a handful of held-out rows.
    """
    rows = counted(rows)
    if len(rows) < FEWEST_ROWS or not np.isfinite(rows.outputs).all():
        return class_weights
    logs, weights = log_outputs(rows.outputs), rows.weights
    wanted, factors = np.array(shares), np.log(np.array(class_weights))
    present = wanted > 0
    for _ in range(100):
        mean = np.average(_probabilities(1 / temperature, logs, -factors), axis=0, weights=weights)
        step = np.log(np.maximum(mean[present], TINY) / wanted[present])
        factors[present] = np.clip(factors[present] + step, -LARGEST, LARGEST)
        if np.abs(step).max() < 1e-4:
            break
    return tuple(np.exp(factors).tolist())


def _probabilities(sharpness: float, logs: Array, offset: Array) -> Array:
    exponents = sharpness * logs + offset
    odds = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def _losses(sharpness: float, logs: Array, offset: Array, truth: Array) -> Array:
    exponents = sharpness * logs + offset
    exponents -= exponents.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(exponents).sum(axis=1)) - exponents[np.arange(len(truth)), truth])


def _sharpness(logs: Array, offset: Array, truth: Array, weights: Array) -> float:
    """Return the 1 / T that minimizes the mean log loss, which is convex in it, where its slope is 0.

    The slope of the loss is the mean of sum(p * logs) - logs[truth]. One row more is of every class alike:
    some rows without an error do not make the answers certain.
    """
    wanted = weights @ logs[np.arange(len(truth)), truth] + weights @ logs.mean(axis=1) / weights.sum()
    each = weights * (1 + 1 / weights.sum())

    def slope(log_sharpness: float) -> float:
        expected = (_probabilities(np.exp(log_sharpness), logs, offset) * logs).sum(axis=1)
        return float(each @ expected - wanted)

    return float(np.exp(_root(slope, -np.log(HOTTEST), np.log(HOTTEST))))


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Return where a rising function is 0, or the end of the interval that comes closest.

    Straight lines through two points on either side of it, of which one that stays counts half ("Illinois";
    Dowell and Jarratt, 1971).
    """
    below, above = rising(low), rising(high)
    if below >= 0 or above <= 0:
        return low if below >= 0 else high
    stayed = 0
    while high - low > NARROW:
        middle = (low * above - high * below) / (above - below)
        middle = min(max(middle, low + NARROW / 2), high - NARROW / 2)
        value = rising(middle)
        if value > 0:
            high, above = middle, value
            below = below / 2 if stayed > 0 else below
            stayed = 1
        else:
            low, below = middle, value
            above = above / 2 if stayed < 0 else above
            stayed = -1
    return (low + high) / 2
