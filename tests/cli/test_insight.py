"""`ganglion explain` and `check`: every number of one row, and clear errors for bad arguments."""

import json
from pathlib import Path

import numpy as np
import pytest

import ganglion as gg
from commands import run
from ganglion.tables.examples import example_table
from reading import redo

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of a small network and its table."""
    folder = tmp_path_factory.mktemp("explain")
    example, table = example_table("iris")
    table.write_csv(folder / "flowers.csv")
    gg.TableModel.train(table, example.target, hidden=(5,), epochs=20).save(folder / "flowers.safetensors")
    return folder


def explain(capsys: Capture, made: Path, *words: str) -> tuple[int, str, str]:
    model, table = str(made / "flowers.safetensors"), str(made / "flowers.csv")
    return run(capsys, "explain", model, table, *words)


def test_the_first_page_shows_the_row_the_layers_and_the_reason(capsys: Capture, made: Path) -> None:
    code, out, error = explain(capsys, made, "--row", "17")
    assert (code, error) == (0, "")
    assert "row 17: sepal_length 5.1" in out
    assert "the target is setosa" in out
    assert "(5.1 - " in out
    assert "dense_1: 5 relu" in out
    assert "dropout acts only while training" in out
    assert "Most for it: " in out
    assert "more detail: --unit dense_1:0, --features, --gradient" in out


def test_explanations_can_be_recomputed(capsys: Capture, made: Path) -> None:
    for words in (
        ["--unit", "dense_1:3"],
        ["--unit", "dense_2:0", "--unit", "loss"],
        ["--gradient", "dense_1/weight:3,2"],
        ["--update", "dense_2/bias:1", "--optimizer", "sgd"],
        ["--training", "--gradient", "dense_1/weight:0,0"],
    ):
        code, out, _ = explain(capsys, made, "--row", "60", *words)
        assert code == 0
        page = out.split("\n\n", 1)[1]
        assert redo(page) >= 1


def test_contributions_sum_to_the_prediction(capsys: Capture, made: Path) -> None:
    code, out, _ = explain(capsys, made, "--row", "3", "--features", "--verify")
    assert code == 0
    assert "from " in out
    lines = [line.split() for line in out.splitlines() if line.startswith("  ")]
    contributions = {line[0]: float(line[1]) for line in lines}
    assert sum(v for k, v in contributions.items() if k != "total") == pytest.approx(
        contributions["total"], abs=1e-5
    )
    assert "gradients agree with central differences" in out


def test_json_holds_all_of_it(capsys: Capture, made: Path) -> None:
    words = ("--row", "3", "--features", "--verify", "--unit", "dense_1:0", "--json")
    _, out, _ = explain(capsys, made, *words)
    facts = json.loads(out)
    assert facts["columns"]["species"] == "setosa"
    assert facts["explained"][0]["title"] == "dense_1.a[0]"
    assert len(facts["trace"]["layers"]) == 3
    assert facts["verified"]["worst"] < 1e-6
    model = gg.TableModel.load(made / "flowers.safetensors")
    probability = model.network.predict(np.array(facts["trace"]["layers"][0]["x"])).max()
    assert facts["features"]["explained"] == pytest.approx(float(probability), rel=1e-5)


def test_latex_and_a_table_without_the_target(capsys: Capture, made: Path) -> None:
    _, out, _ = explain(capsys, made, "--latex", "--unit", "dense_1:0")
    assert out.startswith("\\begin{align*}")
    gg_table = example_table("iris")[1].drop("species")
    gg_table.write_csv(made / "bare.csv")
    code, out, _ = run(capsys, "explain", str(made / "flowers.safetensors"), str(made / "bare.csv"))
    assert code == 0
    assert "loss" not in out
    code, _, error = run(
        capsys,
        "explain",
        str(made / "flowers.safetensors"),
        str(made / "bare.csv"),
        "--gradient",
        "dense_1/bias:0",
    )
    assert code == 2
    assert "lacks the column 'species'" in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--row", "150"], "row (the table has 150 rows) must be a whole number >= 0 and <= 149, got 150"),
        (["--row", "-1"], "got -1"),
        (["--row", "3.5"], "must be a whole number, got 3.5"),
        (["--gradient", "dense_1/weight:4,0"], "dense_1/weight has size 4 x 5, got place (4, 0)"),
        (["--unit", "dense_1:5"], "dense_1 has places 0 to 4, got 5"),
        (["--unit", "dense_9:0"], "there is no layer 'dense_9'"),
        (["--unit", "dense_1"], "must be written NAME:NUMBER"),
        (["--unit", "dense_1:x"], "must be written NAME:NUMBER"),
        (["--gradient", "dense_1/wieght:0,0"], "did you mean 'dense_1/weight'"),
        (["--gradient", "dense_1/weight:0"], "has size 4 x 5, got place 0"),
        (["--update", "dense_1/weight:0,0", "--optimizer", "lbfgs"], "makes no single updates"),
        (["--optimizer", "adamm"], "did you mean 'adam'"),
    ],
)
def test_bad_arguments_give_one_clear_line(
    capsys: Capture, made: Path, words: list[str], message: str
) -> None:
    code, out, error = explain(capsys, made, *words)
    assert (code, out) == (2, "")
    assert message in error
    assert "Traceback" not in error
    assert error.startswith("ganglion: ")


def test_a_table_that_does_not_fit_the_model(capsys: Capture, made: Path) -> None:
    example_table("diabetes")[1].write_csv(made / "other.csv")
    code, out, error = run(capsys, "explain", str(made / "flowers.safetensors"), str(made / "other.csv"))
    assert (code, out) == (1, "")
    assert "sepal_length" in error


def test_two_number_columns_are_drawn_in_the_terminal(capsys: Capture, tmp_path: Path) -> None:
    code, out, _ = run(capsys, "demo", "xor")
    assert code == 0
    assert "2 inputs → 4 tanh → 2 softmax   (22 parameters" in out
    assert "row A, region .: false" in out
    rows = [line.split("|")[1] for line in out.split("right\n")[1].splitlines() if " |" in line]
    assert rows[0][0] in "-B"
    assert rows[0][-1] in ".A"
    assert rows[-1][0] in ".A"
    assert rows[-1][-1] in "-B"


def test_training_ends_with_what_the_health_check_found(capsys: Capture, made: Path, tmp_path: Path) -> None:
    words = (
        "train",
        str(made / "flowers.csv"),
        "--target",
        "species",
        "--out",
        str(tmp_path / "m.safetensors"),
    )
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "The health check found nothing wrong." in out
    code, out, _ = run(capsys, *words, "--epochs", "3", "--hidden", "8")
    assert code == 0
    assert "not_converged" not in out  # the text output shows titles, not names
    assert "remedy: " in out
    _, out, _ = run(capsys, *words, "--epochs", "3", "--hidden", "8", "--json")
    assert "not_converged" in [finding["name"] for finding in json.loads(out)["findings"]]


def test_check_looks_at_a_model_and_its_table(capsys: Capture, made: Path) -> None:
    example, table = example_table("iris")
    leaky = table.with_columns(twice=table["petal_length"] * 2)
    leaky.write_csv(made / "twice.csv")
    gg.TableModel.train(leaky, example.target, epochs=40).save(made / "twice.safetensors")
    model, path = str(made / "twice.safetensors"), str(made / "twice.csv")
    code, out, error = run(capsys, "check", model, path)
    assert (code, error) == (0, "")
    assert "duplicate_feature" in out
    assert "'twice' has correlation +1 with 'petal_length'" in out
    facts = json.loads(run(capsys, "check", model, path, "--json")[1])
    assert [finding["name"] for finding in facts["findings"]] == ["duplicate_feature"]
    code, out, error = run(capsys, "check", model, str(made / "flowers.csv"))
    assert (code, out) == (1, "")
    assert "twice" in error
