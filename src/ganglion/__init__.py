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
    from ganglion.core.activations import (
        ELU as ELU,
    )
    from ganglion.core.activations import (
        GELU as GELU,
    )
    from ganglion.core.activations import (
        SELU as SELU,
    )
    from ganglion.core.activations import (
        Activation as Activation,
    )
    from ganglion.core.activations import (
        Exp as Exp,
    )
    from ganglion.core.activations import (
        GELUTanh as GELUTanh,
    )
    from ganglion.core.activations import (
        HardSigmoid as HardSigmoid,
    )
    from ganglion.core.activations import (
        Identity as Identity,
    )
    from ganglion.core.activations import (
        LeakyReLU as LeakyReLU,
    )
    from ganglion.core.activations import (
        LogSoftmax as LogSoftmax,
    )
    from ganglion.core.activations import (
        Mish as Mish,
    )
    from ganglion.core.activations import (
        ReLU as ReLU,
    )
    from ganglion.core.activations import (
        Sigmoid as Sigmoid,
    )
    from ganglion.core.activations import (
        SiLU as SiLU,
    )
    from ganglion.core.activations import (
        Softmax as Softmax,
    )
    from ganglion.core.activations import (
        Softplus as Softplus,
    )
    from ganglion.core.activations import (
        Tanh as Tanh,
    )
    from ganglion.core.initializers import (
        Constant as Constant,
    )
    from ganglion.core.initializers import (
        GlorotNormal as GlorotNormal,
    )
    from ganglion.core.initializers import (
        GlorotUniform as GlorotUniform,
    )
    from ganglion.core.initializers import (
        HeNormal as HeNormal,
    )
    from ganglion.core.initializers import (
        HeUniform as HeUniform,
    )
    from ganglion.core.initializers import (
        Initializer as Initializer,
    )
    from ganglion.core.initializers import (
        LeCunNormal as LeCunNormal,
    )
    from ganglion.core.initializers import (
        LeCunUniform as LeCunUniform,
    )
    from ganglion.core.initializers import (
        Ones as Ones,
    )
    from ganglion.core.initializers import (
        Orthogonal as Orthogonal,
    )
    from ganglion.core.initializers import (
        SmallRandom as SmallRandom,
    )
    from ganglion.core.initializers import (
        Zeros as Zeros,
    )
    from ganglion.core.layers import (
        Activate as Activate,
    )
    from ganglion.core.layers import (
        BatchNormalization as BatchNormalization,
    )
    from ganglion.core.layers import (
        Dense as Dense,
    )
    from ganglion.core.layers import (
        Dropout as Dropout,
    )
    from ganglion.core.layers import (
        Flatten as Flatten,
    )
    from ganglion.core.layers import (
        Layer as Layer,
    )
    from ganglion.core.layers import (
        LayerNormalization as LayerNormalization,
    )
    from ganglion.core.layers import (
        Reshape as Reshape,
    )
    from ganglion.core.losses import (
        BinaryCrossEntropy as BinaryCrossEntropy,
    )
    from ganglion.core.losses import (
        CrossEntropy as CrossEntropy,
    )
    from ganglion.core.losses import (
        Hinge as Hinge,
    )
    from ganglion.core.losses import (
        Huber as Huber,
    )
    from ganglion.core.losses import (
        LogCosh as LogCosh,
    )
    from ganglion.core.losses import (
        Loss as Loss,
    )
    from ganglion.core.losses import (
        MeanAbsoluteError as MeanAbsoluteError,
    )
    from ganglion.core.losses import (
        MeanSquaredError as MeanSquaredError,
    )
    from ganglion.core.losses import (
        Poisson as Poisson,
    )
    from ganglion.core.losses import (
        Quantile as Quantile,
    )
    from ganglion.core.regularization import (
        Regularization as Regularization,
    )
    from ganglion.errors import (
        ConfigError as ConfigError,
    )
    from ganglion.errors import (
        DataError as DataError,
    )
    from ganglion.errors import (
        FileError as FileError,
    )
    from ganglion.errors import (
        GanglionError as GanglionError,
    )
    from ganglion.errors import (
        GanglionNotice as GanglionNotice,
    )
    from ganglion.errors import (
        MissingPackageError as MissingPackageError,
    )
    from ganglion.errors import (
        ShapeError as ShapeError,
    )
    from ganglion.errors import (
        TrainingError as TrainingError,
    )
    from ganglion.network import (
        Network as Network,
    )
    from ganglion.table_model import (
        TableModel as TableModel,
    )
    from ganglion.training.callbacks import (
        Callback as Callback,
    )
    from ganglion.training.callbacks import (
        ProgressBar as ProgressBar,
    )
    from ganglion.training.history import (
        History as History,
    )
    from ganglion.training.optimizers import (
        LBFGS as LBFGS,
    )
    from ganglion.training.optimizers import (
        SGD as SGD,
    )
    from ganglion.training.optimizers import (
        Adagrad as Adagrad,
    )
    from ganglion.training.optimizers import (
        Adam as Adam,
    )
    from ganglion.training.optimizers import (
        AdamW as AdamW,
    )
    from ganglion.training.optimizers import (
        Lion as Lion,
    )
    from ganglion.training.optimizers import (
        Optimizer as Optimizer,
    )
    from ganglion.training.optimizers import (
        RMSprop as RMSprop,
    )
    from ganglion.training.optimizers import (
        StepOptimizer as StepOptimizer,
    )
    from ganglion.training.schedules import (
        ConstantRate as ConstantRate,
    )
    from ganglion.training.schedules import (
        CosineDecay as CosineDecay,
    )
    from ganglion.training.schedules import (
        ExponentialDecay as ExponentialDecay,
    )
    from ganglion.training.schedules import (
        InverseScaling as InverseScaling,
    )
    from ganglion.training.schedules import (
        OneCycle as OneCycle,
    )
    from ganglion.training.schedules import (
        ReduceOnPlateau as ReduceOnPlateau,
    )
    from ganglion.training.schedules import (
        Schedule as Schedule,
    )
    from ganglion.training.schedules import (
        StepDecay as StepDecay,
    )
    from ganglion.training.stopping import (
        EarlyStopping as EarlyStopping,
    )
    from ganglion.training.stopping import (
        GradientNorm as GradientNorm,
    )
    from ganglion.training.stopping import (
        TargetReached as TargetReached,
    )
    from ganglion.training.stopping import (
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
