"""All activations, losses, layers, initializers and optimizers, and the checks that all of a kind must pass.

To test a new part, add one entry to the list of its kind; `test_lists_are_complete` fails until then. Each
entry has values computed by hand. Tests marked `peers` compare it with the PyTorch counterpart that it names.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import ganglion as gg
from agreement import assert_agreement, make_case, native_engine, random_rows
from ganglion.core.architecture import Architecture
from ganglion.core.initializers import fans
from ganglion.core.inputs import find_inputs, take_rows
from ganglion.core.layers import Context
from ganglion.core.model import Model
from ganglion.core.part import Part
from ganglion.core.rows import Rows
from ganglion.engines import REFERENCE, Objective
from numeric import numeric_gradient, relative_error

ENGINES = [REFERENCE, native_engine()]
E = math.e
LN2 = math.log(2)
SPREAD = np.random.default_rng(0).uniform(-4, 4, (5, 4))
POINTS = np.where(
    np.abs(np.abs(SPREAD) % 1) < 0.02, SPREAD + 0.05, SPREAD
)  # away from kinks at whole numbers


@dataclass
class ActivationCase:
    part: gg.Activation
    values: dict[float, float]
    low: float  # the limit at minus infinity
    high: float  # the limit at infinity
    torch: str = ""
    torch_settings: dict[str, Any] = field(default_factory=dict)
    torch_precision: float = 1e-14


ACTIVATIONS = [
    ActivationCase(gg.Identity(), {-2: -2, 3: 3}, -math.inf, math.inf),
    ActivationCase(gg.Sigmoid(), {0: 0.5, LN2: 2 / 3, -LN2: 1 / 3}, 0, 1, "sigmoid"),
    ActivationCase(gg.Tanh(), {0: 0, LN2: 0.6}, -1, 1, "tanh"),
    ActivationCase(gg.ReLU(), {-2: 0, 0: 0, 3: 3}, 0, math.inf, "relu"),
    ActivationCase(gg.LeakyReLU(), {-2: -0.02, 3: 3}, -math.inf, math.inf, "leaky_relu"),
    ActivationCase(gg.LeakyReLU(0.2), {-2: -0.4}, -math.inf, math.inf, "leaky_relu", {"negative_slope": 0.2}),
    ActivationCase(gg.ELU(), {-LN2: -0.5, 3: 3}, -1, math.inf, "elu"),
    ActivationCase(gg.ELU(2.0), {-LN2: -1.0}, -2, math.inf, "elu", {"alpha": 2.0}),
    ActivationCase(
        gg.SELU(), {-LN2: -0.8790496704, 1: 1.0507009873554805}, -1.7580993408473766, math.inf, "selu"
    ),
    ActivationCase(
        gg.GELU(), {0: 0, 1: 0.8413447460685429, -3: -3 * 0.0013498980316300933}, 0, math.inf, "gelu"
    ),
    ActivationCase(
        gg.GELUTanh(), {0: 0, 1: 0.8411919906082768}, 0, math.inf, "gelu", {"approximate": "tanh"}
    ),
    ActivationCase(gg.SiLU(), {0: 0, LN2: LN2 * 2 / 3}, 0, math.inf, "silu"),
    ActivationCase(gg.Mish(), {0: 0, math.log(E - 1): math.log(E - 1) * math.tanh(1)}, 0, math.inf, "mish"),
    ActivationCase(gg.Softplus(), {0: LN2, math.log(E - 1): 1}, 0, math.inf, "softplus"),
    ActivationCase(
        gg.HardSigmoid(), {-3: 0, 0: 0.5, 1.5: 0.75, 4: 1}, 0, 1, "hardsigmoid", {}, 1e-7
    ),  # its 1/6 is float32
    ActivationCase(gg.Exp(), {0: 1, LN2: 2}, 0, math.inf, "exp"),
    ActivationCase(gg.Softmax(), {}, 0, 1, "softmax", {"dim": -1}),
    ActivationCase(gg.LogSoftmax(), {}, -math.inf, 0, "log_softmax", {"dim": -1}),
    ActivationCase(gg.Sections(["sigmoid", "softmax"], (1,)), {}, 0, 1),
]
ROWWISE = ("softmax", "log_softmax", "sections")


def ids(cases: list[Any]) -> list[str]:
    return [f"{case.part.name}-{number}" for number, case in enumerate(cases)]


each_activation = pytest.mark.parametrize("case", ACTIVATIONS, ids=ids(ACTIVATIONS))


@each_activation
def test_activation_values_computed_by_hand(case: ActivationCase) -> None:
    for z, a in case.values.items():
        assert case.part.forward(np.array([[float(z)]])) == pytest.approx(a, rel=1e-9, abs=1e-15)


@each_activation
def test_activation_backward_is_the_derivative(case: ActivationCase) -> None:
    direction = np.random.default_rng(1).normal(size=POINTS.shape)
    got = case.part.backward(direction, POINTS, case.part.forward(POINTS))
    expected = numeric_gradient(lambda z: float((case.part.forward(z) * direction).sum()), POINTS)
    assert relative_error(got, expected) <= 1e-7


@each_activation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activation_keeps_dtype_and_stands_extremes(case: ActivationCase, dtype: type) -> None:
    big, tiny = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    sizes = np.array([0, tiny, 1e-5, 1, 3, 20, 50, 100, 1e4, 1e30, big, np.inf], dtype=dtype)
    z = np.concatenate([-sizes[::-1], sizes])
    if case.part.name in ROWWISE:
        z = np.stack([z, z[::-1]], axis=1)
    a = case.part.forward(z)
    assert a.dtype == dtype
    assert not np.isnan(a).any()
    low, high = case.part.range
    assert (a >= dtype(low) - 1e-6).all()
    assert (a <= dtype(high)).all()
    assert a.flat[0] == pytest.approx(case.low)
    assert a.flat[-2 if case.part.name in ROWWISE else -1] == pytest.approx(case.high)
    finite = np.isfinite(a) & np.isfinite(z)
    grad = case.part.backward(np.ones_like(z), z, a)
    assert grad.dtype == dtype
    assert not np.isnan(grad[finite]).any()


@each_activation
def test_activation_facts_are_true(case: ActivationCase) -> None:
    part = case.part
    assert part.formula
    assert part.derivative
    assert part.use
    gg.Initializer.find(part.initializer)
    if part.name in ROWWISE:
        return
    z = np.linspace(-30, 30, 60_001)
    slope = part.backward(np.ones_like(z), z, part.forward(z))
    ends = np.abs(slope[[0, -1]])
    assert part.saturates == bool(ends.min() < 1e-6)
    assert part.can_die == bool((slope[(z > -8) & (z < -7)] == 0).all())
    if part.name != "exp":
        assert part.smooth == bool(np.abs(np.diff(slope)).max() < 0.01)


@each_activation
def test_activation_does_not_write_its_inputs(case: ActivationCase) -> None:
    z, grad = POINTS.copy(), np.ones_like(POINTS)
    a = case.part.forward(z)
    before = a.copy()
    case.part.backward(grad, z, a)
    assert (z == POINTS).all()
    assert (a == before).all()
    assert (grad == 1).all()


@each_activation
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activation_is_the_same_on_both_engines(case: ActivationCase, dtype: str) -> None:
    layers = [gg.Dense(19, case.part), gg.LayerNormalization(), gg.Activate(case.part), gg.Dense(3)]
    assert_agreement(layers, 5, gg.MeanSquaredError(), dtype=dtype)


@each_activation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activation_stands_extremes_on_both_engines(case: ActivationCase, dtype: type) -> None:
    big, tiny = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    sizes = np.array([0, tiny, 1e-5, 1, 3, 20, 50, 100, 1e4, 1e30, big], dtype=dtype)
    z = np.concatenate([-sizes[::-1], sizes])
    z = np.stack([z, z[::-1]], axis=1)
    networks = [
        gg.Network([gg.Activate(case.part)], inputs=2, dtype=dtype.__name__, engine=engine)
        for engine in ("reference", "native")
    ]
    expected, got = (network.predict(z) for network in networks)
    np.testing.assert_allclose(got, expected, rtol=2e-4 if dtype is np.float32 else 1e-12, atol=tiny)


@each_activation
@pytest.mark.peers
def test_activation_equals_pytorch(case: ActivationCase) -> None:
    import torch

    if not case.torch:
        pytest.skip("the identity has no counterpart")
    function = getattr(torch.nn.functional, case.torch, None) or getattr(torch, case.torch)
    z = torch.tensor(POINTS, requires_grad=True)
    a = function(z, **case.torch_settings)
    direction = np.random.default_rng(2).normal(size=POINTS.shape)
    a.backward(torch.tensor(direction))
    mine = case.part.forward(POINTS)
    assert relative_error(mine, a.detach().numpy()) <= 1e-14
    assert relative_error(case.part.backward(direction, POINTS, mine), z.grad.numpy()) <= case.torch_precision


# ---------------------------------------------------------------------------------------------- losses


@dataclass
class LossCase:
    part: gg.Loss
    a: list[list[float]]
    y: Any
    value: float
    torch: str = ""
    torch_settings: dict[str, Any] = field(default_factory=dict)


LOSSES = [
    LossCase(gg.MeanSquaredError(), [[1, 2], [3, 5]], [[0, 2], [1, 1]], (1 + 0 + 4 + 16) / 4, "MSELoss"),
    LossCase(gg.MeanAbsoluteError(), [[1, 2], [3, 5]], [[0, 2.5], [1, 1]], (1 + 0.5 + 2 + 4) / 4, "L1Loss"),
    LossCase(gg.Huber(), [[0.5], [3]], [0, 1], (0.125 + 1.5) / 2, "HuberLoss"),
    LossCase(gg.Huber(2.0), [[1], [4]], [0, 1], (0.5 + 4) / 2, "HuberLoss", {"delta": 2.0}),
    LossCase(gg.LogCosh(), [[LN2], [1]], [0, 1 - LN2], math.log(1.25)),
    LossCase(gg.BinaryCrossEntropy(), [[0.5], [0.25]], [1, 0], (LN2 + math.log(4 / 3)) / 2, "BCELoss"),
    LossCase(gg.BinaryCrossEntropy(0.2), [[0.25]], [1], -(0.9 * math.log(0.25) + 0.1 * math.log(0.75))),
    LossCase(gg.CrossEntropy(), [[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]], [0, 1], (1 + 3) * LN2 / 2),
    LossCase(gg.CrossEntropy(), [[0.5, 0.25, 0.25]], [[0.5, 0.5, 0.0]], 0.5 * LN2 + LN2),
    LossCase(gg.CrossEntropy(0.3), [[0.5, 0.25, 0.25]], [0], 0.8 * LN2 + 0.2 * 2 * LN2),
    LossCase(
        gg.Poisson(), [[E], [1]], [2, 0], (E - 2 + 1) / 2, "PoissonNLLLoss", {"log_input": False, "eps": 0}
    ),
    LossCase(gg.Quantile(), [[1], [2]], [2, 0], (0.5 + 1) / 2),
    LossCase(gg.Quantile(0.9), [[1], [2]], [2, 0], (0.9 + 0.2) / 2),
    LossCase(gg.Hinge(), [[0.5], [2], [0.5]], [1, -1, 0], (0.5 + 3 + 1.5) / 3),
    LossCase(
        gg.Joint(["mse", gg.Huber(factor=2)], (1,)),
        [[1, 0.5, 3], [5, 0, 0]],
        [[3, 0, 1], [math.nan, 1, 0]],
        (4 + 2 * (0.125 + 1.5) / 2 + 2 * 0.25) / 2,
    ),
    # Values computed by hand are those without the factor; the probabilities here are far from a clip.
    LossCase(gg.MeanSquaredError(factor=0.5), [[1, 2]], [[0, 4]], (1 + 4) / 2, "MSELoss"),
    LossCase(gg.BinaryCrossEntropy(factor=3, clip=1e-6), [[0.25]], [1], math.log(4), "BCELoss"),
    LossCase(gg.CrossEntropy(0.3, factor=2, clip=1e-6), [[0.5, 0.25, 0.25]], [0], 0.8 * LN2 + 0.2 * 2 * LN2),
]
each_loss = pytest.mark.parametrize("case", LOSSES, ids=ids(LOSSES))


def encoded(case: LossCase) -> tuple[np.ndarray, np.ndarray]:
    a = np.array(case.a, dtype=np.float64)
    return a, np.asarray(case.part.encode(case.y, a.shape[1:]), dtype=np.float64)


def random_pair(case: LossCase) -> tuple[np.ndarray, np.ndarray]:
    """Return random pre-activations, and targets that the loss accepts."""
    chance = np.random.default_rng(3)
    y = case.part.sample_targets((6, 3), chance)
    np.testing.assert_array_equal(case.part.encode(y, (3,)), y)
    return chance.normal(size=(6, 3)), y


def partner(case: LossCase) -> gg.Activation:
    return gg.Activation.find(case.part.partners[0] if case.part.partners else "identity")


@each_loss
def test_loss_values_computed_by_hand(case: LossCase) -> None:
    values, _ = case.part.values_and_gradients(*encoded(case))
    assert values.mean() == pytest.approx(case.value, rel=1e-12)


@each_loss
def test_loss_gradient_is_the_derivative(case: LossCase) -> None:
    z, y = random_pair(case)
    a = partner(case).forward(z)
    got = case.part.values_and_gradients(a, y)[1]
    expected = numeric_gradient(lambda v: float(case.part.values_and_gradients(v, y)[0].sum()), a, 1e-4)
    assert relative_error(got, expected) <= 1e-7


@each_loss
def test_loss_with_its_partner_equals_the_chain_rule(case: LossCase) -> None:
    z, y = random_pair(case)
    for name in case.part.partners:
        if name == "log_softmax":
            continue  # its activations are logarithms: the loss is only defined from z
        activation = gg.Activation.find(name)
        a = activation.forward(z)
        values, grad_a = case.part.values_and_gradients(a, y)
        short_values, short_grad = case.part.values_and_gradients_from_z(z, y)
        assert relative_error(short_values, values) <= 1e-12
        assert relative_error(short_grad, activation.backward(grad_a, z, a)) <= 1e-12


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loss_with_its_partner_stands_extremes(case: LossCase, dtype: type) -> None:
    _, y = random_pair(case)
    z = np.array(
        [[1e3, -1e3, 0], [-1e3, 1e3, 30], [80, 90, 100], [0, 0, 0], [-90, 1, 2], [1e-40, 0, 1]], dtype
    )
    z = np.minimum(z, 80) if case.part.name == "poisson" else z
    method = case.part.values_and_gradients_from_z if case.part.partners else case.part.values_and_gradients
    values, gradient = method(z, y.astype(dtype))
    assert values.dtype == gradient.dtype == dtype
    assert np.isfinite(values).all()
    assert np.isfinite(gradient).all()


@each_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("outputs", [2, 5, 33])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_is_the_same_on_both_engines(case: LossCase, dtype: str, outputs: int, weighted: bool) -> None:
    for name in case.part.partners or ["identity"]:
        layers = [gg.Dense(9, "tanh"), gg.Dense(outputs, name)]
        assert_agreement(layers, 4, case.part, dtype=dtype, weighted=weighted)


@each_loss
def test_loss_from_activations_is_the_same_on_both_engines(case: LossCase) -> None:
    layers = [gg.Dense(9, "tanh"), gg.Dense(4, partner(case)), gg.Dropout(0.0)]  # no partner is last here
    assert_agreement(layers, 4, case.part)


@each_loss
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("direct", [True, False])
def test_loss_counts_by_its_factor(case: LossCase, engine: Any, direct: bool) -> None:
    """In gradients, training and evaluation, but not in the penalty."""
    layers = [gg.Dense(3, partner(case)), *([] if direct else [gg.Dropout(0.0)])]
    architecture, rules = Architecture(layers, 3), gg.Regularization(l1=0.01, l2=0.1)
    order, found = np.arange(6), []
    for factor in (1.0, 2.5):
        loss = dataclasses.replace(case.part, factor=factor)
        made = make_case(architecture, loss, gg.SGD(), 6, "float64", regularization=rules)
        session, learned = made.open(engine), made.start
        before = learned.parameters.copy()
        values, _ = session.evaluate(made.rows)
        value, penalty, gradient = session.loss_and_gradient(order)
        done = session.steps(order, 6, np.array([0.1]))
        own = gradient - rules.penalty_and_gradient(before, architecture.penalized)[1]
        np.testing.assert_allclose(learned.parameters, before - 0.1 * gradient, rtol=1e-12)
        assert (done.losses[0], done.penalties[0]) == pytest.approx((value, penalty), rel=1e-12)
        found.append((values, value, own, penalty))
    (values, value, own, penalty), more = found
    np.testing.assert_allclose(more[0], 2.5 * values, rtol=1e-12)
    assert more[1] == pytest.approx(2.5 * value, rel=1e-12)
    np.testing.assert_allclose(more[2], 2.5 * own, rtol=1e-9, atol=1e-15)
    assert more[3] == pytest.approx(penalty, rel=1e-12)


LOGARITHMS = np.log([[0.98, 0.01, 0.01], [0.5, 0.3, 0.2]])
CLIPS = [
    # The probabilities 0.99 and 0.01 are clipped to 0.9 and 0.1; 1/2 is within.
    (gg.BinaryCrossEntropy(clip=0.1), np.log([[99], [99], [1 / 99], [1]]), [[0], [1], [1], [1]],
     [math.log(10), -math.log(0.9), math.log(10), LN2], [[0.99], [-0.01], [-0.99], [-0.5]]),
    (gg.BinaryCrossEntropy(0.2, clip=0.1), np.log([[99]]), [[0]], [-0.1 * math.log(0.9) + 0.9 * math.log(10)],
     [[0.99 - 0.1]]),
    (gg.CrossEntropy(clip=0.1), LOGARITHMS, [[0, 1, 0], [0, 1, 0]], [math.log(10), -math.log(0.3)],
     [[0.98, -0.99, 0.01], [0.5, -0.7, 0.2]]),
    (gg.CrossEntropy(clip=0.1), LOGARITHMS[:1], [[1, 0, 0]], [-math.log(0.9)], [[-0.02, 0.01, 0.01]]),
    (gg.CrossEntropy(0.3, clip=0.1), LOGARITHMS[:1], [[1, 0, 0]], [-0.8 * math.log(0.9) + 0.2 * math.log(10)],
     [[0.18, -0.09, -0.09]]),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "z", "y", "values", "gradients"), CLIPS)
@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_clip_computed_by_hand(
    loss: gg.Loss, z: np.ndarray, y: Any, values: Any, gradients: Any, engine: Any
) -> None:
    """The value is that of the clipped probability, the gradient that of the probability itself."""
    y, rows = np.array(y, dtype=np.float64), np.arange(len(z))
    found = loss.values_and_gradients_from_z(z, y)
    np.testing.assert_allclose(found[0], values, rtol=1e-12)
    np.testing.assert_allclose(found[1], gradients, rtol=1e-12)
    # The same through a network whose z is its input: the gradient of its bias is the mean gradient.
    architecture = Architecture([gg.Dense(z.shape[1], loss.partners[0])], z.shape[1])
    parameters = np.concatenate([np.eye(z.shape[1]).ravel(), np.zeros(z.shape[1])])
    session = engine.open(Model(architecture, parameters, np.empty(0)), Rows(z, y), Objective(loss))
    np.testing.assert_allclose(session.evaluate(Rows(z, y))[0], values, rtol=1e-12)
    value, _, gradient = session.loss_and_gradient(rows)
    assert value == pytest.approx(np.mean(values), rel=1e-12)
    np.testing.assert_allclose(gradient[-z.shape[1] :], np.mean(gradients, axis=0), rtol=1e-12)


@pytest.mark.parametrize("loss", [gg.BinaryCrossEntropy, gg.CrossEntropy])
def test_clip_acts_only_with_a_partner_and_only_on_the_value(loss: Any) -> None:
    z, y = random_pair(LossCase(loss(), [], [], 0))
    for smoothing in (0.0, 0.2):
        clipped, plain = loss(smoothing, clip=0.3), loss(smoothing)
        a = partner(LossCase(plain, [], [], 0)).forward(z)
        for one, other in zip(
            clipped.values_and_gradients(a, y), plain.values_and_gradients(a, y), strict=True
        ):
            np.testing.assert_array_equal(one, other)
        values, gradients = clipped.values_and_gradients_from_z(z, y)
        plain_values, plain_gradients = plain.values_and_gradients_from_z(z, y)
        assert (values != plain_values).any()
        np.testing.assert_array_equal(gradients, plain_gradients)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("outputs", [2, 5, 33])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("loss", [gg.BinaryCrossEntropy, gg.CrossEntropy])
def test_clip_is_the_same_on_both_engines(loss: Any, dtype: str, outputs: int, smoothing: float) -> None:
    for name in loss.partners:
        layers = [gg.Dense(9, "tanh"), gg.Dense(outputs, name)]
        for clip in (0.3, 1e-6):
            part = loss(smoothing, clip=clip, factor=1.5)
            assert_agreement(layers, 4, part, dtype=dtype, weighted=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", [gg.BinaryCrossEntropy, gg.CrossEntropy])
def test_a_clip_of_the_smallest_step_keeps_every_loss_finite(loss: Any, dtype: type) -> None:
    clip = float(np.finfo(dtype).eps)
    z, y = np.array([[1e3, -1e3], [-1e3, 1e3]], dtype), np.array([[0, 1], [0, 1]], dtype)
    values, gradients = loss(clip=clip).values_and_gradients_from_z(z, y)
    assert values.dtype == gradients.dtype == dtype
    np.testing.assert_allclose(values, [-math.log(clip), clip], rtol=1e-6)


@each_loss
@pytest.mark.peers
def test_loss_equals_pytorch(case: LossCase) -> None:
    import torch

    z, y = random_pair(case)
    if case.part.name == "cross_entropy":
        oracle = torch.nn.CrossEntropyLoss(label_smoothing=case.part.label_smoothing)  # type: ignore[attr-defined]
        mine = case.part.values_and_gradients_from_z(z, y)
        theirs = torch.tensor(z, requires_grad=True)
    elif case.torch:
        oracle = getattr(torch.nn, case.torch)(**case.torch_settings)
        a = partner(case).forward(z)
        mine = case.part.values_and_gradients(a, y)
        theirs = torch.tensor(a, requires_grad=True)
    else:
        pytest.skip("PyTorch has no such loss")
    value = oracle(theirs, torch.tensor(y))
    value.backward()
    assert mine[0].mean() == pytest.approx(value.item(), rel=1e-13)
    assert relative_error(mine[1] / len(z), theirs.grad.numpy()) <= 1e-13


# ---------------------------------------------------------------------------------------------- layers


@dataclass
class LayerCase:
    part: gg.Layer
    inputs: Any
    outputs: tuple[int, ...]

    @property
    def takes_numbers(self) -> bool:
        return isinstance(self.inputs, tuple)

    def rows(self, count: int, chance: np.random.Generator, dtype: str = "float64") -> Any:
        return random_rows(find_inputs(self.inputs), count, chance, dtype)


LAYERS = [
    LayerCase(gg.Dense(3, "tanh"), (4,), (3,)),
    LayerCase(gg.Dense(2, weight_initializer="orthogonal"), (4,), (2,)),
    LayerCase(gg.Dense(5, "softmax"), (4,), (5,)),
    LayerCase(gg.Activate("gelu"), (2, 3), (2, 3)),
    LayerCase(gg.Dropout(0.4), (6,), (6,)),
    LayerCase(gg.Dropout(0.0), (6,), (6,)),
    LayerCase(gg.SpatialDropout(0.4), (2, 3, 5), (2, 3, 5)),
    LayerCase(gg.SpatialDropout(0.4), (6, 3), (6, 3)),
    LayerCase(gg.BatchNormalization(), (4,), (4,)),
    LayerCase(gg.BatchNormalization(momentum=0.5, epsilon=0.1), (2, 3), (2, 3)),
    LayerCase(gg.LayerNormalization(), (4,), (4,)),
    LayerCase(gg.LayerNormalization(epsilon=0.1), (2, 3), (2, 3)),
    LayerCase(gg.BatchNormalization(), (3, 2, 4), (3, 2, 4)),
    LayerCase(gg.GroupNormalization(2), (3, 2, 4), (3, 2, 4)),
    LayerCase(gg.GroupNormalization(3, epsilon=0.1), (4, 3), (4, 3)),
    LayerCase(gg.GroupNormalization(2), (6,), (6,)),
    LayerCase(gg.Flatten(), (2, 3), (6,)),
    LayerCase(gg.Reshape((3, -1)), (2, 6), (3, 4)),
    LayerCase(gg.Residual([gg.Dense(5, "tanh"), gg.Dense(4)]), (4,), (4,)),
    LayerCase(gg.Residual([gg.Dense(3, "tanh"), gg.Dropout(0.3)]), (4,), (3,)),
    LayerCase(gg.Residual([gg.Conv2D(4, activation="tanh", stride=2)]), (5, 4, 3), (3, 2, 4)),
    LayerCase(gg.Residual([gg.Conv1D(4, activation="tanh", stride=3)]), (7, 3), (3, 4)),
    LayerCase(gg.Residual([gg.Residual([gg.BatchNormalization()]), gg.Activate("gelu")]), (2, 3), (2, 3)),
    LayerCase(
        gg.Parallel({"left": [gg.Dense(3, "tanh")], "right": [gg.Dropout(0.4)], "as it is": []}), (4,), (11,)
    ),
    LayerCase(gg.PiecewiseLinear([[-1, 0.5, 1], [], [0, 2]]), (3,), (6,)),
    LayerCase(gg.PiecewiseLinear([[i / 9.1 - 1.05 for i in range(21)], [], [-9, 9]]), (2, 3), (2, 24)),
    LayerCase(gg.Mixture((0.25, -1, 2)), (9,), (3,)),
    LayerCase(gg.Mixture((0.5, 0.5)), (2, 34), (2, 17)),
    LayerCase(gg.MaxPool2D(2), (4, 6, 3), (2, 3, 3)),
    LayerCase(gg.MaxPool2D((3, 2), stride=(2, 1), padding="same"), (5, 4, 2), (3, 4, 2)),
    LayerCase(gg.AveragePool2D(2), (4, 5, 3), (2, 2, 3)),
    LayerCase(gg.AveragePool2D((3, 2), stride=(2, 1), padding="same"), (5, 4, 2), (3, 4, 2)),
    LayerCase(gg.GlobalMaxPool(), (3, 4, 2), (2,)),
    LayerCase(gg.GlobalAveragePool(), (5, 3), (3,)),
    LayerCase(gg.Embedding(9, 4), gg.IntegerInput(9), (4,)),
    LayerCase(gg.Embedding(20, 17), gg.IntegerInput(9, (2, 3)), (2, 3, 17)),
    LayerCase(gg.EmbeddingBag(9, 4), gg.BagInput(9), (4,)),
    LayerCase(gg.EmbeddingBag(9, 4, "sum"), gg.BagInput(9, weighted=True), (4,)),
    LayerCase(gg.EmbeddingBag(30, 17, "mean"), gg.BagInput(9, weighted=True), (17,)),
    LayerCase(
        gg.Parallel(
            {"word": [gg.Embedding(9, 4)], "bag": [gg.EmbeddingBag(7, 3)], "number": [gg.Dense(2, "tanh")]}
        ),
        {"word": gg.IntegerInput(9), "bag": gg.BagInput(7), "number": 5},
        (9,),
    ),
    LayerCase(gg.Conv2D(3, activation="tanh"), (4, 5, 2), (4, 5, 3)),
    LayerCase(gg.Conv2D(2, (3, 2), stride=(2, 1), padding="valid", bias=False), (6, 5, 3), (2, 4, 2)),
    LayerCase(gg.Conv2D(4, 3, stride=2, dilation=(1, 2), groups=2), (7, 6, 6), (4, 3, 4)),
    LayerCase(gg.Conv2D(17, (1, 4), padding=((2, 0), (1, 3))), (2, 5, 1), (4, 6, 17)),
    LayerCase(gg.Conv2D(6, 2, padding=1, groups=6), (3, 3, 6), (4, 4, 6)),
    LayerCase(gg.Conv1D(3, 3, "tanh"), (6, 2), (6, 3)),
    LayerCase(gg.Conv1D(4, 3, stride=2, padding="causal", dilation=2, groups=2), (9, 4), (5, 4)),
    LayerCase(gg.DepthwiseConv2D(3, "tanh", stride=2), (5, 5, 3), (3, 3, 3)),
    LayerCase(gg.DepthwiseConv2D((2, 3), multiplier=2), (4, 4, 2), (4, 4, 4)),
    LayerCase(gg.SeparableConv2D(5, activation="tanh"), (4, 4, 3), (4, 4, 5)),
    LayerCase(gg.TransposedConv2D(3, activation="tanh"), (3, 4, 2), (3, 4, 3)),
    LayerCase(gg.TransposedConv2D(2, (4, 3), stride=(2, 3)), (2, 3, 3), (4, 9, 2)),
    LayerCase(gg.TransposedConv2D(17, (3, 2), stride=2, padding="valid", bias=False), (2, 3, 1), (5, 6, 17)),
    LayerCase(gg.TransposedConv2D(1, 1, stride=(1, 2)), (2, 3, 2), (2, 6, 1)),
    LayerCase(gg.Upsample2D((2, 3)), (2, 3, 5), (4, 9, 5)),
    LayerCase(gg.ZeroPad2D(((0, 1), (2, 0))), (2, 3, 5), (3, 5, 5)),
    LayerCase(gg.Crop2D(((0, 1), (2, 0))), (3, 4, 5), (2, 2, 5)),
    LayerCase(gg.Parallel({"only": [gg.Residual([gg.Dense(4)]), gg.LayerNormalization()]}), (4,), (4,)),
]
each_layer = pytest.mark.parametrize("case", LAYERS, ids=ids(LAYERS))


@each_layer
@pytest.mark.parametrize("training", [True, False])
def test_layer_backward_is_the_derivative(case: LayerCase, training: bool) -> None:
    architecture = Architecture([case.part], case.inputs)
    assert architecture.outputs == case.outputs
    parameters, state = architecture.initial(5, np.dtype(np.float64))
    chance = np.random.default_rng(4)
    parameters += chance.normal(0, 0.1, parameters.shape)
    state += chance.uniform(0, 0.5, state.shape)
    x = case.rows(5, chance)
    if case.takes_numbers:  # far enough apart that a small change does not change their order
        x = 4 * x.argsort(axis=None).argsort().reshape(x.shape) / x.size - 2
    direction = chance.normal(size=(5, *case.outputs))
    context = Context(training=training, seed=1, step=7)

    def value(x: Any, parameters: np.ndarray) -> float:
        a, _ = architecture.forward(architecture.views(parameters, state), x, context)
        return float((a * direction).sum())

    weights = architecture.views(parameters, state)
    inputs = copy.deepcopy(x)
    _, passed = architecture.forward(weights, x, context)
    grad_x, gradient = architecture.backward(weights, passed, direction, context)
    assert relative_error(gradient, numeric_gradient(lambda v: value(x, v), parameters)) <= 1e-7
    if case.takes_numbers:
        assert relative_error(grad_x, numeric_gradient(lambda v: value(v, parameters), x)) <= 1e-7
        assert (x == inputs).all()


@each_layer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layer_keeps_dtype_and_rows_apart(case: LayerCase, dtype: str) -> None:
    """In prediction, a row's outputs do not depend on the other rows."""
    architecture = Architecture([case.part], case.inputs)
    weights = architecture.views(*architecture.initial(5, np.dtype(dtype)))
    x = case.rows(4, np.random.default_rng(6), dtype)
    together, _ = architecture.forward(weights, x)
    alone = np.concatenate(
        [architecture.forward(weights, take_rows(x, slice(i, i + 1)))[0] for i in range(4)]
    )
    assert together.dtype == dtype
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)
    one, passed = architecture.forward(weights, x, Context(training=True))
    grad_x, gradient = architecture.backward(weights, passed, np.ones_like(one), Context(training=True))
    assert gradient.dtype == dtype
    assert not case.takes_numbers or grad_x.dtype == dtype


