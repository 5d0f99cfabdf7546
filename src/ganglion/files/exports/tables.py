"""The arrays of numbers of a file in C or JavaScript: each under a name, once; and weights in a byte each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.files.exports.job import Job, identifiers
from ganglion.files.exports.layers import writing_of

LARGEST = 127  # of a byte
ROWS_TO_COMPARE = 1000


@dataclass(frozen=True)
class Written:
    """One step with its arrays.

    Args:
        step: the step.
        arrays: by their own names, such as "weight".
        names: their names in the file, such as "dense_1_weight".
    """

    step: Step
    arrays: Mapping[str, Array]
    names: Mapping[str, str]


def steps_of(job: Job) -> Iterator[Written]:
    """Yield each step of a network with its parameters, state and tables as float32."""
    model = job.model
    used: list[str] = []
    for step in model.architecture.steps:
        arrays = {entry.short: entry.of(model.parameters) for entry in step.parameters}
        arrays |= {entry.short: entry.of(model.state) for entry in step.state}
        arrays |= writing_of(step).tables(step)
        names = identifiers((f"{step.name}_{short}" for short in arrays), used)
        used += names
        yield Written(
            step,
            {short: np.asarray(each, np.float32) for short, each in arrays.items()},
            dict(zip(arrays, names, strict=True)),
        )


def in_bytes(weight: Array) -> tuple[Array, Array]:
    """Return weights as whole numbers from -127 to 127, and by what those of each unit are multiplied."""
    largest = np.abs(weight).max(axis=tuple(range(weight.ndim - 1)))
    scale = (np.where(largest > 0, largest, 1) / LARGEST).astype(np.float32)
    return np.rint(weight / scale).clip(-LARGEST, LARGEST).astype(np.int8), scale


def loss_in_bytes(job: Job) -> str:
    """Return how far answers with a byte for each weight are from those of the model, in words."""
    rows = job.rows_to_try(ROWS_TO_COMPARE)
    exact, rounded = job.ask(rows, None), job.ask(rows, as_if_in_bytes(job))
    worst = (np.abs(exact - rounded) / job.units(exact)).max()
    found, first = [f"With a byte for each weight, answers differ by at most {worst:.2g}"], 0
    for answer in job.answers:
        own = slice(first, first + (answer.width if answer.labels else 1))
        first = own.stop
        if answer.labels:
            same = exact[:, own].argmax(axis=1) == rounded[:, own].argmax(axis=1)
            found.append(f"{same.mean():.1%} of the classes of {answer.name} are the same")
    return "; ".join(found) + f", on {ROWS_TO_COMPARE:,} random rows."


def as_if_in_bytes(job: Job) -> Array:
    """Return the network's parameters with each weight rounded as `in_bytes` rounds it."""
    found = job.model.parameters.copy()
    for entry in job.model.architecture.parameters:
        if entry.short == "weight":
            own = entry.of(found)
            whole, scale = in_bytes(own)
            own[...] = whole * scale
    return found
