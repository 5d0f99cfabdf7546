"""An architecture: layers in order, their shapes worked out, and the layout of their parameters.

All parameters of a network are one flat vector, layer by layer, weight before bias; `views` gives each
layer its own by name. State that is kept but not learned (running averages) is a second vector of the
same kind. Everything here is a function of its arguments; nothing is remembered between calls.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.activations import Activation
from ganglion.core.arrays import aligned_zeros
from ganglion.core.initializers import Initializer, Zeros
from ganglion.core.layers import Context, Layer
from ganglion.core.layers.base import Cache, Weights
from ganglion.core.losses import Loss, batch_mean
from ganglion.core.part import MOST_AXES, Array, Shape
from ganglion.core.random import Purpose, generator
from ganglion.errors import ConfigError, ShapeError, shortened

LARGEST = 2**31


class Entry(NamedTuple):
    """One named array inside a flat vector."""

    layer: int
    name: str
    shape: Shape
    start: int
    stop: int
    penalized: bool

    def of(self, vector: Array) -> Array:
        """Return this array as a view of the flat vector."""
        return vector[self.start : self.stop].reshape(self.shape)


def _check_shape(shape: Shape) -> None:
    if len(shape) > MOST_AXES or max(shape) >= LARGEST or math.prod(shape) >= LARGEST:
        raise ConfigError(
            f"what goes through a network must have at most {MOST_AXES} axes and less than 2**31 numbers "
            f"for each row, got {shortened(shape)}"
        )


def _checked(loss: Loss, both: tuple[Array, Array], outputs: Array) -> tuple[Array, Array]:
    """Return a loss's values and gradients times its factor, one for each row and output as was checked."""
    values, gradients = both
    if np.shape(values) != outputs.shape[:1] or np.shape(gradients) != outputs.shape:
        raise ShapeError(
            f"{loss.name} must return one value for each row, {outputs.shape[:1]}, and gradients of shape "
            f"{outputs.shape}, got {np.shape(values)} and {np.shape(gradients)}"
        )
    return both if loss.factor == 1 else (values * loss.factor, gradients * loss.factor)


