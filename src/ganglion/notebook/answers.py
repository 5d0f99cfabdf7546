"""What the page asks about a network and some rows, and the answers, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganglion.core.architecture import Architecture
from ganglion.core.arrays import as_array
from ganglion.core.part import Array, plain
from ganglion.errors import ConfigError, DataError, ShapeError, shortened
from ganglion.training.history import History

MOST_UNITS, MOST_ROWS = 256, 1000
GRID = 48  # points of a surface along each side


class Subject:
    """A network and rows of numbers that are looked at.

    Args:
        network: a `Network`.
        X: rows of numbers, (n, inputs).
        y: their targets; None for none.
        names: of the inputs; by default x[0], x[1] ...
        classes: names of the outputs; by default their numbers.

    Raises:
        ConfigError: if the network does not take rows of numbers.
        DataError: if there are no rows.
        ShapeError: if there is not a target for each row, or a name for each input or output.
    """

    def __init__(
        self, network: Any, X: Any, y: Any = None, names: Sequence[str] | None = None, classes: Any = None
    ) -> None:
        architecture: Architecture = network.architecture
        if not architecture.takes_numbers or len(architecture.input_shape) != 1:
            raise ConfigError("explore needs a network that takes rows of numbers")
        self.network = network
        self.X = as_array("X", X)[:MOST_ROWS].astype(np.float64)
        if self.X.ndim != 2 or not len(self.X):
            raise DataError(f"explore needs at least one row of numbers, got shape {self.X.shape}")
        self.y = None if y is None else as_array("y", y)[:MOST_ROWS]
        self.names = list(names) if names is not None else [f"x[{i}]" for i in range(self.X.shape[1])]
        outputs = architecture.steps[-1].outputs
        self.outputs = (
            [str(each) for each in classes] if classes is not None else [str(i) for i in range(outputs)]
        )
        for what, found, of, wanted in (
            ("y", self.X if self.y is None else self.y, "row", len(self.X)),
            ("names", self.names, "input", self.X.shape[1]),
            ("classes", self.outputs, "output", outputs),
        ):
            if len(found) != wanted:
                raise ShapeError(f"{what} must have one for each {of}, {wanted}, got {len(found)}")

    def begin(self) -> dict[str, Any]:
        """Return what the page shows first."""
        return {
            "rows": len(self.X),
            "names": self.names,
            "outputs": self.outputs,
            "layers": [
                {"name": step.name, "units": step.outputs, "what": step.layer.describe()}
                for step in self.network.architecture.steps
            ],
            "curves": curves(self.network.history),
        }

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a question: {"kind": "row", "row": 0}, for example.

        Raises:
            ConfigError: for an unknown question, or a place out of range.
        """
        kinds = {"row": self._row, "unit": self._unit, "surface": self._surface}
        kind = question.get("kind") if isinstance(question, Mapping) else None
        if not isinstance(kind, str) or kind not in kinds:
            raise ConfigError(f"there is no question {shortened(question)}")
        return kinds[kind](question)

    def _place(self, question: Mapping[str, Any], name: str, below: int) -> int:
        place = question.get(name)
        if type(place) is not int or not 0 <= place < below:
            raise ConfigError(f"{name} must be a whole number below {below}, got {shortened(place)}")
        return place

    def _trace(self, row: int) -> Any:
        y = None if self.y is None else self.y[row : row + 1]
        return self.network.trace(self.X[row : row + 1], y, training=False, names=self.names)

    def _row(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs of a row and the activations of all units."""
        row = self._place(question, "row", len(self.X))
        trace = self._trace(row)
        return plain(
            {
                "inputs": self.X[row],
                "layers": [layer.a.reshape(-1)[:MOST_UNITS] for layer in trace.layers],
                "target": None if self.y is None else str(self.y[row]),
                "loss": trace.loss,
            }
        )

    def _unit(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arithmetic of one unit for one row, as the trace prints it."""
        row = self._place(question, "row", len(self.X))
        steps = self.network.architecture.steps
        step = steps[self._place(question, "layer", len(steps))]
        unit = self._place(question, "unit", step.outputs)
        index = tuple(int(each) for each in np.unravel_index(unit, step.shape))
        return {"text": str(self._trace(row).unit(step.name, index))}

    def _surface(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return an output over two inputs; the others stay as in the row."""
        row, count = self._place(question, "row", len(self.X)), self.X.shape[1]
        across, down = (self._place(question, name, count) for name in ("across", "down"))
        output = self._place(question, "output", len(self.outputs))
        sides = [_side(self.X[:, column]) for column in (across, down)]
        points = np.repeat(self.X[row : row + 1], GRID * GRID, axis=0)
        points[:, across] = np.tile(sides[0], GRID)
        points[:, down] = np.repeat(sides[1], GRID)
        values = self.network.predict(points).reshape(len(points), -1)[:, output]
        return plain(
            {
                "size": GRID,
                "ends": [[side[0], side[-1]] for side in sides],
                "values": values,
                "points": self.X[:, [across, down]],
                "here": self.X[row, [across, down]],
            }
        )


def curves(history: History) -> dict[str, list[float | None]]:
    """Return the series of a history that vary from epoch to epoch."""
    found = {"loss": history.loss, "validation loss": history.validation_loss, **history.metrics}
    return {name: plain(values) for name, values in found.items() if values}


def _side(values: Array) -> Array:
    """Return points along one side of a surface, a little beyond the values."""
    low, high = float(values.min()), float(values.max())
    margin = (high - low) * 0.1 or 1.0
    return np.linspace(low - margin, high + margin, GRID)
