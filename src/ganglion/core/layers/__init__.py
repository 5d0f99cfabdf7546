"""The layers, one file per family. `__init__.pyi` lists them; each is loaded on first use."""

import lazy_loader as _lazy_loader

from ganglion.core.layers.base import Layer
from ganglion.core.part import Listed

__getattr__, __dir__, __all__ = _lazy_loader.attach_stub(__name__, __file__)

Layer.known = Listed(__name__, (name for name in __all__ if name not in ("Context", "Layer")))
