"""The columns of a table as the formats see them: a few ways in which a value becomes numbers.

Every kind of column of a table is one of these, so that a format has to know no more than these.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.core.part import Array
from ganglion.text.grams import Grams

SAMPLE_TEXT = (
    "the a not Good good BAD very great, don't it's 2026 3.5 (see below) Köln ÄRGER e-mail naïve Straße ΟΔΟΣ "
    "мир 東京 🙂 is was and of love new time ! ..."
)
PERIODS = {"month": 12, "weekday": 7, "hour": 24}  # of the parts of a date that turn
DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)  # each month, unless in a leap year
UNKNOWN_WORD, UNKNOWN_NUMBER = "something new", 987654.25


@dataclass(frozen=True)
class Coded:
    """A column, and how many features its values become.

    Args:
        column: its name.
        width: the number of features.
    """

    column: str
    width: int

    def draw(self, random: np.random.Generator) -> Any:
        """Return a value at random, now and then missing or unlike those of training, to try a file with."""
        raise NotImplementedError


@dataclass(frozen=True)
class CodedNumber(Coded):
    """(value - center) / scale, or the place of the value on a curve.

    Args:
        fill: what stands for a missing number.
        center, scale: see above.
        missing: whether a second feature is 1 where the number is missing, else 0.
        low, high: the least and the greatest value of training.
        knots, heights: of the curve, between which it follows lines; () for none.
    """

    fill: float
    center: float
    scale: float
    missing: bool
    low: float
    high: float
    knots: tuple[float, ...] = ()
    heights: tuple[float, ...] = ()

    def draw(self, random: np.random.Generator) -> float | None:
        if random.random() < 0.1:
            return None
        number = self.low + (self.high - self.low) * float(random.uniform(-0.1, 1.1))
        return float(f"{number:.6g}")


@dataclass(frozen=True)
class CodedWord(Coded):
    """The features of a word: 1 at the place of its category, or a row of a table.

    Args:
        words: the known ones.
        rows: the features of each; None if word i has 1 at place i and 0 elsewhere.
        missing: the features of a missing word.
        unknown: those of any other word; None if it is an error.
        fold: whether case and outer blanks do not count.
        numeric: whether the words are numbers, and are given as such.
    """

    words: tuple[str, ...]
    rows: Array | None
    missing: tuple[float, ...]
    unknown: tuple[float, ...] | None
    fold: bool = False
    numeric: bool = False

    @property
    def table(self) -> Array:
        """The features of each word."""
        return np.eye(len(self.words), self.width) if self.rows is None else self.rows

    def draw(self, random: np.random.Generator) -> str | float | None:
        chance = random.random()
        if chance < 0.1:
            return None
        if chance < 0.2 and self.unknown is not None:
            return UNKNOWN_NUMBER if self.numeric else UNKNOWN_WORD
        word = self.words[int(random.integers(len(self.words)))]
        return float(word) if self.numeric else word


@dataclass(frozen=True)
class GramTable:
    """Numbers of n-grams that are summed over a text.

    Args:
        kinds: the n-grams that are counted.
        bits: they fall into 2^bits buckets.
        buckets: those in use, ascending.
        rarity: how much each weighs.
        weights: whole numbers of a byte, (buckets, units), and `scales`, by which each row is multiplied.
        bias: what is added to each sum.
    """

    kinds: tuple[Grams, ...]
    bits: int
    buckets: Array
    rarity: Array
    weights: Array
    scales: Array
    bias: Array


@dataclass(frozen=True)
class CodedText(Coded):
    """Sums over the n-grams of a text, standardized; 0 if none of those of the first table is known.

    Args:
        tables: of the sums, one after the other.
        center, scale: of each sum.
        letters: the classes of code points, as `ganglion.text.letters.RUNS` has them.
    """

    tables: tuple[GramTable, ...]
    center: tuple[float, ...]
    scale: tuple[float, ...]
    letters: str

    def draw(self, random: np.random.Generator) -> str | None:
        if random.random() < 0.1:
            return None
        words = SAMPLE_TEXT.split()
        chosen = random.integers(len(words), size=int(random.integers(1, 12)))
        return " ".join(words[i] for i in chosen)


@dataclass(frozen=True)
class CodedPicture(Coded):
    """byte * factor + shift, for each channel.

    Args:
        shape: height, width and channels.
        fit: how a picture of another shape is brought to this one: "crop" or "pad".
        factors, shifts: of each channel.
    """

    shape: tuple[int, int, int]
    fit: str
    factors: tuple[float, ...]
    shifts: tuple[float, ...]

    def draw(self, random: np.random.Generator) -> Array:
        return random.integers(256, size=self.shape, dtype=np.uint8)


@dataclass(frozen=True)
class CodedDate(Coded):
    """Parts of a date, each standardized.

    Args:
        parts: their names: year, month, day, weekday, hour, elapsed (days since 1970), "month sine" ..., and
            missing.
        fill: the parts of a missing date.
        center, scale: of each part; a scale of 0 makes 0 of it.
        low, high: the first and the last date of training, in days since 1970.
    """

    parts: tuple[str, ...]
    fill: tuple[float, ...]
    center: tuple[float, ...]
    scale: tuple[float, ...]
    low: float
    high: float

    def draw(self, random: np.random.Generator) -> str | None:
        if random.random() < 0.1:
            return None
        days = self.low + (self.high - self.low) * float(random.uniform())
        date = datetime.datetime(1970, 1, 1) + datetime.timedelta(minutes=round(days * 24 * 60))
        return date.isoformat(sep=" ")
