"""Models of several targets on the command line: which one is meant, and what is shown of all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ganglion.answers.report import Report, metric_figure, metric_label
from ganglion.answers.target import ClassTarget
from ganglion.cli import pages
from ganglion.cli.console import split
from ganglion.errors import ConfigError, FileError
from ganglion.files.model_file import read_model
from ganglion.image_model import ImageModel, JointImageModel
from ganglion.joint import Head, JointModel, OneTarget, heads_of
from ganglion.table_model import JointTableModel, TableModel

MODEL = ".safetensors"
MOST_REPORTS = 8  # in full, of an evaluation
DIGITS = 7  # of a 32-bit number
OWN = ("target", "task", "calibration", "test", "advice")  # facts on a target
AnyModel = TableModel | JointTableModel | ImageModel | JointImageModel


def check_order(path: Path, source: Path | None) -> None:
    """Raise `ConfigError` if a model and what was given with it were swapped."""
    if source is not None and source.suffix == MODEL and path.suffix != MODEL:
        raise ConfigError(
            f"the model must come first and then the table or the pictures, got {path.name} {source.name}",
            "swap them",
        )


def load_any(path: Path, table: Path | None = None) -> TableModel | JointTableModel:
    """Return the table model of a file, of one target or of several.

    Args:
        path: of the model.
        table: the table given with it.

    Raises:
        ConfigError: if the table and the model were swapped.
        FileError: if the file is missing, damaged, or holds a bare network.
    """
    check_order(path, table)
    file = read_model(path)
    model = JointTableModel.from_saved(file) or TableModel.from_saved(file)
    if file.images is not None:
        raise FileError(f"{path} holds a model of images, and this needs one of a table")
    if model is None:
        raise FileError(f"{path} holds a network without a table's encoder", "load it with gg.Network.load")
    return model


def load_one(path: Path, target: str | None, table: Path | None = None) -> TableModel:
    """Return the model of one target, which must be named if there are several.

    Raises:
        ConfigError: if it is not named, or there is no such target.
        FileError: as `load_any` does.
    """
    return one_of_targets(load_any(path, table), target)


def one_of_targets(model: Head | JointModel[Head], target: str | None) -> Head:
    """Return the model of one target, which must be named if there are several.

    Raises:
        ConfigError: if it is not named, or there is no such target.
    """
    if isinstance(model, JointModel):
        if target is None:
            raise ConfigError(
                f"the model has the targets {', '.join(model.heads)}", "choose one with --target"
            )
        return model.head(target)
    if target is not None and target != model.target.column:
        raise ConfigError(f"the model has the target {model.target.column!r}, got --target {target!r}")
    return model


def target_of(option: str) -> str | list[str]:
    """Return the target in an option, or the targets, which commas separate."""
    names = split([option])
    return names[0] if len(names) == 1 else names


def require_classes(heads: Sequence[OneTarget]) -> None:
    """Raise `ConfigError` if no target has classes, of which --probabilities could be shown."""
    if not any(isinstance(head.target, ClassTarget) for head in heads):
        names = ", ".join(repr(head.target.column) for head in heads)
        raise ConfigError(
            f"--probabilities is for classes, and {names} is a number",
            "use --interval 0.9 for the range of likely values",
        )


def shortest(predictions: pl.DataFrame, model: AnyModel) -> pl.DataFrame:
    """Return predictions without the digits that a network's 32-bit outputs do not determine."""
    columns = [pl.col(n).cast(pl.Float32) for n in predictions.columns if n.startswith("probability_")]
    for head in all_heads(model):
        if isinstance(head.target, ClassTarget):
            continue
        ending = f"_{head.target.column}" if isinstance(model, JointModel) else ""
        decimals = max(0, DIGITS - math.floor(math.log10(head.target.scale)))
        names = [name + ending for name in ("prediction", "low", "high")]
        columns += [pl.col(name).round(decimals) for name in names if name in predictions.columns]
    return predictions.with_columns(columns)


def facts(model: TableModel | JointTableModel) -> dict[str, Any]:
    """Return everything that the pages show, as JSON data; what belongs to a target is in `targets`."""
    if isinstance(model, TableModel):
        return pages.facts(model)
    shared = facts_of(model, [pages.facts(head) for head in heads_of(model)], OWN)
    left_out = {name: why for name, why in shared["left_out"].items() if name not in model.heads}
    return shared | {"left_out": left_out}


def facts_of(model: JointModel[Any], each: Sequence[dict[str, Any]], own: Sequence[str]) -> dict[str, Any]:
    """Return the facts on a model of several targets.

    Args:
        model: the model.
        each: the facts on each of its heads.
        own: what of these belongs to the target.
    """
    network = model.network
    shared = {key: value for key, value in each[0].items() if key not in own}
    shared["network"] = network.architecture.configuration() | {
        "parameters": network.architecture.size,
        "seed": network.seed,
        "engine": network.engine,
    }
    shared["training"] = network.facts | {"history": each[0]["training"]["history"]}
    return {"targets": [{key: one[key] for key in own if key in one} for one in each]} | shared


def columns_page(model: TableModel | JointTableModel, left_out: bool = True) -> str:
    """Return the encoding of each column, then the targets."""
    heads = heads_of(model)
    return pages.columns_page(heads[0], left_out, [head.target for head in heads])


def results_page(model: AnyModel) -> str:
    """Return the report and the advice of each target; of many, a line for each."""
    if isinstance(model, JointModel) and len(model.heads) > MOST_REPORTS:
        return _summary(model.reports)
    return _for_each(model, lambda head: [str(head.report or ""), head.advice])


def answers_page(model: AnyModel) -> str:
    """Return for each target how outputs become answers, its report and its advice."""
    return _for_each(model, lambda head: [pages.answers_page(head), str(head.report or ""), head.advice])


def reports_page(reports: Report | Mapping[str, Report]) -> str:
    """Return the reports of an evaluation."""
    if isinstance(reports, Report):
        return str(reports)
    if len(reports) > MOST_REPORTS:
        return _summary(reports)
    return "\n\n".join(f"{name}:\n{report}" for name, report in reports.items())


def _summary(reports: Mapping[str, Report | None]) -> str:
    """Return a line for each target, with the metric that matters most."""
    width = max(map(len, reports))
    lines = [f"{'target':<{width}}  {'rows':>8}  {'metric':<17}  {'model':>8}  {'baseline':>8}"]
    for name, report in reports.items():
        if report is None:
            lines.append(f"{name:<{width}}  no report")
            continue
        metric = report.main_metric
        model, baseline = (metric_figure(metric, each[metric]) for each in (report.metrics, report.baseline))
        lines.append(
            f"{name:<{width}}  {report.rows:>8,}  {metric_label(metric):<17}  {model:>8}  {baseline:>8}"
        )
    return "\n".join([*lines, f"the reports of the {len(reports)} targets in full: --json"])


def reports_facts(reports: Report | Mapping[str, Report]) -> dict[str, Any]:
    """Return the reports of an evaluation as JSON data."""
    if isinstance(reports, Report):
        return reports.to_dict()
    return {name: report.to_dict() for name, report in reports.items()}


def all_heads(model: AnyModel) -> Sequence[TableModel | ImageModel]:
    """Return the model of each target, of a table or of pictures."""
    return list(model.heads.values()) if isinstance(model, JointModel) else [model]


def _for_each(model: AnyModel, parts: Callable[[TableModel | ImageModel], list[str]]) -> str:
    found = []
    for head in all_heads(model):
        title = f"{head.target.column}:" if isinstance(model, JointModel) else ""
        found += [part for part in (title, *parts(head)) if part]
    return "\n\n".join(found)
