"""How a network learns: the plan of a run, optimizers, schedules, the run itself, stopping, callbacks."""

from collections.abc import Callable
from typing import Any

# What `History.plot` calls. Pictures stand above training, so `ganglion` itself sets it.
draw_history: Callable[[Any, Any], Any]
