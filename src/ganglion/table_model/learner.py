"""The learner: makes and trains the networks of one recipe, one for each split; collects their answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.answers.held_out import HeldOut
from ganglion.answers.judging import Judgment, balancing_weights, judge
from ganglion.answers.splits import Split
from ganglion.answers.target import ClassTarget
from ganglion.checks import check_integer, check_number
from ganglion.core.layers import Layer, PiecewiseLinear
from ganglion.core.part import Array
from ganglion.errors import DataError
from ganglion.heads import (
    Answered,
    AnyTarget,
    as_learned,
    balanced_rows,
    encode_targets,
    goals_of,
    held_out,
    loss_of,
    objective_for,
    output_layer,
    refit,
    require_classes,
)
from ganglion.many import train_many
from ganglion.network import Network
from ganglion.table_model.learned import LearnedRows
from ganglion.tables.defaults import Settings, layers_for, linear_training, optimizer_for
from ganglion.tables.encode import Encoder
from ganglion.tables.labeled import LabeledRows
from ganglion.training.callbacks import Callback
from ganglion.training.history import History

if TYPE_CHECKING:
    from ganglion.table_model.recipe import Recipe

MOST_BINS = 8192  # in all, so that weights do not outnumber the cells of a wide table
ROWS_FOR_BINS = 50_000  # of the training rows, whose quantiles are the edges of the bins


@dataclass(frozen=True)
class Member:
    """A network with the encoder and the targets of its training rows, and the split that it belongs to."""

    network: Network
    encoder: Encoder
    targets: tuple[AnyTarget, ...]
    split: Split
    linear: bool = False


class Learner:
    """Makes and trains networks of one recipe, on whatever rows.

    Args:
        recipe: the settings.
        rows: the labeled rows.
        encoder, targets: fitted on all labeled rows.
        learned: the number of rows that defaults are derived from.
        units: a number for each row, equal for rows that are not independent; None if all are.
    """

    def __init__(
        self,
        recipe: Recipe,
        rows: LabeledRows,
        encoder: Encoder,
        targets: tuple[AnyTarget, ...],
        learned: int,
        units: Array | None = None,
    ) -> None:
        self.recipe, self.rows = recipe, rows
        self.encoder, self.targets, self.units = encoder, targets, units
        self.encoded_targets = encode_targets(targets, rows.frame)
        self.suited = suited = Settings.suited_to(learned)
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
        if recipe.class_weight is not None:
            require_classes(targets)

    def untrained(self, split: Split) -> Member:
        """Return a member whose encoder and targets are fitted on the training rows of a split."""
        recipe, frame = self.recipe, self.rows.frame[split.train]
        try:
            encoder = recipe.fit_encoder(frame, goals_of(self.targets, frame), self.encoder)
            targets = refit(self.targets, frame)
        except DataError:  # so few rows that nothing varies in them
            encoder, targets = self.encoder, self.targets
        network = self._network(recipe.hidden, self.dropout, encoder, self.in_bins(encoder, split.train))
        return Member(network, encoder.without(recipe.reasons), self.weighted(targets, split.train), split)

    def linear(self, member: Member) -> Member:
        """Return a member without hidden layers, with the same encoder, targets and split."""
        return dataclasses.replace(member, network=self._network((), 0.0, member.encoder, ()), linear=True)

    def in_bins(self, encoder: Encoder, learned: Array) -> Sequence[Layer]:
        """Return the layer that divides numbers into bins, if there are any and a layer to make use of it."""
        of_texts = encoder.of_texts  # learned to be straight
        bins = min(self.recipe.most_bins, MOST_BINS // max(1, int((~of_texts).sum())))
        if of_texts.all() or not (bins and self.recipe.hidden) or bins < min(2, self.recipe.most_bins):
            return ()
        sample = learned[:: len(learned) // ROWS_FOR_BINS + 1]
        frame = self.rows.frame[sample]
        rows, _ = encoder.encode(frame, besides=frame.columns)
        layer = PiecewiseLinear.of(np.where(of_texts, 0, rows), bins)
        return (layer,) if any(layer.edges) else ()

    def run(self, member: Member, callbacks: Sequence[Callback] = ()) -> History:
        """Train a member alone, on all processors, and return the history."""
        return member.network.fit(**self.settings(member), callbacks=callbacks, progress=self.recipe.progress)

    def run_all(self, members: Sequence[Member], callbacks: Sequence[Sequence[Callback]]) -> list[History]:
        """Train members in parallel, each with its own callbacks, and return their histories."""
        networks = [member.network for member in members]
        each = [
            {**self.settings(member), "callbacks": own}
            for member, own in zip(members, callbacks, strict=True)
        ]
        first = each[0]
        return list(train_many(networks, first["X"], first["y"], each=each, progress=self.recipe.progress))

    def remembered(self, member: Member) -> list[LearnedRows]:
        """Return for each target what a model remembers of the rows that it learned from."""
        frame = self.rows.frame[member.split.train]
        x, _ = member.encoder.encode(frame, besides=frame.columns)
        found = []
        for target in member.targets:
            values = frame.get_column(target.column)
            there = values.is_not_null().to_numpy()
            found.append(LearnedRows.of(x[there], target.encode(values.drop_nulls())))
        return found

    def judge(
        self,
        kept: Member,
        learned: Array,
        validated: Sequence[Member],
        tested: Sequence[Member],
        linear: Sequence[Member],
        linear_validated: Sequence[Member] = (),
    ) -> list[Judgment]:
        """Return for each target what the members' answers say, in the units of the member that is kept.

        Args:
            kept: the member whose outputs are calibrated.
            learned: the rows that it learned from or was validated on.
            validated: the members that are judged by the validation rows of their splits.
            tested: those judged by the test rows.
            linear: models without hidden layers, judged by the test rows.
            linear_validated: those judged by the validation rows.
        """
        parts = (
            self._outputs(validated, lambda split: split.validation),
            self._outputs(tested, lambda split: split.test),
            self._outputs(linear, lambda split: split.test),
            self._outputs(linear_validated, lambda split: split.validation),
        )
        judgments = []
        for number, target in enumerate(kept.targets):
            values = self.rows.frame.get_column(target.column)
            validation, test, yardstick, on_validation = (
                held_out(part, number, target, values, self.rows.weight, self.units) for part in parts
            )
            weights: tuple[float, ...] = ()
            if self.recipe.class_weight is not None and isinstance(target, ClassTarget):
                weights = balancing_weights(target)
            judgments.append(
                judge(
                    target,
                    validation,
                    test,
                    yardstick,
                    linear_validation=on_validation,
                    class_weights=weights,
                    objective=objective_for(self.recipe.objective, target),
                    rows=int((~np.isnan(self.encoded_targets[learned, number])).sum()),
                )
            )
        return judgments

    def _outputs(self, members: Sequence[Member], of: Callable[[Split], Array]) -> list[Answered]:
        """Return the outputs of members for the rows `of` their split."""
        found = []
        for member in members:
            which = of(member.split)
            if len(which):
                frame = self.rows.frame[which]
                x, _ = member.encoder.encode(frame, besides=frame.columns)
                found.append(Answered(member.targets, which, member.network.predict(x)))
        return found

    def weight(self, which: Array) -> Array | None:
        """Return the sample weights of some rows."""
        return None if self.rows.weight is None else self.rows.weight[which]

    def _network(
        self, hidden: int | Sequence[int], dropout: float, encoder: Encoder, begin: Sequence[Layer]
    ) -> Network:
        recipe = self.recipe
        layers = layers_for(hidden, recipe.activation, dropout, self.targets[0])[:-1]
        layers = [*begin, *layers, output_layer(self.targets)]
        return Network(layers, len(encoder.features), recipe.seed, engine=recipe.engine)

    def settings(self, member: Member) -> dict[str, Any]:
        """Return the settings of `Network.fit` for a member."""
        return {
            **self.lesson(member),
            "optimizer": self.linear_optimizer if member.linear else self.optimizer,
            "epochs": self.linear_epochs if member.linear else self.epochs,
            "batch_size": self.linear_batch_size if member.linear else self.batch_size,
            "validation": self.validation(member),
        }

    def lesson(self, member: Member) -> dict[str, Any]:
        """Return what a member learns from, as `Network.fit` takes it."""
        frame, targets, weight = self.rows.frame, member.targets, self.weight(member.split.train)
        learned = frame[member.split.train]
        x, _ = member.encoder.encode_learned(learned, goals_of(self.targets, learned), besides=frame.columns)
        y = encode_targets(targets, learned)
        if self.recipe.class_weight is not None:
            weight = balanced_rows(targets, y, weight)
        return {"X": x, "y": as_learned(targets, y), "loss": loss_of(targets), "sample_weight": weight}

    def validation(self, member: Member) -> tuple[Array, ...] | None:
        """Return the validation rows of a member, as `Network.fit` takes them; None if there are none."""
        which = member.split.validation
        if not len(which):
            return None
        frame = self.rows.frame[which]
        x, _ = member.encoder.encode(frame, besides=frame.columns)
        y, weight = as_learned(member.targets, encode_targets(member.targets, frame)), self.weight(which)
        if weight is None:
            return x, y
        return (x, y, weight) if weight.any() else None

    def held_out(self, members: Sequence[Member], of: Callable[[Split], Array]) -> HeldOut | None:
        """Return what members of one target say of the rows `of` their splits."""
        target = members[0].targets[0]
        values = self.rows.frame.get_column(target.column)
        return held_out(self._outputs(members, of), 0, target, values, self.rows.weight, self.units)

    def weighted(self, targets: Sequence[AnyTarget], which: Array) -> tuple[AnyTarget, ...]:
        """Return targets whose fractions or centers count the weights of the rows."""
        return tuple(self._weighted(number, target, which) for number, target in enumerate(targets))

    def _weighted(self, number: int, target: AnyTarget, which: Array) -> AnyTarget:
        """Return the target with this number for some rows; see `weighted`."""
        which = which[~np.isnan(self.encoded_targets[which, number])]
        weight = self.weight(which)
        if weight is None or not weight.any():
            return target
        y = target.encode(self.rows.frame[which].get_column(target.column))
        if isinstance(target, ClassTarget):
            sums = np.bincount(y, weight, minlength=len(target.classes))
            return dataclasses.replace(target, shares=tuple((sums / sums.sum()).clip(0, 1).tolist()))
        center = float(np.average(y * target.scale + target.center, weights=weight))
        return dataclasses.replace(target, center=center)
