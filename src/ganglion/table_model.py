"""TableModel: an encoder, a network and a target, from a table to answers in its own words."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl

from ganglion.core.layers import Dense, Dropout, Layer
from ganglion.core.part import Array
from ganglion.errors import (
    ConfigError,
    DataError,
    FileError,
    GanglionError,
    GanglionNotice,
    check_integer,
    check_number,
)
from ganglion.files.model_file import read_model, write_model
from ganglion.network import Network
from ganglion.tables.encode import Encoder, require_column
from ganglion.tables.read import read_table
from ganglion.tables.report import Report, advice, judge
from ganglion.tables.target import ClassTarget, NumberTarget, Target, fit_target
from ganglion.training.callbacks import Callback
from ganglion.training.history import History
from ganglion.training.optimizers import Optimizer
from ganglion.training.rows import split

EPOCHS = 60
LEARNING_RATE = 0.005


@dataclass(frozen=True)
class Rates:
    """What `train` chooses for itself from the number of rows, where the caller does not."""

    epochs: int
    batch_size: int
    dropout: float

    @classmethod
    def suited_to(cls, rows: int) -> Self:
        """Return settings for a table: large ones need fewer passes and less dropout."""
        batch_size = int(np.clip(2 ** int(np.log2(max(rows, 1) / 50 + 1)), 32, 512))
        epochs = int(np.clip(2_000_000 // max(rows, 1), 10, EPOCHS))
        return cls(epochs, batch_size, 0.3 if rows < 5_000 else 0.1 if rows < 50_000 else 0.0)


class TableModel:
    """A network that answers for the rows of a table. Made by `train` or `load`.

    Attributes:
        network: the `Network`.
        encoder: which columns it uses, and how they become numbers.
        target: what it predicts.
        history: of the run that was validated: the curves to look at.
        report: on the rows set aside for the test, None if there were none.
        rows: how many there were for "train", "validation" and "test".
    """

    def __init__(
        self,
        network: Network,
        encoder: Encoder,
        target: ClassTarget | NumberTarget,
        history: History,
        report: Report | None = None,
        rows: dict[str, int] | None = None,
    ) -> None:
        self.network, self.encoder, self.target = network, encoder, target
        self.history, self.report = history, report
        self.rows = {"train": 0, "validation": 0, "test": 0} if rows is None else rows

    @classmethod
    def train(
        cls,
        table: Any,
        target: str,
        hidden: Sequence[int] = (128, 64),
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
        validates a first run; unless something stopped that run early, the network is then trained anew
        on all of them, with the same settings.

        Args:
            table: a path (CSV, TSV, Parquet, JSON lines, Arrow), a polars or pandas frame, or an array.
            target: the name of the column to predict. Rows that lack it are left out.
            hidden: units of each hidden layer.
            activation: of the hidden layers.
            task: "classification" or "regression"; "auto" guesses from the target.
            dropout: after each hidden layer; by default 0.3, less for more than 5,000 rows.
            epochs: by default 60, fewer for more than 33,000 rows.
            batch_size: by default 32, more for more than 3,000 rows.
            optimizer: by name, or an `Optimizer` with all its settings.
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
        """
        for name, number in (("epochs", epochs), ("batch_size", batch_size)):
            if number is not None:
                check_integer(name, number, at_least=1)
        frame = read_table(table)
        for name in drop:
            require_column(frame, name)
        if target in drop:
            raise ConfigError(f"the target {target!r} must not be dropped")
        answers = require_column(frame, target)
        known = answers.is_not_null()
        if not known.all():
            _notice(f"{int((~known).sum())} rows lack the target {target!r} and are left out")
            frame = frame.filter(known)
        if frame.height < 2:
            raise DataError(f"a table needs at least 2 rows to learn from, got {frame.height}")
        learned = fit_target(frame.get_column(target), task)
        rest, aside = _set_aside(frame, learned, test, seed, "test")
        own, validating = _set_aside(rest, learned, validation, seed + 1, "validation")
        settings = Rates.suited_to(rest.height)
        chosen = _optimizer(optimizer, learning_rate, epochs or settings.epochs)
        rate = settings.dropout if dropout is None else dropout
        check_number("dropout", rate, at_least=0, below=1)

        def run(
            learn: pl.DataFrame, validate: pl.DataFrame | None, watchers: Sequence[Callback]
        ) -> TableModel:
            goal = fit_target(learn.get_column(target), learned.task)
            if isinstance(goal, ClassTarget) and isinstance(learned, ClassTarget):
                goal = _with_all_classes(goal, learned)
            encoder = Encoder.fit(learn.drop(target, *drop), categories, scaling)
            outputs = len(goal.classes) if isinstance(goal, ClassTarget) else 1
            layers: list[Layer] = []
            for units in hidden:
                layers += [Dense(units, activation), *([Dropout(rate)] if rate else [])]
            layers.append(Dense(outputs, "softmax" if isinstance(goal, ClassTarget) else "identity"))
            network = Network(layers, len(encoder.features), seed, engine=engine)
            model = cls(network, encoder, goal, network.history)
            if validate is validating:
                announce(model)
            network.fit(
                *model._pair(learn),
                optimizer=chosen,
                epochs=epochs or settings.epochs,
                batch_size=batch_size or settings.batch_size,
                validation=None if validate is None else model._pair(validate),
                class_weight=class_weight,
                callbacks=watchers,
                progress=progress,
            )
            return model

        model = run(own, validating, callbacks)
        history = model.history
        if validating is not None and history.epochs == (epochs or settings.epochs):
            final = run(rest, None, ())
            if final.history.epochs == history.epochs:  # else it was interrupted: keep the first
                model = final
        model.history = history
        model.rows = {
            "train": own.height,
            "validation": 0 if validating is None else validating.height,
            "test": 0 if aside is None else aside.height,
        }
        if aside is not None:
            model.report = model.evaluate(aside)
        return model

    @property
    def advice(self) -> str:
        """One sentence on what to do next."""
        return advice(self.history, self.report)

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

    def evaluate(self, table: Any) -> Report:
        """Return how good the answers are for a table that holds the target too, beside the trivial ones.

        Raises:
            DataError: if a needed column is missing, or a class was not among those learned.
        """
        frame = read_table(table)
        answers = require_column(frame, self.target.column)
        if answers.null_count():
            _notice(f"{answers.null_count()} rows lack the target {self.target.column!r} and are left out")
            frame = frame.filter(answers.is_not_null())
        if not frame.height:
            raise DataError("an evaluation needs at least one row with the target, got none")
        x, y = self._pair(frame)
        return judge(self.target, self.network.predict(x), y)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write encoder, network and target to one safetensors file, whole or not at all.

        Raises:
            FileError: if it cannot be written.
        """
        model = self.network.to_model()
        model.table = {
            "encoder": self.encoder.configuration(),
            "target": self.target.configuration(),
            "validated": self.history.to_facts(),
            "test": None if self.report is None else self.report.to_dict(),
            "rows": self.rows,
        }
        write_model(path, model)

    @classmethod
    def load(cls, path: str | os.PathLike[str], engine: str = "auto") -> Self:
        """Read a model that `save` wrote.

        Raises:
            FileError: if the file is missing, damaged, or holds a bare network.
        """
        model = read_model(path)
        if model.table is None:
            raise FileError(f"{path} holds a network without a table's encoder", "use gg.Network.load")
        network = Network.from_model(model, engine)
        try:
            return cls(network, *_read_table_part(model.table, network))
        except GanglionError as error:
            raise FileError(f"{path} is damaged: {error.message}") from error

    def __repr__(self) -> str:
        return (
            f"<TableModel: {self.target.task} of {self.target.column!r} from {len(self.encoder.columns)} "
            f"columns, {self.network.architecture.size:,} parameters>"
        )

    def _rows(self, frame: pl.DataFrame) -> Array:
        rows, notes = self.encoder.encode(frame.drop(self.target.column, strict=False))
        for note in notes:
            _notice(note)
        return rows

    def _pair(self, frame: pl.DataFrame) -> tuple[Array, Array]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GanglionNotice)  # missing values in training are no news
            x = self._rows(frame)
        return x, self.target.encode(frame.get_column(self.target.column))


def _notice(text: str) -> None:
    warnings.warn(text, GanglionNotice, stacklevel=3)


def _set_aside(
    frame: pl.DataFrame, target: Target, share: float, seed: int, what: str
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return the rows to learn from and those set aside, None if the share is 0."""
    check_number(what, share, at_least=0, below=1)
    if not share:
        return frame, None
    classes = target.encode(frame.get_column(target.column)) if isinstance(target, ClassTarget) else None
    learn, aside = split(frame.height, share, seed % 2**64, classes)
    return frame[learn], frame[aside]


