"""JointTableModel: one network that predicts several columns of a table, with a head for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ganglion.answers.report import Report
from ganglion.core.part import Array
from ganglion.errors import GanglionNotice
from ganglion.files.exports import Job
from ganglion.joint import JointModel, columns_of
from ganglion.network import Network
from ganglion.table_model.model import TableModel
from ganglion.table_model.saved import read_table_part, to_saved
from ganglion.tables.reading import ReadOptions


class JointTableModel(JointModel[TableModel]):
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

    kind = "a table model of several targets"
    part = "table"
    optional = ("learned",)

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
        levels, frame = self._levels(interval), self.read(table, read)
        columns = []
        for name, head in self.heads.items():
            columns += columns_of(name, head.predict(frame, levels[name]).get_columns())
        return pl.DataFrame(columns)

    def answer(self, record: Mapping[str, Any], interval: float | None = None) -> dict[str, dict[str, Any]]:
        """Return the answer of each target for one record; see `TableModel.answer`."""
        levels = self._levels(interval)
        return {name: head.answer(record, levels[name]) for name, head in self.heads.items()}

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

    def job(self) -> Job:
        from ganglion.table_model.exporting import job_of  # noqa: PLC0415  # to start fast

        return job_of(self.network, list(self.heads.values()))

    @staticmethod
    def _describe(head: TableModel) -> dict[str, Any]:
        return to_saved(head).table or {}

    @staticmethod
    def _read(part: dict[str, Any], network: Network, columns: Mapping[str, Array]) -> TableModel:
        return TableModel(network, **read_table_part(part, network, columns))

    def _columns(self) -> dict[str, Array]:
        return next(iter(self.heads.values())).encoder.arrays()
