"""Answers of image models for pictures of every form, and what is seen of a model."""

from __future__ import annotations

import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from drawn import bars, class_folder, trained
from ganglion.core import rows as rows_module
from ganglion.images.rows import PictureRows
from pictures import encoded, write


@cache
def model(channels: int = 1, side: int = 8) -> gg.ImageModel:
    images, y = bars(side=side)
    images = np.repeat(images, channels, axis=3)
    return gg.ImageModel.train(images, labels=y, epochs=6, learning_rate=0.01, augment="none", test=0.2)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_single_picture_in_every_form_has_one_answer(channels: int, tmp_path: Path) -> None:
    picture = bars()[0][1]
    write(tmp_path, {"a.png": encoded(picture), "b.gif": encoded(picture, "GIF")})
    one = model(channels)
    expected = one.answer(picture[:, :, 0])
    assert expected["prediction"] == 1
    color = np.repeat(picture, 3, axis=2)
    for form in (
        picture,
        color,
        picture[None],
        color[None],
        picture[:, :, 0].tolist(),
        (picture / 255).astype(np.float32),
        tmp_path / "a.png",
        str(tmp_path / "b.gif"),
        [tmp_path / "a.png"],
    ):
        assert one.predict(form).height == 1
        assert one.answer(form) == expected


@pytest.mark.filterwarnings("ignore:.*(another size|other sizes):ganglion.GanglionNotice")
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(16, 16), (16, 16, 1), (16, 16, 3), (16, 24, 3), (1, 16, 16, 3)])
def test_a_picture_of_another_size_is_one_picture(channels: int, shape: tuple[int, ...]) -> None:
    large = np.zeros((16, 16, 1), np.uint8) + 20
    large[4:8] = 220  # the bar of class 1, twice as large
    height, width = shape[-3:-1] if len(shape) > 2 else shape
    wide = np.pad(large, ((0, 0), (0, width - 16), (0, 0)), mode="edge")
    picture = np.broadcast_to(wide, (height, width, shape[-1] if len(shape) > 2 else 1)).reshape(shape)
    assert model(channels).predict(picture)["prediction"].to_list() == [1]


