"""Numbers to compare with: finite differences and relative errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

STEP = 1e-3


def numeric_gradient(
    function: Callable[[np.ndarray], float], at: np.ndarray, step: float = STEP
) -> np.ndarray:
    """Return the gradient by central differences of fourth order: error O(step**4)."""
    gradient = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        moved = [at.copy() for _ in range(4)]
        for copy, steps in zip(moved, (2, 1, -1, -2), strict=True):
            copy[place] += steps * step
        far, near, back, behind = map(function, moved)
        gradient[place] = (8 * (near - back) - (far - behind)) / (12 * step)
    return gradient


def relative_error(got: np.ndarray, expected: np.ndarray, least: float = 1e-12) -> float:
    """Return the distance between two arrays over the length of the longer one, or `least` if that is more."""
    scale = max(np.linalg.norm(got), np.linalg.norm(expected), least)
    return float(np.linalg.norm(np.asarray(got) - expected) / scale)
