"""Models to export, and what their files answer: run by a compiler, a Python, ONNX Runtime and databases."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from ganglion.core.inputs import find_inputs
from ganglion.core.part import Array
from ganglion.files.exports import Exportable, Job
from ganglion.files.exports.inputs import SAMPLE_TEXT, CodedNumber

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
COMPILERS = [found for name in ("gcc", "clang") if (found := shutil.which(name))]
needs_compiler = pytest.mark.skipif(not COMPILERS, reason="needs a C compiler")
needs_onnx = pytest.mark.skipif(
    not (find_spec("onnx") and find_spec("onnxruntime")), reason="needs onnx and onnxruntime"
)
AGREED = 1e-5  # of the unit of an answer


def network_of(part: Any, inputs: Any) -> gg.Network:
    """Return a network of one layer with numbers at random in all its arrays."""
    network = gg.Network([part], inputs, seed=1)
    chance = np.random.default_rng(0)
    network.parameters = chance.normal(size=network.parameters.shape) * 0.7
    network.state[...] = np.abs(chance.normal(size=network.state.shape)) + 0.1
    return network


def is_only_numbers(inputs: Any) -> bool:
    """Return whether a network takes one row of numbers."""
    found = list(find_inputs(inputs).values())
    return len(found) == 1 and found[0].holds == "numbers" and len(found[0].row_shape) == 1


TEXTS = "texts", "vectors"


def table_of_all_kinds(rows: int = 400) -> pl.DataFrame:
    """Return a table with a column of each kind, some of whose values are missing and whose words are odd."""
    chance = np.random.default_rng(3)
    cities = ["Köln", "Paris", 'Rome "x"', "a*/b", None]
    begin = datetime(2020, 1, 1)
    hours = chance.integers(0, 20_000, rows).tolist()
    table = pl.DataFrame(
        {
            "age": chance.normal(40, 12, rows),
            "gaps": [None if chance.random() < 0.1 else float(v) for v in chance.integers(0, 50, rows)],
            "city": [cities[i] for i in chance.integers(0, 5, rows)],
            "ok": chance.random(rows) < 0.5,
            "zip": [f"z{i}" for i in chance.integers(0, 130, rows)],
            "when": [begin + timedelta(hours=hour) for hour in hours],
            "level": chance.integers(1, 5, rows),
        }
    )
    score = pl.col("age") + pl.col("gaps").fill_null(10) + 10.0 * pl.col("ok").cast(pl.Float64)
    return table.with_columns((score * 1000).alias("sum"), (score > 70).alias("high"))


MODELS: Mapping[str, Mapping[str, Any]] = {
    "classes": {"target": "high", "drop": ["sum"], "categories": ["level"]},
    "balanced": {
        "target": "high",
        "drop": ["sum"],
        "class_weight": "balanced",
        "optimize": "f1",
        "fold_case": True,
    },
    "number": {"target": "sum", "drop": ["high"], "scaling": "quantile"},
    "mixture": {"target": "sum", "drop": ["high"], "quality": "good", "hidden": None},
    "targets": {"target": ["high", "sum"], "activation": "silu"},
    "words": {"target": "city", "drop": ["high", "sum"], "bins": 4},
}


def table_of_texts(rows: int = 300) -> pl.DataFrame:
    """Return a table with a column of texts in several languages, and with which words in them count."""
    chance, words = np.random.default_rng(4), SAMPLE_TEXT.split()
    texts = [" ".join(chance.choice(words, int(chance.integers(4, 15)))) for _ in range(rows)]
    good = [sum(text.count(word) for word in ("good", "Good", "love")) for text in texts]
    return pl.DataFrame({"text": texts, "n": chance.normal(size=rows), "good": [g > 0 for g in good]})


def trained(name: str, folder: Path) -> Exportable:
    """Return a small model of a table with columns of all kinds, or of one with texts."""
    settings = {"quality": "fast", "hidden": [6], "epochs": 3} | MODELS.get(name, {})
    settings = {key: value for key, value in settings.items() if value is not None}
    if settings["quality"] == "good":
        del settings["epochs"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GanglionNotice)
        if name in TEXTS:
            vectors = folder / "vectors.txt"
            vectors.write_text("good 1 0.5 0\nköln -1 2 0.25\nмир 0 1 1\n")
            text = gg.Text(["text"], vectors=vectors if name == "vectors" else None)
            model: Exportable = gg.TableModel.train(table_of_texts(), "good", text=text, **settings)
        else:
            model = gg.TableModel.train(table_of_all_kinds().drop_nulls("city"), **settings)
    return model


def difference(job: Job, got: Any, wanted: Array) -> float:
    """Return the largest difference of some answers, in units of each."""
    got = np.asarray(got, np.float64).reshape(wanted.shape)
    return float((np.abs(got - wanted) / np.maximum(job.units(wanted), np.abs(wanted))).max())


def numbers_of(answers: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """Return the probabilities of the answers, or their numbers, in the order of `Job.ask`."""
    names = list(answers[0])
    known = [name for name in names if name.startswith("probability")]
    kept = [
        name
        for name in names
        if name in known or not any(each.startswith("probability" + name[10:]) for each in known)
    ]
    return [[float(answer[name]) for name in kept] for answer in answers]


def run_c(path: Path, *, compiler: str, more: Sequence[str] = ()) -> str:
    """Compile a file with the test of itself and without, and return what the test prints."""
    subprocess.run([compiler, *STRICT, "-c", path, "-o", path.with_suffix(".o"), *more], check=True)
    program = path.with_suffix(".run")
    testing = ("-DGANGLION_SELF_TEST", "-x", "c", path, "-o", program, *more, "-lm")
    subprocess.run([compiler, *STRICT, *testing], check=True)
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout


def run_python(path: Path, job: Job, rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return what a file in Python answers."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if job.columns:
        return numbers_of(module.predict(rows))
    given = []
    for name, part in job.inputs.items():
        values = [row[name] for row in rows]
        if part.holds == "bags":
            pairs = part.weighted
            given.append([[(int(i), 1.0) if pairs else int(i) for i in bag] for bag in values])
        else:
            given.append(np.stack(values))
    return module.predict(*given)


def run_onnx(path: Path, job: Job, rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return what ONNX Runtime answers."""
    import onnxruntime as runtime

    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    fed: dict[str, Any] = {}
    for each in session.get_inputs():
        if each.name in job.inputs and job.inputs[each.name].holds == "bags":
            bags = [row[each.name] for row in rows]
            width = max(map(len, bags))
            fed[each.name] = np.array([[*bag, *[0] * (width - len(bag))] for bag in bags], np.int64)
            ones = [[1.0] * len(bag) + [0.0] * (width - len(bag)) for bag in bags]
            fed[f"{each.name}_weights"] = np.array(ones, np.float32)
        elif each.name not in fed:
            values = [row[each.name] for row in rows]
            if "string" in each.type:
                fed[each.name] = np.array([[value or ""] for value in values], object)
            elif "double" in each.type:
                fed[each.name] = np.array([[np.nan if value is None else value] for value in values])
            else:
                fed[each.name] = np.stack(values)
    found = dict(zip((each.name for each in session.get_outputs()), session.run(None, fed), strict=True))
    if not job.columns:
        return found["outputs"]
    kept = [
        v
        for name, v in found.items()
        if name.replace("prediction", "probabilities") not in found or "prob" in name
    ]
    return np.column_stack([each.reshape(len(rows), -1) for each in kept])


