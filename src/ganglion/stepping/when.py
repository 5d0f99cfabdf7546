"""Conditions to look for in a run: functions of a `gg.Stepper`, for `Stepper.bisect`.

Any function of a stepper that returns True or False will do; these are the usual ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ganglion.checks import check_number
from ganglion.core.inputs import take_rows
from ganglion.core.rows import Rows
from ganglion.insight.trace.places import layer_place, parameter_place, place_in
from ganglion.stepping.stepper import Stepper

__all__ = ["loss_above", "loss_below", "passes", "unit_is_silent"]
Condition = Callable[[Stepper], bool]
ROWS_AT_ONCE = 1024


def unit_is_silent(layer: str, unit: int | Sequence[int]) -> Condition:
    """Return the condition that a unit gives exactly 0 for every training row, as a dead ReLU does.

    Args:
        layer: its name, such as "dense_2".
        unit: its index; one number per axis if the output has several axes.

    >>> net = gg.Network([gg.Dense(1, "relu")], inputs=1)
    >>> net.parameters = [-1, 0]
    >>> gg.when.unit_is_silent("dense_1", 0)(gg.Stepper(net, [[1], [2]], [0, 0]))
    True
    """

    def condition(stepper: Stepper) -> bool:
        model = stepper.network.model
        number = layer_place(model.architecture, layer)
        place = place_in(layer, unit, model.architecture.steps[number].shape)
        rows: Rows = stepper.rows
        everything: tuple[Any, ...] = (slice(None), *place)
        for first in range(0, len(rows), ROWS_AT_ONCE):
            piece = slice(first, min(first + ROWS_AT_ONCE, len(rows)))
            _, passed = model.architecture.forward(model.views, take_rows(rows.x, piece))
            if passed[number].a[everything].any():
                return False
        return True

    return condition


def loss_above(value: float) -> Condition:
    """Return the condition that the loss of the last update's batch, measured before it, exceeds a number."""
    limit = check_number("value", value)
    return lambda stepper: bool(stepper.update > stepper.first and stepper.losses[-1] > limit)


def loss_below(value: float) -> Condition:
    """Return the condition that the loss of the last update's batch, measured before it, is below one."""
    limit = check_number("value", value)
    return lambda stepper: bool(stepper.update > stepper.first and stepper.losses[-1] < limit)


def passes(parameter: str, index: int | Sequence[int], value: float = 0.0) -> Condition:
    """Return the condition that a parameter is on the other side of a number than when first looked at.

    Args:
        parameter: such as "dense_1/weight".
        index: of the number in the parameter, such as (3, 2): input 3, unit 2.
        value: the number, 0 by default.
    """
    limit = check_number("value", value)
    side: list[bool] = []

    def condition(stepper: Stepper) -> bool:
        model = stepper.network.model
        entry, place = parameter_place(model.architecture, parameter, index)
        side.append(bool(entry.of(model.parameters)[place] > limit))
        return side[-1] != side[0]

    return condition