@each_layer
def test_layer_is_taken_apart(case: LayerCase) -> None:
    """Every unit and parameter has an explanation whose value is the number used; gradients agree."""
    net = gg.Network(
        [case.part, gg.Flatten(), gg.Dense(2, "tanh")], inputs=case.inputs, dtype="float64", seed=1
    )
    net.state[...] += 0.1
    x, y = case.rows(3, np.random.default_rng(2)), np.ones((3, 2))
    trace = net.trace(x, y, "mse", "adam", regularization=gg.Regularization(l2=0.1))
    assert trace.verify().agrees, trace.verify()
    for part in trace.layers:
        for index in list(np.ndindex(part.a.shape[1:]))[:: max(1, part.z[0].size // 7)]:
            assert trace.unit(part.name, index).value == part.a[(0, *index)]
    for entry in net.architecture.parameters:
        for index in list(np.ndindex(entry.shape))[:: max(1, (entry.stop - entry.start) // 7)]:
            found = trace.gradient(entry.name, index)
            assert found.value == entry.of(trace.gradient_vector)[index]
            assert str(found)
            assert math.isfinite(trace.update(entry.name, index).value)
    assert str(trace)
    assert trace.to_dict()
    assert trace._repr_html_()
    assert net.health(x, y, "mse").layers is not None


@each_layer
def test_layer_goes_through_a_file(case: LayerCase, tmp_path: Any) -> None:
    net = gg.Network([case.part], inputs=case.inputs, seed=3, dtype="float64")
    net.save(tmp_path / "layer.safetensors")
    loaded = gg.Network.load(tmp_path / "layer.safetensors")
    assert loaded.layers == (case.part,)
    assert (loaded.parameters == net.parameters).all()
    assert (loaded.state == net.state).all()


@pytest.mark.peers
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("case", LAYERS, ids=ids(LAYERS))
def test_layer_equals_pytorch(case: LayerCase, training: bool) -> None:
    import torch

    part = case.part
    if isinstance(part, gg.Dense):
        activation = {
            "identity": torch.nn.Identity(),
            "tanh": torch.nn.Tanh(),
            "softmax": torch.nn.Softmax(-1),
        }
        oracle: Any = torch.nn.Sequential(torch.nn.Linear(4, part.units), activation[part.activation.name])
        names = {"0.weight": "dense_1/weight", "0.bias": "dense_1/bias"}
    elif isinstance(part, gg.BatchNormalization) and len(case.inputs) == 1:
        oracle = torch.nn.BatchNorm1d(*case.inputs, eps=part.epsilon, momentum=1 - part.momentum)
        names = {"weight": "batch_normalization_1/scale", "bias": "batch_normalization_1/shift"}
    elif isinstance(part, gg.LayerNormalization):
        oracle = torch.nn.LayerNorm(case.inputs[-1], eps=part.epsilon)
        names = {"weight": "layer_normalization_1/scale", "bias": "layer_normalization_1/shift"}
    else:
        pytest.skip("no counterpart, or nothing but a function tested on its own")
    oracle.double().train(training)
    architecture = Architecture([part], case.inputs)
    parameters, state = architecture.initial(1, np.dtype(np.float64))
    chance = np.random.default_rng(8)
    parameters += chance.normal(0, 0.3, parameters.shape)
    entries = {entry.name: entry for entry in architecture.parameters}
    with torch.no_grad():
        for theirs, mine in names.items():
            dict(oracle.named_parameters())[theirs].copy_(torch.tensor(entries[mine].of(parameters).T.copy()))
    x, direction = chance.normal(size=(7, *case.inputs)), chance.normal(size=(7, *case.outputs))
    x_theirs = torch.tensor(x, requires_grad=True)
    a_theirs = oracle(x_theirs)
    a_theirs.backward(torch.tensor(direction))
    weights, context = architecture.views(parameters, state), Context(training=training)
    a, caches = architecture.forward(weights, x, context)
    grad_x, gradient = architecture.backward(weights, caches, direction, context)
    assert relative_error(a, a_theirs.detach().numpy()) <= 1e-13
    assert relative_error(grad_x, x_theirs.grad.numpy()) <= 1e-12
    for theirs, mine in names.items():
        grad = dict(oracle.named_parameters())[theirs].grad.numpy().T
        assert relative_error(entries[mine].of(gradient), grad) <= 1e-12
    if training and architecture.state:
        architecture.next_state(weights, caches, state)
        running = np.concatenate([oracle.running_mean.numpy(), oracle.running_var.numpy()])
        assert relative_error(state, running) <= 1e-13


@pytest.mark.peers
@pytest.mark.parametrize(
    ("part", "theirs"),
    [
        (gg.MaxPool2D((2, 3), stride=(2, 1)), lambda nn: nn.MaxPool2d((2, 3), (2, 1))),
        (gg.AveragePool2D((3, 2), stride=2), lambda nn: nn.AvgPool2d((3, 2), 2)),
        (gg.GlobalMaxPool(), lambda nn: nn.AdaptiveMaxPool2d(1)),
        (gg.GlobalAveragePool(), lambda nn: nn.AdaptiveAvgPool2d(1)),
        (gg.Upsample2D((2, 3)), lambda nn: nn.Upsample(scale_factor=(2, 3))),
        (gg.ZeroPad2D(((1, 2), (3, 0))), lambda nn: nn.ZeroPad2d((3, 0, 1, 2))),
        (gg.Crop2D(((1, 2), (3, 0))), lambda nn: nn.ZeroPad2d((-3, 0, -1, -2))),
    ],
)
def test_layer_without_parameters_equals_pytorch(part: gg.Layer, theirs: Any) -> None:
    import torch

    chance = np.random.default_rng(8)
    architecture = Architecture([part], (7, 6, 3))
    x, weights = chance.normal(size=(4, 7, 6, 3)), architecture.views(np.empty(0), np.empty(0))
    a, passed = architecture.forward(weights, x)
    direction = chance.normal(size=a.shape)
    grad_x, _ = architecture.backward(weights, passed, direction, Context())
    x_theirs = torch.tensor(x, requires_grad=True)
    a_theirs = theirs(torch.nn)(x_theirs.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).reshape(a.shape)
    a_theirs.backward(torch.tensor(direction))
    assert relative_error(a, a_theirs.detach().numpy()) <= 1e-13
    assert relative_error(grad_x, x_theirs.grad.numpy()) <= 1e-12


@pytest.mark.peers
@pytest.mark.parametrize(("mode", "weighted"), [("mean", False), ("sum", False), ("sum", True)])
def test_embedding_bag_equals_pytorch(mode: str, weighted: bool) -> None:
    import torch

    chance = np.random.default_rng(8)
    inputs = gg.BagInput(30, weighted)
    bags = random_rows(find_inputs(inputs), 20, chance, "float64")
    architecture = Architecture([gg.EmbeddingBag(30, 5, mode)], inputs)
    table = chance.normal(size=(30, 5))
    weights = architecture.views(table.ravel(), np.empty(0))
    a, passed = architecture.forward(weights, bags)
    direction = chance.normal(size=a.shape)
    _, gradient = architecture.backward(weights, passed, direction, Context())
    oracle = torch.nn.EmbeddingBag(30, 5, mode=mode, dtype=torch.float64)
    with torch.no_grad():
        oracle.weight.copy_(torch.tensor(table))
    own = torch.tensor(bags.weights) if weighted else None
    a_theirs = oracle(torch.tensor(bags.indices), torch.tensor(bags.offsets[:-1]), per_sample_weights=own)
    a_theirs.backward(torch.tensor(direction))
    assert relative_error(a, a_theirs.detach().numpy()) <= 1e-13
    assert relative_error(gradient.reshape(30, 5), oracle.weight.grad.numpy()) <= 1e-12


@each_layer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layer_is_the_same_on_both_engines(case: LayerCase, dtype: str) -> None:
    layers = [case.part, gg.Flatten(), gg.Dense(2)]
    if case.takes_numbers:
        size = math.prod(case.inputs)
        layers = [gg.Reshape((size,)), gg.Dense(size, "tanh"), gg.Reshape(case.inputs), *layers]
    assert_agreement(layers, case.inputs, gg.MeanSquaredError(), dtype=dtype)


@each_layer
def test_layer_gives_the_same_bits_on_any_number_of_threads(case: LayerCase) -> None:
    module, found = native_engine().module, []
    before = module.get_threads()
    architecture = Architecture([case.part, gg.Flatten(), gg.Dense(100, "tanh"), gg.Dense(2)], case.inputs)
    try:
        for threads in (1, 2, 3):
            module.set_threads(threads)
            made = make_case(architecture, gg.MeanSquaredError(), gg.Adam(), 600, "float32")
            session = made.open(native_engine())
            session.steps(np.arange(600), 300, np.full(2, 0.01))
            found.append((made.start.parameters, session.evaluate(made.rows)[1]))
    finally:
        module.set_threads(before)
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


TABLES = [
    ([gg.Embedding(9, 5), gg.Flatten(), gg.Dense(2)], gg.IntegerInput(9, (3,))),
    ([gg.EmbeddingBag(40, 3), gg.Dense(2)], gg.BagInput(40, weighted=True)),
]


@pytest.mark.parametrize(("layers", "inputs"), TABLES)
@pytest.mark.parametrize("number", range(12))
def test_updates_of_tables_are_the_same_on_both_engines(layers: Any, inputs: Any, number: int) -> None:
    optimizer = [case.part for case in OPTIMIZERS if isinstance(case.part, gg.StepOptimizer)][number]
    optimizer = dataclasses.replace(optimizer, weight_decay=0.1, clip_norm=0.5, average=0.9)
    rules = gg.Regularization(l1=0.01, l2=0.02, max_norm=0.5)
    assert_agreement(
        layers, inputs, gg.MeanSquaredError(), optimizer, rows=60, batch_size=7, regularization=rules
    )


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("number", range(12))
def test_an_update_leaves_the_rows_of_a_table_that_no_row_read(engine: Any, number: int) -> None:
    optimizer = [case.part for case in OPTIMIZERS if isinstance(case.part, gg.StepOptimizer)][number]
    optimizer = dataclasses.replace(optimizer, weight_decay=0.1, average=0.9)
    architecture = Architecture([gg.Embedding(9, 4), gg.Dense(2)], gg.IntegerInput(9))
    case = make_case(architecture, gg.MeanSquaredError(), optimizer, 30, "float64")
    session, learned = case.open(engine), case.start
    session.steps(np.arange(30), 10, np.full(3, 0.01))
    vectors = [learned.parameters, *learned.slots.values(), learned.mean]
    table = architecture.parameters[0]
    before = [table.of(vector).copy() for vector in vectors]
    few = np.flatnonzero(np.isin(case.rows.x, [2, 5]))[:4]
    session.steps(few, 4, np.full(1, 0.01))
    for was, vector in zip(before, vectors, strict=True):
        changed = np.flatnonzero((table.of(vector) != was).any(axis=1))
        assert set(changed) == set(case.rows.x[few])


# ------------------------------------------------------------------------------------------- optimizers


@dataclass
class OptimizerCase:
    part: gg.Optimizer
    first: float  # what the first update subtracts from a parameter whose gradient is 2
    torch: str = ""
    torch_settings: dict[str, Any] = field(default_factory=dict)


OPTIMIZERS = [
    OptimizerCase(gg.SGD(0.1), 0.2, "SGD", {"lr": 0.1}),
    OptimizerCase(gg.SGD(0.02, momentum=0.9), 0.2, "SGD", {"lr": 0.02, "momentum": 0.9}),
    OptimizerCase(
        gg.SGD(0.02, momentum=0.9, nesterov=True),
        0.38,
        "SGD",
        {"lr": 0.02, "momentum": 0.9, "nesterov": True},
    ),
    OptimizerCase(gg.SGD(0.02, momentum=1), 0.2, "SGD", {"lr": 0.02, "momentum": 1.0}),
    OptimizerCase(gg.RMSprop(0.1), 1.0, "RMSprop", {"lr": 0.1}),
    OptimizerCase(gg.RMSprop(0.1, momentum=0.9), 1.0, "RMSprop", {"lr": 0.1, "momentum": 0.9}),
    OptimizerCase(gg.Adagrad(0.1), 0.1, "Adagrad", {"lr": 0.1}),
    OptimizerCase(gg.Adam(0.1), 0.1, "Adam", {"lr": 0.1}),
    OptimizerCase(
        gg.Adam(0.1, 0.8, 0.9, 1e-3), 0.1 * 2 / 2.001, "Adam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}
    ),
    OptimizerCase(
        gg.Adam(0.1, epsilon=0.1, epsilon_hat=True),
        0.1 * math.sqrt(0.001) / 0.1 * 0.2 / (math.sqrt(0.004) + 0.1),
    ),
    OptimizerCase(gg.AdamW(0.1), 0.1, "AdamW", {"lr": 0.1, "weight_decay": 0.01}),
    OptimizerCase(gg.Lion(0.1), 0.1),
    OptimizerCase(gg.LBFGS(), math.nan),
    OptimizerCase(gg.LBFGS(5, loss_tolerance=1e-9, evaluations=100), math.nan),
]
each_optimizer = pytest.mark.parametrize("case", OPTIMIZERS, ids=ids(OPTIMIZERS))


@each_optimizer
def test_optimizer_first_update_computed_by_hand(case: OptimizerCase) -> None:
    if not isinstance(case.part, gg.StepOptimizer):
        pytest.skip("L-BFGS makes no single updates")
    slots = {name: np.zeros(1) for name in case.part.slots}
    change = case.part.change(np.array([2.0]), slots, 1, 0.1, np.zeros(1))
    assert change == pytest.approx(case.first, rel=1e-6)


@each_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_optimizer_is_the_same_on_both_engines(case: OptimizerCase, dtype: str) -> None:
    if not isinstance(case.part, gg.StepOptimizer):
        pytest.skip("L-BFGS asks for losses and gradients only")
    extras = {"weight_decay": 0.1, "clip_norm": 0.5, "average": 0.9}
    for part in (case.part, dataclasses.replace(case.part, **extras)):
        layers = [gg.Dense(9, "tanh"), gg.BatchNormalization(), gg.Dropout(0.2), gg.Dense(3, "softmax")]
        for regularization in (
            gg.Regularization(),
            gg.Regularization(l1=0.01, l2=0.02, max_norm=0.5),
            gg.Regularization(l1=0.01, l2=0.2, per_row=True),
        ):
            settings = {"dtype": dtype, "rows": 100, "regularization": regularization}
            for weighted in {False, regularization.per_row}:
                assert_agreement(layers, 4, gg.CrossEntropy(), part, weighted=weighted, **settings)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("per_row", [False, True])
def test_penalties_of_steps_are_those_before_each_update(
    engine: Any, dtype: str, weighted: bool, per_row: bool
) -> None:
    """Each is that of its batch: the last one has fewer rows, and so a larger penalty per row."""
    architecture = Architecture([gg.Dense(9, "tanh"), gg.Dense(1)], 4)
    rules = gg.Regularization(l1=0.1, l2=0.2, per_row=per_row)
    cases = [
        make_case(
            architecture, gg.MeanSquaredError(), gg.Adam(), 37, dtype, weighted=weighted, regularization=rules
        )
        for _ in range(2)
    ]
    (whole, alone), (session, by_one) = cases, [case.open(engine) for case in cases]
    done = session.steps(np.arange(37), 15, np.full(3, 0.05))
    expected = []
    weight, parameters = alone.rows.sample_weight, alone.start.parameters
    for first in (0, 15, 30):
        rows = np.arange(first, min(first + 15, 37))
        size = len(rows) if weight is None else float(weight[rows].sum(dtype=np.float64))
        w = (parameters * architecture.penalized).astype(np.float64)
        penalty = 0.1 * np.abs(w).sum() + 0.1 * (w * w).sum()
        expected.append(penalty / size if per_row else penalty)
        by_one.steps(rows, 15, np.array([0.05]))
    np.testing.assert_allclose(done.penalties, expected, rtol=1e-12 if dtype == "float64" else 1e-5)
    np.testing.assert_array_equal(whole.start.parameters, parameters)


@each_optimizer
@pytest.mark.peers
def test_optimizer_equals_pytorch_over_100_steps(case: OptimizerCase) -> None:
    import torch

    if not case.torch:
        pytest.skip("PyTorch has none of this name, or another line search")
    net = gg.Network([gg.Dense(3, "tanh"), gg.Dense(1)], inputs=2, dtype="float64", seed=1)
    # PyTorch's AdamW decays all parameters, so biases get a group without decay.
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)).double()
    with torch.no_grad():
        for layer, name in ((model[0], "dense_1"), (model[2], "dense_2")):
            layer.weight.copy_(torch.tensor(net.named_parameters()[f"{name}/weight"].T.copy()))
            layer.bias.zero_()
    settings = dict(case.torch_settings)
    decay = settings.pop("weight_decay", 0.0)
    weights = [p for p in model.parameters() if p.ndim > 1]
    biases = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}]
    optimizer = getattr(torch.optim, case.torch)(groups, **settings)
    chance = np.random.default_rng(7)
    X, y = chance.normal(size=(20, 2)), chance.normal(size=(20, 1))
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(torch.tensor(X)), torch.tensor(y)).backward()
        optimizer.step()
    net.fit(X, y, "mse", case.part, epochs=100, batch_size=20, shuffle=False)
    theirs = np.concatenate(
        [p.detach().numpy().T.ravel() for layer in (model[0], model[2]) for p in (layer.weight, layer.bias)]
    )
    assert relative_error(net.parameters, theirs) <= 1e-10