def run_sql(path: Path, job: Job, rows: Sequence[Mapping[str, Any]], engine: str) -> Any:
    """Return what SQLite or DuckDB answers."""
    connection: Any = sqlite3.connect(":memory:") if engine == "sqlite" else None
    if connection is None:
        connection = pytest.importorskip("duckdb").connect()
    names = [each.column for each in job.columns]
    kinds = [
        "DOUBLE PRECISION" if isinstance(each, CodedNumber) or getattr(each, "numeric", False) else "VARCHAR"
        for each in job.columns
    ]
    table = _quoted(path.stem)
    declared = ", ".join(f"{_quoted(name)} {kind}" for name, kind in zip(names, kinds, strict=True))
    connection.execute(f"CREATE TABLE {table} ({declared})")
    places = ", ".join("?" * len(names))
    connection.executemany(
        f"INSERT INTO {table} VALUES ({places})", [[row[name] for name in names] for row in rows]
    )
    cursor = connection.execute(path.read_text())
    found = [each[0] for each in cursor.description][len(names) :]
    answers = [dict(zip(found, row[len(names) :], strict=True)) for row in cursor.fetchall()]
    connection.close()
    return numbers_of(answers)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


ARM, EMULATOR = shutil.which("arm-none-eabi-gcc"), shutil.which("qemu-arm")
needs_arm = pytest.mark.skipif(not (ARM and EMULATOR), reason="needs gcc-arm-none-eabi and qemu-user")
CORTEX_M4 = (
    "-mcpu=cortex-m4",
    "-mthumb",
    "-mfloat-abi=hard",
    "-mfpu=fpv4-sp-d16",
    "-fomit-frame-pointer",
    "-O2",
)


def run_on_arm(path: Path) -> str:
    """Compile a file for a Cortex-M4, run it under emulation, and return what the test in it prints."""
    made, program = path.with_suffix(".o"), path.with_suffix(".elf")
    calls = Path(__file__).parent / "files" / "linux_calls.c"
    subprocess.run(
        [str(ARM), *CORTEX_M4, *STRICT, "-DGANGLION_SELF_TEST", "-c", path, "-o", made], check=True
    )
    linking = ("-nostartfiles", made, calls, "-o", program, "-lm")
    subprocess.run([str(ARM), *CORTEX_M4, *linking], check=True)
    # The instructions are those of the larger processor too, whose system calls the emulator knows.
    running = [str(EMULATOR), "-cpu", "cortex-a15", program]
    return subprocess.run(running, check=True, capture_output=True, text=True).stdout
