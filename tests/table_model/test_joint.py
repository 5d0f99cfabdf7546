"""Several targets of one table: one network with a head for each, each judged as a model of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from commands import run
from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.files.model_file import read_model, write_model
from ganglion.table_model.joint import encode_targets
from ganglion.table_model.joint_training import balanced_rows, joint_classes

pytestmark = pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
TARGETS = ["side", "amount", "flag"]


def table(rows: int = 600) -> pl.DataFrame:
    """Return inputs, and a class of words, a number and true/false that follow from them."""
    x = np.random.default_rng(0).normal(size=(rows, 3))
    return pl.DataFrame({f"x{i}": x[:, i] for i in range(3)}).with_columns(
        pl.Series("side", np.where(x[:, 0] + x[:, 1] > 0, "left", "right")),
        pl.Series("amount", 3 * x[:, 2] + x[:, 0] + 10),
        pl.Series("flag", x[:, 1] > 0.7),
    )


@pytest.fixture(scope="module")
def model() -> Any:
    return gg.TableModel.train(table(), target=TARGETS, epochs=20)


def test_each_target_is_judged_about_as_well_as_alone(model: Any) -> None:
    assert list(model.reports) == TARGETS
    names = {"side": "accuracy", "amount": "r2", "flag": "accuracy"}
    for name, metric in names.items():
        alone = gg.TableModel.train(table().drop({*TARGETS} - {name}), target=name, epochs=20)
        assert alone.report is not None
        assert model.reports[name].metrics[metric] == pytest.approx(alone.report.metrics[metric], abs=0.05)
        assert model.reports[name].metrics[metric] > 0.9


def test_predictions_have_a_column_for_each_target(model: Any) -> None:
    found = model.predict(table().head(4), interval=0.8)
    assert found.columns == [
        "prediction_side", "probability_side_left", "probability_side_right",
        "prediction_amount", "low_amount", "high_amount",
        "prediction_flag", "probability_flag_false", "probability_flag_true",
    ]  # fmt: skip
    assert found["prediction_flag"].dtype == pl.Boolean
    record = table().row(0, named=True)
    answers = model.answer(record)
    assert answers["amount"]["prediction"] == found["prediction_amount"][0]
    assert answers["side"]["probabilities"]["left"] == found["probability_side_left"][0]


def test_heads_are_parts_of_one_network(model: Any) -> None:
    x = model.head("side").encode_inputs(table())
    together = model.network.predict(x)
    parts = [model.head(name).network.predict(x) for name in TARGETS]
    assert together.shape == (600, 2 + 1 + 2)
    np.testing.assert_allclose(together, np.concatenate(parts, axis=1), atol=1e-6)
    with pytest.raises(gg.ConfigError, match="no target 'sid'"):
        model.head("sid")


def test_a_model_comes_back_from_its_file(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "joint.safetensors"
    model.save(path)
    loaded = gg.JointTableModel.load(path)
    assert loaded.predict(table()).equals(model.predict(table()))
    assert loaded.reports == model.reports
    assert loaded.targets == model.targets
    with pytest.raises(gg.FileError, match="several targets"):
        gg.TableModel.load(path)


def test_a_file_of_one_target_is_no_joint_model(tmp_path: Path) -> None:
    gg.TableModel.train(table(60).drop("side", "flag"), "amount", epochs=1).save(tmp_path / "a.safetensors")
    with pytest.raises(gg.FileError, match="one target"):
        gg.JointTableModel.load(tmp_path / "a.safetensors")


def _swap(part: dict[str, Any]) -> None:
    part["heads"] = part["heads"][1:] + part["heads"][:1]


@pytest.mark.parametrize(
    "damage",
    [
        _swap,
        lambda part: part.update(heads=[]),
        lambda part: part.update(heads=7),
        lambda part: part["heads"].pop(),
        lambda part: part["heads"][0].pop("test"),
        lambda part: part["heads"][0].update(target=3),
        lambda part: part["heads"][2]["target"].update(column="side"),
        lambda part: part["heads"].append(part["heads"][0]),
        lambda part: part.update(rows=None),
    ],
)
def test_a_damaged_file_is_refused(model: Any, tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "joint.safetensors"
    model.save(path)
    saved = read_model(path)
    assert saved.table is not None
    saved.table = json.loads(json.dumps(saved.table))
    damage(saved.table)
    write_model(path, saved)
    with pytest.raises(gg.FileError, match="damaged"):
        gg.JointTableModel.load(path)


def test_rows_that_lack_a_target_teach_the_others() -> None:
    whole = table()
    gaps = whole.with_columns(
        amount=pl.when(pl.int_range(pl.len()) % 3 > 0).then("amount"),
        side=pl.when(pl.int_range(pl.len()) % 3 < 2).then("side"),
    )
    with pytest.warns(gg.GanglionNotice, match="400|200 rows lack the target"):
        found = gg.TableModel.train(gaps, target=["side", "amount"], epochs=20)
    assert sum(found.head("side").rows.values()) == 600
    assert found.reports["side"].rows + found.reports["amount"].rows <= 240
    assert found.reports["amount"].metrics["r2"] > 0.9


def test_several_labels_of_a_row() -> None:
    x = np.random.default_rng(1).normal(size=(500, 4))
    labels = {f"tag{i}": x[:, i] > 0.5 for i in range(4)}
    found = gg.TableModel.train({**{f"x{i}": x[:, i] for i in range(4)}, **labels}, list(labels), epochs=20)
    assert all(report.metrics["accuracy"] > 0.9 for report in found.reports.values())


def test_balancing_gives_all_classes_of_each_target_the_same_weight() -> None:
    targets = [
        ClassTarget("a", ("n", "y"), "text", (0.5, 0.5)),
        NumberTarget("b", 0.0, 1.0),
        ClassTarget("c", ("p", "q", "r"), "text", (0.4, 0.3, 0.3)),
    ]
    chance = np.random.default_rng(2)
    y = np.stack(
        [
            chance.choice(2, 300, p=[0.9, 0.1]),
            chance.normal(size=300),
            chance.choice(3, 300, p=[0.7, 0.2, 0.1]),
        ],
        1,
    ).astype(float)
    weights = balanced_rows(targets, y)
    assert weights.mean() == pytest.approx(1)
    for place, count in ((0, 2), (2, 3)):
        totals = np.bincount(y[:, place].astype(int), weights)
        np.testing.assert_allclose(totals, 300 / count, rtol=1e-6)


def test_strata_are_combinations_of_classes() -> None:
    targets = [ClassTarget(name, (0, 1), "integer", (0.5, 0.5)) for name in "ab"]
    y = np.array([[0, 0]] * 6 + [[0, 1]] * 5 + [[1, 1]] + [[1, np.nan]])
    strata = joint_classes(targets, y)
    assert strata is not None
    assert np.bincount(strata).tolist() == [6, 5, 2]  # rare ones together
    assert joint_classes([NumberTarget("n", 0.0, 1.0)], y) is None


def test_missing_targets_are_nan() -> None:
    targets = [ClassTarget("a", ("n", "y"), "text", (0.5, 0.5)), NumberTarget("b", 1.0, 2.0)]
    frame = pl.DataFrame({"a": ["y", None, "n"], "b": [3.0, 5.0, None]})
    np.testing.assert_array_equal(encode_targets(targets, frame), [[1, 1], [np.nan, 2], [0, np.nan]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": ["side"]}, "name of a column, got list"),
        ({"target": ["side", "side"]}, "different columns"),
        ({"target": ["side", 3]}, "list of names"),
        ({"target": ["side", "nothing"]}, "nothing"),
        ({"target": ["side", "flag"], "drop": ["flag"]}, "must not be dropped"),
        ({"target": ["side", "flag"], "optimize": "f1"}, "one target"),
        ({"target": ["amount", "x0"], "class_weight": "balanced"}, "all targets are numbers"),
        ({"target": ["side", "flag"], "class_weight": "heavy"}, "balanced"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(gg.GanglionError, match=message):
        gg.TableModel.train(table(40), epochs=1, **settings)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, saved = tmp_path / "rows.csv", tmp_path / "model.safetensors"
    table(200).rename({"amount": "amount, net"}).write_csv(path)
    names = 'side,"amount, net"'

    def said(*words: str) -> str:
        code, out, error = run(capsys, *words)
        assert code == 0, error
        return out

    files = str(saved), str(path)
    facts = json.loads(
        said("train", str(path), "--target", names, "--epochs", "5", "--out", files[0], "--json")
    )
    assert [each["target"] for each in facts["targets"]] == ["side", "amount, net"]
    assert all(each["test"] for each in facts["targets"])
    header = said("predict", *files).splitlines()[0]
    assert header == 'prediction_side,"prediction_amount, net"'
    for out in (said("evaluate", *files), said("show", files[0])):
        assert "R2" in out
        assert "accuracy" in out
    assert "amount, net: the model predicts" in said(
        "explain", *files, "--target", "amount, net", "--features"
    )
    assert "dense_1" in said("check", *files, "--target", "side")
    code, _, error = run(capsys, "check", *files)
    assert code == 2
    assert "choose one with --target" in error
