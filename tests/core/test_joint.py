"""The joint loss of several heads: the sum of the losses of its sections, on both engines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import ganglion as gg
from agreement import assert_agreement
from ganglion.core.losses import loss_for

SECTIONS = gg.Sections(["softmax", "identity", "sigmoid", "exp"], (3, 1, 2))
JOINT = gg.Joint(
    [
        gg.CrossEntropy(0.1, factor=2),
        gg.MeanSquaredError(factor=0.5),
        "binary_cross_entropy",
        gg.Poisson(factor=3),
    ],
    (3, 1, 2),
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("direct", [True, False])
def test_both_engines_agree(dtype: str, weighted: bool, direct: bool) -> None:
    """From z, and through the activations if another layer follows them; targets are missing in places."""
    layers = [gg.Dense(9, "tanh"), gg.Dense(7, SECTIONS), *([] if direct else [gg.Dropout(0.0)])]
    assert JOINT.is_partner_of(SECTIONS)
    assert_agreement(layers, 4, JOINT, dtype=dtype, weighted=weighted)


@pytest.mark.parametrize("loss", [gg.CrossEntropy(clip=0.1), gg.CrossEntropy()])
def test_many_classes_agree(loss: gg.Loss) -> None:
    layers = [gg.Dense(80, gg.Sections(["softmax", "log_softmax"], (75,)))]
    assert_agreement(layers, 4, gg.Joint([loss, loss], (75,)))


def test_the_loss_is_the_sum_of_single_losses() -> None:
    """Also the gradient: the three networks have the same weights, head by head."""
    rng = np.random.default_rng(0)
    x, classes, number = rng.normal(size=(20, 3)), rng.integers(0, 3, 20), rng.normal(size=20)
    for engine in ("reference", "native"):
        settings: dict[str, Any] = {"inputs": 3, "dtype": "float64", "engine": engine}
        both = gg.Network([gg.Dense(4, gg.Sections(["softmax", "identity"], (3,)))], **settings)
        one = gg.Network([gg.Dense(3, "softmax")], **settings)
        two = gg.Network([gg.Dense(1)], **settings)
        joined = both.named_parameters()
        for network, part in ((one, slice(3)), (two, slice(3, 4))):
            for name, array in network.named_parameters().items():
                array[...] = joined[name][..., part]
        value, gradient = both.loss_and_gradient(x, np.column_stack([classes, number]))
        first, first_gradient = one.loss_and_gradient(x, classes)
        second, second_gradient = two.loss_and_gradient(x, number)
        assert value == pytest.approx(first + second, rel=1e-12)
        together = [
            np.column_stack([first_gradient[:9].reshape(3, 3), second_gradient[:3]]).ravel(),
            np.append(first_gradient[9:], second_gradient[3:]),
        ]
        np.testing.assert_allclose(gradient, np.concatenate(together), rtol=1e-10, atol=1e-15)


def test_missing_targets_do_not_teach_their_head_but_the_others() -> None:
    x = np.random.default_rng(1).normal(size=(6, 2))
    y = np.column_stack([[0, 1, np.nan, 1, 0, 1], [1.0, np.nan, 2.0, np.nan, 3.0, 4.0]])
    for engine in ("reference", "native"):
        network = gg.Network([gg.Dense(3, gg.Sections(["softmax", "identity"], (2,)))], 2, engine=engine)
        a = network.predict(x).astype(np.float64)
        value, _ = network.loss_and_gradient(x, y)
        log_loss = sum(-math.log(a[i, int(y[i, 0])]) for i in (0, 1, 3, 4, 5))
        squares = sum((a[i, 2] - y[i, 1]) ** 2 for i in (0, 2, 4, 5))
        assert value == pytest.approx((log_loss + squares) / 6, rel=1e-5)


def test_probabilities_that_sum_to_a_weight_weigh_the_row_in_their_section() -> None:
    loss = gg.Joint(["cross_entropy", "mse"], (2,))
    a = np.array([[0.25, 0.75, 1.0]])
    y = loss.encode([[3.0, 0.0, 3.0]], (3,))
    assert loss.values_and_gradients(a, y)[0][0] == pytest.approx(3 * math.log(4) + 4)
    z = np.append(np.log(a[:, :2]), a[:, 2:], axis=1)
    values, gradient = loss.values_and_gradients_from_z(z, y)
    assert values[0] == pytest.approx(3 * math.log(4) + 4)
    np.testing.assert_allclose(gradient, [[3 * -0.75, 3 * 0.75, -4]])


def test_extreme_scores_stay_finite_on_both_engines() -> None:
    x = np.array([[1e4], [-1e4], [0.0]])
    y = [[0, 1], [1, 1], [np.nan, 0]]
    for engine in ("reference", "native"):
        network = gg.Network([gg.Dense(3, gg.Sections(["softmax", "sigmoid"], (2,)))], 1, engine=engine)
        network.parameters = [1.0, -1.0, 1.0, 0, 0, 0]
        value, gradient = network.loss_and_gradient(x, y)
        assert value == pytest.approx((0 + 0 + 0 + 1e4 + math.log(2)) / 3)
        assert np.isfinite(gradient).all()


def test_the_loss_of_sections_is_that_of_each() -> None:
    assert loss_for(SECTIONS) == gg.Joint(
        ["cross_entropy", "mse", "binary_cross_entropy", "poisson"], (3, 1, 2)
    )


def test_training_learns_both_targets_and_is_the_same_on_both_engines() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 2))
    y = np.column_stack([x[:, 0] > 0, 2 * x[:, 1] + 1]).astype(np.float64)
    y[::7, 0] = np.nan
    found = []
    for engine in ("reference", "native"):
        layers = [gg.Dense(8, "tanh"), gg.Dense(3, gg.Sections(["softmax", "identity"], (2,)))]
        network = gg.Network(layers, 2, engine=engine, dtype="float64")
        network.fit(x, y, optimizer=gg.Adam(0.02), epochs=60, validation=0.2)
        a = network.predict(x)
        assert np.mean((a[:, 1] > 0.5) == (x[:, 0] > 0)) > 0.97
        assert np.mean((a[:, 2] - y[:, 1]) ** 2) < 0.02
        found.append(network.parameters)
    np.testing.assert_allclose(*found, rtol=1e-6, atol=1e-9)


def test_a_network_with_heads_comes_back_equal_from_its_file(tmp_path: Any) -> None:
    network = gg.Network([gg.Dense(7, SECTIONS)], 2)
    network.fit([[0, 1], [1, 0]], np.zeros((2, 7)), loss=JOINT, epochs=1)
    network.save(tmp_path / "net.gang")
    again = gg.Network.load(tmp_path / "net.gang")
    assert again.layers == network.layers
    assert again.facts == network.facts
    np.testing.assert_array_equal(again.predict([[1, 2]]), network.predict([[1, 2]]))


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([[0, 1.0], [5, 2.0]], "class numbers from 0 to 2.* got 5 in row 1"),
        ([[np.nan, 1.0], [0, 2.0], [0.5, 0]], "got 0.5 in row 2"),
        ([[0, np.inf]], "finite or NaN, got inf in row 0"),
        ([0, 1], "one column for each output or section"),
    ],
)
def test_wrong_targets_are_refused_by_name(targets: Any, words: str) -> None:
    with pytest.raises(gg.DataError, match=words):
        gg.Joint(["cross_entropy", "mse"], (3,)).encode(targets, (4,))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: gg.Joint(["mse", "mae"], ()), "1 for 2 losses"),
        (lambda: gg.Joint(["mse", "mae"], (0,)), "size must be a whole number >= 1"),
        (lambda: gg.Joint(["mse", gg.Joint(["mse"])], (1,)), "must not have a joint loss"),
        (lambda: gg.Sections(["tanh", gg.Sections(["tanh"])], (1,)), "must not be divided"),
        (lambda: gg.Network([gg.Dense(2, gg.Sections(["tanh", "relu"], (2,)))], 1), "at least 3 outputs"),
        (lambda: gg.Joint(["mse", "mse"], (1,)).check_activation(SECTIONS), "sections of the sizes"),
        (lambda: gg.Joint(["mse", "cross_entropy"], (1,)).check_activation(gg.Tanh()), "cross_entropy needs"),
    ],
)
def test_heads_that_cannot_be_are_refused(make: Any, words: str) -> None:
    with pytest.raises(gg.GanglionError, match=words):
        make()


def test_metrics_of_several_answers_are_refused() -> None:
    network = gg.Network([gg.Dense(2, gg.Sections(["identity", "sigmoid"], (1,)))], 1)
    with pytest.raises(gg.ConfigError, match="does not apply"):
        network.fit([[1.0]], [[1.0, 1.0]], epochs=1, metrics=["r2"])
