"""Rows as dicts: a list of records becomes a frame."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from ganglion.answers.values import as_word
from ganglion.errors import DataError, shortened

# Reads the values of a column, some of them text, as values of one type; None if they are none.
Reader = Callable[[str, Sequence[Any]], pl.Series | None]


def check_record(record: Any, where: str = "") -> None:
    """Check that a record is a dict with column names.

    Raises:
        DataError: if it is not.
    """
    if not isinstance(record, Mapping):
        raise DataError(f"a record must be a dict of values by column, got {shortened(record)}{where}")
    if not all(isinstance(name, str) for name in record):
        wrong = next(name for name in record if not isinstance(name, str))
        raise DataError(f"the keys of a record must be names of columns, got {shortened(wrong)}{where}")


def frame_of_records(records: list[Any], read: Reader | None = None) -> pl.DataFrame:
    """Return a table from a list of dicts, one for each row; a key that a row lacks is a missing value.

    Args:
        records: the rows.
        read: reads a column in which text and other values are mixed; None to write all values as text.

    Raises:
        DataError: if the list is empty, or an item is not a dict of plain values.
    """
    if not records:
        raise DataError("a list of records must hold at least one dict, got an empty list")
    first = records[0]
    check_record(first, " in row 0")
    try:  # as a rule all rows have the same keys
        if not first or any(len(record) != len(first) for record in records):
            raise KeyError
        pick = operator.itemgetter(*first)
        values = [pick(record) for record in records]
        columns = zip(*values, strict=True) if len(first) > 1 else [values]
        return pl.DataFrame([_series(n, v, read) for n, v in zip(first, columns, strict=True)])
    except (KeyError, TypeError, IndexError):
        return _frame_of_unequal(records, read)


def _frame_of_unequal(records: list[Any], read: Reader | None) -> pl.DataFrame:
    names: dict[str, None] = {}
    for row, record in enumerate(records):
        check_record(record, f" in row {row}")
        names.update(dict.fromkeys(record))
    return pl.DataFrame([_series(name, [record.get(name) for record in records], read) for name in names])


def _series(name: str, values: Sequence[Any], read: Reader | None) -> pl.Series:
    try:
        return pl.Series(name, values)
    except (TypeError, pl.exceptions.PolarsError, OverflowError):
        pass  # the values are not all of one type
    has_text = any(isinstance(value, str) for value in values)
    if has_text and read is not None and (column := read(name, values)) is not None:
        return column
    numbers = all(value is None or type(value) in (int, float) for value in values)
    try:
        if numbers:
            return pl.Series(name, [None if value is None else float(value) for value in values])
        return pl.Series(name, [as_word(name, value) for value in values])
    except OverflowError as error:
        raise DataError(f"column {name!r} holds a number that is too large") from error
