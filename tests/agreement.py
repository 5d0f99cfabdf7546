"""Measures the differences between the two engines on the same run."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import ganglion as gg
from ganglion.core.architecture import Architecture
from ganglion.core.inputs import is_single
from ganglion.core.model import Model
from ganglion.core.rows import Rows
from ganglion.engines import REFERENCE, Engine, Learned, Objective, Session, native
from numeric import relative_error

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


def native_engine() -> Any:
    engine, why = native()
    assert engine is not None, f"the native engine is not built ({why}): run `make native`"
    return engine


def train(seed: int = 0) -> bytes:
    """Return the parameters of a trained network, to be bit-identical in all processes and threads."""
    net = gg.Network([gg.Dense(100, "relu"), gg.Dense(100, "relu"), gg.Dense(2)], inputs=30, seed=seed)
    X = np.random.default_rng(0).normal(size=(2000, 30))
    net.fit(X, X[:, :2], epochs=3, batch_size=200)
    return net.parameters.tobytes()


def make_case(
    architecture: Architecture,
    loss: gg.Loss,
    optimizer: gg.StepOptimizer,
    rows: int,
    dtype: str,
    *,
    weighted: bool = False,
    regularization: gg.Regularization = gg.Regularization(),
) -> Case:
    """Return a random model and all that a session needs."""
    chance = np.random.default_rng(9)
    parameters, state = architecture.initial(3, np.dtype(dtype))
    parameters += chance.normal(0, 0.05, parameters.shape).astype(dtype)
    return Case(
        Model(architecture, parameters, state, 7),
        Rows(
            x=random_rows(architecture.inputs, rows, chance, dtype),
            y=loss.sample_targets((rows, *architecture.outputs), chance).astype(dtype),
            sample_weight=chance.uniform(0.1, 2, rows).astype(dtype) if weighted else None,
        ),
        Objective(loss, regularization),
        optimizer,
        Learned(
            parameters,
            state,
            step=5,
            slots={name: np.zeros_like(parameters) for name in optimizer.slots},
            mean=parameters.copy() if optimizer.average else None,
        ),
    )


def random_rows(inputs: dict[str, gg.Input], rows: int, chance: np.random.Generator, dtype: str) -> Any:
    """Return random rows of all inputs."""
    x = {name: sample(part, rows, chance, dtype) for name, part in inputs.items()}
    return next(iter(x.values())) if is_single(inputs) else x


def sample(part: gg.Input, rows: int, chance: np.random.Generator, dtype: str) -> Any:
    """Return random rows of an input."""
    if part.holds == "numbers":
        return chance.normal(size=(rows, *part.row_shape)).astype(dtype)
    if part.holds == "integers":
        return chance.integers(0, part.categories, (rows, *part.row_shape))
    counts = chance.integers(0, 5, rows)
    indices = chance.integers(0, part.categories, counts.sum())
    weights = chance.uniform(0.5, 2, counts.sum()).astype(dtype) if part.weighted else None
    return gg.Bags(indices, np.concatenate([[0], np.cumsum(counts)]), weights)


class Case(NamedTuple):
    """The arguments of a training session."""

    model: Model
    rows: Rows
    objective: Objective
    optimizer: gg.StepOptimizer
    start: Learned

    def open(self, engine: Engine) -> Session:
        return engine.open(self.model, self.rows, self.objective, self.optimizer, self.start)


def outcome(engine: Engine, case: Case, batch_size: int, rate: float) -> dict[str, Any]:
    """Return all results of an engine for a case, and the learned arrays afterwards."""
    rows, learned = len(case.rows), case.start
    session = case.open(engine)
    found: dict[str, Any] = {"a": engine.predict(case.model, case.rows.x)}
    found["losses"], found["activations"] = session.evaluate(case.rows)
    found["value"], found["penalty"], found["gradient"] = session.loss_and_gradient(
        np.arange(rows)[::-1].copy()
    )
    order = np.random.default_rng(1).permutation(rows)
    steps = -(-rows // batch_size)
    done = session.steps(order, batch_size, np.full(steps, rate))
    assert not done.failure
    assert len(done.losses) == steps
    assert session.read() is learned
    found |= {"step losses": done.losses, "penalties": done.penalties, "norms": done.gradient_norms}
    found |= {"parameters": learned.parameters}
    mean = learned.parameters if learned.mean is None else learned.mean
    return found | {"state": learned.state, "mean": mean, **learned.slots}


def differences(
    layers: list[gg.Layer],
    inputs: Any,
    loss: gg.Loss,
    optimizer: gg.StepOptimizer = gg.SGD(momentum=0.9),
    *,
    rows: int = 37,
    batch_size: int = 20,
    dtype: str = "float64",
    rate: float = 0.01,
    least: float = 1e-12,
    **settings: Any,
) -> dict[str, float]:
    """Return the difference between the engines, relative to the size or `least`, for each result."""
    architecture = Architecture(layers, inputs)
    pair = [
        outcome(
            engine,
            make_case(architecture, loss, optimizer, rows, dtype, **settings),
            batch_size,
            rate,
        )
        for engine in (REFERENCE, native_engine())
    ]
    assert pair[0].keys() == pair[1].keys()
    return {name: relative_error(pair[1][name], pair[0][name], least) for name in pair[0]}


def assert_agreement(*arguments: Any, dtype: str = "float64", **settings: Any) -> None:
    found = differences(*arguments, dtype=dtype, **settings)
    assert max(found.values()) <= TOLERANCE[dtype], found
