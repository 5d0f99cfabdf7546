"""What the classifier and the regressor share: from X and y to a plan, a run of training, and attributes.

Each rule is scikit-learn 1.9's unless a docstring says otherwise; the steps themselves, the loop and every
prediction are ganglion's engine.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from operator import is_
from types import SimpleNamespace
from typing import Any, NamedTuple, Self, cast

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ganglion.core.layers import Dense
from ganglion.core.losses import Loss
from ganglion.core.part import Array
from ganglion.core.regularization import Regularization
from ganglion.engines import limit_threads
from ganglion.errors import ConfigError, DataError, ShapeError
from ganglion.estimators import rules
from ganglion.estimators.aside import Held, check_targets, check_weight, given_rows, split_at_random, split_by
from ganglion.estimators.bookkeeping import ACCOUNTS, Bookkeeper, HeldRate, Orders
from ganglion.estimators.building import build, draw_layers, rebuild, views, widened
from ganglion.estimators.conversion import check_fitted, copy_learned, hand_over
from ganglion.estimators.parameters import check_parameters
from ganglion.estimators.prediction import Predictor, learnable
from ganglion.network import Network
from ganglion.training.callbacks import Callback, ProgressBar, check_callbacks
from ganglion.training.history import History
from ganglion.training.metrics import Metric
from ganglion.training.optimizers import LBFGS, SGD, Adam, Optimizer
from ganglion.training.plan import Plan
from ganglion.training.rows import Rows
from ganglion.training.schedules import ConstantRate
from ganglion.training.stopping import TimeBudget

LOSS_TOLERANCE = 2.220446049250313e-09  # SciPy's own for L-BFGS, which scikit-learn leaves as it is
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
    Predictor,
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

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        """Return the names of the parameters; a search asks for them a dozen times for each fit."""
        return cast("list[str]", super()._get_param_names())

    @abstractmethod
    def _aim(self, dtype: np.dtype[Any]) -> Aim:
        """Return the last layer and the loss for `n_outputs_` outputs."""

    @abstractmethod
    def _check_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Array, Any]:
        """Return X and y as checked arrays: y as the loss takes it, (n, outputs), and as it was given."""

    @abstractmethod
    def _encode(self, y: Any) -> Array:
        """Return targets as the loss takes them."""

    @abstractmethod
    def _score_outputs(self, held: Held, outputs: Array) -> float:
        """Return the score of the outputs for rows that were set aside."""

    def _labels(self, y: Array) -> Any:
        """Return encoded targets as a score takes them."""
        return y

    def _class_weights(self, labels: Any, incremental: bool) -> Callable[[Any], Array | None]:
        """Return what gives each row its weight because of its class, from labels like these."""
        return lambda labels: None

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
        check_parameters(self)
        X, y, _ = self._check_input(X, y, incremental=False, reset=True)
        dtype = self._number_type(X.dtype, rules.solver("solver", self.solver) == "lbfgs")
        self._start(X.shape[1], y.shape[1], dtype, check_random_state(self.random_state))
        return self

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
        copy_learned(fitted, own)
        own._adopt()
        return own

    def to_sklearn(self) -> Any:
        """Return scikit-learn's estimator that predicts as this one does.

        Where a setting that matters to training alone has no counterpart, it has scikit-learn's default, and
        a warning names it.

        Raises:
            ConfigError: for layers or activations that scikit-learn does not have.
        """
        check_is_fitted(self)
        return hand_over(self, self._link())

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
        check_parameters(self)
        if incremental and self.early_stopping:
            raise ConfigError("partial_fit does not support early_stopping=True", "use fit")
        fresh = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        solver, random_state = self._solver(), check_random_state(self.random_state)
        lbfgs = isinstance(solver, LBFGS)
        rows, held = self._prepare(X, y, sample_weight, incremental, fresh, lbfgs, random_state)
        restore = self.early_stopping if self.restore_best is None else self.restore_best
        constants = self._loss_constants()
        keeper = Bookkeeper(
            estimator=self,
            held=held,
            constants=constants,
            restore=restore and not (incremental or lbfgs),
            fresh=fresh,
            lbfgs=lbfgs,
        )
        aim, network = self._aim(rows.y.dtype), self.network_
        plan = Plan(
            rows=rows,
            validation=None if held is None else as_rows(held.x, held.y, held.weight),
            loss=aim.loss,
            optimizer=solver,
            regularization=Regularization(l2=float(self.alpha), per_row=True),
            epochs=1 if incremental and not lbfgs else int(self.max_iter),
            batch_size=len(rows) if lbfgs else self._rows_at_once(len(rows)),
            order=Orders(len(rows), random_state, bool(self.shuffle)),
            metrics=[] if held is None else [Metric("score", lambda a, *_: keeper.score(a), True, ())],
            callbacks=self._callbacks(keeper),
            report=aim.report,
            offset=0.0 if constants is None else float(np.average(constants(rows.y), weights=rows.weight)),
        )
        if not incremental:
            network.forget_optimizer()
        self.n_iter_ = 0
        with limit_threads(self._threads()):
            try:
                history = network.train(plan)
            except KeyboardInterrupt:  # where somebody else answers Ctrl-C
                history = History(ended="interrupted")
        keeper.conclude(history, incremental)
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
    ) -> tuple[Rows, Held | None]:
        """Return the rows to learn from and those set aside, with `network_` ready to learn.

        What can be refused is looked at before anything that was learned is given up.
        """
        X, y, labels = self._check_input(X, y, incremental, reset=fresh)
        if not fresh:
            self._check_it_goes_on(y)
        dtype = self._number_type(X.dtype if fresh else np.dtype(self.network_.dtype), lbfgs)
        class_weight = self._class_weights(labels, incremental)
        weight = self._weights(sample_weight, X, class_weight(labels))
        x = learnable(X, dtype, whole=lbfgs)
        held, parts, given = None, None, self.validation_data
        if isinstance(given, tuple | list):
            held = given_rows(
                given,
                lambda rows: learnable(validate_data(self, rows, reset=False, **self._input_rules()), dtype),
                lambda rows: check_targets(self._encode(rows), y.shape[1], "y of validation_data"),
                self._labels,
                class_weight,
            )
        elif given is not None:
            parts = split_by(given, x, labels)
        if fresh:
            self._start(X.shape[1], y.shape[1], dtype, random_state)
        else:
            self._go_on(dtype)
        if self.early_stopping and given is None and not lbfgs:
            # Not stratified for three classes or more, as in scikit-learn.
            stratify = y[:, 0].astype(str) if is_classifier(self) and self.n_outputs_ == 1 else None
            parts = split_at_random(len(y), self.validation_fraction, stratify, random_state)
        if parts is not None:
            learn, aside = parts
            of_aside = check_weight(None if weight is None else weight[aside])
            held = Held(x[aside], y[aside], self._labels(y[aside]), of_aside)
            x, y, weight = x[learn], y[learn], None if weight is None else weight[learn]
        return as_rows(x, y, weight), held

    def _callbacks(self, keeper: Bookkeeper) -> list[Callback]:
        callbacks: list[Callback] = [keeper, *check_callbacks(self.callbacks)]
        callbacks += [] if self.max_seconds is None else [TimeBudget(float(self.max_seconds))]
        return callbacks + ([ProgressBar()] if self.progress else [])

    def _number_type(self, dtype: np.dtype[Any], lbfgs: bool) -> np.dtype[Any]:
        """Return the type of the network's numbers."""
        # As with scikit-learn, where SciPy gives float64 back.
        return np.dtype(np.float64) if lbfgs and self.dtype is None else dtype

    def _start(self, inputs: int, outputs: int, dtype: np.dtype[Any], random_state: Any) -> None:
        """Build the network, and forget what earlier runs have left."""
        for name in ACCOUNTS:
            self.__dict__.pop(name, None)
        self.n_outputs_ = outputs
        aim = self._aim(dtype)
        blueprint = draw_layers(self, aim.output, aim.loss)
        self._take(build(blueprint, inputs, dtype, self.engine, random_state), blueprint.ends)
        self.n_layers_ = len(self.coefs_) + 1
        self.n_iter_ = self.t_ = 0
        self.loss_ = math.nan

    def _take(self, network: Network, ends: Sequence[int]) -> None:
        """Take a network; each of its layers of units is complete after as many layers as `ends` says."""
        self.network_, self._ends = network, list(ends)
        activation = network.architecture.output_activation
        name = "identity" if activation is None else activation.name
        self.out_activation_ = "logistic" if name == "sigmoid" else name
        self.coefs_, self.intercepts_ = views(network)
        self._linked = self._visible()

    def _link(self) -> Network:
        """Return the network, after taking over what was put into `coefs_`, `intercepts_` and parameters.

        The first two are live views of the network's parameters. Where somebody put other arrays there, or
        the estimator is a copy, these go into the network, and views take their place again. So do other
        activations and dropout; other layers cannot, and wait until the network is built anew.
        """
        visible, linked = self._visible(), vars(self).get("_linked", ())
        if len(visible) == len(linked) and all(map(is_, visible, linked)):
            return self.network_
        if "network_" not in vars(self):  # weights that were set by hand, before any fit
            self._adopt()
            return self.network_
        arrays, (coefs, intercepts) = [*self.coefs_, *self.intercepts_], views(self.network_)
        if [np.shape(array) for array in arrays] != [view.shape for view in (*coefs, *intercepts)]:
            raise DataError(
                "coefs_ and intercepts_ must keep the shapes that the network was built with, got "
                f"{[np.shape(array) for array in arrays]}"
            )
        for view, array in zip([*coefs, *intercepts], arrays, strict=True):
            view[...] = array
        self.coefs_, self.intercepts_ = coefs, intercepts
        with suppress(ShapeError, ConfigError):  # fit will say what is wrong with parameters
            self._redraw()
        self._linked = self._visible()
        return self.network_

    def _adopt(self) -> None:
        """Build the network that `coefs_` and `intercepts_` were learned in, or set by hand for."""
        own = self.__dict__
        own.setdefault("n_features_in_", np.shape(self.coefs_[0])[0])
        own.setdefault("n_outputs_", np.shape(self.coefs_[-1])[1])
        last = own.get("out_activation_") or self._aim(np.dtype(np.float64)).output.activation
        network = rebuild(self.coefs_, self.intercepts_, self.activation, last, self.engine)
        self._take(network, range(1, len(self.coefs_) + 1))

    def _check_it_goes_on(self, y: Array) -> None:
        """Check that training can go on with the network that is there.

        Raises:
            ConfigError, DataError: if the targets or the loss need another one.
        """
        if y.shape[1] != self.n_outputs_:
            raise DataError(
                f"y must have {self.n_outputs_} targets for each row, as when the network was built, got "
                f"{y.shape[1]}",
                "to begin anew, call fit with warm_start=False",
            )
        there = cast("Dense", self._link().layers[-1]).activation
        wanted = self._aim(np.dtype(self.network_.dtype)).output.activation
        if self.layers is None and wanted != there:
            raise ConfigError(
                f"this loss needs the output {wanted.name}, the network was built with {there.name}",
                "to begin anew, call fit with warm_start=False",
            )

    def _go_on(self, dtype: np.dtype[Any]) -> None:
        """Make the network one to go on with: of other layers or another type, where parameters say so."""
        try:
            self._redraw()
        except ShapeError:
            warnings.warn(
                "The layers asked for have other weights than those that are there: training goes on "
                "with the old ones. To begin anew, call fit with warm_start=False.",
                stacklevel=4,
            )
        if self.network_.dtype != dtype.name:
            self._take(widened(self.network_, self.engine), self._ends)

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
        name = rules.solver("solver", self.solver)
        if name == "lbfgs":
            return LBFGS(
                tolerance=float(self.tol), loss_tolerance=LOSS_TOLERANCE, evaluations=int(self.max_fun)
            )
        rate: Any = self.learning_rate
        if isinstance(rate, str):
            held = rate != "constant" and name != "adam"  # adam takes none but the constant rate
            rate = (HeldRate if held else ConstantRate)(float(self.learning_rate_init))
        shared: dict[str, Any] = {"clip_norm": self.clip_norm, "average": self.average}
        if name == "adam":
            own = {"beta_1": float(self.beta_1), "beta_2": float(self.beta_2), "epsilon": float(self.epsilon)}
            return Adam(rate, **own, epsilon_hat=True, **shared)
        if name == "sgd":
            momentum = float(self.momentum)
            return SGD(rate, momentum, bool(self.nesterovs_momentum and momentum > 0), **shared)
        return Optimizer.known[name](rate, **shared)

    def _weights(self, sample_weight: Any, X: Any, of_class: Array | None) -> Array | None:
        """Return how much each row counts, by itself and because of its class; None if all count 1."""
        weight: Array | None = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X)
        if of_class is not None:
            weight = of_class if weight is None else weight * of_class
        if weight is not None and not weight.any():
            raise DataError("sample_weight must not be 0 in every row")
        if weight is not None and weight.sum() == 0:
            raise DataError("sample_weight must not add up to 0")
        return weight

    def _rows_at_once(self, rows: int) -> int:
        if self.batch_size == "auto":
            return min(200, rows)
        size = int(self.batch_size)
        if size > rows:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
                stacklevel=4,
            )
        return min(size, rows)

    def _input_rules(self) -> dict[str, Any]:
        """Return what scikit-learn is to check of the inputs when fitting."""
        dtype = (np.float64, np.float32) if self.dtype is None else np.dtype(self.dtype)
        return {"accept_sparse": ["csr", "csc"], "dtype": dtype}


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
