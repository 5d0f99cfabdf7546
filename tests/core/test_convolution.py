"""Convolutions against their definition, written as loops, and against PyTorch and JAX."""

import re
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

import ganglion as gg
from agreement import assert_agreement, make_case, native_engine
from ganglion.core.architecture import Architecture
from ganglion.core.initializers import fans
from ganglion.core.layers import Context
from ganglion.core.layers.windows import place_windows
from ganglion.core.model import Model
from numeric import relative_error


def by_definition(layer: gg.Conv2D, x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return z, number by number."""
    height, width, _ = layer.output_shape(x.shape[1:])
    down, along = layer.windows(x.shape[1:])
    (each, filters), groups = weight.shape[2:], layer.groups
    z = np.zeros((len(x), height, width, filters))
    for row, i, j, f in np.ndindex(z.shape):
        first = f // (filters // groups) * each
        z[row, i, j, f] = bias[f]
        for a, b, c in product(range(weight.shape[0]), range(weight.shape[1]), range(each)):
            y = i * down.stride - down.before + a * down.dilation
            k = j * along.stride - along.before + b * along.dilation
            if 0 <= y < x.shape[1] and 0 <= k < x.shape[2]:
                z[row, i, j, f] += x[row, y, k, first + c] * weight[a, b, c, f]
    return z


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[gg.Conv2D, tuple[int, int, int]]:
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    groups, each = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    padding = draw(st.sampled_from(["same", "valid"]) | st.tuples(pair, pair) | st.integers(0, 4))
    layer = gg.Conv2D(
        groups * draw(st.integers(1, 9)),
        draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        stride=draw(pair),
        padding=padding,
        dilation=draw(pair),
        groups=groups,
    )
    least = (
        [1, 1]
        if padding == "same"
        else [(k - 1) * d + 1 for k, d in zip(layer.kernel, layer.dilation, strict=True)]
    )
    shape = tuple(draw(st.integers(size, size + 8)) for size in least)
    assume(min(shape[1], groups * each) < 8)  # or the channels seem to come first
    return layer, (*shape, groups * each)


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_every_convolution_equals_its_definition_on_both_engines(
    case: tuple[gg.Conv2D, tuple[int, int, int]],
) -> None:
    layer, shape = case
    architecture = Architecture([layer], shape)
    chance = np.random.default_rng(0)
    parameters = chance.normal(size=architecture.parameters[-1].stop)
    weights = architecture.views(parameters, np.empty(0))
    x = chance.normal(size=(3, *shape))
    expected = by_definition(layer, x, weights[0].weight, weights[0].bias)
    assert relative_error(architecture.forward(weights, x)[0], expected) <= 1e-12
    native = native_engine().predict(Model(architecture, parameters, np.empty(0), 0), x)
    assert relative_error(native, expected) <= 1e-12
    for dtype in ("float64", "float32"):
        net: list[gg.Layer] = [layer, gg.Activate("tanh"), gg.Flatten(), gg.Dense(2)]
        assert_agreement(net, shape, gg.MeanSquaredError(), rows=7, batch_size=4, dtype=dtype)


@pytest.mark.peers
@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_every_convolution_equals_pytorch(case: tuple[gg.Conv2D, tuple[int, int, int]]) -> None:
    import torch

    layer, shape = case
    architecture = Architecture([layer], shape)
    chance = np.random.default_rng(0)
    parameters = chance.normal(size=architecture.parameters[-1].stop)
    weights, x = architecture.views(parameters, np.empty(0)), chance.normal(size=(3, *shape))
    a, caches = architecture.forward(weights, x)
    direction = chance.normal(size=a.shape)
    grad_x, gradient = architecture.backward(weights, caches, direction, Context())

    def theirs(array: np.ndarray, *axes: int) -> Any:
        return torch.tensor(np.ascontiguousarray(array.transpose(axes)), requires_grad=True)

    down, along = layer.windows(shape)
    kernel, bias = theirs(weights[0].weight, 3, 2, 0, 1), torch.tensor(weights[0].bias)
    images = theirs(x, 0, 3, 1, 2)
    around = torch.nn.functional.pad(images, (along.before, along.after, down.before, down.after))
    options: Any = {"stride": layer.stride, "dilation": layer.dilation, "groups": layer.groups}
    out = torch.nn.functional.conv2d(around, kernel, bias, **options)[:, :, : a.shape[1], : a.shape[2]]
    out.backward(torch.tensor(np.ascontiguousarray(direction.transpose(0, 3, 1, 2))))
    assert relative_error(a, out.detach().numpy().transpose(0, 2, 3, 1)) <= 1e-12
    assert relative_error(grad_x, images.grad.numpy().transpose(0, 2, 3, 1)) <= 1e-12
    mine = architecture.parameters[0].of(gradient)
    assert relative_error(mine, kernel.grad.numpy().transpose(2, 3, 1, 0)) <= 1e-12


def test_images_shared_among_threads_give_the_same_bits() -> None:
    """Batch normalization needs the whole batch, so that the threads share the images of each layer."""
    layers = [
        gg.Conv2D(8, 3, bias=False),
        gg.BatchNormalization(),
        gg.Activate("relu"),
        gg.DepthwiseConv2D(3, stride=2),
        gg.Conv2D(12, 3, "relu", groups=2),
        gg.Flatten(),
        gg.Dense(2),
    ]
    architecture, module, found = Architecture(layers, (12, 12, 4)), native_engine().module, []
    before = module.get_threads()
    try:
        for threads in (1, 2, 3):
            module.set_threads(threads)
            made = make_case(architecture, gg.MeanSquaredError(), gg.Adam(), 66, "float32")
            made.open(native_engine()).steps(np.arange(66), 33, np.full(2, 0.01))
            found.append(made.start.parameters)
    finally:
        module.set_threads(before)
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()
    assert_agreement(layers, (12, 12, 4), gg.MeanSquaredError(), rows=66, batch_size=33)


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 5), st.integers(1, 4))
def test_same_padding_is_that_of_keras(size: int, window: int, stride: int, dilation: int) -> None:
    found = place_windows(size, window, stride, "same", dilation)
    total = max((found.count - 1) * stride + (window - 1) * dilation + 1 - size, 0)
    assert found.count == -(-size // stride)
    assert (found.before, found.after) == (total // 2, total - total // 2)


def test_an_edge_is_found_where_it_is() -> None:
    net = gg.Network([gg.Conv2D(1, 3, padding="valid")], inputs=(5, 6, 1))
    net.parameters[...] = [-1, 0, 1, -2, 0, 2, -1, 0, 1, 0]  # the horizontal filter of Sobel
    image = np.zeros((1, 5, 6, 1))
    image[:, :, 3:] = 1
    assert net.predict(image)[0, :, :, 0].tolist() == [[0, 4, 4, 0]] * 3


def test_the_future_is_not_seen() -> None:
    net = gg.Network([gg.Conv1D(4, 3, dilation=2, padding="causal")], inputs=(20, 2), seed=1)
    x = np.random.default_rng(0).normal(size=(1, 20, 2))
    changed = x.copy()
    changed[:, 11:] += 1
    assert (net.predict(x)[:, :11] == net.predict(changed)[:, :11]).all()
    assert (net.predict(x)[:, 11] != net.predict(changed)[:, 11]).all()


def test_fans_count_the_area_of_the_kernel() -> None:
    assert fans((5, 3, 4, 8)) == (60, 120)
    assert fans((7, 9)) == (7, 9)
    net = gg.Network([gg.Conv2D(64, 3, "relu")], inputs=(4, 4, 64))
    weight = net.weights[0].weight if hasattr(net, "weights") else net.parameters[: 9 * 64 * 64]
    assert np.std(weight) == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (gg.Conv2D(4), (28, 28), r"needs images .*got inputs of shape \(28, 28\).*inputs=\(28, 28, 1\)"),
        (gg.Conv2D(4), (3, 32, 32), "channels seem to come first.*transpose"),
        (gg.Conv2D(4), (64,), "needs images of shape"),
        (gg.Conv2D(4, 5, padding="valid"), (4, 9, 1), "no smaller than its windows, 5 x 5, got 4 x 9.*smaller kernel"),
        (gg.Conv2D(4, groups=2), (8, 8, 3), "divides the channels into 2 groups, got 3 channels"),
        (gg.Conv1D(4), (100,), r"a signal of one number at a time has 1 channel: inputs=\(100, 1\)"),
        (gg.Conv1D(4), (8, 8, 3), "needs signals of shape"),
        (gg.DepthwiseConv2D(3), (8, 8), "needs images"),
        (gg.SeparableConv2D(3), (8, 8), "needs images"),
    ],
)  # fmt: skip
def test_shapes_that_are_no_images_are_explained(layer: gg.Layer, shape: Any, message: str) -> None:
    with pytest.raises(gg.ShapeError) as caught:
        gg.Network([layer], inputs=shape)
    assert re.search(message, f"{caught.value.message} {caught.value.hint}", re.DOTALL), caught.value


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filters": 0}, "filters"),
        ({"filters": 4, "kernel": 0}, "kernel"),
        ({"filters": 4, "kernel": (3, 3, 3)}, "kernel must be one whole number or two"),
        ({"filters": 4, "stride": 1.5}, "stride"),
        ({"filters": 4, "padding": "full"}, "there is no padding 'full'"),
        ({"filters": 4, "padding": "causal"}, "there is no padding 'causal'"),
        ({"filters": 4, "padding": -1}, "padding"),
        ({"filters": 4, "padding": (1, 2, 3)}, "padding must be"),
        ({"filters": 4, "groups": 3}, "divisible by groups"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(gg.ConfigError, match=message):
        gg.Conv2D(**settings)
