"""Synapses that learn: Hebb's rule, Oja's rule, and plasticity by the timing of spikes.

None of them is told what is right: a synapse changes by what happens on its two sides alone, the cell
before it (pre) and the cell behind it (post).
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

LARGEST = 1e100  # of any number in a row: beyond it squares and products may overflow


@dataclass(frozen=True)
class SynapticRule:
    """A rule by which the synapses of one linear unit, y = w · x, change with each row of inputs.

    Subclass it with `change` to make your own.

    Args:
        learning_rate: 0.01 by default.

    Raises:
        ConfigError: for a setting out of range.
    """

    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, above=0, at_most=1e6)

    def change(self, weights: Array, x: Array) -> Array:
        """Return what one row of inputs, x, adds to the weights; both of shape (inputs,)."""
        raise NotImplementedError(f"{type(self).__name__} needs a method change")

    def learn(self, weights: Any, X: Any, passes: int = 1) -> Array:
        """Show the rows in their order, again and again, and return the weights after each pass.

        Args:
            weights: where to start, (inputs,). All 0 would stay 0.
            X: rows of inputs, (n, inputs). The mean of each column should be 0 if the principal
                component is wanted.
            passes: how often all rows are shown, once by default.

        Returns:
            An array of shape (passes + 1, inputs), which begins with the weights given.

        Raises:
            ConfigError: for a number of passes out of range.
            DataError, ShapeError: for rows or weights that are not finite numbers or do not fit.
            TrainingError: when the weights have grown beyond 1e100.
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
            with np.errstate(over="ignore", invalid="ignore"):  # told below
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
    """Hebb's rule: what fires together wires together (Hebb, The Organization of Behavior, 1949).

        w ← w + learning_rate * y * x,   y = w · x

    A step changes the squared length of w by learning_rate * y² * (2 + learning_rate * |x|²), which is
    never below 0: the weights can only grow, and along the principal component of the rows they grow
    exponentially, without bound. `Oja` is the remedy.

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
    """Oja's rule: Hebb's rule with just as much forgetting as keeps the weights at length 1.

        w ← w + learning_rate * y * (x - y * w),   y = w · x

    For rows of mean 0 and a small learning rate, w comes to rest near the first principal component of
    the rows, in one of its two directions: one unit finds by itself the direction in which its inputs
    vary most (Oja, A Simplified Neuron Model as a Principal Component Analyzer, 1982). With a learning
    rate above about 1 / |x|² it may diverge all the same.

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
    """Spike-timing-dependent plasticity: a synapse grows if its cell fires before the one behind it.

    With delta_t = time of the post spike - time of the pre spike, each pair of spikes changes the
    strength by the share `window(delta_t)` of `largest`:

        window =  potentiation * exp(-delta_t / potentiation_time)   if delta_t > 0
        window = -depression * exp(delta_t / depression_time)        if delta_t < 0

    and by nothing at delta_t = 0. The model and the default values are those of Song, Miller and Abbott,
    Competitive Hebbian Learning through Spike-Timing-Dependent Synaptic Plasticity (2000), who write
    delta_t with the opposite sign.

    Args:
        potentiation: the most that one pair may add, 0.005 by default.
        depression: the most that one pair may take away, 0.00525 by default. That its area is a little
            larger than that of potentiation weakens synapses whose spikes come at random.
        potentiation_time: how fast the influence fades, 20 ms by default.
        depression_time: the same for depression, 20 ms by default.
        largest: the strength that a synapse cannot exceed, 1 by default, in any unit.

    Raises:
        ConfigError: for a setting out of range.

    >>> stdp = gg.origins.STDP()
    >>> stdp.window([20, -20, 0]).round(5)
    array([ 0.00184, -0.00193,  0.     ])
    >>> stdp.apply(0.5, pre=[0, 100], post=[20, 120]) > 0.5  # before the post spikes: it grows
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
        """Return the change of strength by one pair of spikes, as a share of `largest`.

        Args:
            delta_t: the time of the post spike minus that of the pre spike in ms, of any shape.

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
        """Return the strength of a synapse after two trains of spikes.

        Each spike, in order of time, is paired with every earlier spike of the other side. After each
        the strength is put back between 0 and `largest`, where it would leave these bounds.

        Args:
            strength: before the spikes, from 0 to `largest`.
            pre: when the cell before the synapse fired, in ms, in any order.
            post: when the cell behind it fired, in ms, in any order.

        Raises:
            ConfigError: for a strength out of range.
            DataError, ShapeError: if times are not a row of finite numbers >= 0.
        """
        strength = check_number("strength", strength, at_least=0, at_most=self.largest)
        before, behind = as_train("pre", pre), as_train("post", post)
        events = [(time, self.window(time - before[before < time])) for time in behind.tolist()]
        events += [(time, self.window(behind[behind < time] - time)) for time in before.tolist()]
        for _, shares in sorted(events, key=lambda event: event[0]):
            strength = min(max(strength + self.largest * float(shares.sum()), 0.0), self.largest)
        return strength


def as_rows(what: str, values: Any) -> Array:
    """Return rows of numbers as a float64 array of shape (n, inputs).

    Raises:
        DataError: for what is not a number between -1e100 and 1e100.
        ShapeError: for another shape, or if there is nothing.
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
