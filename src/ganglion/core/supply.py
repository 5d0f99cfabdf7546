"""Rows that are made when they are needed, such as numbers from the bytes of pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

from ganglion.core.part import Array, Shape


class Supply(ABC):
    """Rows of numbers that do not lie in memory as such. `Network.fit` and `predict` take it for X.

    Attributes:
        shape: as of the array that it stands for, (n, *shape of a row).
    """

    shape: Shape

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def __getitem__(self, which: Any) -> Self:
        """Return some of the rows, given indices or a slice."""

    @abstractmethod
    def toarray(self) -> Array:
        """Return the rows as an array of finite numbers."""

    def in_epoch(self, epoch: int) -> Self:
        """Return the rows as they are in an epoch of training: the same by default."""
        return self

    def targets(self, y: Array) -> Array:
        """Return the encoded targets of all rows as they are in this epoch: those given, by default."""
        return y
