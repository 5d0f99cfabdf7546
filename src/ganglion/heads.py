"""The heads of a network: a section of its outputs for each target, and what all of them learn from a row.

A network of one target has one head. Nothing that trains or judges networks asks how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ganglion.answers.calibration import Calibration
from ganglion.answers.held_out import HeldOut
from ganglion.answers.predictions import prediction_columns
from ganglion.answers.target import MOST_GOALS, ClassTarget, NumberTarget
from ganglion.answers.thresholds import Objective
from ganglion.core.activations import Sections
from ganglion.core.layers import Dense
from ganglion.core.losses import Joint
from ganglion.core.part import Array
from ganglion.errors import ConfigError
from ganglion.files.exports import Answer, Job
from ganglion.files.exports.inputs import Coded
from ganglion.network import Network

AnyTarget = ClassTarget | NumberTarget
FEWEST_TO_STRATIFY = 5
MOST_ROUNDS = 100


def size_of(target: AnyTarget) -> int:
    """Return the number of outputs of a target's head."""
    return len(target.classes) if isinstance(target, ClassTarget) else 1


def sections(targets: Sequence[AnyTarget]) -> list[slice]:
    """Return where the outputs of each head lie."""
    ends = np.cumsum([size_of(target) for target in targets]).tolist()
    return [slice(first, last) for first, last in zip([0, *ends], ends, strict=False)]


def output_layer(targets: Sequence[AnyTarget]) -> Dense:
    """Return the layer that makes the outputs of all heads."""
    activations = ["softmax" if isinstance(target, ClassTarget) else "identity" for target in targets]
    sizes = [size_of(target) for target in targets]
    if len(targets) == 1:
        return Dense(sizes[0], activations[0])
    return Dense(sum(sizes), Sections(activations, tuple(sizes[:-1])))


def loss_of(targets: Sequence[AnyTarget]) -> Joint | str:
    """Return the loss of the only head, or the sum of the losses of all heads, of equal weight."""
    losses = ["cross_entropy" if isinstance(target, ClassTarget) else "mse" for target in targets]
    if len(targets) == 1:
        return losses[0]
    return Joint(losses, tuple(size_of(target) for target in targets[:-1]))


def networks_of_heads(network: Network, targets: Sequence[AnyTarget], engine: str) -> Iterator[Network]:
    """Yield the network of each head: copies of the shared layers, and the head's part of the last.

    A network of one head is its own.

    Raises:
        ConfigError: if the last layer does not make the outputs of these targets.
    """
    if len(targets) == 1:
        yield network
        return
    if network.layers[-1] != output_layer(targets):
        raise ConfigError("its network and targets do not fit together")
    last = network.architecture.steps[-1].name
    for target, place in zip(targets, sections(targets), strict=True):
        layers = [*network.layers[:-1], output_layer([target])]
        head = Network(layers, network.architecture.input_shape, network.seed, engine=engine)
        own = head.named_parameters()
        for name, values in network.named_parameters().items():
            own[name][...] = values[..., place] if name.startswith(f"{last}/") else values
        head.state[...] = network.state  # of the shared layers, for the last one has none
        yield head


def exported_job(
    network: Network,
    parts: Sequence[tuple[AnyTarget, Calibration]],
    columns: Sequence[Coded],
    encode: Callable[[Sequence[Any]], Array],
    what: str,
    missing: Sequence[str] = (),
) -> Job:
    """Return what an exported file of a model does.

    Args:
        network: with the outputs of all heads, side by side.
        parts: target and calibration of each head.
        columns: what the file is given.
        encode: makes the network's inputs of rows of values by column.
        what: of what it predicts, in words.
        missing: words that stand for a missing value.
    """
    places = sections([target for target, _ in parts])

    def ask(rows: Sequence[Any], parameters: Array | None) -> Array:
        used = network if parameters is None else network.with_parameters(parameters)
        outputs = used.predict(encode(rows))
        found = [
            prediction_columns(*part, outputs[:, place], None)
            for part, place in zip(parts, places, strict=True)
        ]
        # Of classes, what follows the prediction: their probabilities.
        return np.column_stack([each for own in found for each in (own[1:] or own)])

    answers = tuple(_answer(*part, place) for part, place in zip(parts, places, strict=True))
    names = ", ".join(answer.name for answer in answers)
    return Job(network.model, ask, tuple(columns), answers, tuple(missing), f"predicts {names} from {what}")


