"""Lessons: every answer is that of the trace, hints fit mistakes, and a file that is no lesson is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from ganglion.studio.lesson import FOLDER, HINTS, MEASURES, Lesson, measure
from ganglion.studio.session import Studio

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
pytestmark = pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")


@pytest.fixture(params=NAMES)
def studio(request: pytest.FixtureRequest) -> Iterator[Studio]:
    session = Studio(lesson=Lesson.shipped(request.param))
    yield session
    session.close()


def test_five_lessons_for_chapters_3_to_7() -> None:
    assert [Lesson.shipped(name).facts["chapter"] for name in NAMES] == [3, 4, 5, 6, 7]


def test_a_lesson_from_beginning_to_end(studio: Studio) -> None:
    count = len(studio.lesson.questions)
    for place in range(count):
        state = studio.state()["lesson"]
        assert (state["place"], state["count"]) == (place, count)
        asked = studio.lesson.question
        assert "right" not in state["question"]
        before = studio.run().stepper.update
        if asked["kind"] == "choice":
            right, wrong = asked["right"], (asked["right"] + 1) % len(asked["choices"])
        else:
            value = measure(studio.run(), studio.view, asked["about"])
            assert abs(value) > 1e-3  # clear enough to be told
            right, wrong = (
                (1 if value > 0 else -1, -1 if value > 0 else 1)
                if asked["kind"] == "sign"
                else (value * 1.04, value * 3)
            )
        judged = studio.do({"do": "answer", "answer": wrong})["judged"]
        assert not judged["right"]
        assert judged["hint"]
        judged = studio.do({"do": "answer", "answer": right})["judged"]
        assert judged["right"]
        assert not studio.state()["lesson"]["judged"]["right"]  # the first answer counts
        assert not judged["hint"]
        assert judged["after"]
        assert studio.run().stepper.update == before
        studio.do({"do": "next"})
    assert studio.state()["lesson"]["question"] is None
    assert studio.state()["lesson"]["right"] == 0
    with pytest.raises(gg.ConfigError, match="the lesson is over"):
        studio.do({"do": "answer", "answer": 1})


def test_a_question_is_judged_where_it_is_asked(studio: Studio) -> None:
    asked = studio.lesson.question
    value = measure(studio.run(), studio.view, asked["about"])
    studio.do({"do": "step", "count": 3})
    studio.do({"do": "edit", "parameter": "dense_1/bias", "index": [0], "value": 2.0})
    answer = value if asked["kind"] == "number" else 1 if value > 0 else -1
    assert studio.do({"do": "answer", "answer": answer})["judged"]["truth"] == value
    assert studio.do({"do": "leave"})["lesson"] is None


def test_what_is_known_does_not_hold_the_answer(studio: Studio) -> None:
    for _ in studio.lesson.questions:
        asked = studio.lesson.question
        known = studio.state()["lesson"]["question"]["known"]
        if asked["kind"] == "number":
            value = measure(studio.run(), studio.view, asked["about"])
            assert known
            if asked["about"].get("layer") != "dropout_1":  # which gives what comes in
                assert not [number for row in known for number in row if number == value]
        studio.do({"do": "next"})


def at(name: str, place: int) -> Studio:
    session = Studio(lesson=Lesson.shipped(name))
    for _ in range(place):
        session.do({"do": "next"})
    return session


def hint(session: Studio, answer: float) -> str:
    found: str = session.do({"do": "answer", "answer": answer})["judged"]["hint"]
    session.close()
    return found


def value(session: Studio, what: str) -> float:
    return measure(session.run(), session.view, {**session.lesson.question["about"], "what": what})


def test_hints_fit_the_mistake() -> None:
    session = at("3-training", 1)
    assert hint(session, value(session, "gradient")) == HINTS["gradient"]
    session = at("3-training", 1)
    assert hint(session, -value(session, "change")) == HINTS["direction"]
    session = at("2-backward", 1)
    assert hint(session, value(session, "row_gradient")) == HINTS["row"]
    session = at("3-training", 4)
    assert hint(session, -1) == HINTS["loss"]
    session = at("4-optimizers", 0)
    assert hint(session, value(session, "plain_step")) == HINTS["adam"]
    session = at("5-overfitting", 0)
    assert hint(session, value(session, "training_unit")) == HINTS["dropout"]
    session = at("1-forward", 0)
    assert hint(session, 1) == HINTS["sign"]


def test_every_learner_sees_the_same_numbers() -> None:
    seen = []
    for _ in range(2):
        session = at("5-overfitting", 2)
        seen.append(session.run().network.parameters.tobytes())
        session.close()
    assert seen[0] == seen[1]


@pytest.mark.parametrize("answer", [None, "up", True, [], float("nan"), float("inf"), 10**400])
def test_what_is_no_answer(answer: Any) -> None:
    session = at("1-forward", 0)
    with pytest.raises(gg.ConfigError, match="must be a number"):
        session.do({"do": "answer", "answer": answer})
    session.close()


def test_a_lesson_of_ones_own(tmp_path: Path) -> None:
    facts = json.loads((FOLDER / "1-forward.json").read_bytes())
    facts["title"] = "Mine"
    facts["table"] = {"example": "xor"}
    facts["target"] = "answer"
    session = Studio()
    state = session.upload(json.dumps(facts).encode(), "json", "mine.json")
    assert state["lesson"]["title"] == "Mine"
    assert state["data"]["name"] == "xor.csv"
    state = session.do({"do": "example", "name": "iris"})
    assert state["lesson"] is None
    session.close()


@pytest.mark.parametrize(
    "selected",
    [
        {},
        {"layer": "dense_1", "unit": 2},
        {"layer": "dense_1", "parameter": "dense_1/weight", "index": [0, 1]},
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_a_lesson_is_made_of_a_run(selected: dict[str, Any], own: bool, tmp_path: Path) -> None:
    table = "age,city,paid\n" + "".join(
        f"{20 + i * 7 % 41},{'Rome' if i % 3 else 'Ōsaka'},{'yes' if i % 5 > 1 else ''}{'' if i % 5 > 1 else 'no'}\n"
        for i in range(90)
    )
    session = Studio()
    if own:
        session.upload(table.encode(), "csv", "own.csv")
    else:
        session.do({"do": "example", "name": "iris"})
    session.do({"do": "step", "count": 7})
    session.do({"do": "view", "row": 11})
    name, contents = session.export({"format": "lesson", **selected})
    assert name == "run_1.json"
    lesson = Lesson.read(contents)
    about = lesson.questions[0]["about"]
    other = Studio(lesson=lesson)
    assert other.run().network.parameters.tobytes() == session.run().network.parameters.tobytes()
    wanted = measure(session.run(), session.view, about)
    assert measure(other.run(), other.view, about) == wanted
    judged = other.do({"do": "answer", "answer": 1 if wanted > 0 else -1 if wanted < 0 else 0})["judged"]
    assert judged["right"]
    session.do({"do": "edit", "parameter": "dense_1/bias", "index": [0], "value": 1.0})
    with pytest.raises(gg.ConfigError, match="begins with a new network"):
        session.export({"format": "lesson"})
    session.close()
    other.close()


HOSTILE = [
    None,
    True,
    -1,
    10**30,
    1e308,
    "",
    "x" * 999,
    [],
    {},
    [[1]],
    {"what": "unit"},
    {"name": "dense"},
    {"example": "../x"},
    {"columns": {"a": [1, "b"]}},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = (
        value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    )
    return [found for key, inner in items for found in [(*path, key), *places(inner, (*path, key))]]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_forged_lesson_is_refused_or_harmless(data: st.DataObject) -> None:
    facts = json.loads((FOLDER / f"{data.draw(st.sampled_from(NAMES))}.json").read_bytes())
    facts = copy.deepcopy(facts)
    path = data.draw(st.sampled_from(places(facts)))
    holder = facts
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = data.draw(st.sampled_from(HOSTILE))
    session = Studio()
    try:
        session.upload(json.dumps(facts).encode(), "json", "forged.json")
        while session.lesson is not None and session.lesson.question is not None:
            session.do({"do": "answer", "answer": 1})
            session.do({"do": "next"})
    except gg.GanglionError:
        pass
    finally:
        session.close()


@pytest.mark.parametrize(
    "change",
    [
        {"chapter": [[1]]},
        {"row": 5000},
        {"questions": [{"words": "", "kind": "choice", "choices": ["a", "b"], "at": 10**12}]},
    ],
)
def test_lessons_that_ask_too_much(change: dict[str, Any]) -> None:
    facts = {**json.loads((FOLDER / "1-forward.json").read_bytes()), **change}
    session = Studio()
    with pytest.raises(gg.GanglionError):
        session.upload(json.dumps(facts).encode(), "json", "forged.json")
    assert session.state()["lesson"] is None
    session.close()


@given(st.binary(max_size=200))
def test_any_bytes_are_no_lesson(data: bytes) -> None:
    with pytest.raises(gg.FileError):
        Lesson.read(data)


def test_measures_are_named() -> None:
    assert {"unit", "z", "gradient", "change", "loss", "loss_change"} <= set(MEASURES)
