"""Pictures of a table model's columns and probabilities: importance, dependence, reliability."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ganglion.answers.report import Report
from ganglion.errors import ConfigError, DataError, shortened
from ganglion.insight.dependence import Dependence, label
from ganglion.insight.importance import Importance
from ganglion.insight.plot.drawing import (
    BLUE,
    GRAY,
    ORANGE,
    Axes,
    axes_or_new,
    check_axes,
    class_color,
    title,
)


def importance(importance: Importance, ax: Axes | None = None) -> Axes:
    """Draw the importance of each column as a bar, with its spread.

    Args:
        importance: returned by `TableModel.importance`.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: if `importance` is not an `Importance`, or `ax` is not axes.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> table = {"a": [0, 1] * 50, "b": [0, 0, 1] * 33 + [0], "t": ["no", "yes"] * 50}
    >>> model = gg.TableModel.train(table, "t", epochs=30)
    >>> ax = gg.plot.importance(model.importance(table))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['a', 'b']
    >>> plt.close(ax.figure)
    """
    if not isinstance(importance, Importance):
        raise ConfigError(
            f"importance must be an Importance, got {shortened(importance)}",
            "pass the result of model.importance(table)",
        )
    check_axes(ax)
    count = len(importance.columns)
    ax = axes_or_new(ax, height=max(2.0, 0.3 * count + 1.2))
    colors = [BLUE if mean > 0 else ORANGE for mean in importance.means]
    ax.barh(range(count), importance.means, xerr=importance.spreads, color=colors, ecolor=GRAY, capsize=3)
    ax.set_yticks(range(count), importance.columns)
    ax.invert_yaxis()
    ax.axvline(0, color=GRAY, linewidth=0.8)
    ax.set_xlabel(f"fall of the {importance.metric.replace('_', ' ')} when the column is shuffled")
    return ax


def dependence(dependence: Dependence, ax: Axes | None = None) -> Axes:
    """Draw the mean answer for each value of a column; the band holds 8 of 10 rows.

    Args:
        dependence: returned by `TableModel.dependence`.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: if `dependence` is not a `Dependence`, or `ax` is not axes.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> table = {"a": [0.1 * i for i in range(60)], "t": [0.2 * i for i in range(60)]}
    >>> model = gg.TableModel.train(table, "t", epochs=30)
    >>> ax = gg.plot.dependence(model.dependence(table, "a"))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('a', 'mean prediction of t')
    >>> plt.close(ax.figure)
    """
    if not isinstance(dependence, Dependence):
        raise ConfigError(
            f"dependence must be a Dependence, got {shortened(dependence)}",
            "pass the result of model.dependence(table, column)",
        )
    check_axes(ax)
    ax = axes_or_new(ax)
    shown, values = dependence.shown, dependence.values
    continuous = all(isinstance(v, int | float | datetime.date) and not isinstance(v, bool) for v in values)
    places = values if continuous else range(len(values))
    means, low, high = (np.array(each) for each in (dependence.means, dependence.low, dependence.high))
    for number in shown:
        color = BLUE if len(shown) == 1 else class_color(number, len(dependence.answers))
        ax.plot(
            places,
            means[:, number],
            color=color,
            marker="o",
            linestyle="-" if continuous else "",
            label=dependence.answers[number],
        )
        if len(shown) == 1 and continuous:
            ax.fill_between(places, low[:, number], high[:, number], color=color, alpha=0.15, linewidth=0)
        elif len(shown) == 1:
            ax.vlines(places, low[:, number], high[:, number], color=color, alpha=0.4)
    if not continuous:
        ax.set_xticks(range(len(values)), map(label, values), rotation=30 if len(values) > 5 else 0)
    ax.set_xlabel(dependence.column)
    what = "probability" if len(dependence.answers) > 1 else "prediction"
    ax.set_ylabel(f"mean {what}" + (f" of {dependence.answers[shown[0]]}" if len(shown) == 1 else ""))
    if len(shown) > 1:
        ax.legend(fontsize=9)
    return ax


def bins(name: str, edges: Sequence[float], values: Any = None, ax: Axes | None = None) -> Axes:
    """Draw the bins of one column of numbers: how full each is as the number grows.

    Args:
        name: of the column.
        edges: of its bins, as `TableModel.bins` has them.
        values: of the column in some rows, drawn as a histogram behind; None (default) for no histogram.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: if there are fewer than two edges, or `ax` is not axes.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> ax = gg.plot.bins("age", [18, 25, 40, 90], values=[19, 22, 24, 31, 38, 55, 80])
    >>> ax.get_xlabel(), len(ax.get_lines())
    ('age', 3)
    >>> plt.close(ax.figure)
    """
    found = np.array(list(edges), float)
    if len(found) < 2:
        raise ConfigError(f"edges must be at least two numbers, got {shortened(edges)}")
    check_axes(ax)
    ax = axes_or_new(ax, height=3.0)
    if values is not None:
        counts, cuts = np.histogram(np.asarray(values, float), bins=40, range=(found[0], found[-1]))
        heights = counts / max(int(counts.max()), 1)
        ax.bar(cuts[:-1], heights, np.diff(cuts), align="edge", color=GRAY, alpha=0.25, linewidth=0)
    for number, (low, high) in enumerate(pairwise(found)):
        color = (BLUE, ORANGE)[number % 2]
        ax.plot([found[0], low, high, found[-1]], [0, 0, 1, 1], color=color, linewidth=1)
    ax.set_xlabel(name)
    ax.set_ylabel("how full each bin is")
    return ax


def reliability(report: Report, ax: Axes | None = None) -> Axes:
    """Draw how often what was predicted happened, against the predicted probability.

    Points on the diagonal are right; below it, probabilities are too high. The area of a point is
    proportional to its rows.

    Args:
        report: of a classification: `model.report`, or returned by `TableModel.evaluate`.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: if `report` is not a report, or `ax` is not axes.
        DataError: if the report has no probabilities.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> table = {"a": [0, 1] * 100, "t": ["no", "yes"] * 100}
    >>> ax = gg.plot.reliability(gg.TableModel.train(table, "t", epochs=10).report)
    >>> ax.get_xlabel()
    'mean probability of yes'
    >>> plt.close(ax.figure)
    """
    if not isinstance(report, Report):
        raise ConfigError(f"report must be a report, got {shortened(report)}", "such as model.report")
    if report.reliability is None:
        raise DataError("a reliability curve needs a report on classes with finite probabilities")
    check_axes(ax)
    found = report.reliability
    ax = axes_or_new(ax, 5.2, 5.0)
    said, happened, rows = np.array(found.bins).T
    ax.plot([0, 1], [0, 1], color=GRAY, linestyle=":", linewidth=1.2)
    ax.plot(said, happened, color=BLUE, linewidth=1)
    ax.scatter(said, happened, s=20 + 180 * rows / rows.max(), color=BLUE)
    ax.set_xlim(-0.03, 1.03)
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel(f"mean probability of {found.of or 'the prediction'}")
    ax.set_ylabel("how often it was so")
    title(ax, f"calibration error {found.error:.3f}, Brier score {found.brier:.3g}")
    return ax
