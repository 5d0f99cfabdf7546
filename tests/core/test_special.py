import math

import numpy as np

from ganglion.core.special import normal_cdf


def test_normal_cdf_has_full_relative_precision_in_both_tails() -> None:
    z = np.concatenate([np.linspace(-37, 37, 4001), [-1e-300, 0, 1e-300]])
    expected = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in z])
    # For large x, exp(-x**2) turns the rounding of x into a relative error of about x**2 * 1e-16.
    np.testing.assert_allclose(normal_cdf(z), expected, rtol=4e-13)
    near = np.abs(z) < 3
    np.testing.assert_allclose(normal_cdf(z)[near], expected[near], rtol=4e-15)


def test_normal_cdf_at_the_ends() -> None:
    assert normal_cdf(np.array([-np.inf, np.inf])).tolist() == [0, 1]
    assert np.isnan(normal_cdf(np.array([np.nan]))).all()
