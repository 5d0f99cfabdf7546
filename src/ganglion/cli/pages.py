"""What the commands show: the same facts as words for people and as one object for programs."""

from __future__ import annotations

from typing import Any

from ganglion.cli.drawing import curve, matrix
from ganglion.table_model import TableModel
from ganglion.tables.report import Report
from ganglion.tables.target import ClassTarget

MOST_COLUMNS = 20


def columns_page(model: TableModel) -> str:
    """Return what was understood of each column."""
    encoder, target = model.encoder, model.target
    goal = (
        f"target, {len(target.classes)} classes: "
        + _short([f"{target.label(i)} {share:.0%}" for i, share in enumerate(target.shares)])
        if isinstance(target, ClassTarget)
        else f"target, a number, {target.center:.4g} ± {target.scale:.4g}"
    )
    lines = [(column.column, column.describe()) for column in encoder.columns]
    hidden = len(lines) - MOST_COLUMNS
    if hidden > 1:
        lines = [*lines[:MOST_COLUMNS], ("...", f"{hidden} more")]
    lines += [(target.column, goal)]
    reasons: dict[str, list[str]] = {}
    for name, reason in encoder.left_out.items():
        reasons.setdefault(reason, []).append(name)
    lines += [(_short(names, 3), f"left out: {reason}") for reason, names in reasons.items()]
    width = min(max(len(name) for name, _ in lines), 40)
    return "\n".join(f"  {name:<{width}}  {what}" for name, what in lines)


def _short(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def network_page(model: TableModel) -> str:
    """Return the architecture in one line."""
    network = model.network
    words = [f"{network.architecture.inputs[0]} inputs"]
    for layer, shape in zip(network.layers, network.architecture.shapes[1:], strict=True):
        activation = getattr(layer, "activation", None)
        rate = getattr(layer, "rate", None)
        words.append(f"dropout {rate:g}" if rate is not None else f"{shape[0]} {activation.name}")  # type: ignore[union-attr]
    return " → ".join(words) + f"   ({network.architecture.size:,} parameters, {network.engine} engine)"


def run_page(model: TableModel) -> str:
    """Return how the run went: epochs, seconds, why it stopped, the learning curve."""
    history = model.history
    seconds = f" in {history.seconds[-1]:.1f} s" if history.seconds else ""
    lines = [f"{history.epochs} epochs{seconds}; stopped because {history.stopped_because}"]
    picture = curve({"loss": history.loss, "validation loss": history.validation_loss})
    return "\n".join([*lines, "", picture]) if picture else lines[0]


def report_page(report: Report) -> str:
    """Return the metrics beside the trivial answer's, and the confusion matrix or the errors."""
    lines = [str(report), ""]
    if report.confusion and len(report.classes) <= 20:
        lines += [matrix(report.classes, report.confusion)]
    if report.error_quantiles:
        lines += [
            "error at most " + ", ".join(f"{v:.4g} in {k} of rows" for k, v in report.error_quantiles.items())
        ]
    return "\n".join(lines)


def facts(model: TableModel) -> dict[str, Any]:
    """Return everything that the pages show, as JSON data."""
    encoder, history, network = model.encoder, model.history, model.network
    return {
        "target": model.target.column,
        "task": model.target.task,
        "rows": model.rows,
        "columns": [
            {"name": c.column, "kind": c.name, "features": len(c.features), "description": c.describe()}
            for c in encoder.columns
        ],
        "left_out": dict(encoder.left_out),
        "network": network.architecture.configuration()
        | {"parameters": network.architecture.size, "seed": network.seed, "engine": network.engine},
        "training": network.facts | {"history": history.to_facts()},
        "test": None if model.report is None else model.report.to_dict(),
        "advice": model.advice,
    }
