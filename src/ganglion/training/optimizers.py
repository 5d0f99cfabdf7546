"""Optimizers: what an update takes from the gradient, on flat vectors.

`change` returns what is to be subtracted from the parameters and writes the optimizer's slots, vectors
laid out like the parameters. Clipping, weight decay and averaging are the same for all and are done by
whoever runs the steps. To add one: write the class, add it to the list at the end.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ganglion.checks import check_flag, check_integer, check_number
from ganglion.core.part import Array, Part, PartField, built_in
from ganglion.errors import ConfigError
from ganglion.optional import load
from ganglion.training.schedules import Schedule


@dataclass(frozen=True)
class Optimizer(Part):
    """A way to follow the gradient."""

    kind: ClassVar[str] = "optimizer"


@dataclass(frozen=True)
class StepOptimizer(Optimizer):
    """An optimizer that makes one update for each batch. Subclass it with `change` to make your own.

    Args:
        learning_rate: a number, or a schedule.
        weight_decay: each update also takes learning_rate * weight_decay * w from each weight w, apart
            from the gradient ("decoupled", Loshchilov and Hutter, 2017); never from biases or the scales
            of normalization. 0 by default.
        clip_norm: a gradient whose norm is larger is scaled down to it; None by default.
        average: keeps a running mean of the parameters, mean = d * mean + (1 - d) * parameters with
            d = min(average, t / (t + 9)) at update t, which validates and is what the network ends up
            with; None by default, 0.99 to 0.999 are usual.

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

    usual_rate: ClassVar[float] = 0.001

    def __post_init__(self) -> None:
        if self.learning_rate is None:
            object.__setattr__(self, "learning_rate", self.usual_rate)
        check_number("weight_decay", self.weight_decay, at_least=0)
        if self.clip_norm is not None:
            check_number("clip_norm", self.clip_norm, above=0)
        if self.average is not None:
            check_number("average", self.average, above=0, below=1)

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the vectors that it keeps between updates, all starting at 0."""
        return ()

    def change(
        self, gradient: Array, slots: Mapping[str, Array], update: int, rate: float, parameters: Array
    ) -> Array:
        """Return, as a new vector, what update number `update` (from 1) subtracts; write the slots."""
        raise NotImplementedError(f"{type(self).__name__} needs a method change")


@dataclass(frozen=True)
class SGD(StepOptimizer):
    """Stochastic gradient descent: change = rate * g; with momentum, a running sum of gradients.

    velocity = momentum * velocity + g; change = rate * velocity, or with Nesterov's look ahead
    rate * (g + momentum * velocity) (Sutskever et al., 2013, in PyTorch's form).

    Args:
        learning_rate: a number, or a schedule; 0.01 by default.
        momentum: from 0, the default, to 1; 0.9 is usual.
        nesterov: False by default.
        weight_decay, clip_norm, average: as in `StepOptimizer`.
    """

    momentum: float = 0.0
    nesterov: bool = False

    name = "sgd"
    usual_rate = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("momentum", self.momentum, at_least=0, at_most=1)
        if check_flag("nesterov", self.nesterov) and self.momentum == 0:
            raise ConfigError("nesterov needs momentum > 0, got 0", "for example momentum=0.9")

    @property
    def slots(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    def change(
        self, gradient: Array, slots: Mapping[str, Array], update: int, rate: float, parameters: Array
    ) -> Array:
        if not self.momentum:
            return rate * gradient
        velocity = slots["velocity"]
        velocity *= self.momentum
        velocity += gradient
        return rate * (gradient + self.momentum * velocity) if self.nesterov else rate * velocity


@dataclass(frozen=True)
class RMSprop(StepOptimizer):
    """change = rate * g / (sqrt(square) + epsilon), square a running mean of g**2 (Hinton, 2012).

    With momentum, change = rate * velocity, velocity = momentum * velocity + g / (sqrt(square) + epsilon).

    Args:
        learning_rate: a number, or a schedule; 0.01 by default.
        decay: of the running mean, 0.99 by default.
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
    def slots(self) -> tuple[str, ...]:
        return ("square", "velocity") if self.momentum else ("square",)

    def change(
        self, gradient: Array, slots: Mapping[str, Array], update: int, rate: float, parameters: Array
    ) -> Array:
        square = slots["square"]
        square *= self.decay
        square += (1 - self.decay) * (gradient * gradient)
        scaled = gradient / (np.sqrt(square) + self.epsilon)
        if self.momentum:
            velocity = slots["velocity"]
            velocity *= self.momentum
            velocity += scaled
            return rate * velocity
        return rate * scaled


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
    def slots(self) -> tuple[str, ...]:
        return ("square",)

    def change(
        self, gradient: Array, slots: Mapping[str, Array], update: int, rate: float, parameters: Array
    ) -> Array:
        square = slots["square"]
        square += gradient * gradient
        return rate * gradient / (np.sqrt(square) + self.epsilon)


@dataclass(frozen=True)
class Adam(StepOptimizer):
    """change = rate * m' / (sqrt(v') + epsilon) (Kingma and Ba, 2014, algorithm 1).

    m = beta_1 * m + (1 - beta_1) * g and v = beta_2 * v + (1 - beta_2) * g**2 are running means,
    m' = m / (1 - beta_1**t) and v' = v / (1 - beta_2**t) take away their bias towards 0 at update t.
    Epsilon is that of algorithm 1, added after the bias correction, unless `epsilon_hat` asks for that of
    the paper's section 2, change = rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon),
    as scikit-learn has it.

    Args:
        learning_rate: a number, or a schedule; 0.001 by default.
        beta_1: 0.9 by default.
        beta_2: 0.999 by default.
        epsilon: 1e-8 by default.
        epsilon_hat: False by default.
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
    def slots(self) -> tuple[str, ...]:
        return ("m", "v")

    def change(
        self, gradient: Array, slots: Mapping[str, Array], update: int, rate: float, parameters: Array
    ) -> Array:
        m, v = slots["m"], slots["v"]
        m *= self.beta_1
        m += (1 - self.beta_1) * gradient
        v *= self.beta_2
        gradient = gradient * gradient
        gradient *= 1 - self.beta_2
        v += gradient
        corrected = math.sqrt(1 - self.beta_2**update)
        divisor = np.sqrt(v)
        if not self.epsilon_hat:
            divisor /= corrected
        divisor += self.epsilon
        np.divide(m, divisor, out=divisor)
        divisor *= (rate * corrected if self.epsilon_hat else rate) / (1 - self.beta_1**update)
        return divisor


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay 0.01 by default (Loshchilov and Hutter, 2017).

    PyTorch's class of this name decays every parameter it is given; here biases and the scales of
    normalization are never decayed.

    Args:
        weight_decay: 0.01 by default.
        learning_rate, beta_1, beta_2, epsilon, epsilon_hat, clip_norm, average: as in `Adam`.
    """

    weight_decay: float = field(default=0.01, kw_only=True)

    name = "adamw"


@dataclass(frozen=True)
class Lion(StepOptimizer):
    """change = rate * sign(beta_1 * m + (1 - beta_1) * g), then m = beta_2 * m + (1 - beta_2) * g.

    Only the sign is used, so every weight moves by the rate (Chen et al., 2023, algorithm 2).

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
    def slots(self) -> tuple[str, ...]:
        return ("m",)

    def change(
        self, gradient: Array, slots: Mapping[str, Array], update: int, rate: float, parameters: Array
    ) -> Array:
        m = slots["m"]
        direction = np.sign(self.beta_1 * m + (1 - self.beta_1) * gradient)
        m *= self.beta_2
        m += (1 - self.beta_2) * gradient
        m[np.abs(m) < np.finfo(m.dtype).tiny] = 0  # else its sign would move the weight for ever
        return rate * direction


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """Limited-memory BFGS on all rows at once: few, long steps for small data (Liu and Nocedal, 1989).

    The algorithm is SciPy's L-BFGS-B (install `ganglion[lbfgs]`); an epoch is one of its iterations,
    and its memory of past steps does not outlast one call of `fit`.

    Args:
        history: how many past steps it remembers, 10 by default.
        tolerance: it has converged when no component of the gradient is larger, 1e-6 by default.
        loss_tolerance: and when an iteration lowers the loss by no larger share than this, 1.4e-14 by
            default.
        evaluations: how often it may ask for the loss; None by default, which is 20 times an epoch.
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
        """Minimize from `start`, calling back with each new vector until that returns True.

        Returns:
            Whether it has converged, and why it ended, in words.
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
            jac=lambda _: gradient,  # SciPy asks for it after the loss of the same vector, at once
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
        if not (finite and finite_before):  # SciPy takes a line search that ends in such numbers for success
            return False, "it could get no further: the losses on its way were not finite"
        converged = result.status == 0
        return converged, f"it converged: {words}" if converged else f"it could get no further: {words}"


built_in(Optimizer, [SGD, RMSprop, Adagrad, Adam, AdamW, Lion, LBFGS])
