"""Times inspection: a trace, its page, the check of its gradients, the health check of a run.

The network is 784-256-128-10 with ReLU and softmax; the run is 60,000 rows in batches of 128.

    python benchmarks/insight.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import ganglion as gg

ROUNDS, EPOCHS = 7, 5


def network() -> gg.Network:
    return gg.Network([gg.Dense(256, "relu"), gg.Dense(128, "relu"), gg.Dense(10, "softmax")], inputs=784)


def median(function: Callable[[], Any]) -> float:
    """Return the median time of some runs in seconds, after a warm-up run."""
    function()
    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


class Timed(gg.HealthCheck):
    """A health check that records its own time."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_end(self, training: Any) -> None:
        begun = time.perf_counter()
        super().on_epoch_end(training)
        self.seconds.append(time.perf_counter() - begun)


def main() -> None:
    chance = np.random.default_rng(0)
    X = chance.random((60_000, 784), dtype=np.float32)
    y = X[:, :10].argmax(axis=1)
    net = network()
    t = net.trace(X[0], y[0])
    print(f"tracing one row           {1e3 * median(lambda: net.trace(X[0], y[0])):6.1f} ms")
    print(f"printing its overview     {1e3 * median(lambda: str(t)):6.1f} ms")
    gradient = median(lambda: str(t.gradient("dense_1/weight", (400, 3))))
    print(f"explaining one gradient   {1e3 * gradient:6.1f} ms")
    print(f"checking all {t.verify().count:,} gradients {median(t.verify):6.2f} s")
    print(f"attributing one row       {1e3 * median(lambda: net.attribute(X[:1])):6.1f} ms")

    def run(callbacks: list[gg.Callback]) -> float:
        fresh, begun = network(), time.perf_counter()
        fresh.fit(X, y, epochs=EPOCHS, batch_size=128, callbacks=callbacks)
        return time.perf_counter() - begun

    run([])
    pairs = [(run([]), run([gg.HealthCheck()])) for _ in range(ROUNDS)]
    without, with_check = (statistics.median(column) / EPOCHS for column in zip(*pairs, strict=True))
    print(f"an epoch of training      {1e3 * without:6.1f} ms, with a health check {1e3 * with_check:.1f} ms")
    timed = Timed()
    run([timed])
    inside = statistics.median(timed.seconds)
    print(f"the health check itself   {1e3 * inside:6.1f} ms per epoch, {100 * inside / without:.1f} %")


if __name__ == "__main__":
    main()
