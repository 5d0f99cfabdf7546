"""Train many networks at once, for seeds, folds, widths or learning rates: one network per thread."""

from __future__ import annotations

import contextvars
import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
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
    """The result of `train_many`: a list of histories, one for each network, in order.

    Args:
        networks: the networks, in the same order; available as the attribute `networks`.
        histories: the items of the list.
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
        networks: the networks, or a function that returns the network with a given index, from 0.
        X: rows of numbers, (n, inputs).
        y: targets, as for `Network.fit`.
        count: number of networks that the function makes; by default the length of `each`.
        each: settings of `Network.fit` for each network, such as `{"optimizer": gg.Adam(0.01)}`; for folds
            also X and y: `{"X": X[learn], "y": y[learn]}`.
        threads: number of networks trained at once; by default one for each processor.
        progress: whether to show one progress bar for all networks in a terminal.
        settings: of `Network.fit`, for all networks. Each network gets its own copies of the callbacks.

    Returns:
        The histories in order: a list, with the networks as its attribute `networks`. After Ctrl-C the
        histories of networks that had not started are empty, with `ended` "interrupted".

    Raises:
        ConfigError: for a setting out of range, or if `each` and the networks differ in number.
        DataError, ShapeError: as `Network.fit` raises, for the first network that fails; the others stop.

    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> def make(seed):
    ...     return gg.Network([gg.Dense(8, "tanh"), gg.Dense(1, "sigmoid")], inputs=2, seed=seed)
    >>> trained = gg.train_many(make, X, y, count=5, optimizer=gg.Adam(0.1), epochs=100)
    >>> [history.loss[-1] < 0.1 for history in trained]
    [True, True, True, True, True]
    >>> best = min(trained.networks, key=lambda net: net.history.loss[-1])
    """
    own_settings = _settings_per_network(networks, count, each)
    make = networks if callable(networks) else list(networks).__getitem__
    check_flag("progress", progress)
    at_once = (
        thread_count() if threads is None else check_integer("threads", threads, at_least=1, at_most=1024)
    )
    y = as_array("targets", y)

    @cache
    def numbers(dtype: str) -> Any:
        """Return X in a dtype, converted once for all networks."""
        raw = as_array("X", X)
        with np.errstate(over="ignore"):
            converted = raw.astype(dtype)
        return converted if np.isfinite(converted).all() else raw

    stop = threading.Event()

    def train(number: int) -> tuple[Network, History]:
        network = make(number)
        if not isinstance(network, Network):
            raise ConfigError(f"networks must be gg.Network objects, got {shortened(network)}")
        if stop.is_set():
            return network, History(
                stopped_because="it was interrupted before it started", ended="interrupted"
            )
        own = {"y": y, **settings, **own_settings[number]}
        if "X" not in own:
            own["X"] = numbers(network.dtype) if network.architecture.takes_numbers else X
        own["callbacks"] = [_Stop(stop), *_copies(own.get("callbacks", ()))]
        try:
            with limit_threads(1):  # the networks share the processors
                return network, network.fit(**own)
        except BaseException:
            stop.set()
            raise

    total = len(own_settings)
    with (  # Ctrl-C is handled from before the first network starts until the last has stopped
        interruptible(stop.set),
        ThreadPoolExecutor(min(at_once, total) or 1) as pool,
        _bar(total, progress) as advance,
    ):
        around = contextvars.copy_context  # of checkpoints: a thread does not see it by itself
        futures = [pool.submit(around().run, train, number) for number in range(total)]
        try:
            for future in futures:
                while not wait([future], timeout=0.1).done:  # between two waits, Ctrl-C is handled
                    pass
                future.result()
                advance()
        except BaseException:
            stop.set()
            raise
    done = [future.result() for future in futures]
    return Trained([network for network, _ in done], [history for _, history in done])


class _Stop(Callback):
    """Stops a run once the event is set."""

    def __init__(self, event: threading.Event) -> None:
        self.event = event

    def on_steps_end(self, training: Training) -> None:
        if self.event.is_set():
            training.stop(INTERRUPTED, "interrupted")


class Watching(Callback):
    """Passes the moments of a run on to a callback, which copies of this one share."""

    def __init__(self, callback: Callback) -> None:
        self.callback = callback

    def __deepcopy__(self, memo: dict[int, Any]) -> Watching:
        return self

    def on_train_begin(self, training: Training) -> None:
        self.callback.on_train_begin(training)

    def on_epoch_begin(self, training: Training) -> None:
        self.callback.on_epoch_begin(training)

    def on_steps_end(self, training: Training) -> None:
        self.callback.on_steps_end(training)

    def on_epoch_end(self, training: Training) -> None:
        self.callback.on_epoch_end(training)

    def on_train_end(self, training: Training) -> None:
        self.callback.on_train_end(training)


def _settings_per_network(networks: Any, count: int | None, each: Any) -> list[Mapping[str, Any]]:
    """Return the settings of `each`, or {} for every network."""
    if each is not None and (
        not isinstance(each, tuple | list) or not all(isinstance(own, Mapping) for own in each)
    ):
        raise ConfigError(f"each must be a list of dictionaries of settings, got {shortened(each)}")
    if callable(networks):
        if count is None and each is None:
            raise ConfigError("a function that makes networks needs count, got None", "pass count=10")
        total = check_integer("count", len(each or ()) if count is None else count, at_least=0)
    elif isinstance(networks, tuple | list):
        if len({id(network) for network in networks}) < len(networks):
            raise ConfigError("networks must be different objects, got one of them twice")
        total = len(networks)
    else:
        raise ConfigError(f"networks must be a list of networks or a function, got {shortened(networks)}")
    if each is not None and len(each) != total:
        raise ConfigError(f"each must have one entry for each of {total} networks, got {len(each)}")
    return list(each) if each is not None else [{}] * total


def _copies(callbacks: Any) -> list[Any]:
    return copy.deepcopy(list(callbacks) if isinstance(callbacks, tuple | list) else [callbacks])


@contextmanager
def _bar(total: int, shown: bool) -> Iterator[Callable[[], None]]:
    """Show how many networks are done; yield a function that counts one more."""
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
