"""What the health check measures of each layer, on some rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ganglion.core.activations import Activation
from ganglion.core.inputs import InputRows
from ganglion.core.model import Model
from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.core.update import Updater, change_of

# A slope below this fraction of the slope at 0 is flat: |z| > 4.3 for sigmoid, 2.2 for tanh.
FLAT = 0.05
# A unit that is flat in this fraction of the rows is saturated: it learns from hardly any row.
MOSTLY = 0.95
# With this many times as many activations as rows, singular values are computed from products of rows.
WIDE = 4

quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")


@dataclass(frozen=True)
class Distribution:
    """Mean, standard deviation and extremes of some numbers."""

    mean: float
    deviation: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Array) -> Distribution:
        """Return the distribution of all numbers in an array."""
        return cls(float(values.mean()), float(values.std()), float(values.min()), float(values.max()))


@dataclass(frozen=True)
class LayerHealth:
    """What was measured of one layer.

    Attributes:
        name: as in `Network.named_parameters`, such as "dense_1".
        words: a description, such as "16 relu".
        number: of the step, from 0.
        hidden: whether it comes before the last layer with parameters.
        units: the number of its outputs for each row.
        z, a: the distribution of pre-activations and activations.
        dead: the fraction of units whose slope is exactly 0 in every row; None where units cannot die.
        saturated: the fraction of units on a flat end of their activation in nearly every row; None where the
            activation does not have two flat ends.
        weight_norm: the Euclidean norm of its parameters; None without parameters.
        gradient_norm: the norm of their gradient.
        update_ratio: the norm of the next update divided by that of the weights; None where the optimizer's
            slots are unknown.
        effective_rank: the number of directions that its activations fill: exp of the entropy of their
            singular values (Roy and Vetterli, 2007); None where it was not computed.
        unit: what `dead` and `saturated` count: "unit", or "filter" of a convolution, whose outputs at all
            places in all rows count together.
        count: the number of these.
    """

    name: str
    words: str
    number: int
    hidden: bool
    units: int
    z: Distribution
    a: Distribution
    dead: float | None
    saturated: float | None
    weight_norm: float | None
    gradient_norm: float | None
    update_ratio: float | None
    effective_rank: float | None
    unit: str = "unit"
    count: int = 0


@quiet
def measure(
    model: Model,
    x: InputRows,
    gradient: Array | None = None,
    update: Array | None = None,
    rank_rows: int = 0,
) -> list[LayerHealth]:
    """Return the health of each step that has parameters or an activation.

    Args:
        model: the network to measure.
        x: encoded rows.
        gradient: laid out like the parameters.
        update: what the optimizer would subtract next, laid out like the parameters.
        rank_rows: how many rows the effective ranks are computed from, which takes longer than everything
            else; 0 for none.
    """
    architecture = model.architecture
    _, passed = architecture.forward(model.views, x)
    last = max((step.number for step in architecture.steps if step.parameters), default=-1)
    found = []
    for step, one in zip(architecture.steps, passed, strict=True):
        if not step.parameters and step.activation is None:
            continue
        flat = (None, None) if step.activation is None else flat_fractions(step.activation, one.z, one.a)
        own = slice(step.parameters[0].start, step.parameters[-1].stop) if step.parameters else slice(0)
        norms = [
            None if not step.parameters or vector is None else norm(vector[own])
            for vector in (model.parameters, gradient, update)
        ]
        found.append(
            LayerHealth(
                name=step.name,
                words=step.layer.describe(),
                number=step.number,
                hidden=step.number < last,
                units=step.outputs,
                z=Distribution.of(one.z),
                a=Distribution.of(one.a),
                dead=flat[0],
                saturated=flat[1],
                weight_norm=norms[0],
                gradient_norm=norms[1],
                update_ratio=None if norms[2] is None or not norms[0] else norms[2] / norms[0],
                effective_rank=effective_rank(one.a[:rank_rows]) if rank_rows else None,
                unit=_unit(step),
                count=step.shape[-1] if step.shape else 1,
            )
        )
    return found


def _unit(step: Step) -> str:
    """Return what the last axis of a step's outputs counts."""
    unit = step.layer.arithmetic.unit
    return "channel" if unit == "unit" and len(step.shape) > 1 else unit


def norm(vector: Array) -> float:
    """Return the Euclidean norm, without the BLAS."""
    return float(np.sqrt(np.square(vector, dtype=np.float64).sum()))


def flat_fractions(activation: Activation, z: Array, a: Array) -> tuple[float | None, float | None]:
    """Return the fractions of units that are dead and saturated, None where they cannot be.

    >>> flat_fractions(gg.ReLU(), np.array([[-1.0, 1.0], [-2.0, -1.0]]), np.array([[0.0, 1.0], [0.0, 0.0]]))
    (0.5, None)
    """
    two_ended = activation.saturates and bool(np.isfinite(activation.range).all())
    if activation.per_row or not (activation.can_die or two_ended):
        return None, None
    zero = np.zeros((1, 1), dtype=z.dtype)
    steep = float(np.abs(activation.backward(np.ones_like(zero), zero, activation.forward(zero))).max())
    rows = z.reshape(-1, z.shape[-1])
    slope = np.abs(activation.backward(np.ones_like(rows), rows, a.reshape(rows.shape)))
    dead = float((slope == 0).all(axis=0).mean()) if activation.can_die else None
    saturated = float(((slope < FLAT * steep).mean(axis=0) >= MOSTLY).mean()) if two_ended else None
    return dead, saturated


def effective_rank(a: Array) -> float:
    """Return exp of the entropy of the normalized singular values of the activations about their mean.

    >>> effective_rank(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]))
    2.0
    """
    rows = a.reshape(len(a), -1).astype(np.float64)
    if not np.isfinite(rows).all():
        return float("nan")
    rows -= rows.mean(axis=0)
    if rows.shape[1] > WIDE * len(rows):  # the products of the rows with each other are far fewer numbers
        values = np.sqrt(np.maximum(np.linalg.eigvalsh(rows @ rows.T), 0))
    else:
        values = np.linalg.svd(rows, compute_uv=False)
    if not values.sum() > 0:
        return 0.0
    p = values[values > 0] / values.sum()
    return round(float(np.exp(-(p * np.log(p)).sum())), 6)


def next_update(
    optimizer: Updater,
    slots: Mapping[str, Array],
    update: int,
    rate: float,
    gradient: Array,
    parameters: Array,
    penalized: Array,
) -> Array:
    """Return what a step optimizer would subtract at update number `update`, without changing its slots."""
    own = {name: slot.copy() for name, slot in slots.items()}
    return change_of(optimizer, gradient.copy(), norm(gradient), own, update, rate, parameters, penalized)
