"""Presets: lists of layers for common kinds of data, to train as they are or to change.

Each function returns a new list, whose last layer has one output per class. What a preset consists of is
fixed by its arguments. To add one: write the function, and add its name to `__all__`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ganglion.checks import check_integer
from ganglion.core.layers import (
    Activate,
    AveragePool2D,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    GroupNormalization,
    Layer,
    MaxPool2D,
    Parallel,
    Residual,
)
from ganglion.errors import ConfigError, ShapeError, one_of, shortened

__all__ = ["lenet", "resnet", "signal_cnn", "small_cnn", "text_cnn"]

SMALLEST_LENET = 12
WHOLE_LENET = 32
USUAL_GROUPS = 8


def lenet(classes: int = 10, shape: tuple[int, int, int] = (28, 28, 1)) -> list[Layer]:
    """Return LeNet-5, which read handwritten digits on checks (LeCun et al., 1998).

    Two convolutions of 5 x 5 with tanh, each followed by a pool of means, then three dense layers.

    Images smaller than 32 x 32 are padded in the first layer, as the paper pads digits of 28 x 28 to 32 x 32.
    Two departures, now usual: each filter sees all channels, and the pools have no weights.

    Args:
        classes: the number of classes, 10 by default.
        shape: (height, width, channels) of an image; (28, 28, 1) by default.

    Raises:
        ConfigError: if `classes` is not a whole number of at least 2.
        ShapeError: if the images are smaller than 12 x 12.

    For 10 classes, images of (28, 28, 1) give 61,706 parameters, and images of (32, 32, 3) give 62,006.

    >>> net = gg.Network(gg.presets.lenet(10, (28, 28, 1)), inputs=(28, 28, 1))
    >>> len(net.parameters)
    61706
    """
    check_integer("classes", classes, at_least=2)
    if len(shape) != 3 or min(shape[:2]) < SMALLEST_LENET:
        raise ShapeError(
            f"lenet needs images of shape (height, width, channels) of at least {SMALLEST_LENET} x "
            f"{SMALLEST_LENET}, got shape {shape}",
            "use gg.presets.small_cnn",
        )
    return [
        Conv2D(6, 5, "tanh", padding="same" if min(shape[:2]) < WHOLE_LENET else "valid"),
        AveragePool2D(2),
        Conv2D(16, 5, "tanh", padding="valid"),
        AveragePool2D(2),
        Flatten(),
        Dense(120, "tanh"),
        Dense(84, "tanh"),
        Dense(classes, "softmax"),
    ]


def small_cnn(
    classes: int, filters: Sequence[int] = (16, 32, 64), normalization: str = "batch"
) -> list[Layer]:
    """Return a small network for images of any size: convolutions of 3 x 3, each followed by a pool of 2 x 2.

    Each convolution is normalized before ReLU. The mean of each channel over all places goes into one dense
    layer.

    Args:
        classes: the number of classes.
        filters: the number of filters of each convolution, (16, 32, 64) by default.
        normalization: "batch", the default, or "group", for batches of a few rows.

    Raises:
        ConfigError: for a setting out of range.

    For 10 classes there are 24,058 parameters for images of one channel, and 24,346 for three.

    >>> net = gg.Network(gg.presets.small_cnn(10), inputs=(28, 28, 1))
    >>> len(net.parameters)
    24058
    """
    check_integer("classes", classes, at_least=2)
    layers: list[Layer] = []
    for count in filters:
        layers += [Conv2D(count, bias=False), _normalization(normalization, count), Activate("relu")]
        layers += [MaxPool2D(2, padding="same")]
    return [*layers, GlobalAveragePool(), Dense(classes, "softmax")]


def resnet(classes: int, depth: int = 20, width: int = 16, normalization: str = "batch") -> list[Layer]:
    """Return a residual network for small images (He et al., 2015, section 4.2), such as those of 32 x 32.

    After a convolution of 3 x 3 come three stages of n = (depth - 2) / 6 blocks, with `width`, 2 * `width`
    and 4 * `width` filters; the second and third stage begin with a stride of 2. A block is x + f(x), then
    ReLU, where f is two convolutions of 3 x 3, each normalized, with ReLU between them. Where the shape
    changes, a convolution of 1 x 1 projects x (the paper's option B, without normalization).

    Args:
        classes: the number of classes.
        depth: how many layers with weights lie in a row: 6n + 2, that is 8, 14, 20 (the default), 32, 44, 56.
        width: the number of filters of the first stage, 16 by default.
        normalization: "batch", the default, or "group", for batches of a few rows.

    Raises:
        ConfigError: for a setting out of range.

    For images of three channels and 10 classes, depth 8 has 77,850 parameters, depth 20 has 272,282 and depth
    56 has 855,578.

    >>> net = gg.Network(gg.presets.resnet(10, depth=20), inputs=(32, 32, 3))
    >>> len(net.parameters)
    272282
    """
    check_integer("classes", classes, at_least=2)
    check_integer("width", width, at_least=1)
    check_integer("depth", depth, at_least=8)
    blocks, rest = divmod(depth - 2, 6)
    if rest:
        raise ConfigError(f"depth must be 6n + 2, got {depth}", f"for example {6 * blocks + 2}")
    layers: list[Layer] = [
        Conv2D(width, bias=False),
        _normalization(normalization, width),
        Activate("relu"),
    ]
    for stage in range(3):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            layers += _block(width * 2**stage, stride, normalization)
    return [*layers, GlobalAveragePool(), Dense(classes, "softmax")]


def signal_cnn(
    classes: int, filters: Sequence[int] = (32, 64, 128), kernel: int = 5, normalization: str = "batch"
) -> list[Layer]:
    """Return a small network for signals of any length: convolutions along time, each halving the length.

    Each convolution is normalized before ReLU. The mean of each channel over time goes into one dense layer.

    Args:
        classes: the number of classes.
        filters: the number of filters of each convolution, (32, 64, 128) by default.
        kernel: the length of the kernels, 5 by default.
        normalization: "batch", the default, or "group", for batches of a few rows.

    Raises:
        ConfigError: for a setting out of range.

    For signals of one channel and 5 classes there are 52,453 parameters.

    >>> net = gg.Network(gg.presets.signal_cnn(5), inputs=(200, 1))
    >>> len(net.parameters)
    52453
    """
    check_integer("classes", classes, at_least=2)
    layers: list[Layer] = []
    for count in filters:
        layers += [Conv1D(count, kernel, stride=2, bias=False), _normalization(normalization, count)]
        layers += [Activate("relu")]
    return [*layers, GlobalAveragePool(), Dense(classes, "softmax")]


def text_cnn(
    words: int,
    classes: int,
    units: int = 64,
    filters: int = 64,
    kernels: Sequence[int] = (3, 4, 5),
    dropout: float = 0.5,
) -> list[Layer]:
    """Return a network for words in order: convolutions over embeddings, and the largest of each filter.

    Kim, "Convolutional neural networks for sentence classification", EMNLP 2014. Texts are rows of as many
    whole numbers each; one that is shorter ends with the number of a word that stands for nothing.

    Args:
        words: the number of different words.
        classes: the number of classes.
        units: the length of the embedding of a word, 64 by default.
        filters: the number of filters of each length, 64 by default.
        kernels: the lengths of the filters in words, (3, 4, 5) by default.
        dropout: the rate before the last layer, 0.5 by default.

    Raises:
        ConfigError: for a setting out of range.

    For 1,000 words and 2 classes there are 113,730 parameters.

    >>> net = gg.Network(gg.presets.text_cnn(1000, 2), inputs=gg.IntegerInput(1000, 20))
    >>> len(net.parameters)
    113730
    """
    check_integer("classes", classes, at_least=2)
    if not kernels or len(set(kernels)) < len(kernels):
        raise ConfigError(f"kernels must be different lengths, at least one, got {shortened(kernels)}")
    ways = {str(each): [Conv1D(filters, each), Activate("relu"), GlobalMaxPool()] for each in kernels}
    return [Embedding(words, units), Parallel(ways), Dropout(dropout), Dense(classes, "softmax")]


def _block(filters: int, stride: int, normalization: str) -> list[Layer]:
    """Return the basic block of a residual network."""
    learned = [
        Conv2D(filters, stride=stride, bias=False),
        _normalization(normalization, filters),
        Activate("relu"),
        Conv2D(filters, bias=False),
        _normalization(normalization, filters),
    ]
    return [Residual(learned), Activate("relu")]


def _normalization(name: str, channels: int) -> Layer:
    """Return the normalization of that name; groups, about 8 of them, must divide the channels."""
    if name == "batch":
        return BatchNormalization()
    if name == "group":
        return GroupNormalization(math.gcd(USUAL_GROUPS, channels))
    raise ConfigError(f"there is no normalization {shortened(name)}", one_of(str(name), ("batch", "group")))
