"""How a table model is trained: rows are split, networks are trained and judged, and one is kept.

With a hold-out, a first run is validated, then the network is retrained on all rows outside the test. With
folds, each has a network of its own, and the network that is kept has learned from all rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ganglion import insight
from ganglion.answers.judging import balancing_weights, judge
from ganglion.answers.target import ClassTarget, fit_target
from ganglion.answers.thresholds import Objective
from ganglion.checks import check_integer
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, amount, notice, shortened
from ganglion.table_model.learned import LearnedRows
from ganglion.table_model.learner import Learner, Member, Target, Watching
from ganglion.table_model.probing import notice_dates, notice_groups
from ganglion.table_model.sampling import Sampling
from ganglion.tables.columns import DateColumn
from ganglion.tables.copies import contradiction, count_copies, find_copies
from ganglion.tables.encode import DROPPED, GROUP, WEIGHT, Encoder, listed, require_column
from ganglion.tables.findings import notice_findings
from ganglion.tables.fitting import NAMES, ROW_NUMBERS
from ganglion.tables.labeled import LabeledRows, labeled_rows, notice_missing_values
from ganglion.tables.reading import ReadOptions, open_table
from ganglion.tables.splits import NOTHING, Divisible, Split, fold_splits, hold_out, joined
from ganglion.training.callbacks import Callback, ProgressBar
from ganglion.training.history import History
from ganglion.training.optimizers import Optimizer

if TYPE_CHECKING:
    from ganglion.table_model.model import TableModel

# Copies are worth a notice from this fraction of the rows on.
FEW_COPIES = 0.01


@dataclass(frozen=True)
class Recipe:
    """The settings of `TableModel.train`, which documents them.

    Raises:
        ConfigError: for a setting out of range.
    """

    target: str
    hidden: int | Sequence[int]
    activation: str
    task: str
    dropout: float | None
    epochs: int | None
    batch_size: int | None
    optimizer: Optimizer | str
    learning_rate: float | None
    sampling: Sampling
    class_weight: str | None
    objective: Objective | None
    read: ReadOptions | None
    drop: tuple[str, ...]
    categories: tuple[str, ...]
    keep: tuple[str, ...]
    scaling: str
    fold_case: bool
    callbacks: Sequence[Callback]
    progress: bool
    announce: Callable[[TableModel], object]
    seed: int
    engine: str

    def __post_init__(self) -> None:
        if not isinstance(self.target, str):
            raise ConfigError(f"target must be the name of a column, got {type(self.target).__name__}")
        check_integer("seed", self.seed, at_least=0, at_most=2**64 - 1)
        for name, column in (("weight", self.sampling.weight), ("group", self.sampling.group)):
            if column == self.target:
                raise ConfigError(f"{name} must be another column than the target, got {shortened(column)}")

    @property
    def reasons(self) -> dict[str, str]:
        """The columns that are no inputs, with the reasons."""
        aside = {self.sampling.weight: WEIGHT, self.sampling.group: GROUP}
        aside.pop(None, None)
        return {**dict.fromkeys(self.drop, DROPPED), **aside}  # type: ignore[dict-item]

    @property
    def unused(self) -> tuple[str, ...]:
        """The columns that are no inputs."""
        return tuple(self.reasons)

    def fit_encoder(
        self, frame: pl.DataFrame, goals: Mapping[str, Array] | None = None, like: Encoder | None = None
    ) -> Encoder:
        """Return the encoder of the inputs in a frame; see `Encoder.fit`."""
        return Encoder.fit(
            frame.drop(self.target, *self.unused),
            self.categories,
            self.scaling,
            goals=goals,
            keep=self.keep,
            fold_case=self.fold_case,
            like=like,
        )

    @property
    def may_stop(self) -> bool:
        """Whether a callback may stop the run or change its weights, and not only watch it."""
        return any(not isinstance(each, insight.HealthCheck | ProgressBar) for each in self.callbacks)


def train(make: type[TableModel], table: object, recipe: Recipe) -> TableModel:
    """Train a table model by a recipe; see `TableModel.train`."""
    read = open_table(table, recipe.read, target=recipe.target)
    read.check({*recipe.drop, *recipe.categories, *recipe.keep})
    whole = read.frame
    for name in recipe.drop:
        require_column(whole, name)
    if recipe.target in recipe.drop:
        raise ConfigError(f"the target {recipe.target!r} must not be dropped")
    sampling = recipe.sampling
    rows = labeled_rows(whole, recipe.target, **sampling.columns())
    encoder, target, told = _fit_whole(rows, recipe)
    inputs = rows.frame.select(column.column for column in encoder.columns)
    divisible = _divisible(rows, inputs, target)
    sampling = sampling.resolved(rows.frame.height, recipe.may_stop)
    recipe = dataclasses.replace(recipe, sampling=sampling)
    if recipe.objective is not None:
        recipe.objective.positive_class(target)
        if not (sampling.folds or sampling.validation):
            raise ConfigError("a threshold is chosen on validation rows, and validation is 0")
    splits = _splits(divisible, sampling, recipe.seed)
    learned = rows.frame.height - (0 if sampling.folds else len(splits[0].test))
    independent = divisible.blocks
    if independent is None and sampling.repeats > 1:  # each row is tested several times
        independent = np.arange(divisible.rows)
    learner = Learner(make, recipe, read.reading, rows, encoder, target, learned, independent)
    for reason, left_out in encoder.reasons().items():
        names = [name for name in left_out if name not in told]
        if names and reason not in (DROPPED, GROUP, WEIGHT):
            remedy = "; --keep uses them" if reason in (ROW_NUMBERS, NAMES) else ""
            notice(f"left out: {listed(names)} ({reason}{remedy})", "left-out-columns")
    notice_missing_values(inputs)
    held_out = sampling.folds or sampling.test or sampling.validation
    if held_out and sampling.order is None:
        notice_dates(inputs, rows.frame, target, divisible, recipe.seed)
    if held_out and sampling.group is None:
        notice_groups(inputs, rows.frame, target, divisible, recipe.seed)
    flow = _cross_validate if sampling.folds else _hold_out
    model = flow(learner, splits, divisible)
    model.balanced, model.sampling = recipe.class_weight is not None, sampling
    return model


def _fit_whole(rows: LabeledRows, recipe: Recipe) -> tuple[Encoder, Target, list[str]]:
    """Return encoder and target fitted on all rows, so that errors name rows by their number in the table.

    The third is the columns left out of which a notice was given already.
    """
    encoder = recipe.fit_encoder(rows.whole)
    values = rows.frame.get_column(recipe.target)
    try:
        target = fit_target(values, recipe.task, recipe.fold_case)
    except DataError:
        # This names the row, if any, as the user does.
        fit_target(rows.whole.get_column(recipe.target), recipe.task, recipe.fold_case)
        raise
    goals = target.goals(values)
    encoder = recipe.fit_encoder(rows.frame, goals, encoder)
    told = notice_findings(rows.frame, encoder, goals, recipe.target, recipe.fold_case)
    return encoder.without(recipe.reasons), target, told


def _divisible(rows: LabeledRows, inputs: pl.DataFrame, target: Target) -> Divisible:
    """Return what the splits have to respect, with a notice of copies."""
    values = rows.frame.get_column(target.column)
    classes = target.encode(values) if isinstance(target, ClassTarget) else None
    copies = find_copies(inputs)
    if copies is not None:
        _notice_copies(copies, values)
    blocks = [labels for labels in (rows.groups, copies) if labels is not None]
    return Divisible(len(values), classes, joined(*blocks) if blocks else None, rows.order)


def _notice_copies(copies: Array, targets: pl.Series) -> None:
    count, rows = count_copies(copies), len(copies)
    differ = contradiction(copies, targets.to_list())
    if count < FEW_COPIES * rows and differ is None:
        return
    text = (
        f"{count:,} of {rows:,} rows {'is a copy of another' if count == 1 else 'are copies of others'} "
        f"in all inputs; copies stay together, so that none is learned and tested"
    )
    if differ is not None:
        sets, (first, second) = differ
        text += (
            f"; {amount(sets, 'set of copies has', 'sets of copies have')} different targets, "
            f"such as {targets[first]!r} and {targets[second]!r}"
        )
    notice(text, "duplicate-rows")


def _splits(rows: Divisible, sampling: Sampling, seed: int) -> list[Split]:
    """Return one split for a hold-out, and one for each fold; a table too small for folds has no test."""
    if not sampling.folds:
        return [hold_out(rows, sampling.test or 0.0, sampling.validation or 0.0, seed)]
    splits = fold_splits(rows, sampling.folds, sampling.repeats, seed)
    if splits:
        return splits
    notice(f"{rows.rows} rows are too few to test the model: there is no report", "no-test")
    return [Split(np.arange(rows.rows), NOTHING, NOTHING)]


def _hold_out(learner: Learner, splits: list[Split], rows: Divisible) -> TableModel:
    """Train a validated run, then retrain on all rows outside the test unless the run was stopped."""
    recipe, split = learner.recipe, splits[0]
    first = kept = learner.untrained(split)
    recipe.announce(first.model)
    history = learner.run(first, recipe.callbacks)
    if len(split.validation) and _is_whole(history):
        both = np.sort(np.concatenate([split.train, split.validation]))
        final = learner.untrained(Split(both, NOTHING, split.test))
        if learner.run(final).ended == "completed":  # else keep the first model
            kept = final
    model = kept.model
    model.learned = LearnedRows.of(*learner.encoded(model, kept.split.train))
    model.history = history
    model.rows = {
        "train": len(split.train),
        "validation": len(split.validation),
        "test": len(split.test),
    }
    linear, validated = list[Member](), list[Member]()
    if len(split.test) and recipe.hidden and history.ended != "interrupted":
        linear = [learner.linear(kept)]
        learner.run(linear[0])
        if recipe.objective is not None and len(split.validation):  # to choose its own threshold on
            validated = linear if kept is first else [learner.linear(first)]
            if kept is not first:
                learner.run(validated[0])
    _judge(learner, model, [first], [kept], linear, validated)
    if model.report is not None:
        model.report = dataclasses.replace(model.report, note=_note(recipe.sampling.order, kept.model))
    return model


def _note(order: str | None, model: TableModel) -> str:
    """Return what a reader must know of the test rows of a hold-out, from which the model has not learned."""
    if order is None:
        return "the model has not learned from these rows; test=0 (--test 0) trains on all"
    note = (
        f"these rows are the latest by {order}, and the model has not learned from them: before use, train "
        f"on all rows with test=0 (--test 0)"
    )
    if any(
        isinstance(c, DateColumn) and c.column == order and "elapsed" in c.parts
        for c in model.encoder.columns
    ):
        note += f"\nin them, as in all later rows, the days elapsed of {order} lie outside what was learned"
    return note


def _cross_validate(learner: Learner, splits: list[Split], rows: Divisible) -> TableModel:
    """Train a network for each fold, and the one to keep on all rows."""
    recipe, everything = learner.recipe, Split(np.arange(rows.rows), NOTHING, NOTHING)
    if recipe.may_stop:  # what the callbacks decide by must not be the test
        fraction = recipe.sampling.validation or 0.0
        watched = hold_out(rows, 0.0, fraction, recipe.seed)
        splits = [_validated(split, rows, fraction, recipe.seed) for split in splits]
        members = [learner.untrained(watched), *map(learner.untrained, splits)]
        callbacks: list[Sequence[Callback]] = [list(recipe.callbacks)] * len(members)
        folds = members[1:]
    else:
        members = [learner.untrained(split) for split in splits]
        folds = list(members)
        # The callbacks watch the first fold; the test rows validate that run, and nothing depends on it.
        first = folds[0].split
        watched = dataclasses.replace(first, validation=first.test)
        members[0] = dataclasses.replace(folds[0], split=watched)
        members.append(learner.untrained(everything))
        callbacks = [list(recipe.callbacks), *[[]] * (len(members) - 1)]
    callbacks[0] = [Watching(callback) for callback in recipe.callbacks]
    linear = [learner.linear(member) for member in folds] if recipe.hidden else []
    recipe.announce(members[0].model)
    histories = learner.run_all([*members, *linear], [*callbacks, *[[]] * len(linear)])
    history, kept = histories[0], members[0]
    if not recipe.may_stop and _is_whole(history) and histories[len(members) - 1].ended == "completed":
        kept = members[-1]
    elif recipe.may_stop and _is_whole(history):
        final = learner.untrained(everything)
        kept = final if learner.run(final).ended == "completed" else kept
    if history.ended == "interrupted":
        folds, linear = [] if recipe.may_stop else folds[:1], []
    model = kept.model
    model.learned = LearnedRows.of(*learner.encoded(model, kept.split.train))
    model.history = history
    tested = np.unique(np.concatenate([NOTHING, *(member.split.test for member in folds)]))
    model.rows = {"train": len(kept.split.train), "validation": 0, "test": len(tested)}
    if recipe.may_stop:
        model.rows["validation"] = rows.rows - model.rows["train"]
    _judge(learner, model, [], folds, linear)
    return model


def _validated(split: Split, rows: Divisible, fraction: float, seed: int) -> Split:
    part = hold_out(rows.part(split.train), 0.0, fraction, seed)
    return Split(split.train[part.train], split.train[part.validation], split.test)


def _is_whole(history: History) -> bool:
    """Return whether a run was neither stopped nor set back to its best epoch."""
    return history.ended == "completed" and history.best_epoch is None


def _judge(
    learner: Learner,
    model: TableModel,
    validated: list[Member],
    tested: list[Member],
    linear: list[Member],
    linear_validated: Sequence[Member] = (),
) -> None:
    """Judge the answers for the rows that the members have not learned from."""
    target, recipe = model.target, learner.recipe
    balanced = recipe.class_weight is not None and isinstance(target, ClassTarget)
    judgment = judge(
        target,
        learner.answers(validated, lambda split: split.validation, target),
        learner.answers(tested, lambda split: split.test, target),
        learner.answers(linear, lambda split: split.test, target),
        linear_validation=learner.answers(linear_validated, lambda split: split.validation, target),
        class_weights=balancing_weights(target) if balanced and isinstance(target, ClassTarget) else (),
        objective=recipe.objective,
        rows=model.rows["train"] + model.rows["validation"],
    )
    model.calibration, model.report = judgment.calibration, judgment.report
