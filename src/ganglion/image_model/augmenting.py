"""Which variants of the training pictures help: never one that turns a class into another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganglion.answers.target import ClassTarget
from ganglion.core.layers import Conv2D, Flatten, MaxPool2D
from ganglion.core.part import Array
from ganglion.core.random import Purpose, generator
from ganglion.heads import AnyTarget, as_learned, loss_of, output_layer, sections
from ganglion.images.augmentation import Augmentation
from ganglion.images.rows import PictureRows, Scaling
from ganglion.network import Network
from ganglion.training.optimizers import AdamW
from ganglion.training.schedules import OneCycle

MANY = 20_000  # pictures, of which each epoch shows enough variety
PROBED, PROBE_EPOCHS = 3_000, 12
PROBE = 1_000  # the position of the random choice, which the splits do not use
CHECKED = 0.3
ENOUGH = 32  # pixels a side, from twice which on pictures are made smaller for the trial
# Mirrored pictures must be recognized nearly as well as the others: in all, and in each class.
MOST_LOST, MOST_LOST_IN_CLASS = 0.03, 0.15
FEWEST_RECOGNIZED = 0.6
FEWEST_IN_CLASS = 5


def choose_augmentation(
    images: Array, y: Array, targets: Sequence[AnyTarget], rows: Array, quality: str, seed: int
) -> Augmentation | None:
    """Return the augmentation for some training pictures.

    Small shifts, turns and zooms keep what is in a picture. Whether mirroring does is tried: a small network
    that has never seen a mirrored picture must recognize them as well as it recognizes others.

    Args:
        images: all pictures.
        y: their encoded targets, (n, heads).
        targets: what is predicted. Numbers are not tried, and forbid mirroring.
        rows: the training pictures.
        quality: of the training; many pictures are augmented for "best" alone.
        seed: of the training.
    """
    if len(rows) >= MANY and quality == "good":
        return None
    small = min(images.shape[1:3]) < 16
    classes = all(isinstance(target, ClassTarget) for target in targets)
    flip = "horizontal" if classes and _may_mirror(images, y, targets, rows, seed) else "none"
    return Augmentation(flip=flip, shift=0.08, rotate=0.0 if small else 8.0, zoom=0.1)


def reduced(images: Array, rows: Array) -> Array:
    """Return some pictures, large ones made smaller: whether they may be mirrored shows all the same."""
    height, width, channels = images.shape[1:]
    by = min(height, width) // ENOUGH
    if by < 2:
        return images[rows]
    height, width = height // by, width // by
    small = np.empty((len(rows), height, width, channels), np.uint8)
    for place, row in enumerate(rows):  # one by one: all as numbers would take much memory
        tiles = images[row, : height * by, : width * by].reshape(height, by, width, by, channels)
        small[place] = tiles.mean(axis=(1, 3)).round()
    return small


def _may_mirror(images: Array, y: Array, targets: Sequence[AnyTarget], rows: Array, seed: int) -> bool:
    """Return whether mirrored pictures keep their classes, by a small network trained without any."""
    order = generator(seed, Purpose.SPLIT, PROBE).permutation(rows)[:PROBED]
    images, y = reduced(images, order), y[order]
    checked, learned = np.split(np.arange(len(order)), [int(CHECKED * len(order))])
    varies = [len(np.unique(own[~np.isnan(own)])) > 1 for own in y[learned].T]
    if not any(varies) or len(checked) < FEWEST_IN_CLASS:
        return False
    network = Network(
        [
            *(Conv2D(12, 3, activation="relu"), MaxPool2D(2, padding="same")),
            *(Conv2D(24, 3, activation="relu"), MaxPool2D(2, padding="same")),
            *(Flatten(), output_layer(targets)),
        ],
        images.shape[1:],
        seed,
    )
    scaling = Scaling.fit(images, learned)
    optimizer = AdamW(OneCycle(0.003, epochs=PROBE_EPOCHS), weight_decay=0.05)
    history = network.fit(
        PictureRows(images, scaling, learned),
        as_learned(targets, y[learned]),
        loss=loss_of(targets),
        optimizer=optimizer,
        epochs=PROBE_EPOCHS,
        batch_size=32,
    )
    if history.ended == "interrupted":
        raise KeyboardInterrupt  # nothing is learned yet that could be kept
    straight, mirrored = (
        network.predict(PictureRows(some, scaling, np.arange(len(checked))))
        for some in (images[checked], images[checked, :, ::-1])
    )
    trials = list[bool]()
    for number, place in enumerate(sections(targets)):
        there = ~np.isnan(y[checked, number])
        truth = y[checked, number][there]
        if not varies[number] or not len(truth):
            continue
        right = straight[there, place].argmax(axis=1) == truth
        # Of several targets, some are too rare to be seen, and right if the more frequent class is named.
        if len(targets) == 1 or right.mean() > np.bincount(truth.astype(np.int64)).max() / len(truth):
            trials.append(_keeps(truth, right, mirrored[there, place].argmax(axis=1) == truth))
    return bool(trials) and all(trials)


def _keeps(truth: Array, straight: Array, mirrored: Array) -> bool:
    """Return whether mirrored pictures are recognized nearly as well, in all and in each class."""
    if straight.mean() < FEWEST_RECOGNIZED or mirrored.mean() < straight.mean() - MOST_LOST:
        return False
    for number in np.unique(truth):
        of_class = truth == number
        lost = straight[of_class].mean() - mirrored[of_class].mean()
        if of_class.sum() >= FEWEST_IN_CLASS and lost > MOST_LOST_IN_CLASS:
            return False
    return True
