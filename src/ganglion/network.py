"""Network, the face people meet: an architecture, its parameters, and an engine.

What a network can do is one call each here and done in the room it belongs to.
"""

from __future__ import annotations

import copy
import dataclasses
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from ganglion import insight
from ganglion.checks import check_integer
from ganglion.core.architecture import Architecture
from ganglion.core.arrays import aligned_copy, are_inputs, as_array, as_inputs
from ganglion.core.layers import Layer
from ganglion.core.losses import Loss
from ganglion.core.part import Array
from ganglion.core.regularization import Regularization
from ganglion.engines import Engine, Run, pick
from ganglion.errors import ConfigError, DataError, ShapeError, shortened
from ganglion.files.model_file import Model, read_model, write_model
from ganglion.training.callbacks import Callback
from ganglion.training.history import History
from ganglion.training.loop import Progress, Training
from ganglion.training.optimizers import Optimizer
from ganglion.training.plan import Plan, check_regularization, encode_rows, make_plan, pick_loss

DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}


class Network:
    """A feed-forward network.

    Args:
        layers: in order, such as `[gg.Dense(16, "relu"), gg.Dense(3, "softmax")]`.
        inputs: how many numbers each row has, or the shape of one input.
        seed: decides everything random: initial weights, the order of rows, dropout; 0 by default.
        dtype: "float32" (default) or "float64", of all arithmetic.
        engine: "auto" (default) for the fastest that has every part, "native" to be told where it has
            not, or "reference"; the environment variable GANGLION_ENGINE says what "auto" means.

    Raises:
        ConfigError: for a setting out of range.
        ShapeError: if a layer cannot take what the one before it gives.

    >>> net = gg.Network([gg.Dense(4, "tanh"), gg.Dense(1, "sigmoid")], inputs=2)
    >>> net.predict([[0, 1], [1, 1]]).shape
    (2, 1)
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        inputs: int | Sequence[int],
        seed: int = 0,
        dtype: str = "float32",
        engine: str = "auto",
    ) -> None:
        dtype = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype))
        if dtype not in DTYPES:
            raise ConfigError(f"dtype must be 'float32' or 'float64', got {shortened(dtype)}")
        seed = check_integer("seed", seed, at_least=0, at_most=2**64 - 1)
        architecture = Architecture(layers, inputs)
        start = architecture.initial(seed, DTYPES[dtype])
        self._set_up(architecture, *start, seed, engine)

    def _set_up(
        self, architecture: Architecture, parameters: Array, state: Array, seed: int, engine: str
    ) -> None:
        self._architecture, self._seed = architecture, seed
        self._parameters, self._state, self._dtype = parameters, state, parameters.dtype
        self._engine_name, self._engine = engine, pick(engine, architecture)
        self._progress = Progress()
        self._history = History()
        self._facts: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_engine"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._parameters, self._state = (aligned_copy(v) for v in (self._parameters, self._state))
        self._progress = self._progress.copy()
        self._engine = pick(self._engine_name, self._architecture)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in order."""
        return self._architecture.layers

    @property
    def architecture(self) -> Architecture:
        """The layers with their shapes and the layout of their parameters."""
        return self._architecture

    @property
    def seed(self) -> int:
        """The number that decides everything random."""
        return self._seed

    @property
    def dtype(self) -> str:
        """The type of all numbers, float32 or float64."""
        return self._dtype.name

    @property
    def engine(self) -> str:
        """The name of the engine in use."""
        return self._engine.name

    @property
    def history(self) -> History:
        """What was measured in all calls of `fit` so far; `stopped_because` is the last one's."""
        return self._history

    @property
    def facts(self) -> dict[str, Any]:
        """How it was trained: loss, optimizer, rows, versions; kept in its model file."""
        return dict(self._facts)

    @property
    def parameters(self) -> Array:
        """All learned numbers as one live vector: writing into it changes the network."""
        return self._parameters

    @parameters.setter
    def parameters(self, values: Any) -> None:
        with np.errstate(over="ignore"):
            vector = as_array("parameters", values).astype(self._dtype)
        if vector.shape not in ((), self._parameters.shape):
            raise ShapeError(f"parameters must have shape {self._parameters.shape}, got {vector.shape}")
        if not np.isfinite(vector).all():
            raise DataError(f"parameters must be finite numbers that fit {self.dtype}")
        self._parameters[...] = vector

    def forget_optimizer(self) -> None:
        """Let the next `fit` start its optimizer afresh, also one that equals the last."""
        self._progress.optimizer = None

    @property
    def state(self) -> Array:
        """What is kept but not learned by gradient (running averages), as one live vector."""
        return self._state

    def named_parameters(self) -> dict[str, Array]:
        """Return each parameter array by name, as a live view: `{"dense_1/weight": ..., ...}`."""
        return {entry.name: entry.of(self._parameters) for entry in self._architecture.parameters}

    def named_state(self) -> dict[str, Array]:
        """Return each array of the state by name, as a live view."""
        return {entry.name: entry.of(self._state) for entry in self._architecture.state}

    def with_layers(self, layers: Sequence[Layer]) -> Self:
        """Return the network of other layers that shares this one's parameters, and goes on where it is.

        Raises:
            ShapeError: if the parameters of these layers have other shapes.
        """
        architecture = Architecture(layers, self._architecture.inputs)
        wanted, got = (
            {entry.name: entry.shape for entry in (*these.parameters, *these.state)}
            for these in (self._architecture, architecture)
        )
        if got != wanted:
            raise ShapeError(f"the layers must have the parameters {shortened(wanted)}, got {shortened(got)}")
        network = type(self).__new__(type(self))
        vars(network).update(vars(self))
        network._architecture, network._engine = architecture, pick(self._engine_name, architecture)
        return network

    def predict(self, X: Any) -> Array:
        """Return the outputs for each row, of shape (n, *outputs).

        Args:
            X: rows of numbers, of shape (n, inputs).

        Raises:
            DataError, ShapeError: if X holds anything but finite numbers in that shape.
        """
        inputs, dtype = self._architecture.inputs, self._dtype
        a = self.predict_if_finite(X) if are_inputs(X, inputs, dtype) else None
        return self.predict_checked(as_inputs(X, inputs, dtype)) if a is None else a

    def predict_if_finite(self, x: Array) -> Array | None:
        """Return the same for rows that are a contiguous array of the network's type and shape.

        None if one of their numbers is not finite: it is cheapest to look while working with them.
        """
        return self._engine.predict_if_finite(self._architecture, self._parameters, self._state, x)

    def predict_checked(self, x: Array) -> Array:
        """Return the same for such rows of which it is known that all is finite."""
        return self._engine.predict(self._architecture, self._parameters, self._state, x)

    def fit(
        self,
        X: Any,
        y: Any,
        loss: Loss | str | None = None,
        optimizer: Optimizer | str = "adam",
        epochs: int = 100,
        batch_size: int = 32,
        validation: float | tuple[Any, ...] | None = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | str | None = None,
        shuffle: bool = True,
        callbacks: Sequence[Callback] = (),
        progress: bool = False,
        regularization: Regularization | None = None,
        metrics: Sequence[str] | None = None,
    ) -> History:
        """Train, going on from where the network is. Two calls of k epochs equal one of 2k.

        An optimizer equal to that of the call before goes on with its memory and its schedule, whatever
        the data; a different one starts afresh, and so does every one after loading from a file. L-BFGS
        starts afresh in each call.

        Args:
            X: rows of numbers, (n, inputs).
            y: targets: (n,) or (n, outputs); class numbers from 0 for "cross_entropy".
            loss: by name or as a `Loss`; None picks by the output activation.
            optimizer: by name or as an `Optimizer`, Adam by default.
            epochs: passes over the rows, 100 by default.
            batch_size: rows for each update, 32 by default; more than there are means all of them.
            validation: a share of the rows to set aside (each class in the same share), or (X, y) or
                (X, y, sample_weight) to validate on; None by default.
            sample_weight: how much each row counts, (n,).
            class_weight: how much each class counts in learning, {0: 1.0, 1: 5.0}, or "balanced" for all
                alike; validation and metrics do not weigh by it.
            shuffle: whether each epoch visits the rows in an order of its own, True by default.
            callbacks: what watches and what may stop, such as `gg.EarlyStopping()`.
            progress: whether to show a bar in a terminal.
            regularization: L1, L2 and max-norm; none by default.
            metrics: names of what to measure after each epoch, such as ("accuracy",); by default
                accuracy for classes and R2 for numbers, if there is validation.

        Returns:
            The history of this call.

        Raises:
            ConfigError: for a setting out of range, or a loss that does not suit the outputs.
            DataError, ShapeError: for rows or targets that break a rule; nothing was changed then.

        >>> net = gg.Network([gg.Dense(1)], inputs=1)
        >>> history = net.fit([[0], [1], [2], [3]], [1, 3, 5, 7], optimizer=gg.SGD(0.1), epochs=200)
        >>> net.predict([[10]]).round(2)
        array([[21.]], dtype=float32)
        >>> history.stopped_because
        'all 200 epochs were done'
        """
        plan = make_plan(
            self._architecture,
            self._dtype,
            self._seed,
            X,
            y,
            loss=loss,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=batch_size,
            validation=validation,
            sample_weight=sample_weight,
            class_weight=class_weight,
            shuffle=shuffle,
            callbacks=callbacks,
            progress=progress,
            regularization=regularization,
            metrics=metrics,
        )
        return self.train(plan)

    def train(self, plan: Plan) -> History:
        """Train by a plan whose rows are encoded and checked already; `fit` makes one and calls this."""
        engine = self._engine_for(plan.loss, plan.optimizer)
        training = Training(
            self._architecture, engine, self._parameters, self._state, self._progress, plan, self._seed
        )
        try:
            return training.run()
        finally:
            self._history.extend(training.history)
            if training.history.epochs:
                self._facts = plan_facts(plan)

    def loss_and_gradient(
        self,
        X: Any,
        y: Any,
        loss: Loss | str | None = None,
        sample_weight: Any = None,
        regularization: Regularization | None = None,
    ) -> tuple[float, Array]:
        """Return what the next training step would see over these rows, without taking it.

        Batch normalization uses the rows' own mean and variance, dropout the next step's mask.

        Returns:
            The weighted mean loss plus penalties, and its gradient laid out like `parameters`.

        >>> net = gg.Network([gg.Dense(1)], inputs=2)
        >>> net.parameters = [2, 3, 1]
        >>> net.loss_and_gradient([[1, 1]], [5], loss="mse")  # (2 + 3 + 1 - 5)**2
        (1.0, array([2., 2., 2.], dtype=float32))
        """
        chosen = pick_loss(self._architecture, loss)
        engine = self._engine_for(chosen)
        rows = encode_rows(self._architecture, self._dtype, chosen, X, y, sample_weight).check("a gradient")
        run = Run(
            x=rows.x,
            y=rows.y,
            weight=rows.weight,
            loss=chosen,
            regularization=check_regularization(regularization),
            parameters=self._parameters,
            state=self._state,
            seed=self._seed,
            step=self._progress.step,
        )
        value, penalty, gradient = engine.loss_and_gradient(self._architecture, run, np.arange(len(rows)))
        return value + penalty, gradient

    def _engine_for(self, *parts: object) -> Engine:
        """Return the engine for a run with these parts too: a loss, an optimizer."""
        return self._engine if not self._engine.missing(*parts) else pick(self._engine_name, *parts)

    def trace(
        self,
        X: Any,
        y: Any = None,
        loss: Loss | str | None = None,
        optimizer: Optimizer | str | None = None,
        training: bool | None = None,
        sample_weight: Any = None,
        regularization: Regularization | None = None,
        names: Sequence[str] | None = None,
    ) -> insight.Trace:
        """Return every number of one pass over one row or a few, forward, backward and update.

        Args:
            X: one row, (inputs,), or up to 1,000 rows, (n, inputs).
            y: its target or targets; None for the forward pass alone.
            loss: by name or as a `Loss`; None picks by the output activation.
            optimizer: whose next update can be asked for; by default the one of the last `fit`, else Adam.
                One equal to that of the last `fit` goes on with its memory and schedule, and with the
                parameters that it left where it keeps their mean (only with `training`).
            training: True for what the next training step would do, with its dropout masks and the
                batch's own mean and variance; False for what predicting does. By default True with y
                and False without.
            sample_weight: how much each row counts, (n,).
            regularization: L1, L2 and max-norm; none by default.
            names: of the inputs, to be shown in place of x[0], x[1] ...

        Raises:
            ConfigError, DataError, ShapeError: as `fit` does.

        >>> net = gg.Network([gg.Dense(1)], inputs=2)
        >>> net.parameters = [2, 3, 1]
        >>> t = net.trace([1, 1], 5, loss="mse", optimizer=gg.SGD(0.1))
        >>> t.gradient("dense_1/bias", 0).value, t.update("dense_1/bias", 0).value
        (2.0, 0.8)
        """
        if optimizer is None:
            optimizer = self._progress.optimizer or self._facts.get("optimizer") or "adam"
        return insight.make_trace(
            self._architecture,
            self._parameters,
            self._state,
            X,
            y,
            loss=loss,
            moment=self._progress.next_step(optimizer, self._seed, self._parameters),
            training=training,
            sample_weight=sample_weight,
            regularization=regularization,
            names=names,
        )

    def attribute(
        self,
        X: Any,
        output: int | None = None,
        baseline: Any = None,
        method: str = "integrated_gradients",
    ) -> insight.Attribution:
        """Return how much each input moved each prediction, away from that of a baseline.

        Integrated gradients (Sundararajan, Taly and Yan, 2017) take the mean gradient on the straight way
        from the baseline to the row, times the way; they add up to the difference of the two predictions.
        "gradient_x_input" takes the gradient at the row alone, times the way: quicker, and it adds up only
        where the network is linear.

        Args:
            X: rows of numbers, (n, inputs).
            output: which output is explained; by default the largest of each row.
            baseline: one row to compare with, zeros by default: the mean of standardized columns.
            method: "integrated_gradients" or "gradient_x_input".

        >>> net = gg.Network([gg.Dense(1)], inputs=2)
        >>> net.parameters = [2, -3, 1]
        >>> net.attribute([[1, 1]]).values.round(6)
        array([[ 2., -3.]])
        """
        return insight.attribute(
            self._architecture, self._parameters, self._state, X, output, baseline, method
        )

    def health(
        self,
        X: Any,
        y: Any,
        loss: Loss | str | None = None,
        sample_weight: Any = None,
        validation: tuple[Any, ...] | None = None,
        names: Sequence[str] | None = None,
    ) -> insight.Health:
        """Return what can be measured of the network on some rows, and what is wrong with it or its training.

        Each finding comes with its evidence, its cause, and a remedy as code to paste. The run that is
        looked at is that of all calls of `fit` so far; `gg.HealthCheck` looks while training.

        Args:
            X: rows as for `fit`, best those that it learned from.
            y: their targets.
            loss: by default that of the last training, or the one that suits the outputs.
            sample_weight: how much each row counts, (n,).
            validation: (X, y) or (X, y, sample_weight) that it has not learned from; None by default.
            names: of the inputs, to be used in place of their numbers.

        Raises:
            ConfigError, DataError, ShapeError: as `fit` does.

        >>> net = gg.Network([gg.Dense(4, "tanh"), gg.Dense(1)], inputs=2)
        >>> X = np.random.default_rng(0).normal(size=(200, 2)) * [1, 5000]
        >>> [finding.name for finding in net.health(X, X[:, 0] * X[:, 0]).findings]
        ['unscaled_inputs']
        """
        return insight.check_health(
            self._architecture,
            self._engine,
            self._parameters,
            self._state,
            self._seed,
            X,
            y,
            loss=loss,
            sample_weight=sample_weight,
            validation=validation,
            history=self._history,
            facts=self._facts,
            progress=self._progress,
            names=names,
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the network, or heat maps of its weights where it is too wide; see `gg.plot.network`."""
        return insight.plot.network(self, ax)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to one safetensors file, whole or not at all.

        Raises:
            FileError: if it cannot be written, or has layers of your own, which no file can name.
        """
        write_model(path, self.to_model())

    @classmethod
    def load(cls, path: str | os.PathLike[str], engine: str = "auto") -> Self:
        """Read a network from a file that `save` wrote, of a table model too.

        Raises:
            FileError: if the file is missing, damaged, or not a model file.
        """
        return cls.from_model(read_model(path), engine)

    def to_model(self) -> Model:
        """Return what a model file of this network holds."""
        return Model(
            self._architecture,
            self._parameters.copy(),
            self._state.copy(),
            self._seed,
            copy.deepcopy(self._history),
            self.facts,
        )

    @classmethod
    def from_model(cls, model: Model, engine: str = "auto") -> Self:
        """Return the network that a model file holds."""
        network = cls.__new__(cls)
        network._set_up(model.architecture, model.parameters, model.state, model.seed, engine)
        network._history, network._facts = model.history, model.facts
        return network

    def summary(self) -> None:
        """Print the layers, their output shapes, their parameters, and the memory they take."""
        sys.stdout.write(self.describe() + "\n")

    def describe(self) -> str:
        """Return what `summary` prints."""
        architecture = self._architecture
        counts = [0] * len(self.layers)
        for entry in architecture.parameters:
            counts[entry.layer] += entry.stop - entry.start
        lines = [("layer", "", "output", "parameters")]
        lines += [("input", "", _shape(architecture.inputs), "")]
        for name, layer, shape, count in zip(
            architecture.names, self.layers, architecture.shapes[1:], counts, strict=True
        ):
            activation = getattr(layer, "activation", None)
            lines.append((name, activation.name if activation else "", _shape(shape), f"{count:,}"))
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        table = [
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}".rstrip()
            for a, b, c, d in lines
        ]
        size = self._parameters.nbytes + self._state.nbytes
        total = f"{architecture.size:,} parameters, {_bytes(size)} as {self.dtype}; engine: {self.engine}"
        return "\n".join([table[0], "-" * max(map(len, table)), *table[1:], total])

    def __repr__(self) -> str:
        layers = ", ".join(repr(layer) for layer in self.layers)
        inputs = self._architecture.inputs
        return f"Network([{layers}], inputs={inputs[0] if len(inputs) == 1 else inputs}, seed={self._seed})"


def plan_facts(plan: Plan) -> dict[str, Any]:
    """Return what a model file tells about a training."""
    return {
        "loss": plan.loss.configuration() if plan.loss.is_nameable else None,
        "optimizer": plan.optimizer.configuration() if plan.optimizer.is_nameable else None,
        "batch_size": plan.batch_size,
        "regularization": dataclasses.asdict(plan.regularization),
        "rows": len(plan.rows),
        "versions": {"numpy": np.__version__, "python": sys.version.split()[0]},
    }


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _bytes(count: int) -> str:
    for unit in ("bytes", "KB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000  # type: ignore[assignment]
    return f"{count:.3g} GB"
