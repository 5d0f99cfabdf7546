"""Every gradient against a central difference: the proof that backward is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ganglion.core.architecture import Architecture
from ganglion.core.layers import BatchNormalization, Context, Dense, Layer
from ganglion.core.layers.base import Weights
from ganglion.core.part import Array

STEP = 1e-5
NUMBERS_AT_ONCE = 2_000_000
LEAST = 1e-5  # gradients below this drown in the rounding of the differences
BEND = 1e-4  # slopes to the left and right that differ by more than this share of the largest: a kink


@dataclass(frozen=True)
class Verification:
    """How well the gradient agrees with central differences.

    Attributes:
        worst: the largest difference, divided by the largest gradient, or by 1e-5 if that is more.
        where: the parameter and the place of it, such as "dense_1/weight[3, 2]".
        gradient, difference: the two numbers at that place.
        count: how many gradients were compared.
        kinks: how many lie so near a kink of an activation (ReLU at 0) or loss that there is no slope to
            compare with; they are left out.
    """

    worst: float
    where: str
    gradient: float
    difference: float
    count: int
    kinks: int

    def __str__(self) -> str:
        kinks = f"; {self.kinks} at a kink were left out" if self.kinks else ""
        if not self.count:
            return f"there is no gradient to verify{kinks}"
        return (
            f"{self.count:,} gradients agree with central differences to {self.worst:.1e} of the largest"
            f"{kinks}\nthe worst is {self.where}: {self.gradient:.9g} by backpropagation, "
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
) -> Verification:
    """Compare a gradient, number by number, with what moving that number does to the loss.

    Everything is in float64. `loss_of` gives the mean loss of each of several batches of outputs, stacked
    along the first axis.
    """
    weights = architecture.views(parameters, state)
    inputs = [x]
    for place, layer in enumerate(architecture.layers):
        inputs.append(layer.forward(weights[place], inputs[-1], context._replace(layer=place))[0])
    now = float(loss_of(inputs[-1])[0])
    step = STEP * np.maximum(1.0, np.abs(parameters))
    ahead, behind = np.empty_like(gradient), np.empty_like(gradient)
    for entry in architecture.parameters:
        layer, width = architecture.layers[entry.layer], inputs[entry.layer + 1].size
        chunk = max(1, NUMBERS_AT_ONCE // (width * 2))
        for first in range(entry.start, entry.stop, chunk):
            places = np.arange(first, min(first + chunk, entry.stop))
            own = places - entry.start
            for slopes, sign in ((ahead, 1.0), (behind, -1.0)):
                moved = _moved(
                    layer, weights[entry.layer], entry.name.rpartition("/")[2], own, sign * step[places],
                    inputs[entry.layer], inputs[entry.layer + 1], context._replace(layer=entry.layer),
                )  # fmt: skip
                outputs = _onward(architecture, weights, entry.layer + 1, moved, context)
                slopes[places] = (loss_of(outputs) - now) * sign / step[places]
    return _judged(architecture, gradient, ahead, behind)


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


def _judged(architecture: Architecture, gradient: Array, ahead: Array, behind: Array) -> Verification:
    largest = float(np.abs(gradient).max(initial=LEAST))
    smooth = np.abs(ahead - behind) <= BEND * largest
    difference = (ahead + behind) / 2
    error = np.where(smooth, np.abs(gradient - difference), 0.0) / largest
    if not error.size:
        return Verification(0.0, "", 0.0, 0.0, 0, 0)
    at = int(error.argmax())
    entry = next(e for e in architecture.parameters if e.start <= at < e.stop)
    place = [int(i) for i in np.unravel_index(at - entry.start, entry.shape)]
    return Verification(
        float(error[at]),
        f"{entry.name}{place}",
        float(gradient[at]),
        float(difference[at]),
        int(smooth.sum()),
        int((~smooth).sum()),
    )
