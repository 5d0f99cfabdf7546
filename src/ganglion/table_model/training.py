"""How a table model is trained: rows are split, a first run is validated, then the network is retrained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ganglion.answers.held_out import HeldOut
from ganglion.answers.judging import balancing_weights, judge
from ganglion.answers.target import ClassTarget, NumberTarget, fit_target
from ganglion.answers.thresholds import Objective
from ganglion.checks import check_integer, check_number
from ganglion.errors import ConfigError, notice
from ganglion.network import Network
from ganglion.tables.defaults import Settings, layers_for, optimizer_for
from ganglion.tables.encode import DROPPED, Encoder, listed
from ganglion.tables.labeled import hold_out, labeled_rows, notice_missing_values_and_dates
from ganglion.tables.reading import Reading, ReadOptions, open_table
from ganglion.training.callbacks import Callback
from ganglion.training.history import History
from ganglion.training.optimizers import Optimizer

if TYPE_CHECKING:
    from ganglion.table_model.model import TableModel


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
    validation: float
    test: float
    class_weight: str | None
    objective: Objective | None
    read: ReadOptions | None
    drop: tuple[str, ...]
    categories: tuple[str, ...]
    scaling: str
    callbacks: Sequence[Callback]
    progress: bool
    announce: Callable[[TableModel], object]
    seed: int
    engine: str

    def __post_init__(self) -> None:
        if not isinstance(self.target, str):
            raise ConfigError(f"target must be the name of a column, got {type(self.target).__name__}")
        check_integer("seed", self.seed, at_least=0, at_most=2**64 - 1)


def train(make: type[TableModel], table: Any, recipe: Recipe) -> TableModel:
    """Train a table model by a recipe; see `TableModel.train`."""
    target, drop = recipe.target, recipe.drop
    read = open_table(table, recipe.read, target=target)
    read.check({*drop, *recipe.categories})
    whole = read.frame
    frame = labeled_rows(whole, target, drop)
    # Fit the whole table first, so that errors name rows by their number in it.
    Encoder.fit(whole.drop(target, *drop), recipe.categories, recipe.scaling)
    full_target = fit_target(frame.get_column(target), recipe.task)
    if recipe.objective is not None:
        recipe.objective.positive_class(full_target)
        if not recipe.validation:
            raise ConfigError("a threshold is chosen on validation rows, and validation is 0")
    development_rows, test_rows = hold_out(frame, full_target, recipe.test, recipe.seed, "test")
    train_rows, validation_rows = hold_out(
        development_rows, full_target, recipe.validation, recipe.seed, "validation"
    )
    learner = Learner(make, recipe, read.reading, full_target, development_rows.height)
    model = learner.untrained(train_rows)
    for reason, names in model.encoder.reasons().items():
        if reason != DROPPED:
            notice(f"left out: {listed(names)} ({reason})", "left-out-columns")
    used = [column.column for column in model.encoder.columns]
    notice_missing_values_and_dates(frame.select(used), bool(recipe.test or recipe.validation))
    recipe.announce(model)
    history = learner.run(model, train_rows, validation_rows, recipe.callbacks)
    validated = model  # the network that has not learned from the validation rows
    if validation_rows is not None and history.ended == "completed" and history.best_epoch is None:
        final = learner.untrained(development_rows)
        if learner.run(final, development_rows).ended == "completed":  # else keep the first model
            model = final
    model.history, model.balanced = history, recipe.class_weight is not None
    model.rows = {
        "train": train_rows.height,
        "validation": 0 if validation_rows is None else validation_rows.height,
        "test": 0 if test_rows is None else test_rows.height,
    }
    judgment = judge(
        model.target,
        None if validation_rows is None else held_out(validated, validation_rows, model.target),
        None if test_rows is None else held_out(model, test_rows, model.target),
        class_weights=balancing_weights(model.target)
        if recipe.class_weight is not None and isinstance(model.target, ClassTarget)
        else (),
        objective=recipe.objective,
        rows=model.rows["train"] + model.rows["validation"],
    )
    model.calibration, model.report = judgment.calibration, judgment.report
    return model


def held_out(model: TableModel, rows: pl.DataFrame, target: ClassTarget | NumberTarget) -> HeldOut:
    """Return a model's outputs for rows, in the scale of another target."""
    x, truth = model.encode(rows)
    outputs = model.network.predict(x)
    if isinstance(target, NumberTarget) and isinstance(model.target, NumberTarget):
        outputs, truth = (model.target.in_scale_of(target, each) for each in (outputs, truth))
    return HeldOut(outputs, truth, np.zeros(rows.height, dtype=np.int64))


class Learner:
    """Makes and trains models of one recipe, on whatever rows.

    Args:
        make: the class of the models.
        recipe: the settings.
        reading: how the table was read.
        target: the target, fitted on all labeled rows.
        rows: the number of rows that defaults are derived from.
    """

    def __init__(
        self,
        make: type[TableModel],
        recipe: Recipe,
        reading: Reading,
        target: ClassTarget | NumberTarget,
        rows: int,
    ) -> None:
        self.make, self.recipe, self.reading, self.target = make, recipe, reading, target
        suited = Settings.suited_to(rows)
        self.epochs = (
            suited.epochs if recipe.epochs is None else check_integer("epochs", recipe.epochs, at_least=1)
        )
        self.optimizer = optimizer_for(
            recipe.optimizer, recipe.learning_rate, self.epochs, suited.weight_decay
        )
        # L-BFGS needs the same loss function in every step, and dropout changes it.
        default_rate = suited.dropout if self.optimizer.makes_steps else 0.0
        self.dropout = (
            default_rate
            if recipe.dropout is None
            else check_number("dropout", recipe.dropout, at_least=0, below=1)
        )
        self.batch_size = suited.batch_size if recipe.batch_size is None else recipe.batch_size
        if recipe.class_weight is not None and isinstance(target, NumberTarget):
            raise ConfigError(f"class weights need classes, and {target.column!r} is a number")

    def untrained(self, rows: pl.DataFrame) -> TableModel:
        """Return a model whose encoder and target are fitted on these rows."""
        recipe = self.recipe
        inputs = rows.drop(recipe.target, *recipe.drop)
        encoder = Encoder.fit(inputs, recipe.categories, recipe.scaling).without(recipe.drop)
        target = self.target.refit(rows.get_column(recipe.target))
        layers = layers_for(recipe.hidden, recipe.activation, self.dropout, target)
        network = Network(layers, len(encoder.features), recipe.seed, engine=recipe.engine)
        needed = {recipe.target, *(column.column for column in encoder.columns)}
        return self.make(network, encoder, target, network.history, reading=self.reading.only(needed))

    def run(
        self,
        model: TableModel,
        rows: pl.DataFrame,
        validation: pl.DataFrame | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> History:
        """Train the model's network on rows, and return the history."""
        recipe = self.recipe
        return model.network.fit(
            *model.encode(rows),
            optimizer=self.optimizer,
            epochs=self.epochs,
            batch_size=self.batch_size,
            validation=None if validation is None else model.encode(validation),
            class_weight=recipe.class_weight,
            callbacks=callbacks,
            progress=recipe.progress,
        )
