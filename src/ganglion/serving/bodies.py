"""Bodies: the rows of a request become a record or a frame.

To add a format, add its media type to `media.py`, its reader to `read_body`, its writer to `predicting.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from ganglion.errors import DataError, FileError, GanglionError, shortened
from ganglion.joint import heads_of
from ganglion.serving.arrow import read_arrow
from ganglion.serving.limits import MOST_COLUMNS, check_columns, check_rows
from ganglion.serving.media import CSV, JSON, Media
from ganglion.table_model.answering import AnyModel
from ganglion.tables.columns import BooleanColumn, Column, DateColumn, NumberColumn
from ganglion.tables.encode import listed
from ganglion.tables.reading import ReadOptions
from ganglion.tables.reading.options import ColumnReading
from ganglion.tables.reading.sources import TextBytes

WHOLE = 2**63
NAME = "the body"
Rows = Mapping[str, Any] | pl.DataFrame


def read_body(model: AnyModel, needed: Mapping[str, str], data: bytes, media: Media, most_rows: int) -> Rows:
    """Return the rows of a body: one record as a dict, others as a frame.

    Args:
        model: that is to predict them.
        needed: its `needed_columns`.
        data: the body.
        media: the format of the body.
        most_rows: how many rows it may hold.

    Raises:
        FileError: if the body is not in its format.
        DataError: if a column is missing, or a value is of another kind.
        TooLargeError: if there are too many rows or columns.
    """
    if media.kind == JSON:
        return _read_json(model, needed, data, most_rows)
    if media.kind == CSV:
        _check_width(data)
        frame = model.read(TextBytes(data, NAME), ReadOptions(encoding=media.encoding))
        check_rows(frame.height, most_rows)
        return frame
    frame = read_arrow(data, most_rows)
    there = [name for name in needed if name in frame.columns]
    return model.read(_with_surplus(frame.select(there), frame.columns))


def needed_columns(model: AnyModel) -> dict[str, str]:
    """Return the columns that the model needs, each with the kind of its values."""
    head = heads_of(model)[0]
    return {c.column: kind_of_values(c, head.reading.columns.get(c.column)) for c in head.encoder.columns}


def kind_of_values(column: Column, how: ColumnReading | None) -> str:
    """Return what the values of a column are in JSON: "number", "time", "date", "boolean" or "text".

    Args:
        column: how they are encoded; numbers may be categories.
        how: how text of the column is read.
    """
    if how is not None and how.kind != "text":
        return how.kind
    kinds = ((NumberColumn, "number"), (DateColumn, "date"), (BooleanColumn, "boolean"))
    return next((kind for each, kind in kinds if isinstance(column, each)), "text")


def _with_surplus(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """Return a frame with empty columns for those that the model does not need: only their names count."""
    surplus = [name for name in names if name not in frame.columns]
    check_columns(len(surplus))
    return frame.with_columns(pl.Series(name, [None] * frame.height, dtype=pl.Null) for name in surplus)


def _check_width(data: bytes) -> None:
    """Raise `TooLargeError` for a line of too many cells: every column takes time to understand."""
    for line in data.splitlines():
        if len(line) > MOST_COLUMNS:
            check_columns(max(map(line.count, (b",", b";", b"\t", b"|"))) + 1)


def _read_json(model: AnyModel, needed: Mapping[str, str], data: bytes, most_rows: int) -> Rows:
    found = parse_json(data)
    if isinstance(found, dict):
        check_columns(len(found))
        record = _checked(found, needed, "")
        if len(found) > len(needed):
            record |= dict.fromkeys(name for name in found if name not in needed)
        return record
    if not isinstance(found, list) or not found:
        raise DataError(
            f"the body must be a record or a list of at least one, got {shortened(found)}",
            'such as {"column": 1.5, "other": "word"}',
        )
    check_rows(len(found), most_rows)
    records = []
    names: dict[str, None] = dict.fromkeys(needed)
    for row, record in enumerate(found):
        records.append(_checked(record, needed, f" in row {row}"))
        if len(record) > len(needed):
            names.update(dict.fromkeys(record))
            check_columns(len(names))
    return _with_surplus(model.read(records), names)


def parse_json(data: bytes) -> Any:
    """Return what JSON text holds.

    Raises:
        FileError: if it is not JSON in UTF-8, names a column twice, or holds what no text can.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"the body is not UTF-8: byte {error.start} is {data[error.start]:#04x}") from error
    try:
        found = json.loads(text, object_pairs_hook=_distinct_keys, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise FileError(f"the body is not JSON: {error.msg} at {where}") from error
    except RecursionError as error:
        raise FileError("the body is not a record or a list of records: it is nested too deeply") from error
    except ValueError as error:
        if isinstance(error, GanglionError):
            raise
        raise FileError("the body holds a number with too many digits") from error
    if "\\ud" in text or "\\uD" in text:  # half of a character that takes two codes
        try:
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise FileError(
                "the body holds a lone surrogate, which is no character", "correct the text"
            ) from error
    return found


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise FileError(f"a record must hold each column once, got {shortened(twice)} again")
    return found


def _refuse_constant(word: str) -> Any:
    raise FileError(f"the body is not JSON: {word} is no number of JSON", "use null for a missing value")


def _checked(record: Any, needed: Mapping[str, str], where: str) -> dict[str, Any]:
    """Return what the model needs of a record, after checking that all of it is there, as plain values."""
    if not isinstance(record, dict):
        raise DataError(f"a record must be an object of values by column, got {shortened(record)}{where}")
    if absent := [name for name in needed if name not in record]:
        raise DataError(
            f"the record lacks {listed(absent)}, which the model learned from{where}",
            "give null for a missing value; it has: " + listed(record),
        )
    checked = {name: record[name] for name in needed}
    for name, value in checked.items():
        if isinstance(value, list | dict):
            raise DataError(
                f"column {name!r} must hold text, a number, true, false or null, "
                f"got {shortened(value)}{where}"
            )
        if isinstance(value, bool) and needed[name] in ("number", "time"):
            raise DataError(f"column {name!r} must hold numbers, got {value}{where}")
        if type(value) is int and not -WHOLE <= value < WHOLE:
            try:
                checked[name] = float(value)  # as the column of a table holds it
            except OverflowError as error:
                raise DataError(f"column {name!r} holds a number that is too large{where}") from error
    return checked
