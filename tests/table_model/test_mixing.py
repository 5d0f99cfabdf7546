"""Mixtures of networks: how they are weighed, put together, trained and reported."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from ganglion.answers.held_out import HeldOut
from ganglion.answers.mixing import blend
from ganglion.tables.examples import example_table

CHANCE = np.random.default_rng(0)


def held_out(outputs: Any, truth: Any) -> HeldOut:
    outputs = np.asarray(outputs, np.float32)
    outputs = outputs[:, None] if outputs.ndim == 1 else outputs
    return HeldOut(outputs, np.asarray(truth), np.zeros(len(outputs), np.int64))


def test_the_kind_that_answers_better_counts_more() -> None:
    truth = CHANCE.normal(size=400)
    near, far, useless = (truth + size * CHANCE.normal(size=400) for size in (0.1, 0.4, 50))
    found = blend([held_out(far, truth), held_out(near, truth), held_out(useless, truth)], classes=False)
    assert sum(found.weights) == pytest.approx(1)
    assert found.weights[1] >= 0.8
    assert found.weights[2] == 0
    assert found.losses[-1] <= min(found.losses[:3]) + 1e-12


def test_independent_errors_are_averaged() -> None:
    truth = CHANCE.normal(size=4000)
    kinds = [held_out(truth + 0.3 * CHANCE.normal(size=4000), truth) for _ in range(2)]
    found = blend(kinds, classes=False)
    assert found.weights == (0.5, 0.5)
    assert found.losses[-1] == pytest.approx(0.045, rel=0.1)


def test_an_equal_kind_is_not_added() -> None:
    truth = CHANCE.normal(size=500)
    one = held_out(truth + 0.2 * CHANCE.normal(size=500), truth)
    assert sorted(blend([one, one], classes=False).weights) == [0, 1]


def test_numbers_that_shrink_are_stretched() -> None:
    truth = CHANCE.normal(size=300)
    assert blend([held_out(0.5 * truth, truth)], classes=False).scales[0] == pytest.approx(2)


def test_bold_probabilities_are_softened() -> None:
    truth = CHANCE.integers(0, 2, 3000)
    right = CHANCE.random(3000) < 0.7  # and it always says 0.95
    said = np.where(truth == 1, right, ~right)
    outputs = np.column_stack([np.where(said, 0.05, 0.95), np.where(said, 0.95, 0.05)])
    found = blend([held_out(outputs, truth)], classes=True)
    assert found.scales[0] == pytest.approx(np.log(0.7 / 0.3) / np.log(19), rel=0.15)
    assert found.losses[-1] == pytest.approx(0.611, rel=0.05)


def flowers() -> pl.DataFrame:
    return example_table("iris")[1]


@pytest.fixture(scope="module")
def mixed() -> gg.TableModel:
    return gg.TableModel.train(flowers(), "species", test=0.2, quality="good")


def test_the_network_is_the_weighted_mean_of_its_branches(mixed: gg.TableModel) -> None:
    rows, _ = mixed.encode(flowers())
    bins, parallel, mixture = mixed.network.layers
    assert isinstance(mixture, gg.Mixture)
    assert sum(mixture.weights) == pytest.approx(1)
    parameters, total = iter(mixed.network.named_parameters().values()), 0.0
    for (name, layers), weight in zip(parallel.branches, mixture.weights, strict=True):
        assert name.split()[0] in {"steady", "sharp", "straight", "plain", "linear"}
        branch = gg.Network([bins, *layers], inputs=rows.shape[1])
        for own in branch.named_parameters().values():
            own[...] = next(parameters)
        total = total + weight * branch.predict(rows)
    np.testing.assert_allclose(mixed.network.predict(rows), total, atol=1e-6)
    np.testing.assert_allclose(total.sum(axis=1), 1, atol=1e-5)


def test_a_mixture_answers_well_and_says_what_it_is_made_of(mixed: gg.TableModel) -> None:
    assert mixed.report is not None
    assert mixed.report.metrics["accuracy"] >= 0.9
    assert "a mixture of" in mixed.report.note
    assert "steady" in mixed.report.note
    assert mixed.rows == {"train": 120, "validation": 0, "test": 30}


def test_a_mixture_goes_through_a_file_and_is_taken_apart(mixed: gg.TableModel, tmp_path: Path) -> None:
    mixed.save(tmp_path / "mixed.safetensors")
    loaded = gg.TableModel.load(tmp_path / "mixed.safetensors")
    table = flowers()
    assert loaded.predict(table).equals(mixed.predict(table))
    assert loaded.answer(table.row(0, named=True))["prediction"] == loaded.predict(table)["prediction"][0]
    trace = loaded.trace(table, row=3)
    assert trace.loss is not None
    assert trace.verify().agrees
    assert loaded.health(table).layers
    assert loaded.attribute(table[:2]).height == 2


def test_numbers_are_mixed_and_cross_validated() -> None:
    x = np.linspace(0, 1, 150)
    table = {"x": x, "y": 3 * x + 2}
    model = gg.TableModel.train(table, "y", folds=3, quality="good")
    assert model.report is not None
    assert model.report.metrics["r2"] >= 0.99
    assert model.rows == {"train": 150, "validation": 0, "test": 150}
    assert "RMSE" in model.report.note
    assert model.predict(table, interval=0.9).columns == ["prediction", "low", "high"]


def test_a_mixture_is_the_default(mixed: gg.TableModel) -> None:
    assert isinstance(gg.TableModel.train(flowers(), "species").network.layers[-1], gg.Mixture)
    for settings in ({"hidden": (128, 64)}, {"epochs": 60}, {"order": "petal_width"}):
        model = gg.TableModel.train(flowers(), "species", **settings)  # type: ignore[arg-type]
        assert len(model.network.layers) == 5


@pytest.mark.parametrize(
    ("table", "kind", "layers"),
    [
        ({"x": np.linspace(0, 9, 200), "y": 3 * np.linspace(0, 9, 200) + 2}, "linear", 1),
        ({"x": np.linspace(0, 50, 2000), "y": np.sin(np.linspace(0, 50, 2000))}, "sharp", 4),
    ],
)
def test_fast_is_the_best_of_several_kinds(table: Any, kind: str, layers: int) -> None:
    model = gg.TableModel.train(table, "y", quality="fast", test=0.2)
    assert len(model.network.layers) == layers
    assert model.report is not None
    assert model.report.metrics["r2"] > 0.99
    assert f"a network of the kind {kind!r}" in model.report.note


def test_a_kind_that_learned_again_is_sharpened_as_on_its_fold() -> None:
    noise = CHANCE.normal(size=1500)
    x = CHANCE.normal(size=1500)
    table = {"x": x, "y": np.where(x + 2 * noise > 0, "yes", "no")}
    model = gg.TableModel.train(table, "y", quality="fast")
    assert model.report is not None
    assert model.report.metrics["log_loss"] < 1.02 * model.report.linear["log_loss"]
    assert 0.8 < model.calibration.temperature < 1.25  # hardly anything is left to correct


def test_balanced_classes_are_blended_in_balance() -> None:
    x = CHANCE.normal(size=1500)
    table = {"x": x, "y": np.where(x + 0.5 * CHANCE.normal(size=1500) > 1.6, "rare", "often")}
    model = gg.TableModel.train(table, "y", class_weight="balanced")
    assert model.report is not None
    assert model.report.metrics["balanced_accuracy"] > 0.8


def test_the_bins_are_in_the_units_of_the_table(mixed: gg.TableModel) -> None:
    lengths = flowers()["petal_length"]
    edges = mixed.bins["petal_length"]
    assert edges == sorted(edges)
    assert lengths.min() == pytest.approx(edges[0], abs=0.2)  # of the rows learned from
    assert lengths.max() == pytest.approx(edges[-1], abs=0.5)
    assert gg.TableModel.train(flowers(), "species", epochs=1).bins == {}


def test_a_wide_table_gets_no_bins() -> None:
    table = {f"x{n}": CHANCE.normal(size=30) for n in range(5000)} | {"y": CHANCE.normal(size=30)}
    model = gg.TableModel.train(table, "y", quality="fast", test=0)
    assert model.bins == {}


def test_less_time_means_fewer_epochs_and_folds() -> None:
    x = CHANCE.normal(size=(3000, 4))
    table = {f"x{n}": x[:, n] for n in range(4)} | {"y": x[:, 0] * x[:, 1]}
    whole = gg.TableModel.train(table, "y", test=0.2, minutes=10)
    brief = gg.TableModel.train(table, "y", test=0.2, minutes=1e-4)
    assert whole.report is not None
    assert brief.report is not None
    assert whole.history.epochs == 40
    assert brief.history.epochs < 10
    assert len(brief.network.layers[1].branches) < len(whole.network.layers[1].branches)  # type: ignore[attr-defined]
    again = gg.TableModel.train(table, "y", test=0.2)
    assert (again.network.parameters == whole.network.parameters).all()


def test_the_same_seed_gives_the_same_mixture(mixed: gg.TableModel) -> None:
    again = gg.TableModel.train(flowers(), "species", test=0.2, quality="good")
    assert (again.network.parameters == mixed.network.parameters).all()


def test_no_fold_learns_of_categories_from_the_rows_that_weigh_it() -> None:
    """Thousands of categories and a random target: whoever learned a row's own target would look good."""
    words = [f"w{number}" for number in CHANCE.integers(0, 300, 1200)]
    table = {"word": words, "n": CHANCE.normal(size=1200), "y": CHANCE.normal(size=1200)}
    model = gg.TableModel.train(table, "y", quality="good")
    assert model.report is not None
    assert model.report.metrics["r2"] < 0.05
    loss = float(model.report.note.split("RMSE ")[1].split()[0])
    assert loss > 0.95 * np.std(table["y"])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"quality": "better"}, "must be 'fast', 'good' or 'best'"),
        ({"quality": "good", "hidden": (8,)}, "got 'hidden'"),
        ({"quality": "best", "epochs": 5}, "got 'epochs'"),
        ({"quality": "good", "order": "petal_width"}, "an order"),
        ({"quality": "good", "callbacks": [gg.EarlyStopping(5)]}, "callbacks"),
        ({"bins": -1}, "bins"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": 1, "epochs": 5}, "minutes bounds what a quality level does, got it with 'epochs'"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(gg.ConfigError, match=says):
        gg.TableModel.train(flowers(), "species", **settings)


def test_rows_that_cannot_be_divided_get_one_network() -> None:
    table = {"person": ["a"] * 40 + ["b"] * 10, "x": np.arange(50) % 7, "y": np.arange(50) % 2}
    model = gg.TableModel.train(table, "y", group="person", quality="good", test=0.2, validation=0)
    assert not isinstance(model.network.layers[-1], gg.Mixture)


def test_an_answer_is_explained_in_words(mixed: gg.TableModel) -> None:
    trace = mixed.trace(flowers(), row=0)
    text = str(trace.unit("mixture_1", 0))
    assert "a weighted sum of the answers" in text
    assert "at (" not in text
    assert "clip((x - low) / (high - low))" in str(trace.unit("piecewise_linear_1", 1))


class Interrupt(gg.HealthCheck):
    """Sends Ctrl-C in the first network's first epoch."""

    def on_epoch_end(self, training: Any) -> None:
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_before_a_fold_is_done_ends_the_training() -> None:
    with pytest.raises(KeyboardInterrupt):
        gg.TableModel.train(flowers(), "species", test=0.2, quality="good", callbacks=[Interrupt()])


def test_several_targets_get_one_network() -> None:
    with pytest.raises(gg.ConfigError, match="several targets"):
        gg.TableModel.train(flowers(), ["species", "petal_width"], quality="good")
