"""The workloads: networks, data and hyperparameters, the same for all peers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from layers import (
    Array,
    Convolution,
    Dense,
    GlobalAverage,
    Layer,
    MaxPool,
    Shape,
    basic_blocks,
    dense,
    normalized,
    separable,
    walk,
)

RATE = 0.001


@dataclass(frozen=True)
class Workload:
    """A network trained on rows in a fixed order with Adam (or plain SGD), `steps` updates per run."""

    name: str
    shape: Shape
    layers: tuple[Layer, ...]
    batch: int
    rows: int
    epochs: int
    loss: str = "mse"
    optimizer: str = "adam"
    dtype: str = "float32"
    peers: tuple[str, ...] = ("scikit-learn", "PyTorch", "JAX")
    network: str = ""
    """What the network is, for the tables; by default the sizes of its dense layers and their activation."""

    @property
    def steps(self) -> int:
        return self.epochs * (self.rows // self.batch)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of inputs and of the units of each dense layer."""
        return (*self.shape, *[layer.units for layer in self.layers if isinstance(layer, Dense)])

    @property
    def activation(self) -> str:
        """The activation of the hidden dense layers."""
        return next(layer.activation for layer in self.layers if isinstance(layer, Dense))

    @property
    def operations(self) -> int:
        """Multiplications and additions in a step's products, without the gradient of the inputs."""
        products = [layer.products(shape) for layer, shape in walk(self.layers, self.shape)]
        return 2 * self.batch * (3 * sum(products) - products[0])

    def data(self) -> tuple[Array, Array]:
        """Return inputs and targets."""
        return self._rows() if len(self.shape) == 1 else self._images()

    def _rows(self) -> tuple[Array, Array]:
        """Return rows of numbers and a smooth function of them, or its largest output as the class."""
        chance = np.random.default_rng(1)
        inputs, outputs = self.sizes[0], self.sizes[-1]
        x = chance.normal(size=(self.rows, inputs))
        y = np.tanh(x @ chance.normal(0, inputs**-0.5, (inputs, outputs)))
        if self.loss == "cross_entropy":
            return x.astype(self.dtype), y.argmax(axis=1)
        return x.astype(self.dtype), y.astype(self.dtype)

    def _images(self) -> tuple[Array, Array]:
        """Return the pattern of each image's class, in noise, and the class.

        One class in five is wrong: the loss stays far above 0, where rounding would decide it.
        """
        chance = np.random.default_rng(1)
        classes = self.sizes[-1]
        patterns, y = chance.normal(size=(classes, *self.shape)), chance.integers(classes, size=self.rows)
        x = 0.5 * patterns[y] + chance.normal(size=(self.rows, *self.shape))
        wrong = chance.integers(classes, size=self.rows)
        return x.astype(self.dtype), np.where(chance.random(self.rows) < 0.2, wrong, y)

    def weights(self, seed: int = 2) -> list[Array]:
        """Return the initial parameters of all layers: weights (inputs, outputs), then biases."""
        chance = np.random.default_rng(seed)
        return [
            array
            for layer, shape in walk(self.layers, self.shape)
            for array in layer.start(shape, chance, self.dtype)
        ]


def convolutional(
    name: str, network: str, shape: Shape, layers: tuple[Layer, ...], batch: int, rows: int, epochs: int
) -> Workload:
    peers = ("PyTorch", "JAX")
    return Workload(
        name, shape, layers, batch, rows, epochs, loss="cross_entropy", peers=peers, network=network
    )


LENET = (
    Convolution(8, 5, padding=2),
    MaxPool(),
    Convolution(16, 5, padding=0),
    MaxPool(),
    *dense("relu", 120, 84, 10),
)
VGG = (
    Convolution(32, 3, padding=1),
    Convolution(32, 3, padding=1),
    MaxPool(),
    Convolution(64, 3, padding=1),
    Convolution(64, 3, padding=1),
    MaxPool(),
    *dense("relu", 128, 10),
)
SIGNAL = (
    Convolution(32, 7, padding=3),
    MaxPool(),
    Convolution(64, 5, padding=2),
    GlobalAverage(),
    Dense(6),
)
DIGITS = (Convolution(16, 3, padding=1), Convolution(32, 3, padding=1), MaxPool(), Dense(10))
SEPARABLE = (
    Convolution(16, 3, padding=1),
    *separable(16, 32, stride=2),
    *separable(32, 64, stride=2),
    *separable(64, 64, stride=2),
    GlobalAverage(),
    Dense(10),
)
RESNET = (
    *normalized(16),
    *basic_blocks(16, 2),
    *normalized(32, stride=2),
    *basic_blocks(32, 2),
    *normalized(64, stride=2),
    *basic_blocks(64, 2),
    GlobalAverage(),
    Dense(10),
)

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("tiny", (2,), dense("tanh", 16, 16, 1), 32, 9984, 16),
        Workload(
            "online",
            (16,),
            dense("relu", 64, 64, 4),
            batch=1,
            rows=2000,
            epochs=2,
            optimizer="sgd",
            peers=("PyTorch", "JAX"),
        ),
        Workload("full batch", (4,), dense("tanh", 32, 16, 4), 10_000, 10_000, 100),
        Workload("tabular", (30,), dense("relu", 100, 100, 2), 200, 20_000, 8),
        Workload("tabular float64", (30,), dense("relu", 100, 100, 2), 200, 20_000, 8, dtype="float64"),
        Workload("regression", (8,), dense("relu", 64, 64, 1), 256, 25_600, 10),
        Workload("mnist", (784,), dense("relu", 256, 128, 10), 128, 12_800, 3, loss="cross_entropy"),
        Workload("wide", (1024,), dense("relu", 1024, 1024, 10), 256, 2560, 2, loss="cross_entropy"),
        Workload("deep", (64,), dense("relu", *[64] * 21), 64, 6400, 3, network="64 x 20 layers of 64 relu"),
        convolutional("lenet", "LeNet, 28x28x1", (28, 28, 1), LENET, 64, 3200, 2),
        convolutional("vgg", "4 convolutions, 32x32x3", (32, 32, 3), VGG, 64, 640, 1),
        convolutional("signal", "2 convolutions over signals, 128x6", (128, 6), SIGNAL, 64, 3200, 2),
        convolutional("digits", "2 convolutions, 8x8x1", (8, 8, 1), DIGITS, 32, 3200, 2),
        convolutional("separable", "3 separable convolutions, 32x32x3", (32, 32, 3), SEPARABLE, 64, 1280, 2),
        convolutional("resnet", "ResNet of 16 layers, 32x32x3", (32, 32, 3), RESNET, 64, 640, 1),
    )
}
MANY = Workload("thousand", (8,), dense("relu", 64, 64, 1), 32, 1024, 10, peers=("scikit-learn", "PyTorch"))
PREDICTED = Workload("prediction", (30,), dense("relu", 100, 100, 2), 200, 20_000, 1)
START = Workload("cold start", (2,), dense("tanh", 16, 16, 1), 32, 3200, 1)
KNOWN = {workload.name: workload for workload in (*WORKLOADS.values(), MANY, PREDICTED, START)}

# What is predicted: a workload's network, and the number of its rows.
PREDICTIONS = {
    "predict 1 row": (PREDICTED, 1),
    "predict 100 rows": (PREDICTED, 100),
    "predict 20,000 rows": (PREDICTED, 20_000),
    "predict 1 image of lenet": (WORKLOADS["lenet"], 1),
    "predict 1,000 images of lenet": (WORKLOADS["lenet"], 1000),
    "predict 1 image of digits": (WORKLOADS["digits"], 1),
}
