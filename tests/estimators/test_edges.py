"""Rare, odd and wrong uses of the estimators: the same as in scikit-learn, or one clear message."""

from __future__ import annotations

import copy
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
import sklearn.neural_network
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, KFold, PredefinedSplit

import ganglion as gg
import ganglion.estimators
from ganglion.estimators import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

BOTH = (ganglion.estimators, sklearn.neural_network)
X = np.random.default_rng(0).normal(size=(60, 4))
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
TARGET = X.sum(axis=1)
TWO = np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int)


def classifier(**settings: Any) -> MLPClassifier:
    return MLPClassifier(**{"random_state": 0, "max_iter": 5} | settings)


def regressor(**settings: Any) -> MLPRegressor:
    return MLPRegressor(**{"random_state": 0, "max_iter": 5} | settings)


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(u, v) for u, v in zip(a.coefs_, b.coefs_, strict=True))


# ------------------------------------------------------------------------------------------ parameters


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_layer_sizes": map(int, ["8"])}, "hidden_layer_sizes must be > 0, got <map"),
        ({"hidden_layer_sizes": 50.0}, "whole numbers, such as"),
        ({"hidden_layer_sizes": "50"}, "hidden_layer_sizes must be > 0"),
        ({"hidden_layer_sizes": np.array(5.0)}, "hidden_layer_sizes must be > 0"),
        ({"activation": "Logistic"}, "did you mean 'logistic'"),
        ({"activation": "swish"}, "did you mean 'silu'"),
        ({"solver": 3}, "solver must be a name or a ganglion optimizer, got 3"),
        ({"solver": "adm"}, "did you mean 'adam'"),
        ({"learning_rate": 0.01}, "pass the number as learning_rate_init=0.01"),
        ({"learning_rate": "cosine"}, "gg.CosineDecay"),
        ({"batch_size": None}, "or 'auto'"),
        ({"n_jobs": 10**400}, "n_jobs must be a whole number"),
        ({"n_jobs": "x"}, "n_jobs must be a whole number"),
        ({"engine": np.ones(3)}, "engine must be"),
        ({"label_smoothing": None}, "label_smoothing must be a number >= 0 and < 1, got None"),
        ({"class_weight": [1, 2, 3]}, "class_weight must be a dict"),
        ({"class_weight": "balance"}, "class_weight must be a dict"),
        ({"class_weight": {0: float("nan")}}, "the weight of class 0 must be a number >= 0, got nan"),
        ({"scoring": ["f1_macro", "accuracy"]}, "one scorer"),
        ({"scoring": "nonsense"}, "nonsense"),
        ({"callbacks": 5}, "callbacks must be a list"),
        ({"layers": []}, r"let the last one be gg.Dense\(3, 'softmax'\)"),
        ({"layers": [3]}, "layers must be a list of ganglion layers"),
        ({"validation_data": "abc"}, "or a splitter, got 'abc'"),
        ({"validation_data": KFold}, "or a splitter, got <class"),
        ({"validation_data": [(X, LABELS)]}, "got 1 items"),
        ({"validation_data": (X, None)}, "got None for X or y"),
        ({"validation_data": (X, LABELS + 7)}, "classes not in"),
        ({"validation_data": (X[:, :2], LABELS)}, "2 features"),
        ({"validation_data": (X, LABELS, np.zeros(60))}, "at least one non-zero number"),
        ({"validation_data": PredefinedSplit(-np.ones(60))}, "a splitter that gives a split"),
        ({"validation_data": GroupKFold(3)}, "groups"),
        ({"early_stopping": True, "validation_fraction": 0.0}, "validation_fraction must be > 0"),
        ({"clip_norm": 1.0, "solver": "lbfgs"}, "clip_norm=1.0 has no effect with lbfgs"),
        ({"validation_data": (X, LABELS), "solver": "lbfgs"}, "has no effect with lbfgs"),
        ({"learning_rate": gg.StepDecay(0.1), "solver": "lbfgs"}, "has no effect with lbfgs"),
        ({"hidden_dropout": 0.1, "solver": "lbfgs"}, "its loss must be the same in every step"),
        ({"average": 0.9, "solver": gg.AdamW()}, "average=0.9 has no effect next to an optimizer"),
        ({"learning_rate": gg.StepDecay(0.1), "solver": gg.AdamW()}, "pass it to gg.AdamW"),
        (
            {"layers": [gg.Dense(3, "softmax")], "activation": "tanh"},
            "activation='tanh' has no effect next to layers",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_refused_says_why_and_leaves_what_was_learned(settings: dict[str, Any], message: str) -> None:
    model = classifier().fit(X, LABELS)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        copy.copy(model).set_params(**settings).fit(X, LABELS)
    np.testing.assert_array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "mse"}, "did you mean 'squared_error'"),
        ({"loss": "log_cosh"}, r"gg.LogCosh\(\)"),
        ({"loss": (50,)}, "hidden_layer_sizes is the second"),
        ({"quantile": 0.9}, "quantile=0.9 has no effect without loss='quantile'"),
        ({"loss": gg.Poisson()}, "poisson needs y >= 0, got -"),
        ({"loss": gg.BinaryCrossEntropy()}, "binary_cross_entropy needs targets from 0 to 1"),
        ({"loss": gg.CrossEntropy()}, "one output for each class"),
        ({"validation_data": (X, np.stack([TARGET, TARGET], axis=1))}, "must have 1 targets for each row"),
        ({"validation_data": (X, TARGET * np.nan)}, "y of validation_data must be finite|contains NaN"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_a_regressor_refuses(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        regressor(**settings).fit(X, TARGET)


@pytest.mark.parametrize("name", ["sgd", "adam", "lbfgs"])
def test_a_solver_is_the_same_by_any_spelling(name: str) -> None:
    spelled = gg.Optimizer.known[name].__name__
    assert same(classifier(solver=spelled).fit(X, LABELS), classifier(solver=name).fit(X, LABELS))
    assert hasattr(classifier(solver=spelled), "partial_fit") == (name != "lbfgs")
    assert hasattr(classifier(solver=gg.Optimizer.find(name)), "partial_fit") == (name != "lbfgs")


def test_own_layers_start_differently_each_time_from_a_generator() -> None:
    layers = [gg.Dense(5, "tanh"), gg.Dense(3, "softmax")]
    chance = np.random.RandomState(0)
    starts = [classifier(layers=layers, random_state=chance).initialize(X, LABELS) for _ in range(2)]
    assert not same(*starts)
    assert same(*(classifier(layers=layers).initialize(X, LABELS) for _ in range(2)))


# ------------------------------------------------------------------------------------------------ data


def test_targets_of_odd_kinds() -> None:
    for y in (TARGET.astype(str), np.arange(60).astype("datetime64[D]")):
        with pytest.raises(ValueError, match="y must hold numbers"):
            regressor().fit(X, y)
    both = np.stack([TARGET, -TARGET], axis=1)
    assert same(regressor().fit(X, sparse.csr_array(both)), regressor().fit(X, both))
    assert same(regressor().fit(X, TARGET.astype(object)), regressor().fit(X, TARGET))
    assert regressor(loss=gg.Hinge()).fit(X, TARGET > 0).loss_ > 0
    with pytest.raises(ValueError, match="y must fit float32"):
        regressor().fit(X.astype(np.float32), TARGET * 1e39)


def test_weights_that_leave_nothing() -> None:
    with pytest.raises(ValueError, match="must not add up to 0"):
        regressor().fit(X, TARGET, np.repeat([1.0, -1.0], 30))
    with pytest.raises(ValueError, match="at least one non-zero number"):
        regressor(early_stopping=True, validation_fraction=0.3).fit(X, TARGET, np.eye(60)[0])


def test_training_continues_only_where_it_can() -> None:
    model = regressor(warm_start=True).fit(X, TARGET)
    with pytest.raises(ValueError, match="must have 1 targets for each row"):
        model.fit(X, np.stack([TARGET, TARGET], axis=1))
    with pytest.raises(ValueError, match="needs the output exp, the network was built with identity"):
        model.set_params(loss="poisson").fit(X, np.abs(TARGET))
    single = classifier(warm_start=True).fit(X.astype(np.float32), LABELS)
    assert single.coefs_[0].dtype == np.float32
    assert single.set_params(solver="lbfgs").fit(X.astype(np.float32), LABELS).coefs_[0].dtype == np.float64


def test_predicting_does_not_mind_parameters_that_fit_would_refuse() -> None:
    for settings in (
        {"hidden_layer_sizes": -3},
        {"hidden_layer_sizes": (3, 3)},
        {"activation": ["tanh", "relu"]},
    ):
        model = classifier().fit(X, LABELS)
        before = model.predict(X)
        np.testing.assert_array_equal(model.set_params(**settings).predict(X), before)
    for module in BOTH:
        model = module.MLPRegressor(max_iter=3).fit(X, TARGET)
        with sklearn.config_context(assume_finite=True):
            assert np.isnan(model.predict(X * np.nan)).all()


def test_weights_set_by_hand() -> None:
    for module in BOTH:
        model = module.MLPRegressor()
        model.coefs_, model.intercepts_ = [np.ones((4, 1))], [np.full(1, 2.0)]
        model.n_layers_, model.out_activation_ = 2, "identity"
        np.testing.assert_allclose(model.predict(X), TARGET + 2)


# ------------------------------------------------------------------------------------------ validation


def test_class_weights_apply_to_validation_rows_too() -> None:
    fold, weights = np.where(np.arange(60) < 40, -1, 0), {0: 1.0, 1: 5.0, 2: 0.2}
    settings = {"class_weight": weights, "shuffle": False}
    split = classifier(validation_data=PredefinedSplit(fold), **settings).fit(X, LABELS)
    given = classifier(validation_data=(X[40:], LABELS[40:]), **settings).fit(X[:40], LABELS[:40])
    assert split.validation_scores_ == given.validation_scores_
    np.testing.assert_allclose(split.validation_loss_curve_, given.validation_loss_curve_)


def test_weights_of_classes_with_several_labels() -> None:
    of_labels = [{0: 1.0, 1: 3.0}, {0: 1.0, 1: 2.0}]
    rows = np.where(TWO[:, 0], 3.0, 1.0) * np.where(TWO[:, 1], 2.0, 1.0)
    assert same(classifier(class_weight=of_labels).fit(X, TWO), classifier().fit(X, TWO, sample_weight=rows))
    classifier(class_weight="balanced").fit(X, sparse.csr_array(TWO))
    with pytest.raises(ValueError, match="a list of one dict for each of 2 labels"):
        classifier(class_weight={0: 1.0, 1: 3.0}).fit(X, TWO)
    with pytest.raises(ValueError, match="needs all rows at once"):
        classifier(class_weight="balanced").partial_fit(X, LABELS, classes=[0, 1, 2])


@pytest.mark.parametrize("scoring", [lambda model, X, y: 0.5, "max_error"])
def test_a_scorer_need_not_take_weights(scoring: Any) -> None:
    scoring = "neg_max_error" if scoring == "max_error" else scoring
    model = regressor(early_stopping=True, scoring=scoring).fit(X, TARGET, np.ones(60))
    assert len(model.validation_scores_) == model.n_iter_


@pytest.mark.parametrize("score", [None, np.ones(2), "good"])
def test_a_score_is_a_number(score: Any) -> None:
    with pytest.raises(ValueError, match="scoring must give one number"):
        regressor(early_stopping=True, scoring=lambda *_: score).fit(X, TARGET)


def test_callbacks_know_which_way_the_score_is_better() -> None:
    settings = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.01, "max_iter": 60}
    settings |= {"validation_data": (X, LABELS)}
    stop = gg.EarlyStopping(5, monitor="score")
    model = classifier(callbacks=[stop], **settings).fit(X, LABELS)
    assert model.score(X, LABELS) == max(model.validation_scores_) > model.validation_scores_[0]
    reached = classifier(callbacks=[gg.TargetReached(0.7, "score")], **settings).fit(X, LABELS)
    assert reached.validation_scores_[-1] >= 0.7 > max(reached.validation_scores_[:-1])


# ------------------------------------------------------------------------------------------------ runs


def test_the_learning_rate_where_scikit_learn_has_it() -> None:
    for solver in ("adam", "sgd"):
        mine, theirs = (
            module.MLPClassifier(solver=solver, random_state=0, max_iter=7).fit(X, LABELS) for module in BOTH
        )
        np.testing.assert_allclose(mine._optimizer.learning_rate, theirs._optimizer.learning_rate)
    plateau = classifier(solver="sgd", learning_rate=gg.ReduceOnPlateau(0.1)).fit(X, LABELS)
    assert plateau._optimizer.learning_rate == 0.1


@pytest.mark.parametrize("rate", ["constant", "invscaling", "adaptive"])
def test_an_optimizer_of_ones_own_keeps_its_schedule(rate: str) -> None:
    solver = gg.SGD(gg.ReduceOnPlateau(0.1))
    settings = {"tol": 0.5, "n_iter_no_change": 2, "max_iter": 20}
    model = classifier(solver=solver, learning_rate=rate, **settings).fit(X, LABELS)
    assert same(model, classifier(solver=solver, **settings).fit(X, LABELS))


def wild(seed: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(80, 5))
    return rows * scale, chance.poisson(np.exp(np.clip(2 * rows[:, 0], None, 5)))


@pytest.mark.parametrize(("seed", "scale", "units"), [(1, 10, (6,)), (0, 100, (100,))])
def test_lbfgs_does_not_take_overflow_for_convergence(
    seed: int, scale: float, units: tuple[int, ...]
) -> None:
    model = MLPRegressor("poisson", units, solver="lbfgs", random_state=0)
    with pytest.warns(ConvergenceWarning, match="could get no further"):
        model.fit(*wild(seed, scale))
    assert all(np.isfinite(weights).all() for weights in model.coefs_)


@pytest.mark.parametrize(
    ("kind", "rows", "y"),
    [(MLPClassifier, X * 1e155, LABELS), (MLPRegressor, X * 1e100, TARGET), (MLPRegressor, *wild(1, 500))],
)
def test_lbfgs_ends_where_the_first_loss_is_not_finite(kind: Any, rows: np.ndarray, y: np.ndarray) -> None:
    settings = {"loss": "poisson"} if y.dtype == int and kind is MLPRegressor else {}
    model = kind(solver="lbfgs", random_state=0, **settings)
    with pytest.raises(ValueError, match=r"Solver produced non-finite.*the inputs or targets are unscaled"):
        model.fit(rows, y)
    assert all(np.isfinite(weights).all() for weights in model.coefs_)


@pytest.mark.parametrize("units", [(), (5,)])
def test_lbfgs_compares_the_whole_deviance(units: tuple[int, ...]) -> None:
    for seed in range(4):
        chance = np.random.default_rng(seed)
        rows = chance.normal(size=(80, 5))
        y = chance.poisson(np.exp(np.clip(rows[:, 0] + 3, None, 5)))
        weight = chance.uniform(size=80)
        mine, theirs = (
            module.MLPRegressor("poisson", units, "tanh", solver="lbfgs", random_state=seed, max_iter=30)
            for module in BOTH
        )
        mine.fit(rows, y, weight)
        theirs.fit(rows, y, weight)
        assert mine.n_iter_ == theirs.n_iter_
        np.testing.assert_allclose(mine.coefs_[0], theirs.coefs_[0], rtol=1e-5, atol=1e-8)


def test_a_run_that_ends_within_its_first_epoch() -> None:
    rows = np.random.default_rng(0).normal(size=(100_000, 20))
    with pytest.warns(ConvergenceWarning, match="max_seconds=1e-05 reached"):
        model = regressor(max_seconds=1e-5, batch_size=20).fit(rows, rows[:, 0])
    assert np.isnan(model.loss_)
    assert np.isfinite(model.predict(rows[:5])).all()


def test_losses_are_numbers_of_numpy() -> None:
    model = regressor().fit(X, TARGET)
    assert all(isinstance(v, np.float64) for v in (model.loss_, model.best_loss_, *model.loss_curve_))


def test_an_interruption_with_another_handler() -> None:
    def answer(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    class Interrupt(gg.Callback):
        def on_epoch_end(self, training: Any) -> None:
            if training.history.epochs == 3:
                signal.raise_signal(signal.SIGINT)

    assert threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, answer)
    try:
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            model = classifier(max_iter=50, callbacks=[Interrupt()]).fit(X, LABELS)
    finally:
        signal.signal(signal.SIGINT, before)
    assert model.n_iter_ == 3


# ---------------------------------------------------------------------------------------- there and back


@pytest.mark.parametrize("change", [{"loss": "squared_error"}, {"hidden_layer_sizes": (9,)}])
def test_what_was_learned_counts_not_what_the_parameters_say(change: dict[str, Any]) -> None:
    theirs = sklearn.neural_network.MLPRegressor("poisson", (5,), random_state=0).fit(X, np.abs(TARGET))
    mine = MLPRegressor.from_sklearn(theirs.set_params(**change))
    np.testing.assert_allclose(mine.predict(X), theirs.predict(X), rtol=1e-12)


def test_there_and_back_with_a_loss_of_ones_own() -> None:
    model = regressor(loss=gg.Poisson(), hidden_layer_sizes=(5,)).fit(X, np.abs(TARGET))
    with pytest.warns(gg.GanglionNotice, match="does not have this loss"):
        back = MLPRegressor.from_sklearn(model.to_sklearn())
    np.testing.assert_allclose(back.predict(X), model.predict(X), rtol=1e-12)


def test_scikit_learns_estimator_can_continue() -> None:
    early = classifier(early_stopping=True, warm_start=True).fit(X, LABELS)
    assert early.to_sklearn().fit(X, LABELS).n_iter_ > 0
    for settings in ({}, {"early_stopping": True}):
        built = classifier(**settings).initialize(X, LABELS).to_sklearn()
        assert built.set_params(warm_start=True).fit(X, LABELS).n_iter_ > 0
    classifier().initialize(X, LABELS).to_sklearn().partial_fit(X, LABELS)


def test_an_activation_that_has_only_the_name_is_not_taken_for_another() -> None:
    class Twice(gg.Activation):
        name = "tanh"

        def forward(self, z: Any) -> Any:
            return 2 * z

        def backward(self, grad_a: Any, z: Any, a: Any) -> Any:
            return 2 * grad_a

    model = regressor(activation=Twice(), engine="reference").fit(X, TARGET)
    with pytest.raises(ValueError, match="scikit-learn does not have all of the activations"):
        model.to_sklearn()


# --------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_each_layer_has_names_of_its_own(container: str) -> None:
    pytest.importorskip(container)
    model = classifier(hidden_layer_sizes=(6, 2)).fit(X, LABELS).set_output(transform=container)
    units = [f"mlpclassifier{number}" for number in range(6)]
    inputs = ["x0", "x1", "x2", "x3"]
    for layer, names in ((-2, units[:2]), (-1, units[:3]), (0, inputs), (1, units), (np.int64(2), units[:2])):
        assert list(model.transform(X, layer=layer).columns) == names
    with sklearn.config_context(transform_output=container):
        assert list(classifier().fit(X, LABELS).transform(X, layer=-1).columns) == units[:3]


def test_activations_of_the_inputs_are_a_copy() -> None:
    model = classifier().fit(X, LABELS)
    model.transform(X, layer=0)[:] = 0
    assert X.any()
    assert isinstance(model.transform(sparse.csr_array(X), layer=0), np.ndarray)


def test_an_estimator_mapped_from_a_file_can_train(tmp_path: Path) -> None:
    model = classifier(average=0.9).fit(X, LABELS)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert same(mapped.partial_fit(X, LABELS), model.partial_fit(X, LABELS))


def test_the_health_of_a_regressor_of_counts() -> None:
    model = regressor(loss="poisson", max_iter=30).fit(X, np.abs(TARGET))
    assert model.network_.health(X, np.abs(TARGET)).findings is not None


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    def without(call: Callable[[], Any]) -> Any:
        for name in [name for name in sys.modules if name.startswith(("sklearn", "ganglion.estimators"))]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "sklearn", None)
        return call()

    with pytest.raises(gg.MissingPackageError, match=r"pip install 'ganglion\[sklearn\]'"):
        without(lambda: __import__("ganglion.estimators"))
