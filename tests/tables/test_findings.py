import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from ganglion.answers.target import ClassTarget, fit_target
from ganglion.cli import main
from ganglion.tables.columns import CategoryColumn, Column, DateColumn, NumberColumn
from ganglion.tables.encode import Encoder
from ganglion.tables.findings import codes_for_missing

RANDOM = np.random.default_rng(0)
YEARS = "year,t\n" + "".join(f"{1900 + i},{i * 0.03:.2f}\n" for i in range(120))


def notices(call: Any) -> tuple[Any, dict[str, str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    return result, {each.message.name: str(each.message) for each in caught}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([*range(50), *[-999] * 4], [(-999, 4)]),
        ([*range(50), *[9999] * 4, *[-999] * 3], [(-999, 3), (9999, 4)]),
        ([*range(1, 50), *[-1] * 5], [(-1, 5)]),
        ([*range(110, 150), *[0] * 6], [(0, 6)]),
        ([*range(50), -999], []),  # once: an outlier
        ([*range(90), *[99] * 4], []),  # may be an age
        ([-1, 0, 1] * 20, []),
        ([0, 1] * 20, []),
        (RANDOM.normal(size=200).round(1).tolist(), []),
        ((-RANDOM.integers(0, 50, 200)).tolist(), []),
        (np.exp(RANDOM.normal(size=500) * 2).round(1).tolist(), []),
        ([], []),
    ],
)
def test_far_off_repeated_numbers_look_like_codes(values: list[float], expected: list[Any]) -> None:
    assert codes_for_missing(pl.Series("v", values, dtype=pl.Float64)) == expected


def test_a_code_for_missing_values_is_noted_with_the_remedy() -> None:
    table = pl.DataFrame(
        {"v": [float(i % 50) if i % 10 else -999.0 for i in range(200)], "y": ["a", "b"] * 100}
    )
    _, found = notices(lambda: gg.TableModel.train(table, target="y", epochs=1))
    assert "column 'v' holds -999 20 times" in found["missing-code"]
    assert "--missing -999" in found["missing-code"]


def test_a_far_off_repeated_date_is_noted_and_its_remedy_works(tmp_path: Path) -> None:
    rows = "".join(
        f"{f'2020-{i % 12 + 1:02}-{i % 28 + 1:02}' if i % 10 else '9999-12-31'},{'uv'[i % 2]}\n"
        for i in range(200)
    )
    path = tmp_path / "t.csv"
    path.write_text("d,y\n" + rows, encoding="utf-8")
    _, found = notices(lambda: gg.TableModel.train(path, target="y", epochs=1))
    assert "column 'd' holds 9999-12-31 20 times, far from all other dates" in found["missing-code"]
    read = gg.ReadOptions(missing=["9999-12-31"])
    model, found = notices(lambda: gg.TableModel.train(path, target="y", epochs=1, read=read))
    assert "missing-code" not in found
    assert model.read(path).get_column("d").null_count() == 20


def test_spellings_are_noted_and_merged_on_request() -> None:
    table = pl.DataFrame(
        {"x": ["yes", "Yes", " yes ", "no", "NO"] * 20, "y": ["Good", "good ", "good", "bad", "BAD"] * 20}
    )
    model, found = notices(lambda: gg.TableModel.train(table, target="y", epochs=5))
    assert len(model.target.classes) == 5
    assert (
        "' yes ' and 'Yes' and 'yes'"
        in notices(
            lambda: gg.TableModel.train(
                table.with_columns(y=pl.Series([1, 2, 1, 2, 1] * 20)), target="y", epochs=1
            )
        )[1]["spellings"]
    )
    assert "--fold-case" in found["spellings"]
    model, found = notices(lambda: gg.TableModel.train(table, target="y", epochs=20, fold_case=True))
    assert "spellings" not in found
    assert {word.lower() for word in model.target.classes} == {"good", "bad"}
    assert model.predict({"x": ["YES", " No"]})["prediction"].str.to_lowercase().to_list() == ["good", "bad"]
    assert model.answer({"x": "  yEs"})["prediction"].lower() == "good"


