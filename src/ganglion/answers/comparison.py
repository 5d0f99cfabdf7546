"""A comparison: what several learners reach on the same rows."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ganglion.answers.report import metric_figure, metric_label
from ganglion.errors import amount

LARGE = 100  # spreads from here on are whole numbers


@dataclass(frozen=True)
class Comparison:
    """What several learners reach on the same folds of a table.

    Attributes:
        target: the column predicted.
        rows: the number of rows, each of which was held out once.
        metrics: for each learner by name its metrics, with a number for each fold: "log_loss", "accuracy"
            and "calibration_error", or "rmse" and "r2". The first metric ranks the learners.
        seconds: for each learner the seconds to learn each fold.
        absent: the packages of learners that are not installed.
        failed: the learners that could not learn the table, each with the reason.
    """

    target: str
    rows: int
    metrics: Mapping[str, Mapping[str, Sequence[float]]]
    seconds: Mapping[str, Sequence[float]]
    absent: Sequence[str] = ()
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """The metric by which learners are ranked, which should be low."""
        return next(iter(next(iter(self.metrics.values()))))

    @property
    def ranking(self) -> list[str]:
        """The learners, the best first."""
        return sorted(self.metrics, key=lambda name: statistics.fmean(self.metrics[name][self.metric]))

    def to_facts(self) -> dict[str, Any]:
        """Return everything as plain JSON data."""
        return {
            "target": self.target,
            "rows": self.rows,
            "ranking": self.ranking,
            "metrics": {
                name: {metric: list(values) for metric, values in own.items()}
                for name, own in self.metrics.items()
            },
            "seconds": {name: list(values) for name, values in self.seconds.items()},
            "absent": list(self.absent),
            "failed": dict(self.failed),
        }

    def __str__(self) -> str:
        names = self.ranking
        first = self.metrics[names[0]]
        folds = len(first[self.metric])
        width = max(len(name) for name in (*names, *self.failed)) + 2
        heads = "".join(f"{metric_label(metric):>20}" for metric in first)
        lines = [
            f"{self.target}, {amount(self.rows, 'row')}: mean ± spread over {amount(folds, 'fold')}",
            "",
            f"{'':<{width}}{heads}{'seconds a fold':>18}",
        ]
        for name in names:
            cells = [_mean_and_spread(metric, values) for metric, values in self.metrics[name].items()]
            seconds = f"{statistics.fmean(self.seconds[name]):.2g}"
            lines.append(f"{name:<{width}}" + "".join(f"{cell:>20}" for cell in cells) + f"{seconds:>18}")
        lines += [f"{name:<{width}}  failed: {reason}" for name, reason in self.failed.items()]
        lines += ["", self.verdict]
        if self.absent:
            lines.append(f"not installed: {', '.join(self.absent)} (pip install {' '.join(self.absent)})")
        return "\n".join(lines)

    @property
    def verdict(self) -> str:
        """One sentence: which learner is best, and in how many folds it beats the next."""
        names = self.ranking
        label = metric_label(self.metric)
        if len(names) == 1:
            return f"{names[0]} is the only learner"
        best, next_ = (self.metrics[name][self.metric] for name in names[:2])
        wins = sum(mine < theirs for mine, theirs in zip(best, next_, strict=True))
        chance = "" if wins == len(best) else ", which may be chance"
        ahead = f"it is ahead of {names[1]} in {wins} of {len(best)} folds"
        return f"{names[0]} has the lowest {label}; {ahead}{chance}"


def _mean_and_spread(metric: str, values: Sequence[float]) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    deviation = f"{spread:,.0f}" if spread >= LARGE else f"{spread:.2g}"
    return f"{metric_figure(metric, statistics.fmean(values))} ± {deviation}"
