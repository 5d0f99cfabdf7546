"""Which part of an image decides: contributions of pixels, Grad-CAM, and occlusion.

Each function returns one number for each place of the image. Positive numbers speak for the explained output,
negative ones (of those that have any) against it.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.architecture import Architecture
from ganglion.core.arrays import as_array, as_numbers
from ganglion.core.layers import Context
from ganglion.core.layers.convolution import Convolution
from ganglion.core.model import Model
from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.errors import ConfigError, one_of, shortened

POINTS, POINTS_AT_ONCE = 32, 8  # of the path from black to the image
IMAGES_AT_ONCE = 256
MOST_PLACES = 32  # of a covering square along each axis


class Network(Protocol):
    """What the functions need from a network."""

    @property
    def model(self) -> Model: ...
    def predict(self, X: Any) -> Array: ...


def saliency(net: Network, image: Any, output: int | None = None) -> Array:
    """Return how much each pixel moves the score of an output away from that of a black image.

    The contributions are integrated gradients (Sundararajan, Taly and Yan, 2017) of the pre-activation of the
    output, summed over the channels, along a straight path in 32 steps: together they are about
    z(image) - z(0). Where pixels are standardized, 0 is the mean of the images.

    Args:
        net: a network whose input is an image, (height, width, channels).
        image: (height, width, channels).
        output: the index of the output to explain; by default the largest.

    Returns:
        The contributions, (height, width), in float64.

    Raises:
        ConfigError: if the inputs of `net` are not images, or there is no such output.
        DataError, ShapeError: if `image` is no such image.

    >>> net = gg.Network([gg.Conv2D(1, 1), gg.GlobalAveragePool()], inputs=(2, 2, 1))
    >>> net.parameters = [8, 0]
    >>> gg.saliency(net, [[[0], [1]], [[2], [-3]]]).round(6).tolist()
    [[0.0, 2.0], [4.0, -6.0]]
    """
    model, x = read_image(net, image)
    chosen = choose(model, x, output)
    times = (np.arange(POINTS) + 0.5) / POINTS
    total = np.zeros_like(x)
    for some in np.split(times, POINTS // POINTS_AT_ONCE):
        on_path = some[:, None, None, None] * x
        total += score_gradients(model, on_path, chosen)[0].sum(axis=0)
    return (total / POINTS * x).sum(axis=-1)


def grad_cam(net: Network, image: Any, output: int | None = None, layer: str | None = None) -> Array:
    """Return where the filters of a convolution that speak for an output respond: Grad-CAM.

    The maps of the filters are weighted by the mean gradient of the output's pre-activation with respect to
    them, summed, set to 0 where negative, and enlarged to the size of the image by linear interpolation
    (Selvaraju et al., 2017). A place of the map stands for all pixels that its filters see: the deeper the
    layer, the more blurred the map. Grad-CAM suits networks that end in global pooling. With `Flatten` in its
    place, a filter may speak for an output at one place and against it at another, which the mean hides; see
    `saliency` and `occlusion` then.

    Args:
        net: a network with a convolution, whose input is an image, (height, width, channels).
        image: (height, width, channels).
        output: the index of the output to explain; by default the largest.
        layer: the name of the layer, such as "conv_2d_2"; by default the last convolution.

    Returns:
        The map, (height, width), in float64; all 0 if nothing speaks for the output.

    Raises:
        ConfigError: if the inputs of `net` are not images, or there is no such layer or output.
        DataError, ShapeError: if `image` is no such image.

    >>> net = gg.Network([gg.Conv2D(1, 1), gg.GlobalAveragePool()], inputs=(2, 2, 1))
    >>> net.parameters = [8, 0]
    >>> gg.grad_cam(net, [[[0], [1]], [[2], [-3]]]).tolist()
    [[0.0, 2.0], [4.0, 0.0]]
    """
    model, x = read_image(net, image)
    step = find_maps(model.architecture, layer)
    grads, passed = score_gradients(model, x[None], choose(model, x, output), value=step.writes)
    weights = grads[0].mean(axis=(0, 1))
    return enlarged(np.maximum((passed[step.number].a[0] * weights).sum(axis=-1), 0), x.shape[:2])


def occlusion(
    net: Network, image: Any, output: int | None = None, size: int | None = None, fill: Any = None
) -> Array:
    """Return how much an output falls when a square of the image is covered (Zeiler and Fergus, 2014).

    The square moves over the image, at most half its size at a time. Each place has the mean fall over the
    squares that cover it; a negative number means that the output rises.

    Args:
        net: a network whose input is an image, (height, width, channels).
        image: (height, width, channels).
        output: the index of the output to explain; by default the largest.
        size: of the square; by default a sixth of the image's shorter side, at least 2.
        fill: the color of the square, a number or one for each channel; by default the median of each channel
            of the image, which is its background if that fills most of it.

    Returns:
        The falls, (height, width), in float64.

    Raises:
        ConfigError: if the inputs of `net` are not images, there is no such output, or the square is larger
            than the image.
        DataError, ShapeError: if `image` is no such image.

    >>> net = gg.Network([gg.Conv2D(1, 1), gg.GlobalAveragePool()], inputs=(2, 2, 1))
    >>> net.parameters = [8, 0]
    >>> gg.occlusion(net, [[[0], [1]], [[2], [-3]]], size=1, fill=0).tolist()
    [[0.0, 2.0], [4.0, -6.0]]
    """
    model, x = read_image(net, image)
    chosen, (height, width, channels) = choose(model, x, output), x.shape
    shorter = min(height, width)
    if size is None:
        size = min(max(2, round(shorter / 6)), shorter)
    check_integer("size", size, at_least=1, at_most=shorter)
    color = np.median(x, axis=(0, 1)) if fill is None else as_array("fill", fill).astype(np.float64)
    if color.shape not in ((), (1,), (channels,)):
        raise ConfigError(
            f"fill must be one number, or one for each of {channels} channels, got {shortened(fill)}"
        )
    corners = [(top, left) for top in _starts(height, size) for left in _starts(width, size)]
    falls, covers = np.zeros((height, width)), np.zeros((height, width))
    before = _output(net, x[None], chosen)[0]
    for first in range(0, len(corners), IMAGES_AT_ONCE):
        part = corners[first : first + IMAGES_AT_ONCE]
        covered = np.repeat(x[None], len(part), axis=0)
        for one, (top, left) in zip(covered, part, strict=True):
            one[top : top + size, left : left + size] = color
        for after, (top, left) in zip(_output(net, covered, chosen), part, strict=True):
            place = slice(top, top + size), slice(left, left + size)
            falls[place] += before - after
            covers[place] += 1
    return falls / covers


def _starts(length: int, size: int) -> list[int]:
    """Return where squares begin along an axis, from edge to edge, at most half a size apart."""
    apart = max(1, min(size // 2, (length - size) // MOST_PLACES))
    return sorted({*range(0, length - size, apart), length - size})


def _output(net: Network, images: Array, chosen: int) -> Array:
    return net.predict(images).reshape(len(images), -1)[:, chosen].astype(np.float64)


def read_image(net: Network, image: Any) -> tuple[Model, Array]:
    """Return the model and the image in float64.

    Raises:
        ConfigError: if the inputs of `net` are not images.
        DataError, ShapeError: if `image` is no such image.
    """
    model = net.model
    architecture = model.architecture
    if not architecture.takes_numbers or len(architecture.input_shape) != 3:
        inputs = {name: part.row_shape for name, part in architecture.inputs.items()}
        raise ConfigError(
            f"this needs a network whose input is an image, (height, width, channels), got inputs {inputs}",
            "such as gg.Network(layers, inputs=(28, 28, 1))",
        )
    shape = architecture.input_shape
    x = as_array("image", image)
    if x.shape == shape[:2] and shape[2] == 1:
        x = x[..., None]
    return model.in_float64(), as_numbers("image", x[None], shape, model.dtype)[0].astype(np.float64)


def choose(model: Model, x: Array, output: int | None) -> int:
    """Return the index of the output to explain: the largest by default.

    Raises:
        ConfigError: if there is no such output.
    """
    if output is None:
        return int(model.outputs(x[None])[0].argmax())
    return check_integer("output", output, at_least=0, at_most=math.prod(model.architecture.outputs) - 1)


def score_gradients(model: Model, x: Array, output: int, value: int = 0) -> tuple[Array, list[Any]]:
    """Return the gradient of the output's pre-activation with respect to a value, and the forward pass."""
    architecture, views = model.architecture, model.views
    z, passed = architecture.forward(views, x, to_z=True)
    grad = np.zeros_like(z)
    grad.reshape(len(z), -1)[:, output] = 1
    return architecture.backward_to_values(views, passed, grad, Context(), from_z=True)[0][value], passed


def find_maps(architecture: Architecture, layer: str | None) -> Step:
    """Return the step of a layer that makes images, by default of the last convolution.

    Raises:
        ConfigError: if there is none.
    """
    images = {step.name: step for step in architecture.steps if len(step.shape) == 3}
    if layer is None:
        found = [step for step in images.values() if isinstance(step.layer, Convolution)]
        if not found:
            raise ConfigError(
                f"this needs a network with a convolution, but this one has {', '.join(architecture.names)}"
            )
        return found[-1]
    if layer not in images:
        raise ConfigError(
            f"there is no layer {shortened(layer)} that makes images", one_of(str(layer), images)
        )
    return images[layer]


def enlarged(values: Array, shape: tuple[int, ...]) -> Array:
    """Return a map of another size, by linear interpolation between the centers of its places."""
    for axis, size in enumerate(shape):
        places = (np.arange(size) + 0.5) * values.shape[axis] / size - 0.5
        places = np.clip(places, 0, values.shape[axis] - 1)
        low = np.floor(places).astype(int)
        high = np.minimum(low + 1, values.shape[axis] - 1)
        part = np.expand_dims(places - low, 1 - axis)
        values = np.take(values, low, axis) * (1 - part) + np.take(values, high, axis) * part
    return values
