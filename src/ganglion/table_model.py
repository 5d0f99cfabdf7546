"""TableModel: an encoder, a network and a target, from a table to answers in its own words."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Any, Self

import numpy as np
import polars as pl

from ganglion import insight
from ganglion.checks import check_flag, check_integer, check_number
from ganglion.core.part import Array
from ganglion.errors import (
    ConfigError,
    DataError,
    FileError,
    GanglionError,
    GanglionNotice,
    notice,
    shortened,
)
from ganglion.files.model_file import SavedModel, read_model, write_model
from ganglion.network import Network
from ganglion.tables.defaults import Settings, layers_for, optimizer_for
from ganglion.tables.encode import DROPPED, Encoder, listed, require_column
from ganglion.tables.read import read_table
from ganglion.tables.report import Report, advice, judge
from ganglion.tables.target import ClassTarget, NumberTarget, Target, fit_target
from ganglion.training.callbacks import Callback, check_callbacks
from ganglion.training.history import History
from ganglion.training.optimizers import Optimizer
from ganglion.training.splitting import split

TAKEN = ("prediction", "explained", "baseline")


class TableModel:
    """A network that answers for the rows of a table. Made by `train` or `load`.

    Attributes:
        network: the `Network`.
        encoder: which columns it uses, and how they become numbers.
        target: what it predicts.
        history: of the run that was validated: the curves to look at.
        report: on the rows set aside for the test, None if there were none.
        rows: how many there were for "train", "validation" and "test".
        balanced: whether every class weighed the same.
    """

    def __init__(
        self,
        network: Network,
        encoder: Encoder,
        target: ClassTarget | NumberTarget,
        history: History,
        report: Report | None = None,
        rows: dict[str, int] | None = None,
        balanced: bool = False,
    ) -> None:
        self.network, self.encoder, self.target = network, encoder, target
        self.history, self.report = history, report
        self.balanced = balanced
        self.rows = {"train": 0, "validation": 0, "test": 0} if rows is None else rows

    @classmethod
    def train(
        cls,
        table: Any,
        target: str,
        hidden: int | Sequence[int] = (128, 64),
        activation: str = "relu",
        *,
        task: str = "auto",
        dropout: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: Optimizer | str = "adamw",
        learning_rate: float | None = None,
        validation: float = 0.2,
        test: float = 0.2,
        class_weight: str | None = None,
        drop: Collection[str] = (),
        categories: Collection[str] = (),
        scaling: str = "standard",
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
        announce: Callable[[TableModel], object] = lambda model: None,
        seed: int = 0,
        engine: str = "auto",
    ) -> TableModel:
        """Train a model to predict one column of a table from the others.

        A share of the rows is set aside for the test and never learned from. Of the others a share
        validates a first run; then the network is trained anew on all of them with the same settings,
        unless something stopped the first run or put back the weights of its best epoch.

        Args:
            table: a path (CSV, TSV, Parquet, JSON lines, Arrow), a polars or pandas frame, or an array.
            target: the name of the column to predict. Rows that lack it are left out.
            hidden: units of each hidden layer.
            activation: of the hidden layers.
            task: "classification" or "regression"; "auto" guesses from the target.
            dropout: after each hidden layer; by default 0.3, less for more than 5,000 rows.
            epochs: by default 60, fewer for more than 33,000 rows.
            batch_size: by default 32, more for more than 3,000 rows.
            optimizer: by name, or an `Optimizer` with all its settings; by default AdamW with weight
                decay 0.3, or 0.01 for more than 5,000 rows.
            learning_rate: the highest of a one-cycle schedule, 0.005 by default; only with an optimizer
                given by name.
            validation: the share of the rows to learn from that validates, 0 for none.
            test: the share of all rows for the test, 0 for none.
            class_weight: "balanced" lets every class weigh the same in all.
            drop: columns not to use.
            categories: columns to be read as categories although they hold numbers.
            scaling: of number columns, "standard" or "robust".
            callbacks: for the validated run.
            progress: whether to show a bar in a terminal.
            announce: called with the model before it learns, to show what was understood of the table.
            seed: decides everything random.
            engine: as for `Network`.

        Raises:
            FileError: if the file cannot be read.
            DataError: for a table that cannot be learned from, with what to do about it.
            ConfigError: for a setting out of range.

        >>> heights = [150, 155, 160, 180, 185, 190] * 10
        >>> table = {"height": heights, "size": ["S" if h < 170 else "L" for h in heights]}
        >>> model = gg.TableModel.train(table, target="size", epochs=20)
        >>> model.predict({"height": [152, 188]})["prediction"].to_list()
        ['S', 'L']
        """
        if not isinstance(target, str):
            raise ConfigError(f"target must be the name of a column, got {type(target).__name__}")
        drop, categories = _names("drop", drop), _names("categories", categories)
        callbacks = check_callbacks(callbacks)
        seed = check_integer("seed", seed, at_least=0, at_most=2**64 - 1)
        whole = read_table(table)
        frame = _rows_to_learn_from(whole, target, drop)
        # What cannot be learned from is found now, so that it is named by its row in the whole table.
        Encoder.fit(whole.drop(target, *drop), categories, scaling)
        goal = fit_target(frame.get_column(target), task)
        rest, aside = _set_aside(frame, goal, test, seed, "test")
        own, validating = _set_aside(rest, goal, validation, seed, "validation")
        suited = Settings.suited_to(rest.height)
        epochs = suited.epochs if epochs is None else check_integer("epochs", epochs, at_least=1)
        chosen = optimizer_for(optimizer, learning_rate, epochs, suited.weight_decay)
        # L-BFGS needs a loss that is the same function in every step.
        usual = suited.dropout if chosen.makes_steps else 0.0
        rate = usual if dropout is None else check_number("dropout", dropout, at_least=0, below=1)
        if class_weight is not None and isinstance(goal, NumberTarget):
            raise ConfigError(f"class weights need classes, and {target!r} is a number")

        def untrained(learn: pl.DataFrame) -> TableModel:
            encoder = Encoder.fit(learn.drop(target, *drop), categories, scaling).without(drop)
            own_goal = goal.refit(learn.get_column(target))
            layers = layers_for(hidden, activation, rate, own_goal)
            network = Network(layers, len(encoder.features), seed, engine=engine)
            return cls(network, encoder, own_goal, network.history)

        def run(model: TableModel, learn: pl.DataFrame, validate: pl.DataFrame | None) -> History:
            return model.network.fit(
                *model._pair(learn),
                optimizer=chosen,
                epochs=epochs,
                batch_size=suited.batch_size if batch_size is None else batch_size,
                validation=None if validate is None else model._pair(validate),
                class_weight=class_weight,
                callbacks=callbacks if learn is own else (),
                progress=progress,
            )

        model = untrained(own)
        for reason, names in model.encoder.reasons().items():
            if reason != DROPPED:
                notice(f"left out because {reason}: {listed(names)}")
        used = [column.column for column in model.encoder.columns]
        _say_what_is_worth_knowing(frame.select(used), bool(test or validation))
        announce(model)
        history = run(model, own, validating)
        if validating is not None and history.ended == "completed" and history.best_epoch is None:
            final = untrained(rest)
            if run(final, rest, None).ended == "completed":  # else it was interrupted: keep the first
                model = final
        model.history, model.balanced = history, class_weight is not None
        model.rows = {
            "train": own.height,
            "validation": 0 if validating is None else validating.height,
            "test": 0 if aside is None else aside.height,
        }
        if aside is not None:
            x, y = model._pair(aside)
            model.report = judge(model.target, model.network.predict(x), y)
        return model

    @property
    def advice(self) -> str:
        """One sentence on what to do next."""
        return advice(self.history, self.report, self.balanced)

    def predict(self, table: Any) -> pl.DataFrame:
        """Return one row of answers for each row of a table, in order.

        Returns:
            A frame with the column `prediction`, in the target's own values or units, and for classes
            one column `probability_<class>` each.

        Raises:
            DataError: if a column the model needs is missing or holds something else.
        """
        outputs = self.network.predict(self._rows(read_table(table)))
        if not isinstance(self.target, ClassTarget):
            return pl.DataFrame([self.target.decode(outputs[:, 0])])
        columns = [self.target.decode(outputs.argmax(axis=1))]
        for number in range(outputs.shape[1]):
            name = f"probability_{self.target.label(number)}"
            columns.append(pl.Series(name, outputs[:, number].astype(np.float64)))
        return pl.DataFrame(columns)

    def trace(self, table: Any, row: int = 0, training: bool = False, **settings: Any) -> insight.Trace:
        """Return every number of one row on its way through the network, and back where it has the target.

        Args:
            table: with the columns that the model needs, and with the target for gradients.
            row: which row, from 0.
            training: False (default) for what predicting does, True for the next training step.
            settings: as for `Network.trace`, such as `optimizer`.

        Raises:
            ConfigError: if there is no such row.
            DataError: if a column the model needs is missing or holds something else.
        """
        frame = read_table(table)
        if not frame.height:
            raise DataError("a trace needs a table with at least one row, got none")
        check_integer(f"row, one of {frame.height:,},", row, at_least=0, at_most=frame.height - 1)
        one, target = frame[row : row + 1], self.target.column
        y = None
        if target in one.columns and one.get_column(target)[0] is not None:
            y = self.target.encode(one.get_column(target))
        names = self.encoder.features
        return self.network.trace(self._rows(one), y, training=training, names=names, **settings)

    def attribute(self, table: Any, method: str = "integrated_gradients") -> pl.DataFrame:
        """Return how much each column moved each prediction, away from that of a row of means.

        For classes, what is moved is the probability of the class predicted; for numbers, the prediction
        in its own units.

        Args:
            table: with the columns that the model needs.
            method: as for `Network.attribute`.

        Returns:
            A frame with one row each: `prediction`, `explained` (the number that is explained),
            `baseline`, and for each column what it added; with integrated gradients these sum up to
            `explained - baseline`.
        """
        frame = read_table(table)
        rows = self._rows(frame)
        found = self.network.attribute(rows, method=method)
        scale, center = 1.0, 0.0
        if isinstance(self.target, ClassTarget):
            prediction = self.target.decode(found.outputs)
        else:
            scale, center = self.target.scale, self.target.center
            prediction = self.target.decode(found.predictions)
        result = [
            prediction,
            pl.Series("explained", found.predictions * scale + center),
            pl.Series("baseline", found.baselines * scale + center),
        ]
        first = 0
        for column in self.encoder.columns:
            last = first + len(column.features)
            moved = found.values[:, first:last].sum(axis=1) * scale
            name = column.column if column.column not in TAKEN else f"{column.column} (column)"
            result.append(pl.Series(name, moved))
            first = last
        return pl.DataFrame(result)

    def health(self, table: Any) -> insight.Health:
        """Return what is wrong with the network, its training or the table; see `Network.health`.

        Args:
            table: with the columns that the model needs and its target, best the one that it learned from.

        Raises:
            DataError: if a needed column is missing or holds something else.
        """
        X, y = self._pair(self._with_target(read_table(table), "a health check"))
        return self.network.health(X, y, names=self.encoder.features)

    def evaluate(self, table: Any) -> Report:
        """Return how good the answers are for a table that holds the target too, beside the trivial ones.

        Raises:
            DataError: if a needed column is missing, or a class was not among those learned.
        """
        frame = self._with_target(read_table(table), "an evaluation")
        y = self.target.encode(frame.get_column(self.target.column))
        return judge(self.target, self.network.predict(self._rows(frame)), y)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write encoder, network and target to one safetensors file, whole or not at all.

        Raises:
            FileError: if it cannot be written.
        """
        saved = self.network.to_saved()
        saved.table = {
            "encoder": self.encoder.configuration(),
            "target": self.target.configuration(),
            "validated": self.history.to_facts(),
            "test": None if self.report is None else self.report.to_dict(),
            "rows": self.rows,
            "balanced": self.balanced,
        }
        write_model(path, saved)

    @classmethod
    def load(cls, path: str | os.PathLike[str], engine: str = "auto") -> Self:
        """Read a model that `save` wrote.

        Raises:
            FileError: if the file is missing, damaged, or holds a bare network.
        """
        model = cls.from_saved(read_model(path), engine)
        if model is None:
            raise FileError(f"{path} holds a network without a table's encoder", "use gg.Network.load")
        return model

    @classmethod
    def from_saved(cls, saved: SavedModel, engine: str = "auto") -> Self | None:
        """Return the table model that a file holds, None if it holds a bare network.

        Raises:
            FileError: if what it says of the table does not fit its network.
        """
        if saved.table is None:
            return None
        network = Network.from_saved(saved, engine)
        try:
            return cls(network, *_read_table_part(saved.table, network))
        except GanglionError as error:
            raise FileError(f"the model file is damaged: {error.message}") from error

    def __repr__(self) -> str:
        return (
            f"<TableModel: {self.target.task} of {self.target.column!r} from {len(self.encoder.columns)} "
            f"columns, {self.network.architecture.size:,} parameters>"
        )

    def _rows(self, frame: pl.DataFrame) -> Array:
        rows, notes = self.encoder.encode(frame.drop(self.target.column, strict=False))
        for note in notes:
            notice(note)
        return rows

    def _with_target(self, frame: pl.DataFrame, what: str) -> pl.DataFrame:
        """Return the rows that hold the target; there must be some."""
        if self.target.column not in frame.columns:
            raise DataError(
                f"for {what}, the table must hold the target {self.target.column!r}",
                "to answer without judging, use predict",
            )
        answers = frame.get_column(self.target.column)
        if answers.null_count():
            notice(f"{answers.null_count()} rows lack the target {self.target.column!r} and are left out")
            frame = frame.filter(answers.is_not_null())
        if not frame.height:
            raise DataError(f"{what} needs at least one row with the target, got none")
        return frame

    def _pair(self, frame: pl.DataFrame) -> tuple[Array, Array]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GanglionNotice)  # missing values in training are no news
            x = self._rows(frame)
        return x, self.target.encode(frame.get_column(self.target.column))