def _answer(target: AnyTarget, calibration: Calibration, place: slice) -> Answer:
    if not isinstance(target, ClassTarget):
        return Answer(target.column, place.start, place.stop, center=target.center, scale=target.scale)
    return Answer(
        target.column,
        place.start,
        place.stop,
        tuple(target.labels),
        target.classes,
        temperature=calibration.temperature,
        class_weights=calibration.class_weights,
        positive=calibration.positive,
        threshold=calibration.threshold,
    )


def refit(targets: Sequence[AnyTarget], frame: pl.DataFrame) -> tuple[AnyTarget, ...]:
    """Return targets with the frequencies, or center and scale, of some rows; itself if none has it."""
    found = []
    for target in targets:
        values = frame.get_column(target.column).drop_nulls()
        found.append(target.refit(values) if len(values) else target)
    return tuple(found)


def require_classes(targets: Sequence[AnyTarget]) -> None:
    """Raise `ConfigError` if no target has classes that could be balanced."""
    if all(isinstance(target, NumberTarget) for target in targets):
        what = f"{targets[0].column!r} is a number" if len(targets) == 1 else "all targets are numbers"
        raise ConfigError(f"class weights need classes, and {what}")


def objective_for(objective: Objective | None, target: AnyTarget) -> Objective | None:
    """Return what a threshold is chosen for: of several targets, for each that has two classes."""
    two = isinstance(target, ClassTarget) and len(target.classes) == 2
    return objective if two else None


def check_objective(objective: Objective, targets: Sequence[AnyTarget]) -> None:
    """Raise `ConfigError` if a threshold cannot be chosen."""
    for target in [each for each in targets if objective_for(objective, each)] or targets[:1]:
        objective.positive_class(target)


def encode_targets(targets: Sequence[AnyTarget], frame: pl.DataFrame) -> Array:
    """Return the encoded targets, one column for each head; NaN where a row lacks the target."""
    encoded = np.full((frame.height, len(targets)), np.nan)
    for number, target in enumerate(targets):
        values = frame.get_column(target.column)
        there = values.is_not_null().to_numpy()
        encoded[there, number] = target.encode(values.drop_nulls())
    return encoded


def as_learned(targets: Sequence[AnyTarget], y: Array) -> Array:
    """Return encoded targets as the loss takes them: those of one head as numbers, its classes whole."""
    if len(targets) > 1:
        return y
    return y[:, 0].astype(np.int64) if isinstance(targets[0], ClassTarget) else y[:, 0]


def as_balanced(
    targets: Sequence[AnyTarget], y: Array, weight: Array | None, class_weights: Sequence[tuple[float, ...]]
) -> tuple[Array, Array | None]:
    """Return encoded targets as the loss takes them, and the rows' weights, with weights of the classes.

    Of several heads, each has its own weights of its classes: its targets are then probabilities that sum to
    the weight, one column for each output.

    Args:
        targets: of the heads.
        y: the encoded targets, (n, heads).
        weight: of the rows, (n,); None if all count alike.
        class_weights: of the classes of each head; () if all weigh the same.
    """
    if not any(class_weights):
        return as_learned(targets, y), weight
    if len(targets) == 1:
        factors = np.array(class_weights[0])[y[:, 0].astype(np.int64)]
        return as_learned(targets, y), factors if weight is None else factors * weight
    places = sections(targets)
    weighted = np.zeros((len(y), places[-1].stop))
    for number, (target, place, own) in enumerate(zip(targets, places, class_weights, strict=True)):
        if not isinstance(target, ClassTarget):
            weighted[:, place.start] = y[:, number]
            continue
        rows = np.flatnonzero(~np.isnan(y[:, number]))
        classes = y[rows, number].astype(np.int64)
        weighted[rows, place.start + classes] = np.array(own)[classes] if own else 1.0
    return weighted, weight


def goals_of(targets: Sequence[AnyTarget], frame: pl.DataFrame) -> dict[str, Array]:
    """Return what the means of a category's rows are taken of, by name; see `Target.goals`.

    Of several targets, each has its most important goal before any has a second one. A row that lacks a
    target has the mean of the others.
    """
    if len(targets) == 1:
        return targets[0].goals(frame.get_column(targets[0].column))
    found: list[tuple[int, str, Array]] = []
    for target in targets:
        values = frame.get_column(target.column)
        there = values.is_not_null().to_numpy()
        for place, (name, numbers) in enumerate(target.goals(values.drop_nulls()).items()):
            filled = np.full(frame.height, numbers.mean() if len(numbers) else 0.0)
            filled[there] = numbers
            found.append((place, f"{target.column}={name}", filled))
    found.sort(key=lambda each: each[0])
    return {name: filled for _, name, filled in found[:MOST_GOALS]}


