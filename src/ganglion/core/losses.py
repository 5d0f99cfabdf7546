"""Losses: how wrong a prediction is, as one number, and the gradient of that number.

Value and gradient come together, one per sample; weighting and averaging over the batch is the same for
all and is done by `batch_mean`. A loss names the activations that are its `partners`: beside those it
works from the pre-activation `z`, which neither overflows nor loses precision; any other activation
goes through the chain rule from `a`. To add one: write the class, add it to the list at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from ganglion.checks import check_number
from ganglion.core.activations import SIGMOID, Activation, LogSoftmax
from ganglion.core.arrays import as_array
from ganglion.core.part import Array, Part, Shape, built_in
from ganglion.errors import ConfigError, DataError, ShapeError

LOG_SOFTMAX = LogSoftmax()
Both = tuple[Array, Array]
Answers = Literal["number", "one_of", "yes_no", "sign"]


@dataclass(frozen=True)
class Loss(Part):
    """A loss. Subclass it with `values_and_gradients` to make your own.

    The class attributes are facts: `formula` for one output and its `derivative` by `a`, `formula_from_z`
    where it is reckoned by another formula beside a partner, `domain` of the targets, what the outputs
    answer (`answers`: "number", "one_of" several classes, "yes_no" as a share, "sign" as -1 or 1), the
    names of the `partners` among activations, and the `range` in which predictions must lie.

    Args:
        factor: what the loss is multiplied by wherever it is used, and so how much it counts beside
            penalties; 1 by default. The methods here give it without.

    >>> loss = Loss.find("mse")
    >>> loss.values_and_gradients(np.array([[3.0], [1.0]]), np.array([[1.0], [1.0]]))
    (array([4., 0.]), array([[4.],
           [0.]]))
    """

    factor: float = field(default=1.0, kw_only=True)

    kind: ClassVar[str] = "loss"
    formula: ClassVar[str] = ""
    derivative: ClassVar[str] = ""
    formula_from_z: ClassVar[str] = ""
    domain: ClassVar[str] = "any number"
    answers: ClassVar[Answers] = "number"
    partners: ClassVar[tuple[str, ...]] = ()
    range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def __post_init__(self) -> None:
        check_number("factor", self.factor, above=0)

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        """Return each sample's loss, of shape (n,), and its gradient with respect to `a`, shaped like `a`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method values_and_gradients")

    def values_and_gradients_from_z(self, z: Array, y: Array) -> Both:
        """The same from the pre-activation of a partner, with the gradient with respect to `z`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method values_and_gradients_from_z")

    def encode(self, y: Any, shape: Shape) -> Array:
        """Return the targets as floats of shape (n, *shape), after checking their domain.

        Raises:
            DataError: if a target lies outside the domain; the first such row is named.
            ShapeError: if the targets do not fit the network's outputs.
        """
        y = _numeric(y)
        if y.shape[1:] != shape and not (y.ndim == 1 and math.prod(shape) == 1):
            raise ShapeError(
                f"{self.name} needs one target for each output: the network gives {shape} for each row, "
                f"the targets are {y.shape[1:]} for each row"
            )
        self.check(y)
        return y.reshape(len(y), *shape)

    def check(self, y: Array) -> None:
        """Raise `DataError` if a target lies outside the domain."""

    def require(self, rule: str, holds: Array, y: Array) -> None:
        """Raise `DataError` that names the first row in which `holds` is false."""
        if not holds.all():
            place = tuple(np.argwhere(~holds)[0])
            raise DataError(f"{self.name} needs {rule}, got {y[place]:g} in row {place[0]}")

    def is_partner_of(self, activation: Activation | None) -> bool:
        """Return whether the loss works from the pre-activation of this activation.

        Only built-in activations are known to be what their name says, and a derived loss with values of
        its own must not be given those of the one it extends.
        """
        if activation is None or not activation.is_built_in or activation.name not in self.partners:
            return False
        mro = type(self).__mro__
        from_z, from_a = (
            next(place for place, base in enumerate(mro) if method in vars(base))
            for method in ("values_and_gradients_from_z", "values_and_gradients")
        )
        return from_z <= from_a

    def classes(self, y: Array) -> Array | None:
        """Return the class number of each row of encoded targets, None where rows have not one class each."""
        if y.ndim != 2 or self.answers == "number":
            return None
        if self.answers == "one_of":
            return y.argmax(axis=1)
        return (
            (y[:, 0] > (0 if self.answers == "sign" else 0.5)).astype(np.int64) if y.shape[1] == 1 else None
        )

    def check_activation(self, activation: Activation) -> None:
        """Raise `ConfigError` if the outputs of `activation` are not what the loss can judge."""
        if activation.name in self.partners:
            return
        low, high = activation.range
        inside = self.range[0] <= low and high <= self.range[1]
        if not inside or (self.answers == "one_of" and activation.is_built_in):
            shares = " that sum to 1" if self.answers == "one_of" else ""
            raise ConfigError(
                f"{self.name} needs predictions from {self.range[0]:g} to {self.range[1]:g}{shares}, "
                f"but {activation.name} gives {low:g} to {high:g}",
                f"use the activation {' or '.join(self.partners)} in the last layer",
            )


def _numeric(y: Any) -> Array:
    y = as_array("targets", y)
    if y.ndim == 0:
        raise ShapeError("targets must have one entry for each row, got a single number")
    bad = ~np.isfinite(y)
    if bad.any():
        place = tuple(np.argwhere(bad)[0])
        raise DataError(f"targets must be finite, got {y[place]} in row {place[0]}")
    return y


def batch_mean(both: Both, weight: Array | None) -> tuple[float, Array]:
    """Return the weighted mean of the samples' losses and its gradient.

    L = sum_i weight_i * loss_i / sum_i weight_i; without weights every sample counts 1.
    """
    values, gradients = both
    if weight is None:
        return float(values.mean()), gradients * (1 / len(values))
    share = weight * (1 / weight.sum())
    return float((values * share).sum()), gradients * share.reshape(-1, *[1] * (gradients.ndim - 1))


def _mean_over_outputs(values: Array, gradients: Array) -> Both:
    flat = values.reshape(len(values), -1)
    return flat.mean(axis=1), gradients * (1 / flat.shape[1])


class MeanSquaredError(Loss):
    """The mean over outputs of (a - y)**2. Its gradient is 2 * (a - y) / outputs."""

    name = "mse"
    formula = "(a - y)**2"
    derivative = "2 * (a - y)"

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        error = a - y
        return _mean_over_outputs(error * error, 2 * error)


class MeanAbsoluteError(Loss):
    """The mean over outputs of |a - y|, minimal at the median. Its gradient at a = y is taken as 0."""

    name = "mae"
    formula = "abs(a - y)"
    derivative = "sign(a - y)"

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        error = a - y
        return _mean_over_outputs(np.abs(error), np.sign(error))


@dataclass(frozen=True)
class Huber(Loss):
    """Squared near 0, absolute far away, so that outliers pull less (Huber, 1964).

    e**2 / 2 where |e| <= delta, delta * (|e| - delta / 2) elsewhere, with e = a - y; mean over outputs.

    Args:
        delta: the error at which it turns from squared to absolute, 1 by default.
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
        return _mean_over_outputs(slope * (error - 0.5 * slope), slope)


