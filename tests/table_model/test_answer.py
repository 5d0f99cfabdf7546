"""`TableModel.answer` and small predictions: the same bits and notices as predictions of whole tables."""

import datetime
import multiprocessing
import os
import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg

ROWS = 120
START = datetime.date(2021, 1, 1)


def table() -> pl.DataFrame:
    chance = np.random.default_rng(0)
    length = chance.normal(10, 3, ROWS)
    return pl.DataFrame(
        {
            "length": length,
            "count": chance.integers(0, 9, ROWS),
            "color": chance.choice(["red", "green", "blue"], ROWS),
            "grade": chance.choice([1.0, 2.5, 3.0], ROWS),
            "old": chance.random(ROWS) < 0.5,
            "day": [START + datetime.timedelta(days=int(n)) for n in chance.integers(0, 900, ROWS)],
            "size": np.where(length > 10, "large", "small"),
            "mass": length * 2.0,
        }
    ).with_columns(pl.when(pl.col("count") > 7).then(None).otherwise(pl.col("length")).alias("length"))


@pytest.fixture(scope="module")
def models() -> dict[str, gg.TableModel]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GanglionNotice)
        return {
            target: gg.TableModel.train(
                table(), target, hidden=4, epochs=2, categories=["grade"], drop=[other]
            )
            for target, other in (("size", "mass"), ("mass", "size"))
        }


ODD = [
    {"length": None, "color": "violet", "grade": 9.5, "old": None, "day": None},
    {"length": 3, "count": 2.5, "old": 1, "day": datetime.datetime(2022, 2, 3, 4, 5)},
    {"size": "small", "mass": 1.0, "surplus": [1, 2]},
]


@pytest.mark.parametrize("target", ["size", "mass"])
def test_an_answer_has_the_bits_and_notices_of_a_table_of_one_row(
    models: dict[str, gg.TableModel], target: str
) -> None:
    model = models[target]
    rows = table().drop("size", "mass").to_dicts()
    whole = predictions(model, table().drop("size", "mass"))[0]
    for i, record in enumerate([*rows, *(rows[0] | odd for odd in ODD)]):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            answer = model.answer(record)
        plain = {name: value for name, value in record.items() if name != "surplus"}
        alone, notices = predictions(model, pl.DataFrame([plain, plain]))
        assert answer == as_answer(model, alone.row(0, named=True))
        if i < ROWS:
            assert answer == as_answer(model, whole.row(i, named=True))
        assert predictions(model, [record])[0].equals(alone[:1])
        assert predictions(model, pl.DataFrame([record]))[0].equals(alone[:1])
        names = [str(warning.message.name) for warning in caught]  # type: ignore[union-attr]
        assert names == [*notices, *(["unknown-columns"] if "surplus" in record else [])]


def predictions(model: gg.TableModel, rows: Any) -> tuple[pl.DataFrame, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = model.predict(rows)
    return found, [str(warning.message.name) for warning in caught]  # type: ignore[union-attr]


def as_answer(model: gg.TableModel, row: dict[str, Any]) -> dict[str, Any]:
    if model.target.task == "regression":
        return row
    probabilities = {name.removeprefix("probability_"): p for name, p in row.items() if name != "prediction"}
    return {"prediction": row["prediction"], "probabilities": probabilities}


def test_an_answer_is_refused_by_name(models: dict[str, gg.TableModel]) -> None:
    model, record = models["size"], table().drop("size", "mass").row(0, named=True)
    for wrong, message in (
        ([1, 2], "a record must be a dict"),
        ({name: value for name, value in record.items() if name != "color"}, "lacks 'color'"),
        (record | {"length": "long"}, "'length' must hold numbers, got 'long'"),
        (record | {"length": float("inf")}, "'length' must be finite"),
        (record | {"old": "perhaps"}, "'old' must be true or false, got 'perhaps'"),
        (record | {"day": 3}, "'day' must hold dates, got 3"),
        (record | {"color": ["red"]}, r"'color' must hold words or numbers, got \['red'\]"),
    ):
        with pytest.raises(gg.DataError, match=message):
            model.answer(wrong)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("error", gg.GanglionNotice)
        with pytest.raises(gg.GanglionNotice, match="unknown category"):
            model.answer(record | {"color": "violet"})


def test_a_list_of_records_is_a_table(models: dict[str, gg.TableModel]) -> None:
    model, rows = models["size"], table().drop("size", "mass")
    expected = predictions(model, rows)
    found = predictions(model, rows.to_dicts())
    assert found[0].equals(expected[0])
    assert found[1] == expected[1] == ["missing-values"]


def answers(model: gg.TableModel, rows: pl.DataFrame) -> Any:
    """Everything that must also work in a forked process, in a form that can be sent."""
    many = pl.DataFrame({name: rows.get_column(name).to_list() * 300 for name in rows.columns})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GanglionNotice)
        return (
            [model.answer(record) for record in rows.to_dicts()],
            model.predict(rows).rows(),
            model.predict(rows.to_dicts()).rows(),
            model.predict(rows[:1]).rows(),
            model.predict(many).rows()[-ROWS:],
            model.predict({name: rows.get_column(name).to_list() for name in rows.columns}).rows(),
            model.predict(pl.DataFrame({**rows.to_dict(), "length": [float("nan")] * ROWS})).rows(),
            model.predict(pl.DataFrame({**rows.to_dict(), "length": ["1.5"] * ROWS})).rows(),
        )


def send(model: gg.TableModel, rows: pl.DataFrame, to: Any) -> None:
    refusals = []
    for call in (
        lambda: model.predict("new.csv"),
        lambda: model.evaluate(rows),
        lambda: gg.TableModel.train(rows, "color"),
        lambda: model.trace(rows),
    ):
        try:
            call()
        except gg.DataError as error:
            refusals.append(str(error))
    to.send((answers(model, rows), refusals))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_predictions_after_a_fork(models: dict[str, gg.TableModel]) -> None:
    """The threads that trained in this process do not exist in the forked one."""
    model, rows = models["size"], table().drop("size", "mass")
    expected = answers(model, rows)
    pl.select(pl.int_range(1_000_000).shuffle(0)).sort("literal")  # the threads of polars have started
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # polars and Python 3.12 advise against forking
        child = context.Process(target=send, args=(model, rows, sender), daemon=True)
        child.start()
    assert receiver.poll(60), "the forked process hangs"
    found, refusals = receiver.recv()
    assert found == expected
    assert len(refusals) == 4
    for what, refusal in zip(
        ("reading a file", "an evaluation", "training", "a trace"), refusals, strict=True
    ):
        assert f"{what} needs the threads of polars, and this process was forked" in refusal
        assert "spawn" in refusal
    child.join(60)
    assert child.exitcode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_an_answer_after_a_plain_fork(models: dict[str, gg.TableModel]) -> None:
    model, record = models["mass"], table().drop("size", "mass").row(0, named=True)
    expected = model.answer(record)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if not child:
        os._exit(0 if model.answer(record) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
