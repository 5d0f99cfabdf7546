"""Rules for the parameters of the estimators, and what a checked value means.

A rule takes the name of a parameter and its value, and raises `ConfigError` if the value is not allowed.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ganglion.checks import check_flag, check_integer, check_number
from ganglion.core.activations import Activation
from ganglion.core.layers import Layer
from ganglion.core.losses import Loss
from ganglion.engines import check_name, thread_count
from ganglion.errors import ConfigError, one_of, shortened
from ganglion.optional import load
from ganglion.training.optimizers import Optimizer, StepOptimizer
from ganglion.training.schedules import Schedule

Rule = Callable[[str, Any], object]

RATES = ("constant", "invscaling", "adaptive")
LOSSES = ("squared_error", "poisson", "absolute_error", "huber", "quantile")
SYNONYMS = {"mse": "squared_error", "mae": "absolute_error", "swish": "silu"}
DTYPES = ("float32", "float64")


def number(**bounds: float) -> Rule:
    """Return the rule that a parameter is a number within bounds."""
    return lambda name, value: check_number(name, _plain(value), **bounds)


def integer(at_least: int) -> Rule:
    """Return the rule that a parameter is a whole number."""
    return lambda name, value: check_integer(name, value, at_least=at_least)


def flag(name: str, value: Any) -> object:
    """Check that a parameter is True or False."""
    return check_flag(name, bool(value) if isinstance(value, np.bool_) else value)


def optional(rule: Rule) -> Rule:
    """Return the rule that a parameter is None or follows another rule."""
    return lambda name, value: None if value is None else rule(name, value)


def one_or_more(rule: Rule) -> Rule:
    """Return the rule that a value, or each value of a list, follows another rule."""
    return lambda name, value: [rule(name, item) for item in as_list(value)]


def is_list(value: Any) -> bool:
    """Return whether a parameter gives each layer a value of its own."""
    return isinstance(value, tuple | list | range) or (isinstance(value, np.ndarray) and value.ndim > 0)


def as_list(value: Any) -> list[Any]:
    """Return a list of values, or a single value, as a list."""
    return list(value) if is_list(value) else [value]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def hidden_layer_sizes(name: str, value: Any) -> list[int]:
    """Return the number of units in each hidden layer; a single number means one layer.

    Raises:
        ConfigError: for anything but whole numbers from 1.
    """
    sizes = [_plain(size) for size in as_list(value)]
    whole = all(isinstance(size, numbers.Integral) and not isinstance(size, bool) for size in sizes)
    if not whole or not all(0 < size < 2**31 for size in sizes):
        raise ConfigError(f"{name} must be > 0, got {shortened(value)}", "whole numbers, such as (100,)")
    return [int(size) for size in sizes]


def activation(name: str, value: Any) -> Activation:
    """Return the activation that a value stands for; "logistic" is scikit-learn's name of the sigmoid.

    Raises:
        ConfigError: if there is none.
    """
    if isinstance(value, str):
        known = ["logistic", *Activation.known]
        classes = [kind.__name__ for kind in Activation.known.values()]
        if value not in known and value not in classes:
            synonym = SYNONYMS.get(value.lower(), value)
            raise ConfigError(f"there is no {name} {value!r}", one_of(synonym, known))
        value = "sigmoid" if value == "logistic" else value
    return Activation.find(value)


def solver(name: str, value: Any) -> str:
    """Return the name of the optimizer that a value stands for, in any spelling.

    Raises:
        ConfigError: if there is none.
    """
    if isinstance(value, str | Optimizer):
        return Optimizer.find(value).name
    raise ConfigError(
        f"{name} must be a name or a ganglion optimizer, got {shortened(value)}",
        "known: " + ", ".join(sorted(Optimizer.known)),
    )


def is_stochastic(solver: Any) -> bool:
    """Return whether a checked solver makes one update for each batch; lbfgs needs all rows at once."""
    return isinstance(Optimizer.find(solver), StepOptimizer)


def loss(name: str, value: Any) -> object:
    """Check that a value is the name of a regressor's loss, or a loss."""
    if isinstance(value, Loss) or (isinstance(value, str) and value in LOSSES):
        return value
    if not isinstance(value, str):
        raise ConfigError(
            f"{name} must be a name or a ganglion loss, got {shortened(value)}",
            "it is the first parameter: hidden_layer_sizes is the second",
        )
    known_name = SYNONYMS.get(value, value)
    hint = one_of(known_name, LOSSES)
    if known_name in Loss.known:
        hint = f"pass it as gg.{Loss.known[known_name].__name__}()"
    raise ConfigError(f"there is no {name} {value!r}", hint)


