"""The reference engine: each layer's own forward and backward, in NumPy. It is the definition.

It is meant to be read, and to run anything: a user's own layer, activation or loss included.
"""

from __future__ import annotations

import math

import numpy as np

from ganglion.core.architecture import Architecture
from ganglion.core.layers import Context
from ganglion.core.part import Array
from ganglion.engines.contract import Run, Steps
from ganglion.errors import TrainingError

# Weights that grew too large give infinite activations: that is for whoever looks at the result to judge.
quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")
ROWS_AT_ONCE = 4096  # predictions go through in pieces, so that memory stays small however long the table


class ReferenceEngine:
    """Runs an architecture with the layers' own NumPy code."""

    name = "reference"
    uses_blas = True

    def missing(self, *parts: object) -> str:
        return ""

    @quiet
    def predict(self, architecture: Architecture, parameters: Array, state: Array, x: Array) -> Array:
        weights = architecture.views(parameters, state)
        pieces = [architecture.forward(weights, piece)[0] for piece in _pieces(x)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def predict_if_finite(
        self, architecture: Architecture, parameters: Array, state: Array, x: Array
    ) -> Array | None:
        return self.predict(architecture, parameters, state, x) if np.isfinite(x).all() else None

    @quiet
    def evaluate(self, architecture: Architecture, run: Run, x: Array, y: Array) -> tuple[Array, Array]:
        weights = architecture.views(run.parameters if run.mean is None else run.mean, run.state)
        pairs = zip(_pieces(x), _pieces(y), strict=True)
        losses, activations = zip(
            *(architecture.evaluate(weights, a, b, run.loss) for a, b in pairs), strict=True
        )
        return np.concatenate(losses), np.concatenate(activations)

    @quiet
    def loss_and_gradient(
        self, architecture: Architecture, run: Run, rows: Array
    ) -> tuple[float, float, Array]:
        weights = architecture.views(run.parameters, run.state)
        x, y, weight = _gather(run, rows)
        context = Context(training=True, seed=run.seed, step=run.step)
        value, gradient, _ = architecture.loss_and_gradient(weights, x, y, weight, run.loss, context)
        rules = run.regularization.of_batch(total_weight(weight, rows))
        penalty, penalty_gradient = rules.penalty_and_gradient(architecture, run.parameters)
        return value, penalty, gradient + penalty_gradient

    @quiet
    def train(
        self, architecture: Architecture, run: Run, order: Array, batch_size: int, rates: Array
    ) -> Steps:
        done: list[tuple[float, float, float]] = []
        weights = architecture.views(run.parameters, run.state)
        penalized = bool(run.regularization.l1 or run.regularization.l2)
        optimizer = run.optimizer
        if optimizer is None:
            raise TrainingError("training steps need an optimizer, got a run without one")
        for number, rate in enumerate(rates):
            rows = order[number * batch_size : (number + 1) * batch_size]
            x, y, weight = _gather(run, rows)
            if weight is not None and not weight.any():
                run.step += 1  # a batch of weight 0 has no mean: it teaches nothing
                done.append((0.0, 0.0, 0.0))
                continue
            context = Context(training=True, seed=run.seed, step=run.step)
            value, gradient, caches = architecture.loss_and_gradient(weights, x, y, weight, run.loss, context)
            penalty = 0.0
            if penalized:
                rules = run.regularization.of_batch(total_weight(weight, rows))
                penalty, penalty_gradient = rules.penalty_and_gradient(architecture, run.parameters)
                gradient += penalty_gradient
            norm = math.sqrt(float(gradient @ gradient))
            if not math.isfinite(value):
                return _steps(done, "loss")
            if not math.isfinite(norm):
                return _steps(done, "gradient")
            if optimizer.clip_norm is not None and norm > optimizer.clip_norm:
                gradient *= optimizer.clip_norm / norm
            run.update += 1
            change = optimizer.change(gradient, run.slots, run.update, rate, run.parameters)
            if optimizer.weight_decay:
                change += (rate * optimizer.weight_decay) * (run.parameters * architecture.penalized)
            if not math.isfinite(float(change @ change)) and not np.isfinite(run.parameters - change).all():
                return _steps(done, "weight")
            run.parameters -= change
            run.regularization.limit(architecture, run.parameters)
            if architecture.state:
                architecture.next_state(weights, caches, run.state)
            if run.mean is not None and optimizer.average is not None:
                keep = min(optimizer.average, run.update / (run.update + 9))
                run.mean += (1 - keep) * (run.parameters - run.mean)
            run.step += 1
            done.append((value, penalty, norm))
        return _steps(done)


def _steps(done: list[tuple[float, float, float]], failure: str = "") -> Steps:
    losses, penalties, norms = np.array(done).reshape(-1, 3).T
    return Steps(losses, penalties, norms, failure)


def total_weight(weight: Array | None, rows: Array) -> float:
    """Return what the rows of a batch weigh in all; each weighs 1 where no weights are given."""
    return float(len(rows) if weight is None else weight.sum(dtype=np.float64))


def _pieces(x: Array) -> list[Array]:
    return [x[i : i + ROWS_AT_ONCE] for i in range(0, len(x), ROWS_AT_ONCE)] or [x]


def _gather(run: Run, rows: Array) -> tuple[Array, Array, Array | None]:
    return run.x[rows], run.y[rows], None if run.weight is None else run.weight[rows]
