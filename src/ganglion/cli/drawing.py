"""Small pictures made of characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ganglion.core.part import Array

SHADES = " .:-=+*#%@"


def curve(series: dict[str, Sequence[float]], width: int = 60, height: int = 9) -> str:
    """Return one or two series as a plot: `*` for the first, `o` for the second, `#` where they meet.

    The vertical axis is logarithmic where the values span more than a factor of 20.
    """
    drawn = {name: [v for v in values if math.isfinite(v)] for name, values in series.items()}
    drawn = {name: values for name, values in drawn.items() if len(values) > 1}
    if not drawn:
        return ""
    low, high = (f(f(values) for values in drawn.values()) for f in (min, max))
    logarithmic = low > 0 and high / low > 20

    def scaled(value: float) -> float:
        if high == low:
            return 0.5
        if logarithmic:
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)

    longest = max(map(len, drawn.values()))
    width = min(width, longest)
    grid = [[" "] * width for _ in range(height)]
    for values, mark in zip(drawn.values(), "*o", strict=False):
        for column in range(width):
            value = values[min(round(column * (longest - 1) / max(width - 1, 1)), len(values) - 1)]
            row = height - 1 - round(scaled(value) * (height - 1))
            grid[row][column] = mark if grid[row][column] == " " else "#"
    labels = [f"{high:.3g}", *[""] * (height - 2), f"{low:.3g}"]
    margin = max(map(len, labels))
    lines = [f"{label:>{margin}} |{''.join(line)}" for label, line in zip(labels, grid, strict=True)]
    axis = f"{'':>{margin}} +{'-' * width}"
    legend = "   ".join(f"{mark} {name}" for name, mark in zip(drawn, "*o", strict=False))
    ends = f"{'':>{margin}}  1{f'{longest} epochs':>{max(width - 1, 8)}}"
    return "\n".join([*lines, axis, ends, f"{'':>{margin}}  {legend}"])


def matrix(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Return a confusion matrix with true classes down and predicted classes across."""
    names = [name if len(name) <= 14 else name[:13] + "~" for name in classes]
    margin = max(len("true \\ predicted"), *map(len, names))
    widths = [max(len(name), *(len(str(line[i])) for line in counts)) for i, name in enumerate(names)]
    head = "true \\ predicted".ljust(margin)
    lines = [head + "".join(f"  {name:>{w}}" for name, w in zip(names, widths, strict=True))]
    for name, line in zip(names, counts, strict=True):
        cells = "".join(f"  {count or '.':>{w}}" for count, w in zip(line, widths, strict=True))
        lines.append(f"{name:<{margin}}{cells}")
    return "\n".join(lines)


def pixels(rows: Array, captions: Sequence[str]) -> str:
    """Return square images, given as rows of brightness, side by side with a caption under each."""
    side = math.isqrt(rows.shape[1])
    bright = rows.reshape(-1, side, side) / max(float(rows.max()), 1e-9)
    shades = np.array(list(SHADES))[np.minimum((bright * len(SHADES)).astype(int), len(SHADES) - 1)]
    lines = ["   ".join("".join(c * 2 for c in image[row]) for image in shades) for row in range(side)]
    return "\n".join([*lines, "   ".join(f"{caption:<{2 * side}}" for caption in captions)])
