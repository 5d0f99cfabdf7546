"""The output of the commands: the same facts as text for people and as one object for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.answers.values import figure
from ganglion.cli.drawing import LETTERS, boundary, curve
from ganglion.core.part import Array
from ganglion.errors import amount
from ganglion.network import Network
from ganglion.table_model import TableModel
from ganglion.tables.columns import NumberColumn

if TYPE_CHECKING:
    from ganglion.image_model import ImageModel
    from ganglion.insight import Finding

MOST_COLUMNS = 20
LONGEST_NAME = 40


def columns_page(
    model: TableModel, left_out: bool = True, targets: Sequence[ClassTarget | NumberTarget] = ()
) -> str:
    """Return the encoding of each column, the target or targets, and by default the columns left out."""
    encoder, targets = model.encoder, targets or [model.target]
    predicted = {target.column for target in targets}
    bins = {name: f", {amount(len(edges) - 1, 'bin')}" for name, edges in model.bins.items()}
    lines = [
        (_one_line(column.column), column.describe() + bins.get(column.column, ""))
        for column in encoder.columns
    ]
    hidden = len(lines) - MOST_COLUMNS
    if hidden > 1:
        lines = [*lines[:MOST_COLUMNS], ("...", f"{hidden} more")]
    lines += [(_one_line(target.column), target_words(target)) for target in targets]
    reasons = encoder.reasons() if left_out else {}
    for reason, names in reasons.items():
        if others := [name for name in names if name not in predicted]:
            lines.append((_short([_one_line(name) for name in others], 3), f"left out: {reason}"))
    width = min(max(len(name) for name, _ in lines), 40)
    return "\n".join(f"  {name:<{width}}  {what}" for name, what in lines)


def _one_line(name: str) -> str:
    """Return a name without line breaks, shortened."""
    text = " ".join(name.split())
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 3] + "..."


def target_words(target: ClassTarget | NumberTarget) -> str:
    """Return the classes of a target with their frequencies, or the mean and deviation of a number."""
    if isinstance(target, NumberTarget):
        return f"target, a number, {figure(target.center)} ± {figure(target.scale)}"
    shares = [f"{target.label(i)} {fraction:.0%}" for i, fraction in enumerate(target.shares)]
    return f"target, {len(target.classes)} classes: " + _short(shares)


def _short(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def network_page(model: TableModel, network: Network | None = None) -> str:
    """Return the architecture in one line."""
    network = network or model.network
    columns, inputs = len(model.encoder.columns), network.architecture.input_shape[0]
    words = [amount(inputs, "input")]
    if columns != inputs:
        words = [f"{amount(columns, 'column')} as {words[0]}"]
    words += [layer.describe() for layer in network.layers]
    return " → ".join(words) + f"   ({network.architecture.size:,} parameters, {network.engine} engine)"


def rows_page(model: TableModel, network: Network | None = None) -> str:
    """Return the numbers of rows for training, validation and test."""
    network = network or model.network
    rows, sampling = model.rows, model.sampling
    if sampling.folds and rows["test"]:
        again = f", {sampling.repeats} times" if sampling.repeats > 1 else ""
        everything = rows["train"] + rows["validation"]
        lines = [
            f"{amount(everything, 'row')}, cross-validated with {sampling.folds} folds{again}: "
            f"{amount(rows['test'], 'row')} tested by networks that had not learned from them",
            f"the model itself learned from {amount(network.facts.get('rows', 0), 'row')}",
        ]
        if others := everything - rows["test"]:
            earliest = f"the earliest by {sampling.order}, are only learned from"
            lonely = "never tested, because their classes would have no rows left to learn from"
            lines.insert(1, f"{amount(others, 'row')}: {lonely if sampling.order is None else earliest}")
        return "\n".join(lines)
    lines = [
        f"{amount(rows['train'], 'row')} for training, {rows['validation']:,} for validation, "
        f"{rows['test']:,} for the test"
    ]
    everything, learned = rows["train"] + rows["validation"], network.facts.get("rows")
    if rows["validation"] and learned == everything:
        lines.append(f"after validation, retrained on all {everything:,} rows outside the test")
    elif rows["validation"] and learned == rows["train"]:
        lines.append("the run was ended early, so that the model learned from the rows for training only")
    return "\n".join(lines)


def training_page(network: Network) -> str:
    """Return what a network was trained on and with, "" if it was not."""
    facts = network.facts
    if not facts:
        return ""
    optimizer = facts["optimizer"]["name"] if facts["optimizer"] else "a custom optimizer"
    loss = facts["loss"]["name"] if facts["loss"] else "a custom loss"
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"trained on {amount(facts['rows'], 'row')} with {optimizer}, {loss}, batches of "
        f"{facts['batch_size']}, seed {network.seed} ({versions})"
    )


def run_page(model: TableModel | ImageModel, everything: float | None = None) -> str:
    """Return the epochs and seconds of the run, why it stopped, and the learning curve.

    Args:
        model: the model.
        everything: the seconds of the whole command so far, with all its networks; None if unknown.
    """
    history = model.history
    seconds = f" in {history.seconds[-1]:.1f} s" if history.seconds else ""
    if everything is not None:
        seconds += f", {everything:.1f} s with all other networks and checks"
    lines = [f"{amount(history.epochs, 'epoch')}{seconds}; stopped because {history.stopped_because}"]
    picture = curve({"loss": history.loss, "validation loss": history.validation_loss})
    return "\n".join([*lines, "", picture]) if picture else lines[0]


def answers_page(model: TableModel | ImageModel) -> str:
    """Return how the network's outputs become answers, where not directly."""
    calibration = model.calibration
    lines = [calibration.describe_decision(model.labels or []), calibration.describe()]
    if calibration.levels:
        lines.append(f"prediction intervals up to level {int(calibration.levels[-1] * 1000) / 1000:g}")
    return "\n".join(line for line in lines if line)


