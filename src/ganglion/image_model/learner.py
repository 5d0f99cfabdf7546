"""The learner: makes and trains networks of one recipe, one for each split; collects their answers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ganglion.answers.held_out import HeldOut
from ganglion.answers.judging import Judgment, balancing_weights, judge
from ganglion.answers.splits import Divisible, Split, joined
from ganglion.answers.target import ClassTarget, NumberTarget, fit_target
from ganglion.answers.values import as_text, to_numbers
from ganglion.core.architecture import Architecture
from ganglion.core.layers import Flatten, Layer
from ganglion.core.part import Array
from ganglion.errors import DataError, amount, notice, one_of
from ganglion.heads import (
    Answered,
    AnyTarget,
    as_balanced,
    as_learned,
    check_objective,
    encode_targets,
    held_out,
    loss_of,
    objective_for,
    output_layer,
    refit,
    require_classes,
    strata_of,
)
from ganglion.image_model.augmenting import choose_augmentation
from ganglion.image_model.defaults import check_outputs, layers_for, settings_for
from ganglion.images import Augmentation, Store, find_copies
from ganglion.images.rows import PictureRows, Scaling
from ganglion.many import Watching, train_many
from ganglion.network import Network
from ganglion.training.callbacks import Callback
from ganglion.training.history import History
from ganglion.training.optimizers import AdamW
from ganglion.training.schedules import OneCycle

if TYPE_CHECKING:
    from ganglion.image_model.training import Recipe

# From this ratio of the largest to the smallest class on, classes are balanced by default.
IMBALANCED = 3.0
LEAST_WEIGHT = 1e-20
LINEAR_EPOCHS, LINEAR_UPDATES, LINEAR_RATE, LINEAR_BATCH = 20, 2_000, 0.01, 64
LINEAR_EPOCHS_AT_MOST = 300
FEW_NUMBERS = 2**23
# A class of fewer pictures does not make the others weigh less.
FEWEST_TO_BALANCE = 5
LINEAR_BUDGET = 2 * 10**9  # numbers of pixels that the linear model looks at: seconds
MOST_NAMED = 5  # targets, in a notice


@dataclass(frozen=True)
class Member:
    """A network, the targets and the scaling of its training pictures, and the split that it belongs to."""

    network: Network
    targets: tuple[AnyTarget, ...]
    scaling: Scaling
    split: Split
    linear: bool = False


@dataclass(frozen=True)
class Tested:
    """The pictures that tested a model, and what it answered.

    Args:
        images: bytes, of shape (n, height, width, channels).
        names: of the pictures.
        truth: the encoded targets.
        outputs: of the networks that have not learned from the pictures.
    """

    images: Array
    names: tuple[str, ...]
    truth: Array
    outputs: Array


@dataclass(frozen=True)
class Judged:
    """What held-out pictures say of one head.

    Args:
        judgment: its calibration and its report.
        balanced: whether its classes had equal total weight.
        tested: the pictures that tested it; None without any.
    """

    judgment: Judgment
    balanced: bool
    tested: Tested | None


class Learner:
    """Makes and trains networks of one recipe on some of the pictures of a store."""

    def __init__(self, recipe: Recipe, store: Store, names: Sequence[str]) -> None:
        self.recipe, self.store = recipe, store
        assert store.pictures.targets is not None
        self.frame = store.pictures.targets
        self.targets = tuple(fit_target(self.frame.get_column(name), recipe.task) for name in names)
        self.y = encode_targets(self.targets, self.frame)
        check_outputs(Architecture(self._layers(), self.shape), self.targets)
        self.weight = None if recipe.weight is None else self._weights(recipe.weight)
        self.blocks: Array | None = None
        self.balances = _balances(self.targets, recipe.class_weight, self.y)
        if recipe.objective is not None:
            check_objective(recipe.objective, self.targets)
        self.augmentation: Augmentation | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of a picture."""
        return self.store.fitting.shape

    def divisible(self) -> Divisible:
        """Return what the splits have to respect, with a notice of copies."""
        copies, group = find_copies(self.store.images), self.recipe.group
        count = copies.equal + copies.similar
        if count:
            kept = "" if self.store.pictures.parts is not None else "; copies stay together in the split"
            similar = f" ({copies.similar:,} in another format, quality or size)" if copies.similar else ""
            notice(
                f"{amount(count, 'picture is a copy', 'pictures are copies')} of others{similar}{kept}",
                "duplicate-pictures",
            )
        blocks = [copies.blocks] if count else []
        if group is not None:
            values = as_text(self._column(group))
            alone = values.is_null().to_numpy()  # a picture of no group is one by itself
            numbers = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
            numbers[alone] = -1 - np.arange(alone.sum())
            blocks.append(numbers)
        self.blocks = joined(*blocks) if blocks else None
        return Divisible(len(self.store), strata_of(self.targets, self.y), self.blocks)

    def _column(self, name: str) -> pl.Series:
        if name not in self.frame.columns:
            raise DataError(f"the pictures have no column {name!r}", one_of(name, self.frame.columns))
        return self.frame.get_column(name)

    def _weights(self, name: str) -> Array:
        weight = to_numbers(self._column(name)).to_numpy()
        wrong = ~((weight == 0) | ((weight >= LEAST_WEIGHT) & (weight <= 1 / LEAST_WEIGHT)))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"column {name!r} must hold a weight >= 0 for every picture, got {weight[row]:g} for "
                f"{self.store.pictures.names[row]}"
            )
        return weight

    def _layers(self) -> list[Layer]:
        given = self.recipe.layers
        return layers_for(self.shape, self.targets, self.recipe.quality) if given is None else list(given)

    def untrained(self, split: Split) -> Member:
        """Return a member whose targets and scaling are fitted on the training pictures of a split."""
        targets = refit(self.targets, self.frame[split.train])
        network = Network(self._layers(), self.shape, self.recipe.seed, engine=self.recipe.engine)
        return Member(network, targets, Scaling.fit(self.store.images, split.train), split)

    def augment(self, split: Split) -> None:
        """Choose how training pictures are varied, once for all networks."""
        given = self.recipe.augment
        if isinstance(given, Augmentation):
            self.augmentation = given
        elif given == "auto":
            self.augmentation = choose_augmentation(
                self.store.images, self.y, self.targets, split.train, self.recipe.quality, self.recipe.seed
            )

    def run(self, member: Member, callbacks: Sequence[Callback] = ()) -> History:
        """Train a member alone, on all processors, and return the history."""
        return member.network.fit(
            **self._settings(member), callbacks=callbacks, progress=self.recipe.progress
        )

    def run_all(self, members: Sequence[Member], callbacks: Sequence[Callback]) -> list[History]:
        """Train members in parallel, the first with callbacks, and return their histories."""
        watching: list[list[Callback]] = [[] for _ in members]
        watching[0] = [Watching(each) for each in callbacks]
        each = [
            {**self._settings(member), "callbacks": own}
            for member, own in zip(members, watching, strict=True)
        ]
        networks = [member.network for member in members]
        return list(
            train_many(networks, each[0]["X"], each[0]["y"], each=each, progress=self.recipe.progress)
        )

    def linear(self, member: Member) -> Member:
        """Return a member without hidden layers, with the same targets, scaling and split."""
        layers = [Flatten(), output_layer(member.targets)]
        network = Network(layers, self.shape, self.recipe.seed, engine=self.recipe.engine)
        return dataclasses.replace(member, network=network, linear=True)

    def _settings(self, member: Member) -> dict[str, Any]:
        """Return the settings of `Network.fit` for a member."""
        recipe, rows = self.recipe, member.split.train
        y = encode_targets(member.targets, self.frame[rows])
        own = None if self.weight is None else self.weight[rows]
        goals, weight = as_balanced(member.targets, y, own, self._class_weights(member))
        settings = {"y": goals, "loss": loss_of(member.targets), "sample_weight": weight}
        if member.linear:
            updates = -(-len(rows) // LINEAR_BATCH)  # of an epoch
            most = LINEAR_BUDGET // (LINEAR_BATCH * math.prod(self.shape))
            wanted = max(LINEAR_EPOCHS * updates, min(LINEAR_UPDATES, LINEAR_EPOCHS_AT_MOST * updates))
            epochs = max(1, min(wanted, most) // updates)
            return settings | {
                "X": self.rows(member, rows),
                "optimizer": AdamW(OneCycle(LINEAR_RATE, epochs=epochs), weight_decay=0.1),
                "epochs": epochs,
                "batch_size": LINEAR_BATCH,
            }
        suited = settings_for(list(member.network.layers), self.shape, len(rows), recipe.quality)
        epochs = suited.epochs if recipe.epochs is None else recipe.epochs
        rate = suited.learning_rate if recipe.learning_rate is None else recipe.learning_rate
        schedule = AdamW(OneCycle(rate, epochs=epochs), weight_decay=suited.weight_decay)
        return settings | {
            "X": self.varied(member, rows),
            "optimizer": recipe.optimizer or schedule,
            "epochs": epochs,
            "batch_size": suited.batch_size if recipe.batch_size is None else recipe.batch_size,
            "validation": self._validation(member),
        }

    def rows(self, member: Member, which: Array) -> PictureRows | Array:
        """Return some pictures as the rows of a member's network: as numbers at once, if they are few."""
        rows = PictureRows(self.store.images, member.scaling, which)
        return rows.toarray() if math.prod(rows.shape) <= FEW_NUMBERS else rows

    def varied(self, member: Member, which: Array) -> PictureRows | Array:
        """Return the same for training: varied in each epoch, if that was chosen."""
        if self.augmentation is None:
            return self.rows(member, which)
        return PictureRows(self.store.images, member.scaling, which, self.augmentation, self.recipe.seed)

    def _validation(self, member: Member) -> tuple[Any, ...] | None:
        which = member.split.validation
        if not len(which):
            return None
        goals = as_learned(member.targets, encode_targets(member.targets, self.frame[which]))
        pair = (self.rows(member, which), goals)
        return pair if self.weight is None else (*pair, self.weight[which])

    def _class_weights(self, member: Member) -> list[tuple[float, ...]]:
        """Return the weights of the classes of each head; () where all weigh the same."""
        return [
            balancing_weights(target) if balances and isinstance(target, ClassTarget) else ()
            for target, balances in zip(member.targets, self.balances, strict=True)
        ]

    def judge(
        self,
        kept: Member,
        learned: Array,
        validated: Sequence[Member],
        tested: Sequence[Member],
        linear: Sequence[Member],
        linear_validated: Sequence[Member] = (),
    ) -> list[Judged]:
        """Return for each head what the members' answers for held-out pictures say.

        Args:
            kept: the member that becomes the model.
            learned: the pictures that it learned from or was validated on.
            validated: the members that are judged by the validation pictures of their splits.
            tested: those judged by the test pictures.
            linear: models without hidden layers, judged by the test pictures.
            linear_validated: those judged by the validation pictures.
        """
        parts = (
            self._outputs(validated, lambda split: split.validation),
            self._outputs(tested, lambda split: split.test),
            self._outputs(linear, lambda split: split.test),
            self._outputs(linear_validated, lambda split: split.validation),
        )
        which = np.concatenate([np.zeros(0, np.int64), *(each.rows for each in parts[1])])
        pictures = self.store.images[which]
        judged = []
        for number, (target, weights) in enumerate(zip(self.targets, self._class_weights(kept), strict=True)):
            values = self.frame.get_column(target.column)
            validation, test, yardstick, on_validation = (
                held_out(part, number, target, values, self.weight, self.blocks) for part in parts
            )
            judgment = judge(
                target,
                validation,
                test,
                yardstick,
                linear_validation=on_validation,
                class_weights=weights,
                objective=objective_for(self.recipe.objective, target),
                rows=int((~np.isnan(self.y[learned, number])).sum()),
            )
            there = ~np.isnan(self.y[which, number])
            own = pictures if there.all() else pictures[there]  # heads share what they can
            shown = (
                None if test is None else self._tested(test, own, which[there], target, kept.targets[number])
            )
            judged.append(Judged(judgment, bool(weights), shown))
        return judged

    def _outputs(self, members: Sequence[Member], of: Callable[[Split], Array]) -> list[Answered]:
        """Return the outputs of members for the pictures `of` their split."""
        return [
            Answered(member.targets, which, member.network.predict(self.rows(member, which)))
            for member in members
            if len(which := of(member.split))
        ]

    def _tested(
        self, test: HeldOut, images: Array, which: Array, target: AnyTarget, into: AnyTarget
    ) -> Tested:
        """Return the pictures that tested a head, with truth and outputs in the scale of its own target."""
        truth, outputs = test.truth, test.outputs
        if isinstance(target, NumberTarget) and isinstance(into, NumberTarget):
            truth, outputs = target.in_scale_of(into, truth), target.in_scale_of(into, outputs)
        names = self.store.pictures.names
        return Tested(images, tuple(names[row] for row in which), truth, outputs)


def _balances(targets: Sequence[AnyTarget], class_weight: str | None, y: Array) -> list[bool]:
    """Return for each target whether its classes get equal total weights, with a notice if it was decided
    here.
    """
    if class_weight == "balanced":
        require_classes(targets)
    if class_weight != "auto":
        return [class_weight == "balanced" and isinstance(target, ClassTarget) for target in targets]
    rows = (~np.isnan(y)).sum(axis=0).tolist()
    found = [_imbalance(target, count) for target, count in zip(targets, rows, strict=True)]
    told = [
        f"of {target.column!r} {words}" if len(targets) > 1 else words
        for target, words in zip(targets, found, strict=True)
        if words
    ]
    if told:
        of = "; ".join(told[:MOST_NAMED])
        more = f"; {len(told) - MOST_NAMED} more targets" if len(told) > MOST_NAMED else ""
        notice(
            f"the classes are of very different size ({of}{more}): each gets the same total "
            "weight in training, and probabilities are corrected for it; class_weight=None "
            "(--class-weight none) leaves it",
            "balanced-classes",
        )
    return [bool(words) for words in found]


def _imbalance(target: AnyTarget, rows: int) -> str:
    """Return which classes are of very different size, "" if none are."""
    if not isinstance(target, ClassTarget):
        return ""
    every = np.array(target.shares)
    counted = np.where(every * rows >= FEWEST_TO_BALANCE, every, 0)
    shares = counted[counted > 0]
    if not len(shares) or shares.max() < IMBALANCED * shares.min():
        return ""
    rare = target.label(int(np.argmin(np.where(counted > 0, counted, 2))))
    return (
        f"{target.label(int(np.argmax(target.shares)))} has {shares.max():.1%} of the pictures, {rare} "
        f"{shares.min():.1%}"
    )
