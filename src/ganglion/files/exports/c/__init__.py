"""Plain C99: one file without allocation and with a test of itself."""

from ganglion.files.exports.c.file import File
from ganglion.files.exports.job import Job, identifiers


def write_c(job: Job, stem: str, header: bool = False, int8: bool = False) -> tuple[str, list[str]]:
    """Return the text of a file in C, and what to tell the user.

    Args:
        job: what the file does.
        stem: with which the names in it begin.
        header: whether it is to be included by other files.
        int8: whether weights are a byte each.

    Raises:
        ConfigError: for a part that C cannot have.
    """
    return File(job, identifiers([stem])[0], header, int8).text()
