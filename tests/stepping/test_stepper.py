"""A run that goes one update at a time: the bits of `fit`, forward and back, on branches, and what is found there."""

from __future__ import annotations

import copy
import os
import signal
from typing import Any

import numpy as np
import pytest

import ganglion as gg

rng = np.random.default_rng(5)
X = rng.normal(size=(50, 3))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
LAYERS = [gg.Dense(6, "relu"), gg.Dense(2, "softmax")]
RUNS: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": gg.SGD(0.1, momentum=0.9)},
    "adam": {"optimizer": gg.Adam(0.01)},
    "averaged": {"optimizer": gg.Adam(0.01, average=0.9)},
    "dropout": {"layers": [gg.Dense(6, "relu"), gg.Dropout(0.4), gg.Dense(2, "softmax")]},
    "normalized": {"layers": [gg.Dense(6), gg.BatchNormalization(), gg.Dense(2, "softmax")]},
    "plateau": {"optimizer": gg.SGD(gg.ReduceOnPlateau(0.5, patience=1)), "validation": 0.2},
    "cosine": {"optimizer": gg.AdamW(gg.CosineDecay(0.05, epochs=6), clip_norm=0.1)},
    "stopping": {"callbacks": [gg.EarlyStopping(patience=1)], "validation": 0.3, "epochs": 12},
    "penalties": {"regularization": gg.Regularization(l1=0.01, l2=0.01, max_norm=1.0)},
    "weights": {"class_weight": {0: 1.0, 1: 3.0}, "validation": 0.1},
    "in order": {"shuffle": False},
    "double": {"dtype": "float64"},
    "reference": {"engine": "reference"},
}


def made(name: str, **more: Any) -> tuple[gg.Network, dict[str, Any]]:
    settings = copy.deepcopy({"epochs": 6, "batch_size": 8, **RUNS[name], **more})
    own = {key: settings.pop(key) for key in ("dtype", "engine") if key in settings}
    return gg.Network(settings.pop("layers", LAYERS), inputs=3, seed=3, **own), settings


def facts(net: gg.Network) -> dict[str, Any]:
    """All numbers of a network and its optimizer."""
    state = net.optimizer_state
    vectors = {
        "parameters": net.parameters,
        "state": net.state,
        "mean": state.mean,
        "raw": state.raw,
        **state.slots,
    }
    counts = {
        name: getattr(state, name)
        for name in ("step", "update", "epoch", "optimizer_epoch", "schedule_state")
    }
    return counts | {name: None if each is None else each.tobytes() for name, each in vectors.items()}


@pytest.mark.parametrize("name", RUNS)
def test_single_steps_are_the_bits_of_fit(name: str) -> None:
    net, settings = made(name)
    history = net.fit(X, Y, **settings)
    own, settings = made(name)
    stepper = gg.Stepper(own, X, Y, **settings)
    while not stepper.has_ended:
        stepper.step()
    assert facts(own) == facts(net)
    series = ("loss", "validation_loss", "metrics", "learning_rate", "gradient_norm", "ended", "best_epoch")
    assert all(getattr(own.history, each) == getattr(history, each) for each in series)
    assert stepper.ended_because == history.stopped_because
    assert own.facts == net.facts
    played, settings = made(name)
    whole = gg.Stepper(played, X, Y, **settings)
    whole.step(3)  # a pause in the middle of an epoch
    whole.step(10_000)
    assert facts(played) == facts(net)
    assert np.array_equal(whole.losses, stepper.losses)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("megabytes", [256, 1e-6], ids=["keyframes", "none"])
def test_fifty_forward_and_fifty_back(name: str, megabytes: float) -> None:
    net, settings = made(name, epochs=20)
    stepper = gg.Stepper(net, X, Y, megabytes=megabytes, **settings)
    stepper.step(4)
    before, losses = facts(net), stepper.losses
    stepper.step(50)
    last = stepper.update
    after, those = facts(net), stepper.losses
    stepper.seek(4)
    assert facts(net) == before
    assert np.array_equal(stepper.losses, losses)
    for update in (17, 5, 11, last, 0, last):
        stepper.seek(update)
        assert stepper.update == update
        assert np.array_equal(stepper.losses, those[:update])
    assert facts(net) == after
    if megabytes < 1:
        assert stepper.keyframes == [0]


def test_keyframes_stay_within_the_budget() -> None:
    net = gg.Network([gg.Dense(100, "relu"), gg.Dense(2, "softmax")], inputs=3)
    stepper = gg.Stepper(net, X, Y, megabytes=0.1, epochs=100, batch_size=8)
    stepper.step(600)
    assert 3 <= len(stepper.keyframes) <= 0.1 * 2**20 / (net.parameters.nbytes * 3)
    small = gg.Stepper(gg.Network([gg.Dense(2, "softmax")], 3), X, Y, epochs=2000, batch_size=8)
    small.step(10_000)
    assert 64 <= len(small.keyframes) <= 256


