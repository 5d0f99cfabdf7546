"""Windows over images and signals: where pools and convolutions look.

Axes are numbered without the rows and channels: an image has a height and a width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.part import Array, Shape
from ganglion.errors import ConfigError, ShapeError, one_of, shortened

if TYPE_CHECKING:
    from ganglion.core.arithmetic import Index, TracedStep

LARGEST_WINDOW = 2**20


@dataclass(frozen=True)
class Windows:
    """The windows along one axis, `stride` apart; the first begins `before` places before the edge.

    Args:
        size: of the axis.
        window: the number of elements of a window.
        stride: the distance between windows.
        count: the number of windows.
        before: how many places the first window begins before the edge.
        dilation: the distance between the elements of a window.
    """

    size: int
    window: int
    stride: int
    count: int
    before: int
    dilation: int = 1

    @property
    def reach(self) -> int:
        """How many places a window extends over."""
        return (self.window - 1) * self.dilation + 1

    @property
    def after(self) -> int:
        """How many places the last window extends beyond the other edge."""
        return max((self.count - 1) * self.stride + self.reach - self.before - self.size, 0)

    def places(self, element: int) -> slice:
        """Return one element of every window, as a slice of the padded axis."""
        first = element * self.dilation
        return slice(first, first + (self.count - 1) * self.stride + 1, self.stride)

    def seen(self, number: int) -> list[tuple[int, int]]:
        """Return the elements of a window that lie inside the edges, each with its place on the axis."""
        first = number * self.stride - self.before
        places = [(element, first + element * self.dilation) for element in range(self.window)]
        return [(element, place) for element, place in places if 0 <= place < self.size]

    def over(self, place: int) -> list[tuple[int, int]]:
        """Return the elements, and their windows, that lie on a place of the axis."""
        found = []
        for number in range(self.count):
            element, rest = divmod(place + self.before - number * self.stride, self.dilation)
            if not rest and 0 <= element < self.window:
                found.append((element, number))
        return found


def place_windows(size: int, window: int, stride: int, padding: Any, dilation: int = 1) -> Windows:
    """Return the windows along an axis; their number is less than 1 if not even one fits.

    Args:
        size: of the axis.
        window: the number of elements of a window.
        stride: the distance between windows.
        padding: "valid" uses whole windows only; "same" uses ceil(size / stride) windows, which extend beyond
            the edges by max((count - 1) * stride + reach - size, 0) places, the smaller half of them first;
            "causal" is as "same", but no window looks beyond its own place; two numbers are the places added
            before and after.
        dilation: the distance between the elements of a window.
    """
    reach = (window - 1) * dilation + 1
    if padding in ("same", "causal"):
        count = -(-size // stride)
        missing = max((count - 1) * stride + reach - size, 0)
        return Windows(
            size, window, stride, count, reach - 1 if padding == "causal" else missing // 2, dilation
        )
    before, after = (0, 0) if padding == "valid" else padding
    return Windows(size, window, stride, (size + before + after - reach) // stride + 1, before, dilation)


def sizes(what: str, value: Any, axes: int = 2) -> tuple[int, ...]:
    """Return a size for each axis, given one for each or one for all.

    Raises:
        ConfigError: for anything but whole numbers from 1 on.
    """
    given = tuple(value) if isinstance(value, tuple | list) else (value,) * axes
    if len(given) != axes:
        words = {1: "one whole number", 2: "one whole number or two"}[axes]
        raise ConfigError(f"{what} must be {words}, got {shortened(value)}")
    return tuple(check_integer(what, each, at_least=1, at_most=LARGEST_WINDOW) for each in given)


def paddings(value: Any, known: tuple[str, ...], axes: int = 2) -> str | tuple[tuple[int, int], ...]:
    """Return a known word, or the places added before and after each axis.

    They may be given as one number for all, as one for each axis, or as two for each axis.

    Raises:
        ConfigError: for another word, or anything but whole numbers from 0 on.
    """
    if isinstance(value, str):
        if value not in known:
            raise ConfigError(f"there is no padding {shortened(value)}", one_of(value, known))
        return value
    return edges("padding", value, axes, known)


def edges(what: str, value: Any, axes: int = 2, known: tuple[str, ...] = ()) -> tuple[tuple[int, int], ...]:
    """Return the places before and after each axis.

    They may be given as one number for all, as one for each axis, or as two for each axis. An error names the
    `known` words too.

    Raises:
        ConfigError: for anything but whole numbers from 0 on.
    """
    given = tuple(value) if isinstance(value, tuple | list) else (value,) * axes
    pairs = [tuple(each) if isinstance(each, tuple | list) else (each, each) for each in given]
    if len(pairs) != axes or any(len(pair) != 2 for pair in pairs):
        words = "".join(f"{word!r}, " for word in known)
        raise ConfigError(
            f"{what} must be {words}one whole number, one for each axis, or two for each axis, got "
            f"{shortened(value)}"
        )
    limit = LARGEST_WINDOW
    return tuple(
        (
            check_integer(what, before, at_least=0, at_most=limit),
            check_integer(what, after, at_least=0, at_most=limit),
        )
        for before, after in pairs
    )


def check_images(name: str, shape: Shape) -> None:
    """Raise `ShapeError` unless the inputs of the layer of that name are images."""
    if len(shape) != 3:
        raise ShapeError(
            f"{name} needs images of shape (height, width, channels), got inputs of shape {shape}",
            "put gg.Reshape((height, width, channels)) before it",
        )


def padded(x: Array, windows: list[Windows], value: float = 0) -> Array:
    """Return images padded with `value` where windows extend beyond the edges."""
    around = ((0, 0), *((axis.before, axis.after) for axis in windows), (0, 0))
    return np.pad(x, around, constant_values=value) if any(map(any, around)) else x


def inside(x: Array, windows: list[Windows]) -> Array:
    """Return padded images without their padding."""
    height, width = windows
    return x[:, height.before : height.before + height.size, width.before : width.before + width.size]


def describe_window(step: TracedStep, windows: list[Windows], index: Index, channel: int) -> str:
    """Return where the window of an output lies in one channel of the input, such as "x[2:5, 0:3, 1]"."""
    symbol = step.input_symbol((*(0 for _ in windows), channel))
    ranges, pads = [], False
    for axis, number in zip(windows, index[:-1], strict=True):
        seen = axis.seen(number)
        first, last = (seen[0][1], seen[-1][1]) if seen else (0, -1)
        ranges.append(f"{first}:{last + 1}" + (f":{axis.dilation}" if axis.dilation > 1 else ""))
        pads |= len(seen) < axis.window
    owner = f"{symbol.layer}." if symbol.layer else ""
    return f"{owner}{symbol.letter}[{', '.join(ranges)}, {channel}]" + (" and padding" if pads else "")


def grid_of_window(
    step: TracedStep, windows: list[Windows], row: int, index: Index, channel: int
) -> list[list[float | None]]:
    """Return what the window of an output sees of one channel, with None for padding, as rows of numbers."""
    axes = [
        [dict(axis.seen(number)).get(element) for element in range(axis.window)]
        for axis, number in zip(windows, index[:-1], strict=True)
    ]
    rows, columns = axes if len(axes) == 2 else ([0], axes[0])  # a signal is an image of height 1
    x = step.x[row, ..., channel].reshape(-1, windows[-1].size)
    return [[None if None in (i, j) else float(x[i, j]) for j in columns] for i in rows]
