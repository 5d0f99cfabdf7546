"""The report: how good a table model is on rows it has not seen, beside the trivial answer.

The trivial answer is what one would say without any model: the most frequent class, or the mean.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ganglion.core.losses import Answers
from ganglion.core.part import Array, plain
from ganglion.errors import DataError
from ganglion.tables.target import ClassTarget, NumberTarget
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
    """An evaluation.

    Attributes:
        task: "classification" or "regression".
        rows: how many were judged.
        metrics: by name: accuracy, balanced accuracy, log loss; or R2, RMSE, MAE in the target's units.
        baseline: the same of the trivial answer.
        classes: their names; empty for regression.
        confusion: rows by true class (down) and predicted class (across); empty for regression.
        error_quantiles: of the absolute error, half, nine tenths and all of the rows err by at most this;
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
        return plain(dataclasses.asdict(self))

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
        lines = [f"{'on ' + format(self.rows, ',') + ' rows':<20}{'model':>12}{'trivial':>12}"]
        for name, value in self.metrics.items():
            words = LABELS.get(name, name.replace("_", " "))
            lines.append(f"{words:<20}{figure(value):>12}{figure(self.baseline[name]):>12}")
        if self.error_quantiles:
            lines += ["", "errors: " + ", ".join(f"{k} {figure(v)}" for k, v in self.error_quantiles.items())]
        if 0 < len(self.classes) <= MOST_CLASSES_SHOWN:
            lines += ["", _matrix(self.classes, self.confusion)]
        return "\n".join(lines)


def figure(value: float) -> str:
    """Return a number for people: four digits, no powers of ten where they can be helped."""
    if not math.isfinite(value):
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.3g}"
    return f"{value:.4g}" if abs(value) >= 0.001 else f"{value:.4f}"


def _matrix(classes: list[str], counts: list[list[int]]) -> str:
    """Return the confusion matrix, and of each class the share that was found and the share that is right."""
    names = [name if len(name) <= 14 else name[:13] + "~" for name in classes]
    margin = max(len("true \\ predicted"), *map(len, names))
    widths = [max(len(name), 4, *(len(str(line[i])) for line in counts)) for i, name in enumerate(names)]
    head = "true \\ predicted".ljust(margin)
    lines = [head + "".join(f"  {name:>{w}}" for name, w in zip(names, widths, strict=True)) + "  found"]
    for i, (name, line) in enumerate(zip(names, counts, strict=True)):
        cells = "".join(f"  {count or '.':>{w}}" for count, w in zip(line, widths, strict=True))
        lines.append(f"{name:<{margin}}{cells}  {_share(line[i], sum(line)):>5}")
    right = [_share(counts[i][i], sum(line[i] for line in counts)) for i in range(len(classes))]
    lines.append("right".ljust(margin) + "".join(f"  {r:>{w}}" for r, w in zip(right, widths, strict=True)))
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"


@np.errstate(over="ignore", invalid="ignore")  # answers that ran away are judged too
def judge(target: ClassTarget | NumberTarget, outputs: Array, truth: Array) -> Report:
    """Return the report on a network's outputs for rows whose encoded targets are `truth`."""
    rows = len(outputs)
    if isinstance(target, ClassTarget):
        k = len(target.classes)
        shares = np.tile(np.array(target.shares, dtype=np.float64), (rows, 1))
        y = np.eye(k)[truth]
        confusion = np.zeros((k, k), dtype=np.int64)
        np.add.at(confusion, (truth, outputs.argmax(axis=1)), 1)
        names, kind = CLASSIFICATION, ONE_OF
        answers = (outputs, shares)
        classes, table, quantiles = [target.label(i) for i in range(k)], confusion.tolist(), {}
    else:
        y = (truth * target.scale + target.center).reshape(-1, 1)
        guesses = outputs.astype(np.float64).reshape(-1, 1) * target.scale + target.center
        names, kind, answers = REGRESSION, NUMBER, (guesses, np.full((rows, 1), target.center))
        errors = np.abs(guesses - y)
        classes, table = [], []
        quantiles = {name: float(np.quantile(errors, share)) for name, share in QUANTILES.items()}
    metrics, baseline = (
        {name: METRICS[name].measure(answer, y, None, kind) for name in names} for answer in answers
    )
    return Report(target.task, rows, metrics, baseline, classes, table, quantiles)


def advice(history: History, report: Report | None, balanced: bool = False) -> str:
    """Return one sentence on what to do next, from the run, its report, and whether classes were balanced."""
    if history.ended == "failed":
        return "Training broke off; try a tenth of the learning rate (--learning-rate)."
    if report is not None and (sentence := _about_the_report(report, history.epochs, balanced)):
        return sentence
    if report is None:
        return "Judge the model on rows that it has not seen."
    main = _main_metric(report)
    return (
        f"The model does better than the trivial answer ({LABELS.get(main, main.replace('_', ' '))} "
        f"{figure(report.metrics[main])} against {figure(report.baseline[main])})."
    )


def _main_metric(report: Report) -> str:
    """Return the metric that tells most: balanced accuracy where the trivial answer is right too often."""
    if report.task == "regression":
        return "r2"
    return "balanced_accuracy" if report.baseline["accuracy"] > 0.8 else "accuracy"


def _about_the_report(report: Report, epochs: int, balanced: bool) -> str:
    """Return what is wrong by the report, "" if nothing is."""
    main = _main_metric(report)
    if report.rows < FEW_ROWS:
        return f"The test has only {report.rows} rows, too few to judge the model by: evaluate it on more."
    if report.task == "classification" and not balanced:
        if report.metrics["log_loss"] > 1.1 * report.baseline["log_loss"]:
            words = (
                f"Its probabilities are worse than the trivial ones (log loss "
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
    got, trivial = report.metrics[main], report.baseline[main]
    if not got > trivial:
        return (
            f"The model is no better than the trivial answer ({LABELS.get(main, main.replace('_', ' '))} "
            f"{figure(got)} against {figure(trivial)}): the columns may say nothing about the target."
        )
    return ""
