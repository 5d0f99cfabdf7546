"""Pictures for tests: arrays, and files of them in all formats."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")


def smooth(seed: int, height: int = 24, width: int = 32, channels: int = 3) -> np.ndarray:
    """Return a picture of soft blobs, which survives re-encoding as photographs do."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, channels)).astype(np.uint8)
    image = Image.fromarray(coarse.squeeze(axis=2) if channels == 1 else coarse)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)).reshape(
        height, width, channels
    )


def encoded(pixels: Any, form: str = "PNG", **settings: Any) -> bytes:
    """Return the file of a picture, given its pixels or a Pillow image."""
    image = pixels
    if isinstance(pixels, np.ndarray):
        image = Image.fromarray(pixels.squeeze(axis=2) if pixels.shape[2:] == (1,) else pixels)
    stream = io.BytesIO()
    image.save(stream, form, **settings)
    return stream.getvalue()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files by name, with their folders."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder
