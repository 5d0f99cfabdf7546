"""Dropout: while training, some activations are left out at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ganglion.checks import check_number
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.part import Array
from ganglion.core.random import random_integers


@dataclass(frozen=True)
class Dropout(Layer):
    """a = x * mask / (1 - rate), with mask 0 for a share `rate` of the elements and 1 for the others.

    So that no unit can rely on a particular other one (Srivastava et al., 2014), scaled while training
    ("inverted"), so that predicting needs no change. The mask is a function of the network's seed, the
    layer and the step: the same step always drops the same elements.

    Args:
        rate: the share that is dropped, from 0 to less than 1.
    """

    rate: float = 0.5

    name = "dropout"

    def __post_init__(self) -> None:
        check_number("rate", self.rate, at_least=0, below=1)

    @property
    def is_random(self) -> bool:
        return self.rate > 0

    def describe(self) -> str:
        return f"dropout {self.rate:g}"

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        if not context.training or self.rate == 0:
            return x, None
        bits = random_integers(context.seed, context.layer, context.step, x.shape)
        kept = bits >= np.uint32(min(round(self.rate * 2**32), 2**32 - 1))
        factor = kept * x.dtype.type(1 / (1 - self.rate))
        return x * factor, factor

    def backward(
        self, weights: Weights, cache: Cache, grad_a: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        return (grad_a if cache is None else grad_a * cache), {}
