"""Checks of single settings: each returns the value or raises `ConfigError`."""

from __future__ import annotations

import math
import numbers

from ganglion.errors import ConfigError, shortened


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
        except OverflowError:  # an integer too large for a float
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


def column_names(what: str, names: object) -> tuple[str, ...]:
    """Return names of columns as a tuple, after checking that they are strings."""
    if not isinstance(names, tuple | list | set | frozenset) or not all(isinstance(n, str) for n in names):
        raise ConfigError(f"{what} must be a list of column names, got {shortened(names)}", "such as ['id']")
    return tuple(names)
