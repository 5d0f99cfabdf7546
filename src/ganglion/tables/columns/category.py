"""A column of a few categories."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from ganglion.answers.values import as_text, as_word, counted, fold, fold_all, merged
from ganglion.checks import check_flag
from ganglion.core.part import Array
from ganglion.errors import ConfigError, GanglionNotice, amount, shortened
from ganglion.files.exports.inputs import CodedWord
from ganglion.tables.columns.base import ROWS_FOR_LISTS, Column, Encoded, EncodedValue, missing_values
from ganglion.tables.forking import forked

MOST_CATEGORIES = 100
FEWEST_ROWS = 3
UNKNOWN = -2


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
    def fit(
        cls,
        values: pl.Series,
        fold_case: bool = False,
        counts: tuple[pl.Series, pl.Series] | None = None,
    ) -> Self:
        """Learn the categories of the training rows; `counts` are the results of `counted`, if known."""
        if fold_case or counts is None:
            counts = counted(merged(as_text(values)) if fold_case else as_text(values))
        words, frequency = counts
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
            notes.append(missing_values(self.column, missing, self.no_category))
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
            note = (
                missing_values(self.column, 1, self.no_category)
                if word is None and not self.missing
                else None
            )
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

    def coded(self) -> CodedWord:
        others = self._rows[self._place[None]], self._rows[self._unseen]
        return CodedWord(self.column, self._width, tuple(self._words), None, *others, self.fold_case)

    def describe(self) -> str:
        extra = " + missing" * self.missing + " + other" * self.other
        shown = ", ".join(self.categories[:4]) + (", ..." if len(self.categories) > 4 else "")
        return f"category, {amount(len(self.categories), 'value')}{extra}: {shown}"
