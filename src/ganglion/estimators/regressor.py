"""The regressor: from rows to numbers. `perceptron.py` has the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d, validate_data

from ganglion.core.layers import Dense
from ganglion.core.losses import Loss, Quantile
from ganglion.core.part import Array
from ganglion.errors import DataError
from ganglion.estimators.live_network import Objective
from ganglion.estimators.parameters import RegressorParameters, estimator
from ganglion.estimators.perceptron import MultilayerPerceptron
from ganglion.estimators.validation import ValidationSet
from ganglion.optional import load

GANGLION_NAMES = {"squared_error": "mse", "absolute_error": "mae"}  # where scikit-learn has another


@estimator
class MLPRegressor(RegressorMixin, MultilayerPerceptron, RegressorParameters):  # type: ignore[misc]
    """A multilayer perceptron for regression, with one target or several in each row.

    Parameters up to `max_fun`, attributes and methods are those of scikit-learn 1.9's class of this name and
    give the same numbers. The parameters after it are ganglion's.

    Attributes:
        coefs_, intercepts_: weights (inputs, units) and biases of each dense layer; live views.
        network_: the `gg.Network`, for `trace`, `health`, `save` and the rest.
        loss_: the loss of the last epoch, penalty included; loss_curve_ of all epochs, best_loss_ the lowest.
        validation_scores_, best_validation_score_, validation_loss_curve_: on the validation rows.
        n_iter_, t_: epochs and rows seen; n_layers_, n_outputs_, out_activation_; n_features_in_,
            feature_names_in_.

    As in scikit-learn, the gradient of "squared_error" is that of its sum over the outputs, while the loss
    reported is its mean over them. Unlike there, "poisson" refuses y < 0.

    >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> model = MLPRegressor("squared_error", 20, "tanh", solver="lbfgs", random_state=0)
    >>> model = model.fit(X, X[:, 0] ** 2)
    >>> model.predict([[0.5]]).round(2)
    array([0.25])
    """

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch on some rows, from the current weights.

        Args:
            X: rows of numbers, (n, features).
            y: targets, (n,) or (n, outputs).
            sample_weight: weight of each row, (n,).
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Array:
        """Return the predicted numbers, (n,), or (n, outputs)."""
        outputs = self._outputs(X)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def _objective(self, dtype: np.dtype[Any]) -> Objective:
        outputs, loss, report = self.n_outputs_, self._loss(), 1.0
        if self.loss == "squared_error":
            loss, report = replace(loss, factor=outputs / 2), 1 / outputs
        elif self.loss == "poisson":
            loss = replace(loss, factor=outputs)
        return Objective(Dense(outputs, loss.partners[0] if loss.partners else "identity"), loss, report)

    def _loss(self) -> Loss:
        if isinstance(self.loss, Loss):
            return self.loss
        if self.loss == "quantile":
            return Quantile(self.quantile)
        return Loss.find(GANGLION_NAMES.get(self.loss, self.loss))

    def _check_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array, Any]:
        checks = {"multi_output": True, "y_numeric": True, "reset": reset}
        X, y = validate_data(self, X, y, **checks, **self._input_checks())
        return X, self._encode(y), y

    def _encode(self, y: Any) -> Array:
        y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        if y.dtype.kind not in "biuf":
            raise DataError(f"y must hold numbers, got {y.dtype}", "for labels, use MLPClassifier")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if isinstance(self.loss, Loss):
            return self.loss.encode(y, y.shape[1:] or (1,))
        self._loss().check(y)
        return y.reshape(-1, 1) if y.ndim == 1 else y

    def _loss_constants(self) -> Callable[[Array], Array] | None:
        return _deviance_constants if self.loss == "poisson" else None

    def _score_outputs(self, validation: ValidationSet, outputs: Array) -> float:
        score = load("sklearn.metrics", "sklearn").r2_score
        return float(score(validation.labels, outputs, sample_weight=validation.weight))


def _deviance_constants(y: Array) -> Array:
    """Return the sum of y * log(y) - y over the outputs of each row, which the Poisson loss leaves out."""
    y = y.astype(np.float64)
    logarithms = np.log(y, out=np.zeros_like(y), where=y > 0)
    return np.asarray((y * logarithms - y).sum(axis=1))
