"""The native engine: the whole run of steps in C++ (`native/`), without Python between them.

Here an architecture, a loss and an optimizer are put into plain numbers for it. What has no line in the
tables below it does not know, and such a network runs on the reference engine.
"""

from __future__ import annotations

import importlib
import os
from functools import lru_cache
from operator import is_
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ganglion.core.activations import Activation
from ganglion.core.architecture import Architecture
from ganglion.core.layers import Layer
from ganglion.core.losses import Loss
from ganglion.core.part import Array, Part
from ganglion.core.regularization import Regularization
from ganglion.core.update import Updater
from ganglion.engines.contract import Run, Steps
from ganglion.errors import ConfigError, TrainingError, shortened

# The orders are those of the lists in native/description.hpp.
ACTIVATIONS = (
    *(
        "identity",
        "sigmoid",
        "tanh",
        "relu",
        "leaky_relu",
        "elu",
        "selu",
        "gelu",
        "gelu_tanh",
        "silu",
        "mish",
    ),
    *("softplus", "hard_sigmoid", "exp", "softmax", "log_softmax"),
)
LAYERS = ("dense", "activate", "dropout", "batch_normalization", "layer_normalization")
ONLY_SHAPE = ("flatten", "reshape")
LOSSES = (
    *("mse", "mae", "huber", "log_cosh", "binary_cross_entropy", "cross_entropy", "poisson", "quantile"),
    "hinge",
)
# For each optimizer the place in the list, and its settings: momentum or beta_1, decay or beta_2, epsilon.
OPTIMIZERS: dict[str, tuple[int, tuple[str, str, str]]] = {
    "sgd": (0, ("momentum", "", "")),
    "rmsprop": (1, ("momentum", "decay", "epsilon")),
    "adagrad": (2, ("", "", "epsilon")),
    "adam": (3, ("beta_1", "beta_2", "epsilon")),
    "adamw": (3, ("beta_1", "beta_2", "epsilon")),
    "lion": (4, ("beta_1", "beta_2", "")),
}
FAILURES = ("", "loss", "gradient", "weight")


def load_native() -> tuple[ModuleType | None, str]:
    """Return the compiled module, or None and why it cannot be used.

    Raises:
        ConfigError: if `GANGLION_ISA` or `GANGLION_THREADS` asks for what there is not.
    """
    try:
        module = importlib.import_module("ganglion._native")
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError)
        return None, "it was not built" if missing else f"it cannot be loaded: {error}"
    able = module.instruction_sets()
    if not able:
        return None, "it needs a processor with x86-64-v2 or later"
    wanted = os.environ.get("GANGLION_ISA", "").replace("-", "_")
    if wanted and wanted not in able:
        raise ConfigError(
            f"GANGLION_ISA must be an instruction set of this processor, got {shortened(wanted)}",
            "known: " + ", ".join(able),
        )
    module.use(wanted or able[0])
    module.set_threads(_threads())
    return module, f"{wanted or able[0]}, up to {module.get_threads()} threads"


def _threads() -> int:
    """Return how many threads a run may use: as told, else one for each processor that this process has."""
    for name in ("GANGLION_THREADS", "OMP_NUM_THREADS"):
        if value := os.environ.get(name, ""):
            if value.isdecimal() and 1 <= int(value) <= 1024:
                return int(value)
            if name == "GANGLION_THREADS":
                raise ConfigError(
                    f"GANGLION_THREADS must be a whole number from 1 to 1024, got {shortened(value)}"
                )
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return max(1, len(usable))


def missing_part(parts: tuple[object, ...]) -> str:
    """Return in words the first part that this engine does not know, "" if it knows them all."""
    known: dict[str, object] = {
        "activation": ACTIVATIONS,
        "loss": LOSSES,
        "optimizer": (*OPTIMIZERS, "lbfgs"),  # L-BFGS asks for losses and gradients only
    }
    for part in parts:
        if isinstance(part, Architecture):
            word = missing_part(part.layers)
        elif isinstance(part, Layer):
            word = (
                "" if part.is_built_in and part.name in (*LAYERS, *ONLY_SHAPE) else f"the layer {part.name}"
            )
            if not word and isinstance(activation := part.split_activation()[1], Activation):
                word = missing_part((activation,))
        elif isinstance(part, Part) and part.is_built_in and part.name in known[part.kind]:  # type: ignore[operator]
            word = ""
        else:
            word = f"the {getattr(part, 'kind', 'part')} {getattr(part, 'name', shortened(part))}"
        if word:
            return word
    return ""


