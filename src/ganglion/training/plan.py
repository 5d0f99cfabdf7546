"""The plan of a run: the arguments of one call of `fit`, validated and encoded before anything changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.checks import check_flag, check_integer
from ganglion.core import random
from ganglion.core.activations import IDENTITY
from ganglion.core.architecture import Architecture
from ganglion.core.arrays import as_weight
from ganglion.core.inputs import count_rows, read_rows
from ganglion.core.losses import Loss, loss_for
from ganglion.core.model import Model
from ganglion.core.part import Array
from ganglion.core.regularization import Regularization
from ganglion.core.rows import Rows
from ganglion.errors import ConfigError, DataError, ShapeError, shortened
from ganglion.training.callbacks import Callback, check_callbacks
from ganglion.training.metrics import Metric, find_metric
from ganglion.training.optimizers import Optimizer
from ganglion.training.splitting import class_weights, split


@dataclass(frozen=True)
class Plan:
    """The validated arguments of one call of `fit`.

    `order` returns the order of an epoch's rows, given the number of the epoch. `report` multiplies the loss
    in reports and in L-BFGS's comparisons, but not its gradient. `offset` is a constant term that the loss
    omits; L-BFGS adds it when it compares losses. `places` are the numbers of the rows among those that the
    user gave, None if they are the same.
    """

    rows: Rows
    validation: Rows | None
    loss: Loss
    optimizer: Optimizer
    regularization: Regularization
    epochs: int
    batch_size: int
    order: Callable[[int], Array]
    metrics: Sequence[Metric]
    callbacks: Sequence[Callback]
    report: float = 1.0
    offset: float = 0.0
    places: Array | None = None


def make_plan(
    model: Model,
    X: Any,
    y: Any,
    *,
    loss: Loss | str | None,
    optimizer: Optimizer | str,
    epochs: int,
    batch_size: int,
    validation: Any,
    sample_weight: Any,
    class_weight: Mapping[int, float] | str | None,
    shuffle: bool,
    callbacks: Any,
    regularization: Regularization | None,
    metrics: Any,
) -> Plan:
    """Return the plan; the arguments are those of `Network.fit`.

    Raises:
        ConfigError, DataError, ShapeError: as `Network.fit` does.
    """
    chosen = pick_loss(model.architecture, loss)
    rows = encode_rows(model, chosen, X, y, sample_weight).check("training")
    held_out: Rows | None = None
    places: Array | None = None
    if isinstance(validation, tuple | list):
        if len(validation) not in (2, 3):
            raise ConfigError(
                f"validation must be a fraction, (X, y) or (X, y, sample_weight), got {len(validation)} items"
            )
        held_out = encode_rows(model, chosen, *validation).check("validation")
    elif validation is not None and not (isinstance(validation, int | float) and validation == 0):
        learn, hold_out = split(len(rows), validation, model.seed, chosen.classes(rows.y))
        held_out = rows.part(hold_out).check("validation")
        rows, places = rows.part(learn).check("training"), learn
    if class_weight is not None:
        count = max(model.architecture.outputs[-1], 2)
        weight = class_weights(chosen.classes(rows.y), count, class_weight)
        weight = weight if rows.sample_weight is None else weight * rows.sample_weight
        rows = Rows(rows.x, rows.y, weight.astype(model.dtype)).check("training")
    if metrics is None:
        usual = {"number": ["r2"], "several": []}.get(chosen.answers, ["accuracy"])
        metrics = usual if held_out is not None else []
    metrics = [metrics] if isinstance(metrics, str) else metrics
    if not isinstance(metrics, tuple | list):
        raise ConfigError(f"metrics must be a list of names, got {shortened(metrics)}")
    measured = {metric.name: metric for metric in (find_metric(name, chosen.answers) for name in metrics)}
    found = Optimizer.find(optimizer)
    size = min(check_integer("batch_size", batch_size, at_least=1), len(rows))
    return Plan(
        rows=rows,
        validation=held_out,
        loss=chosen,
        optimizer=found,
        regularization=check_regularization(regularization),
        epochs=check_integer("epochs", epochs, at_least=0),
        batch_size=size if found.makes_steps else len(rows),
        order=_orders(model.seed, len(rows), check_flag("shuffle", shuffle)),
        metrics=list(measured.values()),
        callbacks=check_callbacks(callbacks),
        places=places,
    )


def _orders(seed: int, rows: int, shuffle: bool) -> Callable[[int], Array]:
    in_order = np.arange(rows)
    return (lambda epoch: random.order(seed, epoch, rows)) if shuffle else (lambda _: in_order)


def pick_loss(architecture: Architecture, loss: Loss | str | None) -> Loss:
    """Return the given loss; for None, the one that suits the activation of the outputs.

    Raises:
        ConfigError: if the outputs are not valid predictions for the loss.
    """
    last = architecture.steps[-1]
    activation = architecture.answer_activation
    chosen = loss_for(activation) if loss is None else Loss.find(loss)
    if activation is not None:
        chosen.check_activation(activation)
    elif last.layer.is_built_in and last.parameters:
        chosen.check_activation(IDENTITY)  # the output of a normalization may be any number
    return chosen


def encode_rows(model: Model, loss: Loss, X: Any, y: Any, sample_weight: Any = None) -> Rows:
    """Return inputs, targets and sample weights in the form that engines take.

    Raises:
        DataError, ShapeError: for invalid rows or targets; names the first such row.
    """
    architecture, dtype = model.architecture, model.dtype
    x = read_rows(architecture.inputs, X, dtype)
    count = count_rows(x)
    encoded = loss.encode(y, architecture.outputs)
    if len(encoded) != count:
        raise ShapeError(f"X and y must have the same number of rows, got {count} and {len(encoded)}")
    with np.errstate(over="ignore"):
        targets: Array = np.ascontiguousarray(encoded, dtype=dtype)
    if np.isinf(targets).any():  # a joint loss uses NaN for a missing target
        row = np.argwhere(np.isinf(targets))[0][0]
        raise DataError(
            f"targets must fit {dtype.name}, got {encoded[row]} in row {row}", "use dtype='float64'"
        )
    return Rows(x, targets, as_weight(sample_weight, count, dtype))


def check_regularization(regularization: Any) -> Regularization:
    """Return the given regularization; for None, one that does nothing.

    Raises:
        ConfigError: for anything else.
    """
    if regularization is None:
        return Regularization()
    if not isinstance(regularization, Regularization):
        raise ConfigError(
            f"regularization must be a gg.Regularization, got {shortened(regularization)}",
            "such as gg.Regularization(l2=0.001)",
        )
    return regularization
