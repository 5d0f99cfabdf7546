"""What the examples in docstrings may use without importing it: `gg`, as everyone imports ganglion."""

from typing import Any

import pytest

import ganglion


@pytest.fixture(autouse=True)
def _gg(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace["gg"] = ganglion
