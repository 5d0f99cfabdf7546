import math
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

import ganglion as gg
from ganglion.core.part import Array

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb

from ganglion.insight.plot.drawing import class_color

XOR = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    plt.close("all")
    yield
    assert len(plt.get_fignums()) <= 1
    plt.close("all")


def two_inputs(*layers: gg.Layer, seed: int = 1, **settings: Any) -> gg.Network:
    return gg.Network(list(layers), inputs=2, seed=seed, **settings)


def yes_no() -> gg.Network:
    return two_inputs(gg.Dense(4, "tanh"), gg.Dense(1, "sigmoid"))


def places(axes: Axes, side: int) -> Array:
    """The middle of each cell of the image, row by row from the lowest."""
    left, right, bottom, top = axes.images[0].get_extent()
    middles = (np.arange(side) + 0.5) / side
    grid = np.meshgrid(left + (right - left) * middles, bottom + (top - bottom) * middles)
    return np.stack(grid, axis=-1).reshape(-1, 2)


def nearest_class(image: Array, count: int) -> Array:
    """The class whose color each cell has, whatever its strength."""
    ink = 1 - image.reshape(-1, 3)
    pure = 1 - np.array([to_rgb(class_color(number, count)) for number in range(count)])
    pure, ink = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (pure, ink))
    return (ink @ pure.T).argmax(axis=1)


@pytest.mark.parametrize(
    ("units", "activation", "loss"),
    [
        (1, "sigmoid", None),
        (1, "tanh", "hinge"),
        (2, "softmax", None),
        (3, "softmax", None),
        (8, "softmax", None),
        (3, "log_softmax", None),
    ],
)
def test_each_place_has_the_color_of_the_class_predicted_there(
    units: int, activation: str, loss: str | None
) -> None:
    net = two_inputs(gg.Dense(12, "tanh"), gg.Dense(units, activation), seed=4)
    net.parameters[:] *= 3
    count = max(units, 2)
    y = np.arange(4) % count
    axes = gg.plot.boundary(net, XOR[0] * 4 - 2, y, loss=loss, resolution=40)
    answers = net.predict(places(axes, 40))
    half = 0.0 if loss == "hinge" else 0.5
    predicted = answers.argmax(axis=1) if units > 1 else (answers[:, 0] >= half).astype(int)
    assert len(set(predicted)) > 1
    np.testing.assert_array_equal(nearest_class(np.asarray(axes.images[0].get_array()), count), predicted)


def test_a_place_is_colored_the_stronger_the_surer_the_network_is() -> None:
    net = two_inputs(gg.Dense(1, "sigmoid"))
    net.parameters = [2, 0, 0]  # yes to the right
    image = np.asarray(gg.plot.boundary(net, [[-2, 0], [2, 0]], [0, 1], resolution=21).images[0].get_array())
    strength = 1 - image[10].min(axis=1)
    assert (np.diff(strength[:10]) < 0).all()
    assert (np.diff(strength[11:]) > 0).all()


def test_rows_are_marked_by_class_with_color_and_marker() -> None:
    axes = gg.plot.boundary(yes_no(), *XOR, labels=["no", "yes"], columns=["width", "height"], resolution=20)
    marked = {
        str(drawn.get_label()): drawn
        for drawn in axes.collections
        if isinstance(drawn, PathCollection) and not str(drawn.get_label()).startswith("_")
    }
    np.testing.assert_array_equal(marked["no"].get_offsets(), [[0, 0], [1, 1]])
    np.testing.assert_array_equal(marked["yes"].get_offsets(), [[0, 1], [1, 0]])
    shapes = [drawn.get_paths()[0].vertices for drawn in marked.values()]
    assert shapes[0].shape != shapes[1].shape
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("width", "height")
    assert axes.get_xlim()[0] < 0
    assert axes.get_xlim()[1] > 1


def test_a_number_is_drawn_in_shades() -> None:
    net = two_inputs(gg.Dense(5, "tanh"), gg.Dense(1))
    axes = gg.plot.boundary(net, XOR[0], [0.5, -1, 2.25, 3], resolution=30)
    drawn = np.asarray(axes.images[0].get_array()).reshape(-1)
    np.testing.assert_allclose(drawn, net.predict(places(axes, 30))[:, 0], atol=1e-5)
    (circles,) = [c for c in axes.collections if isinstance(c, PathCollection)]
    np.testing.assert_array_equal(circles.get_array(), [0.5, -1, 2.25, 3])
    assert circles.get_clim() == axes.images[0].get_clim()


