"""Where tables come from: files of all formats, folders, standard input, frames, arrays and dicts.

To add a format, write its reader and add it to `READERS`.
"""

from __future__ import annotations

import bz2
import csv
import dataclasses
import glob
import gzip
import io
import json
import lzma
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ganglion.answers.values import counted
from ganglion.errors import DataError, FileError, GanglionError, notice, one_of, shortened
from ganglion.optional import load
from ganglion.tables.dicts import frame_of_records
from ganglion.tables.forking import require_threads
from ganglion.tables.reading.cells import (
    WORDS,
    Problem,
    Study,
    convert,
    convert_mixed,
    decide,
    sign_of,
    signs,
    study,
    without_missing,
    without_numbers,
)
from ganglion.tables.reading.options import ColumnReading, Layout, Reading, ReadOptions
from ganglion.tables.reading.text import COMPACT, Raw, check_distinct, read_text
from ganglion.tables.reading.totals import without_total

FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, in days since 1970-01-01
LARGEST = 2**33
UNIX_SECONDS, UNIX_MILLISECONDS = (10**9, 2 * 10**9), (10**12, 2 * 10**12)
STANDARD_INPUT = "-"
NO_OPTIONS = ReadOptions()
OTHERS = {
    ".sav": "SPSS", ".zsav": "SPSS", ".por": "SPSS", ".dta": "Stata", ".sas7bdat": "SAS", ".xpt": "SAS",
    ".rds": "R", ".rdata": "R", ".mat": "MATLAB", ".arff": "Weka", ".mdb": "Access", ".accdb": "Access",
    ".db": "SQLite", ".sqlite": "SQLite", ".h5": "HDF5", ".hdf5": "HDF5", ".npy": "NumPy", ".npz": "NumPy",
    ".pkl": "pickle", ".orc": "ORC", ".avro": "Avro", ".xml": "XML", ".html": "HTML", ".pdf": "PDF",
}  # fmt: skip
MOST_TITLES = 10
WIDE = ("Int128", "UInt128")  # wider than what NumPy has
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")


@dataclass(frozen=True)
class Table:
    """A table that has been read.

    Args:
        frame: its columns.
        reading: how they were read.
        problems: columns that cannot be read, each with the reason; they stand in the frame as text.
        verbatim: the columns that were wanted as they stand in the source, by name.
    """

    frame: pl.DataFrame
    reading: Reading
    problems: Mapping[str, Problem]
    verbatim: Mapping[str, pl.Series] = field(default_factory=dict)

    def check(self, unused: Collection[str] = ()) -> None:
        """Raise `DataError` for a column that cannot be read, unless it is not used."""
        for name, problem in self.problems.items():
            if name not in unused:
                raise problem.error()


@dataclass(frozen=True)
class TextBytes:
    """The bytes of a text file that is not on the disk.

    Args:
        data: the bytes, uncompressed.
        name: what messages call it.
    """

    data: bytes
    name: str


def read_table(source: Any, read: ReadOptions | None = None, known: Reading | None = None) -> pl.DataFrame:
    """Return a table as a polars frame.

    Args:
        source: see `open_table`.
        read: how it is to be read; what is left out is found.
        known: how the table of a model was read; columns of the same names are read alike.

    Raises:
        FileError, DataError: as for `open_table`, and for a column that cannot be read.
    """
    table = open_table(source, read, known)
    table.check()
    return table.frame


