"""Text files: bytes become a frame, of text where a cell needs a closer look.

Small files are taken apart cell by cell here. Large ones are read by polars, and only columns in which a cell
could mean something else are read again as text. Both ways give the same table.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ganglion.errors import DataError, FileError, notice
from ganglion.tables.reading.layout import HEAD, ROW_NAME, Found, decode, find_layout, head_of, tokenize
from ganglion.tables.reading.options import ColumnReading, Layout, Reading, ReadOptions

SMALL = 2**20
CHUNK = 2**18  # bytes that stay in the cache
SAMPLE = 2**20
NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"]
ZERO, NINE, NEW_LINE, QUOTE = map(ord, '09\n"')
BLANKS = " \t"
LAST = 2**16  # bytes in which a footer is looked for
MOST_LAST_LINES = 5
HUGE = 2**53
BLANK_LINES = re.compile(rb"\n(?: *\n)+")
RULE = re.compile(rb"^[ |+:=-]*[|+][ |+:=-]*--[ |+:=-]*$|^\(\d+ rows?\) *$", re.MULTILINE)
MARKER = re.compile(
    rb'(?:^|[,;\t|\n])"?(?:' + "|".join(map(re.escape, NULLS[1:])).encode() + rb')"?(?=[,;\t|\n]|\Z)'
)
COMPACT = (19_000_101, 21_001_231)


@dataclass(frozen=True)
class Raw:
    """A table as it stands in its source, before its text is understood.

    Args:
        frame: of text, and of columns that have a type already.
        layout: of the text file, None for other sources.
    """

    frame: pl.DataFrame
    layout: Layout | None = None


def read_text(
    data: bytes,
    name: str,
    options: ReadOptions,
    known: Reading | None = None,
    targets: Collection[str] = (),
    is_tsv: bool = False,
) -> Raw:
    """Return the cells of a text file.

    Args:
        data: the bytes of the file, uncompressed.
        name: of the file, for messages.
        options: what the user fixed.
        known: how the table of a model was read; this file is read alike if it has the same columns.
        targets: the columns to predict, whose words are values even if they could mean a missing one.
        is_tsv: whether the name says that tabs separate the cells.

    Raises:
        FileError: if the file is no table.
        DataError: for duplicate column names.
    """
    usual = "cp1252" if known is None or known.layout is None else known.layout.encoding
    data, encoding = decode(data, name, options.encoding, usual)
    if b"---" in data[:HEAD]:  # in tables of Markdown and of databases
        data = RULE.sub(b"", data)
    head = head_of(data)
    found = _known_layout(head, name, encoding, options, known, targets) or find_layout(
        head, name, encoding, options, is_tsv
    )
    found = _named(found)
    if b"=" in data and b'="' in data:  # to look for one sign is faster
        data = _without_formulas(data, found.layout.separator)
    if found.layout.header and found.width > 1:
        data = _without_repeated_header(data, found)
    if len(data) <= SMALL or found.layout.separator == " " or _is_odd(data, found.layout):
        return Raw(_all_text(data, name, found), found.layout)
    return Raw(_with_polars(data, name, found, known), found.layout)


def _known_layout(
    head: str, name: str, encoding: str, options: ReadOptions, known: Reading | None, targets: Collection[str]
) -> Found | None:
    """Return the layout that a model knows, if the file has the columns that it needs."""
    if known is None or known.layout is None or options.separator is not None:
        return None
    layout = known.layout
    header = layout.header if options.header is None else options.header
    comment = layout.comment if options.comment is None else options.comment
    given = ReadOptions(separator=layout.separator, header=header, comment=comment)
    found = find_layout(head, name, encoding, given)
    needed = set(known.columns) - set(targets)
    return found if needed <= {each.strip() for each in found.names} else None


def _without_formulas(data: bytes, separator: str) -> bytes:
    """Return the file with ="0123", by which programs make a spreadsheet keep the zero, as "0123"."""
    end = re.escape(separator.encode())
    return re.sub(rb'(^|%b)="([^"\n]*)"(?=%b|$)' % (end, end), rb'\1"\2"', data, flags=re.MULTILINE)


def _without_repeated_header(data: bytes, found: Found) -> bytes:
    """Return the file with blank lines in place of the header in the middle of files put together."""
    start = _lines_from(data, found.first)
    header = data[:start].rstrip(b"\n").rpartition(b"\n")[2]
    if not header or data.find(b"\n" + header + b"\n", start - 1) < 0:
        return data
    cells = tokenize(header.decode("utf-8"), found.layout.separator)
    if len(cells) != 1 or _named_like(cells[0][1]) != found.names:
        return data
    lines = [b"" if line == header else line for line in data[start:].split(b"\n")]
    notice("lines that repeat the header are no rows and left out", "repeated-header")
    return data[:start] + b"\n".join(lines)


def _named(found: Found) -> Found:
    """Return the layout with clean names, after checking that they are distinct."""
    names = _named_like(found.names)
    check_distinct(names)
    return Found(found.layout, names, found.first, found.width)


def _named_like(raw: list[str]) -> list[str]:
    """Return the names of the columns that a header gives."""
    names = [each.replace("\xa0", " ").strip() for each in raw]
    if len(names) > 1 and not names[0] and ROW_NAME not in names:
        names[0] = ROW_NAME
    return [
        f"column {i + 1}" if not each and i < len(names) - 1 and i else each for i, each in enumerate(names)
    ]


def check_distinct(names: list[str]) -> None:
    """Raise `DataError` for a column name that occurs twice."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"column names must be distinct, got {repeated[0]!r} {names.count(repeated[0])} times",
            "rename one, or use --no-header if the first line holds values",
        )


