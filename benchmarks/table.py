"""Times reading and encoding a CSV file of 1,000,000 rows and 20 columns, compared with reading it by polars.

python benchmarks/table.py
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from ganglion.tables.encode import Encoder
from ganglion.tables.reading import read_table

ROWS, ROUNDS = 1_000_000, 7


def make(path: Path) -> None:
    """Write 14 columns of real numbers, 3 of integers and 3 of categories, with some missing values."""
    chance = np.random.default_rng(0)
    columns: dict[str, pl.Series] = {}
    for i in range(14):
        values = chance.normal(100 * i, 10, ROWS).round(4)
        columns[f"number_{i}"] = pl.Series(values).set(pl.Series(chance.random(ROWS) < 0.01), None)
    for i in range(3):
        columns[f"count_{i}"] = pl.Series(chance.integers(0, 1000, ROWS))
    words = pl.Series(["north", "south", "east", "west", "center"])
    for i in range(3):
        columns[f"place_{i}"] = words.gather(pl.Series(chance.integers(0, 5, ROWS)))
    pl.DataFrame(columns).write_csv(path)


def measure(who: str, path: Path) -> None:
    """Read the file once and print seconds and peak memory in GB."""
    begun = time.perf_counter()
    if who == "polars":
        pl.read_csv(path)
    else:
        table = read_table(path)
        Encoder.fit(table).encode(table)
    seconds = time.perf_counter() - begun
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def main() -> None:
    if len(sys.argv) > 1:
        measure(sys.argv[1], Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.csv"
        make(path)
        print(
            f"{ROWS:,} rows x 20 columns, {path.stat().st_size / 1e6:.0f} MB; each reading in a new process"
        )
        found: dict[str, list[list[float]]] = {"polars": [], "ganglion": []}
        for _ in range(ROUNDS):
            for who, results in found.items():
                command = [sys.executable, __file__, who, str(path)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                results.append([float(word) for word in done.stdout.split()])
        theirs, ours = ([seconds for seconds, _ in found[who]] for who in ("polars", "ganglion"))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        peak = max(memory for _, memory in found["ganglion"])
        print(f"polars reads it in {statistics.median(theirs):.2f} s")
        print(f"ganglion reads and encodes it in {statistics.median(ours):.2f} s")
        print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}; at most 3)")
        print(f"peak memory {peak:.2f} GB (at most 1.5)")


if __name__ == "__main__":
    main()
