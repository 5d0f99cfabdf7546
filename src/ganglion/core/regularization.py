"""Regularization of the weights: L1, L2, and a maximum norm for each unit.

Biases and the scales of normalization are exempt. Dropout is a layer; weight decay, clipping and averaging
belong to the optimizer; early stopping is a callback.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ganglion.checks import check_flag, check_number
from ganglion.core.architecture import Architecture
from ganglion.core.part import Array


@dataclass(frozen=True)
class Regularization:
    """Penalties on large weights, and a limit on the norm of each unit's weights.

    penalty = l1 * sum |w| + l2 / 2 * sum w**2, with gradient l1 * sign(w) + l2 * w. After each update, the
    weights into each unit are scaled down to `max_norm` if their Euclidean norm exceeds it.

    Args:
        l1: 0 by default.
        l2: 0 by default.
        max_norm: None by default, which means no limit.
        per_row: whether to divide `l1` and `l2` by the total sample weight of the batch (the number of rows,
            without sample weights); False by default. If True, `l2` equals scikit-learn's alpha.

    >>> Regularization(l2=0.001)
    Regularization(l1=0.0, l2=0.001, max_norm=None, per_row=False)
    """

    l1: float = 0.0
    l2: float = 0.0
    max_norm: float | None = None
    per_row: bool = False

    def __post_init__(self) -> None:
        check_number("l1", self.l1, at_least=0)
        check_number("l2", self.l2, at_least=0)
        if self.max_norm is not None:
            check_number("max_norm", self.max_norm, above=0)
        check_flag("per_row", self.per_row)

    def of_batch(self, weight: float) -> Regularization:
        """Return the regularization of a batch with this total sample weight."""
        if not self.per_row:
            return self
        return replace(self, l1=self.l1 / weight, l2=self.l2 / weight, per_row=False)

    def penalty_and_gradient(self, parameters: Array, penalized: Array) -> tuple[float, Array]:
        """Return the penalty and its gradient, over the parameters for which `penalized` is 1."""
        w = parameters * penalized
        penalty = self.l1 * float(np.abs(w).sum()) + 0.5 * self.l2 * float(w @ w)
        return penalty, self.l1 * np.sign(w) + self.l2 * w

    def limit(self, architecture: Architecture, parameters: Array) -> None:
        """Scale down, in place, the weights of each unit whose norm exceeds `max_norm`."""
        if self.max_norm is None:
            return
        for entry in architecture.parameters:
            if entry.penalized and not entry.row_sparse:
                weight = entry.of(parameters).reshape(-1, entry.shape[-1])
                norm = np.sqrt((weight * weight).sum(axis=0))
                weight *= self.max_norm / np.maximum(norm, self.max_norm)
