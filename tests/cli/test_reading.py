"""How files are written, on the command line: one table in many dialects, formats and encodings.

The oracle is the table in a plain CSV file: read right, every other file has the same bits of answers.
"""

from __future__ import annotations

import bz2
import datetime
import gzip
import io
import lzma
import shutil
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import polars as pl
import pytest

import ganglion as gg
from commands import run

Capture = pytest.CaptureFixture[str]

NAMES = ["n", "d", "w", "m", "t"]
QUICK = (
    "--target",
    "t",
    "--epochs",
    "1",
    "--hidden",
    "2",
    "--folds",
    "0",
    "--validation",
    "0",
    "--test",
    "0",
)


def rows() -> list[tuple[float, datetime.date, str, float | None, str]]:
    """Return numbers above 1,000, dates with days above 12, a word with an accent, and gaps."""
    made = []
    for i in range(40):
        number, day = (
            (i * 37 % 50) * 61.5 + 0.25,
            datetime.date(2020, 1, 1) + datetime.timedelta(i * 11 % 700),
        )
        gap = None if i % 7 == 3 else (i * 13 % 29) + 0.5
        made.append((number, day, ["red", "blé", "blue"][i % 3], gap, "yes" if number > 1500 else "no"))
    return made


def written(
    path: str,
    separator: str = ",",
    decimal: str = ".",
    thousands: str = "",
    header: bool = True,
    encoding: str = "utf-8",
    comment: str = "",
    missing: str = "",
    date: str = "%Y-%m-%d",
) -> str:
    """Write the table in a dialect."""

    def number(value: float) -> str:
        return f"{value:,.2f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)

    lines = [separator.join(NAMES)] if header else []
    for n, d, w, m, t in rows():
        cells = [number(n), d.strftime(date), w, missing if m is None else number(m), t]
        lines.append(separator.join(f'"{cell}"' if separator in cell else cell for cell in cells))
    if comment:
        lines.insert(0, f"{comment} made by hand")
        lines.insert(20, f"{comment} the second half")
    Path(path).write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


DIALECTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "colon": ({"separator": ":"}, ("--separator", ":")),
    "tab": ({"separator": "\t"}, ("--separator", "tab")),
    "blank": ({"separator": " ", "missing": "NA"}, ("--separator", " ")),
    "decimal comma": ({"separator": ";", "decimal": ","}, ("--decimal", ",")),
    "German": ({"separator": ";", "decimal": ",", "thousands": "."}, ("--decimal", ",", "--thousands", ".")),
    "German by thousands": ({"separator": ";", "decimal": ",", "thousands": "."}, ("--thousands", ".")),
    "German by decimal": ({"separator": ";", "decimal": ",", "thousands": "."}, ("--decimal", ",")),
    "Swiss": ({"separator": ";", "thousands": "'"}, ("--thousands", "'")),
    "French": ({"separator": ";", "decimal": ",", "thousands": " "}, ("--decimal", ",", "--thousands", " ")),
    "American": ({"thousands": ","}, ("--decimal", ".")),
    "encoding": ({"encoding": "cp437"}, ("--encoding", "cp437")),
    "encoding named in capitals": ({"encoding": "utf-8"}, ("--encoding", "UTF8")),
    "comment": ({"comment": "%"}, ("--comment", "%")),
    "comment of two signs": ({"comment": "//"}, ("--comment", "//")),
    "comment as usual": ({"comment": "#"}, ("--comment", "#")),
    "missing number": ({"missing": "-999"}, ("--missing", "-999")),
    "missing word": ({"missing": "k.A."}, ("--missing", "unknown,k.A.")),
    "day first": ({"date": "%d/%m/%Y"}, ("--date-format", "day-first")),
    "month first": ({"date": "%m/%d/%Y"}, ("--date-format", "d=month-first")),
    "format": ({"date": "%Y|%d|%m"}, ("--date-format", "d=%Y|%d|%m")),
    "compact": ({"date": "%Y%m%d"}, ("--date-format", "compact")),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the plain table and its model."""
    folder = tmp_path_factory.mktemp("plain")
    written(str(folder / "plain.csv"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GanglionNotice)
        model = gg.TableModel.train(
            folder / "plain.csv", "t", epochs=1, hidden=2, folds=0, validation=0.0, test=0.0
        )
    model.save(folder / "plain.safetensors")
    return folder


@pytest.fixture
def here(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Callable[..., str]:
    """Go to a new folder with the plain table and its model; return a function that runs a command."""
    monkeypatch.chdir(tmp_path)
    for path in plain.iterdir():
        shutil.copy(path, tmp_path)

    def succeed(*words: str) -> str:
        code, out, error = run(capsys, *words)
        assert code == 0, error
        return out

    return succeed


def answers(succeed: Callable[..., str], model: str, *words: str) -> list[str]:
    """Return what each command says of a table, but for the name of its file."""
    return [
        succeed("predict", model, *words, "--probabilities"),
        succeed("evaluate", model, *words, "--json"),
        succeed("explain", model, *words, "--row", "3", "--features", "--json"),
        succeed("check", model, *words, "--json"),
    ]


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_learned_kept_and_overridden(here: Callable[..., str], name: str) -> None:
    how, flags = DIALECTS[name]
    written("dialect.csv", **how)
    right = answers(here, "plain.safetensors", "plain.csv")
    here("train", "dialect.csv", *QUICK, *flags, "--out", "dialect.safetensors")
    for words in ((), flags):  # as it was read in training
        assert here("predict", "dialect.safetensors", "dialect.csv", "--probabilities", *words) == right[0]
    assert answers(here, "plain.safetensors", "dialect.csv", *flags) == right  # a flag overrides
    model = gg.TableModel.load("plain.safetensors")
    table = model.read("dialect.csv", gg.ReadOptions(**as_options(flags)))
    assert table.equals(model.read("plain.csv"))


def as_options(flags: tuple[str, ...]) -> dict[str, Any]:
    """Return flags as the settings of `ReadOptions`."""
    options: dict[str, Any] = {}
    for flag, value in zip(flags[::2], flags[1::2], strict=True):
        column, equals, form = value.partition("=")
        if flag == "--date-format":
            options["dates"] = {column: form} if equals else value
        else:
            options[flag.removeprefix("--")] = value.split(",") if flag == "--missing" else value
    return options


def test_a_table_without_names(here: Callable[..., str], capsys: Capture) -> None:
    written("bare.csv", header=False)
    right = answers(here, "plain.safetensors", "plain.csv")
    target = ("--target", "x5", *QUICK[2:])
    here("train", "bare.csv", *target, "--no-header", "--out", "bare.safetensors")
    for words in (("bare.csv",), ("bare.csv", "--no-header")):
        assert here("predict", "bare.safetensors", *words, "--probabilities") == right[0]
    code, _, error = run(capsys, "predict", "bare.safetensors", "bare.csv", "--header")
    assert code == 1
    assert "lacks 'x1'" in error
    # A header that could be values.
    Path("years.csv").write_text("2020,2021,2022\n" + "1,2,a\n3,5,b\n" * 20)
    here("train", "years.csv", "--target", "2022", *QUICK[2:], "--header")
    assert gg.TableModel.load("years.safetensors").encoder.features == ["2020", "2021"]
    here("train", "years.csv", "--target", "x3", *QUICK[2:], "--no-header")


HOSTILE = {
    "--separator": ["", ";;", "x" * 500, "\n", '"', "comma"],
    "--decimal": ["", "x", ";", "," * 500],
    "--thousands": ["x", "blank", "," * 500],
    "--encoding": ["", "utf-9", "x" * 500, "base64", "rot13", "a\0b"],
    "--comment": ["#" * 500, "\n", "a\nb"],
    "--date-format": ["x", "d=", "=x", "day-first,month-first", "d=day-first,unix", "x" * 500],
    "--header": ["--no-header"],
    "--header=maybe": [],
}


@pytest.mark.parametrize(
    "words", [(flag, value) for flag, values in HOSTILE.items() for value in values] + [("--header=maybe",)]
)
def test_a_hostile_option_is_refused_in_one_line(
    here: Callable[..., str], capsys: Capture, words: tuple[str, ...]
) -> None:
    for command in (("train", "plain.csv", *QUICK), ("predict", "plain.safetensors", "plain.csv")):
        code, out, error = run(capsys, *command, *words)
        assert (code, out) == (2, "")
        lines = error.splitlines()
        assert lines[0].startswith("ganglion: ")
        assert len(lines[0]) < 160
        assert len(lines) <= 2
        assert all(line.startswith("hint: ") for line in lines[1:])


def test_what_changes_nothing_is_allowed(here: Callable[..., str]) -> None:
    right = here("predict", "plain.safetensors", "plain.csv")
    for words in (("--thousands", ""), ("--comment", ""), ("--missing", ""), ("--missing", "x" * 500)):
        assert here("predict", "plain.safetensors", "plain.csv", *words) == right


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("when=day-first", "no column 'when' of dates"),
        ("d=%d/%m/%Y", "'d' must hold dates of the form %d/%m/%Y, got '2020-01-01' in row 0"),
        ("d=%Q", "'d' must hold dates of the form %Q"),
        ("w=unix", "'w' must hold dates of the form unix, got 'red' in row 0"),
    ],
)
def test_a_form_of_dates_that_does_not_fit_is_no_gap(
    here: Callable[..., str], capsys: Capture, form: str, message: str
) -> None:
    code, _, error = run(capsys, "train", "plain.csv", *QUICK, "--date-format", form)
    assert code == 1
    assert message in error


ARCHIVES = ["csv.gz", "csv.bz2", "csv.xz", "csv.zst", "zip", "csv.zip"]
ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]


def opendocument(frame: pl.DataFrame, path: str) -> None:
    """Write a sheet of OpenDocument."""

    def cell(value: Any) -> str:
        if value is None:
            return "<table:table-cell/>"
        kind, name = ("float", "value") if isinstance(value, float) else ("string", "string-value")
        if isinstance(value, datetime.date):
            kind, name = "date", "date-value"
        text = escape(str(value))
        return (
            f'<table:table-cell office:value-type="{kind}" office:{name}="{text}"><text:p>{text}</text:p>'
            "</table:table-cell>"
        )

    lines = [frame.columns, *frame.rows()]
    body = "".join(f"<table:table-row>{''.join(map(cell, line))}</table:table-row>" for line in lines)
    schema = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = " ".join(f'xmlns:{name}="{schema}:{name}:1.0"' for name in ("office", "table", "text"))
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest xmlns:manifest="{schema}:manifest:1.0"><manifest:file-entry '
            f'manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>',
        )
        archive.writestr(
            "content.xml",
            f"<office:document-content {spaces}><office:body><office:spreadsheet>"
            f'<table:table table:name="Sheet1">{body}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )


def make_source(kind: str) -> str:
    """Write the table in a format, and return the name of the file, pattern or folder."""
    plain, frame = Path("plain.csv").read_bytes(), pl.DataFrame(rows(), schema=NAMES, orient="row")
    path = Path(f"table.{kind}")
    if kind in ("csv.gz", "csv.bz2", "csv.xz"):
        path.write_bytes({"gz": gzip, "bz2": bz2, "xz": lzma}[kind[4:]].compress(plain))
    elif kind == "csv.zst":
        pl.read_csv(plain, infer_schema=False).lazy().sink_csv(path, compression="zstd")
    elif kind in ("zip", "csv.zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inside.csv", plain)
            archive.writestr("__MACOSX/._inside.csv", b"\0")
    elif kind == "xlsx":
        pytest.importorskip("xlsxwriter")
        pytest.importorskip("fastexcel")
        frame.write_excel(path)
    elif kind == "ods":
        pytest.importorskip("fastexcel")
        opendocument(frame, str(path))
    elif kind in ("folder", "pattern"):
        path = Path("parts")
        path.mkdir()
        for number in range(3):
            part = frame[number * 15 : number * 15 + 15]
            if kind == "folder":
                part.write_parquet(path / f"{number}.parquet")
            else:
                part.write_csv(path / f"{number}.csv")
        return "parts" if kind == "folder" else "parts/*.csv"
    else:
        return written(f"{kind}.csv", encoding=kind)
    return str(path)


@pytest.mark.parametrize(
    "kind",
    [*ARCHIVES, "xlsx", "ods", "folder", "pattern", *ENCODINGS],
)
def test_every_source_is_learned_and_answered(here: Callable[..., str], kind: str) -> None:
    right = here("predict", "plain.safetensors", "plain.csv", "--probabilities")
    source = make_source(kind)
    assert here("predict", "plain.safetensors", source, "--probabilities") == right
    here("train", source, *QUICK, "--out", "other.safetensors")
    for table in (source, "plain.csv"):
        assert here("predict", "other.safetensors", table, "--probabilities") == right
    model = gg.TableModel.load("other.safetensors")
    assert model.read(source).equals(model.read("plain.csv"))


def test_several_files(here: Callable[..., str]) -> None:
    make_source("pattern")
    here("train", "parts/0.csv", "parts/1.csv", "parts/2.csv", *QUICK, "--out", "other.safetensors")
    right = here("predict", "plain.safetensors", "plain.csv", "--probabilities")
    assert here("predict", "other.safetensors", "parts", "--probabilities") == right


@pytest.mark.parametrize("kind", ["utf-8", "utf-16-le", "utf-16", "cp1252", "csv.gz", "parquet"])
def test_standard_input(here: Callable[..., str], monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    right = here("predict", "plain.safetensors", "plain.csv", "--probabilities")
    if kind == "parquet":
        pl.DataFrame(rows(), schema=NAMES, orient="row").write_parquet("table.parquet")
    data = Path("table.parquet" if kind == "parquet" else make_source(kind)).read_bytes()

    def again() -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    again()
    assert here("predict", "plain.safetensors", "-", "--probabilities") == right
    again()
    here("train", "-", *QUICK)
    again()
    assert here("predict", "model.safetensors", "-", "--probabilities") == right


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst", "zip"])
def test_damaged_archives_are_refused_in_one_line(
    here: Callable[..., str], capsys: Capture, ending: str
) -> None:
    whole = Path(make_source(f"csv.{ending}")).read_bytes()
    for data in (b"", whole[:60], whole[:-30], b"\xff" * 40):
        Path(f"bad.csv.{ending}").write_bytes(data)
        code, out, error = run(capsys, "predict", "plain.safetensors", f"bad.csv.{ending}")
        assert (code, out) == (1, "")
        assert f"bad.csv.{ending}" in error
        assert "unexpected" not in error
        assert len(error.splitlines()) <= 2


def test_an_archive_of_many_files_or_locked_is_refused(here: Callable[..., str], capsys: Capture) -> None:
    for names, message in (
        (["a.csv", "b.csv"], "must hold one file, got 2"),
        ([], "must hold one file, got 0"),
    ):
        with zipfile.ZipFile("many.zip", "w") as archive:
            for name in names:
                archive.writestr(name, "a,b\n1,2\n")
        code, _, error = run(capsys, "predict", "plain.safetensors", "many.zip")
        assert code == 1
        assert message in error
    locked = bytearray(Path(make_source("zip")).read_bytes())
    for header, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(header) + place] |= 1  # encrypted
    Path("locked.zip").write_bytes(locked)
    code, _, error = run(capsys, "predict", "plain.safetensors", "locked.zip")
    assert code == 1
    assert "locked.zip cannot be read as csv: File 'inside.csv' is encrypted" in error
