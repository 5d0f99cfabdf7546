"""The classifier: from labels to classes, from outputs to probabilities. `perceptron.py` has the rest."""

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
from ganglion.estimators.live_network import Objective
from ganglion.estimators.parameters import ClassifierParameters, estimator
from ganglion.estimators.perceptron import MultilayerPerceptron
from ganglion.estimators.validation import ValidationSet
from ganglion.optional import load


def _is_stochastic(model: Any) -> bool:
    with suppress(ConfigError):  # which fit will raise
        if not rules.is_stochastic(model.solver):
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
            )
    return True


@estimator
class MLPClassifier(ClassifierMixin, MultilayerPerceptron, ClassifierParameters):  # type: ignore[misc]
    """A multilayer perceptron for classification: binary, multiclass or multilabel.

    Parameters up to `max_fun`, attributes and methods are those of scikit-learn 1.9's class of this name and
    give the same numbers. The parameters after it are ganglion's.

    Attributes:
        classes_: the labels, in the order of the outputs.
        coefs_, intercepts_: weights (inputs, units) and biases of each dense layer; live views.
        network_: the `gg.Network`, for `trace`, `health`, `save` and the rest; it takes class numbers,
            `np.searchsorted(model.classes_, y)`, instead of labels.
        loss_: the loss of the last epoch, penalty included; loss_curve_ of all epochs, best_loss_ the lowest.
        validation_scores_, best_validation_score_, validation_loss_curve_: on the validation rows.
        n_iter_, t_: epochs and rows seen; n_layers_, n_outputs_, out_activation_; n_features_in_,
            feature_names_in_.

    As in scikit-learn, early stopping holds out the same fraction of each class if there are two classes, but
    not if there are more.

    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], ["no", "yes", "yes", "no"]
    >>> model = MLPClassifier((8,), "tanh", solver="lbfgs", random_state=0).fit(X, y)
    >>> model.predict(X).tolist()
    ['no', 'yes', 'yes', 'no']
    """

    @available_if(_is_stochastic)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train for one epoch on some rows, from the current weights.

        Args:
            X: rows of numbers, (n, features).
            y: labels, (n,), or (n, labels) of 0 and 1.
            sample_weight: weight of each row, (n,).
            classes: all labels of this and later calls; needed in the first call only.
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
        probabilities = self.predict_proba(X)
        return np.log(probabilities, out=probabilities)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _objective(self, dtype: np.dtype[Any]) -> Objective:
        smoothing, clip = float(self.label_smoothing), float(np.finfo(dtype).eps)
        if self._label_binarizer.y_type_ == "multiclass":
            return Objective(Dense(self.n_outputs_, "softmax"), CrossEntropy(smoothing, clip=clip))
        loss = BinaryCrossEntropy(smoothing, clip=clip, factor=self.n_outputs_)  # the sum over labels
        return Objective(Dense(self.n_outputs_, "sigmoid"), loss)

    def _check_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array, Any]:
        X, y = validate_data(self, X, y, multi_output=True, reset=reset, **self._input_checks())
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

    def _score_outputs(self, validation: ValidationSet, outputs: Array) -> float:
        score = load("sklearn.metrics", "sklearn").accuracy_score
        return float(score(validation.labels, self._decode(outputs), sample_weight=validation.weight))

    def _class_weights(self, labels: Any, incremental: bool) -> Callable[[Any], Array | None]:
        if self.class_weight is None:
            return super()._class_weights(labels, incremental)
        if incremental and "balanced" in rules.as_list(self.class_weight):
            raise ConfigError(
                "class_weight='balanced' needs all rows at once, which partial_fit does not have",
                "pass a dict from label to weight",
            )
        return weights_of_classes(self.class_weight, labels)


def weights_of_classes(class_weight: Any, labels: Any) -> Callable[[Any], Array]:
    """Return the function from labels to the weight of each row.

    Args:
        class_weight: as in `MLPClassifier`.
        labels: those of the training rows, (n,), or several for each row, (n, labels); their weights are
            multiplied then.

    Raises:
        ValueError: for unknown labels, or one dict for several labels.
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
    """Return a LabelBinarizer fitted to labels; for arrays of whole numbers, in a tenth of the time."""
    binarizer = load("sklearn.preprocessing", "sklearn").LabelBinarizer()
    if type(y) is not np.ndarray or y.ndim != 1 or y.dtype.kind not in "biu" or not len(y):
        return binarizer.fit(y)
    binarizer.classes_ = np.unique(y)
    binarizer.y_type_ = "multiclass" if len(binarizer.classes_) > 2 else "binary"
    binarizer.sparse_input_ = False
    return binarizer
