"""Which rows of a table count, how much, and how they are divided: in Python and on the command line."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from commands import run

QUICK: dict[str, Any] = {"hidden": (8,), "epochs": 5}


def random(rows: int = 200, seed: int = 0) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    table = pl.DataFrame({f"f{i}": chance.normal(size=rows) for i in range(4)})
    return table.with_columns(y=pl.Series(chance.choice(["a", "b"], rows)))


def test_copies_of_rows_with_random_labels_are_not_learned() -> None:
    table = pl.concat([random(100)] * 6)
    with pytest.warns(gg.GanglionNotice, match="500 of 600 rows are copies"):
        model = gg.TableModel.train(table, "y")
    assert model.report is not None
    assert abs(model.report.metrics["accuracy"] - 0.5) < 0.15
    assert "is better than the baseline" not in model.advice


def test_contradicting_copies_are_named() -> None:
    table = pl.concat([random(100), random(100).with_columns(y=pl.lit("a"))])
    with pytest.warns(gg.GanglionNotice, match="different targets, such as 'b' and 'a'"):
        gg.TableModel.train(table, "y", **QUICK)


def test_rows_of_few_possible_values_are_no_copies() -> None:
    chance = np.random.default_rng(0)
    table = pl.DataFrame({"a": chance.integers(0, 2, 300), "b": chance.integers(0, 2, 300)})
    model = gg.TableModel.train(table.with_columns(y=(pl.col("a") != pl.col("b"))), "y")
    assert model.report is not None
    assert model.report.metrics["accuracy"] == 1.0


def persons() -> pl.DataFrame:
    """Return 45 persons with ten similar rows each; whether one is sick is random."""
    chance = np.random.default_rng(0)
    person = np.repeat(np.arange(45), 10)
    mean, sick = chance.normal(size=(45, 8)), chance.integers(0, 2, 45)
    columns = mean[person] + 0.1 * chance.normal(size=(450, 8))
    names = [f"P{number}" for number in person]
    return pl.DataFrame(
        {"person": names, **dict(zip("abcdefgh", columns.T, strict=True)), "sick": sick[person]}
    )


def test_a_group_is_never_separated_and_no_input() -> None:
    model = gg.TableModel.train(persons(), "sick", group="person")
    assert model.report is not None
    assert model.report.metrics["accuracy"] < 0.75
    assert "person" not in model.encoder.features
    model.predict(persons())  # warnings are errors: the column is known


@pytest.mark.parametrize("drop", [[], ["person"]])
def test_a_column_that_looks_like_a_group_and_makes_the_score_too_good_is_named(drop: list[str]) -> None:
    with pytest.warns(
        gg.GanglionNotice, match=r"same 'person' .* scores (1.00|0.9.) there and 0.[3-6].*--group"
    ):
        gg.TableModel.train(persons(), "sick", drop=drop, **QUICK)


def test_a_category_that_matters_is_no_group() -> None:
    chance = np.random.default_rng(0)
    town, x = chance.integers(0, 26, 600), chance.normal(size=600)
    words = [f"town {chr(97 + number)}" for number in town]
    y = chance.normal(size=26)[town] + x
    model = gg.TableModel.train({"town": words, "x": x, "y": y}, "y", **QUICK)  # warnings are errors
    assert len(model.encoder.features) == 27


def test_with_dates_both_ways_of_splitting_are_scored() -> None:
    chance = np.random.default_rng(0)
    day = np.datetime64("2020-01-01") + np.arange(600)
    table = pl.DataFrame({"day": day, "z": chance.normal(size=600), "y": np.cumsum(chance.normal(size=600))})
    with pytest.warns(
        gg.GanglionNotice, match=r"scores 0\.\d\d on such rows and -?\d+\.\d\d on the latest .*--order day"
    ):
        gg.TableModel.train(table, "y", **QUICK)
    model = gg.TableModel.train(table, "y", order="day", folds=0, **QUICK)  # no notice
    assert model.rows == {"train": 384, "validation": 96, "test": 120}


def test_small_tables_are_cross_validated(tmp_path: Path) -> None:
    model = gg.TableModel.train(random(), "y", **QUICK)
    assert model.rows == {"train": 200, "validation": 0, "test": 200}
    assert model.sampling.folds == 5
    model.save(tmp_path / "m.safetensors")
    assert gg.TableModel.load(tmp_path / "m.safetensors").sampling == model.sampling
    held_out = gg.TableModel.train(random(), "y", test=0.25, **QUICK)
    assert held_out.rows == {"train": 120, "validation": 30, "test": 50}


@pytest.mark.filterwarnings("ignore:about .* of these rows are rows that the model learned from")
def test_weights_count_as_rows_repeated_do(tmp_path: Path) -> None:
    table = random(120).with_columns(w=pl.Series([1.0, 0.0] * 60))
    model = gg.TableModel.train(table, "y", weight="w", folds=0, **QUICK)
    with pytest.warns(gg.GanglionNotice, match="rows that the model learned from"):
        weighted, alone = model.evaluate(table), model.evaluate(table.filter(pl.col("w") > 0))
    assert weighted.metrics["accuracy"] == pytest.approx(alone.metrics["accuracy"])
    bad = table.with_columns(w=pl.when(pl.int_range(120) == 3).then(-1.0).otherwise(pl.col("w")))
    with pytest.raises(gg.DataError, match="got -1 in row 3"):
        gg.TableModel.train(bad, "y", weight="w", **QUICK)


@pytest.mark.filterwarnings("ignore:about .* of these rows are rows that the model learned from")
def test_rows_are_selected_by_a_condition() -> None:
    table = random(300)
    with pytest.warns(gg.GanglionNotice, match="of 300 rows, .* left out by --where"):
        model = gg.TableModel.train(table, "y", where="f0 > 0", **QUICK)
    count = table.filter(pl.col("f0") > 0).height
    assert model.rows["train"] == count
    with pytest.warns(gg.GanglionNotice, match="rows that the model learned from"):
        assert model.evaluate(table).rows == count
    with pytest.raises(gg.DataError, match="lacks: 'f9'"):
        gg.TableModel.train(table, "y", where="f9 > 0")
    with pytest.raises(gg.DataError, match="one table"):
        gg.TableModel.train(table, "y", where="f0 IN (SELECT 1)")
    with pytest.raises(gg.ConfigError, match="at most 1,000 names and operators, got 40,001"):
        gg.TableModel.train(table, "y", where="f0 + " * 20_000 + "f0")
    long = ", ".join(f"'{number}'" for number in range(5000))
    gg.TableModel.train(table, "y", where=f"y NOT IN ({long})", **QUICK)


def test_the_options_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    random(300).with_columns(day=pl.int_range(300) % 97, w=1, g=pl.int_range(300) // 4).write_csv("t.csv")
    words = ["--order", "day", "--weight", "w", "--group", "g", "--where", "f0 > -9", "--folds", "3"]
    code, out, _ = run(capsys, "train", "t.csv", "--target", "y", "--epochs", "3", *words)
    assert code == 0
    assert "cross-validated with 3 folds" in out
    loaded = gg.TableModel.load("t.safetensors")
    assert (loaded.sampling.order, loaded.sampling.group, loaded.sampling.folds) == ("day", "g", 3)


@pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
@pytest.mark.parametrize("rows", range(2, 11))
def test_tiny_tables_have_an_answer(rows: int) -> None:
    table = {"x": np.arange(rows) * 1.5, "y": ["a", "b"] * (rows // 2) + ["a"] * (rows % 2)}
    assert gg.TableModel.train(table, "y", **QUICK).predict(table).height == rows
