"""The site of the guide and the reference: `make docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from docstrings import link, restructured
from reference import MODULES, bases

project = "ganglion"
author = "the authors of ganglion"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = "ganglion"
exclude_patterns = ["_build"]
html_copy_source = False
add_module_names = False
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_type_aliases = {"Array": "Array", "Axes": "Axes"}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
smartquotes = False
html_show_copyright = False
SHOWN = {
    r"= <factory>": "= ...",
    r"[\w~.]*PartField\[(.*?)\] = None": r"\1 | str | None = None",
    r"[\w~.]*PartField\[(.*?)\]": r"\1 | str",
    r"~?numpy\.ndarray\[tuple\[~?typing\.Any, \.\.\.\], ~?numpy\.dtype\[~?typing\.Any\]\]": "Array",
    r"TypeAliasForwardRef\('(\w+)'\)": r"\1",
}


def _read(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    own = name.rpartition(".")[2]  # in the text of a function, its argument of that name and not itself
    text = "\n".join(restructured("\n".join(lines)))
    lines[:] = (text.replace(link(own), f"``{own}``") if what == "function" else text).split("\n")


def _find(app: Any, env: Any, node: Any, shown: Any) -> Any:
    """Find a class that is named from another module, as `History` is in that of the plot functions."""
    if node.get("refdomain") == "py" and node["reftarget"][:1].isupper():
        python = env.get_domain("py")
        for module in MODULES:
            target = f"{module}.{node['reftarget']}"
            if found := python.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, shown):
                return found
    return None


def _sign(
    app: Any, what: str, name: str, value: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Show what a field of a part takes, and aliases by name; hide constructors that nobody calls."""
    if what == "class" and "Made by `" in (value.__doc__ or ""):
        return "", None
    for pattern, shown in SHOWN.items():
        signature = signature and re.sub(pattern, shown, signature)
        returned = returned and re.sub(pattern, shown, returned)
    return signature, returned


def _show_bases(app: Any, name: str, value: type, options: Any, shown: list[Any]) -> None:
    shown[:] = bases(value)


def setup(app: Any) -> None:
    """Let autodoc read docstrings as they are written here."""
    app.connect("autodoc-process-docstring", _read)
    app.connect("autodoc-process-signature", _sign)
    app.connect("autodoc-process-bases", _show_bases)
    app.connect("missing-reference", _find)
