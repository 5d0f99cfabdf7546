"""The encoder: which columns are used, the kind of each, and the matrix they become."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl

from ganglion.answers.values import as_text, to_numbers
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, GanglionNotice, one_of
from ganglion.tables.columns import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    Encoded,
    NumberColumn,
)

FEW = 20
CONSTANT = "the same value in every row"
EMPTY = "no values"
DROPPED = "dropped"
GROUP = "keeps the rows of a group together"
WEIGHT = "the weight of each row"
RARE = "only rare values"
ROW_NUMBERS = "row numbers or identifiers"
NAMES = "a different value in most rows, like a name"
IDENTIFIER_NAME = re.compile(
    r"(?i:(^|[_\W])(id|uuid|guid|key|index|row|rownum|nr|no)$|^unnamed|^$)|[a-z]I[dD]$"
)
WRITTEN_NUMBER = r"^\s*[-+]?[$€£]?\s*\d{1,3}([,.' ]?\d{3})*([.,]\d+)?\s*[%$€£]?\s*$"
WRITTEN_DATE = r"^\s*(\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{4}[/.-]\d{1,2}[/.-]\d{1,2})([ T].*)?$"
ROWS_AT_ONCE = 2048
CELLS_FOR_THREADS = 200_000  # below, starting threads takes longer than the work that they would share
MAXIMUM_FEATURES = 100_000


@dataclass(frozen=True)
class Encoder:
    """Encodes the rows of a table as rows of numbers.

    Args:
        columns: the columns that are used, in order.
        left_out: the columns that are not used, each with the reason.

    >>> encoder = Encoder.fit(pl.DataFrame({"size": [1.0, 3.0], "color": ["red", "blue"], "same": [1, 1]}))
    >>> encoder.features, dict(encoder.left_out)
    (['size', 'color=blue', 'color=red'], {'same': 'the same value in every row'})
    >>> encoder.encode(pl.DataFrame({"color": ["blue"], "size": [3.0]}))[0]
    array([[1., 1., 0.]], dtype=float32)
    """

    columns: tuple[Column, ...]
    left_out: Mapping[str, str]

    @classmethod
    def fit(
        cls,
        table: pl.DataFrame,
        categories: Collection[str] = (),
        scaling: str = "standard",
    ) -> Self:
        """Determine the kind of each column and how to encode it.

        Args:
            table: the training rows, without the target.
            categories: columns to encode as categories whatever they hold.
            scaling: of numbers: "standard" (mean and standard deviation, the default) or "robust" (median
                and quartiles, for columns with outliers).

        Raises:
            DataError: for a column of free text or of numbers mixed with words, or if no usable column
                is left.
            ConfigError: for an unknown scaling.
        """
        if scaling not in ("standard", "robust"):
            raise ConfigError(f"scaling must be 'standard' or 'robust', got {scaling!r}")
        for name in categories:
            require_column(table, name)

        def fit_column(values: pl.Series) -> Column | str:
            if values.name in categories:
                return _fit_category(values) if values.n_unique() > 1 else CONSTANT
            return _fit_column(values, scaling == "robust")

        with ThreadPoolExecutor() as pool:
            found = dict(zip(table.columns, pool.map(fit_column, table.get_columns()), strict=True))
        columns = [column for column in found.values() if isinstance(column, Column)]
        left_out = {name: reason for name, reason in found.items() if isinstance(reason, str)}
        if not columns:
            why = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
            raise DataError(f"no column is left to learn from ({why or 'the table holds only the target'})")
        encoder = cls(tuple(columns), left_out)
        if len(encoder.features) > MAXIMUM_FEATURES:
            raise DataError(
                f"the columns must become at most {MAXIMUM_FEATURES} features, got {len(encoder.features)}"
            )
        return encoder

    def without(self, reasons: Mapping[str, str]) -> Self:
        """Return this encoder with some columns recorded as left out on purpose, each with the reason."""
        return dataclasses.replace(self, left_out={**self.left_out, **reasons})

    @property
    def features(self) -> list[str]:
        """The names of the features of each row."""
        return [feature for column in self.columns for feature in column.features]

    def reasons(self) -> dict[str, list[str]]:
        """Return the names of the columns left out, by reason."""
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            by_reason.setdefault(reason, []).append(name)
        return by_reason

    def encode(self, table: pl.DataFrame, besides: Collection[str] = ()) -> Encoded:
        """Return the rows as a float32 array of shape (n, features), and notes for the user.

        Columns may be in any order. Unknown columns are ignored and named in the notes, except for those
        in `besides`, such as the target.

        Raises:
            DataError: if a column is missing or holds values of another kind.
        """
        names = set(table.columns)
        if not names.issuperset(name for _, name in self._named):
            raise self._lacks(table.columns)

        def encode_column(column: Column) -> Encoded:
            numbers, notes = column.encode(table.get_column(column.column))
            part = _as_float32(numbers)
            if not np.isfinite(part).all():
                row = np.argwhere(~np.isfinite(part))[0][0]
                raise DataError(f"column {column.column!r} is too large in row {row}")
            return part, notes

        if table.height * len(self.columns) < CELLS_FOR_THREADS:
            encoded = [encode_column(column) for column in self.columns]
        else:
            with ThreadPoolExecutor() as pool:
                encoded = list(pool.map(encode_column, self.columns))
        parts = [part for part, _ in encoded]
        notes = [note for _, found in encoded for note in found]
        rows = np.empty((table.height, len(self.features)), dtype=np.float32)
        # A block of rows at a time, so that the block stays in the cache.
        for first in range(0, table.height, ROWS_AT_ONCE):
            block, start = slice(first, first + ROWS_AT_ONCE), 0
            for part in parts:
                rows[block, start : start + part.shape[1]] = part[block]
                start += part.shape[1]
        return rows, notes + self._note_surplus(names, besides)

    def encode_record(self, record: Mapping[str, Any], besides: Collection[str] = ()) -> Encoded:
        """Return a row of plain Python values by column as an array of shape (1, features), and notes.

        It has the same bits and the same notes as `encode` of a table with this row alone, without polars.

        Raises:
            DataError: if a column is missing or holds a value of another kind.
        """
        numbers: list[float] = []
        notes: list[GanglionNotice] = []
        for column, name in self._named:
            try:
                value = record[name]
            except KeyError:
                raise self._lacks(record) from None
            encoded, note = column.encode_value(value)
            numbers += encoded
            if note is not None:
                notes.append(note)
        row = _as_float32(np.array([numbers]))
        if not np.isfinite(row).all():
            feature = int(np.argwhere(~np.isfinite(row))[0][1])
            sizes = np.cumsum([len(column.features) for column in self.columns])
            name = self.columns[int(np.searchsorted(sizes, feature, side="right"))].column
            raise DataError(f"column {name!r} is too large in row 0")
        if not record.keys() <= self._known:
            notes += self._note_surplus(record, besides)
        return row, notes

    @cached_property
    def _named(self) -> list[tuple[Column, str]]:
        return [(column, column.column) for column in self.columns]

    @cached_property
    def _known(self) -> set[str]:
        return {column.column for column in self.columns} | set(self.left_out)

    def _lacks(self, names: Collection[str]) -> DataError:
        absent = [column.column for column in self.columns if column.column not in names]
        return DataError(
            f"the table lacks {listed(absent)}, which the model learned from", "it has: " + listed(names)
        )

    def _note_surplus(self, names: Iterable[str], besides: Collection[str]) -> list[GanglionNotice]:
        surplus = sorted(set(names) - self._known - set(besides))
        text = f"ignored, because unknown in training: {listed(surplus)}"
        return [GanglionNotice(text, "unknown-columns")] if surplus else []

    def configuration(self) -> dict[str, Any]:
        """Return the encoder as plain JSON data."""
        return {
            "columns": [column.configuration() for column in self.columns],
            "left_out": dict(self.left_out),
        }

    @classmethod
    def from_configuration(cls, configuration: Any) -> Self:
        """Return the encoder that `configuration` described.

        Raises:
            ConfigError: if the description is not valid.
        """
        if not isinstance(configuration, Mapping) or set(configuration) != {"columns", "left_out"}:
            raise ConfigError("an encoder must have columns and left_out")
        columns, left_out = configuration["columns"], configuration["left_out"]
        if not isinstance(columns, list) or not isinstance(left_out, Mapping):
            raise ConfigError("an encoder's columns must be a list, and left_out an object")
        if not all(isinstance(text, str) for item in left_out.items() for text in item):
            raise ConfigError("an encoder's left_out must hold the reasons as text")
        found = tuple(Column.find(column) for column in columns)
        if len({column.column for column in found}) != len(found):
            raise ConfigError("an encoder's columns must have different names")
        return cls(found, dict(left_out))


def require_column(table: pl.DataFrame, name: str) -> pl.Series:
    """Return a column by name.

    Raises:
        DataError: if there is no such column; the message suggests the nearest name.
    """
    if name not in table.columns:
        raise DataError(f"the table has no column {name!r}", one_of(str(name), table.columns))
    return table.get_column(name)


def _as_float32(numbers: Array) -> Array:
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32, copy=False)


def listed(names: Collection[str]) -> str:
    """Return at most ten names in quotes, and the number of the others."""
    shown = [repr(name) for name in names]
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")


def _fit_column(values: pl.Series, robust: bool) -> Column | str:
    """Return a fitted column of the right kind, or the reason why it is left out."""
    dtype = values.dtype
    words = dtype in (pl.String, pl.Categorical, pl.Enum)
    if not (words or dtype.is_numeric() or dtype in (pl.Boolean, pl.Date, pl.Datetime, pl.Duration, pl.Null)):
        raise DataError(
            f"column {values.name!r} must hold numbers, words, dates or true/false, got {str(dtype).lower()}",
            f"leave it out ({_leave_out(values.name)})",
        )
    missing = 0 < values.null_count() < len(values)
    if words:
        return _fit_words(as_text(values), missing, robust)
    if dtype == pl.Null or values.min() == values.max():
        # Wherever present it is the same: only whether it is missing carries information.
        return CategoryColumn.fit(values) if missing else CONSTANT if len(values.drop_nulls()) else EMPTY
    if dtype.is_integer() and _numbers_rows(values):
        return ROW_NUMBERS
    if dtype == pl.Boolean:
        return BooleanColumn.fit(values)
    if dtype in (pl.Date, pl.Datetime):
        return DateColumn.fit(values)
    return NumberColumn.fit(values, robust)


def _leave_out(name: str) -> str:
    return f"--drop {name}, in Python drop=[{name!r}]"


def _numbers_rows(values: pl.Series) -> bool:
    low, high = int(values.min()), int(values.max())  # type: ignore[arg-type]
    counting = high - low < 2 * len(values)  # consecutive numbers, at least half of them present
    named = IDENTIFIER_NAME.search(values.name) is not None
    return (counting or named) and len(values) > FEW and values.n_unique() == len(values)


def _fit_words(text: pl.Series, missing: bool, robust: bool) -> Column | str:
    present = text.drop_nulls()
    distinct = present.unique()
    if len(distinct) <= 1 and not missing:
        return CONSTANT if len(distinct) else EMPTY
    no_numbers = distinct.filter(distinct.cast(pl.Float64, strict=False).is_null())
    if no_numbers.is_empty() and len(distinct):  # numbers stored as text
        column = _fit_column(to_numbers(text), robust)
        return CategoryColumn.fit(text) if isinstance(column, CategoryColumn) else column
    for pattern, what, form in ((WRITTEN_NUMBER, "numbers", "1234.5"), (WRITTEN_DATE, "dates", "2026-01-31")):
        if len(no_numbers) > 0.2 * len(distinct) and no_numbers.str.contains(pattern).all():
            raise DataError(
                f"column {text.name!r} holds {what} in an unknown format, such as {no_numbers[0]!r}",
                f"write them as {form}, or leave the column out ({_leave_out(text.name)})",
            )
    if len(no_numbers) < 0.2 * len(distinct):
        row = text.is_in(no_numbers.implode()).arg_true()[0]
        raise DataError(
            f"column {text.name!r} holds numbers, but {text[row]!r} in row {row}",
            f"correct the value or leave it empty, or leave the column out ({_leave_out(text.name)})",
        )
    if len(distinct) > max(FEW, len(present) // 2):
        if float(distinct.str.count_matches(r"\s+").mean()) < 2:  # type: ignore[arg-type]
            return NAMES
        raise DataError(
            f"column {text.name!r} holds free text (such as {present[0][:40]!r}), and a network needs "
            f"numbers or categories",
            f"leave it out ({_leave_out(text.name)}), or turn it into categories or numbers first",
        )
    return _fit_category(text)


def _fit_category(values: pl.Series) -> Column | str:
    column = CategoryColumn.fit(values)
    return column if column.categories or column.missing else RARE
