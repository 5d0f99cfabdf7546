import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import ganglion as gg
from ganglion.tables.examples import EXAMPLES, example_table

QUICK: dict[str, Any] = {"hidden": (8,), "epochs": 3}


def flowers() -> pl.DataFrame:
    return example_table("iris")[1]


@pytest.mark.filterwarnings("ignore:about .* rows that the model learned")
def test_the_public_interface(tmp_path: Path) -> None:
    flowers().write_csv(tmp_path / "flowers.csv")
    model = gg.TableModel.train(tmp_path / "flowers.csv", target="species", hidden=(64, 32), seed=0)
    predictions = model.predict(tmp_path / "flowers.csv")
    assert predictions.columns == [
        "prediction",
        "probability_setosa",
        "probability_versicolor",
        "probability_virginica",
    ]
    assert (predictions["prediction"] == flowers()["species"]).mean() > 0.9
    np.testing.assert_allclose(predictions.drop("prediction").sum_horizontal(), 1, rtol=1e-5)
    report = model.evaluate(tmp_path / "flowers.csv")
    assert report.metrics["accuracy"] > 0.9
    assert report.baseline["accuracy"] == pytest.approx(1 / 3)
    assert isinstance(model.network, gg.Network)
    assert model.history.epochs == 60
    model.save(tmp_path / "flowers.safetensors")
    loaded = gg.TableModel.load(tmp_path / "flowers.safetensors")
    assert loaded.predict(flowers()).equals(predictions)
    assert loaded.report == model.report
    assert loaded.rows == {"train": 150, "validation": 0, "test": 150}
    assert loaded.history == model.history
    assert loaded.advice == model.advice


@pytest.mark.filterwarnings("ignore:left out")
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_learned(name: str) -> None:
    example, table = example_table(name)
    model = gg.TableModel.train(table, example.target, epochs=30)
    assert model.report is not None
    metric = "accuracy" if model.target.task == "classification" else "r2"
    assert model.report.metrics[metric] > model.report.baseline[metric] + 0.2


def test_numbers_are_predicted_in_their_own_units() -> None:
    _, table = example_table("diabetes")
    model = gg.TableModel.train(table, "progression", epochs=20)
    predictions = model.predict(table)
    assert predictions.columns == ["prediction"]
    assert 100 < predictions["prediction"].mean() < 200
    assert model.report is not None
    errors = model.report.error_quantiles
    assert errors["median"] < errors["9 of 10 at most"] < errors["largest"]


def test_frames_of_every_kind_give_the_same_model() -> None:
    table = flowers()
    frames = [table, pd.DataFrame(table.to_dict(as_series=False)), table.to_dict(as_series=False)]
    models = [gg.TableModel.train(frame, "species", **QUICK) for frame in frames]
    assert len({model.network.parameters.tobytes() for model in models}) == 1


def test_the_same_seed_gives_the_same_model_and_test_rows_are_not_learned_from() -> None:
    table = flowers()
    first, second = (gg.TableModel.train(table, "species", folds=0, **QUICK) for _ in range(2))
    assert (first.network.parameters == second.network.parameters).all()
    other = gg.TableModel.train(table, "species", seed=1, folds=0, **QUICK)
    assert (first.network.parameters != other.network.parameters).any()
    everything = gg.TableModel.train(table, "species", test=0, validation=0, **QUICK)
    assert everything.report is None
    assert everything.network.facts["rows"] == 150
    assert first.network.facts["rows"] == 120


def test_columns_at_prediction() -> None:
    table = flowers()
    model = gg.TableModel.train(table, "species", **QUICK)
    plain = model.predict(table)
    assert model.predict(table.select(reversed(table.columns))).equals(plain)
    assert model.predict(table.drop("species")).equals(plain)
    with pytest.warns(gg.GanglionNotice, match="ignored, because unknown in training: 'extra'"):
        assert model.predict(table.with_columns(extra=1)).equals(plain)
    with pytest.raises(gg.DataError, match="lacks 'petal_width'"):
        model.predict(table.drop("petal_width"))
    with pytest.warns(gg.GanglionNotice, match="'petal_width': 150 missing"):
        model.predict(table.with_columns(petal_width=None))
    assert model.predict(table.head(0)).height == 0


