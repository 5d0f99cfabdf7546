import numpy as np
import pytest
from scipy import sparse

import ganglion as gg
from ganglion.core.arrays import as_numbers, as_weight

F32 = np.dtype(np.float32)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([[1, 2], [3, np.nan]], gg.DataError, "finite, got nan in row 1, column 1"),
        ([[1, -np.inf]], gg.DataError, "finite, got -inf in row 0, column 1"),
        ([[1, 2, 3]], gg.ShapeError, r"shape \(rows, 2\).*got \(1, 3\)"),
        ([1, 2], gg.ShapeError, "one more axis"),
        (5, gg.ShapeError, "shape"),
        ([[1, 2], [3]], gg.ShapeError, "equal length"),
        ([["a", "b"]], gg.DataError, "hold numbers"),
        (np.array([[1, None]], dtype=object), gg.DataError, "got nan in row 0, column 1"),
        (np.array([[1, "four"]], dtype=object), gg.DataError, "'four' .str. in row 0"),
        (np.array([[1j, 2]]), gg.DataError, "complex"),
        (np.array([["2020-01-01", "2020-01-02"]], dtype="datetime64[D]"), gg.DataError, "datetime"),
        (sparse.csr_matrix([[1.0, 2.0]]), gg.DataError, "sparse matrix.*toarray"),
        ([[1e300, 0.0]], gg.DataError, "must fit float32.*row 0, column 0.*float64"),
        ([[10**400, 0]], gg.DataError, "row 0"),
    ],
)
def test_what_is_no_row_of_numbers_is_refused(x: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        as_numbers("X", x, (2,), F32)


def test_what_is_numbers_is_taken() -> None:
    assert as_numbers("X", [[1, True]], (2,), F32).dtype == np.float32
    assert as_numbers("X", [[10**30, 1]], (2,), F32)[0, 0] == np.float32(1e30)
    assert as_numbers("X", [1, 2, 3], (1,), F32).shape == (3, 1)
    assert as_numbers("X", np.zeros((0, 2)), (2,), F32).shape == (0, 2)
    assert as_numbers("X", np.asfortranarray(np.ones((3, 2))), (2,), F32).flags.c_contiguous


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, -1], "got -1 in row 1"),
        ([1, np.inf], "got inf in row 1"),
        ([0, 0], "at least one row"),
        ([1], r"shape \(2,\)"),
        (["a", "b"], "numbers"),
    ],
)
def test_weights_that_break_a_rule_are_refused(weight: object, message: str) -> None:
    with pytest.raises(gg.DataError, match=message):
        as_weight(weight, 2, F32)
