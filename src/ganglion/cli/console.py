"""Shared by all commands: collect notices, print text and JSON."""

from __future__ import annotations

import csv
import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from cyclopts import Parameter

from ganglion.errors import ConfigError, GanglionNotice

Flag = Annotated[bool, Parameter(negative="")]
Names = Annotated[list[str], Parameter(consume_multiple=False, negative="", show_default=False)]


def whole(kind: Any, tokens: Any) -> int:
    """Convert an argument to a whole number; 3.5 is refused, not rounded.

    Raises:
        ConfigError: if the argument is not a whole number.
    """
    text = tokens[0].value
    try:
        return int(text)
    except ValueError as error:
        raise ConfigError(f"{tokens[0].keyword} must be a whole number, got {text}") from error


Whole = Annotated[int, Parameter(converter=whole)]


strict = False  # whether --strict was given: notices are errors


@contextmanager
def notes() -> Iterator[list[str]]:
    """Collect the notices raised in the block with their names, in order and without duplicates."""
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error" if strict else "always", GanglionNotice)
        yield found
    for warning in caught:
        if not isinstance(warning.message, GanglionNotice):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        elif (text := f"{warning.message} [{warning.message.name}]") not in found:
            found.append(text)


def say(text: str) -> None:
    """Print a line and flush."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say_json(facts: dict[str, Any]) -> None:
    """Print one JSON object."""
    say(json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False))


def say_page(page: object, facts: dict[str, Any], collected: list[str], as_json: bool) -> None:
    """Print the notes and a page, or facts and notes as one JSON object."""
    if as_json:
        say_json(facts | {"notes": collected})
        return
    for note in collected:
        say(f"note: {note}")
    say(str(page))


def split(names: list[str]) -> list[str]:
    """Return the names; each item may hold several, separated by commas (quote names that contain one)."""
    return [name.strip() for part in csv.reader(names, skipinitialspace=True) for name in part]
