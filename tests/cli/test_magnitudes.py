"""Numbers of any magnitude are printed so that they can be read: in a page, a table of answers and JSON."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from commands import run

Capture = pytest.CaptureFixture[str]

ROWS = 120
NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]\d+)?")


@pytest.fixture(params=[1e-8, 1.0, 1e12])
def scale(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """Return the size of the target, whose inputs are of the sizes 1e-8 and 1e12."""
    monkeypatch.chdir(tmp_path)
    chance, size = np.random.default_rng(0), float(request.param)
    small, large = chance.uniform(1e-8, 9e-8, ROWS), chance.uniform(1e12, 9e12, ROWS)
    y = size * (small / 5e-8 - large / 5e12)
    pl.DataFrame({"small": small, "large": large, "y": y}).write_csv("t.csv")
    return size


@pytest.fixture
def succeed(capsys: Capture) -> Callable[..., str]:
    def call(*words: str) -> str:
        code, out, error = run(capsys, *words)
        assert code == 0, error
        return out

    return call


def numbers(text: str) -> list[float]:
    return [float(found.replace(",", "")) for found in NUMBER.findall(text)]


def line_of(page: str, start: str) -> str:
    return next(line for line in page.splitlines() if line.strip().startswith(start))


def test_pages_and_json_have_the_same_numbers(scale: float, succeed: Callable[..., str]) -> None:
    words = ("train", "t.csv", "--target", "y", "--epochs", "20", "--hidden", "16", "--folds", "3")
    page = succeed(*words)
    model = gg.TableModel.load("t.safetensors")
    facts = json.loads(succeed("show", "t.safetensors", "--json"))
    assert model.report is not None
    for name in ("rmse", "mae"):
        metric = model.report.metrics[name]
        assert facts["test"]["metrics"][name] == metric
        assert 0.05 * scale < metric < scale
        shown = numbers(line_of(page, name.upper()))
        low, high = model.report.intervals[name]
        right = [metric, low, high, model.report.spread[name], model.report.linear[name]]
        assert shown[:5] == pytest.approx(right, rel=6e-4)
        assert shown[5] == pytest.approx(model.report.baseline[name], rel=6e-4)
    for name, typical in (("small", 5e-8), ("large", 5e12)):
        center, spread = numbers(line_of(page, name).split("number,")[1])
        assert typical / 2 < center < typical * 2
        assert typical / 4 < spread < typical
    errors = numbers(line_of(page, "errors:"))
    assert errors[0] == pytest.approx(model.report.error_quantiles["median"], rel=6e-4)


def test_answers_are_exact(scale: float, succeed: Callable[..., str]) -> None:
    succeed("train", "t.csv", "--target", "y", "--epochs", "60", "--hidden", "16", "--folds", "3")
    model = gg.TableModel.load("t.safetensors")
    right = model.predict("t.csv", interval=0.9)
    text = succeed("predict", "t.safetensors", "t.csv", "--interval", "0.9", "--keep", "y")
    answers = pl.read_csv(io.StringIO(text))
    for column in right.get_columns():  # text has the digits of a 32-bit number, a file of numbers all
        assert answers[column.name].to_list() == pytest.approx(column.to_list(), rel=0, abs=1e-6 * scale)
    succeed("predict", "t.safetensors", "t.csv", "--interval", "0.9", "--out", "answers.parquet")
    assert pl.read_parquet("answers.parquet").equals(right)
    error = (answers["y"] - answers["prediction"]).abs().mean()
    assert error < 0.3 * scale  # type: ignore[operator]
    page = succeed("explain", "t.safetensors", "t.csv", "--row", "5", "--features")
    predicted, truth = numbers(line_of(page, "y:"))
    assert predicted == pytest.approx(right["prediction"][5], rel=1e-5)
    assert truth == pytest.approx(answers["y"][5], rel=1e-5)
    parts = [numbers(line_of(page, name))[0] for name in ("large", "small", "total")]
    assert parts[0] + parts[1] == pytest.approx(parts[2], rel=1e-4, abs=1e-4 * scale)
    facts = json.loads(succeed("explain", "t.safetensors", "t.csv", "--row", "5", "--features", "--json"))
    assert facts["answer"]["prediction"] == right["prediction"][5]
    assert facts["features"]["small"] == pytest.approx(parts[1], rel=1e-4)
