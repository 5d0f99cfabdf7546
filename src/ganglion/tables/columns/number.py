"""A column of numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl

from ganglion.answers.values import figure, to_float, to_floats, to_numbers
from ganglion.checks import check_flag, check_number
from ganglion.core.part import Array
from ganglion.errors import DataError, GanglionNotice
from ganglion.files.exports.inputs import CodedNumber
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

ROWS_FOR_MEDIAN = 100_000
ROWS_AT_ONCE = 2**14


@dataclass(frozen=True)
class NumberColumn(Column):
    """(value - center) / scale, with `fill` in place of missing values, and whether a value is missing.

    Args:
        fill: median of the training rows, or of an evenly spaced sample if there are over 100,000.
        center, scale: mean and standard deviation, or median and half the interquartile range.
        low, high: least and greatest value of the training rows; None if unknown.
        missing: whether a second feature is 1 where the value is missing, else 0.
    """

    fill: float
    center: float
    scale: float
    low: float | None = None
    high: float | None = None
    missing: bool = False

    name = "number"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("fill", self.fill)
        check_number("center", self.center)
        check_number("scale", self.scale, above=0)
        check_range(self.low, self.high)
        check_flag("missing", self.missing)

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
        return cls(values.name, median, center, scale, low, high, numbers.null_count() >= FEWEST_MISSING)

    @property
    def features(self) -> list[str]:
        return [self.column, f"{self.column}:missing"] if self.missing else [self.column]

    def encode(self, values: pl.Series) -> Encoded:
        missing, beyond = 0, list[Array]()
        least, most = self._limits
        result = np.zeros((len(values), len(self.features)), dtype=np.float32)
        for first in range(0, len(values), ROWS_AT_ONCE):  # a block of rows stays in the cache
            try:
                block = to_floats(
                    values if len(values) <= ROWS_AT_ONCE else values[first : first + ROWS_AT_ONCE]
                )
            except DataError:
                to_floats(values)  # names the row in the whole column
                raise
            if not (block.min() >= least and block.max() <= most):  # also if one is missing
                gaps = np.isnan(block)
                missing += int(np.count_nonzero(gaps))
                result[first : first + ROWS_AT_ONCE, 1:] = gaps[:, None]
                block = np.where(gaps, self.fill, block)
                beyond.append(block[(block < least) | (block > most)])
            with np.errstate(over="ignore"):  # the encoder refuses what is infinite
                result[first : first + ROWS_AT_ONCE, 0] = self.scaled(block)
        notes = [missing_values(self.column, missing, f"the median, {self.fill:g}")] if missing else []
        if beyond and len(outside := np.concatenate(beyond)):
            notes.append(self._outside(outside))
        return result, notes

    def encode_value(self, value: Any) -> EncodedValue:
        least, most = self._limits
        number, note, missing = value if type(value) is float else to_float(self.column, value), None, False
        if not least <= number <= most:
            number = to_float(self.column, number)  # refuses the infinite
            if missing := math.isnan(number):
                number, note = self.fill, missing_values(self.column, 1, f"the median, {self.fill:g}")
            if not least <= number <= most:
                note = self._outside(np.array([number]))
        scaled = self.scaled(number)
        return ((scaled, float(missing)) if self.missing else (scaled,)), note

    def scaled(self, numbers: Any) -> Any:
        """Return a number, or an array of numbers, as the network sees it."""
        return (numbers - self.center) / self.scale

    def unscaled(self, numbers: Any) -> Any:
        """Return a number of the network, or an array of numbers, in the column's own unit."""
        return numbers * self.scale + self.center

    def rule(self, number: float) -> tuple[str, dict[str, float]]:
        """Return the formula of `scaled` for a number, and what stands in it."""
        return "(value - center) / scale", {"value": number, "center": self.center, "scale": self.scale}

    @cached_property
    def _limits(self) -> tuple[float, float]:
        return limits(self.low, self.high)

    def _outside(self, numbers: Array) -> GanglionNotice:
        low, high = self.low or 0.0, self.high or 0.0
        return outside(self.column, numbers, low, high, lambda number: f"{number:g}")

    def coded(self) -> CodedNumber:
        low = self.center - 2 * self.scale if self.low is None else self.low
        high = self.center + 2 * self.scale if self.high is None else self.high
        width, numbers = len(self.features), (self.fill, self.center, self.scale)
        return CodedNumber(self.column, width, *numbers, self.missing, low, high, *self._knots)

    @property
    def _knots(self) -> tuple[tuple[float, ...], ...]:
        """The curve that stands for center and scale: its knots and heights; none here."""
        return ()

    def describe(self) -> str:
        return f"number, {figure(self.center)} ± {figure(self.scale)}{' + missing' if self.missing else ''}"
