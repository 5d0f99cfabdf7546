"""Lessons: a table, a network and questions in one file without code; answers are checked by the trace.

Before a number is shown, the learner commits to its sign or size. A hint answers the mistake that was made,
if it is one of those that people make.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from ganglion.core.part import plain
from ganglion.errors import ConfigError, FileError, GanglionError, one_of, shortened
from ganglion.insight import Trace
from ganglion.insight.trace.equation import Function, Sum
from ganglion.studio.answers import row_trace
from ganglion.studio.data import Data, Source, check_row
from ganglion.studio.run import Run, View
from ganglion.studio.settings import Settings
from ganglion.tables.examples import FOLDER as EXAMPLE_FOLDER

if TYPE_CHECKING:
    from ganglion.studio.session import Studio

FOLDER = Path(__file__).parent / "lessons"
FORMAT = 1
MOST_BYTES, MOST_QUESTIONS, MOST_ROWS = 2**20, 100, 10_000
FIELDS = {"lesson", "title", "chapter", "words", "table", "target", "seed", "row", "settings", "questions"}
KINDS = ("sign", "number", "choice")
MOST_UPDATES = 5_000  # of a run in a lesson
LARGEST = 1e300  # answer
TOLERANCE = 0.05  # of a number, relative
HINTS = {
    "gradient": "That is the gradient. The update is what the optimizer makes of it: a step against it.",
    "direction": "The gradient says where the loss rises; the optimizer goes the other way.",
    "row": "That is the gradient of one row alone. The update follows the mean over the rows of the batch.",
    "loss": "Each update lowers the loss of its own batch, and only if the step is small enough. The loss "
    "need not fall in every step.",
    "adam": "Adam divides by the usual size of the gradient: its step does not grow with the gradient.",
    "dropout": "Dropout acts in training only. A prediction uses every unit.",
    "sign": "Look at the terms of the sum: those above and those below zero, and which are larger.",
    "number": "Follow the terms one by one: each is what comes in, times its weight.",
    "product": "Follow the terms one by one: each is what comes in, times what comes back.",
}


class Lesson:
    """A lesson, and where the learner is in it.

    Args:
        facts: the contents of its file.

    Raises:
        ConfigError: if they are no lesson.
    """

    def __init__(self, facts: Any) -> None:
        if not isinstance(facts, Mapping) or set(facts) != FIELDS:
            raise ConfigError(f"a lesson must have {', '.join(sorted(FIELDS))}")
        if facts["lesson"] != FORMAT:
            raise ConfigError(f"this lesson is of format {shortened(facts['lesson'])}", "upgrade ganglion")
        if not all(isinstance(facts[name], str) for name in ("title", "words", "target")):
            raise ConfigError("title, words and target of a lesson must be text")
        if type(facts["chapter"]) is not int:
            raise ConfigError(f"the chapter of a lesson must be a number, got {shortened(facts['chapter'])}")
        questions = facts["questions"]
        if not isinstance(questions, list) or not 1 <= len(questions) <= MOST_QUESTIONS:
            raise ConfigError(f"a lesson must have 1 to {MOST_QUESTIONS} questions")
        self.facts, self.questions = facts, list(map(_question, questions))
        self.title, self.row = facts["title"], check_row(facts["row"], MOST_ROWS)
        self.place = 0
        self.judged: list[dict[str, Any] | None] = [None] * len(questions)

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Return the lesson in a file.

        Raises:
            FileError: if it is none.
        """
        if len(data) > MOST_BYTES:
            raise FileError(f"a lesson must have at most {MOST_BYTES:,} bytes, got {len(data):,}")
        try:
            facts = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise FileError(f"the lesson is not JSON: {shortened(error)}") from error
        try:
            return cls(facts)
        except (ConfigError, KeyError, TypeError) as error:
            raise FileError(f"this is no lesson: {shortened(getattr(error, 'message', error))}") from error

    @staticmethod
    def is_one(data: bytes) -> bool:
        """Whether a JSON file looks like a lesson and not like a table."""
        return b'"lesson"' in data[:MOST_BYTES] and b'"questions"' in data[:MOST_BYTES]

    @classmethod
    def shipped(cls, name: Any) -> Self:
        """Return a lesson that comes with the package."""
        names = [path.stem for path in sorted(FOLDER.glob("*.json"))]
        if name not in names:
            raise ConfigError(f"there is no lesson {shortened(name)}", one_of(str(name), names))
        return cls.read((FOLDER / f"{name}.json").read_bytes())

    @classmethod
    def list_shipped(cls) -> dict[str, str]:
        """Return the titles of the lessons that come with the package, by name."""
        return {path.stem: cls.shipped(path.stem).title for path in sorted(FOLDER.glob("*.json"))}

    def data(self, folder: Path) -> Data:
        """Return the lesson's table, prepared."""
        table = self.facts["table"]
        seed = self.facts["seed"]
        if not isinstance(table, Mapping) or len(table) != 1 or type(seed) is not int:
            raise ConfigError("the table of a lesson must be an example or columns, and its seed a number")
        if "example" in table:
            return Data(Source.example(table["example"], folder), self.facts["target"], seed=seed)
        columns = table.get("columns")
        if not isinstance(columns, Mapping) or any(
            not isinstance(values, list) or len(values) > MOST_ROWS for values in columns.values()
        ):
            raise ConfigError(f"the columns of a lesson must be lists of at most {MOST_ROWS:,} values")
        try:
            text = pl.DataFrame(dict(columns)).write_csv()
        except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
            raise ConfigError(f"the columns of a lesson are no table: {shortened(error)}") from error
        source = Source.uploaded(text.encode(), "csv", "lesson.csv", folder)
        return Data(source, self.facts["target"], seed=seed)

    def settings(self, data: Data) -> Settings:
        """Return the lesson's settings: those of the table, with others in some places."""
        own = self.facts["settings"]
        if not isinstance(own, Mapping):
            raise ConfigError("the settings of a lesson must be an object")
        return Settings.read({**data.settings.to_facts(), **own, "seed": self.facts["seed"]})

    @property
    def question(self) -> Mapping[str, Any] | None:
        """The question that is asked; None at the end."""
        return self.questions[self.place] if self.place < len(self.questions) else None

    def describe(self, run: Run, view: View) -> dict[str, Any]:
        """Return the lesson and the question that is asked, without its answer, and what is known for it."""
        asked = self.question
        shown = None
        if asked is not None:
            shown = {name: asked[name] for name in ("words", "kind", "choices", "about")}
            try:
                shown["known"] = known(run, view, asked["about"]) if asked["about"] else []
            except GanglionError:  # the answer will say what is wrong
                shown["known"] = []
        return {
            "title": self.title,
            "chapter": self.facts["chapter"],
            "words": self.facts["words"],
            "question": shown,
            "place": self.place,
            "count": len(self.questions),
            "right": sum(bool(each and each["right"]) for each in self.judged),
            "judged": self.judged[self.place] if asked else None,
        }

    def prepare(self, studio: Studio) -> None:
        """Go to the update at which the question is asked."""
        asked = self.question
        assert asked is not None
        run = studio.run()
        run.stepper.seek(min(asked["at"], run.stepper.total))

    def go_on(self) -> None:
        """Go to the next question."""
        self.place = min(self.place + 1, len(self.questions))

    def judge(self, run: Run, view: View, given: Any) -> dict[str, Any]:
        """Return whether an answer is right, the truth, and what to think about; the first answer counts.

        Raises:
            ConfigError: for an answer of another kind, or after the last question.
        """
        asked = self.question
        if asked is None:
            raise ConfigError("the lesson is over")
        if asked["kind"] == "choice":
            if type(given) is not int or not 0 <= given < len(asked["choices"]):
                raise ConfigError("choose one of the answers")
            right, truth = given == asked["right"], asked["choices"][asked["right"]]
            hint = "" if right else asked["hint"]
        else:
            value = measure(run, view, asked["about"])
            if isinstance(given, bool) or not isinstance(given, int | float) or not abs(given) < LARGEST:
                raise ConfigError("the answer must be a number")
            right = _is_right(asked["kind"], float(given), value)
            truth = value
            hint = "" if right else _hint(run, view, asked, float(given), value)
        found: dict[str, Any] = plain(
            {"right": bool(right), "truth": truth, "hint": hint, "after": asked["after"]}
        )
        self.judged[self.place] = self.judged[self.place] or found
        return found


