"""One picture: from the bytes of its file to pixels of the wanted size, or the reason why it cannot be read.

Only the formats in `SIGNATURES` are read, each by its own reader of Pillow and only if the file begins as the
format demands. To add a format, add its signature.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.part import Array
from ganglion.errors import ConfigError, one_of
from ganglion.images.places import UnreadableError, reason_of
from ganglion.optional import load

SIGNATURES = (
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("JPEG", b"\xff\xd8\xff"),
    ("GIF", b"GIF87a"),
    ("GIF", b"GIF89a"),
    ("BMP", b"BM"),
    ("TIFF", b"II*\0"),
    ("TIFF", b"MM\0*"),
    ("TIFF", b"II+\0"),
    ("TIFF", b"MM\0+"),
)
ORIENTATION = 0x0112  # the EXIF tag
TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
    6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")
ALPHA = ("LA", "PA", "RGBA", "RGBa", "La")
SIDEWAYS = 5  # orientations from here on swap width and height
LARGE = 2**24  # pixels; larger pictures are decoded one at a time, so that threads share the memory of one
LARGEST_SIDE = 4096
FITS = ("crop", "pad")
_large = threading.Lock()


@dataclass(frozen=True)
class Fitting:
    """The size that all pictures are brought to.

    Args:
        height, width: in pixels.
        channels: 3 for color, 1 for grey.
        fit: "crop" scales a picture of another shape until it covers the size and cuts off what protrudes on
            both sides; "pad" scales it until it fits in and fills the rest with black.

    Raises:
        ConfigError: for a setting out of range.
    """

    height: int
    width: int
    channels: int = 3
    fit: str = "crop"

    def __post_init__(self) -> None:
        check_integer("height", self.height, at_least=1, at_most=LARGEST_SIDE)
        check_integer("width", self.width, at_least=1, at_most=LARGEST_SIDE)
        if check_integer("channels", self.channels, at_least=1) not in (1, 3):
            raise ConfigError(f"channels must be 1 (grey) or 3 (color), got {self.channels!r}")
        if self.fit not in FITS:
            raise ConfigError(f"fit must be crop or pad, got {self.fit!r}", one_of(str(self.fit), FITS))

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one picture: (height, width, channels)."""
        return self.height, self.width, self.channels


@dataclass(frozen=True)
class Decoded:
    """A picture.

    Args:
        pixels: bytes of the shape of the fitting.
        size: height and width before it was fitted, upright.
        changes: what was done to it: "alpha" (laid over white), "grey" (colors dropped), "bits" (16 reduced
            to 8).
    """

    pixels: Array
    size: tuple[int, int]
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Header:
    """What a file says of its picture: its size, upright, and whether it is grey."""

    height: int
    width: int
    is_grey: bool


def picture_format(data: bytes) -> str:
    """Return the format that a file begins like, "" if it is none that is read."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((name for name, begin in SIGNATURES if data.startswith(begin)), "")


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore Pillow's warnings about odd files. Wrap all threads in it: warnings belong to the process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def read_header(data: bytes | Array) -> Header:
    """Return what is known of a picture before it is decoded.

    Raises:
        UnreadableError: if it cannot be.
    """
    if isinstance(data, np.ndarray):
        return Header(data.shape[0], data.shape[1], data.shape[2] == 1)
    with _opened(data) as image:
        width, height = image.size
        if _orientation(image) >= SIDEWAYS:
            width, height = height, width
        grey = image.mode in GREY or (image.mode == "P" and _has_grey_palette(image))
        return Header(height, width, grey)


def decode(data: bytes | Array, fitting: Fitting) -> Decoded:
    """Return the pixels of a picture, fitted.

    Args:
        data: the content of its file, or its pixels, of shape (height, width, 1, 3 or 4).
        fitting: the size to bring it to.

    Raises:
        UnreadableError: if it cannot be decoded, claims too many pixels, or is no picture; the message is the
            reason.
    """
    if isinstance(data, np.ndarray):
        image, found = (
            load("PIL.Image", "images").fromarray(data.squeeze(2) if data.shape[2] == 1 else data),
            list[str](),
        )
        return _fitted(_plain(image, found), data.shape[:2], fitting, found)
    with _opened(data) as image:
        size, turn = image.size, _orientation(image)
        upright = size[::-1] if turn >= SIDEWAYS else size
        with _large if size[0] * size[1] > LARGE else nullcontext():
            image.draft(None, _least_size(size, upright, fitting))  # a large JPEG is decoded smaller at once
            image.load()
            changes = list[str]()
            plain = _plain(image, changes)
            if turn in TURNS:
                plain = plain.transpose(getattr(load("PIL.Image", "images").Transpose, TURNS[turn]))
            return _fitted(plain, upright[::-1], fitting, changes)


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    """Open the picture in a file; whatever goes wrong, also in the body, is `UnreadableError`."""
    pillow = load("PIL.Image", "images")
    kind = picture_format(data)
    if not kind:
        raise UnreadableError("is no PNG, JPEG, GIF, BMP, TIFF or WebP picture" if data else "is empty")
    try:
        with pillow.open(BytesIO(data), formats=[kind]) as image:
            (width, height), most = image.size, pillow.MAX_IMAGE_PIXELS
            if most is not None and width * height > most:
                raise UnreadableError(f"claims {width:,} × {height:,} pixels, more than {most:,}")
            if not width * height:
                raise UnreadableError("has no pixels")
            yield image
    except UnreadableError:
        raise
    except pillow.DecompressionBombError as error:
        raise UnreadableError(f"claims more than {pillow.MAX_IMAGE_PIXELS:,} pixels") from error
    except pillow.UnidentifiedImageError as error:  # whose text holds an address in memory
        raise UnreadableError(f"cannot be decoded: is a damaged {kind} picture") from error
    except Exception as error:  # Pillow raises errors of many kinds for damaged files
        raise UnreadableError(f"cannot be decoded: {reason_of(error)}") from error


def _orientation(image: Any) -> int:
    """Return how the camera was held, 1 for upright; 1 also if the file's EXIF data are damaged."""
    if image.format == "TIFF":  # which Pillow turns by itself
        return 1
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:
        return 1
    return found if isinstance(found, int) else 1


