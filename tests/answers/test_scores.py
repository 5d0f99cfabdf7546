import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ganglion.answers.held_out import HeldOut
from ganglion.answers.scores import (
    CLASSIFICATION,
    REGRESSION,
    Resampling,
    auc_influence,
    class_scores,
    interval,
    intervals_of,
    number_scores,
    wilson,
)
from ganglion.core.part import Array
from ganglion.training.metrics import METRICS


def rows_of(truth: Array, weight: Array | None = None, groups: Array | None = None) -> HeldOut:
    n = len(truth)
    return HeldOut(np.zeros((n, 1)), truth, np.zeros(n, dtype=np.int64), weight, groups)


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [60, 5000])
def test_scores_equal_the_metrics(classes: int, weighted: bool, rows: int) -> None:
    random = np.random.default_rng(classes)
    p = random.dirichlet(np.ones(classes), rows).round(2) + 1e-3
    truth = random.integers(0, classes, rows)
    weight = random.random(rows) if weighted else None
    resampling = Resampling.of(rows_of(truth, weight), repeats=3)
    weights = np.ones(rows) if weight is None else weight
    found = class_scores(resampling, p, p.argmax(axis=1), truth, weights)
    for name in CLASSIFICATION:
        expected = METRICS[name].measure(p, np.eye(classes)[truth], weight, "one_of")
        assert found[name][0] == pytest.approx(expected), name
        assert len(found[name]) == 4
    y, estimates = random.normal(5, 2, rows), random.normal(5, 2, rows)
    numbers = number_scores(resampling, estimates, y, weights)
    for name in REGRESSION:
        expected = METRICS[name].measure(estimates[:, None], y[:, None], weight, "number")
        assert numbers[name][0] == pytest.approx(expected), name


def test_resampled_tables_are_tables() -> None:
    """A line of counts stands for the table in which each row occurs so often."""
    random = np.random.default_rng(0)
    p, truth = random.dirichlet(np.ones(3), 40), random.integers(0, 3, 40)
    resampling = Resampling.of(rows_of(truth), repeats=5)
    found = class_scores(resampling, p, p.argmax(axis=1), truth, np.ones(40))
    for line in range(1, 6):
        drawn = np.repeat(np.arange(40), resampling.counts[line].astype(int))
        assert len(drawn) == 40
        for name in ("accuracy", "balanced_accuracy", "f1", "log_loss"):
            expected = METRICS[name].measure(p[drawn], np.eye(3)[truth[drawn]], None, "one_of")
            assert found[name][line] == pytest.approx(expected), name


def test_groups_are_resampled_as_a_whole() -> None:
    groups = np.repeat(np.arange(10), 50)
    alike = Resampling.of(rows_of(groups, groups=groups))
    assert alike.counts.shape == (1001, 10)
    assert alike.effective == pytest.approx(10)
    right = (groups < 6).astype(float)
    wide = interval(alike.sums(right) / 500)
    narrow = interval(Resampling.of(rows_of(groups)).sums(right) / 500)
    assert wide is not None
    assert narrow is not None
    assert wide[1] - wide[0] > 5 * (narrow[1] - narrow[0])


def test_the_auc_and_its_spread() -> None:
    random = np.random.default_rng(0)
    truth = (random.random(400) < 0.3).astype(np.int64)
    scores = (random.normal(size=400) + truth).round(1)
    p = np.stack([-scores, scores], 1)
    area, influence = auc_influence(p, truth, np.ones(400))
    assert area == pytest.approx(roc_auc_score(truth, scores))
    assert influence.mean() == pytest.approx(0, abs=1e-12)
    drawn = random.integers(0, 400, (500, 400))
    plain = np.std([roc_auc_score(truth[rows], scores[rows]) for rows in drawn])
    assert np.std(influence) / 20 == pytest.approx(plain, rel=0.1)


def test_intervals_contain_the_truth_as_often_as_they_say() -> None:
    covered = {"accuracy": 0, "log_loss": 0, "auc": 0, "r2": 0}
    for seed in range(200):
        random = np.random.default_rng(seed)
        positive = random.random(150) < 0.5
        scores = random.normal(size=150) + np.where(positive, 0.5, -0.5)
        p = 1 / (1 + np.exp(-scores))
        truth, probabilities = positive.astype(np.int64), np.stack([1 - p, p], 1)
        resampling = Resampling.of(rows_of(truth), seed)
        found = class_scores(resampling, probabilities, (p > 0.5).astype(np.int64), truth, np.ones(150))
        x = random.normal(size=150)
        found |= number_scores(resampling, x, x + random.normal(size=150), np.ones(150))
        intervals = intervals_of(found, resampling.effective)
        # normal(0.5) > 0; the mean of log(1 + exp(-v)) for v normal(0.5, 1); normal(1 / sqrt(2)); 1 - 1/2
        expected = {"accuracy": 0.69146, "log_loss": 0.57268, "auc": 0.76025, "r2": 0.5}
        for name in covered:
            covered[name] += intervals[name][0] <= expected[name] <= intervals[name][1]
    assert all(0.9 <= count / 200 <= 0.99 for count in covered.values()), covered


def test_wilson_by_hand() -> None:
    # The textbook's case: 10 of 10 successes give [0.722, 1].
    assert wilson(1.0, 10) == pytest.approx([0.7225, 1.0], abs=1e-4)
    assert wilson(0.5, 100) == pytest.approx([0.4038, 0.5962], abs=1e-4)


def test_a_score_that_cannot_vary_has_no_interval() -> None:
    truth = np.arange(40) % 2
    p = np.eye(2)[truth]
    scores = class_scores(Resampling.of(rows_of(truth)), p, truth, truth, np.ones(40))
    assert set(intervals_of(scores, 40)) == {"accuracy"}


def test_many_rows_cost_little() -> None:
    random = np.random.default_rng(0)
    p, truth = random.dirichlet(np.ones(2), 10_000), random.integers(0, 2, 10_000)
    best = np.inf
    for _ in range(5):
        start = time.process_time()
        resampling = Resampling.of(rows_of(truth))
        class_scores(resampling, p, p.argmax(axis=1), truth, np.ones(10_000))
        best = min(best, time.process_time() - start)
    assert best < 0.3  # 0.06 s on an idle machine
