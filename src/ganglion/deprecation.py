"""Old names that still work. Each warns and states the new name and the release that removes the old one.

A renamed argument, on the function or the constructor:

    @renamed_arguments("0.4", share="fraction")
    def split(rows, fraction): ...

A renamed method or attribute, in the body of its class:

    shares = RenamedAttribute("fractions", "0.4")

A renamed public name, below `attach_stub` in the package's `__init__.py`:

    __getattr__ = renamed_names(__name__, __getattr__, "0.4", Network2="Network")
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from ganglion.errors import warn

P = ParamSpec("P")
R = TypeVar("R")


def _warn(old: str, new: str, until: str) -> None:
    warn(DeprecationWarning(f"{old} is now {new}; the old name works until ganglion {until}"))


def renamed_arguments(until: str, **names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function accept keyword arguments by their old names too.

    Args:
        until: the release that removes the old names.
        names: the new name for each old one.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*arguments: P.args, **settings: P.kwargs) -> R:
            for old, new in names.items():
                if old in settings:
                    if new in settings:
                        raise TypeError(f"{function.__qualname__}() got {new!r}, and {old!r}, its old name")
                    _warn(f"the argument {old!r} of {function.__qualname__}()", repr(new), until)
                    settings[new] = settings.pop(old)
            return function(*arguments, **settings)

        return call

    return decorate


class RenamedAttribute:
    """The old name of a method or attribute of a class.

    Args:
        new: the current name.
        until: the release that removes the old name.
    """

    def __init__(self, new: str, until: str) -> None:
        self.new, self.until = new, until

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner, self.old = owner.__qualname__, name

    def __get__(self, holder: object | None, owner: type) -> Any:
        _warn(f"{self.owner}.{self.old}", f"{self.owner}.{self.new}", self.until)
        return getattr(owner if holder is None else holder, self.new)


def renamed_names(package: str, get: Callable[[str], Any], until: str, **names: str) -> Callable[[str], Any]:
    """Return a package's `__getattr__` that also accepts old names.

    Args:
        package: the package's `__name__`.
        get: the package's `__getattr__` for the current names.
        until: the release that removes the old names.
        names: the new name for each old one.
    """

    def get_renamed(name: str) -> Any:
        if name not in names:
            return get(name)
        _warn(f"{package}.{name}", f"{package}.{names[name]}", until)
        return get(names[name])

    return get_renamed
