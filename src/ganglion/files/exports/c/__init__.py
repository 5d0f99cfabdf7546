"""Plain C99: one file without allocation and with a test of itself."""

from ganglion.files.exports.c.file import File
from ganglion.files.exports.job import Job, identifiers


def write(job: Job, name: str, int8: bool, header: bool = False) -> tuple[bytes, list[str]]:
    """Return a file in C, and what to tell the user.

    Args:
        job: what the file does.
        name: with which the names in it begin.
        int8: whether weights are a byte each.
        header: whether it is to be included by other files.

    Raises:
        ConfigError: for a part that C cannot have.
    """
    text, notes = File(job, identifiers([name])[0], header, int8).text()
    return text.encode(), notes
