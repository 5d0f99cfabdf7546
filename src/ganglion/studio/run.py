"""One run in the studio: a network, its training, and where it came from."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.core.losses import Loss
from ganglion.core.part import Array, plain
from ganglion.errors import ConfigError, collect_notices
from ganglion.network import Network
from ganglion.stepping import Stepper
from ganglion.studio.data import Data
from ganglion.studio.settings import MOST_PARAMETERS, Settings
from ganglion.table_model import TableModel
from ganglion.table_model.inspection import answers_of, surface_points

MEGABYTES = 128
SURFACE = 32  # points along each side
MOST_SENT = 4096  # weights or activations in a frame


@dataclass(frozen=True)
class Edit:
    """A weight set by hand."""

    parameter: str
    index: tuple[int, ...]
    value: float

    @property
    def words(self) -> str:
        """What was done."""
        owner, _, short = self.parameter.partition("/")
        return f"{owner}.{short}[{', '.join(map(str, self.index))}] set to {self.value:g}"


@dataclass
class View:
    """What of a run the page looks at while it plays.

    Attributes:
        row: the number of the selected row.
        columns: of the surface, that across and that up; None without a surface.
        output: the number of the output that the surface shows.
        fixed_at_row: whether the other columns are those of the row; else they are means.
    """

    row: int = 0
    columns: tuple[str, str] | None = None
    output: int = 0
    fixed_at_row: bool = False


class Run:
    """A run: a network and its stepper.

    Args:
        number: that names it.
        data: the table.
        settings: of network and training.
        parent: the run that it branched from, None for a run from the beginning.
        note: what was changed, in words.
        goes_on: whether it begins with the network of the table's model, instead of a new one.
    """

    def __init__(
        self,
        number: int,
        data: Data,
        settings: Settings,
        parent: Run | None = None,
        note: str = "",
        goes_on: bool = False,
    ) -> None:
        self.goes_on = goes_on and data.like is not None
        self.number, self.data, self.settings, self.note = number, data, settings, note
        self.name = f"run {number}"
        self.edits: list[Edit] = []
        self.began: dict[str, int] = {}  # the updates at which findings began
        branches = parent is not None and parent.data is data and settings.same_network(parent.settings)
        self.parent = parent if branches else None
        prepared = data.prepared
        self.stepper: Stepper
        if parent is not None and self.parent is not None:
            self.stepper = parent.stepper.branch(**settings.fit())
        else:
            if data.like is not None and self.goes_on:
                network = copy.deepcopy(data.like.network)
            else:
                network = prepared.network(settings.layers, seed=settings.seed, dtype=settings.dtype)
            if network.architecture.size > MOST_PARAMETERS:
                raise ConfigError(
                    f"the studio takes {MOST_PARAMETERS:,} parameters, got {network.architecture.size:,}",
                    "use smaller layers, or `ganglion train`",
                )
            self.stepper = Stepper(
                network, prepared.X, prepared.y, megabytes=MEGABYTES, **self.fit_settings(settings)
            )
        self.origin = self.stepper.first
        self.model: TableModel = prepared.view(self.network)
        self._grid: tuple[Any, Array, Any] | None = None

    def fit_settings(self, settings: Settings) -> dict[str, Any]:
        """Return the arguments of the stepper."""
        return self.data.prepared.fit_settings() | settings.fit()

    @property
    def network(self) -> Network:
        """The network as it stands."""
        return self.stepper.network

    @property
    def loss(self) -> Loss:
        """The loss that the run lowers."""
        return self.stepper.plan.loss

    def edit(self, edit: Edit) -> None:
        """Set a weight by hand."""
        self.stepper.edit(edit.parameter, edit.index, edit.value)
        self.edits.append(edit)

    def describe(self) -> dict[str, Any]:
        """Return the state of the run as plain data."""
        stepper = self.stepper
        history = stepper.history
        return plain(
            {
                "run": self.number,
                "name": self.name,
                "note": self.note,
                "parent": None if self.parent is None else self.parent.number,
                "origin": self.origin,
                "update": stepper.update,
                "epoch": min(history.epochs + 1, self.settings.epochs),
                "position": stepper.position,
                "steps": stepper.steps,
                "total": stepper.total,
                "reached": stepper.reached,
                "epochs": self.settings.epochs,
                "ended": stepper.has_ended,
                "because": stepper.ended_because,
                "failed": stepper.has_ended and history.ended == "failed",
                "loss": stepper.losses[-1] if stepper.update > stepper.first else None,
                "before": stepper.losses[-2] if stepper.update > stepper.first + 1 else None,
                "validation": history.validation_loss[-1] if history.validation_loss else None,
                "keyframes": stepper.keyframes,
                "began": self.began,
                "edits": [vars(each) for each in self.edits],
                "parameters": self.network.architecture.size,
                "engine": self.network.engine,
            }
        )

    def grid(self, view: View) -> tuple[Array, Any] | None:
        """Return the inputs at the points of the surface, and the surface; kept while the view stays."""
        if view.columns is None:
            return None
        row = view.row if view.fixed_at_row else None
        key = (view.columns, row)
        if self._grid is None or self._grid[0] != key:
            with collect_notices():
                found, x = surface_points(self.model, self.data.prepared.frame, view.columns, row, SURFACE)
            self._grid = (key, x, found)
        return self._grid[1], self._grid[2]

    def surface(self, view: View) -> Array | None:
        """Return the surface of one output, row by row from below; None without one."""
        found = self.grid(view)
        if found is None:
            return None
        return answers_of(self.model, found[0])[:, view.output]

    def activations(self, row: int) -> Array:
        """Return what every unit gives for a row, layer by layer, as the engine's own type has it."""
        model = self.network.model
        x = self.data.encoded[row : row + 1].astype(model.dtype)
        _, passed = model.architecture.forward(model.views, x)
        return np.concatenate([one.a.reshape(-1) for one in passed])

    def frame(self, view: View, playing: bool) -> Array:
        """Return what the page draws while it plays, as float32 numbers: see `page/frames.js`."""
        stepper, history = self.stepper, self.stepper.history
        weights = self.network.parameters
        with np.errstate(all="ignore"):
            units = self.activations(view.row)
            surface = self.surface(view)
        parts = [each if each.size <= MOST_SENT else each[:0] for each in (weights, units)]
        parts.append(np.empty(0) if surface is None else surface)
        loss = stepper.losses[-1] if stepper.update > stepper.first else np.nan
        head = [
            *(self.number, stepper.update, min(history.epochs + 1, self.settings.epochs), stepper.position),
            *(stepper.total, loss, history.validation_loss[-1] if history.validation_loss else np.nan),
            *(float(playing), float(stepper.has_ended), *(part.size for part in parts)),
        ]
        with np.errstate(over="ignore"):
            return np.concatenate([np.array(head), *parts]).astype("<f4")

    def differences(self, other: Run) -> dict[str, tuple[str, str]]:
        """Return the settings and the edits that differ, in both."""
        found = self.settings.differences(other.settings)
        if self.words_of_edits != other.words_of_edits:
            found["weights set by hand"] = self.words_of_edits, other.words_of_edits
        return found

    @property
    def words_of_edits(self) -> str:
        """The weights set by hand in this run and before it."""
        return ", ".join(each.words for run in self.lineage for each in run.edits) or "none"

    @property
    def lineage(self) -> list[Run]:
        """This run and those that it branched from, the first first."""
        return [*([] if self.parent is None else self.parent.lineage), self]
