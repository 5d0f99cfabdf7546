"""Several targets of pictures: one network with a head for each, each judged as a model of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from commands import run
from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.engines import limit_threads
from ganglion.files.model_file import read_model, write_model
from ganglion.image_model.labels import LabelColumn
from pictures import encoded, write

pytestmark = pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
TARGETS = ["kind", "left", "size"]
QUICK: dict[str, Any] = {"epochs": 12, "augment": "none", "learning_rate": 0.01}


@cache
def planted(count: int = 200, seed: int = 0) -> tuple[Any, dict[str, Any]]:
    """Return grey pictures with a bright row of three (kind), a bright side (left), and a spot of some size."""
    chance = np.random.default_rng(seed)
    kind, left, size = chance.integers(0, 3, count), chance.random(count) < 0.5, chance.random(count)
    images = chance.integers(0, 40, (count, 12, 12))
    for row in range(count):
        images[row, 3 * kind[row] : 3 * kind[row] + 3] += 80
        images[row, :, 0 if left[row] else 11] += 90
        images[row, 9:, 3:9] += int(120 * size[row])
    truth = {"kind": np.array(["low", "mid", "top"])[kind], "left": left, "size": 10 * size + 5}
    return images.astype(np.uint8), truth


def words(truth: dict[str, Any]) -> list[str]:
    """Return the same as labels of one column, empty for a picture without any."""
    has = {"left": truth["left"], "low": truth["kind"] == "low", "top": truth["kind"] == "top"}
    return ["; ".join(word for word in has if has[word][row]) for row in range(len(truth["left"]))]


@cache
def model() -> Any:
    images, truth = planted()
    return gg.ImageModel.train(images, labels=truth, **QUICK)


@cache
def tagged() -> Any:
    images, truth = planted()
    return gg.ImageModel.train(images, labels=words(truth), label_separator=";", **QUICK)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with 80 pictures and a table of them, which is the current one."""
    images, truth = planted()
    write(tmp_path, {f"{row:03}.png": encoded(images[row][..., None]) for row in range(80)})
    table = pl.DataFrame({name: values[:80] for name, values in truth.items()})
    table = table.with_columns(
        pl.Series("file", [f"{row:03}.png" for row in range(80)]),
        pl.Series("tags", words(truth)[:80]),
        pl.Series("who", [row // 2 for row in range(80)]),
    )
    table.write_csv(tmp_path / "list.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_target_is_learned_and_judged() -> None:
    assert isinstance(model(), gg.JointImageModel)
    assert list(model().heads) == TARGETS == [target.column for target in model().targets]
    assert [type(target) for target in model().targets] == [ClassTarget, ClassTarget, NumberTarget]
    reports = model().reports
    assert reports["kind"].metrics["accuracy"] > 0.98
    assert reports["left"].metrics["accuracy"] > 0.98
    assert reports["size"].metrics["r2"] > 0.85
    for name, head in model().heads.items():
        assert (reports[name].rows, head.folds, head.rows["train"]) == (200, 5, 200)
        assert model().advice[name].startswith("The model is better than the baseline")
    assert "'kind', 'left', 'size'" in repr(model())


def test_new_pictures_are_answered_rightly() -> None:
    images, truth = planted(90, seed=3)
    found = model().predict(images, interval=0.8)
    assert found.columns == [
        "image",
        "prediction_kind", "probability_kind_low", "probability_kind_mid", "probability_kind_top",
        "prediction_left", "probability_left_false", "probability_left_true",
        "prediction_size", "low_size", "high_size",
    ]  # fmt: skip
    assert (found["prediction_kind"].to_numpy() == truth["kind"]).mean() > 0.97
    assert found["prediction_left"].dtype == pl.Boolean
    assert (found["prediction_left"].to_numpy() == truth["left"]).mean() > 0.97
    inside = (found["low_size"].to_numpy() <= truth["size"]) & (
        truth["size"] <= found["high_size"].to_numpy()
    )
    assert 0.65 < inside.mean() < 0.95
    reports = model().evaluate(images, labels=truth)
    assert (
        reports["kind"].metrics["accuracy"] == (found["prediction_kind"].to_numpy() == truth["kind"]).mean()
    )
    answer = model().answer(images[4], interval=0.8)
    row = found.row(4, named=True)
    assert answer["kind"]["prediction"] == row["prediction_kind"]
    assert answer["kind"]["probabilities"]["mid"] == pytest.approx(row["probability_kind_mid"], abs=1e-6)
    assert answer["size"] == pytest.approx({k: row[f"{k}_size"] for k in ("prediction", "low", "high")})


def test_heads_are_parts_of_one_network() -> None:
    images, truth = planted(30, seed=4)
    x = model().head("kind").encode(images)
    together = model().network.predict(x)
    parts = [model().head(name).network.predict(x) for name in TARGETS]
    assert together.shape == (30, 3 + 2 + 1)
    np.testing.assert_allclose(together, np.concatenate(parts, axis=1), atol=1e-6)
    alone = model().head("left").predict(images)
    assert alone["prediction"].to_list() == model().predict(images)["prediction_left"].to_list()
    assert model().head("left").trace(images[0], label=bool(truth["left"][0])).loss is not None
    assert model().head("size").health(images, labels=truth["size"]).rows == 30
    with pytest.raises(gg.ConfigError, match=r"no target 'knd' \(did you mean 'kind'"):
        model().head("knd")


def test_running_averages_belong_to_each_head() -> None:
    images, truth = planted()
    found = gg.ImageModel.train(images, labels=truth, quality="best", test=0.3, **(QUICK | {"epochs": 2}))
    x = found.head("kind").encode(images[:9])
    np.testing.assert_allclose(
        found.network.predict(x)[:, :3], found.head("kind").network.predict(x), atol=1e-6
    )


def test_pictures_that_lack_a_target_teach_the_others() -> None:
    images, truth = planted()
    gaps = {
        "kind": [None if row % 4 == 0 else str(value) for row, value in enumerate(truth["kind"])],
        "size": [float("nan") if row % 4 == 1 else float(value) for row, value in enumerate(truth["size"])],
    }
    gaps["kind"][1] = None  # this one lacks both
    with pytest.warns(gg.GanglionNotice) as told:
        found = gg.ImageModel.train(images, labels=gaps, **QUICK)
    messages = [str(each.message) for each in told]
    assert "1 picture lacks all targets and is left out" in messages
    assert "50 pictures lack the target 'kind', used for the others only" in messages
    assert "49 pictures lack the target 'size', used for the others only" in messages
    assert found.head("kind").rows["train"] == 199
    assert (found.reports["kind"].rows, found.reports["size"].rows) == (149, 150)
    assert found.reports["kind"].metrics["accuracy"] > 0.97
    assert found.reports["size"].metrics["r2"] > 0.85
    assert len(found.head("size").mistakes(200)) == 150
    for tested, head in ((found.head(name).tested, name) for name in gaps):
        assert len(tested.images) == len(tested.names) == len(tested.truth) == found.reports[head].rows


def test_labels_may_be_a_frame_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    images, truth = planted()
    kind = pandas.Series([None, *truth["kind"][1:]], dtype=object)
    frame = pandas.DataFrame({"kind": kind, "left": truth["left"]})
    found = gg.ImageModel.train(images, labels=frame, **(QUICK | {"epochs": 1, "folds": 2}))
    assert [target.classes for target in found.targets] == [("low", "mid", "top"), (False, True)]
    assert found.reports["kind"].rows == 199


@pytest.mark.parametrize("settings", [{"folds": 3}, {"test": 0.3}, {"test": 0.0, "validation": 0.0}])
def test_other_ways_to_divide_the_pictures(settings: dict[str, Any]) -> None:
    images, truth = planted()
    found = gg.ImageModel.train(images, labels=truth, **(QUICK | {"epochs": 3} | settings))
    rows = found.head("kind").rows
    tested = settings.get("test") != 0.0
    assert all((report is not None) == tested for report in found.reports.values())
    assert rows["test"] == {3: 200}.get(settings.get("folds"), 60 if tested else 0)


def test_the_same_bits_after_loading_and_on_any_number_of_threads(tmp_path: Path) -> None:
    images, truth = planted()
    path = tmp_path / "joint.safetensors"
    for before in (model(), tagged()):
        before.save(path)
        loaded = gg.JointImageModel.load(path)
        assert loaded.predict(images).equals(before.predict(images))
        assert loaded.targets == before.targets
        assert loaded.label_column == before.label_column
        assert {k: r.to_dict() for k, r in loaded.reports.items()} == {
            k: r.to_dict() for k, r in before.reports.items()
        }
        for name in before.heads:
            assert loaded.head(name).calibration == before.head(name).calibration
            assert loaded.head(name).network.predict(loaded.head(name).encode(images[:5])).tolist() == (
                before.head(name).network.predict(before.head(name).encode(images[:5])).tolist()
            )
    with pytest.raises(
        gg.FileError, match=r"it holds a model of images of several targets .*JointImageModel"
    ):
        gg.ImageModel.load(path)
    with pytest.raises(gg.FileError, match=r"must hold a table model, it holds a model of images of several"):
        gg.TableModel.load(path)
    model().head("kind").save(path)
    assert gg.ImageModel.load(path).predict(images).equals(model().head("kind").predict(images))
    with pytest.raises(
        gg.FileError, match=r"a model of images of several targets, it holds a model of images"
    ):
        gg.JointImageModel.load(path)
    with limit_threads(1):
        again = gg.ImageModel.train(images, labels=truth, **QUICK)
    assert (again.network.parameters == model().network.parameters).all()


def test_rare_classes_weigh_as_much_in_each_head() -> None:
    """Each head balances its own classes, whatever the others are."""
    images, truth = planted()
    few = np.flatnonzero(truth["left"])[:8]
    rare = np.zeros(200, bool)
    rare[few] = True
    part = np.flatnonzero(rare | ~truth["left"])
    labels = {"kind": truth["kind"][part], "rare": rare[part]}
    with pytest.warns(
        gg.GanglionNotice, match="of 'rare' false has .* of the pictures, true .* same total weight"
    ):
        found = gg.ImageModel.train(images[part], labels=labels, test=0.2, **QUICK)
    assert [head.balanced for head in found.heads.values()] == [False, True]
    assert found.head("kind").calibration.class_weights == ()
    shares = np.array(found.head("rare").target.shares)
    np.testing.assert_allclose(found.head("rare").calibration.class_weights, 1 / (2 * shares))
    left = gg.ImageModel.train(images[part], labels=labels, class_weight=None, test=0.2, **QUICK)
    assert not any(head.balanced for head in left.heads.values())


def test_several_labels_of_one_column() -> None:
    assert list(tagged().heads) == ["left", "low", "top"]
    assert tagged().label_column == LabelColumn("label", ";", ("left", "low", "top"))
    assert all(target.classes == (False, True) for target in tagged().targets)
    new, its_truth = planted(60, seed=5)
    found = tagged().predict(new)
    assert found.columns[-1] == "labels"
    assert [cell.split(";") for cell in found["labels"]] == [
        [word for word in ("left", "low", "top") if row[f"prediction_{word}"]] or [""]
        for row in found.iter_rows(named=True)
    ]
    right = [cell.replace("; ", ";") for cell in words(its_truth)]
    assert np.mean([said == true for said, true in zip(found["labels"], right, strict=True)]) > 0.95
    reports = tagged().evaluate(new, labels=words(its_truth))
    assert reports["low"].metrics["accuracy"] == np.mean(
        found["prediction_low"].to_numpy() == (its_truth["kind"] == "low")
    )
    with pytest.warns(gg.GanglionNotice, match="1 label is unknown to the model and ignored: new"):
        tagged().evaluate(new, labels=[*words(its_truth)[:-1], "left;new"])
    assert tagged().head("top").evaluate(new, labels=words(its_truth)).rows == 60
    assert tagged().head("top").health(new, labels=words(its_truth)).rows == 60


def test_an_array_with_a_column_for_each_label() -> None:
    images, truth = planted()
    has = np.stack([truth["left"], truth["kind"] == "low", truth["kind"] == "top"], axis=1)
    for labels in (has, has.astype(int), has.astype(float).tolist()):
        found = gg.ImageModel.train(images, labels=labels, **(QUICK | {"epochs": 2}))
        assert list(found.heads) == ["label_1", "label_2", "label_3"]
        assert all(target.classes == (False, True) for target in found.targets)
    assert list(found.evaluate(images[:3], labels=np.eye(3)[:3])) == list(found.heads)
    with pytest.raises(gg.ConfigError, match=r"one column, got 'label_1', 'label_2', 'label_3' .*argmax"):
        gg.ImageModel.train(images, labels=np.eye(3)[np.arange(200) % 3], **QUICK)
    with pytest.raises(gg.ConfigError, match=r"one column, got 'label_1', 'label_2'"):
        gg.ImageModel.train(images, labels=np.arange(400).reshape(200, 2), **QUICK)


def test_values_that_look_like_several_labels_are_noticed() -> None:
    images, truth = planted()
    with pytest.warns(gg.GanglionNotice, match=r"label_separator=';' .* each of the 3 words as a label"):
        gg.ImageModel.train(images, labels=words(truth), **(QUICK | {"epochs": 1}))
    with pytest.warns(gg.GanglionNotice, match="each picture has at most one label"):
        gg.ImageModel.train(images, labels=truth["kind"], label_separator="|", **(QUICK | {"epochs": 1}))


@pytest.mark.filterwarnings("error::ganglion.GanglionNotice")
def test_a_sign_within_class_names_is_no_finding() -> None:
    images, truth = planted()
    named = [f"{value}; {value.upper()}" for value in truth["kind"]]
    gg.ImageModel.train(images, labels=named, **(QUICK | {"epochs": 1}))


@pytest.mark.parametrize(
    ("labels", "settings", "message"),
    [
        (["a"] * 100 + [""] * 100, {"label_separator": ";"}, "at least two labels, got only 'a' .leave out"),
        ([""] * 200, {"label_separator": ";"}, "at least two labels, and all of its cells are empty"),
        (["a;b", "a"] * 100, {"label_separator": ";"}, "missing from some pictures .* got 'a' for all"),
        ([f"w{row};v{row}" for row in range(200)], {"label_separator": ";"}, "at most 100 labels, got 400"),
        (["a;b", "b;c"] * 100, {"label_separator": ""}, "label_separator must be the sign between"),
        (["a;b", "b;c"] * 100, {"label_separator": 3}, "label_separator must be the sign between"),
        ({"a": [1] * 200, "b": [0, 1] * 100}, {}, "the target 'a' must have at least two classes"),
        ({"a": [0, 1] * 100, "b": [None] * 200}, {}, "the target 'b' must have a value for some pictures"),
        ({"a": [0, 1] * 10}, {}, r"one for each of the 200 pictures, got shape \(20, 1\)"),
        ({}, {}, "one for each of the 200 pictures"),
        ({f"t{n}": [0, 1] * 100 for n in range(101)}, {}, "at most 100 targets, got 101"),
        ({"a": [0, 1] * 100, "b": [1, 0] * 100}, {"label_separator": ";"}, "the words of one column, got"),
        ({"a": [0, 1] * 100, "b": [0, 1] * 100, "g": [1, 2] * 100}, {"group": "h"}, "no column 'h'"),
        (
            {"a": [0.5, 1.5, 2, 3] * 50, "b": [1.5, 2.5, 7, 8] * 50},
            {"class_weight": "balanced"},
            "all targets",
        ),
        (None, {"target": ["a", "b"]}, "target applies to tables of paths only, got a, b"),
        (None, {"target": ["a", "a"]}, "several targets must be different columns"),
        (None, {"target": ["a"]}, "several targets are a list of at least two names"),
        (None, {"target": ["a", "b"], "group": "b"}, "group must be another column than the target, got 'b'"),
        (
            {"a": [0, 1] * 100, "b": [1, 0] * 100},
            {"layers": [gg.Flatten(), gg.Dense(4)]},
            r"the last layer must be Dense\(units=4.*for these 2 targets",
        ),
    ],
)
def test_what_cannot_be_learned_is_refused(labels: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(gg.GanglionError, match=message):
        gg.ImageModel.train(planted()[0], labels=labels, **(QUICK | {"epochs": 1} | settings))


def test_what_a_model_cannot_answer_is_refused(folder: Path) -> None:
    images, truth = planted(20, seed=6)
    with pytest.raises(gg.ConfigError, match="intervals are for numbers, and all targets have classes"):
        tagged().predict(images, interval=0.9)
    with pytest.raises(gg.DataError, match="one picture is needed, got 20"):
        model().answer(images)
    with pytest.raises(gg.DataError, match="an evaluation needs the target 'size', got 'kind', 'left'"):
        model().evaluate(images, labels={name: truth[name] for name in ("kind", "left")})
    with pytest.raises(gg.DataError, match="one of the 3 classes learned, got 'x'"):
        model().evaluate(images, labels=truth | {"kind": ["x"] * 20})
    with pytest.raises(gg.DataError, match="the table must have a column 'size'"):
        model().evaluate(pl.read_csv("list.csv").drop("size"))
    with pytest.raises(gg.DataError, match="needs pictures that have the target 'kind', got none"):
        model().evaluate(images, labels=truth | {"kind": [None] * 20})
    model().save(folder / "m.safetensors")
    head = gg.JointImageModel.load(folder / "m.safetensors").head("kind")
    with pytest.raises(gg.ConfigError, match="call evaluate first"):
        head.mistakes()


def test_layers_and_thresholds_of_the_user() -> None:
    images, truth = planted()
    sections = gg.Sections(["softmax", "softmax", "identity"], (3, 2))
    layers = [gg.Conv2D(4, 3, activation="relu"), gg.GlobalAveragePool(), gg.Dense(6, sections)]
    settings = QUICK | {"epochs": 2, "optimize": "f1", "test": 0.3}
    found = gg.ImageModel.train(images, labels=truth, layers=layers, **settings)
    assert found.network.layers[0] == layers[0]
    objectives = {name: head.calibration.metric for name, head in found.heads.items()}
    assert objectives == {"kind": "", "left": "f1", "size": ""}


def test_pictures_are_mirrored_only_if_all_targets_may_be() -> None:
    images, truth = planted(120)
    side = {"kind": truth["kind"], "left": truth["left"]}
    tall = {"kind": truth["kind"], "dark": truth["size"] < 10}
    for labels, flip in ((side, "none"), (tall, "horizontal"), (truth | {}, "none")):
        found = gg.ImageModel.train(images, labels=labels, epochs=1, test=0, validation=0)
        assert found.head("kind").augmentation.flip == flip, labels.keys()


def _swap(part: dict[str, Any]) -> None:
    part["heads"] = part["heads"][1:] + part["heads"][:1]


FORGED: list[Callable[[dict[str, Any]], object]] = [
    _swap,
    lambda part: part.update(heads=[]),
    lambda part: part.update(heads=7),
    lambda part: part.update(heads=None),
    lambda part: part.update(heads=[[]] * 3),
    lambda part: part["heads"].pop(),
    lambda part: part["heads"].append(part["heads"][0]),
    lambda part: part.update(heads=part["heads"] * 40),
    lambda part: part["heads"][0].pop("test"),
    lambda part: part["heads"][0].pop("balanced"),
    lambda part: part["heads"][0].update(more=1),
    lambda part: part["heads"][0].update(target=3),
    lambda part: part["heads"][0].update(target={"kind": "nothing"}),
    lambda part: part["heads"][0].update(balanced=1),
    lambda part: part["heads"][0].update(test=part["heads"][2]["test"]),
    lambda part: part["heads"][2]["target"].update(column="left"),
    lambda part: part["heads"][0]["target"].update(classes=["a", "b"], shares=[0.5, 0.5]),
    lambda part: part["heads"][1]["calibration"].update(class_weights=[1, 1, 1]),
    lambda part: part.update(rows=None),
    lambda part: part.update(target=part["heads"][0]["target"]) or part.update(more=1),
    lambda part: part["fitting"].update(height=13),
    lambda part: part.update(label_column=None),
    lambda part: part.update(label_column={}),
    lambda part: part.update(label_column={"column": "a", "separator": ";"}),
    lambda part: part.update(label_column={"column": "a", "separator": ";", "words": [1]}),
    lambda part: part.update(label_column={"column": "a", "separator": ";", "words": ["a", "a"]}),
    lambda part: part.update(label_column={"column": "a", "separator": "", "words": ["a", "b"]}),
    lambda part: part.update(label_column={"column": 1, "separator": ";", "words": ["a", "b"]}),
    lambda part: part.update(label_column={"column": "a", "separator": ";", "words": ["a", "b", "c"]}),
]


@pytest.mark.parametrize("damage", FORGED)
def test_a_forged_file_is_refused_in_one_line(
    damage: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    path = tmp_path / "joint.safetensors"
    model().save(path)
    saved = read_model(path)
    assert saved.images is not None
    saved.images = json.loads(json.dumps(saved.images))
    damage(saved.images)
    write_model(path, saved)
    with pytest.raises(gg.FileError, match="the model file is damaged") as caught:
        gg.JointImageModel.load(path)
    assert "\n" not in str(caught.value)


def test_on_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "list.csv", "--target", "kind,left,size", "--epochs", "8", "--augment", "none"]
    code, out, error = run(
        capsys, *command, "--group", "who", "--out", "m.safetensors", "--mistakes", "s.html"
    )
    assert code == 0, error
    for words_ in ("kind      target, 3 classes", "size      target, a number", "\nkind:\n", "\nsize:\n"):
        assert words_ in out, words_
    assert "size: The 24 largest errors among 80 pictures: s-size.html" in out
    assert (folder / "s-size.html").is_file()
    loaded = gg.JointImageModel.load("m.safetensors")
    code, out, error = run(capsys, "predict", "m.safetensors", "list.csv", "--interval", "0.8")
    assert code == 0, error
    found = pl.read_csv(out.encode())
    assert found.columns == [
        "image", "prediction_kind", "prediction_left", "prediction_size", "low_size", "high_size",
    ]  # fmt: skip
    assert found["prediction_kind"].to_list() == loaded.predict("list.csv")["prediction_kind"].to_list()
    shown = run(capsys, "predict", "m.safetensors", "001.png", "--probabilities")[1]
    assert "probability_kind_low" in shown
    found = json.loads(
        run(capsys, "evaluate", "m.safetensors", "list.csv", "--json", "--mistakes", "e.png")[1]
    )
    assert set(TARGETS) < set(found)
    assert found["kind"]["rows"] == 80
    assert "e-size.png" in found["mistakes"]
    assert (folder / "e-size.png").is_file()
    assert "\nsize:\n" in run(capsys, "evaluate", "m.safetensors", "list.csv")[1]
    shown = run(capsys, "show", "m.safetensors")[1]
    assert "classification of 'kind', classification of 'left', regression of 'size' from pictures" in shown
    facts = json.loads(run(capsys, "show", "m.safetensors", "--json")[1])
    assert [each["target"] for each in facts["targets"]] == TARGETS
    assert facts["network"]["parameters"] == loaded.network.architecture.size
    for name in ("explain", "check"):
        source = {"explain": "001.png", "check": "list.csv"}[name]
        code, _, error = run(capsys, name, "m.safetensors", source)
        assert (code, error.splitlines()[0]) == (2, "ganglion: the model has the targets kind, left, size")
        code, out, error = run(capsys, name, "m.safetensors", source, "--target", "left")
        assert code == 0, error
    assert "there is no target 'x'" in run(capsys, "check", "m.safetensors", "list.csv", "--target", "x")[2]
    code, out, error = run(capsys, "serve", "m.safetensors")
    assert (code, len(error.splitlines())) == (1, 1)
    assert "holds a model of images, and this needs one of a table" in error
    assert "-- pictures" not in error


def test_labels_on_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["--epochs", "8", "--augment", "none", "--json"]
    command = ["train", "list.csv", "--target", "tags", "--label-separator", ";", *quick]
    code, out, error = run(capsys, *command)
    assert code == 0, error
    assert [each["target"] for each in json.loads(out)["targets"]] == ["left", "low", "top"]
    predicted = pl.read_csv(run(capsys, "predict", "list.safetensors", "list.csv")[1].encode())
    assert predicted.columns == ["image", "prediction_left", "prediction_low", "prediction_top", "labels"]
    found = json.loads(run(capsys, "evaluate", "list.safetensors", "list.csv", "--json")[1])
    assert found["low"]["rows"] == 80
    assert run(capsys, "check", "list.safetensors", "list.csv", "--target", "top")[0] == 0
    code, out, error = run(capsys, "train", "list.csv", "--target", "tags", *quick)
    assert any("--label-separator ';'" in note for note in json.loads(out)["notes"])
    write(folder, {"rows.csv": b"a,b\n1,x\n2,y\n"})
    code, out, error = run(capsys, "train", "rows.csv", "--target", "b", "--label-separator", ";")
    assert (code, "--label-separator applies to pictures" in error) == (2, True)


def test_many_labels_have_a_line_each_and_some_sheets(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = np.random.default_rng(7)
    cells = [";".join(f"w/{word}" for word in range(10) if chance.random() < 0.5) for _ in range(80)]
    pl.read_csv("list.csv").with_columns(pl.Series("tags", cells)).write_csv("many.csv")
    command = ["train", "many.csv", "--target", "tags", "--label-separator", ";", "--epochs", "1"]
    code, out, error = run(capsys, *command, "--augment", "none")
    assert code == 0, error
    lines = [line.split() for line in out.splitlines()]
    at = next(number for number, line in enumerate(lines) if line[:2] == ["target", "rows"])
    assert [line[0] for line in lines[at + 1 : at + 11]] == [f"w/{word}" for word in range(10)]
    assert "the reports of the 10 targets in full: --json" in out
    assert "2 other targets have no sheet" in out
    assert sorted(path.name for path in folder.glob("*.html")) == [
        f"many-mistakes-w_{n}.html" for n in range(8)
    ]
    assert "the reports of the 10 targets" in run(capsys, "evaluate", "many.safetensors", "many.csv")[1]


def test_blanks_may_stand_between_labels(tmp_path: Path) -> None:
    images, truth = planted()
    spaced = [cell.replace(";", "") for cell in words(truth)]
    found = gg.ImageModel.train(images, labels=spaced, label_separator=" ", **(QUICK | {"epochs": 3}))
    assert sorted(found.heads) == ["left", "low", "top"]
    found.save(tmp_path / "m.safetensors")
    predicted = gg.JointImageModel.load(tmp_path / "m.safetensors").predict(images[:9])["labels"]
    assert set(" ".join(predicted).split()) <= {"left", "low", "top"}
