"""Which BLAS a process uses, and that nothing tells it which kernel to take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import threadpoolctl

# These override what OpenBLAS finds out about the processor: with them it may run another processor's kernel.
OVERRIDES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def without_overrides(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which BLAS picks its own kernel."""
    return {name: value for name, value in environment.items() if name not in OVERRIDES}


def kernels() -> list[str]:
    """Return each BLAS library that this process has loaded: whose it is, version and kernel.

    A BLAS that is linked into a package, as PyTorch's is, cannot be seen.
    """
    return sorted(
        f"{Path(found['filepath']).parent.name.removesuffix('.libs')}'s {found['internal_api']} "
        f"{found['version']} {found.get('architecture', '')}".rstrip()
        for found in threadpoolctl.threadpool_info()
        if found["user_api"] == "blas"
    )
