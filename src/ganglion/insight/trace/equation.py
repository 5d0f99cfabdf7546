"""Equations with their numbers: what a trace is made of, as text, HTML, LaTeX and plain data.

An equation says how one number came about: as a sum of products (`Sum`) or by a formula (`Function`).
What is printed adds up: redo the arithmetic with the printed digits, and the printed result comes out.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

DIGITS = 6
MOST_TERMS = 10
NAMES = re.compile(r"[A-Za-z_]\w*")


def figure(value: float) -> str:
    """Return a number with six significant digits, as everything in a trace is printed."""
    return f"{value + 0.0:.{DIGITS}g}"  # + 0.0 makes -0 a plain 0


@dataclass(frozen=True)
class Symbol:
    """The name of a number: a letter, the layer it belongs to, its place, or a text of its own.

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
WORDS_OF_MATH = {"*": r"\cdot ", ">": r"\gt ", "<": r"\lt "}


def _escaped(text: str) -> str:
    """Return text to stand in a formula, with the characters escaped that mean something to LaTeX."""
    return "".join(LATEX.get(character, character) for character in text)


def _upright(name: str) -> str:
    return name if len(name) == 1 else rf"\mathrm{{{_escaped(name)}}}"


def _formula(text: str) -> str:
    """Return a formula, as ganglion writes them, in LaTeX."""
    text = re.sub(r"\*\*(\w+)", r"^{\1}", text)
    text = NAMES.sub(
        lambda m: m.group() if len(m.group()) == 1 else rf"\mathrm{{{_escaped(m.group())}}}", text
    )
    return "".join(WORDS_OF_MATH.get(character, character) for character in text)


@dataclass(frozen=True)
class Factor:
    """One number of a product, with its name, and how it came about where that is short to say."""

    symbol: Symbol
    value: float
    expression: str = ""

    def __str__(self) -> str:
        return self.expression or figure(self.value)


@dataclass(frozen=True)
class Term:
    """A product of factors: one summand."""

    factors: tuple[Factor, ...]
    note: str = ""

    @property
    def value(self) -> float:
        """The product."""
        return float(np.prod([factor.value for factor in self.factors]))

    @property
    def symbols(self) -> str:
        """The product in names."""
        return " · ".join(str(factor.symbol) for factor in self.factors)


@dataclass(frozen=True)
class Equation:
    """How one number, called `left`, came about. `rule` says it in general."""

    left: Symbol
    value: float
    rule: str = ""
    note: str = field(default="", kw_only=True)

    def lines(self) -> Iterator[str]:
        """Yield the equation as lines of text."""
        yield self._heading()
        if self.rule:
            yield f"    = {figure(self.value)}"

    def _heading(self) -> str:
        return f"{self.left} = {self.rule or figure(self.value)}" + (f"   ({self.note})" if self.note else "")

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
    """A sum of products, the largest first; beyond ten the rest is one number."""

    terms: tuple[Term, ...] = ()

    def shown(self) -> tuple[list[Term], list[Term]]:
        """Return the terms to be shown, and those that are folded into one number."""
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
        rows = [(figure(t.value), " × ".join(map(str, t.factors)), t.symbols, t.note) for t in shown]
        if folded:
            rows.append((figure(sum(t.value for t in folded)), "", f"{len(folded)} more", ""))
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
        numbers = [r" \times ".join(f"({_formula(str(f))})" for f in t.factors) for t in shown]
        if folded:
            names.append(r"\dots")
            numbers.append(f"({figure(sum(t.value for t in folded))})")
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

    @property
    def expression(self) -> str:
        """The formula with the numbers in place of their names."""
        formula, comma, rest = self.rule.partition(", ")

        def number(match: re.Match[str]) -> str:
            if match.group() not in self.arguments:
                return match.group()
            text = figure(self.arguments[match.group()])
            around = (
                match.string[match.start() - 1 : match.start()] + match.string[match.end() : match.end() + 1]
            )
            return f"({text})" if text.startswith("-") and around != "()" else text

        return NAMES.sub(number, formula) + comma + NAMES.sub(number, rest)

    def lines(self) -> Iterator[str]:
        yield self._heading()
        if self.expression not in (self.rule, figure(self.value)):
            yield f"    = {self.expression}"
        yield f"    = {figure(self.value)}"

    def latex_lines(self) -> Iterator[str]:
        yield rf"{self.left.to_latex()} &= {_formula(self.rule)} \\"
        yield rf"&= {_formula(self.expression)} \\"
        yield rf"&= {figure(self.value)} \\"

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"arguments": {name: plain(v) for name, v in self.arguments.items()}}


def plain(value: float) -> float | None:
    """Return a number as JSON knows it, None where it is not finite."""
    return float(value) if np.isfinite(value) else None


@dataclass(frozen=True)
class Explanation:
    """One number, or one unit, explained: words for people, then equations that add up.

    `print` shows it as text, a notebook as a table, `to_latex` as formulas, `to_dict` as plain data.

    Attributes:
        title: what is explained.
        value: the number.
        words: what it means, in plain words.
        equations: how it came about, the number itself first.
    """

    title: str
    value: float
    words: str
    equations: tuple[Equation, ...]

    def __str__(self) -> str:
        parts = [f"{self.title} = {figure(self.value)}", *([self.words] if self.words else [])]
        return "\n\n".join([*parts, *("\n".join(equation.lines()) for equation in self.equations)])

    __repr__ = __str__

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
