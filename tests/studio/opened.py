"""A studio in a process of its own, as a user starts it."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path


@dataclass(frozen=True)
class Opened:
    """A studio that runs: its process, the address of its page, its port and its token."""

    process: subprocess.Popen[str]
    address: str
    port: int
    token: str

    def ask(
        self, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request with exactly these headers; return status, headers and body of the answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            if body:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer: HTTPResponse = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read(100_000)

    def headers(self, **changes: str | None) -> list[tuple[str, str]]:
        """Return the headers of the studio's own page, some of them changed or left out."""
        host = f"127.0.0.1:{self.port}"
        usual = {
            "Host": host,
            "Authorization": f"Bearer {self.token}",
            "Origin": f"http://{host}",
            "Sec-Fetch-Site": "same-origin",
        }
        named = {name.replace("_", "-"): value for name, value in changes.items()}
        return [(name, value) for name, value in {**usual, **named}.items() if value is not None]


@contextlib.contextmanager
def open_studio(*arguments: str | Path) -> Iterator[Opened]:
    """Start a studio, and end it."""
    command = [sys.executable, "-m", "ganglion", "studio", *map(str, arguments), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"(http://127\.0\.0\.1:(\d+)/)#([0-9a-f]{64})", line)
        assert found, line
        try:
            yield Opened(process, found[0], int(found[2]), found[3])
        finally:
            process.terminate()
