import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

import ganglion as gg
from commands import run
from ganglion.tables.examples import EXAMPLES, example_table


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    example_table("iris")[1].write_csv("flowers.csv")
    return tmp_path


QUICK = ("--epochs", "3", "--hidden", "8")


def test_the_whole_path_from_table_to_predictions(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "train", "flowers.csv", "--target", "species")
    assert code == 0
    for part in ("sepal_length", "bins → 5 branches", "stopped because", "validation loss", "baseline"):
        assert part in out
    assert "true \\ predicted" in out
    assert "model written to flowers.safetensors" in out
    code, out, error = run(capsys, "predict", "flowers.safetensors", "flowers.csv")
    assert (code, error) == (0, "")
    assert out.splitlines()[:2] == ["prediction", "setosa"]
    assert len(out.splitlines()) == 151
    code, out, _ = run(
        capsys,
        "predict",
        "flowers.safetensors",
        "flowers.csv",
        "--probabilities",
        "--out",
        "predictions.parquet",
    )
    assert code == 0
    assert pl.read_parquet("predictions.parquet").shape == (150, 4)
    code, out, _ = run(capsys, "evaluate", "flowers.safetensors", "flowers.csv", "--json")
    assert json.loads(out)["metrics"]["accuracy"] > 0.9
    code, out, _ = run(capsys, "evaluate", "flowers.safetensors", "flowers.csv")
    assert "on 150 rows" in out
    code, out, _ = run(capsys, "show", "flowers.safetensors")
    assert "classification of 'species'" in out
    assert "16 bins" in out


def test_json_is_one_object_with_the_same_facts(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = run(
        capsys, "train", "flowers.csv", "--target", "species", "--json", "--out", "m.safetensors", *QUICK
    )
    assert (code, error) == (0, "")
    facts = json.loads(out)
    assert facts["task"] == "classification"
    assert facts["rows"] == {"train": 150, "validation": 0, "test": 150}
    assert len(facts["columns"]) == 4
    assert len(facts["training"]["history"]["loss"]) == 3
    assert facts["test"]["metrics"].keys() == facts["test"]["baseline"].keys()
    assert facts["model"] == "m.safetensors"
    shown = json.loads(run(capsys, "show", "m.safetensors", "--json")[1])
    assert shown == {key: value for key, value in facts.items() if key not in ("notes", "findings", "model")}
    assert json.loads(run(capsys, "info", "--json")[1])["ganglion"] == gg.__version__


@pytest.mark.parametrize("name", EXAMPLES)
def test_demos(here: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    code, out, _ = run(capsys, "demo", name, "--save-table", "saved.csv")
    assert code == 0
    assert "source: " in out
    assert Path("saved.csv").exists()


def test_options_reach_the_model(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, _ = run(
        capsys,
        *("train", "flowers.csv", "--target", "species", "--out", "m.safetensors", "--hidden", "5,4"),
        *(
            "--activation",
            "tanh",
            "--dropout",
            "0",
            "--epochs",
            "4",
            "--batch-size",
            "10",
            "--optimizer",
            "sgd",
        ),
        *("--learning-rate", "0.1", "--validation", "0", "--test", "0.1", "--seed", "3", "--balanced"),
        *(
            "--drop",
            "sepal_width",
            "--drop",
            "sepal_length",
            "--category",
            "petal_width",
            "--scaling",
            "robust",
        ),
    )
    assert code == 0
    model = gg.TableModel.load("m.safetensors")
    assert model.network.layers == (gg.Dense(5, "tanh"), gg.Dense(4, "tanh"), gg.Dense(3, "softmax"))
    assert model.network.seed == 3
    assert [column.name for column in model.encoder.columns] == ["number", "category"]
    assert model.rows == {"train": 135, "validation": 0, "test": 15}
    assert model.network.facts["optimizer"]["learning_rate"]["learning_rate"] == 0.1
    assert model.network.facts["batch_size"] == 10


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 0, ""),
        (("trian",), 2, "trian"),
        (("train",), 2, "requires an argument"),
        (("train", "flowers.csv"), 2, "--target"),
        (("train", "flowers.csv", "--target", "species", "--epochs", "many"), 2, "--epochs"),
        (("train", "flowers.csv", "--target", "species", "--epochs", "0"), 2, "epochs must be"),
        (
            ("train", "flowers.csv", "--target", "species", "--hidden", "a"),
            2,
            "--hidden must be whole numbers",
        ),
        (("train", "flowers.csv", "--target", "species", "--hidden", "0"), 2, "units must be"),
        (("train", "flowers.csv", "--target", "species", "--learning-rate", "0"), 2, "learning_rate"),
        (("train", "flowers.csv", "--target", "species", "--optimizer", "adan"), 2, "did you mean 'adam'"),
        (("train", "flowers.csv", "--target", "a\nb"), 2, "names must stand on one line"),
        (("train", "flowers.csv", "--target", "specis"), 1, "did you mean 'species'"),
        (("train", "missing.csv", "--target", "a"), 1, "there is no file missing.csv"),
        (("train", "flowers.csv", "--target", "species", "--out", "no/m.safetensors"), 1, "cannot write"),
        (("train", "flowers.csv", "--target", "species", "--out", "."), 1, "it is a folder"),
        (("train", "empty.csv", "--target", "a"), 1, "0 bytes"),
        (("predict", "flowers.csv", "flowers.csv"), 1, "is not a model file"),
        (("predict", "missing.safetensors", "flowers.csv"), 1, "No such file"),
        (
            ("predict", "good.safetensors", "flowers.csv", "--out", "a.xls"),
            2,
            "extension of a.xls is not that of a table",
        ),
        (("predict", "good.safetensors", "empty.csv"), 1, "is not a model file"),
        (("show", "flowers.csv"), 1, "is not a model file"),
        (("demo", "mnist"), 2, "no example 'mnist'"),
    ],
)
def test_bad_usage_is_one_line_and_an_exit_code(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, message: str
) -> None:
    Path("empty.csv").touch()
    Path("good.safetensors").touch()
    got, out, error = run(capsys, *words)
    assert got == code
    if code:
        lines = error.strip().splitlines()
        assert lines[0].startswith("ganglion: ")
        assert message in error
        assert len(lines) <= 2
        assert all(line.startswith("hint: ") for line in lines[1:])
        assert "Traceback" not in out + error
        assert "unexpected" not in error
    assert not list(here.glob(".*"))


