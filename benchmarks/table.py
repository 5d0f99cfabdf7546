"""Reading and encoding a CSV file of 1,000,000 rows and 20 columns, beside polars' own reading of it.

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
from ganglion.tables.read import read_table

ROWS, ROUNDS = 1_000_000, 5


def make(path: Path) -> None:
    """Write 14 columns of numbers, 3 of whole numbers and 3 of categories, some values missing."""
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


def ours(path: Path) -> tuple[int, ...]:
    table = read_table(path)
    encoder = Encoder.fit(table)
    return encoder.encode(table)[0].shape


def main() -> None:
    if len(sys.argv) > 1:  # in a process of its own, to measure its memory alone
        shape = ours(Path(sys.argv[1]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"encoded as {shape}; peak memory {peak:.2f} GB (at most 1.5)")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.csv"
        make(path)
        print(f"{ROWS:,} rows x 20 columns, {path.stat().st_size / 1e6:.0f} MB")
        theirs_times, ours_times = [], []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            pl.read_csv(path)
            middle = time.perf_counter()
            ours(path)
            theirs_times.append(middle - begun)
            ours_times.append(time.perf_counter() - middle)
        ratios = [a / b for a, b in zip(ours_times, theirs_times, strict=True)]
        print(f"polars reads it in        {statistics.median(theirs_times):.2f} s")
        print(f"ganglion reads and encodes {statistics.median(ours_times):.2f} s")
        print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}; at most 3)")
        subprocess.run([sys.executable, __file__, str(path)], check=True)


if __name__ == "__main__":
    main()
