"""Optional libraries, imported when first needed."""

from __future__ import annotations

import importlib
from typing import Any

from ganglion.errors import MissingPackageError


def load(module: str, extra: str = "") -> Any:
    """Import an optional library.

    Args:
        module: the module to import.
        extra: the extra of ganglion that installs it, if any.

    Raises:
        MissingPackageError: if the library is not installed; names the extra to install. A library that is
            installed but fails to load raises its own error.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        what = f"pip install 'ganglion[{extra}]'" if extra else f"pip install {package}"
        raise MissingPackageError(f"this needs {package}, which is not installed", what) from error