@each_optimizer
def test_optimizer_learns_a_line(case: OptimizerCase) -> None:
    pytest.importorskip("scipy" if case.part.name == "lbfgs" else "numpy")
    if getattr(case.part, "momentum", 0.0) == 1:
        pytest.skip("without friction the weights oscillate about the line forever")
    X = np.linspace(-1, 1, 40)[:, None]
    net = gg.Network([gg.Dense(1)], inputs=1, dtype="float64")
    net.fit(X, 2 * X + 1, "mse", case.part, epochs=400, batch_size=10)
    assert net.named_parameters()["dense_1/weight"].item() == pytest.approx(2, abs=0.15)
    assert net.named_parameters()["dense_1/bias"].item() == pytest.approx(1, abs=0.15)


def test_lbfgs_stops_at_its_limits() -> None:
    pytest.importorskip("scipy")
    X = np.random.default_rng(0).normal(size=(40, 3))

    def fit(**settings: Any) -> gg.History:
        net = gg.Network([gg.Dense(6, "tanh"), gg.Dense(1)], inputs=3, dtype="float64")
        return net.fit(X, X[:, 0] * X[:, 1], "mse", gg.LBFGS(**settings), epochs=30)

    assert fit().epochs == 30
    few, early = fit(evaluations=5), fit(loss_tolerance=0.2)
    assert few.epochs <= 5
    assert "evaluations exceeds limit" in few.stopped_because
    assert early.epochs < 30
    assert early.ended == "converged"