def test_several_pictures_are_not_taken_for_one() -> None:
    images, y = bars(8)
    for form in (images, images[..., 0], images.tolist()):
        assert model().predict(form)["prediction"].to_list() == y.tolist()
    narrow = gg.ImageModel.train(np.tile(images[:, :3, :3], (5, 1, 1, 1)) // (1 + np.arange(40) % 7).reshape(-1, 1, 1, 1).astype(np.uint8), labels=list(range(2)) * 20, test=0, epochs=1, augment="none")  # fmt: skip
    assert narrow.predict(images[:4, :3, :3, 0]).height == 4  # of width 3, which is not a channel
    with pytest.raises(gg.DataError, match="one picture is needed, got 8"):
        model().answer(images)
    with pytest.raises(gg.DataError, match="one picture is needed, got 8"):
        model().trace(images)


def test_folders_archives_and_tables_are_read_whole(tmp_path: Path) -> None:
    images, y = bars(6)
    files = {f"{'deep/' * (row % 3)}{row}.png": encoded(image) for row, image in enumerate(images)}
    folder = write(tmp_path / "folder", files)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    pl.DataFrame({"n": range(6), "file": list(files)}).write_csv(folder / "list.csv")
    table = pl.DataFrame({"file": ["gone.png", *files], "other.png": ["1.png"] * 7})
    expected = {name: int(number) for name, number in zip(files, y, strict=True)}
    with pytest.warns(gg.GanglionNotice, match="list.csv is no PNG"):
        found = [model().predict(folder)]
    found += [model().predict(tmp_path / "all.zip"), model().predict(folder / "list.csv")]
    with pytest.warns(gg.GanglionNotice, match="gone.png does not exist"):
        found.append(model().predict(table, path="file", folder=folder))
    with pytest.warns(gg.GanglionNotice, match="gone.png does not exist"):
        found.append(model().predict(table, folder=tmp_path / "all.zip"))
    for answers in found:
        assert dict(answers.select("image", "prediction").rows()) == expected


def test_pictures_that_cannot_be_read_are_named_and_left_out(tmp_path: Path) -> None:
    picture = bars()[0][0]
    write(tmp_path, {"a.png": encoded(picture), "b.png": b"", "c.png": encoded(picture)[:60], "d.txt": b"x"})
    with pytest.warns(gg.GanglionNotice, match=r"3 of 4 files are left out: b.png is empty; c.png cannot"):
        assert model().predict(tmp_path)["image"].to_list() == ["a.png"]
    with pytest.raises(gg.DataError, match=r"no picture can be read: .*c.png cannot be decoded"):
        model().answer(tmp_path / "c.png")
    with pytest.raises(gg.FileError, match="is none of these"):
        model().answer(tmp_path / "b.png")
    with pytest.raises(gg.FileError, match="there is no file or folder"):
        model().predict(tmp_path / "z.png")
    with pytest.raises(gg.ConfigError, match="pictures must come from"):
        model().predict(3)
    with pytest.raises(gg.ConfigError, match="intervals are for numbers"):
        model().answer(picture, interval=0.9)


def test_an_evaluation_has_the_right_numbers(tmp_path: Path) -> None:
    images, y = bars(30, seed=5)
    wrong = y.copy()
    wrong[:6] = 1 - wrong[:6]
    report = model().evaluate(images, labels=wrong)
    assert (report.rows, report.metrics["accuracy"]) == (30, 0.8)
    assert report.confusion == [[12, 3], [3, 12]]
    folder = class_folder(tmp_path, images, y, names=("0", "1"))
    assert model().evaluate(folder).metrics["accuracy"] == 1
    table = pl.DataFrame({"kind": y[:1], "file": ["0/000.png"]})
    with pytest.raises(gg.DataError, match="column 'label'"):
        model().evaluate(table, folder=tmp_path)
    renamed = table.rename({"kind": "label"})
    assert model().evaluate(renamed, folder=tmp_path, path="file").rows == 1
    with pytest.raises(gg.DataError, match=r"one of the 2 classes learned, got 5 in row 0"):
        model().evaluate(images, labels=y + 5)
    with pytest.raises(gg.DataError, match="needs one label for each picture, got 2"):
        model().evaluate(images, labels=np.eye(2)[y])
    with pytest.raises(gg.DataError, match="needs to know what is in each picture"):
        model().evaluate(images)
    with pytest.raises(gg.DataError, match="needs pictures that have the target 'label', got none"):
        model().evaluate(images, labels=[None] * 30)


def test_a_trace_is_of_the_answer() -> None:
    picture, one = bars()[0][1], model()
    outputs = one.network.predict(one.encode(picture))
    assert f"{outputs[0, 1]:.4g}" in str(one.trace(picture))
    assert str(one.trace(picture, label=0)) == str(one.network.trace(one.encode(picture), [0]))
    with pytest.raises(gg.DataError, match="one of the 2 classes learned, got 7"):
        one.trace(picture, label=7)


def test_health_is_of_some_pictures_and_names_the_classes() -> None:
    images, y = bars(60)
    health = model().health(images, labels=y)
    assert health.rows == 60
    dead = trained(epochs=1, test=0, validation=0)
    bias = dead.network.model.architecture.parameters[1]
    bias.of(dead.network.parameters)[:12] = -100
    assert "dying_relu" in [finding.name for finding in dead.health(images, labels=y).findings]


def test_large_sets_are_never_turned_into_numbers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganglion.network.NUMBERS_AT_ONCE", 64 * 100)
    monkeypatch.setattr("ganglion.image_model.learner.FEW_NUMBERS", 64 * 100)
    monkeypatch.setattr(rows_module, "NUMBERS_AT_ONCE", 64 * 100)
    made = list[int]()
    whole = PictureRows.toarray

    def counted(self: Any) -> Any:
        made.append(len(self))
        return whole(self)

    monkeypatch.setattr(PictureRows, "toarray", counted)
    images, y = bars(2600)
    one = gg.ImageModel.train(images, labels=y, epochs=1, augment="none", test=0, batch_size=50)
    one.predict(images)
    one.evaluate(images, labels=y)
    assert sum(made) >= 3 * 2600
    assert max(made) <= 100
    one.health(images, labels=y)
    assert max(made) <= 2048  # the number that a health check looks at
    assert one.tested is not None
    assert one.tested.images.dtype == np.uint8
    assert np.shares_memory(one.tested.images, images)  # not even the bytes are copied
