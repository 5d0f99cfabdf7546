"""What checkpoints cost: the time of a run with them, relative to the same run without, in one process."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import ganglion as gg

ROUNDS = 6
LIMIT = 1.02
WORKLOADS: dict[str, tuple[list[gg.Layer], int, int]] = {
    "2,000 x 10, 16-16-2, 5,000 epochs": ([gg.Dense(16, "relu"), gg.Dense(16, "relu")], 2_000, 5000),
    "20,000 x 100, 512-512-2, 8 epochs": ([gg.Dense(512, "relu"), gg.Dense(512, "relu")], 20_000, 8),
}


def seconds(layers: list[gg.Layer], X: Any, y: Any, epochs: int, **more: Any) -> float:
    """Return the time of one run."""
    network = gg.Network([*layers, gg.Dense(2, "softmax")], X.shape[1])
    begun = time.perf_counter()
    network.fit(X, y, epochs=epochs, batch_size=64, **more)
    return time.perf_counter() - begun


def main() -> None:
    """Print the ratio of the least times of interleaved rounds."""
    for name, (layers, rows, epochs) in WORKLOADS.items():
        X = np.random.default_rng(0).normal(size=(rows, 10 if rows < 10_000 else 100)).astype(np.float32)
        y = (X[:, 0] > 0).astype(int)
        plain, kept = list[float](), list[float]()
        with tempfile.TemporaryDirectory() as folder:
            for number in range(ROUNDS):
                both = [(plain, {}), (kept, {"checkpoint": Path(folder) / f"{number}.ckpt"})]
                for found, more in both if number % 2 else reversed(both):
                    found.append(seconds(layers, X, y, epochs, **more))
        ratio = min(kept) / min(plain)
        print(f"{name}: {min(plain):.2f} s, with checkpoints {ratio:.3f} x (at most {LIMIT})")


if __name__ == "__main__":
    main()
