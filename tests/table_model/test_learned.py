"""A model recognizes rows that it learned from when it is judged on them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ganglion as gg
from ganglion.core.part import Array
from ganglion.table_model.learned import MOST_HASHES, LearnedRows, from_facts


def rows(count: int, seed: int = 0) -> tuple[Array, Array]:
    chance = np.random.default_rng(seed)
    return chance.normal(size=(count, 5)).astype(np.float32), chance.integers(0, 2, count)


def table(count: int, seed: int = 0) -> pl.DataFrame:
    x, y = rows(count, seed)
    x = np.tanh(x)  # so that no value is outside the range that was learned
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": np.array(["no", "yes"])[y]})


@pytest.mark.parametrize("count", [100, 20_000])
def test_the_fraction_of_learned_rows_is_estimated(count: int) -> None:
    (x, y), (others, targets) = rows(count), rows(count, 1)
    learned = LearnedRows.of(x, y)
    assert len(learned.hashes) == min(count, MOST_HASHES)
    assert learned.fraction(x, y) == 1.0
    assert learned.fraction(x[: count // 2], y[: count // 2]) == 1.0
    assert learned.fraction(others, targets) == 0.0
    assert learned.fraction(x, 1 - y) == 0.0  # the target belongs to the row
    third = np.concatenate([x, others, others]), np.concatenate([y, targets, targets])
    assert learned.fraction(*third) == pytest.approx(1 / 3, abs=0.06)
    assert LearnedRows().fraction(x, y) == 0.0
    assert learned.fraction(x[:0], y[:0]) == 0.0
    assert LearnedRows.of(x + 0.0 * -1, y).hashes == learned.hashes


def test_rows_that_are_equal_by_chance_are_not_remembered() -> None:
    x, y = rows(500)
    assert LearnedRows.of(np.round(x[:, :2]), y) == LearnedRows()


def test_a_model_says_that_it_is_judged_on_rows_it_learned_from(tmp_path: Path) -> None:
    gg.TableModel.train(table(400), "y", epochs=2, hidden=(4,), test=0.5).save(tmp_path / "m.safetensors")
    model = gg.TableModel.load(tmp_path / "m.safetensors")
    with pytest.warns(gg.GanglionNotice, match="about 50% of these rows are rows that the model learned"):
        model.evaluate(table(400))
    with pytest.warns(gg.GanglionNotice, match="learned from"):
        model.importance(table(400), repeats=1)
    model.evaluate(table(400, seed=1))  # without a notice, which would be an error here
    model.learned = LearnedRows()
    model.evaluate(table(400))


@pytest.mark.parametrize(
    "facts", ["text", [2, 1], [1, 1], [-1], [2**53], [1.5], [True], list(range(MOST_HASHES + 1))], ids=repr
)
def test_forged_hashes_are_refused(facts: object) -> None:
    with pytest.raises(gg.ConfigError):
        from_facts(facts)


def test_each_target_of_several_has_its_own(tmp_path: Path) -> None:
    two = table(400).with_columns(big=pl.col("a") > 0.2)
    gg.TableModel.train(two, ["y", "big"], epochs=2, hidden=(4,), test=0.5).save(tmp_path / "m.safetensors")
    model = gg.JointTableModel.load(tmp_path / "m.safetensors")
    for head in model.heads.values():
        assert head.learned.fraction(*head.encode(two)) == pytest.approx(0.5, abs=0.01)
