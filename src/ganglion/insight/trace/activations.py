"""The arithmetic of an activation, forward and backward, as equations with its numbers."""

from __future__ import annotations

import math

import numpy as np

from ganglion.core.activations import Activation
from ganglion.core.part import Array, Part
from ganglion.core.rule import NAMES, rule_of
from ganglion.insight.trace.equation import Equation, Factor, Function, Sum, Symbol, Term, digits_for
from ganglion.insight.trace.layer_trace import Index, LayerTrace


def activation_forward(part: LayerTrace, row: int, index: Index) -> list[Equation]:
    """Return the equations that compute the activation of one unit from its pre-activation."""
    if part.activation is None:
        return []
    activation, places = part.activation.section(index[-1], part.z.shape[-1])
    left, a, z = Symbol("a", part.name, index), part.a[(row, *index)], part.z[(row, *index)]
    if not _is_rowwise(activation):
        rule = activation.formula if activation.is_built_in else f"{activation.name}(z)"
        return [Function(left, a, rule, arguments={"z": z} | constants(activation, rule))]
    scores = part.z[(row, *index[:-1])][places]
    largest = float(scores.max())
    together = float(np.exp(scores - largest).sum())
    terms = tuple(
        Term(
            (
                Factor(
                    Symbol(f"exp({Symbol('z', part.name, (*index[:-1], k))} - m)"),
                    math.exp(score - largest),
                    _exponential(score, largest),
                ),
            )
        )
        for k, score in enumerate(scores, places.start)
    )
    name = Symbol("s", part.name, index[:-1])
    return [
        Function(
            left,
            a,
            activation.formula_in_row,
            arguments={"z": z, "m": largest, "s": together},
            note="m is the largest z",
            digits=digits_for(1.0, (z, largest)),
        ),
        Sum(name, together, "the sum of exp(z - m) over all", terms),
    ]


def _exponential(score: float, largest: float) -> str:
    numbers = {"z": score, "m": largest}
    digits = digits_for(1.0, numbers.values())
    return Function(Symbol(""), 0.0, "exp(z - m)", arguments=numbers, digits=digits).expression


def _is_rowwise(activation: Activation) -> bool:
    return activation.is_built_in and activation.per_row


def constants(part: Part, formula: str) -> dict[str, float]:
    """Return the constants of a built-in part that occur in a formula of it, such as slope and alpha."""
    if not part.is_built_in:
        return {}
    values = {name: getattr(part, name, None) for name in NAMES.findall(formula)}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def activation_backward(part: LayerTrace, row: int, index: Index) -> tuple[list[Equation], Index | None]:
    """Return the equations for dL/dz of one unit from dL/da, and the activation that contributes most."""
    if part.activation is None or part.grad_a is None or part.grad_z is None:
        return [], index
    activation, places = part.activation.section(index[-1], part.z.shape[-1])
    left = Symbol("z", part.name, index, gradient=True)
    value = float(part.grad_z[(row, *index)])
    grad_a, a = (v[(row, *index[:-1])][places] for v in (part.grad_a, part.a))
    own, first = index[-1] - places.start, places.start
    if _is_rowwise(activation):
        terms = tuple(
            Term((Factor(Symbol("a", part.name, (*index[:-1], i), gradient=True), back), factor))
            for i, (back, factor) in enumerate(
                zip(grad_a, _jacobian(activation, a, own, first), strict=True), first
            )
        )
        largest = first + max(range(len(a)), key=lambda i: abs(terms[i].value))
        rule = f"a row of the Jacobian: {activation.derivative}"
        return [Sum(left, value, rule, terms)], (*index[:-1], largest)
    z_row, a_row = (v[row : row + 1, ..., places] for v in (part.z, part.a))
    one, place = np.zeros_like(a_row), (0, *index[:-1], own)
    one[place] = 1.0
    slope = float(activation.backward(one, z_row, a_row)[place])
    derivative = Factor(Symbol("f'", part.name, index), slope)
    back = Factor(Symbol("a", part.name, index, gradient=True), grad_a[own])
    if not activation.is_built_in and not math.isclose(
        slope * back.value, value, rel_tol=1e-9, abs_tol=1e-300
    ):
        return [Equation(left, value, f"what backward of {activation.name} gives")], None
    arguments = {"z": part.z[(row, *index)], "a": part.a[(row, *index)]}
    made: Equation = Function(
        derivative.symbol,
        slope,
        activation.derivative,
        arguments=arguments | constants(activation, activation.derivative),
    )
    if not activation.is_built_in:
        made = Equation(derivative.symbol, slope, f"the derivative of {activation.name}")
    rule = "what comes back · slope of the activation"
    return [Sum(left, value, rule, (Term((back, derivative)),)), made], index


def _jacobian(activation: Activation, a: Array, j: int, first: int) -> list[Factor]:
    """Return da_i/dz_j for each i, for an activation of whole rows whose first place is `first`."""
    factors = []
    rule = rule_of((f"entry = {activation.jacobian}",))
    for i, value in enumerate(a.tolist()):
        numbers = {"a_i": value, "a_j": float(a[j]), "same": float(i == j)}
        entry = float(rule.values({}, numbers)["entry"])
        expression = Function(Symbol(""), entry, f"({activation.jacobian})", arguments=numbers).expression
        factors.append(Factor(Symbol(f"∂a[{first + i}]/∂z[{first + j}]"), entry, expression))
    return factors
