"""Activations: the f in a = f(z), each with its formula, its derivative and the facts about it.

`z` is the pre-activation, `a = f(z)` the activation. `backward` turns the gradient of the loss with
respect to `a` into that with respect to `z`; it stands under `forward` and gets both `z` and `a`, so
that each formula uses what is cheaper. Formulas are arranged so that huge inputs and infinities give
the limit, never NaN or a warning. To add one: write the class, add it to the list at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganglion.checks import check_number
from ganglion.core.part import Array, Part, built_in
from ganglion.core.special import normal_cdf

INFINITY = math.inf


@dataclass(frozen=True)
class Activation(Part):
    """An activation function. Subclass it with `forward` and `backward` to make your own.

    Give your own a `range` if its outputs have bounds: some losses ask for them.

    The class attributes are facts for people and tools: `formula` and `derivative` in words of math,
    `range` of the outputs, `smooth` (has a continuous derivative), `zero_centered`, `saturates` (flat
    on at least one side), `can_die` (the gradient is exactly 0 on a whole half line), `use`, and the
    name of the `initializer` that keeps signals at their size through many such layers.

    >>> relu = Activation.find("relu")
    >>> z = np.array([-1.0, 2.0])
    >>> a = relu.forward(z)
    >>> a, relu.backward(np.array([10.0, 10.0]), z, a)
    (array([0., 2.]), array([ 0., 10.]))
    >>> relu.range, relu.can_die
    ((0.0, inf), True)
    """

    kind: ClassVar[str] = "activation"
    formula: ClassVar[str] = ""
    derivative: ClassVar[str] = ""
    range: ClassVar[tuple[float, float]] = (-INFINITY, INFINITY)
    smooth: ClassVar[bool] = False
    zero_centered: ClassVar[bool] = False
    saturates: ClassVar[bool] = False
    can_die: ClassVar[bool] = False
    use: ClassVar[str] = ""
    initializer: ClassVar[str] = "glorot_uniform"

    def forward(self, z: Array) -> Array:
        """Return `a = f(z)`, of the shape and dtype of `z`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward")

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        """Return the gradient with respect to `z`, given that with respect to `a`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method backward")


class Identity(Activation):
    """f(z) = z: no bend at all, for outputs that may be any number."""

    name = "identity"
    formula, derivative = "z", "1"
    range, smooth, zero_centered, saturates = (-INFINITY, INFINITY), True, True, False
    use = "the output of a regression"

    def forward(self, z: Array) -> Array:
        return z

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a


class Sigmoid(Activation):
    """f(z) = 1 / (1 + exp(-z)), the logistic function: any number becomes a share between 0 and 1."""

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
    """f(z) = tanh(z): a sigmoid that is centered on 0."""

    name = "tanh"
    formula, derivative = "tanh(z)", "1 - a**2"
    range, smooth, zero_centered, saturates = (-1.0, 1.0), True, True, True
    use = "hidden layers of small networks"

    def forward(self, z: Array) -> Array:
        return np.tanh(z)

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a * (1 - a * a)


class ReLU(Activation):
    """f(z) = max(z, 0), the rectified linear unit. At 0 the derivative is taken to be 0."""

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
        """Only with alpha = 1 does the derivative have no jump at 0."""
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
        with np.errstate(over="ignore"):  # only the very largest z, for which infinity is right
            return self.scale * np.where(z > 0, z, self.alpha * np.expm1(np.minimum(z, 0)))

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a * (self.scale * np.where(z > 0, 1, self.alpha * np.exp(np.minimum(z, 0))))


class GELU(Activation):
    """f(z) = z * Phi(z), with Phi the standard normal distribution (Hendrycks and Gimpel, 2016)."""

    name = "gelu"
    formula = "z * Phi(z), Phi the share of a standard normal distribution below z"
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
    """f(z) = z / 2 * (1 + tanh(u)), u = sqrt(2 / pi) * (z + 0.044715 * z**3): GELU, approximated."""

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
        # (1 + tanh(u)) / 2 is the sigmoid of 2 u, which keeps its precision where tanh(u) is near -1.
        return np.maximum(z, -40.0) * SIGMOID.forward(2 * self.root * (near + 0.044715 * near**3))

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        near = np.clip(z, -40.0, 40.0)
        share = SIGMOID.forward(2 * self.root * (near + 0.044715 * near**3))
        slope = 2 * self.root * (1 + 3 * 0.044715 * near**2)
        return grad_a * (share + near * share * (1 - share) * slope)


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
        share = SIGMOID.forward(z)
        return grad_a * (share + np.clip(z, -800.0, 800.0) * share * (1 - share))


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
        share = np.tanh(SOFTPLUS.forward(z))
        near = np.clip(z, -800.0, 800.0)
        return grad_a * (share + near * (1 - share * share) * SIGMOID.forward(z))


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


class Softmax(Activation):
    """f(z)_i = exp(z_i) / sum_j exp(z_j) over the last axis: scores become shares that sum to 1.

    The derivative is a matrix, da_i/dz_j = a_i * ((i == j) - a_j); `backward` multiplies by it. A score
    of plus infinity takes the whole share, several of them divide it equally.
    """

    name = "softmax"
    formula, derivative = "exp(z_i) / sum_j exp(z_j)", "da_i/dz_j = a_i * ((i == j) - a_j)"
    range, smooth, zero_centered, saturates = (0.0, 1.0), True, False, True
    use = "the output that chooses one of several classes"

    def forward(self, z: Array) -> Array:
        share = np.exp(_below_largest(z))
        return share / share.sum(axis=-1, keepdims=True)

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return a * (grad_a - (grad_a * a).sum(axis=-1, keepdims=True))


class LogSoftmax(Activation):
    """f(z)_i = z_i - log(sum_j exp(z_j)) over the last axis: the logarithm of softmax."""

    name = "log_softmax"
    formula, derivative = "z_i - log(sum_j exp(z_j))", "da_i/dz_j = (i == j) - exp(a_j)"
    range, smooth, zero_centered, saturates = (-INFINITY, 0.0), True, False, False
    use = "the output that chooses a class, in logarithms"

    def forward(self, z: Array) -> Array:
        shifted = _below_largest(z)
        return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a - np.exp(a) * grad_a.sum(axis=-1, keepdims=True)


def _below_largest(z: Array) -> Array:
    """Return z minus the largest z of its row, 0 for the largest itself even where it is infinite."""
    largest = z.max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, replaced; -max - max, which is -inf
        return np.where(z == largest, 0, z - largest)


class Exp(Activation):
    """f(z) = exp(z): the inverse of the logarithm, for counts and rates. It overflows to infinity."""

    name = "exp"
    formula, derivative = "exp(z)", "a"
    range, smooth, zero_centered, saturates = (0.0, INFINITY), True, False, True
    use = "the output for counts, beside the Poisson loss"

    def forward(self, z: Array) -> Array:
        with np.errstate(over="ignore"):  # infinity is the correctly rounded value
            return np.exp(z)

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a * a


IDENTITY, SIGMOID, SOFTPLUS = Identity(), Sigmoid(), Softplus()

built_in(
    Activation,
    [
        Identity,
        Sigmoid,
        Tanh,
        ReLU,
        LeakyReLU,
        ELU,
        SELU,
        GELU,
        GELUTanh,
        SiLU,
        Mish,
        Softplus,
        HardSigmoid,
        Softmax,
        LogSoftmax,
        Exp,
    ],
)
