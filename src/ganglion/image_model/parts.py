"""What the parts of a divided source should share, and what they should not: classes, brightness, copies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganglion.answers.splits import Split
from ganglion.answers.target import ClassTarget
from ganglion.core.part import Array
from ganglion.errors import DataError, amount, notice
from ganglion.heads import AnyTarget, strata_of
from ganglion.images.rows import WHITE
from ganglion.insight.health.finding import Finding

# The brightness of two parts differs if the difference is at least 5 % of white, half as large as the usual
# difference between pictures, and more than chance explains.
LEAST_SHIFT, LEAST_SPREADS, LEAST_ERRORS = 0.05 * WHITE, 0.5, 4
FEWEST = 10  # pictures, whose brightness tells something


def split_of_parts(parts: Array) -> Split:
    """Return the pictures of each part that a source has, given the name of the part of each picture."""
    return Split(*(np.flatnonzero(parts == name) for name in ("train", "validation", "test")))


def notice_parts(
    images: Array, y: Array, targets: Sequence[AnyTarget], blocks: Array | None, split: Split
) -> None:
    """Tell of classes without pictures to train on, of copies in two parts, and of different brightness.

    Args:
        images: all pictures, bytes.
        y: their encoded targets, (n, heads).
        targets: what is predicted.
        blocks: a number for each picture, equal for copies; None without copies.
        split: the parts that the source has, of which validation and test may be empty.

    Raises:
        DataError: if there is only one class to train on; of several targets, if it is so for all.
    """
    classes_of = [target for target in targets if isinstance(target, ClassTarget)]
    known = {
        target.column: np.unique(column[~np.isnan(column)]).astype(np.int64)
        for target, column in zip(targets, y[split.train].T, strict=True)
    }
    lone = [target for target in classes_of if len(known[target.column]) < 2]
    if len(lone) == len(targets):
        shown = [lone[0].label(number) for number in known[lone[0].column]]
        raise DataError(
            f"the pictures to train on must show at least two classes, got only {', '.join(shown) or 'none'}"
        )
    for target in classes_of:
        of = f" in {target.column!r}" if len(targets) > 1 else ""
        if lacking := [label for n, label in enumerate(target.labels) if n not in known[target.column]]:
            notice(f"there are no pictures to train on of {', '.join(lacking[:5])}{of}", "unknown-classes")
    for finding in find_in_parts(images, y, targets, blocks, split):
        title, remedy = (text[0].lower() + text[1:-1] for text in (finding.title, finding.remedy))
        text = f"{title} ({finding.evidence}): {remedy}"
        if finding.name == "shared_pictures":
            notice(text, "shared-pictures")
        else:
            notice(text, "different-brightness")


def find_in_parts(
    images: Array, y: Array, targets: Sequence[AnyTarget], blocks: Array | None, split: Split
) -> list[Finding]:
    """Return what is wrong with parts that the source has: copies in two of them, and different brightness.

    The arguments are those of `notice_parts`.
    """
    others = {"validation": split.validation, "test": split.test}
    found = [] if blocks is None else _find_copies(blocks, split.train, list(others.values()))
    brightness = images.sum(axis=(1, 2, 3), dtype=np.int64) / images[0].size
    strata = strata_of(targets, y)
    classes = np.zeros(len(y), np.int64) if strata is None else strata
    for name, part in others.items():
        found += _find_brightness(brightness, classes, split.train, part, name)
    return found


def _find_copies(blocks: Array, train: Array, others: list[Array]) -> list[Finding]:
    count = sum(int(np.isin(blocks[part], blocks[train]).sum()) for part in others)
    if not count:
        return []
    return [
        Finding(
            "shared_pictures",
            "severe",
            f"{amount(count, 'picture', 'pictures')} for validation and test "
            f"{'is a copy' if count == 1 else 'are copies'} of pictures to train on.",
            f"{count:,} of {sum(map(len, others)):,}; the report is too good",
            "What a network has learned by heart says nothing about new pictures.",
            "Remove the copies, or give one folder for each class: it is divided with copies together.",
            "from ganglion.images import decode_pictures, find_copies, open_images\n"
            "store = decode_pictures(open_images(folder))\n"
            "blocks = find_copies(store.images).blocks  # equal for copies; of each, keep one\n",
        )
    ]


def _find_brightness(
    brightness: Array, classes: Array, train: Array, part: Array, name: str
) -> list[Finding]:
    """Compare the brightness of pictures of the same classes, so that other classes alone are no finding."""
    part = part[np.isin(classes[part], classes[train])]
    if min(len(train), len(part)) < FEWEST:
        return []
    counts = np.bincount(classes[train], minlength=classes.max() + 1)
    usual = np.bincount(classes[train], brightness[train], len(counts)) / np.maximum(counts, 1)
    learned, other = (brightness[rows] - usual[classes[rows]] for rows in (train, part))
    shift, error = other.mean(), np.sqrt(learned.var() / len(train) + other.var() / len(part))
    if abs(shift) < max(LEAST_SHIFT, LEAST_SPREADS * learned.std(), LEAST_ERRORS * error):
        return []
    mean, word = brightness[part].mean(), "brighter" if shift > 0 else "darker"
    return [
        Finding(
            "different_brightness",
            "warning",
            f"The pictures for {name} are {word} than those to train on.",
            f"their mean is {mean:.0f}, that of the same classes {mean - shift:.0f}; white is {WHITE}",
            "The model is tried on what it has not seen.",
            "Vary the brightness in training: augment=gg.Augmentation(brightness=...).",
            f"gg.ImageModel.train(folder, augment=gg.Augmentation(brightness={abs(shift) / WHITE:.1g}))\n",
        )
    ]
