"""Other learners, with their own default settings, each with the columns as it takes them best.

Trees see numbers as they are, with gaps, and words as categories; so do the networks of pytabkit, with gaps
filled. The others see what ganglion's own networks see: numbers scaled and filled, and one column for each
category.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from ganglion.answers.values import as_text, to_numbers
from ganglion.core.part import Array
from ganglion.optional import load
from ganglion.tables.columns import CategoryColumn, LevelColumn, NumberColumn
from ganglion.tables.encode import Encoder

MOST_CODES = 255  # of categories, in scikit-learn's trees
STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)  # of a penalty; cross-validation chooses one


@dataclass(frozen=True)
class Lesson:
    """Rows to learn from and rows to answer, for learners of arrays.

    Args:
        encoder: fitted on the rows to learn from.
        learned, asked: the rows, with the columns of the encoder.
        y: the targets of the rows to learn from: numbers, or the numbers of classes, from 0 without gaps.
        is_classes: whether they are classes.
        seed: determines everything random.
    """

    encoder: Encoder
    learned: pl.DataFrame
    asked: pl.DataFrame
    y: Array
    is_classes: bool
    seed: int

    @cached_property
    def encoded(self) -> tuple[Array, Array]:
        """Both parts as the rows of numbers that a network sees."""
        learned, asked = (
            self.encoder.encode(part, besides=part.columns)[0] for part in (self.learned, self.asked)
        )
        return learned, asked

    @cached_property
    def plain(self) -> tuple[Array, Array, list[int]]:
        """Both parts as rows of plain numbers and the numbers of categories, NaN for missing and unknown.

        The third are the places of the categories.
        """
        learned, asked, categories, place = list[Array](), list[Array](), list[int](), 0
        for column in self.encoder.columns:
            own = [part.get_column(column.column) for part in (self.learned, self.asked)]
            if isinstance(column, NumberColumn):
                found = [to_numbers(values).cast(pl.Float64).to_numpy()[:, None] for values in own]
            elif isinstance(column, CategoryColumn | LevelColumn):
                words = [as_text(values) for values in own]
                known = words[0].drop_nulls().unique().sort()
                numbers = pl.int_range(len(known), eager=True)
                found = [
                    values.replace_strict(known, numbers, default=None, return_dtype=pl.Float64).to_numpy()[
                        :, None
                    ]
                    for values in words
                ]
                categories.append(place)
            else:
                found = [column.encode(values)[0] for values in own]
            learned.append(found[0])
            asked.append(found[1])
            place += found[0].shape[1]
        return np.hstack(learned).astype(np.float64), np.hstack(asked).astype(np.float64), categories


@dataclass(frozen=True)
class Peer:
    """Another learner.

    Args:
        package: the module to import.
        install: its name for pip.
        answer: learns a lesson and returns the answers: numbers, (n,), or probabilities, (n, classes).
        slow: whether it takes minutes for a thousand rows, and is compared only if it is asked for.
    """

    package: str
    install: str
    answer: Callable[[Lesson], Array]
    slow: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether it can be imported."""
        return importlib.util.find_spec(self.package.partition(".")[0]) is not None


def _answers(learner: Any, lesson: Lesson, learned: Any, asked: Any, **settings: Any) -> Array:
    learner.fit(learned, lesson.y, **settings)
    found = learner.predict_proba(asked) if lesson.is_classes else learner.predict(asked)
    return np.asarray(found, np.float64)


def _pick(module: Any, kind: str, lesson: Lesson) -> Any:
    return getattr(module, f"{kind}{'Classifier' if lesson.is_classes else 'Regressor'}")


def _lightgbm(lesson: Lesson) -> Array:
    learner = _pick(load("lightgbm"), "LGBM", lesson)(verbose=-1, random_state=lesson.seed)
    learned, asked, categories = lesson.plain
    return _answers(learner, lesson, learned, asked, categorical_feature=categories)


def _catboost(lesson: Lesson) -> Array:
    learner = _pick(load("catboost"), "CatBoost", lesson)(
        verbose=0, random_seed=lesson.seed, allow_writing_files=False
    )
    learned, asked, categories = lesson.plain

    def mixed(rows: Array) -> Array:
        found = rows.astype(object)
        for place in categories:
            found[:, place] = [str(number) for number in rows[:, place]]
        return found

    return _answers(learner, lesson, mixed(learned), mixed(asked), cat_features=categories)


def _xgboost(lesson: Lesson) -> Array:
    learned, asked, categories = lesson.plain
    kinds = ["c" if place in categories else "float" for place in range(learned.shape[1])]
    learner = _pick(load("xgboost"), "XGB", lesson)(
        random_state=lesson.seed, enable_categorical=True, feature_types=kinds
    )
    return _answers(learner, lesson, learned, asked)


def _histograms(lesson: Lesson) -> Array:
    learned, asked, categories = lesson.plain
    few = [place for place in categories if np.nanmax(learned[:, place], initial=0) < MOST_CODES]
    learner = _pick(load("sklearn.ensemble"), "HistGradientBoosting", lesson)(
        categorical_features=few or None, random_state=lesson.seed
    )
    return _answers(learner, lesson, learned, asked)


def _forest(lesson: Lesson) -> Array:
    learner = _pick(load("sklearn.ensemble"), "RandomForest", lesson)(n_jobs=-1, random_state=lesson.seed)
    return _answers(learner, lesson, *lesson.encoded)


def _linear(lesson: Lesson) -> Array:
    linear = load("sklearn.linear_model")
    learner = linear.LogisticRegression(max_iter=1000) if lesson.is_classes else linear.RidgeCV(STRENGTHS)
    return _answers(learner, lesson, *lesson.encoded)


def _of_pytabkit(name: str) -> Callable[[Lesson], Array]:
    def answer(lesson: Lesson) -> Array:
        learner = _pick(load("pytabkit"), f"{name}_", lesson)(device="cpu", random_state=lesson.seed)
        learned, asked, categories = lesson.plain
        middle = np.nanmedian(learned, axis=0)

        def frame(rows: Array) -> Any:
            columns = {
                str(place): rows[:, place].astype(str)
                if place in categories
                else np.where(np.isnan(rows[:, place]), middle[place], rows[:, place])
                for place in range(rows.shape[1])
            }
            return load("pandas").DataFrame(columns)

        names = [str(place) for place in categories]
        return _answers(learner, lesson, frame(learned), frame(asked), cat_col_names=names)

    return answer


PEERS = {
    "LightGBM": Peer("lightgbm", "lightgbm", _lightgbm),
    "CatBoost": Peer("catboost", "catboost", _catboost),
    "XGBoost": Peer("xgboost", "xgboost", _xgboost),
    "histogram gradient boosting": Peer("sklearn.ensemble", "scikit-learn", _histograms),
    "random forest": Peer("sklearn.ensemble", "scikit-learn", _forest),
    "linear": Peer("sklearn.linear_model", "scikit-learn", _linear),
    "RealMLP-TD": Peer("pytabkit", "pytabkit", _of_pytabkit("RealMLP_TD"), slow=True),
    "RealMLP-TD-S": Peer("pytabkit", "pytabkit", _of_pytabkit("RealMLP_TD_S"), slow=True),
    "TabM": Peer("pytabkit", "pytabkit", _of_pytabkit("TabM_D"), slow=True),
}
