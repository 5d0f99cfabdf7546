"""Limits the threads of the BLAS while a third-party solver calls it for tiny products."""

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
    """Limit the BLAS of this process to one thread until the last concurrent user has left.

    SciPy's L-BFGS solves triangular systems of ten rows. A multithreaded BLAS wakes its threads for each of
    them; these then spin on the processors that the native engine needs. With one thread the result does
    not depend on the number of threads either. Without threadpoolctl nothing is changed.
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
                if _users == 0 or getattr(library, "threading_layer", "") == "openmp":  # set for each thread
                    _set_threads(library, threads)


def _libraries() -> list[Any]:
    load("scipy.optimize", "lbfgs")  # loads its BLAS, so that the controller finds it
    try:
        controller = load("threadpoolctl", "lbfgs").get_cached_controller()
    except MissingPackageError:
        return []
    return list(controller.select(user_api="blas").lib_controllers)


def _set_threads(library: Any, threads: int) -> None:
    # Only the thread that set an OpenBLAS may set it again until it releases control, but the last user to
    # leave may be a different thread than the first to enter.
    release = getattr(library, "clear_controlling_thread", lambda force: None)
    release(force=True)
    library.set_num_threads(threads)
    release(force=True)
