"""Judge a model by its answers for held-out rows: fit its calibration, and make its report."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.answers.calibrating import calibrate
from ganglion.answers.calibration import Calibration
from ganglion.answers.held_out import HeldOut
from ganglion.answers.reliability import Reliability
from ganglion.answers.report import Report
from ganglion.answers.scores import (
    CLASSIFICATION,
    REGRESSION,
    Resampling,
    class_scores,
    difference,
    in_own_units,
    intervals_of,
    number_scores,
)
from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.answers.thresholds import Objective
from ganglion.core.part import Array

QUANTILES = {"median": 0.5, "9 of 10 at most": 0.9, "largest": 1.0}
LEVELS = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Judgment:
    """What held-out rows say about a model.

    Attributes:
        calibration: to apply to all its outputs.
        report: on the test rows; None without any.
    """

    calibration: Calibration
    report: Report | None


@dataclass(frozen=True)
class Answers:
    """The calibrated answers for held-out rows.

    Attributes:
        values: the probabilities of the classes, (n, classes), or the numbers in the target's units, (n,).
        chosen: the numbers of the predicted classes, (n,); of no meaning for numbers.
        inside: for each level, whether the truth is in the prediction interval, (n,); empty if unknown.
    """

    values: Array
    chosen: Array
    inside: dict[float, Array] = dataclasses.field(default_factory=dict)


def judge(
    target: ClassTarget | NumberTarget,
    validation: HeldOut | None,
    test: HeldOut | None,
    linear: HeldOut | None = None,
    *,
    linear_validation: HeldOut | None = None,
    class_weights: tuple[float, ...] = (),
    objective: Objective | None = None,
    rows: int = 0,
) -> Judgment:
    """Return the calibration and the report of a model.

    The calibration is fitted on the validation rows. Without them, it is fitted on the test rows if these
    come from several folds, and each fold is then judged by a calibration fitted on the others, so that no
    row is judged by a calibration that has seen it. The errors of the test rows of a single split make
    intervals, too, whose coverage then is not measured.

    Args:
        target: the target of the model. Outputs and truths for a number are in its scale.
        validation: the outputs for validation rows, of one split or several folds.
        test: the outputs for test rows, of one split or several folds.
        linear: the outputs of a linear model for the same test rows.
        linear_validation: its outputs for the validation rows, with an objective.
        class_weights: the weight of each class in training; () if all weigh the same.
        objective: what to choose a decision threshold for.
        rows: the number of training rows, from which the baseline's frequencies were counted.
    """
    folded = test is not None and len(np.unique(test.folds)) > 1
    plain = Calibration(class_weights=class_weights)
    if validation is not None and len(validation) and validation is not test:
        calibration = calibrate(target, validation, class_weights, objective)
        answers = None if test is None else _answers(target, test, calibration)
    elif test is not None and folded:
        calibration = calibrate(target, test, class_weights, objective)
        answers = _crossed(target, test, class_weights, objective)
    else:
        number = test is not None and isinstance(target, NumberTarget)
        calibration = calibrate(target, test, ()) if number and test is not None else plain
        answers = None if test is None else _answers(target, test, plain)
    if test is None or answers is None or not len(test):
        return Judgment(calibration, None)
    others = None
    if linear is not None and objective is not None and linear_validation is not None:
        fitted = calibrate(target, linear_validation, class_weights, objective)
        others = _answers(target, linear, fitted)
    elif linear is not None and objective is not None and folded:
        others = _crossed(target, linear, class_weights, objective)
    elif linear is not None:
        others = _answers(target, linear, Calibration(class_weights=calibration.class_weights))
    return Judgment(calibration, make_report(target, test, answers, calibration, others, rows))


def evaluate(
    target: ClassTarget | NumberTarget, rows: HeldOut, calibration: Calibration, training_rows: int = 0
) -> Report:
    """Return the report on a calibrated model's outputs for new rows."""
    return make_report(target, rows, _answers(target, rows, calibration), calibration, None, training_rows)


