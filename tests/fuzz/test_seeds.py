"""The seeds of the fuzzer are files that are read as models, so that it starts behind the checks."""

from __future__ import annotations

from pathlib import Path

from fuzz.model_file import check, file_of, input_of, mutated, seeds


def test_the_seeds_are_models_and_their_mutants_models_or_refused(tmp_path: Path) -> None:
    found = list(seeds(tmp_path))
    path = tmp_path / "fuzzed.safetensors"
    results = [check(seed, path) for seed in found]
    assert set(results) == {"network", "table", "images"}
    assert all(input_of(file_of(seed)) == seed for seed in found)
    mutants = {check(mutated(seed, 10**6, number), path) for seed in found for number in range(20)}
    assert len(mutants - {"network", "table", "images"}) > 20  # reasons to refuse
    assert mutants & {"network", "table", "images"}


def test_bytes_that_are_no_input_are_read_as_they_are(tmp_path: Path) -> None:
    assert "the length of its header is invalid" in check(b"anything", tmp_path / "fuzzed.safetensors")