@pytest.mark.parametrize("X", [[[3, 3]], [[1e20, 0], [1e20, 1]], [[1, 1], [1 + 1e-7, 2]], [[0, 0], [0, 0]]])
@pytest.mark.parametrize("output", ["sigmoid", "identity"])
def test_rows_without_spread_are_drawn(X: list[list[float]], output: str) -> None:
    net = two_inputs(gg.Dense(1, output))
    gg.plot.boundary(net, X, [1] * len(X), resolution=10).figure.canvas.draw()


def test_many_rows_are_drawn() -> None:
    X = np.random.default_rng(0).normal(size=(6000, 2))
    gg.plot.boundary(yes_no(), X, X[:, 0] > 0, resolution=10).figure.canvas.draw()


@pytest.mark.parametrize(
    ("X", "y", "settings", "error", "words"),
    [
        ([[0, math.nan]], [0], {}, gg.DataError, "X must be finite, got nan in row 0"),
        ([[0, 1, 2]], [0], {}, gg.ShapeError, "X must have shape (rows, 2)"),
        ([[0, 1]], [0, 1], {}, gg.ShapeError, "same number of rows, got 1 and 2"),
        ([[0, 1]], [2], {}, gg.DataError, "targets"),
        ([[0, 1]], ["yes"], {}, gg.DataError, "numbers"),
        (np.zeros((0, 2)), [], {}, gg.DataError, "at least one row"),
        ([[1e35, 1]], [0], {}, gg.DataError, "at most 1e30"),
        (*XOR, {"resolution": 1}, gg.ConfigError, "resolution"),
        (*XOR, {"labels": ["no"]}, gg.ConfigError, "labels must be a list of 2 names"),
        (*XOR, {"columns": "ab"}, gg.ConfigError, "columns must be a list of 2 names"),
        (*XOR, {"loss": "cross_entropi"}, gg.ConfigError, "there is no loss"),
    ],
)
def test_boundary_refuses_bad_input(
    X: Any, y: Any, settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as raised:
        gg.plot.boundary(yes_no(), X, y, **settings)
    assert words in str(raised.value)
    assert not plt.get_fignums()


def test_boundary_refuses_other_networks() -> None:
    one = gg.Network([gg.Dense(1, "sigmoid")], inputs=1)
    with pytest.raises(
        gg.ConfigError, match="needs a network with two inputs or more, but the inputs of this one are 1"
    ):
        gg.plot.boundary(one, np.zeros((1, 1)), [0])
    with pytest.raises(gg.ConfigError, match="one output, or softmax"):
        gg.plot.boundary(two_inputs(gg.Dense(3)), *XOR)
    with pytest.raises(gg.ConfigError, match="net must be a ganglion Network"):
        gg.plot.boundary("net", *XOR)  # type: ignore[arg-type]
    broken = two_inputs(gg.Dense(1))
    broken.parameters[:] = np.nan
    with pytest.raises(gg.DataError, match="needs finite predictions"):
        gg.plot.boundary(broken, *XOR)


# loss surface


def grid(axes: Axes) -> Array:
    """The values of the surface drawn last."""
    return np.asarray(axes.images[-1].get_array())


def test_a_loss_surface_leaves_the_network_as_it_was() -> None:
    net = two_inputs(gg.Dense(4), gg.BatchNormalization(), gg.Activate("relu"), gg.Dropout(0.5), gg.Dense(1))
    net.fit(*XOR, epochs=3)
    before = [v.tobytes() for v in (net.parameters, net.state)], net.loss_and_gradient(*XOR)[0]
    gg.plot.loss_surface(net, *XOR, resolution=5)
    assert ([v.tobytes() for v in (net.parameters, net.state)], net.loss_and_gradient(*XOR)[0]) == before


@pytest.mark.parametrize("loss", [None, "mae", gg.Huber(0.5)], ids=repr)
def test_its_middle_is_the_loss_of_the_network_itself(loss: Any) -> None:
    net = two_inputs(gg.Dense(4, "tanh"), gg.Dense(1), dtype="float64")
    drawn = grid(gg.plot.loss_surface(net, *XOR, loss=loss, resolution=7))
    assert drawn.shape == (7, 7)
    assert drawn[3, 3] == pytest.approx(net.loss_and_gradient(*XOR, loss)[0], rel=1e-12)


def test_dropout_does_not_act() -> None:
    with_dropout = two_inputs(gg.Dense(6, "tanh"), gg.Dropout(0.5), gg.Dense(1))
    without = two_inputs(gg.Dense(6, "tanh"), gg.Dense(1))
    without.parameters = with_dropout.parameters
    _, axes = plt.subplots()
    first, second = (
        grid(gg.plot.loss_surface(n, *XOR, resolution=5, ax=axes)) for n in (with_dropout, without)
    )
    np.testing.assert_array_equal(first, second)


def test_a_step_changes_the_weights_by_as_much_as_their_own_length_and_leaves_biases() -> None:
    """With y = x @ w of one input of 1, the loss along one direction shows how far the weight moved."""
    net = gg.Network([gg.Dense(1)], inputs=1, dtype="float64")
    net.parameters = [2.0, 10.0]
    drawn = grid(gg.plot.loss_surface(net, [[1.0]], [12.0], resolution=3))
    # Each direction is +2 or -2 for the weight and 0 for the bias, so the residual is 0, ±2 or ±4.
    assert drawn[1, 1] == 0
    np.testing.assert_allclose(drawn[[1, 1, 0, 2], [0, 2, 1, 1]], 4)
    np.testing.assert_allclose(sorted(drawn[[0, 0, 2, 2], [0, 2, 0, 2]]), [0, 0, 16, 16])


def test_the_seed_decides_the_directions() -> None:
    _, axes = plt.subplots()
    first, again, other = (
        grid(gg.plot.loss_surface(yes_no(), *XOR, resolution=5, seed=seed, ax=axes)) for seed in (0, 0, 7)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).sum() == 24  # all but the network's own place


def test_the_scale_is_logarithmic_where_losses_span_much() -> None:
    net = two_inputs(gg.Dense(8, "tanh"), gg.Dense(1))
    net.fit(XOR[0], XOR[1].astype(float), optimizer="lbfgs", epochs=50)
    axes = gg.plot.loss_surface(net, *XOR, resolution=9)
    assert type(axes.images[0].norm).__name__ == "LogNorm"
    assert axes.figure.axes[1].get_ylabel() == "mse, logarithmic"
    plt.close("all")
    axes = gg.plot.loss_surface(yes_no(), *XOR, resolution=9, span=0.1)
    assert type(axes.images[0].norm).__name__ == "Normalize"


def test_places_whose_loss_is_not_finite_are_left_out() -> None:
    net = gg.Network([gg.Dense(1, "exp")], inputs=1)
    net.parameters = [1, 0]
    axes = gg.plot.loss_surface(net, [[300.0], [0.0]], [1, 1], loss="mse", span=5, resolution=11)
    shown = np.ma.asarray(axes.images[0].get_array())
    assert shown.mask.any()
    assert np.isfinite(shown.compressed()).all()
    axes.figure.canvas.draw()


def test_a_flat_surface_is_drawn() -> None:
    net = two_inputs(gg.Dense(3, "relu"), gg.Dense(1))
    net.parameters[-1] = 1.0
    net.named_parameters()["dense_1/bias"][:] = -1e6  # dead
    gg.plot.loss_surface(net, *XOR, resolution=5).figure.canvas.draw()


def test_of_many_rows_a_part_is_used_and_named() -> None:
    X = np.random.default_rng(0).normal(size=(2100, 2))
    axes = gg.plot.loss_surface(yes_no(), X, X[:, 0] > 0, resolution=3)
    assert "2,000 of 2,100 rows" in axes.get_title()


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"resolution": 4}, gg.ConfigError, "resolution must be odd"),
        ({"resolution": 1}, gg.ConfigError, "resolution"),
        ({"span": 0}, gg.ConfigError, "span must be a number > 0"),
        ({"span": math.nan}, gg.ConfigError, "span"),
        ({"seed": -1}, gg.ConfigError, "seed"),
        ({"X": [[0, math.inf]], "y": [1]}, gg.DataError, "X must be finite"),
        ({"y": [1]}, gg.ShapeError, "same number of rows, got 4 and 1"),
        ({"loss": "cross_entropy"}, gg.ConfigError, "needs predictions"),
    ],
)
def test_loss_surface_refuses_bad_input(settings: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        gg.plot.loss_surface(yes_no(), **{"X": XOR[0], "y": XOR[1], **settings})
    assert words in str(raised.value)
    assert not plt.get_fignums()


def test_loss_surface_refuses_a_network_without_weights() -> None:
    net = yes_no()
    net.parameters = 0
    with pytest.raises(gg.ConfigError, match="needs weights other than 0"):
        gg.plot.loss_surface(net, *XOR)
    net.parameters[:] = np.nan
    with pytest.raises(gg.DataError, match="parameters must be finite"):
        gg.plot.loss_surface(net, *XOR)
    with pytest.raises(gg.ConfigError, match="needs weights other than 0"):
        gg.plot.loss_surface(two_inputs(gg.LayerNormalization()), XOR[0], XOR[0])