# ----------------------------------------------------------------------------------------- initializers


@dataclass
class InitializerCase:
    part: gg.Initializer
    variance: float  # for fan_in 40, fan_out 60
    mean: float = 0.0


INITIALIZERS = [
    InitializerCase(gg.GlorotUniform(), 2 / 100),
    InitializerCase(gg.GlorotNormal(), 2 / 100),
    InitializerCase(gg.HeUniform(), 2 / 40),
    InitializerCase(gg.HeNormal(), 2 / 40),
    InitializerCase(gg.LeCunUniform(), 1 / 40),
    InitializerCase(gg.LeCunNormal(), 1 / 40),
    InitializerCase(gg.Orthogonal(), 1 / 60),
    InitializerCase(gg.Orthogonal(2.0), 4 / 60),
    InitializerCase(gg.SmallRandom(), 1e-4),
    InitializerCase(gg.Constant(0.5), 0.0, 0.5),
    InitializerCase(gg.Zeros(), 0.0),
    InitializerCase(gg.Ones(), 0.0, 1.0),
]


@pytest.mark.parametrize("case", INITIALIZERS, ids=ids(INITIALIZERS))
def test_initializer_mean_and_variance(case: InitializerCase) -> None:
    shape = (40, 60)
    assert fans(shape) == shape
    many = np.stack([case.part.sample(np.random.default_rng(i), shape) for i in range(20)])
    assert many.shape == (20, *shape)
    assert many.mean() == pytest.approx(case.mean, abs=4 * math.sqrt(case.variance / many.size))
    assert many.var() == pytest.approx(case.variance, rel=0.03)
    if case.part.name == "orthogonal":
        gain = case.part.gain  # type: ignore[attr-defined]
        np.testing.assert_allclose(many[0] @ many[0].T, gain**2 * np.eye(40), atol=1e-12)


# ------------------------------------------------------------------------------------------ every part

EVERY_CASE = [*ACTIVATIONS, *LOSSES, *LAYERS, *OPTIMIZERS, *INITIALIZERS]


@pytest.mark.parametrize("case", EVERY_CASE, ids=ids(EVERY_CASE))
def test_part_goes_through_its_configuration(case: Any) -> None:
    part: Part = case.part
    kind = next(base for base in type(part).__mro__ if "kind" in vars(base))
    assert kind.find(part.configuration()) == part
    assert kind.find(part) is part
    with pytest.raises(gg.ConfigError, match="no setting 'nonsense'"):
        kind.find(part.configuration() | {"nonsense": 1})
    assert hash(part) == hash(kind.find(part.configuration()))


def test_lists_are_complete() -> None:
    for kind in (gg.Activation, gg.Loss, gg.Layer, gg.Optimizer, gg.Initializer):
        tested = {case.part.name for case in EVERY_CASE if isinstance(case.part, kind)}
        assert tested == set(kind.known)
