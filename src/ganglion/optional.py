"""Optional libraries, imported when first needed; an error names the extra to install."""

from __future__ import annotations

import importlib
from typing import Any

from ganglion.errors import MissingPackageError


def load(module: str, extra: str = "") -> Any:
    """Import another project's library at the moment it is needed.

    Raises:
        MissingPackageError: if the library is not installed; it names the extra that brings it. A library
            that is installed but fails to load raises its own error.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        what = f"pip install 'ganglion[{extra}]'" if extra else f"pip install {package}"
        raise MissingPackageError(f"this needs {package}, which is not installed", what) from error
