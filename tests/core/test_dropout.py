"""Dropout of whole channels: one decision for each row and channel, the same on both engines."""

import numpy as np
import pytest

import ganglion as gg
from agreement import assert_agreement
from ganglion.core.architecture import Architecture
from ganglion.core.layers import Context
from ganglion.core.random import random_integers


def masks(rate: float, shape: tuple[int, ...], rows: int, step: int = 0) -> np.ndarray:
    architecture = Architecture([gg.SpatialDropout(rate)], shape)
    views = architecture.views(np.empty(0), np.empty(0))
    return architecture.forward(views, np.ones((rows, *shape)), Context(training=True, seed=3, step=step))[0]


def test_a_channel_of_a_row_is_kept_or_dropped_as_a_whole() -> None:
    a = masks(0.25, (4, 5, 8), 500)
    first = a[:, 0, 0]
    assert (a == first[:, None, None]).all()
    assert set(np.unique(a)) == {0, 1 / 0.75}
    assert (first == 0).mean() == pytest.approx(0.25, abs=0.03)
    assert len(np.unique(first, axis=0)) > 50  # rows differ
    assert (masks(0.25, (4, 5, 8), 500, step=1) != a).any()


def test_the_decision_of_a_channel_is_that_of_its_number() -> None:
    bits = random_integers(3, 0, 0, (6, 8))
    assert ((masks(0.5, (4, 8), 6)[:, 0] > 0) == (bits >= 2**31)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(3, 3, 2), (5, 2)])
def test_the_same_channels_are_dropped_on_both_engines(shape: tuple[int, ...], dtype: str) -> None:
    convolution = gg.Conv2D if len(shape) == 3 else gg.Conv1D
    layers = [convolution(19, 3, "tanh"), gg.SpatialDropout(0.3), gg.Flatten(), gg.Dense(2)]
    assert_agreement(layers, shape, gg.MeanSquaredError(), rows=600, batch_size=150, dtype=dtype)


def test_rows_of_numbers_and_rates_out_of_range_are_refused() -> None:
    with pytest.raises(gg.ShapeError, match="spatial_dropout needs images or signals"):
        gg.Network([gg.SpatialDropout()], inputs=6)
    with pytest.raises(gg.ConfigError, match="rate"):
        gg.SpatialDropout(1.0)
