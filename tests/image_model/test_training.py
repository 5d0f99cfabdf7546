"""Training of image models: sources, splits, weights, small data, and errors that say what to do."""

from __future__ import annotations

import math
import os
import signal
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from drawn import QUICK, bars, class_folder, trained
from ganglion.core.layers import Layer
from ganglion.engines import limit_threads
from ganglion.image_model.training import Learner
from pictures import encoded, write


def train(source: Any, **settings: Any) -> gg.ImageModel:
    return gg.ImageModel.train(source, **(QUICK | settings))


def test_the_same_pictures_in_any_form_make_the_same_model(tmp_path: Path) -> None:
    images, y = bars()
    order = np.argsort(y, kind="stable")  # in which a folder lists them
    folder = class_folder(tmp_path / "folder", images, y, names=("0", "1"))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(folder).as_posix())
    table = pl.DataFrame(
        {
            "file": [f"folder/{y[row]}/{row:03d}.png" for row in order],
            "label": [str(y[row]) for row in order],
        }
    )
    table.with_columns(label=pl.col("label") + "x").write_csv(tmp_path / "all.csv")
    np.savez(tmp_path / "all.npz", x=images[order], y=y[order])
    models = [
        train(images[order], labels=y[order], folds=2),
        train(folder, folds=2),
        train(tmp_path / "all.zip", folds=2),
        train(tmp_path / "all.csv", folds=2),
        train(table, folder=tmp_path, folds=2),
        train(tmp_path / "all.npz", folds=2),
    ]
    first = models[0]
    assert first.report is not None
    assert first.report.rows == 60
    assert first.report.metrics["accuracy"] > 0.9
    for model in models[1:]:
        assert (model.network.parameters == first.network.parameters).all()
        assert model.report is not None
        assert model.report.metrics == first.report.metrics
    assert [model.labels for model in models[1:4]] == [["0", "1"], ["0", "1"], ["0x", "1x"]]


@pytest.mark.parametrize(
    ("values", "dtype", "labels"),
    [
        ([3, 7], "integer", ["3", "7"]),
        ([0.0, 1.0], "integer", ["0", "1"]),
        ([0.5, 1.5], "number", ["0.5", "1.5"]),
        ([False, True], "boolean", ["false", "true"]),
        (["ж", "é"], "text", ["é", "ж"]),
    ],
)
def test_labels_of_every_type_come_back_as_they_were(
    values: list[Any], dtype: str, labels: list[str]
) -> None:
    images, y = bars(40)
    given = [values[number] for number in y]
    model = train(images, labels=given, task="classification", epochs=6, test=0)
    assert isinstance(model.target, type(trained(count=20).target))
    assert (model.target.dtype, model.labels) == (dtype, labels)  # type: ignore[union-attr]
    answers = model.predict(images)
    assert answers["prediction"].to_list() == given
    assert answers.columns == ["image", "prediction", *(f"probability_{label}" for label in labels)]
    sums = answers.select(pl.sum_horizontal(pl.col("^probability_.*$"))).to_series().to_numpy()
    assert sums == pytest.approx(np.ones(40), abs=1e-6)


def test_pictures_without_a_label_are_left_out_and_counted() -> None:
    images, y = bars(40)
    for empty in (None, math.nan):
        labels = [empty if row < 3 else int(number) for row, number in enumerate(y)]
        with pytest.warns(gg.GanglionNotice, match="3 pictures lack the target 'label' and are left out"):
            model = train(images, labels=labels, test=0, validation=0)
        assert model.rows["train"] == 37
    with (
        pytest.warns(gg.GanglionNotice, match="40 pictures lack"),
        pytest.raises(gg.DataError, match="must have a value for some pictures, got none"),
    ):
        train(images, labels=[None] * 40)


