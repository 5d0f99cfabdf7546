import numpy as np
import pytest

import ganglion as gg
from ganglion.core.rule import Rule

each = pytest.mark.parametrize("name", sorted(set(gg.Activation.known) - {"sections"}))


@each
def test_outputs_depend_on_their_row_where_the_part_says_so(name: str) -> None:
    part = gg.Activation.find(name)
    z = np.array([[0.5, -1.0, 2.0]])
    other = part.forward(z + np.array([0.0, 0.0, 1.0]))
    assert part.per_row == bool((other != part.forward(z))[0, :2].any())
    assert bool(part.jacobian) == bool(part.formula_in_row) == part.per_row


@pytest.mark.parametrize("name", ["log_softmax", "softmax"])
def test_formulas_of_rows_are_what_is_computed(name: str) -> None:
    part = gg.Activation.find(name)
    z = np.array([[0.5, -1.0, 2.0]])
    a, m = part.forward(z), z.max()
    s = float(np.exp(z - m).sum())
    formula = {"z": z, "m": m, "s": s, "exp": np.exp, "log": np.log}
    np.testing.assert_allclose(eval(part.formula_in_row, formula), a, rtol=1e-12)
    entry = Rule([f"entry = {part.jacobian}"])
    for i, direction in enumerate(np.eye(3)):
        numbers = {"a_i": a[0, i], "a_j": a, "same": direction}
        row = entry.values({}, numbers)["entry"]
        np.testing.assert_allclose(part.backward(direction[None], z, a), np.reshape(row, (1, 3)), rtol=1e-12)


def test_probabilities_of_logarithms_are_their_exponentials() -> None:
    z = np.array([[0.5, -1.0, 2.0]])
    logarithms, softmax = gg.LogSoftmax(), gg.Softmax()
    a = softmax.forward(z)
    np.testing.assert_allclose(logarithms.probabilities(logarithms.forward(z)), a, rtol=1e-12)
    assert softmax.probabilities(a) is a
