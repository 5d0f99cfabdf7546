"""Model files of the past load and predict what they predicted; see make_models.py.

That they predict the same bits is checked among the cases of test_golden.py.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

import ganglion as gg
from golden.make_models import FOLDER, answers

FILES = sorted(FOLDER.glob("*.safetensors"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
def test_a_model_file_predicts_what_it_predicted(path, engine):
    recorded = json.loads(path.with_suffix(".json").read_text())
    np.testing.assert_allclose(answers(path.stem, engine), recorded, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_model_file_holds_its_history_and_can_be_written_again(path, tmp_path):
    net = gg.Network.load(path)
    assert net.history.epochs in (20, 30)
    assert net.facts["optimizer"]["name"] in ("adam", "adamw")
    net.save(tmp_path / "again.safetensors")
    again = gg.Network.load(tmp_path / "again.safetensors")
    assert again.parameters.tobytes() == net.parameters.tobytes()
    assert again.state.tobytes() == net.state.tobytes()
    assert again.history == net.history
