"""The layout of a text file: encoding, comments, separator and header, found from many of its lines."""

from __future__ import annotations

import codecs
import dataclasses
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ganglion.errors import FileError, notice
from ganglion.tables.reading.cells import BOOLEAN, MISSING
from ganglion.tables.reading.options import Layout, ReadOptions

HEAD = 2**16
LINES = 20  # at least so many belong to the head
CANDIDATES = (",", ";", "\t", "|", " ")
COMMENT = "#"
ROW_NAME = "row name"  # of a first column without a name, as programs write row numbers
SHEET_ERROR = re.compile(r"#(N/?A|NULL!|DIV/0!|VALUE!|REF!|NAME\?|NUM!)", re.IGNORECASE)
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Byte order marks of files that were put together, blanks of no width and marks of direction: two words that
# differ in one of them look the same.
INVISIBLE = tuple(sign.encode() for sign in "\ufeff\u200b\u2060\u200e\u200f")
BINARY = {
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"SQLite": "an SQLite database",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"$FL2": "an SPSS file",
    b"\x7fELF": "a program",
    b"GIF8": "a GIF picture",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
}
NUMERIC = re.compile(r"^[(<>]?\s?[-+$€£¥₹₩₽₺₫฿]{0,2}\s?[.,]?\d[\d.,' ]*(?:[eE][-+]?\d+)?[%$€£)]?$")
DATED = re.compile(
    r"^(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}"
    r"|\d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?)$"
)
YEARS = range(1800, 2200)
MOSTLY = 0.9


def decode(data: bytes, name: str, encoding: str | None = None, usual: str = "cp1252") -> tuple[bytes, str]:
    """Return text as UTF-8 with Unix line ends, and the encoding that it had.

    Args:
        data: the bytes of a file.
        name: of the file, for messages.
        encoding: of the characters, None to find it.
        usual: the encoding of text that is no Unicode, if it is not told.

    Raises:
        FileError: if the bytes are no text, or not of the encoding given.
    """
    for start, what in BINARY.items():
        if data.startswith(start):
            raise FileError(f"{name} is {what}, not a text file", "export the table as CSV")
    found = encoding or _encoding(data, name, usual)
    if found not in ("utf-8", "utf8", "UTF-8"):
        try:
            data = data.decode(found).encode("utf-8")
        except (UnicodeError, LookupError) as error:
            if encoding is None and found != usual:
                raise FileError(f"{name} holds bytes that are no text", "export the table as CSV") from error
            raise FileError(
                f"{name} is not encoded in {found}: {error}",
                "give another encoding, such as --encoding cp1252",
            ) from error
        if data.startswith(codecs.BOM_UTF8):
            data = data[3:]
    elif encoding is not None and not _is_utf8(data):
        raise FileError(f"{name} is not encoded in UTF-8", "leave out --encoding, or give another one")
    if b"\0" in data[:HEAD]:
        raise FileError(f"{name} holds bytes that are no text", "export the table as CSV")
    if not data.isascii():
        for sign in INVISIBLE:
            data = data.replace(sign, b"")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data, "utf-8" if found == "utf-8-sig" else found.lower()


def _encoding(data: bytes, name: str, usual: str) -> str:
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return encoding
    head = data[:4096]
    if b"\0" in head:
        half = max(len(head) // 2, 1)
        if head[1::2].count(0) > 0.4 * half and not head[::2].count(0):
            return "utf-16-le"
        if head[::2].count(0) > 0.4 * half and not head[1::2].count(0):
            return "utf-16-be"
        raise FileError(f"{name} holds bytes that are no text", "export the table as CSV")
    if sum(head.count(bytes([code])) for code in range(1, 9)) > len(head) // 100:
        raise FileError(f"{name} holds bytes that are no text", "export the table as CSV")
    if _is_utf8(data):
        return "utf-8"
    if usual not in ("cp1252", "latin-1") and not usual.startswith("utf"):
        return usual
    holes = {0x81, 0x8D, 0x8F, 0x90, 0x9D}
    return "latin-1" if any(bytes([code]) in data for code in holes) else "cp1252"


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        codecs.utf_8_decode(data, "strict", True)
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True)
class Cell:
    """One cell as it stands in the file."""

    text: str
    quoted: bool


