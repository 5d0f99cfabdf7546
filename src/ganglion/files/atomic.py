"""Writing a file whole or not at all."""

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
        FileError: if it is no path, or no file can have it.
    """
    try:
        found = Path(path)
        found.is_file()
    except (TypeError, ValueError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileError(f"{shortened(path)} is no path of a file: {reason}") from error
    return found


def write_atomically(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Give `write` a temporary file in the same folder, flush it to disk, then rename it to `path`.

    Whatever goes wrong, a file that was at `path` stays as it was and no other is left behind.

    Raises:
        FileError: if the folder is missing or not writable, or the disk is full.
    """
    check_writable(path)
    target, temporary = as_path(path).resolve(), ""  # the file that a link points to, not the link
    try:
        if target.exists() and not target.is_file():  # a device or a pipe: nothing there to be lost
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
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileError(f"cannot write {target}: {reason}", "what was there before is unchanged") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise `FileError` now if a file could not be written to `path`, before long work is done for it."""
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
