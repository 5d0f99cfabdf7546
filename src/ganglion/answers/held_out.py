"""What a network answered for rows that it has not learned from: all that judging a model reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganglion.core.part import Array


@dataclass(frozen=True)
class HeldOut:
    """The outputs of networks for held-out rows, and the truth.

    Args:
        outputs: the outputs of the network that did not learn from the row, (n, outputs).
        truth: the encoded targets, (n,).
        folds: the number of the split in which each row was held out, (n,); all 0 for one split.
        weight: the sample weight of each row, (n,); None if all count alike.
        groups: the number of each row's group, (n,): rows that are copies of each other, or of one person,
            count as one observation where chance is judged. None if the rows are independent.
    """

    outputs: Array
    truth: Array
    folds: Array
    weight: Array | None = None
    groups: Array | None = None

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def weights(self) -> Array:
        """The sample weights in float64, 1 for each row if there are none."""
        return np.ones(len(self)) if self.weight is None else self.weight.astype(np.float64)

    @property
    def units(self) -> Array:
        """The number of each row's independent unit, from 0 without gaps: its group, or the row itself."""
        if self.groups is None:
            return np.arange(len(self))
        return np.unique(self.groups, return_inverse=True)[1].reshape(-1)

    def part(self, rows: Array) -> HeldOut:
        """Return some of the rows, given by index or as a mask."""
        weight = None if self.weight is None else self.weight[rows]
        groups = None if self.groups is None else self.groups[rows]
        return HeldOut(self.outputs[rows], self.truth[rows], self.folds[rows], weight, groups)
