"""Training data: inputs, encoded targets and sample weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.core.inputs import take_rows
from ganglion.core.part import Array
from ganglion.core.supply import Supply
from ganglion.errors import DataError

NUMBERS_AT_ONCE = 2**23  # the size of a piece of lazy rows that is made dense


@dataclass(frozen=True)
class Rows:
    """Inputs, encoded targets and sample weights (None if all are 1).

    The inputs are those that `core.inputs.read_rows` returns, or lazy: a `Supply` or a SciPy CSR matrix,
    which is made dense a few rows at a time.
    """

    x: Any
    y: Array
    sample_weight: Array | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def is_lazy(self) -> bool:
        """Whether the inputs are not yet an array."""
        return hasattr(self.x, "toarray")

    @property
    def at_once(self) -> int:
        """How many rows to make dense at a time: all, unless they are lazy."""
        return max(1, NUMBERS_AT_ONCE // math.prod(self.x.shape[1:])) if self.is_lazy else len(self)

    def dense(self) -> Rows:
        """Return the rows with dense inputs."""
        if not self.is_lazy:
            return self
        return Rows(np.ascontiguousarray(self.x.toarray(), self.y.dtype), self.y, self.sample_weight)

    def in_epoch(self, epoch: int) -> Rows:
        """Return the rows as they are in an epoch of training; only a `Supply` may differ from itself."""
        if not isinstance(self.x, Supply):
            return self
        x = self.x.in_epoch(epoch)
        return Rows(x, x.targets(self.y), self.sample_weight)

    def in_order(self, order: Array) -> tuple[Rows, Array]:
        """Return dense rows, and the indices in them of the rows in `order`."""
        if not self.is_lazy:
            return self, order
        return self.part(order).dense(), np.arange(len(order))

    def pieces(self) -> Iterator[Rows]:
        """Yield the rows as dense pieces."""
        step = self.at_once
        if step >= len(self):
            yield self.dense()
            return
        for first in range(0, len(self), step):
            yield self.part(np.arange(first, min(first + step, len(self)))).dense()

    def check(self, what: str) -> Rows:
        """Return the rows.

        Raises:
            DataError: if there are no rows, or all have weight 0.
        """
        if not len(self):
            raise DataError(f"{what} needs at least one row, got none")
        if self.sample_weight is not None and not self.sample_weight.sum() >= 1e-20:
            raise DataError(f"{what} needs at least one row with a weight > 0, all have 0")
        return self

    def part(self, which: Any) -> Rows:
        """Return some of the rows, given indices or a slice."""
        weight = None if self.sample_weight is None else self.sample_weight[which]
        return Rows(take_rows(self.x, which), self.y[which], weight)
