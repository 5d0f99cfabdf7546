import numpy as np
import pytest
from hypothesis import given, strategies as st

import ganglion as gg
from ganglion.training.splitting import class_weights, split


@given(st.integers(2, 400), st.floats(0.05, 0.95), st.integers(0, 2**64 - 1))
def test_a_split_covers_every_row_once(rows: int, share: float, seed: int) -> None:
    try:
        learn, aside = split(rows, share, seed)
    except gg.DataError:
        assert rows * min(share, 1 - share) < 1
        return
    assert sorted([*learn, *aside]) == list(range(rows))
    assert abs(len(aside) - rows * share) <= 1


def test_each_class_gives_its_share() -> None:
    classes = np.repeat([0, 1, 2], [100, 50, 10])
    _, aside = split(160, 0.2, 3, classes)
    assert np.bincount(classes[aside]).tolist() == [20, 10, 2]
    assert (split(160, 0.2, 3, classes)[1] == aside).all()
    assert (split(160, 0.2, 4, classes)[1] != aside).any()


def test_balanced_weights_make_classes_weigh_the_same() -> None:
    weights = class_weights(np.array([0, 0, 0, 1, 2, 2]), 3, "balanced")
    assert [weights[[0, 1, 2]].sum(), weights[3], weights[[4, 5]].sum()] == pytest.approx([2, 2, 2])
    assert class_weights(np.array([0, 1]), 2, {1: 3.0}).tolist() == [1, 3]
    with pytest.raises(gg.ConfigError, match="one class"):
        class_weights(None, 3, "balanced")
