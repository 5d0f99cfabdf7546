"""A picture of what several learners reach on the same folds of a table."""

from __future__ import annotations

import statistics

from ganglion.answers.comparison import Comparison
from ganglion.answers.report import metric_label
from ganglion.errors import ConfigError, shortened
from ganglion.insight.plot.drawing import BLUE, GRAY, Axes, axes_or_new, check_axes


def comparison(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """Draw how well each learner does: a dot for each fold, a mark at their mean, and the seconds it took.

    The best stands at the top; better is to the left. Learners of ganglion are blue.

    Args:
        comparison: returned by `gg.compare`.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: if `comparison` is not a `Comparison`, or `ax` is not axes.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> heights = [150, 155, 160, 180, 185, 190] * 10
    >>> table = {"height": heights, "size": ["S" if h < 170 else "L" for h in heights]}
    >>> ax = gg.plot.comparison(gg.compare(table, "size", ["ganglion fast"]))
    >>> ax.get_xlabel()
    'log loss'
    >>> plt.close(ax.figure)
    """
    if not isinstance(comparison, Comparison):
        raise ConfigError(
            f"comparison must be a Comparison, got {shortened(comparison)}",
            "pass the result of gg.compare(table, target)",
        )
    check_axes(ax)
    names, metric = comparison.ranking, comparison.metric
    ax = axes_or_new(ax, height=max(2.0, 0.36 * len(names) + 1.2))
    for place, name in enumerate(names):
        values = comparison.metrics[name][metric]
        color = BLUE if name.startswith("ganglion") else GRAY
        ax.plot(values, [place] * len(values), "o", color=color, alpha=0.45, markeredgewidth=0)
        ax.plot(statistics.fmean(values), place, "|", color=color, markersize=16, markeredgewidth=3)
    seconds = [f"{statistics.fmean(comparison.seconds[name]):.2g}" for name in names]
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel(metric_label(metric))
    right = ax.secondary_yaxis("right")
    right.set_yticks(range(len(names)), [f"{each} s" for each in seconds])
    right.tick_params(length=0)
    right.set_ylabel("to learn one fold")
    ax.set_title(f"{comparison.target}: {len(comparison.metrics[names[0]][metric])} folds of the same rows")
    return ax
