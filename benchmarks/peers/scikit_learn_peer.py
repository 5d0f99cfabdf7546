"""scikit-learn trains dense networks only."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from layers import Array
from peer import COMPARED, Peer, mean_loss
from workloads import MANY, RATE, Workload


class ScikitLearn(Peer):
    """MLPRegressor and MLPClassifier, with the initial weights set."""

    def prepare(self, workload: Workload) -> None:
        warnings.simplefilter("ignore")  # the warning that it has not converged
        super().prepare(workload)
        self.reset()

    def reset(self) -> None:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        w, start = self.workload, [array.copy() for array in self.start]

        def _init_coef(_: Any, fan_in: int, fan_out: int, dtype: Any) -> tuple[Array, Array]:
            return start.pop(0), start.pop(0)

        base = MLPClassifier if w.loss == "cross_entropy" else MLPRegressor
        given = type("Given", (base,), {"_init_coef": _init_coef})
        self.model = given(
            hidden_layer_sizes=w.sizes[1:-1],
            activation=w.activation,
            solver=w.optimizer,
            alpha=0.0,
            batch_size=w.batch,
            learning_rate_init=RATE,
            max_iter=w.epochs,
            shuffle=False,
            tol=0.0,
            n_iter_no_change=10**6,
            momentum=0.0,
        )

    def train(self) -> None:
        self.model.fit(self.x, self.y.ravel() if self.y.shape[-1:] == (1,) else self.y)

    def outputs(self) -> Array:
        classes = self.workload.loss == "cross_entropy"
        return np.asarray(self.model.predict_proba(self.x) if classes else self.model.predict(self.x))

    def predictor(self, rows: int) -> Callable[[], Any]:
        x = self.x[:rows]
        self.reset()
        self.train()
        return lambda: self.model.predict(x)

    def many(self, count: int) -> float:
        """Train with joblib, as usual, with one worker process per processor."""
        import joblib

        workers = len(os.sched_getaffinity(0))
        losses = joblib.Parallel(n_jobs=workers)(
            joblib.delayed(one_scikit_learn)(number) for number in range(count)
        )
        return float(np.mean(losses[:COMPARED]))


def one_scikit_learn(number: int) -> float:
    peer = ScikitLearn()
    peer.prepare(MANY)
    peer.start = MANY.weights(seed=number)
    peer.reset()
    peer.train()
    return mean_loss(MANY, peer.outputs(), peer.y)
