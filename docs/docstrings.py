"""From the package's docstrings, plain text in Google's form, to what Sphinx reads.

Text stays as it is written: stars, bars and underscores mean themselves, indented lines are formulas, and a
name in backticks is a link where the reference has a page of it, else code.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator

SECTIONS = {"Args": "Parameters", "Attributes": "Attributes", "Returns": "Returns", "Raises": "Raises"}
NAME = re.compile(r"(?:gg\.|ganglion\.)?[A-Za-z_][\w.]*")
ITEM = re.compile(r"((?:\w+, )*\w+): (.*)", re.DOTALL)


def marked_up(text: str) -> str:
    """Return a paragraph with what is in backticks as links or code, and all else as plain text."""
    pieces = re.split(r"`([^`]+)`", text)
    return "".join(_code(piece) if place % 2 else _escaped(piece) for place, piece in enumerate(pieces))


def _escaped(text: str) -> str:
    return re.sub(r"([\\*|]|_(?!\w))", r"\\\1", text)


def _code(text: str) -> str:
    words = " ".join(text.split())
    return link(words) if NAME.fullmatch(words) else f"``{words}``"


def link(name: str) -> str:
    """Return a link to the page of a name, which Sphinx shows as code where there is none."""
    return f":py:obj:`{name} <{re.sub('^gg[.]', 'ganglion.', name)}>`"


def restructured(documentation: str) -> list[str]:
    """Return a docstring in Sphinx's markup."""
    return [line for block in _blocks(inspect.cleandoc(documentation)) for line in [*block, ""]]


def _blocks(text: str) -> Iterator[list[str]]:
    for paragraph in re.split(r"\n\n+", text):
        first, _, rest = paragraph.partition("\n")
        if first.removesuffix(":") in SECTIONS and first.endswith(":"):
            yield _section(SECTIONS[first[:-1]], textwrap.dedent(rest))
        elif first.startswith(">>>"):
            yield paragraph.split("\n")
        elif first.startswith(" "):
            yield ["::", "", *(f"    {line}" for line in textwrap.dedent(paragraph).split("\n"))]
        else:
            yield marked_up(paragraph).split("\n")


def _section(title: str, text: str) -> list[str]:
    """Return a field of a list of names and what they are, or of a text."""
    lines = [f":{title}:"]
    for item in re.split(r"\n(?! )", text):
        named = ITEM.fullmatch(item)
        if named and title != "Returns":
            names = named[1].split(", ")
            shown = [f":py:exc:`{name}`" if title == "Raises" else f"**{_escaped(name)}**" for name in names]
            words = marked_up(" ".join(named[2].split()))
            lines.append(f"    * {', '.join(shown)}: {words}")
        else:
            lines.append(f"    {marked_up(' '.join(item.split()))}")
    return lines
