"""One readable file of Python that needs NumPy alone."""

from __future__ import annotations

import base64
import keyword
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from ganglion.core.part import Array
from ganglion.files.exports import activations
from ganglion.files.exports.inputs import Coded, CodedDate, CodedNumber, CodedPicture, CodedText, CodedWord
from ganglion.files.exports.job import Answer, Job, identifiers
from ganglion.files.exports.layers import writing_of
from ganglion.files.exports.tables import steps_of

MOST_PLAIN = 24  # numbers that are written as such
LINE = 100
RESERVED = (
    *keyword.kwlist,
    *(
        "np",
        "math",
        "csv",
        "sys",
        "base64",
        "datetime",
        "x",
        "main",
        "predict",
        "encode",
        "network",
        "answers",
    ),
    *("floats", "number", "curve", "plain", "lookup", "word", "category", "levels", "date", "pictures"),
    *("texts", "summed", "words_of", "buckets_of", "letter_kinds", "re", "unicodedata", "floats"),
)
READING = '''
def is_missing(value):
    """Return whether a value stands for a missing one."""
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    return value is None or value != value
'''
NUMBER = '''
def number(rows, column, fill, center, scale, missing=False):
    """Return (value - center) / scale, and whether the value is missing."""
    gaps = np.array([is_missing(row[column]) for row in rows])
    values = [fill if gap else float(row[column]) for row, gap in zip(rows, gaps)]
    if not np.isfinite(values).all():
        raise ValueError(f"column {column!r} must hold finite numbers")
    scaled = (np.array(values) - center) / scale
    return np.column_stack([scaled, gaps] if missing else [scaled])
'''
CURVE = '''
def curve(rows, column, fill, knots, heights, missing=False):
    """Return the height of a curve of straight lines at each value, and whether the value is missing."""
    values = number(rows, column, fill, 0, 1, missing)
    values[:, 0] = np.interp(values[:, 0], knots, heights)
    return values
'''
WORD = '''
def word(value):
    """Return a value as the text of a category: 3.0 is 3."""
    if isinstance(value, (bool, np.bool_)):
        return str(value).lower()
    if isinstance(value, (float, np.floating)):
        digits, exponent, power = repr(float(value)).partition("e")
        return f"{digits}e{int(power):+}" if exponent else digits.removesuffix(".0")
    return str(value)
'''
LOOKUP = '''
def lookup(rows, column, places, missing, unknown, fold=False):
    """Return the place of each value among the known words, or that of missing or unknown ones."""
    found = []
    for row in rows:
        if is_missing(row[column]):
            found.append(missing)
            continue
        known = word(row[column])
        place = places.get(known.strip().lower() if fold else known, unknown)
        if place is None:
            raise ValueError(f"column {column!r} must be one of {', '.join(places)}, got {known!r}")
        found.append(place)
    return np.array(found)
'''
NUMERIC = '''
def plain(rows, column):
    """Return the rows with numbers in text as numbers in one column: "3.0" and 3 are one category."""
    found = []
    for row in rows:
        value = row[column]
        found.append({column: float(value) if isinstance(value, str) and not is_missing(value) else value})
    return found
'''
CATEGORY = '''
def category(rows, column, words, width, missing, unknown, fold=False):
    """Return 1 at the place of each value's word, 0 elsewhere; at place -1 there is nothing."""
    places = lookup(rows, column, {known: place for place, known in enumerate(words)}, missing, unknown, fold)
    return np.eye(width + 1)[places][:, :width]
'''
LEVELS = '''
def levels(rows, column, words, features, fold=False, strict=False):
    """Return the features of each value's word; the last two rows are those of missing and unknown ones."""
    places = {known: place for place, known in enumerate(words)}
    return features[lookup(rows, column, places, len(words), None if strict else len(words) + 1, fold)]
'''
DATE = '''
def date(rows, column, parts, fill, center, scale):
    """Return parts of each date, such as year and weekday, each standardized."""
    found = []
    for row in rows:
        value = row[column]
        if is_missing(value):
            found.append(fill)
            continue
        if isinstance(value, str):
            value = datetime.datetime.fromisoformat(value.strip())
        if not isinstance(value, datetime.datetime):
            value = datetime.datetime(value.year, value.month, value.day)
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        elapsed = (value - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1)
        known = {"year": value.year, "month": value.month, "day": value.day, "weekday": value.isoweekday(),
                 "hour": value.hour, "elapsed": elapsed, "missing": 0}
        for name, period in (("month", 12), ("weekday", 7), ("hour", 24)):
            angle = 2 * math.pi * known[name] / period
            known[f"{name} sine"], known[f"{name} cosine"] = math.sin(angle), math.cos(angle)
        found.append([known[part] for part in parts])
    scale = np.array(scale)
    return np.where(scale > 0, (np.array(found) - center) / np.where(scale > 0, scale, 1), 0)
'''
PICTURES = '''
def pictures(rows, column, shape, factors, shifts):
    """Return bytes as numbers, for each channel: byte * factor + shift."""
    images = np.stack([np.asarray(row[column], np.uint8).reshape(shape) for row in rows])
    return images * np.float32(factors) + np.float32(shifts)
'''
CALIBRATED = '''
def calibrated(outputs, temperature, class_weights):
    """Return probabilities: outputs ** (1 / temperature) / class_weights, divided by their sum."""
    powers = np.log(np.maximum(outputs.astype(float), 1.17549435e-38)) / temperature - np.log(class_weights)
    odds = np.exp(powers - powers.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
'''
FLOATS = '''
def floats(text, *shape, kind="<f4"):
    """Return the numbers of a text, such as 32-bit floats, in base 64."""
    return np.frombuffer(base64.b64decode(text), kind).reshape(shape)
'''
TEXTS = '''
def words_of(text):
    """Return words and signs of a text in lower case and composed form, each with whether it is a sign."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    found, word = [], ""
    for letter in text + " ":
        kind = letter_kinds[ord(letter)]
        if word and kind in "GS":
            found.append((word, False))
            word = ""
        if kind == "W":
            word += letter
        elif kind == "S":
            found.append((letter, True))
    return found


def buckets_of(words, characters, least, most, bits):
    """Return how often each bucket occurs: of n-grams of words, or of characters inside each word."""
    units = [[*map(ord, f"\\x02{word}\\x03")] for word, sign in words if not sign]
    if not characters:
        units = [[[*map(ord, word)] for word, _ in words]]
    counts = {}
    for own in units:
        for first in range(len(own)):
            key = (0xCBF29CE484222325 ^ (2 if characters else 1)) * 0x100000001B3 % 2**64
            for place in range(first, min(first + most, len(own))):
                points = [own[place]] if characters else [32] * (place > first) + own[place]
                for point in points:
                    key = (key ^ point) * 0x100000001B3 % 2**64
                if place - first + 1 >= least:
                    bucket = ((key ^ key >> 32) * 0x9E3779B97F4A7C15 % 2**64) >> (64 - bits)
                    counts[bucket] = counts.get(bucket, 0) + 1
    return counts


def summed(words, kinds, bits, places, rarity, numbers, bias):
    """Return the sum of the numbers of a text's n-grams, each times its weight, and how many are known."""
    total, known = bias.astype(float), 0
    for kind in kinds:
        counts = buckets_of(words, *kind, bits)
        counts = {places[bucket]: count for bucket, count in counts.items() if bucket in places}
        weights = np.array([(1 + math.log(count)) * rarity[row] for row, count in counts.items()])
        if len(weights):
            total = total + weights / np.sqrt((weights**2).sum()) @ numbers[[*counts]]
        known += len(counts)
    return total, known


def texts(rows, column, tables, center, scale):
    """Return the standardized sums over each text; 0 for a text in which no n-gram is known."""
    found = []
    for row in rows:
        words = [] if is_missing(row[column]) else words_of(word(row[column]))
        sums = [summed(words, *table) for table in tables]
        values = (np.concatenate([total for total, _ in sums]) - center) / scale
        found.append(values if sums[0][1] else values * 0)
    return np.array(found)
'''
MAIN = '''
def main():
    """Read a CSV file with the columns, and print its predictions as CSV."""
    with open(sys.argv[1], newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    found = predict(rows)
    writer = csv.DictWriter(sys.stdout, found[0], lineterminator="\\n")
    writer.writeheader()
    writer.writerows(found)
'''


