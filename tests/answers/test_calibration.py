import numpy as np
import pytest

import ganglion as gg
from ganglion.answers.calibrating import calibrate, error_levels, fit_temperature
from ganglion.answers.calibration import Calibration
from ganglion.answers.held_out import HeldOut
from ganglion.answers.target import NumberTarget
from ganglion.core.part import Array


def held_out(outputs: Array, truth: Array, **others: Array) -> HeldOut:
    return HeldOut(outputs, truth, np.zeros(len(truth), dtype=np.int64), **others)


def test_outputs_of_an_unchanged_network_keep_their_bits() -> None:
    outputs = np.random.default_rng(0).dirichlet([1, 2, 3], 50).astype(np.float32)
    assert Calibration().probabilities(outputs) is outputs
    assert Calibration().decide(outputs).tolist() == outputs.argmax(axis=1).tolist()


def test_the_prior_shift_by_hand() -> None:
    # Classes of 90 % and 10 %, balanced: weights 1 / (2 * 0.9) and 1 / (2 * 0.1). A network that says 1/2
    # has seen no evidence, so the true probability is the frequency.
    calibration = Calibration(class_weights=(1 / 1.8, 1 / 0.2))
    outputs = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    # odds 3 : 1 become 3 * 0.1 / (1 * 0.9) = 1 : 3
    expected = [[0.9, 0.1], [0.75, 0.25], [1.0, 0.0]]
    found = calibration.probabilities(outputs)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert calibration.decide(found)[1:].tolist() == [1, 0]  # the network's own choice


def test_temperature_by_hand() -> None:
    found = Calibration(temperature=2.0).probabilities(np.array([[0.8, 0.2]]))
    np.testing.assert_allclose(found, [[2 / 3, 1 / 3]])  # odds 4 : 1 become 2 : 1


def test_one_row_has_the_same_bits_as_many() -> None:
    outputs = np.random.default_rng(0).dirichlet(np.ones(5), 64).astype(np.float32)
    calibration = Calibration(temperature=1.7, class_weights=(1.0, 2.0, 3.0, 0.5, 0.1))
    whole = calibration.probabilities(outputs)
    assert all((calibration.probabilities(outputs[i : i + 1])[0] == whole[i]).all() for i in range(64))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_found(temperature: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (20_000, 3))
    odds = np.exp(logits)
    truth = (odds / odds.sum(1, keepdims=True)).cumsum(1) < random.random((20_000, 1))
    said = np.exp(logits * temperature)  # too sharp by this factor
    rows = held_out(said / said.sum(1, keepdims=True), truth.sum(1))
    assert fit_temperature(rows) == pytest.approx(temperature, rel=0.05)


def test_noise_is_not_fitted() -> None:
    found = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        p = random.random(100)
        truth = (random.random(100) < p).astype(np.int64)
        found.append(fit_temperature(held_out(np.stack([1 - p, p], 1), truth)))
    assert np.mean(np.array(found) == 1) > 0.75
    few = held_out(np.tile([0.01, 0.99], (49, 1)), np.arange(49) % 2)
    assert fit_temperature(few) == 1.0
    copies = held_out(np.tile([0.01, 0.99], (200, 1)), np.arange(200) % 2, groups=np.arange(200) % 40)
    assert fit_temperature(copies) == 1.0
    assert fit_temperature(held_out(copies.outputs, copies.truth)) > 2


def test_weighted_rows_count_as_often_as_repeated_ones() -> None:
    random = np.random.default_rng(0)
    p = random.beta(0.3, 0.3, 2000)
    truth = (random.random(2000) < 0.5 + 0.3 * (p - 0.5)).astype(np.int64)
    outputs, times = np.stack([1 - p, p], 1), random.integers(0, 3, 2000)
    weighted = fit_temperature(held_out(outputs, truth, weight=times.astype(float)))
    repeated = np.repeat(np.arange(2000), times)
    again = fit_temperature(held_out(outputs[repeated], truth[repeated], groups=repeated))
    assert weighted == pytest.approx(again, rel=1e-6)


