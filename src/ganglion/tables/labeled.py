"""The rows of a table that a model learns from: those with a target; their weights, groups and order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ganglion.answers.values import as_text, dtype_name, to_numbers
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, amount, notice, one_of, shortened
from ganglion.tables.encode import require_column

LARGEST_WEIGHT = 1e20
SMALLEST_WEIGHT = 1e-20
WRITTEN_DATE = re.compile(
    r"(\b(?:DATE|DATETIME|TIMESTAMP)\s+)?'(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?'",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LabeledRows:
    """The rows with a target, in the order of the table.

    Args:
        frame: these rows, with all columns.
        whole: the user's whole table, with nulls in all other rows: what it says of a row, it says of that
            row of the user's table.
        weight: the sample weight of each row, None if all count alike.
        groups: a number for each row, equal for rows of one group; None without groups.
        order: a number for each row, larger for later rows; None without an order.
    """

    frame: pl.DataFrame
    whole: pl.DataFrame
    weight: Array | None = None
    groups: Array | None = None
    order: Array | None = None


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
    if len(target) < 2:
        raise ConfigError(
            f"target must be the name of a column, got list {shortened(target)}",
            "several targets are a list of at least two names",
        )
    if len(set(target)) < len(target):
        raise ConfigError(f"several targets must be different columns, got {shortened(target)}")
    return tuple(target)


def notice_missing_values(table: pl.DataFrame) -> None:
    """Notify the user of missing values."""
    missing = {c.name: c.null_count() for c in table.get_columns() if 0 < c.null_count() < len(c)}
    if missing:
        counts = ", ".join(f"{name} {count:,}" for name, count in list(missing.items())[:10])
        more = f" and {len(missing) - 10} more columns" if len(missing) > 10 else ""
        text = f"missing values: {counts}{more}; replaced by medians, or a category of their own"
        notice(text, "missing-values")


def labeled_rows(
    table: pl.DataFrame,
    targets: Sequence[str],
    *,
    where: str | None = None,
    weight: str | None = None,
    group: str | None = None,
    order: str | None = None,
) -> LabeledRows:
    """Return the rows that have at least one of the targets and satisfy the condition `where`.

    Raises:
        DataError: if a column is missing or holds unusable values, or fewer than 2 rows are left.
    """
    kept = np.ones(table.height, dtype=bool) if where is None else satisfies(table, where)
    if not kept.all():
        notice(f"of {amount(table.height, 'row')}, {int((~kept).sum()):,} left out by --where", "where")
    present = [require_column(table, target).is_not_null().to_numpy() for target in targets]
    labeled = np.any(present, axis=0)
    if missing := int((kept & ~labeled).sum()):
        what = f"the target {targets[0]!r}" if len(targets) == 1 else "all targets"
        notice(amount(missing, "row lacks", "rows lack") + f" {what}, ignored", "missing-target")
    kept &= labeled
    for target, own in zip(targets, present, strict=True):
        if missing := int((kept & ~own).sum()):
            lacking = amount(missing, "row lacks", "rows lack") + f" the target {target!r}"
            notice(f"{lacking}, used for the others only", "missing-target")
    if kept.sum() < 2:
        raise DataError(f"a table needs at least 2 rows to learn from, got {int(kept.sum())}")
    return LabeledRows(
        table.filter(pl.Series(kept)),
        only_rows(table, kept),
        None if weight is None else row_weights(table, weight, kept),
        None if group is None else _groups(table, group, kept),
        None if order is None else _order(table, order, kept),
    )


def only_rows(table: pl.DataFrame, kept: Array) -> pl.DataFrame:
    """Return the table with nulls in the rows that are not kept, so that the others keep their numbers."""
    return table if kept.all() else table.select(pl.when(pl.lit(pl.Series(kept))).then(pl.all()))


def satisfies(table: pl.DataFrame, where: str) -> Array:
    """Return for each row whether it satisfies a condition in SQL; a condition without an answer is not.

    Raises:
        DataError: for a column that the table lacks, or a condition that cannot be read or is no yes or no.
    """
    example = "such as \"age > 18 AND country = 'DE'\""
    if not isinstance(where, str) or not where.strip():
        raise ConfigError(f"where must be a condition in SQL, got {shortened(where)}", example)
    if re.search(r"\bselect\b", where, re.IGNORECASE):  # it could read any file
        raise DataError(f"where must be a condition on one table, got {shortened(where)}", example)
    try:
        condition = pl.sql_expr(where)
        if unknown := [name for name in condition.meta.root_names() if name not in table.columns]:
            raise DataError(
                f"where names a column that the table lacks: {unknown[0]!r}",
                one_of(unknown[0], table.columns),
            )
        dates = any(table.schema[name].is_temporal() for name in condition.meta.root_names())
        try:
            found = table.select(condition.alias("kept")).to_series()
        except pl.exceptions.PolarsError:
            if not dates:
                raise
            example = "dates are written '2022-01-31', times '2022-01-31 18:00'"
            condition = pl.sql_expr(WRITTEN_DATE.sub(_typed_date, where))
            found = table.select(condition.alias("kept")).to_series()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"the condition where={shortened(where)} cannot be used: {reason}", example
        ) from error
    if found.dtype != pl.Boolean:
        raise DataError(
            f"where must be true or false for each row, got {dtype_name(found)} from {shortened(where)}",
            example,
        )
    kept = found.fill_null(value=False).to_numpy()
    return np.array(np.broadcast_to(kept, table.height))


def _typed_date(found: re.Match[str]) -> str:
    """Return a date in a condition with its type, which polars demands to compare it."""
    typed, day, time = found.groups()
    if typed:
        return found.group()
    return f"TIMESTAMP '{day} {time}'" if time else f"DATE '{day}'"


def row_weights(table: pl.DataFrame, column: str, kept: Array) -> Array:
    """Return the weights of the rows that are kept.

    Raises:
        DataError: if a weight is missing, negative or too large; the message names its row in the table.
    """
    weight = to_numbers(only_rows(require_column(table, column).to_frame(), kept).to_series())
    numbers = weight.cast(pl.Float64).to_numpy()
    too_small = (numbers < SMALLEST_WEIGHT) & (numbers != 0)
    wrong = kept & ~(np.isfinite(numbers) & ~too_small & (numbers <= LARGEST_WEIGHT))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        got = "none" if weight[row] is None else f"{weight[row]:g}"
        raise DataError(
            f"column {column!r} must hold a weight >= 0 for every row, got {got} in row {row}",
            "correct it, or leave the row out (--where)",
        )
    if not numbers[kept].sum() > 0:
        raise DataError(f"column {column!r} must hold a weight > 0 in at least one row, got 0 in all")
    return numbers[kept]


def _groups(table: pl.DataFrame, column: str, kept: Array) -> Array:
    """Return a number for each group; every row without one is a group of its own."""
    values = as_text(require_column(table, column)).filter(pl.Series(kept))
    if values.n_unique() < 2:
        raise DataError(f"column {column!r} must hold at least 2 groups, got {values.n_unique()}")
    codes = np.unique(values.fill_null("").to_numpy().astype(str), return_inverse=True)[1]
    alone = values.is_null().to_numpy()
    codes[alone] = codes.max() + 1 + np.arange(alone.sum())
    return np.asarray(codes)


def _order(table: pl.DataFrame, column: str, kept: Array) -> Array:
    values = only_rows(require_column(table, column).to_frame(), kept).to_series()
    if values.dtype.is_temporal():
        numbers = values.to_physical()
    elif values.dtype.is_numeric():
        numbers = to_numbers(values)
    else:
        raise DataError(
            f"column {column!r} must hold dates or numbers to order the rows by, got {dtype_name(values)}"
        )
    absent = kept & numbers.is_null().to_numpy()
    if absent.any():
        row = int(np.flatnonzero(absent)[0])
        raise DataError(
            f"column {column!r} must say when each row was, got none in row {row}",
            "add it, or leave the row out (--where)",
        )
    # Ranks are exact, where a large integer as a float is not.
    return np.unique(numbers.filter(pl.Series(kept)).to_numpy(), return_inverse=True)[1]
