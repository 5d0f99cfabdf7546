"""What the commands say about a run: which rows were learned from, remedies, and numbers with their nouns."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from commands import run
from ganglion.answers.report import Report
from ganglion.errors import amount

Capture = pytest.CaptureFixture[str]
QUICK = ("--epochs", "3", "--hidden", "8")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(count: int, seed: int = 0) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    x = chance.normal(size=count)
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 1) + pl.duration(days=count - 1), eager=True)
    return pl.DataFrame({"day": days, "x": x, "y": 2 * x + 0.1 * chance.normal(size=count)})


def test_a_number_stands_with_its_noun() -> None:
    assert amount(1, "row") == "1 row"
    assert amount(2400, "row") == "2,400 rows"
    assert amount(0, "category", "categories") == "0 categories"


def test_the_newest_rows_are_said_to_be_unlearned(capsys: Capture) -> None:
    rows(400).write_csv("t.csv")
    code, out, _ = run(capsys, "train", "t.csv", "--target", "y", "--order", "day", "--folds", "0", *QUICK)
    assert code == 0
    assert "retrained on all 320 rows outside the test" in out
    assert "these rows are the latest by day, and the model has not learned from them" in out
    assert "--test 0" in out
    assert "the days elapsed of day lie outside what was learned" in out
    _, out, _ = run(capsys, "show", "t.safetensors")
    assert "the model has not learned from them" in out
    _, out, _ = run(capsys, "train", "t.csv", "--target", "y", "--order", "day", "--test", "0", *QUICK)
    assert "retrained on all 400 rows outside the test" in out
    assert "the model has not learned" not in out
    assert "Train for 150 epochs (--epochs 150)" in out
    _, out, _ = run(capsys, "train", "t.csv", "--target", "y", "--test", "0.2", *QUICK)
    assert "the model has not learned from these rows" in out


def test_patience_stops_the_run_and_is_told(capsys: Capture) -> None:
    chance = np.random.default_rng(0)
    table = rows(300).with_columns(y=pl.Series(chance.normal(size=300))).drop("day")  # nothing to learn
    table.write_csv("t.csv")
    code, out, _ = run(capsys, "train", "t.csv", "--target", "y", "--patience", "3")
    assert code == 0
    assert "stopped because validation loss had not improved for 3 epochs" in out
    assert "learned from the rows for training only" in out
    assert run(capsys, "train", "t.csv", "--target", "y", "--patience", "0")[0] == 2


def test_remedies_of_a_run_are_options_of_the_command(capsys: Capture) -> None:
    chance = np.random.default_rng(1)
    table = pl.DataFrame({f"x{i}": chance.normal(size=300) for i in range(30)})
    table.with_columns(y=pl.Series(chance.choice(["a", "b"], 300))).write_csv("t.csv")
    _, out, _ = run(capsys, "train", "t.csv", "--target", "y", "--dropout", "0", "--folds", "0")
    assert "The network began to overfit after epoch" in out
    best = out.split("began to overfit after epoch ")[1].split(".")[0]
    assert f"Train for {best} epochs (--epochs {best})" in out
    assert "--patience 10" in out
    _, out, _ = run(capsys, "train", "t.csv", "--target", "y", "--epochs", "1", "--hidden", "8")
    assert "1 epoch in" in out


def test_rows_that_are_never_tested_are_explained(capsys: Capture) -> None:
    chance = np.random.default_rng(0)
    names = ["a", "b"] * 60 + ["alone"]
    pl.DataFrame({"x": chance.normal(size=121), "y": names}).write_csv("t.csv")
    _, out, _ = run(capsys, "train", "t.csv", "--target", "y", *QUICK)
    assert "121 rows, cross-validated with 5 folds: 120 rows tested" in out
    assert "1 row: never tested, because their classes" in out
    assert "1 input →" in out
    rows(120).write_csv("t.csv")
    _, out, _ = run(capsys, "train", "t.csv", "--target", "y", "--order", "day", *QUICK)
    assert "20 rows: the earliest by day, are only learned from" in out


def test_a_column_left_out_has_one_note(capsys: Capture) -> None:
    table = rows(200).with_row_index("id").with_columns(y=pl.col("id") * 1.0)
    table.select("id", "x", "y").write_csv("t.csv")
    _, out, _ = run(capsys, "train", "t.csv", "--target", "y", *QUICK)
    assert "[useful-row-numbers]" in out
    assert "[left-out-columns]" not in out


def test_a_decimal_comma_is_said_of_the_table(capsys: Capture) -> None:
    lines = ["count;price;share;y", *(f"{i};{i % 7},5;{i % 9},5 %;{i * i % 11},5" for i in range(60))]
    Path("t.csv").write_text("\n".join(lines))
    _, out, _ = run(capsys, "train", "t.csv", "--target", "y", *QUICK)
    assert "decimal comma, numbers in % (share)" in out
    with_points = [line.replace(",", ".") if i else line for i, line in enumerate(lines)]
    Path("t.csv").write_text("\n".join(with_points))
    _, out, _ = run(capsys, "train", "t.csv", "--target", "y", *QUICK)
    assert "decimal comma" not in out


def test_a_large_number_is_written_alike_everywhere(capsys: Capture) -> None:
    rows(120).with_columns(x=pl.col("x") * 300 + 80_509).write_csv("t.csv")
    _, out, _ = run(capsys, "train", "t.csv", "--target", "y", *QUICK)
    assert "number, 80,5" in out
    assert "e+0" not in out
    report = gg.TableModel.load("t.safetensors").report
    assert report is not None
    tiny = {"r2": -2.22e-16, "rmse": 1e-6, "mae": 1e-6}
    text = str(Report.from_dict(report.to_dict() | {"baseline": tiny, "intervals": {}, "linear": {}}))
    line = next(each for each in text.splitlines() if each.startswith("R2"))
    assert line.split()[-1] == "0"
    assert "1e-06" in text


def test_every_name_stands_on_one_short_line(here: Path, capsys: Capture) -> None:
    cells = "".join(f"{i % 7},{i * i % 11},{'uv'[i % 2]}\n" for i in range(40))
    Path("t.csv").write_text(f'"two\nlines",{"x" * 5000},t\n{cells}')
    code, out, error = run(capsys, "train", "t.csv", "--target", "t", "--epochs", "1", "--folds", "0")
    assert code == 0, error
    assert "\n  two lines " in out
    assert max(map(len, out.splitlines())) < 200
    code, _, error = run(capsys, "train", "t.csv", "--target", "z")
    assert code == 1
    assert len(error) < 300
