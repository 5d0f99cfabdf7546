"""Models of several targets on the command line: which one is meant, and what is shown of all."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from ganglion.answers.target import ClassTarget
from ganglion.cli import pages
from ganglion.errors import ConfigError, FileError
from ganglion.files.model_file import read_model
from ganglion.image_model import ImageModel
from ganglion.table_model import JointTableModel, TableModel
from ganglion.table_model.answering import heads_of

MODEL = ".safetensors"
DIGITS = 7  # of a 32-bit number


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
    model = load_any(path, table)
    if isinstance(model, JointTableModel):
        if target is None:
            raise ConfigError(
                f"the model has the targets {', '.join(model.heads)}", "choose one with --target"
            )
        return model.head(target)
    if target is not None and target != model.target.column:
        raise ConfigError(f"the model has the target {model.target.column!r}, got --target {target!r}")
    return model


def shortest(predictions: pl.DataFrame, model: TableModel | JointTableModel | ImageModel) -> pl.DataFrame:
    """Return predictions without the digits that a network's 32-bit outputs do not determine."""
    heads = [model] if isinstance(model, ImageModel) else heads_of(model)
    columns = [pl.col(n).cast(pl.Float32) for n in predictions.columns if n.startswith("probability_")]
    for head in heads:
        if isinstance(head.target, ClassTarget):
            continue
        ending = f"_{head.target.column}" if isinstance(model, JointTableModel) else ""
        decimals = max(0, DIGITS - math.floor(math.log10(head.target.scale)))
        names = [name + ending for name in ("prediction", "low", "high")]
        columns += [pl.col(name).round(decimals) for name in names if name in predictions.columns]
    return predictions.with_columns(columns)


def facts(model: TableModel | JointTableModel) -> dict[str, Any]:
    """Return everything that the pages show, as JSON data; what belongs to a target is in `targets`."""
    if isinstance(model, TableModel):
        return pages.facts(model)
    each = [pages.facts(head) for head in heads_of(model)]
    own = ("target", "task", "calibration", "test", "advice")
    shared = {key: value for key, value in each[0].items() if key not in own}
    shared["left_out"] = {
        name: reason for name, reason in shared["left_out"].items() if name not in model.heads
    }
    network = model.network
    shared["network"] = network.architecture.configuration() | {
        "parameters": network.architecture.size,
        "seed": network.seed,
        "engine": network.engine,
    }
    shared["training"] = network.facts | {"history": heads_of(model)[0].history.to_facts()}
    return {"targets": [{key: one[key] for key in own if key in one} for one in each]} | shared


def columns_page(model: TableModel | JointTableModel, left_out: bool = True) -> str:
    """Return the encoding of each column, then the targets."""
    heads = heads_of(model)
    return pages.columns_page(heads[0], left_out, [head.target for head in heads])


def results_page(model: TableModel | JointTableModel) -> str:
    """Return the report and the advice of each target."""
    return _for_each(model, lambda head: [str(head.report or ""), head.advice])


def answers_page(model: TableModel | JointTableModel) -> str:
    """Return for each target how outputs become answers, its report and its advice."""
    return _for_each(model, lambda head: [pages.answers_page(head), str(head.report or ""), head.advice])


def _for_each(model: TableModel | JointTableModel, parts: Callable[[TableModel], list[str]]) -> str:
    found = []
    for head in heads_of(model):
        title = f"{head.target.column}:" if isinstance(model, JointTableModel) else ""
        found += [part for part in (title, *parts(head)) if part]
    return "\n\n".join(found)
