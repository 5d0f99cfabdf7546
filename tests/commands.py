"""The command line, run within the test's own process."""

from __future__ import annotations

import pytest

from ganglion.cli import main


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Return the exit code, standard output and standard error of a command."""
    code = 0
    try:
        main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    out, error = capsys.readouterr()
    return code, out, error
