"""Dates and times as people write them: a text is taken apart into numbers, and these make the date."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from ganglion.errors import ConfigError, one_of, shortened

FORMS = ("year-first", "day-first", "month-first", "compact", "month", "unix", "unix-ms", "number")
# In English, German, French, Spanish, Italian, Portuguese, Dutch and the languages of Scandinavia.
MONTHS = {
    name: month
    for month, names in enumerate(
        (
            "january jan januar jänner jän janvier janv enero ene gennaio gen janeiro januari",
            "february feb februar février fevrier févr fevr fév fev febrero febbraio fevereiro februari",
            "march mar märz maerz mär mrz mars marzo março marco maart mrt marts",
            "april apr avril avr abril abr aprile",
            "may mai mayo maggio mag maio mei maj",
            "june jun juni juin junio giugno giu junho",
            "july jul juli juillet juil julio luglio lug julho",
            "august aug août aout agosto ago augustus augusti",
            "september sep sept septembre septiembre settembre set setembro",
            "october oct oktober okt octobre octubre ottobre ott outubro out",
            "november nov novembre noviembre novembro",
            "december dec dezember dez décembre decembre déc diciembre dic dicembre dezembro desember",
        ),
        start=1,
    )
    for name in names.split()
}
_NAME = "(?i:" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\.?"
_TIME = (
    r"(?:(?:T|[ ,]+|:)\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:[.,]\d+)?))?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?\s*(?P<zone>Z|UTC|GMT|[-+]\d{2}(?::?\d{2})?)?$"
)
_DAY_NAME = r"(?:[^\W\d_]{2,12}\.?,? +)?"
_YEAR = r"(?P<year>\d{4}|\d{2})"
PATTERNS = {
    "year-first": r"^(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + _TIME,
    "compact": r"^(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})" + _TIME,
    "day-first": r"^(?P<day>\d{1,2})[-/.](?P<month>\d{1,2})[-/.]" + _YEAR + _TIME,
    "month-first": r"^(?P<month>\d{1,2})[-/.](?P<day>\d{1,2})[-/.]" + _YEAR + _TIME,
    "day-name": rf"^{_DAY_NAME}(?P<day>\d{{1,2}})(?:st|nd|rd|th|er)?[-/. ]*(?:(?:de|of) +)?(?P<month>{_NAME})"
    + r"[-/. ,]*(?:del? +)?"
    + _YEAR
    + _TIME,
    "name-day": rf"^{_DAY_NAME}(?P<month>{_NAME})[-/. ]*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[-/. ,]+"
    + _YEAR
    + _TIME,
    "name-year": rf"^{_DAY_NAME}(?P<month>{_NAME}) +(?P<day>\d{{1,2}}) +(?P<hour>\d{{1,2}})"
    r":(?P<minute>\d{2}):(?P<second>\d{2})(?P<half> ?[AaPp][Mm])? +"
    r"(?:(?P<zone>UTC|GMT|[-+]\d{4}) +)?(?P<year>\d{4})$",
    "signs": r"^(?P<year>\d{4}) ?[年년] ?(?P<month>\d{1,2}) ?[月월] ?(?P<day>\d{1,2}) ?[日일]" + _TIME,
    "year-month": r"^(?P<year>\d{4})[-/](?P<month>\d{1,2})$",
    "month-year": r"^(?P<month>\d{1,2})[-/](?P<year>\d{4})$",
    "name-of-month": rf"^(?P<month>{_NAME})[-/ ,]*(?:del? +)?(?P<year>\d{{4}})$",
}
# Months without a day, which stand for their first one.
OF_MONTHS = ("year-month", "month-year", "name-of-month")
ANY_MONTH = "|".join(re.sub(r"\?P<\w+>", "?:", PATTERNS[each]) for each in OF_MONTHS)  # names are used once
# These read the same in every country, so that they are accepted whatever the form of the column.
CLEAR = ("year-first", "day-name", "name-day", "name-year", "signs")
# Times of day and durations: 22:30, 1 day, 2:03:04, 1h 30m and, by ISO 8601, PT1H30M.
CLOCK = (
    r"^(?:(?P<days>\d+) days?,? +)?(?P<hour>\d{1,4}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:\.\d+)?))?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?$"
)
TIMES = (
    CLOCK,
    r"^(?:(?P<days>\d+) ?d(?:ays?)?)?[ ,]*(?:(?P<hour>\d+) ?h(?:rs?|ours?)?)?[ ,]*"
    r"(?:(?P<minute>\d+) ?m(?:ins?|inutes?)?)?[ ,]*(?:(?P<second>\d+(?:\.\d+)?) ?s(?:ecs?|econds?)?)?"
    r"(?P<half>)$",
    r"^P(?:(?P<days>\d+)D)?(?:T(?:(?P<hour>\d+)H)?(?:(?P<minute>\d+)M)?(?:(?P<second>\d+(?:\.\d+)?)S)?)?"
    r"(?P<half>)$",
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
    if form == "month":
        months = pl.Series(values.name, [None] * len(values), dtype=pl.Datetime("us"))
        for pattern in OF_MONTHS:
            months = months.fill_null(_by_pattern(values, PATTERNS[pattern]))
        return months
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
    if not values.str.contains(pattern).any():  # what follows takes ten times as long
        return pl.Series(values.name, [None] * len(values), dtype=pl.Datetime("us"))
    groups = values.str.extract_groups(pattern).struct
    parts = {name: groups.field(name) for name in groups.fields}
    year = parts["year"].cast(pl.Int32, strict=False)
    # Two digits as in POSIX: 69 is 1969, 68 is 2068.
    short = parts["year"].str.len_chars() == 2
    year = year + short.cast(pl.Int32) * (1900 + (year < 69).cast(pl.Int32) * 100)
    month = parts["month"].cast(pl.Int32, strict=False)
    if month.null_count() > parts["month"].null_count():
        names = parts["month"].str.to_lowercase().str.strip_suffix(".")
        month = month.fill_null(names.replace_strict(MONTHS, default=None, return_dtype=pl.Int32))
    first = pl.Series([None] * len(values), dtype=pl.String)
    for name in ("hour", "minute", "second", "half", "zone"):
        parts.setdefault(name, first)
    parts.setdefault("day", month.cast(pl.String).set(month.is_not_null(), "1"))
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
    number, letter = (
        hour.cast(pl.Int32, strict=False),
        half.str.strip_chars().str.slice(0, 1).str.to_lowercase(),
    )
    wrong = letter.is_not_null() & ~number.is_between(1, 12)
    number = number.set((letter == "p").fill_null(False) & (number < 12).fill_null(False), None).fill_null(
        number + 12
    )
    number = number.set((letter == "a").fill_null(False) & (number == 12).fill_null(False), 0)
    return number, wrong


def parse_time(values: pl.Series) -> pl.Series:
    """Return times of day and durations as hours; null where text is neither."""
    found = pl.Series(values.name, [None] * len(values), dtype=pl.Float64)
    for pattern in TIMES:
        if found.null_count() > values.null_count() and values.str.contains(pattern).any():
            found = found.fill_null(_hours_by_pattern(values, pattern))
    return found


def _hours_by_pattern(values: pl.Series, pattern: str) -> pl.Series:
    groups = values.str.extract_groups(pattern).struct
    half = groups.field("half").replace("", None)
    hour, wrong = _hours(groups.field("hour"), half)
    days, minute, second = (
        groups.field(name).cast(pl.Float64, strict=False) for name in ("days", "minute", "second")
    )
    if pattern == CLOCK:
        wrong = wrong | (minute > 59) | (second >= 60) | (days.is_not_null() & (hour > 23))
        wrong = wrong.fill_null(groups.field("minute").is_null())
    else:
        wrong = days.is_null() & hour.is_null() & minute.is_null() & second.is_null()
    hours = hour.cast(pl.Float64).fill_null(0) + minute.fill_null(0) / 60 + second.fill_null(0) / 3600
    return (hours + days.fill_null(0) * 24).set(wrong, None)


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
    if _are_months(distinct):
        return "month", ""
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


def _are_months(distinct: pl.Series) -> bool:
    """Return whether texts are months such as 2015-01; seasons such as 2009-10, 2010-11 are none."""
    if len(distinct) < 2 or not distinct.str.contains(ANY_MONTH).all():
        return False
    parsed = parse(distinct, "month")
    if parsed.null_count() or not parsed.dt.year().is_between(1900, 2100).all():
        return False
    return not (distinct.str.contains(r"^\d{4}") & (parsed.dt.month() == (parsed.dt.year() + 1) % 100)).all()


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
