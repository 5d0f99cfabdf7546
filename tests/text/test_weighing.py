import numpy as np
import pytest

import ganglion as gg
from ganglion.text.weighing import _weighed, rarity, weighed


def test_the_weights_of_n_grams() -> None:
    counted = gg.Bags([1, 2, 0], [0, 2, 3], np.array([1, 3, 2], np.float32))
    rows, rare = np.array([0, 1, 2], np.int32), np.array([1.0, 2.0, 1.0])
    found = weighed([counted], rows, rare)
    assert found.tolist() == [[0, 1, 2], [0]]
    b = 1 + np.log(3)
    assert found.weights == pytest.approx([1, 2 / np.hypot(2, b), b / np.hypot(2, b), 1])
    assert rarity(np.array([9]), 9).tolist() == [1]


def test_both_engines_weigh_the_same() -> None:
    chance = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(chance.integers(0, 9, 50))])
    parts = [
        gg.Bags(
            chance.integers(0, 64, offsets[-1]),
            offsets,
            chance.integers(1, 30, offsets[-1]).astype(np.float32),
        )
        for _ in range(2)
    ]
    rows = chance.integers(0, 40, 64).astype(np.int32)
    rare = 1 + chance.random(40)
    found, size = weighed(parts, rows, rare), 50 + 2 * offsets[-1]
    slow = np.empty(size, np.int64), np.zeros(51, np.int64), np.empty(size, np.float32)
    _weighed(parts, rows, rare, 1 + np.log(np.arange(1, 31)), *slow)
    end = slow[1][-1]
    assert found.indices.tolist() == slow[0][:end].tolist()
    assert found.offsets.tolist() == slow[1].tolist()
    assert found.weights.tolist() == slow[2][:end].tolist()  # type: ignore[union-attr]
