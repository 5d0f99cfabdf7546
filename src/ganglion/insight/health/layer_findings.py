"""Findings about the layers: units that stopped learning, or never learned.

Each is a function of the subject that returns a finding or None.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ganglion.core.activations import Activation, HardSigmoid, LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from ganglion.core.layers import Layer
from ganglion.core.layers.convolution import Convolution
from ganglion.core.part import Array
from ganglion.core.steps import Entry
from ganglion.insight.health.finding import Finding
from ganglion.insight.health.measure import LayerHealth, measure
from ganglion.insight.health.subject import Subject

# Training at a sensible rate leaves fewer dead units than this fraction of a layer.
DEAD = 0.25
# Where a trial without dead units does no better, they were not needed; above this fraction they are
# reported.
HARMLESS = 0.5
# The root mean square of the gradient of the first weights over that of the outputs' z. In networks that
# learn it is 0.02 to 0.7 at the start and falls to 0.003; with eight sigmoid layers it is 0.000001.
VANISHED = 1e-3
VANISHED_NOW = 1e-4
# A layer with this fraction of saturated units passes on hardly any gradient.
SATURATED = 0.9
# Weights closer than this fraction of the largest are equal: rounding errors are smaller, learning is larger.
EQUAL = 1e-5
# The activation that remedies use: its slope below 0 is large enough to learn from.
LEAKY = LeakyReLU(0.1)


def symmetric_weights(subject: Subject) -> Finding | None:
    """All units of a hidden layer have the same weights."""
    alike = {}
    for entry, weight in hidden_weights(subject):
        different = distinct(weight)
        if different <= weight.shape[1] // 2:
            alike[entry.name] = (different, weight.shape[1], unit_of(subject, entry))
    if not alike:
        return None
    name, (different, units, unit) = next(iter(alike.items()))
    layers = rewritten(subject.model.architecture.layers, with_usual_weights)
    return Finding(
        "symmetric_weights",
        "severe",
        f"{unit.capitalize()}s of a hidden layer are copies of each other.",
        f"{different} different of {units} {unit}s in {name}"
        + (f"; {len(alike) - 1} more layers have copies" if len(alike) > 1 else ""),
        f"{unit.capitalize()}s that start with equal weights get equal gradients and stay equal forever: "
        f"together they can do no more than one of them.",
        "Start from random weights, as the default initializers do.",
        subject.code(layers=layers),
    )


def hidden_weights(subject: Subject) -> Iterator[tuple[Entry, Array]]:
    """Yield the weights of hidden layers with several units, as matrices with a column for each.

    Filters in groups see different channels, so that they are never copies of each other.
    """
    architecture = subject.model.architecture
    hidden = {layer.number for layer in subject.layers if layer.hidden}
    for entry in architecture.parameters:
        layer = architecture.steps[entry.step].layer
        convolves = isinstance(layer, Convolution) and layer.groups == 1 and entry.short == "weight"
        if entry.step in hidden and (len(entry.shape) == 2 or convolves) and entry.shape[-1] > 1:
            yield entry, entry.of(subject.model.parameters).reshape(-1, entry.shape[-1])


def unit_of(subject: Subject, entry: Entry) -> str:
    """Return what the columns of the weights are: "unit", or "filter" of a convolution."""
    return subject.model.architecture.steps[entry.step].layer.arithmetic.unit


def dying_relu(subject: Subject) -> Finding | None:
    """Units whose slope is 0 in every row, so that no row changes them."""
    dead = {layer.name: layer for layer in subject.layers if layer.hidden and (layer.dead or 0) > DEAD}
    if not dead or subject.shrunken or not subject.enough:
        return None
    worst = max(dead.values(), key=lambda layer: layer.dead or 0)
    layers = replaced(subject.model.architecture.layers, (ReLU, HardSigmoid), LEAKY)
    rate = subject.good_rate if not subject.makes_steps else min(subject.good_rate, subject.rate)
    other = subject.trial(rate, layers=layers).best
    harm = subject.trained and subject.better(other)
    if not harm and (worst.dead or 0) <= HARMLESS:
        return None
    start = {layer.name: layer.dead or 0.0 for layer in _at_start(subject)}
    evidence = "; ".join(
        f"{round((layer.dead or 0) * layer.count)} of {layer.count} {layer.unit}s of {name} have slope 0 "
        f"{'in' if layer.unit == 'unit' else 'at all places of'} all {len(subject.rows):,} rows "
        f"({start[name]:.0%} at the start), mean z {layer.z.mean:.3g}"
        for name, layer in dead.items()
    )
    if harm:
        evidence += (
            f"; loss {subject.reached:.4g}, but {other:.4g} in a trial with {worst.unit}s that cannot die"
        )
    return Finding(
        "dying_relu",
        "info" if not harm else "severe" if (worst.dead or 0) > 2 * DEAD else "warning",
        f"{worst.dead:.0%} of the {worst.unit}s of {worst.name} are dead.",
        evidence,
        "Too long a step, or too low a start, has moved z below 0 in every row. There the gradient is 0, and "
        f"the {worst.unit} never recovers.",
        f"Start again with an activation that has a slope on both sides, and with a rate that keeps "
        f"{worst.unit}s alive.",
        subject.code(layers=layers, **_calmer(subject)),
    )


def vanishing_gradient(subject: Subject) -> Finding | None:
    """The first layers get hardly any gradient compared with the last ones."""
    if not subject.can_try:
        return None
    start, now = subject.reaching_first
    flat = [layer for layer in subject.layers if layer.hidden and (layer.saturated or 0) > SATURATED]
    later = (now < VANISHED_NOW or flat) and not subject.shrunken
    if not (start < VANISHED or later):
        return None
    layers = subject.model.architecture.layers
    layers = replaced(layers, (Sigmoid, HardSigmoid, Tanh, Softplus, ReLU), LEAKY)
    layers = rewritten(layers, with_usual_weights)
    tried = {
        rate: subject.trial(rate, layers=layers, optimizer=subject.with_rate(rate, clip_norm=1.0)).best
        for rate in (subject.rate, subject.rate / 3, subject.rate / 10)
    }
    # The lowest rate that does about as well: long runs need lower rates than trials.
    rate = min(one for one in tried if tried[one] <= min(tried.values()) + 2 * subject.matters)
    if not subject.better(tried[rate]):
        return None
    evidence = (
        f"gradient of a first weight over the error at the output: {start:.2g} at the start, {now:.2g} now; "
        f"loss {subject.reached:.4g}, but {tried[rate]:.4g} on unseen rows in a trial with leaky ReLU"
    )
    if flat:
        evidence += "; " + ", ".join(f"{layer.saturated:.0%} of {layer.name} saturated" for layer in flat)
    return Finding(
        "vanishing_gradient",
        "severe" if subject.reached > 0.9 * subject.trivial else "warning",
        "The gradient vanishes before it reaches the first layers.",
        evidence,
        "Each layer multiplies the gradient by its weights and by the slope of its activation. Where both "
        "are small, or units are saturated, little is left after a few layers.",
        "Use leaky ReLU with its own initializer in hidden layers, and limit the gradient's norm; fewer "
        "layers or normalization help too.",
        subject.code(layers=layers, optimizer=subject.with_rate(rate, clip_norm=1.0)),
    )


def distinct(weight: Array) -> int:
    """Return how many different columns a matrix has.

    >>> distinct(np.array([[1.0, 1.0, 2.0], [0.5, 0.5, 0.5]]))
    2
    """
    ordered = weight[:, np.argsort(weight.sum(axis=0), kind="stable")]  # equal columns become neighbors
    size = np.abs(ordered).max(axis=0)
    apart = np.abs(np.diff(ordered, axis=1)).max(axis=0)
    return 1 + int((apart > EQUAL * np.maximum(size[1:], size[:-1])).sum())


def replaced(layers: Sequence[Layer], old: tuple[type, ...], new: Activation) -> tuple[Layer, ...]:
    """Return layers with some activations replaced, except in the layer that makes the outputs."""
    last = layers[-1]
    while last.inner:
        last = last.inner[-1]

    def change(layer: Layer) -> Layer:
        found = layer is not last and isinstance(getattr(layer, "activation", None), old)
        return dataclasses.replace(layer, activation=new) if found else layer  # type: ignore[call-arg]

    return rewritten(layers, change)


def with_usual_weights(layer: Layer) -> Layer:
    """Return a layer with its default weight initializer, if it has that setting."""
    usual = {f.name: f.default for f in dataclasses.fields(layer) if f.name == "weight_initializer"}
    return dataclasses.replace(layer, **usual) if usual else layer  # some layers make their own fields


def rewritten(layers: Sequence[Layer], change: Callable[[Layer], Layer]) -> tuple[Layer, ...]:
    """Return layers after a change of each, the layers inside of composite layers included."""

    def deep(value: Any) -> Any:
        if isinstance(value, Layer):
            changed = change(value)
            if not value.inner:
                return changed
            fields = {f.name: deep(getattr(value, f.name)) for f in dataclasses.fields(value)}
            return dataclasses.replace(changed, **fields)
        return tuple(map(deep, value)) if isinstance(value, tuple) else value

    return tuple(map(deep, layers))


def _calmer(subject: Subject) -> dict[str, Any]:
    """Return the run's optimizer with a rate that did well in trials, nothing if it makes no steps."""
    if not subject.makes_steps:
        return {}
    return {"optimizer": subject.with_rate(min(subject.good_rate, subject.rate))}


def _at_start(subject: Subject) -> list[LayerHealth]:
    return measure(subject.initial, subject.rows.x)
