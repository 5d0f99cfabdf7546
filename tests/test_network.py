import copy
import pickle
import re
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

import ganglion as gg
from ganglion.engines import REFERENCE
from ganglion.insight.health.subject import Subject
from ganglion.training.plan import encode_rows
from ganglion.training.splitting import split

CHANCE = np.random.default_rng(0)
X = CHANCE.normal(size=(90, 4))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int) + (X[:, 2] > 1)


def everything(seed: int = 0, dtype: str = "float32", engine: str = "auto") -> gg.Network:
    return gg.Network(
        [
            gg.Dense(8, "relu"),
            gg.BatchNormalization(),
            gg.Dropout(0.2),
            gg.Dense(6, "tanh"),
            gg.LayerNormalization(),
            gg.Dense(3, "softmax"),
        ],
        inputs=4,
        seed=seed,
        dtype=dtype,
        engine=engine,
    )


def test_the_names_that_tools_outside_call(tmp_path) -> None:
    net = gg.Network(
        [gg.Dense(16, "relu"), gg.Dropout(0.1), gg.Dense(3, "softmax")],
        inputs=4,
        seed=0,
        dtype="float32",
        engine="auto",
    )
    history = net.fit(
        X,
        Y,
        loss="cross_entropy",
        optimizer=gg.Adam(learning_rate=0.01),
        epochs=20,
        batch_size=32,
        validation=0.2,
        sample_weight=None,
        class_weight=None,
        shuffle=True,
        callbacks=[gg.EarlyStopping(patience=10)],
        progress=False,
    )
    assert net.predict(X).shape == (90, 3)
    loss, gradient = net.loss_and_gradient(X, Y, loss="cross_entropy")
    assert isinstance(loss, float)
    assert gradient.shape == net.parameters.shape == (4 * 16 + 16 + 16 * 3 + 3,)
    weight = net.named_parameters()["dense_1/weight"]
    assert weight.shape == (4, 16)
    weight[0, 0] = 7
    assert net.parameters[0] == 7
    net.save(tmp_path / "flowers.safetensors")
    loaded = gg.Network.load(tmp_path / "flowers.safetensors")
    assert (loaded.predict(X) == net.predict(X)).all()
    assert loaded.history == net.history
    assert history.epochs == len(history.loss) == len(history.validation_loss) == 20
    assert len(history.metrics["accuracy"]) == 20
    assert history.stopped_because == "all 20 epochs were done"


def test_a_file_keeps_state_facts_and_seed(tmp_path) -> None:
    net = everything(seed=9)
    net.fit(X, Y, epochs=3)
    net.save(tmp_path / "net.safetensors")
    loaded = gg.Network.load(tmp_path / "net.safetensors")
    assert (loaded.state == net.state).all()
    assert loaded.seed == 9
    assert loaded.facts == net.facts
    assert loaded.facts["rows"] == 90


def test_changing_one_weight_changes_predictions() -> None:
    net = gg.Network([gg.Dense(1)], inputs=2, dtype="float64")
    net.parameters[...] = [2, 3, 1]
    assert net.predict([[10, 100]]).item() == 321
    net.named_parameters()["dense_1/weight"][1, 0] = 4
    assert net.predict([[10, 100]]).item() == 421


@pytest.mark.parametrize(
    "optimizer",
    [
        "sgd",
        gg.SGD(0.05, momentum=0.9, nesterov=True, clip_norm=1.0),
        gg.AdamW(gg.CosineDecay(0.01, epochs=4, warmup=1, cycles=2), average=0.9),
        gg.RMSprop(gg.ReduceOnPlateau(0.01, patience=1)),
        gg.Lion(gg.OneCycle(0.003, epochs=6)),
        "adagrad",
    ],
    ids=str,
)
def test_two_fits_of_k_epochs_equal_one_of_2k(optimizer: object) -> None:
    once, twice = everything(), everything()
    settings = {"optimizer": optimizer, "batch_size": 16, "validation": 0.2}
    whole = once.fit(X, Y, epochs=6, **settings)
    twice.fit(X, Y, epochs=3, **settings)
    twice.fit(X, Y, epochs=3, **settings)
    assert (once.parameters == twice.parameters).all()
    assert (once.state == twice.state).all()
    assert twice.history.loss == whole.loss
    assert twice.history.learning_rate == whole.learning_rate


