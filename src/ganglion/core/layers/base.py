"""The contract of a layer: stateless configuration and pure functions of arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        layer: the number of this layer's random stream, different for each layer.
        step: the number of updates made so far.
        wants_grad_x: False if the gradient with respect to the layer's input is not needed; it may then
            be None.
    """

    training: bool = False
    seed: int = 0
    layer: int = 0
    step: int = 0
    wants_grad_x: bool = True


@dataclass(frozen=True)
class Layer(Part):
    """The base class of layers. To write your own, subclass it and define `forward` and `backward`.

    `x` has shape `(n, *shape)`, batch first. A layer that learns also names its arrays in `parameters`, reads
    them as `weights.<name>`, and returns a gradient for each from `backward`. A layer that changes the shape
    defines `output_shape`. `context` holds `training`, `seed`, `layer` and `step`. No method may modify its
    arguments. Settings are fields of a frozen dataclass.

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
    """The parameters that weight decay, L1, L2 and the max-norm rule act on; biases and scales are exempt."""
    row_sparse: ClassVar[tuple[str, ...]] = ()
    """The parameters of which a batch reads only a few rows; an update changes only those rows."""
    takes: ClassVar[tuple[str, ...]] = ("numbers",)
    """The kinds of values that the layer reads: "numbers", "integers", "bags"."""
    arithmetic: ClassVar[Arithmetic] = Arithmetic()
    """The layer's computation as equations, for `Network.trace`."""
    uses_batch: ClassVar[bool] = False
    """Whether, in training, the output for a row depends on the other rows of the batch."""
    normalizes: ClassVar[bool] = False
    """Whether it scales its input to mean 0 and standard deviation 1, whatever its scale is."""
    mixes: ClassVar[bool] = False
    """Whether its outputs are means of answers that stand side by side."""

    @property
    def is_random(self) -> bool:
        """Whether training is random, as with dropout."""
        return False

    @property
    def inner(self) -> tuple[Layer, ...]:
        """The layers inside this one."""
        return ()

    def lower(self, into: Lowering, flow: Flow) -> int:
        """Append the steps of this layer; return the number of the value that the last one writes."""
        return into.step(self, into.single(flow, self))

    def describe(self) -> str:
        """Return a description of a few words."""
        return self.name.replace("_", " ")

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of one output, given that of one input."""
        return shape

    def constants(self) -> Sequence[float]:
        """Return further numbers for an engine, which are too many to be settings with names."""
        return ()

    def parameters(self, shape: Shape) -> Mapping[str, Shape]:
        """Return the name and shape of each learned array, given the shape of one input."""
        return {}

    def initializers(self) -> Mapping[str, Initializer]:
        """Return the initializers of learned arrays and of arrays of `state`; the others start at zero."""
        return {}

    def state(self, shape: Shape) -> Mapping[str, Shape]:
        """Return the name and shape of each array that training updates without a gradient."""
        return {}

    def next_state(self, weights: Weights, cache: Cache) -> Mapping[str, Array]:
        """Return the state after a training step, given the cache of its `forward`."""
        return {}

    def touched(self, cache: Cache) -> Mapping[str, Array]:
        """Return the indices of the rows that `forward` read from each `row_sparse` array, ascending."""
        return {}

    def forward(self, weights: Weights, x: Array, context: Context) -> tuple[Array, Cache]:
        """Return the outputs (the pre-activations if an activation follows) and the cache for `backward`."""
        raise NotImplementedError(f"{type(self).__name__} needs a method forward")

    def backward(
        self, weights: Weights, cache: Cache, grad_z: Array, context: Context
    ) -> tuple[Any, Mapping[str, Array]]:
        """Return the gradient with respect to `x` and the gradients with respect to the parameters."""
        raise NotImplementedError(f"{type(self).__name__} needs a method backward")
