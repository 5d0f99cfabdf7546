"""How a network learns: the plan of a run, optimizers, schedules, the run itself, stopping, callbacks."""

from collections.abc import Callable
from typing import Any

# Called by `History.plot`. Plotting is a higher layer than training, so the package itself sets it.
draw_history: Callable[[Any, Any], Any]
