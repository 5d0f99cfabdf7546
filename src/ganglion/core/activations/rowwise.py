"""Row-wise activations: each `a` depends on every `z` along the last axis."""

from __future__ import annotations

import numpy as np

from ganglion.core.activations.base import INFINITY, Activation
from ganglion.core.part import Array


class Softmax(Activation):
    """f(z)_i = exp(z_i) / sum_j exp(z_j) over the last axis: turns scores into probabilities that sum to 1.

    The derivative is a matrix, da_i/dz_j = a_i * ((i == j) - a_j); `backward` multiplies by it. A score of
    plus infinity gets probability 1, divided equally if there are several.
    """

    name = "softmax"
    formula, formula_in_row = "exp(z_i) / sum_j exp(z_j)", "exp(z - m) / s"
    jacobian = "a_i * (same - a_j)"
    derivative = f"da_i/dz_j = {jacobian.replace('same', '(i == j)')}"
    per_row = True
    range, smooth, zero_centered, saturates = (0.0, 1.0), True, False, True
    use = "the output that chooses one of several classes"

    def forward(self, z: Array) -> Array:
        relative = np.exp(_below_largest(z))
        return relative / relative.sum(axis=-1, keepdims=True)

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return a * (grad_a - (grad_a * a).sum(axis=-1, keepdims=True))


class LogSoftmax(Activation):
    """f(z)_i = z_i - log(sum_j exp(z_j)) over the last axis: the logarithm of softmax."""

    name = "log_softmax"
    formula, formula_in_row = "z_i - log(sum_j exp(z_j))", "z - m - log(s)"
    jacobian = "same - exp(a_j)"
    derivative = f"da_i/dz_j = {jacobian.replace('same', '(i == j)')}"
    per_row, gives_logarithms = True, True
    range, smooth, zero_centered, saturates = (-INFINITY, 0.0), True, False, False
    use = "the output that chooses a class, in logarithms"

    def forward(self, z: Array) -> Array:
        shifted = _below_largest(z)
        return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        return grad_a - np.exp(a) * grad_a.sum(axis=-1, keepdims=True)


def _below_largest(z: Array) -> Array:
    """Return z minus the largest z of its row: 0 for the largest itself, even if it is infinite."""
    largest = z.max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, replaced; -max - max, which is -inf
        return np.where(z == largest, 0, z - largest)
