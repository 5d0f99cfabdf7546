"""The reference: one page for each public object, and an index grouped by kind.

    python docs/reference.py

writes the pages into `docs/reference`, from which Sphinx fills in signatures and docstrings. A public name
is found in the package itself and grouped by the room it lives in; a new kind is one line in `GROUPS`.
"""

from __future__ import annotations

import inspect
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from docstrings import marked_up

import ganglion
import ganglion.estimators

FOLDER = Path(__file__).parent / "reference"
MODULES: dict[str, ModuleType] = {
    "ganglion": ganglion,
    "ganglion.plot": ganglion.plot,
    "ganglion.presets": ganglion.presets,
    "ganglion.origins": ganglion.origins,
    "ganglion.when": ganglion.when,
    "ganglion.estimators": ganglion.estimators,
}
GROUPS = {
    "Network": ("ganglion.network", "ganglion.many", "ganglion.training.history"),
    "Stepping": ("ganglion.stepping", "ganglion.training.snapshot"),
    "Checkpoints": ("ganglion.files.checkpoint",),
    "Notebook": ("ganglion.notebook",),
    "Tables": ("ganglion.table_model", "ganglion.tables", "ganglion.answers", "ganglion.comparison"),
    "Images": ("ganglion.image_model", "ganglion.images"),
    "Estimators": ("ganglion.estimators",),
    "Layers": ("ganglion.core.layers",),
    "Presets": ("ganglion.presets",),
    "Inputs": ("ganglion.core.inputs", "ganglion.core.bags"),
    "Activations": ("ganglion.core.activations",),
    "Losses": ("ganglion.core.losses",),
    "Optimizers": ("ganglion.training.optimizers",),
    "Schedules": ("ganglion.training.schedules",),
    "Callbacks": ("ganglion.training.callbacks", "ganglion.training.stopping"),
    "Regularization": ("ganglion.core.regularization",),
    "Initializers": ("ganglion.core.initializers",),
    "Looking inside": ("ganglion.insight",),
    "Pictures": ("ganglion.insight.plot",),
    "Origins": ("ganglion.origins",),
    "Errors": ("ganglion.errors",),
}


@dataclass(frozen=True)
class Page:
    """A public object and where it is found: `ganglion.plot.history` in the module `ganglion.plot`."""

    module: str
    name: str
    value: Any

    @property
    def path(self) -> str:
        """The full name."""
        return f"{self.module}.{self.name}"

    @property
    def spelled(self) -> str:
        """How a user of `import ganglion as gg` writes it."""
        return (
            self.path if self.module == "ganglion.estimators" else "gg" + self.path.removeprefix("ganglion")
        )

    @property
    def summary(self) -> str:
        """The first paragraph of its docstring."""
        return " ".join((inspect.getdoc(self.value) or "").split("\n\n")[0].split())

    @property
    def group(self) -> str:
        """The kind it belongs to: that of the longest room that its home begins with."""
        home: str = self.value.__module__ + "."
        fits = [
            (len(room), group)
            for group, rooms in GROUPS.items()
            for room in rooms
            if home.startswith(room + ".")
        ]
        if not fits:
            raise LookupError(f"no group of the reference is the home of {self.path}, from {home[:-1]}")
        return max(fits)[1]

    def text(self) -> str:
        """Return the page, which Sphinx's autodoc fills in."""
        if not inspect.isclass(self.value):
            directive = [f".. autofunction:: {self.path}"]
        else:
            directive = [f".. autoclass:: {self.path}"]
            directive += ["   :show-inheritance:"] if bases(self.value) else []
            directive += [f"   :members: {', '.join(found)}"] if (found := members(self.value)) else []
        head = [self.spelled, "=" * len(self.spelled), "", f".. py:currentmodule:: {self.module}", ""]
        return "\n".join([*head, *directive, ""])


@cache
def pages() -> list[Page]:
    """Return a page for each public object that is no module itself."""
    found = [
        Page(path, name, getattr(module, name)) for path, module in MODULES.items() for name in module.__all__
    ]
    return [page for page in found if not isinstance(page.value, ModuleType)]


def bases(kind: type) -> list[type]:
    """Return the nearest base that has a page of its own, and Python's own bases."""
    public = {page.value for page in pages() if inspect.isclass(page.value)}
    nearest = [base for base in kind.__mro__[1:] if base in public][:1]
    return nearest + [base for base in kind.__bases__ if base.__module__ == "builtins" and base is not object]


def members(kind: type) -> list[str]:
    """Return the documented members of a class that no public base of it shows on a page of its own."""
    others = [page.value for page in pages() if inspect.isclass(page.value) and page.value is not kind]
    shown = {base for other in others if issubclass(kind, other) for base in other.__mro__}
    own = [base for base in kind.__mro__ if base not in shown and base.__module__.startswith("ganglion.")]
    found = [
        name for base in own for name, value in vars(base).items() if name[0] != "_" and _is_documented(value)
    ]
    return list(dict.fromkeys(found))


def _is_documented(value: Any) -> bool:
    """Whether a value in a class's body is a method or property with a docstring of its own."""
    documentation = getattr(value, "__doc__", None)
    return bool(documentation) and documentation != type(value).__doc__ and hasattr(type(value), "__get__")


def index(found: list[Page]) -> str:
    """Return the index: for each kind its objects, each with the first sentences about it."""
    lines = ["Reference", "=========", "", "Names are those after ``import ganglion as gg``.", ""]
    lines += [".. py:currentmodule:: ganglion", ""]
    for group in GROUPS:
        own = [page for page in found if page.group == group]
        lines += [group, "-" * len(group), "", ".. list-table::", "   :widths: 32 68", ""]
        for page in own:
            lines += [f"   * - :py:obj:`{page.spelled} <{page.path}>`", f"     - {marked_up(page.summary)}"]
        lines += ["", ".. toctree::", "   :hidden:", ""]
        lines += [f"   {page.spelled.removeprefix('ganglion.')} <{page.path}>" for page in own] + [""]
    return "\n".join(lines)


def write(folder: Path = FOLDER) -> None:
    """Write the index and every page, and leave no page of what is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found = pages()
    for page in found:
        (folder / f"{page.path}.rst").write_text(page.text(), encoding="utf-8")
    (folder / "index.rst").write_text(index(found), encoding="utf-8")


if __name__ == "__main__":
    write()