class Architecture:
    """The layers of a network in order.

    Args:
        layers: at least one.
        inputs: the shape of one input, or its size where it is a row of numbers.

    Raises:
        ConfigError: without layers, for something that is no layer, or for 2**31 parameters or more.
        ShapeError: if a layer cannot take what the one before it gives.
    """

    def __init__(self, layers: Sequence[Layer], inputs: int | Sequence[int]) -> None:
        sizes = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
        if not sizes:
            raise ConfigError("inputs must have at least one axis", "for single numbers, inputs=1")
        self.inputs: Shape = tuple(check_integer("inputs", size, at_least=1) for size in sizes)
        _check_shape(self.inputs)
        if isinstance(layers, Layer):
            layers = [layers]
        if not isinstance(layers, tuple | list):
            raise ConfigError(f"layers must be a list of layers, got {shortened(layers)}")
        self.layers: tuple[Layer, ...] = tuple(layers)
        if not self.layers:
            raise ConfigError("a network needs at least one layer", "for example gg.Dense(1)")
        self.shapes: list[Shape] = [self.inputs]
        self.names: list[str] = []
        self.parameters: list[Entry] = []
        self.state: list[Entry] = []
        count: Counter[str] = Counter()
        for place, layer in enumerate(self.layers):
            if not isinstance(layer, Layer):
                raise ConfigError(
                    f"layer {place + 1} must be a ganglion layer, got {shortened(layer)}",
                    "such as gg.Dense(16)",
                )
            count[layer.name] += 1
            self.names.append(f"{layer.name}_{count[layer.name]}")
            shape = self.shapes[-1]
            self.shapes.append(layer.output_shape(shape))
            _check_shape(self.shapes[-1])
            self._lay_out(self.parameters, place, layer.parameters(shape))
            self._lay_out(self.state, place, layer.state(shape))

    def _lay_out(self, entries: list[Entry], place: int, shapes: Mapping[str, Shape]) -> None:
        for name, shape in shapes.items():
            start = entries[-1].stop if entries else 0
            penalized = name in self.layers[place].penalized
            full = f"{self.names[place]}/{name}"
            stop = start + math.prod(shape)
            if stop >= LARGEST:
                raise ConfigError("a network must have less than 2**31 parameters", "use fewer units")
            entries.append(Entry(place, full, shape, start, stop, penalized))

    @property
    def outputs(self) -> Shape:
        """The shape of one output."""
        return self.shapes[-1]

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return self.parameters[-1].stop if self.parameters else 0

    @property
    def state_size(self) -> int:
        """How many numbers of state there are."""
        return self.state[-1].stop if self.state else 0

    @cached_property
    def output_activation(self) -> Activation | None:
        """The activation of the last layer, None if it has none."""
        return self.layers[-1].split_activation()[1]

    @cached_property
    def before_output(self) -> Architecture:
        """The same architecture without the last activation: what it gives is the pre-activation z."""
        return Architecture([*self.layers[:-1], self.layers[-1].split_activation()[0]], self.inputs)

    @cached_property
    def penalized(self) -> Array:
        """1 for each parameter that weight decay, L1 and L2 act on, 0 for the others; int8, flat."""
        mask = np.zeros(self.size, dtype=np.int8)
        for entry in self.parameters:
            mask[entry.start : entry.stop] = entry.penalized
        return mask

    def initial(self, seed: int, dtype: np.dtype[Any]) -> tuple[Array, Array]:
        """Return the first parameters and state, a function of the seed."""
        return (
            self._initial(self.parameters, self.size, seed, dtype),
            self._initial(self.state, self.state_size, seed, dtype),
        )

    def _initial(self, entries: list[Entry], size: int, seed: int, dtype: np.dtype[Any]) -> Array:
        vector = aligned_zeros(size, dtype)
        for position, entry in enumerate(entries):
            short = entry.name.rpartition("/")[2]
            initializer = self.layers[entry.layer].initializers().get(short, Zeros())
            chance = generator(seed, Purpose.INITIAL_WEIGHTS, position)
            entry.of(vector)[...] = Initializer.find(initializer).sample(chance, entry.shape)
        return vector

    def views(self, parameters: Array, state: Array) -> list[Weights]:
        """Return each layer's parameters and state by name, as views of the two vectors."""
        views = [Weights() for _ in self.layers]
        for entries, vector in ((self.parameters, parameters), (self.state, state)):
            for entry in entries:
                setattr(views[entry.layer], entry.name.rpartition("/")[2], entry.of(vector))
        return views

    def forward(
        self, weights: Sequence[Weights], x: Array, context: Context = Context()
    ) -> tuple[Array, list[Cache]]:
        """Return the activations of the last layer, and each layer's cache for backward."""
        caches = []
        for place, layer in enumerate(self.layers):
            x, cache = layer.forward(weights[place], x, context._replace(layer=place))
            caches.append(cache)
            if x.shape[1:] != self.shapes[place + 1]:
                raise ShapeError(
                    f"{self.names[place]} must give rows of the shape that its output_shape tells, "
                    f"{self.shapes[place + 1]}, got {x.shape[1:]}"
                )
        return x, caches

    def backward(
        self, weights: Sequence[Weights], caches: Sequence[Cache], grad_a: Array, context: Context
    ) -> tuple[Array | None, Array]:
        """Return the gradient with respect to the input, and that to all parameters as one vector.

        Where `context.wants_grad_x` is False, it goes no further back than the first layer that learns.
        """
        gradient = np.empty(self.size, dtype=grad_a.dtype)
        by_layer: list[Mapping[str, Array]] = [{}] * len(self.layers)
        first = 0
        if not context.wants_grad_x and self.parameters:
            first = self.parameters[0].layer
        grad: Array | None = grad_a
        for place in reversed(range(first, len(self.layers))):
            here = context._replace(layer=place, wants_grad_x=context.wants_grad_x or place > first)
            grad, by_layer[place] = self.layers[place].backward(weights[place], caches[place], grad, here)  # type: ignore[arg-type]
        for entry in self.parameters:
            short = entry.name.rpartition("/")[2]
            if short not in by_layer[entry.layer]:
                raise ConfigError(
                    f"backward of {self.names[entry.layer]} must give the gradient of {short!r}"
                )
            entry.of(gradient)[...] = by_layer[entry.layer][short]
        return grad, gradient

    def loss_and_gradient(
        self,
        weights: Sequence[Weights],
        x: Array,
        y: Array,
        weight: Array | None,
        loss: Loss,
        context: Context,
    ) -> tuple[float, Array, list[Cache]]:
        """Return the batch's weighted mean loss, its gradient as one vector, and the layers' caches.

        Where the last activation is a partner of the loss, the two are taken together, from `z`.
        """
        if loss.is_partner_of(self.output_activation):
            z, caches = self.before_output.forward(weights, x, context)
            value, grad = batch_mean(_checked(loss, loss.values_and_gradients_from_z(z, y), z), weight)
            back = context._replace(wants_grad_x=False)
            return value, self.before_output.backward(weights, caches, grad, back)[1], caches
        a, caches = self.forward(weights, x, context)
        value, grad = batch_mean(_checked(loss, loss.values_and_gradients(a, y), a), weight)
        back = context._replace(wants_grad_x=False)
        return value, self.backward(weights, caches, grad, back)[1], caches

    def evaluate(self, weights: Sequence[Weights], x: Array, y: Array, loss: Loss) -> tuple[Array, Array]:
        """Return the loss of each sample, of shape (n,), and the activations, as when predicting."""
        activation = self.output_activation
        if activation is not None and loss.is_partner_of(activation):
            z, _ = self.before_output.forward(weights, x)
            return loss.factor * loss.values_and_gradients_from_z(z, y)[0], activation.forward(z)
        a, _ = self.forward(weights, x)
        return loss.factor * loss.values_and_gradients(a, y)[0], a

    def next_state(self, weights: Sequence[Weights], caches: Sequence[Cache], state: Array) -> None:
        """Write the state after a training step into `state`."""
        by_layer = [
            layer.next_state(w, cache) for layer, w, cache in zip(self.layers, weights, caches, strict=True)
        ]
        for entry in self.state:
            entry.of(state)[...] = by_layer[entry.layer][entry.name.rpartition("/")[2]]

    def configuration(self) -> dict[str, Any]:
        """Return inputs and layers as plain JSON data."""
        return {
            "inputs": list(self.inputs),
            "layers": [layer.configuration() for layer in self.layers],
        }
