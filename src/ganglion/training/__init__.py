"""How a network learns: optimizers, schedules, the loop, and what stops it."""

from collections.abc import Callable
from typing import Any

# What `History.plot` calls. Pictures stand above training, so `ganglion` itself sets it.
draw_history: Callable[[Any, Any], Any]
