"""How an image model is trained: pictures are decoded and split, networks are trained, and one is kept.

With a hold-out, the network that is kept has learned from the training pictures alone: the validation
pictures calibrate it, and to train a second network would take as long again. With folds, each has a network
of its own, and the network that is kept has learned from all pictures.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ganglion import insight
from ganglion.answers.held_out import HeldOut
from ganglion.answers.judging import balancing_weights, judge
from ganglion.answers.splits import NOTHING, Divisible, Split, fold_splits, hold_out, joined
from ganglion.answers.target import ClassTarget, NumberTarget, fit_target
from ganglion.answers.thresholds import Objective
from ganglion.answers.values import as_text, to_numbers
from ganglion.checks import check_integer, check_number
from ganglion.core.architecture import Architecture
from ganglion.core.layers import Dense, Flatten, Layer
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, amount, notice, one_of, shortened
from ganglion.image_model.augmenting import choose_augmentation
from ganglion.image_model.defaults import QUALITIES, check_outputs, layers_for, settings_for
from ganglion.image_model.parts import notice_parts
from ganglion.images import (
    Augmentation,
    Fitting,
    Pictures,
    ProgressBar as DecodingBar,
    Store,
    choose_fitting,
    decode_pictures,
    find_copies,
    open_images,
)
from ganglion.images.rows import PictureRows, Scaling
from ganglion.many import Watching, train_many
from ganglion.network import Network
from ganglion.training.callbacks import Callback, ProgressBar
from ganglion.training.history import History
from ganglion.training.optimizers import AdamW, Optimizer
from ganglion.training.schedules import OneCycle

if TYPE_CHECKING:
    from ganglion.image_model.model import ImageModel

TEST, VALIDATION, FOLDS, SMALL = 0.2, 0.1, 5, 1000
# From this ratio of the largest to the smallest class on, classes are balanced by default.
IMBALANCED = 3.0
LEAST_WEIGHT = 1e-20
LINEAR_EPOCHS, LINEAR_UPDATES, LINEAR_RATE, LINEAR_BATCH = 20, 2_000, 0.01, 64
LINEAR_EPOCHS_AT_MOST = 300
FEW_NUMBERS = 2**23
# A class of fewer pictures does not make the others weigh less.
FEWEST_TO_BALANCE = 5
LINEAR_BUDGET = 2 * 10**9  # numbers of pixels that the linear model looks at: seconds
AnyTarget = ClassTarget | NumberTarget


@dataclass(frozen=True)
class Recipe:
    """The settings of `ImageModel.train`, which documents them.

    Raises:
        ConfigError: for a setting out of range.
    """

    labels: Any
    path: str | None
    target: str | None
    folder: Any
    group: str | None
    weight: str | None
    task: str
    size: int | tuple[int, int] | None
    fit: str
    layers: Sequence[Layer] | None
    augment: Augmentation | str | None
    quality: str
    test: float | None
    validation: float | None
    folds: int | None
    epochs: int | None
    batch_size: int | None
    learning_rate: float | None
    optimizer: Optimizer | None
    class_weight: str | None
    objective: Objective | None
    callbacks: Sequence[Callback]
    progress: bool
    announce: Callable[[Any], object]
    seed: int
    engine: str

    def __post_init__(self) -> None:
        check_integer("seed", self.seed, at_least=0, at_most=2**64 - 1)
        if self.quality not in QUALITIES:
            raise ConfigError(
                f"quality must be 'good' or 'best', got {shortened(self.quality)}",
                one_of(str(self.quality), QUALITIES),
            )
        if self.class_weight not in ("auto", "balanced", None):
            raise ConfigError(
                f"class_weight must be 'auto', 'balanced' or None, got {shortened(self.class_weight)}"
            )
        if not isinstance(self.augment, Augmentation) and self.augment not in ("auto", "none", None):
            raise ConfigError(
                f"augment must be 'auto', 'none' or an Augmentation, got {shortened(self.augment)}",
                "such as gg.Augmentation(flip='horizontal', shift=0.1)",
            )
        if self.target is not None and not isinstance(self.target, str):
            raise ConfigError(
                f"an image model has one target, got {shortened(self.target)}",
                "train a model for each target",
            )
        for name in ("group", "weight"):
            if getattr(self, name) is not None and getattr(self, name) == self.target:
                raise ConfigError(f"{name} must be another column than the target, got {self.target!r}")
        for name in ("epochs", "batch_size"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), at_least=1)
        if self.learning_rate is not None:
            check_number("learning_rate", self.learning_rate, above=0)
        for name in ("test", "validation"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), at_least=0, below=1)
        if self.folds:
            check_integer("folds (0 for a hold-out)", self.folds, at_least=2, at_most=100)
            if self.test or self.validation:
                raise ConfigError("folds test every picture, so that test and validation cannot be set")
            if self.may_stop:
                raise ConfigError(
                    f"callbacks that may stop a training need validation pictures, got folds={self.folds}",
                    "folds=0 holds some out",
                )

    @property
    def columns(self) -> list[str] | None:
        """The columns of a table of paths that are needed; None for all, if the target is to be found."""
        if self.target is None:
            return None
        return [self.target, *dict.fromkeys(name for name in (self.group, self.weight) if name is not None)]

    @property
    def may_stop(self) -> bool:
        """Whether a callback may stop the run or change its weights, and not only watch it."""
        return any(not isinstance(each, insight.HealthCheck | ProgressBar) for each in self.callbacks)


@dataclass(frozen=True)
class Member:
    """A network, the target and the scaling of its training pictures, and the split that it belongs to."""

    network: Network
    target: AnyTarget
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


def train(kind: type[Any], source: Any, recipe: Recipe) -> Any:
    """Train an image model by a recipe; see `ImageModel.train`."""
    pictures = open_images(
        source, labels=recipe.labels, path=recipe.path, target=recipe.columns, folder=recipe.folder
    )
    name = _target_name(pictures, recipe)
    pictures = _labeled(pictures, name)
    store = _decoded(pictures, recipe)
    learner = Learner(recipe, store, name)
    folds = _folds(recipe, store)
    flow = _cross_validate if folds else _hold_out
    return flow(kind, learner, learner.divisible(), folds)


def _folds(recipe: Recipe, store: Store) -> int:
    """Return the number of folds, 0 for a hold-out, after comparing the settings with what is given."""
    parts, folds = store.pictures.parts, recipe.folds
    present = set() if parts is None else set(parts.tolist())
    for name in ("test", "validation"):
        if getattr(recipe, name) is not None and name in present:
            raise ConfigError(
                f"{name} must be left out, because the source says which pictures are for {name}, "
                f"got {getattr(recipe, name)}"
            )
    if folds and present:
        raise ConfigError(f"folds must be left out, because the source is divided already, got {folds}")
    if folds is None:
        given = recipe.test is not None or recipe.validation is not None or present
        folds = FOLDS if len(store) < SMALL and not given and not recipe.may_stop else 0
    if recipe.objective is not None and not folds and recipe.validation == 0:
        raise ConfigError("a threshold is chosen on validation pictures, and validation is 0")
    return folds


def _target_name(pictures: Pictures, recipe: Recipe) -> str:
    """Return the column to predict."""
    if pictures.targets is None:
        raise DataError(
            "training needs to know what is in each picture, and the source does not tell",
            "put the pictures into a folder for each class, pass a table with the paths and a column of "
            "labels, or pass labels beside an array",
        )
    columns = [name for name in pictures.targets.columns if name not in (recipe.group, recipe.weight)]
    if recipe.target is not None:
        return recipe.target
    if len(columns) != 1:
        raise ConfigError(
            f"the target must be one column, got {', '.join(map(repr, columns[:8]))}",
            "name it: --target COLUMN, in Python target='...'"
            if pictures.place is not None
            else "pass one label for each picture; of a column for each class, labels.argmax(axis=1)",
        )
    return columns[0]


def _labeled(pictures: Pictures, name: str) -> Pictures:
    """Return the pictures that have the target."""
    assert pictures.targets is not None
    there = pictures.targets.get_column(name).is_not_null().to_numpy()
    if there.all():
        return pictures
    notice(
        f"{amount(int((~there).sum()), 'picture lacks', 'pictures lack')} the target {name!r} and "
        f"{'is' if (~there).sum() == 1 else 'are'} left out",
        "missing-targets",
    )
    if not there.any():
        raise DataError(f"the target {name!r} must have a value for some pictures, got none")
    return pictures.take(np.flatnonzero(there))


def _decoded(pictures: Pictures, recipe: Recipe) -> Store:
    fitting = fitting_of(pictures, recipe.size, recipe.fit)
    if not recipe.progress:
        return decode_pictures(pictures, fitting)
    with DecodingBar() as bar:
        return decode_pictures(pictures, fitting, progress=bar)


def fitting_of(pictures: Pictures, size: int | tuple[int, int] | None, fit: str) -> Fitting:
    """Return the size that pictures are brought to: a given one, or the one that suits them."""
    found = choose_fitting(pictures, fit)
    if size is None:
        return found
    sides = size if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2:
        raise ConfigError(f"size must be a number of pixels or (height, width), got {shortened(size)}")
    return dataclasses.replace(found, height=sides[0], width=sides[1])


class Learner:
    """Makes and trains networks of one recipe on some of the pictures of a store."""

    def __init__(self, recipe: Recipe, store: Store, name: str) -> None:
        self.recipe, self.store = recipe, store
        assert store.pictures.targets is not None
        self.frame = store.pictures.targets
        self.values = self.frame.get_column(name)
        self.target = fit_target(self.values, recipe.task)
        self.y = self.target.encode(self.values)
        check_outputs(Architecture(self._layers(self.target), self.shape), self.target)
        self.weight = None if recipe.weight is None else self._weights(recipe.weight)
        self.blocks: Array | None = None
        self.balances = _balances(self.target, recipe.class_weight, len(self.y))
        if recipe.objective is not None:
            recipe.objective.positive_class(self.target)
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
        classes = self.y if isinstance(self.target, ClassTarget) else None
        return Divisible(len(self.store), classes, self.blocks)

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

    def _layers(self, target: AnyTarget) -> list[Layer]:
        given = self.recipe.layers
        return layers_for(self.shape, target, self.recipe.quality) if given is None else list(given)

    def untrained(self, split: Split) -> Member:
        """Return a member whose target and scaling are fitted on the training pictures of a split."""
        target = self.target.refit(self.values[split.train])
        network = Network(self._layers(target), self.shape, self.recipe.seed, engine=self.recipe.engine)
        return Member(network, target, Scaling.fit(self.store.images, split.train), split)

    def augment(self, split: Split) -> None:
        """Choose how training pictures are varied, once for all networks."""
        given = self.recipe.augment
        if isinstance(given, Augmentation):
            self.augmentation = given
        elif given == "auto":
            self.augmentation = choose_augmentation(
                self.store.images, self.y, self.target, split.train, self.recipe.quality, self.recipe.seed
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
        return list(train_many(networks, each[0]["X"], self.y, each=each, progress=self.recipe.progress))

    def linear(self, member: Member) -> Member:
        """Return a member without hidden layers, with the same target, scaling and split."""
        classes = isinstance(member.target, ClassTarget)
        last = Dense(len(member.target.classes), "softmax") if classes else Dense(1)  # type: ignore[union-attr]
        network = Network([Flatten(), last], self.shape, self.recipe.seed, engine=self.recipe.engine)
        return dataclasses.replace(member, network=network, linear=True)

    def _settings(self, member: Member) -> dict[str, Any]:
        """Return the settings of `Network.fit` for a member."""
        recipe, rows = self.recipe, member.split.train
        settings = {"y": self._goals(member, rows), "sample_weight": self._sample_weight(member)}
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

    def _goals(self, member: Member, which: Array) -> Array:
        return member.target.encode(self.values[which])

    def _validation(self, member: Member) -> tuple[Any, ...] | None:
        which = member.split.validation
        if not len(which):
            return None
        pair = (self.rows(member, which), self._goals(member, which))
        return pair if self.weight is None else (*pair, self.weight[which])

    def _sample_weight(self, member: Member) -> Array | None:
        which, weight = member.split.train, self.weight
        own = None if weight is None else weight[which]
        if not self.balances:
            return own
        factors: Array = np.array(balancing_weights(member.target))[self._goals(member, which)]  # type: ignore[arg-type]
        return factors if own is None else factors * own

    def answers(self, members: Sequence[Member], of: Callable[[Split], Array]) -> HeldOut | None:
        """Return the outputs for the pictures `of` the split of each member, in the units of the target."""
        outputs, rows, folds = [], [], []
        for number, member in enumerate(members):
            which = of(member.split)
            if not len(which):
                continue
            found = member.network.predict(self.rows(member, which))
            if isinstance(member.target, NumberTarget) and isinstance(self.target, NumberTarget):
                found = member.target.in_scale_of(self.target, found)
            outputs.append(found)
            rows.append(which)
            folds.append(np.full(len(which), number))
        if not outputs:
            return None
        every = np.concatenate(rows)
        return HeldOut(
            np.concatenate(outputs),
            self.y[every],
            np.concatenate(folds),
            None if self.weight is None else self.weight[every],
            None if self.blocks is None else self.blocks[every],
        )

    def model(
        self,
        kind: type[ImageModel],
        member: Member,
        history: History,
        counts: dict[str, int],
        validated: HeldOut | None = None,
        tested: HeldOut | None = None,
        linear: HeldOut | None = None,
        linear_validated: HeldOut | None = None,
        which: Array = NOTHING,
        note: str = "",
        folds: int = 0,
    ) -> ImageModel:
        """Return the model of a member, judged by the answers for held-out pictures."""
        weights = (
            balancing_weights(member.target)
            if self.balances and isinstance(member.target, ClassTarget)
            else ()
        )
        judgment = judge(
            self.target,
            validated,
            tested,
            linear,
            linear_validation=linear_validated,
            class_weights=weights,
            objective=self.recipe.objective,
            rows=counts["train"] + counts["validation"],
        )
        report = judgment.report and dataclasses.replace(judgment.report, note=note)
        pictures = self.store.pictures
        return kind(
            member.network,
            member.target,
            self.store.fitting,
            member.scaling,
            history,
            report,
            counts,
            judgment.calibration,
            self.augmentation,
            bool(weights),
            None
            if tested is None
            else Tested(
                self.store.images[which],
                tuple(pictures.names[row] for row in which),
                self._in_scale_of(member, tested.truth),
                self._in_scale_of(member, tested.outputs),
            ),
            pictures.left_out,
            folds,
        )

    def _in_scale_of(self, member: Member, numbers: Array) -> Array:
        """Return outputs or encoded targets in the scale of a member's target; classes stay what they are."""
        if isinstance(self.target, NumberTarget) and isinstance(member.target, NumberTarget):
            return self.target.in_scale_of(member.target, numbers)
        return numbers


