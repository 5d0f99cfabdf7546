"""JAX, whose network is a function of its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    walk,
)
from peer import Peer
from workloads import RATE, Workload


class Jax(Peer):
    """JAX and optax with donated state: an epoch is one compiled scan, or each step is compiled."""

    def prepare(self, workload: Workload) -> None:
        import jax

        jax.config.update("jax_enable_x64", workload.dtype == "float64")
        import jax.numpy as jnp
        import optax

        self.jax, self.jnp = jax, jnp
        super().prepare(workload)
        steps = workload.rows // workload.batch
        inputs = jnp.asarray(self.x.reshape(steps, workload.batch, *workload.shape))
        shape = (steps, workload.batch) if workload.loss == "cross_entropy" else (steps, workload.batch, -1)
        targets = jnp.asarray(self.y.reshape(shape))
        self.optimizer = optax.adam(RATE) if workload.optimizer == "adam" else optax.sgd(RATE)

        def loss(weights: Any, averages: Any, x: Any, y: Any) -> Any:
            out, averages = self.apply(weights, averages, x, training=True)
            if workload.loss == "cross_entropy":
                return optax.softmax_cross_entropy_with_integer_labels(out, y).mean(), averages
            return ((out - y) ** 2).mean(), averages

        def step(carry: Any, rows: Any) -> Any:
            weights, averages, state = carry
            (value, averages), gradient = jax.value_and_grad(loss, has_aux=True)(weights, averages, *rows)
            change, state = self.optimizer.update(gradient, state, weights)
            return (optax.apply_updates(weights, change), averages, state), value

        def epoch(carry: Any, rows: Any) -> Any:
            return jax.lax.scan(step, carry, rows)

        # On processors XLA computes convolutions several times as slowly inside a loop.
        if len(workload.shape) > 1:
            run = jax.jit(step, donate_argnums=0)
            self.runs = [(run, x, y) for x, y in zip(inputs, targets, strict=True)]
        else:
            self.runs = [(jax.jit(epoch, donate_argnums=0), inputs, targets)]
        self.forward = jax.jit(lambda weights, averages, x: self.apply(weights, averages, x)[0])
        self.reset()

    def apply(self, weights: Any, averages: Any, x: Any, training: bool = False) -> Any:
        """Return the outputs, and the running averages after them."""
        changed: list[Any] = []
        rest, old = iter(weights), iter(averages)
        out = self.sequence(self.workload.layers, x, rest, old, changed if training else None)
        return out, changed

    def sequence(
        self,
        layers: tuple[Layer, ...],
        x: Any,
        weights: Iterator[Any],
        averages: Iterator[Any],
        changed: list[Any] | None,
    ) -> Any:
        for layer in layers:
            match layer:
                case Dense():
                    weight, bias = next(weights), next(weights)
                    z = x.reshape(len(x), -1) @ weight.reshape(-1, layer.units) + bias
                    x = self.activation(layer.activation, z)
                case Convolution():
                    z = self.convolution(layer, x, next(weights))
                    x = self.activation(layer.activation, z + next(weights) if layer.bias else z)
                case MaxPool():
                    window = (1, *[layer.size] * (x.ndim - 2), 1)
                    x = self.jax.lax.reduce_window(x, -np.inf, self.jax.lax.max, window, window, "VALID")
                case GlobalAverage():
                    x = x.mean(axis=range(1, x.ndim - 1))
                case Activate():
                    x = self.activation(layer.activation, x)
                case BatchNormalization():
                    x = self.normalization(x, next(weights), next(weights), next(averages), changed)
                case Residual():
                    x = x + self.sequence(layer.layers, x, weights, averages, changed)
                case _:
                    raise TypeError(layer)
        return x

    def activation(self, name: str, z: Any) -> Any:
        return {"identity": lambda z: z, "relu": self.jax.nn.relu, "tanh": self.jnp.tanh}[name](z)

    def convolution(self, layer: Convolution, x: Any, weight: Any) -> Any:
        axes = x.ndim - 2
        return self.jax.lax.conv_general_dilated(
            x,
            weight,
            window_strides=[layer.stride] * axes,
            padding=[(layer.padding, layer.padding)] * axes,
            dimension_numbers=("NHWC", "HWIO", "NHWC") if axes == 2 else ("NWC", "WIO", "NWC"),
            feature_group_count=layer.groups,
        )

    def normalization(self, x: Any, scale: Any, shift: Any, running: Any, changed: list[Any] | None) -> Any:
        mean, variance = running
        if changed is not None:
            axes, count = range(x.ndim - 1), x.size // x.shape[-1]
            mean, variance = x.mean(axis=axes), x.var(axis=axes)
            new = (mean, variance * count / (count - 1))
            changed.append([0.9 * a + 0.1 * b for a, b in zip(running, new, strict=True)])
        return (x - mean) * self.jax.lax.rsqrt(variance + 1e-5) * scale + shift

    def reset(self) -> None:
        weights = [self.jnp.array(array) for array in self.start]
        averages = [
            [self.jnp.zeros(shape[-1]), self.jnp.ones(shape[-1])]
            for layer, shape in walk(self.workload.layers, self.workload.shape)
            if isinstance(layer, BatchNormalization)
        ]
        self.carry = (weights, averages, self.optimizer.init(weights))
        self.jax.block_until_ready(self.carry)

    def train(self) -> None:
        for _ in range(self.workload.epochs):
            for run, *rows in self.runs:
                self.carry, losses = run(self.carry, rows)
        self.jax.block_until_ready(losses)

    def outputs(self) -> Array:
        out = self.forward(*self.carry[:2], self.x)
        return np.asarray(self.jax.nn.softmax(out) if self.workload.loss == "cross_entropy" else out)

    def predictor(self, rows: int) -> Callable[[], Any]:
        x = self.x[:rows]
        return lambda: np.asarray(self.forward(*self.carry[:2], x))
