"""What scikit-learn records of a run: the loss of an epoch, whether it is stalled, and what follows.

The training loop is ganglion's own; a callback follows it. The rules and warnings are those of scikit-learn
1.9, `sklearn/neural_network/_multilayer_perceptron.py`.
"""

from __future__ import annotations

import copy
import inspect
import math
import numbers
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ganglion.core.part import Array
from ganglion.errors import DataError, shortened
from ganglion.estimators.validation import ValidationSet
from ganglion.optional import load
from ganglion.training.callbacks import Callback
from ganglion.training.history import History
from ganglion.training.optimizers import Adam
from ganglion.training.run import Training
from ganglion.training.schedules import Schedule, ScheduleState

STOCHASTIC_ATTRIBUTES = (  # kept from run to run, except with L-BFGS
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "validation_loss_curve_",
    "_no_improvement_count",
    "_rate",
)
NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
    "preprocessed."
)

SMALLEST_RATE = 1e-6  # at which "adaptive" stops dividing


@dataclass(frozen=True)
class AdjustableRate(Schedule):
    """A learning rate that is constant until `set_rate` changes it."""

    def start(self) -> ScheduleState:
        return (self.learning_rate,)

    def rate(self, epoch: float, state: ScheduleState) -> float:
        return state[0]

    def rates(self, epochs: Array, state: ScheduleState) -> Array:
        return np.full(len(epochs), state[0])


HeldRate = AdjustableRate  # its name in estimators that version 0.1 has pickled


class EpochOrder:
    """The order of the rows in each epoch: that of the last one, shuffled by NumPy's `RandomState`."""

    def __init__(self, rows: int, random_state: Any, shuffle: bool) -> None:
        self.latest = np.arange(rows)
        self.random_state, self.shuffle = random_state, shuffle

    def __call__(self, epoch: int) -> Array:
        if self.shuffle:
            permutation = np.arange(len(self.latest))
            self.random_state.shuffle(permutation)
            self.latest = self.latest[permutation]
        return self.latest


