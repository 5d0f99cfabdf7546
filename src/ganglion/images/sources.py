"""Where pictures come from, and what is known of each: folders, archives, tables of paths, arrays.

`open_images` lists pictures with their names and targets; nothing is decoded yet. To add a kind of source,
return a `Pictures` for it here.
"""

from __future__ import annotations

import dataclasses
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from ganglion.core.part import Array
from ganglion.errors import ConfigError, FileError, shortened
from ganglion.images.archives import open_place
from ganglion.images.arrays import (
    LabeledArray,
    as_labels,
    as_pictures,
    has_columns,
    label_columns,
    read_arrays,
    read_idx_files,
)
from ganglion.images.decoding import picture_format
from ganglion.images.folders import sort_files
from ganglion.images.idx import is_idx
from ganglion.images.listed import pictures_in_table, read_paths
from ganglion.images.places import Entry, Files, LeftOut, Place, Reader, as_path

TABLES = (".csv", ".tsv", ".txt", ".tab")
ARRAYS = (".npz", ".npy")
SOURCES = (
    "a folder, a zip archive, a table of paths (.csv), .npz, .npy or idx files, a picture, or a NumPy array"
)


@dataclass(frozen=True)
class Pictures:
    """A list of pictures that are not decoded yet.

    Args:
        names: of the pictures, for people: paths within the folder, or "row 7" of an array.
        place: where the files are; None for arrays.
        keys: what the place's reader takes, one for each picture; row numbers for arrays.
        targets: a column for each target, one row for each picture; None if the source has none. The column
            of class folders is "class", that of labels beside arrays is "label".
        parts: "train", "validation" or "test" for each picture; None if the source is not divided.
        left_out: files that are no pictures, or must not or cannot be read, with the reasons.
        array: the pictures themselves, of shape (n, height, width, channels), if they came as an array.
    """

    names: tuple[str, ...]
    place: Place | None
    keys: tuple[str, ...] | Array
    targets: pl.DataFrame | None = None
    parts: Array | None = None
    left_out: tuple[LeftOut, ...] = ()
    array: Array | None = None

    def __len__(self) -> int:
        return len(self.names)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Give a function that reads one picture, given its key: the bytes of its file, or its pixels.

        The function may be called from several threads, and raises `UnreadableError` for a file that cannot
        be read.
        """
        if self.place is None:
            assert self.array is not None
            yield self.array.__getitem__
            return
        with self.place.reading() as read:
            yield read

    def take(self, rows: Array, left_out: Sequence[LeftOut] = ()) -> Self:
        """Return some of the pictures.

        Args:
            rows: their positions.
            left_out: files to list as left out, besides those that are listed already.
        """
        keys = self.keys[rows] if isinstance(self.keys, np.ndarray) else tuple(self.keys[row] for row in rows)
        return dataclasses.replace(
            self,
            names=tuple(self.names[row] for row in rows),
            keys=keys,
            targets=None if self.targets is None else self.targets[rows],
            parts=None if self.parts is None else self.parts[rows],
            left_out=(*self.left_out, *left_out),
        )


def open_images(
    source: Any,
    *,
    labels: Any = None,
    path: str | None = None,
    target: str | Sequence[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
    classes: bool = True,
) -> Pictures:
    """List pictures and what is known of them.

    Args:
        source: one of
            - a folder or a zip archive with a folder for each class, which may lie in folders named train,
              validation (val) and test; or without folders, for pictures without classes;
            - a table of paths: a CSV file, a polars frame or a dict of columns;
            - an `.npz` file with arrays such as x and y or train_images and train_labels; an `.npy` or idx
              file, or a folder of idx files, with the labels beside them;
            - an array of shape (n, height, width) or (n, height, width, channels);
            - the path of one picture, or a list of such paths.
        labels: beside an array, one for each picture; for several targets a frame or a dict of columns,
            or an array with a column for each, which are named label_1, label_2 ...
        path: in a table, the column of the paths. By default it is the one that holds names of pictures.
        target: in a table, the column or columns to predict; by default all but the paths.
        folder: what the paths in a table are relative to, a folder or a zip archive. Files outside of it are
            not read. By default it is the folder of the CSV file, or for a frame the current one.
        classes: whether the folders of a folder or archive are classes, True by default; otherwise all
            pictures in it are listed, without targets.

    Returns:
        The pictures, in an order that does not depend on the file system.

    Raises:
        FileError: if the source is missing, damaged, or holds no pictures.
        DataError: if an array holds no pictures, or a table has no column of paths or not the given columns.
        ConfigError: if a setting does not apply to the source.

    >>> import numpy as np
    >>> from ganglion.images import open_images
    >>> pictures = open_images(np.zeros((3, 8, 8)), labels=["cat", "dog", "cat"])
    >>> len(pictures), pictures.targets.columns
    (3, ['label'])
    """
    kind = _kind(source)
    _check(kind, "labels", labels, ("array",))
    _check(kind, "path", path, ("table", "frame"))
    _check(kind, "target", target, ("table", "frame"))
    _check(kind, "folder", folder, ("table", "frame"))
    match kind:
        case "array":
            found = as_pictures(source)
            if has_columns(labels):
                columns = label_columns(labels, len(found))
                return dataclasses.replace(_of_array(LabeledArray(found, None)), targets=columns)
            return _of_array(LabeledArray(found, as_labels(labels, len(found))))
        case "paths":
            paths = [source] if isinstance(source, str | os.PathLike) else source
            entries = Files(tuple(map(as_path, paths)))
            return _of_entries(entries, entries.entries())
        case "frame" | "table":
            frame = read_paths(as_path(source)) if kind == "table" else pl.DataFrame(source)
            base = as_path(folder or (Path(source).parent if kind == "table" else "."))
            listed = pictures_in_table(frame, base, path, target)
            targets = None if listed.targets is None else listed.targets.fill_nan(None)
            return Pictures(listed.names, listed.place, listed.keys, targets, None, listed.left_out)
        case "numpy":
            return _of_array(read_arrays(as_path(source)))
        case "idx":
            given = as_path(source)
            files = sorted(each for each in given.iterdir() if is_idx(each)) if given.is_dir() else [given]
            return _of_array(read_idx_files(files))
    return _of_folder(open_place(as_path(source)), classes, str(source))


def _kind(source: Any) -> str:
    """Return what a source is: array, frame, paths, table, numpy, idx or folder (an archive, too)."""
    if isinstance(source, pl.DataFrame | dict):
        return "frame"
    if isinstance(source, list | tuple) and source and all(isinstance(s, str | os.PathLike) for s in source):
        return "paths"
    if not isinstance(source, str | os.PathLike):
        if isinstance(source, np.ndarray | list | tuple):
            return "array"
        raise ConfigError(f"pictures must come from {SOURCES}, got {shortened(source)}")
    path = as_path(source)
    if path.is_dir():
        inside = sorted(path.iterdir())
        only_files = not any(each.is_dir() for each in inside if not each.name.startswith("."))
        return "idx" if only_files and any(is_idx(each) for each in inside if each.is_file()) else "folder"
    if not path.is_file():
        raise FileError(f"{path} is neither a file nor a folder")
    ending = path.suffix.lower()
    if ending in TABLES:
        return "table"
    if ending in ARRAYS:
        return "numpy"
    with path.open("rb") as file:
        begin = file.read(64)
    if picture_format(begin):
        return "paths"
    if is_idx(path):
        return "idx"
    if zipfile.is_zipfile(path):
        return "folder"
    raise FileError(f"pictures must come from {SOURCES}, {path} is none of these")


def _check(kind: str, name: str, given: Any, kinds: tuple[str, ...]) -> None:
    if given is not None and kind not in kinds:
        meant = {"array": "NumPy arrays", "table": "tables of paths"}[kinds[0]]
        named = name == "target" and isinstance(given, list)
        shown = ", ".join(given) if named else shortened(given)
        raise ConfigError(f"{name} applies to {meant} only, got {shown}", "leave it out")


def _of_array(found: LabeledArray) -> Pictures:
    targets = None
    if found.labels is not None:
        columns = {"label": found.labels} if found.labels.ndim == 1 else {
            f"label_{place + 1}": found.labels[:, place] for place in range(found.labels.shape[1])
        }  # fmt: skip
        targets = pl.DataFrame({name: pl.Series(name, values.tolist()) for name, values in columns.items()})
        targets = targets.fill_nan(None)
        if targets.width > 1 and all(map(_is_yes_or_no, targets.get_columns())):
            targets = targets.cast(pl.Boolean)
    names = tuple(f"row {row}" for row in range(len(found.images)))
    parts = None if found.parts is None else np.array(found.parts)
    return Pictures(names, None, np.arange(len(names)), targets, parts, array=found.images)


def _is_yes_or_no(values: pl.Series) -> bool:
    """Return whether a column of several says for each picture whether it has one label: 0 or 1."""
    if values.dtype.is_numeric():
        return bool(values.drop_nulls().cast(pl.Float64).is_in([0.0, 1.0]).all())
    return values.dtype == pl.Boolean


def _of_folder(place: Place, classes: bool, name: str) -> Pictures:
    found = sort_files(place.entries(), classes=classes)
    if not found.entries:
        listed = [f"{each.name} {each.reason}" for each in found.left_out[:3]]
        raise FileError(f"{name} holds no pictures" + (": " + ", ".join(listed) if listed else ""))
    pictures = _of_entries(place, found.entries)
    return dataclasses.replace(
        pictures,
        targets=None if found.classes is None else pl.DataFrame({"class": found.classes}),
        parts=None if found.parts is None else np.array(found.parts),
        left_out=found.left_out,
    )


def _of_entries(place: Place, entries: Sequence[Entry]) -> Pictures:
    """Return the pictures of a place that may be read; the others are left out."""
    usable = [entry for entry in entries if not entry.problem]
    left_out = tuple(LeftOut(entry.name, entry.problem) for entry in entries if entry.problem)
    return Pictures(tuple(e.name for e in usable), place, tuple(e.key for e in usable), left_out=left_out)
