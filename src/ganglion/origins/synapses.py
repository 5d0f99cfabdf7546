"""Synapses that learn: Hebb's rule, Oja's rule, and spike-timing-dependent plasticity.

These rules are unsupervised: a synapse changes only with the activity on its two sides, that of the cell
before it (presynaptic) and that of the cell after it (postsynaptic).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.checks import check_integer, check_number
from ganglion.core.arrays import as_array
from ganglion.core.part import Array
from ganglion.errors import DataError, ShapeError, TrainingError
from ganglion.origins.spiking import as_train

LARGEST = 1e100  # of any number in a row: products of larger ones may overflow


@dataclass(frozen=True)
class SynapticRule:
    """A rule for how the synapses of one linear unit, y = w · x, change with each row of inputs.

    To make your own, subclass it with `change`.

    Args:
        learning_rate: 0.01 by default.

    Raises:
        ConfigError: for a setting out of range.
    """

    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, above=0, at_most=1e6)

    def change(self, weights: Array, x: Array) -> Array:
        """Return the change of the weights for one row of inputs, x; all of shape (inputs,)."""
        raise NotImplementedError(f"{type(self).__name__} needs a method change")

    def learn(self, weights: Any, X: Any, passes: int = 1) -> Array:
        """Apply the rule to the rows in order, for several passes, and return the weights after each pass.

        Args:
            weights: initial weights, (inputs,). Zeros stay zeros.
            X: rows of inputs, (n, inputs). To find the principal component, each column should have mean 0.
            passes: the number of passes over all rows, 1 by default.

        Returns:
            An array of shape (passes + 1, inputs) that starts with the initial weights.

        Raises:
            ConfigError: for a number of passes out of range.
            DataError, ShapeError: for rows or weights that are not finite numbers or do not match.
            TrainingError: if the weights grow beyond 1e100.
        """
        rows = as_rows("X", X)
        passes = check_integer("passes", passes, at_least=1, at_most=10_000_000)
        start = as_array("weights", weights)
        if start.shape != rows.shape[1:]:
            raise ShapeError(
                f"weights must have shape ({rows.shape[1]},), one for each input, got {start.shape}"
            )
        path = [as_rows("weights", start[None])[0]]
        for done in range(1, passes + 1):
            current = path[-1]
            with np.errstate(over="ignore", invalid="ignore"):  # checked below
                for x in rows:
                    current = current + self.change(current, x)
            if not np.abs(current).max() <= LARGEST:
                raise TrainingError(
                    f"weights must stay below {LARGEST:g}, but grew beyond it in pass {done}",
                    "use fewer passes or a smaller learning rate; Hebb's rule has no bound, Oja's has",
                )
            path.append(current)
        return np.array(path)


class Hebb(SynapticRule):
    """Hebb's rule: cells that fire together wire together (Hebb, The Organization of Behavior, 1949).

        w ← w + learning_rate * y * x,   y = w · x

    A step changes the squared length of w by learning_rate * y² * (2 + learning_rate * |x|²), which is never
    negative: the weights can only grow, exponentially and without bound along the principal component of
    the rows. `Oja` is the remedy.

    Args:
        learning_rate: 0.01 by default.

    >>> gg.origins.Hebb(learning_rate=0.5).learn([1.0, 0.0], [[2, 2]], passes=2)
    array([[ 1.,  0.],
           [ 3.,  2.],
           [13., 12.]])
    """

    def change(self, weights: Array, x: Array) -> Array:
        y = weights @ x
        return self.learning_rate * y * x


class Oja(SynapticRule):
    """Oja's rule: Hebb's rule with a decay that keeps the weights at length 1.

        w ← w + learning_rate * y * (x - y * w),   y = w · x

    For rows of mean 0 and a small learning rate, w converges to near the first principal component of the
    rows, in one of its two directions: a single unit finds the direction in which its inputs vary most
    (Oja, A Simplified Neuron Model as a Principal Component Analyzer, 1982). With a learning rate above
    about 1 / |x|² it may diverge.

    Args:
        learning_rate: 0.01 by default.

    >>> rows = [[3, 3.1], [-3, -3.1], [1, 0.9], [-1, -0.9]]
    >>> gg.origins.Oja(learning_rate=0.01).learn([1.0, 0.0], rows, passes=500)[-1].round(2)
    array([0.7 , 0.71])
    """

    def change(self, weights: Array, x: Array) -> Array:
        y = weights @ x
        return self.learning_rate * y * (x - y * weights)


@dataclass(frozen=True)
class STDP:
    """Spike-timing-dependent plasticity: a synapse grows if the cell before it fires first.

    With delta_t = time of the postsynaptic spike - time of the presynaptic spike, each pair of spikes changes
    the strength by `window(delta_t) * largest`:

        window =  potentiation * exp(-delta_t / potentiation_time)   if delta_t > 0
        window = -depression * exp(delta_t / depression_time)        if delta_t < 0

    and 0 at delta_t = 0. The model and the default values are those of Song, Miller and Abbott,
    Competitive Hebbian Learning through Spike-Timing-Dependent Synaptic Plasticity (2000), who write
    delta_t with the opposite sign.

    Args:
        potentiation: the largest increase by one pair, 0.005 by default.
        depression: the largest decrease by one pair, 0.00525 by default. Its area is slightly larger than
            that of potentiation, which weakens synapses with random spikes.
        potentiation_time: the time constant of potentiation, 20 ms by default.
        depression_time: the time constant of depression, 20 ms by default.
        largest: the largest strength of a synapse, 1 by default, in any unit.

    Raises:
        ConfigError: for a setting out of range.

    >>> stdp = gg.origins.STDP()
    >>> stdp.window([20, -20, 0]).round(5)
    array([ 0.00184, -0.00193,  0.     ])
    >>> stdp.apply(0.5, pre=[0, 100], post=[20, 120]) > 0.5  # before the postsynaptic spikes: it grows
    True
    """

    potentiation: float = 0.005
    depression: float = 0.00525
    potentiation_time: float = 20.0
    depression_time: float = 20.0
    largest: float = 1.0

    def __post_init__(self) -> None:
        for name in ("potentiation", "depression"):
            check_number(name, getattr(self, name), at_least=0, at_most=1)
        for name in ("potentiation_time", "depression_time", "largest"):
            check_number(name, getattr(self, name), above=0, at_most=1e9)

    def window(self, delta_t: Any) -> Array:
        """Return the change of strength by one pair of spikes, as a fraction of `largest`.

        Args:
            delta_t: the time of the postsynaptic spike minus that of the presynaptic one in ms, of any shape.

        Raises:
            DataError: if a time is not a finite number.
        """
        delta = as_array("delta_t", delta_t).astype(np.float64)
        if not np.isfinite(delta).all():
            raise DataError(f"delta_t must be finite, got {delta[~np.isfinite(delta)][0]}")
        with np.errstate(over="ignore"):  # a very short window: exp(-infinity) is 0, as it should be
            grow = self.potentiation * np.exp(-np.abs(delta) / self.potentiation_time)
            shrink = -self.depression * np.exp(-np.abs(delta) / self.depression_time)
        return np.where(delta == 0, 0.0, np.where(delta > 0, grow, shrink))

    def apply(self, strength: float, pre: Any, post: Any) -> float:
        """Return the strength of a synapse after two spike trains.

        Each spike, in order of time, is paired with every earlier spike of the other side. After each spike
        the strength is clipped to the range from 0 to `largest`.

        Args:
            strength: before the spikes, from 0 to `largest`.
            pre: when the cell before the synapse fired, in ms, in any order.
            post: when the cell after the synapse fired, in ms, in any order.

        Raises:
            ConfigError: for a strength out of range.
            DataError, ShapeError: if the times are not a 1-D array of finite numbers >= 0.
        """
        strength = check_number("strength", strength, at_least=0, at_most=self.largest)
        before, after = as_train("pre", pre), as_train("post", post)
        events = [(time, self.window(time - before[before < time])) for time in after.tolist()]
        events += [(time, self.window(after[after < time] - time)) for time in before.tolist()]
        for _, changes in sorted(events, key=lambda event: event[0]):
            strength = min(max(strength + self.largest * float(changes.sum()), 0.0), self.largest)
        return strength


def as_rows(what: str, values: Any) -> Array:
    """Return rows of numbers as a float64 array of shape (n, inputs).

    Raises:
        DataError: if a value is not a number between -1e100 and 1e100.
        ShapeError: for another shape, or an empty array.
    """
    rows = as_array(what, values).astype(np.float64)
    if rows.ndim != 2 or 0 in rows.shape:
        raise ShapeError(f"{what} must have shape (rows, inputs) and not be empty, got {rows.shape}")
    good = np.abs(rows) <= LARGEST
    if not good.all():
        row, column = np.argwhere(~good)[0].tolist()
        raise DataError(
            f"{what} must hold numbers between -1e100 and 1e100, got {rows[row, column]} "
            f"in row {row}, column {column}"
        )
    return rows