def test_folders_for_training_validation_and_test_are_taken_as_they_are(tmp_path: Path) -> None:
    images, y = bars(72)
    for part, rows in {"train": slice(0, 40), "val": slice(40, 56), "test": slice(56, 72)}.items():
        class_folder(tmp_path, images[rows], y[rows], part)
    model = train(tmp_path, augment=gg.Augmentation(shift=0.2, brightness=0.3), epochs=2)
    assert model.rows == {"train": 40, "validation": 16, "test": 16}
    assert model.tested is not None
    assert {name.split("/")[0] for name in model.tested.names} == {"test"}
    assert model.evaluate(tmp_path).rows == 16
    # Neither validation nor test pictures are augmented.
    assert (model.network.predict(model.encode(model.tested.images)) == model.tested.outputs).all()
    held = model.encode(images[40:56])
    truth = model.target.encode(pl.Series("class", [("low", "high")[number] for number in y[40:56]]))
    losses = -np.log(model.network.predict(held)[np.arange(16), truth])
    assert model.history.validation_loss[-1] == pytest.approx(losses.mean(), rel=1e-4)
    for settings, message in (
        ({"folds": 3}, "folds must be left out, because the source is divided already"),
        ({"test": 0.3}, "test must be left out, because the source says which pictures are for test"),
        ({"validation": 0.3}, "validation must be left out"),
    ):
        with pytest.raises(gg.ConfigError, match=message):
            train(tmp_path, **settings)


def test_what_a_divided_source_lacks_is_taken_from_the_training_pictures(tmp_path: Path) -> None:
    images, y = bars(60)
    class_folder(tmp_path / "tested", images[:40], y[:40], "train")
    class_folder(tmp_path / "tested", images[40:], y[40:], "test")
    assert train(tmp_path / "tested").rows == {"train": 36, "validation": 4, "test": 20}
    class_folder(tmp_path / "validated", images[:40], y[:40], "train")
    class_folder(tmp_path / "validated", images[40:], y[40:], "val")
    model = train(tmp_path / "validated", test=0.25)
    assert model.rows == {"train": 30, "validation": 20, "test": 10}
    assert model.report is not None
    assert model.report.rows == 10


def test_copies_and_groups_stay_on_one_side() -> None:
    images, y = bars(60)
    thrice = np.concatenate([images, images, images])
    with pytest.warns(gg.GanglionNotice, match="120 pictures are copies of others; copies stay together"):
        model = train(thrice, labels=np.tile(y, 3), test=0.3)
    assert model.tested is not None
    tested = {int(name.split()[1]) % 60 for name in model.tested.names}
    assert len(model.tested.names) == 3 * len(tested)
    assert model.report is not None
    assert model.report.units == len(tested)


def test_a_group_is_tested_whole_and_pictures_of_no_group_one_by_one(tmp_path: Path) -> None:
    images, y = bars(60)
    write(tmp_path, {f"{row}.png": encoded(image) for row, image in enumerate(images)})
    who = [f"person {row // 4}" if row < 40 else None for row in range(60)]
    table = pl.DataFrame({"file": [f"{row}.png" for row in range(60)], "kind": y, "who": who})
    model = train(table, folder=tmp_path, target="kind", group="who", test=0.3)
    assert model.tested is not None
    rows = [int(name.removesuffix(".png")) for name in model.tested.names]
    groups = [row // 4 for row in rows if row < 40]
    assert groups
    assert all(groups.count(group) == 4 for group in groups)
    alone = [row for row in rows if row >= 40]
    assert 0 < len(alone) < 20


def weighted(tmp_path: Path, weights: Any) -> dict[str, Any]:
    """Return the arguments of a training in which half of the labels of each class are wrong."""
    images, y = bars(80)
    write(tmp_path, {f"{row}.png": encoded(image) for row, image in enumerate(images)})
    wrong = np.where(np.arange(80) % 4 < 2, y, 1 - y)
    files = [f"{row}.png" for row in range(80)]
    table = pl.DataFrame({"file": files, "kind": wrong, "w": weights}, strict=False)
    return {"source": table, "folder": tmp_path, "target": "kind", "weight": "w"}


def test_weights_decide_whom_a_model_believes(tmp_path: Path) -> None:
    images, y = bars(40, seed=1)
    believed = np.where(np.arange(80) % 4 < 2, 1.0, 0.0)
    for weights, right in ((believed, 1.0), (1 - believed, 0.0)):
        model = train(**weighted(tmp_path, weights), test=0)
        assert (model.predict(images)["prediction"].to_numpy() == y).mean() == right


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([-1.0] * 80, "must hold a weight >= 0 for every picture, got -1 for 0.png"),
        ([1.0] * 79 + [None], "must hold a weight >= 0 for every picture, got nan for 79.png"),
        ([1.0] * 79 + [math.nan], "got nan for 79.png"),
        (["much"] * 80, "column 'w' must hold numbers, got 'much'"),
        ([0.0] * 80, "must be > 0 in at least one row, got 0 in all"),
    ],
)
def test_weights_that_are_none_are_refused(tmp_path: Path, weights: Any, message: str) -> None:
    with pytest.raises(gg.DataError, match=message):
        train(**weighted(tmp_path, weights))


