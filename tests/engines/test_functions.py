"""The precision of the native engine's functions: the error of each, in units of the last place, has a bound.

`functions.cpp`, built for each instruction set like the engine, compares float with double, and double with
a type of 113 bits.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from agreement import native_engine
from building import NATIVE, built

SETS = native_engine().module.instruction_sets()
COUNT = 10_000
LN2 = float(np.log(2))
ALL = (-np.inf, np.inf)
# Name, domain in float and in double, bound in units of the last place in float and in double.
FUNCTIONS: list[tuple[str, tuple[float, float], tuple[float, float], tuple[float, float]]] = [
    ("exp_minus_1_near_0", (-LN2 / 2, LN2 / 2), (-LN2 / 2, LN2 / 2), (1, 1)),
    ("exponential", ALL, ALL, (1.25, 1.25)),
    ("exp_minus_1_within", (-87, 87), (-708, 708), (2, 2)),
    ("exp_minus_1", (-np.inf, 88), (-np.inf, 709), (2, 2)),
    ("hyperbolic_tangent", ALL, ALL, (2.5, 2.5)),
    ("logistic", ALL, ALL, (2.5, 2.5)),
    ("logarithm", (2.0**-126, np.inf), (2.0**-1022, np.inf), (1, 1)),
    ("log_1_plus", (0, np.inf), (0, np.inf), (1.5, 1.5)),
    ("normal_cdf", (-1, np.inf), (-1, np.inf), (8, 8)),
    ("normal_cdf", ALL, ALL, (300, 2500)),  # below 0 the rounding of z**2 grows with z**2 in exp(-z**2 / 2)
]
DTYPES = {"float": np.dtype(np.float32), "double": np.dtype(np.float64)}


def test_every_function_has_a_bound() -> None:
    """Functions of one vector that return one, as `functions.hpp` declares them."""
    source = (NATIVE / "functions.hpp").read_text()
    assert set(re.findall(r"^GANGLION_INLINE Vector<T> (\w+)\(Vector<T> \w+\) \{", source, re.M)) == {
        name for name, *_ in FUNCTIONS
    }


@cache
def arguments(low: float, high: float, dtype: np.dtype[Any]) -> np.ndarray:
    """Return numbers of all magnitudes in the domain, its ends, and numbers near the functions' branches."""
    chance = np.random.default_rng(0)
    bits = chance.integers(0, 2 ** (8 * dtype.itemsize), COUNT, dtype=f"u{dtype.itemsize}").view(dtype)
    farthest = 110 if dtype.itemsize == 4 else 750
    evenly = [chance.uniform(-size, size, COUNT) for size in (0.5, 3, 20, farthest)]
    ends = [low, high, 0.0, -0.0, np.nan, np.inf, -np.inf]
    x = np.concatenate([bits, np.concatenate([*evenly, 1 + evenly[0], ends]).astype(dtype)])
    return x[np.isnan(x) | ((x >= low) & (x <= high))]


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: f"{function[0]}-{function[1][0]:.0f}")
def test_a_function_keeps_its_bound(function: Any, kind: str, instruction_set: str) -> None:
    name, *domains, bounds = function
    number = list(DTYPES).index(kind)
    x = arguments(*domains[number], DTYPES[kind])
    where = np.zeros(1, x.dtype)
    worst: Callable[..., float] = ctypes.CDLL(str(built(f"functions_{instruction_set}")))[f"{name}_{kind}"]
    worst.restype = ctypes.c_double
    error = worst(
        ctypes.c_size_t(len(x)), x.ctypes.data_as(ctypes.c_void_p), where.ctypes.data_as(ctypes.c_void_p)
    )
    assert 0 < error <= bounds[number], f"{error:.3f} ulp at {where[0]!r}"
