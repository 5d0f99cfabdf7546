"""The numbers of n-grams, a byte each, which are summed over a text."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from ganglion.core.bags import Bags
from ganglion.core.inputs import BagInput
from ganglion.core.layers import EmbeddingBag
from ganglion.core.part import Array
from ganglion.errors import ConfigError
from ganglion.network import Network
from ganglion.text.weighing import rarity, weighed

LARGEST = 127  # of a byte
MOST_SCALE = 1e15
ARRAYS = "buckets", "documents", "weights", "scales", "bias", "names"
BETWEEN = "\n"  # names, none of which holds a gap


@dataclass(frozen=True)
class GramNumbers:
    """Some numbers for each n-gram in use.

    Args:
        buckets: those in use, ascending, uint32.
        documents: the number of training rows in which each occurs, uint32.
        weights: int8, one row for each bucket, and `scales`, by which each row is multiplied.
        bias: the sums of a text in which nothing is known.
        names: uint8, the n-grams that fell into each bucket, one line of UTF-8 for each; empty if they were
            not kept.
        bits: there are 2^bits buckets.
        rows: the number of training rows.
    """

    buckets: Array
    documents: Array
    weights: Array
    scales: Array
    bias: Array
    names: Array
    bits: int
    rows: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GramNumbers) and all(
            np.array_equal(a, b) for a, b in zip(self.arrays().values(), other.arrays().values(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def of(cls, buckets: Array, documents: Array, table: Array, bits: int, rows: int) -> Self:
        """Return numbers rounded to a byte each; row 0 of the table is the bias."""
        bias, numbers = table[0].astype(np.float32), table[1:]
        largest = np.abs(numbers).max(axis=1, initial=0)
        scales = short(largest / LARGEST)
        whole = np.rint(numbers / np.where(scales > 0, scales, 1)[:, None]).clip(-LARGEST, LARGEST)
        counts = buckets.astype(np.uint32), documents.astype(np.uint32)
        return cls(*counts, whole.astype(np.int8), scales, bias, np.zeros(0, np.uint8), bits, rows)

    def part(self, which: Array, documents: Array, rows: int) -> Self:
        """Return the numbers of some buckets, which occur in so many of other training rows."""
        return dataclasses.replace(
            self,
            buckets=self.buckets[which],
            documents=documents.astype(np.uint32),
            weights=self.weights[which],
            scales=self.scales[which],
            rows=rows,
        )

    def named(self, names: Mapping[int, str]) -> Self:
        """Return these numbers with the n-grams of each bucket."""
        lines = BETWEEN.join(names.get(bucket, "") for bucket in self.buckets.tolist())
        return dataclasses.replace(self, names=np.frombuffer(lines.encode("utf-8"), np.uint8))

    @property
    def grams(self) -> list[str]:
        """The n-grams that fell into each bucket; none if they were not kept."""
        return bytes(self.names).decode("utf-8").split(BETWEEN) if self.names.size else []

    @cached_property
    def places(self) -> Array:
        """The row of each bucket in the table; 0 of those not in use."""
        found = np.zeros(2**self.bits, np.int32)
        found[self.buckets] = np.arange(1, len(self.buckets) + 1)
        return found

    @cached_property
    def rarity(self) -> Array:
        """How much the rarity of each row's n-gram weighs."""
        return np.concatenate([[1.0], rarity(self.documents, self.rows)])

    def weighed(self, parts: Sequence[Bags]) -> Bags:
        """Return the rows of the table for each text, of which the first is the bias, and their weights.

        Args:
            parts: what was counted in the texts, by kind of n-gram.
        """
        return weighed(parts, self.places, self.rarity)

    @property
    def input(self) -> BagInput:
        """What a network of these sums takes."""
        return BagInput(len(self.buckets) + 1, weighted=True)

    @cached_property
    def network(self) -> Network:
        """The network of the sums."""
        network = Network([EmbeddingBag(len(self.buckets) + 1, len(self.bias), "sum")], self.input)
        (table,) = network.named_parameters().values()
        table[0] = self.bias
        table[1:] = self.weights * self.scales[:, None]
        return network

    @property
    def table(self) -> Array:
        """The numbers as float32, of which row 0 is the bias."""
        (found,) = self.network.named_parameters().values()
        return found

    def arrays(self) -> dict[str, Array]:
        """Return what a model file holds."""
        return {name: getattr(self, name) for name in ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], bits: int, rows: int) -> Self:
        """Return the numbers that a model file holds.

        Raises:
            ConfigError: if they are not valid.
        """
        if set(arrays) != set(ARRAYS):
            raise ConfigError(f"the n-grams of a column must have the arrays {', '.join(ARRAYS)}")
        found = cls(**arrays, bits=bits, rows=rows)
        count, units = found.buckets.size, found.bias.size
        shapes = ((count,), (count,), (count, units), (count,), (units,), (found.names.size,))
        dtypes = (np.uint32, np.uint32, np.int8, np.float32, np.float32, np.uint8)
        for name, shape, dtype in zip(ARRAYS, shapes, dtypes, strict=True):
            if arrays[name].shape != shape or arrays[name].dtype != dtype:
                raise ConfigError(f"{name} of a column's n-grams must be {np.dtype(dtype)} of shape {shape}")
        buckets = found.buckets.astype(np.int64)
        if (np.diff(buckets) <= 0).any() or (count and buckets[-1] >= 2**bits):
            raise ConfigError(f"buckets of a column's n-grams must ascend and be below {2**bits}")
        if (found.documents > rows).any() or not (found.documents > 0).all():
            raise ConfigError("documents of a column's n-grams must be from 1 to the number of rows")
        for name in ("scales", "bias"):
            if not np.isfinite(arrays[name]).all() or np.abs(arrays[name]).max(initial=0) > MOST_SCALE:
                raise ConfigError(f"{name} of a column's n-grams must be finite and below {MOST_SCALE:g}")
        try:
            named = len(found.grams)
        except UnicodeDecodeError:
            named = -1
        if named not in (0, count):
            raise ConfigError("names of a column's n-grams must be a line of UTF-8 for each bucket, or none")
        return found


def in_use(bags: Sequence[Bags], buckets: int, fewest: int, most: int) -> tuple[Array, Array]:
    """Return the commonest buckets, ascending, and how often each occurs: in how many texts, if counted.

    Args:
        bags: the buckets of each text.
        buckets: the number of buckets there are.
        fewest: times that a bucket must occur.
        most: buckets to return.
    """
    documents = np.sum([np.bincount(part.indices, minlength=buckets) for part in bags], axis=0)
    used = np.flatnonzero(documents >= fewest)
    if len(used) > most:
        used = np.sort(used[np.argsort(-documents[used], kind="stable")[:most]])
    return used, documents[used]


def no_numbers(units: int, bits: int) -> GramNumbers:
    """Return the numbers of no n-gram."""
    return GramNumbers.of(np.zeros(0), np.zeros(0), np.zeros((1, units), np.float32), bits, 1)


def short(numbers: Array) -> Array:
    """Return positive numbers rounded up to 16 significant bits, so that a byte times one is exact."""
    mantissa, exponent = np.frexp(numbers.astype(np.float64))
    return np.ldexp(np.ceil(mantissa * 2**16) / 2**16, exponent).astype(np.float32)
