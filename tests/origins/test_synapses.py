import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from ganglion.core.part import Array
from ganglion.origins import STDP, Hebb, Oja, SynapticRule


def centered(seed: int) -> Array:
    """Rows of mean 0 whose variances differ clearly, in a random rotation."""
    generator = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(generator.normal(size=(4, 4)))
    rows = generator.normal(size=(200, 4)) * [1.0, 0.5, 0.3, 0.1] @ turn
    return rows - rows.mean(axis=0)


def test_one_step_by_hand() -> None:
    # y = 1 * 3 + 2 * -1 = 1
    np.testing.assert_allclose(Hebb(0.1).learn([1, 2], [[3, -1]])[-1], [1.3, 1.9])
    np.testing.assert_allclose(Oja(0.1).learn([1, 2], [[3, -1]])[-1], [1 + 0.1 * (3 - 1), 2 + 0.1 * (-1 - 2)])


def test_hebb_grows_without_bound() -> None:
    """Each step adds learning_rate * y² * (2 + learning_rate * |x|²) to the squared length."""
    rows, rate = centered(0), 0.01
    weights = np.array([0.1, 0, 0, 0])
    for x in rows[:50]:
        after = Hebb(rate).learn(weights, [x])[-1]
        grown = rate * (weights @ x) ** 2 * (2 + rate * x @ x)
        assert after @ after == pytest.approx(weights @ weights + grown, rel=1e-12)
        weights = after
    lengths = np.linalg.norm(Hebb(rate).learn([0.1, 0, 0, 0], rows, passes=40), axis=1)
    assert (np.diff(lengths) > 0).all()
    assert lengths[-1] > 1e20
    np.testing.assert_allclose(lengths[-1] / lengths[-2], lengths[-2] / lengths[-3], rtol=1e-6)  # exponential
    with pytest.raises(gg.TrainingError, match="grew beyond it in pass"):
        Hebb(rate).learn([0.1, 0, 0, 0], rows, passes=1000)


@pytest.mark.parametrize("seed", range(3))
def test_oja_finds_the_first_principal_component(seed: int) -> None:
    rows = centered(seed)
    first = np.linalg.svd(rows)[2][0]
    path = Oja(2e-4).learn([0.5, 0.5, 0.5, 0.5], rows, passes=400)
    weights = path[-1]
    assert np.linalg.norm(weights) == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(weights * np.sign(weights @ first), first, atol=1e-3)
    assert abs(path[0] @ first) < 0.99  # the start was another direction


def test_oja_comes_to_length_1_from_both_sides() -> None:
    rows = centered(1)
    for start in (0.01, 3.0):
        weights = Oja(1e-3).learn([start, start, 0, 0], rows, passes=100)[-1]
        assert np.linalg.norm(weights) == pytest.approx(1, abs=3e-3)


def test_oja_with_too_large_a_rate_says_so() -> None:
    with pytest.raises(gg.TrainingError, match="smaller learning rate"):
        Oja(5.0).learn([1, 1, 1, 1], 3 * centered(0), passes=10)


def test_a_rule_of_ones_own() -> None:
    class Forget(SynapticRule):
        def change(self, weights: Array, x: Array) -> Array:
            return -self.learning_rate * weights

    np.testing.assert_allclose(Forget(0.5).learn([4], [[1], [1]])[-1], [1])


def test_the_window_by_hand() -> None:
    stdp = STDP(potentiation=0.01, depression=0.02, potentiation_time=10, depression_time=40)
    times = [10, 20, -40, -80, 0, 1e-12, -1e-12]
    e = math.exp
    expected = [0.01 * e(-1), 0.01 * e(-2), -0.02 * e(-1), -0.02 * e(-2), 0, 0.01, -0.02]
    np.testing.assert_allclose(stdp.window(times), expected, rtol=1e-9)
    assert stdp.window(10.0) == pytest.approx(0.01 / math.e)


