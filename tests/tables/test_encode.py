import dataclasses
import datetime
import json
import random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from ganglion.tables.columns import CategoryColumn, NumberColumn
from ganglion.tables.columns.level import LevelColumn
from ganglion.tables.encode import Encoder
from ganglion.tables.examples import example_table
from ganglion.tables.fitting import ROW_NUMBERS
from ganglion.tables.reading import read_table

ROWS = 60
TABLE = pl.DataFrame(
    {
        "number": [float(i % 7) if i % 10 else None for i in range(ROWS)],
        "whole": [i * i for i in range(ROWS)],
        "word": [["red", "green", "blue"][i % 3] if i % 11 else None for i in range(ROWS)],
        "rare": ["often"] * 50 + [f"rare{i % 5}" for i in range(10)],
        "flag": [i % 2 == 0 if i % 9 else None for i in range(ROWS)],
        "day": [datetime.date(2020, 1, 1) + datetime.timedelta(days=37 * i) for i in range(ROWS)],
        "same": ["x"] * ROWS,
        "id": list(range(100, 100 + ROWS)),
        "name": [f"person{i}" for i in range(ROWS)],
        "empty": pl.Series([None] * ROWS, dtype=pl.Float64),
    }
)
ENCODER = Encoder.fit(TABLE)


def test_the_kind_of_each_column_is_inferred() -> None:
    kinds = {column.column: column.name for column in ENCODER.columns}
    assert kinds == {
        "number": "number",
        "whole": "number",
        "word": "category",
        "rare": "category",
        "flag": "boolean",
        "day": "date",
    }
    assert dict(ENCODER.left_out) == {
        "same": "the same value in every row",
        "empty": "no values",
        "id": "row numbers or identifiers",
        "name": "a different value in most rows, like a name",
    }


def test_numbers_are_standardized_and_filled_with_the_median() -> None:
    x, notes = ENCODER.encode(TABLE)
    notes = list(map(str, notes))
    number = TABLE["number"].fill_null(TABLE["number"].median()).to_numpy()
    np.testing.assert_allclose(x[:, 0], (number - number.mean()) / number.std(), rtol=1e-5)
    assert x.dtype == np.float32
    assert any("'number': 6 missing, replaced by the median, 3" in note for note in notes)


def test_robust_scaling_ignores_outliers() -> None:
    outlier = pl.Series("w", [1.0, 2, 3, 4, 5, 1e9])
    column = NumberColumn.fit(outlier, robust=True)
    assert (column.center, column.scale) == (3.5, pytest.approx(1.25))
    assert NumberColumn.fit(pl.Series("w", [1.0, 1, 1, 1, 9]), robust=True).scale == pytest.approx(3.2)


def test_categories_missing_and_other() -> None:
    x, _ = ENCODER.encode(TABLE)
    start = ENCODER.features.index("word=blue")
    assert ENCODER.features[start : start + 4] == ["word=blue", "word=green", "word=red", "word=missing"]
    assert x[1, start : start + 4].tolist() == [0, 1, 0, 0]
    assert x[0, start : start + 4].tolist() == [0, 0, 0, 1]
    rare = ENCODER.features.index("rare=often")
    assert ENCODER.features[rare : rare + 2] == ["rare=often", "rare=other"]
    assert x[55, rare : rare + 2].tolist() == [0, 1]
    unseen = TABLE.with_columns(word=pl.lit("violet"), rare=pl.lit("new"))
    x, notes = ENCODER.encode(unseen)
    notes = list(map(str, notes))
    assert (x[:, start : start + 4] == 0).all()
    assert (x[:, rare + 1] == 1).all()
    assert any(
        "'word': 60 values of unknown categories, encoded as 0 in all categories: 'violet'" in note
        for note in notes
    )


def test_dates_become_their_parts() -> None:
    x, _ = ENCODER.encode(TABLE)
    start = ENCODER.features.index("day:year")
    parts = dict(zip(ENCODER.features[start : start + 5], x[:, start : start + 5].T, strict=True))
    year = np.array([day.year for day in TABLE["day"]])
    np.testing.assert_allclose(parts["day:year"], (year - year.mean()) / year.std(), rtol=1e-4)
    assert (np.diff(parts["day:elapsed"]) > 0).all()
    assert "day:hour" not in parts  # dates have no hours
    words = TABLE.with_columns(pl.col("day").cast(pl.String))
    assert (ENCODER.encode(words)[0] == x).all()


