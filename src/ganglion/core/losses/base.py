"""The base class of losses: the error of a prediction as one number, and the gradient of that number.

A loss returns value and gradient together, one per sample; `batch_mean` weights and averages them over a
batch. A loss names the activations that are its `partners`: with these it computes from the pre-activation
`z`, without overflow or loss of precision. With any other activation the chain rule goes through `a`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from ganglion.checks import check_number
from ganglion.core.activations import Activation
from ganglion.core.arrays import as_array
from ganglion.core.part import Array, Part, Shape
from ganglion.errors import ConfigError, DataError, ShapeError

Both = tuple[Array, Array]
Answers = Literal["number", "one_of", "yes_no", "sign", "several"]


@dataclass(frozen=True)
class Loss(Part):
    """The base class of losses. To write your own, subclass it and define `values_and_gradients`.

    The class attributes describe it: the `formula` for one output, its `derivative` with respect to `a`, the
    `formula_from_z` that replaces it with a partner, the `domain` of the targets, the names of the
    activations that are `partners`, the `range` of valid predictions, and the meaning of an output
    (`answers`): a "number", a probability of "yes_no" or of "one_of" several classes, or a class by its
    "sign"; "several" if they differ.

    Args:
        factor: multiplies the loss in training and reports, which sets its weight relative to penalties; 1
            by default. The methods of this class return the loss without it.

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
        """Return the same from a partner's pre-activation `z`, with the gradient with respect to `z`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method values_and_gradients_from_z")

    def encode(self, y: Any, shape: Shape) -> Array:
        """Return the targets as floats of shape (n, *shape), after checking their domain.

        Raises:
            DataError: if a target is outside the domain; names the first such row.
            ShapeError: if the targets do not fit the network's outputs.
        """
        y = numeric(y)
        if y.shape[1:] != shape and not (y.ndim == 1 and math.prod(shape) == 1):
            raise ShapeError(
                f"{self.name} needs one target for each output: each row has outputs of shape {shape}, got "
                f"targets of shape {y.shape[1:]}"
            )
        self.check(y)
        return y.reshape(len(y), *shape)

    def check(self, y: Array) -> None:
        """Raise `DataError` if a target is outside the domain."""

    def require(self, rule: str, holds: Array, y: Array) -> None:
        """Raise `DataError`, naming the first row in which `holds` is false."""
        if not holds.all():
            place = tuple(np.argwhere(~holds)[0])
            raise DataError(f"{self.name} needs {rule}, got {y[place]:g} in row {place[0]}")

    def is_partner_of(self, activation: Activation | None) -> bool:
        """Return whether the loss is computed from the pre-activation of this activation.

        Only built-in activations qualify: any other class may use the same name. Nor does a loss that
        overrides only `values_and_gradients`: the inherited formula from `z` would bypass it.
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
        """Return the class index of each row of encoded targets, or None unless each row has one class."""
        if y.ndim != 2 or self.answers in ("number", "several"):
            return None
        if self.answers == "one_of":
            return y.argmax(axis=1)
        threshold = 0 if self.answers == "sign" else 0.5
        return (y[:, 0] > threshold).astype(np.int64) if y.shape[1] == 1 else None

    def smoothed(self, y: Array) -> Array:
        """Return the targets after label smoothing: `y` by default."""
        return y

    def clipped(self, a: Array) -> Array:
        """Return the probabilities from which the value with a partner is computed: `a` by default."""
        return a

    def without_clip(self) -> Loss:
        """Return the same loss without a clip, so that its gradient is its derivative everywhere."""
        return self

    def sample_targets(self, shape: Shape, rng: np.random.Generator) -> Array:
        """Return random valid targets of shape (n, *outputs), encoded, for tests."""
        return rng.normal(size=shape)

    def check_activation(self, activation: Activation) -> None:
        """Raise `ConfigError` if the outputs of `activation` are not valid predictions for the loss."""
        if activation.name in self.partners:
            return
        low, high = activation.range
        inside = self.range[0] <= low and high <= self.range[1]
        if not inside or (self.answers == "one_of" and activation.is_built_in):
            together = " that sum to 1" if self.answers == "one_of" else ""
            raise ConfigError(
                f"{self.name} needs predictions from {self.range[0]:g} to {self.range[1]:g}{together}, "
                f"but outputs of {activation.name} are from {low:g} to {high:g}",
                f"use the activation {' or '.join(self.partners)} in the last layer",
            )


def numeric(y: Any) -> Array:
    """Return targets as an array of finite numbers with one entry per row."""
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

    L = sum_i weight_i * loss_i / sum_i weight_i; without weights every sample has weight 1.
    """
    values, gradients = both
    if weight is None:
        return float(values.mean()), gradients * (1 / len(values))
    fraction = weight * (1 / weight.sum())
    return float((values * fraction).sum()), gradients * fraction.reshape(-1, *[1] * (gradients.ndim - 1))


def mean_over_outputs(values: Array, gradients: Array) -> Both:
    """Return each row's mean over its outputs, and the gradients of that mean."""
    flat = values.reshape(len(values), -1)
    return flat.mean(axis=1), gradients * (1 / flat.shape[1])
