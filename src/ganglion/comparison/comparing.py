"""Lets ganglion's quality levels and other learners learn the same folds of a table."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from ganglion.answers.calibration import TINY
from ganglion.answers.comparison import Comparison
from ganglion.answers.reliability import Reliability
from ganglion.answers.splits import Divisible, Split, fold_splits, joined
from ganglion.answers.target import ClassTarget, fit_target
from ganglion.checks import check_integer, column_names
from ganglion.comparison.peers import PEERS, Lesson, Peer
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, collect_notices, one_of, shortened
from ganglion.heads import AnyTarget
from ganglion.optional import load
from ganglion.table_model import TableModel
from ganglion.tables.copies import find_copies
from ganglion.tables.encode import Encoder, require_column
from ganglion.tables.labeled import labeled_rows
from ganglion.tables.reading import ReadOptions, open_table

OWN = {f"ganglion {quality}": quality for quality in ("fast", "good", "best")}
LEAST = 1e-7  # of a probability, so that one certain error does not decide
LONGEST_REASON = 200
DEFAULT = ("ganglion fast", "ganglion good")


def compare(
    table: Any,
    target: str,
    learners: Sequence[str] | None = None,
    *,
    folds: int = 3,
    task: str = "auto",
    group: str | None = None,
    where: str | None = None,
    drop: Collection[str] = (),
    categories: Collection[str] = (),
    keep: Collection[str] = (),
    read: ReadOptions | None = None,
    seed: int = 0,
    announce: Callable[[str], object] | None = None,
) -> Comparison:
    """Compare how well ganglion and other learners predict one column of a table from the others.

    All have their own default settings and see the same rows: each fold is answered by a model that learned
    from the other folds. Copies of a row are never separated.

    Args:
        table: anything that `TableModel.train` takes.
        target: the name of the column to predict.
        learners: names of those to compare; by default "ganglion fast", "ganglion good" and whatever is
            installed of "LightGBM", "CatBoost", "XGBoost", and scikit-learn's "histogram gradient boosting",
            "random forest" and "linear". There are also "ganglion best" and, of pytabkit, "RealMLP-TD",
            "RealMLP-TD-S" and "TabM".
        folds: the number of folds, 3 by default.
        task: "classification" or "regression"; "auto" infers it from the target.
        group: a column whose equal values keep rows together; it is not an input.
        where: a condition in SQL that rows must satisfy.
        drop: columns to ignore.
        categories: columns of numbers to treat as categories.
        keep: columns to use although they look like row numbers, identifiers or names.
        read: how the table is to be read, where it must not be found from the table itself.
        seed: determines the folds and everything else random.
        announce: called with the name of each learner before it learns.

    Raises:
        FileError: if the file cannot be read.
        DataError: if the table cannot be learned from; the message gives the remedy.
        ConfigError: for an unknown learner, or one given that is not installed.

    >>> heights = [150, 155, 160, 180, 185, 190] * 10
    >>> table = {"height": heights, "size": ["S" if h < 170 else "L" for h in heights]}
    >>> found = gg.compare(table, "size", ["ganglion fast"])
    >>> found.metrics["ganglion fast"]["accuracy"]
    [1.0, 1.0, 1.0]
    """
    chosen = _chosen(learners)
    check_integer("folds", folds, at_least=2, at_most=100)
    check_integer("seed", seed, at_least=0, at_most=2**32 - 1)
    dropped = column_names("drop", drop)
    columns = Columns(
        target, dropped, column_names("categories", categories), column_names("keep", keep), group
    )
    opened = open_table(table, read, targets=(target,))
    for name in dropped:
        require_column(opened.frame, name)
    rows = labeled_rows(opened.frame, [target], where=where, group=group)
    goal = fit_target(rows.frame.get_column(target), task)
    contest = Contest(rows.frame, columns, goal, columns.encoder(rows.frame), seed)
    splits = fold_splits(contest.divisible(rows.groups), folds, 1, seed)
    if not splits:
        raise DataError(f"{rows.frame.height} rows cannot be divided into {folds} folds")
    metrics, seconds, failed = dict[str, dict[str, list[float]]](), dict[str, list[float]](), dict[str, str]()
    for name in chosen:
        if announce is not None:
            announce(name)
        try:
            trials = [contest.trial(name, split) for split in splits]
        except Exception as error:  # one learner's trouble must not lose what the others have said
            failed[name] = " ".join(str(error).split())[:LONGEST_REASON] or type(error).__name__
            continue
        seconds[name] = [trial.seconds for trial in trials]
        metrics[name] = {metric: [trial.metrics[metric] for trial in trials] for metric in trials[0].metrics}
    if not metrics:
        raise DataError(f"no learner could learn the table: {next(iter(failed.values()))}")
    absent = sorted({peer.install for peer in PEERS.values() if not (peer.is_installed or peer.slow)})
    return Comparison(target, rows.frame.height, metrics, seconds, absent, failed)


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are to all learners."""

    target: str
    drop: tuple[str, ...]
    categories: tuple[str, ...]
    keep: tuple[str, ...]
    group: str | None

    def __post_init__(self) -> None:
        for what, others in (("dropped", self.drop), ("the group", (self.group,))):
            if self.target in others:
                raise ConfigError(f"the target {self.target!r} must not be {what}")

    def encoder(self, frame: pl.DataFrame, like: Encoder | None = None) -> Encoder:
        """Return the encoder of the inputs of some rows."""
        aside = {self.target, *self.drop, *([] if self.group is None else [self.group])}
        return Encoder.fit(frame.drop(aside), self.categories, keep=self.keep, like=like)


