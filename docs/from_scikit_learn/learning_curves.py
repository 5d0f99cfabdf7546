"""Compare ways to set the learning rate of stochastic gradient descent, and Adam.

Each strategy trains the same network from the same weights on two data sets. For each, the program tells
the loss on the way and in the end, how many epochs were made, and how many of the training rows are then
classified right. Not all of them converge in the epochs that they are given; the warning of it is
silenced.
"""

import warnings
from typing import Any

from sklearn.datasets import load_iris, make_circles
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import MinMaxScaler

from ganglion.estimators import MLPClassifier

plain = {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.2}
momentum = {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": False, "learning_rate_init": 0.2}
nesterov = {**momentum, "nesterovs_momentum": True}
strategies: dict[str, Any] = {
    "constant": {**plain, "learning_rate": "constant"},
    "constant, momentum": {**momentum, "learning_rate": "constant"},
    "constant, Nesterov": {**nesterov, "learning_rate": "constant"},
    "invscaling": {**plain, "learning_rate": "invscaling"},
    "invscaling, momentum": {**momentum, "learning_rate": "invscaling"},
    "invscaling, Nesterov": {**nesterov, "learning_rate": "invscaling"},
    "adaptive": {**plain, "learning_rate": "adaptive"},
    "adaptive, Nesterov": {**nesterov, "learning_rate": "adaptive", "tol": 0.001},
    "adam": {"solver": "adam", "learning_rate_init": 0.01},
}
data = {
    "iris": load_iris(return_X_y=True),
    "circles": make_circles(400, noise=0.15, factor=0.5, random_state=1),
}

for name, (X, y) in data.items():
    rows = MinMaxScaler().fit_transform(X)
    print(f"{name}: {rows.shape[0]} rows of {rows.shape[1]} numbers")
    print("strategy              epochs  after 1  after 10  in the end   score")
    for title, settings in strategies.items():
        model = MLPClassifier((20,), batch_size=50, max_iter=300, random_state=0, **settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(rows, y)
        curve = model.loss_curve_
        losses = f"{curve[0]:7.4f}  {curve[9]:8.4f}  {model.loss_:10.4f}"
        print(f"{title:20}  {model.n_iter_:6}  {losses}  {model.score(rows, y):.4f}")
