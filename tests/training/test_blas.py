"""The BLAS has one thread while SciPy's L-BFGS works for the native engine, and then as many as before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import ganglion as gg

pytest.importorskip("scipy.optimize")
threadpoolctl = pytest.importorskip("threadpoolctl")


def most_threads() -> int:
    found = [
        library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"
    ]
    return max(found, default=1)


@pytest.fixture(autouse=True)
def _two_threads() -> Any:
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        yield


def train(seed: int, callbacks: Any = ()) -> None:
    X = np.random.default_rng(seed).normal(size=(20, 3))
    net = gg.Network([gg.Dense(4, "tanh"), gg.Dense(1)], inputs=3, seed=seed, engine="native")
    net.fit(X, X[:, 0], optimizer="lbfgs", epochs=30, callbacks=callbacks)


def test_the_threads_are_given_back() -> None:
    if most_threads() == 1:
        pytest.skip("this BLAS has no threads")

    class Fail(gg.Callback):
        def on_epoch_end(self, training: Any) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(0, [Fail()])
    assert most_threads() == 2
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(train, range(40)))
    assert most_threads() == 2


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_lbfgs_is_alone_where_the_engine_does_without_the_blas(engine: str) -> None:
    if most_threads() == 1:
        pytest.skip("this BLAS has no threads")
    seen = []

    class Look(gg.Callback):
        def on_epoch_end(self, training: Any) -> None:
            seen.append(most_threads())

    X = np.random.default_rng(0).normal(size=(20, 3))
    net = gg.Network([gg.Dense(4, "tanh"), gg.Dense(1)], inputs=3, engine=engine)
    net.fit(X, X[:, 0], optimizer="lbfgs", epochs=3, callbacks=[Look()])
    assert seen == [1 if engine == "native" else 2] * 3
    assert most_threads() == 2
