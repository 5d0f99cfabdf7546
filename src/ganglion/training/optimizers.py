"""Optimizers: how an update is computed from the gradient, on flat vectors.

An optimizer states its `rule` (`ganglion.core.rule`): lines over the gradient `g`, the parameters `w`, the
update's number `t`, the learning `rate`, the optimizer's own settings, and its slots, vectors laid out like
the parameters. The last line computes `change`, which is subtracted. Clipping, weight decay and averaging
surround it (`ganglion.core.update`). To add one: write the class, add it to the list at the end.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from ganglion.checks import check_flag, check_integer, check_number
from ganglion.core.part import Array, Part, PartField, built_in
from ganglion.core.rule import rule_of
from ganglion.errors import ConfigError
from ganglion.optional import load
from ganglion.training.schedules import Schedule


@dataclass(frozen=True)
class Optimizer(Part):
    """The base class of optimizers.

    `makes_steps` states whether it makes one update per batch; otherwise it minimizes the loss over all rows.
    `largest_rate` is the largest learning rate worth trying.
    """

    kind: ClassVar[str] = "optimizer"
    makes_steps: ClassVar[bool] = False
    largest_rate: ClassVar[float] = 0.1


@dataclass(frozen=True)
class StepOptimizer(Optimizer):
    """The base class of optimizers that make one update per batch.

    To write your own, subclass it and define a `rule`, which a trace can print. If a rule cannot express the
    update, define the method `change` and the `slots` instead.

    Args:
        learning_rate: a number, or a schedule.
        weight_decay: each update also subtracts learning_rate * weight_decay * w from each weight w,
            independently of the gradient ("decoupled", Loshchilov and Hutter, 2017). Biases and the scales of
            normalization do not decay. 0 by default.
        clip_norm: a gradient with a larger norm is scaled down to this norm; None by default.
        average: keeps a running mean of the parameters, mean = d * mean + (1 - d) * parameters with
            d = min(average, t / (t + 9)) at update t. The mean is used for validation and becomes the
            network's parameters after training. None by default; 0.99 to 0.999 are usual.

    >>> sgd = SGD(0.1, momentum=0.9)
    >>> slots = {"velocity": np.zeros(1)}
    >>> gradient, parameters = np.array([2.0]), np.array([1.0])
    >>> [sgd.change(gradient, slots, update, 0.1, parameters).item() for update in (1, 2)]
    [0.2, 0.38]
    """

    learning_rate: PartField[Schedule] = PartField(Schedule, None)
    weight_decay: float = field(default=0.0, kw_only=True)
    clip_norm: float | None = field(default=None, kw_only=True)
    average: float | None = field(default=None, kw_only=True)

    makes_steps = True
    usual_rate: ClassVar[float] = 0.001

    def __post_init__(self) -> None:
        if self.learning_rate is None:
            object.__setattr__(self, "learning_rate", self.usual_rate)
        check_number("weight_decay", self.weight_decay, at_least=0)
        if self.clip_norm is not None:
            check_number("clip_norm", self.clip_norm, above=0)
        if self.average is not None:
            check_number("average", self.average, above=0, below=1)

    def settings(self) -> dict[str, float]:
        """Return the numeric settings of the rule by name, without those common to all optimizers."""
        common = {field.name for field in fields(StepOptimizer)}
        return {name: value for name, value in super().settings().items() if name not in common}

    @property
    def rule(self) -> tuple[str, ...]:
        """The lines `name = formula` of an update; the last computes `change`."""
        return ()

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the vectors kept between updates, all initially 0."""
        return rule_of(self.rule).slots

    def values(
        self, gradient: Array, slots: Mapping[str, Array], update: int, rate: float, parameters: Array
    ) -> dict[str, Any]:
        """Return all numbers of the rule by name, including `change`; write the slots.

        Raises:
            ConfigError: if a formula uses an unknown name: neither g, w, t or rate, nor an attribute.
        """
        lines = self.rule
        if not lines:
            raise NotImplementedError(f"{type(self).__name__} needs a rule or a method change")
        rule = rule_of(lines)
        values = {"g": gradient, "w": parameters, "t": update, "rate": rate}
        try:
            values |= {name: getattr(self, name) for name in rule.settings if name not in values}
        except AttributeError as error:
            raise ConfigError(
                f"the rule of {type(self).__name__} uses {error.name!r}, which is not an attribute of it",
                "a rule may also use g, w, t and rate",
            ) from None
        return rule.values(slots, values)

    def change(
        self, gradient: Array, slots: Mapping[str, Array], update: int, rate: float, parameters: Array
    ) -> Array:
        """Return what update number `update` (from 1) subtracts, as a new vector; write the slots."""
        change: Array = self.values(gradient, slots, update, rate, parameters)["change"]
        return change