@np.errstate(over="ignore", invalid="ignore")  # outputs of a diverged network are judged too
def make_report(
    target: ClassTarget | NumberTarget,
    rows: HeldOut,
    answers: Answers,
    calibration: Calibration,
    linear: Answers | None = None,
    training_rows: int = 0,
) -> Report:
    """Return the report on the answers for some rows; see `judge`.

    If a threshold was chosen, what it was chosen for is measured too, and models are compared by it: the
    baseline, whose answer is always the same, gives the better of its two.
    """
    resampling, weights = Resampling.of(rows), rows.weights
    facts: dict[str, Any] = {"classes": [], "confusion": [], "error_quantiles": {}}
    objective, positive = calibration.objective, calibration.positive
    if isinstance(target, ClassTarget):
        names, truth, k = CLASSIFICATION, rows.truth.astype(np.int64), len(target.classes)
        frequencies = baseline_frequencies(target, training_rows)
        baseline = np.tile(frequencies, (len(rows), 1))
        constant = np.full(len(rows), _constant(target, objective, positive))
        if objective is not None and objective.name not in names:
            names = (objective.name, *names)

        def scores(found: Answers) -> dict[str, Array]:
            return class_scores(resampling, found.values, found.chosen, truth, weights, objective, positive)

        trivial = scores(Answers(baseline, constant))
        confusion = np.zeros((k, k), dtype=np.int64)
        np.add.at(confusion, (truth, answers.chosen), 1)
        facts["classes"] = [target.label(i) for i in range(k)]
        facts["confusion"] = confusion.tolist()
        if np.isfinite(answers.values).all():
            facts["reliability"] = Reliability.measure(
                answers.values, truth, weights, facts["classes"], calibration.positive_class(target.shares)
            )
    else:
        names, numbers = REGRESSION, in_own_units(target, rows.truth)

        def scores(found: Answers) -> dict[str, Array]:
            return number_scores(resampling, found.values, numbers, weights)

        trivial = scores(Answers(np.full(len(rows), target.center), np.zeros(0)))
        errors = np.abs(answers.values - numbers)
        facts["error_quantiles"] = {
            name: _quantile(errors, at, rows.weight) for name, at in QUANTILES.items()
        }
    own = scores(answers)
    compared = {"baseline": trivial} | ({} if linear is None else {"linear": scores(linear)})
    folds = np.unique(rows.folds)
    facts["spread"] = _spread(target, rows, answers, names, calibration) if len(folds) > 1 else {}
    facts["coverage"] = {
        f"{level:g}": float(np.average(inside, weights=weights)) for level, inside in answers.inside.items()
    }
    facts["half_widths"] = {f"{level:g}": calibration.half_width(level) for level in answers.inside}
    report = Report(
        task=target.task,
        rows=len(rows),
        metrics={name: float(own[name][0]) for name in names},
        baseline={name: float(trivial[name][0]) for name in names},
        intervals=intervals_of(own, resampling.effective),
        linear={name: float(compared["linear"][name][0]) for name in names} if linear is not None else {},
        folds=len(folds),
        units=int(rows.units.max()) + 1,
        objective="" if objective is None else objective.name,
        decision=calibration.describe_decision(facts["classes"]) if facts["classes"] else "",
        **facts,
    )
    main = report.main_metric
    gains = {name: difference(own[main], other[main], main) for name, other in compared.items()}
    if report.task == "classification":
        gains |= {
            f"{name}_log_loss": difference(own["log_loss"], other["log_loss"], "log_loss")
            for name, other in compared.items()
        }
    return dataclasses.replace(report, gains={name: gain for name, gain in gains.items() if gain is not None})


def baseline_frequencies(target: ClassTarget, rows: int) -> Array:
    """Return the frequencies of the classes in training, smoothed so that none is 0.

    Each class counts half a row more than it has (Krichevsky and Trofimov, 1981): a class that the training
    rows lack may still occur.
    """
    counts = np.array(target.shares, dtype=np.float64) * max(rows, 1)
    return np.asarray((counts + 0.5) / (counts + 0.5).sum()) if rows or not counts.all() else counts


