"""The trace: what is printed adds up, and equals what trains and predicts."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from rich.console import Console

import ganglion as gg
from contracts import ACTIVATIONS, LOSSES, OPTIMIZERS, ids, partner
from ganglion.core.arithmetic import Arithmetic
from ganglion.core.layers import Layer
from ganglion.insight.trace import Trace
from reading import redo

SMOOTH = ["tanh", "sigmoid", "gelu", "softplus", "silu", "mish", "identity", "selu", "gelu_tanh"]
KINKED = ["relu", "leaky_relu", "elu", "hard_sigmoid"]


def make(layers: list[gg.Layer], inputs: Any, seed: int = 0, dtype: str = "float64") -> gg.Network:
    """Return a network whose biases, scales and state are not at their usual start either."""
    net = gg.Network(layers, inputs, seed=seed, dtype=dtype)
    chance = np.random.default_rng(seed)
    net.parameters = net.parameters + chance.normal(0, 0.2, net.parameters.shape)
    net.state[...] += chance.uniform(0, 0.5, net.state.shape)
    return net


def everything(t: Trace, chance: np.random.Generator, explain: int = 6) -> list[str]:
    """Return the text of some explanations of every kind, chosen at random."""
    texts = []
    for part in t.layers:
        for _ in range(explain // 3):
            index = tuple(int(chance.integers(0, size)) for size in part.a.shape[1:])
            row = int(chance.integers(0, len(part.a)))
            explanation = t.unit(part.name, index, row)
            assert explanation.value == part.a[(row, *index)]
            texts.append(str(explanation))
        for name, values in part.gradients.items():
            index = tuple(int(chance.integers(0, size)) for size in values.shape)
            texts.append(str(t.gradient(f"{part.name}/{name}", index)))
            texts.append(str(t.update(f"{part.name}/{name}", index)))
    texts.append(str(t.unit("loss", row=int(chance.integers(0, len(t.layers[0].x))))))
    return texts


layer_lists = st.lists(
    st.one_of(
        st.builds(
            gg.Dense, st.integers(1, 24), st.sampled_from([*SMOOTH, *KINKED, "softmax", "log_softmax"])
        ),
        st.builds(gg.Activate, st.sampled_from(SMOOTH + KINKED)),
        st.builds(gg.Dropout, st.sampled_from([0.0, 0.3, 0.5])),
        st.just(gg.BatchNormalization()),
        st.just(gg.LayerNormalization()),
    ),
    max_size=4,
)


def loss_of(name: str, factor: float, clip: float) -> gg.Loss:
    part = gg.Loss.find(name)
    clips = {"clip": clip} if hasattr(part, "clip") else {}
    return dataclasses.replace(part, factor=factor, **clips)


losses = st.builds(
    loss_of,
    st.sampled_from(sorted(set(gg.Loss.known) - {"joint"})),
    st.sampled_from([1.0, 0.5, 3.0]),
    st.sampled_from([0.0, 1e-7, 0.3]),
)
optimizers = st.sampled_from(
    [
        gg.SGD(0.1),
        gg.SGD(0.1, momentum=1.0),
        gg.SGD(0.1, momentum=0.9, clip_norm=0.01),
        gg.SGD(0.1, momentum=0.9, nesterov=True, average=0.9),
        gg.RMSprop(0.01, momentum=0.5),
        gg.Adagrad(0.1),
        gg.Adam(0.01, clip_norm=0.1),
        gg.Adam(0.01, epsilon=1e-3, epsilon_hat=True),
        gg.AdamW(0.01),
        gg.AdamW(0.01, epsilon_hat=True),
        gg.Lion(0.01, weight_decay=0.1),
    ]
)
regularizations = st.sampled_from(
    [
        gg.Regularization(),
        gg.Regularization(0.01, 0.1, max_norm=1.0),
        gg.Regularization(0.01, 0.1, per_row=True),
    ]
)


@settings(max_examples=100, deadline=None)
@given(
    layers=layer_lists,
    inputs=st.integers(1, 30),
    outputs=st.integers(1, 12),
    rows=st.integers(1, 5),
    loss=losses,
    optimizer=optimizers,
    training=st.booleans(),
    weighted=st.booleans(),
    regularization=regularizations,
    seed=st.integers(0, 99),
)
def test_what_is_printed_adds_up(
    layers: list[gg.Layer],
    inputs: int,
    outputs: int,
    rows: int,
    loss: gg.Loss,
    optimizer: gg.StepOptimizer,
    training: bool,
    weighted: bool,
    regularization: gg.Regularization,
    seed: int,
) -> None:
    outputs = max(outputs, 2) if loss.answers == "one_of" else outputs
    last = loss.partners[0] if loss.partners else "identity"
    net = make([*layers, gg.Dense(outputs, last)], inputs, seed)
    chance = np.random.default_rng(seed)
    X = chance.normal(size=(rows, inputs))
    y = loss.sample_targets((rows, outputs), chance)
    weight = chance.uniform(0.5, 2, rows) if weighted else np.ones(rows)
    t = net.trace(
        X, y, loss, optimizer, training=training, sample_weight=weight, regularization=regularization
    )
    for text in everything(t, chance):
        redo(text, symbols_agree=rows == 1)
    assert ("factor" in str(t.unit("loss"))) == (loss.factor != 1)
    if not (regularization.l1 or regularization.l2):
        each = [t.unit("loss", row=row).value for row in range(rows)]
        assert t.loss == pytest.approx(np.average(each, weights=weight), rel=1e-11, abs=1e-12)
    np.testing.assert_allclose(
        t.layers[-1].a if not training else net.trace(X, training=False).layers[-1].a,
        net.predict(X),
        rtol=1e-11,
        atol=1e-12,
    )
    if training:
        value, gradient = net.loss_and_gradient(X, y, loss, weight, regularization)
        assert t.loss == pytest.approx(value, rel=1e-11, abs=1e-12)
        scale = max(1e-3, float(np.abs(gradient).max()))
        np.testing.assert_allclose(t.gradient_vector, gradient, rtol=0, atol=1e-10 * scale)
    assert t.verify().worst <= 1e-5


SATURATED = [12.0, -9.0, 0.4, 0.1]  # their probabilities lie beyond a clip of 0.001, and within


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(
    ("loss", "last"),
    [
        (gg.BinaryCrossEntropy, "sigmoid"),
        (gg.CrossEntropy, "softmax"),
        (gg.CrossEntropy, "log_softmax"),
    ],
)
def test_where_a_clip_acts_value_and_gradient_are_those_that_train(
    loss: Any, last: str, smoothing: float
) -> None:
    net = gg.Network([gg.Dense(4, last)], 1, dtype="float64")
    net.parameters = [*SATURATED, *[0.0] * 4]
    part = loss(smoothing, clip=0.001, factor=2.0)
    for target in np.eye(4):
        t = net.trace([1.0], target, part)
        value, gradient = net.loss_and_gradient([[1.0]], [target], part)
        assert t.unit("loss").value == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(t.gradient_vector, gradient, rtol=1e-12)
        assert redo(str(t.unit("loss")), symbols_agree=False) >= 1
        assert redo(str(t.gradient("dense_1/weight", (0, 1))), symbols_agree=False) >= 2
        proof = t.verify()
        assert (proof.count, proof.kinks) == (8, 0)
        assert proof.worst < 1e-5


def test_words_and_equations_say_where_a_clip_acts() -> None:
    net = gg.Network([gg.Dense(2, "softmax")], 1, dtype="float64")
    for size, acts in ((9.0, True), (0.5, False)):
        net.parameters = [size, -size, 0, 0]
        t = net.trace(1.0, 1, gg.CrossEntropy(clip=0.001))
        assert ("log(0.001)   -y[1] · log(clip)" in str(t.unit("loss"))) == acts
        assert ("the loss without its clip" in t.gradient("dense_1/bias", 0).words) == acts
        plain = net.trace(1.0, 1)
        assert "clip" not in str(plain.unit("loss")) + str(plain.gradient("dense_1/bias", 0))


@pytest.mark.parametrize("loss", [gg.BinaryCrossEntropy, gg.CrossEntropy])
def test_a_clip_does_not_act_where_the_loss_has_no_partner(loss: Any) -> None:
    """Dropout of nothing separates loss and softmax, so that the loss works from the probabilities."""
    layers = [gg.Dense(4, loss.partners[0]), gg.Dropout(0.0)]
    net = gg.Network(layers, 1, dtype="float64")
    net.parameters = [*SATURATED, *[0.0] * 4]
    texts = []
    for clip in (0.0, 0.001):
        t = net.trace([1.0], np.eye(4)[1], loss(clip=clip))
        gradient = t.gradient("dense_1/bias", 0)
        texts.append((str(t.unit("loss")), str(gradient), t.verify().agrees))
        assert t.loss == pytest.approx(net.loss_and_gradient([[1.0]], [np.eye(4)[1]], loss(clip=clip))[0])
    assert texts[0] == texts[1]
    assert texts[0][2]


def test_a_penalty_per_row_is_shown_with_the_weight_that_divides_it() -> None:
    net = gg.Network([gg.Dense(1)], 1, dtype="float64")
    net.parameters = [2.0, 0.0]
    t = net.trace(
        [[1.0], [2.0]],
        [2.0, 4.0],  # as predicted: the penalty is all there is
        regularization=gg.Regularization(l1=1.0, l2=3.0, per_row=True),
        sample_weight=[1.0, 3.0],
    )
    text = str(t.gradient("dense_1/weight", (0, 0)))
    assert "3 × 0.25 × 2   l2 · 1/batch weight · w  (l2 penalty)" in text
    assert "1 × 0.25 × 1   l1 · 1/batch weight · sign(w)  (l1 penalty)" in text
    assert t.gradient("dense_1/weight", (0, 0)).value == 0.25 * (3 * 2 + 1)
    assert t.loss == 0.25 * (3 * 2 * 2 / 2 + 2)
    assert "batch weight" not in str(t.gradient("dense_1/bias", 0))


def test_it_equals_the_native_engine_in_float32() -> None:
    net = make(
        [gg.Dense(64, "relu"), gg.Dropout(0.3), gg.Dense(32, "tanh"), gg.Dense(5, "softmax")],
        40,
        dtype="float32",
    )
    assert net.engine == "native"
    X, y = np.random.default_rng(0).normal(size=(8, 40)), np.arange(8) % 5
    np.testing.assert_allclose(net.trace(X).layers[0].z, X.astype(np.float32) @ net.named_parameters()["dense_1/weight"] + net.named_parameters()["dense_1/bias"], rtol=1e-4, atol=1e-5)  # fmt: skip
    np.testing.assert_allclose(
        net.trace(X, training=False).layers[-1].a, net.predict(X), rtol=1e-5, atol=1e-6
    )
    value, gradient = net.loss_and_gradient(X, y)
    t = net.trace(X, y)
    assert t.loss == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(t.gradient_vector, gradient, rtol=0, atol=1e-5 * float(np.abs(gradient).max()))


@pytest.mark.parametrize("case", ACTIVATIONS, ids=ids(ACTIVATIONS))
def test_every_activation_can_be_redone(case: Any) -> None:
    net = make([gg.Dense(4, case.part), gg.Dense(2)], 3, seed=3)
    t = net.trace([0.5, -1.2, 2.0], [1.0, -1.0])
    for unit in range(4):
        assert redo(str(t.unit("dense_1", unit))) >= 1
        assert redo(str(t.gradient("dense_1/weight", (1, unit)))) >= 3


@pytest.mark.parametrize("case", LOSSES, ids=ids(LOSSES))
@pytest.mark.parametrize("from_z", [True, False])
def test_every_loss_can_be_redone(case: Any, from_z: bool) -> None:
    last: list[gg.Layer] = [gg.Dense(3, partner(case))]
    net = make([gg.Dense(4, "tanh"), *last, *([] if from_z else [gg.Dropout(0.0)])], 3, seed=1)
    chance = np.random.default_rng(0)
    X, y = chance.normal(size=(2, 3)), case.part.sample_targets((2, 3), chance)
    t = net.trace(X, y, case.part, sample_weight=[1.0, 3.0])
    for row in (0, 1):
        assert redo(str(t.unit("loss", row=row)), symbols_agree=False) >= 1
    for unit in range(3):
        assert redo(str(t.gradient("dense_2/bias", unit)), symbols_agree=False) >= 3


@pytest.mark.parametrize("case", OPTIMIZERS, ids=ids(OPTIMIZERS))
def test_every_update_is_the_one_that_training_makes(case: Any) -> None:
    """After two epochs of its own, the third is traced, redone from the text, and then really made."""
    if not isinstance(case.part, gg.StepOptimizer):
        net = make([gg.Dense(2, "tanh"), gg.Dense(1)], 2)
        t = net.trace([[1.0, 2.0]], [1.0], optimizer=case.part)
        with pytest.raises(gg.ConfigError, match="makes no single updates"):
            t.update("dense_1/bias", 0)
        return
    net = make([gg.Dense(3, "tanh"), gg.Dense(1)], 2)
    X, y = np.random.default_rng(0).normal(size=(4, 2)), np.array([1.0, 0, 2, 1])
    fit: dict[str, Any] = {"loss": "mse", "optimizer": case.part, "batch_size": 4, "shuffle": False}
    net.fit(X, y, epochs=2, **fit)
    t = net.trace(X, y, "mse")
    explained = [t.update("dense_1/weight", (i, j)) for i in range(2) for j in range(3)]
    net.fit(X, y, epochs=1, **fit)
    after = net.named_parameters()["dense_1/weight"].ravel()
    np.testing.assert_allclose([e.value for e in explained], after, rtol=1e-12)
    for explanation in explained:
        assert redo(str(explanation)) >= 2


def test_every_built_in_part_is_taken_apart() -> None:
    for layer in Layer.known.values():
        assert type(layer.arithmetic) is not Arithmetic, layer
    for optimizer in gg.Optimizer.known.values():
        assert not issubclass(optimizer, gg.StepOptimizer) or optimizer().rule
    for loss in gg.Loss.known.values():
        assert loss.derivative, loss


def test_the_shortcut_of_softmax_is_the_full_jacobian() -> None:
    net = make([gg.Dense(4, "softmax")], 3)
    t = net.trace([1.0, 2.0, -1.0], 2)
    text = str(t.gradient("dense_1/bias", 1))
    short, long = (line for line in text.splitlines() if line.startswith("∂L/∂dense_1.z[1] = "))
    assert "error" in short
    assert "Jacobian" in long
    sums = [block.splitlines()[-1] for block in text.split("\n\n") if block.startswith("∂L/∂dense_1.z[1] = ")]
    assert sums[0] == sums[1]


def test_layers_of_more_axes() -> None:
    net = make(
        [gg.Reshape((2, 3)), gg.LayerNormalization(), gg.BatchNormalization(), gg.Activate("softmax"), gg.Flatten(), gg.Dense(2)], 6
    )  # fmt: skip
    X = np.random.default_rng(1).normal(size=(3, 6))
    for training in (True, False):
        t = net.trace(X, X[:, :2], training=training)
        for text in everything(t, np.random.default_rng(2)):
            redo(text, symbols_agree=False)
        assert t.verify().worst < 1e-7


def test_dropout_shows_its_mask() -> None:
    net = make([gg.Dropout(0.5), gg.Dense(1)], 20)
    t = net.trace(np.ones(20), 1.0)
    texts = [str(t.unit("dropout_1", i)) for i in range(20)]
    dropped = [i for i in range(20) if t.layers[0].a[0, i] == 0]
    assert 0 < len(dropped) < 20
    for i, text in enumerate(texts):
        assert ("dropped in this step" in text) == (i in dropped)
        assert redo(text) == 2
    assert t.gradient("dense_1/weight", (dropped[0], 0)).value == 0


def test_more_than_ten_terms_are_folded_and_still_add_up() -> None:
    net = make([gg.Dense(40, "tanh"), gg.Dense(30, "tanh"), gg.Dense(1)], 50)
    t = net.trace(np.random.default_rng(0).normal(size=50), 1.0)
    text = str(t.unit("dense_1", 3))
    assert "41 more" in text
    redo(text)
    text = str(t.gradient("dense_1/weight", (7, 3)))
    assert "20 more" in text
    redo(text)
    values = [abs(float(line.split()[1])) for line in text.splitlines() if line.startswith("    + ") and "more" not in line]  # fmt: skip
    assert values == sorted(values, reverse=True)


def test_one_weight_changed_by_hand_changes_what_is_shown() -> None:
    net = gg.Network([gg.Dense(1)], inputs=2)
    net.parameters = [2, 3, 1]
    before = str(net.trace([1, 1]).unit("dense_1", 0))
    net.named_parameters()["dense_1/weight"][1, 0] = 5
    after = str(net.trace([1, 1]).unit("dense_1", 0))
    assert "1 × 3" in before
    assert "1 × 5" in after
    assert "= 8" in after


def test_words_name_the_three_that_pushed_most() -> None:
    net = gg.Network([gg.Dense(1, "relu")], inputs=5)
    net.parameters = [1, -4, 3, 2, -5, 0.5]
    text = net.trace([1, 1, 1, 1, 1], names=["a", "b", "c", "d", "e"]).unit("dense_1", 0).words
    assert "push z up by 6 and down by 9" in text
    assert "silent" in text
    assert "Most for it: c (+3), d (+2), a (+1)." in text
    assert "Most against it: e (-5), b (-4)." in text


# ------------------------------------------------------------------------------------ parts of one's own


class Scale(gg.Layer):
    def parameters(self, shape: Any) -> Any:
        return {"factor": shape}

    def initializers(self) -> Any:
        return {"factor": gg.Ones()}

    def forward(self, weights: Any, x: Any, context: Any) -> Any:
        return x * weights.factor, x

    def backward(self, weights: Any, cache: Any, grad_a: Any, context: Any) -> Any:
        return grad_a * weights.factor, {"factor": (grad_a * cache).sum(axis=0)}


class Cubic(gg.Activation):
    def forward(self, z: Any) -> Any:
        return z**3

    def backward(self, grad_a: Any, z: Any, a: Any) -> Any:
        return grad_a * 3 * z**2


class Fourth(gg.Loss):
    def values_and_gradients(self, a: Any, y: Any) -> Any:
        return ((a - y) ** 4).sum(axis=1), 4 * (a - y) ** 3


class Halving(gg.StepOptimizer):
    def change(self, gradient: Any, slots: Any, update: int, rate: float, parameters: Any) -> Any:
        return parameters / 2


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_parts_of_ones_own_are_shown_with_their_numbers(factor: float) -> None:
    net = gg.Network([gg.Dense(3, Cubic()), Scale(), gg.Dense(2)], 2, dtype="float64", engine="reference")
    t = net.trace([0.5, 1.5], [1.0, 2.0], Fourth(factor=factor), Halving())
    assert t.unit("loss").value == t.loss
    assert ("· factor" in str(t.unit("loss"))) == (factor != 1)
    for text in everything(t, np.random.default_rng(0)):
        redo(text)
    assert t.verify().worst < 1e-7
    assert "what forward of Scale gives" in str(t.unit("Scale_1", 1))
    half = net.named_parameters()["dense_1/weight"][0, 0] / 2
    assert t.update("dense_1/weight", (0, 0)).value == pytest.approx(half)


class Wrong(Scale):
    """A layer whose gradient is a tenth too large."""

    def backward(self, weights: Any, cache: Any, grad_a: Any, context: Any) -> Any:
        grad_x, gradients = super().backward(weights, cache, grad_a, context)
        return grad_x, {"factor": gradients["factor"] * 1.1}


class NotANumber(Scale):
    def backward(self, weights: Any, cache: Any, grad_a: Any, context: Any) -> Any:
        return super().backward(weights, cache, grad_a * math.nan, context)


@pytest.mark.parametrize("epochs", [0, 300])
@pytest.mark.parametrize("factor", [1.0, 1e-8, 1e8])
def test_verify_finds_a_wrong_gradient_before_and_after_training(epochs: int, factor: float) -> None:
    X = np.random.default_rng(0).normal(size=(20, 3))
    y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2]
    for layer, agrees in ((Scale(), True), (Wrong(), False)):
        layers = [gg.Dense(4, "tanh"), layer, gg.Dense(1)]
        net = gg.Network(layers, 3, dtype="float64", engine="reference")
        net.fit(X, y, optimizer=gg.Adam(0.01), epochs=epochs, batch_size=20)
        proof = net.trace(X, y, gg.MeanSquaredError(factor=factor)).verify()
        assert proof.agrees == agrees
        assert ("DISAGREE" in str(proof)) == (not agrees)
        assert proof.kinks == 0
        assert proof.count == net.parameters.size
        if not agrees:
            assert proof.where.startswith("Wrong_1/factor")
    net = gg.Network([NotANumber(), gg.Dense(1)], 3, dtype="float64", engine="reference")
    assert net.trace(X, y).verify().worst == math.inf


def test_a_trained_smooth_network_has_no_kinks() -> None:
    X = np.random.default_rng(0).normal(size=(200, 3))
    net = gg.Network([gg.Dense(8, "tanh"), gg.Dense(1)], 3)
    y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2]
    net.fit(X, y, optimizer=gg.Adam(0.01), epochs=300)
    proof = net.trace(X, y).verify()
    assert (proof.count, proof.kinks) == (net.parameters.size, 0)
    assert proof.worst < 1e-5


def test_a_kink_is_no_error() -> None:
    net = gg.Network([gg.Dense(1, "relu"), gg.Dense(1)], 1, dtype="float64")
    net.parameters = [1.0, 0.0, 1.0, 0.0]  # z = 0 for x = 0: to the right it rises, to the left it is flat
    proof = net.trace([[0.0]], [[1.0]]).verify()
    assert proof.agrees
    assert proof.kinks == 1


def test_the_update_of_a_running_mean_is_the_one_that_training_makes() -> None:
    optimizer = gg.SGD(0.1, average=0.9)
    net = make([gg.Dense(3, "tanh"), gg.Dense(1)], 2)
    X, y = np.random.default_rng(0).normal(size=(4, 2)), np.array([1.0, 0, 2, 1])
    fit: dict[str, Any] = {"loss": "mse", "optimizer": optimizer, "batch_size": 4, "shuffle": False}
    net.fit(X, y, epochs=5, **fit)
    explanation = net.trace(X, y, "mse").update("dense_1/weight", (0, 0))
    mean = next(e for e in explanation.equations if str(e.left) == "mean")
    redo(str(explanation))
    net.fit(X, y, epochs=1, **fit)
    assert mean.value == pytest.approx(net.named_parameters()["dense_1/weight"][0, 0], rel=1e-12)


def test_a_trace_stays_what_it_was_while_the_network_trains_on() -> None:
    net = make([gg.Dense(2, "tanh"), gg.Dense(1)], 2)
    X, y = np.random.default_rng(0).normal(size=(4, 2)), np.ones(4)
    net.fit(X, y, epochs=1)
    t = net.trace(X, y)
    before = str(t), str(t.update("dense_1/weight", (0, 0)))
    net.fit(X, y, epochs=3)
    assert (str(t), str(t.update("dense_1/weight", (0, 0)))) == before


def test_the_optimizer_of_a_loaded_network_is_that_of_its_file(tmp_path: Any) -> None:
    net = make([gg.Dense(1)], 2)
    net.fit([[1.0, 2.0], [0.0, 1.0]], [1.0, 2.0], optimizer=gg.SGD(0.05), epochs=1)
    net.save(tmp_path / "net.safetensors")
    loaded = gg.Network.load(tmp_path / "net.safetensors")
    assert "0.05 * " in str(loaded.trace([[1.0, 2.0]], [1.0]).update("dense_1/bias", 0))


class Partnered(Fourth):
    """A custom loss that works from z after a sigmoid."""

    partners = ("sigmoid",)
    delta = None

    def values_and_gradients_from_z(self, z: Any, y: Any) -> Any:
        a = 1 / (1 + np.exp(-z))
        return ((a - y) ** 4).sum(axis=1), 4 * (a - y) ** 3 * a * (1 - a)


class Centered(gg.Activation):
    """Works row by row, and has a scale that is no number."""

    scale = None

    def forward(self, z: Any) -> Any:
        return z - z.mean(axis=-1, keepdims=True)

    def backward(self, grad_a: Any, z: Any, a: Any) -> Any:
        return grad_a - grad_a.mean(axis=-1, keepdims=True)


class Penalized(Scale):
    penalized = ("factor",)


def test_parts_of_ones_own_are_not_given_the_words_of_others() -> None:
    net = gg.Network([gg.Dense(2, "sigmoid")], 2, dtype="float64", engine="reference")
    text = str(net.trace([1.0, 2.0], [0.0, 1.0], Partnered()).gradient("dense_1/weight", (0, 0)))
    assert "a - y" not in text
    redo(text)
    net = gg.Network([gg.Dense(3, Centered()), gg.Dense(1)], 2, dtype="float64", engine="reference")
    t = net.trace([1.0, 2.0], 1.0)
    assert "silent" not in t.unit("dense_1", 1).words
    redo(str(t.gradient("dense_1/weight", (0, 1))))
    net = gg.Network([Penalized()], 2, dtype="float64", engine="reference")
    t = net.trace([1.0, 2.0], [3.0, 4.0], regularization=gg.Regularization(l2=1.0))
    text = str(t.gradient("Penalized_1/factor", 0))
    assert "l2 penalty" in text
    assert redo(text) == 1


# ------------------------------------------------------------------------------------------ extreme numbers


def test_rows_that_weigh_nothing() -> None:
    net = make([gg.Dense(2, "relu"), gg.Dense(1)], 2)
    t = net.trace([[1.0, 1.0], [1.0, 2.0]], [1.0, 2.0], sample_weight=[0.0, 1.0])
    for text in everything(t, np.random.default_rng(0)):
        redo(text, symbols_agree=False)


def test_what_nearly_cancels_is_shown_with_the_digits_it_needs() -> None:
    net = gg.Network([gg.Dense(1)], 2, dtype="float64")
    net.parameters = [1.0, -1.0, 0.0]
    text = str(net.trace([1000001.0, 1000000.0]).unit("dense_1", 0))
    assert "1000001" in text
    redo(text)
    net = gg.Network([gg.LayerNormalization()], 3, dtype="float64")
    text = str(net.trace([20000.1, 20000.2, 20000.9]).unit("layer_normalization_1", 0))
    assert "20000.1 - 20000.4" in text
    redo(text)


@pytest.mark.parametrize("size", [10.0, 400.0])
def test_saturated_outputs_print_no_false_arithmetic(size: float) -> None:
    net = gg.Network([gg.Dense(2, "softmax")], 1, dtype="float64")
    net.parameters = [-size, size, 0, 0]
    t = net.trace(1.0, 0)
    for text in (str(t.unit("loss")), str(t.gradient("dense_1/weight", (0, 0))), str(t.unit("dense_1", 1))):
        redo(text)
    assert ("Jacobian" in str(t.gradient("dense_1/weight", (0, 0)))) == (size == 10.0)
    hidden = gg.Network([gg.Dense(2, "softmax"), gg.Dense(1)], 1, dtype="float64")
    hidden.parameters = [-size, size, 0, 0, 1, -1, 0]
    redo(str(hidden.trace(1.0, 1.0).gradient("dense_1/weight", (0, 1))))


def test_limited_logarithms_are_named() -> None:
    net = gg.Network([gg.Dense(1, "relu")], 1, dtype="float64")
    net.parameters = [-1.0, 0.0]
    t = net.trace(1.0, 3.0, "poisson")
    assert "logarithm of 0 limited" in str(t.unit("loss"))
    assert "logarithm of 0 limited" in str(t.gradient("dense_1/bias", 0))
    net = gg.Network([gg.Dense(1, "hard_sigmoid")], 1, dtype="float64")
    net.parameters = [10.0, 0.0]
    assert "logarithm of 0 limited" in str(net.trace(1.0, 0.0, "binary_cross_entropy").unit("loss"))


def test_infinite_numbers_warn_of_nothing() -> None:
    net = gg.Network([gg.Dense(3, "exp"), gg.Dense(1, "exp")], 2)
    net.parameters = 500.0
    t = net.trace([1.0, 2.0], 1.0)
    for text in (str(t), str(t.unit("dense_2", 0)), str(t.gradient("dense_1/weight", (0, 0)))):
        assert text
    json.dumps(t.to_dict(), allow_nan=False)
    assert t.verify().worst == math.inf
    assert json.loads(json.dumps(t.verify().to_dict(), allow_nan=False))["worst"] is None


# ----------------------------------------------------------------------------------------- other forms


def test_plain_data_is_json_and_complete() -> None:
    net = make([gg.Dense(3, "tanh"), gg.Dense(2, "softmax")], 2)
    t = net.trace([[1.0, 2.0], [0.0, 1.0]], [0, 1])
    facts = json.loads(json.dumps(t.to_dict(), allow_nan=False))
    assert [layer["name"] for layer in facts["layers"]] == ["dense_1", "dense_2"]
    np.testing.assert_array_equal(facts["layers"][0]["z"], t.layers[0].z)
    np.testing.assert_array_equal(facts["layers"][0]["gradients"]["weight"], t.layers[0].gradients["weight"])
    gradient = json.loads(json.dumps(t.gradient("dense_1/weight", (1, 2)).to_dict(), allow_nan=False))
    first = gradient["equations"][0]
    total = sum(math.prod(f["value"] for f in term["factors"]) for term in first["terms"])
    assert total == pytest.approx(first["value"])


def test_plain_data_holds_none_for_what_is_not_finite() -> None:
    net = gg.Network([gg.Dense(1, "exp")], 1)
    net.parameters = [1000.0, 0.0]
    facts = net.trace([[1.0]]).to_dict()
    assert facts["layers"][0]["a"] == [[None]]


def test_formulas_are_balanced_latex() -> None:
    net = make([gg.Dense(3, "gelu_tanh"), gg.BatchNormalization(), gg.Dense(2, "softmax")], 2)
    t = net.trace([[1.0, 2.0], [0.5, 1.0]], [0, 1], names=["5 % of_a^b", "c"])
    for text in [
        t.to_latex(),
        t.unit("dense_1", 0).to_latex(),
        t.gradient("dense_1/weight", (0, 1)).to_latex(),
        t.update("dense_1/weight", (0, 1)).to_latex(),
        t.unit("loss").to_latex(),
    ]:
        assert text.startswith("\\begin{align*}")
        bare = text.replace(r"\{", "").replace(r"\}", "")
        assert bare.count("{") == bare.count("}")
        assert all(line.endswith("\\\\") for line in text.splitlines()[1:-1])
        assert not set(text) & set("∂·²×")
        assert " % " not in text


def test_pages_for_notebooks_are_escaped() -> None:
    net = make([gg.Dense(2, "tanh"), gg.Dense(1)], 2)
    t = net.trace([1.0, 2.0], 1.0, names=["<script>", "&"])
    for page in (t._repr_html_(), t.unit("dense_1", 0)._repr_html_()):
        assert "<script>" not in page
    assert "&lt;script&gt;" in t.unit("dense_1", 0)._repr_html_()


def test_in_a_terminal_it_is_colored_and_the_same_text() -> None:
    t = make([gg.Dense(3, "tanh"), gg.Dense(2, "softmax")], 2).trace([1.0, -2.0], 1)
    for shown in (t, t.gradient("dense_1/weight", (1, 2))):
        file = io.StringIO()
        Console(file=file, force_terminal=True, color_system="truecolor", width=200).print(shown)
        assert "\x1b[38;2;224;130;20m-" in file.getvalue()
        plain = re.sub(r"\x1b\[[\d;]*m", "", file.getvalue())
        assert [line.rstrip() for line in plain.splitlines()] == str(shown).splitlines()
        assert "\x1b[38;2;91;155;213m2\x1b[0m]" not in file.getvalue()  # a place is no number


def test_the_overview_shows_each_layer_and_what_to_call_next() -> None:
    net = make([gg.Dense(3, "tanh"), gg.Dense(100, "relu"), gg.Dense(2, "softmax")], 2)
    text = str(net.trace([1.0, 2.0], 1))
    assert "dense_1: 3 tanh" in text
    assert "100 numbers from" in text
    assert text.splitlines()[-1].startswith("next: .unit('dense_1', 0), .gradient('dense_1/weight', (0, 0))")
    assert "loss" not in str(net.trace([1.0, 2.0]))


# --------------------------------------------------------------------------------------------- errors


def test_bad_questions_get_a_clear_answer() -> None:
    net = make([gg.Dense(3, "tanh"), gg.Dense(1)], 2)
    t = net.trace([[1.0, 2.0]], [1.0])
    for ask, words in [
        (lambda: t.unit("dense_7", 0), "did you mean 'dense_"),
        (lambda: t.unit("dense_1", 3), "dense_1 has places 0 to 2, got 3"),
        (lambda: t.unit("dense_1", -1), "whole numbers from 0"),
        (lambda: t.unit("dense_1", 1.5), "whole numbers from 0"),
        (lambda: t.unit("dense_1", "x"), "whole numbers from 0"),
        (lambda: t.unit("dense_1", 0, row=1), "row, one of 1,"),
        (lambda: t.gradient("dense_1/weight", 2), "has size 2 x 3, got place 2"),
        (lambda: t.gradient("dense_1/wight", (0, 0)), "did you mean 'dense_1/weight'"),
        (lambda: net.trace([1.0, 2.0]).gradient("dense_1/bias", 0), "no targets"),
        (lambda: net.trace([1.0, 2.0]).update("dense_1/bias", 0), "gradients need targets"),
        (lambda: net.trace([1.0, 2.0]).verify(), "no targets"),
        (lambda: net.trace([1.0, math.nan]), "must be finite"),
        (lambda: net.trace([1.0, 2.0, 3.0]), "must have shape"),
        (lambda: net.trace([[1.0, 2.0], [3.0]]), "rows of equal length"),
        (lambda: net.trace(["a", "b"]), "must hold numbers"),
        (lambda: net.trace(np.zeros((1001, 2))), "1 to 1000 rows"),
        (lambda: net.trace(np.zeros((0, 2))), "1 to 1000 rows"),
        (lambda: net.trace([1.0, 2.0], names=["a"]), "one for each input"),
        (lambda: net.trace([1.0, 2.0], training="yes"), "must be True or False"),
    ]:
        with pytest.raises(gg.GanglionError) as caught:
            ask()
        assert words in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("x", [2.0, [2.0]])
@pytest.mark.parametrize("y", [5.0, [5.0]])
def test_one_row_of_one_input_in_any_form(x: Any, y: Any) -> None:
    t = make([gg.Dense(1)], 1).trace(x, y)
    assert t.layers[0].x.tolist() == [[2.0]]
    assert t.loss is not None


def test_without_targets_it_shows_what_predicting_does() -> None:
    net = make([gg.Dropout(0.5), gg.BatchNormalization(), gg.Dense(1)], 6)
    x = np.ones(6)
    np.testing.assert_allclose(net.trace(x).layers[-1].a, net.predict([x]))
    assert not net.trace(x).training
    assert net.trace(x, 1.0).training


def test_the_network_is_not_changed() -> None:
    net = make([gg.Dense(3, "tanh"), gg.BatchNormalization(), gg.Dense(1)], 2)
    X, y = np.random.default_rng(0).normal(size=(4, 2)), np.ones(4)
    net.fit(X, y, epochs=1)
    parameters, state = net.parameters.copy(), net.state.copy()
    t = net.trace(X, y)
    t.update("dense_1/weight", (0, 0))
    t.verify()
    np.testing.assert_array_equal(net.parameters, parameters)
    np.testing.assert_array_equal(net.state, state)
    again = net.trace(X, y)
    assert str(again.update("dense_1/weight", (0, 0))) == str(t.update("dense_1/weight", (0, 0)))
