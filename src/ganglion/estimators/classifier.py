"""The classifier: labels to classes, outputs to probabilities. What it shares is in `perceptron.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d, validate_data

from ganglion.core.layers import Dense
from ganglion.core.losses import BinaryCrossEntropy, CrossEntropy
from ganglion.core.part import Array
from ganglion.errors import ConfigError, shortened
from ganglion.estimators import rules
from ganglion.estimators.aside import Held
from ganglion.estimators.parameters import ClassifierParameters, estimator
from ganglion.estimators.perceptron import Aim, MultilayerPerceptron
from ganglion.optional import load


def _makes_steps(model: Any) -> bool:
    with suppress(ConfigError):  # which fit will raise
        if rules.solver("solver", model.solver) == "lbfgs":
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
            )
    return True


@estimator
class MLPClassifier(ClassifierMixin, MultilayerPerceptron, ClassifierParameters):  # type: ignore[misc]
    """A multilayer perceptron that classifies: one of several classes, yes or no, or several labels a row.

    Parameters up to `max_fun`, attributes and methods are those of scikit-learn 1.9's class of this name and
    mean the same; they give the same numbers. The parameters after it are ganglion's.

    Attributes:
        classes_: the labels, in the order of the outputs.
        coefs_, intercepts_: weights (inputs, units) and biases of each dense layer; live views.
        network_: the `gg.Network`, for `trace`, `health`, `save` and the rest; it takes numbers of classes:
            `np.searchsorted(model.classes_, y)`.
        loss_: the last epoch's loss with its penalty; loss_curve_ of all epochs, best_loss_ the lowest.
        validation_scores_, best_validation_score_, validation_loss_curve_: on the rows set aside.
        n_iter_, t_: epochs and rows seen; n_layers_, n_outputs_, out_activation_; n_features_in_,
            feature_names_in_.

    The rows set aside for early stopping keep the share of classes for two classes, not for more; that is
    scikit-learn's rule.

    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], ["no", "yes", "yes", "no"]
    >>> model = MLPClassifier((8,), "tanh", solver="lbfgs", random_state=0).fit(X, y)
    >>> model.predict(X).tolist()
    ['no', 'yes', 'yes', 'no']
    """

    @available_if(_makes_steps)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Make one pass over some rows, going on from where the network is.

        Args:
            X: rows of numbers, (n, features).
            y: labels, (n,), or (n, labels) of 0 and 1.
            sample_weight: how much each row counts, (n,).
            classes: all labels there will be; needed in the first call only.
        """
        if _check_partial_fit_first_call(self, classes):
            labels = y if type_of_target(y).startswith("multilabel") else classes
            self._label_binarizer = binarizer_of(labels)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Any:
        """Return the label of each row, (n,), or (n, labels) of 0 and 1."""
        return self._decode(self._outputs(X))

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, (n, classes), in the order of `classes_`."""
        outputs = self._outputs(X)
        if self.n_outputs_ > 1:
            return outputs
        both = np.empty((len(outputs), 2), outputs.dtype)
        both[:, 1] = outputs[:, 0]
        np.subtract(1, outputs[:, 0], out=both[:, 0])
        return both

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of `predict_proba`."""
        shares = self.predict_proba(X)
        return np.log(shares, out=shares)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _aim(self, dtype: np.dtype[Any]) -> Aim:
        smoothing, clip = float(self.label_smoothing), float(np.finfo(dtype).eps)
        if self._label_binarizer.y_type_ == "multiclass":
            return Aim(Dense(self.n_outputs_, "softmax"), CrossEntropy(smoothing, clip=clip))
        loss = BinaryCrossEntropy(smoothing, clip=clip, factor=self.n_outputs_)  # the sum over labels
        return Aim(Dense(self.n_outputs_, "sigmoid"), loss)

    def _check_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array, Any]:
        X, y = validate_data(self, X, y, multi_output=True, reset=reset, **self._input_rules())
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            if not incremental:
                self._label_binarizer = binarizer_of(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_labels(unique_labels(y))
        return X, self._encode(y), y

    def _check_labels(self, labels: Array) -> None:
        if self.warm_start and set(labels) != set(self.classes_):
            raise ConfigError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {labels}"
            )
        if len(np.setdiff1d(labels, self.classes_, assume_unique=True)):
            raise ConfigError(
                "`y` has classes not in `self.classes_`. `self.classes_` has "
                f"{self.classes_}. 'y' has {labels}."
            )

    def _encode(self, y: Any) -> Array:
        y, kind = np.asarray(y) if not hasattr(y, "toarray") else y, self._label_binarizer.y_type_
        if kind not in ("binary", "multiclass") or len(self.classes_) < 2 or y.ndim != 1:
            return np.asarray(self._label_binarizer.transform(y), dtype=bool)
        numbers = np.minimum(np.searchsorted(self.classes_, y), len(self.classes_) - 1)
        if (self.classes_[numbers] != y).any():
            self._check_labels(unique_labels(y))
        return np.asarray(numbers[:, None] == (np.arange(len(self.classes_)) if kind == "multiclass" else 1))

    def _labels(self, y: Array) -> Any:
        return self._label_binarizer.inverse_transform(y)

    def _decode(self, outputs: Array) -> Any:
        kind, classes = self._label_binarizer.y_type_, self._label_binarizer.classes_
        if kind == "multiclass":
            return classes[outputs.argmax(axis=1)]
        if kind == "binary" and len(classes) == 2:
            return classes[(outputs[:, 0] > 0.5).astype(np.intp)]
        outputs = outputs.ravel() if self.n_outputs_ == 1 else outputs
        return self._label_binarizer.inverse_transform(outputs)

    def _score_outputs(self, held: Held, outputs: Array) -> float:
        score = load("sklearn.metrics", "sklearn").accuracy_score
        return float(score(held.labels, self._decode(outputs), sample_weight=held.weight))

    def _class_weights(self, labels: Any, incremental: bool) -> Callable[[Any], Array | None]:
        if self.class_weight is None:
            return super()._class_weights(labels, incremental)
        if incremental and "balanced" in rules.as_list(self.class_weight):
            raise ConfigError(
                "class_weight='balanced' needs all rows at once, not a part of them as in partial_fit",
                "give a weight for each label, as a dict",
            )
        return weights_of_classes(self.class_weight, labels)