def _lines_from(data: bytes, line: int) -> int:
    """Return where a line begins, counted from 1."""
    position = 0
    for _ in range(line - 1):
        position = data.find(b"\n", position) + 1
        if not position:
            return len(data)
    return position


def _all_text(data: bytes, name: str, found: Found) -> pl.DataFrame:
    layout, width = found.layout, found.width
    text = data[_lines_from(data, found.first) :].decode("utf-8")
    records = tokenize(text, layout.separator, layout.comment)
    lines = [line for line, _ in records]
    rows = [cells for _, cells in records]
    rows = rows[: len(rows) - _footer(rows, width)]
    if wrong := next((i for i, cells in enumerate(rows) if len(cells) != width), None):
        _refuse_width(name, lines[wrong] + found.first - 1, rows[wrong], width)
    if rows and len(rows[0]) != width:
        _refuse_width(name, lines[0] + found.first - 1, rows[0], width)
    columns = list(zip(*rows, strict=True)) if rows else [()] * width
    frame = pl.DataFrame(
        {n: pl.Series(n, list(c), dtype=pl.String) for n, c in zip(found.names, columns, strict=True)}
    )
    return _without_nameless(frame)


def _refuse_width(name: str, line: int, cells: list[str], width: int) -> None:
    raise FileError(
        f"every line of {name} must have {width} cells, line {line} has {len(cells)}: "
        f"{', '.join(cells)[:60]!r}",
        "correct the line, put cells that hold the separator into quotes, or give another --separator",
    )


def _footer(rows: list[list[str]], width: int) -> int:
    """Return how many of the last lines have one cell in a wider table: they are no rows."""
    end = len(rows)
    while end and width > 1 and len(rows[end - 1]) < width and not any(rows[end - 1][1:]):
        end -= 1
    count = len(rows) - end
    if not end or not 0 < count <= MOST_LAST_LINES:
        return 0
    notice(f"{count} last lines with one cell are no rows and left out: {rows[end][0][:60]!r}", "footer")
    return count


def _without_last_lines(data: bytes, found: Found) -> bytes:
    """Return a large file without a footer."""
    start = data.rfind(b"\n", 0, max(len(data) - LAST, 0)) + 1
    tail = data[start:]
    records = tokenize(tail.decode("utf-8"), found.layout.separator, found.layout.comment)
    count = _footer([cells for _, cells in records], found.width)
    return data if not count else data[: start + _lines_from(tail, records[-count][0])]