def boundary_page(model: TableModel, table: Any) -> str:
    """Return the decision boundary of a model with exactly two number columns, else ""."""
    columns, target = model.encoder.columns, model.target
    plane = len(columns) == 2 and all(isinstance(column, NumberColumn) for column in columns)
    if not (plane and isinstance(target, ClassTarget) and len(target.classes) <= len(LETTERS)):
        return ""
    names = [column.column for column in columns]
    frame = model.read(table).drop_nulls([*names, target.column])

    def predict(points: Array) -> Array:
        rows, _ = model.encoder.encode(pl.DataFrame(dict(zip(names, points.T, strict=True))))
        calibration = model.calibration
        return calibration.decide(calibration.probabilities(model.network.predict(rows)))

    labels = [target.label(number) for number in range(len(target.classes))]
    classes = target.encode(frame.get_column(target.column))
    return boundary(predict, frame.select(names).to_numpy(), classes, labels, [*map(_one_line, names)])


def findings_page(findings: list[Finding]) -> str:
    """Return the findings of the health check during training, with their remedies."""
    if not findings:
        return "The health check found nothing wrong."
    return "\n".join(
        line
        for finding in findings
        for line in (
            f"{finding.severity}: {finding.title}",
            f"  evidence: {finding.evidence}",
            f"  remedy: {finding.remedy}",
        )
    )


def facts(model: TableModel) -> dict[str, Any]:
    """Return everything that the pages show, as JSON data."""
    encoder, history, network = model.encoder, model.history, model.network
    return {
        "target": model.target.column,
        "task": model.target.task,
        "rows": model.rows,
        "sampling": model.sampling.to_facts(),
        "columns": [
            {"name": c.column, "kind": c.name, "features": len(c.features), "description": c.describe()}
            for c in encoder.columns
        ],
        "left_out": dict(encoder.left_out),
        "network": network.architecture.configuration()
        | {"parameters": network.architecture.size, "seed": network.seed, "engine": network.engine},
        "training": network.facts | {"history": history.to_facts()},
        "calibration": model.calibration.to_dict(),
        "test": None if model.report is None else model.report.to_dict(),
        "advice": model.advice,
    }
