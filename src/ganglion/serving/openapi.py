"""The description of the server in OpenAPI 3.1, made from the columns and targets of a model."""

from __future__ import annotations

import datetime
import math
import sys
from typing import Any

import ganglion
from ganglion.answers.target import ClassTarget
from ganglion.joint import heads_of
from ganglion.serving.bodies import kind_of_values
from ganglion.serving.limits import Limits
from ganglion.serving.media import ARROW_FILE, ARROW_STREAM, CSV, JSON
from ganglion.table_model import TableModel
from ganglion.table_model.answering import AnyModel
from ganglion.tables.columns import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    LevelColumn,
    NumberColumn,
)
from ganglion.tables.reading.options import ColumnReading

Schema = dict[str, Any]
LARGEST = 1e30  # standard deviations: what float32 can still be multiplied and added with
MOST_EXAMPLES = 20
EPOCH = datetime.datetime(1970, 1, 1)
TIME_OF_DAY = r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$"
REFUSALS = {
    "400": "The body is not in its format, or a parameter is out of range.",
    "406": "The header Accept admits no format that is written.",
    "413": "The body is too large, or holds too many rows or columns.",
    "415": "The Content-Type is none that is read, or the body is encoded.",
    "421": "The header Host names another server.",
    "422": "A column is missing, or a value is of another kind.",
    "500": "A bug in ganglion.",
    "503": "The server is busy, or the answer took too long.",
}


def describe(model: AnyModel, limits: Limits) -> Schema:
    """Return the description of the server of a model, as JSON data."""
    heads = heads_of(model)
    names = ", ".join(repr(head.target.column) for head in heads)
    row, answer = {"$ref": "#/components/schemas/Row"}, {"$ref": "#/components/schemas/Answer"}
    most = limits.most_rows(model.network.architecture.outputs[0])
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": most}
    example = example_record(model)
    text = {
        "type": "string",
        "description": "A header and rows, as in the table that the model learned from.",
    }
    binary = {"type": "string", "format": "binary", "description": "An Arrow table, not compressed."}
    media = {CSV: {"schema": text}, ARROW_STREAM: {"schema": binary}, ARROW_FILE: {"schema": binary}}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Predictions of {names}", "version": ganglion.__version__},
        "paths": {
            "/predict": {
                "post": {
                    "operationId": "predict",
                    "summary": f"Predict {names} for one row or many.",
                    "parameters": _parameters(heads),
                    "requestBody": {
                        "required": True,
                        "content": {JSON: {"schema": {"oneOf": [row, rows]}, "example": example}} | media,
                    },
                    "responses": {
                        "200": {
                            "description": "The prediction for one row, or a list of them, in order.",
                            "content": {
                                JSON: {"schema": {"oneOf": [answer, {"type": "array", "items": answer}]}},
                                **media,
                            },
                        }
                    }
                    | _refusals(*REFUSALS),
                }
            },
            "/health": _page("health", "Tell that the server runs, and of what model.", {"type": "object"}),
            "/openapi.json": _page("openapi", "Describe the server: this page.", {"type": "object"}),
        },
        "components": {
            "schemas": {
                "Row": {
                    "type": "object",
                    "description": "The values of a row by column. Unknown columns are ignored.",
                    "properties": {
                        c.column: column_schema(c, _reading(model, c)) for c in heads[0].encoder.columns
                    },
                    "required": [column.column for column in heads[0].encoder.columns],
                },
                "Answer": _answer_schema(model),
                "Error": {
                    "type": "object",
                    "properties": {"error": {"type": "string"}, "hint": {"type": "string"}},
                    "required": ["error", "hint"],
                    "additionalProperties": False,
                },
            }
        },
    }


def example_record(model: AnyModel) -> dict[str, Any]:
    """Return a row that the model can predict: medians, first categories, first dates."""
    return {c.column: _example(c, _reading(model, c)) for c in heads_of(model)[0].encoder.columns}


def column_schema(column: Column, how: ColumnReading | None) -> Schema:
    """Return the schema of the values of a column.

    Args:
        column: how its values are encoded.
        how: how text of the column is read.
    """
    schema: Schema = {"description": column.describe()}
    kind, null = kind_of_values(column, how), {"type": "null"}
    if kind in ("number", "time"):
        number: Schema = {"type": "number"}
        if isinstance(column, NumberColumn):
            number["minimum"] = _within(column.center - LARGEST * column.scale)
            number["maximum"] = _within(column.center + LARGEST * column.scale)
            if column.low is not None and column.high is not None:
                schema["description"] += f"; learned from {column.low:g} to {column.high:g}"
        time_of_day = [{"type": "string", "pattern": TIME_OF_DAY}] if kind == "time" else []
        return schema | {"anyOf": [*time_of_day, number, null]}
    if kind == "boolean":
        return schema | {"type": ["boolean", "null"]}
    if kind == "date":
        form = "" if how is None else how.form
        if form.startswith("unix") or "%" in form:
            schema["description"] += f"; written as {form}"
            return schema | {"type": ["string", "null"], "examples": [_example(column, how)]}
        return schema | {"anyOf": [*({"type": "string", "format": f} for f in ("date", "date-time")), null]}
    examples = list(_words(column)[:MOST_EXAMPLES])
    return schema | {"type": ["string", "number", "boolean", "null"], "examples": examples}


