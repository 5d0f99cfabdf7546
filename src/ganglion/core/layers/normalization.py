"""Normalization: activations get mean 0 and variance 1, then a learned scale and shift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.checks import check_integer, check_number
from ganglion.core.arithmetic import Arithmetic, Index
from ganglion.core.initializers import Initializer, Ones
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.part import Array, Shape
from ganglion.errors import ShapeError

if TYPE_CHECKING:
    from ganglion.core.arithmetic import TracedStep

MOST_GROUPS = 2**20


@dataclass(frozen=True)
class BatchNormalization(Layer):
    """a = scale * (x - mean) / sqrt(variance + epsilon) + shift, for each feature over the batch.

    Features lie along the last axis. Training uses the mean and variance of the batch (variance divided by
    n). Prediction uses running averages: running = momentum * running + (1 - momentum) * batch, with the
    unbiased variance (divided by n - 1) as in algorithm 2 of Ioffe and Szegedy (2015). Sample weights are
    ignored. A batch of one row does not change the running averages.

    Args:
        momentum: the fraction of the running averages that each step keeps, 0.9 by default.
        epsilon: added to the variance to avoid division by 0, 1e-5 by default.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5

    name = "batch_normalization"
    uses_batch = True
    normalizes = True

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
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        normal, deviation, _, _ = cache
        axes = tuple(range(normal.ndim - 1))
        grad = {"scale": (grad_z * normal).sum(axis=axes), "shift": grad_z.sum(axis=axes)}
        grad_normal = grad_z * weights.scale
        if context.training:  # mean and variance also depend on x
            along = (grad_normal * normal).mean(axis=axes)
            grad_normal = grad_normal - grad_normal.mean(axis=axes) - normal * along
        return grad_normal / deviation, grad

    def next_state(self, weights: Weights, cache: Cache) -> Mapping[str, Array]:
        normal, _, mean, variance = cache
        count = normal.size // normal.shape[-1]
        if count == 1:  # one row has no unbiased variance
            return {"mean": weights.mean, "variance": weights.variance}
        unbiased = variance * (count / (count - 1))
        keep, take = self.momentum, 1 - self.momentum
        return {
            "mean": keep * weights.mean + take * mean,
            "variance": keep * weights.variance + take * unbiased,
        }


@dataclass(frozen=True)
class LayerNormalization(Layer):
    """a = scale * (x - mean) / sqrt(variance + epsilon) + shift, for each row over the last axis.

    Training and prediction are the same (Ba, Kiros and Hinton, 2016).

    Args:
        epsilon: added to the variance to avoid division by 0, 1e-5 by default.
    """

    epsilon: float = 1e-5

    name = "layer_normalization"
    normalizes = True

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
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        normal, deviation = cache
        axes = tuple(range(normal.ndim - 1))
        grad = {"scale": (grad_z * normal).sum(axis=axes), "shift": grad_z.sum(axis=axes)}
        grad_normal = grad_z * weights.scale
        along = (grad_normal * normal).mean(axis=-1, keepdims=True)
        grad_normal = grad_normal - grad_normal.mean(axis=-1, keepdims=True) - normal * along
        return grad_normal / deviation, grad


