"""The public names are those agreed on, documented, and loaded no earlier than they are used."""

import ast
import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ganglion as gg
import ganglion.estimators

SOURCE = Path(gg.__file__).parent
MODULES = (gg, gg.plot, gg.presets, gg.origins, gg.when, ganglion.estimators)
PATHS = ("ganglion", *(f"ganglion.{name}" for name in ("plot", "presets", "origins", "when", "estimators")))
OBJECTS = {
    f"{path}.{name}": getattr(module, name)
    for path, module in zip(PATHS, MODULES, strict=True)
    for name in module.__all__
    if not isinstance(getattr(module, name), ModuleType)
}
CLASSES = {name: found for name, found in OBJECTS.items() if inspect.isclass(found)}
HEAVY = {"polars", "rich", "cyclopts", "safetensors", "scipy", "pandas", "matplotlib", "sklearn"}


def test_public_names_are_those_agreed_on() -> None:
    """A name that comes or goes changes what people may write: change the list on purpose."""
    agreed = (Path(__file__).parent / "golden" / "public_names.txt").read_text(encoding="utf-8").split()
    assert sorted(OBJECTS) == agreed
    own = {name.removeprefix("ganglion.") for name in agreed if name.count(".") == 1}
    assert set(gg.__all__) == own | {"plot", "presets", "origins", "when"}
    assert set(gg.__all__) <= set(dir(gg))


def test_type_checkers_see_every_public_name() -> None:
    """A stub offers an imported name only where it is imported `as` itself."""
    for stub in SOURCE.rglob("*.pyi"):
        for node in ast.walk(ast.parse(stub.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    assert alias.asname == alias.name, f"{stub}, line {alias.lineno}"


def described(documentation: str) -> set[str]:
    """Return the names that the sections Args and Attributes of a docstring describe."""
    sections = re.findall(r"^(?:Args|Attributes):\n((?: +.*\n?|\n)*)", documentation, re.MULTILINE)
    named = re.findall(r"^ {4}(\w+(?:, \w+)*)(?: \(.*\))?:", "\n".join(sections), re.MULTILINE)
    return {name for names in named for name in names.split(", ")}


def test_described_names_are_found() -> None:
    documentation = inspect.cleandoc(gg.AdamW.__doc__ or "")
    assert {"weight_decay", "beta_1", "average"} <= described(documentation)
    assert not described("Down: along.\n\nReturns:\n    rate: a number.\n")


@pytest.mark.parametrize("name", CLASSES)
def test_a_public_class_has_its_own_docstring(name: str) -> None:
    found = CLASSES[name]
    own = vars(found).get("__doc__")
    assert own, f"{name} shows the docstring of its base"
    assert not own.startswith(f"{found.__name__}("), f"{name} shows the docstring that dataclasses make up"
    if "Made by `" in own:  # by another method, not by whoever reads this
        return
    maker = next(base for base in found.__mro__ if "__init__" in vars(base))
    ours = maker.__module__.startswith("ganglion.")
    parameters = list(inspect.signature(maker.__init__).parameters)[1:] if ours else []
    documented = {name for kind in (found, maker) for name in described(inspect.cleandoc(kind.__doc__ or ""))}
    missing = set(parameters) - documented
    assert not missing, f"{name} does not say what these are: {sorted(missing)}"


@pytest.mark.parametrize("name", OBJECTS)
def test_what_can_be_called_is_documented(name: str) -> None:
    found = OBJECTS[name]
    assert inspect.getdoc(found)
    if inspect.isclass(found):
        for member in (member for member in dir(found) if not member.startswith("_")):
            owner = next(base for base in found.__mro__ if member in vars(base))
            value = inspect.getattr_static(found, member)
            callable_ = callable(value) or isinstance(value, property | classmethod | staticmethod)
            if callable_ and owner.__module__.startswith("ganglion."):
                assert inspect.getdoc(getattr(found, member)) or inspect.getdoc(value), f"{name}.{member}"


def loaded_by(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {program}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_importing_loads_numpy_and_nothing_else_heavy() -> None:
    loaded = loaded_by("import ganglion")
    assert "numpy" in loaded
    assert not loaded & HEAVY
    ours = {name for name in loaded if name.startswith("ganglion")}
    assert ours == {"ganglion", "ganglion.insight", "ganglion.training"}  # of the last two, no room


def test_a_network_predicts_without_what_looks_inside() -> None:
    program = "import ganglion as gg; gg.Network([gg.Dense(1)], inputs=1).predict([[1.0]])"
    loaded = loaded_by(program)
    assert not loaded & (HEAVY - {"safetensors"})
    assert not [name for name in loaded if name.startswith("ganglion.insight.")]


def test_a_history_read_back_in_another_process_draws_itself() -> None:
    pytest.importorskip("matplotlib")
    packed = pickle.dumps(gg.History(loss=[1.0, 0.5]))
    program = f"import pickle; axes = pickle.loads({packed!r}).plot(); assert axes.lines"
    assert "ganglion.insight.plot.pictures" in loaded_by(program)
    assert "ganglion.network" not in loaded_by(program)


def imported_by_name(tree: ast.AST) -> list[Any]:
    """Return the first argument of each call of `load` and `import_module` that is a plain text."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    named = [call for call in calls if ast.unparse(call.func).split(".")[-1] in ("load", "import_module")]
    return [call.args[0].value for call in named if isinstance(call.args[0], ast.Constant)]


def test_no_room_is_imported_behind_the_back_of_the_import_contract() -> None:
    assert imported_by_name(ast.parse('a.load("ganglion.insight").b(1)')) == ["ganglion.insight"]
    for path in SOURCE.rglob("*.py"):
        names = imported_by_name(ast.parse(path.read_text(encoding="utf-8")))
        ours = [name for name in names if str(name).startswith("ganglion.")]
        assert set(ours) <= {"ganglion._native"}, path  # the compiled engine, which may be missing


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(gg, "Transformer")
