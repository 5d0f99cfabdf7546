"""Augmentation: random variants of the pictures that a network learns from, other ones in each epoch.

What becomes of a picture is a function of (seed, epoch, row): nothing is stored, and the batch does not
matter. Pictures that validate or test are never augmented; whoever trains calls this for training rows only.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ganglion.checks import check_integer, check_number
from ganglion.core.part import Array
from ganglion.core.random import Purpose, fractions_of_rows
from ganglion.errors import ConfigError, DataError, ShapeError, one_of, shortened

FLIPS = ("none", "horizontal", "vertical", "both")
# The independent choices for one picture. Their numbers stay, so that seeds keep their meaning.
MIRROR, OVERTURN, ACROSS, DOWN, ANGLE, SCALE, WINDOW, WINDOW_ACROSS, WINDOW_DOWN = range(9)
BRIGHTER, STRONGER, HOLE_ACROSS, HOLE_DOWN, PARTNER, PORTION = range(9, 15)
PIXELS = 2**17  # resampled at once, so that they stay in the processor's cache


@dataclass(frozen=True)
class Augmentation:
    """Random changes of pictures in training. By default there are none.

    Changes of the geometry are one resampling with bilinear weights; beyond the border the outermost pixels
    repeat.

    Args:
        flip: "none"; "horizontal", left and right swapped in every second picture; "vertical", or "both".
        shift: the largest shift in each direction, as a fraction of the side, 0 to 0.5.
        rotate: the largest angle in either direction, in degrees, 0 to 180.
        zoom: the largest enlargement, 0.2 for 20 percent; a picture is enlarged or reduced by up to this
            factor.
        crop: the largest fraction of each side that is cut off; the rest, anywhere in the picture, is
            enlarged to its full size. 0 to 0.9.
        brightness: the largest change of brightness, as a fraction of white, 0 to 1.
        contrast: the largest change of contrast about the picture's mean, 0.2 for 20 percent.
        cutout: the side of a square at a random place that is filled with the picture's mean, as a fraction
            of the shorter side, 0 to 0.75 (DeVries and Taylor, 2017).
        mixup: the largest fraction of another picture that is blended in, 0 to 0.5, drawn evenly (Zhang et
            al., 2018, with alpha = 1 for 0.5). A training blends the targets alike, as `partners` says.

    Raises:
        ConfigError: for a setting out of range.

    >>> import numpy as np
    >>> from ganglion.images import Augmentation
    >>> images = np.arange(2 * 16, dtype=np.uint8).reshape(2, 4, 4, 1)
    >>> changed = Augmentation(shift=0.1).apply(images, seed=0, epoch=3, rows=np.array([1]))
    >>> changed.shape
    (1, 4, 4, 1)
    """

    flip: str = "none"
    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    crop: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0

    def __post_init__(self) -> None:
        if self.flip not in FLIPS:
            raise ConfigError(
                f"flip must be one of {', '.join(FLIPS)}, got {shortened(self.flip)}",
                one_of(str(self.flip), FLIPS),
            )
        most = {
            "shift": 0.5,
            "rotate": 180,
            "zoom": 4,
            "crop": 0.9,
            "brightness": 1,
            "contrast": 0.99,
            "cutout": 0.75,
            "mixup": 0.5,
        }
        for field in fields(self)[1:]:
            check_number(field.name, getattr(self, field.name), at_least=0, at_most=most[field.name])

    def apply(self, images: Array, seed: int, epoch: int, rows: Array, among: Array | None = None) -> Array:
        """Return variants of some of the pictures.

        Args:
            images: all pictures, bytes of shape (n, height, width, channels); they are not changed.
            seed: of the training.
            epoch: its number.
            rows: the positions of the pictures wanted.
            among: the positions of the pictures that may be blended in, those of the training; None for all.

        Returns:
            Bytes of shape (len(rows), height, width, channels). A row has the same variant whatever else is
            in `rows`.

        Raises:
            ShapeError: if `images` are not bytes of that shape; DataError: for a row that they do not have.
            ConfigError: for a seed or an epoch out of range.
        """
        rows = _checked(images, rows)
        _check_position(seed, epoch)
        changed = self._changed(images, seed, epoch, rows)
        if not self.mixup:
            return changed
        others, portion = self.partners(seed, epoch, rows, np.arange(len(images)) if among is None else among)
        blended = self._changed(images, seed, epoch, _checked(images, others)).astype(np.float32)
        portion = portion.astype(np.float32)[:, None, None, None]
        return _to_bytes(changed + portion * (blended - changed))

    def partners(self, seed: int, epoch: int, rows: Array, among: Array) -> tuple[Array, Array]:
        """Return which pictures `mixup` blends in, and their fractions.

        A target `t` of zeros and ones, or of numbers, becomes

            (1 - fraction) * t[rows] + fraction * t[others]

        Args:
            seed: as in `apply`.
            epoch: as in `apply`.
            rows: as in `apply`.
            among: the positions of the pictures that may be blended in.

        Returns:
            The positions of the other pictures and the fractions, each of shape (len(rows),).
        """
        _check_position(seed, epoch)
        if not len(among):
            raise DataError("mixup needs pictures to blend in, got none", "pass the rows of the training")
        chosen = self._draw(seed, epoch, PARTNER, rows) * len(among)
        return among[chosen.astype(np.int64)], self.mixup * self._draw(seed, epoch, PORTION, rows)

    def _changed(self, images: Array, seed: int, epoch: int, rows: Array) -> Array:
        """Return the variants without blending."""
        height, width = images.shape[1:3]
        matrix, offset = self._geometry(seed, epoch, rows, height, width)
        result = np.empty((len(rows), *images.shape[1:]), np.uint8)
        if not self._moves:
            result[...] = images[rows]
        else:
            at_once = max(1, PIXELS // (height * width * images.shape[3]))
            for start in range(0, len(rows), at_once):
                part = slice(start, start + at_once)
                _resample(images[rows[part]], matrix[part], offset[part], result[part])
        if self.brightness or self.contrast:
            mean = _means(result)
            factor = 1 + self.contrast * self._signed(seed, epoch, STRONGER, rows)
            added = mean * (1 - factor) + 255 * self.brightness * self._signed(seed, epoch, BRIGHTER, rows)
            factor, added = (x[:, None, None, None] for x in (factor, added))
            result = _to_bytes(result * factor.astype(np.float32) + added.astype(np.float32))
        if self.cutout:
            self._cut(result, seed, epoch, rows)
        return result

    @property
    def _moves(self) -> bool:
        return self.flip != "none" or any((self.shift, self.rotate, self.zoom, self.crop))

    def _geometry(self, seed: int, epoch: int, rows: Array, height: int, width: int) -> tuple[Array, Array]:
        """Return for each picture a matrix and an offset: from a pixel of the variant to where it comes from.

        Both are relative to the center, in pixels, (down, across): source = matrix @ pixel + offset.
        """
        angle = np.radians(self.rotate) * self._signed(seed, epoch, ANGLE, rows)
        scale = (1 + self.zoom) ** -self._signed(seed, epoch, SCALE, rows)
        cut = self.crop * self._draw(seed, epoch, WINDOW, rows)
        scale = scale * (1 - cut)
        overturned = self._flips(seed, epoch, OVERTURN, rows, "vertical")
        mirrored = self._flips(seed, epoch, MIRROR, rows, "horizontal")
        sine, cosine = np.sin(angle) * scale, np.cos(angle) * scale
        matrix = np.stack(
            [cosine * overturned, -sine * mirrored, sine * overturned, cosine * mirrored], axis=1
        )
        sides = np.array([height, width])
        shift = np.stack([self._signed(seed, epoch, choice, rows) for choice in (DOWN, ACROSS)], axis=1)
        window = np.stack(
            [self._signed(seed, epoch, choice, rows) for choice in (WINDOW_DOWN, WINDOW_ACROSS)], axis=1
        )
        offset = sides * (self.shift * shift + 0.5 * cut[:, None] * window)
        return matrix.reshape(-1, 2, 2), offset

    def _flips(self, seed: int, epoch: int, choice: int, rows: Array, direction: str) -> Array:
        """Return -1 for each picture to flip, 1 for the others."""
        flipped = (self._draw(seed, epoch, choice, rows) < 0.5) & (self.flip in (direction, "both"))
        return np.where(flipped, -1.0, 1.0)

    def _cut(self, images: Array, seed: int, epoch: int, rows: Array) -> None:
        """Fill a square in each picture with its mean."""
        height, width = images.shape[1:3]
        side = max(1, round(self.cutout * min(height, width)))
        mean = np.rint(_means(images)).astype(np.uint8)
        top = (self._draw(seed, epoch, HOLE_DOWN, rows) * (height - side + 1)).astype(np.int64)
        left = (self._draw(seed, epoch, HOLE_ACROSS, rows) * (width - side + 1)).astype(np.int64)
        inside = np.arange(side)
        place = (
            np.arange(len(rows))[:, None, None],
            (top[:, None] + inside)[:, :, None],
            (left[:, None] + inside)[:, None, :],
        )
        images[place] = mean[:, None, None, None]

    def _signed(self, seed: int, epoch: int, choice: int, rows: Array) -> Array:
        """Return a random number from -1 to 1 for each row."""
        return 2 * self._draw(seed, epoch, choice, rows) - 1

    @staticmethod
    def _draw(seed: int, epoch: int, choice: int, rows: Array) -> Array:
        return fractions_of_rows(seed, Purpose.AUGMENTATION, epoch, choice, rows)


def _checked(images: Array, rows: Array) -> Array:
    """Return the positions of pictures, after checking both."""
    if not isinstance(images, np.ndarray) or images.ndim != 4 or images.dtype != np.uint8:
        raise ShapeError(
            f"images must be bytes of shape (n, height, width, channels), got {shortened(images)}"
        )
    rows = np.asarray(rows)
    if (
        rows.ndim != 1
        or rows.dtype.kind not in "iu"
        or (len(rows) and not 0 <= rows.min() <= rows.max() < len(images))
    ):
        raise DataError(f"rows must be positions among {len(images)} pictures, got {shortened(rows)}")
    return rows


def _check_position(seed: int, epoch: int) -> None:
    check_integer("seed", seed, at_least=0, at_most=2**64 - 1)
    check_integer("epoch", epoch, at_least=0)


def _resample(images: Array, matrix: Array, offset: Array, result: Array) -> None:
    """Write into `result` the pixels of each picture at matrix @ pixel + offset, relative to its center.

    The value between four pixels is the bilinear mean of them.
    """
    count, height, width, channels = images.shape
    corner, fraction, step = np.arange(count)[:, None, None] * (height * width), [], []
    for axis, (size, stride) in enumerate(((height, width), (width, 1))):
        below, right = (np.arange(side, dtype=np.float32) - (side - 1) / 2 for side in (height, width))
        factors = matrix[:, axis].astype(np.float32)
        source = (factors[:, 0, None] * below)[:, :, None] + (factors[:, 1, None] * right)[:, None, :]
        source += (offset[:, axis] + (size - 1) / 2).astype(np.float32)[:, None, None]
        np.clip(source, 0, size - 1, out=source)
        whole = source.astype(np.intp)
        fraction.append((source - whole).astype(np.float32))
        corner = corner + whole * stride
        step.append((whole < size - 1) * stride)
    down, across = fraction
    places = (corner, corner + step[1], corner + step[0], corner + step[0] + step[1])
    for channel in range(channels):
        plane = np.ascontiguousarray(images[..., channel]).ravel()
        upper, upper_right, lower, lower_right = (plane[place].astype(np.float32) for place in places)
        upper += across * (upper_right - upper)
        lower += across * (lower_right - lower)
        upper += down * (lower - upper)
        result[..., channel] = _to_bytes(upper)


def _means(images: Array) -> Array:
    """Return the mean of each picture; sums of whole numbers do not depend on the order of adding."""
    return images.sum(axis=(1, 2, 3), dtype=np.int64) / np.prod(images.shape[1:])


def _to_bytes(values: Array) -> Array:
    values += np.float32(0.5)
    return np.clip(values, 0, 255, out=values).astype(np.uint8)
