"""Pictures of a network, its history, its first layer, and an activation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.activations import Activation
from ganglion.core.layers import Dense
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, shortened
from ganglion.insight.plot.drawing import (
    BLUE,
    GRAY,
    ORANGE,
    Axes,
    Drawable,
    axes_or_new,
    check_axes,
    check_network,
    diagram,
    heat_maps,
    is_chain,
    logarithmic_ticks,
    spans_much,
    tiles,
    title,
    weight_layers,
)
from ganglion.optional import load
from ganglion.training.history import History

MOST_UNITS = 32  # of a layer drawn as circles
MOST_IMAGES = 64
FLAT = 0.05  # with a slope below this, a unit hardly learns


def history(history: History, ax: Axes | None = None) -> Axes:
    """Draw the loss and the validation loss of each epoch, and mark the best epoch.

    The best epoch is the one whose weights the network has; if none was chosen, the one with the lowest
    validation loss (training loss without validation). The loss axis is logarithmic if the values span more
    than a factor of 20. Losses that are not finite are left out.

    Args:
        history: returned by `fit`, or `net.history`.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: if `history` is not a `History`, or `ax` is not axes.
        DataError: if no loss is finite.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> net = gg.Network([gg.Dense(1)], inputs=1)
    >>> ax = gg.plot.history(net.fit([[0], [1]], [1, 3], epochs=5))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('epoch', 'loss')
    >>> plt.close(ax.figure)
    """
    if not isinstance(history, History):
        raise ConfigError(
            f"history must be a ganglion History, got {shortened(history)}", "pass the result of fit"
        )
    check_axes(ax)
    epochs = np.arange(1, history.epochs + 1)
    series = [
        (label, np.where(np.isfinite(values), values, np.nan), style)
        for label, values, style in (
            ("loss", history.loss, {"color": BLUE, "linestyle": "-", "marker": "o"}),
            ("validation loss", history.validation_loss, {"color": ORANGE, "linestyle": "--", "marker": "s"}),
        )
        if np.isfinite(values).any()
    ]
    if not series:
        raise DataError("a history needs an epoch with a finite loss to be drawn, but this one has none")
    ax = axes_or_new(ax)
    for label, values, style in series:
        alone = bool(np.isfinite(values).sum() <= 30)  # few points: show each
        ax.plot(epochs, values, label=label, markersize=4, **{**style, "marker": style["marker"] * alone})
    judged = series[-1][1]
    best, reason = history.best_epoch, "weights kept from epoch"
    if best is None:
        best, reason = int(np.nanargmin(judged)) + 1, f"lowest {series[-1][0]}: epoch"
    ax.axvline(best, color=GRAY, linestyle=":", linewidth=1.2, label=f"{reason} {best}", zorder=1)
    if 1 <= best <= len(judged):
        ax.plot([best], [judged[best - 1]], "D", color="black", markersize=6, markerfacecolor="white")
    measured = np.concatenate([values[np.isfinite(values)] for _, values, _ in series])
    if spans_much(measured):
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(logarithmic_ticks(measured))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("")
    ax.xaxis.set_major_locator(load("matplotlib.ticker", "plot").MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss")
    ax.legend(fontsize=9)
    return ax


def network(net: Drawable, ax: Axes | None = None) -> Axes:
    """Draw the layers with weights: units as circles and weights as lines, or wide layers as heat maps.

    The width of a line is proportional to the weight: blue and solid if positive, orange and dashed if
    negative. Circles are colored by the bias in the same way, and numbered from 0 if there is room. Other
    layers are named below the units that they follow.

    The weights of each layer are drawn as a heat map instead if there is a convolution, if a layer (or the
    input) has more than 32 units, if a layer without weights changes their number, or if the layers do not
    form a chain (as with `Residual`, `Parallel` or several inputs). A heat map has a row for each input and a
    column for each unit; that of a convolution a row for each number in a window, and a column for each
    filter (`gg.plot.filters` draws these as images). Its colors end at the 99th percentile of absolute
    weights. With more than 1000 rows or columns, only every nth is drawn.

    Args:
        net: the network.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: if `net` is not a network with a dense layer or a convolution, or `ax` is not axes.
        DataError: if a weight is not finite.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> net = gg.Network([gg.Dense(4, "tanh"), gg.Dense(1, "sigmoid")], inputs=2)
    >>> ax = gg.plot.network(net)
    >>> print(*(label.get_text().replace(chr(10), " ") for label in ax.get_xticklabels()), sep=", ")
    input 2, dense_1 4 tanh, dense_2 1 sigmoid
    >>> plt.close(ax.figure)
    """
    check_network(net)
    check_axes(ax)
    before, layers = weight_layers(net)
    sizes = [len(layers[0].weight), *(len(found.bias) for found in layers)]
    follow = all(isinstance(found.layer, Dense) for found in layers) and all(
        len(found.weight) == size for found, size in zip(layers, sizes, strict=False)
    )
    if max(sizes) > MOST_UNITS or not follow or not is_chain(net):
        return heat_maps(ax, layers)
    return diagram(ax, before, layers)


def activation(activation: Activation | str, ax: Axes | None = None) -> Axes:
    """Draw an activation and its derivative for z from -5 to 5, and mark where it saturates or dies.

    An end where the derivative stays below 0.05 in size is gray: a unit there learns slowly. An end where it
    is exactly 0 is hatched in orange: a unit there learns nothing. Softmax and log-softmax are drawn as
    functions of one score, with a second score of 0.

    Args:
        activation: by name or as an `Activation`.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: if there is no such activation, or `ax` is not axes.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> ax = gg.plot.activation("leaky_relu")
    >>> [line.get_label() for line in ax.get_lines() if not line.get_label().startswith("_")]
    ['f(z)', "f'(z)"]
    >>> plt.close(ax.figure)
    """
    part = Activation.find(activation)
    check_axes(ax)
    score = np.linspace(-5, 5, 1001)
    z = np.stack([score, np.zeros_like(score)], axis=1)  # a second score, for activations that compare scores
    a = part.forward(z)
    slope = part.backward(np.array([[1.0, 0.0]]).repeat(len(z), axis=0), z, a)[:, 0]
    compares = not np.array_equal(a[:, 0], part.forward(z + np.array([0.0, 1.0]))[:, 0])
    ax = axes_or_new(ax)
    ax.axhline(0, color=GRAY, linewidth=0.6)
    ax.axvline(0, color=GRAY, linewidth=0.6)
    flat = "saturates" if part.saturates else "nearly flat"
    ax.plot(score, a[:, 0], color=BLUE, linewidth=2, label="f(z)")
    ax.plot(score, slope, color=ORANGE, linewidth=2, linestyle="--", label="f'(z)")
    _shade(ax, score, slope == 0, "dies: f' = 0", facecolor="#fdd9b0", edgecolor=ORANGE, hatch="//")
    small = (np.abs(slope) < FLAT) & (slope != 0)
    _shade(ax, score, small, f"{flat}: |f'| < {FLAT}", facecolor="#dcdcdc")
    drawn = np.concatenate([a[:, 0], slope])
    low, high = (float(np.clip(bound(drawn), -5.5, 5.5)) for bound in (np.nanmin, np.nanmax))
    ax.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    ax.set_xlim(-5, 5)
    ax.set_xlabel("score z, with a second score of 0" if compares else "z")
    settings = ", ".join(f"{key}={value}" for key, value in part.configuration().items() if key != "name")
    named = f"{part.name}({settings})" if settings else part.name
    title(ax, f"{named}\n{part.formula}".rstrip(), pad=24)
    look = {"fontsize": 8, "frameon": False, "handlelength": 1.8, "columnspacing": 1.2}
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 0.99), ncols=4, **look)
    return ax


def _shade(ax: Axes, z: Array, where: Array, label: str, **look: Any) -> None:
    """Shade each end of the interval as far as `where` is true."""
    for values, holds in ((z, where), (z[::-1], where[::-1])):
        count = len(holds) if holds.all() else int(np.argmin(holds))
        if count > 1:
            ax.axvspan(*sorted((values[0], values[count - 1])), label=label, linewidth=0, **look)
            label = "_nolegend_"


def units(net: Drawable, ax: Axes | None = None, shape: tuple[int, int] | None = None) -> Axes:
    """Draw the weights of each unit of the first layer as a small image, for inputs that are pixels.

    An image shows what the unit responds to: inputs that are bright where the image is blue and dark where
    it is orange. All images share one color scale, and each shows the number of its unit. Of more than 64
    units, the 64 with the largest weights (Euclidean norm) are drawn, in order.

    Args:
        net: a network whose first layer with weights is dense.
        ax: the matplotlib Axes to draw on; a new figure's by default.
        shape: (height, width) of one image; by default that of the network's inputs, or a square.

    Returns:
        The axes.

    Raises:
        ConfigError: if the inputs are not an image of that shape, or the first layer is not dense.
        DataError: if a weight is not finite.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> net = gg.Network([gg.Dense(6, "relu"), gg.Dense(10, "softmax")], inputs=64)
    >>> ax = gg.plot.units(net)
    >>> ax.get_title()
    'dense_1: weights of 6 units, 8 x 8 inputs each'
    >>> plt.close(ax.figure)
    """
    check_network(net)
    check_axes(ax)
    first = weight_layers(net)[1][0]
    begins = net.architecture.parameters[0].owner
    if begins != first.name or not isinstance(first.layer, Dense):
        hint = "gg.plot.filters draws those of a convolution" if begins == first.name else ""
        raise ConfigError(
            f"units() needs a dense layer as the first with weights, but the first is {begins}", hint
        )
    inputs = len(first.weight)
    height, width = _image_shape(net, inputs, shape)
    count = len(first.bias)
    norms = np.linalg.norm(first.weight, axis=0)
    shown = np.sort(np.argsort(-norms, kind="stable")[:MOST_IMAGES])
    images = first.weight[:, shown].T.reshape(-1, height, width)
    ax = tiles(ax, images, list(map(str, shown)), "weight")
    which = f"{count} units," if count == len(shown) else f"the largest {len(shown)} of {count} units,"
    title(ax, f"{first.name}: weights of {which} {height} x {width} inputs each")
    return ax


def _image_shape(net: Drawable, inputs: int, shape: Any) -> tuple[int, int]:
    if shape is None:
        given = net.architecture.input_shape
        side = round(inputs**0.5)
        shape = given if len(given) == 2 else (side, side)
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ConfigError(f"shape must be (height, width), got {shortened(shape)}")
    height, width = (check_integer("shape", edge, at_least=1) for edge in shape)
    if height * width != inputs:
        raise ConfigError(
            f"the inputs of units() must be the pixels of an image, but {inputs} inputs are not {height} x "
            f"{width}",
            "pass shape=(height, width)",
        )
    return height, width