@dataclass(eq=False)
class Bookkeeper(Callback):
    """Updates an estimator's learned attributes during a run, and ends the run where scikit-learn would.

    Args:
        estimator: the estimator.
        validation: the validation rows, or None.
        constants: returns the constant part of each row's loss for encoded targets; None if there is none.
        restore: whether to restore the best weights at the end.
        fresh: whether the weights are initial ones; they then count as the best until an epoch is better. If
            not, and no epoch is better, the last weights stay.
        lbfgs: whether the solver is L-BFGS.
    """

    estimator: Any
    validation: ValidationSet | None
    constants: Callable[[Array], Array] | None
    restore: bool
    fresh: bool
    lbfgs: bool

    def __post_init__(self) -> None:
        self.best: tuple[Array, Array] | None = None
        self.training: Training | None = None
        self.scorer = None if self.validation is None else find_scorer(self.estimator.scoring)

    def _initialize_attributes(self) -> None:
        """Set the attributes of a stochastic solver that no earlier run has set."""
        estimator, own = self.estimator, vars(self.estimator)
        own.setdefault("loss_curve_", [])
        own.setdefault("_no_improvement_count", 0)
        own.setdefault("best_loss_", None)
        if not estimator.early_stopping and estimator.best_loss_ is None:
            estimator.best_loss_ = math.inf
        own.setdefault("validation_scores_", None)
        own.setdefault("best_validation_score_", None)
        if self.validation is not None and estimator.validation_scores_ is None:
            estimator.validation_scores_, estimator.best_validation_score_ = [], -math.inf
            estimator.validation_loss_curve_ = []

    def on_train_begin(self, training: Training) -> None:
        self.training, rows = training, training.plan.rows
        self.starts = np.arange(0, len(rows), training.plan.batch_size)
        self.fractions = np.diff([*self.starts, len(rows)]) / len(rows)
        self.row_constants = None if self.constants is None else self.constants(rows.y)
        if self.restore and self.fresh:
            self.best = training.copy_weights()
        if not self.lbfgs:
            self._initialize_attributes()

    def on_epoch_end(self, training: Training) -> None:
        estimator = self.estimator
        estimator.n_iter_ += 1
        if self.lbfgs and not estimator.verbose:
            return
        estimator.loss_ = self._loss(training)
        if estimator.verbose:
            self.print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
        if self.lbfgs:
            return
        estimator.t_ += len(training.plan.rows)
        estimator.loss_curve_.append(estimator.loss_)
        stalled, better = self._compare_loss()
        if self.validation is not None:
            stalled_by_score, better = self._compare_score(training, self.validation)
            stalled = stalled_by_score if estimator.early_stopping else stalled
        estimator._no_improvement_count = estimator._no_improvement_count + 1 if stalled else 0
        if better and self.restore:
            self.best = training.copy_weights()
        if estimator.learning_rate == "invscaling" and has_adjustable_rate(training):
            set_rate(training, float(estimator.learning_rate_init) / (estimator.t_ + 1) ** estimator.power_t)
        if estimator._no_improvement_count > estimator.n_iter_no_change:
            self._end_or_lower_rate(training)

    def on_train_end(self, training: Training) -> None:
        if self.lbfgs:
            if len(training.losses):  # it may have needed no iteration
                self.estimator.loss_ = self._loss(training)
            return
        self.estimator._rate = rate_of_last_update(training)
        if self.best is not None:
            training.restore_weights(self.best)

    def print(self, text: str) -> None:
        """Print a line if the estimator is verbose."""
        if self.estimator.verbose:
            sys.stdout.write(text + "\n")

    def score(self, outputs: Array) -> float:
        """Return the score of the outputs for the validation rows, NaN if they are not all finite."""
        estimator, validation, training = self.estimator, self.validation, self.training
        if validation is None or training is None or not np.isfinite(outputs).all():
            return math.nan
        if self.scorer is None:
            with np.errstate(over="ignore", invalid="ignore"):
                return float(estimator._score_outputs(validation, outputs))
        judged = copy.copy(estimator)
        judged.network_ = estimator.network_.with_parameters(training.predicting_parameters)
        judged._skips_names = True  # the rows are arrays by now, even if they were a frame
        score = self.scorer(judged, validation)
        if not isinstance(score, numbers.Real):
            raise DataError(f"scoring must give one number, got {shortened(score)}")
        return float(score)

    def report_outcome(self, history: History, incremental: bool) -> None:
        """Warn or raise after a run, as scikit-learn does.

        Raises:
            DataError: if a number was not finite and there are no best weights to keep.
        """
        estimator, reason = self.estimator, history.stopped_because
        if history.ended == "interrupted":
            warn("Training interrupted by user.", UserWarning)
        elif history.ended == "failed":
            self._record_failure()
            if self.best is None:
                raise DataError(NOT_FINITE, reason)
            warn(reason)
        elif history.ended == "stopped" and self._time_is_up():
            warn(f"max_seconds={estimator.max_seconds} reached and the optimization hasn't converged yet.")
        elif self.lbfgs and history.ended == "completed":
            warn(
                f"lbfgs failed to converge after {estimator.n_iter_} iteration(s): {reason}. You might "
                "increase max_iter or max_fun, or scale the data."
            )
        elif history.ended == "completed" and not (self.lbfgs or incremental):
            warn(
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
                "optimization hasn't converged yet."
            )

    def _time_is_up(self) -> bool:
        limit, training = self.estimator.max_seconds, self.training
        return limit is not None and training is not None and training.elapsed >= limit

    def _record_failure(self) -> None:
        """Record the epoch in which a number was not finite; scikit-learn would continue with NaN."""
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator.loss_ = math.nan
        if self.lbfgs:
            return
        estimator.t_ += 0 if self.training is None else len(self.training.plan.rows)
        estimator.loss_curve_.append(math.nan)
        if self.validation is not None:
            estimator.validation_scores_.append(math.nan)
            estimator.validation_loss_curve_.append(math.nan)

    def _loss(self, training: Training) -> np.float64:
        """Return the loss of the epoch: the mean over its batches, weighted by their rows, with penalties."""
        losses = training.losses * training.plan.report + training.penalties
        if self.row_constants is not None:
            weight = training.plan.rows.sample_weight
            losses = losses + batch_means(self.row_constants, weight, training.order, self.starts)
        return np.float64(losses @ self.fractions)

    def _compare_loss(self) -> tuple[bool, bool]:
        """Return whether the epoch is stalled, and whether it is the best, by the training loss."""
        estimator = self.estimator
        if estimator.early_stopping:
            return False, False
        best, loss = estimator.best_loss_, estimator.loss_
        estimator.best_loss_ = loss if loss < best else best
        return loss > best - estimator.tol, loss < best

    def _compare_score(self, training: Training, validation: ValidationSet) -> tuple[bool, bool]:
        """Return the same by the validation score."""
        estimator, history, loss = self.estimator, training.history, training.history.validation_loss[-1]
        if self.constants is not None:
            loss += np.average(self.constants(validation.y), weights=validation.weight)
        estimator.validation_loss_curve_.append(float(loss))
        score, best = history.metrics["score"][-1], estimator.best_validation_score_
        estimator.validation_scores_.append(score)
        self.print(f"Validation score: {score:f}")
        estimator.best_validation_score_ = score if score > best else best
        return score < best + estimator.tol, score > best

    def _end_or_lower_rate(self, training: Training) -> None:
        """End the run, or divide an adaptive learning rate by 5."""
        estimator = self.estimator
        quantity = "Validation score" if estimator.early_stopping else "Training loss"
        reason = (
            f"{quantity} did not improve more than tol={estimator.tol:f} for "
            f"{estimator.n_iter_no_change} consecutive epochs."
        )
        state = training.optimizer_state.schedule_state
        if estimator.learning_rate != "adaptive" or not has_adjustable_rate(training):
            self.print(f"{reason} Stopping.")
        elif state[0] <= SMALLEST_RATE:
            self.print(f"{reason} Learning rate too small. Stopping.")
        else:
            set_rate(training, state[0] / 5)
            self.print(f"{reason} Setting learning rate to {state[0] / 5:f}")
            estimator._no_improvement_count = 0
            return
        training.stop(reason[0].lower() + reason[1:-1])


