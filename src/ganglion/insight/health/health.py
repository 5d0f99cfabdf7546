"""The health check: measurements of a network and its training, and a list of what is wrong with them."""

from __future__ import annotations

import dataclasses
import html
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.architecture import Architecture
from ganglion.core.arrays import as_names
from ganglion.core.losses import Loss
from ganglion.core.model import Model
from ganglion.core.part import Array, plain
from ganglion.core.regularization import Regularization
from ganglion.core.rows import Rows
from ganglion.engines import Engine
from ganglion.errors import ConfigError, ShapeError, TrainingError, shortened
from ganglion.insight.health.finding import Finding
from ganglion.insight.health.findings import look_for
from ganglion.insight.health.measure import LayerHealth, measure, next_update, quiet
from ganglion.insight.health.subject import Subject
from ganglion.training.callbacks import Callback
from ganglion.training.history import History
from ganglion.training.optimizer_state import OptimizerState
from ganglion.training.optimizers import Optimizer
from ganglion.training.plan import encode_rows, pick_loss

if TYPE_CHECKING:
    from ganglion.training.run import Training

# Rows that a check uses: enough to resolve tenths of a percent, few enough for a fraction of a second.
MOST_ROWS = 2048
# Rows that effective ranks are computed from.
RANK_ROWS = 512
# Inputs and activations of all layers that a check may hold, and the rows that it uses at least.
MOST_NUMBERS = 2**25
FEWEST_ROWS = 64
LEGEND = {
    "z": "z and a: mean ± deviation of pre-activations and activations",
    "dead": "dead: units whose slope is 0 in every row",
    "saturated": "saturated: units on a flat part of their curve in nearly every row",
    "gradient": "gradient: the norm of the loss's gradient for the layer's parameters",
    "update/weight": "update/weight: the norm of the next update divided by that of the weights",
    "rank": "rank: in how many independent directions the activations vary",
}
SERIES = ("dead", "saturated", "gradient_norm", "update_ratio")


