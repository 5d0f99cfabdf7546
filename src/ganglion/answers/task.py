"""The guess of the task: whether a column of numbers holds classes or quantities, from its values alone.

Classes that are written as numbers are few whole numbers, each of which is frequent. Counts, ages, years and
prices have many values, or rare ones, or values that are not whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from ganglion.answers.values import to_numbers
from ganglion.core.part import Array

ROWS_FOR_EACH = 5  # rows in the mean that each class must have
FEW = 10  # up to here, whole numbers are classes unless they look like counts
MANY = 50  # from here on, numbers are quantities
FEWEST = 3  # rows that each class must have if there are many
TAIL = 0.05  # of the highest frequency: the last of counts is rarer
EVEN = 0.2  # of the mean frequency: each of many classes has more
STARS = 5  # values from 1 to here may be ratings, which are both
LARGE_CODE = 1e15
YEARS = (1800, 2200)
GAPPED = 5  # so many whole numbers ...
GAP = 3  # ... that are more than so far apart in the mean are amounts, such as doses


@dataclass(frozen=True)
class Guess:
    """A guess of the task.

    Args:
        task: "classification" or "regression".
        why: what speaks for it, where another reader might guess otherwise; else "".
    """

    task: str
    why: str = ""


def guess_task(values: pl.Series) -> Guess:
    """Return whether a target holds classes or numbers to predict; words and truth values are classes."""
    if not (values.dtype.is_numeric() or values.dtype == pl.Null):
        return Guess("classification")
    numbers = to_numbers(values).drop_nulls().to_numpy()
    distinct, counts = np.unique(numbers, return_counts=True)
    if len(distinct) > len(numbers) // ROWS_FOR_EACH and len(distinct) > 2:
        return Guess("regression")
    whole = bool((distinct == np.round(distinct)).all() and np.abs(distinct).max(initial=0) < LARGE_CODE)
    if not whole:
        few = f"only {len(distinct)} different values"
        return Guess("regression", few if len(distinct) <= FEW else "")
    if len(distinct) <= 2:
        return Guess("classification")
    if len(distinct) > MANY:
        return Guess("regression")
    few = f"{len(distinct)} different whole numbers"
    if distinct[0] >= YEARS[0] and distinct[-1] < YEARS[1]:
        return Guess("regression", f"{few}, like years" if len(distinct) <= FEW else few)
    if GAPPED <= len(distinct) <= FEW and distinct[-1] - distinct[0] > GAP * (len(distinct) - 1):
        return Guess("regression", f"{few} with gaps between them, like amounts")
    codes = distinct[0] in (0, 1) and distinct[-1] - distinct[0] == len(distinct) - 1
    if len(distinct) > FEW:
        frequent = counts.min() >= max(FEWEST, EVEN * counts.mean())
        if codes and counts.min() >= FEWEST and (frequent or _jumps(counts)):
            return Guess("classification", f"{few}, each of them frequent")
        return Guess("regression", few)
    if codes and _tails_off(counts):
        return Guess("regression", f"{few} that become ever rarer, like counts")
    # The rarest value may be a rare class, but several values of a row or two are no classes.
    if len(distinct) > ROWS_FOR_EACH and np.sort(counts)[1] < FEWEST:
        return Guess("regression", f"{few}, some of them rare")
    obvious = codes and (len(distinct) == 3 or counts.min() >= 0.5 * counts.mean())
    obvious = obvious and not (distinct[0] == 1 and len(distinct) == STARS)
    return Guess("classification", "" if obvious else few)


def _tails_off(counts: Array) -> bool:
    """Whether the frequencies rise to one peak and fall to a rare last value, as those of counts do."""
    if len(counts) < 5:
        return False
    peak = int(counts.argmax())
    toward_peak = _clear_steps(counts[: peak + 1], 2)
    away = _clear_steps(counts[peak:], 2)
    one_peak = (toward_peak >= 0).all() and (away <= 0).all()
    return bool(one_peak and peak < len(counts) // 2 and counts[-1] <= TAIL * counts[peak])


def _jumps(counts: Array) -> bool:
    """Whether the frequencies of neighbors rise and fall again and again, by more than chance explains."""
    return bool((np.diff(np.sign(_clear_steps(counts, 4))) != 0).sum() >= 3)


def _clear_steps(counts: Array, errors: float) -> Array:
    """Return the differences of neighbors that are larger than some standard errors."""
    steps = np.diff(counts)
    return steps[np.abs(steps) > errors * np.sqrt(counts[1:] + counts[:-1])]
