"""What ganglion's estimators have beyond scikit-learn's."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.neural_network
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import ShuffleSplit, StratifiedKFold
from sklearn.preprocessing import LabelBinarizer, scale

import ganglion as gg
from ganglion.core import rows as core_rows
from ganglion.estimators import MLPClassifier, MLPRegressor, prediction
from ganglion.estimators.classifier import binarizer_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
X = scale(X)
SPLIT = np.random.default_rng(0).permutation(len(X))
LEARN, TEST = SPLIT[:100], SPLIT[100:]
NUMBERS, TARGET = X[:, :3], X[:, 3]


def classifier(**settings: Any) -> MLPClassifier:
    return MLPClassifier(**{"random_state": 0, "learning_rate_init": 0.01, "max_iter": 60} | settings)


def regressor(**settings: Any) -> MLPRegressor:
    return MLPRegressor(**{"random_state": 0, "learning_rate_init": 0.01, "max_iter": 100} | settings)


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(u, v) for u, v in zip(a.coefs_, b.coefs_, strict=True))


# ------------------------------------------------------------------------------------------- networks


def test_an_activation_for_each_layer_or_one_for_all() -> None:
    listed = classifier(hidden_layer_sizes=(8, 6), activation=["logistic", "logistic"]).fit(X, Y)
    assert same(listed, classifier(hidden_layer_sizes=(8, 6), activation="logistic").fit(X, Y))
    mixed = classifier(hidden_layer_sizes=(8, 6), activation=[gg.LeakyReLU(0.2), "gelu"]).fit(X, Y)
    assert [layer.activation.name for layer in mixed.network_.layers] == ["leaky_relu", "gelu", "softmax"]
    assert mixed.score(X, Y) > 0.9
    with pytest.raises(ValueError, match="one for each of 2 hidden layers, got 1"):
        classifier(hidden_layer_sizes=(8, 6), activation=["tanh"]).fit(X, Y)
    with pytest.raises(ValueError, match="rleu"):
        classifier(activation="rleu").fit(X, Y)


@pytest.mark.parametrize(
    "name", sorted(set(gg.Activation.known) - {"softmax", "log_softmax", "exp", "sections"})
)
def test_every_activation_learns(name: str) -> None:
    assert classifier(activation=name, max_iter=150).fit(X, Y).score(X, Y) > 0.85


def test_dropout_drops_while_learning_only_and_starts_from_the_same_weights() -> None:
    plain, dropped = classifier().initialize(X, Y), classifier(hidden_dropout=0.5).initialize(X, Y)
    assert same(plain, dropped)
    plain.partial_fit(X, Y)
    dropped.partial_fit(X, Y)
    assert not same(plain, dropped)
    np.testing.assert_array_equal(dropped.predict_proba(X), dropped.predict_proba(X))
    by_layer = classifier(hidden_layer_sizes=(9, 8), hidden_dropout=[0.2, 0.0]).fit(X, Y)
    assert [layer.name for layer in by_layer.network_.layers] == ["dense", "dropout", "dense", "dense"]
    assert same(by_layer, classifier(hidden_layer_sizes=(9, 8), hidden_dropout=[0.2, 0.0]).fit(X, Y))
    with pytest.raises(ValueError, match="hidden_dropout must be a number >= 0 and < 1, got 1"):
        classifier(hidden_dropout=1).fit(X, Y)


def test_batch_normalization_stands_between_weights_and_activation() -> None:
    model = classifier(hidden_layer_sizes=8, batch_normalization=True, batch_size=32).fit(X, Y)
    names = [layer.name for layer in model.network_.layers]
    assert names == ["dense", "batch_normalization", "activate", "dense"]
    assert model.score(X, Y) > 0.9
    assert same(model, pickle.loads(pickle.dumps(model)))


def test_a_full_list_of_layers() -> None:
    layers = [gg.Dense(12, "relu"), gg.LayerNormalization(), gg.Dropout(0.1), gg.Dense(3, "softmax")]
    model = classifier(layers=layers, max_iter=100).fit(X, Y)
    assert model.network_.layers == tuple(layers)
    assert model.score(X, Y) > 0.9
    assert [weight.shape for weight in model.coefs_] == [(4, 12), (12, 3)]
    assert model.n_layers_ == 3
    assert same(model, classifier(layers=layers, max_iter=100).fit(X, Y))
    assert not same(model, classifier(layers=layers, max_iter=100, random_state=1).fit(X, Y))
    with pytest.raises(ValueError, match=r"let the last one be gg.Dense\(3, 'softmax'\)"):
        classifier(layers=[gg.Dense(12, "relu")]).fit(X, Y)
    with pytest.raises(ValueError, match="softmax"):
        classifier(layers=[gg.Dense(3, "relu")]).fit(X, Y)


# --------------------------------------------------------------------------------------------- losses


def test_class_weights_are_sample_weights() -> None:
    few = np.concatenate([np.flatnonzero(Y < 2), np.flatnonzero(Y == 2)[:8]])
    weights = {0: 1.0, 1: 0.5, 2: 7.0}
    by_class = classifier(class_weight=weights).fit(X[few], Y[few])
    by_row = classifier().fit(X[few], Y[few], sample_weight=[weights[label] for label in Y[few]])
    assert same(by_class, by_row)
    both = classifier(class_weight=weights).fit(X[few], Y[few], sample_weight=np.full(len(few), 2.0))
    np.testing.assert_allclose(
        both.coefs_[0], classifier(alpha=0.00005, class_weight=weights).fit(X[few], Y[few]).coefs_[0]
    )
    recall = [
        classifier(class_weight=kind, max_iter=15).fit(X[few], Y[few]).predict(X[Y == 2]).mean()
        for kind in (None, "balanced")
    ]
    assert recall[1] > recall[0]


def test_losses_of_the_regressor() -> None:
    noisy = TARGET.copy()
    noisy[::10] += 30
    errors = {}
    for loss in ("squared_error", "absolute_error", "huber"):
        errors[loss] = np.abs(
            regressor(loss=loss, max_iter=300).fit(NUMBERS, noisy).predict(NUMBERS) - TARGET
        ).mean()
    assert errors["absolute_error"] < 0.3 * errors["squared_error"]
    assert errors["huber"] < 0.3 * errors["squared_error"]
    for quantile in (0.1, 0.9):
        model = regressor(loss="quantile", quantile=quantile, max_iter=300).fit(NUMBERS, TARGET)
        assert np.mean(model.predict(NUMBERS) >= TARGET) == pytest.approx(quantile, abs=0.08)
    own = regressor(loss=gg.Huber(0.1), max_iter=300).fit(NUMBERS, TARGET)
    assert own.score(NUMBERS, TARGET) > 0.9
    with pytest.raises(ValueError, match="did you mean 'huber'"):
        regressor(loss="hubert").fit(NUMBERS, TARGET)


def test_label_smoothing_keeps_probabilities_from_the_ends() -> None:
    sharp, smooth = (
        classifier(label_smoothing=smoothing, max_iter=400).fit(X, Y).predict_proba(X).max()
        for smoothing in (0.0, 0.3)
    )
    assert sharp > 0.99
    assert 0.75 < smooth < 0.9


# ------------------------------------------------------------------------------------------ optimizers


@pytest.mark.parametrize("name", sorted(gg.Optimizer.known))
def test_every_optimizer_by_name_and_as_an_object(name: str) -> None:
    rate = {"adagrad": 0.1, "sgd": 0.1}.get(name, 0.005)
    model = classifier(solver=name, learning_rate_init=rate, max_iter=200).fit(X, Y)
    assert model.score(X, Y) > 0.9
    kind = gg.Optimizer.known[name]
    as_object = classifier(solver=kind() if name == "lbfgs" else kind(rate), max_iter=200).fit(X, Y)
    assert as_object.score(X, Y) > 0.9
    if name in ("rmsprop", "adagrad", "lion", "adamw"):
        assert same(model, as_object)


def test_schedules_clipping_and_averages_are_those_of_the_core() -> None:
    schedule = gg.CosineDecay(0.05, epochs=60)
    model = classifier(solver="sgd", learning_rate=schedule, clip_norm=0.1, average=0.9, momentum=0).fit(X, Y)
    optimizer = gg.SGD(schedule, clip_norm=0.1, average=0.9)
    assert same(model, classifier(solver=optimizer).fit(X, Y))
    assert model.network_.history.learning_rate[-1] < 0.001
    plain = classifier(solver="sgd", learning_rate=schedule, momentum=0).fit(X, Y)
    assert not same(model, plain)
    adaptive = classifier(solver="rmsprop", learning_rate="adaptive", tol=0.1, n_iter_no_change=2).fit(X, Y)
    assert adaptive.network_.history.learning_rate[-1] < 0.01


# ------------------------------------------------------------------------------------------ validation


def test_validation_on_rows_of_ones_own() -> None:
    model = classifier(validation_data=(X[TEST], Y[TEST]), max_iter=40).fit(X[LEARN], Y[LEARN])
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == model.n_iter_ == 40
    assert model.validation_scores_[-1] == model.score(X[TEST], Y[TEST])
    assert model.validation_loss_curve_[-1] == pytest.approx(log_loss(Y[TEST], model.predict_proba(X[TEST])))
    assert same(model, classifier(max_iter=40).fit(X[LEARN], Y[LEARN]))  # measuring changes nothing
    weight = np.linspace(0, 1, len(TEST))
    weighted = classifier(validation_data=(X[TEST], Y[TEST], weight), max_iter=40).fit(X[LEARN], Y[LEARN])
    assert weighted.validation_scores_[-1] == weighted.score(X[TEST], Y[TEST], weight)
    for wrong in (X[TEST], (X[TEST],), (X[TEST], Y[LEARN]), (X[TEST][:, :2], Y[TEST])):
        with pytest.raises(ValueError, match=r"validation_data|inconsistent numbers|features"):
            classifier(validation_data=wrong).fit(X[LEARN], Y[LEARN])


def test_validation_by_a_splitter_and_the_best_weights() -> None:
    splitter = StratifiedKFold(5, shuffle=True, random_state=0)
    model = classifier(early_stopping=True, validation_data=splitter, max_iter=300).fit(X, Y)
    learn, held_out = next(splitter.split(X, Y))
    assert (
        model.best_validation_score_ == model.score(X[held_out], Y[held_out]) == max(model.validation_scores_)
    )
    assert model.n_iter_ < 300
    by_hand = classifier(early_stopping=True, validation_data=(X[held_out], Y[held_out]), max_iter=300)
    assert same(model, by_hand.fit(X[learn], Y[learn]))
    last = classifier(early_stopping=True, validation_data=splitter, restore_best=False, max_iter=300).fit(
        X, Y
    )
    assert last.validation_scores_ == model.validation_scores_
    assert last.score(X[held_out], Y[held_out]) == last.validation_scores_[-1]


def test_the_validation_loss_of_a_regressor_is_that_of_its_loss() -> None:
    y = np.abs(np.stack([TARGET, NUMBERS[:, 0]], axis=1))
    for loss, reported in (
        ("squared_error", lambda p: 0.5 * ((p - y[TEST]) ** 2).mean()),
        ("absolute_error", lambda p: np.abs(p - y[TEST]).mean()),
        ("poisson", lambda p: (y[TEST] * np.log(y[TEST] / p) - y[TEST] + p).sum(axis=1).mean()),
    ):
        model = regressor(loss=loss, validation_data=(NUMBERS[TEST], y[TEST]), max_iter=5)
        model.fit(NUMBERS[LEARN], y[LEARN])
        assert model.validation_loss_curve_[-1] == pytest.approx(reported(model.predict(NUMBERS[TEST])))


def test_the_best_weights_by_the_training_loss() -> None:
    settings = {"solver": "sgd", "learning_rate_init": 1.5, "momentum": 0.9, "batch_size": 10}
    model = classifier(**settings, restore_best=True, callbacks=[gg.Callback()], max_iter=30).fit(X, Y)
    best = int(np.argmin(model.loss_curve_)) + 1
    again = classifier(**settings, max_iter=best).fit(X, Y)
    assert best < 30
    assert same(model, again)


@pytest.mark.parametrize("scoring", ["neg_log_loss", "f1_macro", lambda model, X, y: -len(model.loss_curve_)])
@pytest.mark.parametrize("average", [None, 0.9])
def test_any_scorer(scoring: Any, average: float | None) -> None:
    from sklearn.metrics import get_scorer

    settings = {"scoring": scoring, "average": average, "max_iter": 25, "n_iter_no_change": 30}
    model = classifier(early_stopping=True, validation_data=ShuffleSplit(1, random_state=0), **settings).fit(
        X, Y
    )
    _, held_out = next(ShuffleSplit(1, random_state=0).split(X))
    if isinstance(scoring, str):
        assert max(model.validation_scores_) == get_scorer(scoring)(model, X[held_out], Y[held_out])
    else:
        assert model.validation_scores_ == [-float(n) for n in range(25)]


def test_a_scorer_does_not_mind_names_of_columns() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = classifier(early_stopping=True, scoring="f1_macro", max_iter=5).fit(frame, Y)
    assert len(model.validation_scores_) == 5
    assert "_skips_names" not in vars(model)


# ------------------------------------------------------------------------------------------------ runs


class StopAt(gg.Callback):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, training: Any) -> None:
        if training.history.epochs == self.epoch:
            training.stop("it was enough")


def test_callbacks_and_time() -> None:
    assert classifier(callbacks=[StopAt(7)]).fit(X, Y).n_iter_ == 7
    begun = time.perf_counter()
    model = classifier(max_iter=10**6, n_iter_no_change=10**6, max_seconds=0.3).fit(X, Y)
    assert time.perf_counter() - begun < 60  # a bound against hanging
    assert 1 < model.n_iter_ < 10**6
    assert "0.3 seconds" in model.network_.history.stopped_because
    with pytest.raises(ValueError, match="callbacks"):
        classifier(callbacks=["stop"]).fit(X, Y)


def test_an_interrupted_run_keeps_the_best_so_far() -> None:
    def interrupt() -> None:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    model = classifier(max_iter=10**6, n_iter_no_change=10**6, early_stopping=True)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, Y)
    thread.join()
    assert 1 < model.n_iter_ < 10**6
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(X, Y) > 0.5


def test_what_is_not_finite_ends_the_run_and_keeps_the_last_finite_weights() -> None:
    model = regressor(solver="sgd", learning_rate_init=900.0, activation="identity")
    with pytest.raises(
        ValueError, match=r"Solver produced non-finite parameter weights.*no longer finite in epoch"
    ):
        model.fit(NUMBERS, TARGET)
    assert all(np.isfinite(weight).all() for weight in model.coefs_)
    kept = regressor(solver="sgd", learning_rate_init=900.0, activation="identity", early_stopping=True)
    with pytest.warns(ConvergenceWarning, match="no longer finite"):
        kept.fit(NUMBERS, TARGET)
    assert np.isfinite(kept.predict(NUMBERS)).all()


def test_a_batch_without_weight_is_skipped() -> None:
    weight = np.ones(len(X))
    weight[:20] = 0
    model = classifier(shuffle=False, batch_size=10, max_iter=3, alpha=0).fit(X, Y, sample_weight=weight)
    rest = classifier(shuffle=False, batch_size=10, max_iter=3, alpha=0).fit(X[20:], Y[20:])
    np.testing.assert_allclose(model.coefs_[0], rest.coefs_[0], rtol=1e-12)
    with pytest.raises(ValueError, match="at least one non-zero number"):
        classifier().fit(X, Y, sample_weight=np.zeros(len(X)))


def test_poisson_refuses_negative_counts() -> None:
    with pytest.raises(ValueError, match="poisson needs y >= 0, got -"):
        regressor(loss="poisson").fit(NUMBERS, TARGET)


def test_threads_engines_and_types() -> None:
    big = np.random.default_rng(0).normal(size=(2000, 30))
    target = big[:, 0] > 0
    models = [classifier(n_jobs=jobs, max_iter=3).fit(big, target) for jobs in (None, 1, 2, -1)]
    assert all(same(models[0], model) for model in models[1:])
    reference = classifier(engine="reference", max_iter=3).fit(big, target)
    assert reference.network_.engine == "reference"
    np.testing.assert_allclose(reference.coefs_[0], models[0].coefs_[0], rtol=1e-9)
    single = classifier(dtype="float32", max_iter=3).fit(big, target)
    assert single.coefs_[0].dtype == single.predict_proba(big).dtype == np.float32
    assert same(single, classifier(max_iter=3).fit(big.astype(np.float32), target))
    for wrong in ({"n_jobs": 0}, {"dtype": "int8"}, {"engine": "warp"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            classifier(**wrong).fit(X, Y)


# ------------------------------------------------------------------------------------------- attributes


def test_transform_gives_the_activations_of_a_layer() -> None:
    model = classifier(hidden_layer_sizes=(7, 5), hidden_dropout=0.2, batch_normalization=True).fit(X, Y)
    assert model.transform(X).shape == (150, 5)
    assert list(model.get_feature_names_out()) == [f"mlpclassifier{i}" for i in range(5)]
    np.testing.assert_array_equal(model.transform(X, layer=-1), model.predict_proba(X))
    np.testing.assert_array_equal(model.transform(X, layer=0), X)
    assert model.transform(X, layer=1).shape == (150, 7)
    hidden, weight, bias = model.transform(X), model.coefs_[-1], model.intercepts_[-1]
    z = hidden @ weight + bias
    probabilities = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, model.predict_proba(X))
    for wrong in (4, -5, "last", True):
        with pytest.raises(ValueError, match="layer must be a whole number from -4 to 3"):
            model.transform(X, layer=wrong)


def test_the_network_can_be_traced_checked_and_saved(tmp_path: Path) -> None:
    model = classifier().fit(X, Y)
    np.testing.assert_allclose(model.network_.trace(X[0]).layers[-1].a[0], model.predict_proba(X[:1])[0])
    assert model.network_.health(X, Y).findings is not None
    for fitted in (model, classifier(solver="sgd", learning_rate="adaptive").fit(X, Y)):
        fitted.network_.save(tmp_path / "model.safetensors")
        loaded = gg.Network.load(tmp_path / "model.safetensors")
        np.testing.assert_array_equal(loaded.predict(X), fitted.predict_proba(X))


def test_initialize_builds_what_training_starts_from() -> None:
    model = classifier(warm_start=True).initialize(X, Y)
    assert model.n_iter_ == 0
    assert model.predict(X).shape == Y.shape
    assert same(model.partial_fit(X, Y), classifier(random_state=0).initialize(X, Y).partial_fit(X, Y))
    regressor().initialize(NUMBERS, TARGET).predict(NUMBERS)


def test_weights_are_live_and_can_be_replaced() -> None:
    model, other = classifier().fit(X, Y), classifier(random_state=1).fit(X, Y)
    model.coefs_ = [(a + b) / 2 for a, b in zip(model.coefs_, other.coefs_, strict=True)]
    model.intercepts_[0][:] = 0
    hidden = np.maximum(X @ model.coefs_[0], 0)
    np.testing.assert_allclose(model.transform(X), hidden)
    before = model.coefs_[0]
    model.partial_fit(X, Y)
    assert model.coefs_[0] is before
    model.coefs_[0] = np.zeros((9, 9))
    with pytest.raises(ValueError, match="must keep the shapes"):
        model.predict(X)


@pytest.mark.parametrize("make", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_is_independent_and_continues_alike(make: Any) -> None:
    model = classifier(average=0.9).fit(X, Y)
    model.partial_fit(X, Y)
    copied = make(model)
    assert same(copied.partial_fit(X, Y), model.partial_fit(X, Y))
    copied.coefs_[0][:] = 0
    assert model.coefs_[0].any()


def test_a_file_of_version_0_1_can_be_loaded() -> None:
    model = classifier(solver="sgd", learning_rate="adaptive").fit(X, Y)
    now = pickle.dumps(model, protocol=0)
    before = now.replace(b"AdjustableRate", b"HeldRate")
    assert before != now
    assert same(pickle.loads(before).partial_fit(X, Y), model.partial_fit(X, Y))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_models_carry_over_to_scikit_learn_and_back(solver: str) -> None:
    counts = np.random.default_rng(0).poisson(2, len(X))
    words = np.array(["a", "b", "c"])[Y]
    cases = [
        (sklearn.neural_network.MLPClassifier, MLPClassifier, words, {}),
        (sklearn.neural_network.MLPClassifier, MLPClassifier, words == "a", {"activation": "logistic"}),
        (sklearn.neural_network.MLPClassifier, MLPClassifier, np.eye(3, dtype=int)[Y], {}),
        (sklearn.neural_network.MLPRegressor, MLPRegressor, X[:, :2], {"hidden_layer_sizes": ()}),
        (
            sklearn.neural_network.MLPRegressor,
            MLPRegressor,
            counts,
            {"loss": "poisson", "activation": "tanh"},
        ),
    ]
    for theirs, mine, y, settings in cases:
        fitted = theirs(random_state=0, solver=solver, max_iter=20, **settings).fit(X, y)
        taken = mine.from_sklearn(fitted)
        given = taken.to_sklearn()
        for model in (taken, given):
            np.testing.assert_allclose(
                model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X),
                fitted.predict_proba(X) if hasattr(fitted, "predict_proba") else fitted.predict(X),
                rtol=1e-12,
                atol=1e-15,
            )
            np.testing.assert_array_equal(
                model.predict(X) if mine is MLPClassifier else model.n_iter_,
                fitted.predict(X) if mine is MLPClassifier else fitted.n_iter_,
            )
            assert model.loss_ == fitted.loss_
        assert {
            k: v for k, v in taken.get_params().items() if k in fitted.get_params()
        } == fitted.get_params()
        if solver != "lbfgs":
            taken.partial_fit(X, y)
            given.partial_fit(X, y)
            np.testing.assert_allclose(taken.coefs_[0], given.coefs_[0], rtol=1e-9)


def test_what_scikit_learn_does_not_have_is_refused_or_left_out() -> None:
    model = classifier(hidden_layer_sizes=(8, 8), hidden_dropout=0.2, solver="rmsprop").fit(X, Y)
    with pytest.warns(gg.GanglionNotice, match="does not have this hidden_dropout, solver"):
        given = model.to_sklearn()
    assert given.solver == "adam"
    np.testing.assert_allclose(given.predict_proba(X), model.predict_proba(X), rtol=1e-12)
    for settings in ({"activation": "gelu"}, {"batch_normalization": True}, {"activation": ["tanh", "relu"]}):
        with pytest.raises(ValueError, match="scikit-learn"):
            classifier(hidden_layer_sizes=(8, 8), **settings).fit(X, Y).to_sklearn()
    with pytest.raises(NotFittedError):
        classifier().to_sklearn()
    for wrong in (model, sklearn.neural_network.MLPClassifier(), sklearn.neural_network.MLPRegressor()):
        with pytest.raises(ValueError, match="needs a fitted"):
            MLPClassifier.from_sklearn(wrong)


# ----------------------------------------------------------------------------------------------- sparse


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_large_sparse_inputs_are_made_dense_a_piece_at_a_time(
    solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, labels = load_breast_cancer(return_X_y=True)
    rows = np.where(np.abs(rows := scale(rows)) > 0.5, rows, 0)
    settings = {"solver": solver, "max_iter": 5, "early_stopping": True, "batch_size": 50}
    whole = classifier(**settings).fit(rows, labels)
    for module in (core_rows, prediction):
        monkeypatch.setattr(module, "NUMBERS_AT_ONCE", 30 * 120)
    for kind in (sparse.csr_array, sparse.csc_matrix):
        pieces = classifier(**settings).fit(kind(rows), labels)
        for a, b in zip(pieces.coefs_, whole.coefs_, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9)
        np.testing.assert_allclose(pieces.predict_proba(kind(rows)), whole.predict_proba(rows), rtol=1e-9)
        np.testing.assert_allclose(pieces.transform(kind(rows)), whole.transform(rows), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "y",
    [
        [1, 0, 1],
        np.array([2, 7, 7, -1]),
        np.array([True, False]),
        np.array([5, 5, 5]),
        np.array([0, 1, 200, 3], dtype=np.uint8),
        np.array([1.0, 2.0, 0.0]),
        np.array(["b", "a", "b"]),
        np.array(["b", "a"], dtype=object),
        np.array([[0, 1], [1, 1]]),
        sparse.csr_array(np.array([[0, 1], [1, 1]])),
    ],
)
def test_labels_are_understood_as_by_scikit_learn(y: Any) -> None:
    mine, theirs = vars(binarizer_of(y)), vars(LabelBinarizer().fit(y))
    assert mine.keys() == theirs.keys()
    assert mine.pop("classes_").tolist() == theirs["classes_"].tolist()
    assert mine == {name: value for name, value in theirs.items() if name != "classes_"}
    assert vars(binarizer_of(y))["classes_"].dtype == theirs["classes_"].dtype
