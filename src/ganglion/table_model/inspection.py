"""How a table model depends on its columns: permutation importance and partial dependence."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ganglion.answers.report import IMBALANCED
from ganglion.answers.target import ClassTarget
from ganglion.answers.values import as_text, to_numbers
from ganglion.checks import check_integer
from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, collect_notices, one_of, shortened
from ganglion.insight.dependence import Dependence, partial_dependence
from ganglion.insight.importance import Importance, permutation_importance
from ganglion.insight.surface import Surface, margins
from ganglion.insight.words import Words, without_each
from ganglion.tables.columns import Column, NumberColumn, TextColumn
from ganglion.training.metrics import METRICS

if TYPE_CHECKING:
    from ganglion.table_model.model import TableModel

# Enough rows for two digits, few enough for a fraction of a second.
IMPORTANCE_ROWS = 5000
DEPENDENCE_ROWS = 1000
EDGES = 0.05, 0.95


def column_slices(model: TableModel) -> dict[str, slice]:
    """Return the features of each column."""
    slices, first = {}, 0
    for column in model.encoder.columns:
        last = first + len(column.features)
        slices[column.column] = slice(first, last)
        first = last
    return slices


def importance(model: TableModel, frame: pl.DataFrame, repeats: int, seed: int) -> Importance:
    """Return the importance of each column; see `TableModel.importance`.

    Raises:
        ConfigError: for repetitions out of range.
        DataError: for fewer than two rows.
    """
    check_integer("repeats", repeats, at_least=1, at_most=1000)
    if frame.height < 2:
        raise DataError("an importance needs at least 2 rows with the target, got 1")
    x, y = model.encode(sampled(frame, IMPORTANCE_ROWS, seed))
    model.learned.warn_of(x, y)
    target, calibration = model.target, model.calibration
    if isinstance(target, ClassTarget):
        k = len(target.classes)
        truth = np.eye(k)[y]
        metric = "balanced_accuracy" if truth.mean(axis=0).max() > IMBALANCED else "accuracy"

        def score(outputs: Array) -> float:
            chosen = calibration.decide(calibration.probabilities(outputs))
            return METRICS[metric].measure(np.eye(k)[chosen], truth, None, "one_of")
    else:
        metric, truth = "r2", y.reshape(-1, 1)
        if not np.ptp(truth) > 0:
            raise DataError("an importance needs targets that vary, got the same number in every row")

        def score(outputs: Array) -> float:
            return METRICS["r2"].measure(outputs.astype(np.float64), truth, None, "number")

    return permutation_importance(
        model.network.predict, x, column_slices(model), score, metric, repeats, seed
    )


def answers_of(model: TableModel, rows: Array) -> Array:
    """Return the answers for encoded rows: probabilities, or numbers in the target's unit, (n, answers)."""
    outputs, target = model.network.predict(rows), model.target
    if isinstance(target, ClassTarget):
        return model.calibration.probabilities(outputs)
    return outputs.astype(np.float64) * target.scale + target.center


def used_column(model: TableModel, name: Any) -> Column:
    """Return a column that the model uses.

    Raises:
        ConfigError: if it uses no such column.
    """
    columns = {column.column: column for column in model.encoder.columns}
    if not isinstance(name, str) or name not in columns:
        reason = model.encoder.left_out.get(name) if isinstance(name, str) else None
        why = f"left out: {reason}" if reason else one_of(str(name), columns)
        raise ConfigError(f"the model uses no column {shortened(name)}", why)
    return columns[name]


