"""ganglion: small and medium neural networks on an ordinary computer.

    import ganglion as gg

Public names are those in `PUBLIC`. Each is loaded when first used, so that `import ganglion` costs
little more than NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as _numpy  # noqa: F401  # all that a bare import loads

if TYPE_CHECKING:  # for type checkers and editors; a test holds it to PUBLIC
    from ganglion import origins as origins
    from ganglion.core.activations import (
        ELU as ELU,
        GELU as GELU,
        SELU as SELU,
        Activation as Activation,
        Exp as Exp,
        GELUTanh as GELUTanh,
        HardSigmoid as HardSigmoid,
        Identity as Identity,
        LeakyReLU as LeakyReLU,
        LogSoftmax as LogSoftmax,
        Mish as Mish,
        ReLU as ReLU,
        Sigmoid as Sigmoid,
        SiLU as SiLU,
        Softmax as Softmax,
        Softplus as Softplus,
        Tanh as Tanh,
    )
    from ganglion.core.initializers import (
        Constant as Constant,
        GlorotNormal as GlorotNormal,
        GlorotUniform as GlorotUniform,
        HeNormal as HeNormal,
        HeUniform as HeUniform,
        Initializer as Initializer,
        LeCunNormal as LeCunNormal,
        LeCunUniform as LeCunUniform,
        Ones as Ones,
        Orthogonal as Orthogonal,
        SmallRandom as SmallRandom,
        Zeros as Zeros,
    )
    from ganglion.core.layers import (
        Activate as Activate,
        BatchNormalization as BatchNormalization,
        Dense as Dense,
        Dropout as Dropout,
        Flatten as Flatten,
        Layer as Layer,
        LayerNormalization as LayerNormalization,
        Reshape as Reshape,
    )
    from ganglion.core.losses import (
        BinaryCrossEntropy as BinaryCrossEntropy,
        CrossEntropy as CrossEntropy,
        Hinge as Hinge,
        Huber as Huber,
        LogCosh as LogCosh,
        Loss as Loss,
        MeanAbsoluteError as MeanAbsoluteError,
        MeanSquaredError as MeanSquaredError,
        Poisson as Poisson,
        Quantile as Quantile,
    )
    from ganglion.core.regularization import (
        Regularization as Regularization,
    )
    from ganglion.errors import (
        ConfigError as ConfigError,
        DataError as DataError,
        FileError as FileError,
        GanglionError as GanglionError,
        GanglionNotice as GanglionNotice,
        MissingPackageError as MissingPackageError,
        ShapeError as ShapeError,
        TrainingError as TrainingError,
    )
    from ganglion.insight import plot as plot
    from ganglion.insight.attribution import Attribution as Attribution
    from ganglion.insight.health import Finding as Finding, Health as Health, HealthCheck as HealthCheck
    from ganglion.insight.trace import Trace as Trace
    from ganglion.many import Trained as Trained, train_many as train_many
    from ganglion.network import (
        Network as Network,
    )
    from ganglion.table_model import (
        TableModel as TableModel,
    )
    from ganglion.training.callbacks import (
        Callback as Callback,
        ProgressBar as ProgressBar,
    )
    from ganglion.training.history import (
        History as History,
    )
    from ganglion.training.optimizers import (
        LBFGS as LBFGS,
        SGD as SGD,
        Adagrad as Adagrad,
        Adam as Adam,
        AdamW as AdamW,
        Lion as Lion,
        Optimizer as Optimizer,
        RMSprop as RMSprop,
        StepOptimizer as StepOptimizer,
    )
    from ganglion.training.schedules import (
        ConstantRate as ConstantRate,
        CosineDecay as CosineDecay,
        ExponentialDecay as ExponentialDecay,
        InverseScaling as InverseScaling,
        OneCycle as OneCycle,
        ReduceOnPlateau as ReduceOnPlateau,
        Schedule as Schedule,
        StepDecay as StepDecay,
    )
    from ganglion.training.stopping import (
        EarlyStopping as EarlyStopping,
        GradientNorm as GradientNorm,
        TargetReached as TargetReached,
        TimeBudget as TimeBudget,
    )

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
    "ganglion.insight.attribution": ["Attribution"],
    "ganglion.insight.health": ["Finding", "Health", "HealthCheck"],
    "ganglion.insight.trace": ["Trace"],
    "ganglion.many": ["Trained", "train_many"],
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
MODULES = {"origins": "ganglion.origins", "plot": "ganglion.insight.plot"}

__all__ = sorted([*_HOME, *MODULES])  # noqa: PLE0605  # pyright: ignore


def __getattr__(name: str) -> Any:
    if name in MODULES:
        value = importlib.import_module(MODULES[name])
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'ganglion' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
