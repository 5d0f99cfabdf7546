"""Compares the speed of ganglion's estimators with scikit-learn's own: `make bench`.

python benchmarks/estimators.py [--only fit_float64 ...] [--rounds 7] [--out docs/benchmarks]

Each library runs in its own processes, on one processor and on two. The processes take turns within each
round; only one works at a time, with as many threads as it chooses. The result of a library is the median
time at its better number of processors. Both use the same data, settings and seeds, and their results must
agree.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from blas import kernels

LIBRARIES = {"ganglion": "ganglion.estimators", "scikit-learn": "sklearn.neural_network"}
Run = Callable[[], Any]


class Job(NamedTuple):
    """A job to time.

    Attributes:
        what: a description for the table.
        least: the least wanted ratio of scikit-learn's time to ganglion's.
        prepare: returns the run, given the module with the classes.
        repeat: the number of runs per round: more than 1 for jobs of milliseconds.
        agree: the relative tolerance between the results.
        most_rounds: the maximum number of rounds, for jobs of half a minute.
    """

    what: str
    least: float
    prepare: Callable[[Any], Run]
    repeat: int = 1
    agree: float = 1e-6
    most_rounds: int = 100


def rows(count: int, features: int, dtype: str) -> tuple[Any, Any]:
    from sklearn.datasets import make_classification

    X, y = make_classification(
        count, features, n_informative=features // 2 + 1, n_redundant=0, random_state=0
    )
    return X.astype(dtype), y


def fit(data: tuple[Any, Any], kind: str = "MLPClassifier", **settings: Any) -> Callable[[Any], Run]:
    def prepare(module: Any) -> Run:
        def run() -> Any:
            model = getattr(module, kind)(random_state=0, **settings).fit(*data)
            return [model.loss_, float(np.abs(model.coefs_[0]).sum())]

        return run

    return prepare


def loaded(name: str) -> tuple[Any, Any]:
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    y = y if name != "diabetes" else (y - y.mean()) / y.std()
    return (X if name == "digits" else StandardScaler().fit_transform(X)), y


def search(jobs: int) -> Callable[[Any], Run]:
    def prepare(module: Any) -> Run:
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        data = loaded("breast_cancer")
        settings = {
            "mlpclassifier__hidden_layer_sizes": [(16,), (50,), (100,), (32, 16)],
            "mlpclassifier__alpha": [1e-4, 1e-2, 1.0],
            "mlpclassifier__activation": ["relu", "tanh"],
        }

        def run() -> Any:
            model = make_pipeline(StandardScaler(), module.MLPClassifier(random_state=0))
            found = GridSearchCV(model, settings, cv=5, n_jobs=jobs).fit(*data)
            return found.cv_results_["mean_test_score"].tolist()

        return run

    return prepare


def predict(count: int) -> Callable[[Any], Run]:
    def prepare(module: Any) -> Run:
        X, y = rows(20_000, 30, "float64")
        model = module.MLPClassifier(max_iter=2, random_state=0).fit(X, y)
        few = X[:count].copy()

        def run() -> Any:
            return model.predict_proba(few)[:5, 1].tolist()

        return run

    return prepare


def lbfgs(module: Any) -> Run:
    runs = [
        fit(loaded("iris"), solver="lbfgs")(module),
        fit(loaded("diabetes"), "MLPRegressor", solver="lbfgs", max_iter=50)(module),
    ]
    return lambda: [value for run in runs for value in run()]


JOBS = {
    "fit_float64": Job(
        "fit, defaults, 20,000 x 30, 20 epochs, float64", 4, fit(rows(20_000, 30, "float64"), max_iter=20)
    ),
    "fit_float32": Job(
        "fit, defaults, 20,000 x 30, 20 epochs, float32",
        6,
        fit(rows(20_000, 30, "float32"), max_iter=20),
        agree=0.02,
    ),
    "small": Job(
        "fit, (16, 16), 2,000 x 2, batch 32, to convergence",
        40,
        fit(rows(2_000, 2, "float64"), hidden_layer_sizes=(16, 16), batch_size=32),
    ),
    "digits": Job("fit, digits, defaults, to convergence", 4, fit(loaded("digits"))),
    "search": Job(
        "GridSearchCV, 24 settings x 5 folds, breast cancer, n_jobs=2",
        5,
        search(2),
        agree=0.01,
        most_rounds=3,
    ),
    "search_alone": Job("the same with n_jobs=1", 5, search(1), agree=0.01, most_rounds=3),
    "predict_one": Job("predict_proba, 1 row", 8, predict(1), repeat=2000),
    "predict_many": Job("predict_proba, 20,000 rows", 3, predict(20_000), repeat=20),
    "lbfgs": Job("fit, lbfgs, iris and diabetes", 3, lbfgs, repeat=5, agree=0.1),
}


def work(library: str) -> None:
    """Answer commands: the name of a job, with the seconds of one run and its result; or `kernels`."""
    warnings.simplefilter("ignore")
    module = importlib.import_module(LIBRARIES[library])
    runs: dict[str, Run] = {}
    for line in sys.stdin:
        name = line.strip()
        if name == "kernels":
            print(json.dumps({"kernels": kernels()}), flush=True)
            continue
        if name not in runs:
            runs[name] = JOBS[name].prepare(module)
        begun = time.perf_counter()
        for _ in range(JOBS[name].repeat):
            result = runs[name]()
        seconds = (time.perf_counter() - begun) / JOBS[name].repeat
        print(json.dumps({"seconds": seconds, "result": result}), flush=True)


def measure(name: str, rounds: int) -> dict[str, Any]:
    """Run a job; return the median and spread for each library and number of processors, and the ratio."""
    from compare import PAUSE, THREADS, Process

    processes = {
        (library, threads): Process([__file__, "--work", library], threads, limit=False)
        for library in LIBRARIES
        for threads in THREADS
    }
    found: dict[tuple[str, int], list[float]] = {key: [] for key in processes}
    results: dict[str, Any] = {}
    for number in range(min(rounds, JOBS[name].most_rounds) + 1):
        for key, process in processes.items():
            time.sleep(PAUSE)
            got = process.ask_line(name)
            results[key[0]] = got["result"]
            found[key] += [got["seconds"]] if number else []
    used = {key: process.ask_line("kernels")["kernels"] for key, process in processes.items()}
    for process in processes.values():
        process.close()
    mine, theirs = (np.asarray(results[library]) for library in LIBRARIES)
    apart = float(np.max(np.abs(mine - theirs) / np.maximum(np.abs(theirs), 1e-12)))
    print(f"{name}: the results differ by {apart:.2g}")
    if not apart <= JOBS[name].agree:
        raise SystemExit(f"{name}: the results differ, so the libraries did not compute the same")
    entry: dict[str, Any] = {"what": JOBS[name].what, "least": JOBS[name].least, "apart": apart}
    for library in LIBRARIES:
        by = {threads: found[library, threads] for threads in THREADS}
        entry[library] = {
            str(threads): {
                "median": statistics.median(values),
                "spread": (min(values), max(values)),
                "kernels": used[library, threads],
            }
            for threads, values in by.items()
        }
        print(
            f"   {library:<14} "
            + ", ".join(f"{t}: {1e3 * statistics.median(v):,.3f} ms" for t, v in by.items())
            + f"; {', '.join(used[library, THREADS[-1]])}"
        )
    best = {library: min(v["median"] for v in entry[library].values()) for library in LIBRARIES}
    entry["best"], entry["ratio"] = best, best["scikit-learn"] / best["ganglion"]
    print(
        f"   scikit-learn takes {entry['ratio']:.1f} x as long (at least {entry['least']} wanted)", flush=True
    )
    return entry


def markdown(result: dict[str, Any]) -> str:
    from report import duration, where

    lines = [
        "# Compared with scikit-learn's estimators",
        "",
        where(result["machine"]),
        "",
        f"Medians of {result['rounds']} rounds (at most 3 of a search), each library at the better of 1 "
        "and 2 processors; the fastest and the slowest round in parentheses.",
        "",
        "| job | ganglion | scikit-learn takes |",
        "|---|---|---|",
    ]
    jobs = result["jobs"].values()
    lines += [f"| {e['what']} | {duration(e['best']['ganglion'])} | {e['ratio']:.3g} × |" for e in jobs]
    lines += ["", "| job | library | 1 processor | 2 processors |", "|---|---|---|---|"]
    for entry in jobs:
        for library in LIBRARIES:
            cells = [
                f"{duration(by['median'])} ({' to '.join(map(duration, by['spread']))})"
                for by in entry[library].values()
            ]
            lines.append(f"| {entry['what']} | {library} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=list(JOBS), default=list(JOBS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "docs" / "benchmarks")
    parser.add_argument("--work", choices=list(LIBRARIES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.work)
        return
    from compare import kernels_of, machine

    jobs = {name: measure(name, given.rounds) for name in given.only}
    kernels_used = kernels_of({library: entry[library] for library in LIBRARIES} for entry in jobs.values())
    result = {"machine": machine() | {"kernels": kernels_used}, "rounds": given.rounds, "jobs": jobs}
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "estimators.json").write_text(json.dumps(result, indent=1) + "\n")
    (given.out / "estimators.md").write_text(markdown(result))
    print("\n" + markdown(result))


if __name__ == "__main__":
    main()
