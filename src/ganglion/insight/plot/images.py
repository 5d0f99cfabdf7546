"""Pictures of a network of images: its filters, their maps, which part of an image decides, and variants.

A model of images stands above this package; it is known by what it has: a network, `decode` and `scaling`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.arrays import as_array
from ganglion.core.layers.convolution import Convolution
from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.errors import ConfigError, DataError, amount, one_of, shortened
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
PALE_PICTURE = 0.4  # of a photograph, in which more is to be recognized
MOST_PICTURES, MOST_VARIANTS = 16, 32
GAP = 2  # pixels between pictures


@runtime_checkable
class PictureModel(Protocol):
    """What the pictures need from a model of images: a network, and how files become its inputs."""

    @property
    def network(self) -> Any: ...
    @property
    def labels(self) -> list[str] | None: ...
    @property
    def scaling(self) -> Any: ...
    def decode(self, source: Any) -> Any: ...


@runtime_checkable
class Augments(Protocol):
    """What makes variants of pictures."""

    def apply(self, images: Array, seed: int, epoch: int, rows: Array) -> Array: ...


class Seen(NamedTuple):
    """A network, the image that it is given, and how this is shown.

    Args:
        net: the network.
        image: its input; what `regions` takes.
        shown: the image in colors from 0 to 1, (height, width, 3), below a heat map; None to make them of its
            numbers.
        labels: the names of the outputs; None for their indexes.
    """

    net: Drawable
    image: Any
    shown: Array | None = None
    labels: list[str] | None = None


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


def feature_maps(
    net: Drawable | PictureModel, image: Any, layer: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how strongly each filter of a layer responds at each place of an image.

    Args:
        net: a `gg.ImageModel`, or a network whose input is an image, (height, width, channels).
        image: (height, width, channels); for a `gg.ImageModel`, a path or what else its `predict` takes.
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
    check_axes(ax)
    net, image, _, _ = see(net, image)
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


def saliency(
    net: Drawable | PictureModel, image: Any, output: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how much each pixel of an image speaks for an output (blue) or against it (orange).

    The numbers are those of `gg.saliency`, drawn over the image in pale colors.

    Args:
        net: a `gg.ImageModel`, or a network whose input is an image, (height, width, channels).
        image: (height, width, channels); for a `gg.ImageModel`, a path or what else its `predict` takes.
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
    check_axes(ax)
    seen = see(net, image)
    values = regions.saliency(seen.net, seen.image, output)
    return _heat(seen, output, values, "contribution to the score", "pixel by pixel", ax)


def why(
    net: Drawable | PictureModel,
    image: Any,
    output: int | None = None,
    layer: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw which part of an image speaks for an output, by Grad-CAM: the bluer, the more.

    The numbers are those of `gg.grad_cam`, drawn over the image in pale colors.

    Args:
        net: a `gg.ImageModel`, or a network with a convolution, whose input is an image, (height, width,
            channels).
        image: (height, width, channels); for a `gg.ImageModel`, a path or what else its `predict` takes.
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
    check_axes(ax)
    seen = see(net, image)
    values = regions.grad_cam(seen.net, seen.image, output, layer)
    name = regions.find_maps(seen.net.architecture, layer).name
    return _heat(seen, output, values, "weighted activation", f"Grad-CAM of {name}", ax)


def occlusion(
    net: Drawable | PictureModel,
    image: Any,
    output: int | None = None,
    size: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how much an output falls when a square of the image is covered: blue where it falls.

    The numbers are those of `gg.occlusion`, drawn over the image in pale colors.

    Args:
        net: a `gg.ImageModel`, or a network whose input is an image, (height, width, channels).
        image: (height, width, channels); for a `gg.ImageModel`, a path or what else its `predict` takes.
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
    check_axes(ax)
    seen = see(net, image)
    values = regions.occlusion(seen.net, seen.image, output, size)
    return _heat(seen, output, values, "fall of the output when covered", "occlusion", ax)


def augmented(
    augmentation: Any, images: Any, variants: int = 6, seed: int = 0, ax: Axes | None = None
) -> Axes:
    """Draw pictures with variants of each, as a network sees them in training.

    Args:
        augmentation: a `gg.Augmentation`, or a `gg.ImageModel` for the one that it was trained with.
        images: bytes of shape (n, height, width, 1 or 3) or (n, height, width); for an `ImageModel`, what its
            `predict` takes. The first 16 are drawn.
        variants: the number of variants of each, those of the first epochs; 6 by default.
        seed: of the training, 0 by default.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes: a row for each picture, first as it is.

    Raises:
        ConfigError: if `augmentation` is none, or that of a model that was trained without; if `variants` is
            not from 1 to 32, or `ax` is not axes.
        DataError, ShapeError: if `images` are no pictures.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> images = np.arange(2 * 64, dtype=np.uint8).reshape(2, 8, 8)
    >>> ax = gg.plot.augmented(gg.Augmentation(rotate=20), images)
    >>> ax.get_title()
    '2 pictures, and 6 variants of each'
    >>> plt.close(ax.figure)
    """
    check_axes(ax)
    check_integer("variants", variants, at_least=1, at_most=MOST_VARIANTS)
    if isinstance(augmentation, PictureModel):
        images = augmentation.decode(images).images
        augmentation = getattr(augmentation, "augmentation", None)
        if augmentation is None:
            raise ConfigError(
                "a model must be trained with augmentation for its variants to be drawn, this one was not",
                "pass a gg.Augmentation",
            )
    if not isinstance(augmentation, Augments):
        raise ConfigError(
            f"augmentation must be a gg.Augmentation or a gg.ImageModel, got {shortened(augmentation)}"
        )
    pictures = as_array("images", images)
    pictures = (pictures[..., None] if pictures.ndim == 3 else pictures)[:MOST_PICTURES]
    if (
        pictures.ndim != 4
        or not pictures.size
        or pictures.shape[3] not in (1, 3)
        or pictures.dtype != np.uint8
    ):
        raise DataError(
            "images must be bytes (uint8) of shape (n, height, width, 1 or 3), "
            f"got {pictures.dtype} of shape {np.shape(images)}"
        )
    rows = np.arange(len(pictures))
    columns = [pictures, *(augmentation.apply(pictures, seed, epoch, rows) for epoch in range(variants))]
    count, height, width, _ = pictures.shape
    sheet = np.full((count * (height + GAP) - GAP, len(columns) * (width + GAP) - GAP, 3), 255, np.uint8)
    for column, some in enumerate(columns):
        for row, picture in enumerate(some):
            top, left = row * (height + GAP), column * (width + GAP)
            sheet[top : top + height, left : left + width] = picture
    ax = axes_or_new(ax, min(1.1 * len(columns), 12), min(1.1 * count * height / width + 0.8, 14))
    ax.imshow(sheet, interpolation="nearest")
    bare(ax)
    ax.set_xticks([column * (width + GAP) + width / 2 for column in range(len(columns))])
    ax.set_xticklabels(["original", *map(str, range(1, variants + 1))], fontsize=8)
    title(ax, f"{amount(count, 'picture')}, and {amount(variants, 'variant')} of each")
    return ax


def see(net: Any, image: Any) -> Seen:
    """Return a network and an image as they are drawn, given these or a model of images and a picture.

    Raises:
        ConfigError: if it is neither, or there are several pictures.
    """
    if not isinstance(net, PictureModel):
        check_network(net)
        return Seen(net, image)
    images = net.decode(image).images
    if len(images) != 1:
        raise ConfigError(f"image must be one picture, got {len(images)}", "pass the path of one")
    shown = PALE_PICTURE + (1 - PALE_PICTURE) * np.broadcast_to(images[0] / 255, (*images.shape[1:3], 3))
    return Seen(net.network, net.scaling.apply(images)[0], shown, net.labels)


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


def _heat(seen: Seen, output: int | None, values: Array, label: str, method: str, ax: Axes | None) -> Axes:
    """Draw a map of numbers over a pale image."""
    model, x = regions.read_image(seen.net, seen.image)
    chosen = regions.choose(model, x, output)
    value = float(model.outputs(x[None]).reshape(-1)[chosen])
    ax = axes_or_new(ax, 5.6, 4.8)
    ax.imshow(_pale(x) if seen.shown is None else seen.shown, interpolation="nearest")
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
    name = f"output {chosen}" if seen.labels is None else seen.labels[chosen]
    title(ax, f"what speaks for {name} ({value:.3g}): {found}")
    return ax


def _pale(x: Array) -> Array:
    """Return an image as pale colors, (height, width, 3); other than 1 or 3 channels are averaged."""
    shown = x if x.shape[-1] in (1, 3) else x.mean(axis=-1, keepdims=True)
    low, high = float(shown.min()), float(shown.max())
    if shown.shape[-1] == 1 or low < 0 or high > 1:
        shown = (shown - low) / (high - low if high > low else 1.0)
    return PALE + (1 - PALE) * np.broadcast_to(shown, (*shown.shape[:2], 3))
