"""The subject of a health check, and what is computed from it: losses, gradients, and short trials.

A trial answers "what if" by experiment. It trains from the network's own initial weights for some steps with
another learning rate, batch size or layers, and is evaluated on held-out rows. The network itself is
evaluated on the same rows, which it may have been trained on: a bias against the trial.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ganglion.core import random
from ganglion.core.architecture import Architecture
from ganglion.core.inputs import values_of
from ganglion.core.layers import Layer
from ganglion.core.losses import Loss
from ganglion.core.model import Model
from ganglion.core.part import Array
from ganglion.core.regularization import Regularization
from ganglion.core.rows import Rows
from ganglion.engines import Engine, Objective, pick
from ganglion.insight.health.measure import LayerHealth, norm, quiet
from ganglion.insight.health.snippets import fit_code, network_code
from ganglion.insight.health.trial import Trial
from ganglion.training.history import History
from ganglion.training.optimizers import Adam, StepOptimizer
from ganglion.training.splitting import split

# Enough for a good learning rate to show on small data; a trial of the default size takes milliseconds.
TRIAL_STEPS = 300
# Multiplications and additions that one trial may cost: a fraction of a second for large networks.
TRIAL_WORK = 2e9
# How often a trial is evaluated, and the fraction of the rows that is held out for it.
EVALUATIONS = 5
HELD_OUT = 0.2
# Fewer rows than this are not split into training rows and held-out rows.
FEWEST_ROWS = 20
# Below this fraction of the trivial loss, most of what can be learned was learned.
LEARNED = 0.2
# A trial is better if it lowers the loss by this fraction ...
BETTER = 0.2
# ... and by this fraction of the trivial loss, so that tiny losses raise no finding.
MATTERS = 0.1
# Weights this much smaller than at the start were pulled to 0, which training alone does not do.
SHRUNKEN = 0.25
# The learning rates to try: 1e-05, 3e-05, 0.0001 ... up to 10.
RATES = tuple(float(f"{10 ** (half / 2):.1g}") for half in range(-10, 3))


@dataclass(frozen=True)
class Subject:
    """A network, some rows, and what is known of the run that trained it.

    Attributes:
        rows: encoded; at most a few thousand.
        validation: the same; None without validation rows.
        history: of the run; without epochs if unknown.
        batch_size, row_count, epochs: of the run; None if unknown.
        optimizer: None if unknown.
        layers: the measurements of each layer.
        names: of the features; None if they have only numbers.
        classes: the labels of the classes; None if they have only numbers.
    """

    model: Model
    engine: Engine
    loss: Loss
    rows: Rows
    validation: Rows | None
    history: History
    optimizer: Any
    batch_size: int | None
    row_count: int
    epochs: int | None
    regularization: Regularization | None
    layers: Sequence[LayerHealth]
    names: Sequence[str] | None = None
    classes: Sequence[str] | None = None

    def feature(self, number: int) -> str:
        """Return the name of a feature, given its column in `columns`."""
        if self.names is not None:
            return repr(self.names[number])
        if self.has_images:
            pixel = np.unravel_index(number, self.model.architecture.input_shape)
            return f"pixel ({', '.join(map(str, pixel))})"
        if self.model.architecture.takes_numbers:
            return f"feature {number}"
        counts = {name: values.shape[1] for name, values in self.number_inputs.items()}
        place = [(name, column) for name, count in counts.items() for column in range(count)][number]
        return f"feature {place[1]} of input {place[0]!r}"

    def label(self, number: int) -> str:
        """Return the label of a class, or its number if it has none."""
        return str(number) if self.classes is None else self.classes[number]

    @property
    def trained(self) -> bool:
        """Whether a run is known."""
        return self.history.epochs > 0 or self.history.ended == "failed"

    @property
    def makes_steps(self) -> bool:
        """Whether the optimizer is known and makes one update for each batch."""
        return self.optimizer is not None and self.optimizer.makes_steps

    @cached_property
    def number_inputs(self) -> dict[str, Array]:
        """The inputs that hold numbers, by name, one column for each feature."""
        inputs, count = self.model.architecture.inputs, len(self.rows)
        return {
            name: values.reshape(count, -1).astype(np.float64)
            for (name, part), values in zip(inputs.items(), values_of(inputs, self.rows.x), strict=True)
            if part.holds == "numbers"
        }

    @cached_property
    def columns(self) -> Array:
        """The columns of all `number_inputs`, side by side."""
        return np.hstack([np.empty((len(self.rows), 0)), *self.number_inputs.values()])

    @property
    def has_columns(self) -> bool:
        """Whether a row is a flat list of numbers, each of which is a feature."""
        architecture = self.model.architecture
        return architecture.takes_numbers and len(architecture.input_shape) == 1

    @property
    def has_images(self) -> bool:
        """Whether a row is an image, (height, width, channels)."""
        architecture = self.model.architecture
        return architecture.takes_numbers and len(architecture.input_shape) == 3

    @property
    def enough(self) -> bool:
        """Whether there are enough rows, and different targets, to evaluate a trial."""
        return len(self.rows) >= FEWEST_ROWS and self.trivial > 0

    @property
    def can_try(self) -> bool:
        """Whether the run can be repeated as a trial with other settings."""
        return self.makes_steps and self.history.epochs > 0 and self.enough

    @property
    def steps_per_epoch(self) -> int:
        """Updates in an epoch."""
        return math.ceil(self.row_count / (self.batch_size or self.row_count))

    @property
    def batch_weight(self) -> float:
        """The mean total weight of the rows of a batch."""
        each = (
            1.0 if self.rows.sample_weight is None else float(self.rows.sample_weight.mean(dtype=np.float64))
        )
        return each * min(self.batch_size or self.row_count, self.row_count)

    @cached_property
    def trial_rows(self) -> tuple[Rows, Rows]:
        """The rows that trials train on, and the held-out rows that they are evaluated on."""
        if self.validation is not None:
            return self.rows, self.validation
        if len(self.rows) < FEWEST_ROWS:
            return self.rows, self.rows
        train, held_out = split(len(self.rows), HELD_OUT, self.model.seed, self.loss.classes(self.rows.y))
        return self.rows.part(train), self.rows.part(held_out)

    @cached_property
    def answers(self) -> tuple[Array, Array]:
        """The loss of each row and the outputs."""
        return self._judge(self.model, self.rows)

    @cached_property
    def training_loss(self) -> float:
        """The mean loss on the rows, in prediction mode."""
        return _mean(self.answers[0], self.rows)

    @cached_property
    def loss_now(self) -> float:
        """The mean loss on the held-out rows of trials."""
        held_out = self.trial_rows[1]
        return _mean(self._judge(self.model, held_out)[0], held_out)

    @cached_property
    def reached(self) -> float:
        """The lowest loss known: on the held-out rows, on all rows, or in the last epoch.

        The held-out loss of a trial must be lower than all of these.
        """
        losses = [self.loss_now, self.training_loss, *self.history.loss[-1:]]
        return min((loss for loss in losses if math.isfinite(loss)), default=math.inf)

    @cached_property
    def start(self) -> float:
        """The mean loss on the rows with the initial weights."""
        return _mean(self._judge(self.initial, self.rows)[0], self.rows)

    @cached_property
    def trivial(self) -> float:
        """The smallest mean loss of a constant answer."""
        return trivial_loss(self.loss, self.rows)

    @property
    def learned(self) -> bool:
        """Whether most of what can be learned was learned: then there is little to find."""
        return self.reached < LEARNED * self.trivial

    @property
    def matters(self) -> float:
        """The smallest difference in loss that matters."""
        return MATTERS * self.trivial

    def better(self, trial: float, than: float | None = None) -> bool:
        """Return whether a trial's loss is clearly lower than the network's, or than another trial's."""
        base = self.reached if than is None else than
        if not math.isfinite(base):
            return math.isfinite(trial)
        return trial < (1 - BETTER) * base and base - trial > self.matters

    @cached_property
    def initial(self) -> Model:
        """The untrained network."""
        return Model.initial(self.model.architecture, self.model.seed, self.model.dtype)

    @quiet
    def _judge(self, model: Model, rows: Rows) -> tuple[Array, Array]:
        return self._engine(model.architecture).evaluate(model, self.loss, rows)

    def _engine(self, *parts: object) -> Engine:
        return self.engine if not self.engine.missing(self.loss, *parts) else pick("reference")

    @quiet
    def trial(
        self,
        rate: float,
        *,
        optimizer: StepOptimizer | None = None,
        layers: Sequence[Layer] | None = None,
        batch_size: int | None = None,
        steps: int = TRIAL_STEPS,
        regularized: bool = True,
    ) -> Trial:
        """Train from the initial weights for some steps, and evaluate the loss on the held-out rows.

        Args:
            rate: the constant learning rate.
            optimizer: the run's by default, Adam if that is unknown.
            layers: the network's by default.
            batch_size: the run's by default.
            steps: updates; fewer if they cost too much.
            regularized: whether to use the run's regularization.

        Returns:
            The trial; its losses are infinite if a step failed.
        """
        used = optimizer or (self.optimizer if self.makes_steps else Adam())
        used = dataclasses.replace(used, average=None)
        architecture = self.model.architecture
        if layers is not None:
            architecture = Architecture(layers, architecture.inputs)
        train, held_out = self.trial_rows
        size = min(batch_size or self.batch_size or 32, len(train))
        steps = max(EVALUATIONS, min(steps, int(TRIAL_WORK / (3 * size * max(_work(architecture), 1)))))
        model = Model.initial(architecture, self.model.seed, self.model.dtype)
        rules = (self.regularization if regularized else None) or Regularization()
        engine = self._engine(architecture, used)
        session = engine.open(model, train, Objective(self.loss, rules), used)
        losses: list[float] = []
        epoch, order = 0, np.empty(0, dtype=np.int64)
        for part in range(EVALUATIONS):
            count = steps * (part + 1) // EVALUATIONS - steps * part // EVALUATIONS
            while len(order) < count * size:
                order = np.concatenate([order, random.order(self.model.seed, epoch, len(train))])
                epoch += 1
            done = session.steps(order[: count * size], size, np.full(count, rate))
            order = order[count * size :]
            if done.failure:
                return Trial([math.inf] * EVALUATIONS, math.inf, steps)
            loss = _mean(session.evaluate(held_out)[0], held_out)
            losses.append(loss if math.isfinite(loss) else math.inf)
        return Trial(losses, _mean(session.evaluate(train)[0], train), steps)

    @cached_property
    def rate(self) -> float:
        """The highest learning rate of the run, 0 if unknown."""
        rates = [rate for rate in self.history.learning_rate if math.isfinite(rate)]
        if rates:
            return max(rates)
        return float(self.optimizer.learning_rate.learning_rate) if self.makes_steps else 0.0

    @cached_property
    def rates_tried(self) -> dict[float, float]:
        """The median loss of a trial for each of several learning rates, half a power of ten apart."""
        most = self.optimizer.largest_rate if self.makes_steps else 0.1
        return {rate: self.trial(rate).usual for rate in RATES if rate <= most * 1.01}

    @cached_property
    def good_rate(self) -> float:
        """The best learning rate of the trials, or the next lower one if it did nearly as well."""
        tried = self.rates_tried
        best = min(tried, key=lambda rate: tried[rate])
        lower = max((rate for rate in tried if rate < best), default=best)
        near = tried[lower] <= tried[best] + self.matters or tried[lower] <= 1.2 * tried[best]
        return lower if near else best

    def with_rate(self, rate: float, **settings: Any) -> StepOptimizer:
        """Return the optimizer with another learning rate and the same schedule."""
        schedule = dataclasses.replace(self.optimizer.learning_rate, learning_rate=float(f"{rate:.2g}"))
        return dataclasses.replace(self.optimizer, learning_rate=schedule, **settings)

    @cached_property
    def gradient(self) -> Array:
        """The gradient over all rows, as in a training step."""
        return self._gradient(self.model)

    @cached_property
    def reaching_first(self) -> tuple[float, float]:
        """How much of the error reaches the first weights, at the start and now.

        This is the root mean square of the gradient of the first weight matrix, divided by that of the
        gradient of the outputs' z.
        """
        return self._reaching_first(self.initial), self._reaching_first(self.model)

    @quiet
    def _reaching_first(self, model: Model) -> float:
        architecture, loss, rows = model.architecture, self.loss, self.rows
        entry = next((entry for entry in architecture.parameters if len(entry.shape) >= 2), None)
        if entry is None:
            return 1.0
        weight = entry.of(self._gradient(model))
        from_z = loss.is_partner_of(architecture.output_activation)
        outputs, _ = architecture.forward(model.views, rows.x, to_z=from_z)
        judge = loss.values_and_gradients_from_z if from_z else loss.values_and_gradients
        error = judge(outputs, rows.y)[1]
        size = loss.factor * norm(error) / math.sqrt(error.size)
        return norm(weight) / math.sqrt(weight.size) / size if size > 0 else 1.0

    @quiet
    def _gradient(self, model: Model) -> Array:
        rules = (self.regularization or Regularization()).of_batch(self.batch_weight)  # of a step
        session = self._engine(model.architecture).open(model, self.rows, Objective(self.loss, rules))
        return session.loss_and_gradient(np.arange(len(self.rows)))[2]

    @cached_property
    def shrunken(self) -> bool:
        """Whether penalties have shrunk the weights to almost nothing."""
        first, _ = self.model.architecture.initial(self.model.seed, self.model.parameters.dtype)
        mask = self.model.architecture.penalized
        return norm(self.model.parameters * mask) < SHRUNKEN * norm(first * mask)

    def code(
        self,
        *,
        layers: Sequence[Layer] | None = None,
        inputs: str = "",
        loss: Loss | None = None,
        **settings: Any,
    ) -> str:
        """Return the lines that rebuild and train the network, with some changes."""
        layers = self.model.architecture.layers if layers is None else layers
        output = Architecture(layers, self.model.architecture.inputs).output_activation
        rebuilt = network_code(
            self.model.architecture, layers, self.model.seed, self.model.parameters.dtype.name, inputs
        )
        return rebuilt + "\n" + self.fit_code(output=output, loss=loss, **settings)

    def fit_code(self, *, output: Any = None, loss: Loss | None = None, **settings: Any) -> str:
        """Return the line that trains the network as before, with some settings changed."""
        usual = {
            "optimizer": self.optimizer,
            "epochs": self.epochs or self.history.epochs or 100,
            "batch_size": self.batch_size,
            "validation": HELD_OUT if self.history.validation_loss else None,
            "regularization": self.regularization,
        }
        return fit_code(
            {**usual, **settings}, loss or self.loss, output or self.model.architecture.output_activation
        )


def _work(architecture: Architecture) -> int:
    """Return the multiplications and additions for a row: those of a kernel are made at every place."""
    return sum(
        (entry.stop - entry.start) * math.prod(architecture.steps[entry.step].shape[:-1])
        for entry in architecture.parameters
    )


def _mean(losses: Array, rows: Rows) -> float:
    return float(np.average(losses.astype(np.float64), weights=rows.sample_weight))


@quiet
def trivial_loss(loss: Loss, rows: Rows) -> float:
    """Return the smallest mean loss of a constant answer: the mean of the targets, or one of the deciles."""
    y = rows.y.astype(np.float64)
    mean = np.average(y, axis=0, weights=rows.sample_weight)
    candidates = (
        [mean, *np.quantile(y, np.linspace(0, 1, 11), axis=0)] if loss.answers != "one_of" else [mean]
    )
    losses = []
    for answer in candidates:
        a = np.ascontiguousarray(np.broadcast_to(answer, y.shape))
        value = loss.factor * float(
            np.average(loss.values_and_gradients(a, y)[0], weights=rows.sample_weight)
        )
        losses.append(value if math.isfinite(value) else math.inf)
    return min(losses)
