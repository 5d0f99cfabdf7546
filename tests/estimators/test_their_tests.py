"""scikit-learn's own tests of its multilayer perceptrons, from the installed package, on ganglion's classes."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from unittest import mock

import pytest

from ganglion.estimators import MLPClassifier, MLPRegressor

PRIVATE = {
    "test_gradient": "calls the private method _loss_grad_lbfgs with lists of arrays to work in",
}


def load_tests() -> ModuleType:
    """Return their module of tests as it is with ganglion's classes in the place of theirs."""
    pytest.importorskip("sklearn")
    spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with (
        mock.patch("sklearn.neural_network.MLPClassifier", MLPClassifier),
        mock.patch("sklearn.neural_network.MLPRegressor", MLPRegressor),
    ):
        spec.loader.exec_module(module)
    return module


THEIRS = {name: value for name, value in vars(load_tests()).items() if name.startswith("test_")}
globals().update({name: value for name, value in THEIRS.items() if name not in PRIVATE})

# In their house warnings are no errors, and fits that end before convergence are part of the tests.
pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


@pytest.fixture
def global_random_seed() -> int:
    return 42


def test_all_but_the_named_ones_are_run() -> None:
    assert len(THEIRS) >= 43
    assert len(PRIVATE) <= 3
    assert set(PRIVATE) <= set(THEIRS)
