"""The trace of convolutions and pools: patches, kernels, windows and their choices, by hand and adding up."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib.image
import numpy as np
import pytest

import ganglion as gg
from ganglion.insight.trace.pixels import colors, png
from insight.test_trace import everything, make
from reading import redo

NETWORKS: dict[str, tuple[list[gg.Layer], tuple[int, ...]]] = {
    "plain": ([gg.Conv2D(3, 3, "relu"), gg.MaxPool2D(), gg.Conv2D(2, 3, "tanh")], (6, 6, 2)),
    "strided": ([gg.Conv2D(3, (2, 3), "tanh", stride=2), gg.MaxPool2D(2, padding="same")], (7, 6, 1)),
    "dilated groups": ([gg.Conv2D(4, 3, dilation=2, groups=2, bias=False), gg.AveragePool2D()], (7, 7, 4)),
    "padded": ([gg.Conv2D(2, 2, padding=((2, 0), (0, 3)))], (4, 5, 1)),
    "one by one": ([gg.Conv2D(2, 1, "relu"), gg.MaxPool2D(3, stride=1)], (4, 4, 3)),
    "depthwise": ([gg.SeparableConv2D(3, 3, "relu")], (5, 5, 2)),
    "resized": ([gg.ZeroPad2D(((1, 0), (0, 2))), gg.Upsample2D((1, 2)), gg.Crop2D((1, 2))], (3, 2, 2)),
    "transposed": ([gg.TransposedConv2D(2, 3, "relu", stride=2), gg.TransposedConv2D(2, 2)], (2, 3, 2)),
    "normalized": ([gg.Conv2D(4, 2, "tanh"), gg.GroupNormalization(2), gg.SpatialDropout()], (3, 2, 1)),
    "projected": ([gg.Residual([gg.Conv2D(3, 2, "tanh", stride=2)])], (4, 3, 2)),
    "signal": ([gg.Conv1D(3, 3, "relu", padding="causal", dilation=2), gg.Conv1D(2, 2, stride=2)], (9, 2)),
}


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_printed_adds_up(name: str, rows: int) -> None:
    layers, shape = NETWORKS[name]
    net = make([*layers, gg.Flatten(), gg.Dense(3, "softmax")], shape)
    x = np.random.default_rng(0).normal(size=(rows, *shape))
    t = net.trace(x, np.arange(rows) % 3)
    for text in everything(t, np.random.default_rng(1), explain=12):
        redo(text, symbols_agree=rows == 1)
    assert t.verify().worst < 1e-6


def by_hand() -> tuple[gg.Network, np.ndarray]:
    """Return a network whose kernel is 1 to 9, and an image of 0 to 15."""
    net = gg.Network([gg.Conv2D(1, 3), gg.MaxPool2D()], inputs=(4, 4, 1), dtype="float64")
    net.parameters = [*range(1, 10), 0.5]
    return net, np.arange(16.0).reshape(4, 4, 1)


def test_a_patch_and_its_kernel_are_drawn_with_their_places() -> None:
    net, x = by_hand()
    text = str(net.trace(x).unit("conv_2d_1", (2, 1, 0)))
    assert text.startswith("conv_2d_1.a[2, 1, 0] = 483.5\n\nFilter 0 of conv_2d_1 gives 483.5 at (2, 1), ")
    assert text.endswith(
        """
x[1:4, 0:3, 0] × conv_2d_1.weight[:, :, 0, 0]
     4   5   6     1  2  3
     8   9  10  ×  4  5  6
    12  13  14     7  8  9
    = 483"""
    )
    assert re.search(r"\+ 0\.5 +conv_2d_1\.bias\[0\]\n", text)


def test_padding_is_a_dot() -> None:
    net, x = by_hand()
    assert str(net.trace(x).unit("conv_2d_1", (3, 3, 0))).endswith(
        """
