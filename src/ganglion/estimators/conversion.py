"""From scikit-learn's fitted estimators to ganglion's and back: weights, labels and accounts."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np

from ganglion.core.layers import Dense, Dropout
from ganglion.errors import ConfigError, GanglionNotice, shortened
from ganglion.network import Network
from ganglion.optional import load

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
# What else changes how ganglion would train on.
TRAINING = (
    *("hidden_dropout", "clip_norm", "average", "validation_data", "scoring", "restore_best", "max_seconds"),
    *("callbacks", "class_weight", "label_smoothing"),
)


def base_of(kind: type) -> type:
    """Return the class of ganglion that an estimator is or derives from."""
    return next(base for base in kind.__mro__ if base.__name__ in CLASSES)


def counterpart(kind: type) -> Any:
    """Return the class of `sklearn.neural_network` that an estimator stands in for."""
    return getattr(load("sklearn.neural_network", "sklearn"), base_of(kind).__name__)


def hand_over(own: Any, network: Network) -> Any:
    """Return scikit-learn's estimator with what a fitted one has learned.

    Where a setting that matters to training alone has no counterpart, it has scikit-learn's default, and a
    warning names it.

    Raises:
        ConfigError: for layers or activations that scikit-learn does not have.
    """
    layers = [layer for layer in network.layers if not isinstance(layer, Dropout)]  # it predicts as if absent
    activations = [layer.activation for layer in layers if isinstance(layer, Dense)]
    names = [activation.name for activation in activations]
    if len(names) < len(layers) or len(set(names[:-1])) > 1:
        raise ConfigError("scikit-learn has dense layers only, and one activation for all hidden layers")
    known = all(activation.is_built_in for activation in activations)
    if not known or not set(names[:-1]) <= set(HIDDEN) or names[-1] not in OUTPUT:
        raise ConfigError(f"scikit-learn does not have all of the activations {', '.join(names)}")
    theirs, usual = counterpart(type(own))(), own._parameters
    settings = {name: getattr(own, name) for name in theirs.get_params()}
    lost = [name for name in TRAINING if name in usual and _differs(getattr(own, name), usual[name].default)]
    for name, words in WORDS.items():
        if name in settings and (not isinstance(settings[name], str) or settings[name] not in words):
            lost.append(name)
            del settings[name]
    if len(names) > 1:
        settings["activation"] = HIDDEN[names[0]]
    settings["hidden_layer_sizes"] = tuple(len(bias) for bias in own.intercepts_[:-1])
    theirs.set_params(**settings)
    copy_learned(own, theirs)
    _complete(theirs)
    if lost:
        warnings.warn(
            f"scikit-learn does not have this {', '.join(sorted(lost))}: its estimator predicts alike, and "
            "would train on in its own way",
            GanglionNotice,
            stacklevel=3,
        )
    return theirs


def _differs(value: Any, usual: Any) -> bool:
    return value is not usual and not (isinstance(value, float | tuple | list) and value == usual)


def _complete(theirs: Any) -> None:
    """Give scikit-learn's estimator what its training goes on from, where nothing was learned yet."""
    theirs._best_coefs = copy.deepcopy(theirs.coefs_)
    theirs._best_intercepts = copy.deepcopy(theirs.intercepts_)
    if theirs.solver == "lbfgs":
        return
    own, early = vars(theirs), theirs.early_stopping
    own.setdefault("loss_curve_", [])
    own.setdefault("_no_improvement_count", 0)
    own.setdefault("best_loss_", None if early else np.inf)
    own.setdefault("validation_scores_", [] if early else None)
    own.setdefault("best_validation_score_", -np.inf if early else None)


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


def copy_learned(source: Any, target: Any) -> None:
    """Give an estimator what a fitted one of either library has learned."""
    for name in LEARNED:
        if name in vars(source):
            setattr(target, name, copy.deepcopy(getattr(source, name)))
