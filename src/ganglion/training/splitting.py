"""Hold-out splits, and sample weights from class weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ganglion.checks import check_number
from ganglion.core.part import Array
from ganglion.core.random import Purpose, generator
from ganglion.errors import ConfigError, DataError, shortened


def split(
    rows: int, fraction: float, seed: int, classes: Array | None = None, position: int = 0
) -> tuple[Array, Array]:
    """Return the indices of the training rows and of the held-out rows, each in ascending order.

    Args:
        rows: the number of rows.
        fraction: the fraction of rows to hold out, between 0 and 1.
        seed: determines the choice.
        classes: a class index for each row; the split is then stratified.
        position: selects independent choices for the same seed.

    Raises:
        ConfigError: if the fraction is out of range.
        DataError: if either part would be empty.

    >>> training, held_out = split(10, 0.2, seed=0)
    >>> len(training), len(held_out)
    (8, 2)
    """
    check_number("the fraction to hold out", fraction, above=0, below=1)
    order = generator(seed, Purpose.SPLIT, position).permutation(rows)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    # Every 1/fraction-th row of the order, in which the rows are grouped by class.
    counted = np.floor((np.arange(rows + 1) + 0.5) * fraction)
    chosen = counted[1:] > counted[:-1]
    if not chosen.any() or chosen.all():
        raise DataError(
            f"holding out a fraction of {fraction:g} of {rows} rows leaves one part without rows",
            "pass more rows, or hold out none (0)",
        )
    return np.sort(order[~chosen]), np.sort(order[chosen])


def class_weights(classes: Array | None, count: int, class_weight: Mapping[int, float] | str) -> Array:
    """Return the weight of each row's class.

    Args:
        classes: the class index of each row (`Loss.classes`); None if rows do not have one class each.
        count: the number of classes.
        class_weight: the weight of each class by index (1 if missing), or "balanced", which gives all
            classes the same total weight.

    Raises:
        ConfigError: if `classes` is None, for an unknown class, or for a weight out of range.
    """
    if classes is None:
        raise ConfigError("class_weight needs targets with one class for each row")
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ConfigError(f"class_weight must be a dict or 'balanced', got {class_weight!r}")
        frequency = np.bincount(classes, minlength=count)
        weights = len(classes) / (np.count_nonzero(frequency) * np.maximum(frequency, 1))
        return np.asarray(weights[classes])
    if not isinstance(class_weight, Mapping):
        raise ConfigError(f"class_weight must be a dict or 'balanced', got {shortened(class_weight)}")
    if unknown := [key for key in class_weight if key not in range(count)]:
        raise ConfigError(f"class_weight must have keys from 0 to {count - 1}, got {unknown[0]!r}")
    for key, value in class_weight.items():
        check_number(f"the weight of class {key}", value, at_least=0, at_most=1e20)
    weights = np.array([class_weight.get(key, 1.0) for key in range(count)], dtype=np.float64)
    return np.asarray(weights[classes])