def learning_rate(name: str, value: Any) -> object:
    """Check that a value is one of scikit-learn's names, or a schedule."""
    if isinstance(value, Schedule) or (isinstance(value, str) and value in RATES):
        return value
    hint = one_of(str(value), RATES)
    if isinstance(value, numbers.Real):
        hint = f"pass the number as learning_rate_init={shortened(value)}"
    elif isinstance(value, str):
        hint += "; or a schedule, such as gg.CosineDecay(0.01, epochs=100)"
    raise ConfigError(f"{name} must be one of {', '.join(RATES)} or a schedule, got {shortened(value)}", hint)


def batch_size(name: str, value: Any) -> object:
    """Check that a value is a whole number from 1, or "auto"."""
    if isinstance(value, str) and value == "auto":
        return value
    try:
        return check_integer(name, value, at_least=1)
    except ConfigError as error:
        raise ConfigError(error.message, "or 'auto', which is min(200, rows)") from None


def patience(name: str, value: Any) -> object:
    """Check that a value is a whole number from 1, or infinity."""
    if isinstance(value, numbers.Real) and value == math.inf:
        return value
    return check_integer(name, value, at_least=1)


def verbose(name: str, value: Any) -> object:
    """Check that a value is True, False or a whole number from 0."""
    return value if isinstance(value, bool | np.bool_) else check_integer(name, value, at_least=0)


def layers(name: str, value: Any) -> object:
    """Check that a value is a list of layers."""
    if not isinstance(value, tuple | list) or not all(isinstance(layer, Layer) for layer in value):
        raise ConfigError(f"{name} must be a list of ganglion layers, got {shortened(value)}")
    return value


def validation_data(name: str, value: Any) -> object:
    """Check that a value is rows with targets and perhaps weights, or a splitter."""
    if isinstance(value, tuple | list):
        if len(value) in (2, 3):
            return value
        raise ConfigError(f"{name} must be (X, y) or (X, y, sample_weight), got {len(value)} items")
    if isinstance(value, str | type) or not callable(getattr(value, "split", None)):
        raise ConfigError(
            f"{name} must be (X, y), (X, y, sample_weight) or a splitter, got {shortened(value)}",
            "such as ShuffleSplit(1)",
        )
    return value


def scoring(name: str, value: Any) -> object:
    """Check that a value is a scorer or the name of one."""
    if isinstance(value, str):
        return load("sklearn.metrics", "sklearn").get_scorer(value)
    if not callable(value):
        raise ConfigError(f"{name} must be the name of one scorer, or a scorer, got {shortened(value)}")
    return value


def class_weight(name: str, value: Any) -> object:
    """Check that a value gives weights of classes, for one label in each row or for several."""
    for item in value if isinstance(value, list) and value else [value]:
        if isinstance(item, Mapping):
            for label, weight in item.items():
                check_number(f"the weight of class {shortened(label)}", _plain(weight), at_least=0)
        elif not (isinstance(item, str) and item == "balanced"):
            raise ConfigError(
                f"{name} must be a dict from label to weight, 'balanced', or with several labels in each row "
                f"a list with a dict for each, got {shortened(value)}"
            )
    return value


def n_jobs(name: str, value: Any) -> int | None:
    """Return a number of threads as joblib defines it: None and -1 mean all, -2 all but one."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not 0 < abs(int(value)) < 2**31:
        raise ConfigError(
            f"{name} must be a whole number other than 0, or None, got {shortened(value)}",
            "-1 or None uses all processors",
        )
    return int(value)


def threads(value: Any) -> int | None:
    """Return the number of threads that a checked `n_jobs` allows, None for all."""
    jobs = n_jobs("n_jobs", value)
    return jobs if jobs is None or jobs > 0 else max(1, thread_count() + 1 + jobs)


def engine(name: str, value: Any) -> object:
    """Check that a value is the name of an engine."""
    if not isinstance(value, str):
        raise ConfigError(f"{name} must be 'auto', 'native' or 'reference', got {shortened(value)}")
    return check_name(value)


def dtype(name: str, value: Any) -> object:
    """Check that a value is float32 or float64, as a name or a type."""
    word = getattr(value, "name", getattr(value, "__name__", value))
    if not isinstance(word, str) or word not in DTYPES:
        raise ConfigError(
            f"{name} must be one of {', '.join(DTYPES)}, got {shortened(word)}", one_of(str(word), DTYPES)
        )
    return word
