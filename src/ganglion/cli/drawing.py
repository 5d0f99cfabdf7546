"""Small pictures made of characters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence


def curve(series: dict[str, Sequence[float]], width: int = 60, height: int = 9) -> str:
    """Return one or two series as a plot: `*` for the first, `o` for the second, `#` where they meet.

    The vertical axis is logarithmic where the values span more than a factor of 20.
    """
    drawn = {name: [v for v in values if math.isfinite(v)] for name, values in series.items()}
    drawn = {name: values for name, values in drawn.items() if len(values) > 1}
    if not drawn:
        return ""
    low, high = (f(f(values) for values in drawn.values()) for f in (min, max))
    logarithmic = low > 0 and math.log(high) - math.log(low) > math.log(20)
    measure: Callable[[float], float] = math.log if logarithmic else lambda value: value / 4
    bottom, top = measure(low), measure(high)

    def scaled(value: float) -> float:
        return (measure(value) - bottom) / (top - bottom) if top > bottom else 0.5

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
    ends = f"{'':>{margin}}  1{f' {longest} epochs':>{width - 1}}"
    return "\n".join([*lines, axis, ends, f"{'':>{margin}}  {legend}"])