def _names(what: str, names: Any) -> tuple[str, ...]:
    if not isinstance(names, tuple | list | set | frozenset) or not all(isinstance(n, str) for n in names):
        raise ConfigError(f"{what} must be a list of columns, got {shortened(names)}", "such as ['id']")
    return tuple(names)


def _say_what_is_worth_knowing(table: pl.DataFrame, at_random: bool) -> None:
    """Give notice of missing values, and of dates where rows are set aside at random."""
    missing = {c.name: c.null_count() for c in table.get_columns() if 0 < c.null_count() < len(c)}
    if missing:
        counts = ", ".join(f"{name} {count:,}" for name, count in list(missing.items())[:10])
        more = f" and {len(missing) - 10} more columns" if len(missing) > 10 else ""
        notice(f"missing values: {counts}{more}; filled with medians, or a category of their own")
    dates = [c.name for c in table.get_columns() if c.dtype in (pl.Date, pl.Datetime)]
    if dates and at_random:
        notice(
            f"rows are set aside at random, although the table has dates ({dates[0]}): if the model is to "
            f"tell the future, keep the latest rows back and judge it on them with evaluate"
        )


def _rows_to_learn_from(frame: pl.DataFrame, target: str, drop: Collection[str]) -> pl.DataFrame:
    """Return the rows that have the target, after checking that there are such columns."""
    for name in drop:
        require_column(frame, name)
    if target in drop:
        raise ConfigError(f"the target {target!r} must not be dropped")
    missing = require_column(frame, target).null_count()
    if missing:
        notice(f"{missing} rows lack the target {target!r} and are left out")
        frame = frame.filter(pl.col(target).is_not_null())
    if frame.height < 2:
        raise DataError(f"a table needs at least 2 rows to learn from, got {frame.height}")
    return frame


