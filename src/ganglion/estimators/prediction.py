"""Predictions of a fitted estimator, and the activations of its layers."""

from __future__ import annotations

import numbers
from contextlib import nullcontext
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import check_is_fitted, validate_data

from ganglion.core.part import Array
from ganglion.core.rows import NUMBERS_AT_ONCE, Rows
from ganglion.engines import limit_threads
from ganglion.errors import ConfigError, DataError, shortened
from ganglion.estimators import rules
from ganglion.estimators.building import first_layers
from ganglion.estimators.live_network import LiveNetwork
from ganglion.network import Network


class Predictor(LiveNetwork):
    """The part of an estimator that predicts.

    It does not derive from scikit-learn's base classes: these would wrap `transform` and give the columns the
    same names for every layer.
    """

    n_features_in_: int

    def transform(self, X: Any, layer: int = -2) -> Any:
        """Return the activations of one layer for each row, as features for another estimator.

        Args:
            X: rows of numbers, (n, features).
            layer: the index of the layer in a list that begins with the inputs: 1 is the first hidden layer,
                -2 (the default) the last one, -1 the output.

        Raises:
            ConfigError: if it is out of range.
        """
        check_is_fitted(self)
        network, ends = self._synchronize(), [0, *self._ends]
        whole = isinstance(layer, numbers.Integral) and not isinstance(layer, bool)
        if not whole or not -len(ends) <= layer < len(ends):
            raise ConfigError(
                f"layer must be a whole number from {-len(ends)} to {len(ends) - 1}, got {shortened(layer)}"
            )
        end = ends[layer]
        if end:
            activations = self._run(first_layers(network, end), X)
        else:
            activations = dense(self._inputs(X), network.dtype).copy()
        given = getattr(X, "dtype", None)
        if given in (np.float32, np.float64):
            activations = activations.astype(given, copy=False)
        names = self._names(activations.shape[1], is_input=not end)
        return _wrap_data_with_container("transform", activations, X, _LayerOutput(self, names))

    @property
    def _n_features_out(self) -> int:
        shapes = self.network_.architecture.shapes
        return int(np.prod(shapes[[0, *self._ends][-2]]))

    def _names(self, columns: int, is_input: bool) -> list[str]:
        if is_input:
            return [
                str(name) for name in getattr(self, "feature_names_in_", map("x{}".format, range(columns)))
            ]
        return [f"{type(self).__name__.lower()}{number}" for number in range(columns)]

    def _outputs(self, X: Any) -> Array:
        """Return the network's outputs, (n, outputs)."""
        if "coefs_" not in vars(self):
            check_is_fitted(self)
        return self._run(self._synchronize(), X)

    def _run(self, network: Network, X: Any) -> Array:
        """Return the outputs of the network, or of its first layers, for unchecked rows."""
        with limit_threads(rules.threads(self.n_jobs)) if self.n_jobs else nullcontext():
            if self._is_plain(X):
                with np.errstate(over="ignore"):
                    x = np.ascontiguousarray(X, dtype=network.parameters.dtype)
                if (a := network.predict_if_finite(x)) is not None:
                    return a
            x = self._inputs(X)
            if isinstance(x, np.ndarray):
                return network.predict_checked(x)
            return np.concatenate(
                [network.predict_checked(piece.x) for piece in Rows(x, np.empty(x.shape[0])).pieces()]
            )

    def _is_plain(self, X: Any) -> bool:
        """Return whether the engine's own check of the rows is enough: a float array without column names."""
        own = vars(self)
        named = "feature_names_in_" in own and "_skips_names" not in own
        suitable = type(X) is np.ndarray and X.ndim == 2 and X.shape[1] == self.n_features_in_ and len(X) > 0
        return suitable and X.dtype.kind == "f" and not named

    def _inputs(self, X: Any) -> Any:
        """Return checked rows as the engine takes them."""
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        with np.errstate(over="ignore"):
            x = as_inputs(X, self.network_.dtype)
        if not get_config()["assume_finite"] and not np.isfinite(x.data if hasattr(x, "tocsr") else x).all():
            raise DataError(f"X must fit {x.dtype.name}, the type of the weights", "use dtype='float64'")
        return x


class _LayerOutput:
    """What scikit-learn's `set_output` needs of an estimator, with the names of one layer's units."""

    _sklearn_auto_wrap_output_keys = {"transform"}

    def __init__(self, estimator: Any, names: list[str]) -> None:
        self._sklearn_output_config = getattr(estimator, "_sklearn_output_config", {})
        self.names = names

    def get_feature_names_out(self) -> list[str]:
        return self.names


def dense(X: Any, dtype: Any) -> Array:
    """Return rows as one contiguous array."""
    return np.ascontiguousarray(X.toarray() if hasattr(X, "toarray") else X, dtype=dtype)


def as_inputs(X: Any, dtype: Any, as_array: bool = False) -> Any:
    """Return rows as an array, or as a sparse matrix if an array would be large and is not required."""
    if as_array or not hasattr(X, "tocsr") or X.shape[0] * X.shape[1] <= NUMBERS_AT_ONCE:
        return dense(X, dtype)
    return X.tocsr().astype(dtype)