def test_the_same_seed_gives_the_same_bits_here_and_in_another_process() -> None:
    program = (
        "import numpy as np, ganglion as gg, hashlib; from test_network import everything, X, Y;"
        "net = everything(); net.fit(X, Y, epochs=4); print(hashlib.sha256(net.parameters).hexdigest())"
    )
    environment = {"PYTHONPATH": str(__file__).rpartition("/")[0], "OPENBLAS_NUM_THREADS": "1"}
    digests = {
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(digests) == 1
    first, second, other = everything(), everything(), everything(seed=1)
    for net in (first, second, other):
        net.fit(X, Y, epochs=4)
    assert (first.parameters == second.parameters).all()
    assert (first.parameters != other.parameters).any()


def test_xor_is_learned_from_most_starts_and_never_by_a_line() -> None:
    corners, answers = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])

    def learned(activation: str, seed: int) -> bool:
        net = gg.Network([gg.Dense(4, activation), gg.Dense(1, "sigmoid")], inputs=2, seed=seed)
        net.fit(corners, answers, optimizer=gg.Adam(0.05), epochs=400, batch_size=4)
        return bool(((net.predict(corners)[:, 0] > 0.5) == answers).all())

    assert sum(learned("tanh", seed) for seed in range(100)) >= 95
    assert not any(learned("identity", seed) for seed in range(5))


def test_sample_weights_count_like_repeated_rows() -> None:
    weights = np.tile([1, 2, 3], 30)
    repeated = np.repeat(np.arange(90), weights)
    nets = [gg.Network([gg.Dense(3, "softmax")], inputs=4, dtype="float64") for _ in range(2)]
    nets[0].fit(X, Y, "cross_entropy", "sgd", epochs=50, batch_size=90, sample_weight=weights)
    nets[1].fit(X[repeated], Y[repeated], "cross_entropy", "sgd", epochs=50, batch_size=180)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-9)


def test_rows_of_weight_0_have_no_effect() -> None:
    nets = [gg.Network([gg.Dense(3, "softmax")], inputs=4) for _ in range(2)]
    weight = np.ones(90)
    weight[30:60] = 0
    wrong = Y.copy()
    wrong[30:60] = 2
    for net, labels in zip(nets, (Y, wrong), strict=True):
        net.fit(X, labels, epochs=5, batch_size=15, sample_weight=weight, shuffle=False)
    assert (nets[0].parameters == nets[1].parameters).all()


def test_class_weights() -> None:
    nets = [gg.Network([gg.Dense(3, "softmax")], inputs=4, dtype="float64") for _ in range(3)]
    nets[0].fit(X, Y, epochs=5, class_weight={1: 2.0, 2: 0.5})
    nets[1].fit(X, Y, epochs=5, sample_weight=np.array([1, 2, 0.5])[Y])
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-12)
    nets[2].fit(X, Y, epochs=5, class_weight="balanced")
    assert (nets[2].parameters != nets[0].parameters).any()
    for bad, message in (({7: 1.0}, "got 7"), ({0: -1.0}, ">= 0"), ("even", "balanced")):
        with pytest.raises(gg.ConfigError, match=message):
            nets[2].fit(X, Y, class_weight=bad)


