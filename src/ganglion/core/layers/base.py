"""The contract of a layer: configuration without state, and four pure functions of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ganglion.core.arithmetic import Arithmetic
from ganglion.core.initializers import Initializer
from ganglion.core.part import Array, Part, Shape

if TYPE_CHECKING:
    from ganglion.core.steps import Flow, Lowering

Cache = Any


class Weights(SimpleNamespace):
    """A layer's parameters and state by name: `weights.weight`, `weights.bias`."""

    def __getattr__(self, name: str) -> Array:
        raise AttributeError(f"this layer has no parameter {name!r}")


class Context(NamedTuple):
    """Where and when a layer runs: everything its randomness may depend on.

    Args:
        training: False when predicting.
        seed: the network's seed.
        layer: the number that sets this layer's random choices apart from those of the others.
        step: how many updates the network has had.
        wants_grad_x: False where the gradient with respect to the layer's input is not needed; it may then
            be None.
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
    them as `weights.<name>`, and returns a gradient for each from `backward`; one that changes the shape has
    `output_shape`. `context` holds `training`, `seed`, `layer` and `step`. No method may write into an
    array that it is given. Settings are fields of a frozen dataclass.

    >>> class Scale(gg.Layer):
    ...     def parameters(self, shape):
    ...         return {"factor": shape}
    ...     def initializers(self):
    ...         return {"factor": gg.Ones()}
    ...     def forward(self, weights, x, context):
    ...         return x * weights.factor, x
    ...     def backward(self, weights, cache, grad_z, context):
    ...         return grad_z * weights.factor, {"factor": (grad_z * cache).sum(axis=0)}
    >>> gg.Network([Scale(), gg.Dense(1)], inputs=3, engine="reference").predict([[1, 2, 3]]).shape
    (1, 1)
    """

    kind: ClassVar[str] = "layer"
    penalized: ClassVar[tuple[str, ...]] = ()
    """The parameters that weight decay, L1, L2 and the max-norm rule act on: not biases, not scales."""
    row_sparse: ClassVar[tuple[str, ...]] = ()
    """The parameters of which a batch touches a few rows only: an update visits no others."""
    takes: ClassVar[tuple[str, ...]] = ("numbers",)
    """The kinds of values it reads: "numbers", "integers", "bags"."""
    arithmetic: ClassVar[Arithmetic] = Arithmetic()
    """How the layer's numbers come about, in symbols, for `Network.trace`."""
    uses_batch: ClassVar[bool] = False
    """Whether what it makes of a row depends on the other rows of the batch while training."""
    normalizes: ClassVar[bool] = False
    """Whether it scales its input to mean 0 and standard deviation 1, whatever the scale of that input."""

    @property
    def is_random(self) -> bool:
        """Whether training the same rows twice gives two results."""
        return False

    @property
    def inner(self) -> tuple[Layer, ...]:
        """The layers that this one is composed of."""
        return ()

    def lower(self, into: Lowering, flow: Flow) -> int:
        """Append the steps that this layer stands for; return the number of the value they end in."""
        return into.step(self, into.single(flow, self))

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

    def touched(self, cache: Cache) -> Mapping[str, Array]:
        """Return, for each `row_sparse` array, the numbers of the rows that `forward` read, ascending."""
        return {}

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        """Return the outputs (the pre-activations, where an activation follows), and what backward needs."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward")

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Any, Mapping[str, Array]]:
        """Return the gradient with respect to `x`, and that with respect to each parameter."""
        raise NotImplementedError(f"{type(self).__name__} needs a method backward")
