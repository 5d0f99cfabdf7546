import dataclasses
import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

import ganglion as gg
from ganglion.answers.advice import advice
from ganglion.answers.calibration import Calibration
from ganglion.answers.held_out import HeldOut
from ganglion.answers.judging import balancing_weights, baseline_frequencies, evaluate, judge
from ganglion.answers.reliability import Reliability
from ganglion.answers.report import Report
from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.answers.thresholds import Objective
from ganglion.core.part import Array
from ganglion.training.history import History

TWO = ClassTarget("t", ("no", "yes"), "text", (0.5, 0.5))


def held_out(outputs: Array, truth: Array, folds: int = 1, **others: Array) -> HeldOut:
    return HeldOut(outputs, truth, np.arange(len(truth)) % folds, **others)


def yes_or_no(rows: int, seed: int, sharp: float = 1.0, shift: float = 0.0, folds: int = 1) -> HeldOut:
    """Rows whose true logit is known; the outputs are too sharp by a factor."""
    random = np.random.default_rng(seed)
    logit = random.normal(shift, 1.5, rows)
    truth = (random.logistic(size=rows) < logit).astype(np.int64)
    p = 1 / (1 + np.exp(-sharp * logit))
    return held_out(np.stack([1 - p, p], 1), truth, folds)


def report_of(held: HeldOut, target: ClassTarget | NumberTarget = TWO, **settings: object) -> Report:
    report = judge(target, None, held, **settings).report  # type: ignore[arg-type]
    assert report is not None
    return report


def test_sharp_probabilities_are_moderated_and_the_report_shows_it() -> None:
    judged = judge(TWO, yes_or_no(2000, 0, sharp=3), yes_or_no(4000, 1, sharp=3))
    raw = report_of(yes_or_no(4000, 1, sharp=3))
    assert judged.calibration.temperature == pytest.approx(3, rel=0.1)
    assert judged.report is not None
    assert judged.report.reliability is not None
    assert raw.reliability is not None
    assert judged.report.reliability.error < 0.03 < 0.1 < raw.reliability.error
    assert judged.report.metrics["log_loss"] < raw.metrics["log_loss"]
    assert judged.report.metrics["accuracy"] == raw.metrics["accuracy"]


def test_folds_are_judged_by_calibrations_that_have_not_seen_them() -> None:
    rows = yes_or_no(1000, 0, sharp=3, folds=5)
    judged = judge(TWO, None, rows)
    assert judged.calibration.temperature == pytest.approx(3, rel=0.2)
    assert judged.report is not None
    assert judged.report.folds == 5
    assert judged.report.reliability is not None
    assert judged.report.reliability.error < 0.06
    by_fold = []
    for fold in range(5):
        part = rows.part(rows.folds == fold)
        by_fold.append((part.outputs.argmax(1) == part.truth).mean())
    assert judged.report.spread["accuracy"] == pytest.approx(np.std(by_fold, ddof=1))
    assert "spread" in str(judged.report)
    # Noise in one fold cannot judge itself: an error seen only there has no influence on its interval.
    target = NumberTarget("y", 0.0, 1.0)
    odd = np.where(np.arange(100) % 5 == 0, 10.0, 0.1)
    report = judge(target, None, held_out(np.zeros((100, 1)), odd, folds=5)).report
    assert report is not None
    assert report.coverage["0.8"] == pytest.approx(0.8)


def test_intervals_hold_what_they_promise_on_test_rows() -> None:
    random, target = np.random.default_rng(0), NumberTarget("y", 100.0, 10.0)
    validation, test = (held_out(np.zeros((n, 1)), random.normal(size=n)) for n in (999, 4000))
    judged = judge(target, validation, test)
    assert judged.calibration.half_width(0.9) == pytest.approx(16.4, rel=0.06)  # 10 * 1.645
    assert judged.report is not None
    assert judged.report.coverage["0.9"] == pytest.approx(0.9, abs=0.025)
    assert "90 % prediction intervals" in str(judged.report)
    # Without validation rows the test rows make intervals, whose coverage nobody has measured.
    alone = judge(target, None, test)
    assert alone.calibration.levels
    assert alone.report is not None
    assert alone.report.coverage == {}
    assert judge(target, None, None).calibration == Calibration()


