"""Times answers: one row, small tables, and the first answer of a new process.

python benchmarks/answers.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

import ganglion as gg
from start import ENVIRONMENT

ROWS = 1000


def table() -> pl.DataFrame:
    """Return 17 columns of numbers, 3 of categories, and the target."""
    chance = np.random.default_rng(0)
    columns: dict[str, object] = {f"number_{i}": chance.normal(100 * i, 10, ROWS) for i in range(14)}
    columns |= {f"count_{i}": chance.choice(1000, ROWS) for i in range(3)}
    words = ["north", "south", "east", "west", "center"]
    columns |= {f"place_{i}": chance.choice(words, ROWS) for i in range(3)}
    return pl.DataFrame(columns | {"answer": chance.choice(["yes", "no"], ROWS)})


def median(call: Callable[[], object], rounds: int) -> float:
    """Return the median seconds of a call."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def main() -> None:
    warnings.simplefilter("ignore")
    rows = table()
    model = gg.TableModel.train(rows, "answer", epochs=2)
    inputs = rows.drop("answer")
    answer, predict = model.answer, model.predict
    one, record, records = inputs[:1], inputs.row(0, named=True), inputs.to_dicts()
    print(f"answer, one row:              {1e6 * median(lambda: answer(record), 3000):7.0f} us (at most 50)")
    print(f"predict, one row:             {1e3 * median(lambda: predict(one), 500):7.2f} ms (at most 0.3)")
    print(
        f"predict, {ROWS:,} rows:          {1e3 * median(lambda: predict(inputs), 100):7.2f} ms (at most 2)"
    )
    print(f"predict, {ROWS:,} dicts:         {1e3 * median(lambda: predict(records), 50):7.2f} ms")
    with tempfile.TemporaryDirectory() as folder:
        file, csv = Path(folder) / "model.safetensors", Path(folder) / "one.csv"
        model.save(file)
        one.write_csv(csv)
        command = [sys.executable, "-m", "ganglion", "predict", str(file), str(csv)]

        def first() -> None:
            subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)

        first()  # writes compiled modules, as installation does
        print(f"ganglion predict, new process:{median(first, 9):7.2f} s  (at most 0.5)")


if __name__ == "__main__":
    main()
