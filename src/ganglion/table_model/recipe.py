"""The recipe of a table model: the settings of its training, checked."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from ganglion import insight
from ganglion.answers.thresholds import Objective, make_objective
from ganglion.checks import check_flag, check_integer, check_number, column_names
from ganglion.core.part import Array
from ganglion.errors import ConfigError, one_of, shortened
from ganglion.heads import AnyTarget, check_objective
from ganglion.table_model.kinds import QUALITIES, Quality
from ganglion.table_model.sampling import Sampling
from ganglion.tables.encode import DROPPED, GROUP, WEIGHT, Encoder, listed
from ganglion.tables.labeled import target_names
from ganglion.tables.reading import ReadOptions
from ganglion.tables.texts import Text, as_texts
from ganglion.training.callbacks import Callback, ProgressBar, check_callbacks
from ganglion.training.optimizers import Optimizer

TARGET = "a target"
BINS = 16


@dataclass(frozen=True)
class Recipe:
    """The settings of `TableModel.train`, which documents them.

    Args:
        own: the names of the settings given that a quality level would choose itself.

    Raises:
        ConfigError: for a setting out of range.
    """

    targets: tuple[str, ...]
    own: tuple[str, ...]
    hidden: int | Sequence[int]
    activation: str
    bins: int | None
    quality: str | None
    minutes: float | None
    task: str
    dropout: float | None
    epochs: int | None
    batch_size: int | None
    optimizer: Optimizer | str
    learning_rate: float | None
    sampling: Sampling
    class_weight: str | None
    objective: Objective | None
    read: ReadOptions | None
    drop: tuple[str, ...]
    categories: tuple[str, ...]
    keep: tuple[str, ...]
    text: Text
    scaling: str
    fold_case: bool
    callbacks: Sequence[Callback]
    progress: bool
    announce: Callable[[Any], object]
    seed: int
    engine: str
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        check_integer("seed", self.seed, at_least=0, at_most=2**64 - 1)
        if self.bins is not None:
            check_integer("bins", self.bins, at_least=0, at_most=1024)
        if self.quality is not None and self.quality not in QUALITIES:
            raise ConfigError(
                f"quality must be 'fast', 'good' or 'best', got {shortened(self.quality)}",
                one_of(str(self.quality), QUALITIES),
            )
        if self.minutes is not None:
            check_number("minutes", self.minutes, above=0)
            if self.level is None:
                raise ConfigError(
                    f"minutes bounds what a quality level does, got it with {self._why_one_network}",
                    "use callbacks=[gg.TimeBudget(seconds)] for one network of your own",
                )
        if self.quality not in (None, "fast"):
            self._check_mixed(self.quality)
        for name, column in (("weight", self.sampling.weight), ("group", self.sampling.group)):
            if column in self.targets:
                raise ConfigError(f"{name} must be another column than the target, got {shortened(column)}")
        if self.class_weight not in (None, "balanced"):
            raise ConfigError(f"class_weight must be 'balanced' or None, got {shortened(self.class_weight)}")

    @property
    def level(self) -> Quality | None:
        """The quality level, None for one network with the settings of this recipe."""
        if self.own or self._beyond_mixtures:
            return None
        return QUALITIES[self.quality or "good"]

    def until(self, share: float) -> float:
        """Return when this fraction of the time left will be over; infinity without a bound."""
        now = time.perf_counter()
        end = math.inf if self.minutes is None else self.started + 60 * self.minutes
        return now + share * (end - now)

    @property
    def _why_one_network(self) -> str:
        return listed(self.own) if self.own else self._beyond_mixtures

    @property
    def most_bins(self) -> int:
        """The number of bins of a number, at most."""
        default = 0 if self.level is None else BINS
        return default if self.bins is None else self.bins

    @property
    def _beyond_mixtures(self) -> str:
        """What was asked for that only one network can do; empty if nothing."""
        if len(self.targets) > 1:
            return "several targets"
        if self.sampling.order is not None:
            return "an order"
        return "callbacks" if self.may_stop else ""

    def _check_mixed(self, quality: str) -> None:
        """Raise `ConfigError` for what a mixture decides itself, or cannot do."""
        if given := self.own:
            raise ConfigError(
                f"quality {quality!r} chooses the networks itself, got {listed(given)}",
                "leave that out, or use quality='fast'",
            )
        if what := self._beyond_mixtures:
            raise ConfigError(
                f"quality {quality!r} learns one target on folds, without an order or callbacks that "
                f"may stop a run, got {what}",
                "use quality='fast'",
            )

    @property
    def reasons(self) -> dict[str, str]:
        """The columns that are no inputs, with the reasons; the only target is none of them."""
        aside = {self.sampling.weight: WEIGHT, self.sampling.group: GROUP}
        aside.pop(None, None)
        targets = dict.fromkeys(self.targets if len(self.targets) > 1 else (), TARGET)
        return {**targets, **dict.fromkeys(self.drop, DROPPED), **aside}  # type: ignore[dict-item]

    def check_objective(self, targets: Sequence[AnyTarget]) -> None:
        """Raise `ConfigError` if a threshold cannot be chosen."""
        if self.objective is None:
            return
        check_objective(self.objective, targets)
        if not (self.sampling.folds or self.sampling.validation):
            raise ConfigError("a threshold is chosen on validation rows, and validation is 0")

    def fit_encoder(
        self, frame: pl.DataFrame, goals: Mapping[str, Array] | None = None, like: Encoder | None = None
    ) -> Encoder:
        """Return the encoder of the inputs in a frame; see `Encoder.fit`."""
        return Encoder.fit(
            frame.drop(*self.targets, *(name for name in self.reasons if name not in self.targets)),
            self.categories,
            self.scaling,
            goals=goals,
            keep=self.keep,
            text=self.text,
            fold_case=self.fold_case,
            like=like,
        )

    @property
    def may_stop(self) -> bool:
        """Whether a callback may stop the run or change its weights, and not only watch it."""
        return any(not isinstance(each, insight.HealthCheck | ProgressBar) for each in self.callbacks)


CHOSEN = ("hidden", "activation", "dropout", "epochs", "batch_size", "optimizer", "learning_rate")
DEFAULTS = {"hidden": (128, 64), "activation": "relu", "optimizer": "adamw"}


def make_recipe(settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe of the arguments of `TableModel.train`, by name, without the table."""
    given = dict(settings)
    own = tuple(name for name in CHOSEN if given[name] is not None)
    given |= {name: value for name, value in DEFAULTS.items() if given[name] is None}
    of_rows = ("weight", "group", "order", "where", "test", "validation", "folds", "repeats")
    names: dict[str, Any] = {
        name: column_names(name, given.pop(name)) for name in ("drop", "categories", "keep")
    }
    return Recipe(
        targets=target_names(given.pop("target")),
        own=own,
        sampling=Sampling(**{name: given.pop(name) for name in of_rows}),
        objective=make_objective(given.pop("optimize"), given.pop("costs"), given.pop("positive")),
        text=as_texts(given.pop("text")),
        fold_case=check_flag("fold_case", given.pop("fold_case")),
        callbacks=check_callbacks(given.pop("callbacks")),
        announce=given.pop("announce") or (lambda model: None),
        **names,
        **given,
    )
