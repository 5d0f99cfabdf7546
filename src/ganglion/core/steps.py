"""The lowered network: a flat list of steps, each of which reads numbered values and writes one.

`Layer.lower` appends a layer's steps to a `Lowering`. A step computes z with its layer's `forward` and then
a = f(z) if it has an activation. A composite layer becomes the steps of its inner layers and one more that
combines their values. All code that interprets a network reads its steps.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ganglion.core.activations import Activation
from ganglion.core.inputs import LARGEST, Input, check_shape
from ganglion.core.layers.base import Layer
from ganglion.core.part import Array, Shape
from ganglion.core.random import mix
from ganglion.errors import ConfigError, ShapeError, shortened

Flow = int | dict[str, int]
"""The number of a value or, at the start of a network with several inputs, their numbers by name."""


class Entry(NamedTuple):
    """One named array inside a flat vector.

    Attributes:
        step: the number of the step it belongs to.
        owner: the name of that step, such as "dense_1".
        short: the array's own name, such as "weight".
        shape: the shape of the array.
        start, stop: the array's range in the flat vector.
        penalized: whether weight decay, L1, L2 and the max-norm rule act on it.
        row_sparse: whether an update visits only the rows that the batch read.
    """

    step: int
    owner: str
    short: str
    shape: Shape
    start: int
    stop: int
    penalized: bool
    row_sparse: bool

    @property
    def name(self) -> str:
        """The names of step and array, such as "dense_1/weight"."""
        return f"{self.owner}/{self.short}"

    def of(self, vector: Array) -> Array:
        """Return this array as a view of the flat vector."""
        return vector[self.start : self.stop].reshape(self.shape)


class Value(NamedTuple):
    """A value passed between steps: the kind ("numbers", "integers", "bags") and shape of one row.

    Integers are below `categories`, which is 0 for real numbers.
    """

    holds: str
    shape: Shape
    categories: int = 0


class Step(NamedTuple):
    """One step of a lowered network.

    Attributes:
        number: its index among the steps.
        path: the index of its layer in the network and in each enclosing layer: "3", or "3/1".
        name: such as "dense_1", or "residual_1/dense_1".
        layer: computes z from the values that the step reads.
        activation: the f of a = f(z); None if the step has none.
        reads: the numbers of the values it reads.
        writes: the number of the value it writes.
        shapes: the shape of one row of each value it reads.
        shape: the shape of one row of the value it writes.
        place: the index of the layer in the network that it comes from.
        stream: the number of its random stream (`Context.layer`).
        parameters, state: its arrays in the two flat vectors.
    """

    number: int
    path: str
    name: str
    layer: Layer
    activation: Activation | None
    reads: tuple[int, ...]
    writes: int
    shapes: tuple[Shape, ...]
    shape: Shape
    place: int
    stream: int
    parameters: tuple[Entry, ...]
    state: tuple[Entry, ...]

    @property
    def kind(self) -> str:
        """The name of its layer's kind, such as "dense"."""
        return self.layer.name

    @property
    def settings(self) -> dict[str, float]:
        """The numeric settings of its layer by name."""
        return self.layer.settings()

    @property
    def outputs(self) -> int:
        """The number of outputs per row."""
        return math.prod(self.shape)