def dependence(model: TableModel, frame: pl.DataFrame, name: str, points: int, seed: int) -> Dependence:
    """Return the dependence on a column; see `TableModel.dependence`.

    Raises:
        ConfigError: for a column that the model does not use, or points out of range.
        DataError: without rows.
    """
    check_integer("points", points, at_least=2, at_most=1000)
    slices, column = column_slices(model), used_column(model, name)
    if not frame.height:
        raise DataError("a dependence needs a table with at least one row, got none")
    part = sampled(frame, DEPENDENCE_ROWS, seed)
    grid = grid_of(frame.get_column(name), points, isinstance(column, NumberColumn))
    encoded, _ = column.encode(grid)
    target = model.target
    answers = model.labels or [target.column]
    x = model.encode_inputs(part)
    positive = model.calibration.positive_class(target.shares) if isinstance(target, ClassTarget) else 1

    def answer(rows: Array) -> Array:
        return answers_of(model, rows)

    return partial_dependence(answer, x, slices[name], encoded, name, grid.to_list(), answers, positive)


def surface(
    model: TableModel, frame: pl.DataFrame, columns: Any, row: int | None, resolution: int
) -> Surface:
    """Return the answers over two columns; see `TableModel.surface`."""
    found, x = surface_points(model, frame, columns, row, resolution)
    return dataclasses.replace(
        found, values=answers_of(model, x).reshape(len(found.up), len(found.across), -1)
    )


def surface_points(
    model: TableModel, frame: pl.DataFrame, columns: Any, row: int | None, resolution: int
) -> tuple[Surface, Array]:
    """Return a surface without values, and its points as rows of the network's inputs.

    Raises:
        ConfigError: for columns that the model does not use, or a setting out of range.
        DataError: without rows.
    """
    check_integer("resolution", resolution, at_least=2, at_most=500)
    if not isinstance(columns, tuple | list) or len(columns) != 2 or columns[0] == columns[1]:
        raise ConfigError(f"columns must be two different names, got {shortened(columns)}")
    if not frame.height:
        raise DataError("a surface needs a table with at least one row, got none")
    used = [column.column for column in model.encoder.columns]
    across, up = (
        axis_of(frame.get_column(column.column), resolution, isinstance(column, NumberColumn))
        for column in (used_column(model, name) for name in columns)
    )
    if row is None:
        base = frame[:1].with_columns(usual(frame.get_column(name)) for name in used)
    else:
        base = frame[check_integer("row", row, at_least=0, at_most=frame.height - 1)]
    wide, high = len(across), len(up)
    grid = base[[0] * (wide * high)].with_columns(
        across.gather(np.tile(np.arange(wide), high)).alias(columns[0]),
        up.gather(np.repeat(np.arange(high), wide)).alias(columns[1]),
    )
    with collect_notices():  # what is missing or unknown in a row is no news
        x = model.encode_inputs(grid)
    fixed = {name: base.get_column(name)[0] for name in used if name not in columns}
    answers = model.labels or [model.target.column]
    names = (columns[0], columns[1])
    return Surface(names, across.to_list(), up.to_list(), np.empty(0), answers, fixed), x


def usual(values: pl.Series) -> pl.Series:
    """Return one value that stands for a column: the mean of numbers, the most frequent of others."""
    there = values.drop_nulls()
    if not len(there):
        return values[:1]
    if values.dtype.is_numeric():
        return pl.Series(values.name, [there.mean()], dtype=pl.Float64)
    return there.mode().sort()[:1]


def axis_of(values: pl.Series, resolution: int, numeric: bool) -> pl.Series:
    """Return the values along one side of a surface: evenly spaced numbers, or the values of others."""
    numbers = to_numbers(values).drop_nulls() if numeric else values.drop_nulls()
    if numeric and len(numbers):
        return pl.Series(values.name, margins(numbers.to_numpy().astype(np.float64), resolution))
    return grid_of(values, resolution, numeric).drop_nulls().sort() if len(numbers) else values[:1]


