"""scikit-learn's accounts of a run: what an epoch's loss is, when one has stalled, and what follows.

The training loop is ganglion's own; this callback watches it. Rules and words of warnings are those of
scikit-learn 1.9, `sklearn/neural_network/_multilayer_perceptron.py`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ganglion.core.part import Array
from ganglion.errors import load
from ganglion.training.callbacks import Callback
from ganglion.training.loop import Training
from ganglion.training.optimizers import LBFGS
from ganglion.training.schedules import Memory, Schedule

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


class Held(NamedTuple):
    """Rows that are set aside to validate on.

    Attributes:
        x: as the engine takes them.
        y: targets as the loss takes them.
        labels: targets as a score takes them.
        weight: how much each row counts.
    """

    x: Array
    y: Array
    labels: Any
    weight: Array | None


class Bookkeeper(Callback):
    """Keeps an estimator's learned attributes during a run, and ends it where scikit-learn would.

    Args:
        estimator: whose attributes are kept.
        held: the rows to validate on, None for none.
        constants: what is added to the loss of each row, whatever the weights; None for nothing.
        restore: whether the best weights are put back in the end.
        fresh: whether the network is as it was built; the best weights are then those, until an epoch is
            better. Otherwise they are those at the end.
    """

    def __init__(
        self,
        estimator: Any,
        held: Held | None,
        constants: Callable[[Array], Array] | None,
        restore: bool,
        fresh: bool,
    ) -> None:
        self.estimator, self.held, self.constants = estimator, held, constants
        self.restore, self.fresh = restore, fresh
        self.best: tuple[Array, Array] | None = None

    def on_train_begin(self, training: Training) -> None:
        self.training, rows = training, training.plan.rows
        self.lbfgs = isinstance(training.plan.optimizer, LBFGS)
        self.starts = np.arange(0, len(rows), training.plan.batch_size)
        self.shares = np.diff([*self.starts, len(rows)]) / len(rows)
        self.added = None if self.constants is None else self.constants(rows.y)
        if self.restore and self.fresh:
            self.best = training.copy_weights()

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
        if estimator.learning_rate == "invscaling" and training.progress.memory:
            set_rate(training, float(estimator.learning_rate_init) / (estimator.t_ + 1) ** estimator.power_t)
        if estimator._no_improvement_count > estimator.n_iter_no_change:
            self._stall(training)

    def on_train_end(self, training: Training) -> None:
        if self.lbfgs:  # it may have needed no iteration
            self.estimator.loss_ = self._loss(training)
            return
        memory, rates = training.progress.memory, training.history.learning_rate
        self.estimator._rate = memory[0] if memory else rates[-1] if rates else math.nan
        if self.best is not None:
            training.restore_weights(self.best)

    def say(self, text: str) -> None:
        """Print a line where the estimator is verbose."""
        if self.estimator.verbose:
            sys.stdout.write(text + "\n")

    def score(self, outputs: Array) -> float:
        """Return the score of the outputs for the rows that were set aside, NaN where they are not finite."""
        estimator, held = self.estimator, self.held
        if held is None or not np.isfinite(outputs).all():
            return math.nan
        if estimator.scoring is None:
            with np.errstate(over="ignore", invalid="ignore"):
                return float(estimator._score_outputs(held, outputs))
        check_scoring = load("sklearn.metrics", "sklearn").check_scoring
        weight = {} if held.weight is None else {"sample_weight": held.weight}
        raw = self.training.parameters.copy()
        if self.training.progress.mean is not None:  # it is what predicts
            self.training.parameters[...] = self.training.progress.mean
        estimator._validates = False  # the rows are arrays by now, whatever they were
        try:
            return float(
                check_scoring(estimator, estimator.scoring)(estimator, held.x, held.labels, **weight)
            )
        finally:
            del estimator._validates
            self.training.parameters[...] = raw

    def _loss(self, training: Training) -> float:
        """Return the loss of the epoch: the mean of its batches', penalties included, by their rows."""
        losses = training.losses * training.plan.report + training.penalties
        if self.added is not None:
            losses = losses + batch_means(self.added, training.plan.rows.weight, training.order, self.starts)
        return float(losses @ self.shares)

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
        memory = training.progress.memory
        if estimator.learning_rate != "adaptive" or not memory:
            self.say(f"{reason} Stopping.")
        elif memory[0] <= SMALLEST_RATE:
            self.say(f"{reason} Learning rate too small. Stopping.")
        else:
            set_rate(training, memory[0] / 5)
            self.say(f"{reason} Setting learning rate to {memory[0] / 5:f}")
            estimator._no_improvement_count = 0
            return
        training.stop(reason[0].lower() + reason[1:-1])


def set_rate(training: Training, rate: float) -> None:
    """Set the learning rate of a `HeldRate`.

    scikit-learn's velocity has the rate of each step in it, ganglion's is multiplied by that of the last:
    scaling it keeps what earlier steps left at their own rates.
    """
    progress = training.progress
    if "velocity" in progress.slots:
        progress.slots["velocity"] *= progress.memory[0] / rate
    progress.memory = (rate,)


def batch_means(values: Array, weight: Array | None, order: Array, starts: Array) -> Array:
    """Return the weighted mean of the rows' values in each batch; 0 for a batch without weight."""
    if weight is None:
        return np.add.reduceat(values[order], starts) / np.diff([*starts, len(order)])
    totals = np.add.reduceat(weight[order], starts)
    sums = np.add.reduceat((weight * values)[order], starts)
    return np.divide(sums, totals, out=np.zeros_like(sums), where=totals != 0)
