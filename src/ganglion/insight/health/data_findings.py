"""Findings about the rows and the targets, independent of the network.

Each is a function of the subject that returns a finding or None.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ganglion.core.activations import IDENTITY, SIGMOID
from ganglion.core.layers import Dense
from ganglion.core.losses import BinaryCrossEntropy
from ganglion.core.part import Array
from ganglion.errors import amount
from ganglion.insight.health.finding import Finding
from ganglion.insight.health.subject import Subject

# Initial weights expect inputs of about 1. Ten times that saturates units or makes steps ten times too long;
# a hundredth of it makes them a hundred times too short.
LARGE = 10.0
SMALL = 0.02
# To a unit, a feature whose mean is this many deviations from 0 is nearly constant.
OFFSET = 10.0
# Correlation of copies, up to the rounding of float32.
COPY = 1 - 1e-6
# Two features that are nonzero only in the same one or two rows are copies by chance.
FEWEST_DIFFERENT = 5
# Beyond this correlation a feature determines the target: 0.2 % of the variance is left unexplained.
DETERMINES = 0.999
# Along an uninformative feature the class changes between neighbors as often as by chance; along a leak it
# hardly changes. With fewer rows or fewer expected changes, that could happen by chance.
ENOUGH_ROWS = 50
ENOUGH_CHANGES = 20
FEW_CHANGES = 0.02
# A class is rare below this fraction of the rows and missed below this recall; above this accuracy, the
# accuracy hides it.
RARE = 0.2
MISSED = 0.25
HIDING = 0.75
FEWEST_OF_CLASS = 5
# Up to this fraction of targets out of range may be errors; more is a matter of scale.
OUTSIDE = 0.01
# Large targets can be learned too, given time; above this fraction of the trivial loss they were not.
STUCK = 0.9


def unscaled_inputs(subject: Subject) -> Finding | None:
    """Features far larger or smaller than 1, or whose mean is many deviations from 0."""
    architecture = subject.model.architecture
    numbers = {place for place, part in enumerate(architecture.inputs.values()) if part.holds == "numbers"}
    if all(step.layer.normalizes for step in architecture.steps if numbers & {*step.reads}):
        return None
    x = subject.columns
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    size = np.sqrt(mean**2 + deviation**2)
    offset = (deviation > 0) & (np.abs(mean) > OFFSET * deviation) & (np.abs(mean) > 3)
    low, high = np.quantile(x, (0.1, 0.9), axis=0)
    varied = high > low  # a feature with mostly one value is small because of that
    usual = float(np.median(size[varied])) if varied.any() else 1.0
    large, small = size > LARGE, bool(varied.any()) and usual < SMALL
    if not (large.any() or offset.any() or small):
        return None
    worst = int(np.argmax(size))
    count = int((large | offset).sum())
    of = "pixel" if subject.has_images else "feature"
    words = f"{count:,} of {amount(x.shape[1], of)} far from mean 0 and deviation 1"
    if subject.has_images:
        words = f"pixels from {x.min():.4g} to {x.max():.4g}: {words}"
    return Finding(
        "unscaled_inputs",
        "severe" if size.max() > LARGE * LARGE or subject.history.ended == "failed" else "warning",
        f"The {'images' if subject.has_images else 'inputs'} are unscaled.",
        (words if count else f"the {of}s are far smaller than 1")
        + f"; the largest, {subject.feature(worst)}, has mean {mean[worst]:.4g} and deviation "
        f"{deviation[worst]:.4g}, the median size is {np.median(size):.3g}",
        "Initial weights and usual learning rates assume inputs of about 1. Other inputs saturate units, or "
        "make steps too long in some directions and too short in others.",
        f"Scale each {'channel' if subject.has_images else 'feature'} to mean 0 and deviation 1; keep the "
        f"two numbers for later rows.",
        scaling(subject) + "X = prepare(X)\n" + subject.code(),
    )


def leaking_target(subject: Subject) -> Finding | None:
    """One feature alone determines the target."""
    x, rows = subject.columns, subject.rows
    if not subject.has_columns or x.shape[1] < 2 or len(x) < ENOUGH_ROWS:
        return None
    classes = subject.loss.classes(rows.y)
    if classes is None and rows.y.reshape(len(x), -1).shape[1] == 1 and len(np.unique(rows.y)) == 2:
        classes = (rows.y.reshape(-1) > rows.y.min()).astype(np.int64)
    if classes is not None:
        leaks = _features_that_separate(x, classes)
        words = "separates all classes"
    else:
        leaks = _features_that_correlate(x, rows.y.reshape(len(x), -1).astype(np.float64))
        words = "determines the target"
    if not leaks:
        return None
    features = sorted(leaks)
    return Finding(
        "leaking_target",
        "severe",
        "A feature leaks the target: it may be unknown at prediction time.",
        "; ".join(f"{subject.feature(feature)} alone {words} ({leaks[feature]})" for feature in features[:5]),
        "Such a feature is usually another form of the target, or a result of it. A network that relies on "
        "it learns nothing else.",
        "If it is unknown at prediction time, leave it out; if it is known, no network is needed.",
        _without(subject, features),
    )


def constant_feature(subject: Subject) -> Finding | None:
    """Features with the same value in every row."""
    x = subject.columns
    if len(x) < 2 or not subject.has_columns:
        return None
    same = (x == x[0]).all(axis=0)
    if subject.validation is not None:  # a feature that varies there is rare, not constant
        same &= (subject.validation.x.reshape(len(subject.validation), -1) == x[0]).all(axis=0)
    same = np.flatnonzero(same)
    if not len(same):
        return None
    if len(same) == x.shape[1]:
        return Finding(
            "constant_feature",
            "severe",
            "No feature varies: the rows are indistinguishable.",
            f"all {len(x):,} rows are equal",
            "Any network gives every row the same answer.",
            "Check how the rows were made: a column may have been read or encoded wrongly.",
            "print(np.std(X, axis=0))",
        )
    return Finding(
        "constant_feature",
        "info",
        f"{len(same):,} of {x.shape[1]:,} features {_has(len(same))} the same value in every row.",
        "; ".join(f"{subject.feature(feature)} is always {x[0, feature]:.4g}" for feature in same[:5])
        + (" ..." if len(same) > 5 else ""),
        "A constant feature cannot distinguish rows. Its weights only add to the biases, until a later row "
        "has another value and gets an arbitrary answer.",
        "Leave them out.",
        _without(subject, same.tolist()),
    )


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


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
        f"{len(pairs):,} of {x.shape[1]:,} features {_has(len(pairs))} the values of another one.",
        "; ".join(
            f"{subject.feature(copy)} has correlation {sign:+d} with {subject.feature(one)}"
            for copy, one, sign in pairs[:5]
        )
        + (" ..." if len(pairs) > 5 else ""),
        "A copy adds weights but no information, and its feature counts twice.",
        "Leave the copies out.",
        _without(subject, [copy for copy, _, _ in pairs]),
    )


def class_imbalance(subject: Subject) -> Finding | None:
    """The recall of a rare class is low although the accuracy is high."""
    rows, (_, a) = subject.rows, subject.answers
    classes = subject.loss.classes(rows.y)
    if classes is None or not subject.trained:
        return None
    if a.shape[1] > 1:
        predicted = a.argmax(axis=1)
    else:
        predicted = (a[:, 0] > (0.0 if subject.loss.answers == "sign" else 0.5)).astype(np.int64)
    accuracy = float((predicted == classes).mean())
    counts = np.bincount(classes)
    found = {
        k: float((predicted[classes == k] == k).mean())
        for k in np.flatnonzero(counts >= FEWEST_OF_CLASS).tolist()
    }
    missed = [k for k in found if counts[k] < RARE * len(classes) and found[k] < MISSED]
    if not missed or accuracy < HIDING:
        return None
    return Finding(
        "class_imbalance",
        "warning",
        "A rare class is hardly ever predicted, which the accuracy hides.",
        f"accuracy {accuracy:.1%}, but "
        + "; ".join(
            f"class {subject.label(k)}, {counts[k] / len(classes):.1%} of the rows, is found in "
            f"{found[k]:.0%}"
            for k in missed
        ),
        "Predicting the frequent class is nearly always right, so the rare class hardly affects the loss.",
        "Give every class the same total weight, and evaluate by balanced accuracy.",
        subject.code(class_weight="balanced"),
    )


def labels_out_of_line(subject: Subject) -> Finding | None:
    """Targets outside the range of the output activation, or that another one suits better."""
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
        # The squared error of a probability is the Brier score: sound, and no finding.
        return None if name == "sigmoid" and outside == 0 else _yes_or_no(subject, last, values)
    before = [*subject.model.architecture.layers[:-1]]
    layers = [*before, dataclasses.replace(last, activation=IDENTITY, weight_initializer=None)]
    if outside > OUTSIDE:
        return Finding(
            "labels_out_of_line",
            "severe",
            f"The targets lie outside the range of {name}.",
            f"targets from {y.min():.4g} to {y.max():.4g}, {outside:.0%} of them outside; {name} ranges from "
            f"{low:g} to {high:g}",
            "The output can only approach its limit, where its gradient is small or 0.",
            "Use an output activation with an unlimited range, or scale the targets into the range.",
            subject.code(layers=layers),
        )
    size = float(np.sqrt(np.square(y, dtype=np.float64).mean()))
    if last.activation == IDENTITY and size > LARGE and subject.reached > STUCK * subject.trivial:
        return Finding(
            "labels_out_of_line",
            "warning",
            "The targets are unscaled, and the network has not come near them.",
            f"the targets have mean {y.mean():.4g} and deviation {y.std():.4g}; loss "
            f"{subject.reached:.4g}, the trivial answer has {subject.trivial:.4g}",
            "Initial outputs are about 1, so the first errors and gradients are as large as the targets, and "
            "reaching them takes many steps.",
            "Scale the targets to mean 0 and deviation 1, and predictions back: a * y_scale + y_center.",
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
        "The targets are yes or no, but the output is for numbers.",
        f"all targets are {values[0]:g} or {values[1]:g}; the output activation is {last.activation.name}, "
        f"the loss {subject.loss.name}",
        "The loss also penalizes answers that are right and clear, above 1 or below 0, and the answers are "
        "not probabilities.",
        "Use a sigmoid output and binary cross entropy.",
        f"relabel = lambda targets: (np.asarray(targets) > {values.mean():g}).astype(float)\n"
        "y = relabel(y)\n" + subject.code(layers=layers, loss=BinaryCrossEntropy()),
    )


def _classes_without_rows(subject: Subject, last: Dense) -> Finding | None:
    y = subject.rows.y
    used = np.flatnonzero(y.sum(axis=0) > 0)
    # A sample of the rows may well miss a rare class.
    if len(used) in (1, last.units) or len(y) < max(subject.row_count, 10 * last.units):
        return None
    unused = np.setdiff1d(np.arange(last.units), used)
    layers = [*subject.model.architecture.layers[:-1], dataclasses.replace(last, units=len(used))]
    return Finding(
        "labels_out_of_line",
        "info",
        f"{len(unused)} of {last.units} outputs are for classes that occur in no row.",
        f"no row has class {', '.join(subject.label(int(k)) for k in unused[:10])}",
        "Class numbers may start from 1 instead of 0, or a class is missing from these rows.",
        "Number the classes from 0 without gaps, unless rows of the missing classes will be added.",
        f"classes = np.array({used.tolist()})\n"
        "relabel = lambda targets: np.searchsorted(classes, targets)\n"
        "y = relabel(y)\n" + subject.code(layers=layers),
    )


def copies(x: Array) -> list[tuple[int, int, int]]:
    """Return (copy, original, sign of the correlation) for features that are copies of earlier ones.

    Copies are neighbors among the features' products with one random vector, which avoids comparing every
    pair. Two-valued features with correlation -1 do not count as copies: they are the two columns of a
    category with two values.

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
    # The products of copies are this close: |u - v|**2 = 2 - 2 * correlation; six standard deviations.
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


