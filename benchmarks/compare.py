"""Compares the speed of ganglion with scikit-learn, PyTorch and JAX: `make bench`.

python benchmarks/compare.py [--only tiny mnist ...] [--rounds 7] [--no-compile] [--out docs/benchmarks]

Each peer runs in its own processes, one for each number of threads; PyTorch on images also with the channels
last in memory. The processes take turns within each round; only one works at a time. The result of a peer is
the median time of its best process. All peers train from the same weights on the same rows in the same order,
and their final losses must agree. Written are results.md, results.json and results.svg, and images.* for the
networks of images and signals.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "peers"))

from blas import without_overrides  # noqa: E402
from report import chart, markdown  # noqa: E402
from workloads import MANY, PREDICTIONS, START, WORKLOADS, Workload  # noqa: E402

WORKER = HERE / "peers" / "worker.py"
CORES = sorted(os.sched_getaffinity(0))[:2]
THREADS = [1, 2] if len(CORES) > 1 else [1]
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "GANGLION_THREADS")
PAUSE = 0.05  # seconds, so that the previous peer's threads go to sleep
AGREE = 0.05  # relative tolerance of final losses: 32-bit rounding grows over hundreds of steps
# How many of the thousand networks each trains; the reported time is that of one.
COUNTS = {"ganglion": 1000, "scikit-learn": 40, "PyTorch": 20}
PACKAGES = {
    "ganglion": "ganglion",
    "scikit-learn": "scikit-learn",
    "PyTorch": "torch",
    "JAX": "jax jaxlib optax",
}


def environment_for(threads: int | None) -> dict[str, str]:
    """Return the environment of a process limited to a number of threads, None for no limit."""
    environment = without_overrides(os.environ)
    environment = {name: value for name, value in environment.items() if name not in VARIABLES}
    return environment | ({} if threads is None else dict.fromkeys(VARIABLES, str(threads)))


class Process:
    """A script that answers in JSON, limited to some processors and, if `limit`, as many threads."""

    def __init__(self, script: list[str], threads: int, limit: bool = True, **variables: str) -> None:
        os.sched_setaffinity(0, CORES[:threads])  # the new process inherits this
        self.process = subprocess.Popen(
            [sys.executable, *script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment_for(threads if limit else None) | variables,
        )
        os.sched_setaffinity(0, CORES)

    def ask(self, **command: Any) -> dict[str, Any]:
        return self.ask_line(json.dumps(command))

    def ask_line(self, command: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a peer exited without answering {command}")
        return dict(json.loads(line))

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def layouts(peer: str, workload: Workload) -> list[str]:
    """Return how a peer may lay out the workload's inputs in memory; the names of its workers end with it."""
    is_torch, has_images = peer in {"PyTorch", "torch.compile"}, len(workload.shape) == 3
    return ["", ", channels last"] if is_torch and has_images else [""]


def measure(peers: list[str], workload: Workload, rounds: int, command: Any) -> dict[str, dict[str, Any]]:
    """Return the seconds of each round and of the first use, for each peer and each of its processes.

    A process is named by its number of threads, followed by its layout.
    """
    found: dict[str, dict[str, Any]] = {}
    processes: dict[tuple[str, str], Process] = {}
    for peer in peers:
        for layout, threads in itertools.product(layouts(peer, workload), THREADS):
            name = f"{threads}{layout}"
            process = processes[peer, name] = Process([str(WORKER), peer + layout], threads)
            warm_up = process.ask(do="prepare", workload=workload.name)["seconds"]
            begun = time.perf_counter()
            process.ask(**{**command(peer), "once": True, "count": 2})
            warm_up += time.perf_counter() - begun
            found.setdefault(peer, {})[name] = {"warm_up": warm_up, "seconds": []}
    for _ in range(rounds):
        for (peer, name), process in processes.items():
            time.sleep(PAUSE)
            got = process.ask(**command(peer))
            entry = found[peer][name]
            entry["seconds"].append(got["seconds"])
            entry["loss"] = got.get("loss")
    for (peer, name), process in processes.items():
        found[peer][name] |= process.ask(do="used")
        process.close()
    for by_process in found.values():
        for entry in by_process.values():
            entry["median"] = statistics.median(entry["seconds"])
            entry["spread"] = (min(entry["seconds"]), max(entry["seconds"]))
    return found


