"""The report: how good a table model is on rows it has not seen, beside the trivial answer.

The trivial answer is what one would say without any model: the most frequent class, or the mean.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ganglion.core.part import Array
from ganglion.errors import DataError
from ganglion.tables.target import ClassTarget, NumberTarget
from ganglion.training.history import History
from ganglion.training.metrics import METRICS

CLASSIFICATION = ("accuracy", "balanced_accuracy", "log_loss")
REGRESSION = ("r2", "rmse", "mae")
QUANTILES = (0.5, 0.9, 1.0)


@dataclass(frozen=True)
class Report:
    """An evaluation.

    Attributes:
        task: "classification" or "regression".
        rows: how many were judged.
        metrics: by name: accuracy, balanced accuracy, log loss; or R2, RMSE, MAE in the target's units.
        baseline: the same of the trivial answer.
        classes: their names; empty for regression.
        confusion: rows by true class (down) and predicted class (across); empty for regression.
        error_quantiles: of the absolute error: half, nine tenths and all of the rows err by at most this;
            empty for classification.
    """

    task: str
    rows: int
    metrics: dict[str, float]
    baseline: dict[str, float]
    classes: list[str]
    confusion: list[list[int]]
    error_quantiles: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON data; what has no value (R2 of equal targets) is None."""

        def plain(values: dict[str, float]) -> dict[str, float | None]:
            return {name: value if np.isfinite(value) else None for name, value in values.items()}

        return {
            "task": self.task,
            "rows": self.rows,
            "metrics": plain(self.metrics),
            "baseline": plain(self.baseline),
            "classes": self.classes,
            "confusion": self.confusion,
            "error_quantiles": plain(self.error_quantiles),
        }

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Return the report that `to_dict` described.

        Raises:
            DataError: if the data are anything else.
        """

        def numbers(values: Any) -> dict[str, float]:
            if not isinstance(values, dict) or not all(
                v is None or type(v) is float for v in values.values()
            ):
                raise DataError("a report must hold numbers by name")
            return {name: math.nan if value is None else value for name, value in values.items()}

        if not isinstance(data, dict) or set(data) != {field.name for field in dataclasses.fields(cls)}:
            raise DataError("a report must have the fields of a report")
        task, rows, classes, confusion = (data[k] for k in ("task", "rows", "classes", "confusion"))
        expected = {"classification": CLASSIFICATION, "regression": REGRESSION}.get(str(task), ())
        metrics, baseline = numbers(data["metrics"]), numbers(data["baseline"])
        if not expected or set(metrics) != set(expected) or set(baseline) != set(expected):
            raise DataError("a report must hold the metrics of its task")
        if type(rows) is not int or not isinstance(classes, list) or not all(type(c) is str for c in classes):
            raise DataError("a report must count rows and name classes")
        if not isinstance(confusion, list) or not all(
            isinstance(line, list) and len(line) == len(classes) and all(type(n) is int for n in line)
            for line in confusion
        ):
            raise DataError("a report's confusion matrix must hold whole numbers")
        quantiles = numbers(data["error_quantiles"])
        return cls(task, rows, metrics, baseline, classes, confusion, quantiles)

    def __str__(self) -> str:
        lines = [f"{'on ' + format(self.rows, ',') + ' rows':<20}{'model':>10}{'trivial':>10}"]
        for name, value in self.metrics.items():
            lines.append(f"{name.replace('_', ' '):<20}{value:>10.4g}{self.baseline[name]:>10.4g}")
        return "\n".join(lines)


def judge(target: ClassTarget | NumberTarget, outputs: Array, truth: Array) -> Report:
    """Return the report on a network's outputs for rows whose encoded targets are `truth`."""
    rows = len(outputs)
    if isinstance(target, ClassTarget):
        k = len(target.classes)
        shares = np.tile(np.array(target.shares, dtype=np.float64), (rows, 1))
        y = np.eye(k)[truth]
        confusion = np.zeros((k, k), dtype=np.int64)
        np.add.at(confusion, (truth, outputs.argmax(axis=1)), 1)
        names, answers = CLASSIFICATION, (outputs, shares)
        classes, table, quantiles = [target.label(i) for i in range(k)], confusion.tolist(), {}
    else:
        y = (truth * target.scale + target.center).reshape(-1, 1)
        guesses = outputs.astype(np.float64).reshape(-1, 1) * target.scale + target.center
        names, answers = REGRESSION, (guesses, np.full((rows, 1), target.center))
        errors = np.quantile(np.abs(guesses - y), QUANTILES)
        classes, table = [], []
        quantiles = {f"{share:.0%}": float(error) for share, error in zip(QUANTILES, errors, strict=True)}
    metrics, baseline = (
        {name: METRICS[name].measure(answer, y, None) for name in names} for answer in answers
    )
    return Report(target.task, rows, metrics, baseline, classes, table, quantiles)


def advice(history: History, report: Report | None) -> str:
    """Return one sentence on what to do next, from the run and its report."""
    main = "accuracy" if report and report.task == "classification" else "r2"
    if report and report.metrics[main] <= report.baseline[main]:
        return (
            f"The model is no better than the trivial answer ({main} {report.metrics[main]:.3g} against "
            f"{report.baseline[main]:.3g}): the columns may say nothing about the target."
        )
    if "finite" in history.stopped_because:
        return "Training broke off; try a tenth of the learning rate."
    if report and report.task == "classification":
        gap = report.metrics["accuracy"] - report.metrics["balanced_accuracy"]
        if gap > 0.1:
            return (
                f"Rare classes are found less often (balanced accuracy "
                f"{report.metrics['balanced_accuracy']:.3g} against accuracy "
                f"{report.metrics['accuracy']:.3g}): look at the confusion matrix, and try balanced "
                f"class weights."
            )
    curve = history.validation_loss
    if len(curve) >= 10:
        best = int(np.argmin(curve))
        if curve[-1] - curve[best] > 0.03 * curve[0] and history.loss[-1] < 0.8 * history.loss[best]:
            return (
                f"It began to overfit after epoch {best + 1}: more rows, more dropout or fewer units "
                f"may help."
            )
        if best >= len(curve) - 2 and curve[-1] < 0.97 * curve[-max(len(curve) // 10, 2)]:
            return "The validation loss was still falling at the end: more epochs may help."
    if report:
        return (
            f"The model does better than the trivial answer ({main} {report.metrics[main]:.3g} against "
            f"{report.baseline[main]:.3g}), and nothing looks wrong with the run."
        )
    return "Nothing looks wrong with the run; judge the model on rows it has not seen."
