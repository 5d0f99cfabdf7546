"""From the parameters of an estimator to a network with the initial weights of scikit-learn's."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.core.activations import Activation, Sigmoid
from ganglion.core.architecture import Architecture
from ganglion.core.arrays import aligned_zeros
from ganglion.core.layers import Activate, BatchNormalization, Dense, Dropout, Layer
from ganglion.core.losses import Loss
from ganglion.core.model import Model
from ganglion.core.part import Array
from ganglion.core.steps import Entry
from ganglion.errors import ConfigError, shortened
from ganglion.estimators import rules
from ganglion.files.model_file import SavedModel
from ganglion.network import Network


@dataclass(frozen=True)
class Blueprint:
    """The layers of a network and their initial weights.

    Attributes:
        layers: all layers, including the output layer.
        ends: for each layer of units, the number of layers up to its end, which includes its dropout.
        factors: for each dense layer, the number s in the bound sqrt(s / (fan_in + fan_out)) of its initial
            weights; empty if the layers have their own initializers.
    """

    layers: Sequence[Layer]
    ends: Sequence[int]
    factors: Sequence[float]


def make_blueprint(settings: Any, output: Dense, loss: Loss) -> Blueprint:
    """Return the layers that an estimator asks for.

    Args:
        settings: the estimator.
        output: the last layer that the targets need.
        loss: the loss of that layer's outputs.

    Raises:
        ConfigError: for layers, activations or dropout that do not fit together.
    """
    if settings.layers is not None:
        return _own_layers(settings.layers, output, loss)
    units = rules.hidden_layer_sizes("hidden_layer_sizes", settings.hidden_layer_sizes)
    activations = _activations(settings.activation, len(units))
    fractions = _for_each("hidden_dropout", settings.hidden_dropout, len(units))
    layers: list[Layer] = []
    ends: list[int] = []
    for count, activation, fraction in zip(units, activations, fractions, strict=True):
        if settings.batch_normalization:
            layers += [Dense(count), BatchNormalization(), Activate(activation)]
        else:
            layers += [Dense(count, activation)]
        layers += [Dropout(fraction)] if fraction else []
        ends.append(len(layers))
    if not units and not rules.is_list(settings.activation):
        activations = _activations(settings.activation, 1)
    factors = [2.0 if isinstance(activation, Sigmoid) else 6.0 for activation in activations]
    factors = [*factors[: len(units)], factors[-1] if factors else 6.0]  # the output layer repeats the last
    return Blueprint([*layers, output], [*ends, len(layers) + 1], factors)


def _own_layers(layers: Any, output: Dense, loss: Loss) -> Blueprint:
    last = layers[-1] if layers else None
    if not isinstance(last, Dense) or last.units != output.units:
        raise ConfigError(
            "layers must end with the outputs that the targets need, got "
            f"{shortened(last) if layers else 'no layers'}",
            f"let the last one be gg.Dense({output.units}, {output.activation.name!r})",
        )
    loss.check_activation(last.activation)
    return Blueprint(list(layers), range(1, len(layers) + 1), ())


def _for_each(name: str, value: Any, count: int) -> list[Any]:
    if not rules.is_list(value):
        return [value] * count
    if len(value) != count:
        raise ConfigError(
            f"{name} must be one for each of {count} hidden layers, got {len(value)}",
            "or a single one, for all of them",
        )
    return list(value)


def _activations(value: Any, count: int) -> list[Activation]:
    return [rules.activation("activation", item) for item in _for_each("activation", value, count)]


def build(blueprint: Blueprint, inputs: int, dtype: np.dtype[Any], engine: str, random_state: Any) -> Network:
    """Return the network; its random numbers come from NumPy's `RandomState`, as in scikit-learn.

    Weights and biases are drawn in float64, layer by layer, uniform within sqrt(6 / (fan_in + fan_out)), with
    2 instead of 6 for the sigmoid (Glorot and Bengio, 2010). Layers with their own initializers draw one
    number, their seed. The seed of dropout is the number that would be drawn next. It is not taken from the
    generator, so dropout changes no other random number.
    """
    architecture = Architecture(blueprint.layers, inputs)
    seed = 0 if blueprint.factors else int(random_state.randint(2**31 - 1))
    parameters, state = architecture.initial(seed, dtype)
    for factor, pair in zip(blueprint.factors, dense_entries(architecture), strict=bool(blueprint.factors)):
        bound = np.sqrt(factor / sum(pair[0].shape))
        for entry in pair:
            entry.of(parameters)[...] = random_state.uniform(-bound, bound, entry.shape)
    if blueprint.factors and any(layer.is_random for layer in blueprint.layers):
        seed = int(copy.deepcopy(random_state).randint(2**31 - 1))
    return Network.from_saved(SavedModel(Model(architecture, parameters, state, seed)), engine)


def from_weights(
    coefs: Sequence[Array], intercepts: Sequence[Array], hidden: Any, last: Any, engine: str
) -> Network:
    """Return a network of given weights and biases.

    Args:
        coefs: the weights of each layer, (inputs, units).
        intercepts: the biases of each layer, (units,).
        hidden: the activation of the hidden layers, or a list with one for each, as `activation`.
        last: the activation of the last layer.
        engine: as in `Network`.
    """
    activations = [*_activations(hidden, len(coefs) - 1), *_activations(last, 1)]
    layers = [Dense(np.shape(w)[1], f) for w, f in zip(coefs, activations, strict=True)]
    architecture = Architecture(layers, np.shape(coefs[0])[0])
    dtype = np.result_type(*coefs, *intercepts, np.float32)
    parameters = aligned_zeros(architecture.size, dtype)
    for pair, arrays in zip(dense_entries(architecture), zip(coefs, intercepts, strict=True), strict=True):
        for entry, array in zip(pair, arrays, strict=True):
            entry.of(parameters)[...] = array
    state = aligned_zeros(0, dtype)
    return Network.from_saved(SavedModel(Model(architecture, parameters, state)), engine)


def first_layers(network: Network, end: int) -> Network:
    """Return the network of the first `end` layers; it shares their weights."""
    whole = network.architecture
    part = Architecture(whole.layers[:end], whole.inputs)
    parameters, state = network.parameters[: part.size], network.state[: part.state_size]
    return Network.from_saved(SavedModel(Model(part, parameters, state, network.seed)))


def as_float64(network: Network, engine: str) -> Network:
    """Return the network in float64."""
    return Network.from_saved(
        dataclasses.replace(network.to_saved(), model=network.model.in_float64()), engine
    )


def dense_entries(architecture: Architecture) -> list[tuple[Entry, Entry]]:
    """Return the places of weight and bias of each dense layer in the vector of parameters."""
    return [(s.parameters[0], s.parameters[1]) for s in architecture.steps if isinstance(s.layer, Dense)]


def weight_views(network: Network) -> tuple[list[Array], list[Array]]:
    """Return weights and biases of the dense layers as live views: `coefs_` and `intercepts_`."""
    pairs, vector = dense_entries(network.architecture), network.parameters
    return [weight.of(vector) for weight, _ in pairs], [bias.of(vector) for _, bias in pairs]
