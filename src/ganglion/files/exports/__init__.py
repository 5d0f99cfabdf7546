"""Exports: a model as a file that other programs run. The ending of its path picks the format, a module."""

from __future__ import annotations

import importlib
import os
from abc import ABC, abstractmethod

from ganglion.errors import ConfigError, one_of
from ganglion.files.atomic import as_path, write_atomically
from ganglion.files.exports.job import Answer as Answer, Job as Job

# Each module has `write(job, name, int8)`, which returns the bytes of the file and what to tell the user. It
# is imported when it is used, so that those who only train start fast.
FORMATS = {
    ".c": "c",
    ".h": "c.header",
    ".html": "html",
    ".npz": "npz",
    ".onnx": "onnx",
    ".py": "python",
    ".safetensors": "tensors",
    ".sql": "sql",
}
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
            path: its ending is the format: `.c` or `.h` for plain C99 without allocation, `.html` for a page
                that works by itself, `.onnx` for ONNX (with the extra `onnx`), `.py` for Python that needs
                NumPy alone, `.sql` for a query, of small networks; `.npz` and `.safetensors` for the numbers
                of the network alone, by name.
            int8: whether weights are a byte each, in C; False by default.

        Returns:
            What is to be known of the file, such as how far answers with weights of a byte differ.

        Raises:
            ConfigError: for an unknown ending, or a column or layer that the format cannot have.
            FileError: if the file cannot be written.
            MissingPackageError: if the format needs a package that is not installed.
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
        module = importlib.import_module(f"{__name__}.{FORMATS[ending]}")
        content, notes = module.write(self.job(), target.stem, int8)
        write_atomically(target, lambda stream: stream.write(content))
        return list(notes)
