"""Splits: which rows a network learns from, which validate its training, and which test it.

A hold-out is one split, cross-validation is one for each fold. Rows of one block, such as copies of one row
or the rows of one person, are never separated. A class never loses all its rows to the test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganglion.core.part import Array
from ganglion.core.random import Purpose, generator
from ganglion.errors import DataError
from ganglion.training.splitting import split

# A block larger than this fraction of the smallest part is placed before the others.
LARGE_BLOCK = 0.1
REMEDY = "pass more rows, or hold out none (0)"
NOTHING = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Split:
    """Row numbers, each array in ascending order; validation and test may be empty."""

    train: Array
    validation: Array
    test: Array


@dataclass(frozen=True)
class Divisible:
    """What a split has to respect.

    Args:
        rows: the number of rows.
        classes: the class index of each row; None for numbers.
        blocks: rows with equal numbers stay together; None if every row may go anywhere.
        order: a number for each row, such as its time: later rows test, earlier rows are learned from.
    """

    rows: int
    classes: Array | None = None
    blocks: Array | None = None
    order: Array | None = None

    def part(self, which: Array) -> Divisible:
        """Return the same for some of the rows."""
        classes, blocks, order = (
            None if values is None else values[which] for values in (self.classes, self.blocks, self.order)
        )
        return Divisible(len(which), classes, blocks, order)


def hold_out(rows: Divisible, test: float, validation: float, seed: int) -> Split:
    """Return one split: `test` is a fraction of all rows, `validation` one of the others; 0 for none.

    Raises:
        DataError: if a part would be empty.
    """
    everything = np.arange(rows.rows)
    rest, tested = _take(rows, everything, test, seed, 0)
    train, validated = _take(rows, rest, validation, seed, 1)
    return Split(train, validated, tested)


def fold_splits(rows: Divisible, folds: int, repeats: int, seed: int) -> list[Split]:
    """Return a split for each fold of each repetition, without validation rows.

    With an order there are fewer folds if there are fewer times; each fold learns from all earlier ones, the
    first of which is never tested, and repetitions would be equal. There are no splits if the rows cannot be
    divided, because they form one block.
    """
    if rows.order is not None:
        return _windows(rows, folds)
    splits = []
    for repeat in range(repeats):
        fold_of = _deal(rows, np.full(folds, 1 / folds), seed, 3 + repeat)
        _spread_classes(rows, fold_of, folds)
        for fold in range(folds):
            tested = fold_of == fold
            if tested.any() and not tested.all():
                splits.append(Split(np.flatnonzero(~tested), NOTHING, np.flatnonzero(tested)))
    return splits


def joined(*labelings: Array) -> Array:
    """Return one number for each row, equal if rows are connected by equal numbers in any labeling."""
    rows = len(labelings[0])
    label = np.arange(rows)
    codes = [np.unique(numbers, return_inverse=True)[1] for numbers in labelings]
    while True:
        found = label
        for code in codes:
            least = np.full(int(code.max(initial=0)) + 1, rows)
            np.minimum.at(least, code, found)
            found = least[code]
        found = found[found]  # the label is itself a row of the same block
        if (found == label).all():
            return np.unique(label, return_inverse=True)[1]
        label = found


def _take(rows: Divisible, among: Array, fraction: float, seed: int, position: int) -> tuple[Array, Array]:
    """Return the rows among these that remain, and those that are held out."""
    if not fraction:
        return among, NOTHING
    part = rows.part(among)
    if part.order is not None:
        chosen = _latest(part, fraction)
    elif part.blocks is None or len(np.unique(part.blocks)) == part.rows:
        chosen = np.zeros(part.rows, dtype=bool)
        chosen[split(part.rows, fraction, seed, part.classes, position)[1]] = True
        _keep_classes(part, chosen)
    else:
        chosen = _deal(part, np.array([1 - fraction, fraction]), seed, position) == 1
        _keep_classes(part, chosen)
    if not chosen.any() or chosen.all():
        raise DataError(
            f"holding out a fraction of {fraction:g} of {part.rows} rows leaves one part without rows", REMEDY
        )
    return among[~chosen], among[chosen]


def _keep_classes(rows: Divisible, chosen: Array) -> None:
    """Give back to training a block of each class that would otherwise lose all its rows."""
    if rows.classes is None:
        return
    lost = np.setdiff1d(rows.classes[chosen], rows.classes[~chosen])
    for number in lost:
        if (rows.classes[~chosen] == number).any():  # a block given back for another class held it
            continue
        first = int(np.flatnonzero(chosen & (rows.classes == number))[0])
        chosen[first] = False
        if rows.blocks is not None:
            chosen[rows.blocks == rows.blocks[first]] = False


def _spread_classes(rows: Divisible, fold_of: Array, folds: int) -> None:
    """Move blocks so that no fold holds all rows of a class; a class of one block is never held out."""
    if rows.classes is None:
        return
    blocks = np.arange(rows.rows) if rows.blocks is None else rows.blocks
    for number in np.unique(rows.classes):
        of_class = rows.classes == number
        where = np.unique(fold_of[of_class])
        if len(where) == 1 and where[0] >= 0:
            own = np.unique(blocks[of_class])
            fold_of[blocks == own[0]] = -1 if len(own) == 1 else (where[0] + 1) % folds


def _block_times(rows: Divisible) -> Array:
    """Return the time of each row's block, that of its latest row, as a rank from 0."""
    times = rows.order
    assert times is not None
    if rows.blocks is not None:
        block, last = np.unique(rows.blocks, return_inverse=True)[1], None
        last = np.full(int(block.max(initial=0)) + 1, -np.inf)
        np.maximum.at(last, block, times)
        times = last[block]
    return np.unique(times, return_inverse=True)[1]