@settings(deadline=None)
@given(st.permutations(TABLE.columns), st.integers(0, ROWS - 1))
def test_a_row_becomes_the_same_numbers_whatever_surrounds_it(columns: list[str], row: int) -> None:
    whole, _ = ENCODER.encode(TABLE)
    alone, _ = ENCODER.encode(TABLE.select(columns)[row])
    assert (alone == whole[row]).all()


def test_json_round_trips_exactly() -> None:
    back = Encoder.from_configuration(json.loads(json.dumps(ENCODER.configuration())))
    assert back == ENCODER
    assert (back.encode(TABLE)[0] == ENCODER.encode(TABLE)[0]).all()


@settings(deadline=None)
@given(
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=2, max_size=40)
)
def test_any_column_of_numbers_is_encoded_or_refused(values: list[float | None]) -> None:
    table = pl.DataFrame({"v": pl.Series(values, dtype=pl.Float64)})
    try:
        x, _ = Encoder.fit(table).encode(table)
    except gg.DataError:
        return
    assert np.isfinite(x).all()


@settings(deadline=None)
@given(st.lists(st.none() | st.text(max_size=6), min_size=1, max_size=40))
def test_any_column_of_words_is_encoded_or_refused(values: list[str | None]) -> None:
    table = pl.DataFrame({"v": pl.Series(values, dtype=pl.String)})
    try:
        encoder = Encoder.fit(table)
    except gg.DataError:
        return
    x, _ = encoder.encode(table)
    assert np.isfinite(x).all()
    assert (x.sum(axis=1) == 1).all() == (encoder.columns[0].name == "category")
    assert Encoder.from_configuration(json.loads(json.dumps(encoder.configuration()))) == encoder


def test_columns_missing_reordered_and_surplus() -> None:
    shuffled = TABLE.select(random.Random(0).sample(TABLE.columns, len(TABLE.columns)))
    x, notes = ENCODER.encode(shuffled.with_columns(new=pl.lit(1)))
    assert (x == ENCODER.encode(TABLE)[0]).all()
    assert "ignored, because unknown in training: 'new'" in map(str, notes)
    assert ENCODER.encode(TABLE.drop("id", "same"))[0].shape == x.shape
    with pytest.raises(gg.DataError, match="lacks 'number', 'flag', which the model learned from"):
        ENCODER.encode(TABLE.drop("number", "flag"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": ["1"] * 17 + ["five"] + ["2"] * 42}, "'number' must hold numbers, got 'five' in row 17"),
        ({"number": [np.inf] + [1.0] * 59}, "'number' must be finite, got inf in row 0"),
        ({"flag": ["maybe"] * ROWS}, "'flag' must be true or false, got 'maybe' in row 0"),
        ({"day": ["2020-01-01"] * 5 + ["soon"] * 55}, "'day' must hold dates, got 'soon' in row 5"),
        ({"day": [1] * ROWS}, "'day' must hold dates, got int64"),
        ({"number": [datetime.date(2020, 1, 1)] * ROWS}, "must hold numbers, got date"),
        ({"flag": [0.5] * ROWS}, "'flag' must be true or false, got 0.5 in row 0"),
        ({"word": [[1]] * ROWS}, "'word' must hold words or numbers, got list"),
        ({"word": [datetime.timedelta(1)] * ROWS}, "'word' must hold words or numbers"),
        ({"whole": [1e300] * ROWS}, "'whole' is too large in row 0"),
    ],
)
def test_values_of_another_kind_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(gg.DataError, match=message):
        ENCODER.encode(TABLE.with_columns(**{k: pl.Series(v) for k, v in change.items()}))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"age": ["31", "4", "x", *map(str, range(40))]}, "'age' holds numbers, but 'x' in row 2"),
        ({"list": [[1, 2]] * 5}, "'list' must hold numbers, words, dates"),
        ({"at": [datetime.time(1, 2)] * 5}, "at: the same value in every row"),
        ({"same": [1] * 5}, "no column is left to learn from"),
        ({}, "no column is left"),
        ({"v": [1e308, -1e308, 0, 1, 2]}, "too large"),
    ],
)
def test_columns_that_cannot_be_learned_from_are_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(gg.DataError, match=message):
        Encoder.fit(pl.DataFrame(columns))