@dataclass(frozen=True)
class GroupNormalization(Layer):
    """a = scale * (x - mean) / sqrt(variance + epsilon) + shift, for each row over a group of channels.

    Mean and variance are those of all places and the channels of the group; scale and shift are those of each
    channel (Wu and He, 2018). Training and prediction are the same and the rows of a batch do not matter, so
    that it suits small batches.

    Args:
        groups: into how many groups of equal size the channels are divided, 8 by default. With 1, the whole
            row is normalized; with as many as channels, each channel on its own.
        epsilon: added to the variance to avoid division by 0, 1e-5 by default.

    Shapes: x and a (n, ..., channels), scale and shift (channels,).

    Raises:
        ConfigError: for a setting out of range.
        ShapeError: if the channels cannot be divided into `groups`.

    >>> net = gg.Network([gg.GroupNormalization(2)], inputs=(2, 2))
    >>> net.predict([[[0, 10], [2, 30]]]).round(3).tolist()
    [[[-1.0, -1.0], [1.0, 1.0]]]
    """

    groups: int = 8
    epsilon: float = 1e-5

    name = "group_normalization"
    normalizes = True

    def __post_init__(self) -> None:
        check_integer("groups", self.groups, at_least=1, at_most=MOST_GROUPS)
        check_number("epsilon", self.epsilon, above=0)

    def output_shape(self, shape: Shape) -> Shape:
        if not shape or shape[-1] % self.groups:
            raise ShapeError(
                f"{self.name} divides the channels into {self.groups} groups, got inputs of shape {shape}",
                "use groups that divide the last axis",
            )
        return shape

    def describe(self) -> str:
        return f"group normalization, {self.groups} groups"

    def parameters(self, shape: Shape) -> Mapping[str, Shape]:
        return {"scale": shape[-1:], "shift": shape[-1:]}

    def initializers(self) -> Mapping[str, Initializer]:
        return {"scale": Ones()}

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        centered = x - self.mean(x)
        deviation = np.sqrt(self.mean(centered * centered) + x.dtype.type(self.epsilon))
        normal = centered / deviation
        return normal * weights.scale + weights.shift, (normal, deviation)

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        normal, deviation = cache
        axes = tuple(range(normal.ndim - 1))
        grad = {"scale": (grad_z * normal).sum(axis=axes), "shift": grad_z.sum(axis=axes)}
        grad_normal = grad_z * weights.scale
        along = self.mean(grad_normal * normal)
        return (grad_normal - self.mean(grad_normal) - normal * along) / deviation, grad

    def mean(self, values: Array) -> Array:
        """Return the mean of each channel's group, of shape (n, 1, ..., channels)."""
        each = values.shape[-1] // self.groups
        means = values.reshape(len(values), -1, self.groups, each).mean(axis=(1, 3))
        return means.repeat(each, axis=1).reshape(len(values), *[1] * (values.ndim - 2), -1)


class NormalizationArithmetic(Arithmetic):
    """a = scale * normal + shift, normal = (x - mean) / sqrt(variance + epsilon)."""

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        normal, channel = float(step.cache[0][(row, *index)]), index[-1:]
        own = step.own("normal", index, normal)
        terms = (step.term(own, step.own("scale", channel)), step.term(step.own("shift", channel)))
        a = step.sum(step.out(index), step.z[(row, *index)], "normal · scale + shift", terms)
        mean, variance, equations = self._moments(step, row, index)
        epsilon: float = step.layer.epsilon  # type: ignore[attr-defined]
        x = step.x[(row, *index)]
        rule = "(x - mean) / sqrt(variance + epsilon)"
        numbers = {"x": x, "mean": mean, "variance": variance, "epsilon": epsilon}
        return [a, step.function(own.symbol, normal, rule, apart=("x", "mean"), **numbers), *equations]

    def _moments(self, step: TracedStep, row: int, index: Index) -> tuple[float, float, list[Any]]:
        x, symbols, where = self._together(step, row, index)
        fraction = step.factor(f"1/{len(x)}", 1 / len(x))
        mean = float(x.mean())
        variance = float(((x - mean) ** 2).mean())
        first, second = (
            step.own(name, where, value) for name, value in (("mean", mean), ("variance", variance))
        )
        means = [step.term(step.factor(s, v), fraction) for s, v in zip(symbols, x, strict=True)]
        squares = [step.term(step.square(s, v, mean), fraction) for s, v in zip(symbols, x, strict=True)]
        equations = [
            step.sum(first.symbol, mean, f"the mean of {len(x)} numbers", means),
            step.sum(second.symbol, variance, "the mean of their squared distances from it", squares),
        ]
        return mean, variance, equations

    def _together(self, step: TracedStep, row: int, index: Index) -> tuple[Array, list[Any], Index]:
        """Return the numbers normalized together, their names, and the index of their moments."""
        x = step.x[(row, *index[:-1])]
        return x, [step.input_symbol((*index[:-1], i)) for i in range(len(x))], index[:-1]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        normal, deviation = step.cache[0], step.cache[1]
        out, scale = step.grad_out(row, index), step.own("scale", index[-1:])
        grad_normal = step.back * step.weights.scale
        own = step.own("normal", index, float(grad_normal[(row, *index)]), gradient=True)
        inverse = 1 / np.broadcast_to(deviation, normal.shape)[(row, *index)]
        divided = step.factor("1/deviation", float(inverse))
        terms = [step.term(own, divided)]
        if self._varies(step):
            mean = np.broadcast_to(self._mean(step, grad_normal), normal.shape)
            along = np.broadcast_to(self._mean(step, grad_normal * normal), normal.shape)
            of_mean = step.factor("-mean ∂L/∂normal", -float(mean[(row, *index)]))
            of_variance = step.factor("-mean (∂L/∂normal · normal)", -float(along[(row, *index)]))
            here = step.own("normal", index, float(normal[(row, *index)]))
            terms += [
                step.term(of_mean, divided, note="mean"),
                step.term(here, of_variance, divided, note="variance"),
            ]
        value = float(step.grad_x()[(row, *index)])
        rule = "directly, and through mean and variance" if len(terms) > 1 else "through the normal value"
        return [
            step.sum(step.grad_input(index), value, rule, terms),
            step.sum(own.symbol, own.value, "gradient of the output · scale", (step.term(out, scale),)),
        ], index

    def parameter(self, step: TracedStep, name: str, index: Index) -> list[tuple[Any, int, Index]] | None:
        found = []
        for place in np.ndindex(step.z.shape[:-1]):
            row, where = int(place[0]), (*map(int, place[1:]), *index)
            factors = [step.grad_out(row, where)]
            if name == "scale":
                factors.append(step.own("normal", where, float(step.cache[0][(row, *where)])))
            found.append((step.term(*factors, note=step.row_note(row)), row, where))
        return found

    def _varies(self, step: TracedStep) -> bool:
        """Return whether mean and variance depend on x."""
        return True

    def _mean(self, step: TracedStep, values: Array) -> Array:
        """Return the mean of the values that are normalized together."""
        return values.mean(axis=-1, keepdims=True)


