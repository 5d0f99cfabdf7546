"""The stepper: a training run that goes one update at a time, forward and back, exactly.

It keeps snapshots of the run here and there, its keyframes. To go anywhere, it restores the last one before
and makes the updates in between once more: order and masks are functions of the seed and the step, so they
have the same bits each time.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ganglion import insight
from ganglion.checks import check_flag, check_integer, check_number
from ganglion.core.inputs import as_float64
from ganglion.core.layers import Context
from ganglion.core.part import Array
from ganglion.core.rows import Rows
from ganglion.errors import ConfigError, DataError, one_of, shortened
from ganglion.insight.trace.places import parameter_place
from ganglion.network import Network
from ganglion.training.callbacks import Callback
from ganglion.training.descending import NOTHING, Descent
from ganglion.training.history import History
from ganglion.training.plan import Plan, encode_rows
from ganglion.training.run import Training
from ganglion.training.snapshot import Snapshot

MEBIBYTE = 2**20
MOST_KEYFRAMES, SPACING = 256, 8
OWN = ("self", "X", "y", "progress", "checkpoint", "every")
SETTINGS = tuple(name for name in inspect.signature(Network.fit).parameters if name not in OWN)


@dataclass(frozen=True)
class Found:
    """The first update at which a condition holds.

    Attributes:
        update: its number: the condition holds after so many updates, and not after one fewer.
        epoch: the epoch in which it was made, from 1.
        rows: the numbers of the rows of its batch; none if the condition held from the beginning.
        parts: each row's part of the batch's gradient; they sum to 1.
    """

    update: int
    epoch: int
    rows: Array
    parts: Array


class Stepper:
    """A training run that goes one update at a time, forward and back, exactly.

    After each call the network is as `fit` would have left it there: it predicts, traces, is checked and
    saved as it stands. All updates together give the bits of one call of `fit`.

    Args:
        network: the `Network` to train; it changes with every step.
        X, y: rows and targets, as for `Network.fit`.
        megabytes: the memory of the keyframes, from which it goes back; 256 by default.
        settings: all other arguments of `Network.fit`: loss, optimizer, epochs, batch_size, validation ...

    Attributes:
        network: as given.
        update: the number of updates made.
        first: that of the beginning, 0; of a branch, that where it begins.

    Raises:
        ConfigError: for a setting out of range, or L-BFGS, which makes no single updates.
        DataError, ShapeError: for invalid rows or targets.

    >>> net = gg.Network([gg.Dense(1)], inputs=1)
    >>> stepper = gg.Stepper(net, [[0], [1], [2], [3]], [1, 3, 5, 7], batch_size=2, epochs=10)
    >>> stepper.step(3)
    >>> stepper
    <Stepper: update 3 of 20, epoch 2 of 10, loss 8.802>
    >>> before = net.parameters.copy()
    >>> stepper.step(2)
    >>> stepper.back(2)
    >>> (net.parameters == before).all()
    np.True_
    """

    def __init__(self, network: Network, X: Any, y: Any, *, megabytes: float = 256, **settings: Any) -> None:
        self.network, self.X, self.y, self.settings = network, X, y, settings
        self._budget = int(check_number("megabytes", megabytes, above=0) * MEBIBYTE)
        if unknown := settings.keys() - set(SETTINGS):
            name = min(unknown)
            raise ConfigError(f"a stepper has no setting {shortened(name)}", one_of(name, SETTINGS))
        self._recorder = _Recorder()
        self._plan = self._make_plan()
        self._before = copy.deepcopy(network.history)
        self.update = self.first = 0
        self._keyframes: dict[int, Snapshot] = {}
        self._pinned = {0}
        self._fails_after: int | None = None
        self._is_going = self._is_pausing = False
        self._spacing = SPACING
        self._training = self._begin(None)
        self._keep_keyframe()

    def _make_plan(self) -> Plan:
        plan = self.network.plan(self.X, self.y, **self.settings)
        if not plan.optimizer.makes_steps:
            hint = "use another optimizer, such as sgd or adam"
            raise ConfigError(f"{plan.optimizer.name} makes no single updates", hint)
        return dataclasses.replace(plan, callbacks=[*plan.callbacks, self._recorder])

    @property
    def rows(self) -> Rows:
        """The rows that it learns from, as engines take them."""
        return self._plan.rows

    @property
    def plan(self) -> Plan:
        """The settings, validated."""
        return self._plan

    @property
    def history(self) -> History:
        """The measurements of the epochs of this run."""
        return self._training.history

    @property
    def losses(self) -> Array:
        """The loss of the batch of each update from `first` on, before the update and without penalty."""
        return self._recorder.values(0, self.update - self.first)

    @property
    def gradient_norms(self) -> Array:
        """The norm of the gradient of each update from `first` on, before clipping."""
        return self._recorder.values(1, self.update - self.first)

    @property
    def steps(self) -> int:
        """The number of updates of an epoch."""
        return self._training.steps

    @property
    def position(self) -> int:
        """The number of updates made in the current epoch."""
        return self._training.progress.first

    @property
    def total(self) -> int:
        """The number of updates when all epochs are done."""
        left = self._plan.epochs - self.history.epochs
        return self.update + max(0, left * self.steps - self.position)

    @property
    def reached(self) -> int:
        """The greatest number of updates made so far; those beyond the present one can be made again."""
        return self.first + self._recorder.reached

    @property
    def keyframes(self) -> list[int]:
        """The updates of which a snapshot is kept."""
        return sorted(self._keyframes)

    @property
    def has_ended(self) -> bool:
        """Whether all epochs are done, a callback stopped the run, or a number was not finite."""
        return self._training.is_stopping or self.history.epochs >= self._plan.epochs

    @property
    def ended_because(self) -> str:
        """Why the run ended, in words; "" before it has."""
        return self.history.stopped_because if self.has_ended else ""

    def step(self, count: int = 1) -> None:
        """Make some updates, fewer if the run ends before."""
        self._go(self.update + check_integer("count", count, at_least=0))

    def back(self, count: int = 1) -> None:
        """Take back some updates.

        Raises:
            ConfigError: if there are fewer.
        """
        self.seek(self.update - check_integer("count", count, at_least=0))

    def epoch(self) -> None:
        """Make the updates that are left of the current epoch."""
        self.step(self.steps - self.position)

    def pause(self) -> None:
        """Make a call of `step`, `seek` or `epoch` in another thread end early, between two updates."""
        if self._is_going:
            self._is_pausing = True
            self._training.pause()

    def seek(self, update: int) -> None:
        """Go to where a number of updates have been made, forward or back.

        Raises:
            ConfigError: if the run has no such update.
        """
        first, last = self.first, max(self.total, self.reached)
        update = check_integer("update", update, at_least=-sys.maxsize)
        if not first <= update <= last:
            hint = "a branch begins there; seek in the stepper that it came from" if self.first else ""
            raise ConfigError(f"update must be from {first} to {last}, got {update}", hint)
        self._go(update)

    def snapshot(self) -> Snapshot:
        """Return a copy of everything that the next update depends on, for `restore`."""
        return dataclasses.replace(Snapshot.of(self._training), made=self.update)

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot of this run or a branch of it. What came after it is forgotten.

        Raises:
            ConfigError: for a snapshot of another network, or from before the beginning.
        """
        model = self.network.model
        if snapshot.parameters.shape != model.parameters.shape or snapshot.made < self.first:
            raise ConfigError("this is a snapshot of another run")
        self._load(snapshot)
        self._pin()

    def edit(self, parameter: str, index: int | Sequence[int], value: float) -> None:
        """Set one parameter. What came after this update is forgotten, and the run goes on from here.

        Whoever wants to keep both makes a `branch` first. Writing to `network.parameters` does the same.

        Args:
            parameter: such as "dense_1/weight".
            index: of the number in the parameter, such as (3, 2): input 3, unit 2.
            value: the new number.

        Raises:
            ConfigError: if there is no such parameter.
            DataError: if the number is not finite in the network's type.
        """
        model = self.network.model
        entry, place = parameter_place(model.architecture, parameter, index)
        number = check_number("value", value)
        with np.errstate(over="ignore"):
            new = model.dtype.type(number)
        if not np.isfinite(new):
            raise DataError(f"value must fit {model.dtype.name}, got {number:g}")
        self._notice_edits()
        entry.of(model.parameters)[place] = new
        self._notice_edits()

    def branch(self, **changes: Any) -> Self:
        """Return a run of its own that goes on from here, with a copy of the network; this one is unchanged.

        A new optimizer starts from scratch. If the batches have another size, the epoch begins again.

        Args:
            changes: settings that differ, such as optimizer=gg.SGD(0.01).

        Raises:
            ConfigError: for a setting out of range.
        """
        self._notice_edits()
        settings = {**self.settings, **changes}
        if "callbacks" in settings:  # which remember; all else is only read
            settings["callbacks"] = copy.deepcopy(settings["callbacks"])
        network = copy.deepcopy(self.network)
        made = type(self)(network, self.X, self.y, megabytes=self._budget / MEBIBYTE, **settings)
        snapshot = self.snapshot()
        if len(made.rows) != len(self.rows) or made.steps != self.steps:
            snapshot = dataclasses.replace(snapshot, progress=NOTHING)
        if len(made._training.remembering) != len(self._training.remembering):
            snapshot = dataclasses.replace(snapshot, callbacks=None)
        made._before, made.first = copy.deepcopy(self._before), self.update
        made._keyframes.clear()
        made._load(snapshot)
        made._pin()
        return made

    def batch(self) -> Array:
        """Return the numbers of the rows that the next update learns from, as in X.

        After a number was not finite, it is the update that was not made.

        Raises:
            ConfigError: if all epochs are done.
        """
        chosen, places = self._batch(), self._plan.places
        return chosen if places is None else places[chosen]

    def _batch(self) -> Array:
        if self.history.epochs >= self._plan.epochs:
            raise ConfigError("all epochs are done: there is no next update", "seek an earlier one")
        size, first = self._plan.batch_size, self.position
        order = self._plan.order(self.network.optimizer_state.epoch)
        return order[first * size : (first + 1) * size]

    def trace(self, names: Sequence[str] | None = None) -> insight.Trace:
        """Return every number of the next update: forward, backward and optimizer, on the rows of its batch.

        Raises:
            ConfigError: if all epochs are done.
            DataError: if a batch has more rows than a trace takes.
        """
        part, plan = self.rows.part(self._batch()).dense(), self._plan
        return insight.trace_rows(
            self.network.model,
            part.x,
            (plan.loss, part.y, part.sample_weight),
            plan.regularization,
            self._start(),
            training=True,
            names=names,
        )

    def _start(self) -> Any:
        state, model = self.network.optimizer_state, self.network.model
        fraction = self.position / self.steps
        return state.next_update(self._plan.optimizer, model.seed, model.parameters, fraction)

    def parts(self, parameter: str | None = None, index: int | Sequence[int] | None = None) -> Array:
        """Return the part of each row of the next batch in its gradient, in float64, in the order of `batch`.

        Args:
            parameter: such as "dense_1/weight", with an index, for what each row adds to the gradient of that
                number (without penalties); None for the fractions of the whole gradient: the rows' gradients
                projected on it, which sum to 1.
            index: of the number.
        """
        model, plan, start = self.network.model, self._plan, self._start()
        architecture = model.architecture
        part = self.rows.part(self._batch()).dense()
        double = model.in_float64()
        if start.raw is not None:
            double.parameters[...] = start.raw
        x, y = as_float64(part.x), part.y.astype(np.float64)
        weights = np.ones(len(part)) if part.sample_weight is None else part.sample_weight.astype(np.float64)
        context = Context(True, start.seed, 0, start.step)
        gradients = np.zeros((len(part), architecture.size))
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for row in np.flatnonzero(weights):
                alone = np.zeros(len(part))
                alone[row] = 1.0
                _, gradient, _ = architecture.loss_and_gradient(double.views, x, y, alone, plan.loss, context)
                gradients[row] = gradient * (weights[row] / weights.sum())
        if parameter is not None:
            entry, place = parameter_place(architecture, parameter, 0 if index is None else index)
            return gradients[:, entry.start + int(np.ravel_multi_index(place, entry.shape))]
        whole = gradients.sum(axis=0)
        return gradients @ whole / (float(whole @ whole) or 1.0)

    def evaluate(self, X: Any, y: Any) -> tuple[Array, Array]:
        """Return loss and outputs of each row as in prediction, by the network as it stands.

        Args:
            X: rows, as for `Network.fit`.
            y: their targets.
        """
        rows = encode_rows(self.network.model, self._plan.loss, X, y).check("an evaluation")
        return self._training.session.evaluate(rows)

    def bisect(
        self,
        condition: Callable[[Stepper], bool],
        start: int | None = None,
        stop: int | None = None,
        lasting: bool = False,
    ) -> Found | None:
        """Return the first update at which a condition holds, and go there; None if it never does.

        Args:
            condition: a function of this stepper that returns True or False, such as those of `gg.when`.
            start: the number of updates from which to look, by default the first.
            stop: that up to which to look, by default the greatest so far.
            lasting: whether the condition lasts once it holds, as the death of a ReLU usually does. Then half
                of the updates are ruled out at a time; by default every update is looked at.

        >>> net = gg.Network([gg.Dense(1)], inputs=1)
        >>> stepper = gg.Stepper(net, [[1.0]], [4.0], optimizer=gg.SGD(0.1), epochs=30)
        >>> stepper.step(30)
        >>> stepper.bisect(lambda stepper: net.predict([[1.0]])[0, 0] > 3).update
        3
        """
        here = self.update
        low = self.first if start is None else check_integer("start", start, at_least=self.first)
        high = self.reached if stop is None else check_integer("stop", stop, at_least=low)
        check_flag("lasting", lasting)

        def holds(update: int) -> bool:
            self.seek(update)
            return self.update == update and bool(condition(self))

        found = low if holds(low) else self._bisected(holds, low, high) if lasting else None
        if found is None and not lasting:
            found = next((update for update in range(low + 1, high + 1) if holds(update)), None)
        if found is None:
            self.seek(here)
            return None
        rows, parts = np.empty(0, dtype=np.int64), np.empty(0)
        epoch = self.history.epochs + 1
        if found > self.first:
            self.seek(found - 1)
            epoch, rows, parts = self.history.epochs + 1, self.batch(), self.parts()
            self.seek(found)
        return Found(found, epoch, rows, parts)

    @staticmethod
    def _bisected(holds: Callable[[int], bool], low: int, high: int) -> int | None:
        """Return the first of some numbers for which something holds, given that it then goes on to hold."""
        if high <= low or not holds(high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if holds(middle) else (middle, high)
        return high

    def _begin(self, snapshot: Snapshot | None) -> Descent:
        """Return a run that is ready to make the update after a snapshot."""
        training = self.network.begin(self._plan)
        assert isinstance(training, Descent)
        if snapshot is not None:
            snapshot.restore(training)
        training.open()
        training.begin()
        self._known = self.network.parameters.copy()
        return training

    def _load(self, snapshot: Snapshot) -> None:
        self._training = self._begin(snapshot)
        self.update = snapshot.made
        self._recorder.place = self.update - self.first
        self._show()

    def _go(self, update: int) -> None:
        self._is_going = True
        try:
            self._make(update)
        finally:
            self._is_going = self._is_pausing = False

    def _make(self, update: int) -> None:
        self._notice_edits()
        nearest = max((each for each in self._keyframes if each <= update), default=self.first)
        if update < self.update or nearest > self.update:
            self._load(self._keyframes[nearest])
        while self.update < update and not self.has_ended and not self._is_pausing:
            stop = min(update, (self.update // self._spacing + 1) * self._spacing)
            stop = min([stop, *(each for each in self._pinned if each > self.update)])
            made = self._training.advance(stop - self.update)
            self.update += made
            if self.has_ended:
                self._end()
            self._known = self.network.parameters.copy()
            if made and self.update in self._pinned:  # an edit was made there
                self._load(self._keyframes[self.update])
            elif self.update % self._spacing == 0:
                self._keep_keyframe()
            if self.update < stop and not self.has_ended and not self._is_pausing:
                self._show()
                raise KeyboardInterrupt
        if self.update == self._fails_after and not self.has_ended:
            self._training.advance(1)  # which fails again, so that the run has ended here as it had before
            self._end()
        self._show()

    def _end(self) -> None:
        self._training.end()
        if self.history.ended == "failed":
            self._fails_after = self.update

    def _show(self) -> None:
        """Let the network know what its run measured."""
        history = copy.deepcopy(self._before)
        history.extend(self.history)
        self.network.record(self._plan, history)

    def _notice_edits(self) -> None:
        """Go on from parameters that were written to, if they were."""
        if np.array_equal(self.network.parameters, self._known):
            return
        edited = dataclasses.replace(self.snapshot(), parameters=self.network.parameters.copy())
        self._load(edited)
        self._pin()

    def _pin(self) -> None:
        """Make the present state the one from which the run goes on, whatever came before."""
        self._keyframes = {update: each for update, each in self._keyframes.items() if update < self.update}
        self._pinned = {update for update in self._pinned if update in self._keyframes} | {self.update}
        self._keyframes[self.update] = self.snapshot()
        self._recorder.reached = self.update - self.first
        self._fails_after = None

    def _keep_keyframe(self) -> None:
        """Keep the present state; if that is too much memory, let every other keyframe go."""
        if self.update in self._keyframes or self.has_ended:
            return
        self._keyframes[self.update] = self.snapshot()
        while self._is_full() and len(self._keyframes) > len(self._pinned):
            self._spacing *= 2
            self._keyframes = {
                update: each
                for update, each in self._keyframes.items()
                if update in self._pinned or update % self._spacing == 0
            }

    def _is_full(self) -> bool:
        size = sum(each.bytes for each in self._keyframes.values())
        return len(self._keyframes) > MOST_KEYFRAMES or size > self._budget

    def __repr__(self) -> str:
        epochs = self._plan.epochs
        loss = f", loss {self.losses[-1]:.4g}" if self.update > self.first else ""
        epoch = min(self.history.epochs + 1, epochs)
        return f"<Stepper: update {self.update} of {self.total}, epoch {epoch} of {epochs}{loss}>"


class _Recorder(Callback):
    """Keeps loss and gradient norm of each update.

    Attributes:
        place: the number of updates that the run has made.
        reached: the greatest number of which they are known.
    """

    def __init__(self) -> None:
        self.place = self.reached = 0
        self._seen = 0  # updates of the epoch that were entered
        self._kept = np.empty((2, 64))

    def on_train_begin(self, training: Training) -> None:
        assert isinstance(training, Descent)
        self._seen = training.progress.first

    def on_steps_end(self, training: Training) -> None:
        assert isinstance(training, Descent)
        done = training.progress
        new = done.first - self._seen
        if self.place + new > self._kept.shape[1]:
            size = 2 ** math.ceil(math.log2(self.place + new))
            self._kept = np.concatenate([self._kept, np.empty((2, size - self._kept.shape[1]))], axis=1)
        made = slice(self.place, self.place + new)
        self._kept[:, made] = done.losses[self._seen :], done.gradient_norms[self._seen :]
        self.place += new
        self.reached = max(self.reached, self.place)
        self._seen = 0 if done.first == training.steps else done.first

    def values(self, which: int, count: int) -> Array:
        """Return losses (0) or gradient norms (1) of the first updates."""
        return self._kept[which, :count].copy()