@pytest.mark.filterwarnings("ignore:about .* rows that the model learned")
def test_rows_without_the_target_are_ignored_with_a_notice() -> None:
    table = flowers()
    holes = table.with_columns(
        species=pl.when(pl.int_range(pl.len()) < 10).then(None).otherwise(pl.col("species"))
    )
    with pytest.warns(gg.GanglionNotice, match="10 rows lack the target 'species'"):
        model = gg.TableModel.train(holes, "species", folds=0, **QUICK)
    assert sum(model.rows.values()) == 140
    with pytest.warns(gg.GanglionNotice, match="10 rows lack"):
        assert model.evaluate(holes).rows == 140


@pytest.mark.filterwarnings("ignore:about .* rows that the model learned")
def test_columns_left_out_and_missing_values_are_reported() -> None:
    table = flowers().with_columns(
        same=pl.lit(1), id=pl.int_range(pl.len()), petal_width=pl.col("petal_width").replace({0.2: None})
    )
    with pytest.warns(gg.GanglionNotice) as caught:
        gg.TableModel.train(table, "species", **QUICK)
    notes = [str(warning.message) for warning in caught]
    assert "left out: 'same' (the same value in every row)" in notes
    assert any("column 'id' is left out as row numbers or identifiers" in note for note in notes)
    assert any("missing values: petal_width 29" in note for note in notes)
    assert all(warning.filename == __file__ for warning in caught)


