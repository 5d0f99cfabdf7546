"""The confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ganglion.errors import ConfigError, DataError, ShapeError, shortened
from ganglion.insight.plot.drawing import (
    GRAY,
    Axes,
    axes_or_new,
    check_axes,
    inches_wide,
    signed_colors,
    title,
)

MOST_CLASSES = 50


def confusion(
    truth: Any, predicted: Any, labels: Sequence[Any] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how often each true class (a row) was predicted as each class (a column).

    Each cell shows the count and its percentage of the row. Right predictions are blue, wrong ones orange;
    darker shades mean larger fractions.

    Args:
        truth: the true class of each row: numbers or names.
        predicted: the predicted class of each row.
        labels: all classes in the order to draw them; or, if the classes are numbers from 0, the name of
            each. By default the classes that occur, sorted.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: for labels that occur twice, more than 50 classes, or `ax` that is not axes.
        DataError: without rows, for a missing class, or for a class that is not among the labels.
        ShapeError: if `truth` or `predicted` is not one class per row, or if their lengths differ.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> ax = gg.plot.confusion(["cat", "cat", "dog"], ["cat", "dog", "dog"])
    >>> ax.get_title()
    'accuracy 66.7 %: 2 of 3 rows'
    >>> plt.close(ax.figure)
    """
    true, guessed = _classes("truth", truth), _classes("predicted", predicted)
    if len(true) != len(guessed):
        raise ShapeError(f"truth and predicted must have as many rows, got {len(true)} and {len(guessed)}")
    check_axes(ax)
    names, true, guessed = _numbered(true, guessed, labels)
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (true, guessed), 1)
    rows = counts.sum(axis=1, keepdims=True)
    fractions = counts / np.maximum(rows, 1)
    size = len(names)
    longest = max(map(len, names))
    ax = axes_or_new(ax, *(max(edge, 0.45 * size + 2) for edge in (5.6, 4.8)))
    right = np.eye(size, dtype=bool)
    ax.imshow(np.where(right, fractions, -fractions), cmap=signed_colors(), vmin=-1, vmax=1)
    font = float(np.clip(0.22 * inches_wide(ax) / size * 72, 4, 10))
    for row, column in np.ndindex(counts.shape):
        count, fraction = counts[row, column], fractions[row, column]
        percent = f"\n{100 * fraction:.{0 if size > 6 else 1}f} %" if count and size <= 12 else ""
        if not count and size > 12:
            continue
        faint, dark = not count, fraction > (0.6 if row == column else 0.85)
        color = GRAY if faint else "white" if dark else "black"
        ax.text(column, row, f"{count}{percent}", ha="center", va="center", color=color, fontsize=font)
    aslant = longest * size > 40
    ax.set_xticks(range(size), names, rotation=45 if aslant else 0, ha="right" if aslant else "center")
    ax.set_yticks(range(size), names)
    ax.tick_params(labelsize=max(font, 6))
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    hits = int(counts.trace())
    title(ax, f"accuracy {100 * hits / len(true):.1f} %: {hits:,} of {len(true):,} rows")
    return ax


def _classes(what: str, values: Any) -> list[Any]:
    """Return one class per row: numbers, names or truth values, none of them missing."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ShapeError(f"{what} must have one class for each row, got rows of unequal length") from error
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ShapeError(
            f"{what} must have one class for each row, shape (rows,), got {array.shape}",
            "from probabilities p: p.argmax(axis=1), or with a single column (p[:, 0] >= 0.5).astype(int)",
        )
    # NumPy turns a list of numbers and names into names.
    as_given = isinstance(values, list | tuple) and array.dtype.kind in "US"
    classes = list(values) if as_given else array.tolist()
    if not classes:
        raise DataError(f"{what} must have at least one row, got none")
    for row, value in enumerate(classes):
        if isinstance(value, float) and value.is_integer():
            classes[row] = int(value)
        elif not isinstance(value, str | int | float) or (isinstance(value, float) and math.isnan(value)):
            raise DataError(f"{what} must hold class numbers or names, got {shortened(value)} in row {row}")
    return classes


def _numbered(
    true: list[Any], guessed: list[Any], labels: Sequence[Any] | None
) -> tuple[list[str], list[int], list[int]]:
    """Return the names of the classes, and both lists as indices into them."""
    found = set(true) | set(guessed)
    if labels is None:
        classes = sorted(found, key=lambda value: (isinstance(value, str), value))
    elif isinstance(labels, str) or not isinstance(labels, Sequence | np.ndarray):
        raise ConfigError(f"labels must be a list of classes, got {shortened(labels)}")
    else:
        classes = list(labels)
    names = [str(label) for label in classes]
    if len(set(names)) != len(names):
        raise ConfigError(f"labels must differ from each other, got {shortened(names)}")
    if len(names) > MOST_CLASSES:
        raise ConfigError(
            f"a confusion matrix has at most {MOST_CLASSES} classes, got {len(names)}",
            "are these numbers to predict rather than classes?",
        )
    place = {label: number for number, label in enumerate(classes)}
    if not found <= set(place) and all(isinstance(value, int) for value in found):
        place = {number: number for number in range(len(classes))}
    for what, values in (("truth", true), ("predicted", guessed)):
        for row, value in enumerate(values):
            if value not in place:
                raise DataError(
                    f"{what} must hold the labels {shortened(names)}, got {shortened(value)} in row {row}"
                )
    return names, [place[value] for value in true], [place[value] for value in guessed]
