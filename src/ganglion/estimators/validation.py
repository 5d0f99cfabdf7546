"""Validation rows: what they consist of, and how they are held out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ganglion.core.part import Array
from ganglion.errors import DataError
from ganglion.optional import load

NO_WEIGHT = "Sample weights must contain at least one non-zero number."  # as scikit-learn words it


class ValidationSet(NamedTuple):
    """The validation rows of a run.

    Attributes:
        x: inputs as the engine takes them.
        y: targets as the loss takes them.
        labels: targets as a scorer takes them.
        weight: the sample weights, None if all are 1.
    """

    x: Any
    y: Array
    labels: Any
    weight: Array | None


def check_weight(weight: Array | None) -> Array | None:
    """Return the weights of validation rows after checking that one is not 0.

    Raises:
        DataError: if all are 0.
    """
    if weight is not None and not weight.any():
        raise DataError(NO_WEIGHT, "all validation rows have weight 0")
    return weight


def split_by(splitter: Any, x: Any, labels: Any) -> tuple[Array, Array]:
    """Return the indices of the training and of the validation rows, from the first split of a splitter.

    Raises:
        DataError: if there is no split, a part is empty, or an index is out of range.
    """
    rows = np.arange(x.shape[0])
    split = next(iter(splitter.split(x, labels)), None)
    if split is None:
        raise DataError("validation_data must be a splitter that gives a split, got none from it")
    try:
        train, held_out = (rows[part] for part in split)
    except (IndexError, TypeError, ValueError) as error:
        raise DataError(f"validation_data must split {len(rows)} rows into two parts: {error}") from error
    if not len(train) or not len(held_out):
        raise DataError(
            f"validation_data must leave rows in both parts, got {len(train)} for training and "
            f"{len(held_out)} for validation"
        )
    return train, held_out


def split_at_random(
    rows: int, fraction: float, stratify: Array | None, random_state: Any
) -> tuple[Array, Array]:
    """Return the indices of the training and of the validation rows as scikit-learn chooses them.

    Raises:
        ValueError: where a part would be too small.
    """
    if fraction == 0:
        raise DataError("validation_fraction must be > 0 with early_stopping=True, got 0")
    train, held_out = load("sklearn.model_selection", "sklearn").train_test_split(
        np.arange(rows), random_state=random_state, test_size=fraction, stratify=stratify
    )
    if len(held_out) < 2:
        raise DataError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
        )
    return train, held_out
