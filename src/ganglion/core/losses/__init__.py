"""The losses. To add one: write the class in the file of its family, add it to the list here."""

from __future__ import annotations

from ganglion.core.activations import Activation, Sections
from ganglion.core.losses.base import Answers, Both, Loss, batch_mean
from ganglion.core.losses.classification import BinaryCrossEntropy, CrossEntropy, Hinge
from ganglion.core.losses.joint import Joint
from ganglion.core.losses.regression import (
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    Quantile,
)
from ganglion.core.part import built_in

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
        Joint,
    ],
)


def loss_for(activation: Activation | None) -> Loss:
    """Return the loss whose partner is the output activation, or mean squared error if there is none."""
    if isinstance(activation, Sections):
        return Joint([loss_for(each) for each in activation.activations], activation.sizes)
    if activation is not None:
        for loss in Loss.known.values():
            if activation.name in loss.partners:
                return loss()
    return MeanSquaredError()


__all__ = [
    "Answers",
    "BinaryCrossEntropy",
    "Both",
    "CrossEntropy",
    "Hinge",
    "Huber",
    "Joint",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "Quantile",
    "batch_mean",
    "loss_for",
]
