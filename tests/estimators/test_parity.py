"""The same numbers as scikit-learn's multilayer perceptrons: weights, losses, scores, epochs.

In float64, after up to 30 epochs, weights agree within 1e-6 relative and loss curves within 1e-8.
"""

from __future__ import annotations

import copy
import inspect
import itertools
import warnings
from typing import Any

import numpy as np
import pytest
import sklearn.neural_network
from scipy import sparse
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression

import ganglion.estimators

CLASSES = {"classifier": "MLPClassifier", "regressor": "MLPRegressor"}
CURVES = ("loss_curve_", "validation_scores_", "best_loss_", "best_validation_score_", "loss_")
COUNTS = ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def data(task: str, rows: int = 330) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and targets; 330 rows leave a short last batch of the usual 200."""
    if task == "multilabel":
        X, y = make_multilabel_classification(rows, 8, n_classes=4, random_state=3)
        return X / 10, y
    if task in ("binary", "multiclass"):
        classes = 2 if task == "binary" else 4
        X, y = make_classification(rows, 8, n_informative=6, n_classes=classes, random_state=3)
        return X, np.array(["ant", "bee", "cat", "dog"])[y]
    X, y = make_regression(rows, 8, n_targets=3 if task == "multioutput" else 1, noise=5, random_state=3)
    y = y / y.std()
    return X, np.random.default_rng(0).poisson(np.exp(y / 2)) if task == "poisson" else y


KINDS = {
    "binary": "classifier",
    "multiclass": "classifier",
    "multilabel": "classifier",
    "regression": "regressor",
    "multioutput": "regressor",
    "poisson": "regressor",
}
TASKS = list(KINDS)


def pair(task: str, **settings: Any) -> list[Any]:
    """Return ganglion's estimator and scikit-learn's, with the same settings."""
    if task == "poisson":
        settings["loss"] = "poisson"
    settings = {"random_state": 5, "max_iter": 30, **settings}
    name = CLASSES[KINDS[task]]
    return [
        getattr(module, name)(**copy.deepcopy(settings))
        for module in (ganglion.estimators, sklearn.neural_network)
    ]


def assert_equal(mine: Any, theirs: Any, X: np.ndarray, weights: float = 1e-6, losses: float = 1e-8) -> None:
    for name in COUNTS:
        assert getattr(mine, name) == getattr(theirs, name), name
    for name in CURVES:
        assert hasattr(mine, name) == hasattr(theirs, name), name
        value, expected = getattr(mine, name, None), getattr(theirs, name, None)
        if expected is None:
            assert value is None, name
        else:
            np.testing.assert_allclose(value, expected, rtol=losses, atol=losses, err_msg=name)
    for a, b in zip(mine.coefs_ + mine.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert a.dtype == b.dtype
        assert np.abs(a - b).max() <= weights * np.abs(b).max()
    if hasattr(theirs, "predict_proba"):
        np.testing.assert_allclose(mine.predict_proba(X), theirs.predict_proba(X), rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(mine.predict(X), theirs.predict(X))
    else:
        np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=1e-5, atol=1e-6)


SOLVERS: dict[str, dict[str, Any]] = {
    "adam": {},
    "adam_strong": {"learning_rate_init": 0.02, "epsilon": 1e-3, "beta_1": 0.8, "beta_2": 0.95, "alpha": 0.1},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.02},
    "sgd_plain": {"solver": "sgd", "learning_rate_init": 0.05, "momentum": 0},
    "sgd_classical": {"solver": "sgd", "learning_rate_init": 0.02, "nesterovs_momentum": False},
    "sgd_invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5},
    "sgd_adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.05,
        "tol": 0.02,
        "n_iter_no_change": 2,
    },
    "lbfgs": {"solver": "lbfgs"},
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers(task: str, solver: str) -> None:
    X, y = data(task)
    mine, theirs = (model.fit(X, y) for model in pair(task, hidden_layer_sizes=(20, 10), **SOLVERS[solver]))
    assert_equal(mine, theirs, X)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_activations(task: str, activation: str, solver: str) -> None:
    X, y = data(task)
    mine, theirs = pair(task, activation=activation, hidden_layer_sizes=(12, 7), **SOLVERS[solver])
    if (task, activation, solver) == ("poisson", "identity", "sgd"):  # it diverges, in both
        for model in (mine, theirs):
            with (
                np.errstate(all="ignore"),
                pytest.raises(ValueError, match="Solver produced non-finite parameter weights"),
            ):
                model.fit(X, y)
        return
    assert_equal(mine.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("solver", ["adam", "sgd_adaptive", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_sample_weights(task: str, solver: str, early_stopping: bool) -> None:
    X, y = data(task)
    weight = np.random.default_rng(1).uniform(0, 3, len(X))
    settings = {**SOLVERS[solver], "early_stopping": early_stopping, "alpha": 0.5, "batch_size": 64}
    assert_equal(*(model.fit(X, y, sample_weight=weight) for model in pair(task, **settings)), X)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("solver", ["adam_strong", "sgd", "sgd_adaptive"])
def test_early_stopping(task: str, solver: str) -> None:
    X, y = data(task)
    settings = {**SOLVERS[solver], "early_stopping": True, "n_iter_no_change": 3, "validation_fraction": 0.2}
    assert_equal(*(model.fit(X, y) for model in pair(task, **settings)), X)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("solver", ["adam", "sgd_invscaling", "sgd_adaptive", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_warm_start(task: str, solver: str, early_stopping: bool) -> None:
    X, y = data(task)
    settings = {**SOLVERS[solver], "warm_start": True, "early_stopping": early_stopping, "max_iter": 8}
    mine, theirs = pair(task, **settings)
    for _ in range(3):
        assert_equal(mine.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("solver", ["adam", "sgd", "sgd_invscaling", "sgd_adaptive"])
@pytest.mark.parametrize("seeded", [True, False])
def test_partial_fit(task: str, solver: str, seeded: bool) -> None:
    X, y = data(task)
    mine, theirs = pair(task, **SOLVERS[solver])
    more = (
        {}
        if KINDS[task] == "regressor"
        else {"classes": np.arange(4) if task == "multilabel" else np.unique(y)}
    )
    if not seeded:
        mine.random_state, theirs.random_state = np.random.RandomState(8), np.random.RandomState(8)
    for part, half in itertools.product(range(5), range(2)):
        rows = slice(None) if part == 3 else slice(half * 165, half * 165 + 165)
        for model in (mine, theirs):
            model.partial_fit(X[rows], y[rows], **more)
    assert_equal(mine, theirs, X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_equal(mine.fit(X, y), theirs.fit(X, y), X)
    for model in (mine, theirs):
        model.partial_fit(X, y)
    assert_equal(mine, theirs, X)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "settings",
    [
        {"shuffle": False},
        {"batch_size": 1, "max_iter": 3},
        {"batch_size": 330},
        {"batch_size": 7, "alpha": 3.0},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": 3, "alpha": 0},
        {"hidden_layer_sizes": (70, 40, 20), "tol": 0.1, "n_iter_no_change": 1},
        {"n_iter_no_change": np.inf, "tol": 10},
        {"solver": "lbfgs", "max_fun": 12},
        {"solver": "lbfgs", "tol": 0.5, "max_iter": 200},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_other_settings(task: str, settings: dict[str, Any]) -> None:
    X, y = data(task)
    assert_equal(*(model.fit(X, y) for model in pair(task, **settings)), X)


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "poisson"])
def test_losses_of_wild_predictions(task: str) -> None:
    """Probabilities next to 0 and 1 are clipped at the type's epsilon in the reported loss."""
    X, y = data(task)
    scale = 1 if task == "poisson" else 60
    mine, theirs = (model.fit(X * scale, y) for model in pair(task, max_iter=4, learning_rate_init=0.01))
    assert_equal(mine, theirs, X * scale)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_array])
