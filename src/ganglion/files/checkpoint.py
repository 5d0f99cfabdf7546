"""Checkpoints: a training run in one file, from which it goes on as if it had never been stopped.

A file holds all that the next update depends on: parameters, state, the optimizer's vectors and counts, the
schedule, the history, the place in the epoch, and what the callbacks remember. Order and masks are functions
of the seed and the step, so a run that goes on makes the same bits. The file also holds the identity of the
run, a hash of its data, settings and start, so that it cannot go on with another.

It is safetensors: the arrays, and under `__metadata__` the keys `ganglion` (JSON) and `sha256`, of the JSON
and the arrays. It is written completely or not at all.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from ganglion.checks import check_integer, check_number
from ganglion.core.arrays import aligned_copy
from ganglion.core.bags import Bags
from ganglion.core.part import Array, plain
from ganglion.core.rows import Rows
from ganglion.errors import ConfigError, FileError, notice, shortened
from ganglion.files.atomic import as_path, check_writable, write_atomically
from ganglion.training import stopping
from ganglion.training.callbacks import Callback
from ganglion.training.descending import Descent, Progress
from ganglion.training.history import SERIES, History
from ganglion.training.minimizing import Evaluated, Minimization
from ganglion.training.optimizer_state import OptimizerState
from ganglion.training.run import Training
from ganglion.training.snapshot import Snapshot

FORMAT = 1
EVERY = 60.0  # seconds
MOST_SAMPLED = 256  # lazy rows whose numbers become part of the identity
MOST_BYTES = 2**33
ENDING, NAME_LENGTH = ".ckpt", 32
COUNTS = ("step", "update", "epoch", "optimizer_epoch")
MEASURED = ("losses", "penalties", "gradients")  # of each step of an epoch, or of each evaluation
REMEDY = "give another path, or delete the file to start again"


class Checkpoint(Callback):
    """Writes a run to a file now and then, and makes it go on from there.

    Args:
        path: of the file, or of a folder in which the run has a file of its own.
        every: a whole number of epochs, or seconds as a float.
        in_folder: whether it is a folder.

    Raises:
        ConfigError: for a setting out of range.
        FileError: if the file could not be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], every: float = EVERY, *, in_folder: bool = False
    ) -> None:
        self.path, self.in_folder = as_path(path), in_folder
        self.epochs = check_integer("every", every, at_least=1) if isinstance(every, int) else None
        self.seconds = check_number("every", every, above=0)
        if not in_folder:
            check_writable(self.path)
        self.identity = ""
        self._written = time.perf_counter()

    def open(self, training: Training) -> History | None:
        """Prepare a run: put it where the file ends, if there is one. Returns the history of a finished run.

        Raises:
            ConfigError: for a file of another run.
            FileError: if the file is damaged.
        """
        self.identity = identity_of(training)
        if isinstance(training, Minimization):
            training.keeps_evaluations = True
        if self.in_folder:
            self.path = self.path / f"{self.identity[:NAME_LENGTH]}{ENDING}"
        if not self.path.exists():
            return None
        found, arrays = read_checkpoint(self.path)
        if found.get("identity") != self.identity:
            raise ConfigError(f"{self.path} holds another run: its data, network or settings differ", REMEDY)
        try:
            return _restore(training, found, arrays)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise FileError(f"{self.path} is damaged: {shortened(error)}", REMEDY) from error

    def on_steps_end(self, training: Training) -> None:
        if training.fraction < 1 and (training.is_stopping or self._is_time()):
            self.save(training)

    def on_epoch_end(self, training: Training) -> None:
        due = self._is_time() if self.epochs is None else training.history.epochs % self.epochs == 0
        if due or training.is_stopping:
            self.save(training)

    def _is_time(self) -> bool:
        return self.epochs is None and time.perf_counter() - self._written >= self.seconds

    def save(self, training: Training, finished: bool = False) -> None:
        """Write the run as it stands; if the disk is full, say so and keep the file of before."""
        try:
            self.write(training, finished)
        except FileError as error:
            notice(f"no checkpoint: {error.message}; the one before is kept", "no-checkpoint")
            self._written = time.perf_counter()

    def write(self, training: Training, finished: bool = False) -> None:
        """Write the run as it stands.

        Raises:
            FileError: if it cannot be written.
        """
        state, learned = training.optimizer_state, training.session.read()
        arrays = {"parameters": learned.parameters, "state": learned.state}
        if isinstance(training, Minimization):
            counts = state.step, state.update
            found = training.evaluations
            done = Progress(
                len(found),
                np.array([each.loss for each in found]),
                np.array([each.penalty for each in found]),
                np.stack([each.gradient for each in found]) if found else np.empty(0),
            )
        else:
            assert isinstance(training, Descent)
            counts, done = (learned.step, learned.update), training.progress
            arrays |= {f"slots/{name}": values for name, values in learned.slots.items()}
        arrays |= dict(zip(MEASURED, done[1:], strict=True))
        # While a run goes on, the session has the optimizer's own parameters and their mean.
        mean, raw = (state.mean, state.raw) if finished else (learned.mean, None)
        arrays |= {name: each for name, each in (("mean", mean), ("raw", raw)) if each is not None}
        callbacks = []
        for number, callback in enumerate(training.remembering):
            kept = callback.remember()
            held = [name for name, value in kept.items() if isinstance(value, np.ndarray)]
            arrays |= {f"callbacks/{number}/{name}": kept.pop(name) for name in held}
            callbacks.append({"arrays": held, "values": kept})
        described = {
            "format": FORMAT,
            "identity": self.identity,
            "finished": finished,
            "first": done.first,
            **dict(zip(COUNTS, (*counts, state.epoch, state.optimizer_epoch), strict=True)),
            "schedule": list(state.schedule_state),
            "history": vars(training.history),
            "elapsed": training.elapsed,
            "callbacks": callbacks,
        }
        text = json.dumps(described)
        plain_arrays = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
        metadata = {"ganglion": text, "sha256": _checksum(text, plain_arrays)}
        data = safetensors.numpy.save(plain_arrays, metadata)
        write_atomically(self.path, lambda stream: stream.write(data))
        self._written = time.perf_counter()