def open_table(
    source: Any,
    read: ReadOptions | None = None,
    known: Reading | None = None,
    targets: Collection[str] = (),
    verbatim: Collection[str] = (),
) -> Table:
    """Read a table.

    Args:
        source: a `Table`; the path of a file (CSV and other text, Parquet, JSON, Arrow, Excel, OpenDocument),
            also compressed; "-" for standard input; a folder, a pattern such as "data/*.csv" or a list of
            paths, of files with the same columns; a `TextBytes`; a polars or pandas frame; a two-dimensional
            NumPy array (columns are named x1, x2 ...); or a dict of columns.
        read: how it is to be read; what is left out is found.
        known: how the table of a model was read; columns of the same names are read alike.
        targets: the columns to predict: words in them such as "NA" are values, not missing.
        verbatim: columns wanted also as they stand in the source: as text, if it is a text file.

    Raises:
        FileError: if a file is missing, empty, or not in the format of its extension.
        DataError: for duplicate column names, a source of another type, or a cell that `known` does not fit.
    """
    options = NO_OPTIONS if read is None else read
    if isinstance(source, Table) and known is None:
        return source
    try:
        raw = _raw(source, options, _as_text(known, verbatim), targets)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        if isinstance(error, GanglionError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"the {type(source).__name__} cannot be read as a table: {reason}") from error
    raw = Raw(without_total(raw.frame), raw.layout) if raw.layout is not None else raw
    with_nan = [c for c in raw.frame.get_columns() if c.dtype.is_float() and c.is_nan().any()]
    exact = [c for c in raw.frame.get_columns() if c.dtype.is_decimal() or str(c.dtype) in WIDE]
    frame = raw.frame.with_columns(
        *(column.fill_nan(None) for column in with_nan),  # null is the only missing value
        *(column.cast(pl.Float64) for column in exact),
    )
    if known is None or not known.columns:  # a model of an older version knows no columns
        table = _find(Raw(frame, raw.layout), options, targets)
    else:
        table = _alike(Raw(frame, raw.layout), options, known, targets)
    for column in table.frame.get_columns():
        check_years(column)
    _require_columns(table.frame, options)
    cells = {name: raw.frame.get_column(name) for name in verbatim if name in raw.frame.columns}
    return dataclasses.replace(table, verbatim=cells) if cells else table


def _as_text(known: Reading | None, names: Collection[str]) -> Reading | None:
    """Return what is known of a table's reading, but with some columns as text."""
    if known is None or not names:
        return known
    texts = {name: ColumnReading("text") for name in names}
    return dataclasses.replace(known, columns={**known.columns, **texts})


def _require_columns(frame: pl.DataFrame, options: ReadOptions) -> None:
    """Raise `DataError` if the user fixed how dates are written in a column that does not exist."""
    for name in options.dates if isinstance(options.dates, Mapping) else ():
        if name not in frame.columns:
            raise DataError(f"the table has no column {name!r} of dates", one_of(name, frame.columns))


def _find(raw: Raw, options: ReadOptions, targets: Collection[str]) -> Table:
    """Understand the text of a table."""
    extra = tuple(options.missing)
    columns = [_as_text_if_doubtful(column, options) for column in raw.frame.get_columns()]
    texts = [column for column in columns if column.dtype == pl.String]
    present: dict[str, pl.Series] = {}
    studies: dict[str, Study] = {}
    for column in texts:
        distinct = column.unique()
        clean = present[column.name] = without_missing(column, extra, distinct=distinct)
        studies[column.name] = study(distinct if clean is column else clean)
    decimal = options.decimal or sign_of(list(studies.values()))
    if decimal is None and raw.layout is not None and any(c.dtype.is_float() for c in columns):
        decimal = sign_of(list(studies.values())) or (
            "." if not any(s.comma for s in studies.values()) else None
        )
    separator = None if raw.layout is None else raw.layout.separator
    reading: dict[str, ColumnReading] = {}
    problems: dict[str, Problem] = {}
    result, words = [], list[str]()
    for column in columns:
        if column.dtype != pl.String:
            result.append(without_numbers(column, extra))
            if column.dtype.is_integer() and raw.layout is not None:  # whole numbers also of a decimal comma
                reading[column.name] = ColumnReading("number", *signs(options, decimal))
            elif column.dtype.is_numeric() or column.dtype == pl.Boolean:
                reading[column.name] = ColumnReading("number" if column.dtype.is_numeric() else "boolean")
            elif column.dtype == pl.Time:
                reading[column.name] = ColumnReading("time")
            elif column.dtype in (pl.Date, pl.Datetime):
                reading[column.name] = ColumnReading("date", form="year-first")
            continue
        how, problem = decide(studies[column.name], options, decimal, separator)
        reading[column.name] = how
        if problem is not None:
            problems[column.name] = problem
        if how.kind == "text":
            clean = without_missing(column, extra, WORDS) if column.name in targets else present[column.name]
            words += _note_words(column, clean, extra)
            result.append(clean)
        else:
            result.append(convert(column, how, extra))
    for column in result:
        _notice_times(column, options)
    if words:
        notice(
            "words taken as missing: " + "; ".join(words[:5]) + (" ..." if len(words) > 5 else ""),
            "missing-words",
        )
    return Table(pl.DataFrame(result), Reading(raw.layout, reading, extra), problems)


