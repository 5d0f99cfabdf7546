"""The encoder: which columns are used, the kind of each, and the matrix they become."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl

from ganglion.core.part import Array
from ganglion.errors import ConfigError, DataError, GanglionNotice, one_of, shortened
from ganglion.tables.columns import Column, Encoded, LevelColumn, TextColumn, folds_of
from ganglion.tables.fitting import CONSTANT, NAMES, ROW_NUMBERS, Fit
from ganglion.tables.texts import NO_TEXT, Text

DROPPED = "dropped"
GROUP = "keeps the rows of a group together"
WEIGHT = "the weight of each row"
ROWS_AT_ONCE = 2048
# Below, threads take longer to start, or to wait for each other, than the work that they would share.
CELLS_FOR_THREADS, ROWS_FOR_THREADS = 200_000, 1000
MAXIMUM_FEATURES = 100_000
SCALINGS = ("standard", "robust", "quantile")
BEYOND_FLOAT32 = float(2**128 - 2**103)  # the least number that is rounded to infinity


@dataclass(frozen=True)
class Encoder:
    """Encodes the rows of a table as rows of numbers.

    Args:
        columns: the columns that are used, in order.
        left_out: the columns that are not used, each with the reason.

    >>> encoder = Encoder.fit(pl.DataFrame({"size": [1.0, 3.0], "color": ["red", "blue"], "same": [1, 1]}))
    >>> encoder.features, dict(encoder.left_out)
    (['size', 'color=blue', 'color=red'], {'same': 'the same value in every row'})
    >>> encoder.encode(pl.DataFrame({"color": ["blue"], "size": [3.0]}))[0]
    array([[1., 1., 0.]], dtype=float32)
    """

    columns: tuple[Column, ...]
    left_out: Mapping[str, str]

    @classmethod
    def fit(
        cls,
        table: pl.DataFrame,
        categories: Collection[str] = (),
        scaling: str = "standard",
        *,
        goals: Mapping[str, Array] | None = None,
        keep: Collection[str] = (),
        fold_case: bool = False,
        text: Text = NO_TEXT,
        like: Encoder | None = None,
    ) -> Self:
        """Determine the kind of each column and how to encode it.

        Row numbers are left out only where the name of the column or the order 0, 1, 2 ... says so, and never
        if no other column is left.

        Args:
            table: the training rows, without the target.
            categories: columns to encode as categories whatever they hold.
            scaling: of numbers: "standard" (mean and standard deviation, the default), "robust" (median
                and quartiles, for columns with outliers) or "quantile" (normal scores: only their order
                counts).
            goals: the targets of the rows by name, from `Target.goals`. With them, a column of more than 100
                categories keeps all, each as the mean of its targets; without, all but 100 are merged.
            keep: columns never to leave out as row numbers, identifiers or names.
            fold_case: whether words that differ only in case or outer blanks are one category.
            text: which columns are texts, and which are not. Others are found; of both, a first encoder knows
                only which n-grams suit them, and one that is like it learns from them.
            like: the encoder of the whole table, if these are some of its rows: what was left out there as
                row numbers, identifiers or names is left out here too, and no other column.

        Raises:
            DataError: for a column of numbers mixed with words, or if no usable column is left.
            ConfigError: for an unknown scaling.
        """
        if scaling not in SCALINGS:
            raise ConfigError(
                f"scaling must be 'standard', 'robust' or 'quantile', got {shortened(scaling)}",
                one_of(str(scaling), SCALINGS),
            )
        for name in (*categories, *keep, *text.columns, *text.exclude):
            require_column(table, name)
        texts = {} if like is None else {c.column: c for c in like.columns if isinstance(c, TextColumn)}
        left = {} if like is None else {n: r for n, r in like.left_out.items() if r in (ROW_NUMBERS, NAMES)}
        fit = Fit(scaling, goals, fold_case)

        def fit_column(values: pl.Series) -> Column | str:
            if values.name in left:
                return left[values.name]
            if values.name in texts:
                known = texts[values.name]
                return known if goals is None or known.store is None else known.fitted(values, goals)
            if values.name in text.columns:
                return TextColumn.bare(values)
            if values.name in categories:
                return fit.category(values) if values.n_unique() > 1 else CONSTANT
            kept = like is not None or values.name in keep
            return fit.column(values, kept, not_text=values.name in text.exclude)

        with _mapping(table.height, table.width) as each:
            found = dict(zip(table.columns, each(fit_column, table.get_columns()), strict=True))
        if like is None and not any(isinstance(column, Column) for column in found.values()):
            for name in [name for name, reason in found.items() if reason == ROW_NUMBERS]:
                found[name] = fit.column(table.get_column(name), kept=True)
        columns = [column for column in found.values() if isinstance(column, Column)]
        left_out = {name: reason for name, reason in found.items() if isinstance(reason, str)}
        if not columns:
            why = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
            raise DataError(f"no column is left to learn from ({why or 'the table holds only the target'})")
        encoder = cls(tuple(columns), left_out)
        if len(encoder.features) > MAXIMUM_FEATURES:
            raise DataError(
                f"the columns must become at most {MAXIMUM_FEATURES} features, got {len(encoder.features)}"
            )
        return encoder

    def without(self, reasons: Mapping[str, str]) -> Self:
        """Return this encoder with some columns recorded as left out on purpose, each with the reason."""
        return dataclasses.replace(self, left_out={**self.left_out, **reasons})

    def relearned(self, table: pl.DataFrame, goals: Mapping[str, Array]) -> Self:
        """Return this encoder with the mean targets of categories, if it has any, from these rows alone."""
        columns = tuple(
            LevelColumn.fit(table.get_column(column.column), goals, column.fold_case)
            if isinstance(column, LevelColumn)
            else column
            for column in self.columns
        )
        return dataclasses.replace(self, columns=columns)

    def stored(self, table: pl.DataFrame, text: Text, in_order: bool) -> tuple[Self, pl.DataFrame]:
        """Return this encoder with what was counted in texts, and the table with their numbers instead.

        Args:
            table: the rows.
            text: what is made and kept of texts.
            in_order: whether readers of words in order are tried.
        """
        columns = list[Column]()
        for column in self.columns:
            if isinstance(column, TextColumn):
                values = table.get_column(column.column)
                column, numbers = column.stored(values, text.vectors, text.keep_words, in_order)  # noqa: PLW2901
                table = table.with_columns(numbers)
            columns.append(column)
        return dataclasses.replace(self, columns=tuple(columns)), table

    def alone(self) -> Self:
        """Return this encoder without what only its training needed."""
        return dataclasses.replace(self, columns=tuple(column.alone() for column in self.columns))

    @property
    def of_texts(self) -> Array:
        """Whether each feature comes from a column of texts."""
        kinds = [isinstance(column, TextColumn) for column in self.columns]
        return np.repeat(kinds, [len(column.features) for column in self.columns])

    @property
    def features(self) -> list[str]:
        """The names of the features of each row."""
        return [feature for column in self.columns for feature in column.features]

    def reasons(self) -> dict[str, list[str]]:
        """Return the names of the columns left out, by reason."""
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            by_reason.setdefault(reason, []).append(name)
        return by_reason

    def encode(self, table: pl.DataFrame, besides: Collection[str] = ()) -> Encoded:
        """Return the rows as a float32 array of shape (n, features), and notes for the user.

        Columns may be in any order. Unknown columns are ignored and named in the notes, except for those
        in `besides`, such as the target.

        Raises:
            DataError: if a column is missing or holds values of another kind.
        """
        return self._encode(table, besides, lambda column, values: column.encode(values))

    def encode_learned(
        self, table: pl.DataFrame, goals: Mapping[str, Array], besides: Collection[str] = ()
    ) -> Encoded:
        """Return the rows that the encoder was fitted on, to learn from, as `encode` does for other rows.

        The mean targets of categories are made out of fold here: no row is described by its own target.
        """
        if not any(isinstance(column, LevelColumn) for column in self.columns):
            return self.encode(table, besides)
        folds = folds_of(table.height)
        return self._encode(
            table, besides, lambda column, values: column.encode_learned(values, goals, folds)
        )

    def _encode(
        self,
        table: pl.DataFrame,
        besides: Collection[str],
        encoding: Callable[[Column, pl.Series], Encoded],
    ) -> Encoded:
        names = set(table.columns)
        if not names.issuperset(name for _, name in self._named):
            raise self._lacks(table.columns)

        stops = np.cumsum([len(column.features) for column in self.columns])
        rows = np.empty((table.height, int(stops[-1])), dtype=np.float32)

        def encode_column(column: Column, stop: int) -> list[GanglionNotice]:
            numbers, notes = encoding(column, table.get_column(column.column))
            rows[:, stop - numbers.shape[1] : stop] = _as_float32(numbers)
            return notes

        with _mapping(table.height, len(self.columns)) as each:
            found = list(each(encode_column, self.columns, stops))
        notes = [note for some in found for note in some]
        # A block of rows at a time, so that the block stays in the cache.
        for first in range(0, table.height, ROWS_AT_ONCE):
            block = rows[first : first + ROWS_AT_ONCE]
            if not np.isfinite(block).all():
                raise self._too_large(block, first)
        return rows, notes + self._note_surplus(names, besides)

    def _too_large(self, rows: Array, first: int) -> DataError:
        row, feature = np.argwhere(~np.isfinite(rows))[0]
        sizes = np.cumsum([len(column.features) for column in self.columns])
        name = self.columns[int(np.searchsorted(sizes, feature, side="right"))].column
        return DataError(f"column {name!r} is too large in row {first + row}")

    def encode_record(self, record: Mapping[str, Any], besides: Collection[str] = ()) -> Encoded:
        """Return a row of plain Python values by column as an array of shape (1, features), and notes.

        It has the same bits and the same notes as `encode` of a table with this row alone, without polars.

        Raises:
            DataError: if a column is missing or holds a value of another kind.
        """
        numbers: list[float] = []
        notes: list[GanglionNotice] = []
        for column, name in self._named:
            try:
                value = record[name]
            except KeyError:
                raise self._lacks(record) from None
            encoded, note = column.encode_value(value)
            numbers += encoded
            if note is not None:
                notes.append(note)
        # Without a context for the warning of NumPy, which would take longer than this conversion.
        if not -BEYOND_FLOAT32 < min(numbers) <= max(numbers) < BEYOND_FLOAT32:
            raise self._too_large(_as_float32(np.array([numbers])), 0)
        row = np.array([numbers], dtype=np.float32)
        if not record.keys() <= self._known:
            notes += self._note_surplus(record, besides)
        return row, notes

    @cached_property
    def _named(self) -> list[tuple[Column, str]]:
        return [(column, column.column) for column in self.columns]

    @cached_property
    def _known(self) -> set[str]:
        return {column.column for column in self.columns} | set(self.left_out)

    def _lacks(self, names: Collection[str]) -> DataError:
        absent = [column.column for column in self.columns if column.column not in names]
        return DataError(
            f"the table lacks {listed(absent)}, which the model learned from", "it has: " + listed(names)
        )

    def _note_surplus(self, names: Iterable[str], besides: Collection[str]) -> list[GanglionNotice]:
        surplus = sorted(set(names) - self._known - set(besides))
        text = f"ignored, because unknown in training: {listed(surplus)}"
        return [GanglionNotice(text, "unknown-columns")] if surplus else []

    def arrays(self) -> dict[str, Array]:
        """Return what a model file holds besides the configuration, by number of the column and name."""
        return {
            f"{number}/{name}": values
            for number, column in enumerate(self.columns)
            for name, values in column.arrays().items()
        }

    def configuration(self) -> dict[str, Any]:
        """Return the encoder as plain JSON data."""
        return {
            "columns": [column.configuration() for column in self.columns],
            "left_out": dict(self.left_out),
        }

    @classmethod
    def from_configuration(cls, configuration: Any, arrays: Mapping[str, Array] | None = None) -> Self:
        """Return the encoder that `configuration` described, with its arrays.

        Raises:
            ConfigError: if the description is not valid.
        """
        if not isinstance(configuration, Mapping) or set(configuration) != {"columns", "left_out"}:
            raise ConfigError("an encoder must have columns and left_out")
        columns, left_out = configuration["columns"], configuration["left_out"]
        if not isinstance(columns, list) or not isinstance(left_out, Mapping):
            raise ConfigError("an encoder's columns must be a list, and left_out an object")
        if not all(isinstance(text, str) for item in left_out.items() for text in item):
            raise ConfigError("an encoder's left_out must hold the reasons as text")
        own: list[dict[str, Array]] = [{} for _ in columns]
        for name, values in (arrays or {}).items():
            number, _, rest = name.partition("/")
            if not number.isdecimal() or int(number) >= len(own):
                raise ConfigError(f"there is no column for the array {name!r}")
            own[int(number)][rest] = values
        found = tuple(Column.find(column).with_arrays(o) for column, o in zip(columns, own, strict=True))
        if len({column.column for column in found}) != len(found):
            raise ConfigError("an encoder's columns must have different names")
        return cls(found, dict(left_out))


@contextmanager
def _mapping(rows: int, columns: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """Give `map`, on several threads where columns are long enough."""
    if rows < ROWS_FOR_THREADS or rows * columns < CELLS_FOR_THREADS:
        yield map
        return
    with ThreadPoolExecutor() as pool:
        yield pool.map


def require_column(table: pl.DataFrame, name: str) -> pl.Series:
    """Return a column by name.

    Raises:
        DataError: if there is no such column; the message suggests the nearest name.
    """
    if name not in table.columns:
        hint = one_of(str(name), table.columns)
        if table.width == 1 and not str(table.columns[0]).isalnum():
            hint += "; if another sign stands between the cells, use --separator"
        raise DataError(f"the table has no column {name!r}", hint)
    return table.get_column(name)


def _as_float32(numbers: Array) -> Array:
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32, copy=False)


def listed(names: Collection[str]) -> str:
    """Return at most ten names in quotes, and the number of the others."""
    shown = [repr(name) for name in names]
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")