class NativeEngine:
    """Runs an architecture in C++, with the compiled module."""

    name = "native"
    uses_blas = False

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self._programs: WeakKeyDictionary[Architecture, dict[Any, Any]] = WeakKeyDictionary()

    def missing(self, *parts: object) -> str:
        return missing_part(parts)

    def _program(self, architecture: Architecture, dtype: np.dtype[Any]) -> Any:
        try:
            return self._programs[architecture][dtype]
        except KeyError:
            program = _compile(self.module, architecture, dtype)
            self._programs.setdefault(architecture, {})[dtype] = program
            return program

    def _prepared(self, architecture: Architecture, run: Run) -> Any:
        """Return program, loss, regularization and optimizer of a run in plain numbers, made once."""
        parts = (architecture, run.loss, run.regularization, run.optimizer)
        if run.prepared is None or not all(map(is_, run.prepared[0], parts)):
            plain = (
                self._program(architecture, run.parameters.dtype),
                _loss(run.loss, architecture.output_activation),
                _regularization(run.regularization),
                None if run.optimizer is None else _optimizer(run.optimizer),
            )
            run.prepared = (parts, plain)
        return run.prepared[1]

    def predict(self, architecture: Architecture, parameters: Array, state: Array, x: Array) -> Array:
        return self._predict(architecture, parameters, state, x)[0]

    def predict_if_finite(
        self, architecture: Architecture, parameters: Array, state: Array, x: Array
    ) -> Array | None:
        a, finite = self._predict(architecture, parameters, state, x)
        return a if finite else None

    def _predict(
        self, architecture: Architecture, parameters: Array, state: Array, x: Array
    ) -> tuple[Array, bool]:
        a = np.empty((len(x), *architecture.outputs), parameters.dtype)
        return a, self._program(architecture, parameters.dtype).predict(parameters, state, x, a)

    def evaluate(self, architecture: Architecture, run: Run, x: Array, y: Array) -> tuple[Array, Array]:
        parameters = run.parameters if run.mean is None else run.mean
        a, losses = np.empty((len(x), *architecture.outputs), x.dtype), np.empty(len(x), x.dtype)
        loss = _loss(run.loss, architecture.output_activation)
        self._program(architecture, x.dtype).evaluate(parameters, run.state, x, y, loss, a, losses)
        return losses, a

    def loss_and_gradient(
        self, architecture: Architecture, run: Run, rows: Array
    ) -> tuple[float, float, Array]:
        gradient = np.empty_like(run.parameters)
        program, loss, regularization, _ = self._prepared(architecture, run)
        value, penalty = program.gradient(
            run.parameters,
            run.state,
            run.x,
            run.y,
            run.weight,
            loss,
            regularization,
            rows,
            run.seed,
            run.step,
            gradient,
        )
        return value, penalty, gradient

    def train(
        self, architecture: Architecture, run: Run, order: Array, batch_size: int, rates: Array
    ) -> Steps:
        if run.optimizer is None:
            raise TrainingError("training steps need an optimizer, got a run without one")
        program, loss, regularization, optimizer = self._prepared(architecture, run)
        losses, penalties, norms = np.empty((3, len(rates)))
        done, failure, run.step, run.update = program.train(
            run.parameters,
            run.state,
            run.mean,
            list(run.slots.values()),
            run.x,
            run.y,
            run.weight,
            loss,
            optimizer,
            regularization,
            order,
            batch_size,
            rates,
            losses,
            penalties,
            norms,
            run.seed,
            run.step,
            run.update,
        )
        return Steps(losses[:done], penalties[:done], norms[:done], FAILURES[failure])


def _compile(module: ModuleType, architecture: Architecture, dtype: np.dtype[Any]) -> Any:
    """Return the program of an architecture: its layers and named arrays in plain numbers."""
    begins: list[dict[int, int]] = [{}, {}]
    for begin, entries in zip(begins, (architecture.parameters, architecture.state), strict=True):
        for entry in entries:
            begin.setdefault(entry.layer, entry.start)
    sizes = [int(np.prod(shape, dtype=np.int64)) for shape in architecture.shapes]
    layers = []
    for place, layer in enumerate(architecture.layers):
        if layer.name in ONLY_SHAPE:
            continue
        activation = layer.split_activation()[1]
        rate = getattr(layer, "rate", getattr(layer, "momentum", 0.0))
        layers.append(
            (
                LAYERS.index(layer.name),
                place,
                sizes[place],
                sizes[place + 1],
                architecture.shapes[place][-1],
                begins[0].get(place, 0),
                begins[1].get(place, 0),
                ACTIVATIONS.index(activation.name if activation else "identity"),
                float(getattr(activation, "slope", getattr(activation, "alpha", 0.0))),
                float(rate),
                float(getattr(layer, "epsilon", 0.0)),
            )
        )
    segments = [(e.start, e.stop, e.shape[-1], e.penalized) for e in architecture.parameters]
    return module.Program(
        dtype == np.float64,
        sizes[0],
        sizes[-1],
        architecture.outputs[-1],
        architecture.size,
        architecture.state_size,
        layers,
        segments,
    )


@lru_cache(256)
def _loss(loss: Loss, last: Activation | None) -> tuple[int, float, float, float, bool]:
    setting = next(
        (getattr(loss, name) for name in ("delta", "label_smoothing", "quantile") if hasattr(loss, name)), 0.0
    )
    from_z = loss.is_partner_of(last)
    return LOSSES.index(loss.name), float(setting), float(loss.factor), getattr(loss, "clip", 0.0), from_z


def _optimizer(optimizer: Updater) -> tuple[int, bool, float, float, float, float, float, float]:
    kind, names = OPTIMIZERS[optimizer.name]  # type: ignore[attr-defined]
    first, second, epsilon = (float(getattr(optimizer, name)) if name else 0.0 for name in names)
    rest = (optimizer.weight_decay, optimizer.clip_norm or 0.0, optimizer.average or 0.0)
    variant = getattr(optimizer, "nesterov", False) or getattr(optimizer, "epsilon_hat", False)
    return kind, bool(variant), first, second, epsilon, *rest


def _regularization(rules: Regularization) -> tuple[float, float, float, bool]:
    return rules.l1, rules.l2, rules.max_norm or 0.0, rules.per_row
