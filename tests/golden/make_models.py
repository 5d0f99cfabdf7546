"""Model files that must load for ever, and what they predict.

    PYTHONPATH=tests python -m golden.make_models

writes the files that are not there yet. A file that is there is never written again: it stands for those that
people have. For a new kind of model, or a new format, add a function with a new name.
"""

from __future__ import annotations

import datetime
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import ganglion as gg

FOLDER = Path(__file__).with_name("models")


def training_rows(inputs: int) -> tuple[Any, Any]:
    """Return rows and the class, of three, of each."""
    X = 4 * np.random.default_rng(8).random((90, inputs)) - 2
    return X, np.clip(np.floor(np.abs(X[:, 0] + X[:, 1])), 0, 2).astype(int)


def normalized_1() -> gg.Network:
    """Return a network with state, dropout and a part of each kind that has settings."""
    layers = [
        gg.Dense(8, gg.LeakyReLU(0.2), gg.HeNormal()),
        gg.Reshape((2, 4)),
        gg.BatchNormalization(0.8),
        gg.LayerNormalization(1e-4),
        gg.Activate("mish"),
        gg.Flatten(),
        gg.Dropout(0.2),
        gg.Dense(3, "softmax"),
    ]
    net = gg.Network(layers, inputs=4, seed=3)
    X, y = training_rows(4)
    loss, optimizer = gg.CrossEntropy(0.1), gg.AdamW(gg.CosineDecay(0.02, 20), clip_norm=1)
    net.fit(X, y, loss, optimizer, epochs=20, validation=0.2, regularization=gg.Regularization(l2=1e-3))
    return net


def averaged_1() -> gg.Network:
    """Return the network of an estimator, in double precision and with the mean of its parameters."""
    from ganglion.estimators import MLPClassifier

    model = MLPClassifier((7, 5), "tanh", average=0.95, dtype="float64", max_iter=20, random_state=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged
        model.fit(*training_rows(4))
    return model.network_


def table_1() -> gg.TableModel:
    """Return a model of a table with numbers, categories, dates, booleans, and gaps."""
    rng = np.random.default_rng(9)
    n = 150
    size = rng.random(n) * 10
    late = rng.integers(0, 700, n)
    table = {
        "size": [None if i % 17 == 0 else float(value) for i, value in enumerate(size)],
        "color": [None if i % 23 == 0 else ("red", "green", "blue")[i % 3] for i in range(n)],
        "sold": [datetime.date(2023, 1, 1) + datetime.timedelta(int(days)) for days in late],
        "new": [bool(value) for value in rng.integers(0, 2, n)],
        "price": (size * 3 + late / 100 + 5).tolist(),
    }
    return gg.TableModel.train(table, "price", hidden=(8, 4), epochs=30, seed=2, folds=0)


MODELS = (normalized_1, averaged_1, table_1)


def answers(name: str, engine: str = "auto") -> Any:
    """Return what the model of that file answers: to fixed rows, or to its table."""
    path = FOLDER / f"{name}.safetensors"
    if name.startswith("table"):
        return gg.TableModel.load(path, engine).predict(FOLDER / f"{name}.csv").to_numpy()
    net = gg.Network.load(path, engine)
    return net.predict(8 * np.random.default_rng(1).random((12, *net.architecture.input_shape)) - 4)


def main() -> None:
    """Write the files that are not there."""
    for make in MODELS:
        path = FOLDER / f"{make.__name__}.safetensors"
        if not path.exists():
            make().save(path)
            record = json.dumps(answers(make.__name__).tolist())
            path.with_suffix(".json").write_text(record + "\n")


if __name__ == "__main__":
    main()
