"""Nothing but the studio's own page gets in: every rule of the gate, and what every answer says."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opened import Opened, open_studio

import ganglion as gg
from commands import run
from ganglion.studio.handing import hand_over
from ganglion.studio.server import page_files
from ganglion.tables.examples import FOLDER

LOOK = json.dumps({"do": "look"}).encode()
PRIVATE = [
    ("POST", "/api/do"),
    ("POST", "/api/table?kind=csv"),
    ("POST", "/api/export"),
    ("GET", "/api/frames"),
]


@pytest.fixture(scope="module")
def studio() -> Iterator[Opened]:
    with open_studio(FOLDER / "iris.csv") as opened:
        yield opened


def test_the_page_itself_gets_in(studio: Opened) -> None:
    status, headers, body = studio.ask("POST", "/api/do", studio.headers(), LOOK)
    assert status == 200
    assert json.loads(body)["data"]["target"] == "species"
    assert headers["content-type"] == "application/json"
    local = f"localhost:{studio.port}"
    assert studio.ask("POST", "/api/do", studio.headers(Host=local, Origin=f"http://{local}"), LOOK)[0] == 200


@pytest.mark.parametrize(("method", "path"), PRIVATE)
@pytest.mark.parametrize(
    "shown",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer 00",
        "Basic TOKEN",
        "bearer TOKEN",
        "Bearer TOKEN ",
        "Bearer TOKEN0",
        "TOKEN",
    ],
)
def test_every_private_path_needs_the_token(
    studio: Opened, method: str, path: str, shown: str | None
) -> None:
    if shown == "Bearer TOKEN ":
        return  # blanks around a value are no part of it
    given = shown and shown.replace("TOKEN", studio.token)
    status, _, body = studio.ask(
        method, path, studio.headers(Authorization=given), LOOK if method == "POST" else b""
    )
    assert status == 401
    assert b"the token of this studio is missing" in body


def test_a_doubled_token_is_none(studio: Opened) -> None:
    headers = [*studio.headers(), ("Authorization", f"Bearer {studio.token}")]
    assert studio.ask("POST", "/api/do", headers, LOOK)[0] == 401


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost",
        "[::1]:PORT",
        "127.0.0.1:PORT.evil.example",
        "127.0.0.1.nip.io:PORT",
        "0.0.0.0:PORT",
        "127.1:PORT",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/do"])
def test_other_hosts_are_refused(studio: Opened, host: str | None, path: str) -> None:
    headers = studio.headers(Host=host and host.replace("PORT", str(studio.port)))
    method = "GET" if path == "/" else "POST"
    status, _, body = studio.ask(method, path, headers, LOOK if path != "/" else b"")
    assert status in ((403, 400) if host is None else (403,))  # without any, the server itself refuses
    assert host is None or b"127.0.0.1 and localhost" in body


def test_a_doubled_host_is_refused(studio: Opened) -> None:
    headers = [("Host", f"127.0.0.1:{studio.port}"), *studio.headers()]
    assert studio.ask("GET", "/", headers)[0] in (400, 403)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "http://evil.example",
        "https://127.0.0.1:PORT",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://localhost:PORT",
        "http://127.0.0.1:PORT/",
        "file://",
    ],
)
def test_other_origins_are_refused(studio: Opened, origin: str | None) -> None:
    given = origin if origin is None else origin.replace("PORT", str(studio.port))
    status, _, body = studio.ask("POST", "/api/do", studio.headers(Origin=given), LOOK)
    assert status == 403
    assert b"own origin" in body
    doubled = [*studio.headers(), ("Origin", "http://evil.example")]
    assert studio.ask("POST", "/api/do", doubled, LOOK)[0] == 403


@pytest.mark.parametrize("site", [None, "none", "cross-site", "same-site", ""])
@pytest.mark.parametrize(("method", "path"), PRIVATE)
def test_requests_of_other_pages_are_refused(
    studio: Opened, site: str | None, method: str, path: str
) -> None:
    status, _, _ = studio.ask(
        method, path, studio.headers(Sec_Fetch_Site=site), LOOK if method == "POST" else b""
    )
    assert status == 403


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "HEAD", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/api/do"])
def test_other_methods_are_refused(studio: Opened, method: str, path: str) -> None:
    status, headers, _ = studio.ask(method, path, studio.headers())
    assert status == 405
    assert not [name for name in headers if name.startswith("access-control")]


def test_files_cannot_be_embedded_elsewhere(studio: Opened) -> None:
    for kind in ("script", "style", "image", "iframe", "frame", "object", "embed"):
        headers = studio.headers(Authorization=None, Origin=None, Sec_Fetch_Site="cross-site")
        assert studio.ask("GET", "/main.js", [*headers, ("Sec-Fetch-Dest", kind)])[0] == 403
    opened = [
        *studio.headers(Authorization=None, Origin=None, Sec_Fetch_Site="cross-site"),
        ("Sec-Fetch-Dest", "document"),
    ]
    assert studio.ask("GET", "/", opened)[0] == 200  # as from the page that hands over the token
    assert studio.ask("POST", "/", studio.headers(), LOOK)[0] == 405


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/%2e%2e/gate.py",
        "/vendor/../gate.py",
        "/vendor/types.d.ts",
        "/README.md",
        "/views/",
        "/page.html",
        "//etc/passwd",
        "/main.js/",
        "/api",
        "/api/",
        "/api/nothing",
        "/.env",
        "/main.js%00",
    ],
)
def test_no_other_path_is_answered(studio: Opened, path: str) -> None:
    assert studio.ask("GET", path, studio.headers())[0] in (400, 404)


def test_every_answer_says_the_same_rules(studio: Opened) -> None:
    answers = [
        studio.ask("GET", "/", studio.headers()),
        studio.ask("GET", "/nothing", studio.headers()),
        studio.ask("POST", "/api/do", studio.headers(), LOOK),
        studio.ask("POST", "/api/do", studio.headers(), b"{"),
        studio.ask("POST", "/api/do", studio.headers(Origin="null"), LOOK),
    ]
    for _, headers, _ in answers:
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        for rule in (
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "form-action 'none'",
            "base-uri 'none'",
        ):
            assert rule in policy
        assert "unsafe" not in policy
        assert (
            headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "set-cookie" not in headers
        assert "server" not in headers
        assert not [name for name in headers if name.startswith("access-control")]


def test_ranges_are_ignored(studio: Opened) -> None:
    status, headers, body = studio.ask("GET", "/main.js", [*studio.headers(), ("Range", "bytes=0-3")])
    assert status == 200
    assert "content-range" not in headers
    assert len(body) > 100


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1]",
        b"null",
        b"\xff",
        b"NaN",
        b'{"do": NaN}',
        b"[" * 5000,
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b'{"do": "step", "count": 1e400}',
    ],
)
def test_what_is_no_command_is_refused_in_one_line(studio: Opened, body: bytes) -> None:
    status, _, answer = studio.ask("POST", "/api/do", studio.headers(), body)
    assert status == 400
    assert set(json.loads(answer)) == {"error", "hint"}


def test_long_bodies_are_not_read(studio: Opened) -> None:
    try:
        status, _, body = studio.ask("POST", "/api/do", studio.headers(), b" " * 3 * 2**20)
    except ConnectionError:  # the answer came, and the connection went, before the body was sent
        status, body = 422, b"at most 1,048,576 bytes"
    assert status == 422
    assert b"at most 1,048,576 bytes" in body
    assert studio.ask("POST", "/api/do", studio.headers(), LOOK)[0] == 200


def test_uploads_are_known_by_their_bytes_alone(studio: Opened) -> None:
    table = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i % 2) for i in range(60))
    status, _, body = studio.ask(
        "POST", "/api/table?kind=csv&name=../../../etc/passwd.csv", studio.headers(), table
    )
    assert status == 200
    assert json.loads(body)["data"]["name"] == "etcpasswd.csv"
    status, _, body = studio.ask("POST", "/api/table?kind=../x&name=a", studio.headers(), table)
    assert status == 400
    assert studio.ask("POST", "/api/table", studio.headers(), table)[0] == 400


def test_many_connections_do_not_end_it(studio: Opened) -> None:
    held = [socket.create_connection(("127.0.0.1", studio.port)) for _ in range(100)]
    for each in held:
        each.close()
    end = time.monotonic() + 20
    while studio.ask("POST", "/api/do", studio.headers(), LOOK)[0] != 200:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_token_is_handed_over_in_a_file_of_ones_own() -> None:
    page = hand_over(1234, "ab" * 32)
    assert "http://127.0.0.1:1234/#" + "ab" * 32 in page.read_text(encoding="utf-8")
    if os.name != "nt":
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
    page.unlink()


def test_it_can_only_listen_here(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = run(capsys, "studio", "--host", "0.0.0.0")
    assert code == 2
    assert "--host" in error
    code, _, error = run(capsys, "studio", "missing.csv", "--no-browser")
    assert code == 1
    assert "missing.csv" in error


def test_vendored_files_are_those_released() -> None:
    folder = Path(gg.__file__).parent / "studio" / "page" / "vendor"
    told = (folder / "README.md").read_text(encoding="utf-8")
    for name in ("preact.js", "uplot.js", "uplot.css"):
        assert f"| {hashlib.sha256((folder / name).read_bytes()).hexdigest()} |" in told
    files = page_files()
    assert all(path == "/" or (folder.parent / path[1:]).is_file() for path in files)
    own = {path: contents for path, (_, contents) in files.items() if "/vendor/" not in path}
    assert not [
        path
        for path, text in own.items()
        if b"innerHTML" in text or b"http://" in text.replace(b"http://www.w3.org", b"")
    ]
    assert not [path for path, text in own.items() if text.count(b"\n") > 300]


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_it_ends(
    end: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with open_studio(FOLDER / "iris.csv") as opened:
        table = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i % 2) for i in range(60))
        assert opened.ask("POST", "/api/table?kind=csv&name=mine.csv", opened.headers(), table)[0] == 200
        assert len(list(tmp_path.rglob("*"))) == 3  # the page, and a folder with the table
        opened.process.send_signal(end)
        opened.process.wait(timeout=30)
    assert list(tmp_path.rglob("*")) == []


def test_all_modules_are_fetched_at_once() -> None:
    page = page_files()["/"][1].decode()
    modules = {path[1:] for path in page_files() if path.endswith(".js")} - {"main.js"}
    assert set(re.findall(r'modulepreload" href="([^"]+)"', page)) == modules
