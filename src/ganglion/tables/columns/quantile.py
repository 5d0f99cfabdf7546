"""A column of numbers of which only the order counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any, Self

import numpy as np
import polars as pl

from ganglion.answers.values import to_numbers
from ganglion.checks import check_number
from ganglion.core.part import Array
from ganglion.errors import ConfigError
from ganglion.tables.columns.number import NumberColumn

MOST_QUANTILES = 129


@dataclass(frozen=True)
class QuantileColumn(NumberColumn):
    """The normal score of a number: as many rows lie below it as below the score in a normal distribution.

    Between the quantiles that are kept the score follows a line; beyond them it stays.

    Args:
        quantiles: 129 numbers in ascending order, between which equally many training rows lie.
    """

    quantiles: tuple[float, ...] = ()

    name = "quantile_number"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.quantiles, tuple | list) or not 2 <= len(self.quantiles) <= MOST_QUANTILES:
            raise ConfigError(f"quantiles must be a list of 2 to {MOST_QUANTILES} numbers")
        found = tuple(check_number("each quantile", number) for number in self.quantiles)
        if not (np.diff(found) >= 0).all() or found[0] == found[-1]:
            raise ConfigError("quantiles must ascend")
        object.__setattr__(self, "quantiles", found)

    @classmethod
    def fit(cls, values: pl.Series, robust: bool = False) -> Self:
        """Compute fill, quantiles, center and scale; the column must not be constant."""
        plain = NumberColumn.fit(values, robust)
        present = to_numbers(values).drop_nulls().to_numpy()
        quantiles = np.quantile(present, np.linspace(0, 1, MOST_QUANTILES))
        return cls(**vars(plain), quantiles=tuple(quantiles.tolist()))

    @cached_property
    def _curve(self) -> tuple[Array, Array]:
        """The different quantiles, and the score of each: of equal ones, the mean."""
        count = len(self.quantiles)
        scores = np.array([NormalDist().inv_cdf((place + 0.5) / count) for place in range(count)])
        different, place, times = np.unique(self.quantiles, return_inverse=True, return_counts=True)
        return different, np.bincount(place, scores) / times

    @property
    def _knots(self) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(each.tolist()) for each in self._curve)

    def scaled(self, numbers: Any) -> Any:
        return np.interp(numbers, *self._curve)

    def unscaled(self, numbers: Any) -> Any:
        return np.interp(numbers, *self._curve[::-1])

    def rule(self, number: float) -> tuple[str, dict[str, float]]:
        different, scores = self._curve
        place = int(np.clip(np.searchsorted(different, number, side="right"), 1, len(different) - 1))
        (low, high), (least, most) = different[place - 1 : place + 1], scores[place - 1 : place + 1]
        return "least + (value - low) / (high - low) * (most - least)", {
            "value": float(np.clip(number, different[0], different[-1])),
            "low": float(low),
            "high": float(high),
            "least": float(least),
            "most": float(most),
        }

    def describe(self) -> str:
        return f"{super().describe()}, by quantiles"