def test_regularization_holds_weights_and_leaves_biases() -> None:
    free, held, limited = (gg.Network([gg.Dense(3, "softmax")], inputs=4) for _ in range(3))
    adam = gg.Adam(0.05)
    free.fit(X, Y, optimizer=adam, epochs=30)
    held.fit(X, Y, optimizer=adam, epochs=30, regularization=gg.Regularization(l1=0.01, l2=0.1))
    limited.fit(X, Y, optimizer=adam, epochs=30, regularization=gg.Regularization(max_norm=0.3))
    size = [np.linalg.norm(net.named_parameters()["dense_1/weight"]) for net in (free, held, limited)]
    assert size[1] < 0.7 * size[0]
    norms = np.linalg.norm(limited.named_parameters()["dense_1/weight"], axis=0)
    assert (norms <= 0.3 + 1e-6).all()
    decayed = gg.Network([gg.Dense(3)], inputs=4, dtype="float64")
    before = decayed.named_parameters()["dense_1/weight"].copy()
    decayed.parameters[-3:] = 5
    decayed.fit(np.zeros((4, 4)), np.full((4, 3), 5.0), optimizer=gg.SGD(0.1, weight_decay=0.5), epochs=1)
    after = decayed.named_parameters()
    np.testing.assert_allclose(after["dense_1/weight"], before * (1 - 0.1 * 0.5))
    assert (after["dense_1/bias"] == 5).all()


