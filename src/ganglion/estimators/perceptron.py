"""What both estimators have in common: from X and y to a plan, a run of training, and attributes.

Every rule is scikit-learn 1.9's unless a docstring says otherwise. Steps, loop and predictions are those of
ganglion's engines.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any, Self, cast

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from ganglion.core.part import Array
from ganglion.core.regularization import Regularization
from ganglion.core.rows import Rows
from ganglion.engines import limit_threads
from ganglion.errors import ConfigError, DataError
from ganglion.estimators import rules
from ganglion.estimators.bookkeeping import AdjustableRate, Bookkeeper, EpochOrder
from ganglion.estimators.conversion import check_fitted, copy_learned, to_counterpart
from ganglion.estimators.parameters import check_parameters
from ganglion.estimators.prediction import Predictor, as_inputs
from ganglion.estimators.validation import ValidationSet, check_weight, split_at_random, split_by
from ganglion.training.callbacks import Callback, ProgressBar, check_callbacks
from ganglion.training.history import History
from ganglion.training.metrics import Metric
from ganglion.training.optimizers import LBFGS, SGD, Adam, Optimizer
from ganglion.training.plan import Plan
from ganglion.training.schedules import ConstantRate
from ganglion.training.stopping import TimeBudget

LOSS_TOLERANCE = 2.220446049250313e-09  # SciPy's default for L-BFGS, which scikit-learn does not change


class MultilayerPerceptron(
    Predictor,
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """The base of both estimators; not for direct use."""

    best_loss_: float | None
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    validation_loss_curve_: list[float]

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        """Return the names of the parameters; cached, as a search asks for them often."""
        return cast("list[str]", super()._get_param_names())

    @abstractmethod
    def _check_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array, Any]:
        """Return checked X, y as the loss takes it, (n, outputs), and y as given."""

    @abstractmethod
    def _encode(self, y: Any) -> Array:
        """Return targets as the loss takes them."""

    @abstractmethod
    def _score_outputs(self, validation: ValidationSet, outputs: Array) -> float:
        """Return the score of the outputs for the validation rows."""

    def _labels(self, y: Array) -> Any:
        """Return encoded targets as a scorer takes them."""
        return y

    def _class_weights(self, labels: Any, incremental: bool) -> Callable[[Any], Array | None]:
        """Return the function from labels to class weights, one for each row or None, given all labels."""
        return lambda labels: None

    def _loss_constants(self) -> Callable[[Array], Array] | None:
        """Return the function from encoded targets to the part of each row's loss that is constant."""
        return None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows and targets, from new weights unless `warm_start` is set.

        Args:
            X: rows of numbers, (n, features): an array, a frame or a sparse matrix (CSR or CSC).
            y: targets, (n,) or (n, outputs).
            sample_weight: weight of each row, (n,). A batch in which all are 0 is skipped, where scikit-learn
                divides by 0.

        Raises:
            ConfigError: for a parameter out of range (a `ValueError`).
            ValueError: for rows or targets that break a rule, or if the weights stop being finite.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    def initialize(self, X: Any, y: Any) -> Self:
        """Build the network for rows and targets like these, without training.

        `predict`, `partial_fit`, and `fit` with `warm_start=True` continue from here.
        """
        check_parameters(self)
        X, y, _ = self._check_input(X, y, incremental=False, reset=True)
        dtype = self._number_type(X.dtype, not rules.is_stochastic(self.solver))
        self._build_network(X.shape[1], y.shape[1], dtype, check_random_state(self.random_state))
        return self

    @classmethod
    def from_sklearn(cls, fitted: Any) -> Self:
        """Return an estimator with the parameters, weights and attributes of scikit-learn's fitted one.

        Training continues from its weights, with a new optimizer.

        Args:
            fitted: an estimator of the class of the same name in `sklearn.neural_network`.

        Raises:
            ConfigError: for anything else, or if it is not fitted.
        """
        check_fitted(fitted, cls)
        own = cls(**fitted.get_params())
        copy_learned(fitted, own)
        own._build_from_weights()
        return own

    def to_sklearn(self) -> Any:
        """Return scikit-learn's estimator with the weights of this one.

        A setting of training that scikit-learn does not have is left at its default, and a warning names it.

        Raises:
            ConfigError: for layers or activations that scikit-learn does not have.
        """
        check_is_fitted(self)
        return to_counterpart(self, self._synchronize())

    @property
    def _optimizer(self) -> SimpleNamespace:
        """The learning rate of the last update, where scikit-learn has it."""
        if not hasattr(self, "_rate"):
            raise AttributeError("there is no optimizer before the first fit, or after lbfgs")
        return SimpleNamespace(learning_rate=self._rate)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __getstate__(self) -> Any:
        state = dict(super().__getstate__())
        state.pop("_synchronized", None)  # the arrays of a copy are no views
        return state

    # ------------------------------------------------------------------------------------- fitting

    def _fit(self, X: Any, y: Any, sample_weight: Any, incremental: bool) -> Self:
        check_parameters(self)
        if incremental and self.early_stopping:
            raise ConfigError("partial_fit does not support early_stopping=True", "use fit")
        fresh = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        solver, random_state = self._solver(), check_random_state(self.random_state)
        lbfgs = not rules.is_stochastic(solver)
        rows, validation = self._prepare(X, y, sample_weight, incremental, fresh, lbfgs, random_state)
        restore = self.early_stopping if self.restore_best is None else self.restore_best
        constants = self._loss_constants()
        bookkeeper = Bookkeeper(
            estimator=self,
            validation=validation,
            constants=constants,
            restore=restore and not (incremental or lbfgs),
            fresh=fresh,
            lbfgs=lbfgs,
        )
        objective, network = self._objective(rows.y.dtype), self.network_
        plan = Plan(
            rows=rows,
            validation=None if validation is None else as_rows(validation.x, validation.y, validation.weight),
            loss=objective.loss,
            optimizer=solver,
            regularization=Regularization(l2=float(self.alpha), per_row=True),
            epochs=1 if incremental and not lbfgs else int(self.max_iter),
            batch_size=len(rows) if lbfgs else self._batch_rows(len(rows)),
            order=EpochOrder(len(rows), random_state, bool(self.shuffle)),
            metrics=[]
            if validation is None
            else [Metric("score", lambda a, *_: bookkeeper.score(a), True, ())],
            callbacks=self._callbacks(bookkeeper),
            report=objective.report,
            offset=0.0
            if constants is None
            else float(np.average(constants(rows.y), weights=rows.sample_weight)),
        )
        if not incremental:
            network.forget_optimizer()
        self.n_iter_ = 0
        with limit_threads(rules.threads(self.n_jobs)):
            try:
                history = network.train(plan)
            except KeyboardInterrupt:  # where Ctrl-C has another handler
                history = History(ended="interrupted")
        bookkeeper.report_outcome(history, incremental)
        return self

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        incremental: bool,
        fresh: bool,
        lbfgs: bool,
        random_state: Any,
    ) -> tuple[Rows, ValidationSet | None]:
        """Return training and validation rows, with `network_` ready to train.

        As far as possible, errors are found before anything learned is discarded.
        """
        X, y, labels = self._check_input(X, y, incremental, reset=fresh)
        if not fresh:
            self._check_targets_fit(y)
        dtype = self._number_type(X.dtype if fresh else np.dtype(self.network_.dtype), lbfgs)
        class_weight = self._class_weights(labels, incremental)
        weight = self._weights(sample_weight, X, class_weight(labels))
        x = as_inputs(X, dtype, as_array=lbfgs)
        validation, parts, given = None, None, self.validation_data
        if isinstance(given, tuple | list):
            validation = self._given_validation_set(given, y.shape[1], dtype, class_weight)
        elif given is not None:
            parts = split_by(given, x, labels)
        if fresh:
            self._build_network(X.shape[1], y.shape[1], dtype, random_state)
        else:
            self._prepare_to_continue(dtype)
        if self.early_stopping and given is None and not lbfgs:
            # As in scikit-learn, not stratified for three or more classes.
            stratify = y[:, 0].astype(str) if is_classifier(self) and self.n_outputs_ == 1 else None
            parts = split_at_random(len(y), self.validation_fraction, stratify, random_state)
        if parts is not None:
            train, held_out = parts
            held_out_weight = check_weight(None if weight is None else weight[held_out])
            validation = ValidationSet(x[held_out], y[held_out], self._labels(y[held_out]), held_out_weight)
            x, y, weight = x[train], y[train], None if weight is None else weight[train]
        return as_rows(x, y, weight), validation

    def _given_validation_set(
        self,
        given: Sequence[Any],
        outputs: int,
        dtype: np.dtype[Any],
        class_weight: Callable[[Any], Array | None],
    ) -> ValidationSet:
        """Return the validation rows that the user gave, as (X, y) or (X, y, sample_weight).

        Raises:
            ValueError: for rows that break a rule.
        """
        X, y = given[:2]
        if X is None or y is None:
            raise DataError("validation_data must be (X, y) or (X, y, sample_weight), got None for X or y")
        x = as_inputs(validate_data(self, X, reset=False, **self._input_checks()), dtype)
        encoded = self._encode(y)
        if encoded.shape[1] != outputs:
            raise DataError(
                f"y of validation_data must have {outputs} targets for each row, as y, got {encoded.shape[1]}"
            )
        if encoded.dtype.kind == "f" and not np.isfinite(encoded).all():
            raise DataError(f"y of validation_data must be finite, got {encoded[~np.isfinite(encoded)][0]}")
        check_consistent_length(x, encoded)
        weight = _check_sample_weight(given[2], x) if len(given) == 3 and given[2] is not None else None
        weight = multiply(weight, class_weight(y))
        return ValidationSet(x, encoded, self._labels(encoded), check_weight(weight))

    def _callbacks(self, bookkeeper: Bookkeeper) -> list[Callback]:
        callbacks: list[Callback] = [bookkeeper, *check_callbacks(self.callbacks)]
        callbacks += [] if self.max_seconds is None else [TimeBudget(float(self.max_seconds))]
        return callbacks + ([ProgressBar()] if self.progress else [])

    def _number_type(self, dtype: np.dtype[Any], lbfgs: bool) -> np.dtype[Any]:
        """Return the type of the network's numbers; with lbfgs float64, as SciPy returns it."""
        return np.dtype(np.float64) if lbfgs and self.dtype is None else dtype

    def _solver(self) -> Optimizer:
        """Return the optimizer that the parameters describe."""
        if not isinstance(self.solver, str):
            return Optimizer.find(self.solver)
        name = rules.solver("solver", self.solver)
        if name == "lbfgs":
            return LBFGS(
                tolerance=float(self.tol), loss_tolerance=LOSS_TOLERANCE, evaluations=int(self.max_fun)
            )
        rate: Any = self.learning_rate
        if isinstance(rate, str):
            adjusted = rate != "constant" and name != "adam"  # as in scikit-learn, adam does not
            rate = (AdjustableRate if adjusted else ConstantRate)(float(self.learning_rate_init))
        shared: dict[str, Any] = {"clip_norm": self.clip_norm, "average": self.average}
        if name == "adam":
            own = {"beta_1": float(self.beta_1), "beta_2": float(self.beta_2), "epsilon": float(self.epsilon)}
            return Adam(rate, **own, epsilon_hat=True, **shared)
        if name == "sgd":
            momentum = float(self.momentum)
            return SGD(rate, momentum, bool(self.nesterovs_momentum and momentum > 0), **shared)
        return Optimizer.known[name](rate, **shared)

    def _weights(self, sample_weight: Any, X: Any, class_weight: Array | None) -> Array | None:
        """Return the product of sample and class weight for each row; None if there is neither."""
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        weight = multiply(weight, class_weight)
        if weight is not None and not weight.any():
            raise DataError("sample_weight must not be 0 in every row")
        if weight is not None and weight.sum() == 0:
            raise DataError("sample_weight must not add up to 0")
        return weight

    def _batch_rows(self, rows: int) -> int:
        if self.batch_size == "auto":
            return min(200, rows)
        size = int(self.batch_size)
        if size > rows:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
                stacklevel=4,
            )
        return min(size, rows)

    def _input_checks(self) -> dict[str, Any]:
        """Return the checks of the inputs that `fit` asks of scikit-learn."""
        dtype = (np.float64, np.float32) if self.dtype is None else np.dtype(self.dtype)
        return {"accept_sparse": ["csr", "csc"], "dtype": dtype}


def multiply(weight: Array | None, other: Array | None) -> Array | None:
    """Return the product of two weights of each row; None stands for 1."""
    if weight is None or other is None:
        return other if weight is None else weight
    return weight * other


def as_rows(x: Any, y: Array, weight: Array | None) -> Rows:
    """Return rows as the engine takes them.

    Raises:
        DataError: for targets or weights that do not fit the type of the inputs.
    """
    with np.errstate(over="ignore"):
        targets = np.ascontiguousarray(y, dtype=x.dtype)
        weight = None if weight is None else weight.astype(x.dtype)
    for name, values in ("y", targets), ("sample_weight", weight):
        if values is not None and not np.isfinite(values).all():
            raise DataError(f"{name} must fit {x.dtype.name}, the type of X", "use dtype='float64'")
    return Rows(x, targets, weight)
