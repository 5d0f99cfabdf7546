"""The two engines on the same run: how far apart is everything that comes out?"""

from __future__ import annotations

from typing import Any

import numpy as np

import ganglion as gg
from ganglion.core.architecture import Architecture
from ganglion.engines import REFERENCE, Engine, Run, native
from numeric import relative_error

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


def native_engine() -> Any:
    engine, why = native()
    assert engine is not None, f"the native engine is not built ({why}): run `make native`"
    return engine


def train(seed: int = 0) -> bytes:
    """Return the parameters of a trained network, for processes and threads that must agree on their bits."""
    net = gg.Network([gg.Dense(100, "relu"), gg.Dense(100, "relu"), gg.Dense(2)], inputs=30, seed=seed)
    X = np.random.default_rng(0).normal(size=(2000, 30))
    net.fit(X, X[:, :2], epochs=3, batch_size=200)
    return net.parameters.tobytes()


def make_run(
    architecture: Architecture,
    loss: gg.Loss,
    optimizer: gg.StepOptimizer,
    rows: int,
    dtype: str,
    *,
    weighted: bool = False,
    regularization: gg.Regularization = gg.Regularization(),
) -> Run:
    chance = np.random.default_rng(9)
    parameters, state = architecture.initial(3, np.dtype(dtype))
    parameters += chance.normal(0, 0.05, parameters.shape).astype(dtype)
    return Run(
        x=chance.normal(size=(rows, *architecture.inputs)).astype(dtype),
        y=loss.sample_targets((rows, *architecture.outputs), chance).astype(dtype),
        weight=chance.uniform(0.1, 2, rows).astype(dtype) if weighted else None,
        loss=loss,
        regularization=regularization,
        parameters=parameters,
        state=state,
        seed=7,
        step=5,
        optimizer=optimizer,
        slots={name: np.zeros_like(parameters) for name in optimizer.slots},
        mean=parameters.copy() if optimizer.average else None,
    )


def outcome(
    engine: Engine, architecture: Architecture, run: Run, batch_size: int, rate: float
) -> dict[str, Any]:
    """Return all that an engine gives for a run, and what the run's arrays are afterwards."""
    rows = len(run.x)
    found: dict[str, Any] = {"a": engine.predict(architecture, run.parameters, run.state, run.x)}
    found["losses"], found["activations"] = engine.evaluate(architecture, run, run.x, run.y)
    found["value"], found["penalty"], found["gradient"] = engine.loss_and_gradient(
        architecture, run, np.arange(rows)[::-1].copy()
    )
    order = np.random.default_rng(1).permutation(rows)
    steps = -(-rows // batch_size)
    done = engine.train(architecture, run, order, batch_size, np.full(steps, rate))
    assert not done.failure
    assert len(done.losses) == steps
    found |= {"step losses": done.losses, "penalties": done.penalties, "norms": done.gradient_norms}
    found |= {"parameters": run.parameters}
    found |= {"state": run.state, "mean": run.parameters if run.mean is None else run.mean, **run.slots}
    return found


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
    """Return the distance between the engines, relative to its size or `least`, for each thing that comes out."""
    architecture = Architecture(layers, inputs)
    pair = [
        outcome(
            engine,
            architecture,
            make_run(architecture, loss, optimizer, rows, dtype, **settings),
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
