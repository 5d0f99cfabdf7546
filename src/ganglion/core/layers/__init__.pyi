"""The layers, one file per family. To add one: write its file, add the class to the list here."""

from .activate import Activate as Activate
from .base import Context as Context, Layer as Layer
from .composite import Parallel as Parallel, Residual as Residual
from .convolution import (
    Conv1D as Conv1D,
    Conv2D as Conv2D,
    DepthwiseConv2D as DepthwiseConv2D,
    SeparableConv2D as SeparableConv2D,
)
from .dense import Dense as Dense
from .dropout import Dropout as Dropout, SpatialDropout as SpatialDropout
from .embedding import Embedding as Embedding, EmbeddingBag as EmbeddingBag
from .global_pooling import (
    GlobalAveragePool as GlobalAveragePool,
    GlobalMaxPool as GlobalMaxPool,
)
from .mixture import Mixture as Mixture
from .normalization import (
    BatchNormalization as BatchNormalization,
    GroupNormalization as GroupNormalization,
    LayerNormalization as LayerNormalization,
)
from .piecewise import PiecewiseLinear as PiecewiseLinear
from .pooling import AveragePool2D as AveragePool2D, MaxPool2D as MaxPool2D
from .reshape import Flatten as Flatten, Reshape as Reshape
from .resize import Crop2D as Crop2D, Upsample2D as Upsample2D, ZeroPad2D as ZeroPad2D
from .transposed import TransposedConv2D as TransposedConv2D