def product_rate(dtype: str, threads: int) -> float:
    """Return the operations per second of a large matrix product (OpenBLAS)."""
    code = (
        "import numpy as np, time\n"
        f"a = np.random.default_rng(0).normal(size=(1024, 1024)).astype('{dtype}')\n"
        "best = 1e9\n"
        "for _ in range(60):\n"
        "    begun = time.perf_counter(); a @ a; best = min(best, time.perf_counter() - begun)\n"
        "print(2 * 1024**3 / best)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment_for(threads),
    )
    return float(done.stdout)


def cold_starts(peers: list[str], rounds: int) -> dict[str, dict[str, Any]]:
    """Return the seconds of a whole process that makes 100 steps and a prediction."""
    found: dict[str, dict[str, Any]] = {peer: {"seconds": []} for peer in peers}
    for _ in range(rounds + 1):
        for peer in peers:
            time.sleep(PAUSE)
            begun = time.perf_counter()
            done = subprocess.run(
                [sys.executable, str(WORKER), peer, "cold"],
                capture_output=True,
                text=True,
                check=True,
                env=without_overrides(os.environ),
            )
            found[peer]["seconds"].append(time.perf_counter() - begun)
            found[peer]["peak_memory"] = int(done.stdout)
    for peer, entry in found.items():
        entry["seconds"] = entry["seconds"][1:]
        entry["median"] = statistics.median(entry["seconds"])
        entry["spread"] = (min(entry["seconds"]), max(entry["seconds"]))
        entry["installed"] = installed_bytes(PACKAGES[peer].split())
    return {peer: {"2": entry} for peer, entry in found.items()}


def installed_bytes(packages: list[str]) -> int:
    """Return the size on disk of some packages and their requirements."""
    sizes: dict[str, int] = {}
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        key = name.lower().replace("_", "-")
        if key in sizes:
            continue
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        sizes[key] = sum(
            Path(str(f.locate())).stat().st_size for f in found.files or [] if Path(str(f.locate())).is_file()
        )
        waiting += [_name(line) for line in found.requires or [] if "extra ==" not in line]
    return sum(sizes.values())


def _name(requirement: str) -> str:
    end = next((i for i, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), len(requirement))
    return requirement[:end]


def floors(workload: Workload, rates: dict[int, dict[str, float]]) -> dict[int, float]:
    """Return the seconds of a step's products alone, for each number of threads."""
    return {threads: workload.operations / rate[workload.dtype] for threads, rate in rates.items()}


def check_losses(name: str, found: dict[str, dict[str, Any]]) -> None:
    """Exit with a message if the peers' final losses differ."""
    losses = {f"{peer} {name}": entry["loss"] for peer, by in found.items() for name, entry in by.items()}
    low, high = min(losses.values()), max(losses.values())
    print("   final losses: " + "; ".join(f"{process}: {loss:.6g}" for process, loss in losses.items()))
    if not high <= low * (1 + AGREE):
        raise SystemExit(f"{name}: the final losses differ, so the peers did not compute the same")


def say(name: str, found: dict[str, dict[str, Any]]) -> None:
    print(name)
    for peer, by_process in found.items():
        for process, entry in by_process.items():
            low, high = entry["spread"]
            warm = f", first use {entry['warm_up']:.2f} s" if "warm_up" in entry else ""
            used = f"  {', '.join(entry['kernels'])}" if "kernels" in entry else ""
            print(
                f"   {peer:<14} {process:<16} {entry['median'] * 1e6:12,.1f} us "
                f"({low * 1e6:,.1f} to {high * 1e6:,.1f}{warm})  {entry['peak_memory'] / 1e6:,.0f} MB{used}"
            )
    sys.stdout.flush()


