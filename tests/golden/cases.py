"""The trainings whose bits are kept. `cases` lists them all; each runs on whatever engine the environment names.

A case uses only the public interface, so that it outlives every change inside. To add one, add a line and run
`make_golden.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import ganglion as gg
from golden.make_models import FOLDER, MODELS, answers

Parts = dict[str, list[Any]]


class Case(NamedTuple):
    """A training: `run` returns its results by name; `blas` says that BLAS takes part on any engine."""

    run: Callable[[], Parts]
    blas: bool


def rows(shape: tuple[int, ...], targets: str, outputs: int) -> tuple[Any, Any]:
    """Return inputs from -2 to 2 and targets of a kind."""
    rng = np.random.default_rng(12)
    X = 4 * rng.random(shape) - 2
    mixed = X.reshape(len(X), -1)[:, :1] + 0.5 * rng.random((len(X), outputs))
    return X, {
        "numbers": mixed,
        "counts": np.floor(np.abs(3 * mixed)),
        "yes_no": (mixed > 0).astype(float),
        "classes": np.clip(np.floor(np.abs(mixed[:, 0])), 0, outputs - 1).astype(int),
        "distribution": np.abs(mixed) / np.abs(mixed).sum(axis=1, keepdims=True),
    }[targets]


def results(net: gg.Network, X: Any, y: Any, **settings: Any) -> Parts:
    """Return what a trained network is, has measured, and answers."""
    history = net.history
    return {
        "parameters": [net.parameters],
        "state": [net.state],
        "history": [
            *(history.loss, history.validation_loss, history.learning_rate, history.gradient_norm),
            *history.metrics.values(),
        ],
        "predictions": [net.predict(X), net.predict(X[:1])],
        "gradient": [*net.loss_and_gradient(X, y, **settings)],
    }


def train(
    *layers: gg.Layer,
    inputs: int | tuple[int, ...] = 5,
    n: int = 41,
    targets: str = "numbers",
    loss: gg.Loss | str | None = None,
    dtype: str = "float32",
    optimizer: gg.Optimizer | str = "adam",
    fits: int = 1,
    epochs: int = 3,
    batch_size: int = 16,
    weighted: bool = False,
    regularization: gg.Regularization | None = None,
    **settings: Any,
) -> Callable[[], Parts]:
    """Return the case that trains these layers on `n` rows."""

    def run() -> Parts:
        net = gg.Network(layers, inputs, seed=7, dtype=dtype)
        outputs = net.predict(np.zeros((1, *net.architecture.input_shape))).shape[-1]
        X, y = rows((n, *net.architecture.input_shape), targets, outputs)
        weight = np.random.default_rng(3).random(n) + 0.5 if weighted else None
        judged = {"loss": loss, "sample_weight": weight, "regularization": regularization}
        given = {**judged, "optimizer": optimizer, "epochs": epochs, "batch_size": batch_size, **settings}
        for _ in range(fits):
            net.fit(X, y, **given)
        return results(net, X, y, **judged)

    return run


def hidden(activation: gg.Activation | str, outputs: int = 2) -> list[gg.Layer]:
    """Return two hidden layers of odd widths and a linear one."""
    return [gg.Dense(9, activation), gg.Dense(19, activation), gg.Dense(outputs)]


def networks() -> Iterator[tuple[str, Callable[[], Parts]]]:
    """Yield the cases of single networks."""
    activations: list[gg.Activation | str] = [
        *("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "silu"),
        *("mish", "softplus", "hard_sigmoid", "exp", "softmax", "log_softmax"),
        *(gg.LeakyReLU(0.3), gg.ELU(0.7)),
    ]
    for activation in activations:
        word = activation if isinstance(activation, str) else repr(activation)
        for dtype in ("float32", "float64"):
            yield f"hidden {word} {dtype}", train(*hidden(activation), dtype=dtype)

    outputs: list[tuple[str, gg.Loss, str]] = [
        ("identity", gg.MeanSquaredError(), "numbers"),
        ("sigmoid", gg.MeanSquaredError(), "yes_no"),
        ("softmax", gg.MeanSquaredError(), "distribution"),
        ("tanh", gg.MeanSquaredError(factor=0.5), "numbers"),
        ("identity", gg.MeanAbsoluteError(), "numbers"),
        ("softplus", gg.MeanAbsoluteError(factor=2), "counts"),
        ("identity", gg.Huber(), "numbers"),
        ("exp", gg.Huber(0.3), "counts"),
        ("identity", gg.LogCosh(), "numbers"),
        ("sigmoid", gg.BinaryCrossEntropy(), "yes_no"),
        ("sigmoid", gg.BinaryCrossEntropy(0.1, clip=1e-6, factor=3), "yes_no"),
        ("hard_sigmoid", gg.BinaryCrossEntropy(), "yes_no"),
        ("softmax", gg.BinaryCrossEntropy(0.2), "distribution"),
        ("softmax", gg.CrossEntropy(), "classes"),
        ("softmax", gg.CrossEntropy(0.1, clip=1e-6, factor=0.5), "classes"),
        ("softmax", gg.CrossEntropy(), "distribution"),
        ("log_softmax", gg.CrossEntropy(), "classes"),
        ("log_softmax", gg.CrossEntropy(0.2), "distribution"),
        ("exp", gg.Poisson(), "counts"),
        ("softplus", gg.Poisson(), "counts"),
        ("exp", gg.MeanSquaredError(), "counts"),
        ("identity", gg.Quantile(), "numbers"),
        ("identity", gg.Quantile(0.9), "numbers"),
        ("identity", gg.Hinge(), "yes_no"),
        ("tanh", gg.Hinge(factor=2), "yes_no"),
    ]
    for number, (last, loss, targets) in enumerate(outputs):
        dtype = ("float32", "float64")[number % 2]
        layers = [gg.Dense(11, "tanh"), gg.Dense(3, last)]
        yield (
            f"output {last} {loss!r} {targets}",
            train(*layers, loss=loss, targets=targets, dtype=dtype, weighted=number % 3 == 0),
        )

    optimizers: list[gg.Optimizer] = [
        gg.SGD(0.05),
        gg.SGD(0.05, momentum=0.9),
        gg.SGD(0.05, momentum=0.9, nesterov=True),
        gg.RMSprop(),
        gg.RMSprop(momentum=0.8),
        gg.Adagrad(0.1),
        gg.Adam(0.01),
        gg.Adam(0.01, beta_1=0.8, beta_2=0.98, epsilon=1e-4),
        gg.Adam(0.01, epsilon_hat=True),
        gg.AdamW(0.01),
        gg.Lion(0.001),
        gg.SGD(0.05, weight_decay=0.1, clip_norm=0.5),
        gg.SGD(0.05, average=0.9),
        gg.RMSprop(weight_decay=0.02, average=0.99),
        gg.AdamW(0.01, weight_decay=0.2, clip_norm=0.1, average=0.95),
        gg.Lion(0.001, weight_decay=0.5, clip_norm=1),
    ]
    for number, optimizer in enumerate(optimizers):
        dtype = ("float32", "float64")[number % 2]
        yield f"{optimizer!r} twice", train(*hidden("silu"), optimizer=optimizer, dtype=dtype, fits=2)

    schedules: list[gg.Schedule] = [
        *(gg.ConstantRate(0.02), gg.StepDecay(0.1, 1.5, 0.5), gg.ExponentialDecay(0.1, 0.8)),
        *(
            gg.InverseScaling(0.1),
            gg.CosineDecay(0.1, 4, warmup=1),
            gg.CosineDecay(0.1, 3, cycles=2, stretch=2),
        ),
        *(gg.OneCycle(0.1, 4), gg.ReduceOnPlateau(0.5, patience=1, tolerance=0.1)),
    ]
    for schedule in schedules:
        yield f"{schedule!r}", train(*hidden("tanh"), optimizer=gg.SGD(schedule), epochs=4, validation=0.2)

    normal = [gg.Dense(12), gg.BatchNormalization(), gg.Activate("relu"), gg.Dropout(0.3), gg.Dense(2)]
    image = [gg.BatchNormalization(0.8), gg.Flatten(), gg.Dense(10, "tanh"), gg.Dense(2)]
    shaped = [gg.Reshape((2, -1)), gg.LayerNormalization(), gg.Flatten(), gg.Dense(3)]
    for dtype in ("float32", "float64"):
        yield f"normalized, dropped {dtype}", train(*normal, dtype=dtype, fits=2)
        yield f"images {dtype}", train(*image, inputs=(4, 3, 2), dtype=dtype)
        yield f"shaped {dtype}", train(*shaped, inputs=6, dtype=dtype)
    yield "batch of one, normalized", train(*normal, n=5, batch_size=1)
    yield "layers normalized", train(gg.Dense(20, "gelu"), gg.LayerNormalization(1e-3), gg.Dense(3))
    yield "images, normalized late", train(
        gg.Dense(24), gg.Reshape((2, 3, 4)), gg.BatchNormalization(), gg.LayerNormalization(), gg.Activate("mish"),
        gg.Dropout(0.1), gg.Flatten(), gg.Dense(2), weighted=True,
    )  # fmt: skip
    yield "dropout first", train(gg.Dropout(0.2), *hidden("relu"), n=70, batch_size=35)

    for batch_size in (1, 7, 32, 1000):
        yield f"batches of {batch_size}", train(*hidden("relu"), n=65, batch_size=batch_size)
    plain = gg.SGD(0.01)
    yield "one row, plain", train(*hidden("tanh"), optimizer=plain, batch_size=1)
    yield "one row, plain, wide", train(*hidden("relu", 70), optimizer=plain, batch_size=1, inputs=67, n=9)
    yield (
        "one row, plain, decayed, double",
        train(*hidden("tanh"), optimizer=gg.SGD(0.01, weight_decay=0.1), batch_size=1, dtype="float64"),
    )
    yield "one row, momentum", train(*hidden("tanh"), optimizer=gg.SGD(0.01, momentum=0.5), batch_size=1)

    wide = [gg.Dense(300, "relu"), gg.Dense(300, "relu"), gg.Dense(3)]
    digits = [gg.Dense(256, "relu"), gg.Dense(128, "relu"), gg.Dense(10, "softmax")]
    for dtype in ("float32", "float64"):
        yield f"wide {dtype}", train(*wide, inputs=40, n=256, batch_size=256, epochs=2, dtype=dtype)
        yield f"many rows {dtype}", train(*hidden("tanh"), n=5000, batch_size=2500, epochs=2, dtype=dtype)
    yield "digits", train(*digits, inputs=784, n=256, batch_size=128, epochs=1, targets="classes")
    yield "wide, dropped, clipped", train(
        gg.Dense(300, "relu"), gg.Dropout(0.5), *wide, inputs=20, n=256, batch_size=250, epochs=1,
        optimizer=gg.AdamW(clip_norm=0.5, average=0.9),
    )  # fmt: skip
    yield (
        "wide, normalized",
        train(
            gg.Dense(200),
            gg.BatchNormalization(),
            gg.Activate("relu"),
            gg.Dense(3),
            inputs=300,
            n=300,
            batch_size=150,
        ),
    )
    yield "medium, many rows", train(gg.Dense(120, "silu"), gg.Dense(4), n=1500, batch_size=750, inputs=30)
    yield "deep", train(*[gg.Dense(8, "selu")] * 12, gg.Dense(1, "sigmoid"), targets="yes_no")
    yield "tiny", train(gg.Dense(16, "tanh"), gg.Dense(1), inputs=2, epochs=5)
    yield "single unit", train(gg.Dense(1, "sigmoid"), inputs=1, targets="yes_no")

    for rules in (
        gg.Regularization(l1=0.01),
        gg.Regularization(l2=0.1),
        gg.Regularization(l1=0.1, l2=0.3, per_row=True),
        gg.Regularization(max_norm=0.8),
    ):
        yield f"{rules!r}", train(*hidden("tanh"), regularization=rules, weighted=rules.per_row)
    yield (
        "one row, largest norm",
        train(*hidden("tanh"), optimizer=plain, batch_size=1, regularization=gg.Regularization(max_norm=0.7)),
    )
    classes: list[gg.Layer] = [gg.Dense(9, "relu"), gg.Dense(3, "softmax")]
    yield "weighted", train(*classes, targets="classes", weighted=True, validation=0.25)
    yield "classes weighted", train(*classes, targets="classes", class_weight={0: 1.0, 1: 3.0, 2: 0.5})
    yield "classes balanced", train(*classes, targets="classes", class_weight="balanced", validation=0.3)
    yield (
        "stopped early",
        train(
            *hidden("tanh"),
            n=60,
            epochs=40,
            optimizer=gg.Adam(0.1),
            validation=0.3,
            callbacks=[gg.EarlyStopping(2)],
        ),
    )
    yield "in order", train(*hidden("tanh"), shuffle=False)
    for name in ("glorot_normal", "he_normal", "lecun_uniform", "small_random", "ones"):
        yield f"starts {name}", train(gg.Dense(7, "tanh", name), gg.Dense(2), epochs=1)


def through_blas() -> Iterator[tuple[str, Callable[[], Parts]]]:
    """Yield the cases in which BLAS takes part on any engine."""
    for dtype in ("float32", "float64"):
        yield f"L-BFGS {dtype}", train(*hidden("tanh"), optimizer=gg.LBFGS(), epochs=12, dtype=dtype)
    yield "L-BFGS, weighted", train(
        gg.Dense(6, "tanh"), gg.Dense(3, "softmax"), targets="classes", optimizer=gg.LBFGS(5), weighted=True,
        regularization=gg.Regularization(l2=0.01), validation=0.2,
    )  # fmt: skip
    yield "starts orthogonal", train(gg.Dense(7, "tanh", "orthogonal"), gg.Dense(2), epochs=1)
    for kind, solver, settings in (
        ("classifier", "adam", {}),
        ("classifier", "sgd", {"early_stopping": True, "learning_rate": "adaptive"}),
        ("classifier", "lbfgs", {"alpha": 0.1}),
        ("classifier", "adamw", {"class_weight": "balanced", "hidden_dropout": 0.2, "dtype": "float32"}),
        ("regressor", "adam", {"batch_normalization": True, "batch_size": 11}),
        ("regressor", "sgd", {"learning_rate": "invscaling", "loss": "poisson", "max_iter": 4}),
        ("regressor", "lbfgs", {"activation": "logistic"}),
    ):
        for sparse in (False, True):
            name = f"{kind} {solver} {settings}" + " sparse" * sparse
            yield name, estimate(kind, sparse, {"solver": solver, **settings})


def estimate(kind: str, sparse: bool, settings: dict[str, Any]) -> Callable[[], Parts]:
    """Return the case of an estimator."""

    def run() -> Parts:
        from scipy.sparse import csr_array

        from ganglion import estimators

        X, y = rows(
            (60, 6), "classes" if kind == "classifier" else "counts", 3 if kind == "classifier" else 1
        )
        X = np.where(X < 0.5, 0, X)
        given = csr_array(X) if sparse else X
        make = estimators.MLPClassifier if kind == "classifier" else estimators.MLPRegressor
        model = make(hidden_layer_sizes=(9, 5), random_state=1, **{"max_iter": 8, **settings})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it has not converged
            model.fit(given, y.ravel())
        answers = model.predict_proba(given) if kind == "classifier" else model.predict(given)
        parts = results(model.network_, X, y)
        curves = [getattr(model, "loss_curve_", []), getattr(model, "validation_scores_", None) or []]
        parts["history"] += [[model.loss_], *curves]
        return {**parts, "predictions": [answers, model.predict(given)]}

    return run


def table() -> Parts:
    """Return the results of a model of a table."""
    rng = np.random.default_rng(5)
    n = 120
    columns = {
        "size": (rng.random(n) * 10).tolist(),
        "color": [("red", "green", "blue")[i] for i in rng.integers(0, 3, n)],
        "old": [bool(i) for i in rng.integers(0, 2, n)],
    }
    columns["kind"] = ["large" if size > 5 else "small" for size in columns["size"]]
    model = gg.TableModel.train(columns, "kind", hidden=(12, 6), epochs=4, folds=0)
    X, y = rows((20, len(model.encoder.features)), "classes", 2)
    probabilities = model.predict(columns).select("^probability_.*$").to_numpy()
    return {**results(model.network, X, y), "predictions": [probabilities]}


def many() -> Parts:
    """Return the results of networks that were trained at once, as one."""
    X, y = rows((50, 3), "yes_no", 1)

    def make(seed: int) -> gg.Network:
        return gg.Network([gg.Dense(8, "tanh"), gg.Dropout(0.1), gg.Dense(1, "sigmoid")], 3, seed=seed)

    found = [results(net, X, y) for net in gg.train_many(make, X, y, count=3, epochs=4).networks]
    return {part: [value for one in found for value in one[part]] for part in found[0]}


def read(name: str) -> Parts:
    """Return what is in a model file of `models/`, and its answers."""
    net = gg.Network.load(FOLDER / f"{name}.safetensors")
    history = [net.history.loss, net.history.validation_loss]
    return {
        "parameters": [net.parameters],
        "state": [net.state],
        "history": history,
        "predictions": [answers(name)],
    }


def cases() -> dict[str, Case]:
    """Return all cases by name."""
    plain = [*networks(), ("table", table), ("many at once", many)]
    plain += [(f"file {make.__name__}", partial(read, make.__name__)) for make in MODELS]
    found = [*((name, Case(run, False)) for name, run in plain)]
    found += [(name, Case(run, True)) for name, run in through_blas()]
    if len(found) != len(dict(found)):
        raise ValueError("two cases have the same name")
    return dict(found)
