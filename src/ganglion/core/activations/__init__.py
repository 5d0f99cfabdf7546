"""The activations. To add one: write the class in the file of its family, add it to the list here."""

from ganglion.core.activations.base import Activation
from ganglion.core.activations.elementwise import (
    ELU,
    GELU,
    IDENTITY,
    SELU,
    SIGMOID,
    Exp,
    GELUTanh,
    HardSigmoid,
    Identity,
    LeakyReLU,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from ganglion.core.activations.rowwise import LogSoftmax, Softmax
from ganglion.core.activations.sections import Sections
from ganglion.core.part import built_in

built_in(
    Activation,
    [
        Identity,
        Sigmoid,
        Tanh,
        ReLU,
        LeakyReLU,
        ELU,
        SELU,
        GELU,
        GELUTanh,
        SiLU,
        Mish,
        Softplus,
        HardSigmoid,
        Softmax,
        LogSoftmax,
        Exp,
        Sections,
    ],
)

__all__ = [
    "Activation",
    "ELU",
    "Exp",
    "GELU",
    "GELUTanh",
    "HardSigmoid",
    "IDENTITY",
    "Identity",
    "LeakyReLU",
    "LogSoftmax",
    "Mish",
    "ReLU",
    "SELU",
    "SIGMOID",
    "Sections",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]
