"""Training with L-BFGS, which evaluates the loss and the gradient over all rows."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

from ganglion.core.part import Array
from ganglion.engines import Learned, Objective, Session
from ganglion.errors import ConfigError, TrainingError
from ganglion.training.blas import single_threaded_blas
from ganglion.training.optimizers import LBFGS
from ganglion.training.run import Training

MOST_KEPT = 2**29  # bytes of evaluations for a checkpoint; those after them are made again


class Evaluated(NamedTuple):
    """What the engine said of a vector of parameters."""

    loss: float
    penalty: float
    gradient: Array


class Minimization(Training):
    """A run in which an epoch is one iteration of L-BFGS.

    The memory of L-BFGS is SciPy's. A checkpoint therefore has the results of all evaluations so far: a run
    that goes on begins again, and comes to the same place without evaluating anything.

    Attributes:
        evaluations: the results, if they are kept, in order.
        keeps_evaluations: whether they are.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.evaluations: list[Evaluated] = []
        self.keeps_evaluations = False
        self._evaluated = 0

    def _open(self, objective: Objective) -> Session:
        if not isinstance(self.plan.optimizer, LBFGS):
            raise TrainingError(f"a run needs a gg.StepOptimizer or L-BFGS, got {self.plan.optimizer!r}")
        self.optimizer = self.plan.optimizer
        start = Learned(self.model.parameters, self.model.state, self.optimizer_state.step)
        return self.engine.open(self.model, self.plan.rows, objective, None, start)

    def _evaluate(self, rows: Array) -> Evaluated:
        """Return loss, penalty and gradient for the session's parameters, as they are or as they were."""
        self._evaluated += 1
        if self._evaluated <= len(self.evaluations):
            return self.evaluations[self._evaluated - 1]
        found = Evaluated(*self.session.loss_and_gradient(rows))
        are_few = self._evaluated * found.gradient.nbytes <= MOST_KEPT
        if self.keeps_evaluations and are_few and self._evaluated == len(self.evaluations) + 1:
            self.evaluations.append(found._replace(gradient=found.gradient.copy()))
        return found

    def _learn(self) -> None:
        steps = self.architecture.steps
        if self.architecture.state or any(step.layer.is_random for step in steps):
            raise ConfigError(
                "L-BFGS needs a loss that is the same function in every step, without dropout or batch "
                "normalization",
                "use neither dropout nor batch normalization, or another optimizer",
            )
        if self.plan.regularization.max_norm is not None:
            raise ConfigError("L-BFGS does not support max_norm", "use l2, or another optimizer")
        if not self.epochs:
            return
        state, session = self.optimizer_state, self.session
        state.optimizer, state.mean = self.optimizer, None
        everything = self.order = np.arange(len(self.plan.rows))
        self.losses, self.penalties = np.full((2, 1), math.nan)
        latest: dict[str, Any] = {}

        def objective(vector: Array) -> tuple[float, Array]:
            session.write(vector)
            loss, penalty, gradient = self._evaluate(everything)
            self.losses[0], self.penalties[0] = loss, penalty
            gradient = gradient.astype(np.float64, copy=False)
            latest.update(vector=vector.copy(), gradient=gradient)
            # If this is not finite, the line search tries a shorter step.
            return loss * self.plan.report + penalty + self.plan.offset, gradient

        def gradient_norm() -> float:
            with np.errstate(over="ignore", invalid="ignore"):
                return float(np.sqrt(latest["gradient"] @ latest["gradient"]))

        def after_iteration(vector: Array) -> bool:
            if (latest["vector"] != vector).any():
                objective(vector)
            norm = gradient_norm()
            if not math.isfinite(self.losses[0] + norm):
                self.fail("loss", self.history.epochs, 0)
                return True
            best[...] = vector
            state.epoch += 1
            state.step += 1
            self.measure(float(self.losses[0]))
            self.history.learning_rate.append(1.0)
            self.history.gradient_norm.append(norm)
            self.fraction = 0.0
            self.notify("on_steps_end")
            self.notify("on_epoch_end")
            if not self.is_stopping and self.history.epochs < self.epochs:
                self.notify("on_epoch_begin")
            return self.is_stopping

        best = self.parameters.copy()
        if not math.isfinite(objective(best)[0] + gradient_norm()):
            self.fail("loss", 0, 0)
            return
        self.notify("on_epoch_begin")
        try:
            with nullcontext() if self.engine.uses_blas else single_threaded_blas():
                converged, reason = self.optimizer.minimize(objective, best, self.epochs, after_iteration)
        finally:
            session.write(best)
        if converged or self.history.epochs < self.epochs:
            self.stop(reason, "converged" if converged else "completed")
