"""The network of an estimator, kept in step with `coefs_`, `intercepts_` and the parameters."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from operator import is_
from typing import Any, NamedTuple, cast

import numpy as np

from ganglion.core.layers import Dense
from ganglion.core.losses import Loss
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, ShapeError
from ganglion.estimators.bookkeeping import STOCHASTIC_ATTRIBUTES
from ganglion.estimators.building import as_float64, build, from_weights, make_blueprint, weight_views
from ganglion.estimators.parameters import CommonParameters
from ganglion.network import Network

# The parameters that say what the layers are, and may change after the network is built.
LAYER_PARAMETERS = ("hidden_layer_sizes", "activation", "layers", "hidden_dropout", "batch_normalization")


class Objective(NamedTuple):
    """What the targets require of a network.

    Attributes:
        output: the last layer.
        loss: what is minimized.
        report: the factor by which the loss that scikit-learn reports differs.
    """

    output: Dense
    loss: Loss
    report: float = 1.0


class LiveNetwork(CommonParameters, ABC):
    """The part of an estimator that holds its network."""

    network_: Network
    n_outputs_: int
    _ends: list[int]

    @abstractmethod
    def _objective(self, dtype: np.dtype[Any]) -> Objective:
        """Return the last layer and the loss for `n_outputs_` outputs."""

    def _build_network(self, inputs: int, outputs: int, dtype: np.dtype[Any], random_state: Any) -> None:
        """Build the network and remove the attributes of earlier runs."""
        for name in STOCHASTIC_ATTRIBUTES:
            self.__dict__.pop(name, None)
        self.n_outputs_ = outputs
        objective = self._objective(dtype)
        blueprint = make_blueprint(self, objective.output, objective.loss)
        self._set_network(build(blueprint, inputs, dtype, self.engine, random_state), blueprint.ends)
        self.n_layers_ = len(self.coefs_) + 1
        self.n_iter_ = self.t_ = 0
        self.loss_ = math.nan

    def _set_network(self, network: Network, ends: Sequence[int]) -> None:
        """Store a network and what follows from it; `ends` is that of its `Blueprint`."""
        self.network_, self._ends = network, list(ends)
        activation = network.architecture.output_activation
        name = "identity" if activation is None else activation.name
        self.out_activation_ = "logistic" if name == "sigmoid" else name
        self.coefs_, self.intercepts_ = weight_views(network)
        self._synchronized = self._replaceable()

    def _synchronize(self) -> Network:
        """Return the network with what was last assigned to `coefs_`, `intercepts_` and the parameters.

        The first two are live views of the network's parameters. Where other arrays were assigned, or the
        estimator is a copy, the network takes over their values, and views take their place. It takes over
        activations and dropout, too. Other layers wait until the network is built again.
        """
        now, before = self._replaceable(), vars(self).get("_synchronized", ())
        if len(now) == len(before) and all(map(is_, now, before)):
            return self.network_
        if "network_" not in vars(self):  # weights that were assigned before any fit
            self._build_from_weights()
            return self.network_
        arrays, (coefs, intercepts) = [*self.coefs_, *self.intercepts_], weight_views(self.network_)
        if [np.shape(array) for array in arrays] != [view.shape for view in (*coefs, *intercepts)]:
            raise DataError(
                "coefs_ and intercepts_ must keep the shapes that the network was built with, got "
                f"{[np.shape(array) for array in arrays]}"
            )
        for view, array in zip([*coefs, *intercepts], arrays, strict=True):
            view[...] = array
        self.coefs_, self.intercepts_ = coefs, intercepts
        with suppress(ShapeError, ConfigError):  # fit will say what is wrong with the parameters
            self._update_layers()
        self._synchronized = self._replaceable()
        return self.network_

    def _build_from_weights(self) -> None:
        """Build the network that `coefs_` and `intercepts_` belong to."""
        own = self.__dict__
        own.setdefault("n_features_in_", np.shape(self.coefs_[0])[0])
        own.setdefault("n_outputs_", np.shape(self.coefs_[-1])[1])
        last = own.get("out_activation_") or self._objective(np.dtype(np.float64)).output.activation
        network = from_weights(self.coefs_, self.intercepts_, self.activation, last, self.engine)
        self._set_network(network, range(1, len(self.coefs_) + 1))

    def _check_targets_fit(self, y: Array) -> None:
        """Check that training can continue with the present network.

        Raises:
            ConfigError, DataError: if the targets or the loss need another one.
        """
        restart = "to start over, call fit with warm_start=False"
        if y.shape[1] != self.n_outputs_:
            raise DataError(
                f"y must have {self.n_outputs_} targets for each row, as when the network was built, got "
                f"{y.shape[1]}",
                restart,
            )
        present = cast("Dense", self._synchronize().layers[-1]).activation
        required = self._objective(np.dtype(self.network_.dtype)).output.activation
        if self.layers is None and required != present:
            raise ConfigError(
                f"this loss needs the output {required.name}, the network was built with {present.name}",
                restart,
            )

    def _prepare_to_continue(self, dtype: np.dtype[Any]) -> None:
        """Give the network the layers and the type that the parameters ask for, where it can have them."""
        try:
            self._update_layers()
        except ShapeError:
            warnings.warn(
                "The layers asked for do not fit the present weights: training continues with the old ones. "
                "To start over, call fit with warm_start=False.",
                stacklevel=4,
            )
        if self.network_.dtype != dtype.name:
            self._set_network(as_float64(self.network_, self.engine), self._ends)

    def _replaceable(self) -> list[Any]:
        """Return everything that the network depends on and a user can assign."""
        own = vars(self)
        return [*self.coefs_, *self.intercepts_, *[own[name] for name in LAYER_PARAMETERS]]

    def _update_layers(self) -> None:
        """Give the network the layers that the parameters now ask for.

        Raises:
            ShapeError: if they do not fit the present weights.
        """
        output = cast("Dense", self.network_.layers[-1])
        blueprint = make_blueprint(self, output, self._objective(np.dtype(self.network_.dtype)).loss)
        if tuple(blueprint.layers) != self.network_.layers:
            self.network_ = self.network_.with_layers(blueprint.layers)
            self._ends = list(blueprint.ends)
