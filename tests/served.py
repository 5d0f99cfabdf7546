"""Small models of every kind of column, behind HTTP, within the test's own process."""

from __future__ import annotations

import datetime
import json
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from starlette.testclient import TestClient

import ganglion as gg
from ganglion.serving import Limits, make_app

ROWS = 120
START = datetime.date(2021, 1, 1)
JSON = {"Content-Type": "application/json"}
CSV = {"Content-Type": "text/csv"}
STREAM = {"Content-Type": "application/vnd.apache.arrow.stream"}
FILE = {"Content-Type": "application/vnd.apache.arrow.file"}
MODELS = ("size", "mass", "both")
TARGETS = ["size", "mass"]


def table() -> pl.DataFrame:
    """Return a table with numbers, categories, truth values, dates and gaps."""
    chance = np.random.default_rng(0)
    length = chance.normal(10, 3, ROWS)
    days = [START + datetime.timedelta(days=int(n)) for n in chance.integers(0, 900, ROWS)]
    columns = {
        "length": length,
        "count": chance.integers(0, 9, ROWS),
        "color": chance.choice(["red", "it's green", "blue"], ROWS),
        "grade": chance.choice([1.0, 2.5, 3.0], ROWS),
        "old": chance.random(ROWS) < 0.5,
        "day": days,
        "size": np.where(length > 10, "large", "small"),
        "mass": length * 2.0,
    }
    gaps = pl.when(pl.col("count") > 7).then(None).otherwise(pl.col("length")).alias("length")
    return pl.DataFrame(columns).with_columns(gaps)


def inputs() -> pl.DataFrame:
    """Return the table without the targets."""
    return table().drop(TARGETS)


@lru_cache
def model(name: str = "size") -> Any:
    """Return a model of classes ("size"), of a number ("mass"), or of both."""
    target = {"size": "size", "mass": "mass", "both": TARGETS}[name]
    others = [] if name == "both" else [each for each in TARGETS if each != name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GanglionNotice)
        folds = None if name == "both" else 2
        return gg.TableModel.train(
            table(), target, hidden=4, epochs=2, categories=["grade"], drop=others, folds=folds
        )


def client(name: str = "size", limits: Limits | None = None, **settings: Any) -> TestClient:
    """Return a client of the application of a model."""
    return TestClient(make_app(model(name), limits, **settings), base_url="http://127.0.0.1:8000")


def records(frame: pl.DataFrame | None = None) -> list[dict[str, Any]]:
    """Return rows as JSON has them."""
    rows = (inputs() if frame is None else frame).to_dicts()
    return [row | {"day": None if row["day"] is None else row["day"].isoformat()} for row in rows]


def refused(answer: Any, status: int, *words: str) -> None:
    """Check that a request was refused with one line that says why."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.text.count("\n") == 1
    facts = json.loads(answer.text)
    assert facts.keys() == {"error", "hint"}
    for word in words:
        assert word in facts["error"], facts
