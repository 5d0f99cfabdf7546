"""The rows of a table that a model learns from: those with a target, and those held out to test it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import polars as pl

from ganglion.answers.target import ClassTarget, Target
from ganglion.checks import check_number
from ganglion.errors import ConfigError, DataError, notice, shortened
from ganglion.tables.encode import require_column
from ganglion.training.splitting import split


def column_names(what: str, names: Any) -> tuple[str, ...]:
    """Return names of columns as a tuple, after checking that they are strings."""
    if not isinstance(names, tuple | list | set | frozenset) or not all(isinstance(n, str) for n in names):
        raise ConfigError(f"{what} must be a list of column names, got {shortened(names)}", "such as ['id']")
    return tuple(names)


def target_names(target: Any) -> tuple[str, ...]:
    """Return the names of one target, or of several different ones.

    Raises:
        ConfigError: if it is neither the name of a column nor a list of at least two different names.
    """
    if isinstance(target, str):
        return (target,)
    if not isinstance(target, tuple | list) or not all(isinstance(name, str) for name in target):
        raise ConfigError(
            f"target must be the name of a column or a list of names, got {type(target).__name__}"
        )
    if len(target) < 2 or len(set(target)) < len(target):
        raise ConfigError(f"several targets must be at least two different columns, got {shortened(target)}")
    return tuple(target)


def notice_missing_values_and_dates(table: pl.DataFrame, random_split: bool) -> None:
    """Notify the user of missing values, and of dates if rows are held out at random."""
    missing = {c.name: c.null_count() for c in table.get_columns() if 0 < c.null_count() < len(c)}
    if missing:
        counts = ", ".join(f"{name} {count:,}" for name, count in list(missing.items())[:10])
        more = f" and {len(missing) - 10} more columns" if len(missing) > 10 else ""
        text = f"missing values: {counts}{more}; replaced by medians, or a category of their own"
        notice(text, "missing-values")
    dates = [c.name for c in table.get_columns() if c.dtype in (pl.Date, pl.Datetime)]
    if dates and random_split:
        notice(
            f"rows are held out at random, although the table has dates ({dates[0]}): if the model is to "
            f"predict the future, hold out the latest rows yourself and use evaluate on them",
            "random-split",
        )


def labeled_rows(frame: pl.DataFrame, target: str, drop: Collection[str]) -> pl.DataFrame:
    """Return the rows that have the target, after checking that the columns exist."""
    for name in drop:
        require_column(frame, name)
    if target in drop:
        raise ConfigError(f"the target {target!r} must not be dropped")
    missing = require_column(frame, target).null_count()
    if missing:
        notice(f"{missing} rows lack the target {target!r} and are ignored", "missing-target")
        frame = frame.filter(pl.col(target).is_not_null())
    if frame.height < 2:
        raise DataError(f"a table needs at least 2 rows to learn from, got {frame.height}")
    return frame


def hold_out(
    frame: pl.DataFrame, target: Target, fraction: float, seed: int, what: str
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return the remaining rows and the held-out rows, None if the fraction is 0."""
    check_number(what, fraction, at_least=0, below=1)
    if not fraction:
        return frame, None
    classes = target.encode(frame.get_column(target.column)) if isinstance(target, ClassTarget) else None
    position = ("test", "validation").index(what)
    rest, held_out = split(frame.height, fraction, seed, classes, position=position)
    return frame[rest], frame[held_out]
