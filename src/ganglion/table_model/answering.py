"""Predictions in the form that the command line and the server give: columns of a table, or plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ganglion.answers.target import ClassTarget
from ganglion.errors import GanglionNotice
from ganglion.table_model.joint import JointTableModel
from ganglion.table_model.model import TableModel

AnyModel = TableModel | JointTableModel


def answer_table(
    model: AnyModel,
    frame: pl.DataFrame,
    *,
    probabilities: bool = False,
    interval: float | None = None,
    notes: bool = False,
) -> pl.DataFrame:
    """Return the predictions for a table as columns.

    Args:
        model: of one target or several.
        frame: the table, from `model.read`.
        probabilities: whether to add a column with the probability of each class.
        interval: the level of the prediction intervals of numbers; None for none.
        notes: whether to add a column of text with what is noted about the values of each row.

    Raises:
        DataError, ConfigError: as `TableModel.predict` does.
    """
    predictions = model.predict(frame, interval=interval)
    if not probabilities:
        predictions = predictions.select(pl.exclude(r"^probability_.*$"))
    if notes:
        remarks = ["; ".join(map(str, each)) or None for each in model.remarks(frame)]
        predictions = predictions.with_columns(pl.Series("notes", remarks, dtype=pl.String))
    return predictions


def answer_rows(
    model: AnyModel, frame: pl.DataFrame, *, probabilities: bool = False, interval: float | None = None
) -> list[dict[str, Any]]:
    """Return the predictions for a table as a list of what `answer_record` returns for each row.

    Raises:
        DataError, ConfigError: as `TableModel.predict` does.
    """
    if isinstance(model, TableModel):
        return _rows(model, frame, probabilities, interval)
    each = {
        name: _rows(head, frame, probabilities, _own_interval(head, interval))
        for name, head in model.heads.items()
    }
    return [{"targets": dict(zip(each, row, strict=True))} for row in zip(*each.values(), strict=True)]


def answer_record(
    model: AnyModel, record: Mapping[str, Any], *, probabilities: bool = False, interval: float | None = None
) -> dict[str, Any]:
    """Return the prediction for one record in microseconds, with the bits of `answer_table`.

    Returns:
        What `TableModel.answer` does; for several targets `targets`, by name, each with its own answer.

    Raises:
        DataError, ConfigError: as `TableModel.answer` does.
    """
    if isinstance(model, JointTableModel):
        answers = {
            name: answer_record(
                head, record, probabilities=probabilities, interval=_own_interval(head, interval)
            )
            for name, head in model.heads.items()
        }
        return {"targets": answers}
    answer = model.answer(record, interval)
    if not probabilities:
        answer.pop("probabilities", None)
    return answer


def notes_of(model: AnyModel, frame: pl.DataFrame, found: list[GanglionNotice]) -> list[list[str]]:
    """Return what is noted about each row, as text.

    Args:
        model: of one target or several.
        frame: the table.
        found: the notices of its prediction. Those about columns that the model does not know are about
            every row.
    """
    of_all = distinct(note for note in found if note.name == "unknown-columns")
    return [[*map(str, each), *of_all] for each in model.remarks(frame)]


def distinct(notes: Any) -> list[str]:
    """Return notices as text, in order and without duplicates: heads share their columns."""
    return list(dict.fromkeys(map(str, notes)))


def _own_interval(head: TableModel, interval: float | None) -> float | None:
    return None if isinstance(head.target, ClassTarget) else interval


def _rows(
    model: TableModel, frame: pl.DataFrame, probabilities: bool, interval: float | None
) -> list[dict[str, Any]]:
    found = model.predict(frame, interval=interval)
    labels = model.labels
    if labels is None:
        return found.to_dicts()
    predictions = found.get_column("prediction").to_list()
    if not probabilities:
        return [{"prediction": prediction} for prediction in predictions]
    columns = [found.get_column(f"probability_{label}").to_list() for label in labels]
    return [
        {"prediction": prediction, "probabilities": dict(zip(labels, row, strict=True))}
        for prediction, row in zip(predictions, zip(*columns, strict=True), strict=True)
    ]
