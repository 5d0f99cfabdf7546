"""Where picture files lie, listed and read alike: here a folder, or paths one by one; `archives.py` adds zip.

A place lists its files without opening them. What must not be read, such as a link out of the folder, is
listed with the reason. Nothing is ever unpacked to disk. To add a kind of place, write a class with the
methods of `Place`.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ganglion.core.part import Array
from ganglion.errors import FileError, GanglionError, shortened

LARGEST_FILE = 2**28  # bytes of one picture's file: 256 MiB, unpacked
LONGEST_REASON = 120
Reader = Callable[[Any], "bytes | Array"]
Finder = Callable[[str], tuple[str, str]]


@dataclass(frozen=True)
class LeftOut:
    """A file that is not used.

    Args:
        name: its path within the folder or archive.
        reason: why it is not used, such as "is no picture".
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Entry:
    """A file in a place.

    Args:
        parts: its path within the place: folders, then its name, in Unicode's composed form.
        key: what the place's reader takes for it.
        problem: why it must not be read, "" if it may be.
    """

    parts: tuple[str, ...]
    key: str
    problem: str = ""

    @property
    def name(self) -> str:
        """The path within the place."""
        return "/".join(self.parts)


class UnreadableError(Exception):
    """A picture that cannot be read; the message is the reason. It never leaves this package."""


class Place(Protocol):
    """Where the files of pictures lie."""

    def entries(self) -> list[Entry]:
        """Return all files but hidden ones, sorted by path."""

    def finder(self) -> Finder:
        """Return a function from a path within the place, as people write it, to its key and problem."""

    def reading(self) -> AbstractContextManager[Reader]:
        """Return a context manager; it gives a function, from an entry's key to its bytes, for any thread.

        The function raises `UnreadableError` for a file that cannot be read.
        """


@dataclass(frozen=True)
class Folder:
    """A folder and all folders in it.

    Links are followed only to files within the folder.
    """

    path: Path

    def entries(self) -> list[Entry]:
        root, found = self.path.resolve(), list[Entry]()
        waiting: list[tuple[str, tuple[str, ...]]] = [(str(self.path), ())]
        while waiting:
            folder, parents = waiting.pop()
            try:
                with os.scandir(folder) as listing:
                    inside = [each for each in listing if not is_hidden(each.name)]
            except OSError as error:
                if not parents:
                    raise FileError(f"cannot open the folder {self.path}: {reason_of(error)}") from error
                found.append(Entry(parents, folder, f"cannot be opened: {reason_of(error)}"))
                continue
            if parents and not inside:
                found.append(Entry(parents, folder, "is an empty folder"))
            for each in inside:
                parts = (*parents, shown(each.name))
                if each.is_dir(follow_symlinks=False):
                    waiting.append((each.path, parts))
                else:
                    found.append(Entry(parts, each.path, _problem(each, root)))
        return sorted(found, key=lambda entry: (entry.parts, entry.key))

    def finder(self) -> Finder:
        root = self.path.resolve()

        def find(name: str) -> tuple[str, str]:
            try:
                path = next(
                    (p for p in (root / name, root / name.replace("\\", "/")) if p.exists()), root / name
                )
                inside = path.resolve().is_relative_to(root)
                return str(path), problem_of(path) if inside else "lies out of the folder"
            except (OSError, ValueError, RuntimeError) as error:
                return name, f"cannot be opened: {reason_of(error)}"

        return find

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        yield read_file


@dataclass(frozen=True)
class Files:
    """Files that the user named one by one; wherever they are, they may be read."""

    paths: tuple[Path, ...]

    def entries(self) -> list[Entry]:
        """Return the files in the user's order."""
        return [Entry((shown(str(path)),), str(path), problem_of(path)) for path in self.paths]

    def finder(self) -> Finder:
        return lambda name: (name, problem_of(Path(name)))

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        yield read_file


def as_path(source: str | os.PathLike[str]) -> Path:
    """Return a path, checked.

    Raises:
        FileError: if it is no path, or nothing is there.
    """
    try:
        path = Path(source)
        exists = path.exists()
    except (TypeError, ValueError, OSError) as error:
        raise FileError(f"{shortened(source)} is not a path: {reason_of(error)}") from error
    if not exists:
        raise FileError(f"there is no file or folder {shown(str(path))}")
    return path


def shown(name: str) -> str:
    """Return a name as it is shown and sorted everywhere: composed, without control characters."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Cs")
        else character
        for character in unicodedata.normalize("NFC", name)
    )


def read_file(key: str) -> bytes:
    """Return the bytes of a file.

    Raises:
        UnreadableError: if it is missing, too large, or not a regular file.
    """
    try:
        with open(key, "rb", opener=_without_waiting) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise UnreadableError("is not a regular file")
            return limited(stream)
    except (OSError, ValueError) as error:
        raise UnreadableError(f"cannot be opened: {reason_of(error)}") from error


def _without_waiting(path: str, flags: int) -> int:
    """Open a file, but never wait for a pipe that has taken its place."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def limited(stream: Any) -> bytes:
    """Return all bytes of a stream, if they are not too many."""
    data: bytes = stream.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise UnreadableError(f"is larger than {LARGEST_FILE // 2**20} MiB")
    return data


def is_hidden(name: str) -> bool:
    """Return whether a file is one that the system made, and no picture of the user."""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini")


def _problem(found: os.DirEntry[str], root: Path) -> str:
    try:
        if found.is_symlink():
            target = Path(found.path).resolve()
            if not target.is_relative_to(root):
                return "is a link out of the folder"
            if target.is_dir():
                return "is a link to a folder"
        return "" if found.is_file() else problem_of(Path(found.path))
    except (OSError, RuntimeError) as error:  # such as a link to itself
        return f"cannot be opened: {reason_of(error)}"


def problem_of(path: Path) -> str:
    """Return why a path is no file to read, "" if it is one."""
    try:
        if path.is_file():
            return ""
        return "is not a regular file" if path.exists() else "does not exist"
    except (OSError, ValueError) as error:
        return f"cannot be opened: {reason_of(error)}"


def reason_of(error: BaseException) -> str:
    """Return the reason that an error states, on one line."""
    if isinstance(error, GanglionError):
        return error.message
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:LONGEST_REASON] or type(error).__name__
