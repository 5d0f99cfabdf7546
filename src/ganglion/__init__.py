"""ganglion: small and medium neural networks on an ordinary computer.

    import ganglion as gg

The public names stand in `__init__.pyi`. Each is loaded when it is first used, so that `import ganglion`
costs little more than NumPy.
"""

import lazy_loader as _lazy_loader
import numpy as _numpy  # noqa: F401  # all that a bare import loads

from ganglion import insight as _insight, training as _training

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = _lazy_loader.attach_stub(__name__, __file__)

# Training may not import pictures, which stand above it; the lambda loads them when they are first drawn.
_training.draw_history = lambda history, ax: _insight.plot.history(history, ax)  # noqa: PLW0108
