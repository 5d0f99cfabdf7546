"""Looking inside a network: the trace, attribution, the health check, pictures.

`__init__.pyi` lists the names that other packages may use. Each is loaded on first use, so that predicting
starts fast.
"""

import lazy_loader as _lazy_loader

__getattr__, __dir__, __all__ = _lazy_loader.attach_stub(__name__, __file__)
