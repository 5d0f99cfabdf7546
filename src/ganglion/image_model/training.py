"""How an image model is trained: pictures are decoded and split, networks are trained, and one is kept.

With a hold-out, the network that is kept has learned from the training pictures alone: the validation
pictures calibrate it, and to train a second network would take as long again. With folds, each has a network
of its own, and the network that is kept has learned from all pictures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ganglion import insight
from ganglion.answers.calibration import Calibration
from ganglion.answers.judging import Judgment
from ganglion.answers.splits import NOTHING, Divisible, Split, fold_splits, hold_out
from ganglion.answers.thresholds import Objective
from ganglion.checks import check_integer, check_number
from ganglion.core.layers import Layer
from ganglion.errors import ConfigError, DataError, amount, notice, one_of, shortened
from ganglion.heads import networks_of_heads
from ganglion.image_model.defaults import QUALITIES
from ganglion.image_model.labels import (
    MOST_TARGETS,
    LabelColumn,
    check_separator,
    notice_labels,
    split_labels,
)
from ganglion.image_model.learner import Judged, Learner, Member
from ganglion.image_model.parts import notice_parts, split_of_parts
from ganglion.images import (
    Augmentation,
    Fitting,
    Pictures,
    ProgressBar as DecodingBar,
    Store,
    choose_fitting,
    decode_pictures,
    open_images,
)
from ganglion.images.arrays import has_columns
from ganglion.training.callbacks import Callback, ProgressBar
from ganglion.training.history import History
from ganglion.training.optimizers import Optimizer

if TYPE_CHECKING:
    from ganglion.image_model.joint import JointImageModel
    from ganglion.image_model.model import ImageModel

TEST, VALIDATION, FOLDS, SMALL = 0.2, 0.1, 5, 1000


@dataclass(frozen=True)
class Recipe:
    """The settings of `ImageModel.train`, which documents them.

    Raises:
        ConfigError: for a setting out of range.
    """

    labels: Any
    path: str | None
    targets: tuple[str, ...] | None
    label_separator: str | None
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
        for name in ("group", "weight"):
            if getattr(self, name) is not None and getattr(self, name) in (self.targets or ()):
                raise ConfigError(
                    f"{name} must be another column than the target, got {getattr(self, name)!r}"
                )
        if len(self.targets or ()) > MOST_TARGETS:
            raise ConfigError(f"a network has at most {MOST_TARGETS} targets, got {len(self.targets or ())}")
        if self.label_separator is not None:
            check_separator(self.label_separator)
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
        if self.targets is None:
            return None
        return [*self.targets, *dict.fromkeys(name for name in (self.group, self.weight) if name is not None)]

    @property
    def may_stop(self) -> bool:
        """Whether a callback may stop the run or change its weights, and not only watch it."""
        return any(not isinstance(each, insight.HealthCheck | ProgressBar) for each in self.callbacks)


@dataclass(frozen=True)
class Kinds:
    """The classes of the models that training makes: of one target, and of several."""

    one: type[ImageModel]
    several: type[JointImageModel]


@dataclass(frozen=True)
class Maker:
    """Makes a model of a member.

    Args:
        kinds: the classes of the models.
        learner: that the member belongs to.
        label_column: the column whose words are the targets; None if there is none.
    """

    kinds: Kinds
    learner: Learner
    label_column: LabelColumn | None

    def model(
        self,
        member: Member,
        counts: dict[str, int],
        history: History | None = None,
        judged: Sequence[Judged] = (),
        note: str = "",
        folds: int = 0,
    ) -> Any:
        """Return the model; untrained without a history."""
        learner = self.learner
        networks = networks_of_heads(member.network, member.targets, learner.recipe.engine)
        unknown = [Judged(Judgment(Calibration(), None), balanced, None) for balanced in learner.balances]
        heads = {
            target.column: self.kinds.one(
                network,
                target,
                learner.store.fitting,
                member.scaling,
                History() if history is None else history,
                each.judgment.report and dataclasses.replace(each.judgment.report, note=note),
                counts,
                each.judgment.calibration,
                learner.augmentation,
                each.balanced,
                each.tested,
                learner.store.pictures.left_out,
                folds,
                self.label_column,
            )
            for target, network, each in zip(member.targets, networks, judged or unknown, strict=True)
        }
        return (
            self.kinds.several(member.network, heads) if len(heads) > 1 else heads[member.targets[0].column]
        )


def train(kinds: Kinds, source: Any, recipe: Recipe) -> Any:
    """Train an image model by a recipe; see `ImageModel.train`."""
    pictures = open_images(
        source, labels=recipe.labels, path=recipe.path, target=recipe.columns, folder=recipe.folder
    )
    pictures, names, label_column = _targets(pictures, recipe)
    store = _decoded(_labeled(pictures, names), recipe)
    learner = Learner(recipe, store, names)
    folds = _folds(recipe, store)
    flow = _cross_validate if folds else _hold_out
    return flow(Maker(kinds, learner, label_column), learner.divisible(), folds)


def _targets(pictures: Pictures, recipe: Recipe) -> tuple[Pictures, tuple[str, ...], LabelColumn | None]:
    """Return the pictures, the columns to predict, and the column whose words these are, if it is so."""
    names = _target_names(pictures, recipe)
    if recipe.label_separator is not None:
        if len(names) > 1:
            raise ConfigError(
                f"label_separator divides the words of one column, got the targets {', '.join(names[:8])}",
                "name one target",
            )
        pictures, label_column = split_labels(pictures, names[0], recipe.label_separator)
        return pictures, label_column.words, label_column
    assert pictures.targets is not None
    for name in names:
        notice_labels(pictures.targets.get_column(name))
    return pictures, names, None


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


def _target_names(pictures: Pictures, recipe: Recipe) -> tuple[str, ...]:
    """Return the columns to predict."""
    if pictures.targets is None:
        raise DataError(
            "training needs to know what is in each picture, and the source does not tell",
            "put the pictures into a folder for each class, pass a table with the paths and a column of "
            "labels, or pass labels beside an array",
        )
    columns = [name for name in pictures.targets.columns if name not in (recipe.group, recipe.weight)]
    if recipe.targets is not None:
        return recipe.targets
    named = has_columns(recipe.labels)
    several = named or (pictures.place is None and _are_several_labels(pictures.targets.select(columns)))
    if not columns or (len(columns) > 1 and not several):
        raise ConfigError(
            f"the target must be one column, got {', '.join(map(repr, columns[:8])) or 'none'}",
            "name it: --target COLUMN, in Python target='...'"
            if pictures.place is not None
            else "pass one label for each picture; of a column for each class, labels.argmax(axis=1)",
        )
    if len(columns) > MOST_TARGETS:
        raise ConfigError(f"a network has at most {MOST_TARGETS} targets, got {len(columns)}")
    return tuple(columns)


def _are_several_labels(targets: pl.DataFrame) -> bool:
    """Return whether columns of yes and no are several labels: exactly one for each picture is a class."""
    if not targets.width or not all(kind == pl.Boolean for kind in targets.dtypes):
        return False
    return bool((targets.sum_horizontal() != 1).any())


def _labeled(pictures: Pictures, names: Sequence[str]) -> Pictures:
    """Return the pictures that have at least one of the targets."""
    assert pictures.targets is not None
    present = [pictures.targets.get_column(name).is_not_null().to_numpy() for name in names]
    there = np.any(present, axis=0)
    if missing := int((~there).sum()):
        what = f"the target {names[0]!r}" if len(names) == 1 else "all targets"
        notice(
            f"{amount(missing, 'picture lacks', 'pictures lack')} {what} and "
            f"{'is' if missing == 1 else 'are'} left out",
            "missing-target",
        )
    for name, own in zip(names, present, strict=True):
        if not own.any():
            raise DataError(f"the target {name!r} must have a value for some pictures, got none")
        if missing := int((there & ~own).sum()):
            notice(
                f"{amount(missing, 'picture lacks', 'pictures lack')} the target {name!r}, used for the "
                "others only",
                "missing-target",
            )
    return pictures if there.all() else pictures.take(np.flatnonzero(there))


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


def _hold_out(maker: Maker, rows: Divisible, folds: int) -> Any:
    """Train one network, calibrate it by the validation pictures, and test it."""
    learner = maker.learner
    recipe, split = learner.recipe, _split(learner, rows)
    learner.augment(split)
    member = learner.untrained(split)
    counts = {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}
    recipe.announce(maker.model(member, counts))
    history = learner.run(member, recipe.callbacks)
    linear = [learner.linear(member)] if len(split.test) and history.ended != "interrupted" else []
    for each in linear:
        learner.run(each)
    learned = np.concatenate([split.train, split.validation])
    judged = learner.judge(member, learned, [member], [member], linear, linear)
    note = "the model has not learned from these pictures; test=0 (--test 0) trains on all"
    return maker.model(member, counts, history, judged, note)


def _split(learner: Learner, rows: Divisible) -> Split:
    """Return the split: the one that the source has, or a random one for what it lacks."""
    recipe, parts = learner.recipe, learner.store.pictures.parts
    test = TEST if recipe.test is None else recipe.test
    validation = VALIDATION if recipe.validation is None else recipe.validation
    if parts is None:
        return hold_out(rows, test, validation, recipe.seed)
    given = split_of_parts(parts)
    if not len(given.train):
        raise DataError("the source must have pictures to train on, got none in a folder train")
    notice_parts(learner.store.images, learner.y, learner.targets, rows.blocks, given)
    inner = hold_out(
        rows.part(given.train),
        0.0 if len(given.test) else test,
        0.0 if len(given.validation) else validation,
        recipe.seed,
    )
    return Split(
        given.train[inner.train],
        given.validation if len(given.validation) else given.train[inner.validation],
        given.test if len(given.test) else given.train[inner.test],
    )


def _cross_validate(maker: Maker, rows: Divisible, folds: int) -> Any:
    """Train a network for each fold, and the one to keep on all pictures."""
    learner = maker.learner
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
    recipe.announce(maker.model(kept, counts, folds=len(splits)))
    members = [learner.untrained(split) for split in splits]
    linear = [learner.linear(member) for member in members]
    histories = learner.run_all([kept, *members, *linear], recipe.callbacks)
    if any(each.ended == "interrupted" for each in histories):
        members = linear = []  # after Ctrl-C what is learned so far is kept, without a report
    counts["test"] = sum(len(member.split.test) for member in members)
    judged = learner.judge(kept, everything.train, [], members, linear)
    note = f"each picture was tested by one of {len(members)} networks that had not learned from it"
    return maker.model(kept, counts, histories[0], judged, note, len(members))
