"""Pictures in a zip archive. Nothing is unpacked to disk, and no entry to more than one picture's size."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ganglion.errors import FileError
from ganglion.images.places import (
    LARGEST_FILE,
    Entry,
    Finder,
    Folder,
    Reader,
    UnreadableError,
    is_hidden,
    limited,
    reason_of,
    shown,
)


@dataclass(frozen=True)
class Archive:
    """A zip archive. Names that point out of it, links and encrypted files are not read."""

    path: Path

    def entries(self) -> list[Entry]:
        with self._opened() as archive:
            listed = archive.infolist()
        found, names = list[Entry](), set[str]()
        for info in listed:
            parts = tuple(shown(part) for part in info.filename.split("/") if part not in ("", "."))
            if info.is_dir() or not parts or any(map(_is_hidden, parts)):
                continue
            again = info.filename in names
            problem = "has the name of another file in the archive" if again else _problem_in_archive(info)
            found.append(Entry(parts, info.filename, problem))
            names.add(info.filename)
        return sorted(found, key=lambda entry: (entry.parts, entry.key, entry.problem))

    def finder(self) -> Finder:
        problems = {entry.key: entry.problem for entry in reversed(self.entries())}

        def find(name: str) -> tuple[str, str]:
            key = next((k for k in (name, name.replace("\\", "/").removeprefix("./")) if k in problems), name)
            return key, problems.get(key, "does not exist")

        return find

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        with self._opened() as archive:

            def read(key: str) -> bytes:
                try:
                    with archive.open(key) as stream:
                        return limited(stream)
                except UnreadableError:
                    raise
                except Exception as error:  # a damaged entry raises errors of many kinds
                    raise UnreadableError(f"is damaged in the archive: {reason_of(error)}") from error

            yield read

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            archive = zipfile.ZipFile(self.path)
        except Exception as error:  # its directory can be damaged in many ways
            raise FileError(f"{self.path} cannot be read as a zip archive: {reason_of(error)}") from error
        with archive:
            yield archive


def open_place(path: Path) -> Folder | Archive:
    """Return the folder or the zip archive at a path.

    Raises:
        FileError: if it is neither.
    """
    if path.is_dir():
        return Folder(path)
    if not path.exists():
        raise FileError(f"there is no folder or archive {path}")
    return Archive(path)


def _is_hidden(name: str) -> bool:
    return name == "__MACOSX" or (is_hidden(name) and not name.startswith(".."))


def _problem_in_archive(info: zipfile.ZipInfo) -> str:
    name = info.filename.replace("\\", "/")
    if name.startswith("/") or ":" in name.split("/")[0] or ".." in name.split("/"):
        return "has a path out of the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.file_size > LARGEST_FILE:
        return f"is larger than {LARGEST_FILE // 2**20} MiB"
    return ""
