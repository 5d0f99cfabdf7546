"""The layers, one file per family. To add one: write its file, add the class to the list here."""

from ganglion.core.layers.activate import Activate
from ganglion.core.layers.base import Context, Layer
from ganglion.core.layers.composite import Parallel, Residual
from ganglion.core.layers.convolution import Conv1D, Conv2D, DepthwiseConv2D, SeparableConv2D
from ganglion.core.layers.dense import Dense
from ganglion.core.layers.dropout import Dropout, SpatialDropout
from ganglion.core.layers.embedding import Embedding, EmbeddingBag
from ganglion.core.layers.global_pooling import GlobalAveragePool, GlobalMaxPool
from ganglion.core.layers.normalization import BatchNormalization, GroupNormalization, LayerNormalization
from ganglion.core.layers.pooling import AveragePool2D, MaxPool2D
from ganglion.core.layers.reshape import Flatten, Reshape
from ganglion.core.layers.resize import Crop2D, Upsample2D, ZeroPad2D
from ganglion.core.layers.transposed import TransposedConv2D
from ganglion.core.part import built_in

built_in(
    Layer,
    [
        Dense,
        Activate,
        Dropout,
        BatchNormalization,
        LayerNormalization,
        Flatten,
        Reshape,
        Residual,
        Parallel,
        MaxPool2D,
        AveragePool2D,
        GlobalMaxPool,
        GlobalAveragePool,
        Embedding,
        EmbeddingBag,
        Conv1D,
        Conv2D,
        DepthwiseConv2D,
        SeparableConv2D,
        TransposedConv2D,
        Upsample2D,
        ZeroPad2D,
        Crop2D,
        SpatialDropout,
        GroupNormalization,
    ],
)

__all__ = [
    "Activate",
    "AveragePool2D",
    "BatchNormalization",
    "Context",
    "Conv1D",
    "Conv2D",
    "Crop2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "GroupNormalization",
    "Layer",
    "LayerNormalization",
    "MaxPool2D",
    "Parallel",
    "Reshape",
    "Residual",
    "SeparableConv2D",
    "SpatialDropout",
    "TransposedConv2D",
    "Upsample2D",
    "ZeroPad2D",
]
