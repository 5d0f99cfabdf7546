"""Trainings give the bits that they gave when golden.json was made; see make_golden.py."""

from __future__ import annotations

import json

import pytest

from golden.make_golden import FILE, INSTRUCTION_SETS, Sets, in_process_of_its_own

GOLDEN: Sets = json.loads(FILE.read_text())


def sets_of(engine: str, instructions: str, threads: int = 1) -> Sets:
    pytest.importorskip("scipy")
    pytest.importorskip("sklearn")
    pytest.importorskip("threadpoolctl")
    sets = in_process_of_its_own(engine, instructions, threads)
    if isinstance(sets, str):
        pytest.skip(sets)
    return sets


def check(sets: Sets) -> None:
    """Compare with the recorded sets; skip, after comparing the others, where one was never recorded."""
    changed = {
        f"{name} ({key})": (GOLDEN[key].get(name, "never recorded"), found)
        for key in sets.keys() & GOLDEN.keys()
        for name, found in sets[key].items()
        if found != GOLDEN[key].get(name)
    }
    assert not changed, "\n".join(
        f"{name}:\n  recorded {old}\n  now      {new}" for name, (old, new) in changed.items()
    )
    removed = [name for key in sets.keys() & GOLDEN.keys() for name in GOLDEN[key].keys() - sets[key].keys()]
    assert not removed, f"golden.json has cases that were removed: {removed}"
    if missing := sorted(sets.keys() - GOLDEN.keys()):
        command = "PYTHONPATH=tests python -m golden.make_golden"
        pytest.skip(f"golden.json has no set for: {'; '.join(missing)}. To make one: {command}")


@pytest.mark.parametrize("instructions", INSTRUCTION_SETS)
def test_the_native_engine_keeps_its_bits_for_any_number_of_threads(instructions):
    alone, together = (sets_of("native", instructions, threads) for threads in (1, 2))
    assert alone == together
    check(alone)


def test_the_reference_engine_keeps_its_bits():
    check(sets_of("reference", ""))


def test_a_changed_hash_and_a_removed_case_are_noticed():
    key, hashes = next(iter(GOLDEN.items()))
    first, *others = hashes
    with pytest.raises(AssertionError, match="recorded"):
        check({key: {**hashes, first: "parameters:0123456789abcdef"}})
    with pytest.raises(AssertionError, match="removed"):
        check({key: {name: hashes[name] for name in others}})


def test_a_missing_set_is_named_by_the_skip():
    with pytest.raises(pytest.skip.Exception, match="no set for: another machine. To make one"):
        check({"another machine": {}})
