import math

import numpy as np
import pytest

import ganglion as gg
from ganglion.cli.drawing import LETTERS, REGIONS, boundary, curve


def field(picture: str) -> list[str]:
    """The lines between the axes of a drawn boundary."""
    return [line.split("|", 1)[1] for line in picture.splitlines() if "|" in line]


def right_half(places: np.ndarray) -> np.ndarray:
    return places[:, 0] > 0


def test_a_falling_curve_falls() -> None:
    lines = curve({"loss": [3.0, 2.0, 1.0]}, height=3).splitlines()
    assert lines[:3] == ["3 |*  ", "  | * ", "1 |  *"]
    assert "3 epochs" in lines[4]
    assert lines[5].strip() == "* loss"


def test_a_curve_leaves_gaps_for_missing_values() -> None:
    lines = curve({"loss": [4, 3, 2, 1], "validation": [math.nan, math.nan, 4, math.inf, 1]}, height=4)
    assert [line.split("|")[1] for line in lines.splitlines()[:4]] == ["* o  ", " *   ", "  *  ", "   *#"]


@pytest.mark.parametrize("values", [[], [1.0], [math.nan, math.nan, 2.0]])
def test_no_curve_without_two_values(values: list[float]) -> None:
    assert curve({"loss": values}) == ""


def test_every_character_of_a_region_is_the_class_predicted_there() -> None:
    net = gg.Network([gg.Dense(5, "tanh"), gg.Dense(3, "softmax")], inputs=2, seed=3)
    corners = np.array([[-3.0, -2.0], [3.0, 2.0]])
    lines = field(
        boundary(lambda p: net.predict(p).argmax(axis=1), corners, [0, 0], list("abc"), width=31, height=21)
    )
    assert len(lines) == 21
    seen = set()
    for line, y in zip(lines, np.linspace(2, -2, 21), strict=True):
        assert len(line) == 31
        for character, x in zip(line, np.linspace(-3, 3, 31), strict=True):
            if character not in LETTERS:
                seen.add(character)
                assert REGIONS[net.predict([[x, y]]).argmax()] == character
    assert len(seen) > 1


def test_rows_stand_where_they_are_and_the_most_common_class_wins_a_place() -> None:
    rows = [[-1, -1], [1, 1], [1, -1], [1, -1], [1, -1]]
    lines = field(boundary(right_half, rows, [0, 1, 1, 0, 0], ["no", "yes"], width=9, height=5))
    assert (lines[4][0], lines[0][8], lines[4][8], lines[0][0]) == ("A", "B", "A", ".")
    assert sum(character in LETTERS for line in lines for character in line) == 3


def test_axes_and_classes_are_named() -> None:
    picture = boundary(right_half, [[-1, 5], [2, 7]], [0, 1], ["no", "yes"], ("width", "height"))
    lines = picture.splitlines()
    assert lines[0].strip() == "height"
    assert lines[1].startswith(" 7 |")
    assert lines[-3].split() == ["-1", "2", "width"]
    assert [line.strip() for line in lines[-2:]] == ["row A, region .: no", "row B, region -: yes"]
    assert max(map(len, lines[1:-3])) == 60 + 4


def test_rows_with_a_missing_number_are_left_out() -> None:
    rows = [[-1, -1], [1, 1], [math.nan, 0], [0, math.inf]]
    with_gaps = boundary(right_half, rows, [0, 1, 1, 1], ["no", "yes"])
    assert with_gaps == boundary(right_half, rows[:2], [0, 1], ["no", "yes"])


def test_one_row_or_a_column_of_one_value_is_drawn() -> None:
    lines = field(boundary(right_half, [[4.0, -6.0]], [1], ["no", "yes"], width=11, height=5))
    assert lines[2] == "-----B-----"


@pytest.mark.parametrize(
    ("rows", "classes", "labels", "error", "words"),
    [
        ([[1, 2]], [2], ["no", "yes"], gg.DataError, "class numbers from 0 to 1"),
        ([[1, 2]], [-1], ["no", "yes"], gg.DataError, "class numbers from 0 to 1"),
        ([[1, 2]], [math.nan], ["no", "yes"], gg.DataError, "class numbers"),
        ([[1, 2]], [0.5], ["no", "yes"], gg.DataError, "class numbers"),
        ([[1, 2]], [0, 1], ["no", "yes"], gg.ShapeError, "got (1, 2) and (2,)"),
        ([[1, 2, 3]], [0], ["no", "yes"], gg.ShapeError, "(n, 2)"),
        ([["a", "b"]], [0], ["no", "yes"], gg.DataError, "numbers"),
        ([[math.nan, 1]], [0], ["no", "yes"], gg.DataError, "at least one row"),
        ([[1, 2]], [0], [str(n) for n in range(11)], gg.ConfigError, "1 to 10 classes, got 11"),
        ([[1, 2]], [0], [], gg.ConfigError, "got 0"),
    ],
)
def test_bad_input_is_refused(
    rows: list[list[object]], classes: list[float], labels: list[str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as raised:
        boundary(right_half, rows, classes, labels)
    assert words in str(raised.value)


def test_predictions_of_another_shape_are_refused() -> None:
    with pytest.raises(gg.ShapeError, match="one class for each point"):
        boundary(lambda places: places, [[1, 2]], [0], ["no", "yes"])
