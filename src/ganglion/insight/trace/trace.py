"""The trace: every number of one pass of a network, forward, backward and update, with its arithmetic.

Everything is computed in float64 by the layers' own code from the network's own weights. The arithmetic of a
layer is in the layer's file, that of a loss in `losses.py`, and that of an optimizer in `updates.py`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.architecture import Passed
from ganglion.core.arrays import as_array, as_names
from ganglion.core.inputs import InputRows, as_float64, count_rows, read_rows, values_of
from ganglion.core.layers import Context
from ganglion.core.losses import Loss, batch_mean
from ganglion.core.model import Model
from ganglion.core.part import Array, plain
from ganglion.core.regularization import Regularization
from ganglion.core.steps import Entry
from ganglion.errors import ConfigError, DataError, shortened
from ganglion.insight.trace.activations import activation_forward
from ganglion.insight.trace.equation import (
    Equation,
    Explanation,
    Factor,
    Sum,
    Symbol,
    Term,
    colored,
)
from ganglion.insight.trace.layer_trace import Index, LayerTrace, Namer, required
from ganglion.insight.trace.losses import Objective, penalty_terms
from ganglion.insight.trace.overview import next_calls, overview_html, overview_text
from ganglion.insight.trace.path import Reader, path_to_loss
from ganglion.insight.trace.places import layer_place, parameter_place, place_in
from ganglion.insight.trace.updates import NextUpdate
from ganglion.insight.trace.verify import Verification, verify
from ganglion.insight.trace.words import gradient_words, unit_words
from ganglion.training.optimizer_state import UpdateStart
from ganglion.training.plan import check_regularization, encode_rows, pick_loss

MOST_ROWS = 1000
quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")


class Trace:
    """Every number of some rows' forward and backward pass through a network. Made by `Network.trace`.

    Print it for an overview. All numbers are float64; rows and units count from 0.

    Attributes:
        layers: a `LayerTrace` for each step of the network, in order: `x`, `z`, `a` and the gradients of the
            loss.
        loss: the mean loss over the rows plus penalties, None without targets.
        gradient_vector: its gradient, laid out like the network's parameters, None without targets.
        training: whether dropout and batch normalization acted as in a training step.

    >>> net = gg.Network([gg.Dense(2, "tanh"), gg.Dense(1)], inputs=2)
    >>> net.parameters = [1, 2, 3, 4, 0, 0, 1, -1, 0.5]
    >>> t = net.trace([0.1, 0.2], 1.0, loss="mse", optimizer=gg.SGD(0.1))
    >>> t.unit("dense_1", 0)
    dense_1.a[0] = 0.604368
    <BLANKLINE>
    Unit 0 of dense_1 gives 0.604368, because its inputs push z up by 0.7 and down by 0, and the bias adds 0.
    Most for it: x[1] (+0.6), x[0] (+0.1).
    <BLANKLINE>
    dense_1.a[0] = tanh(z)
        = tanh(0.7)
        = 0.604368
    <BLANKLINE>
    dense_1.z[0] = sum of input · weight[:, 0], + bias[0]
          0.6  = 0.2 × 3   x[1] · dense_1.weight[1, 0]
        + 0.1  = 0.1 × 1   x[0] · dense_1.weight[0, 0]
        + 0                dense_1.bias[0]
        = 0.7
    >>> t.verify().worst < 1e-8
    True
    """

    @quiet
    def __init__(
        self,
        model: Model,
        x: InputRows,
        objective: tuple[Loss, Array, Array | None] | None,
        regularization: Regularization,
        start: UpdateStart,
        training: bool,
        names: Sequence[str] | None,
    ) -> None:
        self._model, self._start, self._regularization = model.in_float64(), start, regularization
        self._architecture = model.architecture
        self._names = names
        self.training = training
        self.loss: float | None = None
        self.gradient_vector: Array | None = None
        self._penalty_gradient = np.zeros(0)
        self._context = Context(training, start.seed, 0, start.step)
        self._x = as_float64(x)
        self._forward()
        self._objective, self._batch_weight = None, 1.0
        if objective is not None:
            loss, y, weight = objective
            fractions = np.ones(len(y)) if weight is None else weight.astype(np.float64)
            from_z = loss.is_partner_of(self._architecture.output_activation)
            self._batch_weight = float(fractions.sum())
            self._objective = Objective(loss, y.astype(np.float64), fractions / fractions.sum(), from_z)
            self._backward(self._objective)

    @property
    def inputs(self) -> dict[str, Any]:
        """The input values, by the names of the network's inputs; "x" if there is only one."""
        return dict(
            zip(self._architecture.inputs, values_of(self._architecture.inputs, self._x), strict=True)
        )

    def _forward(self) -> None:
        architecture, weights = self._architecture, self._model.views
        _, passed = architecture.forward(weights, self._x, self._context)
        values = [*self.inputs.values(), *(one.a for one in passed)]
        self.layers: list[LayerTrace] = []
        self._readers: list[list[Reader]] = [[] for _ in values]
        for step, one in zip(architecture.steps, passed, strict=True):
            read = [values[value] for value in step.reads]
            for which, value in enumerate(step.reads):
                self._readers[value].append((step.number, which))
            x = read[0] if len(read) == 1 else tuple(read)
            names = [self._namer(value) for value in step.reads]
            own = weights[step.number]
            self.layers.append(LayerTrace(step, own, one.cache, x, one.z, one.a, self.training, names))

    def _namer(self, value: int) -> Namer:
        """Return a function that names the numbers of a value."""
        inputs, names = list(self._architecture.inputs), self._names
        if value >= len(inputs):
            before = self._architecture.steps[value - len(inputs)].name
            return lambda index: Symbol("a", before, index)
        return lambda index: Symbol(inputs[value], "", index) if names is None else Symbol(names[index[0]])

    def _backward(self, objective: Objective) -> None:
        last, y = self.layers[-1], objective.y
        weight = objective.weights * len(y)
        if objective.from_z:
            value, last.grad_z = batch_mean(objective.judge(last.z, y, from_z=True), weight)
            if (
                last.activation is not None and not last.activation.gives_logarithms
            ):  # the loss judges probabilities, not logarithms
                grad_a = batch_mean(objective.judge(last.a, y, from_z=False), weight)[1]
                last.grad_a = grad_a if np.isfinite(grad_a).all() else None
        else:
            value, last.grad_a = batch_mean(objective.judge(last.a, y, from_z=False), weight)
        architecture = self._architecture
        gradient = np.zeros(architecture.size)
        for part in reversed(self.layers):
            if part is not last:
                parts = [
                    self.layers[number].grads[which] for number, which in self._readers[part.step.writes]
                ]
                part.grad_a = functools.reduce(np.add, map(required, parts))
            if part.grad_z is None:
                part.grad_z = required(part.grad_a)
                if part.activation is not None:
                    part.grad_z = part.activation.backward(part.grad_z, part.z, part.a)
            context = self._context._replace(layer=part.step.stream)
            grads, part.gradients = part.layer.backward(part.weights, part.cache, part.grad_z, context)
            part.grads = grads if len(part.step.reads) > 1 else (grads,)
        for entry in architecture.parameters:
            entry.of(gradient)[...] = self.layers[entry.step].gradients[entry.short]
        rules = self._regularization.of_batch(self._batch_weight)
        visited = architecture.visited([Passed(part.z, part.a, part.cache) for part in self.layers])
        self._visited = np.zeros(architecture.size, dtype=bool)
        self._visited[visited] = True
        penalized = architecture.penalized_among(visited)
        penalty, self._penalty_gradient = rules.penalty_and_gradient(self._model.parameters, penalized)
        self.loss = value + penalty
        self.gradient_vector = gradient + self._penalty_gradient

    @quiet
    def unit(self, layer: str, index: int | Sequence[int] = 0, row: int = 0) -> Explanation:
        """Explain the activation of one unit for one row, in words and numbers: products, sum, f(z).

        Args:
            layer: its name, such as "dense_1"; "loss" explains the loss of the row instead.
            index: of the unit; one number per axis if the output has several axes.
            row: of the batch.

        Raises:
            ConfigError: if there is no such layer, unit or row.
        """
        row = self._row(row)
        if layer == "loss":
            objective = self._judged()
            equations = objective.forward(self.layers[-1], row)
            words = f"{objective.loss.name} measures how wrong row {row} is; smaller is better."
            return Explanation(f"loss[{row}]", equations[0].value, words, tuple(equations))
        part = self.layers[layer_place(self._architecture, layer)]
        place = place_in(layer, index, part.a.shape[1:])
        equations = [
            *activation_forward(part, row, place),
            *part.layer.arithmetic.forward(part, row, place),
        ]
        return Explanation(
            str(Symbol("a", part.name, place)),
            float(part.a[(row, *place)]),
            unit_words(part, row, place, equations),
            tuple(equations),
        )

    @quiet
    def gradient(self, parameter: str, index: int | Sequence[int]) -> Explanation:
        """Explain one number of the gradient: the chain of factors from the parameter to the loss.

        If several paths lead from a unit to the loss, they are summed, the largest first, and the chain
        follows the largest.

        Args:
            parameter: such as "dense_1/weight".
            index: of the number in the parameter, such as (3, 2): input 3, unit 2.

        Raises:
            ConfigError: if there is no such number, or the trace has no targets.
        """
        objective = self._judged()
        entry, place = parameter_place(self._architecture, parameter, index)
        part, short = self.layers[entry.step], entry.short
        left = Symbol(short, part.name, place, gradient=True)
        value = float(entry.of(required(self.gradient_vector))[place])
        found = part.layer.arithmetic.parameter(part, short, place)
        if found is None:
            return Explanation(str(left), value, "", (self._opaque(left, value, entry, place),))
        terms = [term for term, _, _ in found] + self._penalty(entry, place)
        if not found:  # an element of a kernel that meets nothing but padding
            rule = "nothing goes through it"
            return Explanation(str(left), value, "", (Sum(left, value, rule, tuple(terms)),))
        rule = "what comes in · what comes back" if len(found[0][0].factors) > 1 else "what comes back"
        over = part.layer.arithmetic.shared_over
        over = " and ".join(filter(None, ["rows" if part.count > 1 else "", over if len(found) > 1 else ""]))
        rule += f", summed over the {over}" if over else ""
        equations: list[Equation] = [Sum(left, value, rule, tuple(terms))]
        _, row, where = max(found, key=lambda each: abs(each[0].value))
        chain = path_to_loss(self.layers, self._readers, objective, entry.step, row, where)
        if part.count > 1:
            chain[:1] = [dataclasses.replace(each, note=f"from here on for row {row}") for each in chain[:1]]
        equations += chain
        words = gradient_words(left, value, chain, clips=objective.clips(self.layers[-1]))
        return Explanation(str(left), value, words, tuple(equations))

    @quiet
    def update(self, parameter: str, index: int | Sequence[int]) -> Explanation:
        """Explain the next update of one parameter: gradient, optimizer, step, and the value after it.

        Args:
            parameter: such as "dense_1/weight".
            index: of the number in the parameter.

        Raises:
            ConfigError: if there is no such number, the trace has no targets, or the optimizer is L-BFGS,
                which makes no single updates.
        """
        gradient, model = required(self.gradient_vector), self._model
        update = NextUpdate(
            model.architecture, model.parameters, gradient, self._regularization, self._start, self._visited
        )
        return update.explain(*parameter_place(self._architecture, parameter, index))

    @quiet
    def verify(self) -> Verification:
        """Compare every gradient with a central difference of the loss, in float64.

        Returns:
            The largest error, divided by the largest gradient, and where it is. Penalties are left out, and
            so is a loss's `clip`, where the loss is flat but its gradient is not 0 by design.

        Raises:
            ConfigError: without targets.
        """
        objective = self._judged()
        return verify(
            self._architecture,
            self._model.parameters,
            self.layers,
            required(self.gradient_vector) - self._penalty_gradient,
            objective.without_clip().batch_losses,
            self._context,
            objective.loss.factor,
            to_z=objective.from_z,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON data: the numbers and gradients of each layer as nested lists."""
        layers = []
        for part in self.layers:
            facts: dict[str, Any] = {"name": part.name, "does": part.layer.describe()}
            facts |= plain(part.series())
            facts["parameters"] = plain(vars(part.weights))
            facts["gradients"] = plain(part.gradients)
            layers.append(facts)
        objective = self._objective
        return {
            "training": self.training,
            "loss": plain(self.loss),
            "loss_name": None if objective is None else objective.loss.name,
            "targets": None if objective is None else plain(objective.y),
            "layers": layers,
        }

    @quiet
    def to_latex(self) -> str:
        """Return the forward pass of the first row as formulas with numbers, unit by unit."""
        lines: list[str] = []
        for part in self.layers:
            for place in list(np.ndindex(part.a.shape[1:])):
                index = tuple(map(int, place))
                for equation in (
                    *part.layer.arithmetic.forward(part, 0, index)[:1],
                    *activation_forward(part, 0, index)[:1],
                ):
                    lines += equation.latex_lines()
        return "\n".join([r"\begin{align*}", *lines, r"\end{align*}"])

    @quiet
    def __str__(self) -> str:
        return f"{overview_text(self)}\n\n{next_calls(self)}"

    __repr__ = __str__

    def __rich__(self) -> Any:
        return colored(str(self))

    @quiet
    def _repr_html_(self) -> str:
        return overview_html(self)

    def _opaque(self, left: Symbol, value: float, entry: Entry, place: Index) -> Equation:
        """Return the gradient of a parameter of a custom layer, whose arithmetic is unknown."""
        layer, penalties = self.layers[entry.step].layer, self._penalty(entry, place)
        rule = f"what backward of {layer.name} gives"
        if not penalties:
            return Equation(left, value, rule)
        own = value - sum(term.value for term in penalties)
        return Sum(left, value, "with penalties", (Term((Factor(Symbol(rule), own),)), *penalties))

    def _penalty(self, entry: Entry, place: Index) -> list[Term]:
        w = float(entry.of(self._model.parameters)[place])
        return penalty_terms(self._regularization, w, self._batch_weight) if entry.penalized else []

    def _judged(self) -> Objective:
        if self._objective is None:
            raise ConfigError("this trace has no targets", "pass y when you make the trace")
        return self._objective

    def _row(self, row: int) -> int:
        count = self.layers[0].count
        return check_integer(f"row, one of {count},", row, at_least=0, at_most=count - 1)


def make_trace(
    model: Model,
    x: Any,
    y: Any,
    *,
    loss: Loss | str | None,
    start: UpdateStart,
    training: bool | None,
    sample_weight: Any,
    regularization: Regularization | None,
    names: Sequence[str] | None,
) -> Trace:
    """Return the trace of some rows; the arguments are those of `Network.trace`."""
    architecture = model.architecture
    training = y is not None if training is None else training
    if not isinstance(training, bool):
        raise ConfigError(f"training must be True or False, got {shortened(training)}")
    if architecture.takes_numbers:
        x, inputs = as_array("X", x), architecture.input_shape
        if x.shape == inputs or (inputs == (1,) and x.ndim == 0):  # one row
            x, y = x.reshape(1, *inputs), None if y is None else as_array("targets", y)[None]
        names = as_names(names, inputs)
    elif names is not None:
        raise ConfigError("names are for networks with one input of numbers")
    objective = None
    if y is None:
        rows = read_rows(architecture.inputs, x, model.dtype)
    else:
        chosen = pick_loss(architecture, loss)
        encoded = encode_rows(model, chosen, x, y, sample_weight).check("a trace")
        rows, objective = encoded.x, (chosen, encoded.y, encoded.sample_weight)
    count = count_rows(rows)
    if not 1 <= count <= MOST_ROWS:
        raise DataError(f"a trace needs 1 to {MOST_ROWS} rows, got {count}", "pass one row, X[17]")
    return trace_rows(model, rows, objective, check_regularization(regularization), start, training, names)


def trace_rows(
    model: Model,
    x: InputRows,
    objective: tuple[Loss, Array, Array | None] | None,
    regularization: Regularization,
    start: UpdateStart,
    training: bool,
    names: Sequence[str] | None = None,
) -> Trace:
    """Return the trace of rows as engines take them: inputs, and (loss, targets, sample weights) if known."""
    if training and start.raw is not None:
        model = Model(model.architecture, start.raw, model.state, model.seed)
    else:
        start = start._replace(raw=None, mean=None)
    return Trace(model, x, objective, regularization, start, training, names)
