"""Surfaces are what `predict` gives at their points, for networks and for tables."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import pytest

import ganglion as gg

rng = np.random.default_rng(2)


@pytest.mark.parametrize("row", [None, 3])
@pytest.mark.parametrize("last", [gg.Dense(3, "softmax"), gg.Dense(1), gg.Dense(1, "sigmoid")], ids=str)
def test_a_surface_is_what_predict_gives(row: int | None, last: gg.Dense) -> None:
    net = gg.Network([gg.Dense(7, "tanh"), last], inputs=4, seed=1)
    X = rng.normal(size=(20, 4)) * [1, 10, 3, 0]
    found = gg.surface(net, X, (2, 1), row=row, resolution=11)
    assert found.values.shape == (11, 11, last.units)
    base = X.mean(axis=0) if row is None else X[row]
    for up, across in [(0, 0), (10, 3), (4, 9)]:
        point = base.copy()
        point[2], point[1] = found.across[across], found.up[up]
        assert np.array_equal(found.values[up, across], net.predict(point[None])[0])
    assert found.across[0] < X[:, 2].min() < X[:, 2].max() < found.across[-1]
    assert found.fixed == {"x[0]": base[0], "x[3]": base[3]}


@pytest.mark.parametrize("inputs", [(0, 0), (0,), (0, 4), "01", None, (0, 1.5)])
def test_what_is_no_pair_of_inputs(inputs: object) -> None:
    net = gg.Network([gg.Dense(1)], inputs=4)
    with pytest.raises(gg.ConfigError, match="input"):
        gg.surface(net, np.zeros((2, 4)), inputs)


def test_what_else_is_refused() -> None:
    net = gg.Network([gg.Dense(1)], inputs=4)
    with pytest.raises(gg.DataError, match="at least one row of 4 numbers"):
        gg.surface(net, np.zeros((2, 3)))
    with pytest.raises(gg.DataError, match="at most 1e30"):
        gg.surface(net, np.full((2, 4), 1e31))
    with pytest.raises(gg.ConfigError, match="takes rows of numbers"):
        gg.surface(gg.Network([gg.Flatten(), gg.Dense(1)], inputs=(2, 2)), np.zeros((2, 2, 2)))


def test_a_boundary_over_two_of_many_inputs() -> None:
    net = gg.Network([gg.Dense(5, "tanh"), gg.Dense(2, "softmax")], inputs=3, seed=4)
    X = rng.normal(size=(30, 3))
    ax = gg.plot.boundary(net, X, (X[:, 2] > 0).astype(int), inputs=(2, 0), row=4, columns=("c", "a"))
    found = gg.surface(net, X.astype(np.float32), (2, 0), row=4, resolution=200)
    assert ax.get_xlim() == pytest.approx((found.across[0], found.across[-1]))
    assert ax.get_ylim() == pytest.approx((found.up[0], found.up[-1]))
    plt.close(ax.figure)


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    count = 300
    age, city = rng.integers(18, 80, count), rng.choice(["Rome", "Oslo", "Lima"], count)
    income = rng.normal(3000, 900, count)
    spent = income * (city == "Rome") + 20 * age + rng.normal(0, 50, count)
    return pl.DataFrame({"age": age, "city": city, "income": income, "spent": spent, "big": spent > 3000})


@pytest.mark.parametrize("target", ["spent", "big"])
@pytest.mark.parametrize("row", [None, 7])
def test_surfaces_of_tables_are_in_their_own_units(table: pl.DataFrame, target: str, row: int | None) -> None:
    model = gg.TableModel.train(table.drop({"spent", "big"} - {target}), target, hidden=[8], epochs=5, seed=1)
    found = model.surface(table, ["city", "age"], row=row, resolution=9)
    assert found.across == ["Lima", "Oslo", "Rome"]
    assert len(found.up) == 9
    income = table["income"].mean() if row is None else table["income"][row]
    for up, across in [(0, 0), (8, 2), (4, 1)]:
        point = {"age": [found.up[up]], "city": [found.across[across]], "income": [income]}
        answer = model.predict(point)
        wanted = answer["prediction"] if target == "spent" else answer[:, 1:].row(0)
        assert np.allclose(found.values[up, across], wanted, rtol=1e-6)
    assert found.fixed == {"income": income}
    assert found.outputs == (["spent"] if target == "spent" else ["false", "true"])
    with pytest.raises(gg.ConfigError, match="uses no column 'shoe'"):
        model.surface(table, ["age", "shoe"])
    with pytest.raises(gg.ConfigError, match="two different names"):
        model.surface(table, ["age", "age"])
