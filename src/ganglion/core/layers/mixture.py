"""A mixture: the answers of several networks become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.checks import check_number
from ganglion.core.arithmetic import Arithmetic, Index
from ganglion.core.layers.base import Cache, Context, Layer, Weights
from ganglion.core.part import Array, Shape
from ganglion.errors import ConfigError, ShapeError, shortened

if TYPE_CHECKING:
    from ganglion.core.arithmetic import TracedStep

MOST_ANSWERS = 2**16


@dataclass(frozen=True)
class Mixture(Layer):
    """a = w_1 x_1 + ... + w_k x_k: the last axis holds k answers of equal length side by side.

    The answers are those of the branches of a `Parallel` before it. The weights are fixed; if they sum to 1
    and each answer is a distribution over classes, so is the result (Jacobs et al., 1991, without the gate).

    Args:
        weights: one for each answer.

    Shapes: x (n, ..., k * outputs), a (n, ..., outputs).

    Raises:
        ConfigError: if there are no weights, or more than 65,536.
        ShapeError: if the last axis cannot be divided among the answers.

    >>> gg.Network([gg.Mixture((0.25, 0.75))], inputs=4).predict([[1, 0, 0, 1]]).tolist()
    [[0.25, 0.75]]
    """

    weights: tuple[float, ...]

    name = "mixture"
    mixes = True

    def __post_init__(self) -> None:
        if not isinstance(self.weights, tuple | list) or not self.weights:
            raise ConfigError(f"weights must be a list of numbers, got {shortened(self.weights)}")
        if len(self.weights) > MOST_ANSWERS:
            raise ConfigError(f"weights must be at most {MOST_ANSWERS:,}, got {len(self.weights):,}")
        found = tuple(check_number("each weight", weight) for weight in self.weights)
        object.__setattr__(self, "weights", found)

    def settings(self) -> dict[str, float]:
        return {}

    def constants(self) -> Sequence[float]:
        return [len(self.weights), *self.weights]

    def describe(self) -> str:
        return f"{len(self.weights)} answers"

    def output_shape(self, shape: Shape) -> Shape:
        if not shape or not shape[-1] or shape[-1] % len(self.weights):
            raise ShapeError(
                f"{self.name} divides the last axis among {len(self.weights)} answers, got inputs of shape "
                f"{shape}"
            )
        return (*shape[:-1], shape[-1] // len(self.weights))

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        answers = x.reshape(*x.shape[:-1], len(self.weights), -1)
        return np.einsum("k,...ko->...o", np.array(self.weights, x.dtype), answers), None

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Array, Mapping[str, Array]]:
        each = np.array(self.weights, grad_z.dtype)[:, None] * grad_z[..., None, :]
        return each.reshape(*grad_z.shape[:-1], -1), {}


class MixtureArithmetic(Arithmetic):
    """a is a weighted sum of the same output of each answer."""

    unit = "output"

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Any]:
        width, weights = step.z.shape[-1], _weights(step)
        terms = [
            step.term(step.input(row, (*index[:-1], k * width + index[-1])), step.factor(f"w{k + 1}", weight))
            for k, weight in enumerate(weights)
        ]
        return [step.sum(step.out(index), step.z[(row, *index)], "a weighted sum of the answers", terms)]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Any], Index | None]:
        answer, output = divmod(index[-1], step.z.shape[-1])
        out = (*index[:-1], output)
        weight = step.factor(f"w{answer + 1}", _weights(step)[answer])
        value = float(step.grad_x()[(row, *index)])
        term = step.term(step.grad_out(row, out), weight)
        return [step.sum(step.grad_input(index), value, "its weight", [term])], out


def _weights(step: TracedStep) -> tuple[float, ...]:
    layer: Mixture = step.layer  # type: ignore[assignment]
    return layer.weights


Mixture.arithmetic = MixtureArithmetic()