def test_the_most_frequent_spelling_wins() -> None:
    words = pl.Series("w", ["b", "B", "B", "a ", "a ", "A"] * 5)
    target = fit_target(words, fold_case=True)
    assert isinstance(target, ClassTarget)
    assert target.classes == ("B", "a")
    assert target.encode(pl.Series("w", ["b", " A "])).tolist() == [0, 1]
    assert CategoryColumn.fit(words, fold_case=True).categories == ("B", "a")


def test_rare_categories_that_are_merged_are_counted() -> None:
    table = pl.DataFrame({"c": ["a", "b"] * 30 + ["x", "y", "y"], "y": [0, 1, 1] * 21})
    _, found = notices(lambda: gg.TableModel.train(table, target="y", epochs=1))
    assert found["merged-categories"] == (
        "column 'c': 2 rare categories, in 3 rows, merged into one called 'other'"
    )


def test_a_year_is_learned_from_and_the_last_column_is_never_left_out(tmp_path: Path) -> None:
    path = tmp_path / "years.csv"
    path.write_text(YEARS)
    (model, found) = notices(lambda: gg.TableModel.train(path, target="t"))
    assert "left-out-columns" not in found
    assert model.report.metrics["r2"] > 0.9
    for values in (range(60), range(1, 61), [float(i) for i in range(60)]):
        assert len(Encoder.fit(pl.DataFrame({"x": list(values)})).columns) == 1


@pytest.mark.parametrize(
    ("name", "values", "used"),
    [
        ("x", list(range(60)), False),
        ("x", list(range(1, 61)), False),
        ("x", [float(i) for i in range(60)], False),
        ("x", list(range(1001, 1061)), False),
        ("x", list(range(-5, 55)), True),
        ("x", list(range(59, -1, -1)), True),
        ("x", [i * i for i in range(60)], True),
        ("year", list(range(1960, 2020)), True),
        ("customer_id", [7 * i + 1000 for i in range(60)], False),
        ("customer_id", [i % 6 for i in range(60)], True),
        ("id", [1.5 * i for i in range(60)], True),
    ],
)
def test_identifiers_are_told_by_name_or_order(name: str, values: list[float], used: bool) -> None:
    table = pl.DataFrame({name: values, "other": [1, 2, 3] * 20})
    assert (name not in Encoder.fit(table).left_out) == used
    assert name not in Encoder.fit(table, keep=[name]).left_out


def test_row_numbers_that_go_with_the_target_are_named() -> None:
    other = RANDOM.normal(size=200)
    table = pl.DataFrame({"n": range(200), "other": other, "y": np.arange(200) * 0.5 + other})
    model, found = notices(lambda: gg.TableModel.train(table, target="y", epochs=2))
    assert "--keep n" in found["useful-row-numbers"]
    assert dict(model.encoder.left_out) == {"n": "row numbers or identifiers"}
    model, found = notices(lambda: gg.TableModel.train(table, target="y", epochs=2, keep=["n"]))
    assert "useful-row-numbers" not in found
    assert not model.encoder.left_out


def test_values_outside_what_was_learned_are_noted_once_by_column(tmp_path: Path) -> None:
    x = np.linspace(0, 10, 300)
    model, _ = notices(lambda: gg.TableModel.train({"x": x, "y": x * x}, target="y", epochs=2))
    model.save(tmp_path / "square.safetensors")
    model = gg.TableModel.load(tmp_path / "square.safetensors")
    assert (model.target.low, model.target.high) == (0, 100)
    _, found = notices(lambda: model.predict({"x": [100.0, 5.0, -50.0]}))
    assert found["outside-range"].startswith("column 'x': 2 values outside the range learned, 0 to 10")
    _, found = notices(lambda: model.answer({"x": 100}))
    assert found["outside-range"] == "column 'x': 1 value outside the range learned, 0 to 10: 100"
    assert notices(lambda: model.predict({"x": [0.0, 11.0]}))[1] == {}


def test_ranges_are_optional_in_files_and_checked() -> None:
    old = {"name": "number", "column": "x", "fill": 0.0, "center": 0.0, "scale": 1.0}
    column = Column.find(old)
    assert isinstance(column, NumberColumn)
    assert column.encode(pl.Series("x", [1e9]))[1] == []
    for wrong in ({"low": "a", "high": 1.0}, {"low": 2.0, "high": 1.0}, {"low": 1.0}):
        with pytest.raises(gg.ConfigError):
            Column.find(old | wrong)


