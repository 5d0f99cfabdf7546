"""The parameters of the estimators: what each must be, and which do not go together.

To add one: a line in `RULES`, and one in `check_together` if it is without effect beside others.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ganglion.checks import check_flag, check_integer, check_number
from ganglion.core.activations import Activation
from ganglion.core.layers import Layer
from ganglion.core.losses import Loss
from ganglion.engines import check_name
from ganglion.errors import ConfigError, one_of, shortened
from ganglion.optional import load
from ganglion.training.callbacks import check_callbacks
from ganglion.training.optimizers import Optimizer
from ganglion.training.schedules import Schedule

Rule = Callable[[str, Any], object]

RATES = ("constant", "invscaling", "adaptive")
LOSSES = ("squared_error", "poisson", "absolute_error", "huber", "quantile")
OTHER_WORDS = {"mse": "squared_error", "mae": "absolute_error", "swish": "silu"}  # that people know them by
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


def _batch_size(name: str, value: Any) -> object:
    if isinstance(value, str) and value == "auto":
        return value
    try:
        return check_integer(name, value, at_least=1)
    except ConfigError as error:
        raise ConfigError(error.message, "or 'auto', which is min(200, rows)") from None


def _learning_rate(name: str, value: Any) -> object:
    if isinstance(value, Schedule) or (isinstance(value, str) and value in RATES):
        return value
    hint = one_of(str(value), RATES)
    if isinstance(value, numbers.Real):
        hint = f"pass the number as learning_rate_init={shortened(value)}"
    elif isinstance(value, str):
        hint += "; or a schedule, such as gg.CosineDecay(0.01, epochs=100)"
    raise ConfigError(f"{name} must be one of {', '.join(RATES)} or a schedule, got {shortened(value)}", hint)


def _solver(name: str, value: Any) -> object:
    return solver_name(value)


def solver_name(value: Any) -> str:
    """Return the name of the optimizer that a solver stands for, by whichever spelling.

    Raises:
        ConfigError: for anything that is no optimizer.
    """
    if isinstance(value, str | Optimizer):
        return Optimizer.find(value).name
    raise ConfigError(
        f"solver must be a name or a ganglion optimizer, got {shortened(value)}",
        "known: " + ", ".join(sorted(Optimizer.known)),
    )


def _activation(name: str, value: Any) -> object:
    return [find_activation(item) for item in listed(value)]


def find_activation(value: Any) -> Activation:
    """Return the activation meant; scikit-learn's "logistic" is the sigmoid.

    Raises:
        ConfigError: for anything that is none.
    """
    if isinstance(value, str):
        known = ["logistic", *Activation.known]
        classes = [kind.__name__ for kind in Activation.known.values()]
        if value not in known and value not in classes:
            other = OTHER_WORDS.get(value.lower(), value)
            raise ConfigError(f"there is no activation {value!r}", one_of(other, known))
        value = "sigmoid" if value == "logistic" else value
    return Activation.find(value)


def _loss(name: str, value: Any) -> object:
    if isinstance(value, Loss) or (isinstance(value, str) and value in LOSSES):
        return value
    if not isinstance(value, str):
        raise ConfigError(
            f"{name} must be a name or a ganglion loss, got {shortened(value)}",
            "it is the first parameter: hidden_layer_sizes is the second",
        )
    word = OTHER_WORDS.get(value, value)
    hint = one_of(word, LOSSES)
    if word in Loss.known:
        hint = f"pass it as gg.{Loss.known[word].__name__}()"
    raise ConfigError(f"there is no loss {value!r}", hint)


def _dtype(name: str, value: Any) -> object:
    return choice(*DTYPES)(name, getattr(value, "name", getattr(value, "__name__", value)))


def _engine(name: str, value: Any) -> object:
    if not isinstance(value, str):
        raise ConfigError(f"{name} must be 'auto', 'native' or 'reference', got {shortened(value)}")
    return check_name(value)


def check_jobs(name: str, value: Any) -> int | None:
    """Return a number of threads as it is meant by joblib: None for all, -1 too, -2 for all but one."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not 0 < abs(int(value)) < 2**31:
        raise ConfigError(
            f"{name} must be a whole number other than 0, or None, got {shortened(value)}",
            "-1 or None uses all processors",
        )
    return int(value)


def _shares(name: str, value: Any) -> object:
    for item in listed(value):
        check_number(name, _plain(item), at_least=0, below=1)
    return value


def is_several(value: Any) -> bool:
    """Return whether a parameter gives each layer a value of its own."""
    return isinstance(value, tuple | list | range) or (isinstance(value, np.ndarray) and value.ndim > 0)


def listed(value: Any) -> list[Any]:
    """Return several values, or one alone, as a list."""
    return list(value) if is_several(value) else [value]


def _layers(name: str, value: Any) -> object:
    if not isinstance(value, tuple | list) or not all(isinstance(layer, Layer) for layer in value):
        raise ConfigError(f"{name} must be a list of ganglion layers, got {shortened(value)}")
    return value


def _units(name: str, value: Any) -> object:
    return hidden_units(value)


