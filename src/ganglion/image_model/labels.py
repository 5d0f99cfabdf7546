"""Several labels in one column: words such as "cat;dog", each of which becomes a target of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import polars as pl

from ganglion.answers.values import as_text
from ganglion.errors import ConfigError, DataError, amount, notice, shortened
from ganglion.images import Pictures

MOST_TARGETS = 100  # of one network of pictures
SEPARATORS = (";", "|")
MANY = 0.1  # of the values of a column: from here on, a separator in them is no accident
NAME = "labels"  # of the column that predictions have


@dataclass(frozen=True)
class LabelColumn:
    """A column in which words stand side by side: the labels of each picture.

    Args:
        column: its name.
        separator: what stands between the words.
        words: all labels, in order; each is the name of a target.
    """

    column: str
    separator: str
    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.column, str):
            raise ConfigError(f"a column of labels must be named by text, got {shortened(self.column)}")
        check_separator(self.separator)
        words = self.words
        if not isinstance(words, tuple) or not all(isinstance(w, str) and w for w in words):
            raise ConfigError(f"labels must be words, got {shortened(words)}")
        if len(set(words)) < len(words):
            raise ConfigError(f"labels must be different words, got {shortened(words)}")

    @classmethod
    def fit(cls, values: pl.Series, separator: str) -> Self:
        """Find the labels in a column.

        Raises:
            DataError: for fewer than 2, or more than a network may have targets, or if every picture has one
                of them.
        """
        found = words_of(values, separator)
        every = sorted(set[str]().union(*found))
        what = f"the column {values.name!r} must hold at least two labels"
        if not every:
            raise DataError(f"{what}, and all of its cells are empty")
        if len(every) == 1:
            raise DataError(
                f"{what}, got only {every[0]!r}",
                "leave out label_separator, and write a word into every cell",
            )
        if len(every) > MOST_TARGETS:
            raise DataError(
                f"the column {values.name!r} must hold at most {MOST_TARGETS} labels, got {len(every):,}",
                "keep the most frequent ones",
            )
        if everywhere := sorted(set(every).intersection(*found)):
            raise DataError(
                f"a label must be missing from some pictures to be learned, got {everywhere[0]!r} for all",
                f"remove the label from the column {values.name!r}",
            )
        if max(map(len, found)) < 2:
            notice(
                f"each picture has at most one label: no value of {values.name!r} has words on both sides of "
                f"{separator!r}",
                "several-labels",
            )
        return cls(values.name, separator, tuple(every))

    def targets(self, values: pl.Series) -> pl.DataFrame:
        """Return a column for each label: whether each picture has it. Unknown ones are ignored, with a
        notice; an empty cell has none.
        """
        found = words_of(values, self.separator)
        if unknown := sorted(set[str]().union(*found) - set(self.words)):
            notice(
                f"{amount(len(unknown), 'label is', 'labels are')} unknown to the model and ignored: "
                f"{', '.join(unknown[:5])}{', ...' if len(unknown) > 5 else ''}",
                "unknown-labels",
            )
        return pl.DataFrame([pl.Series(word, [word in each for each in found]) for word in self.words])

    def joined(self, has: Sequence[pl.Series]) -> pl.Series:
        """Return the labels of each row, joined by the separator, given for each whether the row has it."""
        rows = zip(*has, strict=True)
        cells = [
            self.separator.join(word for word, yes in zip(self.words, row, strict=True) if yes)
            for row in rows
        ]
        return pl.Series(NAME, cells, dtype=pl.String)


def check_separator(separator: object) -> str:
    """Return what stands between labels, which may be a blank.

    Raises:
        ConfigError: if it is no sign.
    """
    if not isinstance(separator, str) or not separator:
        raise ConfigError(
            f"label_separator must be the sign between labels, got {shortened(separator)}",
            'such as label_separator=";" (--label-separator ";")',
        )
    return separator


def words_of(values: pl.Series, separator: str) -> list[set[str]]:
    """Return the labels in each cell, none in an empty one."""
    cells = as_text(values).fill_null("").to_list()
    return [{word.strip() for word in cell.split(separator)} - {""} for cell in cells]


def split_labels(pictures: Pictures, name: str, separator: str) -> tuple[Pictures, LabelColumn]:
    """Return the pictures with a target for each label in a column, and the column.

    Raises:
        DataError: as `LabelColumn.fit` does, and for a label named as another column.
    """
    assert pictures.targets is not None
    values, others = pictures.targets.get_column(name), pictures.targets.drop(name)
    found = LabelColumn.fit(values, separator)
    if clash := set(found.words) & set(others.columns):
        raise DataError(
            f"a label must not be named as another column, got {min(clash)!r}", "rename the column"
        )
    return dataclasses.replace(pictures, targets=found.targets(values).hstack(others)), found


def notice_labels(values: pl.Series) -> None:
    """Notify the user if the values of a target look like several labels in one column."""
    if values.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return
    distinct = values.drop_nulls().cast(pl.String)
    for separator in SEPARATORS:
        several = distinct.str.contains(separator, literal=True)
        if not len(distinct) or several.mean() < MANY:  # type: ignore[operator]
            continue
        words = set[str]().union(*words_of(distinct, separator))
        if len(words) < distinct.n_unique():
            notice(
                f"many values of {values.name!r} hold several words, such as "
                f"{shortened(distinct.filter(several)[0])}; label_separator={separator!r} "
                f"(--label-separator {separator!r}) learns each of the {len(words)} words as a label",
                "several-labels",
            )
            return
