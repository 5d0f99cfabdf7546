"""The estimators in scikit-learn's machinery, compared with its own where there are numbers to compare."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import sklearn
import sklearn.neural_network
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import BaggingClassifier, StackingRegressor, VotingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, scale

import ganglion.estimators
from ganglion.estimators import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_breast_cancer(return_X_y=True)
X = scale(X)
BOTH = (ganglion.estimators, sklearn.neural_network)


def agree(make: Any) -> Any:
    """Return what ganglion's module gives, after comparing it with what scikit-learn's gives."""
    mine, theirs = (make(module) for module in BOTH)
    np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-9)
    return mine


def test_pipeline_and_cross_validation() -> None:
    def scores(module: Any) -> Any:
        model = make_pipeline(StandardScaler(), module.MLPClassifier((20,), max_iter=30, random_state=0))
        return cross_val_score(model, X, Y, cv=4, scoring="roc_auc")

    assert agree(scores).min() > 0.9


@pytest.mark.parametrize("jobs", [1, 2])
def test_grid_search(jobs: int) -> None:
    def scores(module: Any) -> Any:
        model = module.MLPClassifier(max_iter=15, random_state=0)
        settings = {"alpha": [0.001, 1.0], "hidden_layer_sizes": [(5,), (10, 5)], "solver": ["adam", "lbfgs"]}
        found = GridSearchCV(model, settings, cv=3, n_jobs=jobs).fit(X, Y)
        return found.cv_results_["mean_test_score"]

    agree(scores)


def test_calibration_and_importance() -> None:
    def probabilities(module: Any) -> Any:
        model = module.MLPClassifier((10,), max_iter=20, random_state=0)
        return CalibratedClassifierCV(model, cv=3).fit(X, Y).predict_proba(X)

    def importances(module: Any) -> Any:
        model = module.MLPRegressor(hidden_layer_sizes=(10,), max_iter=50, random_state=0).fit(X, X[:, 0])
        return permutation_importance(model, X, X[:, 0], n_repeats=2, random_state=0).importances

    agree(probabilities)
    assert agree(importances).max() > 0.05


def test_ensembles_and_many_outputs() -> None:
    rows, target = load_diabetes(return_X_y=True)
    target = scale(target)

    def vote(module: Any) -> Any:
        model = module.MLPClassifier((5,), max_iter=20, random_state=0)
        voting = VotingClassifier([("a", model), ("b", LogisticRegression())], voting="soft").fit(X, Y)
        return [voting.score(X, Y), BaggingClassifier(model, 3, random_state=0).fit(X, Y).score(X, Y)]

    def stack(module: Any) -> Any:
        model = module.MLPRegressor(hidden_layer_sizes=(5,), max_iter=30, random_state=0)
        stacked = StackingRegressor([("a", model)], cv=3).fit(rows, target)
        several = MultiOutputRegressor(model).fit(rows, np.stack([target, -target], axis=1))
        return [stacked.score(rows, target), several.score(rows, np.stack([target, -target], axis=1))]

    agree(vote)
    agree(stack)


def test_frames_with_words_and_names_of_outputs() -> None:
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    frame = pd.DataFrame({"size": X[:, 0], "kind": np.where(X[:, 1] > 0, "rough", "fine"), "y": Y})

    def probabilities(module: Any) -> Any:
        columns = ColumnTransformer([("n", StandardScaler(), ["size"]), ("w", OneHotEncoder(), ["kind"])])
        model = make_pipeline(columns, module.MLPClassifier((5,), max_iter=20, random_state=0))
        return model.fit(frame[["size", "kind"]], frame["y"]).predict_proba(frame[["size", "kind"]])

    agree(probabilities)
    numbers = frame[["size", "y"]]
    model = MLPClassifier((3,), max_iter=5, random_state=0).set_output(transform="pandas").fit(numbers, Y)
    assert list(model.feature_names_in_) == ["size", "y"]
    hidden = model.transform(numbers)
    assert isinstance(hidden, pd.DataFrame)
    assert list(hidden.columns) == ["mlpclassifier0", "mlpclassifier1", "mlpclassifier2"]
    assert isinstance(model.set_output(transform="polars").transform(numbers), pl.DataFrame)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(numbers.to_numpy())
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(numbers.rename(columns={"y": "z"}))


def test_a_network_in_the_middle_of_a_pipeline_makes_features() -> None:
    model = make_pipeline(
        MLPRegressor(hidden_layer_sizes=(6,), max_iter=20, random_state=0), LogisticRegression()
    )
    assert model.fit(X, Y).score(X, Y) > 0.9


def test_metadata_routing() -> None:
    weight = np.where(Y == 1, 3.0, 0.5)
    with sklearn.config_context(enable_metadata_routing=True):

        def probabilities(module: Any) -> Any:
            model = module.MLPClassifier((5,), max_iter=20, random_state=0).set_fit_request(
                sample_weight=True
            )
            scaler = StandardScaler().set_fit_request(sample_weight=False)
            pipeline = make_pipeline(scaler, model)
            return pipeline.fit(X, Y, sample_weight=weight).predict_proba(X)

        agree(probabilities)
        MLPClassifier().set_partial_fit_request(classes=True, sample_weight=True)
        MLPRegressor().set_score_request(sample_weight=True)


def test_clones_and_settings() -> None:
    model = MLPClassifier((5,), "tanh", alpha=3, hidden_dropout=0.1, random_state=3)
    assert clone(model).get_params() == model.get_params()
    assert "hidden_dropout=0.1" in repr(model)
    with pytest.raises(ValueError, match="Invalid parameter 'dropout'"):
        model.set_params(dropout=0.1)


def test_a_class_derived_from_it_has_parameters_of_its_own() -> None:
    def accuracy(module: Any) -> Any:
        class Narrow(module.MLPClassifier):  # type: ignore[misc]
            def __init__(self, width: int = 4, alpha: float = 0.01, random_state: int | None = None) -> None:
                super().__init__(alpha=alpha, random_state=random_state, max_iter=20)
                self.width = width

            def fit(self, X: Any, y: Any) -> Any:
                self.hidden_layer_sizes = (self.width,)
                return super().fit(X, y)

        assert sorted(Narrow().get_params()) == ["alpha", "random_state", "width"]
        search = GridSearchCV(Narrow(random_state=0), {"width": [2, 6]}, cv=3).fit(X, Y)
        return search.cv_results_["mean_test_score"]

    agree(accuracy)


JOBS = """
import os, threading
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from ganglion.engines import thread_count
from ganglion.estimators import MLPClassifier

