"""The parameters of the estimators, each in one place: name, type, default, rule and text.

Constructors, docstrings and checks are made from the four tables below; type checkers read a table as a
dataclass. To add a parameter, add it to the table of the estimators that have it, and to `check_parameters`
if other parameters can leave it without effect.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, make_dataclass, replace
from typing import Any, TypeVar, cast, dataclass_transform

from ganglion.core.activations import Activation
from ganglion.core.layers import Layer
from ganglion.core.losses import Loss
from ganglion.errors import ConfigError, shortened
from ganglion.estimators import rules
from ganglion.estimators.rules import Rule, flag, integer, number, optional
from ganglion.training.callbacks import Callback, check_callbacks
from ganglion.training.optimizers import Optimizer
from ganglion.training.schedules import Schedule

T = TypeVar("T")
C = TypeVar("C", bound=type[Any])


@dataclass(frozen=True)
class Parameter:
    """One parameter of an estimator.

    `rule` checks a value; it is None where scikit-learn does. `is_neutral` returns whether a value changes
    nothing, so that it is accepted where the parameter has no effect.
    """

    default: Any
    rule: Rule | None
    text: str
    is_neutral: Callable[[Any], bool]
    annotation: str = ""
    keyword_only: bool = False


def parameter(default: T, rule: Rule | None, text: str, is_neutral: Callable[[T], bool] | None = None) -> T:
    """Return a `Parameter`; to a type checker, its default. Unless `is_neutral` is given, that is neutral."""

    def is_default(value: Any) -> bool:
        return value is default or (not rules.is_list(value) and bool(value == default))

    return cast("T", Parameter(default, rule, text, is_neutral or is_default))


@dataclass_transform()
def table(cls: C) -> C:
    """Move the parameters in the body of a class to `_parameters`, after those of its bases."""
    own, keyword_only = {}, False
    for name, annotation in inspect.get_annotations(cls).items():
        if name == "_":  # `_: KW_ONLY`: what follows is passed by name
            keyword_only = True
            continue
        own[name] = replace(vars(cls)[name], annotation=annotation, keyword_only=keyword_only)
        delattr(cls, name)
    inherited = [vars(base).get("_parameters", {}).items() for base in reversed(cls.__mro__)]
    cls._parameters = {name: one for items in (*inherited, own.items()) for name, one in items}
    return cls


def estimator(cls: C) -> C:
    """Give an estimator its constructor, which only stores, and the section `Args` of its docstring.

    The constructor is that of a dataclass. The estimator itself must not be one: Dask, for example, takes two
    instances of a dataclass with equal fields for the same, and these differ in what they have learned.
    """
    fields, lines = [], ["Args:"]
    for name, one in cls._parameters.items():
        fields.append((name, one.annotation, field(default=one.default, kw_only=one.keyword_only)))
        text = f"{name} ({one.annotation}, default {one.default!r}): {one.text}"
        lines.append(textwrap.fill(text, 106, initial_indent=" " * 4, subsequent_indent=" " * 8))
    made = make_dataclass(cls.__name__, fields, repr=False, eq=False, namespace={"__module__": __name__})
    cls.__init__ = vars(made)["__init__"]
    if cls.__doc__ is not None:  # it is with python -OO
        text = inspect.cleandoc(cls.__doc__)  # from Python 3.13 on, the compiler removes the indentation
        cls.__doc__ = text.replace("Attributes:", "\n".join([*lines, "", "Attributes:"]), 1)
    return cls


@table
class RegressorLoss:
    """The first parameter of the regressor."""

    loss: Loss | str = parameter(
        "squared_error",
        rules.loss,
        '"squared_error" (halved), "poisson" (the deviance of counts; the output activation is exp), '
        '"absolute_error", "huber", "quantile", or a `Loss` object.',
    )


@table
class CommonParameters:
    """The parameters that both estimators have; from `layers` on they are ganglion's own."""

    hidden_layer_sizes: int | Sequence[int] = parameter(
        (100,),
        rules.hidden_layer_sizes,
        "Number of units in each hidden layer.",
        lambda value: rules.hidden_layer_sizes("", value) == [100],
    )
    activation: Activation | str | Sequence[Activation | str] = parameter(
        "relu",
        rules.one_or_more(rules.activation),
        'Activation of the hidden layers: "identity", "logistic", "tanh", "relu", any other activation of '
        "ganglion by name or as an object, or a list with one for each hidden layer.",
    )
    _: KW_ONLY
    solver: Optimizer | str = parameter(
        "adam",
        rules.solver,
        '"adam", "sgd", "lbfgs", any other optimizer of ganglion by name, with `learning_rate_init` and its '
        "own defaults, or an `Optimizer` object, with all settings its own.",
    )
    alpha: float = parameter(
        0.0001,
        number(at_least=0),
        "L2 penalty: half of it times the sum of squared weights, divided by the sample weight of the batch, "
        "is added to the loss.",
    )
    batch_size: int | str = parameter("auto", rules.batch_size, 'Rows in each update; "auto" is min(200, n).')
    learning_rate: Schedule | str = parameter(
        "constant",
        rules.learning_rate,
        '"constant", "invscaling", "adaptive" (adam ignores the last two), or a `Schedule` object, with its '
        "own initial rate, for any solver given by name except lbfgs.",
        lambda value: isinstance(value, str),
    )
    learning_rate_init: float = parameter(
        0.001, number(above=0), "Initial learning rate, if neither `learning_rate` nor `solver` is an object."
    )
    power_t: float = parameter(
        0.5, number(at_least=0), '"invscaling" has the rate learning_rate_init / (rows seen + 1)**power_t.'
    )
    max_iter: int = parameter(200, integer(1), "Maximum number of epochs, or of iterations of lbfgs.")
    shuffle: bool = parameter(True, flag, "Whether to shuffle the rows before each epoch.")
    random_state: Any = parameter(
        None, None, "Seed or `RandomState` of all that is random; each call starts again from a seed."
    )
    tol: float = parameter(
        1e-4,
        number(at_least=0),
        "An epoch is stalled if the loss is not lower, or the validation score not higher, by this much. "
        "With lbfgs it bounds the gradient at the minimum.",
    )
    verbose: bool | int = parameter(False, rules.verbose, "Whether to print each epoch.")
    warm_start: bool = parameter(False, flag, "Whether `fit` continues from the current weights.")
    momentum: float = parameter(0.9, number(at_least=0, at_most=1), "Momentum of sgd.")
    nesterovs_momentum: bool = parameter(True, flag, "Whether the momentum of sgd is Nesterov's.")
    early_stopping: bool = parameter(
        False, flag, "Whether to hold out rows, stop when their score stalls, and keep the best weights."
    )
    validation_fraction: float = parameter(0.1, number(at_least=0, below=1), "Fraction of rows to hold out.")
    beta_1: float = parameter(0.9, number(at_least=0, below=1), "Decay rate of adam's first moment.")
    beta_2: float = parameter(0.999, number(at_least=0, below=1), "Decay rate of adam's second moment.")
    epsilon: float = parameter(1e-8, number(above=0), "Term in adam's denominator, for numerical stability.")
    n_iter_no_change: float = parameter(10, rules.patience, "Maximum number of consecutive stalled epochs.")
    max_fun: int = parameter(15000, integer(1), "Maximum number of loss evaluations of lbfgs.")
    layers: Sequence[Layer] | None = parameter(
        None,
        optional(rules.layers),
        "All layers, including the output layer, instead of `hidden_layer_sizes`, `activation`, "
        "`hidden_dropout` and `batch_normalization`. They start from their own initializers.",
    )
    hidden_dropout: float | Sequence[float] = parameter(
        0.0,
        rules.one_or_more(number(at_least=0, below=1)),
        "Fraction of units to drop after each hidden layer in training, or a list with one for each layer.",
        lambda value: not any(rules.as_list(value)),
    )
    batch_normalization: bool = parameter(
        False,
        flag,
        "Whether to normalize each hidden layer before its activation; it ignores sample weights.",
    )
    clip_norm: float | None = parameter(
        None, optional(number(above=0)), "A gradient with a larger norm is scaled down to this norm."
    )
    average: float | None = parameter(
        None,
        optional(number(above=0, below=1)),
        "Decay rate of a running mean of the weights, which then makes the predictions; 0.99 is usual.",
    )
    validation_data: Any = parameter(
        None,
        optional(rules.validation_data),
        "Validation rows instead of `validation_fraction`: (X, y), (X, y, sample_weight), or a splitter, of "
        "which the first split is used. Without `early_stopping` they are measured after each epoch and do "
        "not affect training. In a pipeline, pass a splitter: rows skip the steps before the network.",
    )
    scoring: Any = parameter(
        None,
        optional(rules.scoring),
        "Scorer for the validation rows, or its name in scikit-learn; None is accuracy or R2. It receives "
        "their sample weights if it accepts them.",
    )
    restore_best: bool | None = parameter(
        None,
        optional(flag),
        "Whether to keep the weights of the epoch with the best validation score, or without validation rows "
        "with the lowest training loss; None means only with `early_stopping`.",
        lambda value: not value,
    )
    callbacks: Sequence[Callback] = parameter(
        (),
        lambda _, value: check_callbacks(value),
        "Callbacks, which follow the run and may stop it.",
    )
    progress: bool = parameter(False, flag, "Whether to show a progress bar in a terminal.")
    max_seconds: float | None = parameter(
        None,
        optional(number(above=0)),
        "Time limit in seconds, at which training stops with a warning.",
    )
    n_jobs: int | None = parameter(None, rules.n_jobs, "Maximum number of threads; None uses all processors.")
    engine: str = parameter(
        "auto", rules.engine, '"native", "reference", or "auto": native if that knows every part.'
    )
    dtype: str | None = parameter(
        None, optional(rules.dtype), '"float32" or "float64", whatever the type of X; None follows X.'
    )


