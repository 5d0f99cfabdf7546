"""How rows are divided and weighted: hold-out splits, and weights from classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ganglion.checks import check_number
from ganglion.core.part import Array
from ganglion.core.random import Purpose, generator
from ganglion.errors import ConfigError, DataError, shortened


def split(
    rows: int, share: float, seed: int, classes: Array | None = None, position: int = 0
) -> tuple[Array, Array]:
    """Return the rows to learn from and the rows to set aside, each in ascending order.

    Args:
        rows: how many there are.
        share: how much is set aside, between 0 and 1.
        seed: another seed, another choice.
        classes: a class number for each row; each class is then set aside in the same share.
        position: another position, another choice by the same seed.

    Raises:
        DataError: if either part would be empty.

    >>> learn, aside = split(10, 0.2, seed=0)
    >>> len(learn), len(aside)
    (8, 2)
    """
    check_number("the share to set aside", share, above=0, below=1)
    order = generator(seed, Purpose.SPLIT, position).permutation(rows)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    # Every 1/share-th row of the order: with the classes one after the other, each gives its share.
    counted = np.floor((np.arange(rows + 1) + 0.5) * share)
    aside = counted[1:] > counted[:-1]
    if not aside.any() or aside.all():
        raise DataError(
            f"setting aside {share:g} of {rows} rows leaves one part without rows",
            "give more rows, or set nothing aside (0)",
        )
    return np.sort(order[~aside]), np.sort(order[aside])


def class_weights(classes: Array | None, count: int, class_weight: Mapping[int, float] | str) -> Array:
    """Return each row's weight from that of its class.

    Args:
        classes: the class number of each row (`Loss.classes`), None where rows have not one each.
        count: how many classes there are.
        class_weight: a weight for some class numbers (1 for the others), or "balanced", by which every
            class weighs the same in all.

    Raises:
        ConfigError: for rows without one class each, or an unknown class.
    """
    if classes is None:
        raise ConfigError("class_weight needs targets that give each row one class")
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ConfigError(f"class_weight must be a dict or 'balanced', got {class_weight!r}")
        frequency = np.bincount(classes, minlength=count)
        weights = len(classes) / (np.count_nonzero(frequency) * np.maximum(frequency, 1))
        return np.asarray(weights[classes])
    if not isinstance(class_weight, Mapping):
        raise ConfigError(f"class_weight must be a dict or 'balanced', got {shortened(class_weight)}")
    if unknown := [key for key in class_weight if key not in range(count)]:
        raise ConfigError(f"class_weight names class {unknown[0]!r}, the classes are 0 to {count - 1}")
    for key, value in class_weight.items():
        check_number(f"the weight of class {key}", value, at_least=0, at_most=1e20)
    weights = np.array([class_weight.get(key, 1.0) for key in range(count)], dtype=np.float64)
    return np.asarray(weights[classes])
