"""What folders say: the class of each picture, and whether it is for training, validation or test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from ganglion.images.places import Entry, LeftOut

TRAIN, VALIDATION, TEST = "train", "validation", "test"
PARTS = {
    "train": TRAIN, "training": TRAIN,
    "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "dev": VALIDATION,
    "test": TEST, "testing": TEST,
}  # fmt: skip
# By their names these may be pictures; whether they are, their content tells.
ENDINGS = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class Sorted:
    """Files by what their folders say.

    Args:
        entries: the files that may be pictures, in order of their paths.
        classes: the class of each; None without class folders.
        parts: "train", "validation" or "test" for each; None without such folders.
        left_out: the files in no class, and those that must not be read.
    """

    entries: tuple[Entry, ...]
    classes: tuple[str, ...] | None
    parts: tuple[str, ...] | None
    left_out: tuple[LeftOut, ...]


def sort_files(entries: Sequence[Entry], *, classes: bool) -> Sorted:
    """Find the class folders: the first that stand beside each other, in a folder of a part if there are
    parts.

    Args:
        entries: all files, as a place lists them.
        classes: whether folders are classes; otherwise all files are taken, without classes and parts.
    """
    left_out = [LeftOut(entry.name, entry.problem) for entry in entries if entry.problem]
    usable = [entry for entry in entries if not entry.problem]
    depth = _depth(usable)
    if not classes or all(len(entry.parts) == 1 for entry in usable):
        return Sorted(tuple(usable), None, None, tuple(left_out))
    tops = {entry.parts[depth] for entry in usable if len(entry.parts) > depth + 1}
    found = {PARTS[top.lower()] for top in tops if top.lower() in PARTS}
    divided = TRAIN in found and len(found) > 1
    depth += divided
    kept, names, parts = list[Entry](), list[str](), list[str]()
    for entry in usable:
        part = PARTS.get(entry.parts[depth - 1].lower(), "") if divided and len(entry.parts) > depth else ""
        if divided and not part:
            left_out.append(LeftOut(entry.name, "is in none of the folders " + ", ".join(sorted(found))))
        elif len(entry.parts) < depth + 2:
            left_out.append(LeftOut(entry.name, "is in no class folder"))
        else:
            kept.append(entry)
            names.append(entry.parts[depth])
            parts.append(part)
    return Sorted(tuple(kept), tuple(names), tuple(parts) if divided else None, tuple(left_out))


def _depth(entries: Sequence[Entry]) -> int:
    """Return how many folders hold nothing but one folder, which in turn holds no picture itself."""
    depth = 0
    while True:
        tops = {entry.parts[depth] for entry in entries if len(entry.parts) > depth + 1}
        pictures = [entry for entry in entries if PurePath(entry.parts[-1]).suffix.lower() in ENDINGS]
        lengths = [len(entry.parts) for entry in pictures if len(entry.parts) > depth]
        if len(tops) != 1 or not lengths or min(lengths) < depth + 3:
            return depth
        depth += 1
