"""Every code block of the documentation runs, and the output shown is the output there is."""

import re
import shutil
from pathlib import Path

import pytest
import reference
from docstrings import restructured
from pages import FENCE, MissingDataError, chapters, pages, run

ROOT = Path(__file__).parent.parent
DRAWN = re.compile(r"^[\d. ]*[|+]|^\s+1\s+\d+ epochs$")
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")
ANSWER = re.compile(r"<details>.*?</details>", re.DOTALL)
MOST_LINES = 30
# Programs beyond those of every Unix system that the commands of a page call.
PROGRAMS = {"08-your-own-table.md": "curl"}


def shape(text: str) -> list[str]:
    """Return lines without what differs from machine to machine: digits, and the drawn curve."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not DRAWN.match(line)]
    return [re.sub(r"\s+", " ", re.sub(r"\d[\d.,e-]*", "0", line)) for line in lines]


def assert_close(got: str, expected: str) -> None:
    """The same words, and numbers that differ no more than those of two kinds of processors."""
    assert NUMBER.sub("0", got).split() == NUMBER.sub("0", expected).split()
    pairs = zip(NUMBER.findall(got), NUMBER.findall(expected), strict=True)
    for mine, shown in ((float(a.replace(",", "")), float(b.replace(",", ""))) for a, b in pairs):
        assert mine == pytest.approx(shown, rel=0.02, abs=0.002), f"{got}\nis shown as\n{expected}"


@pytest.mark.parametrize("page", [ROOT / "README.md", *pages()], ids=lambda page: page.name)
def test_page(page: Path, tmp_path: Path) -> None:
    program = PROGRAMS.get(page.name, "sh")
    if not shutil.which(program):
        pytest.skip(f"the page's commands call {program}, which is not installed")
    try:
        blocks = run(page, tmp_path)
    except MissingDataError as error:
        pytest.skip(str(error))
    assert blocks
    for block in blocks:
        if block.language == "console":
            assert shape(block.got or "") == shape(block.text)
        elif block.language == "text":
            assert_close(block.got or "", block.text)
    for picture in re.findall(r"!\[.*?\]\((pictures/.*?)\)", page.read_text("utf-8")):
        assert (tmp_path / Path(picture).name).stat().st_size > 1000
        assert (page.parent / picture).is_file()


@pytest.mark.parametrize("page", chapters(), ids=lambda page: page.name)
def test_chapter(page: Path) -> None:
    """One thread of code of a readable length and three exercises with answers."""
    text = page.read_text("utf-8")
    answers = ANSWER.findall(text)
    assert len(answers) == 3
    assert all("```python" in answer for answer in answers)
    thread = [block for language, block in FENCE.findall(ANSWER.sub("", text)) if language == "python"]
    lines = [line for block in thread for line in block.splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES, f"{len(lines)} lines of code"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_numbers_said_are_numbers_shown(page: Path) -> None:
    text = page.read_text("utf-8")
    shown = " ".join(block for _, block in FENCE.findall(text))
    for number in re.findall(r"\d+\.\d+", FENCE.sub("", text)):
        assert number in shown, f"{number} is said, but not shown by any code"


@pytest.mark.parametrize("name", ["results", "images", "estimators"])
def test_the_figures_of_the_benchmark_are_those_of_its_results(name: str) -> None:
    """Every row of the README's tables is a row of the table that the benchmark wrote."""
    results = (ROOT / "docs" / "benchmarks" / f"{name}.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split(f"<!-- the table is that of docs/benchmarks/{name}.md -->")[1].split("\n\n")[1]
    rows = table.strip().splitlines()
    assert len(rows) > 10
    for row in rows:
        assert row in results


@pytest.mark.parametrize("name", ["results", "images"])
def test_the_machine_of_the_benchmark_is_named(name: str) -> None:
    results = (ROOT / "docs" / "benchmarks" / f"{name}.md").read_text(encoding="utf-8")
    machine = results.split("On ", 1)[1].split(";")[0]
    assert machine in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_public_object_has_a_page_in_the_reference(tmp_path: Path) -> None:
    agreed = (ROOT / "tests" / "golden" / "public_names.txt").read_text(encoding="utf-8").split()
    reference.write(tmp_path)
    assert {path.stem for path in tmp_path.glob("*.rst")} == {"index", *agreed}
    index = (tmp_path / "index.rst").read_text(encoding="utf-8")
    for name in agreed:
        text = (tmp_path / f"{name}.rst").read_text(encoding="utf-8")
        assert re.search(rf"^\.\. auto(class|function):: {re.escape(name)}$", text, re.MULTILINE)
        assert index.count(f" <{name}>`") == index.count(f" <{name}>\n") == 1, name


def test_a_page_shows_the_members_that_no_other_page_shows() -> None:
    kinds = {page.path: page.value for page in reference.pages()}
    assert {"fit", "history", "load"} <= set(reference.members(kinds["ganglion.Network"]))
    assert {"fit", "predict_proba", "to_sklearn"} <= set(
        reference.members(kinds["ganglion.estimators.MLPClassifier"])
    )
    assert "find" in reference.members(kinds["ganglion.Layer"])
    assert reference.members(kinds["ganglion.Dense"]) == []
    assert reference.bases(kinds["ganglion.AdamW"]) == [kinds["ganglion.Adam"]]
    assert reference.bases(kinds["ganglion.FileError"]) == [kinds["ganglion.GanglionError"], OSError]


def test_a_docstring_becomes_a_page() -> None:
    found = restructured("""Multiply `x` by w_: |x| * `gg.Network`.

    With y_ so:

        y_ = x * w_

    Args:
        x, w_: numbers (n, *shape),
            or `[1, 2]`.

    Returns:
        Two: a number.

    Raises:
        DataError, ShapeError: for *none*.

    >>> 2 * 3
    6
    """)
    assert [line for line in found if line] == [
        r"Multiply :py:obj:`x <x>` by w\_: \|x\| \* :py:obj:`gg.Network <ganglion.Network>`.",
        r"With y\_ so:",
        "::",
        "    y_ = x * w_",
        ":Parameters:",
        r"    * **x**, **w\_**: numbers (n, \*shape), or ``[1, 2]``.",
        ":Returns:",
        "    Two: a number.",
        ":Raises:",
        r"    * :py:exc:`DataError`, :py:exc:`ShapeError`: for \*none\*.",
        ">>> 2 * 3",
        "6",
    ]
