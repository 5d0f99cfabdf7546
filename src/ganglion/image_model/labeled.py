"""Pictures whose answers are known, for evaluations and health checks: opened as a model's own were."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ganglion.errors import DataError
from ganglion.image_model.labels import LabelColumn
from ganglion.images import Pictures, open_images
from ganglion.images.sources import TABLES


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a model needs to know of pictures.

    Args:
        names: of its targets.
        label_column: the column that holds them as words; None if each has a column of its own.
        what: what needs it, for messages.
    """

    names: Sequence[str]
    label_column: LabelColumn | None
    what: str

    def open(
        self,
        source: Any,
        labels: Any,
        path: str | None,
        folder: str | os.PathLike[str] | None,
        every_part: bool = False,
    ) -> Pictures:
        """Return the pictures that have at least one of the targets, with a column for each.

        Of pictures for training and for the test, those for the test are taken, unless `every_part`.

        Raises:
            FileError, DataError: as for `ImageModel.train`, and if a target is unknown for all pictures.
        """
        columns = list(self.names) if self.label_column is None else [self.label_column.column]
        in_table = isinstance(source, pl.DataFrame | dict) or _is_table(source)
        pictures = open_images(
            source, labels=labels, path=path, target=columns if in_table else None, folder=folder
        )
        if pictures.targets is None:
            raise DataError(
                f"{self.what} needs to know what is in each picture, and the source does not tell",
                "put the pictures into a folder for each class",
            )
        targets = self._named(pictures.targets, columns)
        if self.label_column is not None:
            targets = self.label_column.targets(targets.to_series()).select(self.names)
        there = targets.select(pl.any_horizontal(pl.all().is_not_null())).to_series().to_numpy()
        parts = pictures.parts
        if parts is not None and (parts == "test").any() and not every_part:
            there = there & (parts == "test")
        if not there.any():
            of = f"the target {self.names[0]!r}" if len(self.names) == 1 else "one of the targets"
            raise DataError(f"{self.what} needs pictures that have {of}, got none")
        return dataclasses.replace(pictures, targets=targets).take(np.flatnonzero(there))

    def _named(self, found: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
        """Return the columns; the only one of a source without names is the only target."""
        if missing := [name for name in columns if name not in found.columns]:
            if len(columns) > 1:
                known = ", ".join(map(repr, found.columns[:8]))
                raise DataError(f"{self.what} needs the target {missing[0]!r}, got {known}")
            if found.width > 1:
                raise DataError(f"{self.what} needs one label for each picture, got {found.width}")
            return found.rename({found.columns[0]: columns[0]})
        return found.select(columns)


def _is_table(source: Any) -> bool:
    return isinstance(source, str | os.PathLike) and Path(source).suffix.lower() in TABLES
