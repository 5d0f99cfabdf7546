"""The native engine, which runs many steps in one call of C++ (`native/`).

This module describes a network, a loss and an optimizer to it by name. Networks with parts or settings that
are not in its lists of kinds run on the reference engine.
"""

from __future__ import annotations

import importlib
import math
import os
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np

from ganglion.core.activations import IDENTITY, Activation, Sections
from ganglion.core.activations.sections import section_slices
from ganglion.core.architecture import Architecture
from ganglion.core.bags import Bags
from ganglion.core.inputs import InputRows, count_rows, values_of
from ganglion.core.layers import Dense, PiecewiseLinear
from ganglion.core.losses import Joint, Loss
from ganglion.core.model import Model
from ganglion.core.part import Array, Part, Shape
from ganglion.core.regularization import Regularization
from ganglion.core.rows import Rows
from ganglion.core.update import Updater
from ganglion.engines.contract import Completed, Learned, Objective, fresh
from ganglion.errors import ConfigError, TrainingError, shortened

FAILURES = ("", "loss", "gradient", "weight")
IN_SECTIONS = ("identity", "sigmoid", "tanh", "relu", "softmax", "log_softmax", "exp")  # need a, not z


def load_native() -> tuple[ModuleType | None, str]:
    """Return the compiled module and how it runs, or None and why it cannot be used.

    Raises:
        ConfigError: if `GANGLION_ISA` or `GANGLION_THREADS` has an invalid value.
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
    """Return how many threads a run may use: as configured, else one per processor of this process."""
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


class NativeEngine:
    """Runs models in C++, with the compiled module."""

    name = "native"
    uses_blas = False

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self._known: dict[str, dict[str, list[str]]] = module.kinds()

    def missing(self, *parts: object) -> str:
        return next(filter(None, map(self._missing, parts)), "")

    def _missing(self, part: object) -> str:
        if isinstance(part, Architecture):
            steps = ((step.layer, step.activation) for step in part.steps)
            return self.missing(*(each for pair in steps for each in pair if each is not None))
        if not isinstance(part, Part):
            return f"the part {shortened(part)}"
        word = f"the {part.kind} {part.name}"
        known = self._known[part.kind]
        if not getattr(part, "makes_steps", True):
            return ""  # an optimizer that needs only losses and gradients
        if not part.is_built_in or part.name not in known:
            return word
        unknown = _plain(part)["settings"].keys() - known[part.name]
        if unknown:
            return f"the setting {min(unknown)} of {word}"
        if isinstance(part, Sections):
            other = [each.name for each in part.activations if each.name not in IN_SECTIONS]
            return self.missing(*part.activations) or (f"{other[0]} in {word}" if other else "")
        return self.missing(*part.losses) if isinstance(part, Joint) else ""

    def program(self, model: Model) -> Any:
        """Return the compiled program of the model's architecture, compiling it once per model."""
        program = model.programs.get(self)
        if program is None:
            program = model.programs[self] = _compile(self.module, model.architecture, model.dtype)
        return program

    def predict(self, model: Model, x: InputRows) -> Array:
        architecture, program = model.architecture, self.program(model)
        a = np.empty((count_rows(x), *architecture.outputs), model.dtype)
        program.predict(model.parameters, model.state, _arrays(architecture, x), a)
        return a

    def predict_if_finite(self, model: Model, x: Array) -> Array | None:
        # One row at a time, the time goes into calls: this path has as few as possible.
        program = model.programs.get(self) or self.program(model)
        a = np.empty((len(x), *model.architecture.outputs), x.dtype)
        return a if program.predict_numbers(model.parameters, model.state, x, a) else None

    def evaluate(self, model: Model, loss: Loss, rows: Rows) -> tuple[Array, Array]:
        plain = _loss(loss, model.architecture)
        return _evaluate(self.program(model), model.architecture, model.parameters, model.state, plain, rows)

    def open(
        self,
        model: Model,
        rows: Rows,
        objective: Objective,
        optimizer: Updater | None = None,
        start: Learned | None = None,
    ) -> NativeSession:
        return NativeSession(self, model, rows, objective, optimizer, start)


class NativeSession:
    """A training run in C++: many steps per call, on the arrays of `Learned`."""

    def __init__(
        self,
        engine: NativeEngine,
        model: Model,
        rows: Rows,
        objective: Objective,
        optimizer: Updater | None,
        start: Learned | None,
    ) -> None:
        self._program, self._model, self._rows = engine.program(model), model, rows
        self._optimizer = optimizer
        now = self._learned = start or fresh(model, optimizer)
        self._loss = _loss(objective.loss, model.architecture)
        self._session = engine.module.Session(
            self._program,
            now.parameters,
            now.state,
            now.mean,
            list(now.slots.values()),
            self._loss,
            _regularization(objective.regularization),
            None if optimizer is None else _optimizer(optimizer),
        )
        if not rows.is_lazy:
            self.feed(rows)

    def feed(self, rows: Rows) -> None:
        self._session.rows(_arrays(self._model.architecture, rows.x), rows.y, rows.sample_weight)

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
        if self._rows.is_lazy:
            rows, order = self._rows.in_order(order)
            self.feed(rows)
        value, penalty = self._session.gradient(order, self._model.seed, now.step, gradient)
        return value, penalty, gradient

    def steps(self, order: Array, batch_size: int, rates: Array) -> Completed:
        if self._optimizer is None:
            raise TrainingError("training steps need an optimizer, but this session was opened without one")
        now = self._learned
        losses, penalties, norms = np.empty((3, len(rates)))
        done, failure, now.step, now.update = self._session.steps(
            order, batch_size, rates, losses, penalties, norms, self._model.seed, now.step, now.update
        )
        return Completed(losses[:done], penalties[:done], norms[:done], FAILURES[failure])


