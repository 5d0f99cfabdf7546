"""The weights of n-grams in a text: this page is the definition, `native/text.hpp` the fast way.

An n-gram that occurs c times in a text, and in d of the n texts that were learned from, weighs
(1 + ln c) (1 + ln((1 + n) / (1 + d))), and the weights of a text are divided by the root of the sum of their
squares. Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988; in the form of
scikit-learn's TfidfTransformer with a smooth idf and a sublinear tf.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganglion.core.bags import Bags
from ganglion.core.part import Array
from ganglion.engines import native_module


def rarity(documents: Array, texts: int) -> Array:
    """Return how much the rarity of n-grams weighs that occur in so many of the texts.

    >>> rarity(np.array([1, 10]), texts=10).round(2)
    array([2.7, 1. ])
    """
    return np.asarray(1 + np.log((1 + texts) / (1 + documents)))


def weighed(parts: Sequence[Bags], rows: Array, rare: Array) -> Bags:
    """Return a bag of rows of a table for each text: row 0 with weight 1, then the known n-grams.

    Args:
        parts: what was counted in the texts; each part of a text gets weights of length 1.
        rows: the row of each bucket, int32; 0 of a bucket that is not known.
        rare: how much the rarity of each row's n-gram weighs.
    """
    texts = len(parts[0])
    most = max((int(part.weights.max(initial=1)) for part in parts if part.weights is not None), default=1)
    damped = 1 + np.log(np.arange(1, most + 1))
    size = texts + sum(len(part.indices) for part in parts)
    found, offsets = np.empty(size, np.int64), np.zeros(texts + 1, np.int64)
    weights = np.empty(size, np.float32)
    module = native_module()
    if module is None:
        _weighed(parts, rows, rare, damped, found, offsets, weights)
    else:
        counted = [(part.indices, part.offsets, part.weights) for part in parts]
        module.weigh_grams(counted, rows, rare, damped, found, offsets, weights)
    return Bags(found[: offsets[-1]], offsets, weights[: offsets[-1]])


def _weighed(
    parts: Sequence[Bags],
    rows: Array,
    rare: Array,
    damped: Array,
    found: Array,
    offsets: Array,
    weights: Array,
) -> None:
    end = 0
    for text in range(len(offsets) - 1):
        found[end], weights[end] = 0, 1
        end += 1
        for part in parts:
            own = slice(part.offsets[text], part.offsets[text + 1])
            row = rows[part.indices[own]]
            known = row > 0
            row, count = row[known], part.weights[own][known]  # type: ignore[index]
            weight = damped[count.astype(np.int64) - 1] * rare[row]
            norm = np.sqrt(sum(weight * weight))  # one after the other, as in the engine
            stop = end + len(row)
            found[end:stop], weights[end:stop] = row, weight / norm
            end = stop
        offsets[text + 1] = end
