"""An activation made of others, each of which acts on its own part of the outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.activations.base import Activation
from ganglion.core.part import Array, PartsField
from ganglion.errors import ConfigError, ShapeError, shortened


@dataclass(frozen=True)
class Sections(Activation):
    """Divides the last axis into sections and applies an activation to each: a network with several heads.

    Args:
        activations: the activation of each section, by name or as an `Activation`.
        sizes: the number of outputs of each section but the last, which takes all others.

    Raises:
        ConfigError: unless there is one size less than activations.

    >>> heads = Sections(["softmax", "identity"], sizes=(2,))  # one of two classes, and a number
    >>> heads.forward(np.array([[0.0, 0.0, 7.0]]))
    array([[0.5, 0.5, 7. ]])
    """

    activations: PartsField[Activation] = PartsField(Activation)
    sizes: tuple[int, ...] = ()

    name = "sections"
    formula = "f_s(z) in each section s"
    derivative = "f_s'(z) in each section s"
    per_row = True
    use = "the outputs of a network with several heads"

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", check_sizes(self.sizes, len(self.activations), "activations"))
        if any(isinstance(each, Sections) for each in self.activations):
            raise ConfigError("a section must not be divided into sections", "list all sections in one")

    @property
    def range(self) -> tuple[float, float]:  # type: ignore[override]
        """The range that holds the outputs of every section."""
        lows, highs = zip(*(each.range for each in self.activations), strict=True)
        return min(lows), max(highs)

    def settings(self) -> dict[str, float]:
        return {}

    def check_width(self, width: int) -> None:
        section_slices(self.sizes, width)

    def section(self, place: int, width: int) -> tuple[Activation, slice]:
        parts = zip(self.activations, section_slices(self.sizes, width), strict=True)
        return next((each, part) for each, part in parts if place < part.stop)

    def forward(self, z: Array) -> Array:
        parts = section_slices(self.sizes, z.shape[-1])
        each = [f.forward(z[..., part]) for f, part in zip(self.activations, parts, strict=True)]
        return np.concatenate(each, axis=-1)

    def backward(self, grad_a: Array, z: Array, a: Array) -> Array:
        parts = section_slices(self.sizes, z.shape[-1])
        each = [
            f.backward(grad_a[..., part], z[..., part], a[..., part])
            for f, part in zip(self.activations, parts, strict=True)
        ]
        return np.concatenate(each, axis=-1)


def check_sizes(sizes: object, parts: int, what: str) -> tuple[int, ...]:
    """Return the sizes.

    Raises:
        ConfigError: unless there is one for each part but the last.
    """
    if not isinstance(sizes, tuple | list) or len(sizes) != parts - 1:
        raise ConfigError(
            f"sizes must give the outputs of each section but the last, so {parts - 1} for {parts} {what}, "
            f"got {shortened(sizes)}"
        )
    return tuple(check_integer("a size", size, at_least=1, at_most=2**31) for size in sizes)


def section_slices(sizes: tuple[int, ...], width: int) -> list[slice]:
    """Return where each section lies in the last axis.

    Raises:
        ShapeError: if nothing is left for the last one.
    """
    ends = np.cumsum([0, *sizes]).tolist()
    if ends[-1] >= width:
        raise ShapeError(
            f"sections of {', '.join(map(str, sizes))} outputs and a last one need at least {ends[-1] + 1} "
            f"outputs, got {width}"
        )
    return [slice(start, stop) for start, stop in zip(ends, [*ends[1:], width], strict=True)]