def _arrays(architecture: Architecture, x: InputRows) -> list[list[Array]]:
    """Return the arrays of each input: one array of rows, or the arrays of bags."""
    return [
        [x.indices, x.offsets, *([] if x.weights is None else [x.weights])] if isinstance(x, Bags) else [x]
        for x in values_of(architecture.inputs, x)
    ]


def _evaluate(
    program: Any, architecture: Architecture, parameters: Array, state: Array, loss: Any, rows: Rows
) -> tuple[Array, Array]:
    a, losses = (
        np.empty((len(rows), *architecture.outputs), parameters.dtype),
        np.empty(len(rows), parameters.dtype),
    )
    program.evaluate(parameters, state, _arrays(architecture, rows.x), rows.y, loss, a, losses)
    return losses, a


def _compile(module: ModuleType, architecture: Architecture, dtype: np.dtype[Any]) -> Any:
    """Return the program of an architecture, from its inputs, steps and named arrays as plain data."""
    inputs = [
        {
            "holds": part.holds,
            "width": 0 if part.holds == "bags" else math.prod(part.row_shape),
            "categories": part.below,
        }
        for part in architecture.inputs.values()
    ]
    steps = [
        _plain(step.layer)
        | {
            "constants": list(step.layer.constants()),
            "activation": _activation(step.activation or IDENTITY, step.shape),
            "stream": step.stream,
            "reads": list(step.reads),
            "writes": step.writes,
            "shapes": [list(shape) for shape in step.shapes],
            "shape": list(step.shape),
            "parameters": step.parameters[0].start if step.parameters else 0,
            "state": step.state[0].start if step.state else 0,
            "learns": bool(step.parameters),
        }
        for step in architecture.steps
    ]
    _skip_bins(architecture, steps)
    segments = [
        {
            "start": entry.start,
            "stop": entry.stop,
            "columns": entry.shape[-1],
            "penalized": entry.penalized,
            "row_sparse": entry.row_sparse,
        }
        for entry in architecture.parameters
    ]
    return module.Program(dtype == np.float64, inputs, steps, segments, architecture.state_size)


def _skip_bins(architecture: Architecture, steps: list[dict[str, Any]]) -> None:
    """Let dense layers behind a piecewise-linear encoding read where each number lies in its bins.

    This takes a few operations for each number, instead of one for each of its bins.
    """
    for step, encoding in zip(architecture.steps, steps, strict=True):
        layer = step.layer
        if not isinstance(layer, PiecewiseLinear) or len(step.shape) != 1:
            continue
        readers = [each for each in architecture.steps if step.writes in each.reads]
        of_input = step.reads[0] < len(architecture.inputs)
        if not (of_input and readers and all(type(each.layer) is Dense for each in readers)):
            continue
        places = [3 * len(layer.edges)]  # x, the number of its bin, and how full that is
        encoding |= {"kind": "bins", "shape": places}
        bins = [float(max(0, len(edges) - 1)) for edges in layer.edges]
        for each in readers:
            steps[each.number] |= {"kind": "binned_dense", "shapes": [places], "constants": bins}


@lru_cache(4096)
def _plain(part: Part) -> dict[str, Any]:
    """Return the kind and the settings of a built-in part."""
    return {"kind": part.name, "settings": part.settings()}


def _activation(activation: Activation, shape: Shape) -> dict[str, Any]:
    if not isinstance(activation, Sections):
        return _plain(activation)
    slices = section_slices(activation.sizes, shape[-1])
    pairs = zip(activation.activations, slices, strict=True)
    return _plain(activation) | {"sections": [_plain(f) | _columns(part) for f, part in pairs]}


def _loss(loss: Loss, architecture: Architecture) -> dict[str, Any]:
    from_z = loss.is_partner_of(architecture.output_activation)
    described = _plain(loss) | {"from_z": from_z}
    if not isinstance(loss, Joint):
        return described
    pairs = zip(loss.losses, loss.slices(architecture.outputs[-1]), strict=True)
    # Without partners, the activation is the identity, and z is a.
    sections = [
        _plain(own) | {"from_z": from_z and bool(own.partners)} | _columns(part) for own, part in pairs
    ]
    return described | {"sections": sections}


def _columns(part: slice) -> dict[str, int]:
    return {"columns": part.stop - part.start}


def _optimizer(optimizer: Updater) -> dict[str, Any]:
    rest = {name: getattr(optimizer, name) or 0.0 for name in ("weight_decay", "clip_norm", "average")}
    return _plain(optimizer) | rest  # type: ignore[arg-type]


def _regularization(rules: Regularization) -> dict[str, Any]:
    return {"l1": rules.l1, "l2": rules.l2, "max_norm": rules.max_norm or 0.0, "per_row": rules.per_row}