class LogCosh(Loss):
    """The mean over outputs of log(cosh(a - y)): like Huber, and smooth everywhere."""

    name = "log_cosh"
    formula = "log(cosh(a - y))"
    derivative = "tanh(a - y)"

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        error = a - y
        size = np.abs(error)
        # log(cosh(e)) = |e| + log(1 + exp(-2 |e|)) - log(2), written so that it keeps its precision near 0:
        # there it is log(1 + 2 sinh(e / 2)**2).
        near = np.minimum(size, 1.0)
        values = np.where(
            size < 1.0,
            np.log1p(2 * np.sinh(0.5 * near) ** 2),
            size + np.log1p(np.exp(-2 * size)) - math.log(2),
        )
        return _mean_over_outputs(values, np.tanh(error))


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """-(y * log(a) + (1 - y) * log(1 - a)), the mean over outputs: yes-or-no questions, one per output.

    Args:
        label_smoothing: draws targets this share of the way to 1/2, 0 by default.
        clip: where above 0, the value beside a partner is that of `a` kept between clip and 1 - clip;
            the gradient stays a - y. 0 by default. scikit-learn's log loss has the type's epsilon here.
        factor: as in `Loss`.
    """

    label_smoothing: float = 0.0
    clip: float = field(default=0.0, kw_only=True)

    name = "binary_cross_entropy"
    answers = "yes_no"
    formula = "-(y * log(a) + (1 - y) * log(1 - a))"
    derivative = "(1 - y) / (1 - a) - y / a"
    formula_from_z = "max(z, 0) - z * y + log(1 + exp(-abs(z)))"
    domain = "from 0 to 1"
    partners = ("sigmoid",)
    range = (0.0, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("label_smoothing", self.label_smoothing, at_least=0, below=1)
        check_number("clip", self.clip, at_least=0, below=0.5)

    def check(self, y: Array) -> None:
        self.require("targets from 0 to 1", (y >= 0) & (y <= 1), y)

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        y = _smoothed(y, self.label_smoothing, 2)
        tiny = np.finfo(a.dtype).tiny
        yes, no = np.maximum(a, tiny), np.maximum(1 - a, tiny)
        return _mean_over_outputs(-(y * np.log(yes) + (1 - y) * np.log(no)), (1 - y) / no - y / yes)

    def values_and_gradients_from_z(self, z: Array, y: Array) -> Both:
        y = _smoothed(y, self.label_smoothing, 2)
        a = SIGMOID.forward(z)
        if self.clip:
            shares = np.clip(a, self.clip, 1 - self.clip)
            values = -(y * np.log(shares) + (1 - y) * np.log(1 - shares))
        else:
            values = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
        return _mean_over_outputs(values, a - y)


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """-sum_k y_k * log(a_k): one of several classes. Targets are class numbers, or one share per class.

    Beside softmax its gradient with respect to `z` is a - y.

    Args:
        label_smoothing: takes this share from the true class and spreads it evenly over all, 0 by default
            (Szegedy et al., 2016, section 7).
        clip: as in `BinaryCrossEntropy`.
        factor: as in `Loss`.
    """

    label_smoothing: float = 0.0
    clip: float = field(default=0.0, kw_only=True)

    name = "cross_entropy"
    answers = "one_of"
    formula = "-sum_k y_k * log(a_k)"
    derivative = "-y / a"
    domain = "class numbers from 0, or shares that sum to 1"
    partners = ("softmax", "log_softmax")
    range = (0.0, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("label_smoothing", self.label_smoothing, at_least=0, below=1)
        check_number("clip", self.clip, at_least=0, below=0.5)

    def encode(self, y: Any, shape: Shape) -> Array:
        y = _numeric(y)
        classes = shape[-1]
        if classes < 2:
            raise ConfigError(
                "cross_entropy needs one output for each class, at least 2, got 1",
                "use binary_cross_entropy with a sigmoid output, or gg.Dense(2, 'softmax')",
            )
        if y.shape[1:] == shape:
            self.require("shares of at least 0", y >= 0, y)
            sums = y.sum(axis=-1)
            self.require("shares that sum to 1 in each row", np.abs(sums - 1) <= 1e-3, sums)
            return y
        if y.shape[1:] not in (shape[:-1], (*shape[:-1], 1)):
            raise ShapeError(
                f"cross_entropy needs class numbers of shape (rows, *{shape[:-1]}) or shares of shape "
                f"(rows, *{shape}), got {y.shape}"
            )
        y = y.reshape(len(y), *shape[:-1])
        self.require(
            f"class numbers from 0 to {classes - 1}, because the network has {classes} outputs",
            (y >= 0) & (y < classes) & (y == np.floor(y)),
            y,
        )
        return np.eye(classes, dtype=np.float32)[y.astype(np.int64)]

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        y = _smoothed(y, self.label_smoothing, y.shape[-1])
        a = np.maximum(a, np.finfo(a.dtype).tiny)
        return _mean_over_outputs(-(y * np.log(a)).sum(axis=-1), -y / a)

    def values_and_gradients_from_z(self, z: Array, y: Array) -> Both:
        y = _smoothed(y, self.label_smoothing, y.shape[-1])
        log_share = LOG_SOFTMAX.forward(z)
        if self.clip:
            logarithms = np.log(np.clip(np.exp(log_share), self.clip, 1 - self.clip))
            return _mean_over_outputs(-(y * logarithms).sum(axis=-1), np.exp(log_share) - y)
        # A share of 0 adds nothing, even where its logarithm is minus infinity.
        terms = np.where(y == 0, 0, y * np.maximum(log_share, np.finfo(z.dtype).min))
        return _mean_over_outputs(-terms.sum(axis=-1), np.exp(log_share) - y)


def _smoothed(y: Array, smoothing: float, classes: int) -> Array:
    return y * (1 - smoothing) + smoothing / classes if smoothing else y


class Poisson(Loss):
    """a - y * log(a), the mean over outputs: counts. Its partner is exp, the log link."""

    name = "poisson"
    formula = "a - y * log(a)"
    derivative = "1 - y / a"
    formula_from_z = "exp(z) - y * z"
    domain = "0 or more"
    partners = ("exp",)
    range = (0.0, math.inf)

    def check(self, y: Array) -> None:
        self.require("y >= 0", y >= 0, y)

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        positive = np.maximum(a, np.finfo(a.dtype).tiny)
        return _mean_over_outputs(a - y * np.log(positive), 1 - y / positive)

    def values_and_gradients_from_z(self, z: Array, y: Array) -> Both:
        with np.errstate(over="ignore"):
            a = np.exp(z)
        return _mean_over_outputs(a - y * z, a - y)


@dataclass(frozen=True)
class Quantile(Loss):
    """The pinball loss, minimal at a quantile of y (Koenker and Bassett, 1978); the mean over outputs.

    quantile * (y - a) where y > a, (1 - quantile) * (a - y) elsewhere. At a = y the gradient is 0.

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
        return _mean_over_outputs(slope * error, slope)


class Hinge(Loss):
    """max(0, 1 - y * a) with y = -1 or 1 (0 is read as -1), the mean over outputs: a margin."""

    name = "hinge"
    answers = "sign"
    formula = "max(0, 1 - y * a)"
    derivative = "-y if y * a < 1 else 0"
    domain = "-1 (or 0) and 1"

    def encode(self, y: Any, shape: Shape) -> Array:
        y = super().encode(y, shape).astype(np.float64)
        return np.where(y == 0, -1.0, y)

    def check(self, y: Array) -> None:
        self.require("targets of -1 (or 0) and 1", (y == -1) | (y == 0) | (y == 1), y)

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        margin = 1 - y * a
        return _mean_over_outputs(np.maximum(margin, 0), np.where(margin > 0, -y, 0))


built_in(
    Loss,
    [
        MeanSquaredError,
        MeanAbsoluteError,
        Huber,
        LogCosh,
        BinaryCrossEntropy,
        CrossEntropy,
        Poisson,
        Quantile,
        Hinge,
    ],
)


def loss_for(activation: Activation | None) -> Loss:
    """Return the loss whose partner is the output activation, mean squared error where there is none."""
    if activation is not None:
        for loss in Loss.known.values():
            if activation.name in loss.partners:
                return loss()
    return MeanSquaredError()