def _balances(target: AnyTarget, class_weight: str | None, rows: int) -> bool:
    """Return whether classes get equal total weights, with a notice if it was decided here."""
    if not isinstance(target, ClassTarget):
        if class_weight == "balanced":
            raise ConfigError(f"class weights need classes, and {target.column!r} is a number")
        return False
    if class_weight != "auto":
        return class_weight == "balanced"
    every = np.array(target.shares)
    counted = np.where(every * rows >= FEWEST_TO_BALANCE, every, 0)
    shares = counted[counted > 0]
    if not len(shares) or shares.max() < IMBALANCED * shares.min():
        return False
    rare = target.label(int(np.argmin(np.where(counted > 0, counted, 2))))
    notice(
        f"the classes are of very different size ({target.label(int(np.argmax(target.shares)))} has "
        f"{shares.max():.1%} of the pictures, {rare} {shares.min():.1%}): each gets the same total weight in "
        "training, and probabilities are corrected for it; class_weight=None (--class-weight none) leaves it",
        "balanced-classes",
    )
    return True


def _hold_out(kind: type[ImageModel], learner: Learner, rows: Divisible, folds: int) -> ImageModel:
    """Train one network, calibrate it by the validation pictures, and test it."""
    recipe, split = learner.recipe, _split(learner, rows)
    learner.augment(split)
    member = learner.untrained(split)
    counts = {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}
    recipe.announce(learner.model(kind, member, History(), counts))
    history = learner.run(member, recipe.callbacks)
    linear = [learner.linear(member)] if len(split.test) and history.ended != "interrupted" else []
    for each in linear:
        learner.run(each)
    return learner.model(
        kind,
        member,
        history,
        counts,
        learner.answers([member], lambda each: each.validation),
        learner.answers([member], lambda each: each.test),
        learner.answers(linear, lambda each: each.test),
        learner.answers(linear, lambda each: each.validation),
        split.test,
        "the model has not learned from these pictures; test=0 (--test 0) trains on all",
    )


