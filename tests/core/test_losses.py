import numpy as np
import pytest

import ganglion as gg
from ganglion.core.losses import batch_mean, loss_for


@pytest.mark.parametrize(
    ("loss", "y", "shape", "message"),
    [
        ("poisson", [1, 2, -1], (1,), "poisson needs y >= 0, got -1 in row 2"),
        ("binary_cross_entropy", [0, 2], (1,), "from 0 to 1, got 2 in row 1"),
        ("hinge", [1, 3], (1,), "got 3 in row 1"),
        ("cross_entropy", [0, 3], (3,), "class numbers from 0 to 2.*got 3 in row 1"),
        ("cross_entropy", [0, -1], (3,), "got -1 in row 1"),
        ("cross_entropy", [0.5, 1], (3,), "got 0.5 in row 0"),
        ("cross_entropy", [[0.5, 0.2, 0.2]], (3,), "sum to 1 in each row, got 0.9 in row 0"),
        ("cross_entropy", [[1.5, -0.5, 0]], (3,), "at least 0"),
        ("mse", [[1, 2]], (3,), r"outputs of shape \(3,\), got targets of shape \(2,\)"),
        ("mse", [1, np.nan], (1,), "finite, got nan in row 1"),
        ("mse", ["a"], (1,), "numbers"),
        ("cross_entropy", ["setosa", "virginica"], (3,), "TableModel"),
    ],
)
def test_targets_outside_the_domain_are_refused(
    loss: str, y: object, shape: tuple[int], message: str
) -> None:
    with pytest.raises(gg.DataError, match=message):
        gg.Loss.find(loss).encode(y, shape)


def test_class_numbers_become_shares() -> None:
    loss = gg.CrossEntropy()
    assert loss.encode([2, 0], (3,)).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert loss.encode([[2], [0]], (3,)).tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(gg.ConfigError, match="at least 2"):
        loss.encode([0, 1], (1,))


def test_a_weighted_mean_counts_rows_by_weight() -> None:
    values, gradients = np.array([1.0, 4.0]), np.array([[1.0], [2.0]])
    mean, gradient = batch_mean((values, gradients), np.array([3.0, 1.0]))
    assert mean == pytest.approx(1.75)
    np.testing.assert_allclose(gradient, [[0.75], [0.5]])
    double = batch_mean((values, gradients), np.array([6.0, 2.0]))
    assert double[0] == pytest.approx(mean)


@pytest.mark.parametrize(
    ("activation", "loss"),
    [("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy"), ("exp", "poisson"), ("relu", "mse")],
)
def test_the_output_activation_picks_the_loss(activation: str, loss: str) -> None:
    assert loss_for(gg.Activation.find(activation)).name == loss
    assert loss_for(None).name == "mse"


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "poisson"])
def test_outputs_that_leave_the_range_are_refused(loss: str) -> None:
    net = gg.Network([gg.Dense(2)], inputs=1)
    with pytest.raises(gg.ConfigError, match="needs predictions from 0 .*identity.*last layer"):
        net.fit([[1.0]], [[0, 1]], loss=loss)


@pytest.mark.parametrize("name", sorted(set(gg.Loss.known) - {"joint"}))
@pytest.mark.parametrize("shape", [(40, 3), (40, 2, 3)])
def test_sample_targets_are_valid_and_a_function_of_the_generator(name: str, shape: tuple[int, ...]) -> None:
    loss = gg.Loss.find(name)
    y = loss.sample_targets(shape, np.random.default_rng(0))
    assert y.shape == shape
    assert y.dtype == np.float64
    np.testing.assert_array_equal(loss.encode(y, shape[1:]), y)
    np.testing.assert_array_equal(loss.sample_targets(shape, np.random.default_rng(0)), y)
    if loss.range == (0, 1):  # some certain, some not
        assert (y == 1).any()
        assert ((y > 0) & (y < 1)).any()


def test_losses_of_probabilities_smooth_targets_and_clip_values() -> None:
    y, a = np.array([[0.0, 1.0, 0.0, 0.0]]), np.array([[0.01, 0.98, 0.005, 0.005]])
    binary, several = gg.BinaryCrossEntropy(0.2, clip=0.1), gg.CrossEntropy(0.2, clip=0.1)
    np.testing.assert_allclose(binary.smoothed(y), [[0.1, 0.9, 0.1, 0.1]])
    np.testing.assert_allclose(several.smoothed(y), [[0.05, 0.85, 0.05, 0.05]])
    for loss in (binary, several):
        np.testing.assert_allclose(loss.clipped(a), [[0.1, 0.9, 0.1, 0.1]])
        assert loss.without_clip() == type(loss)(0.2)
    plain = gg.MeanSquaredError()
    assert plain.smoothed(y) is y
    assert plain.clipped(a) is a
    assert plain.without_clip() is plain
