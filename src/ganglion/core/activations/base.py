"""The base class of activations: the f in a = f(z), with its formula, its derivative and its properties.

`z` is the pre-activation, `a = f(z)` the activation. `backward` turns the gradient of the loss with respect
to `a` into the gradient with respect to `z`. It receives both `z` and `a`, so that each formula can use the
cheaper one. For huge or infinite inputs, formulas return the limit, never NaN or a warning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ganglion.core.part import Array, Part

INFINITY = math.inf


@dataclass(frozen=True)
class Activation(Part):
    """The base class of activations. To write your own, subclass it and define `forward` and `backward`.

    The class attributes describe it: `formula` and `derivative` in mathematical notation,
    the `range` of the outputs, whether it is `smooth` (has a continuous derivative), `zero_centered`,
    `saturates` (is flat on at least one side) and `can_die` (the gradient is exactly 0 on a whole half
    line), its typical `use`, and the name of the `initializer` that preserves the scale of signals through
    many such layers. Give your own activation a `range` if its outputs are bounded: some losses require it.

    If `per_row` is true, each output depends on the whole last axis. The derivative is then a matrix:
    `jacobian` is the formula of da_i/dz_j in terms of a_i, a_j and `same`, which is 1 if i = j, else 0.
    `formula_in_row` is the formula as computed, with m the largest z and s the sum of exp(z - m). If
    `gives_logarithms` is true, the outputs are logarithms of probabilities.

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
    per_row: ClassVar[bool] = False
    formula_in_row: ClassVar[str] = ""
    jacobian: ClassVar[str] = ""
    gives_logarithms: ClassVar[bool] = False
    use: ClassVar[str] = ""
    initializer: ClassVar[str] = "glorot_uniform"

    def forward(self, z: Array) -> Array:
        """Return `a = f(z)`, of the shape and dtype of `z`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward")

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        """Return the gradient with respect to `z`, given the gradient with respect to `a`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method backward")

    def check_width(self, width: int) -> None:
        """Raise `ShapeError` if it cannot act on outputs whose last axis has this length."""

    def section(self, place: int, width: int) -> tuple[Activation, slice]:
        """Return what acts on one place of the last axis, of this length, and the places that it covers."""
        return self, slice(0, width)

    def probabilities(self, a: Array) -> Array:
        """Return the outputs that metrics use: `a`, or its exponential if it holds logarithms."""
        return np.exp(a) if self.gives_logarithms else a
