"""How many threads the BLAS may use while somebody else's code calls it for tiny products."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from ganglion.errors import load


def single_threaded_blas() -> AbstractContextManager[Any]:
    """Return a context in which the BLAS of this process has one thread.

    SciPy's L-BFGS solves triangles of ten rows. A BLAS with several threads wakes them for each, which then
    look out for work on the processors that the native engine has work for. Nor do the bits then depend on
    their number. Where several threads of Python ask for it, the first one sets the limit and lifts it.
    """
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> Any:
    load("scipy.optimize", "lbfgs")  # so that its library is there to be found
    return load("threadpoolctl", "lbfgs").ThreadpoolController()
