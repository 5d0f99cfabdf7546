"""Random tables, written in random dialects: read to the same table or refused by name, never read wrong."""

import datetime
import os
import string
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings, strategies as st

import ganglion as gg
from ganglion.tables.reading.sources import Table, open_table

# By hand: EXAMPLES=10000 pytest tests/tables/reading/test_dialects.py --hypothesis-show-statistics
EXAMPLES = int(os.environ.get("EXAMPLES", "150"))

MARKERS = ("", "NA", "n/a", "NaN", "null", "None", "-", "?", "#N/A", ".")
DATES = {"year-first": "%Y-%m-%d", "day-first": "%d.%m.%Y", "month-first": "%m/%d/%Y", "name": "%d %b %Y"}
WORDS = st.text(string.ascii_lowercase + "é", min_size=2, max_size=8).filter(
    lambda word: word not in ("na", "nan", "null", "none", "nil", "inf", "true", "false", "infinity")
)
NAMES = st.lists(WORDS.map(lambda word: "c" + word), min_size=2, max_size=5, unique=True)


@st.composite
def dialects(draw: st.DrawFn) -> dict[str, Any]:
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    decimal = draw(st.sampled_from([".", ","]))
    thousands = draw(st.sampled_from(["", {".": ",", ",": "."}[decimal], " ", "'"]))
    return {
        "separator": separator,
        "decimal": decimal,
        "thousands": thousands,
        "date": draw(st.sampled_from(sorted(DATES))),
        "quotes": draw(st.sampled_from(["needed", "words", "all"])),
        "blanks": draw(st.booleans()),
        "marker": draw(st.sampled_from(MARKERS)),
        "header": draw(st.booleans()),
        "comments": draw(st.booleans()),
        "before": draw(st.sampled_from([0, 0, 2])),
        "ends": draw(st.sampled_from(["\n", "\r\n", "\r"])),
        "encoding": draw(
            st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
        ),
    }


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    names = draw(NAMES)
    count = draw(st.integers(6, 30))
    columns: dict[str, list[Any]] = {}
    kinds = [
        "fraction",
        *draw(
            st.lists(
                st.sampled_from(["whole", "fraction", "word", "date", "code"]),
                min_size=len(names) - 1,
                max_size=len(names) - 1,
            )
        ),
    ]
    for name, kind in zip(names, kinds, strict=True):
        value: st.SearchStrategy[Any] = {
            "whole": st.integers(-9_999_999, 9_999_999),
            "fraction": st.integers(-99_999_999, 99_999_999).map(lambda n: n / 100),
            "word": WORDS,
            "date": st.dates(datetime.date(1970, 1, 1), datetime.date(2068, 12, 31)),
            "code": st.integers(0, 999).map(lambda n: f"{n:05d}"),
        }[kind]
        values = draw(st.lists(value, min_size=count, max_size=count))
        gaps = draw(st.lists(st.integers(0, count - 1), max_size=count // 4))
        columns[name] = [None if i in gaps else each for i, each in enumerate(values)]
    return columns


def number_text(value: float, dialect: dict[str, Any]) -> str:
    whole = isinstance(value, int)
    text = f"{abs(value):,d}" if whole else f"{abs(value):,.2f}"
    text = text.replace(",", "\0").replace(".", dialect["decimal"]).replace("\0", dialect["thousands"])
    return ("-" if value < 0 else "") + text


def cell_text(value: Any, dialect: dict[str, Any]) -> str:
    if value is None:
        text = dialect["marker"]
    elif isinstance(value, datetime.date):
        text = value.strftime(DATES[dialect["date"]])
    elif isinstance(value, int | float):
        text = number_text(value, dialect)
    else:
        text = value
    needed = dialect["separator"] in text or '"' in text
    if dialect["quotes"] == "all" or needed or (dialect["quotes"] == "words" and isinstance(value, str)):
        return f'"{text}"'
    return text


def written(columns: dict[str, list[Any]], dialect: dict[str, Any]) -> bytes:
    joint = dialect["separator"] + (" " if dialect["blanks"] and dialect["separator"] != "\t" else "")
    lines = ["a report of numbers", ""][: dialect["before"]]
    if dialect["header"]:
        lines.append(joint.join(columns))
    rows = zip(*columns.values(), strict=True)
    lines += [joint.join(cell_text(value, dialect) for value in row) for row in rows]
    if dialect["comments"]:
        lines.insert(0, "# written by a program")
        lines.insert(len(lines) // 2 + 1, "# the second half")
    return (dialect["ends"].join(lines) + dialect["ends"]).encode(dialect["encoding"])


def same(found: Any, right: Any) -> bool:
    if isinstance(right, datetime.date):
        found = found.date() if isinstance(found, datetime.datetime) else found
    if isinstance(right, int | float) and isinstance(found, int | float):
        return abs(found - right) <= 1e-9 * max(1.0, abs(right))
    return bool(found == right)


def read(path: Path, options: gg.ReadOptions | None = None) -> tuple[Table | None, set[str]]:
    """Return the table, None if it was refused, and the names of the notices."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            table = open_table(path, options)
        except gg.GanglionError:
            table = None
    return table, {str(w.message.name) for w in caught if isinstance(w.message, gg.GanglionNotice)}


def wrong(table: Table, columns: dict[str, list[Any]], header: bool) -> list[str]:
    """Return what was read wrong; a column that is refused by name is not."""
    frame = table.frame
    if frame.shape != (len(next(iter(columns.values()))), len(columns)):
        return [f"shape {frame.shape}"]
    found = [] if not header or frame.columns == list(columns) else [f"names {frame.columns}"]
    for column, (name, values) in zip(frame.get_columns(), columns.items(), strict=True):
        if column.name in table.problems or all(value is None for value in values):
            continue
        if not all(map(same, column.to_list(), values)):
            found.append(f"{name}: {column.to_list()} is not {values}")
    return found


UNSURE = {"ambiguous-numbers", "numbers-as-dates", "no-header"}


@settings(
    max_examples=EXAMPLES, derandomize=EXAMPLES <= 300, suppress_health_check=list(HealthCheck), deadline=None
)
@given(tables(), dialects())
def test_never_read_wrong(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, list[Any]], dialect: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "dialect.csv"
    path.write_bytes(written(columns, dialect))
    table, notices = read(path)
    event("refused" if table is None else "columns refused" if table.problems else "read")
    if table is None or not (faults := wrong(table, columns, dialect["header"])):
        return
    assert notices & UNSURE, faults
    event("read with a notice of another reading")
    # The options that the notices name give the right table.
    dates = {n: "number" for n, v in columns.items() if any(isinstance(each, int) for each in v)}
    options = gg.ReadOptions(
        header=dialect["header"] if "no-header" in notices else None,
        decimal=dialect["decimal"] if "ambiguous-numbers" in notices else None,
        thousands=dialect["thousands"] or None if "ambiguous-numbers" in notices else None,
        dates=dates if "numbers-as-dates" in notices and dialect["header"] else None,
    )
    told, _ = read(path, options)
    assert told is None or not (faults := wrong(told, columns, dialect["header"])), faults
