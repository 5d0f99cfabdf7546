"""Networks that are trained in parallel, one for each fold, have the same bits with any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from ganglion.engines import native, thread_count
from ganglion.engines.native import NativeEngine

ENGINE = native()[0]
pytestmark = [
    pytest.mark.skipif(not isinstance(ENGINE, NativeEngine), reason="only the native engine uses threads"),
    pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice"),
]
ROWS = 150


@pytest.fixture
def module() -> Iterator[Any]:
    assert isinstance(ENGINE, NativeEngine)
    before = ENGINE.module.get_threads()
    yield ENGINE.module
    ENGINE.module.set_threads(before)


def table() -> pl.DataFrame:
    chance = np.random.default_rng(0)
    x = chance.normal(size=(ROWS, 3))
    return pl.DataFrame(
        {
            **{f"x{i}": x[:, i] for i in range(3)},
            "word": chance.choice(["u", "v", "w"], ROWS),
            "code": [f"k{number}" for number in chance.integers(0, 120, ROWS)],  # a level: made out of fold
            "person": [f"P{number}" for number in chance.integers(0, 40, ROWS)],
            "day": np.arange(ROWS) // 3,
            "kind": np.where(x[:, 0] + 0.3 * chance.normal(size=ROWS) > 0, "yes", "no"),
            "number": 3 * x[:, 0] + chance.normal(size=ROWS),
        }
    )


@pytest.mark.parametrize(
    ("target", "settings"),
    [
        ("kind", {"folds": 4, "optimize": "f1"}),
        ("number", {"folds": 3, "repeats": 2}),
        ("kind", {"folds": 3, "group": "person", "class_weight": "balanced"}),
        ("number", {"folds": 3, "order": "day", "dropout": 0.2}),
        ("kind", {"folds": 0}),
        (["kind", "number"], {"test": 0.2}),
    ],
    ids=["folds", "repeats", "groups", "order", "hold-out", "several targets"],
)
def test_the_number_of_threads_does_not_change_a_bit(
    module: Any, target: Any, settings: dict[str, Any]
) -> None:
    used = (*([target] if isinstance(target, str) else target), *settings.values())
    drop = [name for name in ("kind", "number", "day", "person") if name not in used]
    found = []
    for threads in (1, 2, 7):
        module.set_threads(threads)
        assert thread_count() == threads
        model = gg.TableModel.train(table(), target, epochs=3, hidden=(24, 8), drop=drop, **settings)
        heads = list(model.heads.values()) if isinstance(model, gg.JointTableModel) else [model]
        reports = [head.report.to_dict() for head in heads if head.report is not None]
        assert len(reports) == len(heads)
        facts = [reports, heads[0].history.loss, [head.calibration.to_dict() for head in heads]]
        found.append((model.network.model.parameters.tobytes(), model.predict(table()), repr(facts)))
    for other in found[1:]:
        assert other[0] == found[0][0]
        assert other[1].equals(found[0][1])
        assert other[2] == found[0][2]
