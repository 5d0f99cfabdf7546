"""The commands that look inside a model."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import polars as pl

from ganglion.cli.console import Flag, Names, Whole, notes, say, say_json, tell
from ganglion.core.part import plain
from ganglion.errors import ConfigError, shortened
from ganglion.insight.trace.equation import Function, Symbol, colored, figure
from ganglion.insight.trace.overview import overview_text
from ganglion.optional import load
from ganglion.table_model import TAKEN, TableModel
from ganglion.tables.columns import NumberColumn
from ganglion.tables.read import read_table
from ganglion.tables.target import ClassTarget

MOST_COLUMNS = 20
PRINTED = re.compile(r"(\w+)\.(\w+)\[([\d, ]+)\]")


def explain(
    model: Path,
    table: Path,
    /,
    *,
    row: Whole = 0,
    unit: Names = [],  # noqa: B006  # read only
    gradient: Names = [],  # noqa: B006
    update: Names = [],  # noqa: B006
    features: Flag = False,
    verify: Flag = False,
    training: Flag = False,
    optimizer: str | None = None,
    latex: Flag = False,
    json: Flag = False,
) -> None:
    """Show every number of one row on its way through a model, and what moved the answer.

    Parameters
    ----------
    model
        A file that train wrote.
    table
        With the columns that the model needs, and the target for gradients.
    row
        Which row, from 0.
    unit
        One unit: its inputs times its weights, as LAYER:UNIT, such as dense_1:3; "loss" for the loss.
    gradient
        One number of the gradient and the chain of factors behind it, such as dense_1/weight:3,2.
    update
        What the optimizer would do to one number, such as dense_1/weight:3,2.
    features
        How much each column moved the answer, away from a row of means.
    verify
        Compare every gradient with a central difference.
    training
        What the next training step would do, with its dropout, in place of what predicting does.
    optimizer
        Of the update, adam by default.
    latex
        Print formulas in LaTeX.
    json
        Print one JSON object instead.
    """
    frame = read_table(table)
    with notes() as said:
        found = TableModel.load(model)
        trace = found.trace(frame, row, training, optimizer=optimizer)
        one = frame[row : row + 1]
        moved = found.attribute(one) if features else None
        answer = found.predict(one)
    if trace.loss is None and (gradient or update or verify or "loss" in unit):
        target = found.target.column
        raise ConfigError(
            f"gradients and losses need the answer, and the table lacks the column {target!r}",
            "ask for --unit or --features",
        )
    asked = [trace.unit("loss") if text == "loss" else trace.unit(*_place(text)) for text in unit]
    asked += [trace.gradient(*_place(text)) for text in gradient]
    asked += [trace.update(*_place(text)) for text in update]
    proof = trace.verify() if verify else None
    if json:
        facts: dict[str, Any] = {"row": row, "columns": _plain_row(one), "answer": _plain_row(answer)}
        facts |= {"trace": trace.to_dict(), "explained": [each.to_dict() for each in asked], "notes": said}
        facts["features"] = None if moved is None else _plain_row(moved)
        facts["verified"] = None if proof is None else proof.to_dict()
        say_json(facts)
        return
    if latex:
        say("\n\n".join(each.to_latex() for each in asked) if asked else trace.to_latex())
        return
    for note in said:
        say(f"note: {note}")
    pages = [_row_page(found, one, row, answer)]
    if training:
        pages.append("what follows is the next training step, with its dropout, not the prediction")
    if not asked and moved is None and proof is None:
        output, unit_number = _output(found, answer)
        pages += [_scaled_page(found, one), overview_text(trace), trace.unit(output, unit_number).words]
        first = trace.layers[0].name
        more = f", --gradient {first}/weight:0,0, --update {first}/weight:0,0, --verify"
        pages += [f"look closer: --unit {first}:0, --features{'' if trace.loss is None else more}"]
    pages += [str(each) for each in asked]
    pages += [] if moved is None else [_moved_page(moved)]
    pages += [] if proof is None else [str(proof)]
    text = "\n\n".join(page for page in pages if page)
    if sys.stdout.isatty():
        load("rich.console").Console().print(colored(text), soft_wrap=True)
    else:
        say(text)


def check(model: Path, table: Path, /, *, json: Flag = False) -> None:
    """Look for what is wrong with a model, its training or its table, and what to do about it.

    Parameters
    ----------
    model
        A file that train wrote.
    table
        With the columns that the model needs and its target, best the one that it learned from.
    json
        Print one JSON object instead.
    """
    with notes() as said:
        health = TableModel.load(model).health(table)
    tell(health, health.to_dict(), said, json)


def _place(text: str) -> tuple[str, tuple[int, ...]]:
    """Return what `dense_1/weight:3,2` names, or `dense_1.weight[3, 2]`: the name, and the place in it."""
    if printed := PRINTED.fullmatch(text):
        layer, letter, place = printed.groups()
        text = f"{layer}:{place}" if letter in ("z", "a") else f"{layer}/{letter}:{place}"
    name, colon, place = text.rpartition(":")
    try:
        numbers = tuple(int(word) for word in place.split(","))
    except ValueError:
        numbers = ()
    if not (colon and name and numbers):
        raise ConfigError(
            f"a place must be written NAME:NUMBER or NAME:NUMBER,NUMBER, got {shortened(text)}",
            "such as dense_1:3 for a unit, dense_1/weight:3,2 for a weight",
        )
    return name, numbers


def _output(model: TableModel, answer: pl.DataFrame) -> tuple[str, int]:
    """Return the last layer, and the unit of it that gave the answer."""
    unit = 0
    if isinstance(model.target, ClassTarget):
        unit = int(answer.drop("prediction").to_numpy()[0].argmax())
    return model.network.architecture.names[-1], unit


def _row_page(model: TableModel, one: pl.DataFrame, row: int, answer: pl.DataFrame) -> str:
    used = [column.column for column in model.encoder.columns]
    shown = [f"{name} {_value(one[name][0])}" for name in used[:MOST_COLUMNS]]
    more = f" and {len(used) - MOST_COLUMNS} more" if len(used) > MOST_COLUMNS else ""
    says = _value(answer["prediction"][0])
    target = model.target
    if isinstance(target, ClassTarget):
        says += f" with probability {figure(float(answer.drop('prediction').to_numpy()[0].max()))}"
    truth = ""
    if target.column in one.columns and one[target.column][0] is not None:
        truth = f"; the table says {_value(one[target.column][0])}"
    lines = [f"row {row}: {', '.join(shown)}{more}", f"{target.column}: the model says {says}{truth}"]
    if isinstance(target, ClassTarget) and len(target.classes) <= MOST_COLUMNS:
        last = model.network.architecture.names[-1]
        outputs = (f"{number} for {target.label(number)}" for number in range(len(target.classes)))
        lines.append(f"the units of {last} stand for the answers: {', '.join(outputs)}")
    return "\n".join(lines)


def _scaled_page(model: TableModel, one: pl.DataFrame) -> str:
    """Return how each number of the row became what the network sees."""
    lines = []
    for column in model.encoder.columns[:MOST_COLUMNS]:
        if not isinstance(column, NumberColumn):
            continue
        value, missing = one[column.column][0], ""
        if value is None:
            value, missing = column.fill, "   (missing: the median is taken)"
        if isinstance(value, int | float):
            numbers = {"value": float(value), "center": column.center, "scale": column.scale}
            scaled = (value - column.center) / column.scale
            rule = "(value - center) / scale"
            made = Function(Symbol(column.column), scaled, rule, arguments=numbers)
            lines.append(f"  {column.column} = {made.expression} = {figure(scaled)}{missing}")
    heading = "numbers are scaled for the network, (value - center) / scale:"
    return "\n".join([heading, *lines]) if lines else ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return figure(value) if isinstance(value, float) else "missing" if value is None else str(value)


def _moved_page(moved: pl.DataFrame) -> str:
    explained, baseline = float(moved["explained"][0]), float(moved["baseline"][0])
    parts = {name: float(moved[name][0]) for name in moved.columns if name not in TAKEN}
    ordered = sorted(parts.items(), key=lambda pair: -abs(pair[1]))
    width = max(map(len, parts))
    largest = max(map(abs, parts.values())) or 1.0
    lines = [f"from {figure(baseline)} for a row of means to {figure(explained)}, moved by"]
    for name, value in ordered[:MOST_COLUMNS]:
        bar = ("+" if value > 0 else "-") * round(20 * abs(value) / largest)
        lines.append(f"  {name:<{width}}  {value:>+12.6f}  {bar}".rstrip())
    if rest := ordered[MOST_COLUMNS:]:
        lines.append(f"  {f'{len(rest)} more':<{width}}  {sum(v for _, v in rest):>+12.6f}")
    lines.append(f"  {'together':<{width}}  {sum(parts.values()):>+12.6f}")
    return "\n".join(lines)


def _plain_row(frame: pl.DataFrame) -> dict[str, Any]:
    cells = frame.row(0, named=True).items()
    return plain({k: v if isinstance(v, str | float | int | None) else str(v) for k, v in cells})
