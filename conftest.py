"""What the examples in docstrings may use without importing it: `gg`, as everyone imports ganglion.

GANGLION_EXTENSION names another build of the native engine to be tested, such as one under the sanitizers.
"""

import importlib.util
import os
import signal
import sys
from typing import Any

import pytest

import ganglion

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job of the background: the tests send it
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("MPLBACKEND", "Agg")  # pictures are drawn without a window

if importlib.util.find_spec("torch") is None:  # this file imports PyTorch, which only the peers' tests need
    collect_ignore = ["src/ganglion/files/frameworks/torch_modules.py"]

if path := os.environ.get("GANGLION_EXTENSION"):
    specification = importlib.util.spec_from_file_location("ganglion._native", path)
    assert specification is not None
    assert specification.loader is not None
    sys.modules["ganglion._native"] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(sys.modules["ganglion._native"])


@pytest.fixture(autouse=True)
def _gg(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace["gg"] = ganglion
