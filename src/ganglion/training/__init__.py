"""How a network learns: the plan of a run, optimizers, schedules, the run itself, stopping, callbacks."""

from __future__ import annotations

from ganglion.core.model import Model
from ganglion.engines import Engine
from ganglion.errors import TrainingError
from ganglion.training.descending import Descent
from ganglion.training.minimizing import Minimization
from ganglion.training.optimizer_state import OptimizerState
from ganglion.training.optimizers import LBFGS, StepOptimizer
from ganglion.training.plan import Plan
from ganglion.training.run import Training

__all__ = ["Training", "make_training"]


def make_training(model: Model, engine: Engine, optimizer_state: OptimizerState, plan: Plan) -> Training:
    """Return the run that suits the plan's optimizer.

    Raises:
        TrainingError: for an optimizer that neither makes steps nor is L-BFGS.
    """
    if isinstance(plan.optimizer, StepOptimizer):
        return Descent(model, engine, optimizer_state, plan)
    if isinstance(plan.optimizer, LBFGS):
        return Minimization(model, engine, optimizer_state, plan)
    raise TrainingError(f"a run needs a gg.StepOptimizer or L-BFGS, got {plan.optimizer!r}")
