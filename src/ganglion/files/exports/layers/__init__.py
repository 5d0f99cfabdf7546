"""How the layers are written, one file per family. To add one: write its file, add it to the list here."""

from collections.abc import Mapping

from ganglion.core.steps import Step
from ganglion.errors import ConfigError
from ganglion.files.exports.layers.composite import MIXTURE, PARALLEL, RESIDUAL
from ganglion.files.exports.layers.convolution import CONVOLUTION, TRANSPOSED
from ganglion.files.exports.layers.dense import DENSE
from ganglion.files.exports.layers.embedding import EMBEDDING, EMBEDDING_BAG
from ganglion.files.exports.layers.normalization import BATCH, GROUP
from ganglion.files.exports.layers.piecewise import PIECEWISE
from ganglion.files.exports.layers.pooling import (
    AVERAGE_POOL,
    GLOBAL_AVERAGE_POOL,
    GLOBAL_MAX_POOL,
    MAX_POOL,
)
from ganglion.files.exports.layers.reshape import PASSED_ON, RESHAPED
from ganglion.files.exports.layers.resize import RESIZE
from ganglion.files.exports.writing import Writing

WRITINGS: Mapping[str, Writing] = {
    "activate": PASSED_ON,
    "average_pool_2d": AVERAGE_POOL,
    "batch_normalization": BATCH,
    "conv_1d": CONVOLUTION,
    "conv_2d": CONVOLUTION,
    "crop_2d": RESIZE,
    "dense": DENSE,
    "dropout": PASSED_ON,
    "embedding": EMBEDDING,
    "embedding_bag": EMBEDDING_BAG,
    "flatten": RESHAPED,
    "global_average_pool": GLOBAL_AVERAGE_POOL,
    "global_max_pool": GLOBAL_MAX_POOL,
    "group_normalization": GROUP,
    "layer_normalization": GROUP,
    "max_pool_2d": MAX_POOL,
    "mixture": MIXTURE,
    "parallel": PARALLEL,
    "piecewise_linear": PIECEWISE,
    "reshape": RESHAPED,
    "residual": RESIDUAL,
    "spatial_dropout": PASSED_ON,
    "transposed_conv_2d": TRANSPOSED,
    "upsample_2d": RESIZE,
    "zero_pad_2d": RESIZE,
}


def writing_of(step: Step) -> Writing:
    """Return how a step is written.

    Raises:
        ConfigError: for a layer that is not one of ganglion's own.
    """
    if not step.layer.is_built_in or step.kind not in WRITINGS:
        raise ConfigError(
            f"{step.name} cannot be exported: {type(step.layer).__name__} is a layer of your own",
            "use built-in layers, or save the network's numbers with gg.Network.named_parameters",
        )
    return WRITINGS[step.kind]
