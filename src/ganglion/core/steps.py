"""The lowered network: a flat list of steps, each of which reads numbered values and writes one.

`Layer.lower` appends a layer's steps to a `Lowering`. A step computes z with its layer's `forward` and then
a = f(z) if it has an activation; a composite layer stands for the steps of the layers in it and, where it
combines several values, one of its own. Whatever has to understand a network reads its steps.
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
"""The number of a value, or the numbers of a network's inputs by name, at its start."""


class Entry(NamedTuple):
    """One named array inside a flat vector.

    Attributes:
        step: the number of the step it belongs to.
        owner: the name of that step, such as "dense_1".
        short: its own name, such as "weight".
        shape: of the array.
        start, stop: where it lies in the flat vector.
        penalized: whether weight decay, L1, L2 and the max-norm rule act on it.
        row_sparse: whether an update visits only those of its rows that the batch touched.
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
        """Step and array, such as "dense_1/weight"."""
        return f"{self.owner}/{self.short}"

    def of(self, vector: Array) -> Array:
        """Return this array as a view of the flat vector."""
        return vector[self.start : self.stop].reshape(self.shape)


class Value(NamedTuple):
    """What flows from step to step: the kind ("numbers", "integers", "bags") and shape of one row.

    Whole numbers are below `categories`, 0 for other kinds.
    """

    holds: str
    shape: Shape
    categories: int = 0


class Step(NamedTuple):
    """One step of a lowered network.

    Attributes:
        number: its place among the steps, from 0.
        path: the places of its layer in the network and in the layers around it: "3", or "3/1".
        name: such as "dense_1", or "residual_1/dense_1".
        layer: computes z from what the step reads.
        activation: a = f(z); None if the step has none.
        reads: the numbers of the values it reads.
        writes: the number of the value it writes.
        shapes: of one row of each value that it reads.
        shape: of one row of what it writes.
        place: the place in the network of the layer it comes from.
        stream: the number that sets its random choices apart (`Context.layer`).
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
        """The numbers that its layer is configured with, by name."""
        return self.layer.settings()

    @property
    def outputs(self) -> int:
        """How many numbers it writes for each row."""
        return math.prod(self.shape)


class Lowering:
    """Collects the steps of a network, and the layout of its parameters and its state."""

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
        """Lower layers in order, under the name of the layer around them; return the last value."""
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
        """Return the one value of a flow, after checking that there is one and that the layer takes it.

        Raises:
            ConfigError: where the network has several inputs that no layer has joined, or another kind.
        """
        if isinstance(flow, dict):
            raise ConfigError(
                f"{self._name} takes one value, and this network has the inputs {', '.join(flow)}",
                "begin with gg.Parallel({...}), one branch for each input",
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
        """The path of the layer that is being lowered."""
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
    """Raise `ShapeError` unless a layer's `forward` kept the promise of its `output_shape`."""
    if z.shape[1:] != step.shape:
        raise ShapeError(
            f"{step.name} must give rows of the shape that its output_shape states, {step.shape}, got "
            f"{z.shape[1:]}"
        )
