"""scikit-learn's accounts of a run: what an epoch's loss is, when one has stalled, and what follows.

The training loop is ganglion's own; this callback watches it. Rules and words of warnings are those of
scikit-learn 1.9, `sklearn/neural_network/_multilayer_perceptron.py`.
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
from ganglion.estimators.aside import Held
from ganglion.optional import load
from ganglion.training.callbacks import Callback
from ganglion.training.history import History
from ganglion.training.optimizers import Adam
from ganglion.training.run import Training
from ganglion.training.schedules import Memory, Schedule

ACCOUNTS = (  # what a stochastic solver keeps from run to run, and L-BFGS does not have
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

SMALLEST_RATE = 1e-6  # below which "adaptive" divides no further


@dataclass(frozen=True)
class HeldRate(Schedule):
    """A learning rate that stays until whoever holds the run sets another."""

    def start(self) -> Memory:
        return (self.learning_rate,)

    def rate(self, epoch: float, memory: Memory) -> float:
        return memory[0]

    def rates(self, epochs: Array, memory: Memory) -> Array:
        return np.full(len(epochs), memory[0])


class Orders:
    """The order of each epoch: one more shuffle of the last, by NumPy's `RandomState`."""

    def __init__(self, rows: int, random_state: Any, shuffle: bool) -> None:
        self.latest = np.arange(rows)
        self.random_state, self.shuffle = random_state, shuffle

    def __call__(self, epoch: int) -> Array:
        if self.shuffle:
            again = np.arange(len(self.latest))
            self.random_state.shuffle(again)
            self.latest = self.latest[again]
        return self.latest


