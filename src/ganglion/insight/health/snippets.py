"""A network and its training written as Python code to paste.

The code uses the names `gg`, `np`, `net`, `X` and `y`. Code that changes the rows defines `prepare`, and code
that changes the targets `relabel`; each is a function of new rows or targets. Rows to predict for later must
go through `prepare` too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ganglion.core.activations import Activation, Sections
from ganglion.core.architecture import Architecture
from ganglion.core.inputs import plain_inputs
from ganglion.core.layers import Layer
from ganglion.core.losses import Loss, loss_for
from ganglion.core.part import Part
from ganglion.core.regularization import Regularization
from ganglion.training.optimizers import StepOptimizer
from ganglion.training.schedules import ConstantRate


def value_code(value: Any) -> str:
    """Return a setting as code, without the arguments that have their default.

    >>> value_code(gg.Dense(16, "relu")), value_code(gg.Adam(0.01)), value_code(gg.LeakyReLU(0.2))
    ("gg.Dense(16, 'relu')", 'gg.Adam(0.01)', 'gg.LeakyReLU(0.2)')
    """
    if isinstance(value, ConstantRate):
        return repr(float(value.learning_rate)).removesuffix(".0")
    if isinstance(value, Regularization):
        return f"gg.{value!r}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {value_code(each)}' for name, each in value.items())}}}"
    if isinstance(value, tuple) and any(isinstance(each, Part | tuple) for each in value):
        return f"[{', '.join(map(value_code, value))}]"
    if not isinstance(value, Part):
        return repr(value)
    module = "gg." if value.is_built_in else ""
    arguments: list[str] = []
    by_name = False
    for field in dataclasses.fields(value):
        own, default = getattr(value, field.name), field.default
        if isinstance(own, Part) and isinstance(default, str):
            default = own.find(default)
        if isinstance(own, ConstantRate) and isinstance(value, StepOptimizer):
            default = ConstantRate(value.usual_rate)
        if not field.init or own == default:
            by_name = True
            continue
        code = value_code(own)
        plain = isinstance(own, Activation) and not isinstance(own, Sections)
        if plain and own.is_built_in and own == type(own)():
            code = repr(own.name)
        arguments.append(f"{field.name}={code}" if by_name or field.kw_only else code)
    return f"{module}{type(value).__name__}({', '.join(arguments)})"


def network_code(
    architecture: Architecture, layers: Sequence[Layer], seed: int, dtype: str, inputs: str = ""
) -> str:
    """Return the line that builds a network with these layers."""
    given = inputs or value_code(plain_inputs(architecture.inputs))
    rest = [f"inputs={given}"]
    rest += [f"seed={seed}"] if seed else []
    rest += [f"dtype={dtype!r}"] if dtype != "float32" else []
    return f"net = gg.Network([{', '.join(map(value_code, layers))}], {', '.join(rest)})"


def fit_code(settings: dict[str, Any], loss: Loss, output: Activation | None) -> str:
    """Return the line that trains, with the settings that are not None."""
    given = {name: value for name, value in settings.items() if value is not None}
    words = [f"{name}={value if name == 'callbacks' else value_code(value)}" for name, value in given.items()]
    if loss != loss_for(output):
        plain = loss.is_built_in and loss == type(loss)()
        words.insert(0, f"loss={repr(loss.name) if plain else value_code(loss)}")
    return f"net.fit(X, y, {', '.join(words)})"
