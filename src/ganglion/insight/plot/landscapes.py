"""Pictures of a network evaluated at many points: predictions over inputs, and the loss over parameters."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ganglion.checks import check_integer, check_number
from ganglion.core.inputs import plain_inputs
from ganglion.core.losses import Loss
from ganglion.core.part import Array
from ganglion.core.random import Purpose, generator
from ganglion.core.rows import Rows
from ganglion.errors import ConfigError, DataError, shortened
from ganglion.insight.plot.drawing import (
    BLUE,
    MARKERS,
    Axes,
    Drawable,
    axes_or_new,
    check_axes,
    check_network,
    class_color,
    color_bar,
    color_map,
    logarithmic_ticks,
    spans_much,
    title,
)
from ganglion.insight.surface import surface
from ganglion.optional import load
from ganglion.training.plan import encode_rows, pick_loss

MOST_ROWS = 2000  # of a loss surface
LOSSES = "cividis"  # its lightness rises evenly; it looks the same to color-blind readers


def boundary(
    net: Drawable,
    X: Any,
    y: Any,
    ax: Axes | None = None,
    loss: Loss | str | None = None,
    labels: Sequence[str] | None = None,
    columns: Sequence[str] = ("x1", "x2"),
    resolution: int = 200,
    inputs: tuple[int, int] = (0, 1),
    row: int | None = None,
) -> Axes:
    """Draw the predictions of a network over the plane of two inputs, with the rows on top.

    For classes, each point has the color of the predicted class, stronger where its probability is higher,
    and black lines separate the classes. For numbers, shades show the prediction.

    Args:
        net: a network of rows of numbers, whose output is a probability, class probabilities, or a number.
        X: rows, (n, inputs).
        y: their targets, as for `fit`: class numbers from 0, or numbers, (n,).
        ax: the matplotlib Axes to draw on; a new figure's by default.
        loss: the loss of the training, which determines how to read the outputs; by default the one that
            suits the output activation.
        labels: the name of each class; their numbers by default.
        columns: the names of the two inputs.
        resolution: points along each side, 200 by default.
        inputs: the numbers of the two inputs, that across and that up; (0, 1) by default.
        row: the number of the row whose other inputs are used; None (default) for the means of all rows.

    Returns:
        The axes.

    Raises:
        ConfigError: if the network does not have such inputs or outputs, or for a setting out of range.
        DataError, ShapeError: for rows or targets that break a rule.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> net = gg.Network([gg.Dense(4, "tanh"), gg.Dense(1, "sigmoid")], inputs=2)
    >>> ax = gg.plot.boundary(net, [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('x1', 'x2')
    >>> plt.close(ax.figure)
    """
    check_network(net)
    check_axes(ax)
    architecture = net.architecture
    if not architecture.takes_numbers or math.prod(architecture.input_shape) < 2:
        raise ConfigError(
            "a boundary needs a network with two inputs or more, but the inputs of this one are "
            f"{plain_inputs(architecture.inputs)}"
        )
    chosen = pick_loss(architecture, loss)
    outputs = architecture.outputs
    if len(outputs) != 1 or (outputs != (1,) and chosen.answers != "one_of"):
        raise ConfigError(
            f"a boundary needs one output, or softmax over classes, but this network has outputs {outputs}"
        )
    side = check_integer("resolution", resolution, at_least=2, at_most=2000)
    rows = encode_rows(net.model, chosen, X, y).check("a boundary")
    count = 0 if chosen.answers == "number" else max(outputs[0], 2)
    names = [str(number) for number in range(count)] if labels is None else _names("labels", labels, count)
    named = _names("columns", columns, 2)
    found = surface(net, rows.x, inputs, row, side)
    across, up, answers = np.array(found.across), np.array(found.up), found.values
    rows = dataclasses.replace(rows, x=rows.x[:, list(inputs)])
    if not np.isfinite(answers).all():
        raise DataError("a boundary needs finite predictions, but some of this network's are not finite")
    ax = axes_or_new(ax)
    if count:
        _draw_classes(ax, across, up, *_probabilities(answers, chosen.answers))
        _mark_classes(ax, rows.x, np.asarray(chosen.classes(rows.y)), names)
    else:
        _draw_numbers(ax, across, up, answers[:, :, 0], rows)
    ax.set_xlim(across[0], across[-1])
    ax.set_ylim(up[0], up[-1])
    ax.set_xlabel(named[0])
    ax.set_ylabel(named[1])
    return ax


def _names(what: str, names: Any, count: int) -> list[str]:
    if isinstance(names, str) or not isinstance(names, Sequence | np.ndarray) or len(names) != count:
        raise ConfigError(f"{what} must be a list of {count} names, got {shortened(names)}")
    return [str(name) for name in names]


def _probabilities(answers: Array, kind: str) -> tuple[Array, Array]:
    """Return the probability of each class at each point, and the predicted class.

    Signed answers are mapped from -1 ... 1 to 0 ... 1 and clipped. A probability of 0.5 means yes.
    """
    if kind == "one_of":
        logarithms = answers.max() <= 0  # of probabilities, at least one is above 0
        return np.exp(answers) if logarithms else answers, answers.argmax(axis=-1)
    yes = answers if kind == "yes_no" else np.clip((answers + 1) / 2, 0, 1)
    return np.concatenate([1 - yes, yes], axis=-1), (yes[:, :, 0] >= 0.5).astype(np.int64)


def _draw_classes(ax: Axes, across: Array, up: Array, p: Array, decided: Array) -> None:
    colors = load("matplotlib.colors", "plot")
    count = p.shape[-1]
    pure = np.array([colors.to_rgb(class_color(number, count)) for number in range(count)])
    sure = (p.max(axis=-1, keepdims=True) - 1 / count) / (1 - 1 / count)
    strength = 0.12 + 0.5 * np.clip(sure, 0, 1)
    _show(ax, across, up, 1 - strength * (1 - pure[decided]))
    for number in range(count):
        others = np.delete(p, number, axis=-1).max(axis=-1)
        lead = p[:, :, number] - others
        if lead.min() < 0 < lead.max():
            ax.contour(across, up, lead, levels=[0], colors="black", linewidths=1)


def _show(ax: Axes, across: Array, up: Array, image: Array, **settings: Any) -> Any:
    half = [(axis[1] - axis[0]) / 2 for axis in (across, up)]
    extent = (across[0] - half[0], across[-1] + half[0], up[0] - half[1], up[-1] + half[1])
    look = {"interpolation": "nearest", **settings}
    return ax.imshow(image, extent=extent, origin="lower", aspect="auto", **look)


def _mark_classes(ax: Axes, x: Array, classes: Array, names: list[str]) -> None:
    size = 34 if len(x) <= 200 else 16 if len(x) <= 1000 else 7
    for number, name in enumerate(names):
        here = x[classes == number]
        if len(here):
            ax.scatter(
                here[:, 0],
                here[:, 1],
                s=size,
                color=class_color(number, len(names)),
                marker=MARKERS[number % len(MARKERS)],
                edgecolors="black",
                linewidths=0.6 if size > 10 else 0.3,
                label=name,
            )
    where = "best" if len(x) <= 5000 else "upper right"  # "best" is slow with many rows
    larger = max(1.0, (30 / size) ** 0.5)
    ax.legend(fontsize=9, title="class", title_fontsize=9, markerscale=larger, loc=where)


def _draw_numbers(ax: Axes, across: Array, up: Array, answers: Array, rows: Rows) -> None:
    truth = rows.y.reshape(-1).astype(np.float64)
    low, high = min(answers.min(), truth.min()), max(answers.max(), truth.max())
    shades = {"cmap": color_map("white", BLUE), "vmin": low, "vmax": high}
    image = _show(ax, across, up, answers, **shades)
    if answers.max() > answers.min():
        lines = ax.contour(across, up, answers, levels=7, colors="black", linewidths=0.8)
        ax.clabel(lines, fontsize=8)
    ax.scatter(
        rows.x[:, 0],
        rows.x[:, 1],
        s=34 if len(rows) <= 200 else 12,
        c=truth,
        edgecolors="black",
        linewidths=0.8,
        **shades,
    )
    color_bar(ax, image, "prediction; in the circles: target")


def loss_surface(
    net: Drawable,
    X: Any,
    y: Any,
    loss: Loss | str | None = None,
    ax: Axes | None = None,
    seed: int = 0,
    span: float = 1.0,
    resolution: int = 41,
) -> Axes:
    """Draw the loss around a network's parameters along two random directions (Li et al., 2018).

    The loss at (s, t) is that of the parameters p + s * d1 + t * d2. Each direction is random normal, with
    the weights into each unit scaled to the norm of the network's own ("filter normalization", section 4 of
    Visualizing the Loss Landscape of Neural Nets), so that a step of 1 means the same everywhere. Biases and
    the parameters of normalization layers do not change. The loss is the mean in prediction mode (no
    dropout, running averages), without penalties, in float64. Its scale is logarithmic if the values span
    more than a factor of 20. The network itself does not change.

    Args:
        net: the network.
        X: rows as for `fit`; of more than 2000, 2000 evenly spaced ones are used.
        y: their targets, as for `fit`.
        loss: by name or as a `Loss`; by default the one that suits the output activation.
        ax: the matplotlib Axes to draw on; a new figure's by default.
        seed: of the random directions.
        span: the range in each direction, 1.0 by default: as far as the weights are from 0.
        resolution: points along each side, an odd number, 41 by default.

    Returns:
        The axes.

    Raises:
        ConfigError: for a network without nonzero weights, or a setting out of range.
        DataError, ShapeError: for rows or targets that break a rule, or parameters that are not finite.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> net = gg.Network([gg.Dense(3, "tanh"), gg.Dense(1)], inputs=1)
    >>> ax = gg.plot.loss_surface(net, [[0], [1], [2]], [0, 1, 4], resolution=5)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('step along direction 1', 'step along direction 2')
    >>> plt.close(ax.figure)
    """
    check_network(net)
    check_axes(ax)
    seed = check_integer("seed", seed, at_least=0, at_most=2**64 - 1)
    span = check_number("span", span, above=0, at_most=1e6)
    side = check_integer("resolution", resolution, at_least=3, at_most=501)
    if side % 2 == 0:
        raise ConfigError(f"resolution must be odd, so that the network is one of the points, got {side}")
    chosen = pick_loss(net.architecture, loss)
    rows = encode_rows(net.model.in_float64(), chosen, X, y).check("a loss surface")
    everything = len(rows)
    if everything > MOST_ROWS:
        rows = rows.part(np.linspace(0, everything - 1, MOST_ROWS).astype(np.int64))
    steps = np.linspace(-span, span, side)
    values = _losses_around(net, rows, chosen, seed, steps)
    here = values[side // 2, side // 2]
    finite = np.ma.masked_invalid(values)
    if not np.isfinite(here):
        raise DataError(f"the loss at the network's own parameters must be finite, got {here}")
    ax = axes_or_new(ax)
    logarithmic = spans_much(finite.compressed())
    low, high = finite.min(), finite.max()
    colors = load("matplotlib.colors", "plot")
    scale = (colors.LogNorm if logarithmic else colors.Normalize)(low, high)
    image = _show(ax, steps, steps, finite, cmap=LOSSES, norm=scale, interpolation="bilinear")
    if high > low:
        levels = (np.geomspace if logarithmic else np.linspace)(low, high, 14)[1:-1]
        ax.contour(steps, steps, finite, levels=levels, colors="white", linewidths=0.7)
    ax.plot(
        [0], [0], "*", color="white", markeredgecolor="black", markersize=15, label=f"the network: {here:.3g}"
    )
    ax.legend(fontsize=9)
    named = chosen.name.replace("_", " ")
    if logarithmic:
        ticks = logarithmic_ticks(finite.compressed())
        color_bar(ax, image, f"{named}, logarithmic", ticks=ticks, format="{x:g}").minorticks_off()
    else:
        color_bar(ax, image, named)
    ax.set_xlabel("step along direction 1")
    ax.set_ylabel("step along direction 2")
    used = f"{len(rows):,} of {everything:,} rows" if len(rows) < everything else f"{everything:,} rows"
    title(ax, f"loss around the network, {used}")
    return ax


def _losses_around(net: Drawable, rows: Rows, loss: Loss, seed: int, steps: Array) -> Array:
    """Return the mean loss at each point; each row of the result is one step along direction 2."""
    architecture = net.architecture
    here, state = net.parameters.astype(np.float64), net.state.astype(np.float64)
    if not np.isfinite(here).all():
        raise DataError("parameters must be finite for a loss surface")
    first, second = (_direction(net, here, seed, position) for position in (0, 1))
    moved = here.copy()
    weights = architecture.views(moved, state)
    values = np.empty((len(steps), len(steps)))
    with np.errstate(all="ignore"):  # far away a loss may overflow; the picture leaves it out
        for row, up in enumerate(steps):
            for column, across in enumerate(steps):
                moved[...] = here + across * first + up * second
                values[row, column] = architecture.evaluate(weights, rows.x, rows.y, loss)[0].mean()
    return values


def _direction(net: Drawable, here: Array, seed: int, position: int) -> Array:
    """Return a random direction with the norm of the network's own weights, unit by unit."""
    direction = np.zeros_like(here)
    chance = generator(seed, Purpose.EXAMPLE, position)
    for entry in net.architecture.parameters:
        if len(entry.shape) > 1:
            own = entry.of(here).reshape(-1, entry.shape[-1])
            drawn = chance.standard_normal(own.shape)
            entry.of(direction)[...] = (
                drawn * np.linalg.norm(own, axis=0) / np.linalg.norm(drawn, axis=0)
            ).reshape(entry.shape)
    if not direction.any():
        raise ConfigError("a loss surface needs weights other than 0, but this network has none")
    return direction