def test_balanced_probabilities_have_the_true_mean_and_keep_the_choice() -> None:
    shares = (0.99, 0.01)
    target = ClassTarget("t", ("no", "yes"), "text", shares)
    weights = balancing_weights(target)
    assert weights == pytest.approx((1 / 1.98, 1 / 0.02))
    random = np.random.default_rng(0)
    truth = (random.random(50_000) < 0.01).astype(np.int64)
    x = random.normal(size=50_000) + 2 * truth
    evidence = np.exp(2 * x - 2)  # the density of x for yes, divided by that for no
    q = evidence / (1 + evidence)  # what a network learns from balanced classes
    rows = held_out(np.stack([1 - q, q], 1), truth)
    judged = judge(target, None, rows, class_weights=weights)
    p = judged.calibration.probabilities(rows.outputs)[:, 1]
    assert q.mean() > 0.15
    assert p.mean() == pytest.approx(truth.mean(), rel=0.05)
    assert (judged.calibration.decide(np.stack([1 - p, p], 1)) == (q > 0.5)).all()
    assert judged.report is not None
    assert judged.report.metrics["balanced_accuracy"] == pytest.approx(0.84, abs=0.02)
    assert "corrected to the true frequencies" in str(judged.report)


def test_a_threshold_is_chosen_on_validation_rows_and_used() -> None:
    target = ClassTarget("t", ("no", "yes"), "text", (0.9, 0.1))
    validation, test = yes_or_no(3000, 0, shift=-3), yes_or_no(3000, 1, shift=-3)
    plain, tuned = (judge(target, validation, test, objective=o) for o in (None, Objective("f1")))
    assert tuned.calibration.threshold is not None
    assert 0.2 < tuned.calibration.threshold < 0.4
    assert plain.report is not None
    assert tuned.report is not None
    assert tuned.report.metrics["f1"] > plain.report.metrics["f1"]
    assert tuned.report.metrics["log_loss"] == plain.report.metrics["log_loss"]
    assert "chosen for f1" in str(tuned.report)
    # With calibrated probabilities the cheapest threshold is fp / (fp + fn).
    costs = judge(target, yes_or_no(50_000, 0, shift=-3), None, objective=Objective(costs={"fn": 9}))
    assert costs.calibration.threshold == pytest.approx(0.1, abs=0.03)


def test_models_are_compared_by_what_the_threshold_was_chosen_for() -> None:
    target = ClassTarget("t", ("no", "yes"), "text", (0.9, 0.1))
    validation, test = yes_or_no(3000, 0, shift=-3), yes_or_no(3000, 1, shift=-3)
    blurred = [
        dataclasses.replace(part, outputs=part.outputs * 0.2 + np.array([0.75, 0.05]))
        for part in (validation, test)
    ]
    cheap = Objective(costs={"fn": 10})
    report = judge(target, validation, test, blurred[1], linear_validation=blurred[0], objective=cheap).report
    assert report is not None
    (tn, fp), (fn, tp) = report.confusion
    assert report.metrics["mean_cost"] == pytest.approx((10 * fn + fp) / 3000)
    assert report.baseline["mean_cost"] == pytest.approx(
        (tn + fp) / 3000
    )  # it always says yes: 0.1 * 10 > 0.9
    # The same order of the same rows: a threshold of its own finds the same decisions.
    assert report.linear["mean_cost"] == pytest.approx(report.metrics["mean_cost"], rel=0.05)
    low, high = report.intervals["mean_cost"]
    assert low < report.metrics["mean_cost"] < high
    assert "The model is better than the baseline (mean cost" in said(report)
    assert "mean cost" in str(report)
    assert Report.from_dict(report.to_dict()) == report
    again = evaluate(target, test, judge(target, validation, test, objective=cheap).calibration)
    assert again.metrics == report.metrics
    for objective, name in ((Objective("mcc"), "mcc"), (Objective("f1"), "positive_f1")):
        found = judge(target, validation, test, objective=objective).report
        assert found is not None
        (tn, fp), (fn, tp) = found.confusion
        expected = {
            "mcc": (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)),
            "positive_f1": 2 * tp / (2 * tp + fp + fn),
        }[name]
        assert found.main_metric == name
        assert found.metrics[name] == pytest.approx(expected)
    folded = report_of(
        yes_or_no(900, 0, shift=-3, folds=3), target, objective=cheap, linear=blurred[1].part(np.arange(900))
    )
    assert {"mean_cost"} <= set(folded.metrics) & set(folded.linear) & set(folded.spread)


