"""The studio's runs: what it shows adds up, steps are exact, branches leave their origin alone, exports prove it."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from commands import run as ganglion
from ganglion.studio.data import Source
from ganglion.studio.session import Studio
from ganglion.studio.settings import Settings
from ganglion.tables.examples import FOLDER

pytestmark = pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")


def people(count: int = 240) -> pl.DataFrame:
    rng = np.random.default_rng(count)
    age, city = rng.integers(18, 80, count), rng.choice(["Rome", "Oslo", "Lima"], count)
    income = rng.normal(3000, 900, count).round(1)
    score = (age + 20 * (city == "Rome") + rng.normal(0, 9, count)).round(2)
    return pl.DataFrame(
        {
            "age": age,
            "city": city,
            "income": income,
            "score": score,
            "paid": np.where(score > 55, "yes", "no"),
        }
    )


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    people().drop("score").write_csv(tmp_path / "people.csv")
    return tmp_path / "people.csv"


@pytest.fixture
def studio(csv: Path) -> Iterator[Studio]:
    session = Studio(Source(csv, "people.csv"))
    yield session
    session.close()


@pytest.fixture
def numeric(tmp_path: Path) -> Iterator[Studio]:
    people().drop("paid").write_csv(tmp_path / "numbers.csv")
    session = Studio(Source(tmp_path / "numbers.csv", "numbers.csv"))
    yield session
    session.close()


def bits(session: Studio) -> str:
    run = session.run()
    state = run.network.optimizer_state
    vectors = [run.network.parameters, run.network.state, *state.slots.values()]
    return hashlib.sha256(b"".join(each.tobytes() for each in vectors)).hexdigest()


def settings(session: Studio, **changes: Any) -> dict[str, Any]:
    return {**session.run().settings.to_facts(), **changes}


DENSE = {"name": "dense", "units": 6, "activation": {"name": "relu"}, "weight_initializer": None}
SGD = gg.SGD(0.05).configuration()


@pytest.mark.parametrize("count", [240, 1300])
def test_training_is_that_of_the_command_line(count: int, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "people.csv"
    people(count).drop("score").write_csv(path)
    session = Studio(Source(path, "people.csv"))
    words = [
        "--target",
        "paid",
        "--hidden",
        "8,8",
        "--dropout",
        "0",
        "--out",
        str(tmp_path / "m.safetensors"),
    ]
    ganglion(capsys, "train", str(path), *words)
    model = gg.TableModel.load(tmp_path / "m.safetensors")
    found = session.do({"do": "train"})["trained"]
    assert found["digest"] == hashlib.sha256(model.network.parameters.tobytes()).hexdigest()
    assert found["report"] == str(model.report)
    session.do({"do": "step", "count": 10**6})
    history = session.run().stepper.history
    assert history.loss == model.history.loss
    assert history.validation_loss == model.history.validation_loss
    session.close()


def test_fifty_steps_and_back(studio: Studio) -> None:
    studio.do({"do": "step", "count": 7})
    before = bits(studio)
    for _ in range(50):
        studio.do({"do": "step", "count": 1})
    for _ in range(50):
        studio.do({"do": "back", "count": 1})
    assert bits(studio) == before


def test_playing_equals_stepping(studio: Studio, csv: Path) -> None:
    other = Studio(Source(csv, "people.csv"))
    steps = other.run().stepper.steps
    for _ in range(5 * steps):
        other.do({"do": "step", "count": 1})
    studio.do({"do": "play", "until": steps + 2})  # a pause in the middle of an epoch
    wait(studio)
    assert studio.state()["runs"][0]["update"] == steps + 2
    studio.do({"do": "play", "until": 5 * steps})
    wait(studio)
    assert bits(studio) == bits(other)
    assert np.array_equal(studio.run().stepper.losses, other.run().stepper.losses)
    other.close()


def wait(session: Studio) -> None:
    end = time.monotonic() + 60
    while session.state()["playing"]:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_edited_weight_is_a_branch(studio: Studio) -> None:
    studio.do({"do": "step", "count": 9})
    before = bits(studio)
    state = studio.do({"do": "edit", "parameter": "dense_1/weight", "index": [0, 3], "value": 2.5})
    assert state["current"] == 2
    assert studio.run().network.named_parameters()["dense_1/weight"][0, 3] == 2.5
    studio.do({"do": "step", "count": 5})
    assert bits(studio) != before
    state = studio.do({"do": "undo"})
    assert (state["current"], state["runs"][0]["update"]) == (1, 9)
    assert bits(studio) == before
    with pytest.raises(gg.ConfigError, match="nothing to undo"):
        studio.do({"do": "undo"})


LAYERS: dict[str, list[dict[str, Any]]] = {
    "dense": [DENSE, {**DENSE, "units": 3, "activation": {"name": "tanh"}}],
    "dropout": [DENSE, {"name": "dropout", "rate": 0.4}],
    "normalized": [DENSE, gg.LayerNormalization().configuration(), gg.BatchNormalization().configuration()],
    "none": [],
}


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("kind", ["studio", "numeric"])
def test_every_unit_is_that_of_the_trace(layers: str, kind: str, request: pytest.FixtureRequest) -> None:
    session: Studio = request.getfixturevalue(kind)
    session.do({"do": "new", "settings": settings(session, layers=LAYERS[layers])})
    session.do({"do": "step", "count": 12})
    session.do({"do": "view", "row": 17})
    run = session.run()
    frame = run.data.prepared.frame
    trace = run.model.trace(frame, 17, loss=run.loss)
    for step, layer in zip(run.network.architecture.steps, trace.layers, strict=True):
        for unit in range(step.outputs):
            found = session.do({"ask": "unit", "layer": step.name, "unit": unit})
            assert math.isclose(found["card"]["value"], layer.a[0, unit], rel_tol=1e-12, abs_tol=1e-15)
            for equation in found["card"]["equations"]:
                if "terms" in equation:
                    terms = [
                        math.prod(factor["value"] for factor in term["factors"]) for term in equation["terms"]
                    ]
                    assert math.isclose(sum(terms), equation["value"], rel_tol=1e-9, abs_tol=1e-12)
            assert found["engine"]["agrees"]
    answers = session.do({"ask": "network"})
    assert np.allclose(
        answers["activations"], np.concatenate([each.a[0] for each in trace.layers]), atol=1e-5
    )


@pytest.mark.parametrize(
    "optimizer", [gg.SGD(0.1, momentum=0.9), gg.Adam(0.01), gg.AdamW(0.01, clip_norm=0.1)], ids=repr
)
@pytest.mark.parametrize("layers", ["dense", "dropout"])
def test_the_card_of_a_weight_is_the_next_step(studio: Studio, optimizer: gg.Optimizer, layers: str) -> None:
    chosen = settings(studio, layers=LAYERS[layers], optimizer=optimizer.configuration(), dtype="float64")
    studio.do({"do": "new", "settings": chosen})
    for _ in range(3):
        studio.do({"do": "step", "count": 4})
        names = studio.run().network.named_parameters()
        cards = {}
        for name, values in names.items():
            for index in [tuple(0 for _ in values.shape), tuple(size - 1 for size in values.shape)]:
                cards[name, index] = studio.do({"ask": "weight", "parameter": name, "index": list(index)})
        gradients = {key: card["gradient"]["value"] for key, card in cards.items()}
        for key in cards:
            batch = studio.run().data.prepared.train[studio.run().stepper.batch()]
            notes = [term["note"] for term in cards[key]["gradient"]["equations"][0]["terms"]]
            assert not any(notes) or notes == [f"row {row}" for row in batch]
            total = sum(studio.run().stepper.parts(*key))
            assert math.isclose(total, gradients[key], rel_tol=1e-9, abs_tol=1e-12)
        studio.do({"do": "step", "count": 1})
        after = studio.run().network.named_parameters()
        for (name, index), card in cards.items():
            assert math.isclose(card["update"]["value"], after[name][index], rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize("kind", ["studio", "numeric"])
@pytest.mark.parametrize("columns", [["age", "income"], ["city", "age"]])
@pytest.mark.parametrize("fixed", [True, False])
def test_surfaces_are_what_predict_gives(
    kind: str, columns: list[str], fixed: bool, request: pytest.FixtureRequest
) -> None:
    session: Studio = request.getfixturevalue(kind)
    session.do({"do": "step", "count": 30})
    output = 1 if kind == "studio" else 0
    session.do({"do": "view", "row": 5, "columns": columns, "fixed_at_row": fixed, "output": output})
    found = session.do({"ask": "surface"})
    model, wide = session.run().model, len(found["across"])
    rng = np.random.default_rng(1)
    for _ in range(20):
        across, up = rng.integers(wide), rng.integers(len(found["up"]))
        point = {**found["fixed"], columns[0]: found["across"][across], columns[1]: found["up"][up]}
        answer = model.predict({name: [value] for name, value in point.items()})
        wanted = answer["probability_yes"][0] if kind == "studio" else answer["prediction"][0]
        assert math.isclose(found["values"][up * wide + across], wanted, rel_tol=1e-5, abs_tol=1e-6)
    frame = np.frombuffer(session.frame[1], "<f4")
    assert np.allclose(frame[-len(found["values"]) :], found["values"], rtol=1e-5)


def test_a_diverging_run_shows_its_step_and_a_remedy_trains(numeric: Studio) -> None:
    chosen = settings(numeric, optimizer=gg.SGD(50.0).configuration(), layers=[DENSE])
    numeric.do({"do": "new", "settings": chosen})
    state = numeric.do({"do": "step", "count": 1000})
    run = state["runs"][-1]
    assert run["failed"]
    assert f"step {run['position'] + 1}" in run["because"]
    found = numeric.do({"ask": "findings"})["findings"]
    assert "exploding_loss" in [each["name"] for each in found]
    for _ in range(3):
        state = numeric.do({"do": "remedy", "name": "exploding_loss", "update": 0})
        numeric.do({"do": "step", "count": 10})
    assert state["runs"][-1]["note"] == "a tenth of the learning rate"
    numeric.do({"do": "step", "count": 1000})
    last = numeric.state()["runs"][-1]
    assert last["ended"]
    assert not last["failed"]


def test_a_finding_is_traced_to_its_beginning(numeric: Studio) -> None:
    chosen = settings(numeric, layers=[DENSE], optimizer=SGD, epochs=40)
    numeric.do({"do": "new", "settings": chosen})
    numeric.do({"do": "step", "count": 40})
    for unit in range(6):  # a hand kills the layer: its units give 0 for every row
        numeric.do({"do": "edit", "parameter": "dense_1/bias", "index": [unit], "value": -50.0})
    numeric.do({"do": "step", "count": 20})
    found = numeric.do({"ask": "findings"})["findings"]
    assert "dying_relu" in [each["name"] for each in found]
    began = numeric.do({"ask": "began", "name": "dying_relu"})
    assert began["update"] == 40
    assert numeric.state()["runs"][-1]["began"] == {"dying_relu": 40}
    assert numeric.run().stepper.update == 60
    assert next(each for each in found if each["name"] == "dying_relu")["try"] == "leaky_relu instead of relu"
    for unit in range(6):
        own = numeric.do({"ask": "silenced", "layer": "dense_1", "unit": unit})
        assert own["update"] == 40
    assert numeric.run().stepper.update == 60
    assert numeric.do({"ask": "silenced", "layer": "dense_2", "unit": 0}) == {"update": None, "speaks": True}
    with pytest.raises(gg.ConfigError):
        numeric.do({"ask": "silenced", "layer": [], "unit": 0})


def test_the_script_makes_the_same_bits(studio: Studio, csv: Path) -> None:
    studio.do({"do": "step", "count": 11})
    studio.do({"do": "change", "settings": settings(studio, optimizer=SGD, regularization={"l2": 0.01})})
    studio.do({"do": "step", "count": 6})
    studio.do({"do": "edit", "parameter": "dense_2/weight", "index": [1, 0], "value": -0.75})
    studio.do({"do": "change", "settings": settings(studio, batch_size=16, regularization={})})
    studio.do({"do": "step", "count": 9})
    name, contents = studio.export({"format": "script"})
    assert name == "run_4_script.py"
    digest = hashlib.sha256(studio.run().network.parameters.tobytes()).hexdigest()
    path = csv.parent / name
    path.write_bytes(contents)
    done = subprocess.run([sys.executable, name], cwd=csv.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert digest in done.stdout
    assert "the same bits as in the studio" in done.stdout
    saved = gg.TableModel.load(csv.parent / "model.safetensors")
    assert np.array_equal(saved.network.parameters, studio.run().network.parameters)
    changed = contents.decode().replace("-0.75", "-0.7500001")
    path.write_text(changed, encoding="utf-8")
    done = subprocess.run([sys.executable, name], cwd=csv.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "other bits" in done.stdout


@pytest.mark.parametrize("kind", ["model", "report", ".html", ".py", ".npz", ".c", ".sql"])
def test_files(studio: Studio, kind: str, tmp_path: Path) -> None:
    studio.do({"do": "step", "count": 60})
    before = bits(studio)
    name, contents = studio.export({"format": kind})
    assert contents
    assert bits(studio) == before
    if kind == "model":
        (tmp_path / name).write_bytes(contents)
        model = gg.TableModel.load(tmp_path / name)
        assert np.array_equal(model.network.parameters, studio.run().network.parameters)
        assert model.report.rows == 48
    with pytest.raises(gg.ConfigError, match="there is no file"):
        studio.export({"format": "../../etc/passwd"})


def test_roles_and_targets(studio: Studio) -> None:
    columns = {each["name"]: each for each in studio.state()["data"]["columns"]}
    assert {name: each["role"] for name, each in columns.items()} == {
        "age": "input",
        "city": "input",
        "income": "input",
        "paid": "target",
    }
    state = studio.do(
        {"do": "prepare", "target": "income", "roles": {"age": "left out", "paid": "category"}, "seed": 3}
    )
    assert state["data"]["task"] == "regression"
    assert [each["role"] for each in state["data"]["columns"]] == ["left out", "input", "target", "category"]
    assert "drop=['age'], categories=['paid']" in state["code"]
    with pytest.raises(gg.ConfigError, match="there is no column 'shoe'"):
        studio.do({"do": "prepare", "target": "income", "roles": {"shoe": "input"}, "seed": 0})
    assert studio.state()["data"]["target"] == "income"  # a refusal changes nothing


def test_runs_are_compared(studio: Studio) -> None:
    studio.do({"do": "step", "count": 20})
    studio.do({"do": "change", "settings": settings(studio, optimizer=SGD)})
    studio.do({"do": "step", "count": 20})
    found = studio.do({"ask": "differences", "run": 1, "other": 2})["differences"]
    assert [each[0] for each in found] == ["optimizer"]
    for run in (1, 2):
        scores = studio.do({"ask": "scores", "run": run})["scores"]
        assert set(scores) == {"train", "test"}  # the same rows validate and test
    own = studio.runs[1]
    places = own.data.prepared.test
    predicted = own.model.predict(own.data.prepared.frame[places])["prediction"]
    right = (predicted == own.data.prepared.frame[places]["paid"]).mean()
    assert studio.do({"ask": "scores", "run": 1})["scores"]["test"]["score"] == right
    studio.do({"do": "name", "name": "slower"})
    assert studio.state()["runs"][1]["name"] == "slower"
    studio.do({"do": "choose", "run": 1})
    studio.do({"do": "remove", "run": 2})
    assert [each["run"] for each in studio.state()["runs"]] == [1]


def test_curves_follow_branches(studio: Studio) -> None:
    steps = studio.run().stepper.steps
    studio.do({"do": "step", "count": 2 * steps + 3})
    studio.do({"do": "edit", "parameter": "dense_1/bias", "index": [0], "value": 0.5})
    studio.do({"do": "step", "count": 2 * steps})
    found = studio.do({"ask": "curves"})
    assert found["updates"][0] == 2 * steps + 4
    assert found["epochs"] == [steps * (n + 1) for n in range(4)]
    assert len(found["loss"]) == 4


def test_clicks_are_answered_while_it_plays(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({f"x{i}": rng.normal(size=20_000).round(3) for i in range(12)})
    frame = frame.with_columns(y=pl.sum_horizontal(pl.all().sin()))
    frame.write_csv(tmp_path / "large.csv")
    session = Studio(Source(tmp_path / "large.csv", "large.csv"))
    session.do(
        {
            "do": "new",
            "settings": settings(session, layers=[{**DENSE, "units": 200}, {**DENSE, "units": 100}]),
        }
    )
    session.do({"do": "play"})
    before = session.run().stepper.update
    for unit in range(5):
        session.do({"ask": "unit", "layer": "dense_1", "unit": unit})
    assert session.state()["playing"]
    time.sleep(0.3)
    session.do({"do": "pause"})
    assert session.run().stepper.update > before
    session.close()


@pytest.mark.parametrize(
    "command",
    [
        *([], "step", None, 3, {}, {"do": "explode"}, {"do": None}, {"ask": "secret"}, {"ask": ["unit"]}),
        *({"do": "step"}, {"do": "step", "count": -1}, {"do": "step", "count": 1.5}, {"do": "step", "count": True}),
        *({"do": "seek", "update": 10**9}, {"do": "view", "row": -1}, {"do": "view", "row": 10**9}),
        *({"do": "view", "columns": ["age", "age"]}, {"do": "view", "columns": "ag"}, {"do": "view", "output": 7}),
        *({"do": "edit"}, {"do": "edit", "parameter": "dense_1/weight", "index": [0, 0], "value": "x"}),
        *({"do": "edit", "parameter": "../x", "index": [0], "value": 1}, {"do": "speed", "speed": 7}),
        *({"do": "new", "settings": {}}, {"do": "new"}, {"do": "choose", "run": 99}, {"do": "choose", "run": []}),
        *({"do": "name", "name": ""}, {"do": "remove", "run": 1}, {"do": "remedy", "name": "none"}, {"do": "answer", "answer": 1}),
        *({"do": "example", "name": "../iris"}, {"do": "lesson", "name": "/etc/passwd"}, {"do": "next"}, {"do": "view", "columns": [["age"], ["city"]]}),
        *({"ask": "unit", "layer": [], "unit": 0}, {"do": "name", "name": "x\n"}, {"do": "name", "name": "\ud800"}),
        *({"do": "prepare", "target": "paid", "seed": 0, "roles": {"age": []}}, {"do": "play", "run": 7}),
        *({"ask": "unit", "layer": "dense_1", "unit": 99}, {"ask": "weight", "parameter": "dense_1/weight", "index": "ab"}, {"ask": "rows", "first": -5}),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_command(studio: Studio, command: Any) -> None:
    before = bits(studio)
    with pytest.raises(gg.GanglionError):
        studio.do(command)
    assert bits(studio) == before
    assert len(studio.runs) == 1


def test_a_refusal_does_not_stop_what_plays(studio: Studio) -> None:
    studio.do({"do": "new", "settings": settings(studio, epochs=10_000)})
    studio.do({"do": "play"})
    for command in ({"do": "step", "count": -1}, {"do": "remedy", "name": "none"}):
        with pytest.raises(gg.ConfigError):
            studio.do(command)
    assert studio.state()["playing"]


def test_a_remedy_without_room_moves_nothing(studio: Studio) -> None:
    studio.do({"do": "step", "count": 20})
    for _ in range(23):
        studio.do({"do": "new", "settings": settings(studio)})
    studio.do({"do": "step", "count": 20})
    with pytest.raises(gg.ConfigError, match="24 runs"):
        studio.do({"do": "remedy", "name": "not_converged", "update": 3})
    assert studio.run().stepper.update == 20


def test_a_run_that_is_played_is_chosen(studio: Studio) -> None:
    studio.do({"do": "new", "settings": settings(studio)})
    studio.do({"do": "play", "run": 1, "until": 30})
    wait(studio)
    assert [each["update"] for each in studio.state()["runs"]] == [30, 0]


def test_a_long_step_can_be_paused(studio: Studio) -> None:
    layers = [{**DENSE, "units": 256}] * 3
    studio.do({"do": "new", "settings": settings(studio, layers=layers, epochs=10_000, batch_size=1)})
    made = threading.Thread(target=studio.do, args=({"do": "step", "count": 10**8},))
    made.start()
    while not studio.run().stepper.update:
        time.sleep(0.01)
    studio.do({"do": "pause"})
    made.join(timeout=60)
    assert not made.is_alive()
    update = studio.run().stepper.update
    assert update < studio.run().stepper.total
    studio.do({"do": "step", "count": 2})
    assert studio.run().stepper.update == update + 2


def test_scripts_have_every_digit(studio: Studio, csv: Path) -> None:
    optimizer = gg.SGD(0.0123456789).configuration()
    studio.do({"do": "new", "settings": settings(studio, optimizer=optimizer)})
    studio.do({"do": "step", "count": 5})
    studio.do({"do": "name", "name": 'x""" + print(1) \\ ü'})
    name, contents = studio.export({"format": "script"})
    assert name == "x__print1__ü_script.py"
    (csv.parent / name).write_bytes(contents)
    done = subprocess.run([sys.executable, name], cwd=csv.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_tables_that_are_only_nearly_images(studio: Studio) -> None:
    names = [f"p_{i}_{j}" for i in range(4) for j in range(4)]
    rows = "".join(
        ",".join(["red" if (i + k) % 3 else "blue" for k in range(16)] + [str(i % 2)]) + "\n"
        for i in range(60)
    )
    studio.upload((",".join([*names, "y"]) + "\n" + rows).encode(), "csv", "nearly.csv")
    assert studio.state()["data"]["image"] is None
    assert studio.do({"ask": "network"})["image"] is None
    wide = [{"a": 10**30 + i, "b": i % 2, "c": i} for i in range(60)]
    studio.upload(json.dumps(wide).encode(), "json", "wide.json")
    assert list(studio.folder.iterdir()) == [studio.data.source.path]  # the tables before are gone


def test_a_few_bytes_of_many_rows_are_not_read(studio: Studio, tmp_path: Path) -> None:
    pl.select(pl.repeat(1, 3_000_000).alias("a"), pl.repeat(2, 3_000_000).alias("b")).write_parquet(
        tmp_path / "x.parquet"
    )
    with pytest.raises(gg.DataError, match="takes 1,000,000 rows, got 3,000,000"):
        studio.upload((tmp_path / "x.parquet").read_bytes(), "parquet", "x.parquet")
    assert list(studio.folder.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        *({"layers": [{"name": "mixture"}]}, {"layers": [{**DENSE, "units": 10**6}]}, {"layers": [DENSE] * 17}, {"layers": "x"}),
        *({"optimizer": gg.LBFGS().configuration()}, {"optimizer": {"name": "__import__"}}, {"epochs": 10**9}, {"epochs": 0}),
        *({"batch_size": 0}, {"seed": -1}, {"seed": 2**60}, {"dtype": "float16"}, {"loss": {"name": "mse"}}),
        *({"regularization": {"l3": 1}}, {"regularization": []}, {"layers": [{**DENSE, "activation": {"name": "softmax2"}}]}),
    ],
    ids=str,
)  # fmt: skip
def test_what_are_no_settings(studio: Studio, change: dict[str, Any]) -> None:
    with pytest.raises(gg.GanglionError):
        studio.do({"do": "new", "settings": settings(studio, **change)})
    assert len(studio.runs) == 1


