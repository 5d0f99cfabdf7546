"""How a model of several targets is trained: as that of one is, with one network and a joint loss."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from ganglion.answers.held_out import HeldOut
from ganglion.answers.judging import balancing_weights, judge
from ganglion.answers.target import ClassTarget, NumberTarget, fit_target
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, GanglionNotice, notice
from ganglion.network import Network
from ganglion.table_model.joint import (
    AnyTarget,
    JointTableModel,
    encode_targets,
    joint_loss,
    networks_of_heads,
    output_layer,
)
from ganglion.table_model.learner import Learner
from ganglion.table_model.model import TableModel
from ganglion.table_model.sampling import Sampling
from ganglion.table_model.training import Recipe
from ganglion.tables.defaults import layers_for
from ganglion.tables.encode import DROPPED, Encoder, listed, require_column
from ganglion.tables.labeled import LabeledRows, notice_missing_values
from ganglion.tables.reading import Reading, open_table
from ganglion.training.history import History
from ganglion.training.splitting import split

FEWEST_TO_STRATIFY = 5
USUAL_FRACTION = 0.2
TARGET = "a target"
MOST_ROUNDS = 100


def train_jointly(
    make: type[TableModel], table: Any, recipe: Recipe, names: Sequence[str]
) -> JointTableModel:
    """Train a model of several targets by a recipe; see `TableModel.train`."""
    read = open_table(table, recipe.read, target=names[0])
    read.check({*recipe.drop, *recipe.categories, *recipe.keep})
    frame = _labeled(read.frame, names, recipe)
    encoder = _encoder(read.frame, names, recipe)
    targets = [
        fit_target(frame.get_column(name).drop_nulls(), recipe.task, recipe.fold_case) for name in names
    ]
    if recipe.class_weight not in (None, "balanced"):
        raise ConfigError(f"class_weight must be 'balanced' or None, got {recipe.class_weight!r}")
    if recipe.class_weight is not None and not any(isinstance(each, ClassTarget) for each in targets):
        raise ConfigError("class weights need classes, and all targets are numbers")
    sampling = recipe.sampling
    if sampling != Sampling(
        test=sampling.test, validation=sampling.validation, folds=None if sampling.folds is None else 0
    ):
        raise ConfigError(
            "weight, group, order, where, folds and repeats are for one target, got several",
            "leave them out, or train a model for each target",
        )
    if recipe.objective is not None:
        raise ConfigError("a threshold is chosen for one target, got several", "train a model for it alone")
    learning, test = _hold_out(frame, targets, _fraction(recipe.sampling.test), recipe.seed, "test")
    first, validation = _hold_out(
        learning, targets, _fraction(recipe.sampling.validation), recipe.seed, "validation"
    )
    learner = JointLearner(make, recipe, read.reading, targets, frame, encoder, learning.height)
    model, network = learner.untrained(first)
    one = next(iter(model.values()))
    for reason, columns in one.encoder.reasons().items():
        if reason not in (DROPPED, TARGET):
            notice(f"left out: {listed(columns)} ({reason})", "left-out-columns")
    used = [column.column for column in one.encoder.columns]
    notice_missing_values(frame.select(used))
    recipe.announce(JointTableModel(network, model))  # type: ignore[arg-type]  # what `train` returns
    history = learner.run(network, model, first, validation, recipe.callbacks)
    validated = learner.cut(network, model)
    final, last = validated, network
    if validation is not None and history.ended == "completed" and history.best_epoch is None:
        again, retrained = learner.untrained(learning)
        if learner.run(retrained, again, learning).ended == "completed":  # else keep the first model
            final, last = learner.cut(retrained, again), retrained
    rows = {
        "train": first.height,
        "validation": 0 if validation is None else validation.height,
        "test": 0 if test is None else test.height,
    }
    for name, head in final.items():
        head.history, head.balanced, head.rows = history, recipe.class_weight is not None, rows
        judged = [
            None if part is None or not part.height else _answers(by[name], part, head.target)
            for by, part in ((validated, _with(validation, name)), (final, _with(test, name)))
        ]
        balanced = recipe.class_weight is not None and isinstance(head.target, ClassTarget)
        judgment = judge(
            head.target,
            *judged,
            class_weights=balancing_weights(head.target) if balanced else (),  # type: ignore[arg-type]
            rows=rows["train"] + rows["validation"],
        )
        head.calibration, head.report = judgment.calibration, judgment.report
    return JointTableModel(last, final)


def _fraction(given: float | None) -> float:
    return USUAL_FRACTION if given is None else given


def _encoder(frame: pl.DataFrame, names: Sequence[str], recipe: Recipe) -> Encoder:
    inputs = frame.drop(*names, *recipe.drop)
    return Encoder.fit(
        inputs, recipe.categories, recipe.scaling, keep=recipe.keep, fold_case=recipe.fold_case
    )


def _answers(model: TableModel, rows: pl.DataFrame, target: AnyTarget) -> HeldOut:
    """Return a model's outputs for rows, in the scale of another target."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GanglionNotice)
        outputs = model.network.predict(model.encode_inputs(rows))
    if isinstance(target, NumberTarget) and isinstance(model.target, NumberTarget):
        outputs = model.target.in_scale_of(target, outputs)
    truth = target.encode(rows.get_column(target.column))
    return HeldOut(outputs, truth, np.zeros(rows.height, dtype=np.int64))


def _with(rows: pl.DataFrame | None, name: str) -> pl.DataFrame | None:
    return None if rows is None else rows.filter(pl.col(name).is_not_null())