def test_the_baseline_survives_a_class_missing_in_training() -> None:
    target = ClassTarget("t", ("a", "b", "c"), "text", (0.5, 0.5, 0.0))
    np.testing.assert_allclose(baseline_frequencies(target, 100), [50.5 / 101.5, 50.5 / 101.5, 0.5 / 101.5])
    rows = held_out(np.full((40, 3), 1 / 3), np.append(np.arange(39) % 2, 2))
    report = report_of(rows, target, rows=100)
    assert report.baseline["log_loss"] == pytest.approx((39 * np.log(101.5 / 50.5) + np.log(203)) / 40)
    assert report_of(rows, target).baseline["log_loss"] < 1  # 18.38 with a frequency of 0
    whole = ClassTarget("t", ("a", "b"), "text", (0.25, 0.75))
    assert baseline_frequencies(whole, 0).tolist() == [0.25, 0.75]


def test_reliability_equals_scikit_learn() -> None:
    random = np.random.default_rng(0)
    p = random.random(5000)
    truth = (random.random(5000) < p**2).astype(np.int64)
    found = Reliability.measure(np.stack([1 - p, p], 1), truth, np.ones(5000), ["no", "yes"])
    frequency, mean = calibration_curve(truth, p, n_bins=10, strategy="quantile")
    np.testing.assert_allclose([b[0] for b in found.bins], mean, atol=2e-3)
    np.testing.assert_allclose([b[1] for b in found.bins], frequency, atol=5e-3)
    assert found.brier == pytest.approx(brier_score_loss(truth, p))
    assert found.error == pytest.approx(1 / 6, abs=0.02)  # the mean of p - p**2
    constant = Reliability.measure(np.full((100, 2), 0.5), np.arange(100) % 2, np.ones(100), ["a", "b"])
    assert constant.bins == [[0.5, 0.5, 100.0]]
    assert constant.error == 0


def test_weighted_rows_count_as_often_as_repeated_ones() -> None:
    rows = yes_or_no(300, 0)
    times = np.random.default_rng(1).integers(0, 4, 300)
    weighted = report_of(dataclasses.replace(rows, weight=times.astype(float)))
    again = np.repeat(np.arange(300), times)
    repeated = report_of(rows.part(again))
    for name, value in repeated.metrics.items():
        assert weighted.metrics[name] == pytest.approx(value), name
        assert weighted.baseline[name] == pytest.approx(repeated.baseline[name]), name
    assert weighted.reliability is not None
    assert repeated.reliability is not None
    assert weighted.reliability.brier == pytest.approx(repeated.reliability.brier)


def test_reports_come_back_equal_and_old_ones_load() -> None:
    for target, rows in (
        (TWO, yes_or_no(200, 0, folds=3)),
        (NumberTarget("y", 0.0, 1.0), held_out(np.zeros((60, 1)), np.arange(60.0), folds=3)),
    ):
        report = report_of(rows, target, linear=rows)
        assert Report.from_dict(report.to_dict()) == report
        old = dict(list(report.to_dict().items())[:7])
        assert Report.from_dict(old).metrics == report.metrics
        assert "interval" not in str(Report.from_dict(old))
        for name, value in (
            ("intervals", {"r2": [0.0]}),
            ("gains", 3),
            ("folds", 1.5),
            ("linear", {"r2": "x"}),
            ("decision", 3),
            ("objective", 3),
            ("objective", "mcc"),
            ("objective", "speed"),
            ("reliability", {"of": 1}),
            ("unknown", 1),
            ("rows", -1),
            ("rows", True),
            ("units", 2**63),
            ("folds", -1),
            ("spread", {"r2": -0.1}),
            ("coverage", {"0.9": 1.1}),
            ("coverage", {"0.9": math.inf}),
            ("half_widths", {"0.9": -1.0}),
            ("error_quantiles", {"median": -1.0}),
            ("intervals", {"r2": [0.5, 0.4]}),
            ("gains", {"baseline": [0.0, math.inf]}),
            ("metrics", dict.fromkeys(report.metrics, math.inf)),
            ("confusion", [[-1] * len(report.classes)] * len(report.classes) or [[1]]),
        ):
            with pytest.raises(gg.DataError):
                Report.from_dict(report.to_dict() | {name: value})


