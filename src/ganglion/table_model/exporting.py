"""What an exported file of a table model does: the encoders of its columns, the network and its answers."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ganglion.answers.values import as_word
from ganglion.core.part import Array
from ganglion.errors import GanglionNotice
from ganglion.files.exports import Job
from ganglion.files.exports.inputs import Coded, CodedWord
from ganglion.heads import exported_job
from ganglion.network import Network
from ganglion.table_model.model import TableModel
from ganglion.tables.columns import Column
from ganglion.tables.reading.cells import MISSING


def job_of(network: Network, heads: Sequence[TableModel]) -> Job:
    """Return what the file does.

    Args:
        network: with the outputs of all heads, side by side.
        heads: the model of each target.

    Raises:
        ConfigError: for a column that no file can have.
    """
    first = heads[0]
    columns = first.encoder.columns

    def encode(rows: Sequence[Mapping[str, Any]]) -> Array:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GanglionNotice)
            return first.encoder.encode(first.read_alike(list(rows), None, ()))[0]

    return exported_job(
        network,
        [(head.target, head.calibration) for head in heads],
        [_coded(column, first) for column in columns],
        encode,
        f"{len(columns)} columns of a table",
        (*MISSING, *(word.strip().lower() for word in first.reading.missing)),
    )


def _coded(column: Column, model: TableModel) -> Coded:
    """Return the encoding of a column; of categories that are numbers, as such."""
    coded = column.coded()
    how = model.reading.columns.get(column.column)
    if not isinstance(coded, CodedWord) or (how is not None and how.kind == "text"):
        return coded
    return dataclasses.replace(coded, numeric=all(map(_is_number, coded.words)))


def _is_number(word: str) -> bool:
    """Return whether a word is a number as categories have it."""
    try:
        return math.isfinite(float(word)) and as_word("", float(word)) == word
    except ValueError:
        return False
