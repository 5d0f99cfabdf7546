"""The numbers of a network alone, as safetensors: each array under its name, such as "dense_1/weight"."""

from __future__ import annotations

import numpy as np
import safetensors.numpy

from ganglion.files.exports.job import Job


def write(job: Job, name: str, int8: bool = False) -> tuple[bytes, list[str]]:
    """Return a file with all parameters and running averages."""
    arrays = {key: np.ascontiguousarray(each) for key, each in job.model.named_arrays().items()}
    return safetensors.numpy.save(arrays), []
