"""Common code of the pictures: axes, colors and markers, and the two ways to draw a network.

Negative is orange and positive is blue, which color-blind readers can distinguish. Where the difference must
also show in grayscale print, line styles or markers differ too.
"""

from __future__ import annotations

import textwrap
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ganglion.core.architecture import Architecture
from ganglion.core.layers import Dense, Layer
from ganglion.core.layers.convolution import Convolution
from ganglion.core.model import Model
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, shortened
from ganglion.optional import load

Axes = Any  # matplotlib.axes.Axes, which is loaded only when something is drawn

ORANGE, BLUE, GRAY = "#e08214", "#2166ac", "#767676"
# Okabe and Ito (2008), Color Universal Design.
CLASS_COLORS = ("#e69f00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#666666")
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<", ">")
WIDEST_LINE = 4.0  # points; narrower where there are many weights
READABLE = 10.0  # points; circles of this diameter or more show the number of their unit
WIDE = 20  # an axis is logarithmic above this ratio of largest to smallest
MOST_CELLS = 1000  # along one side of a heat map; of a larger matrix only every nth row is drawn


@runtime_checkable
class Drawable(Protocol):
    """What the pictures need from a network."""

    @property
    def architecture(self) -> Architecture: ...
    @property
    def model(self) -> Model: ...
    @property
    def parameters(self) -> Array: ...
    @property
    def state(self) -> Array: ...
    @property
    def dtype(self) -> str: ...
    def predict(self, X: Any) -> Array: ...


class WeightLayer(NamedTuple):
    """A dense layer or a convolution: its name, weights and biases, and descriptions of the layers after it.

    The weights are a matrix, (inputs, units); those of a convolution (inputs of one window, filters).
    """

    name: str
    layer: Layer
    inputs: str
    weight: Array
    bias: Array
    followers: list[str]


def check_network(net: Any) -> None:
    """Raise `ConfigError` unless `net` is a network."""
    if not isinstance(net, Drawable):
        raise ConfigError(
            f"net must be a ganglion Network, got {shortened(net)}", "for a table model, pass its .network"
        )


def check_axes(ax: Any) -> None:
    """Raise `ConfigError` unless `ax` is None or a matplotlib Axes, before anything is drawn."""
    if ax is not None and not isinstance(ax, load("matplotlib.axes", "plot").Axes):
        raise ConfigError(
            f"ax must be a matplotlib Axes, got {shortened(ax)}", "such as figure.add_subplot()"
        )


def axes_or_new(ax: Axes | None, width: float = 6.4, height: float = 4.8) -> Axes:
    """Return `ax`, or the axes of a new figure, whose size is in inches."""
    if ax is not None:
        return ax
    return load("matplotlib.pyplot", "plot").subplots(figsize=(width, height), layout="constrained")[1]


def color_map(*colors: str) -> Any:
    """Return a color map through these colors; NaN cells are light gray."""
    made = load("matplotlib.colors", "plot").LinearSegmentedColormap.from_list("ganglion", colors)
    return made.with_extremes(bad="#dddddd")


def signed_colors() -> Any:
    """Return the map from negative (orange) through 0 (white) to positive (blue)."""
    return color_map(ORANGE, "white", BLUE)


def class_color(number: int, count: int) -> str:
    """Return the color of a class: orange and blue for two, the list of Okabe and Ito for more."""
    colors = (ORANGE, BLUE) if count == 2 else CLASS_COLORS
    return colors[number % len(colors)]


def spans_much(values: Array) -> bool:
    """Return whether positive values span a range that a logarithmic axis shows better."""
    return bool(values.min() > 0 and values.max() / values.min() > WIDE)


def logarithmic_ticks(values: Array) -> Any:
    """Return a locator of logarithmic ticks: 1, 2, 5, 10 ..., or powers of 10 for a wide range."""
    steps = (1.0, 2.0, 5.0) if values.max() / values.min() < 5000 else (1.0,)
    return load("matplotlib.ticker", "plot").LogLocator(subs=steps)


def inches_wide(ax: Axes) -> float:
    """Return the width of the axes, as far as it is known before layout."""
    return float(ax.get_window_extent().width / ax.figure.dpi)


def title(ax: Axes, text: str, **settings: Any) -> None:
    """Set a title, wrapped to the width of the axes."""
    size = settings.setdefault("fontsize", 11)
    letters = max(int(inches_wide(ax) * 72 / (0.47 * size)), 12)
    ax.set_title("\n".join(textwrap.fill(line, letters) for line in text.split("\n")), **settings)