def _labeled(frame: pl.DataFrame, names: Sequence[str], recipe: Recipe) -> pl.DataFrame:
    """Return the rows that have at least one of the targets, after checking that the columns exist."""
    for name in (*recipe.drop, *names):
        require_column(frame, name)
    if both := [name for name in names if name in recipe.drop]:
        raise ConfigError(f"the target {both[0]!r} must not be dropped")
    labeled = frame.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in names))
    if missing := frame.height - labeled.height:
        notice(f"{missing} rows lack all targets and are ignored", "missing-target")
    for name in names:
        if missing := labeled.get_column(name).null_count():
            notice(f"{missing} rows lack the target {name!r} and teach only the others", "missing-target")
    if labeled.height < 2:
        raise DataError(f"a table needs at least 2 rows to learn from, got {labeled.height}")
    return labeled


def _hold_out(
    frame: pl.DataFrame, targets: Sequence[AnyTarget], fraction: float, seed: int, what: str
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return the remaining rows and the held-out rows, None if the fraction is 0."""
    if not fraction:
        return frame, None
    strata = joint_classes(targets, encode_targets(targets, frame))
    rest, out = split(frame.height, fraction, seed, strata, position=("test", "validation").index(what))
    return frame[rest], frame[out]


def joint_classes(targets: Sequence[AnyTarget], y: Array) -> Array | None:
    """Return the combination of classes of each row, to stratify by; rare combinations count as one."""
    places = [number for number, target in enumerate(targets) if isinstance(target, ClassTarget)]
    if not places:
        return None
    _, codes, counts = np.unique(
        np.nan_to_num(y[:, places], nan=-1), axis=0, return_inverse=True, return_counts=True
    )
    codes = codes.reshape(-1)
    rare = counts < FEWEST_TO_STRATIFY
    merged = np.where(rare, len(counts), np.arange(len(counts)))[codes]
    return np.unique(merged, return_inverse=True)[1].astype(np.int64)


def balanced_rows(targets: Sequence[AnyTarget], y: Array) -> Array:
    """Return a weight for each row with which all classes of each target have the same total weight.

    The weights are products of one factor for each class, found by iterative proportional fitting (Deming
    and Stephan, 1940). Where the targets contradict each other, the last round is near enough.
    """
    weights = np.ones(len(y))
    for _ in range(MOST_ROUNDS):
        before = weights.copy()
        for number, target in enumerate(targets):
            if not isinstance(target, ClassTarget):
                continue
            there = ~np.isnan(y[:, number])
            classes = y[there, number].astype(np.int64)
            totals = np.bincount(classes, weights[there], len(target.classes))
            wanted = totals.sum() / np.count_nonzero(totals)
            weights[there] *= wanted / totals[classes]
        if np.allclose(weights, before, rtol=1e-9):
            break
    return weights / weights.mean()


class JointLearner:
    """Makes and trains networks of one recipe and several targets, on whatever rows."""

    def __init__(
        self,
        make: type[TableModel],
        recipe: Recipe,
        reading: Reading,
        targets: Sequence[AnyTarget],
        frame: pl.DataFrame,
        encoder: Encoder,
        rows: int,
    ) -> None:
        self.make, self.recipe, self.reading, self.targets = make, recipe, reading, targets
        classes = [target for target in targets if isinstance(target, ClassTarget)]
        # The settings are those of one target, whichever it is.
        any_one = classes[0] if classes else targets[0]
        self.settings = Learner(make, recipe, reading, LabeledRows(frame, frame), encoder, any_one, rows)

    def untrained(self, rows: pl.DataFrame) -> tuple[dict[str, TableModel], Network]:
        """Return a model for each target, fitted on these rows, and the network of all."""
        recipe, names = self.recipe, [target.column for target in self.targets]
        encoder = _encoder(rows, names, recipe)
        encoder = encoder.without({**dict.fromkeys(names, TARGET), **recipe.reasons})
        targets = [target.refit(rows.get_column(target.column).drop_nulls()) for target in self.targets]
        hidden = layers_for(recipe.hidden, recipe.activation, self.settings.dropout, targets[0])[:-1]
        layers = [*hidden, output_layer(targets)]
        network = Network(layers, len(encoder.features), recipe.seed, engine=recipe.engine)
        reading = self.reading.only({*names, *(column.column for column in encoder.columns)})
        heads = networks_of_heads(network, targets, recipe.engine)
        return {
            target.column: self.make(head, encoder, target, network.history, reading=reading)
            for target, head in zip(targets, heads, strict=True)
        }, network

    def cut(self, network: Network, heads: dict[str, TableModel]) -> dict[str, TableModel]:
        """Return the heads with what the network has learned."""
        targets = [head.target for head in heads.values()]
        networks = networks_of_heads(network, targets, self.recipe.engine)
        for head, own in zip(heads.values(), networks, strict=True):
            head.network = own
        return heads

    def run(
        self,
        network: Network,
        heads: dict[str, TableModel],
        rows: pl.DataFrame,
        validation: pl.DataFrame | None = None,
        callbacks: Any = (),
    ) -> History:
        """Train the network on rows, and return the history."""
        one, targets = next(iter(heads.values())), [head.target for head in heads.values()]

        def encoded(part: pl.DataFrame) -> tuple[Array, Array]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", GanglionNotice)
                x = one.encode_inputs(part)
            return x, encode_targets(targets, part)

        x, y = encoded(rows)
        return network.fit(
            x,
            y,
            joint_loss(targets),
            optimizer=self.settings.optimizer,
            epochs=self.settings.epochs,
            batch_size=self.settings.batch_size,
            validation=None if validation is None else encoded(validation),
            sample_weight=None if self.recipe.class_weight is None else balanced_rows(targets, y),
            callbacks=callbacks,
            progress=self.recipe.progress,
        )
