"""Shared by all commands: collect notices, print text and JSON."""

from __future__ import annotations

import csv
import inspect
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter

from ganglion.errors import ConfigError, GanglionNotice, shortened

if TYPE_CHECKING:
    from ganglion.tables.reading.options import ReadOptions

Command = TypeVar("Command", bound=Callable[..., None])
BROKEN = re.compile(r"^( {4}\S.*)\n {4}(?=\S)", re.MULTILINE)

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


def command(function: Command) -> Command:
    """Give a command a docstring with the description of each parameter on one line.

    cyclopts would keep its line breaks, which stand where the source is full and not the terminal.
    """
    text = inspect.cleandoc(function.__doc__ or "")
    while (joined := BROKEN.sub(r"\1 ", text)) != text:
        text = joined
    function.__doc__ = text
    return function


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
    """Return the names; each item may hold several, separated by commas (quote names that contain one).

    Raises:
        ConfigError: for a line break outside quotes.
    """
    try:
        return [name.strip() for part in csv.reader(names, skipinitialspace=True) for name in part]
    except csv.Error as error:
        raise ConfigError(
            f"names must stand on one line, got {shortened(names)}",
            "put a name with a line break into quotes",
        ) from error


@Parameter(name="*")
@dataclass(frozen=True)
class ReadFlags:
    """The options that say how a table is read.

    Parameters
    ----------
    separator
        Sign between the cells of a line: , ; tab | or " " for blanks; found by default, like all below.
    decimal
        Sign before the fraction of a number: . or ,
    thousands
        Sign between groups of three digits: . , ' or " "
    header
        Whether the first line holds the names of the columns; without names they are x1, x2 ...
    encoding
        Encoding of the characters: utf-8, cp1252, utf-16 ...
    comment
        Sign that a line to ignore begins with.
    missing
        Words that mean a missing value besides the usual ones, separated by commas, such as -999.
    date_format
        How dates are written: day-first, month-first, unix or %d/%m/%Y; for one column COLUMN=FORM.
    """

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    header: bool | None = None
    encoding: str | None = None
    comment: str | None = None
    missing: Names = field(default_factory=list)
    date_format: Names = field(default_factory=list)

    def options(self) -> ReadOptions:
        """Return the options for the library.

        Raises:
            ConfigError: for an option out of range.
        """
        from ganglion.tables.reading.options import ReadOptions  # noqa: PLC0415  # for a fast --help

        by_column = [text.partition("=") for text in split(self.date_format) if "=" in text]
        forms = [text for text in split(self.date_format) if "=" not in text]
        if len(forms) > 1 or (forms and by_column):
            raise ConfigError("--date-format must be one form, or COLUMN=FORM for each column")
        return ReadOptions(
            separator=self.separator,
            decimal=self.decimal,
            thousands=self.thousands,
            header=self.header,
            encoding=self.encoding,
            comment=self.comment,
            missing=split(self.missing),
            dates=forms[0] if forms else {name: form for name, _, form in by_column} or None,
        )


AS_FOUND = ReadFlags()


def reading_options(read: ReadFlags) -> dict[str, bool]:
    """Return for each option that says how a table is read whether it was given."""
    return {name: value != getattr(AS_FOUND, name) for name, value in vars(read).items()}


@Parameter(name="*")
@dataclass(frozen=True)
class PictureFlags:
    """The options of train that apply to pictures only.

    Parameters
    ----------
    size
        For pictures, their side in pixels, or HEIGHTxWIDTH; chosen by their own sizes by default.
    fit
        How pictures of another shape are fitted: crop or pad.
    augment
        How training pictures are varied: auto, none, or changes such as flip,shift=0.1,rotate=10,mixup=0.2.
    class_weight
        balanced for classes of equal total weight, none, or auto, which balances classes of very different
        size.
    path
        In a table of pictures, the column of the paths; found by default.
    folder
        What these paths are relative to; by default the folder of the table.
    mistakes
        Write a contact sheet of the most confident mistakes to this file, .png or .html; by default the
        model's name with -mistakes.html. Of several targets, one for each of the first 8, with -TARGET in
        its name.
    label_separator
        For several labels in one column, what stands between them, such as ";" in cat;dog: each is learned
        as a target of its own.
    """

    size: str | None = None
    fit: str = "crop"
    augment: str = "auto"
    class_weight: str = "auto"
    path: str | None = None
    folder: Path | None = None
    mistakes: Path | None = None
    label_separator: str | None = None


AUTOMATIC = PictureFlags()