def test_dates_outside_are_noted() -> None:
    days = pl.Series("d", ["2020-01-01", "2020-03-01", "2020-12-31"]).str.to_date()
    column = DateColumn.fit(days)
    _, notes = column.encode(pl.Series("d", ["2030-05-01"]).str.to_date())
    assert str(notes[0]) == (
        "column 'd': 1 value outside the range learned, 2020-01-01 to 2020-12-31: 2030-05-01"
    )
    assert str(column.encode_value("2030-05-01")[1]) == str(notes[0])


def test_the_command_line_keeps_columns_and_folds_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i},{['a', 'B', 'b'][i % 3]},{['yes', 'Yes', 'no'][i % 3]}\n" for i in range(90))
    Path("t.csv").write_text("id,c,y\n" + rows)
    with pytest.raises(SystemExit, match="0"):
        main(["train", "t.csv", "--target", "y", "--epochs", "1", "--keep", "id", "--fold-case", "--json"])
    assert json.loads(capsys.readouterr().out)
    model = gg.TableModel.load("t.safetensors")
    assert [column.column for column in model.encoder.columns] == ["id", "c"]
    assert isinstance(model.target, ClassTarget)
    assert len(model.target.classes) == 2


def messages(change: dict[str, Any]) -> pl.DataFrame:
    chance = np.random.default_rng(0)
    words = ["tea", "spoon", "paper", "box", "monday", "cup", "fresh", "came", "was", "with"]
    kinds = chance.choice(change.get("kinds", ["bill", "news", "other"]), 120)
    texts = [" ".join(chance.choice(words, 8)) + f" {chance.integers(10**6)}" for _ in kinds]
    if where := change.get("label"):
        texts = [f"{text} {where if kind == where else ''}" for text, kind in zip(texts, kinds, strict=True)]
    if change.get("long"):
        texts = [text * (5 if kind == "news" else 1) for text, kind in zip(texts, kinds, strict=True)]
    return pl.DataFrame(
        {"text": [change.get("before", "") + t + change.get("after", "") for t in texts], "k": kinds}
    )


@pytest.mark.parametrize(
    ("change", "name", "told"),
    [
        ({"before": "fÃ¼r "}, "mojibake", "120 texts were read in a wrong encoding once, such as 'Ã¼'"),
        ({"before": "Dear customer, we "}, "boilerplate", "every text begins with 'Dear customer, we '"),
        ({"after": ". Sent from my telephone"}, "boilerplate", "ends with '. Sent from my telephone'"),
        ({"label": "bill"}, "label-in-text", "100% of the texts of 'bill' hold this word"),
        (
            {"label": "bill", "kinds": ["bill", "news"]},
            "label-in-text",
            "of the texts of 'bill' hold this word",
        ),
        ({"long": True}, "text-length", "texts of 'news' have"),
    ],
)
def test_what_gives_texts_away_is_noted(change: dict[str, Any], name: str, told: str) -> None:
    _, found = notices(lambda: gg.TableModel.train(messages(change), "k", quality="fast", epochs=1))
    assert told in found[name]


def test_nothing_is_noted_of_good_texts() -> None:
    _, found = notices(lambda: gg.TableModel.train(messages({}), "k", quality="fast", epochs=1))
    assert not {"mojibake", "boilerplate", "label-in-text", "text-length", "duplicate-rows"} & found.keys()


def test_the_same_text_stays_on_one_side_of_a_split() -> None:
    frame = messages({})
    again = frame.with_columns(pl.col("text").str.to_uppercase() + "!", k=pl.col("k").shuffle(seed=0))
    both = pl.concat([frame, again]).with_columns(price=pl.Series(np.arange(240) * 1.37))
    model, found = notices(lambda: gg.TableModel.train(both, "k", quality="fast", epochs=2))
    assert (
        "120 of 240 rows are copies of others in all inputs or in the words of a text"
        in found["duplicate-rows"]
    )
    assert model.report.metrics["accuracy"] < 0.6
