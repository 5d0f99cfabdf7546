"""Randomness as pure functions: the same arguments give the same numbers, and there is no state.

Every random choice is computed from (seed, purpose, position), so that a run resumed at step k equals an
uninterrupted one, and any engine can compute the choices of any step independently. Initial weights, orders
and splits use NumPy's Philox, a counter-based generator (Salmon et al., 2011). Dropout masks use a small
integer hash that is easy to write in C++ too.
"""

from __future__ import annotations

import enum

import numpy as np

from ganglion.core.part import Array, Shape

MASK_64 = 2**64 - 1


class Purpose(enum.IntEnum):
    """The purpose of a random choice; choices for different purposes are independent."""

    INITIAL_WEIGHTS = 1
    EPOCH_ORDER = 2
    SPLIT = 3
    MASK = 4
    EXAMPLE = 5
    AUGMENTATION = 6


def generator(seed: int, purpose: Purpose, position: int = 0) -> np.random.Generator:
    """Return the generator of one random choice: (seed, purpose) is its key, `position` its counter."""
    key = np.array([seed, purpose], dtype=np.uint64)
    counter = np.array([0, 0, 0, position], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def order(seed: int, epoch: int, rows: int) -> Array:
    """Return the order in which an epoch visits its rows, a permutation of range(rows)."""
    return generator(seed, Purpose.EPOCH_ORDER, epoch).permutation(rows)


def mix(value: int) -> int:
    """Return a 64-bit hash of a 64-bit integer: the finalizer of splitmix64 (Steele et al., 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & MASK_64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK_64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK_64
    return value ^ (value >> 31)


def random_integers(seed: int, layer: int, step: int, shape: Shape) -> Array:
    """Return 32 random bits for each element of `shape`, as uint32, for a layer at a step.

    Element i of the flattened array is h(h(i ^ low) + high), where `low` and `high` are the halves of
    the hash of (seed, purpose, layer, step) and h is the 32-bit mixer "lowbias32" (Wellons, 2018).
    """
    key = mix(mix(mix(mix(seed) ^ Purpose.MASK) ^ layer) ^ step)
    count = int(np.prod(shape, dtype=np.int64))
    return _bits(key, np.arange(count, dtype=np.uint32)).reshape(shape)


def fractions_of_rows(seed: int, purpose: Purpose, position: int, choice: int, rows: Array) -> Array:
    """Return a random number in [0, 1) for each row, which depends on nothing but the arguments and that row.

    Args:
        seed: from 0 to 2**64 - 1.
        purpose: of the choice.
        position: such as the epoch.
        choice: a number for each of several independent choices at one position.
        rows: the numbers of the rows, from 0 to 2**32 - 1.
    """
    key = mix(mix(mix(mix(seed) ^ purpose) ^ position) ^ choice)
    return _bits(key, rows.astype(np.uint32)) / 2**32


def _bits(key: int, positions: Array) -> Array:
    """Return 32 random bits for each position: the hash of `random_integers`."""
    bits = positions ^ np.uint32(key & 0xFFFFFFFF)
    return _mix_32(_mix_32(bits) + np.uint32(key >> 32))


def _mix_32(bits: Array) -> Array:
    bits = (bits ^ (bits >> np.uint32(16))) * np.uint32(0x7FEB352D)
    bits = (bits ^ (bits >> np.uint32(15))) * np.uint32(0x846CA68B)
    return bits ^ (bits >> np.uint32(16))
