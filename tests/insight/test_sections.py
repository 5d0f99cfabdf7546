"""The trace and the health of a network with several heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ganglion as gg
from reading import redo

X = [[1.0, -2.0], [0.5, 1.0]]
CASES = [
    (["softmax", "identity"], [gg.CrossEntropy(factor=2), "mse"], (3,), [[2, 1.5], [np.nan, 0.5]]),
    (["sigmoid", "softmax"], ["binary_cross_entropy", "cross_entropy"], (1,), [[1, 2], [np.nan, 0]]),
]


@pytest.mark.parametrize(("activations", "losses", "sizes", "y"), CASES)
@pytest.mark.parametrize("direct", [True, False])
def test_the_printed_arithmetic_of_heads_is_right(
    activations: Any, losses: Any, sizes: Any, y: Any, direct: bool
) -> None:
    last = [gg.Dense(4, gg.Sections(activations, sizes)), *([] if direct else [gg.Dropout(0.0)])]
    network = gg.Network([gg.Dense(5, "tanh"), *last], 2, seed=1)
    loss = gg.Joint(losses, sizes)
    trace = network.trace(X, y, loss=loss)
    assert trace.loss == pytest.approx(network.loss_and_gradient(X, y, loss=loss)[0], rel=1e-5)
    assert trace.verify().agrees
    for row in (0, 1):
        redo(str(trace.unit("loss", row=row)))
        for unit in range(4):
            redo(str(trace.unit("dense_2", unit, row=row)), symbols_agree=False)
            redo(str(trace.gradient("dense_2/weight", (row, unit))), symbols_agree=False)


def test_health_of_heads_answers() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    y = np.column_stack([x[:, 0] > 0, x[:, 1]])
    network = gg.Network([gg.Dense(3, gg.Sections(["softmax", "identity"], (2,)))], 2)
    network.fit(x, y, epochs=5)
    assert network.health(x, y).findings is not None
    y[::5, 0] = y[1::5, 1] = np.nan
    network.fit(x, y, epochs=5)
    assert network.health(x, y).findings is not None
