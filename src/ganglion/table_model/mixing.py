"""Mixtures: several kinds of networks learn on folds and become one network, weighed by what they say of rows
that they have not learned from.

Tables differ in what they need: some are almost linear, some want sharp boundaries. The kinds below differ
in that, and the held-out answers tell how much each counts. The network of a mixture is one graph: the bins
of the numbers, a branch for each trained network, and the weighted mean of their answers. A level of one fold
takes the best kind instead, and lets it learn again from all rows.
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


STEADY = Kind("steady", epochs=40)
SHARP = Kind("sharp", dropout=0.0)
SMOOTH = Kind("smooth", activation="mish", epochs=40)
WIDE = Kind("wide", (256, 64), dropout=0.1)
STRAIGHT = Kind("straight", (), epochs=20, rate=0.02, decay=0.02)
PLAIN = Kind("plain", epochs=40, in_bins=False)
LINEAR = Kind("linear", (), rate=0.05, decay=0.05, in_bins=False)

ROWS_FOR_FOLDS = 20_000  # for which all folds together should stand


@dataclass(frozen=True)
class Quality:
    """The kinds of networks of a quality level, and the least and the largest number of folds.

    Args:
        kinds: the networks tried.
        fewest_folds, most_folds: on which they learn.
        lead: folds on which all kinds learn; those that do not count there are given up.
        single: whether only the best kind is used, and learns again from all rows.
    """

    kinds: tuple[Kind, ...]
    fewest_folds: int
    most_folds: int
    lead: int = 1
    single: bool = False

    def folds(self, rows: int) -> int:
        """Return the number of folds for so many rows: more where rows are few."""
        return int(np.clip(ROWS_FOR_FOLDS // max(rows, 1), self.fewest_folds, self.most_folds))


QUALITIES = {
    "fast": Quality((STEADY, PLAIN, LINEAR), 5, 5, single=True),
    "good": Quality((STEADY, SHARP, STRAIGHT, PLAIN, LINEAR), 3, 4),
    "best": Quality((STEADY, SHARP, SMOOTH, WIDE, STRAIGHT, PLAIN, LINEAR), 5, 10, lead=2),
}


@dataclass(frozen=True)
class Mixed:
    """A trained mixture, or the best kind alone.

    Args:
        member: the mixture of all its networks.
        folds: for each fold the mixture of the networks that have not seen it, which is validated by it.
        history: of the first network, or of that of the best kind on its fold.
        kinds: the names of the kinds that are used.
        blend: how much each counts.
        trial: the blend of all kinds on the first folds.
        left_out: the loss on these of each kind that was given up.
        single: whether there is only one network.
    """

    member: Member
    folds: list[Member]
    history: History
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

        parts = []
        if not self.single:
            parts += [
                f"{name} {weight:.0%} ({alone(loss, together)})"
                for name, weight, loss in zip(self.kinds, self.blend.weights, self.blend.losses, strict=False)
            ]
        trial = self.trial.losses[-1]
        parts += [f"{name} 0% ({alone(loss, trial)})" for name, loss in self.left_out.items()]
        loss = f"log loss {together:.4g}" if is_class else f"RMSE {together**0.5 * target.scale:.4g}"  # type: ignore[union-attr]
        count = len(self.folds) * sum(weight > 0 for weight in self.blend.weights)
        what = f"a network of the kind {self.kinds[0]!r}" if self.single else f"a mixture of {count} networks"
        return f"{what}, {loss} on rows that were not learned from: {', '.join(parts)}"


def untrained(learner: Learner, split: Split, quality: Quality) -> Member:
    """Return a mixture of untrained networks, or a single one, to show what will be learned."""
    member = learner.untrained(split)
    begin = learner.in_bins(member.encoder, split.train)
    networks = {
        kind.name: _network(learner, member, begin, kind, place) for place, kind in enumerate(quality.kinds)
    }
    if quality.single:
        return dataclasses.replace(member, network=networks[quality.kinds[0].name])
    count = len(networks)
    whole = _assembled(learner, begin, networks, [1 / count] * count)
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
    goals = goals_of(learner.targets, frame)
    encoder = recipe.fit_encoder(frame, goals, learner.encoder).without(recipe.reasons)
    targets = learner.weighted(refit(learner.targets, frame), learned)
    whole = Member(
        Network([output_layer(targets)], len(encoder.features)),
        encoder,
        targets,
        Split(learned, NOTHING, tested),
    )
    begin = learner.in_bins(encoder, learned)
    folds = []
    for part in inner:
        split = Split(learned[part.train], learned[part.test], NOTHING)
        own = learner.rows.frame[split.train]
        relearned = encoder.relearned(own, goals_of(learner.targets, own))
        folds.append(dataclasses.replace(whole, encoder=relearned, split=split))
    kinds = quality.kinds
    lead = _train(learner, folds[: quality.lead], begin, kinds, 0, callbacks, quality.single)
    trial = _blend(learner, lead, quality.single)
    if trial is None:
        return None
    used = [place for place, weight in enumerate(trial.weights) if weight]
    left_out = {
        kind.name: loss
        for place, (kind, loss) in enumerate(zip(kinds, trial.losses, strict=False))
        if place not in used
    }
    if quality.single:
        return _best(learner, whole, begin, quality, lead[0], trial, left_out)
    used_kinds = [kinds[place] for place in used]
    done = len(lead)
    rest = _train(learner, folds[done:], begin, used_kinds, done * len(kinds)) if done == quality.lead else []
    trained = [[members[place] for place in used] for members in lead] + rest
    found = _blend(learner, trained)
    if found is None:
        return None
    names = tuple(kind.name for kind in used_kinds)

    for members in trained:
        for member, scale in zip(members, found.scales, strict=True):
            _sharpen(member.network, scale)

    def mixed(of: Sequence[tuple[int, Sequence[Member]]]) -> Network:
        branches, weights = dict[str, Network](), []
        for number, members in of:
            for name, weight, member in zip(names, found.weights, members, strict=True):
                if weight:
                    branches[f"{name} {number + 1}"] = member.network
                    weights.append(weight / len(of))
        return _assembled(learner, begin, branches, weights)

    numbered = list(enumerate(trained))
    kept = dataclasses.replace(whole, network=mixed(numbered))
    each = [
        dataclasses.replace(members[0], network=mixed([(number, members)])) for number, members in numbered
    ]
    return Mixed(kept, each, lead[0][0].network.history, names, found, trial, left_out, single=False)


def _best(
    learner: Learner,
    whole: Member,
    begin: Sequence[Layer],
    quality: Quality,
    tried: Sequence[Member],
    trial: Blend,
    left_out: dict[str, float],
) -> Mixed:
    """Return the best kind alone: it learns again from all rows, with what sharpens its answers."""
    place = int(np.argmax(trial.weights))
    kind, scale, validated = quality.kinds[place], trial.scales[place], tried[place]
    history = validated.network.history
    again = _train(learner, [whole], begin, [kind], len(quality.kinds))
    kept = (
        again[0][0]
        if again
        else dataclasses.replace(
            validated, split=dataclasses.replace(whole.split, train=validated.split.train)
        )
    )
    for network in {id(member.network): member.network for member in (kept, validated)}.values():
        _sharpen(network, scale)
    return Mixed(kept, [validated], history, (kind.name,), _only(trial, place), trial, left_out, single=True)


def _only(trial: Blend, place: int) -> Blend:
    """Return the blend of one kind."""
    return Blend((1.0,), (trial.scales[place],), (trial.losses[place], trial.losses[-1]))


def _blend(learner: Learner, trained: Sequence[Sequence[Member]], single: bool = False) -> Blend | None:
    """Return the blend of the kinds by what they say of their folds; None if no row of these has a weight."""
    answers = [
        learner.held_out(members, lambda split: split.validation) for members in zip(*trained, strict=True)
    ]
    held = [each for each in answers if each is not None]
    if len(held) < len(answers):
        return None
    return blend(held, isinstance(learner.targets[0], ClassTarget), single)


def _train(
    learner: Learner,
    folds: Sequence[Member],
    begin: Sequence[Layer],
    kinds: Sequence[Kind],
    first: int,
    callbacks: Sequence[Callback] = (),
    validated: bool = False,
) -> list[list[Member]]:
    """Return trained members: for each fold, one of each kind; after Ctrl-C of the folds that were done.

    Args:
        learner: makes members and knows the table.
        folds: what to train on.
        begin: the layers at the beginning of all networks that see the bins.
        kinds: what to train.
        first: the number of networks trained before, from which the seeds go on.
        callbacks: watch the first network, which the rows of its fold validate.
        validated: whether they validate all others too.

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
    if not members:
        return []
    if callbacks or validated:
        settings[0] |= {
            "callbacks": [Watching(callback) for callback in callbacks],
            "validation": learner.validation(members[0]),
        }
    if validated:
        for own, member in zip(settings[1:], members[1:], strict=True):
            own["validation"] = learner.validation(member)
    networks = [member.network for member in members]
    histories = train_many(
        networks, settings[0]["X"], settings[0]["y"], each=settings, progress=recipe.progress
    )
    whole = [
        members[start : start + len(kinds)]
        for start in range(0, len(members), len(kinds))
        if all(history.ended == "completed" for history in histories[start : start + len(kinds)])
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
