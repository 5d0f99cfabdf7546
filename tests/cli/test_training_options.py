"""Which rows count, how they are divided and decided: each option on the command line, with its right value.

The same settings in Python must give the same model, to the bit.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from commands import run

Capture = pytest.CaptureFixture[str]

ROWS = 240


def table() -> pl.DataFrame:
    """Return rows whose class is random for a person, but the same in all four rows of the person."""
    chance = np.random.default_rng(0)
    person = np.repeat(np.arange(ROWS // 4), 4)
    mean, kind = chance.normal(size=(ROWS // 4, 6)), chance.integers(0, 2, ROWS // 4)
    x = (mean[person] + 0.05 * chance.normal(size=(ROWS, 6))).round(4)
    return pl.DataFrame(
        {
            **{f"x{i}": x[:, i] for i in range(6)},
            "person": [f"P{number}" for number in person],
            "day": chance.permutation(ROWS) % 120,
            "weight": np.arange(ROWS) % 3,
            "number": (3 * x[:, 0] + chance.normal(size=ROWS)).round(3),
            "kind": np.array(["no", "yes"])[kind[person]],
        }
    )


OTHERS = ("person", "day", "weight", "number", "kind")


class Trained:
    """Trains by the command and in Python, and compares both."""

    def __init__(self, capsys: Capture) -> None:
        self.capsys = capsys
        self.frame = table()
        self.frame.write_csv("t.csv")

    def __call__(
        self, target: str, *words: str, epochs: int = 4, hidden: int = 8, **settings: Any
    ) -> tuple[dict[str, Any], gg.TableModel]:
        drop = [name for name in OTHERS if name != target and name not in settings.values()]
        if "where" in settings:
            drop = [name for name in drop if name not in settings["where"]]
        command = (
            "train",
            "t.csv",
            "--target",
            target,
            "--hidden",
            str(hidden),
            "--json",
            "--epochs",
            str(epochs),
            *words,
        )
        code, out, error = run(self.capsys, *command, "--drop", ",".join(drop))
        assert code == 0, error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gg.GanglionNotice)
            same = gg.TableModel.train("t.csv", target, epochs=epochs, hidden=hidden, drop=drop, **settings)
            loaded = gg.TableModel.load("t.safetensors")
            assert same.predict(self.frame).equals(loaded.predict(self.frame))
        facts: dict[str, Any] = json.loads(out)
        assert same.report is not None
        assert facts["test"] == same.report.to_dict()
        return facts, loaded


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Trained:
    monkeypatch.chdir(tmp_path)
    return Trained(capsys)


def test_where_selects_rows_for_training_evaluation_and_check(trained: Trained, capsys: Capture) -> None:
    condition = "day < 60 AND kind <> 'maybe'"
    count = trained.frame.filter(pl.col("day") < 60).height
    assert 0 < count < ROWS
    facts, _ = trained("kind", "--where", condition, where=condition)
    assert facts["rows"]["train"] == facts["test"]["rows"] == count
    assert any(
        note == f"of {ROWS} rows, {ROWS - count} left out by --where [where]" for note in facts["notes"]
    )
    found = json.loads(run(capsys, "evaluate", "t.safetensors", "t.csv", "--json")[1])
    assert found["rows"] == count
    # Rows outside the condition may hold anything, and the health check must not see them.
    odd = trained.frame.with_columns(x0=pl.when(pl.col("day") < 60).then("x0").otherwise(1e6))
    odd.write_csv("odd.csv")
    checks = [run(capsys, "check", "t.safetensors", name, "--json") for name in ("t.csv", "odd.csv")]
    assert checks[0] == checks[1]
    assert checks[0][0] == 0
    for wrong, message in (
        ("", "must be a condition"),
        ("dya < 3", "did you mean 'day'"),
        ("day <", "cannot be used"),
        ("day", "must be true or false"),
        ("day IN (SELECT 1)", "a condition on one table"),
        ("kind = 3", "cannot be used"),
        ("day < 0", "at least 2 rows to learn from, got 0"),
    ):
        code, _, error = run(capsys, "train", "t.csv", "--target", "kind", "--where", wrong)
        assert code in (1, 2)
        assert message in error
        assert len(error.splitlines()) <= 2


def test_near_copies_are_noted_and_stay_together(trained: Trained) -> None:
    near = trained.frame.with_columns(pl.col(f"x{i}") + 1e-9 for i in range(6))
    trained.frame = pl.concat([trained.frame, near])
    trained.frame.write_csv("t.csv")
    facts, _ = trained("number")
    copies = next(note for note in facts["notes"] if note.endswith("[duplicate-rows]"))
    assert copies.startswith(f"{ROWS} of {2 * ROWS} rows are copies of others in all inputs")


def test_repeats_test_each_row_several_times(trained: Trained) -> None:
    once, _ = trained("number", "--folds", "3", folds=3)
    twice, _ = trained("number", "--folds", "3", "--repeats", "2", folds=3, repeats=2)
    assert [facts["test"]["rows"] for facts in (once, twice)] == [ROWS, 2 * ROWS]
    assert [facts["test"]["folds"] for facts in (once, twice)] == [3, 6]
    assert twice["sampling"]["repeats"] == 2
    assert twice["test"]["units"] == ROWS  # the same rows: the interval must not shrink


def test_repeats_need_folds(trained: Trained, capsys: Capture) -> None:
    for words in (("--folds", "0"), ("--order", "day")):
        command = ("train", "t.csv", "--target", "kind", "--repeats", "2", *words)
        code, _, error = run(capsys, *command)
        assert code == 2
        assert "repeats needs folds and no order" in error


def test_folds_by_group(trained: Trained) -> None:
    """What is learned of a person says nothing of another one."""
    size: dict[str, Any] = {"epochs": 60, "hidden": 64, "folds": 4}
    apart, model = trained("kind", "--folds", "4", "--group", "person", group="person", **size)
    mixed, _ = trained("kind", "--folds", "4", **size)
    assert mixed["test"]["metrics"]["auc"] > 0.8
    assert apart["test"]["metrics"]["auc"] < 0.7
    assert apart["test"]["rows"] == ROWS
    assert apart["test"]["units"] == ROWS // 4
    assert "person" not in model.encoder.features


def test_folds_by_order(trained: Trained) -> None:
    facts, model = trained("number", "--folds", "3", "--order", "day", folds=3, order="day")
    # Four parts by time: each but the first is tested once, by what came before.
    assert facts["test"]["folds"] == 3
    assert facts["test"]["rows"] == ROWS * 3 // 4
    assert facts["rows"]["train"] == ROWS
    assert "day" in [column.column for column in model.encoder.columns]


def test_a_weight_of_zero_is_no_row(trained: Trained, capsys: Capture) -> None:
    facts, _ = trained("kind", "--weight", "weight", "--folds", "0", weight="weight", folds=0)
    assert "weight" in facts["left_out"]
    trained.frame.filter(pl.col("weight") > 0).write_csv("counted.csv")
    for name in ("t.csv", "counted.csv"):
        found = json.loads(run(capsys, "evaluate", "t.safetensors", name, "--json")[1])
        assert found["metrics"] == pytest.approx(
            json.loads(run(capsys, "evaluate", "t.safetensors", "t.csv", "--json")[1])["metrics"], rel=1e-6
        )
    for column, message in (
        ("person", "must hold numbers, got 'P0'"),
        ("none", "no column 'none'"),
        ("kind", "other column"),
    ):
        words = ("train", "t.csv", "--target", "kind", "--weight", column)
        code, _, error = run(capsys, *words)
        assert code in (1, 2)
        assert message in error


def test_the_threshold_that_was_chosen_decides(trained: Trained, capsys: Capture) -> None:
    chosen = {}
    for words, settings in (
        (("--optimize", "f1"), {"optimize": "f1"}),
        (("--cost", "fn=20"), {"costs": {"fn": 20.0}}),
        (("--cost", "fn=1", "--cost", "fp=20"), {"costs": {"fn": 1.0, "fp": 20.0}}),
    ):
        facts, model = trained(
            "kind", "--folds", "2", "--positive", "yes", *words, folds=2, positive="yes", **settings
        )
        threshold = facts["calibration"]["threshold"]
        out = run(capsys, "predict", "t.safetensors", "t.csv", "--probabilities")[1]
        answers = pl.read_csv(out.encode())
        decided = answers["probability_yes"] >= threshold
        assert (answers["prediction"] == "yes").to_list() == decided.to_list()
        assert "yes" in run(capsys, "show", "t.safetensors")[1]
        chosen[words[1]] = threshold
        assert model.labels == ["no", "yes"]
    assert chosen["fn=20"] < 0.3 < 0.7 < chosen["fn=1"]
    for wrong, message in (
        (("--cost", "fn=many"), "--cost must be NAME=NUMBER"),
        (("--cost", "fn=-1"), "cost"),
        (("--cost", "fx=1"), "fx"),
        (("--optimize", "f2"), "optimize must be"),
        (("--positive", "maybe", "--optimize", "f1"), "'maybe'"),
    ):
        code, _, error = run(capsys, "train", "t.csv", "--target", "kind", *wrong)
        assert code in (1, 2)
        assert message in error
        assert len(error.splitlines()) <= 2


def test_intervals_hold_about_their_fraction(trained: Trained, capsys: Capture) -> None:
    trained("number", "--folds", "5", folds=5)
    for level in (0.5, 0.9):
        words = ("predict", "t.safetensors", "t.csv", "--interval", str(level), "--keep", "number")
        answers = pl.read_csv(run(capsys, *words)[1].encode())
        assert answers.columns == ["number", "prediction", "low", "high"]
        inside = (answers["number"] >= answers["low"]) & (answers["number"] <= answers["high"])
        assert level - 0.1 < inside.mean() <= 1.0  # type: ignore[operator]
        assert (answers["low"] < answers["prediction"]).all()
    for wrong in ("0", "1", "-1", "nan", "many"):
        code, _, error = run(capsys, "predict", "t.safetensors", "t.csv", "--interval", wrong)
        assert code in (1, 2)
        assert "interval" in error


def test_importance_and_dependence_find_the_column_that_matters(trained: Trained, capsys: Capture) -> None:
    words = ("train", "t.csv", "--target", "number", "--epochs", "40", "--drop", "person,day,weight,kind")
    assert run(capsys, *words)[0] == 0
    words = ("explain", "t.safetensors", "t.csv", "--importance", "--dependence", "x0", "--json")
    facts = json.loads(run(capsys, *words)[1])
    assert facts["importance"]["columns"][0] == "x0"
    assert facts["importance"]["means"][0] > 10 * facts["importance"]["means"][1] > 0
    values = facts["dependence"][0]["values"]
    means = [mean[0] for mean in facts["dependence"][0]["means"]]
    slope = np.polyfit(values, means, 1)[0]
    assert 2 < slope < 4  # the number is 3 x0 and noise
    model = gg.TableModel.load("t.safetensors")
    assert model.dependence("t.csv", "x0").to_dict() == facts["dependence"][0]
    with pytest.warns(gg.GanglionNotice, match="rows that the model learned from"):
        assert model.importance("t.csv").to_dict() == facts["importance"]


def test_strict_training_writes_no_model(trained: Trained, capsys: Capture) -> None:
    trained.frame.with_columns(pl.lit(1).alias("same")).write_csv("t.csv")
    words = ("train", "t.csv", "--target", "number", "--epochs", "1", "--drop", "person,day,weight,kind")
    code, out, error = run(capsys, *words, "--strict")
    assert (code, out) == (1, "")
    assert "left out: 'same' (the same value in every row) [left-out-columns]" in error
    assert not Path("t.safetensors").exists()
    code, out, _ = run(capsys, *words, "--strict", "--silence", "left-out-columns,groups")
    assert code == 0
    assert "note: " not in out


def test_notes_name_the_rows_they_are_about(trained: Trained, capsys: Capture) -> None:
    trained("kind")
    rows = trained.frame[:4].with_columns(
        x0=pl.Series([0.1, None, 0.2, 1e9]), x1=pl.Series([0.0, None, 0, 0])
    )
    rows.write_csv("new.csv")
    out = run(capsys, "predict", "t.safetensors", "new.csv", "--notes")[1]
    notes = pl.read_csv(out.encode())["notes"].to_list()
    assert notes[0] is None
    assert notes[2] is None
    assert "'x0'" in notes[1]
    assert "'x1'" in notes[1]
    assert "outside the range" in notes[3]
