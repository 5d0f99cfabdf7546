import numpy as np
import pytest
from hypothesis import given, strategies as st

import ganglion as gg
from ganglion.training.splitting import class_weights, split


@given(st.integers(2, 400), st.floats(0.05, 0.95), st.integers(0, 2**64 - 1))
def test_a_split_covers_every_row_once(rows: int, fraction: float, seed: int) -> None:
    try:
        training, held_out = split(rows, fraction, seed)
    except gg.DataError:
        assert rows * min(fraction, 1 - fraction) < 1
        return
    assert sorted([*training, *held_out]) == list(range(rows))
    assert abs(len(held_out) - rows * fraction) <= 1


def test_splits_are_stratified_by_class() -> None:
    classes = np.repeat([0, 1, 2], [100, 50, 10])
    _, held_out = split(160, 0.2, 3, classes)
    assert np.bincount(classes[held_out]).tolist() == [20, 10, 2]
    assert (split(160, 0.2, 3, classes)[1] == held_out).all()
    assert (split(160, 0.2, 4, classes)[1] != held_out).any()


def test_balanced_weights_make_classes_weigh_the_same() -> None:
    weights = class_weights(np.array([0, 0, 0, 1, 2, 2]), 3, "balanced")
    assert [weights[[0, 1, 2]].sum(), weights[3], weights[[4, 5]].sum()] == pytest.approx([2, 2, 2])
    assert class_weights(np.array([0, 1]), 2, {1: 3.0}).tolist() == [1, 3]
    with pytest.raises(gg.ConfigError, match="one class"):
        class_weights(None, 3, "balanced")
