"""Splits lose no row, keep blocks together, respect the order, and leave every class in training."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import ganglion as gg
from ganglion.answers.splits import Divisible, Split, fold_splits, hold_out, joined


@st.composite
def divisible(draw: st.DrawFn) -> Divisible:
    rows, seed = draw(st.integers(30, 200)), draw(st.integers(0, 1000))
    chance = np.random.default_rng(seed)
    classes = chance.integers(0, 3, rows) if draw(st.booleans()) else None
    blocks = chance.integers(0, rows // 3, rows) if draw(st.booleans()) else None
    return Divisible(rows, classes, blocks)


def check(rows: Divisible, split: Split) -> None:
    parts = [split.train, split.validation, split.test]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(rows.rows))
    if rows.blocks is not None:
        own = [set(rows.blocks[part]) for part in parts]
        assert not own[0] & own[1]
        assert not own[0] & own[2]
        assert not own[1] & own[2]
    if rows.classes is not None:
        assert set(rows.classes[split.train]) == set(rows.classes)


@settings(max_examples=60, deadline=None)
@given(divisible(), st.integers(0, 5))
def test_a_hold_out(rows: Divisible, seed: int) -> None:
    split = hold_out(rows, 0.2, 0.2, seed)
    check(rows, split)
    assert 0.05 <= len(split.test) / rows.rows <= 0.35


@settings(max_examples=60, deadline=None)
@given(divisible(), st.integers(0, 5))
def test_folds(rows: Divisible, seed: int) -> None:
    splits = fold_splits(rows, 5, 2, seed)
    assert len(splits) == 10
    for split in splits:
        check(rows, split)
    tested = np.concatenate([split.test for split in splits])
    assert np.bincount(tested, minlength=rows.rows).max() == 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_no_row_is_learned_that_is_later_than_the_test_begins(seed: int, grouped: bool) -> None:
    chance = np.random.default_rng(seed)
    blocks = chance.integers(0, 20, 60) if grouped else None
    rows = Divisible(60, None, blocks, chance.integers(0, 40, 60))
    assert rows.order is not None
    last = rows.order
    if blocks is not None:  # a block is as late as its latest row
        last = np.array([rows.order[blocks == block].max() for block in blocks])
    for split in (hold_out(rows, 0.2, 0.2, 0), *fold_splits(rows, 4, 1, 0)):
        assert last[split.train].max() < last[split.test].min()
        if len(split.validation):
            assert last[split.train].max() < last[split.validation].min()
            assert last[split.validation].max() < last[split.test].min()


def test_a_class_with_one_row_is_learned() -> None:
    rows = Divisible(50, np.array([0] * 24 + [1] * 25 + [2]))
    for seed in range(20):
        assert 49 in hold_out(rows, 0.5, 0.5, seed).train
        assert all(49 in split.train for split in fold_splits(rows, 5, 1, seed))


def test_the_order_must_vary() -> None:
    with pytest.raises(gg.DataError, match="only if it varies"):
        hold_out(Divisible(10, order=np.zeros(10)), 0.2, 0.0, 0)


def test_rows_are_joined_by_any_labeling() -> None:
    assert joined(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 7])).tolist() == [0, 0, 0, 1]