def test_averaging_is_the_running_mean_of_the_weights() -> None:
    seen: list[np.ndarray] = []

    class Collect(gg.Callback):
        def on_epoch_end(self, training: object) -> None:
            seen.append(training.parameters.copy())  # type: ignore[attr-defined]

    net = gg.Network([gg.Dense(1)], inputs=4, dtype="float64")
    start = net.parameters.copy()
    net.fit(X, X[:, :1], optimizer=gg.SGD(0.1, average=0.6), epochs=20, batch_size=90, callbacks=[Collect()])
    mean = start
    for update, parameters in enumerate(seen, 1):
        keep = min(0.6, update / (update + 9))
        mean = keep * mean + (1 - keep) * parameters
    np.testing.assert_allclose(net.parameters, mean, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"y": Y[:-1]}, gg.ShapeError, "same number of rows, got 90 and 89"),
        ({"X": X[:0], "y": Y[:0]}, gg.DataError, "at least one row"),
        ({"loss": "msee"}, gg.ConfigError, "did you mean 'mse'"),
        ({"optimizer": "adamm"}, gg.ConfigError, "did you mean 'adam'"),
        ({"optimizer": 3}, gg.ConfigError, "optimizer must be a name"),
        ({"epochs": -1}, gg.ConfigError, "epochs must be a whole number >= 0, got -1"),
        ({"epochs": 2.5}, gg.ConfigError, "whole number"),
        ({"batch_size": 0}, gg.ConfigError, "batch_size"),
        ({"validation": 1.5}, gg.ConfigError, "the fraction to hold out"),
        ({"validation": 0.001}, gg.DataError, "leaves one part without rows"),
        ({"validation": (X,)}, gg.ConfigError, "validation must be"),
        ({"validation": (X, Y[:3])}, gg.ShapeError, "same number of rows"),
        ({"sample_weight": -np.ones(90)}, gg.DataError, "row 0"),
        ({"metrics": ["acuracy"]}, gg.ConfigError, "did you mean 'accuracy'"),
        ({"metrics": 3}, gg.ConfigError, "metrics must be a list"),
        ({"metrics": [{}]}, gg.ConfigError, "no metric"),
        ({"y": 1}, gg.ShapeError, "one entry for each row"),
        ({"y": [[0]] * 89 + [[0, 1]]}, gg.ShapeError, "equal length"),
        ({"loss": "mse", "y": np.full((90, 3), 1e39)}, gg.DataError, "targets must fit float32"),
        ({"X": np.ma.masked_greater(X, 1)}, gg.DataError, "masked"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, gg.DataError, "weight > 0"),
        ({"class_weight": 3}, gg.ConfigError, "class_weight must be"),
        ({"sample_weight": np.full(90, 3e38)}, gg.DataError, "from 1e-20 to 1e20"),
        ({"callbacks": None}, gg.ConfigError, "callbacks must be"),
        ({"callbacks": [gg.EarlyStopping]}, gg.ConfigError, "callbacks must be"),
        ({"regularization": "l2"}, gg.ConfigError, "gg.Regularization"),
        ({"shuffle": "no"}, gg.ConfigError, "shuffle must be True or False"),
        ({"progress": 1}, gg.ConfigError, "progress must be"),
        ({"callbacks": [gg.EarlyStopping(monitor="validation_loss")]}, gg.ConfigError, "cannot monitor"),
    ],
)
def test_bad_input_to_fit_is_refused_and_changes_nothing(change: dict, error: type, message: str) -> None:
    net = everything()
    before = net.parameters.copy()
    with pytest.raises(error, match=message):
        net.fit(**({"X": X, "y": Y} | change))
    assert (net.parameters == before).all()
    assert net.history.epochs == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -1}, "seed must be a whole number >= 0 .*got -1"),
        ({"seed": 0.5}, "seed"),
        ({"dtype": "float16"}, "float32"),
        ({"engine": "warp"}, "no engine 'warp'"),
        ({"inputs": 0}, "inputs"),
        ({"inputs": 2.0}, "inputs"),
        ({"inputs": (1,) * 70}, "at most 32 axes"),
        ({"layers": None}, "layers must be a list"),
        ({"engine": None}, "no engine None"),
    ],
)
def test_bad_settings_of_a_network_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(gg.ConfigError, match=message):
        gg.Network(**({"layers": [gg.Dense(1)], "inputs": 1} | settings))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gg.Dense(0), "units must be a whole number >= 1.*got 0"),
        (lambda: gg.Dense(2, "rellu"), "did you mean 'relu'"),
        (lambda: gg.Dense(2, 5), "activation must be a name"),
        (lambda: gg.Dropout(1.0), "rate must be a number >= 0 and < 1, got 1.0"),
        (lambda: gg.Adam(0), "learning_rate must be a number > 0, got 0"),
        (lambda: gg.Adam(float("inf")), "learning_rate"),
        (lambda: gg.Adam(float("nan")), "learning_rate"),
        (lambda: gg.SGD(0.1, nesterov=True), "nesterov needs momentum"),
        (lambda: gg.SGD(0.1, momentum=1.01), "momentum must be a number >= 0 and <= 1, got 1.01"),
        (lambda: gg.SGD(0.1, clip_norm=-1), "clip_norm"),
        (lambda: gg.Adam(0.1, epsilon_hat=1), "epsilon_hat must be True or False"),
        (lambda: gg.LBFGS(loss_tolerance=-1), "loss_tolerance must be a number >= 0"),
        (lambda: gg.LBFGS(evaluations=0), "evaluations must be a whole number >= 1"),
        (lambda: gg.MeanSquaredError(factor=0), "factor must be a number > 0, got 0"),
        (lambda: gg.Huber(factor=-1), "factor must be a number > 0, got -1"),
        (lambda: gg.CrossEntropy(clip=0.5), "clip must be a number >= 0 and < 0.5, got 0.5"),
        (lambda: gg.BinaryCrossEntropy(clip=-1e-9), "clip must be a number >= 0"),
        (lambda: gg.Quantile(1.5), "quantile"),
        (lambda: gg.EarlyStopping(patience=0), "patience"),
        (lambda: gg.Regularization(l2=-1), "l2"),
        (lambda: gg.Regularization(per_row=1), "per_row must be True or False"),
        (lambda: gg.Reshape((-1, -1)), "one of which may be -1"),
    ],
)
def test_bad_settings_of_a_part_are_refused(make, message: str) -> None:
    with pytest.raises(gg.ConfigError, match=message):
        make()


def test_batches_larger_than_the_data_hold_all_of_it() -> None:
    nets = [gg.Network([gg.Dense(3, "softmax")], inputs=4) for _ in range(2)]
    nets[0].fit(X, Y, epochs=3, batch_size=90)
    nets[1].fit(X, Y, epochs=3, batch_size=10**9)
    assert (nets[0].parameters == nets[1].parameters).all()


