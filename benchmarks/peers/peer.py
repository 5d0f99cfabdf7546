"""The interface of peers, and what they are compared by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from layers import Array
from workloads import Workload

COMPARED = 20  # how many of many networks must agree in their final losses


def mean_loss(workload: Workload, outputs: Array, y: Array) -> float:
    """Return the loss in float64, from predictions (probabilities for cross entropy)."""
    outputs = np.asarray(outputs, np.float64).reshape(len(y), -1)
    if workload.loss == "cross_entropy":
        return float(-np.log(outputs[np.arange(len(y)), y]).mean())
    return float(((outputs - y) ** 2).mean())


class Peer:
    """The interface of peers: a training run, a prediction, many networks."""

    def prepare(self, workload: Workload) -> None:
        """Create data and network; not timed."""
        self.workload = workload
        self.x, self.y = workload.data()
        self.start = workload.weights()

    def reset(self) -> None:
        """Restore the initial weights; not timed."""

    def train(self) -> None:
        """Run all epochs; timed."""
        raise NotImplementedError

    def outputs(self) -> Array:
        """Return predictions for all rows of the workload."""
        raise NotImplementedError

    def predictor(self, rows: int) -> Callable[[], Any]:
        """Return a function that predicts this many rows, from a NumPy array to a NumPy array."""
        raise NotImplementedError

    def many(self, count: int) -> float:
        """Train this many networks in sequence; return the mean final loss of the first COMPARED."""
        losses = []
        for number in range(count):
            self.start = self.workload.weights(seed=number)
            self.reset()
            self.train()
            losses.append(mean_loss(self.workload, self.outputs(), self.y))
        return float(np.mean(losses[:COMPARED]))
