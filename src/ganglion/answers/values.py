"""A column of the user's values as numbers or as text."""

from __future__ import annotations

import polars as pl

from ganglion.errors import DataError


def to_numbers(values: pl.Series) -> pl.Series:
    """Return a column as float64, with null for missing values.

    Raises:
        DataError: if a value is a word or infinite; the message names its row.
    """
    if values.dtype == pl.Duration:
        return values.dt.total_microseconds().cast(pl.Float64) / 1e6
    if values.dtype in (pl.String, pl.Boolean, pl.Null) or values.dtype.is_numeric():
        numbers = values.cast(pl.Float64, strict=False)
    else:
        raise DataError(f"column {values.name!r} must hold numbers, got {dtype_name(values)}")
    lost = numbers.is_null() & values.is_not_null()
    if lost.any():
        row = lost.arg_true()[0]
        raise DataError(
            f"column {values.name!r} must hold numbers, got {values[row]!r} in row {row}",
            "correct the value or leave it empty",
        )
    if numbers.is_infinite().any():
        row = numbers.is_infinite().arg_true()[0]
        raise DataError(
            f"column {values.name!r} must be finite, got {numbers[row]} in row {row}",
            "correct the value or leave it empty",
        )
    return numbers


def as_text(values: pl.Series) -> pl.Series:
    """Return a column as text; whole floats are written as integers, so 3.0 and 3 are one category.

    Raises:
        DataError: for a column of lists, durations or any other values that are not words or numbers.
    """
    if values.dtype.is_nested() or values.dtype in (pl.Duration, pl.Time, pl.Binary, pl.Object):
        raise DataError(f"column {values.name!r} must hold words or numbers, got {dtype_name(values)}")
    text = values.cast(pl.String, strict=False)
    return text.str.replace(r"\.0$", "") if values.dtype.is_float() else text


def dtype_name(values: pl.Series) -> str:
    """Return the type of a column in lower case, for messages."""
    return str(values.dtype).lower()
