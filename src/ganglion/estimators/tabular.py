"""Table models as scikit-learn's estimators: frames with columns of any kind in, nothing to prepare."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, Self

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    _check_y,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from ganglion.checks import column_names
from ganglion.core.part import Array
from ganglion.engines import limit_threads
from ganglion.errors import DataError, collect_notices, warn
from ganglion.estimators import rules
from ganglion.estimators.classifier import weights_of_classes
from ganglion.table_model import TableModel
from ganglion.tables.encode import Encoder
from ganglion.tables.fitting import ROW_NUMBERS
from ganglion.tables.reading import open_table

SEEDS = 2**31 - 1
MOST_REPEATED = 10  # rows, on average, that a row of a whole-number weight stands for


class _Tabular(BaseEstimator):  # type: ignore[misc]
    """What classifier and regressor have in common."""

    task = ""

    def __init__(
        self,
        quality: str = "good",
        *,
        categories: Collection[str] = (),
        drop: Collection[str] = (),
        keep: Collection[str] = (),
        scaling: str = "standard",
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.quality = quality
        self.categories = categories
        self.drop = drop
        self.keep = keep
        self.scaling = scaling
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn a table.

        Args:
            X: a frame of pandas or polars with columns of numbers, words, dates or truth values, missing
                values among them; or an array of numbers, (n, features).
            y: the target of each row, (n,).
            sample_weight: the weight of each row, (n,); by default all count alike.

        Raises:
            DataError: if there is nothing to learn from; the message gives the remedy.
            ConfigError: for a parameter out of range.
        """
        rules.verbose("verbose", self.verbose)
        y = self._check_target(y)
        opened = open_table(self._checked(X, reset=True))
        frame = opened.frame
        check_consistent_length(frame, y)
        if frame.height < 2:
            raise DataError(f"a table needs at least 2 rows to learn from, got n_samples={frame.height}")
        weight = _check_sample_weight(sample_weight, frame, ensure_non_negative=True)
        weight = self._weighed(weight, y)
        keep = self.keep if hasattr(self, "feature_names_in_") else frame.columns
        row_numbers = self._row_numbers(frame, keep)
        seed = int(check_random_state(self.random_state).randint(SEEDS))
        target, weights = (_unused(name, frame.columns) for name in ("target", "weight"))
        table = frame.with_columns(pl.Series(target, self._encode(y)), pl.Series(weights, weight))
        table = _reordered(table, weights, seed)
        with limit_threads(rules.threads(self.n_jobs)), collect_notices() as notices:
            self.model_ = TableModel.train(
                dataclasses.replace(opened, frame=table),
                target,
                quality=self.quality,
                task=self.task,
                test=0,
                weight=weights if weights in table.columns else None,
                categories=self.categories,
                drop=[*self.drop, *row_numbers],
                keep=keep,
                scaling=self.scaling,
                progress=bool(self.verbose),
                seed=seed,
                **self._settings(),
            )
        for each in notices:
            if each.name == "left-out-columns":
                warn(each)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.non_deterministic = self.random_state is None
        return tags

    def _predictions(self, X: Any) -> pl.DataFrame:
        check_is_fitted(self)
        with limit_threads(rules.threads(self.n_jobs)), collect_notices():
            return self.model_.predict(self._checked(X, reset=False))

    def _checked(self, X: Any, reset: bool) -> Any:
        """Return a frame as it is; an array as one, with the names of the columns learned, or x0, x1 ..."""
        if hasattr(X, "columns") and hasattr(X, "shape"):
            _check_feature_names(self, X, reset=reset)
            _check_n_features(self, X, reset=reset)
            if not X.shape[0]:
                raise DataError(
                    f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required."
                )
            return X
        rows = validate_data(self, X, reset=reset, ensure_all_finite="allow-nan")
        names = getattr(self, "feature_names_in_", [f"x{number}" for number in range(rows.shape[1])])
        return pl.DataFrame(rows, schema=list(map(str, names))).fill_nan(None)

    def _row_numbers(self, frame: pl.DataFrame, keep: Collection[str]) -> list[str]:
        """Return the columns that number the rows, which shows only in their own order."""
        inputs = frame.drop(column_names("drop", self.drop), strict=False)
        found = Encoder.fit(inputs, column_names("categories", self.categories), keep=keep)
        return found.reasons().get(ROW_NUMBERS, [])

    def _weighed(self, weight: Array, y: Array) -> Array:
        """Return the weight of each row, with that of its class."""
        return weight

    def _settings(self) -> dict[str, Any]:
        """Return further settings of `TableModel.train`."""
        return {}

    def _check_target(self, y: Any) -> Array:
        raise NotImplementedError

    def _encode(self, y: Array) -> Array:
        raise NotImplementedError


def _reordered(table: pl.DataFrame, weights: str, seed: int) -> pl.DataFrame:
    """Return the rows in an order that does not depend on theirs; one of weight 2 becomes two.

    Weights that are not whole numbers, or large, stay weights; else their column is gone.
    """
    table = table.filter(pl.col(weights) > 0)
    times = table[weights].to_numpy()
    if (times == times.round()).all() and times.sum() <= MOST_REPEATED * len(times):
        rows = np.repeat(np.arange(len(times)), times.astype(np.int64))
        table = table[rows].drop(weights)
    return table.sort(table.columns)[np.random.default_rng(seed).permutation(table.height)]


