"""Times imports, compared with those of NumPy and scikit-learn, and `ganglion --help`.

python benchmarks/start.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

ROUNDS = 15
# The first round, which is not counted, writes compiled modules, as installation does.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def seconds(*arguments: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    return time.perf_counter() - begun


def main() -> None:
    commands = {
        "nothing": ("-c", ""),
        "import numpy": ("-c", "import numpy"),
        "import ganglion": ("-c", "import ganglion"),
        "ganglion --help": ("-m", "ganglion", "--help"),
        "import sklearn.base": ("-c", "import sklearn.base"),
        "import ganglion.estimators": ("-c", "import ganglion.estimators"),
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS + 1):
        for name, command in commands.items():
            times[name].append(seconds(*command))
    median = {name: statistics.median(values[1:]) for name, values in times.items()}
    for name, value in median.items():
        print(f"{name:<27} {value * 1e3:6.0f} ms")
    empty = median["nothing"]
    ratio = (median["import ganglion"] - empty) / (median["import numpy"] - empty)
    print(f"import ganglion is {ratio:.2f} x import numpy (at most 1.3)")
    print(f"ganglion --help takes {median['ganglion --help']:.2f} s (at most 0.35)")
    more = 1e3 * (median["import ganglion.estimators"] - median["import sklearn.base"])
    print(f"import ganglion.estimators takes {more:.0f} ms more than import sklearn.base (at most 50)")


if __name__ == "__main__":
    main()