def test_sparse_inputs(task: str, container: Any) -> None:
    X, y = data(task)
    X = container(np.where(np.abs(X) > 0.8, X, 0))
    assert_equal(*(model.fit(X, y) for model in pair(task)), X)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_float32(task: str, solver: str) -> None:
    """scikit-learn mixes float32 with float64; ganglion is float32 throughout, or float64 with lbfgs."""
    X, y = data(task)
    mine, theirs = (model.fit(X.astype(np.float32), y) for model in pair(task, **SOLVERS[solver]))
    for a, b in zip(mine.coefs_ + mine.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert a.dtype == b.dtype
        assert solver == "lbfgs" or np.abs(a - b).max() <= 1e-3 * np.abs(b).max()
    assert mine.n_iter_ == theirs.n_iter_
    np.testing.assert_allclose(mine.loss_, theirs.loss_, rtol=0.02 if solver == "lbfgs" else 1e-4)


@pytest.mark.parametrize("task", TASKS)
def test_other_parameters_once_it_is_fitted(task: str) -> None:
    X, y = data(task)
    mine, theirs = (model.fit(X, y).set_params(activation="tanh") for model in pair(task))
    assert_equal(mine, theirs, X)
    mine, theirs = (model.partial_fit(X, y) for model in (mine, theirs))
    assert_equal(mine, theirs, X)
    changed = {"activation": "logistic", "warm_start": True, "solver": "sgd", "learning_rate_init": 1e-3}
    assert_equal(*(model.set_params(**changed).fit(X, y) for model in (mine, theirs)), X)


def test_other_layers_wait_until_the_network_is_built_again() -> None:
    X, y = data("binary")
    mine, theirs = (model.fit(X, y) for model in pair("binary", warm_start=True))
    mine, theirs = (model.set_params(hidden_layer_sizes=(7,)) for model in (mine, theirs))
    np.testing.assert_allclose(mine.predict_proba(X), theirs.predict_proba(X))
    with pytest.warns(UserWarning, match="training continues with the old ones"):
        mine.fit(X, y)
    assert_equal(mine, theirs.fit(X, y), X)
    assert mine.set_params(warm_start=False).fit(X, y).coefs_[0].shape == (8, 7)


def test_every_name_is_there() -> None:
    for name in CLASSES.values():
        mine, theirs = getattr(ganglion.estimators, name), getattr(sklearn.neural_network, name)
        theirs_given, mine_given = (
            list(inspect.signature(kind).parameters.values()) for kind in (theirs, mine)
        )
        for theirs_one, mine_one in zip(theirs_given, mine_given, strict=False):
            assert (mine_one.name, mine_one.kind) == (theirs_one.name, theirs_one.kind)
            assert mine_one.default == theirs_one.default
        assert len(mine_given) > len(theirs_given)
        public = {key for key in dir(theirs) if not key.startswith("_")}
        assert public <= set(dir(mine))
        X, y = data("binary" if name == "MLPClassifier" else "regression")
        for settings in ({}, {"solver": "lbfgs"}, {"early_stopping": True}):
            fitted = [vars(kind(max_iter=3, **settings).fit(X, y)) for kind in (mine, theirs)]
            learned = [{key for key in own if key.endswith("_")} for own in fitted]
            assert learned[1] <= learned[0]
            assert learned[0] - learned[1] <= {"network_", "validation_loss_curve_"}
