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
from ganglion.heads import balanced_rows, encode_targets, strata_of
from ganglion.joint import columns_of

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
    for name in TARGETS:
        assert loaded.head(name).learned == model.head(name).learned
        with pytest.warns(
            gg.GanglionNotice, match="about 100% of these rows are rows that the model learned"
        ):
            loaded.head(name).evaluate(table())
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
    with pytest.warns(gg.GanglionNotice, match="200 rows lack the target 'side', used for the others only"):
        found = gg.TableModel.train(gaps, target=["side", "amount"], epochs=30)
    assert found.head("side").rows == {"train": 600, "validation": 0, "test": 600}
    assert (found.reports["side"].rows, found.reports["amount"].rows) == (400, 400)
    assert sum(map(sum, found.reports["side"].confusion)) == 400
    assert found.reports["amount"].metrics["r2"] > 0.9
    with pytest.warns(gg.GanglionNotice, match="200 rows lack the target 'amount'"):
        held_out = gg.TableModel.train(gaps, target=["side", "amount"], epochs=5, test=0.5)
    assert sum(held_out.head("side").rows.values()) == 600
    assert held_out.reports["side"].rows + held_out.reports["amount"].rows == pytest.approx(400, abs=40)


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
    strata = strata_of(targets, y)
    assert strata is not None
    assert np.bincount(strata).tolist() == [6, 5, 2]  # rare ones with others of their rarest class
    assert strata_of([NumberTarget("n", 0.0, 1.0)], y) is None


def test_no_class_is_lost_to_the_test() -> None:
    """A class of two rows in combinations of their own stays in training, whichever rows are held out."""
    chance = np.random.default_rng(0)
    rare = np.where(np.arange(200) < 2, "rare", np.where(chance.random(200) < 0.5, "a", "b"))
    other = np.where(np.arange(200) == 0, "p", np.where(chance.random(200) < 0.5, "q", "r"))
    rows = {"x": chance.normal(size=200), "y": rare, "z": other}
    for seed in range(5):
        found = gg.TableModel.train(rows, ["y", "z"], epochs=1, seed=seed, test=0.5, validation=0)
        for head in found.heads.values():
            assert min(head.target.shares) > 0


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
        ({"target": ["amount", "x0"], "optimize": "f1"}, "needs a target with two classes"),
        ({"target": ["side", "flag"], "optimize": "f1", "positive": "left"}, "classes of 'flag'.*'left'"),
        ({"target": ["side", "flag"], "optimize": "f1", "validation": 0}, "validation is 0"),
        ({"target": ["side", "flag"], "weight": "flag"}, "another column than the target"),
        ({"target": ["side", "flag"], "group": "side"}, "another column than the target"),
        ({"target": ["side", "amount"], "where": "flag IS NULL"}, "at least 2 rows"),
        ({"target": ["amount", "x0"], "class_weight": "balanced"}, "all targets are numbers"),
        ({"target": ["side", "flag"], "class_weight": "heavy"}, "balanced"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(gg.GanglionError, match=message):
        gg.TableModel.train(table(40), epochs=1, **settings)


def test_small_tables_are_cross_validated_and_each_target_is_judged_as_alone(model: Any) -> None:
    head = model.head("flag")
    assert head.sampling.folds == 5
    assert head.rows == {"train": 600, "validation": 0, "test": 600}
    for name, metric in {"side": "accuracy", "amount": "r2", "flag": "accuracy"}.items():
        report = model.reports[name]
        assert (report.rows, report.folds) == (600, 5)
        assert {"accuracy", "auc", "log_loss"} <= set(report.metrics) or metric == "r2"
        low, high = report.intervals[metric]
        assert low < report.metrics[metric] < high
        assert report.linear[metric] > 0.9  # all three are nearly linear in the inputs
        assert set(report.linear) == set(report.baseline) == set(report.metrics)
        assert report.gains["baseline"][0] > 0
        assert report.spread[metric] > 0
    frequency = table()["flag"].mean()
    assert model.reports["flag"].baseline["accuracy"] == pytest.approx(1 - frequency)  # type: ignore[operator]
    assert model.reports["amount"].baseline["r2"] == pytest.approx(0, abs=0.01)
    assert 0.85 < model.reports["amount"].coverage["0.9"] < 0.95
    assert model.head("amount").calibration.levels


def test_repetitions_test_each_row_again() -> None:
    found = gg.TableModel.train(table(100), TARGETS, hidden=(4,), epochs=2, folds=3, repeats=2)
    for report in found.reports.values():
        assert (report.rows, report.units, report.folds) == (200, 100, 6)


def test_weights_count_as_rows_repeated_do() -> None:
    whole = table(300).with_columns(w=pl.Series([2.0, 0.0, 1.0] * 100))
    found = gg.TableModel.train(whole, TARGETS, hidden=(8,), epochs=10, weight="w")
    counted = whole.filter(pl.col("w") > 0)
    again = pl.concat([counted, counted.filter(pl.col("w") > 1)])
    amount = found.head("amount").target
    assert amount.center == pytest.approx(again["amount"].mean())
    side = found.head("side").target
    assert side.shares[0] == pytest.approx((again["side"] == "left").mean())
    assert "w" not in found.head("side").encoder.features
    weighted, repeated = found.evaluate(whole), found.evaluate(again.with_columns(w=1.0))
    for name in TARGETS:
        for metric, value in repeated[name].metrics.items():
            assert weighted[name].metrics[metric] == pytest.approx(value), (name, metric)
    with pytest.raises(gg.DataError, match="weight >= 0"):
        gg.TableModel.train(whole.with_columns(w=-pl.col("w")), TARGETS, weight="w")


def test_rows_are_selected_by_a_condition() -> None:
    with pytest.warns(gg.GanglionNotice, match="left out by --where"):
        found = gg.TableModel.train(table(), TARGETS, hidden=(4,), epochs=2, where="x0 > 0")
    count = table().filter(pl.col("x0") > 0).height
    assert found.head("side").rows["train"] == count
    assert {report.rows for report in found.reports.values()} == {count}
    assert {report.rows for report in found.evaluate(table()).values()} == {count}


def persons() -> pl.DataFrame:
    """Return 45 persons with ten similar rows each; two facts about a person are random."""
    chance = np.random.default_rng(0)
    person = np.repeat(np.arange(45), 10)
    columns = chance.normal(size=(45, 8))[person] + 0.1 * chance.normal(size=(450, 8))
    return pl.DataFrame(
        {
            "person": [f"P{number}" for number in person],
            **dict(zip("abcdefgh", columns.T, strict=True)),
            "sick": chance.integers(0, 2, 45)[person],
            "income": chance.normal(size=45)[person],
        }
    )


def test_a_group_is_never_separated() -> None:
    targets = ["income", "sick"]
    apart = gg.TableModel.train(persons(), targets, group="person")
    assert apart.reports["sick"].metrics["accuracy"] < 0.75
    assert apart.reports["income"].metrics["r2"] < 0.3
    assert apart.reports["sick"].units == 45
    assert "person" not in apart.head("sick").encoder.features
    with pytest.warns(gg.GanglionNotice, match="rows of the same 'person' are learned and tested"):
        mixed = gg.TableModel.train(persons(), targets, drop=["person"])
    assert mixed.reports["sick"].metrics["accuracy"] > 0.9


def test_the_latest_rows_test_the_model() -> None:
    ordered = table(600).with_columns(day=pl.int_range(600))
    held_out = gg.TableModel.train(ordered, TARGETS, hidden=(4,), epochs=2, order="day", folds=0)
    assert held_out.head("side").rows == {"train": 384, "validation": 96, "test": 120}
    windows = gg.TableModel.train(ordered, TARGETS, hidden=(4,), epochs=2, order="day", folds=3)
    assert {report.folds for report in windows.reports.values()} == {3}
    assert windows.reports["side"].rows == 450  # the first quarter is only learned from


def test_dates_are_told_of_once() -> None:
    dated = table(100).with_columns(day=pl.Series(np.datetime64("2020-01-01") + np.arange(100)))
    with pytest.warns(gg.GanglionNotice) as caught:
        gg.TableModel.train(dated, TARGETS, hidden=(4,), epochs=2)
    assert sum("--order day" in str(warning.message) for warning in caught) == 1


def test_copies_that_differ_in_one_target_are_named() -> None:
    twice = pl.concat([table(100), table(100).with_columns(flag=~pl.col("flag"))])
    with pytest.warns(
        gg.GanglionNotice, match="100 sets of copies have different targets, such as .*true|True"
    ):
        found = gg.TableModel.train(twice, TARGETS, hidden=(4,), epochs=2)
    assert found.reports["side"].units == 100


def test_thresholds_are_chosen_for_each_target_with_two_classes() -> None:
    labels = table().with_columns(third=pl.col("x2") > 0.9)
    targets = ["flag", "third", "amount"]
    found = gg.TableModel.train(labels, targets, epochs=20, costs={"fn": 20})
    for name in ("flag", "third"):
        calibration = found.head(name).calibration
        assert calibration.threshold is not None
        assert calibration.threshold < 0.3  # a missed positive costs twenty times as much
        assert found.reports[name].objective == "mean_cost"
    assert found.head("amount").calibration.threshold is None
    assert found.reports["amount"].objective == ""
    answers = found.predict(labels)
    reached = answers["probability_flag_true"] >= found.head("flag").calibration.threshold
    assert answers["prediction_flag"].equals(reached.alias("prediction_flag"))


def test_balancing_finds_more_of_the_rare_classes() -> None:
    chance = np.random.default_rng(3)
    x = chance.normal(size=(800, 2))
    noise = chance.normal(size=(800, 2))
    rows = {"a": x[:, 0], "b": x[:, 1], "u": x[:, 0] + noise[:, 0] > 2, "v": x[:, 1] + noise[:, 1] > 2}
    plain = gg.TableModel.train(rows, ["u", "v"], epochs=20)
    balanced = gg.TableModel.train(rows, ["u", "v"], epochs=20, class_weight="balanced")
    for name in "uv":
        before, after = plain.reports[name], balanced.reports[name]
        assert after.metrics["balanced_accuracy"] > before.metrics["balanced_accuracy"] + 0.05
        assert after.metrics["log_loss"] < 1.15 * before.metrics["log_loss"]  # honest probabilities
        assert len(balanced.head(name).calibration.class_weights) == 2


def test_given_weights_are_balanced_too() -> None:
    target = ClassTarget("a", ("n", "y"), "text", (0.5, 0.5))
    y, weight = np.array([[0.0], [0.0], [1.0], [np.nan]]), np.array([1.0, 3.0, 2.0, 2.0])
    found = balanced_rows([target], y, weight)
    assert found[0] + found[1] == pytest.approx(found[2])
    assert found[1] == pytest.approx(3 * found[0])
    assert found.mean() == pytest.approx(2)
    alone = balanced_rows([target], np.array([[0.0], [0.0]]), np.array([1.0, 0.0]))
    np.testing.assert_array_equal(alone, [1.0, 0.0])


def test_a_class_called_na_is_kept_in_every_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, saved = tmp_path / "rows.csv", tmp_path / "model.safetensors"
    region = pl.when(pl.col("x0") > 0).then(pl.lit("NA")).otherwise(pl.lit("EU")).alias("region")
    rows = table(200).with_columns(region)
    rows.write_csv(path)
    found = gg.TableModel.train(path, ["side", "region"], epochs=30)
    assert found.head("region").target.classes == ("EU", "NA")
    assert found.reports["region"].rows == 200
    assert found.evaluate(path)["region"].rows == 200
    assert found.head("region").evaluate(path).rows == 200
    assert {report.rows for report in found.evaluate(rows).values()} == {200}
    command = ("train", str(path), "--target", "side,region", "--epochs", "30", "--out", str(saved), "--json")
    code, out, error = run(capsys, *command)
    assert code == 0, error
    assert json.loads(out)["targets"][1]["test"]["classes"] == ["EU", "NA"]
    code, out, error = run(capsys, "evaluate", str(saved), str(path), "--json")
    assert json.loads(out)["region"]["rows"] == 200
    assert "NA" in run(capsys, "predict", str(saved), str(path))[1]


def test_many_categories_become_means_of_all_targets() -> None:
    chance = np.random.default_rng(4)
    town = np.repeat(np.arange(150), 8)
    rows = {
        "town": [f"town {number}" for number in town],
        "x": chance.normal(size=1200),
        "rich": chance.random(150)[town] > chance.random(1200),
        "rent": 10 * chance.normal(size=150)[town] + chance.normal(size=1200),
    }
    found = gg.TableModel.train(rows, ["rich", "rent"], epochs=10)
    assert found.head("rich").encoder.features == ["town:rich=true", "town:rent=mean", "x"]
    assert found.reports["rent"].metrics["r2"] > 0.9
    lacking = pl.DataFrame(rows).with_columns(rent=pl.when(pl.int_range(pl.len()) % 4 > 0).then("rent"))
    assert gg.TableModel.train(lacking, ["rich", "rent"], epochs=10).reports["rent"].metrics["r2"] > 0.9


def test_a_target_without_values_is_named() -> None:
    empty = table(50).with_columns(flag=pl.lit(None, pl.Boolean))
    with pytest.raises(gg.DataError, match="the target 'flag' must have a value"):
        gg.TableModel.train(empty, TARGETS, epochs=1)
    with pytest.raises(gg.DataError, match="'side' must have at least two classes"):
        gg.TableModel.train(table(50).with_columns(side=pl.lit("left")), TARGETS, epochs=1)
    words = pl.when(pl.int_range(50) == 7).then(pl.lit("x")).otherwise(pl.col("x0").cast(pl.String))
    wrong = table(50).with_columns(amount=words)
    with pytest.raises(gg.DataError, match="'amount' .*'x' in row 7"):
        gg.TableModel.train(wrong, ["x1", "amount"], epochs=1, task="regression")


@pytest.mark.parametrize("rows", range(3, 12))
def test_tiny_tables_have_an_answer(rows: int) -> None:
    sides = ["a", "b"] * (rows // 2) + ["a"] * (rows % 2)
    gaps = [None if place == 2 else place * 2.5 for place in range(rows)]
    tiny = {"x": np.arange(rows) * 1.5 + 0.25, "side": sides, "amount": gaps}
    found = gg.TableModel.train(tiny, ["side", "amount"], hidden=(4,), epochs=2)
    assert found.predict(tiny).height == rows


@pytest.mark.parametrize("folds", [0, 3])
def test_a_run_that_stops_early_keeps_its_model(folds: int) -> None:
    stop = gg.EarlyStopping(patience=1, monitor="validation_loss")
    found = gg.TableModel.train(table(300), TARGETS, epochs=200, folds=folds, callbacks=[stop])
    history = found.head("side").history
    assert history.ended == "stopped"
    assert history.epochs < 200
    rows = found.head("side").rows
    assert rows["train"] + rows["validation"] == (300 if folds else 240)
    assert all(report is not None for report in found.reports.values())


def test_one_target_alone_is_trained_as_before() -> None:
    """One head: the network, its loss and its targets are those of a network of one target."""
    for target in ("side", "amount"):
        alone = gg.TableModel.train(table(80).select("x0", "x1", target), target, hidden=(4,), epochs=3)
        net = gg.Network(alone.network.layers, 2, 0)
        x, y = alone.encode(table(80))
        settings = alone.network.facts["optimizer"]
        net.fit(x, y, optimizer=gg.AdamW(gg.OneCycle(0.005, epochs=3), weight_decay=0.3), epochs=3)
        assert settings == net.facts["optimizer"]
        np.testing.assert_array_equal(net.parameters, alone.network.parameters)


def test_all_settings_of_rows_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = table(300).with_columns(day=pl.int_range(300) % 97, w=1 + pl.int_range(300) % 2)
    rows = rows.with_columns(g=pl.int_range(300) // 4)
    rows.write_csv("t.csv")
    words = ["--order", "day", "--weight", "w", "--group", "g", "--where", "x0 > -1", "--folds", "3"]
    command = ["train", "t.csv", "--target", "side,amount,flag", "--epochs", "3", "--optimize", "f1", *words]
    code, out, error = run(capsys, *command)
    assert code == 0, error
    assert "cross-validated with 3 folds" in out
    count = rows.filter(pl.col("x0") > -1).height
    assert f"the model itself learned from {count} rows" in out
    loaded = gg.JointTableModel.load("t.safetensors")
    for head in loaded.heads.values():
        sampling = head.sampling
        assert (sampling.order, sampling.group, sampling.weight, sampling.folds) == ("day", "g", "w", 3)
    code, out, error = run(capsys, "evaluate", "t.safetensors", "t.csv", "--json")
    assert code == 0, error
    found = json.loads(out)
    expected = loaded.evaluate(Path("t.csv"))
    for name in TARGETS:
        assert found[name]["rows"] == count
        assert found[name]["metrics"] == pytest.approx(expected[name].metrics)
    shown = run(capsys, "show", "t.safetensors")[1]
    assert "classification of 'side', regression of 'amount', classification of 'flag'" in shown
    assert shown.count(" from probability ") == 4  # a threshold for each of two, in its report too
    assert json.loads(run(capsys, "show", "t.safetensors", "--json")[1])["sampling"]["where"] == "x0 > -1"
    explained = run(
        capsys, "explain", "t.safetensors", "t.csv", "--target", "flag", "--verify", "--row", "3"
    )[1]
    truth = str(rows["flag"][3]).lower()
    assert f"the target is {truth}" in explained
    importance = run(
        capsys, "explain", "t.safetensors", "t.csv", "--target", "amount", "--importance", "--json"
    )
    assert set(json.loads(importance[1])["importance"]["columns"]) == {"x0", "x1", "x2", "day"}
    predicted = pl.read_csv(run(capsys, "predict", "t.safetensors", "t.csv", "--interval", "0.8")[1].encode())
    assert predicted.columns == [
        "prediction_side", "prediction_amount", "low_amount", "high_amount", "prediction_flag",
    ]  # fmt: skip
    assert predicted["prediction_flag"].dtype == pl.Boolean
    assert run(capsys, "check", "t.safetensors", "t.csv", "--target", "amount")[0] == 0


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


@pytest.mark.parametrize("target", ["paid", "", "_"])
def test_columns_are_named_after_any_target(target: str) -> None:
    names = [pl.Series(name, [1]) for name in ("prediction", "low", "probability_a_b")]
    wanted = [f"prediction_{target}", f"low_{target}", f"probability_{target}_a_b"]
    assert [column.name for column in columns_of(target, names)] == wanted
