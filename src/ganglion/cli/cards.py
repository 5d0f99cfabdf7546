"""Model cards: what a model is, learned from, how well it answers and where it does not, as Markdown.

Mitchell et al., "Model cards for model reporting", FAT* 2019.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Collection, Iterator, Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import ganglion
from ganglion.answers.report import Report, metric_figure, metric_label
from ganglion.answers.target import ClassTarget
from ganglion.answers.values import figure
from ganglion.cli import image_pages, joint, pages
from ganglion.cli.joint import AnyModel, all_heads
from ganglion.files.atomic import write_atomically
from ganglion.image_model import ImageModel, JointImageModel
from ganglion.insight import plot
from ganglion.table_model import TableModel
from ganglion.tables.columns import CategoryColumn, Column, DateColumn, LevelColumn, NumberColumn

MOST_COLUMNS, MOST_WORDS = 100, 8
FEW_ROWS, FEW_OF_CLASS = 200, 0.1
DAY_ZERO = datetime.date(1970, 1, 1)


def write_card(path: Path, file: Path, model: AnyModel) -> list[Path]:
    """Write a card and, where Matplotlib is installed, pictures beside it; return the pictures.

    Args:
        path: of the card.
        file: the model's file.
        model: the model in it.
    """
    pictures = _pictures(path, model) if find_spec("matplotlib") else {}
    text = "\n\n".join(_sections(file, model, {what: made.name for what, made in pictures.items()}))
    write_atomically(path, lambda stream: stream.write((text + "\n").encode()))
    return list(pictures.values())


def _sections(file: Path, model: AnyModel, pictures: dict[str, str]) -> Iterator[str]:
    heads = all_heads(model)
    first, network = heads[0], model.network
    data, today = file.read_bytes(), datetime.datetime.now(tz=datetime.UTC).date()
    yield f"# {_cell(file.name)}"
    yield "\n".join(
        [
            *(
                f"- predicts {_cell(head.target.column)}: {_cell(pages.target_words(head.target))}"
                for head in heads
            ),
            f"- {network.architecture.size:,} weights as {network.dtype}, {len(data):,} bytes",
            f"- SHA-256 of the file: `{hashlib.sha256(data).hexdigest()}`",
            f"- written by ganglion {ganglion.__version__}, {today}",
        ]
    )
    yield "## What it learned from"
    if isinstance(model, ImageModel | JointImageModel):
        yield _code(image_pages.pictures_page(model))
        yield _code(image_pages.rows_page(model))
    else:
        assert isinstance(first, TableModel)
        yield _columns(first, {head.target.column for head in heads})
        yield _code(pages.rows_page(first, network))
    yield "## How it learned"
    yield _code(pages.training_page(network) or "it was not trained")
    yield f"{first.history.epochs} epochs; stopped because {_cell(first.history.stopped_because)}."
    if "learning" in pictures:
        yield f"![loss by epoch]({pictures['learning']})"
    yield "## How well it answers"
    for number, head in enumerate(heads):
        if len(heads) > 1:
            yield f"### {_cell(head.target.column)}"
        yield _scores(head.report)
        if (name := f"reliability-{number}") in pictures:
            yield f"![probabilities and frequencies]({pictures[name]})"
        yield head.advice[0].upper() + head.advice[1:]
    yield "## Known limits"
    yield "\n".join(f"- {each}" for each in _limits(heads))
    yield "## The network"
    yield _code(network.describe())


def _columns(model: TableModel, targets: Collection[str]) -> str:
    """Return a table of the columns with the range of each."""
    lines = ["| column | encoded as | values in training |", "|---|---|---|"]
    lines += [
        f"| {_cell(column.column)} | {_cell(column.describe())} | {_cell(_range(column))} |"
        for column in model.encoder.columns[:MOST_COLUMNS]
    ]
    if (more := len(model.encoder.columns) - MOST_COLUMNS) > 0:
        lines.append(f"| ... | {more} more columns | |")
    for reason, every in model.encoder.reasons().items():
        names = [name for name in every if name not in targets]
        shown = ", ".join(names[:MOST_WORDS]) + (" ..." if len(names) > MOST_WORDS else "")
        lines += [f"| {_cell(shown)} | left out: {_cell(reason)} | |"] if names else []
    return "\n".join(lines)


def _range(column: Column) -> str:
    if isinstance(column, NumberColumn) and column.low is not None and column.high is not None:
        return f"{figure(column.low)} to {figure(column.high)}"
    if isinstance(column, DateColumn) and column.low is not None and column.high is not None:
        first, last = (DAY_ZERO + datetime.timedelta(days=int(each)) for each in (column.low, column.high))
        return f"{first} to {last}"
    if isinstance(column, CategoryColumn | LevelColumn):
        words = column.categories if isinstance(column, CategoryColumn) else column.levels
        return ", ".join(words[:MOST_WORDS]) + (
            f" and {len(words) - MOST_WORDS} more" if len(words) > MOST_WORDS else ""
        )
    return ""


def _scores(report: Report | None) -> str:
    if report is None:
        return "It was not tested on rows that it had not learned from."
    lines = ["| metric | model | 95 % interval | linear model | baseline |", "|---|---|---|---|---|"]
    for name, value in report.metrics.items():
        ends = " to ".join(metric_figure(name, end) for end in report.intervals.get(name, [])) or "-"
        linear = metric_figure(name, report.linear[name]) if name in report.linear else "-"
        cells = (
            metric_label(name),
            metric_figure(name, value),
            ends,
            linear,
            metric_figure(name, report.baseline[name]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    held = f"On {report.rows:,} rows that it had not learned from" + (
        f", in {report.folds} folds." if report.folds > 1 else "."
    )
    return "\n".join([held, "", *lines])


def _limits(heads: Sequence[Any]) -> Iterator[str]:
    """Yield what the model cannot be expected to do."""
    first = heads[0]
    if isinstance(first, TableModel):
        columns = first.encoder.columns
        yield "It knows the columns and ranges above. Values far outside are noted; answers are guesses."
        if any(isinstance(column, CategoryColumn | LevelColumn) for column in columns):
            yield "A category that was not in training counts as other or as the mean of all, with a note."
        if first.sampling.order is None and any(isinstance(column, DateColumn) for column in columns):
            yield "The table has dates, and it was tested on rows chosen at random: not on later ones."
    else:
        yield "It knows pictures like those of training, and gives any other picture one of the same answers."
    for head in heads:
        name, report, target = _cell(head.target.column), head.report, head.target
        if report is not None and report.rows < FEW_ROWS:
            yield f"{name} was tested on {report.rows:,} rows only, hence the wide intervals."
        if not isinstance(target, ClassTarget):
            if head.calibration.levels:
                yield f"Intervals of {name} hold what they promise for rows like those of training only."
            continue
        if (least := min(target.shares)) < FEW_OF_CLASS:
            label = _cell(target.label(target.shares.index(least)))
            yield f"Only {least:.1%} of the training rows had {name} = {label}."
        yield f"It always answers with one of the {len(target.classes)} classes of {name} that it knows."
    yield "What would happen if a value were changed was not tested: a correlation is no cause."


def _pictures(path: Path, model: AnyModel) -> dict[str, Path]:
    """Write pictures beside the card, by what they show."""
    found: dict[str, Path] = {}
    heads = all_heads(model)

    def keep(what: str, axes: Any) -> None:
        stream, target = BytesIO(), path.with_name(f"{path.stem}-{what}.png")
        axes.figure.savefig(stream, dpi=120, bbox_inches="tight")
        write_atomically(target, lambda file: file.write(stream.getvalue()))
        found[what] = target

    if heads[0].history.epochs > 1:
        keep("learning", plot.history(heads[0].history))
    for number, head in enumerate(heads[: joint.MOST_REPORTS]):
        if head.report is not None and head.report.reliability is not None:
            keep(f"reliability-{number}", plot.reliability(head.report))
    return found


def _cell(text: str) -> str:
    """Return a text on one line, in which no sign means anything in Markdown."""
    line = " ".join(str(text).split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|" else c for c in line)


def _code(text: str) -> str:
    """Return a text as it is, in a block that it cannot end."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"
