"""One file of plain C99: the columns' encoders, the network and the answers, without allocation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ganglion.core.inputs import Input
from ganglion.files.exports import activations
from ganglion.files.exports.c.encoding import encoding
from ganglion.files.exports.c.testing import self_test
from ganglion.files.exports.c.words import about, comment, kind, number, string
from ganglion.files.exports.flow import plan_places, value_of
from ganglion.files.exports.job import Answer, Job, identifiers
from ganglion.files.exports.layers import writing_of
from ganglion.files.exports.layers.reshape import PASSED_ON
from ganglion.files.exports.tables import as_if_in_bytes, in_bytes, loss_in_bytes, steps_of

RESERVED = (
    "auto break case char const continue default do double else enum extern float for goto if inline int "
    "long register restrict return short signed sizeof static struct switch typedef union unsigned void "
    "volatile while main row answer work x inputs outputs missing"
)
NUMBERS_IN_LINE, LONGEST_LINE = 8, 1000
MACRO = """#ifdef __cplusplus
#define RESTRICT __restrict
#else
#define RESTRICT restrict
#endif
"""
SCALED = """
static void scaled(float *z, const float *scale, const float *bias, int rows, int width) {
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < width; j++) {
            z[i * width + j] = z[i * width + j] * scale[j] + bias[j];
        }
    }
}
"""


class File:
    """The parts of one file."""

    def __init__(self, job: Job, name: str, header: bool, int8: bool) -> None:
        self.job, self.name, self.header, self.int8 = job, name, header, int8
        self.storage = "static inline" if header else ""
        self.bytes = 0
        self.stack = 512
        self.functions: dict[str, None] = {}
        self.data: list[str] = []

    def text(self) -> tuple[str, list[str]]:
        job, notes = self.job, list[str]()
        fields = identifiers((each.column for each in job.columns), RESERVED.split())
        encoded = encoding(self, fields)
        network, end, places = self._network(["x"] if job.columns else list(job.inputs))
        ending = self._ending(end)
        expected = job.ask(job.rows_to_try(), as_if_in_bytes(job) if self.int8 else None)
        if self.int8:
            notes.append(loss_in_bytes(job))
        features = sum(each.width for each in job.columns)
        stack = 4 * (places + features) + self.stack
        given = ", ".join(map(_argument, job.inputs.items()))
        signature = f"void {self.name}_predict({given}, float *outputs)"
        if job.columns:
            signature = f"int {self.name}_predict(const {self.name}_row *row, {self.name}_answer *answer)"
        guard = f"{self.name.upper()}_H"
        lines = [
            self._head(signature, stack, notes),
            *([f"#ifndef {guard}", f"#define {guard}", ""] if self.header else []),
            "#include <math.h>",
            "#ifdef GANGLION_SELF_TEST",
            "#include <stdio.h>",
            "#endif",
            "",
            *self._types(fields),
            *self._own(
                [
                    MACRO,
                    *self.data,
                    *(text.replace("restrict ", "RESTRICT ") for text in self.functions),
                    f"{self.storage} {signature} {{".strip(),
                    *([f"    float x[{features}];"] if job.columns else []),
                    *([f"    float work[{places}];"] if places else []),
                    *encoded,
                    *network,
                    *ending,
                    "}",
                    "",
                ]
            ),
            *self_test(self, fields, expected),
            *(["#endif", ""] if self.header else []),
        ]
        return "\n".join(lines), notes

    def _own(self, lines: Sequence[str]) -> list[str]:
        """Return lines in which what the file defines begins with its name, so that files go together."""
        text = "\n".join(lines)
        defined = re.findall(r"^static [\w *]*?(\w+)[\[(]", text, flags=re.MULTILINE)
        names = "|".join(sorted({"RESTRICT", *defined} - {f"{self.name}_predict"}))
        found = re.compile(rf'"(?:[^"\\]|\\.)*"|(?<![\w.>])(?:{names})\b')
        prefix = f"{self.name}_"

        def renamed(match: re.Match[str]) -> str:
            word = match.group()
            return word if word.startswith(('"', prefix)) else f"{prefix}{word}"

        return found.sub(renamed, text).split("\n")

    def _head(self, signature: str, stack: int, notes: Sequence[str]) -> str:
        job, file = self.job, f"{self.name}.{'h' if self.header else 'c'}"
        weights = "a byte for each weight" if self.int8 else "float"
        lines = [
            comment(f"{file}: {job.description}. Written by ganglion.", LONGEST_LINE),
            "",
            f"    {signature};",
            "",
            *self._usage(),
            f"Size: {job.model.architecture.size:,} parameters, {weights}; {self.bytes:,} bytes of tables.",
            f"Stack: about {stack:,} bytes in one call. Nothing is allocated or changed outside.",
            *(comment(note, LONGEST_LINE) for note in notes),
            f"Compile: cc -std=c99 -O2 -c {file}",
            f"Test: cc -std=c99 -DGANGLION_SELF_TEST {'-x c ' if self.header else ''}{file} -lm && ./a.out",
        ]
        return "/* " + "\n   ".join(lines).replace("   \n", "\n") + " */\n"

    def _usage(self) -> list[str]:
        if not self.job.columns:
            return [
                *(f"{name}: {_sizes(part)}." for name, part in self.job.inputs.items()),
                f"outputs: room for {self.job.outputs} numbers.",
                "",
            ]
        return [
            "It returns 0, or the number of the column, from 1, whose value cannot be used: a number that is",
            "infinite, a text that is no date. A missing number is NAN, a missing word 0 or an empty text.",
            "Words are UTF-8; only the letters A to Z are brought to lower case where case does not count.",
            "",
        ]

    def table(self, name: str, values: Any, kind: str = "float") -> str:
        """Add an array of numbers or words; return its name."""
        if kind == "const char *const":
            items = [string(each) for each in values]
            self.bytes += sum(len(each.encode()) + 9 for each in values)
            lines = [f"    {each}," for each in items]
        else:
            flat = np.asarray(values).ravel()
            self.bytes += (
                flat.size * {"float": 4, "double": 8, "int": 4, "unsigned int": 4, "signed char": 1}[kind]
            )
            items = [number(each, kind) for each in flat.tolist()]
            lines = [
                "    " + ", ".join(items[first : first + NUMBERS_IN_LINE]) + ","
                for first in range(0, len(items), NUMBERS_IN_LINE)
            ]
        head = kind if kind.endswith("const") else f"const {kind}"
        self.data.append(f"static {head} {name}[{len(items)}] = {{\n" + "\n".join(lines) + "\n};\n")
        return name

    def use(self, *texts: str) -> None:
        self.functions |= dict.fromkeys(text.strip() + "\n" for text in texts)

    def _network(self, starts: Sequence[str]) -> tuple[list[str], str, int]:
        """Return the calls of all steps, the name of the last value, and the size of the room they need."""
        architecture = self.job.model.architecture
        places, same = plan_places(architecture), value_of(architecture)
        lines = []

        def place(value: int) -> str:
            at = places.at.get(same[value])
            return starts[same[value]] if at is None else f"work + {at}" if at else "work"

        for each in steps_of(self.job):
            step, writing, arrays = each.step, writing_of(each.step), each.arrays
            if same[step.writes] != step.writes:
                continue
            x, z = [place(value) for value in step.reads], place(step.writes)
            names = dict(each.names)
            whole = self.int8 and "weight" in arrays
            for short in arrays:
                if whole and short == "weight":
                    numbers, scale = in_bytes(arrays[short])
                    self.table(names[short], numbers, "signed char")
                    self.table(f"{names[short]}_scale", scale)
                else:
                    self.table(names[short], arrays[short])
            if whole:
                width = step.shape[-1]
                zeros = self.table(f"{names['weight']}_zeros", np.zeros(width, np.float32))
                self.use(_of_bytes(writing.kernels), SCALED)
                lines += writing.calls(step, x, z, names | {"bias": zeros})
                own = f"{names['weight']}_scale, {names.get('bias', zeros)}"
                lines.append(f"scaled({z}, {own}, {step.outputs // width}, {width});")
            else:
                self.use(writing.kernels)
                lines += writing.calls(step, x, z, names)
            for part, _, _ in activations.parts_of(step.activation, step.shape[-1] if step.shape else 1):
                self.use(activations.kernel(part))
            lines += activations.calls(step.activation, step.shape, z)
        return [f"    {line}" for line in lines], place(architecture.steps[-1].writes), places.size

    def _types(self, fields: Sequence[str]) -> list[str]:
        """Return the types of a row and an answer, and the names of the classes."""
        if not self.job.columns:
            return []
        lines = ["typedef struct {"]
        for column, field in zip(self.job.columns, fields, strict=True):
            lines.append(f"    {kind(column)}{field}; /* {comment(about(column))} */")
        lines += [f"}} {self.name}_row;", "", "typedef struct {"]
        for answer, own in self.answers():
            if answer.labels:
                lines.append(f"    int {own}; /* the number of the class, from 0 */")
                lines.append(f"    float {own}_probabilities[{answer.width}];")
            else:
                lines.append(f"    double {own};")
        lines += [f"}} {self.name}_answer;", ""]
        for answer, own in self.answers():
            if answer.labels:
                names = ", ".join(map(string, answer.labels))
                lines += [
                    f"/* The name of a class of {comment(answer.name)} by its number. */",
                    f"{self.storage} const char *{self.name}_{own}_class(int number) {{".strip(),
                    f"    static const char *const names[{len(answer.labels)}] = {{{names}}};",
                    "    return names[number];",
                    "}",
                    "",
                ]
        return lines

    def answers(self) -> list[tuple[Answer, str]]:
        names = identifiers((each.name for each in self.job.answers), RESERVED.split())
        return list(zip(self.job.answers, names, strict=True))

    def _ending(self, end: str) -> list[str]:
        """Return the lines that make answers of the network's outputs."""
        if not self.job.answers:
            self.use(PASSED_ON.kernels)
            return [f"    copied({end}, outputs, {self.job.outputs});"]
        lines = []
        for answer, own in self.answers():
            if not answer.labels:
                scale, center = number(answer.scale, "double"), number(answer.center, "double")
                lines.append(f"    answer->{own} = (double)({end})[{answer.first}] * {scale} + {center};")
                continue
            count, p = answer.width, f"answer->{own}_probabilities"
            each = f"for (int i = 0; i < {count}; i++)"
            lines.append(f"    {each} {{ {p}[i] = ({end})[{answer.first} + i]; }}")
            if answer.is_calibrated:
                lines += self._calibrated(answer, own, each, p)
            lines.append(f"    answer->{own} = 0;")
            if answer.threshold is not None:
                limit, positive = number(answer.threshold, "double"), answer.positive
                chosen = f"(double){p}[{positive}] >= {limit} ? {positive} : {1 - positive}"
                lines.append(f"    answer->{own} = {chosen};")
                continue
            weight = f" * {self.name}_{own}_class_weights" if answer.class_weights else ""
            left, right = (
                f"{p}[{at}]{weight + f'[{at}]' if weight else ''}" for at in ("i", f"answer->{own}")
            )
            lines.append(f"    for (int i = 1; i < {count}; i++) {{")
            lines.append(f"        if ({left} > {right}) {{ answer->{own} = i; }}")
            lines.append("    }")
        return [*lines, "    return 0;"]

    def _calibrated(self, answer: Answer, own: str, each: str, p: str) -> list[str]:
        """Return the lines that raise probabilities to a power, and divide them by the weights of classes."""
        power = f"log((double)fmaxf({p}[i], 1.17549435e-38f)) / {number(answer.temperature, 'double')}"
        if answer.class_weights:
            weights = self.table(f"{self.name}_{own}_class_weights", answer.class_weights)
            power += f" - log((double){weights}[i])"
        return [
            "    {",
            f"        double powers[{answer.width}];",
            "        double largest = -HUGE_VAL;",
            "        double sum = 0.0;",
            f"        {each} {{ powers[i] = {power}; largest = fmax(largest, powers[i]); }}",
            f"        {each} {{ powers[i] = exp(powers[i] - largest); sum += powers[i]; }}",
            f"        {each} {{ {p}[i] = (float)(powers[i] / sum); }}",
            "    }",
        ]


def _argument(named: tuple[str, Input]) -> str:
    """Return the arguments of an input."""
    name, part = named
    if part.holds == "bags":
        return f"const int *{name}, const float *{name}_weights, int {name}_count"
    return f"const {'float' if part.holds == 'numbers' else 'int'} *{name}"


def _sizes(part: Input) -> str:
    """Return what an input is, in words."""
    shape = " x ".join(map(str, part.row_shape)) or "1"
    if part.holds == "numbers":
        return f"{shape} numbers" + (", the channels last" if len(part.row_shape) > 1 else "")
    if part.holds == "integers":
        return f"{shape} whole numbers below {part.below}"
    return f"any number of whole numbers below {part.below}, and a weight for each"


def _of_bytes(kernel: str) -> str:
    """Return a kernel that reads weights of a byte each."""
    kernel = re.sub(r"const float \*(restrict )?weight\b", r"const signed char *\1weight", kernel)
    return re.sub(r"(?<!\*)\bweight\[", "(float)weight[", kernel)