def balancing_weights(target: ClassTarget) -> tuple[float, ...]:
    """Return the weight of each class in training if classes are balanced; 1 for a class without rows."""
    shares = np.array(target.shares)
    weights = 1 / (np.count_nonzero(shares) * np.where(shares > 0, shares, 1))
    return tuple(np.where(shares > 0, weights, 1.0).tolist())


def _quantile(values: Array, level: float, weight: Array | None) -> float:
    """Return a quantile of the values; with weights, the smallest that reaches this fraction of them."""
    if weight is None:
        return float(np.quantile(values, level))
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order].astype(np.float64))
    return float(values[order][np.searchsorted(reached, level * reached[-1] * (1 - 1e-12))])


def _constant(target: ClassTarget, objective: Objective | None, positive: int) -> int:
    """Return the class that is the best answer for all rows by the frequencies in training."""
    if objective is None:
        return int(np.argmax(target.shares))
    yes, no = np.array([target.shares[positive]]), np.array([target.shares[1 - positive]])
    none = np.zeros(1)
    always, never = objective.score(yes, no, none, none), objective.score(none, none, yes, no)
    return positive if always > never else 1 - positive


@np.errstate(over="ignore", invalid="ignore")
def _answers(target: ClassTarget | NumberTarget, rows: HeldOut, calibration: Calibration) -> Answers:
    if isinstance(target, ClassTarget):
        probabilities = calibration.probabilities(rows.outputs)
        return Answers(probabilities, calibration.decide(probabilities))
    values, truth = in_own_units(target, rows.outputs), in_own_units(target, rows.truth)
    highest = calibration.levels[-1] if calibration.levels else 0.0
    errors = np.abs(values - truth)
    inside = {level: errors <= calibration.half_width(level) for level in LEVELS if level <= highest}
    return Answers(values, np.zeros(len(values), dtype=np.int64), inside)


def _crossed(
    target: ClassTarget | NumberTarget,
    rows: HeldOut,
    class_weights: tuple[float, ...],
    objective: Objective | None,
) -> Answers:
    """Return the answers for each fold by a calibration fitted on the other folds."""
    parts = []
    for fold in np.unique(rows.folds):
        of_fold = np.flatnonzero(rows.folds == fold)
        rest = rows.part(np.flatnonzero(rows.folds != fold))
        calibration = calibrate(target, rest, class_weights, objective)
        parts.append((of_fold, _answers(target, rows.part(of_fold), calibration)))
    order = np.argsort(np.concatenate([places for places, _ in parts]))
    found = [answers for _, answers in parts]
    levels = set.intersection(*(set(each.inside) for each in found))
    return Answers(
        np.concatenate([each.values for each in found])[order],
        np.concatenate([each.chosen for each in found])[order],
        {level: np.concatenate([each.inside[level] for each in found])[order] for level in sorted(levels)},
    )


def _spread(
    target: ClassTarget | NumberTarget,
    rows: HeldOut,
    answers: Answers,
    names: tuple[str, ...],
    calibration: Calibration,
) -> dict[str, float]:
    """Return the standard deviation over the folds of each metric."""
    by_fold: list[dict[str, float]] = []
    for fold in np.unique(rows.folds):
        places = np.flatnonzero(rows.folds == fold)
        part = rows.part(places)
        once, weights = Resampling.of(part, repeats=0), part.weights
        if isinstance(target, ClassTarget):
            truth = part.truth.astype(np.int64)
            said, chosen = answers.values[places], answers.chosen[places]
            objective, positive = calibration.objective, calibration.positive
            found = class_scores(once, said, chosen, truth, weights, objective, positive)
        else:
            numbers = in_own_units(target, part.truth)
            found = number_scores(once, answers.values[places], numbers, weights)
        by_fold.append({name: float(values[0]) for name, values in found.items()})
    spread = {}
    for name in names:
        values = [each[name] for each in by_fold if math.isfinite(each[name])]
        if len(values) > 1:
            spread[name] = float(np.std(values, ddof=1))
    return spread
