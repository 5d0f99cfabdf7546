"""Probing: does another way of dividing the rows change the score? Small networks, trained quickly, tell.

A table often has rows of the same person, or of one time, that a random split puts on both sides. Whether
that makes a report too good is measured, not guessed.
"""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from ganglion.answers.splits import Divisible, Split, fold_splits, hold_out, joined
from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.core.part import Array
from ganglion.core.random import Purpose, generator
from ganglion.errors import DataError, notice
from ganglion.many import train_many
from ganglion.network import Network
from ganglion.tables.defaults import layers_for
from ganglion.tables.encode import Encoder
from ganglion.training.optimizers import AdamW
from ganglion.training.schedules import OneCycle

MOST_ROWS = 2000
FEWEST_ROWS = 60
FEWEST_GROUPS = 10
MOST_COLUMNS = 4
EPOCHS = 30
HIDDEN = (64,)
# A score that grouping lowers by less than this, or by less than three standard errors, is no finding.
DROP = 0.05
ERRORS = 3.0
GROUP_NAME = re.compile(
    r"(?i:person|patient|customer|client|user|subject|student|household|family|member|participant|driver|"
    r"device|sensor|machine|batch|session|group)"
)
GROUP_VALUE = r"^[A-Za-z]+[-_ ]?\d+$"


def notice_groups(
    inputs: pl.DataFrame, frame: pl.DataFrame, target: ClassTarget | NumberTarget, rows: Divisible, seed: int
) -> bool:
    """Notify the user of a column whose repeated values make the score of a random split too good.

    Return whether there is one.

    Args:
        inputs: the columns that are used.
        frame: the rows with the target, with all columns.
        target: fitted on these rows.
        rows: what a split respects already.
        seed: determines the splits and the networks.
    """
    if frame.height < FEWEST_ROWS or rows.order is not None:
        return False
    for name, of_one_kind in _candidates(frame.drop(target.column)):
        groups = np.unique(
            frame.get_column(name).cast(pl.String).to_numpy().astype(str), return_inverse=True
        )[1]
        chosen = _some_groups(groups, seed)
        part, kept = frame[chosen], rows.part(chosen)
        own = groups[chosen]
        blocks = own if kept.blocks is None else joined(own, kept.blocks)
        used = inputs[chosen] if of_one_kind else inputs[chosen].drop(name, strict=False)
        found = [
            _gains(used, part, target, fold_splits(way, 3, 1, seed), seed)
            for way in (kept, Divisible(kept.rows, kept.classes, blocks))
        ]
        if found[0] is None or found[1] is None:
            continue
        difference, numbers = found[0] - found[1], np.unique(own, return_inverse=True)[1]
        sizes = np.bincount(numbers)
        sums = np.bincount(numbers, np.nan_to_num(difference - np.nanmean(difference)))
        drop, error = float(np.nanmean(difference)), float(np.sqrt((sums**2).sum()) / sizes.sum())
        if drop > max(DROP, ERRORS * error):
            scores = [float(np.nanmean(each)) for each in found if each is not None]
            notice(
                f"rows of the same {name!r} are learned and tested: a quick model scores "
                + " there and ".join(f"{score:.2f}" for score in scores)
                + f" for new ones ({_score_name(target)}); if the model is to predict for new ones, use "
                f"--group {name} (group={name!r})",
                "groups",
            )
            return True
    return False


