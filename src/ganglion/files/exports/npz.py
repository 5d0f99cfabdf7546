"""The numbers of a network alone, as NumPy's archive: each array under its name, such as "dense_1/weight"."""

from __future__ import annotations

import io

import numpy as np

from ganglion.files.exports.job import Job


def write(job: Job, name: str, int8: bool = False) -> tuple[bytes, list[str]]:
    """Return an archive with all parameters and running averages."""
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **job.model.named_arrays())
    return stream.getvalue(), []
