"""Pictures on the command line: which sources hold pictures, and what each command does with them.

The commands themselves, with their options, are in `commands.py` and `insight.py`: they are the same for
tables and pictures.
"""

from __future__ import annotations

import os
import sys
import time
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ganglion import insight
from ganglion.answers.target import ClassTarget
from ganglion.cli import joint, pages
from ganglion.cli.console import AUTOMATIC, PictureFlags, notes as collect, say, say_json, say_page
from ganglion.cli.output import table_writer, write_table
from ganglion.errors import ConfigError, FileError, amount, one_of
from ganglion.files.atomic import check_writable, write_atomically
from ganglion.files.model_file import read_model
from ganglion.image_model import ImageModel
from ganglion.image_model.mistakes import ENDINGS as SHEETS
from ganglion.images import Augmentation
from ganglion.images.decoding import picture_format
from ganglion.images.folders import ENDINGS
from ganglion.images.idx import is_idx
from ganglion.images.listed import has_paths
from ganglion.images.sources import ARRAYS, TABLES
from ganglion.insight.trace.equation import figure
from ganglion.insight.trace.overview import overview_text
from ganglion.optional import load as load_library
from ganglion.table_model import JointTableModel, TableModel
from ganglion.tables.reading.sources import READERS

LOOKED_AT = 1_000  # files of a folder, until it is known what they are
# The health of convolutions is measured more rarely, on fewer rows, than that of small networks: it would
# take as long as the training.
CHECKED_EVERY, CHECKED = 5, 64
MOST_CLASSES = 5
SHADES = " .:-=+*#%@"
MAP_LINES, MAP_COLUMNS = 12, 32
CHANGES = {"flip": "horizontal", "none": "", "auto": ""}
DRAWINGS = (".png", ".svg", ".pdf")


def is_pictures(source: Path, flags: PictureFlags = AUTOMATIC) -> bool:
    """Return whether a source holds pictures rather than a table.

    A folder does if pictures lie in its folders, or more pictures than tables in itself; a zip archive if
    pictures lie in it; a text table if a column holds paths of pictures that exist.
    """
    try:
        if source.is_dir():
            return _is_folder_of_pictures(source)
        if not source.is_file():
            return False
        ending = source.suffix.lower()
        if ending in ARRAYS:
            return True
        if ending in TABLES:
            return flags.path is not None or flags.folder is not None or has_paths(source)
        with source.open("rb") as file:
            if picture_format(file.read(64)):
                return True
        return _is_archive_of_pictures(source) or is_idx(source)
    except OSError:
        return False  # the reader of tables says what is wrong


def _is_folder_of_pictures(folder: Path) -> bool:
    pictures = tables = 0
    inside, unknown = list[Path](), list[Path]()
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            inside.append(path)
        else:
            pictures += path.suffix.lower() in ENDINGS
            tables += path.suffix.lower() in READERS
            unknown.append(path)
    if pictures > tables:
        return True
    for parent, folders, names in (found for path in inside for found in os.walk(path)):
        folders.sort()
        unknown += [Path(parent, name) for name in sorted(names)]
        if any(Path(name).suffix.lower() in ENDINGS for name in names):
            return True
        if len(unknown) > LOOKED_AT:
            break
    return not tables and any(map(_begins_as_picture, unknown[:LOOKED_AT]))


