"""Which kind a column is, or why it is left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from ganglion.answers.values import as_text, counted, merged, to_numbers
from ganglion.core.part import Array
from ganglion.errors import DataError
from ganglion.tables.columns import (
    MOST_CATEGORIES,
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    LevelColumn,
    NumberColumn,
    QuantileColumn,
    TextColumn,
)
from ganglion.tables.reading.cells import LEADING_ZERO

FEW = 20
FEWEST_COVERED = 0.9  # one-hot features must cover this fraction of the values, else all levels are kept
CONSTANT = "the same value in every row"
EMPTY = "no values"
RARE = "only rare values"
ROW_NUMBERS = "row numbers or identifiers"
NAMES = "a different value in most rows, like a name"
NO_NAME = re.compile(r"(?i)^$|^unnamed|^(row name|row_?names|column_0)$")
IDENTIFIER_NAME = re.compile(
    r"(?i:(^|[_\W])(id|uuid|guid|key|index|row|rownum|nr|no)$|^unnamed|^$)|[a-z]I[dD]$"
)
WRITTEN_NUMBER = r"^\s*[-+]?[$€£]?\s*\d{1,3}([,.' ]?\d{3})*([.,]\d+)?\s*[%$€£]?\s*$"
WRITTEN_DATE = r"^\s*(\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{4}[/.-]\d{1,2}[/.-]\d{1,2})([ T].*)?$"
YEARS = range(1800, 2200)


def _leave_out(name: str) -> str:
    return f"--drop {name}, in Python drop=[{name!r}]"


def _numbers_rows(values: pl.Series) -> bool:
    """Return whether the name says that a column identifies rows, or the order does: 1001, 1002, 1003 ..."""
    present = values.drop_nulls() if values.null_count() else values
    if len(present) <= FEW:
        return False
    numbers = present.to_numpy()
    if NO_NAME.search(values.name) is not None and (numbers[1:] > numbers[:-1]).all():
        return True
    if IDENTIFIER_NAME.search(values.name) is not None:
        whole = values.dtype.is_integer() or bool((present == present.round()).all())
        return whole and present.n_unique() == len(present)
    first, last = numbers[0], numbers[-1]
    if not 0 <= first < np.inf or first != round(first) or (first in YEARS and last in YEARS):
        return False
    # Rows that are not learned from are null.
    places = (
        np.flatnonzero(values.is_not_null().to_numpy()) if values.null_count() else np.arange(len(values))
    )
    start = first - places[0]
    if start < 0:
        return False
    return bool(last - start == places[-1] and (numbers == start + places).all())


@dataclass(frozen=True)
class Fit:
    """Fits columns of the right kind, or gives the reason why one is left out.

    Args:
        scaling: of numbers; see `Encoder.fit`.
        goals: the targets of the rows by name, None if unknown.
        fold_case: whether words that differ only in case or outer blanks are one category.
    """

    scaling: str
    goals: Mapping[str, Array] | None
    fold_case: bool

    def column(self, values: pl.Series, kept: bool = False, not_text: bool = False) -> Column | str:
        """Return a fitted column or the reason.

        Args:
            values: the column.
            kept: whether row numbers and names are no reason.
            not_text: whether it is no text, whatever it holds.
        """
        dtype = values.dtype
        words = dtype in (pl.String, pl.Categorical, pl.Enum)
        if not (
            words
            or dtype.is_numeric()
            or dtype in (pl.Boolean, pl.Date, pl.Datetime, pl.Time, pl.Duration, pl.Null)
        ):
            raise DataError(
                f"column {values.name!r} must hold numbers, words, dates or true/false, "
                f"got {str(dtype).lower()}",
                f"leave it out ({_leave_out(values.name)})",
            )
        missing = 0 < values.null_count() < len(values)
        if words:
            return self.words(as_text(values), missing, kept, not_text)
        if dtype == pl.Null or values.min() == values.max():
            # Wherever present it is the same: only whether it is missing carries information.
            return CategoryColumn.fit(values) if missing else CONSTANT if len(values.drop_nulls()) else EMPTY
        if dtype.is_numeric() and not kept and _numbers_rows(values):
            return ROW_NUMBERS
        if dtype == pl.Boolean:
            return BooleanColumn.fit(values)
        if dtype in (pl.Date, pl.Datetime):
            return DateColumn.fit(values)
        kind = QuantileColumn if self.scaling == "quantile" else NumberColumn
        return kind.fit(values, self.scaling == "robust")

    def words(self, text: pl.Series, missing: bool, kept: bool, not_text: bool = False) -> Column | str:
        """Return a fitted column of text, or the reason why it is left out."""
        distinct, frequency = counted(text)
        if len(distinct) <= 1 and not missing:
            return CONSTANT if len(distinct) else EMPTY
        no_numbers = distinct.filter(distinct.cast(pl.Float64, strict=False).is_null())
        if distinct.str.contains(LEADING_ZERO).any():  # codes, such as 02116
            return self.category(text, (distinct, frequency))
        if no_numbers.is_empty() and len(distinct):  # numbers stored as text
            column = self.column(to_numbers(text), kept)
            return CategoryColumn.fit(text) if isinstance(column, CategoryColumn) else column
        for pattern, what, form in (
            (WRITTEN_NUMBER, "numbers", "1234.5"),
            (WRITTEN_DATE, "dates", "2026-01-31"),
        ):
            if len(no_numbers) > 0.2 * len(distinct) and no_numbers.str.contains(pattern).all():
                raise DataError(
                    f"column {text.name!r} holds {what} in an unknown format, such as {no_numbers[0]!r}",
                    f"write them as {form}"
                    + (", or give their form, such as --date-format %Y-%d-%m" if what == "dates" else "")
                    + f", or leave the column out ({_leave_out(text.name)})",
                )
        if len(no_numbers) < 0.2 * len(distinct):
            row = text.is_in(no_numbers.implode()).arg_true()[0]
            raise DataError(
                f"column {text.name!r} holds numbers, but {text[row]!r} in row {row}",
                f"correct the value or leave it empty; to count it as missing, use --missing '{text[row]}' "
                f"(read=gg.ReadOptions(missing=[{text[row]!r}])); or take it for a category "
                f"(--category {text.name}, in Python categories=[{text.name!r}]); or leave the "
                f"column out ({_leave_out(text.name)})",
            )
        if not kept and len(distinct) > FEW and 2 * int((frequency == 1).sum()) > int(frequency.sum()):
            if not_text or float(distinct.str.count_matches(r"\s+").mean()) < 2:  # type: ignore[arg-type]
                return NAMES
            return TextColumn.bare(text)
        return self.category(text, (distinct, frequency))

    def category(self, values: pl.Series, words: tuple[pl.Series, pl.Series] | None = None) -> Column | str:
        """Return a fitted column of categories, or the reason why it is left out.

        Args:
            values: the column.
            words: its different values and how often each occurs, if that is known.
        """
        column = CategoryColumn.fit(values, self.fold_case, words)
        if self.goals is not None and column.other:
            text = merged(as_text(values)) if self.fold_case else as_text(values)
            present = text.drop_nulls()
            covered = int(present.is_in(list(column.categories)).sum())
            if present.n_unique() > MOST_CATEGORIES and covered < FEWEST_COVERED * len(present):
                return LevelColumn.fit(values, self.goals, self.fold_case)
        return column if column.categories or column.missing else RARE
