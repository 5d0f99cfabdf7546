"""Exported files: each format on every layer and activation, and on models of tables and pictures."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import ganglion as gg
from browser import Browser, needs_browser, open_browser
from contracts import ACTIVATIONS, LAYERS, ids
from exported import (
    AGREED,
    COMPILERS,
    MODELS,
    TEXTS,
    difference,
    is_only_numbers,
    needs_arm,
    needs_compiler,
    needs_onnx,
    network_of,
    run_c,
    run_on_arm,
    run_onnx,
    run_python,
    run_sql,
    trained,
)
from ganglion.files.exports import FORMATS, Exportable
from ganglion.files.exports.layers import WRITINGS
from ganglion.tables.examples import example_table

PARTS = [(case.part, case.inputs) for case in LAYERS]
PARTS += [(gg.Dense(7, case.part), (5,)) for case in ACTIVATIONS]
NAMES = ids(LAYERS) + ids(ACTIVATIONS)
each_part = pytest.mark.parametrize(("part", "inputs"), PARTS, ids=NAMES)
each_model = pytest.mark.parametrize("name", [*MODELS, *TEXTS, "pictures"])


@cache
def made(name: str) -> Exportable:
    with tempfile.TemporaryDirectory() as folder:
        return trained(name, Path(folder))


@cache
def model_of_pictures() -> Exportable:
    chance = np.random.default_rng(0)
    pictures = chance.integers(0, 256, (40, 9, 8, 3)).astype(np.uint8)
    labels = np.where(pictures[:, :, :4].mean(axis=(1, 2, 3)) > 127.5, "left", "right")
    found: Exportable = gg.ImageModel.train(pictures, labels=labels, epochs=1, augment=None)
    return found


def model_named(name: str) -> Exportable:
    return model_of_pictures() if name == "pictures" else made(name)


def exported(model: Exportable, path: Path) -> Path:
    model.export(path)
    return path


def agrees(model: Exportable, path: Path, run: Callable[..., Any], *more: Any) -> None:
    job = model.job()
    rows = job.rows_to_try(100)
    assert difference(job, run(exported(model, path), job, rows, *more), job.ask(rows, None)) <= AGREED


def test_every_layer_has_a_writing() -> None:
    steps = {step.kind for part, inputs in PARTS for step in gg.Network([part], inputs).architecture.steps}
    assert steps == set(WRITINGS)


@needs_compiler
@each_part
def test_c_agrees_on_every_layer(part: gg.Layer, inputs: Any, tmp_path: Path) -> None:
    assert "as the model answers" in run_c(
        exported(network_of(part, inputs), tmp_path / "n.c"), compiler="cc"
    )


@needs_compiler
@pytest.mark.parametrize("compiler", COMPILERS)
@each_model
def test_c_agrees_on_models(name: str, compiler: str, tmp_path: Path) -> None:
    model = model_named(name)
    assert "as the model answers" in run_c(exported(model, tmp_path / "my model.c"), compiler=compiler)
    assert "as the model answers" in run_c(exported(model, tmp_path / "9.h"), compiler=compiler)


@needs_compiler
@each_part
def test_c_with_a_byte_for_each_weight(part: gg.Layer, inputs: Any, tmp_path: Path) -> None:
    network = network_of(part, inputs)
    (note,) = network.export(tmp_path / "n.c", int8=True)
    assert "by at most" in note
    assert "as the model answers" in run_c(tmp_path / "n.c", compiler="cc")


@needs_arm
@pytest.mark.parametrize("int8", [False, True])
@each_model
def test_c_runs_on_a_microcontroller(name: str, int8: bool, tmp_path: Path) -> None:
    model_named(name).export(tmp_path / "m.c", int8=int8)
    assert "as the model answers" in run_on_arm(tmp_path / "m.c")


@needs_compiler
def test_bytes_lose_little(tmp_path: Path) -> None:
    (note,) = made("classes").export(tmp_path / "n.c", int8=True)
    same = re.search(r"([\d.]+)% of the classes of high are the same, on 1,000 random rows", note)
    assert same is not None
    assert float(same[1]) >= 99
    assert note in " ".join((tmp_path / "n.c").read_text().split())
    (tmp_path / "whole.c").write_text("")
    made("classes").export(tmp_path / "whole.c")
    sizes = [int(re.search(r"([\d,]+) bytes of", each.read_text())[1].replace(",", "")) for each in  # type: ignore[index]
             (tmp_path / "n.c", tmp_path / "whole.c")]  # fmt: skip
    assert sizes[0] < sizes[1]


@needs_compiler
def test_two_headers_go_together_also_in_cpp(tmp_path: Path) -> None:
    exported(made("classes"), tmp_path / "one.h")
    exported(made("balanced"), tmp_path / "two.h")
    program = tmp_path / "both.cpp"
    program.write_text(
        '#include "one.h"\n#include "two.h"\n#include <cstdio>\nint main() {\n'
        "    one_row row = {};\n    one_answer answer;\n"
        '    std::printf("%d\\n", one_predict(&row, &answer));\n    return 0;\n}\n'
    )
    subprocess.run(["c++", "-Wall", "-Wextra", "-Werror", program, "-o", tmp_path / "both"], check=True)
    assert subprocess.run([tmp_path / "both"], check=True, capture_output=True, text=True).stdout == "0\n"


@needs_compiler
def test_c_refuses_values_that_cannot_be_used(tmp_path: Path) -> None:
    exported(made("classes"), tmp_path / "m.h")
    program = tmp_path / "try.c"
    program.write_text(
        '#include "m.h"\n#include <stdio.h>\n#define TRY(...) { const m_row row = {__VA_ARGS__}; m_answer answer; '
        'printf("%d ", m_predict(&row, &answer)); }\nint main(void) {\n'
        'TRY(.age = HUGE_VAL) TRY(.age = 1e300) TRY(.ok = "perhaps") TRY(.when = "2026-02-30") '
        'TRY(.when = "2024-02-29T23:59:59.25 ") TRY(.when = "yesterday") TRY(.when = " N/A ") return 0; }\n'
    )
    subprocess.run(["cc", program, "-o", tmp_path / "try", "-lm"], check=True)
    found = subprocess.run([tmp_path / "try"], check=True, capture_output=True, text=True).stdout
    assert found.split() == ["1", "1", "4", "6", "0", "6", "0"]


@each_part
def test_python_agrees_on_every_layer(part: gg.Layer, inputs: Any, tmp_path: Path) -> None:
    agrees(network_of(part, inputs), tmp_path / "n.py", run_python)


@each_model
def test_python_agrees_on_models(name: str, tmp_path: Path) -> None:
    agrees(model_named(name), tmp_path / "n.py", run_python)


def test_python_needs_numpy_alone(tmp_path: Path) -> None:
    path = exported(made("classes"), tmp_path / "m.py")
    (tmp_path / "t.csv").write_text("age,gaps,city,ok,zip,when,level\n41.5,,Paris,yes,z7,2021-05-06,3.0\n")
    show = "; import sys; print([n for n in ('ganglion', 'polars', 'scipy') if n in sys.modules])"
    program = f"import sys; sys.argv = ['m.py', {str(tmp_path / 't.csv')!r}]; import m; m.main()"
    found = subprocess.run(
        [sys.executable, "-c", program + show], cwd=path.parent, check=True, capture_output=True, text=True
    )
    head, row, loaded = found.stdout.splitlines()
    assert head == "prediction,probability_false,probability_true"
    assert row.partition(",")[0] in ("True", "False")
    assert loaded == "[]"


@needs_onnx
@each_part
def test_onnx_agrees_on_every_layer(part: gg.Layer, inputs: Any, tmp_path: Path) -> None:
    agrees(network_of(part, inputs), tmp_path / "n.onnx", run_onnx)


@needs_onnx
@pytest.mark.parametrize("name", [*MODELS, "pictures"])
def test_onnx_agrees_on_models(name: str, tmp_path: Path) -> None:
    agrees(model_named(name), tmp_path / "n.onnx", run_onnx)


@pytest.mark.filterwarnings("ignore:left out")  # of the digits, pixels that are always white
@pytest.mark.parametrize("name", ["iris", "breast-cancer", "diabetes", "digits"])
def test_models_of_the_demo_tables(name: str, tmp_path: Path) -> None:
    example, table = example_table(name)
    model = gg.TableModel.train(table, example.target, quality="fast", epochs=3)
    agrees(model, tmp_path / "n.py", run_python)
    if find_spec("onnxruntime"):
        agrees(model, tmp_path / "n.onnx", run_onnx)
    if COMPILERS:
        assert "as the model answers" in run_c(exported(model, tmp_path / "n.c"), compiler=COMPILERS[0])


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
@pytest.mark.parametrize("name", ["classes", "balanced", "number", "targets", "words"])
def test_sql_agrees_on_models(name: str, engine: str, tmp_path: Path) -> None:
    agrees(made(name), tmp_path / "my table.sql", run_sql, engine)


ASKED = "return arguments[0].map((r) => predict(r).flatMap((a) => a.labels ?? (a.probabilities.length ? a.probabilities : [a.prediction])))"


@pytest.fixture(scope="module")
def window() -> Any:
    with open_browser() as browser:
        yield browser


def run_html(path: Path, job: Any, rows: Any, browser: Browser) -> Any:
    browser.open(path)
    given = [
        {f"x[{i}]": float(v) for i, v in enumerate(row["inputs"])}
        if not job.columns
        else {name: v.ravel().tolist() if isinstance(v, np.ndarray) else v for name, v in row.items()}
        for row in rows
    ]
    found = browser.run(ASKED, given)
    assert browser.complaints() == []
    return found


@needs_browser
@each_model
def test_the_page_agrees_on_models(name: str, window: Browser, tmp_path: Path) -> None:
    agrees(model_named(name), tmp_path / "n.html", run_html, window)
    assert len(re.sub(r'atob\("[^"]*"', "", (tmp_path / "n.html").read_text())) < 200_000


@needs_browser
def test_the_page_agrees_on_layers_of_rows(window: Browser, tmp_path: Path) -> None:
    for part, inputs in PARTS:
        if is_only_numbers(inputs):
            agrees(network_of(part, inputs), tmp_path / "n.html", run_html, window)
        elif isinstance(inputs, tuple) and np.prod(inputs) <= 100:
            layers = [gg.Reshape(inputs), part, gg.Flatten()]
            network = gg.Network(layers, int(np.prod(inputs)), seed=1)
            agrees(network, tmp_path / "n.html", run_html, window)


@needs_browser
def test_the_page_is_used_with_the_keyboard_and_takes_a_table(window: Browser, tmp_path: Path) -> None:
    model = made("classes")
    window.open(exported(model, tmp_path / "n.html"))
    before = window.run("return document.getElementById('answer').innerText")
    window.press("\ue004")  # Tab, to the first slider
    assert window.run("return document.activeElement.type") == "range"
    window.press(*["\ue014"] * 40)  # the right arrow
    assert window.run("return document.getElementById('answer').innerText") != before
    table = tmp_path / "t.csv"
    table.write_text(
        'age;gaps;city;ok;zip;when;level;more\n41,5;;"Rome ""x""";true;z7;2021-05-06 07:00;3;x\n'
    )
    window.choose("#file", table)
    window.until("return document.getElementById('told').innerText")
    rows = window.run(
        "return [...document.querySelectorAll('#rows tr')].map((r) => r.innerText.split('\\t'))"
    )
    record = {
        "age": 41.5,
        "city": 'Rome "x"',
        "ok": True,
        "zip": "z7",
        "when": "2021-05-06 07:00",
        "level": 3,
    }
    with pytest.warns(gg.GanglionNotice, match="1 missing"):
        wanted = gg.TableModel.answer(model, {"gaps": None} | record)  # type: ignore[arg-type]
    assert rows[0] == ["prediction", "probability_false", "probability_true"]
    assert rows[1][0] == str(wanted["prediction"]).lower()
    assert float(rows[1][2]) == pytest.approx(wanted["probabilities"]["true"], abs=1e-5)
    table.write_text("age\n1\n")
    window.choose("#file", table)
    window.until("return document.getElementById('told').className")
    assert "lacks the columns gaps" in window.run("return document.getElementById('told').innerText")
    assert window.complaints() == []


