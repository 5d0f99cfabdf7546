"""Predictions as columns of a frame: the same for rows of a table and for pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from ganglion.answers.calibration import Calibration
from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.core.part import Array
from ganglion.errors import ConfigError


def half_width(
    target: ClassTarget | NumberTarget, calibration: Calibration, interval: float | None
) -> float | None:
    """Return the distance from a prediction to either end of its interval, None for no interval.

    Raises:
        ConfigError: for an interval of classes, or one that is not between 0 and 1.
        DataError: if there were too few held-out rows for it.
    """
    if interval is None:
        return None
    if isinstance(target, ClassTarget):
        raise ConfigError(
            f"intervals are for numbers, and the target {target.column!r} has classes",
            "use the probabilities of the classes",
        )
    return calibration.half_width(interval)


def prediction_columns(
    target: ClassTarget | NumberTarget, calibration: Calibration, outputs: Array, half: float | None
) -> list[pl.Series]:
    """Return the columns `prediction`, and `probability_<class>` for each class or `low` and `high`.

    Args:
        target: what is predicted.
        calibration: of the outputs.
        outputs: of the network, (n, outputs).
        half: what `half_width` returns.
    """
    if not isinstance(target, ClassTarget):
        prediction = target.decode(outputs[:, 0])
        if half is None:
            return [prediction]
        return [prediction, (prediction - half).alias("low"), (prediction + half).alias("high")]
    outputs = calibration.probabilities(outputs)
    columns = [target.decode(calibration.decide(outputs))]
    for number, label in enumerate(target.labels):
        columns.append(pl.Series(f"probability_{label}", outputs[:, number].astype(np.float64)))
    return columns


def plain_answer(
    target: ClassTarget | NumberTarget, calibration: Calibration, outputs: Array, half: float | None
) -> dict[str, Any]:
    """Return the first of the predictions as plain Python: `prediction`, and `probabilities` by the name of
    the class, or `low` and `high`.

    The arguments are those of `prediction_columns`.
    """
    found = {each.name: each[0] for each in prediction_columns(target, calibration, outputs[:1], half)}
    if not isinstance(target, ClassTarget):
        return found
    probabilities = {each: found[f"probability_{each}"] for each in target.labels}
    return {"prediction": found["prediction"], "probabilities": probabilities}
