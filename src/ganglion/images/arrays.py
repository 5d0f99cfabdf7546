"""Pictures that are arrays already: from NumPy, and from `.npy`, `.npz` and idx files.

All become bytes of shape (n, height, width, channels), from 0 (black) to 255 (white).
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ganglion.core.arrays import as_array
from ganglion.core.part import Array
from ganglion.errors import DataError, FileError, ShapeError, notice
from ganglion.images.folders import PARTS, TEST, TRAIN, VALIDATION
from ganglion.images.idx import LARGEST_ARRAY, idx_images, labels_beside, read_idx
from ganglion.images.places import shown

CHANNELS = (1, 3, 4)
CHUNK = 1024
IMAGE_WORDS = ("x", "image", "images", "data", "pictures")
LABEL_WORDS = ("y", "label", "labels", "target", "targets")


@dataclass(frozen=True)
class LabeledArray:
    """Pictures of one array.

    Args:
        images: bytes of shape (n, height, width, channels), channels being 1, 3 or 4 (the last one alpha).
        labels: one value or one row of values for each picture; None without labels.
        parts: "train", "validation" or "test" for each; None without parts.
    """

    images: Array
    labels: Array | None
    parts: tuple[str, ...] | None = None


def as_pictures(images: Any, what: str = "images") -> Array:
    """Return an array of pictures as bytes.

    Args:
        images: numbers of shape (n, height, width) or (n, height, width, channels): booleans; whole numbers
            from 0 to 255, in any dtype; 16-bit whole numbers (uint16), divided by 257; or fractions from 0 to
            1.
        what: the name of the array in messages.

    Raises:
        ShapeError: for another shape; DataError: for other values.
    """
    raw = as_array(what, images)
    if raw.ndim == 3:
        raw = raw[..., None]
    if raw.ndim != 4 or 0 in raw.shape[1:]:
        flat = "reshape rows of pixels first: X.reshape(-1, height, width)" if raw.ndim == 2 else ""
        raise ShapeError(
            f"{what} must have 3 axes (n, height, width) or 4, the last for channels, got {np.shape(images)}",
            flat,
        )
    if raw.shape[3] not in CHANNELS:
        first = raw.shape[1] in CHANNELS
        raise ShapeError(
            f"{what} must have 1, 3 or 4 channels on the last axis, got shape {raw.shape}",
            "move the channels: X.transpose(0, 2, 3, 1)" if first else "",
        )
    if raw.dtype == np.uint8:
        return np.ascontiguousarray(raw)
    return _as_bytes(raw, what)


def _as_bytes(raw: Array, what: str) -> Array:
    least, most = (raw.min(), raw.max()) if raw.size else (0, 0)
    if not (math.isfinite(least) and math.isfinite(most)):
        raise DataError(f"{what} must be finite, got NaN or infinity")
    factor = 1.0
    if raw.dtype == np.bool_ or (raw.dtype.kind == "f" and most <= 1):
        factor = 255.0
    elif raw.dtype == np.uint16 and most > 255:
        factor = 1 / 257
        notice("pixels of 16 bits are reduced to 8", "converted-pictures")
    if least < 0 or float(most) * factor > 255:
        raise DataError(
            f"{what} must lie from 0 to 255, or from 0 to 1 as fractions, got {least:g} to {most:g}",
            "scale them first; signals of any size are learned by gg.Network(gg.presets.signal_cnn(...))",
        )
    result = np.empty(raw.shape, np.uint8)
    for start in range(0, len(raw), CHUNK):  # so that the floats of all pictures are never in memory
        part = raw[start : start + CHUNK] * factor
        if factor == 1 and raw.dtype.kind == "f" and (part != np.rint(part)).any():
            raise DataError(
                f"{what} above 1 must be whole numbers, got fractions up to {most:g}", "scale them to 0 to 1"
            )
        result[start : start + CHUNK] = np.rint(part)
    return result


def as_labels(labels: Any, rows: int) -> Array | None:
    """Return labels as an array of shape (n,), or (n, targets) for several.

    Raises:
        ShapeError: if there is not one for each picture.
    """
    if labels is None:
        return None
    found = np.asarray(labels)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim not in (1, 2) or len(found) != rows:
        raise ShapeError(f"labels must be one for each of the {rows} pictures, got shape {found.shape}")
    return found


def has_columns(labels: Any) -> bool:
    """Return whether labels are columns with names: a dict, or a frame of polars or pandas."""
    return isinstance(labels, Mapping) or hasattr(labels, "columns")


def label_columns(labels: Any, rows: int) -> pl.DataFrame:
    """Return labels of several targets, a column for each, as a frame without NaN.

    Raises:
        ShapeError: if there is not one for each picture.
        DataError: if they are no columns of a table.
    """
    if not isinstance(labels, Mapping | pl.DataFrame):
        given = ((name, labels[name]) for name in labels.columns)
        labels = {str(name): each.astype(object).where(each.notna(), None).tolist() for name, each in given}
    try:
        frame = pl.DataFrame(labels, strict=False)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"labels must be columns of words or numbers: {' '.join(str(error).split())[:200]}"
        ) from error
    if frame.height != rows or not frame.width:
        raise ShapeError(f"labels must be one for each of the {rows} pictures, got shape {frame.shape}")
    return frame.fill_nan(None)


def read_arrays(path: Path) -> LabeledArray:
    """Return the pictures of an `.npy` or `.npz` file.

    An `.npz` file holds arrays named such as `x` and `y`, `images` and `labels`, `x_train`, `y_train`,
    `x_test` and `y_test`, or `train_images`, `train_labels` and so on.

    Raises:
        FileError: if the file is damaged, holds Python objects, or has no array named as one of pictures.
        DataError: if its arrays are no pictures, or their labels do not fit.
    """
    arrays = _load(path)
    if isinstance(arrays, np.ndarray):
        return LabeledArray(as_pictures(arrays, str(path.name)), None)
    images, labels = _by_part(arrays, IMAGE_WORDS), _by_part(arrays, LABEL_WORDS)
    if not images:
        raise FileError(
            f"{path} must hold an array of pictures named x, images, x_train or train_images, "
            f"it holds {', '.join(map(shown, arrays)) or 'none'}"
        )
    return _joined(
        [(part, name, arrays[name], arrays.get(labels.get(part, ""))) for part, name in images.items()]
    )


def read_idx_files(files: list[Path]) -> LabeledArray:
    """Return the pictures of idx files, and the labels of the files beside them.

    Raises:
        FileError: if a file is damaged, or none holds pictures.
    """
    found = []
    for path, part in idx_images(files):
        beside = labels_beside(path)
        found.append((part, path.name, read_idx(path), None if beside is None else read_idx(beside)))
    if not found:
        raise FileError(f"{files[0]} holds labels, not pictures", "name the file of the images")
    return _joined(found if len(found) == 1 or all(part for part, *_ in found) else found[:1])


def _joined(found: list[tuple[str, str, Any, Any]]) -> LabeledArray:
    """Return the arrays of several parts as one."""
    pictures = [as_pictures(images, name) for _, name, images, _ in found]
    if len({images.shape[1:] for images in pictures}) > 1:
        shapes = " and ".join(str(images.shape[1:]) for images in pictures)
        raise ShapeError(f"the pictures of all parts must have the same shape, got {shapes}")
    labels = [as_labels(each[3], len(images)) for each, images in zip(found, pictures, strict=True)]
    parts = [part for (part, *_), images in zip(found, pictures, strict=True) for _ in range(len(images))]
    return LabeledArray(
        pictures[0] if len(pictures) == 1 else np.concatenate(pictures),
        np.concatenate([each for each in labels if each is not None])
        if all(x is not None for x in labels)
        else None,
        tuple(parts) if len(found) > 1 else None,
    )


def _by_part(arrays: Mapping[str, Array], words: tuple[str, ...]) -> dict[str, str]:
    """Return the names of arrays for these words, by part; "" is the part of a name without one."""
    found = dict[str, str]()
    for name in arrays:
        pieces = name.lower().replace("-", "_").split("_")
        part = next((PARTS[piece] for piece in pieces if piece in PARTS), "")
        if len(pieces) == 1 + (part != "") and any(piece in words for piece in pieces):
            found.setdefault(part, name)
    if TRAIN in found:
        return {part: found[part] for part in (TRAIN, VALIDATION, TEST) if part in found}
    return {"": next(iter(found.values()))} if len(found) == 1 else {k: v for k, v in found.items() if not k}


def _load(path: Path) -> Array | dict[str, Array]:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return {
                    info.filename.removesuffix(".npy"): _load_stream(archive.open(info), info.file_size)
                    for info in archive.infolist()
                    if info.filename.endswith(".npy")
                }
        with path.open("rb") as file:
            return _load_stream(file, path.stat().st_size)
    except (FileError, MemoryError):
        raise
    except Exception as error:  # a damaged file raises errors of many kinds
        raise FileError(
            f"{path} cannot be read as NumPy arrays: {' '.join(str(error).split())[:200]}"
        ) from error


def _load_stream(stream: Any, size: int) -> Array:
    """Return the array of a stream of `size` bytes, after comparing its shape with the size."""
    with stream:
        version = np.lib.format.read_magic(stream)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = header[version](stream)
        if dtype.hasobject:
            raise FileError("arrays of Python objects are not read", "store them as numbers")
        claimed = math.prod(shape) * dtype.itemsize
        if claimed > min(size, LARGEST_ARRAY):
            raise FileError(f"an array says that it holds {claimed:,} bytes, more than the file or 4 GiB")
        data = bytearray()
        while len(data) < claimed and (more := stream.read(min(2**24, claimed - len(data)))):
            data += more
        found = np.frombuffer(data, dtype, math.prod(shape))
        return found.reshape(shape, order="F" if fortran else "C")