def make_lesson(run: Run, view: View, command: Mapping[str, Any]) -> bytes:
    """Return the file of a lesson that begins with a run's table and settings, and asks one question.

    The question is about what is selected, at the update where the run stands; its words are for the teacher
    to change.

    Args:
        run: from the beginning, not a branch.
        view: the selected row.
        command: what is selected: "parameter" and "index", or "layer" and "unit".

    Raises:
        ConfigError: for a branch, a model, or roles that a lesson cannot say.
    """
    data, settings = run.data, run.settings
    if run.parent is not None or run.edits or run.goes_on or data.roles or data.seed != settings.seed:
        raise ConfigError(
            "a lesson begins with a new network, roles as they are found, and one seed for split and network",
            "begin a new run, and export that",
        )
    if data.prepared.frame.height > MOST_ROWS or run.stepper.update > MOST_UPDATES:
        raise ConfigError(f"a lesson has at most {MOST_ROWS:,} rows and {MOST_UPDATES:,} updates")
    about: dict[str, Any] = {"what": "loss"}
    subject = f"the loss of row {view.row}"
    if command.get("parameter"):
        about = {"what": "gradient", "parameter": command["parameter"], "index": command.get("index")}
        owner, _, short = str(command["parameter"]).partition("/")
        subject = f"the gradient of {owner}.{short}{command.get('index')} on the next batch"
    elif command.get("layer") and command["layer"] != "loss":
        about = {"what": "unit", "layer": command["layer"], "unit": command.get("unit", 0)}
        subject = f"the output of unit {command.get('unit', 0)} of {command['layer']} for row {view.row}"
    table: dict[str, Any] = {"example": data.source.path.stem}
    if data.source.path.parent != EXAMPLE_FOLDER:
        columns = data.prepared.frame.select(data.columns)
        table = {"columns": {c.name: [_as_json(value) for value in c] for c in columns.get_columns()}}
    facts = {
        "lesson": FORMAT,
        "title": run.name,
        "chapter": 5,
        "words": f"A network learns {data.chosen} from {data.source.name}.",
        "table": table,
        "target": data.chosen,
        "seed": settings.seed,
        "row": view.row,
        "settings": settings.to_facts(),
        "questions": [
            {
                "words": f"Is {subject} above or below zero?",
                "kind": "sign",
                "at": run.stepper.update,
                "about": about,
                "after": "Read the terms one by one.",
            }
        ],
    }
    Lesson(facts)  # which raises for what is no question
    return json.dumps(facts, indent=1, ensure_ascii=False).encode()


