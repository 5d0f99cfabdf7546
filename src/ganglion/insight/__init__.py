"""How a person looks inside a network: the trace, attribution, the health check, pictures.

`__init__.pyi` says what the rooms above may use. Each name is loaded when it is first used, so that
predicting starts fast.
"""

import lazy_loader as _lazy_loader

__getattr__, __dir__, __all__ = _lazy_loader.attach_stub(__name__, __file__)
