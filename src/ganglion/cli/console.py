"""What every command shares: notices collected, text and JSON printed."""

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
    """Return the number that a word stands for, and refuse 3.5, which would else be rounded.

    Raises:
        ConfigError: if it is no whole number.
    """
    text = tokens[0].value
    try:
        return int(text)
    except ValueError as error:
        raise ConfigError(f"{tokens[0].keyword} must be a whole number, got {text}") from error


Whole = Annotated[int, Parameter(converter=whole)]


@contextmanager
def notes() -> Iterator[list[str]]:
    """Collect the notices of what runs inside, in order and without repeating any."""
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", GanglionNotice)
        yield found
    for warning in caught:
        if not issubclass(warning.category, GanglionNotice):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        elif str(warning.message) not in found:
            found.append(str(warning.message))


def say(text: str) -> None:
    """Print, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say_json(facts: dict[str, Any]) -> None:
    """Print one JSON object."""
    say(json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False))


def tell(page: object, facts: dict[str, Any], noted: list[str], as_json: bool) -> None:
    """Print a page after its notes, or the facts with them as one JSON object."""
    if as_json:
        say_json(facts | {"notes": noted})
        return
    for note in noted:
        say(f"note: {note}")
    say(str(page))


def split(names: list[str]) -> list[str]:
    """Return names given one by one, or several separated by commas (in quotes if they hold one)."""
    return [name.strip() for part in csv.reader(names, skipinitialspace=True) for name in part]
