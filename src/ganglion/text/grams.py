"""N-grams of texts, counted in numbered buckets: this page is the definition, `native/text.hpp` the fast way.

A text is brought to lower case and to Unicode's composed form (NFC). Runs of letters, digits and marks are
words, each sign of punctuation is a word of its own, and any white space is one gap. The n-grams of words are
n neighbors; the n-grams of characters lie inside one word, with a mark before and one after it. A link, an
address or a number is cut at its signs as other text is.

Each n-gram is hashed to one of 2^bits buckets, so that no list of words has to be kept, and a text that was
made to collide can do no more than to fill one bucket. Weinberger et al., "Feature hashing for large scale
multitask learning", ICML 2009.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ganglion.checks import check_flag, check_integer
from ganglion.core.bags import Bags
from ganglion.engines import native_module
from ganglion.text.letters import NOTHING, SIGN, WORD, letters

# FNV-1a over code points (Fowler, Noll and Vo), and a last multiplication that spreads them over the buckets.
BASIS, PRIME, MIXER, MASK = 0xCBF29CE484222325, 0x100000001B3, 0x9E3779B97F4A7C15, 2**64 - 1
WORDS, CHARACTERS = 1, 2  # what a hash begins with
BEGIN, END, BLANK = "\x02", "\x03", " "
MOST_LENGTH = 8


@dataclass(frozen=True)
class Grams:
    """Which n-grams are counted.

    Args:
        characters: whether they are of characters inside a word, and not of words.
        least, most: their lengths.
        bits: they fall into 2^bits buckets; 18 by default.

    >>> Grams(characters=False, least=1, most=2).of("Good, good!")
    ['good', 'good ,', ',', ', good', 'good', 'good !', '!']
    """

    characters: bool
    least: int
    most: int
    bits: int = 18

    def __post_init__(self) -> None:
        check_flag("characters", self.characters)
        check_integer("least", self.least, at_least=1, at_most=MOST_LENGTH)
        check_integer("most", self.most, at_least=self.least, at_most=MOST_LENGTH)
        check_integer("bits", self.bits, at_least=1, at_most=22)

    @property
    def buckets(self) -> int:
        """The number of buckets."""
        return int(2**self.bits)

    def of(self, text: str) -> list[str]:
        """Return the n-grams of a text, in order; those of characters with the marks of a word's ends."""
        words = list(words_of(normalized(text)))
        if self.characters:
            marked = [BEGIN + word + END for word, sign in words if not sign]
            return [gram for word in marked for gram in self._runs(word, "")]
        return list(self._runs([word for word, _ in words], BLANK))

    def _runs(self, units: Sequence[str], between: str) -> Iterator[str]:
        for first in range(len(units)):
            for length in range(self.least, min(self.most, len(units) - first) + 1):
                yield between.join(units[first : first + length])

    def bucket(self, gram: str) -> int:
        """Return the bucket of an n-gram.

        >>> Grams(characters=False, least=1, most=2).bucket("good")
        10484
        """
        found = BASIS
        for point in (CHARACTERS if self.characters else WORDS, *map(ord, gram)):
            found = (found ^ point) * PRIME & MASK
        return int(((found ^ found >> 32) * MIXER & MASK) >> (64 - self.bits))

    def count(self, texts: Sequence[str]) -> Bags:
        """Return the buckets of each text, in the order in which they first occur, weighted by how often."""
        return self._listed(texts, in_order=False)

    def in_order(self, texts: Sequence[str]) -> Bags:
        """Return the buckets of each text in order, each with weight 1 as often as it occurs."""
        return self._listed(texts, in_order=True)

    def _listed(self, texts: Sequence[str], in_order: bool) -> Bags:
        module = native_module()
        if module is None:
            return self._counted(texts, in_order)
        encoded = [normalized(text).encode("utf-8") for text in texts]
        ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
        buckets, counts, offsets = module.count_grams(
            b"".join(encoded), ends, letters(), self.characters, self.least, self.most, self.bits, in_order
        )
        return Bags(buckets, offsets, counts)

    def _counted(self, texts: Iterable[str], in_order: bool = False) -> Bags:
        buckets, times, offsets = list[int](), list[int](), [0]
        for text in texts:
            found = [self.bucket(gram) for gram in self.of(text)]
            counts = Counter(found)
            buckets += found if in_order else counts
            times += [1] * len(found) if in_order else counts.values()
            offsets.append(len(buckets))
        return Bags(np.array(buckets, np.int64), offsets, np.array(times, np.float32))


def normalized(text: str) -> str:
    """Return a text in lower case and composed form; what stands for half a character becomes "?".

    >>> normalized("Ünı́code") == "ünı́code"
    True
    """
    if text.isascii():
        return text.lower()
    found = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    return found.encode("utf-8", "replace").decode("utf-8")


def places_of(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each word of a text starts and stops, and each sign.

    >>> [("Not good!")[start:stop] for start, stop in places_of("Not good!")]
    ['Not', 'good', '!']
    """
    classes, begin = letters(), 0
    is_open = False
    for at, kind in enumerate(classes[ord(character)] for character in text):
        if is_open and kind not in (WORD, NOTHING):
            yield begin, at
            is_open = False
        if kind == WORD and not is_open:
            begin, is_open = at, True
        elif kind == SIGN:
            yield at, at + 1
    if is_open:
        yield begin, len(text)


def words_of(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the words of a normalized text, each with whether it is a sign."""
    classes, word = letters(), list[str]()
    for character in text:
        kind = classes[ord(character)]
        if kind == NOTHING:
            continue
        if word and kind != WORD:
            yield "".join(word), False
            word.clear()
        if kind == WORD:
            word.append(character)
        elif kind == SIGN:
            yield character, True
    if word:
        yield "".join(word), False
