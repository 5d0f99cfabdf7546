"""Images in an HTML page, one pixel for each number, without other libraries: PNG as a data URI."""

from __future__ import annotations

import base64
import html
import struct
import zlib

import numpy as np

from ganglion.core.part import Array

MOST_IMAGES = 16
SIDE = 56  # CSS pixels of the longer side


def image_cells(values: Array, largest: float) -> str:
    """Return a table cell with an image for each channel: blue is positive, orange negative, white 0.

    Args:
        values: (height, width, channels).
        largest: the size of a number that has the full color.
    """
    shown = np.moveaxis(values, -1, 0)[:MOST_IMAGES]
    images = "".join(_image(channel, largest, number) for number, channel in enumerate(shown))
    more = values.shape[-1] - len(shown)
    return f"<td colspan='64'>{images}{f' … {more} more' if more > 0 else ''}</td>"


def _image(values: Array, largest: float, number: int) -> str:
    height, width = (max(1, round(SIDE * side / max(values.shape))) for side in values.shape)
    style = f"width:{width}px;height:{height}px;image-rendering:pixelated;border:1px solid #999;margin:1px"
    words = html.escape(f"channel {number}, from {values.min():.4g} to {values.max():.4g}")
    data = base64.b64encode(png(colors(values / largest))).decode()
    return f"<img src='data:image/png;base64,{data}' title='{words}' alt='{words}' style='{style}'>"


def colors(strength: Array) -> Array:
    """Return blue for positive and orange for negative numbers, paler nearer 0, as uint8 of shape (..., 3).

    >>> colors(np.array([0.0, 1.0, -1.0])).tolist()
    [[255, 255, 255], [33, 102, 172], [224, 130, 20]]
    """
    strength = np.clip(np.nan_to_num(strength), -1, 1)[..., None]
    full = np.where(strength > 0, (33, 102, 172), (224, 130, 20))
    return (255 + (full - 255) * np.abs(strength)).round().astype(np.uint8)


def png(pixels: Array) -> bytes:
    """Return an image of uint8, (height, width, 3), as a PNG file (RFC 2083)."""
    height, width, _ = pixels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits for each of red, green, blue
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)  # each line begins with its filter: none
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks
