"""scikit-learn's checks of what every estimator must do, with no expected failure."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from ganglion.estimators import MLPClassifier, MLPRegressor

ESTIMATORS = [
    MLPClassifier(max_iter=20),
    MLPRegressor(max_iter=20),
    MLPClassifier(solver="lbfgs", max_iter=50),
    MLPRegressor(solver="lbfgs", max_iter=50),
    MLPClassifier(activation=["gelu", "tanh"], hidden_layer_sizes=(8, 8), solver="rmsprop", max_iter=40),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(ESTIMATORS)
def test_their_checks(estimator: Any, check: Any) -> None:
    check(estimator)
