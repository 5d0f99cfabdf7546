"""Checks the promised results on real data: prints each figure and fails if one is not reached.

python benchmarks/promises.py
"""

from __future__ import annotations

import statistics
import sys
import warnings

import numpy as np

import ganglion as gg
from ganglion.tables.examples import example_table

SEEDS = range(10)
XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])


def example(name: str, metric: str) -> list[float]:
    """Return a metric on the test rows, with default settings, for each seed."""
    entry, table = example_table(name)
    reports = [gg.TableModel.train(table, entry.target, seed=seed).report for seed in SEEDS]
    return [report.metrics[metric] for report in reports if report is not None]


def xor_learned(seed: int) -> bool:
    """Return whether a 2-4-1 network answers all four questions correctly."""
    net = gg.Network([gg.Dense(4, "tanh"), gg.Dense(1, "sigmoid")], inputs=2, seed=seed)
    net.fit(*XOR, optimizer=gg.Adam(0.05), epochs=400, batch_size=4)
    return bool(((net.predict(XOR[0])[:, 0] > 0.5) == XOR[1]).all())


def main() -> None:
    warnings.simplefilter("ignore", gg.GanglionNotice)
    digits = example("digits", "accuracy")
    learned = sum(xor_learned(seed) for seed in range(100))
    lines = [
        ("digits: seeds with accuracy >= 0.97", sum(value >= 0.97 for value in digits), 10),
        ("digits: worst accuracy", min(digits), 0.97),
        ("breast-cancer: median accuracy", statistics.median(example("breast-cancer", "accuracy")), 0.95),
        ("iris: median accuracy", statistics.median(example("iris", "accuracy")), 0.90),
        ("diabetes: median R2", statistics.median(example("diabetes", "r2")), 0.40),
        ("xor: seeds of 100 that learn it", learned, 95),
    ]
    for what, value, wanted in lines:
        print(f"{what:<36} {value:8.4g}   promised at least {wanted:g}")
    sys.exit(0 if all(value >= wanted for _, value, wanted in lines) else 1)


if __name__ == "__main__":
    main()