def _as_json(value: Any) -> Any:
    return plain(value) if isinstance(value, int | float | bool | None) else str(value)


def _question(facts: Any) -> dict[str, Any]:
    """Return a question with all its fields.

    Raises:
        ConfigError: if it is none.
    """
    usual = {"at": 0, "choices": [], "right": 0, "hint": "", "after": "", "about": {}}
    if not isinstance(facts, Mapping) or not {"words", "kind"} <= set(facts) <= {"words", "kind", *usual}:
        raise ConfigError("a question must have words and a kind")
    found = {**usual, **facts}
    if found["kind"] not in KINDS or type(found["at"]) is not int or not 0 <= found["at"] <= MOST_UPDATES:
        raise ConfigError(
            f"a question's kind must be one of {', '.join(KINDS)}, at an update up to {MOST_UPDATES:,}"
        )
    if not all(isinstance(found[name], str) for name in ("words", "hint", "after")):
        raise ConfigError("what a question says must be text")
    choices, right = found["choices"], found["right"]
    if found["kind"] == "choice":
        texts = isinstance(choices, list) and all(isinstance(each, str) for each in choices)
        if not texts or len(choices) < 2 or type(right) is not int or not 0 <= right < len(choices):
            raise ConfigError("a question with choices needs at least two, and which is right")
        found["about"] = {}
    else:
        _check_about(found["about"])
    return found


