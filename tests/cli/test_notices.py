"""Notices on the command line: errors with --strict, silenced by name with --silence, a column with --notes."""

import ast
import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from commands import run
from ganglion.answers.report import figure
from ganglion.errors import NOTICES

TABLE = "a,b,t\n" + "1,u,x\n2,v,y\n" * 30
NEW = "a,b\n1,u\n,w\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(TABLE)
    Path("new.csv").write_text(NEW)
    code, _, error = run(capsys, "train", "t.csv", "--target", "t", "--epochs", "2", "--hidden", "4")
    assert code == 0, error
    return tmp_path


def test_strict_turns_a_notice_into_an_error(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = run(capsys, "predict", "t.safetensors", "new.csv", "--strict")
    assert (code, out) == (1, "")
    assert error.splitlines() == [
        "ganglion: column 'a': 1 missing, replaced by the median, 1.5 [missing-values]",
        "hint: leave out --strict, or silence it with --silence missing-values",
    ]
    both = "missing-values,unknown-categories"
    code, out, error = run(capsys, "predict", "t.safetensors", "new.csv", "--strict", "--silence", both)
    assert (code, error) == (0, "")
    assert run(capsys, "predict", "t.safetensors", "new.csv")[0] == 0  # it holds for one command only


def test_silence_by_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = run(capsys, "predict", "t.safetensors", "new.csv", "--silence=missing-values")[2]
    assert error == (
        "note: column 'b': 1 value of an unknown category, encoded as 0 in all categories: 'w' "
        "[unknown-categories]\n"
    )
    assert run(capsys, "show", "t.safetensors", "--silence")[0] == 2
    assert "no kind of notice 'A B'" in run(capsys, "show", "t.safetensors", "--silence", "A B")[2]


def test_notes_of_each_row(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "predict", "t.safetensors", "new.csv", "--notes", "--probabilities")[1]
    header, first, second = out.splitlines()
    assert header == "prediction,probability_x,probability_y,notes"
    assert first.endswith(",")
    assert "column 'a': 1 missing" in second
    assert "unknown category" in second


def test_silence_and_errors_in_python(here: Path) -> None:
    model = gg.TableModel.load("t.safetensors")
    try:
        gg.silence("missing-values")
        assert model.answer({"a": None, "b": "u"})["prediction"] in ("x", "y")
    finally:
        gg.silence()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=gg.GanglionNotice)
        for call in (model.predict, model.answer):
            with pytest.raises(gg.GanglionNotice, match="1 missing") as caught:
                call([{"a": None, "b": "u"}] if call == model.predict else {"a": None, "b": "u"})
            assert caught.value.name == "missing-values"


@settings(deadline=None)
@given(st.floats(min_value=1e-300, max_value=1e300) | st.sampled_from([1e-8, 1e12, 0.00012345]))
def test_a_printed_number_can_be_read(value: float) -> None:
    """It is the number within its four digits, however small or large."""
    for number in (value, -value):
        text = figure(number)
        assert float(text.replace(",", "")) == pytest.approx(number, rel=6e-4)
        assert len(text) <= 12


def names_in_the_source() -> set[str]:
    """Return the last argument of every call that makes a notice."""
    found = set()
    for path in Path(gg.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in ("notice", "GanglionNotice") and path.name != "errors.py":
                last = node.args[-1]
                assert len(node.args) == 2, f"a notice without a name in {path.name}, line {node.lineno}"
                assert isinstance(last, ast.Constant), f"a computed name in {path.name}, line {node.lineno}"
                found.add(last.value)
    return found


def test_the_guide_lists_all_names() -> None:
    guide = Path(__file__).parents[2] / "docs" / "guide" / "08-your-own-table.md"
    listed = re.findall(r"^\| `([a-z-]+)` \|", guide.read_text("utf-8"), re.MULTILINE)
    assert len(listed) == len(set(listed)) > 20
    assert set(listed) == names_in_the_source() == NOTICES
    gg.silence(*listed)  # each can be silenced
    gg.silence()


@pytest.mark.parametrize("name", ["missing-value", "", None, 3, ["missing-values"]])
def test_an_unknown_name_is_not_silenced(name: Any) -> None:
    with pytest.raises(gg.ConfigError, match=r"there is no kind of notice .* to silence"):
        gg.silence(name)
