"""One page that works by itself: a form, the answer, what moved it, and a file of rows at once.

`page.html`, `page.css` and `page.js` are the page; the layers are the functions in C, of which JavaScript is
made by taking away the types.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import html
import json
import re
from importlib.resources import files
from typing import Any

import numpy as np

from ganglion.errors import ConfigError
from ganglion.files.exports import activations
from ganglion.files.exports.flow import plan_places, value_of
from ganglion.files.exports.inputs import (
    Coded,
    CodedDate,
    CodedNumber,
    CodedPicture,
    CodedText,
    CodedWord,
    GramTable,
)
from ganglion.files.exports.job import Answer, Job
from ganglion.files.exports.layers import writing_of
from ganglion.files.exports.tables import steps_of

# The complementary error function, a Chebyshev fit with a relative error below 1.2e-7 everywhere: Press et
# al., "Numerical Recipes in C", 1992, section 6.2.
ERROR_FUNCTION = """
function erfc(x) {
  const z = Math.abs(x), t = 1 / (1 + z / 2);
  const factors = [0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418,
    0.37409196, 1.00002368, -1.26551223];
  const found = t * Math.exp(-z * z + factors.reduce((sum, factor) => sum * t + factor, 0));
  return x >= 0 ? found : 2 - found;
}
"""
FUNCTIONS = {
    **{f"{name}f": f"Math.{name}" for name in ("exp", "tanh", "sqrt", "log", "log1p", "expm1")},
    **{"fabsf": "Math.abs", "fmaxf": "Math.max", "fminf": "Math.min", "erfcf": "erfc"},
}
MOST_INPUTS = 100
OTHER = "(another value)"


def write(job: Job, name: str, int8: bool = False) -> tuple[bytes, list[str]]:
    """Return a page.

    Raises:
        ConfigError: for a network without columns that takes no row of at most 100 numbers.
    """
    job = _with_columns(job)
    texts = {
        name: files(__package__).joinpath(f"page.{name}").read_text("utf-8") for name in ("html", "css", "js")
    }
    script = "\n".join(
        [f"const model = {_json(_described(job))};", *_network(job), ERROR_FUNCTION.strip(), texts["js"]]
    )
    names = ", ".join(answer.name for answer in job.answers) or name
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(texts['css'])}",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    filled = {
        "policy": policy,
        "title": html.escape(f"{names}, predicted"),
        "description": html.escape(_sentence(job)),
        "style": texts["css"],
        "script": script,
    }
    page = re.sub(r"\{(\w+)\}", lambda found: filled[found.group(1)], texts["html"])
    return page.encode(), []


def _sentence(job: Job) -> str:
    return f"A network of {job.model.architecture.size:,} weights {job.description}; made with ganglion."


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(value: Any) -> str:
    """Return JSON that cannot end a script."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _with_columns(job: Job) -> Job:
    """Return the job itself, or that of a network by itself with a column for each of its numbers."""
    if job.columns:
        return job
    inputs = job.inputs
    shape = next(iter(inputs.values())).row_shape
    if len(inputs) != 1 or len(shape) != 1 or shape[0] > MOST_INPUTS:
        raise ConfigError(
            f"a page has a form for rows of at most {MOST_INPUTS} numbers, and this network takes others",
            "export a model of a table or of images, or to .py or .c",
        )
    columns = tuple(CodedNumber(f"x[{i}]", 1, 0.0, 0.0, 1.0, False, -3.0, 3.0) for i in range(shape[0]))
    answers = tuple(Answer(f"output {i}", i, i + 1) for i in range(job.outputs))
    return Job(job.model, job.ask, columns, answers, ("",), "predicts its outputs from its inputs")


def _described(job: Job) -> dict[str, Any]:
    """Return what the page has to know of columns and answers."""
    return {
        "missing": job.missing,
        "columns": [_column(column) for column in job.columns],
        "answers": [
            {
                "name": answer.name,
                "first": answer.first,
                "last": answer.last,
                "labels": answer.labels,
                "center": answer.center,
                "scale": answer.scale,
                "temperature": answer.temperature,
                "weights": answer.class_weights,
                "positive": answer.positive,
                "threshold": answer.threshold,
            }
            for answer in job.answers
        ],
    }


