"""Reading a table: files, frames and arrays all become a polars frame.

To add a format, write its reader and add it to `READERS`.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

from ganglion.errors import DataError, FileError, GanglionError, one_of, shortened
from ganglion.tables.forking import require_threads
from ganglion.tables.records import frame_of_records

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"]
DECIMAL_COMMA = r"^\s*[-+]?\d+(,\d+)?\s*$"
FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, in days since 1970-01-01
SEPARATORS = ",;\t|"
DATE_PATTERN = r"^\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?Z?)?\s*$"


def read_table(source: Any) -> pl.DataFrame:
    """Return a table as a polars frame.

    Args:
        source: the path of a CSV, TSV, Parquet, JSON-lines or Arrow file; a polars or pandas frame; a
            two-dimensional NumPy array (columns are named x1, x2 ...); a dict of columns; or a list of dicts,
            one for each row.

    Raises:
        FileError: if the file is missing, empty, not UTF-8, or not in the format of its extension.
        DataError: for duplicate column names, or a source of another type.
    """
    try:
        table = _read(source)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        if isinstance(error, GanglionError):
            raise
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"the {type(source).__name__} cannot be read as a table: {reason}") from error
    for column in table.get_columns():
        _check_years(column)
    return _without_nan(table)


def _without_nan(table: pl.DataFrame) -> pl.DataFrame:
    """Return the table with null as the only form of a missing value."""
    columns, changed = table.get_columns(), False
    for i, column in enumerate(columns):
        if column.dtype.is_float() and np.isnan(column.to_numpy()).sum() > column.null_count():
            columns[i] = pl.Series(column.name, column.to_numpy(), nan_to_null=True)
            changed = True
    return pl.DataFrame(columns) if changed else table


def _read(source: Any) -> pl.DataFrame:
    if isinstance(source, str | os.PathLike):
        try:
            path = Path(source)
            path.is_file()
        except (ValueError, OSError) as error:
            raise FileError(f"{shortened(source)} is not a path to a file") from error
        return _with_dates(_read_file(path))
    if isinstance(source, pl.LazyFrame):
        source = source.collect()
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, np.ndarray):
        if source.ndim != 2:
            raise DataError(f"an array must have two axes to be a table, got shape {source.shape}")
        return pl.DataFrame({f"x{i + 1}": source[:, i] for i in range(source.shape[1])}, strict=False)
    if isinstance(source, list):
        return frame_of_records(source)
    if isinstance(source, Mapping):
        return pl.DataFrame(dict(source), strict=False)
    if type(source).__module__.startswith("pandas") and hasattr(source, "columns"):
        return _from_pandas(source)
    raise DataError(
        f"a table must be a path, a frame or a two-dimensional array, got {type(source).__name__}"
    )


def _from_pandas(frame: Any) -> pl.DataFrame:
    _check_distinct([str(name) for name in frame.columns])
    columns = {}
    for name in frame.columns:
        values = frame[name].to_numpy()
        if values.dtype.kind not in "biufM":
            missing = frame[name].isna().to_numpy()
            values = [None if null else value for value, null in zip(frame[name], missing, strict=True)]
        columns[str(name)] = values
    return pl.DataFrame(columns, strict=False)


def _read_file(path: Path) -> pl.DataFrame:
    require_threads("reading a file")
    if path.is_dir():
        raise FileError(f"a table must be a file, and {path} is a folder", "give the path of a file in it")
    extensions = [extension.lower() for extension in path.suffixes]
    if extensions[-1:] == [".gz"]:
        extensions.pop()
    extension = extensions[-1] if extensions else ""
    if extension not in READERS:
        raise FileError(f"the extension of {path.name} is not that of a table", one_of(extension, READERS))
    try:
        if not path.is_file():
            raise FileError(f"there is no file {path}", "check the spelling and the folder")
        if path.stat().st_size == 0:
            raise FileError(f"{path.name} is empty, 0 bytes", "a table needs a header and rows")
        return READERS[extension](path)
    except (pl.exceptions.PolarsError, UnicodeError, EOFError, csv.Error, zlib.error) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "more fields than" in reason:
            reason = "a row has more fields than the header"
        if "utf-8" in reason.lower() or "utf8" in reason.lower():
            raise FileError(f"{path.name} is not encoded in UTF-8", "save it again as 'CSV UTF-8'") from error
        raise FileError(f"{path.name} cannot be read as {extension[1:]}: {reason}") from error
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def _read_csv(path: Path) -> pl.DataFrame:
    header = _header(path)
    separator = max(SEPARATORS, key=header.count) if path.suffix.lower() != ".tsv" else "\t"
    if not header.count(separator):
        separator = ","
    with _opened(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        names = next((names for names in csv.reader(text, delimiter=separator) if names), [])
    _check_distinct([name.strip() for name in names])

    def read(rows_to_infer_from: int | None) -> pl.DataFrame:
        return pl.read_csv(
            path,
            separator=separator,
            null_values=MISSING,
            infer_schema_length=rows_to_infer_from,
            raise_if_empty=False,
        )

    try:
        frame = read(10_000)
    except pl.exceptions.ComputeError as error:
        if "parse" not in str(error):
            raise
        frame = read(None)  # a later row has another type: infer each type from all rows
    if separator == ";":  # then a comma may be the decimal separator
        frame = frame.with_columns(
            column.str.replace(",", ".", literal=True).cast(pl.Float64)
            for column in frame.get_columns()
            if column.dtype == pl.String
            and column.null_count() < len(column)
            and column.drop_nulls().str.contains(DECIMAL_COMMA).all()
        )
    return frame.rename({name: name.strip() for name in frame.columns})


def _opened(path: Path) -> BinaryIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def _header(path: Path) -> str:
    """Return the first line that is not blank, decoded."""
    with _opened(path) as file:
        for _ in range(1000):
            line = file.readline(2**20)
            if b"\0" in line:
                raise FileError(f"{path.name} is not encoded in UTF-8", "save it again as 'CSV UTF-8'")
            if b"\r" in line.rstrip(b"\r\n"):
                raise FileError(
                    f"{path.name} has the line endings of old Macintosh computers",
                    "save it again as 'CSV UTF-8'",
                )
            if not line or line.strip():
                return line.decode("utf-8-sig").rstrip("\r\n")
    return ""


def _check_distinct(names: list[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"column names must be distinct, got {repeated[0]!r} {names.count(repeated[0])} times",
            "rename one, or add the header if it is missing",
        )


def _check_years(column: pl.Series) -> None:
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


def _with_dates(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with text columns that hold only ISO dates converted to dates or datetimes."""
    changed = []
    for column in frame.get_columns():
        if column.dtype != pl.String:
            continue
        sample = column.drop_nulls().head(100)
        if sample.is_empty() or not sample.str.contains(DATE_PATTERN).all():
            continue
        text = column.str.strip_chars().str.replace_all("/", "-")
        with_time = sample.str.contains(":").any()
        parsed = (
            text.str.strip_suffix("Z").str.to_datetime(strict=False)
            if with_time
            else text.str.to_date(strict=False)
        )
        if parsed.null_count() == column.null_count():
            changed.append(parsed)
    return frame.with_columns(changed)


def _read_arrow(path: Path) -> pl.DataFrame:
    with path.open("rb") as file:
        whole_file = file.read(6) == b"ARROW1"
    return pl.read_ipc(path) if whole_file else pl.read_ipc_stream(path)


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".txt": _read_csv,
    ".parquet": pl.read_parquet,
    ".jsonl": pl.read_ndjson,
    ".ndjson": pl.read_ndjson,
    ".arrow": _read_arrow,
    ".ipc": _read_arrow,
    ".feather": _read_arrow,
}
