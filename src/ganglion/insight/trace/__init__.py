"""The trace: every number of one pass of a network, with the arithmetic that produced it.

`trace.py` makes it. The arithmetic of a layer is in the layer's file (`Layer.arithmetic`), that of an
activation in `activations.py`, of a loss in `losses.py`, and of an optimizer in `updates.py`, all as
equations (`equation.py`). `words.py` explains in sentences, `overview.py` shows all layers at a glance,
`verify.py` verifies the gradients, and `places.py` looks up layers, units and parameters by name.
"""

from ganglion.insight.trace.trace import Trace, make_trace, trace_rows

__all__ = ["Trace", "make_trace", "trace_rows"]
