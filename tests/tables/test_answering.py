"""One row at a time: `encode_value` and `encode_record` give the bits and notes of `encode`."""

import datetime
import decimal
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings, strategies as st

import ganglion as gg
from ganglion.answers.values import as_text, as_word
from ganglion.errors import DataError
from ganglion.tables.columns import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    NumberColumn,
    QuantileColumn,
)
from ganglion.tables.columns.level import LevelColumn
from ganglion.tables.dicts import frame_of_records
from ganglion.tables.encode import Encoder

DAYS = pl.Series("c", [datetime.date(2020, 1, 31), datetime.date(1969, 2, 28), datetime.date(2024, 2, 29)])
LEVELS = pl.Series("c", ["1", "1", "2.5", "a", "a", "true", "true", None])
COLUMNS: dict[str, Column] = {
    "number": NumberColumn("c", 0.1, 0.3, 0.7),
    "boolean": BooleanColumn("c"),
    "category": CategoryColumn("c", ("1", "2.5", "a", "true"), False, False),
    "category with missing": CategoryColumn("c", ("1", "2.5", "a", "true"), True, False),
    "category with other": CategoryColumn("c", ("1", "2.5", "a", "true"), True, True),
    "category with folded case": CategoryColumn("c", ("1", "2.5", "A", "true"), True, True, True),
    "number with a range": NumberColumn("c", 0.1, 0.3, 0.7, 0.0, 1.5),
    "number with missing": NumberColumn("c", 0.1, 0.3, 0.7, missing=True),
    "number by quantiles": QuantileColumn("c", 0.1, 0.3, 0.7, 0.0, 1.5, True, (0.0, 0.1, 0.1, 0.4, 1.5)),
    "date": DateColumn.fit(DAYS),
    "date with missing": DateColumn.fit(pl.concat([DAYS, pl.Series([None] * 5, dtype=pl.Date)])),
    "levels": LevelColumn.fit(LEVELS, {"mean": np.arange(8.0), "b": np.arange(8.0) ** 2}),
    "levels with folded case": LevelColumn.fit(LEVELS, {"mean": np.arange(8.0)}, fold_case=True),
}
VALUES: list[Any] = [
    *(None, 0, 1, 2, -7, 2**53 + 1, 0.0, 1.0, 2.5, 1e300, -1e-300, math.nan, math.inf, True, False),
    *("a", "1", "1.0", "2.5", "true", "YES", "no", "", " a", "x", "1e3", "1_000", "٣", "inf", "nan"),
    *(datetime.date(2020, 2, 29), datetime.date(1, 1, 1), datetime.date(9999, 12, 31)),
    datetime.datetime(1969, 12, 31, 23, 59, 59, 999_999),
    datetime.timedelta(seconds=90),
]


def outcome(encode: Any) -> Any:
    try:
        numbers, notes = encode()
    except DataError as error:
        return error.message.split(" in row")[0].split(", got ")[0]
    with np.errstate(over="ignore"):  # what is too large for a float32 is refused later, with its row
        return np.asarray(numbers).astype(np.float32).ravel().tolist(), [(str(n), n.name) for n in notes]


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_one_value_has_the_bits_and_notes_of_a_column(column: Column, value: Any) -> None:
    def alone() -> Any:
        numbers, note = column.encode_value(value)
        return numbers, [] if note is None else [note]

    values = pl.Series("c", [None if value != value else value])  # as in every table that was read
    assert outcome(alone) == outcome(lambda: column.encode(values))


@settings(deadline=None)
@given(st.floats() | st.integers(-30, 30).map(lambda power: 10.0**power) | st.floats(1e-6, 1e-3))
@example(1e16)
@example(1e-5)
@example(123456789012345680.0)
@example(-1.5e-5)
@example(1.998413130371944e-05)
def test_a_number_is_the_same_word_as_in_a_column(number: float) -> None:
    expected = None if math.isnan(number) else as_text(pl.Series("c", [number]))[0]
    assert as_word("c", number) == expected


def test_long_and_short_columns_of_categories_are_encoded_alike() -> None:
    column = COLUMNS["category with other"]
    words = pl.Series("c", ["a", None, "new", "1", "older"] * 8_000)
    long, [note] = column.encode(words)
    short, _ = column.encode(words[:5])
    np.testing.assert_array_equal(long, np.tile(short, (8_000, 1)))
    np.testing.assert_array_equal(short.argmax(axis=1), [2, 4, 5, 0, 5])
    assert str(note) == ("column 'c': 16000 values of unknown categories, treated as other: 'new', 'older'")


@settings(deadline=None)
@given(st.datetimes())
def test_the_parts_of_a_date_are_those_of_the_calendar(time: datetime.datetime) -> None:
    year, month, day, weekday, hour, elapsed = DateColumn._split(pl.Series("c", [time]))[0, :6]
    assert (year, month, day, weekday, hour) == (*time.timetuple()[:3], time.isoweekday(), time.hour)
    assert elapsed == pytest.approx((time - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1))