def test_numbers_can_be_read_as_categories() -> None:
    encoder = Encoder.fit(TABLE.select("number"), categories=["number"])
    assert "number=3" in encoder.features
    as_whole = pl.DataFrame({"number": pl.Series([3], dtype=pl.Int64)})
    as_float = pl.DataFrame({"number": [3.0]})
    assert (encoder.encode(as_whole)[0] == encoder.encode(as_float)[0]).all()
    with pytest.raises(gg.DataError, match="no column 'nmber'.*did you mean 'number'"):
        Encoder.fit(TABLE, categories=["nmber"])
    with pytest.raises(gg.ConfigError, match="scaling"):
        Encoder.fit(TABLE, scaling="huge")


def test_nan_and_null_are_both_missing() -> None:
    nan = read_table(pl.DataFrame({"v": [1.0, 2.0, float("nan")]}))
    null = pl.DataFrame({"v": [1.0, 2.0, None]})
    assert Encoder.fit(nan) == Encoder.fit(null)


def test_the_number_of_categories_is_limited() -> None:
    many = pl.Series("v", [f"c{i % 300:03}" for i in range(3000)])
    column = CategoryColumn.fit(many)
    assert len(column.categories) == 100
    assert column.other


def test_numbers_that_begin_with_a_fraction_are_no_row_numbers() -> None:
    column = pl.Series("x", 0.1 + 0.37 * np.arange(443.0))
    assert Encoder.fit(pl.DataFrame({"x": column, "y": np.arange(443) % 7})).features == ["x", "y"]
    assert Encoder.fit(example_table("diabetes")[1].drop("progression")).features


def test_codes_with_leading_zeros_are_categories() -> None:
    codes = [f"{i % 7:05d}" for i in range(60)]
    encoder = Encoder.fit(pl.DataFrame({"postcode": codes}))
    assert encoder.columns == (CategoryColumn("postcode", tuple(sorted(set(codes))), False, False),)
    families = [f"{i:03d}" for i in range(1, 30)] * 3 + ["136A"] * 3  # all but one look like numbers
    assert isinstance(Encoder.fit(pl.DataFrame({"family": families})).columns[0], CategoryColumn)


