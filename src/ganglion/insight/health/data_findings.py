"""Findings about the rows and the targets, whatever network learns from them.

Each is a function of the subject that returns a finding or None.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ganglion.core.activations import IDENTITY, SIGMOID
from ganglion.core.layers import Dense
from ganglion.core.losses import BinaryCrossEntropy
from ganglion.core.part import Array
from ganglion.insight.health.finding import Finding
from ganglion.insight.health.subject import Subject

# Initial weights expect inputs of about 1; ten times that saturates units or makes steps ten times too
# long, a hundredth of it makes them a hundred times too short.
LARGE = 10.0
SMALL = 0.02
# A feature whose mean is this many deviations from 0 is nearly constant in the eyes of a unit.
OFFSET = 10.0
# Correlation of copies, up to the rounding of float32.
COPY = 1 - 1e-6
# Two features that are 0 but for the same one or two rows are copies by chance.
FEWEST_DIFFERENT = 5
# Correlation beyond which a feature says all about the target: what is left is 0.2 % of the variance.
TELLS_ALL = 0.999
# Along a feature that says nothing the class changes between neighbors as often as chance has it; along a
# leak in hardly any place. Among fewer rows, or fewer changes to expect, chance could do that too.
ENOUGH_ROWS = 50
ENOUGH_CHANGES = 20
FEW_CHANGES = 0.02
# A class is rare below this share, missed below this recall, and accuracy hides it above this accuracy.
RARE = 0.2
MISSED = 0.25
HIDING = 0.75
FEWEST_OF_CLASS = 5
# One wrong target in so many may be a slip; more is a matter of scale.
OUTSIDE = 0.01
# Large targets are learned too, given time; above this share of the trivial loss they have not been.
STUCK = 0.9


def unscaled_inputs(subject: Subject) -> Finding | None:
    """Features far larger or smaller than 1, or far from 0 for how little they vary."""
    architecture = subject.model.architecture
    numbers = {place for place, part in enumerate(architecture.inputs.values()) if part.holds == "numbers"}
    if all(step.layer.normalizes for step in architecture.steps if numbers & {*step.reads}):
        return None
    x = subject.columns
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    size = np.sqrt(mean**2 + deviation**2)
    offset = (deviation > 0) & (np.abs(mean) > OFFSET * deviation) & (np.abs(mean) > 3)
    low, high = np.quantile(x, (0.1, 0.9), axis=0)
    varied = high > low  # the others are mostly one value, and small for that
    usual = float(np.median(size[varied])) if varied.any() else 1.0
    large, small = size > LARGE, bool(varied.any()) and usual < SMALL
    if not (large.any() or offset.any() or small):
        return None
    worst = int(np.argmax(size))
    count = int((large | offset).sum())
    words = f"{count:,} of {x.shape[1]:,} features are far from mean 0 and deviation 1"
    return Finding(
        "unscaled_inputs",
        "severe" if size.max() > LARGE * LARGE or subject.history.ended == "failed" else "warning",
        "The inputs are not scaled.",
        (words if count else "the features are far smaller than 1")
        + f"; the largest, {subject.feature(worst)}, has mean {mean[worst]:.4g} and deviation "
        f"{deviation[worst]:.4g}, the median size is {np.median(size):.3g}",
        "Initial weights and usual learning rates are made for inputs of about 1: others saturate units, or "
        "make steps too long in some directions and too short in others.",
        "Bring each feature to mean 0 and deviation 1; keep the two numbers for later rows.",
        _scaling(subject) + "X = prepare(X)\n" + subject.code(),
    )


def leaking_target(subject: Subject) -> Finding | None:
    """One feature alone tells the target."""
    x, rows = subject.columns, subject.rows
    if not subject.has_columns or x.shape[1] < 2 or len(x) < ENOUGH_ROWS:
        return None
    classes = subject.loss.classes(rows.y)
    if classes is None and rows.y.reshape(len(x), -1).shape[1] == 1 and len(np.unique(rows.y)) == 2:
        classes = (rows.y.reshape(-1) > rows.y.min()).astype(np.int64)
    if classes is not None:
        told = _classes_told(x, classes)
        words = "separates all classes"
    else:
        told = _numbers_told(x, rows.y.reshape(len(x), -1).astype(np.float64))
        words = "gives the target"
    if not told:
        return None
    features = sorted(told)
    return Finding(
        "leaking_target",
        "severe",
        "A feature tells the target: it may not be known when a prediction is wanted.",
        "; ".join(f"{subject.feature(feature)} alone {words} ({told[feature]})" for feature in features[:5]),
        "Such a feature is usually the target in other words, or a result of it; a network that leans on it "
        "learns nothing else.",
        "If it is not known in advance, leave it out; if it is, no network is needed.",
        _without(subject, features),
    )


def constant_feature(subject: Subject) -> Finding | None:
    """Features that are the same in every row."""
    x = subject.columns
    if len(x) < 2 or not subject.has_columns:
        return None
    same = np.flatnonzero((x == x[0]).all(axis=0))
    if not len(same):
        return None
    if len(same) == x.shape[1]:
        return Finding(
            "constant_feature",
            "severe",
            "No feature varies: the rows cannot be told apart.",
            f"all {len(x):,} rows are equal",
            "Every row gets the same answer, whatever the network.",
            "See how the rows were made: a column may have been read or encoded wrongly.",
            "print(np.std(X, axis=0))",
        )
    return Finding(
        "constant_feature",
        "info",
        f"{len(same):,} of {x.shape[1]:,} features are the same in every row.",
        "; ".join(f"{subject.feature(feature)} is always {x[0, feature]:.4g}" for feature in same[:5])
        + (" ..." if len(same) > 5 else ""),
        "What does not vary cannot tell rows apart; its weights only add to the biases, until a later row "
        "has another value and gets an arbitrary answer.",
        "Leave them out.",
        _without(subject, same.tolist()),
    )


def duplicate_feature(subject: Subject) -> Finding | None:
    """Features that are copies of each other, up to scale and offset."""
    x = subject.columns
    if len(x) < 10 or not subject.has_columns:
        return None
    pairs = copies(x)
    if not pairs:
        return None
    return Finding(
        "duplicate_feature",
        "info",
        f"{len(pairs):,} of {x.shape[1]:,} features say the same as another one.",
        "; ".join(
            f"{subject.feature(copy)} has correlation {sign:+d} with {subject.feature(one)}"
            for copy, one, sign in pairs[:5]
        )
        + (" ..." if len(pairs) > 5 else ""),
        "A copy adds weights but no information, and counts its feature twice.",
        "Leave the copies out.",
        _without(subject, [copy for copy, _, _ in pairs]),
    )


def class_imbalance(subject: Subject) -> Finding | None:
    """A rare class is hardly ever found, and the accuracy is high all the same."""
    rows, (_, a) = subject.rows, subject.answers
    classes = subject.loss.classes(rows.y)
    if classes is None or not subject.trained:
        return None
    if a.shape[1] > 1:
        said = a.argmax(axis=1)
    else:
        said = (a[:, 0] > (0.0 if subject.loss.answers == "sign" else 0.5)).astype(np.int64)
    accuracy = float((said == classes).mean())
    counts = np.bincount(classes)
    found = {
        k: float((said[classes == k] == k).mean()) for k in np.flatnonzero(counts >= FEWEST_OF_CLASS).tolist()
    }
    missed = [k for k in found if counts[k] < RARE * len(classes) and found[k] < MISSED]
    if not missed or accuracy < HIDING:
        return None
    return Finding(
        "class_imbalance",
        "warning",
        "A rare class is hardly ever found, which the accuracy hides.",
        f"accuracy {accuracy:.1%}, but "
        + "; ".join(
            f"class {k}, {counts[k] / len(classes):.1%} of the rows, is found in {found[k]:.0%}"
            for k in missed
        ),
        "Saying the frequent class is nearly always right, so the loss gains little from the rare one.",
        "Let every class weigh the same, and judge by balanced accuracy.",
        subject.code(class_weight="balanced"),
    )


def labels_out_of_line(subject: Subject) -> Finding | None:
    """Targets that the output activation cannot give, or is not made for."""
    y, loss, last = subject.rows.y, subject.loss, subject.model.architecture.layers[-1]
    if not isinstance(last, Dense):
        return None
    if loss.answers == "one_of":
        return _classes_without_rows(subject, last)
    if loss.answers != "number":
        return None
    name, (low, high) = last.activation.name, last.activation.range
    outside = float(((y < low) | (y > high)).mean())
    values = np.unique(y[:, 0]) if y.shape[1:] == (1,) else np.empty(0)
    if len(values) == 2 and len(y) >= ENOUGH_ROWS:
        # A share that is judged by its square is the Brier score: sound, and no finding.
        return None if name == "sigmoid" and outside == 0 else _yes_or_no(subject, last, values)
    before = [*subject.model.architecture.layers[:-1]]
    layers = [*before, dataclasses.replace(last, activation=IDENTITY, weight_initializer=None)]
    if outside > OUTSIDE:
        return Finding(
            "labels_out_of_line",
            "severe",
            f"The targets lie outside of what {name} can give.",
            f"targets from {y.min():.4g} to {y.max():.4g}, {outside:.0%} of them outside; {name} gives "
            f"{low:g} to {high:g}",
            "The output can only press against its limit, where its gradient is small or 0.",
            "Let the last layer give any number, or bring the targets into the range.",
            subject.code(layers=layers),
        )
    size = float(np.sqrt(np.square(y, dtype=np.float64).mean()))
    if last.activation == IDENTITY and size > LARGE and subject.reached > STUCK * subject.trivial:
        return Finding(
            "labels_out_of_line",
            "warning",
            "The targets are not scaled, and the network has not come near them.",
            f"the targets' mean is {y.mean():.4g}, their deviation {y.std():.4g}; loss "
            f"{subject.reached:.4g}, the trivial answer has {subject.trivial:.4g}",
            "Initial outputs are about 1, so that first errors and gradients are as large as the targets, "
            "and the way to them is long.",
            "Bring the targets to mean 0 and deviation 1, and predictions back: a * y_scale + y_center.",
            "y_center, y_scale = np.mean(y, axis=0), np.std(y, axis=0)\n"
            "relabel = lambda targets: (targets - y_center) / np.where(y_scale > 0, y_scale, 1)\n"
            "y = relabel(y)\n" + subject.code(layers=layers),
        )
    return None


def _yes_or_no(subject: Subject, last: Dense, values: Array) -> Finding:
    layers = [
        *subject.model.architecture.layers[:-1],
        dataclasses.replace(last, activation=SIGMOID, weight_initializer=None),
    ]
    return Finding(
        "labels_out_of_line",
        "warning",
        "The targets are yes or no, and the output is made for numbers.",
        f"the targets are all {values[0]:g} or {values[1]:g}; the output is {last.activation.name}, the loss "
        f"{subject.loss.name}",
        "The loss also punishes answers that are right and clear, beyond 1 or below 0, and the answers are "
        "no probabilities.",
        "Use a sigmoid output and binary cross entropy.",
        f"relabel = lambda targets: (np.asarray(targets) > {values.mean():g}).astype(float)\n"
        "y = relabel(y)\n" + subject.code(layers=layers, loss=BinaryCrossEntropy()),
    )


def _classes_without_rows(subject: Subject, last: Dense) -> Finding | None:
    y = subject.rows.y
    used = np.flatnonzero(y.sum(axis=0) > 0)
    # Of a class that is rare, a sample of the rows may well have none.
    if len(used) in (1, last.units) or len(y) < max(subject.row_count, 10 * last.units):
        return None
    unused = np.setdiff1d(np.arange(last.units), used)
    layers = [*subject.model.architecture.layers[:-1], dataclasses.replace(last, units=len(used))]
    return Finding(
        "labels_out_of_line",
        "info",
        f"{len(unused)} of {last.units} outputs stand for classes that no row has.",
        f"no row has class {', '.join(map(str, unused[:10]))}",
        "Class numbers may start from 1 instead of 0, or a class is missing from these rows.",
        "Number the classes from 0 without gaps, unless rows of the missing ones are still to come.",
        f"classes = np.array({used.tolist()})\n"
        "relabel = lambda targets: np.searchsorted(classes, targets)\n"
        "y = relabel(y)\n" + subject.code(layers=layers),
    )


def copies(x: Array) -> list[tuple[int, int, int]]:
    """Return (copy, original, sign of the correlation) for features that are copies of earlier ones.

    Copies are found as neighbors among the features' products with one random vector, so that not every
    pair has to be compared. Two-valued features with correlation -1 are no copies here, but the two
    columns of a category with two values.

    >>> copies(np.array([[float(i), 3.0 - 2 * i, i % 3] for i in range(10)]))
    [(1, 0, -1)]
    """
    centered = x - x.mean(axis=0)
    length = np.sqrt(np.square(centered).sum(axis=0))
    different = (x != np.median(x, axis=0)).sum(axis=0)
    varied = np.flatnonzero((different >= FEWEST_DIFFERENT) & (length > 1e-9 * np.abs(x).max(axis=0)))
    unit = centered[:, varied] / length[varied]
    products = np.einsum("ij,i->j", unit, np.random.default_rng(0).normal(size=len(x)))
    signs = np.where(products < 0, -1, 1)
    order = np.argsort(np.abs(products), kind="stable")
    # Copies lie this close: |u - v|**2 = 2 - 2 * correlation, times some standard deviations.
    near = 6 * np.sqrt(2 * (1 - COPY))
    pairs: dict[int, tuple[int, int]] = {}
    for place, i in enumerate(order):
        for j in order[place + 1 : place + 9]:
            if abs(products[j]) - abs(products[i]) > near:
                break
            sign = int(signs[i] * signs[j])
            if np.sum(unit[:, i] * unit[:, j]) * sign < COPY:
                continue
            one, copy = sorted((int(varied[i]), int(varied[j])))
            if sign < 0 and len(np.unique(x[:, one])) == 2:
                continue
            pairs.setdefault(copy, (one, sign))
    return [(copy, *pairs[copy]) for copy in sorted(pairs)]


def _classes_told(x: Array, classes: Array) -> dict[int, str]:
    """Return the features along which each class is one stretch, without another in between."""
    shares = np.bincount(classes) / len(classes)
    expected = len(classes) * (1 - float(np.square(shares).sum()))
    needed = int((shares > 0).sum()) - 1
    if expected < ENOUGH_CHANGES or needed < 1:
        return {}
    most = needed + FEW_CHANGES * expected
    order = np.argsort(x, axis=0, kind="stable")
    changes = (np.diff(classes[order], axis=0) != 0).sum(axis=0)
    told = {}
    for feature in np.flatnonzero(changes <= most).tolist():
        # The order among equal values is chance: each row of another class than most of them counts double.
        _, value = np.unique(x[:, feature], return_inverse=True)
        table = np.zeros((value.max() + 1, len(shares)), dtype=np.int64)
        np.add.at(table, (value, classes), 1)
        mixed = len(classes) - int(table.max(axis=1).sum())
        stretches = int((np.diff(table.argmax(axis=1)) != 0).sum())
        if stretches + 2 * mixed <= most:
            told[feature] = f"{stretches} changes of class along it, {needed} at least"
    return told


def _numbers_told(x: Array, y: Array) -> dict[int, str]:
    """Return the features with correlation near 1 with all targets, of the values or of their ranks."""
    told: dict[int, str] = {}
    for words, features, targets in (
        ("correlation", x, y),
        ("rank correlation", _ranks(x), _ranks(y)),
    ):
        found = np.min([np.abs(_correlation(features, target)) for target in targets.T], axis=0)
        for feature in np.flatnonzero(found > TELLS_ALL).tolist():
            told.setdefault(feature, f"{words} {found[feature]:.5f}")
    return told


def _ranks(values: Array) -> Array:
    return np.argsort(np.argsort(values, axis=0, kind="stable"), axis=0, kind="stable").astype(np.float64)


def _correlation(features: Array, target: Array) -> Array:
    """Return the correlation of each feature with the target, 0 for what does not vary."""
    centered, target = features - features.mean(axis=0), target - target.mean()
    size = np.sqrt(np.square(centered).sum(axis=0) * np.square(target).sum())
    return (centered * target[:, None]).sum(axis=0) / np.where(size > 0, size, np.inf)


def _scaling(subject: Subject) -> str:
    """Return the lines that define `prepare`, which scales the inputs."""
    if subject.model.architecture.takes_numbers:
        return (
            "center, scale = np.mean(X, axis=0), np.std(X, axis=0)\n"
            "prepare = lambda rows: (rows - center) / np.where(scale > 0, scale, 1)\n"
        )
    return (
        f"center = {{name: np.mean(X[name], axis=0) for name in {list(subject.number_inputs)}}}\n"
        "scale = {name: np.std(X[name], axis=0) for name in center}\n"
        "prepare = lambda rows: {**rows, **{name: (rows[name] - center[name]) / "
        "np.where(scale[name] > 0, scale[name], 1) for name in center}}\n"
    )


def _without(subject: Subject, features: list[int]) -> str:
    """Return the lines that leave features out and train anew."""
    return (
        f"left_out = {features}\n"
        "prepare = lambda rows: np.delete(rows, left_out, axis=1)\n"
        "X = prepare(X)\n" + subject.code(inputs="X.shape[1]")
    )