def _latest(rows: Divisible, fraction: float) -> Array:
    """Return which rows are the latest: about this fraction, cut where the time changes."""
    rank = _block_times(rows)
    before = np.cumsum(np.bincount(rank))[:-1]  # rows before each possible cut
    if not len(before):
        raise DataError("rows can be held out by their order only if it varies, and it is the same in all")
    cut = int(np.argmin(np.abs(before - (1 - fraction) * rows.rows)))
    return rank > cut


def _windows(rows: Divisible, folds: int) -> list[Split]:
    rank = _block_times(rows)
    before = np.cumsum(np.bincount(rank))[:-1]
    if not len(before):
        return []
    wanted = np.arange(1, folds + 1) * rows.rows / (folds + 1)
    cuts = np.unique([int(np.argmin(np.abs(before - count))) for count in wanted])
    ends = [*cuts[1:], rank.max()]
    return [
        Split(np.flatnonzero(rank <= cut), NOTHING, np.flatnonzero((rank > cut) & (rank <= end)))
        for cut, end in zip(cuts, ends, strict=True)
    ]


def _deal(rows: Divisible, shares: Array, seed: int, position: int) -> Array:
    """Return a part for each row, so that each part gets about its share of the rows of each class.

    Blocks of several rows go one by one to the part that lacks most of their classes; single rows then fill
    what is lacking.
    """
    chance = generator(seed, Purpose.SPLIT, position)
    shuffled = chance.permutation(rows.rows)
    classes = np.zeros(rows.rows, np.int64) if rows.classes is None else rows.classes
    classes = np.unique(classes, return_inverse=True)[1]
    counts = np.bincount(classes)
    lacking = shares[:, None] * counts
    part_of = np.full(rows.rows, -1)
    if rows.blocks is not None:
        _place_blocks(rows.blocks, classes, shuffled, shares, lacking, part_of)
    single = shuffled[part_of[shuffled] < 0]
    owed = np.zeros(len(shares))  # carried from class to class, so that the parts' sizes stay right
    for number in range(len(counts)):
        free = single[classes[single] == number]
        if len(free):
            owed += _scaled(np.maximum(lacking[:, number], 0), shares, len(free))
            given = _whole(owed, len(free))
            owed -= given
            part_of[free] = np.repeat(np.arange(len(shares)), given)
    return part_of


def _scaled(lacking: Array, shares: Array, total: int) -> Array:
    return total * (lacking / lacking.sum() if lacking.sum() > 0 else shares)


def _whole(owed: Array, total: int) -> Array:
    """Return whole numbers near those owed, with the given sum."""
    given = np.maximum(np.floor(owed), 0).astype(np.int64)
    while given.sum() < total:
        given[np.argmax(owed - given)] += 1
    while given.sum() > total:
        given[np.argmax(np.where(given > 0, given - owed, -np.inf))] -= 1
    return given


def _place_blocks(
    blocks: Array, classes: Array, shuffled: Array, shares: Array, lacking: Array, part_of: Array
) -> None:
    """Fill `part_of` for the rows of blocks of several rows, and subtract them from what is lacking."""
    number, sizes = np.unique(blocks, return_inverse=True, return_counts=True)[1:]
    by_block = np.argsort(number, kind="stable")
    starts = np.cumsum(sizes) - sizes
    in_order = np.unique(number[shuffled], return_index=True)[1]  # where each block first appears
    large = sizes > LARGE_BLOCK * shares.min() * len(blocks)
    for block in np.lexsort((in_order, np.where(large, -sizes, 0))):
        if sizes[block] == 1:
            continue
        members = by_block[starts[block] : starts[block] + sizes[block]]
        kinds, amounts = np.unique(classes[members], return_counts=True)
        part = int(np.argmax(lacking[:, kinds] @ (amounts / sizes[block])))
        part_of[members] = part
        lacking[part, kinds] -= amounts
