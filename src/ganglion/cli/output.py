"""Writing answers: a frame to a file of the kind that its ending names. To add one: add it to `WRITERS`."""

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


def table_writer(path: Path) -> Writer:
    """Return what writes a table to a file of this name.

    Raises:
        ConfigError: for an ending that stands for no kind of table.
    """
    ending = path.suffix.lower()
    if ending not in WRITERS:
        raise ConfigError(f"cannot tell what kind of table {path.name} is to be", one_of(ending, WRITERS))
    return WRITERS[ending]


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a table, whole or not at all.

    Raises:
        FileError: if it cannot be written.
    """
    write = table_writer(path)
    write_atomically(path, lambda file: write(table, file))
