"""Equations with numbers, the elements of a trace, as text, HTML, LaTeX and plain data.

An equation shows how one number is computed: as a sum of products (`Sum`) or by a formula (`Function`).
Printed arithmetic adds up: the printed digits yield the printed result.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ganglion.core.part import plain
from ganglion.optional import load

DIGITS = 6
MOST_DIGITS = 17
ROUNDING = 1e12  # a result this much smaller than its parts is rounding error
MOST_TERMS = 10
NUMBER = r"(?<![\w.\[])\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w|\.\d|[\d, ]*\])"
ORANGE, BLUE = "#e08214", "#5b9bd5"
NAMES = re.compile(r"[A-Za-z_]\w*")


def figure(value: float, digits: int = DIGITS) -> str:
    """Return a number with six significant digits, or more where rounding would hide its distance from 1."""
    if 0.999 < abs(value) < 1:
        digits += int(-math.log10(1 - abs(value)))
    return f"{value + 0.0:.{min(digits, MOST_DIGITS)}g}"  # + 0.0 makes -0 a plain 0


def digits_for(result: float, parts: Iterable[float]) -> int:
    """Return how many digits of the parts are needed to reproduce a result much smaller than they are."""
    largest = max((abs(part) for part in parts if math.isfinite(part)), default=0.0)
    if not (0 < abs(result) < largest) or largest / abs(result) > ROUNDING:
        return DIGITS
    return DIGITS + int(math.log10(largest / abs(result)))


@dataclass(frozen=True)
class Symbol:
    """The name of a number: a letter, its layer and its index; or any other text.

    >>> print(Symbol("z", "dense_1", (2,)), Symbol("z", "dense_1", (2,), gradient=True))
    dense_1.z[2] ∂L/∂dense_1.z[2]
    """

    letter: str
    layer: str = ""
    index: tuple[int, ...] = ()
    gradient: bool = False

    def __str__(self) -> str:
        place = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        owner = f"{self.layer}." if self.layer else ""
        return f"{'∂L/∂' if self.gradient else ''}{owner}{self.letter}{place}"

    def to_latex(self) -> str:
        """Return the symbol in LaTeX."""
        letter = _upright(self.letter)
        owner = rf"^{{{_upright(self.layer)}}}" if self.layer else ""
        place = f"_{{{','.join(map(str, self.index))}}}" if self.index else ""
        name = f"{letter}{owner}{place}"
        return rf"\frac{{\partial L}}{{\partial {name}}}" if self.gradient else name


LATEX = {
    "\\": r"\backslash ",
    "^": r"\hat{}",
    "~": r"\sim ",
    "∂": r"\partial ",
    "·": r"\cdot ",
    "²": "{}^2",
    " ": r"\ ",
} | {character: f"\\{character}" for character in "&%$#_{}"}
FUNCTIONS = {"exp", "log", "tanh", "cosh", "min", "max"}
WORDS_OF_MATH = {"*": r"\cdot ", ">": r"\gt ", "<": r"\lt "}


def _escaped(text: str) -> str:
    """Return text for use in a LaTeX formula, with special characters escaped."""
    return "".join(LATEX.get(character, character) for character in text)


def _upright(name: str) -> str:
    if name in FUNCTIONS:
        return rf"\{name}"
    return name if len(name) == 1 and name.isalpha() else rf"\mathrm{{{_escaped(name)}}}"


def _formula(text: str) -> str:
    """Return a formula, as ganglion writes them, in LaTeX."""
    text = re.sub(r"(?<=\d)e([-+]?)0*(\d+)", lambda m: rf" \cdot 10^{{{m[1].strip('+')}{m[2]}}}", text)
    text = re.sub(r" ?\*\*(\w+)", r"^{\1}", text)
    text = NAMES.sub(
        lambda m: m.group() if len(m.group()) == 1 else rf"\mathrm{{{_escaped(m.group())}}}", text
    )
    return "".join(WORDS_OF_MATH.get(character, character) for character in text)


@dataclass(frozen=True)
class Factor:
    """One number of a product, with its name, and its own short expression if it has one."""

    symbol: Symbol
    value: float
    expression: str = ""

    def text(self, digits: int = DIGITS) -> str:
        """Return the expression, or else the number."""
        return self.expression or figure(self.value, digits)


def unless_one(name: str, value: float) -> tuple[Factor, ...]:
    """Return a factor, or nothing if it is 1."""
    return () if math.isclose(value, 1.0) else (Factor(Symbol(name), value),)


@dataclass(frozen=True)
class Term:
    """A product of factors: one summand."""

    factors: tuple[Factor, ...]
    note: str = ""

    @property
    def value(self) -> float:
        """The product."""
        return math.prod(factor.value for factor in self.factors)

    def product(self, digits: int = DIGITS) -> str:
        """Return the product in numbers."""
        return " × ".join(factor.text(digits) for factor in self.factors)

    @property
    def symbols(self) -> str:
        """The product in names."""
        return " · ".join(str(factor.symbol) for factor in self.factors)


@dataclass(frozen=True)
class Equation:
    """How one number, called `left`, is computed. `rule` states it in general."""

    left: Symbol
    value: float
    rule: str = ""
    note: str = field(default="", kw_only=True)

    def lines(self) -> Iterator[str]:
        """Yield the equation as lines of text."""
        yield self._heading()
        if self.rule:
            yield f"    = {figure(self.value)}"

    def _heading(self, first: str = "") -> str:
        note = f"   ({self.note})" if self.note else ""
        return f"{self.left} = {first or self.rule or figure(self.value)}{note}"

    def latex_lines(self) -> Iterator[str]:
        """Yield the equation as lines of an `align*` environment."""
        if self.rule:
            yield rf"{self.left.to_latex()} &= \mathrm{{{_escaped(self.rule)}}} \\"
        yield rf"{'' if self.rule else self.left.to_latex()} &= {figure(self.value)} \\"

    def to_dict(self) -> dict[str, Any]:
        """Return the equation as plain JSON data."""
        return {"name": str(self.left), "value": plain(self.value), "rule": self.rule, "note": self.note}


@dataclass(frozen=True)
class Sum(Equation):
    """A sum of products, the largest first; from the eleventh on they are printed as one number."""

    terms: tuple[Term, ...] = ()

    def shown(self) -> tuple[list[Term], list[Term]]:
        """Return the terms to show, and those to fold into one number."""
        ordered = sorted(self.terms, key=lambda term: -abs(term.value))
        return ordered[:MOST_TERMS], ordered[MOST_TERMS:]

    def lines(self) -> Iterator[str]:
        shown, folded = self.shown()
        if len(self.terms) == 1 and len(self.terms[0].factors) == 1 and not self.terms[0].note:
            only = self.terms[0].symbols
            yield f"{self.left} = {only}" + (f"   ({self.rule})" if self.rule != only else "")
            yield f"    = {figure(self.value)}"
            return
        yield self._heading()
        digits = digits_for(self.value, (term.value for term in self.terms))
        rows = [(figure(t.value, digits), t.product(digits), t.symbols, t.note) for t in shown]
        if folded:
            rows.append((figure(sum(t.value for t in folded), digits), "", f"{len(folded)} more", ""))
        wide = max((len(row[0]) for row in rows), default=0)
        middle = max((len(row[1]) for row in rows), default=0)
        for number, (value, product, symbols, note) in enumerate(rows):
            sign = " " if number == 0 else "+"
            made = f"= {product:<{middle}}" if product != value and product else " " * (middle + 2)
            yield f"    {sign} {value:<{wide}}  {made}   {symbols}{f'  ({note})' if note else ''}".rstrip()
        yield f"    = {figure(self.value)}"

    def latex_lines(self) -> Iterator[str]:
        shown, folded = self.shown()
        names = [r" \cdot ".join(f.symbol.to_latex() for f in t.factors) for t in shown]
        digits = digits_for(self.value, (term.value for term in self.terms))
        numbers = [r" \times ".join(f"({_formula(f.text(digits))})" for f in t.factors) for t in shown]
        if folded:
            names.append(r"\dots")
            numbers.append(f"({figure(sum(t.value for t in folded), digits)})")
        yield rf"{self.left.to_latex()} &= {' + '.join(names) or '0'} \\"
        yield rf"&= {' + '.join(numbers) or '0'} \\"
        yield rf"&= {figure(self.value)} \\"

    def to_dict(self) -> dict[str, Any]:
        terms = [
            {
                "value": plain(term.value),
                "note": term.note,
                "factors": [{"name": str(f.symbol), "value": plain(f.value)} for f in term.factors],
            }
            for term in self.terms
        ]
        return super().to_dict() | {"terms": terms}


@dataclass(frozen=True)
class Function(Equation):
    """A formula of named numbers, such as `1 / (1 + exp(-z))` with z = 0.8."""

    arguments: Mapping[str, float] = field(default_factory=dict)
    digits: int = field(default=DIGITS, kw_only=True)

    @property
    def expression(self) -> str:
        """The formula with the numbers in place of their names."""
        formula, comma, rest = self.rule.partition(", ")

        def number(match: re.Match[str]) -> str:
            if match.group() not in self.arguments:
                return match.group()
            text = figure(self.arguments[match.group()], self.digits)
            around = (
                match.string[match.start() - 1 : match.start()] + match.string[match.end() : match.end() + 1]
            )
            return f"({text})" if text.startswith("-") and around != "()" else text

        return NAMES.sub(number, formula) + comma + NAMES.sub(number, rest)

    def _steps(self) -> list[str]:
        """Return rule, expression and value, without repetitions."""
        steps = [self.rule, self.expression, figure(self.value)]
        return [step for number, step in enumerate(steps) if step not in steps[:number]]

    def lines(self) -> Iterator[str]:
        first, *rest = self._steps()
        yield self._heading(first)
        yield from (f"    = {step}" for step in rest)

    def latex_lines(self) -> Iterator[str]:
        first, *rest = map(_formula, self._steps())
        yield rf"{self.left.to_latex()} &= {first} \\"
        yield from (rf"&= {step} \\" for step in rest)

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"arguments": plain(self.arguments)}


@dataclass(frozen=True)
class Grids(Equation):
    """A patch of an image and the kernel on it: their products, place by place, sum to the value.

    Or one grid of numbers, with the one that is the value in brackets. None is padding, shown as a dot.
    """

    grids: tuple[tuple[tuple[float | None, ...], ...], ...] = ()
    marked: tuple[int, ...] = ()

    def lines(self) -> Iterator[str]:
        yield f"{self.left}{f', {self.rule}' if self.rule else ''}"
        tables = [self._cells(grid, figure_short) for grid in self.grids]
        middle = len(tables[0]) // 2
        for number in range(len(tables[0])):
            between = "  ×  " if number == middle else "     "
            yield f"    {between.join('  '.join(table[number]) for table in tables)}".rstrip()
        if not self.marked:
            yield f"    = {figure(self.value)}"

    def _cells(
        self, grid: tuple[tuple[float | None, ...], ...], shown: Callable[[float], str]
    ) -> list[list[str]]:
        """Return the numbers as text, those of a column equally wide."""
        cells = [["·" if number is None else shown(number) for number in line] for line in grid]
        if self.marked:
            cells = [[f" {cell} " for cell in line] for line in cells]
            row, column = self.marked
            cells[row][column] = f"[{cells[row][column].strip()}]"
        wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return [[f"{cell:>{w}}" for cell, w in zip(line, wide, strict=True)] for line in cells]

    def latex_lines(self) -> Iterator[str]:
        matrices = []
        for grid in self.grids:
            rows = [" & ".join(r"\cdot" if n is None else figure_short(n) for n in line) for line in grid]
            matrices.append(r"\begin{pmatrix} " + r" \\ ".join(rows) + r" \end{pmatrix}")
        result = "" if self.marked else f" = {figure(self.value)}"
        yield rf"& \mathrm{{{_escaped(str(self.left))}}} \\"
        yield r"& " + r" \odot ".join(matrices) + result + r" \\"

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"grids": plain(self.grids), "marked": list(self.marked)}


def figure_short(value: float) -> str:
    """Return a number with four significant digits, for grids."""
    return f"{value + 0.0:.4g}"


def colored(text: str) -> Any:
    """Return text for a terminal, as a rich `Text`: negative numbers in orange, the others in blue."""
    found = load("rich.text").Text(text)
    found.highlight_regex(NUMBER, BLUE)
    found.highlight_regex(rf"(?<!\w)-{NUMBER}", ORANGE)
    return found


@dataclass(frozen=True)
class Explanation:
    """The explanation of one number: words, then equations that add up.

    Print it for text; a notebook shows it as HTML; `to_latex` and `to_dict` return formulas and plain data.

    Attributes:
        title: the name of the number.
        value: the number.
        words: what it means, in plain words.
        equations: how it is computed, starting with the number itself.
    """

    title: str
    value: float
    words: str
    equations: tuple[Equation, ...]

    def __str__(self) -> str:
        parts = [f"{self.title} = {figure(self.value)}", *([self.words] if self.words else [])]
        return "\n\n".join([*parts, *("\n".join(equation.lines()) for equation in self.equations)])

    __repr__ = __str__

    def __rich__(self) -> Any:
        return colored(str(self))

    def _repr_html_(self) -> str:
        blocks = "".join(
            f"<pre style='margin:0.4em 0'>{html.escape(chr(10).join(equation.lines()))}</pre>"
            for equation in self.equations
        )
        title = html.escape(f"{self.title} = {figure(self.value)}")
        return f"<div><b>{title}</b><p>{html.escape(self.words)}</p>{blocks}</div>"

    def to_latex(self) -> str:
        """Return the equations as one `align*` environment."""
        lines = [line for equation in self.equations for line in equation.latex_lines()]
        return "\n".join([r"\begin{align*}", *lines, r"\end{align*}"])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON data."""
        return {
            "title": self.title,
            "value": plain(self.value),
            "words": self.words,
            "equations": [equation.to_dict() for equation in self.equations],
        }
