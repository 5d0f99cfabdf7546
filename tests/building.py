"""Where the native engine's build is, for tests of what was built. GANGLION_BUILD names another folder."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
NATIVE = ROOT / "src/ganglion/native"
BUILD = Path(os.environ.get("GANGLION_BUILD", ROOT / "build/native"))


def built(name: str) -> Path:
    """Return the shared library of that name that was built for the tests."""
    found = [path for path in BUILD.glob(f"*{name}*") if path.suffix in {".so", ".dylib", ".dll"}]
    assert len(found) == 1, f"{name} is not built in {BUILD}: run `make native`"
    return found[0]
