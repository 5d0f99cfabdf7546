"""Exports: a model as a file that other programs run. The ending of its path picks the format, a module."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from ganglion.errors import ConfigError, one_of
from ganglion.files.atomic import as_path, write_atomically
from ganglion.files.exports.c import write_c
from ganglion.files.exports.html import write_html
from ganglion.files.exports.job import Answer as Answer, Job as Job
from ganglion.files.exports.onnx import write_onnx
from ganglion.files.exports.python import write_python
from ganglion.files.exports.sql import write_sql

Made = tuple[bytes, list[str]]
Format = Callable[[Job, str, bool], Made]


def _c(job: Job, name: str, int8: bool) -> Made:
    text, notes = write_c(job, name, header=False, int8=int8)
    return text.encode(), notes


def _h(job: Job, name: str, int8: bool) -> Made:
    text, notes = write_c(job, name, header=True, int8=int8)
    return text.encode(), notes


def _py(job: Job, name: str, int8: bool) -> Made:
    return write_python(job, name).encode(), []


def _onnx(job: Job, name: str, int8: bool) -> Made:
    return write_onnx(job, name), []


def _sql(job: Job, name: str, int8: bool) -> Made:
    return write_sql(job, name).encode(), []


def _html(job: Job, name: str, int8: bool) -> Made:
    return write_html(job, name).encode(), []


FORMATS: Mapping[str, Format] = {".c": _c, ".h": _h, ".html": _html, ".onnx": _onnx, ".py": _py, ".sql": _sql}
WITH_BYTES = ".c", ".h"


class Exportable(ABC):
    """What can be written to a file that other programs run."""

    @abstractmethod
    def job(self) -> Job:
        """Return what such a file does.

        Raises:
            ConfigError: for a column that no file can have.
        """

    def export(self, path: str | os.PathLike[str], *, int8: bool = False) -> list[str]:
        """Write the way from values to answers to a file that other programs run.

        Args:
            path: its ending is the format: `.c` or `.h` for plain C99 without allocation, `.html` for
                a page that works by itself, `.py` for
                Python that needs NumPy alone, `.onnx` for ONNX (`pip install 'ganglion[onnx]'`), `.sql` for a
                query, of small networks.
            int8: whether weights are a byte each, in C; False by default.

        Returns:
            What is to be known of the file, such as how far answers with weights of a byte differ.

        Raises:
            ConfigError: for an unknown ending, or a column or layer that the format cannot have.
            FileError: if the file cannot be written.
        """
        target = as_path(path)
        ending = target.suffix.lower()
        if ending not in FORMATS:
            raise ConfigError(
                f"the ending of an exported file must be one of {', '.join(FORMATS)}, got {target.name!r}",
                one_of(ending, FORMATS),
            )
        if int8 and ending not in WITH_BYTES:
            raise ConfigError(f"weights of a byte each are for {' and '.join(WITH_BYTES)}, got {ending}")
        content, notes = FORMATS[ending](self.job(), target.stem, int8)
        write_atomically(target, lambda stream: stream.write(content))
        return notes