def _has_grey_palette(image: Any) -> bool:
    palette = np.array(image.getpalette("RGB") or [0, 1, 2]).reshape(-1, 3)
    return bool((palette == palette[:, :1]).all())


def _plain(image: Any, changes: list[str]) -> Any:
    """Return a picture of 8 bits without transparency, of mode L or RGB, and add what changed."""
    pillow, grey = load("PIL.Image", "images"), image.mode in GREY
    if image.mode == "F":
        raise UnreadableError("has pixels that are fractions; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        pixels = np.asarray(image).astype(np.int64)
        if pixels.min() < 0 or pixels.max() > 2**16 - 1:
            raise UnreadableError("has pixels that are not from 0 to 65535; save it with 8 or 16 bits")
        changes.append("bits")
        return pillow.fromarray(((pixels + 128) // 257).astype(np.uint8))
    if image.mode in ALPHA or "transparency" in image.info:
        if image.mode == "La":
            image = image.convert("LA")
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            changes.append("alpha")
            white = pillow.new("RGBA", image.size, "white")
            image = pillow.alpha_composite(white, image)
    mode = "L" if grey else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _least_size(size: tuple[int, int], upright: tuple[int, int], fitting: Fitting) -> tuple[int, int]:
    """Return the size, as stored, below which decoding would lose detail."""
    scale = min(1.0, 2 * _scale(upright, fitting))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _scale(size: tuple[int, int], fitting: Fitting) -> float:
    scales = fitting.width / size[0], fitting.height / size[1]
    return max(scales) if fitting.fit == "crop" else min(scales)


def _fitted(image: Any, size: tuple[int, int], fitting: Fitting, changes: list[str]) -> Decoded:
    """Bring a picture of mode L or RGB to the size and channels of the fitting."""
    pillow, wanted = load("PIL.Image", "images"), (fitting.width, fitting.height)
    if image.size != wanted:
        (width, height), scale = image.size, _scale(image.size, fitting)
        how = {"resample": pillow.Resampling.BILINEAR, "reducing_gap": 3.0}
        if fitting.fit == "crop":  # cut first: a narrow picture scaled to cover may be larger than the memory
            across, down = min(width, fitting.width / scale), min(height, fitting.height / scale)
            left, top = (width - across) / 2, (height - down) / 2
            image = image.resize(wanted, box=(left, top, left + across, top + down), **how)
        else:
            inner = tuple(
                min(most, max(1, round(side * scale))) for side, most in zip(image.size, wanted, strict=True)
            )
            small, image = image.resize(inner, **how), pillow.new(image.mode, wanted)
            image.paste(small, ((wanted[0] - inner[0]) // 2, (wanted[1] - inner[1]) // 2))
    if fitting.channels == 1 and image.mode == "RGB":
        colors = np.asarray(image)
        if (colors != colors[..., :1]).any():
            changes.append("grey")
        image = image.convert("L")
    elif fitting.channels == 3 and image.mode == "L":
        image = image.convert("RGB")
    return Decoded(np.asarray(image).reshape(fitting.shape), size, tuple(changes))
