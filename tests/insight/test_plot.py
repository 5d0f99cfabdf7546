import math
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

import ganglion as gg
from ganglion.answers.calibration import Calibration
from ganglion.answers.held_out import HeldOut
from ganglion.answers.judging import evaluate
from ganglion.answers.report import Report
from ganglion.answers.target import ClassTarget
from ganglion.core.part import Array
from ganglion.images.rows import Scaling
from ganglion.insight.dependence import Dependence
from ganglion.insight.importance import Importance

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb

from ganglion.insight.plot.drawing import BLUE, CLASS_COLORS, ORANGE, class_color

XOR = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
IMAGES = gg.Network(
    [gg.Conv2D(3, 3, "tanh"), gg.GlobalAveragePool(), gg.Dense(2, "softmax")], inputs=(6, 8, 1)
)
CROSS = np.eye(8)[1:7, :, None]
PIXELS = gg.Network([gg.Dense(6, "relu"), gg.Dense(3, "softmax")], inputs=16)


@pytest.fixture(autouse=True)
def _only_the_returned_figure() -> Iterator[None]:
    """A picture opens at most the one figure that it returns, and changes no setting of matplotlib."""
    plt.close("all")
    before = dict(mpl.rcParams)
    yield
    assert len(plt.get_fignums()) <= 1
    plt.close("all")
    assert dict(mpl.rcParams) == before


def two_inputs(*layers: gg.Layer) -> gg.Network:
    return gg.Network(list(layers), inputs=2, seed=1)


def yes_no() -> gg.Network:
    return two_inputs(gg.Dense(4, "tanh"), gg.Dense(1, "sigmoid"))


def measured(loss: list[float], validation: list[float] = [], **facts: Any) -> gg.History:  # noqa: B006
    return gg.History(loss=loss, validation_loss=validation, **facts)


IMPORTANCE = Importance(["a", "b"], [0.5, -0.1], [0.1, 0.2], "r2", 0.9, 100)
DEPENDENCE = Dependence("a", [0.0, 1.0], [[1.0], [3.0]], [[0.5], [2.0]], [[1.5], [4.0]], ["y"], 10)
THIRDS = [[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]]
WORDS = Dependence("a", ["x", None], THIRDS, THIRDS, THIRDS, ["p", "q", "r"], 10)


def reported() -> Report:
    p = np.linspace(0.01, 0.99, 200)
    truth = (np.random.default_rng(0).random(200) < p).astype(np.int64)
    target = ClassTarget("t", ("no", "yes"), "text", (0.5, 0.5))
    rows = HeldOut(np.stack([1 - p, p], 1), truth, np.zeros(200, dtype=np.int64))
    return evaluate(target, rows, Calibration())