@dataclass(frozen=True)
class Health:
    """The result of a health check. Print it for the full report.

    Attributes:
        findings: what is wrong, worst first; empty if nothing is.
        layers: the measurements of each layer.
        rows: how many rows were used.
        series: by layer, what a `HealthCheck` measured after each epoch: "dead", "saturated",
            "gradient_norm", "update_ratio".
    """

    findings: list[Finding]
    layers: list[LayerHealth]
    rows: int
    series: Mapping[str, Mapping[str, list[float | None]]] = field(default_factory=dict)

    def __repr__(self) -> str:
        found = [_page(finding) for finding in self.findings]
        rows = f"{self.rows:,} rows" if self.rows != 1 else "1 row"
        return "\n\n".join([_table(self.layers), *(found or [f"Nothing looks wrong on {rows}."])])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON data, with None for numbers that are not finite."""
        return plain(dataclasses.asdict(self))


def check_health(
    model: Model,
    engine: Engine,
    X: Any,
    y: Any,
    *,
    loss: Loss | str | None = None,
    sample_weight: Any = None,
    validation: tuple[Any, ...] | None = None,
    history: History | None = None,
    facts: Mapping[str, Any] | None = None,
    optimizer_state: OptimizerState | None = None,
    names: Sequence[str] | None = None,
    classes: Sequence[Any] | None = None,
) -> Health:
    """Return the health of a network on some rows, and of the run that trained it.

    Args:
        model: the network to check.
        engine: the engine that runs it.
        X: rows as for `Network.fit`, preferably the training rows.
        y: their targets.
        loss: by default that of the last training, or the one that suits the outputs.
        sample_weight: one weight per row, (n,).
        validation: (X, y) or (X, y, sample_weight), rows not trained on; None by default.
        history: of all training so far; without it there are no findings about the run.
        facts: as `Network.facts`: loss, optimizer, batch size and rows of the last training.
        optimizer_state: the optimizer and its slots, from which the next update is computed.
        names: of the features, used instead of their numbers.
        classes: the labels of the classes, used instead of their numbers.

    Raises:
        ConfigError, DataError, ShapeError: as `Network.fit` does.
    """
    facts = facts or {}
    chosen = pick_loss(model.architecture, facts.get("loss") if loss is None else loss)
    rows = encode_rows(model, chosen, X, y, sample_weight).check("a health check")
    held_out = None
    if validation is not None:
        if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
            raise ConfigError("validation must be (X, y) or (X, y, sample_weight)")
        held_out = encode_rows(model, chosen, *validation).check("validation")
    state = optimizer_state or OptimizerState()
    optimizer = state.optimizer
    if optimizer is None and facts.get("optimizer"):
        optimizer = Optimizer.find(facts["optimizer"])
    return _check(
        Subject(
            model=model,
            engine=engine,
            loss=chosen,
            rows=_some(rows, model.architecture),
            validation=None if held_out is None else _some(held_out, model.architecture),
            history=history or History(),
            optimizer=optimizer,
            batch_size=_count(facts.get("batch_size")),
            row_count=_count(facts.get("rows")) or len(rows),
            epochs=None,
            regularization=_restraints(Regularization(**facts.get("regularization", {}))),
            layers=(),
            names=feature_names(names, model.architecture),
            classes=class_labels(classes, model.architecture),
        ),
        slots=state.slots if state.optimizer == optimizer else None,
        update=state.update,
    )


def feature_names(names: Any, architecture: Architecture) -> list[str] | None:
    """Return the names of the features; None without names, or where rows are not one array of numbers."""
    return as_names(names, architecture.input_shape) if architecture.takes_numbers else None


def class_labels(classes: Any, architecture: Architecture) -> list[str] | None:
    """Return the labels of the classes without line breaks; None for None.

    Raises:
        ShapeError: if there is not one label for each class.
    """
    if classes is None:
        return None
    outputs = architecture.outputs[-1] if architecture.outputs else 1
    count = max(outputs, 2)  # a single output answers yes or no
    given = list(classes) if isinstance(classes, Sequence) and not isinstance(classes, str) else []
    if len(given) != count:
        raise ShapeError(
            f"classes must be a list of one label for each of {count} classes, got {shortened(classes)}"
        )
    return [" ".join(str(label).split()) for label in given]


def _restraints(regularization: Regularization) -> Regularization | None:
    """Return the regularization, None if it has no effect."""
    return None if regularization == Regularization() else regularization


def _count(value: Any) -> int | None:
    """Return a number from a model file, None if it is not a positive whole number."""
    return value if type(value) is int and value > 0 else None


def _some(rows: Rows, architecture: Architecture, most: int = MOST_ROWS) -> Rows:
    """Return rows of nonzero weight, at most `most` and fewer of large images, evenly spaced."""
    inputs = math.prod(architecture.input_shape) if architecture.takes_numbers else 0
    numbers = inputs + sum(step.outputs for step in architecture.steps)
    most = min(most, max(FEWEST_ROWS, MOST_NUMBERS // numbers))
    if rows.sample_weight is not None and not rows.sample_weight.all():
        rows = rows.part(np.flatnonzero(rows.sample_weight))
    if len(rows) <= most:
        return rows.dense()
    return rows.part(np.linspace(0, len(rows) - 1, most).round().astype(np.int64)).dense()


@quiet
def _check(
    subject: Subject,
    slots: Mapping[str, Array] | None,
    update: int,
    series: Mapping[str, Mapping[str, list[float | None]]] | None = None,
) -> Health:
    """Measure the layers of a subject, and return its health."""
    layers = _measured(subject, slots, update, rank_rows=RANK_ROWS)
    subject = dataclasses.replace(subject, layers=layers)
    return Health(look_for(subject), layers, len(subject.rows), series or {})


@quiet
def _measured(
    subject: Subject, slots: Mapping[str, Array] | None, update: int, rank_rows: int = 0
) -> list[LayerHealth]:
    change = None
    if subject.makes_steps and slots is not None and set(slots) == set(subject.optimizer.slots):
        rates = subject.history.learning_rate
        change = next_update(
            subject.optimizer,
            slots,
            update + 1,
            rates[-1] if rates else subject.rate,
            subject.gradient,
            subject.model.parameters,
            subject.model.architecture.penalized,
        )
    return measure(
        subject.model,
        subject.rows.x,
        subject.gradient,
        change,
        rank_rows,
    )


class HealthCheck(Callback):
    """Measure the health of each layer during training, and find what is wrong at the end.

    Args:
        every: epochs between two measurements, 1 by default.
        rows: how many rows to use after each epoch, 256 by default.
        names: of the features, used instead of their numbers; may also be set later.
        classes: the labels of the classes, used instead of their numbers; may also be set later.

    Attributes:
        health: the `Health` so far; the findings are computed on first access.

    >>> from ganglion.insight.health import HealthCheck
    >>> check = HealthCheck()
    >>> net = gg.Network([gg.Dense(4, "tanh"), gg.Dense(1, "sigmoid")], inputs=2)
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> history = net.fit(X, y, optimizer=gg.Adam(0.05), epochs=400, callbacks=[check])
    >>> check.health.findings, len(check.series["dense_1"]["update_ratio"])
    ([], 400)
    """

    def __init__(
        self,
        every: int = 1,
        rows: int = 256,
        names: Sequence[str] | None = None,
        classes: Sequence[Any] | None = None,
    ) -> None:
        self.names, self.classes = names, classes
        self.every = check_integer("every", every, at_least=1)
        self.rows = check_integer("rows", rows, at_least=2)
        self._training: Any = None
        self._health: Health | None = None
        self.series: dict[str, dict[str, list[float | None]]] = {}

    def on_train_begin(self, training: Training) -> None:
        before, plan = training.optimizer_state, training.plan
        self._training, self._health = training, None
        self._updates = before.update if before.optimizer == plan.optimizer else 0
        self._few = _some(plan.rows, training.architecture, self.rows)
        self.series = {}

    def on_epoch_end(self, training: Training) -> None:
        self._health = None
        if training.history.epochs % self.every:
            return
        for layer in _measured(self._subject(self._few), *self._memory()):
            series = self.series.setdefault(layer.name, {name: [] for name in SERIES})
            for name in SERIES:
                series[name].append(getattr(layer, name))

    def on_train_end(self, training: Training) -> None:
        self._health = None  # the best weights may have been restored

    @property
    def health(self) -> Health:
        """The measurements and findings so far.

        Raises:
            TrainingError: before the first epoch.
        """
        if self._training is None:
            raise TrainingError("a health check needs a run", "pass it to fit: callbacks=[check]")
        if self._health is None:
            plan = self._training.plan
            architecture, held_out = self._training.architecture, plan.validation
            held_out = held_out and _some(held_out, architecture)
            subject = self._subject(_some(plan.rows, architecture), held_out)
            self._health = _check(subject, *self._memory(), self.series)
        return self._health

    def _memory(self) -> tuple[Mapping[str, Array], int]:
        """Return the optimizer's slots and how many updates it has made."""
        training = self._training
        steps = math.ceil(training.rows / training.plan.batch_size)
        return training.optimizer_state.slots, self._updates + training.history.epochs * steps

    def _subject(self, rows: Rows, validation: Rows | None = None) -> Subject:
        training = self._training
        plan = training.plan
        return Subject(
            model=training.model,
            engine=training.engine,
            loss=plan.loss,
            rows=rows,
            validation=validation,
            history=training.history,
            optimizer=plan.optimizer,
            batch_size=plan.batch_size,
            row_count=len(plan.rows),
            epochs=plan.epochs,
            regularization=_restraints(plan.regularization),
            layers=(),
            names=feature_names(self.names, training.architecture),
            classes=class_labels(self.classes, training.architecture),
        )


