"""Columns of text become numbers, dates, times, true or false, or stay text.

First every column is studied (`study`), because one may show how the signs of another are meant. Then each
is decided (`decide`) and converted (`convert`), later with the same rules in other tables.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from ganglion.answers.values import to_float
from ganglion.errors import DataError, notice
from ganglion.tables.reading import dates, units
from ganglion.tables.reading.options import ColumnReading, Reading, ReadOptions

# Compared without regard to case.
MISSING = (
    "",
    "na",
    "n/a",
    "nan",
    "null",
    "none",
    "#n/a",
    "#na",
    "#null!",
    "#div/0!",
    "#value!",
    "#ref!",
    "#name?",
    "#num!",
    "<na>",
    "nil",
    "-",
    "--",
    ".",
    "?",
)
WORDS = ("na", "n/a", "null", "none", "nil")  # may also be words that mean something
BOOLEAN = {"true": True, "false": False}
# In a column of a model that knows true and false.
TRUTH = BOOLEAN | {
    "1": True,
    "0": False,
    "yes": True,
    "no": False,
    "t": True,
    "f": False,
    "y": True,
    "n": False,
}

SIGN = r"[-+]?"
EXPONENT = r"(?:[eE][-+]?\d+)?"
WHOLE = rf"^{SIGN}\d+$"
LEADING_ZERO = rf"^{SIGN}0\d+$"
INFINITE = rf"^{SIGN}(?i:inf|infinity)$"
FORMS = {
    "whole": rf"^{SIGN}\d+{EXPONENT}$",
    "point": rf"^{SIGN}(?:\d+\.\d*|\.\d+){EXPONENT}$",
    "comma": rf"^{SIGN}(?:\d+,\d*|,\d+){EXPONENT}$",
    "point groups": rf"^{SIGN}[1-9]\d{{0,2}}(?:\.\d{{3}})+$",
    "comma groups": rf"^{SIGN}[1-9]\d{{0,2}}(?:,\d{{3}})+$",
    "point groups, comma": rf"^{SIGN}\d{{1,3}}(?:\.\d{{3}})+,\d*$",
    "comma groups, point": rf"^{SIGN}\d{{1,3}}(?:,\d{{3}})+\.\d*$",
    "lakhs": rf"^{SIGN}\d{{1,2}}(?:,\d{{2}})+,\d{{3}}(?:\.\d*)?$",
    "blank groups": rf"^{SIGN}\d{{1,3}}(?: \d{{3}})+(?:[.,]\d*)?$",
    "apostrophe groups": rf"^{SIGN}\d{{1,3}}(?:'\d{{3}})+(?:[.,]\d*)?$",
}
PLAIN = rf"{FORMS['whole']}|{FORMS['point']}".replace(r"\d", "[0-9]")
ADDRESS = r"^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$"
NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
REPEATED = r"[.,]\d{3}[.,]\d{3}"
LIMIT = r"^[<>≤≥]=?\s*[-+]?[\d.,]+$"
# From this magnitude on, plain whole numbers beside grouped ones say that groups are thousands.
HUNDREDS, THOUSAND = 100, 1000
COMMA = ("comma", "point groups", "point groups, comma")
FEW = 0.2
OF_NUMBERS = "numbers are written here with --decimal, --thousands and --missing"
MIDNIGHT = datetime.time(0)


@dataclass
class Study:
    """What the texts of one column show.

    Args:
        name: of the column.
        distinct: the different texts, without missing values.
        present: which forms of numbers occur; empty unless all texts are numbers.
        point, comma: an example that only a decimal point or only a decimal comma explains, or "".
        groups: an example in which the sign could mean either, by sign.
        most: the largest of the plain whole numbers, None if there are none.
        is_codes: whether some whole numbers begin with a zero.
        unit: a sign beside the numbers, such as "%".
        other_unit: a number with another sign, or a percentage's neighbor without one, or "".
    """

    name: str
    distinct: pl.Series
    present: set[str] = field(default_factory=set)
    point: str = ""
    comma: str = ""
    groups: dict[str, str] = field(default_factory=dict)
    most: int | None = None
    is_codes: bool = False
    unit: str = ""
    other_unit: str = ""


@dataclass(frozen=True)
class Problem:
    """Why a column cannot be read, for whoever needs it."""

    message: str
    hint: str

    def error(self) -> DataError:
        """Return the error to raise."""
        return DataError(self.message, self.hint)


def missing_numbers(extra: tuple[str, ...]) -> frozenset[float]:
    """Return the numbers that the user named as missing: -999 also stands for -999.0."""
    return frozenset(float(word) for word in extra if NUMBER.fullmatch(word))


def without_numbers(values: pl.Series, extra: tuple[str, ...]) -> pl.Series:
    """Return a column of numbers with null for those that the user named as missing."""
    numbers = missing_numbers(extra)
    if not numbers or not values.dtype.is_numeric():
        return values
    return values.set(values.cast(pl.Float64).is_in(list(numbers)).fill_null(False), None)


def without_missing(
    values: pl.Series,
    extra: tuple[str, ...] = (),
    kept: tuple[str, ...] = (),
    distinct: pl.Series | None = None,
) -> pl.Series:
    """Return stripped text, with null for missing values.

    Args:
        values: text.
        extra: words that mean a missing value, in addition to `MISSING`.
        kept: words of `MISSING` that are values, unless the user named them.
        distinct: the different values, if they are known.
    """
    words = [*(word for word in MISSING if word not in kept), *(word.lower() for word in extra)]
    if (
        not (values.unique() if distinct is None else distinct)
        .str.strip_chars()
        .str.to_lowercase()
        .is_in(words)
        .any()
    ):
        return values
    stripped = values.str.strip_chars()
    return values.set(stripped.str.to_lowercase().is_in(words).fill_null(False), None)


def study(values: pl.Series) -> Study:
    """Return what a column of text without missing values shows."""
    distinct = values.drop_nulls().unique().sort()
    found = Study(values.name, distinct)
    if distinct.is_empty():
        return found
    stripped = distinct.str.strip_chars()
    found.is_codes = bool(stripped.str.contains(LEADING_ZERO).any()) and bool(
        stripped.str.contains(r"^[\dA-Za-z/-]+$").all()
    )
    text, unit = units.split(distinct)
    forms = {name: text.str.contains(pattern) for name, pattern in FORMS.items()}
    known = text.str.contains(INFINITE)
    for mask in forms.values():
        known = known | mask
    if not known.all() or text.str.contains(r"[^\x00-\x7f]").any() or _are_addresses(text):
        return found  # other digits than `split` knows
    if unit is not None:
        possible, found.other_unit = units.other_unit(stripped, unit)
        if not possible:
            return found
        found.unit = str(unit.drop_nulls()[0])
    found.present = {name for name, mask in forms.items() if mask.any()} or {"infinite"}

    def example(*masks: pl.Series) -> str:
        for mask in masks:
            if mask.any():
                return str(distinct[int(mask.arg_true()[0])])
        return ""

    by_blank = forms["blank groups"] | forms["apostrophe groups"]
    lone_point = forms["point"] & ~forms["point groups"]
    lone_comma = forms["comma"] & ~forms["comma groups"]
    many_points = forms["point groups"] & text.str.contains(REPEATED)
    many_commas = (forms["comma groups"] & text.str.contains(REPEATED)) | forms["lakhs"]
    found.point = example(
        lone_point, forms["comma groups, point"], many_commas, by_blank & text.str.contains(r"\.")
    )
    found.comma = example(
        lone_comma, forms["point groups, comma"], many_points, by_blank & text.str.contains(",")
    )
    for sign, name in ((".", "point groups"), (",", "comma groups")):
        if shown := example(forms[name]):
            found.groups[sign] = shown
    whole = text.filter(text.str.contains(WHOLE)).cast(pl.Int64, strict=False).abs()
    found.most = None if whole.null_count() == len(whole) else int(whole.max())  # type: ignore[arg-type]
    return found


def _are_addresses(text: pl.Series) -> bool:
    """Return whether all texts are addresses on the internet, such as 10.0.0.255, rather than numbers."""
    if not text.str.contains(ADDRESS).all():
        return False
    parts = text.str.split(".").explode().cast(pl.Int32)
    return bool((parts <= 255).all())


def sign_of(studies: list[Study]) -> str | None:
    """Return the decimal sign that the numbers of a table agree on, None if they do not."""
    point, comma = (any(getattr(each, name) for each in studies) for name in ("point", "comma"))
    return None if point == comma else "." if point else ","


def decide(
    found: Study, options: ReadOptions, decimal: str | None, separator: str | None
) -> tuple[ColumnReading, Problem | None]:
    """Return how a column is read, and why it can't be, if so; it is then text.

    Args:
        found: what the column shows.
        options: what the user fixed.
        decimal: the sign that the numbers of the table agree on.
        separator: between the cells of the file; None for other tables.
    """
    text, name, distinct = ColumnReading("text"), found.name, found.distinct
    if distinct.is_empty():
        return text, None
    form = options.date_form(name)
    if form not in (None, "number"):
        given = ColumnReading("date", form=form)
        if isinstance(options.dates, str) and dates.parse(distinct, form).null_count():
            given = text  # a form for all columns is for those that it suits
        if given != text:
            return given, None
    if found.is_codes and form is None and _compact(distinct) is None:
        return text, None
    if found.present:
        if form is None and found.present == {"whole"} and _compact(distinct) is not None:
            notice(
                f"column {name!r}: numbers such as {distinct[0]} are read as dates; if they are numbers, "
                f"use --date-format {name}=number (read=gg.ReadOptions(dates={{{name!r}: 'number'}}))",
                "numbers-as-dates",
            )
            return ColumnReading("date", form="compact"), None
        if found.other_unit and dates.parse_time(distinct.str.strip_chars()).null_count():
            return text, Problem(
                f"column {name!r} holds numbers in {found.unit}, but also {found.other_unit!r}",
                f"write all alike, or leave the column out (--drop {name}, in Python drop=[{name!r}])",
            )
        if found.other_unit:
            return ColumnReading("time"), None
        how, problem = _decide_number(found, options, decimal, separator)
        return (dataclasses.replace(how, unit=found.unit) if how.kind == "number" else how), problem
    if distinct.str.strip_chars().str.to_lowercase().is_in(list(BOOLEAN)).all():
        return ColumnReading("boolean"), None
    if not distinct.str.contains(r"\d").any():
        return text, None
    if dates.parse_time(distinct.str.strip_chars()).null_count() == 0:
        return ColumnReading("time"), _mixed_times(found)
    form, reason = dates.find_form(distinct.str.strip_chars())
    if form is not None:
        return ColumnReading("date", form=form), None
    return text, _problem(found, reason)


def _compact(distinct: pl.Series) -> pl.Series | None:
    """Return dates written as 20190501, None if some text is none."""
    if not distinct.str.contains(r"^\s*(19|20)\d{6}\s*$").all():
        return None
    parsed = dates.parse(distinct.str.strip_chars(), "compact")
    return parsed if parsed.null_count() == 0 and len(parsed) > 1 else None


def _decide_number(
    found: Study, options: ReadOptions, decimal: str | None, separator: str | None
) -> tuple[ColumnReading, Problem | None]:
    name = found.name
    plain_text = ColumnReading("text")
    if found.present == {"whole"}:
        huge = found.distinct.str.strip_chars().str.contains(rf"^{SIGN}\d{{19,}}$")
        return (plain_text if huge.any() else ColumnReading("number", *signs(options, decimal))), None
    if options.decimal is not None or options.thousands is not None:
        chosen, other = signs(options, decimal)
        if wrong := found.comma if chosen == "." else found.point:
            return plain_text, Problem(
                f"column {name!r} holds {wrong!r}, which is no number with decimal {chosen!r} and thousands "
                f"{other!r}",
                "correct --decimal and --thousands (decimal and thousands of gg.ReadOptions)",
            )
        return ColumnReading("number", chosen, other), None
    if found.point and found.comma:
        return plain_text, Problem(
            f"column {name!r} holds numbers with a decimal point ({found.point!r}) and with a decimal comma "
            f"({found.comma!r})",
            f"write all alike, or leave the column out (--drop {name}, in Python drop=[{name!r}])",
        )
    if found.comma:
        return ColumnReading("number", ",", _thousands(found, ".")), None
    if found.point:
        return ColumnReading("number", ".", _thousands(found, ",")), None
    if len(found.groups) == 2:
        return plain_text, Problem(
            f"column {name!r} holds {found.groups['.']!r} and {found.groups[',']!r}: no decimal sign "
            "explains both",
            f"write all alike, or leave the column out (--drop {name}, in Python drop=[{name!r}])",
        )
    if not found.groups:
        return ColumnReading("number", decimal or ".", _thousands(found, "")), None
    sign, shown = next(iter(found.groups.items()))
    return _decide_groups(found, sign, shown, decimal, separator), None


def _decide_groups(
    found: Study, sign: str, shown: str, decimal: str | None, separator: str | None
) -> ColumnReading:
    """Decide a column in which every sign is followed by three digits."""
    other = "," if sign == "." else "."
    as_thousands = ColumnReading("number", other, sign)
    as_decimal = ColumnReading("number", sign)
    if decimal is not None:
        return as_decimal if decimal == sign else as_thousands
    if found.most is not None and found.most >= HUNDREDS:
        return as_thousands if found.most < THOUSAND else as_decimal
    usual = as_decimal if (sign == ",") == (separator == ";") else as_thousands
    sure = separator == ";" or (sign == "," and separator == ",")
    if not sure:
        whole, fraction = shown.replace(sign, ""), shown.replace(sign, ".")
        read, meant = (fraction, whole) if usual is as_decimal else (whole, fraction)
        option = "thousands" if usual is as_decimal else "decimal"
        notice(
            f"column {found.name!r}: {shown} is read as {read}; if it means {meant}, use --{option} "
            f"'{sign}' (read=gg.ReadOptions({option}={sign!r}))",
            "ambiguous-numbers",
        )
    return usual


def signs(options: ReadOptions, decimal: str | None) -> tuple[str, str]:
    """Return the signs of decimals and thousands, given those that the user fixed and the one found."""
    thousands = options.thousands
    chosen = options.decimal or ({".": ",", ",": "."}.get(thousands or "") or decimal or ".")
    if thousands is None:
        thousands = "" if options.decimal is None else ("," if chosen == "." else ".")
    return chosen, "" if thousands == chosen else thousands


def _thousands(found: Study, sign: str) -> str:
    """Return the sign between thousands that occurs; `sign` is the one that is no decimal sign."""
    if "blank groups" in found.present:
        return " "
    if "apostrophe groups" in found.present:
        return "'"
    both = {",": {"comma groups, point", "lakhs"}, ".": {"point groups, comma"}, "": set[str]()}[sign]
    return sign if sign in found.groups or both & found.present else ""


def _mixed_times(found: Study) -> Problem | None:
    """Return why times such as 59:10 and 1:02:33 cannot be read, None if they can."""
    long = found.distinct.filter(found.distinct.str.contains(r":\d+:"))
    short = found.distinct.filter(found.distinct.str.contains(r"^\s*(2[4-9]|[3-9]\d|\d{3,}):\d+\s*$"))
    if long.is_empty() or short.is_empty():
        return None
    return Problem(
        f"column {found.name!r} holds times such as {short[0]!r} and {long[0]!r}: the first could be "
        "in hours or in minutes",
        f"write all as hours:minutes:seconds, or leave the column out (--drop {found.name}, in Python "
        f"drop=[{found.name!r}])",
    )


def _problem(found: Study, reason: str) -> Problem | None:
    """Return why a column that is mostly numbers or dates is neither, None if it is just text."""
    name, distinct = found.name, found.distinct
    leave = f"leave the column out (--drop {name}, in Python drop=[{name!r}])"
    if reason:
        shown = str(distinct.filter(distinct.str.contains(r"^\s*\d{1,2}[-/]"))[0])
        return Problem(
            f"column {name!r} holds dates such as {shown!r} that can be read in two ways: {reason}",
            "use --date-format day-first or --date-format month-first "
            f"(read=gg.ReadOptions(dates='day-first'), or a format such as '%d/%m/%Y'), or {leave}",
        )
    parsed = dates.parse(distinct.str.strip_chars(), "year-first")
    if 0 < parsed.null_count() <= FEW * len(distinct):
        shown = str(distinct.filter(parsed.is_null())[0])
        return Problem(
            f"column {name!r} holds dates, but also {shown!r}, which is none",
            f"correct the value or leave it empty; to count it as missing, use --missing '{shown}' "
            f"(read=gg.ReadOptions(missing=[{shown!r}])); or {leave}",
        )
    limits = distinct.str.contains(LIMIT)
    if limits.any():
        rest = study(distinct.filter(~limits))
        if rest.present:
            shown = str(distinct.filter(limits)[0])
            return Problem(
                f"column {name!r} holds numbers, but also the limit {shown!r}",
                "write a number, such as half the limit, or leave it empty; to count it as missing, use "
                f"--missing '{shown}' (read=gg.ReadOptions(missing=[{shown!r}])); or {leave}",
            )
    return None


def convert(values: pl.Series, how: ColumnReading, extra: tuple[str, ...] = ()) -> pl.Series:
    """Return a column of text read in a given way.

    Args:
        values: text.
        how: the way.
        extra: words for a missing value, in addition to `MISSING`.

    Raises:
        DataError: for a text of another kind; the message names its row.
    """
    if how.kind == "text":
        return values
    if how.kind == "number" and how.decimal == "." and values.str.contains(PLAIN).all():
        return without_numbers(_cast(values), extra)
    present = without_missing(values, extra)
    stripped = present.str.strip_chars()
    if how.kind == "boolean":
        result = stripped.str.to_lowercase().replace_strict(TRUTH, default=None, return_dtype=pl.Boolean)
    elif how.kind == "time":
        result = dates.parse_time(stripped)
    elif how.kind == "date":
        result = dates.parse(stripped, how.form)
    else:
        result = _numbers(present, how)
    result = result.alias(values.name)
    if result.null_count() > present.null_count():
        row = (result.is_null() & present.is_not_null()).arg_true()[0]
        options = {"date": "dates are written here with --date-format", "number": OF_NUMBERS}.get(how.kind)
        raise DataError(
            f"column {values.name!r} must hold {_wanted(how)}, got {values[row]!r} in row {row}",
            "correct the value or leave it empty" + (f", or say how {options}" if options else ""),
        )
    if how.kind == "date" and (result.dt.time() == MIDNIGHT).all():
        return result.cast(pl.Date)
    return without_numbers(result, extra)


def convert_mixed(name: str, values: Sequence[Any], reading: Reading | None) -> pl.Series | None:
    """Return a column of which some values are text and others have their type, as a model reads it.

    Args:
        name: of the column.
        values: text, numbers, dates and None.
        reading: how the table of a model was read.

    Returns:
        None if the column has no such type, or other values.

    Raises:
        DataError: as for `convert`.
    """
    how = None if reading is None else reading.columns.get(name)
    if reading is None or how is None or how.kind in ("text", "boolean"):
        return None
    types = datetime.date if how.kind == "date" else (int, float, decimal.Decimal, datetime.time)
    if not all(value is None or isinstance(value, (str, types)) for value in values):
        return None
    texts = pl.Series(name, [v if isinstance(v, str) else None for v in values], dtype=pl.String)
    read = convert(texts, how, reading.missing)
    if how.kind == "date":
        days = [None if isinstance(value, str) else _in_utc(value) for value in values]
        return read.cast(pl.Datetime("us")).fill_null(pl.Series(days, dtype=pl.Datetime("us"), strict=False))
    others = [None if isinstance(value, str) or value is None else to_float(name, value) for value in values]
    return read.cast(pl.Float64).fill_null(pl.Series(others, dtype=pl.Float64))


def _in_utc(value: datetime.date | None) -> datetime.date | None:
    """Return a date or time without a zone."""
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.UTC).replace(tzinfo=None)
    return value


def _numbers(values: pl.Series, how: ColumnReading) -> pl.Series:
    text, unit = units.split(values)
    # Next to a decimal comma, points can only be thousands. A decimal point is also what is assumed.
    allowed = {"whole", *(("point", "comma groups, point") if how.decimal == "." else COMMA)}
    if how.thousands == ",":
        allowed |= {"comma groups", "lakhs"}
    elif how.thousands == " ":
        allowed |= {"blank groups"}
    elif how.thousands == "'":
        allowed |= {"apostrophe groups"}
    fits = text.str.contains(INFINITE)
    for name in allowed:
        fits = fits | text.str.contains(FORMS[name])
    if unit is not None:
        fits &= unit.is_null() | (
            units.alike(unit, how.unit) if how.unit else unit.str.contains(rf"^{units.CURRENCY}$")
        ).fill_null(False)
    text = text.set((~fits).fill_null(False), None)
    for sign in " '":
        if how.thousands == sign:
            text = text.str.replace_all(sign, "", literal=True)
    if how.decimal == ",":
        text = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    else:
        text = text.str.replace_all(",", "", literal=True)
    return _cast(text)


def _cast(text: pl.Series) -> pl.Series:
    """Return text of digits with a decimal point as numbers: whole ones if all are."""
    unsigned = text.str.strip_prefix("+")
    if text.str.contains(WHOLE).all():
        whole = unsigned.cast(pl.Int64, strict=False)
        if whole.null_count() == text.null_count():
            return whole
    return unsigned.cast(pl.Float64, strict=False)


def _wanted(how: ColumnReading) -> str:
    if how.kind == "number":
        groups = f" and thousands {how.thousands!r}" if how.thousands else ""
        unit = f" in {how.unit}" if how.unit else ""
        plain = dataclasses.replace(how, unit="") == ColumnReading("number")
        return f"numbers{unit}" + ("" if plain else f" with decimal {how.decimal!r}{groups}")
    if how.kind == "date":
        example = {
            "year-first": "written as 2026-01-31",
            "day-first": "written as 31/01/2026",
            "month-first": "written as 01/31/2026",
            "compact": "written as 20260131",
            "month": "written as 2026-01",
        }.get(how.form, f"of the form {how.form}")
        return f"dates {example}"
    return {"time": "times, such as 22:30", "boolean": "true or false"}[how.kind]
