"""How a layer's arithmetic is told in symbols, so that a trace can print every number of a step.

Each layer that can be taken apart has an `Arithmetic` in its own file, under the layer. It reads the numbers
of a `TracedStep` and writes equations with its methods; what an equation is, only the caller knows.
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
        """The numbers of one step for each row of a batch, and the means to write equations about them.

        `x` holds what the step read (of several values a tuple), `z` what its layer gave, `grad_z` the
        gradient of the loss with respect to that. Numbers are named by their row and their place in it.
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
    """The arithmetic of one kind of layer. This one, for a user's own, only says what came out."""

    adds_up_inputs = False
    """Whether each output is a sum over inputs, which push it up and down, and a bias."""

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Equation]:
        """Return how the output number `index` of a row came about, that number's equation first."""
        rule = f"what forward of {step.layer.name} gives"
        return [step.equation(step.out(index), float(step.z[(row, *index)]), rule)]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Equation], Index | None]:
        """Return how the gradient of one input came about, and the output that carries most of it."""
        value = float(step.grad_x(which)[(row, *index)])
        rule = f"what backward of {step.layer.name} gives"
        return [step.equation(step.grad_input(index, which), value, rule)], None

    def parameter(self, step: TracedStep, name: str, index: Index) -> list[tuple[Term, int, Index]] | None:
        """Return the terms of a parameter's gradient, each with the row and the output it comes from.

        None where they are not known.
        """
        return None

    def moved(self, step: TracedStep, name: str, places: Array, moves: Array) -> Array | None:
        """Return z with each of some numbers of a parameter moved alone, stacked along a first axis.

        None where there is no shorter way than `forward` for each.
        """
        return None


class SameNumber(Arithmetic):
    """What comes out is a number that came in, perhaps at another place."""

    def forward(self, step: TracedStep, row: int, index: Index) -> list[Equation]:
        source = moved(index, step.z.shape[1:], step.x.shape[1:])
        term = step.term(step.input(row, source))
        return [step.sum(step.out(index), step.z[(row, *index)], "the number that comes in", (term,))]

    def backward(
        self, step: TracedStep, row: int, index: Index, which: int = 0
    ) -> tuple[list[Equation], Index | None]:
        target = moved(index, step.x.shape[1:], step.z.shape[1:])
        out = step.grad_out(row, target)
        return [step.sum(step.grad_input(index), out.value, "the same number", (step.term(out),))], target


def moved(index: Index, shape: Index, other: Index) -> Index:
    """Return the place in an array of another shape, in the same order, of the number at a place in one."""
    flat = 0
    for place, size in zip(index, shape, strict=True):
        flat = flat * size + place
    found = []
    for size in reversed(other):
        flat, place = divmod(flat, size)
        found.append(place)
    return tuple(reversed(found))
