"""Mixtures: several kinds of networks learn on folds and become one network, weighed by what they say of rows
that they have not learned from.

The network of a mixture is one graph: the bins of the numbers, a branch for each trained network, and the
weighted mean of their answers. A level of a single network takes the best kind instead, and lets it learn
again from all rows.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.answers.calibration import TINY
from ganglion.answers.held_out import HeldOut
from ganglion.answers.judging import balancing_weights
from ganglion.answers.mixing import Blend, blend
from ganglion.answers.splits import NOTHING, Divisible, Split, fold_splits
from ganglion.answers.target import ClassTarget
from ganglion.core.layers import Layer, Mixture, Parallel
from ganglion.core.part import Array
from ganglion.engines import limit_threads, thread_count
from ganglion.heads import goals_of, output_layer, refit
from ganglion.many import Watching, train_many
from ganglion.network import Network
from ganglion.table_model.kinds import Kind, Quality
from ganglion.table_model.learner import Learner, Member
from ganglion.tables.defaults import EPOCHS, enough_epochs, layers_for, one_cycle
from ganglion.training.callbacks import Callback
from ganglion.training.history import History

ROWS_TIMED = 4096


@dataclass(frozen=True)
class Mixed:
    """A trained mixture, or the best kind alone.

    Args:
        member: the mixture of all its networks.
        folds: for each fold the mixture of the networks that have not seen it, which is validated by it.
        history: of the first network, or of that of the best kind on its fold.
        tried: the names of all kinds.
        kinds: the names of those that are used.
        blend: how much each counts.
        trial: the blend of all kinds on the first folds.
        left_out: the loss on these of each kind that was given up.
        single: whether there is only one network.
    """

    member: Member
    folds: list[Member]
    history: History
    tried: tuple[str, ...]
    kinds: tuple[str, ...]
    blend: Blend
    trial: Blend
    left_out: dict[str, float]
    single: bool

    def describe(self) -> str:
        """Return what was averaged, and how much worse each kind is alone, on the same rows."""
        target, together = self.member.targets[0], self.blend.losses[-1]
        is_class = isinstance(target, ClassTarget)

        def alone(loss: float, together: float) -> str:
            ratio = loss / max(together, TINY)
            return f"alone {max(ratio if is_class else ratio**0.5, 1) - 1:.1%} worse"

        parts = {
            name: f"{name} 0% ({alone(loss, self.trial.losses[-1])})" for name, loss in self.left_out.items()
        }
        if not self.single:
            parts |= {
                name: f"{name} {weight:.0%} ({alone(loss, together)})"
                for name, weight, loss in zip(self.kinds, self.blend.weights, self.blend.losses, strict=False)
            }
        said = ", ".join(parts[name] for name in self.tried if name in parts)
        loss = f"log loss {together:.4g}" if is_class else f"RMSE {together**0.5 * target.scale:.4g}"  # type: ignore[union-attr]
        count = len(self.folds) * sum(weight > 0 for weight in self.blend.weights)
        what = f"a network of the kind {self.kinds[0]!r}" if self.single else f"a mixture of {count} networks"
        return f"{what}, {loss} on rows that were not learned from: {said}"


class Mixer:
    """Trains the networks of one mixture.

    Args:
        learner: makes members and knows the table.
        rows: what the folds have to respect.
        learned: the rows to learn from.
        tested: the rows that will test the mixture.
        quality: the kinds and the number of folds.
        until: when to be done, by `time.perf_counter`.

    Attributes:
        folds: a member for each fold; none if the rows cannot be divided.
    """

    def __init__(
        self,
        learner: Learner,
        rows: Divisible,
        learned: Array,
        tested: Array,
        quality: Quality,
        until: float = math.inf,
    ) -> None:
        self.learner, self.until = learner, until
        self.quality = quality
        if learner.encoder.of_texts.all():
            self.quality = dataclasses.replace(quality, kinds=quality.of_texts)
        recipe, frame, encoder = learner.recipe, learner.rows.frame[learned], learner.encoder
        if len(learned) < rows.rows or encoder.of_texts.any():
            goals = goals_of(learner.targets, frame)
            encoder = recipe.fit_encoder(frame, goals, encoder).without(recipe.reasons)
        targets = learner.weighted(refit(learner.targets, frame), learned)
        nothing = Network([output_layer(targets)], len(encoder.features))
        self.whole = Member(nothing, encoder, targets, Split(learned, NOTHING, tested))
        self.begin = learner.in_bins(encoder, learned)
        inner = fold_splits(rows.part(learned), quality.folds(len(learned)), 1, recipe.seed)
        self.folds = [self._fold(Split(learned[part.train], learned[part.test], NOTHING)) for part in inner]
        self.effort = 1.0  # the fraction of the usual epochs for which there is time
        if self.folds and until < math.inf:
            self._pace()

    def untrained(self) -> Member:
        """Return a mixture of untrained networks, or a single one, to show what will be learned."""
        networks = {
            kind.name: _network(self.learner, self.whole, self.begin, kind, place)
            for place, kind in enumerate(self.quality.kinds)
        }
        if self.quality.single:
            return dataclasses.replace(self.whole, network=networks[self.quality.kinds[0].name])
        count = len(networks)
        mixed = _assembled(self.learner, self.begin, networks, [1 / count] * count)
        return dataclasses.replace(self.whole, network=mixed)

    def mix(self, callbacks: Sequence[Callback] = ()) -> Mixed | None:
        """Train the mixture and return it; None if no row of the first folds has a weight.

        Args:
            callbacks: watch the first network, which the rows of its fold validate.

        Raises:
            KeyboardInterrupt: after Ctrl-C before any fold was done.
        """
        kinds, lead = self.quality.kinds, self.folds[: self.quality.lead]
        tried = self._train(lead, kinds, 0, callbacks)
        trial = self._blend(tried)
        if trial is None:
            return None
        used = [place for place, weight in enumerate(trial.weights) if weight]
        left_out = {
            kind.name: loss
            for place, (kind, loss) in enumerate(zip(kinds, trial.losses, strict=False))
            if place not in used
        }
        if self.quality.single:
            return self._best(tried[0], used[0], trial, left_out)
        trained = [[members[place] for place in used] for members in tried]
        if len(tried) == len(lead):
            rest = self._in_time(self.folds[len(lead) :], trained)
            trained += self._train(rest, [kinds[place] for place in used], len(lead) * len(kinds))
        found = self._blend(trained)
        if found is None:
            return None
        for members in trained:
            for member, scale in zip(members, found.scales, strict=True):
                _sharpen(member.network, scale)
        names = tuple(kinds[place].name for place in used)
        numbered = list(enumerate(trained))
        kept = dataclasses.replace(self.whole, network=self._mixed(numbered, names, found))
        each = [
            dataclasses.replace(members[0], network=self._mixed([(number, members)], names, found))
            for number, members in numbered
        ]
        history = tried[0][0].network.history
        return Mixed(kept, each, history, self._names, names, found, trial, left_out, single=False)

    def _best(self, tried: Sequence[Member], place: int, trial: Blend, left_out: dict[str, float]) -> Mixed:
        """Return the best kind alone: it learns again from all rows, with what sharpens its answers."""
        kind, scale, validated = self.quality.kinds[place], trial.scales[place], tried[place]
        history, split = validated.network.history, self.whole.split
        alone = dataclasses.replace(validated, split=dataclasses.replace(split, train=validated.split.train))
        again = self._train(self._in_time([self.whole], [[validated]]), [kind], len(self.quality.kinds))
        kept = again[0][0] if again else alone
        for network in {kept.network, validated.network}:
            _sharpen(network, scale)
        only = Blend((1.0,), (scale,), (trial.losses[place], trial.losses[-1]))
        return Mixed(
            kept, [validated], history, self._names, (kind.name,), only, trial, left_out, single=True
        )

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(kind.name for kind in self.quality.kinds)

    def _fold(self, split: Split) -> Member:
        """Return a member for a fold, whose mean targets of categories are those of its rows."""
        own = self.learner.rows.frame[split.train]
        encoder = self.whole.encoder.relearned(own, goals_of(self.learner.targets, own))
        return dataclasses.replace(self.whole, encoder=encoder, split=split)

    def _pace(self) -> None:
        """Leave out folds, and then epochs, for which there is no time, after some rows were timed."""
        fold, kinds = self.folds[0], self.quality.kinds
        lesson = self.learner.lesson(fold)
        rows = len(lesson["X"])
        some = {
            name: value[:ROWS_TIMED] if name in ("X", "y") else value for name, value in lesson.items()
        } | {"sample_weight": None}
        seconds = []
        for kind in kinds:
            network = _network(self.learner, fold, self.begin, kind, 0)
            begun = time.perf_counter()
            with limit_threads(1):
                network.fit(**some, epochs=1, batch_size=self.learner.suited.batch_size)
            pace = (time.perf_counter() - begun) / min(rows, ROWS_TIMED)
            seconds.append(pace * rows * self._epochs(kind))
        one = max(sum(seconds) / min(thread_count(), len(kinds)), *seconds)
        left = max(self.until - time.perf_counter(), 0.01)
        self.folds = self.folds[: max(1, int(left / one))]
        if self.quality.single:
            one += max(seconds) * len(self.whole.split.train) / rows
        self.effort = min(1.0, left / one)

    def _in_time(self, folds: Sequence[Member], trained: Sequence[Sequence[Member]]) -> Sequence[Member]:
        """Return the folds for which there is time, if each takes as long as those that were trained."""
        members = trained[0]
        seconds = [member.network.history.seconds[-1] for member in members]
        rows = len(folds[0].split.train) / len(members[0].split.train) if folds else 1.0
        one = max(sum(seconds) / min(thread_count(), len(members)), *seconds) * rows
        return folds[: int(max(0.0, min(len(folds), (self.until - time.perf_counter()) / max(one, TINY))))]

    def _epochs(self, kind: Kind) -> int:
        suited = self.learner.suited
        epochs = suited.epochs * kind.epochs / EPOCHS
        if not kind.hidden:  # large steps need a number of updates to become small
            epochs = max(epochs, enough_epochs(len(self.whole.split.train), suited.batch_size))
        return max(1, round(epochs * self.effort))

    def _blend(self, trained: Sequence[Sequence[Member]]) -> Blend | None:
        """Return the blend of the kinds by what they say of their folds; None if no row has a weight."""
        answers = [
            self.learner.held_out(members, lambda split: split.validation)
            for members in zip(*trained, strict=True)
        ]
        held = [self._balanced(each) for each in answers if each is not None]
        if len(held) < len(answers):
            return None
        return blend(held, isinstance(self.whole.targets[0], ClassTarget), self.quality.single)

    def _balanced(self, held: HeldOut) -> HeldOut:
        """Return held-out rows whose weights balance the classes as the training did."""
        target = self.whole.targets[0]
        if self.learner.recipe.class_weight is None or not isinstance(target, ClassTarget):
            return held
        return dataclasses.replace(
            held, weight=held.weights * np.array(balancing_weights(target))[held.truth.astype(np.int64)]
        )

    def _train(
        self,
        folds: Sequence[Member],
        kinds: Sequence[Kind],
        first: int,
        callbacks: Sequence[Callback] = (),
    ) -> list[list[Member]]:
        """Return trained members: for each fold, one of each kind; after Ctrl-C of the folds that were done.

        Args:
            folds: what to train on.
            kinds: what to train.
            first: the number of networks trained before, from which the seeds go on.
            callbacks: watch the first network. The rows of its fold validate it, and each network of which
                only the best is used.

        Raises:
            KeyboardInterrupt: if it came before any network was done.
        """
        learner = self.learner
        members, settings = list[Member](), list[dict[str, Any]]()
        for fold in folds:
            lesson = learner.lesson(fold)
            for kind in kinds:
                network = _network(learner, fold, self.begin, kind, first + len(members))
                member = dataclasses.replace(fold, network=network)
                epochs = self._epochs(kind)
                decay = learner.suited.weight_decay if kind.decay is None else kind.decay
                own: dict[str, Any] = {"epochs": epochs, "batch_size": learner.suited.batch_size}
                if self.quality.single or (callbacks and not members):
                    own["validation"] = learner.validation(member)
                settings.append({**lesson, **own, "optimizer": one_cycle(kind.rate, epochs, decay)})
                members.append(member)
        if not members:
            return []
        settings[0]["callbacks"] = [Watching(callback) for callback in callbacks]
        networks, progress = [member.network for member in members], learner.recipe.progress
        if len(networks) == 1:  # on all threads
            histories = [networks[0].fit(**settings[0], progress=progress)]
        else:
            x, y = settings[0]["X"], settings[0]["y"]
            histories = list(train_many(networks, x, y, each=settings, progress=progress))
        whole = [
            members[start : start + len(kinds)]
            for start in range(0, len(members), len(kinds))
            if all(history.ended == "completed" for history in histories[start : start + len(kinds)])
        ]
        if not whole and not first:
            raise KeyboardInterrupt
        return whole

    def _mixed(
        self, of: Sequence[tuple[int, Sequence[Member]]], names: Sequence[str], found: Blend
    ) -> Network:
        """Return the mixture of the networks of some folds."""
        branches, weights = dict[str, Network](), []
        for number, members in of:
            for name, weight, member in zip(names, found.weights, members, strict=True):
                if weight:
                    branches[f"{name} {number + 1}"] = member.network
                    weights.append(weight / len(of))
        return _assembled(self.learner, self.begin, branches, weights)


def _network(learner: Learner, member: Member, begin: Sequence[Layer], kind: Kind, number: int) -> Network:
    """Return an untrained network of a kind for the rows of a member, with a seed of its own."""
    recipe = learner.recipe
    dropout = learner.suited.dropout if kind.dropout is None else kind.dropout
    hidden = layers_for(kind.hidden, "relu", dropout, member.targets[0])[:-1]
    return Network(
        [*(begin if kind.in_bins else ()), *hidden, output_layer(member.targets)],
        len(member.encoder.features),
        (recipe.seed + number) % 2**64,
        engine=recipe.engine,
    )


def _assembled(
    learner: Learner, begin: Sequence[Layer], branches: dict[str, Network], weights: Sequence[float]
) -> Network:
    """Return one network: the common beginning of several, their other layers, and the mean of their answers.

    A network that has not seen the bins gets weights of 0 for them.
    """
    layers = {
        name: [layer for layer in network.layers if layer not in begin] for name, network in branches.items()
    }
    inputs = next(iter(branches.values())).architecture.input_shape
    whole = Network(
        [*begin, Parallel(layers), Mixture(tuple(weights))],
        inputs,
        learner.recipe.seed,
        engine=learner.recipe.engine,
    )
    into = iter(whole.named_parameters().values())
    passed = begin[0].passed if begin else ...  # type: ignore[attr-defined]
    for network in branches.values():
        for values in network.named_parameters().values():
            own = next(into)
            own[...] = 0
            own[... if own.shape == values.shape else passed] = values
    return whole


def _sharpen(network: Network, scale: float) -> None:
    """Raise the probabilities of a network to a power, or multiply its numbers, in its last weights.

    A power of probabilities is a factor of what goes into the softmax.
    """
    last = network.architecture.steps[-1].name
    for name, values in network.named_parameters().items():
        if name.startswith(f"{last}/"):
            np.multiply(values, scale, out=values)
