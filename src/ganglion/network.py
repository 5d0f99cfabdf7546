"""The public class `Network`: an architecture, its parameters, and an engine.

Each method is short and delegates to the package that does the work.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from ganglion import insight
from ganglion.checks import check_flag, check_integer
from ganglion.core.architecture import Architecture
from ganglion.core.arrays import aligned_copy, are_inputs, as_array
from ganglion.core.bags import Bags
from ganglion.core.inputs import BagInput, Input, InputRows, is_single, plain_inputs, read_rows
from ganglion.core.layers import Layer
from ganglion.core.losses import Loss
from ganglion.core.model import Model
from ganglion.core.part import Array
from ganglion.core.regularization import Regularization
from ganglion.core.rows import NUMBERS_AT_ONCE
from ganglion.core.supply import Supply
from ganglion.deprecation import RenamedAttribute
from ganglion.engines import Engine, Learned, Objective, pick
from ganglion.errors import ConfigError, DataError, ShapeError, shortened
from ganglion.files.checkpoint import EVERY, Checkpoint, current
from ganglion.files.exports import Exportable, Job
from ganglion.files.model_file import SavedModel, read_model, write_model
from ganglion.training.callbacks import Callback, ProgressBar, check_callbacks
from ganglion.training.descending import Descent
from ganglion.training.history import History
from ganglion.training.minimizing import Minimization
from ganglion.training.optimizer_state import OptimizerState
from ganglion.training.optimizers import Optimizer
from ganglion.training.plan import Plan, check_regularization, encode_rows, make_plan, pick_loss
from ganglion.training.run import Training

DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}


class Network(Exportable):
    """A feed-forward network.

    Args:
        layers: the layers in order, such as `[gg.Dense(16, "relu"), gg.Dense(3, "softmax")]`.
        inputs: the number of inputs, or the shape of one input; an `Input`, such as `gg.BagInput(1000)`; or a
            dict of several inputs by name.
        seed: determines all randomness: initial weights, the order of rows, dropout; 0 by default.
        dtype: "float32" (default) or "float64", for all arithmetic.
        engine: "auto" (default) uses the fastest engine that supports every part; "native" raises an error
            if a part is not supported; "reference" runs everything. The environment variable GANGLION_ENGINE
            sets the meaning of "auto".

    Raises:
        ConfigError: for a setting out of range.
        ShapeError: if a layer does not accept the output shape of the layer before it.

    >>> net = gg.Network([gg.Dense(4, "tanh"), gg.Dense(1, "sigmoid")], inputs=2)
    >>> net.predict([[0, 1], [1, 1]]).shape
    (2, 1)
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        inputs: int | Sequence[int] | Input | Mapping[str, Any],
        seed: int = 0,
        dtype: str = "float32",
        engine: str = "auto",
    ) -> None:
        dtype = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype))
        if dtype not in DTYPES:
            raise ConfigError(f"dtype must be 'float32' or 'float64', got {shortened(dtype)}")
        seed = check_integer("seed", seed, at_least=0, at_most=2**64 - 1)
        self._set_up(Model.initial(Architecture(layers, inputs), seed, DTYPES[dtype]), engine)

    def _set_up(self, model: Model, engine: str) -> None:
        self._model = model
        self._row_shape = model.architecture.input_shape if model.architecture.takes_numbers else None
        self._engine_name, self._engine = engine, pick(engine, model.architecture)
        self._optimizer_state = OptimizerState()
        self._history = History()
        self._facts: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_engine"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        model = self._model
        vectors = aligned_copy(model.parameters), aligned_copy(model.state)
        self._model = Model(model.architecture, *vectors, model.seed)
        self._optimizer_state = self._optimizer_state.copy()
        self._engine = pick(self._engine_name, self._model.architecture)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in order."""
        return self._model.architecture.layers

    @property
    def model(self) -> Model:
        """The network's data: architecture, live parameters and state, seed."""
        return self._model

    @property
    def architecture(self) -> Architecture:
        """The layers with their shapes and the layout of their parameters."""
        return self._model.architecture

    @property
    def seed(self) -> int:
        """The number that determines all randomness."""
        return self._model.seed

    @property
    def dtype(self) -> str:
        """The type of all numbers, float32 or float64."""
        return self._model.dtype.name

    @property
    def engine(self) -> str:
        """The name of the engine in use."""
        return self._engine.name

    @property
    def history(self) -> History:
        """The measurements of all calls of `fit` so far; `stopped_because` is that of the last call."""
        return self._history

    @property
    def facts(self) -> dict[str, Any]:
        """How the network was trained: loss, optimizer, rows, versions; saved in the model file."""
        return dict(self._facts)

    @property
    def parameters(self) -> Array:
        """All learned numbers as one live vector; writing to it changes the network."""
        return self._model.parameters

    @parameters.setter
    def parameters(self, values: Any) -> None:
        with np.errstate(over="ignore"):
            vector = as_array("parameters", values).astype(self._model.dtype)
        if vector.shape not in ((), self._model.parameters.shape):
            raise ShapeError(f"parameters must have shape {self._model.parameters.shape}, got {vector.shape}")
        if not np.isfinite(vector).all():
            raise DataError(f"parameters must be finite numbers that fit {self.dtype}")
        self._model.parameters[...] = vector

    def forget_optimizer(self) -> None:
        """Make the next `fit` start its optimizer from scratch, even if it equals the last one."""
        self._optimizer_state.optimizer = None

    @property
    def state(self) -> Array:
        """The numbers updated without a gradient (running averages), as one live vector."""
        return self._model.state

    def named_parameters(self) -> dict[str, Array]:
        """Return each parameter array by name, as a live view: `{"dense_1/weight": ..., ...}`."""
        return {entry.name: entry.of(self._model.parameters) for entry in self._model.architecture.parameters}

    def named_state(self) -> dict[str, Array]:
        """Return each state array by name, as a live view."""
        return {entry.name: entry.of(self._model.state) for entry in self._model.architecture.state}

    def with_layers(self, layers: Sequence[Layer]) -> Self:
        """Return a network with other layers that shares this network's parameters and training state.

        Raises:
            ShapeError: if the parameters of the layers have other names or shapes.
        """
        architecture = Architecture(layers, self._model.architecture.inputs)
        wanted, got = (
            {entry.name: entry.shape for entry in (*these.parameters, *these.state)}
            for these in (self._model.architecture, architecture)
        )
        if got != wanted:
            raise ShapeError(f"the layers must have the parameters {shortened(wanted)}, got {shortened(got)}")
        return self._with_model(Model(architecture, self.parameters, self.state, self.seed))

    def with_parameters(self, parameters: Array) -> Self:
        """Return a network that differs from this one only in its parameters."""
        model = self._model
        return self._with_model(
            Model(model.architecture, parameters, model.state, model.seed, model.programs)
        )

    def _with_model(self, model: Model) -> Self:
        network = type(self).__new__(type(self))
        vars(network).update(vars(self))
        network._model, network._engine = model, pick(self._engine_name, model.architecture)
        return network

    def predict(self, X: Any) -> Array:
        """Return the outputs for each row, of shape (n, *outputs).

        Args:
            X: rows of numbers, of shape (n, inputs).

        Raises:
            DataError, ShapeError: if X contains anything but finite numbers, or has another shape.
        """
        model = self._model
        if are_inputs(X, self._row_shape, model.parameters.dtype):
            a = self._engine.predict_if_finite(model, X)
            if a is not None:
                return a
        rows = read_rows(model.architecture.inputs, X, model.dtype)
        if isinstance(rows, Supply):
            step = max(1, NUMBERS_AT_ONCE // math.prod(rows.shape[1:]))
            firsts = range(0, max(len(rows), 1), step)
            return np.concatenate([self.predict(rows[first : first + step].toarray()) for first in firsts])
        return self.predict_checked(rows)

    def predict_if_finite(self, x: Array) -> Array | None:
        """Return the same for rows that are a contiguous array of the network's type and shape.

        None if one of their numbers is not finite: checking is cheapest while working with them.
        """
        return self._engine.predict_if_finite(self._model, x)

    def predict_checked(self, x: InputRows) -> Array:
        """Return the same for rows that `read_rows` has checked."""
        return self._engine.predict(self._model, x)

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
        checkpoint: str | os.PathLike[str] | None = None,
        every: float = EVERY,
    ) -> History:
        """Train the network, continuing from its current state. Two calls of k epochs equal one of 2k.

        An optimizer equal to that of the previous call keeps its state and schedule, even for other data. A
        different optimizer starts from scratch, as does any optimizer after loading from a file. L-BFGS
        starts from scratch in each call.

        Args:
            X: rows of numbers, (n, inputs).
            y: targets, (n,) or (n, outputs); class indices from 0 for "cross_entropy".
            loss: the name of a loss or a `Loss`; by default the one that suits the output activation.
            optimizer: the name of an optimizer or an `Optimizer`, Adam by default.
            epochs: the number of passes over the rows, 100 by default.
            batch_size: the number of rows per update, 32 by default; at most all rows are used.
            validation: the fraction of rows to hold out (stratified by class), or the validation data as
                (X, y) or (X, y, sample_weight); None by default.
            sample_weight: the weight of each row, (n,).
            class_weight: the weight of each class in training, such as {0: 1.0, 1: 5.0}, or "balanced" for
                equal total weights; it does not affect validation and metrics.
            shuffle: whether to visit the rows in a new random order in each epoch, True by default.
            callbacks: callbacks to run during training, such as `gg.EarlyStopping()`.
            progress: whether to show a progress bar in a terminal; False by default.
            regularization: L1, L2 and max-norm; none by default.
            metrics: names of metrics to compute after each epoch, such as ("accuracy",); by default, with
                validation, accuracy for classes and R2 for numbers.

            checkpoint: the path of a file that the run is written to now and then. If it is there already,
                the run goes on from it and ends in the same bits as if it had never been stopped; a run that
                has ended is not repeated.
            every: how often: a whole number of epochs, or seconds as a float, 60.0 by default.

        Returns:
            The history of this call.

        Raises:
            ConfigError: for a setting out of range, a loss that does not suit the outputs, or a checkpoint of
                another run.
            DataError, ShapeError: for invalid rows or targets; the network is then unchanged.

        >>> net = gg.Network([gg.Dense(1)], inputs=1)
        >>> history = net.fit([[0], [1], [2], [3]], [1, 3, 5, 7], optimizer=gg.SGD(0.1), epochs=200)
        >>> net.predict([[10]]).round(2)
        array([[21.]], dtype=float32)
        >>> history.stopped_because
        'all 200 epochs were done'
        """
        watching = check_callbacks(callbacks)
        if check_flag("progress", progress):
            watching.append(ProgressBar())
        plan = self.plan(
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
            callbacks=watching,
            regularization=regularization,
            metrics=metrics,
        )
        return self.train(plan, None if checkpoint is None else Checkpoint(checkpoint, every))

    def plan(self, X: Any, y: Any, **settings: Any) -> Plan:
        """Return validated arguments of `fit`, for `train` and `begin`; those not given have its defaults."""
        known = inspect.signature(Network.fit).parameters
        wanted = [name for name in inspect.signature(make_plan).parameters if name in known]
        defaults = {name: known[name].default for name in wanted if name not in ("X", "y")}
        return make_plan(self._model, X, y, **{**defaults, **settings})

    def begin(self, plan: Plan) -> Training:
        """Return the run of a validated plan, which is not open yet."""
        kind = Descent if plan.optimizer.makes_steps else Minimization
        return kind(self._model, self._engine_for(plan.loss, plan.optimizer), self._optimizer_state, plan)

    def record(self, plan: Plan, history: History) -> None:
        """Keep what a run measured."""
        self._history = history
        if history.epochs:
            self._facts = plan_facts(plan)

    @property
    def optimizer_state(self) -> OptimizerState:
        """The optimizer's vectors and counts, from which the next `fit` goes on."""
        return self._optimizer_state

    def train(self, plan: Plan, checkpoint: Checkpoint | None = None) -> History:
        """Train according to a validated plan; `fit` makes one and calls this."""
        checkpoint = checkpoint or current()
        if checkpoint is None:
            return self._run(self.begin(plan))
        plan = dataclasses.replace(plan, callbacks=[*plan.callbacks, checkpoint])
        training = self.begin(plan)
        done = checkpoint.open(training)
        history = self._run(training, done)
        if done is None and history.ended not in ("interrupted", "failed"):
            checkpoint.save(training, finished=True)
        return history

    def _run(self, training: Training, done: History | None = None) -> History:
        plan = training.plan
        try:
            return training.run() if done is None else training.show(done)
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
        """Return the loss and gradient that the next training step would compute on these rows.

        Batch normalization uses the rows' own mean and variance, dropout the next step's mask.

        Args:
            X: rows, as for `fit`.
            y: targets, as for `fit`.
            loss: by default the one that suits the output activation.
            sample_weight: the weight of each row, (n,).
            regularization: L1, L2 and max-norm; none by default.

        Returns:
            The weighted mean loss plus penalties, and its gradient laid out like `parameters`.

        >>> net = gg.Network([gg.Dense(1)], inputs=2)
        >>> net.parameters = [2, 3, 1]
        >>> net.loss_and_gradient([[1, 1]], [5], loss="mse")  # (2 + 3 + 1 - 5)**2
        (1.0, array([2., 2., 2.], dtype=float32))
        """
        chosen = pick_loss(self.architecture, loss)
        rows = encode_rows(self._model, chosen, X, y, sample_weight).check("a gradient")
        objective = Objective(chosen, check_regularization(regularization))
        start = Learned(self.parameters, self.state, self._optimizer_state.step)
        session = self._engine_for(chosen).open(self._model, rows, objective, None, start)
        value, penalty, gradient = session.loss_and_gradient(np.arange(len(rows)))
        return value + penalty, gradient

    def _engine_for(self, *parts: object) -> Engine:
        """Return the engine for a run that also uses these parts: a loss, an optimizer."""
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
        """Return every number of one pass over a few rows: forward, backward and update.

        Args:
            X: one row, (inputs,), or up to 1,000 rows, (n, inputs).
            y: the target or targets; None for the forward pass only.
            loss: the name of a loss or a `Loss`; by default the one that suits the output activation.
            optimizer: the optimizer whose next update is traced; by default that of the last `fit`, else
                Adam. If it equals that of the last `fit`, it keeps its state and schedule and, with
                `training`, continues from its own parameters rather than from their running mean.
            training: True to trace the next training step, with its dropout masks and the batch's own mean
                and variance; False to trace a prediction. By default True with y and False without.
            sample_weight: the weight of each row, (n,).
            regularization: L1, L2 and max-norm; none by default.
            names: names of the inputs, shown instead of x[0], x[1] ...

        Raises:
            ConfigError, DataError, ShapeError: as `fit` does.

        >>> net = gg.Network([gg.Dense(1)], inputs=2)
        >>> net.parameters = [2, 3, 1]
        >>> t = net.trace([1, 1], 5, loss="mse", optimizer=gg.SGD(0.1))
        >>> t.gradient("dense_1/bias", 0).value, t.update("dense_1/bias", 0).value
        (2.0, 0.8)
        """
        if optimizer is None:
            optimizer = self._optimizer_state.optimizer or self._facts.get("optimizer") or "adam"
        return insight.make_trace(
            self._model,
            X,
            y,
            loss=loss,
            start=self._optimizer_state.next_update(optimizer, self.seed, self.parameters),
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
        """Return the contribution of each input to each prediction, relative to that for a baseline.

        Integrated gradients (Sundararajan, Taly and Yan, 2017) multiply the difference between row and
        baseline by the mean gradient along the straight line between them; they sum to the difference of the
        two predictions. "gradient_x_input" multiplies the difference by the gradient at the row: faster, but
        the sum is exact only if the network is linear.

        Args:
            X: rows of numbers, (n, inputs).
            output: the output to explain; by default the largest of each row.
            baseline: the row to compare with; by default zeros, the mean of standardized columns.
            method: "integrated_gradients" or "gradient_x_input".

        >>> net = gg.Network([gg.Dense(1)], inputs=2)
        >>> net.parameters = [2, -3, 1]
        >>> net.attribute([[1, 1]]).values.round(6)
        array([[ 2., -3.]])
        """
        return insight.attribute(self._model, X, output, baseline, method)

    def health(
        self,
        X: Any,
        y: Any,
        loss: Loss | str | None = None,
        sample_weight: Any = None,
        validation: tuple[Any, ...] | None = None,
        names: Sequence[str] | None = None,
        classes: Sequence[Any] | None = None,
    ) -> insight.Health:
        """Return measurements of the network on some rows, and problems of the network or its training.

        Each finding states its evidence, its cause, and a remedy as code to paste. The check covers the
        history of all calls of `fit` so far; `gg.HealthCheck` checks during training.

        Args:
            X: rows as for `fit`, preferably the training rows.
            y: their targets.
            loss: by default that of the last training, or the one that suits the outputs.
            sample_weight: the weight of each row, (n,).
            validation: (X, y) or (X, y, sample_weight) not used in training; None by default.
            names: names of the inputs, used instead of their indices.
            classes: the labels of the classes, used instead of their numbers.

        Raises:
            ConfigError, DataError, ShapeError: as `fit` does.

        >>> net = gg.Network([gg.Dense(4, "tanh"), gg.Dense(1)], inputs=2)
        >>> X = np.random.default_rng(0).normal(size=(200, 2)) * [1, 5000]
        >>> [finding.name for finding in net.health(X, X[:, 0] * X[:, 0]).findings]
        ['unscaled_inputs']
        """
        return insight.check_health(
            self._model,
            self._engine,
            X,
            y,
            loss=loss,
            sample_weight=sample_weight,
            validation=validation,
            history=self._history,
            facts=self._facts,
            optimizer_state=self._optimizer_state,
            names=names,
            classes=classes,
        )

    def explore(
        self, X: Any, y: Any = None, names: Sequence[str] | None = None, classes: Sequence[Any] | None = None
    ) -> Any:
        """Return a widget for a notebook: every unit on a row, its arithmetic, a surface, and the curves.

        It needs the extra `notebook`, and works where anywidget does; it is tested in JupyterLab.

        Args:
            X: rows of numbers, (n, inputs), of which the first 1,000 can be chosen.
            y: their targets, for the loss; None by default.
            names: names of the inputs, shown instead of x[0], x[1] ...
            classes: names of the outputs, shown instead of their numbers.

        Raises:
            ConfigError: if the network does not take rows of numbers.
            DataError: if there are no rows.
            ShapeError: if there is not a target for each row, or a name for each input or output.
            MissingPackageError: if anywidget is not installed.
        """
        from ganglion.notebook import explore  # noqa: PLC0415  # to start fast

        return explore(self, X, y, names, classes)

    def plot(self, ax: Any = None) -> Any:
        """Draw the network, or heat maps of its weights if it is too wide; see `gg.plot.network`."""
        return insight.plot.network(self, ax)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to one safetensors file, atomically.

        Raises:
            FileError: if the file cannot be written, or if the network has layers of your own, which a file
                cannot describe.
        """
        write_model(path, self.to_saved())

    def job(self) -> Job:
        return Job(self._model, self._asked)

    def _asked(self, rows: Sequence[Mapping[str, Any]], parameters: Array | None) -> Array:
        network = self if parameters is None else self.with_parameters(parameters)
        inputs = self.architecture.inputs
        given = {
            name: _as_input(part, [row[key] for row in rows])
            for key, (name, part) in zip(rows[0], inputs.items(), strict=True)
        }
        return network.predict(given if len(given) > 1 else next(iter(given.values()))).reshape(len(rows), -1)

    @classmethod
    def load(cls, path: str | os.PathLike[str], engine: str = "auto") -> Self:
        """Read a network from a file written by `save`, or by `TableModel.save`.

        Raises:
            FileError: if the file is missing, damaged, or not a model file.
        """
        return cls.from_saved(read_model(path), engine)

    @classmethod
    def from_torch(cls, module: Any, inputs: Sequence[int] | None = None, engine: str = "auto") -> Self:
        """Return a network with the layers and numbers of a `torch.nn.Sequential`.

        Args:
            module: a `torch.nn.Sequential` of modules that ganglion has, also nested, or one such module.
            inputs: the shape of one row as PyTorch has it, (channels, height, width) for images; not needed
                if the first module is linear. The network itself takes images with the channels last.
            engine: as for `Network`.

        Raises:
            ConfigError: for a module that ganglion has no counterpart of; it is named.
            MissingPackageError: if PyTorch is not installed.
        """
        from ganglion.files.frameworks.torch import from_torch  # noqa: PLC0415  # to start fast

        return cls._of(from_torch(module, None if inputs is None else tuple(inputs)), engine)

    def to_torch(self) -> Any:
        """Return a `torch.nn.Sequential` with the same layers and numbers; a module, if they are no chain.

        It is in the mode for predictions, and takes images with the channels first, as PyTorch does.

        Raises:
            ConfigError: for a layer that PyTorch has no counterpart of; it is named.
            MissingPackageError: if PyTorch is not installed.
        """
        from ganglion.files.frameworks.torch import to_torch  # noqa: PLC0415  # to start fast

        return to_torch(self._model)

    @classmethod
    def from_keras(cls, model: Any, inputs: Sequence[int] | None = None, engine: str = "auto") -> Self:
        """Return a network with the layers and numbers of a `keras.Sequential` (Keras 3, any backend).

        Args:
            model: a `keras.Sequential`, or another chain of layers that ganglion has.
            inputs: the shape of one row, if the model does not know it.
            engine: as for `Network`.

        Raises:
            ConfigError: for a layer that ganglion has no counterpart of; it is named.
            MissingPackageError: if Keras is not installed.
        """
        from ganglion.files.frameworks.keras import from_keras  # noqa: PLC0415  # to start fast

        return cls._of(from_keras(model, None if inputs is None else tuple(inputs)), engine)

    def to_keras(self) -> Any:
        """Return a `keras.Sequential` with the same layers and numbers.

        Raises:
            ConfigError: for a layer that Keras has no counterpart of, which is named, or layers that branch.
            MissingPackageError: if Keras is not installed.
        """
        from ganglion.files.frameworks.keras import to_keras  # noqa: PLC0415  # to start fast

        return to_keras(self._model)

    @classmethod
    def from_onnx(cls, path: str | os.PathLike[str], engine: str = "auto") -> Self:
        """Return a network with the layers and numbers of an ONNX file.

        Args:
            path: of a file with one chain of operators that ganglion has, such as PyTorch and Keras write.
                The network takes images with the channels last.
            engine: as for `Network`.

        Raises:
            ConfigError: for an operator that ganglion has no counterpart of, which is named, or a graph that
                branches.
            FileError: if the file cannot be read, or is no model of ONNX.
            MissingPackageError: if the package onnx is not installed.
        """
        from ganglion.files.frameworks.onnx import from_onnx  # noqa: PLC0415  # to start fast

        return cls._of(from_onnx(path), engine)

    @classmethod
    def _of(cls, model: Model, engine: str) -> Self:
        network = cls.__new__(cls)
        network._set_up(model, engine)
        return network

    def to_saved(self) -> SavedModel:
        """Return the contents of this network's model file."""
        model = self._model
        copied = Model(model.architecture, model.parameters.copy(), model.state.copy(), model.seed)
        return SavedModel(copied, copy.deepcopy(self._history), self.facts)

    @classmethod
    def from_saved(cls, saved: SavedModel, engine: str = "auto") -> Self:
        """Return the network from the contents of a model file."""
        network = cls.__new__(cls)
        network._set_up(saved.model, engine)
        network._history, network._facts = saved.history, saved.facts
        return network

    to_model = RenamedAttribute("to_saved", "0.4")
    from_model = RenamedAttribute("from_saved", "0.4")

    def summary(self) -> None:
        """Print the layers, their output shapes, the number of parameters, and their memory."""
        sys.stdout.write(self.describe() + "\n")

    def describe(self) -> str:
        """Return the text that `summary` prints."""
        architecture, lines = self.architecture, [("layer", "", "output", "parameters")]
        for name, part in architecture.inputs.items():
            label = "input" if is_single(architecture.inputs) else f"input {name}"
            lines.append((label, "" if part.holds == "numbers" else part.holds, _shape(part.row_shape), ""))
        for step in architecture.steps:
            count = sum(entry.stop - entry.start for entry in step.parameters)
            word = step.activation.name if step.activation else ""
            lines.append((step.name, word, _shape(step.shape), f"{count:,}"))
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        table = [
            f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}".rstrip()
            for a, b, c, d in lines
        ]
        size = self.parameters.nbytes + self.state.nbytes
        total = f"{architecture.size:,} parameters, {_bytes(size)} as {self.dtype}; engine: {self.engine}"
        return "\n".join([table[0], "-" * max(map(len, table)), *table[1:], total])

    def __repr__(self) -> str:
        layers = ", ".join(repr(layer) for layer in self.layers)
        return f"Network([{layers}], inputs={plain_inputs(self.architecture.inputs)}, seed={self.seed})"


def _as_input(part: Input, values: list[Array]) -> Any:
    """Return the values of one input of some rows; those of a weighted bag all have the weight 1."""
    if not isinstance(part, BagInput):
        return np.stack(values)
    bags = Bags.of([bag.tolist() for bag in values])
    return Bags(bags.indices, bags.offsets, np.ones(len(bags.indices))) if part.weighted else bags


def plan_facts(plan: Plan) -> dict[str, Any]:
    """Return the facts about a training that a model file records."""
    return {
        "loss": plan.loss.configuration() if plan.loss.is_nameable else None,
        "optimizer": plan.optimizer.configuration() if plan.optimizer.is_nameable else None,
        "batch_size": plan.batch_size,
        "regularization": dataclasses.asdict(plan.regularization),
        "rows": len(plan.rows),
        "versions": {"numpy": np.__version__, "python": sys.version.split()[0]},
    }


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1"


def _bytes(count: int) -> str:
    for unit in ("bytes", "KB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000  # type: ignore[assignment]
    return f"{count:.3g} GB"
