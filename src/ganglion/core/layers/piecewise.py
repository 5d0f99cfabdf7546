"""Piecewise-linear encoding: how far a number reaches into each of several bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ganglion.checks import check_integer, check_number
from ganglion.core.arithmetic import Arithmetic, Index
from ganglion.core.arrays import as_array
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.part import Array, Shape
from ganglion.errors import ConfigError, DataError, ShapeError, shortened

if TYPE_CHECKING:
    from ganglion.core.arithmetic import TracedStep

MOST_EDGES = 2**20


@dataclass(frozen=True)
class PiecewiseLinear(Layer):
    """Each input, then for each of its bins how full it is: clip((x - low) / (high - low), 0, 1).

    The bins of an input lie side by side. Those below x are full (1), those above it empty (0), and the one
    that holds x is full up to x. A dense layer behind it can bend its answer at every edge, so that steps
    and bumps of a column are learned quickly (Gorishniy, Rubachev and Babenko, 2022, section 3.2). Nothing is
    learned in the layer itself.

    Args:
        edges: for each input the edges of its bins, ascending; k + 1 edges make k bins, and an input without
            edges is only passed on.

    Shapes: x (n, ..., inputs), a (n, ..., inputs + all bins): an input, its bins, the next input ...

    Raises:
        ConfigError: if the edges of an input do not ascend, also when rounded to float32.
        ShapeError: if the rows do not have one number for each entry of `edges`.

    >>> layer = gg.PiecewiseLinear([[0, 10, 20], []])
    >>> gg.Network([layer], inputs=2).predict([[15, 7], [-5, 8]]).tolist()
    [[15.0, 1.0, 0.5, 7.0], [-5.0, 0.0, 0.0, 8.0]]
    """

    edges: tuple[tuple[float, ...], ...]

    name = "piecewise_linear"

    def __post_init__(self) -> None:
        if not isinstance(self.edges, tuple | list) or not self.edges:
            raise ConfigError(
                f"edges must be a list with the edges of each input, got {shortened(self.edges)}"
            )
        if not all(isinstance(own, tuple | list) for own in self.edges):
            raise ConfigError(f"edges must hold a list for each input, got {shortened(self.edges)}")
        if sum(map(len, self.edges)) > MOST_EDGES:
            raise ConfigError(f"edges must be at most {MOST_EDGES:,} numbers in all")
        found = tuple(tuple(check_number("each edge", edge) for edge in own) for own in self.edges)
        for number, own in enumerate(found):
            with np.errstate(over="ignore"):
                rounded = np.array(own, np.float32)
            if len(own) == 1 or not (np.isfinite(rounded).all() and (np.diff(rounded) > 0).all()):
                raise ConfigError(
                    f"the edges of an input must be none or at least two ascending numbers, got "
                    f"{shortened(own)} for input {number}"
                )
        object.__setattr__(self, "edges", found)

    @classmethod
    def of(cls, X: Any, bins: int = 16) -> Self:
        """Return a layer whose bins hold about equally many of the numbers in each column of `X`.

        Args:
            X: rows of numbers, (n, inputs).
            bins: at most so many for each column, 16 by default; fewer if numbers are frequent, and none if
                a column has only one or two different numbers.

        Raises:
            ConfigError: if `bins` is not a whole number from 1 to 1024.
            DataError: if a number is not finite.
            ShapeError: if X does not consist of rows.

        >>> gg.PiecewiseLinear.of([[0], [1], [2], [3], [4]], bins=2).edges
        ((0.0, 2.0, 4.0),)
        """
        check_integer("bins", bins, at_least=1, at_most=1024)
        rows = as_array("X", X).astype(np.float32)
        if rows.ndim != 2 or not len(rows):
            raise ShapeError(f"X must consist of at least one row of numbers, got shape {rows.shape}")
        if not np.isfinite(rows).all():
            raise DataError("X must hold finite numbers, as float32 too")
        quantiles = np.quantile(rows, np.linspace(0, 1, bins + 1), axis=0).astype(np.float32)
        found = []
        for column, cuts in zip(rows.T, quantiles.T, strict=True):
            has_bins = ((column != column.min()) & (column != column.max())).any()
            found.append(tuple(np.unique(cuts).tolist()) if has_bins else ())
        return cls(tuple(found))

    def settings(self) -> dict[str, float]:
        return {}

    def constants(self) -> Sequence[float]:
        return [number for own in self.edges for number in (len(own), *own)]

    @property
    def outputs(self) -> int:
        """The number of outputs for a row of inputs."""
        return len(self._source)

    def describe(self) -> str:
        return f"{self.outputs - len(self.edges)} bins"

    def output_shape(self, shape: Shape) -> Shape:
        if not shape or shape[-1] != len(self.edges):
            raise ShapeError(
                f"{self.name} has edges for {len(self.edges)} inputs, got inputs of shape {shape}"
            )
        return (*shape[:-1], self.outputs)

    @cached_property
    def _source(self) -> Array:
        """The input of each output."""
        return np.repeat(np.arange(len(self.edges)), [max(1, len(own)) for own in self.edges])

    @cached_property
    def passed(self) -> Array:
        """The outputs that pass the inputs on, each before its bins."""
        return np.flatnonzero(np.diff(self._source, prepend=-1))

    @cached_property
    def _bins(self) -> tuple[Array, Array]:
        """The lower and the upper edge of each bin."""
        pairs = [pair for own in self.edges for pair in pairwise(own)]
        low, high = np.array(pairs).reshape(-1, 2).T
        return low, high

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        low, high = (edges.astype(x.dtype) for edges in self._bins)
        a = x[..., self._source]
        is_bin = self._is_bin
        reach = (a[..., is_bin] - low) / (high - low)
        a[..., is_bin] = reach.clip(0, 1)
        return a, reach

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        low, high = (edges.astype(grad_z.dtype) for edges in self._bins)
        parts = grad_z.copy()
        parts[..., self._is_bin] *= ((cache >= 0) & (cache < 1)) / (high - low)
        return np.add.reduceat(parts, self.passed, axis=-1), {}

    @cached_property
    def _is_bin(self) -> Array:
        """Which outputs are bins."""
        found = np.ones(len(self._source), bool)
        found[self.passed] = False
        return found


class PiecewiseLinearArithmetic(Arithmetic):
    """a = x, or how full a bin is."""

    unit = "output"

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        source, low, high = self._bin(step, index)
        a = float(step.z[(row, *index)])
        if low is None:
            return [step.sum(step.out(index), a, "the input itself", (step.term(step.input(row, source)),))]
        x = float(step.x[(row, *source)])
        reach = (x - low) / (high - low)
        note = "full" if reach >= 1 else "empty" if reach <= 0 else ""
        numbers = {"x": x, "low": low, "high": high}
        return [step.function(step.out(index), a, "clip((x - low) / (high - low))", note, **numbers)]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        layer: PiecewiseLinear = step.layer  # type: ignore[assignment]
        outputs = np.flatnonzero(layer._source == index[-1])
        x, terms, best = float(step.x[(row, *index)]), [], None
        for output in map(int, outputs):
            place = (*index[:-1], output)
            _, low, high = self._bin(step, place)
            out = step.grad_out(row, place)
            if low is None:
                terms.append(step.term(out))
            elif low <= x < high:
                terms.append(step.term(out, step.factor("1/(high - low)", 1 / (high - low))))
            else:
                continue
            best = place
        value = float(step.grad_x()[(row, *index)])
        return [step.sum(step.grad_input(index), value, "passed on, and through its bin", terms)], best

    @staticmethod
    def _bin(step: TracedStep, index: Index) -> tuple[Index, Any, Any]:
        """Return the index of an output's input, and the edges of its bin; None if it is no bin."""
        layer: PiecewiseLinear = step.layer  # type: ignore[assignment]
        source = int(layer._source[index[-1]])
        place = index[-1] - int(layer.passed[source])
        low, high = (None, None) if place == 0 else layer.edges[source][place - 1 : place + 1]
        return (*index[:-1], source), low, high


PiecewiseLinear.arithmetic = PiecewiseLinearArithmetic()