def test_a_class_missing_from_the_training_rows_still_has_a_probability() -> None:
    table = flowers().with_columns(
        species=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("orchid")).otherwise(pl.col("species"))
    )
    for seed in range(8):
        model = gg.TableModel.train(table, "species", seed=seed, **QUICK)
        assert "probability_orchid" in model.predict(table).columns


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (lambda t: t, {"target": "specis"}, "no column 'specis'.*did you mean 'species'"),
        (lambda t: t.head(0), {}, "at least 2 rows|at least two classes|at least 2"),
        (lambda t: t.head(1), {}, "at least 2 rows to learn from, got 1"),
        (lambda t: t.head(20), {}, "only 'setosa'"),
        (lambda t: t.with_columns(species=None), {}, "at least 2 rows"),
        (lambda t: t.select("species"), {}, "no column is left"),
        (
            lambda t: t.head(3).with_columns(species=pl.Series(["a", "b", "a"])),
            {"folds": 0},
            "leaves one part without",
        ),
        (lambda t: t, {"drop": ["species"]}, "must not be dropped"),
        (lambda t: t, {"drop": ["petals"]}, "no column 'petals'"),
        (lambda t: t, {"test": 1.0}, "test must be a number"),
        (lambda t: t, {"validation": -0.1}, "validation must be a number"),
        (lambda t: t, {"epochs": 0}, "epochs must be a whole number >= 1"),
        (lambda t: t, {"batch_size": 0}, "batch_size"),
        (lambda t: t, {"hidden": (0,)}, "units must be"),
        (lambda t: t, {"dropout": 1}, "dropout"),
        (lambda t: t, {"learning_rate": 0}, "learning_rate"),
        (lambda t: t, {"optimizer": gg.Adam(), "learning_rate": 0.1}, "given by name"),
        (lambda t: t, {"task": "regression"}, "must hold numbers, got 'setosa' in row 0"),
        (lambda t: t.with_columns(n=1 / (pl.int_range(150) - 7)), {}, "'n' must be finite, got inf in row 7"),
        (lambda t: t, {"target": ["species"]}, "name of a column, got list"),
        (lambda t: t, {"drop": "species"}, "drop must be a list of column names"),
        (lambda t: t, {"target": "petal_width", "class_weight": "balanced"}, "class weights need classes"),
        (
            lambda t: t.with_columns(n=pl.lit("1.234.") + (pl.int_range(0, 150) % 90 + 10).cast(pl.String)),
            {},
            "write them as 1234.5",
        ),
        (
            lambda t: t.with_columns(d=pl.lit("3/4/") + pl.int_range(1900, 2050).cast(pl.String)),
            {},
            "two ways",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
def test_tables_and_settings_that_cannot_be_used_are_refused(
    change: Any, settings: Any, message: str
) -> None:
    with pytest.raises(gg.GanglionError, match=message):
        gg.TableModel.train(change(flowers()), **({"target": "species"} | QUICK | settings))


def test_numbers_are_divided_into_bins_on_request() -> None:
    model = gg.TableModel.train(flowers(), "species", bins=4, **QUICK)
    bins = model.network.layers[0]
    assert isinstance(bins, gg.PiecewiseLinear)
    assert all(2 <= len(edges) <= 5 for edges in bins.edges)
    assert model.attribute(flowers()[:2]).columns[3:] == model.encoder.features
    linear = gg.TableModel.train(flowers(), "species", bins=4, hidden=(), epochs=2)
    assert len(linear.network.layers) == 1


def test_settings_reach_the_network() -> None:
    model = gg.TableModel.train(
        flowers(),
        "species",
        hidden=(5,),
        activation="tanh",
        dropout=0,
        epochs=4,
        optimizer=gg.SGD(0.1, momentum=0.9),
        class_weight="balanced",
        scaling="robust",
        drop=["sepal_width"],
    )
    assert model.network.layers == (gg.Dense(5, "tanh"), gg.Dense(3, "softmax"))
    assert "sepal_width" not in model.encoder.features
    assert model.network.facts["optimizer"]["momentum"] == 0.9


def test_a_run_that_stops_early_keeps_its_model() -> None:
    model = gg.TableModel.train(flowers(), "species", callbacks=[gg.TargetReached(0.7, "accuracy")])
    assert model.history.epochs < 60
    assert model.network.facts["rows"] == 96


def test_advice_for_rare_classes_knows_whether_they_were_balanced() -> None:
    chance = np.random.default_rng(1)
    v = chance.normal(size=(1500, 3))
    rare = v[:, 0] + chance.normal(0, 1, 1500) > 2.6
    table = pl.DataFrame({"a": v[:, 0], "b": v[:, 1], "c": v[:, 2], "t": rare})
    plain = gg.TableModel.train(table, "t", epochs=10)
    balanced = gg.TableModel.train(table, "t", epochs=10, class_weight="balanced")
    assert "try --balanced" in plain.advice
    assert "try --balanced" not in balanced.advice
    assert plain.report is not None
    assert balanced.report is not None
    assert balanced.report.metrics["balanced_accuracy"] > plain.report.metrics["balanced_accuracy"]


def test_dropped_columns_are_known_at_prediction() -> None:
    model = gg.TableModel.train(flowers(), "species", drop=["sepal_width"], **QUICK)
    assert model.predict(flowers()).height == 150  # warnings are errors here


def test_best_weights_restored_by_a_callback_are_kept() -> None:
    model = gg.TableModel.train(flowers(), "species", epochs=8, callbacks=[gg.EarlyStopping(patience=7)])
    assert model.history.best_epoch is not None
    assert model.network.facts["rows"] == 96


def test_optimizers_are_named_as_everywhere() -> None:
    for name in ("AdamW", "sgd"):
        model = gg.TableModel.train(flowers(), "species", optimizer=name, learning_rate=0.02, **QUICK)
        assert model.network.facts["optimizer"]["name"] == name.lower()
        assert model.network.facts["optimizer"]["learning_rate"]["learning_rate"] == 0.02


def test_advice_fits_the_run() -> None:
    chance = np.random.default_rng(0)
    noise = pl.DataFrame({"v": chance.normal(size=200), "w": chance.normal(size=200), "t": ["a", "b"] * 100})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        advice = {gg.TableModel.train(noise, "t", seed=s, epochs=5, hidden=()).advice for s in range(6)}
    assert any(
        "no better than the baseline" in sentence or "worse than the baseline" in sentence
        for sentence in advice
    )
    assert "is better than the baseline" in gg.TableModel.train(flowers(), "species").advice
    big = pl.DataFrame({"v": np.arange(100.0), "t": 1e3 * np.arange(100.0)})
    diverged = gg.TableModel.train(big, "t", optimizer=gg.SGD(1000), epochs=50)
    assert "tenth of the learning rate" in diverged.advice


def rare_events(rows: int, seed: int) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(rows, 2))
    happened = chance.logistic(size=rows) < 1.5 * x[:, 0] - 5.5
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "event": np.where(happened, "yes", "no")})


