"""A column of true and false."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from ganglion.errors import DataError, shortened
from ganglion.files.exports.inputs import CodedWord
from ganglion.tables.columns.base import Column, Encoded, EncodedValue, missing_values


@dataclass(frozen=True)
class BooleanColumn(Column):
    """1 for true, -1 for false, 0 for missing."""

    name = "boolean"
    words: ClassVar[dict[str, float]] = {
        **dict.fromkeys(("true", "yes", "t", "y", "1"), 1.0),
        **dict.fromkeys(("false", "no", "f", "n", "0"), -1.0),
    }
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
        return numbers[:, None], [missing_values(self.column, count, self.neither)] if count else []

    def encode_value(self, value: Any) -> EncodedValue:
        number = self._number(value)
        return (number,), None if number else missing_values(self.column, 1, self.neither)

    def _number(self, value: Any, where: str = "") -> float:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return 0.0
        if isinstance(value, str):
            number = self.words.get(value.strip().lower())
        else:
            number = self.bits.get(value) if isinstance(value, int | float) else None
        if number is None:
            raise DataError(f"column {self.column!r} must be true or false, got {shortened(value)}{where}")
        return number

    def coded(self) -> CodedWord:
        rows = np.array(list(self.words.values()))[:, None]
        return CodedWord(self.column, 1, tuple(self.words), rows, missing=(0.0,), unknown=None, fold=True)

    def describe(self) -> str:
        return "true or false"
