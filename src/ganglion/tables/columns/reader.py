"""A reader of texts: a small convolutional network over their words in order.

A bag of n-grams does not see that a word stands in the middle of others. Kim, "Convolutional neural networks
for sentence classification", EMNLP 2014.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.bags import Bags
from ganglion.core.inputs import IntegerInput
from ganglion.core.layers import Dense, Layer
from ganglion.core.part import Array
from ganglion.errors import ConfigError
from ganglion.many import train_many
from ganglion.network import Network
from ganglion.presets import text_cnn
from ganglion.tables.columns.grams import in_use
from ganglion.text.grams import Grams
from ganglion.training.optimizers import Adam
from ganglion.training.stopping import EarlyStopping

SINGLE_WORDS = Grams(characters=False, least=1, most=1, bits=20)
NOTHING, UNKNOWN, SPECIAL = 0, 1, 2  # what is after the last word, another word, and how many these are
MOST_WORDS, FEWEST_TIMES = 8192, 2
SHORTEST, LONGEST = 5, 200  # words that are read
USUAL = 0.95  # of the texts are read whole
EPOCHS, PATIENCE, BATCH, RATE = 10, 2, 32, 0.001
SHARE = 0.3  # of the reader in an answer, when it is tried out
LEAST_GAIN = 0.005  # by which it must then lower the loss to be used
MOST_PARAMETER = 1e15
ARRAYS = "buckets", "parameters"


@dataclass(frozen=True)
class Reader:
    """What a small convolutional network says of the words of a text, in their order.

    Args:
        buckets: those of the words that it knows, ascending, uint32.
        parameters: of its network, float32.
        length: the number of words that it reads of a text; 0 if there is none.
        units: the number of its answers.
    """

    buckets: Array
    parameters: Array
    length: int
    units: int

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Reader)
            and (self.length, self.units) == (other.length, other.units)
            and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in ARRAYS)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def words(self) -> int:
        """The number of rows of its table of words."""
        return len(self.buckets) + SPECIAL

    def rows(self, texts: Bags) -> Array:
        """Return the numbers of the first words of each text, (n, length) of int64."""
        known = np.searchsorted(self.buckets, texts.indices)
        inside = np.minimum(known, max(len(self.buckets) - 1, 0))
        found = np.full(len(known), UNKNOWN, np.int64)
        if len(self.buckets):
            same = self.buckets[inside] == texts.indices
            found[same] = known[same] + SPECIAL
        rows = np.zeros((len(texts), self.length), np.int64)
        place = np.arange(len(found)) - np.repeat(texts.offsets[:-1], np.diff(texts.offsets))
        row = np.repeat(np.arange(len(texts)), np.diff(texts.offsets))
        read = place < self.length
        rows[row[read], place[read]] = found[read]
        return rows

    def said(self, texts: Bags) -> Array:
        """Return what the network says of texts, before the last activation."""
        return self.network.predict(self.rows(texts))

    @cached_property
    def network(self) -> Network:
        """The network without its last activation."""
        network = self._made("identity")
        network.parameters[...] = self.parameters
        return network

    def _made(self, activation: str) -> Network:
        layers: list[Layer] = text_cnn(self.words, max(self.units, 2))[:-1]
        return Network([*layers, Dense(self.units, activation)], IntegerInput(self.words, (self.length,)))

    def arrays(self) -> dict[str, Array]:
        """Return what a model file holds."""
        return {name: getattr(self, name) for name in ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], length: int, units: int) -> Self:
        """Return the reader that a model file holds.

        Raises:
            ConfigError: if it is not valid.
        """
        if set(arrays) != set(ARRAYS):
            raise ConfigError(f"a reader of texts must have the arrays {', '.join(ARRAYS)}")
        check_integer("length", length, at_least=1, at_most=LONGEST)
        found = cls(arrays["buckets"], arrays["parameters"], length, units)
        if found.buckets.dtype != np.uint32 or found.buckets.ndim != 1 or len(found.buckets) > MOST_WORDS:
            raise ConfigError(f"buckets of a reader of texts must be at most {MOST_WORDS} uint32")
        if (np.diff(found.buckets.astype(np.int64)) <= 0).any():
            raise ConfigError("buckets of a reader of texts must ascend")
        size = found._made("identity").parameters.shape
        if found.parameters.dtype != np.float32 or found.parameters.shape != size:
            raise ConfigError(f"parameters of a reader of texts must be float32 of shape {size}")
        if not np.isfinite(found.parameters).all() or np.abs(found.parameters).max() > MOST_PARAMETER:
            raise ConfigError(f"parameters of a reader of texts must be finite and below {MOST_PARAMETER:g}")
        return found

    def learned(
        self,
        texts: Bags,
        sums: Array,
        targets: Array,
        loss: str,
        activation: str,
        parts: Sequence[tuple[Array, Array]],
    ) -> tuple[Self, Array]:
        """Return a reader that has learned, and what it says of each text after learning from others.

        Args:
            texts: the buckets of their words in order.
            sums: what their n-grams say, learned from others. If a reader does not help them to answer those
                inside the first fold, there will be none.
            targets: (n, units).
            loss: from which it learns.
            activation: of its last layer.
            parts: the texts outside and inside each fold.
        """
        used, _ = in_use([texts], 2**SINGLE_WORDS.bits, FEWEST_TIMES, MOST_WORDS)
        usual = float(np.quantile(np.diff(texts.offsets), USUAL)) if len(texts) else 0
        length = int(np.clip(np.ceil(usual), SHORTEST, LONGEST))
        made = dataclasses.replace(self, buckets=used.astype(np.uint32), length=length)
        x, y = made.rows(texts), targets.argmax(axis=1) if loss == "cross_entropy" else targets
        settings: dict[str, Any] = {"loss": loss, "batch_size": BATCH}
        own, asked = parts[0]
        first, stop = made._made(activation), EarlyStopping(PATIENCE)
        history = first.fit(
            x[own], y[own], optimizer=Adam(RATE), epochs=EPOCHS, validation=(x[asked], y[asked]),
            callbacks=[stop], **settings,
        )  # fmt: skip
        said = np.zeros(targets.shape)
        said[asked] = made._of(first).network.predict(x[asked])
        both = (1 - SHARE) * sums[asked] + SHARE * said[asked]
        losses = [loss_of(loss, each, targets[asked]) for each in (sums[asked], both)]
        if losses[1] > (1 - LEAST_GAIN) * losses[0]:
            return self, np.zeros((len(texts), 0))
        epochs = int(np.argmin(history.validation_loss)) + 1
        rest = [*parts[1:], (np.arange(len(texts)), np.arange(0))]
        networks = [made._made(activation) for _ in rest]
        each = [{"X": x[part], "y": y[part], "optimizer": Adam(RATE)} for part, _ in rest]
        train_many(networks, x, y, each=each, epochs=epochs, **settings)
        for (_, inside), network in zip(rest[:-1], networks[:-1], strict=True):
            said[inside] = made._of(network).network.predict(x[inside])
        return made._of(networks[-1]), said

    def _of(self, network: Network) -> Self:
        return dataclasses.replace(self, parameters=network.parameters.copy())


def loss_of(loss: str, sums: Array, targets: Array) -> float:
    """Return the mean loss of sums."""
    z = sums.astype(np.float64)
    if loss == "mse":
        return float(((z - targets) ** 2).mean())
    if loss == "binary_cross_entropy":
        return float((np.logaddexp(0, z) - targets * z).mean())
    z = z - z.max(axis=1, keepdims=True)
    return float((np.log(np.exp(z).sum(axis=1)) - (z * targets).sum(axis=1)).mean())


def no_reader(units: int) -> Reader:
    """Return a reader that reads nothing."""
    return Reader(np.zeros(0, np.uint32), np.zeros(0, np.float32), 0, units)