def test_an_imbalance_is_seen_and_probabilities_are_corrected() -> None:
    """Pictures of grey noise tell nothing: an honest probability is the frequency of the class."""
    images = np.random.default_rng(0).integers(0, 256, (300, 6, 6)).astype(np.uint8)
    labels = ["rare" if row % 10 == 0 else "common" for row in range(300)]
    with pytest.warns(gg.GanglionNotice, match=r"common has 90.0% of the pictures, rare 10.0%"):
        balanced = train(images, labels=labels, folds=2, epochs=1, learning_rate=0.001)
    plain = train(images, labels=labels, folds=2, epochs=2, class_weight=None)
    assert (balanced.balanced, plain.balanced) == (True, False)
    new = np.random.default_rng(1).integers(0, 256, (200, 6, 6)).astype(np.uint8)
    answers = balanced.predict(new)
    assert answers["probability_rare"].mean() == pytest.approx(0.1, abs=0.03)
    rare = (answers["prediction"] == "rare").mean()
    assert rare is not None
    assert rare > 0.05  # decisions keep the effect of balancing
    assert (plain.predict(new)["prediction"] == "common").all()


def test_a_threshold_is_chosen_for_a_metric_or_costs() -> None:
    chance = np.random.default_rng(0)
    y = (np.arange(200) % 4 == 0).astype(int)
    images = np.clip(chance.normal(100 + 40 * y, 40)[:, None, None] + np.zeros((1, 4, 4)), 0, 255)
    images = np.clip(images + chance.normal(0, 5, images.shape), 0, 255).astype(np.uint8)
    settings = {"labels": y, "folds": 2, "class_weight": None, "epochs": 3}
    plain = train(images, **settings)
    found = train(images, **settings, costs={"fn": 20, "fp": 1})
    assert plain.calibration.threshold is None
    assert found.calibration.threshold is not None
    assert found.calibration.threshold < 0.4
    assert found.report is not None
    assert found.report.objective == "mean_cost"
    assert found.predict(images)["prediction"].sum() > plain.predict(images)["prediction"].sum()
    by_metric = train(images, **(settings | {"folds": 0}), optimize="f1")
    assert by_metric.report is not None
    assert by_metric.report.linear["positive_f1"] >= 0  # the linear model chooses a threshold of its own
    with pytest.raises(gg.ConfigError, match="chosen on validation pictures, and validation is 0"):
        train(images, labels=y, class_weight=None, optimize="f1", test=0.2, validation=0)
    with pytest.raises(gg.ConfigError, match="two classes"):
        trained(classes=3, optimize="f1")


def shaded(count: int = 400) -> tuple[Any, Any]:
    """Return pictures and their brightness in other units, with noise."""
    chance = np.random.default_rng(0)
    level = chance.uniform(20, 230, count)
    images = np.clip(level[:, None, None] + chance.normal(0, 8, (count, 5, 5)), 0, 255).astype(np.uint8)
    return images, 1000 + 10 * level + chance.normal(0, 60, count)


def test_numbers_are_predicted_in_their_own_units_with_intervals_that_hold() -> None:
    images, y = shaded()
    model = train(images, labels=y, folds=4, epochs=8)
    assert model.report is not None
    assert model.report.metrics["r2"] > 0.95
    assert model.report.coverage["0.9"] == pytest.approx(0.9, abs=0.05)
    new, truth = shaded(900)
    answers = model.predict(new[400:], interval=0.9)
    inside = (answers["low"].to_numpy() <= truth[400:]) & (truth[400:] <= answers["high"].to_numpy())
    assert inside.mean() == pytest.approx(0.9, abs=0.05)
    one = model.answer(new[400], interval=0.9)
    assert set(one) == {"prediction", "low", "high"}
    assert one["low"] < one["prediction"] < one["high"]
    with pytest.raises(gg.DataError, match="trained without any"):
        train(images, labels=y, test=0, validation=0, epochs=1).predict(new, interval=0.9)


def test_the_same_bits_whatever_the_threads_and_other_bits_for_another_seed() -> None:
    def parameters(seed: int) -> Any:
        settings = {"epochs": 3, "seed": seed, "augment": gg.Augmentation(shift=0.1, rotate=10)}
        return trained(70, test=0.2, **settings).network.parameters

    with limit_threads(1):
        one = parameters(0)
    assert (parameters(0) == one).all()
    assert (parameters(1) != one).any()