@table
class ClassifierParameters(CommonParameters):
    """The parameters of the classifier."""

    _: KW_ONLY
    class_weight: Mapping[Any, float] | Sequence[Mapping[Any, float]] | str | None = parameter(
        None,
        optional(rules.class_weight),
        'Weight of each class: a dict from label to weight, "balanced", or with several labels in each row a '
        "list with a dict for each. It multiplies `sample_weight`, also for validation rows.",
    )
    label_smoothing: float = parameter(
        0.0, number(at_least=0, below=1), "Probability to move from the true class to all classes, evenly."
    )


@table
class RegressorParameters(CommonParameters, RegressorLoss):
    """The parameters of the regressor."""

    _: KW_ONLY
    quantile: float = parameter(0.5, number(above=0, below=1), 'Quantile that the loss "quantile" estimates.')


def check_parameters(estimator: Any) -> None:
    """Check the parameters of an estimator: each by its rule, and that none of ganglion's own has no effect.

    scikit-learn's own are ignored silently where scikit-learn does so.

    Raises:
        ConfigError: for the first that fails.
    """
    values, parameters = vars(estimator), estimator._parameters
    for name, one in parameters.items():
        if one.rule is not None and name in values:
            one.rule(name, values[name])

    def refuse(names: Iterable[str], reason: str, hint: str = "leave it out") -> None:
        for name in names:
            if not parameters[name].is_neutral(values[name]):
                raise ConfigError(f"{name}={shortened(values[name])} has no effect {reason}", hint)

    solver = values["solver"]
    if not rules.is_stochastic(solver):
        hint = "leave it out, or use another solver"
        unavailable = ("clip_norm", "average", "validation_data", "restore_best", "learning_rate")
        refuse(unavailable, "with lbfgs", hint)
        reason = "that lbfgs could follow: its loss must be the same in every step"
        refuse(("hidden_dropout", "batch_normalization"), reason, hint)
    elif not isinstance(solver, str):
        reason = "next to an optimizer with its own settings"
        refuse(("clip_norm", "average", "learning_rate"), reason, f"pass it to gg.{type(solver).__name__}")
    if values["layers"] is not None:
        replaced = ("hidden_layer_sizes", "activation", "hidden_dropout", "batch_normalization")
        refuse(replaced, "next to layers, which replace it")
    if values.get("loss", "quantile") != "quantile":
        refuse(["quantile"], "without loss='quantile'", "pass loss='quantile' too")
