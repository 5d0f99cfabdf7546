"""The regressor: numbers to numbers. What it shares with the classifier is in `perceptron.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d, validate_data

from ganglion.core.activations import Activation
from ganglion.core.layers import Dense, Layer
from ganglion.core.losses import Huber, Loss, MeanAbsoluteError, MeanSquaredError, Poisson, Quantile
from ganglion.core.part import Array
from ganglion.errors import DataError
from ganglion.estimators.aside import Held
from ganglion.estimators.perceptron import Aim, MultilayerPerceptron
from ganglion.optional import load
from ganglion.training.callbacks import Callback
from ganglion.training.optimizers import Optimizer
from ganglion.training.schedules import Schedule


class MLPRegressor(RegressorMixin, MultilayerPerceptron):  # type: ignore[misc]
    """A multilayer perceptron that predicts numbers, one or several for each row.

    Parameters up to `max_fun`, attributes and methods are those of scikit-learn 1.9's class of this name and
    mean the same; they give the same numbers. The parameters after it are ganglion's.

    Args:
        loss: "squared_error" (default; half the squared error), "poisson" (the deviance of counts, with the
            output exp), "absolute_error", "huber", "quantile", or a `Loss`.
        hidden_layer_sizes: units of each hidden layer, (100,) by default.
        activation: "identity", "logistic", "tanh", "relu" (default), any other activation of ganglion by name
            or as an object, or a list of one for each hidden layer.
        solver: "adam" (default), "sgd", "lbfgs", any other optimizer of ganglion by name, which takes
            `learning_rate_init` and else its own defaults, or an `Optimizer` with all settings of its own.
        alpha: half of it times the sum of squared weights, divided by the weight of the batch, is added to
            the loss.
        batch_size: rows for each update; "auto" is min(200, n).
        learning_rate: "constant", "invscaling" or "adaptive" (both ignored by adam), or a `Schedule`, with
            its own rate, for any solver by name but lbfgs.
        learning_rate_init: the rate that the words above start from.
        power_t: the exponent of "invscaling", rate = learning_rate_init / (rows seen + 1)**power_t.
        max_iter: the most epochs, or iterations of lbfgs.
        shuffle: whether each epoch visits the rows in a new order.
        random_state: an int, used afresh in each call, a `RandomState`, or None.
        tol: an epoch has stalled where the loss is not lower, or the score not higher, by this much.
        verbose: whether to print each epoch.
        warm_start: whether `fit` goes on from the weights that are there.
        momentum, nesterovs_momentum: of sgd.
        early_stopping: whether to set rows aside, stop when their score stalls, and keep the best weights.
        validation_fraction: the share that is set aside.
        beta_1, beta_2, epsilon: of adam.
        n_iter_no_change: how many stalled epochs are put up with.
        max_fun: the most evaluations of lbfgs.
        layers: a full list of ganglion layers, the output layer too, in place of `hidden_layer_sizes`,
            `activation`, `hidden_dropout` and `batch_normalization`; they start from their own initializers.
        hidden_dropout: the share of units dropped after each hidden layer, or a list of shares.
        batch_normalization: whether each hidden layer is normalized before its activation; its means and
            variances count all rows of a batch alike, whatever they weigh.
        clip_norm: a gradient whose norm is larger is scaled down to it.
        average: keeps a running mean of the weights, which predicts; 0.99 to 0.999 are usual.
        validation_data: (X, y), (X, y, sample_weight) or a splitter, whose first split is used, in place of
            `validation_fraction`; without `early_stopping` it is measured after each epoch and nothing more.
            In a pipeline give a splitter: rows do not go through the steps before the network.
        scoring: the name of a scikit-learn scorer, or a scorer, for the rows set aside; None is R2. It is
            given the rows' weights if it takes them.
        restore_best: whether the best epoch's weights are kept; None means: with `early_stopping`.
        callbacks: ganglion callbacks that watch the run and may stop it.
        progress: whether to show a bar in a terminal.
        max_seconds: the run ends when they are over, with a warning.
        n_jobs: the most threads; None or -1 uses all processors.
        engine: "auto", "native" or "reference".
        dtype: "float32" or "float64", whatever the type of X; None, the default, follows X.
        quantile: which one "quantile" aims at, 0.5 by default (the median).

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

    def __init__(
        self,
        loss: Loss | str = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: Activation | str | Sequence[Activation | str] = "relu",
        *,
        solver: Optimizer | str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Schedule | str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        layers: Sequence[Layer] | None = None,
        hidden_dropout: float | Sequence[float] = 0.0,
        batch_normalization: bool = False,
        clip_norm: float | None = None,
        average: float | None = None,
        validation_data: Any = None,
        scoring: Any = None,
        restore_best: bool | None = None,
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
        max_seconds: float | None = None,
        n_jobs: int | None = None,
        engine: str = "auto",
        dtype: str | None = None,
        quantile: float = 0.5,
    ) -> None:
        self._store(locals())

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
