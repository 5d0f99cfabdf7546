"""What can go wrong, and how a message is worded.

    GanglionError
    ├── DataError      (ValueError)    rows, labels or weights that break a rule
    │   └── ShapeError                 arrays whose shapes do not fit
    ├── ConfigError    (ValueError)    a setting out of range, or parts that do not go together
    ├── FileError      (OSError)       a file that cannot be read, written or trusted
    ├── TrainingError  (RuntimeError)  a run that cannot go on
    └── MissingPackageError (ImportError)  an optional library that is not installed

A message says the rule, what was received, and what to do, in this order; the remedy is kept apart in
`hint`, so that the command line can print it on a line of its own. To add an error, derive it here from
`GanglionError` and from the built-in error that a Python user would expect.
"""

from __future__ import annotations

import difflib
import importlib
import math
import numbers
import sys
import warnings
from collections.abc import Iterable
from typing import Any


class GanglionError(Exception):
    """The base of every error that ganglion raises on purpose.

    Args:
        message: the rule, and what was received.
        hint: what to do about it, or "" when that is plain.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class DataError(GanglionError, ValueError):
    """Rows, labels or weights that break a rule."""


class ShapeError(DataError):
    """Arrays whose shapes do not fit together."""


class ConfigError(GanglionError, ValueError):
    """A setting out of range, or parts that do not go together."""


class FileError(GanglionError, OSError):
    """A file that cannot be read, written or trusted."""


class TrainingError(GanglionError, RuntimeError):
    """A run of training that cannot go on."""


class MissingPackageError(GanglionError, ImportError):
    """An optional library that is not installed."""


class GanglionNotice(UserWarning):
    """Something worth knowing that is no error: a column left out, a category never seen before."""


def notice(text: str) -> None:
    """Warn with a `GanglionNotice` that points to the first line of code outside this package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("ganglion."):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, GanglionNotice, stacklevel=level)


def load(module: str, extra: str = "") -> Any:
    """Import a library at the moment it is needed, and name the extra to install if it is absent."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        what = f"pip install 'ganglion[{extra}]'" if extra else f"pip install {package}"
        raise MissingPackageError(f"this needs {package}, which is not installed", what) from error


def one_of(word: str, choices: Iterable[str]) -> str:
    """Word the remedy for an unknown name: the nearest known one, and all of them."""
    known = sorted(choices)
    near = difflib.get_close_matches(word[:100], known, n=1)
    listed = ", ".join(known[:50]) + (" ..." if len(known) > 50 else "")
    return (f"did you mean {near[0]!r}? " if near else "") + "known: " + listed


def shortened(value: object, most: int = 60) -> str:
    """Return a value as it would be written in code, on one line and not longer than `most`."""
    text = " ".join(repr(value).split())
    return text if len(text) <= most else text[: most - 3] + "..."


def check_number(
    name: str,
    value: object,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    below: float = math.inf,
    at_most: float = math.inf,
) -> float:
    """Return `value` if it is a finite number within the bounds, else raise `ConfigError`."""
    number = math.nan
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # a whole number beyond all floats
            number = math.inf
    if math.isfinite(number) and above < number < below and at_least <= number <= at_most:
        return number
    rules = [
        f"{sign} {bound:g}"
        for sign, bound in ((">", above), (">=", at_least), ("<", below), ("<=", at_most))
        if math.isfinite(bound)
    ]
    rule = f"{name} must be a number" + (" " + " and ".join(rules) if rules else "")
    raise ConfigError(f"{rule}, got {shortened(value)}")


def check_integer(name: str, value: object, *, at_least: int, at_most: int = 2**63 - 1) -> int:
    """Return `value` as an int if it is a whole number within the bounds, else raise `ConfigError`."""
    limit = "" if at_most == 2**63 - 1 else f" and <= {at_most}"
    if (
        isinstance(value, bool)
        or not isinstance(value, numbers.Integral)
        or not at_least <= int(value) <= at_most
    ):
        raise ConfigError(f"{name} must be a whole number >= {at_least}{limit}, got {shortened(value)}")
    return int(value)


def check_flag(name: str, value: object) -> bool:
    """Return `value` if it is True or False, else raise `ConfigError`."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be True or False, got {shortened(value)}")
    return value
