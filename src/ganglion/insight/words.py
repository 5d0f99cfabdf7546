"""What each word of a text adds to an answer: the answer with the word, less the answer without it."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ganglion.text.grams import normalized, places_of, words_of

BAR = 20
MOST_SHOWN = 12
MOST_WORDS = 500  # that are tried
MOST_CHARACTERS = 5_000_000  # of the texts that are tried


@dataclass(frozen=True)
class Words:
    """What each word of a text adds to an answer.

    Attributes:
        column: the column of the text.
        text: the text itself.
        answer: what the numbers are, such as "probability of yes".
        value: the answer with all words.
        changes: for each word that was tried, in lower case, the answer less the answer without all places of
            this word; the largest first. Words that depend on each other need not add up.
    """

    column: str
    text: str
    answer: str
    value: float
    changes: Mapping[str, float]

    def __str__(self) -> str:
        lines = [f"words of {self.column}: {self.answer}, {self.value:.6g}, less that without the word"]
        shown = list(self.changes.items())[:MOST_SHOWN]
        width = max((len(word) for word, _ in shown), default=0)
        largest = max((abs(change) for _, change in shown), default=0) or 1.0
        for word, change in shown:
            bar = ("+" if change > 0 else "-") * round(BAR * abs(change) / largest)
            lines.append(f"  {word:<{width}}  {change:>+12.6f}  {bar}".rstrip())
        if more := len(self.changes) - len(shown):
            lines.append(f"  and {more:,} more words")
        return "\n".join(lines)

    def pieces(self) -> Iterator[tuple[str, float]]:
        """Yield the text in pieces, each with what its word adds from -1 to 1, relative to the largest."""
        largest = max(map(abs, self.changes.values()), default=0) or 1.0
        end = 0
        for start, stop in places_of(self.text):
            yield self.text[end:start], 0.0
            yield self.text[start:stop], self.changes.get(_plain(self.text[start:stop]), 0.0) / largest
            end = stop
        yield self.text[end:], 0.0

    def to_html(self) -> str:
        """Return the text as HTML, green where a word adds to the answer and red where it takes from it."""
        parts = []
        for piece, share in self.pieces():
            color = f"rgba({'0,140,70' if share > 0 else '200,40,40'},{abs(share):.2f})"
            shown = html.escape(piece)
            parts.append(f'<span style="background:{color}">{shown}</span>' if abs(share) >= 0.01 else shown)
        title = html.escape(f"{self.column}: {self.answer} {self.value:.6g}")
        return f'<h2>{title}</h2>\n<p style="white-space:pre-wrap">{"".join(parts)}</p>'

    def to_dict(self) -> dict[str, Any]:
        """Return the words as plain JSON data."""
        return vars(self) | {"changes": dict(self.changes)}


def words_page(found: Iterable[Words]) -> str:
    """Return a page of HTML with texts, colored by what their words add."""
    head = '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Words</title></head><body>'
    return "\n".join([head, *(each.to_html() for each in found), "</body></html>\n"])


def without_each(text: str) -> dict[str, str]:
    """Return, for each word of a text, the text without it.

    >>> without_each("Good, very good")["good"]
    ' , very  '
    """
    places: dict[str, list[tuple[int, int]]] = {}
    most = min(MOST_WORDS, max(1, MOST_CHARACTERS // max(1, len(text))))
    for start, stop in places_of(text):
        word = _plain(text[start:stop])
        if word in places or len(places) < most:
            places.setdefault(word, []).append((start, stop))
    found = {}
    for word, own in places.items():
        ends, starts = [0, *(stop for _, stop in own)], [*(start for start, _ in own), len(text)]
        found[word] = " ".join(text[end:start] for end, start in zip(ends, starts, strict=True))
    return found


def _plain(word: str) -> str:
    """Return a word as it is counted."""
    return "".join(part for part, _ in words_of(normalized(word)))