def _check_about(about: Any) -> None:
    """Raise `ConfigError` if a question is about nothing that can be measured."""
    kinds = {"what": str, "layer": str, "unit": int, "parameter": str, "index": list, "updates": int}
    if not isinstance(about, Mapping) or about.get("what") not in tuple(MEASURES):
        raise ConfigError(f"a question must be about one of {', '.join(MEASURES)}")
    for name, value in about.items():
        if name not in kinds or type(value) is not kinds[name]:
            raise ConfigError(f"a question is about {', '.join(kinds)}, got {shortened(name)}")
    in_range = 0 <= about.get("updates", 0) <= MOST_UPDATES
    if not all(type(each) is int for each in about.get("index", [])) or not in_range:
        raise ConfigError(f"an index must be a list of whole numbers, and updates 0 to {MOST_UPDATES:,}")


def _is_right(kind: str, given: float, value: float) -> bool:
    if kind == "sign":
        return np.sign(given) == np.sign(value)
    return abs(given - value) <= max(TOLERANCE * abs(value), 1e-9)


def _hint(run: Run, view: View, asked: Mapping[str, Any], given: float, value: float) -> str:
    """Return the hint that fits a mistake: what the answer would have been right for."""
    about, kind = asked["about"], asked["kind"]
    what = about["what"]

    def fits(other: str) -> bool:
        try:
            found = measure(run, view, {**about, "what": other})
        except GanglionError:
            return False
        return _is_right(kind, given, found)

    if what == "change":
        if kind == "number" and fits("gradient"):
            return HINTS["gradient"]
        if run.settings.optimizer.name.startswith("adam") and kind == "number" and fits("plain_step"):
            return HINTS["adam"]
        if np.sign(given) == -np.sign(value):
            return HINTS["direction"]
    if what == "gradient" and fits("row_gradient"):
        return HINTS["row"]
    if what == "loss_change" and given < 0 < value:
        return HINTS["loss"]
    if what == "unit" and fits("training_unit"):
        return HINTS["dropout"]
    return asked["hint"] or HINTS["sign" if kind == "sign" else "product" if what == "gradient" else "number"]


def known(run: Run, view: View, about: Mapping[str, Any]) -> list[list[Any]]:
    """Return the numbers that an answer can be worked out from: names and values, without results."""
    what = about["what"]
    if what in ("unit", "z", "training_unit"):
        equations = row_trace(run, view.row).unit(about.get("layer", ""), about.get("unit", 0)).equations
        sums = [each for each in equations if isinstance(each, Sum) and ".z[" in str(each.left)]
        sums = sums or [each for each in equations if isinstance(each, Sum)]
    elif what == "gradient":
        found = _next_trace(run).gradient(about.get("parameter", ""), _index(about)).equations[0]
        sums = [found] if isinstance(found, Sum) else []
    elif what == "change":
        return _known_of_update(run, about)
    else:
        return []
    return [
        [
            number
            for factor in term.factors
            if factor.symbol.letter != "factor"  # of dropout, which would be the answer
            for number in (f"{factor.symbol}{f' ({term.note})' if term.note else ''}", factor.value)
        ]
        for each in sums[:1]
        for term in each.terms
    ]


