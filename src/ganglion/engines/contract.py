"""The interface of engines: predictions, one gradient, and sessions of training steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ganglion.core.arrays import aligned_zeros
from ganglion.core.inputs import InputRows
from ganglion.core.losses import Loss
from ganglion.core.model import Model
from ganglion.core.part import Array
from ganglion.core.regularization import Regularization
from ganglion.core.rows import Rows
from ganglion.core.update import Updater


@dataclass(frozen=True)
class Objective:
    """What training minimizes: a loss and the penalties added to it."""

    loss: Loss
    regularization: Regularization = field(default_factory=Regularization)


@dataclass
class Learned:
    """The data that a session changes.

    Attributes:
        parameters, state: the vectors of the model.
        step: the number of updates the network has had, which selects random choices.
        slots: the optimizer's vectors.
        update: the number of updates this optimizer has made, for bias correction.
        mean: the running mean of the parameters, or None if there is none.
    """

    parameters: Array
    state: Array
    step: int = 0
    slots: dict[str, Array] = field(default_factory=dict)
    update: int = 0
    mean: Array | None = None


def fresh(model: Model, optimizer: Updater | None) -> Learned:
    """Return the default starting point of a session."""
    slots = () if optimizer is None else optimizer.slots
    made = {slot: aligned_zeros(model.parameters.size, model.dtype) for slot in slots}
    return Learned(model.parameters, model.state, slots=made)


class Completed(NamedTuple):
    """The results of some steps: the loss, penalty and gradient norm of each completed one.

    Loss and penalty are measured before the update. `failure` states what was not finite, or is "" if all
    steps were completed. After a failure the parameters are those before the failed step.
    """

    losses: Array
    penalties: Array
    gradient_norms: Array
    failure: str = ""


class Session(Protocol):
    """One training run in an engine. While it is open, only the session changes the learned data."""

    def feed(self, rows: Rows) -> None:
        """Learn from other rows from now on, which are dense."""
        ...

    def steps(self, order: Array, batch_size: int, rates: Array) -> Completed:
        """Make one update for each rate, on successive batches of the rows in `order`."""
        ...

    def loss_and_gradient(self, order: Array) -> tuple[float, float, Array]:
        """Return mean loss and penalty over some rows, as in training, and the gradient of their sum."""
        ...

    def evaluate(self, rows: Rows) -> tuple[Array, Array]:
        """Return loss and outputs for each row, as in prediction, with the mean parameters if kept."""
        ...

    def read(self) -> Learned:
        """Return the current state; later steps may change its arrays, and callers must not modify them."""
        ...

    def write(self, parameters: Array, state: Array | None = None) -> None:
        """Continue from other parameters and, if given, another state."""
        ...


class Engine(Protocol):
    """Runs models."""

    name: str
    uses_blas: bool
    """Whether it multiplies matrices with NumPy's BLAS."""

    def missing(self, *parts: object) -> str:
        """Return a description of the first part (architecture, loss, optimizer) it cannot run, or ""."""
        ...

    def predict(self, model: Model, x: InputRows) -> Array:
        """Return the outputs for each row of `x`."""
        ...

    def predict_if_finite(self, model: Model, x: Array) -> Array | None:
        """Return the same for one array of numbers, or None if a number in it is not finite."""
        ...

    def evaluate(self, model: Model, loss: Loss, rows: Rows) -> tuple[Array, Array]:
        """Return the loss and outputs for each row, as in prediction."""
        ...

    def open(
        self,
        model: Model,
        rows: Rows,
        objective: Objective,
        optimizer: Updater | None = None,
        start: Learned | None = None,
    ) -> Session:
        """Open a session. It changes the arrays of `start`, by default those of the model.

        Args:
            model: the model to train.
            rows: the training rows.
            objective: what to minimize.
            optimizer: makes the steps; None for a session that only evaluates losses and gradients.
            start: the starting point; by default the model, with slots of zeros.
        """
        ...
