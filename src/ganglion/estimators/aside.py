"""Rows that are set aside to validate on: given by the user, chosen by a splitter, or at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

from ganglion.core.part import Array
from ganglion.errors import DataError
from ganglion.optional import load

NO_WEIGHT = "Sample weights must contain at least one non-zero number."  # as scikit-learn words it


class Held(NamedTuple):
    """Rows that are set aside to validate on.

    Attributes:
        x: as the engine takes them.
        y: targets as the loss takes them.
        labels: targets as a score takes them.
        weight: how much each row counts.
    """

    x: Any
    y: Array
    labels: Any
    weight: Array | None


def check_targets(y: Array, outputs: int, what: str) -> Array:
    """Return encoded targets, after checking that they suit a network of some outputs.

    Raises:
        DataError: for another number of them, or one that is not finite.
    """
    if y.shape[1] != outputs:
        raise DataError(
            f"{what} must have {outputs} targets for each row, as the network has outputs, got {y.shape[1]}"
        )
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise DataError(f"{what} must be finite, got {y[~np.isfinite(y)][0]}")
    return y


def check_weight(weight: Array | None) -> Array | None:
    """Return the weights of rows that are set aside, after checking that they weigh something.

    Raises:
        DataError: if all are 0.
    """
    if weight is not None and not weight.any():
        raise DataError(NO_WEIGHT, "of the rows set aside, all weigh 0")
    return weight


def given_rows(given: Sequence[Any], inputs: Any, encode: Any, labels: Any, class_weight: Any) -> Held:
    """Return the rows that a user gave to validate on.

    Args:
        given: X and y, perhaps sample weights too.
        inputs: makes X what the engine takes.
        encode: makes y what the loss takes.
        labels: makes encoded targets what a score takes.
        class_weight: makes y a weight for each row because of its class, or None.

    Raises:
        ValueError: for rows that break a rule, here or in one of the four.
    """
    if given[0] is None or given[1] is None:
        raise DataError("validation_data must be (X, y) or (X, y, sample_weight), got None for X or y")
    x, y = inputs(given[0]), encode(given[1])
    check_consistent_length(x, y)
    weight = _check_sample_weight(given[2], x) if len(given) == 3 and given[2] is not None else None
    of_class = class_weight(given[1])
    if of_class is not None:
        weight = of_class if weight is None else weight * of_class
    return Held(x, y, labels(y), check_weight(weight))


def split_by(splitter: Any, x: Any, labels: Any) -> tuple[Array, Array]:
    """Return the numbers of the rows to learn from and to set aside: the first split of a splitter.

    Raises:
        DataError: if it gives none, or one part is empty or names a row that is not there.
    """
    rows = np.arange(x.shape[0])
    split = next(iter(splitter.split(x, labels)), None)
    if split is None:
        raise DataError("validation_data must be a splitter that gives a split, got none from it")
    try:
        learn, aside = (rows[part] for part in split)
    except (IndexError, TypeError, ValueError) as error:
        raise DataError(f"validation_data must split {len(rows)} rows into two parts: {error}") from error
    if not len(learn) or not len(aside):
        raise DataError(
            f"validation_data must leave rows in both parts, got {len(learn)} to learn from and {len(aside)} "
            "set aside"
        )
    return learn, aside


def split_at_random(
    rows: int, share: float, stratify: Array | None, random_state: Any
) -> tuple[Array, Array]:
    """Return the numbers of the rows to learn from and to set aside, as scikit-learn chooses them.

    Raises:
        ValueError: where a part would be too small.
    """
    if share == 0:
        raise DataError("validation_fraction must be > 0 with early_stopping=True, got 0")
    learn, aside = load("sklearn.model_selection", "sklearn").train_test_split(
        np.arange(rows), random_state=random_state, test_size=share, stratify=stratify
    )
    if len(aside) < 2:
        raise DataError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
        )
    return learn, aside
