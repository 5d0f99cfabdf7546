"""A model: an architecture, its parameters, its state, and the seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from ganglion.core.architecture import Architecture
from ganglion.core.inputs import InputRows
from ganglion.core.layers.base import Context, Weights
from ganglion.core.part import Array


@dataclass(frozen=True)
class Model:
    """All that defines a network, as engines and insight use it.

    Attributes:
        architecture: the layers, lowered to steps.
        parameters, state: the two flat vectors, of one dtype; live if they belong to a `Network`.
        seed: determines all randomness.
        programs: the programs that engines compiled from the architecture.
    """

    architecture: Architecture
    parameters: Array
    state: Array
    seed: int = 0
    programs: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return Model, (self.architecture, self.parameters, self.state, self.seed)

    @classmethod
    def initial(cls, architecture: Architecture, seed: int, dtype: np.dtype[Any]) -> Self:
        """Return the model before any training."""
        return cls(architecture, *architecture.initial(seed, dtype), seed)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of all real numbers."""
        return self.parameters.dtype

    @property
    def views(self) -> list[Weights]:
        """Each step's parameters and state by name, as views of the two vectors."""
        return self.architecture.views(self.parameters, self.state)

    def named_arrays(self) -> dict[str, Array]:
        """Return each array of parameters and state by name, as a view: `{"dense_1/weight": ..., ...}`."""
        pairs = ((self.architecture.parameters, self.parameters), (self.architecture.state, self.state))
        return {entry.name: entry.of(vector) for entries, vector in pairs for entry in entries}

    def in_float64(self) -> Self:
        """Return the model with copies of its numbers in float64."""
        vectors = self.parameters.astype(np.float64), self.state.astype(np.float64)
        return type(self)(self.architecture, *vectors, self.seed)

    def outputs(self, x: InputRows) -> Array:
        """Return the outputs for some rows, as in prediction, computed by the layers' own code."""
        return self.architecture.forward(self.views, x)[0]

    def gradient_of_inputs(self, x: InputRows, grad: Array) -> Any:
        """Return the gradient of sum(grad * outputs) with respect to the inputs, as in prediction."""
        views = self.views
        _, passed = self.architecture.forward(views, x)
        return self.architecture.backward(views, passed, grad, Context())[0]