def _restore(training: Training, found: Mapping[str, Any], arrays: Mapping[str, Array]) -> History | None:
    """Put a run where a file ends; return the history of a finished one."""
    if isinstance(training, Minimization):
        return _restore_minimization(training, found, arrays)
    assert isinstance(training, Descent)
    model, finished = training.model, bool(found["finished"])
    parameters, mean, raw = (
        _like(arrays, name, model.parameters) if name in arrays else None
        for name in ("parameters", "mean", "raw")
    )
    if parameters is None or (mean is None) is not (training.optimizer.average is None):
        raise ValueError("it lacks parameters or their mean")
    slots = {name: _like(arrays, f"slots/{name}", model.parameters) for name in training.optimizer.slots}
    model_state = _like(arrays, "state", model.state)
    history, counts = _history(found["history"]), {name: _whole(found[name]) for name in COUNTS}
    measured = (arrays[name].astype(np.float64) for name in MEASURED)
    progress = Progress(_whole(found["first"]), *measured)
    if any(each.shape != (progress.first,) for each in progress[1:]) or progress.first >= training.steps:
        raise ValueError("its epoch has other steps")
    schedule = tuple(float(each) for each in found["schedule"])
    kept = [
        dict(own["values"]) | {name: arrays[f"callbacks/{number}/{name}"] for name in own["arrays"]}
        for number, own in enumerate(found["callbacks"])
    ]
    if len(kept) != len(training.remembering):
        raise ValueError("it has other callbacks")
    predicting, own = (parameters, raw) if finished or mean is None else (mean, parameters)
    reached = OptimizerState(
        optimizer=training.optimizer, slots=slots, schedule_state=schedule, mean=mean, raw=own, **counts
    )
    elapsed = float(found["elapsed"])
    snapshot = Snapshot(predicting, model_state, reached, history, elapsed, progress, kept)
    snapshot.restore(training)
    return history if finished else None