STRIPES = np.arange(2 * 64, dtype=np.uint8).reshape(2, 8, 8, 1)
PICTURES: dict[str, Callable[..., Any]] = {
    "history": lambda **ax: gg.plot.history(measured([2.0, 1.0], [3.0, 2.5]), **ax),
    "network": lambda **ax: gg.plot.network(yes_no(), **ax),
    "wide network": lambda **ax: gg.plot.network(gg.Network([gg.Dense(40)], inputs=3), **ax),
    "activation": lambda **ax: gg.plot.activation("leaky_relu", **ax),
    "boundary": lambda **ax: gg.plot.boundary(yes_no(), *XOR, resolution=20, **ax),
    "confusion": lambda **ax: gg.plot.confusion([0, 1, 1], [0, 1, 0], **ax),
    "units": lambda **ax: gg.plot.units(PIXELS, **ax),
    "filters": lambda **ax: gg.plot.filters(IMAGES, **ax),
    "feature maps": lambda **ax: gg.plot.feature_maps(IMAGES, CROSS, **ax),
    "saliency": lambda **ax: gg.plot.saliency(IMAGES, CROSS, **ax),
    "why": lambda **ax: gg.plot.why(IMAGES, CROSS, **ax),
    "occlusion": lambda **ax: gg.plot.occlusion(IMAGES, CROSS, **ax),
    "augmented": lambda **ax: gg.plot.augmented(gg.Augmentation(shift=0.2), STRIPES, **ax),
    "network of images": lambda **ax: gg.plot.network(IMAGES, **ax),
    "importance": lambda **ax: gg.plot.importance(IMPORTANCE, **ax),
    "dependence": lambda **ax: gg.plot.dependence(DEPENDENCE, **ax),
    "dependence of classes": lambda **ax: gg.plot.dependence(WORDS, **ax),
    "reliability": lambda **ax: gg.plot.reliability(reported(), **ax),
    "loss surface": lambda **ax: gg.plot.loss_surface(yes_no(), *XOR, resolution=5, **ax),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_on_the_axes_given_and_returns_them(name: str) -> None:
    figure, (left, right) = plt.subplots(1, 2)
    assert PICTURES[name](ax=right) is right
    assert right.has_data() or right.collections or right.images
    assert not left.has_data()
    figure.canvas.draw()


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_makes_its_own_axes_and_nothing_is_cut_off(name: str) -> None:
    axes = PICTURES[name]()
    assert isinstance(axes, Axes)
    figure = axes.figure
    figure.canvas.draw()
    box, whole = figure.get_tightbbox(), figure.bbox_inches
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= whole.width + 0.01
    assert box.y1 <= whole.height + 0.01


@pytest.mark.parametrize("name", PICTURES)
def test_what_is_no_axes_is_refused_before_a_figure_is_made(name: str) -> None:
    with pytest.raises(gg.ConfigError, match="ax must be a matplotlib Axes, got 3"):
        PICTURES[name](ax=3)
    assert not plt.get_fignums()


@pytest.mark.parametrize("name", PICTURES)
def test_without_matplotlib_the_extra_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [key for key in sys.modules if key.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(gg.MissingPackageError, match=r"needs matplotlib.*pip install 'ganglion\[plot\]'"):
        PICTURES[name]()


# history


def series(axes: Axes) -> dict[str, Array]:
    return {str(line.get_label()): np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()}


def test_history_draws_both_losses_and_marks_the_lowest_validation_loss() -> None:
    axes = gg.plot.history(measured([3, 2, 1.5, 1], [3, 2.5, 2.6, math.nan]))
    drawn = series(axes)
    np.testing.assert_array_equal(drawn["loss"], [3, 2, 1.5, 1])
    np.testing.assert_array_equal(drawn["validation loss"], [3, 2.5, 2.6, math.nan])
    assert "lowest validation loss: epoch 2" in drawn
    mark = axes.get_lines()[-1]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (2, 2.5)
    assert axes.get_yscale() == "linear"


def test_history_marks_the_epoch_whose_weights_were_kept() -> None:
    assert "weights kept from epoch 3" in series(
        gg.plot.history(measured([3, 2, 1], [3, 2, 4], best_epoch=3))
    )


def test_history_is_logarithmic_where_it_spans_much() -> None:
    axes = gg.plot.history(measured([100.0, 10.0, math.inf, 1.0]))
    assert axes.get_yscale() == "log"
    axes.figure.canvas.draw()
    assert {"1", "10", "100"} <= {label.get_text() for label in axes.get_yticklabels()}
    plt.close("all")
    assert gg.plot.history(measured([100.0, 10.0, 0.0])).get_yscale() == "linear"


def test_history_of_one_epoch_shows_a_marker() -> None:
    assert gg.plot.history(measured([1.0])).get_lines()[0].get_marker() == "o"


@pytest.mark.parametrize("loss", [[], [math.nan, math.inf]])
def test_history_without_a_finite_loss_is_refused(loss: list[float]) -> None:
    with pytest.raises(gg.DataError, match="an epoch with a finite loss"):
        gg.plot.history(measured(loss))


def test_history_takes_nothing_else() -> None:
    with pytest.raises(gg.ConfigError, match="must be a ganglion History, got"):
        gg.plot.history([1, 2])  # type: ignore[arg-type]


# network


def collection(axes: Axes, kind: type[Any]) -> list[Any]:
    return [drawn for drawn in axes.collections if isinstance(drawn, kind)]


def test_lines_are_as_wide_as_weights_are_large_and_colored_by_their_sign() -> None:
    net = gg.Network([gg.Dense(3, "tanh"), gg.Dense(2)], inputs=2, seed=5)
    net.parameters[-2:] = [0.5, -1.0]
    axes = gg.plot.network(net)
    (lines,) = collection(axes, LineCollection)
    circles = collection(axes, PathCollection)
    places = [np.asarray(column.get_offsets()) for column in circles]
    assert [len(column) for column in places] == [2, 3, 2]
    widths, colors = lines.get_linewidths(), lines.get_colors()
    seen = {}
    for (start, end), width, color in zip(lines.get_segments(), widths, colors, strict=True):
        column = int(start[0])
        unit = [
            int(np.abs(places[c][:, 1] - at[1]).argmin()) for c, at in ((column, start), (column + 1, end))
        ]
        seen[column, *unit] = (width, tuple(color[:3]))
    weights = [net.named_parameters()[f"dense_{n}/weight"] for n in (1, 2)]
    largest = max(np.abs(weight).max() for weight in weights)
    widest = max(width for width, _ in seen.values())
    assert len(seen) == 12
    for (column, i, j), (width, color) in seen.items():
        weight = weights[column][i, j]
        assert width == pytest.approx(widest * abs(weight) / largest, rel=1e-6)
        assert color == to_rgb(BLUE if weight > 0 else ORANGE)
    np.testing.assert_allclose(circles[2].get_array(), [0.5, -1.0])
    assert f"{largest:.3g}" in axes.get_legend().get_title().get_text()


def columns(axes: Axes) -> list[str]:
    return [" ".join(label.get_text().split()) for label in axes.get_xticklabels()]


def test_layers_that_are_not_dense_are_named_below_the_units_they_follow() -> None:
    net = gg.Network(
        [
            gg.Flatten(),
            gg.Dense(4),
            gg.BatchNormalization(),
            gg.Activate("relu"),
            gg.Dropout(0.5),
            gg.Dense(1),
        ],
        inputs=(2, 2),
    )
    assert columns(gg.plot.network(net)) == [
        "input 4 flatten",
        "dense_1 4 identity batch normalization relu dropout 0.5",
        "dense_2 1 identity",
    ]


@pytest.mark.parametrize(
    ("inputs", "units", "wide"), [(32, 32, False), (33, 2, True), (2, 33, True), (1200, 1100, True)]
)
def test_a_wide_layer_makes_heat_maps(inputs: int, units: int, wide: bool) -> None:
    net = gg.Network([gg.Dense(units, "relu"), gg.Dense(2)], inputs=inputs)
    axes = gg.plot.network(net)
    assert len(axes.images) == 2 * wide
    assert bool(axes.collections) != wide
    for image, name in zip(axes.images, ("dense_1", "dense_2"), strict=False):
        weight = net.named_parameters()[f"{name}/weight"]
        rows, across = (math.ceil(size / 1000) for size in weight.shape)
        np.testing.assert_array_equal(image.get_array(), weight[::rows, ::across])
        low, high = image.get_clim()
        assert low == -high


def test_colors_are_orange_below_zero_and_blue_above() -> None:
    net = gg.Network([gg.Dense(40)], inputs=2)
    image = gg.plot.network(net).images[0]
    np.testing.assert_allclose(image.to_rgba(-9)[:3], to_rgb(ORANGE), atol=0.01)
    np.testing.assert_allclose(image.to_rgba(9)[:3], to_rgb(BLUE), atol=0.01)
    assert min(image.to_rgba(0)[:3]) > 0.98


def test_a_layer_that_changes_the_number_of_units_makes_heat_maps() -> None:
    class FirstTwo(gg.Layer):
        def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
            return (2,)

        def forward(self, weights: Any, x: Array, context: Any) -> tuple[Array, Any]:
            return x[:, :2], None

    net = gg.Network([gg.Dense(3), FirstTwo(), gg.Dense(1)], inputs=2, engine="reference")
    assert len(gg.plot.network(net).images) == 2


def test_a_network_of_zeros_is_drawn() -> None:
    net = yes_no()
    net.parameters = 0
    assert (collection(gg.plot.network(net), LineCollection)[0].get_linewidths() == 0).all()


@pytest.mark.parametrize(
    ("layers", "inputs"),
    [
        ([gg.Residual([gg.Dense(3), gg.Dense(3)]), gg.Dense(3)], 3),
        ([gg.Parallel({"a": [gg.Dense(3)], "b": [gg.Dense(3)]})], 3),
        ([gg.Parallel({"a": [gg.Dense(3)], "b": [gg.Dense(3)]})], {"a": 3, "b": 3}),
    ],
    ids=["residual", "branches", "inputs"],
)
def test_a_network_that_is_no_chain_is_drawn_as_heat_maps(layers: list[gg.Layer], inputs: Any) -> None:
    net = gg.Network(layers, inputs)
    axes = gg.plot.network(net)
    assert not axes.collections
    names = [label.split()[3] for label in columns(axes)]
    steps = net.architecture.steps
    assert names == [step.name for step in steps if isinstance(step.layer, gg.Dense)]


def test_a_network_that_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(
        gg.ConfigError, match="needs a dense layer or a convolution, but this one has activate_1"
    ):
        gg.plot.network(gg.Network([gg.Activate("relu")], inputs=2))
    net = yes_no()
    net.parameters[-1] = np.nan
    with pytest.raises(gg.DataError, match="must be finite to be drawn, but those of dense_2"):
        gg.plot.network(net)


@pytest.mark.parametrize("draw", [gg.plot.network, gg.plot.units])
@pytest.mark.parametrize("wrong", [None, 3, "net", gg.Dense(1)], ids=repr)
def test_what_is_no_network_is_refused(draw: Callable[[Any], Any], wrong: Any) -> None:
    with pytest.raises(gg.ConfigError, match="net must be a ganglion Network, got"):
        draw(wrong)


# activation


@pytest.mark.parametrize("name", sorted(set(gg.Activation.known) - {"sections"}))
def test_an_activation_is_drawn_with_its_derivative(name: str) -> None:
    axes = gg.plot.activation(name)
    drawn = {str(line.get_label()): line for line in axes.get_lines()}
    z, a = (np.asarray(drawn["f(z)"].get_data()[axis]) for axis in (0, 1))
    slope = np.asarray(drawn["f'(z)"].get_ydata())
    middle = (z[1:-1] > -4.9) & (np.abs(np.abs(z[1:-1]) - 3) > 0.02) & (np.abs(z[1:-1]) > 0.02)
    differences = (a[2:] - a[:-2]) / (z[2:] - z[:-2])
    np.testing.assert_allclose(slope[1:-1][middle], differences[middle], atol=1e-4, rtol=1e-4)
    part = gg.Activation.find(name)
    wrapped = " ".join(axes.get_title().split())
    assert wrapped.startswith(part.name)
    assert " ".join(part.formula.split()) in wrapped
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert ("dies: f' = 0" in legend) == part.can_die
    assert ("saturates: |f'| < 0.05" in legend) == (part.saturates and not part.can_die)


def shaded(axes: Axes) -> list[tuple[float, float]]:
    return sorted((patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches)


def test_what_is_shaded_is_where_the_derivative_is_small() -> None:
    edge = math.acosh(1 / math.sqrt(0.05))  # 1 - tanh(z)**2 = 0.05
    np.testing.assert_allclose(shaded(gg.plot.activation("tanh")), [(-5, -edge), (edge, 5)], atol=0.02)
    plt.close("all")
    np.testing.assert_allclose(shaded(gg.plot.activation("relu")), [(-5, 0)], atol=0.02)
    plt.close("all")
    np.testing.assert_allclose(shaded(gg.plot.activation("hard_sigmoid")), [(-5, -3), (3, 5)], atol=0.02)
    plt.close("all")
    assert shaded(gg.plot.activation("identity")) == []


def test_a_leaky_relu_is_flat_but_does_not_die() -> None:
    axes = gg.plot.activation(gg.LeakyReLU(0.02))
    assert axes.get_title().startswith("leaky_relu(slope=0.02)")
    assert [text.get_text() for text in axes.get_legend().get_texts()][2:] == ["nearly flat: |f'| < 0.05"]


def test_softmax_is_drawn_with_a_second_score() -> None:
    axes = gg.plot.activation("softmax")
    z, a = axes.get_lines()[2].get_data()
    np.testing.assert_allclose(a, 1 / (1 + np.exp(-np.asarray(z))))
    assert "a second score of 0" in axes.get_xlabel()
    plt.close("all")
    assert gg.plot.activation("tanh").get_xlabel() == "z"


def test_an_activation_of_your_own_is_drawn() -> None:
    class Square(gg.Activation):
        def forward(self, z: Array) -> Array:
            return z * z

        def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
            return grad_a * 2 * z

    assert gg.plot.activation(Square()).get_title() == "Square"


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(gg.ConfigError, match="did you mean 'relu'"):
        gg.plot.activation("rellu")
    with pytest.raises(gg.ConfigError, match="activation must be a name"):
        gg.plot.activation(3)  # type: ignore[arg-type]


# confusion


def cells(axes: Axes) -> dict[tuple[int, int], str]:
    """Text by (row, column)."""
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}


def test_confusion_shows_counts_and_row_fractions() -> None:
    axes = gg.plot.confusion(["b", "b", "b", "a"], ["b", "b", "a", "a"])
    assert cells(axes) == {(0, 0): "1\n100.0 %", (0, 1): "0", (1, 0): "1\n33.3 %", (1, 1): "2\n66.7 %"}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[1, 0], [-1 / 3, 2 / 3]])
    assert axes.get_title() == "accuracy 75.0 %: 3 of 4 rows"