def test_settings_are_read_as_they_are_written(studio: Studio) -> None:
    own = studio.run().settings
    assert Settings.read(own.to_facts()) == own
    assert own.differences(own) == {}


def test_uploads(studio: Studio) -> None:
    state = studio.upload(
        b"a,b,c\n" + b"".join(b"%d,%d,%d\n" % (i, i % 7, i % 2) for i in range(80)), "csv", "../../mine.csv"
    )
    assert state["data"]["name"] == "mine.csv"
    assert state["data"]["target"] == "c"
    assert all(studio.folder in path.parents for path in studio.folder.rglob("*"))
    for data, ending in (
        (b"", "csv"),
        (b"a,b\n1,2\n", "exe"),
        (b"a,b\n1,2\n", "../csv"),
        (b"\x00\xff\xfe", "parquet"),
        (b"[[[", "json"),
    ):
        with pytest.raises(gg.GanglionError):
            studio.upload(data, ending, "x")
    assert studio.state()["data"]["name"] == "mine.csv"
    studio.close()
    assert not studio.folder.exists()


def test_examples_and_images(studio: Studio) -> None:
    for name in studio.state()["examples"]:
        if name == "characters":
            continue
        state = studio.do({"do": "example", "name": name})
        assert state["data"]["name"] == f"{name}.csv"
        studio.do({"do": "step", "count": 2})
    studio.do({"do": "example", "name": "digits"})
    assert studio.state()["data"]["image"] == [8, 8]
    image = studio.do({"ask": "network"})["image"]
    table = pl.read_csv(FOLDER / "digits.csv")
    assert image == [float(each) for each in table.drop("digit").row(0)]