@dataclass(frozen=True)
class Trial:
    """What one learner reaches on one fold.

    Args:
        metrics: by name.
        seconds: to learn and to answer.
        model: the table model, None for another learner.
    """

    metrics: dict[str, float]
    seconds: float
    model: TableModel | None = None


@dataclass(frozen=True)
class Contest:
    """A table and what all learners predict in it.

    Args:
        frame: the rows with a target.
        columns: what they are.
        goal: the target, fitted on all rows.
        encoder: of all rows.
        seed: determines everything random.
    """

    frame: pl.DataFrame
    columns: Columns
    goal: AnyTarget
    encoder: Encoder
    seed: int

    @cached_property
    def y(self) -> Array:
        """The number of each row's class, or its target."""
        encoded = self.goal.encode(self.frame.get_column(self.columns.target))
        if isinstance(self.goal, ClassTarget):
            return encoded
        return encoded * self.goal.scale + self.goal.center

    def divisible(self, groups: Array | None) -> Divisible:
        """Return what the folds have to respect."""
        copies = find_copies(self.frame.select(column.column for column in self.encoder.columns))
        blocks = [labels for labels in (groups, copies) if labels is not None]
        classes = self.y if isinstance(self.goal, ClassTarget) else None
        return Divisible(self.frame.height, classes, joined(*blocks) if blocks else None)

    def trial(self, name: str, split: Split) -> Trial:
        """Let a learner learn and answer one fold."""
        if name in PEERS:
            load(PEERS[name].package)  # takes seconds, which are not learning
        learned, asked = self.frame[split.train], self.frame[split.test]
        model, started = None, time.perf_counter()
        if name in OWN:
            model = self._learn(learned, OWN[name])
            answer = self._answers(model, asked)
        else:
            answer = self._peer(learned, asked, self.y[split.train], PEERS[name])
        seconds = time.perf_counter() - started
        return Trial(self._scores(self.y[split.test], answer), seconds, model)

    def _learn(self, learned: pl.DataFrame, quality: str) -> TableModel:
        """Return the model of a quality level."""
        columns = self.columns
        with collect_notices():
            model: TableModel = TableModel.train(
                learned,
                columns.target,
                quality=quality,
                task=self.goal.task,
                test=0,
                group=columns.group,
                drop=columns.drop,
                categories=columns.categories,
                keep=columns.keep,
                seed=self.seed,
            )
        return model

    def _answers(self, model: TableModel, asked: pl.DataFrame) -> Array:
        """Return what a model answers: numbers, (n,), or the probabilities of all classes."""
        with collect_notices():
            found = model.predict(asked)
        if not isinstance(self.goal, ClassTarget):
            return found["prediction"].to_numpy()
        answer = np.zeros((asked.height, len(self.goal.classes)))
        for label in model.labels or ():  # a fold may lack a class
            answer[:, self.goal.labels.index(label)] = found[f"probability_{label}"].to_numpy()
        return answer

    def _peer(self, learned: pl.DataFrame, asked: pl.DataFrame, y: Array, peer: Peer) -> Array:
        """Return what another learner answers, as `_answers` does."""
        encoder = self.columns.encoder(learned, like=self.encoder)
        if not isinstance(self.goal, ClassTarget):
            return peer.answer(Lesson(encoder, learned, asked, y, False, self.seed))
        present, numbers = np.unique(y, return_inverse=True)
        answer = np.zeros((asked.height, len(self.goal.classes)))
        answer[:, present] = peer.answer(Lesson(encoder, learned, asked, numbers, True, self.seed))
        return answer

    def _scores(self, truth: Array, answer: Array) -> dict[str, float]:
        """Return the metrics of answers."""
        if not isinstance(self.goal, ClassTarget):
            squares = float(np.mean((answer - truth) ** 2))
            return {"rmse": math.sqrt(squares), "r2": 1 - squares / max(float(truth.var()), TINY)}
        said, alike = answer[np.arange(len(truth)), truth], np.ones(len(truth))
        return {
            "log_loss": float(-np.log(np.clip(said, LEAST, 1)).mean()),
            "accuracy": float((answer.argmax(axis=1) == truth).mean()),
            "calibration_error": Reliability.measure(answer, truth, alike, self.goal.labels).error,
        }


def _chosen(learners: Sequence[str] | None) -> list[str]:
    """Return the names of the learners, after checking them."""
    if learners is None:
        return [*DEFAULT, *(name for name, peer in PEERS.items() if peer.is_installed and not peer.slow)]
    known = [*OWN, *PEERS]
    if not learners:
        raise ConfigError("learners must be names of learners, got none", one_of("", known))
    for name in learners:
        if name not in known:
            raise ConfigError(f"there is no learner {shortened(name)}", one_of(str(name), known))
        if name in PEERS and not PEERS[name].is_installed:
            raise ConfigError(
                f"{name} needs a package that is not installed", f"pip install {PEERS[name].install}"
            )
    return list(dict.fromkeys(learners))
