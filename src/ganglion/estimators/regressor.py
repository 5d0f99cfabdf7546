"""The regressor: numbers to numbers. What it shares with the classifier is in `perceptron.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d, validate_data

from ganglion.core.layers import Dense
from ganglion.core.losses import Huber, Loss, MeanAbsoluteError, MeanSquaredError, Poisson, Quantile
from ganglion.core.part import Array
from ganglion.errors import DataError
from ganglion.estimators.aside import Held
from ganglion.estimators.parameters import RegressorParameters, estimator
from ganglion.estimators.perceptron import Aim, MultilayerPerceptron
from ganglion.optional import load


@estimator
class MLPRegressor(RegressorMixin, MultilayerPerceptron, RegressorParameters):  # type: ignore[misc]
    """A multilayer perceptron that predicts numbers, one or several for each row.

    Parameters up to `max_fun`, attributes and methods are those of scikit-learn 1.9's class of this name and
    mean the same; they give the same numbers. The parameters after it are ganglion's.

    Attributes:
        coefs_, intercepts_: weights (inputs, units) and biases of each dense layer; live views.
        network_: the `gg.Network`, for `trace`, `health`, `save` and the rest.
        loss_: the last epoch's loss with its penalty; loss_curve_ of all epochs, best_loss_ the lowest.
        validation_scores_, best_validation_score_, validation_loss_curve_: on the rows set aside.
        n_iter_, t_: epochs and rows seen; n_layers_, n_outputs_, out_activation_; n_features_in_,
            feature_names_in_.

    With several outputs the gradient of the squared error is that of its sum over the outputs, while the loss
    that is told is their mean: both are scikit-learn's. Unlike there, "poisson" refuses y < 0.

    >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> model = MLPRegressor("squared_error", 20, "tanh", solver="lbfgs", random_state=0)
    >>> model = model.fit(X, X[:, 0] ** 2)
    >>> model.predict([[0.5]]).round(2)
    array([0.25])
    """

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Make one pass over some rows, going on from where the network is.

        Args:
            X: rows of numbers, (n, features).
            y: targets, (n,) or (n, outputs).
            sample_weight: how much each row counts, (n,).
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Array:
        """Return the predicted numbers, (n,), or (n, outputs)."""
        outputs = self._outputs(X)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def _aim(self, dtype: np.dtype[Any]) -> Aim:
        outputs = self.n_outputs_
        if isinstance(self.loss, Loss):
            name = self.loss.partners[0] if self.loss.partners else "identity"
            return Aim(Dense(outputs, name), self.loss)
        if self.loss == "squared_error":
            return Aim(Dense(outputs), MeanSquaredError(factor=outputs / 2), 1 / outputs)
        if self.loss == "poisson":
            return Aim(Dense(outputs, "exp"), Poisson(factor=outputs))
        losses = {"absolute_error": MeanAbsoluteError(), "huber": Huber()}
        return Aim(Dense(outputs), losses.get(self.loss) or Quantile(self.quantile))

    def _check_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array, Any]:
        rules = {"multi_output": True, "y_numeric": True, "reset": reset}
        X, y = validate_data(self, X, y, **rules, **self._input_rules())
        return X, self._encode(y), y

    def _encode(self, y: Any) -> Array:
        y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        if y.dtype.kind not in "biuf":
            raise DataError(f"y must hold numbers, got {y.dtype}", "for words there is MLPClassifier")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if isinstance(self.loss, Loss):
            return self.loss.encode(y, y.shape[1:] or (1,))
        if self.loss == "poisson" and (y < 0).any():
            raise DataError(f"poisson needs y >= 0, got {y[y < 0][0]:g}")
        return y.reshape(-1, 1) if y.ndim == 1 else y

    def _loss_constants(self) -> Callable[[Array], Array] | None:
        return _deviance_constants if self.loss == "poisson" else None

    def _score_outputs(self, held: Held, outputs: Array) -> float:
        score = load("sklearn.metrics", "sklearn").r2_score
        return float(score(held.labels, outputs, sample_weight=held.weight))


def _deviance_constants(y: Array) -> Array:
    """Return for each row the sum over outputs of y * log(y) - y, which the Poisson loss leaves out."""
    y = y.astype(np.float64)
    logarithms = np.log(y, out=np.zeros_like(y), where=y > 0)
    return np.asarray((y * logarithms - y).sum(axis=1))