def _as_text_if_doubtful(column: pl.Series, options: ReadOptions) -> pl.Series:
    """Return whole numbers that may be dates as text, to be understood like those of a file."""
    if not column.dtype.is_integer() or not len(column.drop_nulls()):
        return column
    form = options.date_form(column.name)
    least, most = int(column.min()), int(column.max())  # type: ignore[arg-type]
    if form in ("compact", "unix", "unix-ms") or (
        form is None and COMPACT[0] <= least and most <= COMPACT[1]
    ):
        return column.cast(pl.String)
    return column


def _notice_times(column: pl.Series, options: ReadOptions) -> None:
    """Say that whole numbers may be times."""
    if not column.dtype.is_integer() or options.date_form(column.name) is not None:
        return
    least, most = column.min(), column.max()
    if least == most:  # also if there are none
        return
    for (low, high), form in ((UNIX_SECONDS, "unix"), (UNIX_MILLISECONDS, "unix-ms")):
        if low <= least and most < high:  # type: ignore[operator]
            notice(
                f"column {column.name!r}: numbers such as {column.drop_nulls()[0]} could be times since "
                f"1970; if so, use --date-format {column.name}={form} "
                f"(read=gg.ReadOptions(dates={{{column.name!r}: {form!r}}}))",
                "numbers-as-dates",
            )


def _note_words(column: pl.Series, clean: pl.Series, extra: tuple[str, ...]) -> list[str]:
    """Return which words of a text column were taken as missing unasked, and how often."""
    if clean is column:
        return []
    taken = column.filter(clean.is_null() & column.is_not_null()).str.strip_chars()
    unasked = set(WORDS) - {word.lower() for word in extra}
    words, counts = counted(taken.filter(taken.str.to_lowercase().is_in(unasked)))
    top = zip(words[:3], counts, strict=False)
    return [f"{word!r} in {column.name} {count:,} times" for word, count in top]


def _alike(raw: Raw, options: ReadOptions, known: Reading, targets: Collection[str]) -> Table:
    """Read the text of a table as a model knows its columns."""
    extra = (*known.missing, *options.missing)
    result = []
    for column in raw.frame.get_columns():
        how = known.columns.get(column.name)
        if options.decimal is not None or options.thousands is not None:
            decimal, thousands = signs(options, "." if how is None else how.decimal)
            how = how and dataclasses.replace(how, decimal=decimal, thousands=thousands)
        form = options.date_form(column.name)
        if form is not None and how is not None and how.kind == "date":
            how = ColumnReading("date", form=form)
        if how is not None and how.unit == "%":
            _notice_fractions(column)
        if how is not None and how.kind == "date" and column.dtype.is_integer():
            column = column.cast(pl.String)  # noqa: PLW2901
        if column.dtype != pl.String:
            result.append(without_numbers(column, extra))
        elif how is None:
            result.append(column.set((column == "").fill_null(False), None))
        elif how.kind == "text":
            result.append(without_missing(column, extra, WORDS if column.name in targets else ()))
        else:
            if how.decimal == "," and options.decimal is None and _differ(raw.layout, known.layout):
                _notice_points(column)
            result.append(convert(column, how, extra))
    return Table(pl.DataFrame(result), Reading(raw.layout, known.columns, extra), {})


def _differ(layout: Layout | None, known: Layout | None) -> bool:
    return layout is not None and known is not None and layout.separator != known.separator


def _notice_points(column: pl.Series) -> None:
    """Say that points taken for thousands may be decimal: the file is laid out unlike the model's table."""
    grouped = column.filter(column.str.contains(r"\d\.\d{3}\b").fill_null(value=False))
    if len(grouped) and not column.str.contains(",", literal=True).any():
        shown = grouped[0].strip()
        notice(
            f"column {column.name!r}: {shown} is read as {shown.replace('.', '')}, as in the table that the "
            f"model learned from, but this file has another separator; if it means a fraction, use "
            f"--decimal . (model.read(table, gg.ReadOptions(decimal='.')))",
            "ambiguous-numbers",
        )