def notice_dates(
    inputs: pl.DataFrame, frame: pl.DataFrame, target: ClassTarget | NumberTarget, rows: Divisible, seed: int
) -> None:
    """Notify the user of dates if rows are held out at random, with the scores of both ways.

    Args:
        inputs: the columns that are used.
        frame: the rows with the target.
        target: fitted on these rows.
        rows: what a split respects already.
        seed: determines the splits and the networks.
    """
    dates = [c.name for c in inputs.get_columns() if c.dtype in (pl.Date, pl.Datetime)]
    if not dates:
        return
    name = dates[0]
    present = np.flatnonzero(frame.get_column(name).is_not_null().to_numpy())
    chosen = np.sort(generator(seed, Purpose.SPLIT, 2).permutation(present)[:MOST_ROWS])
    measured = ""
    if len(chosen) >= FEWEST_ROWS:
        times = np.unique(frame.get_column(name).to_physical().to_numpy()[chosen], return_inverse=True)[1]
        part, kept = frame[chosen], rows.part(chosen)
        try:
            ways = (kept, Divisible(kept.rows, None, kept.blocks, times))
            splits = [hold_out(way, 0.2, 0.0, seed) for way in ways]
        except DataError:  # the rows cannot be divided so
            splits = []
        found = [_gains(inputs[chosen], part, target, [split], seed) for split in splits]
        scores = [float(np.nanmean(each)) for each in found if each is not None]
        if len(scores) == 2:
            measured = (
                f": a quick model scores {scores[0]:.2f} on such rows and {scores[1]:.2f} on the latest "
                f"({_score_name(target)})"
            )
    notice(
        f"rows are held out at random, although the table has dates ({name}){measured}; if the model is to "
        f"predict the future, use --order {name} (order={name!r})",
        "random-split",
    )


def _candidates(frame: pl.DataFrame) -> list[tuple[str, bool]]:
    """Return columns that may be groups; with each, whether name or values say that it names individuals."""
    found = []
    for values in frame.get_columns():
        words = values.dtype in (pl.String, pl.Categorical, pl.Enum)
        if not (words or values.dtype.is_integer()) or values.null_count():
            continue
        named = GROUP_NAME.search(values.name) is not None
        if not (words or named):
            continue
        distinct = values.n_unique()
        if not FEWEST_GROUPS <= distinct <= len(values) / 3:
            continue
        if values.is_duplicated().mean() < 0.9:  # type: ignore[operator]
            continue
        coded = words and bool(values.cast(pl.String).str.contains(GROUP_VALUE).all())
        found.append((values.name, named or coded))
    return sorted(found, key=lambda each: not each[1])[:MOST_COLUMNS]


def _some_groups(groups: Array, seed: int) -> Array:
    """Return the rows of groups chosen at random, at most about as many as a quick network needs."""
    order = generator(seed, Purpose.SPLIT, 2).permutation(int(groups.max()) + 1)
    reached = np.cumsum(np.bincount(groups)[order])
    few = order[: max(FEWEST_GROUPS, int(np.searchsorted(reached, MOST_ROWS)) + 1)]
    return np.flatnonzero(np.isin(groups, few))[: 2 * MOST_ROWS]


def _score_name(target: ClassTarget | NumberTarget) -> str:
    return "accuracy" if isinstance(target, ClassTarget) else "R2"


def _gains(
    inputs: pl.DataFrame,
    frame: pl.DataFrame,
    target: ClassTarget | NumberTarget,
    splits: list[Split],
    seed: int,
) -> Array | None:
    """Return the contribution of each tested row to the score, NaN for others; None if nothing is learned.

    Their mean is the accuracy, or R2.
    """
    try:
        encoder = Encoder.fit(inputs)
        x, y = encoder.encode(inputs)[0], target.encode(frame.get_column(target.column))
    except DataError:
        return None
    if not splits:
        return None
    networks = [Network(layers_for(HIDDEN, "relu", 0.0, target), x.shape[1], seed) for _ in splits]
    train_many(
        networks,
        x,
        y,
        each=[{"X": x[split.train], "y": y[split.train]} for split in splits],
        optimizer=AdamW(OneCycle(0.01, epochs=EPOCHS), weight_decay=0.01),
        epochs=EPOCHS,
    )
    gains = np.full(len(y), np.nan)
    for network, split in zip(networks, splits, strict=True):
        outputs, truth = network.predict(x[split.test]), y[split.test]
        if isinstance(target, ClassTarget):
            gains[split.test] = outputs.argmax(axis=1) == truth
        else:
            gains[split.test] = (outputs[:, 0].astype(np.float64) - truth) ** 2
    if isinstance(target, NumberTarget):
        spread = np.nanvar(np.where(np.isnan(gains), np.nan, y))
        gains = 1 - gains / spread if spread > 0 else np.full(len(y), np.nan)
    return gains if np.isfinite(np.nanmean(gains)) else None
