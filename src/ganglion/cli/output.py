"""Write a frame to a file in the format of its extension. To add a format, add it to `WRITERS`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import polars as pl

from ganglion.errors import ConfigError, one_of
from ganglion.files.atomic import write_atomically

Writer = Callable[[pl.DataFrame, BinaryIO], object]
WRITERS: dict[str, Writer] = {
    ".csv": lambda table, file: table.write_csv(file),
    ".tsv": lambda table, file: table.write_csv(file, separator="\t"),
    ".parquet": lambda table, file: table.write_parquet(file),
    ".jsonl": lambda table, file: table.write_ndjson(file),
    ".arrow": lambda table, file: table.write_ipc(file),
}
AS_TEXT = (".csv", ".tsv")  # formats in which every cell is text


def emptied(cells: pl.Series) -> pl.Series:
    """Return cells with empty text as missing, which is written without quotes."""
    return cells.set((cells == "").fill_null(value=False), None) if cells.dtype == pl.String else cells


def table_writer(path: Path) -> Writer:
    """Return the writer for the extension of a file.

    Raises:
        ConfigError: for an extension that is not that of a table.
    """
    extension = path.suffix.lower()
    if extension not in WRITERS:
        raise ConfigError(f"the extension of {path.name} is not that of a table", one_of(extension, WRITERS))
    return WRITERS[extension]


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a table atomically.

    Raises:
        FileError: if it cannot be written.
    """
    write = table_writer(path)
    write_atomically(path, lambda file: write(table, file))