def _without_nameless(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame without a last column that has no name and no values: lines end with a separator."""
    if frame.columns[-1] == "":
        last = frame.get_column("")
        if (
            last.dtype == pl.Null
            or last.null_count() == len(last)
            or (last.dtype == pl.String and (last.fill_null("").str.strip_chars() == "").all())
        ):
            return frame.drop("")
    return frame


def _is_odd(data: bytes, layout: Layout) -> bool:
    """Return whether a quoted cell has blanks around or just inside its quotes, which polars confuses."""
    if layout.comment and b"\n#N" in data:  # a line may begin with #N/A
        return True
    if b'"' not in data:
        return False
    if BLANK_LINES.search(data):
        return True
    sign = layout.separator.encode()
    return any(
        part in data
        for blank in (b" ", b"\t")
        if blank != sign
        for part in (
            sign + b'"' + blank,
            blank + b'"' + sign,
            sign + blank + b'"',
            b'"' + blank + sign,
            b"\n" + blank + b'"',
            b'"' + blank + b"\n",
            blank + b'"\n',
            b'\n"' + blank,
        )
    )


def _with_polars(data: bytes, name: str, found: Found, known: Reading | None) -> pl.DataFrame:
    """Read a large file by polars, and again as text what could mean something else than polars read."""
    data = _without_last_lines(data, found)
    start = _lines_from(data, found.first)
    if start == len(data):
        return pl.DataFrame(schema=dict.fromkeys(found.names, pl.String))
    plain = ColumnReading("number")
    words = {} if known is None else {n: pl.String for n, how in known.columns.items() if how != plain}
    body = _Body(data, start, found, b'"' in data)
    if found.width == 1 or found.layout.comment or body.is_quoted:
        body = body.without_blank_lines()
    try:
        frame, read_again = body.typed(words)
    except pl.exceptions.PolarsError:
        frame, read_again = pl.DataFrame(), False
    separators, zeros = body.scan()
    # A blank, short or long line gives another number; to count is faster than to look at every line.
    if frame.is_empty() or found.layout.comment or separators != frame.height * (found.width - 1):
        body = body.without_blank_lines()
        _check_widths(body.data, name, found)
        try:
            frame, read_again = body.typed(words)
        except pl.exceptions.PolarsError:  # such as digits of another script, which it takes for numbers
            return _all_text(data, name, found)
    if doubtful := _doubtful(frame, zeros, read_again):
        frame = frame.with_columns(body.read(doubtful, infer_schema=False).get_columns())
    texts = [_stripped(column) for column in frame.get_columns() if column.dtype == pl.String]
    return _without_nameless(frame.with_columns(texts))


@dataclass(frozen=True)
class _Body:
    """The lines of a large file.

    Args:
        data: all bytes of the file.
        start: where the rows begin.
        found: the layout; `found.first` is the number of the line that begins at `start`.
        is_quoted: whether quotes occur.
    """

    data: bytes
    start: int
    found: Found
    is_quoted: bool

    def without_blank_lines(self) -> _Body:
        """Return the rows alone, without blank lines."""
        data = BLANK_LINES.sub(b"\n", self.data[self.start :])
        return _Body(data, 0, dataclasses.replace(self.found, first=1), self.is_quoted)

    def read(self, columns: list[str], **settings: Any) -> pl.DataFrame:
        """Return some columns, read by polars with the settings."""
        layout, names = self.found.layout, self.found.names
        frame = pl.read_csv(
            self.data,
            separator=layout.separator,
            has_header=False,
            skip_lines=self.found.first - 1,
            quote_char='"' if self.is_quoted else None,
            comment_prefix=layout.comment or None,
            columns=[names.index(each) for each in columns],
            **settings,
        )
        frame.columns = columns
        return frame

    def typed(self, words: Mapping[str, Any]) -> tuple[pl.DataFrame, bool]:
        """Return all columns, those in `words` as text, and whether markers became null in them."""
        names = self.found.names
        first = int(
            pl.read_csv(b"0", has_header=False).columns[0].removeprefix("column_")
        )  # 1 before polars 2
        types = {f"column_{i}": words[name] for i, name in enumerate(names, first) if name in words}
        sample = self.data[self.start : self.start + SAMPLE]
        rows: int | None = sample.count(b"\n") + 1
        # To look for markers takes polars half as long again.
        markers = NULLS if MARKER.search(sample) else None
        try:
            frame = self.read(names, null_values=markers, infer_schema_length=rows, schema_overrides=types)
        except pl.exceptions.ComputeError as error:
            if "parse" not in str(error):
                raise
            markers, rows = NULLS, None  # a later row has a marker, or another type
            frame = self.read(names, null_values=markers, infer_schema_length=rows, schema_overrides=types)
        return frame, markers is not None

    def scan(self) -> tuple[int, bool]:
        """Return the number of separators outside quotes, and whether a cell is 0 before another digit."""
        codes = np.frombuffer(self.data, dtype=np.uint8)[self.start :]
        separator, count, inside = ord(self.found.layout.separator), 0, False
        zeros = len(codes) > 1 and codes[0] == ZERO and ZERO <= codes[1] <= NINE
        for first in range(0, len(codes), CHUNK):
            part = codes[first : first + CHUNK + 2]  # the two bytes more complete the last cell
            before, zero, digit = part[:-2], part[1:-1] == ZERO, part[2:] - ZERO < 10
            starts = (before == separator) | (before == NEW_LINE)
            if self.is_quoted:
                starts |= before == QUOTE
            zeros = zeros or bool((zero & digit & starts).any())
            is_separator = part[:CHUNK] == separator
            if self.is_quoted:
                quotes = np.logical_xor.accumulate(part[:CHUNK] == QUOTE)
                is_separator &= quotes == inside
                inside ^= bool(quotes[-1])
            count += int(np.count_nonzero(is_separator))
        return count, zeros


def _stripped(column: pl.Series) -> pl.Series:
    """Return a column of text without blanks around its cells."""
    distinct = column.unique()
    is_clean = (distinct == distinct.str.strip_chars(BLANKS)).all()
    return column if is_clean else column.str.strip_chars(BLANKS)


def _check_widths(body: bytes, name: str, found: Found) -> None:
    """Refuse lines of other than the common number of cells; polars fills short ones silently."""
    for line, cells in tokenize(body.decode("utf-8"), found.layout.separator, found.layout.comment):
        if len(cells) != found.width:
            _refuse_width(name, line + found.first - 1, cells, found.width)


def _doubtful(frame: pl.DataFrame, has_zeros: bool, read_again: bool) -> list[str]:
    """Return the columns in which a cell could mean something else than polars read.

    Args:
        frame: as polars read it.
        has_zeros: whether some cell begins with a zero before another digit, like a code.
        read_again: whether null in a column of text may stand for a word.
    """
    found = []
    for column in frame.get_columns():
        if column.dtype == pl.String:
            if read_again and column.null_count():
                found.append(column.name)
        elif column.dtype.is_integer():
            if column.null_count() == len(column):
                continue
            least, most = column.min(), column.max()
            dates = COMPACT[0] <= least and most <= COMPACT[1]  # type: ignore[operator]
            if has_zeros or dates or column.dtype != pl.Int64:
                found.append(column.name)
        elif column.dtype.is_float() and (_has_three_decimals(column) or _is_huge(column)):
            found.append(column.name)
    return found


def _is_huge(column: pl.Series) -> bool:
    """Return whether whole numbers may have lost digits."""
    least, most = column.min(), column.max()
    return least is not None and max(-float(least), float(most)) >= HUGE  # type: ignore[arg-type]


def _has_three_decimals(column: pl.Series) -> bool:
    """Return whether all fractions could be groups of three digits: 1.230 may mean 1230."""
    for values in (column.head(1000), column):
        part = values.drop_nulls().to_numpy()
        fractions = part[part != np.floor(part)]
        thousandths = np.abs(fractions) * 1000
        if ((np.abs(thousandths - np.round(thousandths)) > 1e-6) | (np.abs(fractions) < 1)).any():
            return False
        if (np.abs(part) >= 1e6).any():
            return False
    return bool((part != np.floor(part)).any())