def bare(ax: Axes) -> None:
    """Remove ticks and frame."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)


def weight_layers(net: Drawable) -> tuple[list[str], list[WeightLayer]]:
    """Return descriptions of the layers before the first dense one or convolution, and those layers.

    Raises:
        ConfigError: if there is none.
        DataError: if a weight is not finite.
    """
    architecture = net.architecture
    views = architecture.views(net.parameters, net.state)
    before: list[str] = []
    found: list[WeightLayer] = []
    for step, weights in zip(architecture.steps, views, strict=True):
        name, layer = step.name, step.layer
        if isinstance(layer, Dense | Convolution):
            weight = weights.weight.reshape(-1, weights.weight.shape[-1])
            bias = getattr(weights, "bias", np.zeros(weight.shape[-1]))
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise DataError(f"weights must be finite to be drawn, but those of {name} are not")
            inputs = " x ".join(map(str, weights.weight.shape[:-1]))
            found.append(WeightLayer(name, layer, inputs, weight, bias, []))
        else:
            (found[-1].followers if found else before).append(layer.describe())
    if not found:
        raise ConfigError(
            f"a picture of a network needs a dense layer or a convolution, but this one has "
            f"{', '.join(architecture.names)}"
        )
    return before, found


def is_chain(net: Drawable) -> bool:
    """Return whether each step of a network with one input reads what the step before it writes."""
    return all(step.reads == (step.writes - 1,) for step in net.architecture.steps)


def diagram(ax: Axes | None, before: list[str], layers: list[WeightLayer]) -> Axes:
    """Draw units as circles and weights as lines between them."""
    collections = load("matplotlib.collections", "plot")
    lines = load("matplotlib.lines", "plot")
    sizes = [len(layers[0].weight), *(len(layer.bias) for layer in layers)]
    ax = axes_or_new(ax, width=min(max(6.4, 1.25 * len(sizes)), 20))
    largest = max(float(np.abs(layer.weight).max()) for layer in layers)
    largest_bias = max(float(np.abs(layer.bias).max()) for layer in layers) or 1.0
    places = [((size - 1) / 2 - np.arange(size)) * min(1 / size, 0.25) for size in sizes]
    weights = [layer.weight.ravel() for layer in layers]
    ends = [
        [((column, left), (column + 1, right)) for left in places[column] for right in places[column + 1]]
        for column in range(len(layers))
    ]
    flat = np.concatenate(weights).astype(np.float64)
    segments = np.array([pair for pairs in ends for pair in pairs])
    order = np.argsort(np.abs(flat), kind="stable")  # the strongest on top
    widest = WIDEST_LINE * min(1.0, (32 / max(map(len, weights))) ** 0.5)
    ax.add_collection(
        collections.LineCollection(
            segments[order],
            linewidths=widest * np.abs(flat[order]) / (largest or 1.0),
            colors=[BLUE if weight > 0 else ORANGE for weight in flat[order]],
            linestyles=["-" if weight > 0 else (0, (4, 1.5)) for weight in flat[order]],
            capstyle="butt",
        )
    )
    highest = max(float(rows[0]) for rows in places) + 0.06
    ax.set_xlim(-0.5, len(sizes) - 0.5)
    ax.set_ylim(-highest, highest)
    box = ax.get_window_extent()
    gaps = (box.width / len(sizes), box.height * min(1 / max(sizes), 0.25) / (2 * highest))
    diameter = min(16.0, 0.6 * min(gaps) * 72 / ax.figure.dpi)
    for column, rows in enumerate(places):
        shades = layers[column - 1].bias / largest_bias if column else np.zeros(sizes[0])
        ax.scatter(
            np.full(len(rows), column),
            rows,
            s=diameter**2,
            c=shades,
            cmap=signed_colors(),
            vmin=-1,
            vmax=1,
            edgecolors="black",
            linewidths=1,
            zorder=3,
        )
        if diameter >= READABLE:
            for unit, row in enumerate(rows):
                place = {"ha": "center", "va": "center", "fontsize": 0.6 * diameter, "zorder": 4}
                ax.text(column, row, f"{unit}", **place)
    _label_columns(ax, [["input", str(sizes[0]), *before], *(_words(layer) for layer in layers)])
    handles = [
        lines.Line2D([], [], color=BLUE, linewidth=2.5, label="positive"),
        lines.Line2D([], [], color=ORANGE, linewidth=2.5, linestyle=(0, (4, 1.5)), label="negative"),
    ]
    ax.legend(
        handles=handles,
        ncols=2,
        loc="lower center",
        bbox_to_anchor=(0.5, 1),
        frameon=False,
        fontsize=9,
        title=f"widest line: a weight of ±{largest:.3g}; circles: biases",
        title_fontsize=9,
    )
    return ax


def _words(found: WeightLayer) -> list[str]:
    return [found.name, found.layer.describe(), *found.followers]


def _label_columns(ax: Axes, labels: list[list[str]]) -> None:
    """Write a label below each column, rotated if there is no room for it."""
    bare(ax)
    letters = int(inches_wide(ax) / len(labels) * 72 / (0.58 * 9))
    upright = letters >= 10
    texts = [
        "\n".join(textwrap.fill(word, letters) for word in words) if upright else "  ".join(words)
        for words in labels
    ]
    ax.set_xticks(range(len(labels)), texts, fontsize=9, rotation=0 if upright else 90)
    ax.tick_params(axis="x", length=0)


def heat_maps(ax: Axes | None, layers: list[WeightLayer]) -> Axes:
    """Draw each weight matrix as a heat map, side by side: inputs go down, units or filters to the right."""
    ax = axes_or_new(ax, width=min(max(6.4, 2.2 * len(layers)), 20))
    thinned = [found.weight[_every(len(found.weight)), _every(len(found.bias))] for found in layers]
    limit = max(float(np.quantile(np.abs(weight), 0.99)) for weight in thinned) or 1.0
    frame = load("matplotlib.patches", "plot").Rectangle
    for column, weight in enumerate(thinned):
        ax.add_patch(frame((column - 0.42, 0), 0.84, 1, fill=False, edgecolor="black", linewidth=0.8))
        image = ax.imshow(
            weight,
            extent=(column - 0.42, column + 0.42, 0, 1),
            cmap=signed_colors(),
            vmin=-limit,
            vmax=limit,
            interpolation="nearest",
            aspect="auto",
        )
    _label_columns(ax, [[f"{found.inputs} inputs to", *_words(found)] for found in layers])
    ax.set_xlim(-0.5, len(layers) - 0.5)
    ax.set_ylim(-0.02, 1.02)
    ax.set_ylabel("inputs, downward")
    filters = any(isinstance(found.layer, Convolution) for found in layers)
    ax.set_xlabel("filters and units, to the right" if filters else "units, to the right", labelpad=8)
    color_bar(ax, image, "weight", extend="both")
    return ax


def tiles(
    ax: Axes | None, images: Array, names: list[str], label: str, rows: list[str] | None = None
) -> Axes:
    """Draw small images of numbers side by side, on one color scale.

    Args:
        ax: the axes, or None for those of a new figure.
        images: (n, height, width), row by row.
        names: of the images, written above each; or of the columns if there are names of rows.
        label: of the color bar.
        rows: the names of the rows; by default so many rows that the picture is about square.
    """
    count, height, width = images.shape
    columns = len(names) if rows else int(np.ceil(np.sqrt(count * height / width)))
    gap = max(0.08 * max(height, width), 0.5)
    above = gap if rows else 0.26 * max(height, width)  # room for a name
    down, across = height + above, width + gap
    lines = -(-count // columns)
    ax = axes_or_new(ax, 6.4, float(np.clip(5.6 * lines * down / columns / across, 2.4, 9)))
    limit = float(np.abs(images).max()) or 1.0
    font = float(np.clip((0.25 if rows else 0.13) * inches_wide(ax) * 72 / columns, 4, 10))
    for place, image in enumerate(images):
        left, top = (place % columns) * across, (place // columns) * down
        drawn = ax.imshow(
            image,
            extent=(left, left + width, top + height, top),
            cmap=signed_colors(),
            vmin=-limit,
            vmax=limit,
            interpolation="nearest",
        )
        if place < len(names):
            ax.text(left + width / 2, top, names[place], ha="center", va="bottom", fontsize=font)
    for line, name in enumerate(rows or []):
        ax.text(-gap, line * down + height / 2, name, ha="right", va="center", fontsize=font)
    bare(ax)
    ax.set_xlim(-gap, columns * across)
    ax.set_ylim(lines * down - above + gap, -0.26 * max(height, width))
    color_bar(ax, drawn, label, shrink=0.8)
    return ax


def _every(size: int) -> slice:
    return slice(None, None, -(-size // MOST_CELLS))


def color_bar(ax: Axes, image: Any, label: str, **settings: Any) -> Any:
    """Add a color bar next to the axes."""
    return ax.figure.colorbar(image, ax=ax, label=label, **settings)