def _unused(name: str, names: Collection[str]) -> str:
    """Return a name that is none of others."""
    while name in names:
        name += "_"
    return name


class TabularClassifier(ClassifierMixin, _Tabular):  # type: ignore[misc]
    """A classifier for tables as people have them, as an estimator of scikit-learn.

    Columns of numbers, words, dates and truth values, with missing values, need no preparation. Names and row
    numbers are left out of frames with a notice, and texts are learned; of an array, all columns are used.

    Args:
        quality: "good" (default) for a mixture of several kinds of networks, "best" for more of them, "fast"
            for one network.
        categories: names of columns of numbers to treat as categories.
        drop: names of columns to ignore.
        keep: names of columns to use although they look like row numbers, identifiers or names.
        scaling: of number columns, "standard" (default), "robust" or "quantile".
        class_weight: "balanced" gives all classes equal total weight, a dict each label its own; by default
            all count alike.
        random_state: determines everything random: a whole number, a `RandomState`, or None (default) for
            other numbers each time.
        n_jobs: the number of threads; None (default) and -1 use all processors.
        verbose: whether to show a progress bar in a terminal.

    Attributes:
        model_: the `gg.TableModel`, for `save`, `explain`, `network` and the rest; it takes frames, and its
            classes are the positions in `classes_`.
        classes_: the labels, sorted, in the order of the probabilities.
        n_features_in_, feature_names_in_: of the inputs.

    >>> import polars as pl
    >>> X = pl.DataFrame({"color": ["red", "blue"] * 50, "size": list(range(50)) * 2})
    >>> y = ["warm", "cold"] * 50
    >>> model = TabularClassifier("fast", random_state=0).fit(X, y)
    >>> model.predict(X[:3]).tolist()
    ['warm', 'cold', 'warm']
    """

    task = "classification"

    def __init__(
        self,
        quality: str = "good",
        *,
        categories: Collection[str] = (),
        drop: Collection[str] = (),
        keep: Collection[str] = (),
        scaling: str = "standard",
        class_weight: str | Mapping[Any, float] | None = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: bool | int = False,
    ) -> None:
        super().__init__(
            quality,
            categories=categories,
            drop=drop,
            keep=keep,
            scaling=scaling,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def predict(self, X: Any) -> Array:
        """Return the label of each row, (n,)."""
        found = self._predictions(X)["prediction"].to_numpy()
        return np.asarray(self.classes_[found])

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, (n, classes), in the order of `classes_`."""
        found = self._predictions(X)
        probabilities = np.zeros((found.height, len(self.classes_)))
        for number in self.model_.target.classes:
            probabilities[:, number] = found[f"probability_{number}"].to_numpy()
        return probabilities

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _check_target(self, y: Any) -> Array:
        y = column_or_1d(_check_y(y), warn=True)
        check_classification_targets(y)
        return y

    def _encode(self, y: Array) -> Array:
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"y must hold at least two classes, got one class: {self.classes_[0]!r}")
        return numbers

    def _weighed(self, weight: Array, y: Array) -> Array:
        if self.class_weight is None or isinstance(self.class_weight, str):
            return weight
        return weight * weights_of_classes(self.class_weight, y)(y)

    def _settings(self) -> dict[str, Any]:
        return {"class_weight": self.class_weight if isinstance(self.class_weight, str) else None}


class TabularRegressor(RegressorMixin, _Tabular):  # type: ignore[misc]
    """A regressor for tables as people have them, as an estimator of scikit-learn.

    Columns of numbers, words, dates and truth values, with missing values, need no preparation. Names and row
    numbers are left out of frames with a notice, and texts are learned; of an array, all columns are used.

    Args:
        quality: "good" (default) for a mixture of several kinds of networks, "best" for more of them, "fast"
            for one network.
        categories: names of columns of numbers to treat as categories.
        drop: names of columns to ignore.
        keep: names of columns to use although they look like row numbers, identifiers or names.
        scaling: of number columns, "standard" (default), "robust" or "quantile".
        random_state: determines everything random: a whole number, a `RandomState`, or None (default) for
            other numbers each time.
        n_jobs: the number of threads; None (default) and -1 use all processors.
        verbose: whether to show a progress bar in a terminal.

    Attributes:
        model_: the `gg.TableModel`, for `save`, `explain`, `network` and the rest; it takes frames.
        n_features_in_, feature_names_in_: of the inputs.

    >>> import polars as pl
    >>> X = pl.DataFrame({"color": ["red", "blue"] * 50, "size": list(range(50)) * 2})
    >>> model = TabularRegressor(random_state=0).fit(X, 3 * X["size"] + 2)
    >>> model.predict(X[10:12]).round().tolist()
    [32.0, 35.0]
    """

    task = "regression"

    def predict(self, X: Any) -> Array:
        """Return the predicted numbers, (n,)."""
        return self._predictions(X)["prediction"].to_numpy()

    def _check_target(self, y: Any) -> Array:
        return column_or_1d(_check_y(y, y_numeric=True), warn=True)

    def _encode(self, y: Array) -> Array:
        return y.astype(np.float64)
