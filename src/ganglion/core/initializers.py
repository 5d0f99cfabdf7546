"""Initializers: the initial values of weights.

Good initial weights keep the scale of signals about equal from layer to layer, forward and backward; with
smaller weights signals vanish, with larger ones they explode. `fan_in` and `fan_out` count the connections
into and out of a unit. Values are drawn in float64 and then rounded to the network's dtype, so that both
dtypes start from the same weights. To add one: write the class, add it to the list at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganglion.checks import check_number
from ganglion.core.part import Array, Part, Shape, built_in


@dataclass(frozen=True)
class Initializer(Part):
    """The base class of initializers. To write your own, subclass it and define `sample`."""

    kind: ClassVar[str] = "initializer"

    def sample(self, generator: np.random.Generator, shape: Shape) -> Array:
        """Return float64 values of `shape`: units along the last axis, their inputs along the others."""
        raise NotImplementedError(f"{type(self).__name__} needs a method sample")


def fans(shape: Shape) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight of shape (inputs, units), or (kernel ..., channels, filters).

    A kernel connects each channel to each filter once for every element of its area.
    """
    area = math.prod(shape[:-2])
    return math.prod(shape[:-1]), area * shape[-1] if shape else 1


def _uniform(generator: np.random.Generator, shape: Shape, variance: float) -> Array:
    bound = math.sqrt(3 * variance)
    return generator.uniform(-bound, bound, shape)


class GlorotUniform(Initializer):
    """Uniform with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010, equation 16)."""

    name = "glorot_uniform"

    def sample(self, generator: np.random.Generator, shape: Shape) -> Array:
        return _uniform(generator, shape, 2 / sum(fans(shape)))


class GlorotNormal(Initializer):
    """Normal with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010, equation 12)."""

    name = "glorot_normal"

    def sample(self, generator: np.random.Generator, shape: Shape) -> Array:
        return generator.normal(0.0, math.sqrt(2 / sum(fans(shape))), shape)


class HeUniform(Initializer):
    """Uniform with variance 2 / fan_in, for ReLU and its family (He et al., 2015, equation 10)."""

    name = "he_uniform"

    def sample(self, generator: np.random.Generator, shape: Shape) -> Array:
        return _uniform(generator, shape, 2 / fans(shape)[0])


class HeNormal(Initializer):
    """Normal with variance 2 / fan_in, for ReLU and its family (He et al., 2015, equation 10)."""

    name = "he_normal"

    def sample(self, generator: np.random.Generator, shape: Shape) -> Array:
        return generator.normal(0.0, math.sqrt(2 / fans(shape)[0]), shape)


class LeCunUniform(Initializer):
    """Uniform with variance 1 / fan_in (LeCun et al., 1998, section 4.6)."""

    name = "lecun_uniform"

    def sample(self, generator: np.random.Generator, shape: Shape) -> Array:
        return _uniform(generator, shape, 1 / fans(shape)[0])


class LeCunNormal(Initializer):
    """Normal with variance 1 / fan_in (LeCun et al., 1998, section 4.6), for SELU."""

    name = "lecun_normal"

    def sample(self, generator: np.random.Generator, shape: Shape) -> Array:
        return generator.normal(0.0, math.sqrt(1 / fans(shape)[0]), shape)


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """A random matrix with orthonormal rows or columns (Saxe, McClelland and Ganguli, 2013).

    Q of the QR decomposition of a matrix of normal values, with signs such that Q is uniformly distributed.

    Args:
        gain: multiplies the matrix, 1 by default; sqrt(2) suits ReLU.
    """

    gain: float = 1.0

    name = "orthogonal"

    def __post_init__(self) -> None:
        check_number("gain", self.gain, above=0)

    def sample(self, generator: np.random.Generator, shape: Shape) -> Array:
        rows, columns = fans(shape)
        normal = generator.normal(size=(max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(normal)
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


@dataclass(frozen=True)
class SmallRandom(Initializer):
    """Normal with mean 0 and a standard deviation that does not depend on the size of the layer.

    Args:
        scale: the standard deviation, 0.01 by default.
    """

    scale: float = 0.01

    name = "small_random"

    def __post_init__(self) -> None:
        check_number("scale", self.scale, above=0)

    def sample(self, generator: np.random.Generator, shape: Shape) -> Array:
        return generator.normal(0.0, self.scale, shape)


@dataclass(frozen=True)
class Constant(Initializer):
    """The same value everywhere. Used for weights, it keeps all units of a layer equal forever.

    Args:
        value: 0 by default.
    """

    value: float = 0.0

    name = "constant"

    def __post_init__(self) -> None:
        check_number("value", self.value)

    def sample(self, generator: np.random.Generator, shape: Shape) -> Array:
        return np.full(shape, float(self.value))


class Zeros(Initializer):
    """0 everywhere: suits biases. Used for weights, it keeps all units of a layer equal forever."""

    name = "zeros"

    def sample(self, generator: np.random.Generator, shape: Shape) -> Array:
        return np.zeros(shape)


class Ones(Initializer):
    """1 everywhere: suits scales."""

    name = "ones"

    def sample(self, generator: np.random.Generator, shape: Shape) -> Array:
        return np.ones(shape)


built_in(
    Initializer,
    [
        GlorotUniform,
        GlorotNormal,
        HeUniform,
        HeNormal,
        LeCunUniform,
        LeCunNormal,
        Orthogonal,
        SmallRandom,
        Constant,
        Zeros,
        Ones,
    ],
)
