"""Every gradient against a central difference: the proof that backward is right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.core.architecture import Architecture
from ganglion.core.layers import BatchNormalization, Context, Dense, Layer
from ganglion.core.layers.base import Weights
from ganglion.core.part import Array, plain

STEP = 1e-5
SHORTER = 8.0  # how many times shorter a second step is, where the first one did not agree
NUMBERS_AT_ONCE = 2_000_000
LEAST = 1e-5  # gradients below this drown in the rounding of the differences
DOUBTFUL = 1e-6  # a difference from which on the place is looked at again
AGREES = 1e-4  # of the largest gradient: any real mistake is larger


@dataclass(frozen=True)
class Verification:
    """How well the gradient agrees with central differences.

    Attributes:
        worst: the largest difference, divided by the largest gradient, or by 1e-5 times the loss's factor
            if that is more; infinite where a gradient or a loss is not finite.
        where: the parameter and the place of it, such as "dense_1/weight[3, 2]".
        gradient, difference: the two numbers at that place.
        count: how many gradients were compared.
        kinks: how many lie at a kink of an activation (ReLU at 0) or loss, where the slopes to the left and
            to the right differ and the gradient is one of them or between; they are left out.
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
        kinks = f" ({self.kinks} more lie at a kink, where there is no slope)" if self.kinks else ""
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
    state: Array,
    x: Array,
    gradient: Array,
    loss_of: Callable[[Array], Array],
    context: Context,
    factor: float,
) -> Verification:
    """Compare a gradient, number by number, with what moving that number does to the loss.

    Everything is in float64. `loss_of` gives the mean loss of each of several batches of outputs, stacked
    along the first axis; `factor` is what it is multiplied by, and its rounding with it.
    """
    weights = architecture.views(parameters, state)
    inputs = [x]
    for place, layer in enumerate(architecture.layers):
        inputs.append(layer.forward(weights[place], inputs[-1], context._replace(layer=place))[0])
    now = float(loss_of(inputs[-1])[0])
    step = STEP * np.maximum(1.0, np.abs(parameters))

    def slopes(places: Array, length: Array) -> tuple[Array, Array]:
        """Return the slopes of the loss to the right and to the left of some parameters."""
        found = np.empty((2, len(places)))
        for entry in architecture.parameters:
            layer, width = architecture.layers[entry.layer], inputs[entry.layer + 1].size
            inside = np.flatnonzero((places >= entry.start) & (places < entry.stop))
            size = max(1, NUMBERS_AT_ONCE // (width * 2))
            for part in (inside[first : first + size] for first in range(0, len(inside), size)):
                for side, sign in enumerate((1.0, -1.0)):
                    moved = _moved(
                        layer,
                        weights[entry.layer],
                        entry.name.rpartition("/")[2],
                        places[part] - entry.start,
                        sign * length[part],
                        inputs[entry.layer],
                        inputs[entry.layer + 1],
                        context._replace(layer=entry.layer),
                    )
                    outputs = _onward(architecture, weights, entry.layer + 1, moved, context)
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


def _moved(
    layer: Layer,
    weights: Weights,
    name: str,
    places: Array,
    moves: Array,
    x: Array,
    a: Array,
    context: Context,
) -> Array:
    """Return what a layer gives with one parameter moved, of shape (places, n, ...)."""
    activation = layer.split_activation()[1]
    if type(layer) is Dense and activation is not None:  # one weight moves one z by the move times its input
        z = x @ weights.weight + weights.bias
        result = np.repeat(z[None], len(places), axis=0)
        units = a.shape[-1]
        by = x.T[places // units] if name == "weight" else 1.0
        result[np.arange(len(places)), :, places % units] += moves[:, None] * by
        flat: Array = activation.forward(result.reshape(-1, units))
        return flat.reshape(result.shape)
    found = []
    for place, move in zip(places, moves, strict=True):
        changed = getattr(weights, name).copy()
        changed.flat[place] += move
        found.append(layer.forward(Weights(**{**vars(weights), name: changed}), x, context)[0])
    return np.stack(found)


def _onward(
    architecture: Architecture, weights: list[Weights], first: int, batches: Array, context: Context
) -> Array:
    """Return the outputs for several batches, stacked along the first axis."""
    for place in range(first, len(architecture.layers)):
        layer, here = architecture.layers[place], context._replace(layer=place)
        if _knows_rows_alone(layer, context):
            rows = batches.reshape(-1, *batches.shape[2:])
            out = layer.forward(weights[place], rows, here)[0]
            batches = out.reshape(*batches.shape[:2], *out.shape[1:])
        else:
            batches = np.stack([layer.forward(weights[place], batch, here)[0] for batch in batches])
    return batches.reshape(-1, *batches.shape[2:])


def _knows_rows_alone(layer: Layer, context: Context) -> bool:
    """Return whether what a layer makes of a row depends on that row only, not on its batch or its number."""
    if not layer.is_built_in:
        return False
    return not (context.training and (layer.is_random or isinstance(layer, BatchNormalization)))


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