@pytest.mark.parametrize(
    ("truth", "predicted", "labels", "names"),
    [
        ([0, 1], [1, 1], None, ["0", "1"]),
        ([0, 1], [1, 1], ["no", "yes"], ["no", "yes"]),
        (np.array([0, 1]), np.array([[1.0], [1.0]]), ["no", "yes", "perhaps"], ["no", "yes", "perhaps"]),
        (["no", "yes"], ["yes", "yes"], ["yes", "no"], ["yes", "no"]),
        ([False, True], [True, True], None, ["False", "True"]),
        (np.array(["no", "yes"], dtype=object), ("yes", "yes"), None, ["no", "yes"]),
        ([2, "a"], ["a", "a"], None, ["2", "a"]),
    ],
)
def test_confusion_takes_numbers_and_names(truth: Any, predicted: Any, labels: Any, names: list[str]) -> None:
    axes = gg.plot.confusion(truth, predicted, labels=labels)
    assert [label.get_text() for label in axes.get_xticklabels()] == names
    assert axes.get_title() == "accuracy 50.0 %: 1 of 2 rows"


@pytest.mark.parametrize("count", [2, 5, 12, 26, 50])
def test_confusion_of_many_classes_fits_its_cells(count: int) -> None:
    classes = np.arange(count * 3) % count
    axes = gg.plot.confusion(classes, np.roll(classes, 1))
    axes.figure.canvas.draw()
    cell = axes.get_window_extent().width / count
    assert all(text.get_window_extent().width < cell for text in axes.texts)