def test_a_part_of_your_own_trains_but_cannot_be_put_in_a_file(tmp_path) -> None:
    class Square(gg.Activation):
        name = "square"
        range = (0.0, float("inf"))
        initializer = "glorot_uniform"

        def forward(self, z):
            return z * z

        def backward(self, grad_a, z, a):
            return grad_a * 2 * z

    class Cubic(gg.Loss):
        name = "cubic"

        def values_and_gradients(self, a, y):
            error = a - y
            return abs(error[:, 0]) ** 3, 3 * error * abs(error)

    net = gg.Network([gg.Dense(6, Square()), gg.Dense(1)], inputs=4, engine="reference")
    history = net.fit(X, X[:, :1] ** 2, loss=Cubic(), epochs=40)
    assert history.loss[-1] < 0.5 * history.loss[0]
    with pytest.raises(gg.FileError, match="only built-in parts"):
        net.save(tmp_path / "own.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_part_that_extends_a_built_in_one_is_taken_for_what_it_is() -> None:
    class Steep(gg.Sigmoid):
        def forward(self, z):
            return super().forward(3 * z)

        def backward(self, grad_a, z, a):
            return 3 * super().backward(grad_a, z, a)

    class Doubled(gg.BinaryCrossEntropy):
        def values_and_gradients(self, a, y):
            values, gradients = super().values_and_gradients(a, y)
            return 2 * values, 2 * gradients

    assert Steep().name == "Steep"
    net = gg.Network([gg.Dense(1, Steep())], inputs=4, dtype="float64", engine="reference")
    truth, a = (Y > 0)[:, None], net.predict(X)
    by_hand = -np.log(np.where(truth, a, 1 - a)).mean()
    loss, gradient = net.loss_and_gradient(X, Y > 0, loss="binary_cross_entropy")
    assert loss == pytest.approx(by_hand)
    double, double_gradient = net.loss_and_gradient(X, Y > 0, loss=Doubled())
    assert double == pytest.approx(2 * loss)
    np.testing.assert_allclose(double_gradient, 2 * gradient)


def test_a_part_of_your_own_needs_its_functions_and_nothing_else() -> None:
    class Sine(gg.Activation):
        def forward(self, z):
            return np.sin(z)

        def backward(self, grad_a, z, a):
            return grad_a * np.cos(z)

    class Half(gg.Layer):
        activation = "a note of my own"

        def forward(self, weights, x, context):
            return x / 2, None

        def backward(self, weights, cache, grad_a, context):
            return grad_a / 2, {}

    net = gg.Network([gg.Dense(5, Sine()), Half(), gg.Dense(1, Sine()), Half()], inputs=4, engine="reference")
    history = net.fit(X, 0.3 * X[:, 0], epochs=30)
    assert history.loss[-1] < history.loss[0]


def test_a_part_of_your_own_that_breaks_the_rules_is_named() -> None:
    class Column(gg.Loss):
        def values_and_gradients(self, a, y):
            return (a - y) ** 2, 2 * (a - y)

    class Wider(gg.Layer):
        def forward(self, weights, x, context):
            return np.concatenate([x, x], axis=1), None

    class Forgets(gg.Layer):
        def parameters(self, shape):
            return {"factor": shape}

        def forward(self, weights, x, context):
            return x * weights.factor, x

        def backward(self, weights, cache, grad_a, context):
            return grad_a, {}

    line = gg.Network([gg.Dense(1)], inputs=4, engine="reference")
    with pytest.raises(
        gg.ShapeError, match=r"Column must return one value for each row, \(32,\).*got \(32, 1\)"
    ):
        line.fit(X, X[:, 0], loss=Column())
    with pytest.raises(gg.ShapeError, match=r"Wider_1 must return rows of the shape .*\(4,\), got \(8,\)"):
        gg.Network([Wider(), gg.Dense(1)], inputs=4, engine="reference").predict(X)
    with pytest.raises(gg.ConfigError, match="backward of Forgets_1 must return the gradient of 'factor'"):
        gg.Network([Forgets(), gg.Dense(1)], inputs=4, engine="reference").fit(X, X[:, 0])
    with pytest.raises(NotImplementedError, match="Layer needs a method forward"):
        gg.Network([gg.Layer(), gg.Dense(1)], inputs=4, engine="reference").predict(X)


def test_validation_does_not_weigh_by_class() -> None:
    rare = (X[:, 0] > 1).astype(int)
    nets = [gg.Network([gg.Dense(2, "softmax")], inputs=4, dtype="float64") for _ in range(2)]
    history = nets[0].fit(X, rare, epochs=3, validation=0.3, class_weight={1: 9.0})
    _, held_out = split(90, 0.3, 0, rare)
    a = nets[0].predict(X[held_out])
    assert history.metrics["accuracy"][-1] == (a.argmax(axis=1) == rare[held_out]).mean()
    assert history.validation_loss[-1] == pytest.approx(-np.log(a[np.arange(len(a)), rare[held_out]]).mean())
    assert rare[held_out].mean() == pytest.approx(rare.mean(), abs=0.04)


def test_splits_of_yes_or_no_targets_are_stratified() -> None:
    rare = np.zeros(100)
    rare[:10] = 1
    for seed in range(5):
        _, held_out = split(100, 0.2, seed, gg.BinaryCrossEntropy().classes(rare[:, None]))
        assert rare[held_out].sum() == 2


def test_metrics_of_log_softmax_use_probabilities() -> None:
    net = gg.Network([gg.Dense(3, "log_softmax")], inputs=4)
    history = net.fit(X, Y, epochs=2, validation=0.2, metrics=["log_loss", "accuracy"])
    assert history.metrics["log_loss"] == pytest.approx(history.validation_loss, rel=1e-4)


def test_history_of_several_fits_stays_in_step() -> None:
    net = everything()
    net.fit(X, Y, epochs=2)
    net.fit(X, Y, epochs=3, validation=0.2)
    net.fit(X, Y, epochs=1)
    assert [np.isnan(v) for v in net.history.validation_loss] == [True, True, False, False, False, True]
    assert len(net.history.metrics["accuracy"]) == net.history.epochs == 6
    assert (np.diff(net.history.seconds) > 0).all()


def test_old_names_warn_and_work() -> None:
    net = gg.Network([gg.Dense(1)], inputs=2)
    with pytest.warns(DeprecationWarning, match="Network.to_model is now Network.to_saved"):
        saved = net.to_model()
    with pytest.warns(DeprecationWarning, match="Network.from_model is now Network.from_saved"):
        assert (gg.Network.from_model(saved).parameters == net.parameters).all()


def test_a_copy_through_a_model_shares_nothing() -> None:
    net = everything()
    copy = gg.Network.from_saved(net.to_saved())
    copy.fit(X, Y, epochs=1)
    assert (net.parameters == everything().parameters).all()
    assert net.history.epochs == 0


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "optimizer",
    [
        gg.SGD(gg.CosineDecay(0.05, epochs=6), momentum=0.9),
        gg.Adam(gg.ReduceOnPlateau(0.01, patience=1), average=0.9),
    ],
    ids=str,
)
@pytest.mark.parametrize("copied", [lambda net: pickle.loads(pickle.dumps(net)), copy.deepcopy])
def test_a_copy_trains_on_as_if_it_had_never_been_copied(
    copied: Callable[[gg.Network], gg.Network], optimizer: gg.Optimizer, dtype: str, engine: str
) -> None:
    never, net = (everything(3, dtype, engine) for _ in range(2))
    settings = {"optimizer": optimizer, "batch_size": 16, "validation": 0.2}
    for each in (never, net):
        each.fit(X, Y, epochs=3, **settings)
    other = copied(net)
    assert (other.engine, other.dtype, other.seed) == (engine, dtype, 3)
    assert other.layers == net.layers
    assert (other.facts, other.history) == (net.facts, net.history)
    assert (other.predict(X) == net.predict(X)).all()
    for each in (never, other):
        each.fit(X, Y, epochs=3, **settings)
    assert (other.parameters == never.parameters).all()
    assert (other.state == never.state).all()
    assert other.history.loss == never.history.loss
    assert other.history.learning_rate == never.history.learning_rate
    assert net.history.epochs == 3  # training the copy does not change the original
    net.fit(X, Y, epochs=3, **settings)
    assert (net.parameters == never.parameters).all()


