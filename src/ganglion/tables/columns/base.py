"""The base class of kinds of columns, and what several kinds say of their values."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from ganglion.checks import check_number
from ganglion.core.part import Array, Part
from ganglion.errors import ConfigError, GanglionNotice
from ganglion.files.exports.inputs import Coded

MARGIN = 0.25  # of the range that was learned: values that lie farther outside are noted
FEWEST_MISSING = 5  # values for which a feature of their own says that they are missing
ROWS_FOR_LISTS = 20_000  # below, a list of Python words is looked up faster than polars is called
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

    def encode_learned(self, values: pl.Series, goals: Mapping[str, Array], folds: Array) -> Encoded:
        """Return the features of the rows that the column was fitted on, as `encode` does by default.

        A kind whose features are made from the targets makes those of a row from the other folds, so that no
        row is described by its own target.

        Args:
            values: of the training rows.
            goals: their targets by name, of shape (n,) each.
            folds: the fold of each row.
        """
        return self.encode(values)

    def arrays(self) -> Mapping[str, Array]:
        """Return what a model file holds of the column besides its configuration."""
        return {}

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        """Return the column with its arrays.

        Raises:
            ConfigError: for arrays that do not fit.
        """
        if arrays:
            raise ConfigError(f"a column of kind {self.name} has no arrays")
        return self

    def alone(self) -> Self:
        """Return the column without what only its training needed."""
        return self

    def coded(self) -> Coded:
        """Return the encoding as exported files have it.

        Raises:
            ConfigError: if no exported file can have it.
        """
        raise ConfigError(f"column {self.column!r}, of kind {self.name}, cannot be exported")

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


def missing_values(column: str, count: int, replacement: str) -> GanglionNotice:
    """Return a note on missing values."""
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
