"""Enlarging, padding and cropping, computed by hand on both engines, and their settings."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from agreement import assert_agreement

IMAGE = np.array([[[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]]])
HAND = [
    (gg.Upsample2D((1, 2)), [[1, 1, 2, 2, 3, 3], [4, 4, 5, 5, 6, 6]]),
    (gg.Upsample2D((2, 1)), [[1, 2, 3], [1, 2, 3], [4, 5, 6], [4, 5, 6]]),
    (gg.ZeroPad2D(((0, 1), (2, 0))), [[0, 0, 1, 2, 3], [0, 0, 4, 5, 6], [0, 0, 0, 0, 0]]),
    (gg.ZeroPad2D((0, 1)), [[0, 1, 2, 3, 0], [0, 4, 5, 6, 0]]),
    (gg.Crop2D((0, 1)), [[2], [5]]),
    (gg.Crop2D(((1, 0), (0, 2))), [[4]]),
]


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize(("layer", "expected"), HAND)
def test_values_computed_by_hand(layer: gg.Layer, expected: Any, engine: str) -> None:
    net = gg.Network([layer], inputs=(2, 3, 1), engine=engine)
    assert net.predict(IMAGE)[0, :, :, 0].tolist() == expected
    two = gg.Network([layer], inputs=(2, 3, 2), engine=engine)
    found = two.predict(np.concatenate([IMAGE, -IMAGE], axis=-1))[0]
    assert found.shape == (*np.shape(expected), 2)
    assert (found[..., 0] == expected).all()
    assert (found[..., 1] == -found[..., 0]).all()


def test_cropping_undoes_padding() -> None:
    margins = ((1, 2), (3, 0))
    net = gg.Network([gg.ZeroPad2D(margins), gg.Crop2D(margins)], inputs=(2, 3, 1))
    assert (net.predict(IMAGE) == IMAGE).all()


@st.composite
def resized(draw: st.DrawFn) -> tuple[gg.Layer, tuple[int, int, int]]:
    pairs = st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2)
    small = draw(st.tuples(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 3, 8, 17])))
    margins = draw(pairs)
    match draw(st.sampled_from(["up", "pad", "crop"])):
        case "up":
            return gg.Upsample2D(draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))), small
        case "pad":
            return gg.ZeroPad2D(margins), small
        case _:
            (top, bottom), (left, right) = margins
            return gg.Crop2D(margins), (small[0] + top + bottom, small[1] + left + right, small[2])


@settings(max_examples=30, deadline=None)
@given(resized())
def test_every_size_is_the_same_on_both_engines(case: tuple[gg.Layer, tuple[int, int, int]]) -> None:
    layer, shape = case
    size = int(np.prod(shape))
    start: list[gg.Layer] = [gg.Flatten(), gg.Dense(size, "tanh"), gg.Reshape(shape)]
    assert_agreement([*start, layer, gg.Flatten(), gg.Dense(2)], shape, gg.MeanSquaredError(), rows=5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gg.Upsample2D(0), "size must be a whole number >= 1"),
        (lambda: gg.Upsample2D((1, 2, 3)), "size must be one whole number or two"),
        (lambda: gg.ZeroPad2D(-1), "padding must be a whole number >= 0"),
        (lambda: gg.ZeroPad2D("same"), "padding must be a whole number >= 0 .*got 'same'"),
        (lambda: gg.ZeroPad2D((1, 2, 3)), "padding must be one whole number, one for each axis"),
        (lambda: gg.Crop2D(0.5), "cropping must be a whole number >= 0"),
        (lambda: gg.Crop2D(((1,), (2,))), "cropping must be one whole number, one for each axis"),
    ],
)
def test_settings_out_of_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(gg.ConfigError, match=message):
        make()


def test_a_crop_must_leave_something() -> None:
    with pytest.raises(gg.ShapeError, match="must leave something of each image, got images of 4 x 2"):
        gg.Network([gg.Crop2D()], inputs=(4, 2, 1))


@pytest.mark.parametrize("layer", [gg.Upsample2D(), gg.ZeroPad2D(), gg.Crop2D()])
def test_rows_of_numbers_are_refused(layer: gg.Layer) -> None:
    with pytest.raises(gg.ShapeError, match=r"needs images of shape \(height, width, channels\)"):
        gg.Network([layer], inputs=6)