def test_a_branch_leaves_its_origin_as_it_was() -> None:
    net, settings = made("adam")
    stepper = gg.Stepper(net, X, Y, **settings)
    stepper.step(9)
    before = facts(net)
    branch = stepper.branch()
    branch.edit("dense_1/weight", (0, 2), 5.0)
    assert facts(net) == before
    branch.step(20)
    stepper.step(20)
    assert facts(branch.network) != facts(net)
    branch.seek(9)
    assert branch.network.named_parameters()["dense_1/weight"][0, 2] == 5
    undone = stepper.branch()
    assert undone.first == 29
    stepper.seek(9)
    assert facts(net) == before
    with pytest.raises(gg.ConfigError, match="from 9 to 42, got 8"):
        branch.seek(8)
    same = stepper.branch()
    same.step(50)
    stepper.step(50)
    assert facts(same.network) == facts(net)


def test_a_branch_with_other_settings() -> None:
    net, settings = made("adam")
    stepper = gg.Stepper(net, X, Y, **settings)
    stepper.step(10)
    branch = stepper.branch(optimizer=gg.SGD(0.01), batch_size=5, epochs=3)
    assert (branch.first, branch.position, branch.steps, branch.total) == (10, 0, 10, 30)
    branch.step(1000)
    assert branch.has_ended
    assert branch.history.epochs == 3
    with pytest.raises(gg.ConfigError, match="no setting 'rate'"):
        stepper.branch(rate=3)


def test_edits_are_part_of_the_run() -> None:
    net, settings = made("averaged")
    stepper = gg.Stepper(net, X, Y, **settings)
    stepper.step(9)
    stepper.step(10)
    stepper.seek(9)
    net.parameters[4] = 2.5  # as a user who does not know of `edit`
    stepper.step(8)
    after = facts(net)
    stepper.seek(3)
    stepper.seek(17)
    assert facts(net) == after
    stepper.seek(9)
    assert net.parameters[4] == 2.5
    with pytest.raises(gg.DataError, match="must fit float32"):
        stepper.edit("dense_1/bias", 0, 1e300)
    with pytest.raises(gg.ConfigError, match="there is no parameter"):
        stepper.edit("dense_9/bias", 0, 1)


def test_snapshots() -> None:
    net, settings = made("dropout")
    stepper = gg.Stepper(net, X, Y, **settings)
    stepper.step(5)
    kept, before = stepper.snapshot(), facts(net)
    stepper.step(7)
    stepper.restore(kept)
    assert stepper.update == 5
    assert facts(net) == before
    assert stepper.reached == 5
    with pytest.raises(gg.ConfigError, match="another run"):
        stepper.restore(gg.Stepper(gg.Network([gg.Dense(2)], 3), X, X[:, :2]).snapshot())


@pytest.mark.parametrize(
    "name", ["sgd", "adam", "averaged", "dropout", "normalized", "cosine", "penalties", "weights"]
)
def test_the_trace_is_the_next_update(name: str) -> None:
    net, settings = made(name, dtype="float64")
    stepper = gg.Stepper(net, X, Y, **settings)
    for skipped in (0, 1, 12):
        stepper.step(skipped)
        told, before, batch = stepper.trace(), stepper.update, stepper.batch()
        assert len(batch) == len(told.layers[0].x)
        gradient, parts = told.gradient_vector, stepper.parts()
        assert np.isclose(parts.sum(), 1)
        places = [
            (entry.name, index) for entry in net.architecture.parameters for index in np.ndindex(entry.shape)
        ]
        if name not in ("penalties",):
            own = sum(stepper.parts("dense_1/weight", (1, 1)))
            assert np.isclose(own, gradient[net.architecture.parameters[0].start + 7], rtol=1e-10)
        expected = [told.update(*place).value for place in places]
        stepper.step()
        state = net.optimizer_state
        now = net.parameters if state.raw is None else state.raw
        real = np.abs(gradient) > 1e-12  # a bias before a normalization has none but rounding errors
        assert real.sum() > 20
        assert np.allclose(np.array(expected)[real], now[real], rtol=1e-10, atol=1e-12)
        if name != "penalties":
            assert np.isclose(stepper.losses[-1], told.loss)
        stepper.seek(before)


def test_batches_name_the_rows_of_the_user() -> None:
    net, settings = made("plateau")
    stepper = gg.Stepper(net, X, Y, **settings)
    seen = []
    while stepper.history.epochs == 0:
        seen += stepper.batch().tolist()
        assert np.allclose(X[stepper.batch()], stepper.trace().layers[0].x)
        stepper.step()
    assert len(set(seen)) == len(seen) == 40