def _notice_fractions(column: pl.Series) -> None:
    """Say that numbers without a percent sign may be fractions: the model's table had percentages."""
    if column.dtype == pl.String:
        if column.str.contains(r"[%٪％]").any():
            return
        column = column.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    present = column.drop_nulls()
    if not column.dtype.is_numeric() or present.is_empty():
        return
    if (present.abs() <= 1).all() and (present != present.round()).any():
        notice(
            f"column {column.name!r}: {present[0]:g} is read as {present[0]:g} %, as in the table that the "
            f"model learned from; if it is a fraction, multiply the column by 100",
            "ambiguous-numbers",
        )


def _raw(source: Any, options: ReadOptions, known: Reading | None, targets: Collection[str]) -> Raw:
    if isinstance(source, Table):
        return Raw(source.frame, source.reading.layout)
    if isinstance(source, TextBytes):
        return _raw_text(source, options, known, targets)
    if isinstance(source, str | os.PathLike):
        return _raw_path(source, options, known, targets)
    if isinstance(source, list | tuple) and source and all(isinstance(s, str | os.PathLike) for s in source):
        return _joined([_raw_path(each, options, known, targets) for each in source], list(map(str, source)))
    if isinstance(source, pl.LazyFrame):
        source = source.collect()
    if isinstance(source, pl.DataFrame):
        return Raw(source)
    if isinstance(source, np.ndarray):
        if source.ndim != 2:
            raise DataError(f"an array must have two axes to be a table, got shape {source.shape}")
        columns = source.T.tolist() if source.dtype == object else source.T
        return Raw(pl.DataFrame({f"x{i + 1}": column for i, column in enumerate(columns)}, strict=False))
    if isinstance(source, list):
        return Raw(frame_of_records(source, lambda name, values: convert_mixed(name, values, known)))
    if isinstance(source, Mapping):
        return Raw(pl.DataFrame(dict(source), strict=False))
    if type(source).__module__.startswith("pandas") and hasattr(source, "columns"):
        return Raw(_from_pandas(source))
    raise DataError(
        f"a table must be a path, a frame or a two-dimensional array, got {type(source).__name__}",
        "one row is a list of one dict, [{...}]" if type(source).__name__ == "Series" else "",
    )


def _raw_text(
    source: TextBytes, options: ReadOptions, known: Reading | None, targets: Collection[str]
) -> Raw:
    if not source.data:
        raise FileError(f"{source.name} is empty, 0 bytes", "a table needs a header and rows")
    try:
        return read_text(source.data, source.name, options, known, targets)
    except csv.Error as error:
        raise FileError(f"{source.name} cannot be read as CSV: {error}") from error


def _raw_path(
    source: str | os.PathLike[str], options: ReadOptions, known: Reading | None, targets: Collection[str]
) -> Raw:
    require_threads("reading a file")
    if str(source) == STANDARD_INPUT:
        return _raw_bytes(sys.stdin.buffer.read(LARGEST), "standard input", "", options, known, targets)
    try:
        path = Path(source)
        is_folder, is_file = path.is_dir(), path.is_file()
    except (ValueError, OSError) as error:
        raise FileError(f"{shortened(source)} is not a path to a file") from error
    if is_folder:
        files = sorted(each for each in path.iterdir() if each.is_file() and _format(each) in READERS)
        if not files:
            raise FileError(f"the folder {path} holds no table", one_of("", READERS))
        return _joined(
            [_read_file(each, options, known, targets) for each in files], [each.name for each in files]
        )
    if not is_file and glob.has_magic(str(source)) and (found := sorted(glob.glob(str(source)))):
        return _joined([_read_file(Path(each), options, known, targets) for each in found], found)
    return _read_file(path, options, known, targets)


