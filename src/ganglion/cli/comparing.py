"""The command that compares learners on a table."""

from __future__ import annotations

import sys
from pathlib import Path

from ganglion.cli.console import (
    AS_FOUND,
    Flag,
    Names,
    ReadFlags,
    Whole,
    command,
    notes as collect,
    say,
    say_page,
    split,
)
from ganglion.comparison import compare as compare_learners
from ganglion.errors import ConfigError
from ganglion.files.atomic import check_writable
from ganglion.insight import plot
from ganglion.optional import load
from ganglion.tables.reading import open_table

PICTURES = (".png", ".svg", ".pdf")


@command
def compare(
    table: Path,
    /,
    *more: Path,
    target: str,
    learner: Names = [],  # noqa: B006  # read only
    folds: Whole = 3,
    task: str = "auto",
    group: str | None = None,
    where: str | None = None,
    drop: Names = [],  # noqa: B006
    category: Names = [],  # noqa: B006
    keep: Names = [],  # noqa: B006
    picture: Path | None = None,
    seed: Whole = 0,
    json: Flag = False,
    read: ReadFlags = AS_FOUND,
) -> None:
    """Compare ganglion with other learners on the same folds of a table.

    Those that are installed of LightGBM, CatBoost, XGBoost and scikit-learn take part, each with its own
    default settings.

    Parameters
    ----------
    table
        A table, as train takes it.
    more
        More files with the same columns.
    target
        The column to predict.
    learner
        Who takes part, separated by commas: ganglion fast, ganglion good, ganglion best, LightGBM, CatBoost,
        XGBoost, histogram gradient boosting, random forest, linear. By default all that are installed except
        ganglion best.
    folds
        Number of folds, each of which is answered by models that learned from the others.
    task
        classification or regression; by default inferred from the target.
    group
        A column whose equal values keep rows together; no input.
    where
        Use only the rows that satisfy this condition in SQL.
    drop
        Columns to ignore, separated by commas.
    category
        Columns of numbers to treat as categories, separated by commas.
    keep
        Columns to use although they look like row numbers, identifiers or names.
    picture
        Also draw the comparison to this file: .png, .svg or .pdf.
    seed
        Determines the folds and everything else random.
    json
        Print one JSON object instead.
    """
    if picture is not None:
        if picture.suffix.lower() not in PICTURES:
            raise ConfigError(f"--picture must end in {', '.join(PICTURES)}, got {picture.name!r}")
        load("matplotlib", "plot")
        check_writable(picture)
    with collect() as collected:
        opened = open_table([table, *more] if more else table, read.options(), targets=[target])
        found = compare_learners(
            opened,
            target,
            split(learner) or None,
            folds=folds,
            task=task,
            group=group,
            where=where,
            drop=split(drop),
            categories=split(category),
            keep=split(keep),
            seed=seed,
            announce=_announce,
        )
    say_page(found, found.to_facts(), collected, json)
    if picture is not None:
        drawn = plot.comparison(found).figure
        drawn.savefig(picture, bbox_inches="tight")
        if not json:
            say(f"picture written to {picture}")


def _announce(name: str) -> None:
    """Tell in a terminal who is learning."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{name} ...")
        sys.stderr.flush()
