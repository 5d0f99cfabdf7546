"""What still works after a fork: a forked process has none of the threads that polars started before.

A call of polars that waits for those threads waits forever. Predictions of frames, dicts and records avoid
such calls; what cannot avoid them calls `require_threads`, which raises an error instead.
"""

from __future__ import annotations

import os
from pathlib import Path

from ganglion.errors import DataError

PROCESS = os.getpid()  # in which polars was imported
TASKS = Path("/proc/self/task")
_lost = False


def forked() -> bool:
    """Whether this process was forked from the one that imported polars."""
    return os.getpid() != PROCESS


def _threads_exist() -> bool:
    """Whether polars has started its pool, polars-0, polars-1 ...; assumed where the system does not tell."""
    try:
        names = [(task / "comm").read_text().strip() for task in TASKS.iterdir()]
        return any(name.startswith("polars-") and name[7:].isdigit() for name in names)
    except OSError:
        return True


def _before_fork() -> None:
    global _lost  # noqa: PLW0603  # the forked process copies it
    _lost = _threads_exist()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork)


def require_threads(what: str) -> None:
    """Check that polars has its threads.

    Raises:
        DataError: in a process forked from one in which polars had started them.
    """
    if forked() and _lost:
        raise DataError(
            f"{what} needs the threads of polars, and this process was forked after they had started",
            "do it before the fork, or start processes with multiprocessing.get_context('spawn'); "
            "predict and answer also work here, with frames, dicts and records",
        )