@dataclass(frozen=True)
class SGD(StepOptimizer):
    """Stochastic gradient descent: change = rate * g; with momentum, a running sum of gradients.

    velocity = momentum * velocity + g; change = rate * velocity, or with Nesterov's look ahead
    rate * (g + momentum * velocity) (Sutskever et al., 2013, in PyTorch's form).

    Args:
        learning_rate: a number, or a schedule; 0.01 by default.
        momentum: from 0, the default, to 1; 0.9 is usual.
        nesterov: whether to use Nesterov momentum; False by default.
        weight_decay, clip_norm, average: as in `StepOptimizer`.
    """

    momentum: float = 0.0
    nesterov: bool = False

    name = "sgd"
    usual_rate, largest_rate = 0.01, 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("momentum", self.momentum, at_least=0, at_most=1)
        if check_flag("nesterov", self.nesterov) and self.momentum == 0:
            raise ConfigError("nesterov needs momentum > 0, got 0", "for example momentum=0.9")

    @property
    def rule(self) -> tuple[str, ...]:
        if not self.momentum:
            return ("change = rate * g",)
        ahead = "(g + momentum * velocity)" if self.nesterov else "velocity"
        return "velocity = momentum * velocity + g", f"change = rate * {ahead}"


@dataclass(frozen=True)
class RMSprop(StepOptimizer):
    """change = rate * g / (sqrt(square) + epsilon), square a running mean of g**2 (Hinton, 2012).

    With momentum, change = rate * velocity and velocity = momentum * velocity + g / (sqrt(square) + epsilon).

    Args:
        learning_rate: a number, or a schedule; 0.01 by default.
        decay: the fraction of the running mean that an update keeps, 0.99 by default.
        epsilon: 1e-8 by default.
        momentum: 0 by default.
        weight_decay, clip_norm, average: as in `StepOptimizer`.
    """

    decay: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0

    name = "rmsprop"
    usual_rate = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("decay", self.decay, at_least=0, below=1)
        check_number("epsilon", self.epsilon, above=0)
        check_number("momentum", self.momentum, at_least=0, below=1)

    @property
    def rule(self) -> tuple[str, ...]:
        square, scaled = "square = decay * square + g**2 * (1 - decay)", "g / (sqrt(square) + epsilon)"
        if not self.momentum:
            return square, f"change = rate * ({scaled})"
        return square, f"velocity = momentum * velocity + {scaled}", "change = rate * velocity"


@dataclass(frozen=True)
class Adagrad(StepOptimizer):
    """change = rate * g / (sqrt(square) + epsilon), square the sum of all g**2 (Duchi et al., 2011).

    Args:
        learning_rate: a number, or a schedule; 0.01 by default.
        epsilon: 1e-10 by default.
        weight_decay, clip_norm, average: as in `StepOptimizer`.
    """

    epsilon: float = 1e-10

    name = "adagrad"
    usual_rate = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("epsilon", self.epsilon, above=0)

    @property
    def rule(self) -> tuple[str, ...]:
        return "square = square + g**2", "change = rate * g / (sqrt(square) + epsilon)"


@dataclass(frozen=True)
class Adam(StepOptimizer):
    """change = rate * m' / (sqrt(v') + epsilon) (Kingma and Ba, 2014, algorithm 1).

    m = beta_1 * m + (1 - beta_1) * g and v = beta_2 * v + (1 - beta_2) * g**2 are running means;
    m' = m / (1 - beta_1**t) and v' = v / (1 - beta_2**t) correct their bias toward 0 at update t. Epsilon is
    that of algorithm 1, added after the bias correction. With `epsilon_hat` it is that of the paper's section
    2, change = rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon), as in scikit-learn.

    Args:
        learning_rate: a number, or a schedule; 0.001 by default.
        beta_1: the fraction of m that an update keeps, 0.9 by default.
        beta_2: the fraction of v that an update keeps, 0.999 by default.
        epsilon: 1e-8 by default.
        epsilon_hat: which epsilon to use, see above; False by default.
        weight_decay, clip_norm, average: as in `StepOptimizer`.
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    epsilon_hat: bool = field(default=False, kw_only=True)

    name = "adam"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("beta_1", self.beta_1, at_least=0, below=1)
        check_number("beta_2", self.beta_2, at_least=0, below=1)
        check_number("epsilon", self.epsilon, above=0)
        check_flag("epsilon_hat", self.epsilon_hat)

    @property
    def rule(self) -> tuple[str, ...]:
        means = ("m = beta_1 * m + (1 - beta_1) * g", "v = beta_2 * v + g**2 * (1 - beta_2)")
        if self.epsilon_hat:
            return (
                *means,
                "rate_corrected = rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)",
                "change = m / (sqrt(v) + epsilon) * rate_corrected",
            )
        return (
            *means,
            "rate_corrected = rate / (1 - beta_1**t)",
            "change = m / (sqrt(v) / sqrt(1 - beta_2**t) + epsilon) * rate_corrected",
        )


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay 0.01 by default (Loshchilov and Hutter, 2017).

    PyTorch's class of this name decays all parameters it is given; here biases and the scales of
    normalization do not decay.

    Args:
        weight_decay: 0.01 by default.
        learning_rate, beta_1, beta_2, epsilon, epsilon_hat, clip_norm, average: as in `Adam`.
    """

    weight_decay: float = field(default=0.01, kw_only=True)

    name = "adamw"


