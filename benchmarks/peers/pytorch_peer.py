"""PyTorch, whose layers are modules and whose channels are axis 1."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
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
from peer import Peer
from workloads import RATE, Workload


class PyTorch(Peer):
    """PyTorch with fused optimizers: eager, or with the loss compiled by `torch.compile`."""

    def __init__(self, compiled: bool = False, channels_last: bool = False) -> None:
        self.compiled, self.channels_last = compiled, channels_last

    def prepare(self, workload: Workload) -> None:
        import torch

        torch.set_num_threads(len(os.sched_getaffinity(0)))
        self.torch = torch
        super().prepare(workload)
        self.rows = self.x if self.channels_last else np.ascontiguousarray(np.moveaxis(self.x, -1, 1))
        self.inputs, self.targets = self.tensor(self.rows), torch.from_numpy(self.y)
        self.model = self.sequence(workload.layers, workload.shape).to(self.inputs.dtype)
        if self.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.judge = torch.nn.CrossEntropyLoss() if workload.loss == "cross_entropy" else torch.nn.MSELoss()
        self.run = self.loss_of
        if self.compiled:
            self.run = torch.compile(self.loss_of)
        self.reset()

    def tensor(self, rows: Array) -> Any:
        """Return a view of rows with the channels as axis 1, wherever they lie in memory."""
        tensor = self.torch.from_numpy(rows)
        return tensor.movedim(-1, 1) if self.channels_last else tensor

    def sequence(self, layers: tuple[Layer, ...], shape: Shape) -> Any:
        return self.torch.nn.Sequential(*translated(layers, shape, self.translate))

    def translate(self, layer: Layer, shape: Shape) -> list[Any]:
        nn, channels, signal = self.torch.nn, shape[-1], len(shape) == 2
        match layer:
            case Dense():
                flat = [nn.Flatten()] if len(shape) > 1 else []
                linear = nn.Linear(math.prod(shape), layer.units)
                return [*flat, linear, *self.activation(layer.activation)]
            case Convolution():
                kind = nn.Conv1d if signal else nn.Conv2d
                convolution = kind(
                    channels,
                    layer.filters,
                    layer.kernel,
                    stride=layer.stride,
                    padding=layer.padding,
                    groups=layer.groups,
                    bias=layer.bias,
                )
                return [convolution, *self.activation(layer.activation)]
            case MaxPool():
                return [(nn.MaxPool1d if signal else nn.MaxPool2d)(layer.size)]
            case GlobalAverage():
                return [(nn.AdaptiveAvgPool1d if signal else nn.AdaptiveAvgPool2d)(1), nn.Flatten()]
            case Activate():
                return self.activation(layer.activation)
            case BatchNormalization():
                return [(nn.BatchNorm1d if signal else nn.BatchNorm2d)(channels)]
            case Residual():
                return [self.residual(self.sequence(layer.layers, shape))]
        raise TypeError(layer)

    def activation(self, name: str) -> list[Any]:
        nn = self.torch.nn
        return {"identity": [], "relu": [nn.ReLU()], "tanh": [nn.Tanh()]}[name]

    def residual(self, inside: Any) -> Any:
        class Sum(self.torch.nn.Module):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.inside = inside

            def forward(self, x: Any) -> Any:
                return self.inside(x) + x

        return Sum()

    def loss_of(self, x: Any, y: Any) -> Any:
        return self.judge(self.model(x), y)

    def reset(self) -> None:
        torch = self.torch
        with torch.no_grad():
            for parameter, array in zip(self.model.parameters(), self.start, strict=True):
                # From (..., inputs, outputs) to (outputs, inputs, ...).
                turned = np.moveaxis(array, (-1, -2), (0, 1)) if array.ndim > 1 else array
                parameter.copy_(torch.from_numpy(turned.reshape(parameter.shape)))
        for module in self.model.modules():
            if hasattr(module, "reset_running_stats"):
                module.reset_running_stats()
        kind = torch.optim.Adam if self.workload.optimizer == "adam" else torch.optim.SGD
        self.optimizer = kind(self.model.parameters(), lr=RATE, fused=True)

    def train(self) -> None:
        batch, optimizer, run = self.workload.batch, self.optimizer, self.run
        self.model.train()
        batches = list(zip(self.inputs.split(batch), self.targets.split(batch), strict=True))
        for _ in range(self.workload.epochs):
            for x, y in batches:
                optimizer.zero_grad(set_to_none=True)
                run(x, y).backward()
                optimizer.step()

    def outputs(self) -> Array:
        self.model.eval()
        with self.torch.inference_mode():
            out = self.model(self.inputs)
            return np.asarray((out.softmax(1) if self.workload.loss == "cross_entropy" else out).numpy())

    def predictor(self, rows: int) -> Callable[[], Any]:
        x = self.rows[:rows]
        self.model.eval()

        def predict() -> Any:
            with self.torch.inference_mode():
                return self.model(self.tensor(x)).numpy()

        return predict