def write(job: Job, name: str, int8: bool = False) -> tuple[bytes, list[str]]:
    """Return a file of Python.

    Raises:
        ConfigError: for a part that NumPy cannot have.
    """
    return _File(job, name).text().encode(), []


class _File:
    """The parts of one file."""

    def __init__(self, job: Job, stem: str) -> None:
        self.job, self.stem = job, identifiers([stem], RESERVED)[0]
        self.helpers: dict[str, None] = {}
        self.data: list[str] = []

    def text(self) -> str:
        job = self.job
        network = self._network()
        encoding = self._encoding() if job.columns else []
        answers = self._answers() if job.answers else []
        predict = self._predict()
        is_table = bool(job.columns) and not isinstance(job.columns[0], CodedPicture)
        used = "\n".join((*self.helpers, *self.data))
        imports = ["base64", "csv", "datetime", "math", "re", "sys", "unicodedata"]
        names = {"csv": is_table, "sys": is_table}
        parts = [
            self._head(is_table),
            "\n".join(
                [f"import {name}" for name in imports if names.get(name, f"{name}." in used)]
                + ["", "import numpy as np"]
            ),
            "\n".join(predict),
            *("\n".join(each) for each in (encoding, network, answers) if each),
            *(text.strip() for text in self.helpers),
            *([MAIN.strip()] if is_table else []),
            "\n".join(self.data),
            *(['if __name__ == "__main__":\n    main()'] if is_table else []),
        ]
        return "\n\n\n".join(part for part in parts if part) + "\n"

    def _head(self, is_table: bool) -> str:
        used = f"    python {self.stem}.py table.csv > predictions.csv\n\n" if is_table else ""
        description = self.job.description[0].upper() + self.job.description[1:]
        head = f"{_quiet(description)}. Written by ganglion; it needs NumPy alone."
        return f'"""{head}\n\n{used}From Python, call `predict`.\n"""'

    def _use(self, *helpers: str) -> None:
        self.helpers |= dict.fromkeys(helpers)

    def _array(self, name: str, values: Array, kind: str = "f4") -> str:
        """Add an array, of 32-bit floats or of whole numbers; return its name."""
        values = np.asarray(values).astype(f"<{kind}")
        if kind == "f4" and values.size <= MOST_PLAIN and values.ndim == 1:
            self.data.append(f"{name} = np.array({[float(str(each)) for each in values]}, np.float32)")
        else:
            self._use(FLOATS)
            text = base64.b64encode(values.tobytes()).decode()
            lines = "\n".join(f'    "{line}"' for line in textwrap.wrap(text, LINE))
            shape = ", ".join(map(str, values.shape))
            ending = "" if kind == "f4" else f', kind="<{kind}"'
            self.data.append(f"{name} = floats(\n{lines},\n    {shape}{ending},\n)")
        return name

    def _words(self, name: str, words: Sequence[str]) -> str:
        lines = textwrap.wrap(
            ", ".join(map(repr, words)), LINE, break_long_words=False, break_on_hyphens=False
        )
        # Lines are broken at blanks, also at those of words: then each word has a line of its own.
        if any(" " in word for word in words):
            lines = [f"{word!r}," for word in words]
        self.data.append(f"{name} = [\n" + "\n".join(f"    {line}" for line in lines) + "\n]")
        return name

    def _predict(self) -> list[str]:
        inputs = list(self.job.inputs)
        if not self.job.columns:
            arguments = ", ".join(inputs)
            shape = "" if len(self.job.model.architecture.steps[-1].shape) == 1 else " of their shape"
            return [
                f"def predict({arguments}):",
                f'    """Return the outputs{shape} for some rows: {self._sizes()}."""',
                *(self._taken(name, part) for name, part in self.job.inputs.items()),
                f"    return network({arguments})",
            ]
        columns = [each.column for each in self.job.columns]
        shown = _quiet(", ".join(f"{name!r}: ..." for name in columns[:3]))
        return [
            "def predict(rows):",
            f'    """Return the answer for each row, a list of dicts such as {{{shown}}}."""',
            "    return answers(network(encode(rows)))",
        ]

    def _sizes(self) -> str:
        return "; ".join(
            f"{name}, {part.holds} {part.row_shape or ''}".strip() for name, part in self.job.inputs.items()
        )

    def _taken(self, name: str, part: Any) -> str:
        if part.holds == "numbers":
            shape = ", ".join(map(str, part.row_shape))
            return f"    {name} = np.asarray({name}, np.float32).reshape(-1, {shape})"
        if part.holds == "integers":
            return f"    {name} = np.asarray({name})"
        pairs = "pair" if part.weighted else "(value, 1)"
        return f"    {name} = [[{pairs} for {'pair' if part.weighted else 'value'} in bag] for bag in {name}]"

    def _network(self) -> list[str]:
        architecture = self.job.model.architecture
        names = ["x"] if self.job.columns else list(self.job.inputs)
        lines = [f"def network({', '.join(names)}):", '    """Return the outputs of the network."""']
        steps = list(steps_of(self.job))
        names += identifiers((each.step.name for each in steps), (*RESERVED, *names))
        for each in steps:
            step, writing = each.step, writing_of(each.step)
            arrays = {short: self._array(each.names[short], array) for short, array in each.arrays.items()}
            value = writing.expression(step, [names[number] for number in step.reads], arrays)
            if writing.helpers:
                self._use(writing.helpers)
            width = step.shape[-1] if step.shape else 1
            for part, _, _ in activations.parts_of(step.activation, width):
                self._use(activations.helper(part))
            value = activations.expression(step.activation, width, value)
            if value.startswith("sections("):
                self._use(activations.SECTIONS)
            if value in names:  # the numbers are only passed on
                names[step.writes] = value
            else:
                lines.append(f"    {names[step.writes]} = {value}")
        lines.append(f"    return {names[architecture.steps[-1].writes]}")
        if not any("np.exp(-" in helper for helper in self.helpers):
            return lines
        # Where exp(-z) is infinite, 1 / (1 + exp(-z)) is 0, as it should be.
        ignoring = '    with np.errstate(over="ignore"):'
        return [*lines[:2], ignoring, *(f"    {line}" for line in lines[2:])]

    def _encoding(self) -> list[str]:
        picture = isinstance(self.job.columns[0], CodedPicture)
        lines = [
            "def encode(rows):",
            '    """Return the inputs of the network for rows of values by column."""',
        ]
        names = identifiers((each.column for each in self.job.columns), RESERVED)
        calls = [self._column(column, name) for column, name in zip(self.job.columns, names, strict=True)]
        if picture:
            return [*lines, f"    return {calls[0]}"]
        self._use(READING)
        self._words("MISSING", self.job.missing)
        return [
            *lines,
            "    features = [",
            *(f"        {call}," for call in calls),
            "    ]",
            "    x = np.concatenate(features, axis=1).astype(np.float32)",
            "    if not np.isfinite(x).all():",
            '        raise ValueError("a number is too large")',
            "    return x",
        ]

    def _column(self, column: Coded, name: str) -> str:
        given = f"rows, {column.column!r}"
        if isinstance(column, CodedNumber):
            self._use(NUMBER)
            ending = ", missing=True" if column.missing else ""
            if column.knots:
                self._use(CURVE)
                self.data.append(
                    f"{name}_knots = {list(column.knots)}\n{name}_heights = {list(column.heights)}"
                )
                return f"curve({given}, {column.fill!r}, {name}_knots, {name}_heights{ending})"
            line = f"fill={column.fill!r}, center={column.center!r}, scale={column.scale!r}"
            return f"number({given}, {line}{ending})"
        if isinstance(column, CodedPicture):
            self._use(PICTURES)
            return f"pictures({given}, {column.shape}, {list(column.factors)}, {list(column.shifts)})"
        if isinstance(column, CodedDate):
            self._use(DATE)
            spread = f"fill={list(column.fill)}, center={list(column.center)}, scale={list(column.scale)}"
            return f"date({given}, {list(column.parts)}, {spread})"
        if isinstance(column, CodedText):
            return self._text(column, name, given)
        assert isinstance(column, CodedWord)
        self._use(WORD, LOOKUP)
        if column.numeric:
            self._use(NUMERIC)
            given = f"plain({given}), {column.column!r}"
        words = self._words(f"{name}_words", column.words)
        fold = ", fold=True" if column.fold else ""
        if column.rows is None:
            self._use(CATEGORY)
            missing, unknown = (
                int(np.argmax(row)) if row is not None and np.any(row) else -1
                for row in (column.missing, column.unknown)
            )
            return f"category({given}, {words}, {column.width}, missing={missing}, unknown={unknown}{fold})"
        self._use(LEVELS)
        unknown_row = column.missing if column.unknown is None else column.unknown
        features = self._array(f"{name}_features", np.array([*column.table, column.missing, unknown_row]))
        strict = ", strict=True" if column.unknown is None else ""
        return f"levels({given}, {words}, {features}{fold}{strict})"

    def _text(self, column: CodedText, name: str, given: str) -> str:
        self._use(WORD, TEXTS)
        if not any(line.startswith("letter_kinds") for line in self.data):
            runs = "\n".join(f'    "{line}"' for line in textwrap.wrap(column.letters, LINE))
            self.data.append(
                "# Runs of code points: gaps, words, signs and nothing, with their lengths in base 36.\n"
                f"letter_runs = (\n{runs}\n)\n"
                'found = re.findall("([A-Z])([0-9a-z]+)", letter_runs)\n'
                'letter_kinds = "".join(kind * int(length, 36) for kind, length in found)'
            )
        tables = []
        for number, table in enumerate(column.tables):
            own = f"{name}_{number}"
            kinds = [(kind.characters, kind.least, kind.most) for kind in table.kinds]
            buckets = self._array(f"{own}_buckets", table.buckets, "u4")
            places = f"{{bucket: row for row, bucket in enumerate({buckets}.tolist())}}"
            rarity = self._array(f"{own}_rarity", table.rarity)
            weights = self._array(f"{own}_weights", table.weights, "i1")
            scales = self._array(f"{own}_scales", table.scales)
            bias = self._array(f"{own}_bias", table.bias)
            self.data.append(
                f"{own} = ({kinds}, {table.bits}, {places}, {rarity}, {weights} * {scales}[:, None], {bias})"
            )
            tables.append(own)
        return f"texts({given}, [{', '.join(tables)}], {list(column.center)}, {list(column.scale)})"

    def _answers(self) -> list[str]:
        lines = [
            "def answers(outputs):",
            '    """Return what the outputs mean, a dict for each row."""',
            "    found = {}",
        ]
        several = len(self.job.answers) > 1
        for answer in self.job.answers:
            lines += self._answer(
                answer, f"_{answer.name}" if several else "", f"outputs[:, {answer.first}:{answer.last}]"
            )
        return [
            *lines,
            "    return [dict(zip(found, row)) for row in zip(*(each.tolist() for each in found.values()))]",
        ]

    def _answer(self, answer: Answer, suffix: str, outputs: str) -> list[str]:
        key = f"prediction{suffix}"
        if not answer.labels:
            scaled = f"outputs[:, {answer.first}].astype(float) * {answer.scale!r} + {answer.center!r}"
            return [f"    found[{key!r}] = {scaled}"]
        lines = [f"    probabilities = {outputs}"]
        if answer.is_calibrated:
            self._use(CALIBRATED)
            weights = list(answer.class_weights) or 1
            lines = [f"    probabilities = calibrated({outputs}, {answer.temperature!r}, {weights})"]
        weighted = f" * {list(answer.class_weights)}" if answer.class_weights else ""
        chosen = f"(probabilities{weighted}).argmax(axis=1)"
        if answer.threshold is not None:
            reached = f"probabilities[:, {answer.positive}] >= {answer.threshold!r}"
            chosen = f"np.where({reached}, {answer.positive}, {1 - answer.positive})"
        names = [f"probability{suffix}_{label}" for label in answer.labels]
        return [
            *lines,
            f"    classes = np.array({list(answer.classes)!r}, object)",
            f"    found[{key!r}] = classes[{chosen}]",
            f"    found |= dict(zip({names!r}, probabilities.T))",
        ]


def _quiet(text: str) -> str:
    """Return a text that cannot end the docstring that it stands in, nor change what it says."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split())
