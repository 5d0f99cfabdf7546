"""The encoder: which columns are used, what kind each is of, and the matrix they become together."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl

from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, one_of
from ganglion.tables.columns import BooleanColumn, CategoryColumn, Column, DateColumn, NumberColumn, as_text

FEW = 20
IDENTIFIER_NAME = re.compile(
    r"(^|[_\W])(id|uuid|guid|key|index|row|rownum|nr|no)$|^unnamed|^$", re.IGNORECASE
)
MAXIMUM_FEATURES = 100_000


@dataclass(frozen=True)
class Encoder:
    """Turns the rows of a table into rows of numbers, always in the same way.

    Args:
        columns: those that are used, in order.
        left_out: those that are not, with the reason in words.
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
        """Learn from the training rows, without the target, what each column is and how to encode it.

        Args:
            table: the training rows.
            categories: columns to be read as categories whatever they look like.
            scaling: of numbers: "standard" (mean and standard deviation) or "robust" (median and
                quartiles, for columns with wild values).

        Raises:
            DataError: for a column of free text, or of numbers with words among them, or if no usable
                column is left.
        """
        if scaling not in ("standard", "robust"):
            raise ConfigError(f"scaling must be 'standard' or 'robust', got {scaling!r}")
        for name in categories:
            require_column(table, name)
        columns: list[Column] = []
        left_out: dict[str, str] = {}
        for values in table.get_columns():
            if values.drop_nulls().n_unique() <= 1 and not 0 < values.null_count() < len(values):
                left_out[values.name] = "it is the same in every row"
            elif values.name in categories:
                columns.append(CategoryColumn.fit(values))
            elif reason := _identifier(values):
                left_out[values.name] = reason
            else:
                columns.append(_fit_column(values, scaling == "robust"))
        if not columns:
            why = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
            raise DataError(f"no column is left to learn from ({why or 'the table has no other column'})")
        encoder = cls(tuple(columns), left_out)
        if len(encoder.features) > MAXIMUM_FEATURES:
            raise DataError(
                f"the columns become {len(encoder.features)} numbers, more than {MAXIMUM_FEATURES}"
            )
        return encoder

    @property
    def features(self) -> list[str]:
        """The names of the numbers that each row becomes."""
        return [feature for column in self.columns for feature in column.features]

    def encode(self, table: pl.DataFrame) -> tuple[Array, list[str]]:
        """Return the rows as float32 numbers of shape (n, features), and notes worth showing.

        Columns may come in any order; those not known are ignored and named in the notes.

        Raises:
            DataError: if a column is missing or holds something of another kind.
        """
        names = set(table.columns)
        if absent := [c.column for c in self.columns if c.column not in names]:
            raise DataError(
                f"the table lacks {_listed(absent)}, which the model learned from",
                "it has: " + _listed(table.columns),
            )
        rows = np.empty((table.height, len(self.features)), dtype=np.float32)
        notes, start = [], 0
        for column in self.columns:
            numbers, found = column.encode(table.get_column(column.column))
            with np.errstate(over="ignore"):
                rows[:, start : start + numbers.shape[1]] = numbers
            start += numbers.shape[1]
            notes += found
        if not np.isfinite(rows).all():
            row, feature = np.argwhere(~np.isfinite(rows))[0]
            raise DataError(f"{self.features[feature]!r} is too large in row {row}")
        if surplus := sorted(names - {c.column for c in self.columns} - set(self.left_out)):
            notes.append(f"not used, because unknown in training: {_listed(surplus)}")
        return rows, notes

    def configuration(self) -> dict[str, Any]:
        """Return the encoder as plain JSON data."""
        return {
            "columns": [column.configuration() for column in self.columns],
            "left_out": dict(self.left_out),
        }

    @classmethod
    def from_configuration(cls, configuration: Any) -> Self:
        """Return the encoder described.

        Raises:
            ConfigError: if the description is anything else.
        """
        if not isinstance(configuration, Mapping) or set(configuration) != {"columns", "left_out"}:
            raise ConfigError("an encoder must have columns and left_out")
        columns, left_out = configuration["columns"], configuration["left_out"]
        if not isinstance(columns, list) or not isinstance(left_out, Mapping):
            raise ConfigError("an encoder must list its columns")
        if not all(isinstance(text, str) for item in left_out.items() for text in item):
            raise ConfigError("an encoder must say in words why columns are left out")
        found = tuple(Column.find(column) for column in columns)
        if len({column.column for column in found}) != len(found):
            raise ConfigError("an encoder's columns must have different names")
        return cls(found, dict(left_out))


def require_column(table: pl.DataFrame, name: str) -> pl.Series:
    """Return a column by name.

    Raises:
        DataError: if there is none, with the nearest names.
    """
    if name not in table.columns:
        raise DataError(f"the table has no column {name!r}", one_of(str(name), table.columns))
    return table.get_column(name)


def _listed(names: Collection[str]) -> str:
    shown = [repr(name) for name in names]
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")


def _identifier(values: pl.Series) -> str:
    """Return why a column only numbers or names the rows, "" if it does not."""
    known = values.drop_nulls()
    if len(known) <= FEW or known.n_unique() < len(known):
        return ""
    if values.dtype.is_integer():
        consecutive = known.max() - known.min() == len(known) - 1 and known.min() in (0, 1)  # type: ignore[operator]
        if consecutive or IDENTIFIER_NAME.search(values.name):
            return "it numbers the rows"
    if values.dtype == pl.String and not _wordy(known) and not _mostly_numbers(known):
        return "it is different in every row, like a name"
    return ""


def _wordy(known: pl.Series) -> bool:
    return float(known.str.count_matches(r"\s+").mean() or 0) >= 2  # type: ignore[arg-type]


def _mostly_numbers(known: pl.Series) -> bool:
    return known.cast(pl.Float64, strict=False).null_count() < 0.2 * len(known)


def _fit_column(values: pl.Series, robust: bool) -> Column:
    dtype = values.dtype
    if dtype == pl.Boolean:
        return BooleanColumn.fit(values)
    if dtype in (pl.Date, pl.Datetime):
        return DateColumn.fit(values)
    if dtype.is_numeric() or dtype == pl.Duration:
        if values.drop_nulls().n_unique() <= 1:  # the same wherever it is known: only its absence can tell
            return CategoryColumn.fit(values)
        return NumberColumn.fit(values, robust)
    if dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise DataError(
            f"column {values.name!r} must hold numbers, words, dates or true/false, got {str(dtype).lower()}",
            "drop the column",
        )
    known = as_text(values).drop_nulls()
    if _mostly_numbers(known):
        word = known.filter(known.cast(pl.Float64, strict=False).is_null())[0]
        row = (as_text(values) == word).arg_true()[0]
        raise DataError(
            f"column {values.name!r} holds numbers, but {word!r} in row {row}",
            f"mend the value or leave it empty, drop the column, or name {values.name!r} as a category",
        )
    if known.n_unique() > max(FEW, len(known) // 2):
        raise DataError(
            f"column {values.name!r} holds text, different in most rows (such as {known[0][:40]!r}), and a "
            f"network needs numbers or categories",
            f"drop {values.name!r}, or turn it into categories or numbers first",
        )
    return CategoryColumn.fit(values)
