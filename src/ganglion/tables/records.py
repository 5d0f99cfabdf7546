"""Small tables in memory: rows as dicts become a frame, a frame of one row a record, and both are read.

As a rule this calls no expression of polars, so that it is fast and also works in a forked process.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from ganglion.tables.dicts import check_record, frame_of_records
from ganglion.tables.forking import forked, require_threads
from ganglion.tables.reading.cells import MISSING, WORDS, convert, convert_mixed, missing_numbers
from ganglion.tables.reading.options import ColumnReading, Reading
from ganglion.tables.reading.sources import check_years

# Types whose values are the same in Python. Float32 is not: Python writes its 0.1 as 0.10000000149011612.
SAME_IN_PYTHON = frozenset(
    {pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Float64}
    | {pl.String, pl.Boolean, pl.Null, pl.Date}
)

ALL_MISSING = frozenset(MISSING)
MISSING_IN_TARGETS = ALL_MISSING - frozenset(WORDS)
MOST_ROWS = 20_000
PLAIN_NUMBER = re.compile(r"[-+]?[1-9]\d{0,2}\.\d{1,2}|[-+]?(0|[1-9]\d*)")


def single_record(table: Any) -> Mapping[str, Any] | None:
    """Return the only row of a table as plain Python values, None if it is not one row of plain values."""
    if isinstance(table, list) and len(table) == 1:
        check_record(table[0], " in row 0")
        return table[0]
    if isinstance(table, pl.DataFrame) and table.height == 1 and SAME_IN_PYTHON.issuperset(table.dtypes):
        return table.row(0, named=True)
    return None


def read_record(record: Mapping[str, Any], reading: Reading | None) -> Mapping[str, Any]:
    """Return a record in which text is read as a model reads the cells of its columns.

    Raises:
        DataError: for text that is not of the column's kind.
    """
    texts = [(name, value) for name, value in record.items() if type(value) is str]
    extra = () if reading is None else reading.missing
    if not texts and not extra:
        return record
    columns = {} if reading is None else reading.columns
    words = _missing_words(extra)
    read = dict(record)
    for name, text in texts:
        if text.strip().lower() in words:
            read[name] = None
        elif (how := columns.get(name)) is not None and how.kind not in ("text", "boolean"):
            read[name] = _read_text(name, text, how, extra)
    if numbers := missing_numbers(extra):
        for name, value in read.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and value in numbers:
                read[name] = None
    return read


def _read_text(name: str, text: str, how: ColumnReading, extra: tuple[str, ...]) -> Any:
    if how.kind == "number" and how.decimal in (None, ".") and PLAIN_NUMBER.fullmatch(text):
        return float(text)
    require_threads("reading text as numbers or dates")
    return convert(pl.Series(name, [text]), how, extra)[0]


def _missing_words(extra: tuple[str, ...]) -> frozenset[str]:
    return ALL_MISSING | {word.lower() for word in extra} if extra else ALL_MISSING


def _plain_numbers(column: pl.Series, how: ColumnReading | None) -> pl.Series | None:
    """Return text as numbers if all of it is plainly written, else None."""
    if how is None or how.kind != "number" or how.decimal != ".":
        return None
    words = [
        None if word is None or word.strip().lower() in ALL_MISSING else word for word in column.to_list()
    ]
    if not all(word is None or PLAIN_NUMBER.fullmatch(word) for word in words):
        return None
    numbers = [None if word is None else float(word) for word in words]
    return pl.Series(column.name, numbers, dtype=pl.Float64)


def plain_table(source: Any, reading: Reading | None, targets: Collection[str] = ()) -> pl.DataFrame | None:
    """Return a small table in memory as a frame, None if understanding it takes more than its types.

    Args:
        source: what the user passed.
        reading: how the table of a model was read.
        targets: the columns to predict: words in them such as "NA" are values, not missing.

    Raises:
        DataError: for records that are not dicts, or a date outside the years 1 to 9999.
    """
    if isinstance(source, list) and source and not isinstance(source[0], Mapping):
        return None
    if isinstance(source, list):
        frame = frame_of_records(source, lambda name, values: convert_mixed(name, values, reading))
    elif isinstance(source, Mapping) and forked():
        frame = pl.DataFrame(dict(source), strict=False)
    elif isinstance(source, pl.DataFrame) and (source.height < MOST_ROWS or forked()):
        frame = source
    else:
        return None
    if reading is None or reading.missing:
        return None
    columns, changed = frame.get_columns(), False
    for i, column in enumerate(columns):
        how = reading.columns.get(column.name)
        kind = "text" if how is None else how.kind
        if column.dtype == pl.String and kind == "text":
            words, missing = column.to_list(), MISSING_IN_TARGETS if column.name in targets else ALL_MISSING
            if taken := {w for w in set(words) if w is not None and w.strip().lower() in missing}:
                read = [None if word in taken else word for word in words]
                columns[i], changed = pl.Series(column.name, read, dtype=pl.String), True
        elif column.dtype == pl.String and (numbers := _plain_numbers(column, how)) is not None:
            columns[i], changed = numbers, True
        elif column.dtype == pl.String or (kind == "date" and column.dtype.is_integer()):
            require_threads("reading text as numbers or dates")
            return None
        else:
            check_years(column)
    return pl.DataFrame(columns) if changed else frame
