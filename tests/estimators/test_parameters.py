"""The table of parameters is what constructors, docstrings, the guide and type checkers say."""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest
import sklearn.neural_network

from ganglion.estimators import MLPClassifier, MLPRegressor
from ganglion.estimators.parameters import check_parameters

ROOT = Path(__file__).parents[2]
KINDS = pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
EXTENDED = ("activation", "solver", "learning_rate", "loss")  # scikit-learn's, with more values


def own_names(kind: Any) -> set[str]:
    """Return the parameters that scikit-learn does not have, or not with all their values."""
    theirs = getattr(sklearn.neural_network, kind.__name__)().get_params()
    return {name for name in kind._parameters if name in EXTENDED or name not in theirs}


@KINDS
def test_the_constructor_takes_and_stores_what_the_table_holds(kind: Any) -> None:
    signature = inspect.signature(kind).parameters
    assert {name: one.default for name, one in kind._parameters.items()} == vars(kind())
    assert list(signature) == list(kind._parameters)
    positional = [name for name, one in signature.items() if one.kind is one.POSITIONAL_OR_KEYWORD]
    assert positional == [n for n in ("loss", "hidden_layer_sizes", "activation") if n in signature]
    assert typing.get_type_hints(kind.__init__).keys() == {*signature, "return"}
    assert not set(signature) & set(dir(kind))  # an instance alone has them
    with pytest.raises(TypeError, match=rf"{kind.__name__}.__init__\(\) got an unexpected .* 'alhpa'"):
        kind(alhpa=1)


@KINDS
def test_the_docstring_explains_each_parameter_once(kind: Any) -> None:
    arguments = inspect.getdoc(kind).split("Args:\n")[1].split("\n\nAttributes:")[0]
    assert re.findall(r"^    (\w+) \(.*", arguments, re.MULTILINE) == list(kind._parameters)
    for name, one in kind._parameters.items():
        words = f"{name} ({one.annotation}, default {one.default!r}): {one.text}".split()
        assert " ".join(words) in " ".join(arguments.split())
        assert one.text.endswith(".")


@KINDS
def test_the_guide_explains_what_scikit_learn_does_not_have(kind: Any) -> None:
    rows = (ROOT / "docs" / "guide" / "from-scikit-learn.md").read_text("utf-8").splitlines()
    for name in own_names(kind):
        assert f"| `{name}` | {kind._parameters[name].text} |" in rows


@KINDS
def test_defaults_keep_the_rules_and_change_nothing(kind: Any) -> None:
    check_parameters(kind())
    assert all(one.is_neutral(one.default) for one in kind._parameters.values())
    assert [name for name, one in kind._parameters.items() if one.rule is None] == ["random_state"]
    for name in ("clip_norm", "layers", "dtype"):
        assert not kind._parameters[name].is_neutral([1, 2])


def test_values_that_change_nothing() -> None:
    table = MLPClassifier._parameters
    for name, values in {
        "hidden_layer_sizes": [100, (100,), [100]],
        "hidden_dropout": [0, [0.0, 0]],
        "restore_best": [False],
    }.items():
        assert all(table[name].is_neutral(value) for value in values)
    assert not table["hidden_layer_sizes"].is_neutral(())
    assert not table["activation"].is_neutral(["relu"])
    assert not table["hidden_dropout"].is_neutral([0, 0.1])


def test_estimators_are_no_dataclasses() -> None:
    """Dask would give two of them with the same parameters the same name, whatever they have learned."""
    assert not dataclasses.is_dataclass(MLPClassifier)


def test_a_derived_class_without_a_constructor_has_that_of_its_base() -> None:
    class Derived(MLPRegressor):
        pass

    assert Derived("poisson", 3, alpha=0.5).get_params() == MLPRegressor("poisson", 3, alpha=0.5).get_params()


def test_type_checkers_see_the_same_constructors(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    kinds = (MLPClassifier, MLPRegressor)
    lines = ["from ganglion.estimators import MLPClassifier, MLPRegressor"]
    lines += [f"reveal_type({kind.__name__}.__init__)" for kind in kinds]
    (tmp_path / "constructors.py").write_text("\n".join([*lines, "MLPClassifier(alhpa=1)"]), "utf-8")
    command = [sys.executable, "-m", "mypy", str(tmp_path / "constructors.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 'Unexpected keyword argument "alhpa" for "MLPClassifier"' in done.stdout
    revealed = [line for line in done.stdout.splitlines() if "Revealed type" in line]
    for kind, note in zip(kinds, revealed, strict=True):
        seen = note.split("(self: ")[-1].replace("*, ", "")
        assert re.findall(r"(\w+): ", seen) == list(kind._parameters)