GOOD_ROWS = "".join(f"{i % 7},{i * i},{'uv'[i % 2]},{'xy'[i % 3 == 0]}\n" for i in range(40))
GOOD = "a,b,c,t\n" + GOOD_ROWS


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (GOOD.replace("6,36,", "inf,36,"), "'a' must be finite, got inf in row 6"),
        (GOOD.replace("6,36,", "six,36,"), "'a' holds numbers, but 'six' in row 6"),
        ("a,b,c,t\n", "at least 2 rows"),
        ("a,b,c,t\n1,2,u,x\n", "at least 2 rows to learn from, got 1"),
        (GOOD.replace("y\n", "x\n"), "at least two classes, got only 'x'"),
        (GOOD.replace(",x\n", ",5\n").replace(",y\n", ",5\n"), "at least two classes, got only 5"),
        (GOOD.replace(",x\n", ",\n").replace(",y\n", ",\n"), "at least 2 rows"),
        (GOOD.replace("a,b,c,t", "a,b,a,t"), "names must be distinct, got 'a' 2 times"),
        (GOOD.replace("a,b,c,t", "a,b,c,z"), "no column 't'"),
        (GOOD + "1,2,u,x,9\n", "line 42 has 5"),
        (GOOD + "1,2\n", "line 42 has 2"),
        (GOOD.replace("6,36,", "<6,36,"), "the limit '<6'"),
        (b"", "is empty, 0 bytes"),
        (b"\x00\x01\x02", "no text"),
        (GOOD.replace("6,36,", f"{10**400},36,"), "'a'"),
    ],
    ids=range(15),
)
def test_bad_tables_are_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], data: str | bytes, message: str
) -> None:
    Path("t.csv").write_bytes(data.encode() if isinstance(data, str) else data)
    code, _, error = run(capsys, "train", "t.csv", "--target", "t", *QUICK)
    assert code == 1
    assert message in error
    assert len(error.strip().splitlines()) <= 2
    assert not Path("t.safetensors").exists()


def test_tables_at_prediction(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("t.csv").write_text(GOOD)
    assert run(capsys, "train", "t.csv", "--target", "t", *QUICK)[0] == 0
    for data, code, message in (
        ("c,b,a\nu,1,2\n", 0, ""),
        ("a,b,c\n1,2,w\n", 0, "1 value of an unknown category, encoded as 0 in all categories: 'w'"),
        ("a,b\n1,2\n", 1, "lacks 'c', which the model learned from"),
        ("a,b,c\n1,inf,u\n", 1, "'b' must be finite, got inf"),
        ("a,b,c\n1,2,u\n1,two,u\n", 1, "'b' must hold numbers, got 'two' in row 1"),
        ("a,b,c\n", 0, ""),
    ):
        Path("new.csv").write_text(data)
        got, out, error = run(capsys, "predict", "t.safetensors", "new.csv")
        assert got == code, error
        assert message in error
        assert out.count("\n") == (data.count("\n") if code == 0 else 0)
    code, _, error = run(capsys, "evaluate", "t.safetensors", "new.csv")
    assert (code, "for predictions without the target, use predict" in error) == (1, True)
    code, out, _ = run(capsys, "predict", "t.safetensors", "t.csv", "--keep", "b,t")
    assert out.splitlines()[:2] == ["b,t,prediction", f"0,y,{out.splitlines()[1].split(',')[2]}"]
    broken = Path("t.safetensors").read_bytes()[:-5]
    Path("t.safetensors").write_bytes(broken)
    code, _, error = run(capsys, "predict", "t.safetensors", "t.csv")
    assert (code, "is damaged" in error) == (1, True)


def test_input_files_are_never_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "train", "flowers.csv", "--target", "species", *QUICK)
    before = Path("flowers.csv").read_bytes(), Path("flowers.safetensors").read_bytes()
    for words in (
        ("predict", "flowers.safetensors", "flowers.csv", "--out", "flowers.csv"),
        ("train", "flowers.csv", "--target", "species", "--out", "flowers.csv", *QUICK),
    ):
        code, _, error = run(capsys, *words)
        assert code == 2
        assert "must" in error
    assert (Path("flowers.csv").read_bytes(), Path("flowers.safetensors").read_bytes()) == before


