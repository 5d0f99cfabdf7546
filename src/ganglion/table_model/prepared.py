"""A table as `TableModel.train` learns from it, for a network of one's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ganglion.answers.judging import Judgment
from ganglion.answers.report import Report
from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.core.layers import Layer
from ganglion.errors import ConfigError, shortened
from ganglion.heads import output_layer
from ganglion.network import Network
from ganglion.table_model.joint import JointTableModel
from ganglion.table_model.learner import Member
from ganglion.table_model.recipe import make_recipe
from ganglion.table_model.training import Kinds, Prepared, prepare, watched_split
from ganglion.tables.encode import Encoder

if TYPE_CHECKING:
    from ganglion.table_model.model import TableModel


class PreparedTable:
    """A table as `TableModel.train` learns from it. Made by `TableModel.prepare`.

    With fewer than 1,000 rows, the rows outside the first of five folds are learned from, and those in it
    validate and test; with more, a fraction of the rows is held out for the test, and one of the others for
    the validation. This is the run whose learning curves a trained model shows.

    Attributes:
        X, y: the rows to learn from and their targets, as numbers: what `Network.fit` takes.
        validation: the same of the validation rows, as `fit` takes it; None if there are none.
        sample_weight: the weight of each row to learn from, None if all count alike.
        settings: the other arguments of `fit` that `train` would use: loss, optimizer, epochs, batch_size.
        frame: the rows with a target, as values.
        train: the places in `frame` of the rows in `X`.
        held_out: those of the validation rows.
        test: those of the test rows.
    """

    def __init__(self, prepared: Prepared, like: TableModel | None = None) -> None:
        self._prepared = prepared
        learner, split = prepared.learner, prepared.splits[0]
        self._cross = bool(learner.recipe.sampling.folds) and len(split.test) > 0
        first = learner.untrained(watched_split(split) if self._cross else split)
        if like is not None:
            first = dataclasses.replace(
                first, network=like.network, encoder=like.encoder, targets=(like.target,)
            )
        self._first = first
        chosen = learner.settings(self._first)
        self.X, self.y = chosen.pop("X"), chosen.pop("y")
        self.sample_weight, self.validation = chosen.pop("sample_weight"), chosen.pop("validation")
        self.settings: dict[str, Any] = chosen
        split = self._first.split
        self.frame: pl.DataFrame = learner.rows.frame
        self.train, self.held_out, self.test = split.train, split.validation, split.test

    @property
    def encoder(self) -> Encoder:
        """The columns used and their encoding, fitted on the rows to learn from."""
        return self._first.encoder

    @property
    def target(self) -> ClassTarget | NumberTarget:
        """The column to predict."""
        return self._first.targets[0]

    @property
    def features(self) -> list[str]:
        """The names of the network's inputs."""
        return self.encoder.features

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The hidden layers that `train` would use."""
        return self._first.network.layers[:-1]

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows to learn from, to validate and to test with."""
        validation = 0 if self._cross else len(self.held_out)
        return {"train": len(self.train), "validation": validation, "test": len(self.test)}

    def network(self, layers: Sequence[Layer], **settings: Any) -> Network:
        """Return an untrained network with these hidden layers and the outputs that the target needs.

        Args:
            layers: all but the last.
            settings: seed (that of the preparation by default), dtype and engine, as for `Network`.
        """
        recipe = self._prepared.learner.recipe
        chosen = {"seed": recipe.seed, "engine": recipe.engine, **settings}
        return Network([*layers, output_layer(self._first.targets)], len(self.features), **chosen)

    def fit_settings(self) -> dict[str, Any]:
        """Return all arguments of `Network.fit` but X and y that `train` would use."""
        return {**self.settings, "validation": self.validation, "sample_weight": self.sample_weight}

    def view(self, network: Network) -> TableModel:
        """Return a model around a network, which need not be trained, to look at; it has no report.

        Raises:
            ConfigError: if the network does not have the inputs and outputs of this table.
        """
        member = self._member(network)
        made: TableModel = self._prepared.maker.model(member)  # type: ignore[assignment]  # of one target
        return made

    def model(self, network: Network) -> TableModel:
        """Return a model around a trained network, calibrated, with a report on the test rows.

        Raises:
            ConfigError: if the network does not have the inputs and outputs of this table.
        """
        learner, maker, member = self._prepared.learner, self._prepared.maker, self._member(network)
        validated = [member] if len(self.held_out) and not self._cross else []
        tested = [member] if len(self.test) else []
        linear = [learner.linear(member)] if tested else []
        for each in linear:
            learner.run(each)
        both = np.unique(np.concatenate([self.train, *(one.split.validation for one in validated)]))
        judgments: Sequence[Judgment] = learner.judge(member, both, validated, tested, linear)
        remembered = learner.remembered(member)
        made: TableModel = maker.model(  # type: ignore[assignment]  # of one target
            member, network.history, self.rows, judgments, remembered
        )
        return made

    def report(self, network: Network) -> Report | None:
        """Return the report of a trained network on the test rows; None if there are none."""
        return self.model(network).report

    def _member(self, network: Network) -> Member:
        first = self._first
        if not isinstance(network, Network):
            raise ConfigError(f"a network must be a gg.Network, got {shortened(network)}")
        architecture, wanted = network.architecture, first.network.architecture
        sizes = [[*each.input_shape, *each.outputs] for each in (wanted, architecture) if each.takes_numbers]
        if sizes[1:] != sizes[:1]:
            raise ConfigError(
                f"the network must take {sizes[0][0]} numbers and have {sizes[0][1]} outputs, got one of "
                f"{' and '.join(map(str, sizes[-1])) if sizes[1:] else 'other inputs'}",
                "make it with `network` of the prepared table",
            )
        return Member(network, first.encoder, first.targets, first.split)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count:,} to {name}" for name, count in self.rows.items() if count)
        return f"<PreparedTable: {self.target.task} of {self.target.column!r}, {counts}>"


def prepare_table(
    kind: type[TableModel], table: Any, settings: Mapping[str, Any], like: TableModel | None
) -> PreparedTable:
    """Return a prepared table; see `TableModel.prepare`.

    Raises:
        ConfigError: for several targets, or another one than that of the model.
    """
    recipe = make_recipe(settings)
    if like is not None and recipe.targets != (like.target.column,):
        raise ConfigError(f"the model predicts {like.target.column!r}, got {shortened(recipe.targets[0])}")
    if len(recipe.targets) > 1:
        raise ConfigError("a prepared table has one target", "train several with TableModel.train")
    return PreparedTable(prepare(Kinds(kind, JointTableModel), table, recipe), like)
