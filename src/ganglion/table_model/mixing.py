"""Mixtures: several kinds of networks learn on folds and become one network, weighed by what they say of rows
that they have not learned from.

Tables differ in what they need: some are almost linear, some want sharp boundaries. The kinds below differ
in that, and the held-out answers tell how much each counts. The network of a mixture is one graph: the bins
of the numbers, a branch for each trained network, and the weighted mean of their answers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.answers.calibration import TINY
from ganglion.answers.mixing import Blend, blend
from ganglion.answers.splits import NOTHING, Divisible, Split, fold_splits
from ganglion.answers.target import ClassTarget
from ganglion.core.layers import Layer, Mixture, Parallel
from ganglion.core.part import Array
from ganglion.heads import goals_of, output_layer, refit
from ganglion.many import Watching, train_many
from ganglion.network import Network
from ganglion.table_model.learner import Learner, Member
from ganglion.tables.defaults import EPOCHS, layers_for, one_cycle
from ganglion.training.callbacks import Callback
from ganglion.training.history import History


@dataclass(frozen=True)
class Kind:
    """One way to learn a table.

    Args:
        name: by which its branches are named.
        hidden, activation: of the hidden layers; without them, the answer is linear in the bins.
        dropout: the rate after each hidden layer; None for that of a single network.
        epochs: where a single network has 60.
        rate: the highest learning rate.
        decay: the weight decay; None for that of a single network.
        in_bins: whether it sees the bins of the numbers, and not only the numbers themselves.
    """

    name: str
    hidden: tuple[int, ...] = (128, 64)
    activation: str = "relu"
    dropout: float | None = None
    epochs: int = EPOCHS
    rate: float = 0.005
    decay: float | None = None
    in_bins: bool = True


STEADY = Kind("steady")
SMOOTH = Kind("smooth", activation="mish")
SHARP = Kind("sharp", (256, 128), dropout=0.1, epochs=100)
STRAIGHT = Kind("straight", (), rate=0.01, decay=0.02)
PLAIN = Kind("plain", in_bins=False)


LEAD = 2  # folds on which all kinds learn; those that do not count there are given up


@dataclass(frozen=True)
class Quality:
    """The kinds of networks of a quality level, and the least and the largest number of folds."""

    kinds: tuple[Kind, ...]
    fewest_folds: int
    most_folds: int

    def folds(self, rows: int) -> int:
        """Return the number of folds for so many rows: more where rows are few."""
        return int(np.clip(20_000 // max(rows, 1), self.fewest_folds, self.most_folds))


QUALITIES: dict[str, Quality | None] = {
    "fast": None,
    "good": Quality((STEADY, SHARP, STRAIGHT, PLAIN), 3, 5),
    "best": Quality((STEADY, SMOOTH, SHARP, STRAIGHT, PLAIN), 4, 10),
}


@dataclass(frozen=True)
class Mixed:
    """A trained mixture.

    Args:
        member: the mixture of all its networks.
        folds: for each fold the mixture of the networks that have not seen it, which is validated by it.
        history: of the first network.
        kinds: the names of the kinds that are used.
        blend: how much each counts.
        trial: the blend of all kinds on the first folds.
        left_out: the loss on these of each kind that was given up.
    """

    member: Member
    folds: list[Member]
    history: History
    kinds: tuple[str, ...]
    blend: Blend
    trial: Blend
    left_out: dict[str, float]

    def describe(self) -> str:
        """Return what was averaged, and how much worse each kind is alone, on the same rows."""
        target, together = self.member.targets[0], self.blend.losses[-1]
        is_class = isinstance(target, ClassTarget)

        def alone(loss: float, together: float) -> str:
            ratio = loss / max(together, TINY)
            return f"alone {max(ratio if is_class else ratio**0.5, 1) - 1:.1%} worse"

        parts = [
            f"{name} {weight:.0%} ({alone(loss, together)})"
            for name, weight, loss in zip(self.kinds, self.blend.weights, self.blend.losses, strict=False)
        ]
        trial = self.trial.losses[-1]
        parts += [f"{name} 0% ({alone(loss, trial)})" for name, loss in self.left_out.items()]
        count = len(self.folds) * sum(weight > 0 for weight in self.blend.weights)
        loss = f"log loss {together:.4g}" if is_class else f"RMSE {together**0.5 * target.scale:.4g}"  # type: ignore[union-attr]
        return (
            f"a mixture of {count} networks, {loss} on rows that they had not learned from: "
            f"{', '.join(parts)}"
        )


def untrained(learner: Learner, split: Split, quality: Quality) -> Member:
    """Return a mixture with one untrained network of each kind, to show what will be learned."""
    member = learner.untrained(split)
    begin = learner.in_bins(member.encoder, split.train)
    networks = {
        kind.name: _network(learner, member, begin, kind, place) for place, kind in enumerate(quality.kinds)
    }
    count = len(networks)
    whole = _assembled(learner, begin, networks, [1.0] * count, [1 / count] * count)
    return dataclasses.replace(member, network=whole)


def mix(
    learner: Learner,
    rows: Divisible,
    learned: Array,
    tested: Array,
    quality: Quality,
    callbacks: Sequence[Callback] = (),
) -> Mixed | None:
    """Train a mixture on some rows; None if they cannot be divided.

    Args:
        learner: makes members and knows the table.
        rows: what the folds have to respect.
        learned: the rows to learn from.
        tested: the rows that will test the mixture.
        quality: the kinds and the number of folds.
        callbacks: watch the first network, which the rows of its fold validate.

    Raises:
        KeyboardInterrupt: after Ctrl-C before any fold was done.
    """
    recipe, frame = learner.recipe, learner.rows.frame[learned]
    inner = fold_splits(rows.part(learned), quality.folds(len(learned)), 1, recipe.seed)
    if not inner:
        return None
    encoder = recipe.fit_encoder(frame, goals_of(learner.targets, frame), learner.encoder).without(
        recipe.reasons
    )
    targets = learner.weighted(refit(learner.targets, frame), learned)
    begin = learner.in_bins(encoder, learned)
    folds = []
    for part in inner:
        split = Split(learned[part.train], learned[part.test], NOTHING)
        own = learner.rows.frame[split.train]
        relearned = encoder.relearned(own, goals_of(learner.targets, own))
        folds.append(
            Member(Network([output_layer(targets)], len(encoder.features)), relearned, targets, split)
        )
    kinds, classes = quality.kinds, isinstance(targets[0], ClassTarget)
    lead = _train(learner, folds[:LEAD], begin, kinds, 0, callbacks)
    trial = _blend(learner, lead, classes)
    if trial is None:
        return None
    used = [kind for kind, weight in zip(kinds, trial.weights, strict=True) if weight]
    rest = (
        _train(learner, folds[len(lead) :], begin, used, len(lead)) if LEAD == len(lead) < len(folds) else []
    )
    trained = [
        [one for one, kind in zip(members, kinds, strict=True) if kind in used] for members in lead
    ] + rest
    found = _blend(learner, trained, classes)
    if found is None:
        return None
    folds = [members[0] for members in trained]
    names = tuple(kind.name for kind in used)

    def mixed(of: Sequence[tuple[int, Sequence[Member]]]) -> Network:
        branches, scales, weights = dict[str, Network](), [], []
        for number, members in of:
            for kind, member in enumerate(members):
                if found.weights[kind]:
                    branches[f"{names[kind]} {number + 1}"] = member.network
                    scales.append(found.scales[kind])
                    weights.append(found.weights[kind] / len(of))
        return _assembled(learner, begin, branches, scales, weights)

    numbered = list(enumerate(trained))
    kept = Member(mixed(numbered), encoder, targets, Split(learned, NOTHING, tested))
    each = [
        dataclasses.replace(member, network=mixed([one])) for member, one in zip(folds, numbered, strict=True)
    ]
    left_out = {kind.name: loss for kind, loss in zip(kinds, trial.losses, strict=False) if kind not in used}
    return Mixed(kept, each, lead[0][0].network.history, names, found, trial, left_out)


def _blend(learner: Learner, trained: Sequence[Sequence[Member]], classes: bool) -> Blend | None:
    """Return the blend of the kinds by what they say of their folds; None if no row of these has a weight."""
    answers = [
        learner.held_out(members, lambda split: split.validation) for members in zip(*trained, strict=True)
    ]
    held = [each for each in answers if each is not None]
    return blend(held, classes) if len(held) == len(answers) else None


def _train(
    learner: Learner,
    folds: Sequence[Member],
    begin: Sequence[Layer],
    kinds: Sequence[Kind],
    first: int,
    callbacks: Sequence[Callback] = (),
) -> list[list[Member]]:
    """Return trained members: for each fold, one of each kind; after Ctrl-C of the folds that were done.

    Args:
        learner: makes members and knows the table.
        folds: what to train on.
        begin: the layers at the beginning of all networks that see the bins.
        kinds: what to train.
        first: the number of the first of these folds, from which the seeds go on.
        callbacks: watch the first network.

    Raises:
        KeyboardInterrupt: if it came before any network was done.
    """
    recipe, suited = learner.recipe, learner.suited
    members, settings = list[Member](), list[dict[str, Any]]()
    for fold in folds:
        lesson: dict[str, Any] | None = None
        for kind in kinds:
            network = _network(learner, fold, begin, kind, first + len(members))
            member = dataclasses.replace(fold, network=network)
            lesson = learner.lesson(member) if lesson is None else lesson
            epochs = max(1, round(suited.epochs * kind.epochs / EPOCHS))
            decay = suited.weight_decay if kind.decay is None else kind.decay
            optimizer = one_cycle(kind.rate, epochs, decay)
            settings.append(
                {**lesson, "optimizer": optimizer, "epochs": epochs, "batch_size": suited.batch_size}
            )
            members.append(member)
    if callbacks:
        watching = [Watching(callback) for callback in callbacks]
        settings[0] |= {"callbacks": watching, "validation": learner.validation(members[0])}
    networks = [member.network for member in members]
    histories = train_many(
        networks, settings[0]["X"], settings[0]["y"], each=settings, progress=recipe.progress
    )
    whole = [
        members[first : first + len(kinds)]
        for first in range(0, len(members), len(kinds))
        if all(history.ended == "completed" for history in histories[first : first + len(kinds)])
    ]
    if not whole and not first:
        raise KeyboardInterrupt
    return whole


def _network(learner: Learner, member: Member, begin: Sequence[Layer], kind: Kind, number: int) -> Network:
    """Return an untrained network of a kind for the rows of a member, with a seed of its own."""
    recipe = learner.recipe
    dropout = learner.suited.dropout if kind.dropout is None else kind.dropout
    hidden = layers_for(kind.hidden, kind.activation, dropout, member.targets[0])[:-1]
    return Network(
        [*(begin if kind.in_bins else ()), *hidden, output_layer(member.targets)],
        len(member.encoder.features),
        (recipe.seed + number) % 2**64,
        engine=recipe.engine,
    )


def _assembled(
    learner: Learner,
    begin: Sequence[Layer],
    branches: dict[str, Network],
    scales: Sequence[float],
    weights: Sequence[float],
) -> Network:
    """Return one network: the common beginning of several, their other layers, and the mean of their answers.

    A power of probabilities is a factor of what goes into the softmax, hence of the last layer's weights. A
    network that has not seen the bins gets weights of 0 for them.
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
    for network, scale in zip(branches.values(), scales, strict=True):
        last = network.architecture.steps[-1].name
        for name, values in network.named_parameters().items():
            own = next(into)
            own[...] = 0
            own[... if own.shape == values.shape else passed] = values * (
                scale if name.startswith(f"{last}/") else 1.0
            )
    return whole
