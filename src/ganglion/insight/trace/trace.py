"""The trace: every number of one pass of a network, forward, backward and update, with its arithmetic.

All of it is reckoned in float64 with the layers' own code, on the very weights the network has. What is
shown of a layer lies in `arithmetic.py`, of a loss in `losses.py`, of an optimizer in `updates.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ganglion.checks import check_integer
from ganglion.core.activations import LogSoftmax
from ganglion.core.architecture import Architecture, Entry
from ganglion.core.arrays import as_array, as_inputs, as_names
from ganglion.core.layers import Context
from ganglion.core.losses import Loss, batch_mean
from ganglion.core.part import Array, plain
from ganglion.core.regularization import Regularization
from ganglion.errors import ConfigError, DataError, shortened
from ganglion.insight.trace.activations import activation_backward, activation_forward
from ganglion.insight.trace.arithmetic import (
    Index,
    LayerTrace,
    arithmetic_of,
    known,
)
from ganglion.insight.trace.equation import (
    Equation,
    Explanation,
    Factor,
    Sum,
    Symbol,
    Term,
    colored,
    unless_one,
)
from ganglion.insight.trace.losses import Objective
from ganglion.insight.trace.overview import overview_html, overview_text, ways_on
from ganglion.insight.trace.places import layer_place, parameter_place, place_in
from ganglion.insight.trace.updates import NextUpdate
from ganglion.insight.trace.verify import Verification, verify
from ganglion.insight.trace.words import gradient_words, unit_words
from ganglion.training.loop import Moment
from ganglion.training.plan import check_regularization, encode_rows, pick_loss

MOST_ROWS = 1000
SERIES = ("x", "z", "a", "grad_x", "grad_z", "grad_a")
quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")


class Trace:
    """What happened to some rows on their way through a network and back. Made by `Network.trace`.

    Print it for an overview. Numbers in it are float64, rows and units count from 0.

    Attributes:
        layers: a `LayerTrace` for each layer, in order: `x`, `z`, `a` and the gradients of the loss.
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
        architecture: Architecture,
        parameters: Array,
        state: Array,
        x: Array,
        objective: tuple[Loss, Array, Array | None] | None,
        regularization: Regularization,
        moment: Moment,
        training: bool,
        names: Sequence[str] | None,
    ) -> None:
        self._architecture, self._moment, self._regularization = architecture, moment, regularization
        self._parameters, self._state = parameters.astype(np.float64), state.astype(np.float64)
        self._names = names
        self.training = training
        self.layers: list[LayerTrace] = []
        self.loss: float | None = None
        self.gradient_vector: Array | None = None
        self._penalty_gradient = np.zeros(0)
        self._context = Context(training, moment.seed, 0, moment.step)
        self._forward(x.astype(np.float64))
        self._objective, self._batch_weight = None, 1.0
        if objective is not None:
            loss, y, weight = objective
            shares = np.ones(len(y)) if weight is None else weight.astype(np.float64)
            from_z = loss.is_partner_of(architecture.output_activation)
            self._batch_weight = float(shares.sum())
            self._objective = Objective(loss, y.astype(np.float64), shares / shares.sum(), from_z)
            self._backward(self._objective)

    def _forward(self, x: Array) -> None:
        weights = self._architecture.views(self._parameters, self._state)
        for place, layer in enumerate(self._architecture.layers):
            before, activation = layer.split_activation()
            z, cache = before.forward(weights[place], x, self._context._replace(layer=place))
            a = z if activation is None else activation.forward(z)
            name = self._architecture.names[place]
            own, source = weights[place], self._inputs(place)
            self.layers.append(
                LayerTrace(name, layer, before, activation, own, cache, x, z, a, self.training, source)
            )
            x = a

    def _inputs(self, place: int) -> Any:
        if place:
            before = self._architecture.names[place - 1]
            return lambda index: Symbol("a", before, index)
        names = self._names
        return lambda index: Symbol("x", "", index) if names is None else Symbol(names[index[0]])

    def _backward(self, objective: Objective) -> None:
        last, y = self.layers[-1], objective.y
        weight = objective.shares * len(y)
        if objective.from_z:
            value, last.grad_z = batch_mean(objective.judge(last.z, y, from_z=True), weight)
            if not isinstance(last.activation, LogSoftmax):  # the loss judges shares, not their logarithms
                grad_a = batch_mean(objective.judge(last.a, y, from_z=False), weight)[1]
                last.grad_a = grad_a if np.isfinite(grad_a).all() else None
        else:
            value, grad_a = batch_mean(objective.judge(last.a, y, from_z=False), weight)
            self._through_activation(last, grad_a)
        gradient = np.zeros(self._architecture.size)
        for place in reversed(range(len(self.layers))):
            part = self.layers[place]
            context = self._context._replace(layer=place, wants_grad_x=True)
            grad_z = known(part.grad_z)
            part.grad_x, part.gradients = part.before_activation.backward(
                part.weights, part.cache, grad_z, context
            )
            if place:
                self._through_activation(self.layers[place - 1], known(part.grad_x))
        for entry in self._architecture.parameters:
            short = entry.name.rpartition("/")[2]
            entry.of(gradient)[...] = self.layers[entry.layer].gradients[short]
        rules = self._regularization.of_batch(self._batch_weight)
        penalty, self._penalty_gradient = rules.penalty_and_gradient(self._architecture, self._parameters)
        self.loss = value + penalty
        self.gradient_vector = gradient + self._penalty_gradient

    @staticmethod
    def _through_activation(part: LayerTrace, grad_a: Array) -> None:
        part.grad_a = grad_a
        part.grad_z = grad_a if part.activation is None else part.activation.backward(grad_a, part.z, part.a)

    # ----------------------------------------------------------------------------------- what can be asked

    @quiet
    def unit(self, layer: str, index: int | Sequence[int] = 0, row: int = 0) -> Explanation:
        """Explain what one unit gives for one row: inputs times weights, their sum, f(z), in words too.

        Args:
            layer: its name, such as "dense_1"; "loss" explains the loss of the row instead.
            index: of the unit, or of one place where the layer gives more axes.
            row: of the batch.

        Raises:
            ConfigError: if there is no such layer, unit or row.
        """
        row = self._row(row)
        if layer == "loss":
            objective = self._judged()
            equations = objective.forward(self.layers[-1], row)
            words = f"{objective.loss.name} says how wrong row {row} is; the smaller, the better."
            return Explanation(f"loss[{row}]", equations[0].value, words, tuple(equations))
        part = self.layers[layer_place(self._architecture, layer)]
        place = place_in(layer, index, part.a.shape[1:])
        equations = [
            *activation_forward(part, row, place),
            *arithmetic_of(part.before_activation).forward(part, row, place),
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

        Where several paths lead from a unit to the loss they are summed, the largest first, and the chain
        goes on along the largest.

        Args:
            parameter: such as "dense_1/weight".
            index: of the number in it, such as (3, 2): input 3, unit 2.

        Raises:
            ConfigError: if there is no such number, or the trace has no targets.
        """
        objective = self._judged()
        entry, place = parameter_place(self._architecture, parameter, index)
        part, short = self.layers[entry.layer], entry.name.rpartition("/")[2]
        left = Symbol(short, part.name, place, gradient=True)
        value = float(entry.of(known(self.gradient_vector))[place])
        found = arithmetic_of(part.before_activation).parameter(part, short, place)
        if found is None:
            return Explanation(str(left), value, "", (self._opaque(left, value, entry, place),))
        terms = [term for term, _, _ in found] + self._penalty(entry, place)
        rule = "what comes in · what comes back" if len(found[0][0].factors) > 1 else "what comes back"
        rule += ", summed over the rows" if len(part.x) > 1 else ""
        equations: list[Equation] = [Sum(left, value, rule, tuple(terms))]
        _, row, where = max(found, key=lambda each: abs(each[0].value))
        chain = self._chain(entry.layer, row, where, objective)
        if len(part.x) > 1:
            chain[:1] = [dataclasses.replace(each, note=f"from here on for row {row}") for each in chain[:1]]
        equations += chain
        words = gradient_words(left, value, chain, clips=objective.clips(self.layers[-1]))
        return Explanation(str(left), value, words, tuple(equations))

    @quiet
    def update(self, parameter: str, index: int | Sequence[int]) -> Explanation:
        """Explain the next update of one parameter: gradient, optimizer, step, and the value after it.

        Args:
            parameter: such as "dense_1/weight".
            index: of the number in it.

        Raises:
            ConfigError: if there is no such number, the trace has no targets, or the optimizer is L-BFGS,
                which makes no single updates.
        """
        gradient, moment = known(self.gradient_vector), self._moment
        update = NextUpdate(self._architecture, self._parameters, gradient, self._regularization, moment)
        return update.explain(*parameter_place(self._architecture, parameter, index))

    @quiet
    def verify(self) -> Verification:
        """Compare every gradient with a central difference of the loss, in float64.

        Returns:
            The largest error, divided by the largest gradient, and where it is. Penalties are left out,
            and so is a loss's `clip`, where the loss is flat and its gradient by design is not.

        Raises:
            ConfigError: without targets.
        """
        objective = self._judged()
        return verify(
            self._architecture.before_output if objective.from_z else self._architecture,
            self._parameters,
            self._state,
            self.layers[0].x,
            known(self.gradient_vector) - self._penalty_gradient,
            self._loss_of,
            self._context,
            objective.loss.factor,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON data: each layer's numbers and gradients, as nested lists."""
        layers = []
        for part in self.layers:
            facts: dict[str, Any] = {"name": part.name, "does": part.layer.describe()}
            facts |= {name: plain(getattr(part, name)) for name in SERIES}
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
        """Return the forward pass of the first row as formulas with numbers, one line for each unit."""
        lines: list[str] = []
        for part in self.layers:
            for place in list(np.ndindex(part.a.shape[1:])):
                index = tuple(map(int, place))
                for equation in (
                    *arithmetic_of(part.before_activation).forward(part, 0, index)[:1],
                    *activation_forward(part, 0, index)[:1],
                ):
                    lines += equation.latex_lines()
        return "\n".join([r"\begin{align*}", *lines, r"\end{align*}"])

    @quiet
    def __str__(self) -> str:
        return f"{overview_text(self)}\n\n{ways_on(self)}"

    __repr__ = __str__

    def __rich__(self) -> Any:
        return colored(str(self))

    @quiet
    def _repr_html_(self) -> str:
        return overview_html(self)

    # --------------------------------------------------------------------------------------------- inside

    def _chain(self, place: int, row: int, index: Index, objective: Objective) -> list[Equation]:
        """Return the equations from dL/dz of one unit to the loss, along the largest path."""
        equations: list[Equation] = []
        here: Index | None = index
        while here is not None:
            part = self.layers[place]
            is_last = place == len(self.layers) - 1
            if is_last and objective.from_z:
                return [*equations, *objective.shortcut(part, row, here)]
            found, here = activation_backward(part, row, here)
            equations += found
            if here is None:
                break
            if is_last:
                return [*equations, *objective.backward(part, row, here)]
            place += 1
            part = self.layers[place]
            found, here = arithmetic_of(part.before_activation).backward(part, row, here)
            equations += found
        return equations

    def _opaque(self, left: Symbol, value: float, entry: Entry, place: Index) -> Equation:
        """Return the gradient of a parameter whose layer cannot be taken apart."""
        layer, penalties = self.layers[entry.layer].layer, self._penalty(entry, place)
        rule = f"what backward of {layer.name} gives"
        if not penalties:
            return Equation(left, value, rule)
        own = value - sum(term.value for term in penalties)
        return Sum(left, value, "with penalties", (Term((Factor(Symbol(rule), own),)), *penalties))

    def _penalty(self, entry: Entry, place: Index) -> list[Term]:
        w, rules = float(entry.of(self._parameters)[place]), self._regularization
        if not entry.penalized:
            return []
        pairs = [("l1", rules.l1, "sign(w)", float(np.sign(w))), ("l2", rules.l2, "w", w)]
        share = unless_one("1/batch weight", 1 / self._batch_weight) if rules.per_row else ()
        return [
            Term((Factor(Symbol(name), strength), *share, Factor(Symbol(of), value)), f"{name} penalty")
            for name, strength, of, value in pairs
            if strength
        ]

    def _loss_of(self, last: Array) -> Array:
        """Return the mean loss, without clip, of each of several batches of outputs, stacked along axis 0."""
        objective = self._judged().without_clip()
        n = len(objective.y)
        y = np.tile(objective.y, (len(last) // n, *[1] * (objective.y.ndim - 1)))
        losses: Array = objective.judge(last, y, objective.from_z)[0].reshape(-1, n) @ objective.shares
        return losses

    def _judged(self) -> Objective:
        if self._objective is None:
            raise ConfigError("this trace has no targets to judge by", "give y when making it")
        return self._objective

    def _row(self, row: int) -> int:
        count = len(self.layers[0].x)
        return check_integer(f"row, one of {count},", row, at_least=0, at_most=count - 1)


def make_trace(
    architecture: Architecture,
    parameters: Array,
    state: Array,
    x: Any,
    y: Any,
    *,
    loss: Loss | str | None,
    moment: Moment,
    training: bool | None,
    sample_weight: Any,
    regularization: Regularization | None,
    names: Sequence[str] | None,
) -> Trace:
    """Return the trace of some rows; the arguments are those of `Network.trace`."""
    dtype, inputs = parameters.dtype, architecture.inputs
    training = y is not None if training is None else training
    if not isinstance(training, bool):
        raise ConfigError(f"training must be True or False, got {shortened(training)}")
    x = as_array("X", x)
    if x.shape == inputs or (inputs == (1,) and x.ndim == 0):  # one row
        x, y = x.reshape(1, *inputs), None if y is None else as_array("targets", y)[None]
    names = as_names(names, inputs)
    objective = None
    if y is None:
        rows = as_inputs(x, inputs, dtype)
    else:
        chosen = pick_loss(architecture, loss)
        encoded = encode_rows(architecture, dtype, chosen, x, y, sample_weight).check("a trace")
        rows, objective = encoded.x, (chosen, encoded.y, encoded.weight)
    if not 1 <= len(rows) <= MOST_ROWS:
        raise DataError(f"a trace needs 1 to {MOST_ROWS} rows, got {len(rows)}", "give one row, X[17]")
    penalties = check_regularization(regularization)
    if training and moment.raw is not None:
        parameters = moment.raw
    else:
        moment = moment._replace(raw=None, mean=None)
    return Trace(architecture, parameters, state, rows, objective, penalties, moment, training, names)
