"""Permutation importance and partial dependence, against closed forms, predict, and scikit-learn."""

from __future__ import annotations

import datetime
import time
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import (
    partial_dependence as sklearn_dependence,
    permutation_importance as sklearn_importance,
)

import ganglion as gg
from ganglion.core.part import Array
from ganglion.insight.dependence import partial_dependence
from ganglion.insight.importance import permutation_importance
from ganglion.table_model.inspection import grid_of
from ganglion.training.metrics import METRICS


class Formula(RegressorMixin, BaseEstimator):
    """A model that needs no fitting, for the oracle."""

    def fit(self, X: Array, y: Array) -> Formula:
        self.fitted_ = True
        return self

    def predict(self, X: Array) -> Array:
        return np.asarray(2 * X[:, 0] + X[:, 1] ** 2 + X[:, 0] * X[:, 2])


def formula(rows: int = 500) -> tuple[Array, Array, Formula]:
    x = np.random.default_rng(0).normal(size=(rows, 4))
    model = Formula()
    return x, model.predict(x), model.fit(x, x)


def test_importance_equals_scikit_learn() -> None:
    x, y, model = formula()
    slices = {name: slice(i, i + 1) for i, name in enumerate("abcd")}

    def score(outputs: Array) -> float:
        return METRICS["r2"].measure(outputs[:, None], y[:, None], None, "number")

    found = permutation_importance(model.predict, x, slices, score, "r2", 30, seed=0)
    oracle = sklearn_importance(model, x, y, n_repeats=30, random_state=0)
    ours = dict(zip(found.columns, found.means, strict=True))
    for name, mean in zip("abcd", oracle.importances_mean, strict=True):
        assert ours[name] == pytest.approx(mean, abs=0.03), name
    assert found.columns[0] == "a"
    assert ours["d"] == 0
    assert found.score == 1


def test_features_of_a_column_are_shuffled_together() -> None:
    codes = np.random.default_rng(0).integers(0, 3, 300)
    x = np.eye(3)[codes]

    def predict(rows: Array) -> Array:
        assert (rows.sum(axis=1) == 1).all()  # never two categories, nor none
        return rows.argmax(axis=1)

    found = permutation_importance(
        predict, x, {"c": slice(0, 3)}, lambda out: float((out == codes).mean()), "accuracy", 4, 0
    )
    assert found.means[0] == pytest.approx(2 / 3, abs=0.05)


def test_dependence_equals_scikit_learn() -> None:
    x, _, model = formula()
    oracle = sklearn_dependence(model, x, [1], grid_resolution=7, kind="average")
    grid = oracle["grid_values"][0]
    found = partial_dependence(
        lambda rows: model.predict(rows)[:, None], x, slice(1, 2), grid[:, None], "b", grid.tolist(), ["y"]
    )
    np.testing.assert_allclose([mean[0] for mean in found.means], oracle["average"][0])


def mixed(rows: int = 600) -> pl.DataFrame:
    random = np.random.default_rng(0)
    size, color = random.normal(5, 2, rows), random.choice(["red", "green", "blue"], rows, p=[0.5, 0.3, 0.2])
    day = np.datetime64("2024-01-01") + random.integers(0, 300, rows)
    price = 3 * size + np.where(color == "red", 10.0, 0.0)
    flag = random.random(rows) < 0.5
    return pl.DataFrame({"size": size, "color": color, "day": day, "flag": flag, "price": price})


@pytest.fixture(scope="module")
def priced() -> Any:
    table = mixed()
    return table, gg.TableModel.train(table.drop("day"), "price", epochs=30)


@pytest.mark.filterwarnings("ignore:about .* rows that the model learned")
def test_the_columns_of_a_table_are_ranked(priced: Any) -> None:
    table, model = priced
    found = model.importance(table.drop("day"), repeats=3)
    assert found.columns[:2] == ["size", "color"]
    assert found.columns[-1] == "flag"
    assert found.metric == "r2"
    assert "size" in str(found).splitlines()[1]
    assert model.importance(table.drop("day"), repeats=3) == found
    assert model.importance(table.drop("day"), repeats=1).spreads == [0.0] * 3


