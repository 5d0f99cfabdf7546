"""The report: the metrics of a table model on unseen rows, compared with those of a baseline.

The baseline ignores the inputs. For classes it predicts their frequencies in training, so its answer is
always the most frequent class; for numbers it predicts the mean.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.core.losses import Answers
from ganglion.core.part import Array, plain
from ganglion.errors import DataError
from ganglion.training.history import History
from ganglion.training.metrics import METRICS

ONE_OF: Answers = "one_of"
NUMBER: Answers = "number"
CLASSIFICATION: tuple[str, ...] = ("accuracy", "balanced_accuracy", "f1", "auc", "log_loss")
REGRESSION: tuple[str, ...] = ("r2", "rmse", "mae")
QUANTILES = {"median": 0.5, "9 of 10 at most": 0.9, "largest": 1.0}
LABELS = {"r2": "R2", "rmse": "RMSE", "mae": "MAE", "f1": "F1", "auc": "AUC"}
MOST_CLASSES_SHOWN = 20
FEW_ROWS = 20
FEW_EPOCHS = 20


@dataclass(frozen=True)
class Report:
    """The evaluation of a model on some rows.

    Attributes:
        task: "classification" or "regression".
        rows: the number of rows evaluated.
        metrics: by name: accuracy, balanced accuracy, F1, AUC and log loss; or R2, RMSE and MAE, the last two
            in the target's units.
        baseline: the same metrics of the baseline.
        classes: their names; empty for regression.
        confusion: counts of rows by true class (down) and predicted class (across); empty for regression.
        error_quantiles: the median, 0.9 quantile and maximum of the absolute error; empty for
            classification.
    """

    task: str
    rows: int
    metrics: dict[str, float]
    baseline: dict[str, float]
    classes: list[str]
    confusion: list[list[int]]
    error_quantiles: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON data; an undefined metric (R2 of equal targets) is None."""
        return plain(dataclasses.asdict(self))

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Return the report that `to_dict` described.

        Raises:
            DataError: if the data are not those of a report.
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
            raise DataError("a report must have a whole number of rows and a list of class names")
        if (
            not isinstance(confusion, list)
            or len(confusion) != len(classes)
            or not all(
                isinstance(line, list) and len(line) == len(classes) and all(type(n) is int for n in line)
                for line in confusion
            )
        ):
            raise DataError("a report's confusion matrix must hold whole numbers")
        quantiles = numbers(data["error_quantiles"])
        return cls(task, rows, metrics, baseline, classes, confusion, quantiles)

    def __str__(self) -> str:
        lines = [f"{'on ' + format(self.rows, ',') + ' rows':<20}{'model':>12}{'baseline':>12}"]
        for name, value in self.metrics.items():
            words = LABELS.get(name, name.replace("_", " "))
            lines.append(f"{words:<20}{figure(value):>12}{figure(self.baseline[name]):>12}")
        if self.error_quantiles:
            lines += ["", "errors: " + ", ".join(f"{k} {figure(v)}" for k, v in self.error_quantiles.items())]
        if 0 < len(self.classes) <= MOST_CLASSES_SHOWN:
            lines += ["", _matrix(self.classes, self.confusion)]
        return "\n".join(lines)


def figure(value: float) -> str:
    """Return a number as text with about four significant digits, and an exponent only if it is huge."""
    if not math.isfinite(value):
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.3g}"
    return f"{value:.4g}" if abs(value) >= 0.001 else f"{value:.4f}"


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


@np.errstate(over="ignore", invalid="ignore")  # outputs of a diverged network are evaluated too
def evaluate_outputs(
    target: ClassTarget | NumberTarget, outputs: Array, truth: Array, weight: Array | None = None
) -> Report:
    """Return the report on a network's outputs for rows whose encoded targets are `truth`."""
    rows = len(outputs)
    if isinstance(target, ClassTarget):
        k = len(target.classes)
        frequencies = np.tile(np.array(target.shares, dtype=np.float64), (rows, 1))
        y = np.eye(k)[truth]
        confusion = np.zeros((k, k), dtype=np.int64)
        np.add.at(confusion, (truth, outputs.argmax(axis=1)), 1)
        names, kind = CLASSIFICATION, ONE_OF
        predictions = (outputs, frequencies)
        classes, table, quantiles = [target.label(i) for i in range(k)], confusion.tolist(), {}
    else:
        y = (truth * target.scale + target.center).reshape(-1, 1)
        estimates = outputs.astype(np.float64).reshape(-1, 1) * target.scale + target.center
        names, kind, predictions = REGRESSION, NUMBER, (estimates, np.full((rows, 1), target.center))
        errors = np.abs(estimates - y)
        classes, table = [], []
        quantiles = {name: float(np.quantile(errors, level)) for name, level in QUANTILES.items()}
    metrics, baseline = (
        {name: METRICS[name].measure(prediction, y, weight, kind) for name in names}
        for prediction in predictions
    )
    return Report(target.task, rows, metrics, baseline, classes, table, quantiles)


def advice(history: History, report: Report | None, balanced: bool = False) -> str:
    """Return one sentence on what to do next, given the run, its report and whether classes were balanced."""
    if history.ended == "failed":
        return "Training failed; try a tenth of the learning rate (--learning-rate)."
    if report is not None and (sentence := _problem(report, history.epochs, balanced)):
        return sentence
    if report is None:
        return "Evaluate the model on rows that it has not learned from."
    main = _main_metric(report)
    return (
        f"The model is better than the baseline ({LABELS.get(main, main.replace('_', ' '))} "
        f"{figure(report.metrics[main])} against {figure(report.baseline[main])})."
    )


def _main_metric(report: Report) -> str:
    """Return the metric to compare: balanced accuracy if one class is so frequent that accuracy misleads."""
    if report.task == "regression":
        return "r2"
    return "balanced_accuracy" if report.baseline["accuracy"] > 0.8 else "accuracy"


def _problem(report: Report, epochs: int, balanced: bool) -> str:
    """Return a sentence on the first problem that the report shows, or ""."""
    main = _main_metric(report)
    if report.rows < FEW_ROWS:
        return f"The report is on only {report.rows} rows, too few to rely on: evaluate the model on more."
    if report.task == "classification" and not balanced:
        if report.metrics["log_loss"] > 1.1 * report.baseline["log_loss"]:
            words = (
                f"The probabilities are worse than the baseline's (log loss "
                f"{figure(report.metrics['log_loss'])} against {figure(report.baseline['log_loss'])}): "
            )
            if epochs < FEW_EPOCHS:
                return words + "train for more epochs (--epochs)."
            return words + "try a tenth of the learning rate, more dropout, or fewer units."
        missed = report.metrics["accuracy"] - report.metrics["balanced_accuracy"]
        if missed > 0.1 and report.metrics["auc"] > 0.6:
            return (
                f"Rare classes are found less often (balanced accuracy "
                f"{figure(report.metrics['balanced_accuracy'])} against accuracy "
                f"{figure(report.metrics['accuracy'])}): try --balanced (class_weight='balanced')."
            )
    metric, baseline = report.metrics[main], report.baseline[main]
    if not metric > baseline:
        return (
            f"The model is no better than the baseline ({LABELS.get(main, main.replace('_', ' '))} "
            f"{figure(metric)} against {figure(baseline)}): the columns may be unrelated to the target."
        )
    return ""