class Lowering:
    """Collects the steps of a network and the layout of its parameters and state."""

    def __init__(self, inputs: Mapping[str, Input]) -> None:
        self.values: list[Value] = [Value(part.holds, part.row_shape, part.below) for part in inputs.values()]
        self.steps: list[Step] = []
        self.parameters: list[Entry] = []
        self.state: list[Entry] = []
        self.names: list[str] = []
        self._path: tuple[int, ...] = ()
        self._name = ""
        self._stream = 0

    def sequence(self, layers: Any, flow: Flow, branch: str = "") -> Flow:
        """Lower layers in order, under the name of the enclosing layer; return the last value."""
        around = self._path, self._name, self._stream
        prefix = "".join(part + "/" for part in (self._name, branch) if part)
        count: Counter[str] = Counter()
        for place, layer in enumerate(_checked(layers)):
            count[layer.name] += 1
            self._path = (*around[0], place)
            self._name = f"{prefix}{layer.name}_{count[layer.name]}"
            inside = bool(around[0])
            self._stream = mix(mix(around[2]) ^ mix(_hash(branch) + place)) if inside else place
            if not inside:
                self.names.append(self._name)
            flow = layer.lower(self, flow)
        self._path, self._name, self._stream = around
        return flow

    def single(self, flow: Flow, layer: Layer) -> int:
        """Return the one value of a flow.

        Raises:
            ConfigError: if there are several inputs that no layer has joined, or the layer does not accept
                this kind of value.
        """
        if isinstance(flow, dict):
            raise ConfigError(
                f"{self._name} takes one value, but this network has the inputs {', '.join(flow)}",
                "start with gg.Parallel({...}), one branch for each input",
            )
        if (holds := self.values[flow].holds) not in layer.takes:
            remedies = {
                "integers": "put gg.Embedding(categories, units) before it",
                "bags": "put gg.EmbeddingBag(categories, units) before it",
                "numbers": "describe the input by gg.IntegerInput(categories) or gg.BagInput(categories)",
            }
            raise ConfigError(f"{self._name} takes {' or '.join(layer.takes)}, got {holds}", remedies[holds])
        return flow

    def step(self, layer: Layer, *reads: int, activation: Activation | None = None, suffix: str = "") -> int:
        """Append one step that reads some values; return the number of the value it writes."""
        number, shapes = len(self.steps), tuple(self.values[value].shape for value in reads)
        shape = layer.output_shape(*shapes)
        check_shape(shape)
        if activation is not None and shape:
            activation.check_width(shape[-1])
        name, path = (f"{text}/{suffix}" if suffix else text for text in (self._name, self.path))
        arrays = [
            _lay_out(entries, number, name, layer, named)
            for entries, named in (
                (self.parameters, layer.parameters(*shapes)),
                (self.state, layer.state(*shapes)),
            )
        ]
        self.values.append(Value("numbers", shape))
        self.steps.append(
            Step(
                number,
                path,
                name,
                layer,
                activation,
                reads,
                len(self.values) - 1,
                shapes,
                shape,
                self._path[0],
                self._stream,
                *arrays,
            )
        )
        return len(self.values) - 1

    @property
    def path(self) -> str:
        """The path of the layer being lowered."""
        return "/".join(map(str, self._path))

    def shape(self, value: int) -> Shape:
        """Return the shape of one row of a value."""
        return self.values[value].shape


def _lay_out(
    entries: list[Entry], number: int, owner: str, layer: Layer, shapes: Mapping[str, Shape]
) -> tuple[Entry, ...]:
    first = len(entries)
    for short, shape in shapes.items():
        start = entries[-1].stop if entries else 0
        stop = start + math.prod(shape)
        if stop >= LARGEST:
            raise ConfigError("a network must have fewer than 2**31 parameters", "use fewer units")
        flags = short in layer.penalized, short in layer.row_sparse
        entries.append(Entry(number, owner, short, shape, start, stop, *flags))
    return tuple(entries[first:])


def _checked(layers: Any) -> Sequence[Layer]:
    if isinstance(layers, Layer):
        return [layers]
    if not isinstance(layers, tuple | list):
        raise ConfigError(f"layers must be a list of layers, got {shortened(layers)}")
    if not layers:
        raise ConfigError("a network needs at least one layer", "for example gg.Dense(1)")
    for place, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise ConfigError(
                f"layer {place + 1} must be a ganglion layer, got {shortened(layer)}", "such as gg.Dense(16)"
            )
    return layers


def _hash(text: str) -> int:
    value = 0
    for byte in text.encode():
        value = mix(value ^ byte)
    return value


def check_output(step: Step, z: Array) -> None:
    """Raise `ShapeError` unless the output of a layer's `forward` has the shape of its `output_shape`."""
    if z.shape[1:] != step.shape:
        raise ShapeError(
            f"{step.name} must return rows of the shape of its output_shape, {step.shape}, got {z.shape[1:]}"
        )
