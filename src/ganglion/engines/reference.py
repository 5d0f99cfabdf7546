"""The reference engine: each layer's own forward and backward, in NumPy. It defines correct results.

It is written to be read, and runs everything, including a user's own layers, activations and losses.
"""

from __future__ import annotations

import math

import numpy as np

from ganglion.core.inputs import InputRows, count_rows, take_rows
from ganglion.core.layers import Context
from ganglion.core.losses import Loss
from ganglion.core.model import Model
from ganglion.core.part import Array
from ganglion.core.rows import Rows
from ganglion.core.update import Updater, average, change_of
from ganglion.engines.contract import Completed, Learned, Objective, fresh
from ganglion.errors import TrainingError

# Weights that grew too large lead to infinite activations; callers check the results.
quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")
ROWS_AT_ONCE = 4096  # predictions run in pieces, so that memory stays small for long tables


class ReferenceEngine:
    """Runs models with the layers' own NumPy code."""

    name = "reference"
    uses_blas = True

    def missing(self, *parts: object) -> str:
        return ""

    @quiet
    def predict(self, model: Model, x: InputRows) -> Array:
        weights = model.views
        pieces = [model.architecture.forward(weights, take_rows(x, piece))[0] for piece in _pieces(x)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def predict_if_finite(self, model: Model, x: Array) -> Array | None:
        return self.predict(model, x) if np.isfinite(x).all() else None

    @quiet
    def evaluate(self, model: Model, loss: Loss, rows: Rows) -> tuple[Array, Array]:
        weights, parts = model.views, [rows.part(piece) for piece in _pieces(rows.x)]
        pairs = [model.architecture.evaluate(weights, part.x, part.y, loss) for part in parts]
        losses, activations = zip(*pairs, strict=True)
        return np.concatenate(losses), np.concatenate(activations)

    def open(
        self,
        model: Model,
        rows: Rows,
        objective: Objective,
        optimizer: Updater | None = None,
        start: Learned | None = None,
    ) -> ReferenceSession:
        return ReferenceSession(self, model, rows, objective, optimizer, start)


class ReferenceSession:
    """A training run in NumPy, step by step."""

    def __init__(
        self,
        engine: ReferenceEngine,
        model: Model,
        rows: Rows,
        objective: Objective,
        optimizer: Updater | None,
        start: Learned | None,
    ) -> None:
        self._engine, self._model, self._rows = engine, model, rows
        self._objective, self._optimizer = objective, optimizer
        self._learned = start or fresh(model, optimizer)
        self._weights = model.architecture.views(self._learned.parameters, self._learned.state)

    def read(self) -> Learned:
        return self._learned

    def write(self, parameters: Array, state: Array | None = None) -> None:
        self._learned.parameters[...] = parameters
        if state is not None:
            self._learned.state[...] = state

    def evaluate(self, rows: Rows) -> tuple[Array, Array]:
        now = self._learned
        parameters = now.parameters if now.mean is None else now.mean
        model = Model(self._model.architecture, parameters, now.state, self._model.seed)
        return self._engine.evaluate(model, self._objective.loss, rows)

    def feed(self, rows: Rows) -> None:
        self._rows = rows

    @quiet
    def loss_and_gradient(self, order: Array) -> tuple[float, float, Array]:
        architecture, now, objective = self._model.architecture, self._learned, self._objective
        rows, order = self._rows.in_order(order)
        batch = rows.part(order)
        context = Context(training=True, seed=self._model.seed, step=now.step)
        value, gradient, passed = architecture.loss_and_gradient(
            self._weights, batch.x, batch.y, batch.sample_weight, objective.loss, context
        )
        rules = objective.regularization.of_batch(total_weight(batch))
        penalized = architecture.penalized_among(architecture.visited(passed))
        penalty, penalty_gradient = rules.penalty_and_gradient(now.parameters, penalized)
        return value, penalty, gradient + penalty_gradient

    @quiet
    def steps(self, order: Array, batch_size: int, rates: Array) -> Completed:
        optimizer = self._optimizer
        if optimizer is None:
            raise TrainingError("training steps need an optimizer, but this session was opened without one")
        done: list[tuple[float, float, float]] = []
        rows = self._rows
        for number, rate in enumerate(rates):
            batch = rows.part(order[number * batch_size : (number + 1) * batch_size])
            if batch.sample_weight is not None and not batch.sample_weight.any():
                self._learned.step += 1  # a batch of weight 0 has no mean loss: skip the update
                done.append((0.0, 0.0, 0.0))
                continue
            failure = self._step(batch, optimizer, rate, done)
            if failure:
                return _completed(done, failure)
        return _completed(done)

    def _step(
        self, batch: Rows, optimizer: Updater, rate: float, done: list[tuple[float, float, float]]
    ) -> str:
        """Make one update; return what was not finite, or ""."""
        architecture, now, rules = self._model.architecture, self._learned, self._objective.regularization
        context = Context(training=True, seed=self._model.seed, step=now.step)
        value, gradient, passed = architecture.loss_and_gradient(
            self._weights, batch.x, batch.y, batch.sample_weight, self._objective.loss, context
        )
        visited = architecture.visited(passed)
        parameters, gradient = now.parameters[visited], gradient[visited]
        penalized = architecture.penalized[visited]
        penalty = 0.0
        if rules.l1 or rules.l2:
            own = rules.of_batch(total_weight(batch))
            penalty, penalty_gradient = own.penalty_and_gradient(parameters, penalized)
            gradient += penalty_gradient
        norm = math.sqrt(float(gradient @ gradient))
        if not math.isfinite(value):
            return "loss"
        if not math.isfinite(norm):
            return "gradient"
        now.update += 1
        slots = {name: slot[visited] for name, slot in now.slots.items()}
        change = change_of(optimizer, gradient, norm, slots, now.update, rate, parameters, penalized)
        if not math.isfinite(float(change @ change)) and not np.isfinite(parameters - change).all():
            return "weight"
        for name, slot in slots.items():
            now.slots[name][visited] = slot
        now.parameters[visited] -= change
        rules.limit(architecture, now.parameters)
        if architecture.state:
            architecture.next_state(self._weights, passed, now.state)
        if now.mean is not None:
            mean = now.mean[visited]
            average(optimizer, mean, now.update, now.parameters[visited])
            now.mean[visited] = mean
        now.step += 1
        done.append((value, penalty, norm))
        return ""


def _completed(done: list[tuple[float, float, float]], failure: str = "") -> Completed:
    losses, penalties, norms = np.array(done).reshape(-1, 3).T
    return Completed(losses, penalties, norms, failure)


def total_weight(batch: Rows) -> float:
    """Return the total weight of a batch; without sample weights each row has weight 1."""
    weight = batch.sample_weight
    return float(len(batch) if weight is None else weight.sum(dtype=np.float64))


def _pieces(x: InputRows) -> list[slice]:
    return [slice(i, i + ROWS_AT_ONCE) for i in range(0, count_rows(x), ROWS_AT_ONCE)] or [slice(0, 0)]
