"""Serving: a model behind HTTP, for programs that are not in Python. Needs `pip install 'ganglion[serve]'`.

`app.py` takes requests, `media.py`, `bodies.py` and `arrow.py` read their rows, `predicting.py` answers them,
`openapi.py` describes both, `limits.py` says how much a request may ask for.
"""

from ganglion.optional import load

load("starlette", "serve")  # names what to install

from ganglion.serving.app import make_app as make_app  # noqa: E402
from ganglion.serving.limits import Limits as Limits  # noqa: E402
