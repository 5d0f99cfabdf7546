"""Bins of numbers, and mixtures of answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

import ganglion as gg

numbers = st.floats(-1e6, 1e6, width=32)


def filled(edges: Any, x: Any) -> Any:
    """Return what a layer with these edges for its only input gives for some numbers."""
    return gg.Network([gg.PiecewiseLinear([edges])], inputs=1, dtype="float64").predict(
        np.reshape(x, (-1, 1))
    )


@given(
    st.lists(st.integers(-1000, 1000), min_size=2, max_size=40, unique=True), st.lists(numbers, min_size=1)
)
def test_the_bins_add_up_to_an_interpolation(cuts: list[int], x: list[float]) -> None:
    edges = sorted(cuts)
    found = filled(edges, x)
    assert found.shape == (len(x), len(edges))
    np.testing.assert_array_equal(found[:, 0], x)
    bins = found[:, 1:]
    assert ((bins >= 0) & (bins <= 1)).all()
    assert (np.diff(bins, axis=1) <= 0).all()  # those below are full first
    np.testing.assert_allclose(bins.sum(axis=1), np.interp(x, edges, range(len(edges))), atol=1e-9)


def test_bins_hold_equally_many_rows() -> None:
    x = np.random.default_rng(0).lognormal(size=(1600, 1))
    (edges,) = gg.PiecewiseLinear.of(x, 16).edges
    counts, _ = np.histogram(x, edges)
    assert len(edges) == 17
    assert counts.min() >= 98
    assert counts.max() <= 102


def test_frequent_numbers_get_fewer_bins_and_flags_none() -> None:
    x = np.column_stack([[0] * 90 + [1] * 5 + [7] * 5, [0, 1] * 50, [3.5] * 100])
    assert gg.PiecewiseLinear.of(x).edges == ((0.0, 1.0, 7.0), (), ())


def test_a_step_that_dense_layers_smear_is_learned() -> None:
    x = np.linspace(-1, 1, 400)[:, None]
    y = (x[:, 0] > 0.31).astype(float)
    losses = []
    for layers in ([gg.Dense(1)], [gg.PiecewiseLinear.of(x, 64), gg.Dense(1)]):
        net = gg.Network(layers, inputs=1)
        net.fit(x, y, epochs=200, optimizer=gg.Adam(0.05))
        losses.append(net.history.loss[-1])
    assert losses[1] < 0.25 * losses[0]


@pytest.mark.parametrize(
    ("edges", "says"),
    [
        ([], "a list with the edges"),
        (5, "a list with the edges"),
        ([1.0, 2.0], "a list for each input"),
        ([[1.0]], "at least two ascending"),
        ([[2, 1]], "ascending"),
        ([[1, 1 + 1e-12]], "ascending"),
        ([[0, 1e300]], "ascending"),
        ([[0, float("nan")]], "edge"),
        ([["a", "b"]], "edge"),
    ],
)
def test_edges_that_make_no_bins_are_refused(edges: Any, says: str) -> None:
    with pytest.raises(gg.ConfigError, match=says):
        gg.PiecewiseLinear(edges)


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(gg.ShapeError, match="edges for 2 inputs, got inputs of shape"):
        gg.Network([gg.PiecewiseLinear([[0, 1], []])], inputs=3)
    with pytest.raises(gg.ShapeError, match="at least one row"):
        gg.PiecewiseLinear.of(np.zeros((0, 2)))
    with pytest.raises(gg.DataError, match="finite"):
        gg.PiecewiseLinear.of([[np.inf]])
    with pytest.raises(gg.ConfigError, match="bins"):
        gg.PiecewiseLinear.of([[1.0]], bins=0)


def test_a_mixture_needs_weights_and_whole_answers() -> None:
    with pytest.raises(gg.ConfigError, match="weights"):
        gg.Mixture(())
    with pytest.raises(gg.ConfigError, match="at most 65,536"):
        gg.Mixture((0.1,) * 70_000)
    with pytest.raises(gg.ShapeError, match="divides the last axis among 2 answers"):
        gg.Network([gg.Mixture((0.5, 0.5))], inputs=3)


def test_a_mixture_is_trained_with_the_loss_of_its_answers() -> None:
    branches = {name: [gg.Dense(2, "softmax")] for name in "ab"}
    net = gg.Network([gg.Parallel(branches), gg.Mixture((0.5, 0.5))], inputs=2)
    x = np.random.default_rng(0).normal(size=(200, 2))
    net.fit(x, (x[:, 0] > 0).astype(int), epochs=60, optimizer=gg.Adam(0.05))
    assert net.facts["loss"]["name"] == "cross_entropy"
    assert net.history.loss[-1] < 0.2
