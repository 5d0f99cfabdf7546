"""The kinds of columns: how each kind encodes its values as numbers.

A column is fitted on the training rows only. It is then frozen configuration: equal values always become
equal numbers. To add a kind, write its class, add it to the list at the end, and select it in `encode.py`.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from ganglion.answers.values import as_text, dtype_name, to_numbers
from ganglion.checks import check_flag, check_number
from ganglion.core.part import Array, Part, built_in
from ganglion.errors import ConfigError, DataError, GanglionNotice

MOST_CATEGORIES = 100
FEWEST_ROWS = 3
ROWS_FOR_MEDIAN = 100_000
DAY = datetime.timedelta(days=1)
Encoded = tuple[Array, list[GanglionNotice]]


@dataclass(frozen=True)
class Column(Part):
    """A column of a table. Subclass it with `fit`, `features` and `encode`.

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

    def describe(self) -> str:
        """Return a short description of the encoding."""
        raise NotImplementedError(f"{type(self).__name__} needs a method describe")


def _note_missing(values: pl.Series, replacement: str) -> list[GanglionNotice]:
    count = values.null_count()
    text = f"column {values.name!r}: {count} missing, replaced by {replacement}"
    return [GanglionNotice(text, "missing-values")] if count else []


@dataclass(frozen=True)
class NumberColumn(Column):
    """(value - center) / scale, with `fill` in place of missing values.

    Args:
        fill: median of the training rows, or of an evenly spaced sample if there are over 100,000.
        center, scale: mean and standard deviation, or median and half the interquartile range.
    """

    fill: float
    center: float
    scale: float

    name = "number"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("fill", self.fill)
        check_number("center", self.center)
        check_number("scale", self.scale, above=0)

    @classmethod
    def fit(cls, values: pl.Series, robust: bool = False) -> Self:
        """Compute fill, center and scale; the column must not be constant."""
        numbers = to_numbers(values)
        present = numbers.drop_nulls()
        median = float(np.median(present.gather_every(len(present) // ROWS_FOR_MEDIAN + 1).to_numpy()))
        filled = numbers.fill_null(median).to_numpy()
        center, scale = median, 0.0
        if robust:
            low, high = np.quantile(filled, [0.25, 0.75])
            scale = float(high - low) / 2
        if not scale:
            with np.errstate(over="ignore", invalid="ignore"):
                center, scale = float(filled.mean()), float(filled.std())
        if not (np.isfinite(center) and np.isfinite(scale) and scale > 0):
            raise DataError(f"column {values.name!r} holds numbers too large or too close together to scale")
        return cls(values.name, median, center, scale)

    def encode(self, values: pl.Series) -> Encoded:
        numbers = to_numbers(values)
        notes = _note_missing(numbers, f"the median, {self.fill:g}")
        scaled = numbers.fill_null(self.fill).to_numpy() - self.center
        scaled /= self.scale
        return scaled[:, None], notes

    def describe(self) -> str:
        return f"number, {self.center:.4g} ± {self.scale:.4g}"


@dataclass(frozen=True)
class BooleanColumn(Column):
    """1 for true, -1 for false, 0 for missing."""

    name = "boolean"
    words: ClassVar[dict[str, float]] = {"true": 1.0, "false": -1.0, "yes": 1.0, "no": -1.0}

    @classmethod
    def fit(cls, values: pl.Series) -> Self:
        """Return the column; nothing is learned from the rows."""
        return cls(values.name)

    def encode(self, values: pl.Series) -> Encoded:
        notes = _note_missing(values, "0 (neither true nor false)")
        zero_or_one = values.dtype.is_numeric() and bool(((values == 0) | (values == 1)).all())
        if values.dtype == pl.Boolean or zero_or_one:
            numbers = values.cast(pl.Float64) * 2 - 1
        else:
            text = values.cast(pl.String, strict=False).str.to_lowercase()
            numbers = text.replace_strict(self.words, default=None, return_dtype=pl.Float64)
            wrong = numbers.is_null() & values.is_not_null()
            if wrong.any():
                row = wrong.arg_true()[0]
                raise DataError(
                    f"column {values.name!r} must be true or false, got {values[row]!r} in row {row}"
                )
        return numbers.fill_null(0.0).to_numpy()[:, None], notes

    def describe(self) -> str:
        return "true or false"


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
    """

    categories: tuple[str, ...]
    missing: bool
    other: bool

    name = "category"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.categories, tuple) or not all(isinstance(c, str) for c in self.categories):
            raise ConfigError("categories must be a tuple of strings")
        if len(self.categories) > MOST_CATEGORIES or len(set(self.categories)) != len(self.categories):
            raise ConfigError(f"categories must be distinct, and at most {MOST_CATEGORIES}")
        check_flag("missing", self.missing)
        check_flag("other", self.other)

    @classmethod
    def fit(cls, values: pl.Series) -> Self:
        """Learn the categories of the training rows."""
        counts = as_text(values).drop_nulls().value_counts(sort=True)
        words, frequency = counts.get_column(values.name), counts.get_column("count")
        common = frequency >= (FEWEST_ROWS if len(values) >= 10 * FEWEST_ROWS else 1)
        categories = sorted(words.filter(common).head(MOST_CATEGORIES))
        return cls(values.name, tuple(categories), values.null_count() > 0, len(categories) < len(words))

    @property
    def features(self) -> list[str]:
        extra = ["missing"] * self.missing + ["other"] * self.other
        return [f"{self.column}={word}" for word in (*self.categories, *extra)]

    def encode(self, values: pl.Series) -> Encoded:
        text = as_text(values)
        places = text.cast(pl.Enum(self.categories), strict=False).to_physical()
        missing, unseen = text.is_null().to_numpy(), (places.is_null() & text.is_not_null()).to_numpy()
        result = np.zeros((len(values), len(self.features)), dtype=np.float32)
        seen = places.is_not_null().to_numpy()
        result[np.flatnonzero(seen), places.drop_nulls().to_numpy()] = 1
        notes = []
        if self.missing:
            result[missing, len(self.categories)] = 1
        else:
            notes += _note_missing(values, "0 in all categories")
        if self.other:
            result[unseen, -1] = 1
        if unseen.any():
            new = text.filter(pl.Series(unseen)).unique().sort()
            names = ", ".join(map(repr, new.head(5))) + (" ..." if len(new) > 5 else "")
            treated = "treated as other" if self.other else "encoded as 0 in all categories"
            said = f"column {values.name!r}: {unseen.sum()} values of unknown categories, {treated}: {names}"
            notes.append(GanglionNotice(said, "unknown-categories"))
        return result, notes

    def describe(self) -> str:
        extra = " + missing" * self.missing + " + other" * self.other
        shown = ", ".join(self.categories[:4]) + (", ..." if len(self.categories) > 4 else "")
        return f"category, {len(self.categories)} values{extra}: {shown}"


@dataclass(frozen=True)
class DateColumn(Column):
    """Year, month, day, weekday, hour and days elapsed, each standardized; constant parts are 0.

    Args:
        fill: median of each part in the training rows.
        center, scale: mean and standard deviation of each part; a scale of 0 marks a constant part.
    """

    fill: tuple[float, ...]
    center: tuple[float, ...]
    scale: tuple[float, ...]

    name = "date"
    parts: ClassVar[tuple[str, ...]] = ("year", "month", "day", "weekday", "hour", "elapsed")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("fill", "center", "scale"):
            values = getattr(self, name)
            if not isinstance(values, tuple) or len(values) != len(self.parts):
                raise ConfigError(f"{name} must hold {len(self.parts)} numbers")
            for value in values:
                check_number(name, value, at_least=0 if name == "scale" else -1e18)

    @classmethod
    def fit(cls, values: pl.Series) -> Self:
        """Compute median, mean and standard deviation of each part."""
        parts = cls._split(values.drop_nulls())
        fill = tuple(float(v) for v in np.median(parts, axis=0))
        center, scale = parts.mean(axis=0), parts.std(axis=0)
        return cls(values.name, fill, tuple(map(float, center)), tuple(map(float, scale)))

    @classmethod
    def _split(cls, values: pl.Series) -> Array:
        times = values.cast(pl.Datetime("us"))
        elapsed = times.dt.timestamp("us").cast(pl.Float64) / (DAY / datetime.timedelta(microseconds=1))
        columns: list[Any] = [getattr(times.dt, part)() for part in cls.parts[:-1]]
        return np.column_stack([c.cast(pl.Float64).to_numpy() for c in (*columns, elapsed)])

    @property
    def features(self) -> list[str]:
        return [f"{self.column}:{part}" for part in self.parts]

    def encode(self, values: pl.Series) -> Encoded:
        if values.dtype == pl.String:
            parsed = _as_times(values)
            wrong = parsed.is_null() & values.is_not_null()
        elif values.dtype in (pl.Date, pl.Datetime, pl.Null):
            parsed, wrong = values.cast(pl.Datetime("us")), pl.Series([False])
        else:
            raise DataError(f"column {values.name!r} must hold dates, got {dtype_name(values)}")
        if wrong.any():
            row = wrong.arg_true()[0]
            raise DataError(
                f"column {values.name!r} must hold dates, got {values[row]!r} in row {row}",
                "write dates as 2026-01-31",
            )
        result = np.tile(np.array(self.fill), (len(values), 1))
        result[parsed.is_not_null().to_numpy()] = self._split(parsed.drop_nulls())
        scale = np.array(self.scale)
        varies = scale > 0
        result = np.where(varies, (result - np.array(self.center)) / np.where(varies, scale, 1), 0)
        return result, _note_missing(parsed, "the median date")

    def describe(self) -> str:
        return "date: " + ", ".join(
            part for part, scale in zip(self.parts, self.scale, strict=True) if scale > 0
        )


def _as_times(values: pl.Series) -> pl.Series:
    """Return text as dates and times, with null for other text."""
    parsed = pl.Series(values.name, [None] * len(values), dtype=pl.Datetime("us"))
    for read in (values.str.to_datetime, values.str.to_date):
        try:
            parsed = parsed.fill_null(read(strict=False).cast(pl.Datetime("us")))
        except pl.exceptions.ComputeError:  # no value looks like a date
            continue
    return parsed


built_in(Column, [NumberColumn, BooleanColumn, CategoryColumn, DateColumn])
