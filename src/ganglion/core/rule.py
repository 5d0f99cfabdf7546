"""Rules: the formulas of an update, written once as text, which an engine evaluates and a trace prints.

A rule is a sequence of lines `name = formula`, evaluated in order on vectors or on single numbers:

    m = beta_1 * m + (1 - beta_1) * g
    change = rate * m

A name that occurs in its own formula is a slot: a vector that persists between updates and is written in
place. A formula consists of numbers, names, + - * / **, parentheses and the `FUNCTIONS`. To add a function:
add it there, and to the functions with which the tests evaluate printed formulas.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Mapping, Sequence
from functools import cache
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from ganglion.core.part import Array
from ganglion.errors import ConfigError

NAMES = re.compile(r"[A-Za-z_]\w*")


def _sqrt(x: Any) -> Any:
    return np.sqrt(x) if isinstance(x, np.ndarray) else math.sqrt(x)


def _exp(x: Any) -> Any:
    return np.exp(x) if isinstance(x, np.ndarray) else math.exp(x)


def _flushed(x: Any) -> Any:
    """Set subnormal numbers in x to 0, in place: repeated decay might never bring them there."""
    np.copyto(x, 0, where=np.abs(x) < np.finfo(x.dtype).tiny)
    return x


FUNCTIONS = {"sqrt": _sqrt, "sign": np.sign, "exp": _exp, "min": min, "flushed": _flushed}
IN_PLACE = {ast.Add: "iadd", ast.Sub: "isub", ast.Mult: "imul", ast.Div: "itruediv"}
SCOPE: dict[str, Any] = {
    "__builtins__": {},
    **FUNCTIONS,
    **{name: getattr(operator, name) for name in IN_PLACE.values()},
}
NODES = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Name, ast.Constant, ast.operator, ast.unaryop, ast.Load)


class Line(NamedTuple):
    """One line of a rule.

    Attributes:
        name: the name of the result.
        text: the formula; a slot that has not been written yet appears as `m_before`.
        code: the formula, compiled.
    """

    name: str
    text: str
    code: CodeType


class Rule:
    """A compiled sequence of lines.

    Raises:
        ConfigError: if a line does not have the form `name = formula`.

    >>> rule = Rule(["velocity = momentum * velocity + g", "change = rate * velocity"])
    >>> rule.slots, rule.settings
    (('velocity',), ('momentum', 'g', 'rate'))
    >>> slots = {"velocity": np.array([1.0, 0.0])}
    >>> rule.values(slots, {"g": np.array([1.0, 2.0]), "momentum": 0.5, "rate": 0.1})["change"]
    array([0.15, 0.2 ])
    >>> slots
    {'velocity': array([1.5, 2. ])}
    >>> rule.lines[0].text
    'momentum * velocity_before + g'
    """

    def __init__(self, lines: Sequence[str]) -> None:
        pairs = [tuple(part.strip() for part in line.split("=", 1)) for line in lines]
        for pair in pairs:
            if len(pair) != 2 or not NAMES.fullmatch(pair[0]):
                raise ConfigError(f"a line of a rule must be 'name = formula', got {' = '.join(pair)!r}")
        read = {name: NAMES.findall(formula) for name, formula in pairs}
        self.slots = tuple(name for name, names in read.items() if name in names)
        known = {*read, *FUNCTIONS}
        every = [name for names in read.values() for name in names if name not in known]
        self.settings = tuple(dict.fromkeys(every))  # the names that must be passed to `values`
        ahead = set(self.slots)
        self.lines: list[Line] = []
        for name, formula in pairs:
            text = NAMES.sub(lambda m: f"{m[0]}_before" if m[0] in ahead else m[0], formula)
            self.lines.append(Line(name, text, _compiled(name, formula)))
            ahead.discard(name)

    def values(self, slots: Mapping[str, Array], settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return all numbers by name, including those passed in; write the slots."""
        values = {**settings, **slots}
        for name, _, code in self.lines:
            value = eval(code, SCOPE, values)  # noqa: S307 - of the nodes above only
            if name not in slots:
                values[name] = value
            elif value is not slots[name]:
                slots[name][...] = value
        return values


rule_of = cache(Rule)


def _compiled(name: str, formula: str) -> CodeType:
    """Return the code of a formula whose result is called `name`."""
    try:
        tree = ast.parse(formula, mode="eval")
    except SyntaxError as error:
        raise ConfigError(f"the formula {formula!r} of a rule cannot be read: {error.msg}") from None
    if isinstance(tree.body, ast.Name):
        tree.body = _copy(tree.body)  # a result is never another name's vector
    once = sum(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree)) == 1
    tree = _InPlace(name if once else "").visit(tree)
    return compile(ast.fix_missing_locations(tree), formula, "eval")


def _copy(node: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.UAdd(), node)


class _InPlace(ast.NodeTransformer):
    """Lets an operator write into its left operand if that is an intermediate result.

    This saves buffers for large vectors and, as with `+=`, keeps a vector's dtype when combined with a NumPy
    scalar. The slot being written can serve as such an operand too, on either side of + and *.
    """

    def __init__(self, slot: str) -> None:
        self.slot = slot

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, NODES):
            raise ConfigError(f"a formula of a rule must not contain {ast.unparse(node)!r}")
        return super().generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS or node.keywords:
            raise ConfigError(
                f"a formula of a rule must not contain {ast.unparse(node)!r}",
                f"its functions are {', '.join(FUNCTIONS)}",
            )
        arguments = [
            _copy(a) if node.func.id == "flushed" and isinstance(a, ast.Name) else a for a in node.args
        ]
        return ast.Call(node.func, [self.visit(argument) for argument in arguments], [])

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        left, right = node.left, node.right
        if self._is_slot(right) and isinstance(node.op, ast.Add | ast.Mult):
            left, right = right, left
        writes = isinstance(left, ast.BinOp | ast.Call) or self._is_slot(left)
        if not writes or type(node.op) not in IN_PLACE:
            return self.generic_visit(node)
        name = ast.Name(IN_PLACE[type(node.op)], ast.Load())
        return ast.Call(name, [self.visit(left), self.visit(right)], [])

    def _is_slot(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == self.slot
