"""Dropout: in training, some activations, or whole channels, are set to 0 at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.checks import check_number
from ganglion.core.arithmetic import Arithmetic, Index
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.part import Array, Shape
from ganglion.core.random import random_integers
from ganglion.errors import ShapeError

if TYPE_CHECKING:
    from ganglion.core.arithmetic import TracedStep


@dataclass(frozen=True)
class AnyDropout(Layer):
    """The base class of dropout: a = x * mask / (1 - rate) in training."""

    rate: float = 0.5

    def __post_init__(self) -> None:
        check_number("rate", self.rate, at_least=0, below=1)

    @property
    def is_random(self) -> bool:
        return self.rate > 0

    def decisions(self, shape: Shape) -> Shape:
        """Return the shape of the mask, given that of the inputs of a batch."""
        raise NotImplementedError

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        if not context.training or self.rate == 0:
            return x, None
        bits = random_integers(context.seed, context.layer, context.step, self.decisions(x.shape))
        kept = bits >= np.uint32(min(round(self.rate * 2**32), 2**32 - 1))
        factor = kept * x.dtype.type(1 / (1 - self.rate))
        return x * factor, factor

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        return (grad_z if cache is None else grad_z * cache), {}


@dataclass(frozen=True)
class Dropout(AnyDropout):
    """a = x * mask / (1 - rate), with mask 0 for a fraction `rate` of the elements and 1 for the others.

    Dropout keeps units from relying on particular other units (Srivastava et al., 2014). It scales in
    training ("inverted dropout") and does nothing in prediction. The mask is a function of the network's
    seed, the layer and the step: the same step always drops the same elements.

    Args:
        rate: the fraction of elements to drop, at least 0 and less than 1; 0.5 by default.
    """

    name = "dropout"

    def describe(self) -> str:
        return f"dropout {self.rate:g}"

    def decisions(self, shape: Shape) -> Shape:
        return shape


@dataclass(frozen=True)
class SpatialDropout(AnyDropout):
    """Dropout of whole channels of an image or signal: one decision for each row and channel.

    Neighboring places of a channel are so alike that dropping single ones takes little away (Tompson et al.,
    2015).

    Args:
        rate: the fraction of channels to drop, at least 0 and less than 1; 0.5 by default.

    Shapes: x and a (n, ..., channels).

    Raises:
        ConfigError: if `rate` is out of range.
        ShapeError: if the inputs are rows of numbers.

    >>> net = gg.Network([gg.SpatialDropout(0.2), gg.Conv2D(4)], inputs=(8, 8, 3))
    >>> net.predict(np.ones((1, 8, 8, 3))).shape
    (1, 8, 8, 4)
    """

    name = "spatial_dropout"

    def describe(self) -> str:
        return f"dropout {self.rate:g} of channels"

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2:
            raise ShapeError(
                f"{self.name} needs images or signals with the channels last, got inputs of shape {shape}",
                "use gg.Dropout",
            )
        return shape

    def decisions(self, shape: Shape) -> Shape:
        return (shape[0], *[1] * (len(shape) - 2), shape[-1])


class DropoutArithmetic(Arithmetic):
    """a = x * factor, with factor 0 for dropped elements and 1 / (1 - rate) for the others."""

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        factor = self._factor(step, row, index)
        term = step.term(step.input(row, index), factor)
        product = step.sum(step.out(index), step.z[(row, *index)], "input · factor", (term,))
        return [product, self._mask(step, factor)]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        factor = self._factor(step, row, index)
        term = step.term(step.grad_out(row, index), factor)
        product = step.sum(step.grad_input(index), term.value, "gradient of the output · factor", (term,))
        return [product, self._mask(step, factor)], index

    @staticmethod
    def _factor(step: TracedStep, row: int, index: Index) -> Any:
        if step.cache is None:
            return step.own("factor", index, 1.0)
        factors = np.broadcast_to(step.cache, step.z.shape)
        return step.own("factor", index, float(factors[(row, *index)]))

    @staticmethod
    def _mask(step: TracedStep, factor: Any) -> Any:
        if step.cache is None:
            return step.equation(factor.symbol, 1.0, note="dropout acts only while training")
        rate: float = step.layer.rate  # type: ignore[attr-defined]
        note = "kept" if factor.value else "dropped in this step"
        kept = float(factor.value != 0)
        return step.function(factor.symbol, factor.value, "mask / (1 - rate)", note, mask=kept, rate=rate)


AnyDropout.arithmetic = DropoutArithmetic()
