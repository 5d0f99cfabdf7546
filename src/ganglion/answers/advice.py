"""The advice: one plain sentence on what to do next, given a run and its report."""

from __future__ import annotations

from ganglion.answers.report import Report, figure, metric_label
from ganglion.training.history import History

FEW_ROWS = 20
FEW_EPOCHS = 20
WEAK_R2 = 0.1
WEAK_AUC = 0.6


def advice(history: History, report: Report | None) -> str:
    """Return one sentence on what to do next.

    A model is called better than the baseline only if the 95 % interval of the difference, on the same rows,
    excludes 0; a model that explains little is called weak, and a linear model that does as well is named.
    """
    if history.ended == "failed":
        return "Training failed; try a tenth of the learning rate (--learning-rate)."
    if report is None:
        return "Evaluate the model on rows that it has not learned from."
    return _problem(report, history.epochs) or _verdict(report)


def _problem(report: Report, epochs: int) -> str:
    """Return a sentence on the first problem that the report shows, or ""."""
    independent = min(report.rows, report.units or report.rows)
    if independent < FEW_ROWS:
        rows = "rows" if independent == report.rows else "independent rows"
        return f"The report is on only {independent} {rows}, too few to rely on: evaluate the model on more."
    if report.task == "classification":
        own, trivial = report.metrics["log_loss"], report.baseline["log_loss"]
        if own > 1.1 * trivial:
            words = (
                f"The probabilities are worse than the baseline's (log loss "
                f"{figure(own)} against {figure(trivial)}): "
            )
            if epochs < FEW_EPOCHS:
                return words + "train for more epochs (--epochs)."
            return words + "try a tenth of the learning rate, more dropout, or fewer units."
        missed = report.metrics["accuracy"] - report.metrics["balanced_accuracy"]
        if missed > 0.1 and report.metrics["auc"] > WEAK_AUC and not report.decision:
            return (
                f"Rare classes are found less often (balanced accuracy "
                f"{figure(report.metrics['balanced_accuracy'])} against accuracy "
                f"{figure(report.metrics['accuracy'])}): try --balanced (class_weight='balanced')."
            )
    main = report.main_metric
    if not report.metrics[main] > report.baseline[main]:
        return (
            f"The model is no better than the baseline ({_against(report)}): "
            "the columns may be unrelated to the target."
        )
    if "baseline" in report.gains and report.gains["baseline"][0] <= 0:  # older reports have no gains
        return (
            f"The model is not clearly better than the baseline ({_against(report)}; chance alone could "
            "explain it): more rows would tell."
        )
    return ""


def _verdict(report: Report) -> str:
    """Return the sentence on a model that is better than the baseline."""
    weak = _weakness(report)
    sentence = f"The model is {'weak, though ' if weak else ''}better than the baseline ({_against(report)}"
    sentence += f"; {weak})" if weak else ")"
    main = report.main_metric
    if main in report.linear:
        linear, gain = report.linear[main], report.gains.get("linear")
        words = f"({metric_label(main)} {figure(linear)} against {figure(report.metrics[main])})"
        remedy = "try --hidden '' (hidden=())"
        if gain is not None and gain[1] < 0:
            return f"{sentence}, but a linear model does better {words}: {remedy}."
        perfect = report.metrics[main] == linear
        if linear >= report.metrics[main] and (gain is not None or perfect):
            return f"{sentence}, but a linear model does as well {words}: {remedy}."
    return sentence + "."


def _weakness(report: Report) -> str:
    if report.task == "regression":
        return "it explains little" if report.metrics["r2"] < WEAK_R2 else ""
    auc = report.metrics["auc"]
    return f"AUC {figure(auc)}" if auc < WEAK_AUC else ""


def _against(report: Report) -> str:
    main = report.main_metric
    return f"{metric_label(main)} {figure(report.metrics[main])} against {figure(report.baseline[main])}"