class Bookkeeper(Callback):
    """Keeps an estimator's learned attributes during a run, and ends it where scikit-learn would.

    Args:
        estimator: whose attributes are kept.
        held: the rows to validate on, None for none.
        constants: what is added to the loss of each row, whatever the weights; None for nothing.
        restore: whether the best weights are put back in the end.
        fresh: whether the network is as it was built; the best weights are then those, until an epoch is
            better. Otherwise they are those at the end.
        lbfgs: whether that is the solver.
    """

    def __init__(
        self,
        estimator: Any,
        held: Held | None,
        constants: Callable[[Array], Array] | None,
        restore: bool,
        fresh: bool,
        lbfgs: bool,
    ) -> None:
        self.estimator, self.held, self.constants = estimator, held, constants
        self.restore, self.fresh, self.lbfgs = restore, fresh, lbfgs
        self.best: tuple[Array, Array] | None = None
        self.training: Training | None = None
        self.scorer = None if held is None else find_scorer(estimator.scoring, held.weight is not None)

    def _open_accounts(self) -> None:
        """Begin the lists and bests that a stochastic solver keeps, where no earlier run has."""
        estimator, own = self.estimator, vars(self.estimator)
        own.setdefault("loss_curve_", [])
        own.setdefault("_no_improvement_count", 0)
        own.setdefault("best_loss_", None)
        if not estimator.early_stopping and estimator.best_loss_ is None:
            estimator.best_loss_ = math.inf
        own.setdefault("validation_scores_", None)
        own.setdefault("best_validation_score_", None)
        if self.held is not None and estimator.validation_scores_ is None:
            estimator.validation_scores_, estimator.best_validation_score_ = [], -math.inf
            estimator.validation_loss_curve_ = []

    def on_train_begin(self, training: Training) -> None:
        self.training, rows = training, training.plan.rows
        self.starts = np.arange(0, len(rows), training.plan.batch_size)
        self.shares = np.diff([*self.starts, len(rows)]) / len(rows)
        self.added = None if self.constants is None else self.constants(rows.y)
        if self.restore and self.fresh:
            self.best = training.copy_weights()
        if not self.lbfgs:
            self._open_accounts()

    def on_epoch_end(self, training: Training) -> None:
        estimator = self.estimator
        estimator.n_iter_ += 1
        if self.lbfgs and not estimator.verbose:
            return
        estimator.loss_ = self._loss(training)
        if estimator.verbose:
            self.say(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
        if self.lbfgs:
            return
        estimator.t_ += len(training.plan.rows)
        estimator.loss_curve_.append(estimator.loss_)
        stalled, better = self._judge_loss()
        if self.held is not None:
            stalled_by_score, better = self._judge_score(training, self.held)
            stalled = stalled_by_score if estimator.early_stopping else stalled
        estimator._no_improvement_count = estimator._no_improvement_count + 1 if stalled else 0
        if better and self.restore:
            self.best = training.copy_weights()
        if estimator.learning_rate == "invscaling" and is_held(training):
            set_rate(training, float(estimator.learning_rate_init) / (estimator.t_ + 1) ** estimator.power_t)
        if estimator._no_improvement_count > estimator.n_iter_no_change:
            self._stall(training)

    def on_train_end(self, training: Training) -> None:
        if self.lbfgs:
            if len(training.losses):  # it may have needed no iteration
                self.estimator.loss_ = self._loss(training)
            return
        self.estimator._rate = rate_of_last_update(training)
        if self.best is not None:
            training.restore_weights(self.best)

    def say(self, text: str) -> None:
        """Print a line where the estimator is verbose."""
        if self.estimator.verbose:
            sys.stdout.write(text + "\n")

    def score(self, outputs: Array) -> float:
        """Return the score of the outputs for the rows that were set aside, NaN where they are not finite."""
        estimator, held, training = self.estimator, self.held, self.training
        if held is None or training is None or not np.isfinite(outputs).all():
            return math.nan
        if self.scorer is None:
            with np.errstate(over="ignore", invalid="ignore"):
                return float(estimator._score_outputs(held, outputs))
        judged = copy.copy(estimator)
        judged.network_ = estimator.network_.with_parameters(training.predicting_parameters)
        judged._validates = False  # the rows are arrays by now, whatever they were
        score = self.scorer(judged, held)
        if not isinstance(score, numbers.Real):
            raise DataError(f"scoring must give one number, got {shortened(score)}")
        return float(score)

    def conclude(self, history: History, incremental: bool) -> None:
        """Say what is to be said after a run.

        Raises:
            DataError: where a number was no longer finite and no best weights were kept.
        """
        estimator, reason = self.estimator, history.stopped_because
        if history.ended == "interrupted":
            warn("Training interrupted by user.", UserWarning)
        elif history.ended == "failed":
            self._record_failure()
            if self.best is None:
                raise DataError(NOT_FINITE, reason)
            warn(reason)
        elif history.ended == "stopped" and self._time_is_over():
            warn(f"max_seconds={estimator.max_seconds} were over and the optimization hasn't converged yet.")
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

    def _time_is_over(self) -> bool:
        most, training = self.estimator.max_seconds, self.training
        return most is not None and training is not None and training.elapsed >= most

    def _record_failure(self) -> None:
        """Enter the epoch in which a number was no longer finite; scikit-learn would go on with NaN."""
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator.loss_ = math.nan
        if self.lbfgs:
            return
        estimator.t_ += 0 if self.training is None else len(self.training.plan.rows)
        estimator.loss_curve_.append(math.nan)
        if self.held is not None:
            estimator.validation_scores_.append(math.nan)
            estimator.validation_loss_curve_.append(math.nan)

    def _loss(self, training: Training) -> np.float64:
        """Return the loss of the epoch: the mean of its batches', penalties included, by their rows."""
        losses = training.losses * training.plan.report + training.penalties
        if self.added is not None:
            losses = losses + batch_means(
                self.added, training.plan.rows.sample_weight, training.order, self.starts
            )
        return np.float64(losses @ self.shares)

    def _judge_loss(self) -> tuple[bool, bool]:
        """Return whether the epoch stalled and whether it is the best so far, by the training loss."""
        estimator = self.estimator
        if estimator.early_stopping:
            return False, False
        best, loss = estimator.best_loss_, estimator.loss_
        estimator.best_loss_ = loss if loss < best else best
        return loss > best - estimator.tol, loss < best

    def _judge_score(self, training: Training, held: Held) -> tuple[bool, bool]:
        """Return the same by the score on the rows that were set aside."""
        estimator, history = self.estimator, training.history
        added = 0.0 if self.constants is None else np.average(self.constants(held.y), weights=held.weight)
        estimator.validation_loss_curve_.append(float(history.validation_loss[-1] + added))
        score, best = history.metrics["score"][-1], estimator.best_validation_score_
        estimator.validation_scores_.append(score)
        self.say(f"Validation score: {score:f}")
        estimator.best_validation_score_ = score if score > best else best
        return score < best + estimator.tol, score > best

    def _stall(self, training: Training) -> None:
        """End the run, or go on at a fifth of the rate where it is adaptive."""
        estimator = self.estimator
        what = "Validation score" if estimator.early_stopping else "Training loss"
        reason = (
            f"{what} did not improve more than tol={estimator.tol:f} for "
            f"{estimator.n_iter_no_change} consecutive epochs."
        )
        memory = training.optimizer_state.memory
        if estimator.learning_rate != "adaptive" or not is_held(training):
            self.say(f"{reason} Stopping.")
        elif memory[0] <= SMALLEST_RATE:
            self.say(f"{reason} Learning rate too small. Stopping.")
        else:
            set_rate(training, memory[0] / 5)
            self.say(f"{reason} Setting learning rate to {memory[0] / 5:f}")
            estimator._no_improvement_count = 0
            return
        training.stop(reason[0].lower() + reason[1:-1])


def warn(text: str, category: type[Warning] = ConvergenceWarning) -> None:
    """Warn whoever called `fit`, three calls further up from here."""
    warnings.warn(text, category, stacklevel=5)


def find_scorer(scoring: Any, weighted: bool) -> Callable[[Any, Held], Any] | None:
    """Return what scores an estimator on rows that are set aside, None for its own score.

    Weights are given to a scorer that takes them.
    """
    if scoring is None:
        return None
    scorer = load("sklearn.metrics", "sklearn").get_scorer(scoring) if isinstance(scoring, str) else scoring
    judge = getattr(scorer, "_score_func", scorer)
    takes = inspect.signature(judge).parameters.values()
    takes_weight = any(one.name == "sample_weight" or one.kind == one.VAR_KEYWORD for one in takes)

    def score(estimator: Any, held: Held) -> Any:
        weight = {"sample_weight": held.weight} if weighted and takes_weight else {}
        return scorer(estimator, held.x, held.labels, **weight)

    return score


def is_held(training: Training) -> bool:
    """Return whether the learning rate is set here, not by a schedule."""
    return isinstance(getattr(training.plan.optimizer, "learning_rate", None), HeldRate)


def rate_of_last_update(training: Training) -> float:
    """Return the learning rate; Adam's with both corrections of its averages, as scikit-learn keeps it."""
    optimizer, rates = training.plan.optimizer, training.history.learning_rate
    rate = training.optimizer_state.memory[0] if is_held(training) else rates[-1] if rates else math.nan
    if isinstance(optimizer, Adam) and rates:
        updates = training.optimizer_state.update
        rate *= math.sqrt(1 - optimizer.beta_2**updates) / (1 - optimizer.beta_1**updates)
    return rate


def set_rate(training: Training, rate: float) -> None:
    """Set the learning rate of a `HeldRate`.

    scikit-learn's velocity has the rate of each step in it, ganglion's is multiplied by that of the last:
    scaling it keeps what earlier steps left at their own rates.
    """
    state = training.optimizer_state
    if "velocity" in state.slots:
        state.slots["velocity"] *= state.memory[0] / rate
    state.memory = (rate,)


def batch_means(values: Array, weight: Array | None, order: Array, starts: Array) -> Array:
    """Return the weighted mean of the rows' values in each batch; 0 for a batch without weight."""
    if weight is None:
        return np.add.reduceat(values[order], starts) / np.diff([*starts, len(order)])
    totals = np.add.reduceat(weight[order], starts)
    sums = np.add.reduceat((weight * values)[order], starts)
    return np.divide(sums, totals, out=np.zeros_like(sums), where=totals != 0)
