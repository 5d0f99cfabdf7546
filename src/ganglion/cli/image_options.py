"""Whether a source holds pictures or a table, which options apply to it, and the options for pictures."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ganglion.cli import joint
from ganglion.cli.console import AUTOMATIC, PictureFlags
from ganglion.cli.output import table_writer
from ganglion.errors import ConfigError, FileError, one_of
from ganglion.files.atomic import check_writable
from ganglion.image_model.mistakes import ENDINGS as SHEETS
from ganglion.images import Augmentation
from ganglion.images.decoding import picture_format
from ganglion.images.folders import ENDINGS
from ganglion.images.idx import is_idx
from ganglion.images.listed import has_paths
from ganglion.images.sources import ARRAYS, TABLES
from ganglion.tables.reading.sources import READERS

LOOKED_AT = 1_000  # files of a folder, until it is known what they are


def is_pictures(source: Path, flags: PictureFlags = AUTOMATIC) -> bool:
    """Return whether a source holds pictures rather than a table.

    A folder does if pictures lie in its folders, or more pictures than tables in itself; a zip archive if
    pictures lie in it; a text table if a column holds paths of pictures that exist.
    """
    try:
        if source.is_dir():
            return _is_folder_of_pictures(source)
        if not source.is_file():
            return False
        ending = source.suffix.lower()
        if ending in ARRAYS:
            return True
        if ending in TABLES:
            return flags.path is not None or flags.folder is not None or has_paths(source)
        with source.open("rb") as file:
            if picture_format(file.read(64)):
                return True
        return _is_archive_of_pictures(source) or is_idx(source)
    except OSError:
        return False  # the reader of tables says what is wrong


def _is_folder_of_pictures(folder: Path) -> bool:
    pictures = tables = 0
    inside, unknown = list[Path](), list[Path]()
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            inside.append(path)
        else:
            pictures += path.suffix.lower() in ENDINGS
            tables += path.suffix.lower() in READERS
            unknown.append(path)
    if pictures > tables:
        return True
    for parent, folders, names in (found for path in inside for found in os.walk(path)):
        folders.sort()
        unknown += [Path(parent, name) for name in sorted(names)]
        if any(Path(name).suffix.lower() in ENDINGS for name in names):
            return True
        if len(unknown) > LOOKED_AT:
            break
    return not tables and any(map(_begins_as_picture, unknown[:LOOKED_AT]))


def _begins_as_picture(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        begin = file.read(64)
    return bool(picture_format(begin)) or is_idx(path)


def _is_archive_of_pictures(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError):
        return False
    return any(Path(name).suffix.lower() in ENDINGS for name in names)


def refuse(options: Collection[str], path: Path, *, pictures: bool) -> None:
    """Raise `ConfigError` for the first of some options, which do not apply.

    Args:
        options: the names of those that were given, and do not apply.
        path: the source or the model that they do not apply to.
        pictures: whether it is one of pictures; otherwise of a table.
    """
    model = "models of " if path.suffix == joint.MODEL else ""
    apply, holds = ("tables", "pictures") if pictures else ("pictures", "a table")
    is_one = f"is one of {holds}" if model else f"holds {holds}"
    for name in options:
        raise ConfigError(
            f"--{name.replace('_', '-')} applies to {model}{apply}, and {path.name or path} {is_one}",
            "leave it out",
        )


def require_target(target: str | None, source: Path) -> str:
    """Return the target of a table, which must be named.

    Raises:
        FileError: if the source does not exist, is damaged, or holds neither a table nor pictures.
        ConfigError: if it is a table.
    """
    if target is not None:
        return target
    if not source.exists() and not any(sign in str(source) for sign in "*?[") and source.name != "-":
        raise FileError(f"there is no file or folder {source}")
    if source.is_dir() and not any(path.suffix.lower() in READERS for path in source.iterdir()):
        raise FileError(
            f"{source.name or source} holds neither pictures nor tables",
            "give a folder with a folder of pictures for each class, or a table",
        )
    if source.suffix.lower() == ".zip" and not zipfile.is_zipfile(source):
        raise FileError(f"{source} cannot be read as a zip archive", "it may be damaged: copy it again")
    raise ConfigError(
        f"--target must name the column of {source.name or source} to predict, got none",
        "such as --target price; folders of pictures need none",
    )


def check_sheet(path: Path) -> None:
    """Raise `ConfigError` unless a contact sheet can be written to a file of this name."""
    if path.suffix.lower() not in SHEETS:
        raise ConfigError(
            f"--mistakes must end in .png or .html, got {path.name}", one_of(path.suffix, SHEETS)
        )
    check_writable(path)


def size_of(text: str | None) -> int | tuple[int, int] | None:
    """Return the size in words such as 64 or 48x64.

    Raises:
        ConfigError: if it is none.
    """
    if text is None:
        return None
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise ConfigError(
            f"--size must be a number of pixels, or HEIGHTxWIDTH, got {text!r}", "such as --size 64"
        )
    sides = [int(part) for part in parts]
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])


def augmentation_of(text: str) -> Augmentation | str:
    """Return the augmentation in words such as flip,shift=0.1; "auto" and "none" stay.

    Raises:
        ConfigError: for an unknown change, or one out of range.
    """
    if text in ("auto", "none"):
        return text
    names = Augmentation.__dataclass_fields__
    settings = dict[str, Any]()
    for word in text.split(","):
        name, equals, value = (part.strip() for part in word.partition("="))
        if name not in names:
            raise ConfigError(
                f"--augment must be auto, none, or changes such as flip,shift=0.1, got {name!r}",
                one_of(name, ["auto", "none", *names]),
            )
        if name == "flip":
            settings[name] = value if equals else "horizontal"
            continue
        try:
            settings[name] = float(value)
        except ValueError as error:
            raise ConfigError(
                f"--augment {name} must have a number, got {word.strip()!r}", f"such as {name}=0.1"
            ) from error
    return Augmentation(**settings)


def check_output(out: Path | None, *inputs: Path) -> None:
    """Check a file to write answers to, before anything is computed.

    Raises:
        ConfigError: for an ending that is not that of a table, or one of the inputs.
        FileError: if it cannot be written.
    """
    if out is not None:
        table_writer(out)
        check_apart(out, *inputs)


def check_apart(out: Path, *inputs: Path) -> None:
    """Check a file to write to, before anything is computed.

    Raises:
        ConfigError: if it is one of the inputs.
        FileError: if it cannot be written.
    """
    if any(path.exists() and out.exists() and path.samefile(out) for path in inputs):
        raise ConfigError(f"the output must not be an input file, got {out}", "give another name")
    check_writable(out)