def hidden_units(value: Any) -> list[int]:
    """Return how many units each hidden layer has; a number alone is one layer.

    Raises:
        ConfigError: for anything but whole numbers from 1.
    """
    sizes = [_plain(size) for size in listed(value)]
    whole = all(isinstance(size, numbers.Integral) and not isinstance(size, bool) for size in sizes)
    if not whole or not all(0 < size < 2**31 for size in sizes):
        raise ConfigError(
            f"hidden_layer_sizes must be > 0, got {shortened(value)}", "whole numbers, such as (100,)"
        )
    return [int(size) for size in sizes]


def _validation_data(name: str, value: Any) -> object:
    if isinstance(value, tuple | list):
        if len(value) in (2, 3):
            return value
        raise ConfigError(f"{name} must be (X, y) or (X, y, sample_weight), got {len(value)} things")
    if isinstance(value, str | type) or not callable(getattr(value, "split", None)):
        raise ConfigError(
            f"{name} must be (X, y), (X, y, sample_weight) or a splitter, got {shortened(value)}",
            "such as ShuffleSplit(1)",
        )
    return value


def _scoring(name: str, value: Any) -> object:
    if isinstance(value, str):
        return load("sklearn.metrics", "sklearn").get_scorer(value)
    if not callable(value):
        raise ConfigError(f"{name} must be the name of one scorer, or a scorer, got {shortened(value)}")
    return value


def _class_weight(name: str, value: Any) -> object:
    for item in value if isinstance(value, list) and value else [value]:
        if isinstance(item, Mapping):
            for label, weight in item.items():
                check_number(f"the weight of class {shortened(label)}", _plain(weight), at_least=0)
        elif not (isinstance(item, str) and item == "balanced"):
            raise ConfigError(
                f"{name} must be a dict of a weight for each label, 'balanced', or for several labels in "
                f"each row a list of such dicts, got {shortened(value)}"
            )
    return value


RULES: dict[str, Rule] = {
    "hidden_layer_sizes": _units,
    "activation": _activation,
    "solver": _solver,
    "alpha": number(at_least=0),
    "batch_size": _batch_size,
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
    "layers": optional(_layers),
    "hidden_dropout": _shares,
    "batch_normalization": flag,
    "clip_norm": optional(number(above=0)),
    "average": optional(number(above=0, below=1)),
    "validation_data": optional(_validation_data),
    "scoring": optional(_scoring),
    "restore_best": optional(flag),
    "callbacks": lambda _, value: check_callbacks(value),
    "progress": flag,
    "max_seconds": optional(number(above=0)),
    "n_jobs": check_jobs,
    "engine": _engine,
    "dtype": optional(_dtype),
    "class_weight": optional(_class_weight),
    "label_smoothing": number(at_least=0, below=1),
    "loss": _loss,
    "quantile": number(above=0, below=1),
}
# Whether a parameter that can be without effect has the value that asks for nothing.
IDLE: dict[str, Callable[[Any], bool]] = {
    "hidden_layer_sizes": lambda value: hidden_units(value) == [100],
    "activation": lambda value: isinstance(value, str) and value == "relu",
    "hidden_dropout": lambda value: not any(listed(value)),
    "batch_normalization": lambda value: not value,
    "clip_norm": lambda value: value is None,
    "average": lambda value: value is None,
    "validation_data": lambda value: value is None,
    "restore_best": lambda value: not value,
    "quantile": lambda value: bool(value == 0.5),
}


def check_settings(settings: Mapping[str, Any]) -> None:
    """Check the parameters, one by one and together.

    Raises:
        ConfigError: for the first that breaks its rule, or that would be without effect.
    """
    for name, rule in RULES.items():
        if name in settings:
            rule(name, settings[name])
    check_together(settings)


def check_together(settings: Mapping[str, Any]) -> None:
    """Check that no parameter of ganglion's would be without effect beside others.

    scikit-learn's own are ignored in silence where it does so.

    Raises:
        ConfigError: if one would.
    """

    def refuse(names: Iterable[str], beside: str, hint: str) -> None:
        for name in names:
            if not IDLE[name](settings[name]):
                raise ConfigError(f"{name}={shortened(settings[name])} has no effect {beside}", hint)

    solver, scheduled = settings["solver"], isinstance(settings["learning_rate"], Schedule)
    if solver_name(solver) == "lbfgs":
        alone = ("clip_norm", "average", "validation_data", "restore_best")
        refuse(alone, "with lbfgs", "leave it out, or use another solver")
        if scheduled:
            raise ConfigError("lbfgs has no learning rate, so no schedule of it", "use another solver")
        refuse(
            ("hidden_dropout", "batch_normalization"),
            "that lbfgs could follow: its loss must be the same in every step",
            "leave it out, or use another solver",
        )
    elif not isinstance(solver, str):
        refuse(("clip_norm", "average"), "beside an optimizer with settings of its own", "give it to that")
        if scheduled:
            raise ConfigError(
                "learning_rate has no effect beside an optimizer with settings of its own",
                f"give it to that: gg.{type(solver).__name__}(schedule)",
            )
    if settings["layers"] is not None:
        shapes = ("hidden_layer_sizes", "activation", "hidden_dropout", "batch_normalization")
        refuse(shapes, "beside layers, which say it all", "leave it out")
    if settings.get("loss", "quantile") != "quantile":
        refuse(["quantile"], "without loss='quantile'", "pass loss='quantile' too")