def test_conformal_quantiles_by_hand() -> None:
    levels, errors = error_levels(np.array([3.0, 1.0, 4.0, 2.0, 5.0, 9.0, 8.0, 7.0, 6.0]), np.ones(9))
    assert errors == tuple(range(1, 10))
    calibration = Calibration(levels=levels, residuals=errors)
    # ceil((9 + 1) * 0.9) = 9th smallest; ceil(10 * 0.5) = 5th; ceil(10 * 0.51) = 6th
    assert [calibration.half_width(level) for level in (0.9, 0.5, 0.51)] == [9, 5, 6]
    with pytest.raises(gg.DataError, match=r"up to level 0.9, got 0.95 \(a level of 0.95 needs at least 19"):
        calibration.half_width(0.95)
    with pytest.raises(gg.DataError, match="trained without any"):
        Calibration().half_width(0.5)
    for level in (0, 1, -0.1, 90, float("nan")):
        with pytest.raises(gg.ConfigError, match="level of an interval must be a number"):
            calibration.half_width(level)


def test_infinite_errors_count_and_weights_too() -> None:
    levels, errors = error_levels(np.array([1.0, np.inf, np.nan]), np.ones(3))
    assert (levels, errors) == ((0.25,), (1.0,))
    levels, errors = error_levels(np.array([1.0, 2.0, 3.0]), np.array([3.0, 0.0, 1.0]))
    assert errors == (1.0, 3.0)
    np.testing.assert_allclose(levels, [3 / 6, 4 / 6])  # the new row weighs 2, the mean


def test_many_errors_are_thinned_on_the_wide_side() -> None:
    errors = np.random.default_rng(0).exponential(size=12_345)
    levels, kept = error_levels(errors, np.ones(len(errors)))
    assert len(kept) == 1000
    calibration, ordered = Calibration(levels=levels, residuals=kept), np.sort(errors)
    for level in (0.01, 0.5, 0.9, 0.99, 0.9995):
        exact = int(np.ceil((len(errors) + 1) * level))
        assert ordered[exact - 1] <= calibration.half_width(level) <= ordered[min(exact + 12, 12_344)]


def test_intervals_have_the_coverage_that_they_promise() -> None:
    target, inside = NumberTarget("y", 10.0, 3.0), []
    for seed in range(400):
        random = np.random.default_rng(seed)
        rows = held_out(np.zeros((39, 1)), random.normal(size=39))
        half = calibrate(target, rows).half_width(0.9)
        inside.append(np.mean(np.abs(random.normal(0, 3, 200)) <= half))  # in the target's units
    assert np.mean(inside) == pytest.approx(0.9, abs=0.012)


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0},
        {"temperature": "hot"},
        {"class_weights": [0.0, 1.0]},
        {"class_weights": "ab"},
        {"threshold": 1.5},
        {"positive": 2},
        {"purpose": 3},
        {"levels": [0.5], "residuals": []},
        {"levels": [0.5, 0.4], "residuals": [1.0, 2.0]},
        {"levels": [0.5], "residuals": [-1.0]},
        {"levels": [None], "residuals": [1.0]},
        {"levels": [0.5] * 1001, "residuals": [1.0] * 1001},
        {"unknown": 1},
    ],
)
def test_damaged_descriptions_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(gg.ConfigError):
        Calibration.from_dict(Calibration().to_dict() | change)


def test_descriptions_come_back_equal() -> None:
    for calibration in (
        Calibration(),
        Calibration(1.5, (1.0, 2.0), 0, 0.3, "f1"),
        Calibration(levels=(0.25, 0.5), residuals=(1.0, 2.0)),
    ):
        assert Calibration.from_dict(calibration.to_dict()) == calibration
    for calibration, classes in (
        (Calibration(threshold=0.5), 3),
        (Calibration(class_weights=(1.0, 2.0)), 3),
        (Calibration(class_weights=(1.0, 2.0)), None),
        (Calibration(levels=(0.5,), residuals=(1.0,)), 2),
    ):
        with pytest.raises(gg.ConfigError):
            calibration.check_classes(classes)
