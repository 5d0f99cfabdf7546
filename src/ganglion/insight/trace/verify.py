"""Verification of the backward pass: every gradient against a central difference."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.core.architecture import Architecture
from ganglion.core.layers import Context
from ganglion.core.layers.base import Weights
from ganglion.core.part import Array, plain
from ganglion.core.steps import Entry
from ganglion.insight.trace.layer_trace import LayerTrace

STEP = 1e-5
SHORTER = 8.0  # how many times shorter the second step is, where the first did not agree
NUMBERS_AT_ONCE = 2_000_000
LEAST = 1e-5  # smaller gradients are lost in the rounding errors of the differences
DOUBTFUL = 1e-6  # places with a larger error are checked again
AGREES = 1e-4  # of the largest gradient: a real mistake is larger


@dataclass(frozen=True)
class Verification:
    """How well the gradient agrees with central differences.

    Attributes:
        worst: the largest error, divided by the largest gradient, or by 1e-5 times the loss's factor if that
            is larger; infinite if a gradient or a loss is not finite.
        where: the parameter with the largest error and its index, such as "dense_1/weight[3, 2]".
        gradient, difference: the two numbers at that place.
        count: how many gradients were compared.
        kinks: how many were left out because they lie at a kink of an activation (ReLU at 0) or loss: the
            slopes to the left and right differ, and the gradient is one of them or between them.
    """

    worst: float
    where: str
    gradient: float
    difference: float
    count: int
    kinks: int

    @property
    def agrees(self) -> bool:
        """Whether every gradient is within 0.0001 of the largest of its central difference."""
        return self.worst <= AGREES

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON data."""
        return plain(dataclasses.asdict(self))

    def __str__(self) -> str:
        kinks = f" ({self.kinks} more lie at a kink, where there is no derivative)" if self.kinks else ""
        if not self.count:
            return f"there is no gradient to verify{kinks}"
        how = "agree" if self.agrees else "DISAGREE"
        return (
            f"{self.count:,} gradients {how} with central differences, the worst by {self.worst:.1e} of the "
            f"largest{kinks}\nthe worst is {self.where}: {self.gradient:.9g} by backpropagation, "
            f"{self.difference:.9g} by difference"
        )

    __repr__ = __str__


