"""Tables that are written differently than the model's own: options in Python and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from commands import run

pytestmark = pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
OTHER = gg.ReadOptions(decimal=",", missing=["-999"], dates="month-first", encoding="cp1252")
FLAGS = ("--decimal", ",", "--missing", "-999", "--date-format", "month-first", "--encoding", "cp1252")


def table(rows: int = 80) -> pl.DataFrame:
    chance = np.random.default_rng(0)
    x = chance.normal(size=rows).round(2)
    return pl.DataFrame(
        {
            "x": x,
            "day": pl.Series(np.datetime64("2020-01-13") + np.arange(rows)),
            "name": chance.choice(["Zoë", "René"], rows),
            "big": np.where(x > 0, "yes", "no"),
            "y": (3 * x + 10).round(2),
        }
    )


def write(path: Path, form: str, comma: bool, encoding: str, gap: str) -> Path:
    """Write the table with its dates in a form, with a decimal comma or point, and a gap in row 0."""
    shown = table().with_columns(
        pl.col("day").dt.strftime(form),
        *(
            pl.col(name).cast(pl.String).str.replace(".", "," if comma else ".", literal=True)
            for name in "xy"
        ),
    )
    shown = shown.with_columns(x=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(gap)).otherwise("x"))
    path.write_bytes(shown.write_csv(separator=";").encode(encoding))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the table as the model's own, and as written elsewhere."""
    folder = tmp_path_factory.mktemp("tables")
    own = write(folder / "own.csv", "%d/%m/%Y", False, "utf-8", "")
    return own, write(folder / "other.csv", "%m/%d/%Y", True, "cp1252", "-999")


@pytest.mark.parametrize("target", ["big", "y", ["big", "y"]])
def test_a_table_written_otherwise_has_the_same_answers(
    files: tuple[Path, Path], target: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, other = files
    drop = [name for name in ("big", "y") if name not in target]
    model = gg.TableModel.train(own, target, hidden=(4,), epochs=3, drop=drop)
    expected, report = model.predict(own), model.evaluate(own)
    assert model.predict(other, read=OTHER).equals(expected)
    assert model.evaluate(other, read=OTHER) == report
    assert model.predict(model.read(other, OTHER)).equals(expected)
    with pytest.raises(gg.DataError):
        model.predict(other)
    saved = tmp_path / "m.safetensors"
    model.save(saved)
    said = [run(capsys, "predict", str(saved), str(path), *flags)[1] for path, flags in _both(files)]
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == 81
    found = [
        json.loads(run(capsys, "evaluate", str(saved), str(path), "--json", *flags)[1])
        for path, flags in _both(files)
    ]
    assert found[0] == found[1]


def _both(files: tuple[Path, Path]) -> list[tuple[Path, tuple[str, ...]]]:
    return [(files[0], ()), (files[1], FLAGS)]


def test_one_row_of_text_is_read_by_the_options() -> None:
    model = gg.TableModel.train(table().select("x", "y"), "y", hidden=(4,), epochs=3)
    wanted = model.predict([{"x": 1.5}])
    assert model.predict(pl.DataFrame({"x": ["1.5"]})).equals(wanted)
    missing = model.predict([{"x": None}])
    assert model.predict([{"x": "-999"}], read=gg.ReadOptions(missing=["-999"])).equals(missing)


def test_a_class_called_na_is_a_class_in_every_table(tmp_path: Path) -> None:
    rows = table(60).select("x", region=pl.when(pl.col("x") > 0).then(pl.lit("NA")).otherwise(pl.lit("EU")))
    rows.write_csv(tmp_path / "rows.csv")
    for source in (rows, tmp_path / "rows.csv"):
        model = gg.TableModel.train(source, "region", hidden=(4,), epochs=3)
        for other in (rows, rows.to_dicts(), tmp_path / "rows.csv", rows.to_dict()):
            assert model.evaluate(other).rows == 60
