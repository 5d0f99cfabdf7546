"""Pictures as the rows of a network: standardized numbers, made from bytes when they are needed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ganglion.core.part import Array
from ganglion.core.supply import Supply
from ganglion.images.augmentation import Augmentation

WHITE = 255
AT_ONCE = 2**22  # bytes looked at in one go


@dataclass(frozen=True)
class Scaling:
    """How bytes become numbers: (byte / 255 - mean) / deviation, for each channel.

    Args:
        mean: of the channels, in fractions of white.
        deviation: their standard deviations, in fractions of white.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def fit(cls, images: Array, rows: Array) -> Self:
        """Return the scaling that standardizes some of the pictures; a channel of one color stays 0."""
        channels = images.shape[3]
        counts = np.zeros((channels, WHITE + 1), dtype=np.int64)
        step = max(1, AT_ONCE // max(1, images[0].size))
        for first in range(0, len(rows), step):
            some = images[rows[first : first + step]]
            for channel in range(channels):
                counts[channel] += np.bincount(some[..., channel].reshape(-1), minlength=WHITE + 1)
        levels = np.arange(WHITE + 1) / WHITE
        mean = counts @ levels / counts.sum(axis=1)
        variance = (counts * (levels - mean[:, None]) ** 2).sum(axis=1) / counts.sum(axis=1)
        deviation = np.where(variance > 0, np.sqrt(variance), 1.0)
        return cls(tuple(mean.tolist()), tuple(deviation.tolist()))

    def apply(self, images: Array) -> Array:
        """Return bytes of shape (n, height, width, channels) as numbers in float32."""
        factors, shifts = (np.array(each, np.float32) for each in self.line)
        numbers = images.astype(np.float32)
        numbers *= factors
        numbers += shifts
        return numbers

    @property
    def line(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The factor and the shift of each channel: byte * factor + shift."""
        mean, deviation = (np.asarray(values) for values in (self.mean, self.deviation))
        return tuple((1 / (WHITE * deviation)).tolist()), tuple((-mean / deviation).tolist())


@dataclass(frozen=True)
class PictureRows(Supply):
    """Some of the pictures of a store, scaled, and in training augmented anew in each epoch.

    Args:
        images: bytes of shape (n, height, width, channels).
        scaling: of the bytes.
        rows: the positions of the pictures.
        augmentation: random changes; None for none.
        seed: of the changes.
        epoch: in which the pictures are learned from.
        among: the positions of all pictures of the epoch, which mixup may blend in; None for all of `images`.
    """

    images: Array
    scaling: Scaling
    rows: Array
    augmentation: Augmentation | None = None
    seed: int = 0
    epoch: int = 0
    among: Array | None = None

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """As of the array of numbers."""
        return (len(self.rows), *self.images.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: Any) -> Self:
        return dataclasses.replace(self, rows=self.rows[which])

    def in_epoch(self, epoch: int) -> Self:
        return dataclasses.replace(self, epoch=epoch, among=self.rows)

    def targets(self, y: Array) -> Array:
        if self.augmentation is None or not self.augmentation.mixup:
            return y
        others, portion = self.augmentation.partners(self.seed, self.epoch, self.rows, np.arange(len(y)))
        portion = portion.astype(y.dtype).reshape(-1, *[1] * (y.ndim - 1))
        return y + portion * (y[others] - y)

    def toarray(self) -> Array:
        if self.augmentation is None:
            return self.scaling.apply(self.images[self.rows])
        changed = self.augmentation.apply(self.images, self.seed, self.epoch, self.rows, self.among)
        return self.scaling.apply(changed)
