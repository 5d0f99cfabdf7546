"""Programs written for scikit-learn print the same after their import line is changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "from_scikit_learn"
PROGRAMS = sorted(FOLDER.glob("*.py"))
OURS = "from ganglion.estimators import MLPClassifier\n"
THEIRS = "from sklearn.neural_network import MLPClassifier\n"


def printed(program: Path) -> str:
    """Return what a program prints; it must not warn."""
    command = [sys.executable, "-W", "error", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_there_are_programs() -> None:
    assert len(PROGRAMS) == 5


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_one_line_decides_whose_class_it_is_and_not_what_is_printed(program: Path, tmp_path: Path) -> None:
    text = program.read_text("utf-8")
    assert text.count(OURS) == 1
    assert text.count("ganglion") == 1
    before = tmp_path / program.name
    before.write_text(text.replace(OURS, THEIRS), "utf-8")
    assert len(shown := printed(program)) > 200
    assert shown == printed(before)
