"""The exceptions and warnings of ganglion, and how their messages are worded.

    GanglionError
    ├── DataError      (ValueError)    rows, labels or weights that break a rule
    │   └── ShapeError                 arrays whose shapes do not fit
    ├── ConfigError    (ValueError)    a setting out of range, or incompatible parts
    ├── FileError      (OSError)       a file that cannot be read, written or trusted
    ├── TrainingError  (RuntimeError)  a training run that cannot continue
    └── MissingPackageError (ImportError)  an optional library that is not installed

A message states the rule, then what was received; the remedy is in `hint`, so that the command line can print
it on a separate line. To add an error, derive it here from `GanglionError` and from the built-in error that a
Python user would expect.
"""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class GanglionError(Exception):
    """The base class of all errors that ganglion raises deliberately.

    Args:
        message: the rule, and what was received.
        hint: the remedy, or "" if it is obvious.
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
    """A setting out of range, or incompatible parts."""


class FileError(GanglionError, OSError):
    """A file that cannot be read, written or trusted."""


class TrainingError(GanglionError, RuntimeError):
    """A training run that cannot continue."""


class MissingPackageError(GanglionError, ImportError):
    """An optional library that is not installed."""


class GanglionNotice(UserWarning):
    """A warning about something that is not an error: a column left out, a category never seen before.

    Args:
        text: what was found, and what was done about it.
        name: of this kind of notice, such as "unknown-categories", by which it can be silenced.
    """

    def __init__(self, text: str, name: str = "notice") -> None:
        super().__init__(text, name)
        self.text = text
        self.name = name

    def __str__(self) -> str:
        return self.text


# All kinds of notices; the guide says what each notes.
NOTICES = {
    "ambiguous-numbers", "balanced-classes", "boilerplate", "converted-pictures",
    "different-brightness", "duplicate-pictures", "duplicate-rows", "fitted-pictures", "footer",
    "groups", "label-in-text", "learned-rows", "left-out-columns", "lost-settings", "merged-categories",
    "missing-code", "missing-target", "missing-values", "missing-words", "mojibake", "no-checkpoint",
    "no-header", "no-test", "numbers-as-dates", "outside-range", "random-split", "reference-engine",
    "repeated-header", "several-labels", "shared-pictures", "spellings", "task", "text-length",
    "unknown-categories", "unknown-classes", "unknown-columns", "unknown-labels", "unknown-texts",
    "unreadable-pictures", "useful-row-numbers", "where",
}  # fmt: skip

_silenced: set[str] = set()
_collected: ContextVar[list[GanglionNotice] | None] = ContextVar("collected", default=None)


def silence(*names: str) -> None:
    """Silence notices by name from now on, in this process; without names, silence none.

    To turn all notices into errors instead:

        warnings.filterwarnings("error", category=gg.GanglionNotice)

    Args:
        names: of kinds of notices, such as "unknown-categories"; the guide lists them.

    Raises:
        ConfigError: if there is no such kind.

    >>> gg.silence("missing-values", "unknown-categories")
    >>> gg.silence()
    """
    for name in names:
        if not isinstance(name, str) or name not in NOTICES:
            raise ConfigError(
                f"there is no kind of notice {shortened(name)} to silence", one_of(str(name), NOTICES)
            )
    if not names:
        _silenced.clear()
    _silenced.update(names)


def notice(text: str, name: str) -> None:
    """Issue a `GanglionNotice`."""
    warn(GanglionNotice(text, name))


@contextmanager
def collect_notices() -> Iterator[list[GanglionNotice]]:
    """Collect the notices of this thread in a list instead of issuing them as warnings.

    `warnings.catch_warnings` would change what all threads do with warnings.
    """
    found: list[GanglionNotice] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def warn(warning: Warning) -> None:
    """Issue a warning that points to the first line of code outside this package, unless it is silenced."""
    if isinstance(warning, GanglionNotice):
        if warning.name in _silenced:
            return
        collected = _collected.get()
        if collected is not None:
            collected.append(warning)
            return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and f"{frame.f_globals.get('__name__', '')}.".startswith("ganglion."):
        level, frame = level + 1, frame.f_back
    warnings.warn(warning, stacklevel=level)


LONGEST_NAME = 60


def one_of(word: str, choices: Iterable[str]) -> str:
    """Return the remedy for an unknown name: the closest known name, and all known names."""
    known = sorted(choices)
    near = difflib.get_close_matches(word[:100], known, n=1)
    named = [name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..." for name in known[:50]]
    listed = ", ".join(named) + (" ..." if len(known) > 50 else "")
    return (f"did you mean {shortened(near[0])}? " if near else "") + "known: " + listed


def amount(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun: 1 row, 2,400 rows; `many` is by default `one` with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def shortened(value: object, most: int = 60) -> str:
    """Return the `repr` of a value on one line, at most `most` characters long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= most else text[: most - 3] + "..."
