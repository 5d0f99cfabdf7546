"""The estimators of tables: frames of any columns, scikit-learn's checks, and what weights and order mean."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import ganglion as gg
from ganglion.estimators import TabularClassifier, TabularRegressor

CHECKED = [TabularClassifier("fast", random_state=0), TabularRegressor("fast", random_state=0)]


@parametrize_with_checks(CHECKED)
def test_their_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def frame(rows: int = 200) -> tuple[pl.DataFrame, np.ndarray[Any, Any]]:
    chance = np.random.default_rng(0)
    size, color = chance.normal(size=rows), chance.choice(["red", "blue", "green"], rows)
    X = pl.DataFrame(
        {
            "size": [None if i % 17 == 3 else float(value) for i, value in enumerate(size)],
            "color": [None if i % 31 == 4 else str(value) for i, value in enumerate(color)],
            "day": pl.date_range(
                pl.date(2024, 1, 1), pl.date(2024, 1, 1) + pl.duration(days=rows - 1), eager=True
            ),
            "open": chance.random(rows) > 0.5,
        }
    )
    return X, size + 2 * (color == "red")


def pandas_of(X: pl.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(X.to_dict(as_series=False))


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_frames_of_mixed_columns(library: str) -> None:
    X, y = frame()
    X = pandas_of(X) if library == "pandas" else X
    labels = np.where(y > 0.7, "high", "low")
    model = TabularClassifier(random_state=0).fit(X[:150], labels[:150])
    assert model.classes_.tolist() == ["high", "low"]
    assert model.feature_names_in_.tolist() == ["size", "color", "day", "open"]
    assert model.score(X[150:], labels[150:]) > 0.85
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    regressor = TabularRegressor("fast", random_state=0).fit(X[:150], y[:150])
    assert regressor.score(X[150:], y[150:]) > 0.8
    again = pickle.loads(pickle.dumps(regressor))
    assert again.predict(X).tolist() == regressor.predict(X).tolist()


def test_text_is_read_as_it_was_in_training() -> None:
    X, y = frame()
    written = X.with_columns(
        pl.col("size").cast(pl.String).str.replace(".", ",", literal=True),
        pl.col("day").dt.strftime("%d/%m/%Y"),
    )
    model = TabularRegressor("fast", random_state=0).fit(pandas_of(written), y)
    expected = TabularRegressor("fast", random_state=0).fit(X, y).predict(X)
    alone = np.concatenate([model.predict(pandas_of(written[row : row + 1])) for row in range(20)])
    np.testing.assert_allclose(alone, expected[:20], rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
def test_a_model_needs_no_column_that_was_added() -> None:
    X, y = frame()
    model = TabularRegressor("fast", random_state=0).fit(X, y).model_
    assert model.evaluate(X.with_columns(target=y)).metrics["r2"] > 0.8


def test_labels_of_any_type() -> None:
    X, y = frame()
    for labels in (y > 0.7, np.where(y > 0.7, 7, -3), np.where(y > 0.7, 1.0, 0.0)):
        model = TabularClassifier("fast", random_state=0).fit(X, labels)
        assert model.classes_.tolist() == sorted(set(labels.tolist()))
        assert np.mean(model.predict(X) == labels) > 0.85


def test_order_does_not_matter_and_a_weight_of_two_is_two_rows() -> None:
    X, y = frame(80)
    chance = np.random.default_rng(1)
    weight = chance.integers(0, 3, 80)
    twice = np.repeat(np.arange(80), weight)
    shuffled = chance.permutation(twice)
    model = TabularRegressor("fast", random_state=3)
    expected = clone(model).fit(X, y, sample_weight=weight).predict(X)
    assert clone(model).fit(X[shuffled], y[shuffled]).predict(X).tolist() == expected.tolist()
    assert clone(model).fit(X, y).predict(X).tolist() != expected.tolist()


def test_weights_that_are_not_whole_numbers() -> None:
    x, y = np.zeros((300, 1)), np.array([0.0, 1.0, 1.0] * 100)
    x[:, 0] = np.arange(300) % 7
    model = TabularRegressor("fast", random_state=0)
    light = clone(model).fit(x, y, sample_weight=np.where(y == 1, 0.1, 1.0)).predict(x).mean()
    heavy = clone(model).fit(x, y, sample_weight=np.where(y == 1, 9.7, 1.0)).predict(x).mean()
    assert light < 0.4 < 0.8 < heavy


def test_class_weight() -> None:
    X, y = frame(900)
    labels = (y + np.random.default_rng(1).normal(size=len(y)) > 2.2).astype(int)
    plain, even, given = (
        TabularClassifier("fast", class_weight=weight, random_state=0)
        .fit(X[:600], labels[:600])
        .predict(X[600:])
        .mean()
        for weight in (None, "balanced", {0: 1, 1: 8})
    )
    assert plain < even
    assert plain < given


def test_row_numbers_are_left_out_of_frames_but_not_of_arrays() -> None:
    X, y = frame()
    numbered = X.with_columns(pl.Series("Unnamed: 0", range(200)))
    model = TabularRegressor("fast", random_state=0).fit(numbered, y)
    assert "Unnamed: 0" in model.model_.encoder.left_out
    kept = TabularRegressor("fast", keep=["Unnamed: 0"], random_state=0).fit(numbered, y)
    assert "Unnamed: 0" not in kept.model_.encoder.left_out
    array = np.column_stack([np.arange(200), X["open"].to_numpy()])
    assert len(TabularRegressor("fast", random_state=0).fit(array, y).model_.encoder.columns) == 2


def test_searches_and_scores() -> None:
    X, y = frame()
    found = GridSearchCV(
        TabularRegressor("fast", random_state=0), {"scaling": ["standard", "robust"]}, cv=2
    ).fit(pandas_of(X), y)
    assert found.best_score_ > 0.6
    assert cross_val_score(TabularRegressor("fast", random_state=0), pandas_of(X), y, cv=2).max() > 0.6


def test_columns_named_like_what_is_added() -> None:
    X, y = frame()
    named = X.rename({"size": "target", "open": "weight"})
    model = TabularRegressor("fast", random_state=0).fit(named, y)
    assert (
        model.predict(named).tolist()
        == TabularRegressor("fast", random_state=0).fit(X, y).predict(X).tolist()
    )


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (TabularRegressor("finest"), "quality must be 'fast', 'good' or 'best'"),
        (TabularRegressor(drop=["nothing"]), "nothing"),
        (TabularRegressor(n_jobs=0), "n_jobs must be a whole number other than 0"),
        (TabularClassifier(class_weight="even"), "class_weight must be 'balanced'"),
    ],
)
def test_errors(model: Any, message: str) -> None:
    X, y = frame()
    with pytest.raises((gg.ConfigError, gg.DataError, ValueError), match=message):
        model.fit(X, y > 0.7)


def test_text_is_told_by_its_row() -> None:
    X, y = frame()
    words = X.with_columns(pl.Series("size", ["about five" if i == 4 else str(i % 40) for i in range(200)]))
    with pytest.raises(gg.DataError, match="in row 4"):
        TabularRegressor("fast").fit(pandas_of(words), y)
