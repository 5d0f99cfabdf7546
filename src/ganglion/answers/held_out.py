"""What a network answered for rows that it has not learned from: all that judging a model reads."""

from __future__ import annotations

from dataclasses import dataclass

from ganglion.core.part import Array


@dataclass(frozen=True)
class HeldOut:
    """The outputs of networks for held-out rows, and the truth.

    Args:
        outputs: the outputs of the network that did not learn from the row, (n, outputs).
        truth: the encoded targets, (n,).
        folds: the number of the split in which each row was held out, (n,); all 0 for one split.
        weight: the sample weight of each row, (n,); None if all count alike.
    """

    outputs: Array
    truth: Array
    folds: Array
    weight: Array | None = None
