"""The engines, which run networks. `pick` chooses one; `contract.py` defines their interface."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from ganglion.engines.contract import Completed, Engine, Learned, Objective, Session
from ganglion.engines.native import NativeEngine, load_native
from ganglion.engines.reference import ReferenceEngine
from ganglion.errors import ConfigError, notice, one_of, shortened

NAMES = ("reference", "native")
REFERENCE: Engine = ReferenceEngine()

__all__ = [
    "NAMES",
    "Completed",
    "Engine",
    "Learned",
    "Objective",
    "Session",
    "check_name",
    "explain",
    "native",
    "native_module",
    "pick",
    "limit_threads",
    "thread_count",
]


@cache
def native() -> tuple[Engine | None, str]:
    """Return the native engine and how it runs, or None and why it is unavailable."""
    module, how = load_native()
    return (None if module is None else NativeEngine(module)), how


def native_module() -> ModuleType | None:
    """Return the compiled module for what is no network; None if it is unavailable or not wanted."""
    engine = native()[0] if check_name("auto") != "reference" else None
    return engine.module if isinstance(engine, NativeEngine) else None


def check_name(name: str) -> str:
    """Return the requested engine; for "auto", that of the environment variable GANGLION_ENGINE.

    Raises:
        ConfigError: for an unknown engine, or for "native" if it is unavailable.
    """
    asked = os.environ.get("GANGLION_ENGINE", "auto") if name == "auto" else name
    if not isinstance(asked, str) or asked not in ("auto", *NAMES):
        raise ConfigError(f"there is no engine {shortened(asked)}", one_of(str(asked), ["auto", *NAMES]))
    if asked == "native" and native()[0] is None:
        raise ConfigError(f"the native engine cannot be used: {native()[1]}", _REMEDY)
    return asked


def pick(name: str, *parts: object) -> Engine:
    """Return the engine of a name; "auto" means native if it supports all the parts.

    Raises:
        ConfigError: as in `check_name`, or for "native" with a part that it does not support.
    """
    asked = check_name(name)
    if asked == "reference":
        return REFERENCE
    fast, why = native()
    if fast is None:
        _say_once(
            f"the native engine cannot be used ({why}): this runs on the slower reference engine; {_REMEDY}"
        )
        return REFERENCE
    missing = fast.missing(*parts)
    if not missing:
        return fast
    if asked == "native":
        raise ConfigError(f"the native engine does not have {missing}", "use engine='auto' or 'reference'")
    _say_once(f"the native engine does not have {missing}: this network runs on the slower reference engine")
    return REFERENCE


def thread_count() -> int:
    """Return how many threads the native engine may use, or 1 if it is unavailable."""
    fast, _ = native()
    return int(fast.module.get_threads()) if isinstance(fast, NativeEngine) else 1


@contextmanager
def limit_threads(most: int | None) -> Iterator[None]:
    """Limit the number of threads for runs started by the calling thread; None sets no limit."""
    fast, _ = native()
    if most is None or not isinstance(fast, NativeEngine):
        yield
        return
    before = fast.module.limit_threads(most)
    try:
        yield
    finally:
        fast.module.limit_threads(before)


def explain() -> tuple[str, str]:
    """Return the engine that "auto" picks, and why."""
    asked = check_name("auto")
    fast, how = native()
    if asked == "reference":
        return "reference", "GANGLION_ENGINE is set to it"
    return ("reference", f"the native engine cannot be used: {how}") if fast is None else ("native", how)


_REMEDY = "with a C++ compiler (g++ or clang++) installed, install ganglion again"


@cache
def _say_once(text: str) -> None:
    notice(text, "reference-engine")
