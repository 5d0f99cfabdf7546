"""What an exported file of a model of images does: from the bytes of a picture to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganglion.core.part import Array
from ganglion.files.exports import Job
from ganglion.files.exports.inputs import CodedPicture
from ganglion.heads import exported_job
from ganglion.image_model.model import ImageModel
from ganglion.network import Network

PIXELS = "pixels"  # the name of what the file is given


def job_of(network: Network, heads: Sequence[ImageModel]) -> Job:
    """Return what the file does.

    Args:
        network: with the outputs of all heads, side by side.
        heads: the model of each target.
    """
    first = heads[0]
    fitting, scaling = first.fitting, first.scaling

    def encode(rows: Sequence[Mapping[str, Any]]) -> Array:
        return scaling.apply(np.stack([row[PIXELS] for row in rows]))

    size = np.prod(fitting.shape)
    picture = CodedPicture(PIXELS, int(size), fitting.shape, fitting.fit, *scaling.line)
    parts = [(head.target, head.calibration) for head in heads]
    return exported_job(
        network, parts, [picture], encode, "a picture of " + " x ".join(map(str, fitting.shape))
    )
