"""The result of a short training with other settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Trial:
    """The result of a short training.

    Attributes:
        losses: on the held-out rows, after each fifth of the steps.
        own: the final loss on the training rows.
        steps: the number of updates.
    """

    losses: Sequence[float]
    own: float
    steps: int

    @property
    def best(self) -> float:
        """The lowest loss, as with early stopping."""
        return min(self.losses)

    @property
    def usual(self) -> float:
        """The median: high where the loss oscillates, low where it only overfits at the end."""
        return float(np.median(self.losses))

    @property
    def last(self) -> float:
        """The mean of the last two losses."""
        return (self.losses[-1] + self.losses[-2]) / 2