def test_notes_do_not_mix_with_the_predictions(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "train", "flowers.csv", "--target", "species", *QUICK)
    table = pl.read_csv("flowers.csv").with_columns(extra=pl.lit(1))
    table.drop("species").write_csv("new.csv")
    code, out, error = run(capsys, "predict", "flowers.safetensors", "new.csv")
    assert code == 0
    assert error == "note: ignored, because unknown in training: 'extra' [unknown-columns]\n"
    assert len(out.splitlines()) == 151


def test_debug_shows_where_it_failed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, error = run(capsys, "show", "flowers.csv", "--debug")
    assert "Traceback" in error


def test_ctrl_c_saves_what_was_learned(here: Path) -> None:
    command = [sys.executable, "-m", "ganglion", "train", "flowers.csv", "--target", "species"]
    process = subprocess.Popen(
        [*command, "--epochs", "1000000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "inputs" in line:  # from here on it trains
            break
    time.sleep(1)
    os.kill(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert "interrupted; the weights learned so far are kept" in out
    assert gg.TableModel.load("flowers.safetensors").history.epochs > 0


def test_a_closed_pipe_is_not_an_error(here: Path) -> None:
    command = f"{sys.executable} -m ganglion info | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("ganglion")
    assert "Traceback" not in done.stderr


def test_intervals_and_thresholds(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example_table("diabetes")[1].write_csv("d.csv")
    run(capsys, "train", "d.csv", "--target", "progression", "--epochs", "5")
    code, out, _ = run(capsys, "predict", "d.safetensors", "d.csv", "--interval", "0.9")
    assert code == 0
    assert out.splitlines()[0] == "prediction,low,high"
    code, _, error = run(capsys, "predict", "d.safetensors", "d.csv", "--interval", "0.9999")
    assert (code, error.splitlines()[0][:52]) == (1, "ganglion: the held-out rows support intervals up to ")
    table = example_table("breast-cancer")[1]
    target = table.columns[-1]
    table.write_csv("b.csv")
    code, out, _ = run(capsys, "train", "b.csv", "--target", target, "--epochs", "5", "--cost", "fn=10")
    assert code == 0
    assert "chosen for costs 10 for a false negative and 1 for a false positive" in out
    assert "calibration error" in out
    _, out, _ = run(capsys, "show", "b.safetensors")
    assert "from probability" in out
    for words, message in (
        (["--cost", "fn"], "--cost must be NAME=NUMBER"),
        (["--optimize", "speed"], "optimize must be"),
        (["--optimize", "f1", "--cost", "fn=2"], "not for both"),
    ):
        code, _, error = run(capsys, "train", "b.csv", "--target", target, *words)
        assert code == 2
        assert message in error


def test_importance_and_dependence(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example_table("iris")[1].write_csv("f.csv")
    run(capsys, "train", "f.csv", "--target", "species", "--epochs", "20")
    words = ("explain", "f.safetensors", "f.csv", "--importance", "--dependence", "petal_width,sepal_width")
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "fall of the accuracy" in out
    assert "'petal_width'" in out
    assert "'sepal_width'" in out
    facts = json.loads(run(capsys, *words, "--json")[1])
    assert set(facts["importance"]["columns"]) == {
        "petal_length",
        "petal_width",
        "sepal_length",
        "sepal_width",
    }
    assert facts["dependence"][0]["answers"] == ["setosa", "versicolor", "virginica"]
    code, _, error = run(capsys, "explain", "f.safetensors", "f.csv", "--dependence", "petals")
    assert code == 2
    assert "no column 'petals'" in error


def test_a_mixture_is_trained_and_explained(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("train", "flowers.csv", "--target", "species", "--quality", "good", "--out", "m.safetensors")
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "5 branches → 5 answers" in out
    assert "a mixture of" in out
    code, out, _ = run(capsys, "explain", "m.safetensors", "flowers.csv", "--unit", "mixture_1:0")
    assert code == 0
    assert "a weighted sum of the answers" in out
    code, _, error = run(capsys, *words, "--hidden", "8")
    assert code == 2
    assert "chooses the networks itself" in error
