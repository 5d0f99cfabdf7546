"""Compares the speed of this working tree with an older commit: `make bench BASE=v0.1.0 ROUNDS=9`.

python benchmarks/paired.py BASE [--rounds 9] [--threads 2] [--only mnist import ...]

The older commit is checked out and built in `build/base`. Each workload runs old, new, old, new ..., each
side in its own process; the first round is a warm-up. The result is the median over pairs of the ratio new /
old: if the machine slows down, it slows both halves of a pair. Workloads use only public names, so that the
two sides may differ in everything else. What the older commit cannot run is left out. To add a workload, add
a line to `WORK`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from workloads import PREDICTIONS, WORKLOADS

from compare import CORES, PAUSE, WORKER, Process, environment_for

HERE = Path(__file__).parent
ROOT = HERE.parent
BASE = ROOT / "build" / "base"
MODEL = ROOT / "tests" / "golden" / "models" / "normalized_1.safetensors"
Ask = Callable[[], float]


class Side:
    """One of the two source trees, and processes that import ganglion from it."""

    def __init__(self, tree: Path, threads: int) -> None:
        self.threads = threads
        # Without the module `site`, no editable installation precedes this path.
        installed = [path for path in sys.path if path.endswith("site-packages")]
        self.path = os.pathsep.join([str(tree / "src"), *installed])
        found = self.run(
            "-c", "import ganglion as gg; print(gg.__file__, gg.Network([gg.Dense(1)], 1).engine)"
        )
        if found.split() != [str(tree / "src" / "ganglion" / "__init__.py"), "native"]:
            raise SystemExit(f"{tree} must run its own native engine, got {found}")

    def run(self, *arguments: str) -> str:
        environment = environment_for(self.threads) | {"PYTHONPATH": self.path}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, "-S", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    def keep(self, *script: str) -> Process:
        return Process(["-S", *script], self.threads, PYTHONPATH=self.path)


class Whole:
    """A workload that is a whole process, from start to exit."""

    def __init__(self, *arguments: str) -> None:
        self.arguments = arguments

    def start(self, side: Side) -> tuple[Ask, Callable[[], None]]:
        def ask() -> float:
            begun = time.perf_counter()
            side.run(*self.arguments)
            return time.perf_counter() - begun

        return ask, lambda: None


class Kept:
    """A workload in a long-lived process: a script, a command that prepares it, and a command to time."""

    def __init__(self, script: list[str], command: str, prepare: str = "") -> None:
        self.script, self.command, self.prepare = script, command, prepare

    def start(self, side: Side) -> tuple[Ask, Callable[[], None]]:
        process = side.keep(*self.script)
        if self.prepare:
            process.ask_line(self.prepare)
        return lambda: float(process.ask_line(self.command)["seconds"]), process.close


def of_compare(workload: str, **command: Any) -> Kept:
    prepare = json.dumps({"do": "prepare", "workload": workload})
    return Kept([str(WORKER), "ganglion"], json.dumps(command), prepare)


def of_estimators(job: str) -> Kept:
    return Kept([str(HERE / "estimators.py"), "--work", "ganglion"], job)


WORK: dict[str, Whole | Kept] = {
    **{f"step of {name}": of_compare(name, do="train") for name in WORKLOADS},
    "one of a thousand networks": of_compare("thousand", do="many", count=50),
    **{name: of_compare(of.name, do="predict", rows=count) for name, (of, count) in PREDICTIONS.items()},
    **{
        f"estimator, {job}": of_estimators(job)
        for job in ("fit_float64", "fit_float32", "small", "digits", "predict_one", "predict_many", "lbfgs")
    },
    **{f"table, {job}": Kept([__file__, "--work"], job) for job in ("train", "predict")},
    "import ganglion": Whole("-c", "import ganglion"),
    "import ganglion.estimators": Whole("-c", "import ganglion.estimators"),
    "cold start of a prediction": Whole(
        "-c", f"import ganglion as gg; gg.Network.load({str(MODEL)!r}).predict([[1, 2, 3, 4]])"
    ),
    "ganglion --help": Whole("-m", "ganglion", "--help"),
}


def work_on_tables() -> None:
    """Answer commands: train on 20,000 rows of a table for one epoch, or read and predict 200,000 rows."""
    import ganglion as gg

    def write(path: Path, rows: int) -> None:
        rng = np.random.default_rng(0)
        numbers, places = rng.normal(size=(rows, 2)), rng.choice(["north", "south", "east", "west"], rows)
        lines = [f"{a:.4f},{b:.4f},{place},{a > 0}" for (a, b), place in zip(numbers, places, strict=True)]
        path.write_text("\n".join(["a,b,place,positive", *lines]) + "\n")

    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.csv", Path(folder) / "large.csv"
        write(small, 20_000)
        write(large, 200_000)
        model = gg.TableModel.train(small, "positive", epochs=1)
        for line in sys.stdin:
            begun = time.perf_counter()
            if line.strip() == "train":
                gg.TableModel.train(small, "positive", epochs=1)
            else:
                model.predict(large)
            print(json.dumps({"seconds": time.perf_counter() - begun}), flush=True)


def check_out(commit: str) -> str:
    """Check out the commit in `build/base`, build its native engine, and return its short hash."""

    def run(*command: str | Path) -> str:
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"PATH": tools}
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    found = run("git", "rev-parse", "--verify", f"{commit}^{{commit}}")
    if BASE.exists():  # reuse its build
        run("git", "-C", BASE, "checkout", "--detach", "--force", found)
    else:
        run("git", "worktree", "prune")
        run("git", "worktree", "add", "--detach", BASE, found)
    nanobind = run(sys.executable, "-m", "nanobind", "--cmake_dir")
    options = [f"-DPython_EXECUTABLE={sys.executable}", f"-Dnanobind_DIR={nanobind}"]
    run("cmake", "-S", BASE, "-B", BASE / "build" / "native", "-G", "Ninja", *options)
    run("cmake", "--build", BASE / "build" / "native")
    return run("git", "rev-parse", "--short", found)


def measure(work: Whole | Kept, sides: list[Side], rounds: int) -> tuple[list[float], list[float]] | None:
    """Return the seconds of each round, for old and new; None if the older commit cannot run the workload."""
    try:
        asks = [work.start(sides[0])]
    except SystemExit:
        return None
    asks.append(work.start(sides[1]))
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for seconds, (ask, _) in zip(found, asks, strict=True):
            time.sleep(PAUSE)
            taken = ask()
            if number:
                seconds.append(taken)
    for _, close in asks:
        close()
    return found


def duration(seconds: float) -> str:
    return f"{1e3 * seconds:,.3f} ms" if seconds >= 1e-3 else f"{1e6 * seconds:,.2f} us"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", nargs="?", help="the older commit")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=len(CORES))
    parser.add_argument("--only", nargs="*", default=[""], help="parts of the names of workloads")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work_on_tables()
        return
    if given.base is None:
        parser.error("the older commit is required")
    base = check_out(given.base)
    sides = [Side(tree, given.threads) for tree in (BASE, ROOT)]
    lines = []
    for name, work in WORK.items():
        if any(part in name for part in given.only):
            found = measure(work, sides, given.rounds)
            if found is None:
                print(f"{name:<28} left out: {base} cannot run it", flush=True)
                continue
            old, new = found
            ratios = [b / a for a, b in zip(old, new, strict=True)]
            ratio, spread = statistics.median(ratios), f"{min(ratios):.2f} to {max(ratios):.2f}"
            medians = [duration(statistics.median(seconds)) for seconds in (old, new)]
            line = f"{name:<28} {medians[0]:>14} {medians[1]:>14} {ratio:8.3f}   ({spread})"
            lines.append((ratio, line))
            print(line, flush=True)
    print(f"\nworst first; old is {base}, {given.rounds} rounds, {given.threads} threads")
    print(f"{'':<28} {'old':>14} {'new':>14} {'new/old':>8}   (lowest to highest)")
    for _, line in sorted(lines, reverse=True):
        print(line)


if __name__ == "__main__":
    main()
