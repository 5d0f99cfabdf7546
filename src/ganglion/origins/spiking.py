"""The leaky integrate-and-fire neuron: a nerve cell as a formula, solved exactly.

Between two events (an arriving spike, a new current, firing, the end of a refractory period) the membrane
potential is an exponential. The simulation goes from event to event and solves for the time of firing,
without time steps: `dt` only sets where the potential is reported. Units are mV, ms, nA, MΩ (nA times MΩ is
mV), and Hz for rates.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np

from ganglion.checks import check_number
from ganglion.core.arrays import as_array
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, ShapeError, shortened

LARGEST = 1e9  # of any setting, in its unit: far beyond any nerve cell, but nothing overflows
MOST = 10_000_000  # reported times, and spikes, in one simulation


@dataclass(frozen=True, eq=False)
class Recording:
    """The recording of an electrode in the cell.

    Attributes:
        times: at which the potential is reported: 0, dt, 2 dt ... up to the duration, in ms.
        potential: of the membrane at these times, in mV; at the time of a spike it is already reset.
        spikes: when the neuron fired, in ms; exact, not on the grid of `times`.
    """

    times: Array
    potential: Array
    spikes: Array

    def __repr__(self) -> str:
        return f"<Recording: {self.times[-1]:g} ms, {len(self.spikes)} spikes>"


class Event(NamedTuple):
    """At `time` the potential jumps by `jump`, and from then on it approaches `level`."""

    time: float
    level: float
    jump: float = 0.0


@dataclass(frozen=True)
class SpikingNeuron:
    """A leaky integrate-and-fire neuron.

    Signals arrive at the dendrites through synapses, and the cell body sums them into the membrane
    potential V. The membrane leaks, so V returns to the resting potential:

        time_constant * dV/dt = resting_potential - V + resistance * current

    When V exceeds the threshold the neuron fires along its axon, V is reset, and arriving signals have no
    effect during the refractory period. The model is Lapicque's (1907); the default values are those of
    Dayan and Abbott, Theoretical Neuroscience (2001), figure 5.5, with a refractory period added.

    Args:
        resting_potential: V without input, -65 mV by default.
        threshold: the neuron fires above it, -50 mV by default.
        reset_potential: V after firing, -65 mV by default.
        time_constant: of the leak, 10 ms by default; after that time 1/e of a disturbance is left.
        resistance: of the membrane, 10 MΩ by default.
        refractory_period: how long arriving signals have no effect after a spike, 2 ms by default; may be 0.
        synapses: for each synapse, how far an arriving spike moves V, in mV: positive numbers excite,
            negative ones inhibit. None by default.

    Raises:
        ConfigError: for a setting out of range, or a resting or reset potential that is not below the
            threshold.

    >>> neuron = gg.origins.SpikingNeuron(synapses=(9.0, 9.0, -6.0))
    >>> neuron.simulate([[5, 30], [5.5, 30], [30]], duration=50).spikes  # the third one prevents a spike
    array([5.5])
    >>> neuron.rheobase, round(neuron.rate(2.0), 2)
    (1.5, 63.04)
    """

    resting_potential: float = -65.0
    threshold: float = -50.0
    reset_potential: float = -65.0
    time_constant: float = 10.0
    resistance: float = 10.0
    refractory_period: float = 2.0
    synapses: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("resting_potential", "threshold", "reset_potential"):
            check_number(name, getattr(self, name), at_least=-LARGEST, at_most=LARGEST)
        for name in ("time_constant", "resistance"):
            check_number(name, getattr(self, name), above=0, at_most=LARGEST)
        check_number("refractory_period", self.refractory_period, at_least=0, at_most=LARGEST)
        for name in ("resting_potential", "reset_potential"):
            if (value := getattr(self, name)) >= self.threshold:
                raise ConfigError(f"{name} must be below the threshold, {self.threshold:g} mV, got {value:g}")
        object.__setattr__(self, "synapses", as_strengths("synapses", self.synapses))

    @property
    def rheobase(self) -> float:
        """The current, in nA, above which the neuron fires: (threshold - resting) / resistance."""
        return (self.threshold - self.resting_potential) / self.resistance

    @overload
    def rate(self, current: float) -> float: ...
    @overload
    def rate(self, current: Sequence[float] | Array) -> Array: ...
    def rate(self, current: Any) -> Any:
        """Return how often the neuron fires under a constant current, in Hz.

        With L = resting_potential + resistance * current, the level that V approaches,

            rate = 1000 / (refractory_period + time_constant * log((L - reset) / (L - threshold)))

        above the rheobase, and 0 up to it (Dayan and Abbott 2001, equation 5.11, with a refractory period).

        Args:
            current: in nA, a number or an array of any shape.

        Raises:
            DataError: if a current is not a finite number, or is beyond 1e9 nA.
        """
        level = self.resting_potential + self.resistance * _currents(current)
        excess = np.where(level > self.threshold, level - self.threshold, np.nan)
        with np.errstate(divide="ignore", over="ignore"):
            wait = self.time_constant * np.log1p((self.threshold - self.reset_potential) / excess)
            rate = np.nan_to_num(1000 / (self.refractory_period + wait), nan=0.0, posinf=math.inf)
        return rate if rate.ndim else float(rate)

    def simulate(self, spikes_or_current: Any, duration: float, dt: float = 0.1) -> Recording:
        """Return the potential and the spikes from time 0, at rest, to `duration` inclusive.

        Spikes that arrive at the same time are summed before V is compared with the threshold.

        Args:
            spikes_or_current: the input, one of
                a number: a constant current in nA;
                a 1-D array: a current in nA for each step of `dt`;
                a list of arrays, one for each synapse: when spikes arrive there, in ms, in any order.
            duration: in ms, above 0.
            dt: the time between two reported potentials in ms, 0.1 by default. It has no influence on
                the spikes, unless it is also the length of the steps of current.

        Raises:
            ConfigError: for a duration or dt out of range, or more than ten million moments or spikes.
            DataError: for currents or times of arrival that are not finite, or times below 0.
            ShapeError: for another number of currents than steps, or of arrays than synapses.
        """
        duration = check_number("duration", duration, above=0, at_most=LARGEST)
        dt = check_number("dt", dt, above=0, at_most=duration)
        if duration / dt > MOST:
            raise ConfigError(
                f"duration / dt must be at most {MOST:,}, got {duration / dt:.3g}", "use a larger dt"
            )
        times = dt * np.arange(math.floor(duration / dt + 1e-9) + 1)
        return self._run(self._events(spikes_or_current, duration, dt), duration, times)

    def _events(self, drive: Any, duration: float, dt: float) -> list[Event]:
        """Return the input to the neuron as events in order of time, starting at 0."""
        nested = isinstance(drive, list | tuple) and not all(isinstance(item, numbers.Real) for item in drive)
        if nested or getattr(drive, "ndim", 0) == 2:
            return self._arrivals(list(drive), duration)
        currents = _currents(drive)
        steps = math.ceil(duration / dt - 1e-9)
        if currents.shape not in ((), (steps,)):
            raise ShapeError(
                f"a current must be one number, or one for each of the {steps} steps of dt, "
                f"got shape {currents.shape}",
                "pass spike times as a list of arrays, one for each synapse",
            )
        if duration * self.rate(float(currents.max())) > 1000 * MOST:
            raise ConfigError(
                f"the neuron must fire at most {MOST:,} times, got a current that makes it fire more often",
                "use a smaller current or duration, or a refractory_period above 0",
            )
        levels = self.resting_potential + self.resistance * currents.reshape(-1)
        return [Event(step * dt, float(level)) for step, level in enumerate(levels)]

    def _arrivals(self, trains: Sequence[Any], duration: float) -> list[Event]:
        if not trains or len(trains) != len(self.synapses):
            raise ShapeError(
                f"there must be one array of spike times for each of the {len(self.synapses)} synapses, "
                f"got {len(trains)}",
                "SpikingNeuron(synapses=...) sets their strengths",
            )
        arrays = [as_train(f"the spikes of synapse {i}", train) for i, train in enumerate(trains)]
        times, place = np.unique(np.concatenate(arrays), return_inverse=True)
        strengths = np.repeat(self.synapses, [len(train) for train in arrays])
        jumps = np.bincount(place, weights=strengths)
        rest = self.resting_potential
        pairs = zip(times.tolist(), jumps.tolist(), strict=True)
        return [Event(0.0, rest)] + [Event(time, rest, jump) for time, jump in pairs if time <= duration]

    def _run(self, events: list[Event], duration: float, times: Array) -> Recording:
        now, potential = 0.0, self.resting_potential  # V at `now`, ahead of the event while refractory
        pieces, spikes = [], []  # a piece: its start, V at the start, the level that V approaches
        ends = [event.time for event in events[1:]] + [duration]
        for event, end in zip(events, ends, strict=True):
            if event.time >= now:
                potential += event.jump
            while now <= end:
                pieces.append((now, potential, event.level))
                spike = now + self._wait(potential, event.level)
                if spike > end:
                    left = math.exp((now - end) / self.time_constant)
                    now, potential = end, event.level + (potential - event.level) * left
                    break
                spikes.append(spike)
                now, potential = spike + self.refractory_period, self.reset_potential
                pieces.append((spike, potential, potential))
        starts, values, levels = np.array(pieces).T
        piece = np.searchsorted(starts, times, side="right") - 1
        left = np.exp((starts[piece] - times) / self.time_constant)
        reported = levels[piece] + (values[piece] - levels[piece]) * left
        return Recording(times, reported, np.array(spikes))

    def _wait(self, potential: float, level: float) -> float:
        """Return how long V takes from `potential` to the threshold on its way to `level`, in ms."""
        if potential > self.threshold:
            return 0.0
        if level <= self.threshold:
            return math.inf
        return self.time_constant * math.log1p((self.threshold - potential) / (level - self.threshold))


def as_strengths(name: str, values: object) -> tuple[float, ...]:
    """Return the strengths of synapses as plain numbers.

    Raises:
        ConfigError: if `values` is not a list of numbers from -1e9 to 1e9.
    """
    given = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise ConfigError(
            f"{name} must be a list of numbers, got {shortened(given)}", f"pass {name}=(9.0,) for one"
        )
    return tuple(
        check_number(f"{name}[{i}]", strength, at_least=-LARGEST, at_most=LARGEST)
        for i, strength in enumerate(given)
    )


def as_train(what: str, times: Any) -> Array:
    """Return the times of spikes as a 1-D float64 array.

    Raises:
        DataError: for a time that is not finite, or below 0.
        ShapeError: if it is not a 1-D array of numbers.
    """
    train = as_array(what, times).astype(np.float64)
    if train.ndim != 1:
        raise ShapeError(f"{what} must be a 1-D array of times in ms, got shape {train.shape}")
    good = np.isfinite(train) & (train >= 0)
    if not good.all():
        raise DataError(f"{what} must be at finite times >= 0, got {train[~good][0]}")
    return train


def _currents(values: Any) -> Array:
    currents = as_array("a current", values).astype(np.float64)
    good = np.abs(currents) <= LARGEST
    if not good.all():
        raise DataError(f"a current must be a number between -1e9 and 1e9 nA, got {currents[~good][0]}")
    return currents