def kernels_of(rows: Iterable[dict[str, dict[str, Any]]]) -> dict[str, list[str]]:
    """Return the BLAS kernels that each peer's processes used in these measurements."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for peer, by_process in row.items():
            for entry in by_process.values():
                found.setdefault(peer, set()).update(entry.get("kernels", []))
    return {peer: sorted(used) for peer, used in found.items()}


def machine() -> dict[str, Any]:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = lines[0].split(":")[1].strip() if lines else cpu
    return {
        "processor": cpu,
        "cores used": len(CORES),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {
            name: metadata.version(name)
            for name in ("ganglion", "numpy", "scikit-learn", "torch", "jax", "optax")
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*WORKLOADS, MANY.name, *PREDICTIONS, START.name]
    parser.add_argument("--only", nargs="*", choices=names, default=names)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, default=True, help="include torch.compile"
    )
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "benchmarks")
    given = parser.parse_args()
    rates = {n: {dtype: product_rate(dtype, n) for dtype in ("float32", "float64")} for n in THREADS}
    for threads, rate in rates.items():
        print(f"{threads} threads: " + ", ".join(f"{r / 1e9:.0f} GFLOP/s in {d}" for d, r in rate.items()))
    rows: dict[str, Any] = {}
    for name in given.only:
        if name in WORKLOADS:
            workload = WORKLOADS[name]
            peers = ["ganglion", *workload.peers, *(["torch.compile"] if given.compile else [])]
            found = measure(peers, workload, given.rounds, lambda peer: {"do": "train"})
            say(name, found)
            check_losses(name, found)
            rows[name] = {"what": describe(workload), "peers": found, "floors": floors(workload, rates)}
        elif name == MANY.name:
            found = measure(
                ["ganglion", *MANY.peers],
                MANY,
                given.rounds,
                lambda peer: {"do": "many", "count": COUNTS[peer]},
            )
            say(name, found)
            check_losses(name, found)
            rows[name] = {
                "what": "1,000 networks " + describe(MANY) + "; time per network",
                "peers": found,
            }
        elif name in PREDICTIONS:
            workload, count = PREDICTIONS[name]
            command = {"do": "predict", "rows": count}
            peers = ["ganglion", *workload.peers]
            found = measure(peers, workload, given.rounds, lambda peer, command=command: command)
            say(name, found)
            rows[name] = {"what": network(workload), "peers": found}
        else:
            found = cold_starts(list(PACKAGES), given.rounds)
            say(name, found)
            for peer, by in found.items():
                installed, peak = by["2"]["installed"] / 1e6, by["2"]["peak_memory"] / 1e6
                print(f"   {peer}: {installed:,.0f} MB installed, peak {peak:,.0f} MB")
            rows[name] = {"what": "start, import, 100 steps of tiny, predict, end", "peers": found}
    given.out.mkdir(parents=True, exist_ok=True)
    of_images = {name: row for name, row in rows.items() if takes_images(name)}
    of_numbers = {name: row for name, row in rows.items() if not takes_images(name)}
    if of_numbers:
        write(given.out / "results", "Compared with other libraries", of_numbers, rates, given.rounds)
    if of_images:
        title = "Networks of images, compared with other libraries"
        write(given.out / "images", title, of_images, rates, given.rounds)


def takes_images(name: str) -> bool:
    """Return whether a row is of a network of images or signals."""
    workload = WORKLOADS[name] if name in WORKLOADS else PREDICTIONS.get(name, (MANY, 0))[0]
    return len(workload.shape) > 1


def write(
    path: Path, title: str, rows: dict[str, Any], rates: dict[int, dict[str, float]], rounds: int
) -> None:
    """Write measured rows as data, as a page and as a picture; print the page."""
    for row in rows.values():
        best = {peer: min(entry["median"] for entry in by.values()) for peer, by in row["peers"].items()}
        row["best"] = best
        row["ratios"] = {peer: value / best["ganglion"] for peer, value in best.items() if peer != "ganglion"}
        if "floors" in row:
            own = row["peers"]["ganglion"]
            row["times_floor"] = {n: own[str(n)]["median"] / least for n, least in row["floors"].items()}
    kernels = kernels_of(row["peers"] for row in rows.values())
    result = {
        "title": title,
        "machine": machine() | {"kernels": kernels},
        "operations_per_second": rates,
        "rounds": rounds,
        "rows": rows,
    }
    path.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    path.with_suffix(".md").write_text(markdown(result))
    path.with_suffix(".svg").write_text(chart(result))
    print("\n" + markdown(result))


def network(workload: Workload) -> str:
    return workload.network or "-".join(map(str, workload.sizes))


def describe(workload: Workload) -> str:
    adam = {"adam": "Adam", "sgd": "SGD"}[workload.optimizer]
    activation = "" if workload.network else f" {workload.activation}"
    kind = " float64" if workload.dtype == "float64" else ""
    return f"{network(workload)}{activation}, batch {workload.batch:,}, {adam}{kind}"


if __name__ == "__main__":
    main()
