"""Classify rows of a table that has numbers and words in its columns.

The table is made here: customers of a telephone company, and whether they left. Numbers are scaled, words
become columns of 0 and 1, and a neural network learns from both. All three stand in one pipeline, so that
the test rows go through exactly what the training rows went through.
"""

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.metrics import classification_report, confusion_matrix, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ganglion.estimators import MLPClassifier

random = np.random.default_rng(0)
rows = 2000
age = random.integers(18, 80, rows)
calls = random.poisson(2.0, rows)
plan = random.choice(["basic", "plus", "family"], rows, p=[0.5, 0.3, 0.2])
region = random.choice(["north", "south", "east", "west"], rows)
tendency = calls + 1.5 * (plan == "basic") - 0.06 * (age - 40) - 2.5
left = np.where(random.logistic(size=rows) < 1.5 * tendency, "yes", "no")

table = np.empty((rows, 4), dtype=object)
table[:, 0], table[:, 1], table[:, 2], table[:, 3] = age, calls, plan, region

columns = ColumnTransformer(
    [
        ("numbers", StandardScaler(), [0, 1]),
        ("words", OneHotEncoder(handle_unknown="ignore"), [2, 3]),
    ]
)
network = MLPClassifier(hidden_layer_sizes=(16, 8), alpha=0.01, max_iter=1000, random_state=0)
model = Pipeline([("columns", columns), ("network", network)])

learn_table, test_table, learn_left, test_left = train_test_split(table, left, stratify=left, random_state=0)
model.fit(learn_table, learn_left)

answers = model.predict(test_table)
shares = model.predict_proba(test_table)[:, 1]
print(classification_report(test_left, answers, digits=4))
print("true \\ predicted", *model.classes_)
for label, counts in zip(model.classes_, confusion_matrix(test_left, answers), strict=True):
    print(f"{label:>16}", *counts)
print("area under the ROC curve:", round(roc_auc_score(test_left == "yes", shares), 4))
print("accuracy on the training rows:", round(model.score(learn_table, learn_left), 4))
print("epochs:", network.n_iter_, "loss:", round(network.loss_, 4))

customer = np.array([[25, 6, "basic", "north"], [70, 0, "family", "an unknown one"]], dtype=object)
print("two new customers leave with probability", model.predict_proba(customer)[:, 1].round(4))
