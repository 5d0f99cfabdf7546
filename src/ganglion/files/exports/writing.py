"""How one step of a network is written in each format.

The formats have two forms in common. C and JavaScript share `kernels`, functions in the part of C that also
is JavaScript once its types are taken away: no pointer arithmetic, no division of whole numbers, no structs.
The Python file has NumPy expressions, batch first, as a person would write them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ganglion.core.part import Array
from ganglion.core.steps import Step
from ganglion.errors import ConfigError


class Writing:
    """How the layers of one kind are written. Each file of `layers` has those of one family."""

    kernels: ClassVar[str] = ""
    """The functions in C that the calls need, for one row."""
    helpers: ClassVar[str] = ""
    """The functions in Python that the expression needs."""
    passes_on: ClassVar[bool] = False
    """Whether, in predictions, the numbers are those of the input, in the same order."""

    def tables(self, step: Step) -> Mapping[str, Array]:
        """Return arrays of fixed numbers by name, for a call, besides the parameters and the state."""
        return {}

    def calls(self, step: Step, x: Sequence[str], z: str, arrays: Mapping[str, str]) -> list[str]:
        """Return the calls of the kernels, in order.

        Args:
            step: the step.
            x: the names of the values that it reads.
            z: the name of the value that it writes.
            arrays: the names of its parameters, state and tables.
        """
        raise NotImplementedError

    def expression(self, step: Step, x: Sequence[str], arrays: Mapping[str, str]) -> str:
        """Return the value in NumPy; the arguments are those of `calls`."""
        raise NotImplementedError

    def nodes(self, step: Step, graph: Any, x: Sequence[str], arrays: Mapping[str, Array]) -> str:
        """Add the nodes to a graph of ONNX, batch first; return the name of the value that they write."""
        raise NotImplementedError

    def terms(self, step: Step, x: Sequence[Sequence[str]], arrays: Mapping[str, Array]) -> list[str]:
        """Return an expression in SQL for each number of the value, given those of the values read.

        Raises:
            ConfigError: if the layer has none.
        """
        raise ConfigError(f"{step.name} cannot be written in SQL", "export to another format, such as .py")


def numbers(*values: int) -> str:
    """Return whole numbers as the last arguments of a call."""
    return ", ".join(map(str, values))


def sum_of(terms: Sequence[str]) -> str:
    """Return a sum in SQL."""
    return " + ".join(terms).replace("+ -", "- ") if terms else "0.0"


def literal(value: float) -> str:
    """Return a number in SQL or Python, as short as float32 allows, always with a point or an exponent."""
    return repr(float(np.format_float_scientific(np.float32(value)))) if value else "0.0"
