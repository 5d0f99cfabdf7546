"""Model cards: what they say of models of tables, of several targets and of pictures."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

import ganglion as gg
from commands import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def card(capsys: Capture, model: str) -> str:
    code, out, error = run(capsys, "show", model, "--card", "card.md")
    assert (code, error) == (0, "")
    assert out.startswith("card.md written")
    return Path("card.md").read_text()


def test_a_table(capsys: Capture) -> None:
    pytest.importorskip("matplotlib")
    table = {
        "a|b": [0.5 * (i % 17) for i in range(90)],
        "kind": [["x", "y*", "z"][i % 3] for i in range(90)],
        "same": ["s"] * 90,
        "y": ["no", "yes", "no"] * 30,
    }
    with pytest.warns(gg.GanglionNotice):
        gg.TableModel.train(table, "y", quality="fast", hidden=4, epochs=3).save("t.safetensors")
    text = card(capsys, "t.safetensors")
    assert hashlib.sha256(Path("t.safetensors").read_bytes()).hexdigest() in text
    assert "| a\\|b | number, 3.8" in text
    assert " | 0 to 8 |" in text
    assert "| kind | category, 3 values: x, y\\*, z | x, y\\*, z |" in text
    assert "| same | left out: the same value in every row | |" in text
    assert "On 90 rows that it had not learned from, in 5 folds." in text
    assert "| accuracy |" in text
    assert "y was tested on 90 rows only" in text
    assert "![loss by epoch](card-learning.png)" in text
    assert Path("card-learning.png").read_bytes().startswith(b"\x89PNG")
    assert Path("card-reliability-0.png").exists()


def test_several_targets_and_pictures(capsys: Capture) -> None:
    n = range(90)
    table = {"x": [i * 0.5 for i in n], "big": [i > 40 for i in n], "double": [2.0 * i for i in n]}
    gg.TableModel.train(table, ["big", "double"], hidden=4, epochs=2).save("j.safetensors")
    text = card(capsys, "j.safetensors")
    assert "### big" in text
    assert "### double" in text
    assert "left out: a target" not in text
    pictures = np.random.default_rng(0).integers(0, 256, (30, 8, 8)).astype(np.uint8)
    model = gg.ImageModel.train(pictures, labels=["a", "b", "c"] * 10, epochs=1, augment=None)
    model.save("p.safetensors")
    assert "pictures  30, brought to 8 × 8 pixels, grey" in card(capsys, "p.safetensors")


def test_what_is_refused(capsys: Capture) -> None:
    gg.Network([gg.Dense(2)], 3).save("n.safetensors")
    code, _, error = run(capsys, "show", "n.safetensors", "--card", "card.md")
    assert code == 2
    assert "this is a network by itself" in error
    before = Path("n.safetensors").read_bytes()
    code, _, error = run(capsys, "export", "n.safetensors", "n.safetensors")
    assert code == 2
    assert "must not be an input file" in error
    assert Path("n.safetensors").read_bytes() == before
