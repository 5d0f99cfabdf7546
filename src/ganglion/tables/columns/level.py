"""A column of many categories: each becomes what the targets of its training rows say.

One-hot features of thousands of categories would each be learned from a handful of rows. Their means, shrunk
towards the mean of all rows, say the same in one feature for each class or number to predict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl

from ganglion.answers.target import MOST_GOALS
from ganglion.answers.values import as_text, as_word, counted, fold, fold_all, merged
from ganglion.checks import check_flag, check_number
from ganglion.core.part import Array
from ganglion.errors import ConfigError, GanglionNotice, shortened
from ganglion.files.exports.inputs import CodedWord
from ganglion.tables.columns.base import ROWS_FOR_LISTS, Column, Encoded, EncodedValue
from ganglion.tables.columns.category import words_of
from ganglion.tables.forking import forked

MOST_LEVELS = 100_000
FOLDS = 5
SMOOTHING = (0.01, 1e6)
DECIMALS = 6


@dataclass(frozen=True)
class LevelColumn(Column):
    """The mean of the targets of a value's category, shrunk towards the mean of all rows.

    A category with n training rows and the mean t becomes (n t + s p) / (n + s), where p is the mean of all
    rows. The smoothing s is the variance within categories divided by the variance between them, as in
    empirical Bayes: rare categories, and categories that say little, stay close to p. Unseen values become p.
    Daniele Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes in
    classification and prediction problems", SIGKDD Explorations 3 (2001), equations 3 to 5.

    In training, the mean of a row's category leaves out the rows of its own fold, hence the row's own target.

    Args:
        levels: the categories, as text.
        goals: what the features predict: the names of classes, or "mean".
        statistics: the shrunk means of each category for each goal, one category after the other.
        absent: the same for missing values.
        prior: the means of all rows.
        smoothing: the number of rows that the prior counts as, for each goal.
        scale: the standard deviation of the shrunk means, by which features are divided.
        fold_case: whether words that differ only in case or outer blanks are one category.
    """

    levels: tuple[str, ...]
    goals: tuple[str, ...]
    statistics: tuple[float, ...]
    absent: tuple[float, ...]
    prior: tuple[float, ...]
    smoothing: tuple[float, ...]
    scale: tuple[float, ...]
    fold_case: bool = False

    name = "levels"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("levels", "goals"):
            words = getattr(self, name)
            if not isinstance(words, tuple) or not all(isinstance(word, str) for word in words):
                raise ConfigError(f"{name} must be a tuple of strings")
            if len(set(words)) != len(words) or not words:
                raise ConfigError(f"{name} must be distinct, and at least one")
        if len(self.levels) > MOST_LEVELS or len(self.goals) > MOST_GOALS:
            raise ConfigError(f"there must be at most {MOST_LEVELS} levels and {MOST_GOALS} goals")
        check_flag("fold_case", self.fold_case)
        if len(self._place) != len(self.levels):
            raise ConfigError("levels must differ in more than case and outer blanks")
        for name in ("statistics", "absent", "prior", "smoothing", "scale"):
            values, count = getattr(self, name), len(self.goals)
            count *= len(self.levels) if name == "statistics" else 1
            if not isinstance(values, tuple) or len(values) != count:
                raise ConfigError(f"{name} must hold {count} numbers")
            for value in values:
                check_number(name, value, at_least=-1e30, at_most=1e30)
        for value in (*self.smoothing, *self.scale):
            check_number("smoothing and scale", value, above=0)

    @classmethod
    def fit(cls, values: pl.Series, goals: Mapping[str, Array], fold_case: bool = False) -> Self:
        """Learn the statistics of the training rows, given their targets by goal."""
        goals = _most_frequent(goals)
        text = merged(as_text(values)) if fold_case else as_text(values)
        levels = tuple(sorted(counted(text)[0].head(MOST_LEVELS)))
        zero, one = (0.0,) * len(goals), (1.0,) * len(goals)
        nothing = zero * len(levels)
        bare = cls(values.name, levels, tuple(goals), nothing, zero, zero, one, one, fold_case)
        codes, targets = bare._codes(values)[0], np.column_stack(list(goals.values()))
        known = codes <= len(levels)
        numbers, prior = np.bincount(codes, minlength=len(levels) + 2), targets.mean(axis=0)
        smoothing = np.array([_smoothing(codes[known], column[known]) for column in targets.T])
        sums = np.column_stack([np.bincount(codes, column, len(levels) + 2) for column in targets.T])
        means = (sums + smoothing * prior) / (numbers[:, None] + smoothing)
        means[-1] = prior  # of what is not among the levels
        spread = np.sqrt((numbers[:, None] * (means - prior) ** 2).sum(axis=0) / len(codes))
        scale = np.where(spread > 1e-9, spread, 1.0)
        means, prior = means.round(DECIMALS), prior.round(DECIMALS)

        def row(array: Array) -> tuple[float, ...]:
            return tuple(map(float, array.ravel()))

        return cls(
            values.name,
            levels,
            tuple(goals),
            row(means[: len(levels)]),
            row(means[len(levels)]),
            row(prior),
            row(smoothing),
            row(scale),
            fold_case,
        )

    @property
    def features(self) -> list[str]:
        return [f"{self.column}:{goal}" for goal in self.goals]

    def encode(self, values: pl.Series) -> Encoded:
        codes, notes = self._codes(values)
        return self._table[codes], notes

    def encode_value(self, value: Any) -> EncodedValue:
        word = value if type(value) is str else as_word(self.column, value)
        if word is None:
            return self._rows[-2], None
        place = self._place.get(fold(word) if self.fold_case else word)
        if place is None:
            return self._rows[-1], self._unknown(1, [word])
        return self._rows[place], None

    def encode_learned(self, values: pl.Series, goals: Mapping[str, Array], folds: Array) -> Encoded:
        codes, notes = self._codes(values)
        count = len(self.levels) + 2
        inside = codes * FOLDS + folds
        numbers = np.bincount(codes, minlength=count)[codes]
        numbers = numbers - np.bincount(inside, minlength=count * FOLDS)[inside]
        result = np.empty((len(codes), len(self.goals)))
        for i, name in enumerate(self.goals):
            goal = goals[name]
            sums = np.bincount(codes, goal, count)[codes]
            sums -= np.bincount(inside, goal, count * FOLDS)[inside]
            smoothing, prior = self.smoothing[i], self.prior[i]
            mean = (sums + smoothing * prior) / (numbers + smoothing)
            result[:, i] = (mean - prior) / self.scale[i]
        result[codes == count - 1] = 0
        return result, notes

    def _codes(self, values: pl.Series) -> tuple[Array, list[GanglionNotice]]:
        """Return the level of each row; the numbers after the last level stand for missing and unseen."""
        missing, unseen = len(self.levels), len(self.levels) + 1
        if len(values) < ROWS_FOR_LISTS or forked():
            words = words_of(values)
            keys = [None if w is None else fold(w) for w in words] if self.fold_case else words
            codes = np.array([missing if k is None else self._place.get(k, unseen) for k in keys], np.int64)
        else:
            text = as_text(values)
            found = (fold_all(text) if self.fold_case else text).cast(self._enum, strict=False)
            codes = found.to_physical().cast(pl.Int64).fill_null(unseen).to_numpy().copy()
            codes[text.is_null().to_numpy()] = missing
        rows = np.flatnonzero(codes == unseen)
        if not len(rows):
            return codes, []
        new = sorted({str(as_word(self.column, values[row])) for row in rows[:1000].tolist()})
        return codes, [self._unknown(len(rows), new)]

    def _unknown(self, count: int, new: list[str]) -> GanglionNotice:
        names = ", ".join(map(shortened, new[:5])) + (" ..." if len(new) > 5 else "")
        values = f"{count} values of unknown categories" if count > 1 else "1 value of an unknown category"
        text = f"column {self.column!r}: {values}, treated as the mean of all rows: {names}"
        return GanglionNotice(text, "unknown-categories")

    @cached_property
    def _keys(self) -> list[str]:
        return [fold(word) for word in self.levels] if self.fold_case else list(self.levels)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self._keys)}

    @cached_property
    def _enum(self) -> pl.Enum:
        return pl.Enum(self._keys)

    @cached_property
    def _table(self) -> Array:
        """The features of each level, then those of missing and of unseen values."""
        means = np.array([*self.statistics, *self.absent, *self.prior]).reshape(-1, len(self.goals))
        return (means - np.array(self.prior)) / np.array(self.scale)

    @cached_property
    def _rows(self) -> list[list[float]]:
        return self._table.tolist()

    def coded(self) -> CodedWord:
        *rows, missing, unseen = self._rows
        others = tuple(missing), tuple(unseen)
        return CodedWord(
            self.column, len(self.goals), tuple(self._keys), np.array(rows), *others, self.fold_case
        )

    def describe(self) -> str:
        shown = ", ".join(self.levels[:4])
        return f"category, {len(self.levels):,} values, as the mean target of each: {shown}, ..."


def _most_frequent(goals: Mapping[str, Array]) -> Mapping[str, Array]:
    """Return the goals with the largest sums, in order: of many classes, the most frequent."""
    names = sorted(goals, key=lambda name: -goals[name].sum())[:MOST_GOALS]
    return {name: goal for name, goal in goals.items() if name in names}


def _smoothing(codes: Array, goal: Array) -> float:
    """Return the variance within levels divided by that between them (one-way random effects)."""
    numbers = np.bincount(codes)
    numbers, sums = numbers[numbers > 0], np.bincount(codes, goal)[numbers > 0]
    rows, levels = len(codes), len(numbers)
    if levels < 2 or rows <= levels:
        return SMOOTHING[1]
    between = float((sums**2 / numbers).sum())
    within = max(float((goal**2).sum()) - between, 0.0) / (rows - levels)
    spread = (between - float(goal.sum()) ** 2 / rows) / (levels - 1) - within
    size = (rows - float((numbers.astype(float) ** 2).sum()) / rows) / (levels - 1)
    if spread <= 0 or size <= 0:
        return SMOOTHING[1]
    return float(np.clip(within * size / spread, *SMOOTHING))


def folds_of(rows: int, count: int = FOLDS) -> Array:
    """Return the fold of each training row, the same for all columns: equally many rows, at random."""
    folds = np.arange(rows) % count
    np.random.Generator(np.random.Philox(key=0)).shuffle(folds)
    return folds
