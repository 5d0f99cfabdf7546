"""How much each kind of network counts in a mixture, by what it says of rows that it has not learned from."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganglion.answers.calibrating import counted, fit_sharpness, log_losses
from ganglion.answers.calibration import TINY
from ganglion.answers.held_out import HeldOut
from ganglion.core.part import Array

STEPS = 10  # the weights are multiples of 1 / STEPS
LEAST_GAIN = 0.002  # by which another kind must lower the loss to be used at all


@dataclass(frozen=True)
class Blend:
    """The weights of kinds, which sum to 1, and what sharpens the answers of each first.

    Args:
        weights: of each kind, some of them 0.
        scales: of each kind: the power of its probabilities, or the factor of its numbers.
        losses: of each kind alone and, last, of the mixture: log loss or mean squared error.
    """

    weights: tuple[float, ...]
    scales: tuple[float, ...]
    losses: tuple[float, ...]


def blend(kinds: Sequence[HeldOut], classes: bool, single: bool = False) -> Blend:
    """Return the blend with the least loss on held-out rows, of which all kinds have the same.

    Each kind's probabilities are raised to the power, and its numbers (of mean 0) multiplied by the factor,
    that minimizes their own loss: regularization makes networks too careful or too bold. Then all weights in
    steps of a tenth are tried, or with `single` each kind alone. The more kinds a blend has, the more it must
    gain.
    """
    parts = [counted(kind) for kind in kinds]
    truth, weights = parts[0].truth, parts[0].weights
    candidates = np.eye(len(kinds)) if single else _simplex(len(kinds))
    if classes:
        scales = np.array([fit_sharpness(part) for part in parts])
        said = np.exp(-np.stack([log_losses(*each) for each in zip(parts, scales.tolist(), strict=True)]))
        losses = [np.average(-np.log(np.maximum(row @ said, TINY)), weights=weights) for row in candidates]
    else:
        outputs = np.stack([part.outputs[:, 0].astype(np.float64) for part in parts])
        scales = _scales(outputs, truth, weights)
        errors = outputs * scales[:, None] - truth
        moments = (errors * weights) @ errors.T / weights.sum()
        losses = [float(row @ moments @ row) for row in candidates]
    handicap = 1 + LEAST_GAIN * np.count_nonzero(candidates, axis=1)
    best = int(np.argmin(np.array(losses) * handicap))
    alone = [losses[int(np.argmax(candidates[:, kind]))] for kind in range(len(kinds))]
    return Blend(
        tuple(candidates[best].tolist()), tuple(scales.tolist()), (*map(float, alone), float(losses[best]))
    )


def _scales(outputs: Array, truth: Array, weights: Array) -> Array:
    """Return the factor of each kind's numbers, from 0 to 2, that minimizes the mean squared error."""
    squares = (outputs * outputs) @ weights
    return np.where(squares > 0, (outputs @ (weights * truth)) / np.maximum(squares, TINY), 1.0).clip(0, 2)


def _simplex(kinds: int) -> Array:
    """Return all weights of so many kinds that are multiples of 1 / STEPS and sum to 1."""
    grids = itertools.product(range(STEPS + 1), repeat=kinds - 1)
    found = [(*parts, STEPS - sum(parts)) for parts in grids if sum(parts) <= STEPS]
    return np.array(found, np.float64) / STEPS
