import datetime
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import ganglion as gg
from ganglion.tables.reading import read_table

FRAME = pl.DataFrame(
    {"a": [1, 2, None], "b": ["x", None, "z"], "c": [0.5, 1.5, 2.5], "d": [True, False, True]}
)


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "jsonl", "arrow"])
def test_every_format_gives_the_same_table(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"table.{ending}"
    {
        "csv": lambda: FRAME.write_csv(path),
        "tsv": lambda: FRAME.write_csv(path, separator="\t"),
        "parquet": lambda: FRAME.write_parquet(path),
        "jsonl": lambda: FRAME.write_ndjson(path),
        "arrow": lambda: FRAME.write_ipc(path),
    }[ending]()
    assert read_table(path).equals(FRAME)
    assert read_table(str(path)).equals(FRAME)


def test_arrow_streams_and_compressed_csv(tmp_path: Path) -> None:
    FRAME.write_ipc_stream(tmp_path / "stream.arrow")
    assert read_table(tmp_path / "stream.arrow").equals(FRAME)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(FRAME.write_csv().encode()))
    assert read_table(tmp_path / "t.csv.gz").equals(FRAME)


def test_frames_and_arrays() -> None:
    assert read_table(FRAME) is not None
    assert read_table(FRAME.lazy()).equals(FRAME)
    assert read_table({"a": [1, 2]}).columns == ["a"]
    assert read_table(np.arange(6.0).reshape(3, 2)).columns == ["x1", "x2"]
    frame = pd.DataFrame(
        {
            "n": [1.0, np.nan],
            "w": ["x", None],
            "t": pd.to_datetime(["2020-01-01", "2020-01-02"]),
            "k": pd.Categorical(["u", "v"]),
            "b": [True, False],
        }
    )
    read = read_table(frame)
    assert read["n"].to_list() == [1.0, None]
    assert read["w"].to_list() == ["x", None]
    assert read["k"].to_list() == ["u", "v"]
    assert read["t"].dtype == pl.Datetime
    assert read["b"].dtype == pl.Boolean


def written(tmp_path: Path, data: bytes | str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_csv_files_from_practice(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeff a ,b;c,when\r\n1,NA,2020-01-02\r\n?,x,2020-02-03\r\n")
    with pytest.warns(gg.GanglionNotice, match="'NA' in b;c 1 times"):
        table = read_table(path)
    assert table.columns == ["a", "b;c", "when"]
    assert table["a"].to_list() == [1, None]
    assert table["b;c"].to_list() == [None, "x"]
    assert table["when"].to_list() == [datetime.date(2020, 1, 2), datetime.date(2020, 2, 3)]
    assert read_table(written(tmp_path, "a;b\n1;2\n")).columns == ["a", "b"]
    assert read_table(written(tmp_path, '"a,b",c\n1,2\n')).columns == ["a,b", "c"]
    late = "a\n" + "1\n" * 20_000 + "word\n"
    assert read_table(written(tmp_path, late))["a"].dtype == pl.String
    only_dates = read_table(written(tmp_path, "a,b\n2020-01-02 10:00,x\n2020-13-45 10:00,y\n"))
    assert only_dates["a"].dtype == pl.String  # one value is not a date


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"", "t.csv", "is empty, 0 bytes"),
        ("a,b,a\n1,2,3\n", "t.csv", "column names must be distinct, got 'a' 2 times"),
        ("a,b\n1,2\n1,2,3\n", "t.csv", "must have 2 cells, line 3 has 3"),
        (b"%PDF-1.4 ...", "t.csv", "is a PDF document"),
        (b"noise", "t.parquet", "cannot be read as parquet"),
        (b"noise", "t.arrow", "cannot be read as arrow"),
        (b"noise", "t.jsonl", "cannot be read as jsonl"),
        (b"noise", "t.csv.gz", "cannot"),
        (
            gzip.compress(b"a,b\n1,2\n", mtime=0)[:11] + b"x" * 40,
            "t.csv.gz",
            "cannot read|cannot be read",
        ),
        ('"a\nb","a\nb"\n1,2\n', "t.csv", "names must be distinct"),
        ("d,e\n0000-01-01,1\n2020-01-01,2\n", "t.csv", "years 1 to 9999, row 0 does not"),
        (b"x", "t.sav", "is a file of SPSS"),
        (b"x", "t.doc", "the extension of t.doc is not that of a table"),
        (b"x", "t", "the extension of t is not"),
    ],
)
def test_files_that_are_not_tables_are_refused(tmp_path: Path, data: Any, name: str, message: str) -> None:
    with pytest.raises(gg.GanglionError, match=message):
        read_table(written(tmp_path, data, name))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.csv", "there is no file missing.csv"),
        (np.zeros(3), "two axes"),
        (3, "must be a path, a frame"),
        ("nul\0byte.csv", "not a path|no file"),
        ("x" * 3000 + ".csv", "not a path|too long|no file"),
        ({"a": [1, 2], "y": [1]}, "cannot be read as a table"),
        (pl.LazyFrame({"a": [1]}).select("b"), "cannot be read as a table"),
        (pl.DataFrame({"d": pl.Series([2**31 - 5], dtype=pl.Int32).cast(pl.Date)}), "years 1 to 9999"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "names must be distinct"),
    ],
)
def test_sources_that_are_not_tables_are_refused(source: Any, message: str) -> None:
    with pytest.raises(gg.GanglionError, match=message):
        read_table(source)


def test_an_array_of_objects_holds_numbers_and_words() -> None:
    array = np.array([[1.5, "a", None], [2, "b", "x"], [None, "a", 3]], dtype=object)
    table = read_table(array)
    assert table.to_dict(as_series=False) == {
        "x1": [1.5, 2.0, None],
        "x2": ["a", "b", "a"],
        "x3": [None, "x", "3"],
    }
    assert table.dtypes == [pl.Float64, pl.String, pl.String]


def test_a_series_is_no_table() -> None:
    with pytest.raises(gg.DataError, match=r"got Series \(one row is a list of one dict"):
        read_table(pl.Series([1, 2]))
