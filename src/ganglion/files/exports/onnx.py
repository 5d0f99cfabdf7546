"""One graph of standard operators of ONNX: columns in, classes and probabilities out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ganglion.core.inputs import Input
from ganglion.core.part import Array
from ganglion.errors import ConfigError
from ganglion.files.exports import activations
from ganglion.files.exports.inputs import (
    DAYS_BEFORE,
    PERIODS,
    Coded,
    CodedDate,
    CodedNumber,
    CodedPicture,
    CodedText,
    CodedWord,
)
from ganglion.files.exports.job import Answer, Job
from ganglion.files.exports.layers import writing_of
from ganglion.files.exports.tables import steps_of
from ganglion.optional import load

OPSET, OPSET_OF_CATEGORIES, VERSION_OF_FORMAT = 20, 4, 10
MOST_FOLDED = 1000  # categories that are compared without regard to case, one by one
CATEGORIES = "ai.onnx.ml"  # the standard's part with the encoder of labels
TINY = float(np.finfo(np.float32).tiny)


def write(job: Job, name: str, int8: bool = False) -> tuple[bytes, list[str]]:
    """Return a model of ONNX.

    Raises:
        ConfigError: for a part that no standard operator computes.
        MissingPackageError: if the package onnx is not installed.
    """
    return _Graph(job, name).model(), []


class _Graph:
    """A graph that grows by nodes."""

    def __init__(self, job: Job, stem: str) -> None:
        self.job, self.stem, self.scope = job, stem, ""
        self.onnx: Any = load("onnx", "onnx")
        self.helper = self.onnx.helper
        self.list: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its result."""
        name = f"{self.scope}/{operator}_{len(self.list)}"
        self.list.append(
            self.helper.make_node(operator, list(inputs), [name], name, domain=domain, **attributes)
        )
        return name

    def constant(self, values: Any) -> str:
        """Add a constant; return its name."""
        name = f"{self.scope}/constant_{len(self.constants)}"
        array = np.asarray(values)
        if array.dtype.kind in "OU":
            made = self.helper.make_tensor(
                name,
                self.onnx.TensorProto.STRING,
                array.shape,
                [str(each).encode() for each in array.ravel()],
            )
        else:
            made = self.onnx.numpy_helper.from_array(np.array(array, order="C"), name)
        self.constants.append(made)
        return name

    def whole(self, values: Iterable[int]) -> str:
        """Add a constant of whole numbers."""
        return self.constant(np.array([int(each) for each in values], np.int64))

    def model(self) -> bytes:
        """Return the serialized model."""
        job = self.job
        starts = [self._encoded()] if job.columns else [self._input(n, p) for n, p in job.inputs.items()]
        outputs = self._network(starts)
        if job.answers:
            for answer in job.answers:
                self._answer(answer, outputs)
        else:
            self._output(outputs, "outputs", "FLOAT", job.model.architecture.steps[-1].shape)
        graph = self.helper.make_graph(
            self.list, self.stem, self.inputs, self.outputs, self.constants, doc_string=self._about()
        )
        model = self.helper.make_model(
            graph,
            producer_name="ganglion",
            ir_version=VERSION_OF_FORMAT,
            opset_imports=[
                self.helper.make_opsetid("", OPSET),
                self.helper.make_opsetid(CATEGORIES, OPSET_OF_CATEGORIES),
            ],
        )
        self.onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())

    def _about(self) -> str:
        text = f"{self.job.description}. Written by ganglion, opset {OPSET}."
        if self.job.columns:
            text += " A missing number is NaN, a missing word or date an empty text."
        return text

    def _type(self, name: str) -> int:
        return int(getattr(self.onnx.TensorProto, name))

    def _declared(self, name: str, kind: str, shape: Sequence[int | str], about: str = "") -> Any:
        return self.helper.make_tensor_value_info(name, self._type(kind), ["rows", *shape], about)

    def _input(self, name: str, part: Input) -> str:
        if part.holds == "bags":  # rows of equal length: what is missing has the weight 0
            self.inputs.append(self._declared(name, "INT64", ["values"]))
            self.inputs.append(self._declared(f"{name}_weights", "FLOAT", ["values"]))
            return name
        kind = "FLOAT" if part.holds == "numbers" else "INT64"
        self.inputs.append(self._declared(name, kind, part.row_shape))
        return name

    def _output(self, value: str, name: str, kind: str, shape: Sequence[int]) -> None:
        taken = {each.name for each in self.inputs}
        while name in taken:
            name += "_"
        self.list.append(self.helper.make_node("Identity", [value], [name], name))
        self.outputs.append(self._declared(name, kind, shape))

    def _network(self, starts: Sequence[str]) -> str:
        names = [*starts]
        for each in steps_of(self.job):
            step = each.step
            self.scope = step.name
            value = writing_of(step).nodes(step, self, [names[number] for number in step.reads], each.arrays)
            names.append(activations.nodes(step.activation, step.shape[-1] if step.shape else 1, self, value))
        return names[-1]

    def _encoded(self) -> str:
        """Add the columns as inputs; return the inputs of the network."""
        parts = []
        for column in self.job.columns:
            self.scope = column.column
            parts.append(self._column(column))
        self.scope = "columns"
        return parts[0] if len(parts) == 1 else self.add("Concat", *parts, axis=1)

    def _column(self, column: Coded) -> str:
        if isinstance(column, CodedPicture):
            self.inputs.append(self._declared(column.column, "UINT8", column.shape))
            numbers = self._cast(column.column, "FLOAT")
            scaled = self.add("Mul", numbers, self.constant(np.array(column.factors, np.float32)))
            return self.add("Add", scaled, self.constant(np.array(column.shifts, np.float32)))
        if isinstance(column, CodedText):
            raise ConfigError(
                f"column {column.column!r} holds texts, whose n-grams no standard operator of ONNX hashes",
                "export to .py, .c or .html",
            )
        is_number = isinstance(column, CodedNumber) or (isinstance(column, CodedWord) and column.numeric)
        self.inputs.append(self._declared(column.column, "DOUBLE" if is_number else "STRING", [1]))
        if is_number:
            missing = self.add("IsNaN", column.column)
        else:
            missing = self.add("RegexFullMatch", column.column, pattern=self._missing_pattern())
        if isinstance(column, CodedNumber):
            return self._number(column, missing)
        if isinstance(column, CodedWord):
            return self._word(column, missing)
        assert isinstance(column, CodedDate)
        return self._date(column, missing)

    def _missing_pattern(self) -> str:
        return rf"(?i)\s*(?:{'|'.join(map(_pattern, self.job.missing))})\s*"

    def _number(self, column: CodedNumber, missing: str) -> str:
        value = self.add("Where", missing, self._double(column.fill), column.column)
        if column.knots:
            scaled = self._curve(value, np.array(column.knots), np.array(column.heights))
        else:
            centered = self.add("Sub", value, self._double(column.center))
            scaled = self.add("Div", centered, self._double(column.scale))
        found = self._cast(scaled, "FLOAT")
        return self.add("Concat", found, self._cast(missing, "FLOAT"), axis=1) if column.missing else found

    def _curve(self, value: str, knots: Array, heights: Array) -> str:
        """Add the height of a curve: of each of its lines, as much as the value has passed."""
        over = self.add("Sub", value, self.constant(knots[:-1]))
        fraction = self.add("Div", over, self.constant(np.diff(knots)))
        passed = self.add("Clip", fraction, self._double(0), self._double(1))
        rises = self.add("MatMul", passed, self.constant(np.diff(heights)[:, None]))
        return self.add("Add", rises, self._double(heights[0]))

    def _word(self, column: CodedWord, missing: str) -> str:
        count = len(column.words)
        unknown = column.missing if column.unknown is None else column.unknown
        rows = self.constant(np.array([*column.table, column.missing, unknown], np.float32))
        if column.fold and not column.numeric:
            place = self._folded(column)
        else:
            keys = [float(word) for word in column.words] if column.numeric else list(column.words)
            place = self._place(column.column, keys, count + 1)
        known = self.add("Where", missing, self.whole([count]), place)
        return self.add("Gather", rows, self.add("Squeeze", known, self.whole([1])))

    def _place(self, name: str, keys: list[Any], other: int) -> str:
        """Add the place of each value among some keys."""
        kind = "DOUBLE" if isinstance(keys[0], float) else "STRING"
        tensors = {
            "keys_tensor": (kind, keys),
            "values_tensor": ("INT64", range(len(keys))),
            "default_tensor": ("INT64", [other]),
        }
        attributes = {
            key: self.helper.make_tensor(key, self._type(kind), [len(values)], list(values))
            for key, (kind, values) in tensors.items()
        }
        return self.add("LabelEncoder", name, domain=CATEGORIES, **attributes)

    def _folded(self, column: CodedWord) -> str:
        """Add the place of each word, without regard to case and outer blanks."""
        if len(column.words) > MOST_FOLDED:
            raise ConfigError(
                f"column {column.column!r} has {len(column.words):,} categories without regard to case, and "
                f"ONNX has operators for at most {MOST_FOLDED}",
                "train without fold_case, or export to .py or .c",
            )
        place = self.whole([len(column.words) + 1])
        for number, word in enumerate(column.words):
            pattern = rf"(?i)\s*{_pattern(word)}\s*"
            found = self.add("RegexFullMatch", column.column, pattern=pattern)
            place = self.add("Where", found, self.whole([number]), place)
        return place

    def _date(self, column: CodedDate, missing: str) -> str:
        """Add the parts of each date: the text is cut at -, at blanks or T, and at colons."""
        text = self.add("Where", missing, self.constant(np.array(["1970-01-01"])), column.column)
        pieces = self._split(text, delimiter="-", maxsplit=2)
        year, month = (self._cast(self._piece(pieces, place), "INT64") for place in (0, 1))
        halves = self._split(self._and(self._piece(pieces, 2), "T"), delimiter="T")
        apart = self._and(self._piece(halves, 0), " ")
        rest = self._and(self.add("StringConcat", apart, self._piece(halves, 1)), " 0:0:0")
        words = self._split(rest)
        day = self._cast(self._piece(words, 0), "INT64")
        clock = self._split(self._and(self._piece(words, 1), ":0:0"), delimiter=":")
        hour, minute, second = (self._cast(self._piece(clock, place), "DOUBLE") for place in range(3))
        days = self._days(year, month, day)
        seconds = self._sum(
            self.add("Mul", hour, self._double(3600)), self.add("Mul", minute, self._double(60)), second
        )
        elapsed = self._sum(self._cast(days, "DOUBLE"), self.add("Div", seconds, self._double(86400)))
        shifted = self.add("Add", days, self.whole([3]))
        weekday = self.add("Add", self.add("Mod", shifted, self.whole([7])), self.whole([1]))
        turns = {"month": month, "weekday": weekday, "hour": self._cast(hour, "INT64")}
        plain = {"year": year, "day": day, **turns}
        parts = []
        for part in column.parts:
            what, _, turn = part.partition(" ")
            if part == "missing":
                parts.append(self.add("Mul", self._cast(missing, "DOUBLE"), self._double(0)))
            elif turn:
                angles = np.arange(PERIODS[what] + 1) * (2 * np.pi / PERIODS[what])
                circle = self.constant(np.sin(angles) if turn == "sine" else np.cos(angles))
                parts.append(self.add("Gather", circle, turns[what]))
            else:
                parts.append(elapsed if part == "elapsed" else self._cast(plain[what], "DOUBLE"))
        known = self.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
        filled = self.add("Where", missing, self.constant(np.array([column.fill])), known)
        scale = np.array(column.scale)
        factor = np.where(scale > 0, 1 / np.where(scale > 0, scale, 1), 0)
        centered = self.add("Sub", filled, self.constant(np.array([column.center])))
        return self._cast(self.add("Mul", centered, self.constant(factor[None])), "FLOAT")

    def _days(self, year: str, month: str, day: str) -> str:
        """Add the days since 1970 of a date in the Gregorian calendar."""
        before = self.add("Sub", year, self.whole([1]))
        leaps = [self.add("Div", before, self.whole([each])) for each in (4, 100, 400)]
        rests = [
            self.add("Equal", self.add("Mod", year, self.whole([each])), self.whole([0]))
            for each in (4, 100, 400)
        ]
        is_leap = self.add("Or", self.add("And", rests[0], self.add("Not", rests[1])), rests[2])
        is_later = self.add("Greater", month, self.whole([2]))
        in_year = self.add("Gather", self.whole(DAYS_BEFORE), self.add("Sub", month, self.whole([1])))
        return self._sum(
            self.add("Mul", self.add("Sub", year, self.whole([1970])), self.whole([365])),
            self.add("Sub", self.add("Add", leaps[0], leaps[2]), leaps[1]),
            self.add("Add", in_year, day),
            self._cast(self.add("And", is_leap, is_later), "INT64"),
            self.whole([-478]),
        )

    def _answer(self, answer: Answer, outputs: str) -> None:
        """Add what some of the outputs mean."""
        self.scope = answer.name
        suffix = f"_{answer.name}" if len(self.job.answers) > 1 else ""
        ends = self.whole([answer.first]), self.whole([answer.last]), self.whole([1])
        own = self._cast(self.add("Slice", outputs, *ends), "DOUBLE")
        if not answer.labels:
            scaled = self.add("Mul", own, self._double(answer.scale))
            number = self.add("Add", scaled, self._double(answer.center))
            self._output(self.add("Squeeze", number, self.whole([1])), f"prediction{suffix}", "DOUBLE", ())
            return
        if answer.is_calibrated:
            powers = self.add("Log", self.add("Max", own, self._double(TINY)))
            powers = self.add("Div", powers, self._double(answer.temperature))
            if answer.class_weights:
                powers = self.add("Sub", powers, self.constant(np.log(np.array(answer.class_weights))))
            own = self.add("Softmax", powers, axis=1)
        if answer.threshold is not None:
            positive = self.add("Gather", own, self.constant(np.int64(answer.positive)), axis=1)
            reached = self.add("GreaterOrEqual", positive, self._double(answer.threshold))
            choice = self.add("Where", reached, *(self.constant(np.int64(c)) for c in _pair(answer.positive)))
        else:
            weighted = own
            if answer.class_weights:
                weighted = self.add("Mul", own, self.constant(np.array(answer.class_weights)))
            choice = self.add("ArgMax", weighted, axis=1, keepdims=0)
        classes = np.array(answer.classes)
        kind = {"U": "STRING", "b": "BOOL", "i": "INT64", "f": "DOUBLE"}[classes.dtype.kind]
        predicted = self.add("Gather", self.constant(classes), choice)
        self._output(predicted, f"prediction{suffix}", kind, ())
        self._output(self._cast(own, "FLOAT"), f"probabilities{suffix}", "FLOAT", (answer.width,))

    def _cast(self, value: str, kind: str) -> str:
        return self.add("Cast", value, to=self._type(kind))

    def _double(self, value: float) -> str:
        return self.constant(np.float64(value))

    def _sum(self, *values: str) -> str:
        found = values[0]
        for value in values[1:]:
            found = self.add("Add", found, value)
        return found

    def _split(self, text: str, **attributes: Any) -> str:
        """Add the pieces of texts."""
        name = f"{self.scope}/StringSplit_{len(self.list)}"
        results = [name, f"{name}/counts"]
        self.list.append(self.helper.make_node("StringSplit", [text], results, name, **attributes))
        return name

    def _piece(self, pieces: str, place: int) -> str:
        return self.add("Gather", pieces, self.constant(np.int64(place)), axis=2)

    def _and(self, text: str, more: str) -> str:
        return self.add("StringConcat", text, self.constant(np.array(more)))


def _pair(positive: int) -> tuple[int, int]:
    return positive, 1 - positive


def _pattern(word: str) -> str:
    """Return a regular expression for a word, as RE2 has it."""
    return "".join(c if c.isalnum() or c == " " else f"\\x{{{ord(c):x}}}" for c in word)
