"""Copies of pictures: equal ones, and the same picture stored in another format, quality or size.

A copy in the test of a picture that was learned makes a score too good. Equal pixels are found by a hash of
them. Pictures are similar if the difference between their thumbnails is small beside the contrast of each,
and beside what sets each apart from the mean of all. So pictures without content, and pictures before one
background, which are all alike, are no copies of each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ganglion.core.part import Array
from ganglion.errors import ShapeError

# The difference between copies is at most this fraction of their contrast.
TOLERANCE = 0.1
FINE, COARSE = 16, 4  # cells along a side of a thumbnail: of brightness, of color
COMPONENTS = 16  # in which candidates are close
ROUNDING = 1e-5  # an upper bound of its relative error
CHUNK = 128  # rows compared with all others at once
PAIRS = 8192  # compared exactly at once
PIXELS = 2**22  # reduced at once


@dataclass(frozen=True)
class Copies:
    """Which pictures are copies of each other.

    Args:
        blocks: a number for each picture, equal for copies of one picture.
        equal: how many pictures have the same pixels as an earlier one.
        similar: how many more are copies of an earlier one in another format, quality or size.
    """

    blocks: Array
    equal: int
    similar: int


def find_copies(images: Array) -> Copies:
    """Find copies among pictures.

    Args:
        images: bytes of shape (n, height, width, channels).

    Raises:
        ShapeError: for an array of another shape or type.

    >>> import numpy as np
    >>> from ganglion.images import find_copies
    >>> images = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8, 1)
    >>> find_copies(images[[0, 1, 0, 2]]).blocks
    array([0, 1, 0, 2])
    """
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ShapeError(
            f"images must be bytes (uint8) with 4 axes, got {images.dtype} of shape {images.shape}"
        )
    if len(images) < 2:
        return Copies(np.arange(len(images)), 0, 0)
    first, same = _equal(images)
    pairs = [first[pair] for pair in _similar(*_features(images, first))]
    blocks = _connected(len(images), [*pairs, same])
    distinct = len(np.unique(blocks))
    return Copies(blocks, len(images) - len(first), len(first) - distinct)


def _equal(images: Array) -> tuple[Array, Array]:
    """Return the rows of distinct pictures, and pairs (earlier, later) of rows with the same pixels."""
    seen = dict[bytes, int]()
    earlier = np.array(
        [
            seen.setdefault(hashlib.blake2b(picture.tobytes()).digest(), row)
            for row, picture in enumerate(images)
        ],
        dtype=np.int64,
    )
    rows = np.arange(len(images))
    later = earlier < rows
    return rows[~later], np.stack([earlier[later], rows[later]], axis=1)


def _features(images: Array, rows: Array) -> tuple[Array, Array]:
    """Return what is compared of each picture, and its contrast.

    It is the brightness in the cells of a fine grid, and the color in those of a coarse one, as stored
    pictures keep color less exactly than brightness. The distance between rows of features is the root of the
    mean square of differences.
    """
    fine, coarse = ([_means(size, cells) for size in images.shape[1:3]] for cells in (FINE, COARSE))
    found, contrasts = list[Array](), list[Array]()
    at_once = max(1, PIXELS // max(1, images[0].size))
    for start in range(0, len(rows), at_once):
        pixels = images[rows[start : start + at_once]].astype(np.float32)
        grey = pixels.mean(axis=3, keepdims=True)
        parts = [_in_cells(grey, *fine)]
        if images.shape[3] > 1:
            parts.append(_in_cells(pixels - grey, *coarse))
        contrasts.append(np.sqrt(sum(part.var(axis=1).sum(axis=1) for part in parts)))
        flat = [part.reshape(len(part), -1) / np.float32(np.sqrt(part.shape[1])) for part in parts]
        found.append(np.concatenate(flat, axis=1))
    return np.concatenate(found), np.concatenate(contrasts)


def _in_cells(pixels: Array, down: Array, across: Array) -> Array:
    """Return the means of the pixels in the cells of a grid, of shape (n, cells, channels)."""
    small = np.einsum("nhwc,Hh->nHwc", pixels, down, optimize=True)
    small = np.einsum("nHwc,Ww->nHWc", small, across, optimize=True)
    return small.reshape(len(pixels), -1, pixels.shape[3])


def _means(size: int, cells: int) -> Array:
    """Return weights, of shape (cells, size), that take the mean over each of some equal cells."""
    cells = min(size, cells)
    edges = np.arange(cells + 1) * size / cells
    pixels = np.arange(size)
    covered = np.minimum(pixels + 1, edges[1:, None]) - np.maximum(pixels, edges[:-1, None])
    return (np.maximum(covered, 0) * cells / size).astype(np.float32)


def _similar(features: Array, contrasts: Array) -> Iterator[Array]:
    """Yield pairs of pictures that differ little, as arrays of shape (pairs, 2).

    No distance is shorter in all features than in some of their principal components: so every such pair is
    among those that are close there, and few others are. Pairs far from each other in the first component are
    not even compared.
    """
    if len(features) < 2:
        return
    flat = features - features.mean(axis=0)
    most = TOLERANCE * np.minimum(contrasts, np.sqrt(np.sum(flat * flat, axis=1)))
    parts = _components(flat)
    order = np.argsort(parts[:, 0], kind="stable")
    parts, most, flat = parts[order], most[order], flat[order]
    first, squares = parts[:, 0], np.sum(parts * parts, axis=1)
    reach = most + ROUNDING * np.sqrt(squares.max())
    for start in range(0, len(parts), CHUNK):
        rows = slice(start, start + CHUNK)
        others = slice(start, int(np.searchsorted(first, np.max(first[rows] + reach[rows]), "right")))
        near = squares[rows, None] + squares[others] - 2 * (parts[rows] @ parts[others].T)
        one, other = np.nonzero(near <= reach[rows, None] ** 2)
        one, other = one[one < other] + start, other[one < other] + start
        for begin in range(0, len(one), PAIRS):
            pair = slice(begin, begin + PAIRS)
            difference = flat[one[pair]] - flat[other[pair]]
            distance = np.sqrt(np.sum(difference * difference, axis=1))
            same = distance <= np.minimum(most[one[pair]], most[other[pair]])
            yield order[np.stack([one[pair][same], other[pair][same]], axis=1)]


def _components(flat: Array) -> Array:
    """Return the largest principal components of rows whose mean is 0."""
    axes = np.linalg.eigh(flat.T @ flat)[1][:, ::-1]
    return (flat @ axes[:, :COMPONENTS]).astype(np.float64)


def _connected(rows: int, pairs: list[Array]) -> Array:
    """Return a number for each row, equal for rows that pairs connect; numbered by their first rows."""
    one, other = np.concatenate([np.empty((0, 2), np.int64), *pairs]).T
    label = np.arange(rows)
    while True:
        least = np.minimum(label[one], label[other])
        found = label.copy()
        np.minimum.at(found, one, least)
        np.minimum.at(found, other, least)
        found = found[found]  # the label is itself a row of the same block
        if (found == label).all():
            return np.unique(label, return_inverse=True)[1]
        label = found