def _set_aside(
    frame: pl.DataFrame, target: Target, share: float, seed: int, what: str
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return the rows to learn from and those set aside, None if the share is 0."""
    check_number(what, share, at_least=0, below=1)
    if not share:
        return frame, None
    classes = target.encode(frame.get_column(target.column)) if isinstance(target, ClassTarget) else None
    learn, aside = split(frame.height, share, seed, classes, position=("test", "validation").index(what))
    return frame[learn], frame[aside]


def _read_table_part(
    table: dict[str, Any], network: Network
) -> tuple[Encoder, ClassTarget | NumberTarget, History, Report | None, dict[str, int], bool]:
    if set(table) != {"encoder", "target", "validated", "test", "rows", "balanced"}:
        raise ConfigError("its table part must have encoder, target, validated, test, rows and balanced")
    rows = table["rows"]
    if not isinstance(rows, dict) or set(rows) != {"train", "validation", "test"}:
        raise ConfigError("its rows must be those of training, validation and test")
    for name, count in rows.items():
        check_integer(f"the number of rows for {name}", count, at_least=0)
    if not isinstance(table["target"], dict):
        raise ConfigError("its target must be an object")
    encoder, target = Encoder.from_configuration(table["encoder"]), Target.find(table["target"])
    outputs = len(target.classes) if isinstance(target, ClassTarget) else 1
    if network.architecture.input_shape != (len(encoder.features),) or network.architecture.outputs != (
        outputs,
    ):
        raise ConfigError("its encoder, network and target do not fit together")
    if not isinstance(target, ClassTarget | NumberTarget):
        raise ConfigError("its target must be classes or a number")
    report = None if table["test"] is None else Report.from_dict(table["test"])
    return (
        encoder,
        target,
        History.from_facts(table["validated"]),
        report,
        rows,
        check_flag("balanced", table["balanced"]),
    )
