"""The workloads: networks, data and hyperparameters, the same for all peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
RATE = 0.001


@dataclass(frozen=True)
class Workload:
    """A network trained on rows in a fixed order with Adam (or plain SGD), `steps` updates per run."""

    name: str
    sizes: tuple[int, ...]
    activation: str
    batch: int
    rows: int
    epochs: int
    loss: str = "mse"
    optimizer: str = "adam"
    dtype: str = "float32"
    peers: tuple[str, ...] = ("scikit-learn", "PyTorch", "JAX")

    @property
    def steps(self) -> int:
        return self.epochs * (self.rows // self.batch)

    @property
    def operations(self) -> int:
        """Multiplications and additions in a step's matrix products, without the gradient of the inputs."""
        products = [a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False)]
        return 2 * self.batch * (3 * sum(products) - products[0])

    def data(self) -> tuple[Array, Array]:
        """Return inputs and targets: a smooth function of the inputs, or its largest output as the class."""
        chance = np.random.default_rng(1)
        x = chance.normal(size=(self.rows, self.sizes[0]))
        y = np.tanh(x @ chance.normal(0, self.sizes[0] ** -0.5, (self.sizes[0], self.sizes[-1])))
        if self.loss == "cross_entropy":
            return x.astype(self.dtype), y.argmax(axis=1)
        return x.astype(self.dtype), y.astype(self.dtype)

    def weights(self, seed: int = 2) -> list[tuple[Array, Array]]:
        """Return each layer's initial weights (inputs, units) and biases."""
        chance = np.random.default_rng(seed)
        return [
            (
                chance.uniform(-1, 1, (a, b)).astype(self.dtype) * np.sqrt(6 / (a + b)).astype(self.dtype),
                np.zeros(b, self.dtype),
            )
            for a, b in zip(self.sizes, self.sizes[1:], strict=False)
        ]


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("tiny", (2, 16, 16, 1), "tanh", 32, 9984, 16),
        Workload("online", (16, 64, 64, 4), "relu", 1, 2000, 2, optimizer="sgd", peers=("PyTorch", "JAX")),
        Workload("full batch", (4, 32, 16, 4), "tanh", 10_000, 10_000, 100),
        Workload("tabular", (30, 100, 100, 2), "relu", 200, 20_000, 8),
        Workload("tabular float64", (30, 100, 100, 2), "relu", 200, 20_000, 8, dtype="float64"),
        Workload("regression", (8, 64, 64, 1), "relu", 256, 25_600, 10),
        Workload("mnist", (784, 256, 128, 10), "relu", 128, 12_800, 3, loss="cross_entropy"),
        Workload("wide", (1024, 1024, 1024, 10), "relu", 256, 2560, 2, loss="cross_entropy"),
        Workload("deep", (64, *[64] * 20, 64), "relu", 64, 6400, 3),
    )
}
MANY = Workload("thousand", (8, 64, 64, 1), "relu", 32, 1024, 10, peers=("scikit-learn", "PyTorch"))
PREDICTED = Workload("prediction", (30, 100, 100, 2), "relu", 200, 20_000, 1)
START = Workload("cold start", (2, 16, 16, 1), "tanh", 32, 3200, 1)
