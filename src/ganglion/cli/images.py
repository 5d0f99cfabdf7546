"""Pictures on the command line: what each command does with them.

The commands themselves, with their options, are in `commands.py` and `insight.py`: they are the same for
tables and pictures. What a source holds is found in `image_options.py`, what is printed made in
`image_pages.py`.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ganglion import insight
from ganglion.cli import image_pages, joint, pages
from ganglion.cli.console import PictureFlags, notes as collect, say, say_json, say_page
from ganglion.cli.image_options import augmentation_of, check_sheet, is_pictures, size_of
from ganglion.cli.image_pages import AnyImageModel
from ganglion.cli.output import write_table
from ganglion.errors import ConfigError, amount, one_of
from ganglion.files.atomic import check_writable, write_atomically
from ganglion.files.model_file import SavedModel, read_model
from ganglion.image_model import ImageModel, JointImageModel
from ganglion.insight.trace.overview import overview_text
from ganglion.joint import heads_of
from ganglion.optional import load as load_library
from ganglion.table_model import JointTableModel, TableModel

# The health of convolutions is measured more rarely, on fewer rows, than that of small networks: it would
# take as long as the training.
CHECKED_EVERY, CHECKED = 5, 64
DRAWINGS = (".png", ".svg", ".pdf")
MOST_SHEETS = 8  # of mistakes; the others are in `model.head(target).mistakes()`
MOST_LETTERS = 60  # of a target, in the name of a file
UNSAFE = re.compile(r"[^\w.-]+")  # in the name of a file
OWN = (*joint.OWN, "classes", "balanced")  # facts on a target


def read(file: SavedModel) -> AnyImageModel | None:
    """Return the model of images of one target or several that a file holds; None if it holds another."""
    return ImageModel.from_saved(file) or JointImageModel.from_saved(file)


def load(path: Path, source: Path | None = None) -> AnyImageModel | None:
    """Return the model of images in a file; None if it holds one of a table, or something else.

    Args:
        path: of the model.
        source: what was given with it.

    Raises:
        ConfigError: if the two were swapped, or the model is one of a table and the source holds pictures.
        FileError: if the file is missing or damaged.
    """
    joint.check_order(path, source)
    file = read_model(path)
    model = read(file)
    if model is None and source is not None and is_pictures(source):
        known = JointTableModel.from_saved(file) or TableModel.from_saved(file)
        if known is not None:
            raise ConfigError(
                f"{path.name} holds a model of a table, and {source.name or source} holds pictures",
                "give a table with its columns, which ganglion show lists",
            )
    return model


def train(
    source: Path,
    more: Sequence[Path],
    out: Path | None,
    flags: PictureFlags,
    as_json: bool,
    started: float,
    **settings: Any,
) -> None:
    """Train a model on pictures, print and save it; `train` of the command line.

    Args:
        source: of the pictures.
        more: other sources, of which there must be none.
        out: the file of the model; None for the name of the source.
        flags: the options for pictures.
        as_json: whether to print one JSON object instead.
        started: when the command began.
        settings: for `ImageModel.train`.
    """
    if more:
        raise ConfigError(
            f"pictures must come from one source, got {1 + len(more)}",
            "put them into one folder, with a folder for each class",
        )
    augment = augmentation_of(flags.augment)
    size = size_of(flags.size)
    if flags.class_weight not in ("auto", "balanced", "none"):
        raise ConfigError(
            f"--class-weight must be auto, balanced or none, got {flags.class_weight!r}",
            one_of(flags.class_weight, ("auto", "balanced", "none")),
        )
    path = Path((source.resolve().name.partition(".")[0] or "model") + ".safetensors") if out is None else out
    check_model(path)
    sheet = path.with_name(path.stem + "-mistakes.html") if flags.mistakes is None else flags.mistakes
    check_sheet(sheet)
    settings["class_weight"] = settings["class_weight"] or (
        None if flags.class_weight == "none" else flags.class_weight
    )
    learn(
        source,
        source.name or str(source),
        [],
        path,
        sheet,
        as_json,
        started,
        size=size,
        fit=flags.fit,
        augment=augment,
        label_separator=flags.label_separator,
        path=flags.path,
        folder=flags.folder,
        **settings,
    )


def learn(
    source: Any,
    title: str,
    heading: Sequence[str],
    out: Path | None,
    sheet: Path | None,
    as_json: bool,
    started: float,
    callbacks: Sequence[Any] = (),
    **settings: Any,
) -> None:
    """Train, print and save, for both `demo` and `train`."""
    replaced = out is not None and out.is_file()
    if out is not None:
        check_model(out)
    check = insight.HealthCheck(every=CHECKED_EVERY, rows=CHECKED)

    def announce(model: AnyImageModel) -> None:
        check.classes = model.labels if isinstance(model, ImageModel) else None
        if not as_json:
            say("\n".join([title, *heading, "", image_pages.pictures_page(model)]))
            say("\n" + image_pages.network_page(model))

    with collect() as collected:
        model = ImageModel.train(
            source, announce=announce, progress=not as_json, callbacks=[check, *callbacks], **settings
        )
    findings = check.health.findings
    if out is not None:
        model.save(out)
    sheets = write_mistakes(model, sheet)
    if as_json:
        found = facts(model) | {"notes": collected, "findings": [vars(each) for each in findings]}
        found |= {"left_out": image_pages.left_out(model), "model": None if out is None else str(out)}
        say_json(found | {"mistakes": _named(model, sheets)})
        return
    say(image_pages.rows_page(model))
    for note in collected:
        say(f"note: {note}")
    say("\n" + pages.run_page(heads_of(model)[0], time.perf_counter() - started))
    say("\n" + joint.results_page(model))
    say(pages.findings_page(findings))
    for line in sheets.values():
        say(line)
    if out is not None:
        replacing = ", replacing the previous file" if replaced else ""
        say(f"model written to {out} ({out.stat().st_size / 1000:.0f} KB{replacing})")


def check_model(out: Path) -> None:
    """Raise an error unless a model can be written to a file of this name."""
    if out.suffix != joint.MODEL and not out.is_dir():
        raise ConfigError(f"a model file must end in {joint.MODEL}, got {out.name}", "rename it in --out")
    check_writable(out)


def predict(
    model: AnyImageModel,
    source: Path,
    out: Path | None,
    probabilities: bool,
    interval: float | None,
    **place: Any,
) -> None:
    """Write a prediction for each picture."""
    if probabilities:
        joint.require_classes(joint.all_heads(model))
    with collect() as collected:
        predictions = model.predict(source, interval, **place)
    if not probabilities:
        predictions = predictions.select(pl.exclude(r"^probability_.*$"))
    if out is None or out.suffix.lower() in (".csv", ".tsv"):
        predictions = joint.shortest(predictions, model)
    for note in collected:
        sys.stderr.write(f"note: {note}\n")
    if out is None:
        sys.stdout.write(predictions.write_csv())
        return
    write_table(predictions, out)
    say(f"{amount(predictions.height, 'prediction')} written to {out}")


def evaluate(model: AnyImageModel, source: Path, sheet: Path | None, as_json: bool, **place: Any) -> None:
    """Evaluate a model on pictures whose answers are known."""
    if sheet is not None:
        check_sheet(sheet)
    with collect() as collected:
        reports = model.evaluate(source, **place)
    sheets = write_mistakes(model, sheet)
    found = joint.reports_facts(reports)
    found |= {"left_out": image_pages.left_out(model), "mistakes": _named(model, sheets)}
    page = "\n\n".join(part for part in (joint.reports_page(reports), "\n".join(sheets.values())) if part)
    say_page(page, found, collected, as_json)


def check(model: AnyImageModel, target: str | None, source: Path, as_json: bool) -> None:
    """Find problems of a model or its pictures."""
    with collect() as collected:
        health = joint.one_of_targets(model, target).health(source)
    say_page(health, health.to_dict(), collected, as_json)


def facts(model: AnyImageModel) -> dict[str, Any]:
    """Return everything that the pages show, as JSON data; what belongs to a target is in `targets`."""
    if isinstance(model, ImageModel):
        return image_pages.facts(model)
    return joint.facts_of(model, [image_pages.facts(head) for head in heads_of(model)], OWN)


def show(model: AnyImageModel, name: str) -> str:
    """Return the pages on a model."""
    heads = heads_of(model)
    what = ", ".join(f"{head.target.task} of {head.target.column!r}" for head in heads)
    parts = [
        f"{name}: {what} from pictures",
        image_pages.pictures_page(model),
        f"\n{model.network.describe()}\n",
        pages.training_page(model.network),
        image_pages.rows_page(model) + "\n",
        pages.run_page(heads[0]),
    ]
    return "\n".join([*parts, "\n" + joint.answers_page(model)])


def explain(
    joined: AnyImageModel,
    target: str | None,
    source: Path,
    row: int,
    unit: Sequence[tuple[str, tuple[int, ...]]],
    out: Path | None,
    latex: bool,
    as_json: bool,
) -> str:
    """Draw what decides the answer for a picture, or return the page that explains it."""
    model = joint.one_of_targets(joined, target)
    if out is not None:
        if out.suffix.lower() not in DRAWINGS:
            raise ConfigError(
                f"--out must end in .png, .svg or .pdf, got {out.name}", one_of(out.suffix, DRAWINGS)
            )
        if out.exists() and source.exists() and out.samefile(source):
            raise ConfigError(f"--out must not be the picture itself, got {out}", "give another name")
        check_writable(out)
    with collect() as collected:
        store = model.decode(source)
        if not 0 <= row < len(store):
            raise ConfigError(f"--row must be from 0 to {len(store) - 1}, got {row}")
        image, name = store.images[row], store.pictures.names[row]
        answer = model.predict(image)
        trace = model.trace(image)
    if any(name == "loss" for name, _ in unit):
        raise ConfigError(
            "a loss needs to know what is in the picture, which its file does not tell",
            "in Python: model.trace(picture, label)",
        )
    requested = [trace.unit(*place) for place in unit]
    if out is not None:
        _draw(model, image, out)
    if as_json:
        said = answer.drop("image").row(0, named=True)
        found: dict[str, Any] = {"image": name, "answer": said, "trace": trace.to_dict()}
        found |= {"explained": [each.to_dict() for each in requested], "notes": collected}
        say_json(found | {"drawing": None if out is None else str(out)})
        return ""
    if latex:
        return "\n\n".join(each.to_latex() for each in requested) if requested else trace.to_latex()
    parts = [f"note: {note}" for note in collected]
    parts.append(image_pages.answer_page(model, name, image, answer))
    if out is not None:
        return "\n\n".join([*parts, f"what speaks for the answer is drawn in {out}"])
    if not requested:
        last = model.network.architecture.names[-1]
        number = int(model.network.predict(model.scaling.apply(image[None]))[0].argmax())
        parts += [
            image_pages.map_page(model, image, number),
            overview_text(trace),
            trace.unit(last, number).words,
        ]
        first = trace.layers[0]
        place = ",".join(str(size // 2) for size in first.a.shape[1:-1])
        parts.append(f"more detail: --unit {first.name}:{place and place + ','}0, --out why.png")
    return "\n\n".join([*parts, *map(str, requested)])


def _draw(model: ImageModel, image: Any, out: Path) -> None:
    figures = load_library("matplotlib.figure", "plot")
    axes = figures.Figure(figsize=(5.6, 4.8), layout="constrained").subplots()
    insight.plot.why(model, image, ax=axes)
    kind = out.suffix.lower().removeprefix(".")
    write_atomically(out, lambda file: axes.figure.savefig(file, format=kind, dpi=150))


def write_mistakes(model: AnyImageModel, path: Path | None) -> dict[Path, str]:
    """Write the contact sheet of each target, and return a sentence on each file.

    Args:
        model: the model.
        path: of the sheet; of several targets, each has its name appended. None for no sheets.
    """
    written = dict[Path, str]()
    if path is None:
        return written
    for head, own in zip(heads_of(model)[:MOST_SHEETS], _sheets(model, path), strict=False):
        if head.tested is not None and (found := head.mistakes()):
            found.save(own)
            of = "" if head is model else f"{head.target.column}: "
            written[own] = f"{of}{found.title}: {own}"
    if written and (others := len(heads_of(model)) - MOST_SHEETS) > 0:
        last = next(reversed(written))
        written[last] += f"\n{amount(others, 'other target has', 'other targets have')} no sheet"
    return written


def _sheets(model: AnyImageModel, path: Path) -> list[Path]:
    """Return the file of each sheet, with a number where two targets would have the same."""
    if isinstance(model, ImageModel):
        return [path]
    found = list[Path]()
    for number, name in enumerate(model.heads, start=1):
        own = path.with_name(f"{path.stem}-{UNSAFE.sub('_', name)[:MOST_LETTERS]}{path.suffix}")
        found.append(own.with_stem(f"{own.stem}-{number}") if own in found else own)
    return found


def _named(model: AnyImageModel, sheets: dict[Path, str]) -> Any:
    """Return the files of the sheets as JSON data: one, or a list of those of several targets."""
    paths = list(map(str, sheets))
    return paths if isinstance(model, JointImageModel) else next(iter(paths), None)
