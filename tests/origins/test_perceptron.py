import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from ganglion.core.part import Array
from ganglion.origins import McCullochPitts, Perceptron

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
XOR = np.array([0, 1, 1, 0])


def cloud(seed: int, gap: float = 0.2) -> tuple[Array, Array, Array]:
    """Rows of two classes, none nearer than `gap` to the plane v[:-1] · x + v[-1] = 0, and v."""
    generator = np.random.default_rng(seed)
    inputs = int(generator.integers(1, 6))
    v = generator.normal(size=inputs + 1)
    rows = generator.normal(size=(300, inputs)) * 3
    height = (rows @ v[:-1] + v[-1]) / np.linalg.norm(v)
    keep = np.abs(height) > gap
    return rows[keep], (height[keep] > 0).astype(int), v


class Step(gg.Activation):
    """1 above 0, else 0."""

    def forward(self, z: Array) -> Array:
        return (z > 0).astype(z.dtype)

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return np.zeros_like(z)


def test_gates_by_hand() -> None:
    assert McCullochPitts((1, 1), 2).predict(CORNERS).tolist() == [0, 0, 0, 1]
    assert McCullochPitts((1, 1), 1).predict(CORNERS).tolist() == [0, 1, 1, 1]
    assert McCullochPitts((-1,), 0).predict([[0], [1]]).tolist() == [1, 0]
    assert McCullochPitts((1, -1), 1).predict(CORNERS).tolist() == [0, 0, 1, 0]  # one inhibits
    assert McCullochPitts((1, 1, 1), 2).predict([[1, 0, 1], [0, 0, 1]]).tolist() == [1, 0]  # a majority


def demands(outputs: Array) -> Array:
    """What a unit with these outputs at the corners must obey, as rows r with r · (w1, w2, t) >= 0.

    An output of 1 says w · x - t >= 0, one of 0 says that it is below 0, so that its row is negated and
    the inequality strict.
    """
    rows = np.column_stack([CORNERS, -np.ones(4, dtype=int)])
    return np.where(outputs[:, None] == 1, rows, -rows)


def test_no_threshold_unit_does_xor() -> None:
    """The four demands of XOR sum to 0 · (w1, w2, t), which would have to be above 0.

    Two of the four are strict, so that no weights and threshold can obey them all: a proof (by Farkas'
    lemma), not a search.
    """
    assert demands(XOR).sum(axis=0).tolist() == [0, 0, 0]
    assert (XOR == 0).any()
    assert demands(1 - XOR).sum(axis=0).tolist() == [0, 0, 0]  # nor its negation


def test_all_other_gates_of_two_inputs_have_a_unit() -> None:
    found = {
        tuple(McCullochPitts((a, b), t).predict(CORNERS).tolist())
        for a, b, t in product((-2, -1, 1, 2), (-2, -1, 1, 2), np.arange(-4, 5) / 2)
    }
    assert set(product((0, 1), repeat=4)) - found == {tuple(XOR), tuple(1 - XOR)}


NUMBERS = st.integers(-3, 3) | st.integers(-(10**9), 10**9).map(lambda n: n / 64)  # sums of them are exact


@given(NUMBERS, NUMBERS, NUMBERS)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_unit_obeys_its_demands_and_so_never_does_xor(a: float, b: float, t: float) -> None:
    outputs = McCullochPitts((a, b), t).predict(CORNERS)
    assert outputs.tolist() not in (XOR.tolist(), (1 - XOR).tolist())
    values = demands(outputs) @ [a, b, t]
    assert (values[outputs == 1] >= 0).all()
    assert (values[outputs == 0] > 0).all()


def test_two_layers_of_units_do_xor() -> None:
    either, both = McCullochPitts((1, 1), 1).predict(CORNERS), McCullochPitts((1, 1), 2).predict(CORNERS)
    assert McCullochPitts((1, -1), 1).predict(np.column_stack([either, both])).tolist() == XOR.tolist()


