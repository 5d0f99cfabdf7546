"""Compares a training step of the reference engine with a handwritten NumPy loop.

The network is 784-256-128-10 with ReLU and softmax, batch 128, float32, Adam. Both sides gather each batch by
row index, run forward and backward, and update. They visit the rows in the same order, start from the same
weights and must reach the same loss. The handwritten loop writes to preallocated buffers, and supports only
this network.

    python benchmarks/step.py
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable

import numpy as np

import ganglion as gg

SIZES = (784, 256, 128, 10)
BATCH, STEPS, ROUNDS = 128, 60, 9
RATE, BETA_1, BETA_2, EPSILON = np.float32(0.001), np.float32(0.9), np.float32(0.999), np.float32(1e-8)


def by_hand(x: np.ndarray, y: np.ndarray, start: np.ndarray) -> tuple[Callable[[], float], np.ndarray]:
    """Return the live weights, and first a function that trains one epoch and returns its mean loss."""
    flat = start.copy()
    gradient, m, v, scratch = (np.zeros_like(flat) for _ in range(4))
    layers: list[tuple[np.ndarray, np.ndarray]] = []
    grads: list[tuple[np.ndarray, np.ndarray]] = []
    place = 0
    for inputs, units in itertools.pairwise(SIZES):
        for views, vector in ((layers, flat), (grads, gradient)):
            weight = vector[place : place + inputs * units].reshape(inputs, units)
            bias = vector[place + inputs * units : place + inputs * units + units]
            views.append((weight, bias))
        place += (inputs + 1) * units
    batch_x = np.empty((BATCH, SIZES[0]), np.float32)
    batch_y = np.empty((BATCH, SIZES[-1]), np.float32)
    z = [np.empty((BATCH, units), np.float32) for units in SIZES[1:]]
    delta = [np.empty((BATCH, units), np.float32) for units in SIZES[1:]]
    largest = np.empty((BATCH, 1), np.float32)
    update, order = 0, np.arange(len(x))

    def epoch() -> float:
        nonlocal update
        total = 0.0
        for first in range(0, len(x), BATCH):
            rows = order[first : first + BATCH]
            np.take(x, rows, axis=0, out=batch_x)
            np.take(y, rows, axis=0, out=batch_y)
            a = batch_x
            for i, (weight, bias) in enumerate(layers):
                np.matmul(a, weight, out=z[i])
                np.add(z[i], bias, out=z[i])
                if i < len(layers) - 1:
                    np.maximum(z[i], 0, out=z[i])
                a = z[i]
            np.max(a, axis=1, keepdims=True, out=largest)
            np.subtract(a, largest, out=a)
            last = delta[-1]
            np.exp(a, out=last)
            sums = last.sum(axis=1, keepdims=True)
            total += float(-(batch_y * (a - np.log(sums))).sum()) / BATCH
            np.divide(last, sums, out=last)
            np.subtract(last, batch_y, out=last)
            np.divide(last, np.float32(BATCH), out=last)
            for i in reversed(range(len(layers))):
                below = batch_x if i == 0 else z[i - 1]
                np.matmul(below.T, delta[i], out=grads[i][0])
                np.sum(delta[i], axis=0, out=grads[i][1])
                if i:
                    np.matmul(delta[i], layers[i][0].T, out=delta[i - 1])
                    np.multiply(delta[i - 1], z[i - 1] > 0, out=delta[i - 1])
            update += 1
            np.multiply(m, BETA_1, out=m)
            np.multiply(gradient, 1 - BETA_1, out=scratch)
            np.add(m, scratch, out=m)
            np.multiply(v, BETA_2, out=v)
            np.multiply(gradient, gradient, out=scratch)
            np.multiply(scratch, 1 - BETA_2, out=scratch)
            np.add(v, scratch, out=v)
            np.sqrt(v, out=scratch)
            np.divide(scratch, np.float32(np.sqrt(1 - BETA_2**update)), out=scratch)
            np.add(scratch, EPSILON, out=scratch)
            np.divide(m, scratch, out=scratch)
            np.multiply(scratch, RATE / (1 - BETA_1**update), out=scratch)
            np.subtract(flat, scratch, out=flat)
        return total / (len(x) // BATCH)

    return epoch, flat


def main() -> None:
    chance = np.random.default_rng(0)
    x = chance.normal(size=(BATCH * STEPS, SIZES[0])).astype(np.float32)
    labels = chance.integers(0, SIZES[-1], len(x))
    net = gg.Network(
        [gg.Dense(256, "relu"), gg.Dense(128, "relu"), gg.Dense(10, "softmax")],
        inputs=784,
        engine="reference",
    )
    hand, _ = by_hand(x, np.eye(10, dtype=np.float32)[labels], net.parameters)
    times: dict[str, list[float]] = {"by hand": [], "reference": []}
    for number in range(ROUNDS):
        begun = time.perf_counter()
        hand_loss = hand()
        middle = time.perf_counter()
        loss = net.fit(x, labels, optimizer=gg.Adam(0.001), epochs=1, batch_size=BATCH, shuffle=False).loss[
            -1
        ]
        end = time.perf_counter()
        times["by hand"].append((middle - begun) / STEPS * 1e6)
        times["reference"].append((end - middle) / STEPS * 1e6)
        # Rounding differs, and a network with ReLU amplifies it: only the first epoch must agree closely.
        if abs(hand_loss - loss) > (1e-2 if number else 1e-5) * hand_loss + 1e-3:
            raise SystemExit(f"the losses differ in epoch {number + 1}: {hand_loss} by hand, {loss} here")
    ratios = [a / b for a, b in zip(times["reference"][1:], times["by hand"][1:], strict=True)]
    for name, values in times.items():
        print(f"{name:<10} {statistics.median(values[1:]):8.0f} µs per step")
    print(
        f"ratio      {statistics.median(ratios):8.2f} ({min(ratios):.2f} to {max(ratios):.2f}; at most 1.6)"
    )


if __name__ == "__main__":
    main()