def strata_of(targets: Sequence[AnyTarget], y: Array) -> Array | None:
    """Return the classes to stratify by: of several targets, the combination of each row's classes.

    The rows of a rare combination go with all others of their rarest class, so that no class is lost.

    Args:
        targets: of the heads.
        y: the encoded targets, (n, heads).
    """
    places = [number for number, target in enumerate(targets) if isinstance(target, ClassTarget)]
    if not places:
        return None
    classes = np.nan_to_num(y[:, places], nan=-1).astype(np.int64)
    if len(places) == 1 and (classes >= 0).all():
        return np.asarray(classes[:, 0])
    codes, counts = np.unique(classes, axis=0, return_inverse=True, return_counts=True)[1:]
    codes = codes.reshape(-1)
    # Each class of each target has a number of its own, and rows without this target count as frequent.
    size = int(classes.max()) + 1
    numbers = np.where(classes >= 0, classes + size * np.arange(len(places)), size * len(places))
    frequency = np.bincount(numbers.reshape(-1), minlength=size * len(places) + 1)
    frequency[-1] = len(y) + 1
    rarest = numbers[np.arange(len(y)), frequency[numbers].argmin(axis=1)]
    strata = np.where(counts[codes] < FEWEST_TO_STRATIFY, len(counts) + rarest, codes)
    return np.unique(strata, return_inverse=True)[1].reshape(-1)


def balanced_rows(targets: Sequence[AnyTarget], y: Array, weight: Array | None = None) -> Array:
    """Return a weight for each row with which all classes of each target have the same total weight.

    The weights are products of the given ones and of one factor for each class, found by iterative
    proportional fitting (Deming and Stephan, 1940). Where the targets contradict each other, the last round
    is near enough. Their mean is that of the given weights.

    Args:
        targets: of the heads.
        y: the encoded targets, (n, heads).
        weight: of the rows, (n,); None if all count alike.
    """
    given = np.ones(len(y)) if weight is None else weight.astype(np.float64)
    weights = given.copy()
    for _ in range(MOST_ROUNDS):
        before = weights.copy()
        for number, target in enumerate(targets):
            if not isinstance(target, ClassTarget):
                continue
            there = ~np.isnan(y[:, number])
            classes = y[there, number].astype(np.int64)
            totals = np.bincount(classes, weights[there], len(target.classes))
            wanted = totals.sum() / max(np.count_nonzero(totals), 1)
            weights[there] *= (wanted / np.where(totals > 0, totals, 1.0))[classes]
        if np.allclose(weights, before, rtol=1e-9, atol=0):
            break
    return weights * (given.mean() / weights.mean())


@dataclass(frozen=True)
class Answered:
    """What a network answered for rows that it has not learned from.

    Args:
        targets: of its heads.
        rows: their numbers.
        outputs: for these rows, of all heads side by side.
    """

    targets: Sequence[AnyTarget]
    rows: Array
    outputs: Array


def held_out(
    answered: Sequence[Answered],
    number: int,
    into: AnyTarget,
    values: pl.Series,
    weight: Array | None = None,
    units: Array | None = None,
) -> HeldOut | None:
    """Return the outputs of one head for the rows that have its target, in the units of a target.

    Args:
        answered: one for each fold.
        number: of the head.
        into: the target whose units to use.
        values: of the target, for all rows.
        weight: of all rows; None if all count alike.
        units: a number for each row, equal for rows that are not independent; None if all are.

    Returns:
        None if no row has the target and a weight.
    """
    outputs, every, folds = [], [], []
    present = values.is_not_null().to_numpy()
    for fold, each in enumerate(answered):
        there, own = present[each.rows], each.targets[number]
        if not there.any():
            continue
        answer = each.outputs[there, sections(each.targets)[number]]
        if isinstance(own, NumberTarget) and isinstance(into, NumberTarget):
            answer = own.in_scale_of(into, answer)
        outputs.append(answer)
        every.append(each.rows[there])
        folds.append(np.full(int(there.sum()), fold))
    if not outputs:
        return None
    rows = np.concatenate(every)
    weights = None if weight is None else weight[rows]
    if weights is not None and not weights.sum() > 0:
        return None  # none of these rows counts
    return HeldOut(
        np.concatenate(outputs),
        into.encode(values[rows]),
        np.concatenate(folds),
        weights,
        None if units is None else units[rows],
    )
