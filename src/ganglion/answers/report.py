"""The report: the metrics of a table model on unseen rows, compared with a baseline and a linear model.

The baseline ignores the inputs. For classes it predicts their frequencies in training, so its answer is
always the most frequent class; for numbers it predicts the mean. `judging.py` makes reports.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Self

from ganglion.answers.reliability import Reliability
from ganglion.answers.scores import CLASSIFICATION, OPTIMIZED, REGRESSION
from ganglion.answers.values import figure
from ganglion.core.part import plain
from ganglion.errors import DataError, amount, shortened

LABELS = {
    "r2": "R2", "rmse": "RMSE", "mae": "MAE", "f1": "F1", "auc": "AUC", "mcc": "MCC",
    "positive_f1": "F1, positive class",
}  # fmt: skip
UNBOUNDED = ("rmse", "mae", "log_loss", "mean_cost")  # figures of the others have four decimals at most
MOST_CLASSES_SHOWN = 20
NUMBERS = {"linear": (-math.inf,), "spread": (0,), "coverage": (0, 1), "half_widths": (0,)}  # with bounds
ROUNDING = 1e-6
SHOWN_LEVEL = "0.9"
IMBALANCED = 0.8


@dataclass(frozen=True)
class Report:
    """The evaluation of a model on some rows.

    Attributes:
        task: "classification" or "regression".
        rows: the number of rows evaluated.
        metrics: by name: accuracy, balanced accuracy, F1, AUC and log loss; or R2, RMSE and MAE, the last two
            in the target's units. First, what a threshold was chosen for, if it is none of these.
        baseline: the same metrics of the baseline.
        classes: their names; empty for regression.
        confusion: counts of rows by true class (down) and predicted class (across); empty for regression.
        error_quantiles: the median, 0.9 quantile and maximum of the absolute error; empty for
            classification.
        intervals: the 95 % interval of each metric, [low, high]: what chance alone, in the choice of these
            rows, would make of it. A metric that resampling the rows does not move has none.
        linear: the same metrics of a linear model; empty without one.
        gains: how much better the main metric is than that of "baseline" and "linear", each as a 95 %
            interval of the difference on the same rows; for classes, also how much lower the log loss is, as
            "baseline_log_loss" and "linear_log_loss".
        folds: the number of folds that the rows come from, 1 for a single split.
        spread: the standard deviation of each metric over the folds; empty for a single split.
        units: the number of independent rows; copies, and rows of one group, count once.
        reliability: how probabilities agree with frequencies; None for regression.
        coverage: for regression, the fraction of the rows inside their prediction interval, by its level.
        half_widths: the distance from prediction to either end of these intervals, by level.
        decision: how the predicted class follows from the probabilities, if not as the most probable one.
        objective: the metric that a threshold was chosen for; "" without one.
        note: what else to know about these rows, such as that the model has not learned from the newest ones.
    """

    task: str
    rows: int
    metrics: dict[str, float]
    baseline: dict[str, float]
    classes: list[str]
    confusion: list[list[int]]
    error_quantiles: dict[str, float]
    intervals: dict[str, list[float]] = field(default_factory=dict)
    linear: dict[str, float] = field(default_factory=dict)
    gains: dict[str, list[float]] = field(default_factory=dict)
    folds: int = 1
    spread: dict[str, float] = field(default_factory=dict)
    units: int = 0
    reliability: Reliability | None = None
    coverage: dict[str, float] = field(default_factory=dict)
    half_widths: dict[str, float] = field(default_factory=dict)
    decision: str = ""
    objective: str = ""
    note: str = ""

    @property
    def main_metric(self) -> str:
        """The metric to compare by: what a threshold was chosen for; for classes else the accuracy, or the
        balanced accuracy if one class is so frequent that accuracy misleads.
        """
        if self.objective:
            return self.objective
        if self.task == "regression":
            return "r2"
        return "balanced_accuracy" if self.baseline["accuracy"] > IMBALANCED else "accuracy"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON data; an undefined metric (R2 of equal targets) is None."""
        return plain(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Return the report that `to_dict` described.

        Raises:
            DataError: if the data are not those of a report.
        """
        fields = dataclasses.fields(cls)
        needed = {each.name for each in fields[:7]}  # the others are newer than some files
        if not isinstance(data, dict) or not needed <= set(data) <= {each.name for each in fields}:
            raise DataError("a report must have the fields of a report")
        task, rows, classes, confusion = (data[k] for k in ("task", "rows", "classes", "confusion"))
        expected = {"classification": CLASSIFICATION, "regression": REGRESSION}.get(str(task), ())
        metrics, baseline = _numbers(data["metrics"]), _numbers(data["baseline"])
        objective = data.get("objective", "")
        if type(objective) is not str:
            raise DataError("a report's objective must be the name of a metric")
        if task == "classification" and objective in OPTIMIZED:
            expected = (objective, *expected)
        if not expected or set(metrics) != set(expected) or set(baseline) != set(expected):
            raise DataError("a report must hold the metrics of its task")
        counts = {"rows": rows, "folds": data.get("folds", 1), "units": data.get("units", 0)}
        for name, count in counts.items():
            if not _is_count(count):
                raise DataError(f"a report must have whole numbers of {name}, got {shortened(count)}")
        if not isinstance(classes, list) or not all(type(c) is str for c in classes):
            raise DataError("a report must have a list of class names")
        if (
            not isinstance(confusion, list)
            or len(confusion) != len(classes)
            or not all(
                isinstance(line, list) and len(line) == len(classes) and all(map(_is_count, line))
                for line in confusion
            )
        ):
            raise DataError("a report's confusion matrix must hold whole numbers")
        quantiles = _numbers(data["error_quantiles"], at_least=0)
        newer: dict[str, Any] = {
            name: _numbers(data.get(name, {}), *bounds) for name, bounds in NUMBERS.items()
        }
        newer |= {name: _pairs(data.get(name, {})) for name in ("intervals", "gains")}
        newer |= {name: counts[name] for name in ("folds", "units")}
        if objective and objective not in expected:
            raise DataError("a report's objective must be one of its metrics")
        if newer["linear"] and set(newer["linear"]) != set(expected):
            raise DataError("a report must hold the metrics of its task")
        texts = {name: data.get(name, "") for name in ("decision", "note")}
        if any(type(text) is not str for text in texts.values()):
            raise DataError("a report's decision and note must be text")
        if data.get("reliability") is not None:
            newer["reliability"] = Reliability.from_dict(data["reliability"])
        newer |= texts | {"objective": objective}
        return cls(task, rows, metrics, baseline, classes, confusion, quantiles, **newer)

    def __str__(self) -> str:
        return "\n\n".join(part for part in (self._scores(), *self._details()) if part)

    def _scores(self) -> str:
        """Return the table of metrics."""
        heads = ["model", *(["95 % interval"] if self.intervals else [])]
        heads += [*(["spread"] if self.spread else []), *(["linear"] if self.linear else []), "baseline"]
        lines = [["on " + amount(self.rows, "row"), *heads]]
        for name, value in self.metrics.items():
            numbers = {"model": value, "baseline": self.baseline[name]}
            numbers["linear"] = self.linear.get(name, math.nan)
            cells = {head: metric_figure(name, number) for head, number in numbers.items()}
            cells["spread"] = figure(self.spread.get(name, math.nan))
            ends = [metric_figure(name, end) for end in self.intervals.get(name, [])]
            cells["95 % interval"] = " to ".join(ends) or "-"
            lines.append([metric_label(name), *(cells[head] for head in heads)])
        least = [22 if head == "95 % interval" else 12 for head in heads]
        cells_of = list(zip(*lines, strict=True))[1:]
        widths = [
            max(w, *(len(cell) + 2 for cell in cells)) for w, cells in zip(least, cells_of, strict=True)
        ]
        text = [
            f"{line[0]:<20}" + "".join(f"{cell:>{w}}" for cell, w in zip(line[1:], widths, strict=True))
            for line in lines
        ]
        if self.folds > 1:
            text.append(f"each row was held out in one of {self.folds} folds; spread: over the folds")
        if 0 < self.units < self.rows:
            text.append(f"copies and groups count once: {self.units:,} independent rows")
        text += [self.note] if self.note else []
        return "\n".join(text)

    def _details(self) -> list[str]:
        parts = []
        if self.error_quantiles:
            errors = "errors: " + ", ".join(f"{k} {figure(v)}" for k, v in self.error_quantiles.items())
            if SHOWN_LEVEL in self.coverage:
                errors += (
                    f"\n90 % prediction intervals, ± {figure(self.half_widths.get(SHOWN_LEVEL, math.nan))}, "
                    f"hold {self.coverage[SHOWN_LEVEL]:.1%} of these rows"
                )
            parts.append(errors)
        if 0 < len(self.classes) <= MOST_CLASSES_SHOWN:
            parts.append(_matrix(self.classes, self.confusion))
        parts.append(self.decision)
        if self.reliability is not None:
            parts.append(str(self.reliability))
        return parts


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _numbers(values: Any, at_least: float = -math.inf, at_most: float = math.inf) -> dict[str, float]:
    """Return numbers by name, NaN for None; raise `DataError` unless all are finite and within the bounds."""
    if not isinstance(values, dict) or not all(
        v is None or (type(v) is float and math.isfinite(v) and at_least <= v <= at_most + ROUNDING)
        for v in values.values()
    ):
        raise DataError("a report must hold finite numbers by name, each within its bounds")
    return {name: math.nan if value is None else value for name, value in values.items()}


def _pairs(values: Any) -> dict[str, list[float]]:
    """Return intervals by name; raise `DataError` unless all are two finite numbers, low before high."""
    if not isinstance(values, dict) or not all(
        isinstance(pair, list)
        and len(pair) == 2
        and all(type(v) is float and math.isfinite(v) for v in pair)
        and pair[0] <= pair[1]
        for pair in values.values()
    ):
        raise DataError("a report must hold intervals by name, each with a low and a high end")
    return dict(values)


def metric_label(name: str) -> str:
    """Return the name of a metric as printed."""
    return LABELS.get(name, name.replace("_", " "))


def metric_figure(metric: str, value: float) -> str:
    """Return a metric as printed: those with a fixed range, such as R2, to four decimals at most."""
    return figure(value if metric in UNBOUNDED else round(value, 4) + 0.0)  # + 0.0 makes -0.0 0.0


def _matrix(classes: list[str], counts: list[list[int]]) -> str:
    """Return the confusion matrix with the recall and the precision of each class."""
    names = [name if len(name) <= 14 else name[:13] + "~" for name in classes]
    margin = max(len("true \\ predicted"), *map(len, names))
    widths = [max(len(name), 4, *(len(str(line[i])) for line in counts)) for i, name in enumerate(names)]
    head = "true \\ predicted".ljust(margin)
    lines = [head + "".join(f"  {name:>{w}}" for name, w in zip(names, widths, strict=True)) + "  recall"]
    for i, (name, line) in enumerate(zip(names, counts, strict=True)):
        cells = "".join(f"  {count or '.':>{w}}" for count, w in zip(line, widths, strict=True))
        lines.append(f"{name:<{margin}}{cells}  {_percent(line[i], sum(line)):>6}")
    precision = [_percent(counts[i][i], sum(line[i] for line in counts)) for i in range(len(classes))]
    cells = "".join(f"  {percent:>{w}}" for percent, w in zip(precision, widths, strict=True))
    lines.append("precision".ljust(margin) + cells)
    return "\n".join(lines)


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"
