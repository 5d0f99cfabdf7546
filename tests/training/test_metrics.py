import math

import numpy as np
import pytest

from ganglion.core.losses import Answers
from ganglion.training.metrics import METRICS

A = np.array([[0.7, 0.2, 0.1], [0.3, 0.4, 0.3], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7]])
Y = np.eye(3)[[0, 1, 1, 2]]


def test_metrics_worked_by_hand() -> None:
    measure = {name: metric.measure for name, metric in METRICS.items()}
    assert measure["accuracy"](A, Y, None, "one_of") == 0.75
    assert measure["accuracy"](A, Y, np.array([1, 1, 2, 0]), "one_of") == 0.5
    assert measure["balanced_accuracy"](A, Y, None, "one_of") == pytest.approx((1 + 0.5 + 1) / 3)
    assert measure["log_loss"](A, Y, None, "one_of") == pytest.approx(-math.log(0.7 * 0.4 * 0.4 * 0.7) / 4)
    assert measure["f1"](A, Y, None, "one_of") == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert measure["auc"](A, Y, None, "one_of") == 1
    a, y = np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [3.0], [2.0]])
    assert measure["mae"](a, y, None, "number") == 1
    assert measure["rmse"](a, y, None, "number") == pytest.approx(math.sqrt(5 / 3))
    assert measure["r2"](a, y, None, "number") == pytest.approx(1 - 5 / 2)
    assert math.isnan(measure["r2"](a, np.ones((3, 1)), None, "number"))


def test_yes_or_no_answers() -> None:
    accuracy = METRICS["accuracy"].measure
    assert accuracy(np.array([[0.4], [0.6]]), np.array([[0.0], [0.0]]), None, "yes_no") == 0.5
    assert accuracy(np.array([[-0.2], [0.2]]), np.array([[-1.0], [1.0]]), None, "sign") == 1
    assert accuracy(np.array([[0.2]]), np.array([[1.0]]), None, "sign") == 1
    several = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    a = np.array([[0.9, 0.8, 0.7], [0.1, 0.1, 0.1]])
    assert accuracy(a, several, None, "yes_no") == pytest.approx(5 / 6)
    one_each = np.eye(2)  # rows that happen to sum to 1 are still two questions each
    assert accuracy(np.array([[0.9, 0.8], [0.1, 0.7]]), one_each, None, "yes_no") == 0.75


def test_a_class_of_weight_0_counts_for_nothing() -> None:
    for name in ("balanced_accuracy", "f1", "auc"):
        weight = np.array([1.0, 0.0, 0.0, 1.0])
        assert METRICS[name].measure(A, Y, weight, "one_of") == 1


def test_metrics_equal_scikit_learn() -> None:
    from sklearn import metrics

    chance = np.random.default_rng(0)
    a, labels, weight = chance.dirichlet([1, 1, 1], 50), chance.integers(0, 3, 50), chance.random(50)
    y = np.eye(3)[labels]
    answers = a.argmax(axis=1)
    pairs = {
        "accuracy": metrics.accuracy_score(labels, answers, sample_weight=weight),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, answers, sample_weight=weight),
        "f1": metrics.f1_score(labels, answers, sample_weight=weight, average="macro"),
        "auc": np.mean([metrics.roc_auc_score(labels == k, a[:, k], sample_weight=weight) for k in range(3)]),
        "log_loss": metrics.log_loss(labels, a, sample_weight=weight),
        "mae": metrics.mean_absolute_error(y, a, sample_weight=weight),
        "rmse": math.sqrt(metrics.mean_squared_error(y, a, sample_weight=weight)),
        "r2": metrics.r2_score(y, a, sample_weight=weight),
    }
    assert set(pairs) == set(METRICS)
    for name, expected in pairs.items():
        kind: Answers = (
            "one_of" if name in ("accuracy", "balanced_accuracy", "f1", "auc", "log_loss") else "number"
        )
        assert METRICS[name].measure(a, y, weight, kind) == pytest.approx(expected, rel=1e-12)