def _column(column: Coded) -> dict[str, Any]:
    shared = {"name": column.column, "width": column.width}
    if isinstance(column, CodedNumber):
        numbers = {
            name: getattr(column, name)
            for name in ("fill", "center", "scale", "low", "high", "knots", "heights")
        }
        whole = all(float(each).is_integer() for each in (column.low, column.high, column.fill))
        return shared | numbers | {"kind": "number", "flag": column.missing, "whole": whole}
    if isinstance(column, CodedWord):
        return shared | {
            "kind": "word",
            "words": column.words,
            "rows": None if column.rows is None else column.rows.tolist(),
            "missing": column.missing,
            "unknown": column.unknown,
            "fold": column.fold,
            "numeric": column.numeric,
            "choices": ["true", "false"] if column.unknown is None else None,
            "other": "1e300" if column.numeric else OTHER,
        }
    if isinstance(column, CodedText):
        tables = [_table(table) for table in column.tables]
        spread = {"center": column.center, "scale": column.scale, "letters": column.letters}
        return shared | spread | {"kind": "text", "tables": tables}
    if isinstance(column, CodedPicture):
        names = ("shape", "fit", "factors", "shifts")
        return shared | {"kind": "picture"} | {name: getattr(column, name) for name in names}
    assert isinstance(column, CodedDate)
    names = ("parts", "fill", "center", "scale")
    middle = datetime.datetime(1970, 1, 1) + datetime.timedelta(days=(column.low + column.high) / 2)
    hours = any(part.startswith("hour") for part in column.parts)
    start = middle.strftime("%Y-%m-%dT%H:%M" if hours else "%Y-%m-%d")
    return shared | {"kind": "date", "hours": hours, "start": start} | {n: getattr(column, n) for n in names}


def _table(table: GramTable) -> dict[str, Any]:
    arrays = {"buckets": "<u4", "weights": "i1", "rarity": "<f4", "scales": "<f4", "bias": "<f4"}
    found = {
        name: base64.b64encode(np.ascontiguousarray(getattr(table, name), kind).tobytes()).decode()
        for name, kind in arrays.items()
    }
    kinds = [[kind.characters, kind.least, kind.most] for kind in table.kinds]
    return {"kinds": kinds, "bits": table.bits} | found


def _network(job: Job) -> list[str]:
    """Return the function of the network, the functions of its layers, and its numbers."""
    architecture = job.model.architecture
    places, same = plan_places(architecture), value_of(architecture)
    functions: dict[str, None] = {}
    lines, views, blocks, first = list[str](), list[str](), list[bytes](), 0

    def place(value: int) -> str:
        return "x" if same[value] not in places.at else f"v{same[value]}"

    for each in steps_of(job):
        step, writing = each.step, writing_of(each.step)
        if same[step.writes] != step.writes:
            continue
        for short, array in each.arrays.items():
            views.append(f"const {each.names[short]} = tables.subarray({first}, {first + array.size});")
            blocks.append(np.ascontiguousarray(array, "<f4").tobytes())
            first += array.size
        x, z, at = [place(value) for value in step.reads], place(step.writes), places.at[step.writes]
        views.append(f"const {z} = work.subarray({at}, {at + step.outputs});")
        functions[_javascript(writing.kernels)] = None
        lines += [_javascript(call) for call in writing.calls(step, x, z, each.names)]
        for part, _, _ in activations.parts_of(step.activation, step.shape[-1] if step.shape else 1):
            functions[_javascript(activations.kernel(part))] = None
        lines += activations.calls(step.activation, step.shape, z)
    text = base64.b64encode(b"".join(blocks)).decode()
    last = place(architecture.steps[-1].writes)
    return [
        f'const tables = new Float32Array(Uint8Array.from(atob("{text}"), (c) => c.charCodeAt(0)).buffer);',
        f"const work = new Float32Array({places.size});",
        *views,
        *functions,
        "/** The outputs of the network. */",
        "function network(x) {",
        *(f"  {line}" for line in lines),
        f"  return {last};",
        "}",
    ]


def _javascript(text: str) -> str:
    """Return a function or call in C in JavaScript: without types, and with its own names of functions."""
    text = re.sub(r"static void (\w+)\(([^)]*)\)", _signature, text)
    text = re.sub(r"\((?:float|int)\)", "", text)
    text = re.sub(r"\bconst (?:float|int) ", "const ", text)
    text = re.sub(r"\b(?:float|int) (?=\w)", "let ", text)
    text = re.sub(r"\b(\d[\d.]*(?:e[-+]?\d+)?)f\b", r"\1", text)
    return re.sub(r"\b(\w+f)\(", lambda found: f"{FUNCTIONS.get(found[1], found[1])}(", text).strip()


def _signature(found: re.Match[str]) -> str:
    names = re.findall(r"(\w+)(?:,|$)", found[2])
    return f"function {found[1]}({', '.join(names)})"
