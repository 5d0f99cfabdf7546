"""Kinds of networks, and the quality levels made of them.

Tables differ in what they need: some are almost linear, some want sharp boundaries. The kinds differ in that,
and what they say of held-out rows tells how much each counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganglion.tables.defaults import EPOCHS


@dataclass(frozen=True)
class Kind:
    """One way to learn a table.

    Args:
        name: by which its branches are named.
        hidden: the units of the hidden layers; without any, the answer is linear in the bins.
        dropout: the rate after each hidden layer; None for that of a single network.
        epochs: where a single network has 60.
        rate: the highest learning rate.
        decay: the weight decay; None for that of a single network.
        in_bins: whether it sees the bins of the numbers, and not only the numbers themselves.
    """

    name: str
    hidden: tuple[int, ...] = (128, 64)
    dropout: float | None = None
    epochs: int = EPOCHS
    rate: float = 0.005
    decay: float | None = None
    in_bins: bool = True


STEADY = Kind("steady", epochs=40)
SHARP = Kind("sharp", dropout=0.0)
WIDE = Kind("wide", (256, 64), dropout=0.1)
STRAIGHT = Kind("straight", (), epochs=20, rate=0.02, decay=0.02)
PLAIN = Kind("plain", epochs=40, in_bins=False)
LINEAR = Kind("linear", (), rate=0.05, decay=0.02, in_bins=False)
QUICK = Kind("quick", epochs=20)

ROWS_FOR_FOLDS = 20_000  # for which all folds together should stand


@dataclass(frozen=True)
class Quality:
    """The kinds of networks of a quality level, and the least and the largest number of folds.

    Args:
        kinds: the networks tried.
        fewest_folds, most_folds: on which they learn.
        lead: folds on which all kinds learn; those that do not count there are given up.
        single: whether only the best kind is used, and learns again from all rows.
        of_texts: those for a table of nothing but texts, which did most of the learning already.
    """

    kinds: tuple[Kind, ...]
    fewest_folds: int
    most_folds: int
    lead: int = 1
    single: bool = False
    of_texts: tuple[Kind, ...] = (QUICK, LINEAR)

    def folds(self, rows: int) -> int:
        """Return the number of folds for so many rows: more where rows are few."""
        return int(np.clip(ROWS_FOR_FOLDS // max(rows, 1), self.fewest_folds, self.most_folds))


QUALITIES = {
    "fast": Quality((STEADY, SHARP, LINEAR), 5, 5, single=True),
    "good": Quality((STEADY, SHARP, STRAIGHT, PLAIN, LINEAR), 3, 5),
    "best": Quality(
        (STEADY, SHARP, WIDE, STRAIGHT, PLAIN, LINEAR), 5, 10, lead=10, of_texts=(QUICK, STEADY, WIDE, LINEAR)
    ),
}
