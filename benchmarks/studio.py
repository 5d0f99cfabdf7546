"""Times the studio in a real browser: from the command to a usable page, from a click to its arithmetic.

PYTHONPATH=tests:tests/studio python benchmarks/studio.py, or make timings-studio
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from opened import Opened, open_studio

from browser import Browser, open_browser
from ganglion.tables.examples import FOLDER

READY = (
    "return document.querySelector('.network .unit') !== null "
    "&& !document.querySelector('.network [data-value=\"\"]')"
)
ROUNDS = 5
CLICK = """const done = arguments[arguments.length - 1], unit = String(arguments[0]);
const input = document.querySelector('.strip input'), begun = performance.now();
input.value = unit;
input.dispatchEvent(new Event('input', { bubbles: true }));
input.dispatchEvent(new Event('change', { bubbles: true }));
const look = () => {
  const title = document.querySelector('[data-card=unit] h3')?.textContent ?? '';
  if (title.startsWith(`dense_1.a[${unit}]`)) done(performance.now() - begun);
  else setTimeout(look, 2);
};
look();"""


def button(window: Browser, words: str) -> None:
    """Click the first button that begins with these words."""
    script = (
        "[...document.querySelectorAll('button')].find((b) => b.textContent.trim().startsWith(arguments[0]))"
    )
    window.run(f"{script}.click()", words)


def start(window: Browser) -> float:
    """Return the seconds from starting the command to a page that can be used."""
    begun = time.perf_counter()
    with open_studio(FOLDER / "iris.csv") as opened:
        window.visit(opened.address)
        while not window.run(READY):
            time.sleep(0.01)
        took = time.perf_counter() - begun
        window.visit("about:blank")
    return took


def memory(opened: Opened) -> float:
    """Return the memory of the studio's process in MB, NaN where that is not known."""
    try:
        text = Path(f"/proc/{opened.process.pid}/status").read_text()
    except OSError:
        return float("nan")
    return int(text.split("VmRSS:")[1].split()[0]) / 1000


def clicks(window: Browser, folder: Path) -> tuple[list[float], float, float]:
    """Return milliseconds from click to arithmetic while 500 units learn 50,000 rows, and the memory."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({f"x{i}": rng.normal(size=50_000).round(2) for i in range(8)})
    frame.with_columns(y=pl.sum_horizontal(pl.all().sin())).write_csv(folder / "large.csv")
    layer = {"name": "dense", "units": 500, "activation": {"name": "relu"}, "weight_initializer": None}
    with open_studio(folder / "large.csv") as opened:
        window.visit(opened.address)
        window.until(READY)
        state = json.loads(opened.ask("POST", "/api/do", opened.headers(), b'{"do": "look"}')[2])
        settings = {**state["settings"], "layers": [layer], "epochs": 5000}
        opened.ask(
            "POST", "/api/do", opened.headers(), json.dumps({"do": "new", "settings": settings}).encode()
        )
        window.visit(opened.address.split("#")[0])
        window.until("return document.querySelector('.strip canvas') !== null")
        button(window, "▶ play")
        window.until("return Number(document.querySelector('[data-update]').dataset.update) > 20")
        times = [window.wait(CLICK, int(unit)) for unit in rng.choice(500, 20, replace=False)]
        time.sleep(20)  # 400 frames
        before = memory(opened)
        time.sleep(80)  # 1,600 more
        after = memory(opened)
        window.visit("about:blank")
    return times, before, after


def main() -> None:
    """Print the figures."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with open_browser() as window, tempfile.TemporaryDirectory() as folder:
        start(window)  # the files are read into memory
        took = sorted(start(window) for _ in range(ROUNDS))
        print(
            f"command to usable page: {statistics.median(took):.2f} s "
            f"(best {took[0]:.2f}, worst {took[-1]:.2f})"
        )
        times, before, after = clicks(window, Path(folder))
        times.sort()
        print(
            f"click to arithmetic while 500 units learn 50,000 rows: median {times[len(times) // 2]:.0f} ms, "
            f"worst of {len(times)} {times[-1]:.0f} ms"
        )
        print(f"memory of the studio after 400 frames {before:.0f} MB, after 2,000 frames {after:.0f} MB")


if __name__ == "__main__":
    main()
