"""An architecture: layers lowered to steps, their shapes, and the layout of their parameters.

All parameters of a network form one flat vector, step by step, weight before bias; `views` returns each
step's parameters by name. State updated without a gradient (running averages) is a second vector of the
same kind. All functions here are pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ganglion.core.activations import Activation
from ganglion.core.arrays import aligned_zeros
from ganglion.core.initializers import Initializer
from ganglion.core.inputs import Input, InputRows, find_inputs, is_single, values_of
from ganglion.core.layers import Context, Layer
from ganglion.core.layers.base import Cache, Weights
from ganglion.core.losses import Loss, batch_mean
from ganglion.core.part import Array, Shape
from ganglion.core.random import Purpose, generator
from ganglion.core.steps import Entry, Lowering, Step, check_output
from ganglion.errors import ConfigError, ShapeError


class Passed(NamedTuple):
    """The results of a step's forward pass that its backward pass needs."""

    z: Array
    a: Array
    cache: Cache


class Architecture:
    """The layers of a network in order, lowered to steps, with the layout of parameters and state.

    Args:
        layers: at least one.
        inputs: the shape of one input, or its size if it is a row of numbers; an `Input`; or a dict of
            these by name.

    Attributes:
        layers: as given.
        inputs: each `Input` by name; "x" if there is only one.
        names: the names of the layers, such as "dense_1".
        steps: the lowered network.
        parameters, state: the named arrays of the two flat vectors, in order.

    Raises:
        ConfigError: if there is no layer, if an item is not a layer, or for 2**31 parameters or more.
        ShapeError: if a layer does not accept the output shape of the layer before it.
    """

    def __init__(self, layers: Sequence[Layer], inputs: Any) -> None:
        self.inputs: dict[str, Input] = find_inputs(inputs)
        lowering = Lowering(self.inputs)
        start = 0 if is_single(self.inputs) else {name: place for place, name in enumerate(self.inputs)}
        lowering.sequence(layers, start)
        self.layers: tuple[Layer, ...] = (layers,) if isinstance(layers, Layer) else tuple(layers)
        self.names = lowering.names
        self.steps: tuple[Step, ...] = tuple(lowering.steps)
        self.values = lowering.values
        self.parameters: list[Entry] = lowering.parameters
        self.state: list[Entry] = lowering.state

    @cached_property
    def input_shape(self) -> Shape:
        """The shape of one row of the only input.

        Raises:
            ConfigError: if the network has several inputs.
        """
        if not is_single(self.inputs):
            raise ConfigError(f"this needs a network with one input, this one has {', '.join(self.inputs)}")
        return next(iter(self.inputs.values())).row_shape

    @property
    def shapes(self) -> list[Shape]:
        """The shape of one row: of the only input, and after each layer."""
        after = {step.place: step.shape for step in self.steps}
        return [self.input_shape, *(after[place] for place in range(len(self.layers)))]

    @cached_property
    def takes_numbers(self) -> bool:
        """Whether the network's rows are one array of numbers."""
        return is_single(self.inputs) and next(iter(self.inputs.values())).holds == "numbers"

    @cached_property
    def outputs(self) -> Shape:
        """The shape of one output."""
        return self.steps[-1].shape

    @property
    def size(self) -> int:
        """The number of parameters."""
        return self.parameters[-1].stop if self.parameters else 0

    @property
    def state_size(self) -> int:
        """The length of the state vector."""
        return self.state[-1].stop if self.state else 0

    @property
    def output_activation(self) -> Activation | None:
        """The activation of the last step, or None if it has none."""
        return self.steps[-1].activation

    @property
    def answer_activation(self) -> Activation | None:
        """The activation that made the outputs: of a mixture, that of all its answers; None for none."""
        last = self.steps[-1]
        if not last.layer.mixes:
            return last.activation
        writers = {step.writes: step for step in self.steps}
        joined = writers.get(last.reads[0])
        found = (
            {writers[read].activation if read in writers else None for read in joined.reads}
            if joined
            else {None}
        )
        return found.pop() if len(found) == 1 else None

    @cached_property
    def penalized(self) -> Array:
        """1 for each parameter on which weight decay, L1 and L2 act, 0 for the others; a flat int8 vector."""
        mask = np.zeros(self.size, dtype=np.int8)
        for entry in self.parameters:
            mask[entry.start : entry.stop] = entry.penalized
        return mask

    def visited(self, passed: Sequence[Passed]) -> slice | Array:
        """Return the indices of the parameters that the update after a batch changes; a slice for all.

        Of row-sparse arrays, these are the rows that the batch read.
        """
        if not any(entry.row_sparse for entry in self.parameters):
            return slice(None)
        parts = []
        for step in self.steps:
            touched = step.layer.touched(passed[step.number].cache)
            for entry in step.parameters:
                numbers = np.arange(entry.start, entry.stop)
                if entry.row_sparse:
                    numbers = numbers.reshape(entry.shape)[touched[entry.short]].ravel()
                parts.append(numbers)
        return np.concatenate(parts)

    def penalized_among(self, visited: slice | Array) -> Array:
        """Return `penalized` with 0 for parameters that an update does not visit."""
        if isinstance(visited, slice):
            return self.penalized
        mask = np.zeros_like(self.penalized)
        mask[visited] = self.penalized[visited]
        return mask

    @cached_property
    def learned(self) -> tuple[bool, ...]:
        """For each value, whether it depends on a parameter: only such values need a gradient."""
        found = [False] * len(self.values)
        for step in self.steps:
            found[step.writes] = bool(step.parameters) or any(found[value] for value in step.reads)
        return tuple(found)

    def initial(self, seed: int, dtype: np.dtype[Any]) -> tuple[Array, Array]:
        """Return the initial parameters and state, a function of the seed."""
        return (
            self._initial(self.parameters, self.size, seed, dtype),
            self._initial(self.state, self.state_size, seed, dtype),
        )

    def _initial(self, entries: list[Entry], size: int, seed: int, dtype: np.dtype[Any]) -> Array:
        vector = aligned_zeros(size, dtype)
        for position, entry in enumerate(entries):
            initializer = self.steps[entry.step].layer.initializers().get(entry.short)
            if initializer is not None:  # the others start at 0, as they are
                chance = generator(seed, Purpose.INITIAL_WEIGHTS, position)
                entry.of(vector)[...] = Initializer.find(initializer).sample(chance, entry.shape)
        return vector

    def views(self, parameters: Array, state: Array) -> list[Weights]:
        """Return each step's parameters and state by name, as views of the two vectors."""
        views = [Weights() for _ in self.steps]
        for entries, vector in ((self.parameters, parameters), (self.state, state)):
            for entry in entries:
                setattr(views[entry.step], entry.short, entry.of(vector))
        return views

    def forward(
        self, weights: Sequence[Weights], rows: InputRows, context: Context = Context(), *, to_z: bool = False
    ) -> tuple[Array, list[Passed]]:
        """Return the outputs, and the results of each step that `backward` needs.

        Args:
            weights: the weights of each step, from `views`.
            rows: as returned by `read_rows`.
            context: prediction by default.
            to_z: whether to skip the last activation and return the pre-activations.
        """
        values: list[Any] = [*values_of(self.inputs, rows), *[None] * len(self.steps)]
        passed: list[Passed] = []
        for step in self.steps:
            read: Any = [values[value] for value in step.reads]
            x: Any = read[0] if len(read) == 1 else tuple(read)
            here = context._replace(layer=step.stream)
            z, cache = step.layer.forward(weights[step.number], x, here)
            check_output(step, z)
            bends = step.activation is not None and not (to_z and step is self.steps[-1])
            a = step.activation.forward(z) if bends else z  # type: ignore[union-attr]
            passed.append(Passed(z, a, cache))
            values[step.writes] = a
        return values[-1], passed

    def backward(
        self,
        weights: Sequence[Weights],
        passed: Sequence[Passed],
        grad: Array,
        context: Context,
        *,
        from_z: bool = False,
    ) -> tuple[Any, Array]:
        """Return the gradient with respect to the input, and the gradient of all parameters as one vector.

        The first is a dict if there are several inputs. If `context.wants_grad_x` is False, it may be None:
        values that do not depend on parameters then get no gradient.

        Args:
            weights: the weights of each step.
            passed: the results of `forward`.
            grad: the gradient with respect to the outputs, or to their pre-activations if `from_z`.
            context: as in `forward`.
            from_z: see `grad`.
        """
        grads, gradient = self.backward_to_values(weights, passed, grad, context, from_z=from_z)
        inputs = grads[: len(self.inputs)]
        return (
            inputs[0] if is_single(self.inputs) else dict(zip(self.inputs, inputs, strict=True))
        ), gradient

    def backward_to_values(
        self,
        weights: Sequence[Weights],
        passed: Sequence[Passed],
        grad: Array,
        context: Context,
        *,
        from_z: bool = False,
    ) -> tuple[list[Any], Array]:
        """Return the gradient with respect to each numbered value, and the gradient of all parameters."""
        gradient = np.empty(self.size, dtype=grad.dtype)
        grads: list[Any] = [None] * len(self.values)
        grads[-1] = grad
        for step in reversed(self.steps):
            if not (context.wants_grad_x or self.learned[step.writes]):
                continue
            wanted = context.wants_grad_x or any(self.learned[value] for value in step.reads)
            here = context._replace(layer=step.stream, wants_grad_x=wanted)
            grad_z = grads[step.writes]
            if step.activation is not None and not (from_z and step is self.steps[-1]):
                grad_z = step.activation.backward(grad_z, *passed[step.number][:2])
            grad_x, by_name = step.layer.backward(
                weights[step.number], passed[step.number].cache, grad_z, here
            )
            for value, part in zip(step.reads, grad_x if len(step.reads) > 1 else (grad_x,), strict=True):
                if part is None and self.learned[value]:
                    raise ConfigError(f"backward of {step.name} must return the gradient of x, got None")
                grads[value] = part if grads[value] is None else grads[value] + part
            for entry in step.parameters:
                if entry.short not in by_name:
                    raise ConfigError(f"backward of {step.name} must return the gradient of {entry.short!r}")
                entry.of(gradient)[...] = by_name[entry.short]
        return grads, gradient

    def loss_and_gradient(
        self,
        weights: Sequence[Weights],
        x: InputRows,
        y: Array,
        weight: Array | None,
        loss: Loss,
        context: Context,
    ) -> tuple[float, Array, list[Passed]]:
        """Return the batch's weighted mean loss, its gradient as one vector, and the results of `forward`.

        If the last activation is a partner of the loss, both are computed together, from `z`.
        """
        from_z = loss.is_partner_of(self.output_activation)
        out, passed = self.forward(weights, x, context, to_z=from_z)
        value, grad = batch_mean(_judged(loss, out, y, from_z), weight)
        back = context._replace(wants_grad_x=False)
        return value, self.backward(weights, passed, grad, back, from_z=from_z)[1], passed

    def evaluate(self, weights: Sequence[Weights], x: InputRows, y: Array, loss: Loss) -> tuple[Array, Array]:
        """Return the loss of each sample, of shape (n,), and the activations, as in prediction."""
        from_z = loss.is_partner_of(self.output_activation)
        out, _ = self.forward(weights, x, to_z=from_z)
        losses = _judged(loss, out, y, from_z)[0]
        return losses, self.output_activation.forward(out) if from_z else out  # type: ignore[union-attr]

    def next_state(self, weights: Sequence[Weights], passed: Sequence[Passed], state: Array) -> None:
        """Write the state after a training step into `state`."""
        for step in self.steps:
            if step.state:
                after = step.layer.next_state(weights[step.number], passed[step.number].cache)
                for entry in step.state:
                    entry.of(state)[...] = after[entry.short]

    def configuration(self) -> dict[str, Any]:
        """Return inputs and layers as plain JSON data."""
        return {
            "inputs": {name: part.configuration() for name, part in self.inputs.items()},
            "layers": [layer.configuration() for layer in self.layers],
        }


def _judged(loss: Loss, outputs: Array, y: Array, from_z: bool) -> tuple[Array, Array]:
    """Return a loss's values, one per row, and its gradients, one per output, times its factor."""
    method = loss.values_and_gradients_from_z if from_z else loss.values_and_gradients
    values, gradients = method(outputs, y)
    if np.shape(values) != outputs.shape[:1] or np.shape(gradients) != outputs.shape:
        raise ShapeError(
            f"{loss.name} must return one value for each row, {outputs.shape[:1]}, and gradients of shape "
            f"{outputs.shape}, got {np.shape(values)} and {np.shape(gradients)}"
        )
    return (values, gradients) if loss.factor == 1 else (values * loss.factor, gradients * loss.factor)
