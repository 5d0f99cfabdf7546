"""A picture of the words that tell most of each answer."""

from __future__ import annotations

from collections.abc import Mapping

from ganglion.errors import ConfigError, shortened
from ganglion.insight.plot.drawing import BLUE, Axes, axes_or_new, check_axes

MOST_ANSWERS = 20


def words(telling: Mapping[str, Mapping[str, float]], ax: Axes | None = None) -> Axes:
    """Draw which words and pieces of words tell most of each answer: a column for each, the most at the top.

    The darker a word, the more it adds, relative to the most that any adds. "_" is the beginning or the end
    of a word.

    Args:
        telling: for each answer, its n-grams and what they add, as `TableModel.telling` returns them.
        ax: the matplotlib Axes to draw on; a new figure's by default.

    Returns:
        The axes.

    Raises:
        ConfigError: if there is no answer or there are more than 20, or `ax` is not axes.
        MissingPackageError: without matplotlib.

    >>> import matplotlib.pyplot as plt
    >>> ax = gg.plot.words({"good": {"lovely": 2.1, "fine": 0.9}, "bad": {"awful": 2.4}})
    >>> [text.get_text() for text in ax.texts]
    ['lovely', 'fine', 'awful']
    >>> plt.close(ax.figure)
    """
    if not isinstance(telling, Mapping) or not 1 <= len(telling) <= MOST_ANSWERS:
        raise ConfigError(
            f"telling must hold 1 to {MOST_ANSWERS} answers with their words, got {shortened(telling)}",
            "pass the result of model.telling(), or some of its answers",
        )
    check_axes(ax)
    rows = max(1, *(len(grams) for grams in telling.values()))
    largest = max((added for grams in telling.values() for added in grams.values()), default=0.0) or 1.0
    ax = axes_or_new(ax, height=0.25 * rows + 1)
    for place, grams in enumerate(telling.values()):
        for row, (gram, added) in enumerate(grams.items()):
            strength = max(0.5, added / largest)
            ax.text(place, row, gram, ha="center", va="center", color=BLUE, alpha=strength, clip_on=True)
    ax.set_xlim(-0.5, len(telling) - 0.5)
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_xticks(range(len(telling)), list(telling))
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set_yticks([])
    for side in ("left", "right", "bottom"):
        ax.spines[side].set_visible(False)
    return ax