def _begins_as_picture(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        begin = file.read(64)
    return bool(picture_format(begin)) or is_idx(path)


def _is_archive_of_pictures(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError):
        return False
    return any(Path(name).suffix.lower() in ENDINGS for name in names)


def refuse(options: Collection[str], path: Path, *, pictures: bool) -> None:
    """Raise `ConfigError` for the first of some options, which do not apply.

    Args:
        options: the names of those that were given, and do not apply.
        path: the source or the model that they do not apply to.
        pictures: whether it is one of pictures; otherwise of a table.
    """
    model = "models of " if path.suffix == joint.MODEL else ""
    apply, holds = ("tables", "pictures") if pictures else ("pictures", "a table")
    is_one = f"is one of {holds}" if model else f"holds {holds}"
    for name in options:
        raise ConfigError(
            f"--{name.replace('_', '-')} applies to {model}{apply}, and {path.name or path} {is_one}",
            "leave it out",
        )


def require_target(target: str | None, source: Path) -> str:
    """Return the target of a table, which must be named.

    Raises:
        FileError: if the source does not exist, or holds neither a table nor pictures.
        ConfigError: if it is a table.
    """
    if target is not None:
        return target
    if not source.exists() and not any(sign in str(source) for sign in "*?[") and source.name != "-":
        raise FileError(f"there is no file or folder {source}")
    if source.is_dir() and not any(path.suffix.lower() in READERS for path in source.iterdir()):
        raise FileError(
            f"{source.name or source} holds neither pictures nor tables",
            "give a folder with a folder of pictures for each class, or a table",
        )
    raise ConfigError(
        f"--target must name the column of {source.name or source} to predict, got none",
        "such as --target price; folders of pictures need none",
    )


def load(path: Path, source: Path | None = None) -> ImageModel | None:
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
    model = ImageModel.from_saved(file)
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
        quality=flags.quality,
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
        if out.suffix != joint.MODEL and not out.is_dir():
            raise ConfigError(f"a model file must end in {joint.MODEL}, got {out.name}", "rename it in --out")
        check_writable(out)
    check = insight.HealthCheck(every=CHECKED_EVERY, rows=CHECKED)

    def announce(model: ImageModel) -> None:
        check.classes = model.labels
        if not as_json:
            say("\n".join([title, *heading, "", pictures_page(model), "", network_page(model)]))

    with collect() as collected:
        model = ImageModel.train(
            source, announce=announce, progress=not as_json, callbacks=[check, *callbacks], **settings
        )
    findings = check.health.findings
    if out is not None:
        model.save(out)
    written = write_mistakes(model, sheet)
    if as_json:
        found = facts(model) | {"notes": collected, "findings": [vars(each) for each in findings]}
        found |= {"left_out": left_out(model), "model": None if out is None else str(out)}
        say_json(found | {"mistakes": None if written is None else str(sheet)})
        return
    say(rows_page(model))
    for note in collected:
        say(f"note: {note}")
    say("\n" + pages.run_page(model, time.perf_counter() - started))
    say("\n" + "\n\n".join(part for part in (str(model.report or ""), model.advice) if part))
    say(pages.findings_page(findings))
    if written is not None:
        say(written)
    if out is not None:
        replacing = ", replacing the previous file" if replaced else ""
        say(f"model written to {out} ({out.stat().st_size / 1000:.0f} KB{replacing})")


def predict(
    model: ImageModel,
    source: Path,
    out: Path | None,
    probabilities: bool,
    interval: float | None,
    path: str | None,
) -> None:
    """Write a prediction for each picture."""
    if probabilities and not isinstance(model.target, ClassTarget):
        raise ConfigError(
            f"--probabilities is for classes, and {model.target.column!r} is a number",
            "use --interval 0.9 for the range of likely values",
        )
    with collect() as collected:
        predictions = model.predict(source, interval, path=path)
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


def evaluate(model: ImageModel, source: Path, sheet: Path | None, path: str | None, as_json: bool) -> None:
    """Evaluate a model on pictures whose answers are known."""
    if sheet is not None:
        check_sheet(sheet)
    with collect() as collected:
        report = model.evaluate(source, path=path)
    written = write_mistakes(model, sheet)
    found = report.to_dict() | {"left_out": left_out(model)}
    found["mistakes"] = None if written is None else str(sheet)
    say_page("\n\n".join(str(part) for part in (report, written) if part), found, collected, as_json)


def check(model: ImageModel, source: Path, as_json: bool) -> None:
    """Find problems of a model or its pictures."""
    with collect() as collected:
        health = model.health(source)
    say_page(health, health.to_dict(), collected, as_json)


def show(model: ImageModel, name: str) -> str:
    """Return the pages on a model."""
    parts = [
        f"{name}: {model.target.task} of {model.target.column!r} from pictures",
        pictures_page(model),
        f"\n{model.network.describe()}\n",
        pages.training_page(model.network),
        rows_page(model) + "\n",
        pages.run_page(model),
    ]
    ends = [pages.answers_page(model), str(model.report or ""), model.advice]
    return "\n".join([*parts, *("\n" + end for end in ends if end)])


def explain(
    model: ImageModel,
    source: Path,
    row: int,
    unit: Sequence[tuple[str, tuple[int, ...]]],
    out: Path | None,
    latex: bool,
    as_json: bool,
) -> str:
    """Draw what decides the answer for a picture, or return the page that explains it."""
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
    parts.append(_answer_page(model, name, image, answer))
    if out is not None:
        return "\n\n".join([*parts, f"what speaks for the answer is drawn in {out}"])
    if not requested:
        last = model.network.architecture.names[-1]
        number = int(model.network.predict(model.scaling.apply(image[None]))[0].argmax())
        parts += [_map_page(model, image, number), overview_text(trace), trace.unit(last, number).words]
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


def _answer_page(model: ImageModel, name: str, image: Any, answer: pl.DataFrame) -> str:
    """Return what the model says of a picture, with the most probable classes."""
    said = answer["prediction"][0]
    target = model.target
    if not isinstance(target, ClassTarget):
        return f"{name}: the model predicts {figure(float(said))} for {target.column}"
    raw = model.network.predict(model.scaling.apply(image[None]))[0]
    probabilities = answer.select(pl.col("^probability_.*$")).to_numpy()[0]
    order = (-probabilities).argsort(kind="stable")[:MOST_CLASSES]
    number = target.classes.index(said)
    words = f"{name}: the model predicts {said} with probability {figure(float(probabilities[number]))}"
    if float(raw[number]) != float(probabilities[number]):
        words += f", calibrated from the network's {figure(float(raw[number]))}"
    if number != order[0]:
        words += f"\n({model.calibration.describe_decision(model.labels or [])})"
    width = max(len(target.label(int(place))) for place in order)
    lines = [
        f"  {target.label(int(place)):<{width}}  {probabilities[place]:6.1%}  "
        f"{'#' * round(30 * float(probabilities[place]))}".rstrip()
        for place in order
    ]
    if more := len(probabilities) - len(order):
        lines.append(f"  and {amount(more, 'other class', 'other classes')}")
    return "\n".join([words, *lines])


def _map_page(model: ImageModel, image: Any, output: int) -> str:
    """Return Grad-CAM in letters, the darker the more a place speaks for the answer."""
    values = insight.grad_cam(model.network, model.scaling.apply(image[None])[0], output)
    if not values.any():
        return "no place of the picture speaks for the answer by Grad-CAM"
    height, width = values.shape
    lines = min(MAP_LINES, height)
    columns = max(1, min(MAP_COLUMNS, round(2 * lines * width / height)))
    down = [min(height - 1, int((line + 0.5) * height / lines)) for line in range(lines)]
    across = [min(width - 1, int((column + 0.5) * width / columns)) for column in range(columns)]
    marks = (values / values.max() * (len(SHADES) - 1)).round().astype(int)
    drawn = [f"  |{''.join(SHADES[marks[y, x]] for x in across)}|" for y in down]
    return "\n".join(["where in the picture the evidence lies (Grad-CAM; @ is most):", *drawn])


def check_sheet(path: Path) -> None:
    """Raise `ConfigError` unless a contact sheet can be written to a file of this name."""
    if path.suffix.lower() not in SHEETS:
        raise ConfigError(
            f"--mistakes must end in .png or .html, got {path.name}", one_of(path.suffix, SHEETS)
        )
    check_writable(path)


def write_mistakes(model: ImageModel, path: Path | None) -> str | None:
    """Write the contact sheet, and return a sentence on it; None if there is nothing to show."""
    if path is None or model.tested is None or not (found := model.mistakes()):
        return None
    found.save(path)
    return f"{found.title}: {path}"


def size_of(text: str | None) -> int | tuple[int, int] | None:
    """Return the size in words such as 64 or 48x64.

    Raises:
        ConfigError: if it is none.
    """
    if text is None:
        return None
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise ConfigError(
            f"--size must be a number of pixels, or HEIGHTxWIDTH, got {text!r}", "such as --size 64"
        )
    sides = [int(part) for part in parts]
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])


