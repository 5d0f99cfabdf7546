"""The stages of an update that all optimizers share: clipping, weight decay, averaging.

An update clips the gradient, computes the optimizer's change, adds the weight decay, subtracts the change,
limits the norms (`Regularization.limit`) and averages. Each stage here is a rule, which a trace prints.
To add a stage: write its rule and its function, and call it where updates are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ganglion.core.part import Array
from ganglion.core.rule import Rule

CLIPPING = Rule(["g = g * (clip_norm / norm)"])
DECAY = Rule(["change = change + rate * weight_decay * w"])
AVERAGING = Rule(["keep = min(average, t / (t + 9))", "mean = mean + (1 - keep) * (w - mean)"])


class Updater(Protocol):
    """What an update requires of an optimizer."""

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the vectors kept between updates."""
        ...

    @property
    def weight_decay(self) -> float:
        """Each update subtracts rate * weight_decay * w from each penalized weight w."""
        ...

    @property
    def clip_norm(self) -> float | None:
        """The largest gradient norm; None for no limit."""
        ...

    @property
    def average(self) -> float | None:
        """The fraction of the running mean of the parameters that an update keeps; None for no mean."""
        ...

    def change(
        self, gradient: Array, slots: Mapping[str, Array], update: int, rate: float, parameters: Array
    ) -> Array:
        """Write the slots after update number `update` (from 1); return what to subtract, as a new vector."""
        ...


def clips(optimizer: Updater, norm: float) -> bool:
    """Return whether a gradient of this norm is scaled down."""
    return optimizer.clip_norm is not None and norm > optimizer.clip_norm


def clip(optimizer: Updater, gradient: Array, norm: float) -> None:
    """Scale a gradient of this norm down to `clip_norm`, in place, if the norm is larger."""
    if clips(optimizer, norm):
        CLIPPING.values({"g": gradient}, {"clip_norm": optimizer.clip_norm, "norm": norm})


def decay(optimizer: Updater, change: Array, rate: float, parameters: Array, penalized: Array) -> None:
    """Add the decoupled weight decay to the change, in place, where `penalized` is 1."""
    if optimizer.weight_decay:
        settings = {"rate": rate, "weight_decay": optimizer.weight_decay, "w": parameters * penalized}
        DECAY.values({"change": change}, settings)


def change_of(
    optimizer: Updater,
    gradient: Array,
    norm: float,
    slots: Mapping[str, Array],
    update: int,
    rate: float,
    parameters: Array,
    penalized: Array,
) -> Array:
    """Return what update number `update` (from 1) subtracts from the parameters; write the slots.

    Args:
        optimizer: makes the update.
        gradient: laid out like the parameters; clipped in place.
        norm: the Euclidean norm of the gradient.
        slots: the optimizer's vectors.
        update: the number of the update.
        rate: the learning rate.
        parameters: the parameters before the update; not modified.
        penalized: 1 for each parameter that decays, 0 for the others.
    """
    clip(optimizer, gradient, norm)
    change = optimizer.change(gradient, slots, update, rate, parameters)
    decay(optimizer, change, rate, parameters, penalized)
    return change


def average(optimizer: Updater, mean: Array, update: int, parameters: Array) -> float:
    """Move the running mean of the parameters, in place, toward their values after update `update`.

    Returns:
        The fraction of the mean that is kept; 1 if the optimizer does not average.
    """
    if optimizer.average is None:
        return 1.0
    settings = {"average": optimizer.average, "t": update, "w": parameters}
    keep: float = AVERAGING.values({"mean": mean}, settings)["keep"]
    return keep