def verify(
    architecture: Architecture,
    parameters: Array,
    layers: Sequence[LayerTrace],
    gradient: Array,
    loss_of: Callable[[Array], Array],
    context: Context,
    factor: float,
    *,
    to_z: bool,
) -> Verification:
    """Compare each number of a gradient with the change of the loss when that parameter moves.

    Args:
        architecture: of the network.
        parameters: as a float64 vector.
        layers: the numbers of the forward pass.
        gradient: to verify, laid out like the parameters.
        loss_of: returns the mean loss of each of several batches of outputs, stacked along the first axis.
        context: of the forward pass.
        factor: that the loss, and thus its rounding error, is multiplied by.
        to_z: whether `loss_of` takes the outputs' pre-activations.
    """
    onward = _Onward(architecture, layers, context, to_z)
    now = float(loss_of(onward.outputs)[0])
    step = STEP * np.maximum(1.0, np.abs(parameters))

    def slopes(places: Array, length: Array) -> tuple[Array, Array]:
        """Return the slopes of the loss to the right and to the left of some parameters."""
        found = np.empty((2, len(places)))
        for entry in architecture.parameters:
            inside = np.flatnonzero((places >= entry.start) & (places < entry.stop))
            size = max(1, NUMBERS_AT_ONCE // (layers[entry.step].z.size * 2))
            for part in (inside[first : first + size] for first in range(0, len(inside), size)):
                for side, sign in enumerate((1.0, -1.0)):
                    outputs = onward.moved(entry, places[part] - entry.start, sign * length[part])
                    found[side, part] = (loss_of(outputs) - now) * sign / length[part]
        return found[0], found[1]

    right, left = slopes(np.arange(gradient.size), step)
    largest = max(float(np.abs(gradient[np.isfinite(gradient)]).max(initial=0.0)), LEAST * factor)
    difference = (right + left) / 2
    error = np.abs(gradient - difference) / largest
    error[~np.isfinite(error)] = np.inf
    doubtful = np.flatnonzero(error > DOUBTFUL)
    nearer_right, nearer_left = slopes(doubtful, step[doubtful] / SHORTER)
    # The gap between the two slopes shrinks with the step where the loss is smooth, and stays at a kink.
    gap, nearer_gap = (right - left)[doubtful], nearer_right - nearer_left
    slack = DOUBTFUL * largest + 0.1 * np.abs(nearer_gap)
    between = (np.minimum(nearer_right, nearer_left) - slack <= gradient[doubtful]) & (
        gradient[doubtful] <= np.maximum(nearer_right, nearer_left) + slack
    )
    kink = np.zeros(gradient.size, dtype=bool)
    kink[doubtful] = (np.abs(nearer_gap) > 0.5 * np.abs(gap)) & between & (np.abs(gap) > DOUBTFUL * largest)
    return _judged(architecture, gradient, difference, np.where(kink, 0.0, error), kink)


class _Onward:
    """The outputs after one parameter has moved, for many parameters at once.

    One batch for each move is stacked along the first axis. Values that do not depend on the step whose
    parameter moves are reused.
    """

    def __init__(
        self, architecture: Architecture, layers: Sequence[LayerTrace], context: Context, to_z: bool
    ) -> None:
        self.architecture, self.layers, self.context, self.to_z = architecture, layers, context, to_z

    @property
    def outputs(self) -> Array:
        """The outputs with nothing moved."""
        last = self.layers[-1]
        return last.z if self.to_z else last.a

    def moved(self, entry: Entry, places: Array, moves: Array) -> Array:
        """Return the outputs with each of several numbers of a parameter moved, batch after batch."""
        part = self.layers[entry.step]
        found = part.layer.arithmetic.moved(part, entry.short, places, moves)
        if found is None:
            found = np.stack([self._one(part, entry, *each) for each in zip(places, moves, strict=True)])
        values: dict[int, Array] = {part.step.writes: self._activated(part, found)}
        for later in self.layers[entry.step + 1 :]:
            if any(value in values for value in later.step.reads):
                values[later.step.writes] = self._activated(later, self._forward(later, values, len(found)))
        last = values[self.layers[-1].step.writes]
        return last.reshape(-1, *last.shape[2:])

    def _here(self, part: LayerTrace) -> Context:
        return self.context._replace(layer=part.step.stream)

    def _one(self, part: LayerTrace, entry: Entry, place: int, move: float) -> Array:
        changed = getattr(part.weights, entry.short).copy()
        changed.flat[place] += move
        weights = Weights(**{**vars(part.weights), entry.short: changed})
        return part.layer.forward(weights, part.x, self._here(part))[0]

    def _activated(self, part: LayerTrace, z: Array) -> Array:
        if part.activation is None or (self.to_z and part is self.layers[-1]):
            return z
        rows = z.reshape(-1, *z.shape[2:])
        return part.activation.forward(rows).reshape(z.shape)

    def _forward(self, part: LayerTrace, values: dict[int, Array], batches: int) -> Array:
        """Return the output of a step for batches in which some of its inputs have changed."""
        unmoved = part.x if isinstance(part.x, tuple) else (part.x,)
        read = [
            values.get(value, np.broadcast_to(was, (batches, *np.shape(was))))
            for value, was in zip(part.step.reads, unmoved, strict=True)
        ]
        context, layer = self._here(part), part.layer
        if layer.is_built_in and not (context.training and (layer.is_random or layer.uses_batch)):
            read = [each.reshape(-1, *each.shape[2:]) for each in read]  # rows are independent
            together: Any = read[0] if len(read) == 1 else tuple(read)
            z = layer.forward(part.weights, together, context)[0]
            return z.reshape(batches, -1, *z.shape[1:])
        found = []
        for each in zip(*read, strict=True):
            one: Any = each[0] if len(each) == 1 else each
            found.append(layer.forward(part.weights, one, context)[0])
        return np.stack(found)


def _judged(
    architecture: Architecture, gradient: Array, difference: Array, error: Array, kink: Array
) -> Verification:
    count, kinks = int((~kink).sum()), int(kink.sum())
    if not count:
        return Verification(0.0, "", 0.0, 0.0, 0, kinks)
    at = int(error.argmax())
    entry = next(e for e in architecture.parameters if e.start <= at < e.stop)
    place = [int(i) for i in np.unravel_index(at - entry.start, entry.shape)]
    where = f"{entry.name}{place}"
    return Verification(float(error[at]), where, float(gradient[at]), float(difference[at]), count, kinks)
