"""Comparisons of learners: the same folds for all, other learners in their own form, and what is printed."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from commands import run
from ganglion.answers.comparison import Comparison
from ganglion.comparison import comparing
from ganglion.comparison.peers import PEERS

SKLEARN = ["histogram gradient boosting", "random forest", "linear"]


def table(rows: int = 240) -> pl.DataFrame:
    chance = np.random.default_rng(0)
    size, color = chance.normal(size=rows), chance.choice(["red", "blue", "green"], rows)
    return pl.DataFrame(
        {
            "size": [None if i % 17 == 3 else float(value) for i, value in enumerate(size)],
            "color": [None if i % 31 == 4 else str(value) for i, value in enumerate(color)],
            "day": pl.date_range(
                pl.date(2024, 1, 1), pl.date(2024, 1, 1) + pl.duration(days=rows - 1), eager=True
            ),
            "open": chance.random(rows) > 0.5,
            "price": 3 * size + 5 * (color == "red"),
            "grade": np.where(size + (color == "red") > 0.4, "high", "low"),
        }
    )


@pytest.mark.parametrize("target", ["price", "grade"])
def test_all_learners_find_what_is_there(target: str) -> None:
    found = gg.compare(table().drop({"price", "grade"} - {target}), target, ["ganglion fast", *SKLEARN])
    assert set(found.metrics) == {"ganglion fast", *SKLEARN}
    assert not found.failed
    for own in found.metrics.values():
        assert all(len(values) == 3 for values in own.values())
        assert min(own["r2" if target == "price" else "accuracy"]) > 0.5


def test_each_learner_gets_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[list[float]]] = {}

    def spy(name: str) -> Callable[[Any], Any]:
        def answer(lesson: Any) -> Any:
            seen.setdefault(name, []).append(lesson.plain[1][:, 0].tolist())
            return np.full((lesson.asked.height, 2), 0.5)

        return answer

    for name in SKLEARN[:2]:
        monkeypatch.setitem(PEERS, name, comparing.Peer("sklearn.base", "scikit-learn", spy(name)))
    gg.compare(table().select("day", "open", "grade"), "grade", SKLEARN[:2], folds=4)
    first, second = (seen[name] for name in SKLEARN[:2])
    assert first == second
    assert len(first) == 4


def test_copies_and_groups_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    splits: list[Any] = []
    monkeypatch.setattr(
        comparing.Contest,
        "trial",
        lambda self, name, split: splits.append(split) or comparing.Trial({"rmse": 1.0}, 0),
    )
    rows = table(60)
    twice = pl.concat([rows, rows]).with_columns(person=pl.Series([i % 60 // 3 for i in range(120)]))
    gg.compare(twice.drop("grade"), "price", ["linear"], group="person")
    for split in splits:
        people = twice["person"].to_numpy()
        assert not set(people[split.train]) & set(people[split.test])


def test_a_learner_that_fails_does_not_lose_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(lesson: Any) -> Any:
        raise ValueError("no thanks")

    monkeypatch.setitem(PEERS, "random forest", comparing.Peer("sklearn.base", "scikit-learn", fail))
    found = gg.compare(table().drop("price"), "grade", ["random forest", "linear"])
    assert found.failed == {"random forest": "no thanks"}
    assert list(found.metrics) == ["linear"]
    assert "failed: no thanks" in str(found)
    with pytest.raises(gg.DataError, match="no learner could learn the table: no thanks"):
        gg.compare(table().drop("price"), "grade", ["random forest"])


class Recorder:
    """Stands for a learner of a package that is not installed."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def fit(self, X: Any, y: Any, **settings: Any) -> None:
        Recorder.learned, Recorder.y, Recorder.given = X, y, self.settings | settings

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), len(np.unique(Recorder.y))), 1 / len(np.unique(Recorder.y)))

    learned: Any
    y: Any
    given: dict[str, Any]


