"""Reports the BLAS that a process uses, and prevents overrides of its kernel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import threadpoolctl

# These override OpenBLAS's detection of the processor, so that it may run another processor's kernel.
OVERRIDES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def without_overrides(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which the BLAS picks its own kernel."""
    return {name: value for name, value in environment.items() if name not in OVERRIDES}


def kernels() -> list[str]:
    """Return the BLAS libraries that this process has loaded: owner, version and kernel.

    A BLAS linked into a package, such as PyTorch's, is not visible.
    """
    return sorted(
        f"{Path(found['filepath']).parent.name.removesuffix('.libs')}'s {found['internal_api']} "
        f"{found['version']} {found.get('architecture', '')}".rstrip()
        for found in threadpoolctl.threadpool_info()
        if found["user_api"] == "blas"
    )
