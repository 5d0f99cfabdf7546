"""ganglion: small and medium neural networks on an ordinary computer.

    import ganglion as gg

Public names are those in `PUBLIC`. Each is loaded when first used, so that `import ganglion` costs
little more than NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as _numpy  # noqa: F401  # all that a bare import loads

__version__ = "0.1.0"

PUBLIC = {
    "ganglion.core.activations": [
        "Activation",
        "ELU",
        "Exp",
        "GELU",
        "GELUTanh",
        "HardSigmoid",
        "Identity",
        "LeakyReLU",
        "LogSoftmax",
        "Mish",
        "ReLU",
        "SELU",
        "SiLU",
        "Sigmoid",
        "Softmax",
        "Softplus",
        "Tanh",
    ],
    "ganglion.core.initializers": [
        "Constant",
        "GlorotNormal",
        "GlorotUniform",
        "HeNormal",
        "HeUniform",
        "Initializer",
        "LeCunNormal",
        "LeCunUniform",
        "Ones",
        "Orthogonal",
        "SmallRandom",
        "Zeros",
    ],
    "ganglion.core.layers": [
        "Activate",
        "BatchNormalization",
        "Dense",
        "Dropout",
        "Flatten",
        "Layer",
        "LayerNormalization",
        "Reshape",
    ],
    "ganglion.core.losses": [
        "BinaryCrossEntropy",
        "CrossEntropy",
        "Hinge",
        "Huber",
        "LogCosh",
        "Loss",
        "MeanAbsoluteError",
        "MeanSquaredError",
        "Poisson",
        "Quantile",
    ],
    "ganglion.core.regularization": ["Regularization"],
    "ganglion.errors": [
        "ConfigError",
        "DataError",
        "FileError",
        "GanglionError",
        "GanglionNotice",
        "MissingPackageError",
        "ShapeError",
        "TrainingError",
    ],
    "ganglion.network": ["Network"],
    "ganglion.table_model": ["TableModel"],
    "ganglion.training.callbacks": ["Callback", "ProgressBar"],
    "ganglion.training.history": ["History"],
    "ganglion.training.optimizers": [
        "Adagrad",
        "Adam",
        "AdamW",
        "LBFGS",
        "Lion",
        "Optimizer",
        "RMSprop",
        "SGD",
        "StepOptimizer",
    ],
    "ganglion.training.schedules": [
        "ConstantRate",
        "CosineDecay",
        "ExponentialDecay",
        "InverseScaling",
        "OneCycle",
        "ReduceOnPlateau",
        "Schedule",
        "StepDecay",
    ],
    "ganglion.training.stopping": ["EarlyStopping", "GradientNorm", "TargetReached", "TimeBudget"],
}
_HOME = {name: module for module, names in PUBLIC.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605  # pyright: ignore


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ganglion' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