def _features_that_separate(x: Array, classes: Array) -> dict[int, str]:
    """Return the features along which each class fills one interval, with the evidence."""
    frequencies = np.bincount(classes) / len(classes)
    expected = len(classes) * (1 - float(np.square(frequencies).sum()))
    needed = int((frequencies > 0).sum()) - 1
    if expected < ENOUGH_CHANGES or needed < 1:
        return {}
    most = needed + FEW_CHANGES * expected
    order = np.argsort(x, axis=0, kind="stable")
    changes = (np.diff(classes[order], axis=0) != 0).sum(axis=0)
    found = {}
    for feature in np.flatnonzero(changes <= most).tolist():
        # The order of equal values is arbitrary: each row outside the majority class of its value counts
        # twice.
        _, value = np.unique(x[:, feature], return_inverse=True)
        table = np.zeros((value.max() + 1, len(frequencies)), dtype=np.int64)
        np.add.at(table, (value, classes), 1)
        mixed = len(classes) - int(table.max(axis=1).sum())
        stretches = int((np.diff(table.argmax(axis=1)) != 0).sum())
        if stretches + 2 * mixed <= most:
            found[feature] = f"{amount(stretches, 'change')} of class along it, at least {needed} needed"
    return found


def _features_that_correlate(x: Array, y: Array) -> dict[int, str]:
    """Return the features whose correlation or rank correlation with all targets is near 1."""
    found: dict[int, str] = {}
    for words, features, targets in (
        ("correlation", x, y),
        ("rank correlation", _ranks(x), _ranks(y)),
    ):
        size = np.min([np.abs(_correlation(features, target)) for target in targets.T], axis=0)
        for feature in np.flatnonzero(size > DETERMINES).tolist():
            found.setdefault(feature, f"{words} {size[feature]:.5f}")
    return found


