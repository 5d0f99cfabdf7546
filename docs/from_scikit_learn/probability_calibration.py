"""Make the probabilities of a classifier honest.

A network that is trained for long is too sure of its answers: of those that it gives with 95 %, fewer
than 95 % are right. CalibratedClassifierCV learns on folds how to correct this, by a curve of two
parameters (sigmoid) or by any rising one (isotonic). The Brier score and the log loss tell how good
probabilities are; lower is better.
"""

import numpy as np
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.datasets import make_classification
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from ganglion.estimators import MLPClassifier

X, y = make_classification(1600, 12, n_informative=5, n_redundant=2, flip_y=0.15, random_state=4)
X_learn, X_test, y_learn, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
scaler = StandardScaler().fit(X_learn)
X_learn, X_test = scaler.transform(X_learn), scaler.transform(X_test)

network = MLPClassifier((20,), learning_rate_init=0.02, max_iter=1000, random_state=0)
models = {
    "network alone": network,
    "sigmoid": CalibratedClassifierCV(network, method="sigmoid", cv=3),
    "isotonic": CalibratedClassifierCV(network, method="isotonic", cv=3),
    "sigmoid, one network": CalibratedClassifierCV(network, method="sigmoid", cv=3, ensemble=False),
}

shares = {}
print("                      Brier score  log loss  accuracy  area under ROC")
for name, model in models.items():
    shares[name] = model.fit(X_learn, y_learn).predict_proba(X_test)[:, 1]
    brier, log = brier_score_loss(y_test, shares[name]), log_loss(y_test, shares[name])
    accuracy, area = accuracy_score(y_test, shares[name] > 0.5), roc_auc_score(y_test, shares[name])
    print(f"{name:20}  {brier:11.4f}  {log:8.4f}  {accuracy:8.4f}  {area:14.4f}")

for name, share in shares.items():
    true, said = calibration_curve(y_test, share, n_bins=5)
    print(f"\n{name}: said and true share of class 1 in five bins")
    print(np.array2string(said, precision=4, floatmode="fixed"))
    print(np.array2string(true, precision=4, floatmode="fixed"))
