"""The user's values as numbers or as text: a whole column, or one value of it.

What answers a few rows calls no expression of polars: each takes a tenth of a millisecond, and in a forked
process may wait forever for threads that the fork did not copy.
"""

from __future__ import annotations

import datetime
import decimal
import math
from typing import Any

import numpy as np
import polars as pl

from ganglion.core.part import Array
from ganglion.errors import DataError, shortened

MICROSECOND = datetime.timedelta(microseconds=1)
CORRECT = "correct the value or leave it empty"


def figure(value: float) -> str:
    """Return a number as text with about four significant digits, with an exponent if it is huge or tiny."""
    if not math.isfinite(value):
        return "-"
    if 1000 <= abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def to_numbers(values: pl.Series) -> pl.Series:
    """Return a column as float64, with null for missing values.

    Raises:
        DataError: if a value is a word or infinite; the message names its row.
    """
    if values.dtype == pl.Duration:
        return values.dt.total_microseconds().cast(pl.Float64) / 1e6
    if values.dtype == pl.Time:  # in hours, like text such as 22:30
        seconds = values.dt.second() + values.dt.nanosecond() / 1e9
        return values.dt.hour() + values.dt.minute() / 60 + seconds / 3600
    if values.dtype in (pl.String, pl.Boolean, pl.Null) or values.dtype.is_numeric():
        numbers = values.cast(pl.Float64, strict=False)
    else:
        raise DataError(f"column {values.name!r} must hold numbers, got {dtype_name(values)}")
    if numbers.null_count() > values.null_count():
        lost = numbers.is_null() & values.is_not_null()
        row = lost.arg_true()[0]
        raise DataError(
            f"column {values.name!r} must hold numbers, got {values[row]!r} in row {row}",
            CORRECT,
        )
    if np.isinf(numbers.to_numpy()).any():
        row = numbers.is_infinite().arg_true()[0]
        raise DataError(
            f"column {values.name!r} must be finite, got {numbers[row]} in row {row}",
            CORRECT,
        )
    return numbers


def to_floats(values: pl.Series) -> Array:
    """Return a column as a float64 array, with NaN for missing values; it may be read-only.

    Raises:
        DataError: if a value is a word or infinite; the message names its row.
    """
    dtype = values.dtype
    if dtype == pl.Float64:
        numbers = values.to_numpy()
        if not np.isinf(numbers).any():
            return numbers
    elif dtype.is_numeric() or dtype in (pl.Boolean, pl.String):
        cast = values.cast(pl.Float64, strict=False)
        numbers = cast.to_numpy()
        if cast.null_count() == values.null_count() and not np.isinf(numbers).any():
            return numbers
    return to_numbers(values).to_numpy()


def to_float(name: str, value: Any) -> float:
    """Return one value of the column `name` as `to_floats` does: NaN if it is missing.

    Raises:
        DataError: if the value is a word or infinite.
    """
    try:
        if isinstance(value, str):
            # Python also accepts 1_000, and digits of other scripts.
            number = float(value) if value.isascii() and "_" not in value else None
        elif isinstance(value, datetime.timedelta):
            number = (value // MICROSECOND) / 1e6
        elif value is None:
            return math.nan
        elif isinstance(value, datetime.time):
            seconds = value.second + value.microsecond * 1000 / 1e9
            number = value.hour + value.minute / 60 + seconds / 3600
        elif isinstance(value, datetime.date):
            number = None
        else:
            number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None:
        raise DataError(f"column {name!r} must hold numbers, got {shortened(value)}", CORRECT)
    if math.isinf(number):
        raise DataError(f"column {name!r} must be finite, got {number}", CORRECT)
    return number


def as_word(name: str, value: Any) -> str | None:
    """Return one value of the column `name` as `as_text` does, None if it is missing.

    Raises:
        DataError: for a list or any other value that is not a word or number.
    """
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bool | np.bool):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        return _number_as_word(float(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, datetime.date | decimal.Decimal):
        return str(value)
    raise DataError(f"column {name!r} must hold words or numbers, got {shortened(value)}")


def _number_as_word(number: float) -> str | None:
    """Return a number as polars writes it, but whole numbers as integers; None for NaN."""
    if math.isnan(number):
        return None
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    digits, exponent, power = repr(number).partition("e")
    if not exponent:
        return digits.removesuffix(".0")
    if int(power) == -5:
        sign = "-" if number < 0 else ""
        return f"{sign}0.0000{digits.lstrip('-').replace('.', '')}"
    return f"{digits}e{int(power):+}"


def as_text(values: pl.Series) -> pl.Series:
    """Return a column as text; whole floats are written as integers, so 3.0 and 3 are one category.

    Raises:
        DataError: for a column of lists, durations or any other values that are not words or numbers.
    """
    if values.dtype.is_nested() or values.dtype in (pl.Duration, pl.Time, pl.Binary, pl.Object):
        raise DataError(f"column {values.name!r} must hold words or numbers, got {dtype_name(values)}")
    text = values.cast(pl.String, strict=False)
    if not values.dtype.is_float():
        return text
    # Some versions of polars write 1e+16 as 1e16.
    return text.str.replace(r"\.0$", "").str.replace(r"e(\d)", "e+$1")


def fold(word: str) -> str:
    """Return the form of a word in which case and outer blanks do not count."""
    return word.strip().lower()


def fold_all(words: pl.Series) -> pl.Series:
    """Return a column of text with each word folded, as `fold` does."""
    return words.str.strip_chars().str.to_lowercase()


def counted(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the different values except missing, the most frequent first, and how often each occurs."""
    counts = values.drop_nulls().alias("value").value_counts(name="count")
    counts = counts.sort(["count", "value"], descending=[True, False])
    return counts.get_column("value"), counts.get_column("count")


def merged(words: pl.Series) -> pl.Series:
    """Return a column of text with each word in the most frequent of its spellings."""
    spellings, _ = counted(words)
    chosen: dict[str, str] = {}
    for word in spellings:
        chosen.setdefault(fold(word), word.strip())
    return words.replace({word: chosen[fold(word)] for word in spellings})


def dtype_name(values: pl.Series) -> str:
    """Return the type of a column in lower case, for messages."""
    return str(values.dtype).lower()
