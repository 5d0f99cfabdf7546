"""The command that opens the studio."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import webbrowser
from pathlib import Path
from types import FrameType
from typing import Any

from ganglion.checks import check_integer
from ganglion.cli import joint
from ganglion.cli.console import Flag, Whole, say
from ganglion.errors import ConfigError, FileError
from ganglion.optional import load
from ganglion.table_model import TableModel

BACKLOG = 64
MOST_CONNECTIONS = 32
SECONDS_TO_END = 2


def studio(
    source: Path | None = None, /, *, table: Path | None = None, port: Whole = 0, no_browser: Flag = False
) -> None:
    """Open a page in the browser where you watch a network learn your own table, step by step, until Ctrl-C.

    The page is for this computer alone. From another one, use `ssh -L PORT:127.0.0.1:PORT` and --no-browser.

    Parameters
    ----------
    source
        A table, as for train; a model file written by train; a lesson (.json); or nothing, to choose on the
        page.
    table
        With a model: the table that it learned from, or one like it.
    port
        Port to listen at; by default any free one.
    no_browser
        Only print the address.
    """
    load("uvicorn", "studio")
    load("starlette", "studio")
    import uvicorn  # noqa: PLC0415

    from ganglion.studio.data import Source  # noqa: PLC0415
    from ganglion.studio.lesson import Lesson  # noqa: PLC0415
    from ganglion.studio.server import hand_over, make_app, new_token  # noqa: PLC0415
    from ganglion.studio.session import Studio  # noqa: PLC0415

    check_integer("--port", port, at_least=0, at_most=65_535)
    begin: dict[str, Any] = {}
    if source is not None:
        if source.suffix == ".json" and (contents := _contents(source)) and Lesson.is_one(contents):
            begin = {"lesson": Lesson.read(contents)}
        elif source.suffix == ".safetensors":
            begin = {"model": _model(source), "model_name": source.name}
        else:
            begin = {"source": Source(source, source.name)}
    if table is not None:
        if "model" not in begin:
            raise ConfigError("--table goes with a model file", "give the table alone")
        begin["source"] = Source(table, table.name)
    session = Studio(**begin)

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            session.is_ending = True  # or the frames would never end
            super().handle_exit(sig, frame)

    try:
        with socket.create_server(("127.0.0.1", port), backlog=BACKLOG) as listener:
            found, token = listener.getsockname()[1], new_token()
            config = uvicorn.Config(
                make_app(session, found, token),
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=False,
                ws="none",
                proxy_headers=False,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=SECONDS_TO_END,
            )
            page = hand_over(found, token)
            try:
                say(f"the studio is open at http://127.0.0.1:{found}/#{token}")
                say("Ctrl-C ends it")
                if not no_browser:
                    webbrowser.open(page.as_uri())
                # The server raises the signal that ended it once more: it must not end the process at once.
                signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
                with contextlib.suppress(KeyboardInterrupt):
                    Server(config).run(sockets=[listener])
            finally:
                page.unlink(missing_ok=True)
    finally:
        session.close()
    say("ended")


def _model(path: Path) -> TableModel:
    """Return a model of a table with one target.

    Raises:
        FileError: for another model.
    """
    found = joint.load_any(path)
    if not isinstance(found, TableModel):
        raise FileError(f"{path} is no model of a table with one target", "the studio shows only those")
    return found


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
