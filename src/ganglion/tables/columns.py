"""The kinds of columns: how each kind encodes its values as numbers.

A column is fitted on the training rows only. It is then frozen configuration: equal values always become
equal numbers. To add a kind, write its class, list it in `levels.py`, and select it in `encode.py`.
"""

from __future__ import annotations

import datetime
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from ganglion.answers.values import (
    MICROSECOND,
    as_text,
    as_word,
    counted,
    dtype_name,
    fold,
    fold_all,
    merged,
    to_float,
    to_floats,
    to_numbers,
)
from ganglion.checks import check_flag, check_number
from ganglion.core.part import Array, Part
from ganglion.errors import ConfigError, DataError, GanglionNotice, shortened
from ganglion.tables.forking import forked

MOST_CATEGORIES = 100
FEWEST_ROWS = 3
MARGIN = 0.25  # of the range that was learned: values that lie farther outside are noted
PARTS = ("year", "month", "day", "weekday", "hour", "elapsed")  # of a date
ROWS_FOR_MEDIAN = 100_000
ROWS_AT_ONCE = 2**14
MICROSECONDS = 86_400_000_000  # in a day
ROWS_FOR_LISTS = 20_000  # below, a list of Python words is looked up faster than polars is called
FORM_OF_DATES = "write dates as 2026-01-31"
UNKNOWN = -2
EPOCH = datetime.datetime(1970, 1, 1)
Encoded = tuple[Array, list[GanglionNotice]]
EncodedValue = tuple[Sequence[float], GanglionNotice | None]


@dataclass(frozen=True)
class Column(Part):
    """A column of a table. Subclass it with `fit`, `features`, `encode` and `encode_value`.

    Args:
        column: name of the column in the table.
    """

    column: str

    kind: ClassVar[str] = "column"

    def __post_init__(self) -> None:
        if not isinstance(self.column, str):
            raise ConfigError(f"a column's name must be text, got {self.column!r}")

    @property
    def features(self) -> list[str]:
        """The names of the features that this column becomes."""
        return [self.column]

    def encode(self, values: pl.Series) -> Encoded:
        """Return an array of shape (n, features) and notes on missing or unknown values.

        Raises:
            DataError: if a value is not of this kind; the message names its row.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method encode")

    def encode_value(self, value: Any) -> EncodedValue:
        """Return the features of one value of plain Python, and a note if it is missing or unknown.

        It has the same bits and the same note as `encode` of a column with this value alone, without polars.

        Raises:
            DataError: if the value is not of this kind.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method encode_value")

    def encode_learned(self, values: pl.Series, goals: Array, folds: Array) -> Encoded:
        """Return the features of the rows that the column was fitted on, as `encode` does by default.

        A kind whose features are made from the targets makes those of a row from the other folds, so that no
        row is described by its own target.

        Args:
            values: of the training rows.
            goals: their targets, of shape (n, goals).
            folds: the fold of each row.
        """
        return self.encode(values)

    def describe(self) -> str:
        """Return a short description of the encoding."""
        raise NotImplementedError(f"{type(self).__name__} needs a method describe")


def check_range(low: float | None, high: float | None) -> None:
    """Check the least and greatest value of a column; None in files of older versions."""
    if (low is None) != (high is None):
        raise ConfigError("low and high must be given together")
    if low is not None and high is not None:
        check_number("low", low)
        check_number("high", high, at_least=low)


def _missing(column: str, count: int, replacement: str) -> GanglionNotice:
    return GanglionNotice(f"column {column!r}: {count} missing, replaced by {replacement}", "missing-values")


def limits(low: float | None, high: float | None) -> tuple[float, float]:
    """Return the range that was learned, wider by a margin at both ends; beyond it, values are noted."""
    if low is None or high is None:
        return -sys.float_info.max, sys.float_info.max
    margin = MARGIN * high - MARGIN * low
    return low - margin, high + margin


def outside(
    column: str, values: Array, low: float, high: float, shown: Callable[[float], str]
) -> GanglionNotice:
    """Return a note on the values of a column outside its range, naming the farthest."""
    with np.errstate(over="ignore"):
        farthest = float(values[np.argmax(np.maximum(low - values, values - high))])
    count = len(values)
    what = f"{count} values outside" if count > 1 else "1 value outside"
    text = (
        f"column {column!r}: {what} the range learned, {shown(low)} to {shown(high)}"
        f"{', the farthest' if count > 1 else ':'} {shown(farthest)}"
    )
    return GanglionNotice(text, "outside-range")


