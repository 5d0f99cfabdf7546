"""Explanations of a trace in plain words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganglion.insight.trace.equation import Equation, Sum, Symbol, Term, figure
from ganglion.insight.trace.layer_trace import Index, LayerTrace

FLAT = 0.05  # a slope below this is nearly flat, compared with the 1 of the identity


def unit_words(part: LayerTrace, row: int, index: Index, equations: Sequence[Equation]) -> str:
    """Return why a unit has its value: which inputs raised it, and which lowered it."""
    place = index[0] if len(index) == 1 else index
    value, unit = figure(part.a[(row, *index)]), part.layer.arithmetic.unit
    words = f"Unit {place} of {part.name} gives {value}"
    if unit != "unit":
        place = index[0] if len(index) == 2 else index[:-1]
        where = f" at {place}" if len(index) > 1 else ""
        words = f"{unit.capitalize()} {index[-1]} of {part.name} gives {value}{where}"
    sums = [e for e in equations if isinstance(e, Sum) and e.left == part.out(index)]
    if not sums or not part.layer.arithmetic.adds_up_inputs:
        return words + "."
    pushes = [term for term in sums[0].terms if len(term.factors) > 1]
    rest = sum(term.value for term in sums[0].terms if len(term.factors) == 1)
    up = [term for term in pushes if term.value > 0]
    down = [term for term in pushes if term.value < 0]
    target = "z" if part.activation is not None else "it"
    words += (
        f", because its inputs push {target} up by {figure(sum(t.value for t in up))} and down by "
        f"{figure(-sum(t.value for t in down))}, and the bias adds {figure(rest)}.{_state(part, row, index)}"
    )
    for what, terms in (("for", up), ("against", down)):
        if terms:
            named = sorted(terms, key=lambda t: -abs(t.value))[:3]
            inputs = ", ".join(f"{_short(t)} ({t.value:+.3g})" for t in named)
            words += f"\nMost {what} it: {inputs}."
    return words


def _short(term: Term) -> str:
    return str(term.factors[0].symbol)


def _state(part: LayerTrace, row: int, index: Index) -> str:
    """Return a sentence about the slope of the unit's activation, if it is flat or nearly flat."""
    activation = part.activation
    if activation is None or not activation.is_built_in or activation.per_row:
        return ""
    z = float(part.z[(row, *index)])
    here, further = np.array([[z]]), np.array([[z + np.copysign(1.0, z)]])
    slopes = [activation.backward(np.ones_like(v), v, activation.forward(v)).item() for v in (here, further)]
    at = f"at z = {figure(z)}"
    if slopes[0] == 0:
        return f" {activation.name} is flat {at}: the unit is silent and learns nothing from this row."
    if activation.saturates and abs(slopes[1]) <= abs(slopes[0]) < FLAT:
        return f" {activation.name} is nearly flat {at}: the unit is saturated and learns little here."
    return ""


def gradient_words(left: Symbol, value: float, chain: Sequence[Equation], *, clips: bool) -> str:
    """Return what a gradient means, and how much of it the largest path carries.

    `clips` states whether the loss is flat somewhere because its clip acts.
    """
    if value == 0:
        return "Moving it a little does not change the loss: somewhere on every path a factor is 0."
    way = "raises" if value > 0 else "lowers"
    name = str(left).removeprefix("∂L/∂")
    loss = "the loss without its clip" if clips else "the loss"
    words = f"Raising {name} by 0.001 {way} {loss} by about {abs(value) / 1000:.3g}."
    layers = [e for e in chain if isinstance(e, Sum) and len(e.terms) > 1 and "paths" in e.rule]
    if layers:
        fraction, through = 1.0, []
        for equation in layers:
            largest = max(equation.terms, key=lambda term: abs(term.value))
            fraction *= largest.value / equation.value if equation.value else 0.0
            through.append(str(largest.factors[0].symbol).removeprefix("∂L/∂"))
        words += f"\nThe largest path runs through {', '.join(through)}"
        if 0 <= fraction <= 1:
            words += f" and carries {fraction:.0%} of it."
        else:
            words += "; other paths cancel part of it." if np.isfinite(fraction) else "."
    return words


def update_words(name: str, before: float, after: float, gradient: float, optimizer: str, update: int) -> str:
    """Return a sentence on what an update does to a weight."""
    if after == before:
        return f"Update {update} of {optimizer} leaves {name} at {figure(before)}."
    way = "down" if after < before else "up"
    sense = ", against its gradient" if (after - before) * gradient < 0 else ""
    return (
        f"Update {update} of {optimizer} moves {name} {way} by {figure(abs(after - before))}{sense}: from "
        f"{figure(before)} to {figure(after)}."
    )
