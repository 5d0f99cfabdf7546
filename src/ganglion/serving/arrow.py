"""Arrow: checks the messages of an Arrow stream or file before they are read.

The reader trusts the lengths that a message states, and reserves as much memory. Here each length is
compared with the bytes that there are. The layout is that of Message.fbs and File.fbs (Apache Arrow, "Arrow
Columnar Format", serialization and interprocess communication).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from ganglion.errors import DataError, FileError
from ganglion.serving.limits import check_columns, check_rows

MAGIC = b"ARROW1"
CONTINUATION = 0xFFFFFFFF
SCHEMA, DICTIONARY, RECORDS = 1, 2, 3  # kinds of messages
HINT = "write it with write_ipc_stream in polars, or an Arrow stream writer"


@dataclass(frozen=True)
class Fields:
    """A table of a FlatBuffer: numbered fields, each of which may be absent.

    Args:
        data: the whole buffer.
        start: where the table begins.
    """

    data: bytes
    start: int

    def place(self, number: int) -> int | None:
        """Return where a field begins, None if it is absent."""
        entries = self.start - self._read("<i", self.start)
        size = self._read("<H", entries)
        if 4 + 2 * number + 2 > size:
            return None
        offset = self._read("<H", entries + 4 + 2 * number)
        return self.start + offset if offset else None

    def number(self, number: int, form: str) -> int:
        """Return a field that is a number, 0 if it is absent."""
        place = self.place(number)
        return 0 if place is None else self._read(form, place)

    def table(self, number: int) -> Fields:
        """Return a field that is a table.

        Raises:
            FileError: if it is absent.
        """
        place = self.place(number)
        if place is None:
            raise FileError("the body is not valid Arrow: a message lacks its header", HINT)
        return Fields(self.data, place + self._read("<I", place))

    def vector(self, number: int) -> tuple[int, int]:
        """Return where the first item of a vector begins, and how many there are."""
        place = self.place(number)
        if place is None:
            return 0, 0
        start = place + self._read("<I", place)
        return start + 4, self._read("<I", start)

    def pairs(self, number: int) -> list[tuple[int, int]]:
        """Return a vector of pairs of 64-bit integers."""
        start, count = self.vector(number)
        if start + 16 * count > len(self.data):
            raise struct.error("a vector is longer than its message")
        return [struct.unpack_from("<qq", self.data, start + 16 * i) for i in range(count)]

    def _read(self, form: str, place: int) -> int:
        if place < 0:
            raise struct.error("an offset is negative")
        return int(struct.unpack_from(form, self.data, place)[0])


def read_arrow(data: bytes, most_rows: int) -> pl.DataFrame:
    """Return the table of an Arrow stream or file that is not compressed.

    Raises:
        FileError: if it is not valid Arrow.
        DataError: if it is compressed.
        TooLargeError: if it holds too many rows or columns.
    """
    is_file = data[:6] == MAGIC
    try:
        rows = 0
        for message, length in _of_file(data) if is_file else _of_stream(data):
            rows += _check_message(message, length)
            check_rows(rows, most_rows)
    except struct.error as error:
        raise FileError(f"the body is not valid Arrow: {error}", HINT) from error
    try:
        return pl.read_ipc(io.BytesIO(data)) if is_file else pl.read_ipc_stream(io.BytesIO(data))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise FileError(f"the body is not valid Arrow: {reason}", HINT) from error


def _of_stream(data: bytes) -> Iterator[tuple[Fields, int]]:
    """Yield the messages of a stream, each with the bytes that its body may take."""
    place = 0
    while place + 8 <= len(data):
        message, room = _message(data, place)
        if message is None:
            break
        if not place and message.number(1, "<B") != SCHEMA:
            raise FileError("the body is not an Arrow stream: it must begin with a schema", HINT)
        yield message, room
        place = len(data) - room + message.number(3, "<q")
    if not place:
        raise FileError("the body is not a whole Arrow stream: it has no schema", HINT)


def _of_file(data: bytes) -> Iterator[tuple[Fields, int]]:
    """Yield the messages of a file, which its footer lists, each with the bytes that its body may take."""
    size = int.from_bytes(data[-10:-6], "little")
    if len(data) < 22 or data[-6:] != MAGIC or size > len(data) - 18:
        raise FileError("the body is not a whole Arrow file", HINT)
    footer = _root(data[len(data) - 10 - size : len(data) - 10])
    check_columns(footer.table(1).vector(1)[1])
    for kinds in (2, 3):  # dictionaries, records
        start, count = footer.vector(kinds)
        for block in range(min(count, len(data))):
            offset, before, _ = struct.unpack_from("<qi4xq", footer.data, start + 24 * block)
            message, room = _message(data, offset) if offset >= 0 else (None, 0)
            if message is None or before != len(data) - room - offset:
                raise FileError("the body is not valid Arrow: its footer lists no message", HINT)
            yield message, room


def _message(data: bytes, place: int) -> tuple[Fields | None, int]:
    """Return the message at a place, None if it is the end, and how many bytes are left for its body."""
    mark, size = struct.unpack_from("<II", data, place)
    if mark != CONTINUATION:
        raise FileError("the body is not valid Arrow: a message lacks its mark", HINT)
    room = len(data) - place - 8 - size
    if room < 0:
        raise FileError("the body is not whole: an Arrow message ends too early", HINT)
    return (_root(data[place + 8 : place + 8 + size]), room) if size else (None, room)


def _root(data: bytes) -> Fields:
    return Fields(data, struct.unpack_from("<I", data)[0])


def _check_message(message: Fields, room: int) -> int:
    """Return the rows that a message adds to the table."""
    kind, length = message.number(1, "<B"), message.number(3, "<q")
    if not 0 <= length <= room:
        raise FileError("the body is not whole: an Arrow message ends too early", HINT)
    header = message.table(2)
    if kind == RECORDS:
        return _check_batch(header, length)
    if kind == DICTIONARY:
        _check_batch(header.table(1), length)
    elif kind == SCHEMA:
        check_columns(header.vector(1)[1])
    else:
        raise FileError(f"the body is not an Arrow table: it has a message of kind {kind}", HINT)
    return 0


def _check_batch(batch: Fields, length: int) -> int:
    """Return the rows of a batch after checking its lengths against those of its body."""
    if batch.place(3) is not None:
        raise DataError(
            "an Arrow body must not be compressed inside", "write it with compression='uncompressed'"
        )
    rows = batch.number(0, "<q")
    most = max(rows, 8 * length)
    for count, missing in batch.pairs(1):
        if not 0 <= count <= most or not 0 <= missing <= count:
            raise FileError("the body is not valid Arrow: a column has a wrong length", HINT)
    for offset, size in batch.pairs(2):
        if offset < 0 or size < 0 or offset + size > length:
            raise FileError("the body is not valid Arrow: a column lies outside its message", HINT)
    if rows < 0:
        raise FileError("the body is not valid Arrow: it has fewer than 0 rows", HINT)
    return rows