def _next_trace(run: Run) -> Trace:
    return run.stepper.trace(run.data.prepared.features)


def _known_of_update(run: Run, about: Mapping[str, Any]) -> list[list[Any]]:
    """Return gradient, rate, settings and slots of an update, without what is computed from them."""
    equations = _next_trace(run).update(about.get("parameter", ""), _index(about)).equations
    results = {str(each.left) for each in equations}
    given = {"gradient": equations[-1].value}
    for each in equations:
        if isinstance(each, Function):
            given |= {name: value for name, value in each.arguments.items() if name not in (*results, "g")}
    return [[name, value] for name, value in given.items()]


def measure(run: Run, view: View, about: Mapping[str, Any]) -> float:
    """Return the number that a question is about, from the trace.

    Raises:
        ConfigError: if there is no such number.
    """
    try:
        return MEASURES[about["what"]](run, view, about)
    except (KeyError, IndexError) as error:
        raise ConfigError(f"the lesson asks for what is not there: {shortened(dict(about))}") from error


def _index(about: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(about.get("index", ()))


def _unit(run: Run, view: View, about: Mapping[str, Any]) -> float:
    return row_trace(run, view.row).unit(about.get("layer", ""), about.get("unit", 0)).value


def _z(run: Run, view: View, about: Mapping[str, Any]) -> float:
    layers = {layer.name: layer for layer in row_trace(run, view.row).layers}
    return float(layers[about.get("layer", "")].z.reshape(-1)[about.get("unit", 0)])


def _training_unit(run: Run, view: View, about: Mapping[str, Any]) -> float:
    """The unit in the next training step, if the row were the first of its batch."""
    x, y = run.data.encoded[view.row : view.row + 1], run.data.truth(view.row)
    trace = run.network.trace(x, y, loss=run.loss, training=True)
    return trace.unit(about.get("layer", ""), about.get("unit", 0)).value


def _gradient(run: Run, view: View, about: Mapping[str, Any]) -> float:
    return _next_trace(run).gradient(about.get("parameter", ""), _index(about)).value


def _row_gradient(run: Run, view: View, about: Mapping[str, Any]) -> float:
    return row_trace(run, view.row).gradient(about.get("parameter", ""), _index(about)).value


def _change(run: Run, view: View, about: Mapping[str, Any]) -> float:
    trace, parameter = _next_trace(run), about.get("parameter", "")
    before = run.network.named_parameters()[parameter][_index(about)]
    return trace.update(parameter, _index(about)).value - float(before)


def _plain_step(run: Run, view: View, about: Mapping[str, Any]) -> float:
    rates: Any = run.stepper.plan.optimizer
    return -rates.learning_rate.learning_rate * _gradient(run, view, about)


def _loss(run: Run, view: View, about: Mapping[str, Any]) -> float:
    return row_trace(run, view.row).unit("loss").value


def _loss_change(run: Run, view: View, about: Mapping[str, Any]) -> float:
    """The change of the mean loss of all training rows, or all validation rows, over some updates."""
    prepared, stepper = run.data.prepared, run.stepper
    here, count = stepper.update, about.get("updates", 1)
    rows = prepared.validation if about["what"] == "validation_change" else (prepared.X, prepared.y)
    if rows is None:
        raise ConfigError("there are no validation rows")
    before = float(stepper.evaluate(*rows[:2])[0].mean())
    stepper.step(count)
    after = float(stepper.evaluate(*rows[:2])[0].mean())
    stepper.seek(here)
    return after - before


MEASURES = {
    "unit": _unit,
    "z": _z,
    "training_unit": _training_unit,
    "gradient": _gradient,
    "row_gradient": _row_gradient,
    "change": _change,
    "plain_step": _plain_step,
    "loss": _loss,
    "loss_change": _loss_change,
    "validation_change": _loss_change,
}