def augmentation_of(text: str) -> Augmentation | str:
    """Return the augmentation in words such as flip,shift=0.1; "auto" and "none" stay.

    Raises:
        ConfigError: for an unknown change, or one out of range.
    """
    if text in ("auto", "none"):
        return text
    names = Augmentation.__dataclass_fields__
    settings = dict[str, Any]()
    for word in text.split(","):
        name, equals, value = (part.strip() for part in word.partition("="))
        if name not in names or name == "mixup":
            choices = [each for each in names if each != "mixup"]
            raise ConfigError(
                f"--augment must be auto, none, or changes such as flip,shift=0.1, got {name!r}",
                one_of(name, ["auto", "none", *choices]),
            )
        if name == "flip":
            settings[name] = value if equals else "horizontal"
            continue
        try:
            settings[name] = float(value)
        except ValueError as error:
            raise ConfigError(
                f"--augment {name} must have a number, got {word.strip()!r}", f"such as {name}=0.1"
            ) from error
    return Augmentation(**settings)


def pictures_page(model: ImageModel) -> str:
    """Return the pictures, their size, the target, and how they are varied."""
    fitting, rows = model.fitting, model.rows
    color = "grey" if fitting.channels == 1 else "in color"
    count = rows["train"] + rows["validation"] + (0 if model.folds else rows["test"])
    lines = [
        ("pictures", f"{count:,}, brought to {fitting.height} × {fitting.width} pixels, {color}"),
        (model.target.column, pages.target_words(model.target)),
        ("varied", variation(model.augmentation)),
    ]
    if model.balanced:
        lines.append(("classes", "have equal total weight"))
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"  {name:<{width}}  {what}" for name, what in lines)


