"""The widget in a real JupyterLab in Chromium: a notebook is run with the keyboard, and a unit is chosen."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganglion
from browser import SECONDS, Browser, needs_browser, open_browser

JUPYTER = os.environ.get("GANGLION_JUPYTER", "")
CELLS = [
    "import ganglion as gg, numpy as np\n"
    "X = np.random.default_rng(0).normal(size=(200, 3)); y = (X[:, 0] > X[:, 1] ** 2).astype(int)\n"
    "net = gg.Network([gg.Dense(8, 'tanh'), gg.Dense(2, 'softmax')], 3, seed=1)\n"
    "history = net.fit(X, y, epochs=40, callbacks=[gg.Live()])",
    "net.explore(X, y, names=['a', 'b', 'c'], classes=['no', 'yes'])",
]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Start a server with a notebook, and end it."""
    cells = [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": s,
        }
        for i, s in enumerate(CELLS)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "t.ipynb").write_text(json.dumps(notebook))
    options = ("--allow-root", "--no-browser", "--ip=127.0.0.1", "--port=0", "--IdentityProvider.token=abc")
    around = os.environ | {
        "PYTHONPATH": str(Path(ganglion.__file__).parents[1]),
        "JUPYTER_CONFIG_DIR": str(tmp_path),
    }
    command = [str(Path(JUPYTER).resolve().parent / "jupyter"), "lab", *options]
    with subprocess.Popen(command, cwd=tmp_path, env=around, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            found = (re.search(r"http://127\.0\.0\.1:(\d+)/lab\?", line) for line in server.stderr)
            port = next(match[1] for match in found if match)
            yield f"http://127.0.0.1:{port}/lab/tree/t.ipynb?token=abc"
        finally:
            server.terminate()


def run_cell(browser: Browser, number: int) -> None:
    """Run a cell with the keyboard. The page takes the focus away while it is still being built."""
    place, end = (
        f"document.querySelectorAll('.jp-Notebook .jp-CodeCell')[{number}]",
        time.monotonic() + SECONDS,
    )
    while time.monotonic() < end:
        browser.run(f"{place}.querySelector('.cm-content').focus()")
        browser.together("\ue008", "\ue007")  # shift and enter
        time.sleep(1)
        if browser.run(f"return {place}.querySelector('.jp-InputPrompt').textContent.trim()") != "[ ]:":
            return
    raise AssertionError("the cell was not run")


@needs_browser
@pytest.mark.skipif(not JUPYTER, reason="needs JupyterLab: make notebook")
def test_a_network_is_explored_in_jupyterlab(address: str) -> None:
    with open_browser() as browser:
        browser.resize(1200, 1700)
        browser.visit(address)
        browser.until("return document.querySelector('.jp-Notebook .cm-content')")
        browser.until(
            "return document.querySelector('.jp-Notebook-ExecutionIndicator[data-status=\"idle\"]')"
        )
        for number in range(len(CELLS)):
            run_cell(browser, number)
        captions = "[...document.querySelectorAll('.gg-curves caption')].map((c) => c.textContent)"
        browser.until(
            f"const c = {captions}; return c.length === 2 && c.every((t) => t === 'after 40 epochs')"
        )
        assert browser.until("return document.querySelectorAll('button.gg-cell').length") == 10
        browser.run("document.querySelectorAll('button.gg-cell')[9].click()")
        text = browser.until(
            "const t = document.querySelector('.gg-arithmetic').textContent; return t.includes('=') && t",
        )
        assert text.startswith("dense_2.a[1] = ")
        assert browser.run("return document.querySelectorAll('.gg-surface canvas').length") == 1
