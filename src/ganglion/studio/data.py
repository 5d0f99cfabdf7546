"""A table in the studio: the roles of its columns, as `train` finds them, and its rows."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from ganglion.core.losses import Loss
from ganglion.core.part import Array, plain
from ganglion.errors import ConfigError, DataError, collect_notices, one_of, shortened
from ganglion.studio.settings import Settings
from ganglion.table_model import TableModel
from ganglion.table_model.prepared import PreparedTable
from ganglion.tables.columns import NumberColumn
from ganglion.tables.examples import FOLDER, example_table
from ganglion.tables.reading import open_table
from ganglion.training.optimizers import Optimizer

MOST_ROWS, MOST_COLUMNS, MOST_FEATURES = 1_000_000, 1_000, 5_000
ENDINGS = ("csv", "tsv", "txt", "json", "jsonl", "parquet", "arrow", "xlsx")
HIDDEN = (8, 8)
ROLES = ("input", "category", "text", "left out")
LONGEST_CELL = 80


@dataclass(frozen=True)
class Source:
    """Where a table comes from.

    Attributes:
        path: of its file.
        name: what to call it: never a path that the browser named.
        target: the column to predict, if that is known.
    """

    path: Path
    name: str
    target: str | None = None

    @classmethod
    def example(cls, name: Any, folder: Path) -> Self:
        """Return a table that comes with the package; one that is made is written to a folder."""
        example, table = example_table(str(name))
        path = FOLDER / f"{name}.csv"
        if not path.exists():
            path = folder / f"{name}.csv"
            table.write_csv(path)
        return cls(path, path.name, example.target)

    @classmethod
    def uploaded(cls, data: bytes, ending: str, label: str, folder: Path) -> Self:
        """Keep an uploaded table in a folder of the studio's own, under a name of its own.

        Raises:
            ConfigError: for an unknown kind of file.
        """
        if ending not in ENDINGS:
            raise ConfigError(f"the studio reads {', '.join(ENDINGS)}, got {shortened(ending)}")
        handle, path = tempfile.mkstemp(f".{ending}", "table-", folder)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        shown = "".join(c for c in label if c.isalnum() or c in "._- ")[:60].strip(". ")
        return cls(Path(path), shown or f"table.{ending}")


class Data:
    """A table prepared for a target.

    Args:
        source: where it comes from.
        target: the column to predict; by default that of the source, or the last column.
        roles: by column, one of "input", "category", "text" and "left out", where it differs from what was
            found.
        seed: of the split of its rows.
        like: a model whose columns and encoding are used, and whose network the first run goes on with.
        model_name: of its file.

    Raises:
        FileError, DataError, ConfigError: as `TableModel.train` does; for a table that is too large.
    """

    def __init__(
        self,
        source: Source,
        target: str | None = None,
        roles: Mapping[str, str] | None = None,
        seed: int = 0,
        like: TableModel | None = None,
        model_name: str = "",
    ) -> None:
        self.source, self.roles, self.seed = source, dict(roles or {}), seed
        self.like, self.model_name = like, model_name
        target = target if like is None else like.target.column
        with collect_notices() as notices:
            _check_rows(source.path)
            columns = open_table(source.path).frame
            if columns.height > MOST_ROWS or columns.width > MOST_COLUMNS:
                raise DataError(
                    f"the studio takes {MOST_ROWS:,} rows and {MOST_COLUMNS:,} columns, got "
                    f"{columns.height:,} and {columns.width:,}",
                    "use `ganglion train`, or a part of the table",
                )
            self.columns = columns.columns
            self.chosen = target or source.target or self.columns[-1]
            if self.chosen not in self.columns:
                raise ConfigError(
                    f"there is no column {shortened(self.chosen)}", one_of(self.chosen, self.columns)
                )
            self.options = self._options()
            self.prepared: PreparedTable = TableModel.prepare(
                source.path, self.chosen, like=like, hidden=HIDDEN, dropout=0, seed=seed, **self.options
            )
        if len(self.prepared.features) > MOST_FEATURES:
            raise DataError(
                f"the columns must become at most {MOST_FEATURES:,} numbers, got "
                f"{len(self.prepared.features):,}",
                "leave out columns with many categories or texts",
            )
        self.notes = [str(each) for each in notices]

    def _options(self) -> dict[str, Any]:
        """Return the arguments of `TableModel.train` that the roles are."""
        found: dict[str, list[str]] = {"drop": [], "categories": [], "text": [], "keep": []}
        kinds = {"left out": "drop", "category": "categories", "text": "text", "input": "keep"}
        for name, role in self.roles.items():
            if not isinstance(role, str) or role not in kinds:
                raise ConfigError(f"a role must be one of {', '.join(ROLES)}, got {shortened(role)}")
            if name not in self.columns:
                raise ConfigError(f"there is no column {shortened(name)}", one_of(name, self.columns))
            if name != self.chosen:
                found[kinds[role]].append(name)
        return {name: columns for name, columns in found.items() if columns}

    @property
    def task(self) -> str:
        """What is predicted: "classification" or "regression"."""
        return self.prepared.target.task

    @cached_property
    def settings(self) -> Settings:
        """The settings that `train` would use for a small network."""
        prepared = self.prepared
        chosen = prepared.settings
        network = None if self.like is None else self.like.network
        return Settings(
            layers=tuple(prepared.layers),
            optimizer=Optimizer.find(chosen["optimizer"]),
            loss=Loss.find(chosen["loss"]),
            epochs=chosen["epochs"],
            batch_size=chosen["batch_size"],
            seed=self.seed if network is None else network.seed,
            dtype="float32" if network is None else network.dtype,
        )

    @cached_property
    def encoded(self) -> Array:
        """All rows as the network's inputs."""
        frame = self.prepared.frame
        with collect_notices():
            return self.prepared.encoder.encode(frame, besides=frame.columns)[0]

    @property
    def shares_rows(self) -> bool:
        """Whether the same rows validate and test, as in a table of fewer than 1,000 rows."""
        return bool(len(self.prepared.test)) and np.array_equal(self.prepared.held_out, self.prepared.test)

    @cached_property
    def parts(self) -> list[str]:
        """What each row is for: "train", "validation", "test" or ""."""
        prepared = self.prepared
        found = np.full(prepared.frame.height, "", dtype=object)
        for name, places in (
            ("train", prepared.train),
            ("validation", prepared.held_out),
            ("test", prepared.test),
        ):
            found[places] = name
        return found.tolist()

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes; None for numbers."""
        return list(getattr(self.prepared.target, "labels", [])) or None

    def describe(self) -> dict[str, Any]:
        """Return the columns with their roles, and the split, as plain data."""
        prepared, used = self.prepared, {column.column: column for column in self.prepared.encoder.columns}
        columns = []
        for name in self.columns:
            column = used.get(name)
            role = "target" if name == self.chosen else "left out" if column is None else "input"
            columns.append(
                {
                    "name": name,
                    "role": self.roles.get(name, role) if role != "target" else role,
                    "kind": "" if column is None else column.name,
                    "numbers": 0 if column is None else len(column.features),
                    "given": name in self.roles,
                    "reason": "" if column is not None else prepared.encoder.left_out.get(name, ""),
                }
            )
        return {
            "name": self.source.name,
            "target": self.chosen,
            "task": self.task,
            "classes": self.classes,
            "columns": columns,
            "features": prepared.features,
            "rows": prepared.rows,
            "shared": self.shares_rows,
            "height": prepared.frame.height,
            "notes": self.notes,
            "image": self.image,
            "surface": sorted(
                (name for name in used if prepared.frame.get_column(name).n_unique() > 1),
                key=lambda name: not isinstance(used[name], NumberColumn),  # numbers first
            ),
        }

    @cached_property
    def image(self) -> tuple[int, int] | None:
        """Height and width, if the inputs are pixels, line by line, in columns such as pixel_3_0."""
        names = [column.column for column in self.prepared.encoder.columns]
        left = [name for name in self.columns if name != self.chosen]
        places = [re.fullmatch(r"\D*(\d+)_(\d+)", name) for name in left]
        are_numbers = all(self.prepared.frame.get_column(name).dtype.is_numeric() for name in left)
        if len(places) < 16 or not all(places) or not set(names) <= set(left) or not are_numbers:
            return None
        pairs = [(int(each[1]), int(each[2])) for each in places if each is not None]
        high, wide = max(row for row, _ in pairs) + 1, max(column for _, column in pairs) + 1
        return (high, wide) if pairs == [(i, j) for i in range(high) for j in range(wide)] else None

    def pixels(self, row: int) -> list[float]:
        """Return the numbers of the image in a row, line by line."""
        values = self.prepared.frame[row].select(name for name in self.columns if name != self.chosen)
        return [float(value or 0) for value in values.row(0)]

    def cells(self, first: int, count: int) -> list[dict[str, Any]]:
        """Return some rows as they stand in the table, as plain data."""
        part = self.prepared.frame[first : first + count].select(self.columns)
        return [
            {
                "row": first + number,
                "part": self.parts[first + number],
                "cells": [cell(value) for value in values],
            }
            for number, values in enumerate(part.iter_rows())
        ]

    def truth(self, row: int) -> Any:
        """Return the target of a row as the network learns it."""
        target = self.prepared.target
        return target.encode(self.prepared.frame.get_column(target.column)[row : row + 1])


def _check_rows(path: Path) -> None:
    """Raise `DataError` for a file of few bytes but many rows, before it is read."""
    if path.suffix != ".parquet":
        return
    try:
        rows = pl.scan_parquet(path).select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError):
        return  # reading it will say what is wrong
    if rows > MOST_ROWS:
        raise DataError(f"the studio takes {MOST_ROWS:,} rows, got {rows:,}", "use `ganglion train`")


def cell(value: Any) -> str | float | bool | None:
    """Return a value of a table as plain data, a long text shortened."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return plain(value)
    text = str(value)
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def check_row(row: Any, height: int) -> int:
    """Return the number of a row.

    Raises:
        ConfigError: if there is no such row.
    """
    if type(row) is not int or not 0 <= row < height:
        raise ConfigError(f"row must be a whole number below {height}, got {shortened(row)}")
    return row