def _joined(parts: list[Raw], names: list[str]) -> Raw:
    """Return the rows of several files, one after the other."""
    first = parts[0]
    for part, name in zip(parts[1:], names[1:], strict=True):
        if set(part.frame.columns) != set(first.frame.columns):
            odd = sorted(set(part.frame.columns) ^ set(first.frame.columns))[0]
            raise DataError(
                f"files of one table must have the same columns; {odd!r} is not in both of {names[0]} and "
                f"{name}"
            )
    frames = [part.frame.select(first.frame.columns) for part in parts]
    for column in first.frame.columns:
        kinds = {frame.schema[column] for frame in frames}
        if len(kinds) > 1 and pl.String in kinds:  # understood together
            frames = [frame.with_columns(pl.col(column).cast(pl.String)) for frame in frames]
    return Raw(pl.concat(frames, how="vertical_relaxed"), first.layout)


def _from_pandas(frame: Any) -> pl.DataFrame:
    check_distinct([str(name) for name in frame.columns])
    columns = {}
    for name in frame.columns:
        values = frame[name].to_numpy()
        if values.dtype.kind not in "biufM":
            missing = frame[name].isna().to_numpy()
            values = [None if null else value for value, null in zip(frame[name], missing, strict=True)]
        columns[str(name)] = values
    return pl.DataFrame(columns, strict=False)


def _format(path: Path) -> str:
    extensions = [extension.lower() for extension in path.suffixes]
    if extensions[-1:] and extensions[-1] in COMPRESSED:
        extensions.pop()
    return extensions[-1] if extensions else ""


def _only_member(archive: zipfile.ZipFile, name: str) -> str:
    """Return the file in an archive, besides the notes that macOS adds."""
    members = [
        each for each in archive.namelist() if not each.endswith("/") and not each.startswith("__MACOSX/")
    ]
    if len(members) != 1:
        raise FileError(f"{name} must hold one file, got {len(members)}", "unpack it first")
    return members[0]


def _format_of(path: Path) -> str:
    """Return the format that the name of a file tells, or that of the file in an archive."""
    extension = _format(path)
    if extension or path.suffix.lower() != ".zip" or not zipfile.is_zipfile(path):
        return extension
    with zipfile.ZipFile(path) as archive:
        return _format(Path(_only_member(archive, path.name)))


def _read_file(path: Path, options: ReadOptions, known: Reading | None, targets: Collection[str]) -> Raw:
    extension = _format_of(path)
    if extension in OTHERS:
        raise FileError(
            f"{path.name} is a file of {OTHERS[extension]}, which is not read",
            "export the table as CSV or Parquet",
        )
    if extension not in READERS:
        raise FileError(f"the extension of {path.name} is not that of a table", one_of(extension, READERS))
    try:
        if not path.is_file():
            raise FileError(f"there is no file {path}", "check the spelling and the folder")
        if path.stat().st_size == 0:
            raise FileError(f"{path.name} is empty, 0 bytes", "a table needs a header and rows")
        return _raw_bytes(_content(path), path.name, extension, options, known, targets)
    except (
        pl.exceptions.PolarsError,
        UnicodeError,
        EOFError,
        csv.Error,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        RuntimeError,  # an encrypted archive
    ) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FileError(f"{path.name} cannot be read as {extension[1:]}: {reason}") from error
    except OSError as error:
        if isinstance(error, GanglionError):
            raise
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def _content(path: Path) -> bytes:
    """Return the bytes of a file, uncompressed."""
    ending = path.suffix.lower()
    if ending == ".zst":
        return _lines_of_zstandard(path)
    if ending == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(_only_member(archive, path.name)) as file:
            data = file.read(LARGEST + 1)
    else:
        openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
        with openers.get(ending, open)(path, "rb") as file:
            data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise FileError(f"{path.name} must hold at most {LARGEST >> 30} GiB")
    return data


def _lines_of_zstandard(path: Path) -> bytes:
    """Return the text of a file compressed with Zstandard, which polars can unpack."""
    lines = pl.read_csv(
        path, has_header=False, separator="\x01", quote_char=None, infer_schema=False, new_columns=["line"],
        skip_rows=0, raise_if_empty=False,
    )  # fmt: skip
    return "\n".join(line or "" for line in lines.to_series().to_list()).encode() if lines.width else b""


