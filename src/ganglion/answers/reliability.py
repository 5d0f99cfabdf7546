"""Reliability: how well probabilities agree with frequencies, as numbers and as a picture of text."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ganglion.core.part import Array
from ganglion.errors import DataError

BINS = 10
FEWEST_IN_BIN = 10
ROUNDING = 1e-6


@dataclass(frozen=True)
class Reliability:
    """How probabilities agree with frequencies on held-out rows.

    Attributes:
        of: the class whose probability is meant; "" if it is the predicted class's, with three or more.
        error: the expected calibration error: over bins with equal numbers of rows, the mean of the absolute
            difference between mean probability and frequency, weighted by the rows.
        brier: the mean over rows of the squared differences between the probabilities of all classes and the
            truth; for two classes half of that, the squared error of one probability.
        bins: for each bin its mean probability, the frequency, and the weight of its rows.
    """

    of: str
    error: float
    brier: float
    bins: list[list[float]]

    @classmethod
    def measure(
        cls, probabilities: Array, truth: Array, weights: Array, labels: list[str], positive: int = 1
    ) -> Reliability:
        """Return the reliability of probabilities, (n, classes), given the numbers of the true classes."""
        probabilities = probabilities.astype(np.float64)
        two = probabilities.shape[1] == 2
        number = np.full(len(truth), positive) if two else probabilities.argmax(axis=1)
        said = probabilities[np.arange(len(truth)), number]
        happened = (truth == number).astype(np.float64)
        wrong = np.square(probabilities - np.eye(probabilities.shape[1])[truth]).sum(axis=1)
        brier = float(np.average(wrong, weights=weights)) / (2 if two else 1)
        bins = _bins(said, happened, weights)
        error = sum(w * abs(p - f) for p, f, w in bins) / sum(w for _, _, w in bins)
        return cls(labels[positive] if two else "", float(error), brier, bins)

    @classmethod
    def from_dict(cls, data: object) -> Reliability:
        """Return the reliability with these fields.

        Raises:
            DataError: if the data are not those of a reliability.
        """
        if not isinstance(data, dict) or set(data) != set(cls.__dataclass_fields__):
            raise DataError("a reliability must have its fields")
        bins = data["bins"]
        if type(data["of"]) is not str or not isinstance(bins, list) or not all(map(_is_bin, bins)):
            raise DataError("a reliability must hold bins of a probability, a frequency and a weight")
        if len(bins) > BINS:
            raise DataError(f"a reliability must hold at most {BINS} bins, got {len(bins)}")
        for name, most in (("error", 1), ("brier", 2)):
            if type(data[name]) is not float or not 0 <= data[name] <= most * (1 + ROUNDING):
                raise DataError(f"a reliability's {name} must be a number from 0 to {most}")
        return cls(**data)

    def __str__(self) -> str:
        heading = f"calibration error {self.error:.3f}, Brier score {self.brier:.4g}"
        if len(self.bins) < 2:
            return heading
        what = f"probability of {self.of}" if self.of else "probability of the prediction"
        lines = [heading, f"{what}: mean, frequency (#), and where it should be (+)"]
        for said, happened, _ in self.bins:
            bar = list("#" * round(40 * happened) + " " * (41 - round(40 * happened)))
            bar[round(40 * said)] = "+"
            lines.append(f"  {said:>6.3f}  {happened:>6.3f}  {''.join(bar).rstrip()}")
        return "\n".join(lines)


def _is_bin(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 3 or not all(type(v) is float for v in value):
        return False
    said, happened, weight = value
    return 0 <= said <= 1 and 0 <= happened <= 1 and 0 < weight < math.inf


def _bins(said: Array, happened: Array, weights: Array) -> list[list[float]]:
    """Return bins with about equal numbers of rows; equal probabilities are in one bin."""
    order = np.argsort(said, kind="stable")
    said, happened, weights = said[order], happened[order], weights[order]
    count = int(np.clip(len(said) // FEWEST_IN_BIN, 1, BINS))
    edges = np.searchsorted(said, said[np.arange(1, count) * len(said) // count])
    bins = []
    for part in np.split(np.arange(len(said)), np.unique(edges[edges > 0])):
        total = float(weights[part].sum())
        if total > 0:
            mean, frequency = (
                float(np.clip(weights[part] @ v[part] / total, 0, 1)) for v in (said, happened)
            )
            bins.append([mean, frequency, total])
    return bins