def test_a_record_has_the_bits_and_notes_of_a_table() -> None:
    table = pl.DataFrame({"a": [1.0, 2.0, 4.0], "b": ["x", "y", "x"], "d": DAYS, "same": [1, 1, 1]})
    encoder = Encoder.fit(table)
    for record in (
        {"a": 3, "b": "x", "d": datetime.date(2021, 3, 4)},
        {"d": None, "b": None, "a": None, "same": 5},
        {"a": 1e30, "b": "z", "d": datetime.datetime(2021, 3, 4, 5), "surplus": 1, "t": 2},
    ):
        numbers, notes = encoder.encode_record(record, besides=("t",))
        expected, expected_notes = encoder.encode(pl.DataFrame([record]), besides=("t",))
        assert numbers.tobytes() == expected.tobytes()
        assert list(map(str, notes)) == list(map(str, expected_notes))
        assert not any("'t'" in str(note) for note in notes)
    with pytest.raises(DataError, match="lacks 'a', 'd', which"):
        encoder.encode_record({"b": "x"})
    with pytest.raises(DataError, match="'a' is too large in row 0"):
        encoder.encode_record({"a": 1e300, "b": "x", "d": None})


def test_records_become_a_table() -> None:
    frame = frame_of_records([{"a": 1, "b": "x"}, {"b": None, "a": 2.5, "c": True}, {"b": 3}])
    assert frame.rows() == [(1.0, "x", None), (2.5, None, True), (None, "3", None)]
    for wrong, message in (
        ([], "at least one dict"),
        ([[1]], "must be a dict"),
        ([{"a": 1}, 3], "got 3 in row 1"),
        ([{1: 2}], "must be names of columns, got 1"),
        ([{"a": 10**400}, {"a": 1.5}], "too large"),
        ([{"a": [1]}, {"a": "x"}], r"must hold words or numbers, got \[1\]"),
    ):
        with pytest.raises(DataError, match=message):
            frame_of_records(wrong)


def test_a_number_that_scaling_makes_infinite_is_refused_without_a_warning() -> None:
    encoder = Encoder((NumberColumn("a", 0.0, 0.0, 0.5),), {})
    for encode in (encoder.encode_record, lambda record: encoder.encode(pl.DataFrame([record]))):
        with pytest.raises(DataError, match="'a' is too large in row 0"):
            encode({"a": 1.7e308})


@pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
@pytest.mark.parametrize("missing", [[], ["-999"]])
def test_text_beside_numbers_and_dates_in_a_list_is_read_as_it_is_alone(
    tmp_path: Path, missing: list[str]
) -> None:
    """As text, 1.5 would be read by the model's decimal comma, and 1.234 as thousands."""
    rows = "".join(f"1.{i % 7 + 100},5 kg;{i % 28 + 1:02}.03.2020;{'uv'[i % 2]}\n" for i in range(40))
    path = tmp_path / "t.csv"
    path.write_text("w;d;t\n" + rows, encoding="utf-8")
    read = gg.ReadOptions(missing=missing)
    model = gg.TableModel.train(path, "t", hidden=[2], epochs=1, folds=0, validation=0, test=0, read=read)
    records: list[dict[str, Any]] = [
        {"w": "1.234,5 kg", "d": "05.03.2020"},
        {"w": 1.234, "d": datetime.date(2020, 3, 7)},
        {"w": 1103, "d": datetime.datetime(2020, 3, 9, 12)},
        {"w": None, "d": "2020-03-11"},
    ]
    for rows_in_order in (records, records[::-1], [*records[1:], {"d": None, "w": "7"}]):
        found = model.predict(rows_in_order).get_column("probability_v").to_list()
        assert found == [model.answer(record)["probabilities"]["v"] for record in rows_in_order]


@pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
def test_times_and_exact_decimals_in_a_frame_are_numbers_as_in_a_file(tmp_path: Path) -> None:
    times = [datetime.time(i % 24, i, i * 7 % 60, i * 1000) for i in range(40)]
    exact = [decimal.Decimal(i) / 4 for i in range(40)]
    frame = pl.DataFrame({"a": times, "b": exact, "t": ["u", "v"] * 20})
    rows = "".join(f"{a},{b},{t}\n" for a, b, t in frame.iter_rows())
    path = tmp_path / "t.csv"
    path.write_text("a,b,t\n" + rows, encoding="utf-8")
    settings: dict[str, Any] = {"hidden": [2], "epochs": 1, "folds": 0, "validation": 0, "test": 0}
    models = [gg.TableModel.train(table, "t", **settings) for table in (frame, path)]
    right = models[0].predict(frame)
    record, text = {"a": times[5], "b": exact[5]}, {"a": str(times[5]), "b": str(exact[5])}
    for model in models:
        assert model.predict(path).equals(right)
        assert model.predict(frame).equals(right)
        assert model.predict([record, text]).equals(right[[5, 5]])
        assert model.answer(record) == model.answer(text)
        assert model.answer(record)["probabilities"]["v"] == right["probability_v"][5]
