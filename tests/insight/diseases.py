"""Planted diseases and healthy runs, each an entry in a list: data, network, how it was trained.

To add one, append a `Case`. `finding` is what must be found, "" for a healthy run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np

import ganglion as gg
from ganglion.answers.target import fit_target
from ganglion.tables.encode import Encoder
from ganglion.tables.examples import example_table
from ganglion.training.splitting import split
from insight.planted import squares


class Data(NamedTuple):
    """Rows to learn from, rows held out, and how many classes (1 for numbers)."""

    x: np.ndarray
    y: np.ndarray
    x_later: np.ndarray
    y_later: np.ndarray
    classes: int


@cache
def data(name: str) -> Data:
    """Return a data set, scaled, a quarter of it held out."""
    if name in SYNTHETIC:
        x, y, classes = SYNTHETIC[name](np.random.default_rng(7))
    else:
        example, table = example_table(name)
        goal = fit_target(table.get_column(example.target))
        frame = table.drop(example.target)
        x, _ = Encoder.fit(frame).encode(frame)
        y = goal.encode(table.get_column(example.target))
        classes = len(goal.classes) if goal.task == "classification" else 1
    learn, later = split(len(x), 0.25, 3, y if classes > 1 else None)
    return Data(x[learn].astype(float), y[learn], x[later].astype(float), y[later], classes)


def _blobs(chance: Any) -> tuple[Any, Any, int]:
    y = np.arange(600) % 4
    return np.eye(4)[y] * 2 + chance.normal(0, 0.7, (600, 4)), y, 4


def _wave(chance: Any) -> tuple[Any, Any, int]:
    x = chance.normal(size=(500, 3))
    return x, np.sin(2 * x[:, 0]) + 0.5 * x[:, 1] + chance.normal(0, 0.1, 500), 1


def _product(chance: Any) -> tuple[Any, Any, int]:
    x = chance.normal(size=(600, 4))
    y = x[:, 0] * x[:, 1] + x[:, 2] + chance.normal(0, 0.2, 600)
    return x, (y - y.mean()) / y.std(), 1


def _moons(chance: Any) -> tuple[Any, Any, int]:
    y, t = np.arange(500) % 2, chance.uniform(0, np.pi, 500)
    x = np.stack([np.cos(t) + y, np.sin(t) * (1 - 2 * y) + 0.5 * y], 1) + chance.normal(0, 0.15, (500, 2))
    return (x - x.mean(0)) / x.std(0), y, 2


def _rare(chance: Any) -> tuple[Any, Any, int]:
    y = (np.arange(800) % 20 == 0).astype(int)
    return chance.normal(size=(800, 3)) + 0.6 * y[:, None], y, 2


def _digit_images(chance: Any) -> tuple[Any, Any, int]:
    """Handwritten digits, (8, 8, 1), from 0 to 1."""
    example, table = example_table("digits")
    y = table.get_column(example.target).to_numpy()
    return table.drop(example.target).to_numpy().reshape(-1, 8, 8, 1) / 16, y.astype(int), 10


def _strokes(chance: Any) -> tuple[Any, Any, int]:
    """A thin vertical or horizontal stroke away from the edges, (14, 14, 1), and weak noise."""
    y = np.arange(400) % 2
    x = chance.normal(0, 0.02, (400, 14, 14, 1))
    for one, across in zip(x, y, strict=True):
        place, first = chance.integers(2, 12), chance.integers(2, 6)
        (one if across else one.swapaxes(0, 1))[place, first : first + 6] += 1
    return x, y, 2


def _squares(chance: Any) -> tuple[Any, Any, int]:
    found = squares(400, 7)
    return found.x, found.y, 2


SYNTHETIC: dict[str, Callable[[Any], tuple[Any, Any, int]]] = {
    "blobs": _blobs,
    "wave": _wave,
    "product": _product,
    "moons": _moons,
    "rare": _rare,
    "digit_images": _digit_images,
    "strokes": _strokes,
    "squares": _squares,
}


def layers(units: tuple[int, ...], activation: Any, outputs: int, **settings: Any) -> list[gg.Layer]:
    """Return hidden layers and the output that suits: softmax for classes, any number otherwise."""
    hidden = [gg.Dense(n, activation, **settings) for n in units]
    return [*hidden, gg.Dense(outputs, "softmax") if outputs > 1 else gg.Dense(1)]


def convolutions(outputs: int, activation: Any = "relu", **settings: Any) -> list[gg.Layer]:
    """Return two convolutions with pools, and the output."""
    first, second = (gg.Conv2D(n, 3, activation, **settings) for n in (8, 16))
    return [first, gg.MaxPool2D(), second, gg.MaxPool2D(), gg.Flatten(), gg.Dense(outputs, "softmax")]


@dataclass(frozen=True)
class Case:
    """A run: `build` makes the layers from the number of outputs, `fit` are the settings of `fit`.

    `rows` and `targets` change the data, those held out alike; `begin` changes the network before
    training. `later` changes only the rows held out.
    """

    finding: str
    on: str
    build: Callable[[int], list[gg.Layer]] = lambda outputs: layers((32, 16), "relu", outputs)
    fit: dict[str, Any] = field(default_factory=dict)
    rows: Callable[[Any, Any], Any] = lambda x, y: x
    targets: Callable[[Any], Any] = lambda y: y
    begin: Callable[[gg.Network], None] = lambda net: None
    later: Callable[[Any], Any] = lambda x: x
    how: str = ""

    @property
    def id(self) -> str:
        return "-".join(filter(None, [self.finding or "healthy", self.how, self.on]))

    def run(self, seed: int = 0, **more: Any) -> tuple[gg.Network, Any, Any, Any, Any]:
        """Train; return the network, the rows, the targets, and those held out."""
        found = data(self.on)
        x, y = self.rows(found.x, found.y), self.targets(found.y)
        x_later = self.later(self.rows(found.x_later, found.y_later))
        net = gg.Network(self.build(found.classes), x.shape[1:], seed=seed)
        self.begin(net)
        net.fit(x, y, **{"epochs": 40, "optimizer": gg.Adam(0.01), **self.fit, **more})
        return net, x, y, x_later, self.targets(found.y_later)


def _each(finding: str, names: str, how: str = "", **settings: Any) -> list[Case]:
    return [Case(finding, name, how=how, **settings) for name in names.split()]


def _low_biases(net: gg.Network) -> None:
    net.named_parameters()["dense_1/bias"][...] = -30


def _wide(outputs: int) -> list[gg.Layer]:
    return layers((128, 128), "relu", outputs)


def _noisy(classes: int) -> Callable[[Any], Any]:
    """Return a function that gives every fourth label by chance."""

    def change(y: Any) -> Any:
        other = np.random.default_rng(len(y)).integers(0, classes, len(y))
        return np.where(np.arange(len(y)) % 4 == 0, other, y)

    return change


def _with_column(make: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda x, y: np.column_stack([x, make(x, y)])


def _another_value(x: Any) -> Any:
    """Return rows whose last column has another value than the one that it always had."""
    changed = x.copy()
    changed[:, -1] += 3
    return changed


def _noise(x: Any) -> Any:
    """Return rows whose last column says nothing: a leak that is not there yet, a copy that broke."""
    changed = x.copy()
    changed[:, -1] = np.random.default_rng(0).permutation(x[:, -1])
    return changed


def _low_filters(net: gg.Network) -> None:
    net.named_parameters()["conv_2d_1/bias"][...] = -30


def _alike(net: gg.Network) -> None:
    """Make the filters of the second convolution alike up to sign, scale and a trifle, and too large to change."""
    kernel, chance = net.named_parameters()["conv_2d_2/weight"], np.random.default_rng(0)
    scale = chance.choice([-1, 1], kernel.shape[-1]) * chance.uniform(4, 8, kernel.shape[-1])
    kernel[...] = scale * (kernel[..., :1] + chance.normal(0, 0.002, kernel.shape))


IMAGES = "digit_images strokes squares"
SMALL = gg.SmallRandom(0.01)
DISEASES = [
    *_each("dying_relu", "digits breast-cancer spiral diabetes wave", begin=_low_biases),
    *_each(
        "vanishing_gradient",
        "digits iris breast-cancer spiral",
        build=lambda k: layers((16,) * 8, "sigmoid", k),
        fit={"optimizer": gg.SGD(0.05, momentum=0.9)},
        how="sigmoids",
    ),
    *_each(
        "vanishing_gradient",
        "digits moons product",
        build=lambda k: layers((16,) * 6, "tanh", k, weight_initializer=SMALL),
        fit={"optimizer": gg.SGD(0.05, momentum=0.9)},
        how="small_weights",
    ),
    *_each("exploding_loss", "diabetes wave product", fit={"optimizer": gg.SGD(3.0)}, how="regression"),
    *_each(
        "exploding_loss",
        "digits blobs breast-cancer",
        fit={"optimizer": gg.SGD(100.0, momentum=0.9)},
        how="classes",
    ),
    *_each(
        "learning_rate_too_high",
        "digits diabetes product spiral wave",
        fit={"optimizer": gg.Adam(1.0)},
        how="adam",
    ),
    *_each(
        "learning_rate_too_high",
        "digits blobs",
        build=lambda k: layers((32, 16), "tanh", k),
        fit={"optimizer": gg.SGD(1.0, momentum=0.9)},
        how="sgd",
    ),
    *_each(
        "learning_rate_too_low",
        "digits breast-cancer spiral diabetes",
        fit={"optimizer": gg.Adam(3e-6)},
        how="adam",
    ),
    *_each("learning_rate_too_low", "digits blobs wave", fit={"optimizer": gg.SGD(1e-4)}, how="sgd"),
    *_each(
        "unscaled_inputs", "digits iris breast-cancer diabetes wave", rows=lambda x, y: 1000 * x, how="large"
    ),
    *_each("unscaled_inputs", "iris spiral moons", rows=lambda x, y: x + 100, how="far_from_0"),
    *_each("unscaled_inputs", "blobs product xor", rows=lambda x, y: x / 1000, how="small"),
    *_each(
        "symmetric_weights",
        "digits iris spiral wave",
        build=lambda k: [
            gg.Dense(16, "tanh", gg.Constant(0.1)),
            gg.Dense(k, "softmax" if k > 1 else "identity", gg.Zeros()),
        ],
        how="constant",
    ),
    *_each(
        "symmetric_weights",
        "digits breast-cancer product",
        build=lambda k: layers((16, 16), "relu", k, weight_initializer=gg.Zeros()),
        how="zeros",
    ),
    *_each("overfitting", "diabetes", build=_wide, fit={"epochs": 100, "validation": 0.2}),
    *[
        Case(
            "overfitting",
            name,
            _wide,
            {"epochs": 100, "validation": 0.2, "optimizer": gg.Adam(0.005)},
            targets=_noisy(k),
        )
        for name, k in (("digits", 10), ("breast-cancer", 2), ("blobs", 4), ("iris", 3))
    ],
    *_each(
        "underfitting",
        "xor spiral wave moons",
        build=lambda k: layers((), "relu", k),
        how="linear",
        fit={"optimizer": gg.Adam(0.01), "epochs": 100},
    ),
    *_each(
        "underfitting",
        "digits blobs spiral",
        build=lambda k: layers((1,), "tanh", k),
        how="one_unit",
        fit={"optimizer": gg.Adam(0.01)},
    ),
    *_each(
        "underfitting",
        "spiral product wave",
        build=lambda k: layers((32, 16), "tanh", k),
        fit={"regularization": gg.Regularization(l2=0.5), "optimizer": gg.Adam(0.01)},
        how="penalty",
    ),
    *_each("not_converged", "digits", fit={"epochs": 2, "optimizer": "adam"}),
    *_each("not_converged", "blobs iris product", fit={"epochs": 3, "optimizer": "adam"}),
    *_each(
        "not_converged",
        "spiral diabetes wave",
        fit={"epochs": 6, "optimizer": "adam", "validation": 0.2},
        how="validated",
    ),
    *_each(
        "constant_feature",
        "iris spiral blobs wave",
        rows=_with_column(lambda x, y: np.full(len(x), 0.5)),
        later=_another_value,
    ),
    *_each(
        "duplicate_feature", "iris spiral xor moons", rows=_with_column(lambda x, y: x[:, 0]), later=_noise
    ),
    *_each(
        "duplicate_feature",
        "wave product moons",
        rows=_with_column(lambda x, y: 2 - 0.5 * x[:, 1]),
        later=_noise,
        how="scaled",
    ),
    *_each(
        "leaking_target",
        "digits iris moons spiral",
        rows=_with_column(lambda x, y: y),
        later=_noise,
        how="itself",
    ),
    *_each(
        "leaking_target",
        "diabetes wave product",
        rows=_with_column(lambda x, y: 0.5 * y + np.random.default_rng(1).normal(0, 0.01, len(y))),
        later=_noise,
        how="nearly",
    ),
    *_each(
        "class_imbalance", "rare", build=lambda k: layers((8,), "tanh", k), fit={"optimizer": gg.Adam(0.01)}
    ),
    *_each(
        "class_imbalance",
        "diabetes",
        build=lambda _: layers((), "tanh", 2),
        targets=lambda y: (y > 1.7).astype(int),
        fit={"optimizer": gg.Adam(0.01)},
    ),
    *_each(
        "class_imbalance",
        "wave product",
        build=lambda _: layers((), "tanh", 2),
        targets=lambda y: (y > 1.6).astype(int),
        fit={"optimizer": gg.Adam(0.01)},
    ),
    *_each(
        "labels_out_of_line",
        "diabetes wave product",
        build=lambda _: [gg.Dense(32, "tanh"), gg.Dense(1, "relu")],
        how="relu",
    ),
    *_each(
        "labels_out_of_line",
        "diabetes wave product",
        build=lambda _: [gg.Dense(32, "tanh"), gg.Dense(1, "sigmoid")],
        fit={"loss": "mse"},
        how="sigmoid",
    ),
    *_each(
        "labels_out_of_line",
        "diabetes wave product",
        build=lambda _: [gg.Dense(32, "tanh"), gg.Dense(1, "tanh")],
        targets=lambda y: 3 + 2 * y,
        how="tanh",
    ),
    *_each(
        "labels_out_of_line",
        "breast-cancer xor moons",
        build=lambda _: layers((16,), "relu", 1),
        how="yes_or_no",
    ),
    *_each(
        "labels_out_of_line",
        "diabetes wave product",
        targets=lambda y: 150 + 77 * y,
        fit={"epochs": 20, "optimizer": "adam"},
        how="unscaled",
    ),
    *_each(
        "batch_too_large",
        "digits blobs moons spiral",
        fit={"batch_size": 10_000, "epochs": 15, "optimizer": gg.Adam(0.003)},
    ),
    *_each("batch_too_large", "wave", fit={"batch_size": 200, "epochs": 15, "optimizer": gg.Adam(0.003)}),
    *_each("dying_relu", IMAGES, build=convolutions, begin=_low_filters, fit={"epochs": 10}, how="filters"),
    *_each(
        "symmetric_weights",
        IMAGES,
        build=lambda k: convolutions(k, weight_initializer=gg.Zeros()),
        fit={"epochs": 10},
        how="filters",
    ),
    *[
        Case(
            "similar_filters",
            name,
            convolutions,
            {"epochs": epochs, "optimizer": gg.Adam(0.001)},
            begin=_alike,
        )
        for name, epochs in (("digit_images", 10), ("strokes", 30), ("squares", 30))
    ],
    *_each(
        "unscaled_inputs",
        IMAGES,
        build=convolutions,
        rows=lambda x, y: 128 + 127 * x,
        fit={"epochs": 10},
        how="images",
    ),
    *_each(
        "border_effects",
        "digit_images",
        build=convolutions,
        rows=lambda x, y: 1 - np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0))),
        fit={"epochs": 20},
    ),
    *_each("border_effects", "strokes", build=convolutions, rows=lambda x, y: 1 - x, fit={"epochs": 10}),
    *_each("border_effects", "squares", build=convolutions, rows=lambda x, y: 2.7 + x, fit={"epochs": 10}),
]


def _healthy(names: str, how: str, build: Callable[[int], list[gg.Layer]], **fit: Any) -> list[Case]:
    return [
        Case("", name, build, {"epochs": 100, "validation": 0.2, **fit}, how=how) for name in names.split()
    ]


def _stop(patience: int = 10) -> dict[str, Any]:
    return {"callbacks": [gg.EarlyStopping(patience=patience)]}


def _normalized(k: int) -> list[gg.Layer]:
    block = [gg.BatchNormalization(), gg.Activate("relu")]
    return [gg.Dense(32), *block, gg.Dense(16), *block, *layers((), "relu", k)]


def _residual(k: int) -> list[gg.Layer]:
    block = [gg.Conv2D(8, 3, bias=False), gg.BatchNormalization(), gg.Activate("relu"), gg.Conv2D(8, 3)]
    around = [gg.Conv2D(8, 3, "relu"), gg.Residual(block), gg.Activate("relu")]
    return [*around, gg.GlobalAveragePool(), gg.Dense(k, "softmax")]


ALL = "digits iris breast-cancer diabetes spiral xor blobs wave product moons"
HEALTHY = [
    *_healthy(ALL, "relu_adam", lambda k: layers((32, 16), "relu", k), optimizer=gg.Adam(0.01), **_stop()),
    *_healthy(
        ALL.replace("spiral", ""),
        "tanh_momentum",
        lambda k: layers((24,), "tanh", k),
        optimizer=gg.SGD(0.05, momentum=0.9),
        epochs=150,
        **_stop(patience=25),
    ),
    *_healthy(ALL, "normalized", _normalized, optimizer=gg.Adam(0.01), **_stop()),
    *_healthy(
        ALL,
        "dropout_one_cycle",
        lambda k: [
            gg.Dense(64, "relu"),
            gg.Dropout(0.2),
            gg.Dense(32, "relu"),
            gg.Dropout(0.2),
            *layers((), "relu", k),
        ],
        optimizer=gg.AdamW(gg.OneCycle(0.01, epochs=60), weight_decay=0.1),
        epochs=60,
        **_stop(),
    ),
    *_healthy(
        ALL, "gelu_deep", lambda k: layers((32, 32, 32, 32), "gelu", k), optimizer=gg.Adam(0.003), **_stop()
    ),
    *_healthy(
        "iris breast-cancer diabetes xor blobs moons",
        "lbfgs",
        lambda k: layers((8,), "tanh", k),
        optimizer="lbfgs",
        **_stop(),
    ),
    *_healthy(
        "iris breast-cancer blobs diabetes",
        "linear",
        lambda k: layers((), "relu", k),
        optimizer=gg.Adam(0.02),
        **_stop(),
    ),
    *_healthy(IMAGES, "convolutions", convolutions, optimizer=gg.Adam(0.005), epochs=25, **_stop()),
    *_healthy(
        IMAGES,
        "convolutions_tanh",
        lambda k: convolutions(k, "tanh", padding=1),
        optimizer=gg.Adam(0.005),
        epochs=25,
        **_stop(),
    ),
    *_healthy(IMAGES, "convolutions_residual", _residual, optimizer=gg.Adam(0.01), epochs=30, **_stop()),
    *_healthy(
        IMAGES,
        "convolutions_separable",
        lambda k: [
            gg.Conv2D(8, 3, "relu"),
            gg.SeparableConv2D(16, 3, "relu", stride=2),
            gg.Flatten(),
            gg.Dropout(0.2),
            gg.Dense(k, "softmax"),
        ],
        optimizer=gg.Adam(0.005),
        epochs=25,
        **_stop(),
    ),
]
