"""How a table model is trained: rows are split, networks are trained and judged, and one is kept.

With a hold-out, a first run is validated, then the network is retrained on all rows outside the test. With
folds, each has a network of its own, and the network that is kept has learned from all rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from ganglion.answers.calibration import Calibration
from ganglion.answers.judging import Judgment
from ganglion.answers.splits import NOTHING, Divisible, Split, fold_splits, hold_out, joined
from ganglion.answers.target import fit_target
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, amount, notice
from ganglion.heads import (
    AnyTarget,
    encode_targets,
    goals_of,
    networks_of_heads,
    strata_of,
)
from ganglion.many import Watching
from ganglion.table_model.kinds import Quality
from ganglion.table_model.learned import LearnedRows
from ganglion.table_model.learner import Learner, Member
from ganglion.table_model.mixing import Mixer
from ganglion.table_model.probing import notice_dates, notice_groups
from ganglion.table_model.recipe import TARGET, Recipe
from ganglion.table_model.sampling import Sampling
from ganglion.tables.columns import DateColumn, TextColumn
from ganglion.tables.copies import contradiction, count_copies, find_copies, same_texts
from ganglion.tables.encode import DROPPED, GROUP, WEIGHT, Encoder, listed, require_column
from ganglion.tables.findings import notice_findings
from ganglion.tables.fitting import NAMES, ROW_NUMBERS
from ganglion.tables.labeled import LabeledRows, labeled_rows, notice_missing_values
from ganglion.tables.reading import Reading, open_table
from ganglion.training.callbacks import Callback
from ganglion.training.history import History

if TYPE_CHECKING:
    from ganglion.table_model.joint import JointTableModel
    from ganglion.table_model.model import TableModel

# Copies are worth a notice from this fraction of the rows on.
FEW_COPIES = 0.01
# The fraction of the time left that training a model may take, and the same if others test it.
FOR_THE_MODEL, FOR_THE_MODEL_AND_TESTS = 0.85, 0.3


def train(kinds: Kinds, table: object, recipe: Recipe) -> TableModel | JointTableModel:
    """Train a table model by a recipe; see `TableModel.train`."""
    maker, learner, splits, divisible = prepare(kinds, table, recipe)
    if (quality := recipe.level) is not None:
        mixed = _mix(maker, learner, splits, divisible, quality)
        if mixed is not None:
            return mixed
    flow = _cross_validate if learner.recipe.sampling.folds else _hold_out
    return flow(maker, learner, splits, divisible)


class Prepared(NamedTuple):
    """What training needs of a table: the maker of models, the learner, and the rows and their splits."""

    maker: Maker
    learner: Learner
    splits: list[Split]
    rows: Divisible


def prepare(kinds: Kinds, table: object, recipe: Recipe) -> Prepared:
    """Read a table, find the roles of its columns, and divide its rows; see `TableModel.train`."""
    names = recipe.targets
    read = open_table(table, recipe.read, targets=names)
    read.check({*recipe.drop, *recipe.categories, *recipe.keep, *recipe.text.columns, *recipe.text.exclude})
    whole = read.frame
    for name in recipe.drop:
        require_column(whole, name)
    if dropped := [name for name in names if name in recipe.drop]:
        raise ConfigError(f"the target {dropped[0]!r} must not be dropped")
    sampling = recipe.sampling
    rows = labeled_rows(whole, names, **sampling.columns())
    encoder, targets, told = _fit_whole(rows, recipe)
    inputs = rows.frame.select(column.column for column in encoder.columns)
    texts = [column.column for column in encoder.columns if isinstance(column, TextColumn)]
    divisible = _divisible(rows, inputs, texts, targets)
    sampling = sampling.resolved(rows.frame.height, recipe.may_stop)
    recipe = dataclasses.replace(recipe, sampling=sampling)
    recipe.check_objective(targets)
    splits = _splits(divisible, sampling, recipe.seed)
    learned = rows.frame.height - (0 if sampling.folds else len(splits[0].test))
    independent = divisible.blocks
    if independent is None and sampling.repeats > 1:  # each row is tested several times
        independent = np.arange(divisible.rows)
    counted, frame = encoder.stored(
        rows.frame,
        recipe.text,
        in_order=recipe.quality == "best" and recipe.minutes is None,  # which may take minutes
    )
    learner = Learner(recipe, dataclasses.replace(rows, frame=frame), counted, targets, learned, independent)
    for reason, left_out in encoder.reasons().items():
        untold = [name for name in left_out if name not in told]
        if untold and reason not in (DROPPED, GROUP, WEIGHT, TARGET):
            remedy = "; --keep uses them" if reason in (ROW_NUMBERS, NAMES) else ""
            notice(f"left out: {listed(untold)} ({reason}{remedy})", "left-out-columns")
    notice_missing_values(inputs)
    if sampling.folds or sampling.test or (sampling.validation and recipe.level is None):
        _probe(inputs, rows, targets, divisible, recipe)
    return Prepared(Maker(kinds, recipe, read.reading), learner, splits, divisible)


@dataclass(frozen=True)
class Kinds:
    """The classes of the models that training makes: of one target, and of several."""

    one: type[TableModel]
    several: type[JointTableModel]


@dataclass(frozen=True)
class Maker:
    """Makes a model of a member, with its report.

    Args:
        kinds: the classes of the models.
        recipe: the settings.
        reading: how the table was read.
    """

    kinds: Kinds
    recipe: Recipe
    reading: Reading

    def model(
        self,
        member: Member,
        history: History | None = None,
        rows: dict[str, int] | None = None,
        judgments: Sequence[Judgment] = (),
        learned: Sequence[LearnedRows] = (),
    ) -> TableModel | JointTableModel:
        """Return the model; untrained without a history."""
        recipe, encoder = self.recipe, member.encoder.alone()
        needed = {column.column for column in encoder.columns} | set(recipe.reasons) - set(recipe.drop)
        reading = self.reading if recipe.sampling.where else self.reading.only({*needed, *recipe.targets})
        networks = networks_of_heads(member.network, member.targets, recipe.engine)
        heads = {
            target.column: self.kinds.one(
                network,
                encoder,
                target,
                network.history if history is None else history,
                judgment.report,
                rows,
                recipe.class_weight is not None,
                recipe.sampling,
                judgment.calibration,
                reading,
                remembered,
            )
            for target, network, judgment, remembered in zip(
                member.targets,
                networks,
                judgments or [Judgment(Calibration(), None)] * len(member.targets),
                learned or [LearnedRows()] * len(member.targets),
                strict=True,
            )
        }
        if len(heads) > 1:
            return self.kinds.several(member.network, heads)
        return heads[member.targets[0].column]


def _fit_whole(rows: LabeledRows, recipe: Recipe) -> tuple[Encoder, tuple[AnyTarget, ...], list[str]]:
    """Return encoder and targets fitted on all rows, so that errors name rows as the user counts them.

    The third is the columns left out of which a notice was given already.
    """
    encoder = recipe.fit_encoder(rows.whole)
    targets = tuple(_fit_target(rows, name, recipe) for name in recipe.targets)
    goals = goals_of(targets, rows.frame)
    encoder = recipe.fit_encoder(rows.frame, goals, encoder)
    told = notice_findings(rows.frame, encoder, goals, recipe.targets, recipe.fold_case)
    return encoder.without(recipe.reasons), targets, told


def _fit_target(rows: LabeledRows, name: str, recipe: Recipe) -> AnyTarget:
    values = rows.frame.get_column(name)
    if values.null_count() == len(values):
        raise DataError(f"the target {name!r} must have a value in the rows to learn from, got none")
    try:
        return fit_target(values, recipe.task, recipe.fold_case)
    except DataError:
        # This names the row, if any, as the user does.
        fit_target(rows.whole.get_column(name), recipe.task, recipe.fold_case)
        raise


def _probe(
    inputs: pl.DataFrame,
    rows: LabeledRows,
    targets: Sequence[AnyTarget],
    divisible: Divisible,
    recipe: Recipe,
) -> None:
    """Notify the user of dates and groups that make the score of a random split too good.

    Of several targets, dates are tried with the first, and groups with each until one is found.
    """
    for number, target in enumerate(targets):
        there = np.flatnonzero(rows.frame.get_column(target.column).is_not_null().to_numpy())
        frame = rows.frame.drop(other.column for other in targets if other is not target)[there]
        part = dataclasses.replace(
            divisible.part(there), classes=strata_of([target], encode_targets([target], frame))
        )
        if number == 0 and recipe.sampling.order is None:
            notice_dates(inputs[there], frame, target, part, recipe.seed)
        if recipe.sampling.group is None and notice_groups(inputs[there], frame, target, part, recipe.seed):
            return


def _divisible(
    rows: LabeledRows, inputs: pl.DataFrame, texts: Sequence[str], targets: Sequence[AnyTarget]
) -> Divisible:
    """Return what the splits have to respect, with a notice of copies."""
    alike = [find_copies(inputs), *(same_texts(inputs.get_column(name)) for name in texts)]
    found = [labels for labels in alike if labels is not None]
    copies = joined(*found) if found else None
    if copies is not None:
        where = "all inputs or in the words of a text" if texts else "all inputs"
        _notice_copies(copies, where, [rows.frame.get_column(target.column) for target in targets])
    blocks = [labels for labels in (rows.groups, copies) if labels is not None]
    classes = strata_of(targets, encode_targets(targets, rows.frame))
    return Divisible(rows.frame.height, classes, joined(*blocks) if blocks else None, rows.order)


def _notice_copies(copies: Array, where: str, targets: Sequence[pl.Series]) -> None:
    count, rows = count_copies(copies), len(copies)
    differ = next(filter(None, (_contradiction(copies, values) for values in targets)), None)
    if count < FEW_COPIES * rows and differ is None:
        return
    text = (
        f"{count:,} of {rows:,} rows {'is a copy of another' if count == 1 else 'are copies of others'} "
        f"in {where}; copies stay together, so that none is learned and tested"
    )
    if differ is not None:
        sets, first, second = differ
        text += (
            f"; {amount(sets, 'set of copies has', 'sets of copies have')} different targets, "
            f"such as {first!r} and {second!r}"
        )
    notice(text, "duplicate-rows")


def _contradiction(copies: Array, values: pl.Series) -> tuple[int, object, object] | None:
    """Return in how many sets of copies a target differs, and two of its values in the first such set."""
    there = values.is_not_null().to_numpy()
    values = values.drop_nulls()
    differ = contradiction(copies[there], values.to_list()) if len(values) else None
    return None if differ is None else (differ[0], values[differ[1][0]], values[differ[1][1]])


def _splits(rows: Divisible, sampling: Sampling, seed: int) -> list[Split]:
    """Return one split for a hold-out, and one for each fold; a table too small for folds has no test."""
    if not sampling.folds:
        return [hold_out(rows, sampling.test or 0.0, sampling.validation or 0.0, seed)]
    splits = fold_splits(rows, sampling.folds, sampling.repeats, seed)
    if splits:
        return splits
    notice(f"{rows.rows} rows are too few to test the model: there is no report", "no-test")
    return [Split(np.arange(rows.rows), NOTHING, NOTHING)]


def _hold_out(
    maker: Maker, learner: Learner, splits: list[Split], rows: Divisible
) -> TableModel | JointTableModel:
    """Train a validated run, then retrain on all rows outside the test unless the run was stopped."""
    recipe, split = learner.recipe, splits[0]
    first = kept = learner.untrained(split)
    recipe.announce(maker.model(first))
    history = learner.run(first, recipe.callbacks)
    both = np.sort(np.concatenate([split.train, split.validation]))
    if len(split.validation) and _is_whole(history):
        final = learner.untrained(Split(both, NOTHING, split.test))
        if learner.run(final).ended == "completed":  # else keep the first model
            kept = final
    counts = {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}
    linear, validated = list[Member](), list[Member]()
    if len(split.test) and recipe.hidden and history.ended != "interrupted":
        linear = [learner.linear(kept)]
        learner.run(linear[0])
        if recipe.objective is not None and len(split.validation):  # to choose its own threshold on
            validated = linear if kept is first else [learner.linear(first)]
            if kept is not first:
                learner.run(validated[0])
    judgments = learner.judge(kept, both, [first], [kept], linear, validated)
    note = _note(recipe.sampling.order, kept.encoder)
    judgments = [_with_note(each, note) for each in judgments]
    return maker.model(kept, history, counts, judgments, learner.remembered(kept))


def _mix(
    maker: Maker, learner: Learner, splits: list[Split], rows: Divisible, quality: Quality
) -> TableModel | JointTableModel | None:
    """Train the mixture that is kept, and to cross-validate one for each fold; None if rows are too few."""
    recipe, split = learner.recipe, splits[0]
    cross = bool(recipe.sampling.folds) and len(split.test) > 0
    whole = np.arange(rows.rows) if cross else np.sort(np.concatenate([split.train, split.validation]))
    until = recipe.until(FOR_THE_MODEL_AND_TESTS if cross else FOR_THE_MODEL)
    mixer = Mixer(learner, rows, whole, NOTHING if cross else split.test, quality, until)
    if not mixer.folds:
        return None
    recipe.announce(maker.model(mixer.untrained()))
    kept = mixer.mix(recipe.callbacks)
    if kept is None:
        return None
    tested = [kept.member]
    if cross:
        tested = []
        try:
            for done, one in enumerate(splits):
                until = recipe.until(FOR_THE_MODEL / (len(splits) - done))
                mixer = Mixer(learner, rows, one.train, one.test, quality, until)
                if not mixer.folds or (found := mixer.mix()) is None:
                    return None
                tested.append(found.member)
        except KeyboardInterrupt:  # the model is there, and is tested by fewer rows
            pass
    counts = {"train": len(whole), "validation": 0, "test": sum(len(one.split.test) for one in tested)}
    linear = [learner.linear(member) for member in tested if len(member.split.test)]
    validated = [learner.linear(member) for member in kept.folds] if recipe.objective and linear else []
    if linear:
        learner.run_all([*linear, *validated], [[]] * (len(linear) + len(validated)))
    judgments = learner.judge(kept.member, whole, kept.folds, tested, linear, validated)
    notes = [kept.describe()] if cross else [_note(None, kept.member.encoder), kept.describe()]
    judgments = [_with_note(each, "\n".join(notes)) for each in judgments]
    return maker.model(kept.member, kept.history, counts, judgments, learner.remembered(kept.member))


def _with_note(judgment: Judgment, note: str) -> Judgment:
    report = judgment.report
    return dataclasses.replace(judgment, report=report and dataclasses.replace(report, note=note))


def _note(order: str | None, encoder: Encoder) -> str:
    """Return what a reader must know of the test rows of a hold-out, from which the model has not learned."""
    if order is None:
        return "the model has not learned from these rows; test=0 (--test 0) trains on all"
    note = (
        f"these rows are the latest by {order}, and the model has not learned from them: before use, train "
        f"on all rows with test=0 (--test 0)"
    )
    if any(isinstance(c, DateColumn) and c.column == order and "elapsed" in c.parts for c in encoder.columns):
        note += f"\nin them, as in all later rows, the days elapsed of {order} lie outside what was learned"
    return note


def watched_split(split: Split) -> Split:
    """Return the split of a fold whose test rows validate the run, which nothing depends on."""
    return dataclasses.replace(split, validation=split.test)


def _cross_validate(
    maker: Maker, learner: Learner, splits: list[Split], rows: Divisible
) -> TableModel | JointTableModel:
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
        members[0] = dataclasses.replace(folds[0], split=watched_split(first))
        members.append(learner.untrained(everything))
        callbacks = [list(recipe.callbacks), *[[]] * (len(members) - 1)]
    callbacks[0] = [Watching(callback) for callback in recipe.callbacks]
    linear = [learner.linear(member) for member in folds] if recipe.hidden else []
    recipe.announce(maker.model(members[0]))
    histories = learner.run_all([*members, *linear], [*callbacks, *[[]] * len(linear)])
    history, kept = histories[0], members[0]
    if not recipe.may_stop and _is_whole(history) and histories[len(members) - 1].ended == "completed":
        kept = members[-1]
    elif recipe.may_stop and _is_whole(history):
        final = learner.untrained(everything)
        kept = final if learner.run(final).ended == "completed" else kept
    if history.ended == "interrupted":
        folds, linear = [] if recipe.may_stop else folds[:1], []
    tested = np.unique(np.concatenate([NOTHING, *(member.split.test for member in folds)]))
    counts = {"train": len(kept.split.train), "validation": 0, "test": len(tested)}
    learned = kept.split.train
    if recipe.may_stop:
        counts["validation"], learned = rows.rows - counts["train"], everything.train
    judgments = learner.judge(kept, learned, [], folds, linear)
    return maker.model(kept, history, counts, judgments, learner.remembered(kept))


def _validated(split: Split, rows: Divisible, fraction: float, seed: int) -> Split:
    part = hold_out(rows.part(split.train), 0.0, fraction, seed)
    return Split(split.train[part.train], split.train[part.validation], split.test)


def _is_whole(history: History) -> bool:
    """Return whether a run was neither stopped nor set back to its best epoch."""
    return history.ended == "completed" and history.best_epoch is None
