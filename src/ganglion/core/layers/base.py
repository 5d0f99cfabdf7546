"""The contract of a layer: configuration without state, and four pure functions of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

from ganglion.core.activations import Activation
from ganglion.core.initializers import Initializer
from ganglion.core.part import Array, Part, Shape

Cache = Any


class Weights(SimpleNamespace):
    """A layer's parameters and state by name: `weights.weight`, `weights.bias`."""

    def __getattr__(self, name: str) -> Array:
        raise AttributeError(f"this layer has no parameter {name!r}")


class Context(NamedTuple):
    """Where and when a layer runs: all that its randomness may depend on.

    Args:
        training: False when predicting.
        seed: the network's seed.
        layer: the layer's place in the network, from 0.
        step: how many updates the network has had.
        wants_grad_x: False where nobody asks for the gradient with respect to the layer's input; it may
            then be None.
    """

    training: bool = False
    seed: int = 0
    layer: int = 0
    step: int = 0
    wants_grad_x: bool = True


@dataclass(frozen=True)
class Layer(Part):
    """A layer. Subclass it with `forward` and `backward` to make your own.

    `x` is `(n, *shape)`, the batch first. A layer that learns also names its arrays in `parameters`, finds
    them as `weights.<name>`, and gives a gradient for each in `backward`; one that changes the shape has
    `output_shape`. `context` tells `training`, `seed`, `layer` and `step`. No method may write into an
    array that it is given. Settings are fields of a frozen dataclass.

    >>> class Scale(gg.Layer):
    ...     def parameters(self, shape):
    ...         return {"factor": shape}
    ...     def initializers(self):
    ...         return {"factor": gg.Ones()}
    ...     def forward(self, weights, x, context):
    ...         return x * weights.factor, x
    ...     def backward(self, weights, cache, grad_a, context):
    ...         return grad_a * weights.factor, {"factor": (grad_a * cache).sum(axis=0)}
    >>> gg.Network([Scale(), gg.Dense(1)], inputs=3, engine="reference").predict([[1, 2, 3]]).shape
    (1, 1)
    """

    kind: ClassVar[str] = "layer"
    penalized: ClassVar[tuple[str, ...]] = ()
    """The parameters that weight decay, L1, L2 and the max-norm rule act on: not biases, not scales."""

    @property
    def is_random(self) -> bool:
        """Whether training the same rows twice gives two results."""
        return False

    def split_activation(self) -> tuple[Layer, Activation | None]:
        """Return the layer as far as its pre-activation, and the activation; None if it has none."""
        return self, None

    def describe(self) -> str:
        """Return the layer in two words."""
        return self.name.replace("_", " ")

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of one output, given that of one input."""
        return shape

    def parameters(self, shape: Shape) -> Mapping[str, Shape]:
        """Return name and shape of each learned array, given the shape of one input."""
        return {}

    def initializers(self) -> Mapping[str, Initializer]:
        """Return where each learned array and each array of `state` starts; zeros where none is named."""
        return {}

    def state(self, shape: Shape) -> Mapping[str, Shape]:
        """Return name and shape of each array that is kept but not learned by gradient."""
        return {}

    def next_state(self, weights: Weights, cache: Cache) -> Mapping[str, Array]:
        """Return the state after a training step whose `forward` left `cache`."""
        return {}

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        """Return the activations, and what backward needs."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward")

    def backward(
        self, weights: Weights, cache: Cache, grad_a: Array, context: Context
    ) -> tuple[Array | None, Mapping[str, Array]]:
        """Return the gradient with respect to `x`, and that with respect to each parameter."""
        raise NotImplementedError(f"{type(self).__name__} needs a method backward")
