"""Learn from rows that arrive in batches, and go on with a model later.

The handwritten digits arrive a hundred at a time. Each batch is predicted first and learned from after
that, so every row serves as a test before it serves to learn; the share of right answers so far is called
the prequential accuracy. Then the same is tried with a table that changes on the way, and with
warm_start, by which fit goes on from the weights that are there.
"""

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from ganglion.estimators import MLPClassifier

X, y = load_digits(return_X_y=True)
X = X / 16

model = MLPClassifier((50,), learning_rate_init=0.01, batch_size=20, random_state=0)
model.partial_fit(X[:100], y[:100], classes=np.arange(10))
right = seen = 0
for start in range(100, 1700, 100):
    batch = slice(start, start + 100)
    right += (model.predict(X[batch]) == y[batch]).sum()
    seen += 100
    model.partial_fit(X[batch], y[batch])
    if start % 400 == 0:
        print(f"rows {seen:4}  prequential accuracy {right / seen:.4f}  loss {model.loss_:.4f}")
print("rows learned from:", model.t_, "passes:", len(model.loss_curve_))
print("accuracy on the last rows:", round(model.score(X[1700:], y[1700:]), 4))

print("\na stream that changes: after row 3000 the rule is turned around")
random = np.random.default_rng(0)
stream = MLPClassifier((10,), solver="sgd", learning_rate_init=0.1, batch_size=50, random_state=0)
for number in range(12):
    rows = random.normal(size=(500, 4))
    label = (rows[:, 0] * rows[:, 1] > 0) != (number >= 6)
    before = f"{stream.score(rows, label):.4f}" if number else "     -"
    for _ in range(5):
        stream.partial_fit(rows, label, classes=[False, True])
    print(f"batch {number:2}  accuracy before {before}  after {stream.score(rows, label):.4f}")

print("\nfit in pieces of ten epochs, each from where the last one ended")
warm = MLPClassifier((50,), warm_start=True, max_iter=10, random_state=0)
for _ in range(5):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warm.fit(X[:1000], y[:1000])
    score = warm.score(X[1000:], y[1000:])
    print(f"epochs {len(warm.loss_curve_):3}  loss {warm.loss_:.4f}  accuracy on other rows {score:.4f}")