def _with_all_classes(goal: ClassTarget, learned: ClassTarget) -> ClassTarget:
    """Return the target with every class of the table, also those too rare to be in the rows learned from."""
    shares = dict(zip(goal.classes, goal.shares, strict=True))
    every = tuple(shares.get(value, 0.0) for value in learned.classes)
    return ClassTarget(learned.column, learned.classes, learned.dtype, every)


def _optimizer(optimizer: Optimizer | str, learning_rate: float | None, epochs: int) -> Optimizer:
    if isinstance(optimizer, str) and optimizer != "lbfgs":
        peak = LEARNING_RATE if learning_rate is None else learning_rate
        schedule = {"name": "one_cycle", "learning_rate": peak, "epochs": max(epochs, 1)}
        return Optimizer.find({"name": optimizer, "learning_rate": schedule})
    if learning_rate is not None:
        raise ConfigError("learning_rate goes with an optimizer given by name", "set it in the optimizer")
    return Optimizer.find(optimizer)


def _read_table_part(
    table: dict[str, Any], network: Network
) -> tuple[Encoder, ClassTarget | NumberTarget, History, Report | None, dict[str, int]]:
    if set(table) != {"encoder", "target", "validated", "test", "rows"}:
        raise ConfigError("its table part must have encoder, target, validated, test and rows")
    rows = table["rows"]
    if not isinstance(rows, dict) or set(rows) != {"train", "validation", "test"}:
        raise ConfigError("its rows must be those of training, validation and test")
    for name, count in rows.items():
        check_integer(f"the number of rows for {name}", count, at_least=0)
    if not isinstance(table["target"], dict):
        raise ConfigError("its target must be an object")
    encoder, target = Encoder.from_configuration(table["encoder"]), Target.find(table["target"])
    outputs = len(target.classes) if isinstance(target, ClassTarget) else 1
    if network.architecture.inputs != (len(encoder.features),) or network.architecture.outputs != (outputs,):
        raise ConfigError("its encoder, network and target do not fit together")
    if not isinstance(target, ClassTarget | NumberTarget):
        raise ConfigError("its target must be classes or a number")
    report = None if table["test"] is None else Report.from_dict(table["test"])
    return encoder, target, History.from_facts(table["validated"]), report, rows