class Interrupt(gg.Callback):
    """Press Ctrl-C once, after an epoch."""

    pressed = False

    def on_epoch_end(self, training: Any) -> None:
        if self.pressed:
            return
        self.pressed = True
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_keeps_what_is_learned() -> None:
    model = trained(callbacks=[Interrupt()], epochs=50)
    assert model.history.ended == "interrupted"
    assert model.history.epochs == 1
    assert model.report is not None  # the test of what is kept
    assert model.report.linear == {}


def test_ctrl_c_leaves_out_a_report_on_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Learner.run_all
    monkeypatch.setattr(
        Learner, "run_all", lambda self, members, callbacks: whole(self, members, [Interrupt()])
    )
    model = trained(folds=3, epochs=10**6)
    assert (model.report, model.rows["test"]) == (None, 0)
    assert 1 <= model.history.epochs < 10**6


def test_callbacks_stop_a_training() -> None:
    early = trained(200, callbacks=[gg.EarlyStopping(2)], epochs=10**4, learning_rate=0.01)
    assert early.history.ended == "stopped"
    assert early.history.validation_loss
    assert early.rows["validation"] > 0
    budget = trained(callbacks=[gg.TimeBudget(0.1)], epochs=10**12)
    assert budget.history.ended == "stopped"
    check = gg.HealthCheck()
    watched = trained(callbacks=[check], epochs=2)
    assert check.series["conv_2d_1"]["gradient_norm"]
    assert watched.rows == {"train": 60, "validation": 0, "test": 60}  # to watch changes nothing
    assert (watched.network.parameters == trained(epochs=2).network.parameters).all()
    with pytest.raises(gg.ConfigError, match="need validation pictures, got folds=2"):
        trained(callbacks=[gg.EarlyStopping(2)], folds=2)


@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_a_handful_of_pictures_makes_a_model(count: int) -> None:
    images, _ = bars(count)
    labels = [("a", "b")[row % 2] for row in range(count)]
    if count == 2:
        with pytest.warns(gg.GanglionNotice, match=r"too few pictures to test the model \(2\)"):
            model = train(images, labels=labels)
        assert model.report is None
    else:
        model = train(images, labels=labels)
        assert model.report is not None
    assert model.predict(images).height == count


def test_one_picture_per_class_cannot_be_tested() -> None:
    images, _ = bars(3, classes=3)
    with pytest.warns(gg.GanglionNotice, match="there is no report"):
        model = train(images, labels=["a", "b", "c"], epochs=20)
    assert model.predict(images)["prediction"].to_list() == ["a", "b", "c"]


def test_constant_pictures_are_copies_and_make_no_report() -> None:
    images = np.zeros((20, 6, 6), np.uint8)
    images[1::2] = 200
    with pytest.warns(gg.GanglionNotice) as told:
        model = train(images, labels=["dark", "bright"] * 10, epochs=20)
    assert [str(each.message) for each in told] == [
        "18 pictures are copies of others; copies stay together in the split",
        "too few pictures to test the model (2, with copies and groups counted once): there is no report",
    ]
    assert model.predict(images[:2])["prediction"].to_list() == ["dark", "bright"]
    with pytest.warns(gg.GanglionNotice):
        same = train(np.full((20, 6, 6), 9, np.uint8), labels=["a", "b"] * 10)
    assert np.isfinite(same.network.parameters).all()
    assert same.answer(np.full((6, 6), 9, np.uint8))["probabilities"]["a"] == pytest.approx(0.5, abs=0.1)


DENSE: dict[str, list[Layer]] = {
    "three": [gg.Flatten(), gg.Dense(3, "softmax")],
    "one": [gg.Flatten(), gg.Dense(1, "sigmoid")],
    "plain": [gg.Flatten(), gg.Dense(2)],
    "map": [gg.Conv2D(2, activation="softmax")],
}


@pytest.mark.parametrize("name", DENSE)
def test_layers_with_a_wrong_end_are_refused(name: str) -> None:
    with pytest.raises(gg.ConfigError, match=r"the last layer must be Dense\(2, 'softmax'\) for 2 classes"):
        trained(layers=DENSE[name])
    images, y = shaded(40)
    with pytest.raises(gg.ConfigError, match=r"the last layer must be Dense\(1\) for a number"):
        train(images, labels=y, layers=DENSE[name])