x[2:4, 2:4, 0] and padding × conv_2d_1.weight[:, :, 0, 0]
    10  11  ·     1  2  3
    14  15  ·  ×  4  5  6
     ·   ·  ·     7  8  9
    = 163"""
    )


def test_a_pool_shows_its_window_and_what_it_chose() -> None:
    net, x = by_hand()
    net.parameters = [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]  # a copy
    x[2, 1] = 99
    text = str(net.trace(x).unit("max_pool_2d_1", (1, 0, 0)))
    assert "max_pool_2d_1.a[1, 0, 0] = conv_2d_1.a[2, 1, 0]   (the largest number in the window)" in text
    assert text.endswith(
        "its window, conv_2d_1.a[2:4, 0:2, 0], with the chosen number\n      8   [99]\n     12    13"
    )


def test_a_signal_is_drawn_in_one_line() -> None:
    net = gg.Network([gg.Conv1D(1, 2, padding="causal", dilation=2)], inputs=(5, 1), dtype="float64")
    net.parameters = [3, 4, 0]
    text = str(net.trace(np.arange(1.0, 6).reshape(5, 1)).unit("conv_1d_1", (3, 0)))
    assert "Filter 0 of conv_1d_1 gives 22 at 3, " in text
    assert text.endswith("x[1:4:2, 0] × conv_1d_1.weight[:, 0, 0]\n    2  4  ×  3  4\n    = 22")


def test_several_channels_are_summed_one_by_one_and_three_are_drawn() -> None:
    net = make([gg.Conv2D(2, 3)], (5, 5, 6))
    t = net.trace(np.random.default_rng(0).normal(size=(5, 5, 6)))
    text = str(t.unit("conv_2d_1", (2, 2, 1)))
    sums = np.einsum(
        "ijc,ijc->c", t.layers[0].x[0, 1:4, 1:4], net.named_parameters()["conv_2d_1/weight"][..., 1]
    )
    assert "the same, channel by channel, + bias[1]" in text
    for channel, value in enumerate(sums):
        assert re.search(rf"{re.escape(f'{value:.6g}')} +channel {channel}\n", text)
    drawn = [int(found) for found in re.findall(r"^x\[1:4, 1:4, (\d)\]", text, re.MULTILINE)]
    assert drawn == np.argsort(-np.abs(sums))[:3].tolist()


def test_groups_name_the_channels_they_see() -> None:
    net = make([gg.Conv2D(4, 3, groups=2)], (5, 5, 4))
    text = str(net.trace(np.ones((5, 5, 4))).unit("conv_2d_1", (2, 2, 3)))
    assert set(re.findall(r"^x\[1:4, 1:4, (\d)\]", text, re.MULTILINE)) == {"2", "3"}
    assert "× conv_2d_1.weight[:, :, 0, 3]" in text


def test_the_gradient_of_a_kernel_weight_sums_over_its_windows_the_largest_first() -> None:
    _, x = by_hand()
    net = gg.Network([gg.Conv2D(1, 3)], inputs=(4, 4, 1), dtype="float64")
    t = net.trace(x, np.zeros((4, 4, 1)))
    found = t.gradient("conv_2d_1/weight", (0, 1, 0, 0))  # never sees the last row; off the edge in the first
    lines = list(found.equations[0].lines())
    assert lines[0].endswith("= what comes in · what comes back, summed over the windows")
    products = (t.layers[0].x[0, :3] * t.layers[0].grad_z[0, 1:]).ravel()
    terms = sorted(products, key=lambda value: -abs(value))
    printed = [float(line.split(" = ")[0].strip(" +")) for line in lines[1:11]]
    np.testing.assert_allclose(printed, terms[:10], rtol=1e-5)
    assert re.search(r"\(at \d, \d\)$", lines[1])
    assert len(found.equations[0].terms) == 12  # type: ignore[attr-defined]


def test_the_call_to_try_next_runs() -> None:
    for layers, shape in NETWORKS.values():
        net = make(layers, shape)
        t = net.trace(np.ones(shape), np.zeros(net.architecture.outputs), "mse")
        calls = str(t).splitlines()[-1].removeprefix("next: ").split(", .")
        for call in calls:
            eval(f"t.{call.removeprefix('.')}", {"t": t})


def test_everything_is_plain_data_and_balanced_latex() -> None:
    net, x = by_hand()
    for found in (net.trace(x).unit("conv_2d_1", (0, 0, 0)), net.trace(x).unit("max_pool_2d_1", (0, 0, 0))):
        formula = found.to_latex()
        assert formula.count(r"\begin{pmatrix}") == formula.count(r"\end{pmatrix}") >= 1
        assert formula.count("{") == formula.count("}")
    plain = net.trace(x).unit("conv_2d_1", (0, 0, 0)).to_dict()["equations"][-1]
    assert plain["grids"] == [
        [[None, None, None], [None, 0, 1], [None, 4, 5]],
        [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    ]
    assert net.trace(x).unit("max_pool_2d_1", (0, 0, 0)).to_dict()["equations"][-1]["marked"] == [1, 1]


def test_a_page_shows_an_image_of_each_channel() -> None:
    net = make([gg.Conv2D(3, 3, "relu"), gg.Flatten(), gg.Dense(2)], (6, 5, 1))
    page = net.trace(np.ones((6, 5, 1)), [1.0, 0.0], "mse")._repr_html_()
    assert page.count("<img") == 1 + 4 * 3  # the input, and z, a and their gradients of each filter
    assert "alt='channel 2, from " in page
    assert page.count("<td title=") > 0


def test_a_png_holds_the_pixels() -> None:
    values = np.array([[0.0, 1.0, -1.0], [0.5, np.nan, 9.0]])
    read: Any = matplotlib.image.imread(io.BytesIO(png(colors(values))), format="png")
    np.testing.assert_array_equal((read[..., :3] * 255).round().astype(int), colors(values))
    assert colors(values)[0].tolist() == [[255, 255, 255], [33, 102, 172], [224, 130, 20]]
    assert colors(values)[1, 1:].tolist() == [[255, 255, 255], [33, 102, 172]]


@pytest.mark.parametrize("layer", [gg.Conv2D(2), gg.TransposedConv2D(2)])
def test_a_weight_that_meets_nothing_but_padding_has_a_gradient_without_terms(layer: gg.Layer) -> None:
    net = make([layer, gg.Flatten(), gg.Dense(1)], (1, 1, 1))
    t = net.trace(np.ones((1, 1, 1, 1)), [1.0])
    found = t.gradient(f"{layer.name}_1/weight", (0, 0, 0, 0))
    assert found.value == 0
    assert "nothing goes through it" in str(found)
    assert t.gradient(f"{layer.name}_1/weight", (1, 1, 0, 0)).value != 0
