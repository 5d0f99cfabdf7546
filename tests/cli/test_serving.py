"""`ganglion serve`: a real server in a process of its own."""

import json
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import ganglion as gg
from commands import run
from served import client, model, records


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "m.safetensors"
    model().save(path)
    return path


@pytest.fixture
def server(file: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "ganglion", "serve", str(file), "--port", "0", "--max-rows", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def post(address: str, body: bytes, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(address, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_a_server_from_start_to_ctrl_c(server: subprocess.Popen[str]) -> None:
    assert server.stdout is not None
    assert server.stderr is not None
    lines = [server.stdout.readline() for _ in range(4)]
    assert lines[0] == "m.safetensors: classification of 'size'\n"
    address = lines[1].split()[2]
    assert address.startswith("http://127.0.0.1:")
    assert not address.endswith(":0")
    words = shlex.split(lines[3])
    assert words[:2] == ["curl", f"{address}/predict"]
    assert words[2:4] == ["-H", "Content-Type: application/json"]
    example = words[words.index("-d") + 1]
    status, answer = post(words[1], example.encode())
    assert (status, answer["prediction"]) == (200, model().answer(json.loads(example))["prediction"])
    every = f"{address}/predict?probabilities=true"
    status, answers = post(every, json.dumps(records()[:50]).encode())
    assert (status, answers) == (200, client().post(every, json=records()[:50]).json())
    assert post(every, json.dumps(records()[:51]).encode())[0] == 413
    assert post(every, b"{}")[0] == 422
    assert post(every, b"{}", Host="evil.example")[0] == 421
    with urllib.request.urlopen(f"{address}/health", timeout=60) as answered:
        assert json.load(answered)["status"] == "ok"

    host, port = "127.0.0.1", int(address.rpartition(":")[2])
    with socket.create_connection((host, port)) as endless:  # chunks that never end
        endless.sendall(
            b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        sent = 0
        with suppress(OSError):  # the server answers and closes
            while sent < 1000:
                endless.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
                sent += 1
        assert 16 < sent < 1000

    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0
    assert server.stdout.read().endswith("ended\n")
    assert server.stderr.read() == ""


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("--port", "70000"), 2, "--port must be a whole number >= 0 and <= 65535, got 70000"),
        (("--port", "x"), 2, "--port must be a whole number, got x"),
        (("--host", "nonesuch.invalid"), 2, "--host must be an address of this computer"),
        (("--max-rows", "0"), 2, "the limit of rows must be a whole number >= 1, got 0"),
        (("--max-megabytes", "-1"), 2, "the limit of megabytes must be a number > 0"),
        (("--seconds", "0"), 2, "the limit of seconds must be a number > 0"),
    ],
)
def test_settings_that_cannot_be_served(
    file: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, part: str
) -> None:
    got, out, error = run(capsys, "serve", str(file), *words)
    assert (got, out) == (code, "")
    assert part in error


def test_files_that_cannot_be_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gg.Network([gg.Dense(1)], inputs=2).save(tmp_path / "bare.safetensors")
    (tmp_path / "other.safetensors").write_text("a,b\n1,2\n")
    for name, part in (
        ("bare.safetensors", "a network without a table's encoder"),
        ("other.safetensors", "is not a model file"),
        ("missing.safetensors", "No such file"),
    ):
        code, out, error = run(capsys, "serve", str(tmp_path / name))
        assert (code, out) == (1, "")
        assert part in error


def test_a_port_in_use(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, out, error = run(capsys, "serve", str(file), "--port", port)
    assert (code, out) == (2, "")
    assert f"port {port} of 127.0.0.1 is in use" in error
    assert "hint: give another --port" in error


@pytest.mark.parametrize(("host", "noted"), [("0.0.0.0", True), ("localhost", False)])
def test_a_server_for_other_computers_is_noted(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, host: str, noted: bool
) -> None:
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: None)
    code, out, error = run(capsys, "serve", str(file), "--host", host, "--port", "0")
    assert code == 0
    assert ("no password" in error) == noted
    assert f"http://{'127.0.0.1' if noted else host}:" in out


def test_without_the_extra(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, _, error = run(capsys, "serve", str(file))
    assert code == 1
    assert "needs uvicorn, which is not installed" in error
    assert "pip install 'ganglion[serve]'" in error


def test_help_does_not_load_the_server() -> None:
    code = "import sys, ganglion.cli; print([m for m in ('starlette', 'uvicorn') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