def _ranks(values: Array) -> Array:
    return np.argsort(np.argsort(values, axis=0, kind="stable"), axis=0, kind="stable").astype(np.float64)


def _correlation(features: Array, target: Array) -> Array:
    """Return the correlation of each feature with the target, 0 for constant ones."""
    centered, target = features - features.mean(axis=0), target - target.mean()
    size = np.sqrt(np.square(centered).sum(axis=0) * np.square(target).sum())
    return (centered * target[:, None]).sum(axis=0) / np.where(size > 0, size, np.inf)


def scaling(subject: Subject) -> str:
    """Return the lines that define `prepare`, which scales the inputs."""
    architecture = subject.model.architecture
    if architecture.takes_numbers and len(architecture.input_shape) == 3:
        return (  # a pixel that is the same in all rows is not special
            "center, scale = np.mean(X, axis=(0, 1, 2)), np.std(X, axis=(0, 1, 2))  # of each channel\n"
            "prepare = lambda images: (images - center) / np.where(scale > 0, scale, 1)\n"
        )
    if architecture.takes_numbers:
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
    """Return the lines that leave features out and train again."""
    return (
        f"left_out = {features}\n"
        "prepare = lambda rows: np.delete(rows, left_out, axis=1)\n"
        "X = prepare(X)\n" + subject.code(inputs="X.shape[1]")
    )
