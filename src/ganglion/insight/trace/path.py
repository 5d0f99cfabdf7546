"""The chain rule as equations, factor by factor: the path of a gradient from one number to the loss."""

from __future__ import annotations

from collections.abc import Sequence

from ganglion.insight.trace.activations import activation_backward
from ganglion.insight.trace.equation import Equation, Factor, Sum, Symbol, Term
from ganglion.insight.trace.layer_trace import Index, LayerTrace, required
from ganglion.insight.trace.losses import Objective

Reader = tuple[int, int]
"""A step that reads a value, by its number, and which of the values it reads this one is."""


def path_to_loss(
    layers: Sequence[LayerTrace],
    readers_of: Sequence[Sequence[Reader]],
    objective: Objective,
    number: int,
    row: int,
    index: Index,
) -> list[Equation]:
    """Return the equations from dL/dz of one unit to the loss, along the largest path.

    Args:
        layers: the traces of all steps of the network.
        readers_of: the readers of each value.
        objective: the loss and its targets.
        number: of the step where the path starts.
        row: of the batch.
        index: of the unit in the step's output.
    """
    equations: list[Equation] = []
    here: Index | None = index
    while here is not None:
        part = layers[number]
        is_last = number == len(layers) - 1
        if is_last and objective.from_z:
            return [*equations, *objective.shortcut(part, row, here)]
        found, here = activation_backward(part, row, here)
        equations += found
        if here is None:
            break
        if is_last:
            return [*equations, *objective.backward(part, row, here)]
        readers = readers_of[part.step.writes]
        carried = [(_carried(layers, reader, row, here), reader) for reader in readers]
        number, which = max(carried, key=lambda each: abs(each[0]))[1]
        if len(readers) > 1:
            left = Symbol("a", part.name, here, gradient=True)
            terms = [
                Term((Factor(Symbol(f"back from {layers[reader[0]].name}"), value),))
                for value, reader in carried
            ]
            total = float(required(part.grad_a)[(row, *here)])
            equations.append(Sum(left, total, f"the sum over all paths from {part.name}", tuple(terms)))
        found, here = layers[number].layer.arithmetic.backward(layers[number], row, here, which)
        equations += found
    return equations


def _carried(layers: Sequence[LayerTrace], reader: Reader, row: int, index: Index) -> float:
    """Return the gradient that one reader of a value sends back to one of its numbers."""
    number, which = reader
    return float(layers[number].grad_x(which)[(row, *index)])
