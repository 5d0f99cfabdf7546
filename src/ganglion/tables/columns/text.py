"""A column of texts: each becomes what the words and pieces of words in it say of the targets.

The n-grams of a text are a bag, and a bag of learned numbers is summed straight to the outputs: one number
for each class, or one for a number to predict. These sums are the features, so that a network weighs them
beside the other columns. Joulin et al., "Bag of tricks for efficient text classification", EACL 2017.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl

from ganglion.answers.values import as_text, as_word
from ganglion.checks import check_integer, check_number
from ganglion.core.bags import Bags
from ganglion.core.inputs import BagInput
from ganglion.core.layers import Activate, EmbeddingBag
from ganglion.core.part import Array
from ganglion.engines import thread_count
from ganglion.errors import ConfigError, GanglionNotice
from ganglion.many import train_many
from ganglion.network import Network
from ganglion.tables.columns.base import Column, Encoded, EncodedValue, missing_values
from ganglion.tables.columns.category import words_of
from ganglion.tables.columns.level import folds_of
from ganglion.text.grams import BEGIN, END, Grams
from ganglion.text.weighing import rarity, weighed
from ganglion.training.optimizers import SGD
from ganglion.training.schedules import CosineDecay

BITS = 18
FEWEST_TEXTS = 2  # in which an n-gram must occur to be learned
MOST_NUMBERS = 2**23  # in the table of learned numbers, a byte each
LONG = 500  # characters: in longer texts, words say enough
LONGEST_WORD = 12  # characters between two blanks, beyond which they do not divide words
LARGEST = 127  # of a byte
TINY = 1e-9
# As many texts in training, between these shares of all, count as unknown, so that the network learns what to
# answer to a text in which nothing is known.
TEXTS_TO_FORGET, SHARES_TO_FORGET = 100, (0.02, 0.1)
MOST_SCALE = 1e15
EPOCHS, ROWS_FOR_RATE, FOLDS = 4, 5_000, 4
# Rows at once and rates, of which the one with the least loss on held-out rows is used. The squares of a
# text's weights sum to 3 at most: no rate for numbers exceeds the bound of 1 / (3 rows), where steps grow.
PACES = {
    "cross_entropy": (16, (0.5, 1.0, 2.0, 4.0, 8.0)),
    "binary_cross_entropy": (16, (0.5, 1.0, 2.0, 4.0, 8.0)),
    "mse": (4, (1 / 256, 1 / 128, 1 / 64, 1 / 32, 1 / 16)),
}
LOSSES = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "mse": "identity"}


@dataclass(frozen=True)
class Learned:
    """The learned numbers of a column of texts.

    Args:
        buckets: those in use, ascending.
        documents: the number of training rows in which each occurs.
        weights: int8, one row for each bucket, and `scales`, by which each row is multiplied.
        bias: the outputs of a text in which nothing is known.
    """

    buckets: Array
    documents: Array
    weights: Array
    scales: Array
    bias: Array

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Learned) and all(
            np.array_equal(a, b) for a, b in zip(vars(self).values(), vars(other).values(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]


NOTHING_LEARNED = Learned(*(np.zeros(0, np.int64),) * 5)


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
        rate: of the learning, chosen on held-out rows.
        center, scale: mean and standard deviation of the sums, by which they are standardized.
        learned: the numbers themselves, which a model file holds as arrays.
        store: while training, what was counted in all texts; then values may be the numbers of texts in it.
        told: while training, what the features of these texts are if none is learned from its own target.
    """

    goals: tuple[str, ...]
    loss: str
    rows: int
    words: int
    characters: tuple[int, ...]
    rate: float
    center: tuple[float, ...]
    scale: tuple[float, ...]
    learned: Learned = field(default=NOTHING_LEARNED, repr=False)
    store: tuple[Bags, ...] | None = field(default=None, repr=False, compare=False)
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
        if not isinstance(self.characters, tuple) or len(self.characters) != 2:
            raise ConfigError("characters must be the shortest and the longest n-gram")
        self._grams  # noqa: B018 - checks their lengths
        for name in ("center", "scale"):
            values = getattr(self, name)
            if not isinstance(values, tuple) or len(values) != count:
                raise ConfigError(f"{name} must hold {count} numbers")
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
        return cls(values.name, ("",), "mse", 1, 2 if between else 0, characters, 1.0, (0.0,), (1.0,))

    def stored(self, values: pl.Series) -> tuple[Self, pl.Series]:
        """Return this column with what was counted in texts, and the numbers of the texts in their place."""
        texts = [word or "" for word in as_text(values).to_list()]
        store = tuple(grams.count(texts) for grams in self._grams)
        numbers = pl.Series(values.name, np.arange(len(texts), dtype=np.uint32))
        return dataclasses.replace(self, store=store), pl.select(
            pl.when(values.is_not_null()).then(numbers)
        ).to_series().alias(values.name)

    def fitted(self, values: pl.Series, goals: Mapping[str, Array]) -> Self:
        """Return the column, learned from texts and their targets by goal."""
        targets = np.column_stack(list(goals.values()))
        bags = self._bags(values)
        documents = np.sum([np.bincount(part.indices, minlength=2**BITS) for part in bags], axis=0)
        used = np.flatnonzero(documents >= FEWEST_TEXTS)
        most = MOST_NUMBERS // targets.shape[1]
        if len(used) > most:
            used = np.sort(used[np.argsort(-documents[used], kind="stable")[:most]])
        units = len(goals)
        empty = Learned(
            used.astype(np.uint32),
            documents[used].astype(np.uint32),
            np.zeros((len(used), units), np.int8),
            np.zeros(len(used), np.float32),
            np.zeros(units, np.float32),
        )
        column = dataclasses.replace(
            self,
            goals=tuple(goals),
            loss=_loss(targets),
            rows=len(values),
            center=(0.0,) * units,
            scale=(1.0,) * units,
            learned=empty,
        )
        rows = column._weighed(bags)
        del bags  # which may be large
        column = column._paced(rows, targets)
        sums, table = np.zeros(targets.shape), np.zeros((len(used) + 1, units), np.float32)
        parts = _parts(len(values))
        for start in range(0, len(parts), at_once := thread_count()):  # all together would need more memory
            some = parts[start : start + at_once]
            lessons = [(rows[own], targets[own], column.rate) for own, _ in some]
            for (_, asked), network in zip(some, column._train(lessons), strict=True):
                sums[asked] = network.predict(rows[asked])
                table += network.parameters.reshape(table.shape) / np.float32(len(parts))
        spread = sums.std(axis=0)
        column = dataclasses.replace(
            column,
            center=tuple(sums.mean(axis=0).tolist()),
            scale=tuple(np.where(spread > TINY, spread, 1.0).tolist()),
            learned=column._kept(table),
        )
        if self.store is None or len(parts) == 1:
            return column
        there = values.is_not_null().to_numpy()
        features = column._features(sums, rows)
        share = np.clip(TEXTS_TO_FORGET / len(values), *SHARES_TO_FORGET)
        features[np.random.Generator(np.random.Philox(key=2)).random(len(values)) < share] = 0
        told = np.full((len(self.store[0]), units), np.nan)
        told[values.drop_nulls().to_numpy()] = features[there]
        return dataclasses.replace(column, told=told)

    def _paced(self, rows: Bags, targets: Array) -> Self:
        """Return the column with the rate that has the least loss on held-out texts."""
        some = np.random.Generator(np.random.Philox(key=1)).permutation(len(rows))[:ROWS_FOR_RATE]
        asked, own = some[: len(some) // 5], some[len(some) // 5 :]
        if not len(asked):
            return self
        rates, learned, held = PACES[self.loss][1], rows[own], rows[asked]
        losses: dict[int, float] = {}

        def try_out(places: Sequence[int]) -> int:
            networks = self._train([(learned, targets[own], rates[place]) for place in places])
            for place, network in zip(places, networks, strict=True):
                losses[place] = _loss_of(self.loss, network.predict(held), targets[asked])
            return min(losses, key=lambda place: losses[place])

        # A loss that falls and rises has its least between or beside the better of two.
        better = try_out((1, 3))
        return dataclasses.replace(self, rate=rates[try_out((better - 1, better + 1))])

    def _train(self, lessons: Sequence[tuple[Bags, Array, float]]) -> list[Network]:
        """Return a network of sums for each lesson: rows, targets and the rate."""
        networks, each = list[Network](), list[dict[str, Any]]()
        batch, _ = PACES[self.loss]
        for rows, targets, rate in lessons:
            y = targets.argmax(axis=1) if self.loss == "cross_entropy" else targets
            table = EmbeddingBag(
                len(self.learned.buckets) + 1, len(self.goals), "sum", weight_initializer="zeros"
            )
            networks.append(Network([table, Activate(LOSSES[self.loss])], self._input))
            optimizer = SGD(CosineDecay(batch * rate, epochs=EPOCHS))
            each.append({"X": rows, "y": y, "loss": self.loss, "optimizer": optimizer})
        train_many(networks, lessons[0][0], each[0]["y"], each=each, epochs=EPOCHS, batch_size=batch)
        return [self._sums(network) for network in networks]

    def _sums(self, network: Network) -> Network:
        """Return a network that gives the sums themselves."""
        found = Network(network.layers[:1], self._input)
        found.parameters[...] = network.parameters
        return found

    def _kept(self, table: Array) -> Learned:
        """Return the learned numbers with a byte each."""
        bias, weights = table[0].copy(), table[1:]
        largest = np.abs(weights).max(axis=1, initial=0)
        scales = _short(largest / LARGEST)
        whole = np.rint(weights / np.where(scales > 0, scales, 1)[:, None]).clip(-LARGEST, LARGEST)
        return dataclasses.replace(self.learned, weights=whole.astype(np.int8), scales=scales, bias=bias)

    @property
    def features(self) -> list[str]:
        return [f"{self.column}:{goal}" for goal in self.goals]

    def encode(self, values: pl.Series) -> Encoded:
        if self.told is None or values.dtype != pl.UInt32:
            return self._encoded(values)
        told = self.told[values.fill_null(0).to_numpy()]
        others = values.is_null().to_numpy() | np.isnan(told[:, 0])
        told[others], notes = self._encoded(values.filter(others))
        return told, notes

    def _encoded(self, values: pl.Series) -> Encoded:
        rows, notes = self._weighed(self._bags(values)), list[GanglionNotice]()
        if missing := values.null_count():
            notes.append(missing_values(self.column, missing, "what is usual"))
        if (unknown := int((np.diff(rows.offsets) == 1).sum()) - missing) > 0:
            notes.append(self._unknown(unknown))
        return self._features(self._network.predict(rows), rows), notes

    def encode_value(self, value: Any) -> EncodedValue:
        word = as_word(self.column, value)
        rows = self._weighed([grams.count([word or ""]) for grams in self._grams])
        encoded = self._features(self._network.predict(rows), rows)[0].tolist()
        if word is None:
            return encoded, missing_values(self.column, 1, "what is usual")
        return encoded, self._unknown(1) if len(rows.indices) == 1 else None

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
                if self._places[bucket]:
                    grams.append(" | ".join(names).replace(BEGIN, "_").replace(END, "_"))
                    counts.append(count)
        rows = self._weighed([grams.count([text]) for grams in self._grams])
        (numbers,) = self._network.named_parameters().values()
        buckets = [None, *self.learned.buckets[rows.indices[1:] - 1].tolist()]
        return pl.DataFrame(
            {
                "gram": ["bias", *grams],
                "bucket": pl.Series(buckets, dtype=pl.Int64),
                "count": [None, *counts],
                "weight": rows.weights,
            }
            | dict(zip(self.features, numbers[rows.indices].T, strict=True))
        )

    def _unknown(self, count: int) -> GanglionNotice:
        texts = f"{count} texts" if count > 1 else "1 text"
        return GanglionNotice(
            f"column {self.column!r}: {texts} in which no word is known, treated as what is usual",
            "unknown-texts",
        )

    def _features(self, sums: Array, rows: Bags) -> Array:
        """Return the features of texts: standardized sums, or their means if nothing in a text is known."""
        result = (sums.astype(np.float64) - np.array(self.center)) / np.array(self.scale)
        result[np.diff(rows.offsets) == 1] = 0
        return result

    def _bags(self, values: pl.Series) -> tuple[Bags, ...]:
        """Return what is counted in texts, or in those with the given numbers."""
        if self.store is not None and values.dtype == pl.UInt32:
            empty = len(self.store[0]) if self.store else 0
            numbers = values.fill_null(empty).to_numpy().astype(np.int64)
            return tuple(_or_nothing(bags, numbers) for bags in self.store)
        texts = [word or "" for word in words_of(values)]
        return tuple(grams.count(texts) for grams in self._grams)

    def _weighed(self, parts: Sequence[Bags]) -> Bags:
        """Return the weighted rows of the table for each text, of which the first is the bias."""
        return weighed(parts, self._places, self._rarity)

    @cached_property
    def _grams(self) -> tuple[Grams, ...]:
        words = [Grams(False, 1, self.words, BITS)] if self.words else []
        characters = (
            [Grams(True, self.characters[0], self.characters[1], BITS)] if any(self.characters) else []
        )
        return (*words, *characters)

    @cached_property
    def _input(self) -> BagInput:
        return BagInput(len(self.learned.buckets) + 1, weighted=True)

    @cached_property
    def _places(self) -> Array:
        """The row of each bucket in the table; 0 of those not in use."""
        found = np.zeros(2**BITS, np.int32)
        found[self.learned.buckets] = np.arange(1, len(self.learned.buckets) + 1)
        return found

    @cached_property
    def _rarity(self) -> Array:
        """How much the rarity of each row's n-gram weighs."""
        return np.concatenate([[1.0], rarity(self.learned.documents, self.rows)])

    @cached_property
    def _network(self) -> Network:
        """The network of the sums."""
        network = Network([EmbeddingBag(len(self.learned.buckets) + 1, len(self.goals), "sum")], self._input)
        (table,) = network.named_parameters().values()
        table[0] = self.learned.bias
        table[1:] = self.learned.weights * self.learned.scales[:, None]
        return network

    def configuration(self) -> dict[str, Any]:
        found = super().configuration()
        for name in ("learned", "store", "told"):
            del found[name]
        return found

    def arrays(self) -> Mapping[str, Array]:
        return vars(self.learned)

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        names = [each.name for each in dataclasses.fields(Learned)]
        if set(arrays) != set(names):
            raise ConfigError(f"a column of text must have the arrays {', '.join(names)}")
        count, units = len(arrays["buckets"]), len(self.goals)
        shapes = ((count,), (count,), (count, units), (count,), (units,))
        dtypes = (np.uint32, np.uint32, np.int8, np.float32, np.float32)
        for name, shape, dtype in zip(names, shapes, dtypes, strict=True):
            if arrays[name].shape != shape or arrays[name].dtype != dtype:
                raise ConfigError(f"{name} of a column of text must be {np.dtype(dtype)} of shape {shape}")
        buckets, documents = arrays["buckets"].astype(np.int64), arrays["documents"]
        if (np.diff(buckets) <= 0).any() or (count and buckets[-1] >= 2**BITS):
            raise ConfigError(f"buckets of a column of text must ascend and be below {2**BITS}")
        if (documents > self.rows).any() or not (documents > 0).all():
            raise ConfigError("documents of a column of text must be from 1 to the number of rows")
        for name in ("scales", "bias"):
            if not np.isfinite(arrays[name]).all() or np.abs(arrays[name]).max(initial=0) > MOST_SCALE:
                raise ConfigError(f"{name} of a column of text must be finite and below {MOST_SCALE:g}")
        return dataclasses.replace(self, learned=Learned(**arrays))

    def alone(self) -> Self:
        return dataclasses.replace(self, store=None, told=None)

    def describe(self) -> str:
        kinds = [f"1 to {self.words} words"] if self.words else []
        kinds += [f"{self.characters[0]} to {self.characters[1]} characters"] if any(self.characters) else []
        known = f"{len(self.learned.buckets):,} " if self.learned.buckets.size else ""
        return f"text, {known}n-grams of {' and of '.join(kinds)}"


def _parts(rows: int) -> list[tuple[Array, Array]]:
    """Return for each fold the rows outside it and in it; for a row alone, the row and nothing."""
    folds = folds_of(rows, FOLDS)
    found = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(FOLDS)]
    return [part for part in found if all(map(len, part))] or [(np.arange(rows), np.arange(0))]


def _or_nothing(bags: Bags, rows: Array) -> Bags:
    """Return some of the bags; an empty one for a number beyond the last."""
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


def _loss_of(loss: str, sums: Array, targets: Array) -> float:
    """Return the mean loss of sums."""
    z = sums.astype(np.float64)
    if loss == "mse":
        return float(((z - targets) ** 2).mean())
    if loss == "binary_cross_entropy":
        return float((np.logaddexp(0, z) - targets * z).mean())
    z = z - z.max(axis=1, keepdims=True)
    return float((np.log(np.exp(z).sum(axis=1)) - (z * targets).sum(axis=1)).mean())


def _short(numbers: Array) -> Array:
    """Return positive numbers rounded up to 16 significant bits, so that a byte times one is exact."""
    mantissa, exponent = np.frexp(numbers.astype(np.float64))
    return np.ldexp(np.ceil(mantissa * 2**16) / 2**16, exponent).astype(np.float32)
