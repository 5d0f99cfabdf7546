import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from ganglion.origins import SpikingNeuron

NEURON = SpikingNeuron()


def interval(neuron: SpikingNeuron, current: float) -> float:
    """The time between two spikes, as it stands in the textbook (Dayan and Abbott 2001, eq. 5.11)."""
    driven = neuron.resting_potential + neuron.resistance * current
    to_threshold = math.log((driven - neuron.reset_potential) / (driven - neuron.threshold))
    return neuron.refractory_period + neuron.time_constant * to_threshold


NEURONS = [
    NEURON,
    SpikingNeuron(refractory_period=0),
    SpikingNeuron(reset_potential=-58, time_constant=23.7),
    SpikingNeuron(reset_potential=-80, resistance=41.5, threshold=-43.2, refractory_period=4.4),
]


@pytest.mark.parametrize("neuron", NEURONS, ids=["default", "no rest", "high reset", "low reset"])
@pytest.mark.parametrize("above", [1.001, 1.2, 3.0, 40.0])
@pytest.mark.parametrize("dt", [0.01, 0.1, 0.37, 5.0])
def test_intervals_equal_the_closed_form(neuron: SpikingNeuron, above: float, dt: float) -> None:
    current = above * neuron.rheobase
    expected = interval(neuron, current)
    spikes = neuron.simulate(current, duration=20.5 * expected + 60, dt=dt).spikes
    assert len(spikes) >= 20
    np.testing.assert_allclose(np.diff(spikes), expected, rtol=1e-9)


def test_the_first_spike_comes_on_the_way_from_rest() -> None:
    neuron = SpikingNeuron(reset_potential=-57)
    spikes = neuron.simulate(3.0, duration=50).spikes
    np.testing.assert_allclose(spikes[0], 10 * math.log(30 / 15), rtol=1e-12)
    np.testing.assert_allclose(spikes[1] - spikes[0], 2 + 10 * math.log(22 / 15), rtol=1e-12)