def test_layers_of_the_user_are_trained() -> None:
    layers = [gg.Conv2D(4, activation="relu"), gg.GlobalAveragePool(), gg.Dense(2), gg.Activate("softmax")]
    model = trained(layers=layers, epochs=1)
    assert [type(layer) for layer in model.network.layers] == [type(layer) for layer in layers]
    images, y = shaded(40)
    assert train(images, labels=y, layers=[gg.Flatten(), gg.Dense(1)], epochs=1).network.architecture.size


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number >= 1, got 0"),
        ({"epochs": 2.5}, "epochs must be a whole number >= 1, got 2.5"),
        ({"batch_size": 0}, "batch_size must be a whole number >= 1"),
        ({"learning_rate": 0}, "learning_rate must be a number > 0"),
        ({"size": (4,)}, r"size must be a number of pixels or \(height, width\), got \(4,\)"),
        ({"size": "big"}, "height must be a whole number"),
        ({"size": (4, 0)}, "width must be a whole number"),
        ({"fit": "x"}, "fit must be crop or pad"),
        ({"quality": "x"}, "quality must be 'good' or 'best'"),
        ({"augment": "x"}, "augment must be 'auto', 'none' or an Augmentation"),
        ({"folds": 1}, "folds"),
        ({"folds": 3, "test": 0.2}, "test and validation cannot be set"),
        ({"test": 1}, "test must be a number"),
        ({"class_weight": {0: 1}}, "class_weight must be"),
        ({"target": ["a", "b"]}, r"target applies to tables of paths only, got a, b"),
        ({"target": "kind", "group": "kind"}, "group must be another column than the target"),
        ({"target": "kind", "weight": "kind"}, "weight must be another column than the target"),
        ({"callbacks": [3]}, "callbacks must be a list"),
        ({"seed": -1}, "seed must be"),
        ({"engine": "x"}, "there is no engine 'x'"),
        ({"optimize": "x"}, "optimize must be"),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(gg.ConfigError, match=message):
        trained(**settings)


def test_several_targets_and_sources_that_tell_nothing_are_refused(tmp_path: Path) -> None:
    images, y = bars(40)
    with pytest.raises(gg.ConfigError, match=r"one column, got 'label_1', 'label_2' .*argmax"):
        train(images, labels=np.eye(2)[y])
    with pytest.raises(gg.DataError, match=r"needs to know what is in each picture.*folder for each class"):
        train(images)
    with pytest.raises(gg.DataError, match="at least two classes, got only 'a'"):
        train(images, labels=["a"] * 40)
    with pytest.raises(gg.DataError, match="too many for classes"):
        train(images, labels=[f"name {row}" for row in range(40)])
    with pytest.raises(gg.DataError, match="the pictures have no column 'who'"):
        train(images, labels=y, group="who")
    write(tmp_path, {"a.png": encoded(images[0]), "b.png": encoded(images[1])})
    table = pl.DataFrame({"file": ["a.png", "b.png"], "kind": ["a", "b"], "age": [3, 4]})
    with pytest.raises(gg.ConfigError, match=r"one column, got 'kind', 'age' \(name it: --target COLUMN"):
        train(table, folder=tmp_path)
    with pytest.raises(gg.FileError, match="there is no file or folder"):
        train(tmp_path / "none")


def test_a_folder_of_a_new_user(tmp_path: Path) -> None:
    """Mixed formats, a broken file, a text file, equal pictures, and a class with a single picture."""
    images, y = bars(40)
    class_folder(tmp_path, images, y)
    write(
        tmp_path,
        {
            "low/again.png": encoded(images[0]),
            "low/broken.png": encoded(images[0])[:50],
            "high/notes.txt": b"not a picture",
            "high/color.jpg": encoded(np.repeat(images[1], 3, 2), "JPEG"),
            "top/only.gif": encoded(bars(3, classes=3)[0][2], "GIF"),
            "readme.txt": b"of the folder",
        },
    )
    with pytest.warns(gg.GanglionNotice) as told:
        model = train(tmp_path)
    words = [str(each.message) for each in told]
    assert "3 of 46 files are left out" in words[0]
    assert "readme.txt is in no class folder" in words[0]
    assert "high/notes.txt is no PNG, JPEG, GIF, BMP, TIFF or WebP picture" in words[0]
    assert "low/broken.png cannot be decoded" in words[0]
    assert "object at" not in words[0]  # what a library calls the file in memory
    assert any("is a copy of others" in text or "are copies of others" in text for text in words)
    assert not any("very different size" in text for text in words)  # because of a single picture
    assert model.labels == ["high", "low", "top"]
    assert model.rows["train"] == 43
