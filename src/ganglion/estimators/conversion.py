"""From scikit-learn's fitted estimators to ganglion's and back."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ganglion.core.layers import Dense, Dropout
from ganglion.errors import ConfigError, notice, shortened
from ganglion.estimators import rules
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
NAMES = {
    "solver": ("adam", "sgd", "lbfgs"),
    "learning_rate": rules.RATES,
    "loss": ("squared_error", "poisson"),
}
# The other parameters that scikit-learn's training does not have.
TRAINING = (
    *("hidden_dropout", "clip_norm", "average", "validation_data", "scoring", "restore_best", "max_seconds"),
    *("callbacks", "class_weight", "label_smoothing"),
)


def counterpart(kind: type) -> Any:
    """Return the class of `sklearn.neural_network` that an estimator or a class derived from it replaces."""
    name = next(base.__name__ for base in kind.__mro__ if base.__name__ in CLASSES)
    return getattr(load("sklearn.neural_network", "sklearn"), name)


def to_counterpart(own: Any, network: Network) -> Any:
    """Return scikit-learn's estimator with what a fitted one has learned.

    A setting of training that scikit-learn does not have is left at its default, and a warning names it.

    Raises:
        ConfigError: for layers or activations that scikit-learn does not have.
    """
    layers = [layer for layer in network.layers if not isinstance(layer, Dropout)]  # identity in predictions
    activations = [layer.activation for layer in layers if isinstance(layer, Dense)]
    names = [activation.name for activation in activations]
    if len(names) < len(layers) or len(set(names[:-1])) > 1:
        raise ConfigError("scikit-learn has dense layers only, and one activation for all hidden layers")
    known = all(activation.is_built_in for activation in activations)
    if not known or not set(names[:-1]) <= set(HIDDEN) or names[-1] not in OUTPUT:
        raise ConfigError(f"scikit-learn does not have all of the activations {', '.join(names)}")
    theirs, table = counterpart(type(own))(), own._parameters
    settings = {name: getattr(own, name) for name in theirs.get_params()}
    lost = [name for name in TRAINING if name in table and _differs(getattr(own, name), table[name].default)]
    for name, known_names in NAMES.items():
        if name in settings and (not isinstance(settings[name], str) or settings[name] not in known_names):
            lost.append(name)
            del settings[name]
    if len(names) > 1:
        settings["activation"] = HIDDEN[names[0]]
    settings["hidden_layer_sizes"] = tuple(len(bias) for bias in own.intercepts_[:-1])
    theirs.set_params(**settings)
    copy_learned(own, theirs)
    _complete(theirs)
    if lost:
        notice(
            f"scikit-learn does not have this {', '.join(sorted(lost))}: its estimator makes the same "
            "predictions, but would continue training without it",
            "lost-settings",
        )
    return theirs


def _differs(value: Any, default: Any) -> bool:
    return value is not default and not (isinstance(value, float | tuple | list) and value == default)


def _complete(theirs: Any) -> None:
    """Set the attributes that scikit-learn's estimator needs to continue training."""
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
    """Copy the learned attributes from one estimator of either library to another."""
    for name in LEARNED:
        if name in vars(source):
            setattr(target, name, copy.deepcopy(getattr(source, name)))