def warn(text: str, category: type[Warning] = ConvergenceWarning) -> None:
    """Warn at the line that called `fit`."""
    warnings.warn(text, category, stacklevel=5)


def find_scorer(scoring: Any) -> Callable[[Any, ValidationSet], Any] | None:
    """Return the function that scores an estimator on validation rows; None stands for its own score.

    A scorer that accepts sample weights receives them.
    """
    if scoring is None:
        return None
    scorer = load("sklearn.metrics", "sklearn").get_scorer(scoring) if isinstance(scoring, str) else scoring
    accepted = inspect.signature(getattr(scorer, "_score_func", scorer)).parameters.values()
    accepts_weight = any(one.name == "sample_weight" or one.kind == one.VAR_KEYWORD for one in accepted)

    def score(estimator: Any, validation: ValidationSet) -> Any:
        use_weight = accepts_weight and validation.weight is not None
        weight = {"sample_weight": validation.weight} if use_weight else {}
        return scorer(estimator, validation.x, validation.labels, **weight)

    return score


def has_adjustable_rate(training: Training) -> bool:
    """Return whether the learning rate is set here, not by a schedule."""
    return isinstance(getattr(training.plan.optimizer, "learning_rate", None), AdjustableRate)


def rate_of_last_update(training: Training) -> float:
    """Return the learning rate, for Adam with its bias corrections, as in scikit-learn."""
    optimizer, rates = training.plan.optimizer, training.history.learning_rate
    rate = (
        training.optimizer_state.schedule_state[0]
        if has_adjustable_rate(training)
        else rates[-1]
        if rates
        else math.nan
    )
    if isinstance(optimizer, Adam) and rates:
        updates = training.optimizer_state.update
        rate *= math.sqrt(1 - optimizer.beta_2**updates) / (1 - optimizer.beta_1**updates)
    return rate


def set_rate(training: Training, rate: float) -> None:
    """Set the learning rate of an `AdjustableRate`.

    In scikit-learn each step adds its gradient to the velocity times its own rate; here the whole velocity is
    multiplied by the latest rate. Scaling it keeps earlier steps at their own rates.
    """
    state = training.optimizer_state
    if "velocity" in state.slots:
        state.slots["velocity"] *= state.schedule_state[0] / rate
    state.schedule_state = (rate,)


def batch_means(values: Array, weight: Array | None, order: Array, starts: Array) -> Array:
    """Return the weighted mean of the values in each batch; 0 for a batch of weight 0."""
    if weight is None:
        return np.add.reduceat(values[order], starts) / np.diff([*starts, len(order)])
    totals = np.add.reduceat(weight[order], starts)
    sums = np.add.reduceat((weight * values)[order], starts)
    return np.divide(sums, totals, out=np.zeros_like(sums), where=totals != 0)
