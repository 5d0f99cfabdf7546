"""The trace: every number of one pass of a network, with the arithmetic that made it.

`trace.py` makes it; what is shown of a layer lies in `arithmetic.py`, of an activation in `activations.py`,
of a loss in `losses.py`, of an optimizer in `updates.py`, all as equations (`equation.py`). `words.py` says
it in sentences, `overview.py` shows all layers at a glance, `verify.py` proves the gradients, and `places.py`
finds what is asked for.
"""

from ganglion.insight.trace.trace import Trace, make_trace

__all__ = ["Trace", "make_trace"]
