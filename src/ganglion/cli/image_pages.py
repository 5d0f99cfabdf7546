"""The output of the commands for models of images: as text for people and as one object for programs."""

from __future__ import annotations

from typing import Any

import polars as pl

from ganglion import insight
from ganglion.answers.target import ClassTarget
from ganglion.cli import pages
from ganglion.errors import amount
from ganglion.image_model import ImageModel, JointImageModel
from ganglion.images import Augmentation
from ganglion.insight.trace.equation import figure
from ganglion.joint import heads_of

AnyImageModel = ImageModel | JointImageModel
MOST_CLASSES = 5
SHADES = " .:-=+*#%@"
MAP_LINES, MAP_COLUMNS = 12, 32


def pictures_page(model: AnyImageModel) -> str:
    """Return the pictures, their size, the targets, and how they are varied."""
    heads = heads_of(model)
    first = heads[0]
    fitting, rows = first.fitting, first.rows
    color = "grey" if fitting.channels == 1 else "in color"
    count = rows["train"] + rows["validation"] + (0 if first.folds else rows["test"])
    lines = [
        ("pictures", f"{count:,}, brought to {fitting.height} × {fitting.width} pixels, {color}"),
        *((head.target.column, pages.target_words(head.target)) for head in heads),
        ("varied", variation(first.augmentation)),
    ]
    if balanced := [head.target.column for head in heads if head.balanced]:
        of = f" of {', '.join(balanced)}" if len(heads) > 1 else ""
        lines.append((f"classes{of}", "have equal total weight"))
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


def network_page(model: AnyImageModel) -> str:
    """Return the architecture in one line."""
    network, shape = model.network, " x ".join(map(str, heads_of(model)[0].fitting.shape))
    words = [shape, *(layer.describe() for layer in network.layers)]
    return " → ".join(words) + f"   ({network.architecture.size:,} parameters, {network.engine} engine)"


def rows_page(joined: AnyImageModel) -> str:
    """Return the numbers of pictures for training, validation and test."""
    model = heads_of(joined)[0]
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


def answer_page(model: ImageModel, name: str, image: Any, answer: pl.DataFrame) -> str:
    """Return what the model says of a picture, with the most probable classes."""
    said = answer["prediction"][0]
    target = model.target
    if not isinstance(target, ClassTarget):
        return f"{name}: the model predicts {figure(float(said))} for {target.column}"
    raw = model.network.predict(model.scaling.apply(image[None]))[0]
    probabilities = answer.select(pl.col("^probability_.*$")).to_numpy()[0]
    order = (-probabilities).argsort(kind="stable")[:MOST_CLASSES]
    number = target.classes.index(said)
    probability = figure(float(probabilities[number]))
    words = f"{name}: the model predicts {target.label(number)} with probability {probability}"
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


def map_page(model: ImageModel, image: Any, output: int) -> str:
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


def left_out(model: AnyImageModel) -> list[dict[str, str]]:
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
