"""What the health check looks at, and what follows from it: losses, curves, and short trials.

A trial answers "what if" by experiment: it trains from the network's own initial weights for some steps
with another learning rate, batch size or layers, and judges the result on rows that the trial has not
learned from. The network itself is judged on the same rows, which it may have learned from, so that a
trial that does better has earned it.
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
from ganglion.training.history import History
from ganglion.training.optimizers import Adam, StepOptimizer
from ganglion.training.splitting import split

# Enough for a good learning rate to show on small data; a trial of the default size takes milliseconds.
TRIAL_STEPS = 300
# Multiplications and additions that one trial may cost: a fraction of a second for large networks.
TRIAL_WORK = 2e9
# How often a trial is looked at, and the share of the rows that it is judged by.
TRIAL_LOOKS = 5
TRIAL_SHARE = 0.2
# Fewer rows than this cannot be split into some to learn from and some to judge by.
FEWEST_ROWS = 20
# Below this share of the trivial loss most of what there is to learn was learned.
LEARNED = 0.2
# A trial counts as better if it takes this share off the loss ...
BETTER = 0.2
# ... and this share of what the trivial answer loses, so that tiny losses are left alone.
MATTERS = 0.1
# Weights this much smaller than at the start were pulled to 0, which training alone does not do.
SHRUNKEN = 0.25
# The learning rates that are tried: 1e-05, 3e-05, 0.0001 ... up to 10.
RATES = tuple(float(f"{10 ** (half / 2):.1g}") for half in range(-10, 3))


@dataclass(frozen=True)
class Looks:
    """A trial of some steps: losses on rows set aside, at even distances, and at last on its own rows."""

    losses: Sequence[float]
    own: float
    steps: int

    @property
    def best(self) -> float:
        """The lowest: what stopping in time would give."""
        return min(self.losses)

    @property
    def usual(self) -> float:
        """The median: high where the loss jumps about, low where it only overfits in the end."""
        return float(np.median(self.losses))

    @property
    def last(self) -> float:
        """The mean of the last two."""
        return (self.losses[-1] + self.losses[-2]) / 2


@dataclass(frozen=True)
class Subject:
    """A network, rows, and the run that trained it, as far as it is known.

    Attributes:
        rows: encoded; at most some thousands.
        validation: the same, None if there are none.
        history: of the run; without epochs if it is not known.
        batch_size, row_count, epochs: of the run; None where not known.
        optimizer: None where not known, and for one that does not make steps.
        layers: as they were measured.
        names: of the features, None where they have only numbers.
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

    def feature(self, number: int) -> str:
        """Return the name of a feature, given its column in `columns`."""
        if self.names is not None:
            return repr(self.names[number])
        if self.model.architecture.takes_numbers:
            return f"feature {number}"
        counts = {name: values.shape[1] for name, values in self.number_inputs.items()}
        place = [(name, column) for name, count in counts.items() for column in range(count)][number]
        return f"feature {place[1]} of input {place[0]!r}"

    @property
    def trained(self) -> bool:
        """Whether the run is known."""
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
        """Whether a row is a row of numbers, each a feature of its own."""
        architecture = self.model.architecture
        return architecture.takes_numbers and len(architecture.input_shape) == 1

    @property
    def enough(self) -> bool:
        """Whether there are rows enough, and differences among the targets, to judge a trial by."""
        return len(self.rows) >= FEWEST_ROWS and self.trivial > 0

    @property
    def can_try(self) -> bool:
        """Whether the run can be tried again with other settings."""
        return self.makes_steps and self.history.epochs > 0 and self.enough

    @property
    def steps_per_epoch(self) -> int:
        """Updates in an epoch."""
        return math.ceil(self.row_count / (self.batch_size or self.row_count))

    @property
    def batch_weight(self) -> float:
        """What the rows of a batch weigh in all, on average."""
        each = (
            1.0 if self.rows.sample_weight is None else float(self.rows.sample_weight.mean(dtype=np.float64))
        )
        return each * min(self.batch_size or self.row_count, self.row_count)

    @cached_property
    def two_parts(self) -> tuple[Rows, Rows]:
        """Rows to learn from in a trial, and rows to judge it by."""
        if self.validation is not None:
            return self.rows, self.validation
        if len(self.rows) < FEWEST_ROWS:
            return self.rows, self.rows
        learn, aside = split(len(self.rows), TRIAL_SHARE, self.model.seed, self.loss.classes(self.rows.y))
        return self.rows.part(learn), self.rows.part(aside)

    @cached_property
    def answers(self) -> tuple[Array, Array]:
        """The loss of each row and the outputs."""
        return self._judge(self.model, self.rows)

    @cached_property
    def training_loss(self) -> float:
        """The mean loss on the rows, as when predicting."""
        return _mean(self.answers[0], self.rows)

    @cached_property
    def loss_now(self) -> float:
        """The mean loss on the rows that trials are judged by."""
        aside = self.two_parts[1]
        return _mean(self._judge(self.model, aside)[0], aside)

    @cached_property
    def reached(self) -> float:
        """The lowest of what is known of the loss: here, over all rows, and in the last epoch.

        A trial on rows that it has not learned from must do better than all of these.
        """
        known = [self.loss_now, self.training_loss, *self.history.loss[-1:]]
        return min((loss for loss in known if math.isfinite(loss)), default=math.inf)

    @cached_property
    def start(self) -> float:
        """The mean loss on the rows with the initial weights."""
        return _mean(self._judge(self.initial, self.rows)[0], self.rows)

    @cached_property
    def trivial(self) -> float:
        """The smallest mean loss that one and the same answer for every row has."""
        return trivial_loss(self.loss, self.rows)

    @property
    def learned(self) -> bool:
        """Whether most of what there is to learn was learned: then there is little to search for."""
        return self.reached < LEARNED * self.trivial

    @property
    def matters(self) -> float:
        """A difference in loss that matters."""
        return MATTERS * self.trivial

    def better(self, trial: float, than: float | None = None) -> bool:
        """Return whether a trial's loss is clearly better than the network's, or another trial's."""
        base = self.reached if than is None else than
        if not math.isfinite(base):
            return math.isfinite(trial)
        return trial < (1 - BETTER) * base and base - trial > self.matters

    @cached_property
    def initial(self) -> Model:
        """The network before any training."""
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
    ) -> Looks:
        """Train from the initial weights for some steps, and look at the loss on the rows set aside.

        Args:
            rate: the learning rate, the same throughout.
            optimizer: the run's by default, Adam where that is not known.
            layers: the network's by default.
            batch_size: the run's by default.
            steps: updates; fewer if they cost too much.
            regularized: whether the run's regularization is used.

        Returns:
            The losses at even distances, all infinite if one step failed.
        """
        used = optimizer or (self.optimizer if self.makes_steps else Adam())
        used = dataclasses.replace(used, average=None)
        architecture = self.model.architecture
        if layers is not None:
            architecture = Architecture(layers, architecture.inputs)
        learn, aside = self.two_parts
        size = min(batch_size or self.batch_size or 32, len(learn))
        steps = max(TRIAL_LOOKS, min(steps, int(TRIAL_WORK / (3 * size * max(architecture.size, 1)))))
        model = Model.initial(architecture, self.model.seed, self.model.dtype)
        rules = (self.regularization if regularized else None) or Regularization()
        engine = self._engine(architecture, used)
        session = engine.open(model, learn, Objective(self.loss, rules), used)
        losses: list[float] = []
        epoch, order = 0, np.empty(0, dtype=np.int64)
        for look in range(TRIAL_LOOKS):
            count = steps * (look + 1) // TRIAL_LOOKS - steps * look // TRIAL_LOOKS
            while len(order) < count * size:
                order = np.concatenate([order, random.order(self.model.seed, epoch, len(learn))])
                epoch += 1
            done = session.steps(order[: count * size], size, np.full(count, rate))
            order = order[count * size :]
            if done.failure:
                return Looks([math.inf] * TRIAL_LOOKS, math.inf, steps)
            loss = _mean(session.evaluate(aside)[0], aside)
            losses.append(loss if math.isfinite(loss) else math.inf)
        return Looks(losses, _mean(session.evaluate(learn)[0], learn), steps)

    @cached_property
    def rate(self) -> float:
        """The highest learning rate of the run, 0 where it is not known."""
        rates = [rate for rate in self.history.learning_rate if math.isfinite(rate)]
        if rates:
            return max(rates)
        return float(self.optimizer.learning_rate.learning_rate) if self.makes_steps else 0.0

    @cached_property
    def rates_tried(self) -> dict[float, float]:
        """The loss after a trial with each of some learning rates, half a power of ten apart."""
        most = self.optimizer.largest_rate if self.makes_steps else 0.1
        return {rate: self.trial(rate).usual for rate in RATES if rate <= most * 1.01}

    @cached_property
    def good_rate(self) -> float:
        """The learning rate that did best in trials, or the next lower one if that did nearly as well."""
        tried = self.rates_tried
        best = min(tried, key=lambda rate: tried[rate])
        lower = max((rate for rate in tried if rate < best), default=best)
        near = tried[lower] <= tried[best] + self.matters or tried[lower] <= 1.2 * tried[best]
        return lower if near else best

    def with_rate(self, rate: float, **settings: Any) -> StepOptimizer:
        """Return the optimizer with another learning rate, in its schedule if it has one."""
        schedule = dataclasses.replace(self.optimizer.learning_rate, learning_rate=float(f"{rate:.2g}"))
        return dataclasses.replace(self.optimizer, learning_rate=schedule, **settings)

    @cached_property
    def gradient(self) -> Array:
        """The gradient over the rows, as the next training step would see it."""
        return self._gradient(self.model)

    @cached_property
    def reaching_first(self) -> tuple[float, float]:
        """How much of the error reaches the first weights, at the start and now.

        The root mean square of the gradient of the first weight matrix over that of the outputs' z.
        """
        return self._reaching_first(self.initial), self._reaching_first(self.model)

    @quiet
    def _reaching_first(self, model: Model) -> float:
        architecture, loss, rows = model.architecture, self.loss, self.rows
        entry = next((entry for entry in architecture.parameters if len(entry.shape) == 2), None)
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
        """Whether penalties have brought the weights to almost nothing."""
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
        """Return the lines that build the network anew and train it, with some things changed."""
        layers = self.model.architecture.layers if layers is None else layers
        output = Architecture(layers, self.model.architecture.inputs).output_activation
        rebuilt = network_code(
            self.model.architecture, layers, self.model.seed, self.model.parameters.dtype.name, inputs
        )
        return rebuilt + "\n" + self.fit_code(output=output, loss=loss, **settings)

    def fit_code(self, *, output: Any = None, loss: Loss | None = None, **settings: Any) -> str:
        """Return the line that trains the network as it was trained, with some settings changed."""
        usual = {
            "optimizer": self.optimizer,
            "epochs": self.epochs or self.history.epochs or 100,
            "batch_size": self.batch_size,
            "validation": TRIAL_SHARE if self.history.validation_loss else None,
            "regularization": self.regularization,
        }
        return fit_code(
            {**usual, **settings}, loss or self.loss, output or self.model.architecture.output_activation
        )


def _mean(losses: Array, rows: Rows) -> float:
    return float(np.average(losses.astype(np.float64), weights=rows.sample_weight))


@quiet
def trivial_loss(loss: Loss, rows: Rows) -> float:
    """Return the smallest mean loss of one answer for all: the mean, or one of the deciles."""
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