@needs_browser
def test_the_page_takes_a_picture(window: Browser, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    model: Any = model_of_pictures()
    window.open(exported(model, tmp_path / "n.html"))
    pixels = np.random.default_rng(5).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    image.fromarray(pixels).save(tmp_path / "p.png")
    window.choose("#field-0", tmp_path / "p.png")
    window.until("return row.pixels")
    assert np.array_equal(window.run("return Array.from(row.pixels)"), pixels.ravel())
    assert model.answer(pixels)["prediction"] in window.run(
        "return document.getElementById('answer').innerText"
    )
    large = np.kron(np.random.default_rng(6).integers(0, 256, (9, 8, 3)), np.ones((5, 6, 1))).astype(np.uint8)
    image.fromarray(large).save(tmp_path / "p.png")
    window.choose("#field-0", tmp_path / "p.png")
    window.until("return row.pixels.some((each, i) => each !== arguments[0][i])", pixels.ravel().tolist())
    seen = np.array(window.run("return Array.from(row.pixels)")).reshape(9, 8, 3)
    with pytest.warns(gg.GanglionNotice, match="scaled and cropped"):
        wanted = model.decode(tmp_path / "p.png").images[0].astype(int)
    assert np.abs(seen - wanted).max() <= 2


ODD_TEXTS = ["", "  ", "İSTANBUL ǅ ŉ", "ΟΔΟΣ ΣΟΦΟΣ Σ ΣΑ", "Ko\u0308ln e\u0301", "👩\u200d👧 a\u200bb", "ﬁn ß ẞ", "a" * 300, "good" * 40,
             "\t good\n\u00a0good\u2028x", "x_y-z's “quoted” 1,000.5%", "ÅÅÅ ÅÅ", "ⅷ Ⅷ ꭰ Ꭰ", "\u0130\u0307"]  # fmt: skip


def test_odd_texts_in_python(tmp_path: Path) -> None:
    model = made("texts")
    rows = [{"text": text, "n": 0.5} for text in ODD_TEXTS]
    wanted = model.job().ask(rows, None)
    path = exported(model, tmp_path / "n.py")
    assert difference(model.job(), run_python(path, model.job(), rows), wanted) <= AGREED


@needs_browser
def test_odd_texts_on_the_page(window: Browser, tmp_path: Path) -> None:
    model = made("texts")
    rows = [{"text": text, "n": 0.5} for text in ODD_TEXTS]
    path = exported(model, tmp_path / "n.html")
    assert (
        difference(model.job(), run_html(path, model.job(), rows, window), model.job().ask(rows, None))
        <= AGREED
    )


@needs_compiler
def test_odd_texts_in_c(tmp_path: Path) -> None:
    model = made("texts")
    texts = [text for text in ODD_TEXTS if unicodedata.is_normalized("NFC", text) and "\u0130" not in text]
    wanted = model.job().ask([{"text": text, "n": 0.5} for text in texts], None)
    exported(model, tmp_path / "m.h")
    given = ", ".join('"' + "".join(f"\\{byte:03o}" for byte in text.encode()) + '"' for text in texts)
    (tmp_path / "try.c").write_text(
        f'#include "m.h"\n#include <stdio.h>\nstatic const char *const texts[] = {{{given}}};\n'
        f"int main(void) {{ for (int i = 0; i < {len(texts)}; i++) {{ const m_row row = {{.text = texts[i], .n = 0.5}}; "
        "m_answer answer; if (m_predict(&row, &answer)) { return 1; } "
        'printf("%.9g %.9g\\n", (double)answer.good_probabilities[0], (double)answer.good_probabilities[1]); } return 0; }\n'
    )
    subprocess.run(["cc", tmp_path / "try.c", "-o", tmp_path / "try", "-lm"], check=True)
    found = subprocess.run([tmp_path / "try"], check=True, capture_output=True, text=True).stdout
    assert difference(model.job(), [line.split() for line in found.splitlines()], wanted) <= AGREED


def test_the_numbers_alone(tmp_path: Path) -> None:
    network = network_of(gg.BatchNormalization(), (4,))
    wanted = network.named_parameters() | network.named_state()
    network.export(tmp_path / "w.npz")
    network.export(tmp_path / "w.safetensors")
    with np.load(tmp_path / "w.npz") as stored:
        archived = dict(stored)
    for found in (archived, safetensors.numpy.load_file(tmp_path / "w.safetensors")):
        assert set(found) == set(wanted)
        assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    odd = '</script><b> " \' */ /* ?? \\ \n {x} {{y}} """ %s'
    target = f"to predict {odd}"
    table = {
        odd: ["a", "b", odd] * 30,
        "int": [0.5 * (i % 17) for i in range(90)],
        target: ["</script>", "'", '"'] * 30,
    }
    model = gg.TableModel.train(table, target, quality="fast", hidden=4, epochs=1)
    agrees(model, tmp_path / "n.py", run_python)
    if find_spec("onnxruntime"):
        agrees(model, tmp_path / "n.onnx", run_onnx)
    if COMPILERS:
        assert "as the model answers" in run_c(exported(model, tmp_path / "while.c"), compiler=COMPILERS[0])
        assert "as the model answers" in run_c(
            exported(model, tmp_path / "odd?? * name.h"), compiler=COMPILERS[0]
        )
    small = tmp_path / 'a "table".sql'
    agrees(model, small, run_sql, "sqlite")
    page = exported(model, tmp_path / "n.html").read_text()
    assert page.count("</script>") == 1


def test_errors_name_the_part_and_the_remedy(tmp_path: Path) -> None:
    class Own(gg.Layer):
        def forward(self, weights: Any, x: Any, context: Any) -> Any:
            return x, None

    class Bent(gg.Activation):
        def forward(self, z: Any) -> Any:
            return z

    network = gg.Network([gg.Dense(2)], 3)
    with pytest.raises(
        gg.ConfigError,
        match=r"must be one of .c, .h, .html, .npz, .onnx, .py, .safetensors, .sql, got 'n.pyc'",
    ):
        network.export(tmp_path / "n.pyc")
    with pytest.raises(gg.ConfigError, match=r"for .c and .h, got .py"):
        network.export(tmp_path / "n.py", int8=True)
    with pytest.raises(gg.ConfigError, match="export a model of a table"):
        network.export(tmp_path / "n.sql")
    for ending in (".c", ".py", ".html", *([".onnx"] if find_spec("onnx") else [])):
        with pytest.raises(gg.ConfigError, match="own"):
            gg.Network([Own()], 3, engine="reference").export(tmp_path / f"n{ending}")
        with pytest.raises(gg.ConfigError, match="own"):
            gg.Network([gg.Dense(2, Bent())], 3, engine="reference").export(tmp_path / f"n{ending}")
    if find_spec("onnx"):
        with pytest.raises(gg.ConfigError, match="no standard operator of ONNX hashes"):
            made("texts").export(tmp_path / "n.onnx")
    model = gg.TableModel.train({"x": range(90), "y": ["a", "b"] * 45}, "y", quality="fast", epochs=1)
    with pytest.raises(gg.ConfigError, match="at most 2,000 weights"):
        model.export(tmp_path / "n.sql")
    with pytest.raises(gg.FileError, match="cannot write"):
        network.export(tmp_path / "none" / "n.py")
    assert list(tmp_path.iterdir()) == []
    assert set(FORMATS) == {".c", ".h", ".html", ".npz", ".onnx", ".py", ".safetensors", ".sql"}
