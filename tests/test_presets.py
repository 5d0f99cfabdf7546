"""Presets: shapes, parameters counted by hand, and what they learn."""

from typing import Any

import numpy as np
import pytest

import ganglion as gg


def stripes(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy images of 12 x 12 with stripes: across, down or along a diagonal."""
    chance = np.random.default_rng(seed)
    y, phase = chance.integers(0, 3, rows), chance.uniform(0, 2 * np.pi, rows)
    i, j = np.mgrid[:12, :12]
    waves = np.stack([i, j, (i + j) / np.sqrt(2)])[y]
    x = np.sin(1.8 * waves + phase[:, None, None]) + chance.normal(0, 0.3, (rows, 12, 12))
    return x[..., None].astype(np.float32), y


def tones(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy signals of 40 numbers, slow or fast waves."""
    chance = np.random.default_rng(seed)
    y, phase = chance.integers(0, 2, rows), chance.uniform(0, 2 * np.pi, rows)
    x = np.sin(np.where(y, 0.9, 0.5)[:, None] * np.arange(40) + phase[:, None])
    return (x + chance.normal(0, 0.3, (rows, 40)))[..., None].astype(np.float32), y


def negations(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return texts of 8 words in any order, with 2 before 3 in half of them, and 3 before 2 in the others."""
    chance = np.random.default_rng(seed)
    x, y = chance.integers(4, 12, (rows, 8)), chance.integers(0, 2, rows)
    start = chance.integers(0, 7, rows)
    x[np.arange(rows), start], x[np.arange(rows), start + 1] = 2 + y, 3 - y
    return x, y


@pytest.mark.parametrize(
    ("layers", "example", "epochs"),
    [
        (gg.presets.lenet(3, (12, 12, 1)), stripes, 5),
        (gg.presets.small_cnn(3, (8, 16)), stripes, 5),
        (gg.presets.small_cnn(3, (8, 16), "group"), stripes, 5),
        (gg.presets.resnet(3, depth=8, width=4), stripes, 5),
        (gg.presets.signal_cnn(2, (8, 16)), tones, 5),
        (gg.presets.text_cnn(12, 2, 8, 16, (2, 3), 0.2), negations, 10),
    ],
    ids=["lenet", "small_cnn", "small_cnn with groups", "resnet", "signal_cnn", "text_cnn"],
)
def test_a_preset_learns_a_toy_problem_in_a_moment(layers: list[gg.Layer], example: Any, epochs: int) -> None:
    X, y = example(300, 0)
    inputs = gg.IntegerInput(12, X.shape[1:]) if X.dtype.kind == "i" else X.shape[1:]
    net = gg.Network(layers, inputs=inputs, engine="native", seed=0)
    net.fit(X, y, "cross_entropy", gg.Adam(0.01), epochs=epochs, batch_size=30)
    X, y = example(300, 1)
    assert (net.predict(X).argmax(axis=1) == y).mean() >= 0.95


def test_the_parameters_of_lenet_are_those_of_the_paper_with_all_channels_connected() -> None:
    net = gg.Network(gg.presets.lenet(10, (28, 28, 1)), inputs=(28, 28, 1))
    by_hand = [26 * 6, (25 * 6 + 1) * 16, (400 + 1) * 120, (120 + 1) * 84, (84 + 1) * 10]
    assert len(net.parameters) == sum(by_hand) == 61_706
    shapes = [step.shape for step in net.architecture.steps]
    assert shapes[:5] == [(28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16), (400,)]
    whole = gg.Network(gg.presets.lenet(10, (32, 32, 1)), inputs=(32, 32, 1))
    assert [step.shape for step in whole.architecture.steps] == shapes


def test_the_parameters_of_a_residual_network_counted_by_hand() -> None:
    net = gg.Network(gg.presets.resnet(10, depth=14, width=8), inputs=(32, 32, 3))

    def block(before: int, filters: int) -> int:
        projection = before * filters if before != filters else 0
        return 9 * before * filters + 9 * filters**2 + 2 * 2 * filters + projection

    start, end = 27 * 8 + 16, 33 * 10
    stages = [block(8, 8) * 2, block(8, 16) + block(16, 16), block(16, 32) + block(32, 32)]
    assert len(net.parameters) == start + sum(stages) + end
    weighed = [step for step in net.architecture.steps if step.kind in ("conv_2d", "dense")]
    assert len([step for step in weighed if "projection" not in step.name]) == 14
    strided = [step.shape for step in net.architecture.steps if step.name.endswith("projection")]
    assert strided == [(16, 16, 16), (8, 8, 32)]


@pytest.mark.parametrize("shape", [(32, 32, 3), (7, 5, 1), (1, 1, 1)])
@pytest.mark.parametrize("normalization", ["batch", "group"])
def test_networks_without_a_dense_layer_over_places_take_images_of_any_size(
    shape: tuple[int, ...], normalization: str
) -> None:
    for layers in (
        gg.presets.small_cnn(4, (4, 6), normalization),
        gg.presets.resnet(4, 8, 6, normalization),
    ):
        net = gg.Network(layers, inputs=shape)
        assert net.predict(np.zeros((2, *shape))).shape == (2, 4)
        kinds = {step.kind for step in net.architecture.steps}
        assert f"{normalization}_normalization" in kinds


def test_each_call_makes_a_new_list() -> None:
    layers = gg.presets.small_cnn(4)
    layers.append(gg.Dense(2))
    assert len(gg.presets.small_cnn(4)) == len(layers) - 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gg.presets.small_cnn(1), "classes must be a whole number >= 2"),
        (lambda: gg.presets.resnet(10, depth=21), "depth must be 6n \\+ 2, got 21"),
        (lambda: gg.presets.resnet(10, depth=2), "depth must be a whole number >= 8"),
        (lambda: gg.presets.resnet(10, width=0), "width must be a whole number >= 1"),
        (lambda: gg.presets.small_cnn(4, normalization="layer"), "there is no normalization 'layer'"),
        (lambda: gg.presets.lenet(10, (8, 8, 1)), "at least 12 x 12, got shape \\(8, 8, 1\\)"),
    ],
)
def test_settings_out_of_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(gg.GanglionError, match=message):
        make()