def test_a_copy_has_live_parameters_of_its_own() -> None:
    net = gg.Network([gg.Dense(1)], inputs=2, dtype="float64")
    net.parameters = [2, 3, 1]
    for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        other.named_parameters()["dense_1/weight"][1, 0] = 4
        assert other.parameters.tolist() == [2, 4, 1]
        assert other.predict([[10, 100]]).item() == 421
        assert net.predict([[10, 100]]).item() == 321


def test_a_forgotten_optimizer_starts_from_scratch() -> None:
    adam = gg.Adam(gg.CosineDecay(0.05, epochs=4))
    nets = [gg.Network([gg.Dense(6, "tanh"), gg.Dense(3, "softmax")], inputs=4) for _ in range(2)]
    for net in nets:
        net.fit(X, Y, optimizer=adam, epochs=2, shuffle=False)
    went_on, forgot = nets
    forgot.forget_optimizer()
    assert forgot.trace(X[0], Y[0]).update("dense_1/bias", 0).title.endswith("after update 1")
    fresh = gg.Network.from_saved(forgot.to_saved())  # it has no optimizer to continue
    rates = [
        net.fit(X, Y, optimizer=adam, epochs=2, shuffle=False).learning_rate
        for net in (went_on, forgot, fresh)
    ]
    assert rates[1] == rates[2] == went_on.history.learning_rate[:2]
    assert rates[0] == went_on.history.learning_rate[2:] != rates[1]
    assert (forgot.parameters == fresh.parameters).all()
    assert (forgot.parameters != went_on.parameters).any()


