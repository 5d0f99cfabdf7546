"""The training loop: forward, loss, backward, update, again and again until a reason to stop.

It owns epochs, validation, stopping, interruption and history, and is the same for every engine; the
steps themselves are the engine's. It hands the engine some steps at a time, few enough that Ctrl-C is
answered at once, and what it hands over never changes what comes out.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ganglion.core.activations import LogSoftmax
from ganglion.core.architecture import Architecture
from ganglion.core.arrays import aligned_copy, aligned_zeros
from ganglion.core.part import Array
from ganglion.engines import Engine, Run
from ganglion.errors import ConfigError, TrainingError
from ganglion.training.blas import single_threaded_blas
from ganglion.training.callbacks import listeners
from ganglion.training.history import History
from ganglion.training.optimizers import LBFGS, Optimizer, StepOptimizer
from ganglion.training.plan import Plan
from ganglion.training.schedules import Memory

SECONDS_AT_ONCE = 0.05
GROWTH = 8  # from one call of the engine to the next, at the most
INTERRUPTED = "it was interrupted; what was learned so far is kept"


class Moment(NamedTuple):
    """Where a network is in its training: what the next step depends on besides the weights.

    Attributes:
        seed: of the network.
        step: how many updates it has had.
        optimizer: what makes the next one.
        slots: the optimizer's memory; empty at its start.
        update: the number of the next update of this optimizer, from 1.
        rate: its learning rate.
        raw: the parameters that the optimizer goes on from, where the network has their mean; else None.
        mean: that mean.
    """

    seed: int
    step: int
    optimizer: Optimizer
    slots: dict[str, Array]
    update: int
    rate: float
    raw: Array | None = None
    mean: Array | None = None


@dataclass
class Progress:
    """What a network must keep between two calls of `fit` to go on as if there had been one.

    An optimizer that equals the last one goes on with its memory and its schedule; another one starts
    afresh. `raw` holds the parameters as the optimizer left them, where the network was given their mean.
    """

    step: int = 0
    epoch: int = 0
    optimizer: Optimizer | None = None
    slots: dict[str, Array] = field(default_factory=dict)
    update: int = 0
    optimizer_epoch: int = 0
    memory: Memory = ()
    mean: Array | None = None
    raw: Array | None = None

    def copy(self) -> Progress:
        """Return the same with arrays of its own."""
        mean, raw = (None if vector is None else aligned_copy(vector) for vector in (self.mean, self.raw))
        slots = {name: aligned_copy(slot) for name, slot in self.slots.items()}
        return replace(self, slots=slots, mean=mean, raw=raw)

    def next_step(self, optimizer: object, seed: int, parameters: Array) -> Moment:
        """Return what the next step by an optimizer would start from, as it is now."""
        found = Optimizer.find(optimizer)
        goes_on = found == self.optimizer
        memory, epoch, rate = self.memory, self.optimizer_epoch, math.nan
        if isinstance(found, StepOptimizer):
            if not goes_on:
                memory, epoch = found.learning_rate.start(), 0
            rate = float(found.learning_rate.rates(np.array([float(epoch)]), memory)[0])
        slots = {name: slot.copy() for name, slot in self.slots.items()} if goes_on else {}
        averaged = goes_on and self.mean is not None and np.array_equal(self.mean, parameters)
        raw = self.raw.copy() if averaged and self.raw is not None else None
        mean = None if raw is None else parameters.copy()
        return Moment(seed, self.step, found, slots, self.update + 1 if goes_on else 1, rate, raw, mean)


class Training:
    """A run of training, as callbacks see it.

    Attributes:
        history: what was measured so far.
        epochs: how many were asked for.
        rows: how many rows an epoch visits.
        fraction: how much of the current epoch is done.
        parameters: the vector that is being learned.
        order: in which the current epoch visits the rows.
        losses: of each step of the current epoch, before its update and without penalty.
        penalties: of each step of the current epoch.
    """

    def __init__(
        self,
        architecture: Architecture,
        engine: Engine,
        parameters: Array,
        state: Array,
        progress: Progress,
        plan: Plan,
        seed: int,
    ) -> None:
        self.architecture, self.engine, self.plan, self.progress = architecture, engine, plan, progress
        self.history = History(metrics={metric.name: [] for metric in plan.metrics})
        self.parameters, self.state = parameters, state
        self.epochs, self.rows, self.fraction = plan.epochs, len(plan.rows), 0.0
        self.seed = seed
        self._reason, self._ended = "", "completed"
        self._begun = time.perf_counter()
        self._steps_at_once = 1
        self._listeners: dict[str, list[Callable[[Training], None]]] = {}
        sparse = not isinstance(plan.rows.x, np.ndarray)
        self._most_steps = max(1, plan.rows.at_once // plan.batch_size) if sparse else 0
        rows = len(plan.rows)
        self._equal_shares = _batch_shares(np.ones(rows), np.arange(rows), plan.batch_size)
        self.order: Array = np.empty(0, dtype=np.int64)
        self.losses: Array = np.empty(0)
        self.penalties: Array = np.empty(0)

    @property
    def has_validation(self) -> bool:
        """Whether rows are set aside to validate on."""
        return self.plan.validation is not None

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._begun

    def stop(self, reason: str, ended: str = "stopped") -> None:
        """Ask the run to end at the next moment, for a reason in words; the first reason stands."""
        if not self._reason:
            self._reason, self._ended = reason, ended

    def copy_weights(self) -> tuple[Array, Array]:
        """Return copies of the parameters (their mean, where one is kept) and the state."""
        mean = self.progress.mean
        return (self.parameters if mean is None else mean).copy(), self.state.copy()

    def restore_weights(self, weights: tuple[Array, Array]) -> None:
        """Put back what `copy_weights` gave."""
        self.parameters[...], self.state[...] = weights

    def run(self) -> History:
        """Train until there is a reason to stop."""
        try:
            self._tell("on_train_begin")
            with interruptible(lambda: self.stop(INTERRUPTED, "interrupted")):
                if isinstance(self.plan.optimizer, LBFGS):
                    self._minimize(self.plan.optimizer)
                elif isinstance(self.plan.optimizer, StepOptimizer):
                    self._descend(self.plan.optimizer)
                else:
                    raise TrainingError(
                        f"a run needs a gg.StepOptimizer or L-BFGS, got {self.plan.optimizer!r}"
                    )
        except BaseException as error:
            self.stop(f"{type(error).__name__} was raised: {error}", "failed")
            raise
        finally:
            self._tell("on_train_end")
            self.history.stopped_because = self._reason or f"all {self.epochs} epochs were done"
            self.history.ended = self._ended
        return self.history

    def _tell(self, moment: str) -> None:
        if moment not in self._listeners:
            self._listeners[moment] = listeners(self.plan.callbacks, moment)
        for listener in self._listeners[moment]:
            listener(self)

    def _new_run(self) -> Run:
        rows, plan, progress = self.plan.rows, self.plan, self.progress
        return Run(
            x=rows.x,
            y=rows.y,
            weight=rows.weight,
            loss=plan.loss,
            regularization=plan.regularization,
            parameters=self.parameters,
            state=self.state,
            seed=self.seed,
            step=progress.step,
            optimizer=plan.optimizer if isinstance(plan.optimizer, StepOptimizer) else None,
            slots=progress.slots,
            update=progress.update,
            mean=progress.mean,
        )

    def _descend(self, optimizer: StepOptimizer) -> None:
        """Update after every batch."""
        progress = self.progress
        if progress.optimizer != optimizer:
            progress.optimizer, progress.update, progress.optimizer_epoch = optimizer, 0, 0
            size, dtype = self.parameters.size, self.parameters.dtype
            progress.slots = {slot: aligned_zeros(size, dtype) for slot in optimizer.slots}
            progress.memory = optimizer.learning_rate.start()
            progress.mean = None
        if optimizer.average is not None:
            if progress.mean is None or not np.array_equal(progress.mean, self.parameters):
                progress.mean = self.parameters.copy()  # the user has changed them: start from there
            elif progress.raw is not None:
                self.parameters[...] = progress.raw
        run = self._new_run()
        try:
            for _ in range(self.epochs):
                self._tell("on_epoch_begin")
                if self._reason or not self._epoch(optimizer, run) or self._reason:
                    break
        finally:
            progress.step, progress.update = run.step, run.update
            if progress.mean is not None:
                progress.raw = self.parameters.copy()
                self.parameters[...] = progress.mean

    def _epoch(self, optimizer: StepOptimizer, run: Run) -> bool:
        """Visit every row once; return whether the epoch was completed."""
        progress, rows, size = self.progress, self.plan.rows, self.plan.batch_size
        order = self.order = self.plan.order(progress.epoch)
        steps = math.ceil(len(rows) / size)
        losses, penalties, norms = np.empty((3, steps))
        self.losses, self.penalties = losses, penalties
        rates = np.empty(0)
        first = 0
        while first < steps:
            begun = time.perf_counter()
            last = min(first + min(self._steps_at_once, self._most_steps or steps), steps)
            times = progress.optimizer_epoch + np.arange(first, last) / steps
            rates = optimizer.learning_rate.rates(times, progress.memory)
            which = order[first * size : last * size]
            if self._most_steps:  # the rows are sparse
                piece = rows.part(which).dense()
                run.x, run.y, run.weight, which = piece.x, piece.y, piece.weight, np.arange(len(piece))
            done = self.engine.train(self.architecture, run, which, size, rates)
            count = len(done.losses)
            made = slice(first, first + count)
            losses[made], penalties[made], norms[made] = done.losses, done.penalties, done.gradient_norms
            self.fraction = (first + count) / steps
            if done.failure:
                rate = float(rates[count])
                self.stop(_failure(done.failure, self.history.epochs, first + count, rate), "failed")
                return False
            self._tell("on_steps_end")
            if self._reason and last < steps:
                return False
            pace = (last - first) * SECONDS_AT_ONCE / max(time.perf_counter() - begun, 1e-6)
            self._steps_at_once = max(1, min(int(pace), GROWTH * self._steps_at_once))
            first = last
        progress.epoch += 1
        progress.optimizer_epoch += 1
        shares = self._equal_shares if rows.weight is None else _batch_shares(rows.weight, order, size)
        self._measure(run, float((losses * shares).sum()))
        self.history.learning_rate.append(float(rates[-1]))
        self.history.gradient_norm.append(float((norms * shares).sum()))
        watched = self.history.validation_loss or self.history.loss
        progress.memory = optimizer.learning_rate.observe(progress.memory, watched[-1])
        self._tell("on_epoch_end")
        return True

    def _measure(self, run: Run, loss: float) -> None:
        """Enter an epoch in the history, after validating."""
        plan, history = self.plan, self.history
        history.loss.append(loss * plan.report)
        judged = plan.validation or plan.rows
        if plan.validation or plan.metrics:
            pairs = [
                self.engine.evaluate(self.architecture, run, piece.x, piece.y) for piece in judged.pieces()
            ]
            losses, a = (
                both[0] if len(both) == 1 else np.concatenate(both) for both in zip(*pairs, strict=True)
            )
            if isinstance(self.architecture.output_activation, LogSoftmax):
                a = np.exp(a)  # metrics judge shares, not their logarithms
            if plan.validation:
                history.validation_loss.append(plan.report * float(np.average(losses, weights=judged.weight)))
            for metric in plan.metrics:
                history.metrics[metric.name].append(
                    metric.measure(a, judged.y, judged.weight, plan.loss.answers)
                )
        history.seconds.append(self.elapsed)

    def _minimize(self, optimizer: LBFGS) -> None:
        """Let L-BFGS drive: it asks for losses and gradients over all rows."""
        if self.architecture.state or any(layer.is_random for layer in self.architecture.layers):
            raise ConfigError(
                "L-BFGS needs a loss that is the same function in every step, without dropout and batch "
                "normalization",
                "use no dropout (0) and no batch normalization, or another optimizer",
            )
        if self.plan.regularization.max_norm is not None:
            raise ConfigError("L-BFGS cannot keep to a max_norm", "use l2, or another optimizer")
        if not self.epochs:
            return
        self.progress.optimizer, self.progress.mean = optimizer, None
        run = self._new_run()
        everything = self.order = np.arange(len(self.plan.rows))
        self.losses, self.penalties = np.full((2, 1), math.nan)
        latest: dict[str, Any] = {}

        def objective(vector: Array) -> tuple[float, Array]:
            run.parameters[...] = vector
            loss, penalty, gradient = self.engine.loss_and_gradient(self.architecture, run, everything)
            self.losses[0], self.penalties[0] = loss, penalty
            gradient = gradient.astype(np.float64, copy=False)
            latest.update(vector=vector.copy(), gradient=gradient)
            # Where it is not finite, the line search tries a shorter step.
            return loss * self.plan.report + penalty + self.plan.offset, gradient

        def gradient_norm() -> float:
            with np.errstate(over="ignore", invalid="ignore"):
                return float(np.sqrt(latest["gradient"] @ latest["gradient"]))

        def after_iteration(vector: Array) -> bool:
            if (latest["vector"] != vector).any():
                objective(vector)
            norm = gradient_norm()
            if not math.isfinite(self.losses[0] + norm):
                self.stop(_failure("loss", self.history.epochs, 0), "failed")
                return True
            best[...] = vector
            self.progress.epoch += 1
            self.progress.step += 1
            self._measure(run, float(self.losses[0]))
            self.history.learning_rate.append(1.0)
            self.history.gradient_norm.append(norm)
            self.fraction = 0.0
            self._tell("on_steps_end")
            self._tell("on_epoch_end")
            if not self._reason and self.history.epochs < self.epochs:
                self._tell("on_epoch_begin")
            return bool(self._reason)

        best = self.parameters.copy()
        if not math.isfinite(objective(best)[0] + gradient_norm()):
            self.stop(_failure("loss", 0, 0), "failed")
            return
        self._tell("on_epoch_begin")
        try:
            with nullcontext() if self.engine.uses_blas else single_threaded_blas():
                converged, reason = optimizer.minimize(
                    objective, self.parameters, self.epochs, after_iteration
                )
        finally:
            self.parameters[...] = best
        if converged or self.history.epochs < self.epochs:
            self.stop(reason, "converged" if converged else "completed")


def _batch_shares(weight: Array, order: Array, size: int) -> Array:
    """Return how much of the epoch's weight each batch has."""
    weights = np.add.reduceat(weight[order].astype(np.float64), np.arange(0, len(order), size))
    return weights / weights.sum()


def _failure(what: str, epoch: int, step: int, rate: float | None = None) -> str:
    happened = (
        f"the {what} was no longer finite in epoch {epoch + 1}, step {step + 1}; that step was not taken, "
        "and the last finite weights are kept. "
    )
    if rate is None:
        return happened + "The usual cause are inputs or targets that are not scaled"
    return happened + (
        f"The usual cause is a learning rate that is too high (it was {rate:g}: try a tenth); others are "
        "inputs or targets that are not scaled, and an output such as exp that overflows (clip_norm=1 in "
        "the optimizer helps)"
    )


@contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C ask for a clean end; a second one interrupts at once, as ever."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    before = signal.getsignal(signal.SIGINT)

    def handler(number: int, frame: Any) -> None:
        stop()
        signal.signal(signal.SIGINT, before)

    if before is not signal.default_int_handler:  # someone else answers Ctrl-C here: leave it to them
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
