"""ganglion, on the engine that it picks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from layers import (
    Activate,
    Array,
    BatchNormalization,
    Convolution,
    Dense,
    GlobalAverage,
    Layer,
    MaxPool,
    Residual,
    Shape,
    translated,
)
from peer import COMPARED, Peer, mean_loss
from workloads import RATE, Workload


class Ganglion(Peer):
    """ganglion through `Network.fit`, `predict` and `train_many`."""

    def prepare(self, workload: Workload) -> None:
        import ganglion as gg

        super().prepare(workload)
        self.gg = gg
        self.reset()

    def network(self, start: list[Array]) -> Any:
        w = self.workload
        *others, last = w.layers
        if w.loss == "cross_entropy" and isinstance(last, Dense):
            last = replace(last, activation="softmax")
        layers = translated((*others, last), w.shape, self.translate)
        net = self.gg.Network(layers, inputs=w.shape, dtype=w.dtype)
        net.parameters = np.concatenate([array.ravel() for array in start])
        return net

    def translate(self, layer: Layer, shape: Shape) -> list[Any]:
        gg, signal = self.gg, len(shape) == 2
        match layer:
            case Dense():
                flat = [gg.Flatten()] if len(shape) > 1 else []
                return [*flat, gg.Dense(layer.units, layer.activation)]
            case Convolution():
                kind = gg.Conv1D if signal else gg.Conv2D
                return [
                    kind(
                        layer.filters,
                        layer.kernel,
                        layer.activation,
                        stride=layer.stride,
                        padding=layer.padding,
                        groups=layer.groups,
                        bias=layer.bias,
                    )
                ]
            case MaxPool() if signal:  # of an image of height 1
                pool = gg.MaxPool2D((1, layer.size))
                return [gg.Reshape((1, *shape)), pool, gg.Reshape(layer.output(shape))]
            case MaxPool():
                return [gg.MaxPool2D(layer.size)]
            case GlobalAverage():
                return [gg.GlobalAveragePool()]
            case Activate():
                return [gg.Activate(layer.activation)]
            case BatchNormalization():
                return [gg.BatchNormalization()]
            case Residual():
                return [gg.Residual(translated(layer.layers, shape, self.translate))]
        raise TypeError(layer)

    def settings(self) -> dict[str, Any]:
        gg, w = self.gg, self.workload
        optimizer = gg.Adam(RATE) if w.optimizer == "adam" else gg.SGD(RATE)
        return {
            "loss": w.loss,
            "optimizer": optimizer,
            "epochs": w.epochs,
            "batch_size": w.batch,
            "shuffle": False,
        }

    def reset(self) -> None:
        self.net = self.network(self.start)

    def train(self) -> None:
        self.net.fit(self.x, self.y, **self.settings())

    def outputs(self) -> Array:
        return np.asarray(self.net.predict(self.x))

    def predictor(self, rows: int) -> Callable[[], Any]:
        x = self.x[:rows]
        return lambda: self.net.predict(x)

    def many(self, count: int) -> float:
        def make(number: int) -> Any:
            return self.network(self.workload.weights(seed=number))

        trained = self.gg.train_many(make, self.x, self.y, count=count, **self.settings())
        first = trained.networks[:COMPARED]
        return float(np.mean([mean_loss(self.workload, net.predict(self.x), self.y) for net in first]))
