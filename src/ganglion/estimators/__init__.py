"""scikit-learn's multilayer perceptrons, on ganglion's engine: change one import.

    from ganglion.estimators import MLPClassifier, MLPRegressor

Each has every parameter, attribute and method of its namesake in `sklearn.neural_network`, gives the same
numbers from the same `random_state`, and has further keyword parameters. Needs scikit-learn:
`pip install 'ganglion[sklearn]'`.

`TabularClassifier` and `TabularRegressor`, in `tabular.py`, are table models as estimators.

`classifier.py` and `regressor.py` hold the classes, `perceptron.py` what both have in common. `parameters.py`
is the table of parameters, `rules.py` checks their values. `building.py` makes the network, `live_network.py`
keeps it in step with the attributes, `validation.py` chooses validation rows, `bookkeeping.py` follows a run
as scikit-learn would, `prediction.py` predicts, `conversion.py` goes to scikit-learn and back.
"""

from typing import TYPE_CHECKING, Any

from ganglion.optional import load

try:  # not by `load`: a few frames deeper, the import of what is behind takes Python 3.11 30 ms longer
    import sklearn.base  # noqa: F401
except ImportError:
    load("sklearn.base", "sklearn")  # names what to install

from ganglion.estimators.classifier import MLPClassifier
from ganglion.estimators.regressor import MLPRegressor

if TYPE_CHECKING:
    from ganglion.estimators.tabular import TabularClassifier, TabularRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor"]


def __getattr__(name: str) -> Any:
    """Import the table models when they are first used: they need polars, and take longer."""
    if name in ("TabularClassifier", "TabularRegressor"):
        from ganglion.estimators import tabular  # noqa: PLC0415

        return getattr(tabular, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
