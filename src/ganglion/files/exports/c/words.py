"""Numbers, texts and comments in C."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganglion.core.part import Array
from ganglion.files.exports.inputs import Coded, CodedDate, CodedNumber, CodedPicture, CodedText, CodedWord


def number(value: float, kind: str) -> str:
    """Return a number in C."""
    if kind in ("int", "signed char", "unsigned int"):
        return str(int(value))
    if kind == "float":
        text = f"{float(np.float32(value)):.9g}"
        return f"{text}f" if "." in text or "e" in text else f"{text}.0f"
    text = repr(float(value))
    return text if "." in text or "e" in text else f"{text}.0"


def string(text: str | Array) -> str:
    """Return a text, or bytes, in C: all but letters, digits and a few signs as octal numbers."""
    raw = text.encode() if isinstance(text, str) else text.tobytes()
    plain = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-.,:;+=<>()/'#"
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in raw) + '"'


def comment(text: str, most: int = 90) -> str:
    """Return a text, so long at most, that cannot end a comment, nor begin one, a trigraph or a line."""
    shown = " ".join(text.split()).replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def kind(column: Coded) -> str:
    """Return the type of a column's values."""
    if isinstance(column, CodedPicture):
        return "const unsigned char *"
    return "double " if is_number(column) else "const char *"


def is_number(column: Coded) -> bool:
    """Return whether the values of a column are given as numbers."""
    return isinstance(column, CodedNumber) or (isinstance(column, CodedWord) and column.numeric)


def about(column: Coded) -> str:
    """Return what a column is, in words."""
    if isinstance(column, CodedPicture):
        size = " x ".join(map(str, column.shape))
        return f"{size} bytes: row after row from the top, the channels of a place side by side"
    if isinstance(column, CodedNumber):
        return f"{column.column}: {column.low:g} to {column.high:g}; NAN if missing"
    if isinstance(column, CodedText):
        return f"{column.column}: a text in UTF-8 and composed form (NFC)"
    if isinstance(column, CodedDate):
        return f"{column.column}: a date, such as 2026-01-31 or 2026-01-31 12:30:00"
    assert isinstance(column, CodedWord)
    return f"{column.column}: {', '.join(column.words[:5])}{', ...' if len(column.words) > 5 else ''}"


def value(given: Any, column: Coded) -> str:
    """Return a given of a column in C."""
    if is_number(column):
        return "NAN" if given is None else number(given, "double")
    if isinstance(column, CodedPicture):
        return f"(const unsigned char *){string(given)}"
    return "0" if given is None else string(given)
