"""The calibration: turns a network's outputs into honest probabilities, a decision, and intervals.

It is fitted on held-out rows by `calibrating.py`, stored in the model file, and applied by every prediction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ganglion.answers.thresholds import Objective, rarer
from ganglion.checks import check_integer, check_number
from ganglion.core.part import Array, plain
from ganglion.errors import ConfigError, DataError

TINY = float(np.finfo(np.float32).tiny)
MOST_RESIDUALS = 1000
HOTTEST = 20.0  # limits of the temperature: 1/20 to 20


@dataclass(frozen=True)
class Calibration:
    """How outputs become probabilities, decisions and intervals.

    With outputs q, class weights w and temperature T, the probability of class j is proportional to

        q[j] ** (1 / T) / w[j]

    Division by the weights undoes balancing: a network that learned from weighted classes gives the
    probabilities for a table in which each class is w[j] times as frequent (Elkan, 2001, The Foundations of
    Cost-Sensitive Learning). The decision keeps the effect of balancing: the predicted class has the largest
    probability times weight, which is the network's own choice. With a threshold, it is `positive` where
    its probability reaches the threshold, else the other class.

    Args:
        temperature: above 1 it moderates the probabilities (Guo et al., 2017); 1 leaves them.
        class_weights: how much the network overstates each class, fitted from its weight in training; () if
            all weigh the same.
        positive: the number of the class to which the threshold applies.
        threshold: for two classes; None without one.
        purpose: what the threshold was chosen for, in words.
        metric: what the threshold was chosen for, see `Objective`; "" for costs, or if unknown.
        costs: of a false negative and a false positive, if it was chosen for them; else ().
        levels, residuals: for numbers, a fraction `levels[i]` of new rows is expected to have an absolute
            error of at most `residuals[i]`, in the target's units.
    """

    temperature: float = 1.0
    class_weights: tuple[float, ...] = ()
    positive: int = 1
    threshold: float | None = None
    purpose: str = ""
    metric: str = ""
    costs: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()
    residuals: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_number("temperature", self.temperature, at_least=1 / HOTTEST, at_most=HOTTEST)
        for weight in _numbers("class_weights", self.class_weights):
            check_number("a class weight", weight, above=0)
        check_integer("positive", self.positive, at_least=0, at_most=1)
        if self.threshold is not None:
            check_number("threshold", self.threshold, at_least=0, at_most=1)
        if not isinstance(self.purpose, str):
            raise ConfigError("a threshold's purpose must be text")
        if not isinstance(self.metric, str) or len(_numbers("costs", self.costs)) not in (0, 2):
            raise ConfigError("a threshold's metric must be text, and its costs two numbers")
        self.objective  # noqa: B018  # refuses unknown metrics and costs out of range
        if len(_numbers("levels", self.levels)) != len(_numbers("residuals", self.residuals)):
            raise ConfigError("a calibration must have as many levels as residuals")
        if len(self.levels) > MOST_RESIDUALS:
            raise ConfigError(f"a calibration must have at most {MOST_RESIDUALS} residuals")
        for level, residual in zip(self.levels, self.residuals, strict=True):
            check_number("a level", level, at_least=0, at_most=1)
            check_number("a residual", residual, at_least=0)
        if any(sorted(values) != list(values) for values in (self.levels, self.residuals)):
            raise ConfigError("a calibration's levels and residuals must be sorted")

    @property
    def objective(self) -> Objective | None:
        """What the threshold was chosen for; None without one, or if an older version chose it."""
        if self.metric:
            return Objective(self.metric)
        return Objective(costs=dict(zip(("fn", "fp"), self.costs, strict=True))) if self.costs else None

    def positive_class(self, shares: Sequence[float]) -> int:
        """Return the class of two whose probability is shown: that of the threshold, or the rarer one.

        Args:
            shares: the fraction of the training rows in each class.
        """
        return rarer(shares) if self.threshold is None else self.positive

    def check_classes(self, count: int | None) -> None:
        """Raise `ConfigError` unless this fits a target with so many classes, None for a number."""
        if count is None and (self.class_weights or self.threshold is not None or self.temperature != 1.0):
            raise ConfigError("a calibration of classes must not be used for a number")
        if count is not None and (self.levels or len(self.class_weights) not in (0, count)):
            raise ConfigError("a calibration must have one weight for each class and no residuals")
        if self.threshold is not None and count != 2:
            raise ConfigError("a threshold needs two classes")

    def probabilities(self, outputs: Array) -> Array:
        """Return the probabilities of the classes, (n, classes), given the network's outputs."""
        if self.temperature == 1.0 and not self.class_weights:
            return outputs
        exponents = log_outputs(outputs) / self.temperature
        if self.class_weights:
            exponents = exponents - np.log(np.array(self.class_weights))
        # The ufuncs' own methods: for one row the methods of the array take a microsecond more each.
        odds = np.exp(exponents - np.maximum.reduce(exponents, axis=1, keepdims=True))
        return np.asarray(odds / np.add.reduce(odds, axis=1, keepdims=True))

    def decide(self, probabilities: Array) -> Array:
        """Return the number of the predicted class of each row, given its probabilities."""
        if self.threshold is not None:
            reached = probabilities[:, self.positive] >= self.threshold
            return np.where(reached, self.positive, 1 - self.positive)
        if self.class_weights:
            probabilities = probabilities * np.array(self.class_weights)
        return np.asarray(probabilities.argmax(axis=1))

    def half_width(self, level: float) -> float:
        """Return the distance from a predicted number to either end of its prediction interval.

        The interval contains at least this fraction of new rows, if they are like the held-out rows: it
        is the ceil((n + 1) * level)-th smallest of n held-out errors (split conformal prediction; Lei et
        al., 2018, Distribution-Free Predictive Inference for Regression).

        Raises:
            ConfigError: for a level that is not between 0 and 1.
            DataError: if there are too few held-out rows for this level.
        """
        check_number("the level of an interval", level, above=0, below=1)
        if not self.levels:
            raise DataError(
                "an interval needs the errors on held-out rows, and the model was trained without any",
                "train with validation or test rows",
            )
        place = int(np.searchsorted(np.array(self.levels) + 1e-12, level))
        if place == len(self.levels):
            highest = math.floor(self.levels[-1] * 10_000) / 10_000
            raise DataError(
                f"the held-out rows support intervals up to level {highest:g}, got {level:g}",
                f"a level of {level:g} needs at least {math.ceil(level / (1 - level) - 1e-9):,} of them",
            )
        return self.residuals[place]

    @property
    def steps(self) -> str:
        """What turns outputs into probabilities, in a few words; "" if nothing does."""
        steps = [] if self.temperature == 1.0 else [f"temperature {self.temperature:.3g}"]
        steps += ["corrected for balanced classes"] if self.class_weights else []
        return ", ".join(steps)

    def describe(self) -> str:
        """Return how the probabilities are changed, "" if they are not."""
        if self.temperature == 1.0:
            return ""
        return f"probabilities have temperature {self.temperature:.3g}, fitted on held-out rows"

    def describe_decision(self, labels: list[str]) -> str:
        """Return how the predicted class is chosen, "" if it is the most probable one."""
        lines = []
        if self.class_weights:
            lines.append(
                "classes were balanced in training: probabilities are corrected to the true frequencies, "
                "predictions still favor rare classes"
            )
        if self.threshold is not None:
            lines.append(
                f"predicts {labels[self.positive]} from probability {self.threshold:.4g} on "
                f"(chosen for {self.purpose} on held-out rows)"
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the calibration as plain JSON data."""
        return plain(vars(self))

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Return the calibration that `to_dict` described.

        Raises:
            ConfigError: if the data are not those of a calibration.
        """
        if not isinstance(data, dict) or not set(data) <= set(cls.__dataclass_fields__):
            raise ConfigError("a calibration must have the fields of a calibration")
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in data.items()}
        return cls(**values)


def log_outputs(outputs: Array) -> Array:
    """Return the logarithms of probabilities in float64; those that have underflowed to 0 stay finite."""
    return np.log(np.maximum(np.ascontiguousarray(outputs, dtype=np.float64), TINY))


def _numbers(name: str, values: Any) -> tuple[float, ...]:
    if not isinstance(values, tuple):
        raise ConfigError(f"a calibration's {name} must be a list of numbers")
    return values
