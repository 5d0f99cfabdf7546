"""What runs a network. `pick` chooses the engine; `contract.py` says what one must offer."""

from __future__ import annotations

from ganglion.engines.contract import Engine, Run, Steps
from ganglion.engines.reference import ReferenceEngine
from ganglion.errors import ConfigError, one_of, shortened

ENGINES: dict[str, Engine] = {"reference": ReferenceEngine()}

__all__ = ["ENGINES", "Engine", "Run", "Steps", "pick"]


def pick(name: str) -> Engine:
    """Return the engine of that name; "auto" is the fastest one that is there.

    Raises:
        ConfigError: for an engine that does not exist.
    """
    if name == "auto":
        return ENGINES["reference"]
    if not isinstance(name, str) or name not in ENGINES:
        raise ConfigError(f"there is no engine {shortened(name)}", one_of(str(name), ["auto", *ENGINES]))
    return ENGINES[name]


def explain() -> tuple[str, str]:
    """Return the engine that "auto" picks, and why."""
    return "reference", "it is the only engine of this version"
