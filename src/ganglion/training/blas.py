"""How many threads the BLAS may use while somebody else's code calls it for tiny products."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ganglion.errors import MissingPackageError
from ganglion.optional import load

_lock = threading.Lock()
_users = 0
_before: list[tuple[Any, int]] = []


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Let the BLAS of this process use one thread, until the last of those that asked for it has left.

    SciPy's L-BFGS solves triangles of ten rows. A BLAS with several threads wakes them for each, which then
    look out for work on the processors that the native engine has work for. Nor do the bits then depend on
    their number. Without threadpoolctl, which sets it, nothing is changed.
    """
    global _users  # noqa: PLW0603
    with _lock:
        if _users == 0:
            _before[:] = [(library, library.num_threads) for library in _libraries()]
        _users += 1
        for library, _ in _before:
            _set_threads(library, 1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            for library, threads in _before:
                if _users == 0 or getattr(library, "threading_layer", "") == "openmp":  # a number a thread
                    _set_threads(library, threads)


def _libraries() -> list[Any]:
    load("scipy.optimize", "lbfgs")  # so that its library is there to be found
    try:
        controller = load("threadpoolctl", "lbfgs").get_cached_controller()
    except MissingPackageError:
        return []
    return list(controller.select(user_api="blas").lib_controllers)


def _set_threads(library: Any, threads: int) -> None:
    # Only the thread that has set an OpenBLAS may set it again, until it lets go: whoever leaves last may not
    # be the one who came first.
    let_go = getattr(library, "clear_controlling_thread", lambda force: None)
    let_go(force=True)
    library.set_num_threads(threads)
    let_go(force=True)
