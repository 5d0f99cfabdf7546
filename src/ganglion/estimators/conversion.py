"""From scikit-learn's fitted estimators to ganglion's and back: weights, labels and accounts."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ganglion.core.layers import Dense, Dropout
from ganglion.errors import ConfigError, load, shortened
from ganglion.network import Network

CLASSES = ("MLPClassifier", "MLPRegressor")
LEARNED = (
    *("coefs_", "intercepts_", "classes_", "_label_binarizer", "n_outputs_", "n_layers_", "out_activation_"),
    *("n_features_in_", "feature_names_in_", "n_iter_", "t_", "loss_", "loss_curve_", "best_loss_"),
    *("validation_scores_", "best_validation_score_", "_no_improvement_count"),
)
HIDDEN = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
OUTPUT = ("identity", "exp", "sigmoid", "softmax")
WORDS = {
    "solver": ("adam", "sgd", "lbfgs"),
    "learning_rate": ("constant", "invscaling", "adaptive"),
    "loss": ("squared_error", "poisson"),
}


def counterpart(kind: type) -> Any:
    """Return the class of `sklearn.neural_network` that an estimator stands in for."""
    name = next(base.__name__ for base in kind.__mro__ if base.__name__ in CLASSES)
    return getattr(load("sklearn.neural_network", "sklearn"), name)


def take_over(fitted: Any, own: Any) -> None:
    """Give an unfitted estimator what a fitted one of scikit-learn has learned."""
    _copy(fitted, own)
    own._build(fitted.n_features_in_, np.result_type(*fitted.coefs_), np.random.RandomState(0))


def hand_over(own: Any, network: Network) -> Any:
    """Return scikit-learn's estimator with what a fitted one has learned.

    Where a setting that matters to training alone has no counterpart, it has scikit-learn's default.

    Raises:
        ConfigError: for layers or activations that scikit-learn does not have.
    """
    layers = [layer for layer in network.layers if not isinstance(layer, Dropout)]  # it predicts as if absent
    names = [layer.activation.name for layer in layers if isinstance(layer, Dense)]
    if len(names) < len(layers) or len(set(names[:-1])) > 1:
        raise ConfigError("scikit-learn has dense layers only, and one activation for all hidden layers")
    if not set(names[:-1]) <= set(HIDDEN) or names[-1] not in OUTPUT:
        raise ConfigError(f"scikit-learn does not have all of the activations {', '.join(names)}")
    theirs = counterpart(type(own))()
    settings = {name: getattr(own, name) for name in theirs.get_params()}
    for name, words in WORDS.items():
        if not isinstance(settings.get(name), str) or settings[name] not in words:
            settings.pop(name, None)
    settings["activation"] = HIDDEN[names[0] if len(names) > 1 else "identity"]
    settings["hidden_layer_sizes"] = tuple(len(bias) for bias in own.intercepts_[:-1])
    theirs.set_params(**settings)
    _copy(own, theirs)
    return theirs


def check_fitted(fitted: Any, kind: type) -> None:
    """Check that something is a fitted estimator of scikit-learn's class.

    Raises:
        ConfigError: if it is not.
    """
    theirs = counterpart(kind)
    if not isinstance(fitted, theirs) or not hasattr(fitted, "coefs_"):
        raise ConfigError(
            f"from_sklearn needs a fitted sklearn.neural_network.{theirs.__name__}, got {shortened(fitted)}"
        )


def _copy(source: Any, target: Any) -> None:
    for name in LEARNED:
        if name in vars(source):
            setattr(target, name, copy.deepcopy(getattr(source, name)))