@pytest.mark.parametrize(
    ("truth", "predicted", "labels", "error", "words"),
    [
        ([0, 1], [0], None, gg.ShapeError, "as many rows, got 2 and 1"),
        ([], [], None, gg.DataError, "at least one row"),
        ([0, math.nan], [0, 1], None, gg.DataError, "got nan in row 1"),
        ([0, None], [0, 1], None, gg.DataError, "got None in row 1"),
        ([0, 1], [[0.1, 0.9], [0.4, 0.6]], None, gg.ShapeError, ".argmax(axis=1)"),
        ([[0], [0, 1]], [0, 1], None, gg.ShapeError, "one class for each row"),
        (3, [0], None, gg.ShapeError, "one class for each row"),
        ([0, 2], [0, 1], ["no", "yes"], gg.DataError, "got 2 in row 1"),
        (["no"], ["maybe"], ["no", "yes"], gg.DataError, "predicted must hold the labels"),
        ([0, 1], [0, 1], ["no", "no"], gg.ConfigError, "differ from each other"),
        ([0, 1], [0, 1], "no", gg.ConfigError, "labels must be a list"),
        (list(range(51)), list(range(51)), None, gg.ConfigError, "at most 50 classes, got 51"),
    ],
)
def test_confusion_refuses_what_it_cannot_count(
    truth: Any, predicted: Any, labels: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as raised:
        gg.plot.confusion(truth, predicted, labels=labels)
    assert words in str(raised.value)


# units


def test_circles_hold_the_numbers_by_which_a_trace_names_their_units() -> None:
    axes = gg.plot.network(gg.Network([gg.Dense(3, "tanh"), gg.Dense(1)], inputs=2))
    numbers = [(int(t.get_position()[0]), t.get_text()) for t in axes.texts if t.get_text().isdigit()]
    assert [pair for pair in numbers if pair[0] == 1] == [(1, "0"), (1, "1"), (1, "2")]


def test_units_are_small_images_of_the_first_weights() -> None:
    axes = gg.plot.units(PIXELS)
    weight = PIXELS.named_parameters()["dense_1/weight"]
    assert len(axes.images) == 6
    for unit, image in enumerate(axes.images):
        np.testing.assert_array_equal(image.get_array(), weight[:, unit].reshape(4, 4))
        assert image.get_clim() == pytest.approx((-np.abs(weight).max(), np.abs(weight).max()))
    assert [text.get_text() for text in axes.texts] == ["0", "1", "2", "3", "4", "5"]
    boxes = [image.get_extent() for image in axes.images]
    apart = [
        a[1] <= b[0] or b[1] <= a[0] or a[2] <= b[3] or b[2] <= a[3] for a in boxes for b in boxes if a != b
    ]
    assert all(apart)


def test_of_many_units_those_with_the_largest_weights_are_drawn_in_order() -> None:
    net = gg.Network([gg.Dense(70), gg.Dense(1)], inputs=4, seed=2)
    weight = net.named_parameters()["dense_1/weight"]
    weight[:, [3, 9, 20, 41, 50, 69]] = 0.001
    axes = gg.plot.units(net)
    left_out = {3, 9, 20, 41, 50, 69}
    assert [int(text.get_text()) for text in axes.texts] == [n for n in range(70) if n not in left_out]
    assert "the largest 64 of 70 units" in " ".join(axes.get_title().split())


def test_the_shape_of_an_image_is_that_given_or_of_the_inputs() -> None:
    assert gg.plot.units(PIXELS, shape=(2, 8)).images[0].get_array().shape == (2, 8)
    plt.close("all")
    net = gg.Network([gg.Flatten(), gg.Dense(3)], inputs=(2, 5))
    assert gg.plot.units(net).images[0].get_array().shape == (2, 5)


@pytest.mark.parametrize(
    ("net", "shape", "words"),
    [
        (gg.Network([gg.Dense(2)], inputs=30), None, "30 inputs are not 5 x 5"),
        (PIXELS, (3, 5), "16 inputs are not 3 x 5"),
        (PIXELS, (0, 5), "shape must be a whole number >= 1"),
        (PIXELS, 4, "shape must be (height, width)"),
        (
            gg.Network([gg.LayerNormalization(), gg.Dense(2)], inputs=4),
            None,
            "first with weights, but the first is layer_normalization_1",
        ),
    ],
)
def test_units_refuses_what_is_no_image(net: gg.Network, shape: Any, words: str) -> None:
    with pytest.raises(gg.ConfigError) as raised:
        gg.plot.units(net, shape=shape)
    assert words in str(raised.value)


def test_long_titles_are_broken_into_lines() -> None:
    figure, axes = plt.subplots(figsize=(3, 3))
    gg.plot.activation("gelu", ax=axes)
    figure.canvas.draw()
    assert axes.get_title().count("\n") >= 2
    assert axes.title.get_window_extent().width < figure.bbox.width
    assert textwrap.dedent(axes.get_title()) == axes.get_title()


def test_classes_have_colors_of_their_own() -> None:
    assert [class_color(number, 2) for number in (0, 1)] == [ORANGE, BLUE]
    assert len({class_color(number, 8) for number in range(8)}) == 8
    assert class_color(0, 3) == CLASS_COLORS[0]


def test_pictures_of_columns_show_their_numbers() -> None:
    bars = gg.plot.importance(IMPORTANCE)
    assert [bar.get_width() for bar in bars.patches] == [0.5, -0.1]
    plt.close("all")
    line = gg.plot.dependence(DEPENDENCE).lines[0]
    assert line.get_ydata().tolist() == [1, 3]  # type: ignore[union-attr]
    plt.close("all")
    axes = gg.plot.dependence(WORDS)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["x", "missing"]
    plt.close("all")
    report = reported()
    assert report.reliability is not None
    curve = gg.plot.reliability(report).lines[1]
    np.testing.assert_allclose(curve.get_ydata(), [each[1] for each in report.reliability.bins])
    plt.close("all")
    for draw in (gg.plot.importance, gg.plot.dependence, gg.plot.reliability):
        with pytest.raises(gg.ConfigError, match="must be a"):
            draw(3)  # type: ignore[arg-type]


# images


def shown(axes: Axes) -> list[Array]:
    """Return the pictures drawn, the first first."""
    return [np.asarray(image.get_array(), dtype=float) for image in axes.images]


def words(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_filters_are_the_kernels_of_a_convolution() -> None:
    axes = gg.plot.filters(IMAGES)
    kernel = IMAGES.named_parameters()["conv_2d_1/weight"]
    for place, picture in enumerate(shown(axes)):
        np.testing.assert_array_equal(picture, kernel[:, :, 0, place].astype(float))
        assert axes.images[place].get_clim() == pytest.approx((-np.abs(kernel).max(), np.abs(kernel).max()))
    assert words(axes) == ["0", "1", "2"]
    assert axes.get_title() == "conv_2d_1: 3 filters of 3 x 3 tanh"


def test_filters_of_several_channels_are_columns() -> None:
    net = gg.Network([gg.Conv2D(20, 3), gg.Conv2D(3, (1, 2)), gg.Flatten()], inputs=(4, 4, 2))
    axes = gg.plot.filters(net, "conv_2d_2")
    kernel = net.named_parameters()["conv_2d_2/weight"]
    channels = np.sort(np.argsort(-np.square(kernel).sum(axis=(0, 1, 3)))[:16])
    assert words(axes) == [*"012", *map(str, channels)]
    assert "down: channels, the 16 largest" in axes.get_title()
    places = [(channel, filter_) for channel in channels for filter_ in range(3)]
    for (channel, filter_), picture in zip(places, shown(axes), strict=True):
        np.testing.assert_array_equal(picture, kernel[:, :, channel, filter_].astype(float))


def test_filters_of_signals_have_a_row_for_each_channel() -> None:
    net = gg.Network([gg.Conv1D(4, 5), gg.Flatten()], inputs=(9, 3))
    kernel = net.named_parameters()["conv_1d_1/weight"]
    for place, picture in enumerate(shown(gg.plot.filters(net))):
        np.testing.assert_array_equal(picture, kernel[..., place].T.astype(float))


def test_of_many_filters_the_largest_are_drawn() -> None:
    net = gg.Network([gg.Conv2D(70, 2)], inputs=(4, 4, 1))
    net.named_parameters()["conv_2d_1/weight"][..., [3, 5]] *= 1e-3
    axes = gg.plot.filters(net)
    assert len(axes.images) == 64
    assert not {"3", "5"} & set(words(axes))
    assert axes.get_title().endswith("the 64 largest")


def test_feature_maps_are_the_activations_of_a_layer() -> None:
    maps = IMAGES.trace(CROSS).layers[0].a[0]
    axes = gg.plot.feature_maps(IMAGES, CROSS)
    for place, picture in enumerate(shown(axes)):
        np.testing.assert_allclose(picture, maps[..., place], rtol=1e-5, atol=1e-7)
    net = gg.Network([gg.Conv2D(2, 3), gg.MaxPool2D(), gg.Flatten(), gg.Dense(2)], inputs=(6, 8, 1))
    plt.close("all")
    axes = gg.plot.feature_maps(net, CROSS, "max_pool_2d_1")
    assert axes.get_title() == "max_pool_2d_1: 2 maps of 3 x 4"
    assert [picture.shape for picture in shown(axes)] == [(3, 4)] * 2


@pytest.mark.parametrize(
    ("draw", "explain"),
    [
        (gg.plot.saliency, gg.saliency),
        (gg.plot.why, gg.grad_cam),
        (gg.plot.occlusion, gg.occlusion),
    ],
)
@pytest.mark.parametrize("output", [None, 0, 1])
def test_heat_is_as_strong_as_the_numbers_and_colored_by_their_sign(
    draw: Callable[..., Axes], explain: Callable[..., Array], output: int | None
) -> None:
    image = np.random.default_rng(0).normal(size=(6, 8, 1))
    values = explain(IMAGES, image, output)
    axes = draw(IMAGES, image, output)
    pale, heat = shown(axes)
    assert pale.shape == (6, 8, 3)
    assert pale.min() >= 0.7
    np.testing.assert_allclose(heat[..., 3], 0.9 * np.abs(values) / np.abs(values).max(), atol=1e-12)
    for place in np.ndindex(values.shape):
        assert tuple(heat[place][:3]) == to_rgb(ORANGE if values[place] < 0 else BLUE)
    answer = IMAGES.predict(image[None])[0]
    chosen = int(answer.argmax()) if output is None else output
    assert axes.get_title().startswith(f"what speaks for output {chosen} ({answer[chosen]:.3g}): ")


def test_a_map_of_zeros_says_that_it_finds_nothing() -> None:
    net = gg.Network([gg.Conv2D(1, 1), gg.GlobalAveragePool()], inputs=(3, 3, 1))
    net.parameters = [-1, 0]
    axes = gg.plot.why(net, np.ones((3, 3, 1)))
    words = " ".join(axes.get_title().split())
    assert words == "what speaks for output 0 (-1): Grad-CAM of conv_2d_1 finds nothing"
    assert not shown(axes)[1][..., 3].any()


def test_a_colored_image_stays_colored() -> None:
    net = gg.Network([gg.Conv2D(2, 3), gg.GlobalAveragePool()], inputs=(5, 5, 3))
    image = np.zeros((5, 5, 3))
    image[2, 2] = [1, 0.5, 0]
    pale = shown(gg.plot.why(net, image))[0]
    np.testing.assert_allclose(pale[2, 2], [1, 0.85, 0.7])
    np.testing.assert_allclose(pale[0, 0], 0.7)


def test_a_network_with_a_convolution_is_drawn_as_heat_maps_with_it() -> None:
    net = gg.Network([gg.Conv2D(2, 3, "relu"), gg.MaxPool2D(), gg.Flatten(), gg.Dense(3)], inputs=(4, 4, 1))
    axes = gg.plot.network(net)
    assert columns(axes) == [
        "3 x 3 x 1 inputs to conv_2d_1 2 filters of 3 x 3 relu max pool 2d of 2 x 2 flatten",
        "8 inputs to dense_1 3 identity",
    ]
    kernel = net.named_parameters()["conv_2d_1/weight"].reshape(9, 2)
    np.testing.assert_array_equal(np.asarray(axes.images[0].get_array()), kernel)


def test_images_that_cannot_be_drawn_are_refused() -> None:
    dense = gg.Network([gg.Dense(2)], inputs=16)
    with pytest.raises(
        gg.ConfigError, match="filters are those of a convolution, but this network has dense_1"
    ):
        gg.plot.filters(dense)
    with pytest.raises(gg.ConfigError, match="there is no convolution 'dense_1'"):
        gg.plot.filters(IMAGES, "dense_1")
    with pytest.raises(gg.ConfigError, match=r"but the first is conv_2d_1.*\n?.*gg.plot.filters draws"):
        gg.plot.units(IMAGES, shape=(3, 3))
    for draw in (gg.plot.saliency, gg.plot.why, gg.plot.occlusion, gg.plot.feature_maps):
        with pytest.raises(gg.ConfigError, match="whose input is an image"):
            draw(dense, np.zeros(16))
        with pytest.raises(gg.ConfigError, match="net must be a ganglion Network, got 3"):
            draw(3, CROSS)  # type: ignore[arg-type]
    broken = gg.Network([gg.Conv2D(2, 3)], inputs=(4, 4, 1))
    broken.parameters[0] = np.nan
    with pytest.raises(gg.DataError, match="must be finite to be drawn, but those of conv_2d_1"):
        gg.plot.filters(broken)


class Album:
    """What `gg.plot` needs of a model of images."""

    def __init__(self, network: gg.Network, images: np.ndarray, augmentation: Any = None) -> None:
        self.network, self.labels, self.scaling = network, ["cat", "dog"], Scaling((0.5,), (0.25,))
        self.images, self.augmentation = images, augmentation

    def decode(self, source: str) -> Any:
        assert source == "photo.png"
        return SimpleNamespace(images=self.images)


def test_an_image_model_and_a_path_are_drawn_as_the_network_and_its_input() -> None:
    """The picture below the heat map is the file's own, not the standardized one."""
    net = gg.Network([gg.Conv2D(3, 3, "relu"), gg.GlobalAveragePool(), gg.Dense(2)], inputs=(8, 8, 1), seed=3)
    album = Album(net, STRIPES[:1])
    x = album.scaling.apply(STRIPES[:1])[0]
    for draw in (gg.plot.why, gg.plot.saliency, gg.plot.occlusion):
        figure, (left, right) = plt.subplots(1, 2)
        ours, plain = draw(album, "photo.png", ax=left), draw(net, x, ax=right)
        np.testing.assert_array_equal(shown(ours)[1], shown(plain)[1])
        assert "speaks for cat" in ours.get_title() or "speaks for dog" in ours.get_title()
        below = shown(ours)[0]
        np.testing.assert_allclose((below - below.min())[..., 0], 0.6 * (STRIPES[0, ..., 0] / 255))
        plt.close(figure)
    with pytest.raises(gg.ConfigError, match="one picture, got 2"):
        gg.plot.why(Album(net, STRIPES), "photo.png")


def test_augmented_pictures_are_those_of_the_training() -> None:
    change = gg.Augmentation(flip="horizontal", brightness=0.3)
    sheet = shown(gg.plot.augmented(change, STRIPES, variants=3, seed=5))[0]
    assert sheet.shape == (2 * 8 + 2, 4 * 8 + 3 * 2, 3)
    for column in range(4):
        expected = STRIPES if column == 0 else change.apply(STRIPES, 5, column - 1, np.arange(2))
        for row in range(2):
            cell = sheet[row * 10 : row * 10 + 8, column * 10 : column * 10 + 8]
            np.testing.assert_array_equal(cell, np.repeat(expected[row], 3, axis=2))
    plt.close("all")
    net = gg.Network([gg.Conv2D(1, 1), gg.Flatten()], inputs=(8, 8, 1))
    axes = gg.plot.augmented(Album(net, STRIPES[:1], change), "photo.png", variants=1)
    assert axes.get_title().split() == ["1", "picture,", "and", "1", "variant", "of", "each"]
    with pytest.raises(gg.ConfigError, match="this one was not"):
        gg.plot.augmented(Album(net, STRIPES), "photo.png")
    with pytest.raises(gg.ConfigError, match="augmentation must be"):
        gg.plot.augmented("flip", STRIPES)
    with pytest.raises(gg.DataError, match="bytes"):
        gg.plot.augmented(change, STRIPES / 255)
    with pytest.raises(gg.ConfigError, match="variants"):
        gg.plot.augmented(change, STRIPES, variants=0)
