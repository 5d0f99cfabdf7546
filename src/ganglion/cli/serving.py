"""The command that serves a model over HTTP."""

from __future__ import annotations

import errno
import ipaddress
import json
import shlex
import socket
import sys
from contextlib import suppress
from pathlib import Path

from ganglion.checks import check_integer
from ganglion.cli import console, joint
from ganglion.cli.console import Whole, notes as collect, say
from ganglion.errors import ConfigError
from ganglion.joint import heads_of
from ganglion.optional import load
from ganglion.table_model.answering import AnyModel

BACKLOG = 2048
MOST_CHARACTERS = 20_000  # of an example; a terminal takes no longer command
SECONDS_TO_END = 3


def serve(
    model: Path,
    /,
    *,
    host: str = "127.0.0.1",
    port: Whole = 8000,
    max_rows: Whole = 100_000,
    max_megabytes: float = 16,
    seconds: float = 30,
) -> None:
    """Answer requests over HTTP with the predictions of a model, until Ctrl-C.

    POST /predict takes rows as JSON, CSV or Arrow and answers with their predictions; its parameters
    probabilities, interval and notes are the options of predict. GET /health tells that the server runs, GET
    /openapi.json describes it.

    Parameters
    ----------
    model
        A model file written by train.
    host
        Address to listen at; with 0.0.0.0, all other computers of the network can use the server, which has
        no password and no encryption.
    port
        Port to listen at; 0 for any free one.
    max_rows
        Rows of one request.
    max_megabytes
        Size of the body of one request.
    seconds
        Time for one request.
    """
    load("uvicorn", "serve")
    load("starlette", "serve")
    import uvicorn  # noqa: PLC0415

    from ganglion.serving import Limits, make_app  # noqa: PLC0415

    check_integer("--port", port, at_least=0, at_most=65_535)
    limits = Limits(max_megabytes, max_rows, seconds)
    with collect() as collected:
        loaded = joint.load_any(model)
    for note in collected:
        sys.stderr.write(f"note: {note}\n")
    with _listen(host, port) as listener:
        name = f"[{host}]" if ":" in host else host
        app = make_app(loaded, limits, hosts=[name], strict=console.strict)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=SECONDS_TO_END,
        )
        local = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(name, name)  # noqa: S104  # only compared
        if not ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback:
            sys.stderr.write("note: other computers can use this server, which has no password\n")
        _announce(model.name, loaded, f"http://{local}:{listener.getsockname()[1]}")
        with suppress(KeyboardInterrupt):  # which the server passes on once it has ended
            uvicorn.Server(config).run(sockets=[listener])
        say("ended")


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, so that no request after the announcement is refused.

    Raises:
        ConfigError: if the host is no address of this computer, or the port is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"--host must be an address of this computer, got {host}", "such as 127.0.0.1"
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # where it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} of {host} is in use", "give another --port, or 0 for any free one"
            ) from error
        reason = error.strerror or error
        raise ConfigError(
            f"the server cannot listen at {host}, port {port}: {reason}",
            "such as --host 127.0.0.1 --port 8000",
        ) from error
    return listener


def _announce(title: str, model: AnyModel, address: str) -> None:
    from ganglion.serving.openapi import example_record  # noqa: PLC0415

    say(f"{title}: " + ", ".join(f"{head.target.task} of {head.target.column!r}" for head in heads_of(model)))
    say(f"serving at {address} (/predict, /health, /openapi.json); Ctrl-C ends\n")
    example = shlex.quote(json.dumps(example_record(model), ensure_ascii=False))
    command = f"curl {address}/predict -H 'Content-Type: application/json' -d {example}"
    if len(command) <= MOST_CHARACTERS:
        say(command)
    else:
        say(f"an example of a row stands in {address}/openapi.json")
