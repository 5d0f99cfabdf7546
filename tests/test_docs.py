"""Every code block of the documentation runs, and the output shown is the output there is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DRAWN = re.compile(r"^[\d. ]*[|+]|^\s+1\s+\d+ epochs$")


def shape(text: str) -> list[str]:
    """Return lines without what differs from machine to machine: digits, and the drawn curve."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not DRAWN.match(line)]
    return [re.sub(r"\s+", " ", re.sub(r"\d[\d.,e-]*", "0", line)) for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert found
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    assert shutil.which("ganglion", path=environment["PATH"])
    for language, block in found:
        if language == "python":
            exec(block, names)
        elif language == "console":
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, expected = part.partition("\n")
                done = subprocess.run(
                    command, shell=True, env=environment, capture_output=True, text=True, check=True
                )
                assert shape(done.stdout) == shape(expected), command


def test_the_figures_of_the_benchmark_are_those_of_its_results() -> None:
    """Every row of the README's table is a row of the table that the benchmark wrote."""
    results = (ROOT / "docs" / "benchmarks" / "results.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("<!-- the table is that of docs/benchmarks/results.md -->")[1].split("\n\n")[1]
    rows = table.strip().splitlines()
    assert len(rows) > 10
    for row in rows:
        assert row in results
    machine = results.split(";")[0]
    assert machine in readme
