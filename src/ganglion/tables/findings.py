"""What the columns of a table make a careful person ask: each finding is one notice, given when training."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

import numpy as np
import polars as pl

from ganglion.answers.values import as_text, counted, fold, to_numbers
from ganglion.core.part import Array
from ganglion.errors import amount, notice
from ganglion.tables.columns import CategoryColumn, DateColumn, NumberColumn, TextColumn
from ganglion.tables.columns.level import LevelColumn
from ganglion.tables.encode import Encoder
from ganglion.tables.fitting import ROW_NUMBERS

# Two or three bytes of UTF-8 read as Latin letters, such as "ü" as "Ã¼".
MOJIBAKE = r"[ÃÂ][\u0080-\u00bf]|â€[\u0080-\u2122]"
FEWEST_TEXTS, LONG_BOILERPLATE = 20, 15
SHORTEST_LABEL, TELLING, OFTEN = 3, 0.95, 0.3
FEWEST_REPEATS = 3
FEWEST_OTHERS = 5  # different values beside a code
CODE = re.compile(r"-?(9{2,}|8{2,}|7{2,})")
FAR_FOR_CODE, FAR = 0.5, 2.0  # distances from the other values, in units of their range
CORRELATED = 0.3
CLEAR = 4.0  # standard errors of a correlation


def notice_findings(
    frame: pl.DataFrame,
    encoder: Encoder,
    goals: Mapping[str, Array],
    targets: Sequence[str],
    fold_case: bool,
) -> list[str]:
    """Notify the user of merged categories, spellings, codes for missing values, and useful row numbers.

    Returns:
        The columns left out whose notice says so.

    Args:
        frame: the labeled rows.
        encoder: fitted on them.
        goals: numbers that stand for the targets; see `Target.goals`.
        targets: their names.
        fold_case: whether spellings are merged.
    """
    _notice_merged(frame, encoder)
    words = [c.column for c in encoder.columns if isinstance(c, CategoryColumn | LevelColumn)]
    for name in [*words, *targets]:
        if not fold_case and frame.schema[name] == pl.String:
            _notice_spellings(frame.get_column(name))
    numbers = [column.column for column in encoder.columns if isinstance(column, NumberColumn)]
    for name in [*numbers, *(name for name in targets if frame.schema[name].is_numeric())]:
        _notice_codes(to_numbers(frame.get_column(name)))
    for column in encoder.columns:
        if isinstance(column, DateColumn):
            _notice_far_dates(frame.get_column(column.column))
    for column in encoder.columns:
        if isinstance(column, TextColumn):
            texts = as_text(frame.get_column(column.column))
            _notice_mojibake(texts)
            _notice_boilerplate(texts)
            _notice_named(texts, _with_other_class(goals, frame.get_column(targets[0])))
            _notice_lengths(texts, goals)
    row_numbers = [name for name, reason in encoder.left_out.items() if reason == ROW_NUMBERS]
    return [name for name in row_numbers if _notice_useful(frame.get_column(name), goals)]


def _notice_merged(frame: pl.DataFrame, encoder: Encoder) -> None:
    for column in encoder.columns:
        if isinstance(column, CategoryColumn) and column.other:
            text = as_text(frame.get_column(column.column)).drop_nulls()
            known = set(map(fold, column.categories)) if column.fold_case else set(column.categories)
            counts = [
                (word, count)
                for word, count in zip(*counted(text), strict=True)
                if (fold(word) if column.fold_case else word) not in known
            ]
            rows = sum(count for _, count in counts)
            notice(
                f"column {column.column!r}: "
                + amount(len(counts), "rare category", "rare categories")
                + f", in {amount(rows, 'row')}, merged into one called 'other'",
                "merged-categories",
            )


def _notice_spellings(words: pl.Series) -> None:
    spellings: dict[str, list[str]] = {}
    for word in words.drop_nulls().unique().sort():
        spellings.setdefault(fold(word), []).append(word)
    several = [variants for variants in spellings.values() if len(variants) > 1]
    if several:
        shown = "; ".join(" and ".join(map(repr, variants)) for variants in several[:3])
        more = f" and {len(several) - 3} more" if len(several) > 3 else ""
        notice(
            f"column {words.name!r} holds words that differ only in case or outer blanks: {shown}{more}; "
            f"--fold-case, in Python fold_case=True, makes them one",
            "spellings",
        )


def codes_for_missing(numbers: pl.Series) -> list[tuple[float, int]]:
    """Return the repeated numbers far outside the others that look like codes, with how often each occurs."""
    values, counts = np.unique(numbers.drop_nulls().to_numpy(), return_counts=True)
    repeated = counts >= FEWEST_REPEATS
    coded = repeated & np.array([CODE.fullmatch(f"{value:.0f}") is not None for value in values], dtype=bool)
    coded &= values == np.round(values)
    at_end = np.zeros(len(values), dtype=bool)
    at_end[[0, -1] if len(values) else []] = True
    found = []
    for place in np.flatnonzero(repeated & (coded | at_end)):
        rest = ~coded
        rest[place] = False
        others, weights = values[rest], counts[rest]
        if len(others) < FEWEST_OTHERS or counts[place] > weights.sum():
            continue
        value, width = float(values[place]), float(others[-1] - others[0])
        gap = max(float(others[0]) - value, value - float(others[-1]))
        far = gap > (FAR_FOR_CODE if coded[place] else FAR) * width
        minus_one = value == -1 and others[0] >= 0 and np.median(np.repeat(others, weights)) >= 5
        whole = bool((others == np.round(others)).all())
        if far or (minus_one and whole and len(others) >= 2 * FEWEST_OTHERS):
            found.append((value, int(counts[place])))
    return found


def _notice_codes(numbers: pl.Series) -> None:
    for value, count in codes_for_missing(numbers):
        notice(
            f"column {numbers.name!r} holds {value:g} {count:,} times, far from all other values: if it "
            f"means a missing value, use --missing {value:g}, in Python read=gg.ReadOptions("
            f"missing=['{value:g}'])",
            "missing-code",
        )


def _notice_far_dates(dates: pl.Series) -> None:
    """Say that a repeated date far from all others, such as 9999-12-31, may stand for a missing value."""
    if dates.dtype not in (pl.Date, pl.Datetime):
        return
    days = dates.cast(pl.Date).cast(pl.Int32).cast(pl.Float64)
    for value, count in codes_for_missing(days):
        shown = str(np.datetime64(int(value), "D"))
        notice(
            f"column {dates.name!r} holds {shown} {count:,} times, far from all other dates: if it means a "
            f"missing value, use --missing {shown}, in Python read=gg.ReadOptions(missing=[{shown!r}])",
            "missing-code",
        )


def _notice_mojibake(texts: pl.Series) -> None:
    """Say that texts were read in a wrong encoding before they came here."""
    spoiled = texts.filter(texts.str.contains(MOJIBAKE).fill_null(False))
    if len(spoiled):
        example = re.search(MOJIBAKE, spoiled[0])
        notice(
            f"column {texts.name!r}: {amount(len(spoiled), 'text was', 'texts were')} read in a wrong "
            f"encoding once, such as {'' if example is None else example[0]!r}: write the file again as "
            f"UTF-8 from its source",
            "mojibake",
        )


def _notice_boilerplate(texts: pl.Series) -> None:
    """Say that all texts begin or end alike, which tells nothing."""
    known = texts.drop_nulls()
    if len(known) < FEWEST_TEXTS:
        return
    for where, alike in ("begins", _common(known)), ("ends", _common(known.str.reverse())[::-1]):
        if len(alike) >= LONG_BOILERPLATE:
            notice(
                f"column {texts.name!r}: every text {where} with {alike!r}, which tells nothing: "
                f"leave it out",
                "boilerplate",
            )


def _common(texts: pl.Series) -> str:
    """Return the beginning that all texts share."""
    ordered = texts.sort()
    pairs = zip(ordered[0], ordered[-1], strict=False)
    return "".join(first for first, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _with_other_class(goals: Mapping[str, Array], target: pl.Series) -> dict[str, Array]:
    """Return the goals of classes, with that of the first of two, which is known from the second's."""
    if len(goals) == 1:
        (goal,) = goals.values()
        others = as_text(target.filter(pl.Series(np.asarray(goal) == 0))).drop_nulls().unique()
        if len(others) == 1:
            return {**goals, others[0]: 1 - np.asarray(goal)}
    return dict(goals)


