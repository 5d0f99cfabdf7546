"""Bags: a varying number of integers per row, with or without weights, in three flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ganglion.core.part import Array
from ganglion.errors import DataError, ShapeError, shortened


class Bags:
    """Rows with a varying number of integers; row i holds `indices[offsets[i] : offsets[i + 1]]`.

    Args:
        indices: all integers, row after row, int64.
        offsets: the start of each row, and the end of the last one: rows + 1 entries.
        weights: one weight for each index; None, the default, gives each weight 1.

    Raises:
        DataError: if indices or offsets are not integers, or a weight is not finite.
        ShapeError: if the arrays' lengths do not fit together.

    >>> bags = gg.Bags.of([[3, 1], [], [2]])
    >>> len(bags), bags.offsets.tolist(), bags[[2, 0]].indices.tolist()
    (3, [0, 2, 2, 3], [2, 3, 1])
    """

    def __init__(self, indices: Any, offsets: Any, weights: Any = None) -> None:
        self.indices = np.ascontiguousarray(indices)
        self.offsets = np.ascontiguousarray(offsets)
        self.weights: Array | None = None if weights is None else np.ascontiguousarray(weights)
        for what, array in (("indices", self.indices), ("offsets", self.offsets)):
            if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
                raise DataError(f"{what} of bags must be a vector of whole numbers, got {shortened(array)}")
        self.indices = self.indices.astype(np.int64, copy=False)
        self.offsets = self.offsets.astype(np.int64, copy=False)
        ends = self.offsets
        if not len(ends) or ends[0] != 0 or ends[-1] != len(self.indices) or (np.diff(ends) < 0).any():
            raise ShapeError(
                f"offsets of bags must rise from 0 to the number of indices, {len(self.indices)}, got "
                f"{shortened(ends)}"
            )
        if self.weights is not None:
            if self.weights.shape != self.indices.shape or self.weights.dtype.kind not in "biuf":
                raise ShapeError(
                    f"weights of bags must be one number for each of the {len(self.indices)} indices, got "
                    f"{shortened(self.weights)}"
                )
            if not np.isfinite(self.weights).all():
                raise DataError("weights of bags must be finite")

    @classmethod
    def of(cls, values: Any) -> Bags:
        """Return bags from a list of lists, a SciPy sparse matrix (its values become weights), or `Bags`.

        Raises:
            DataError: for anything else.
        """
        if isinstance(values, cls):
            return values
        if hasattr(values, "tocsr"):
            matrix = values.tocsr()
            return cls(matrix.indices, matrix.indptr, matrix.data)
        if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
            raise DataError(f"bags must be a list of lists of whole numbers, got {shortened(values)}")
        rows = []
        for row, bag in enumerate(values):
            given = np.asarray(bag)
            if given.ndim != 1 or (given.dtype.kind not in "iu" and given.size):
                raise DataError(f"a bag must be a list of whole numbers, got {shortened(bag)} in row {row}")
            rows.append(given.astype(np.int64))
        offsets = np.cumsum([0, *map(len, rows)])
        return cls(np.concatenate(rows) if rows else np.empty(0, dtype=np.int64), offsets)

    def astype(self, dtype: np.dtype[Any]) -> Bags:
        """Return the same bags with weights of another type."""
        if self.weights is None or self.weights.dtype == dtype:
            return self
        return Bags(self.indices, self.offsets, self.weights.astype(dtype))

    def tolist(self) -> list[list[int]]:
        """Return the whole numbers of each row."""
        return [part.tolist() for part in np.split(self.indices, self.offsets[1:-1])] if len(self) else []

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, which: Any) -> Bags:
        rows = np.arange(len(self))[which]
        counts = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], counts)
        return Bags(self.indices[places], offsets, None if self.weights is None else self.weights[places])

    def __repr__(self) -> str:
        weighted = "" if self.weights is None else ", weighted"
        return f"Bags({len(self)} rows, {len(self.indices)} values{weighted})"
