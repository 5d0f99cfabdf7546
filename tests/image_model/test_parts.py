"""What is said of a divided source: planted, found, and no false alarm."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganglion as gg
from drawn import QUICK, bars, class_folder
from pictures import smooth


def told(tmp_path: Path, **parts: tuple[Any, Any]) -> list[str]:
    """Return what is said in training on parts of pictures and classes."""
    for part, (images, y) in parts.items():
        class_folder(tmp_path, images, y, part)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", gg.GanglionNotice)
        gg.ImageModel.train(tmp_path, **(QUICK | {"epochs": 1, "class_weight": None}))
    return [str(each.message) for each in caught]


def views(count: int, seed: int) -> tuple[Any, Any]:
    """Return pictures of very different brightness, as photographs are, and their classes."""
    chance = np.random.default_rng(seed)
    factors = chance.uniform(0.4, 1, count)
    images = [smooth(1000 * seed + row, 12, 12) * factors[row] for row in range(count)]
    return np.stack(images).astype(np.uint8), np.arange(count) % 2


@pytest.mark.parametrize("part", ["test", "val"])
@pytest.mark.parametrize(("factor", "word"), [(1.5, "brighter"), (0.6, "darker")])
def test_parts_of_different_brightness_are_found(tmp_path: Path, part: str, factor: float, word: str) -> None:
    images, y = views(60, 1)
    other, its_y = views(40, 2)
    changed = np.minimum(other * factor, 255).astype(np.uint8)
    found = told(tmp_path, train=(images, y), **{part: (changed, its_y)})
    assert len(found) == 1
    name = {"test": "test", "val": "validation"}[part]
    assert found[0].startswith(f"the pictures for {name} are {word} than those to train on")


@pytest.mark.parametrize("seed", range(4))
def test_parts_that_are_alike_are_no_finding(tmp_path: Path, seed: int) -> None:
    parts = {"train": views(60, 10 + seed), "val": views(16, 20 + seed), "test": views(30, 30 + seed)}
    assert told(tmp_path, **parts) == []


def test_other_numbers_of_a_bright_class_are_no_finding(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)

    def pictures(y: Any) -> Any:
        return np.clip(60 + 120 * y[:, None, None, None] + chance.normal(0, 9, (len(y), 8, 8, 1)), 0, 255)

    few, many = np.arange(60) % 5 == 0, np.arange(40) % 5 > 0
    parts = {
        name: (pictures(y).astype(np.uint8), y.astype(int)) for name, y in (("train", few), ("test", many))
    }
    assert told(tmp_path, **parts) == []


def test_near_duplicates_across_the_parts_are_found(tmp_path: Path) -> None:
    images, y = views(60, 1)
    other, its_y = views(30, 2)
    other[:3] = np.clip(
        images[:3].astype(int) + np.random.default_rng(0).integers(-2, 3, (3, 12, 12, 3)), 0, 255
    )
    found = told(tmp_path, train=(images, y), test=(other, its_y))
    assert len(found) == 2
    assert found[0] == "3 pictures are copies of others (3 in another format, quality or size)"
    assert found[1].startswith("3 pictures for validation and test are copies of pictures to train on")


def test_classes_without_pictures_to_train_on(tmp_path: Path) -> None:
    images, y = bars(60, classes=3)
    two = y < 2
    found = told(tmp_path / "a", train=(images[two], y[two]), test=(images[:30], y[:30]))
    assert "there are no pictures to train on of top" in found
    with pytest.raises(gg.DataError, match="must show at least two classes, got only low"):
        told(tmp_path / "b", train=(images[y == 0], y[y == 0]), test=(images[:30], y[:30]))


def test_the_health_check_finds_what_training_says(tmp_path: Path) -> None:
    images, y = views(60, 1)
    other, its_y = views(40, 2)
    brighter = np.minimum(other * 1.5, 255).astype(np.uint8)
    brighter[:3] = images[:3]
    for part, (pictures, classes) in {"train": (images, y), "test": (brighter, its_y)}.items():
        class_folder(tmp_path / "parts", pictures, classes, part)
        class_folder(tmp_path / "whole", pictures, classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GanglionNotice)
        model = gg.ImageModel.train(tmp_path / "parts", **(QUICK | {"epochs": 1}))
        divided, undivided = (model.health(tmp_path / name) for name in ("parts", "whole"))
        only_test = model.health(tmp_path / "parts" / "test")
    planted = ["shared_pictures", "different_brightness"]
    assert [finding.name for finding in divided.findings][:2] == planted
    assert "3 pictures for validation and test are copies" in divided.findings[0].title
    assert divided.rows == 60
    for health in (undivided, only_test):
        assert not {*planted} & {finding.name for finding in health.findings}


@pytest.mark.parametrize("seed", range(3))
def test_parts_that_are_alike_are_healthy(tmp_path: Path, seed: int) -> None:
    for part, count in {"train": 60, "test": 30}.items():
        class_folder(tmp_path, *views(count, 100 * (count + seed)), part)
    model = gg.ImageModel.train(tmp_path, **(QUICK | {"epochs": 1}))
    found = {finding.name for finding in model.health(tmp_path).findings}
    assert not found & {"shared_pictures", "different_brightness"}
