"""A loss made of others, each of one section of the outputs: of a network with several heads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ganglion.core.activations import Activation, Identity, Sections
from ganglion.core.activations.sections import check_sizes, section_slices
from ganglion.core.arrays import as_array
from ganglion.core.losses.base import Both, Loss
from ganglion.core.part import Array, PartsField, Shape
from ganglion.errors import ConfigError, DataError, ShapeError


@dataclass(frozen=True)
class Joint(Loss):
    """The sum of the losses of sections of the outputs, each times its factor.

    Targets are rows with one entry for each output, or one for each section (a class index for cross
    entropy). A row whose target in a section is NaN has no loss there, and still counts for the others. In
    a section of classes, probabilities that sum to w instead of 1 give the row the weight w in this section.

    Args:
        losses: the loss of each section, by name or as a `Loss`; its `factor` is its weight in the sum.
        sizes: the number of outputs of each section but the last, which takes all others.
        factor: as in `Loss`.

    Raises:
        ConfigError: unless there is one size less than losses.

    >>> loss = Joint(["cross_entropy", "mse"], sizes=(2,))
    >>> y = loss.encode([[1, 7.0], [0, np.nan]], (3,))
    >>> loss.values_and_gradients(np.array([[0.0, 1.0, 8.0], [1.0, 0.0, 5.0]]), y)[0]
    array([1., 0.])
    """

    losses: PartsField[Loss] = PartsField(Loss)
    sizes: tuple[int, ...] = ()

    name = "joint"
    answers = "several"
    formula = "sum_s factor_s * loss_s"
    derivative = "factor_s * the derivative of loss_s"
    domain = "the targets of each section, or NaN"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "sizes", check_sizes(self.sizes, len(self.losses), "losses"))
        if any(isinstance(each, Joint) for each in self.losses):
            raise ConfigError("a section must not have a joint loss", "list all sections in one")

    def settings(self) -> dict[str, float]:
        return {"factor": float(self.factor)}

    def slices(self, width: int) -> list[slice]:
        """Return where each section lies among the outputs."""
        return section_slices(self.sizes, width)

    def _sections(self, width: int) -> list[tuple[Loss, slice]]:
        return list(zip(self.losses, self.slices(width), strict=True))

    def encode(self, y: Any, shape: Shape) -> Array:
        y = as_array("targets", y).astype(np.float64)
        if len(shape) != 1 or y.ndim != 2 or y.shape[1] not in (shape[0], len(self.losses)):
            raise ShapeError(
                f"joint needs a row of outputs, and targets with one column for each output or section: "
                f"outputs have shape {shape}, targets {y.shape}"
            )
        if np.isinf(y).any():
            row = int(np.argwhere(np.isinf(y))[0][0])
            raise DataError(f"targets must be finite or NaN, got {np.inf} in row {row}")
        encoded = np.zeros((len(y), shape[0]))
        for number, (loss, part) in enumerate(self._sections(shape[0])):
            own = y[:, part] if y.shape[1] == shape[0] else y[:, number]
            encoded[:, part] = _encode(loss, own, (part.stop - part.start,))
        return encoded

    def sample_targets(self, shape: Shape, rng: np.random.Generator) -> Array:
        rows, y = shape[0], np.empty(shape)
        for loss, part in self._sections(shape[-1]):
            y[:, part] = loss.sample_targets((rows, part.stop - part.start), rng)
            if loss.answers == "one_of":
                y[:, part] *= rng.integers(0, 3, (rows, 1))
            else:
                y[rng.random(rows) < 0.3, part] = np.nan
        return y

    def values_and_gradients(self, a: Array, y: Array) -> Both:
        return self._sum(a, y, from_z=False)

    def values_and_gradients_from_z(self, z: Array, y: Array) -> Both:
        return self._sum(z, y, from_z=True)

    def _sum(self, outputs: Array, y: Array, from_z: bool) -> Both:
        values, gradients = np.zeros(len(outputs), outputs.dtype), np.zeros_like(outputs)
        for loss, part in self._sections(outputs.shape[1]):
            target, weight = row_weights(loss, y[:, part])
            # Without partners, the activation is the identity, and z is a.
            found = (
                loss.values_and_gradients_from_z if from_z and loss.partners else loss.values_and_gradients
            )
            value, gradient = found(outputs[:, part], target)
            weight = (weight * loss.factor).astype(outputs.dtype)
            values += np.where(weight == 0, 0, value * weight)
            gradients[:, part] = np.where(weight[:, None] == 0, 0, gradient * weight[:, None])
        return values, gradients

    def is_partner_of(self, activation: Activation | None) -> bool:
        if not isinstance(activation, Sections) or not (activation.is_built_in and self.is_built_in):
            return False
        return self.sizes == activation.sizes and all(
            loss.is_partner_of(each) if loss.partners else isinstance(each, Identity)
            for loss, each in zip(self.losses, activation.activations, strict=True)
        )

    def check_activation(self, activation: Activation) -> None:
        if not isinstance(activation, Sections):
            for loss in self.losses:
                loss.check_activation(activation)
        elif tuple(activation.sizes) != tuple(self.sizes):
            raise ConfigError(
                f"joint needs sections of the sizes of its outputs, {self.sizes}, got {activation.sizes}"
            )
        else:
            for loss, each in zip(self.losses, activation.activations, strict=True):
                loss.check_activation(each)

    def without_clip(self) -> Loss:
        return replace(self, losses=tuple(loss.without_clip() for loss in self.losses))


def row_weights(loss: Loss, y: Array) -> tuple[Array, Array]:
    """Return the targets of one section as its loss takes them, and each row's weight, 0 without a target."""
    if loss.answers == "one_of":
        weight = y.sum(axis=1)
        return y / np.where(weight == 0, 1, weight)[:, None], weight
    missing = np.asarray(np.isnan(y).any(axis=1))
    return np.where(missing[:, None], 0, y), (~missing).astype(y.dtype)


def _encode(loss: Loss, y: Array, shape: Shape) -> Array:
    """Return one section's targets after its loss has checked those that are there."""
    weighted = loss.answers == "one_of" and y.ndim == 2
    weight = y.sum(axis=1) if weighted else np.ones(len(y))
    flat = y.reshape(len(y), -1)
    missing = np.asarray(np.isnan(flat).any(axis=1))
    if weighted:
        missing |= ~flat.any(axis=1)
    rows = np.flatnonzero(~missing)
    encoded = np.full((len(y), *shape), 0.0 if loss.answers == "one_of" else np.nan)
    if not len(rows):
        return encoded
    # A weight that is no more than 0 stays for the loss to refuse.
    scale = np.where(weight[rows] > 0, weight[rows], 1.0)
    try:
        target = loss.encode(y[rows] / scale[:, None] if weighted else y[rows], shape)
    except DataError as error:  # it names a row among those that have the target
        raise _with_row(error, rows) from None
    encoded[rows] = target * scale[:, None]
    return encoded


def _with_row(error: DataError, rows: Array) -> DataError:
    head, found, row = error.message.rpartition(" in row ")
    return DataError(f"{head}{found}{rows[int(row)]}", error.hint) if found and row.isdecimal() else error
