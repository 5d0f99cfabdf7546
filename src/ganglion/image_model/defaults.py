"""Defaults for training on images: layers and settings that depend on the size and number of the pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ganglion.answers.target import ClassTarget
from ganglion.core.activations import Activation
from ganglion.core.architecture import Architecture
from ganglion.core.layers import (
    Activate,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    Layer,
    MaxPool2D,
)
from ganglion.core.part import Shape
from ganglion.errors import ConfigError
from ganglion.heads import AnyTarget, output_layer

QUALITIES = ("good", "best")
SMALLEST_MAP = 4  # pixels a side, below which maps are not pooled further
FEWEST_BLOCKS = 2
LARGE = 64  # pixels a side, above which the first convolution has a stride of 2
FILTERS = {"good": 16, "best": 32}
MOST_FILTERS = {"good": 64, "best": 128}
# Multiplications of a whole training, forward and backward: a few minutes on two processors, or twenty.
BUDGET = {"good": 2.5e12, "best": 1.4e14}
FEWEST_EPOCHS = {"good": 8, "best": 12}
MOST_EPOCHS = {"good": 60, "best": 100}
LEARNING_RATE = 0.003


@dataclass(frozen=True)
class Settings:
    """The settings that `ImageModel.train` derives from the pictures unless given."""

    epochs: int
    batch_size: int
    weight_decay: float
    learning_rate: float = LEARNING_RATE


def settings_for(layers: list[Layer], shape: Shape, rows: int, quality: str) -> Settings:
    """Return epochs and batch size: as many epochs as the quality's budget of multiplications allows."""
    epochs = int(BUDGET[quality] / max(1, 3 * multiplications(Architecture(layers, shape)) * rows))
    batch_size = 64 if rows >= 5_000 else 32 if rows >= 300 else 16
    return Settings(
        epochs=min(max(epochs, FEWEST_EPOCHS[quality]), MOST_EPOCHS[quality]),
        batch_size=batch_size,
        weight_decay=0.05 if rows < 10_000 else 0.01,
    )


def multiplications(architecture: Architecture) -> int:
    """Return how many multiplications one row takes forward: each weight of a filter, at each place."""
    return sum(
        (entry.stop - entry.start) * math.prod(step.shape[:-1])
        for step in architecture.steps
        for entry in step.parameters
    )


def check_outputs(architecture: Architecture, targets: Sequence[AnyTarget]) -> None:
    """Raise `ConfigError` unless each head has a probability for each class, or one number."""
    wanted = output_layer(targets)
    last, activation = architecture.layers[-1], architecture.output_activation
    if len(targets) > 1:
        if last != wanted:
            raise ConfigError(f"the last layer must be {wanted} for these {len(targets)} targets, got {last}")
        return
    count, may_be = wanted.units, list[Activation | None]([wanted.activation])
    named, what = f"Dense({count}, 'softmax')", f"{count} classes"
    if not isinstance(targets[0], ClassTarget):
        named, what = "Dense(1)", "a number"
        may_be.append(None)
    if architecture.outputs != (count,) or activation not in may_be:
        raise ConfigError(
            f"the last layer must be {named} for {what}, got outputs of shape {architecture.outputs} with "
            f"{'no activation' if activation is None else activation}"
        )


def layers_for(shape: Shape, targets: Sequence[AnyTarget], quality: str) -> list[Layer]:
    """Return convolutions of 3 x 3 and pools until the maps are small, then dense layers.

    Args:
        shape: of a picture, (height, width, channels).
        targets: what is predicted.
        quality: "good" for one convolution before each pool, "best" for two, normalized, and more filters.
    """
    side, filters = min(shape[:2]), FILTERS[quality]
    layers: list[Layer] = []
    blocks = 0
    while blocks < FEWEST_BLOCKS or side > 2 * SMALLEST_MAP - 1:
        stride = 2 if not blocks and side > LARGE else 1
        layers += _block(filters, stride, quality)
        side = math.ceil(side / stride)
        if side > SMALLEST_MAP and (blocks or side > 2 * SMALLEST_MAP):
            layers.append(MaxPool2D(2, padding="same"))
            side = math.ceil(side / 2)
        filters, blocks = min(2 * filters, MOST_FILTERS[quality]), blocks + 1
    layers += [*_block(filters, 1, quality), GlobalAveragePool()] if quality == "best" else [Flatten()]
    return [*layers, Dropout(0.3), Dense(128, "relu"), Dropout(0.3), output_layer(targets)]


def _block(filters: int, stride: int, quality: str) -> list[Layer]:
    if quality == "good":
        return [Conv2D(filters, stride=stride, activation="relu")]
    both = [Conv2D(filters, stride=stride, bias=False), BatchNormalization(), Activate("relu")]
    return [*both, Conv2D(filters, bias=False), BatchNormalization(), Activate("relu")]
