"""How a table is read: what the user fixed, and what was found, column by column, for a model to keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ganglion.checks import check_flag
from ganglion.errors import ConfigError, amount, one_of, shortened
from ganglion.tables.reading.dates import FORMS, check_form

SEPARATORS = {",": "','", ";": "';'", "\t": "tab", "|": "'|'", " ": "blanks"}
SIGNS = (".", ",")
THOUSANDS = ("", ".", ",", " ", "'")
MOST_SIGNS = 10
KINDS = ("text", "number", "date", "time", "boolean")


@dataclass(frozen=True)
class ReadOptions:
    """How a table is to be read. What is None is found from the table.

    Args:
        separator: between the cells of a line: one character, "tab", or " " for any number of blanks.
        decimal: the sign before the fraction of a number, "." or ",".
        thousands: the sign between groups of three digits: ".", ",", " ", "'", or "" for none.
        header: whether the first line holds the names of the columns. Without names they are x1, x2 ...
        encoding: of the characters, such as "utf-8", "cp1252" or "utf-16".
        comment: the sign that a line to ignore begins with, or "" if there are no such lines.
        missing: words that mean a missing value, in addition to the usual ones, such as "-999".
        dates: how dates are written: "day-first", "month-first", "year-first", "unix" (seconds since 1970),
            "number" (numbers that look like dates are numbers), or a format such as "%d/%m/%Y"; for some
            columns only, a dict by column.

    Raises:
        ConfigError: for a setting out of range.

    >>> gg.ReadOptions(separator="tab", decimal=",").separator
    '\\t'
    """

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    header: bool | None = None
    encoding: str | None = None
    comment: str | None = None
    missing: Collection[str] = ()
    dates: str | Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if self.separator == "tab":
            object.__setattr__(self, "separator", "\t")
        if self.separator is not None and (
            not isinstance(self.separator, str) or len(self.separator) != 1 or self.separator in '"\n\r'
        ):
            raise ConfigError(
                f"separator must be one character, got {shortened(self.separator)}", "such as ';' or 'tab'"
            )
        if self.decimal not in (None, *SIGNS):
            raise ConfigError(f"decimal must be '.' or ',', got {shortened(self.decimal)}")
        if self.thousands not in (None, *THOUSANDS):
            known = ", ".join(map(repr, THOUSANDS))
            raise ConfigError(f"thousands must be one of {known}, got {shortened(self.thousands)}")
        if self.decimal is not None and self.decimal == self.thousands:
            raise ConfigError(f"decimal and thousands must be different signs, got {self.decimal!r} for both")
        if self.header is not None:
            check_flag("header", self.header)
        if self.encoding is not None:
            try:
                "a".encode(self.encoding)  # refuses what is no encoding of text, such as base64
            except (LookupError, TypeError, ValueError) as error:
                raise ConfigError(
                    f"there is no encoding {shortened(self.encoding)}", "such as utf-8, cp1252 or utf-16"
                ) from error
        if self.comment is not None and (
            not isinstance(self.comment, str)
            or len(self.comment) > MOST_SIGNS
            or not self.comment.isprintable()
        ):
            raise ConfigError(
                f"comment must be at most {MOST_SIGNS} characters, got {shortened(self.comment)}",
                "such as '#'",
            )
        words = [self.missing] if isinstance(self.missing, str) else self.missing
        if not isinstance(words, tuple | list | set | frozenset) or not all(
            isinstance(word, str | int | float) for word in words
        ):
            raise ConfigError(f"missing must be a list of words, got {shortened(self.missing)}")
        object.__setattr__(self, "missing", tuple(str(word).strip() for word in words))
        forms = self.dates.values() if isinstance(self.dates, Mapping) else [self.dates]
        for form in forms:
            if form is not None:
                check_form(form)

    def date_form(self, column: str) -> str | None:
        """Return the form of dates that the user fixed for a column."""
        return self.dates.get(column) if isinstance(self.dates, Mapping) else self.dates


@dataclass(frozen=True)
class ColumnReading:
    """How the cells of one column are read.

    Args:
        kind: "text", "number", "date", "time" (of day or a duration, in hours) or "boolean".
        decimal, thousands: the signs in numbers; "" for none.
        form: of dates, see `ReadOptions`.
        unit: the sign beside the numbers when the column was first read, such as "%" or "$"; it is dropped.
    """

    kind: str
    decimal: str = "."
    thousands: str = ""
    form: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(
                f"there is no kind of column {shortened(self.kind)}", one_of(str(self.kind), KINDS)
            )
        if self.decimal not in SIGNS or self.thousands not in THOUSANDS or self.decimal == self.thousands:
            raise ConfigError("decimal and thousands must be different known signs")
        if self.form or self.kind == "date":
            check_form(self.form)

    @property
    def is_plain(self) -> bool:
        """Whether the column is read as in any CSV file."""
        return self.kind in ("text", "boolean") or self == ColumnReading("number")

    def describe(self, decimal: bool = True) -> str:
        """Return what is unusual about the column, "" if nothing is; `decimal` if its sign is told, too."""
        if self.kind == "number":
            found = ["decimal comma"] if decimal and self.decimal == "," else []
            found += [f"thousands {self.thousands!r}"] if self.thousands else []
            found += [f"numbers in {self.unit}"] if self.unit else []
            return " and ".join(found)
        if self.kind == "date" and self.form != "year-first":
            return f"dates {self.form.replace('-', ' ')}" if self.form in FORMS else f"dates {self.form}"
        return "times in hours" if self.kind == "time" else ""


@dataclass(frozen=True)
class Layout:
    """How the bytes of a text file become cells.

    Args:
        encoding: of the characters.
        separator: between the cells of a line.
        header: whether there are names.
        comment: the sign that lines to ignore begin with, or "".
        skipped: the number of lines before the names, or before the rows if there are no names.
    """

    encoding: str = "utf-8"
    separator: str = ","
    header: bool = True
    comment: str = ""
    skipped: int = 0

    def describe(self) -> list[str]:
        """Return what differs from a plain CSV file."""
        found = []
        if self.separator != ",":
            shown = SEPARATORS.get(self.separator, repr(self.separator))
            found.append(f"separator {shown}")
        if self.encoding != "utf-8":
            found.append(f"encoding {self.encoding}")
        if not self.header:
            found.append("no header")
        if self.comment:
            found.append(f"comments after {self.comment!r}")
        if self.skipped:
            found.append(
                f"{amount(self.skipped, 'line')} before the {'header' if self.header else 'rows'} skipped"
            )
        return found


@dataclass(frozen=True)
class Reading:
    """How a table was read, so that other tables are read alike.

    Args:
        layout: of the file, None if the table was no text file.
        columns: how each column of text is read.
        missing: words for a missing value, in addition to the usual ones.
    """

    layout: Layout | None = None
    columns: Mapping[str, ColumnReading] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return what differs from a plain CSV file, on one line; "" if nothing does."""
        found = [] if self.layout is None else self.layout.describe()
        by_words: dict[str, list[str]] = {}
        signs = {column.decimal for column in self.columns.values() if column.kind == "number"}
        if signs == {","}:  # of the table: many of the columns may hold whole numbers only
            found.append("decimal comma")
        for name, column in self.columns.items():
            if words := column.describe(decimal=len(signs) > 1):
                by_words.setdefault(words, []).append(name)
        for words, names in by_words.items():
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            found.append(f"{words} ({', '.join(names[:3])}{more})")
        if self.missing:
            found.append("missing also " + ", ".join(map(repr, self.missing)))
        return ", ".join(found)

    def only(self, names: Collection[str]) -> Self:
        """Return the reading of some of the columns."""
        columns = {name: column for name, column in self.columns.items() if name in names}
        return dataclasses.replace(self, columns=columns)

    def configuration(self) -> dict[str, Any]:
        """Return the reading as plain JSON data."""
        return {
            "layout": None if self.layout is None else dataclasses.asdict(self.layout),
            "columns": {name: dataclasses.asdict(column) for name, column in self.columns.items()},
            "missing": list(self.missing),
        }

    @classmethod
    def from_configuration(cls, data: Any) -> Self:
        """Return the reading that `configuration` described.

        Raises:
            ConfigError: if the description is not valid.
        """
        if not isinstance(data, Mapping) or set(data) != {"layout", "columns", "missing"}:
            raise ConfigError("a reading must have layout, columns and missing")
        layout, columns, missing = data["layout"], data["columns"], data["missing"]
        if not isinstance(columns, Mapping) or not isinstance(missing, list):
            raise ConfigError("a reading's columns must be an object, and missing a list")
        try:
            known = None if layout is None else Layout(**_typed(Layout, layout))
            read = {name: ColumnReading(**_typed(ColumnReading, each)) for name, each in columns.items()}
        except TypeError as error:
            raise ConfigError("a reading has unknown settings") from error
        if known is not None:
            if known.skipped < 0:
                raise ConfigError("a reading must not skip fewer than 0 lines")
            ReadOptions(separator=known.separator, encoding=known.encoding)
        return cls(known, read, tuple(ReadOptions(missing=missing).missing))


def _typed(kind: type, data: Any) -> dict[str, Any]:
    """Return settings after checking that each has the type of the default."""
    fields = {each.name: each for each in dataclasses.fields(kind)}
    if not isinstance(data, Mapping) or not set(data) <= set(fields):
        raise ConfigError("a reading has unknown settings")
    for name, value in data.items():
        default = fields[name].default
        wanted = str if default is dataclasses.MISSING else type(default)
        if type(value) is not wanted:
            raise ConfigError(
                f"{name} of a reading must be of type {wanted.__name__}, got {shortened(value)}"
            )
    return dict(data)
