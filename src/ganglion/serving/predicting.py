"""Predictions: what a request wants to know of its rows, and the body of the answer."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from ganglion.checks import check_number
from ganglion.errors import ConfigError, DataError, GanglionNotice, collect_notices, one_of, shortened
from ganglion.serving.bodies import Rows
from ganglion.serving.media import ARROW_FILE, CSV, JSON
from ganglion.table_model.answering import (
    AnyModel,
    answer_record,
    answer_rows,
    answer_table,
    distinct,
    notes_of,
)

PARAMETERS = ("probabilities", "interval", "notes")


@dataclass(frozen=True)
class Wanted:
    """What an answer is to hold, as `ganglion predict` has it.

    Args:
        probabilities: whether to give the probability of each class.
        interval: the level of the prediction intervals of numbers; None for none.
        notes: whether to give what is noted about each row.
    """

    probabilities: bool = False
    interval: float | None = None
    notes: bool = False

    @classmethod
    def from_query(cls, pairs: list[tuple[str, str]]) -> Wanted:
        """Return what the query of a request asks for.

        Raises:
            ConfigError: for an unknown or repeated parameter, or a value out of range.
        """
        settings: dict[str, Any] = {}
        for name, text in pairs:
            if name not in ("probabilities", "interval", "notes"):
                raise ConfigError(
                    f"there is no parameter {shortened(name)}",
                    one_of(name, ("probabilities", "interval", "notes")),
                )
            if name in settings:
                raise ConfigError(f"{name} must be given once, got it again")
            if name == "interval":
                settings[name] = _number(name, text)
            elif text in ("true", "false"):
                settings[name] = text == "true"
            else:
                raise ConfigError(f"{name} must be true or false, got {shortened(text)}")
        return cls(**settings)


def _number(name: str, text: str) -> float:
    try:
        value: object = float(text)
    except ValueError:
        value = text
    return check_number(name, value, above=0, below=1)


def to_json(data: object) -> bytes:
    """Return data as a line of JSON.

    Raises:
        ValueError: for a number that is not finite.
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8", "backslashreplace")  # \\ud800 is how JSON writes half a character


def answer(model: AnyModel, rows: Rows, wanted: Wanted, kind: str, strict: bool = False) -> bytes:
    """Return the body of the answer to the rows of a request.

    Args:
        model: of one target or several.
        rows: from `read_body`.
        wanted: what the answer is to hold.
        kind: its media type.
        strict: whether notices are errors.

    Raises:
        DataError: for a value of another kind, or a prediction that is no finite number.
        ConfigError: for an interval that the model cannot give.
        GanglionNotice: if `strict`, the first notice.
    """
    with collect_notices() as found:
        content = _answer(model, rows, wanted, kind, found)
    if strict and found:
        raise found[0]
    return content


def _answer(model: AnyModel, rows: Rows, wanted: Wanted, kind: str, found: list[GanglionNotice]) -> bytes:
    asked: dict[str, Any] = {"probabilities": wanted.probabilities, "interval": wanted.interval}
    if kind != JSON:
        frame = rows if isinstance(rows, pl.DataFrame) else model.read([rows])
        return _table(answer_table(model, frame, notes=wanted.notes, **asked), kind)
    answers: Any
    if isinstance(rows, Mapping):
        answers = answer_record(model, rows, **asked)
        if wanted.notes:
            answers["notes"] = distinct(found)
    else:
        answers = answer_rows(model, rows, **asked)
        if wanted.notes:
            notes = notes_of(model, rows, found)
            answers = [each | {"notes": own} for each, own in zip(answers, notes, strict=True)]
    try:
        return to_json(answers)
    except ValueError as error:
        first = (
            next((row for row, each in enumerate(answers) if not _is_finite(each)), 0)
            if isinstance(answers, list)
            else 0
        )
        raise DataError(
            f"the prediction of row {first} is not a finite number", "its numbers are too large"
        ) from error


def _is_finite(answer: Any) -> bool:
    if isinstance(answer, dict):
        return all(map(_is_finite, answer.values()))
    return not isinstance(answer, float) or math.isfinite(answer)


def _table(predictions: pl.DataFrame, kind: str) -> bytes:
    if kind == CSV:
        return predictions.write_csv().encode()
    file = io.BytesIO()
    if kind == ARROW_FILE:
        predictions.write_ipc(file)
    else:
        predictions.write_ipc_stream(file)
    return file.getvalue()
