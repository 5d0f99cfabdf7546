"""Findings about the filters of convolutions: filters that are alike, and responses to padding.

Each is a function of the subject that returns a finding or None.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ganglion.core.inputs import values_of
from ganglion.core.layers import Context
from ganglion.core.layers.convolution import Convolution, as_images
from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.insight.health.data_findings import scaling
from ganglion.insight.health.finding import Finding
from ganglion.insight.health.layer_findings import hidden_weights, rewritten, unit_of, with_usual_weights
from ganglion.insight.health.measure import quiet
from ganglion.insight.health.subject import Subject

# Filters are alike if the cosine of the angle between their kernels, up to its sign, is above this; kernels
# of few numbers are alike by chance.
SAME = 0.99
FEWEST_NUMBERS = 4
# Padding that moves z by this many of its deviations stands out: 0 to 0.5 where the edges are near 0, 1.5 for
# photographs from 0 to 1, 2 to 4 for thin strokes on white paper; and the images that it is measured on.
BORDER = 2.0
BORDER_ROWS = 256


def similar_filters(subject: Subject) -> Finding | None:
    """Most filters of a convolution are the same up to sign and scale."""
    alike = {}
    for entry, weight in hidden_weights(subject):
        if unit_of(subject, entry) == "filter" and len(weight) >= FEWEST_NUMBERS:
            different = directions(weight)
            if different <= weight.shape[1] // 2:
                alike[entry.owner] = (different, weight.shape[1])
    if not alike:
        return None
    layers = rewritten(subject.model.architecture.layers, with_usual_weights)
    return Finding(
        "similar_filters",
        "warning",
        "Filters of a convolution are alike.",
        "; ".join(
            f"{different} different of {count} filters in {name}, up to sign and scale"
            for name, (different, count) in alike.items()
        ),
        "Filters that look for the same pattern see no more than one of them does. They start out alike, or "
        "there is only one pattern to learn from these rows.",
        "Start from random weights, as the default initializers do. If filters are alike again, use fewer.",
        subject.code(layers=layers),
    )


def border_effects(subject: Subject) -> Finding | None:
    """Next to the edges, a convolution responds to its padding more than to the image."""
    found = {}
    for step in subject.model.architecture.steps:
        if isinstance(step.layer, Convolution) and step.reads[0] < len(subject.model.architecture.inputs):
            shift, places = border_shift(subject, step)
            if shift > BORDER:
                found[step.name] = (shift, places)
    if not found:
        return None
    name, (shift, places) = next(iter(found.items()))
    images = np.concatenate([values.ravel() for values in subject.number_inputs.values()])
    return Finding(
        "border_effects",
        "info",
        f"Next to the edges, {name} responds to its padding.",
        f"at the {places} windows that extend beyond the edges, padding of 0 moves z by {shift:.2g} "
        f"deviations (root mean square, the median of the filters), compared with padding by the numbers at "
        f"the edge; the inputs have mean {images.mean():.3g} and deviation {images.std():.3g}",
        "Padding is 0. Where that is far from the numbers at the edges, it looks like a frame around each "
        "image, to which filters respond more than to what is in the image.",
        'Scale the inputs to mean 0, so that padding is as usual as any number; or use padding="valid".',
        f"{scaling(subject)}X = prepare(X)\n{subject.code()}",
    )


@quiet
def border_shift(subject: Subject, step: Step) -> tuple[float, int]:
    """Return how far padding of 0 moves z in windows beyond the edges, and the number of such windows.

    It is compared with padding by the nearest number of the image. The mean over the images of the difference
    is taken in standard deviations of z over all windows: the root mean square over the windows beyond the
    edges, and the median of the filters. (0, 0) without padding.
    """
    layer: Any = step.layer
    windows = layer.windows(step.shapes[0])
    beyond = np.zeros([axis.count for axis in windows], dtype=bool)
    for along, axis in enumerate(windows):
        whole = [len(axis.seen(number)) == axis.window for number in range(axis.count)]
        beyond |= ~np.expand_dims(whole, 1 - along)
    if not beyond.any():
        return 0.0, 0
    architecture = subject.model.architecture
    values = values_of(architecture.inputs, subject.rows.x)[step.reads[0]]
    x = as_images(np.asarray(values)[:BORDER_ROWS])
    around = [(0, 0), *((axis.before, axis.after) for axis in windows), (0, 0)]
    weights = subject.model.views[step.number]
    inside = dataclasses.replace(layer, padding="valid")
    images = [np.pad(x, around), np.pad(x, around, mode="edge")]
    if layer.axes == 1:
        images = [image[:, 0] for image in images]
    with_zeros, with_edges = (as_images(inside.forward(weights, image, Context())[0]) for image in images)
    moved = (with_zeros - with_edges)[:, beyond].mean(axis=0)
    shift = np.sqrt(np.square(moved).mean(axis=0))
    spread = with_edges.std(axis=(0, 1, 2))
    return float(np.median(shift / np.where(spread > 0, spread, np.inf))), int(beyond.sum())


def directions(weight: Array) -> int:
    """Return how many columns of a matrix differ by more than sign and scale.

    A column counts as different if it is not like any earlier one that did.

    >>> directions(np.array([[1.0, -2.0, 1.0], [0.5, -1.0, -0.5]]))
    2
    """
    size = np.sqrt(np.square(weight, dtype=np.float64).sum(axis=0))
    unit = weight / np.where(size > 0, size, 1)
    kept: list[Array] = []
    for column in unit.T:
        if not any(abs(float((column * other).sum())) > SAME for other in kept):
            kept.append(column)
    return len(kept)
