"""A trace at a glance: every layer on a few lines, as text and as HTML."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np

from ganglion.core.bags import Bags
from ganglion.core.part import Array
from ganglion.insight.trace.equation import figure
from ganglion.insight.trace.layer_trace import LayerTrace
from ganglion.insight.trace.pixels import image_cells

if TYPE_CHECKING:
    from ganglion.insight.trace import Trace

MOST_NUMBERS = 8
MOST_CELLS = 64
BARS = "▁▂▃▄▅▆▇█"


def overview_text(trace: Trace) -> str:
    """Return the overview: the numbers of each layer for the first row, forward and backward."""
    lines = [_title(trace), ""]
    rows = [("layer", "", "first row", "")]
    rows += [("input", name, *_shown_input(values)) for name, values in trace.inputs.items()]
    for part in trace.layers:
        label = f"{part.name}: {part.layer.describe()}"
        if part.layer.is_random and not trace.training:
            rows.append((label, "a", "unchanged: dropout acts only while training", ""))
            continue
        if part.activation is not None and part.activation.name != "identity":
            rows.append((label, "z", *_shown(part.z[0])))
            label = ""
        rows.append((label, "a", *_shown(part.a[0])))
        if part.grad_z is not None:
            name = "z" if part.activation is not None else "a"
            rows.append(("", f"∂L/∂{name}", *_shown(part.grad_z[0])))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for a, b, c, d in rows:
        lines.append(f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d}".rstrip())
    if trace.loss is not None:
        lines += ["", _gradient_line(trace)]
    return "\n".join(lines)


def next_calls(trace: Trace) -> str:
    """Return methods of the trace to call next, as Python code."""
    first = trace.layers[0]
    place = ", ".join(str(size // 2) for size in first.a.shape[1:-1])
    calls = f"next: .unit({first.name!r}, {f'({place}, 0)' if place else '0'})"
    for part in trace.layers:
        for name, values in part.gradients.items():
            place = ", ".join("0" for _ in values.shape)
            place = f"({place})" if values.ndim > 1 else "0"
            key = f"{part.name}/{name}"
            return f"{calls}, .gradient({key!r}, {place}), .update({key!r}, {place}), .verify()"
    return calls


def _title(trace: Trace) -> str:
    count = trace.layers[0].count
    rows = f"{count} rows" if count > 1 else "1 row"
    mode = "as in the next training step" if trace.training else "as when predicting"
    loss = "" if trace.loss is None else f"; loss {figure(trace.loss)}"
    layers = f"{len(trace.layers)} layers" if len(trace.layers) > 1 else "1 layer"
    return f"{rows} through {layers}, {mode}{loss}"


def _gradient_line(trace: Trace) -> str:
    parts = [
        f"{part.name}/{name} {figure(float(np.linalg.norm(values)))}"
        for part in trace.layers
        for name, values in part.gradients.items()
    ]
    return "size of the gradient: " + ", ".join(parts)


def _shown_input(values: Array | Bags) -> tuple[str, str]:
    """Return the input of the first row."""
    if isinstance(values, Bags):
        first = values.tolist()[0]
        return " ".join(map(str, first[:MOST_NUMBERS])) + (" …" if len(first) > MOST_NUMBERS else ""), ""
    return _shown(values[0])


def _shown(values: Array) -> tuple[str, str]:
    """Return numbers, or their range if there are many, and a strip of bars."""
    flat = values.ravel()
    if flat.size <= MOST_NUMBERS:
        return "  ".join(f"{v + 0.0:.4g}" for v in flat), ""
    count = f"{flat.size}"
    if is_image(values):
        count = " x ".join(map(str, values.shape))
    text = f"{count} numbers from {flat.min():.4g} to {flat.max():.4g}, mean {flat.mean():.4g}"
    return text, _strip(flat) if flat.size <= MOST_CELLS else ""


def is_image(values: Array) -> bool:
    """Return whether a value is an image with the channels last, and not a single pixel."""
    return values.ndim == 3 and min(values.shape[:2]) > 1


def _strip(values: Array) -> str:
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high) and high > low):
        return ""
    places = ((values - low) / (high - low) * (len(BARS) - 1)).round().astype(int)
    return "".join(BARS[place] for place in places)


def overview_html(trace: Trace) -> str:
    """Return the overview as an HTML table with a colored cell for each number."""
    rows = [
        _html_row("input", name, np.array(values.tolist()[0]) if isinstance(values, Bags) else values[0])
        for name, values in trace.inputs.items()
    ]
    for part in trace.layers:
        rows += _html_layer(part)
    style = "border-collapse:collapse;font-size:12px"
    return f"<div><b>{html.escape(_title(trace))}</b><table style='{style}'>{''.join(rows)}</table></div>"


def _html_layer(part: LayerTrace) -> list[str]:
    label = f"{part.name}: {part.layer.describe()}"
    pairs: list[tuple[str, Array | None]] = [("a", part.a), ("∂L/∂a", part.grad_a)]
    if part.activation is not None:
        pairs = [("z", part.z), *pairs, ("∂L/∂z", part.grad_z)]
    given = [(name, values) for name, values in pairs if values is not None]
    return [_html_row(label if n == 0 else "", name, values[0]) for n, (name, values) in enumerate(given)]


def _html_row(label: str, name: str, values: Array) -> str:
    flat = values.ravel()
    largest = float(np.abs(flat[np.isfinite(flat)]).max(initial=0.0)) or 1.0
    heads = f"<th style='text-align:left'>{html.escape(label)}</th><th>{html.escape(name)}</th>"
    if is_image(values):
        return f"<tr>{heads}{image_cells(values, largest)}</tr>"
    style = "color:#000;padding:2px 4px;background:"
    cells = "".join(
        f"<td title='{figure(v)}' style='{style}{_color(v / largest)}'>{v:.3g}</td>"
        for v in flat[:MOST_CELLS]
    )
    more = f"<td>… {flat.size - MOST_CELLS} more</td>" if flat.size > MOST_CELLS else ""
    return f"<tr>{heads}{cells}{more}</tr>"


def _color(strength: float) -> str:
    """Return blue for positive and orange for negative, paler nearer 0."""
    strength = float(np.clip(np.nan_to_num(strength), -1, 1))
    full = (33, 102, 172) if strength > 0 else (224, 130, 20)
    parts = [round(255 + (channel - 255) * abs(strength) * 0.7) for channel in full]
    return f"rgb({parts[0]},{parts[1]},{parts[2]})"
