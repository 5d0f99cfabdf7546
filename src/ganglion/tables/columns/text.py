"""A column of texts: each becomes what the words and pieces of words in it say of the targets.

The n-grams of a text are a bag, and a bag of learned numbers is summed straight to the outputs: one number
for each class, or one for a number to predict. These sums are the features, so that a network weighs them
beside the other columns. Joulin et al., "Bag of tricks for efficient text classification", EACL 2017.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from ganglion.answers.values import as_text, as_word
from ganglion.checks import check_integer, check_number
from ganglion.core.bags import Bags
from ganglion.core.layers import Activate, EmbeddingBag
from ganglion.core.part import Array
from ganglion.engines import thread_count
from ganglion.errors import ConfigError, GanglionNotice
from ganglion.files.exports.inputs import CodedText, GramTable
from ganglion.many import train_many
from ganglion.network import Network
from ganglion.tables.columns.base import Column, Encoded, EncodedValue, missing_values
from ganglion.tables.columns.category import words_of
from ganglion.tables.columns.grams import GramNumbers, in_use, no_numbers
from ganglion.tables.columns.level import folds_of
from ganglion.tables.columns.reader import SINGLE_WORDS, Reader, loss_of, no_reader
from ganglion.text.grams import BEGIN, END, Grams
from ganglion.text.letters import RUNS
from ganglion.text.vectors import read_vectors
from ganglion.training.optimizers import SGD
from ganglion.training.schedules import CosineDecay

BITS = 18
FEWEST_TEXTS = 2  # in which an n-gram must occur to be learned
MOST_NUMBERS = 2**23  # in the table of learned numbers, a byte each
LONG = 500  # characters: in longer texts, words say enough
LONGEST_WORD = 12  # characters between two blanks, beyond which they do not divide words
TINY = 1e-9
VECTORS, READER = "vectors/", "reader/"  # what begins the names of their arrays
BETWEEN = " | "  # n-grams of one bucket
# As many texts in training, between these shares of all, count as unknown, so that the network learns what to
# answer to a text in which nothing is known.
TEXTS_TO_FORGET, SHARES_TO_FORGET = 100, (0.02, 0.1)
EPOCHS, ROWS_FOR_RATE, FOLDS = 4, 5_000, 4
LEAST_GAIN = 0.005  # by which twice the epochs must lower the loss to be worth their time
# Rows at once and rates, of which the one with the least loss on held-out rows is used. The squares of a
# text's weights sum to 3 at most: no rate for numbers exceeds the bound of 1 / (3 rows), where steps grow.
PACES = {
    "cross_entropy": (16, (0.5, 1.0, 2.0, 4.0, 8.0)),
    "binary_cross_entropy": (16, (0.5, 1.0, 2.0, 4.0, 8.0)),
    "mse": (4, (1 / 256, 1 / 128, 1 / 64, 1 / 32, 1 / 16)),
}
LOSSES = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "mse": "identity"}


@dataclass(frozen=True)
class TextColumn(Column):
    """The sums of the learned numbers of a text's n-grams, one for each goal.

    N-grams are weighed by `ganglion.text.weighing`, those of words and those of characters by themselves. In
    training, the sums of a row come from texts of other folds; those of new texts are the means of all folds.

    Args:
        goals: what the features predict: the names of classes, or "mean".
        loss: from which they were learned.
        rows: the number of training rows.
        words: the longest n-gram of words; 0 for none.
        characters: the shortest and the longest n-gram of characters; 0 and 0 for none.
        rate: of the learning, chosen on held-out rows, as are
        epochs: of the learning.
        center, scale: mean and standard deviation of each feature, by which it is standardized.
        learned: the numbers themselves, which a model file holds as arrays, and
        vectors: those of words that others have learned, and
        reader: of the first words of a text in order, `in_order` of them; 0 for none.
        store: while training, what was counted in all texts; then values may be the numbers of texts in it.
        orders: while training, the words of all texts in order, if they are to be read.
        names: while training, the n-grams in each bucket, if they are to be kept.
        told: while training, what the features of these texts are if none is learned from its own target.
    """

    goals: tuple[str, ...]
    loss: str
    rows: int
    words: int
    characters: tuple[int, ...]
    rate: float
    epochs: int
    center: tuple[float, ...]
    scale: tuple[float, ...]
    in_order: int = 0
    learned: GramNumbers = field(default=no_numbers(1, BITS), repr=False)
    vectors: GramNumbers = field(default=no_numbers(0, SINGLE_WORDS.bits), repr=False)
    reader: Reader = field(default=no_reader(1), repr=False)
    orders: Bags | None = field(default=None, repr=False, compare=False)
    store: tuple[Bags, ...] | None = field(default=None, repr=False, compare=False)
    names: Mapping[int, str] | None = field(default=None, repr=False, compare=False)
    told: Array | None = field(default=None, repr=False, compare=False)

    name = "text"

    def __post_init__(self) -> None:
        super().__post_init__()
        count = len(self.goals)
        if not isinstance(self.goals, tuple) or not all(isinstance(goal, str) for goal in self.goals):
            raise ConfigError("goals must be a tuple of strings")
        if not count or len(set(self.goals)) != count:
            raise ConfigError("goals must be distinct, and at least one")
        if self.loss not in LOSSES:
            raise ConfigError(f"loss must be one of {', '.join(LOSSES)}")
        check_integer("rows", self.rows, at_least=1)
        check_number("rate", self.rate, above=0)
        check_integer("epochs", self.epochs, at_least=1)
        check_integer("in_order", self.in_order, at_least=0)
        if not isinstance(self.characters, tuple) or len(self.characters) != 2:
            raise ConfigError("characters must be the shortest and the longest n-gram")
        self._grams  # noqa: B018 - checks their lengths
        for name in ("center", "scale"):
            values = getattr(self, name)
            if not isinstance(values, tuple) or len(values) < count:
                raise ConfigError(f"{name} must hold a number for each of {count} goals")
            for value in values:
                check_number(name, value, at_least=TINY if name == "scale" else -1e30, at_most=1e30)

    @classmethod
    def bare(cls, values: pl.Series) -> Self:
        """Return a column that knows which n-grams suit the texts, and has learned nothing yet."""
        text = as_text(values).drop_nulls()
        length, gaps = text.str.len_chars(), text.str.count_matches(r"\S\s+\S")
        typical, between = (float(each.median() or 0) for each in (length, gaps))  # type: ignore[arg-type]
        in_pieces = typical <= LONG or typical > LONGEST_WORD * (between + 1)  # also where no blanks are
        characters = (2, 5) if in_pieces else (0, 0)
        return cls(values.name, ("",), "mse", 1, 2 if between else 0, characters, 1.0, EPOCHS, (0.0,), (1.0,))

    def stored(
        self,
        values: pl.Series,
        vectors: str | Path | None = None,
        keep_words: bool = False,
        in_order: bool = False,
    ) -> tuple[Self, pl.Series]:
        """Return this column with what was counted in texts, and the numbers of the texts in their place.

        Args:
            values: the texts.
            vectors: the path of word vectors.
            keep_words: whether to keep which n-grams are in which bucket.
            in_order: whether a reader of words in order is tried.
        """
        texts = [word or "" for word in as_text(values).to_list()]
        store = [grams.count(texts) for grams in self._grams]
        column = self
        if vectors is not None:
            store.append(SINGLE_WORDS.count(texts))
            found = read_vectors(vectors, SINGLE_WORDS, np.unique(store[-1].indices))
            column = dataclasses.replace(column, vectors=_of_vectors(*found))
        numbers = pl.Series(values.name, np.arange(len(texts), dtype=np.uint32))
        names = self.named(texts) if keep_words else None
        orders = SINGLE_WORDS.in_order(texts) if in_order else None
        column = dataclasses.replace(column, store=tuple(store), names=names, orders=orders)
        return column, pl.select(pl.when(values.is_not_null()).then(numbers)).to_series().alias(values.name)

    def named(self, texts: Iterable[str]) -> dict[int, str]:
        """Return the n-grams of texts that fall into each bucket, joined by " | " if they are several."""
        found: dict[int, dict[str, None]] = {}
        for kind in self._grams:
            buckets: dict[str, int] = {}
            for text in texts:
                for gram in kind.of(text):
                    if gram not in buckets:
                        buckets[gram] = kind.bucket(gram)
                        found.setdefault(buckets[gram], {})[_shown(gram)] = None
        return {bucket: BETWEEN.join(grams) for bucket, grams in found.items()}

    def fitted(self, values: pl.Series, goals: Mapping[str, Array]) -> Self:
        """Return the column, learned from texts and their targets by goal."""
        targets = np.column_stack(list(goals.values()))
        bags, units = self._bags(values), len(goals)
        used, documents = in_use(self._counted(bags), 2**BITS, FEWEST_TEXTS, MOST_NUMBERS // units)
        empty = np.zeros((len(used) + 1, units), np.float32)
        column = dataclasses.replace(
            self,
            goals=tuple(goals),
            loss=_loss(targets),
            rows=len(values),
            center=(0.0,) * units,
            scale=(1.0,) * units,
            learned=GramNumbers.of(used, documents, empty, BITS, len(values)),
            vectors=self._vectors_of(bags, len(values)),
        )
        rows, means = column.learned.weighed(column._counted(bags)), column._means(bags)
        del bags  # which may be large
        column = column._paced(rows, targets)
        sums, table, parts = np.zeros(targets.shape), empty, _parts(len(values))
        for start in range(0, len(parts), at_once := thread_count()):  # all together would need more memory
            some = parts[start : start + at_once]
            lessons = [(rows[own], targets[own], column.rate, column.epochs) for own, _ in some]
            for (_, asked), network in zip(some, column._train(lessons), strict=True):
                sums[asked] = network.predict(rows[asked])
                table += network.parameters.reshape(table.shape) / np.float32(len(parts))
        reader, read = column._read(values, sums, targets, parts)
        said = np.column_stack([sums, read, means])
        spread = said.std(axis=0)
        column = dataclasses.replace(
            column,
            reader=reader,
            in_order=reader.length,
            orders=self.orders if reader.length else None,
            center=tuple(said.mean(axis=0).tolist()),
            scale=tuple(np.where(spread > TINY, spread, 1.0).tolist()),
            learned=GramNumbers.of(used, documents, table, BITS, len(values)),
        )
        if self.names is not None:
            column = dataclasses.replace(column, learned=column.learned.named(self.names))
        if self.store is None or len(parts) == 1:
            return column
        there = values.is_not_null().to_numpy()
        features = column._features(said, rows)
        share = np.clip(TEXTS_TO_FORGET / len(values), *SHARES_TO_FORGET)
        features[np.random.Generator(np.random.Philox(key=2)).random(len(values)) < share] = 0
        told = np.full((len(self.store[0]), features.shape[1]), np.nan)
        told[values.drop_nulls().to_numpy()] = features[there]
        return dataclasses.replace(column, told=told)

    def _paced(self, rows: Bags, targets: Array) -> Self:
        """Return the column with the rate and the epochs that have the least loss on held-out texts."""
        some = np.random.Generator(np.random.Philox(key=1)).permutation(len(rows))[:ROWS_FOR_RATE]
        asked, own = some[: len(some) // 5], some[len(some) // 5 :]
        if not len(asked):
            return self
        rates, learned, held = PACES[self.loss][1], rows[own], rows[asked]
        losses: dict[tuple[int, int], float] = {}

        def try_out(epochs: int, places: Sequence[int]) -> int:
            networks = self._train([(learned, targets[own], rates[place], epochs) for place in places])
            for place, network in zip(places, networks, strict=True):
                losses[epochs, place] = loss_of(self.loss, network.predict(held), targets[asked])
            return min(range(len(rates)), key=lambda place: losses.get((epochs, place), np.inf))

        # A loss that falls and rises has its least between or beside the better of two.
        better = try_out(EPOCHS, (1, 3))
        best = try_out(EPOCHS, (better - 1, better + 1))
        slower = try_out(2 * EPOCHS, sorted({max(best - 1, 0), best}))
        if losses[2 * EPOCHS, slower] < (1 - LEAST_GAIN) * losses[EPOCHS, best]:
            return dataclasses.replace(self, rate=rates[slower], epochs=2 * EPOCHS)
        return dataclasses.replace(self, rate=rates[best], epochs=EPOCHS)

    def _read(
        self, values: pl.Series, sums: Array, targets: Array, parts: Sequence[tuple[Array, Array]]
    ) -> tuple[Reader, Array]:
        """Return a reader, and what it says of texts after learning from others; nothing if it is no gain."""
        reader = no_reader(len(self.goals))
        order = self._order(values)
        if order is None or len(parts) == 1:
            return reader, np.zeros((len(values), 0))
        return reader.learned(order, sums, targets, self.loss, LOSSES[self.loss], parts)

    def _train(self, lessons: Sequence[tuple[Bags, Array, float, int]]) -> list[Network]:
        """Return a network of sums for each lesson: rows, targets, the rate and the epochs."""
        networks, each = list[Network](), list[dict[str, Any]]()
        (batch, _), (count, units) = PACES[self.loss], self.learned.table.shape
        for rows, targets, rate, epochs in lessons:
            y = targets.argmax(axis=1) if self.loss == "cross_entropy" else targets
            table = EmbeddingBag(count, units, "sum", weight_initializer="zeros")
            networks.append(Network([table, Activate(LOSSES[self.loss])], self.learned.input))
            optimizer = SGD(CosineDecay(batch * rate, epochs=epochs))
            each.append({"X": rows, "y": y, "optimizer": optimizer, "epochs": epochs})
        train_many(networks, lessons[0][0], each[0]["y"], each=each, loss=self.loss, batch_size=batch)
        return [self._sums(network) for network in networks]

    def _sums(self, network: Network) -> Network:
        """Return a network that gives the sums themselves."""
        found = Network(network.layers[:1], self.learned.input)
        found.parameters[...] = network.parameters
        return found

    @property
    def features(self) -> list[str]:
        in_order = [f"{goal} in order" for goal in self.goals] if self.in_order else []
        vectors = [f"vector {each}" for each in range(len(self.vectors.bias))]
        return [f"{self.column}:{each}" for each in (*self.goals, *in_order, *vectors)]

    def encode(self, values: pl.Series) -> Encoded:
        if self.told is None or values.dtype != pl.UInt32:
            return self._encoded(values)
        told = self.told[values.fill_null(0).to_numpy()]
        others = values.is_null().to_numpy() | np.isnan(told[:, 0])
        told[others], notes = self._encoded(values.filter(others))
        return told, notes

    def _encoded(self, values: pl.Series) -> Encoded:
        result, known = self._told_of(self._bags(values), self._order(values))
        notes, missing = list[GanglionNotice](), values.null_count()
        if missing:
            notes.append(missing_values(self.column, missing, "what is usual"))
        if (unknown := int((~known).sum()) - missing) > 0:
            notes.append(self._unknown(unknown))
        return result, notes

    def encode_value(self, value: Any) -> EncodedValue:
        word = as_word(self.column, value)
        texts = [word or ""]
        order = SINGLE_WORDS.in_order(texts) if self.in_order else None
        result, known = self._told_of([grams.count(texts) for grams in self._kinds], order)
        encoded = result[0].tolist()
        if word is None:
            return encoded, missing_values(self.column, 1, "what is usual")
        return encoded, None if known[0] else self._unknown(1)

    def _told_of(self, bags: Sequence[Bags], order: Bags | None) -> tuple[Array, Array]:
        """Return the features of texts, and whether anything in each is known."""
        rows = self.learned.weighed(self._counted(bags))
        read = [] if order is None else [self.reader.said(order)]
        said = np.column_stack([self.learned.network.predict(rows), *read, self._means(bags)])
        return self._features(said, rows), np.diff(rows.offsets) > 1

    def table(self, text: str) -> pl.DataFrame:
        """Return what is summed for one text: the bias, and each known n-gram.

        Returns:
            A frame with a row for each: `gram` (those of one bucket are joined by " | "), `bucket`, `count`,
            `weight`, and the learned number of each feature under its name. A feature is the sum of weight
            times number, less `center`, divided by `scale`.
        """
        grams, counts = list[str](), list[int]()
        for kind in self._grams:
            met: dict[int, tuple[dict[str, None], int]] = {}
            for gram in kind.of(text):
                names, count = met.get(kind.bucket(gram), ({}, 0))
                met[kind.bucket(gram)] = names | {gram: None}, count + 1
            for bucket, (names, count) in met.items():
                if self.learned.places[bucket]:
                    grams.append(BETWEEN.join(map(_shown, names)))
                    counts.append(count)
        rows = self.learned.weighed([grams.count([text]) for grams in self._grams])
        buckets = [None, *self.learned.buckets[rows.indices[1:] - 1].tolist()]
        return pl.DataFrame(
            {
                "gram": ["bias", *grams],
                "bucket": pl.Series(buckets, dtype=pl.Int64),
                "count": [None, *counts],
                "weight": rows.weights,
            }
            | dict(zip(self.features, self.learned.table[rows.indices].T, strict=False))
        )

    def telling(self, names: Mapping[int, str] | None = None) -> pl.DataFrame:
        """Return what each n-gram adds to each goal, with the weight that it has where it stands alone.

        Args:
            names: the n-grams in each bucket, from `named`; by default those that were kept.

        Returns:
            A frame with the columns `gram`, `bucket`, `documents` and one for each goal; n-grams without a
            name are left out.
        """
        known = self.learned if names is None else self.learned.named(names)
        added = known.table[1:] * known.rarity[1:, None].astype(np.float32)
        return pl.DataFrame(
            {
                "gram": pl.Series(known.grams or [""] * len(known.buckets), dtype=pl.String),
                "bucket": known.buckets,
                "documents": known.documents,
            }
            | dict(zip(self.goals, added.T, strict=True))
        ).filter(pl.col("gram") != "")

    def _unknown(self, count: int) -> GanglionNotice:
        texts = f"{count} texts" if count > 1 else "1 text"
        return GanglionNotice(
            f"column {self.column!r}: {texts} in which no word is known, treated as what is usual",
            "unknown-texts",
        )

    def _features(self, said: Array, rows: Bags) -> Array:
        """Return standardized sums and vectors, or their means if nothing in a text is known."""
        result = (said.astype(np.float64) - np.array(self.center)) / np.array(self.scale)
        result[np.diff(rows.offsets) == 1] = 0
        return result

    def _bags(self, values: pl.Series) -> tuple[Bags, ...]:
        """Return what is counted in texts, or in those with the given numbers."""
        if self.store is not None and values.dtype == pl.UInt32:
            return tuple(_or_nothing(bags, values) for bags in self.store)
        texts = [word or "" for word in words_of(values)]
        return tuple(grams.count(texts) for grams in self._kinds)

    def _order(self, values: pl.Series) -> Bags | None:
        """Return the words of texts in order, or of those with the given numbers; None if none are read."""
        if self.orders is not None and values.dtype == pl.UInt32:
            return _or_nothing(self.orders, values)
        if not self.in_order:
            return None
        return SINGLE_WORDS.in_order([word or "" for word in words_of(values)])

    def _counted(self, bags: Sequence[Bags]) -> Sequence[Bags]:
        """Return those of the n-grams that are learned."""
        return bags[: len(self._grams)]

    def _vectors_of(self, bags: Sequence[Bags], rows: int) -> GramNumbers:
        """Return the vectors of the words that occur in training rows."""
        if not self.vectors.bias.size:
            return self.vectors
        used, documents = in_use(bags[-1:], 2**SINGLE_WORDS.bits, 1, 2**SINGLE_WORDS.bits)
        known = np.isin(self.vectors.buckets, used)
        return self.vectors.part(known, documents[np.isin(used, self.vectors.buckets)], rows)

    def _means(self, bags: Sequence[Bags]) -> Array:
        """Return the mean vector of each text, in which rarer words weigh more; 0 without known words."""
        if not self.vectors.bias.size:
            return np.zeros((len(bags[0]), 0))
        return self.vectors.network.predict(self.vectors.weighed(bags[-1:]))

    @cached_property
    def _grams(self) -> tuple[Grams, ...]:
        """The n-grams that are learned."""
        words = [Grams(False, 1, self.words, BITS)] if self.words else []
        characters = (
            [Grams(True, self.characters[0], self.characters[1], BITS)] if any(self.characters) else []
        )
        return (*words, *characters)

    @property
    def _kinds(self) -> tuple[Grams, ...]:
        """All n-grams that are counted."""
        return (*self._grams, SINGLE_WORDS) if self.vectors.bias.size else self._grams

    def configuration(self) -> dict[str, Any]:
        found = super().configuration()
        for name in ("learned", "vectors", "reader", "orders", "store", "names", "told"):
            del found[name]
        return found

    def arrays(self) -> Mapping[str, Array]:
        found = self.learned.arrays()
        if self.vectors.bias.size:
            found |= {VECTORS + name: values for name, values in self.vectors.arrays().items()}
        if self.in_order:
            found |= {READER + name: values for name, values in self.reader.arrays().items()}
        return found

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        own: dict[str, dict[str, Array]] = {"": {}, VECTORS: {}, READER: {}}
        for name, values in arrays.items():
            prefix = next((each for each in (VECTORS, READER) if name.startswith(each)), "")
            own[prefix][name.removeprefix(prefix)] = values
        count = len(self.goals)
        found = dataclasses.replace(self, learned=GramNumbers.from_arrays(own[""], BITS, self.rows))
        if own[VECTORS]:
            vectors = GramNumbers.from_arrays(own[VECTORS], SINGLE_WORDS.bits, self.rows)
            found = dataclasses.replace(found, vectors=vectors)
        if self.in_order or own[READER]:
            reader = Reader.from_arrays(own[READER], self.in_order, count)
            found = dataclasses.replace(found, reader=reader)
        if len(found.learned.bias) != count or len(found.features) != len(self.center):
            raise ConfigError("a column of texts must have numbers for each of its goals")
        if len(self.scale) != len(self.center):
            raise ConfigError("scale must hold as many numbers as center")
        return found

    def alone(self) -> Self:
        return dataclasses.replace(self, store=None, orders=None, names=None, told=None)

    def coded(self) -> CodedText:
        if self.in_order:
            raise ConfigError(
                f"column {self.column!r} is read word by word, which no exported file does",
                "train with --quality good",
            )
        tables = [_coded(self._grams, self.learned)]
        tables += [_coded((SINGLE_WORDS,), self.vectors)] if self.vectors.bias.size else []
        spread = self.center, self.scale
        return CodedText(self.column, len(self.features), tuple(tables), *spread, RUNS)

    def describe(self) -> str:
        kinds = [f"1 to {self.words} words"] if self.words else []
        kinds += [f"{self.characters[0]} to {self.characters[1]} characters"] if any(self.characters) else []
        known = f"{len(self.learned.buckets):,} " if self.learned.buckets.size else ""
        vectors = f", {len(self.vectors.buckets):,} word vectors" if self.vectors.bias.size else ""
        read = f", the first {self.in_order} words in order" if self.in_order else ""
        return f"text, {known}n-grams of {' and of '.join(kinds)}{vectors}{read}"


def _coded(kinds: Sequence[Grams], numbers: GramNumbers) -> GramTable:
    """Return the numbers of n-grams as exported files have them."""
    used, rare = numbers.buckets, numbers.rarity[1:]
    return GramTable(tuple(kinds), numbers.bits, used, rare, numbers.weights, numbers.scales, numbers.bias)


def _of_vectors(buckets: Array, vectors: Array) -> GramNumbers:
    """Return word vectors with a byte for each number."""
    table = np.concatenate([np.zeros((1, vectors.shape[1]), np.float32), vectors])
    return GramNumbers.of(buckets, np.ones(len(buckets)), table, SINGLE_WORDS.bits, 1)


def _shown(gram: str) -> str:
    """Return an n-gram with visible ends of words."""
    return gram.replace(BEGIN, "_").replace(END, "_")


def _parts(rows: int) -> list[tuple[Array, Array]]:
    """Return for each fold the rows outside it and in it; for a row alone, the row and nothing."""
    folds = folds_of(rows, FOLDS)
    found = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(FOLDS)]
    return [part for part in found if all(map(len, part))] or [(np.arange(rows), np.arange(0))]


def _or_nothing(bags: Bags, numbers: pl.Series) -> Bags:
    """Return the bags with these numbers; an empty one where a number is missing."""
    rows = numbers.fill_null(len(bags)).to_numpy().astype(np.int64)
    if (rows < len(bags)).all():
        return bags[rows]
    more = Bags(bags.indices, np.append(bags.offsets, bags.offsets[-1]), bags.weights)
    return more[rows]


def _loss(targets: Array) -> str:
    """Return the loss that suits targets: classes of which a row has one, or any number, or numbers."""
    if not np.isin(targets, (0, 1)).all():
        return "mse"
    return (
        "cross_entropy"
        if targets.shape[1] > 1 and (targets.sum(axis=1) == 1).all()
        else "binary_cross_entropy"
    )
