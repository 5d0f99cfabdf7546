"""Augmentation is a function of (seed, epoch, row), and does what each setting says."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from ganglion.core.random import Purpose, fractions_of_rows
from ganglion.images import Augmentation
from pictures import smooth

IMAGES = np.stack([smooth(seed, 12, 16) for seed in range(20)])
ROWS = np.arange(20)
ALL = Augmentation("both", 0.1, 20, 0.2, 0.1, 0.2, 0.2, 0.3, 0.4)


def of(augmentation: Augmentation, images: np.ndarray = IMAGES, epoch: int = 0, seed: int = 0) -> np.ndarray:
    return augmentation.apply(images, seed, epoch, np.arange(len(images)))


def test_nothing_changes_by_default() -> None:
    before = IMAGES.copy()
    assert (of(Augmentation()) == IMAGES).all()
    of(ALL)
    assert (before == IMAGES).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 19), max_size=30), st.integers(0, 2**64 - 1), st.integers(0, 1000))
def test_a_row_is_the_same_in_every_batch(rows: list[int], seed: int, epoch: int) -> None:
    chosen = np.array(rows, dtype=np.int64)
    whole = ALL.apply(IMAGES, seed, epoch, ROWS)
    assert (ALL.apply(IMAGES, seed, epoch, chosen) == whole[chosen]).all()
    for row in rows[:2]:
        assert (ALL.apply(IMAGES, seed, epoch, np.array([row]))[0] == whole[row]).all()


@pytest.mark.parametrize("height", [300, 40])
def test_large_pictures_are_resampled_in_parts(height: int) -> None:
    """Parts of a batch are resampled one after the other: where they end makes no difference."""
    images = np.stack([smooth(seed, height, 300) for seed in range(5)])
    whole = Augmentation(rotate=30).apply(images, 0, 0, np.arange(5))
    for row in range(5):
        assert (Augmentation(rotate=30).apply(images, 0, 0, np.array([row]))[0] == whole[row]).all()


def test_each_epoch_and_seed_has_its_own() -> None:
    first = of(ALL)
    for other in (of(ALL, epoch=1), of(ALL, seed=1)):
        assert (first != other).any(axis=(1, 2, 3)).all()
    assert (first == of(ALL)).all()


@pytest.mark.parametrize(("flip", "axes"), [("horizontal", [2]), ("vertical", [1]), ("both", [1, 2])])
def test_flips(flip: str, axes: list[int]) -> None:
    images = np.concatenate([IMAGES] * 20)
    found = of(Augmentation(flip), images)
    variants = [images, *(np.flip(images, axis) for axis in axes)]
    variants += [np.flip(images, (1, 2))] if len(axes) == 2 else []
    hits = np.stack([(found == each).all(axis=(1, 2, 3)) for each in variants])
    assert (hits.sum(axis=0) == 1).all()
    assert hits.mean(axis=1) == pytest.approx(1 / len(variants), abs=0.1)


def centers(images: np.ndarray) -> np.ndarray:
    """Return the center of gravity of each picture, (down, across), relative to its middle."""
    weight = images.sum(axis=3).astype(float)
    down, across = (np.arange(side) - (side - 1) / 2 for side in weight.shape[1:])
    total = weight.sum(axis=(1, 2))
    return np.stack(
        [(weight.sum(axis=2) * down).sum(axis=1) / total, (weight.sum(axis=1) * across).sum(axis=1) / total],
        axis=1,
    )


def dot(height: int = 41, width: int = 61, down: int = 20, across: int = 30, rows: int = 200) -> np.ndarray:
    images = np.zeros((rows, height, width, 1), np.uint8)
    images[:, down - 2 : down + 3, across - 2 : across + 3] = 200
    return images


def test_shifts_reach_the_limit_in_both_directions() -> None:
    found = centers(of(Augmentation(shift=0.2), dot()))
    limit = np.array([0.2 * 41, 0.2 * 61])
    assert (np.abs(found) <= limit + 0.1).all()
    assert (found.max(axis=0) > 0.9 * limit).all()
    assert (found.min(axis=0) < -0.9 * limit).all()
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.2


def test_rotation() -> None:
    found = centers(of(Augmentation(rotate=30), dot(61, 61, 30, 50)))
    assert np.hypot(*found.T) == pytest.approx(20, abs=0.5)
    angle = np.degrees(np.arctan2(found[:, 0], found[:, 1]))
    assert np.abs(angle).max() <= 31
    assert angle.max() > 25
    assert angle.min() < -25


def test_zoom_enlarges_and_reduces() -> None:
    images = np.zeros((200, 60, 60, 1), np.uint8)
    images[:, 20:40, 20:40] = 200
    area = of(Augmentation(zoom=0.5), images).sum(axis=(1, 2, 3)) / images[0].sum()
    assert area.max() == pytest.approx(1.5**2, rel=0.1)
    assert area.min() == pytest.approx(1.5**-2, rel=0.1)


def test_crop_enlarges_a_window_within_the_picture() -> None:
    ramp = np.broadcast_to(np.arange(0, 200, 4, dtype=np.uint8)[:, None, None], (50, 50, 1))
    images = np.stack([ramp] * 200)
    found = of(Augmentation(crop=0.5), images)
    first, last = (found[:, row, 25, 0].astype(int) for row in (0, -1))
    assert (last - first).min() == pytest.approx(98, abs=6)
    assert (last - first).max() == pytest.approx(196, abs=6)
    assert first.max() > 80
    # No window reaches over the border, where pixels would repeat.
    steps = np.diff(found[:, :, 25, 0].astype(int), axis=1)
    assert steps[:, 1:-1].min() >= 1


def test_brightness_and_contrast() -> None:
    flat = np.full((200, 6, 6, 1), 100, np.uint8)
    brightness = of(Augmentation(brightness=0.2), flat)[:, 0, 0, 0].astype(int)
    assert brightness.min() == pytest.approx(49, abs=3)
    assert brightness.max() == pytest.approx(151, abs=3)
    assert (of(Augmentation(contrast=0.5), flat) == 100).all()
    halves = flat.copy()
    halves[:, 3:] = 140
    apart = np.ptp(of(Augmentation(contrast=0.5), halves).astype(int), axis=(1, 2, 3))
    assert apart.min() == pytest.approx(20, abs=2)
    assert apart.max() == pytest.approx(60, abs=2)
    assert of(Augmentation(brightness=1), flat).max() == 255


def test_cutout_fills_a_square_with_the_mean() -> None:
    images = np.zeros((400, 10, 12, 3), np.uint8)
    images[:, :, :6] = 200
    cut = of(Augmentation(cutout=0.6), images) == 100
    assert (cut.sum(axis=(1, 2, 3)) == 6 * 6 * 3).all()
    assert cut.any(axis=0).all()  # anywhere


def test_mixup_blends_in_another_picture_and_tells_which() -> None:
    augmentation = Augmentation(mixup=0.5)
    others, fraction = augmentation.partners(3, 7, ROWS, ROWS)
    assert 0 <= fraction.min() <= fraction.max() < 0.5
    assert len(np.unique(others)) > 5
    expected = IMAGES + fraction[:, None, None, None] * (IMAGES[others].astype(float) - IMAGES)
    assert np.abs(augmentation.apply(IMAGES, 3, 7, ROWS) - expected).max() <= 0.51


def test_mixup_takes_pictures_of_the_training_only() -> None:
    training = np.array([2, 5, 11])
    others, _ = ALL.partners(0, 0, ROWS, training)
    assert set(others.tolist()) <= set(training.tolist())
    changed = IMAGES.copy()
    changed[np.setdiff1d(ROWS, training)] = 0
    assert (
        ALL.apply(IMAGES, 0, 0, training, among=training)
        == ALL.apply(changed, 0, 0, training, among=training)
    ).all()
    with pytest.raises(gg.DataError, match="mixup needs pictures"):
        ALL.apply(IMAGES, 0, 0, ROWS, among=training[:0])


def test_a_setting_does_not_change_the_choices_of_others() -> None:
    flipped = of(Augmentation("horizontal"))
    both = of(Augmentation("horizontal", brightness=0.01))
    assert np.abs(flipped.astype(int) - both).max() <= 3


@pytest.mark.parametrize("shape", [(3, 1, 1, 1), (2, 1, 9, 3), (2, 9, 1, 1)])
def test_the_smallest_pictures(shape: tuple[int, ...]) -> None:
    images = np.full(shape, 77, np.uint8)
    assert of(Augmentation("both", 0.5, 180, 4, 0.9), images).tolist() == images.tolist()
    assert ALL.apply(images, 0, 0, np.zeros(0, np.int64)).shape == (0, *shape[1:])


@pytest.mark.parametrize(
    "wrong",
    [
        {"flip": "left"}, {"flip": True}, {"shift": 0.6}, {"rotate": -1}, {"zoom": "big"}, {"crop": 1},
        {"brightness": float("nan")}, {"contrast": 1}, {"cutout": 0.8}, {"mixup": 0.6},
    ],
)  # fmt: skip
def test_settings_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(gg.ConfigError, match=next(iter(wrong))):
        Augmentation(**wrong)  # type: ignore[arg-type]


def test_calls_that_make_no_sense() -> None:
    for images in (IMAGES[0], IMAGES / 255, IMAGES.tolist()):
        with pytest.raises(gg.ShapeError, match="bytes"):
            ALL.apply(images, 0, 0, ROWS)  # type: ignore[arg-type]
    for rows in (np.array([20]), np.array([-1]), np.array([0.5]), np.array([[1]])):
        with pytest.raises(gg.DataError, match="rows"):
            ALL.apply(IMAGES, 0, 0, rows)
    for seed, epoch in ((-1, 0), (0, -1), (0, 0.5)):
        with pytest.raises(gg.ConfigError):
            ALL.apply(IMAGES, seed, epoch, ROWS)  # type: ignore[arg-type]


def test_fractions_are_even_and_independent() -> None:
    rows = np.arange(50_000)
    found = [
        fractions_of_rows(0, Purpose.AUGMENTATION, position, choice, rows)
        for position in (0, 1)
        for choice in (0, 1)
    ]
    for fractions in found:
        assert 0 <= fractions.min() < fractions.max() < 1
        assert np.histogram(fractions, 10, (0, 1))[0] == pytest.approx(5000, rel=0.1)
        assert abs(np.corrcoef(fractions[:-1], fractions[1:])[0, 1]) < 0.02
    assert np.abs(np.corrcoef(found) - np.eye(4)).max() < 0.02


def test_fractions_are_fixed_for_ever() -> None:
    """The same seed must give the same variants in every version: these values must never change."""
    found = fractions_of_rows(0, Purpose.AUGMENTATION, 0, 0, np.arange(3))
    assert (found * 2**32).astype(np.uint32).tolist() == [544620746, 2163631399, 710370861]
