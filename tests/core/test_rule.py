import numpy as np
import pytest

import ganglion as gg
from ganglion.core.rule import Rule


def test_lines_are_evaluated_in_order_and_slots_written_in_place() -> None:
    rule = Rule(["seen = m", "m = 2 * m + g", "change = rate * m - seen"])
    m = np.array([1.0, 2.0])
    values = rule.values({"m": m}, {"g": np.array([10.0, 20.0]), "rate": 0.5})
    assert rule.slots == ("m",)
    assert rule.settings == ("g", "rate")
    assert values["m"] is m
    assert m.tolist() == [12, 24]
    assert values["seen"].tolist() == [1, 2]
    assert values["change"].tolist() == [5, 10]
    assert [line.text for line in rule.lines] == ["m_before", "2 * m_before + g", "rate * m - seen"]


@pytest.mark.parametrize(
    "formula", ["g", "m + 0 * g", "flushed(g)", "(g + g) / 2", "g * 1 + 0", "sqrt(g * g)"]
)
def test_only_the_slot_of_a_line_is_written(formula: str) -> None:
    g, m = np.array([1.0, 4.0]), np.array([1.0, 4.0])
    values = Rule([f"change = {formula}"]).values({}, {"g": g, "m": m})
    assert values["change"].tolist() == g.tolist() == m.tolist() == [1, 4]
    values["change"] += 1
    assert g.tolist() == m.tolist() == [1, 4]


@pytest.mark.parametrize("formula", ["m * 2 + m", "m + 2 * m", "(m + m) + m", "g + m * g * 2"])
def test_a_slot_that_is_read_more_than_once_keeps_its_value_until_it_is_written(formula: str) -> None:
    m = np.array([1.0, 5.0])
    Rule([f"m = {formula}"]).values({"m": m}, {"g": np.ones(2)})
    assert m.tolist() == ([3, 15] if "g" not in formula else [3, 11])


def test_a_vector_keeps_its_dtype_where_it_is_a_result() -> None:
    g, rate = np.ones(2, dtype=np.float32), np.float64(0.1)
    values = Rule(["kept = g / 3 * rate", "widened = rate * g", "root = sqrt(4)"]).values(
        {}, {"g": g, "rate": rate}
    )
    assert values["kept"].dtype == np.float32
    assert values["widened"].dtype == np.float64  # as in NumPy
    assert type(values["root"]) is float


def test_flushed_replaces_subnormal_numbers_by_0() -> None:
    tiny = np.finfo(np.float32).tiny
    m = np.array([tiny / 2, -tiny / 2, tiny, -1, 0, np.nan, np.inf], dtype=np.float32)
    expected = np.array([0, 0, tiny, -1, 0, np.nan, np.inf], dtype=np.float32)
    np.testing.assert_array_equal(Rule(["a = flushed(m * 1)"]).values({}, {"m": m})["a"], expected)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rate * g", "'name = formula', got 'rate \\* g'"),
        ("2 = g", "'name = formula'"),
        ("change = rate *", "cannot be read"),
        ("change = g[0]", "must not contain 'g\\[0\\]'"),
        ("change = g.T", "must not contain 'g.T'"),
        ("change = g if g else 0", "must not contain"),
        ("change = open(g)", "must not contain 'open\\(g\\)'"),
        ("change = (lambda: g)()", "must not contain"),
        ("change = __import__(g)", "must not contain"),
    ],
)
def test_what_is_no_formula_is_refused(line: str, message: str) -> None:
    with pytest.raises(gg.ConfigError, match=message):
        Rule([line])
