"""scikit-learn's multilayer perceptrons, on ganglion's engine: change one import.

    from ganglion.estimators import MLPClassifier, MLPRegressor

Each has every parameter, attribute and method of its namesake in `sklearn.neural_network`, gives the same
numbers from the same `random_state`, and has more as keyword parameters. Needs scikit-learn:
`pip install 'ganglion[sklearn]'`.

`classifier.py` and `regressor.py` are the two faces, `perceptron.py` is what they share, `building.py` makes
the network, `bookkeeping.py` keeps scikit-learn's accounts of a run, `settings.py` checks the parameters.
"""

from ganglion.errors import load

load("sklearn.base", "sklearn")  # where it is absent, this names what to install

from ganglion.estimators.classifier import MLPClassifier  # noqa: E402
from ganglion.estimators.regressor import MLPRegressor  # noqa: E402

__all__ = ["MLPClassifier", "MLPRegressor"]
