import numpy as np
import pytest

import ganglion as gg
from ganglion.core.architecture import Architecture
from numeric import numeric_gradient, relative_error


def test_shapes_names_and_layout() -> None:
    architecture = Architecture(
        [gg.Flatten(), gg.Dense(5, "relu"), gg.BatchNormalization(), gg.Dense(2)], inputs=(2, 3)
    )
    assert architecture.shapes == [(2, 3), (6,), (5,), (5,), (2,)]
    assert architecture.names == ["flatten_1", "dense_1", "batch_normalization_1", "dense_2"]
    assert [(e.name, e.start, e.stop) for e in architecture.parameters] == [
        ("dense_1/weight", 0, 30),
        ("dense_1/bias", 30, 35),
        ("batch_normalization_1/scale", 35, 40),
        ("batch_normalization_1/shift", 40, 45),
        ("dense_2/weight", 45, 55),
        ("dense_2/bias", 55, 57),
    ]
    assert architecture.size == 57
    assert architecture.state_size == 10
    assert architecture.penalized.sum() == 40


@pytest.mark.parametrize(
    ("layers", "inputs", "message"),
    [
        ([], 2, "at least one layer"),
        (["dense"], 2, "layer 1 must be a ganglion layer"),
        ([gg.Dense(2)], 0, "inputs must be a whole number >= 1, got 0"),
        ([gg.Dense(2)], (), "at least one axis"),
        ([gg.Dense(2)], (2, 2), r"rows of numbers, got inputs of shape \(2, 2\).*Flatten"),
        ([gg.Reshape((4,))], 6, "cannot reshape"),
        ([gg.Dense(2**20), gg.Dense(2**20)], 1, "fewer than 2.*31 parameters"),
    ],
)
def test_what_does_not_fit_together_is_refused(layers: list[object], inputs: object, message: str) -> None:
    with pytest.raises(gg.GanglionError, match=message):
        Architecture(layers, inputs)  # type: ignore[arg-type]


def textbook(units: int) -> tuple[gg.Network, np.ndarray, np.ndarray]:
    net = gg.Network([gg.Dense(units, "sigmoid"), gg.Dense(1, "sigmoid")], inputs=2, dtype="float64", seed=4)
    net.parameters[...] = np.random.default_rng(0).normal(size=net.parameters.shape)
    return net, np.array([[0.3, -0.7]]), np.array([[0.9]])


@pytest.mark.parametrize("units", [1, 3])
def test_gradients_are_those_of_the_textbook(units: int) -> None:
    """Sigmoid everywhere, L = (a2 - y)**2: every factor of the chain rule by hand."""
    net, x, y = textbook(units)
    named = net.named_parameters()
    W1, b1, W2, b2 = (named[f"dense_{i}/{part}"] for i in (1, 2) for part in ("weight", "bias"))
    a1 = 1 / (1 + np.exp(-(x[0] @ W1 + b1)))
    a2 = 1 / (1 + np.exp(-(a1 @ W2 + b2)))
    dL_da2 = 2 * (a2 - y[0])
    dL_dz2 = dL_da2 * a2 * (1 - a2)
    dL_dW2 = np.outer(a1, dL_dz2)
    dL_da1 = W2 @ dL_dz2
    dL_dz1 = dL_da1 * a1 * (1 - a1)
    dL_dW1 = np.outer(x[0], dL_dz1)
    by_hand = np.concatenate([dL_dW1.ravel(), dL_dz1, dL_dW2.ravel(), dL_dz2])
    loss, gradient = net.loss_and_gradient(x, y, loss="mse")
    assert loss == pytest.approx(((a2 - y[0]) ** 2).item())
    np.testing.assert_allclose(gradient, by_hand, rtol=1e-12)
    # Tutorials often write the elementwise product of x and dL/dz1, laid out as a row of units. It has
    # the right shape, and the right numbers, only when there is one hidden unit.
    elementwise = x.T * dL_dz1[:1] * np.ones(units)
    assert np.allclose(elementwise, dL_dW1) == (units == 1)


def test_the_whole_network_agrees_with_finite_differences() -> None:
    net = gg.Network(
        [
            gg.Dense(6, "gelu"),
            gg.BatchNormalization(),
            gg.Dropout(0.3),
            gg.Dense(5, "tanh"),
            gg.LayerNormalization(),
            gg.Dense(3, "softmax"),
        ],
        inputs=4,
        dtype="float64",
    )
    chance = np.random.default_rng(1)
    X, y, weight = chance.normal(size=(8, 4)), chance.integers(0, 3, 8), chance.uniform(0.1, 2, 8)
    penalty = gg.Regularization(l1=0.01, l2=0.1)
    start = net.parameters.copy()

    def value(vector: np.ndarray) -> float:
        net.parameters[...] = vector
        return net.loss_and_gradient(X, y, sample_weight=weight, regularization=penalty)[0]

    expected = numeric_gradient(value, start, 1e-4)
    net.parameters[...] = start
    _, gradient = net.loss_and_gradient(X, y, sample_weight=weight, regularization=penalty)
    kink = start == 0  # |w| has no derivative at 0; biases start there but are not penalized
    assert not kink[net.architecture.penalized == 1].any()
    assert relative_error(gradient, expected) <= 1e-7


def test_a_partner_of_the_loss_gives_what_the_general_way_gives() -> None:
    class Copy(gg.Softmax):
        """A softmax that is not a partner of the loss."""

        name = "copy"

    nets = [
        gg.Network([gg.Dense(3, part)], inputs=2, dtype="float64", engine="reference")
        for part in (gg.Softmax(), Copy())
    ]
    X, y = np.random.default_rng(2).normal(size=(5, 2)), [0, 1, 2, 1, 0]
    (loss, gradient), (other_loss, other_gradient) = (
        net.loss_and_gradient(X, y, loss="cross_entropy") for net in nets
    )
    assert loss == pytest.approx(other_loss, rel=1e-13)
    assert relative_error(gradient, other_gradient) <= 1e-13


def test_images_fit_from_the_first_day() -> None:
    net = gg.Network([gg.LayerNormalization(), gg.Flatten(), gg.Dense(2, "softmax")], inputs=(4, 5, 3))
    X = np.random.default_rng(0).normal(size=(10, 4, 5, 3))
    net.fit(X, np.arange(10) % 2, epochs=2)
    assert net.predict(X).shape == (10, 2)
