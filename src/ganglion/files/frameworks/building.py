"""Layers with their numbers, built from those of another framework in order.

Where the framework has the channels of images first, so have the shapes here; ganglion's networks have them
last. Flattened images are in another order then, which the next layer's weights take into account.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ganglion.core.activations import IDENTITY, Activation
from ganglion.core.architecture import Architecture
from ganglion.core.inputs import IntegerInput
from ganglion.core.layers import (
    Activate,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    GroupNormalization,
    Layer,
    LayerNormalization,
    SpatialDropout,
    TransposedConv2D,
)
from ganglion.core.model import Model
from ganglion.core.part import Array, Shape
from ganglion.errors import ConfigError, ShapeError


class Built(NamedTuple):
    """A layer and its parameters and state, by name."""

    layer: Layer
    arrays: Mapping[str, Array]


class Builder:
    """Collects layers.

    Args:
        shape: of one row, as the framework has it; None if it is not known yet.
        channels_first: whether the channels come before the other axes.
    """

    def __init__(self, shape: Shape | None, channels_first: bool) -> None:
        self.given, self.channels_first = shape, channels_first
        self.found: list[Built] = []
        self.inputs: Any = None if shape is None else self._ours(shape)
        self.order: Array | None = None  # of flattened numbers: theirs, in our order
        self.is_flat = False  # whether theirs has axes of length 1 that ours lacks

    def _ours(self, shape: Shape) -> Shape:
        return (*shape[1:], shape[0]) if self.channels_first and len(shape) > 1 else shape

    @property
    def shape(self) -> Shape:
        """The shape of one row of the last value, as ganglion has it.

        Raises:
            ConfigError: if the shape of the inputs is needed, and is not known.
        """
        if self.inputs is None:
            raise ConfigError(
                "the shape of one input is needed to convert this network",
                "pass inputs, such as inputs=(channels, height, width)",
            )
        if not self.found:
            return self.inputs.row_shape if hasattr(self.inputs, "row_shape") else tuple(self.inputs)
        return Architecture([each.layer for each in self.found], self.inputs).steps[-1].shape

    def add(self, layer: Layer, **arrays: Any) -> None:
        """Append a layer with its arrays in ganglion's form."""
        found = {name: np.asarray(each) for name, each in arrays.items() if each is not None}
        self.found.append(Built(layer, found))

    def dense(self, weight: Array, bias: Array | None) -> None:
        """Append a dense layer, whose weight has the shape (inputs, units)."""
        if self.inputs is None:
            self.inputs = (weight.shape[0],)
        if self.order is not None:
            weight, self.order = weight[self.order], None
        self.add(
            Dense(weight.shape[1]), weight=weight, bias=np.zeros(weight.shape[1]) if bias is None else bias
        )

    def convolution(self, weight: Array, bias: Array | None, **settings: Any) -> None:
        """Append a convolution, whose weight has the shape (*kernel, channels / groups, filters)."""
        kind = Conv2D if weight.ndim == 4 else Conv1D
        self.add(
            kind(weight.shape[-1], weight.shape[:-2], bias=bias is not None, **settings),
            weight=weight,
            bias=bias,
        )

    def transposed(self, weight: Array, bias: Array | None, stride: Any, wanted: Shape) -> None:
        """Append a transposed convolution, whose weight has the shape (*kernel, channels, filters).

        Args:
            weight: see above.
            bias: None for none.
            stride: of both axes.
            wanted: height and width of the output.

        Raises:
            ConfigError: if the output cannot have this size.
        """
        for padding in ("valid", "same"):
            layer = TransposedConv2D(
                weight.shape[3],
                weight.shape[:2],
                stride=tuple(stride),
                padding=padding,
                bias=bias is not None,
            )
            if layer.output_shape(self.shape)[:2] == wanted:
                self.add(layer, weight=weight, bias=bias)
                return
        raise ConfigError(
            "a transposed convolution must have no padding, or such that its output is as large as its input "
            "times the stride"
        )

    def normalization(self, kind: str, arrays: Mapping[str, Any], **settings: Any) -> None:
        """Append a "batch", "layer" or "group" normalization."""
        classes = {"batch": BatchNormalization, "layer": LayerNormalization, "group": GroupNormalization}
        if self.order is not None:
            arrays = {name: np.asarray(each)[self.order] for name, each in arrays.items()}
        if self.inputs is None:
            self.inputs = (len(next(iter(arrays.values()))),)
        self.add(classes[kind](**settings), **arrays)

    def embedding(self, weight: Array) -> None:
        """Append an embedding, which must be the first layer."""
        if self.found:
            raise ConfigError("an embedding must be the first layer")
        self.inputs = IntegerInput(len(weight), self.given or ())
        self.add(Embedding(*weight.shape), weight=weight)

    def dropout(self, rate: float, spatial: bool = False) -> None:
        """Append dropout of elements, or of channels."""
        self.add((SpatialDropout if spatial else Dropout)(rate))

    def activate(self, activation: Activation) -> None:
        """Append an activation, as that of the layer before if it has none yet."""
        if self.found:
            last = self.found[-1]
            if getattr(last.layer, "activation", None) == IDENTITY:
                self.found[-1] = Built(dataclasses.replace(last.layer, activation=activation), last.arrays)  # type: ignore[call-arg]
                return
        self.add(Activate(activation))

    def flatten(self) -> None:
        """Append a layer that flattens its input."""
        shape = self.shape
        if len(shape) == 1:
            return
        if self.channels_first and math.prod(shape[:-1]) > 1:
            numbers = np.arange(math.prod(shape)).reshape(shape[-1], *shape[:-1])
            self.order = np.moveaxis(numbers, 0, -1).ravel()
        self.add(Flatten())

    def pool_all(self, largest: bool) -> None:
        """Append a pool over all places of each channel."""
        self.add(GlobalMaxPool() if largest else GlobalAveragePool())

    def model(self, seed: int = 0) -> Model:
        """Return the model.

        Raises:
            ConfigError: if there is no layer, or the outputs would be in another order.
        """
        if not self.found:
            raise ConfigError("the network has no layers to convert")
        if self.order is not None:
            raise ConfigError("a network must not end in flattened images, whose order differs here")
        architecture = Architecture([each.layer for each in self.found], self.inputs)
        kinds = {np.asarray(each).dtype for built in self.found for each in built.arrays.values()}
        dtype = np.dtype(np.float64 if np.dtype(np.float64) in kinds else np.float32)
        model = Model.initial(architecture, seed, dtype)
        for entry in (*architecture.parameters, *architecture.state):
            built = self.found[architecture.steps[entry.step].place]
            vector = model.parameters if entry in architecture.parameters else model.state
            if entry.short not in built.arrays:
                continue
            values = built.arrays[entry.short]
            if values.shape != entry.shape:
                raise ShapeError(f"{entry.name} must have shape {entry.shape}, got {values.shape}")
            entry.of(vector)[...] = values
        return model


def unknown(name: str, kind: str) -> ConfigError:
    """Return the error for a layer that ganglion has no counterpart of."""
    return ConfigError(f"layer {name!r}, {kind}, has no counterpart", "replace it, or write it as a gg.Layer")
