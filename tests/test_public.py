import ast
import subprocess
import sys
from pathlib import Path

import ganglion as gg


def test_public_names_are_those_of_the_list() -> None:
    for module, names in gg.PUBLIC.items():
        for name in names:
            assert getattr(gg, name).__module__.startswith("ganglion"), (module, name)
    assert set(gg.__all__) <= set(dir(gg))


def test_what_type_checkers_see_is_the_same_list() -> None:
    tree = ast.parse(Path(gg.__file__).read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    seen = {n.module: {a.name for a in n.names} for n in block.body if isinstance(n, ast.ImportFrom)}
    modules: dict[str | None, set[str]] = {}
    for path in gg.MODULES.values():
        room, _, name = path.rpartition(".")
        modules.setdefault(room, set()).add(name)
    assert seen == {module: set(names) for module, names in gg.PUBLIC.items()} | modules


def test_every_public_class_is_documented() -> None:
    for name in gg.__all__:
        assert getattr(gg, name).__doc__, name


def test_importing_loads_numpy_and_nothing_else_heavy() -> None:
    program = "import sys, ganglion; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "numpy" in loaded
    assert not loaded & {"polars", "rich", "cyclopts", "safetensors", "scipy", "pandas", "ganglion.core"}
    program = "import sys, ganglion; ganglion.Network; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {
        "polars",
        "rich",
        "cyclopts",
        "scipy",
        "pandas",
        "ganglion.insight",
    }


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(gg, "Transformer")
