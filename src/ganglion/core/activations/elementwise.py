"""Elementwise activations: each `a` depends only on its own `z`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganglion.checks import check_number
from ganglion.core.activations.base import INFINITY, Activation
from ganglion.core.part import Array
from ganglion.core.special import normal_cdf


class Identity(Activation):
    """f(z) = z: for outputs that may be any number."""

    name = "identity"
    formula, derivative = "z", "1"
    range, smooth, zero_centered, saturates = (-INFINITY, INFINITY), True, True, False
    use = "the output of a regression"

    def forward(self, z: Array) -> Array:
        return z

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a


class Sigmoid(Activation):
    """f(z) = 1 / (1 + exp(-z)), the logistic function: turns any number into a probability."""

    name = "sigmoid"
    formula, derivative = "1 / (1 + exp(-z))", "a * (1 - a)"
    range, smooth, zero_centered, saturates = (0.0, 1.0), True, False, True
    use = "the output for yes-or-no questions; seldom in hidden layers"

    def forward(self, z: Array) -> Array:
        small = np.exp(-np.abs(z))
        return np.where(z < 0, small, 1) / (1 + small)

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a * (a * (1 - a))


class Tanh(Activation):
    """f(z) = tanh(z): a sigmoid centered on 0."""

    name = "tanh"
    formula, derivative = "tanh(z)", "1 - a**2"
    range, smooth, zero_centered, saturates = (-1.0, 1.0), True, True, True
    use = "hidden layers of small networks"

    def forward(self, z: Array) -> Array:
        return np.tanh(z)

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a * (1 - a * a)


class ReLU(Activation):
    """f(z) = max(z, 0), the rectified linear unit. Its derivative at 0 is defined as 0."""

    name = "relu"
    formula, derivative = "max(z, 0)", "1 if z > 0 else 0"
    range, smooth, zero_centered, saturates, can_die = (0.0, INFINITY), False, False, True, True
    use = "hidden layers, the usual choice"
    initializer = "he_uniform"

    def forward(self, z: Array) -> Array:
        return np.maximum(z, 0)

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a * (z > 0)


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """f(z) = z if z > 0 else slope * z: a ReLU that cannot die.

    Args:
        slope: the derivative on the negative side, 0.01 by default.
    """

    slope: float = 0.01

    name = "leaky_relu"
    formula, derivative = "z if z > 0 else slope * z", "1 if z > 0 else slope"
    range, smooth, zero_centered, saturates = (-INFINITY, INFINITY), False, False, False
    use = "hidden layers in which ReLU units die"
    initializer = "he_uniform"

    def __post_init__(self) -> None:
        check_number("slope", self.slope, above=0, at_most=1)

    def forward(self, z: Array) -> Array:
        return np.where(z > 0, z, self.slope * z)

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a * np.where(z > 0, 1.0, self.slope).astype(z.dtype)


@dataclass(frozen=True)
class ELU(Activation):
    """f(z) = z if z > 0 else alpha * (exp(z) - 1) (Clevert, Unterthiner and Hochreiter, 2015).

    Args:
        alpha: minus the limit on the negative side, 1 by default.
    """

    alpha: float = 1.0

    name = "elu"
    formula, derivative = "z if z > 0 else alpha * (exp(z) - 1)", "1 if z > 0 else a + alpha"
    zero_centered, saturates = False, True
    use = "hidden layers, smoother than ReLU"
    initializer = "he_uniform"

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha, above=0)

    @property
    def range(self) -> tuple[float, float]:  # type: ignore[override]
        """From minus alpha upward."""
        return (-self.alpha, INFINITY)

    @property
    def smooth(self) -> bool:  # type: ignore[override]
        """True only for alpha = 1; otherwise the derivative jumps at 0."""
        return self.alpha == 1

    def forward(self, z: Array) -> Array:
        return np.where(z > 0, z, self.alpha * np.expm1(np.minimum(z, 0)))

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a * np.where(z > 0, 1, self.alpha * np.exp(np.minimum(z, 0)))


class SELU(Activation):
    """f(z) = scale * (z if z > 0 else alpha * (exp(z) - 1)), self-normalizing (Klambauer et al., 2017).

    alpha = 1.67326..., scale = 1.05070... are the constants for which mean 0 and variance 1 are a fixed
    point (equation 14 of the paper).
    """

    name = "selu"
    formula = "scale * (z if z > 0 else alpha * (exp(z) - 1))"
    derivative = "scale if z > 0 else a + scale * alpha"
    range, smooth, zero_centered, saturates = (-1.7580993408473766, INFINITY), False, True, True
    use = "deep stacks of dense layers without normalization"
    initializer = "lecun_normal"
    alpha: ClassVar[float] = 1.6732632423543772848170429916717
    scale: ClassVar[float] = 1.0507009873554804934193349852946

    def forward(self, z: Array) -> Array:
        with np.errstate(over="ignore"):  # only the very largest z overflow, and infinity is correct
            return self.scale * np.where(z > 0, z, self.alpha * np.expm1(np.minimum(z, 0)))

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a * (self.scale * np.where(z > 0, 1, self.alpha * np.exp(np.minimum(z, 0))))


class GELU(Activation):
    """f(z) = z * Phi(z), with Phi the standard normal distribution (Hendrycks and Gimpel, 2016)."""

    name = "gelu"
    formula = "z * Phi(z), Phi the standard normal distribution function"
    derivative = "Phi(z) + z * exp(-z**2 / 2) / sqrt(2 * pi)"
    range, smooth, zero_centered, saturates = (-0.16997120747990369, INFINITY), True, False, True
    use = "hidden layers, as in transformers"
    initializer = "he_uniform"

    def forward(self, z: Array) -> Array:
        return np.maximum(z, -40.0) * normal_cdf(z)

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        near = np.clip(z, -40.0, 40.0)
        return grad_a * (normal_cdf(z) + near * np.exp(-0.5 * near * near) * (1 / math.sqrt(2 * math.pi)))


class GELUTanh(Activation):
    """f(z) = z / 2 * (1 + tanh(u)), u = sqrt(2 / pi) * (z + 0.044715 * z**3): approximates GELU."""

    name = "gelu_tanh"
    formula = "z / 2 * (1 + tanh(u)), u = sqrt(2 / pi) * (z + 0.044715 * z**3)"
    derivative = (
        "(1 + tanh(u)) / 2 + z / 2 * (1 - tanh(u)**2) * sqrt(2 / pi) * (1 + 3 * 0.044715 * z**2), "
        "u = sqrt(2 / pi) * (z + 0.044715 * z**3)"
    )
    range, smooth, zero_centered, saturates = (-0.17004075057125412, INFINITY), True, False, True
    use = "hidden layers, where the exact GELU is too slow"
    initializer = "he_uniform"
    root: ClassVar[float] = math.sqrt(2 / math.pi)

    def forward(self, z: Array) -> Array:
        near = np.clip(z, -40.0, 40.0)
        # (1 + tanh(u)) / 2 is the sigmoid of 2 u, which is precise even if tanh(u) is near -1.
        return np.maximum(z, -40.0) * SIGMOID.forward(2 * self.root * (near + 0.044715 * near**3))

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        near = np.clip(z, -40.0, 40.0)
        s = SIGMOID.forward(2 * self.root * (near + 0.044715 * near**3))
        slope = 2 * self.root * (1 + 3 * 0.044715 * near**2)
        return grad_a * (s + near * s * (1 - s) * slope)


class SiLU(Activation):
    """f(z) = z * sigmoid(z), also called swish (Elfwing, Uchibe and Doya, 2017)."""

    name = "silu"
    formula, derivative = "z * sigmoid(z)", "s + z * s * (1 - s), s = sigmoid(z)"
    range, smooth, zero_centered, saturates = (-0.2784645427610738, INFINITY), True, False, True
    use = "hidden layers, smooth like GELU and cheaper"
    initializer = "he_uniform"

    def forward(self, z: Array) -> Array:
        return np.maximum(z, -800.0) * SIGMOID.forward(z)

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        s = SIGMOID.forward(z)
        return grad_a * (s + np.clip(z, -800.0, 800.0) * s * (1 - s))


class Mish(Activation):
    """f(z) = z * tanh(softplus(z)) (Misra, 2019)."""

    name = "mish"
    formula = "z * tanh(softplus(z))"
    derivative = "t + z * (1 - t**2) * sigmoid(z), t = tanh(softplus(z))"
    range, smooth, zero_centered, saturates = (-0.30884012708, INFINITY), True, False, True
    use = "hidden layers, smooth like SiLU"
    initializer = "he_uniform"

    def forward(self, z: Array) -> Array:
        return np.maximum(z, -800.0) * np.tanh(SOFTPLUS.forward(z))

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        t = np.tanh(SOFTPLUS.forward(z))
        near = np.clip(z, -800.0, 800.0)
        return grad_a * (t + near * (1 - t * t) * SIGMOID.forward(z))


class Softplus(Activation):
    """f(z) = log(1 + exp(z)): a smooth ReLU, always above 0."""

    name = "softplus"
    formula, derivative = "log(1 + exp(z))", "sigmoid(z)"
    range, smooth, zero_centered, saturates = (0.0, INFINITY), True, False, True
    use = "outputs that must be positive"

    def forward(self, z: Array) -> Array:
        return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a * SIGMOID.forward(z)


class HardSigmoid(Activation):
    """f(z) = min(max(z / 6 + 1 / 2, 0), 1): a sigmoid of three straight pieces."""

    name = "hard_sigmoid"
    formula, derivative = "min(max(z / 6 + 1 / 2, 0), 1)", "1 / 6 if -3 < z < 3 else 0"
    range, smooth, zero_centered, saturates, can_die = (0.0, 1.0), False, False, True, True
    use = "a sigmoid for processors on which exp is expensive"

    def forward(self, z: Array) -> Array:
        return np.clip(z, -3, 3) / 6 + 0.5

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a * (np.abs(z) < 3) / 6


class Exp(Activation):
    """f(z) = exp(z): the inverse of the logarithm, for counts and rates. It overflows to infinity."""

    name = "exp"
    formula, derivative = "exp(z)", "a"
    range, smooth, zero_centered, saturates = (0.0, INFINITY), True, False, True
    use = "the output for counts, with the Poisson loss"

    def forward(self, z: Array) -> Array:
        with np.errstate(over="ignore"):  # infinity is the correctly rounded value
            return np.exp(z)

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a * a


IDENTITY, SIGMOID, SOFTPLUS = Identity(), Sigmoid(), Softplus()