@pytest.mark.parametrize(
    "change",
    [
        {"of": 1},
        {"error": -0.1},
        {"error": 1.1},
        {"error": 1},
        {"brier": 2.1},
        {"brier": math.nan},
        {"bins": None},
        {"bins": [[0.5, 0.5]]},
        {"bins": [[2.0, 0.5, 1.0]]},
        {"bins": [[0.5, -0.1, 1.0]]},
        {"bins": [[0.5, 0.5, 0.0]]},
        {"bins": [[0.5, 0.5, math.inf]]},
        {"bins": [[1e308, 0.5, 1.0], [0.5, 0.5, 1.0]]},
        {"bins": [[0.5, 1, 1.0]]},
        {"bins": [[0.5, 0.5, 1.0]] * 11},
        {"more": 1},
    ],
)
def test_forged_reliabilities_are_refused(change: dict[str, object]) -> None:
    good = report_of(yes_or_no(200, 0)).to_dict()["reliability"]
    assert str(Reliability.from_dict(good))
    with pytest.raises(gg.DataError, match="reliability"):
        Reliability.from_dict(good | change)


def said(report: Report) -> str:
    return advice(History(), report)


def noisy(rows: int, seed: int, noise: float) -> tuple[HeldOut, HeldOut, NumberTarget]:
    """Numbers, and two kinds of answers for them: with this noise, and the trivial one."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=rows)
    better = held_out(0.5 * truth[:, None] + noise * random.normal(size=(rows, 1)), truth)
    return better, held_out(np.zeros((rows, 1)), truth), NumberTarget("y", 0.0, 1.0)


def test_better_is_said_only_if_chance_is_excluded() -> None:
    random, words = np.random.default_rng(0), []
    for _ in range(60):
        p = random.random(100)
        rows = held_out(np.stack([1 - p, p], 1) * 0.1 + 0.45, random.integers(0, 2, 100))
        words.append(said(report_of(rows)))
    assert sum("is better than" in each or "weak" in each for each in words) <= 5
    assert any("not clearly better than the baseline" in each for each in words)
    assert "The model is better than the baseline (accuracy" in said(report_of(yes_or_no(300, 0)))


def test_copies_do_not_make_chance_look_like_knowledge() -> None:
    random = np.random.default_rng(3)
    truth = (np.arange(25) % 2).repeat(40)
    right = (random.random(25) < 0.6).repeat(40)
    p = np.where(right == (truth == 1), 0.55, 0.45)
    rows = held_out(np.stack([1 - p, p], 1), truth)
    grouped = dataclasses.replace(rows, groups=np.arange(25).repeat(40))
    assert "is better" in said(report_of(rows)) or "weak" in said(report_of(rows))
    assert "not clearly better" in said(report_of(grouped))
    assert "25 independent rows" in str(report_of(grouped))
    few = dataclasses.replace(rows, groups=np.arange(1000) % 10)
    assert "only 10 independent rows" in said(report_of(few))


def test_knowledge_in_the_probabilities_is_no_chance() -> None:
    rows = yes_or_no(4000, 0, shift=-1)
    eager = dataclasses.replace(rows, outputs=rows.outputs * 0.4 + np.array([0.18, 0.42]))
    sentence = said(report_of(eager, ClassTarget("t", ("no", "yes"), "text", (0.75, 0.25))))
    assert "better than the baseline by its probabilities (AUC 0." in sentence
    assert "decisions are no better" in sentence
    assert "--optimize, --cost" in sentence


def test_a_better_linear_model_is_named_before_anything_else() -> None:
    good, poor = yes_or_no(2000, 0), np.random.default_rng(5).random(2000) * 0.02
    bad = dataclasses.replace(good, outputs=np.stack([0.51 - poor, 0.49 + poor], 1))
    sentence = said(report_of(bad, linear=good))
    assert sentence.startswith("A linear model does better (accuracy 0.")
    assert "the baseline has" in sentence
    assert "or more epochs (--epochs)" in sentence  # the history is empty
    # Decisions like the baseline's, but better probabilities.
    target = ClassTarget("t", ("no", "yes"), "text", (0.7, 0.3))
    rare = yes_or_no(2000, 0, shift=-1)
    yes = np.minimum(rare.outputs[:, 1], 0.49)
    linear = dataclasses.replace(rare, outputs=np.stack([1 - yes, yes], 1))
    blind = dataclasses.replace(rare, outputs=np.tile([0.7, 0.3], (2000, 1)))
    sentence = said(report_of(blind, target, linear=linear))
    assert "no better than the baseline (accuracy" in sentence
    assert "a linear model has better probabilities (log loss" in sentence


def test_a_weak_model_is_called_weak() -> None:
    rows, _, target = noisy(5000, 0, noise=0.45)
    report = report_of(rows, target)
    assert report.metrics["r2"] > 0.1
    weak = held_out(rows.outputs * 0.1, rows.truth)
    assert "The model is weak, though better than the baseline" in said(report_of(weak, target))
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 5000)
    p = 0.5 + 0.05 * np.clip(random.normal(size=5000) + 0.3 * truth - 0.15, -5, 5)
    sentence = said(report_of(held_out(np.stack([1 - p, p], 1), truth)))
    assert "weak, though better" in sentence
    assert "AUC 0.5" in sentence


def test_a_linear_model_that_does_as_well_is_named() -> None:
    better, _, target = noisy(2000, 0, noise=0.1)
    worse = held_out(better.outputs + np.random.default_rng(9).normal(0, 0.5, (2000, 1)), better.truth)
    assert "but a linear model does better (R2" in said(report_of(worse, target, linear=better))
    assert "linear" not in said(report_of(better, target, linear=worse))
    same = held_out(better.outputs + np.random.default_rng(9).normal(0, 1e-3, (2000, 1)), better.truth)
    candidates = [
        said(report_of(*pair, linear=other))
        for pair, other in (((same, target), better), ((better, target), same))
    ]
    assert sum("does as well" in each or "does better" in each for each in candidates) == 1
    equal = said(report_of(better, target, linear=better))
    assert "but a linear model does as well (R2" in equal
    assert "try --hidden ''" in equal
    report = report_of(worse, target, linear=better)
    assert report.linear["r2"] > report.metrics["r2"]
    assert "linear" in str(report).splitlines()[0]


def test_new_rows_are_evaluated_with_the_models_threshold() -> None:
    rows = yes_or_no(500, 0)
    always = evaluate(TWO, rows, Calibration(threshold=0.0, purpose="a test"))
    assert [sum(line[i] for line in always.confusion) for i in range(2)] == [0, 500]
    assert "predicts yes from probability 0 on" in str(always)


def test_outputs_that_are_not_finite_are_judged() -> None:
    target = NumberTarget("y", 0.0, 1.0)
    rows = held_out(np.array([[np.inf], [np.nan], [0.0]] * 20), np.arange(60.0))
    report = judge(target, rows, rows).report
    assert report is not None
    assert "no better than the baseline" in said(report)
    assert str(report)
    nothing = held_out(np.full((40, 2), np.nan), np.arange(40) % 2)
    broken = judge(TWO, nothing, yes_or_no(100, 0)).calibration
    assert broken.temperature == 1.0
    assert report_of(nothing).reliability is None
