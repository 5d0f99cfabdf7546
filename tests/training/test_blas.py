"""While SciPy's L-BFGS runs for the native engine, the BLAS has one thread; afterwards as many as before."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import ganglion as gg
from ganglion.training.blas import single_threaded_blas

pytest.importorskip("scipy.optimize")
threadpoolctl = pytest.importorskip("threadpoolctl")


def most_threads() -> int:
    found = [
        library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"
    ]
    return max(found, default=1)


with threadpoolctl.threadpool_limits(2, user_api="blas"):
    threaded = pytest.mark.skipif(most_threads() < 2, reason="this BLAS has no threads, or one processor")


@pytest.fixture(autouse=True)
def _two_threads() -> Any:
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        yield


class Fail(gg.Callback):
    def on_epoch_end(self, training: Any) -> None:
        raise ZeroDivisionError


def train(seed: int, callbacks: Any = (), epochs: int = 30) -> None:
    X = np.random.default_rng(seed).normal(size=(20, 3))
    net = gg.Network([gg.Dense(4, "tanh"), gg.Dense(1)], inputs=3, seed=seed, engine="native")
    net.fit(X, X[:, 0], optimizer="lbfgs", epochs=epochs, callbacks=callbacks)


@threaded
def test_the_threads_are_given_back() -> None:
    with pytest.raises(ZeroDivisionError):
        train(0, [Fail()])
    assert most_threads() == 2
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: train(seed, epochs=1 + 7 * seed % 40), range(40)))
    assert most_threads() == 2


@threaded
def test_the_last_one_to_leave_gives_them_back() -> None:
    entered, may_leave = threading.Event(), threading.Event()

    def stay() -> None:
        with single_threaded_blas():
            entered.set()
            may_leave.wait()

    thread = threading.Thread(target=stay)
    with single_threaded_blas():
        thread.start()
        entered.wait()
        assert most_threads() == 1
    assert most_threads() == 1
    may_leave.set()
    thread.join()
    assert most_threads() == 2


@threaded
@pytest.mark.parametrize("engine", ["native", "reference"])
def test_lbfgs_is_alone_where_the_engine_does_without_the_blas(engine: str) -> None:
    seen = []

    class Look(gg.Callback):
        def on_epoch_end(self, training: Any) -> None:
            seen.append(most_threads())

    X = np.random.default_rng(0).normal(size=(20, 3))
    net = gg.Network([gg.Dense(4, "tanh"), gg.Dense(1)], inputs=3, engine=engine)
    net.fit(X, X[:, 0], optimizer="lbfgs", epochs=3, callbacks=[Look()])
    assert seen == [1 if engine == "native" else 2] * 3
    assert most_threads() == 2
