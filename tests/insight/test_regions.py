"""Which part of an image decides: on planted squares, by hand, and by brute force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ganglion as gg
from ganglion.insight.regions import enlarged
from insight.planted import fraction_on_the_square, squares, trained

METHODS: dict[str, Callable[..., np.ndarray]] = {
    "saliency": gg.saliency,
    "grad_cam": gg.grad_cam,
    "occlusion": gg.occlusion,
}


def test_the_planted_square_can_be_learned() -> None:
    assert ((trained().predict(squares(60, 1).x)[:, 0] > 0.5) == squares(60, 1).y).mean() == 1


@pytest.mark.parametrize("name", METHODS)
def test_the_weight_lies_on_the_square_that_decides(name: str) -> None:
    found = squares(40, 1).striped
    maps = [METHODS[name](trained(), image, output=0) for image in found.x]
    fractions = [fraction_on_the_square(*each) for each in zip(maps, found.corners, strict=True)]
    assert np.mean(fractions) >= 0.9
    assert min(fractions) >= 0.8


@pytest.mark.parametrize("name", METHODS)
def test_shuffled_labels_show_no_square(name: str) -> None:
    """The map of a network that learned nothing prefers neither square."""
    found = squares(40, 1).striped
    maps = [METHODS[name](trained(shuffled=True), image, output=0) for image in found.x]
    assert np.mean([fraction_on_the_square(*each) for each in zip(maps, found.corners, strict=True)]) < 0.65


def small(activation: str = "tanh", dtype: str = "float64") -> gg.Network:
    layers = [gg.Conv2D(4, 3, activation), gg.MaxPool2D(), gg.Flatten(), gg.Dense(3, "softmax")]
    return gg.Network(layers, inputs=(6, 7, 2), seed=1, dtype=dtype)


IMAGE = np.random.default_rng(0).normal(size=(6, 7, 2))


def score(net: gg.Network, images: Any, output: int) -> np.ndarray:
    return net.trace(images, training=False).layers[-1].z[:, output]


@pytest.mark.parametrize("output", [None, 0, 2])
def test_contributions_add_up_to_the_difference_from_a_black_image(output: int | None) -> None:
    net = small()
    chosen = int(net.predict(IMAGE[None]).argmax()) if output is None else output
    found = gg.saliency(net, IMAGE, output)
    assert found.shape == (6, 7)
    after, before = score(net, np.stack([IMAGE, 0 * IMAGE]), chosen)
    assert found.sum() == pytest.approx(after - before, rel=0.02)


def test_contributions_of_a_linear_network_are_weight_times_pixel() -> None:
    net = gg.Network([gg.Flatten(), gg.Dense(2)], inputs=(3, 4, 2), dtype="float64")
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    weight = net.named_parameters()["dense_1/weight"][:, 1].reshape(3, 4, 2)
    np.testing.assert_allclose(gg.saliency(net, x, 1), (weight * x).sum(axis=-1), rtol=1e-9)


def test_grad_cam_weighs_the_maps_by_their_mean_gradient() -> None:
    """The gradients are measured by moving each number of the maps, as the input of the rest of the network."""
    net = gg.Network([gg.Conv2D(3, 3, "tanh"), gg.Conv2D(2, 3, "tanh"), gg.Flatten(), gg.Dense(2)], (5, 6, 1), dtype="float64")  # fmt: skip
    image = np.random.default_rng(2).normal(size=(5, 6, 1))
    rest = gg.Network(net.layers[1:], inputs=(5, 6, 3), dtype="float64")
    rest.parameters = net.parameters[-rest.parameters.size :]
    maps = net.trace(image).layers[0].a[0]
    gradient = np.zeros_like(maps)
    for place in np.ndindex(maps.shape):
        moved = np.stack([maps, maps])
        moved[(0, *place)] += 1e-5
        moved[(1, *place)] -= 1e-5
        gradient[place] = np.subtract(*score(rest, moved, 1)) / 2e-5
    expected = np.maximum((maps * gradient.mean(axis=(0, 1))).sum(axis=-1), 0)
    assert expected.any()
    np.testing.assert_allclose(gg.grad_cam(net, image, 1, "conv_2d_1"), expected, rtol=1e-6, atol=1e-9)


def test_grad_cam_explains_the_last_convolution_by_default() -> None:
    net = gg.Network([gg.Conv2D(2, 3), gg.MaxPool2D(), gg.Conv2D(2, 3), gg.MaxPool2D(), gg.Flatten(), gg.Dense(2)], (8, 8, 1))  # fmt: skip
    x = np.random.default_rng(1).normal(size=(8, 8, 1))
    np.testing.assert_array_equal(gg.grad_cam(net, x), gg.grad_cam(net, x, layer="conv_2d_2"))
    assert gg.grad_cam(net, x).shape == gg.grad_cam(net, x, layer="max_pool_2d_1").shape == (8, 8)
    assert not np.array_equal(gg.grad_cam(net, x, 0), gg.grad_cam(net, x, 1))


def test_enlarged_is_linear_between_the_centers() -> None:
    values = np.array([[0.0, 4.0]])
    np.testing.assert_allclose(enlarged(values, (2, 4)), [[0, 1, 3, 4]] * 2)
    np.testing.assert_array_equal(enlarged(values, (1, 2)), values)
    np.testing.assert_array_equal(enlarged(np.ones((3, 2)), (7, 5)), np.ones((7, 5)))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_occlusion_is_the_mean_fall_under_the_squares_that_cover_a_place(size: int) -> None:
    net = small("relu")
    found = gg.occlusion(net, IMAGE, 1, size=size, fill=[0.5, -1.0])
    total, count = np.zeros((6, 7)), np.zeros((6, 7))
    before = net.predict(IMAGE[None])[0, 1]
    for top in range(7 - size):
        for left in range(8 - size):
            covered = IMAGE.copy()
            covered[top : top + size, left : left + size] = [0.5, -1.0]
            place = slice(top, top + size), slice(left, left + size)
            total[place] += before - net.predict(covered[None])[0, 1]
            count[place] += 1
    np.testing.assert_allclose(found, total / count, atol=1e-12)


def test_a_large_image_is_covered_everywhere_with_few_squares() -> None:
    calls = []

    class Counted:
        model = gg.Network([gg.GlobalAveragePool()], inputs=(200, 150, 1)).model

        def predict(self, X: Any) -> np.ndarray:
            calls.append(len(X))
            return X.mean(axis=(1, 2))

    found = gg.occlusion(Counted(), np.ones((200, 150, 1)), fill=0)
    np.testing.assert_allclose(found, 25 * 25 / (200 * 150), rtol=1e-6)
    assert sum(calls) < 2500


def test_the_background_is_the_color_of_the_square() -> None:
    net = gg.Network([gg.GlobalAveragePool()], inputs=(6, 6, 1))
    image = np.full((6, 6, 1), 3.0)
    image[2, 3] = 10
    found = gg.occlusion(net, image, size=1)
    assert found[2, 3] == pytest.approx(7 / 36, rel=1e-5)
    assert np.count_nonzero(np.abs(found) > 1e-6) == 1


def test_a_gray_image_needs_no_axis_of_channels() -> None:
    net = gg.Network([gg.Conv2D(2, 3), gg.GlobalAveragePool()], inputs=(5, 6, 1))
    x = np.random.default_rng(0).normal(size=(5, 6))
    for explain in METHODS.values():
        np.testing.assert_array_equal(explain(net, x), explain(net, x[..., None]))


@pytest.mark.parametrize("explain", METHODS.values(), ids=METHODS)
def test_bad_questions_get_a_clear_answer(explain: Callable[..., np.ndarray]) -> None:
    net = small()
    with pytest.raises(gg.ConfigError, match="output must be a whole number >= 0 and <= 2, got 3"):
        explain(net, IMAGE, 3)
    with pytest.raises(gg.ShapeError, match="image"):
        explain(net, IMAGE[:3])
    with pytest.raises(gg.DataError, match="image must"):
        explain(net, IMAGE * np.nan)
    with pytest.raises(gg.ConfigError, match=r"whose input is an image, .* got inputs \{'x': \(4,\)\}"):
        explain(gg.Network([gg.Dense(2)], inputs=4), np.ones(4))


def test_layers_and_squares_that_do_not_fit_get_a_clear_answer() -> None:
    net = small()
    with pytest.raises(gg.ConfigError, match="there is no layer 'dense_1' that makes images"):
        gg.grad_cam(net, IMAGE, layer="dense_1")
    with pytest.raises(
        gg.ConfigError, match="needs a network with a convolution, but this one has flatten_1"
    ):
        gg.grad_cam(gg.Network([gg.Flatten(), gg.Dense(2)], inputs=(4, 4, 1)), np.ones((4, 4, 1)))
    with pytest.raises(gg.ConfigError, match="size must be a whole number >= 1 and <= 6, got 7"):
        gg.occlusion(net, IMAGE, size=7)
    with pytest.raises(gg.ConfigError, match="fill must be one number, or one for each of 2 channels"):
        gg.occlusion(net, IMAGE, fill=[1, 2, 3])