def tokenize(text: str, separator: str, comment: str = "") -> list[tuple[int, list[str]]]:
    """Return the records of a text: for each the number of its first line, from 1, and its cells.

    Unquoted cells are stripped. A quote begins a quoted cell only at the start of the cell, which may follow
    blanks; inside it, two quotes stand for one. Blank lines and comments are left out.
    """
    if separator == " ":
        return _tokenize_blanks(text, comment)
    around = r"[ \t]*" if separator != "\t" else " *"
    end = re.escape(separator)
    cell = re.compile(rf'{around}"((?:[^"]|"")*)"{around}(?={end}|\n|\Z)|([^{end}\n]*)')
    records: list[tuple[int, list[str]]] = []
    position, line, size = 0, 1, len(text)
    while position < size:
        if comment and text.startswith(comment, position) and not SHEET_ERROR.match(text, position):
            position = _next_line(text, position)
            line += 1
            continue
        first, cells, blank = line, list[str](), True
        while True:
            match = cell.match(text, position)
            assert match is not None
            quoted = match.group(1)
            if quoted is None:
                value = match.group(2).strip()
                blank = blank and not value
            else:
                value = quoted.replace('""', '"') if '"' in quoted else quoted
                line += quoted.count("\n")
                blank = False
            cells.append(value)
            position = match.end()
            if position >= size or text[position] == "\n":
                break
            position += 1
        position, line = position + 1, line + 1
        if not (blank and len(cells) == 1):
            records.append((first, cells))
    return records


def _tokenize_blanks(text: str, comment: str) -> list[tuple[int, list[str]]]:
    cell = re.compile(r'"((?:[^"]|"")*)"(?=\s|\Z)|(\S+)')
    records = []
    for line, content in enumerate(text.split("\n"), start=1):
        is_comment = comment and content.startswith(comment) and not SHEET_ERROR.match(content)
        if not content.strip() or is_comment:
            continue
        cells = [
            m.group(2) if m.group(1) is None else m.group(1).replace('""', '"')
            for m in cell.finditer(content)
        ]
        records.append((line, cells))
    return records


def _next_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def head_of(data: bytes) -> str:
    """Return the first lines of a file, as text: some even if they are very long."""
    if len(data) <= HEAD:
        return data.decode("utf-8")
    end = 0
    for _ in range(LINES):
        end = data.find(b"\n", end) + 1
        if not end:
            return data.decode("utf-8")
    end = max(end, data.rfind(b"\n", 0, HEAD) + 1)
    return data[:end].decode("utf-8", errors="ignore")


@dataclass(frozen=True)
class Found:
    """A layout, and what was seen while finding it.

    Args:
        layout: how the file is laid out.
        names: of the columns.
        first: the number of the first line of the rows, from 1.
        width: the number of cells of a row.
    """

    layout: Layout
    names: list[str]
    first: int
    width: int


def find_layout(head: str, name: str, encoding: str, options: ReadOptions, is_tsv: bool = False) -> Found:
    """Return the layout of a file, given its first lines.

    Raises:
        FileError: if the lines are no table.
    """
    directive = re.match(r'^"?sep=(.)"?[ \t;,]*\n', head, re.IGNORECASE)
    separator = options.separator or (directive.group(1) if directive else None)
    skipped = 1 if directive else 0
    if directive:
        head = head[directive.end() :]
    comment, commented_names = _comment(head) if options.comment is None else (options.comment, "")
    given = [separator] if separator else ["\t"] if is_tsv and "\t" in head else CANDIDATES
    best: tuple[tuple[float, ...], str, list[tuple[int, list[str]]], int, int] | None = None
    for place, candidate in enumerate(given):
        if candidate == " " and best is not None:
            continue  # blanks separate words, too
        if len(given) > 1 and candidate not in head:
            continue
        records = tokenize(head, candidate, comment)
        if not records:
            continue
        score, start, width = _consistency(records, candidate)
        if len(given) > 1 and (width < 2 or score[0] < MOSTLY):
            continue
        rank = (*score, -place)
        if best is None or rank > best[0]:
            best = rank, candidate, records, start, width
    if best is None:  # one column, or lines that agree on nothing
        records = tokenize(head, ",", comment)
        if not records:
            raise FileError(
                f"{name} has no lines but blank ones and comments", "a table needs a header and rows"
            )
        widest = max(len(cells) for _, cells in records)
        if widest > 1:
            counts = Counter(len(cells) for _, cells in records)
            width = len(records[0][1]) if len(records[0][1]) > 1 else counts.most_common(1)[0][0]
            start = next(i for i, (_, cells) in enumerate(records) if len(cells) == width)
            best = (0.0,), ",", records, start, width
        else:
            best = (1.0,), ",", records, 0, 1
    _, separator, records, start, width = best
    return _with_names(
        records, start, width, Layout(encoding, separator, True, comment, skipped), options, commented_names
    )


