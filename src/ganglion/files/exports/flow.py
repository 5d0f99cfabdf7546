"""The order of work in one row: which values there are, where each is kept, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from ganglion.core.architecture import Architecture
from ganglion.files.exports.layers import writing_of


@dataclass(frozen=True)
class Places:
    """Where the values of a network lie in one array of numbers.

    Args:
        at: the first place of each value, by its number; inputs of the network have none.
        size: of the array.
    """

    at: dict[int, int]
    size: int


def value_of(architecture: Architecture) -> dict[int, int]:
    """Return for each value the one whose numbers it has: itself, or what a step passed on."""
    found = {number: number for number in range(len(architecture.values))}
    for step in architecture.steps:
        if writing_of(step).passes_on and step.activation is None:
            found[step.writes] = found[step.reads[0]]
    return found


def plan_places(architecture: Architecture) -> Places:
    """Return places for all values, such that values needed at the same time do not overlap."""
    same, last_read = value_of(architecture), dict[int, int]()
    steps = architecture.steps
    for number, step in enumerate(steps):
        for read in step.reads:
            last_read[same[read]] = number
    last_read[same[steps[-1].writes]] = len(steps)
    at, sizes, size = dict[int, int](), dict[int, int](), 0
    for number, step in enumerate(steps):
        if same[step.writes] != step.writes:
            continue
        busy = sorted((at[v], at[v] + sizes[v]) for v in at if last_read.get(v, -1) >= number)
        first = 0
        for start, stop in busy:
            if start - first >= step.outputs:
                break
            first = max(first, stop)
        at[step.writes], sizes[step.writes] = first, step.outputs
        size = max(size, first + step.outputs)
    return Places(at, size)
