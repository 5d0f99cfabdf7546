"""A layer's computation as equations, so that a trace can print every number of a step.

A layer that a trace can take apart has an `Arithmetic` below it in the same file. It reads the numbers of a
`TracedStep` and builds equations with its methods; the caller defines what an equation is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from ganglion.core.layers.base import Layer, Weights
    from ganglion.core.part import Array

    Equation = Any
    Symbol = Any
    Factor = Any
    Term = Any

    class TracedStep(Protocol):
        """The numbers of one step for each row of a batch, and methods to build equations from them.

        `x` holds the values that the step read (a tuple if there are several), `z` the outputs of its layer,
        `back` the gradient of the loss with respect to them. Numbers are identified by row and index.
        """

        weights: Weights
        cache: Any
        training: bool
        z: Array
        x: Any

        @property
        def layer(self) -> Layer: ...
        @property
        def name(self) -> str: ...
        @property
        def count(self) -> int: ...
        @property
        def back(self) -> Array: ...
        def grad_x(self, which: int = 0) -> Array: ...
        def out(self, index: Index, gradient: bool = False) -> Symbol: ...
        def input_symbol(self, index: Index, which: int = 0) -> Symbol: ...
        def grad_input(self, index: Index, which: int = 0) -> Symbol: ...
        def input(self, row: int, index: Index, which: int = 0) -> Factor: ...
        def own(
            self, letter: str, index: Index = (), value: float | None = None, gradient: bool = False
        ) -> Factor: ...
        def grad_out(self, row: int, index: Index) -> Factor: ...
        def factor(self, name: Symbol | str, value: float) -> Factor: ...
        def row_note(self, row: int) -> str: ...
        def term(self, *factors: Factor, note: str = "") -> Term: ...
        def square(self, name: object, value: float, mean: float) -> Factor: ...
        def sum(self, left: Symbol, value: float, rule: str, terms: Sequence[Term]) -> Equation: ...
        def equation(self, left: Symbol, value: float, rule: str = "", note: str = "") -> Equation: ...
        def grids(
            self, left: str, value: float, *grids: Sequence[Sequence[float | None]], marked: Index = ()
        ) -> Equation: ...
        def function(
            self,
            left: Symbol,
            value: float,
            rule: str,
            note: str = "",
            apart: tuple[str, ...] = (),
            **numbers: float,
        ) -> Equation: ...


Index = tuple[int, ...]


class Arithmetic:
    """The equations of one kind of layer. This default, for a user's own layer, only states the results."""

    adds_up_inputs = False
    """Whether each output is a sum over inputs and a bias."""
    unit = "unit"
    """The name of what the last axis of the outputs counts."""
    shared_over = ""
    """The places that share the parameters, such as "windows": a parameter's gradient sums over them too."""

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Equation]:
        """Return the equations of one output of a row, the output's own first."""
        rule = f"what forward of {step.layer.name} gives"
        return [step.equation(step.out(index), float(step.z[(row, *index)]), rule)]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Equation], Index | None]:
        """Return the equations of one input's gradient, and the output that contributes most to it."""
        value = float(step.grad_x(which)[(row, *index)])
        rule = f"what backward of {step.layer.name} gives"
        return [step.equation(step.grad_input(index, which), value, rule)], None

    def parameter(self, step: TracedStep, name: str, index: Index) -> list[tuple[Term, int, Index]] | None:
        """Return the terms of a parameter's gradient, each with the row and the output it comes from.

        None if they are unknown.
        """
        return None

    def moved(self, step: TracedStep, name: str, places: Array, moves: Array) -> Array | None:
        """Return z after changing each of some elements of a parameter alone, stacked along a first axis.

        None if there is no shortcut, so that `forward` must run for each.
        """
        return None


class SameNumber(Arithmetic):
    """Each output is a copy of an input, possibly at another index."""

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Equation]:
        source = moved(index, step.z.shape[1:], step.x.shape[1:])
        term = step.term(step.input(row, source))
        return [step.sum(step.out(index), step.z[(row, *index)], "copied from the input", (term,))]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Equation], Index | None]:
        target = moved(index, step.x.shape[1:], step.z.shape[1:])
        out = step.grad_out(row, target)
        return [step.sum(step.grad_input(index), out.value, "the same number", (step.term(out),))], target


def moved(index: Index, shape: Index, other: Index) -> Index:
    """Return the index, in an array reshaped from `shape` to `other`, of the number at `index`."""
    flat = 0
    for place, size in zip(index, shape, strict=True):
        flat = flat * size + place
    found = []
    for size in reversed(other):
        flat, place = divmod(flat, size)
        found.append(place)
    return tuple(reversed(found))
