"""The idx format of the MNIST files: an array with its shape, in one file, often compressed by gzip.

The first two bytes are 0, the third is the type, the fourth the number of axes; then the shape as big-endian
32-bit numbers, and the values. The labels of `train-images-idx3-ubyte` are in `train-labels-idx1-ubyte`
beside it.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ganglion.core.part import Array
from ganglion.errors import FileError
from ganglion.images.folders import PARTS

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
LARGEST_ARRAY = 2**32  # bytes: 4 GiB
MOST_AXES = 8
CHUNK = 2**24  # bytes read at a time, so that a false shape takes no memory
WORDS = (("images", "labels"), ("idx3", "idx1"))


def is_idx(path: Path) -> bool:
    """Return whether a file begins like an idx file, compressed or not."""
    try:
        with path.open("rb") as file:
            begin = file.read(4)
        if begin[:2] == b"\x1f\x8b":
            with gzip.open(path) as unpacked:
                begin = unpacked.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(begin) == 4 and begin[:2] == b"\0\0" and begin[2] in TYPES and 1 <= begin[3] <= MOST_AXES


def read_idx(path: Path) -> Array:
    """Return the array in an idx file.

    Raises:
        FileError: if the file is missing, is no idx file, or is shorter or longer than its shape says.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as stream:
            return _read(path, stream)  # type: ignore[arg-type]  # gzip's stream is one of bytes, too
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot read {path}: {' '.join(str(error).split())[:200]}") from error


def _read(path: Path, stream: BinaryIO) -> Array:
    begin = stream.read(4)
    if len(begin) < 4 or begin[:2] != b"\0\0" or begin[2] not in TYPES or not 1 <= begin[3] <= MOST_AXES:
        raise FileError(f"an idx file must begin with 0, 0, a type and its number of axes, {path} does not")
    axes = stream.read(4 * begin[3])
    if len(axes) < 4 * begin[3]:
        raise FileError(f"{path} ends within its shape", "copy or download it again")
    shape = tuple(int(size) for size in np.frombuffer(axes, ">u4"))
    dtype = np.dtype(TYPES[begin[2]])
    size = math.prod(shape) * dtype.itemsize
    if size > LARGEST_ARRAY:
        raise FileError(f"an idx file may hold 4 GiB, {path} says that it holds {size / 2**30:,.1f} GiB")
    data = bytearray()
    while len(data) < size and (more := stream.read(min(CHUNK, size - len(data)))):
        data += more
    if len(data) < size or stream.read(1):
        got = "fewer" if len(data) < size else "more"
        raise FileError(
            f"{path} must hold {size:,} bytes for its shape {shape}, it holds {got}", "copy it again"
        )
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def labels_beside(images: Path) -> Path | None:
    """Return the file of the labels of a file of images, if there is one."""
    name = images.name
    for word, other in WORDS:
        name = name.replace(word, other)
    plain = name.removesuffix(".gz")
    found = [images.with_name(each) for each in (plain, plain + ".gz") if each != images.name]
    return next((path for path in found if path.is_file()), None)


def idx_images(files: Sequence[Path]) -> list[tuple[Path, str]]:
    """Return the files of images among idx files, each with its part: train first, then validation, then
    test.

    The part is the word at the beginning of the name; "t10k" means test. It is "" where the name tells none.
    """
    found = [(path, _part(path.name)) for path in sorted(files) if not _holds_labels(path.name)]
    order = ["train", "validation", "test", ""]
    return sorted(found, key=lambda each: order.index(each[1]))


def _holds_labels(name: str) -> bool:
    return "labels" in name or "idx1" in name


def _part(name: str) -> str:
    words = name.lower().replace("_", "-").replace(".", "-").split("-")
    return next(("test" if word == "t10k" else PARTS[word] for word in words if word in {*PARTS, "t10k"}), "")
