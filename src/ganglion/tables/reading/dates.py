"""Dates and times as people write them: a text is taken apart into numbers, and these make the date."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from ganglion.errors import ConfigError, one_of, shortened

FORMS = ("year-first", "day-first", "month-first", "compact", "unix", "unix-ms", "number")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-zA-Z]*\.?"
_TIME = (
    r"(?:(?:T|[ ,]+)\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:[.,]\d+)?))?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?\s*(?P<zone>Z|UTC|GMT|[-+]\d{2}(?::?\d{2})?)?$"
)
_DAY_NAME = r"(?:[A-Za-z]{3,9}\.?,? +)?"
_YEAR = r"(?P<year>\d{4}|\d{2})"
PATTERNS = {
    "year-first": r"^(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + _TIME,
    "compact": r"^(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})" + _TIME,
    "day-first": r"^(?P<day>\d{1,2})[-/.](?P<month>\d{1,2})[-/.]" + _YEAR + _TIME,
    "month-first": r"^(?P<month>\d{1,2})[-/.](?P<day>\d{1,2})[-/.]" + _YEAR + _TIME,
    "day-name": rf"^{_DAY_NAME}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[-/. ]*(?P<month>{_NAME})[-/. ,]*"
    + _YEAR
    + _TIME,
    "name-day": rf"^{_DAY_NAME}(?P<month>{_NAME})[-/. ]*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[-/. ,]+"
    + _YEAR
    + _TIME,
}
# These read the same in every country, so that they are accepted whatever the form of the column.
CLEAR = ("year-first", "day-name", "name-day")
TIME_OF_DAY = (
    r"^(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:\.\d+)?))?\s*(?P<half>[AaPp]\.?[Mm]\.?)?$"
)
FIRST_COMPACT, LAST_COMPACT = 19_000_101, 21_001_231
UNIX = {"unix": 1, "unix-ms": 1000}


def check_form(form: Any) -> None:
    """Raise `ConfigError` unless dates can be read by this form."""
    if isinstance(form, str) and (form in FORMS or "%" in form):
        return
    raise ConfigError(
        f"there is no form of dates {shortened(form)}", one_of(str(form), FORMS) + ", or such as %d/%m/%Y"
    )


def parse(values: pl.Series, form: str) -> pl.Series:
    """Return text as datetimes without a zone, in UTC if it names one; null where it is no such date.

    Args:
        values: text.
        form: one of `FORMS`, or a format such as "%d/%m/%Y".
    """
    if form in UNIX:
        numbers = values.cast(pl.Float64, strict=False)
        micros = (numbers * (1_000_000 // UNIX[form])).round().cast(pl.Int64, strict=False)
        return micros.cast(pl.Datetime("us"))
    if "%" in form:
        return _by_format(values, form)
    found = _by_pattern(values, PATTERNS[form]) if form in PATTERNS else None
    for clear in CLEAR:
        if clear == form or (found is not None and found.null_count() == values.null_count()):
            continue
        other = _by_pattern(values, PATTERNS[clear])
        found = other if found is None else found.fill_null(other)
    assert found is not None
    return found


def _by_format(values: pl.Series, form: str) -> pl.Series:
    found = pl.Series(values.name, [None] * len(values), dtype=pl.Datetime("us"))
    for kind in (pl.Datetime("us"), pl.Date):
        try:
            found = found.fill_null(values.str.strptime(kind, form, strict=False).cast(pl.Datetime("us")))
        except pl.exceptions.PolarsError:
            continue  # a format without hours is none of a datetime, and the other way round
    return found


def _by_pattern(values: pl.Series, pattern: str) -> pl.Series:
    groups = values.str.extract_groups(pattern).struct
    parts = {name: groups.field(name) for name in groups.fields}
    year = parts["year"].cast(pl.Int32, strict=False)
    # Two digits as in POSIX: 69 is 1969, 68 is 2068.
    short = parts["year"].str.len_chars() == 2
    year = year + short.cast(pl.Int32) * (1900 + (year < 69).cast(pl.Int32) * 100)
    month = parts["month"].cast(pl.Int32, strict=False)
    if month.null_count() > parts["month"].null_count():
        names = parts["month"].str.to_lowercase().str.slice(0, 3)
        month = month.fill_null(
            names.replace_strict(list(MONTHS), list(range(1, 13)), default=None, return_dtype=pl.Int32)
        )
    hour, wrong = _hours(parts["hour"], parts["half"])
    frame = pl.DataFrame(
        {
            "year": year.cast(pl.String).str.zfill(4),
            "month": month.cast(pl.String).str.zfill(2),
            "day": parts["day"].str.zfill(2),
            "hour": hour.fill_null(0).cast(pl.String).str.zfill(2),
            "minute": parts["minute"].fill_null("00"),
            "second": parts["second"].fill_null("00").str.replace(",", ".", literal=True),
        }
    )
    text = frame.select(pl.format("{}-{}-{} {}:{}:{}", *frame.columns).alias(values.name)).to_series()
    found = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
    found = found.set(wrong.fill_null(False), None)
    zone = parts["zone"]
    if zone.null_count() < len(zone):
        shift = zone.str.extract_groups(r"^(?P<sign>[-+])(?P<hours>\d{2}):?(?P<minutes>\d{2})?$").struct
        minutes = shift.field("hours").cast(pl.Int64) * 60 + shift.field("minutes").cast(pl.Int64).fill_null(
            0
        )
        sign = shift.field("sign").replace_strict(["+", "-"], [1, -1], default=None, return_dtype=pl.Int64)
        micros = (minutes * sign).fill_null(0) * 60_000_000
        found = (found.cast(pl.Int64) - micros).cast(pl.Datetime("us"))
    return found.alias(values.name)


def _hours(hour: pl.Series, half: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return hours of the day, and which of them no clock shows: 13 PM."""
    number, letter = hour.cast(pl.Int32, strict=False), half.str.slice(0, 1).str.to_lowercase()
    wrong = letter.is_not_null() & ~number.is_between(1, 12)
    number = number.set((letter == "p").fill_null(False) & (number < 12).fill_null(False), None).fill_null(
        number + 12
    )
    number = number.set((letter == "a").fill_null(False) & (number == 12).fill_null(False), 0)
    return number, wrong


def parse_time(values: pl.Series) -> pl.Series:
    """Return times of day as hours since midnight; null where text is no time of day."""
    groups = values.str.extract_groups(TIME_OF_DAY).struct
    hour, wrong = _hours(groups.field("hour"), groups.field("half"))
    minute = groups.field("minute").cast(pl.Float64, strict=False)
    second = groups.field("second").cast(pl.Float64, strict=False).fill_null(0)
    hours = hour.cast(pl.Float64) + minute / 60 + second / 3600
    wrong = wrong | (hour > 24) | (minute > 59) | (second >= 60)
    return hours.set(wrong.fill_null(True), None).alias(values.name)


def find_form(distinct: pl.Series) -> tuple[str | None, str]:
    """Return the form of a column of dates, and the reason why none can be chosen, if they are dates.

    Args:
        distinct: the different texts of the column, without missing values.

    Returns:
        The form and ""; None and "" if they are not all dates; None and a reason if they are dates that can
        be read in two ways.
    """
    if _all(distinct, PATTERNS["year-first"]):
        return ("year-first", "") if _complete(distinct, "year-first") else (None, "")
    numeric = distinct.filter(distinct.str.contains(PATTERNS["day-first"]))
    others = distinct.filter(~distinct.str.contains(PATTERNS["day-first"]))
    if not all_clear(others):
        return None, ""
    if numeric.is_empty():
        return ("year-first", "") if len(others) else (None, "")
    first, second = (numeric.str.extract(r"^(\d{1,2})[-/.](\d{1,2})", n).cast(pl.Int32) for n in (1, 2))
    day_first, month_first = bool((first > 12).any()), bool((second > 12).any())
    if day_first and month_first:
        return None, ""
    if not day_first and not month_first:
        if numeric.str.contains(r"^\d{1,2}\.\d{1,2}\.").all():
            return "day-first", ""  # with dots the day comes first wherever dates are written so
        return None, "the day or the month could come first"
    form = "day-first" if day_first else "month-first"
    if numeric.str.contains(r"^\d{1,2}-\d{1,2}-\d{2}(\D|$)").any():
        return None, "the day or the year could come first"
    return (form, "") if _complete(numeric, form) else (None, "")


def _all(values: pl.Series, pattern: str) -> bool:
    return len(values) > 0 and bool(values.str.contains(pattern).all())


def all_clear(values: pl.Series) -> bool:
    """Return whether all of some texts are dates that can be read in one way only."""
    return values.is_empty() or _complete(values, "year-first")


def _complete(values: pl.Series, form: str) -> bool:
    return parse(values, form).null_count() == 0


def python_pattern(form: str) -> re.Pattern[str]:
    """Return the pattern of a form for Python's own regular expressions."""
    return re.compile(PATTERNS[form])
