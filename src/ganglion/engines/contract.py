"""What every engine offers, and what a run of training steps is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ganglion.core.architecture import Architecture
from ganglion.core.losses import Loss
from ganglion.core.part import Array
from ganglion.core.regularization import Regularization
from ganglion.core.update import Updater


@dataclass
class Run:
    """The arrays that training reads and changes. `weight` holds sample weights, None if all are 1.

    The optimizer and its slots are for training steps; a gradient alone needs none.

    `step` counts all updates of the network, for its randomness; `update` those of this optimizer, for
    its bias correction. `mean` is the running average of the parameters, None where none is kept.
    `prepared` is what an engine has made of the parts, and of which.
    """

    x: Array
    y: Array
    weight: Array | None
    loss: Loss
    regularization: Regularization
    parameters: Array
    state: Array
    seed: int
    step: int = 0
    optimizer: Updater | None = None
    slots: dict[str, Array] = field(default_factory=dict)
    update: int = 0
    mean: Array | None = None
    prepared: Any = field(default=None, init=False, repr=False, compare=False)


class Steps(NamedTuple):
    """What came of a run of steps: for each completed one its loss, penalty, and gradient norm.

    Loss and penalty are those before the update. `failure` says what was not finite, "" if all steps were
    completed; the parameters are then those before the step that failed.
    """

    losses: Array
    penalties: Array
    gradient_norms: Array
    failure: str = ""


class Engine(Protocol):
    """Runs an architecture: predictions, one gradient, many training steps."""

    name: str
    uses_blas: bool
    """Whether its products are those of NumPy's BLAS."""

    def missing(self, *parts: object) -> str:
        """Return in words the first of some parts (an architecture, a loss, an optimizer) it cannot run."""
        ...

    def predict(self, architecture: Architecture, parameters: Array, state: Array, x: Array) -> Array:
        """Return the activations of the last layer for each row of `x`."""
        ...

    def predict_if_finite(
        self, architecture: Architecture, parameters: Array, state: Array, x: Array
    ) -> Array | None:
        """Return the same, but None if a number in `x` is not finite."""
        ...

    def evaluate(self, architecture: Architecture, run: Run, x: Array, y: Array) -> tuple[Array, Array]:
        """Return loss and activations for each row, as when predicting with the run's mean parameters."""
        ...

    def loss_and_gradient(
        self, architecture: Architecture, run: Run, rows: Array
    ) -> tuple[float, float, Array]:
        """Return mean loss and penalty over some rows, as when training, and the gradient of their sum."""
        ...

    def train(
        self, architecture: Architecture, run: Run, order: Array, batch_size: int, rates: Array
    ) -> Steps:
        """Run one update for each rate, on successive batches of `order`, changing the run's arrays."""
        ...
