"""Small drawn pictures with known classes, for tests of models of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import ganglion as gg
from pictures import encoded, write

QUICK: dict[str, Any] = {"epochs": 4, "augment": "none", "learning_rate": 0.01}


def bars(count: int = 60, side: int = 8, classes: int = 2, seed: int = 0) -> tuple[Any, Any]:
    """Return grey pictures with a bright bar whose height is the class, and the classes."""
    y = np.arange(count) % classes
    images = np.random.default_rng(seed).integers(0, 60, (count, side, side, 1)).astype(np.uint8)
    for row, number in enumerate(y):
        images[row, 2 * number : 2 * number + 2] += 180
    return images, y


def class_folder(
    folder: Path, images: Any, y: Any, part: str = "", names: tuple[str, ...] = ("low", "high", "top")
) -> Path:
    """Write pictures into a folder for each class, in the folder of a part."""
    return write(
        folder,
        {
            f"{part}/{names[number]}/{row:03d}.png".lstrip("/"): encoded(image)
            for row, (image, number) in enumerate(zip(images, y, strict=True))
        },
    )


def trained(count: int = 60, classes: int = 2, **settings: Any) -> gg.ImageModel:
    """Return a model trained on bars."""
    images, y = bars(count, classes=classes)
    return gg.ImageModel.train(images, labels=y, **(QUICK | settings))


def letter(shape: str, chance: np.random.Generator, side: int = 16) -> Any:
    """Return a picture of b, d, p or q, or of "o" or "v", which look the same in a mirror."""
    picture = Image.new("L", (4 * side, 4 * side))
    pen = ImageDraw.Draw(picture)
    if shape == "o":
        pen.ellipse((16, 16, 48, 48), outline=255, width=8)
    elif shape == "v":
        pen.line((12, 16, 32, 48, 52, 16), fill=255, width=8)
    else:
        left, top = (18 if shape in "bp" else 40), (8 if shape in "bd" else 22)
        pen.rectangle((left, top, left + 5, top + 34), fill=255)
        pen.ellipse((20, 24, 43, 43), outline=255, width=6)
    angle, across, down = chance.uniform((-9, -5, -5), (9, 5, 5))
    small = picture.rotate(angle, translate=(across, down)).resize((side, side), Image.Resampling.BOX)
    noisy = np.asarray(small).astype(int) + chance.integers(0, 30, (side, side))
    return np.minimum(noisy, 255).astype(np.uint8)


def letters(shapes: str, count: int, seed: int = 0) -> tuple[Any, Any]:
    """Return pictures of letters, in turn, and their names."""
    chance = np.random.default_rng(seed)
    names = [shapes[row % len(shapes)] for row in range(count)]
    return np.stack([letter(name, chance) for name in names]), np.array(names)
