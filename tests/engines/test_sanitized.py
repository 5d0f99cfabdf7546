"""Checks that the sanitizer is active: compiled into the engine under test, and detecting deliberate faults.

`make sanitize` and `make sanitize-threads` set GANGLION_SANITIZE to the sanitizer; without it nothing is tested
here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agreement import native_engine
from building import built

SANITIZER = os.environ.get("GANGLION_SANITIZE", "")
pytestmark = pytest.mark.skipif(not SANITIZER, reason="the engine under test is not sanitized")
CHECK = {"address": b"__asan_report_", "thread": b"__tsan_write"}
FAULTS = [
    ("address", "past_the_end", 3, "AddressSanitizer: heap-buffer-overflow"),
    ("address", "overflow", 2**31 - 1, "runtime error: signed integer overflow"),
    ("thread", "race", 10_000, "ThreadSanitizer: data race"),
]


def test_the_engine_under_test_is_the_sanitized_one() -> None:
    path = Path(native_engine().module.__file__)
    assert path == Path(os.environ["GANGLION_EXTENSION"])
    assert CHECK[SANITIZER] in path.read_bytes()


@pytest.mark.parametrize(
    ("fault", "argument", "message"), [fault[1:] for fault in FAULTS if fault[0] == SANITIZER]
)
def test_a_fault_is_stopped_at(fault: str, argument: int, message: str) -> None:
    code = f"import ctypes; ctypes.CDLL({str(built('faults'))!r}).{fault}({argument})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert message in done.stderr