def variation(augmentation: Augmentation | None) -> str:
    """Return how training pictures are varied, in words that --augment understands."""
    if augmentation is None:
        return "not at all"
    given = vars(augmentation)
    words = [f"{name}={value:g}" for name, value in given.items() if name != "flip" and value]
    flip = given["flip"]
    return ", ".join(([] if flip == "none" else [f"flip={flip}"]) + words) or "not at all"


def network_page(model: ImageModel) -> str:
    """Return the architecture in one line."""
    network, shape = model.network, " x ".join(map(str, model.fitting.shape))
    words = [shape, *(layer.describe() for layer in network.layers)]
    return " → ".join(words) + f"   ({network.architecture.size:,} parameters, {network.engine} engine)"


def rows_page(model: ImageModel) -> str:
    """Return the numbers of pictures for training, validation and test."""
    rows = model.rows
    if model.folds:
        lines = [
            f"{amount(rows['train'], 'picture')}, cross-validated with {model.folds} folds: "
            f"{rows['test']:,} tested by networks that had not learned from them",
            f"the model itself learned from all {rows['train']:,}",
        ]
        if others := rows["train"] - rows["test"]:
            whose = "its class" if others == 1 else "their classes"
            lonely = f"never tested, because {whose} would have no pictures left to learn from"
            lines.insert(1, f"{amount(others, 'picture')}: {lonely}")
        return "\n".join(lines)
    return (
        f"{amount(rows['train'], 'picture')} for training, {rows['validation']:,} for validation, "
        f"{rows['test']:,} for the test"
    )


def left_out(model: ImageModel) -> list[dict[str, str]]:
    """Return all files that are left out, with the reasons."""
    return [{"name": each.name, "reason": each.reason} for each in model.left_out]


def facts(model: ImageModel) -> dict[str, Any]:
    """Return everything that the pages show, as JSON data."""
    network, fitting = model.network, model.fitting
    return {
        "target": model.target.column,
        "task": model.target.task,
        "classes": model.labels,
        "rows": model.rows,
        "pictures": vars(fitting) | {"scaling": vars(model.scaling)},
        "augmentation": None if model.augmentation is None else vars(model.augmentation),
        "balanced": model.balanced,
        "network": network.architecture.configuration()
        | {"parameters": network.architecture.size, "seed": network.seed, "engine": network.engine},
        "training": network.facts | {"history": model.history.to_facts()},
        "calibration": model.calibration.to_dict(),
        "test": None if model.report is None else model.report.to_dict(),
        "advice": model.advice,
    }


def check_output(out: Path | None, *inputs: Path) -> None:
    """Check a file to write answers to, before anything is computed.

    Raises:
        ConfigError: for an ending that is not that of a table, or one of the inputs.
        FileError: if it cannot be written.
    """
    if out is None:
        return
    table_writer(out)
    if any(path.exists() and out.exists() and path.samefile(out) for path in inputs):
        raise ConfigError(f"--out must not be an input file, got {out}", "give another name")
    check_writable(out)
