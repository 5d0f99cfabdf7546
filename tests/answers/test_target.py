import datetime

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from ganglion.answers.target import ClassTarget, NumberTarget, Target, fit_target


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"] * 20, "classification"),
        ([True, False] * 20, "classification"),
        ([0, 1, 2] * 20, "classification"),
        ([0.0, 1.0] * 20, "classification"),
        (list(range(40)), "regression"),
        ([0.5, 1.5] * 20, "regression"),
        ([0.0, 1.0, 2.0, 3.5] * 20, "regression"),
        ([10, 20, 30, 40, 50], "regression"),
        ([datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)] * 5, "classification"),
    ],
)
@pytest.mark.filterwarnings("ignore:the target 't' has only")
def test_the_task_is_inferred_from_the_target(values: list[object], task: str) -> None:
    assert fit_target(pl.Series("t", values)).task == task


@pytest.mark.parametrize("values", [["b", "a", "b"], [3, 1, 3], [2.5, 0.5, 2.5], [True, False, True]])
def test_classes_come_back_in_their_own_type(values: list[object]) -> None:
    series = pl.Series("t", values)
    target = fit_target(series, "classification")
    assert isinstance(target, ClassTarget)
    codes = target.encode(series)
    assert codes.tolist() == [1, 0, 1]
    assert target.decode(codes).to_list() == values
    assert target.decode(codes).dtype == series.dtype
    assert target.shares == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert Target.find(target.configuration()) == target


def test_numbers_come_back_in_their_own_units() -> None:
    series = pl.Series("t", [100.0, 300.0, 500.0])
    target = fit_target(series)
    assert isinstance(target, NumberTarget)
    scaled = target.encode(series)
    assert scaled.mean() == pytest.approx(0)
    assert scaled.std() == pytest.approx(1)
    assert target.decode(np.asarray(scaled)).to_list() == pytest.approx([100, 300, 500])


@pytest.mark.parametrize(
    ("values", "task", "message"),
    [
        (["a"] * 5, "auto", "at least two classes, got only 'a'"),
        ([1.5] * 5, "auto", "must vary, got 1.5 in every row"),
        ([7] * 5, "auto", "at least two classes, got only 7"),
        ([f"name{i}" for i in range(50)], "auto", "50 different values in 50 rows, too many"),
        (["a", "b"] * 5, "regression", "must hold numbers, got 'a' in row 0"),
        ([1.0, np.inf, 2.0], "auto", "finite, got inf in row 1"),
        ([[1], [2]], "auto", "words or numbers"),
        ([1, 2], "sorting", "task must be"),
    ],
)
def test_targets_that_cannot_be_learned_are_refused(values: list[object], task: str, message: str) -> None:
    with pytest.raises(gg.GanglionError, match=message):
        fit_target(pl.Series("t", values, strict=False), task)


def test_an_unknown_class_is_named() -> None:
    target = fit_target(pl.Series("t", ["a", "b"] * 5))
    with pytest.raises(
        gg.DataError, match="one of the 2 classes learned, got 'c' in row 1.*the classes are a, b"
    ):
        target.encode(pl.Series("t", ["a", "c"]))


def test_classes_are_recognized_in_other_types() -> None:
    yes_or_no = fit_target(pl.Series("t", [True, False] * 5))
    assert yes_or_no.encode(pl.Series("t", ["true", "false"])).tolist() == [1, 0]
    with pytest.raises(gg.DataError, match="got 'maybe'"):
        yes_or_no.encode(pl.Series("t", ["maybe"]))
    whole = fit_target(pl.Series("t", [0, 1] * 5))
    assert whole.encode(pl.Series("t", [1.0, 0.0])).tolist() == [1, 0]
    with pytest.raises(gg.DataError, match="got 0.7 in row 0"):
        whole.encode(pl.Series("t", [0.7, 1.0]))
    huge = fit_target(pl.Series("t", [2**63, 2**63 + 1] * 5, dtype=pl.UInt64), "classification")
    assert huge.decode(np.array([1])).to_list() == [str(2**63 + 1)]
    with pytest.raises(gg.DataError, match="words or numbers"):
        fit_target(pl.Series("t", [datetime.timedelta(1), datetime.timedelta(2)] * 5), "classification")