def planted() -> tuple[gg.Stepper, int]:
    """A run in which unit 1 of dense_1 dies with one batch: row 20 is huge."""
    x = np.abs(rng.normal(size=(24, 2)))
    y = x.sum(axis=1) + 1
    x[20], y[20] = (300.0, 300.0), -5000.0
    net = gg.Network([gg.Dense(3, "relu"), gg.Dense(1)], inputs=2)
    net.parameters = [0.5, 0.1, 0.3, 0.5, 0.1, 0.3, 0, 0, 0, 0.1, 0.2, 0.1, 0]
    stepper = gg.Stepper(net, x, y, optimizer=gg.SGD(0.0005), batch_size=4, epochs=5)
    at = next(u for u in range(1, 7) if 20 in gg.Stepper.batch(_at(stepper, u - 1)))
    stepper.seek(0)
    return stepper, at


def _at(stepper: gg.Stepper, update: int) -> gg.Stepper:
    stepper.seek(update)
    return stepper


def test_bisect_finds_a_planted_death() -> None:
    stepper, at = planted()
    stepper.step(30)
    for lasting in (False, True):
        found = stepper.bisect(gg.when.unit_is_silent("dense_1", 1), lasting=lasting)
        assert found.update == at == stepper.update
        assert found.epoch == 1
        assert 20 in found.rows
        assert found.rows[found.parts.argmax()] == 20
        assert np.isclose(found.parts.sum(), 1)
    assert stepper.bisect(gg.when.loss_above(1e12)) is None
    assert stepper.update == at
    assert stepper.bisect(gg.when.loss_above(1e3)).update == at
    assert stepper.bisect(gg.when.loss_below(1e9)).update == 1
    weight = gg.when.passes("dense_1/weight", (0, 1))
    assert stepper.bisect(weight, start=0).update == at
    nothing = stepper.bisect(lambda _: True)
    assert (nothing.update, len(nothing.rows)) == (0, 0)


def test_the_first_time_is_found_where_it_does_not_last() -> None:
    net, settings = made("sgd", epochs=20)
    stepper = gg.Stepper(net, X, Y, **settings)
    stepper.step(1000)
    losses = stepper.losses
    limit = np.sort(losses)[-3]
    assert stepper.bisect(gg.when.loss_above(limit)).update == np.flatnonzero(losses > limit)[0] + 1


def test_a_diverging_run_ends_at_its_step() -> None:
    net = gg.Network([gg.Dense(8), gg.Dense(1)], inputs=3)
    stepper = gg.Stepper(net, X * 100, Y, optimizer=gg.SGD(1.0), batch_size=8, epochs=5)
    stepper.step(1000)
    assert stepper.has_ended
    assert "no longer finite in epoch" in stepper.ended_because
    assert f"step {stepper.position + 1};" in stepper.ended_because
    last = stepper.update
    stepper.step()
    assert stepper.update == last
    assert 1 < last < 35
    because = stepper.ended_because
    stepper.back(1)
    assert not stepper.has_ended
    stepper.seek(last)
    assert stepper.has_ended
    assert stepper.ended_because == because
    assert len(stepper.batch()) in (2, 8)
    stepper.seek(0)
    assert not stepper.has_ended
    branch = stepper.branch(optimizer=gg.SGD(1e-24))
    branch.step(1000)
    assert branch.update == branch.total
    with pytest.raises(gg.ConfigError, match="all epochs are done"):
        branch.batch()


def test_what_is_refused() -> None:
    net = gg.Network(LAYERS, inputs=3)
    with pytest.raises(gg.ConfigError, match="lbfgs makes no single updates"):
        gg.Stepper(net, X, Y, optimizer="lbfgs")
    stepper = gg.Stepper(net, X, Y, epochs=1)
    with pytest.raises(gg.ConfigError, match="from 0 to 2, got 3"):
        stepper.seek(3)
    with pytest.raises(gg.ConfigError, match="from 0 to 2, got -1"):
        stepper.back()
    with pytest.raises(gg.ConfigError, match="no setting 'checkpoint'"):
        gg.Stepper(net, X, Y, checkpoint="a.ckpt")


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_an_interrupted_step_is_whole() -> None:
    net, settings = made("adam", epochs=10**6)

    class Interrupt(gg.Callback):
        def on_epoch_end(self, training: Any) -> None:
            if training.history.epochs == 3:
                os.kill(os.getpid(), signal.SIGINT)

    stepper = gg.Stepper(net, X, Y, **settings, callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        stepper.step(10**6)
    reached = stepper.update
    own, settings = made("adam", epochs=10**6)
    other = gg.Stepper(own, X, Y, **settings)
    other.step(reached)
    assert facts(own) == facts(net)
