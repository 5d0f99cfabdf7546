"""Rows that are made when they are needed: the same bits as the arrays that they stand for."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pytest

import ganglion as gg
from ganglion.core import rows as rows_module
from ganglion.core.supply import Supply


class Bytes(Supply):
    """Bytes as fractions; in later epochs some are brighter."""

    def __init__(self, pixels: Any, which: Any = None, epoch: int = 0) -> None:
        self.pixels, self.epoch = pixels, epoch
        self.which = np.arange(len(pixels)) if which is None else which
        self.shape = (len(self.which), *pixels.shape[1:])

    def __getitem__(self, which: Any) -> Self:
        return type(self)(self.pixels, self.which[which], self.epoch)

    def toarray(self) -> Any:
        brighter = 1 + self.epoch * (self.which % 2)
        shape = (-1, *[1] * (self.pixels.ndim - 1))
        return (self.pixels[self.which] / 255 * brighter.reshape(shape)).astype(np.float32)


class Fixed(Bytes):
    def in_epoch(self, epoch: int) -> Self:
        return self


class Brightened(Bytes):
    def in_epoch(self, epoch: int) -> Self:
        return type(self)(self.pixels, self.which, epoch)


def pictures(count: int = 50) -> tuple[Any, Any]:
    chance = np.random.default_rng(0)
    return chance.integers(0, 256, (count, 4, 4, 1), dtype=np.uint8), chance.integers(0, 3, count)


def network(engine: str = "auto") -> gg.Network:
    layers = [gg.Conv2D(2, activation="relu"), gg.Flatten(), gg.Dense(3, "softmax")]
    return gg.Network(layers, inputs=(4, 4, 1), engine=engine)


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("numbers", [2**23, 100])
def test_the_same_bits_as_the_array(engine: str, numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "NUMBERS_AT_ONCE", numbers)
    pixels, y = pictures()
    weight = np.linspace(0.5, 2, len(y))
    lazy, dense = network(engine), network(engine)
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 8, "sample_weight": weight}
    first = lazy.fit(Fixed(pixels), y, validation=(Fixed(pixels[:20]), y[:20]), **settings)
    array = Fixed(pixels).toarray()
    second = dense.fit(array, y, validation=(array[:20], y[:20]), **settings)
    assert (lazy.parameters == dense.parameters).all()
    assert first.validation_loss == second.validation_loss
    assert (lazy.predict(Fixed(pixels)) == dense.predict(array)).all()


def test_each_epoch_learns_from_its_own_rows() -> None:
    pixels, y = pictures()
    whole, apart = network(), network()
    whole.fit(Brightened(pixels), y, epochs=3, batch_size=8)
    for epoch in range(3):
        apart.fit(Brightened(pixels, epoch=epoch).toarray(), y, epochs=1, batch_size=8)
    assert (whole.parameters == apart.parameters).all()
    fixed = network()
    fixed.fit(Fixed(pixels), y, epochs=3, batch_size=8)
    assert (whole.parameters != fixed.parameters).any()


def test_a_wrong_shape_is_refused() -> None:
    pixels, y = pictures()
    with pytest.raises(gg.ShapeError, match="must have shape"):
        network().fit(Fixed(pixels[:, :3]), y)


def test_no_rows_have_no_predictions() -> None:
    pixels, _ = pictures()
    assert network().predict(Fixed(pixels[:0])).shape == (0, 3)
