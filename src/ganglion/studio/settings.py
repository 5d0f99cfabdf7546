"""What a network and its training are, as the page sends it: plain data, checked, and as Python code."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ganglion.checks import check_integer
from ganglion.core.activations import Activation
from ganglion.core.layers import (
    Activate,
    BatchNormalization,
    Dense,
    Dropout,
    Layer,
    LayerNormalization,
)
from ganglion.core.losses import Loss
from ganglion.core.part import Part, plain
from ganglion.core.regularization import Regularization
from ganglion.errors import ConfigError, one_of, shortened
from ganglion.insight.health.snippets import value_code
from ganglion.training.optimizers import Optimizer, StepOptimizer
from ganglion.training.schedules import Schedule

MOST_LAYERS, MOST_UNITS, MOST_PARAMETERS = 16, 1024, 2_000_000
MOST_EPOCHS = 10_000
LAYERS: tuple[Layer, ...] = (Dense(8, "relu"), Dropout(0.2), BatchNormalization(), LayerNormalization())
LAYER_NAMES = tuple(layer.name for layer in (*LAYERS, Activate("relu")))
HIDDEN_ACTIVATIONS = (
    *("relu", "tanh", "sigmoid", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus"),
    "identity",
)
LOSSES = {"classification": ("cross_entropy",), "regression": ("mse", "mae", "huber", "log_cosh")}


@dataclass(frozen=True)
class Settings:
    """A network's hidden layers and its training.

    Attributes:
        layers: all but the last, which the target determines.
        optimizer: makes the updates.
        loss: what they lower.
        regularization: the penalties.
        epochs, batch_size: of the training.
        seed: determines everything random.
        dtype: "float32" or "float64".
    """

    layers: tuple[Layer, ...]
    optimizer: Optimizer
    loss: Loss
    regularization: Regularization = field(default_factory=Regularization)
    epochs: int = 60
    batch_size: int = 32
    seed: int = 0
    dtype: str = "float32"

    @classmethod
    def read(cls, facts: Any) -> Self:
        """Return the settings that `facts` describes.

        Raises:
            ConfigError: for an unknown part, or a setting out of range.
        """
        names = {each.name for each in dataclasses.fields(cls)}
        if not isinstance(facts, Mapping) or set(facts) != names:
            raise ConfigError(f"settings must have {', '.join(sorted(names))}")
        layers = facts["layers"]
        if not isinstance(layers, list) or len(layers) > MOST_LAYERS:
            raise ConfigError(f"layers must be a list of at most {MOST_LAYERS}, got {shortened(layers)}")
        optimizer = Optimizer.find(facts["optimizer"])
        if not isinstance(optimizer, StepOptimizer):
            raise ConfigError(f"{optimizer.name} makes no single updates", "use another optimizer")
        rules = facts["regularization"]
        known = {each.name for each in dataclasses.fields(Regularization)}
        if not isinstance(rules, Mapping) or not set(rules) <= known:
            raise ConfigError(f"regularization must have {', '.join(sorted(known))}, got {shortened(rules)}")
        if facts["dtype"] not in ("float32", "float64"):
            raise ConfigError(f"dtype must be 'float32' or 'float64', got {shortened(facts['dtype'])}")
        return cls(
            layers=tuple(map(_layer, layers)),
            optimizer=optimizer,
            loss=Loss.find(facts["loss"]),
            regularization=Regularization(**rules),
            epochs=check_integer("epochs", facts["epochs"], at_least=1, at_most=MOST_EPOCHS),
            batch_size=check_integer("batch_size", facts["batch_size"], at_least=1, at_most=100_000),
            seed=check_integer("seed", facts["seed"], at_least=0, at_most=2**53),
            dtype=facts["dtype"],
        )

    def to_facts(self) -> dict[str, Any]:
        """Return the settings as plain JSON data."""
        return {
            "layers": [layer.configuration() for layer in self.layers],
            "optimizer": self.optimizer.configuration(),
            "loss": self.loss.configuration(),
            "regularization": plain(dataclasses.asdict(self.regularization)),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "dtype": self.dtype,
        }

    def changed(self, **changes: Any) -> Self:
        """Return these settings with others in some places."""
        return dataclasses.replace(self, **changes)

    def fit(self) -> dict[str, Any]:
        """Return the arguments of `Network.fit` that these settings are."""
        return {
            "loss": self.loss,
            "optimizer": self.optimizer,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "regularization": self.regularization,
        }

    def same_network(self, other: Settings) -> bool:
        """Whether two settings have networks with the same start."""
        return (self.layers, self.seed, self.dtype) == (other.layers, other.seed, other.dtype)

    def network_code(self) -> str:
        """Return the arguments of `PreparedTable.network` as Python code."""
        rest = "" if self.dtype == "float32" else f", dtype={self.dtype!r}"
        return f"[{', '.join(map(value_code, self.layers))}], seed={self.seed}{rest}"

    def fit_code(self) -> dict[str, str]:
        """Return the arguments of `Network.fit` as Python code, by name."""
        given = self.fit()
        if given["regularization"] == Regularization():
            del given["regularization"]
        return {name: value_code(value) for name, value in given.items()}

    def differences(self, other: Settings) -> dict[str, tuple[str, str]]:
        """Return the settings that differ, each as code in both."""
        own, its = (
            each.fit_code()
            | {"layers": f"[{', '.join(map(value_code, each.layers))}]", "seed": str(each.seed)}
            for each in (self, other)
        )
        names = dict.fromkeys([*own, *its])
        return {n: (own.get(n, "none"), its.get(n, "none")) for n in names if own.get(n) != its.get(n)}


def _layer(facts: Any) -> Layer:
    name = facts.get("name") if isinstance(facts, Mapping) else None
    if name not in LAYER_NAMES:
        raise ConfigError(
            f"there is no layer {shortened(name)} in the studio", one_of(str(name), LAYER_NAMES)
        )
    layer = Layer.find(dict(facts))
    if isinstance(layer, Dense):
        check_integer("units", layer.units, at_least=1, at_most=MOST_UNITS)
    return layer


def catalog(task: str) -> dict[str, Any]:
    """Return what the page offers: kinds of parts with their settings and defaults.

    Args:
        task: "classification" or "regression".
    """
    optimizers = [kind() for kind in Optimizer.known.values() if issubclass(kind, StepOptimizer)]
    schedules = [kind(0.01) for kind in Schedule.known.values()]
    return {
        "layers": [_described(layer) for layer in LAYERS],
        "activations": list(HIDDEN_ACTIVATIONS),
        "optimizers": [_described(each) for each in optimizers],
        "schedules": list(map(_described, schedules)),
        "losses": [_described(Loss.find(name)) for name in LOSSES[task]],
        "limits": {"layers": MOST_LAYERS, "units": MOST_UNITS, "parameters": MOST_PARAMETERS},
    }


def _described(part: Part) -> dict[str, Any]:
    words = (type(part).__doc__ or "").strip().splitlines()[0]
    return {"name": part.name, "words": words, "settings": plain(part.configuration())}


# What a remedy of the health check changes. Remedies that change the rows are for their owner to carry out.
def remedied(name: str, settings: Settings) -> tuple[Settings, str] | None:
    """Return settings that try the remedy of a finding, and what was changed in words; None if none can.

    Args:
        name: of the finding.
        settings: of the run that it was found in.
    """
    optimizer = settings.optimizer
    assert isinstance(optimizer, StepOptimizer)
    if name in ("exploding_loss", "learning_rate_too_high"):
        return settings.changed(optimizer=_scaled(optimizer, 0.1)), "a tenth of the learning rate"
    if name == "learning_rate_too_low":
        return settings.changed(optimizer=_scaled(optimizer, 10)), "ten times the learning rate"
    if name == "not_converged":
        return settings.changed(epochs=min(2 * settings.epochs, MOST_EPOCHS)), "twice the epochs"
    if name == "batch_too_large":
        smaller = max(1, settings.batch_size // 4)
        return settings.changed(batch_size=smaller), f"batches of {smaller} rows"
    if name == "dying_relu":
        return _with_activation(settings, "leaky_relu", ("relu",)), "leaky_relu instead of relu"
    if name == "vanishing_gradient":
        return _with_activation(settings, "relu", ("sigmoid", "tanh")), "relu instead of sigmoid and tanh"
    if name == "overfitting":
        layers: list[Layer] = []
        for layer in settings.layers:
            if not isinstance(layer, Dropout):
                layers += [layer, Dropout(0.3)] if isinstance(layer, Dense) else [layer]
        return settings.changed(layers=tuple(layers)), "dropout of 0.3 after each hidden layer"
    if name == "underfitting":
        wider = tuple(
            dataclasses.replace(each, units=min(2 * each.units, MOST_UNITS))
            if isinstance(each, Dense)
            else each
            for each in settings.layers
        ) or (Dense(8, "relu"),)
        return settings.changed(layers=wider), "twice the units"
    if name == "symmetric_weights":
        fresh = tuple(
            dataclasses.replace(each, weight_initializer=None) if isinstance(each, Dense) else each
            for each in settings.layers
        )
        return settings.changed(layers=fresh), "random initial weights"
    return None


def _scaled(optimizer: StepOptimizer, factor: float) -> Optimizer:
    rate = optimizer.learning_rate
    scaled = dataclasses.replace(rate, learning_rate=rate.learning_rate * factor)
    return dataclasses.replace(optimizer, learning_rate=scaled)


def _with_activation(settings: Settings, name: str, instead: tuple[str, ...]) -> Settings:
    new = Activation.find(name)
    layers = tuple(
        dataclasses.replace(each, activation=new)
        if isinstance(each, Dense | Activate) and each.activation.name in instead
        else each
        for each in settings.layers
    )
    return settings.changed(layers=layers)