@dataclass(frozen=True)
class NumberColumn(Column):
    """(value - center) / scale, with `fill` in place of missing values.

    Args:
        fill: median of the training rows, or of an evenly spaced sample if there are over 100,000.
        center, scale: mean and standard deviation, or median and half the interquartile range.
        low, high: least and greatest value of the training rows; None if unknown.
    """

    fill: float
    center: float
    scale: float
    low: float | None = None
    high: float | None = None

    name = "number"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("fill", self.fill)
        check_number("center", self.center)
        check_number("scale", self.scale, above=0)
        check_range(self.low, self.high)

    @classmethod
    def fit(cls, values: pl.Series, robust: bool = False) -> Self:
        """Compute fill, center and scale; the column must not be constant."""
        numbers = to_numbers(values)
        present = numbers.drop_nulls() if numbers.null_count() else numbers
        median = float(np.median(present.gather_every(len(present) // ROWS_FOR_MEDIAN + 1).to_numpy()))
        filled = (numbers.fill_null(median) if numbers.null_count() else numbers).to_numpy()
        center, scale = median, 0.0
        if robust:
            low, high = np.quantile(filled, [0.25, 0.75])
            scale = float(high - low) / 2
        if not scale:
            with np.errstate(over="ignore", invalid="ignore"):
                center, scale = float(filled.mean()), float(filled.std())
        if not (np.isfinite(center) and np.isfinite(scale) and scale > 0):
            raise DataError(f"column {values.name!r} holds numbers too large or too close together to scale")
        low, high = float(filled.min()), float(filled.max())
        return cls(values.name, median, center, scale, low, high)

    def encode(self, values: pl.Series) -> Encoded:
        numbers, missing, beyond = to_floats(values), 0, list[Array]()
        least, most = self._limits
        result = np.empty((len(numbers), 1), dtype=np.float32)
        for first in range(0, len(numbers), ROWS_AT_ONCE):  # a block of rows stays in the cache
            block = numbers[first : first + ROWS_AT_ONCE]
            if not (block.min() >= least and block.max() <= most):  # also if one is missing
                gaps = np.isnan(block)
                missing += int(np.count_nonzero(gaps))
                block = np.where(gaps, self.fill, block)
                beyond.append(block[(block < least) | (block > most)])
            scaled = block - self.center
            scaled /= self.scale
            with np.errstate(over="ignore"):  # the encoder refuses what is infinite
                result[first : first + ROWS_AT_ONCE, 0] = scaled
        notes = [_missing(self.column, missing, f"the median, {self.fill:g}")] if missing else []
        if beyond and len(outside := np.concatenate(beyond)):
            notes.append(self._outside(outside))
        return result, notes

    def encode_value(self, value: Any) -> EncodedValue:
        least, most = self._limits
        number, note = value if type(value) is float else to_float(self.column, value), None
        if not least <= number <= most:
            number = to_float(self.column, number)  # refuses the infinite
            if math.isnan(number):
                number, note = self.fill, _missing(self.column, 1, f"the median, {self.fill:g}")
            if not least <= number <= most:
                note = self._outside(np.array([number]))
        return ((number - self.center) / self.scale,), note

    @cached_property
    def _limits(self) -> tuple[float, float]:
        return limits(self.low, self.high)

    def _outside(self, numbers: Array) -> GanglionNotice:
        low, high = self.low or 0.0, self.high or 0.0
        return outside(self.column, numbers, low, high, lambda number: f"{number:g}")

    def describe(self) -> str:
        return f"number, {self.center:.4g} ± {self.scale:.4g}"


@dataclass(frozen=True)
class BooleanColumn(Column):
    """1 for true, -1 for false, 0 for missing."""

    name = "boolean"
    words: ClassVar[dict[str, float]] = {"true": 1.0, "false": -1.0, "yes": 1.0, "no": -1.0}
    bits: ClassVar[dict[float, float]] = {0.0: -1.0, 1.0: 1.0}
    neither: ClassVar[str] = "0 (neither true nor false)"

    @classmethod
    def fit(cls, values: pl.Series) -> Self:
        """Return the column; nothing is learned from the rows."""
        return cls(values.name)

    def encode(self, values: pl.Series) -> Encoded:
        numbers = None
        if values.dtype == pl.Boolean or values.dtype.is_numeric():
            numbers = values.cast(pl.Float64).to_numpy()
            if not np.isin(numbers[~np.isnan(numbers)], (0, 1)).all():
                numbers = None
        if numbers is not None:
            numbers = np.nan_to_num(numbers * 2 - 1)
            count = values.null_count()
        else:
            read = [self._number(value, f" in row {row}") for row, value in enumerate(values.to_list())]
            numbers = np.array(read, dtype=np.float64)
            count = int((numbers == 0).sum())
        return numbers[:, None], [_missing(self.column, count, self.neither)] if count else []

    def encode_value(self, value: Any) -> EncodedValue:
        number = self._number(value)
        return (number,), None if number else _missing(self.column, 1, self.neither)

    def _number(self, value: Any, where: str = "") -> float:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return 0.0
        if isinstance(value, str):
            number = self.words.get(value.lower())
        else:
            number = self.bits.get(value) if isinstance(value, int | float) else None
        if number is None:
            raise DataError(f"column {self.column!r} must be true or false, got {shortened(value)}{where}")
        return number

    def describe(self) -> str:
        return "true or false"


class _Places(dict[str | None, int]):
    """Places of words, `UNKNOWN` for a word that has none: the fastest lookup in plain Python."""

    def __missing__(self, word: str | None) -> int:
        return UNKNOWN


def words_of(values: pl.Series) -> list[Any]:
    """Return a column as a list of text, as `as_text` does, without polars where the type allows it."""
    if values.dtype == pl.String:
        return values.to_list()
    if values.dtype in (pl.Boolean, pl.Float64, pl.Null) or values.dtype.is_integer():
        return [as_word(values.name, value) for value in values.to_list()]
    return as_text(values).to_list()


@dataclass(frozen=True)
class CategoryColumn(Column):
    """One-hot encoding: one feature for each category, 1 for the value's own category and 0 for the others.

    If training rows lack values, missing is a category of its own. Categories that are rare in training are
    merged into one called "other", which unseen values join. Without rare categories there is no "other", and
    an unseen value is 0 in all features.

    Args:
        categories: the values that have their own feature, as text.
        missing: whether there is a feature for missing values.
        other: whether there is a feature for "other".
        fold_case: whether words that differ only in case or outer blanks are one category.
    """

    categories: tuple[str, ...]
    missing: bool
    other: bool
    fold_case: bool = False

    name = "category"
    no_category: ClassVar[str] = "0 in all categories"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.categories, tuple) or not all(isinstance(c, str) for c in self.categories):
            raise ConfigError("categories must be a tuple of strings")
        if len(self.categories) > MOST_CATEGORIES or len(set(self.categories)) != len(self.categories):
            raise ConfigError(f"categories must be distinct, and at most {MOST_CATEGORIES}")
        check_flag("missing", self.missing)
        check_flag("other", self.other)
        check_flag("fold_case", self.fold_case)
        if len(set(self._words)) != len(self.categories):
            raise ConfigError("categories must differ in more than case and outer blanks")

    @classmethod
    def fit(cls, values: pl.Series, fold_case: bool = False) -> Self:
        """Learn the categories of the training rows."""
        text = merged(as_text(values)) if fold_case else as_text(values)
        words, frequency = counted(text)
        common = frequency >= (FEWEST_ROWS if len(values) >= 10 * FEWEST_ROWS else 1)
        categories = sorted(words.filter(common).head(MOST_CATEGORIES))
        missing, other = values.null_count() > 0, len(categories) < len(words)
        return cls(values.name, tuple(categories), missing, other, fold_case)

    @property
    def features(self) -> list[str]:
        extra = ["missing"] * self.missing + ["other"] * self.other
        return [f"{self.column}={word}" for word in (*self.categories, *extra)]

    def encode(self, values: pl.Series) -> Encoded:
        places, missing, unseen, new = self._places(values)
        result, notes = self._features[places], []
        if missing and not self.missing:
            notes.append(_missing(self.column, missing, self.no_category))
        if unseen:
            notes.append(self._unknown(unseen, new))
        return result, notes

    def _places(self, values: pl.Series) -> tuple[Array, int, int, list[str]]:
        """Return the feature of each row (-1 for none), the numbers of missing and unseen, and the unseen."""
        if len(values) < ROWS_FOR_LISTS or forked():
            words = words_of(values)
            keys = words
            if self.fold_case:
                keys = [None if word is None else fold(word) for word in words]
            found = np.fromiter(map(self._place.__getitem__, keys), np.int64, len(words))
            rows = np.flatnonzero(found == UNKNOWN)
            new = sorted({words[row] for row in rows})
            found[rows] = self._unseen
            return found, words.count(None), len(rows), new
        text = as_text(values)
        coded = (fold_all(text) if self.fold_case else text).cast(self._enum, strict=False)
        if not coded.null_count():
            return coded.to_physical().to_numpy(), 0, 0, []
        known, absent = coded.is_not_null().to_numpy(), text.is_null().to_numpy()
        other = ~(known | absent)
        found = np.full(len(values), -1, dtype=np.int64)
        found[known] = coded.drop_nulls().to_physical().to_numpy()
        found[absent], found[other] = self._place[None], self._unseen
        new = text.filter(pl.Series(other)).unique().sort().to_list() if other.any() else []
        return found, int(absent.sum()), int(other.sum()), new

    def encode_value(self, value: Any) -> EncodedValue:
        word = value if type(value) is str else as_word(self.column, value)
        place = self._place[fold(word) if self.fold_case and word is not None else word]
        if place != UNKNOWN:
            note = _missing(self.column, 1, self.no_category) if word is None and not self.missing else None
            return self._rows[place], note
        return self._rows[self._unseen], self._unknown(1, [str(word)])

    def _unknown(self, count: int, new: list[str]) -> GanglionNotice:
        names = ", ".join(map(shortened, new[:5])) + (" ..." if len(new) > 5 else "")
        treated = "treated as other" if self.other else "encoded as 0 in all categories"
        values = f"{count} values of unknown categories" if count > 1 else "1 value of an unknown category"
        return GanglionNotice(f"column {self.column!r}: {values}, {treated}: {names}", "unknown-categories")

    @cached_property
    def _place(self) -> _Places:
        """The feature of each category, and under None that of missing values, -1 if they have none."""
        places = _Places({word: place for place, word in enumerate(self._words)})
        places[None] = len(self.categories) if self.missing else -1
        return places

    @cached_property
    def _unseen(self) -> int:
        return self._width - 1 if self.other else -1

    @cached_property
    def _width(self) -> int:
        return len(self.categories) + self.missing + self.other

    @cached_property
    def _features(self) -> Array:
        """The features of a value whose feature is 1, for each feature, and at last those of none."""
        return np.eye(self._width + 1, self._width, dtype=np.float32)

    @cached_property
    def _rows(self) -> list[tuple[float, ...]]:
        return [tuple(map(float, row)) for row in self._features]

    @cached_property
    def _enum(self) -> pl.Enum:
        return pl.Enum(self._words)

    @cached_property
    def _words(self) -> list[str]:
        return [fold(word) if self.fold_case else word for word in self.categories]

    def describe(self) -> str:
        extra = " + missing" * self.missing + " + other" * self.other
        shown = ", ".join(self.categories[:4]) + (", ..." if len(self.categories) > 4 else "")
        return f"category, {len(self.categories)} values{extra}: {shown}"


@dataclass(frozen=True)
class DateColumn(Column):
    """Those of year, month, day, weekday, hour and days elapsed that vary, each standardized.

    Args:
        fill: median of each part in the training rows.
        center, scale: mean and standard deviation of each part; a scale of 0, as files of older versions may
            hold, marks a constant part.
        low, high: first and last date of the training rows, in days since 1970; None if unknown.
        parts: those that are features, in the order of `PARTS`.
    """

    fill: tuple[float, ...]
    center: tuple[float, ...]
    scale: tuple[float, ...]
    low: float | None = None
    high: float | None = None
    parts: tuple[str, ...] = PARTS

    name = "date"
    median: ClassVar[str] = "the median date"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.parts, tuple) or self.parts != tuple(p for p in PARTS if p in self.parts):
            raise ConfigError(f"parts must be some of {', '.join(PARTS)}, in this order")
        for name in ("fill", "center", "scale"):
            values = getattr(self, name)
            if not isinstance(values, tuple) or len(values) != len(self.parts):
                raise ConfigError(f"{name} must hold {len(self.parts)} numbers")
            for value in values:
                check_number(name, value, at_least=0 if name == "scale" else -1e18)
        check_range(self.low, self.high)

    @classmethod
    def fit(cls, values: pl.Series) -> Self:
        """Compute median, mean and standard deviation of each part."""
        parts = cls._split(values.drop_nulls())
        scale = parts.std(axis=0)
        varies = scale > 0

        def row(array: Array) -> tuple[float, ...]:
            return tuple(map(float, array[varies]))

        low, high = float(parts[:, -1].min()), float(parts[:, -1].max())
        names = tuple(name for name, each in zip(PARTS, varies, strict=True) if each)
        fill, center = np.median(parts, axis=0), parts.mean(axis=0)
        return cls(values.name, row(fill), row(center), row(scale), low, high, names)

    @classmethod
    def _split(cls, values: pl.Series) -> Array:
        times = values.cast(pl.Datetime("us")).to_numpy().astype("datetime64[us]")
        days, months, years = (times.astype(f"datetime64[{unit}]") for unit in "DMY")
        day = days.astype(np.int64)
        microseconds = times.astype(np.int64)
        return np.column_stack(
            [
                years.astype(np.int64) + 1970.0,
                months.astype(np.int64) % 12 + 1.0,
                (days - months.astype("datetime64[D]")).astype(np.int64) + 1.0,
                (day + 3) % 7 + 1.0,
                (microseconds - day * MICROSECONDS) // (MICROSECONDS // 24) + 0.0,
                microseconds.astype(np.float64) / MICROSECONDS,
            ]
        )

    @property
    def features(self) -> list[str]:
        return [f"{self.column}:{part}" for part in self.parts]

    def encode(self, values: pl.Series) -> Encoded:
        if values.dtype == pl.String:
            parsed = _as_times(values)
            wrong = parsed.is_null() & values.is_not_null()
            if wrong.any():
                row = wrong.arg_true()[0]
                raise DataError(
                    f"column {values.name!r} must hold dates, got {values[row]!r} in row {row}", FORM_OF_DATES
                )
        elif values.dtype in (pl.Date, pl.Datetime, pl.Null):
            parsed = values
        else:
            raise DataError(f"column {values.name!r} must hold dates, got {dtype_name(values)}")
        parts, count = self._split(parsed), parsed.null_count()
        days, parts = parts[:, -1], parts[:, self._places]
        if count:
            absent = parsed.is_null().to_numpy()
            days, parts[absent] = days[~absent], self.fill
        scale = np.array(self.scale)
        varies = scale > 0
        result = np.where(varies, (parts - np.array(self.center)) / np.where(varies, scale, 1), 0)
        notes = [_missing(self.column, count, self.median)] if count else []
        least, most = self._limits
        if len(days) and (days.min() < least or days.max() > most):
            notes.append(self._outside(days[(days < least) | (days > most)]))
        return result, notes

    def encode_value(self, value: Any) -> EncodedValue:
        time, note = self._time(value), None
        parts: tuple[float, ...] = self.fill
        if time is None:
            note = _missing(self.column, 1, self.median)
        else:
            elapsed = float((time - EPOCH) // MICROSECOND) / MICROSECONDS
            every = (time.year, time.month, time.day, time.isoweekday(), time.hour, elapsed)
            parts = tuple(every[place] for place in self._places)
            least, most = self._limits
            if not least <= elapsed <= most:
                note = self._outside(np.array([elapsed]))
        scaled = [
            (part - center) / scale if scale > 0 else 0.0
            for part, center, scale in zip(parts, self.center, self.scale, strict=True)
        ]
        return scaled, note

    @cached_property
    def _places(self) -> list[int]:
        """The places of the parts among `PARTS`."""
        return [PARTS.index(part) for part in self.parts]

    @cached_property
    def _limits(self) -> tuple[float, float]:
        return limits(self.low, self.high)

    def _outside(self, days: Array) -> GanglionNotice:
        return outside(self.column, days, self.low or 0.0, self.high or 0.0, _day)

    def _time(self, value: Any) -> datetime.datetime | None:
        if isinstance(value, str):
            try:
                value = datetime.datetime.fromisoformat(value.strip())
            except ValueError:
                raise DataError(
                    f"column {self.column!r} must hold dates, got {shortened(value)}", FORM_OF_DATES
                ) from None
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(value, datetime.datetime):
            return value if value.tzinfo is None else value.astimezone(datetime.UTC).replace(tzinfo=None)
        if isinstance(value, datetime.date):
            return datetime.datetime(value.year, value.month, value.day)
        raise DataError(f"column {self.column!r} must hold dates, got {shortened(value)}")

    def describe(self) -> str:
        return "date: " + ", ".join(
            part for part, scale in zip(self.parts, self.scale, strict=True) if scale > 0
        )


def _day(days: float) -> str:
    """Return a number of days since 1970 as a date."""
    return str(np.datetime64(math.floor(days), "D"))


def _as_times(values: pl.Series) -> pl.Series:
    """Return text as dates and times, with null for other text."""
    parsed = pl.Series(values.name, [None] * len(values), dtype=pl.Datetime("us"))
    for read in (values.str.to_datetime, values.str.to_date):
        try:
            parsed = parsed.fill_null(read(strict=False).cast(pl.Datetime("us")))
        except pl.exceptions.ComputeError:  # no value looks like a date
            continue
    return parsed
