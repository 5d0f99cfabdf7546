"""Write a file atomically: completely or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ganglion.errors import FileError, shortened


def as_path(path: str | os.PathLike[str]) -> Path:
    """Return a path as a `Path`.

    Raises:
        FileError: if it is not a path, or not a valid one.
    """
    try:
        found = Path(path)
        found.is_file()
    except (TypeError, ValueError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileError(f"{shortened(path)} is not a path to a file: {reason}") from error
    return found


def write_atomically(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Call `write` with a temporary file in the same folder, flush it to disk and rename it to `path`.

    On failure an existing file at `path` is unchanged and no other file is left behind.

    Raises:
        FileError: if the folder is missing or not writable, or the disk is full.
    """
    check_writable(path)
    target, temporary = as_path(path).resolve(), ""  # follow a link instead of replacing it
    try:
        if target.exists() and not target.is_file():  # a device or a pipe holds no data to protect
            with target.open("wb") as stream:
                write(stream)
            return
        temporary = str(target.with_name(f".{secrets.token_hex(8)}.partial"))
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(temporary, target.stat().st_mode & 0o777)
        os.replace(temporary, target)
        _flush_folder(target.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileError(f"cannot write {target}: {reason}", "an existing file is unchanged") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _flush_folder(folder: Path) -> None:
    """Make the new name last, where the system lets a folder be opened: a power cut may undo it otherwise."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise `FileError` if `path` is not writable; call this before long work whose result goes there."""
    target = as_path(path)
    if target.is_dir():
        raise FileError(f"cannot write {target}: it is a folder", "give the name of a file")
    try:
        if not target.exists() or target.is_file():
            tempfile.TemporaryFile(dir=target.resolve().parent).close()
    except OSError as error:
        raise FileError(
            f"cannot write {target}: {error.strerror or error}", "choose another folder"
        ) from error
