"""JointTableModel: one network that predicts several columns of a table, with a head for each.

The hidden layers are shared. Cut down to one head, the network is that of an ordinary `TableModel`, which
predicts, explains and judges this target: nothing here does it a second time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self

import polars as pl

from ganglion.answers.report import Report
from ganglion.answers.target import ClassTarget, NumberTarget, Target
from ganglion.errors import ConfigError, FileError, GanglionError, GanglionNotice, one_of
from ganglion.files.model_file import SavedModel, read_model, write_model
from ganglion.network import Network
from ganglion.table_model.heads import AnyTarget, networks_of_heads
from ganglion.table_model.model import TableModel
from ganglion.table_model.saved import read_table_part, to_saved
from ganglion.tables.reading import ReadOptions

OF_HEAD = ("target", "test", "calibration")
SINCE = "learned"  # of a head too, but files of older versions lack it


class JointTableModel:
    """One network that predicts several columns of a table. Create it with `TableModel.train` or `load`.

    Attributes:
        network: the `Network`, whose outputs are those of all heads, side by side.
        heads: a `TableModel` for each target, by the target's name, in order. They share the hidden layers'
            values; each has its own target, calibration and report.

    >>> n = range(60)
    >>> table = {"x": n, "big": [i > 30 for i in n], "double": [2.0 * i for i in n]}
    >>> model = gg.TableModel.train(table, target=["big", "double"], epochs=30)
    >>> model.predict({"x": [3, 57]}).columns
    ['prediction_big', 'probability_big_false', 'probability_big_true', 'prediction_double']
    >>> model.predict({"x": [3, 57]})["prediction_big"].to_list()
    [False, True]
    """

    def __init__(self, network: Network, heads: Mapping[str, TableModel]) -> None:
        self.network, self.heads = network, dict(heads)

    @property
    def targets(self) -> tuple[AnyTarget, ...]:
        """The columns to predict, in order."""
        return tuple(head.target for head in self.heads.values())

    @property
    def reports(self) -> dict[str, Report | None]:
        """The report of each target on the held-out test rows, None without any."""
        return {name: head.report for name, head in self.heads.items()}

    @property
    def advice(self) -> dict[str, str]:
        """One sentence for each target on what to do next."""
        return {name: head.advice for name, head in self.heads.items()}

    def head(self, target: str) -> TableModel:
        """Return the model of one target, to explain or check it.

        Raises:
            ConfigError: if there is no such target.
        """
        if target not in self.heads:
            raise ConfigError(f"there is no target {target!r}", one_of(str(target), self.heads))
        return self.heads[target]

    def predict(
        self, table: Any, interval: float | None = None, *, read: ReadOptions | None = None
    ) -> pl.DataFrame:
        """Return the predictions of all targets for each row of a table, in order.

        Args:
            table: with the columns that the model needs.
            interval: as for `TableModel.predict`, for the targets that are numbers.
            read: as for `TableModel.predict`.

        Returns:
            A frame with a column `prediction_<target>` for each target; for classes also
            `probability_<target>_<class>`, and with `interval`, `low_<target>` and `high_<target>` for
            numbers.

        Raises:
            DataError: as `TableModel.predict` does.
            ConfigError: if an interval is given and no target is a number.
        """
        if interval is not None and all(isinstance(target, ClassTarget) for target in self.targets):
            raise ConfigError("intervals are for numbers, and all targets have classes")
        frame = self.read(table, read)
        columns = []
        for name, head in self.heads.items():
            of_numbers = None if isinstance(head.target, ClassTarget) else interval
            for column in head.predict(frame, of_numbers).get_columns():
                kind, _, rest = column.name.partition("_")
                columns.append(column.alias("_".join(filter(None, (kind, name, rest)))))
        return pl.DataFrame(columns)

    def answer(self, record: Mapping[str, Any], interval: float | None = None) -> dict[str, dict[str, Any]]:
        """Return the answer of each target for one record; see `TableModel.answer`."""
        return {
            name: head.answer(record, None if isinstance(head.target, ClassTarget) else interval)
            for name, head in self.heads.items()
        }

    def evaluate(self, table: Any, *, read: ReadOptions | None = None) -> dict[str, Report]:
        """Return the report of each target for a table with all of them; see `TableModel.evaluate`."""
        frame = self.read(table, read)
        return {name: head.evaluate(frame) for name, head in self.heads.items()}

    def remarks(self, table: Any) -> list[list[GanglionNotice]]:
        """Return what is to be said of each row's values; see `TableModel.remarks`."""
        return next(iter(self.heads.values())).remarks(table)

    def read(self, table: Any, read: ReadOptions | None = None) -> pl.DataFrame:
        """Return a table as a polars frame, read as the model's own table was; see `TableModel.read`."""
        return next(iter(self.heads.values())).read_alike(table, read, tuple(self.heads))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write encoder, network and targets atomically to one safetensors file.

        Raises:
            FileError: if it cannot be written.
        """
        saved = self.network.to_saved()
        parts = [to_saved(head).table or {} for head in self.heads.values()]
        saved.table = {key: value for key, value in parts[0].items() if key not in (*OF_HEAD, SINCE)}
        saved.table["heads"] = [{key: part[key] for key in (*OF_HEAD, SINCE)} for part in parts]
        write_model(path, saved)

    @classmethod
    def load(cls, path: str | os.PathLike[str], engine: str = "auto") -> Self:
        """Read a model that `save` wrote.

        Raises:
            FileError: if the file is missing, damaged, or holds another kind of model.
        """
        saved = read_model(path)
        model = cls.from_saved(saved, engine)
        if model is None:
            raise saved.is_no("a table model of several targets", path)
        return model

    @classmethod
    def from_saved(cls, saved: SavedModel, engine: str = "auto") -> Self | None:
        """Return the model of a file, None if the file holds another kind of model.

        Raises:
            FileError: if its description of the table does not fit its network.
        """
        if saved.table is None or "heads" not in saved.table:
            return None
        network = Network.from_saved(saved, engine)
        try:
            return cls(network, _read_heads(saved.table, network, engine))
        except GanglionError as error:
            raise FileError(f"the model file is damaged: {error.message}") from error

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self.heads))
        return f"<JointTableModel: {names}, {self.network.architecture.size:,} parameters>"


def _read_heads(table: dict[str, Any], network: Network, engine: str) -> dict[str, TableModel]:
    shared, heads = {key: value for key, value in table.items() if key != "heads"}, table["heads"]
    if not isinstance(heads, list) or len(heads) < 2:
        raise ConfigError("its heads must be a list of at least two")
    if not all(isinstance(head, dict) and set(head) - {SINCE} == set(OF_HEAD) for head in heads):
        raise ConfigError("its heads must each have target, test and calibration")
    targets: list[AnyTarget] = []
    for head in heads:
        if not isinstance(head["target"], dict):
            raise ConfigError("its target must be an object")
        target = Target.find(head["target"])
        if not isinstance(target, ClassTarget | NumberTarget):
            raise ConfigError("its target must be classes or a number")
        targets.append(target)
    if len({target.column for target in targets}) < len(targets):
        raise ConfigError("its targets must have different names")
    networks = networks_of_heads(network, targets, engine)
    return {
        target.column: TableModel(own, **read_table_part(shared | head, own))
        for target, own, head in zip(targets, networks, heads, strict=True)
    }
