"""All pictures, decoded once: bytes in memory or, if they are many, in a file that removes itself."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.part import Array, Shape
from ganglion.errors import DataError, FileError, amount, notice
from ganglion.images.decoding import Fitting, Header, decode, quiet, read_header
from ganglion.images.places import LeftOut, Reader, UnreadableError
from ganglion.images.sources import Pictures

MEMORY = 2**30  # bytes: 20,000 colored pictures of 128 × 128 take 0.98 · 10⁹
SAMPLE = 2_000  # pictures whose sizes decide the size of all
LARGEST_DEFAULT = 128
CHUNK = 32  # pictures that a thread decodes in one go
MOST_THREADS = 8
LISTED = 3

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Store:
    """Decoded pictures.

    Args:
        images: bytes of shape (n, height, width, channels). If they lie in a file, it has no name: it
            vanishes with the array, whatever ends the program.
        pictures: what is known of each: names, targets and parts, and which files are left out, also those
            that could not be decoded.
        fitting: the size that they were brought to.
    """

    images: Array
    pictures: Pictures
    fitting: Fitting

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class _Outcome:
    """What became of one picture: the changes and the size before, or why it is left out."""

    changes: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    problem: str = ""


def decode_pictures(
    pictures: Pictures,
    fitting: Fitting | None = None,
    *,
    memory: int = MEMORY,
    progress: Progress | None = None,
    threads: int | None = None,
) -> Store:
    """Decode pictures in parallel. Those that cannot be read are left out, and a notice names them.

    Args:
        pictures: what `open_images` returns.
        fitting: the size to bring them to; None for `choose_fitting`.
        memory: the number of bytes up to which the pixels are kept in memory, 1 GiB by default; more are kept
            in a file without a name in the folder for temporary files (`TMPDIR`).
        progress: called now and then with how many pictures are done and how many there are; see
            `ProgressBar`.
        threads: how many decode at once; by default one for each processor, at most 8.

    Raises:
        DataError: if no picture can be read.
        FileError: if the folder for temporary files lacks room.
        ConfigError: for a setting out of range.

    >>> import numpy as np
    >>> from ganglion.images import Fitting, decode_pictures, open_images
    >>> store = decode_pictures(open_images(np.zeros((3, 8, 8))), Fitting(8, 8, channels=1))
    >>> store.images.shape
    (3, 8, 8, 1)
    """
    check_integer("memory", memory, at_least=0)
    count = _processors() if threads is None else check_integer("threads", threads, at_least=1, at_most=256)
    if not len(pictures):
        raise _nothing_left(pictures)
    if fitting is None:
        fitting = choose_fitting(pictures)
    if pictures.array is not None and pictures.array.shape[1:] == fitting.shape:
        rows = np.asarray(pictures.keys)
        is_whole = len(rows) == len(pictures.array) and bool((rows == np.arange(len(rows))).all())
        return Store(pictures.array if is_whole else pictures.array[rows], pictures, fitting)
    images = _room((len(pictures), *fitting.shape), memory)
    outcomes = list[_Outcome]()
    starts = range(0, len(pictures), CHUNK)
    with quiet(), pictures.reading() as read:
        pool = ThreadPoolExecutor(min(count, len(starts)), thread_name_prefix="ganglion-decoding")
        try:
            for chunk in pool.map(partial(_decode_chunk, pictures, read, fitting, images), starts):
                outcomes += chunk
                if progress is not None:
                    progress(len(outcomes), len(pictures))
        finally:
            pool.shutdown(cancel_futures=True)  # also after Ctrl-C, without waiting for all pictures
    kept = np.array([row for row, outcome in enumerate(outcomes) if not outcome.problem], dtype=np.int64)
    failed = [
        LeftOut(name, outcome.problem)
        for name, outcome in zip(pictures.names, outcomes, strict=True)
        if outcome.problem
    ]
    used = pictures.take(kept, failed) if failed else pictures
    if not len(kept):
        raise _nothing_left(used)
    for place, row in enumerate(kept if failed else ()):  # close the gaps, in the same memory
        images[place] = images[row]
    _notice_left_out(used)
    _notice_changes([outcomes[row] for row in kept], fitting)
    return Store(images[: len(kept)], used, fitting)


def choose_fitting(pictures: Pictures, fit: str = "crop", most: int = LARGEST_DEFAULT) -> Fitting:
    """Return the size for pictures, found from a sample of them.

    Pictures of one size keep it, if no side is longer than `most`, and otherwise their shape. Pictures of
    different sizes become squares, whose side is the median of their shorter sides, at most `most`. They are
    grey if all of the sample are.

    Args:
        pictures: what `open_images` returns.
        fit: see `Fitting`.
        most: the longest side in pixels, 128 by default.

    Raises:
        DataError: if none of the sample can be read.
    """
    check_integer("most", most, at_least=1)
    failed = list[LeftOut]()
    headers = list(_headers(pictures, failed))
    if not headers:
        raise _nothing_left(dataclasses.replace(pictures, left_out=(*pictures.left_out, *failed)))
    channels = 1 if all(header.is_grey for header in headers) else 3
    if len({(header.height, header.width) for header in headers}) == 1:
        height, width = headers[0].height, headers[0].width
        scale = min(1.0, most / max(height, width))
        return Fitting(max(1, round(height * scale)), max(1, round(width * scale)), channels, fit)
    side = min(most, int(np.median([min(header.height, header.width) for header in headers])))
    return Fitting(side, side, channels, fit)


def _headers(pictures: Pictures, failed: list[LeftOut]) -> Iterable[Header]:
    """Yield what the readable files among an evenly spaced sample say, and list the others."""
    rows = np.unique(np.linspace(0, len(pictures) - 1, min(len(pictures), SAMPLE)).astype(np.int64))
    with quiet(), pictures.reading() as read:
        for row in rows if len(pictures) else ():
            try:
                yield read_header(read(pictures.keys[row]))
            except UnreadableError as error:
                failed.append(LeftOut(pictures.names[row], str(error)))


def _decode_chunk(
    pictures: Pictures, read: Reader, fitting: Fitting, images: Array, start: int
) -> list[_Outcome]:
    """Decode some pictures into their rows of `images`."""
    outcomes = []
    for row in range(start, min(start + CHUNK, len(pictures))):
        try:
            found = decode(read(pictures.keys[row]), fitting)
        except UnreadableError as error:
            outcomes.append(_Outcome(problem=str(error)))
        else:
            images[row] = found.pixels
            outcomes.append(_Outcome(found.changes, found.size))
    return outcomes


def _room(shape: Shape, memory: int) -> Array:
    """Return an array for all pixels, in memory or in a file without a name."""
    size = int(np.prod(shape, dtype=np.int64))
    if size <= memory:
        return np.empty(shape, np.uint8)
    folder = tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(prefix="ganglion-", dir=folder) as file:
            # Room that is only promised would end the process when the disk is full.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            elif shutil.disk_usage(folder).free < size:
                raise OSError("no space left")
            file.truncate(size)
            return np.memmap(file, np.uint8, "r+", shape=shape)
    except OSError as error:
        raise FileError(
            f"decoded pictures need {size / 2**20:,.0f} MiB in {folder}: {error.strerror or error}",
            "set TMPDIR to a folder with more room, or choose a smaller size of pictures",
        ) from error


def _processors() -> int:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_THREADS)


def _nothing_left(pictures: Pictures) -> DataError:
    return DataError(f"no picture can be read{_examples(pictures.left_out)}")


def _examples(left_out: tuple[LeftOut, ...]) -> str:
    words = [f"{each.name} {each.reason}" for each in left_out[:LISTED]]
    words += [f"and {len(left_out) - LISTED:,} more"] if len(left_out) > LISTED else []
    return ": " + "; ".join(words) if words else ""


def _notice_left_out(pictures: Pictures) -> None:
    if left_out := pictures.left_out:
        total = len(pictures) + len(left_out)
        verb = "is" if len(left_out) == 1 else "are"
        notice(
            f"{len(left_out):,} of {total:,} files {verb} left out{_examples(left_out)}",
            "unreadable-pictures",
        )


def _notice_changes(outcomes: list[_Outcome], fitting: Fitting) -> None:
    wanted = (fitting.height, fitting.width)
    other = [outcome.size for outcome in outcomes if outcome.size != wanted]
    if other:
        first, last = min(other), max(other)
        sizes = f"{first[0]} × {first[1]}" + (f" to {last[0]} × {last[1]}" if last != first else "")
        ratios = {height * fitting.width == width * fitting.height for height, width in other}
        how = {"crop": "scaled and cropped", "pad": "scaled and padded with black"}[fitting.fit]
        how = "scaled" if ratios == {True} else how
        notice(
            f"{len(other):,} of {amount(len(outcomes), 'picture')} "
            f"{'has another size' if len(other) == 1 else 'have other sizes'} ({sizes}, height × width) and "
            f"{'is' if len(other) == 1 else 'are'} {how} to {wanted[0]} × {wanted[1]}",
            "fitted-pictures",
        )
    counts = Counter(change for outcome in outcomes for change in outcome.changes)
    words = {
        "alpha": "transparent, laid over white",
        "bits": "of 16 bits, reduced to 8",
        "grey": "in color, turned grey",
    }
    if counts:
        text = "; ".join(f"{counts[change]:,} {words[change]}" for change in words if counts[change])
        notice(f"of {amount(len(outcomes), 'picture')}, {text}", "converted-pictures")
