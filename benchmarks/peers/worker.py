"""Runs one peer in its own process, which reads commands and writes answers, each a line of JSON.

python worker.py PEER                    answers {"do": "train" | "predict" | "many" | "kernels", ...}
python worker.py PEER cold               trains the tiny network for 100 steps, predicts, and exits

A training run starts from the given weights and returns seconds per step and the final loss over all rows.
Short runs are repeated until they have taken SHORTEST seconds in total.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from blas import kernels
from workloads import MANY, PREDICTED, RATE, START, WORKLOADS, Array, Workload

SHORTEST = 0.25
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


class Ganglion(Peer):
    """ganglion through `Network.fit`, `predict` and `train_many`."""

    def prepare(self, workload: Workload) -> None:
        import ganglion as gg

        super().prepare(workload)
        self.gg = gg
        self.reset()

    def network(self, start: list[tuple[Array, Array]]) -> Any:
        gg, w = self.gg, self.workload
        last = "softmax" if w.loss == "cross_entropy" else "identity"
        layers = [gg.Dense(units, w.activation) for units in w.sizes[1:-1]] + [gg.Dense(w.sizes[-1], last)]
        net = gg.Network(layers, inputs=w.sizes[0], dtype=w.dtype)
        net.parameters = np.concatenate([part.ravel() for pair in start for part in pair])
        return net

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


class ScikitLearn(Peer):
    """MLPRegressor and MLPClassifier, with the initial weights set."""

    def prepare(self, workload: Workload) -> None:
        warnings.simplefilter("ignore")  # the warning that it has not converged
        super().prepare(workload)
        self.reset()

    def reset(self) -> None:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        w, start = self.workload, [(a.copy(), b.copy()) for a, b in self.start]

        def _init_coef(_: Any, fan_in: int, fan_out: int, dtype: Any) -> tuple[Array, Array]:
            return start.pop(0)

        base = MLPClassifier if w.loss == "cross_entropy" else MLPRegressor
        given = type("Given", (base,), {"_init_coef": _init_coef})
        self.model = given(
            hidden_layer_sizes=w.sizes[1:-1],
            activation=w.activation,
            solver=w.optimizer,
            alpha=0.0,
            batch_size=w.batch,
            learning_rate_init=RATE,
            max_iter=w.epochs,
            shuffle=False,
            tol=0.0,
            n_iter_no_change=10**6,
            momentum=0.0,
        )

    def train(self) -> None:
        self.model.fit(self.x, self.y.ravel() if self.y.shape[-1:] == (1,) else self.y)

    def outputs(self) -> Array:
        classes = self.workload.loss == "cross_entropy"
        return np.asarray(self.model.predict_proba(self.x) if classes else self.model.predict(self.x))

    def predictor(self, rows: int) -> Callable[[], Any]:
        x = self.x[:rows]
        self.reset()
        self.train()
        return lambda: self.model.predict(x)

    def many(self, count: int) -> float:
        """Train with joblib, as usual, with one worker process per processor."""
        import joblib

        workers = len(os.sched_getaffinity(0))
        losses = joblib.Parallel(n_jobs=workers)(
            joblib.delayed(one_scikit_learn)(number) for number in range(count)
        )
        return float(np.mean(losses[:COMPARED]))


def one_scikit_learn(number: int) -> float:
    peer = ScikitLearn()
    peer.prepare(MANY)
    peer.start = MANY.weights(seed=number)
    peer.reset()
    peer.train()
    return mean_loss(MANY, peer.outputs(), peer.y)


class PyTorch(Peer):
    """Eager PyTorch with fused optimizers."""

    compiled = False

    def prepare(self, workload: Workload) -> None:
        import torch

        torch.set_num_threads(len(os.sched_getaffinity(0)))
        self.torch = torch
        super().prepare(workload)
        self.inputs, self.targets = torch.from_numpy(self.x), torch.from_numpy(self.y)
        parts: list[Any] = []
        for a, b in zip(workload.sizes, workload.sizes[1:], strict=False):
            bend = torch.nn.Tanh() if workload.activation == "tanh" else torch.nn.ReLU()
            parts += [torch.nn.Linear(a, b, dtype=self.inputs.dtype), bend]
        self.model = torch.nn.Sequential(*parts[:-1])
        self.linear = [part for part in self.model if isinstance(part, torch.nn.Linear)]
        self.judge = torch.nn.CrossEntropyLoss() if workload.loss == "cross_entropy" else torch.nn.MSELoss()
        self.run = self.loss_of
        if self.compiled:
            self.run = torch.compile(self.loss_of)
        self.reset()

    def loss_of(self, x: Any, y: Any) -> Any:
        return self.judge(self.model(x), y)

    def reset(self) -> None:
        torch = self.torch
        with torch.no_grad():
            for part, (weight, bias) in zip(self.linear, self.start, strict=True):
                part.weight.copy_(torch.from_numpy(weight.T.copy()))
                part.bias.copy_(torch.from_numpy(bias))
        kind = torch.optim.Adam if self.workload.optimizer == "adam" else torch.optim.SGD
        self.optimizer = kind(self.model.parameters(), lr=RATE, fused=True)

    def train(self) -> None:
        batch, optimizer, run = self.workload.batch, self.optimizer, self.run
        batches = list(zip(self.inputs.split(batch), self.targets.split(batch), strict=True))
        for _ in range(self.workload.epochs):
            for x, y in batches:
                optimizer.zero_grad(set_to_none=True)
                run(x, y).backward()
                optimizer.step()

    def outputs(self) -> Array:
        with self.torch.inference_mode():
            out = self.model(self.inputs)
            return np.asarray((out.softmax(1) if self.workload.loss == "cross_entropy" else out).numpy())

    def predictor(self, rows: int) -> Callable[[], Any]:
        x = self.x[:rows]

        def predict() -> Any:
            with self.torch.inference_mode():
                return self.model(self.torch.from_numpy(x)).numpy()

        return predict


class PyTorchCompiled(PyTorch):
    """The loss compiled by `torch.compile`."""

    compiled = True


class Jax(Peer):
    """JAX and optax: an epoch is one compiled scan with donated state."""

    def prepare(self, workload: Workload) -> None:
        import jax

        jax.config.update("jax_enable_x64", workload.dtype == "float64")
        import jax.numpy as jnp
        import optax

        self.jax, self.jnp = jax, jnp
        super().prepare(workload)
        steps = workload.rows // workload.batch
        self.inputs = jnp.asarray(self.x.reshape(steps, workload.batch, -1))
        shape = (steps, workload.batch) if workload.loss == "cross_entropy" else (steps, workload.batch, -1)
        self.targets = jnp.asarray(self.y.reshape(shape))
        self.optimizer = optax.adam(RATE) if workload.optimizer == "adam" else optax.sgd(RATE)
        bend = jnp.tanh if workload.activation == "tanh" else jax.nn.relu

        def forward(weights: Any, x: Any) -> Any:
            for weight, bias in weights[:-1]:
                x = bend(x @ weight + bias)
            return x @ weights[-1][0] + weights[-1][1]

        def loss(weights: Any, x: Any, y: Any) -> Any:
            out = forward(weights, x)
            if workload.loss == "cross_entropy":
                return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()
            return ((out - y) ** 2).mean()

        def step(carry: Any, rows: Any) -> Any:
            weights, state = carry
            value, gradient = jax.value_and_grad(loss)(weights, *rows)
            change, state = self.optimizer.update(gradient, state, weights)
            return (optax.apply_updates(weights, change), state), value

        def epoch(weights: Any, state: Any, x: Any, y: Any) -> Any:
            return jax.lax.scan(step, (weights, state), (x, y))

        self.epoch = jax.jit(epoch, donate_argnums=(0, 1))
        self.forward = jax.jit(forward)
        self.reset()

    def reset(self) -> None:
        self.weights = [(self.jnp.array(a), self.jnp.array(b)) for a, b in self.start]
        self.state = self.optimizer.init(self.weights)
        self.jax.block_until_ready((self.weights, self.state))

    def train(self) -> None:
        for _ in range(self.workload.epochs):
            (self.weights, self.state), losses = self.epoch(
                self.weights, self.state, self.inputs, self.targets
            )
        self.jax.block_until_ready(losses)

    def outputs(self) -> Array:
        out = self.forward(self.weights, self.x)
        return np.asarray(self.jax.nn.softmax(out) if self.workload.loss == "cross_entropy" else out)

    def predictor(self, rows: int) -> Callable[[], Any]:
        x = self.x[:rows]
        return lambda: np.asarray(self.forward(self.weights, x))


PEERS: dict[str, type[Peer]] = {
    "ganglion": Ganglion,
    "scikit-learn": ScikitLearn,
    "PyTorch": PyTorch,
    "torch.compile": PyTorchCompiled,
    "JAX": Jax,
}


def timed(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def answer(peer: Peer, command: dict[str, Any]) -> dict[str, Any]:
    """Run a command, and return seconds and the final loss."""
    match command["do"]:
        case "prepare":
            known = {**WORKLOADS, MANY.name: MANY, PREDICTED.name: PREDICTED, START.name: START}
            return {"seconds": timed(lambda: peer.prepare(known[command["workload"]]))}
        case "train":
            seconds, runs = 0.0, 0
            while not runs or (seconds < SHORTEST and not command.get("once")):
                peer.reset()
                seconds += timed(peer.train)
                runs += 1
            loss = mean_loss(peer.workload, peer.outputs(), peer.y)
            return {"seconds": seconds / runs / peer.workload.steps, "loss": loss}
        case "predict":
            predict, count = peer.predictor(command["rows"]), 1
            predict()
            while (taken := timed(lambda: [predict() for _ in range(count)])) < SHORTEST / 2:  # noqa: B023
                count *= 2
            return {"seconds": taken / count}
        case "many":
            losses: list[float] = []
            seconds = timed(lambda: losses.append(peer.many(command["count"])))
            return {"seconds": seconds / command["count"], "loss": losses[0]}
        case "kernels":
            return {"kernels": kernels()}
    raise ValueError(command)


def main() -> None:
    peer = PEERS[sys.argv[1]]()
    if sys.argv[2:] == ["cold"]:
        peer.prepare(START)
        peer.train()
        peer.predictor(1)()
        sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\n")
        return
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(peer, json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
