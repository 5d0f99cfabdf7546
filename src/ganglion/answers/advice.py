"""The advice: one plain sentence on what to do next, given a run and its report."""

from __future__ import annotations

import math
from typing import NamedTuple

from ganglion.answers.report import Report, metric_figure, metric_label
from ganglion.answers.scores import direction
from ganglion.training.history import History

FEW_ROWS = 20
FEW_EPOCHS = 20
ENOUGH_ROWS = 50  # with fewer, the resampled interval of an AUC is too narrow
WEAK_R2 = 0.1
WEAK_AUC = 0.6


class Words(NamedTuple):
    """What the sentence calls things, and its remedy for a network that a linear model surpasses."""

    rows: str = "rows"
    inputs: str = "the columns"
    simpler: str = "try --hidden '' (hidden=())"
    balance: str = "try --balanced (class_weight='balanced')"


TABLE = Words()
PICTURES = Words("pictures", "the pictures", "try a larger --size or more pictures")


def advice(history: History, report: Report | None, words: Words = TABLE) -> str:
    """Return one sentence on what to do next.

    Models are compared by the main metric of the report. One is called better than another only if the 95 %
    interval of the difference, on the same rows, excludes 0. A linear model that does better is always named,
    one that does as well if the model is better than the baseline; a model that explains little is called
    weak.
    """
    if history.ended == "failed":
        return "Training failed; try a tenth of the learning rate (--learning-rate)."
    if report is None:
        return f"Evaluate the model on {words.rows} that it has not learned from."
    return _problem(report, history.epochs, words) or _verdict(report, history.epochs, words)


def _problem(report: Report, epochs: int, words: Words) -> str:
    """Return a sentence on the first problem that the report shows, or ""."""
    independent = min(report.rows, report.units or report.rows)
    if independent < FEW_ROWS:
        rows = words.rows if independent == report.rows else f"independent {words.rows}"
        return f"The report is on only {independent} {rows}, too few to rely on: evaluate the model on more."
    main = report.main_metric
    worse = not _gain(report, main, report.baseline) > 0
    if linear := _better_linear(report):
        figures = _against(report, linear, report.linear, report.metrics)
        if _beats_baseline(report):
            return ""  # the verdict names it
        if linear == main:
            trivial = metric_figure(main, report.baseline[main])
            better = f"A linear model does better ({figures}; the baseline has {trivial})"
            return f"{better}: {_simpler(epochs, words)}."
        return (
            f"The model is {'no' if worse else 'not clearly'} better than the baseline "
            f"({_against(report, main)}), and a linear model has better probabilities ({figures}): "
            f"{_simpler(epochs, words)}."
        )
    if report.task == "classification":
        if report.metrics["log_loss"] > 1.1 * report.baseline["log_loss"]:
            worse_than = f"The probabilities are worse than the baseline's ({_against(report, 'log_loss')}): "
            if epochs < FEW_EPOCHS:
                return worse_than + "train for more epochs (--epochs)."
            return worse_than + "try a tenth of the learning rate, more dropout, or fewer units."
        missed = report.metrics["accuracy"] - report.metrics["balanced_accuracy"]
        if missed > 0.1 and report.metrics["auc"] > WEAK_AUC and not report.decision:
            return (
                f"Rare classes are found less often (balanced accuracy "
                f"{metric_figure('balanced_accuracy', report.metrics['balanced_accuracy'])} against accuracy "
                f"{metric_figure('accuracy', report.metrics['accuracy'])}): {words.balance}."
            )
    if _beats_baseline(report):
        return ""
    if informed := _informed(report):
        remedy = ""
        if len(report.classes) == 2 and not report.objective:
            remedy = ": use them, or choose a threshold for what matters (--optimize, --cost)"
        return (
            f"The model is better than the baseline by its probabilities ({informed}), though its decisions "
            f"are {'no' if worse else 'hardly'} better ({_against(report, main)}){remedy}."
        )
    if worse:
        return (
            f"The model is no better than the baseline ({_against(report, main)}): "
            f"{words.inputs} may be unrelated to the target."
        )
    return (
        f"The model is not clearly better than the baseline ({_against(report, main)}; chance alone could "
        f"explain it): more {words.rows} would tell."
    )


def _verdict(report: Report, epochs: int, words: Words) -> str:
    """Return the sentence on a model that is better than the baseline."""
    weak, main = _weakness(report), report.main_metric
    sentence = f"The model is {'weak, though ' if weak else ''}better than the baseline "
    sentence += f"({_against(report, main)}{f'; {weak}' if weak else ''})"
    if main in report.linear:
        figures = f"({_against(report, main, report.linear, report.metrics)})"
        if _better_linear(report) == main:
            return f"{sentence}, but a linear model does better {figures}: {_simpler(epochs, words)}."
        gain, perfect = _gain(report, main, report.linear), report.metrics[main] == report.linear[main]
        if gain <= 0 and ("linear" in report.gains or perfect):
            return f"{sentence}, but a linear model does as well {figures}: {_simpler(epochs, words)}."
    return sentence + "."


def _better_linear(report: Report) -> str:
    """Return the metric by which a linear model is clearly better than the model, "" if by none.

    Probabilities decide only if the main metric is not for the model.
    """
    main = report.main_metric
    if report.gains.get("linear", [0.0, 0.0])[1] < 0:
        return main
    losses = report.gains.get("linear_log_loss", [0.0, 0.0])
    if losses[1] < 0 and not _gain(report, main, report.linear) > 0 and not _beats_baseline(report):
        return "log_loss"
    return ""


def _beats_baseline(report: Report) -> bool:
    """Return whether the main metric is better than the baseline's, by more than chance explains."""
    if not _gain(report, report.main_metric, report.baseline) > 0:
        return False
    gain = report.gains.get("baseline")  # older reports have no gains, and equal rows no interval
    return gain is None or gain[0] > 0


def _informed(report: Report) -> str:
    """Return the score by which the probabilities are clearly better than the baseline's, "" without any."""
    if min(report.rows, report.units or report.rows) < ENOUGH_ROWS:
        return ""
    low, high = report.intervals.get("auc", [0.0, 0.0])
    if low > 0.5:
        low_high = " to ".join(metric_figure("auc", value) for value in (low, high))
        return f"AUC {metric_figure('auc', report.metrics['auc'])}, 95 % interval {low_high}"
    if report.gains.get("baseline_log_loss", [0.0, 0.0])[0] > 0:
        return _against(report, "log_loss")
    return ""


def _gain(report: Report, metric: str, other: dict[str, float]) -> float:
    """Return how much better the model's metric is than another's."""
    return direction(metric) * (report.metrics[metric] - other.get(metric, math.nan))


def _weakness(report: Report) -> str:
    if report.task == "regression":
        return "it explains little" if report.metrics["r2"] < WEAK_R2 else ""
    auc = report.metrics["auc"]
    return f"AUC {metric_figure('auc', auc)}" if auc < WEAK_AUC else ""


def _simpler(epochs: int, words: Words) -> str:
    return words.simpler + (" or more epochs (--epochs)" if epochs < FEW_EPOCHS else "")


def _against(
    report: Report, metric: str, first: dict[str, float] | None = None, second: dict[str, float] | None = None
) -> str:
    """Return a metric of two models in words, by default of the model and the baseline."""
    one, other = (
        metric_figure(metric, values[metric])
        for values in (first or report.metrics, second or report.baseline)
    )
    return f"{metric_label(metric)} {one} against {other}"
