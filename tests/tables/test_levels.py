import json
import multiprocessing
import os
import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from ganglion.core.part import Array
from ganglion.tables.columns.base import ROWS_FOR_LISTS, Column
from ganglion.tables.columns.level import LevelColumn
from ganglion.tables.encode import Encoder

RANDOM = np.random.default_rng(0)


def train(table: pl.DataFrame, **settings: Any) -> gg.TableModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GanglionNotice)
        return gg.TableModel.train(table, **settings)


def test_statistics_are_means_shrunk_by_the_ratio_of_variances() -> None:
    values = pl.Series("c", ["a", "a", "a", "a", "b", "b", "b", "b"])
    goal = np.array([1.0, 3, 1, 3, 5, 7, 5, 7])
    column = LevelColumn.fit(values, {"mean": goal})
    # Within levels the variance is 8 / 6. The means are 2 and 6, so that between them it is 8 - (8 / 6) / 4.
    smoothing = (8 / 6) / (8 - 8 / 6 / 4)
    assert column.smoothing == (pytest.approx(smoothing),)
    low = (8 + smoothing * 4) / (4 + smoothing)
    assert column.statistics == (pytest.approx(low, abs=1e-6), pytest.approx(8 - low, abs=1e-6))
    assert column.encode(values)[0].ravel().tolist() == pytest.approx([-1] * 4 + [1] * 4, abs=1e-5)


def test_unseen_levels_are_the_mean_of_all_and_are_noted() -> None:
    values = pl.Series("c", [f"c{i % 200}" for i in range(2000)] + [None] * 5)
    column = LevelColumn.fit(values, {"mean": np.r_[np.arange(2000) % 200, np.zeros(5)].astype(float)})
    x, notes = column.encode(pl.Series("c", ["new", "c1"]))
    assert x[0] == 0
    assert str(notes[0]) == (
        "column 'c': 1 value of an unknown category, treated as the mean of all rows: 'new'"
    )
    for word in ("new", "c1", None):
        same = column.encode(pl.Series("c", [word], dtype=pl.String))
        encoded, note = column.encode_value(word)
        assert list(encoded) == same[0][0].tolist()
        assert ([] if note is None else [str(note)]) == list(map(str, same[1]))
    assert Column.find(json.loads(json.dumps(column.configuration()))) == column


def test_no_training_row_is_described_by_its_own_target() -> None:
    table = pl.DataFrame({"c": [f"c{i}" for i in range(300)] * 4})
    goal: Array = RANDOM.normal(size=1200)
    encoder = Encoder.fit(table, goals={"mean": goal})
    assert isinstance(encoder.columns[0], LevelColumn)
    x, _ = encoder.encode_learned(table, {"mean": goal})
    changed = goal.copy()
    changed[7] += 100
    other, _ = encoder.encode_learned(table, {"mean": changed})
    assert other[7] == x[7]
    assert (other != x).any()


def test_many_rows_have_the_bits_and_notes_of_few() -> None:
    words = pl.Series("c", ["A", "b ", "c", "new", None])
    column = LevelColumn.fit(
        pl.Series("c", ["a", "a", "b", "c", "c", None]), {"mean": np.arange(6.0)}, fold_case=True
    )
    few, notes = column.encode(words)
    many, more_notes = column.encode(pl.concat([words] * ROWS_FOR_LISTS))
    assert (many == np.tile(few, (ROWS_FOR_LISTS, 1))).all()
    assert str(notes[0]).replace(
        "1 value of an unknown category", "20000 values of unknown categories"
    ) == str(more_notes[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    "values", [[3.0, 7.0, 5000.0, None], ["3", "7", "5000", None]], ids=["numbers", "words"]
)
def test_levels_are_encoded_after_a_fork(values: list[Any]) -> None:
    codes = pl.Series("c", [i % 200 for i in range(1000)])
    column = LevelColumn.fit(codes, {"mean": np.arange(1000.0) % 200})
    series = pl.Series("c", values)
    expected = column.encode(series)[0].tolist()
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # polars and Python 3.12 advise against forking
        child = context.Process(target=lambda: sender.send(column.encode(series)[0].tolist()))
        child.start()
    answered = receiver.poll(60)
    if not answered:
        child.kill()
    child.join()
    assert answered, "the forked process hangs"
    assert receiver.recv() == expected


def test_ten_thousand_categories_are_all_learned() -> None:
    effects, codes = RANDOM.normal(size=10_000), RANDOM.integers(0, 10_000, 50_000)
    noise = 0.14 * RANDOM.normal(size=50_000)  # the means by category explain 0.98
    table = pl.DataFrame({"c": [f"L{code}" for code in codes], "y": effects[codes] + noise})
    model = train(table, target="y")
    assert model.report is not None
    assert model.report.metrics["r2"] > 0.9
    assert len(model.encoder.columns[0].levels) > 9_700  # type: ignore[attr-defined]
    words = pl.Series("y", np.where(table["y"] > 0, "high", "low"))
    model = train(table.with_columns(words), target="y", epochs=5)
    assert model.report is not None
    assert model.report.metrics["accuracy"] > 0.9


def test_random_labels_are_not_learned_from_ten_thousand_categories() -> None:
    codes = RANDOM.integers(0, 10_000, 30_000)
    labels = RANDOM.choice(["a", "b"], 30_000)
    model = train(pl.DataFrame({"c": [f"L{code}" for code in codes], "y": labels}), target="y", epochs=10)
    assert model.report is not None
    assert model.report.metrics["accuracy"] == pytest.approx(0.5, abs=0.03)
    assert model.report.metrics["log_loss"] == pytest.approx(np.log(2), abs=0.01)


@pytest.mark.parametrize(
    "change",
    [
        {"levels": ["a", "a"]},
        {"levels": ["a"]},
        {"levels": [1, 2]},
        {"statistics": [0.0]},
        {"statistics": [0.0, "1"]},
        {"scale": [0.0]},
        {"smoothing": [-1.0]},
        {"goals": []},
        {"fold_case": "yes"},
        {"levels": ["a", "A"], "fold_case": True},
    ],
)
def test_forged_columns_are_refused(change: dict[str, Any]) -> None:
    column = LevelColumn.fit(pl.Series("c", ["a", "b"] * 5), {"mean": np.arange(10.0)})
    with pytest.raises(gg.ConfigError):
        Column.find(column.configuration() | change)