def _restore_minimization(
    training: Minimization, found: Mapping[str, Any], arrays: Mapping[str, Array]
) -> History | None:
    """Give a run with L-BFGS its evaluations so far, or the results of a finished one."""
    model, count = training.model, _whole(found["first"])
    parameters, state = (_like(arrays, name, getattr(model, name)) for name in ("parameters", "state"))
    losses, penalties, gradients = (arrays[name] for name in MEASURED)
    if losses.shape != (count,) or penalties.shape != (count,) or len(gradients) != count:
        raise ValueError("its evaluations are of different numbers")
    if count and (gradients.shape[1:] != parameters.shape or gradients.dtype != parameters.dtype):
        raise ValueError("its gradients are those of another network")
    history, elapsed = _history(found["history"]), float(found["elapsed"])
    counts = {name: _whole(found[name]) for name in COUNTS}
    if not found["finished"]:
        results = zip(losses.tolist(), penalties.tolist(), gradients, strict=True)
        training.evaluations = [Evaluated(*each) for each in results]
        training.go_on(History(metrics={name: [] for name in history.metrics}), elapsed, None)
        return None
    model.parameters[...], model.state[...] = parameters, state
    training.optimizer_state.optimizer = training.plan.optimizer
    for name, number in counts.items():
        setattr(training.optimizer_state, name, number)
    return history


@contextmanager
def checkpoints(folder: str | os.PathLike[str], every: float = EVERY) -> Iterator[None]:
    """Keep every run of a `with` block in a folder, so that the block can be run again after an accident.

    Each run (of `fit`, `train_many`, `TableModel.train`, `ImageModel.train`, an estimator or a search) has a
    file of its own there, named after its data, settings and start. When the block is run again, runs that
    had ended are not repeated, and one that had not ended goes on; the results have the same bits as those of
    a block that was never stopped. Runs in other processes are repeated.

    Args:
        folder: is made if it does not exist.
        every: how often a run is written: a whole number of epochs, or seconds as a float.

    Raises:
        FileError: if the folder cannot be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for _ in range(2):
    ...         net = gg.Network([gg.Dense(1)], inputs=1)
    ...         with gg.checkpoints(folder):
    ...             history = net.fit([[0], [1]], [1, 3], epochs=5)
    >>> history.epochs
    5
    """
    place = as_path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make the folder {place}: {error.strerror or error}") from error
    Checkpoint(place, every, in_folder=True)
    token = _current.set((place, every))
    try:
        yield
    finally:
        _current.reset(token)


_current: ContextVar[tuple[Path, float] | None] = ContextVar("checkpoints", default=None)


