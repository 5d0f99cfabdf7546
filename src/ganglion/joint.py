"""JointModel: one network that predicts several targets, with a model for each of its heads.

Cut down to one head, the network is that of an ordinary model, which predicts, explains and judges this
target. What tables and pictures have in common stands here; what a source holds, each reads for itself.
"""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import polars as pl

from ganglion.answers.report import Report
from ganglion.answers.target import ClassTarget, NumberTarget, Target
from ganglion.core.part import Array
from ganglion.errors import ConfigError, FileError, GanglionError, one_of
from ganglion.files.exports import Exportable
from ganglion.files.model_file import SavedModel, read_model, write_model
from ganglion.heads import AnyTarget, networks_of_heads
from ganglion.network import Network


class OneTarget(Protocol):
    """What is known of a model of one target."""

    @property
    def target(self) -> AnyTarget:
        """What it predicts."""

    @property
    def report(self) -> Report | None:
        """On the held-out test rows."""

    @property
    def advice(self) -> str:
        """One sentence on what to do next."""


Head = TypeVar("Head", bound=OneTarget)


class JointModel(Exportable, ABC, Generic[Head]):
    """One network that predicts several targets.

    Args:
        network: with the outputs of all heads, side by side.
        heads: a model for each target, by the target's name, in order.
    """

    kind: ClassVar[str]  # in words, for messages
    part: ClassVar[str]  # of a model file, that describes the data
    of_head: ClassVar[Collection[str]] = ("target", "test", "calibration")  # and not of all in common
    optional: ClassVar[Collection[str]] = ()  # of a head too, but files of older versions lack them
    most: ClassVar[float] = math.inf  # heads, each with a copy of the shared layers

    def __init__(self, network: Network, heads: Mapping[str, Head]) -> None:
        self.network, self.heads = network, dict(heads)

    @property
    def targets(self) -> tuple[AnyTarget, ...]:
        """What is predicted, in order."""
        return tuple(head.target for head in self.heads.values())

    @property
    def reports(self) -> dict[str, Report | None]:
        """The report of each target on the held-out test rows, None without any."""
        return {name: head.report for name, head in self.heads.items()}

    @property
    def advice(self) -> dict[str, str]:
        """One sentence for each target on what to do next."""
        return {name: head.advice for name, head in self.heads.items()}

    def head(self, target: str) -> Head:
        """Return the model of one target, to explain or check it.

        Raises:
            ConfigError: if there is no such target.
        """
        if target not in self.heads:
            raise ConfigError(f"there is no target {target!r}", one_of(str(target), self.heads))
        return self.heads[target]

    def _levels(self, interval: float | None) -> dict[str, float | None]:
        """Return the level of the intervals of each target: the given one for numbers, None for classes.

        Raises:
            ConfigError: if one is given, and no target is a number.
        """
        classes = {name: isinstance(head.target, ClassTarget) for name, head in self.heads.items()}
        if interval is not None and all(classes.values()):
            raise ConfigError("intervals are for numbers, and all targets have classes")
        return {name: None if classes[name] else interval for name in self.heads}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write network, targets and how the data are read atomically to one safetensors file.

        Raises:
            FileError: if it cannot be written.
        """
        saved = self.network.to_saved()
        parts = [self._describe(head) for head in self.heads.values()]
        own = (*self.of_head, *self.optional)
        shared = {key: value for key, value in parts[0].items() if key not in own}
        saved.columns = self._columns()
        setattr(saved, self.part, shared | {"heads": [{key: part[key] for key in own} for part in parts]})
        write_model(path, saved)

    @classmethod
    def load(cls, path: str | os.PathLike[str], engine: str = "auto") -> Self:
        """Read a model that `save` wrote.

        Raises:
            FileError: if the file is missing, damaged, or holds another kind of model.
        """
        saved = read_model(path)
        model = cls.from_saved(saved, engine)
        if model is None:
            raise saved.is_no(cls.kind, path)
        return model

    @classmethod
    def from_saved(cls, saved: SavedModel, engine: str = "auto") -> Self | None:
        """Return the model of a file, None if the file holds another kind of model.

        Raises:
            FileError: if its description of the data does not fit its network.
        """
        part = getattr(saved, cls.part)
        if part is None or "heads" not in part:
            return None
        network = Network.from_saved(saved, engine)
        try:
            return cls(network, cls._read_heads(part, network, engine, saved.columns))
        except GanglionError as error:
            raise FileError(f"the model file is damaged: {error.message}") from error

    @classmethod
    def _read_heads(
        cls, part: dict[str, Any], network: Network, engine: str, columns: Mapping[str, Array]
    ) -> dict[str, Head]:
        shared, heads = {key: value for key, value in part.items() if key != "heads"}, part["heads"]
        if not isinstance(heads, list) or not 2 <= len(heads) <= cls.most:
            raise ConfigError("its heads must be a list of at least two")
        own = set(cls.of_head)
        if not all(isinstance(head, dict) and set(head) - set(cls.optional) == own for head in heads):
            raise ConfigError(f"its heads must each have {', '.join(cls.of_head)}")
        targets: list[AnyTarget] = []
        for head in heads:
            if not isinstance(head["target"], dict):
                raise ConfigError("its target must be an object")
            target = Target.find(head["target"])
            if not isinstance(target, ClassTarget | NumberTarget):
                raise ConfigError("its target must be classes or a number")
            targets.append(target)
        if len({target.column for target in targets}) < len(targets):
            raise ConfigError("its targets must have different names")
        networks = networks_of_heads(network, targets, engine)
        return {
            target.column: cls._read(shared | head, own, columns)
            for target, own, head in zip(targets, networks, heads, strict=True)
        }

    @staticmethod
    @abstractmethod
    def _describe(head: Head) -> dict[str, Any]:
        """Return the part of a model file that would describe the model of one head."""

    @staticmethod
    @abstractmethod
    def _read(part: dict[str, Any], network: Network, columns: Mapping[str, Array]) -> Head:
        """Return the model of one head, given its description, its network and what its columns hold."""

    def _columns(self) -> dict[str, Array]:
        """Return what a model file holds of a table's columns besides its description."""
        return {}

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self.heads))
        return f"<{type(self).__name__}: {names}, {self.network.architecture.size:,} parameters>"


def heads_of(model: Head | JointModel[Head]) -> list[Head]:
    """Return the model of each target."""
    return list(model.heads.values()) if isinstance(model, JointModel) else [model]


def columns_of(target: str, columns: Iterable[pl.Series]) -> list[pl.Series]:
    """Return the predictions of one target, named after it: `prediction_<target>`, `low_<target>` ..."""
    found = []
    for column in columns:
        kind, _, rest = column.name.partition("_")
        found.append(column.alias(f"{kind}_{target}_{rest}" if rest else f"{kind}_{target}"))
    return found