def test_learning_by_hand() -> None:
    # Row 0 (class "no"): 0 <= 0, a mistake: w = (-1, -2), b = -1. Row 1 ("yes"): -3 - 1, a mistake: w = (2, -2), b = 0.
    # Pass 2: row 0: -(2 - 4) = 2 is right; row 1: 6 is right.
    perceptron = Perceptron().fit([[1, 2], [3, 0]], ["no", "yes"])
    assert perceptron.weights.tolist() == [2, -2]
    assert perceptron.bias == 0
    assert perceptron.mistakes == [2, 0]
    assert perceptron.converged
    assert perceptron.stopped_because == "pass 2 made no mistake"
    assert perceptron.predict([[1, 2], [3, 0], [1, 1]]).tolist() == ["no", "yes", "no"]  # 0 is not above 0
    assert repr(perceptron) == "<Perceptron: pass 2 made no mistake>"


@pytest.mark.parametrize("seed", range(30))
def test_it_separates_within_novikoffs_bound(seed: int) -> None:
    rows, labels, v = cloud(seed)
    perceptron = Perceptron(passes=100_000).fit(rows, labels)
    assert perceptron.converged
    assert (perceptron.predict(rows) == labels).all()
    ones = np.column_stack([rows, np.ones(len(rows))])
    signs = 2 * labels - 1
    radius = np.linalg.norm(ones, axis=1).max()
    for plane in (
        v,
        np.append(perceptron.weights, perceptron.bias),
    ):  # the bound holds for any that separates
        margin = (signs * (ones @ plane)).min() / np.linalg.norm(plane)
        assert margin > 0
        assert sum(perceptron.mistakes) <= (radius / margin) ** 2


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=2, max_size=30), st.integers(-8, 8)
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_novikoffs_bound_on_any_rows(points: list[tuple[int, int]], shift: int) -> None:
    rows = np.array(points)
    height = 2 * rows[:, 0] - 3 * rows[:, 1] + shift + 0.5  # never 0 on whole numbers
    signs = np.sign(height)
    if len(set(signs)) < 2:
        return
    margin = np.abs(height).min() / np.linalg.norm([2, -3, shift + 0.5])
    bound = ((rows**2).sum(axis=1).max() + 1) / margin**2
    perceptron = Perceptron(passes=int(bound) + 1).fit(rows, signs)  # a pass without end makes a mistake
    assert perceptron.converged
    assert sum(perceptron.mistakes) <= bound


def test_rows_that_no_line_separates_end_in_plain_words() -> None:
    perceptron = Perceptron(passes=50).fit(CORNERS, XOR)
    assert len(perceptron.mistakes) == 50
    assert min(perceptron.mistakes) > 0
    assert not perceptron.converged
    assert perceptron.stopped_because.startswith(
        "each of the 50 passes made mistakes, the last one 4; if a straight line separates"
    )
    assert repr(perceptron) == "<Perceptron: each of the 50 passes made mistakes, the last one 4>"
    assert (perceptron.predict(CORNERS) != XOR).any()


def test_fit_starts_over_and_a_failed_fit_changes_nothing() -> None:
    perceptron = Perceptron().fit(CORNERS, [0, 0, 0, 1])
    weights = perceptron.weights
    with pytest.raises(gg.DataError, match="two different labels"):
        perceptron.fit([[1, 2]], [1])
    assert perceptron.weights is weights
    again = perceptron.fit(CORNERS, [0, 1, 1, 1])
    assert again is perceptron
    assert again.mistakes == Perceptron().fit(CORNERS, [0, 1, 1, 1]).mistakes


@pytest.mark.parametrize("seed", range(5))
def test_a_network_of_one_unit_with_a_step_decides_alike(seed: int) -> None:
    rows, labels, _ = cloud(seed)
    perceptron = Perceptron(passes=100_000).fit(rows, labels)
    net = gg.Network([gg.Dense(1, Step())], inputs=rows.shape[1], dtype="float64", engine="reference")
    net.parameters = [*perceptron.weights, perceptron.bias]
    fresh = np.random.default_rng(seed).normal(size=(1000, rows.shape[1])) * 3
    np.testing.assert_array_equal(net.predict(fresh)[:, 0], perceptron.predict(fresh))


