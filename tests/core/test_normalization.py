"""Normalization of images and signals against PyTorch, in training and prediction, on both engines."""

from typing import Any

import numpy as np
import pytest

import ganglion as gg
from agreement import assert_agreement, native_engine
from ganglion.core.architecture import Architecture
from ganglion.core.layers import Context
from ganglion.core.model import Model
from ganglion.core.rows import Rows
from ganglion.engines import REFERENCE, Learned, Objective
from numeric import relative_error

ENGINES = [REFERENCE, native_engine()]


def test_the_places_of_an_image_are_rows_of_batch_normalization() -> None:
    images = np.random.default_rng(0).normal(size=(3, 4, 5, 2))
    found = []
    for inputs, x in (((4, 5, 2), images), (2, images.reshape(-1, 2))):
        architecture = Architecture([gg.BatchNormalization()], inputs)
        parameters, state = architecture.initial(0, np.dtype(np.float64))
        weights = architecture.views(parameters, state)
        a, caches = architecture.forward(weights, x, Context(training=True))
        architecture.next_state(weights, caches, state)
        found.append((a.reshape(-1, 2), state))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-12)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-12)
    values = images[..., 0].ravel()
    expected = 0.9 * 1 + 0.1 * values.var(ddof=1)  # 60 numbers: divided by 59
    assert found[0][1][2] == pytest.approx(expected, rel=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_batch_normalization_of_images_learns_and_predicts_as_pytorch_does(engine: Any) -> None:
    """Predictions depend on the running averages: their variance is the unbiased one there too."""
    import torch

    chance, shape = np.random.default_rng(1), (5, 4, 3)
    x, y = chance.normal(1, 2, (12, *shape)), chance.normal(size=(12, *shape))
    architecture = Architecture([gg.BatchNormalization(momentum=0.8)], shape)
    parameters, state = architecture.initial(0, np.dtype(np.float64))
    model = Model(architecture, parameters, state, 0)
    rate, optimizer = 0.5, gg.SGD(0.5)
    start = Learned(parameters, state, step=0, slots={name: np.zeros(6) for name in optimizer.slots})
    session = engine.open(model, Rows(x, y), Objective(gg.MeanSquaredError()), optimizer, start)
    session.steps(np.arange(12), 4, np.full(3, rate))

    oracle: Any = torch.nn.BatchNorm2d(3, momentum=0.2).double()
    theirs = torch.optim.SGD(oracle.parameters(), lr=rate)
    images, targets = (torch.tensor(each.transpose(0, 3, 1, 2).copy()) for each in (x, y))
    for first in range(0, 12, 4):
        theirs.zero_grad()
        a = oracle(images[first : first + 4])
        torch.nn.functional.mse_loss(a, targets[first : first + 4]).backward()
        theirs.step()
    expected = np.concatenate([oracle.weight.detach().numpy(), oracle.bias.detach().numpy()])
    assert relative_error(parameters, expected) <= 1e-12
    running = np.concatenate([oracle.running_mean.numpy(), oracle.running_var.numpy()])
    assert relative_error(state, running) <= 1e-12
    a = oracle.eval()(images).detach().numpy().transpose(0, 2, 3, 1)
    assert relative_error(engine.predict(model, x), a) <= 1e-12


@pytest.mark.peers
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("shape", [(5, 4, 6), (7, 6), (6,)])
def test_group_normalization_equals_pytorch(groups: int, shape: tuple[int, ...]) -> None:
    import torch

    if shape == (6,) and groups == 6:
        pytest.skip("PyTorch refuses groups of one number")
    chance = np.random.default_rng(2)
    architecture = Architecture([gg.GroupNormalization(groups, epsilon=1e-3)], shape)
    parameters, x = chance.normal(size=12), chance.normal(1, 2, (4, *shape))
    direction = chance.normal(size=x.shape)
    weights = architecture.views(parameters, np.empty(0))
    a, caches = architecture.forward(weights, x)
    grad_x, gradient = architecture.backward(weights, caches, direction, Context())

    oracle: Any = torch.nn.GroupNorm(groups, 6, eps=1e-3).double()
    with torch.no_grad():
        oracle.weight.copy_(torch.tensor(parameters[:6]))
        oracle.bias.copy_(torch.tensor(parameters[6:]))
    images = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
    out = oracle(images)
    out.backward(torch.tensor(np.moveaxis(direction, -1, 1).copy()))
    assert relative_error(a, np.moveaxis(out.detach().numpy(), 1, -1)) <= 1e-13
    assert relative_error(grad_x, np.moveaxis(images.grad.numpy(), 1, -1)) <= 1e-12
    theirs = np.concatenate([oracle.weight.grad.numpy(), oracle.bias.grad.numpy()])
    assert relative_error(gradient, theirs) <= 1e-12
    native = native_engine().predict(Model(architecture, parameters, np.empty(0), 0), x)
    assert relative_error(native, a) <= 1e-13


@pytest.mark.parametrize("groups", [1, 5, 15, 30])
def test_groups_of_any_size_are_the_same_on_both_engines(groups: int) -> None:
    layers = [gg.Conv2D(30, 3, "tanh"), gg.GroupNormalization(groups), gg.Flatten(), gg.Dense(2)]
    for dtype in ("float64", "float32"):
        assert_agreement(layers, (4, 3, 2), gg.MeanSquaredError(), dtype=dtype)


def test_one_group_normalizes_a_row_of_numbers_as_layer_normalization_does() -> None:
    x = np.random.default_rng(3).normal(size=(4, 6))
    group, layer = (
        gg.Network([part], inputs=6, dtype="float64").predict(x)
        for part in (gg.GroupNormalization(1), gg.LayerNormalization())
    )
    np.testing.assert_allclose(group, layer, rtol=1e-12)


def test_groups_must_divide_the_channels() -> None:
    with pytest.raises(gg.ShapeError, match="divides the channels into 8 groups, got inputs of shape"):
        gg.Network([gg.GroupNormalization()], inputs=(4, 4, 12))
    with pytest.raises(gg.ConfigError, match="groups must be a whole number >= 1"):
        gg.GroupNormalization(0)
