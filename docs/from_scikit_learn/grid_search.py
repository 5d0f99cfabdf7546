"""Choose the settings of a network by cross-validation.

A grid search tries every combination of sizes, penalties and activations, each on three folds, in two
processes. The scaler stands in the pipeline with the network, so that no fold sees the mean of the rows
that it is tested on.
"""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ganglion.estimators import MLPClassifier

X, y = load_breast_cancer(return_X_y=True)
X_learn, X_test, y_learn, y_test = train_test_split(X, y, stratify=y, random_state=0)

model = make_pipeline(
    StandardScaler(),
    MLPClassifier(solver="adam", learning_rate_init=0.01, max_iter=500, random_state=0),
)
settings = {
    "mlpclassifier__hidden_layer_sizes": [(8,), (8, 8)],
    "mlpclassifier__alpha": [0.0001, 0.1],
    "mlpclassifier__activation": ["relu", "tanh"],
}

if __name__ == "__main__":
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    scoring = {"accuracy": "accuracy", "log_loss": "neg_log_loss"}
    search = GridSearchCV(model, settings, scoring=scoring, refit="log_loss", cv=folds, n_jobs=2)
    search.fit(X_learn, y_learn)

    results = search.cv_results_
    print("rank  accuracy  log loss  settings")
    for i in results["rank_test_log_loss"].argsort(kind="stable"):
        given = {name.split("__")[1]: value for name, value in results["params"][i].items()}
        accuracy, log_loss = results["mean_test_accuracy"][i], -results["mean_test_log_loss"][i]
        print(f"{results['rank_test_log_loss'][i]:4}  {accuracy:8.4f}  {log_loss:8.4f}  {given}")

    print("best:", {name.split("__")[1]: value for name, value in search.best_params_.items()})
    print("log loss in cross-validation:", round(-search.best_score_, 4))
    print("log loss on the test rows:", round(-search.score(X_test, y_test), 4))
    print("accuracy on the test rows:", round(search.best_estimator_.score(X_test, y_test), 4))