@pytest.mark.parametrize("passes", [1, 3, 20])
@pytest.mark.parametrize("gap", [0.2, -1.0], ids=["separable", "noisy"])
def test_it_equals_scikit_learns(passes: int, gap: float) -> None:
    from sklearn.linear_model import Perceptron as Peer

    for seed in range(5):
        rows, labels, _ = cloud(seed, gap)
        if gap < 0:
            labels = np.where(np.random.default_rng(seed).random(len(labels)) < 0.1, 1 - labels, labels)
        peer = Peer(shuffle=False, eta0=1.0, tol=None, max_iter=passes).fit(rows, 2 * labels - 1)
        ours = Perceptron(passes=passes).fit(rows, 2 * labels - 1)
        np.testing.assert_allclose(ours.weights, peer.coef_[0], rtol=1e-10, atol=1e-10)
        assert ours.bias == peer.intercept_[0]
        np.testing.assert_array_equal(ours.predict(rows), peer.predict(rows))


@pytest.mark.parametrize(
    ("rows", "labels", "error", "words"),
    [
        ([[1], [2]], [1], gg.ShapeError, "y must have shape (2,)"),
        ([[1], [2]], [[1], [2]], gg.ShapeError, "y must have shape (2,)"),
        ([[1], [2]], [1, [2, 3]], gg.ShapeError, "a list of labels"),
        ([[1], [2]], [1, 1], gg.DataError, "two different labels, got 1"),
        ([[1], [2], [3]], [1, 2, 3], gg.DataError, "two different labels, got 3"),
        ([[1], [2]], [1, math.nan], gg.DataError, "drop rows without a label"),
        ([[1], [2]], [1, None], gg.DataError, "numbers or words"),
        ([[1], [math.inf]], [0, 1], gg.DataError, "got inf in row 1"),
        ([[1e200], [1]], [0, 1], gg.DataError, "between -1e100 and 1e100"),
        ([1, 2], [0, 1], gg.ShapeError, "X must have shape"),
        ([], [], gg.ShapeError, "not be empty"),
    ],
    ids=str,
)
def test_bad_rows(rows: object, labels: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        Perceptron().fit(rows, labels)
    assert words in str(raised.value)


def test_words_from_a_frame_are_labels() -> None:
    labels = np.array(["no", "yes"], dtype=object)
    assert Perceptron().fit([[1], [2]], labels).predict([[5]]).tolist() == ["yes"]


def test_bad_use() -> None:
    with pytest.raises(gg.ConfigError, match="passes must be a whole number >= 1"):
        Perceptron(passes=0)
    with pytest.raises(gg.ConfigError, match="call fit"):
        Perceptron().predict([[1]])
    with pytest.raises(gg.ShapeError, match="one column for each weight"):
        Perceptron().fit([[1], [2]], [0, 1]).predict([[1, 2]])
    with pytest.raises(gg.ConfigError, match="weights must be one number or more"):
        McCullochPitts((), 1)
    with pytest.raises(gg.ConfigError, match="weights must be a list"):
        McCullochPitts(1.0, 1)  # type: ignore[arg-type]
    with pytest.raises(gg.ConfigError, match=r"weights\[0\] must be a number"):
        McCullochPitts((math.nan,), 1)
    with pytest.raises(gg.ConfigError, match="threshold must be a number"):
        McCullochPitts((1,), math.inf)
    with pytest.raises(gg.DataError, match="inputs must be 0 or 1, got 0.5"):
        McCullochPitts((1,), 1).predict([[0.5]])
    with pytest.raises(gg.ShapeError, match="one column for each weight"):
        McCullochPitts((1, 1), 1).predict([[1]])
