"""What a model remembers of the rows that it learned from: enough to tell when it is judged on them.

It keeps the smallest hashes of these rows (a bottom-k sketch; Broder, 1997). Of other rows, those whose hash
is as small can be looked up, and they are a random sample: a few kilobytes tell which fraction was learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ganglion.core.part import Array
from ganglion.core.random import Purpose, generator
from ganglion.errors import ConfigError, notice

MOST_HASHES = 500
MOST_ROWS = 200_000  # of more, too few could be looked up
ROWS_AT_ONCE = 4096
BITS = 53  # JSON readers keep whole numbers of this size
DISTINCT = 0.95  # of the rows; where more are equal, others are equal by chance, too
FEWEST, SHARE = 3, 0.1  # of the rows looked up that must be known to be worth a notice


@dataclass(frozen=True)
class LearnedRows:
    """The smallest hashes of the rows that a model learned from.

    Args:
        hashes: in ascending order, at most 500; () if nothing is known.
    """

    hashes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.hashes, tuple) or len(self.hashes) > MOST_HASHES:
            raise ConfigError(f"learned rows must be at most {MOST_HASHES} hashes")
        if not all(type(each) is int and 0 <= each < 2**BITS for each in self.hashes):
            raise ConfigError(f"the hashes of learned rows must be whole numbers below 2**{BITS}")
        if any(one >= other for one, other in zip(self.hashes, self.hashes[1:], strict=False)):
            raise ConfigError("the hashes of learned rows must ascend")

    @classmethod
    def of(cls, x: Array, y: Array) -> Self:
        """Return what to remember of encoded rows and targets: nothing where rows are often equal."""
        if not 0 < len(x) <= MOST_ROWS:
            return cls()
        distinct = np.unique(_hashes(x, y))
        return cls(tuple(distinct[:MOST_HASHES].tolist())) if len(distinct) >= DISTINCT * len(x) else cls()

    def fraction(self, x: Array, y: Array) -> float:
        """Return about which fraction of encoded rows and targets was learned from, 0 if that is unknown."""
        if not self.hashes or not len(x):
            return 0.0
        hashes = _hashes(x, y)
        if len(self.hashes) == MOST_HASHES:
            hashes = hashes[hashes <= self.hashes[-1]]
        known = np.isin(hashes, np.array(self.hashes, dtype=np.uint64))
        return float(known.mean()) if known.sum() >= FEWEST else 0.0

    def warn_of(self, x: Array, y: Array) -> None:
        """Notify the user if the model is judged on rows that it learned from."""
        share = self.fraction(x, y)
        if share >= SHARE:
            notice(
                f"about {share:.0%} of these rows are rows that the model learned from: what it says about "
                f"them is better than for new rows",
                "learned-rows",
            )


def _hashes(x: Array, y: Array) -> Array:
    """Return a hash of each row, (n,): a sum of its bits with random weights, mixed."""
    factors = generator(0, Purpose.SPLIT).integers(0, 2**63, x.shape[1] + 1, dtype=np.uint64) * 2 + 1
    target = np.ascontiguousarray(y, dtype=np.float64) + 0.0  # so that -0.0 equals 0.0
    found = target.view(np.uint64) * factors[-1]
    for first in range(0, len(x), ROWS_AT_ONCE):
        block = np.ascontiguousarray(x[first : first + ROWS_AT_ONCE], dtype=np.float32) + np.float32(0)
        found[first : first + ROWS_AT_ONCE] += block.view(np.uint32).astype(np.uint64) @ factors[:-1]
    for shift in (32, 29):
        found = (found ^ (found >> np.uint64(shift))) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(found >> np.uint64(64 - BITS))


def from_facts(facts: Any) -> LearnedRows:
    """Return the learned rows of a model file.

    Raises:
        ConfigError: if the facts are not a list of ascending hashes.
    """
    return LearnedRows(tuple(facts) if isinstance(facts, list) else facts)