@given(
    st.floats(0.0, 30.0),
    st.floats(-90, -51),
    st.floats(1, 50),
    st.floats(0.1, 20),
    st.floats(0, 10),
    st.floats(0.01, 10),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_neuron_fires_at_its_rate(
    current: float, reset: float, tau: float, resistance: float, rest: float, dt: float
) -> None:
    neuron = SpikingNeuron(
        reset_potential=reset, time_constant=tau, resistance=resistance, refractory_period=rest
    )
    spikes = neuron.simulate(current, duration=200, dt=dt).spikes
    if len(spikes) > 1:
        np.testing.assert_allclose(1000 / np.diff(spikes), neuron.rate(current), rtol=1e-9)
    elif neuron.rate(current) > 0:
        first = tau * math.log(resistance * current / (resistance * current - 15))
        assert first + 1000 / neuron.rate(current) > 200 * (1 - 1e-9)
    else:
        assert len(spikes) == 0


@pytest.mark.parametrize(
    "drive", [2.3, [[1.0, 1.3, 9.0, 30.05], [1.1, 8.9, 30.05, 30.06]]], ids=["current", "spikes"]
)
def test_dt_decides_only_where_the_potential_is_reported(drive: object) -> None:
    neuron = SpikingNeuron(synapses=(11.0, 7.5))
    fine, coarse = (neuron.simulate(drive, duration=80, dt=dt) for dt in (0.25, 4.0))
    np.testing.assert_array_equal(fine.spikes, coarse.spikes)
    assert len(fine.spikes) >= 2
    np.testing.assert_array_equal(fine.times[::16], coarse.times)
    np.testing.assert_array_equal(fine.potential[::16], coarse.potential)


def test_the_rate_is_one_over_interval_and_zero_up_to_the_rheobase() -> None:
    currents = np.array([-3.0, 0.0, 1.0, 1.5, 1.6, 2.0, 5.0, 100.0])
    expected = [0, 0, 0, 0, *(1000 / interval(NEURON, c) for c in currents[4:])]
    np.testing.assert_allclose(NEURON.rate(currents), expected, rtol=1e-12)
    assert NEURON.rheobase == 1.5
    assert isinstance(NEURON.rate(2.0), float)
    assert NEURON.rate(2.0) == NEURON.rate(currents)[5]
    assert NEURON.rate([[2.0]]).shape == (1, 1)


def test_the_rate_saturates_with_a_rest_and_grows_in_a_straight_line_without() -> None:
    assert NEURON.rate(1e9) == pytest.approx(500, rel=1e-6)  # 1000 ms / 2 ms
    free = SpikingNeuron(refractory_period=0)
    slope = 1000 * 10 / (10 * 15)  # resistance / (time_constant * (threshold - reset)), in Hz / nA
    np.testing.assert_allclose(np.diff(free.rate(np.arange(100, 105))), slope, rtol=1e-4)
    assert free.rate(100.0) == pytest.approx(slope * (100 - 0.75), rel=1e-4)  # a ReLU, shifted by half way


def test_no_spikes_up_to_the_rheobase() -> None:
    at, above = (NEURON.simulate(c, duration=10_000, dt=100) for c in (1.5, 1.5 + 1e-9))
    assert len(at.spikes) == 0
    assert at.potential[-1] == pytest.approx(-50, abs=1e-9)
    assert len(above.spikes) > 10


def test_the_potential_follows_the_exponential_by_hand() -> None:
    record = NEURON.simulate(1.0, duration=30, dt=10)
    np.testing.assert_array_equal(record.times, [0, 10, 20, 30])
    np.testing.assert_allclose(record.potential, [-55 - 10 * math.exp(-t) for t in range(4)], rtol=1e-14)


def test_the_potential_solves_the_differential_equation() -> None:
    record = NEURON.simulate(2.0, duration=100, dt=0.001)
    slope = np.gradient(record.potential, record.times)
    right = (-65 - record.potential + 20) / 10
    away = np.abs(record.times[:, None] - record.spikes).min(axis=1) > 0.01
    resting = (
        (record.times[:, None] - record.spikes > -0.01) & (record.times[:, None] - record.spikes < 2.01)
    ).any(1)
    np.testing.assert_allclose(slope[away & ~resting], right[away & ~resting], atol=1e-3)
    assert record.potential.max() <= -50 + 1e-9


def test_spikes_sum_and_decay() -> None:
    neuron = SpikingNeuron(synapses=(3.0, 5.0, -4.0))
    record = neuron.simulate([[5, 25], [15], [15]], duration=35, dt=5)
    e = math.exp
    above = [0, 3, 3 * e(-0.5), 3 * e(-1) + 1, 0, 0, 0, 0]
    above[4] = above[3] * e(-0.5)
    above[5] = above[4] * e(-0.5) + 3
    above[6] = above[5] * e(-0.5)
    above[7] = above[6] * e(-0.5)
    np.testing.assert_allclose(record.potential + 65, above, rtol=1e-12, atol=1e-12)
    assert len(record.spikes) == 0


def test_spikes_close_in_time_fire_and_apart_do_not() -> None:
    neuron = SpikingNeuron(synapses=(8.0, 8.0))
    within = 10 * math.log(8 / 7)  # until 8 mV have sunk to the 7 mV that are needed
    close = neuron.simulate([[10], [10 + 0.999 * within]], duration=50)
    apart = neuron.simulate([[10], [10 + 1.001 * within]], duration=50)
    np.testing.assert_array_equal(close.spikes, [10 + 0.999 * within])
    assert len(apart.spikes) == 0


def test_the_potential_must_exceed_the_threshold() -> None:
    assert len(SpikingNeuron(synapses=(15.0,)).simulate([[1.0]], duration=5).spikes) == 0
    assert len(SpikingNeuron(synapses=(15.0, 1e-6)).simulate([[1.0], [1.0]], duration=5).spikes) == 1


def test_inhibition_prevents_a_spike() -> None:
    neuron = SpikingNeuron(synapses=(20.0, -6.0))
    assert len(neuron.simulate([[10], []], duration=20).spikes) == 1
    assert len(neuron.simulate([[10], [10]], duration=20).spikes) == 0  # 14 mV in sum
    assert len(neuron.simulate([[10], [9]], duration=20).spikes) == 0
    assert len(neuron.simulate([[10], [10.001]], duration=20).spikes) == 1  # too late


def test_what_arrives_during_the_rest_is_lost() -> None:
    neuron = SpikingNeuron(synapses=(20.0,), refractory_period=5)
    record = neuron.simulate([[10, 12, 14.9]], duration=30, dt=1)
    np.testing.assert_array_equal(record.spikes, [10])
    np.testing.assert_array_equal(record.potential[10:], np.full(21, -65.0))
    np.testing.assert_array_equal(neuron.simulate([[10, 15]], duration=30).spikes, [10, 15])
    assert np.diff(neuron.simulate(1e3, duration=1000).spikes).min() > 5


def test_a_run_includes_its_end_and_nothing_beyond() -> None:
    neuron = SpikingNeuron(synapses=(20.0,))
    np.testing.assert_array_equal(neuron.simulate([[0, 5]], duration=5).spikes, [0, 5])
    np.testing.assert_array_equal(neuron.simulate([[1, 6, 9]], duration=5).spikes, [1])
    record = SpikingNeuron(synapses=(7.0,)).simulate([[5]], duration=5, dt=2.5)
    np.testing.assert_array_equal(record.potential, [-65, -65, -58])


def test_order_and_grouping_of_spikes_do_not_matter() -> None:
    times = np.random.default_rng(0).uniform(0, 500, 200)
    whole = SpikingNeuron(synapses=(6.0,)).simulate([times], duration=500)
    split = SpikingNeuron(synapses=(6.0, 6.0)).simulate([np.sort(times[:90]), times[90:]], duration=500)
    np.testing.assert_array_equal(whole.spikes, split.spikes)
    np.testing.assert_array_equal(whole.potential, split.potential)
    assert len(whole.spikes) > 5
    matrix = SpikingNeuron(synapses=(6.0, 6.0)).simulate(times.reshape(2, 100), duration=500)
    np.testing.assert_array_equal(matrix.spikes, whole.spikes)


def test_a_constant_current_given_for_each_step_is_the_constant_current() -> None:
    whole = NEURON.simulate(2.2, duration=100, dt=0.5)
    steps = NEURON.simulate(np.full(200, 2.2), duration=100, dt=0.5)
    np.testing.assert_allclose(steps.spikes, whole.spikes, rtol=1e-12)
    np.testing.assert_allclose(steps.potential, whole.potential, rtol=1e-12)


def test_a_current_that_changes_by_hand() -> None:
    record = NEURON.simulate([1.0, 0.0, 3.0], duration=30, dt=10)
    after = [10 * (1 - math.exp(-1))]
    after.append(after[0] * math.exp(-1))
    np.testing.assert_allclose(record.potential[:3] + 65, [0, *after], rtol=1e-12)
    np.testing.assert_allclose(record.spikes, [20 + 10 * math.log((30 - after[1]) / 15)], rtol=1e-12)


def test_an_unfinished_last_step_has_a_current_and_no_report() -> None:
    record = NEURON.simulate([0, 0, 2.0], duration=25, dt=10)
    np.testing.assert_array_equal(record.times, [0, 10, 20])
    assert repr(record) == "<Recording: 20 ms, 0 spikes>"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"time_constant": 0}, "time_constant"),
        ({"resistance": -1}, "resistance"),
        ({"refractory_period": -0.1}, "refractory_period"),
        ({"threshold": math.nan}, "threshold must be a number"),
        ({"threshold": "high"}, "threshold must be a number"),
        ({"resting_potential": -50}, "resting_potential must be below the threshold"),
        ({"reset_potential": -40}, "reset_potential must be below the threshold"),
        ({"synapses": 9.0}, "synapses must be a list"),
        ({"synapses": "ab"}, "synapses must be a list"),
        ({"synapses": np.array(9.0)}, "synapses must be a list"),
        ({"synapses": (1, math.inf)}, r"synapses\[1\] must be a number"),
        ({"synapses": [[1, 2]]}, r"synapses\[0\] must be a number"),
    ],
    ids=str,
)
def test_bad_settings(settings: dict[str, object], words: str) -> None:
    with pytest.raises(gg.ConfigError, match=words):
        SpikingNeuron(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("drive", "error", "words"),
    [
        (math.nan, gg.DataError, "a current must be a number between"),
        ([1.0, math.inf, 1.0], gg.DataError, "got inf"),
        (None, gg.DataError, "got nan"),
        ("spikes", gg.DataError, "must hold numbers"),
        ({"a": 1}, gg.DataError, "must hold numbers"),
        ([1.0, 2.0], gg.ShapeError, "each of the 3 steps"),
        ([], gg.ShapeError, "each of the 3 steps"),
        (np.zeros((3, 1, 1)), gg.ShapeError, "each of the 3 steps"),
        ([[1.0]], gg.ShapeError, "each of the 2 synapses, got 1"),
        ([[1.0], 2.0], gg.ShapeError, "synapse 1 must be a 1-D array"),
        ([[1.0], [-2.0]], gg.DataError, "synapse 1 must be at finite times >= 0, got -2"),
        ([[1.0], [math.nan]], gg.DataError, "got nan"),
        ([[1.0], ["x"]], gg.DataError, "must hold numbers"),
        (np.zeros((0, 4)), gg.ShapeError, "got 0"),
    ],
    ids=str,
)
def test_bad_drives(drive: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        SpikingNeuron(synapses=(1.0, 1.0)).simulate(drive, duration=30, dt=10)


def test_bad_times_and_runs_without_end() -> None:
    with pytest.raises(gg.ConfigError, match="duration must be a number > 0"):
        NEURON.simulate(1.0, duration=0)
    with pytest.raises(gg.ConfigError, match="dt must be a number > 0 and <= 10"):
        NEURON.simulate(1.0, duration=10, dt=11)
    with pytest.raises(gg.ConfigError, match="at most 10,000,000"):
        NEURON.simulate(1.0, duration=10, dt=1e-9)
    with pytest.raises(gg.ConfigError, match="fire at most 10,000,000 times"):
        SpikingNeuron(refractory_period=0).simulate(1e9, duration=10)
    with pytest.raises(gg.DataError, match="a current"):
        NEURON.rate([1.0, math.nan])
    with pytest.raises(gg.ShapeError, match="each of the 0 synapses"):
        NEURON.simulate([[1.0]], duration=10)