def _classes(goals: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """Yield the label of each class with enough rows inside and outside, and which rows it has."""
    for label, goal in goals.items():
        own = np.asarray(goal) == 1
        if np.isin(goal, (0, 1)).all() and FEWEST_TEXTS <= own.sum() <= len(own) - FEWEST_TEXTS:
            yield label, own


def _notice_named(texts: pl.Series, goals: Mapping[str, Array]) -> None:
    """Say that texts of a class hold its name, and others do not."""
    lower = texts.str.to_lowercase()
    for label, own in _classes(goals):
        if len(label) < SHORTEST_LABEL:
            continue
        named = lower.str.contains(rf"\b{re.escape(label.lower())}\b").fill_null(False).to_numpy()
        if named.sum() and own[named].mean() >= TELLING and named[own].mean() >= OFTEN:
            notice(
                f"column {texts.name!r}: {named[own].mean():.0%} of the texts of {label!r} hold this "
                f"word, and hardly any other: was it written when the answer was known?",
                "label-in-text",
            )


def _notice_lengths(texts: pl.Series, goals: Mapping[str, Array]) -> None:
    """Say that texts of a class have another length than the others."""
    lengths = texts.str.len_chars().fill_null(0).to_numpy()
    ranks = pl.Series(lengths).rank().to_numpy()
    for label, own in _classes(goals):
        count, others = int(own.sum()), int((~own).sum())
        above = (ranks[own].sum() - count * (count + 1) / 2) / (count * others)
        if max(above, 1 - above) >= TELLING:
            notice(
                f"column {texts.name!r}: texts of {label!r} have {int(np.median(lengths[own])):,} "
                f"characters, others {int(np.median(lengths[~own])):,} (medians): the length alone gives it "
                f"away",
                "text-length",
            )


def _notice_useful(numbers: pl.Series, goals: Mapping[str, Array]) -> bool:
    """Say that a column left out goes with the target, and return whether it does."""
    ranks = numbers.rank().to_numpy()
    related = max(
        (abs(float(np.corrcoef(ranks, pl.Series(goal).rank().to_numpy())[0, 1])) for goal in goals.values()),
        default=0.0,
    )
    useful = related > max(CORRELATED, CLEAR / np.sqrt(len(ranks)))
    if useful:
        notice(
            f"column {numbers.name!r} is left out as {ROW_NUMBERS}, although the target goes with it (rank "
            f"correlation {related:.2f}): if new rows have meaningful values in it, use --keep "
            f"{numbers.name}, in Python keep=[{numbers.name!r}]",
            "useful-row-numbers",
        )
    return bool(useful)
