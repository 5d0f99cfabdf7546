"""Pictures of a network of images: its filters, their maps, and which part of an image decides."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganglion.core.layers.convolution import Convolution
from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.errors import ConfigError, DataError, one_of, shortened
from ganglion.insight import regions
from ganglion.insight.plot.drawing import (
    BLUE,
    ORANGE,
    Axes,
    Drawable,
    axes_or_new,
    bare,
    check_axes,
    check_network,
    color_bar,
    color_map,
    signed_colors,
    tiles,
    title,
)
from ganglion.optional import load

MOST_TILES = 64
MOST_ROWS, MOST_COLUMNS = 16, 16  # of a matrix of kernels
PALE = 0.7  # what black becomes below a heat map, so that its colors can be seen


def filters(net: Drawable, layer: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the kernel of each filter of a convolution: blue weights are positive, orange ones negative.

    Filters of one channel, and those of signals, are one tile each, with the number of the filter; those of
    several channels have a column each, with a tile for each channel. All tiles share one color scale. Of
    many filters or channels, those with the largest weights (Euclidean norm) are drawn, in order.

    Args:
        net: a network with a convolution.
        layer: its name, such as "conv_2d_2"; the first convolution by default.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: if there is no such convolution, or `ax` is not axes.
        DataError: if a weight is not finite.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> net = gg.Network([gg.Conv2D(8, 3), gg.Flatten(), gg.Dense(10)], inputs=(28, 28, 1))
    >>> ax = gg.plot.filters(net)
    >>> ax.get_title()
    'conv_2d_1: 8 filters of 3 x 3 identity'
    >>> plt.close(ax.figure)
    """
    check_network(net)
    check_axes(ax)
    step = _convolution(net, layer)
    kernel = net.model.views[step.number].weight.astype(np.float64)
    if not np.isfinite(kernel).all():
        raise DataError(f"weights must be finite to be drawn, but those of {step.name} are not")
    if kernel.ndim == 3:  # of signals: a row for each channel
        kernel = kernel.transpose(1, 0, 2)[:, :, None]
    words = f"{step.name}: {step.layer.describe()}"
    channels, count = kernel.shape[2:]
    shown = _largest(kernel, 3, MOST_TILES if channels == 1 else MOST_COLUMNS)
    seen = _largest(kernel, 2, MOST_ROWS)
    pictures = kernel[:, :, seen][..., shown].transpose(2, 3, 0, 1).reshape(-1, *kernel.shape[:2])
    if channels > 1:
        words += "\nacross: filters" + (f", the {len(shown)} largest" if len(shown) < count else "")
        words += "; down: channels" + (f", the {len(seen)} largest" if len(seen) < channels else "")
    elif len(shown) < count:
        words += f", the {len(shown)} largest"
    rows = list(map(str, seen)) if channels > 1 else None
    ax = tiles(ax, pictures, list(map(str, shown)), "weight", rows)
    title(ax, words)
    return ax


