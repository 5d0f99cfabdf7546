"""TableModel: an encoder, a network and a target, from a table to predictions in its own values."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from ganglion import insight
from ganglion.answers.advice import advice
from ganglion.answers.calibration import Calibration
from ganglion.answers.held_out import HeldOut
from ganglion.answers.judging import evaluate
from ganglion.answers.predictions import half_width, prediction_columns
from ganglion.answers.report import Report
from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.checks import check_integer
from ganglion.core.layers import PiecewiseLinear
from ganglion.core.part import Array
from ganglion.errors import (
    DataError,
    FileError,
    GanglionError,
    GanglionNotice,
    amount,
    notice,
    warn,
)
from ganglion.files.exports import Exportable, Job
from ganglion.files.model_file import SavedModel, read_model, write_model
from ganglion.network import Network
from ganglion.table_model.learned import LearnedRows
from ganglion.table_model.sampling import Sampling
from ganglion.table_model.saved import read_table_part, to_saved
from ganglion.tables.columns import NumberColumn
from ganglion.tables.dicts import check_record
from ganglion.tables.encode import Encoder
from ganglion.tables.forking import require_threads
from ganglion.tables.labeled import row_weights, satisfies
from ganglion.tables.reading import Reading, ReadOptions, open_table
from ganglion.tables.records import plain_table, read_record, single_record
from ganglion.tables.texts import Text
from ganglion.training.callbacks import Callback
from ganglion.training.history import History
from ganglion.training.optimizers import Optimizer

if TYPE_CHECKING:
    from ganglion.table_model.prepared import PreparedTable

HIDDEN = (128, 64)
RESERVED = ("prediction", "explained", "baseline")


class TableModel(Exportable):
    """A network that predicts one column of a table. Create it with `train` or `load`.

    Attributes:
        network: the `Network`.
        encoder: the columns used and their encoding.
        target: the column to predict.
        history: the history of the validated run, with its learning curves.
        report: on the held-out test rows, None if there were none.
        rows: the number of rows for "train", "validation" and "test".
        balanced: whether classes had equal total weight.
        sampling: which rows counted, how much, and how they were divided.
        calibration: how the network's outputs become probabilities, decisions and intervals.
        reading: how the columns of a table are read.
        learned: a sample of the rows learned from, by which `evaluate` recognizes them.
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
        sampling: Sampling | None = None,
        calibration: Calibration | None = None,
        reading: Reading | None = None,
        learned: LearnedRows | None = None,
    ) -> None:
        self.network, self.encoder, self.target = network, encoder, target
        self.history, self.report = history, report
        self.balanced = balanced
        self.sampling = Sampling() if sampling is None else sampling
        self.calibration = Calibration() if calibration is None else calibration
        self.reading = Reading() if reading is None else reading
        self.learned = LearnedRows() if learned is None else learned
        self.rows = {"train": 0, "validation": 0, "test": 0} if rows is None else rows

    @classmethod
    def train(
        cls,
        table: Any,
        target: str | Sequence[str],
        hidden: int | Sequence[int] | None = None,
        activation: str | None = None,
        *,
        bins: int | None = None,
        quality: str | None = None,
        minutes: float | None = None,
        task: str = "auto",
        dropout: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: Optimizer | str | None = None,
        learning_rate: float | None = None,
        validation: float | None = None,
        test: float | None = None,
        folds: int | None = None,
        repeats: int = 1,
        group: str | None = None,
        order: str | None = None,
        weight: str | None = None,
        where: str | None = None,
        class_weight: str | None = None,
        optimize: str | None = None,
        costs: Mapping[str, float] | None = None,
        positive: object = None,
        read: ReadOptions | None = None,
        drop: Collection[str] = (),
        categories: Collection[str] = (),
        keep: Collection[str] = (),
        text: Collection[str] | Text = (),
        scaling: str = "standard",
        fold_case: bool = False,
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
        announce: Callable[[TableModel], object] | None = None,
        seed: int = 0,
        engine: str = "auto",
    ) -> Any:
        """Train a model to predict one column of a table from the others.

        With fewer than 1,000 rows the model is cross-validated: each of 5 folds is tested by a network that
        learned from the others, the report is on all these answers, and the network that is kept learns from
        all rows.

        With more rows, or with `test`, `validation`, `folds=0` or callbacks that may stop the run, a
        fraction of the rows is held out for the test and never learned from. A fraction of the others
        validates a first run. Then the network is retrained on all rows outside the test with the same
        settings, unless the first run was stopped or restored the weights of its best epoch.

        Copies of a row, equal in all inputs, are never separated.

        Args:
            table: the path of a file (CSV and other text, Parquet, JSON, Arrow, Excel, OpenDocument), also
                compressed, a folder or a list of such files, a polars or pandas frame, an array or a dict.
            target: the name of the column to predict. Rows without a target are ignored. With a list of
                names, one network predicts all of these columns, and the result is a `JointTableModel`; a
                row that lacks some of them still teaches the others. All other settings apply to each target.
            hidden: number of units of each hidden layer, 128 and 64 by default.
            activation: of the hidden layers, "relu" by default.
            bins: at most so many bins, of about equally many rows, of each number; the network sees how full
                each is (`gg.PiecewiseLinear`) besides the number itself. By default none for one network,
                which would overfit small tables, and 16 for mixtures.
            quality: "good" for a mixture of several kinds of networks, each trained on some folds; "fast" for
                one network, by default the best of three kinds on held-out rows; "best" for more kinds and
                folds, which takes longer. By default "good", or "fast" with settings that only one network
                has: `hidden`, `activation`, `dropout`, `epochs`, `batch_size`, `optimizer` or
                `learning_rate`, several targets, an order, or callbacks that may stop the run.
            minutes: the time that all of it may take, reading and report included; a quality level then makes
                do with fewer folds, and if need be with fewer epochs.
            task: "classification" or "regression"; "auto" infers it from the target.
            dropout: rate after each hidden layer; by default 0.3, less from 5,000 rows on.
            epochs: by default 60, fewer for more than 33,000 rows.
            batch_size: by default 32, more for more than 3,000 rows.
            optimizer: a name, or an `Optimizer` with all its settings; by default AdamW with weight decay
                0.3, or 0.01 from 5,000 rows on.
            learning_rate: the peak of a one-cycle schedule, 0.005 by default; only with an optimizer given
                by name.
            validation: the fraction of the rows outside the test to validate on, 0.2 by default, 0 for none.
            test: the fraction of all rows to hold out for the test, 0.2 by default, 0 for none.
            folds: the number of folds to cross-validate with, 0 for a hold-out; by default 5 for fewer than
                1,000 rows.
            repeats: how often to cross-validate, each time with other folds; 1 by default.
            group: a column; rows with equal values, such as those of one person, are never separated. It is
                not an input.
            order: a column of dates or numbers; the latest rows test the model, and each fold learns only
                from earlier rows.
            weight: a column with the weight >= 0 of each row in training and in the report. It is not an
                input.
            where: a condition in SQL that rows must satisfy, such as "age > 18 AND country = 'DE'"; the
                others are left out, also by `evaluate`.
            class_weight: "balanced" gives all classes equal total weight. Rare classes are then predicted
                more often; the probabilities are corrected to the true frequencies.
            optimize: for two classes, the metric for which to choose the probability from which the positive
                class is predicted: "accuracy", "balanced_accuracy", "f1" or "mcc". The threshold is chosen
                on held-out rows. Of several targets, each with two classes has its own threshold.
            costs: choose it for the lowest cost instead: {"fn": 10, "fp": 1} if a missed positive costs ten
                times as much as a false alarm.
            positive: the positive class; by default the rarer one.
            read: how the table is to be read, where it must not be found from the table itself.
            drop: columns to ignore.
            categories: columns to treat as categories although they hold numbers or texts.
            keep: columns to use although they look like row numbers, identifiers or names.
            text: columns to take for texts; those of mostly different values with several words are found.
                `gg.Text` also says which are none, which word vectors to use, and whether to keep words.
            scaling: of number columns, "standard", "robust" (median and quartiles, for columns with outliers)
                or "quantile" (normal scores: only the order of the numbers counts).
            fold_case: True makes words that differ only in case or outer blanks one category or class.
            callbacks: for the validated run.
            progress: whether to show a progress bar in a terminal.
            announce: called with the untrained model, to show how the table was interpreted.
            seed: determines everything random.
            engine: as for `Network`.

        Raises:
            FileError: if the file cannot be read.
            DataError: if the table cannot be learned from; the message gives the remedy.
            ConfigError: for a setting out of range.

        >>> heights = [150, 155, 160, 180, 185, 190] * 10
        >>> table = {"height": heights, "size": ["S" if h < 170 else "L" for h in heights]}
        >>> model = gg.TableModel.train(table, target="size", epochs=20)
        >>> model.predict({"height": [152, 188]})["prediction"].to_list()
        ['S', 'L']
        """
        settings = {name: value for name, value in locals().items() if name not in ("cls", "table")}
        # Whoever only predicts starts faster without these.
        from ganglion.table_model.joint import JointTableModel  # noqa: PLC0415
        from ganglion.table_model.recipe import make_recipe  # noqa: PLC0415
        from ganglion.table_model.training import Kinds, train  # noqa: PLC0415

        require_threads("training")
        return train(Kinds(cls, JointTableModel), table, make_recipe(settings))

    @classmethod
    def prepare(
        cls, table: Any, target: str, *, like: TableModel | None = None, **settings: Any
    ) -> PreparedTable:
        """Return a table as `train` learns from it, for a network of your own.

        Args:
            table: as for `train`.
            target: the name of the column to predict.
            like: a model whose columns and encoding are used, so that its network can go on learning; None
                (default) to find them.
            settings: all other arguments of `train`. `hidden` is 128 and 64 if not given.

        Raises:
            FileError, DataError, ConfigError: as `train` does.

        >>> heights = [150, 155, 160, 180, 185, 190] * 10
        >>> table = {"height": heights, "size": ["S" if h < 170 else "L" for h in heights]}
        >>> prepared = gg.TableModel.prepare(table, "size")
        >>> net = prepared.network([gg.Dense(4, "tanh")])
        >>> history = net.fit(prepared.X, prepared.y, epochs=20, optimizer=gg.Adam(0.05))
        >>> prepared.model(net).predict({"height": [152, 188]})["prediction"].to_list()
        ['S', 'L']
        """
        from ganglion.table_model.prepared import prepare_table  # noqa: PLC0415  # to start fast

        require_threads("training")
        chosen = {"hidden": HIDDEN, **settings}
        bound = inspect.signature(cls.train).bind(table, target, **chosen)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        found: PreparedTable = prepare_table(cls, arguments.pop("table"), arguments, like)
        return found

    @property
    def labels(self) -> list[str] | None:
        """The classes as text, in the order of the network's outputs; None for numbers."""
        target = self.target
        return (
            [target.label(i) for i in range(len(target.classes))] if isinstance(target, ClassTarget) else None
        )

    @property
    def bins(self) -> dict[str, list[float]]:
        """The edges of the bins of each column of numbers, in its own units; only of columns that have some.

        The network sees how full each bin is besides the number itself; see `gg.PiecewiseLinear`.
        """
        layer = self.network.layers[0]
        if not isinstance(layer, PiecewiseLinear):
            return {}
        edges = dict(zip(self.encoder.features, layer.edges, strict=True))
        return {
            column.column: column.unscaled(np.array(edges[column.column])).tolist()
            for column in self.encoder.columns
            if isinstance(column, NumberColumn) and edges[column.column]
        }

    @property
    def advice(self) -> str:
        """One sentence on what to do next."""
        return advice(self.history, self.report)

    def predict(
        self, table: Any, interval: float | None = None, *, read: ReadOptions | None = None
    ) -> pl.DataFrame:
        """Return a prediction for each row of a table, in order.

        Args:
            table: with the columns that the model needs: anything that `train` takes, or a list of dicts,
                one for each row.
            interval: for numbers, the fraction of rows whose prediction interval is to contain the truth,
                such as 0.9; None (default) for no intervals.
            read: what is read differently in this table than in the model's own, such as
                `gg.ReadOptions(decimal=",")`.

        Returns:
            A frame with the column `prediction`, in the target's own values or units, and for classification
            a column `probability_<class>` for each class; with `interval`, the columns `low` and `high`.

        Raises:
            DataError: if a column that the model needs is missing or holds values of another kind, or if
                there were too few held-out rows for such an interval.
            ConfigError: for an interval that is not between 0 and 1, or of classes.
        """
        half = half_width(self.target, self.calibration, interval)
        record = single_record(table) if read is None else None
        outputs = self._outputs(self.read(table, read)) if record is None else self._record_outputs(record)
        return pl.DataFrame(prediction_columns(self.target, self.calibration, outputs, half))

    def answer(self, record: Mapping[str, Any], interval: float | None = None) -> dict[str, Any]:
        """Return the prediction for one row, in microseconds: the same bits as `predict`, as plain Python.

        It needs no thread and none of polars, so that it also works in a forked process.

        Args:
            record: the values by column, as they would stand in a table; None for a missing value.
            interval: as for `predict`.

        Returns:
            A dict with `prediction`, in the target's own values or units, and for classification
            `probabilities`, by the name of the class; with `interval`, also `low` and `high`.

        Raises:
            DataError: if a column that the model needs is missing or holds a value of another kind.
            ConfigError: for an interval that is not between 0 and 1, or of classes.

        >>> heights = [150, 155, 160, 180, 185, 190] * 10
        >>> sizes = {"height": heights, "size": ["S" if h < 170 else "L" for h in heights]}
        >>> model = gg.TableModel.train(sizes, target="size", epochs=20)
        >>> model.answer({"height": 152})["prediction"]
        'S'
        """
        if not isinstance(record, Mapping):
            check_record(record)
        half = half_width(self.target, self.calibration, interval)
        outputs = self._record_outputs(record)
        if not isinstance(self.target, ClassTarget):
            prediction = float(outputs[0, 0]) * self.target.scale + self.target.center
            if half is None:
                return {"prediction": prediction}
            return {"prediction": prediction, "low": prediction - half, "high": prediction + half}
        outputs = self.calibration.probabilities(outputs)
        best = self.target.classes[int(self.calibration.decide(outputs)[0])]
        probabilities = dict(zip(self.target.labels, outputs[0].tolist(), strict=True))
        return {"prediction": best, "probabilities": probabilities}

    def remarks(self, table: Any) -> list[list[GanglionNotice]]:
        """Return for each row what `predict` would notify the user of: missing values, unknown categories.

        Args:
            table: as for `predict`.

        Raises:
            DataError: if a column that the model needs is missing or holds values of another kind.
        """
        frame = self.read(table)
        known = [column.column for column in self.encoder.columns if column.column in frame.columns]
        records = frame.select(known).iter_rows(named=True)
        return [self.encoder.encode_record(record)[1] for record in records]

    def _outputs(self, frame: pl.DataFrame) -> Array:
        return self.network.predict(self.encode_inputs(frame))

    def _record_outputs(self, record: Mapping[str, Any]) -> Array:
        read = read_record(record, self.reading)
        rows, notes = self.encoder.encode_record(read, (self.target.column,))
        for note in notes:
            warn(note)
        return self.network.predict(rows)

    def read(self, table: Any, read: ReadOptions | None = None) -> pl.DataFrame:
        """Return a table as a polars frame, each column read as the model's own table was.

        Every method that takes a table also takes this frame. `predict` and `evaluate` have the argument
        `read` for the same purpose.

        Args:
            table: anything that `train` takes.
            read: what is read differently in this table, such as `gg.ReadOptions(decimal=",")`.

        Raises:
            FileError: if a file cannot be read.
            DataError: for a value that is not of the column's kind; the message names its row.
        """
        return self.read_alike(table, read, [self.target.column])

    def read_alike(self, table: Any, read: ReadOptions | None, targets: Collection[str]) -> pl.DataFrame:
        """Return a table as `read` does, with words such as "NA" in these columns as values."""
        if read is None and (plain := plain_table(table, self.reading, targets)) is not None:
            return plain
        return open_table(table, read, self.reading, targets).frame

    def trace(self, table: Any, row: int = 0, training: bool = False, **settings: Any) -> insight.Trace:
        """Return every number computed for one row: forward, and backward if the row has the target.

        Args:
            table: with the columns that the model needs, and with the target for gradients.
            row: index of the row, from 0 (default).
            training: False (default) to trace a prediction, True for the next training step.
            settings: as for `Network.trace`, such as `optimizer`.

        Raises:
            ConfigError: if there is no such row.
            DataError: if a column that the model needs is missing or holds values of another kind.
        """
        require_threads("a trace")
        single, target = self._one_row(self.read(table), row, "a trace"), self.target.column
        y = None
        if target in single.columns and single.get_column(target)[0] is not None:
            y = self.target.encode(single.get_column(target))
        names = self.encoder.features
        return self.network.trace(self.encode_inputs(single), y, training=training, names=names, **settings)

    @staticmethod
    def _one_row(frame: pl.DataFrame, row: int, what: str) -> pl.DataFrame:
        if not frame.height:
            raise DataError(f"{what} needs a table with at least one row, got none")
        check_integer(f"row (the table has {frame.height:,} rows)", row, at_least=0, at_most=frame.height - 1)
        return frame[row : row + 1]

    def attribute(self, table: Any, method: str = "integrated_gradients") -> pl.DataFrame:
        """Return the contribution of each column to each prediction, relative to a row of means.

        For classes, the explained number is the largest output of the network, the probability of that class
        before calibration; for numbers, the prediction in its own units.

        Args:
            table: with the columns that the model needs.
            method: as for `Network.attribute`.

        Returns:
            A frame with a row for each prediction: `prediction`, `explained` (the explained number),
            `baseline` (the same number for a row of means), and the contribution of each column. With
            integrated gradients the contributions sum to `explained - baseline`.
        """
        frame = self.read(table)
        found = self.network.attribute(self.encode_inputs(frame), method=method)
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
            contribution = found.values[:, first:last].sum(axis=1) * scale
            name = column.column if column.column not in RESERVED else f"{column.column} (column)"
            result.append(pl.Series(name, contribution))
            first = last
        return pl.DataFrame(result)

    def words(self, table: Any, row: int = 0) -> list[insight.Words]:
        """Return what each word of one row's texts adds to its answer, the most first.

        A word adds the answer less the answer to the same text without any place of the word: the probability
        of the predicted class, or the number. Of a long text, the first 500 different words are tried.

        Args:
            table: with the columns that the model needs.
            row: index of the row, from 0 (default).

        Returns:
            One `Words` for each column of texts that is not missing in this row.

        Raises:
            ConfigError: if there is no such row.
            DataError: if a column that the model needs is missing or holds values of another kind.

        >>> texts = [f"what {['a lovely', 'an awful'][row % 2]} day {row}" for row in range(80)]
        >>> table = {"text": texts, "mood": ["good", "bad"] * 40}
        >>> model = gg.TableModel.train(table, "mood", quality="fast")
        >>> next(iter(model.words({"text": ["an awful day"]})[0].changes))
        'awful'
        """
        from ganglion.table_model.inspection import words  # noqa: PLC0415  # to start fast

        return words(self, self._one_row(self.read(table), row, "an explanation"))

    def telling(
        self, column: str | None = None, table: Any = None, count: int = 10
    ) -> dict[str, dict[str, float]]:
        """Return the words and pieces of words that tell most of each class, or of high and low numbers.

        Each adds its learned number times the weight of its rarity; of several classes, less the mean over
        all. A piece that is part of another one listed is left out. "_" is the beginning or the end of a
        word, and n-grams that fell into one bucket are joined by " | ".

        Args:
            column: of texts; by default the only one.
            table: whose texts are looked through for the n-grams, if the model does not keep them: by default
                it holds no text. See `gg.Text`.
            count: the most for each answer, 10 by default.

        Returns:
            For each answer the n-grams with what they add, the most first.

        Raises:
            ConfigError: if there is no such column, or n-grams were not kept and there is no table.

        >>> texts = [f"what {['a lovely', 'an awful'][row % 2]} day {row}" for row in range(80)]
        >>> table = {"text": texts, "mood": ["good", "bad"] * 40}
        >>> model = gg.TableModel.train(table, "mood", quality="fast", text=gg.Text(keep_words=True))
        >>> {answer: "awful" in " ".join(grams) for answer, grams in model.telling().items()}
        {'bad': True, 'good': False}
        """
        from ganglion.table_model.inspection import telling  # noqa: PLC0415  # to start fast

        check_integer("count", count, at_least=1)
        return telling(self, column, None if table is None else self.read(table), count)

    def health(self, table: Any) -> insight.Health:
        """Return the problems of the network, its training or the table; see `Network.health`.

        Args:
            table: with the target and the columns that the model needs, preferably the training table.

        Raises:
            DataError: if a column that the model needs is missing or holds values of another kind.
        """
        X, y = self.encode(self._with_target(self.read(table), "a health check"))
        return self.network.health(X, y, names=self.encoder.features, classes=self.labels)

    def importance(self, table: Any, repeats: int = 5, seed: int = 0) -> insight.Importance:
        """Return how much worse the predictions become when one column is shuffled among the rows.

        The score is R2 for numbers, accuracy for classes, balanced accuracy if one class has more than 80 %
        of the rows. Of large tables, 5,000 random rows are used.

        Args:
            table: with the target and the columns that the model needs, preferably not the training table.
            repeats: how often each column is shuffled, 5 by default.
            seed: of the shuffles.

        Returns:
            The columns, the most important first, each with the mean and the spread over the repetitions.

        Raises:
            ConfigError: for repetitions out of range.
            DataError: if a column that the model needs is missing, or too few rows have the target.

        >>> table = {"a": [0, 1] * 50, "b": [0, 0, 1] * 33 + [0], "t": ["no", "yes"] * 50}
        >>> model = gg.TableModel.train(table, "t", epochs=30)
        >>> model.importance(table).columns[0]
        'a'
        """
        from ganglion.table_model.inspection import importance  # noqa: PLC0415  # to start fast

        return importance(self, self._with_target(self.read(table), "an importance"), repeats, seed)

    def dependence(self, table: Any, column: str, points: int = 20, seed: int = 0) -> insight.Dependence:
        """Return the mean prediction for each of several values of one column.

        Each value in turn is put into that column of all rows (1,000 random rows of a large table) while the
        other columns stay as they are. Combinations may arise that do not exist, such as a pregnant man.

        Args:
            table: with the columns that the model needs; the target is not needed.
            column: the column to vary.
            points: at most so many values: quantiles of numbers and dates, from 0.05 to 0.95, and the most
                frequent categories; 20 by default.
            seed: of the choice of rows.

        Raises:
            ConfigError: for a column that the model does not use, or points out of range.
            DataError: if a column that the model needs is missing.
        """
        from ganglion.table_model.inspection import dependence  # noqa: PLC0415  # to start fast

        return dependence(self, self.read(table), column, points, seed)

    def surface(
        self,
        table: Any,
        columns: Sequence[str],
        row: int | None = None,
        resolution: int = 48,
    ) -> insight.Surface:
        """Return the answers over two columns, in their own units, with all other columns fixed.

        Args:
            table: with the columns that the model needs; the target is not needed.
            columns: the two columns, that across and that up: numbers in even steps; of others, the values.
            row: the number of the row whose other values are used; None (default) for means of numbers, and
                the most frequent values of others.
            resolution: at most so many values along each side, 48 by default.

        Returns:
            Probabilities of the classes, or numbers in the target's unit.

        Raises:
            ConfigError: for columns that the model does not use, or a setting out of range.
            DataError: if a column that the model needs is missing.
        """
        from ganglion.table_model.inspection import surface  # noqa: PLC0415  # to start fast

        return surface(self, self.read(table), columns, row, resolution)

    def explore(self, table: Any) -> Any:
        """Return a widget for a notebook that shows the network on a table; see `Network.explore`.

        Args:
            table: with the target and the columns that the model needs; its first 1,000 rows are shown.

        Raises:
            DataError: if a column that the model needs is missing.
            MissingPackageError: without the extra `notebook`.
        """
        X, y = self.encode(self._with_target(self.read(table), "an exploration"))
        classes = self.labels or [self.target.column]
        return self.network.explore(X, y, names=self.encoder.features, classes=classes)

    def evaluate(self, table: Any, *, read: ReadOptions | None = None) -> Report:
        """Return the metrics of the predictions for a table with the target, compared with the baseline.

        Args:
            table: with the target and the columns that the model needs.
            read: as for `predict`.

        Raises:
            DataError: if a column that the model needs is missing, or the target holds an unknown class.
        """
        frame = self._with_target(self.read(table, read), "an evaluation")
        y, weight = self.target.encode(frame.get_column(self.target.column)), None
        if self.sampling.weight in frame.columns:
            weight = row_weights(frame, str(self.sampling.weight), np.ones(frame.height, dtype=bool))
        x = self.encode_inputs(frame)
        self.learned.warn_of(x, y)
        outputs = self.network.predict(x)
        rows = HeldOut(outputs, y, np.zeros(len(y), dtype=np.int64), weight)
        return evaluate(self.target, rows, self.calibration, self.rows["train"] + self.rows["validation"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write encoder, network and target atomically to one safetensors file.

        Raises:
            FileError: if it cannot be written.
        """
        write_model(path, to_saved(self))

    def job(self) -> Job:
        from ganglion.table_model.exporting import job_of  # noqa: PLC0415  # to start fast

        return job_of(self.network, [self])

    @classmethod
    def load(cls, path: str | os.PathLike[str], engine: str = "auto") -> Self:
        """Read a model that `save` wrote.

        Raises:
            FileError: if the file is missing, damaged, or holds a bare network.
        """
        saved = read_model(path)
        model = cls.from_saved(saved, engine)
        if model is None:
            raise saved.is_no("a table model", path)
        return model

    @classmethod
    def from_saved(cls, saved: SavedModel, engine: str = "auto") -> Self | None:
        """Return the table model of a model file, None if the file holds a bare network.

        Raises:
            FileError: if its description of the table does not fit its network.
        """
        if saved.table is None:
            return None
        if "heads" in saved.table:
            raise FileError("the model has several targets", "load it with gg.JointTableModel.load")
        network = Network.from_saved(saved, engine)
        try:
            return cls(network, **read_table_part(saved.table, network, saved.columns))
        except GanglionError as error:
            raise FileError(f"the model file is damaged: {error.message}") from error

    def __repr__(self) -> str:
        return (
            f"<TableModel: {self.target.task} of {self.target.column!r} from {len(self.encoder.columns)} "
            f"columns, {self.network.architecture.size:,} parameters>"
        )

    def encode_inputs(self, frame: pl.DataFrame) -> Array:
        """Return the inputs of the network for the rows of a table, with notices."""
        rows, notes = self.encoder.encode(frame, besides=(self.target.column,))
        for note in notes:
            warn(note)
        return rows

    def _with_target(self, frame: pl.DataFrame, what: str) -> pl.DataFrame:
        """Return the rows that have the target; raise `DataError` if there are none."""
        require_threads(what)
        if self.target.column not in frame.columns:
            raise DataError(
                f"for {what}, the table must hold the target {self.target.column!r}",
                "for predictions without the target, use predict",
            )
        if self.sampling.where is not None:
            frame = frame.filter(pl.Series(satisfies(frame, self.sampling.where)))
        targets = frame.get_column(self.target.column)
        if targets.null_count():
            text = amount(targets.null_count(), "row lacks", "rows lack")
            text += f" the target {self.target.column!r}, ignored"
            notice(text, "missing-target")
            frame = frame.filter(targets.is_not_null())
        if not frame.height:
            raise DataError(f"{what} needs at least one row with the target, got none")
        return frame

    def encode(self, frame: pl.DataFrame) -> tuple[Array, Array]:
        """Return inputs and targets of labeled rows, without notices of missing values."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GanglionNotice)
            x = self.encode_inputs(frame)
        return x, self.target.encode(frame.get_column(self.target.column))
