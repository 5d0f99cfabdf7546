"""What predict writes, what it refuses, and how options are described."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from commands import run

Capture = pytest.CaptureFixture[str]
LINES = ["id;time;amount;share;sort;size"]
LINES += [
    f"{i:04};{1 + i % 28:02}.0{1 + i // 28}.2022 10:00:00;{i % 13},5;{i % 9} %;{'ab'[i % 2]};{(i % 13) * 100 + i % 2},25"
    for i in range(120)
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("\n".join(LINES))
    run(capsys, "train", "t.csv", "--target", "size", "--epochs", "3", "--hidden", "8")
    return tmp_path


def test_kept_columns_have_the_text_of_the_table(capsys: Capture) -> None:
    words = ("predict", "t.safetensors", "t.csv", "--keep", "id,time,share")
    code, out, _ = run(capsys, *words)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "id,time,share,prediction"
    for line, given in zip(lines[1:], LINES[1:], strict=True):
        number, time, _, share, *_ = given.split(";")
        assert line.split(",")[:3] == [number, time, share]
    assert run(capsys, *words, "--out", "p.parquet")[0] == 0
    assert pl.read_parquet("p.parquet").schema["time"] == pl.Datetime("us")
    Path("gap.csv").write_text(
        "\n".join([LINES[0], LINES[1].replace("0000;", "NA;"), LINES[2].replace("0001;", ";")])
    )
    _, out, _ = run(capsys, "predict", "t.safetensors", "gap.csv", "--keep", "id")
    assert [line.split(",")[0] for line in out.splitlines()[1:]] == ["NA", ""]
    assert run(capsys, "predict", "t.safetensors", "t.csv", "--keep", "no")[0] == 1


def test_kept_columns_of_a_large_file_have_its_text(capsys: Capture) -> None:
    chance = np.random.default_rng(0)
    lines = ["x,code,y", *(f"{x:.3f},1.50{i % 10},{x:.2f}" for i, x in enumerate(chance.normal(size=80_000)))]
    Path("large.csv").write_text("\n".join(lines))
    words = ("--hidden", "2", "--epochs", "1", "--test", "0", "--validation", "0", "--drop", "code")
    assert run(capsys, "train", "large.csv", "--target", "y", *words)[0] == 0
    _, out, _ = run(capsys, "predict", "large.safetensors", "large.csv", "--keep", "x,code")
    assert [line.split(",")[:2] for line in out.splitlines()] == [line.split(",")[:2] for line in lines]


def test_predictions_have_the_digits_of_a_32_bit_number(capsys: Capture) -> None:
    out = run(capsys, "predict", "t.safetensors", "t.csv", "--interval", "0.8")[1]
    exact = gg.TableModel.load("t.safetensors").predict("t.csv", interval=0.8)
    for line, row in zip(out.splitlines()[1:], exact.iter_rows(), strict=True):
        for text, number in zip(line.split(","), row, strict=True):
            assert len(text.replace(".", "").lstrip("-0")) <= 9
            assert float(text) == pytest.approx(number, rel=1e-7, abs=1e-5)
    run(capsys, "train", "t.csv", "--target", "sort,size", "--out", "two.safetensors", "--epochs", "3")
    out = run(capsys, "predict", "two.safetensors", "t.csv", "--probabilities")[1]
    assert all(len(cell) <= 13 for line in out.splitlines()[1:] for cell in line.split(","))
    assert np.isclose(sum(map(float, out.splitlines()[1].split(",")[1:3])), 1, atol=1e-6)


def test_probabilities_of_a_number_are_refused(capsys: Capture) -> None:
    code, _, error = run(capsys, "predict", "t.safetensors", "t.csv", "--probabilities")
    assert code == 2
    assert "--probabilities is for classes, and 'size' is a number" in error
    assert "--interval" in error


@pytest.mark.parametrize("command", ["predict", "evaluate", "explain", "check"])
def test_a_swapped_model_and_table_are_recognized(capsys: Capture, command: str) -> None:
    code, _, error = run(capsys, command, "t.csv", "t.safetensors")
    assert code == 2
    assert "the model must come first and then the table" in error


def test_another_decimal_sign_has_its_option_named(capsys: Capture) -> None:
    Path("points.csv").write_text("\n".join(line.replace(",", ".").replace(";", ",") for line in LINES))
    code, _, error = run(capsys, "predict", "t.safetensors", "points.csv")
    assert code == 1
    assert "--decimal" in error
    assert run(capsys, "predict", "t.safetensors", "points.csv", "--decimal", ".")[0] == 0


def test_dates_in_a_condition_are_plain_text(capsys: Capture) -> None:
    words = ("train", "t.csv", "--target", "size", "--epochs", "2", "--hidden", "4", "--where")
    for condition, count in (
        ("time >= '2022-02-01'", 28),
        ("time >= DATE '2022-02-01'", 28),
        ("time BETWEEN '2022-02-01' AND '2022-02-10 10:00'", 110),
        ("time < '2022-02-01' AND sort = 'a'", 106),
    ):
        _, out, _ = run(capsys, *words, condition)
        assert f"of 120 rows, {count} left out by --where" in out, condition
    code, _, error = run(capsys, *words, "time >= '01.02.2022'")
    assert code == 1
    assert "dates are written '2022-01-31'" in error


def test_a_date_is_no_target(capsys: Capture) -> None:
    for task in ((), ("--task", "regression")):
        code, _, error = run(capsys, "train", "t.csv", "--target", "time", *task)
        assert code == 1
        assert "the target 'time' must hold words or numbers, got dates or times" in error
        assert "days since another date" in error


def test_help_is_complete_and_unbroken(capsys: Capture) -> None:
    out = run(capsys, "train", "--help")[1]
    assert "TABLE [MORE...]" in out.splitlines()[0]
    flat = " ".join(" ".join(line.strip("│ ") for line in out.splitlines()).split())
    assert "By default 5 for fewer than 1,000 rows." in flat
    assert not [line for line in out.splitlines() if line.strip("│ ") == "1,000"]
    notes = run(capsys, "predict", "--help")[1].split("--notes")[1]
    assert notes.lstrip().startswith("Add a column with what is noted")


def test_one_class_is_spoken_of_and_calibration_is_named(capsys: Capture) -> None:
    chance = np.random.default_rng(0)
    x = chance.normal(size=300)
    likely = chance.random(300) < 1 / (1 + np.exp(1 - x))
    noise = {f"n{i}": chance.normal(size=300) for i in range(20)}
    pl.DataFrame({"x": x, **noise, "y": np.where(likely, "a rare one", "usual")}).write_csv("c.csv")
    run(capsys, "train", "c.csv", "--target", "y", "--dropout", "0")  # much too sure of itself
    assert "probability of a rare one" in run(capsys, "show", "c.safetensors")[1]
    _, out, _ = run(capsys, "explain", "c.safetensors", "c.csv", "--dependence", "x")
    assert "mean probability of a rare one" in out
    _, out, _ = run(capsys, "explain", "c.safetensors", "c.csv", "--features")
    model = gg.TableModel.load("c.safetensors")
    first = model.predict("c.csv").row(0, named=True)
    predicted = first["prediction"]
    assert model.calibration.temperature > 1
    assert f"contributions to the network's output for {predicted}, from" in out
    assert f"into the probability {first[f'probability_{predicted}']:.6g} of {predicted} (temperature" in out
