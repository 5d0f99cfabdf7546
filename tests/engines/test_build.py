"""The build of the native engine: each instruction set has its own copy of the code.

Each object file of an instruction set is compiled for that set only. If another file may define the same
symbol, such as a template of the standard library, the linker keeps one copy: possibly one that this
processor cannot run.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import ganglion as gg
from agreement import native_engine
from building import BUILD, ROOT

MODULE = native_engine().module


def symbols(path: Path, *options: str) -> dict[str, str]:
    """Return the names of a file's defined symbols, each with its kind as printed by `nm`."""
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("nm lists the symbols")
    listed = subprocess.run(
        [nm, "--defined-only", *options, str(path)], capture_output=True, text=True, check=True
    )
    return {name: kind for _, kind, name in map(str.split, listed.stdout.splitlines())}


def foreign(path: Path, instruction_set: str) -> set[str]:
    """Return the names outside the instruction set's namespace that the linker may merge with other files.

    A mangled name begins with its outermost namespace, after the letters for a table or a local variable.
    """
    own = re.compile(rf"_+Z(Z|T[VTIS]|GV|GR)*N[KVr]*8ganglion{len(instruction_set)}{instruction_set}")
    return {name for name, kind in symbols(path).items() if not kind.islower() and not own.match(name)}


@pytest.mark.parametrize("instruction_set", MODULE.instruction_sets())
def test_an_object_file_of_an_instruction_set_shares_no_symbol(instruction_set: str) -> None:
    files = list(BUILD.glob(f"**/engine_{instruction_set}.dir/**/engine.cpp.o*"))
    assert len(files) == 1, f"the engine's object files are not in {BUILD}: run `make native`"
    assert len(symbols(files[0])) > 100
    assert foreign(files[0], instruction_set) == set()


def test_a_template_of_the_standard_library_would_be_noticed(tmp_path: Path) -> None:
    """The same check on a file that breaks the rule."""
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    source = tmp_path / "engine.cpp"
    source.write_text(
        "#include <vector>\n"
        "namespace ganglion::best { int last(std::vector<int>& v) { v.push_back(1); return v.back(); } }"
    )
    subprocess.run([compiler, "-std=c++17", "-c", source.name], cwd=tmp_path, check=True)
    found = foreign(source.with_suffix(".o"), "best")
    assert any(name.startswith("_ZNSt6vectorIi") for name in found)
    assert not any(name.startswith("_ZN8ganglion") for name in found)


def test_the_extension_is_small_and_exports_one_symbol() -> None:
    path = Path(MODULE.__file__)
    assert path.stat().st_size <= 3 * 2**20
    assert set(symbols(path, "--dynamic")) - {"_init", "_fini"} == {"PyInit__native"}


def test_the_version_is_the_same_everywhere() -> None:
    for name, pattern in (("pyproject.toml", r'^version = "(.+)"$'), ("CITATION.cff", r"^version: (.+)$")):
        found = re.search(pattern, (ROOT / name).read_text(), re.MULTILINE)
        assert found is not None
        assert found[1] == gg.__version__, name