def current() -> Checkpoint | None:
    """Return a checkpoint in the folder of the `with` block around this call; None without one."""
    found = _current.get()
    return None if found is None else Checkpoint(*found, in_folder=True)


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the description in a checkpoint, and its arrays.

    Raises:
        FileError: if the file cannot be read, is damaged, or is no checkpoint of a known format.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FileError(f"{path} is too large for a checkpoint", REMEDY)
        with safetensors.safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except (safetensors.SafetensorError, ValueError, TypeError, MemoryError) as error:
        raise FileError(f"{path} is no checkpoint, or is damaged: {shortened(error)}", REMEDY) from error
    text = metadata.get("ganglion", "")
    try:
        found = json.loads(text)
        version = found["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileError(f"{path} is no checkpoint", REMEDY) from error
    if type(version) is int and version > FORMAT:
        raise FileError(f"{path} was written by a newer version of ganglion", "upgrade ganglion")
    if version != FORMAT or metadata.get("sha256") != _checksum(text, arrays):
        raise FileError(f"{path} is damaged: its checksum does not match", REMEDY)
    return found, arrays


def identity_of(training: Training) -> str:
    """Return a hash of all that a run depends on: data, network, settings and start."""
    model, plan, state = training.model, training.plan, training.optimizer_state
    settings = {
        "layers": model.architecture.configuration(),
        "dtype": model.dtype.name,
        "engine": training.engine.name,
        "seed": model.seed,
        "loss": plan.loss.configuration(),
        "optimizer": plan.optimizer.configuration(),
        "regularization": vars(plan.regularization),
        "batch_size": plan.batch_size,
        "metrics": [metric.name for metric in plan.metrics],
        "report": plan.report,
        "callbacks": [_settings(callback) for callback in plan.callbacks if _may_stop(callback)],
        "counts": [state.step, state.epoch, state.optimizer_epoch, state.update],
        "schedule": [repr(each) for each in state.schedule_state],
    }
    digest = hashlib.sha256(json.dumps(plain(settings), sort_keys=True, default=repr).encode())
    goes_on = state.optimizer == plan.optimizer
    for array in (model.parameters, model.state, *(state.slots.values() if goes_on else ())):
        _add(digest, array)
    _add(digest, plan.order(0)[:1024])
    for rows in (plan.rows, plan.validation):
        if rows is not None:
            _add_rows(digest, rows)
    return digest.hexdigest()


def _may_stop(callback: Callback) -> bool:
    return type(callback).__module__ == stopping.__name__


def _settings(callback: Callback) -> list[Any]:
    """Return the kind of a callback and the settings that it was made with."""
    names = inspect.signature(type(callback)).parameters
    return [type(callback).__name__, {name: getattr(callback, name, None) for name in names}]


def _add(digest: Any, array: Array) -> None:
    own = np.ascontiguousarray(array)
    digest.update(f"{own.dtype} {own.shape}".encode())
    digest.update(own.data if own.size else b"")


def _add_rows(digest: Any, rows: Rows) -> None:
    """Add the numbers of rows; of lazy ones, those of some."""
    for array in _arrays_of(rows):
        _add(digest, array)
    if rows.is_lazy:
        some = np.unique(np.linspace(0, len(rows) - 1, MOST_SAMPLED).astype(np.int64))
        digest.update(str(rows.x.shape).encode())
        _add(digest, rows.part(some).dense().x)


def _arrays_of(rows: Rows) -> Iterable[Array]:
    yield rows.y
    if rows.sample_weight is not None:
        yield rows.sample_weight
    for x in rows.x.values() if isinstance(rows.x, Mapping) else [] if rows.is_lazy else [rows.x]:
        if isinstance(x, Bags):
            yield from (x.indices, x.offsets, *([] if x.weights is None else [x.weights]))
        else:
            yield x


def _checksum(text: str, arrays: Mapping[str, Array]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        _add(digest, arrays[name])
    return digest.hexdigest()


def _like(arrays: Mapping[str, Array], name: str, wanted: Array) -> Array:
    """Return a copy of an array, which must be like another."""
    found = arrays[name]
    if found.shape != wanted.shape or found.dtype != wanted.dtype or not np.isfinite(found).all():
        raise ValueError(f"{name} must be {wanted.dtype.name} of shape {wanted.shape}")
    return aligned_copy(found)


def _whole(value: Any) -> int:
    """Return a count."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"a count must be a whole number, got {value!r}")
    return value


def _history(facts: Mapping[str, Any]) -> History:
    found = History()
    for name in SERIES:
        setattr(found, name, [float(each) for each in facts[name]])
    found.metrics = {str(name): [float(v) for v in values] for name, values in facts["metrics"].items()}
    found.stopped_because, found.ended = str(facts["stopped_because"]), str(facts["ended"])
    best = facts["best_epoch"]
    found.best_epoch = None if best is None else int(best)
    lists = [*(getattr(found, name) for name in SERIES), *found.metrics.values()]
    if any(len(each) not in (0, found.epochs) for each in lists):
        raise ValueError("a history's lists must be of equal length")
    return found
