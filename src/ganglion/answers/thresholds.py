"""The decision threshold for two classes: the probability from which the positive class is predicted.

To add a metric, write it as a function of the sums of weights of true and false positives and negatives, and
add it to `METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.checks import check_number
from ganglion.core.part import Array
from ganglion.errors import ConfigError, one_of, shortened

Counts = Callable[[Array, Array, Array, Array], Array]

MEAN_COST, POSITIVE_F1 = "mean_cost", "positive_f1"


def _ratio(part: Array, whole: Array) -> Array:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0)


def _accuracy(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    return (tp + tn) / (tp + fp + fn + tn)


def _balanced_accuracy(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    return (_ratio(tp, tp + fn) + _ratio(tn, tn + fp)) / 2


def _f1(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    return _ratio(2 * tp, 2 * tp + fp + fn)


def _mcc(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    return _ratio(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


METRICS: dict[str, Counts] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "mcc": _mcc,
}


@dataclass(frozen=True)
class Objective:
    """What a threshold is chosen for: the largest metric, or the smallest cost.

    Args:
        metric: "accuracy", "balanced_accuracy", "f1" (of the positive class) or "mcc" (Matthews'
            correlation coefficient); None with costs.
        costs: the cost of a false negative, "fn", and of a false positive, "fp"; 1 if left out.
        positive: the label of the positive class; by default the rarer one.

    Raises:
        ConfigError: for an unknown metric or cost, or unless there is either a metric or costs.
    """

    metric: str | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    positive: object = None

    def __post_init__(self) -> None:
        if self.metric is not None and (not isinstance(self.metric, str) or self.metric not in METRICS):
            raise ConfigError(
                f"optimize must be {', '.join(METRICS)}, got {shortened(self.metric)}",
                one_of(str(self.metric), METRICS),
            )
        if not isinstance(self.costs, Mapping) or not set(self.costs) <= {"fn", "fp"}:
            raise ConfigError(
                f"costs must be given for 'fn' (false negatives) and 'fp' (false positives), got "
                f"{shortened(self.costs)}",
                "such as costs={'fn': 10, 'fp': 1}, on the command line --cost fn=10",
            )
        for name, cost in self.costs.items():
            check_number(f"the cost {name}", cost, above=0)
        if bool(self.costs) == (self.metric is not None):
            raise ConfigError(
                "a threshold must be chosen for a metric or for costs, not for "
                + ("both" if self.costs else "neither"),
                "give either optimize or costs",
            )

    def positive_class(self, target: ClassTarget | NumberTarget) -> int:
        """Return the number of the positive class.

        Raises:
            ConfigError: unless the target has two classes, and the label is one of them.
        """
        if not isinstance(target, ClassTarget) or len(target.classes) != 2:
            what = f"{len(target.classes)} classes" if isinstance(target, ClassTarget) else "a number"
            raise ConfigError(
                f"a threshold needs a target with two classes, and {target.column!r} is {what}",
                "leave out optimize, costs and positive",
            )
        if self.positive is None:
            return rarer(target.shares)
        labels = [target.label(0), target.label(1)]
        wanted = str(self.positive)
        wanted = wanted.lower() if isinstance(self.positive, bool) else wanted
        if wanted not in labels:
            raise ConfigError(
                f"positive must be one of the classes of {target.column!r}, {labels}, got {self.positive!r}"
            )
        return labels.index(wanted)

    @property
    def name(self) -> str:
        """The name of what is optimized in a report; its F1 is the mean over classes, this one is not."""
        return {None: MEAN_COST, "f1": POSITIVE_F1}.get(self.metric, str(self.metric))

    def score(self, tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
        """Return what to maximize, given sums of weights."""
        if self.metric is not None:
            return METRICS[self.metric](tp, fp, fn, tn)
        return -(self.costs.get("fn", 1.0) * fn + self.costs.get("fp", 1.0) * fp)

    def measure(self, tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
        """Return what a report shows: the metric, or the mean cost of a row."""
        found = self.score(tp, fp, fn, tn)
        return found if self.metric is not None else -found / (tp + fp + fn + tn)

    def describe(self) -> str:
        """Return the objective in words."""
        if self.metric is not None:
            return self.metric.replace("_", " ")
        fn, fp = (self.costs.get(name, 1.0) for name in ("fn", "fp"))
        return f"costs {fn:g} for a false negative and {fp:g} for a false positive"


def rarer(shares: Sequence[float]) -> int:
    """Return the number of the rarer of two classes, the second if both are equally frequent."""
    return int(len(shares) == 2 and shares[1] <= shares[0])


def make_objective(
    optimize: str | None, costs: Mapping[str, float] | None, positive: object
) -> Objective | None:
    """Return the objective that a user's settings describe, None without a metric and costs."""
    if optimize is None and not costs:
        if positive is not None:
            raise ConfigError(
                f"positive has no effect without a threshold, got {positive!r}",
                "give optimize or costs too (--optimize f1, --cost fn=10)",
            )
        if costs is None:
            return None
    return Objective(optimize, {} if costs is None else costs, positive)


def choose_threshold(scores: Array, truth: Array, weights: Array, objective: Objective) -> float:
    """Return the threshold with the best value of the objective.

    It lies halfway between two neighboring scores; of equally good ones, it is the one in the middle.

    Args:
        scores: the probability of the positive class, (n,).
        truth: whether the row is positive, (n,).
        weights: of the rows, (n,).
        objective: what to maximize.
    """
    distinct, place = np.unique(scores, return_inverse=True)
    positive = np.bincount(place, weights * truth, len(distinct))
    negative = np.bincount(place, weights * ~truth, len(distinct))
    # Candidate i predicts positive from distinct[i] on; the last one never does.
    tp = np.append(np.cumsum(positive[::-1])[::-1], 0.0)
    fp = np.append(np.cumsum(negative[::-1])[::-1], 0.0)
    values = objective.score(tp, fp, positive.sum() - tp, negative.sum() - fp)
    best = np.flatnonzero(values >= values.max() - 1e-12 * max(1.0, abs(float(values.max()))))
    edges = np.concatenate([[0.0], (distinct[1:] + distinct[:-1]) / 2, [1.0]])
    return float(edges[best[len(best) // 2]])
