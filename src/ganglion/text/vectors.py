"""Word vectors that others have learned: the text form of GloVe and fastText, or .npz."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from ganglion.core.part import Array
from ganglion.errors import DataError, FileError
from ganglion.text.grams import Grams

AT_ONCE = 20_000
MOST_UNITS = 4096
REMEDY = "each line is a word and its numbers, separated by blanks; or give an .npz with words and vectors"


def read_vectors(path: str | Path, words: Grams, wanted: Array) -> tuple[Array, Array]:
    """Return the buckets of single words, ascending, and their vectors, for those that are wanted.

    A text file is read line by line, so that it may be larger than the memory. A first line with two whole
    numbers, as fastText writes it, is skipped. Of words that share a bucket, such as a word in lower and in
    upper case, the first counts: the more frequent one.

    Args:
        path: of a file of lines, or an .npz with the arrays `words` and `vectors`.
        words: n-grams of one word.
        wanted: the buckets of words that occur.

    Raises:
        FileError: if the file cannot be read.
        DataError: if a line does not hold as many finite numbers as the others, or no word occurs.
    """
    path, found = Path(path), dict[int, Array]()
    pairs = _archived(path) if path.suffix == ".npz" else _lines(path)
    units = 0
    while some := list(islice(pairs, AT_ONCE)):
        bags = words.count([word for _, word, _ in some])
        for at in np.flatnonzero(np.diff(bags.offsets) == 1):
            number, word, numbers = some[at]
            bucket = int(bags.indices[bags.offsets[at]])
            if bucket in found or not np.isin(bucket, wanted):
                continue
            try:
                vector = np.array(numbers.split() if isinstance(numbers, bytes) else numbers, np.float32)
            except ValueError:
                vector = np.zeros(0, np.float32)
            units = units or min(vector.size, MOST_UNITS)
            if not vector.size or vector.size != units or not np.isfinite(vector).all():
                raise DataError(
                    f"{path.name} must hold {units or 'some'} numbers for each word, got {vector.size} in "
                    f"line {number}, for {word!r}",
                    REMEDY,
                )
            found[bucket] = vector
    if not found:
        raise DataError(f"no word of the texts has a vector in {path.name}", REMEDY)
    buckets = sorted(found)
    return np.array(buckets), np.stack([found[bucket] for bucket in buckets])


def _lines(path: Path) -> Iterator[tuple[int, str, bytes | Array]]:
    """Yield the number of each line, its word, and its numbers as text."""
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                word, _, numbers = line.strip().partition(b" ")
                if number == 1 and word.isdigit() and numbers.isdigit():
                    continue
                yield number, word.decode("utf-8", "replace"), numbers
    except OSError as error:
        raise FileError(f"{path} could not be read: {error.strerror}") from error


def _archived(path: Path) -> Iterator[tuple[int, str, bytes | Array]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            words, vectors = stored["words"], stored["vectors"]
    except OSError as error:
        raise FileError(f"{path} could not be read: {error.strerror or error}") from error
    except (KeyError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise DataError(f"{path.name} must hold the arrays words and vectors: {error}") from error
    if words.dtype.kind != "U" or vectors.ndim != 2 or words.shape != vectors.shape[:1]:
        raise DataError(f"{path.name} must hold words as text, and a row of vectors for each")
    yield from zip(range(1, len(words) + 1), words.tolist(), vectors, strict=True)
