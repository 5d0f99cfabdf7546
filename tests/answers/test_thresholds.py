import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, matthews_corrcoef

import ganglion as gg
from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.answers.thresholds import METRICS, Objective, choose_threshold

TARGET = ClassTarget("t", ("no", "yes"), "text", (0.9, 0.1))


def test_costs_by_hand() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.6])
    truth = np.array([False, True, False, False, True])
    ones = np.ones(5)
    # From 0.15 on: no positive missed, 2 false alarms. From 0.5 on: 1 missed, no false alarm.
    assert choose_threshold(scores, truth, ones, Objective(costs={"fn": 3, "fp": 1})) == pytest.approx(0.15)
    assert choose_threshold(scores, truth, ones, Objective(costs={"fn": 1, "fp": 1})) == pytest.approx(0.5)
    assert choose_threshold(scores, truth, ones, Objective("accuracy")) == pytest.approx(0.5)
    heavy = np.array([1, 5.0, 1, 1, 1])
    assert choose_threshold(scores, truth, heavy, Objective("accuracy")) == pytest.approx(0.15)


@pytest.mark.parametrize("metric", METRICS)
def test_no_threshold_is_better(metric: str) -> None:
    random = np.random.default_rng(0)
    truth = random.random(300) < 0.2
    scores = np.clip(random.normal(0.3, 0.15, 300) + 0.15 * truth, 0, 1)
    oracle = {
        "accuracy": lambda y, p: float((y == p).mean()),
        "balanced_accuracy": balanced_accuracy_score,
        "f1": f1_score,
        "mcc": matthews_corrcoef,
    }[metric]
    chosen = choose_threshold(scores, truth, np.ones(300), Objective(metric))
    best = max(oracle(truth, scores >= t) for t in scores)
    assert oracle(truth, scores >= chosen) == pytest.approx(best)


def test_the_positive_class_is_the_rarer_one_unless_named() -> None:
    assert Objective("f1").positive_class(TARGET) == 1
    assert Objective("f1", positive="no").positive_class(TARGET) == 0
    assert (
        Objective("f1", positive=True).positive_class(ClassTarget("t", (False, True), "boolean", (0.2, 0.8)))
        == 1
    )
    with pytest.raises(gg.ConfigError, match="one of the classes .*got 'maybe'"):
        Objective("f1", positive="maybe").positive_class(TARGET)
    three = ClassTarget("t", ("a", "b", "c"), "text", (0.5, 0.3, 0.2))
    with pytest.raises(gg.ConfigError, match="two classes, and 't' is 3 classes"):
        Objective("f1").positive_class(three)
    with pytest.raises(gg.ConfigError, match="'t' is a number"):
        Objective("f1").positive_class(NumberTarget("t", 0.0, 1.0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": "f2"}, "optimize must be .*f1"),
        ({"metric": 1}, "optimize must be"),
        ({"costs": {"miss": 1}}, "'fn' .*'fp'"),
        ({"costs": {"fn": 0}}, "cost fn must be a number > 0"),
        ({"metric": "f1", "costs": {"fn": 1}}, "not for both"),
        ({}, "not for neither"),
    ],
)
def test_wrong_objectives_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(gg.ConfigError, match=message):
        Objective(**settings)  # type: ignore[arg-type]
