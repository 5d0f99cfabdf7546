"""Copies: rows that are equal, or nearly, in all inputs, although nothing but copying explains it.

A copy in the test of a row that was learned makes a score too good. Rows that are equal because few different
ones are possible, such as those of two yes-or-no columns, are no copies.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from ganglion.answers.splits import joined
from ganglion.answers.values import as_text
from ganglion.core.part import Array
from ganglion.core.random import Purpose, generator

# Of the rows that are equal in all columns but one, this fraction must be equal in that one too.
EQUAL_TOO = 0.75
# Numbers of more significant digits than this are not equal by chance.
DIGITS = 4
# Copies of numbers may differ by this fraction of a standard deviation, if chance makes no such pair.
CELL = 1e-4
CHANCE = 0.1
SAMPLE = 100_000
FEWEST_WORDS = 4  # of a text that is not the same as another by chance
MOST_COLUMNS = 50


def find_copies(table: pl.DataFrame) -> Array | None:
    """Return a number for each row, equal for copies of one row; None if there are no copies.

    Args:
        table: the inputs.
    """
    hashes = [_hashed(values, seed) for seed, values in enumerate(table.get_columns())]
    continuous = [place for place, values in enumerate(table.get_columns()) if _is_continuous(values)]
    total = _sum(hashes)
    found = []
    if _pairs(total) and (continuous or not _equal_by_chance(hashes, total)):
        found.append(total)
    # In a cell of this size, rows meet by chance less often than once in ten tables.
    if continuous and table.height**2 * (CELL / 3) ** len(continuous) < CHANCE:
        for shift in (0.0, 0.5):  # close numbers that one grid separates are together in the other
            cells = list(hashes)
            for place in continuous:
                cells[place] = _cells(table.to_series(place), shift, place)
            near = _sum(cells)
            if _pairs(near):
                found.append(near)
    return joined(*found) if found else None


def same_texts(texts: pl.Series) -> Array | None:
    """Return a number for each row, equal for texts of the same words; None if there are none.

    Case, blanks and punctuation do not count, and texts of a few words are the same by chance.
    """
    words = as_text(texts).str.to_lowercase().str.replace_all(r"[\s\p{P}]+", " ").str.strip_chars()
    own = pl.Series(np.arange(len(texts))).cast(pl.String)  # equal to no text, because it has no blank
    long = (words.str.count_matches(" ") >= FEWEST_WORDS - 1).fill_null(False)
    labels = words.zip_with(long, own).hash(0).to_numpy()
    return labels if _pairs(labels) else None


def count_copies(copies: Array) -> int:
    """Return how many rows are copies of an earlier row."""
    return len(copies) - len(np.unique(copies))


def contradiction(copies: Array, targets: Sequence[object]) -> tuple[int, tuple[int, int]] | None:
    """Return in how many sets of copies the targets differ, and two rows of the first such set."""
    order = np.argsort(copies, kind="stable")
    codes = np.unique(np.asarray(targets, dtype=str), return_inverse=True)[1]
    first = order[np.unique(copies[order], return_index=True)[1]]
    differ = codes != codes[first][np.unique(copies, return_inverse=True)[1]]
    if not differ.any():
        return None
    row = int(np.flatnonzero(differ)[0])
    earlier = int(np.flatnonzero(copies == copies[row])[0])
    return len(np.unique(copies[differ])), (earlier, row)


def _sum(hashes: list[Array]) -> Array:
    return np.asarray(np.sum(hashes, axis=0, dtype=np.uint64))


def _hashed(values: pl.Series, seed: int) -> Array:
    if values.dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    if values.dtype.is_float():
        values = values + 0.0  # so that -0.0 equals 0.0
    return values.hash(seed).to_numpy()


def _is_continuous(values: pl.Series) -> bool:
    """Return whether most of the numbers have more digits than two of them share by chance."""
    if not values.dtype.is_float():
        return False
    numbers = values.drop_nulls().to_numpy()
    if not len(numbers):
        return False
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        unit = 10.0 ** (np.floor(np.log10(np.abs(numbers))) - (DIGITS - 1))
        off = np.abs(numbers / unit - np.round(numbers / unit)) > 1e-6
    return bool((off & (numbers != np.round(numbers))).mean() > 0.5)


def _cells(values: pl.Series, shift: float, seed: int) -> Array:
    deviation = values.std() or 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (values - values.mean()) / (deviation * CELL) + shift
    return scaled.floor().hash(seed).to_numpy()


def _pairs(hashes: Array) -> int:
    counts = np.unique(hashes, return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum())


def _equal_by_chance(hashes: list[Array], total: Array) -> bool:
    """Return whether rows that are equal in all columns but one often differ in that one."""
    rows = generator(0, Purpose.SPLIT).permutation(len(total))[:SAMPLE]
    total = total[rows]
    pairs = _pairs(total)
    return any(pairs < EQUAL_TOO * _pairs(total - column[rows]) for column in hashes[:MOST_COLUMNS])
