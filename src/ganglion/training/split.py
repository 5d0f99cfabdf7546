"""Rows set aside: which ones, as a function of the seed."""

from __future__ import annotations

import numpy as np

from ganglion.core.part import Array
from ganglion.core.random import Purpose, generator
from ganglion.errors import DataError, check_number


def split(rows: int, share: float, seed: int, classes: Array | None = None) -> tuple[Array, Array]:
    """Return the rows to learn from and the rows to set aside, each in ascending order.

    Args:
        rows: how many there are.
        share: how much is set aside, between 0 and 1.
        seed: another seed, another choice.
        classes: a class number for each row; each class is then set aside in the same share.

    Raises:
        DataError: if either part would be empty.

    >>> learn, aside = split(10, 0.2, seed=0)
    >>> len(learn), len(aside)
    (8, 2)
    """
    check_number("the share to set aside", share, above=0, below=1)
    order = generator(seed, Purpose.SPLIT).permutation(rows)
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
