"""Augmentation in training: mixup, and the automatic choice, which never mirrors what mirroring changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import sklearn.datasets

import ganglion as gg
from drawn import QUICK, bars, letters
from ganglion.images import Augmentation
from ganglion.images.rows import PictureRows, Scaling


def choice(images: Any, labels: Any, seed: int = 0, **settings: Any) -> Augmentation | None:
    """Return the augmentation that a training chooses, without training long."""
    given = {"epochs": 1, "test": 0, "seed": seed} | settings
    return gg.ImageModel.train(images, labels=labels, **given).augmentation


@pytest.mark.parametrize("seed", [0, 1])
def test_digits_are_not_mirrored(seed: int) -> None:
    digits = sklearn.datasets.load_digits()
    found = choice(digits.images.astype(np.uint8), digits.target, seed)
    assert found is not None
    assert found.flip == "none"
    assert found.shift > 0


@pytest.mark.parametrize("shapes", ["bd", "pq", "bdov", "bdpq"])
def test_letters_that_change_in_a_mirror_are_not_mirrored(shapes: str) -> None:
    found = choice(*letters(shapes, 400))
    assert found is not None
    assert found.flip == "none"


def test_symmetrical_kinds_are_mirrored() -> None:
    found = choice(*letters("ov", 300))
    assert found is not None
    assert (found.flip, found.rotate > 0) == ("horizontal", True)


def test_what_a_small_network_does_not_recognize_is_not_mirrored() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 16, 16)).astype(np.uint8)
    found = choice(noise, np.arange(200) % 2)
    assert found is not None
    assert found.flip == "none"


def test_pictures_of_a_number_and_pictures_too_few_are_not_mirrored() -> None:
    images, _ = letters("ov", 60)
    for picked, labels in ((images, np.arange(60) * 0.5), (images[:10], list("ov") * 5)):
        found = choice(picked, labels, test=None)
        assert found is not None
        assert found.flip == "none"


def test_only_training_pictures_are_augmented(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[tuple[int, frozenset[int]]]()
    whole = Augmentation.apply

    def apply(self: Any, images: Any, seed: int, epoch: int, rows: Any, among: Any = None) -> Any:
        seen.append((epoch, frozenset(rows.tolist())))
        return whole(self, images, seed, epoch, rows, among)

    monkeypatch.setattr(Augmentation, "apply", apply)
    images, y = bars(60)
    settings = QUICK | {"augment": Augmentation(shift=0.1), "epochs": 3, "test": 0.25, "validation": 0.2}
    model = gg.ImageModel.train(images, labels=y, **settings)
    rows = frozenset[int]().union(*(some for _, some in seen))
    assert model.tested is not None
    assert len(rows) == model.rows["train"] == 36
    assert not rows & {int(name.split()[1]) for name in model.tested.names}
    assert {epoch for epoch, _ in seen} == {0, 1, 2}
    count = len(seen)
    again = model.network.predict(model.encode(model.tested.images))
    assert (again == model.tested.outputs).all()
    model.predict(images)
    assert len(seen) == count


def test_the_model_says_how_its_pictures_were_varied() -> None:
    images, y = bars(30)
    own = Augmentation(flip="vertical", cutout=0.3)
    assert gg.ImageModel.train(images, labels=y, **(QUICK | {"augment": own, "test": 0})).augmentation == own
    for nothing in (None, "none"):
        model = gg.ImageModel.train(images, labels=y, **(QUICK | {"augment": nothing, "test": 0}))
        assert model.augmentation is None


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_mixup_blends_pictures_and_targets_alike(engine: str) -> None:
    """One epoch of it is one on the blended pictures and the blended probabilities of the classes."""
    images, y = bars(40)
    training, augmentation = np.arange(4, 40), gg.Augmentation(mixup=0.5)
    rows = PictureRows(images, Scaling.fit(images, training), training, augmentation, seed=3)
    others, portion = augmentation.partners(3, 0, training, training)
    assert {*others.tolist()} <= {*training.tolist()}
    one_hot = np.eye(2)[y]
    blended = one_hot[training] + portion[:, None] * (one_hot[others] - one_hot[training])

    def learned(x: Any, goals: Any) -> Any:
        network = gg.Network([gg.Flatten(), gg.Dense(2, "softmax")], images.shape[1:], engine=engine)
        network.fit(x, goals, epochs=1, batch_size=5)
        return network.parameters

    blended_rows = rows.in_epoch(0).toarray()
    np.testing.assert_allclose(
        learned(rows, y[training]), learned(blended_rows, blended), rtol=1e-5, atol=1e-7
    )


def test_a_model_is_trained_with_mixup() -> None:
    images, y = bars(60)
    mixed, plain = (
        gg.ImageModel.train(images, labels=y, augment=gg.Augmentation(mixup=share), epochs=8)
        for share in (0.4, 0.0)
    )
    assert (mixed.network.parameters != plain.network.parameters).any()
    assert mixed.history.loss[-1] > plain.history.loss[-1]  # blended classes are never certain
    assert (mixed.predict(images)["prediction"] == pl.Series(y)).mean() > 0.9