def test_a_studio_without_a_table() -> None:
    empty = Studio()
    assert empty.state()["data"] is None
    for command in (
        {"do": "step", "count": 1},
        {"ask": "network"},
        {"do": "view", "row": 0},
        {"do": "new", "settings": {}},
    ):
        with pytest.raises(gg.ConfigError):
            empty.do(command)
    empty.do({"do": "example", "name": "iris"})
    assert empty.state()["current"] == 1
    empty.close()


def test_a_model_goes_on_learning(csv: Path, tmp_path: Path, capsys: Any) -> None:
    model = gg.TableModel.train(csv, "paid", hidden=[5], epochs=10, seed=2)
    model.save(tmp_path / "m.safetensors")
    session = Studio(model=gg.TableModel.load(tmp_path / "m.safetensors"), model_name="m.safetensors")
    assert session.state()["waiting"].startswith("m.safetensors predicts paid from age, city, income.")
    session.upload(csv.read_bytes(), "csv", "people.csv")
    assert session.state()["waiting"] == ""
    assert np.array_equal(session.run().network.parameters, model.network.parameters)
    session.do({"do": "view", "row": 9})
    frame = session.data.prepared.frame
    assert session.do({"ask": "network"})["words"]["prediction"] == model.predict(frame)["prediction"][9]
    session.do({"do": "step", "count": 7})
    session.do({"do": "edit", "parameter": "dense_1/bias", "index": [0], "value": 0.5})
    session.do({"do": "step", "count": 2})
    name, contents = session.export({"format": "script"})
    (tmp_path / name).write_bytes(contents)
    done = subprocess.run(
        [sys.executable, name, csv], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "the same bits as in the studio" in done.stdout, done.stderr
    session.do({"do": "new", "settings": settings(session)})
    assert not np.array_equal(session.run().network.parameters, model.network.parameters)
    session.close()
    code, _, error = ganglion(capsys, "studio", str(csv), "--table", str(csv))
    assert (code, "--table goes with a model file" in error) == (2, True)