def test_dependence_is_the_mean_of_predictions(priced: Any) -> None:
    table, model = priced
    table = table.drop("day")
    for column, value in (("size", 0), ("color", 1), ("flag", 0)):
        found = model.dependence(table, column, points=6)
        given = found.values[value]
        changed = table.with_columns(pl.lit(given).alias(column))
        assert found.means[value][0] == pytest.approx(model.predict(changed)["prediction"].mean(), rel=1e-5)
    assert model.dependence(table, "color").values == ["red", "green", "blue"]
    red, green = (mean[0] for mean in model.dependence(table, "color").means[:2])
    assert red - green == pytest.approx(10, abs=2)
    slope = np.polyfit(model.dependence(table, "size").values, model.dependence(table, "size").means, 1)[0]
    assert slope == pytest.approx(3, rel=0.15)
    assert "'size'" in str(model.dependence(table, "size"))
    assert "true" in str(model.dependence(table, "flag"))


@pytest.mark.filterwarnings("ignore:about .* rows that the model learned")
def test_dates_missing_values_and_classes() -> None:
    table = mixed(300).with_columns(
        color=pl.when(pl.int_range(pl.len()) % 9 == 0).then(None).otherwise(pl.col("color")),
        kind=pl.when(pl.col("size") > 5).then(pl.lit("big")).otherwise(pl.lit("small")),
    )
    with pytest.warns(gg.GanglionNotice):
        model = gg.TableModel.train(table, "kind", drop=["price"], epochs=20)
    found = model.dependence(table, "day", points=5)
    assert all(isinstance(value, datetime.date) for value in found.values)
    assert found.answers == ["big", "small"]
    np.testing.assert_allclose(np.sum(found.means, axis=1), 1, rtol=1e-5)
    assert "probability of big" in str(found)
    assert found.to_dict()["values"][0].startswith("2024-")
    assert None in model.dependence(table, "color").values
    assert "missing" in str(model.dependence(table, "color"))


def test_the_grid() -> None:
    numbers = pl.Series("x", np.arange(101.0))
    assert grid_of(numbers, 3, True).to_list() == [5, 50, 95]
    assert grid_of(pl.Series("x", [3, 1, None, 1]), 20, True).to_list() == [1, 3]
    assert grid_of(pl.Series("x", ["b", "a", "b", None]), 2, False).to_list() == ["b", "a"]
    assert grid_of(pl.Series("x", [None, None], dtype=pl.Float64), 5, True).to_list() == [None]


def test_wrong_questions_are_refused(priced: Any) -> None:
    table, model = priced
    table = table.drop("day")
    for call, message in (
        (lambda: model.dependence(table, "sise"), "no column 'sise'.*did you mean 'size'"),
        (lambda: model.dependence(table, "price"), "no column 'price'"),
        (lambda: model.dependence(table, 3), "no column 3"),
        (lambda: model.dependence(table, "size", points=1), "points must be a whole number >= 2"),
        (lambda: model.dependence(table.head(0), "size"), "at least one row"),
        (lambda: model.importance(table, repeats=0), "repeats must be a whole number >= 1"),
        (lambda: model.importance(table.head(1)), "at least 2 rows"),
        (lambda: model.importance(table.drop("price")), "must hold the target"),
        (lambda: model.importance(table.with_columns(price=1.0)), "targets that vary"),
    ):
        with pytest.raises(gg.GanglionError, match=message):
            call()


def test_large_tables_are_sampled(priced: Any) -> None:
    _, model = priced
    table = mixed(100_000).drop("day")
    start = time.process_time()
    found, dependence = model.importance(table), model.dependence(table, "size")
    assert time.process_time() - start < 10
    assert (found.rows, dependence.rows) == (5000, 1000)
