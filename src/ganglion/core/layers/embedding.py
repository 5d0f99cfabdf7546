"""Embeddings: integers select rows of a learned table, one by one or as a bag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.arithmetic import Arithmetic, Index
from ganglion.core.bags import Bags
from ganglion.core.initializers import Initializer
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.part import Array, PartField, Shape
from ganglion.errors import ConfigError, one_of, shortened

if TYPE_CHECKING:
    from ganglion.core.arithmetic import TracedStep
    from ganglion.core.steps import Flow, Lowering


@dataclass(frozen=True)
class Table(Layer):
    """The base class of embeddings: a table of which a batch reads a few rows.

    Updates are row-sparse. A row that the batch does not read keeps its weights, its optimizer slots and its
    running mean. Weight decay, L1 and L2 act only on the rows that the batch reads; the max-norm rule does
    not apply. The optimizer's update count is the same for all rows.

    Args:
        categories: the number of rows; the input's values are from 0 to `categories` - 1.
        units: the length of each row.
        weight_initializer: the initializer of the table, `SmallRandom` by default.
    """

    categories: int
    units: int
    _: KW_ONLY
    weight_initializer: PartField[Initializer] = PartField(Initializer, "small_random")

    penalized = ("weight",)
    row_sparse = ("weight",)

    def __post_init__(self) -> None:
        check_integer("categories", self.categories, at_least=1, at_most=2**31 - 1)
        check_integer("units", self.units, at_least=1, at_most=2**31)

    def lower(self, into: Lowering, flow: Flow) -> int:
        value = into.single(flow, self)
        if (most := into.values[value].categories) > self.categories:
            raise ConfigError(
                f"{self.name} must have a row for each of the {most} categories of its input, got "
                f"{self.categories} rows"
            )
        return into.step(self, value)

    def parameters(self, shape: Shape) -> Mapping[str, Shape]:
        return {"weight": (self.categories, self.units)}

    def initializers(self) -> Mapping[str, Initializer]:
        return {"weight": self.weight_initializer}

    def describe(self) -> str:
        return f"{self.units} numbers for each of {self.categories:,}"


@dataclass(frozen=True)
class Embedding(Table):
    """a = weight[x]: each integer selects a row of a learned table.

    Args:
        categories: the number of rows; the input's values are from 0 to `categories` - 1.
        units: the length of each row.
        weight_initializer: the initializer of the table, `SmallRandom` by default.

    Updates are row-sparse: rows that a batch does not read keep their weights, optimizer slots and running
    mean, and weight decay, L1 and L2 skip them. The max-norm rule does not apply.

    Shapes: x (n, ...) of integers, weight (categories, units), a (n, ..., units).

    Raises:
        ConfigError: for a setting out of range, or if the input is not an `IntegerInput` or has more
            categories.

    >>> net = gg.Network([gg.Embedding(1000, 8), gg.Dense(1)], inputs=gg.IntegerInput(1000))
    >>> net.predict([3, 999]).shape
    (2, 1)
    """

    name = "embedding"
    takes = ("integers",)

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape, self.units)

    def touched(self, cache: Cache) -> Mapping[str, Array]:
        return {"weight": np.unique(cache)}

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        return weights.weight[x], x

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[None, Mapping[str, Array]]:
        x = cache
        gradient = np.zeros_like(weights.weight)
        np.add.at(gradient, x, grad_z)
        return None, {"weight": gradient}


class EmbeddingArithmetic(Arithmetic):
    """Each output is a copy of one number of the table."""

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        category = int(step.x[(row, *index[:-1])])
        term = step.term(step.own("weight", (category, index[-1])))
        rule = f"row {category} of the table"
        return [step.sum(step.out(index), step.z[(row, *index)], rule, (term,))]

    def parameter(self, step: TracedStep, name: str, index: Index) -> list[tuple[Any, int, Index]] | None:
        found = []
        for place in np.argwhere(step.x == index[0]):
            row, where = int(place[0]), (*map(int, place[1:]), index[1])
            found.append((step.term(step.grad_out(row, where), note=step.row_note(row)), row, where))
        return found or None


Embedding.arithmetic = EmbeddingArithmetic()


@dataclass(frozen=True)
class EmbeddingBag(Table):
    """a = the mean or sum of the rows of a learned table that a bag selects (Joulin et al., 2016).

    With weights w, the sum is sum_i w_i weight[x_i], and the mean divides it by sum_i |w_i|. For an empty
    bag, or one whose weights are all 0, the output is zero.

    Args:
        categories: the number of rows; the input's values are from 0 to `categories` - 1.
        units: the length of each row.
        mode: "mean", the default, or "sum".
        weight_initializer: the initializer of the table, `SmallRandom` by default.

    Updates are row-sparse, as in `Embedding`.

    Shapes: x n bags, weight (categories, units), a (n, units).

    Raises:
        ConfigError: for a setting out of range, or if the input is not a `BagInput` or has more categories.

    >>> net = gg.Network([gg.EmbeddingBag(1000, 8), gg.Dense(1)], inputs=gg.BagInput(1000))
    >>> net.predict([[3, 999, 3], []]).shape
    (2, 1)
    """

    mode: str = "mean"

    name = "embedding_bag"
    takes = ("bags",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mode not in ("mean", "sum"):
            raise ConfigError(
                f"there is no mode {shortened(self.mode)}", one_of(str(self.mode), ["mean", "sum"])
            )

    def settings(self) -> dict[str, float]:
        return super().settings() | {"mean": float(self.mode == "mean")}

    def output_shape(self, shape: Shape) -> Shape:
        return (self.units,)

    def touched(self, cache: Cache) -> Mapping[str, Array]:
        bags, _, _ = cache
        return {"weight": np.unique(bags.indices)}

    def forward(self, weights: Weights, x: Any, context: Context) -> tuple[Array, Cache]:
        row = np.repeat(np.arange(len(x)), np.diff(x.offsets))
        factors = self.factors(x, row, weights.weight.dtype)
        a = np.zeros((len(x), self.units), dtype=weights.weight.dtype)
        np.add.at(a, row, weights.weight[x.indices] * factors[:, None])
        return a, (x, row, factors)

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[None, Mapping[str, Array]]:
        bags, row, factors = cache
        gradient = np.zeros_like(weights.weight)
        np.add.at(gradient, bags.indices, grad_z[row] * factors[:, None])
        return None, {"weight": gradient}

    def factors(self, bags: Bags, row: Array, dtype: Any) -> Array:
        """Return the factor of each value's row."""
        own = np.ones(len(row), dtype=dtype) if bags.weights is None else bags.weights.astype(dtype)
        if self.mode == "sum":
            return own
        total = np.zeros(len(bags), dtype=dtype)
        np.add.at(total, row, np.abs(own))
        return own / np.where(total > 0, total, 1)[row]


class EmbeddingBagArithmetic(Arithmetic):
    """Each output is a sum over the values in the bag."""

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        bags, rows, factors = step.cache
        terms = [
            step.term(
                step.own("weight", (int(bags.indices[i]), index[0])), step.factor(f"factor[{i}]", factors[i])
            )
            for i in np.flatnonzero(rows == row)
        ]
        return [step.sum(step.out(index), step.z[(row, *index)], "rows of the table · their factors", terms)]

    def parameter(self, step: TracedStep, name: str, index: Index) -> list[tuple[Any, int, Index]] | None:
        bags, rows, factors = step.cache
        found: list[tuple[Any, int, Index]] = []
        for i in np.flatnonzero(bags.indices == index[0]):
            row, where = int(rows[i]), (index[1],)
            factor = step.factor(f"factor[{i}]", factors[i])
            found.append((step.term(factor, step.grad_out(row, where), note=step.row_note(row)), row, where))
        return found or None


EmbeddingBag.arithmetic = EmbeddingBagArithmetic()
