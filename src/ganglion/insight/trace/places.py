"""Lookup of a layer, a unit, or one number of a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.architecture import Architecture
from ganglion.core.steps import Entry
from ganglion.errors import ConfigError, one_of, shortened
from ganglion.insight.trace.layer_trace import Index


def layer_place(architecture: Architecture, layer: Any) -> int:
    """Return the number of the step with a name.

    Raises:
        ConfigError: if there is no such step.
    """
    names = [step.name for step in architecture.steps]
    if layer not in names:
        raise ConfigError(f"there is no layer {shortened(layer)}", one_of(str(layer), names))
    return names.index(layer)


def parameter_place(architecture: Architecture, parameter: Any, index: Any) -> tuple[Entry, Index]:
    """Return the parameter with a name, such as "dense_1/weight", and an index into it.

    Raises:
        ConfigError: if there is no such parameter or index.
    """
    entries = {entry.name: entry for entry in architecture.parameters}
    if not isinstance(parameter, str) or parameter not in entries:
        hint = one_of(str(parameter), entries)
        raise ConfigError(f"there is no parameter {shortened(parameter)}", hint)
    entry = entries[parameter]
    return entry, place_in(parameter, index, entry.shape)


def place_in(what: str, index: Any, shape: Index) -> Index:
    """Return an index into an array of some shape, given as one number or several.

    Raises:
        ConfigError: if the index is out of range.
    """
    index = index.tolist() if isinstance(index, np.ndarray) else index
    given = tuple(index) if isinstance(index, Sequence) else (index,)
    try:
        numbers = tuple(check_integer("each", each, at_least=0) for each in given)
    except ConfigError as error:
        rule = f"a place in {what} must be whole numbers from 0"
        raise ConfigError(f"{rule}, got {shortened(index)}") from error
    if len(numbers) != len(shape) or any(n >= size for n, size in zip(numbers, shape, strict=True)):
        got = shortened(numbers[0] if len(numbers) == 1 else numbers)
        if len(shape) == 1:
            raise ConfigError(f"{what} has places 0 to {shape[0] - 1}, got {got}")
        raise ConfigError(f"{what} has size {' x '.join(map(str, shape))}, got place {got}")
    return numbers
