"""Losses for regression."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ganglion.checks import check_number
from ganglion.core.losses.base import Both, Loss, mean_over_outputs
from ganglion.core.part import Array, Shape


class MeanSquaredError(Loss):
    """The mean over outputs of (a - y)**2. Its gradient is 2 * (a - y) / outputs."""

    name = "mse"
    formula = "(a - y)**2"
    derivative = "2 * (a - y)"

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        error = a - y
        return mean_over_outputs(error * error, 2 * error)


class MeanAbsoluteError(Loss):
    """The mean over outputs of |a - y|, minimal at the median. Its gradient at a = y is defined as 0."""

    name = "mae"
    formula = "abs(a - y)"
    derivative = "sign(a - y)"

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        error = a - y
        return mean_over_outputs(np.abs(error), np.sign(error))


@dataclass(frozen=True)
class Huber(Loss):
    """Quadratic for small errors and linear for large ones, so that outliers pull less (Huber, 1964).

    The mean over outputs of e**2 / 2 if |e| <= delta, else delta * (|e| - delta / 2), with e = a - y.

    Args:
        delta: the error at which the loss changes from quadratic to linear, 1 by default.
        factor: as in `Loss`.
    """

    delta: float = 1.0

    name = "huber"
    formula = "e**2 / 2 if abs(e) <= delta else delta * (abs(e) - delta / 2), e = a - y"
    derivative = "min(max(a - y, -delta), delta)"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("delta", self.delta, above=0)

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        error = a - y
        slope = np.clip(error, -self.delta, self.delta)
        return mean_over_outputs(slope * (error - 0.5 * slope), slope)


class LogCosh(Loss):
    """The mean over outputs of log(cosh(a - y)): like Huber, but smooth everywhere."""

    name = "log_cosh"
    formula = "log(cosh(a - y))"
    derivative = "tanh(a - y)"

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        error = a - y
        size = np.abs(error)
        # log(cosh(e)) = |e| + log(1 + exp(-2 |e|)) - log(2) loses precision near 0, where
        # log(1 + 2 sinh(e / 2)**2) does not.
        near = np.minimum(size, 1.0)
        values = np.where(
            size < 1.0,
            np.log1p(2 * np.sinh(0.5 * near) ** 2),
            size + np.log1p(np.exp(-2 * size)) - math.log(2),
        )
        return mean_over_outputs(values, np.tanh(error))


class Poisson(Loss):
    """The mean over outputs of a - y * log(a), for counts. Its partner is exp, the log link."""

    name = "poisson"
    formula = "a - y * log(a)"
    derivative = "1 - y / a"
    formula_from_z = "exp(z) - y * z"
    domain = "0 or more"
    partners = ("exp",)
    range = (0.0, math.inf)

    def check(self, y: Array) -> None:
        self.require("y >= 0", y >= 0, y)

    def sample_targets(self, shape: Shape, rng: np.random.Generator) -> Array:
        return rng.poisson(2, shape).astype(np.float64)

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        positive = np.maximum(a, np.finfo(a.dtype).tiny)
        return mean_over_outputs(a - y * np.log(positive), 1 - y / positive)

    def values_and_gradients_from_z(self, z: Array, y: Array) -> Both:
        with np.errstate(over="ignore"):
            a = np.exp(z)
        return mean_over_outputs(a - y * z, a - y)


@dataclass(frozen=True)
class Quantile(Loss):
    """The pinball loss, minimal at a quantile of y (Koenker and Bassett, 1978).

    The mean over outputs of quantile * (y - a) if y > a, else (1 - quantile) * (a - y). The gradient at a = y
    is 0.

    Args:
        quantile: between 0 and 1, 0.5 by default (the median).
        factor: as in `Loss`.
    """

    quantile: float = 0.5

    name = "quantile"
    formula = "quantile * (y - a) if y > a else (1 - quantile) * (a - y)"
    derivative = "-quantile if y > a else (1 - quantile) * (a > y)"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("quantile", self.quantile, above=0, below=1)

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        error = a - y
        slope = (error > 0) * a.dtype.type(1 - self.quantile) - (error < 0) * a.dtype.type(self.quantile)
        return mean_over_outputs(slope * error, slope)
