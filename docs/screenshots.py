"""Makes the pictures of the studio in the README and in chapter 11 anew, in Chromium.

Run it with `make screenshots`. Look at each picture before it is committed.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from opened import Opened, open_studio
from PIL import Image

import ganglion as gg
from browser import Browser, open_browser
from ganglion.studio.lesson import FOLDER as LESSONS
from ganglion.tables.examples import FOLDER

PICTURES = Path(__file__).parent / "guide" / "studio"
COLORS = 128
READY = "return document.querySelector('.network .unit') !== null"
CLICK = (
    "document.querySelectorAll(arguments[0])[arguments[1]].dispatchEvent(new MouseEvent('click', "
    "{ bubbles: true }))"
)


def save(window: Browser, name: str) -> None:
    """Write what the window shows to a picture of few colors."""
    time.sleep(0.7)
    with tempfile.TemporaryDirectory() as folder:
        window.picture(Path(folder) / "all.png")
        picture = Image.open(Path(folder) / "all.png").convert("RGB")
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(PICTURES / f"{name}.png", optimize=True)


def do(opened: Opened, window: Browser, *commands: dict[str, object]) -> None:
    """Carry out commands, and show the page anew."""
    for command in commands:
        status, _, answer = opened.ask("POST", "/api/do", opened.headers(), json.dumps(command).encode())
        assert status == 200, answer
    window.visit(opened.address.split("#")[0])
    window.until(READY)
    time.sleep(0.5)


def begin(window: Browser, opened: Opened) -> None:
    """Open the page."""
    window.visit("about:blank")
    window.visit(opened.address)
    window.until(READY)


def scroll(window: Browser, selector: str) -> None:
    """Bring a view to the top."""
    window.run("document.querySelector(arguments[0]).scrollIntoView(); window.scrollBy(0, -150)", selector)


def light(window: Browser) -> None:
    """A run, a weight, findings, and a lesson."""
    window.resize(1280, 1170)
    petals = {"do": "view", "row": 3, "columns": ["petal_length", "petal_width"], "output": 2}
    with open_studio(FOLDER / "iris.csv") as opened:
        begin(window, opened)
        do(opened, window, {"do": "step", "count": 100}, petals)
        window.run(CLICK, ".network .weight", 9)
        window.until("return document.querySelector('[data-card=weight] table') !== null")
        save(window, "run")
        window.run("document.querySelector('.arithmetic').style.maxHeight = 'none'")
        scroll(window, ".arithmetic")
        save(window, "weight")
    with open_studio(FOLDER / "diabetes.csv") as opened:
        begin(window, opened)
        state = json.loads(opened.ask("POST", "/api/do", opened.headers(), b'{"do": "look"}')[2])
        settings = {**state["settings"], "layers": [], "optimizer": gg.SGD(0.6).configuration()}
        do(opened, window, {"do": "new", "settings": settings}, {"do": "step", "count": 1000})
        window.until("return document.querySelector('.findings article') !== null")
        window.run(CLICK, ".findings article button", 0)
        window.until("return document.querySelector('.findings [role=status]') !== null")
        scroll(window, ".findings")
        save(window, "findings")
    with open_studio(LESSONS / "3-training.json") as opened:
        begin(window, opened)
        window.until("return document.querySelector('.lesson table') !== null")
        save(window, "lesson")


def dark(window: Browser) -> None:
    """Two runs side by side."""
    window.resize(1280, 1250)
    window.emulate(prefers_color_scheme="dark")
    edit = {"do": "edit", "parameter": "dense_1/weight", "index": [1, 1], "value": -6}
    with open_studio(FOLDER / "iris.csv") as opened:
        begin(window, opened)
        ahead: dict[str, object] = {"do": "step", "count": 80}
        do(opened, window, {"do": "step", "count": 20}, edit, ahead, {"do": "choose", "run": 1}, ahead)
        window.run(CLICK, "#tab-Compare", 0)
        time.sleep(1)
        save(window, "compare")


def phone(window: Browser) -> None:
    """A run on a screen of 375 pixels."""
    with open_studio(FOLDER / "iris.csv") as opened:
        begin(window, opened)
        do(opened, window, {"do": "step", "count": 100})
        window.run(CLICK, ".network .weight", 9)
        window.run("window.scrollTo(0, 90)")
        save(window, "phone")


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    with open_browser() as window:
        light(window)
        dark(window)
    with open_browser(phone=(375, 760)) as window:
        phone(window)
