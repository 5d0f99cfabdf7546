"""Training with a step optimizer: one update per batch, epoch by epoch.

The engine makes the steps. Each call makes a number of them, few enough that Ctrl-C takes effect at once; the
number does not change the result.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from ganglion.core.part import Array
from ganglion.engines import Learned, Objective, Session
from ganglion.training.history import History
from ganglion.training.optimizers import StepOptimizer
from ganglion.training.run import Training, interruptible

SECONDS_AT_ONCE = 0.05
GROWTH = 8  # from one call of the engine to the next, at most


class Progress(NamedTuple):
    """How far an epoch is: the number of steps made, and what was measured in each."""

    first: int
    losses: Array
    penalties: Array
    gradient_norms: Array


NOTHING = Progress(0, *np.empty((3, 0)))


class Descent(Training):
    """A run that makes one update per batch."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        rows, size = self.plan.rows, self.plan.batch_size
        self.optimizer: StepOptimizer = self.plan.optimizer  # type: ignore[assignment]
        self._steps_at_once, self.steps = 1, math.ceil(len(rows) / size)
        self.progress = NOTHING
        self._left, self._is_pausing = sys.maxsize, False
        self._equal_fractions = _batch_fractions(np.ones(len(rows)), np.arange(len(rows)), size)

    def go_on(
        self,
        history: History,
        elapsed: float,
        callbacks: Sequence[Mapping[str, Any]] | None,
        progress: Progress = NOTHING,
    ) -> None:
        super().go_on(history, elapsed, callbacks)
        self.progress = progress

    def _open(self, objective: Objective) -> Session:
        state, model = self.optimizer_state, self.model
        state.start(self.optimizer, model.parameters)
        mean = None if self.optimizer.average is None else state.mean
        start = Learned(model.parameters, model.state, state.step, state.slots, state.update, mean)
        return self.engine.open(model, self.plan.rows, objective, self.optimizer, start)

    def advance(self, updates: int) -> int:
        """Make some updates of a run that has begun, and leave the network as if the run ended there.

        Returns:
            How many were made: fewer after Ctrl-C, and where the run ends.
        """
        self._left, self._is_pausing = updates, False
        with interruptible(self.pause):
            self._learn()
        made, self._left, self._is_pausing = updates - self._left, sys.maxsize, False
        return made

    def pause(self) -> None:
        """Make `advance` end after the updates that the engine is making."""
        self._is_pausing = True

    @property
    def _is_resting(self) -> bool:
        return self.is_stopping or self._is_pausing or not self._left

    def _learn(self) -> None:
        state = self.optimizer_state
        if self.optimizer.average is not None and state.raw is not None:
            self.session.write(state.raw)  # while learning, the parameters are the optimizer's own
        try:
            while self.history.epochs < self.epochs and not self._is_resting:
                if not self.progress.first:
                    self.notify("on_epoch_begin")
                if self.is_stopping or not self._epoch():
                    break
        finally:
            learned = self.session.read()
            state.step, state.update = learned.step, learned.update
            if learned.mean is not None:
                state.raw = learned.parameters.copy()
                self.session.write(learned.mean)

    def _epoch(self) -> bool:
        """Visit each row once; return whether the epoch was completed."""
        state, rows, size = self.optimizer_state, self.plan.rows, self.plan.batch_size
        schedule = self.optimizer.learning_rate
        order = self.order = self.plan.order(state.epoch)
        steps = self.steps
        losses, penalties, norms = np.empty((3, steps))
        self.losses, self.penalties = losses, penalties
        rates, first = np.empty(0), self.progress.first
        for values, known in zip((losses, penalties, norms), self.progress[1:], strict=True):
            values[:first] = known
        for places, supplied in self._feed(order, first):
            while first < supplied:
                begun = time.perf_counter()
                last = min(first + self._steps_at_once, supplied, first + self._left)
                times = state.optimizer_epoch + np.arange(first, last) / steps
                rates = schedule.rates(times, state.schedule_state)
                done = self.session.steps(places[first * size : last * size], size, rates)
                count = len(done.losses)
                made = slice(first, first + count)
                losses[made], penalties[made], norms[made] = done.losses, done.penalties, done.gradient_norms
                self.fraction = (first + count) / steps
                self._left -= count
                after = first + count
                self.progress = Progress(after, losses[:after], penalties[:after], norms[:after])
                self.notify("on_steps_end")
                if done.failure:
                    self.fail(done.failure, self.history.epochs, after, float(rates[count]))
                    return False
                if self._is_resting and last < steps:
                    return False
                pace = (last - first) * SECONDS_AT_ONCE / max(time.perf_counter() - begun, 1e-6)
                self._steps_at_once = max(1, min(int(pace), GROWTH * self._steps_at_once))
                first = last
        state.epoch += 1
        state.optimizer_epoch += 1
        weight = rows.sample_weight
        fractions = self._equal_fractions if weight is None else _batch_fractions(weight, order, size)
        self.measure(float((losses * fractions).sum()))
        self.history.learning_rate.append(float(rates[-1]))
        self.history.gradient_norm.append(float((norms * fractions).sum()))
        watched = self.history.validation_loss or self.history.loss
        state.schedule_state = schedule.observe(state.schedule_state, watched[-1])
        self.progress = NOTHING
        self.notify("on_epoch_end")
        return True

    def _feed(self, order: Array, first: int) -> Iterator[tuple[Array, int]]:
        """Supply the session with the rows of an epoch, from a step on.

        Yields the places in the session's rows of the rows in `order`, and how many steps can be made. Lazy
        rows are made in a thread of their own, while the session learns from those before.
        """
        rows, size = self.plan.rows.in_epoch(self.optimizer_state.epoch), self.plan.batch_size
        if not rows.is_lazy:
            yield order, math.ceil(len(order) / size)
            return
        count = max(1, rows.at_once // size) * size
        pieces = [order[first : first + count] for first in range(0, len(order), count)]
        begin = first * size // count
        made = rows.part(pieces[begin]).dense()
        with ThreadPoolExecutor(1, thread_name_prefix="ganglion-supply") as pool:
            for number in range(begin, len(pieces)):
                self.session.feed(made)
                later = [pool.submit(rows.part(piece).dense) for piece in pieces[number + 1 : number + 2]]
                yield np.arange(len(order)) % count, math.ceil(min((number + 1) * count, len(order)) / size)
                made = later[0].result() if later else made


def _batch_fractions(weight: Array, order: Array, size: int) -> Array:
    """Return each batch's fraction of the epoch's total sample weight."""
    weights = np.add.reduceat(weight[order].astype(np.float64), np.arange(0, len(order), size))
    return weights / weights.sum()
