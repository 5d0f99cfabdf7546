"""What to do with columns of texts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganglion.checks import check_flag, column_names
from ganglion.errors import ConfigError, shortened


@dataclass(frozen=True)
class Text:
    """Which columns of a table hold texts, and what is made and kept of them.

    Args:
        columns: columns to take for texts, besides those that are found: mostly different values with several
            words.
        exclude: columns not to take for texts. They are left out as names are, or are categories with `keep`.
        vectors: the path of word vectors that others have learned, in the text form of GloVe or fastText, or
            an .npz with the arrays `words` and `vectors`. The mean vector of a text's words, the rarer ones
            weighing more, becomes part of what a network learns from; the model holds the vectors of the
            training rows' words, a byte for each number.
        keep_words: whether the model keeps which n-grams of the texts are in which bucket, for
            `TableModel.telling`. By default a model holds no text.

    Raises:
        ConfigError: for anything else.

    >>> import ganglion as gg
    >>> gg.Text(["review"], keep_words=True).columns
    ('review',)
    """

    columns: Collection[str] = ()
    exclude: Collection[str] = ()
    vectors: str | Path | None = None
    keep_words: bool = False

    def __post_init__(self) -> None:
        for name in ("columns", "exclude"):
            object.__setattr__(self, name, column_names(name, getattr(self, name)))
        if both := set(self.columns) & set(self.exclude):
            raise ConfigError(f"a column is either a text or not, got {shortened(sorted(both))} in both")
        if self.vectors is not None and not isinstance(self.vectors, str | Path):
            raise ConfigError(f"vectors must be the path of a file, got {shortened(self.vectors)}")
        check_flag("keep_words", self.keep_words)


NO_TEXT = Text()  # but what is found


def as_texts(given: Any) -> Text:
    """Return what to do with texts, from an object or the names of columns."""
    return given if isinstance(given, Text) else Text(column_names("text", given))