def _table(layers: list[LayerHealth]) -> str:
    """Return the layers as a text table."""
    head = ["layer", "", "z", "a", "dead", "saturated", "gradient", "update/weight", "rank"]
    lines = [head, *map(_line, layers)]
    used = [column for column in range(len(head)) if any(line[column] for line in lines[1:])]
    widths = [max(len(line[column]) for line in lines) for column in used]
    rows = [
        "  ".join(f"{line[c]:<{w}}" for c, w in zip(used, widths, strict=True)).rstrip() for line in lines
    ]
    legend = [LEGEND[head[column]] for column in used if head[column] in LEGEND]
    if any(layer.unit != "unit" for layer in layers):
        legend = [line.replace(": units", ": units (of images: filters, over all places)") for line in legend]
    return "\n".join([rows[0], "-" * max(map(len, rows)), *rows[1:], "", *legend])


def _line(layer: LayerHealth) -> list[str]:
    return [
        layer.name,
        layer.words,
        f"{layer.z.mean:.2g} ± {layer.z.deviation:.2g}",
        f"{layer.a.mean:.2g} ± {layer.a.deviation:.2g}",
        "" if layer.dead is None else f"{layer.dead:.0%}",
        "" if layer.saturated is None else f"{layer.saturated:.0%}",
        "" if layer.gradient_norm is None else f"{layer.gradient_norm:.2g}",
        "" if layer.update_ratio is None else f"{layer.update_ratio:.1e}",
        "" if layer.effective_rank is None else f"{layer.effective_rank:.1f} of {layer.units}",
    ]


def _page(finding: Finding) -> str:
    """Return a finding as text."""
    words = [f"{finding.severity}: {finding.title}  [{finding.name}]"]
    for label in ("evidence", "cause", "remedy"):
        text = f"{label}: {getattr(finding, label)}"
        words += textwrap.wrap(text, 100, initial_indent="  ", subsequent_indent=" " * (len(label) + 4))
    return "\n".join([*words, textwrap.indent(finding.code, "      ")])
