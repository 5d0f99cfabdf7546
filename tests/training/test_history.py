import math

import pytest

import ganglion as gg


def test_facts_go_there_and_back() -> None:
    history = gg.History(
        loss=[1.0, 0.5],
        validation_loss=[1.0, math.nan],
        metrics={"r2": [math.nan, 0.5]},
        learning_rate=[0.1, 0.1],
        gradient_norm=[1.0, 2.0],
        seconds=[0.1, 0.2],
        ended="completed",
        stopped_because="all 2 epochs were done",
        best_epoch=1,
    )
    back = gg.History.from_facts(history.to_facts())
    assert repr(back) == repr(history)
    assert math.isnan(back.validation_loss[1])
    assert history.to_facts()["metrics"] == {"r2": [None, 0.5]}


@pytest.mark.parametrize(
    "change",
    [
        {"loss": "many"},
        {"loss": [1.0, "two"]},
        {"loss": [True]},
        {"stopped_because": 3},
        {"best_epoch": 1.5},
        {"metrics": [1.0]},
        {"surplus": 1},
    ],
)
def test_other_facts_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(gg.DataError, match="a history"):
        gg.History.from_facts(gg.History().to_facts() | change)
    with pytest.raises(gg.DataError, match="a history"):
        gg.History.from_facts([])