def feature_maps(net: Drawable, image: Any, layer: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw how strongly each filter of a layer responds at each place of an image.

    Args:
        net: a network whose input is an image, (height, width, channels).
        image: (height, width, channels).
        layer: the name of a layer that makes images, such as "max_pool_2d_1"; the first convolution by
            default.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes: a tile for each filter with its number, all on one color scale. Of more than 64 filters,
        those that respond most are drawn, in order.

    Raises:
        ConfigError: if the inputs of `net` are not images, there is no such layer, or `ax` is not axes.
        DataError, ShapeError: if `image` is no such image.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> net = gg.Network([gg.Conv2D(8, 3, "relu"), gg.Flatten(), gg.Dense(10)], inputs=(28, 28, 1))
    >>> ax = gg.plot.feature_maps(net, np.eye(28)[..., None])
    >>> ax.get_title()
    'conv_2d_1: 8 maps of 28 x 28'
    >>> plt.close(ax.figure)
    """
    check_network(net)
    check_axes(ax)
    model, x = regions.read_image(net, image)
    step = _convolution(net, None) if layer is None else regions.find_maps(model.architecture, layer)
    _, passed = model.architecture.forward(model.views, x[None])
    maps = passed[step.number].a[0]
    shown = _largest(maps, 2, MOST_TILES)
    ax = tiles(ax, maps[..., shown].transpose(2, 0, 1), list(map(str, shown)), "activation")
    height, width, count = maps.shape
    which = f"{count} maps" if len(shown) == count else f"the {len(shown)} strongest of {count} maps"
    title(ax, f"{step.name}: {which} of {height} x {width}")
    return ax


def saliency(net: Drawable, image: Any, output: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw how much each pixel of an image speaks for an output (blue) or against it (orange).

    The numbers are those of `gg.saliency`, drawn over the image in pale colors.

    Args:
        net: a network whose input is an image, (height, width, channels).
        image: (height, width, channels).
        output: the index of the output to explain; by default the largest.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: if the inputs of `net` are not images, there is no such output, or `ax` is not axes.
        DataError, ShapeError: if `image` is no such image.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> net = gg.Network([gg.Conv2D(2, 3), gg.GlobalAveragePool()], inputs=(8, 8, 1))
    >>> ax = gg.plot.saliency(net, np.ones((8, 8, 1)), output=1)
    >>> ax.get_title().startswith("what speaks for output 1")
    True
    >>> plt.close(ax.figure)
    """
    check_network(net)
    check_axes(ax)
    values = regions.saliency(net, image, output)
    return _heat(net, image, output, values, "contribution to the score", "pixel by pixel", ax)


def why(
    net: Drawable, image: Any, output: int | None = None, layer: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw which part of an image speaks for an output, by Grad-CAM: the bluer, the more.

    The numbers are those of `gg.grad_cam`, drawn over the image in pale colors.

    Args:
        net: a network with a convolution, whose input is an image, (height, width, channels).
        image: (height, width, channels).
        output: the index of the output to explain; by default the largest.
        layer: the name of the convolution whose maps are used; the last one by default.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: if the inputs of `net` are not images, there is no such layer or output, or `ax` is not
            axes.
        DataError, ShapeError: if `image` is no such image.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> net = gg.Network([gg.Conv2D(2, 3), gg.GlobalAveragePool()], inputs=(8, 8, 1))
    >>> ax = gg.plot.why(net, np.ones((8, 8, 1)), output=1)
    >>> ax.get_title().startswith("what speaks for output 1")
    True
    >>> plt.close(ax.figure)
    """
    check_network(net)
    check_axes(ax)
    values = regions.grad_cam(net, image, output, layer)
    name = regions.find_maps(net.architecture, layer).name
    return _heat(net, image, output, values, "weighted activation", f"Grad-CAM of {name}", ax)


def occlusion(
    net: Drawable, image: Any, output: int | None = None, size: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how much an output falls when a square of the image is covered: blue where it falls.

    The numbers are those of `gg.occlusion`, drawn over the image in pale colors.

    Args:
        net: a network whose input is an image, (height, width, channels).
        image: (height, width, channels).
        output: the index of the output to explain; by default the largest.
        size: of the square; by default a sixth of the image's shorter side, at least 2.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: if the inputs of `net` are not images, there is no such output, the square is larger than
            the image, or `ax` is not axes.
        DataError, ShapeError: if `image` is no such image.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> net = gg.Network([gg.Conv2D(2, 3), gg.GlobalAveragePool()], inputs=(8, 8, 1))
    >>> ax = gg.plot.occlusion(net, np.ones((8, 8, 1)), output=1)
    >>> ax.get_title().startswith("what speaks for output 1")
    True
    >>> plt.close(ax.figure)
    """
    check_network(net)
    check_axes(ax)
    values = regions.occlusion(net, image, output, size)
    return _heat(net, image, output, values, "fall of the output when covered", "occlusion", ax)


def _convolution(net: Drawable, layer: str | None) -> Step:
    """Return the step of a convolution, the first by default."""
    found = {s.name: s for s in net.architecture.steps if isinstance(s.layer, Convolution)}
    if not found:
        names = ", ".join(net.architecture.names)
        raise ConfigError(f"filters are those of a convolution, but this network has {names}")
    if layer is None:
        return next(iter(found.values()))
    if layer not in found:
        raise ConfigError(f"there is no convolution {shortened(layer)}", one_of(str(layer), found))
    return found[layer]


def _largest(values: Array, axis: int, most: int) -> Array:
    """Return the places along an axis with the largest norms, at most so many, in order."""
    other = tuple(i for i in range(values.ndim) if i != axis)
    norms = np.sqrt(np.square(values).sum(axis=other))
    return np.sort(np.argsort(-norms, kind="stable")[:most])


def _heat(
    net: Drawable, image: Any, output: int | None, values: Array, label: str, method: str, ax: Axes | None
) -> Axes:
    """Draw a map of numbers over a pale image."""
    model, x = regions.read_image(net, image)
    chosen = regions.choose(model, x, output)
    value = float(model.outputs(x[None]).reshape(-1)[chosen])
    ax = axes_or_new(ax, 5.6, 4.8)
    ax.imshow(_pale(x), interpolation="nearest")
    largest = float(np.abs(values).max()) or 1.0
    signed = bool((values < 0).any())
    colors = signed_colors() if signed else color_map("white", BLUE)
    matplotlib_colors = load("matplotlib.colors", "plot")
    norm = matplotlib_colors.Normalize(-largest if signed else 0, largest)
    full = np.where((values < 0)[..., None], *map(matplotlib_colors.to_rgb, (ORANGE, BLUE)))
    strength = 0.9 * np.abs(values)[..., None] / largest
    ax.imshow(np.concatenate([full, strength], axis=-1), interpolation="nearest")
    scale = load("matplotlib.cm", "plot").ScalarMappable(norm, colors)
    color_bar(ax, scale, label, shrink=0.85)
    bare(ax)
    found = method if values.any() else f"{method} finds nothing"
    title(ax, f"what speaks for output {chosen} ({value:.3g}): {found}")
    return ax


def _pale(x: Array) -> Array:
    """Return an image as pale colors, (height, width, 3); other than 1 or 3 channels are averaged."""
    shown = x if x.shape[-1] in (1, 3) else x.mean(axis=-1, keepdims=True)
    low, high = float(shown.min()), float(shown.max())
    if shown.shape[-1] == 1 or low < 0 or high > 1:
        shown = (shown - low) / (high - low if high > low else 1.0)
    return PALE + (1 - PALE) * np.broadcast_to(shown, (*shown.shape[:2], 3))