@dataclass(frozen=True)
class Lion(StepOptimizer):
    """change = rate * sign(beta_1 * m + (1 - beta_1) * g), then m = beta_2 * m + (1 - beta_2) * g.

    Only the sign is used, so every weight changes by the rate (Chen et al., 2023, algorithm 2). A subnormal m
    becomes 0, because its sign would otherwise change the weight forever.

    Args:
        learning_rate: a number, or a schedule; 0.0001 by default. A third to a tenth of Adam's is usual.
        beta_1: 0.9 by default.
        beta_2: 0.99 by default.
        weight_decay, clip_norm, average: as in `StepOptimizer`.
    """

    beta_1: float = 0.9
    beta_2: float = 0.99

    name = "lion"
    usual_rate = 0.0001

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("beta_1", self.beta_1, at_least=0, below=1)
        check_number("beta_2", self.beta_2, at_least=0, below=1)

    @property
    def rule(self) -> tuple[str, ...]:
        return (
            "direction = sign(beta_1 * m + (1 - beta_1) * g)",
            "m = flushed(beta_2 * m + (1 - beta_2) * g)",
            "change = rate * direction",
        )


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """Limited-memory BFGS on all rows at once: few, long steps for small data (Liu and Nocedal, 1989).

    The algorithm is SciPy's L-BFGS-B (install `ganglion[lbfgs]`). An epoch is one of its iterations; its
    history of past steps does not outlast the call of `fit`.

    Args:
        history: the number of past steps used, 10 by default.
        tolerance: converged if no component of the gradient is larger; 1e-6 by default.
        loss_tolerance: also converged if an iteration reduces the loss by a fraction no larger than this;
            1.4e-14 by default.
        evaluations: the maximum number of evaluations of the loss; None, the default, allows 20 per epoch.
    """

    history: int = 10
    tolerance: float = 1e-6
    loss_tolerance: float = 64 * sys.float_info.epsilon
    evaluations: int | None = None

    name = "lbfgs"

    def __post_init__(self) -> None:
        check_integer("history", self.history, at_least=1)
        check_number("tolerance", self.tolerance, at_least=0)
        check_number("loss_tolerance", self.loss_tolerance, at_least=0)
        if self.evaluations is not None:
            check_integer("evaluations", self.evaluations, at_least=1)

    def minimize(
        self,
        objective: Callable[[Array], tuple[float, Array]],
        start: Array,
        iterations: int,
        after_iteration: Callable[[Array], bool],
    ) -> tuple[bool, str]:
        """Minimize from `start`; call `after_iteration` with each new vector until it returns True.

        Returns:
            Whether it converged, and why it stopped, in words.
        """
        optimize = load("scipy.optimize", "lbfgs")

        gradient = np.empty_like(start)
        finite, finite_before = True, True  # all losses of this iteration, and of the one before

        def loss(vector: Array) -> float:
            nonlocal gradient, finite
            value, gradient = objective(vector)
            finite = finite and math.isfinite(value)
            return value

        def callback(intermediate_result: object) -> None:
            nonlocal finite, finite_before
            finite, finite_before = True, finite
            if after_iteration(intermediate_result.x):  # type: ignore[attr-defined]
                raise StopIteration

        result = optimize.minimize(
            loss,
            start.astype(np.float64),
            jac=lambda _: gradient,  # SciPy calls this right after the loss of the same vector
            method="L-BFGS-B",
            callback=callback,
            options={
                "maxiter": iterations,
                "maxfun": 20 * iterations if self.evaluations is None else self.evaluations,
                "maxcor": self.history,
                "gtol": self.tolerance,
                "ftol": self.loss_tolerance,
            },
        )
        words = str(result.message).lower().replace("_", " ")
        if not (finite and finite_before):  # SciPy reports a line search that ends there as a success
            return False, "it could get no further: losses along the search were not finite"
        converged = result.status == 0
        return converged, f"it converged: {words}" if converged else f"it could get no further: {words}"


built_in(Optimizer, [SGD, RMSprop, Adagrad, Adam, AdamW, Lion, LBFGS])
