"""Pictures listed in a table: a column of paths, and columns of what is known of each picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl

from ganglion.errors import DataError, FileError, one_of, shortened
from ganglion.images.archives import open_place
from ganglion.images.folders import ENDINGS
from ganglion.images.places import LeftOut, Place, shown

SEPARATORS = (",", ";", "\t", "|")
BEGIN = 2**14  # bytes that tell whether a table is one of paths
FEWEST_COLUMNS = 2  # of a table of paths: the paths, and what is to be predicted
MOST_PICTURES = 0.5  # of the texts in the column of paths, at least this fraction ends like a picture's name


@dataclass(frozen=True)
class Listed:
    """The pictures of a table; the fields are those of `Pictures`."""

    names: tuple[str, ...]
    place: Place
    keys: tuple[str, ...]
    targets: pl.DataFrame | None
    left_out: tuple[LeftOut, ...]


def read_paths(path: Path) -> pl.DataFrame:
    """Return the table in a CSV file: UTF-8, with a header, separated by comma, semicolon, tab or bar.

    Where no comma separates, numbers may have a decimal comma.

    Tables in other dialects are read with `tables`, and passed as frames.

    Raises:
        FileError: if it is no such table.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
        separator = max(SEPARATORS, key=header.count)
        decimal_comma = separator != "," and _has_commas(
            pl.read_csv(path, separator=separator, infer_schema=False)
        )
        return pl.read_csv(path, separator=separator, infer_schema_length=None, decimal_comma=decimal_comma)
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        reason = " ".join(str(error).split())[:200]
        raise FileError(
            f"{path} cannot be read as a table of paths: {reason}", "save it as CSV in UTF-8"
        ) from error


def _has_commas(texts: pl.DataFrame) -> bool:
    """Return whether numbers are written with a decimal comma: 1,5 and never 1.5."""
    fractions = [
        texts.select(pl.any_horizontal(pl.all().str.contains(rf"^\s*[-+]?\d+{sign}\d+\s*$").any())).item()
        for sign in (",", r"\.")
    ]
    return bool(fractions[0] and not fractions[1])


def has_paths(path: Path) -> bool:
    """Return whether a text file begins like a table of paths: some lead to files, or a column beside them is
    all that there is. A table of numbers with the names of pictures elsewhere is none.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(BEGIN)
        lines = begin.decode("utf-8-sig", "ignore").splitlines()  # the last character may be cut
        lines = lines[:-1] if len(begin) == BEGIN else lines
        separator = max(SEPARATORS, key=lines[0].count)
        table = pl.read_csv("\n".join(lines).encode(), separator=separator, infer_schema=False)
        values = table[_path_column(table)].drop_nulls().to_list()
        find = open_place(path.parent).finder()
    except (OSError, IndexError, DataError, pl.exceptions.PolarsError):
        return False
    return table.width <= FEWEST_COLUMNS or any(not find(value)[1] for value in values)


def pictures_in_table(
    table: pl.DataFrame, folder: Path, path: str | None = None, target: str | Sequence[str] | None = None
) -> Listed:
    """Return the pictures of a table.

    Args:
        table: one row for each picture.
        folder: a folder or a zip archive, in which the paths lie.
        path: the column of paths; None to find it.
        target: the column or columns to predict; None for all others.

    Raises:
        DataError: if there is no such column, or none that holds paths.
    """
    column = _path_column(table) if path is None else path
    wanted = [name for name in table.columns if name != column] if target is None else target
    wanted = [wanted] if isinstance(wanted, str) else list(wanted)
    for name in (column, *wanted):
        if name not in table.columns:
            raise DataError(
                f"the table must have a column {name!r}, it does not", one_of(name, table.columns)
            )
    place = open_place(folder)
    find = place.finder()
    names, keys, rows, left_out = list[str](), list[str](), list[int](), list[LeftOut]()
    for row, value in enumerate(table[column].cast(pl.String).to_list()):
        name = f"row {row}" if value is None else shown(value)
        key, problem = ("", "has no path") if value is None else find(value)
        if problem:
            left_out.append(LeftOut(name, problem))
        else:
            names.append(name)
            keys.append(key)
            rows.append(row)
    if not rows:
        first = f"{left_out[0].name} {left_out[0].reason}" if left_out else "it has no rows"
        raise DataError(
            f"the column {column!r} leads to no file in {folder}: {first}",
            "name the folder that the paths lie in: --folder FOLDER, in Python folder='FOLDER'",
        )
    targets = table.select(wanted)[rows] if wanted else None
    return Listed(tuple(names), place, tuple(keys), targets, tuple(left_out))


def _path_column(table: pl.DataFrame) -> str:
    """Return the first column in which most texts end like the name of a picture."""
    for values in table.get_columns():
        if values.dtype in (pl.String, pl.Categorical, pl.Enum):
            endings = [
                PurePosixPath(text).suffix.lower() for text in values.cast(pl.String).drop_nulls().to_list()
            ]
            if endings and sum(ending in ENDINGS for ending in endings) >= MOST_PICTURES * len(endings):
                return values.name
    raise DataError(
        f"a table of pictures must have a column of paths, as cats/1.png, got {shortened(table.columns)}",
        "name it: --path COLUMN, in Python path='COLUMN'",
    )