def weights_of_classes(class_weight: Any, labels: Any) -> Callable[[Any], Array]:
    """Return what gives rows of labels their weights, from the rows that are learned from.

    Args:
        class_weight: as in `MLPClassifier`.
        labels: one for each row, (n,), or several, (n, labels); with several, weights are multiplied.

    Raises:
        ValueError: for labels that are not there, or a dict where there are several labels.
    """
    columns = _columns(labels)
    wanted = class_weight if isinstance(class_weight, list) else [class_weight] * len(columns)
    if len(wanted) != len(columns) or (isinstance(class_weight, Mapping) and len(columns) > 1):
        raise ConfigError(
            f"class_weight must be 'balanced' or a list of one dict for each of {len(columns)} labels, got "
            f"{shortened(class_weight)}"
        )
    tables = []
    for of_label, column in zip(wanted, columns, strict=True):
        classes = np.unique(column)
        tables.append((classes, compute_class_weight(of_label, classes=classes, y=column)))

    def weigh(labels: Any) -> Array:
        weight = np.ones(len(_columns(labels)[0]))
        for (classes, weights), column in zip(tables, _columns(labels), strict=True):
            place = np.minimum(np.searchsorted(classes, column), len(classes) - 1)
            weight *= np.where(classes[place] == column, weights[place], 1.0)
        return weight

    return weigh


def _columns(labels: Any) -> list[Array]:
    dense = labels.toarray() if hasattr(labels, "toarray") else np.asarray(labels)
    return list(dense.reshape(len(dense), -1).T)


def binarizer_of(y: Any) -> Any:
    """Return a LabelBinarizer fitted to labels, for plain whole numbers in a tenth of its own time."""
    binarizer = load("sklearn.preprocessing", "sklearn").LabelBinarizer()
    if type(y) is not np.ndarray or y.ndim != 1 or y.dtype.kind not in "biu" or not len(y):
        return binarizer.fit(y)
    binarizer.classes_ = np.unique(y)
    binarizer.y_type_ = "multiclass" if len(binarizer.classes_) > 2 else "binary"
    binarizer.sparse_input_ = False
    return binarizer
