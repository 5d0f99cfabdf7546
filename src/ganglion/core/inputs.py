"""Inputs of a network: real numbers, integers that stand for categories, or bags of these.

An input states the kind and shape of one row's values and converts a user's data to arrays. A network has
one input, whose rows are one array (or `Bags`), or several named inputs, whose rows are a dict. To add a
kind: write the class, add it to the list at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ganglion.checks import check_flag, check_integer
from ganglion.core.arrays import as_array, as_numbers, check_rows_shape
from ganglion.core.bags import Bags
from ganglion.core.part import MOST_AXES, Array, Part, Shape, built_in
from ganglion.core.supply import Supply
from ganglion.errors import ConfigError, DataError, ShapeError, shortened

LARGEST = 2**31
ONLY = "x"  # the name of a network's only input
InputRows = Any  # an array, Bags, or a dict of them by the names of the inputs


@dataclass(frozen=True)
class Input(Part):
    """One input of a network: the kind and the shape of a row's values."""

    kind: ClassVar[str] = "input"
    holds: ClassVar[str]
    """The kind of the values, as in `Layer.takes`."""

    @property
    def row_shape(self) -> Shape:
        """The shape of one row's values; () for a single value and for bags."""
        return ()

    @property
    def below(self) -> int:
        """The exclusive upper bound of integer values; 0 for real numbers."""
        return 0

    def plain(self) -> Any:
        """Return the shortest form that `Network(inputs=...)` accepts."""
        return self

    def read(self, what: str, values: Any, dtype: np.dtype[Any]) -> Any:
        """Return a user's values as an array of shape (n, *row_shape), or as `Bags`.

        Raises:
            DataError, ShapeError: for values of another kind or shape; names the first such row.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class NumberInput(Input):
    """Real numbers, such as the columns of a table or the pixels of an image.

    Args:
        shape: the shape of one row, without the batch axis: 4 or (4,) for four numbers, (28, 28, 1) for an
            image.
    """

    shape: Shape

    name = "numbers"
    holds = "numbers"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _sizes(self.shape))
        if not self.shape:
            raise ConfigError("inputs must have at least one axis", "for single numbers, inputs=1")

    @property
    def row_shape(self) -> Shape:
        return self.shape

    def plain(self) -> Any:
        return self.shape[0] if len(self.shape) == 1 else self.shape

    def read(self, what: str, values: Any, dtype: np.dtype[Any]) -> Array | Supply:
        if isinstance(values, Supply):
            check_rows_shape(what, values, self.shape)
            return values
        return as_numbers(what, values, self.shape, dtype)


@dataclass(frozen=True)
class IntegerInput(Input):
    """Integers from 0 that stand for categories or words, for `Embedding`. They are stored as int64.

    Args:
        categories: the number of categories; each value is from 0 to `categories` - 1.
        shape: the shape of one row: () for one integer, the default; 7 or (7,) for seven.

    >>> gg.IntegerInput(100).read("X", [3, 99], np.dtype("float32"))
    array([ 3, 99])
    """

    categories: int
    shape: Shape = ()

    name = "integers"
    holds = "integers"

    def __post_init__(self) -> None:
        check_integer("categories", self.categories, at_least=1, at_most=LARGEST - 1)
        object.__setattr__(self, "shape", _sizes(self.shape))

    @property
    def row_shape(self) -> Shape:
        return self.shape

    @property
    def below(self) -> int:
        return self.categories

    def read(self, what: str, values: Any, dtype: np.dtype[Any]) -> Array:
        raw = as_array(what, values)
        check_rows_shape(what, raw, self.shape)
        return whole_numbers(what, raw, self.categories)


@dataclass(frozen=True)
class BagInput(Input):
    """Bags: any number of integers per row, such as the words of a text, for `EmbeddingBag`.

    Args:
        categories: the number of categories; each value is from 0 to `categories` - 1.
        weighted: whether each value has a weight; False by default.

    >>> gg.BagInput(100).read("X", [[3, 99], []], np.dtype("float32"))
    Bags(2 rows, 2 values)
    """

    categories: int
    weighted: bool = False

    name = "bags"
    holds = "bags"

    def __post_init__(self) -> None:
        check_integer("categories", self.categories, at_least=1, at_most=LARGEST - 1)
        check_flag("weighted", self.weighted)

    @property
    def below(self) -> int:
        return self.categories

    def read(self, what: str, values: Any, dtype: np.dtype[Any]) -> Bags:
        bags = Bags.of(values)
        whole_numbers(what, bags.indices, self.categories)
        if self.weighted != (bags.weights is not None):
            raise DataError(
                f"{what} must be bags {'with' if self.weighted else 'without'} weights",
                f"or describe them by gg.BagInput({self.categories}, weighted={not self.weighted})",
            )
        return bags.astype(dtype)


def _sizes(shape: Any) -> Shape:
    sizes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
    found = tuple(check_integer("inputs", size, at_least=1) for size in sizes)
    check_shape(found)
    return found


def check_shape(shape: Shape) -> None:
    """Raise `ConfigError` for a shape with too many axes or too many numbers."""
    if len(shape) > MOST_AXES or max(shape, default=1) >= LARGEST or math.prod(shape) >= LARGEST:
        raise ConfigError(
            f"each value in a network must have at most {MOST_AXES} axes and fewer than 2**31 numbers per "
            f"row, got shape {shortened(shape)}"
        )


def whole_numbers(what: str, values: Array, below: int) -> Array:
    """Return values as int64 after checking that each is an integer from 0 to `below` - 1."""
    if values.dtype.kind == "f":
        bad = ~(np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < 2**53))
    else:
        bad = np.zeros(values.shape, dtype=bool)
    bad |= (values < 0) | (values >= below)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        where = f"row {place[0]}" + (f", place {', '.join(map(str, place[1:]))}" if place[1:] else "")
        raise DataError(
            f"{what} must hold whole numbers from 0 to {below - 1}, got {values[place]} in {where}"
        )
    return np.ascontiguousarray(values, dtype=np.int64)


def find_inputs(inputs: Any) -> dict[str, Input]:
    """Return the inputs of a network by name, given what `Network(inputs=...)` accepts.

    Raises:
        ConfigError: if `inputs` does not describe inputs.
    """
    if not isinstance(inputs, Mapping) or isinstance(inputs.get("name"), str):  # one, or its configuration
        return {ONLY: _find_input(inputs)}
    if not inputs:
        raise ConfigError("a network needs at least one input, got none", "for example inputs=4")
    if not all(isinstance(name, str) and name and "/" not in name for name in inputs):
        raise ConfigError(f"inputs must have names without '/', got {shortened(inputs)}")
    return {name: _find_input(value) for name, value in inputs.items()}


def _find_input(value: Any) -> Input:
    if isinstance(value, Input | Mapping):
        return Input.find(value)
    return NumberInput(tuple(value) if isinstance(value, tuple | list) else (value,))


def read_rows(inputs: Mapping[str, Input], x: Any, dtype: np.dtype[Any]) -> InputRows:
    """Return a user's rows in the form of the network's inputs: one array, or a dict of arrays by name.

    Raises:
        DataError, ShapeError: for rows of another kind or shape, or with other names.
    """
    if is_single(inputs):
        return inputs[ONLY].read("X", x, dtype)
    if not isinstance(x, Mapping) or set(x) != set(inputs):
        got = sorted(map(str, x)) if isinstance(x, Mapping) else shortened(x)
        raise DataError(f"X must be a dict with the inputs {', '.join(inputs)}, got {got}")
    rows = {name: part.read(f"X[{name!r}]", x[name], dtype) for name, part in inputs.items()}
    counts = {name: len(values) for name, values in rows.items()}
    if len(set(counts.values())) > 1:
        raise ShapeError(f"all inputs must have the same number of rows, got {counts}")
    return rows


def is_single(inputs: Mapping[str, Input]) -> bool:
    """Return whether rows are one array rather than a dict."""
    return tuple(inputs) == (ONLY,)


def values_of(inputs: Mapping[str, Input], rows: InputRows) -> list[Any]:
    """Return the rows as a list with one entry for each input, in order."""
    return [rows] if is_single(inputs) else [rows[name] for name in inputs]


def count_rows(rows: InputRows) -> int:
    """Return the number of rows."""
    return len(next(iter(rows.values()))) if isinstance(rows, dict) else len(rows)


def take_rows(rows: InputRows, which: Any) -> InputRows:
    """Return some of the rows, given indices or a slice."""
    if isinstance(rows, dict):
        return {name: values[which] for name, values in rows.items()}
    return rows[which]


def as_float64(rows: InputRows) -> InputRows:
    """Return the rows with real numbers in float64; integers keep their type."""
    if isinstance(rows, dict):
        return {name: as_float64(values) for name, values in rows.items()}
    if isinstance(rows, Bags):
        return rows.astype(np.dtype(np.float64))
    return rows.astype(np.float64) if rows.dtype.kind == "f" else rows


def plain_inputs(inputs: Mapping[str, Input]) -> Any:
    """Return the inputs in the form that `Network(inputs=...)` accepts."""
    plain = {name: part.plain() for name, part in inputs.items()}
    return plain[ONLY] if is_single(inputs) else plain


built_in(Input, [NumberInput, IntegerInput, BagInput])
