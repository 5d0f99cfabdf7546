"""Losses for classification: of probabilities and of margins."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ganglion.checks import check_number
from ganglion.core.activations import SIGMOID, LogSoftmax
from ganglion.core.losses.base import Both, Loss, mean_over_outputs, numeric
from ganglion.core.part import Array, Shape
from ganglion.errors import ConfigError, ShapeError

LOG_SOFTMAX = LogSoftmax()


@dataclass(frozen=True)
class ProbabilityLoss(Loss):
    """The base class of losses of probabilities: label smoothing, and clipping of the value.

    Args:
        label_smoothing: moves targets this fraction of the way to equal probabilities of all classes, 0 by
            default (Szegedy et al., 2016, section 7).
        clip: if above 0, the value with a partner is computed from probabilities clipped to the interval from
            clip to 1 - clip, as in scikit-learn's log loss; the gradient remains a - y. 0 by default.
        factor: as in `Loss`.
    """

    label_smoothing: float = 0.0
    clip: float = field(default=0.0, kw_only=True)

    range = (0.0, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("label_smoothing", self.label_smoothing, at_least=0, below=1)
        check_number("clip", self.clip, at_least=0, below=0.5)

    def number_of_classes(self, y: Array) -> int:
        """Return the number of classes that each target distributes over."""
        return 2

    def smoothed(self, y: Array) -> Array:
        smoothing = self.label_smoothing
        return y * (1 - smoothing) + smoothing / self.number_of_classes(y) if smoothing else y

    def clipped(self, a: Array) -> Array:
        return np.clip(a, self.clip, 1 - self.clip) if self.clip else a

    def without_clip(self) -> Loss:
        return replace(self, clip=0.0)


class BinaryCrossEntropy(ProbabilityLoss):
    """The mean over outputs of -(y * log(a) + (1 - y) * log(1 - a)): one yes-or-no question per output.

    Args:
        label_smoothing: moves targets this fraction of the way to 1/2, 0 by default.
        clip: if above 0, the value with a partner is computed from `a` clipped to the interval from clip to
            1 - clip; the gradient remains a - y. 0 by default. scikit-learn's log loss uses the epsilon of
            the dtype.
        factor: as in `Loss`.
    """

    name = "binary_cross_entropy"
    answers = "yes_no"
    formula = "-(y * log(a) + (1 - y) * log(1 - a))"
    derivative = "(1 - y) / (1 - a) - y / a"
    domain = "from 0 to 1"
    partners = ("sigmoid",)

    @property
    def formula_from_z(self) -> str:  # type: ignore[override]
        """The formula from `z`, or from probabilities if the loss clips them."""
        if self.clip:
            return "-(y * log(p) + (1 - y) * log(1 - p)), p = min(max(a, clip), 1 - clip)"
        return "max(z, 0) - z * y + log(1 + exp(-abs(z)))"

    def check(self, y: Array) -> None:
        self.require("targets from 0 to 1", (y >= 0) & (y <= 1), y)

    def sample_targets(self, shape: Shape, rng: np.random.Generator) -> Array:
        certain = rng.integers(0, 2, shape)
        return np.where(rng.random(shape) < 0.5, certain, rng.random(shape))

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        y = self.smoothed(y)
        tiny = np.finfo(a.dtype).tiny
        yes, no = np.maximum(a, tiny), np.maximum(1 - a, tiny)
        return mean_over_outputs(-(y * np.log(yes) + (1 - y) * np.log(no)), (1 - y) / no - y / yes)

    def values_and_gradients_from_z(self, z: Array, y: Array) -> Both:
        y = self.smoothed(y)
        a = SIGMOID.forward(z)
        if self.clip:
            p = self.clipped(a)
            values = -(y * np.log(p) + (1 - y) * np.log(1 - p))
        else:
            values = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
        return mean_over_outputs(values, a - y)


class CrossEntropy(ProbabilityLoss):
    """-sum_k y_k * log(a_k): one of several classes. Targets are class indices, or a probability per class.

    With softmax its gradient with respect to `z` is a - y.

    Args:
        label_smoothing: takes this fraction of the true class's probability and spreads it evenly over all
            classes, 0 by default (Szegedy et al., 2016, section 7).
        clip: as in `BinaryCrossEntropy`.
        factor: as in `Loss`.
    """

    name = "cross_entropy"
    answers = "one_of"
    formula = "-sum_k y_k * log(a_k)"
    derivative = "-y / a"
    domain = "class numbers from 0, or probabilities that sum to 1"
    partners = ("softmax", "log_softmax")

    @property
    def formula_from_z(self) -> str:  # type: ignore[override]
        """The formula with clipped probabilities, or "" if the loss does not clip."""
        return f"{self.formula}, each a_k kept between clip and 1 - clip" if self.clip else ""

    def number_of_classes(self, y: Array) -> int:
        return y.shape[-1]

    def sample_targets(self, shape: Shape, rng: np.random.Generator) -> Array:
        classes, rows = shape[-1], shape[:-1]
        certain = np.eye(classes)[rng.integers(0, classes, rows)]
        return np.where(rng.random((*rows, 1)) < 0.5, certain, rng.dirichlet(np.ones(classes), rows))

    def encode(self, y: Any, shape: Shape) -> Array:
        y = numeric(y)
        classes = shape[-1]
        if classes < 2:
            raise ConfigError(
                "cross_entropy needs one output for each class, at least 2, got 1",
                "use binary_cross_entropy with a sigmoid output, or gg.Dense(2, 'softmax')",
            )
        if y.shape[1:] == shape:
            self.require("probabilities of at least 0", y >= 0, y)
            sums = y.sum(axis=-1)
            self.require("probabilities that sum to 1 in each row", np.abs(sums - 1) <= 1e-3, sums)
            return y
        if y.shape[1:] not in (shape[:-1], (*shape[:-1], 1)):
            raise ShapeError(
                f"cross_entropy needs class numbers of shape (rows, *{shape[:-1]}) or probabilities of shape "
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
        y = self.smoothed(y)
        a = np.maximum(a, np.finfo(a.dtype).tiny)
        return mean_over_outputs(-(y * np.log(a)).sum(axis=-1), -y / a)

    def values_and_gradients_from_z(self, z: Array, y: Array) -> Both:
        y = self.smoothed(y)
        log_a = LOG_SOFTMAX.forward(z)
        a = np.exp(log_a)
        if self.clip:
            return mean_over_outputs(-(y * np.log(self.clipped(a))).sum(axis=-1), a - y)
        # A target of 0 adds nothing, even if the logarithm is minus infinity.
        terms = np.where(y == 0, 0, y * np.maximum(log_a, np.finfo(z.dtype).min))
        return mean_over_outputs(-terms.sum(axis=-1), a - y)


class Hinge(Loss):
    """The mean over outputs of max(0, 1 - y * a), with y = -1 or 1 (0 is read as -1)."""

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

    def sample_targets(self, shape: Shape, rng: np.random.Generator) -> Array:
        return rng.choice([-1.0, 1.0], shape)

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        margin = 1 - y * a
        return mean_over_outputs(np.maximum(margin, 0), np.where(margin > 0, -y, 0))
