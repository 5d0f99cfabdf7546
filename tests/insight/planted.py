"""Images in which one square alone decides the class, at a known place.

Each image has two squares: a chessboard and, at random left or right of it, a square that is striped in class
1 and another chessboard in class 0. Around them is weak noise.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

import ganglion as gg

SIDE = 8  # of a square
SHAPE = (12, 24, 1)


class Squares(NamedTuple):
    """Images, (n, 12, 24, 1), their classes, and the (top, left) corner of the square that decides."""

    x: np.ndarray
    y: np.ndarray
    corners: np.ndarray

    @property
    def striped(self) -> Squares:
        """The images of class 1."""
        return Squares(*(part[self.y == 1] for part in self))


def squares(count: int, seed: int) -> Squares:
    """Return images with squares."""
    chance = np.random.default_rng(seed)
    x, y = chance.normal(0, 0.05, (count, *SHAPE)), np.arange(count) % 2
    down, across = np.mgrid[:SIDE, :SIDE]
    chessboard, stripes = (down // 2 + across // 2) % 2 == 0, down % 4 < 2
    corners = np.zeros((count, 2), dtype=int)
    for one, is_striped, corner in zip(x, y, corners, strict=True):
        corner[:], other = chance.integers(0, 5, 2), chance.integers(0, 5, 2)
        (corner if chance.integers(2) else other)[1] += 12
        for pattern, (top, left) in ((stripes if is_striped else chessboard, corner), (chessboard, other)):
            one[top : top + SIDE, left : left + SIDE, 0] += np.where(pattern, 1.0, -1.0)
    return Squares(x, y, corners)


@cache
def trained(shuffled: bool = False) -> gg.Network:
    """Return a network that tells the classes apart, or one trained on shuffled labels."""
    found = squares(400, 0)
    y = np.random.default_rng(3).permutation(found.y) if shuffled else found.y
    layers = [
        gg.Conv2D(8, 3, "relu"),
        gg.Conv2D(8, 3, "relu"),
        gg.GlobalMaxPool(),
        gg.Dense(1, "sigmoid"),
    ]
    net = gg.Network(layers, inputs=SHAPE)
    net.fit(found.x, y, epochs=25, optimizer=gg.Adam(0.01))
    return net


def fraction_on_the_square(values: np.ndarray, corner: np.ndarray) -> float:
    """Return which fraction of the positive weight of a map lies on the square that decides."""
    positive = np.maximum(values, 0)
    top, left = corner
    return float(positive[top : top + SIDE, left : left + SIDE].sum() / max(positive.sum(), 1e-12))
