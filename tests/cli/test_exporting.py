"""The command export: each ending, models of all kinds, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

import ganglion as gg
from commands import run
from ganglion.files.exports import FORMATS

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    table = {"a": [0.5 * (i % 17) for i in range(90)], "y": ["no", "yes", "no"] * 30}
    gg.TableModel.train(table, "y", quality="fast", hidden=4, epochs=1).save("t.safetensors")
    gg.Network([gg.Dense(2, "softmax")], 3).save("n.safetensors")
    pictures = np.random.default_rng(0).integers(0, 256, (30, 8, 8)).astype(np.uint8)
    model = gg.ImageModel.train(pictures, labels=["a", "b", "c"] * 10, epochs=1, augment=None)
    model.save("p.safetensors")
    return tmp_path


def test_every_ending(capsys: Capture) -> None:
    for ending in FORMATS:
        if ending == ".onnx":
            pytest.importorskip("onnx")
        code, out, error = run(capsys, "export", "t.safetensors", f"o{ending}")
        assert (code, out, error) == (0, f"o{ending} written\n", "")
        if ending not in (".npz", ".safetensors"):
            assert "yes" in Path(f"o{ending}").read_text(errors="replace")


def test_models_of_all_kinds(capsys: Capture) -> None:
    for name in "tnp":
        assert run(capsys, "export", f"{name}.safetensors", f"{name}.py")[0] == 0
        code, out, _ = run(capsys, "export", f"{name}.safetensors", f"{name}.h", "--int8")
        assert code == 0
        assert "With a byte for each weight, answers differ by at most" in out


def test_what_is_refused(capsys: Capture) -> None:
    code, _, error = run(capsys, "export", "t.safetensors", "t.exe")
    assert code == 2
    assert "must be one of .c, .h, .html, .npz, .onnx, .py, .safetensors, .sql, got 't.exe'" in error
    code, _, error = run(capsys, "export", "p.safetensors", "p.sql")
    assert code == 2
    assert "SQL" in error
    code, _, error = run(capsys, "export", "none.safetensors", "t.py")
    assert code == 1
    assert not Path("t.py").exists()
