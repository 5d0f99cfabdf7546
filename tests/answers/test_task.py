import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from ganglion.answers.target import ClassTarget, fit_target
from ganglion.answers.task import guess_task

RANDOM = np.random.default_rng(0)
LETTERS = [82, 15, 28, 43, 127, 22, 20, 61, 70, 2, 8, 40, 24, 67, 75, 19, 1, 60, 63, 91, 28, 10, 24, 2, 20, 1]


def _repeated(values: list[float], counts: list[int]) -> np.ndarray:
    return np.repeat(np.array(values), counts)


@pytest.mark.parametrize(
    ("values", "task", "aloud"),
    [
        # classes
        ([0.0, 1.0] * 50, "classification", False),
        ([0.0, 1.0, 2.0] * 40, "classification", False),
        ([0, 1, 2, None] * 40, "classification", False),
        (RANDOM.integers(0, 10, 1797), "classification", False),  # digits
        (RANDOM.choice([1, 2, 3], 3000, p=[0.5, 0.48, 0.02]), "classification", False),
        (RANDOM.choice([0, 1, 2, 3], 2000, p=[0.6, 0.3, 0.09, 0.01]), "classification", True),
        (_repeated([1, 2, 3, 4, 5], [30, 60, 200, 400, 310]), "classification", True),  # stars
        (_repeated([3, 4, 5, 6, 7, 8], [10, 53, 681, 638, 199, 18]), "classification", True),  # wine
        (RANDOM.choice([4, 6, 8], 300), "classification", True),  # cylinders
        (RANDOM.choice([200, 404, 500], 300), "classification", True),
        (RANDOM.integers(0, 26, 5200), "classification", True),  # letters
        (RANDOM.integers(0, 26, 520).astype(float), "classification", True),
        (_repeated(list(range(26)), [7 * count for count in LETTERS]), "classification", True),
        ([-1, 1] * 20, "classification", False),
        # numbers
        (RANDOM.poisson(0.8, 5000), "regression", True),  # counts
        (RANDOM.poisson(2, 1000), "regression", True),
        (_repeated([0, 1, 2, 3, 4], [164, 55, 36, 35, 13]), "classification", True),  # heart disease
        (RANDOM.poisson(12, 5000), "regression", True),
        (RANDOM.geometric(0.15, 2000) - 1, "regression", True),
        (RANDOM.integers(18, 66, 3000), "regression", True),  # ages
        (RANDOM.integers(18, 90, 3000), "regression", False),
        (RANDOM.integers(2000, 2021, 3000), "regression", True),  # years
        (RANDOM.integers(1950, 2021, 3000), "regression", False),
        (RANDOM.integers(2015, 2021, 1000), "regression", True),
        (RANDOM.choice([2019, 2020, 2021], 300), "regression", True),
        (RANDOM.choice([2019, 2020], 300), "classification", False),
        (RANDOM.choice([10, 20, 50, 100, 200], 300), "regression", True),  # doses
        (_repeated([1, 2, 3, 5, 6, 7], [70, 76, 17, 13, 9, 29]), "classification", True),  # types of glass
        (np.round(RANDOM.lognormal(3, 1, 1000), 2), "regression", False),  # prices
        (RANDOM.normal(size=100), "regression", False),
        (RANDOM.integers(0, 101, 3000), "regression", False),  # percent
        (RANDOM.choice([0.5, 1, 1.5, 2], 300), "regression", True),
        (list(range(40)), "regression", False),
        ([10, 20, 30, 40, 50], "regression", False),
    ],
)
def test_the_task_is_guessed_by_values_and_their_frequencies(values: object, task: str, aloud: bool) -> None:
    guess = guess_task(pl.Series("t", values))
    assert (guess.task, bool(guess.why)) == (task, aloud)


def test_a_guess_that_is_not_obvious_names_the_option_that_changes_it() -> None:
    letters = pl.Series("letter", list(range(26)) * 20)
    with pytest.warns(gg.GanglionNotice, match="taken as classes.*--task regression") as caught:
        assert fit_target(letters).task == "classification"
    assert caught[0].message.name == "task"  # type: ignore[union-attr]
    with pytest.warns(gg.GanglionNotice, match="taken as a number to predict.*task='classification'"):
        assert fit_target(pl.Series("n", RANDOM.poisson(6, 2000))).task == "regression"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit_target(letters, "regression").task == "regression"
        assert fit_target(letters, "classification").task == "classification"


def test_whole_numbers_written_as_floats_are_classes_and_come_back_whole(tmp_path: Path) -> None:
    grades = pl.Series("grade", [0.0, 1.0, 2.0, None] * 10)
    target = fit_target(grades)
    assert isinstance(target, ClassTarget)
    assert target.classes == (0, 1, 2)
    assert target.decode(np.array([2, 0])).to_list() == [2, 0]
    assert target.encode(pl.Series("grade", [2.0, 1.0])).tolist() == [2, 1]
    for written in ("{}", "{}.0"):
        path = tmp_path / "grades.csv"
        rows = [f"{i % 40},{written.format(i // 40)}" for i in range(120)]
        path.write_text("\n".join(["x,grade", *rows, "7,"]) + "\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", gg.GanglionNotice)
            model = gg.TableModel.train(path, target="grade", epochs=2)
        assert model.target.task == "classification"
        assert model.predict({"x": [3]})["prediction"].dtype == pl.Int64
