"""Defaults for training on a table: layers, optimizer, and settings that depend on the number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.core.layers import Dense, Dropout, Layer
from ganglion.errors import ConfigError, shortened
from ganglion.training.optimizers import AdamW, Optimizer, StepOptimizer
from ganglion.training.schedules import OneCycle

EPOCHS = 60
LEARNING_RATE = 0.005
LINEAR_RATE = 0.05
FEWEST_UPDATES, MOST_EPOCHS = 1000, 300


@dataclass(frozen=True)
class Settings:
    """The settings that `TableModel.train` derives from the number of rows unless given."""

    epochs: int
    batch_size: int
    dropout: float
    weight_decay: float

    @classmethod
    def suited_to(cls, rows: int) -> Self:
        """Return the defaults for a table: large tables need fewer epochs and less regularization."""
        batch_size = int(np.clip(2 ** int(np.log2(max(rows, 1) / 50 + 1)), 32, 512))
        epochs = int(np.clip(2_000_000 // max(rows, 1), 10, EPOCHS))
        small, large = rows < 5_000, rows >= 50_000
        dropout = 0.3 if small else 0.0 if large else 0.1
        return cls(epochs, batch_size, dropout, 0.3 if small else 0.01)


def layers_for(
    hidden: int | Sequence[int], activation: str, dropout: float, goal: ClassTarget | NumberTarget
) -> list[Layer]:
    """Return hidden dense layers, each followed by dropout, and the output layer for the target.

    Raises:
        ConfigError: if `hidden` is not a number of units or a list of them.
    """
    layers: list[Layer] = []
    sizes = [hidden] if isinstance(hidden, int) else hidden
    if not isinstance(sizes, tuple | list):
        raise ConfigError(f"hidden must be a list of whole numbers of units, got {shortened(hidden)}")
    for units in sizes:
        layers += [Dense(units, activation), *([Dropout(dropout)] if dropout else [])]
    if isinstance(goal, ClassTarget):
        return [*layers, Dense(len(goal.classes), "softmax")]
    return [*layers, Dense(1)]


def linear_training(rows: int, epochs: int, batch_size: int) -> tuple[int, Optimizer]:
    """Return epochs and optimizer of a model without hidden layers, which needs larger steps, and enough."""
    epochs = max(epochs, enough_epochs(rows, batch_size))
    return epochs, one_cycle(LINEAR_RATE, epochs, min(0.1, 100 / max(rows, 1)))


def enough_epochs(rows: int, batch_size: int) -> int:
    """Return in how many epochs a model without hidden layers makes enough updates."""
    return min(FEWEST_UPDATES * batch_size // max(rows, 1), MOST_EPOCHS)


def one_cycle(rate: float, epochs: int, weight_decay: float) -> AdamW:
    """Return AdamW with a rate that rises to a peak and falls to almost 0 by the last epoch."""
    return AdamW(OneCycle(rate, epochs=epochs), weight_decay=weight_decay)


def optimizer_for(
    optimizer: Optimizer | str, learning_rate: float | None, epochs: int, weight_decay: float
) -> Optimizer:
    """Return the optimizer; one given by name gets a one-cycle schedule, and AdamW also the weight decay.

    Raises:
        ConfigError: if a learning rate is given with an optimizer object, or with one that has none.
    """
    found = Optimizer.find(optimizer)
    if isinstance(optimizer, str) and isinstance(found, StepOptimizer):
        peak = LEARNING_RATE if learning_rate is None else learning_rate
        decay = {"weight_decay": weight_decay} if isinstance(found, AdamW) else {}
        return type(found)(OneCycle(peak, epochs=epochs), **decay)
    if learning_rate is not None:
        raise ConfigError(
            "learning_rate needs an optimizer that has one and is given by name, "
            f"got {optimizer if isinstance(optimizer, str) else 'an optimizer object'}",
            "set it in the optimizer, or leave it out",
        )
    return found
