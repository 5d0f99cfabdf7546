"""The test that a file in C carries: rows with the model's answers, and a `main` that compares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.core.part import Array
from ganglion.files.exports.c.words import number, value
from ganglion.files.exports.job import MOST_IN_BAG

if TYPE_CHECKING:
    from ganglion.files.exports.c.file import File

TOLERANCE = 1e-5


def self_test(file: File, fields: Sequence[str], expected: Array) -> list[str]:
    """Return a `main` that compares what the file answers with what the model answered."""
    job, (count, width) = file.job, expected.shape
    flat = ", ".join(number(each, "double") for each in expected.ravel().tolist())
    units = ", ".join(number(each, "double") for each in job.units(expected).tolist())
    before, call, after = _called(file, job.rows_to_try(), fields, width)
    return [
        "#ifdef GANGLION_SELF_TEST",
        "int main(void) {",
        f"    static const double expected[{expected.size}] = {{{flat}}};",
        f"    static const double units[{width}] = {{{units}}};",
        f"    double got[{width}];",
        "    double worst = 0.0;",
        "    int bad = 0;",
        *(f"    {line}" for line in before),
        f"    for (int row = 0; row < {count}; row++) {{",
        *(f"        {line}" for line in (*call, *after)),
        f"        for (int i = 0; i < {width}; i++) {{",
        f"            const double wanted = expected[row * {width} + i];",
        "            const double off = fabs(got[i] - wanted) / fmax(units[i], fabs(wanted));",
        f"            bad += off <= {TOLERANCE} ? 0 : 1;",
        "            worst = fmax(worst, off);",
        "        }",
        "    }",
        f'    printf("{count} rows, largest difference %g: %s\\n", worst,',
        '           bad == 0 ? "as the model answers" : "NOT AS THE MODEL ANSWERS");',
        "    return bad == 0 ? 0 : 1;",
        "}",
        "#endif",
        "",
    ]


def _called(
    file: File, rows: Sequence[Any], fields: Sequence[str], width: int
) -> tuple[list[str], list[str], list[str]]:
    """Return the lines before the loop over rows, and those in it that call and that take the answers."""
    if not file.job.columns:
        return _called_with_arrays(file, rows, width)
    before = [f"static const {file.name}_row rows[{len(rows)}] = {{"]
    for row in rows:
        values = (value(row[each.column], each) for each in file.job.columns)
        before.append(f"    {{{', '.join(f'.{f} = {v}' for f, v in zip(fields, values, strict=True))}}},")
    before += ["};", f"{file.name}_answer answer;"]
    after, at = list[str](), 0
    for answer, own in file.answers():
        if answer.labels:
            taken = f"got[{at} + i] = (double)answer.{own}_probabilities[i];"
            after.append(f"for (int i = 0; i < {answer.width}; i++) {{ {taken} }}")
            after.append(f"if ({file.name}_{own}_class(answer.{own}) == 0) {{ return 1; }}")
            at += answer.width
        else:
            after.append(f"got[{at}] = answer.{own};")
            at += 1
    return before, [f"if ({file.name}_predict(&rows[row], &answer) != 0) {{ return 1; }}"], after


def _called_with_arrays(
    file: File, rows: Sequence[Any], width: int
) -> tuple[list[str], list[str], list[str]]:
    before, given, after = [f"float outputs[{width}];"], list[str](), list[str]()
    for name, part in file.job.inputs.items():
        kind = "float" if part.holds == "numbers" else "int"
        flat = [number(value, kind) for row in rows for value in np.ravel(row[name]).tolist()] or ["0"]
        before.append(f"static const {kind} all_{name}[{len(flat)}] = {{{', '.join(flat)}}};")
        if part.holds != "bags":
            given.append(f"all_{name} + row * {np.size(rows[0][name])}")
            continue
        counts = ", ".join(str(len(row[name])) for row in rows)
        before.append(f"static const int {name}_counts[{len(rows)}] = {{{counts}}};")
        before.append(f"static const float {name}_ones[] = {{{', '.join(['1.0f'] * MOST_IN_BAG)}}};")
        before.append(f"const int *own_{name} = all_{name};")
        given.append(f"own_{name}, {name}_ones, {name}_counts[row]")
        after.append(f"own_{name} += {name}_counts[row];")
    after.append(f"for (int i = 0; i < {width}; i++) {{ got[i] = (double)outputs[i]; }}")
    return before, [f"{file.name}_predict({', '.join(given)}, outputs);"], after
