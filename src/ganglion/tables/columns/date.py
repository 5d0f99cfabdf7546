"""A column of dates."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from ganglion.answers.values import MICROSECOND, dtype_name
from ganglion.checks import check_number
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, GanglionNotice, shortened
from ganglion.files.exports.inputs import CodedDate
from ganglion.tables.columns.base import (
    FEWEST_MISSING,
    Column,
    Encoded,
    EncodedValue,
    check_range,
    limits,
    missing_values,
    outside,
)

CYCLES = {"month": 12, "weekday": 7, "hour": 24}
PARTS = (
    *("year", "month", "day", "weekday", "hour", "elapsed"),
    *(f"{part} {function}" for part in CYCLES for function in ("sine", "cosine")),
    "missing",
)
ELAPSED = PARTS.index("elapsed")
SMALLEST_SCALE = 1e-30  # of days: what is smaller was not measured, and dividing by it overflows
FEWEST_TURNS = 3  # different values of a part from which its place on a circle tells something new
MICROSECONDS = 86_400_000_000  # in a day
FORM_OF_DATES = "write dates as 2026-01-31"
EPOCH = datetime.datetime(1970, 1, 1)


def _circle(period: int) -> Array:
    """Return sine and cosine of each part of a period, with exact zeros."""
    angles = [2 * math.pi * part / period for part in range(period)]
    return np.array([[round(math.sin(angle), 15), round(math.cos(angle), 15)] for angle in angles])


CIRCLES = {part: _circle(period) for part, period in CYCLES.items()}


@dataclass(frozen=True)
class DateColumn(Column):
    """Those of year, month, day, weekday, hour and days elapsed that vary, each standardized.

    Month, weekday and hour also become points on a circle, on which December is beside January: the sine and
    the cosine of 2π · part / period. A last part is 1 where the date is missing, else 0.

    Args:
        fill: median of each part in the training rows; what stands for a missing date.
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
    parts: tuple[str, ...] = PARTS[: ELAPSED + 1]

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
                if name == "scale" and 0 < value < SMALLEST_SCALE:
                    raise ConfigError(f"scale must be 0 or at least {SMALLEST_SCALE:g}, got {value:g}")
        check_range(self.low, self.high)

    @classmethod
    def fit(cls, values: pl.Series) -> Self:
        """Compute median, mean and standard deviation of each part."""
        parts = cls._split(values.drop_nulls())
        scale = parts.std(axis=0)
        varies = scale > 0
        for part in CYCLES:
            if len(np.unique(parts[:, PARTS.index(part)])) < FEWEST_TURNS:
                varies[PARTS.index(f"{part} sine")] = varies[PARTS.index(f"{part} cosine")] = False
        varies[-1] = values.null_count() >= FEWEST_MISSING
        fill, center, scale[-1] = np.median(parts, axis=0), parts.mean(axis=0), 1.0
        fill[-1] = 1.0

        def row(array: Array) -> tuple[float, ...]:
            return tuple(map(float, array[varies]))

        days = parts[:, ELAPSED]
        names = tuple(name for name, each in zip(PARTS, varies, strict=True) if each)
        return cls(
            values.name, row(fill), row(center), row(scale), float(days.min()), float(days.max()), names
        )

    @classmethod
    def _split(cls, values: pl.Series) -> Array:
        times = values.cast(pl.Datetime("us")).to_numpy().astype("datetime64[us]")
        days, months, years = (times.astype(f"datetime64[{unit}]") for unit in "DMY")
        day = days.astype(np.int64)
        microseconds = times.astype(np.int64)
        month = months.astype(np.int64) % 12 + 1
        weekday = (day + 3) % 7 + 1
        hour = (microseconds - day * MICROSECONDS) // (MICROSECONDS // 24)
        turns = {"month": month, "weekday": weekday, "hour": hour}
        return np.column_stack(
            [
                years.astype(np.int64) + 1970.0,
                month,
                (days - months.astype("datetime64[D]")).astype(np.int64) + 1.0,
                weekday,
                hour,
                microseconds.astype(np.float64) / MICROSECONDS,
                *(CIRCLES[part][turns[part] % period] for part, period in CYCLES.items()),
                np.zeros(len(times)),
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
        days, parts = parts[:, ELAPSED], parts[:, self._places]
        if count:
            absent = parsed.is_null().to_numpy()
            days, parts[absent] = days[~absent], self.fill
        scale = np.array(self.scale)
        varies = scale > 0
        result = np.where(varies, (parts - np.array(self.center)) / np.where(varies, scale, 1), 0)
        notes = [missing_values(self.column, count, self.median)] if count else []
        least, most = self._limits
        if len(days) and (days.min() < least or days.max() > most):
            notes.append(self._outside(days[(days < least) | (days > most)]))
        return result, notes

    def encode_value(self, value: Any) -> EncodedValue:
        time, note = self._time(value), None
        parts: tuple[float, ...] = self.fill
        if time is None:
            note = missing_values(self.column, 1, self.median)
        else:
            elapsed = float((time - EPOCH) // MICROSECOND) / MICROSECONDS
            turns = (time.month, time.isoweekday(), time.hour)
            circles = (CIRCLES[part][turn % CYCLES[part]] for part, turn in zip(CYCLES, turns, strict=True))
            every = (
                *(time.year, time.month, time.day, time.isoweekday(), time.hour, elapsed),
                *(place for circle in circles for place in circle.tolist()),
                0.0,
            )
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

    def coded(self) -> CodedDate:
        spread = self.center, self.scale
        limits = self.low or 0.0, self.high or 20_000.0
        return CodedDate(self.column, len(self.parts), self.parts, self.fill, *spread, *limits)

    def describe(self) -> str:
        used = [part for part, scale in zip(self.parts, self.scale, strict=True) if scale > 0]
        plain = ", ".join(part for part in used if part in PARTS[: ELAPSED + 1])
        turning = ", ".join(part for part in CYCLES if f"{part} sine" in used or f"{part} cosine" in used)
        also = f"; {turning} also on a circle" if turning else ""
        return f"date: {plain}{also}{' + missing' if 'missing' in used else ''}"


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
