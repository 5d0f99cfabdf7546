"""Parses printed arithmetic and computes it again.

`redo` evaluates every expression in the text of an explanation from its printed digits, and compares the
result with the printed one. Each number may be off by half a unit in its last digit, and the result by the
resulting error.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

NUMBER = re.compile(r"(?<![\w.\]])(?<!\*\*)\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])")
TERM = re.compile(r"^    [ +] (\S+) +(?:= (.*?)  +)?(\S.*?)(?:  \((.*)\))?$")


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


KNOWN: dict[str, Any] = {
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
    "cosh": math.cosh,
    "pi": math.pi,
    "abs": abs,
    "min": min,
    "max": max,
    "sign": lambda v: (v > 0) - (v < 0),
    "flushed": lambda v: v if abs(v) >= np.finfo(np.float64).tiny else 0.0,
    "sigmoid": sigmoid,
    "softplus": lambda z: max(z, 0.0) + math.log1p(math.exp(-abs(z))),
    "Phi": lambda z: 0.5 * math.erfc(-z / math.sqrt(2)),
    "Cubic": lambda z: z**3,  # a custom activation of a test
    "__builtins__": {},
}


def half_digit(value: float) -> float:
    """Return how far a number of six printed significant digits may be off."""
    return 0.5000001 * 10.0 ** (math.floor(math.log10(abs(value))) - 5) if value else 0.0


def evaluate(text: str) -> float:
    """Return the value of a formula of numbers, which may define names after commas."""
    formula, *definitions = re.split(r", (?=\w+ (?:=|the) )", text.replace("×", "*"))
    names: dict[str, Any] = dict(KNOWN)
    for definition in definitions:
        name, equals, rest = definition.partition(" = ")
        if equals:
            names[name] = eval(rest, dict(KNOWN))
    return float(eval(formula, names))


def slack(text: str) -> float:
    """Return the largest error of an expression due to the rounding of its numbers."""
    value, total = evaluate(text), 0.0
    for match in NUMBER.finditer(text):
        number = float(match.group())
        moved = repr(number + half_digit(number))
        total += abs(evaluate(text[: match.start()] + moved + text[match.end() :]) - value)
    return 1.01 * total


def check(value: float, text: str, allowed: float = 0.0) -> None:
    got = evaluate(text)
    limit = half_digit(value) + slack(text) + allowed + 1e-12 * abs(got)
    assert abs(got - value) <= limit, f"{text} = {got}, printed {value}"


def redo(text: str, symbols_agree: bool = True) -> int:
    """Check every printed equation, and return their number.

    Args:
        text: the result of `str(explanation)`.
        symbols_agree: whether a name must have the same value wherever it is printed.
    """
    seen: dict[str, str] = {}
    count = 0
    for block in text.split("\n\n"):
        lines = block.splitlines()
        if " = " not in lines[0] and len(lines) > 1 and all(line.startswith("    ") for line in lines[1:]):
            _redo_grids(block)
            count += 1
            continue
        if " = " not in lines[0] or not all(line.startswith("    ") for line in lines[1:]):
            continue  # words
        left, _, rule = lines[0].partition(" = ")
        if len(lines) == 1:
            result = rule.split("   (")[0]
            if not NUMBER.fullmatch(result.removeprefix("-")):
                continue  # words
        else:
            assert lines[-1].startswith("    = "), block
            result = lines[-1].removeprefix("    = ")
            terms = [TERM.match(line) for line in lines[1:-1] if not line.startswith("    = ")]
            assert all(terms), block
            if terms:
                summands = [float(term.group(1)) for term in terms if term]
                allowed = sum(map(half_digit, summands)) + half_digit(float(result))
                assert abs(math.fsum(summands) - float(result)) <= allowed, block
                for term in terms:
                    assert term is not None
                    if term.group(2):
                        check(float(term.group(1)), term.group(2))
                    _note(seen, term.group(3).split(" · "), (term.group(2) or term.group(1)).split(" × "))
                count += 1
            elif len(lines) == 2:
                _note(seen, [rule.split("   (")[0]], [result])
            elif len(lines) == 3:
                check(float(result), lines[1].removeprefix("    = "))
                count += 1
        _note(seen, [left], [result])
    if symbols_agree:
        for name, values in seen.items():
            numbers = [float(value) for value in values.split("|")]
            assert max(numbers) - min(numbers) <= 2 * half_digit(max(numbers, key=abs)), f"{name}: {values}"
    return count


def _redo_grids(block: str) -> None:
    """Check that the products of two grids, place by place, sum to the printed result.

    A single grid must have one number in brackets, the largest.
    """
    lines = [line.replace("  ×  ", "     ").split() for line in block.splitlines()[1:]]
    if lines[-1][0] != "=":
        (marked,) = re.findall(r"\[(\S+)\]", block.split("\n", 1)[1])
        shown = [float(cell.strip("[]")) for line in lines for cell in line if cell != "·"]
        assert float(marked) == max(shown), block
        return
    result, error, total = float(lines.pop()[1]), 0.0, 0.0
    for line in lines:
        left, right = line[: len(line) // 2], line[len(line) // 2 :]
        for a, b in zip(left, right, strict=True):
            x, w = 0.0 if a == "·" else float(a), float(b)
            total += x * w
            error += 100 * (
                half_digit(x) * abs(w) + half_digit(w) * abs(x) + half_digit(x * w)
            )  # four digits
    assert abs(total - result) <= error + half_digit(result), block


def _note(seen: dict[str, str], names: list[str], values: list[str]) -> None:
    if len(names) == len(values):
        for name, value in zip(names, values, strict=True):
            if re.fullmatch(r"[-\d.e+]+", value) and not name.endswith(" more") and name not in LOCAL:
                seen[name] = f"{seen[name]}|{value}" if name in seen else value


LOCAL = ("-mean ∂L/∂normal", "-mean (∂L/∂normal · normal)", "-mean (∂L/∂normal", "normal)", "1/deviation")
