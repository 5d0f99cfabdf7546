"""Many networks at once: seeds, folds, widths or learning rates, one network to each thread."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import numpy as np

from ganglion.checks import check_flag, check_integer
from ganglion.core.arrays import as_array
from ganglion.engines import limit_threads, thread_count
from ganglion.errors import ConfigError, shortened
from ganglion.network import Network
from ganglion.optional import load
from ganglion.training.callbacks import Callback
from ganglion.training.history import History
from ganglion.training.run import INTERRUPTED, Training, interruptible


class Trained(list[History]):
    """What `train_many` returns: a list of histories, one for each network, in order.

    Args:
        networks: the networks, in the same order; kept as the attribute `networks`.
        histories: what the list holds.
    """

    def __init__(self, networks: list[Network], histories: list[History]) -> None:
        super().__init__(histories)
        self.networks = networks


def train_many(
    networks: Sequence[Network] | Callable[[int], Network],
    X: Any,
    y: Any,
    *,
    count: int | None = None,
    each: Sequence[Mapping[str, Any]] | None = None,
    threads: int | None = None,
    progress: bool = False,
    **settings: Any,
) -> Trained:
    """Train independent networks in parallel threads; each gets the same bits as if trained alone.

    Args:
        networks: the networks, or a function of a number from 0 that makes one.
        X: rows of numbers, (n, inputs).
        y: targets, as for `Network.fit`.
        count: how many a function is to make; by default as many as `each` has entries.
        each: for each network what is different for it: settings of `Network.fit`, and X and y too, for
            folds: `{"optimizer": gg.Adam(0.01)}`, `{"X": X[learn], "y": y[learn]}`.
        threads: how many train at once; by default one for each processor.
        progress: whether to show one bar in a terminal, for all of them.
        settings: those of `Network.fit`, for all networks. Each has callbacks of its own, copies of these.

    Returns:
        The histories in order: a list, with the networks as its attribute `networks`. After Ctrl-C those
        of the networks that had not begun are empty, and `ended` says "interrupted".

    Raises:
        ConfigError: for a setting out of range, or where `each` and the networks differ in number.
        DataError, ShapeError: as `Network.fit` does, for the first network that raises; the others stop.

    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> def make(seed):
    ...     return gg.Network([gg.Dense(8, "tanh"), gg.Dense(1, "sigmoid")], inputs=2, seed=seed)
    >>> trained = gg.train_many(make, X, y, count=5, optimizer=gg.Adam(0.1), epochs=100)
    >>> [history.loss[-1] < 0.1 for history in trained]
    [True, True, True, True, True]
    >>> best = min(trained.networks, key=lambda net: net.history.loss[-1])
    """
    wishes = _wishes(networks, count, each)
    make = networks if callable(networks) else list(networks).__getitem__
    check_flag("progress", progress)
    at_once = (
        thread_count() if threads is None else check_integer("threads", threads, at_least=1, at_most=1024)
    )
    inputs, y = _by_type(as_array("X", X)), as_array("targets", y)
    stop = threading.Event()

    def train(number: int) -> tuple[Network, History]:
        network = make(number)
        if not isinstance(network, Network):
            raise ConfigError(f"networks must be gg.Network objects, got {shortened(network)}")
        if stop.is_set():
            return network, History(stopped_because="it was interrupted before it began", ended="interrupted")
        own = {"X": inputs[network.dtype], "y": y, **settings, **wishes[number]}
        own["callbacks"] = [_Stop(stop), *_copies(own.get("callbacks", ()))]
        try:
            with limit_threads(1):  # one network to each thread
                return network, network.fit(**own)
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(min(at_once, len(wishes)) or 1) as pool:
        futures = [pool.submit(train, number) for number in range(len(wishes))]
        with interruptible(stop.set), _bar(len(wishes), progress) as advance:
            try:
                for future in futures:
                    while not wait([future], timeout=0.1).done:  # in between, Ctrl-C is answered
                        pass
                    future.result()
                    advance()
            except BaseException:
                stop.set()
                raise
    done = [future.result() for future in futures]
    return Trained([network for network, _ in done], [history for _, history in done])


class _Stop(Callback):
    """Ends a run when all are to end."""

    def __init__(self, event: threading.Event) -> None:
        self.event = event

    def on_steps_end(self, training: Training) -> None:
        if self.event.is_set():
            training.stop(INTERRUPTED, "interrupted")


def _wishes(networks: Any, count: int | None, each: Any) -> list[Mapping[str, Any]]:
    """Return what is different for each network, {} where nothing is."""
    if each is not None and (
        not isinstance(each, tuple | list) or not all(isinstance(own, Mapping) for own in each)
    ):
        raise ConfigError(f"each must be a list of dictionaries of settings, got {shortened(each)}")
    if callable(networks):
        if count is None and each is None:
            raise ConfigError("a function that makes networks needs to know how many", "pass count=10")
        total = check_integer("count", len(each or ()) if count is None else count, at_least=0)
    elif isinstance(networks, tuple | list):
        if len({id(network) for network in networks}) < len(networks):
            raise ConfigError("networks must be different objects: one of them is there twice")
        total = len(networks)
    else:
        raise ConfigError(f"networks must be a list of networks or a function, got {shortened(networks)}")
    if each is not None and len(each) != total:
        raise ConfigError(f"each must have one entry for each of {total} networks, got {len(each)}")
    return list(each) if each is not None else [{}] * total


def _by_type(X: Any) -> dict[str, Any]:
    """Return X for each type of number, converted once and not by every network again."""
    with np.errstate(over="ignore"):
        converted = X.astype(np.float32)
    return {"float32": converted if np.isfinite(converted).all() else X, "float64": X}


def _copies(callbacks: Any) -> list[Any]:
    return copy.deepcopy(list(callbacks) if isinstance(callbacks, tuple | list) else [callbacks])


@contextmanager
def _bar(total: int, shown: bool) -> Iterator[Callable[[], None]]:
    """Show how many networks are done; what is yielded counts one more."""
    if not shown:
        yield lambda: None
        return
    progress = load("rich.progress")
    console = load("rich.console").Console(stderr=True)
    columns = (
        progress.TextColumn("{task.completed}/{task.total} networks"),
        progress.BarColumn(bar_width=20),
        progress.TimeRemainingColumn(compact=True),
    )
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)