def test_balanced_classes_keep_honest_probabilities(tmp_path: Path) -> None:
    table, new = rare_events(8000, 0), rare_events(20_000, 1)
    model = gg.TableModel.train(table, "event", class_weight="balanced", epochs=8)
    predictions, truth = model.predict(new), (new["event"] == "yes").mean()
    raw = model.network.predict(model.encode(new)[0])[:, 1].mean()
    assert raw > 8 * truth  # what the network says is far from the truth
    assert predictions["probability_yes"].mean() == pytest.approx(truth, rel=0.35)
    assert (predictions["prediction"] == "yes").mean() > 5 * truth  # the choice still favors the rare class
    assert model.evaluate(new).metrics["balanced_accuracy"] > 0.7
    model.save(tmp_path / "m.safetensors")
    loaded = gg.TableModel.load(tmp_path / "m.safetensors")
    assert loaded.calibration == model.calibration
    assert loaded.predict(new).equals(predictions)


def test_a_threshold_is_stored_and_used_everywhere(tmp_path: Path) -> None:
    table, new = rare_events(8000, 0), rare_events(5000, 1)
    plain = gg.TableModel.train(table, "event", epochs=8)
    model = gg.TableModel.train(table, "event", epochs=8, costs={"fn": 20, "fp": 1})
    model.save(tmp_path / "m.safetensors")
    model = gg.TableModel.load(tmp_path / "m.safetensors")
    threshold = model.calibration.threshold
    assert threshold is not None
    assert threshold < 0.2
    predictions = model.predict(new)
    assert predictions.drop("prediction").equals(plain.predict(new).drop("prediction"))
    assert ((predictions["probability_yes"] >= threshold) == (predictions["prediction"] == "yes")).all()
    report = model.evaluate(new)
    assert sum(line[1] for line in report.confusion) == (predictions["prediction"] == "yes").sum()
    (_, fp), (fn, _) = report.confusion
    (_, plain_fp), (plain_fn, _) = plain.evaluate(new).confusion
    assert 20 * fn + fp < 20 * plain_fn + plain_fp


def test_numbers_have_prediction_intervals(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    x = chance.normal(size=(3000, 2))
    table = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": 50 + 10 * x[:, 0] + 5 * chance.normal(size=3000)})
    model = gg.TableModel.train(table[:1500], "y", epochs=20)
    model.save(tmp_path / "m.safetensors")
    model = gg.TableModel.load(tmp_path / "m.safetensors")
    for level in (0.5, 0.9):
        found = model.predict(table[1500:], interval=level)
        assert found.columns == ["prediction", "low", "high"]
        inside = table["y"][1500:].is_between(found["low"], found["high"]).mean()
        assert inside == pytest.approx(level, abs=0.07)
    assert model.report is not None
    assert model.report.coverage["0.9"] == pytest.approx(0.9, abs=0.07)
    with pytest.raises(gg.DataError, match="support intervals up to level 0.99"):
        model.predict(table, interval=0.9999)
    with pytest.raises(gg.ConfigError, match="level of an interval"):
        model.predict(table, interval=90)
    classes = gg.TableModel.train(flowers(), "species", **QUICK)
    with pytest.raises(gg.ConfigError, match="intervals are for numbers.*use the probabilities"):
        classes.predict(flowers(), interval=0.9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimize": "f1"}, "needs a target with two classes, and 'species' is 3 classes"),
        ({"optimize": "speed"}, "optimize must be"),
        ({"costs": {"fn": -1}}, "cost fn must be"),
        ({"positive": "setosa"}, "no effect without a threshold"),
    ],
)
def test_thresholds_that_cannot_be_chosen_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(gg.ConfigError, match=message):
        gg.TableModel.train(flowers(), "species", **settings, **QUICK)


def test_the_health_check_calls_classes_by_their_labels() -> None:
    chance = np.random.default_rng(0)
    grade = chance.choice([1, 2, 3], 3000, p=[0.5, 0.48, 0.02])
    x = np.minimum(grade, 2) * 3 + 0.8 * chance.normal(size=3000)
    table = pl.DataFrame({"x": x, "z": chance.normal(size=3000), "grade": grade})
    model = gg.TableModel.train(table, "grade", epochs=10)
    evidence = {finding.name: finding.evidence for finding in model.health(table).findings}
    assert "class 3, " in evidence["class_imbalance"]
