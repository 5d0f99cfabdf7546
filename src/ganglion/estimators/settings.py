"""The parameters that both estimators share, and what each must be. To add one: a line in `RULES`."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ganglion.core.activations import Activation
from ganglion.errors import ConfigError, check_flag, check_integer, check_number, one_of, shortened
from ganglion.training.optimizers import Optimizer
from ganglion.training.schedules import Schedule

Rule = Callable[[str, Any], object]

RATES = ("constant", "invscaling", "adaptive")
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


def either(word: str, rule: Rule) -> Rule:
    """Return the rule that a parameter is one word or follows another rule."""
    return lambda name, value: word if isinstance(value, str) and value == word else rule(name, value)


def choice(*words: str) -> Rule:
    """Return the rule that a parameter is one of some words."""

    def check(name: str, value: Any) -> object:
        if not isinstance(value, str) or value not in words:
            raise ConfigError(
                f"{name} must be one of {', '.join(words)}, got {shortened(value)}",
                one_of(str(value), words),
            )
        return value

    return check


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _verbose(name: str, value: Any) -> object:
    return value if isinstance(value, bool | np.bool_) else check_integer(name, value, at_least=0)


def _patience(name: str, value: Any) -> object:
    if isinstance(value, numbers.Real) and value == math.inf:
        return value
    return check_integer(name, value, at_least=1)


def _learning_rate(name: str, value: Any) -> object:
    if isinstance(value, str):
        return choice(*RATES)(name, value)
    return Schedule.find(value)


def _solver(name: str, value: Any) -> object:
    return Optimizer.find(value)


def _activation(name: str, value: Any) -> object:
    return [find_activation(item) for item in (value if isinstance(value, tuple | list) else [value])]


def find_activation(value: Any) -> Activation:
    """Return the activation meant; scikit-learn's "logistic" is the sigmoid."""
    return Activation.find("sigmoid" if isinstance(value, str) and value == "logistic" else value)


def _dtype(name: str, value: Any) -> object:
    return choice(*DTYPES)(name, getattr(value, "name", getattr(value, "__name__", value)))


def _jobs(name: str, value: Any) -> object:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value == 0:
        raise ConfigError(
            f"{name} must be a whole number other than 0, or None, got {shortened(value)}",
            "-1 or None uses all processors",
        )
    return value


def _shares(name: str, value: Any) -> object:
    for item in value if isinstance(value, tuple | list) else [value]:
        check_number(name, _plain(item), at_least=0, below=1)
    return value


def _units(name: str, value: Any) -> object:
    return hidden_units(value)


def hidden_units(value: Any) -> list[int]:
    """Return how many units each hidden layer has; a number alone is one layer.

    Raises:
        ConfigError: for anything but whole numbers from 1.
    """
    sizes = list(value) if isinstance(value, Iterable) and not isinstance(value, str | Mapping) else [value]
    whole = all(isinstance(size, numbers.Integral) and not isinstance(size, bool) for size in sizes)
    if not whole or any(size <= 0 for size in sizes):
        raise ConfigError(f"hidden_layer_sizes must be > 0, got {shortened(value)}", "such as (100,)")
    return [int(size) for size in sizes]


RULES: dict[str, Rule] = {
    "hidden_layer_sizes": _units,
    "activation": _activation,
    "solver": _solver,
    "alpha": number(at_least=0),
    "batch_size": either("auto", integer(1)),
    "learning_rate": _learning_rate,
    "learning_rate_init": number(above=0),
    "power_t": number(at_least=0),
    "max_iter": integer(1),
    "shuffle": flag,
    "tol": number(at_least=0),
    "verbose": _verbose,
    "warm_start": flag,
    "momentum": number(at_least=0, at_most=1),
    "nesterovs_momentum": flag,
    "early_stopping": flag,
    "validation_fraction": number(at_least=0, below=1),
    "beta_1": number(at_least=0, below=1),
    "beta_2": number(at_least=0, below=1),
    "epsilon": number(above=0),
    "n_iter_no_change": _patience,
    "max_fun": integer(1),
    "hidden_dropout": _shares,
    "batch_normalization": flag,
    "clip_norm": optional(number(above=0)),
    "average": optional(number(above=0, below=1)),
    "restore_best": optional(flag),
    "progress": flag,
    "max_seconds": optional(number(above=0)),
    "n_jobs": optional(_jobs),
    "dtype": optional(_dtype),
}


def check_settings(settings: Mapping[str, Any]) -> None:
    """Check the parameters that have a rule here.

    Raises:
        ConfigError: for the first that breaks its rule.
    """
    for name, rule in RULES.items():
        rule(name, settings[name])