@pytest.mark.parametrize("factor", [1.0, 1e-4, 1e4])
def test_health_weighs_every_loss_by_its_factor(factor: float) -> None:
    """The losses in the evidence of a finding scale with the factor."""
    rows = np.random.default_rng(1).normal(size=(200, 4))
    net = gg.Network([gg.Dense(8, "tanh"), gg.Dense(1)], inputs=4, dtype="float64")
    slow = gg.SGD(1e-5 / factor)
    net.fit(rows, rows[:, 0] * rows[:, 1], gg.MeanSquaredError(factor=factor), slow, epochs=20)
    found = net.health(rows, rows[:, 0] * rows[:, 1])
    plain = net.health(rows, rows[:, 0] * rows[:, 1], loss="mse")
    assert found.layers[0].gradient_norm == pytest.approx(factor * plain.layers[0].gradient_norm)
    evidence = next(finding.evidence for finding in found.findings if finding.name == "underfitting")
    reached, trivial = (float(word) for word in re.findall(r"(?:loss|has) ([\d.e+-]+\d)", evidence))
    mean = (rows[:, 0] * rows[:, 1]).var()
    assert trivial == pytest.approx(factor * mean, rel=0.01)
    assert 0.5 * trivial < reached < 2 * trivial


def test_how_much_of_the_error_reaches_the_first_weights_does_not_depend_on_the_factor() -> None:
    net = gg.Network([gg.Dense(6, "sigmoid"), gg.Dense(3, "softmax")], inputs=4, dtype="float64")

    def reaching(loss: gg.Loss) -> tuple[float, float]:
        subject = Subject(
            model=net.model,
            engine=REFERENCE,
            loss=loss,
            rows=encode_rows(net.model, loss, X, Y, None),
            validation=None,
            history=gg.History(),
            optimizer=None,
            batch_size=None,
            row_count=len(X),
            epochs=None,
            regularization=None,
            layers=(),
        )
        return subject.reaching_first

    assert reaching(gg.CrossEntropy(factor=1e3)) == pytest.approx(reaching(gg.CrossEntropy()))