def _comment(head: str) -> tuple[str, str]:
    """Return the sign of comments, "" if there are none, and the last comment before the first row."""
    lines = [line for line in head.split("\n") if line.strip()]
    marked = [line.startswith(COMMENT) and not SHEET_ERROR.match(line) for line in lines]
    if not any(marked) or sum(marked) > len(lines) / 2 + 3:
        return "", ""
    leading = next((i for i, is_comment in enumerate(marked) if not is_comment), len(lines))
    if leading == 0 and not any(
        line.startswith((COMMENT + " ", COMMENT * 2)) for line in lines if line[0] == COMMENT
    ):
        return "", ""  # such as colors: #ff0000
    return COMMENT, lines[leading - 1].lstrip(COMMENT).strip() if leading else ""


def _consistency(records: list[tuple[int, list[str]]], separator: str) -> tuple[tuple[float, ...], int, int]:
    """Return how well lines agree on a number of cells, the first line that has it, and the number.

    How well: the fraction of the lines, whether the first agrees, and the fraction of clean cells.
    """
    widths = [len(cells) for _, cells in records]
    body = widths[len(widths) // 5 :]  # without what may stand before the header
    width = Counter(body).most_common(1)[0][0]
    agree = [each == width for each in widths]
    if len(widths) > 1 and widths[0] == width - 1 > 1 and all(agree[1:]):
        agree[0] = True  # R leaves out the name of the row names
    start = next(i for i, same in enumerate(agree) if same)
    rest = agree[start:]
    fraction = sum(rest) / len(rest)
    if start > max(20, len(agree) // 2):
        fraction = 0.0
    cells = [cell for _, row in records[start : start + 200] for cell in row]
    others = [other for other in CANDIDATES[:4] if other != separator]
    clean = sum(
        1 for cell in cells if NUMERIC.match(cell) or not any(other in cell for other in others)
    ) / max(len(cells), 1)
    if separator == " " and (start or not _are_blank_separated(records, width)):
        fraction = 0.0  # blanks within cells
    return (fraction, start == 0, clean), start, width


def _are_blank_separated(records: list[tuple[int, list[str]]], width: int) -> bool:
    """Return whether cells between blanks are whole: no other separator ends them, and some are numbers."""
    cells = [cell for _, row in records[:200] for cell in row]
    numbers = any(NUMERIC.match(cell) for cell in cells)
    body = [row for _, row in records[1:200]]
    return (
        numbers
        and all(len(row) == width for row in body)
        and not any(cell.endswith((",", ";", "|", "\t")) or "\t" in cell for cell in cells)
    )


def _with_names(
    records: list[tuple[int, list[str]]],
    start: int,
    width: int,
    layout: Layout,
    options: ReadOptions,
    commented: str,
) -> Found:
    """Complete a layout by the names of the columns."""
    line, first = records[start]
    body = [cells for _, cells in records[start + 1 : start + 1001] if len(cells) == width]
    others = [cells for cells in body if cells != first]
    if len(others) < len(body) and any(_typed(others, width)[1]) and is_header(first, others):
        body = others  # files with headers were put together
    skipped = layout.skipped + line - 1

    def make(header: bool, names: list[str], at: int, skip: int) -> Found:
        return Found(dataclasses.replace(layout, header=header, skipped=skip), names, at, width)

    numbered = [f"x{i + 1}" for i in range(width)]
    named = tokenize(commented, layout.separator) if options.header is None else []
    is_named = len(named) == 1 and len(named[0][1]) == width and not any(map(_is_value, named[0][1]))
    if is_named and any(map(_is_value, first)):
        return make(False, named[0][1], layout.skipped + line, skipped)
    if options.header is not None:
        has_names = options.header
    else:
        has_names = len(first) != width or is_header(first, body)
    if has_names:
        names = first if len(first) == width else [ROW_NAME, *first]
        if len(first) < width and not any(row[-1] for row in body):  # each row ends with a separator
            names = [*first, ""]
        if options.header is None and len(first) == width and not _has_telling_names(first, body):
            notice(
                f"the first line ({', '.join(map(repr, first[:3]))} ...) is taken for names, although no "
                f"column of numbers has one; if it holds values, use --no-header "
                f"(read=gg.ReadOptions(header=False))",
                "no-header",
            )
        rows_at = records[start + 1][0] if start + 1 < len(records) else line + 1
        return make(True, names, layout.skipped + rows_at, skipped)
    if options.header is None:
        notice(
            f"the first line holds values, not names ({', '.join(map(repr, first[:3]))} ...), so the columns "
            f"are named x1 to x{width}; if it holds names, use --header (read=gg.ReadOptions(header=True))",
            "no-header",
        )
    return make(False, numbered, layout.skipped + line, skipped)


def _typed(body: Sequence[Sequence[str]], width: int) -> tuple[list[list[str]], list[bool]]:
    """Return the cells of each column without missing ones, and whether all are numbers or dates."""
    columns = [[row[i] for row in body if row[i].lower() not in MISSING] for i in range(width)]
    return columns, [bool(column) and all(map(_is_value, column)) for column in columns]


def _has_telling_names(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Return whether a column of numbers or dates has a name, but for row numbers, which often have none."""
    columns, typed = _typed(body, len(first))
    if typed[:1] == [True] and not first[0] and len(set(columns[0])) == len(columns[0]) == len(body):
        typed[0] = not all(cell.isdigit() for cell in columns[0])
    heads = [cell for cell, is_typed in zip(first, typed, strict=True) if is_typed]
    return not heads or any(heads)


def is_header(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Return whether a line holds names rather than values, judged by the lines below it."""
    if not body or not any(first):
        return True
    columns, typed = _typed(body, len(first))
    heads = [cell for cell, is_typed in zip(first, typed, strict=True) if is_typed]
    if not any(heads):  # only words can tell: those of a row recur in their columns, names do not
        recurring = [cell in column for cell, column in zip(first, columns, strict=True) if cell]
        return not recurring or sum(recurring) < max(len(recurring) / 2, 1)
    if not all(_is_value(cell) or cell.lower() in MISSING for cell in heads):
        return True
    return _are_numbered_names(
        heads, [c for c, is_typed in zip(first, typed, strict=True) if not is_typed], columns
    )


def _are_numbered_names(heads: list[str], words: list[str], columns: list[list[str]]) -> bool:
    """Return whether numbers are names: consecutive years, or 0, 1, 2 ..."""
    if not all(head.isdecimal() for head in heads) or len(heads) < 2:
        return False
    numbers = list(map(int, heads))
    consecutive = all(b - a == 1 for a, b in itertools.pairwise(numbers))
    if not consecutive:
        return False
    if all(number in YEARS for number in numbers):
        return True
    return (
        numbers[0] in (0, 1)
        and len(numbers) > 2
        and not any(word in column for word in words for column in columns)
    )


def _is_value(cell: str) -> bool:
    """Return whether a cell can hardly be a name: a number, a date, true or false."""
    text = cell.strip()
    return bool(NUMERIC.match(text) or DATED.match(text)) or text.lower() in BOOLEAN