def _split(learner: Learner, rows: Divisible) -> Split:
    """Return the split: the one that the source has, or a random one for what it lacks."""
    recipe, parts = learner.recipe, learner.store.pictures.parts
    test = TEST if recipe.test is None else recipe.test
    validation = VALIDATION if recipe.validation is None else recipe.validation
    if parts is None:
        return hold_out(rows, test, validation, recipe.seed)
    train, validated, tested = (np.flatnonzero(parts == name) for name in ("train", "validation", "test"))
    if not len(train):
        raise DataError("the source must have pictures to train on, got none in a folder train")
    notice_parts(
        learner.store.images, learner.y, learner.target, rows.blocks, Split(train, validated, tested)
    )
    inner = hold_out(
        rows.part(train), 0.0 if len(tested) else test, 0.0 if len(validated) else validation, recipe.seed
    )
    return Split(
        train[inner.train],
        validated if len(validated) else train[inner.validation],
        tested if len(tested) else train[inner.test],
    )


def _cross_validate(kind: type[ImageModel], learner: Learner, rows: Divisible, folds: int) -> ImageModel:
    """Train a network for each fold, and the one to keep on all pictures."""
    recipe = learner.recipe
    splits = fold_splits(rows, folds, 1, recipe.seed)
    everything = Split(np.arange(rows.rows), NOTHING, NOTHING)
    if not splits:
        once = "" if rows.blocks is None else ", with copies and groups counted once"
        count = rows.rows if rows.blocks is None else len(np.unique(rows.blocks))
        notice(f"too few pictures to test the model ({count:,}{once}): there is no report", "no-test")
    learner.augment(splits[0] if splits else everything)
    kept = learner.untrained(everything)
    counts = {"train": rows.rows, "validation": 0, "test": sum(len(split.test) for split in splits)}
    recipe.announce(learner.model(kind, kept, History(), counts, folds=len(splits)))
    members = [learner.untrained(split) for split in splits]
    linear = [learner.linear(member) for member in members]
    histories = learner.run_all([kept, *members, *linear], recipe.callbacks)
    history = histories[0]
    if any(each.ended == "interrupted" for each in histories):
        members = linear = []  # after Ctrl-C what is learned so far is kept, without a report
    which = np.concatenate([NOTHING, *(member.split.test for member in members)])
    counts["test"] = len(which)
    note = f"each picture was tested by one of {len(members)} networks that had not learned from it"
    return learner.model(
        kind,
        kept,
        history,
        counts,
        None,
        learner.answers(members, lambda each: each.test),
        learner.answers(linear, lambda each: each.test),
        which=which,
        note=note,
        folds=len(members),
    )
