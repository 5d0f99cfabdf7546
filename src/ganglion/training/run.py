"""A training run, as callbacks see it: its history, the current parameters, and how to stop it.

This is the code common to `descending.py` and `minimizing.py`, which update the parameters.
"""

from __future__ import annotations

import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ganglion.core.architecture import Architecture
from ganglion.core.model import Model
from ganglion.core.part import Array
from ganglion.engines import Engine, Objective, Session
from ganglion.training.callbacks import listeners
from ganglion.training.history import History
from ganglion.training.optimizer_state import OptimizerState
from ganglion.training.plan import Plan

INTERRUPTED = "it was interrupted; the weights learned so far are kept"


class Training(ABC):
    """A training run, as callbacks see it.

    Attributes:
        model: the model being trained.
        plan: the validated arguments of `fit`.
        optimizer_state: the current state of the optimizer.
        history: the measurements so far.
        epochs: the number of epochs requested.
        rows: the number of rows per epoch.
        fraction: the completed fraction of the current epoch.
        order: the order of the rows in the current epoch.
        losses: the loss of each step of the current epoch, before its update and without penalty.
        penalties: the penalty of each step of the current epoch.
    """

    session: Session

    def __init__(self, model: Model, engine: Engine, optimizer_state: OptimizerState, plan: Plan) -> None:
        self.model, self.engine, self.plan, self.optimizer_state = model, engine, plan, optimizer_state
        self.history = History(metrics={metric.name: [] for metric in plan.metrics})
        self.epochs, self.rows, self.fraction = plan.epochs, len(plan.rows), 0.0
        self._reason, self._ended = "", "completed"
        self._begun = time.perf_counter()
        self._listeners: dict[str, list[Callable[[Training], None]]] = {}
        self.order: Array = np.empty(0, dtype=np.int64)
        self.remembering = [callback for callback in plan.callbacks if callback.remembers]
        self._remembered: Sequence[Mapping[str, Any]] | None = None
        self.losses: Array = np.empty(0)
        self.penalties: Array = np.empty(0)

    @property
    def architecture(self) -> Architecture:
        """The architecture being trained."""
        return self.model.architecture

    @property
    def parameters(self) -> Array:
        """The current parameter vector; do not modify it."""
        return self.session.read().parameters

    @property
    def predicting_parameters(self) -> Array:
        """The parameters used for predictions: the running mean if there is one, else `parameters`."""
        learned = self.session.read()
        return learned.parameters if learned.mean is None else learned.mean

    @property
    def has_validation(self) -> bool:
        """Whether there are validation rows."""
        return self.plan.validation is not None

    @property
    def elapsed(self) -> float:
        """Seconds since the start of the run."""
        return time.perf_counter() - self._begun

    def stop(self, reason: str, ended: str = "stopped") -> None:
        """Request the end of the run, for a reason in words; the first reason is kept."""
        if not self._reason:
            self._reason, self._ended = reason, ended

    def go_on(self, history: History, elapsed: float, callbacks: Sequence[Mapping[str, Any]] | None) -> None:
        """Go on from an earlier run instead of beginning.

        Args:
            history: of that run.
            elapsed: its seconds.
            callbacks: what each callback that remembers anything kept, in order; None if they begin again.
        """
        self.history, self._remembered = history, callbacks
        self._begun -= elapsed

    def show(self, history: History) -> History:
        """Show the callbacks a run that has ended before, whose results the model already has."""
        self.history = history
        self.session = self.engine.open(self.model, self.plan.rows, self._objective)
        self.notify("on_train_begin")
        self.notify("on_train_end")
        return history

    @property
    def _objective(self) -> Objective:
        return Objective(self.plan.loss, self.plan.regularization)

    @property
    def is_stopping(self) -> bool:
        """Whether the end of the run was requested."""
        return bool(self._reason)

    def copy_weights(self) -> tuple[Array, Array]:
        """Return copies of the parameters (their running mean, if there is one) and the state."""
        return self.predicting_parameters.copy(), self.session.read().state.copy()

    def restore_weights(self, weights: tuple[Array, Array]) -> None:
        """Restore the result of `copy_weights`."""
        self.session.write(*weights)

    def run(self) -> History:
        """Train until all epochs are done or the run is stopped."""
        self.open()
        try:
            self.begin()
            with interruptible(lambda: self.stop(INTERRUPTED, "interrupted")):
                self._learn()
        except BaseException as error:
            self.stop(f"{type(error).__name__} was raised: {error}", "failed")
            raise
        finally:
            self.end()
        return self.history

    def open(self) -> None:
        """Open the engine's session."""
        self.session = self._open(self._objective)

    def begin(self) -> None:
        """Tell the callbacks that the run begins, or goes on."""
        self.notify("on_train_begin")
        if self._remembered is not None:
            for callback, kept in zip(self.remembering, self._remembered, strict=True):
                callback.recall(kept)

    def end(self) -> None:
        """Tell the callbacks that the run ends, and note why."""
        self.notify("on_train_end")
        all_done = "the epoch was" if self.epochs == 1 else f"all {self.epochs} epochs were"
        self.history.stopped_because = self._reason or f"{all_done} done"
        self.history.ended = self._ended

    @abstractmethod
    def _open(self, objective: Objective) -> Session:
        """Open the engine's session."""

    @abstractmethod
    def _learn(self) -> None:
        """Update the parameters, epoch by epoch, until all are done or the run is stopped."""

    def notify(self, moment: str) -> None:
        """Call the callbacks' methods for a moment."""
        if moment not in self._listeners:
            self._listeners[moment] = listeners(self.plan.callbacks, moment)
        for listener in self._listeners[moment]:
            listener(self)

    def fail(self, what: str, epoch: int, step: int, rate: float | None = None) -> None:
        """End the run because a number was not finite."""
        happened = (
            f"the {what} was no longer finite in epoch {epoch + 1}, step {step + 1}; that step was not "
            "taken, and the last finite weights are kept. "
        )
        cause = "Usually the inputs or targets are unscaled"
        if rate is not None:
            cause = (
                f"Usually the learning rate is too high (it was {rate:g}: try a tenth); other causes are "
                "unscaled inputs or targets, and an output such as exp that overflows (clip_norm=1 in the "
                "optimizer helps)"
            )
        self.stop(happened + cause, "failed")

    def measure(self, loss: float) -> None:
        """Validate, and enter an epoch in the history."""
        plan, history = self.plan, self.history
        history.loss.append(loss * plan.report)
        judged = plan.validation or plan.rows
        if plan.validation or plan.metrics:
            pairs = [self.session.evaluate(piece) for piece in judged.pieces()]
            losses, a = (
                both[0] if len(both) == 1 else np.concatenate(both) for both in zip(*pairs, strict=True)
            )
            weight = judged.sample_weight
            if (activation := self.architecture.output_activation) is not None:
                a = activation.probabilities(a)  # metrics expect probabilities, not their logarithms
            if plan.validation:
                history.validation_loss.append(plan.report * float(np.average(losses, weights=weight)))
            for metric in plan.metrics:
                history.metrics[metric.name].append(metric.measure(a, judged.y, weight, plan.loss.answers))
        history.seconds.append(self.elapsed)


@contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Make the first Ctrl-C request a clean end; a second one interrupts at once, as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    before = signal.getsignal(signal.SIGINT)

    def handler(number: int, frame: Any) -> None:
        stop()
        signal.signal(signal.SIGINT, before)

    if before is not signal.default_int_handler:  # leave a custom handler alone
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