@pytest.mark.parametrize("name", ["column_0", "Unnamed: 0", "row name", "rownames"])
def test_an_increasing_column_without_a_name_numbers_rows(name: str) -> None:
    values = pl.Series(name, [i + i // 7 for i in range(50)])  # some rows were left out
    encoder = Encoder.fit(pl.DataFrame([values, pl.Series("x", range(50, 0, -1))]))
    assert dict(encoder.left_out) == {name: ROW_NUMBERS}
    fractions = Encoder.fit(pl.DataFrame([values / 10, pl.Series("x", range(50, 0, -1))]))
    assert dict(fractions.left_out) == {name: ROW_NUMBERS}


def test_rows_that_are_not_learned_from_do_not_hide_row_numbers() -> None:
    values = [None if i % 9 == 4 else 100 + i for i in range(60)]
    encoder = Encoder.fit(pl.DataFrame({"order": values, "x": [i % 5 for i in range(60)]}))
    assert dict(encoder.left_out) == {"order": ROW_NUMBERS}
    values[50] = 7
    assert dict(Encoder.fit(pl.DataFrame({"order": values})).left_out) == {}


@pytest.mark.parametrize("name", ["count", "rows", "value", "len", "literal", "index"])
def test_a_column_may_have_any_name(name: str) -> None:
    words = ["a", "b", "b", "A "] * 10
    goals = {"mean": np.arange(40.0)}
    for fold_case in (False, True):
        encoder = Encoder.fit(pl.DataFrame({name: words}), goals=goals, fold_case=fold_case)
        assert encoder.features == [f"{name}={word}" for word in (["A ", "a", "b"], ["A", "b"])[fold_case]]
        assert LevelColumn.fit(pl.Series(name, words), goals, fold_case).features == [f"{name}:mean"]


def test_only_the_parts_of_a_date_that_vary_are_features() -> None:
    days = [datetime.date(2026, 1, 1) + datetime.timedelta(days=i) for i in range(20)]
    encoder = Encoder.fit(pl.DataFrame({"day": days}))
    assert encoder.features == [
        *("day:day", "day:weekday", "day:elapsed", "day:weekday sine", "day:weekday cosine")
    ]
    later = encoder.encode(pl.DataFrame({"day": [None, datetime.datetime(2027, 5, 11, 12)]}))[0]
    assert later.shape == (2, 5)
    assert later[0].tolist() == np.float32(encoder.columns[0].encode_value(None)[0]).tolist()
    restored = Encoder.from_configuration(encoder.configuration())
    assert restored == encoder
    old = encoder.configuration()["columns"][0] | {"fill": [0] * 6, "center": [0] * 6, "scale": [1] * 6}
    del old["parts"]
    assert len(Encoder.from_configuration({"columns": [old], "left_out": {}}).features) == 6


def test_a_number_that_is_often_missing_says_so() -> None:
    values = [None, 1.0, 2.0, 3.0, 7.0] * 5
    encoder = Encoder.fit(pl.DataFrame({"v": values}))
    assert encoder.features == ["v", "v:missing"]
    assert encoder.encode(pl.DataFrame({"v": values}))[0][:, 1].tolist() == [1, 0, 0, 0, 0] * 5
    assert encoder.encode_record({"v": None})[0].ravel().tolist()[1] == 1
    assert encoder.columns[0].describe() == "number, 3.1 ± 2.059 + missing"
    assert Encoder.fit(pl.DataFrame({"v": values[:20]})).features == ["v"]  # four times are too few
    old = encoder.configuration()
    del old["columns"][0]["missing"]
    assert Encoder.from_configuration(old).features == ["v"]


def test_a_date_that_is_often_missing_says_so() -> None:
    days = [None, datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)] * 5
    encoder = Encoder.fit(pl.DataFrame({"d": days}))
    assert encoder.features[-1] == "d:missing"
    assert encoder.encode(pl.DataFrame({"d": days}))[0][:, -1].tolist() == [1, 0, 0] * 5
    assert encoder.columns[0].describe() == "date: day, weekday, elapsed + missing"


def test_the_end_of_a_period_lies_beside_its_beginning() -> None:
    times = [datetime.datetime(2025, 1 + i % 12, 1 + i % 28, i % 24) for i in range(300)]
    encoder = Encoder.fit(pl.DataFrame({"at": times}))
    column = encoder.columns[0]
    assert column.describe() == (
        "date: month, day, weekday, hour, elapsed; month, weekday, hour also on a circle"
    )
    for part, last, first, between in (
        ("month", "2025-12-03", "2025-01-03", "2025-06-03"),
        ("weekday", "2025-03-02", "2025-03-03", "2025-03-05"),
        ("hour", "2025-03-02T23:00:00", "2025-03-02T00:00:00", "2025-03-02T12:00:00"),
    ):
        places = [encoder.features.index(f"at:{part} {function}") for function in ("sine", "cosine")]
        end, start, middle = encoder.encode(pl.DataFrame({"at": [last, first, between]}))[0][:, places]
        assert np.linalg.norm(end - start) < 0.6 * np.linalg.norm(start - middle)


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=8, max_size=200).filter(lambda v: len(set(v)) > 1))
def test_quantile_scaling_keeps_the_order_and_nothing_else(values: list[float]) -> None:
    try:
        encoder = Encoder.fit(pl.DataFrame({"v": values}), scaling="quantile", keep=["v"])
    except gg.DataError:
        return
    x = encoder.encode(pl.DataFrame({"v": values}))[0][:, 0]
    assert (np.diff(x[np.argsort(values)]) >= 0).all()
    assert np.abs(x).max() < 3
    column = encoder.columns[0]
    assert column.scaled(1e30) == column.scaled(max(values))
    rule, numbers = column.rule(values[0])
    assert eval(rule, {}, numbers) == pytest.approx(float(column.scaled(values[0])), abs=1e-9)


def test_quantile_scaling_makes_any_distribution_normal() -> None:
    values = np.exp(3 * np.random.default_rng(0).normal(size=5000))
    encoder = Encoder.fit(pl.DataFrame({"v": values}), scaling="quantile")
    x = encoder.encode(pl.DataFrame({"v": values}))[0][:, 0]
    assert (x.mean(), x.std()) == pytest.approx((0, 1), abs=0.05)
    normal = np.log(values) / 3
    assert x[abs(normal) < 2] == pytest.approx(normal[abs(normal) < 2], abs=0.1)
    column = encoder.columns[0]
    assert column.unscaled(column.scaled(2.5)) == pytest.approx(2.5)
    assert column.describe().endswith(", by quantiles")
    assert Encoder.from_configuration(json.loads(json.dumps(encoder.configuration()))) == encoder
    for wrong in ([], [1.0], [2.0, 1.0], [1.0, 1.0], ["a", "b"], [0.0] * 200):
        with pytest.raises(gg.ConfigError, match="quantile"):
            dataclasses.replace(column, quantiles=wrong)
