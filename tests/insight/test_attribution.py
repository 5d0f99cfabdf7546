"""Attribution: it adds up to the difference from the baseline, and what matters ranks first."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from ganglion.tables.examples import example_table


@settings(max_examples=30, deadline=None)
@given(
    hidden=st.lists(st.integers(1, 30), max_size=3),
    activation=st.sampled_from(["relu", "tanh", "gelu", "leaky_relu", "sigmoid"]),
    outputs=st.integers(1, 4),
    inputs=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_it_adds_up(hidden: list[int], activation: str, outputs: int, inputs: int, seed: int) -> None:
    last = "softmax" if outputs > 1 else "identity"
    layers = [*(gg.Dense(units, activation) for units in hidden), gg.Dense(outputs, last)]
    net = gg.Network(layers, inputs, seed=seed, dtype="float64")
    net.parameters = net.parameters * 2
    X = np.random.default_rng(seed).normal(size=(5, inputs))
    found = net.attribute(X)
    assert found.values.shape == X.shape
    np.testing.assert_allclose(found.predictions, net.predict(X)[np.arange(5), found.outputs], rtol=1e-12)
    spread = max(1e-9, float(np.abs(found.predictions - found.baselines).max()))
    assert np.abs(found.residual).max() <= 1e-5 * spread


def test_a_linear_network_gives_weight_times_way_by_either_method() -> None:
    net = gg.Network([gg.Dense(2)], inputs=3, dtype="float64")
    X, baseline = np.array([[1.0, 2, 3], [0, 1, -1]]), [1.0, 1, 1]
    weight = net.named_parameters()["dense_1/weight"]
    for method in ("integrated_gradients", "gradient_x_input"):
        found = net.attribute(X, output=1, baseline=baseline, method=method)
        np.testing.assert_allclose(found.values, (X - 1) * weight[:, 1], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.residual, 0, atol=1e-9)


def test_it_equals_an_integral_by_brute_force() -> None:
    net = gg.Network([gg.Dense(20, "relu"), gg.Dense(10, "relu"), gg.Dense(3, "softmax")], 4, dtype="float64")
    net.parameters = net.parameters * 3
    X = np.random.default_rng(0).normal(size=(3, 4))
    found = net.attribute(X)
    steps = 40_000
    for row, output, values in zip(X, found.outputs, found.values, strict=True):
        times = (np.arange(steps) + 0.5) / steps
        slopes = net.attribute(times[:, None] * row, output=output, method="gradient_x_input").values
        np.testing.assert_allclose(values, (slopes / times[:, None]).mean(axis=0), atol=3e-4)


def test_inputs_of_more_axes_keep_their_shape() -> None:
    net = gg.Network([gg.Flatten(), gg.Dense(5, "tanh"), gg.Dense(1)], inputs=(2, 3), dtype="float64")
    X = np.random.default_rng(0).normal(size=(4, 2, 3))
    found = net.attribute(X)
    assert found.values.shape == X.shape
    assert np.abs(found.residual).max() < 1e-5


def ranking(target: Any, seed: int) -> np.ndarray:
    """Return how much each column of the table moves the predictions of a model, as ranks."""
    _, table = example_table("breast-cancer")
    table = table.with_columns(pl.Series("diagnosis", target(table["diagnosis"])))
    model = gg.TableModel.train(table, "diagnosis", hidden=(16,), epochs=30, seed=seed, validation=0, test=0)
    moved = model.attribute(table[::6]).drop("prediction", "explained", "baseline")
    return moved.to_numpy().__abs__().mean(axis=0).argsort().argsort()


def test_shuffled_labels_destroy_the_ranking() -> None:
    """Two models of the true labels agree on what matters; a model of shuffled labels does not."""

    def shuffled(labels: pl.Series) -> pl.Series:
        return labels.shuffle(seed=5)

    first, second = ranking(lambda labels: labels, 0), ranking(lambda labels: labels, 1)
    destroyed = [ranking(shuffled, seed) for seed in (0, 1)]
    agreement = np.corrcoef(first, second)[0, 1]
    assert agreement > 0.75
    for ranks in destroyed:
        assert np.corrcoef(first, ranks)[0, 1] < agreement - 0.4


def test_columns_of_a_table_add_up_in_its_own_units() -> None:
    chance = np.random.default_rng(0)
    size, color = chance.normal(10, 3, 300), chance.choice(["red", "green", "blue"], 300)
    price = 1000 + 50 * size + 200 * (color == "red")
    table = pl.DataFrame({"size": size, "color": color, "price": price})
    model = gg.TableModel.train(table, "price", hidden=(16,), epochs=60, dropout=0.0)
    moved = model.attribute(table)
    assert moved.columns == ["prediction", "explained", "baseline", "size", "color"]
    np.testing.assert_allclose(moved["explained"], model.predict(table)["prediction"], rtol=1e-5)
    together = moved["size"] + moved["color"]
    np.testing.assert_allclose(together, moved["explained"] - moved["baseline"], rtol=1e-4, atol=0.05)
    assert np.corrcoef(moved["size"], size)[0, 1] > 0.95
    red = moved.filter(pl.Series(color == "red"))["color"].mean()
    other = moved.filter(pl.Series(color != "red"))["color"].mean()
    assert red - other > 100


def test_bad_questions_get_a_clear_answer() -> None:
    net = gg.Network([gg.Dense(2, "softmax")], inputs=3)
    X = np.zeros((2, 3))
    for settings_, words in [
        ({"method": "saliency"}, "there is no method 'saliency'"),
        ({"output": 2}, "output must be a whole number >= 0 and <= 1"),
        ({"baseline": [0.0, 0.0]}, "must have shape"),
        ({"baseline": [0.0, 0.0, float("nan")]}, "finite"),
    ]:
        with pytest.raises(gg.GanglionError, match=words):
            net.attribute(X, **settings_)
    assert net.attribute(np.zeros((0, 3))).values.shape == (0, 3)


def test_a_jump_without_a_slope_is_distributed() -> None:
    net = gg.Network([gg.Dense(1, "hard_sigmoid")], 2, dtype="float64")
    net.parameters = [1e12, 1e12, -1e12]
    found = net.attribute([[0.7, 0.7]])
    np.testing.assert_allclose(found.values, [[0.5, 0.5]], atol=1e-6)
