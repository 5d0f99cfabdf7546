"""The commands that inspect a model: explain and check."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import polars as pl

from ganglion.answers.target import ClassTarget
from ganglion.cli import image_options, images
from ganglion.cli.console import (
    AS_FOUND,
    Flag,
    Names,
    ReadFlags,
    Whole,
    command,
    notes,
    reading_options,
    say,
    say_json,
    say_page,
    split,
)
from ganglion.cli.joint import load_one
from ganglion.core.part import plain
from ganglion.errors import ConfigError, shortened
from ganglion.files.atomic import write_atomically
from ganglion.insight.trace.equation import Function, Symbol, colored, figure
from ganglion.insight.trace.overview import overview_text
from ganglion.insight.words import Words, words_page
from ganglion.optional import load
from ganglion.table_model.model import RESERVED, TableModel
from ganglion.tables.columns import NumberColumn, TextColumn

MOST_COLUMNS = 20
LEAST_SHOWN = 0.005  # of a bin
MOST_GRAMS = 12
LEAST_DRAWN = 0.1  # of the most telling word
PRINTED = re.compile(r"(\w+)\.(\w+)\[([\d, ]+)\]")


@command
def explain(
    model: Path,
    table: Path,
    /,
    *,
    target: str | None = None,
    row: Whole = 0,
    unit: Names = [],  # noqa: B006  # read only
    gradient: Names = [],  # noqa: B006
    update: Names = [],  # noqa: B006
    features: Flag = False,
    importance: Flag = False,
    dependence: Names = [],  # noqa: B006
    verify: Flag = False,
    training: Flag = False,
    optimizer: str | None = None,
    out: Path | None = None,
    latex: Flag = False,
    json: Flag = False,
    read: ReadFlags = AS_FOUND,
) -> None:
    """Show every number that a model computes for one row or picture, and what moved the answer.

    Parameters
    ----------
    model
        A model file written by train.
    table
        A table with the columns that the model needs, and with the target for gradients; for a model of
        images, a picture.
    target
        The target to explain, if the model has several.
    row
        Index of the row, from 0.
    unit
        Show one unit, its inputs times its weights: LAYER:UNIT, such as dense_1:3; "loss" for the loss.
    gradient
        Show the chain of factors behind one number of the gradient, such as dense_1/weight:3,2.
    update
        Show how the optimizer would update one parameter, such as dense_1/weight:3,2.
    features
        Show the contribution of each column to the prediction, relative to a row of means.
    importance
        Show instead how much worse the predictions for the whole table become without each column.
    dependence
        Show instead the mean prediction for the values of these columns, separated by commas.
    verify
        Compare every gradient with a central difference.
    training
        Trace the next training step, with its dropout, instead of the prediction.
    optimizer
        Optimizer of the update, adam by default.
    out
        For a picture, draw what speaks for the answer (Grad-CAM) to this file: .png, .svg or .pdf; for a row
        with texts, their words in the colors of what they add, .html.
    latex
        Print formulas in LaTeX.
    json
        Print one JSON object instead.
    """
    if (of_images := images.load(model, table)) is not None:
        given = {
            "gradient": gradient, "update": update, "features": features,
            "importance": importance, "dependence": dependence, "verify": verify, "training": training,
            "optimizer": optimizer, **reading_options(read),
        }  # fmt: skip
        image_options.refuse([name for name, value in given.items() if value], model, pictures=True)
        places = [("loss", ()) if text == "loss" else _place(text) for text in unit]
        _say_formulas(images.explain(of_images, target, table, row, places, out, latex, json))
        return
    if importance or dependence:
        _explain_columns(model, table, target, importance, split(dependence), json, read)
        return
    with notes() as collected:
        loaded = load_one(model, target, table)
        frame = loaded.read(table, read.options())
        trace = loaded.trace(frame, row, training, optimizer=optimizer)
        single = frame[row : row + 1]
        contributions = loaded.attribute(single) if features else None
        special = unit or gradient or update or features or verify
        words = loaded.words(single) if json or out is not None or not special else []
        prediction = loaded.predict(single)
    if trace.loss is None and (gradient or update or verify or "loss" in unit):
        column = loaded.target.column
        raise ConfigError(
            f"gradients and losses need the target, and the table lacks the column {column!r}",
            "use --unit or --features",
        )
    if out is not None:
        _write_words(words, out)
    requested = [trace.unit("loss") if text == "loss" else trace.unit(*_place(text)) for text in unit]
    requested += [trace.gradient(*_place(text)) for text in gradient]
    requested += [trace.update(*_place(text)) for text in update]
    verification = trace.verify() if verify else None
    if json:
        say_json(
            {
                "row": row,
                "columns": _plain_row(single),
                "answer": _plain_row(prediction),
                "trace": trace.to_dict(),
                "explained": [each.to_dict() for each in requested],
                "notes": collected,
                "words": [each.to_dict() for each in words],
                "features": None if contributions is None else _plain_row(contributions),
                "verified": None if verification is None else verification.to_dict(),
            }
        )
        return
    if latex:
        say("\n\n".join(each.to_latex() for each in requested) if requested else trace.to_latex())
        return
    for note in collected:
        say(f"note: {note}")
    pages = [_row_page(loaded, single, row, prediction)]
    if training:
        pages.append("below: the next training step, with its dropout, not the prediction")
    if not special:
        output, unit_number = _output(loaded, prediction)
        pages += [_scaled_page(loaded, single), _bins_page(loaded, single)]
        pages += [_grams_page(loaded, single, prediction), *map(str, words)]
        pages += [overview_text(trace), trace.unit(output, unit_number).words]
        first = next(step.name for step in loaded.network.architecture.steps if step.parameters)
        more = f", --gradient {first}/weight:0,0, --update {first}/weight:0,0, --verify"
        pages += [f"more detail: --unit {first}:0, --features{'' if trace.loss is None else more}"]
    pages += [str(each) for each in requested]
    pages += [] if contributions is None else [_contributions_page(contributions, loaded, single, prediction)]
    pages += [] if verification is None else [str(verification)]
    _say_formulas("\n\n".join(page for page in pages if page))
    if sys.stdout.isatty():
        _draw_words(words)


def _write_words(words: list[Words], out: Path) -> None:
    if out.suffix != ".html":
        raise ConfigError(f"--out must end in .html for a row of a table, got {out.name}")
    if not words:
        raise ConfigError("--out writes the words of texts, and this row has no text", "leave --out out")
    page = words_page(words).encode()
    write_atomically(out, lambda stream: stream.write(page))


def _draw_words(words: list[Words]) -> None:
    """Print texts on a terminal, green where a word adds to the answer and red where it takes from it."""
    for each in words:
        drawn = load("rich.text").Text(f"{each.column}: ")
        for piece, share in each.pieces():
            style = "" if abs(share) < LEAST_DRAWN else "green" if share > 0 else "red"
            drawn.append(piece, f"bold {style}" if abs(share) > 0.5 else style)
        load("rich.console").Console().print(drawn)


def _say_formulas(text: str) -> None:
    """Print text, with colored formulas on a terminal."""
    if sys.stdout.isatty():
        load("rich.console").Console().print(colored(text), soft_wrap=True)
    else:
        say(text)


def _explain_columns(
    model: Path,
    table: Path,
    target: str | None,
    importance: bool,
    columns: list[str],
    json: bool,
    read: ReadFlags,
) -> None:
    """Show the importance of all columns, and the dependence on some."""
    with notes() as collected:
        loaded = load_one(model, target, table)
        frame = loaded.read(table, read.options())
        found = loaded.importance(frame) if importance else None
        dependences = [loaded.dependence(frame, column) for column in columns]
    facts = {
        "importance": None if found is None else found.to_dict(),
        "dependence": [each.to_dict() for each in dependences],
    }
    pages = [*([] if found is None else [str(found)]), *map(str, dependences)]
    say_page("\n\n".join(pages), facts, collected, json)


@command
def check(
    model: Path,
    table: Path,
    /,
    *,
    target: str | None = None,
    json: Flag = False,
    read: ReadFlags = AS_FOUND,
) -> None:
    """Find problems of a model, its training or its data, each with a remedy.

    Parameters
    ----------
    model
        A model file written by train.
    table
        A table with the target and the columns that the model needs, preferably the training table; for a
        model of images, pictures as train takes them.
    target
        The target to check, if the model has several.
    json
        Print one JSON object instead.
    """
    if (of_images := images.load(model, table)) is not None:
        given = [name for name, value in reading_options(read).items() if value]
        image_options.refuse(given, model, pictures=True)
        images.check(of_images, target, table, json)
        return
    with notes() as collected:
        loaded = load_one(model, target, table)
        health = loaded.health(loaded.read(table, read.options()))
    say_page(health, health.to_dict(), collected, json)


def _place(text: str) -> tuple[str, tuple[int, ...]]:
    """Return the name and the index in `dense_1/weight:3,2` or `dense_1.weight[3, 2]`."""
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
            f"an index must be written NAME:NUMBER or NAME:NUMBER,NUMBER, got {shortened(text)}",
            "such as dense_1:3 for a unit, dense_1/weight:3,2 for a weight",
        )
    return name, numbers


def _output(model: TableModel, prediction: pl.DataFrame) -> tuple[str, int]:
    """Return the last layer and its unit for the prediction."""
    unit = 0
    if isinstance(model.target, ClassTarget):
        unit = int(prediction.drop("prediction").to_numpy()[0].argmax())
    return model.network.architecture.names[-1], unit


def _row_page(model: TableModel, single: pl.DataFrame, row: int, prediction: pl.DataFrame) -> str:
    used = [column.column for column in model.encoder.columns]
    shown = [f"{name} {_value(single[name][0])}" for name in used[:MOST_COLUMNS]]
    more = f" and {len(used) - MOST_COLUMNS} more" if len(used) > MOST_COLUMNS else ""
    predicted = _value(prediction["prediction"][0])
    target = model.target
    if isinstance(target, ClassTarget):
        number = target.classes.index(prediction["prediction"][0])
        probability = float(prediction.drop("prediction").to_numpy()[0, number])
        predicted += f" with probability {figure(probability)}"
        raw = float(model.network.predict(model.encode_inputs(single))[0, number])
        if raw != probability:
            predicted += f", calibrated from the network's {figure(raw)}"
    truth = ""
    if target.column in single.columns and single[target.column][0] is not None:
        truth = f"; the target is {_value(single[target.column][0])}"
    lines = [
        f"row {row}: {', '.join(shown)}{more}",
        f"{target.column}: the model predicts {predicted}{truth}",
    ]
    if isinstance(target, ClassTarget) and len(target.classes) <= MOST_COLUMNS:
        last = model.network.architecture.names[-1]
        outputs = (f"{number} for {target.label(number)}" for number in range(len(target.classes)))
        lines.append(f"the units of {last} are the classes: {', '.join(outputs)}")
    return "\n".join(lines)


def _scaled_page(model: TableModel, single: pl.DataFrame) -> str:
    """Return the scaling of each number of the row."""
    lines, rules = list[str](), list[str]()
    for column in model.encoder.columns[:MOST_COLUMNS]:
        if not isinstance(column, NumberColumn):
            continue
        value, missing = single[column.column][0], ""
        if value is None:
            value, missing = column.fill, "   (missing, replaced by the median)"
        if isinstance(value, int | float):
            scaled = float(column.scaled(value))
            rule, numbers = column.rule(float(value))
            rules.append(rule)
            made = Function(Symbol(column.column), scaled, rule, arguments=numbers)
            lines.append(f"  {column.column} = {made.expression} = {figure(scaled)}{missing}")
            if column.missing:
                lines.append(f"  {column.column}:missing = {int(bool(missing))}")
    heading = f"the network sees scaled numbers, {rules[0]}:" if rules else ""
    return "\n".join([heading, *lines]) if lines else ""


def _grams_page(model: TableModel, single: pl.DataFrame, prediction: pl.DataFrame) -> str:
    """Return the n-grams whose sum a text becomes: that of the predicted class, if there are several."""
    lines = []
    for column in model.encoder.columns:
        text = single[column.column][0]
        if not isinstance(column, TextColumn) or not isinstance(text, str):
            continue
        label = prediction["prediction"][0]
        if isinstance(model.target, ClassTarget):
            label = model.target.label(model.target.classes.index(label))
        goal = column.goals.index(label) if label in column.goals else 0
        feature, found = column.features[goal], column.table(text)
        parts = found.with_columns(part=pl.col("weight") * pl.col(feature))
        total, center, scale = float(parts["part"].sum()), column.center[goal], column.scale[goal]
        lines += [
            f"{feature} = (sum - center) / scale = ({figure(total)} - {figure(center)}) / {figure(scale)} = "
            f"{figure((total - center) / scale)},",
            f"the sum of a bias and {parts.height - 1} known n-grams, each weight times learned number:",
        ]
        shown = parts.sort(pl.col("part").abs(), descending=True, maintain_order=True).head(MOST_GRAMS)
        width = max(map(len, shown["gram"]))
        for row in shown.iter_rows(named=True):
            where = "" if row["bucket"] is None else f"   bucket {row['bucket']}, count {row['count']}"
            product = f"{figure(row['weight'])} × {figure(row[feature])} = {figure(row['part'])}"
            lines.append(f"  {row['gram']:<{width}}  {product}{where}")
        rest = total - float(shown["part"].sum())
        lines += [f"  {'the others':<{width}}  {figure(rest)}"] if parts.height > shown.height else []
    return "\n".join(lines)


def _bins_page(model: TableModel, single: pl.DataFrame) -> str:
    """Return which bins of each number of the row are full, and how far the next one is."""
    lines = []
    for name, edges in list(model.bins.items())[:MOST_COLUMNS]:
        value = single[name][0]
        if not isinstance(value, int | float):
            continue
        full = sum(value >= edge for edge in edges[1:])
        before = f"bin {full} full, " if full == 1 else f"bins 1 to {full} full, " if full else ""
        line = f"  {name} {figure(value)}: {before}"
        if full == len(edges) - 1:
            lines.append(line.removesuffix(", "))
            continue
        low, high = edges[full], edges[full + 1]
        reach = max(0.0, (value - low) / (high - low))
        of = f"({figure(low)} to {figure(high)})"
        part = f"full to {reach:.2f}" if reach >= LEAST_SHOWN else "empty"
        lines.append(f"{line}bin {full + 1} {of} {part}")
    heading = "and how full the bins of each number are, of which the later ones are empty:"
    return "\n".join([heading, *lines]) if lines else ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return figure(value) if isinstance(value, float) else "missing" if value is None else str(value)


def _contributions_page(
    contributions: pl.DataFrame, model: TableModel, single: pl.DataFrame, prediction: pl.DataFrame
) -> str:
    """Return what each column adds to the explained number, and how that becomes the answer."""
    explained, baseline = float(contributions["explained"][0]), float(contributions["baseline"][0])
    parts = {name: float(contributions[name][0]) for name in contributions.columns if name not in RESERVED}
    ordered = sorted(parts.items(), key=lambda pair: -abs(pair[1]))
    width = max(map(len, parts))
    largest = max(map(abs, parts.values())) or 1.0
    # In decimals as a rule, but tiny and huge contributions stay readable.
    form = "+.6f" if 1e-3 <= largest < 1e6 else "+.5e"
    of, after = "", ""
    if isinstance(model.target, ClassTarget):
        number = int(model.network.predict(model.encode_inputs(single))[0].argmax())
        label = model.target.label(number)
        of = f" to the network's output for {label}"
        probability = float(prediction.drop("prediction").to_numpy()[0, number])
        if model.calibration.steps:
            after = (
                f"calibration turns {figure(explained)} into the probability {figure(probability)} of {label}"
            )
            after += f" ({model.calibration.steps})"
    lines = [f"contributions{of}, from {figure(baseline)} for a row of means to {figure(explained)}:"]
    for name, value in ordered[:MOST_COLUMNS]:
        bar = ("+" if value > 0 else "-") * round(20 * abs(value) / largest)
        lines.append(f"  {name:<{width}}  {format(value, form):>12}  {bar}".rstrip())
    if rest := ordered[MOST_COLUMNS:]:
        lines.append(f"  {f'{len(rest)} more':<{width}}  {format(sum(v for _, v in rest), form):>12}")
    lines.append(f"  {'total':<{width}}  {format(sum(parts.values()), form):>12}")
    lines += [after] if after else []
    return "\n".join(lines)


def _plain_row(frame: pl.DataFrame) -> dict[str, Any]:
    cells = frame.row(0, named=True).items()
    return plain({k: v if isinstance(v, str | float | int | None) else str(v) for k, v in cells})