@pytest.mark.parametrize(
    ("name", "package", "kind", "setting", "expected"),
    [
        ("LightGBM", "lightgbm", "LGBMClassifier", "categorical_feature", [1]),
        ("CatBoost", "catboost", "CatBoostClassifier", "cat_features", [1]),
        ("XGBoost", "xgboost", "XGBClassifier", "feature_types", ["float", "c", "float"]),
    ],
)
def test_trees_get_categories_and_gaps(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str, kind: str, setting: str, expected: Any
) -> None:
    module = ModuleType(package)
    setattr(module, kind, Recorder)
    module.__spec__ = sys.__spec__
    monkeypatch.setitem(sys.modules, package, module)
    found = gg.compare(table().select("size", "color", "open", "grade"), "grade", [name])
    assert found.metrics[name]["log_loss"] == pytest.approx([np.log(2)] * 3)
    assert Recorder.given[setting] == expected
    numbers = Recorder.learned[:, 0].astype(float)
    assert np.isnan(numbers).any()
    assert set(Recorder.y) == {0, 1}


def test_networks_of_pytabkit_get_categories_and_no_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("pytabkit")
    module.RealMLP_TD_Classifier = Recorder  # type: ignore[attr-defined]
    module.__spec__ = sys.__spec__
    monkeypatch.setitem(sys.modules, "pytabkit", module)
    gg.compare(table().select("size", "color", "open", "grade"), "grade", ["RealMLP-TD"])
    assert Recorder.given["cat_col_names"] == ["1"]
    assert not Recorder.learned.isna().any().any()
    assert set(Recorder.learned["1"]) <= {"0.0", "1.0", "2.0", "nan"}
    assert "RealMLP-TD" not in gg.compare(table().drop("price"), "grade", folds=2).metrics


def comparison() -> Comparison:
    metrics = {"a": {"rmse": [1.0, 2.0], "r2": [0.5, 0.25]}, "b": {"rmse": [0.9, 2.5], "r2": [0.6, 0.125]}}
    return Comparison("price", 20, metrics, {"a": [0.5, 1.0], "b": [3, 5]}, ["xgboost"])


def test_what_is_printed() -> None:
    text = str(comparison())
    assert re.search(r"^a +1.5 ± 0.71 +0.375 ± 0.18 +0.75$", text, re.MULTILINE)
    assert text.index("\na ") < text.index("\nb ")
    assert "a has the lowest RMSE; it is ahead of b in 1 of 2 folds, which may be chance" in text
    assert text.endswith("not installed: xgboost (pip install xgboost)")
    assert json.loads(json.dumps(comparison().to_facts()))["ranking"] == ["a", "b"]


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table().drop("price").write_csv("t.csv")
    words = ("compare", "t.csv", "--target", "grade", "--learner")
    code, out, error = run(capsys, *words, "ganglion fast,linear", "--picture", "c.svg")
    assert (code, error) == (0, "")
    assert "log loss" in out
    assert "picture written to c.svg" in out
    assert "<svg" in Path("c.svg").read_text()
    facts = json.loads(run(capsys, *words, "linear", "--json")[1])
    assert facts["ranking"] == ["linear"]
    assert facts["rows"] == 240
    assert run(capsys, *words, "linear", "--picture", "c.txt")[0] == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learners": ["forest"]}, "there is no learner 'forest'"),
        ({"learners": []}, "learners must be names of learners, got none"),
        ({"folds": 1}, "folds must be"),
        ({"drop": ["grade"]}, "the target 'grade' must not be dropped"),
        ({"group": "grade"}, "the target 'grade' must not be the group"),
        ({"drop": ["nothing"]}, "the table has no column 'nothing'"),
    ],
)
def test_errors(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((gg.ConfigError, gg.DataError), match=re.escape(message)):
        gg.compare(table(), "grade", **settings)


def test_a_learner_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "XGBoost", comparing.Peer("no_such_package", "xgboost", lambda lesson: None))  # type: ignore[arg-type,return-value]
    with pytest.raises(gg.ConfigError, match="pip install xgboost"):
        gg.compare(table(), "grade", ["XGBoost"])
