"""The stages of an update, computed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import ganglion as gg
from ganglion.core.update import average, change_of


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_change_is_clipped_and_then_decayed(dtype: Any) -> None:
    optimizer = gg.SGD(0.5, clip_norm=1.0, weight_decay=0.1)
    gradient, w = np.array([3.0, 4.0], dtype), np.array([10.0, 20.0], dtype)
    change = change_of(optimizer, gradient, 5.0, {}, 1, 0.5, w, np.array([1, 0], dtype=np.int8))
    np.testing.assert_allclose(change, [0.5 * 0.6 + 0.5 * 0.1 * 10, 0.5 * 0.8], rtol=1e-6)
    np.testing.assert_allclose(gradient, [0.6, 0.8], rtol=1e-6)
    assert change.dtype == gradient.dtype == dtype
    assert w.tolist() == [10, 20]


def test_a_gradient_within_the_limit_is_left_alone() -> None:
    gradient = np.array([3.0, 4.0])
    change = change_of(gg.SGD(clip_norm=5.0), gradient, 5.0, {}, 1, 1.0, gradient, gradient)
    assert change.tolist() == gradient.tolist() == [3, 4]


@pytest.mark.parametrize(("update", "keep"), [(1, 0.1), (9, 0.5), (1000, 0.9)])
def test_an_average_forgets_its_start_fast(update: int, keep: float) -> None:
    mean = np.array([1.0, 2.0])
    assert average(gg.SGD(average=0.9), mean, update, np.array([2.0, 2.0])) == pytest.approx(keep)
    np.testing.assert_allclose(mean, [keep + 2 * (1 - keep), 2])
    assert average(gg.SGD(), mean, update, np.zeros(2)) == 1


class Signed(gg.StepOptimizer):
    """A user's optimizer, defined by its rule alone."""

    boost = 3.0

    @property
    def rule(self) -> tuple[str, ...]:
        return "seen = seen + sign(g)", "change = rate * boost * seen"


class Overridden(Signed):
    def change(
        self, gradient: Any, slots: Mapping[str, Any], update: int, rate: float, parameters: Any
    ) -> Any:
        return 0 * gradient


class Misspelt(Signed):
    @property
    def rule(self) -> tuple[str, ...]:
        return ("change = rate * bost * g",)


def test_an_optimizer_of_ones_own_needs_a_rule_only_and_is_traced_by_it() -> None:
    net = gg.Network([gg.Dense(1)], inputs=1, dtype="float64", engine="reference")
    before = net.parameters.copy()
    t = net.trace([[1.0]], [5.0], optimizer=Signed(0.1))
    explanation = t.update("dense_1/bias", 0)
    assert "change = rate * boost * seen\n    = 0.1 * 3 * (-1)\n    = -0.3" in str(explanation)
    assert "seen = seen_before + sign(g)\n    = 0 + sign(" in str(explanation)
    net.fit([[1.0]], [5.0], optimizer=Signed(0.1), epochs=1)
    np.testing.assert_allclose(net.parameters, before + 0.3)
    assert explanation.value == net.parameters[1]


def test_a_change_that_is_overridden_is_not_explained_by_the_rule_it_ignores() -> None:
    net = gg.Network([gg.Dense(1)], inputs=1, dtype="float64", engine="reference")
    text = str(net.trace([[1.0]], [5.0], optimizer=Overridden(0.1)).update("dense_1/bias", 0))
    assert "what change of Overridden gives" in text
    assert "boost" not in text


@pytest.mark.parametrize(
    ("optimizer", "error", "message"),
    [
        (Misspelt(0.1), gg.ConfigError, "rule of Misspelt uses 'bost'"),
        (gg.StepOptimizer(), NotImplementedError, "needs a rule or a method change"),
    ],
)
def test_a_rule_that_cannot_be_evaluated_says_why(optimizer: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        optimizer.change(np.ones(1), {}, 1, 0.1, np.ones(1))