def test_the_default_window_is_that_of_the_paper() -> None:
    """Song, Miller and Abbott (2000): 0.005, a ratio of 1.05, 20 ms; depression has the larger area."""
    times = np.arange(-200, 200, 0.01) + 0.005
    window = STDP().window(times)
    assert (window[times > 0] > 0).all()
    assert (window[times < 0] < 0).all()
    assert window.max() == pytest.approx(0.005, rel=1e-3)
    assert window.min() == pytest.approx(-0.00525, rel=1e-3)
    assert -window[times < 0].sum() / window[times > 0].sum() == pytest.approx(1.05)


TRAINS = st.lists(st.floats(0, 500), max_size=15)


@given(TRAINS, TRAINS)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_trains_sum_over_all_pairs(pre: list[float], post: list[float]) -> None:
    stdp = STDP(potentiation=0.001, depression=0.001, largest=4.0)
    pairs = np.subtract.outer(post, pre)
    assert stdp.apply(2.0, pre, post) == pytest.approx(2.0 + 4.0 * stdp.window(pairs).sum(), rel=1e-12)


def test_pre_before_post_strengthens_and_the_reverse_weakens() -> None:
    times = np.arange(0, 1000, 100.0)
    stdp = STDP()
    assert stdp.apply(0.5, times, times + 5) > 0.53
    assert stdp.apply(0.5, times + 5, times) < 0.47
    assert stdp.apply(0.5, [50], [50]) == 0.5
    assert stdp.apply(0.5, [], times) == 0.5


def test_a_strength_stays_within_its_bounds_after_each_spike() -> None:
    stdp = STDP(potentiation=0.5, depression=0.25, potentiation_time=1e-3, depression_time=1e-3, largest=2.0)
    # Pairs 1e-9 ms apart: each adds 0.5 * 2 or takes 0.25 * 2, and pairs further apart do nothing.
    up, down = [10.0, 20.0], [30.0]
    pre = [*up, down[0] + 1e-9]
    post = [up[0] + 1e-9, up[1] + 1e-9, *down]
    assert stdp.apply(1.5, pre, post) == pytest.approx(1.5, abs=1e-4)  # 1.5, 2 (not 2.5), 2, 1.5
    assert stdp.apply(0.0, [5 + 1e-9, 10.0], [5.0, 10 + 1e-9]) == pytest.approx(1.0, abs=1e-4)  # 0, not -0.5


@pytest.mark.parametrize(
    ("weights", "rows", "error", "words"),
    [
        ([1, 2], [[1, 2, 3]], gg.ShapeError, "one for each input, got (2,)"),
        ([1, 2], [1, 2], gg.ShapeError, "X must have shape"),
        ([[1, 2]], [[1, 2]], gg.ShapeError, "one for each input, got (1, 2)"),
        ([1, 2], np.zeros((0, 2)), gg.ShapeError, "not be empty"),
        ([1, 2], [[1, 2], [1]], gg.ShapeError, "equal length"),
        ([1, 2], [[1, math.nan]], gg.DataError, "got nan in row 0, column 1"),
        ([1, math.inf], [[1, 2]], gg.DataError, "weights must hold numbers"),
        ([1, 2], [["a", "b"]], gg.DataError, "must hold numbers"),
        (None, [[1, 2]], gg.ShapeError, "one for each input, got ()"),
        ([None, 1], [[1, 2]], gg.DataError, "got nan"),
    ],
    ids=str,
)
def test_bad_rows(weights: object, rows: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        Oja().learn(weights, rows)
    assert words in str(raised.value)


def test_bad_settings() -> None:
    with pytest.raises(gg.ConfigError, match="learning_rate"):
        Hebb(0)
    with pytest.raises(gg.ConfigError, match="passes"):
        Oja().learn([1], [[1]], passes=0)
    with pytest.raises(gg.ConfigError, match="potentiation must"):
        STDP(potentiation=-1)
    with pytest.raises(gg.ConfigError, match="depression_time"):
        STDP(depression_time=0)
    with pytest.raises(gg.ConfigError, match="strength"):
        STDP().apply(1.5, [], [])
    with pytest.raises(gg.DataError, match="pre must be at finite times"):
        STDP().apply(0.5, [math.inf], [])
    with pytest.raises(gg.DataError, match="delta_t must be finite"):
        STDP().window(math.nan)