class BatchNormalizationArithmetic(NormalizationArithmetic):
    """The same, with the moments of the batch or the running averages from training."""

    def _moments(self, step: TracedStep, row: int, index: Index) -> tuple[float, float, list[Any]]:
        if step.training:
            return super()._moments(step, row, index)
        kept = [step.own(name, index[-1:]) for name in ("mean", "variance")]
        note = "the running average from training"
        return kept[0].value, kept[1].value, [step.equation(f.symbol, f.value, note=note) for f in kept]

    def _together(self, step: TracedStep, row: int, index: Index) -> tuple[Array, list[Any], Index]:
        places = list(np.ndindex(step.x.shape[:-1]))
        several = len(places) > 1
        symbols = []
        for place in places:
            symbol = step.input_symbol((*map(int, place[1:]), *index[-1:]))
            symbols.append(f"{symbol} of row {place[0]}" if several else symbol)
        return step.x[..., index[-1]].ravel(), symbols, index[-1:]

    def _varies(self, step: TracedStep) -> bool:
        return step.training

    def _mean(self, step: TracedStep, values: Array) -> Array:
        return values.mean(axis=tuple(range(values.ndim - 1)))


class GroupNormalizationArithmetic(NormalizationArithmetic):
    """The same, with the moments of a group of channels."""

    def _together(self, step: TracedStep, row: int, index: Index) -> tuple[Array, list[Any], Index]:
        each = step.x.shape[-1] // self._layer(step).groups
        group = index[-1] // each
        own = step.x[row, ..., group * each : (group + 1) * each]
        symbols = [
            step.input_symbol((*map(int, place[:-1]), group * each + int(place[-1])))
            for place in np.ndindex(own.shape)
        ]
        return own.ravel(), symbols, (group,)

    def _mean(self, step: TracedStep, values: Array) -> Array:
        return self._layer(step).mean(values)

    @staticmethod
    def _layer(step: TracedStep) -> GroupNormalization:
        return step.layer  # type: ignore[return-value]


BatchNormalization.arithmetic = BatchNormalizationArithmetic()
LayerNormalization.arithmetic = NormalizationArithmetic()
GroupNormalization.arithmetic = GroupNormalizationArithmetic()
