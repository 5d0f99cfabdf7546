"""What the classifier and the regressor share: from X and y to a plan, a run of training, and attributes.

Each rule is scikit-learn 1.9's unless a docstring says otherwise; the steps themselves, the loop and every
prediction are ganglion's engine.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import cache
from operator import is_
from types import SimpleNamespace
from typing import Any, NamedTuple, Self, cast

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from ganglion.core.layers import Dense
from ganglion.core.losses import Loss
from ganglion.core.part import Array
from ganglion.core.regularization import Regularization
from ganglion.engines import limit_threads, thread_count
from ganglion.errors import ConfigError, DataError, ShapeError, load, shortened
from ganglion.estimators.bookkeeping import Bookkeeper, Held, HeldRate, Orders
from ganglion.estimators.building import build, draw_layers, head, views, widened
from ganglion.estimators.conversion import check_fitted, hand_over, take_over
from ganglion.estimators.settings import RATES, check_settings
from ganglion.network import Network
from ganglion.training.callbacks import Callback, ProgressBar, check_callbacks
from ganglion.training.history import History
from ganglion.training.metrics import Metric
from ganglion.training.optimizers import LBFGS, SGD, Adam, Optimizer
from ganglion.training.plan import Plan
from ganglion.training.rows import NUMBERS_AT_ONCE, Rows
from ganglion.training.schedules import ConstantRate
from ganglion.training.stopping import TimeBudget

ACCOUNTS = (  # what a stochastic solver keeps from run to run, and L-BFGS does not have
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "validation_loss_curve_",
    "_no_improvement_count",
    "_rate",
)
LOSS_TOLERANCE = 2.220446049250313e-09  # SciPy's own for L-BFGS, which scikit-learn leaves as it is
NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
    "preprocessed."
)


# What says which layers there are, and can change once they are built.
DRAWN = ("hidden_layer_sizes", "activation", "layers", "hidden_dropout", "batch_normalization")


class Aim(NamedTuple):
    """What the targets ask of a network: its last layer, its loss, and how that loss is told.

    Attributes:
        output: the last layer.
        loss: what is minimized.
        report: what it is multiplied by to be the loss that scikit-learn tells.
    """

    output: Dense
    loss: Loss
    report: float = 1.0


class MultilayerPerceptron(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
    ABC,
):
    """The base of both estimators; not for use by itself."""

    network_: Network
    best_loss_: float | None
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    validation_loss_curve_: list[float]

    def _store(self, given: Mapping[str, Any]) -> None:
        """Keep what the constructor was given; `fit` checks it."""
        self.__dict__.update({name: value for name, value in given.items() if name != "self"})

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        """Return the names of the parameters; a search asks for them a dozen times for each fit."""
        return cast("list[str]", super()._get_param_names())

    @abstractmethod
    def _aim(self, dtype: np.dtype[Any]) -> Aim:
        """Return the last layer and the loss for `n_outputs_` outputs."""

    @abstractmethod
    def _check_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array]:
        """Return X and y as checked arrays, y of shape (n, outputs)."""

    @abstractmethod
    def _encode(self, y: Any) -> Array:
        """Return more targets as `_check_input` does."""

    @abstractmethod
    def _score_outputs(self, held: Held, outputs: Array) -> float:
        """Return the score of the outputs for rows that were set aside."""

    def _labels(self, y: Array) -> Any:
        """Return encoded targets as a score takes them."""
        return y

    def _class_weights(self, y: Any) -> Array | None:
        """Return what each row weighs because of its class."""
        return None

    def _loss_constants(self) -> Callable[[Array], Array] | None:
        """Return what gives the part of each row's loss that no weight changes, from encoded targets."""
        return None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from rows and targets, afresh unless `warm_start`.

        Args:
            X: rows of numbers, (n, features): an array, a frame or a sparse matrix (CSR or CSC).
            y: targets, (n,) or (n, outputs).
            sample_weight: how much each row counts, (n,). A batch whose rows all weigh 0 is skipped, where
                scikit-learn divides by 0.

        Raises:
            ConfigError: for a parameter out of range (a `ValueError`).
            ValueError: for rows or targets that break a rule, or where weights are no longer finite.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    def initialize(self, X: Any, y: Any) -> Self:
        """Build the network for rows and targets like these, without training.

        What follows can be `predict`, `partial_fit`, or `fit` with `warm_start=True`, which go on from here.
        """
        check_settings(vars(self))
        X, y = self._check_input(X, y, incremental=False, reset=True)
        self._start(X.shape[1], y.shape[1], X.dtype, check_random_state(self.random_state))
        return self

    def transform(self, X: Any, layer: int = -2) -> Array:
        """Return the activations of one layer for each row: features that the network has made.

        Args:
            X: rows of numbers, (n, features).
            layer: which one, counted like a list that begins with the inputs: -1 is the output, -2, the
                default, the last hidden layer, 1 the first one.
        """
        check_is_fitted(self)
        network, ends = self._link(), [0, *self._ends]
        if isinstance(layer, bool) or not isinstance(layer, int) or not -len(ends) <= layer < len(ends):
            raise ConfigError(
                f"layer must be a whole number from {-len(ends)} to {len(ends) - 1}, got {shortened(layer)}"
            )
        end = ends[layer]
        activations = self._run(head(network, end), X) if end else self._inputs(X)
        given = getattr(X, "dtype", None)
        return activations.astype(given, copy=False) if given in (np.float32, np.float64) else activations

    @classmethod
    def from_sklearn(cls, fitted: Any) -> Self:
        """Return what predicts as scikit-learn's fitted estimator does, with its parameters and attributes.

        Training goes on from its weights, with an optimizer that starts afresh.

        Args:
            fitted: an estimator of the class of the same name in `sklearn.neural_network`.

        Raises:
            ConfigError: for anything else, or before its `fit`.
        """
        check_fitted(fitted, cls)
        own = cls(**fitted.get_params())
        take_over(fitted, own)
        own._link()
        return own

    def to_sklearn(self) -> Any:
        """Return scikit-learn's estimator that predicts as this one does.

        Where a setting that matters to training alone has no counterpart, it has scikit-learn's default.

        Raises:
            ConfigError: for layers or activations that scikit-learn does not have.
        """
        check_is_fitted(self)
        return hand_over(self, self._link())

    @property
    def _n_features_out(self) -> int:
        shapes = self.network_.architecture.shapes
        return int(np.prod(shapes[[0, *self._ends][-2]]))

    @property
    def _optimizer(self) -> SimpleNamespace:
        """The learning rate of the last update, for those who look for it where scikit-learn has it."""
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
        state.pop("_linked", None)  # a copy's arrays are views of nothing
        return state

    # ------------------------------------------------------------------------------------- fitting

    def _fit(self, X: Any, y: Any, sample_weight: Any, incremental: bool) -> Self:
        check_settings(vars(self))
        if incremental and self.early_stopping:
            raise ConfigError("partial_fit does not support early_stopping=True", "use fit")
        fresh = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        labels = y
        X, y = self._check_input(X, y, incremental, reset=fresh)
        weight = self._weights(sample_weight, X, labels)
        random_state = check_random_state(self.random_state)
        if fresh:
            self._start(X.shape[1], y.shape[1], X.dtype, random_state)
        network, solver = self._link(), self._solver()
        if not fresh:
            self._warn_of_other_layers()
        lbfgs = isinstance(solver, LBFGS)
        x, held = _learnable(X, network.dtype, whole=lbfgs), None
        if not lbfgs:
            x, y, weight, held = self._set_aside(x, y, weight, labels, random_state)
            self._open_accounts(held)
        restore = self.early_stopping if self.restore_best is None else self.restore_best
        aim = self._aim(x.dtype)
        keeper = Bookkeeper(
            estimator=self,
            held=held,
            constants=self._loss_constants(),
            restore=restore and not (incremental or lbfgs),
            fresh=fresh,
        )
        callbacks: list[Callback] = [keeper, *check_callbacks(self.callbacks)]
        callbacks += [] if self.max_seconds is None else [TimeBudget(float(self.max_seconds))]
        callbacks += [ProgressBar()] if self.progress else []
        plan = Plan(
            rows=_rows(x, y, weight),
            validation=None if held is None else _rows(held.x, held.y, held.weight),
            loss=aim.loss,
            optimizer=solver,
            regularization=Regularization(l2=float(self.alpha), per_row=True),
            epochs=1 if incremental and not lbfgs else int(self.max_iter),
            batch_size=len(y) if lbfgs else self._rows_at_once(len(y)),
            order=Orders(len(y), random_state, bool(self.shuffle)),
            metrics=[] if held is None else [Metric("score", lambda a, *_: keeper.score(a), True, ())],
            callbacks=callbacks,
            report=aim.report,
        )
        if not incremental:
            network.forget_optimizer()
        self.n_iter_ = 0
        with limit_threads(self._threads()):
            history = network.train(plan)
        self._conclude(history, keeper, incremental)
        return self

    def _start(self, inputs: int, outputs: int, dtype: np.dtype[Any], random_state: Any) -> None:
        """Build the network, and forget what earlier runs have left."""
        for name in ACCOUNTS:
            self.__dict__.pop(name, None)
        self.n_outputs_ = outputs
        self._build(inputs, dtype, random_state)
        if self.dtype is None and isinstance(self._solver(), LBFGS):
            # As with scikit-learn, where SciPy gives float64 back.
            self.network_ = widened(self.network_, self.engine)
        self.coefs_, self.intercepts_ = views(self.network_)
        self._linked = self._visible()
        self.n_layers_ = len(self.coefs_) + 1
        self.n_iter_ = self.t_ = 0

    def _build(self, inputs: int, dtype: np.dtype[Any], random_state: Any) -> None:
        aim = self._aim(dtype)
        blueprint = draw_layers(self, aim.output, aim.loss)
        self.network_ = build(blueprint, inputs, dtype, self.engine, random_state)
        self._ends = list(blueprint.ends)
        activation = self.network_.architecture.output_activation
        name = "identity" if activation is None else activation.name
        self.out_activation_ = "logistic" if name == "sigmoid" else name

    def _link(self) -> Network:
        """Return the network, after taking over what was put into `coefs_`, `intercepts_` and parameters.

        The first two are live views of the network's parameters. Where somebody put other arrays there, or
        the estimator is a copy, these go into the network, and views take their place again. So do other
        activations and dropout; other layers cannot, and wait until the network is built anew.
        """
        visible, linked = self._visible(), vars(self).get("_linked", ())
        if len(visible) == len(linked) and all(map(is_, visible, linked)):
            return self.network_
        arrays = [*self.coefs_, *self.intercepts_]
        if "network_" not in vars(self):  # weights that were set by hand, before any fit
            self._build(len(self.coefs_[0]), np.result_type(*self.coefs_), np.random.RandomState(0))
        coefs, intercepts = views(self.network_)
        if [np.shape(array) for array in arrays] != [view.shape for view in (*coefs, *intercepts)]:
            raise DataError(
                "coefs_ and intercepts_ must keep the shapes that the network was built with, got "
                f"{[np.shape(array) for array in arrays]}"
            )
        for view, array in zip([*coefs, *intercepts], arrays, strict=True):
            view[...] = array
        self.coefs_, self.intercepts_ = coefs, intercepts
        with suppress(ShapeError):
            self._redraw()
        self._linked = self._visible()
        return self.network_

    def _warn_of_other_layers(self) -> None:
        try:
            self._redraw()
        except ShapeError:
            warnings.warn(
                "The layers asked for have other weights than those that are there: training goes on "
                "with the old ones. To begin anew, call fit with warm_start=False.",
                stacklevel=4,
            )

    def _visible(self) -> list[Any]:
        """Return all that the network depends on and anyone can replace."""
        own = vars(self)
        return [*self.coefs_, *self.intercepts_, *[own[name] for name in DRAWN]]

    def _redraw(self) -> None:
        """Give the network the layers that the parameters ask for now.

        Raises:
            ShapeError: if they do not fit the weights that are there.
        """
        output = self.network_.layers[-1]
        blueprint = draw_layers(self, cast("Dense", output), self._aim(np.dtype(self.network_.dtype)).loss)
        if tuple(blueprint.layers) != self.network_.layers:
            self.network_ = self.network_.with_layers(blueprint.layers)
            self._ends = list(blueprint.ends)

    def _solver(self) -> Optimizer:
        """Return the optimizer that the parameters describe."""
        if not isinstance(self.solver, str):
            return Optimizer.find(self.solver)
        if self.solver == "lbfgs":
            return LBFGS(
                tolerance=float(self.tol), loss_tolerance=LOSS_TOLERANCE, evaluations=int(self.max_fun)
            )
        rate: Any = self.learning_rate
        if rate in RATES:
            held = rate != "constant" and self.solver != "adam"  # adam takes none but the constant rate
            rate = (HeldRate if held else ConstantRate)(float(self.learning_rate_init))
        shared = {"clip_norm": self.clip_norm, "average": self.average}
        if self.solver == "adam":
            own = {"beta_1": float(self.beta_1), "beta_2": float(self.beta_2), "epsilon": float(self.epsilon)}
            return Adam(rate, **own, epsilon_hat=True, **shared)
        if self.solver == "sgd":
            momentum = float(self.momentum)
            return SGD(rate, momentum, bool(self.nesterovs_momentum and momentum > 0), **shared)
        kind: Any = type(Optimizer.find(self.solver))
        return kind(rate, **shared)

    def _open_accounts(self, held: Held | None) -> None:
        """Begin the lists and bests that a stochastic solver keeps, where no earlier run has."""
        own = self.__dict__
        own.setdefault("loss_curve_", [])
        own.setdefault("_no_improvement_count", 0)
        own.setdefault("best_loss_", None)
        if not self.early_stopping and self.best_loss_ is None:
            self.best_loss_ = math.inf
        own.setdefault("validation_scores_", None)
        own.setdefault("best_validation_score_", None)
        if held is not None and self.validation_scores_ is None:
            self.validation_scores_, self.best_validation_score_ = [], -math.inf
            self.validation_loss_curve_ = []

    def _weights(self, sample_weight: Any, X: Any, labels: Any) -> Array | None:
        weight: Array | None = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X)
        of_class = self._class_weights(labels)
        if of_class is not None:
            weight = of_class if weight is None else weight * of_class
        if weight is not None and not weight.any():
            raise DataError("sample_weight must not be 0 in every row")
        return weight

    def _set_aside(
        self, x: Array, y: Array, weight: Array | None, labels: Any, random_state: Any
    ) -> tuple[Array, Array, Array | None, Held | None]:
        """Return the rows to learn from, and those to validate on."""
        given = self.validation_data
        if given is None and not self.early_stopping:
            return x, y, weight, None
        if isinstance(given, tuple | list):
            return x, y, weight, self._given_aside(given)
        if given is None:
            # Not stratified for three classes or more, as in scikit-learn.
            yes_no = is_classifier(self) and self.n_outputs_ == 1
            learn, aside = load("sklearn.model_selection", "sklearn").train_test_split(
                np.arange(len(y)),
                random_state=random_state,
                test_size=self.validation_fraction,
                stratify=y[:, 0].astype(str) if yes_no else None,
            )
            if len(aside) < 2:
                raise DataError(
                    "The validation set is too small. Increase 'validation_fraction' or the size of your "
                    "dataset."
                )
        elif hasattr(given, "split"):
            learn, aside = next(iter(given.split(x, labels)))
        else:
            raise ConfigError(
                "validation_data must be (X, y), (X, y, sample_weight) or a splitter, such as "
                f"ShuffleSplit(1), got {shortened(given)}"
            )
        held = Held(x[aside], y[aside], self._labels(y[aside]), None if weight is None else weight[aside])
        return x[learn], y[learn], None if weight is None else weight[learn], held

    def _given_aside(self, given: Sequence[Any]) -> Held:
        if len(given) not in (2, 3):
            raise ConfigError(
                f"validation_data must be (X, y) or (X, y, sample_weight), got {len(given)} things"
            )
        X = validate_data(self, given[0], reset=False, **self._input_rules())
        y = self._encode(given[1])
        check_consistent_length(X, y)
        weight = _check_sample_weight(given[2], X) if len(given) == 3 else None
        return Held(_learnable(X, self.network_.dtype), y, self._labels(y), weight)

    def _rows_at_once(self, rows: int) -> int:
        if self.batch_size == "auto":
            return min(200, rows)
        if self.batch_size > rows:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
                stacklevel=4,
            )
        return min(int(self.batch_size), rows)

    def _conclude(self, history: History, keeper: Bookkeeper, incremental: bool) -> None:
        """Say what is to be said after a run."""
        lbfgs = keeper.lbfgs
        if history.ended == "interrupted":
            warnings.warn("Training interrupted by user.", stacklevel=4)
        elif history.ended == "failed":
            self._record_failure(keeper)
            if keeper.best is None:
                raise DataError(NOT_FINITE, f"{history.stopped_because}")
            warnings.warn(history.stopped_because, ConvergenceWarning, stacklevel=4)
        elif lbfgs and history.ended == "completed":
            warnings.warn(
                f"lbfgs failed to converge after {self.n_iter_} iteration(s): {history.stopped_because}. You "
                "might increase max_iter or max_fun, or scale the data.",
                ConvergenceWarning,
                stacklevel=4,
            )
        elif history.ended == "completed" and not (lbfgs or incremental):
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization "
                "hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _record_failure(self, keeper: Bookkeeper) -> None:
        """Enter the epoch in which a number was no longer finite; scikit-learn would go on with NaN."""
        self.n_iter_ += 1
        self.loss_ = math.nan
        if not keeper.lbfgs:
            self.loss_curve_.append(math.nan)
            if keeper.held is not None and self.validation_scores_ is not None:
                self.validation_scores_.append(math.nan)
                self.validation_loss_curve_.append(math.nan)

    # ---------------------------------------------------------------------------------- predicting

    def _outputs(self, X: Any) -> Array:
        """Return the network's outputs for rows, (n, outputs)."""
        if "coefs_" not in vars(self):
            check_is_fitted(self)
        return self._run(self._link(), X)

    def _run(self, network: Network, X: Any) -> Array:
        """Return the outputs of the network, or of its first layers, for rows that a user gave."""
        with limit_threads(self._threads()) if self.n_jobs else nullcontext():
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
        """Return whether rows need no look but the engine's: an array of such numbers, without names."""
        own = vars(self)
        named = "feature_names_in_" in own and "_validates" not in own
        right = type(X) is np.ndarray and X.ndim == 2 and X.shape[1] == self.n_features_in_ and len(X) > 0
        return right and X.dtype.kind == "f" and not named

    def _inputs(self, X: Any) -> Any:
        """Return rows as the engine takes them."""
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        x = _learnable(X, self.network_.dtype)
        if not np.isfinite(x.data if hasattr(x, "tocsr") else x).all():
            raise DataError(f"X must fit {x.dtype.name}, the type of the weights", "use dtype='float64'")
        return x

    def _input_rules(self) -> dict[str, Any]:
        """Return what scikit-learn is to check of the inputs when fitting."""
        dtype = (np.float64, np.float32) if self.dtype is None else np.dtype(self.dtype)
        return {"accept_sparse": ["csr", "csc"], "dtype": dtype}

    def _threads(self) -> int | None:
        """Return how many threads `n_jobs` allows, None for all."""
        if self.n_jobs is None or self.n_jobs == -1:
            return None
        return int(self.n_jobs) if self.n_jobs > 0 else max(1, thread_count() + 1 + int(self.n_jobs))


def _dense(X: Any, dtype: Any) -> Array:
    """Return rows as one contiguous array."""
    return np.ascontiguousarray(X.toarray() if hasattr(X, "toarray") else X, dtype=dtype)


def _learnable(X: Any, dtype: Any, whole: bool = False) -> Any:
    """Return rows to learn from: an array, or a sparse matrix where that would be large."""
    if whole or not hasattr(X, "tocsr") or math.prod(X.shape) <= NUMBERS_AT_ONCE:
        return _dense(X, dtype)
    return X.tocsr().astype(dtype)


def _rows(x: Array, y: Array, weight: Array | None) -> Rows:
    """Return rows as the engine takes them."""
    targets = np.ascontiguousarray(y, dtype=x.dtype)
    return Rows(x, targets, None if weight is None else weight.astype(x.dtype))
