"""Threshold units with fixed weights (McCulloch and Pitts, 1943) and learned ones (Rosenblatt, 1958)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ganglion.checks import check_integer, check_number
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, ShapeError, shortened
from ganglion.origins.spiking import as_strengths
from ganglion.origins.synapses import as_rows


@dataclass(frozen=True)
class McCullochPitts:
    """A threshold unit: 1 if the weighted sum of its inputs reaches the threshold, else 0.

        output = 1 if weights · inputs >= threshold else 0

    McCulloch and Pitts, A Logical Calculus of the Ideas Immanent in Nervous Activity (1943). There an
    active inhibitory input prevents firing altogether; here, as became usual, it has a negative weight.

    Args:
        weights: one for each input.
        threshold: fires if the sum is at least this.

    Raises:
        ConfigError: without weights, or for a weight or threshold that is not a number from -1e9 to 1e9.

    >>> rows = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> gg.origins.McCullochPitts(weights=(1, 1), threshold=2).predict(rows)  # AND
    array([0, 0, 0, 1])
    >>> gg.origins.McCullochPitts(weights=(1, 1), threshold=1).predict(rows)  # OR
    array([0, 1, 1, 1])
    >>> gg.origins.McCullochPitts(weights=(-1,), threshold=0).predict([[0], [1]])  # NOT
    array([1, 0])
    """

    weights: tuple[float, ...]
    threshold: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", as_strengths("weights", self.weights))
        if not self.weights:
            raise ConfigError("weights must be one number or more, got none", "pass one for each input")
        check_number("threshold", self.threshold, at_least=-1e9, at_most=1e9)

    def predict(self, X: Any) -> Array:
        """Return 0 or 1 for each row.

        Args:
            X: rows of zeros and ones, (n, inputs).

        Raises:
            DataError: if X holds anything but 0 and 1.
            ShapeError: if the numbers of inputs and weights differ.
        """
        rows = _rows_for(len(self.weights), X)
        if not np.isin(rows, (0, 1)).all():
            raise DataError(f"inputs must be 0 or 1, got {rows[~np.isin(rows, (0, 1))][0]:g}")
        return (rows @ np.array(self.weights) >= self.threshold).astype(int)


class Perceptron:
    """Rosenblatt's perceptron: a threshold unit that learns its weights from its mistakes.

    It visits the rows in order. With s = 1 for rows of the second class and s = -1 for the first,

        if s * (weights · x + bias) <= 0:   weights ← weights + s * x,   bias ← bias + s

    until a pass makes no mistake. There is no learning rate: weights and bias start at 0, so it would scale
    both without changing any decision. If a line (plane, hyperplane) separates the classes, there are at
    most (R / γ)² mistakes in all, where R is the length of the longest row and γ the distance of the
    nearest row from the separating plane, both with a 1 appended to each row for the bias (Novikoff 1962).
    Otherwise learning never converges. The rule is that of Rosenblatt, The Perceptron: A Probabilistic
    Model for Information Storage and Organization in the Brain (1958), in the form of his Principles of
    Neurodynamics (1962).

    Args:
        passes: the most passes over the rows, 1000 by default.

    Attributes:
        weights: one for each input, (inputs,).
        bias: minus the threshold.
        classes: the two labels; the second is predicted where weights · x + bias > 0.
        mistakes: the number of mistakes in each pass.
        converged: whether the last pass made no mistake.
        stopped_because: why `fit` stopped, in words.

    Raises:
        ConfigError: for a number of passes out of range.

    >>> perceptron = gg.origins.Perceptron().fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1])
    >>> perceptron.predict([[0, 1], [1, 1]]), perceptron.mistakes
    (array([0, 1]), [2, 3, 3, 2, 2, 3, 2, 1, 0])
    >>> perceptron.stopped_because
    'pass 9 made no mistake'
    """

    def __init__(self, passes: int = 1000) -> None:
        self.passes = check_integer("passes", passes, at_least=1, at_most=10_000_000)
        self.weights: Array = np.zeros(0)
        self.bias = 0.0
        self.classes: Array = np.zeros(0)
        self.mistakes: list[int] = []
        self.converged = False
        self.stopped_because = ""

    def __repr__(self) -> str:
        state = self.stopped_because.partition(";")[0] or "not fitted"
        return f"<Perceptron: {state}>"

    def fit(self, X: Any, y: Any) -> Self:
        """Learn from zero weights, and return the perceptron.

        Args:
            X: rows of numbers, (n, inputs).
            y: one of two labels for each row, numbers or words, (n,).

        Raises:
            DataError: for rows that are not numbers, or if there are not exactly two labels.
            ShapeError: if X and y do not match.
        """
        rows = as_rows("X", X)
        self.classes, signs = _two_classes(y, len(rows))
        self.weights, self.bias, self.mistakes = np.zeros(rows.shape[1]), 0.0, []
        for _ in range(self.passes):
            self.mistakes.append(self._visit(rows, signs))
            if self.mistakes[-1] == 0:
                break
        self.converged = self.mistakes[-1] == 0
        done = len(self.mistakes)
        self.stopped_because = (
            f"pass {done} made no mistake"
            if self.converged
            else f"each of the {done} passes made mistakes, the last one {self.mistakes[-1]}; if a straight "
            "line separates the two classes, more passes will find it; otherwise learning never converges"
        )
        return self

    def _visit(self, rows: Array, signs: Array) -> int:
        mistakes = 0
        for x, s in zip(rows, signs.tolist(), strict=True):
            if s * (self.weights @ x + self.bias) <= 0:
                self.weights, self.bias = self.weights + s * x, self.bias + s
                mistakes += 1
        return mistakes

    def predict(self, X: Any) -> Array:
        """Return a label for each row: the second class where weights · x + bias > 0.

        Args:
            X: rows of numbers, (n, inputs).

        Raises:
            ConfigError: before `fit`.
            DataError, ShapeError: for rows that are not numbers, or of another width than the training rows.
        """
        if not self.mistakes:
            raise ConfigError("a perceptron must be fitted before it predicts", "call fit(X, y)")
        above = _rows_for(len(self.weights), X) @ self.weights + self.bias > 0
        return self.classes[above.astype(int)]


def _rows_for(inputs: int, X: Any) -> Array:
    rows = as_rows("X", X)
    if rows.shape[1] != inputs:
        raise ShapeError(f"X must have shape (rows, {inputs}), one column for each weight, got {rows.shape}")
    return rows


def _two_classes(y: Any, rows: int) -> tuple[Array, Array]:
    """Return the two labels in order, and -1.0 or 1.0 for each row."""
    try:
        labels = np.asarray(y)
    except ValueError as error:
        raise ShapeError(f"y must be a list of labels: {error}") from error
    if labels.dtype == object and all(isinstance(label, str) for label in labels.flat):
        labels = labels.astype(np.str_)  # words from a data frame
    if labels.shape != (rows,):
        raise ShapeError(f"y must have shape ({rows},), one label for each row of X, got {labels.shape}")
    if labels.dtype.kind not in "biufU" or (labels.dtype.kind == "f" and np.isnan(labels).any()):
        raise DataError(
            f"y must hold numbers or words, got {shortened(labels.tolist())}", "drop rows without a label"
        )
    classes, place = np.unique(labels, return_inverse=True)
    if len(classes) != 2:
        raise DataError(
            f"y must hold two different labels, got {len(classes)}: {shortened(classes.tolist())}"
        )
    return classes, 2.0 * place - 1.0
