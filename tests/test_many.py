import threading
import time
from typing import Any

import numpy as np
import pytest

import ganglion as gg

X = np.random.default_rng(0).normal(size=(200, 3))
Y = X[:, 0] * X[:, 1]


def make(seed: int, **settings: Any) -> gg.Network:
    return gg.Network([gg.Dense(8, "tanh"), gg.Dropout(0.1), gg.Dense(1)], inputs=3, seed=seed, **settings)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_network_gets_the_same_bits_as_alone(dtype: str) -> None:
    trained = gg.train_many(lambda seed: make(seed, dtype=dtype), X, Y, count=9, threads=3, epochs=4)
    assert len(trained) == len(trained.networks) == 9
    for seed, network in enumerate(trained.networks):
        alone = make(seed, dtype=dtype)
        history = alone.fit(X, Y, epochs=4)
        np.testing.assert_array_equal(network.parameters, alone.parameters)
        assert trained[seed].loss == history.loss


def test_each_sets_folds_and_rates() -> None:
    folds = [{"X": X[i::2], "y": Y[i::2], "validation": (X[1 - i :: 2], Y[1 - i :: 2])} for i in (0, 1)]
    trained = gg.train_many([make(0), make(0)], X, Y, each=folds, epochs=3, optimizer=gg.Adam(0.01))
    assert all(len(history.validation_loss) == 3 for history in trained)
    assert trained[0].loss != trained[1].loss
    rates = [{"optimizer": gg.SGD(rate)} for rate in (0.1, 0.2)]
    assert [h.learning_rate[0] for h in gg.train_many(make, X, Y, each=rates, epochs=1)] == [0.1, 0.2]


def test_each_network_has_its_own_callbacks() -> None:
    stop = gg.EarlyStopping(patience=2)
    trained = gg.train_many(make, X, Y, count=4, epochs=60, validation=0.3, callbacks=stop)
    for seed, network in enumerate(trained.networks):
        alone = make(seed)
        alone.fit(X, Y, epochs=60, validation=0.3, callbacks=[gg.EarlyStopping(patience=2)])
        np.testing.assert_array_equal(network.parameters, alone.parameters)


def test_an_error_in_one_stops_the_others() -> None:
    start = time.perf_counter()
    each = [{}, {"optimizer": "nonsense"}, {}]
    with pytest.raises(gg.ConfigError, match="there is no optimizer 'nonsense'"):
        gg.train_many(make, X, Y, each=each, threads=2, epochs=10**6)
    assert time.perf_counter() - start < 60  # a bound against hanging


def test_ctrl_c_ends_all_cleanly() -> None:
    import signal

    class Press(gg.Callback):
        def on_epoch_end(self, training: Any) -> None:
            if pressed.acquire(blocking=False):  # the first of all networks, as early as can be
                signal.raise_signal(signal.SIGINT)

    pressed = threading.Lock()
    trained = gg.train_many(make, X, Y, count=5, threads=2, epochs=10**6, callbacks=[Press()])
    assert {history.ended for history in trained} == {"interrupted"}
    assert any(history.epochs > 0 for history in trained[:2])
    assert trained[4].epochs == 0
    assert "before it started" in trained[4].stopped_because


@pytest.mark.parametrize(
    ("networks", "settings", "message"),
    [
        (make, {}, "needs count, got None"),
        ("net", {"count": 1}, "must be a list of networks"),
        ([make(0)], {"each": [{}, {}]}, "one entry for each of 1 networks, got 2"),
        ([make(0)], {"each": 5}, "list of dictionaries"),
        ([make(0)] * 2, {}, "different objects"),
        (lambda number: number, {"count": 1}, "must be gg.Network objects, got 0"),
        (make, {"count": 1, "progress": 3}, "progress must be True or False"),
        (make, {"count": 1, "threads": 0}, "threads must be a whole number >= 1"),
    ],
)
def test_invalid_arguments_are_refused(networks: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(gg.ConfigError, match=message):
        gg.train_many(networks, X, Y, **settings)


def test_no_networks_are_allowed() -> None:
    assert gg.train_many([], X, Y) == []
    assert gg.train_many(make, X, Y, count=1, epochs=1, progress=True)[0].epochs == 1


def test_whole_numbers_and_several_inputs_reach_every_network() -> None:
    inputs = {"word": gg.IntegerInput(20_000_000), "bag": gg.BagInput(9)}
    branches = {"word": [gg.Embedding(20_000_000, 1)], "bag": [gg.EmbeddingBag(9, 2)]}
    X = {"word": [16_777_217, 5], "bag": [[1, 2, 8], []]}

    def make(seed: int) -> gg.Network:
        return gg.Network([gg.Parallel(branches), gg.Dense(1)], inputs=inputs, seed=seed)

    trained = gg.train_many(make, X, [1.0, 2.0], count=2, epochs=2, loss="mse", optimizer="sgd")
    alone = make(1)
    alone.fit(X, [1.0, 2.0], epochs=2, loss="mse", optimizer="sgd")
    np.testing.assert_array_equal(trained.networks[1].parameters, alone.parameters)
    table, start = (net.named_parameters()["parallel_1/word/embedding_1/weight"] for net in (alone, make(1)))
    assert np.flatnonzero(table != start).tolist() == [5, 16_777_217]
