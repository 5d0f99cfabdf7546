"""A real browser for tests: Chromium, driven through ChromeDriver's HTTP interface (W3C WebDriver)."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs Chromium and ChromeDriver")
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SECONDS = 120  # to wait for something
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that the standard gives to elements


class Browser:
    """One window.

    Args:
        port: of the driver.
        options: more words of the browser's command line.
        phone: width and height of a touch screen; None for a desktop's window.
    """

    def __init__(self, port: int, options: Sequence[str] = (), phone: tuple[int, int] | None = None) -> None:
        self.address = f"http://127.0.0.1:{port}"
        chosen: dict[str, Any] = {"binary": CHROMIUM, "args": [*OPTIONS, *options]}
        if phone is not None:
            metrics = {"width": phone[0], "height": phone[1], "pixelRatio": 2.0, "touch": True}
            chosen["mobileEmulation"] = {"deviceMetrics": metrics}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": chosen,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        found = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.address += f"/session/{found['sessionId']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def open(self, page: Path) -> None:
        """Open a file."""
        self.visit(page.resolve().as_uri())

    def visit(self, address: str) -> None:
        """Open an address."""
        self._ask("POST", "/url", {"url": address})

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a script returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": arguments})

    def wait(self, script: str, *arguments: Any) -> Any:
        """Return what a script calls its last argument with."""
        return self._ask("POST", "/execute/async", {"script": script, "args": arguments})

    def until(self, script: str, *arguments: Any) -> Any:
        """Return what a script returns as soon as that is something."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if found := self.run(script, *arguments):
                return found
            time.sleep(0.1)
        raise AssertionError(f"nothing came of {script}")

    def press(self, *keys: str) -> None:
        """Press and release keys, one after the other, where the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def together(self, *keys: str) -> None:
        """Press several keys at once where the focus is."""
        order = [("keyDown", key) for key in keys] + [("keyUp", key) for key in reversed(keys)]
        actions = [{"type": kind, "value": key} for kind, key in order]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def click(self, selector: str) -> None:
        """Click an element where a person would."""
        found = self._ask("POST", "/element", {"using": "css selector", "value": selector})
        self._ask("POST", f"/element/{found[ELEMENT]}/click", {})

    def write(self, text: str) -> None:
        """Write where the focus is."""
        self.press(*text)

    def emulate(self, **features: str) -> None:
        """Let the page find media features, such as prefers_color_scheme="dark"."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        command = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": named}}
        self._ask("POST", "/goog/cdp/execute", command)

    def choose(self, selector: str, file: Path) -> None:
        """Give a file to an input."""
        found = self._ask("POST", "/element", {"using": "css selector", "value": selector})
        self._ask("POST", f"/element/{found[ELEMENT]}/value", {"text": str(file.resolve())})

    def complaints(self) -> list[str]:
        """Return what the page has written to the console as warnings and errors."""
        return [each["message"] for each in self._ask("POST", "/se/log", {"type": "browser"})]

    def picture(self, path: Path) -> None:
        """Write what the window shows to a file."""
        path.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))

    def resize(self, width: int, height: int) -> None:
        """Give the window a size."""
        self._ask("POST", "/window/rect", {"width": width, "height": height})

    def close(self) -> None:
        """Close the window."""
        self._ask("DELETE", "")


@contextlib.contextmanager
def open_browser(*options: str, phone: tuple[int, int] | None = None) -> Iterator[Browser]:
    """Start a driver and a browser, and end both; see `Browser`."""
    with subprocess.Popen([str(DRIVER), "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        try:
            started = (re.search(r"successfully on port (\d+)", line) for line in driver.stdout)
            browser = Browser(next(int(found[1]) for found in started if found), options, phone)
            yield browser
            browser.close()
        finally:
            driver.terminate()
