"""The native engine: the whole run of steps in C++ (`native/`), without Python between them.

Here an architecture, a loss and an optimizer are put into plain numbers for it. What has no line in the
tables below it does not know, and such a network runs on the reference engine.
"""

from __future__ import annotations

import importlib
import math
import os
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np

from ganglion.core.activations import Activation
from ganglion.core.architecture import Architecture
from ganglion.core.inputs import InputRows
from ganglion.core.losses import Loss
from ganglion.core.model import Model
from ganglion.core.part import Array, Part
from ganglion.core.regularization import Regularization
from ganglion.core.rows import Rows
from ganglion.engines.contract import Completed, Learned, Objective, Updater, fresh
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
        "layer": (*LAYERS, *ONLY_SHAPE),
        "loss": LOSSES,
        "optimizer": (*OPTIMIZERS, "lbfgs"),  # L-BFGS asks for losses and gradients only
    }
    for part in parts:
        if isinstance(part, Architecture):
            pairs = [(step.layer, step.activation) for step in part.steps]
            word = missing_part(tuple(each for pair in pairs for each in pair if each is not None))
        elif isinstance(part, Part) and part.is_built_in and part.name in known[part.kind]:  # type: ignore[operator]
            word = ""
        else:
            name = f"{getattr(part, 'kind', 'part')} {getattr(part, 'name', shortened(part))}"
            word = f"the {name}"
        if word:
            return word
    return ""


class NativeEngine:
    """Runs a model in C++, with the compiled module."""

    name = "native"
    uses_blas = False

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def missing(self, *parts: object) -> str:
        return missing_part(parts)

    def program(self, model: Model) -> Any:
        """Return what the model's architecture was compiled to, once for each model."""
        program = model.programs.get(self)
        if program is None:
            program = model.programs[self] = _compile(self.module, model.architecture, model.dtype)
        return program

    def predict(self, model: Model, x: InputRows) -> Array:
        return self._predict(model, x)[0]

    def predict_if_finite(self, model: Model, x: Array) -> Array | None:
        a, finite = self._predict(model, x)
        return a if finite else None

    def _predict(self, model: Model, x: InputRows) -> tuple[Array, bool]:
        a = np.empty((len(x), *model.architecture.outputs), model.dtype)
        return a, self.program(model).predict(model.parameters, model.state, x, a)

    def evaluate(self, model: Model, loss: Loss, rows: Rows) -> tuple[Array, Array]:
        plain = _loss(loss, model.architecture.output_activation)
        return _evaluate(self.program(model), model.architecture, model.parameters, model.state, plain, rows)

    def open(
        self,
        model: Model,
        rows: Rows,
        objective: Objective,
        optimizer: Updater | None = None,
        start: Learned | None = None,
    ) -> NativeSession:
        return NativeSession(self.program(model), model, rows, objective, optimizer, start)


class NativeSession:
    """A training in C++: many steps in one call, on the arrays of `Learned`."""

    def __init__(
        self,
        program: Any,
        model: Model,
        rows: Rows,
        objective: Objective,
        optimizer: Updater | None,
        start: Learned | None,
    ) -> None:
        self._program, self._model, self._rows = program, model, rows
        self._learned = start or fresh(model, optimizer)
        self._loss = _loss(objective.loss, model.architecture.output_activation)
        self._regularization = _regularization(objective.regularization)
        self._optimizer = None if optimizer is None else _optimizer(optimizer)

    def read(self) -> Learned:
        return self._learned

    def write(self, parameters: Array, state: Array | None = None) -> None:
        self._learned.parameters[...] = parameters
        if state is not None:
            self._learned.state[...] = state

    def evaluate(self, rows: Rows) -> tuple[Array, Array]:
        now = self._learned
        parameters = now.parameters if now.mean is None else now.mean
        return _evaluate(self._program, self._model.architecture, parameters, now.state, self._loss, rows)

    def loss_and_gradient(self, order: Array) -> tuple[float, float, Array]:
        now = self._learned
        gradient = np.empty_like(now.parameters)
        rows, order = self._rows.in_order(order)
        value, penalty = self._program.gradient(
            now.parameters,
            now.state,
            rows.x,
            rows.y,
            rows.sample_weight,
            self._loss,
            self._regularization,
            order,
            self._model.seed,
            now.step,
            gradient,
        )
        return value, penalty, gradient

    def steps(self, order: Array, batch_size: int, rates: Array) -> Completed:
        if self._optimizer is None:
            raise TrainingError("training steps need an optimizer, this session was opened without one")
        now = self._learned
        rows, order = self._rows.in_order(order)
        losses, penalties, norms = np.empty((3, len(rates)))
        done, failure, now.step, now.update = self._program.train(
            now.parameters,
            now.state,
            now.mean,
            list(now.slots.values()),
            rows.x,
            rows.y,
            rows.sample_weight,
            self._loss,
            self._optimizer,
            self._regularization,
            order,
            batch_size,
            rates,
            losses,
            penalties,
            norms,
            self._model.seed,
            now.step,
            now.update,
        )
        return Completed(losses[:done], penalties[:done], norms[:done], FAILURES[failure])


def _evaluate(
    program: Any, architecture: Architecture, parameters: Array, state: Array, loss: Any, rows: Rows
) -> tuple[Array, Array]:
    a, losses = (
        np.empty((len(rows), *architecture.outputs), parameters.dtype),
        np.empty(len(rows), parameters.dtype),
    )
    program.evaluate(parameters, state, rows.x, rows.y, loss, a, losses)
    return losses, a


def _compile(module: ModuleType, architecture: Architecture, dtype: np.dtype[Any]) -> Any:
    """Return the program of an architecture: its layers and named arrays in plain numbers."""
    layers = []
    for step in architecture.steps:
        layer, activation = step.layer, step.activation
        if layer.name in ONLY_SHAPE:
            continue
        rate = getattr(layer, "rate", getattr(layer, "momentum", 0.0))
        layers.append(
            (
                LAYERS.index(layer.name),
                step.stream,
                math.prod(step.shapes[0]),
                step.outputs,
                step.shapes[0][-1],
                step.parameters[0].start if step.parameters else 0,
                step.state[0].start if step.state else 0,
                ACTIVATIONS.index(activation.name if activation else "identity"),
                float(getattr(activation, "slope", getattr(activation, "alpha", 0.0))),
                float(rate),
                float(getattr(layer, "epsilon", 0.0)),
            )
        )
    segments = [(e.start, e.stop, e.shape[-1], e.penalized) for e in architecture.parameters]
    return module.Program(
        dtype == np.float64,
        math.prod(architecture.input_shape),
        architecture.steps[-1].outputs,
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
