"""A prepared table: the run, the parameters and the report of `TableModel.train`, for a network of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from ganglion.tables.examples import FOLDER


def people(count: int) -> pl.DataFrame:
    rng = np.random.default_rng(count)
    age, city = rng.integers(18, 80, count), rng.choice(["Rome", "Oslo", "Lima"], count)
    income = np.where(rng.random(count) < 0.05, np.nan, rng.uniform(1000, 5000, count))
    paid = (age + 20 * (city == "Rome") + rng.normal(0, 9, count)) > 55
    frame = pl.DataFrame({"age": age, "city": city, "income": income, "paid": np.where(paid, "yes", "no")})
    return frame.with_columns(
        pl.col("income").fill_nan(None), spent=pl.col("age") * 3.0 + pl.Series(rng.normal(0, 5, count))
    )


@pytest.mark.parametrize("count", [200, 1500])
@pytest.mark.parametrize("target", ["paid", "spent"])
@pytest.mark.parametrize("more", [{}, {"class_weight": "balanced"}, {"weight": "income", "seed": 5}], ids=str)
def test_its_run_is_that_of_train(count: int, target: str, more: dict[str, Any]) -> None:
    if target == "spent" and "class_weight" in more:
        return
    table = people(count).drop({"paid", "spent"} - {target}).drop_nulls()
    settings = {"hidden": [6], "epochs": 4, **more}
    model = gg.TableModel.train(table, target, **settings)
    prepared = gg.TableModel.prepare(table, target, **settings)
    net = prepared.network(prepared.layers)
    net.fit(prepared.X, prepared.y, **prepared.fit_settings())
    assert net.history.loss == model.history.loss
    assert net.history.validation_loss == model.history.validation_loss
    own = prepared.model(net)
    assert own.report.rows == len(prepared.test) == own.rows["test"]
    frame = prepared.frame[prepared.test]
    outputs = net.predict(own.encode_inputs(frame))
    predicted = own.predict(frame)["prediction"]
    if target == "paid":
        assert (predicted == pl.Series([own.target.classes[i] for i in outputs.argmax(axis=1)])).mean() > 0.9
    else:
        assert np.allclose(predicted, outputs[:, 0] * own.target.scale + own.target.center, rtol=1e-6)
    assert repr(prepared).startswith(f"<PreparedTable: {own.target.task} of '{target}'")


def test_a_run_without_retraining_is_the_model_itself(tmp_path: Path) -> None:
    table = people(1200).drop("spent").drop_nulls()
    settings = {"hidden": [5], "epochs": 3, "validation": 0}
    model = gg.TableModel.train(table, "paid", **settings)
    prepared = gg.TableModel.prepare(table, "paid", **settings)
    net = prepared.network(prepared.layers)
    net.fit(prepared.X, prepared.y, **prepared.fit_settings())
    own = prepared.model(net)
    assert np.array_equal(own.network.parameters, model.network.parameters)
    assert own.report.metrics == model.report.metrics
    own.save(tmp_path / "own.gg")
    again = gg.TableModel.load(tmp_path / "own.gg")
    assert again.predict(table).equals(model.predict(table))


def test_networks_of_ones_own() -> None:
    prepared = gg.TableModel.prepare(pl.read_csv(FOLDER / "iris.csv"), "species")
    assert prepared.rows == {"train": 120, "validation": 0, "test": 30}
    net = prepared.network([gg.Dense(6), gg.LayerNormalization(), gg.Dense(4, "gelu")], seed=9)
    net.fit(prepared.X, prepared.y, **prepared.fit_settings() | {"optimizer": gg.Adam(0.02)})
    assert prepared.report(net).metrics["accuracy"] > 0.8
    view = prepared.view(net)
    assert view.report is None
    assert view.predict(prepared.frame).height == 150
    with pytest.raises(gg.ConfigError, match="4 numbers and have 3 outputs, got one of 4 and 2"):
        prepared.view(gg.Network([gg.Dense(2)], 4))
    with pytest.raises(gg.ConfigError, match=r"must be a gg\.Network"):
        prepared.model(prepared)
    with pytest.raises(gg.ConfigError, match="one target"):
        gg.TableModel.prepare(people(100), ["paid", "spent"])
    with pytest.raises(TypeError, match="hiden"):
        gg.TableModel.prepare(people(100), "paid", hiden=3)