def _raw_bytes(
    data: bytes,
    name: str,
    extension: str,
    options: ReadOptions,
    known: Reading | None,
    targets: Collection[str],
) -> Raw:
    if not data:
        raise FileError(f"{name} is empty, 0 bytes", "a table needs a header and rows")
    if not extension:  # standard input
        extension = ".parquet" if data[:4] == b"PAR1" else ".arrow" if data[:6] == b"ARROW1" else ".csv"
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    reader = READERS[extension]
    if reader is None:
        return read_text(data, name, options, known, targets, extension == ".tsv")
    return Raw(reader(data))


def _read_arrow(data: bytes) -> pl.DataFrame:
    source = io.BytesIO(data)
    return pl.read_ipc(source) if data[:6] == b"ARROW1" else pl.read_ipc_stream(source)


def _read_sheet(data: bytes) -> pl.DataFrame:
    """Read the first sheet of a workbook."""
    load("fastexcel", "excel")
    try:
        frame = pl.read_excel(io.BytesIO(data), engine="calamine")
        for row in range(
            1, MOST_TITLES + 1
        ):  # lines above the header, such as a title, leave columns unnamed
            if 2 * _nameless(frame) < frame.width:
                break
            below = pl.read_excel(io.BytesIO(data), engine="calamine", read_options={"header_row": row})
            if below.width == frame.width and not _nameless(below):
                frame = below
    except Exception as error:  # fastexcel raises errors of its own
        raise FileError(f"the workbook cannot be read: {str(error).splitlines()[0][:200]}") from error
    named = [c for c in frame.get_columns() if c.null_count() < len(c) or not c.name.startswith("__UNNAMED")]
    return without_total(frame.select(named))


def _nameless(frame: pl.DataFrame) -> int:
    """Return the number of columns of a sheet that have no name."""
    return sum(name.startswith("__UNNAMED") for name in frame.columns)


def _read_json(data: bytes) -> pl.DataFrame:
    """Read rows: a list of objects, alone or in an object; or columns, as pandas writes them."""
    try:
        content = json.loads(data) if data.lstrip()[:1] == b"{" else None
    except ValueError:  # polars says why
        content = None
    if content is not None:
        values = list(content.values())
        if len(values) == 1 and isinstance(values[0], list) and all(isinstance(v, dict) for v in values[0]):
            return frame_of_records(values[0])
        if values and all(isinstance(value, list) and len(value) == len(values[0]) for value in values):
            return frame_of_records(
                [dict(zip(content, row, strict=True)) for row in zip(*values, strict=True)]
            )
        if values and all(isinstance(value, dict) and value.keys() == values[0].keys() for value in values):
            return frame_of_records([{n: column[row] for n, column in content.items()} for row in values[0]])
    return pl.read_json(io.BytesIO(data), infer_schema_length=None)


READERS: dict[str, Callable[[bytes], pl.DataFrame] | None] = {
    ".csv": None,  # text
    ".tsv": None,
    ".txt": None,
    ".data": None,
    ".tab": None,
    ".dat": None,
    ".parquet": lambda data: pl.read_parquet(io.BytesIO(data)),
    ".jsonl": lambda data: pl.read_ndjson(io.BytesIO(data), infer_schema_length=None),
    ".ndjson": lambda data: pl.read_ndjson(io.BytesIO(data), infer_schema_length=None),
    ".json": _read_json,
    ".arrow": _read_arrow,
    ".ipc": _read_arrow,
    ".feather": _read_arrow,
    ".xlsx": _read_sheet,
    ".xls": _read_sheet,
    ".ods": _read_sheet,
}


def check_years(column: pl.Series) -> None:
    """Raise `DataError` for a date outside the years 1 to 9999, which Python cannot represent."""
    if column.dtype not in (pl.Date, pl.Datetime):
        return
    unit = getattr(column.dtype, "time_unit", None)
    parts_of_day = {None: 1, "ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}[unit]
    days = column.cast(pl.Int64).to_numpy() // parts_of_day
    outside = (days < FIRST_DAY) | (days > LAST_DAY)  # False for missing values, which are NaN
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise DataError(f"column {column.name!r} must hold dates in the years 1 to 9999, row {row} does not")