def work(seed):
    X, y = load_digits(return_X_y=True)
    MLPClassifier(max_iter=5, random_state=seed).fit(X, y)
    return thread_count(), len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 0

if __name__ == "__main__":
    print(thread_count(), Parallel(n_jobs=2)(delayed(work)(seed) for seed in range(4)))
"""


def test_parallel_jobs_share_the_processors(tmp_path: Any) -> None:
    """joblib gives each of two jobs half of the processors."""
    (tmp_path / "jobs.py").write_text(JOBS)
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_THREADS")}
    command = [sys.executable, "-W", "ignore", str(tmp_path / "jobs.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    alone, _, rest = done.stdout.partition(" ")
    threads = [count for count, _ in eval(rest)]
    assert max(threads) == max(1, (os.cpu_count() or 1) // 2)
    assert int(alone) >= max(threads)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_dask_cluster() -> None:
    distributed = pytest.importorskip("distributed")
    import joblib

    model = MLPClassifier(max_iter=15, random_state=0)
    settings = {"alpha": [0.001, 1.0], "hidden_layer_sizes": [(5,), (10,)]}
    alone = GridSearchCV(model, settings, cv=3).fit(X, Y)
    cluster = distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None)
    with cluster, distributed.Client(cluster), joblib.parallel_config(backend="dask"):
        together = GridSearchCV(model, settings, cv=3).fit(X, Y)
    np.testing.assert_array_equal(
        together.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    assert together.best_params_ == alone.best_params_
