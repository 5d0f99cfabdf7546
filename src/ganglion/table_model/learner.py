"""The learner: makes and trains the networks of one recipe, one for each split; collects their answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.answers.held_out import HeldOut
from ganglion.answers.target import ClassTarget, NumberTarget
from ganglion.checks import check_integer, check_number
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError
from ganglion.many import train_many
from ganglion.network import Network
from ganglion.tables.defaults import Settings, layers_for, linear_training, optimizer_for
from ganglion.tables.encode import Encoder
from ganglion.tables.labeled import LabeledRows
from ganglion.tables.reading import Reading
from ganglion.tables.splits import Split
from ganglion.training.callbacks import Callback
from ganglion.training.history import History
from ganglion.training.run import Training

if TYPE_CHECKING:
    from ganglion.table_model.model import TableModel
    from ganglion.table_model.training import Recipe

Target = ClassTarget | NumberTarget


@dataclass(frozen=True)
class Member:
    """A network with the encoder and the target of its training rows, and the split that it belongs to."""

    model: TableModel
    split: Split
    linear: bool = False


class Learner:
    """Makes and trains models of one recipe, on whatever rows.

    Args:
        make: the class of the models.
        recipe: the settings.
        reading: how the table was read.
        rows: the labeled rows.
        encoder, target: fitted on all labeled rows.
        learned: the number of rows that defaults are derived from.
        units: a number for each row, equal for rows that are not independent; None if all are.
    """

    def __init__(
        self,
        make: type[TableModel],
        recipe: Recipe,
        reading: Reading,
        rows: LabeledRows,
        encoder: Encoder,
        target: Target,
        learned: int,
        units: Array | None = None,
    ) -> None:
        self.make, self.recipe, self.reading, self.rows = make, recipe, reading, rows
        self.encoder, self.target, self.units = encoder, target, units
        suited = Settings.suited_to(learned)
        self.epochs = (
            suited.epochs if recipe.epochs is None else check_integer("epochs", recipe.epochs, at_least=1)
        )
        self.optimizer = optimizer_for(
            recipe.optimizer, recipe.learning_rate, self.epochs, suited.weight_decay
        )
        # L-BFGS needs the same loss function in every step, and dropout changes it.
        default_rate = suited.dropout if self.optimizer.makes_steps else 0.0
        self.dropout = (
            default_rate
            if recipe.dropout is None
            else check_number("dropout", recipe.dropout, at_least=0, below=1)
        )
        self.batch_size = suited.batch_size if recipe.batch_size is None else recipe.batch_size
        self.linear_epochs, self.linear_optimizer = linear_training(learned, suited.epochs, suited.batch_size)
        self.linear_batch_size = suited.batch_size
        if recipe.class_weight is not None and isinstance(target, NumberTarget):
            raise ConfigError(f"class weights need classes, and {target.column!r} is a number")

    def untrained(self, split: Split) -> Member:
        """Return a member whose encoder and target are fitted on the training rows of a split."""
        recipe, frame = self.recipe, self.rows.frame[split.train]
        values = frame.get_column(recipe.target)
        try:
            encoder = recipe.fit_encoder(frame, self.target.goals(values), self.encoder)
            target = self.target.refit(values)
        except DataError:  # so few rows that nothing varies in them
            encoder, target = self.encoder, self.target
        target = self._weighted(target, split.train)
        layers = layers_for(recipe.hidden, recipe.activation, self.dropout, target)
        network = Network(layers, len(encoder.features), recipe.seed, engine=recipe.engine)
        reading = self.reading if recipe.sampling.where else self.reading.only(self._needed(encoder))
        encoder = encoder.without(recipe.reasons)
        return Member(self.make(network, encoder, target, network.history, reading=reading), split)

    def _needed(self, encoder: Encoder) -> set[str]:
        """Return the columns that the model reads."""
        names = {self.recipe.target, self.recipe.sampling.weight, self.recipe.sampling.group}
        return {column.column for column in encoder.columns} | {name for name in names if name is not None}

    def linear(self, member: Member) -> Member:
        """Return a member without hidden layers, with the same encoder, target and split."""
        model, recipe = member.model, self.recipe
        layers = layers_for((), recipe.activation, 0.0, model.target)
        network = Network(layers, len(model.encoder.features), recipe.seed, engine=recipe.engine)
        return Member(
            self.make(network, model.encoder, model.target, network.history), member.split, linear=True
        )

    def run(self, member: Member, callbacks: Sequence[Callback] = ()) -> History:
        """Train a member alone, on all processors, and return the history."""
        return member.model.network.fit(
            **self._settings(member), callbacks=callbacks, progress=self.recipe.progress
        )

    def run_all(self, members: Sequence[Member], callbacks: Sequence[Sequence[Callback]]) -> list[History]:
        """Train members in parallel, each with its own callbacks, and return their histories."""
        networks = [member.model.network for member in members]
        each = [
            {**self._settings(member), "callbacks": own}
            for member, own in zip(members, callbacks, strict=True)
        ]
        first = self.learned(members[0].model, members[0].split.train)
        return list(train_many(networks, *first, each=each, progress=self.recipe.progress))

    def answers(
        self, members: Sequence[Member], of: Callable[[Split], Array], into: Target
    ) -> HeldOut | None:
        """Return the outputs of the members for the rows `of` their split, in the units of one target."""
        outputs, truth, folds, weight, units = [], [], [], [], []
        for number, member in enumerate(members):
            which = of(member.split)
            if len(which):
                x, _ = self.encoded(member.model, which)
                answer, own = member.model.network.predict(x), member.model.target
                if isinstance(own, NumberTarget) and isinstance(into, NumberTarget):
                    answer = own.in_scale_of(into, answer)
                outputs.append(answer)
                truth.append(into.encode(self.rows.frame[which].get_column(into.column)))
                folds.append(np.full(len(which), number))
                weight.append(self.weight(which))
                units.append(which if self.units is None else self.units[which])
        if not outputs:
            return None
        weights = None if self.rows.weight is None else np.concatenate([w for w in weight if w is not None])
        if weights is not None and not weights.sum() > 0:
            return None  # none of these rows counts
        groups = None if self.units is None else np.concatenate(units)
        return HeldOut(np.concatenate(outputs), np.concatenate(truth), np.concatenate(folds), weights, groups)

    def encoded(self, model: TableModel, which: Array) -> tuple[Array, Array]:
        """Return inputs and targets of some rows."""
        return model.encode(self.rows.frame[which])

    def learned(self, model: TableModel, which: Array) -> tuple[Array, Array]:
        """Return inputs and targets of the training rows of a model."""
        frame = self.rows.frame[which]
        values = frame.get_column(self.recipe.target)
        x, _ = model.encoder.encode_learned(frame, self.target.goals(values), besides=frame.columns)
        return x, model.target.encode(values)

    def weight(self, which: Array) -> Array | None:
        """Return the sample weights of some rows."""
        return None if self.rows.weight is None else self.rows.weight[which]

    def _settings(self, member: Member) -> dict[str, Any]:
        """Return the settings of `Network.fit` for a member."""
        split, recipe = member.split, self.recipe
        x, y = self.learned(member.model, split.train)
        validation: tuple[Array, ...] | None = None
        if len(split.validation):
            validation = self.encoded(member.model, split.validation)
            weight = self.weight(split.validation)
            if weight is not None:
                validation = (*validation, weight) if weight.any() else None
        return {
            "X": x,
            "y": y,
            "optimizer": self.linear_optimizer if member.linear else self.optimizer,
            "epochs": self.linear_epochs if member.linear else self.epochs,
            "batch_size": self.linear_batch_size if member.linear else self.batch_size,
            "validation": validation,
            "sample_weight": self.weight(split.train),
            "class_weight": recipe.class_weight,
        }

    def _weighted(self, target: Target, which: Array) -> Target:
        """Return a target whose fractions or center count the weights of the rows."""
        weight = self.weight(which)
        if weight is None:
            return target
        y = target.encode(self.rows.frame[which].get_column(target.column))
        if isinstance(target, ClassTarget):
            sums = np.bincount(y, weight, minlength=len(target.classes))
            return dataclasses.replace(target, shares=tuple((sums / sums.sum()).clip(0, 1).tolist()))
        center = float(np.average(y * target.scale + target.center, weights=weight))
        return dataclasses.replace(target, center=center)


class Watching(Callback):
    """Passes the moments of a run on to a callback, which copies of this one share."""

    def __init__(self, callback: Callback) -> None:
        self.callback = callback

    def __deepcopy__(self, memo: dict[int, Any]) -> Watching:
        return self

    def on_train_begin(self, training: Training) -> None:
        self.callback.on_train_begin(training)

    def on_epoch_begin(self, training: Training) -> None:
        self.callback.on_epoch_begin(training)

    def on_steps_end(self, training: Training) -> None:
        self.callback.on_steps_end(training)

    def on_epoch_end(self, training: Training) -> None:
        self.callback.on_epoch_end(training)

    def on_train_end(self, training: Training) -> None:
        self.callback.on_train_end(training)
