"""What every engine offers: predictions, one gradient, and sessions of training steps."""

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
    """What training minimizes: a loss, and what is added to it."""

    loss: Loss
    regularization: Regularization = field(default_factory=Regularization)


@dataclass
class Learned:
    """What a session changes.

    Attributes:
        parameters, state: those of the model.
        step: how many updates the network has had, for its randomness.
        slots: the optimizer's vectors.
        update: how many updates this optimizer has made, for its bias correction.
        mean: the running average of the parameters, None where none is kept.
    """

    parameters: Array
    state: Array
    step: int = 0
    slots: dict[str, Array] = field(default_factory=dict)
    update: int = 0
    mean: Array | None = None


def fresh(model: Model, optimizer: Updater | None) -> Learned:
    """Return where a session begins that is given no start."""
    slots = () if optimizer is None else optimizer.slots
    made = {slot: aligned_zeros(model.parameters.size, model.dtype) for slot in slots}
    return Learned(model.parameters, model.state, slots=made)


class Completed(NamedTuple):
    """What came of some steps: for each completed one its loss, penalty, and gradient norm.

    Loss and penalty are those before the update. `failure` says what was not finite, "" if all steps were
    completed; the parameters are then those before the step that failed.
    """

    losses: Array
    penalties: Array
    gradient_norms: Array
    failure: str = ""


class Session(Protocol):
    """One training, as an engine runs it. Only the session changes what is learned while it is open."""

    def steps(self, order: Array, batch_size: int, rates: Array) -> Completed:
        """Make one update for each rate, on successive batches of the rows in `order`."""
        ...

    def loss_and_gradient(self, order: Array) -> tuple[float, float, Array]:
        """Return mean loss and penalty over some rows, as when training, and the gradient of their sum."""
        ...

    def evaluate(self, rows: Rows) -> tuple[Array, Array]:
        """Return loss and activations for each row, as when predicting, with the mean parameters if kept."""
        ...

    def read(self) -> Learned:
        """Return what was learned so far; its arrays may go on changing, and are not to be written into."""
        ...

    def write(self, parameters: Array, state: Array | None = None) -> None:
        """Go on from other parameters, and another state if one is given."""
        ...


class Engine(Protocol):
    """Runs models."""

    name: str
    uses_blas: bool
    """Whether its products are those of NumPy's BLAS."""

    def missing(self, *parts: object) -> str:
        """Return in words the first of some parts (an architecture, a loss, an optimizer) it cannot run."""
        ...

    def predict(self, model: Model, x: InputRows) -> Array:
        """Return the outputs for each row of `x`."""
        ...

    def predict_if_finite(self, model: Model, x: Array) -> Array | None:
        """Return the same for one array of numbers, but None if a number in it is not finite."""
        ...

    def evaluate(self, model: Model, loss: Loss, rows: Rows) -> tuple[Array, Array]:
        """Return loss and activations for each row, as when predicting."""
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
            model: whose parameters are learned.
            rows: to learn from.
            objective: to minimize.
            optimizer: makes the steps; None for losses and gradients alone.
            start: where it begins; by default at the model, with slots of zeros.
        """
        ...
