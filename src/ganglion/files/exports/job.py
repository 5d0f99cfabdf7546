"""What is exported: columns, a network, and what its outputs mean."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.core.inputs import Input, is_single
from ganglion.core.model import Model
from ganglion.core.part import Array

if TYPE_CHECKING:
    from ganglion.files.exports.inputs import Coded

ROWS_TO_TRY, MOST_IN_BAG = 16, 7


@dataclass(frozen=True)
class Answer:
    """What some of the outputs mean: the probabilities of classes, or a number.

    Args:
        name: of the column that is predicted.
        first, last: which outputs.
        labels: the classes as text; () for a number.
        classes: the classes themselves.
        center, scale: of a number: output * scale + center.
        temperature, class_weights, positive, threshold: of classes, see `Calibration`.
    """

    name: str
    first: int
    last: int
    labels: tuple[str, ...] = ()
    classes: tuple[Any, ...] = ()
    center: float = 0.0
    scale: float = 1.0
    temperature: float = 1.0
    class_weights: tuple[float, ...] = ()
    positive: int = 1
    threshold: float | None = None

    @property
    def is_calibrated(self) -> bool:
        """Whether the outputs are not yet the probabilities."""
        return self.temperature != 1.0 or bool(self.class_weights)

    @property
    def width(self) -> int:
        """The number of outputs."""
        return self.last - self.first


@dataclass(frozen=True)
class Job:
    """All that an exported file does.

    Args:
        model: the network.
        ask: returns what the model answers for some rows, (n, numbers): probabilities, numbers in their own
            units, or a network's outputs; with other parameters of the network, if they are given.
        columns: of a table; () for a network by itself, whose rows are numbers.
        answers: what the outputs mean; () for a network by itself.
        missing: words that stand for a missing value, in lower case.
        description: of the model, a line.
    """

    model: Model
    ask: Callable[[Sequence[Any], Array | None], Array]
    columns: tuple[Coded, ...] = ()
    answers: tuple[Answer, ...] = ()
    missing: tuple[str, ...] = ()
    description: str = "a network"

    def rows_to_try(self, count: int = ROWS_TO_TRY) -> list[Any]:
        """Return rows at random, the same for the same model: values by column, or by input."""
        random = np.random.Generator(np.random.Philox(key=0))
        if self.columns:
            return [{each.column: each.draw(random) for each in self.columns} for _ in range(count)]
        return [{name: _drawn(part, random) for name, part in self.inputs.items()} for _ in range(count)]

    def units(self, expected: Array) -> Array:
        """Return for each number of an answer what differences are measured by: 1 for a probability."""
        if not self.answers:
            return np.abs(expected).max(axis=0, initial=1.0)
        each = [[1.0] * answer.width if answer.labels else [answer.scale] for answer in self.answers]
        return np.concatenate(each)

    @property
    def inputs(self) -> dict[str, Input]:
        """The network's inputs by the name of a variable; "inputs" if there is only one."""
        inputs = self.model.architecture.inputs
        names = ["inputs"] if is_single(inputs) else identifiers(inputs)
        return dict(zip(names, inputs.values(), strict=True))

    @property
    def outputs(self) -> int:
        """The number of numbers that the network gives for a row."""
        return math.prod(self.model.architecture.steps[-1].shape)


def _drawn(part: Input, random: np.random.Generator) -> Array:
    """Return a value of an input at random."""
    if part.holds == "bags":
        return random.integers(part.below, size=int(random.integers(MOST_IN_BAG + 1)))
    if part.holds == "integers":
        return np.asarray(random.integers(part.below, size=part.row_shape))
    return random.normal(size=part.row_shape).astype(np.float32)


def identifiers(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Return different names of variables for some names, in lower case, such as "sepal_length"."""
    used, found = set(taken), []
    for name in names:
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "value"
        plain = f"_{plain}" if plain[0].isdigit() else plain
        chosen, number = plain, 2
        while chosen in used:
            chosen, number = f"{plain}_{number}", number + 1
        used.add(chosen)
        found.append(chosen)
    return found