@pytest.mark.parametrize("weight", [None, np.tile([1.0, 3.0], 45)])
def test_health_takes_the_penalty_of_a_batch_not_of_all_rows(weight: np.ndarray | None) -> None:
    net = gg.Network([gg.Dense(3, "softmax")], inputs=4, dtype="float64")
    rules = gg.Regularization(l2=30.0, per_row=True)
    net.fit(X, Y, epochs=1, batch_size=15, regularization=rules, sample_weight=weight)
    _, gradient = net.loss_and_gradient(X, Y, sample_weight=weight)
    of_batch = 15 * (1 if weight is None else weight.mean())
    gradient[:12] += 30.0 / of_batch * net.parameters[:12]
    found = net.health(X, Y, sample_weight=weight).layers[0].gradient_norm
    assert found == pytest.approx(np.linalg.norm(gradient))


def test_losses_refuse_outputs_they_cannot_judge() -> None:
    sigmoid = gg.Network([gg.Dense(3, "sigmoid")], inputs=4)
    with pytest.raises(gg.ConfigError, match="sum to 1, but outputs of sigmoid"):
        sigmoid.fit(X, Y, loss="cross_entropy")
    normal = gg.Network([gg.Dense(1), gg.LayerNormalization()], inputs=4)
    with pytest.raises(gg.ConfigError, match="from 0 to 1, but outputs of identity"):
        normal.fit(X, Y > 0, loss="binary_cross_entropy")


def test_a_last_batch_of_one_row_does_not_spoil_the_running_variance() -> None:
    net = gg.Network([gg.BatchNormalization(momentum=0.0), gg.Dense(1)], inputs=4)
    net.fit(X[:33], X[:33, 0], epochs=1, batch_size=32, shuffle=False)
    np.testing.assert_allclose(
        net.named_state()["batch_normalization_1/variance"], X[:32].var(axis=0, ddof=1), rtol=1e-5
    )


def test_summary_counts_parameters_and_memory(capsys) -> None:
    everything().summary()
    printed = capsys.readouterr().out
    assert "batch_normalization_1" in printed
    assert "143 parameters, 636 bytes as float32" in printed


def test_parameters_can_be_set_and_are_checked() -> None:
    net = gg.Network([gg.Dense(1)], inputs=2)
    live = net.parameters
    net.parameters = [1, 2, 3]
    assert live.tolist() == [1, 2, 3]
    for bad, error in (([1, 2], gg.ShapeError), (np.nan, gg.DataError), (["a", "b", "c"], gg.DataError)):
        with pytest.raises(error):
            net.parameters = bad  # type: ignore[assignment]
    assert live.tolist() == [1, 2, 3]


def test_metrics_judge_what_they_can() -> None:
    net = gg.Network([gg.Dense(1, "sigmoid")], inputs=4, dtype="float64")
    history = net.fit(X, Y > 0, epochs=1, metrics=["log_loss"])
    a = net.predict(X)[:, 0]
    assert history.metrics["log_loss"][0] == pytest.approx(-np.log(np.where(Y > 0, a, 1 - a)).mean())
    with pytest.raises(gg.ConfigError, match="does not apply to the outputs of this loss"):
        gg.Network([gg.Dense(1)], inputs=4).fit(X, 100 * X[:, 0], metrics=["accuracy"])


def test_predicting_nothing_gives_nothing() -> None:
    assert everything().predict(np.zeros((0, 4))).shape == (0, 3)


def test_predictions_do_not_depend_on_how_many_rows_there_are() -> None:
    net = everything()
    many = np.tile(X, (60, 1))
    np.testing.assert_allclose(net.predict(many)[:90], net.predict(X), rtol=1e-5, atol=1e-6)
