"""Normalization: activations brought to mean 0 and variance 1, then scaled and shifted as learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ganglion.checks import check_number
from ganglion.core.initializers import Initializer, Ones
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.part import Array, Shape


@dataclass(frozen=True)
class BatchNormalization(Layer):
    """a = scale * (x - mean) / sqrt(variance + epsilon) + shift, with mean and variance over the batch.

    While training they are those of the batch (variance divided by n), of each feature (the last axis);
    while predicting, running averages of them: running = momentum * running + (1 - momentum) * batch,
    with the unbiased variance (divided by n - 1) as in algorithm 2 of Ioffe and Szegedy (2015). Sample
    weights do not enter, and a batch of one row leaves the running averages as they are.

    Args:
        momentum: how much of the running averages each step keeps, 0.9 by default.
        epsilon: keeps the root away from 0, 1e-5 by default.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5

    name = "batch_normalization"

    def __post_init__(self) -> None:
        check_number("momentum", self.momentum, at_least=0, below=1)
        check_number("epsilon", self.epsilon, above=0)

    def parameters(self, shape: Shape) -> Mapping[str, Shape]:
        return {"scale": shape[-1:], "shift": shape[-1:]}

    def state(self, shape: Shape) -> Mapping[str, Shape]:
        return {"mean": shape[-1:], "variance": shape[-1:]}

    def initializers(self) -> Mapping[str, Initializer]:
        return {"scale": Ones(), "variance": Ones()}

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        axes = tuple(range(x.ndim - 1))
        mean = x.mean(axis=axes) if context.training else weights.mean
        centered = x - mean
        variance = (centered * centered).mean(axis=axes) if context.training else weights.variance
        deviation = np.sqrt(variance + x.dtype.type(self.epsilon))
        normal = centered / deviation
        return normal * weights.scale + weights.shift, (normal, deviation, mean, variance)

    def backward(
        self, weights: Weights, cache: Cache, grad_a: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        normal, deviation, _, _ = cache
        axes = tuple(range(normal.ndim - 1))
        grad = {"scale": (grad_a * normal).sum(axis=axes), "shift": grad_a.sum(axis=axes)}
        grad_normal = grad_a * weights.scale
        if context.training:  # mean and variance depend on x too
            along = (grad_normal * normal).mean(axis=axes)
            grad_normal = grad_normal - grad_normal.mean(axis=axes) - normal * along
        return grad_normal / deviation, grad

    def next_state(self, weights: Weights, cache: Cache) -> Mapping[str, Array]:
        normal, _, mean, variance = cache
        count = normal.size // normal.shape[-1]
        if count == 1:  # one row has no variance to learn from
            return {"mean": weights.mean, "variance": weights.variance}
        unbiased = variance * (count / (count - 1))
        keep, take = self.momentum, 1 - self.momentum
        return {
            "mean": keep * weights.mean + take * mean,
            "variance": keep * weights.variance + take * unbiased,
        }


@dataclass(frozen=True)
class LayerNormalization(Layer):
    """a = scale * (x - mean) / sqrt(variance + epsilon) + shift, with mean and variance over each row.

    Over the last axis, the same while training and predicting (Ba, Kiros and Hinton, 2016).

    Args:
        epsilon: keeps the root away from 0, 1e-5 by default.
    """

    epsilon: float = 1e-5

    name = "layer_normalization"

    def __post_init__(self) -> None:
        check_number("epsilon", self.epsilon, above=0)

    def parameters(self, shape: Shape) -> Mapping[str, Shape]:
        return {"scale": shape[-1:], "shift": shape[-1:]}

    def initializers(self) -> Mapping[str, Initializer]:
        return {"scale": Ones()}

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        centered = x - x.mean(axis=-1, keepdims=True)
        variance = (centered * centered).mean(axis=-1, keepdims=True)
        deviation = np.sqrt(variance + x.dtype.type(self.epsilon))
        normal = centered / deviation
        return normal * weights.scale + weights.shift, (normal, deviation)

    def backward(
        self, weights: Weights, cache: Cache, grad_a: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        normal, deviation = cache
        axes = tuple(range(normal.ndim - 1))
        grad = {"scale": (grad_a * normal).sum(axis=axes), "shift": grad_a.sum(axis=axes)}
        grad_normal = grad_a * weights.scale
        along = (grad_normal * normal).mean(axis=-1, keepdims=True)
        grad_normal = grad_normal - grad_normal.mean(axis=-1, keepdims=True) - normal * along
        return grad_normal / deviation, grad
