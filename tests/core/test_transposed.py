"""Transposed convolutions against their definition, against convolutions, and against PyTorch."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from agreement import assert_agreement, native_engine
from ganglion.core.architecture import Architecture
from ganglion.core.initializers import fans
from ganglion.core.layers import Context
from ganglion.core.model import Model
from numeric import relative_error

PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 4))


@st.composite
def transposed(draw: st.DrawFn) -> tuple[gg.TransposedConv2D, tuple[int, int, int]]:
    layer = gg.TransposedConv2D(
        draw(st.integers(1, 20)),
        draw(PAIRS),
        stride=draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        padding=draw(st.sampled_from(["same", "valid"])),
        bias=draw(st.booleans()),
    )
    return layer, (draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 7)))


def by_definition(layer: gg.TransposedConv2D, x: np.ndarray, weights: Any) -> np.ndarray:
    """Return z: each number adds its multiple of the kernel, and what reaches beyond the edges is cut off."""
    rows, height, width, _ = x.shape
    (kernel_h, kernel_w), (stride_h, stride_w) = layer.kernel, layer.stride
    whole = np.zeros((rows, height * stride_h + kernel_h, width * stride_w + kernel_w, layer.filters))
    for row, i, j, c in np.ndindex(x.shape):
        top, left = i * stride_h, j * stride_w
        whole[row, top : top + kernel_h, left : left + kernel_w] += x[row, i, j, c] * weights.weight[:, :, c]
    _, out_h, out_w, _ = (0, *layer.output_shape(x.shape[1:]))
    cut = [
        max(k - s, 0) // 2 if layer.padding == "same" else 0
        for k, s in zip(layer.kernel, layer.stride, strict=True)
    ]
    z = whole[:, cut[0] : cut[0] + out_h, cut[1] : cut[1] + out_w]
    return z + weights.bias if layer.bias else z


def random_model(layer: gg.Layer, shape: tuple[int, ...]) -> tuple[Architecture, np.ndarray, np.ndarray]:
    architecture, chance = Architecture([layer], shape), np.random.default_rng(0)
    return architecture, chance.normal(size=architecture.size), chance.normal(size=(3, *shape))


@settings(max_examples=40, deadline=None)
@given(transposed())
def test_every_transposed_convolution_equals_its_definition_on_both_engines(
    case: tuple[gg.TransposedConv2D, tuple[int, int, int]],
) -> None:
    layer, shape = case
    architecture, parameters, x = random_model(layer, shape)
    weights = architecture.views(parameters, np.empty(0))
    expected = by_definition(layer, x, weights[0])
    assert relative_error(architecture.forward(weights, x)[0], expected) <= 1e-12
    native = native_engine().predict(Model(architecture, parameters, np.empty(0), 0), x)
    assert relative_error(native, expected) <= 1e-12
    size = int(np.prod(shape))
    net: list[gg.Layer] = [gg.Flatten(), gg.Dense(size, "tanh"), gg.Reshape(shape), layer]
    for dtype in ("float64", "float32"):
        after: list[gg.Layer] = [gg.Activate("tanh"), gg.Flatten(), gg.Dense(2)]
        assert_agreement([*net, *after], shape, gg.MeanSquaredError(), rows=7, batch_size=4, dtype=dtype)


@settings(max_examples=20, deadline=None)
@given(transposed())
def test_it_is_the_way_back_of_a_convolution(
    case: tuple[gg.TransposedConv2D, tuple[int, int, int]],
) -> None:
    """Of the one that goes from its outputs to its inputs, with channels and filters exchanged."""
    layer, shape = case
    layer = gg.TransposedConv2D(layer.filters, layer.kernel, "identity", layer.stride, layer.padding, False)
    architecture, parameters, x = random_model(layer, shape)
    weights = architecture.views(parameters, np.empty(0))
    there = gg.Conv2D(shape[2], layer.kernel, stride=layer.stride, padding=layer.padding, bias=False)
    other = Architecture([gg.Activate("identity"), there], architecture.outputs)
    kernel = np.ascontiguousarray(weights[0].weight.transpose(0, 1, 3, 2)).ravel()
    views = other.views(kernel, np.empty(0))
    _, caches = other.forward(views, np.zeros((3, *architecture.outputs)))
    grad_x, _ = other.backward(views, caches, x, Context())
    assert relative_error(architecture.forward(weights, x)[0], grad_x) <= 1e-12


@pytest.mark.peers
@settings(max_examples=40, deadline=None)
@given(transposed())
def test_every_transposed_convolution_equals_pytorch(
    case: tuple[gg.TransposedConv2D, tuple[int, int, int]],
) -> None:
    import torch

    layer, shape = case
    architecture, parameters, x = random_model(layer, shape)
    weights = architecture.views(parameters, np.empty(0))
    a, caches = architecture.forward(weights, x)
    direction = np.random.default_rng(1).normal(size=a.shape)
    grad_x, gradient = architecture.backward(weights, caches, direction, Context())

    def theirs(array: np.ndarray, *axes: int) -> Any:
        return torch.tensor(np.ascontiguousarray(array.transpose(axes)), requires_grad=True)

    images, kernel = theirs(x, 0, 3, 1, 2), theirs(weights[0].weight, 2, 3, 0, 1)
    bias = torch.tensor(weights[0].bias) if layer.bias else None
    whole = torch.nn.functional.conv_transpose2d(images, kernel, bias, layer.stride)
    down, along = layer.windows(shape)
    # PyTorch has the whole windows only; the rest, if the stride is larger than the kernel, is the bias.
    edges = [down.before, down.before + a.shape[1], along.before, along.before + a.shape[2]]
    missing = (max(edges[1] - whole.shape[2], 0), max(edges[3] - whole.shape[3], 0))
    whole = torch.nn.functional.pad(whole, (0, missing[1], 0, missing[0]))
    if bias is not None:
        rest = torch.ones(whole.shape[2:], dtype=torch.float64)
        rest[: whole.shape[2] - missing[0], : whole.shape[3] - missing[1]] = 0
        whole = whole + rest * bias[:, None, None]
    out = whole[:, :, edges[0] : edges[1], edges[2] : edges[3]]
    out.backward(torch.tensor(np.ascontiguousarray(direction.transpose(0, 3, 1, 2))))
    assert relative_error(a, out.detach().numpy().transpose(0, 2, 3, 1)) <= 1e-12
    assert relative_error(grad_x, images.grad.numpy().transpose(0, 2, 3, 1)) <= 1e-12
    mine = architecture.parameters[0].of(gradient)
    assert relative_error(mine, kernel.grad.numpy().transpose(2, 3, 0, 1)) <= 1e-12


@given(st.integers(1, 9), st.integers(1, 7), st.integers(1, 5))
def test_sizes_are_those_of_keras(size: int, kernel: int, stride: int) -> None:
    for padding, expected in (("same", size * stride), ("valid", (size - 1) * stride + kernel)):
        layer = gg.TransposedConv2D(2, kernel, stride=stride, padding=padding)
        assert layer.output_shape((size, size, 3)) == (expected, expected, 2)
        assert all(axis.count == size for axis in layer.windows((size, size, 3)))


def test_fans_are_those_of_a_convolution() -> None:
    net = gg.Network([gg.TransposedConv2D(8, (5, 3), "relu")], inputs=(4, 4, 64))
    (weight,) = [entry for entry in net.architecture.parameters if entry.short == "weight"]
    assert weight.shape == (5, 3, 64, 8)
    assert fans(weight.shape) == (15 * 64, 15 * 8)
    assert np.std(weight.of(net.parameters)) == pytest.approx(np.sqrt(2 / (15 * 64)), rel=0.03)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filters": 0}, "filters"),
        ({"filters": 4, "kernel": (3, 0)}, "kernel"),
        ({"filters": 4, "stride": 0}, "stride"),
        ({"filters": 4, "padding": "causal"}, "there is no padding 'causal'"),
        ({"filters": 4, "padding": 1}, "there is no padding '1'"),
        ({"filters": 4, "bias": 1}, "bias must be True or False"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(gg.ConfigError, match=message):
        gg.TransposedConv2D(**settings)


def test_rows_of_numbers_are_refused() -> None:
    with pytest.raises(gg.ShapeError, match="transposed_conv_2d needs images"):
        gg.Network([gg.TransposedConv2D(4)], inputs=64)