def _within(number: float) -> float:
    return max(-sys.float_info.max, min(number, sys.float_info.max))


def _reading(model: AnyModel, column: Column) -> ColumnReading | None:
    return heads_of(model)[0].reading.columns.get(column.column)


def _example(column: Column, how: ColumnReading | None) -> Any:
    if isinstance(column, NumberColumn):
        if how is not None and how.kind == "time":
            return f"{int(column.fill):02}:{int(column.fill * 60) % 60:02}"
        return _whole(column.fill)
    if isinstance(column, BooleanColumn):
        return True
    if isinstance(column, DateColumn):
        return _date(EPOCH + datetime.timedelta(days=math.floor(column.low or 0.0)), how)
    words, kind = _words(column), kind_of_values(column, how)
    if not words:
        return None
    if kind == "boolean":
        return words[0] == "true"
    return _whole(float(words[0])) if kind in ("number", "time") else words[0]


def _words(column: Column) -> tuple[str, ...]:
    if isinstance(column, CategoryColumn):
        return column.categories
    return column.levels if isinstance(column, LevelColumn) else ()


def _whole(number: float) -> float:
    return int(number) if number == round(number) else number


def _date(day: datetime.datetime, how: ColumnReading | None) -> str:
    """Return a date in a form that the model reads; it reads dates that begin with the year in most forms."""
    form = "" if how is None else how.form
    if form.startswith("unix"):
        seconds = (day - EPOCH).total_seconds()
        return str(round(seconds * (1000 if form == "unix-ms" else 1)))
    return day.strftime(form) if "%" in form else f"{day:%Y-%m-%d}".zfill(10)


def _parameters(heads: list[TableModel]) -> list[Schema]:
    parameters = [
        ("probabilities", {"type": "boolean", "default": False}, "Give the probability of each class."),
        ("notes", {"type": "boolean", "default": False}, "Give what is noted about the values of each row."),
    ]
    levels = [head.calibration.levels for head in heads if not isinstance(head.target, ClassTarget)]
    if levels and all(levels):
        highest = math.floor(min(each[-1] for each in levels) * 10_000) / 10_000
        schema = {"type": "number", "exclusiveMinimum": 0, "maximum": highest}
        parameters.append(
            ("interval", schema, "Give an interval of a number that holds this fraction of rows.")
        )
    return [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
        for name, schema, description in parameters
    ]


def _answer_schema(model: AnyModel) -> Schema:
    notes = {"notes": {"type": "array", "items": {"type": "string"}}}
    if isinstance(model, TableModel):
        return _target_schema(model, notes)
    targets = {name: _target_schema(head, {}) for name, head in model.heads.items()}
    properties = {"targets": {"type": "object", "properties": targets, "required": list(targets)}}
    return {"type": "object", "properties": properties | notes, "required": ["targets"]}


def _target_schema(model: TableModel, more: Schema) -> Schema:
    target, number = model.target, {"type": "number"}
    properties: Schema
    if isinstance(target, ClassTarget):
        kind = {"text": "string", "integer": "integer", "number": "number", "boolean": "boolean"}[
            target.dtype
        ]
        share = {"type": "number", "minimum": 0, "maximum": 1}
        probabilities = dict.fromkeys(target.labels, share)
        properties = {
            "prediction": {"type": kind, "enum": list(target.classes)},
            "probabilities": {
                "type": "object",
                "properties": probabilities,
                "required": target.labels,
                "additionalProperties": False,
            },
        }
    else:
        properties = {"prediction": number, "low": number, "high": number}
    return {
        "type": "object",
        "description": f"The prediction of {target.column!r}.",
        "properties": properties | more,
        "required": ["prediction"],
        "additionalProperties": False,
    }


def _page(name: str, summary: str, schema: Schema) -> Schema:
    answer = {"description": summary, "content": {JSON: {"schema": schema}}}
    return {"get": {"operationId": name, "summary": summary, "responses": {"200": answer} | _refusals("421")}}


def _refusals(*statuses: str) -> Schema:
    error = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": REFUSALS[status], "content": error} for status in statuses}