def grid_of(values: pl.Series, points: int, numeric: bool) -> pl.Series:
    """Return the values of a column to try.

    These are quantiles of numbers and dates, from 0.05 to 0.95, or all values if they are few; of words, the
    most frequent ones, and missing if any is.
    """
    if numeric:
        values = to_numbers(values)
    elif values.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Boolean):
        counts = values.alias("value").value_counts(name="count")
        counts = counts.sort(["count", "value"], descending=[True, False], nulls_last=True)
        return counts.get_column("value").head(points)
    distinct = values.drop_nulls().unique().sort()
    if len(distinct) <= points:
        return distinct if len(distinct) else values.head(1)
    ordered = values.drop_nulls().sort()
    places = np.linspace(*EDGES, points) * (len(ordered) - 1)
    return ordered.gather(np.unique(places.round().astype(np.int64))).unique().sort()


def words(model: TableModel, single: pl.DataFrame) -> list[Words]:
    """Return what the words of one row's texts add to its answer; see `TableModel.words`."""
    texts = {
        column.column: as_text(single.get_column(column.column))[0]
        for column in model.encoder.columns
        if isinstance(column, TextColumn)
    }
    found = list[Words]()
    if not texts:
        return found
    with collect_notices():  # what is unknown without a word is no news
        answer = model.predict(single)
        name, what, target = "prediction", model.target.column, model.target
        if isinstance(target, ClassTarget):
            label = target.label(target.classes.index(answer["prediction"][0]))
            name, what = f"probability_{label}", f"probability of {label}"
        value = float(answer[name][0])
        for column, text in texts.items():
            if text is None:
                continue
            less = without_each(text)
            tried = single[[0] * len(less)].with_columns(
                pl.Series(column, list(less.values()), dtype=pl.String)
            )
            numbers = model.predict(tried)[name].to_list() if less else []
            changes = {word: value - float(number) for word, number in zip(less, numbers, strict=True)}
            ordered = dict(sorted(changes.items(), key=lambda pair: -abs(pair[1])))
            found.append(Words(column, text, what, value, ordered))
    return found


def telling(
    model: TableModel, column: str | None, frame: pl.DataFrame | None, count: int
) -> dict[str, dict[str, float]]:
    """Return the n-grams that tell most of each answer; see `TableModel.telling`."""
    texts = {each.column: each for each in model.encoder.columns if isinstance(each, TextColumn)}
    if column is None and len(texts) == 1:
        (column,) = texts
    if column not in texts:
        raise ConfigError(
            f"column must be one of texts, got {shortened(column)}",
            "there is " + (", ".join(texts) or "no column of texts in the model"),
        )
    chosen = texts[column]
    if frame is None and not chosen.learned.grams:
        raise ConfigError(
            "the model does not keep n-grams, so a table with texts is needed",
            "pass table=, or train with text=gg.Text(keep_words=True) (--keep-words)",
        )
    names = None
    if frame is not None:
        names = chosen.named(as_text(frame.get_column(column)).drop_nulls().to_list())
    found, target, goals = chosen.telling(names), model.target, list(chosen.goals)
    added = found.select(goals).to_numpy()
    if isinstance(target, ClassTarget):
        answers = [target.label(place) for place in range(len(target.classes))]
    else:
        answers = ["low", "high"]
    if len(goals) == 1:  # the second of two answers, or a number
        added = np.column_stack([-added, added])
    else:
        answers, added = goals, added - added.mean(axis=1, keepdims=True)
    grams = found["gram"].to_list()
    return {answer: _most(grams, own, count) for answer, own in zip(answers, added.T, strict=True)}


def _most(grams: list[str], added: Array, count: int) -> dict[str, float]:
    """Return the n-grams that add most, none of them a part of another."""
    found: dict[str, float] = {}
    for place in np.argsort(-added, kind="stable"):
        if len(found) == count or added[place] <= 0:
            break
        bare = grams[place].strip("_")
        if not any(bare in other or other.strip("_") in bare for other in found):
            found[grams[place]] = float(added[place])
    return found


def sampled(frame: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    """Return at most so many rows of a table, chosen at random, in order."""
    if frame.height <= most:
        return frame
    rows: Any = np.sort(np.random.default_rng(seed).choice(frame.height, most, replace=False))
    return frame[rows]
